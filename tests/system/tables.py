# SPDX-License-Identifier: MIT
"""Databases: named in a profile, restored with the stock client, compared; and
one in which money moves."""
import contextlib
import random
import shutil
import threading
import time

import pymysql

import trees

PASSWORD = 'Passw0rd-of-the-tests & %3A'


def profile(server, *names, **options):
    """The lines of a profile with databases; as a user of their own, whose
    rights and password are those of somebody's web site."""
    server.sql('CREATE USER IF NOT EXISTS site IDENTIFIED BY '
               f"'{PASSWORD}'; "
               # Or else it does not see the routines of others.
               'GRANT SELECT ON mysql.proc TO site; ' + ''.join(
                   f'GRANT ALL ON `{name}`.* TO site; ' for name in names))
    return ''.join(
        f'database = {server.url(name, "site", PASSWORD, **options)}\n'
        for name in names)


def restore(server, vault, name, copy, record=None):
    """Load what a backup has of a database into a new one."""
    target = vault.folder / 'restored'
    shutil.rmtree(target, ignore_errors=True)
    trees.unpack(vault.parts(record), str(target))
    server.create(copy)
    server.restore(copy, target, name)
    shutil.rmtree(target)


def rows(server, query, db):
    """All rows of a query, with values of Python's types."""
    with contextlib.closing(server.connect(db)) as connection, \
            connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def dump_lines(server, name):
    """All of a database in lines: those of a table without a key come in any
    order."""
    return sorted(server.dump(name).splitlines())


def assert_same(server, name, copy):
    """Two databases are equal, by what mariadb-dump and CHECKSUM TABLE say."""
    assert server.checksums(copy) == server.checksums(name)
    ours, theirs = dump_lines(server, copy), dump_lines(server, name)
    # Not the lines themselves: what pytest makes of them takes minutes.
    differ = [pair for pair in zip(ours, theirs) if pair[0] != pair[1]]
    assert len(ours) == len(theirs) and not differ, differ[:1]


def assert_restored(server, vault, name, record=None):
    """What a backup has of a database is what the server has."""
    copy = f'{name}_restored'
    restore(server, vault, name, copy, record)
    assert_same(server, name, copy)
    server.sql(f'DROP DATABASE `{copy}`')


def of_database(record, name):
    """What a record says of a database."""
    found, = (database for database in record['database_list']
              if database['name'] == name)
    return found


class Bank:
    """Two tables of accounts between which money moves, and others that keep
    book of it: whoever sees them at two instants can tell."""

    KEPT = 500 # rows of the journal
    ACCOUNTS = 1000
    OPENING = 10_000

    def __init__(self, server, name, filler=4_000_000):
        """filler: bytes of rows that do not change, between the others."""
        self.server = server
        self.name = name
        self.moves = 0
        self.stopped = threading.Event()
        self.error = None
        self.thread = None
        server.create(name)
        accounts = ('(id INT PRIMARY KEY, balance BIGINT, '
                    'name VARCHAR(200)) CHARSET=utf8mb4')
        server.sql(
            f'CREATE TABLE a_accounts {accounts}; '
            f'CREATE TABLE z_accounts {accounts}; '
            'CREATE TABLE journal (id BIGINT PRIMARY KEY, amount INT); '
            'CREATE TABLE slips (move BIGINT, amount INT); ' # has no key
            'CREATE TABLE totals (id INT PRIMARY KEY, moves BIGINT, '
            'moved BIGINT); INSERT INTO totals VALUES (1, 0, 0); '
            'CREATE TABLE filler (id INT PRIMARY KEY, data VARBINARY(1000)); '
            'CREATE TABLE keyless (id INT, data VARBINARY(1000)); '
            'INSERT INTO a_accounts SELECT seq, '
            f"{self.OPENING}, CONCAT('Ünïcödé ', seq) FROM "
            f'seq_1_to_{self.ACCOUNTS}; '
            'INSERT INTO z_accounts SELECT * FROM a_accounts; ', name)
        for table, size in (('filler', filler), ('keyless', filler // 4)):
            server.sql(f'INSERT INTO {table} SELECT seq, '
                       "RPAD(UNHEX(SHA2(seq, 512)), 900, UNHEX(MD5(seq))) "
                       f'FROM seq_1_to_{max(1, size // 900)}', name)

    # -- the writer --------------------------------------------------------

    def __enter__(self):
        self.stopped.clear()
        self.error = None
        self.thread = threading.Thread(target=self._write)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()
        assert self.error is None, self.error

    def _write(self):
        rand = random.Random(self.name)
        connection = None
        while not self.stopped.is_set():
            try:
                connection = connection or self.server.connect(self.name)
                self._move(connection, rand)
            except (pymysql.err.OperationalError, OSError) as error:
                # The server was restarted; what it had not committed, it
                # has not.
                connection = None
                if not self.server.may_be_away:
                    self.error = error
                    return
            time.sleep(0.001)

    def _move(self, connection, rand):
        amount = rand.randrange(1, 100)
        connection.begin()
        with connection.cursor() as cursor:
            cursor.execute('SELECT moves + 1 FROM totals FOR UPDATE')
            number, = cursor.fetchone()
            for statement, values in (
                    ('UPDATE a_accounts SET balance = balance - %s '
                     'WHERE id = %s', (amount, rand.randrange(1, 1001))),
                    ('INSERT INTO journal VALUES (%s, %s)', (number, amount)),
                    ('INSERT INTO slips VALUES (%s, %s)', (number, amount)),
                    ('DELETE FROM journal WHERE id = %s',
                     (number - self.KEPT,)),
                    ('UPDATE z_accounts SET balance = balance + %s '
                     'WHERE id = %s', (amount, rand.randrange(1, 1001))),
                    ('UPDATE totals SET moves = %s, moved = moved + %s',
                     (number, amount))):
                cursor.execute(statement, values)
        connection.commit()
        self.moves = number

    # -- what must be right ------------------------------------------------

    def assert_static(self, copy):
        """What was there all the time is there, once."""
        for table in ('filler', 'keyless'):
            checksum = f'CHECKSUM TABLE {table} EXTENDED'
            assert (rows(self.server, checksum, copy)[0][1] ==
                    rows(self.server, checksum, self.name)[0][1]), table
        for table in ('a_accounts', 'z_accounts'):
            query = f'SELECT id, name FROM {table} ORDER BY id'
            assert (rows(self.server, query, copy) ==
                    rows(self.server, query, self.name)), table

    def facts(self, copy):
        """What the tables say of one another."""
        query = '''SELECT
            (SELECT SUM(balance) FROM a_accounts) + (SELECT moved FROM totals),
            (SELECT SUM(balance) FROM z_accounts) - (SELECT moved FROM totals),
            (SELECT MAX(id) FROM journal), (SELECT COUNT(*) FROM journal),
            (SELECT COUNT(*) FROM slips), (SELECT COUNT(DISTINCT move) FROM
            slips), (SELECT SUM(amount) FROM slips),
            (SELECT moves FROM totals), (SELECT moved FROM totals)'''
        (a, z, last, kept, slips, moves, amount, number, moved), = rows(
            self.server, query, copy)
        return {
            'accounts': (int(a), int(z)),
            'journal': (last or 0, kept),
            'slips': (slips, moves, int(amount or 0)),
        }, {
            'accounts': (self.OPENING * self.ACCOUNTS,) * 2,
            'journal': (number, min(number, self.KEPT)),
            'slips': (number, number, moved),
        }

    def assert_consistent(self, copy):
        """All is as it was at one instant."""
        self.assert_static(copy)
        found, expected = self.facts(copy)
        assert found == expected


# -- a database with a bit of everything ------------------------------------

SMALL = r'''
CREATE TABLE posts (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
    title VARCHAR(200), body LONGTEXT, made DATETIME, KEY (made))
    CHARSET=utf8mb4;
INSERT INTO posts SELECT seq, CONCAT('Ünï \'q\' ', seq),
    REPEAT('Zeile\r\n\\ 😀 \0 ', seq %% 40),
    '2024-01-01' + INTERVAL seq MINUTE FROM seq_1_to_%(rows)d;
CREATE TABLE pairs (a INT, b VARBINARY(20), c DOUBLE, PRIMARY KEY (a, b));
INSERT INTO pairs SELECT seq %% 7, UNHEX(MD5(seq)), seq / 3
    FROM seq_1_to_%(rows)d;
CREATE TABLE keyless (n INT, data BLOB);
INSERT INTO keyless SELECT seq %% 50, UNHEX(SHA2(seq %% 50, 512))
    FROM seq_1_to_%(rows)d;
CREATE TABLE plain (id INT PRIMARY KEY, t TEXT) ENGINE=MyISAM;
INSERT INTO plain SELECT seq, seq FROM seq_1_to_100;
CREATE TABLE empty (id INT PRIMARY KEY);
CREATE SEQUENCE numbers START WITH 7;
CREATE VIEW b_view AS SELECT id, title FROM posts WHERE id %% 2 = 0;
CREATE VIEW a_view AS SELECT title FROM b_view;
CREATE TABLE audit (id INT AUTO_INCREMENT PRIMARY KEY, what TEXT);
CREATE TRIGGER noted AFTER INSERT ON posts FOR EACH ROW
    INSERT INTO audit (what) VALUES (NEW.title);
CREATE PROCEDURE hello() SELECT 'hello; -- world';
CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN 2 * n;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01'
    DO DELETE FROM audit;
'''


def make_small(server, name, count=400):
    server.create(name)
    server.sql(SMALL % {'rows': count}, name)
