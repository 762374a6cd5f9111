#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measure Stepvault, and print a table of figures, bars and whether they are
met.  Both sides of a comparison run in turns, and both until their data is on
the disk; of several runs the median counts."""
import argparse
import os
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
sys.dont_write_bytecode = True
sys.path[1:1] = [str(HERE.parent / 'system')]

import dumps  # noqa: E402
import memory  # noqa: E402
import sizes  # noqa: E402
import speed  # noqa: E402
import steps  # noqa: E402
from measure import say  # noqa: E402
from sites import Sites  # noqa: E402

FIGURES = {figure.__name__.replace('_', '-'): figure
           for module in (speed, memory, steps, sizes, dumps)
           for figure in module.FIGURES}


class Bench:
    """What a figure is given."""

    def __init__(self, runs, sites, scratch):
        self.runs = runs
        self.sites = sites
        self.scratch = pathlib.Path(scratch)

    def folder(self):
        """A new empty folder, without those that were given before."""
        folder = self.scratch / 'vault'
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='figures:\n' + '\n'.join(
            f'  {name:12} {figure.__doc__.splitlines()[0]}'
            for name, figure in FIGURES.items()))
    parser.add_argument('--build', default=SOURCE / 'build/dev',
                        type=pathlib.Path, help='default: build/dev')
    parser.add_argument('--trees', default='/var/tmp/stepvault-bench',
                        help='where trees and databases are made and kept, '
                        'and the archives written; default: %(default)s')
    parser.add_argument('--runs', type=int, default=5,
                        help='of each comparison; default: %(default)s')
    parser.add_argument('figures', nargs='*', metavar='FIGURE',
                        help='default: all')
    chosen = parser.parse_args()
    for name in chosen.figures:
        if name not in FIGURES:
            parser.error(f'there is no figure {name}')
    return chosen


def set_up(build):
    """Tell tests/system which programs to run."""
    build = build.resolve()
    os.environ.update(
        STEPVAULT_CLI=str(build / 'stepvault'),
        STEPVAULT_FCGI=str(build / 'stepvault.fcgi'),
        STEPVAULT_FAULTFS=str(build / 'tests/libfaultfs.so'),
        STEPVAULT_SOURCE=str(SOURCE))


def heading():
    load = ', '.join(f'{number:.2f}' for number in os.getloadavg())
    return (f'{os.cpu_count()} cores, Linux {os.uname().release}, load '
            f'before: {load}')


def measure(names, bench):
    """The rows of all figures, and the names of those that gave none."""
    rows, without = [], []
    for name in names:
        say(f'figure {name}')
        try:
            for row in FIGURES[name](bench):
                rows.append(row)
                say(row)
        except Exception as error: # the others are worth having
            say(f'{name}: {type(error).__name__}: {error}')
            without.append(name)
    return rows, without


def main():
    chosen = arguments()
    set_up(chosen.build)
    sites = Sites(chosen.trees)
    # Hosts are made where the trees are, not in a /tmp that may be memory.
    tempfile.tempdir = str(sites.folder)
    title = heading()
    with tempfile.TemporaryDirectory(prefix='bench-') as scratch:
        # The servers' own users read sites in it.
        os.chmod(scratch, 0o755)
        rows, without = measure(chosen.figures or FIGURES,
                                Bench(chosen.runs, sites, scratch))
    print(f'{title}\n\n| figure | value | measured | bar | met |\n'
          '| --- | --- | --- | --- | --- |')
    print(*rows, sep='\n')
    for name in without:
        print(f'\n{name} was not measured.')
    return 1 if without else 0


if __name__ == '__main__':
    sys.exit(main())
