# SPDX-License-Identifier: MIT
"""Schemas with everything in them, ordinary and hostile; and all that can be
said of a schema, to compare two."""
import contextlib
import os
import pathlib
import subprocess

from mariadb import CLIENT, DUMP

FILES = pathlib.Path(os.environ['STEPVAULT_SOURCE']) / 'tests/data/sql'

# What a client that loads it might take for a command of its own, or for the
# end of something.  Whatever is executed leaves a file named canary.
HOSTILE = [
    '\\! touch canary',
    '\n\\! touch canary\n',
    "'; \\! touch canary\n",
    '`; \\! touch canary\n',
    '"; \\! touch canary\n',
    '*/ \\! touch canary\n',
    '\\T canary\nx',
    '\nsystem touch canary\nx',
    '\ntee canary\nx',
    '\nDELIMITER //\nx',
    '\ndelimiter\n//',
    'delimiter //',
    '; DROP TABLE canary; --',
    '--\n\\! touch canary',
    '-- \\! touch canary\n;',
    '# \\! touch canary\n;',
    '/*! \\! touch canary */',
    '/*M!100000 \\! touch canary */;',
    '/* \\! touch canary',
    ';;\n\\! touch canary\n;;',
    '//\n\\! touch canary\n//',
    '$$\n\\! touch canary\n$$',
    '$1$\n\\! touch canary\n$1$',
    '\r\n\\! touch canary\r\n',
    'a\rb\r\nc\n\rd',
    'ends in \\',
    'ends in \\\\',
    'it\'s "so" `so`',
    "''\\'''\\\\'",
    '\\n\\r\\0\\N\\Z\\%\\_\\g\\G\\q\\c\\u\\.',
    '\x01\x07\x08\x0b\x1a\x1b[2J\x7f',
    'ünï¢ödé Ж 日本 😀 \u2028 \ufeff',
    '%s %n %d {} $HOME `id` $(id)',
    '@stepvault = 1; SET @stepvault',
    'EOF\n.\n\x04',
]

MODES = ['', 'ANSI_QUOTES', 'NO_BACKSLASH_ESCAPES',
         'ANSI_QUOTES,NO_BACKSLASH_ESCAPES',
         'ANSI,TRADITIONAL,PIPES_AS_CONCAT']


def name(text):
    return '`' + text.replace('`', '``') + '`'


def string(text, mode=''):
    """A literal, with as little escaped as the mode needs."""
    if 'NO_BACKSLASH_ESCAPES' not in mode:
        text = text.replace('\\', '\\\\')
    return "'" + text.replace("'", "''") + "'"


def identifiers():
    """As many hostile texts as can be names of tables and columns."""
    for text in HOSTILE:
        text = ''.join(c for c in text if ord(c) < 0x10000)[:60].rstrip()
        # Not at the end of a name, and none of a file.
        if text and text[-1] not in ' \n':
            yield text


def _load(server, db, charset='utf8mb4'):
    server.create(db, charset=charset)
    with open(FILES / f'{db}.sql', 'rb') as file:
        result = subprocess.run(
            [*CLIENT, f'--socket={server.socket}', '-uroot', '--comments', db],
            stdin=file, stderr=subprocess.PIPE, check=False)
    assert result.returncode == 0, result.stderr.decode()


def _names(server, db):
    """Everything that has a name, with hostile ones."""
    server.create(db)
    with contextlib.closing(server.connect(db)) as connection, \
            connection.cursor() as cursor:
        for number, text in enumerate(identifiers()):
            column, key = name(text), name('k' + text[:50])
            engine = 'MyISAM' if number % 3 == 0 else 'InnoDB'
            cursor.execute(
                f'CREATE TABLE {column} (id INT PRIMARY KEY, '
                f'{column} VARCHAR(100) DEFAULT {string(text)} '
                f'COMMENT {string(text)}, {key} ENUM({string(text)}, '
                f"'other'), KEY {key} ({column}), CONSTRAINT "
                f'{name("c" + text[:50])} CHECK ({column} <> {string("x" + text)})'
                f') ENGINE={engine} COMMENT={string(text)}')
            cursor.execute(f'INSERT INTO {column} VALUES (1, DEFAULT, 1), '
                           f'(2, {string(text * 3)}, 2), (3, NULL, NULL)')
            cursor.execute(f'CREATE VIEW {name("v" + text[:60])} AS SELECT '
                           f'{column} AS {key}, {string(text)} AS '
                           f'{column} FROM {column}')
            cursor.execute(
                f'CREATE TRIGGER {name("t" + text[:60])} BEFORE INSERT ON '
                f'{column} FOR EACH ROW SET NEW.{key} = 1')
            cursor.execute(f'CREATE SEQUENCE {name("s" + text[:60])}')
            cursor.execute(f'CREATE PROCEDURE {name("p" + text[:60])}'
                           f'({name("a" + text[:60])} INT) '
                           f'SELECT 1 AS {column}')
            cursor.execute(f'CREATE EVENT {name("e" + text[:60])} ON SCHEDULE '
                           f'EVERY 1 YEAR DISABLE DO SET @x = 1')
        connection.commit()


def _body(text, mode):
    """A compound statement with a text wherever there can be one."""
    quoted = string(text, mode)
    line = ' '.join(text.split('\n'))
    block = text.replace('*/', '* /').replace('/*', '/ *')
    alias = name(text.rstrip()[:60] or 'x')
    if any(ord(c) > 0xffff for c in alias):
        alias = '`alias`'
    double = '"' + text.replace('"', '""').rstrip()[:60] + '"'
    if 'ANSI' not in mode and 'NO_BACKSLASH' not in mode:
        double = double.replace('\\', '\\\\')
    if 'ANSI' in mode and any(ord(c) > 0xffff for c in double):
        double = '"alias"'
    # Many clients drop the end of a line that has only this word.
    alone = '\n' if len(text) % 2 else ' '
    return (f'-- {line}\nDECLARE delimiter TEXT DEFAULT {quoted};\n'
            f'# {line}\n/* {block} */ SET\ndelimiter{alone}= '
            f'CONCAT({quoted}, delimiter, {quoted}); /**/\n'
            f'  IF delimiter = {quoted} THEN BEGIN END; END IF;\n'), (
            f'{quoted} AS {alias}, {double}')


def _programs(server, db):
    """Programs of all kinds with hostile texts, in all modes."""
    server.create(db)
    with contextlib.closing(server.connect(db)) as connection, \
            connection.cursor() as cursor:
        cursor.execute('CREATE TABLE t (a INT PRIMARY KEY, b TEXT)')
        for number, text in enumerate(HOSTILE):
            for mode in (0, 1 + number % (len(MODES) - 1)):
                _program(cursor, f'{number}_{mode}', text, MODES[mode])
        cursor.execute("SET sql_mode = ''")
        connection.commit()


def _program(cursor, number, text, mode):
    cursor.execute(f"SET sql_mode = '{mode}'")
    body, columns = _body(text, mode)
    comment = string(text.replace('😀', ''), mode)
    as_alias = 'ANSI' in mode
    select = columns if not as_alias else columns.rpartition(', "')[0]
    cursor.execute(f'CREATE PROCEDURE p{number} () COMMENT {comment}\n'
                   f'BEGIN\n{body}SELECT {select};\nEND')
    cursor.execute(f'CREATE FUNCTION f{number} (x INT) RETURNS TEXT CHARSET '
                   f'utf8mb4 DETERMINISTIC COMMENT {comment}\n'
                   f'BEGIN\n{body}RETURN {string(text, mode)};\nEND')
    cursor.execute(f'CREATE TRIGGER t{number} AFTER UPDATE ON t FOR EACH ROW '
                   f'BEGIN\n{body}END')
    cursor.execute(f'CREATE EVENT e{number} ON SCHEDULE EVERY 3 HOUR STARTS '
                   f"'2031-01-01 01:02:03' DISABLE COMMENT {comment} DO "
                   f'BEGIN\n{body}END')
    cursor.execute(f'CREATE VIEW v{number} AS SELECT {columns.split(" AS ")[0]}'
                   f' AS a, f{number}(1) AS b')


# Character sets of clients, and words that can be written in each.
CLIENTS = {
    'utf8mb4': 'naïve 日本 😀 Ω',
    'utf8mb3': 'naïve 日本 Ω',
    'latin1': 'naïve straße €',
    'latin2': 'žluťoučký kůň',
    'cp1251': 'съешь ещё',
    'koi8r': 'съешь ещё',
    'greek': 'Ελλάδα',
    'sjis': 'ソ表十 日本',
    'cp932': 'ソ表十 日本',
    'gbk': '中文縗',
    'big5': '許功蓋',
    'ujis': '日本ソ',
    'euckr': '한국',
    'binary': 'bytes',
}
CODECS = {'utf8mb3': 'utf-8', 'utf8mb4': 'utf-8', 'latin1': 'cp1252',
          'latin2': 'iso8859-2', 'koi8r': 'koi8-r', 'greek': 'iso8859-7',
          'sjis': 'shift-jis', 'ujis': 'euc-jp', 'euckr': 'euc-kr',
          'binary': 'ascii'}


def _charsets(server, db):
    """Columns and programs of many character sets and collations."""
    server.create(db, charset='latin1 COLLATE latin1_german1_ci')
    with contextlib.closing(server.connect(db)) as connection, \
            connection.cursor() as cursor:
        for charset, word in CLIENTS.items():
            if charset == 'binary':
                continue
            # No server can tell such a character in a definition.
            quiet = string(word.replace('😀', ''))
            cursor.execute(
                f'CREATE TABLE `t_{charset}` (id INT PRIMARY KEY AUTO_INCREMENT'
                f', c CHAR(20), v VARCHAR(200), t TEXT, e ENUM({quiet}), '
                f's SET({quiet}, "x")) CHARSET {charset} COMMENT {quiet}')
            cursor.execute(
                f'INSERT INTO `t_{charset}` (c, v, t, e, s) VALUES '
                '(%s, %s, %s, 1, 3)', (word[:5], word, word * 50))
        cursor.execute(
            'CREATE TABLE mixed (id INT PRIMARY KEY, '
            + ', '.join(f'c{n} VARCHAR(30) CHARACTER SET {c} COLLATE {o}'
                        for n, (c, o) in enumerate([
                            ('latin1', 'latin1_swedish_ci'),
                            ('utf16', 'utf16_unicode_ci'),
                            ('utf32', 'utf32_bin'), ('ucs2', 'ucs2_bin'),
                            ('utf16le', 'utf16le_general_ci'),
                            ('utf8mb4', 'utf8mb4_unicode_520_nopad_ci'),
                            ('binary', 'binary'), ('ascii', 'ascii_bin'),
                            ('swe7', 'swe7_bin'), ('gbk', 'gbk_chinese_ci'),
                            ('utf8mb3', 'utf8mb3_turkish_ci')])) + ')')
        cursor.execute("INSERT INTO mixed VALUES (1, 'é', 'é😀', 'é😀', 'é日', "
                       "'é😀', 'é😀', 0xff00fe27, 'e\\'', 'ÅÄÖ', '中', 'ıİ'), "
                       "(2, 0x80819dff, 0xd83dde00005c0027, "
                       "0x0001f600, 0xffff, 0x3dd800de, '\\\\', '\\\\', '\\\\',"
                       " '', 0x8fa75c5c, '\\\\')")
    for charset, word in CLIENTS.items():
        _programs_of(server, db, charset, word)


def _programs_of(server, db, charset, word):
    """One of each kind, by a client of this character set."""
    codec = CODECS.get(charset, charset)
    quiet = word.replace('😀', '')
    statements = [
        f'SET NAMES {charset}',
        f'CREATE PROCEDURE `p {charset} {quiet}` (`x{quiet}` INT) COMMENT '
        f"'it''s {quiet}' SELECT '{word}', `x{quiet}` AS `{quiet}` -- {word}\n",
        f'CREATE FUNCTION `f_{charset}` (`x{quiet}` VARCHAR(9)) '
        f"RETURNS VARCHAR(99) RETURN CONCAT('{word}', `x{quiet}`)",
        f'CREATE TRIGGER `tr {charset} {quiet}` BEFORE INSERT ON mixed '
        f"FOR EACH ROW SET @`{quiet}` = '{word}'",
        f'CREATE EVENT `e {charset} {quiet}` ON SCHEDULE EVERY 1 DAY DISABLE '
        f"COMMENT '{quiet}' DO SET @x = '{word}'",
        f"CREATE VIEW `v {charset} {quiet}` AS SELECT '{word}' AS `{quiet}`, "
        f"_latin1 X'e9' AS b",
    ]
    with contextlib.closing(server.connect(db)) as connection:
        for statement in statements:
            connection.query(statement.encode(codec))
        # What is in no character set at all.
        connection.query(
            f'CREATE PROCEDURE `raw_{charset}` () SELECT '.encode()
            + b"_binary'\xff\xfe\x80 x', _latin1'\xe9'")


def _modes(server, db):
    """What only some modes let in; what they change in what it means."""
    server.create(db)
    with contextlib.closing(server.connect(db)) as connection, \
            connection.cursor() as cursor:
        for statement in [
            "SET sql_mode = 'ORACLE'",
            'CREATE PACKAGE shop AS\n -- it\'s "one"\n'
            ' FUNCTION price(n INT) RETURN INT;\n PROCEDURE sell;\nEND',
            'CREATE PACKAGE BODY shop AS\n total INT := 0;\n'
            ' FUNCTION price(n INT) RETURN INT AS BEGIN RETURN n * 2; END;\n'
            ' PROCEDURE sell AS BEGIN total := total + 1; END;\n'
            'BEGIN\n total := 5; -- begin\nEND',
            'CREATE PACKAGE "empty; \\! touch canary" COMMENT \'it\'\'s\' AS '
            'FUNCTION f RETURN INT; END',
            'CREATE PROCEDURE ora(a IN OUT INT) AS b INT := 1; '
            "BEGIN a := b || 'x'; END",
            "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
            "CREATE TABLE slash (a VARCHAR(9) DEFAULT 'a\\b' COMMENT '\\', "
            "b ENUM('\\', 'n\\n'), CHECK (a <> 'x\\')) COMMENT 'x\\y'",
            "INSERT INTO slash VALUES ('\\', 1), ('\\''', 2)",
            "CREATE VIEW slashes AS SELECT '\\' AS a, a AS `\\` FROM slash",
            "SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'",
            'CREATE VIEW piped AS SELECT a || \'"\' AS "b" FROM "slash"',
            "SET sql_mode = 'ALLOW_INVALID_DATES'",
            "CREATE TABLE dates (d DATE DEFAULT '2001-02-30', "
            "z DATETIME NOT NULL DEFAULT '0000-00-00 00:00:00', "
            "t TIMESTAMP NOT NULL, u TIMESTAMP NOT NULL DEFAULT 0)",
            "INSERT INTO dates VALUES ('2001-02-31', 0, 0, 0), "
            "('2001-00-00', '2001-01-00', '2001-01-01', 0)",
            "CREATE TABLE engineless (a INT) ENGINE=MEMORY",
            "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
            'CREATE TABLE zero (id INT AUTO_INCREMENT PRIMARY KEY)',
            'INSERT INTO zero VALUES (0), (5), (-1)',
            "SET sql_mode = ''",
            'CREATE AGGREGATE FUNCTION many(x INT) RETURNS INT BEGIN '
            'DECLARE n INT DEFAULT 0; DECLARE CONTINUE HANDLER FOR NOT FOUND '
            'RETURN n; LOOP FETCH GROUP NEXT ROW; SET n = n + 1; END LOOP; '
            'END',
            'CREATE FUNCTION of_view() RETURNS INT READS SQL DATA RETURN '
            '(SELECT MAX(a) FROM above)',
            # It is loaded before what it uses, by its name.
            'CREATE VIEW above AS SELECT 1 AS a',
            'CREATE VIEW aa AS SELECT a, of_view() AS b FROM above',
            'CREATE OR REPLACE VIEW above AS SELECT many(id) AS a FROM zero',
            # Triggers whose text names the schema.
            f'create trigger {name(db)} . first before insert\non {name(db)}'
            '.zero for each row set @a = 1',
            f'CREATE TRIGGER /* {db}.x */ {db}.second BEFORE INSERT ON /* on */'
            f' {db} . `zero` FOR EACH ROW PRECEDES first SET @a = 2',
            f'CREATE TRIGGER IF NOT EXISTS third BEFORE INSERT ON zero '
            f'FOR EACH ROW FOLLOWS second\nSET @a = (SELECT MAX(id) FROM '
            f'{db}.zero)',
            f'CREATE TRIGGER zeroth BEFORE INSERT ON zero FOR EACH ROW '
            'PRECEDES second SET @a = 0',
            'CREATE TRIGGER other AFTER DELETE ON zero FOR EACH ROW BEGIN END',
            # Events of all sorts.
            "SET time_zone = '-05:30'",
            "CREATE EVENT soon ON SCHEDULE AT '2036-02-29 12:00:00' ON "
            'COMPLETION PRESERVE DO SET @x = 1',
            "CREATE EVENT ends ON SCHEDULE EVERY '1:30' HOUR_MINUTE STARTS "
            "'2030-06-01 00:00:00' ENDS '2037-01-01 00:00:00' DISABLE ON SLAVE "
            'DO SET @x = 2',
            "SET time_zone = 'SYSTEM'",
            "SET timestamp = UNIX_TIMESTAMP('2005-01-01')",
            "CREATE EVENT past ON SCHEDULE AT '2006-01-01 00:00:00' DISABLE "
            'DO SET @x = 3',
            "CREATE EVENT `over` ON SCHEDULE EVERY 1 DAY STARTS '2005-02-01' "
            "ENDS '2006-01-01' DISABLE DO SET @x = 4",
            'SET timestamp = DEFAULT',
            'ALTER DATABASE COLLATE utf8mb4_polish_ci',
            'CREATE FUNCTION polish(x VARCHAR(9)) RETURNS VARCHAR(9) '
            'RETURN x',
            "ALTER DATABASE COLLATE utf8mb4_swedish_ci COMMENT 'it''s\\n*/'",
        ]:
            cursor.execute(statement)


BUILDERS = {'lending': _load, 'types': _load, 'kinds': _load, 'names': _names,
            'programs': _programs, 'charsets': _charsets, 'modes': _modes}
SCHEMAS = list(BUILDERS)


def make(server, db):
    """Make one of SCHEMAS, under its own name."""
    BUILDERS[db](server, db)
    # Of programs that are made in a transaction: none is left open.
    server.sql('COMMIT', db)


# -- all that can be said of one --------------------------------------------

# What the information schema has of objects, but for when they were made and
# what they are estimated to hold.
FACTS = {
    'SCHEMATA': ('SCHEMA_NAME', 'DEFAULT_CHARACTER_SET_NAME, '
                 'DEFAULT_COLLATION_NAME, SCHEMA_COMMENT'),
    'COLUMNS': ('TABLE_SCHEMA', '*'),
    'VIEWS': ('TABLE_SCHEMA', '*'),
    'TRIGGERS': ('TRIGGER_SCHEMA', 'TRIGGER_NAME, EVENT_MANIPULATION, '
                 'EVENT_OBJECT_TABLE, ACTION_ORDER, ACTION_STATEMENT, '
                 'ACTION_TIMING, SQL_MODE, DEFINER, CHARACTER_SET_CLIENT, '
                 'COLLATION_CONNECTION, DATABASE_COLLATION'),
    'ROUTINES': ('ROUTINE_SCHEMA', 'SPECIFIC_NAME, ROUTINE_NAME, ROUTINE_TYPE,'
                 ' DTD_IDENTIFIER, ROUTINE_BODY, ROUTINE_DEFINITION, '
                 'IS_DETERMINISTIC, SQL_DATA_ACCESS, SECURITY_TYPE, SQL_MODE, '
                 'ROUTINE_COMMENT, DEFINER, CHARACTER_SET_CLIENT, '
                 'COLLATION_CONNECTION, DATABASE_COLLATION'),
    'PARAMETERS': ('SPECIFIC_SCHEMA', '*'),
    'EVENTS': ('EVENT_SCHEMA', 'EVENT_NAME, DEFINER, TIME_ZONE, EVENT_BODY, '
               'EVENT_DEFINITION, EVENT_TYPE, EXECUTE_AT, INTERVAL_VALUE, '
               'INTERVAL_FIELD, SQL_MODE, STARTS, ENDS, STATUS, ON_COMPLETION, '
               'EVENT_COMMENT, CHARACTER_SET_CLIENT, COLLATION_CONNECTION, '
               'DATABASE_COLLATION'),
}


def describe(server, db):
    """{what: what the server says of it}, of all objects and of all rows."""
    facts = {}
    with contextlib.closing(server.connect(db, use_unicode=False)) as link, \
            link.cursor() as cursor:
        def ask(query, *values):
            cursor.execute(query, values or None)
            return cursor.fetchall()

        cursor.execute("SET time_zone = '+00:00', "
                       'character_set_results = NULL')
        for table, (column, columns) in FACTS.items():
            for row in ask(f'SELECT {columns} FROM information_schema.{table} '
                           f'WHERE {column} = %s', db):
                key = (table,) + row[:{'COLUMNS': 4, 'PARAMETERS': 6}.get(
                    table, 3)]
                assert key not in facts, key
                facts[key] = row
        for table, kind in ask(
                'SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES '
                'WHERE TABLE_SCHEMA = %s', db):
            _describe_table(ask, facts, table.decode(), kind.decode())
        for kind, column, named in (
                ('ROUTINE', 'ROUTINE_TYPE', 'ROUTINE_NAME'),
                ('TRIGGER', "'TRIGGER'", 'TRIGGER_NAME'),
                ('EVENT', "'EVENT'", 'EVENT_NAME')):
            for which, who in ask(
                    f'SELECT {column}, {named} FROM information_schema.{kind}S'
                    f' WHERE {kind}_SCHEMA = %s', db):
                row, = ask(f'SHOW CREATE {which.decode()} {name(who.decode())}')
                # Without the time at which a trigger was made.
                facts['SHOW', which, who] = row[:6]
    return facts


def _describe_table(ask, facts, table, kind):
    quoted = name(table)
    facts['SHOW', 'TABLE', table] = ask(f'SHOW CREATE TABLE {quoted}')
    if kind == 'SEQUENCE':
        facts['rows', table] = ask(f'SELECT * FROM {quoted}')
    elif kind == 'SYSTEM VERSIONED':
        facts['rows', table] = sorted(ask(f'SELECT * FROM {quoted}'))
    elif kind == 'BASE TABLE':
        facts['rows', table] = ask(f'CHECKSUM TABLE {quoted} EXTENDED')


def dump_lines(server, db):
    """What mariadb-dump says of it, sorted: rows without a key come in any
    order.  Without rows of tables that have a history, which tell when they
    came; and without events: on some names of them it never ends."""
    options = ['--skip-opt', '--create-options', '--skip-comments', '--quick',
               '--routines', '--triggers', '--hex-blob', '--order-by-primary',
               *(f'--ignore-table-data={db}.{table}' for table in server.sql(
                   'SELECT table_name FROM information_schema.tables WHERE '
                   f"table_schema = '{db}' AND table_type = 'SYSTEM VERSIONED'"
               ).split())]
    result = subprocess.run([*DUMP, f'--socket={server.socket}', '-uroot',
                             *options, db], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, check=False, timeout=120)
    assert result.returncode == 0, result.stderr.decode()
    return sorted(result.stdout.splitlines())


def differences(wanted, found):
    """Of two descriptions; empty if they are equal."""
    return [(key, wanted.get(key), found.get(key))
            for key in sorted(wanted.keys() | found.keys(), key=repr)
            if wanted.get(key) != found.get(key)]
