# SPDX-License-Identifier: MIT
"""What of a database is dumped and in which order; what is left out, and who
is told; what the user of the database may not read."""
import contextlib
import re
import subprocess
import threading
import time

import pytest

import trees
from dumper import dump
from mariadb import CLIENT, Mariadb
from schemas import describe

EVERYTHING = '''
CREATE TABLE zebra (id INT PRIMARY KEY, v INT);
CREATE TABLE aardvark (id INT PRIMARY KEY, v INT);
INSERT INTO zebra VALUES (1, 10), (2, 20);
INSERT INTO aardvark VALUES (1, 11);
CREATE SEQUENCE numbers;
CREATE FUNCTION twice(n INT) RETURNS INT RETURN n * 2;
CREATE PROCEDURE nothing() BEGIN END;
SET sql_mode = 'ORACLE';
EXECUTE IMMEDIATE 'CREATE PACKAGE box AS FUNCTION f RETURN INT; END';
EXECUTE IMMEDIATE 'CREATE PACKAGE BODY box AS FUNCTION f RETURN INT AS
  BEGIN RETURN 1; END; END';
SET sql_mode = DEFAULT;
CREATE VIEW v_b AS SELECT id, twice(v) AS v FROM zebra;
CREATE VIEW v_c AS SELECT * FROM aardvark;
CREATE VIEW v_a AS SELECT b.id, c.v FROM v_b b JOIN v_c c USING (id);
CREATE TRIGGER t_b BEFORE UPDATE ON zebra FOR EACH ROW SET NEW.v = 1;
CREATE TRIGGER t_a BEFORE UPDATE ON zebra FOR EACH ROW SET NEW.v = 2;
CREATE TRIGGER t_0 AFTER DELETE ON aardvark FOR EACH ROW SET @x = 1;
CREATE EVENT at_night ON SCHEDULE EVERY 1 DAY DISABLE DO SET @x = 1;
'''


@pytest.fixture
def shop(server):
    server.sql('DROP DATABASE IF EXISTS shop; CREATE DATABASE shop')
    server.sql(EVERYTHING, 'shop')
    yield server
    server.sql('DROP DATABASE shop')


class Dumped:
    """What a backup has of the only database of its profile."""

    def __init__(self, vault, folder):
        self.record = vault.record()
        trees.unpack(vault.parts(), str(folder))
        self.files = sorted(folder.glob('databases/*/*.sql'))
        self.members = [re.sub(r'^\d+-|\.sql$', '', file.name)
                        for file in self.files]
        self.text = b''.join(file.read_bytes() for file in self.files)
        self.notes = {}
        for line in vault.log().splitlines():
            found = re.search(r'warning: databases/[^/]+/([^:]*): (.*)', line)
            if found:
                self.notes.setdefault(found[1], []).append(found[2])

    def load(self, server, db, user='root'):
        """By the stock client, all in one go."""
        server.create(db)
        subprocess.run(
            [*CLIENT, f'--socket={server.socket}', f'--user={user}', db],
            input=self.text, stdout=subprocess.PIPE, check=True)


@pytest.fixture
def backup(make_vault, tmp_path):
    """Back a database up; what is in the backup."""
    site = tmp_path / 'site'
    site.mkdir()

    def make(server, db='shop', profile='', check=True, **who):
        vault = make_vault(site, profile=(
            f'database = {server.url(db, **who)}\n{profile}'))
        result = vault.cli('run', check=check)
        if not check:
            return result
        return Dumped(vault, vault.folder / 'unpacked')

    return make


def objects(server, db):
    """The names of all that there is in a database."""
    return {key for key in describe(server, db) if key[0] == 'SHOW'}


# -- the order ----------------------------------------------------------------

def test_all_is_dumped_in_the_order_of_loading(shop, backup):
    dumped = backup(shop)
    assert dumped.members == [
        'database-shop', 'sequence-numbers', 'table-aardvark', 'table-zebra',
        'procedure-nothing', 'package-box', 'package-body-box',
        # What views need, then these: bases before those that stand on them.
        'standin-twice', 'placeholder-v_b', 'placeholder-v_c',
        'placeholder-v_a',
        # As they are, from the other end.
        'view-v_a', 'view-v_c', 'view-v_b', 'function-twice',
        # By table, time and order, not by name.
        'trigger-t_0', 'trigger-t_b', 'trigger-t_a', 'event-at_night']
    assert not dumped.notes
    dumped.load(shop, 'copy')
    assert objects(shop, 'copy') == objects(shop, 'shop')


def test_an_empty_database(server, backup):
    server.sql('CREATE DATABASE bare CHARACTER SET greek')
    dumped = backup(server, 'bare')
    assert dumped.members == ['database-bare']
    dumped.load(server, 'copy')
    assert server.sql('SELECT @@character_set_database', 'copy') == 'greek\n'


def test_names_that_differ_only_by_case(server, backup):
    for db, zone in (('Twin', '+01:00'), ('twin', '+02:00')):
        server.create(db)
        server.sql(f"""
            ALTER DATABASE COMMENT 'of {db}';
            CREATE TABLE t (a INT); CREATE TABLE T (b INT);
            CREATE VIEW v AS SELECT a FROM t; CREATE VIEW V AS SELECT b FROM T;
            CREATE VIEW w AS SELECT v.a, V.b FROM v JOIN V;
            CREATE PROCEDURE {db}_only() COMMENT '{db}' BEGIN END;
            CREATE PROCEDURE p() COMMENT '{db}' BEGIN END;
            SET time_zone = '{zone}';
            CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE COMMENT '{db}'
              DO SET @x = 1""", db)
    for db in ('Twin', 'twin'):
        dumped = backup(server, db)
        assert f'procedure-{db}_only' in dumped.members
        dumped.load(server, 'copy')
        assert objects(server, 'copy') == objects(server, db)
        assert f"COMMENT 'of {db}'" in server.sql('SHOW CREATE DATABASE copy')
        for what in ('VIEW w', 'PROCEDURE p', 'EVENT e'):
            assert server.sql(f'SHOW CREATE {what}', 'copy') == (
                server.sql(f'SHOW CREATE {what}', db))


def test_views_with_checks_keep_what_they_are(server, backup):
    """Loaded before what they stand on, they would lose it."""
    server.create('checks')
    server.sql('''
        CREATE TABLE t (a INT);
        CREATE VIEW z AS SELECT * FROM t WHERE a > 0;
        CREATE ALGORITHM=MERGE VIEW a AS SELECT * FROM z WHERE a < 9
          WITH CASCADED CHECK OPTION;''', 'checks')
    dumped = backup(server, 'checks')
    dumped.load(server, 'copy')
    for db in ('checks', 'copy'):
        assert 'ALGORITHM=MERGE' in server.sql('SHOW CREATE VIEW a', db)
        assert 'CASCADED' in server.sql('SHOW CREATE VIEW a', db)


def test_a_sequence_goes_on_where_it_was(server, backup):
    server.create('sequences')
    server.sql('CREATE SEQUENCE s INCREMENT BY 3 CACHE 5 MAXVALUE 100 CYCLE; '
               'DO NEXTVAL(s), NEXTVAL(s); '
               'CREATE SEQUENCE spent MAXVALUE 2 NOCACHE; '
               'DO NEXTVAL(spent), NEXTVAL(spent)', 'sequences')
    backup(server, 'sequences').load(server, 'copy')
    # What the cache of the server had not yet given out is lost.
    assert server.sql('SELECT NEXTVAL(s), NEXTVAL(s)', 'copy') == '16\t19\n'
    with pytest.raises(AssertionError, match='has run out'):
        server.sql('SELECT NEXTVAL(spent)', 'copy')


# -- what is left out ---------------------------------------------------------

def test_excluded_tables(shop, backup):
    dumped = backup(shop, profile='exclude_table = z*\n')
    assert 'table-zebra' not in dumped.members
    assert 'table-aardvark' in dumped.members
    # Nobody who excludes it can expect these.
    for member in ('view-v_b', 'placeholder-v_b', 'view-v_a', 'trigger-t_a',
                   'trigger-t_b'):
        assert member not in dumped.members
    assert dumped.notes == {
        'v_b': ['is a view of zebra, which is excluded; left out'],
        'v_a': ['is a view of v_b, which is left out; left out'],
        't_a': ['is a trigger of the table zebra, which is excluded; left '
                'out'],
        't_b': ['is a trigger of the table zebra, which is excluded; left '
                'out']}
    dumped.load(shop, 'copy')
    assert shop.sql('SELECT * FROM v_c', 'copy') == '1\t11\n'


def test_excluded_views(shop, backup):
    dumped = backup(shop, profile=(
        'exclude_table = shop.v_b\nexclude_table = other.v_c\n'))
    assert 'view-v_c' in dumped.members
    assert not {'view-v_b', 'view-v_a', 'placeholder-v_b'} & set(
        dumped.members)
    assert dumped.notes == {
        'v_a': ['is a view of v_b, which is excluded; left out']}
    dumped.load(shop, 'copy')


def test_sequences_are_no_tables(shop, backup):
    """Else what takes its numbers from one could not be loaded."""
    shop.sql('CREATE TABLE numbered (id INT DEFAULT NEXTVAL(numbers))', 'shop')
    dumped = backup(shop, profile='exclude_table = numbers\n')
    assert 'sequence-numbers' in dumped.members
    dumped.load(shop, 'copy')


def test_excluded_rows(shop, backup):
    dumped = backup(shop, profile='exclude_data = shop.z*\n')
    assert not dumped.notes
    dumped.load(shop, 'copy')
    assert shop.sql('SELECT COUNT(*) FROM zebra', 'copy') == '0\n'
    assert shop.sql('SELECT COUNT(*) FROM aardvark', 'copy') == '1\n'
    assert shop.sql('SHOW TRIGGERS', 'copy').count('\n') == 3


def test_views_that_do_not_work(server, backup):
    server.create('broken')
    server.sql('''
        CREATE TABLE gone (a INT); CREATE TABLE half (a INT, b INT);
        CREATE VIEW one AS SELECT * FROM gone;
        CREATE VIEW a_two AS SELECT * FROM one;
        CREATE VIEW three AS SELECT b FROM half;
        CREATE VIEW fine AS SELECT a FROM half;
        DROP TABLE gone; ALTER TABLE half DROP COLUMN b''', 'broken')
    dumped = backup(server, 'broken')
    assert dumped.members == ['database-broken', 'table-half',
                              'placeholder-fine', 'view-fine']
    assert dumped.notes.keys() == {'one', 'a_two', 'three'}
    assert all('does not work' in note for notes in dumped.notes.values()
               for note in notes)
    dumped.load(server, 'copy')


def test_views_of_other_databases(server, make_server, backup):
    server.create('here', 'there')
    server.sql('''
        CREATE TABLE there.t (a INT); INSERT INTO there.t VALUES (5);
        CREATE FUNCTION there.f() RETURNS INT RETURN 6;
        CREATE TABLE own (a INT); INSERT INTO own VALUES (7);
        CREATE VIEW v AS SELECT own.a, there.f() AS f, x.a AS b
          FROM own, there.t AS x;
        CREATE VIEW w AS SELECT * FROM v;
        CREATE VIEW x AS SELECT table_name FROM information_schema.tables;
        CREATE TRIGGER last BEFORE INSERT ON own FOR EACH ROW SET @x = 1''',
               'here')
    dumped = backup(server, 'here')
    assert dumped.notes == {
        'v': ['is a view of other databases (there.f, there.t): where one of '
              'these is missing, it is loaded as a view without rows']}
    dumped.load(server, 'copy')
    assert server.sql('SELECT * FROM w', 'copy') == '7\t6\t5\n'
    # Where it is missing, that does not keep the rest from being loaded.
    other = make_server()
    dumped.load(other, 'here')
    assert other.sql('SELECT * FROM w', 'here') == ''
    assert other.sql('SELECT trigger_name FROM information_schema.triggers '
                     "WHERE trigger_schema = 'here'") == 'last\n'
    other.create('there')
    other.sql('CREATE TABLE there.t (a INT); INSERT INTO there.t VALUES (8); '
              'CREATE FUNCTION there.f() RETURNS INT RETURN 9')
    dumped.load(other, 'here')
    assert other.sql('SELECT * FROM w', 'here') == '7\t9\t8\n'


def test_engines(server, backup):
    server.create('engines')
    with contextlib.suppress(AssertionError):
        server.sql("INSTALL SONAME 'ha_blackhole'")
        server.sql("INSTALL SONAME 'ha_archive'")
    server.sql('''
        CREATE TABLE a (a INT) ENGINE=InnoDB; CREATE TABLE b (a INT)
        ENGINE=MyISAM; CREATE TABLE c (a INT NOT NULL) ENGINE=CSV;
        CREATE TABLE d (a INT) ENGINE=MERGE UNION=(b);
        CREATE TABLE e (a INT) ENGINE=BLACKHOLE;
        CREATE TABLE f (a INT) ENGINE=ARCHIVE;
        CREATE TABLE g (a INT) ENGINE=MyISAM;
        CREATE TABLE h (a INT) WITH SYSTEM VERSIONING;
        INSERT INTO b VALUES (1); INSERT INTO f VALUES (2)''', 'engines')
    dumped = backup(server, 'engines', profile='exclude_data = g\n')
    uncovered = ('is of engine {}, which no snapshot covers: its rows are as '
                 'they were when they were read')
    rowless = ('is of engine {}, which has no rows of its own: only its '
               'structure is in the backup')
    assert dumped.notes == {
        'b': [uncovered.format('MyISAM')], 'c': [uncovered.format('CSV')],
        'd': [rowless.format('MRG_MyISAM')], 'e': [rowless.format('BLACKHOLE')],
        'f': [uncovered.format('ARCHIVE')],
        'h': ['is system-versioned: its rows are in the backup as they are '
              'now, without their history']}
    dumped.load(server, 'copy')
    assert server.sql('SELECT * FROM d', 'copy') == '1\n'
    assert server.sql('SELECT * FROM f', 'copy') == '2\n'


# -- privileges ---------------------------------------------------------------

LACKS = ('the database user lacks the privilege {}: {}, if there are any, are '
         'not in the backup')


def granted(server, *grants):
    """A user who may only that."""
    server.sql("DROP USER IF EXISTS reader; CREATE USER reader IDENTIFIED BY "
               f"'{PASSWORD}'; " + ''.join(f'{grant}; ' for grant in grants))
    return {'user': 'reader', 'password': PASSWORD}


PASSWORD = 'not a secret'


def test_all_rights_on_the_database(shop, backup):
    """Which is what users of web sites have: nothing is missing, but for what
    others have made."""
    shop.sql("CREATE FUNCTION own(n INT) RETURNS INT RETURN twice(n); "
             'CREATE VIEW v_own AS SELECT own(1) AS one', 'shop')
    who = granted(shop, 'GRANT ALL ON shop.* TO reader')
    shop.sql("UPDATE mysql.proc SET definer = 'reader@%' WHERE name = 'own'")
    dumped = backup(shop, **who)
    unread = ('is a {} of another user\'s making, whose text the database user '
              'may not read; left out')
    assert dumped.notes == {
        'twice': [unread.format('function')],
        'nothing': [unread.format('procedure')],
        'box': [unread.format('package'), unread.format('package-body')],
        'v_b': ['is a view of twice, which is left out; left out'],
        'v_a': ['is a view of v_b, which is left out; left out']}
    assert 'function-own' in dumped.members
    dumped.load(shop, 'copy')
    assert shop.sql('SELECT * FROM v_c', 'copy') == '1\t11\n'


@pytest.mark.parametrize('grant', [
    'GRANT SELECT ON mysql.proc TO reader', 'GRANT SELECT ON *.* TO reader',
    'GRANT SELECT ON `mysq_`.* TO reader'])
def test_rights_to_read_all_routines(shop, backup, grant):
    who = granted(shop, 'GRANT ALL ON shop.* TO reader', grant)
    dumped = backup(shop, **who)
    assert not dumped.notes
    assert 'package-body-box' in dumped.members


def test_rights_to_read_only(shop, backup):
    who = granted(shop, 'GRANT SELECT ON shop.* TO reader')
    dumped = backup(shop, **who)
    assert dumped.notes == {
        'shop': [LACKS.format('TRIGGER', 'its triggers'),
                 LACKS.format('EVENT', 'its events'),
                 LACKS.format('EXECUTE', 'its functions and procedures')],
        **{view: ['is a view that the database user may not read: it lacks '
                  'SELECT or SHOW VIEW; left out']
           for view in ('v_a', 'v_b', 'v_c')}}
    assert [m for m in dumped.members if not m.startswith(
        ('database', 'sequence', 'table'))] == []
    dumped.load(shop, 'copy')


@pytest.mark.parametrize('grants', [
    ['GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON `sh%`.* TO reader'],
    ['GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON `s\\_op`.* TO reader',
     'GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON *.* TO reader'],
    ['GRANT r_one TO reader', 'SET DEFAULT ROLE r_one FOR reader'],
    ['GRANT r_two TO reader', 'SET DEFAULT ROLE r_two FOR reader'],
    ['GRANT SELECT ON shop.* TO PUBLIC',
     'GRANT SHOW VIEW, TRIGGER, EVENT, EXECUTE ON shop.* TO reader']])
def test_rights_by_patterns_and_roles(shop, backup, grants):
    shop.sql('''
        CREATE OR REPLACE ROLE r_one; CREATE OR REPLACE ROLE r_two;
        GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON shop.* TO r_one;
        GRANT r_one TO r_two''')
    try:
        dumped = backup(shop, **granted(shop, *grants))
    finally:
        if any('PUBLIC' in grant for grant in grants):
            shop.sql('REVOKE ALL ON shop.* FROM PUBLIC')
    assert 'shop' not in dumped.notes
    assert {'trigger-t_a', 'event-at_night', 'view-v_c'} <= set(dumped.members)


def test_a_right_that_is_one_of_another_database(shop, backup):
    """An underscore that stands for itself."""
    shop.sql('CREATE DATABASE s_op')
    who = granted(shop, 'GRANT SELECT ON shop.* TO reader',
                  'GRANT ALL ON `s\\_op`.* TO reader')
    try:
        assert 'shop' in backup(shop, **who).notes
    finally:
        shop.sql('DROP DATABASE s_op')


def test_rights_on_single_tables(shop, backup):
    who = granted(shop, 'GRANT SELECT, TRIGGER ON shop.zebra TO reader',
                  'GRANT SELECT, SHOW VIEW ON shop.v_c TO reader')
    dumped = backup(shop, **who)
    assert ('the database user has SELECT on single tables only: others, if '
            'there are any, are not in the backup') in dumped.notes['shop']
    assert {'table-zebra', 'trigger-t_a', 'view-v_c'} <= set(dumped.members)
    assert 'table-aardvark' not in dumped.members


@pytest.mark.parametrize('grant', [
    'INSERT ON shop.aardvark', 'SELECT (id) ON shop.aardvark'])
def test_a_table_that_must_not_be_read(shop, backup, grant):
    """Never a complete backup with rows missing."""
    who = granted(shop, 'GRANT SELECT ON shop.zebra TO reader',
                  f'GRANT {grant} TO reader')
    result = backup(shop, check=False, **who)
    assert result.returncode != 0
    assert 'aardvark' in result.stderr
    assert 'SELECT' in result.stderr
    # Unless somebody says that it is not wanted.
    dumped = backup(shop, profile='exclude_table = aardvark\n', **who)
    assert 'table-zebra' in dumped.members


# -- whose they are -----------------------------------------------------------

def test_definers_are_kept(shop, backup):
    shop.sql("CREATE DEFINER=`o'wner`@`%.example.org` VIEW owned AS SELECT 1; "
             "CREATE DEFINER=`o'wner` SQL SECURITY INVOKER VIEW invoked AS "
             "SELECT 1; CREATE DEFINER=nobody PROCEDURE theirs() BEGIN END",
             'shop')
    dumped = backup(shop)
    dumped.load(shop, 'copy')
    wanted, found = describe(shop, 'shop'), describe(shop, 'copy')
    for key, row in wanted.items():
        if key[0] == 'SHOW' and key[1] != 'TABLE':
            assert found[key] == row


def test_definers_that_do_not_exist_where_it_is_loaded(server, make_server,
                                                       backup):
    """No view could be made on one of theirs."""
    server.create('moved')
    server.sql('''
        CREATE USER IF NOT EXISTS old; GRANT ALL ON moved.* TO old;
        CREATE TABLE t (a INT); INSERT INTO t VALUES (1);
        CREATE DEFINER=old FUNCTION f(n INT) RETURNS INT RETURN n + 1;
        CREATE DEFINER=old VIEW b AS SELECT f(a) AS a FROM t;
        CREATE DEFINER=old VIEW a AS SELECT a, f(a) AS b FROM b;
        CREATE VIEW c AS SELECT a.a, b.a AS b FROM a JOIN b;
        CREATE DEFINER=old TRIGGER t BEFORE INSERT ON t FOR EACH ROW
          SET NEW.a = f(1);
        CREATE DEFINER=old EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO
          SET @x = 1''', 'moved')
    dumped = backup(server, 'moved')
    other = make_server()
    dumped.load(other, 'moved')
    assert objects(other, 'moved') == objects(server, 'moved')
    assert 'DEFINER=`old`' in other.sql('SHOW CREATE VIEW a', 'moved')
    other.sql('CREATE USER old; GRANT ALL ON moved.* TO old')
    assert describe(other, 'moved') == describe(server, 'moved')
    assert other.sql('SELECT * FROM c', 'moved') == '2\t2\n'
    # And all over again, on what is there.
    other.sql('DROP USER old')
    for file in dumped.files:
        other.load('moved', file)


def test_definers_are_dropped(shop, backup, make_server):
    """So that who is no administrator can load it, and owns it then."""
    shop.sql('SET GLOBAL log_bin_trust_function_creators = 1; CREATE '
             'DEFINER=`o"w``ner`@localhost SQL SECURITY INVOKER VIEW v_s AS '
             'SELECT 1; CREATE DEFINER=`DEFINER=x`@`a b` SQL SECURITY DEFINER '
             "VIEW v_t AS SELECT 'DEFINER=`x`@`y` ' AS `DEFINER=``z``@``z`` x`; "
             "CREATE DEFINER=nobody FUNCTION `DEFINER=x`() RETURNS INT "
             "COMMENT 'DEFINER=y' RETURN 1", 'shop')
    dumped = backup(shop, profile='definers = drop\n')
    other = make_server()
    other.create('copy')
    other.sql("CREATE USER owner IDENTIFIED BY 'x'; GRANT ALL ON copy.* TO "
              'owner')
    subprocess.run([*CLIENT, f'--socket={other.socket}', '--user=owner',
                    '--password=x', 'copy'], input=dumped.text, check=True)
    assert objects(other, 'copy') == objects(shop, 'shop')
    for table, schema in (('views', 'table_schema'),
                          ('triggers', 'trigger_schema'),
                          ('events', 'event_schema'),
                          ('routines', 'routine_schema')):
        assert set(other.sql(f'SELECT definer FROM information_schema.{table} '
                             f"WHERE {schema} = 'copy'").split()) == {'owner@%'}
    assert other.sql('SELECT security_type FROM information_schema.views WHERE '
                     "table_name IN ('v_s', 'v_t') ORDER BY table_name") == (
                         'INVOKER\nDEFINER\n')
    assert other.sql('SELECT * FROM v_t', 'copy') == 'DEFINER=`x`@`y` \n'


# -- events -------------------------------------------------------------------

def test_events_are_loaded_as_they_were(server, make_server, backup):
    server.create('plan')
    server.sql('''
        CREATE TABLE ran (what TEXT);
        SET timestamp = UNIX_TIMESTAMP('2006-01-01');
        CREATE EVENT past ON SCHEDULE AT '2007-01-01' DISABLE
          DO INSERT INTO ran VALUES ('past');
        CREATE EVENT past_slave ON SCHEDULE AT '2007-01-01' DISABLE ON SLAVE
          DO INSERT INTO ran VALUES ('past_slave');
        SET timestamp = DEFAULT;
        CREATE EVENT off ON SCHEDULE EVERY 1 SECOND DISABLE
          DO INSERT INTO ran VALUES ('off');
        CREATE EVENT future ON SCHEDULE EVERY 1 SECOND STARTS '2036-01-01'
          DO INSERT INTO ran VALUES ('future');
        CREATE EVENT on_time ON SCHEDULE EVERY 1 SECOND
          DO INSERT INTO ran VALUES ('on_time')''', 'plan')
    dumped = backup(server, 'plan')
    other = make_server(event_scheduler='ON')
    dumped.load(other, 'plan')
    for _ in range(600):
        if other.sql('SELECT DISTINCT what FROM ran', 'plan'):
            break
        time.sleep(0.05)
    assert other.sql('SELECT DISTINCT what FROM ran', 'plan') == 'on_time\n'
    for key, row in describe(server, 'plan').items():
        if 'EVENT' in key[0]:
            # What never ran is no other than it was.
            assert describe(other, 'plan')[key] == row
    # The clock of the session that loaded it is right again.
    text = dumped.text.decode() + 'SELECT UNIX_TIMESTAMP() - UNIX_TIMESTAMP('
    said = subprocess.run(
        [*CLIENT, f'--socket={other.socket}', '-uroot', '-N', 'plan'],
        input=(text + 'SYSDATE())').encode(), check=True,
        stdout=subprocess.PIPE).stdout
    assert abs(int(said)) < 10


def test_time_zones_that_only_one_server_knows(server, make_server, backup):
    server.sql('''
        INSERT INTO mysql.time_zone VALUES (1, 'N');
        INSERT INTO mysql.time_zone_name VALUES ('Half', 1);
        INSERT INTO mysql.time_zone_transition_type VALUES
          (1, 0, 12600, 0, 'HLF')''')
    server.restart()
    server.create('zones')
    server.sql("SET time_zone = 'Half'; CREATE EVENT e ON SCHEDULE "
               "EVERY 1 DAY STARTS '2034-05-06 07:08:09' DISABLE DO SET @x = 1",
               'zones')
    dumped = backup(server, 'zones')
    dumped.load(server, 'copy')
    assert server.sql('SHOW CREATE EVENT e', 'copy') == (
        server.sql('SHOW CREATE EVENT e', 'zones'))
    other = make_server()
    dumped.load(other, 'zones')
    assert other.sql('SELECT time_zone, starts FROM information_schema.events',
                     'zones') == '+03:30\t2034-05-06 07:08:09\n'


# -- what others do meanwhile -------------------------------------------------

def test_a_table_that_is_being_altered_is_waited_for(shop):
    """The server would leave it out of what it answers, and say nothing."""
    held = threading.Event()

    def hold():
        with contextlib.closing(shop.connect('shop')) as connection, \
                connection.cursor() as cursor:
            cursor.execute('LOCK TABLES zebra WRITE')
            held.set()
            time.sleep(2.5)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    dumped = dump(shop, 'shop')
    holder.join()
    assert dumped.waits > 0
    for word in (b'VIEW `v_b`', b'TRIGGER t_a', b'INSERT INTO `zebra`'):
        assert word in dumped.text


def test_what_is_made_altered_and_removed_meanwhile(shop, make_vault, tmp_path):
    (tmp_path / 'site').mkdir()
    vault = make_vault(tmp_path / 'site', step='max = 200ms\n', profile=(
        f'database = {shop.url("shop")}\n'))
    # Enough of them for several steps, between the first and the last.
    with contextlib.closing(shop.connect('shop')) as connection, \
            connection.cursor() as cursor:
        for number in range(800):
            cursor.execute(f'CREATE TABLE m{number} (a INT PRIMARY KEY)')
    done = []

    def meddle(_, answer):
        # It has been listed, and not all of it was read.
        if done or ' objects, about ' not in vault.log():
            return
        assert answer.status == 302
        done.append(answer)
        shop.sql('CREATE TABLE new (a INT); DROP EVENT at_night; '
                 'ALTER TABLE aardvark ADD COLUMN c INT; '
                 'CREATE OR REPLACE VIEW v_c AS SELECT 1 AS id, 2 AS v; '
                 'CREATE OR REPLACE PROCEDURE nothing() SET @x = 1; '
                 'CREATE TRIGGER t_00 BEFORE UPDATE ON zebra FOR EACH ROW '
                 'PRECEDES t_b SET @x = 3', 'shop')

    with vault.start():
        assert vault.chain(visit=meddle).status == 200
    assert done
    log = vault.log()
    for name, what in (('new', 'table was made'), ('t_00', 'trigger was made'),
                       ('at_night', 'event was removed'),
                       ('aardvark', 'table was altered'),
                       ('v_c', 'view was altered'),
                       ('nothing', 'procedure was altered'),
                       # Another place in the order.
                       ('t_a', 'trigger was altered')):
        assert f'{name}: this {what} while the database was read' in log, log
    assert 'zebra: ' not in log, log


# -- many ---------------------------------------------------------------------

def test_thousands_of_tables(make_server, tmp_path):
    """Few queries for all of them: it takes seconds, not minutes."""
    del tmp_path
    server = make_server()
    server.create('many')
    with contextlib.closing(server.connect('many')) as connection, \
            connection.cursor() as cursor:
        for number in range(800):
            cursor.execute(f'CREATE TABLE t{number} (a INT PRIMARY KEY) '
                           'ENGINE=MyISAM')
    asked = int(server.sql("SHOW GLOBAL STATUS LIKE 'Questions'").split()[1])
    report = dump(server, 'many', '-n', tables=['t7'])
    asked = int(server.sql(
        "SHOW GLOBAL STATUS LIKE 'Questions'").split()[1]) - asked
    assert b'CREATE TABLE `t7`' in report.text
    assert asked < 100


def test_mariadb_is_what_the_tests_think_it_is():
    with Mariadb() as server:
        assert 'MariaDB' in server.start().sql('SELECT VERSION()')
