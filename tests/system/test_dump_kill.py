# SPDX-License-Identifier: MIT
"""Whoever works on a dump is killed: at every change to a file, at random
instants, on the way back to a dump's beginning.  It ends complete and equal."""
import concurrent.futures
import contextlib
import os
import random
import shutil
import signal
import threading
import time

import pytest

import faults
import tables
import trees
from vault import Vault

WORKERS = 3


class Subject:
    """A small database that nobody changes, and a site of next to nothing."""

    def __init__(self, folder, server, name):
        self.folder = folder
        self.server = server
        self.name = name
        self.site = folder / 'site'
        trees.write(f'{self.site}/index.html', 'a site')
        tables.make_small(server, name, 1500)
        self.profile = tables.profile(server, name)
        self.sums = server.checksums(name)
        self.lock = threading.Lock()

    def vault(self, name, **settings):
        settings.setdefault('step', 'max = 50ms\ncheckpoint_size = 64K')
        return Vault(self.folder / name, self.site, profile=self.profile,
                     **settings)

    def finish(self, vault, restarts=2):
        """Whatever happened before: the next calls end it, and it is right."""
        vault.stop()
        vault.start()
        for _ in range(3):
            answer = vault.chain()
            if answer is not None and answer.status == 200:
                break
        assert answer is not None and answer.text.startswith('200 OK'), (
            answer and answer.text)
        record = vault.record()
        assert record['status'] == 'complete'
        found = tables.of_database(record, self.name)
        assert found['restarts'] <= restarts
        copy = f'{self.name}_{threading.get_ident()}'
        tables.restore(self.server, vault, self.name, copy)
        assert self.server.checksums(copy) == self.sums
        tables.assert_same(self.server, self.name, copy)
        self.server.sql(f'DROP DATABASE {copy}')
        assert os.listdir(vault.data / 'jobs') == []
        return found

    def cut(self, name, kill, visit=None, **settings):
        """One run that is killed there; False if it came to its end."""
        with self.vault(name, **settings) as vault:
            vault.data.mkdir(mode=0o700)
            vault.start(env=faults.environment(vault.data, kill=kill),
                        may_die=True)
            answer = None
            with contextlib.suppress(OSError):
                answer = vault.chain(visit=visit and (
                    lambda *_: visit(vault)))
            if answer is None:
                assert vault.process.wait(10) == -9, kill
            else:
                assert answer.text.startswith('200 OK\n'), (kill, answer.text)
            self.finish(vault)
        shutil.rmtree(self.folder / name)
        return answer is None


@pytest.fixture
def subject(tmp_path, server, request):
    name = 'kill_' + ''.join(c if c.isalnum() else '_'
                             for c in request.node.name)[-40:]
    return Subject(tmp_path, server, name)


def cut_everywhere(subject, when, least, visit=None, stride=8, **settings):
    """Cut at changes from the first to the one that is never made."""
    stride = faults.stride(stride)
    stop = threading.Event()
    done = []

    def work(first):
        number = first
        while not stop.is_set() and number < 3000:
            if not subject.cut(f'{when}-{number}', f'{when}:{number}',
                               visit and visit(), **settings):
                stop.set()
            done.append(number)
            number += WORKERS * stride

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for future in [pool.submit(work, 1 + random.randrange(stride) +
                                   i * stride) for i in range(WORKERS)]:
            future.result()
    print(f'cut {when} {len(done)} of {max(done)} changes')
    # A backup of this kind cannot be made with fewer.
    assert max(done) > least


@pytest.mark.parametrize('companion', ['yes', 'no'])
@pytest.mark.parametrize('when', ['before', 'after'])
def test_killed_at_every_change(subject, when, companion):
    """By which its snapshot is lost, or not."""
    cut_everywhere(subject, when, 60, server=f'companion = {companion}')


@pytest.mark.parametrize('when', ['before', 'after'])
def test_killed_on_the_way_back(subject, when):
    """The snapshot is lost, so that what was dumped is cut off: the state
    first, then the bytes."""
    def visit():
        steps = []

        def lose(vault):
            steps.append(1)
            if len(steps) in (3, 6):
                vault.kill_companion()

        return lose

    cut_everywhere(subject, when, 60, visit)


def test_companion_is_killed_after_each_step(subject):
    """Once in each backup: after the first, the second …"""
    stop = threading.Event()
    done = []

    def work(first):
        number = first
        while not stop.is_set():
            steps = []

            def visit(_url, _answer, steps=steps, number=number):
                steps.append(1)
                if len(steps) == number:
                    vault.kill_companion()

            with subject.vault(f'step-{number}') as vault:
                vault.start(env=faults.environment(vault.data,
                                                   delay='write:3000'))
                answer = vault.chain(visit=visit)
                assert answer.text.startswith('200 OK\n'), answer.text
                if len(steps) <= number:
                    stop.set()
                subject.finish(vault, restarts=1)
            done.append(number)
            number += WORKERS * faults.stride()

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for future in [pool.submit(work, 1 + i) for i in range(WORKERS)]:
            future.result()
    assert max(done) > 12


class Killer:
    """Kills, at random instants, the worker or the companion or both."""

    def __init__(self, vault, rand, most):
        self.vault = vault
        self.rand = rand
        self.most = most
        self.kills = 0
        self.stretch = 1

    def _kill(self):
        which = self.rand.choice(['worker', 'companion', 'both'])
        if which != 'worker':
            self.vault.kill_companion()
        if which != 'companion':
            self.vault.process.kill()

    def life(self):
        """Of one server process; the answer if it came to one."""
        self.vault.start(env=faults.environment(
            self.vault.data, delay='write:3000'))
        after = self.stretch * self.rand.uniform(0.01, 0.15)
        if self.kills == self.most: # enough
            after = 1000
        self.kills += after < 1000
        timer = threading.Timer(after, self._kill)
        timer.start()
        answer = None
        with contextlib.suppress(OSError):
            answer = self.vault.chain()
        timer.cancel()
        timer.join()
        self.vault.stop(signal.SIGKILL)
        return answer

    def run(self):
        """To the end: after five lives in a row that came to nothing the
        backup fails, rightly, so they become longer."""
        before = 0
        for _ in range(200):
            answer = self.life()
            if answer is not None:
                return answer
            state = self.vault.state()
            after = state['checkpoints'] if state else 0
            self.stretch = 1 if after > before else 2 * self.stretch
            before = after
        raise AssertionError('no end')


def seed():
    number = random.randrange(2**32)
    print('seed', number)
    return number


def test_killed_at_random_instants(subject):
    """While the database changes, the server restarts now and then, too."""
    rand = random.Random(seed())
    server = subject.server
    with tables.Bank(server, 'bank_killed', filler=2_000_000) as bank:
        profile = tables.profile(server, bank.name)
        kills = rounds = 0
        while kills < (10 if faults.sanitized() else 50):
            rounds += 1
            with Vault(subject.folder / f'round-{rounds}', subject.site,
                       server='snapshot_tries = 100', profile=profile,
                       step='max = 60ms\ncheckpoint_size = 256K') as vault:
                killer = Killer(vault, rand, rand.randrange(2, 9))
                answer = killer.run()
                kills += killer.kills
                assert answer.text.startswith('200 OK\n'), answer.text
                found = tables.of_database(vault.record(), bank.name)
                assert found['consistency'] == 'snapshot'
                tables.restore(server, vault, bank.name, 'bank_killed_copy')
                bank.assert_consistent('bank_killed_copy')
    print(f'{kills} kills in {rounds} backups')


def test_server_is_restarted_at_random_instants(tmp_path, make_server):
    rand = random.Random(seed())
    server = make_server()
    subject = Subject(tmp_path, server, 'shop')

    def restart():
        if rand.random() < 0.5:
            server.kill()
        else:
            server.stop()
        time.sleep(rand.uniform(0, 0.2))
        server.start()

    for number in range(2 if faults.sanitized() else 8):
        with subject.vault(f'round-{number}') as vault:
            vault.start(env=faults.environment(vault.data,
                                               delay='write:3000'))
            timer = threading.Timer(rand.uniform(0.01, 0.5), restart)
            timer.start()
            for _ in range(5):
                answer = vault.chain()
                if answer.status == 200:
                    break
                assert answer.text.startswith('500 ERROR -- '), answer.text
            timer.join()
            subject.finish(vault)
