# SPDX-License-Identifier: MIT
"""A MariaDB server of a test's own: data, socket, users and nobody else."""
import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

import pymysql

from vault import binary

# Small and fast, and yet what was committed outlives a killed server, though
# not a machine that loses power.
SETTINGS = {
    'innodb-buffer-pool-dump-at-shutdown': 'OFF',
    'innodb-buffer-pool-size': '32M',
    'innodb-flush-log-at-trx-commit': '2',
    'innodb-flush-method': 'nosync',
    'innodb-log-buffer-size': '2M',
    'innodb-log-file-size': '8M',
    'key-buffer-size': '1M',
    'max-allowed-packet': '64M',
    'performance-schema': 'OFF',
    'skip-name-resolve': 'ON',
}

CLIENT = ['mariadb', '--no-defaults', '--default-character-set=utf8mb4']
DUMP = ['mariadb-dump', '--no-defaults', '--default-character-set=utf8mb4']
# What a test asks itself is no concern of the limits that it sets.
UNLIMITED = 'SET SESSION max_statement_time=0'
# Equal databases give equal texts, a line for each row.
COMPARABLE = ['--skip-opt', '--create-options', '--skip-comments', '--quick',
              '--single-transaction', '--routines', '--events', '--triggers',
              '--hex-blob', '--order-by-primary']


def run(command, **kwargs):
    """Run a tool that must succeed; what it wrote, as bytes."""
    result = subprocess.run(command, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, check=False, **kwargs)
    assert result.returncode == 0, (
        command[0], result.stderr.decode('utf-8', 'replace'))
    return result.stdout


def _install(folder):
    command = ['mariadb-install-db', '--no-defaults', f'--datadir={folder}',
               '--auth-root-authentication-method=normal', '--skip-test-db',
               '--force', # the machine's name need not be known anywhere
               '--innodb-log-file-size=8M', '--innodb-flush-method=nosync']
    if os.geteuid() == 0:
        command.append('--user=root')
    run(command)


def template():
    """A data directory as a new server has it, made once for each build."""
    version = run(['mariadbd', '--no-defaults', '--version'],
                  env={**os.environ, 'PATH': search_path()})
    version = version.decode().split('Ver ')[1].split()[0]
    ready = pathlib.Path(binary('CLI')).parent / f'mariadb-{version}'
    with open(f'{ready}.lock', 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            made = pathlib.Path(f'{ready}.new')
            shutil.rmtree(made, ignore_errors=True)
            _install(made)
            made.rename(ready)
    return ready


def search_path():
    return os.environ['PATH'] + ':/usr/sbin:/sbin'


class Mariadb:
    def __init__(self, user=None, tcp=False, data=None, **settings):
        """user: whom the server runs as, else who runs the test; tcp: on a
        free port of 127.0.0.1 too; data: a data directory to be used where
        it is, else a new one; settings: further ones of mariadbd, with _ for
        -, that go before those above."""
        self.user = user
        self.port = None
        self.process = None
        self.may_be_away = False # whoever writes into it must try again
        # A short path: the socket's has room for 107 bytes.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='stepvault-db-'))
        self.folder.chmod(0o755)
        self.socket = str(self.folder / 's')
        self.data = data or shutil.copytree(template(), self.folder / 'data')
        (self.folder / 'tmp').mkdir()
        self.settings = {**SETTINGS, 'tmpdir': str(self.folder / 'tmp')}
        self.configure(**settings)
        if tcp:
            with socket.socket() as sock:
                sock.bind(('127.0.0.1', 0))
                self.port = sock.getsockname()[1]
            self.configure(bind_address='127.0.0.1', port=self.port)
        else:
            self.configure(skip_networking='ON')
        if user:
            run(['chown', '-R', user, str(self.folder)])

    def configure(self, **settings):
        """Change settings, for the next start; None: none of that name."""
        for name, value in settings.items():
            self.settings[name.replace('_', '-')] = value

    # -- life --------------------------------------------------------------

    def start(self):
        options = [f'--{name}={value}' for name, value in
                   self.settings.items() if value is not None]
        if os.geteuid() == 0:
            options.append(f'--user={self.user or "root"}')
        with open(self.folder / 'log', 'ab') as log:
            self.process = subprocess.Popen(
                [shutil.which('mariadbd', path=search_path()),
                 '--no-defaults', f'--datadir={self.data}',
                 f'--socket={self.socket}', f'--pid-file={self.folder}/pid',
                 *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder)
        for _ in range(3000):
            with contextlib.suppress(OSError), \
                    socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(10)
                sock.connect(self.socket)
                if sock.recv(1):
                    return self
            assert self.process.poll() is None, self.log()
            time.sleep(0.01)
        raise AssertionError(self.log())

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        """End it in order."""
        self.process.terminate()
        self.process.wait(60)
        self.process = None

    def kill(self):
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def log(self):
        return (self.folder / 'log').read_text('utf-8', 'replace')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- use ---------------------------------------------------------------

    def _where(self, user, password):
        """Who a tool is to be, and where; password: None for none."""
        return [f'--socket={self.socket}', f'--user={user}',
                *([f'--password={password}'] if password else [])]

    def sql(self, text, db=None, user='root', password=None):
        """Run statements through the stock client; what it prints: lines of
        values with tabs between."""
        return run([*CLIENT, *self._where(user, password), '--batch',
                    f'--init-command={UNLIMITED}',
                    '--skip-column-names', *([db] if db else [])],
                   input=text.encode()).decode('utf-8', 'surrogateescape')

    def connect(self, db=None, user='root', password='', **kwargs):
        """A connection, for what the stock client is too slow for."""
        return pymysql.connect(
            unix_socket=self.socket, user=user, password=password,
            database=db, charset='utf8mb4', autocommit=True,
            init_command=UNLIMITED, **kwargs)

    def create(self, *names, charset='utf8mb4'):
        """Make databases, new and empty."""
        for name in names:
            quoted = '`' + name.replace('`', '``') + '`'
            self.sql(f'DROP DATABASE IF EXISTS {quoted}; '
                     f'CREATE DATABASE {quoted} CHARACTER SET {charset}')

    def url(self, name, user='root', password=None, host=None, port=None,
            **options):
        """What stands behind 'database =' for a database of this server: by
        its socket, or by a host."""
        def quote(text):
            return urllib.parse.quote(str(text), safe='')

        if host is None:
            options = {'socket': self.socket, **options}
        who = quote(user) + (f':{quote(password)}' if password else '')
        where = (host or 'localhost') + (f':{port}' if port else '')
        query = '&'.join(f'{key}={quote(value)}'
                         for key, value in options.items())
        return f'mysql://{who}@{where}/{quote(name)}' + (
            f'?{query}' if query else '')

    def load(self, db, *files, user='root', password=None):
        """Load SQL files in order, each by a client of its own."""
        for file in files:
            with open(file, 'rb') as text:
                run([*CLIENT, *self._where(user, password), db], stdin=text)

    def restore(self, db, unpacked, label=None):
        """Load the members of an unpacked archive as the README says."""
        folders = list(pathlib.Path(unpacked, 'databases').iterdir())
        folder = next(f for f in folders if label in (None, f.name))
        assert label or len(folders) == 1, folders
        with subprocess.Popen(['cat', *sorted(folder.glob('*.sql'))],
                              stdout=subprocess.PIPE) as cat:
            run([*CLIENT, *self._where('root', None), '--binary-mode', db],
                stdin=cat.stdout)

    def dump(self, db, *options):
        """All of a database as text that is equal for equal databases; a
        table without a key may give its rows in any order."""
        return run([*DUMP, *self._where('root', None), *COMPARABLE,
                    *options, db])

    def tables(self, db):
        """The names of its tables, without views and sequences."""
        with contextlib.closing(self.connect()) as connection, \
                connection.cursor() as cursor:
            cursor.execute(
                'SELECT table_name FROM information_schema.tables '
                'WHERE table_schema = %s AND table_type IN '
                "('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY 1", (db,))
            return [name for name, in cursor.fetchall()]

    def checksums(self, db):
        """{table: checksum of its rows, in whatever order}."""
        sums = {}
        with contextlib.closing(self.connect(db)) as connection, \
                connection.cursor() as cursor:
            for name in self.tables(db):
                quoted = '`' + name.replace('`', '``') + '`'
                cursor.execute(f'CHECKSUM TABLE {quoted} EXTENDED')
                sums[name] = cursor.fetchone()[1]
        return sums
