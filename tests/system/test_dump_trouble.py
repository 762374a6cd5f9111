# SPDX-License-Identifier: MIT
"""What others do to a database while it is dumped, and what the dump does to
them: nobody waits long, and no text is ever wrong."""
import contextlib
import threading
import time

import pymysql
import pytest

from dumper import Dumping, assert_equal, load

ROWS = 3000

# Rests between pieces of a quarter of a table.
SLOWLY = ['-b70000', '-r', '-e0.3']


@pytest.fixture
def bank(server):
    """Two tables with a key and one without."""
    return make_bank(server)


def make_bank(server):
    server.create('bank')
    server.sql(f'''
        CREATE TABLE a (id INT PRIMARY KEY, v INT, w CHAR(80));
        CREATE TABLE b (id INT, v INT, w CHAR(80));
        CREATE TABLE c LIKE a;
        INSERT INTO a SELECT seq, 100, REPEAT('w', 70) FROM seq_1_to_{ROWS};
        INSERT INTO b SELECT * FROM a;
        INSERT INTO c SELECT * FROM a;
        ''', 'bank')
    return server


def make_reader(server, more=''):
    """A user who may only read."""
    server.sql('CREATE OR REPLACE USER reader; GRANT SELECT, SHOW VIEW, '
               f'TRIGGER, EVENT ON bank.* TO reader; {more}')


@contextlib.contextmanager
def session(server, db='bank', **kwargs):
    with contextlib.closing(server.connect(db, **kwargs)) as connection:
        yield connection.cursor()


def timed(cursor, statement):
    began = time.monotonic()
    cursor.execute(statement)
    return time.monotonic() - began


def assert_whole(server, dumped):
    load(server, 'bank_copy', dumped.text)
    assert_equal(server, 'bank', 'bank_copy')


def test_a_locked_table_is_waited_for(bank, tmp_path):
    with session(bank) as other, Dumping(bank, 'bank', tmp_path / 'd') as job:
        other.execute('LOCK TABLES c WRITE')
        time.sleep(3)
        assert job.process.poll() is None
        other.execute('UNLOCK TABLES')
        dumped = job.end()
    assert dumped.waits > 0
    assert_whole(bank, dumped)


def test_a_table_that_was_read_can_be_altered(bank, tmp_path):
    """It neither waits nor disturbs."""
    with session(bank) as other, \
            Dumping(bank, 'bank', tmp_path / 'd', *SLOWLY,
                    tables=['a', 'b']) as job:
        job.wait_for(5)
        assert timed(other, 'ALTER TABLE a ADD x INT') < 2
        job.end()


@pytest.mark.parametrize('statement', [
    'ALTER TABLE a ADD x INT', 'ALTER TABLE a DROP w', 'TRUNCATE TABLE a',
    'DROP TABLE a', 'ALTER TABLE a ADD KEY (v)', "ALTER TABLE a COMMENT 'x'",
    'RENAME TABLE a TO z', 'ALTER TABLE a DROP PRIMARY KEY, ADD KEY (id)'])
@pytest.mark.parametrize('options', [[], ['-n']])
def test_a_table_in_the_middle_can_be_altered(
        bank, tmp_path, statement, options):
    """Its reader is told, one piece later or at its end."""
    with session(bank) as other, \
            Dumping(bank, 'bank', tmp_path / 'd', *SLOWLY, *options,
                    tables=['a']) as job:
        job.wait_for(2)
        assert timed(other, statement) < 2
        if options and statement.startswith('TRUNCATE'):
            job.end() # each piece sees what there is
            return
        report = job.end(3)
    assert ' a' in report


@pytest.mark.parametrize('statement,sees_all', [
    ('ALTER TABLE b ADD x INT', True), ('TRUNCATE b', True),
    ('LOCK TABLES b WRITE', True), ('OPTIMIZE TABLE b', True),
    ('FLUSH TABLES WITH READ LOCK', True), ('LOCK TABLES b WRITE', False),
    ('ALTER TABLE b FORCE, ALGORITHM=COPY', False), ('DROP TABLE b', False)])
def test_rows_without_a_key_give_way(bank, tmp_path, statement, sees_all):
    """They come from one statement that goes on between the steps, and yet
    nobody waits long, seen or unseen."""
    make_reader(bank)
    with session(bank) as other, Dumping(
            bank, 'bank', tmp_path / 'd', '-b70000', '-r', '-e7',
            tables=['b'], user='root' if sees_all else 'reader') as job:
        job.wait_for(1)
        assert timed(other, statement) < 3


@pytest.mark.parametrize('statement', [
    'LOCK TABLES b WRITE', 'FLUSH TABLES WITH READ LOCK', 'FLUSH TABLES b'])
def test_rows_that_gave_way_are_read_on(bank, tmp_path, statement):
    with session(bank) as other, Dumping(
            bank, 'bank', tmp_path / 'd', '-b70000', '-r', '-e1.2',
            tables=['a', 'b']) as job:
        job.wait_for(6)
        assert timed(other, statement) < 3
        time.sleep(1)
        other.execute('UNLOCK TABLES')
        dumped = job.end()
    load(bank, 'bank_copy', dumped.text)
    for table in 'a', 'b':
        assert len({bank.sql(f'CHECKSUM TABLE {table}', db).split('\t')[1]
                    for db in ('bank', 'bank_copy')}) == 1


def connections(server):
    """Numbers of the dump's connections, the oldest first."""
    return [int(line) for line in server.sql(
        "SELECT id FROM information_schema.processlist WHERE db = 'bank' "
        "AND info IS NULL OR info LIKE 'SELECT SQL_NO_CACHE%' ORDER BY id"
    ).splitlines()]


@pytest.mark.parametrize('table', ['a', 'b'])
def test_a_killed_query_is_asked_again(bank, tmp_path, table):
    with Dumping(bank, 'bank', tmp_path / 'd', '-b10000', '-r', '-e0.1',
                 tables=[table]) as job, session(bank, None) as other:
        job.wait_for(2)
        for _ in range(30):
            for number in connections(bank):
                with contextlib.suppress(pymysql.Error):
                    other.execute(f'KILL QUERY {number}')
        dumped = job.end()
    load(bank, 'bank_copy', dumped.text)
    for db in 'bank', 'bank_copy':
        assert bank.sql(f'SELECT COUNT(*), SUM(id) FROM {table}', db) == (
            f'{ROWS}\t{ROWS * (ROWS + 1) // 2}\n')


@pytest.mark.parametrize('table', ['a', 'b'])
@pytest.mark.parametrize('options', [[], ['-n']])
def test_a_killed_connection_is_noticed(bank, tmp_path, table, options):
    with Dumping(bank, 'bank', tmp_path / 'd', *SLOWLY, *options,
                 tables=[table]) as job, session(bank, None) as other:
        job.wait_for(2)
        for number in connections(bank):
            with contextlib.suppress(pymysql.Error):
                other.execute(f'KILL {number}')
        if options and table == 'b':
            job.end() # it was read in one go, perhaps before
        else:
            assert 'lost' in job.end(3)


def transfer(server, stop):
    """Move money about, also between the tables."""
    with session(server) as cursor:
        number = 0
        while not stop.is_set():
            number = number * 7 % ROWS + 1
            cursor.execute('BEGIN')
            cursor.execute(f'UPDATE a SET v = v - 1 WHERE id = {number}')
            cursor.execute(f'UPDATE b SET v = v + 1 WHERE id = {ROWS - number}'
                           ' LIMIT 1')
            cursor.execute(f'UPDATE c SET v = v + IF(ROW_COUNT() = 1, 0, 1) '
                           f'WHERE id = {number}')
            cursor.execute('COMMIT')


def test_the_sum_is_right(bank, tmp_path):
    """All of it is one moment, however long it takes."""
    stop = threading.Event()
    writer = threading.Thread(target=transfer, args=(bank, stop))
    writer.start()
    try:
        while bank.sql('SELECT COUNT(*) FROM a WHERE v = 100', 'bank') == (
                f'{ROWS}\n'):
            time.sleep(0.05)
        with Dumping(bank, 'bank', tmp_path / 'd', '-b70000', '-r',
                     '-e0.1') as job:
            dumped = job.end()
    finally:
        stop.set()
        writer.join()
    load(bank, 'bank_copy', dumped.text)
    sums = [int(value) for value in bank.sql(
        'SELECT SUM(v) FROM a; SELECT SUM(v) FROM b; SELECT SUM(v) FROM c',
        'bank_copy').split()]
    assert sum(sums) == 300 * ROWS
    assert sums != [100 * ROWS] * 3


def churn(server, stop):
    """Rows of odd numbers come and go; the others stay."""
    with session(server) as cursor:
        number = 1
        while not stop.is_set():
            number = number * 7 % (2 * ROWS) | 1
            cursor.execute(f'DELETE FROM a WHERE id = {number}')
            cursor.execute('INSERT INTO a VALUES (%s, 1, %s)',
                           (number, 'x' * (number % 80)))


def test_what_stays_is_read_once_without_a_snapshot(bank, tmp_path):
    bank.sql('UPDATE a SET id = id * 2 ORDER BY id DESC', 'bank')
    stop = threading.Event()
    writer = threading.Thread(target=churn, args=(bank, stop))
    writer.start()
    try:
        with Dumping(bank, 'bank', tmp_path / 'd', '-n', '-b9000', '-r',
                     '-e0.1', tables=['a']) as job:
            dumped = job.end()
    finally:
        stop.set()
        writer.join()
    load(bank, 'bank_copy', dumped.text)
    assert bank.sql('SELECT COUNT(*), SUM(id) FROM a WHERE id % 2 = 0',
                    'bank_copy') == f'{ROWS}\t{ROWS * (ROWS + 1)}\n'


@pytest.mark.parametrize('user', ['root', 'reader'])
def test_a_server_with_a_binary_log(make_server, tmp_path, user):
    """It lets go of tables only if the log may be left out; else the snapshot
    ends for who waits."""
    server = make_bank(make_server(log_bin='log', server_id='1'))
    make_reader(server, 'GRANT PROCESS ON *.* TO reader')
    with session(server) as other, Dumping(
            server, 'bank', tmp_path / 'd', *SLOWLY, user=user) as job:
        job.wait_for(6)
        assert timed(other, 'ALTER TABLE a ADD x INT') < 3
        if user == 'root':
            job.end()
        else:
            assert 'given up' in job.end(3)
