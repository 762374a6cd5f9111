# SPDX-License-Identifier: MIT
"""Backups to be measured: over a redirect chain, and by the command line."""
import subprocess
import time

import servers
from measure import Cost, cpu_of_process, settle

# Both sides pack everything.
PROFILE = 'default_excludes = no'


def host(tree, step, profile=''):
    """A host for this tree, in the hands of its caller."""
    return servers.Host(lambda _: str(tree), step=step,
                        profile=f'{PROFILE}\n{profile}')


class Chain:
    """Whole backups by curl through nginx, each one anew."""

    def __init__(self, tree, step, profile=''):
        self.host = host(tree, step, profile)
        self.records = []

    def __enter__(self):
        self.host.__enter__()
        try:
            self.server = self.host.serve(servers.Nginx)
        except BaseException:
            self.host.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.host.__exit__()

    def follow(self):
        """One backup.  The CPU time is the FastCGI process's."""
        pid = self.host.vault.process.pid
        settle()
        cpu, begin = cpu_of_process(pid), time.perf_counter()
        result = subprocess.run(
            ['curl', '-sS', '-L', '--max-redirs', '10000',
             self.server.url(fresh=1)], check=True, stdout=subprocess.PIPE,
            text=True)
        wall = time.perf_counter() - begin
        cpu = cpu_of_process(pid) - cpu
        assert result.stdout.startswith('200 OK\n'), result.stdout
        return self.end(Cost(wall, cpu))

    def run(self):
        """The same without steps, by the command line."""
        settle()
        begin = time.perf_counter()
        self.host.vault.cli('run', '--fresh')
        return self.end(Cost(time.perf_counter() - begin))

    def end(self, cost):
        """Look at the record, and make room."""
        record = self.host.vault.record()
        self.host.vault.cli('delete', record['id'])
        self.records.append(record)
        # By the clock on the wall, so that syncs and hops are in it.
        others = sum(record['phase_ms']) - phase(record, 'walk', 'pack')
        cost.packing = cost.wall - others / 1000
        return cost

    @property
    def hops(self):
        """Of the last backup: one less than requests."""
        return self.records[-1]['steps']


PHASES = ('init', 'dump', 'walk', 'pack', 'finish', 'publish', 'prune', 'notify')


def phase(record, *names):
    """Milliseconds in phases, by the record."""
    return sum(record['phase_ms'][PHASES.index(name)] for name in names)
