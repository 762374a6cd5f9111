# SPDX-License-Identifier: MIT
"""Runs of the programs with tests/faultfs preloaded."""
import mmap
import os
import struct
import subprocess

from vault import binary


def sanitized():
    return os.environ.get('STEPVAULT_SANITIZED') == '1'


def preload():
    """What to preload: below a sanitizer's runtime, which must be first."""
    library = binary('FAULTFS')
    if not sanitized():
        return library
    runtime = subprocess.run(
        ['gcc', '-print-file-name=libasan.so'], check=True,
        stdout=subprocess.PIPE, text=True).stdout.strip()
    return f'{os.path.realpath(runtime)}:{library}'


def environment(*roots, **faults):
    """Environment for faults below the roots, such as kill='before:7'."""
    env = {'LD_PRELOAD': preload(),
           'FAULTFS_ROOTS': ':'.join(str(root) for root in roots)}
    for name, value in faults.items():
        if value is not None:
            env['FAULTFS_' + name.upper()] = str(value)
    return env


class Counter:
    """The count of changes that several processes share."""

    def __init__(self, path):
        self.path = str(path)
        with open(self.path, 'wb') as file:
            file.write(bytes(8))

    @property
    def value(self):
        with open(self.path, 'rb') as file:
            return struct.unpack('q', file.read(8))[0]

    def reset(self):
        with open(self.path, 'r+b') as file:
            with mmap.mmap(file.fileno(), 8) as page:
                page[:] = bytes(8)
