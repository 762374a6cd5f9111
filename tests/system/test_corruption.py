# SPDX-License-Identifier: MIT
"""Corruption is named: what is truncated, flipped or missing between two
steps gives a failed backup that names the file, never a wrong archive."""
import random
import re
import shutil

import pytest

import faults
import trees


def start_halfway(vault, hops=500):
    """Step until there are two parts; the backup's ID and the next URL."""
    url = vault.url()
    for _ in range(hops):
        answer = vault.get(url)
        assert answer.status == 302, answer.text
        url = '/stepvault/' + answer.location
        if len(list(vault.data.glob('backups/*/*.partial'))) >= 2:
            assert ', pack,' in answer.text
            return re.search('backupid=([^&]*)', answer.location)[1], url
    raise AssertionError('never halfway')


@pytest.fixture
def halfway(make_vault, site):
    """A backup in the middle of packing, of a site that is slow to read."""
    trees.write(f'{site}/big', random.Random(1).randbytes(3_000_000))
    vault = make_vault(site, step='max = 50ms\ncheckpoint_size = 64K',
                       profile='part_size = 256K')
    vault.start(env=faults.environment(site, delay='read:3000'))
    backup_id, url = start_halfway(vault)
    return vault, backup_id, url


def damage_truncated(path, rand):
    path.write_bytes(path.read_bytes()[:-1 - rand.randrange(20)])


def damage_flipped(path, rand):
    content = bytearray(path.read_bytes())
    at = rand.randrange(len(content))
    content[at] ^= 1 << rand.randrange(8)
    path.write_bytes(bytes(content))


def damage_emptied(path, _rand):
    path.write_bytes(b'')


def damage_missing(path, _rand):
    path.unlink()


DAMAGES = (damage_truncated, damage_flipped, damage_emptied, damage_missing)


def finish_failed(vault, url, name):
    """The chain ends in a failure that names the file."""
    answer = vault.chain(url)
    assert answer.status == 500, answer.text
    assert answer.text.startswith('500 ERROR -- ')
    assert name in answer.text
    record = vault.records()[0]
    assert record['status'] == 'failed'
    assert name in record['reason']
    # Nothing of it is left, and the next backup is a good one.
    backup = vault.data / 'backups' / record['id']
    assert sorted(p.name for p in backup.iterdir()) == ['log', 'record.json']
    assert list(vault.data.glob('jobs/*')) == []
    return record


@pytest.mark.parametrize('damage', DAMAGES)
@pytest.mark.parametrize('name', ['state.json'])
def test_state(halfway, tmp_path, damage, name):
    vault, backup_id, url = halfway
    seed = random.randrange(2**32)
    print('seed', seed)
    path = vault.data / 'jobs' / backup_id / name
    damage(path, random.Random(seed))
    finish_failed(vault, url, 'state.json')
    answer = vault.chain(vault.url(fresh=1))
    assert answer.text.startswith('200 OK')
    trees.assert_same(vault.site, vault.parts(), tmp_path, tools=('tar',))


@pytest.mark.parametrize('damage', DAMAGES)
@pytest.mark.parametrize('name', ['catalog', 'manifest', 'sums', 'frames',
                                  'links'])
def test_spools(halfway, damage, name):
    vault, backup_id, url = halfway
    seed = random.randrange(2**32)
    print('seed', seed)
    folder = 'backups' if name == 'frames' else 'jobs'
    path = vault.data / folder / backup_id / name
    before = path.read_bytes()
    damage(path, random.Random(seed))
    if damage is damage_flipped and name in ('catalog', 'links'):
        # What was read already may do no harm, and is not read again.
        answer = vault.chain(url)
        record = vault.records()[0]
        if answer.status == 200:
            assert record['status'] == 'complete'
            return
        assert f"'{name}'" in answer.text
    else:
        finish_failed(vault, url, f"'{name}'")
    assert before


@pytest.mark.parametrize('which', ['first', 'last'])
@pytest.mark.parametrize('damage', [damage_truncated, damage_emptied,
                                    damage_missing])
def test_parts(halfway, damage, which):
    vault, backup_id, url = halfway
    parts = sorted((vault.data / 'backups' / backup_id).glob('*.partial'))
    part = parts[0 if which == 'first' else -1]
    damage(part, random.Random(1))
    finish_failed(vault, url, part.name)


def test_a_part_that_is_too_long(halfway):
    vault, backup_id, url = halfway
    parts = sorted((vault.data / 'backups' / backup_id).glob('*.partial'))
    with open(parts[0], 'ab') as file:
        file.write(b'more')
    finish_failed(vault, url, parts[0].name)


def test_what_is_beyond_the_state_does_no_harm(halfway, tmp_path):
    """Longer files are what a kill leaves behind."""
    vault, backup_id, url = halfway
    job, backup = (vault.data / kind / backup_id
                   for kind in ('jobs', 'backups'))
    for path in [job / 'catalog', job / 'manifest', job / 'sums',
                 backup / 'frames', sorted(backup.glob('*.partial'))[-1]]:
        with open(path, 'ab') as file:
            file.write(b'left by a kill\n')
    assert vault.chain(url).text.startswith('200 OK')
    trees.assert_same(vault.site, vault.parts(), tmp_path)


def test_whole_folders_missing(halfway):
    vault, backup_id, url = halfway
    shutil.rmtree(vault.data / 'jobs' / backup_id)
    answer = vault.chain(url)
    assert answer.status == 500
    assert 'state' in answer.text
    assert vault.records()[0]['status'] == 'failed'


def test_backup_folder_missing(halfway):
    vault, backup_id, url = halfway
    shutil.rmtree(vault.data / 'backups' / backup_id)
    answer = vault.chain(url)
    assert answer.status == 500
    assert 'backups' in answer.text


def test_state_of_another_backup(halfway, tmp_path):
    """A good state in the wrong place is a bad one."""
    vault, backup_id, url = halfway
    other = trees.make_site(tmp_path / 'other')
    trees.write(f'{other}/big', random.Random(2).randbytes(3_000_000))
    vault.stop()
    vault.configure(step='max = 50ms\ncheckpoint_size = 64K',
                    profile='part_size = 256K',
                    more=f'[profile 2]\nsite = {other}\nmin_free = 0\n')
    vault.start(env=faults.environment(other, delay='read:3000'))
    answer = vault.get(vault.url(profile=2))
    assert answer.status == 302
    second = re.search('backupid=([^&]*)', answer.location)[1]
    state = vault.data / 'jobs' / second / 'state.json'
    (vault.data / 'jobs' / backup_id / 'state.json').write_bytes(
        state.read_bytes())
    finish = vault.chain(url)
    assert finish.status == 500
    assert 'another backup' in finish.text
    assert vault.chain(vault.url(profile=2)).status == 200


def test_damage_while_publishing(make_vault, site, tmp_path):
    """A part that is lost at the very end is not called complete."""
    vault = make_vault(site, profile='part_size = 64K')
    trees.write(f'{site}/big', random.Random(1).randbytes(400_000))
    vault.data.mkdir(mode=0o700)
    count = tmp_path / 'count'
    vault.start(env=faults.environment(vault.data, count=count))
    assert vault.chain().status == 200
    vault.stop()
    # Fail at the rename of a part, which is one of the last.
    renames = faults.counters(count)['rename']
    assert len(vault.record()['parts']) > 3
    for number in range(renames, 0, -1):
        vault.start(env=faults.environment(
            vault.data, fail=f'rename:{number}:5'))
        answer = vault.chain(vault.url(fresh=1))
        vault.stop()
        partial = sorted(vault.data.glob('backups/*/*.partial'))
        if answer.status == 503 and partial and (
                len(partial) < len(list(vault.data.glob('backups/*/*.0*')))):
            break
        vault.start()
        assert vault.chain(vault.url(fresh=1)).status == 200
        vault.stop()
    partial[-1].unlink()
    vault.start()
    finish_failed(vault, vault.url(), partial[-1].name)


def test_lost_key(halfway, tmp_path):
    """Records are unverified then; nothing that is complete is lost."""
    vault, backup_id, url = halfway
    assert vault.chain(url).status == 200
    parts = vault.parts()
    vault.stop()
    (vault.data / 'key').unlink()
    assert 'unverified' in vault.cli('list').stdout
    assert vault.record(backup_id)['status'] == 'complete'
    vault.cli('run')
    assert len(vault.records()) == 2
    trees.assert_same(vault.site, parts, tmp_path, tools=('tar',))


def test_damaged_key(make_vault, site):
    vault = make_vault(site)
    vault.cli('run')
    (vault.data / 'key').write_bytes(b'short')
    result = vault.cli('run', check=False)
    assert result.returncode == 1
    assert "'key'" in result.stderr and '5 bytes' in result.stderr


