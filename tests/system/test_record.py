# SPDX-License-Identifier: MIT
"""What is kept of a backup: its record, the checksums of its pieces, its
warnings and its log."""
import hashlib
import json
import os
import random
import subprocess
import time

import faults
import trees

FIELDS = {
    'version': int, 'id': str, 'number': int, 'profile': int,
    'profile_name': str, 'origin': str, 'status': str,
    'reason': (str, type(None)), 'started': int, 'ended': int,
    'phase_ms': list, 'steps': int, 'checkpoints': int, 'kills': int,
    'files': int, 'folders': int, 'symlinks': int, 'hardlinks': int,
    'specials': int, 'bytes': int, 'excluded': int, 'sockets': int,
    'unread': int, 'changed': int, 'mounts': int, 'outside': int,
    'warnings': int, 'plain_size': int, 'archive_size': int, 'parts': list,
    'frames': int, 'frames_sha256': str, 'manifest_sha256': str,
    'sums_sha256': str, 'databases': int, 'tables': int, 'rows': int,
    'database_list': list, 'warning_list': list}


def check_fields(record):
    assert {name: type(value) for name, value in record.items()} == {
        name: kind if isinstance(kind, type) else type(record[name])
        for name, kind in FIELDS.items()}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def content_size(root):
    """Bytes of all files below, each hard link once."""
    seen = {}
    for folder, _, names in os.walk(root):
        for name in names:
            st = os.lstat(os.path.join(folder, name))
            if st.st_mode & 0o170000 == 0o100000:
                seen[st.st_ino] = st.st_size
    return sum(seen.values())


def crc32c(data):
    """CRC-32C (RFC 3720, appendix B.4), bit by bit."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82f63b78 if byte & 1 else 0)
        table.append(byte)
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xffffffff


# -- the record ---------------------------------------------------------------


def test_complete_record(make_vault, site, tmp_path):
    """Every field, compared with what it is about."""
    assert crc32c(b'123456789') == 0xe3069283
    vault = make_vault(site, step='max = 50ms', profile='name = Zoë\n'
                       'part_size = 64K').start()
    before = int(time.time())
    hops = []
    vault.chain(visit=lambda *_: hops.append(1))
    after = int(time.time())
    record = vault.record()
    check_fields(record)
    assert (record['version'], record['number']) == (2, 1)
    assert (record['profile'], record['profile_name']) == (1, 'Zoë')
    assert (record['origin'], record['status']) == ('frontend', 'complete')
    assert (record['reason'], record['kills']) == (None, 0)
    assert before <= record['started'] <= record['ended'] <= after
    # The record may be there a step before its backup is cleared away.
    assert record['steps'] in (len(hops) - 1, len(hops))
    assert record['checkpoints'] >= record['steps']
    assert len(record['phase_ms']) == 8
    assert min(record['phase_ms']) >= 0
    assert sum(record['phase_ms']) <= (after - before + 1) * 1000
    assert record['bytes'] == content_size(site)
    parts = vault.parts(record)
    plain = subprocess.run(
        f'cat {" ".join(map(str, parts))} | zstd -dcq | wc -c', shell=True,
        check=True, stdout=subprocess.PIPE).stdout
    assert record['plain_size'] == int(plain)
    sizes = [part.stat().st_size for part in parts]
    assert [part['size'] for part in record['parts']] == sizes
    assert record['archive_size'] == sum(sizes)
    target = trees.unpack(parts, str(tmp_path / 'out'))
    for name, key in (('manifest.jsonl', 'manifest_sha256'),
                      ('SHA256SUMS', 'sums_sha256')):
        assert sha256(tmp_path / 'out/stepvault' / name) == record[key]
    assert target


def test_every_byte_has_a_checksum(make_vault, site):
    """By frames, whose own hash is in the record."""
    vault = make_vault(site, step='max = 50ms',
                       profile='part_size = 64K').start()
    vault.chain()
    record = vault.record()
    archive = b''.join(part.read_bytes() for part in vault.parts(record))
    frames = vault.data / 'backups' / record['id'] / 'frames'
    assert sha256(frames) == record['frames_sha256']
    lines = frames.read_bytes().splitlines()
    assert len(lines) == record['frames']
    end = plain = 0
    for line in lines:
        crc, _, text = line.partition(b' ')
        assert crc32c(text) == int(crc, 16)
        offset, packed, length, packed_crc = text.split()
        assert int(offset) == end
        piece = archive[end:end + int(packed)]
        assert len(piece) == int(packed)
        assert crc32c(piece) == int(packed_crc, 16)
        end += int(packed)
        plain += int(length)
    assert end == len(archive) == record['archive_size']
    assert plain == record['plain_size']


def test_failed_record(make_vault, tmp_path):
    vault = make_vault(tmp_path / 'nowhere')
    result = vault.cli('run', '--json', check=False)
    assert result.returncode == 1
    record = json.loads(result.stdout)
    check_fields(record)
    assert record == vault.record()
    assert (record['status'], record['origin']) == ('failed', 'cli')
    assert "'site'" in record['reason']
    assert record['parts'] == []
    assert vault.log().splitlines()[-1].endswith(
        'failed: ' + record['reason'])


def test_running_record(make_vault, tmp_path):
    """An unfinished backup is on the list, too."""
    trees.write(f'{tmp_path}/site/file', random.Random(5).randbytes(2000000))
    vault = make_vault(tmp_path / 'site', step='max = 50ms')
    vault.start(env=faults.environment(tmp_path / 'site', delay='read:20000'))
    vault.get()
    record = vault.record()
    check_fields(record)
    assert (record['status'], record['ended']) == ('running', 0)
    assert vault.cli('list').stdout.splitlines()[1].split()[2] == 'running'


# -- many warnings ------------------------------------------------------------


def test_many_warnings(make_vault, tmp_path):
    """The first thousand are in the record, the number of all; the log stops
    at its largest size, and the backup goes on."""
    site, late = tmp_path / 'site', tmp_path / 'late'
    trees.write(f'{site}/big', random.Random(6).randbytes(2000000))
    late.mkdir()
    count = 22000
    for i in range(count):
        os.close(os.open(late / f'{i:0200}', os.O_WRONLY | os.O_CREAT))
    vault = make_vault(site, step='max = 200ms',
                       profile=f'extra = late:{late}')
    vault.start(env=faults.environment(site, delay='read:20000'))
    gone = []

    def between(*_):
        state = vault.state()
        if not gone and state and state['pack.in_file']:
            for i in range(count):
                os.unlink(late / f'{i:0200}')
            gone.append(True)

    answer = vault.chain(visit=between)
    assert gone
    assert answer.text.endswith(f'\n{count} warnings\n')
    record = vault.record()
    assert (record['warnings'], record['unread']) == (count, count)
    assert len(record['warning_list']) == 1000
    named = {entry['path'] for entry in record['warning_list']}
    assert len(named) == 1000
    assert named <= {f'extra/late/{i:0200}' for i in range(count)}
    log = (vault.data / 'backups' / record['id'] / 'log').read_text()
    assert 4 << 20 <= len(log) <= (4 << 20) + 1000
    assert log.splitlines()[-1].endswith('the log is full; it ends here')
    shown = vault.cli('show', 'latest').stdout
    assert shown.count(': vanished before it could be read\n') == 1000
    assert f"'stepvault log {record['id']}' has more of them" in shown
