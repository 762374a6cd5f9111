# SPDX-License-Identifier: MIT
"""Somebody who can write to the site, and swaps what is in it for something
else as fast as the kernel allows.  A program: swapper.py HOW SEED, with pairs
of paths as JSON on standard input, ends when that does."""
import contextlib
import ctypes
import json
import os
import random
import subprocess
import sys
import threading

RENAME_EXCHANGE = 2


class Place:
    """A path whose folder is opened once: where that is a symlink later, it
    is not followed.  What is outside stays there."""

    def __init__(self, path):
        folder, self.name = os.path.split(path)
        self.folder = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        self.raw = os.fsencode(self.name)


def exchange(libc, one, two):
    """Both paths exist all the time."""
    libc.renameat2(one.folder, one.raw, two.folder, two.raw, RENAME_EXCHANGE)


def rename(_, one, two):
    """By plain renames: for a moment there is neither."""
    ways = [(one, one.name, two, two.name + '.away'),
            (two, two.name, one, one.name),
            (two, two.name + '.away', two, two.name)]
    for source, name, target, new in ways:
        with contextlib.suppress(OSError):
            os.rename(name, new, src_dir_fd=source.folder,
                      dst_dir_fd=target.folder)


def main(how, seed):
    rand = random.Random(int(seed))
    libc = ctypes.CDLL(None, use_errno=True)
    pairs = [[Place(path) for path in pair]
             for pair in json.loads(sys.stdin.readline())]
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()),
                     daemon=True).start()
    print('ready', flush=True)
    count = 0
    while not ended.is_set():
        one, two = rand.choice(pairs)
        (exchange if how == 'exchange' else rename)(libc, one, two)
        count += 1
    print(count)


class Swapper:
    """Swaps the pairs from now on until stop()."""

    def __init__(self, pairs, how='exchange'):
        seed = random.randrange(2**32)
        print('seed', seed)
        self.process = subprocess.Popen(
            [sys.executable, __file__, how, str(seed)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdin.write(json.dumps(pairs) + '\n')
        self.process.stdin.flush()
        assert self.process.stdout.readline() == 'ready\n'

    def stop(self):
        """How many swaps there were; repeatable."""
        process, self.process = self.process, None
        if process is None:
            return 0
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        return int(out)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.kill()
            self.process.communicate()


if __name__ == '__main__':
    main(*sys.argv[1:])
