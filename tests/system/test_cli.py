# SPDX-License-Identifier: MIT
"""The stepvault command: what each of its commands says and does, with which
exit status, as whom, and where it looks for its configuration."""
import hashlib
import json
import os
import pathlib
import pty
import random
import re
import shutil
import signal
import stat
import subprocess

import pytest

import faults
import mounts
import trees
from servers import other_user, wait_for
from vault import SECRET, binary

OK, FAILED, USAGE, UNFINISHED, NOT_FOUND, BUSY = range(6)
COMMANDS = ('run', 'list', 'show', 'log', 'delete', 'config', 'secret',
            'version')
NO_SUCH_ID = '20200101-000000-abcdefghabcdefgh'


def stepvault(*args, **kwargs):
    return subprocess.run([binary('CLI'), *map(str, args)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60, **kwargs)


def refused(vault, *args, status=USAGE):
    """What a command says that ends with this status and prints nothing."""
    result = vault.cli(*args, check=False)
    assert result.returncode == status, (result.stdout, result.stderr)
    assert result.stdout == ''
    return result.stderr


@pytest.fixture
def large(tmp_path):
    trees.write(f'{tmp_path}/large/file', random.Random(3).randbytes(2000000))
    return tmp_path / 'large'


@pytest.fixture
def vault(make_vault, tmp_path):
    trees.write(f'{tmp_path}/site/file', 'content')
    return make_vault(tmp_path / 'site')


def begin(vault, site, delay='read:20000'):
    """A 'run' that takes long, in the middle of its work."""
    process = subprocess.Popen(
        [binary('CLI'), '--config', vault.conf, 'run'], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, **faults.environment(site, delay=delay)})
    wait_for(lambda: (vault.state() or {}).get('phase') == 'pack', 'packing')
    return process


# -- help ---------------------------------------------------------------------


def test_help():
    whole = stepvault('--help')
    assert (whole.returncode, whole.stderr) == (OK, '')
    for command in COMMANDS:
        assert f'\n  {command} ' in whole.stdout
        one = stepvault(command, '--help')
        assert (one.returncode, one.stderr) == (OK, '')
        assert one.stdout.startswith(
            f'usage: stepvault [--config FILE] {command}')
    for status in range(6):
        assert f'\n  {status}  ' in whole.stdout
    assert max(map(len, whole.stdout.splitlines())) <= 79


def test_wrong_usage(vault):
    nothing = stepvault()
    assert (nothing.returncode, nothing.stdout) == (USAGE, '')
    assert nothing.stderr.startswith('usage: ')
    assert stepvault('--nonsense').returncode == USAGE
    unknown = stepvault('restroe')
    assert unknown.returncode == USAGE
    assert "'restroe'" in unknown.stderr and '--help' in unknown.stderr
    for args in (('run', 'extra'), ('run', '--nonsense'), ('run', '--profile'),
                 ('run', '--profile', 'x'), ('run', '--profile', '1x'),
                 ('run', '--fresh', '--resume'), ('list', 'extra'),
                 ('list', '--nonsense'), ('show',), ('show', 'a', 'b'),
                 ('log',), ('log', '--json', 'latest'), ('delete',),
                 ('config',), ('config', 'nonsense'), ('secret',),
                 ('secret', 'old'), ('version', 'extra')):
        assert f'usage: stepvault {args[0]} ' in refused(vault, *args), args
    assert vault.records() == []


def test_version():
    result = stepvault('version')
    assert re.fullmatch(r'stepvault \d+\.\d+\S*\n', result.stdout)
    assert stepvault('--version').stdout == result.stdout
    assert result.returncode == OK


# -- backups ------------------------------------------------------------------


def test_run(vault):
    result = vault.cli('run')
    backup = vault.record()
    size = backup['archive_size'] / 1024
    assert result.stdout == (
        f'backup {backup["id"]} is complete: 1 files, 7 B, in an archive of '
        f'{size:.1f} KiB\n')
    assert result.stderr == ''
    result = vault.cli('run', '--json')
    assert json.loads(result.stdout) == vault.record()
    assert vault.record()['number'] == 2
    assert 'no [profile 7]' in refused(vault, 'run', '--profile', '7',
                                       status=NOT_FOUND)
    assert 'no unfinished backup' in refused(vault, 'run', '--resume',
                                             status=NOT_FOUND)


def test_run_that_fails(vault, tmp_path):
    os.rename(vault.site, tmp_path / 'away')
    message = refused(vault, 'run', status=FAILED)
    assert message == (f'stepvault: backup {vault.record()["id"]} has failed: '
                       f'{vault.record()["reason"]}\n')


def test_list(vault):
    assert vault.cli('list').stdout == ''
    assert vault.cli('list', '--json').stdout == '[]\n'
    for _ in range(3):
        vault.cli('run')
    head, *rows = vault.cli('list').stdout.splitlines()
    assert head.split() == ['no', 'id', 'status', 'profile', 'size', 'warn',
                            'started']
    backups = json.loads(vault.cli('list', '--json').stdout)
    assert [backup['number'] for backup in backups] == [3, 2, 1]
    assert [row.split()[:4] for row in rows] == [
        [str(backup['number']), backup['id'], 'complete', '1']
        for backup in backups]


def test_show_and_log(vault):
    for command in ('show', 'log', 'delete'):
        assert 'no backup yet' in refused(vault, command, 'latest',
                                          status=NOT_FOUND)
        refused(vault, command, NO_SUCH_ID, status=NOT_FOUND)
        for wrong in ('x', '', '../' + NO_SUCH_ID, NO_SUCH_ID + '/',
                      NO_SUCH_ID.upper()):
            assert 'is no backup ID' in refused(vault, command, wrong)
    vault.cli('run')
    backup = vault.record()
    shown = vault.cli('show', backup['id']).stdout
    assert shown == vault.cli('show', 'latest').stdout
    for line in (f'backup +{backup["id"]}', 'number +1', 'origin +cli',
                 'status +complete', 'files +1', 'content +7 B',
                 r'profile +1 \(Unnamed site\)', 'warnings +0',
                 re.escape(f'  {vault.parts()[0]}  ') + r'1\.\d KiB'):
        assert re.search(f'^{line}$', shown, re.M), line
    log = vault.cli('log', backup['id']).stdout
    assert log == (vault.data / 'backups' / backup['id'] /
                   'log').read_text()
    assert 'complete: ' in log.splitlines()[-1]


def test_delete(vault, make_vault, large):
    for _ in range(2):
        vault.cli('run')
    newer, older = vault.records()
    result = vault.cli('delete', older['id'])
    assert result.stdout == f'backup {older["id"]} is deleted\n'
    assert [record['id'] for record in vault.records()] == [newer['id']]
    refused(vault, 'delete', older['id'], status=NOT_FOUND)
    # An unfinished one goes, too, unless somebody is working on it.
    slow = make_vault(large)
    process = begin(slow, large)
    assert 'delete' not in refused(slow, 'delete', 'latest', status=BUSY)
    process.send_signal(signal.SIGINT)
    process.communicate()
    slow.cli('delete', 'latest')
    assert slow.records() == []
    for folder in ('jobs', 'backups'):
        assert os.listdir(slow.data / folder) == []


# -- interruptions ------------------------------------------------------------


@pytest.mark.parametrize('sig', [signal.SIGINT, signal.SIGTERM,
                                 signal.SIGHUP])
def test_interrupted(make_vault, large, tmp_path, sig):
    """The backup is resumable, by the command that is named or by a plain
    'run'; that is no kill."""
    vault = make_vault(large, step='checkpoint = 10m')
    process = begin(vault, large)
    process.send_signal(sig)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (UNFINISHED, '')
    backup = vault.record()
    assert backup['status'] == 'running'
    assert errors == (f'stepvault: backup {backup["id"]} is unfinished; '
                      "'stepvault run --resume --profile 1' goes on\n")
    more = ['--resume', '--profile', '1'] if sig == signal.SIGINT else []
    vault.cli('run', *more)
    assert len(vault.records()) == 1
    assert vault.record()['id'] == backup['id']
    assert vault.record()['kills'] == 0
    trees.assert_same(large, vault.parts(), tmp_path)


def test_fresh(make_vault, large):
    """An unfinished backup that nobody has stepped of late is abandoned."""
    vault = make_vault(large)
    process = begin(vault, large)
    first = vault.record()['id']
    process.kill()
    process.communicate()
    # One that was stepped within a minute is joined.
    assert json.loads(vault.cli('run', '--fresh', '--json').stdout)['id'] == \
        first
    assert json.loads(vault.cli('run', '--fresh', '--json').stdout)['id'] != \
        first


def catches(process, sig):
    """The process has a handler for a signal."""
    with open(f'/proc/{process.pid}/status', encoding='ascii') as file:
        mask = re.search(r'^SigCgt:\s+(\w+)$', file.read(), re.M)[1]
    return int(mask, 16) >> (sig - 1) & 1


def test_two_at_a_time(make_vault, large, tmp_path):
    """The second waits for the first and tells the same end, or goes on where
    that one left off; or it is told to wait no longer."""
    vault = make_vault(large)
    backups = set()
    for sig in (None, signal.SIGINT):
        first = begin(vault, large)
        backup = vault.record()['id']
        impatient = begin(vault, large)
        patient = begin(vault, large)
        wait_for(lambda: catches(impatient, signal.SIGINT), 'handler')
        impatient.send_signal(signal.SIGINT)
        output, errors = impatient.communicate(timeout=60)
        assert (impatient.returncode, output) == (BUSY, '')
        assert errors == ('stepvault: another process is working on backup '
                          f'{backup}\n')
        if sig:
            first.send_signal(sig)
        first.communicate(timeout=60)
        assert first.returncode == (UNFINISHED if sig else OK)
        output, _ = patient.communicate(timeout=60)
        assert output.startswith(f'backup {backup} is complete: ')
        trees.assert_same(large, vault.parts(), tmp_path)
        backups.add(backup)
    assert {record['id'] for record in vault.records()} == backups


def on_terminal(vault, site, ctrl_c):
    """A 'run' on a terminal: its exit status, and what stood there."""
    pid, terminal = pty.fork()
    if pid == 0:
        env = {**os.environ, **faults.environment(site, delay='read:20000')}
        os.execve(binary('CLI'), ['stepvault', '--config', str(vault.conf),
                                  'run'], env)
    shown = b''
    with open(terminal, 'r+b', buffering=0) as file:
        while True:
            try:
                piece = file.read(1000)
            except OSError:  # the other end is closed
                piece = b''
            if not piece:
                break
            shown += piece
            if ctrl_c and b'pack' in shown:
                file.write(b'\x03')
                ctrl_c = False
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


def test_terminal(make_vault, large):
    """Progress is for people only, and Ctrl-C is what they type."""
    vault = make_vault(large)
    status, shown = on_terminal(vault, large, ctrl_c=True)
    assert status == UNFINISHED
    assert re.search(r'\rpack +\d+ % ', shown)
    assert 'is unfinished' in shown
    status, shown = on_terminal(vault, large, ctrl_c=False)
    assert status == OK
    percents = [int(text) for text in re.findall(r'\rpack +(\d+) % ', shown)]
    assert percents == sorted(percents) and percents[-1] > percents[0]
    assert shown.splitlines()[-1].endswith(
        shown[shown.index('backup 2'):].strip())
    assert len(vault.records()) == 1


# -- the configuration --------------------------------------------------------


def test_config_check(vault, make_vault, tmp_path):
    result = vault.cli('config', 'check')
    assert result.stdout == (f'{vault.conf} is right: 1 profile, data in '
                             f'{vault.data}\n')
    vault.conf.write_text(vault.conf.read_text().replace(
        'min_free = 0', 'min_fre = 0'))
    line = vault.conf.read_text().splitlines().index('min_fre = 0') + 1
    message = refused(vault, 'config', 'check')
    assert message.startswith(f'stepvault: {vault.conf}:{line}: ')
    assert "no key 'min_fre'" in message and 'min_free' in message
    quiet = make_vault(tmp_path / 'site')
    quiet.conf.write_text(re.sub('secret_hash.*', '',
                                 quiet.conf.read_text()))
    assert 'the endpoint is disabled: there is no secret' in \
        quiet.cli('config', 'check').stdout
    quiet.configure(server='enabled = no')
    assert 'the endpoint is disabled: enabled = no' in \
        quiet.cli('config', 'check').stdout


def test_config_check_of_databases(vault):
    """They are resolved, though nothing is asked of a server."""
    vault.configure(profile='database = mysql://u:s3cr3t@127.0.0.1:1/n')
    vault.cli('config', 'check')
    vault.configure(profile='database = wp-config.php')
    message = refused(vault, 'config', 'check')
    assert f'[profile 1]: {vault.site}/wp-config.php cannot be read: No ' \
        'such file' in message
    pathlib.Path(vault.site, 'wp-config.php').write_text(
        "<?php\ndefine('DB_NAME', 'n');\ndefine('DB_PASSWORD', "
        "'s3cr3t' . f());\n")
    message = refused(vault, 'config', 'check')
    assert '[profile 1]: wp-config.php:3: the password of the database is ' \
        'made by a program' in message
    assert 's3cr3t' not in message
    # No backup is begun that could not be right.
    assert 'wp-config.php:3: ' in vault.cli('run', check=False).stderr
    assert vault.record()['status'] == 'failed'


def test_config_reference():
    """Every key of the sample configuration is in it, with its default."""
    text = stepvault('config', 'reference').stdout
    for section in ('server', 'step', 'profile N'):
        assert f'**[{section}]**' in text
    sample = os.path.join(os.environ['STEPVAULT_SOURCE'],
                          'conf/stepvault.conf.example')
    with open(sample, encoding='utf-8') as file:
        keys = set(re.findall(r'^#?([a-z_]+) = ', file.read(), re.M))
    named = set(re.findall(r'^\| `([a-z_]+)` \|', text, re.M))
    assert keys <= named
    assert '| `compress` | `zstd:3` |' in text
    assert '| `site` | required |' in text


def test_config_excludes(vault):
    patterns = vault.cli('config', 'excludes').stdout.splitlines()
    assert '/wp-content/cache/*' in patterns
    # They are what a configuration takes.
    vault.configure(profile=''.join(f'exclude = {pattern}\n'
                                    for pattern in patterns))
    vault.cli('config', 'check')


SEARCH = '''
cp /etc/nsswitch.conf "$1/nsswitch.conf"
mount -t tmpfs none /etc
cp "$1/nsswitch.conf" /etc
echo "root:x:0:0::$1/home:/bin/sh" > /etc/passwd
echo "root:x:0:" > /etc/group
mkdir /etc/stepvault
if [ -e "$1/etc.conf" ]; then
    cp -p "$1/etc.conf" /etc/stepvault/stepvault.conf
fi
shift
export HOME=/nowhere
exec "$@"
'''


def test_where_it_is_looked_for(vault, tmp_path, monkeypatch):
    """$STEPVAULT_CONFIG, the home directory of the password database, /etc;
    the error names what was looked for."""
    monkeypatch.delenv('STEPVAULT_CONFIG', raising=False)
    home = tmp_path / 'home/.config/stepvault/stepvault.conf'

    def look(*wrap):
        return mounts.run(SEARCH, tmp_path, *wrap, binary('CLI'), 'config',
                          'check')

    nowhere = look()
    assert nowhere.returncode == USAGE
    assert '$STEPVAULT_CONFIG' in nowhere.stderr
    assert str(home) in nowhere.stderr
    assert '/etc/stepvault/stepvault.conf' in nowhere.stderr
    shutil.copy(vault.conf, tmp_path / 'etc.conf')
    assert look().stdout.startswith('/etc/stepvault/stepvault.conf is right')
    home.parent.mkdir(parents=True)
    shutil.copy(vault.conf, home)
    assert look().stdout.startswith(f'{home} is right')
    named = look('env', f'STEPVAULT_CONFIG={vault.conf}')
    assert named.stdout.startswith(f'{vault.conf} is right')
    missing = look('env', 'STEPVAULT_CONFIG=/no/such.conf')
    assert missing.returncode == USAGE
    assert '/no/such.conf cannot be read: No such file' in missing.stderr
    given = stepvault('--config', tmp_path / 'no', 'list')
    assert given.returncode == USAGE


# -- who may read what --------------------------------------------------------


@pytest.mark.parametrize('mode', [0o640, 0o604, 0o660, 0o611, 0o644])
def test_open_configuration(vault, mode):
    """It has a secret in it."""
    vault.conf.chmod(mode)
    message = refused(vault, 'list', status=FAILED)
    assert f'{vault.conf} can be read by others (mode {mode:04o})' in message
    assert 'chmod 600' in message
    assert not vault.data.exists()


@pytest.mark.parametrize('mode', [0o750, 0o705, 0o711, 0o777])
def test_open_data_directory(vault, mode):
    """It has the archives in it."""
    vault.cli('run')
    vault.data.chmod(mode)
    for command in (('list',), ('run',), ('config', 'check')):
        message = refused(vault, *command, status=FAILED)
        assert f'is open to others (mode {mode:04o}); chmod 700' in message
    vault.data.chmod(0o700)
    assert len(vault.records()) == 1


def owners(folder):
    """The users to whom something in a folder belongs."""
    return {os.lstat(os.path.join(parent, name)).st_uid
            for parent, folders, files in os.walk(folder)
            for name in folders + files}


def test_whose_it_is(make_vault, open_folder, tmp_path):
    """Root becomes the configuration's owner, with what may be read by that
    user alone, unless it is told to stay root."""
    trees.write(f'{open_folder}/site/file', 'content')
    trees.write(f'{open_folder}/site/mine', 'root only', mode=0o600)
    os.chmod(open_folder / 'site', 0o755)
    vault = make_vault(open_folder / 'site')
    for name in ('become', 'stay'):
        folder = open_folder / name
        folder.mkdir()
        vault.data = folder / 'data'
        vault.conf = folder / 'stepvault.conf'
        vault.configure()
        if other_user():
            shutil.chown(folder, 'www-data')
            shutil.chown(vault.conf, 'www-data')
        vault.cli(*([] if name == 'become' else ['--stay-root']), 'run')
    if not other_user():
        return
    www_data = os.stat(open_folder / 'become').st_uid
    assert owners(open_folder / 'become') == {www_data}
    assert owners(open_folder / 'stay/data') == {0}
    names = [sorted(os.listdir(trees.unpack(
        open_folder.glob(f'{name}/data/backups/*/*.tar.zst'),
        str(tmp_path / name)) + '/files')) for name in ('become', 'stay')]
    assert names == [['file'], ['file', 'mine']]
    # What belongs to one is not used by the other.
    vault.cli('--stay-root', 'list')
    message = refused(vault, 'list', status=FAILED)
    assert f'{open_folder}/stay/data cannot be opened' in message


def test_what_it_writes_is_private(vault):
    """Whatever the umask."""
    vault.cli('run', umask=0)
    for folder, folders, files in os.walk(vault.data):
        for name in folders + files:
            mode = os.lstat(os.path.join(folder, name)).st_mode
            assert stat.S_IMODE(mode) & 0o077 == 0, name
    assert vault.data.stat().st_mode & 0o777 == 0o700


# -- secrets ------------------------------------------------------------------


def set_secret(vault, line):
    vault.conf.write_text(re.sub('secret.* = .*', line,
                                 vault.conf.read_text()))


def test_new_secret(vault):
    """It opens the endpoint by the line that is to be kept."""
    texts = [stepvault('secret', 'new').stdout for _ in range(2)]
    assert texts[0] != texts[1]
    lines = texts[0].splitlines()
    secret = lines[2]
    assert re.fullmatch('[a-z2-7]{32}', secret)
    assert lines[-2:] == [
        '[server]',
        f'secret_hash = sha256:{hashlib.sha256(secret.encode()).hexdigest()}']
    set_secret(vault, lines[-1])
    vault.start()
    assert vault.get(vault.url()).status == 403
    assert vault.chain(vault.url(key=secret)).text.startswith('200 OK\n')


WEAK = {'a-secret-of-21-chars!': 'at least 22',
        'abcdefghiabcdefghiabcdefghi': '10 different', '': '22'}


@pytest.mark.parametrize('where', ['secret', 'secret_file'])
def test_weak_secrets(vault, where):
    """They are refused, and not shown."""
    file = vault.folder / 'secret'
    for secret, what in WEAK.items():
        file.write_text(secret + '\n')
        file.chmod(0o600)
        set_secret(vault, f'{where} = ' +
                   (secret if where == 'secret' else str(file)))
        message = refused(vault, 'config', 'check')
        assert what in message
        assert not secret or secret not in message


def test_secret_file(vault):
    """Its first line; readable by nobody else."""
    file = vault.folder / 'secret'
    file.write_text(SECRET[::-1] + '\r\n')
    set_secret(vault, f'secret_file = {file}')
    file.chmod(0o640)
    assert f'{file} can be read by others' in refused(
        vault, 'config', 'check', status=FAILED)
    file.chmod(0o400)
    vault.start()
    assert vault.get(vault.url()).status == 403
    assert vault.chain(vault.url(key=SECRET[::-1])).text.startswith(
        '200 OK\n')
    vault.stop()
    file.unlink()
    assert f'{file} cannot be read: No such file' in refused(vault, 'list')
    set_secret(vault, f'secret_file = {file}\nsecret = {SECRET}')
    assert 'more than one of' in refused(vault, 'list')
