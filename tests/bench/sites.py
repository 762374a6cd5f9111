# SPDX-License-Identifier: MIT
"""The trees that are measured with: each is made when it is first asked for,
and kept for the next time."""
import glob
import os
import pathlib
import random
import shutil
import subprocess

import gen_tree
from measure import say

MILLION = 1_000_000
PROGRAM_TEXT = ('/usr/lib/x86_64-linux-gnu/perl*', '/usr/share/perl*',
                '/usr/lib/python3*')


def make_site(dest):
    """A web site: 20,000 files, 1 GiB."""
    gen_tree.make_site(str(dest), 42)


def make_small(dest):
    """1,000,000 small files."""
    gen_tree.make_small(str(dest), MILLION)


def make_tiny(dest):
    """30 files, 400 KB."""
    rand = random.Random(3)
    text = gen_tree.Text(rand, 1 << 20)
    for i in range(30):
        gen_tree.put(rand, f'{dest}/d{i % 4}/f{i:02}.php',
                     text.take(400_000 // 30))


def make_text(dest):
    """Program text: the perl and python libraries of this machine."""
    folders = [path for pattern in PROGRAM_TEXT for path in glob.glob(pattern)
               if os.path.isdir(path) and not os.path.islink(path)]
    assert folders, 'neither perl nor python has its libraries in /usr'
    dest.mkdir()
    # With --parents and absolute names cp loses its way.
    subprocess.run(['cp', '-a', '--parents',
                    *(path.lstrip('/') for path in sorted(folders)), dest],
                   cwd='/', check=True)


def make_deep(dest):
    """1,000 levels of names of 255 bytes, with a file in each."""
    dest.mkdir()
    folder = os.open(dest, os.O_RDONLY | os.O_DIRECTORY)
    for level in range(1000):
        name = f'{level:04}-'.ljust(255, 'n')
        os.mkdir(name, dir_fd=folder)
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder)
        os.close(folder)
        folder = below
        with open(os.open('file', os.O_CREAT | os.O_WRONLY, 0o644,
                          dir_fd=folder), 'w', encoding='ascii') as file:
            file.write(f'{level}\n')
    os.close(folder)


def make_links(dest):
    """1,000,000 hard links: half of them in pairs, half to eight files."""
    first = {}
    for i in range(MILLION):
        path = f'{dest}/{i // 1000:03}/link-{i:06}'
        group = i // 62_500 if i < MILLION // 2 else i // 2
        if i % 1000 == 0:
            os.makedirs(os.path.dirname(path))
        if group in first:
            os.link(first[group], path)
        else:
            first[group] = path
            with open(path, 'w', encoding='ascii') as file:
                file.write(f'{group}\n')


def make_wide(dest):
    """One folder of 1,000,000 files."""
    dest.mkdir()
    for i in range(MILLION):
        with open(f'{dest}/file-{i:06}', 'w', encoding='ascii') as file:
            file.write(f'{i}\n')


def make_folders(dest):
    """300 empty folders."""
    for i in range(300):
        os.makedirs(f'{dest}/folder-{i:03}')


class Sites:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)

    def get(self, name):
        """The path of the tree that make_NAME makes."""
        make = globals()['make_' + name]
        path = self.folder / name
        if not path.exists():
            say(f'making {path}: {make.__doc__.strip()}')
            unfinished = self.folder / f'{name}.unfinished'
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            unfinished.rename(path)
        return path
