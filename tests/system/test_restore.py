# SPDX-License-Identifier: MIT
"""Restoring by hand: standard tools alone, as the RESTORE.txt in the archive
tells it, and files that are longer than most."""
import os
import shlex
import subprocess

import trees


def shell(command, cwd):
    subprocess.run(['sh', '-ec', command], cwd=cwd, check=True,
                   stdout=subprocess.DEVNULL)


def check_restored(site, target):
    assert trees.describe(site) == trees.describe(f'{target}/files')
    shell('sha256sum -c --quiet stepvault/SHA256SUMS', target)


UNPACK = {'zstd:3': ['tar --zstd -xf "$A"', 'zstd -dc "$A" | tar -xf -',
                     'tar -xf "$A"', 'bsdtar -xpf "$A"'],
          'gzip:6': ['tar -xzf "$A"', 'gzip -dc "$A" | tar -xf -'],
          'xz:1': ['tar -xJf "$A"', 'xz -dc "$A" | tar -xf -'],
          'none': ['tar -xf "$A"']}


def make_plain_site(tmp_path):
    """One without attributes, which tar restores only if it is told to."""
    site = trees.make_site(tmp_path / 'site')
    os.removexattr(f'{site}/hard', 'user.stepvault')
    os.utime(f'{site}/hard', ns=(1, 1600000000_123456789))
    return site


def test_each_compression(make_vault, tmp_path):
    """By the tool of each and by tar's own options."""
    site = make_plain_site(tmp_path)
    for compress, commands in UNPACK.items():
        vault = make_vault(site, profile=f'compress = {compress}')
        vault.cli('run')
        archive, = vault.parts()
        for command in commands:
            target = tmp_path / 'out'
            target.mkdir()
            shell(f'A={shlex.quote(str(archive))}; umask 0; {command}',
                  target)
            check_restored(site, target)
            shell('rm -rf out', tmp_path)


def test_parts(make_vault, tmp_path):
    """Parts joined by cat, for each compression; all but the last are as long
    as they were to be."""
    site = make_plain_site(tmp_path)
    for compress, command in (('zstd:3', 'tar --zstd -xf -'),
                              ('gzip:6', 'tar -xzf -'),
                              ('xz:1', 'tar -xJf -'), ('none', 'tar -xf -')):
        vault = make_vault(site, step='max = 50ms', profile='part_size = 64K\n'
                           f'compress = {compress}').start()
        assert vault.chain().text.startswith('200 OK\n')
        record = vault.record()
        parts = vault.parts(record)
        assert len(parts) >= 3
        sizes = [part.stat().st_size for part in parts]
        assert sizes == [part['size'] for part in record['parts']]
        assert set(sizes[:-1]) == {65536} and 0 < sizes[-1] <= 65536
        assert sum(sizes) == record['archive_size']
        # In the order of their names, as a shell puts them.
        stem = str(parts[0]).removesuffix('001')
        assert [str(part) for part in parts] == [
            f'{stem}{i:03}' for i in range(1, len(parts) + 1)]
        target = tmp_path / 'out'
        target.mkdir()
        shell(f'umask 0; cat {shlex.quote(stem)}* | {command}', target)
        check_restored(site, target)
        shell('rm -rf out', tmp_path)


def test_archive_is_private(make_vault, tmp_path):
    """Nobody else can read it, and its name cannot be guessed."""
    site = make_plain_site(tmp_path)
    vault = make_vault(site, profile='name = Zoë’s site / 2')
    names = set()
    for _ in range(2):
        vault.cli('run')
        archive, = vault.parts()
        assert archive.stat().st_mode & 0o7777 == 0o600
        assert archive.parent.stat().st_mode & 0o7777 == 0o700
        stem, _, random = archive.name.removesuffix('.tar.zst').rpartition('-')
        # 128 bits in base 32, after what helps people.
        assert len(random) == 26
        assert stem.isascii() and stem.startswith('zo')
        names.add(random)
    assert len(names) == 2


def test_restore_text(make_vault, tmp_path):
    """The archive says itself how it is restored."""
    vault = make_vault(make_plain_site(tmp_path))
    vault.cli('run')
    target = trees.unpack(vault.parts(), str(tmp_path / 'out'))
    with open(f'{target}/stepvault/RESTORE.txt', encoding='utf-8') as file:
        text = file.read()
    assert 'sha256sum -c' in text and 'tar ' in text
    assert all(len(line) < 80 for line in text.splitlines())
