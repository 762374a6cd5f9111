# SPDX-License-Identifier: MIT
"""Tables that are altered while they are dumped: whoever alters them waits for
a step at most, and the dump is right or begins again."""
import concurrent.futures
import contextlib
import threading
import time

import pytest

import faults
import servers
import tables
import trees

# Each member is long in writing, so that there are many steps of a small
# database.
STEP = 'max = 60ms\ncheckpoint_size = 1M'
SLOW = 'write:15000'
# What nobody waits longer for: of steps of 60 ms, and of machines that are
# slow.
PATIENCE = 10

TABLE = 'm_middle'
OTHERS = ('b_first', 'y_last')
ROWS = {TABLE: 12000, 'b_first': 3000, 'y_last': 3000}


@pytest.fixture
def site(tmp_path):
    return trees.make_site(tmp_path / 'site', files=3)


class Shop:
    """Three tables, of which one is altered when the dump has come to it; and
    a visitor who reads and writes in all of them."""

    def __init__(self, server, vault, name, keyed):
        self.server = server
        self.vault = vault
        self.name = name
        self.stopped = threading.Event()
        self.longest = 0
        self.waited = None
        self.thread = None
        self.ddl = None
        self.ddl_error = None
        server.create(name)
        key = 'PRIMARY KEY' if keyed else 'NOT NULL'
        for table in (*OTHERS, TABLE):
            server.sql(f'CREATE TABLE {table} (id INT {key}, '
                       'data VARBINARY(300), touched INT DEFAULT 0); '
                       f'INSERT INTO {table} (id, data) SELECT seq, '
                       "RPAD(UNHEX(SHA2(seq, 512)), 300, UNHEX(MD5(seq))) "
                       f'FROM seq_1_to_{ROWS[table]}', name)
        self.before = self.content(name)

    # -- where the dump is -------------------------------------------------

    def place(self):
        """'before', 'in' or 'after' the table; None: not in the dump."""
        state = self.vault.state()
        if state is None or state['phase'] != 'dump':
            return None
        spools = [spool.read_bytes() for spool in
                  self.vault.data.glob('jobs/*/objects')]
        at = spools[0].find(TABLE.encode()) if spools else -1
        if at < 0 or state['dump.members'] == 0:
            return None
        line = spools[0].rfind(b'\n', 0, at) + 1
        if state['dump.object'] > line:
            return 'after'
        if state['dump.object'] == line and state['dump.place.rows'] > 0:
            return 'in'
        return 'before'

    # -- others ------------------------------------------------------------

    def visit_site(self):
        """A visitor of the site, all the time; how long the longest wait."""
        connection = self.server.connect(self.name)
        number = 0
        with contextlib.closing(connection), connection.cursor() as cursor:
            while not self.stopped.wait(0.01):
                number += 1
                for table in (*OTHERS, TABLE):
                    begin = time.monotonic()
                    with contextlib.suppress(Exception): # it has gone
                        cursor.execute(f'SELECT COUNT(id) FROM {table} '
                                       f'WHERE id = {number}')
                    self.longest = max(self.longest,
                                       time.monotonic() - begin)

    def alter(self, statements):
        begin = time.monotonic()
        try:
            for statement in statements:
                self.server.sql(statement, self.name)
        except AssertionError as error:
            self.ddl_error = error
        self.waited = time.monotonic() - begin

    def run(self, where, statements, gap=0):
        """A backup during which the table is altered; the record of its
        database.  gap: the client waits for them, so long at most."""
        if where == 'after': # or it would end before
            gap = PATIENCE
        self.vault.start(env=faults.environment(self.vault.data, delay=SLOW))
        self.thread = threading.Thread(target=self.visit_site)
        self.thread.start()

        def look(*_):
            if self.ddl is None and self.place() == where:
                self.ddl = threading.Thread(target=self.alter,
                                            args=(statements,))
                self.ddl.start()
                # Nobody steps meanwhile.
                self.ddl.join(gap)
                assert not gap or self.waited is not None

        try:
            answer = self.vault.chain(visit=look)
            assert answer.text.startswith('200 OK\n'), answer.text
            assert self.ddl is not None, f'the dump was never {where}'
        finally:
            if self.ddl is not None:
                self.ddl.join()
            self.stopped.set()
            self.thread.join()
        assert self.ddl_error is None, self.ddl_error
        assert self.waited < PATIENCE
        assert self.longest < PATIENCE
        return tables.of_database(self.vault.record(), self.name)

    # -- what is right -----------------------------------------------------

    def content(self, name):
        """{table: (columns, checksum)}"""
        sums = self.server.checksums(name)
        return {table: (self.server.sql(f'SHOW COLUMNS FROM {table}', name),
                        sums[table]) for table in sums}

    def assert_right(self):
        """The copy is as the database was before or after."""
        copy = f'{self.name}_copy'
        tables.restore(self.server, self.vault, self.name, copy)
        after = self.content(self.name)
        found = self.content(copy)
        assert found in (self.before, after), (
            set(found.items()) ^ set(after.items()))
        self.server.sql(f'DROP DATABASE {self.name}; DROP DATABASE {copy}')
        return found == self.before, found == after

    def warned(self):
        """What is said of the table."""
        return [warning['reason'] for warning in
                self.vault.record()['warning_list']
                if TABLE in warning['path']]


CREATE = f'CREATE TABLE {TABLE} (id INT PRIMARY KEY, other TEXT)'
CHANGES = {
    'instant': [f'ALTER TABLE {TABLE} ADD COLUMN more INT NOT NULL DEFAULT 7, '
                'ALGORITHM=INSTANT'],
    'first': [f'ALTER TABLE {TABLE} ADD COLUMN more INT NOT NULL DEFAULT 7 '
              'FIRST, ALGORITHM=INSTANT'],
    'rebuild': [f'ALTER TABLE {TABLE} MODIFY data VARBINARY(400) NOT NULL, '
                'ADD COLUMN more INT DEFAULT 8, ALGORITHM=COPY'],
    'force': [f'ALTER TABLE {TABLE} FORCE'],
    'drop-column': [f'ALTER TABLE {TABLE} DROP COLUMN touched'],
    'drop': [f'DROP TABLE {TABLE}'],
    'again': [f'DROP TABLE {TABLE}', CREATE,
              f"INSERT INTO {TABLE} VALUES (1, 'new'), (2, 'other')"],
    'truncate': [f'TRUNCATE TABLE {TABLE}'],
    'rename': [f'RENAME TABLE {TABLE} TO renamed'],
    'swap': [CREATE.replace(TABLE, 'swapped'),
             f'RENAME TABLE {TABLE} TO gone, swapped TO {TABLE}'],
}


@pytest.fixture
def make_shop(server, make_vault, site, request):
    def make(keyed, more='', **settings):
        name = 'shop_' + ''.join(
            c if c.isalnum() else '_'
            for c in f'{request.node.name}{more}')[-50:]
        server.sql(f'CREATE DATABASE IF NOT EXISTS {name}')
        vault = make_vault(site, step=STEP,
                           profile=tables.profile(server, name), **settings)
        return Shop(server, vault, name, keyed)

    return make


def alter(shop, where, change):
    found = shop.run(where, CHANGES[change])
    assert found['consistency'] == 'snapshot'
    is_before, is_after = shop.assert_right()
    if where == 'after':
        # It need not begin again; but people are told.
        assert found['restarts'] == 0
    if is_before and not is_after and change != 'truncate':
        # Which is nothing but the removal of all rows.
        assert shop.warned(), 'the record does not name the table'
    return found['restarts']


@pytest.mark.parametrize('key', ['keyed', 'keyless'])
@pytest.mark.parametrize('where', ['before', 'in', 'after'])
def test_altered(make_shop, where, key):
    """In many ways at a time, each in a database of its own."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        shops = {change: make_shop(key == 'keyed', change.replace('-', '_'))
                 for change in CHANGES}
        ends = {change: pool.submit(alter, shop, where, change)
                for change, shop in shops.items()}
    restarts = []
    for change, end in ends.items():
        print(change)
        restarts.append(end.result())
    # Some may come when the last of the table has just been read.
    assert where != 'in' or sum(restarts) >= 3


@pytest.mark.parametrize('key', ['keyed', 'keyless'])
@pytest.mark.parametrize('where', ['before', 'in', 'after'])
def test_altered_while_no_step_runs(make_shop, where, key):
    """The client pauses, and the companion alone holds the snapshot."""
    shop = make_shop(key == 'keyed')
    found = shop.run(where, CHANGES['rebuild'], gap=PATIENCE)
    assert found['consistency'] == 'snapshot'
    assert shop.waited < PATIENCE / 2
    shop.assert_right()


@pytest.mark.parametrize('where', ['before', 'in', 'after'])
def test_altered_without_a_snapshot(make_shop, where):
    """Piece by piece, and yet no piece of another table."""
    shop = make_shop(True, server='companion = no')
    found = shop.run(where, CHANGES['first'])
    assert found['consistency'] == 'per-chunk'
    shop.assert_right()


def test_altered_behind_another(make_shop):
    """Somebody's open transaction blocks the ALTER TABLE, which blocks all who
    come after it: the dump waits as everybody does, and is not the one to
    blame."""
    shop = make_shop(True)
    connection = shop.server.connect(shop.name)
    connection.begin()
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT COUNT(*) FROM {TABLE}')
    threading.Timer(3, connection.close).start()
    found = shop.run('before', CHANGES['rebuild'])
    assert 2 < shop.waited
    assert found['consistency'] == 'snapshot'
    shop.assert_right()


@pytest.mark.parametrize('key', ['keyed', 'keyless'])
def test_locked_by_another(make_shop, key):
    """LOCK TABLES, in mid-table: it is waited for."""
    shop = make_shop(key == 'keyed')
    found = shop.run('in', [f'LOCK TABLES {TABLE} WRITE; DO SLEEP(2); '
                            'UNLOCK TABLES'])
    assert shop.waited >= 2
    assert found['consistency'] == 'snapshot'
    assert found['restarts'] == 0
    assert shop.assert_right() == (True, True)


# -- web servers --------------------------------------------------------------


@pytest.fixture
def make_host(server):
    with contextlib.ExitStack() as stack:
        def make():
            bank = stack.enter_context(tables.Bank(server, 'bank_of_host'))
            host = stack.enter_context(servers.Host(
                lambda root: trees.make_site(root, files=3),
                step=STEP, slow_data=SLOW,
                profile=tables.profile(server, bank.name)))
            return bank, host

        yield make


def assert_snapshot(bank, vault):
    found = tables.of_database(vault.record(), bank.name)
    assert found['consistency'] == 'snapshot'
    assert found['restarts'] == 0
    copy = f'{bank.name}_copy'
    tables.restore(bank.server, vault, bank.name, copy)
    bank.assert_consistent(copy)


@pytest.mark.parametrize('kind', [servers.Lighttpd, servers.LighttpdCgi,
                                  servers.ApacheFcgid])
def test_web_server_is_restarted(make_host, kind):
    """With the companion alive, and the snapshot kept."""
    bank, host = make_host()
    server = host.serve(kind)
    path = None
    for _ in range(8):
        answer = server.get(path)
        assert answer.status == 302
        path = f'/stepvault/{answer.location}'
    companion = host.vault.companion()
    assert companion
    server.stop()
    assert host.vault.companion() == companion
    server = host.serve(kind)
    assert server.follow(path).text.startswith('200 OK\n')
    assert_snapshot(bank, host.vault)


def test_plain_cgi_answers_at_once(make_host):
    """The companion holds nothing of the request that started it."""
    bank, host = make_host()
    server = host.serve(servers.LighttpdCgi)
    times = []
    path = host.vault.url(server.path)
    for _ in range(1000):
        begin = time.monotonic()
        answer = server.get(path)
        times.append(time.monotonic() - begin)
        if answer.status != 302:
            break
        path = f'/stepvault/{answer.location}'
    assert answer.text.startswith('200 OK\n')
    assert host.vault.companion()
    assert len(times) > 10 and max(times) < PATIENCE
    assert_snapshot(bank, host.vault)
