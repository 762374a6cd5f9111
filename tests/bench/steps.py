# SPDX-License-Identifier: MIT
"""Figures of how well a step keeps to its budget."""
import contextlib
import dataclasses
import os
import re
import shlex
import time

import backups
import faults
import servers
from measure import Row, say, show
from vault import Vault, binary

BUDGET = 1.0
SLOW_RATE = 1_000_000
SYNC = re.compile(r'^\d+ +(\d+\.\d+) .*sync.* = 0 <(\d+\.\d+)>$')


@dataclasses.dataclass
class Request:
    begin: float # by the clock that strace shows
    end: float
    sync: float = 0 # the slowest that ended in it

    @property
    def length(self):
        return self.end - self.begin


def follow(vault):
    """The requests of a whole chain, without a web server between."""
    requests = []
    last = time.time()

    def note(*_):
        nonlocal last
        requests.append(Request(last, time.time()))
        last = requests[-1].end

    answer = vault.chain(visit=note, hops=1_000_000)
    assert answer.text.startswith('200 OK\n'), answer.text
    return requests


@contextlib.contextmanager
def traced(folder):
    """The FastCGI program's syncs are timed meanwhile.  Nothing but these
    stops it, and it remains its starter's child."""
    log, wrapper = folder / 'syncs', folder / 'traced'
    program = binary('FCGI')
    command = [servers.need('strace'), '-D', '-f', '--seccomp-bpf', '-ttt',
               '-T', '-e', 'trace=fsync,fdatasync', '-e', 'signal=none',
               '-o', str(log), program]
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    wrapper.chmod(0o755)
    os.environ['STEPVAULT_FCGI'] = str(wrapper)
    try:
        yield log
    finally:
        os.environ['STEPVAULT_FCGI'] = program


def note_syncs(requests, log):
    """Give each request the slowest of its syncs."""
    syncs = [tuple(map(float, match.groups())) for match in
             map(SYNC.match, log.read_text().splitlines()) if match]
    assert syncs, 'strace has seen no sync'
    at = 0
    for when, length in sorted(syncs):
        while at < len(requests) - 1 and when > requests[at].end:
            at += 1
        requests[at].sync = max(requests[at].sync, length)


def overshoot(bench):
    """How late the latest step of 1 s is, less the slowest sync."""
    for name, what in (('site', '1 GiB'), ('small', '1,000,000 files')):
        say(f'steps of 1 s, {what}')
        folder = bench.folder()
        with traced(folder) as log, Vault(
                folder, bench.sites.get(name), step='max = 1s',
                profile=backups.PROFILE) as vault:
            vault.start()
            requests = follow(vault)
            vault.stop()
        note_syncs(requests, log)
        longest = max(requests, key=lambda request: request.length)
        slowest = max(request.sync for request in requests)
        alone = max(r.length - r.sync for r in requests) - BUDGET
        yield Row(f'step overshoot, {what}',
                  f'longest of {len(requests)} requests '
                  f'{show(longest.length, "ms")}, slowest sync '
                  f'{show(slowest, "ms")} by strace; each request less its '
                  f'own slowest sync: {show(alone, "ms")}',
                  longest.length - BUDGET - slowest, 0.1, 'ms')


def slow_overshoot(bench, name, what):
    say(f'steps of 1 s, 1 MB/s, {what}: this takes a while')
    with Vault(bench.folder(), bench.sites.get(name), step='max = 1s',
               profile=backups.PROFILE) as vault:
        vault.start(env=faults.environment(vault.data, rate=SLOW_RATE))
        requests = follow(vault)
    lengths = sorted((request.length for request in requests), reverse=True)
    late = sum(length > BUDGET + 0.1 for length in lengths)
    return Row(f'step overshoot at 1 MB/s, {what}',
               f'longest of {len(requests)} requests '
               f'{show(lengths[0], "ms")}, then {show(lengths[1], "ms")}; '
               f'{late} more than 100 ms late',
               lengths[0] - BUDGET, 0.5, 'ms')


def slow_text(bench):
    """How late at 1 MB/s of writes, syncs included: program text."""
    yield slow_overshoot(bench, 'text', 'program text')


def slow_site(bench):
    """The same, the 1 GiB tree: a quarter of an hour."""
    yield slow_overshoot(bench, 'site', '1 GiB')


def slow_small(bench):
    """The same, the 1,000,000 files: a quarter of an hour."""
    yield slow_overshoot(bench, 'small', '1,000,000 files')


FIGURES = (overshoot, slow_text, slow_site, slow_small)
