# SPDX-License-Identifier: MIT
"""stepvault profile test: what it says of the databases of a real server."""
import json
import pathlib
import re
import subprocess

import pytest

PASSWORD = 'p@ss:w/o?r#d %'

TABLES = '''
    CREATE TABLE one (id INT PRIMARY KEY, t TEXT);
    CREATE TABLE two (a INT, b INT, PRIMARY KEY (a, b));
    INSERT INTO one VALUES (1, 'x'), (2, 'y');
'''


@pytest.fixture(scope='module')
def shop(server):
    server.create('shop')
    server.sql(TABLES, 'shop')
    return server


def test(vault, *args, status=0):
    result = vault.cli('profile', 'test', *args, check=False)
    assert result.returncode == status, result.stdout + result.stderr
    assert PASSWORD not in result.stdout + result.stderr
    return result.stdout


# It is no test itself.
test.__test__ = False


def probes(vault, *args, status=0):
    return json.loads(test(vault, '--json', *args, status=status))


def names(items):
    return [item['name'] for item in items]


def row(text, key):
    """What stands behind the key, with the rows that go on."""
    found = re.search(rf'(?m)^  {key} +(.*\n(?:  {" " * 15} .*\n)*)', text)
    return [line.strip() for line in found[1].splitlines()] if found else []


def make(make_vault, site, *databases, server='', more=''):
    return make_vault(site, server=server, profile='\n'.join(
        f'database = {database}' for database in databases) + '\n' + more)


# -- what is right -----------------------------------------------------------

def test_all_is_well(make_vault, site, shop):
    vault = make(make_vault, site, shop.url('shop'))
    text = test(vault)
    assert text.startswith(f'shop\n  address         mysql:///shop?socket='
                           f'{shop.socket}\n')
    version = shop.sql('SELECT VERSION()').split('-')[0]
    assert row(text, 'server') == [f'MariaDB {version}, not encrypted']
    assert row(text, 'snapshot') == ['yes, held between steps']
    assert row(text, 'tables') == ['2, 32.0 KiB']
    for key in ('lost without', 'not in snapshot', 'without a key',
                'warnings', 'problem'):
        assert row(text, key) == []
    assert test(vault, '1') == text
    probe, = probes(vault)
    assert probe['server'] == f'MariaDB {version}'
    assert probe['problem'] is probe['no_snapshot'] is probe['cipher'] is None
    assert probe['tables'] == 2 and probe['bytes'] == 32768
    assert [probe[key] for key in
            ('lacking', 'uncovered', 'keyless', 'notes')] == [[]] * 4


def test_database_of_the_site(make_vault, site, shop):
    """Named by its own configuration; and by a URL with a password file."""
    shop.sql(f"CREATE OR REPLACE USER joe@localhost IDENTIFIED BY "
             f"'{PASSWORD}'; GRANT ALL ON shop.* TO joe@localhost")
    pathlib.Path(site, 'wp-config.php').write_text(f'''<?php
        define('DB_NAME', 'shop'); define('DB_USER', 'joe');
        define('DB_PASSWORD', '{PASSWORD}');
        define('DB_HOST', 'localhost:{shop.socket}');''')
    vault = make(make_vault, site, 'wp-config.php?as=by-path',
                 shop.url('shop', 'joe'), shop.url('shop', 'joe', 'no') +
                 '&as=other', more='password_file = '
                 f'{site}/../password')
    password = pathlib.Path(site).parent / 'password'
    password.write_text(PASSWORD + '\n')
    password.chmod(0o600)
    first, second, third = probes(vault, status=1)
    assert (first['label'], second['label']) == ('by-path', 'shop')
    assert first['problem'] is second['problem'] is None
    assert 'refuses the user joe' in third['problem']
    lacking = [item['privilege'] for item in first['lacking']]
    assert len(lacking) == 1 and 'mysql.proc' in lacking[0]


def test_without_companion(make_vault, site, shop):
    vault = make(make_vault, site, shop.url('shop'),
                 server='companion = no')
    assert row(test(vault), 'snapshot') == [
        "by 'stepvault run' only, for companion = no"]


def test_no_database(make_vault, site):
    vault = make_vault(site)
    assert test(vault) == '[profile 1] names no database\n'
    assert probes(vault) == []
    assert 'no [profile 2]' in vault.cli(
        'profile', 'test', '2', check=False).stderr
    test(vault, '2', status=4)
    for wrong in (('x',), ('1', '2'), ('--jsn',), ('1x',), ('',)):
        test(vault, *wrong, status=2)
    assert 'usage: stepvault profile test' in vault.cli(
        'profile', 'list', check=False).stderr


# -- what is missing ---------------------------------------------------------

PRIVILEGES = {'SHOW VIEW': 'its views', 'TRIGGER': 'its triggers',
              'EVENT': 'its events',
              'EXECUTE': 'its functions and procedures'}


def test_privileges(make_vault, site, shop):
    """Each that is missing, and what would be lost."""
    shop.sql(f"CREATE OR REPLACE USER ann@localhost IDENTIFIED BY "
             f"'{PASSWORD}'; GRANT SELECT ON shop.* TO ann@localhost")
    vault = make(make_vault, site, shop.url('shop', 'ann', PASSWORD))
    lost = row(test(vault), 'lost without')
    for privilege, loss in PRIVILEGES.items():
        assert f'{privilege}: {loss}' in lost
        shop.sql(f'GRANT {privilege} ON shop.* TO ann@localhost')
        assert privilege not in [
            item['privilege'] for item in probes(vault)[0]['lacking']]
    shop.sql('GRANT SELECT ON mysql.proc TO ann@localhost')
    assert row(test(vault), 'lost without') == []
    # Without it there is no backup.
    shop.sql('REVOKE SELECT ON shop.* FROM ann@localhost; '
             'GRANT SELECT ON shop.one TO ann@localhost')
    probe, = probes(vault, status=1)
    assert probe['lacking'][0] == {
        'privilege': 'SELECT', 'loss': 'rows and structure of its tables'}
    assert 'may not read the table two' in probe['problem']
    assert row(test(vault, status=1), 'problem') == [probe['problem']]


def test_engines_and_keys(make_vault, site, shop):
    """What no snapshot covers, and what has to be read in one go."""
    shop.create('mixed')
    shop.sql(TABLES + '''
        CREATE TABLE isam (id INT PRIMARY KEY) ENGINE = MyISAM;
        CREATE TABLE aria (id INT) ENGINE = Aria;
        CREATE TABLE mem (id INT, UNIQUE (id)) ENGINE = MEMORY;
        CREATE TABLE `log
2` (x TEXT);
        CREATE TABLE left_out (x INT) ENGINE = MyISAM;
        CREATE TABLE only_made (x INT) ENGINE = MyISAM;
        ''', 'mixed')
    vault = make(make_vault, site, shop.url('mixed'),
                 more='exclude_table = left_*\nexclude_data = mixed.only_*')
    probe, = probes(vault)
    assert sorted(names(probe['uncovered'])) == ['aria', 'isam', 'mem']
    assert sorted(names(probe['keyless'])) == ['aria', 'log\n2', 'mem']
    assert probe['tables'] == 7
    assert {note['object'] for note in probe['notes']} == {
        'aria', 'isam', 'mem'}
    text = test(vault)
    assert row(text, 'snapshot') == [
        'yes, held between steps; not of 3 tables']
    assert r'log\x0a2' in row(text, 'without a key')[0]
    assert 'isam: is of engine MyISAM, which no snapshot covers: its rows ' \
        'are as they were when they were read' in row(text, 'warnings')


def test_lists_are_cut_for_people(make_vault, site, shop):
    shop.create('many')
    shop.sql(''.join(f'CREATE TABLE t{i:03} (x INT) ENGINE = MyISAM;'
                     for i in range(100)), 'many')
    vault = make(make_vault, site, shop.url('many'))
    text = test(vault)
    for key in ('not in snapshot', 'without a key'):
        line, = row(text, key)
        assert line.startswith('t000, t001, ')
        assert line.endswith('t019 and 80 more')
    warnings = row(text, 'warnings')
    assert len(warnings) == 21 and warnings[-1] == 'and 80 more'
    probe, = probes(vault)
    assert [len(probe[key]) for key in
            ('uncovered', 'keyless', 'notes')] == [100] * 3


# -- what is wrong -----------------------------------------------------------

def test_what_cannot_be_reached(make_vault, site, shop, tmp_path):
    """Each is said, and none keeps the others from being tested."""
    shop.sql(f"CREATE OR REPLACE USER eve@localhost IDENTIFIED BY "
             f"'{PASSWORD}'")
    wrong = {
        shop.url('shop', 'eve', PASSWORD[::-1]) + '&as=a':
            'refuses the user eve',
        shop.url('shop', 'eve', PASSWORD) + '&as=b':
            'no database shop that the user eve may read',
        shop.url('none-such') + '&as=c': 'no database none-such',
        f'mysql://u@localhost/n?socket={tmp_path}/s&as=d':
            'cannot be reached: it is down, or its address is wrong',
        'mysql://u@127.0.0.1:1/n?as=e': '127.0.0.1:1 cannot be reached',
        # This is not the socket, though libraries think so.
        'mysql://u@localhost:1/n?as=f': 'localhost:1 cannot be reached',
        'none.php?as=g': 'none.php cannot be read',
    }
    vault = make(make_vault, site, *wrong, shop.url('shop'))
    *bad, good = probes(vault, status=1)
    for probe, words in zip(bad, wrong.values()):
        assert words in probe['problem'], probe
    assert good['problem'] is None
    text = test(vault, status=1)
    assert text.count('  problem ') == len(wrong)


def test_encryption(make_vault, site, make_server, tmp_path):
    """Asked for in each way, at a server that has it and one that has not."""
    for name, subject in (('good', '127.0.0.1'), ('bad', 'example.org')):
        subprocess.run(
            ['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes',
             '-subj', f'/CN={subject}', '-days', '2', '-keyout',
             tmp_path / f'{name}.key', '-out', tmp_path / f'{name}.pem',
             *(['-addext', f'subjectAltName=IP:{subject}']
               if name == 'good' else [])],
            stderr=subprocess.DEVNULL, check=True)
    plain = make_server(tcp=True)
    good, bad = [make_server(
        tcp=True, ssl_cert=f'{tmp_path}/{name}.pem',
        ssl_key=f'{tmp_path}/{name}.key') for name in ('good', 'bad')]
    for server in (plain, good, bad):
        server.create('shop')
        server.sql(f"CREATE USER joe@'127.0.0.1' IDENTIFIED BY "
                   f"'{PASSWORD}'; GRANT ALL ON shop.* TO joe@'127.0.0.1'")

    def ask(server, **options):
        vault = make(make_vault, site, server.url(
            'shop', 'joe', PASSWORD, '127.0.0.1', server.port, **options))
        probe, = json.loads(
            vault.cli('profile', 'test', '--json', check=False).stdout)
        return probe['cipher'] or probe['problem'] or 'plain'

    ciphers = re.compile('^(TLS_|ECDHE)')
    ca = {'ssl_ca': f'{tmp_path}/good.pem'}
    assert ask(plain) == 'plain'
    assert ask(plain, ssl_mode='off') == 'plain'
    assert 'encrypt' in ask(plain, ssl_mode='required')
    assert 'encrypt' in ask(plain, **ca)
    assert ciphers.match(ask(good, ssl_mode='required'))
    assert ask(good, ssl_mode='off') == 'plain'
    assert ciphers.match(ask(good, **ca))
    assert ciphers.match(ask(good, ssl_mode='verify', **ca))
    assert 'check the TLS options' in ask(bad, **ca)
    assert 'check the TLS options' in ask(
        bad, ssl_ca=f'{tmp_path}/bad.pem')
    assert ciphers.match(ask(
        bad, ssl_mode='required', ssl_ca=f'{tmp_path}/bad.pem'))
