#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write the SQL of a deterministic database to measure with: that of a web
shop, ten tables, 500 MB.

usage: gen_db.py | mariadb DATABASE
"""
import dataclasses
import random
import sys
import typing

BATCH = 500_000
NARROW_ROWS = 2_000_000
TYPICAL = ['😀', '日本語', 'Ünïcödé', 'привет', '𝒳', 'naïve', '—', '“q”', "it's",
           'a\\b', '"', 'line\nbreak']


class Values:
    """Literals of values as web sites have them."""

    def __init__(self, seed):
        self.rand = random.Random(seed)
        self.words = [''.join(self.rand.choices('etaoinshrdlu', k=length))
                      for length in self.rand.choices(range(2, 11), k=4000)]
        self.words += TYPICAL
        self.pool = [' '.join(self.rand.choices(self.words, k=700))
                     for _ in range(600)]

    def text(self, least, most):
        """Words, between so many characters."""
        length = self.rand.randint(least, most)
        page = self.rand.choice(self.pool)
        begin = self.rand.randrange(max(1, len(page) - length))
        return quoted(page[begin:begin + length])

    def word(self):
        return quoted(self.rand.choice(self.words))

    def bytes(self, least, most):
        """Bytes that do not compress."""
        return '0x' + self.rand.randbytes(
            self.rand.randint(least, most)).hex()

    def number(self, below):
        return self.rand.randrange(below)


def quoted(text):
    return "'" + text.replace('\\', '\\\\').replace("'", "\\'") + "'"


def moment(i):
    return f"'2024-0{1 + i % 9}-1{i % 10} 0{i % 10}:12:{i % 60:02d}'"


@dataclasses.dataclass
class Table:
    columns: str
    rows: int
    row: typing.Callable # of its number and Values: literals with commas
    engine: str = 'InnoDB'


ID = 'id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY'
NARROW = 'post INT NOT NULL, day DATE NOT NULL, hits INT NOT NULL'

TABLES = {
    'posts': Table(
        f'{ID}, author BIGINT, written DATETIME, title TEXT, '
        'content LONGTEXT, status VARCHAR(20), KEY (status, written)',
        44_000, lambda i, v: (
            f'{i},{v.number(999)},{moment(i)},{v.text(10, 60)},'
            f"{v.text(300, 3900)},'publish'")),
    'postmeta': Table(
        f'{ID}, post BIGINT, name VARCHAR(255), value LONGTEXT, '
        'KEY (post), KEY (name(191))',
        350_000, lambda i, v: f'{i},{i // 8},{v.word()},{v.text(5, 200)}'),
    'options': Table(
        f'{ID}, name VARCHAR(191), value LONGTEXT, autoload VARCHAR(20), '
        'UNIQUE KEY (name)',
        20_000, lambda i, v: f"{i},'option_{i}',{v.text(5, 2000)},'yes'"),
    'users': Table(
        f'{ID}, login VARCHAR(60), mail VARCHAR(100), hash VARCHAR(255)',
        50_000, lambda i, v: (
            f"{i},'user_{i}','u{i}@example.org','$2y$10${v.bytes(20, 20)}'")),
    'comments': Table(
        f'{ID}, post BIGINT, written DATETIME, body TEXT, KEY (post)',
        120_000, lambda i, v: (
            f'{i},{i // 5},{moment(i)},{v.text(20, 700)}')),
    'orders': Table(
        f'{ID}, total DECIMAL(12,2), x DOUBLE, y FLOAT, flags BIT(8), '
        "paid TIMESTAMP(6) NULL, state ENUM('new','paid','sent'), "
        "marks SET('gift','fast','big'), more JSON, note VARCHAR(500)",
        150_000, lambda i, v: (
            f'{i},{v.number(10**8) / 100:.2f},{v.rand.random() * 1e10!r},'
            f"{v.rand.random():.6f},b'{i % 256:08b}',"
            f"'2024-05-06 07:08:09.{i % 1_000_000:06d}',{1 + i % 3},{i % 8},"
            f"'{{\"a\":{i},\"b\":[1,2,\"x\"]}}',"
            + (v.text(60, 60) if i % 7 else 'NULL'))),
    'attachments': Table(
        f'{ID}, name VARCHAR(255), data LONGBLOB',
        1_800, lambda i, v: f"{i},'file_{i}.bin',{v.bytes(65536, 65536)}"),
    'sessions': Table(
        'id VARBINARY(32) NOT NULL PRIMARY KEY, ends INT, data MEDIUMBLOB',
        60_000, lambda i, v: (
            f'{v.bytes(32, 32)},{i},{v.bytes(50, 400)}')),
    'log': Table(
        f'{ID}, message TEXT',
        300_000, lambda i, v: f'{i},{v.text(30, 200)}', 'MyISAM'),
    'counters': Table(
        f'{ID}, {NARROW}',
        NARROW_ROWS, lambda i, v: (
            f"{i},{i // 40},'2024-01-{1 + i % 28:02d}',{v.number(5000)}")),
}


def write_rows(out, name, table, values):
    """Insert statements of half a megabyte each."""
    batch, size = [], 0
    for i in range(1, table.rows + 1):
        row = f'({table.row(i, values)})'
        batch.append(row)
        size += len(row)
        if size > BATCH or i == table.rows:
            out.write(f'INSERT INTO {name} VALUES {",".join(batch)};\n')
            batch, size = [], 0


def write(out, seed=7):
    """The whole database."""
    values = Values(seed)
    out.write('SET NAMES utf8mb4, unique_checks=0, autocommit=0;\n')
    for name, table in TABLES.items():
        out.write(f'CREATE TABLE {name} ({table.columns}) '
                  f'ENGINE={table.engine} CHARSET=utf8mb4;\n')
        write_rows(out, name, table, values)
        out.write('COMMIT;\n')


if __name__ == '__main__':
    if len(sys.argv) > 1:
        sys.exit(__doc__)
    write(sys.stdout)
