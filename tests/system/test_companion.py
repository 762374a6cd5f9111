# SPDX-License-Identifier: MIT
"""The companion among real web servers, databases and hosts that kill: who
starts it, who finds it, and what it costs when it is gone."""
import contextlib
import fcntl
import os
import pathlib
import random
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest

import companion
import servers
import trees
from servers import wait_for
from vault import Vault, binary

ROWS = 200000


@pytest.fixture(scope='module')
def shop(server):
    """A database that takes some dozen steps of 50 ms."""
    server.create('shop')
    server.sql('CREATE TABLE goods (id INT PRIMARY KEY, name VARCHAR(255)); '
               'INSERT INTO goods SELECT seq, REPEAT(SHA2(seq, 256), 3) '
               f'FROM seq_1_to_{ROWS}', 'shop')
    return server


@pytest.fixture
def vault(make_vault, shop, tmp_path):
    trees.write(f'{tmp_path}/site/file', 'x')
    return make_vault(tmp_path / 'site', step='max = 50ms',
                      profile=f'database = {shop.url("shop")}\n'
                              'compress = none')


def target(answer):
    assert answer.status == 302, answer.text
    return urllib.parse.urljoin('/stepvault/backup', answer.location)


def step_into_rows(vault, url=None):
    """Step until rows were read under a snapshot, but not all of them: the
    next step."""
    url = url or vault.url()
    for _ in range(1000):
        url = target(vault.get(url))
        state = vault.state()
        if state['dump.token'] and state['dump.place.rows']:
            return url
    raise AssertionError('no row is ever read')


def finish(vault, url, restarts):
    """Follow to the end: all rows of one snapshot, begun so often anew."""
    answer = vault.chain(url)
    assert answer.text.startswith('200 OK\n'), answer.text + vault.log()
    database, = vault.record()['database_list']
    assert database['consistency'] == 'snapshot', vault.log()
    assert database['rows'] == ROWS
    assert database['restarts'] == restarts, vault.log()


def open_files(pid):
    """{descriptor: what it is}"""
    found = {}
    for name in os.listdir(f'/proc/{pid}/fd'):
        with contextlib.suppress(OSError):
            found[int(name)] = os.readlink(f'/proc/{pid}/fd/{name}')
    return found


def assert_nothing_of_others(pid, data):
    """It has nothing open but /dev/null, its own files, sockets and timers."""
    files = open_files(pid)
    assert all(files.pop(fd) == '/dev/null' for fd in range(3)), files
    strange = [what for what in files.values() if not what.startswith(
        (str(data), 'socket:', 'anon_inode:'))]
    assert not strange
    environ = pathlib.Path(f'/proc/{pid}/environ').read_bytes()
    names = {word.split(b'=')[0] for word in environ.split(b'\0') if word}
    assert not names & {b'REQUEST_METHOD', b'QUERY_STRING', b'REMOTE_ADDR',
                        b'GATEWAY_INTERFACE'}, names
    assert not [name for name in names if name.startswith(b'HTTP_')]
    assert os.readlink(f'/proc/{pid}/cwd') == '/'


@contextlib.contextmanager
def in_foreground(vault):
    """'stepvault companion', which ends well."""
    with subprocess.Popen(
            [binary('CLI'), '--config', str(vault.conf), 'companion'],
            stdin=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: is_listening(vault.data), 'companion')
            yield process
        finally:
            process.terminate()
        # What a sanitizer finds is an end of another kind.
        assert process.wait(60) == 0


def is_listening(data):
    with contextlib.suppress(OSError), companion.connect(data):
        return True
    return False


def zombies(parents):
    """Processes that have ended and that one of the parents has not missed."""
    found = []
    for entry in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError):
            stat = pathlib.Path(f'/proc/{entry}/stat').read_text()
            state, parent = stat.rpartition(') ')[2].split()[:2]
            if state == 'Z' and int(parent) in parents:
                found.append(entry)
    return found


# -- who finds it -------------------------------------------------------------


def test_one_for_all(vault, tmp_path):
    """Two servers of one data directory take turns, and the command line
    comes between; all have the same companion, and the same snapshot."""
    other = Vault(tmp_path / 'other', vault.site)
    other.conf, other.data = vault.conf, vault.data
    with other:
        vault.start()
        other.start()
        url = step_into_rows(vault)
        first = vault.companion()
        assert first
        assert_nothing_of_others(first, vault.data)
        for turn in range(6):
            url = target((other if turn % 2 else vault).get(url))
            assert vault.companion() == first
        vault.cli('list')
        vault.cli('config', 'check')
        finish(other, url, 0)
        assert vault.companion() == first
        assert zombies([vault.process.pid, other.process.pid]) == []
    log = companion.log(vault.data)
    assert log.count('the companion is here') == 1
    assert log.count('the snapshot is taken: MariaDB') == 1
    assert log.count('is let go: it was read to its end') == 1


def test_command_line_goes_on(vault):
    """What a web server began with a snapshot, 'stepvault run' ends with the
    same."""
    vault.start()
    step_into_rows(vault)
    vault.stop()
    vault.cli('run', '--resume')
    database, = vault.record()['database_list']
    assert (database['rows'], database['restarts']) == (ROWS, 0)


def test_under_a_service_manager(vault):
    """In the foreground, before all others; it can be the only one."""
    with in_foreground(vault) as process:
        second = vault.cli('companion', check=False)
        assert second.returncode == 5
        assert 'has a companion already' in second.stderr
        vault.start()
        finish(vault, vault.url(), 0)
        assert vault.companions() == [process.pid]
    assert not (vault.data / companion.SOCKET).exists()
    assert 'the companion leaves: SIGTERM' in companion.log(vault.data)


def test_password_file(vault, shop):
    """Passwords do not pass through the socket: the companion reads them
    itself, and anew for each snapshot."""
    shop.sql("CREATE OR REPLACE USER reader IDENTIFIED BY 'p w'; "
             'GRANT SELECT, SHOW VIEW ON shop.* TO reader')
    password = vault.folder / 'password'
    password.write_text('p w\n')
    password.chmod(0o600)
    vault.configure(step='max = 50ms',
                    profile=f'database = {shop.url("shop", "reader")}\n'
                            f'password_file = {password}')
    vault.start()
    url = step_into_rows(vault)
    first = vault.companion()
    assert b'p w' not in pathlib.Path(f'/proc/{first}/environ').read_bytes()
    assert b'p w' not in pathlib.Path(f'/proc/{first}/cmdline').read_bytes()
    finish(vault, url, 0)
    shop.sql("ALTER USER reader IDENTIFIED BY 'other'")
    password.write_text('other\n')
    vault.stop()
    vault.start()
    finish(vault, vault.url(fresh='1'), 0)
    assert vault.companion() == first
    assert 'other' not in vault.log() + companion.log(vault.data)


def test_long_path(make_vault, shop, tmp_path):
    trees.write(f'{tmp_path}/site/file', 'x')
    vault = make_vault(tmp_path / 'site', step='max = 50ms',
                       profile=f'database = {shop.url("shop")}')
    vault.data = tmp_path / ('d' * 200)
    vault.configure(step='max = 50ms',
                    profile=f'database = {shop.url("shop")}')
    vault.start()
    finish(vault, vault.url(), 0)
    assert vault.companion()


@pytest.mark.skipif(os.geteuid() != 0, reason='takes another user')
def test_other_user(open_folder, shop):
    """Root may connect, for nobody can forbid that; and is not greeted."""
    trees.write(f'{open_folder}/site/file', 'x')
    with Vault(open_folder / 'vault', open_folder / 'site',
               profile=f'database = {shop.url("shop")}') as vault:
        subprocess.run(['chown', '-R', 'www-data', vault.folder], check=True)
        # As root it becomes the owner of its configuration.
        with in_foreground(vault):
            assert (vault.data / companion.SOCKET).stat().st_mode & 0o777 == \
                0o600
            with companion.connect(vault.data) as sock:
                assert sock.recv(1) == b''


# -- web servers --------------------------------------------------------------


@contextlib.contextmanager
def host_with(shop, kind):
    """A host with a database, behind a web server, in the middle of its rows:
    host, server and the URL of the next step."""
    with servers.Host(step='max = 50ms', profile='compress = none\n'
                      f'database = {shop.url("shop")}') as host:
        server = host.serve(kind)
        path = host.vault.url(server.path)
        for _ in range(1000):
            path = urllib.parse.urljoin(server.path,
                                        server.get(path).location)
            state = host.vault.state()
            if state['dump.token'] and state['dump.place.rows']:
                yield host, server, path
                return
        raise AssertionError('no row is ever read')


@pytest.mark.parametrize('kind', servers.KINDS)
def test_web_servers(shop, kind):
    """Whatever starts it, it has nothing of the web server's: requests end at
    once, and the server restarts while it lives."""
    with host_with(shop, kind) as (host, server, path):
        pid = host.vault.companion()
        assert pid
        assert_nothing_of_others(pid, host.vault.data)
        parents = [server.process.pid, *host.processes()]
        if not server.starts_program:
            parents.append(host.vault.process.pid)
        assert zombies(parents) == []
        # What a plain CGI leaves open would keep this from its end.
        assert servers.read_to_end(server.begin(path, '1.0'))
        # Its pipes are closed, and so is its port.
        server.process.terminate()
        server.process.wait(30)
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(('127.0.0.1', server.port))
        server.start()
        assert server.is_ready()
        answer = server.follow(patience=100)
        assert answer.text.startswith('200 OK\n')
        assert host.vault.companion() == pid
        record = host.vault.record()
        database, = record['database_list']
        assert database['consistency'] == 'snapshot'
        assert (database['rows'], database['restarts']) == (ROWS, 0)


# -- when it is gone ----------------------------------------------------------


@pytest.mark.parametrize('sig', [signal.SIGKILL, signal.SIGTERM,
                                 signal.SIGSTOP])
def test_killed_or_frozen(vault, sig):
    """It costs one more dump, from a new snapshot."""
    vault.start()
    url = step_into_rows(vault)
    first = vault.companion()
    if sig == signal.SIGSTOP:
        os.kill(first, sig)
    else:
        companion.end(first, sig)
    finish(vault, url, 1)
    assert vault.companion() not in (first, None)
    assert zombies([vault.process.pid]) == []


def test_frozen_for_the_command_line(vault):
    """Where no step ends and the next one reaches for it anew."""
    vault.start()
    step_into_rows(vault)
    os.kill(vault.companion(), signal.SIGSTOP)
    vault.stop()
    vault.cli('run', '--resume')
    database, = vault.record()['database_list']
    assert (database['rows'], database['restarts']) == (ROWS, 1)


def test_killed_at_once(vault):
    """A host that has nothing in the background: the backup goes on without,
    and says so."""
    stop = threading.Event()

    def kill():
        while not stop.wait(0.002):
            vault.kill_companion()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        vault.start()
        answer = vault.chain()
        assert answer.text.startswith('200 OK\n'), answer.text + vault.log()
    finally:
        stop.set()
        killer.join()
    database, = vault.record()['database_list']
    assert database['consistency'] == 'per-chunk'
    assert database['rows'] == ROWS


def test_killed_again_and_again(vault):
    """At any instant: the backup ends, and has every row."""
    vault.start()
    stop = threading.Event()

    def kill():
        while not stop.wait(random.uniform(0.02, 0.12)):
            vault.kill_companion()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        url = target(vault.get())
        for _ in range(60):
            answer = vault.get(url)
            if answer.status != 302:
                break
            url = target(answer)
    finally:
        stop.set()
        killer.join()
    answer = vault.chain(url)
    assert answer.text.startswith('200 OK\n'), answer.text + vault.log()
    database, = vault.record()['database_list']
    assert database['rows'] == ROWS


def test_socket_removed(vault):
    """Its file comes back, and with it the same snapshot."""
    vault.start()
    url = step_into_rows(vault)
    first = vault.companion()
    (vault.data / companion.SOCKET).unlink()
    finish(vault, url, 0)
    assert vault.companion() == first
    assert 'the socket was removed' in companion.log(vault.data)


def test_snapshot_max(vault, shop):
    """A snapshot that nobody asks for is not held for long."""
    vault.configure(server='snapshot_max = 1s', step='max = 50ms',
                    profile=f'database = {shop.url("shop")}\n'
                            'compress = none')
    vault.start()
    url = step_into_rows(vault)
    wait_for(lambda: 'nobody has asked for it' in companion.log(vault.data),
             'end of the snapshot')
    finish(vault, url, 1)
    assert 'nobody has asked for it' in vault.log()


def test_deleted_backup(vault, shop):
    """The snapshot of a backup that is no more is let go."""
    vault.start()
    step_into_rows(vault)
    assert vault.companion()
    vault.cli('delete', vault.state()['id'])
    wait_for(lambda: 'its backup has ended' in companion.log(vault.data),
             'end of the snapshot')
    wait_for(lambda: 'StepVault' not in shop.sql('SHOW PROCESSLIST'), 'end')


def test_idle(vault):
    """It leaves by itself, and the next backup has another."""
    vault.start()
    finish(vault, vault.url(), 0)
    first = vault.companion()
    handle = os.pidfd_open(first)
    try:
        companion.wait_for_end(handle)
    finally:
        os.close(handle)
    assert 'the companion leaves: there is nothing to do' in \
        companion.log(vault.data)
    assert not (vault.data / companion.SOCKET).exists()
    assert zombies([vault.process.pid]) == []
    finish(vault, vault.url(fresh='1'), 0)
    assert vault.companion() not in (first, None)


class OtherBuild:
    """A companion of another build, which leaves when it is told to."""

    def __init__(self, data):
        self.data = data
        self.lock = open(data / 'locks/companion', 'w', encoding='ascii')
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.listener = socket.socket(socket.AF_UNIX)
        with companion.address(data) as where:
            self.listener.bind(where)
        self.listener.listen()
        self.heard = None
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        sock, _ = self.listener.accept()
        with sock:
            sock.sendall(b'stepvault companion 0.0.9/1\n')
            self.heard = sock.makefile('rb').readline()
        (self.data / companion.SOCKET).unlink()
        self.listener.close()
        time.sleep(0.1)
        self.lock.close()


def test_other_build(vault):
    """After an update the old one is sent away."""
    vault.cli('list') # makes the data directory
    other = OtherBuild(vault.data)
    vault.start()
    finish(vault, vault.url(), 0)
    other.thread.join(60)
    assert other.heard == b'leave\n'
    assert vault.companion()


# -- what it holds ------------------------------------------------------------


def make_job(vault):
    """An unfinished backup, as far as the companion looks."""
    backup_id = '20260102-030405-abcdefghijklmnop'
    (vault.data / 'jobs' / backup_id).mkdir(mode=0o700)
    return backup_id


@pytest.fixture
def held(make_vault, shop, tmp_path):
    """A vault with a companion in the foreground, and a small table."""
    shop.create('small')
    shop.sql('CREATE TABLE t (id INT PRIMARY KEY, x INT); '
             'INSERT INTO t SELECT seq, 1 FROM seq_1_to_1000', 'small')
    trees.write(f'{tmp_path}/site/file', 'x')
    vault = make_vault(tmp_path / 'site',
                       profile=f'database = {shop.url("small")}')
    with in_foreground(vault):
        yield vault


def test_snapshot_outlives_steps(held, shop):
    """Each piece is asked for by another connection; what is written between
    them is not in any."""
    backup_id = make_job(held)
    with companion.Step(held.data) as step:
        token = step.begin(backup_id)
        line, = (line for line in step.list(token) if ' t' in line and
                 line.startswith('table'))
    whole, place, ended = b'', None, False
    count = 0
    while not ended:
        shop.sql(f'UPDATE t SET x = x + 1; INSERT INTO t VALUES '
                 f'({2000 + count}, 1)', 'small')
        with companion.Step(held.data) as step:
            text, place, ended = step.read(token, line, 2000, place)
        whole += text
        count += 1
    assert count > 3
    assert place['rows'] == 1000
    rows = {row for part in whole.split(b'(') for row in
            [part.partition(b')')[0]] if row.count(b',') == 1}
    assert {b'%d,1' % number for number in range(1, 1001)} <= rows
    assert not [row for row in rows if row.startswith(b'20') and
                len(row) > 5]


def test_nobody_waits_for_a_gone_step(held, shop):
    """ALTER TABLE is not kept waiting by a snapshot that nobody uses."""
    backup_id = make_job(held)
    with companion.Step(held.data) as step:
        token = step.begin(backup_id)
        line, = (line for line in step.list(token)
                 if line.startswith('table'))
        _, place, ended = step.read(token, line, 2000)
        assert not ended
    shop.sql('SET lock_wait_timeout = 30; '
             'ALTER TABLE t MODIFY x VARCHAR(20)', 'small')
    with companion.Step(held.data) as step:
        step.ask('read', token, line=line, size=2000, place=place)
        head, _ = step.take()
        assert head['outcome'] == 'again', head


def test_server_gone(make_server, make_vault, tmp_path):
    """A restart of the database server ends the snapshot, and the next step
    is told so."""
    server = make_server()
    server.create('small')
    server.sql('CREATE TABLE t (id INT PRIMARY KEY)', 'small')
    trees.write(f'{tmp_path}/site/file', 'x')
    vault = make_vault(tmp_path / 'site',
                       profile=f'database = {server.url("small")}')
    with in_foreground(vault):
        with companion.Step(vault.data) as step:
            token = step.begin(make_job(vault))
        server.restart()
        wait_for(lambda: 'the snapshot is lost' in companion.log(vault.data),
                 'loss')
        with companion.Step(vault.data) as step:
            step.ask('list', token)
            head, _ = step.take()
            assert head['outcome'] == 'again'
            assert head['fault'] in companion.log(vault.data)
