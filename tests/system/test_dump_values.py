# SPDX-License-Identifier: MIT
"""Values of every type and character set come back as they were, bit by
bit."""
import os
import random
import struct

import pytest

from dumper import round_trip

SEED = int(os.environ.get('STEPVAULT_SEED', random.randrange(1 << 32)))

# What must not be taken for anything but data.
HOSTILE = ("", "'", "\\", "\\'", "''", '"', '`', "\0", "\n", "\r\n", "\x1a",
           "\\n", "\\0", "%", "\\%", "*/", "/*", "/*!50000 ", "-- ", "#", ";",
           "';DROP TABLE t;--", "\n\\! touch /tmp/x\n", "\\! id", "\ndelimiter $$\n",
           "NULL", "\tx\t", " ", "  x  ", "€", "😀", "日本語", "é",
           "\x7f\x80\x9f\xa0\xad\u2028", "x" * 70000, "'" * 70000)


def literal(text):
    return f"_utf8mb4 X'{text.encode().hex()}'"


def make(server, db, columns, rows, mode=''):
    server.create(db)
    server.sql(f"SET sql_mode='{mode}', time_zone='+00:00';"
               f'CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, {columns});'
               + ''.join(f'INSERT INTO t VALUES (NULL, {row});'
                         for row in rows), db)


@pytest.mark.parametrize('kind', [
    'TEXT', 'LONGTEXT', 'BLOB', 'TEXT CHARACTER SET utf8mb3',
    'TEXT CHARACTER SET utf16', 'TEXT CHARACTER SET utf32',
    'TEXT CHARACTER SET latin1', 'TEXT CHARACTER SET sjis', 'MEDIUMTEXT '
    'COMPRESSED', 'VARCHAR(300)', 'VARBINARY(300)', 'JSON'])
def test_hostile_texts(server, kind):
    values = [literal(text) for text in HOSTILE]
    if kind == 'JSON':
        values = [f'JSON_QUOTE({value})' for value in values]
    make(server, 'texts', f'v {kind}', [*values, 'NULL', values[1], 'NULL'])
    for size in '-b1', '-b100000':
        round_trip(server, 'texts', size)


def test_every_byte_of_every_character_set(server):
    """All that a text may hold, whether it is a character or not: half of it
    would be lost on the way to utf8mb4 and back."""
    server.create('charsets')
    charsets = server.sql(
        'SELECT character_set_name, maxlen FROM information_schema.'
        "character_sets WHERE character_set_name != 'binary'").splitlines()
    for name, width in (line.split('\t') for line in charsets):
        server.sql(
            f'CREATE TABLE {name} (id INT PRIMARY KEY, v TEXT CHARACTER SET '
            f'{name}); INSERT IGNORE INTO {name} SELECT seq, CONVERT(UNHEX('
            f'LPAD(HEX(seq), 2, 0)) USING {name}) FROM seq_0_to_255;'
            f'INSERT IGNORE INTO {name} SELECT 256 + seq, CONVERT(UNHEX(LPAD('
            f'HEX(seq), 4, 0)) USING {name}) FROM seq_0_to_65535;', 'charsets')
        if int(width) > 2:
            server.sql(
                f'INSERT IGNORE INTO {name} SELECT 70000 + seq, CONVERT('
                f'CHAR(seq USING utf32) USING {name}) FROM seq_0_to_120000 '
                'WHERE seq NOT BETWEEN 0xD800 AND 0xDFFF;', 'charsets')
    round_trip(server, 'charsets')


def reals(dice, count):
    """Numbers of which all bits matter, as SQL."""
    for number in (0.0, 1.0, -1.0, 0.1, 1 / 3, 16777217.0, 5e-324, 1e-45,
                   1.7976931348623157e308, 2.2250738585072014e-308,
                   3.4028234663852886e38, 1.1754943508222875e-38):
        yield repr(number)
    for _ in range(count):
        yield repr(dice.uniform(-1000, 1000))
        number = struct.unpack('<d', dice.randbytes(8))[0]
        if abs(number) < 1e308:
            yield repr(number)
        number = struct.unpack('<f', dice.randbytes(4))[0]
        if abs(number) < 3e38:
            yield repr(number)


def test_reals_bit_by_bit(server):
    print(f'STEPVAULT_SEED={SEED}')
    dice = random.Random(SEED)
    make(server, 'reals', 'd DOUBLE, f FLOAT, u DOUBLE UNSIGNED ZEROFILL, '
         'z FLOAT ZEROFILL, m FLOAT(7,4), n DOUBLE(20,3), o DOUBLE(53,30), '
         'p FLOAT(30,10)',
         [','.join([number] * 8) for number in reals(dice, 300)] +
         # Too small for a FLOAT, and yet below 0.
         [','.join(['-1e-50'] * 8), 'NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL'])
    round_trip(server, 'reals')
    below = [server.sql('SELECT COUNT(*) FROM t WHERE f = 0 AND ATAN2(f, -1) '
                        '< 0', db) for db in ('reals', 'reals_copy')]
    assert below[0] == below[1] != '0\n'


def test_other_types(server):
    server.create('types')
    server.sql(r'''
        SET sql_mode='ALLOW_INVALID_DATES', time_zone='+00:00';
        CREATE TABLE dates (id SERIAL, d DATE, t DATETIME(6), s TIMESTAMP(6)
            NULL, z TIMESTAMP NOT NULL, y YEAR, h TIME(6), k TIME);
        INSERT INTO dates VALUES
            (1, 0, 0, 0, 0, 0, 0, 0),
            (2, '2020-02-31', '2020-00-00', '1970-01-01 00:00:01',
             '2038-01-19 03:14:07', 1901, '-838:59:59.999999', '-00:00:01'),
            (3, '9999-12-31', '9999-12-31 23:59:59.999999',
             '2024-03-31 02:30:00.000001', '2024-10-27 02:30:00', 2155,
             '00:00:00.000001', '838:59:59'),
            (4, NULL, NULL, NULL, '2024-01-01', NULL, NULL, NULL);
        CREATE TABLE bits (id SERIAL, a BIT, b BIT(64), c BIT(33));
        INSERT INTO bits VALUES (1, 0, 0, 0), (2, 1, ~0, b'1'),
            (3, NULL, 0x2700, 39), (4, 1, 0x5c27220a0d001a00, 92);
        CREATE TABLE shapes (id SERIAL, g GEOMETRY, p POINT NOT NULL,
            m MULTIPOLYGON, SPATIAL KEY (p));
        INSERT INTO shapes VALUES
            (1, NULL, POINT(1, 2), NULL),
            (2, ST_GEOMFROMTEXT('LINESTRING(0 0,1e300 -1e-300)', 4326),
             ST_GEOMFROMTEXT('POINT(39 92)', 3857),
             ST_GEOMFROMTEXT('MULTIPOLYGON(((0 0,0 3,3 3,3 0,0 0)))')),
            (3, ST_GEOMFROMTEXT('GEOMETRYCOLLECTION(POINT(1 1))'),
             POINT(0.1, -0.0), NULL);
        CREATE TABLE nets (id SERIAL, u UUID, a INET6, b INET4);
        INSERT INTO nets VALUES (1, UUID(), '::1', '127.0.0.1'),
            (2, '00000000-0000-0000-0000-000000000000', 'ffff::', '0.0.0.0'),
            (3, NULL, '::ffff:1.2.3.4', NULL);
        CREATE TABLE numbers (id BIGINT UNSIGNED PRIMARY KEY, a BIGINT,
            b DECIMAL(65,30), c DECIMAL(65), d TINYINT(3) ZEROFILL, e BOOL);
        INSERT INTO numbers VALUES (0, -9223372036854775808,
             -0.000000000000000000000000000001, 1e64, 7, TRUE),
            (18446744073709551615, 9223372036854775807,
             99999999999999999999999999999999999.999999999999999999999999999999,
             -1e64, 255, NULL);
        CREATE TABLE jsons (id SERIAL, j JSON);
        INSERT INTO jsons VALUES (1, '{"a":"\\u0000\\n\\"\'\\\\","b":[1e999]}'),
            (2, 'null'), (3, NULL), (4, '"😀"');
        CREATE TABLE lists (id SERIAL, e ENUM('a','b''c','d,e','\\','') ,
            f ENUM('x','ä') CHARACTER SET utf16, g ENUM('x','ß') CHARACTER SET
            latin1, h SET('a','b''c','\\','') , i SET('x','é','z')
            CHARACTER SET sjis, j ENUM('ÿ') CHARACTER SET binary);
        SET sql_mode='';
        INSERT INTO lists SELECT seq + 1, seq % 6, seq % 3, seq % 3, seq % 16,
            seq % 8, seq % 2 FROM seq_0_to_47;
        INSERT INTO lists (id) VALUES (100);
        ''', 'types')
    for size in '-b1', '-b3000', '-b4000000':
        round_trip(server, 'types', size)


def test_columns_that_are_not_inserted(server):
    """Generated ones come by themselves; invisible ones are named; and there
    are tables to which nothing can be given but the number of rows."""
    server.create('columns')
    server.sql('''
        CREATE TABLE generated (a INT, v INT AS (a + 1) VIRTUAL, b INT,
            s VARCHAR(20) AS (CONCAT(a, '/', b)) STORED, KEY (v));
        INSERT INTO generated (a, b) VALUES (1, 2), (NULL, 3);
        CREATE TABLE invisible (a INT INVISIBLE DEFAULT 7, b INT);
        INSERT INTO invisible (a, b) VALUES (1, 2), (3, 4);
        CREATE TABLE nothing (v INT AS (1) VIRTUAL, s INT AS (2) STORED);
        INSERT INTO nothing () VALUES (), (), ();
        CREATE TABLE defaults (id SERIAL, a INT DEFAULT (1 + 1), t TIMESTAMP
            DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, u INT NOT
            NULL DEFAULT (a * 2));
        INSERT INTO defaults VALUES (1, NULL, '2001-01-01', 5);
        CREATE TABLE zero (id INT AUTO_INCREMENT PRIMARY KEY, a INT);
        INSERT INTO zero VALUES (-5, 1), (7, 2);
        UPDATE zero SET id = 0 WHERE id = 7;
        CREATE TABLE empty (a INT);
        CREATE TABLE `a``b "c" 'd' -- é €` (a INT);
        INSERT INTO `a``b "c" 'd' -- é €` VALUES (1);
        CREATE TABLE checked (a INT CHECK (a > 0), CONSTRAINT c CHECK (a < 9));
        SET check_constraint_checks=0;
        INSERT INTO checked VALUES (5), (-1), (100);
        CREATE TABLE names (`a``b` INT, `c"d` INT, `e'f` INT, `select` INT,
            `g
            h` INT, `*/` INT, `-- x` INT, `;` INT);
        INSERT INTO names VALUES (1, 2, 3, 4, 5, 6, 7, 8);
        ''', 'columns')
    for size in '-b1', '-b4000000':
        round_trip(server, 'columns', size, unsummed=['generated', 'nothing'])
        for db in 'columns', 'columns_copy':
            assert server.sql('SELECT * FROM generated ORDER BY b', db) == (
                '1\t2\t2\t1/2\nNULL\tNULL\t3\tNULL\n')
            assert server.sql('SELECT * FROM nothing', db) == '1\t2\n' * 3
        following = [server.sql(
            'INSERT INTO zero (a) VALUES (3); SELECT MAX(id) FROM zero; '
            'DELETE FROM zero WHERE a = 3', db)
                     for db in ('columns', 'columns_copy')]
        assert following[0] == following[1] != '1\n'
