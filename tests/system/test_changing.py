# SPDX-License-Identifier: MIT
"""A site that changes while it is read, and one that cannot be read: what is
not as it was is named with its reason, counted in the final answer, and costs
nothing but itself."""
import json
import os
import random
import subprocess
import threading
import time

import pytest

import faults
import trees
from servers import other_user

ZEROS = 'the rest of it is zeros'
VANISHED = 'vanished before it could be read'
BECAME = 'became something else before it could be read'
DENIED = 'could not be read: permission denied'


def run_and_change(vault, site, change):
    """Follow the chain; once, when a step has ended in the middle of a file,
    change the site.  The last answer."""
    changed = []

    def between(_url, _answer):
        state = vault.state()
        if not changed and state and state['pack.in_file'] and \
                state['pack.done'] > 0:
            changed.append(state)
            change()

    vault.start(env=faults.environment(site, delay='read:20000'))
    answer = vault.chain(visit=between)
    assert changed, 'no step ended in the middle of a file'
    assert answer.text.startswith('200 OK\n'), answer.text
    return answer, changed[0]


def warnings_of(vault):
    """{path: reason} of the record, which the log and the counts confirm."""
    record = vault.record()
    found = {entry['path']: entry['reason']
             for entry in record['warning_list']}
    assert record['warnings'] == len(found) == len(record['warning_list'])
    assert record['unread'] + record['changed'] == len(found)
    log = vault.log()
    for path, reason in found.items():
        assert f'warning: {path}: {reason}\n' in log
    return found


def check_answer(answer, record):
    """The final answer counts what was not right."""
    assert (f'{record["unread"]} not read, {record["changed"]} changed while '
            f'read\n{record["warnings"]} warnings\n') in answer.text


# -- in the middle of a file --------------------------------------------------


def shrink(path):
    os.truncate(path, 1000)


def grow(path):
    with open(path, 'ab') as file:
        file.write(b'more' * 1000)


def rewrite(path):
    time.sleep(0.02)  # another tick of the file system's clock
    with open(path, 'r+b') as file:
        file.write(b'other')


def replace(path):
    trees.write(f'{path}.new', b'new' * 2000000)
    os.rename(f'{path}.new', path)


def make_fifo(path):
    os.unlink(path)
    os.mkfifo(path)


def make_folder(path):
    os.unlink(path)
    os.makedirs(f'{path}/below')


def lead_out(path):
    os.unlink(path)
    os.symlink('/etc/passwd', path)


# How it changes, what is said, and whether the rest of the bytes is lost.
MIDDLE = [(shrink, 'became shorter while it was read; ' + ZEROS, True),
          (grow, 'changed while it was read', False),
          (rewrite, 'changed while it was read', False),
          (replace, 'was replaced while it was read; ' + ZEROS, True),
          (os.unlink, 'vanished while it was read; ' + ZEROS, True),
          (make_fifo, 'vanished while it was read; ' + ZEROS, True),
          (make_folder, 'vanished while it was read; ' + ZEROS, True),
          (lead_out, 'vanished while it was read; ' + ZEROS, True)]


@pytest.mark.parametrize('change, reason, lost', MIDDLE,
                         ids=[case[0].__name__ for case in MIDDLE])
def test_in_the_middle(make_vault, tmp_path, change, reason, lost):
    """Another file, another kind of entry, or nothing is where a step
    stopped reading: the entry keeps its length, and the rest is right."""
    site = tmp_path / 'site'
    before = random.Random(7).randbytes(1500000)
    trees.write(f'{site}/victim', before)
    for i in range(10):
        trees.write(f'{site}/other-{i}', f'content {i}')
    vault = make_vault(site, step='max = 50ms')
    answer, state = run_and_change(
        vault, site, lambda: change(f'{site}/victim'))
    record = vault.record()
    assert warnings_of(vault) == {'files/victim': reason}
    assert record['changed'] == 1
    check_answer(answer, record)
    for tool in ('tar', 'bsdtar'):
        target = trees.unpack(vault.parts(), str(tmp_path / tool), tool)
        with open(f'{target}/files/victim', 'rb') as file:
            found = file.read()
        assert len(found) == len(before)
        done = state['pack.done']
        assert found[:done] == before[:done]
        assert found[done:] == (bytes(len(before) - done) if lost
                                else before[done:])
        for i in range(10):
            with open(f'{target}/files/other-{i}', encoding='ascii') as file:
                assert file.read() == f'content {i}'
        # The sums are those of what is in the archive.
        subprocess.run(['sha256sum', '-c', '--quiet',
                        'stepvault/SHA256SUMS'], cwd=target, check=True)
    lines = (tmp_path / 'tar/stepvault/manifest.jsonl').read_text()
    line = next(json.loads(line) for line in lines.splitlines()
                if '"files/victim"' in line)
    assert line['changed'] is True


# -- between the walk and the packing -----------------------------------------


def prepare_late(late):
    """A second folder, which is packed when the first one is done."""
    for name in ('gone', 'shrunk', 'grown', 'to-fifo', 'to-folder', 'to-link',
                 'stays', 'first/name', 'lost/a', 'lost/b', 'swapped/a'):
        trees.write(f'{late}/{name}', f'I was {name}')
    for name in ('to-file', 'to-nothing'):
        os.makedirs(f'{late}/{name}')
    os.symlink('stays', f'{late}/link-gone')
    os.mkfifo(f'{late}/fifo-to-file')
    for i in range(3):
        os.link(f'{late}/first/name', f'{late}/first/name-{i}')


def change_late(late):
    for name in ('gone', 'to-fifo', 'to-folder', 'to-link', 'link-gone',
                 'fifo-to-file', 'first/name'):
        os.unlink(f'{late}/{name}')
    os.mkfifo(f'{late}/to-fifo')
    os.mkdir(f'{late}/to-folder')
    os.symlink('/etc/passwd', f'{late}/to-link')
    trees.write(f'{late}/fifo-to-file', 'new')
    for name in ('to-file', 'to-nothing'):
        os.rmdir(f'{late}/{name}')
    trees.write(f'{late}/to-file', 'new')
    trees.write(f'{late}/shrunk', '')
    trees.write(f'{late}/grown', 'x' * 9999)
    trees.write(f'{late}/brand-new', 'not in this backup')
    os.rename(f'{late}/lost', f'{late}/lost-elsewhere')
    os.rename(f'{late}/swapped', f'{late}/swapped-away')
    trees.write(f'{late}/swapped/a', 'another')


def test_before_it_is_read(make_vault, tmp_path):
    """What has changed since the walk saw it is taken as it is now, or named:
    nothing that has taken another's place is read."""
    site, late = tmp_path / 'site', tmp_path / 'late'
    trees.write(f'{site}/big', random.Random(8).randbytes(1500000))
    prepare_late(late)
    vault = make_vault(site, step='max = 50ms',
                       profile=f'extra = late:{late}')
    answer, _ = run_and_change(vault, site, lambda: change_late(late))
    found = warnings_of(vault)
    stale = 'its folder was replaced by another'
    assert found == {
        f'extra/late/{path}': reason for path, reason in {
            'gone': VANISHED, 'link-gone': VANISHED, 'first/name': VANISHED,
            'to-nothing': VANISHED, 'lost': VANISHED, 'lost/a': VANISHED,
            'lost/b': VANISHED, 'to-fifo': BECAME, 'to-folder': BECAME,
            'to-link': BECAME, 'to-file': BECAME, 'fifo-to-file': BECAME,
            'swapped': stale, 'swapped/a': stale}.items()}
    check_answer(answer, vault.record())
    facts, links = {}, {}
    for tool in ('tar', 'bsdtar'):
        target = trees.unpack(vault.parts(), str(tmp_path / tool), tool)
        facts[tool], links[tool] = trees.describe(f'{target}/extra/late')
    assert facts['tar'] == facts['bsdtar']
    assert set(facts['tar']) == {
        b'.', b'shrunk', b'grown', b'stays', b'first', b'first/name-0',
        b'first/name-1', b'first/name-2'}
    assert facts['tar'][b'grown'] == trees.describe(late)[0][b'grown']
    # The remaining names are still one file.
    assert links['tar'] == links['bsdtar'] == [
        (b'first/name-0', b'first/name-1', b'first/name-2')]


# -- while a step is running --------------------------------------------------


def stir(folder, rand, end):
    """Change the files f-N, whose bytes are always all the same, until the
    end."""
    while not end.is_set():
        number = rand.randrange(60)
        path = f'{folder}/f-{number}'
        size = rand.randrange(300000)
        kind = rand.choice(['unlink', 'cut', 'grow', 'replace', 'rewrite'])
        if kind == 'unlink' and os.path.exists(path):
            os.unlink(path)
        elif kind == 'cut' and os.path.exists(path):
            os.truncate(path, min(size, os.path.getsize(path)))
        elif kind == 'replace':
            trees.write(f'{folder}/new', bytes([1 + number]) * size)
            os.rename(f'{folder}/new', path)
        elif kind == 'rewrite':
            with open(path, 'wb') as file:
                file.write(bytes([rand.randrange(1, 256)]) * size)
        elif kind == 'grow' and os.path.exists(path):
            with open(path, 'r+b') as file:
                content = file.read()
                file.write(content[:1] * size)
        end.wait(0.005)


def test_while_it_is_read(make_vault, tmp_path):
    """A folder in turmoil: the archive is readable, what stood still is right,
    and whatever is not one version of a file is named."""
    seed = random.randrange(1 << 32)
    print('seed', seed)
    rand = random.Random(seed)
    site = trees.make_site(tmp_path / 'site')
    restless = tmp_path / 'restless'
    for i in range(60):
        trees.write(f'{restless}/f-{i}', bytes([1 + i]) * 200000)
    vault = make_vault(site, step='max = 100ms', profile='compress = zstd:1\n'
                       f'extra = restless:{restless}')
    vault.start(env=faults.environment(restless, delay='read:5000'))
    end = threading.Event()
    thread = threading.Thread(target=stir, args=(restless, rand, end))
    thread.start()
    try:
        answer = vault.chain()
    finally:
        end.set()
        thread.join()
    assert answer.text.startswith('200 OK\n'), answer.text
    named = warnings_of(vault)
    assert named, 'nothing happened'
    assert all(path.startswith('extra/restless/') for path in named)
    trees.assert_same(site, vault.parts(), tmp_path)
    target = trees.unpack(vault.parts(), str(tmp_path / 'out'))
    for name in os.listdir(f'{target}/extra/restless'):
        with open(f'{target}/extra/restless/{name}', 'rb') as file:
            content = file.read()
        if f'extra/restless/{name}' not in named and name != 'new':
            assert content in (b'', content[:1] * len(content)), name


# -- what cannot be read ------------------------------------------------------


def test_unreadable(make_vault, open_folder, tmp_path):
    """Files and folders that are not ours to read, by a user who is not
    root."""
    site = open_folder / 'site'
    for name in ('file', 'shut/inside', 'no-entry/inside', 'no-list/inside',
                 'fine/inside'):
        trees.write(f'{site}/{name}', f'I am {name}')
    os.chmod(site / 'fine', 0o755)
    os.chmod(site, 0o755)
    for name, mode in (('file', 0), ('shut', 0), ('no-entry', 0o644),
                       ('no-list', 0o711)):
        os.chmod(site / name, mode)
    vault = make_vault(site)
    vault.folder = open_folder / 'vault'
    vault.folder.mkdir()
    vault.data = vault.folder / 'data'
    vault.conf = vault.folder / 'stepvault.conf'
    vault.configure()
    if other_user():
        subprocess.run(['chown', '-R', 'www-data:', vault.folder], check=True)
    # Root becomes the user whose configuration it is.
    answer = vault.cli('run')
    assert '\n4 warnings' in answer.stdout
    assert warnings_of(vault) == {
        'files/file': DENIED, 'files/shut': DENIED, 'files/no-list': DENIED,
        'files/no-entry/inside': DENIED}
    record = vault.record()
    assert (record['status'], record['unread']) == ('complete', 4)
    # The folders themselves are there, with their modes.
    for tool in ('tar', 'bsdtar'):
        target = trees.unpack(vault.parts(), str(tmp_path / tool), tool)
        modes = {name: os.stat(f'{target}/files/{name}').st_mode & 0o7777
                 for name in os.listdir(f'{target}/files')}
        assert modes == {'fine': 0o755, 'shut': 0, 'no-list': 0o711,
                         'no-entry': 0o644}
        with open(f'{target}/files/fine/inside', encoding='ascii') as file:
            assert file.read() == 'I am fine/inside'


def test_input_output_error(make_vault, tmp_path):
    """A bad block in the site costs the rest of one file."""
    site = tmp_path / 'site'
    for i in range(5):
        trees.write(f'{site}/file-{i}', b'x' * 100000)
    vault = make_vault(site)
    vault.cli('run', env=faults.environment(site, fail='read:3:5'))
    (path, reason), = warnings_of(vault).items()
    assert reason == ('could be read only in part: input/output error; ' +
                      ZEROS)
    target = trees.unpack(vault.parts(), str(tmp_path / 'out'))
    for i in range(5):
        with open(f'{target}/files/file-{i}', 'rb') as file:
            content = file.read()
        assert len(content) == 100000
        assert (content == b'x' * 100000) == (path != f'files/file-{i}')
