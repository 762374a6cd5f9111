# SPDX-License-Identifier: MIT
"""A database server that is away, refuses, hangs, is killed or cut off: a
message that says what is wrong, and never a complete backup that is not."""
import contextlib
import os
import pathlib
import signal
import threading
import time
import urllib.parse

import pytest

import faults
import tables
import trees
from cutter import Cutter
from tables import PASSWORD
from vault import binary

SLOW = 'write:15000'
STEP = 'max = 60ms\ncheckpoint_size = 1M'


@pytest.fixture
def site(tmp_path):
    return trees.make_site(tmp_path / 'site', files=3)


@pytest.fixture(scope='module')
def small(server):
    """The name of a small database; nobody changes it."""
    tables.make_small(server, 'small')
    tables.profile(server, 'small')
    return 'small'


def spellings():
    """How the password could be written somewhere."""
    return [PASSWORD, urllib.parse.quote(PASSWORD, safe=''),
            urllib.parse.quote(PASSWORD), PASSWORD.split()[0]]


def assert_secret(vault, *texts):
    """The password is in none of the texts, in no file of the data, and in no
    process."""
    files = [path for path in vault.data.rglob('*') if path.is_file()]
    texts = [*texts, *(path.read_bytes().decode('latin-1') for path in files
                       if path.stat().st_size < 10**6)]
    for pid in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError):
            if os.readlink(f'/proc/{pid}/exe') in (
                    binary('CLI'), binary('FCGI')):
                texts += [pathlib.Path(f'/proc/{pid}/{name}').read_text()
                          for name in ('cmdline', 'environ')]
    for text in texts:
        for spelling in spellings():
            assert spelling not in text


class Calls:
    """Calls of the secret URL of a profile with a database."""

    def __init__(self, vault):
        self.vault = vault
        vault.start()

    def refused(self, *words):
        """The next chain ends with an error that has these words in it."""
        answer = self.vault.chain()
        assert answer.status in (500, 503), answer.text
        assert answer.text.startswith('500 ERROR -- '), answer.text
        for word in words:
            assert word in answer.text, answer.text
        assert_secret(self.vault, answer.text, *answer.headers.values())
        assert all(record['status'] != 'complete'
                   for record in self.vault.records())
        return answer

    def complete(self, server, name):
        """The next chains, a backup of its own perhaps, are right."""
        for _ in range(5):
            answer = self.vault.chain(self.vault.url(fresh=1))
            if answer.status == 200:
                break
        assert answer.text.startswith('200 OK\n'), answer.text
        tables.assert_restored(server, self.vault, name)
        assert_secret(self.vault, answer.text, self.vault.log())
        return tables.of_database(self.vault.record(), name)


@pytest.fixture
def call(make_vault, site):
    """Calls of a profile with these lines."""
    return lambda profile, **kwargs: Calls(
        make_vault(site, profile=profile, **kwargs))


# -- it refuses ---------------------------------------------------------------


def test_no_server(call, make_server):
    server = make_server()
    tables.make_small(server, 'small')
    profile = tables.profile(server, 'small')
    server.stop()
    calls = call(profile)
    calls.refused('cannot be reached')
    server.start()
    calls.complete(server, 'small')


def test_wrong_password(call, server, small):
    tables.profile(server, small)
    server.sql("CREATE OR REPLACE USER wrong IDENTIFIED BY 'another'")
    calls = call('database = ' + server.url(small, 'wrong', PASSWORD))
    calls.refused('wrong')
    server.sql(f"SET PASSWORD FOR wrong = PASSWORD('{PASSWORD}'); "
               f'GRANT ALL ON {small}.* TO wrong; '
               'GRANT SELECT ON mysql.proc TO wrong')
    calls.complete(server, small)


def test_unknown_database(call, server):
    calls = call('database = ' + server.url('not_there'))
    calls.refused('not_there')


def test_too_many_connections(call, make_server):
    server = make_server(max_connections=10)
    tables.make_small(server, 'small')
    calls = call(tables.profile(server, 'small'))
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(contextlib.closing(server.connect()))
        calls.refused()
    calls.complete(server, 'small')


def test_tls_is_required_and_not_there(call, server, small):
    calls = call('database = ' + server.url(
        small, 'site', PASSWORD, ssl_mode='required'))
    calls.refused('encryption')


# -- rights that are missing --------------------------------------------------


RIGHTS = {
    'SELECT': 'INSERT ON posts',
    'SHOW VIEW': 'SELECT',
    'TRIGGER': 'SELECT, SHOW VIEW, EVENT, EXECUTE',
    'EVENT': 'SELECT, SHOW VIEW, TRIGGER, EXECUTE',
}


@pytest.mark.parametrize('missing', RIGHTS)
def test_missing_right(call, server, missing):
    """It fails, or it is complete and names what it could not see."""
    name = f'rights_{missing.lower().replace(" ", "_")}'
    tables.make_small(server, name)
    user = name[:20]
    server.sql(f"CREATE OR REPLACE USER {user} IDENTIFIED BY '{PASSWORD}'")
    if missing == 'SELECT':
        for table in ('pairs', 'keyless', 'plain', 'empty', 'audit'):
            server.sql(f'GRANT SELECT ON {name}.{table} TO {user}')
        server.sql(f'GRANT INSERT ON {name}.posts TO {user}')
    else:
        server.sql(f'GRANT {RIGHTS[missing]} ON {name}.* TO {user}')
    calls = call('database = ' + server.url(name, user, PASSWORD))
    answer = calls.vault.chain()
    log = calls.vault.log()
    assert_secret(calls.vault, answer.text, log)
    if answer.text.startswith('200 OK\n'):
        assert missing != 'SELECT'
        warnings = ' '.join(
            f'{warning["path"]} {warning["reason"]}'
            for warning in calls.vault.record()['warning_list'])
        assert missing in warnings or missing.lower() in warnings, warnings
    else:
        assert answer.text.startswith('500 ERROR -- ')
        assert {'SELECT': 'posts'}.get(missing, missing) in answer.text


# -- it is cut off ------------------------------------------------------------


def lines_of(vault, scratch):
    """What a backup has of its database, in lines."""
    target = trees.unpack(vault.parts(), str(scratch))
    return sorted(line for path in pathlib.Path(
        target, 'databases').rglob('*.sql') for line in
        path.read_bytes().splitlines())


@pytest.fixture
def cutter(server):
    with Cutter(server.socket) as cutter:
        yield cutter


class CutBackups:
    """Backups over a way that is cut, all of the same small database."""

    def __init__(self, vault, server, cutter, name):
        self.vault = vault
        self.server = server
        self.cutter = cutter
        self.name = name
        vault.start()
        cutter.plan()
        assert vault.chain().text.startswith('200 OK\n')
        self.packets = cutter.packets
        self.lines = lines_of(vault, vault.folder / 'whole')
        tables.assert_restored(server, vault, name)

    def assert_right(self):
        found = lines_of(self.vault, self.vault.folder / 'cut')
        if found != self.lines: # cut into pieces otherwise, perhaps
            tables.assert_restored(self.server, self.vault, self.name)

    def run(self, number, part):
        """One backup; it may say that it cannot, and then it can."""
        self.cutter.plan(number, part)
        for _ in range(3):
            answer = self.vault.chain(self.vault.url(fresh=1))
            if answer.status == 200:
                break
            assert answer.text.startswith('500 ERROR -- '), answer.text
            assert_secret(self.vault, answer.text)
        assert answer.text.startswith('200 OK\n'), (number, answer.text)
        assert self.cutter.cuts == 1, number
        self.assert_right()


@pytest.mark.parametrize('companion', ['yes', 'no'])
def test_cut_at_every_packet(make_vault, site, server, cutter, companion):
    """In the middle of a row too."""
    name = f'cut_{companion}'
    tables.make_small(server, name, 60)
    tables.profile(server, name)
    vault = make_vault(site, server=f'companion = {companion}', profile=(
        'keep_last = 1\ndatabase = ' + server.url(
            name, 'site', PASSWORD, socket=cutter.path)))
    backups = CutBackups(vault, server, cutter, name)
    # Each row is one, and each statement some.
    assert backups.packets > 300
    stride = faults.stride(3)
    for number in range(1, backups.packets + 1, stride):
        backups.run(number, part=number % 9)
    print(f'cut {backups.packets // stride} of {backups.packets} packets')
    assert_secret(vault, vault.stop())


class Patience(Exception):
    """Of a client that calls no more."""


def call_for_a_while(vault, seconds):
    """The end of a chain; None if it has none yet."""
    end = time.monotonic() + seconds

    def look(*_):
        if time.monotonic() > end:
            raise Patience

    try:
        return vault.chain(visit=look)
    except Patience:
        return None


@pytest.mark.parametrize('number', [1, 3, 10, 100, 400])
def test_cut_every_time(make_vault, site, server, cutter, small, number):
    """There is no backup, however long it is called, until there is a
    connection."""
    vault = make_vault(site, profile='keep_last = 1\ndatabase = ' + server.url(
        small, 'site', PASSWORD, socket=cutter.path))
    backups = CutBackups(vault, server, cutter, small)
    vault.cli('delete', vault.record()['id'])
    cutter.plan(number, part=2, of_each=True)
    for _ in range(5):
        answer = call_for_a_while(vault, 2)
        if answer is None: # it waits for better times
            break
        assert answer.text.startswith('500 ERROR -- '), answer.text
        assert_secret(vault, answer.text)
    assert cutter.cuts >= 2
    assert all(record['status'] != 'complete' for record in vault.records())
    cutter.plan()
    answer = vault.chain(vault.url(fresh=1))
    assert answer.text.startswith('200 OK\n'), answer.text
    backups.assert_right()


# -- it is killed, restarted, frozen ------------------------------------------


@pytest.fixture
def own(make_server):
    """A server of the test's own, with a database of some steps."""
    server = make_server()
    with tables.Bank(server, 'bank'):
        time.sleep(0.1)
    return server


def chain_with(vault, what, when=8):
    """A slow chain in which something happens between two steps; the steps'
    number at the end."""
    vault.start(env=faults.environment(vault.data, delay=SLOW))
    steps = 0

    def visit(*_):
        nonlocal steps
        steps += 1
        if steps == when:
            what()

    for _ in range(5):
        answer = vault.chain(visit=visit)
        if answer.status == 200:
            break
        assert answer.text.startswith('500 ERROR -- '), answer.text
        assert_secret(vault, answer.text)
    assert answer.text.startswith('200 OK\n'), answer.text
    assert steps > when
    tables.assert_restored(vault.server, vault, 'bank')
    return tables.of_database(vault.record(), 'bank')


@pytest.fixture
def own_vault(make_vault, site, own):
    vault = make_vault(site, step=STEP, profile=tables.profile(own, 'bank'))
    vault.server = own
    return vault


def test_server_is_restarted_between_steps(own_vault):
    found = chain_with(own_vault, own_vault.server.restart)
    assert found['restarts'] == 1
    assert found['consistency'] == 'snapshot'


def test_server_is_killed_between_steps(own_vault):
    def kill():
        own_vault.server.kill()
        own_vault.server.start()

    found = chain_with(own_vault, kill)
    assert found['restarts'] == 1
    assert found['consistency'] == 'snapshot'


def test_server_is_killed_within_a_step(own_vault):
    def kill():
        own_vault.server.kill()
        time.sleep(0.3)
        own_vault.server.start()

    threads = []

    def soon():
        threads.append(threading.Timer(0.02, kill))
        threads[-1].start()

    assert chain_with(own_vault, soon)['consistency'] == 'snapshot'
    threads[0].join()


def connections(server):
    return [int(line) for line in server.sql(
        'SELECT id FROM information_schema.processlist '
        "WHERE user = 'site'").split()]


@pytest.mark.parametrize('what', ['QUERY', 'CONNECTION'])
def test_killed_by_an_administrator(own_vault, what):
    """Again and again, while statements run."""
    server = own_vault.server
    stop = threading.Event()
    kills = 0

    def kill():
        nonlocal kills
        with contextlib.closing(server.connect()) as connection:
            while not stop.wait(0.2) and kills < 5:
                with connection.cursor() as cursor:
                    cursor.execute('SELECT id FROM information_schema.'
                                   "processlist WHERE user = 'site'")
                    for number, in cursor.fetchall():
                        kills += 1
                        with contextlib.suppress(Exception): # it has gone
                            cursor.execute(f'KILL {what} {number}')

    thread = threading.Thread(target=kill)
    found = chain_with(own_vault, thread.start)
    stop.set()
    thread.join()
    assert kills > 0
    if what == 'CONNECTION':
        assert found['restarts'] > 0


def test_server_hangs(own_vault):
    """It is waited for, but not longer than a step may take, and the client
    gets an answer."""
    server = own_vault.server
    longest = 0

    def freeze():
        nonlocal longest
        server.freeze()
        threading.Timer(3, server.thaw).start()
        url = own_vault.url()
        end = time.monotonic() + 4
        while time.monotonic() < end:
            begin = time.monotonic()
            answer = own_vault.get(url)
            longest = max(longest, time.monotonic() - begin)
            assert answer.status in (302, 500, 503)

    chain_with(own_vault, freeze)
    assert longest < 10 # of a step of 60 ms


# -- it is set up strangely ---------------------------------------------------


def test_short_time_outs(own_vault):
    """A snapshot outlives all of them."""
    own_vault.server.sql(
        'SET GLOBAL wait_timeout=1, GLOBAL interactive_timeout=1, '
        'GLOBAL idle_transaction_timeout=1, '
        'GLOBAL idle_readonly_transaction_timeout=1, '
        'GLOBAL idle_write_transaction_timeout=1, '
        'GLOBAL net_write_timeout=1, GLOBAL net_read_timeout=1, '
        'GLOBAL max_statement_time=0.01, GLOBAL lock_wait_timeout=1')
    found = chain_with(own_vault, lambda: time.sleep(4))
    assert found['restarts'] == 0
    assert found['consistency'] == 'snapshot'


def test_no_repeatable_read(own_vault):
    """A server on which a consistent snapshot is silently none."""
    server = own_vault.server
    server.sql("SET GLOBAL tx_isolation='READ-COMMITTED', "
               'GLOBAL autocommit=0, GLOBAL completion_type=CHAIN')
    server.sql('GRANT SELECT, UPDATE ON bank.* TO site')

    def take():
        server.sql('UPDATE z_accounts SET balance = balance - 10; COMMIT',
                   'bank')

    # Before the tables: what comes back must not be there.
    own_vault.start(env=faults.environment(own_vault.data, delay=SLOW))
    before = server.checksums('bank')
    steps = []

    def visit(*_):
        steps.append(1)
        if len(steps) == 4:
            take()

    assert own_vault.chain(visit=visit).text.startswith('200 OK\n')
    assert len(steps) > 8
    server.sql('SET GLOBAL autocommit=1, GLOBAL completion_type=NO_CHAIN')
    tables.restore(server, own_vault, 'bank', 'bank_copy')
    assert server.checksums('bank_copy') == before


def test_read_only_replica(own_vault):
    own_vault.server.sql('SET GLOBAL read_only=1')
    own_vault.start()
    assert own_vault.chain().text.startswith('200 OK\n')
    own_vault.server.sql('SET GLOBAL read_only=0')
    tables.assert_restored(own_vault.server, own_vault, 'bank')


def test_full_disk_of_the_server(make_vault, site, make_server):
    """Where its temporary tables go: it is right, or says what is wrong."""
    server = make_server(tmp_table_size=1024, max_heap_table_size=16384)
    tables.make_small(server, 'small', 3000)
    vault = make_vault(site, profile=tables.profile(server, 'small'))
    vault.start()
    # From now on there is none.
    server.sql('SET GLOBAL tmp_disk_table_size=16384')
    answer = vault.chain()
    server.sql('SET GLOBAL tmp_disk_table_size=DEFAULT')
    if answer.status != 200:
        assert answer.text.startswith('500 ERROR -- '), answer.text
        answer = vault.chain(vault.url(fresh=1))
    assert answer.text.startswith('200 OK\n'), answer.text
    tables.assert_restored(server, vault, 'small')


def test_lock_of_another(own_vault):
    """A table that somebody has locked is waited for."""
    server = own_vault.server
    connection = server.connect('bank')

    def lock():
        with connection.cursor() as cursor:
            cursor.execute('LOCK TABLES slips WRITE, z_accounts WRITE')
        threading.Timer(2, connection.close).start()

    found = chain_with(own_vault, lock, when=3)
    assert found['consistency'] == 'snapshot'


def test_termination_in_mid_dump(own_vault):
    """SIGTERM ends the step in order, and the snapshot is kept."""
    def end():
        own_vault.stop(signal.SIGTERM)
        own_vault.start(env=faults.environment(own_vault.data, delay=SLOW))

    assert chain_with(own_vault, end)['restarts'] == 0
