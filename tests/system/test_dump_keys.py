# SPDX-License-Identifier: MIT
"""Tables read in the order of their keys: whatever the key is and wherever a
piece ends, no row is lost and none comes twice."""
import os
import random

import pytest

from dumper import assert_equal, dump, load, round_trip

SEED = int(os.environ.get('STEPVAULT_SEED', random.randrange(1 << 32)))

# How a piece may be asked for: one row each by a connection of its own or all
# by the same; rests between; a few rows; each twice.
WAYS = {
    'fresh': ['-b1', '-f'],
    'rested': ['-b1', '-r'],
    'some': ['-b2500'],
    'twice': ['-b1800', '-t'],
    'alone': ['-b1', '-n', '-f'],
}


def hexed(value, charset='binary'):
    return f"_{charset} X'{value.hex()}'"


def quoted(value):
    return "'" + str(value).replace('\\', '\\\\').replace("'", "''") + "'"


def numbers(low, high, count=40):
    def make(dice):
        return [low, high, 0, *(dice.randint(low, high)
                                for _ in range(count))]
    return make


def decimals(digits, scale):
    def make(dice):
        for _ in range(40):
            whole = dice.randrange(10 ** dice.randint(0, digits - scale))
            part = dice.randrange(10 ** scale) if scale else 0
            sign = dice.choice(['', '-'])
            yield f'{sign}{whole}.{part:0{scale or 1}}'
    return make


def dates(dice):
    yield from ('0000-00-00', '2020-00-00', '2020-02-31', '2020-02-30',
                '2019-00-31', '9999-12-31', '1000-01-01')
    for _ in range(30):
        yield (f'{dice.randint(1000, 9999)}-{dice.randint(0, 12):02}-'
               f'{dice.randint(0, 31):02}')


def moments(dice):
    for day in dates(dice):
        yield f'{day} {dice.randint(0, 23)}:{dice.randint(0, 59)}:59.000001'
        yield f'{day} 23:59:59.{dice.randrange(10 ** 6):06}'


def instants(dice):
    yield from ('0000-00-00 00:00:00', '1970-01-01 00:00:01',
                '2038-01-19 03:14:07.999999')
    for _ in range(40):
        yield (f'{dice.randint(1971, 2037)}-{dice.randint(1, 12)}-'
               f'{dice.randint(1, 28)} {dice.randint(0, 23)}:30:00.'
               f'{dice.randrange(10 ** 6):06}')


def times(dice):
    yield from ('-838:59:59.999999', '838:59:59.999999', '00:00:00',
                '-00:00:00.000001', '00:00:00.000001')
    for _ in range(40):
        yield (f"{dice.choice(['', '-'])}{dice.randint(0, 837)}:"
               f'{dice.randint(0, 59)}:{dice.randint(0, 59)}.'
               f'{dice.randrange(10 ** 6):06}')


def bits(width):
    def make(dice):
        return [hexed(n.to_bytes(8, 'big')[-((width + 7) // 8):])
                for n in (0, 1, (1 << width) - 1,
                          *(dice.getrandbits(width) for _ in range(40)))]
    return make


def members(count):
    def make(dice):
        return range(count + 1)
    return make


def sets(dice):
    return [0, 1, (1 << 64) - 1, *(dice.getrandbits(64) for _ in range(40))]


def noise(length, charset='binary'):
    """Bytes of which some are hard in a text."""
    def make(dice):
        for _ in range(50):
            yield hexed(bytes(dice.choice(b'\0\x01\t\n\r\x1a "\'%-\\_`aAzZ~'
                                          b'\x7f\x80\xa0\xe9\xff')
                              for _ in range(dice.randint(0, length))),
                        charset)
    return make


LETTERS = ("\0\x01\t\n\r\x1a \"'%,-/;\\_`aAbBzZ~\x7f"
           'äÄößẞſsSæÆoœlŁłiİıñéèıǅdžДдΩωςσﬁ\xad\u200b'
           'アあカガｱ中文字龍한국کทไ')
ASTRAL = LETTERS + '😀𝒜𐐷\U0010fffd'


def texts(charset, alphabet=LETTERS, count=60):
    """What of the alphabet a character set has, in the order of its bytes or
    not, alike or not."""
    python = {'utf8mb3': 'utf-8', 'utf8mb4': 'utf-8', 'ucs2': 'utf-16-be',
              'utf16': 'utf-16-be', 'utf16le': 'utf-16-le',
              'utf32': 'utf-32-be', 'sjis': 'shift_jis', 'ujis': 'euc_jp',
              'euckr': 'euc_kr', 'tis620': 'tis_620', 'koi8r': 'koi8_r',
              'latin2': 'iso8859_2', 'swe7': 'ascii', 'greek': 'iso8859_7', 'latin1': 'cp1252'}.get(charset, charset)

    def make(dice):
        known = [c.encode(python, 'ignore') for c in alphabet]
        known = [c for c in known if c]
        for _ in range(count):
            yield hexed(b''.join(dice.choice(known) for _ in
                                 range(dice.randint(0, 7))), charset)
    return make


def chars(collation, *args):
    charset = collation.split('_')[0]
    return (f'VARCHAR(10) CHARACTER SET {charset} COLLATE {collation}',
            texts(charset, *args))


ENUM = "ENUM('z','b','it''s','a,b','\\\\','ä')"
EMPTY = "ENUM('z','','a')"
MANY = f"ENUM({','.join(repr(f'm{n * 7919 % 1500}') for n in range(1500))})"
SET = f"SET({','.join(repr(f's{63 - n}') for n in range(64))})"

KEYS = {
    'tinyint': ('TINYINT', numbers(-128, 127)),
    'zerofill': ('INT(9) ZEROFILL', numbers(0, 999999)),
    'mediumint': ('MEDIUMINT', numbers(-1 << 23, (1 << 23) - 1)),
    'bigint': ('BIGINT', numbers(-1 << 63, (1 << 63) - 1)),
    'unsigned': ('BIGINT UNSIGNED', numbers(0, (1 << 64) - 1)),
    'boolean': ('BOOLEAN', lambda _: (0, 1)),
    'decimal': ('DECIMAL(65,30)', decimals(65, 30)),
    'decimal0': ('DECIMAL(20)', decimals(20, 0)),
    'year': ('YEAR', lambda dice: [0, 1901, 2155, 1999, 2000, 2001, 2069]),
    'date': ('DATE', lambda dice: map(quoted, dates(dice))),
    'datetime': ('DATETIME(6)', lambda dice: map(quoted, moments(dice))),
    'timestamp': ('TIMESTAMP(6)', lambda dice: map(quoted, instants(dice))),
    'time': ('TIME(6)', lambda dice: map(quoted, times(dice))),
    'bit1': ('BIT(1)', bits(1)),
    'bit20': ('BIT(20)', bits(20)),
    'bit64': ('BIT(64)', bits(64)),
    'enum': (ENUM, members(6)),
    'enum_empty': (EMPTY, members(3)),
    'enum_many': (MANY, lambda dice: range(0, 1501, 37)),
    'enum_utf16': (ENUM + ' CHARACTER SET utf16', members(6)),
    'enum_binary': (ENUM.replace('ä', 'q') + ' CHARACTER SET binary',
                    members(6)),
    'set': (SET, sets),
    'set_empty': ("SET('b','','a')", members(7)),
    'binary': ('BINARY(6)', noise(6)),
    'varbinary': ('VARBINARY(20)', noise(20)),
    'char': ('CHAR(10) CHARACTER SET latin1', noise(10, 'latin1')),
    'swe7': ('VARCHAR(10) CHARACTER SET swe7', texts('swe7', LETTERS[:26])),
    'uuid': ('UUID', lambda dice: [
        quoted(f'{n:032x}') for n in (0, (1 << 128) - 1, *(
            dice.getrandbits(128) for _ in range(40)))]),
    'uuid1': ('UUID', lambda dice: [
        quoted(f'{dice.getrandbits(32):08x}-{dice.getrandbits(16):04x}-'
               f'1{dice.getrandbits(12):03x}-9abc-{n:012x}')
        for n in range(40)]),
    'inet4': ('INET4', lambda dice: [
        f"'{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}'"
        for n in (0, (1 << 32) - 1, *(dice.getrandbits(32)
                                      for _ in range(40)))]),
    'inet6': ('INET6', lambda dice: [
        quoted(':'.join(f'{dice.choice((0, 1, 65535)):x}' for _ in range(8)))
        for _ in range(60)]),
    **{name: chars(name) for name in (
        'ascii_general_ci', 'latin1_swedish_ci', 'latin1_german2_ci',
        'latin1_bin', 'latin1_swedish_nopad_ci', 'latin2_czech_cs',
        'cp1250_czech_cs', 'cp1251_ukrainian_ci', 'koi8r_general_ci',
        'greek_general_ci', 'tis620_thai_ci',
        'utf8mb3_general_ci', 'utf8mb3_unicode_ci', 'ucs2_general_ci',
        'ucs2_unicode_ci', 'sjis_japanese_ci', 'sjis_bin', 'ujis_japanese_ci',
        'cp932_japanese_ci', 'gbk_chinese_ci', 'gb2312_chinese_ci',
        'big5_chinese_ci', 'euckr_korean_ci')},
    **{name: chars(name, ASTRAL) for name in (
        'utf8mb4_general_ci', 'utf8mb4_unicode_ci', 'utf8mb4_unicode_520_ci',
        'utf8mb4_uca1400_ai_ci', 'utf8mb4_uca1400_nopad_as_cs',
        'utf8mb4_bin', 'utf8mb4_nopad_bin', 'utf8mb4_general_nopad_ci',
        'utf8mb4_german2_ci', 'utf8mb4_danish_ci', 'utf8mb4_thai_520_w2',
        'utf16_general_ci', 'utf16_unicode_ci', 'utf16_bin',
        'utf16le_general_ci', 'utf32_general_ci')},
}


def sql_script(server, text):
    server.sql("SET sql_mode='ALLOW_INVALID_DATES', time_zone='+00:00'; "
               + text)


def fill(server, name, columns, rows):
    """A table of these columns, of which those with a key must be unique."""
    sql_script(server, f'CREATE TABLE keys_db.{name} ({columns}); ' + ''.join(
        f'INSERT IGNORE INTO keys_db.{name} VALUES ({values});'
        for values in rows))


@pytest.fixture(scope='module')
def tables(server):
    """A table for each kind of key, alone and behind another column."""
    print(f'STEPVAULT_SEED={SEED}')
    dice = random.Random(SEED)
    server.create('keys_db')
    for name, (definition, make) in KEYS.items():
        values = list(make(dice))
        fill(server, name, f'k {definition} NOT NULL PRIMARY KEY, n INT',
             (f'{value}, {n}' for n, value in enumerate(values)))
        fill(server, name + '_2',
             f'n INT, b INT, k {definition} NOT NULL, a INT NOT NULL, '
             'UNIQUE(a, k, b), PRIMARY KEY(k, a)',
             (f'{n}, 1, {value}, {n % 3}'
              for n, value in enumerate(values * 2)))
    return server


@pytest.mark.parametrize('way', WAYS)
def test_every_key(tables, way):
    dumped = round_trip(tables, 'keys_db', *WAYS[way])
    assert dumped.notes == []
    assert dumped.held == 0
    assert dumped.pieces > 2 * len(KEYS)


def rows_read(server):
    """Rows that the server has touched so far, by whatever way."""
    status = server.sql("SHOW GLOBAL STATUS LIKE 'Handler_read_%'")
    return sum(int(line.split('\t')[1]) for line in status.splitlines()
               if 'deleted' not in line)


# The server finds numbers of a SET, and of very long ENUMs, only by scanning.
FOUND = [name for name in KEYS if name not in ('set', 'set_empty',
                                               'enum_many')]


def test_rows_are_found_by_the_index(tables):
    """A piece begins where the one before ended, without passing over what
    was read: else a large table would take the square of its size."""
    dump(tables, 'keys_db', tables=['tinyint'])
    before = rows_read(tables)
    dump(tables, 'keys_db', tables=['tinyint'])
    fixed = rows_read(tables) - before
    slow = {}
    for name in FOUND:
        for table in (name, name + '_2'):
            before = rows_read(tables)
            dumped = dump(tables, 'keys_db', '-b1', tables=[table])
            touched = rows_read(tables) - before - fixed
            # A look at each member that an ENUM may have, and the end.
            if touched > 3 * dumped.rows + 60:
                slow[table] = (dumped.rows, touched)
    assert not slow


# Columns, indexes and options; which one is the key, or None.
CHOICES = {
    'primary': ('(a INT PRIMARY KEY, b INT NOT NULL UNIQUE)', 'PRIMARY'),
    'unique': ('(a INT NOT NULL, b INT, UNIQUE u (a), KEY (b))', 'u'),
    'nullable': ('(a INT, b INT NOT NULL, UNIQUE (a))', None),
    'half_nullable': ('(a INT, b INT NOT NULL, UNIQUE (b, a))', None),
    'second': ('(a INT, b INT NOT NULL, UNIQUE (a), UNIQUE u (b))', 'u'),
    'real': ('(a DOUBLE PRIMARY KEY, b INT NOT NULL, UNIQUE u (b))', 'u'),
    'only_real': ('(a FLOAT PRIMARY KEY, b INT NOT NULL)', None),
    'prefix': ('(a INT NOT NULL, b VARCHAR(10) NOT NULL, UNIQUE (b(3)), '
               'UNIQUE u (a))', 'u'),
    'long': ('(a INT, b BLOB NOT NULL, UNIQUE (b))', None),
    'not_unique': ('(a INT NOT NULL, b INT NOT NULL, KEY (a))', None),
    'descending': ('(a INT NOT NULL, b INT, PRIMARY KEY (a DESC))', None),
    'ignored': ('(a INT NOT NULL, b INT NOT NULL, c DOUBLE NOT NULL DEFAULT '
                '(a), UNIQUE (c), UNIQUE (a) IGNORED, UNIQUE u (b))', 'u'),
    'generated': ('(a INT NOT NULL, b INT NOT NULL, c INT AS (a) VIRTUAL, '
                  'd INT AS (b * 3) STORED, UNIQUE (d), UNIQUE u (b, a))',
                  'u'),
    'hash': ('(a INT PRIMARY KEY, b INT) ENGINE=MEMORY', None),
    'tree': ('(a INT, b INT, PRIMARY KEY (a) USING BTREE) ENGINE=MEMORY',
             'PRIMARY'),
    'aria': ('(a INT, b INT, KEY (a), PRIMARY KEY (b, a)) ENGINE=Aria',
             'PRIMARY'),
    'myisam': ('(a INT, b INT, KEY (a)) ENGINE=MyISAM', None),
    'parts': ('(a INT, b INT PRIMARY KEY) PARTITION BY HASH (b) PARTITIONS 5',
              'PRIMARY'),
    'versioned': ('(a INT, b INT PRIMARY KEY) WITH SYSTEM VERSIONING',
                  'PRIMARY'),
}


@pytest.fixture(scope='module')
def choices(server):
    server.create('choices')
    for name, (definition, _) in CHOICES.items():
        server.sql(f'CREATE TABLE `{name}` {definition}; '
                   f'INSERT INTO `{name}` (a, b) SELECT seq * 7 % 300, seq '
                   'FROM seq_1_to_299;', 'choices')
    return server


def test_the_right_key_is_chosen(choices):
    choices.sql("SET GLOBAL log_output='TABLE', general_log=1")
    dump(choices, 'choices', '-b900')
    choices.sql('SET GLOBAL general_log=0')
    chosen = {name: set() for name in CHOICES}
    for query in choices.sql(
            'SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log '
            "WHERE argument LIKE 'SELECT SQL_NO_CACHE%'").splitlines():
        table = query.split(' FROM `')[1].split('`')[0]
        chosen[table].add(query.split('FORCE INDEX (`')[1].split('`')[0]
                          if 'FORCE' in query else None)
    assert chosen == {name: {key} for name, (_, key) in CHOICES.items()}


@pytest.mark.parametrize('way', WAYS)
def test_every_choice(choices, way):
    """Keyless tables that no snapshot covers can only be read in one go."""
    uncovered = ['hash', 'myisam']
    if way == 'alone':
        uncovered = [name for name, (_, key) in CHOICES.items() if not key]
    tables = [name for name in CHOICES if name not in uncovered]
    dumped = dump(choices, 'choices', *WAYS[way], tables=tables)
    assert dumped.held == 0
    others = dump(choices, 'choices', *WAYS[way][:1],
                  *(['-n'] if way == 'alone' else []), tables=uncovered)
    assert others.held > 0
    load(choices, 'choices_copy', dumped.text + others.text)
    assert_equal(choices, 'choices', 'choices_copy',
                 ['generated', 'versioned'])
    assert choices.sql('SELECT * FROM generated ORDER BY b', 'choices') == (
        choices.sql('SELECT * FROM generated ORDER BY b', 'choices_copy'))
