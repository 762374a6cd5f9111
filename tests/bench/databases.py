# SPDX-License-Identifier: MIT
"""The server and the databases that are measured with, made once and kept for
the next time."""
import contextlib
import io
import shutil
import subprocess

import gen_db
import mariadb
from measure import say

BIG_ROWS = 4
BIG_ROW = 64 * 2**20
PASSWORD = 'the password of the benchmark'


def make(server):
    """shop: all of gen_db; keyed and keyless: its table of narrow rows, alone;
    big: rows of 64 MiB."""
    server.create('shop', 'keyed', 'keyless', 'big')
    command = [*mariadb.CLIENT, f'--socket={server.socket}', '--user=root',
               'shop']
    with subprocess.Popen(command, stdin=subprocess.PIPE) as client:
        with io.TextIOWrapper(client.stdin, 'utf-8') as text:
            gen_db.write(text)
    assert client.returncode == 0
    server.sql('CREATE TABLE keyed.counters LIKE shop.counters; '
               f'CREATE TABLE keyless.counters (id BIGINT UNSIGNED NOT NULL, '
               f'{gen_db.NARROW})')
    for name in ('keyed', 'keyless'):
        server.sql(f'INSERT INTO {name}.counters SELECT * FROM shop.counters '
                   'ORDER BY id')
    server.sql('CREATE TABLE blobs (id INT PRIMARY KEY, data LONGBLOB)', 'big')
    for i in range(BIG_ROWS):
        server.sql(f'INSERT INTO blobs VALUES ({i}, REPEAT(RANDOM_BYTES(1024), '
                   f'{BIG_ROW // 1024}))', 'big')
    server.sql(f"CREATE USER shop IDENTIFIED BY '{PASSWORD}'; "
               "GRANT ALL ON *.* TO shop")


def settings():
    """As Debian's package has them, with room for large rows, and for all of
    them in memory: it is the dumps that are measured, not the disk."""
    return {**dict.fromkeys(mariadb.SETTINGS), 'max_allowed_packet': '256M',
            'innodb_buffer_pool_size': '1G'}


@contextlib.contextmanager
def running(folder):
    """The server, with the databases that make() makes."""
    ready = folder / 'mariadb'
    if not ready.exists():
        say(f'making {ready}, of 1.3 GB')
        unfinished = folder / 'mariadb.unfinished'
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(mariadb.template(), unfinished)
        with mariadb.Mariadb(data=unfinished, **settings()) as server:
            make(server.start())
            server.stop()
        unfinished.rename(ready)
    with mariadb.Mariadb(data=ready, **settings()) as server:
        yield server.start()
        server.stop()


def lines(server, name):
    """What a profile says of a database."""
    url = server.url(name, 'shop', PASSWORD)
    return f'database = {url}'
