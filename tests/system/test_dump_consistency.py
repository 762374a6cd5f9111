# SPDX-License-Identifier: MIT
"""Money that moves all through a backup: the restored copy is as the database
was at one instant, whoever steps, and whoever is killed."""
import contextlib
import random
import signal
import threading
import time

import pytest

import faults
import servers
import tables
import trees
from tables import Bank

# Each member is long in writing, so that there are many steps of a small
# database.
STEP = 'max = 60ms\ncheckpoint_size = 1M'
SLOW = 'write:15000'


@pytest.fixture
def site(tmp_path):
    return trees.make_site(tmp_path / 'site', files=3)


@pytest.fixture
def bank(server, request):
    """Names of databases are not longer than 64."""
    name = 'bank_' + request.node.name.replace('[', '_').strip(']')[:50]
    with Bank(server, name) as bank:
        yield bank
    server.sql(f'DROP DATABASE `{name}`')


@pytest.fixture
def make_bank_vault(make_vault, site, bank):
    def make(**kwargs):
        kwargs.setdefault('step', STEP)
        return make_vault(site, profile=tables.profile(
            bank.server, bank.name), **kwargs)

    return make


def slowly(vault):
    """The environment in which it writes slowly to its data."""
    return faults.environment(vault.data, delay=SLOW)


def assert_complete(bank, vault, consistency='snapshot', steps=24):
    """The backup is right, and says what it is."""
    record = vault.record()
    assert record['status'] == 'complete'
    found = tables.of_database(record, bank.name)
    assert found['consistency'] == consistency
    assert record['steps'] >= steps
    copy = bank.name + '_copy'
    tables.restore(bank.server, vault, bank.name, copy)
    if consistency == 'snapshot':
        bank.assert_consistent(copy)
    else:
        bank.assert_static(copy)
    assert found['rows'] == sum(
        tables.rows(bank.server, f'SELECT COUNT(*) FROM `{table}`', copy)[0][0]
        for table in bank.server.tables(copy))
    bank.server.sql(f'DROP DATABASE `{copy}`')
    return found


# -- who steps ----------------------------------------------------------------


def test_one_process(bank, make_bank_vault):
    vault = make_bank_vault()
    vault.start(env=slowly(vault))
    before = bank.moves
    assert vault.chain().text.startswith('200 OK\n')
    assert bank.moves > before + 10
    found = assert_complete(bank, vault)
    assert found['restarts'] == 0
    assert found['server'].startswith('MariaDB 10.')
    assert found['tables'] == 7


@pytest.mark.parametrize('kind', [servers.Lighttpd, servers.LighttpdCgi])
def test_many_processes(bank, kind):
    """Four FastCGI processes, lighttpd's default; and one for each step."""
    def make_site(root):
        return trees.make_site(root, files=3)

    with servers.Host(
            make_site, slow_data=SLOW, step=STEP,
            profile=tables.profile(bank.server, bank.name)) as host:
        server = host.serve(kind)
        assert server.follow().text.startswith('200 OK\n')
        assert_complete(bank, host.vault)


def test_command_line(bank, make_bank_vault):
    """Needs no companion."""
    vault = make_bank_vault(server='companion = no')
    vault.cli('run', env=slowly(vault))
    assert vault.companions() == []
    assert_complete(bank, vault, steps=1)


# -- who is killed ------------------------------------------------------------


def test_worker_is_killed_between_steps(bank, make_bank_vault):
    """The snapshot outlives it."""
    vault = make_bank_vault()
    vault.start(env=slowly(vault))

    def kill(*_):
        vault.stop(signal.SIGKILL)
        vault.start(env=slowly(vault))

    assert vault.chain(visit=kill).text.startswith('200 OK\n')
    assert assert_complete(bank, vault)['restarts'] == 0


def test_worker_is_killed_within_steps(bank, make_bank_vault):
    rand = random.Random(seed())
    vault = make_bank_vault(step='max = 200ms\ncheckpoint_size = 1M')
    kills = 0
    for _ in range(200):
        vault.start(env=slowly(vault))
        # Five in a row without any progress would be the end.
        # Far off, when it has been enough.
        timer = threading.Timer(
            rand.uniform(0.1, 0.4) if kills < 12 else 1000,
            vault.process.kill)
        timer.start()
        answer = None
        with contextlib.suppress(OSError):
            answer = vault.chain()
        timer.cancel()
        timer.join()
        if answer is not None:
            break
        kills += 1
        vault.process.wait(10)
        vault.stop()
    assert answer.text.startswith('200 OK\n'), answer.text
    assert kills >= 5
    assert assert_complete(bank, vault, steps=1)['restarts'] == 0


def seed():
    number = random.randrange(2**32)
    print('seed', number)
    return number


class Companionless:
    """Calls something when a companion has been there for some steps."""

    def __init__(self, vault, what, most):
        self.vault = vault
        self.what = what
        self.most = most
        self.seen = 0
        self.done = 0

    def __call__(self, *_):
        if self.done < self.most and self.vault.companion():
            self.seen += 1
            if self.seen % 6 == 0:
                self.done += 1
                self.what()


def test_companion_is_killed_between_steps(bank, make_bank_vault):
    """The dump begins again, with a new snapshot."""
    vault = make_bank_vault()
    vault.start(env=slowly(vault))
    visit = Companionless(vault, vault.kill_companion, 2)
    assert vault.chain(visit=visit).text.startswith('200 OK\n')
    assert visit.done == 2
    assert assert_complete(bank, vault)['restarts'] == 2


def test_companion_is_killed_within_steps(bank, make_bank_vault):
    rand = random.Random(seed())
    vault = make_bank_vault(server='snapshot_tries = 50')
    vault.start(env=slowly(vault))
    timers = []

    def kill_soon():
        timers.append(threading.Timer(rand.uniform(0, 0.06),
                                      vault.kill_companion))
        timers[-1].start()

    answer = vault.chain(visit=Companionless(vault, kill_soon, 4))
    for timer in timers:
        timer.join()
    assert answer.text.startswith('200 OK\n'), answer.text
    assert len(timers) == 4
    assert assert_complete(bank, vault)['restarts'] >= 1


def test_companion_is_frozen(bank, make_bank_vault):
    """One that does not answer is as good as dead, and no step waits for it
    longer than it may."""
    vault = make_bank_vault(step='max = 300ms\ncheckpoint_size = 1M')
    vault.start(env=slowly(vault))

    def freeze():
        vault.kill_companion(signal.SIGSTOP)

    longest = 0
    url = vault.url()
    visit = Companionless(vault, freeze, 1)
    visit.seen = 4
    for _ in range(10000):
        begin = time.monotonic()
        answer = vault.get(url)
        longest = max(longest, time.monotonic() - begin)
        if answer.status != 302:
            break
        visit()
        url = '/stepvault/' + answer.location
    assert answer.text.startswith('200 OK\n'), answer.text
    assert visit.done == 1
    # Of a step of 0.3 s; and machines are slow.
    assert longest < 10
    found = assert_complete(bank, vault, steps=1)
    assert found['restarts'] == 1


def test_lost_too_often(bank, make_bank_vault):
    """It goes on without a snapshot, and says so."""
    vault = make_bank_vault(server='snapshot_tries = 2')
    vault.start(env=slowly(vault))
    visit = Companionless(vault, vault.kill_companion, 10)
    assert vault.chain(visit=visit).text.startswith('200 OK\n')
    assert visit.done >= 2
    found = assert_complete(bank, vault, 'per-chunk')
    assert found['restarts'] >= 2
    assert 'snapshot' in vault.log()


# -- without a companion ------------------------------------------------------


def test_companion_is_forbidden(bank, make_bank_vault):
    vault = make_bank_vault(server='companion = no')
    vault.start(env=slowly(vault))

    def look(*_):
        assert vault.companions() == []

    assert vault.chain(visit=look).text.startswith('200 OK\n')
    assert_complete(bank, vault, 'per-chunk', steps=12)


def test_small_database_without_a_companion(server, site, make_vault):
    """What fits into one step is a snapshot all the same."""
    with Bank(server, 'bank_small', filler=1000) as bank:
        vault = make_vault(site, server='companion = no',
                           profile=tables.profile(server, bank.name))
        assert vault.start().chain().text.startswith('200 OK\n')
        assert_complete(bank, vault, steps=1)
