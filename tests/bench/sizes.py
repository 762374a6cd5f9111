# SPDX-License-Identifier: MIT
"""Figures of size.  They are no matter of chance and measured once."""
import contextlib
import subprocess

import backups
from measure import Row, say, show
from vault import Vault


def size_by_tar(tree):
    """Bytes of tar --format=posix | zstd -3."""
    size = 0
    with contextlib.ExitStack() as stack:
        tar = stack.enter_context(subprocess.Popen(
            ['tar', '--format=posix', '-C', tree.parent, '-cf', '-',
             tree.name], stdout=subprocess.PIPE))
        zstd = stack.enter_context(subprocess.Popen(
            ['zstd', '-3', '-c'], stdin=tar.stdout, stdout=subprocess.PIPE))
        tar.stdout.close()
        while piece := zstd.stdout.read(1 << 20):
            size += len(piece)
    assert (tar.returncode, zstd.returncode) == (0, 0)
    return size


def size_by_us(bench, tree):
    """Bytes of a backup's archive, in steps of 2 s."""
    with Vault(bench.folder(), tree, step='max = 2s',
               profile=backups.PROFILE) as vault:
        vault.start()
        answer = vault.chain()
        assert answer.text.startswith('200 OK\n'), answer.text
        record = vault.record()
    return record['archive_size'], record


def size(bench):
    """Archive size against tar --format=posix | zstd -3, three trees."""
    for name, what in (('site', '1 GiB'), ('text', 'program text'),
                       ('small', '1,000,000 files')):
        tree = bench.sites.get(name)
        say(f'size of {what}')
        ours, record = size_by_us(bench, tree)
        theirs = size_by_tar(tree)
        yield Row(f'archive size, {what}',
                  f'{show(ours, "MB")} in {record["frames"]} frames, '
                  f'tar and zstd {show(theirs, "MB")}; its own lists of '
                  'files and checksums included',
                  ours / theirs, 1.02, 'x')


FIGURES = (size,)
