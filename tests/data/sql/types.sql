-- Every type of column, with the values at its edges and beyond.

SET NAMES utf8mb4;
SET time_zone = '+00:00';
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION';

CREATE TABLE integers (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  t TINYINT, tu TINYINT UNSIGNED, s SMALLINT, su SMALLINT UNSIGNED,
  m MEDIUMINT, mu MEDIUMINT UNSIGNED, i INT, iu INT UNSIGNED,
  b BIGINT, bu BIGINT UNSIGNED, z INT(8) ZEROFILL, o BOOLEAN
);
INSERT INTO integers VALUES
  (0, -128, 0, -32768, 0, -8388608, 0, -2147483648, 0,
   -9223372036854775808, 0, 0, FALSE),
  (1, 127, 255, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295,
   9223372036854775807, 18446744073709551615, 99999999, TRUE),
  (-5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE bits (a BIT, b BIT(7), c BIT(8), d BIT(33), e BIT(64) NOT NULL);
INSERT INTO bits VALUES
  (b'0', b'0', b'0', b'0', b'0'),
  (b'1', 39, 39, 0x15c5c5c5c, 0x275c0a0d00221a27),
  (1, 127, 255, 8589934591, 0xffffffffffffffff),
  (NULL, NULL, NULL, NULL, 1);

CREATE TABLE reals (
  id INT PRIMARY KEY, f FLOAT, f2 FLOAT(7,3), fu FLOAT UNSIGNED,
  d DOUBLE, d2 DOUBLE(20,5), n DECIMAL, n65 DECIMAL(65), n38 DECIMAL(65,38),
  nu DECIMAL(10,2) UNSIGNED
);
INSERT INTO reals VALUES
  (1, 0.1, 1234.567, 3.4028234e38, 0.1, 123456789012345.12345, 9999999999,
   99999999999999999999999999999999999999999999999999999999999999999,
   -123456789012345678901234567.12345678901234567890123456789012345678, 0.01),
  (2, 1e-45, -0.001, 1e-38, 5e-324, -0.00001, -9999999999,
   -99999999999999999999999999999999999999999999999999999999999999999,
   0.00000000000000000000000000000000000001, 99999999.99),
  (3, 16777217, 8, 0, 1.7976931348623157e308, 0, 0, 0, 0, 0),
  (4, 3.14159274, 3.142, 0.333333343, 3.141592653589793, 3.14159, 3, 3,
   3.14159265358979323846264338327950288420, 3.14),
  (5, -0e0, 0, 0, -0e0, 0, 0, 0, 0, 0),
  (6, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE times (
  id INT PRIMARY KEY, d DATE, t TIME, t6 TIME(6), dt DATETIME, dt6 DATETIME(6),
  ts TIMESTAMP NULL, ts6 TIMESTAMP(6) NULL, y YEAR
);
INSERT INTO times VALUES
  (1, '0000-00-00', '-838:59:59', '-838:59:59.999999', '0000-00-00 00:00:00',
   '0000-00-00 00:00:00.000000', '0000-00-00 00:00:00',
   '0000-00-00 00:00:00.000000', 0),
  (2, '9999-12-31', '838:59:59', '838:59:59.999999', '9999-12-31 23:59:59',
   '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07',
   '2038-01-19 03:14:07.999999', 2155),
  (3, '2024-00-00', '-00:00:01', '-00:00:00.000001', '2024-02-31 01:02:03',
   '1000-01-01 00:00:00.000001', '1970-01-01 00:00:01',
   '1970-01-01 00:00:01.000001', 1901),
  (4, '0001-01-01', '00:00:00', '00:00:00.1', '2023-03-26 02:30:00',
   '2023-10-29 02:30:00.5', '2023-03-26 01:30:00', '2023-10-29 00:30:00.5',
   1970),
  (5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE texts (
  id INT PRIMARY KEY, c CHAR(10), v VARCHAR(300), tt TINYTEXT, t TEXT,
  mt MEDIUMTEXT, lt LONGTEXT, bi BINARY(5), vb VARBINARY(300), tb TINYBLOB,
  b BLOB, mb MEDIUMBLOB, lb LONGBLOB
) CHARSET utf8mb4;
INSERT INTO texts VALUES
  (1, '', '', '', '', '', '', '', '', '', '', '', ''),
  (2, 'trailing  ', 'trailing  ', ' both ', '\0', '\\', '\'', 'ab', 'ab  ',
   '\0\0', 0x00ff27225c0a0d1a25, 0x27, 0x5c27),
  (3, 'é😀', '\'; DROP TABLE texts; -- ', '\\! touch canary',
   'a\r\nb\nc\rd\te\Zf', '/* */ # -- `', '`\'"\\', 0x0000000000, 0xc3,
   0xf09f98, 0x0d0a0d0a, 0x5c21, 0xed9fbfeda080),
  (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
-- Every byte there is, in every neighbourhood that matters.
INSERT INTO texts (id, vb, b) SELECT 1000 + seq, CHAR(seq),
  CONCAT('\'', CHAR(seq), '\\', CHAR(seq), '\n', CHAR(seq)) FROM seq_0_to_255;
INSERT INTO texts (id, lt, lb) VALUES
  (2000, REPEAT('long \'text\' ', 100000), REPEAT(0x00275c, 100000));

CREATE TABLE choices (
  id INT PRIMARY KEY,
  e ENUM('', 'a', 'it''s', '"', '\\', 'ü', 'a b', ' x', '0', '2'),
  s SET('a', 'it''s', '"', '\\', 'ü', ' x', '1', '2')
) CHARSET utf8mb4;
INSERT INTO choices VALUES (1, '', ''), (2, 'it''s', 'a,it''s'), (3, '\\', '\\'),
  (4, 'ü', 255), (5, '0', '2'), (6, NULL, NULL), (7, 1, 0), (8, ' x', ' x');
-- One that is none of them.
INSERT IGNORE INTO choices VALUES (9, 'nothing', 'nothing');

CREATE TABLE shapes (
  id INT PRIMARY KEY, g GEOMETRY, p POINT NOT NULL, l LINESTRING, o POLYGON,
  mp MULTIPOINT, ml MULTILINESTRING, mo MULTIPOLYGON, gc GEOMETRYCOLLECTION,
  SPATIAL KEY (p)
);
INSERT INTO shapes VALUES
  (1, ST_GeomFromText('POINT(1 2)', 4326), Point(-0.1, 1e300),
   ST_GeomFromText('LINESTRING(0 0,1 1,39 92)'),
   ST_GeomFromText('POLYGON((0 0,9 0,9 9,0 0),(1 1,2 1,2 2,1 1))'),
   ST_GeomFromText('MULTIPOINT(1 1,2 2)'),
   ST_GeomFromText('MULTILINESTRING((1 1,2 2),(3 3,4 4))'),
   ST_GeomFromText('MULTIPOLYGON(((0 0,9 0,9 9,0 0)))'),
   ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(2 2,3 3))')),
  (2, NULL, Point(0, 0), NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE others (
  id INT PRIMARY KEY, j JSON, u UUID, i6 INET6, n INET6 NOT NULL DEFAULT '::'
);
INSERT INTO others VALUES
  (1, '{"a": [1, "é😀", null, "\\u0000\\n\\"\\\\"]}',
   '00112233-4455-6677-8899-aabbccddeeff', '2001:db8::ff00:42:8329',
   '::ffff:192.0.2.128'),
  (2, 'null', '00000000-0000-0000-0000-000000000000', '::', '::1'),
  (3, NULL, NULL, NULL, DEFAULT);

-- What is made from others, or not seen, or made by default.
CREATE TABLE made (
  id INT NOT NULL AUTO_INCREMENT,
  a INT NOT NULL DEFAULT 5,
  b INT AS (a * 2) VIRTUAL,
  c VARCHAR(30) AS (CONCAT('it''s ', a, '\\', hidden)) PERSISTENT,
  hidden INT INVISIBLE DEFAULT 7,
  `hidden too` VARCHAR(10) NOT NULL INVISIBLE DEFAULT '',
  stamp TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
    ON UPDATE CURRENT_TIMESTAMP(3),
  e VARCHAR(40) DEFAULT (CONCAT(HEX(a), '-', 'x')),
  CONSTRAINT positive CHECK (a > 0),
  CONSTRAINT `it's` CHECK (e <> 'it''s \\ not'),
  PRIMARY KEY (id), KEY (b), KEY (c)
) AUTO_INCREMENT=77;
INSERT INTO made (a, hidden, `hidden too`, stamp, e) VALUES
  (1, 1, 'x', '2001-01-01 00:00:00.123', 'y'), (2, NULL, '', 0, NULL);
INSERT INTO made (id, a, stamp) VALUES (0, 3, '2001-01-01 00:00:00.001'),
  (-3, 4, '2001-01-01 00:00:00.999');
CREATE TABLE unseen (id INT INVISIBLE DEFAULT 3, v INT);
INSERT INTO unseen (id, v) VALUES (1, 2), (DEFAULT, NULL), (NULL, NULL);
CREATE TABLE only_made (a INT, b INT AS (a) VIRTUAL);
INSERT INTO only_made (a) VALUES (1), (NULL);

-- Rows that a constraint of today would not let in.
CREATE TABLE younger (a INT, b INT);
INSERT INTO younger VALUES (1, 2), (2, 1);
SET check_constraint_checks = 0;
ALTER TABLE younger ADD CONSTRAINT ordered CHECK (a < b);

-- Numbers given out: by the highest, and beyond it.
CREATE TABLE next_one (id TINYINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY);
INSERT INTO next_one VALUES (0), (3), (255);
CREATE TABLE next_none (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY)
  AUTO_INCREMENT=123456;
