# SPDX-License-Identifier: MIT
"""stepvault init: what it makes, what it asks, and that it works."""
import contextlib
import hashlib
import os
import pathlib
import pty
import pwd
import re
import select
import stat
import subprocess
import time

import pytest

import mounts
import servers
from vault import Vault, binary

DATA = pathlib.Path(servers.shipped('.')).resolve().parent / 'tests/data/site'

pytestmark = pytest.mark.usefixtures('quiet')


@pytest.fixture
def quiet(monkeypatch):
    monkeypatch.delenv('STEPVAULT_CONFIG', raising=False)


@pytest.fixture
def place(tmp_path):
    """A folder with a site in it."""
    (tmp_path / 'example.net/html').mkdir(parents=True)
    (tmp_path / 'example.net/html/index.php').write_text('<?php echo 1;\n')
    return tmp_path


def wordpress(site, **values):
    """Its configuration, and what tells that it is one."""
    values = {'DB_NAME': 'blog', 'DB_USER': 'root', 'DB_PASSWORD': '',
              'DB_HOST': 'localhost', **values}
    (site / 'wp-load.php').write_text('<?php\n')
    (site / 'wp-config.php').write_text('<?php\n' + ''.join(
        f"define( '{name}', '{value}' );\n"
        for name, value in values.items()))


def command(place, *args, user=True):
    """root does not guess for whom, unless user is False."""
    user = ['--user', 'root'] if user and os.geteuid() == 0 \
        and '--user' not in args else []
    return [binary('CLI'), '--config', f'{place}/conf/stepvault.conf',
            'init', *user, *map(str, args)]


def init(place, *args, **kwargs):
    return subprocess.run(
        command(place, *args), stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
        check=False, **kwargs)


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def secret_of(output):
    return re.search(r'only now:\n\n([a-z2-7]{32})\n', output)[1]


def everything(folder):
    return sorted(map(str, pathlib.Path(folder).rglob('*')))


# -- what it makes -----------------------------------------------------------

def test_makes_all(place):
    """Configuration, data and secret, which are right at once."""
    site = place / 'example.net/html'
    result = init(place, '--yes', '--site', site, '--data',
                  place / 'deep/er/data')
    assert result.returncode == 0, result.stderr
    conf = place / 'conf/stepvault.conf'
    assert mode(conf) == 0o600 and mode(conf.parent) == 0o700
    assert [mode(place / path) for path in
            ('deep', 'deep/er', 'deep/er/data')] == [0o700] * 3
    assert os.listdir(conf.parent) == ['stepvault.conf']
    secret = secret_of(result.stdout)
    text = conf.read_text()
    assert secret not in text
    assert f'sha256:{hashlib.sha256(secret.encode()).hexdigest()}' in text
    assert f'\nsite = {site}\n' in text and 'name = example.net\n' in text
    assert 'database' not in text
    assert 'no database was found' in result.stderr
    assert f'https://example.net/stepvault/backup?key={secret}' \
        in result.stdout
    check = subprocess.run(
        [binary('CLI'), '--config', conf, 'config', 'check'],
        stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    assert check.stdout == \
        f'{conf} is right: 1 profile, data in {place}/deep/er/data\n'


def test_its_lines_work(place, server):
    """Files and database are backed up by the URL that it prints."""
    site = place / 'example.net/html'
    server.create('blog')
    server.sql('CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t '
               'VALUES (1), (2)', 'blog')
    wordpress(site, DB_HOST=f'localhost:{server.socket}')
    result = init(place, '--yes', '--site', site, '--data', place / 'data')
    assert result.returncode == 0 and result.stderr == ''
    assert f'{site} is WordPress.\nThe database blog answers: MariaDB ' \
        in result.stdout
    vault = Vault.__new__(Vault)
    vault.folder, vault.data, vault.process = place, place / 'data', None
    vault.conf = place / 'conf/stepvault.conf'
    vault.address = f'unix:{place}/fcgi.sock'
    assert '\ndatabase = wp-config.php\n' in vault.conf.read_text()
    with vault.start():
        answer = vault.chain(vault.url(key=secret_of(result.stdout)))
    assert answer.text.startswith('200 OK\n')
    archive, = vault.parts()
    names = subprocess.run(
        ['tar', '--zstd', '-tf', archive], stdout=subprocess.PIPE, text=True,
        timeout=60, check=True).stdout
    assert 'files/wp-config.php\n' in names
    assert 'databases/blog/' in names


def test_site_of_the_folder(place):
    """Where it is called, if that is a site."""
    site = place / 'example.net/html'
    result = init(place, '--yes', '--data', place / 'data', cwd=place)
    assert result.returncode == 2
    assert 'name its folder with --site' in result.stderr
    wordpress(site, DB_HOST=f'localhost:{place}/no.sock')
    result = init(place, '--yes', '--data', place / 'data', cwd=site)
    assert result.returncode == 0
    text = (place / 'conf/stepvault.conf').read_text()
    assert f'\nsite = {site}\ndatabase = wp-config.php\n' in text
    # It is in the configuration, for it may only be down.
    assert f'{place}/no.sock cannot be reached' in result.stderr


def test_database_that_is_not_literal(place):
    """It is said; nothing else could say it before the first backup."""
    site = place / 'example.net/html'
    (site / 'wp-config.php').write_text(
        (DATA / 'wordpress-getenv.php').read_text())
    result = init(place, '--yes', '--site', site, '--data', place / 'data')
    assert result.returncode == 0
    assert 'wp-config.php:5: the password of the database comes from the ' \
        'environment' in result.stderr
    assert 's3cr3t' not in result.stderr


# -- what it refuses ---------------------------------------------------------

def refused(place, *args, status=2, **kwargs):
    """It says why, in one line, and makes nothing."""
    before = everything(place)
    result = init(place, *args, **kwargs)
    assert result.returncode == status
    assert everything(place) == before
    line, = result.stderr.splitlines()
    return line


def test_never_overwrites(place):
    (place / 'conf').mkdir()
    conf = place / 'conf/stepvault.conf'
    conf.write_text('mine')
    assert f'{conf} exists, and is never overwritten' in refused(
        place, '--yes', '--site', place / 'example.net', '--data',
        place / 'data')
    assert conf.read_text() == 'mine'
    conf.unlink()
    # Not even where it leads nowhere.
    conf.symlink_to('nowhere')
    result = init(place, '--yes', '--site', place / 'example.net', '--data',
                  place / 'data')
    assert result.returncode != 0 and conf.is_symlink()
    assert os.listdir(place / 'conf') == ['stepvault.conf']


def test_refuses_what_is_wrong(place):
    site = place / 'example.net/html'
    data = ['--data', place / 'data']

    def why(*args, **kwargs):
        return refused(place, '--yes', *args, **kwargs)

    assert 'no folder that can be reached' in why(
        '--site', place / 'none', *data)
    assert 'no folder that can be reached' in why(
        '--site', site / 'index.php', *data)
    (site / 'sub').mkdir()
    (place / 'lead').symlink_to(site)
    for inside in (site, site / 'sub', site / 'new', site / 'a/b/c',
                   place / 'lead/new'):
        result = init(place, '--yes', '--site', site, '--data', inside)
        assert result.returncode == 2
        assert 'inside the site' in result.stderr, inside
        assert everything(site) == [f'{site}/index.php', f'{site}/sub']
    result = init(place, '--yes', '--site', site, '--data',
                  f'{place}/a ;b')
    assert result.returncode == 2
    assert 'cannot be written in a configuration' in result.stderr
    result = init(place, '--yes', '--site', site, *data, '--url', 'x.org')
    assert result.returncode == 2
    assert "'x.org' is no address such as https" in result.stderr
    assert 'usage: stepvault init' in init(place, '--yes', 'x').stderr
    assert 'usage: stepvault init' in init(place, '--force').stderr
    assert not (place / 'conf').exists()


def test_refuses_without_a_terminal(place):
    assert 'there is no terminal to ask questions on; say --yes' in refused(
        place, '--site', place / 'example.net/html')


# -- for whom ----------------------------------------------------------------

as_root = pytest.mark.skipif(os.geteuid() != 0, reason='only root can')


@as_root
def test_for_another_user(open_folder):
    """All that is made belongs to that user, who can use it."""
    site = open_folder / 'site'
    site.mkdir()
    result = init(open_folder, '--yes', '--site', site, '--data',
                  open_folder / 'var/data', '--user', 'www-data')
    assert result.returncode == 0, result.stderr
    for path in ('conf', 'conf/stepvault.conf', 'var', 'var/data',
                 'var/data/key'):
        assert (open_folder / path).owner() == 'www-data', path
    made = subprocess.run(
        ['setpriv', '--reuid=www-data', '--regid=www-data', '--init-groups',
         binary('CLI'), '--config', open_folder / 'conf/stepvault.conf',
         'run'], text=True, stdout=subprocess.PIPE, timeout=60, check=False)
    assert made.returncode == 0 and 'is complete' in made.stdout


@as_root
def test_says_what_the_user_cannot_read(open_folder):
    site = open_folder / 'site'
    site.mkdir()
    wordpress(site, DB_HOST=f'localhost:{open_folder}/no.sock')
    (site / 'wp-config.php').chmod(0o600)
    (open_folder / 'one').mkdir()
    result = init(open_folder / 'one', '--yes', '--site', site, '--data',
                  open_folder / 'one/data', '--user', 'www-data')
    assert result.returncode == 0
    assert f'{site}/wp-config.php cannot be read: Permission denied, as ' \
        'www-data; the service' in result.stderr
    # It is no mistake of the configuration, either.
    check = subprocess.run(
        [binary('CLI'), '--config', open_folder / 'one/conf/stepvault.conf',
         'config', 'check'], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, timeout=60, check=False)
    assert check.returncode == 0 and 'is right: 1 profile' in check.stdout
    assert 'wp-config.php cannot be read: Permission' in check.stderr
    site.chmod(0o700)
    result = init(open_folder, '--yes', '--site', site, '--data',
                  open_folder / 'data', '--user', 'www-data')
    assert result.returncode == 0
    assert f'www-data cannot read {site} (Permission denied)' \
        in result.stderr
    assert 'there is no user nobody-at-all' in refused(
        open_folder / 'x', '--yes', '--site', site, '--user',
        'nobody-at-all')


@as_root
def test_places_of_a_user(open_folder):
    """In the home that the password database says."""
    site = open_folder / 'site'
    site.mkdir()
    result = mounts.run('''
        cp /etc/passwd "$1/passwd"
        echo "joe:x:54321:54321::$1/joe:/bin/sh" >>"$1/passwd"
        mount --bind "$1/passwd" /etc/passwd
        mkdir "$1/joe"
        chown 54321:54321 "$1/joe"
        setpriv --reuid=54321 --regid=54321 --clear-groups \
            "$2" init --yes --site "$1/site"
        setpriv --reuid=54321 --regid=54321 --clear-groups "$2" run
    ''', open_folder, binary('CLI'))
    assert result.returncode == 0, result.stderr
    home = open_folder / 'joe'
    for path in ('.config', '.config/stepvault', '.local/share/stepvault'):
        assert mode(home / path) == 0o700
    assert mode(home / '.config/stepvault/stepvault.conf') == 0o600
    assert 'is complete' in result.stdout
    assert result.stdout.count('stepvault run') == 1


@as_root
def test_places_of_root(open_folder):
    """Those of the system, for the user of the site."""
    site = open_folder / 'site'
    site.mkdir()
    os.chown(site, 54321, 54321)
    result = mounts.run('''
        cp /etc/passwd "$1/passwd"
        echo "joe:x:54321:54321::/:/bin/sh" >>"$1/passwd"
        sed -i /^stepvault:/d "$1/passwd"
        mkdir "$1/etc" "$1/var"
        cp -a /etc/passwd /etc/group /etc/localtime "$1/etc"
        mount --bind "$1/passwd" "$1/etc/passwd"
        ln -s /nowhere "$1/etc/nowhere"
        mount --rbind "$1/etc" /etc
        mount --bind "$1/var" /var/lib
        "$2" init --yes --site "$1/site"
        "$2" run
    ''', open_folder, binary('CLI'))
    assert result.returncode == 0, result.stderr
    assert 'configuration is /etc/stepvault/stepvault.conf, the data will ' \
        'be in /var/lib/stepvault.' in result.stdout
    for path in ('etc/stepvault', 'etc/stepvault/stepvault.conf',
                 'var/stepvault'):
        assert os.stat(open_folder / path).st_uid == 54321, path
    assert 'is complete' in result.stdout


# -- what it asks ------------------------------------------------------------

class Dialogue:
    """The program at a terminal."""

    def __init__(self, place, *args, user=True, **kwargs):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command(place, *args, user=user), stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, **kwargs)
        os.close(slave)
        self.text = ''

    def read(self, until, seconds=20):
        """Read on until it has said this; what it has said since the last
        answer."""
        end = time.monotonic() + seconds
        while until not in self.text:
            left = end - time.monotonic()
            assert left > 0, self.text
            ready, _, _ = select.select([self.master], [], [], left)
            if not ready:
                continue
            try:
                part = os.read(self.master, 4096)
            except OSError:
                part = b''
            assert part, self.text
            self.text += part.decode().replace('\r\n', '\n')
        return self.text

    def answer(self, question, reply):
        said = self.read(question + ']: ')
        os.write(self.master, reply.encode() + b'\n')
        self.text = ''
        return said

    def end(self):
        """What it has said, and its exit status."""
        with contextlib.suppress(AssertionError):
            self.read('\0')
        return self.text, self.process.wait(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)


def test_asks_what_it_cannot_know(place, server):
    """Each with what it would take; a database that fails is asked for
    again."""
    site = place / 'example.net/html'
    server.create('blog')
    wordpress(site, DB_HOST=f'localhost:{server.socket}', DB_USER='nobody',
              DB_PASSWORD='s3cr3t')
    with Dialogue(place, cwd=site) as dialogue:
        dialogue.answer(f'The folder of the site [{site}', '')
        said = dialogue.answer('or none [wp-config.php', '')
        assert f'{site} is WordPress.' in said
        said = dialogue.answer('Take it all the same? [y/N', 'n')
        assert 'refuses the user nobody' in said and 's3cr3t' not in said
        dialogue.answer('or none [wp-config.php', server.url('none-such'))
        said = dialogue.answer('Take it all the same? [y/N', '')
        assert 'has no database none-such' in said
        dialogue.answer('or none [wp-config.php', server.url('blog'))
        said = dialogue.answer('/stepvault', str(place / 'data'))
        assert 'The database blog answers: MariaDB' in said
        dialogue.answer('address of the site [https://example.net',
                        'http://x.example/')
        text, status = dialogue.end()
    assert status == 0
    assert 'http://x.example/stepvault/backup\n' in text
    conf = (place / 'conf/stepvault.conf').read_text()
    assert f'\ndatabase = {server.url("blog")}\n' in conf


def test_takes_what_does_not_answer(place):
    """If it is told to."""
    site = place / 'example.net/html'
    url = f'mysql://u:s3cr3t@/n?socket={place}/no.sock'
    with Dialogue(place, '--site', site, '--data', place / 'data', '--url',
                  'https://y.example') as dialogue:
        dialogue.answer('or none [none', url)
        dialogue.answer('Take it all the same? [y/N', 'y')
        text, status = dialogue.end()
    assert status == 0 and 'https://y.example/stepvault/backup?' in text
    conf = (place / 'conf/stepvault.conf').read_text()
    assert f'\ndatabase = {url}\n' in conf


def test_makes_nothing_without_answers(place):
    site = place / 'example.net/html'
    before = everything(place)
    with Dialogue(place, '--site', site) as dialogue:
        dialogue.answer('or none [none', 'none')
        dialogue.answer('/stepvault', '\x04')
        text, status = dialogue.end()
    assert status == 1 and 'nothing was made' in text
    assert everything(place) == before


@as_root
def test_asks_for_the_user(place):
    """root is asked, and offered the one who owns the site."""
    site = place / 'example.net/html'
    os.chown(site, pwd.getpwnam('www-data').pw_uid, -1)
    with contextlib.suppress(KeyError):
        pytest.skip(f'there is {pwd.getpwnam("stepvault").pw_name}')
    with Dialogue(place, '--site', site, '--user', '') as dialogue:
        dialogue.process.wait(20)
        assert 'there is no user' in dialogue.read('\n')
    with Dialogue(place, '--site', site, user=False) as dialogue:
        said = dialogue.answer('run as [www-data', 'none-such')
        assert 'Stepvault is to run as' in said
        text, status = dialogue.end()
    assert status == 2 and 'there is no user none-such' in text
