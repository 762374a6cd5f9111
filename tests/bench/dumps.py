# SPDX-License-Identifier: MIT
"""Figures of databases: dumps over the redirect chain against mariadb-dump,
what they cost to load, and their memory."""
import contextlib
import os
import pathlib
import subprocess
import time

import databases
import mariadb
import trees
from backups import Chain, phase
from measure import Cost, Row, alternate, peak_memory, ratio, say, settle, show
from vault import Vault

MEMORY_BAR = 32 * 2**20


def bare_site(bench):
    """A site of next to nothing, so that the time is the database's."""
    site = bench.scratch / 'bare'
    trees.write(f'{site}/index.html', 'a site')
    return site


@contextlib.contextmanager
def chain(bench, server, name, step):
    """Backups of one database."""
    with Chain(bare_site(bench), step,
               databases.lines(server, name)) as backups:
        yield backups


def by_mariadb_dump(bench, server, name):
    """What mariadb-dump and zstd take, until their file is on the disk."""
    target = bench.scratch / 'dump.sql.zst'
    command = (f'mariadb-dump --no-defaults --socket={server.socket} '
               f'--user=root --single-transaction --quick {name} | '
               f'zstd -q -3 -T1 -f -o {target}')
    settle()
    begin = time.perf_counter()
    subprocess.run(['bash', '-o', 'pipefail', '-c', command], check=True)
    with open(target, 'rb') as file:
        os.fsync(file)
    wall = time.perf_counter() - begin
    target.unlink()
    return Cost(wall)


def walls(costs):
    return [cost.wall for cost in costs]


# -- time ---------------------------------------------------------------------


def dump(bench):
    """500 MB over the redirect chain, against mariadb-dump | zstd."""
    with databases.running(bench.sites.folder) as server, \
            chain(bench, server, 'shop', 'max = 2s') as ours:
        by_mariadb_dump(bench, server, 'shop') # reads what is cold
        costs = alternate(bench.runs, ours.follow,
                          lambda: by_mariadb_dump(bench, server, 'shop'))
        note = f'{ours.hops} hops, dump alone {dump_seconds(ours)} s'
    yield ratio('500 MB of tables, wall time',
                ('nginx, curl, max = 2s', 'mariadb-dump, zstd -3'),
                *map(walls, costs), 's', 0.7, note)


def dump_seconds(backups):
    """Of the last backup, by its record."""
    return f'{phase(backups.records[-1], "dump") / 1000:.2f}'


def dump_hops(bench):
    """500 MB in steps of 200 ms, against steps of 10 s."""
    with databases.running(bench.sites.folder) as server, \
            chain(bench, server, 'shop', 'max = 200ms') as short, \
            chain(bench, server, 'shop', 'max = 10s') as long:
        long.follow()
        costs = alternate(bench.runs, short.follow, long.follow)
        note = f'{short.hops} and {long.hops} hops'
    yield ratio('500 MB of tables, short steps against long ones',
                ('max = 200ms', 'max = 10s'), *map(walls, costs), 's', 1.1,
                note)


def keyless(bench):
    """2,000,000 rows without a primary key, against the same with one."""
    with databases.running(bench.sites.folder) as server, \
            chain(bench, server, 'keyless', 'max = 200ms') as without, \
            chain(bench, server, 'keyed', 'max = 200ms') as with_key:
        with_key.follow()
        costs = alternate(bench.runs, without.follow, with_key.follow)
        note = f'max = 200ms, {without.hops} and {with_key.hops} hops'
    yield ratio('2,000,000 rows without a key', ('without', 'with a key'),
                *map(walls, costs), 's', 1.5, note)


# -- loading ------------------------------------------------------------------


def load(bench):
    """Loading the dump by the stock client, against mariadb-dump's."""
    with databases.running(bench.sites.folder) as server:
        folder = bench.folder()
        ours = our_text(folder, bare_site(bench), server)
        theirs = folder / 'theirs.sql'
        with open(theirs, 'wb') as file:
            subprocess.run([
                'mariadb-dump', '--no-defaults', '--user=root',
                f'--socket={server.socket}', '--single-transaction',
                '--quick', 'shop'], check=True, stdout=file)
        costs = alternate(bench.runs, lambda: loaded(server, ours),
                          lambda: loaded(server, theirs))
        server.sql('DROP DATABASE loaded')
        note = (f'{show(ours.stat().st_size, "MB")} and '
                f'{show(theirs.stat().st_size, "MB")} of text')
    yield ratio('loading 500 MB of tables', ('our text', "mariadb-dump's"),
                *map(walls, costs), 's', 1.0, note)


def our_text(folder, site, server):
    """All that an archive has of the database, in one file."""
    with Vault(folder / 'ours', site,
               profile=databases.lines(server, 'shop')) as vault:
        vault.cli('run')
        target = trees.unpack(vault.parts(), str(folder / 'unpacked'))
    members = sorted(pathlib.Path(target, 'databases/shop').glob('*.sql'))
    whole = folder / 'ours.sql'
    with open(whole, 'wb') as file:
        subprocess.run(['cat', *members], check=True, stdout=file)
    return whole


def loaded(server, text):
    """What it takes to load a text into a new database."""
    server.create('loaded')
    settle()
    begin = time.perf_counter()
    with open(text, 'rb') as file:
        subprocess.run([*mariadb.CLIENT, f'--socket={server.socket}',
                        '--user=root', 'loaded'], check=True, stdin=file)
    return Cost(time.perf_counter() - begin)


# -- memory -------------------------------------------------------------------


def peaks(bench, server, name):
    """Peak memory of the FastCGI process and of the companion, in a chain."""
    most = {}
    with Vault(bench.folder(), bare_site(bench), step='max = 2s',
               profile=databases.lines(server, name)) as vault:
        vault.start()

        def look(*_):
            for who, pid in (('step', vault.process.pid),
                             ('companion', vault.companion())):
                if pid is not None:
                    most[who] = max(most.get(who, 0), peak_memory(pid))

        answer = vault.chain(visit=look)
        assert answer.text.startswith('200 OK\n'), answer.text
    return most['step'], most['companion']


def dump_memory(bench):
    """Peak memory of step and companion, 500 MB and rows of 64 MiB."""
    with databases.running(bench.sites.folder) as server:
        for name, what, row in (
                ('shop', '500 MB of tables', 0),
                ('big', 'rows of 64 MiB', databases.BIG_ROW)):
            say(f'memory of {what}')
            step, companion = peaks(bench, server, name)
            yield Row(f'peak memory, {what}',
                      f'step {show(step, "MiB")}, '
                      f'companion {show(companion, "MiB")}',
                      max(step, companion), MEMORY_BAR + 3 * row, 'MiB')


FIGURES = (dump, dump_hops, keyless, load, dump_memory)
