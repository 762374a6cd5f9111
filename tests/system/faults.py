# SPDX-License-Identifier: MIT
"""Runs of the programs with tests/faultfs preloaded."""
import os
import struct
import subprocess

from vault import binary


def sanitized():
    return os.environ.get('STEPVAULT_SANITIZED') == '1'


def stride(usual=1):
    """How far apart the instants are that are tried.  With a sanitizer, which
    makes each some times slower, it is one in seven of what is usual;
    $STEPVAULT_STRIDE, as in the target 'exhaustive', goes before both."""
    given = os.environ.get('STEPVAULT_STRIDE')
    return int(given) if given else usual * 7 if sanitized() else usual


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


# The classes of calls, in the order of tests/faultfs.
CLASSES = ('open', 'read', 'write', 'sync', 'rename', 'remove', 'truncate',
           'mkdir', 'link', 'stat', 'any')


def counters(path):
    """{class: calls} of a run with count=path, and its 'changes'."""
    with open(path, 'rb') as file:
        numbers = struct.unpack(f'{2 + len(CLASSES)}q', file.read())
    return dict(zip(('changes',) + CLASSES + ('malloc',), numbers))
