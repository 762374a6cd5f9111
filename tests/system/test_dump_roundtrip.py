# SPDX-License-Identifier: MIT
"""What is dumped and loaded by the stock client is what was there, whatever it
is; and nothing in it makes that client do anything else."""
import os
import pathlib
import re
import subprocess

import pytest

import trees
from mariadb import Mariadb
from schemas import (SCHEMAS, describe, differences, dump_lines, make, name)
from vault import Vault

# Ways to load: all in one go, each member by a client of its own, and without
# the client's commands.
WAYS = {
    'whole': [],
    'members': [],
    'binary': ['--binary-mode'],
    'comments': ['--comments', '--default-character-set=latin1'],
}
MODES = ['ANSI_QUOTES', 'NO_BACKSLASH_ESCAPES', 'NO_ZERO_DATE,NO_ZERO_IN_DATE',
         'TRADITIONAL', 'ORACLE', 'ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_'
         'LENGTH', '']


class Source:
    """A server with all schemas, and what was dumped of them."""

    def __init__(self, folder, version=None):
        self.folder = pathlib.Path(folder)
        self.server = Mariadb()
        if version:
            self.server.configure(version=version)
        self.described = {}

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *exc):
        self.server.__exit__(*exc)

    def describe(self, schema):
        """The schema's description and mariadb-dump; it is made first."""
        if schema not in self.described:
            make(self.server, schema)
            self.described[schema] = (describe(self.server, schema),
                                      dump_lines(self.server, schema))
        return self.described[schema]

    def dump(self, schema, label='dumped', chain=False, mode=None, profile=''):
        """Back the schema up; the folder of its members and the record."""
        self.describe(schema)
        folder = self.folder / f'{label}-{schema}'
        if (folder / 'unpacked').exists():
            return folder / 'unpacked/databases' / schema, None
        site = folder / 'site'
        site.mkdir(parents=True)
        if mode is not None:
            self.server.sql(f"SET GLOBAL sql_mode = '{mode}'")
        with Vault(folder / 'vault', site, profile=(
                f'database = {self.server.url(schema)}\n{profile}'),
                   step='max = 200ms' if chain else '') as vault:
            if chain:
                assert vault.start().chain().status == 200
                vault.stop()
            else:
                vault.cli('run')
            record = vault.record()
            trees.unpack(vault.parts(record), str(folder / 'unpacked'))
        if mode is not None:
            self.server.sql('SET GLOBAL sql_mode = DEFAULT')
        return folder / 'unpacked/databases' / schema, record


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    with Source(tmp_path_factory.mktemp('source')) as made:
        yield made


@pytest.fixture(scope='module')
def target():
    """An empty server."""
    with Mariadb() as server:
        yield server.start()


def load(server, db, members, scratch, way='whole', charset='latin1'):
    """Load members into a new database, with a client that runs where it would
    leave what it is made to do."""
    server.create(db, charset=charset)
    command = ['mariadb', '--no-defaults', f'--socket={server.socket}',
               '-uroot', *WAYS[way], db]
    scratch.mkdir()
    files = sorted(members.glob('*.sql'))
    assert files
    texts = [file.read_bytes() for file in files]
    if way != 'members':
        texts = [b''.join(texts)]
    for text in texts:
        result = subprocess.run(
            command, input=text, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, cwd=scratch, check=False,
            env={**os.environ, 'HOME': str(scratch)})
        assert (result.returncode, result.stdout) == (0, b'')
    assert list(scratch.iterdir()) == []


def mended(facts, schema):
    """A description, with triggers as they are loaded: the text of some names
    the schema, which may be another now."""
    mended_facts = dict(facts)
    for key, row in facts.items():
        if key[:2] == ('SHOW', b'TRIGGER'):
            text = re.sub(rb'`?%s`?\s*\.\s*(?=\S+(\s+(before|for)\s))' %
                          re.escape(schema.encode()), b'', row[2],
                          flags=re.IGNORECASE)
            mended_facts[key] = (*row[:2], text, *row[3:])
    return mended_facts


def assert_same(source, target, schema, db=None):
    facts, lines = source.describe(schema)
    differ = differences(mended(facts, schema),
                         describe(target, db or schema))
    assert not differ, (len(differ), differ[:2])
    if db or schema == 'modes':
        return
    found = dump_lines(target, schema)
    differ = [pair for pair in zip(lines, found) if pair[0] != pair[1]]
    assert len(lines) == len(found) and not differ, differ[:1]


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('schema', SCHEMAS)
def test_it_comes_back(source, target, tmp_path, schema, way):
    members, _ = source.dump(schema)
    load(target, schema, members, tmp_path / 'cwd', way)
    assert_same(source, target, schema)


@pytest.mark.parametrize('schema', SCHEMAS)
def test_it_comes_back_by_the_redirect_chain(source, target, tmp_path, schema):
    members, record = source.dump(schema, 'chain', chain=True)
    assert record['status'] == 'complete'
    load(target, schema, members, tmp_path / 'cwd')
    assert_same(source, target, schema)


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('schema', SCHEMAS)
def test_any_mode_of_the_server_that_loads(source, target, tmp_path, schema,
                                           mode):
    members, _ = source.dump(schema)
    target.sql(f"SET GLOBAL sql_mode = '{mode}'")
    try:
        load(target, schema, members, tmp_path / 'cwd')
    finally:
        target.sql('SET GLOBAL sql_mode = DEFAULT')
    assert_same(source, target, schema)


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('schema', ['kinds', 'programs', 'modes'])
def test_any_mode_of_the_server_that_is_dumped(source, target, tmp_path,
                                               schema, mode):
    members, _ = source.dump(schema, f'mode-{MODES.index(mode)}', mode=mode)
    load(target, schema, members, tmp_path / 'cwd')
    assert_same(source, target, schema)


@pytest.mark.parametrize('schema', SCHEMAS)
def test_a_second_time_over_the_first(source, target, tmp_path, schema):
    members, _ = source.dump(schema)
    load(target, schema, members, tmp_path / 'one')
    for file in sorted(members.glob('*.sql')):
        target.load(schema, file)
    assert_same(source, target, schema)


@pytest.mark.parametrize('charset', ['utf8mb4', 'ucs2'])
def test_a_database_of_another_name(source, target, tmp_path, charset):
    """Nothing in it refers to the name that it had."""
    for schema in 'modes', 'kinds', 'lending':
        members, _ = source.dump(schema)
        target.sql(f'DROP DATABASE IF EXISTS {schema}')
        load(target, 'another', members, tmp_path / schema, charset=charset)
        text = ' '.join(target.dump('another').decode('utf-8').split())
        # But in what a program does, which is the user's own text.
        text = text.replace(f'(SELECT MAX(id) FROM {schema}.zero)', '')
        text = text.replace(f'/* {schema}.x */', '')
        assert not re.search(rf'\b`?{schema}`?\s*\.', text)


# -- servers that cannot prepare a CREATE PROCEDURE ---------------------------

@pytest.fixture(scope='module', params=['10.5.29-MariaDB', '8.0.36'])
def older(request, tmp_path_factory):
    """A server that says it is another: texts of programs then stand in the
    dump as they are."""
    with Source(tmp_path_factory.mktemp('older'), request.param) as made:
        yield made


def without_comments(facts):
    """Programs without comments and blanks, which the client drops."""
    def strip(value):
        if not isinstance(value, bytes):
            return value
        value = re.sub(rb'(?s)/\*.*?\*/|(--[ \t]|#)[^\n]*', b'', value)
        return b' '.join(value.split())

    return {key: tuple(strip(value) for value in row)
            if key[0] in ('SHOW', 'ROUTINES', 'TRIGGERS', 'EVENTS') else row
            for key, row in facts.items()}


@pytest.mark.parametrize('way', ['whole', 'comments'])
@pytest.mark.parametrize('schema', ['lending', 'modes'])
def test_ordinary_programs_of_an_older_server(older, target, tmp_path, schema,
                                              way):
    members, record = older.dump(schema)
    load(target, schema, members, tmp_path / 'cwd', way)
    wanted = mended(older.describe(schema)[0], schema)
    found = describe(target, schema)
    if way == 'whole':
        wanted, found = without_comments(wanted), without_comments(found)
    if 'MariaDB' not in older.server.settings['version']:
        # A schema has a comment with MariaDB only.
        wanted, found = ({key: row for key, row in facts.items()
                          if key[0] != 'SCHEMATA'} for facts in (wanted, found))
    differ = differences(wanted, found)
    assert not differ, (len(differ), differ[:2])


@pytest.mark.parametrize('way', ['whole', 'comments', 'binary'])
@pytest.mark.parametrize('schema', ['programs', 'names', 'charsets'])
def test_hostile_programs_of_an_older_server(older, target, tmp_path, schema,
                                             way):
    """Loading them executes nothing; what must not be loaded is named, and is
    in the dump nevertheless."""
    members, _ = older.dump(schema)
    load(target, schema, members, tmp_path / 'cwd', way)
    wanted, found = older.describe(schema)[0], describe(target, schema)
    assert not found.keys() - wanted.keys()
    lost = {key[2].decode() for key in wanted.keys() - found.keys()
            if key[0] == 'SHOW' and key[1] != 'TABLE'}
    assert 0 < len(lost) < len(wanted) / 4
    log = (older.folder / f'dumped-{schema}').glob('vault/data/backups/*/log')
    log = next(log).read_text('utf-8')
    for program in lost:
        if program.isprintable():
            assert f'{program}: is a ' in log
    texts = b''.join(file.read_bytes() for file in members.glob('*.sql'))
    for program in lost & {'f0_0', 'raw_sjis'}:
        assert re.search(rb"SET @stepvault = _binary'CREATE [^;]*\b%s\b" %
                         program.encode(), texts)


def test_what_clients_execute(target, tmp_path):
    """The canary dies of what it is meant to die of."""
    for text in ('\\! touch canary\n', 'system touch canary\n',
                 'SELECT 1;\nSELECT 2; \\! touch canary\n'):
        (tmp_path / 'canary').unlink(missing_ok=True)
        subprocess.run(['mariadb', '--no-defaults', '-uroot',
                        f'--socket={target.socket}'], input=text.encode(),
                       cwd=tmp_path, stdout=subprocess.DEVNULL, check=True)
        assert (tmp_path / 'canary').exists(), text
    assert name('a`b') == '`a``b`'
