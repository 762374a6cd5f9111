# SPDX-License-Identifier: MIT
"""The life of backups: what a host that kills teaches, how a backup ends when
it is told to, when the disk is full, when its configuration is changed, and
what becomes of it afterwards."""
import json
import pathlib
import random
import re
import signal
import socket
import time
import urllib.parse

import pytest

import fastcgi
import faults
import mounts
import trees
from servers import wait_for
from vault import SECRET

SLOW = 'read:20000'
STUCK = 'read:1000000'


@pytest.fixture
def large(tmp_path):
    """A site with one file that takes long when reading is slow."""
    trees.write(f'{tmp_path}/large/file', random.Random(3).randbytes(3000000))
    return tmp_path / 'large'


def start(vault, site, delay=SLOW):
    vault.start(env=faults.environment(site, delay=delay))


def send(vault, url=None):
    """A request whose answer is not waited for: its socket."""
    url = url or vault.url()
    sock = fastcgi.connect(vault.address)
    sock.sendall(fastcgi.encode(fastcgi.variables(url)))
    return sock


def answer_to(sock):
    with sock:
        raw = fastcgi.read_answer(sock)
    return fastcgi.Answer(raw) if raw else None


def target(answer):
    """Where a redirect leads."""
    return urllib.parse.urljoin('/stepvault/backup', answer.location)


def mark(vault):
    """The intent mark that is there now, if it is written."""
    for path in vault.data.glob('jobs/*/intent'):
        return path.read_text() or None
    return None


def step_into_file(vault, site):
    """Step until one has ended in the middle of the file: the next step."""
    start(vault, site)
    url = None
    for _ in range(200):
        url = target(vault.get(url))
        if vault.state()['pack.in_file']:
            vault.stop()
            return url
    raise AssertionError('the file is never begun')


def kill_in_step(vault, site, url=None):
    """SIGKILL while a step is stuck in its first unit."""
    before = mark(vault)
    start(vault, site, STUCK)
    with send(vault, url):
        wait_for(lambda: mark(vault) not in (before, None), 'intent mark')
        vault.stop(signal.SIGKILL)


# -- kills --------------------------------------------------------------------


def test_learns_from_kills(make_vault, large, tmp_path):
    """A host that kills every request after a second: [step] max allows ten,
    but soon no step lives that long."""
    vault = make_vault(large, step='max = 10s\ncheckpoint = 300ms')
    start(vault, large)
    kills = 0
    url, answer = vault.url(), None
    for _ in range(200):
        sock = send(vault, url)
        sock.settimeout(1)
        try:
            answer = answer_to(sock)
        except socket.timeout:
            vault.stop(signal.SIGKILL)
            start(vault, large)
            kills += 1
            continue
        if answer.status != 302:
            break
        url = target(answer)
        if kills:
            assert 0 < vault.limits()['chain.budget_ms'] < 5000
    assert answer.text.startswith('200 OK\n')
    assert kills >= 1
    record = vault.record()
    assert record['kills'] == kills
    assert vault.log().count('was killed after it had lived for') == kills
    # What other controllers may do was not learnt.
    assert vault.limits()['cli.budget_ms'] == 0
    trees.assert_same(large, vault.parts(), tmp_path)


def test_budget_grows_again(make_vault, large):
    """After a kill the budget is the smallest there is; every three good
    steps it grows, until nothing is left of what was learnt."""
    vault = make_vault(large, step='max = 150ms')
    url = step_into_file(vault, large)
    kill_in_step(vault, large, url)
    start(vault, large)
    budgets = []
    vault.chain(visit=lambda *_: budgets.append(
        vault.limits()['chain.budget_ms']))
    assert budgets[:10] == [100, 100, 111, 111, 111, 123, 123, 123, 136, 136]
    assert budgets[-1] == 0
    assert vault.record()['kills'] == 1


def test_power_cut_is_no_kill(make_vault, large):
    """A mark of another boot of the machine teaches nothing."""
    vault = make_vault(large)
    kill_in_step(vault, large)
    path, = vault.data.glob('jobs/*/intent')
    boot = path.read_text().split()[0]
    path.write_text(path.read_text().replace(boot, boot[::-1]))
    vault.start()
    assert vault.chain().text.startswith('200 OK\n')
    assert vault.record()['kills'] == 0
    assert vault.limits()['chain.budget_ms'] == 0


@pytest.mark.parametrize('kills', [4, 5])
def test_kills_without_progress(make_vault, large, tmp_path, kills):
    """Four in a row are survived; the fifth ends the backup, with a reason
    that somebody can act on."""
    vault = make_vault(large, step='max = 50ms')
    url = step_into_file(vault, large)
    for _ in range(kills):
        kill_in_step(vault, large, url)
    vault.start()
    answer = vault.chain(url)
    record = vault.record()
    assert record['kills'] == kills
    if kills < 5:
        assert answer.text.startswith('200 OK\n')
        trees.assert_same(large, vault.parts(), tmp_path)
        return
    assert answer.status == 500
    assert re.fullmatch(
        r'the host killed 5 steps in a row before any could save its work, '
        r'the last after \d+ ms; lower \[step\] max, or ask the host for its '
        r'limits', record['reason'])
    assert answer.text == f'500 ERROR -- {record["reason"]}\n'
    assert record['status'] == 'failed'
    check_nothing_left(vault, record)


def check_nothing_left(vault, record):
    """Of a failed backup only its record and log are left."""
    assert list((vault.data / 'jobs').iterdir()) == []
    folder = vault.data / 'backups' / record['id']
    assert {path.name for path in folder.iterdir()} == {'record.json', 'log'}
    assert list(vault.data.glob(f'locks/{record["id"]}')) == []


def test_kills_with_progress(make_vault, large, tmp_path):
    """Any number of kills is survived if work is saved between them."""
    vault = make_vault(large, step='max = 50ms')
    url = None
    for _ in range(7):
        kill_in_step(vault, large, url)
        start(vault, large)
        url = target(vault.get(url))
        vault.stop()
    vault.start()
    assert vault.chain(url).text.startswith('200 OK\n')
    assert vault.record()['kills'] == 7
    trees.assert_same(large, vault.parts(), tmp_path)


def test_sigterm(make_vault, large, tmp_path):
    """It ends the step, not the backup: long before its time is over the work
    is saved, and the client gets its redirect."""
    vault = make_vault(large, step='max = 10m\ncheckpoint = 10m')
    start(vault, large)
    sock = send(vault)
    wait_for(lambda: (vault.state() or {}).get('phase') == 'pack',
             'packing')
    time.sleep(0.2)
    assert vault.stop(signal.SIGTERM) == ''
    assert vault.returncode == 0
    answer = answer_to(sock)
    assert answer.status == 302
    state = vault.state()
    assert state['steps'] == 1
    assert state['pack.done'] > 0
    assert mark(vault) is None
    vault.start()
    assert vault.chain(target(answer)).text.startswith('200 OK\n')
    assert vault.record()['kills'] == 0
    trees.assert_same(large, vault.parts(), tmp_path)


# -- space --------------------------------------------------------------------

FULL = 'mount -t tmpfs -o size=6m,mode=700 none "$1" && shift && exec "$@"'


@pytest.mark.parametrize('min_free, reason', [
    ('3M', r'the disk of the data directory has less than min_free \(3 MiB\) '
           'left'),
    ('0', '5 steps in a row came to nothing; the last: the archive cannot be '
          'written: No space left on device')])
def test_full_disk(make_vault, large, min_free, reason):
    """Before the disk is full the backup fails and gives back what it took.
    Where it may fill the disk it fails, too, when trying again is no use."""
    trees.write(f'{large}/more', random.Random(4).randbytes(9000000))
    vault = make_vault(large)
    vault.configure(step='checkpoint_size = 256K',
                    profile='compress = none')
    vault.conf.write_text(vault.conf.read_text().replace(
        'min_free = 0', f'min_free = {min_free}'))
    vault.data.mkdir()
    vault.start(wrap=mounts.command(FULL, vault.data))
    for _ in range(5):
        answer = vault.chain()
        if answer.status != 503:
            break
        assert 'No space left on device' in answer.text
    assert answer.status == 500
    assert re.fullmatch(f'500 ERROR -- {reason}\n', answer.text)
    # As the server sees it.
    data = pathlib.Path(f'/proc/{vault.process.pid}/root{vault.data}')
    record, = data.glob('backups/*/record.json')
    assert json.loads(record.read_text())['status'] == 'failed'
    assert {path.name for path in record.parent.iterdir()} == {
        'record.json', 'log'}
    assert list((data / 'jobs').iterdir()) == []


# -- retention ----------------------------------------------------------------


def numbers(vault):
    """The kept backups' numbers and statuses, the newest first."""
    return [(record['number'], record['status'][0], record['profile'])
            for record in vault.records()]


def fail_once(vault, site):
    """A backup that fails."""
    site.rename(f'{site}-away')
    assert vault.cli('run', check=False).returncode == 1
    (site.parent / f'{site.name}-away').rename(site)


def test_keep_last(make_vault, tmp_path):
    """Complete backups are counted for each profile by itself; a failed one
    goes with the complete ones around it."""
    site, other = tmp_path / 'site', tmp_path / 'other'
    trees.write(f'{site}/file', 'x')
    trees.write(f'{other}/file', 'y')
    vault = make_vault(site, profile='keep_last = 2',
                       more=f'[profile 2]\nsite = {other}\nmin_free = 0\n'
                            'keep_last = 0')
    vault.cli('run', '--profile', '2')
    vault.cli('run')
    fail_once(vault, site)
    vault.cli('run')
    fail_once(vault, site)
    assert numbers(vault) == [(5, 'f', 1), (4, 'c', 1), (3, 'f', 1),
                              (2, 'c', 1), (1, 'c', 2)]
    vault.cli('run')
    assert numbers(vault) == [(6, 'c', 1), (5, 'f', 1), (4, 'c', 1),
                              (1, 'c', 2)]
    assert vault.log().count('removed backup ') == 2
    for _ in range(2):
        vault.cli('run', '--profile', '2')
    vault.cli('run')
    assert numbers(vault) == [(9, 'c', 1), (8, 'c', 2), (7, 'c', 2),
                              (6, 'c', 1), (1, 'c', 2)]
    assert len(list((vault.data / 'backups').iterdir())) == 5


@pytest.mark.parametrize('keep_last', (0, 1))
def test_leftovers(make_vault, tmp_path, keep_last):
    """What a removal left behind goes with the next; what is no backup, or
    has a record that cannot be verified, stays."""
    site = tmp_path / 'site'
    trees.write(f'{site}/file', 'x')
    vault = make_vault(site, profile=f'keep_last = {keep_last}')
    vault.cli('run')
    doubtful = vault.data / 'backups' / vault.record()['id']
    text = (doubtful / 'record.json').read_text()
    (doubtful / 'record.json').write_text(
        text.replace('"files": 1', '"files": 7'))
    backups = vault.data / 'backups'
    leftover = backups / ('20200101-000000-' + 'a' * 16)
    trees.write(f'{leftover}/half.tar.zst', 'x')
    trees.write(f'{backups}/no-backup/file', 'x')
    for _ in range(1 + keep_last):
        vault.cli('run')
    assert {path.name for path in backups.iterdir()} == {
        vault.record()['id'], doubtful.name, 'no-backup'}
    assert '(unverified)' in vault.cli('list').stdout


def test_killed_prune(make_vault, tmp_path):
    """A removal that is killed before or after any of its calls is finished
    by the next step, and the new backup is there all the time."""
    site = tmp_path / 'site'
    trees.write(f'{site}/file', 'x')
    log = tmp_path / 'changes'
    vault = make_vault(site, profile='keep_last = 1\npart_size = 64K')
    vault.cli('run')
    old = vault.record()['id'].encode()
    vault.cli('run', env=faults.environment(vault.data, log=log))
    changes = [line for line in log.read_bytes().split(b'\n')
               if re.match(rb'(write|sync|rename|remove|truncate|mkdir|link|'
                           rb'create|open)', line)]
    count = tmp_path / 'count'
    vault.cli('run', env=faults.environment(vault.data, count=count))
    total = faults.counters(count)['changes']
    assert any(old in line for line in changes)
    for number in range(total - 24, total + 1):
        killed = vault.cli('run', check=False, env=faults.environment(
            vault.data, kill=f'before:{number}'))
        ids = [record['id'] for record in vault.records()
               if record['status'] == 'complete']
        assert ids, number
        vault.cli('run', *(['--resume'] if vault.state() else []))
        assert len(vault.records()) == 1, (number, killed)
        assert len(list((vault.data / 'backups').iterdir())) == 1


# -- on_complete --------------------------------------------------------------


def program(path, body):
    trees.write(str(path), f'#!/bin/sh\n{body}\n', mode=0o755)
    return path


def test_on_complete(make_vault, large, tmp_path):
    """The program is given the ID and each part's path, as they are, with no
    shell between and no descriptor of ours but the log."""
    folder = tmp_path / 'a folder; $(touch it) "quoted"'
    hook = program(folder / 'on complete', '''
        printf '%s\\0' "$@" > "${0%/*}/arguments.new"
        ls /proc/self/fd > "${0%/*}/descriptors"
        echo the program says this
        mv "${0%/*}/arguments.new" "${0%/*}/arguments"''')
    vault = make_vault(large)
    vault.data = folder / 'data'
    vault.configure(profile=f'on_complete = {hook}\npart_size = 1M')
    assert vault.start().chain().text.startswith('200 OK\n')
    done = folder / 'arguments'
    wait_for(done.exists, 'arguments of on_complete')
    record = vault.record()
    assert len(record['parts']) > 2
    assert done.read_text().split('\0') == [
        record['id'], *map(str, vault.parts(record)), '']
    # ls has the folder itself open, too.
    assert (folder / 'descriptors').read_text().split() == [
        '0', '1', '2', '3']
    log = wait_for(lambda: 'the program says this\n' in vault.log() and
                   vault.log(), 'output in the log')
    assert f'{hook} is started' in log
    assert not list(tmp_path.rglob('it'))


@pytest.mark.parametrize('body, said', [
    (None, 'could not be run'), ('exit 3', 'ended with exit status 3'),
    ('kill -9 $$', 'was ended by signal 9')])
def test_on_complete_fails(make_vault, tmp_path, body, said):
    """The backup is complete for all that; the log has a warning."""
    trees.write(f'{tmp_path}/site/file', 'x')
    hook = tmp_path / 'hook'
    if body:
        program(hook, body)
    vault = make_vault(tmp_path / 'site', profile=f'on_complete = {hook}')
    vault.cli('run')
    assert vault.record()['status'] == 'complete'
    log = wait_for(lambda: said in vault.log() and vault.log(), said)
    assert re.search(f'^[-:0-9T+]+ warning: {hook} {said}', log, re.M)


# -- a configuration that changes ---------------------------------------------

CHANGES = {
    'exclude': 'exclude = *.log', 'compress': 'compress = gzip:1',
    'level': 'compress = zstd:4', 'parts': 'part_size = 1M',
    'extra': 'extra = x:/etc/default', 'excludes': 'default_excludes = no',
    'mounts': 'one_file_system = yes'}


@pytest.mark.parametrize('change', [*CHANGES, 'site', 'profile'])
def test_changed_profile(make_vault, large, tmp_path, change):
    """What an archive is made of must not change within it: the backup says
    why it ends, and the next one follows the new configuration."""
    vault = make_vault(large, step='max = 50ms')
    url = step_into_file(vault, large)
    if change == 'site':
        large.rename(tmp_path / 'moved')
        vault.site = str(tmp_path / 'moved')
    vault.configure(profile=CHANGES.get(change, ''))
    if change == 'profile':
        vault.conf.write_text(vault.conf.read_text().replace(
            '[profile 1]', '[profile 2]'))
    vault.start()
    answer = vault.chain(url)
    assert answer.status == 500
    record = vault.record()
    assert record['status'] == 'failed'
    assert answer.text == f'500 ERROR -- {record["reason"]}\n'
    assert ('is no longer in the configuration' if change == 'profile' else
            'was changed in the configuration') in record['reason']
    check_nothing_left(vault, record)
    number = '2' if change == 'profile' else '1'
    answer = vault.chain(vault.url(fresh='1', profile=number))
    assert answer.text.startswith('200 OK\n')


def test_harmless_change(make_vault, large, tmp_path):
    """All else may change: the backup goes on."""
    vault = make_vault(large, step='max = 50ms')
    url = step_into_file(vault, large)
    vault.configure(server='timezone = Asia/Kolkata', step='max = 5s',
                    profile='name = New\nkeep_last = 3\nagain_after = 1m\n'
                            'once_per = 1h\non_complete = /bin/true')
    vault.start()
    assert vault.chain(url).text.startswith('200 OK\n')
    assert vault.record()['profile_name'] == 'New'
    trees.assert_same(large, vault.parts(), tmp_path)


def test_changed_secret(make_vault, large):
    """The chain has its token and goes on; the old secret is worth nothing,
    the new one finds the same backup."""
    vault = make_vault(large, step='max = 50ms')
    url = step_into_file(vault, large)
    other = SECRET[::-1]
    vault.conf.write_text(re.sub('secret_hash = .*', f'secret = {other}',
                                 vault.conf.read_text()))
    start(vault, large)
    answer = vault.get(url)
    assert answer.status == 302
    assert vault.get(vault.url()).status == 403
    assert target(vault.get(vault.url(key=other))).split('step=')[0] == \
        url.split('step=')[0]
    vault.stop()
    vault.start()
    assert vault.chain(target(answer)).text.startswith('200 OK\n')
    assert len(vault.records()) == 1


# -- profiles, time zone ------------------------------------------------------


def test_two_profiles(make_vault, tmp_path):
    """Each has its own site, name, form and history; numbers are shared."""
    for name in ('one', 'two'):
        trees.make_site(tmp_path / name, seed=len(name) + ord(name[0]))
    vault = make_vault(
        tmp_path / 'one', step='max = 50ms', profile='name = First',
        more=f'[profile 20]\nsite = {tmp_path}/two\nname = Second\n'
             'min_free = 0\ncompress = gzip:1').start()
    urls = {1: vault.url(), 20: vault.url(profile='20')}
    # Step by step, in turns.
    for _ in range(1000):
        for number, url in list(urls.items()):
            answer = vault.get(url)
            if answer.status == 302:
                urls[number] = target(answer)
            else:
                assert answer.text.startswith('200 OK\n')
                del urls[number]
    assert not urls
    records = {record['profile']: record for record in vault.records()}
    assert {record['number'] for record in records.values()} == {1, 2}
    for number, name, folder, end in ((1, 'First', 'one', '.tar.zst'),
                                      (20, 'Second', 'two', '.tar.gz')):
        record = records[number]
        assert record['profile_name'] == name
        assert record['parts'][0]['name'].endswith(end)
        assert record['parts'][0]['name'].startswith(name.lower() + '-2')
        trees.assert_same(tmp_path / folder, vault.parts(record), tmp_path)


def test_time_zone(make_vault, tmp_path):
    """Of what people read; IDs and records are in UTC."""
    trees.write(f'{tmp_path}/site/file', 'x')
    vault = make_vault(tmp_path / 'site', server='timezone = Asia/Kolkata')
    before = int(time.time())
    vault.cli('run', env={'TZ': 'America/New_York'})
    after = int(time.time())
    record = vault.record()
    stamps = {time.strftime('%Y-%m-%dT%H:%M:%S+05:30',
                            time.gmtime(second + 19800))
              for second in range(before, after + 1)}
    assert {line.split()[0] for line in vault.log().splitlines()} <= stamps
    assert any(stamp in vault.cli('show', 'latest').stdout
               for stamp in stamps)
    assert before <= record['started'] <= record['ended'] <= after
    assert record['id'].startswith(time.strftime(
        '%Y%m%d-%H%M%S-', time.gmtime(record['started'])))
