# SPDX-License-Identifier: MIT
"""How things are measured: costs, samples of them, and rows of the table."""
import dataclasses
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

SCALES = {'s': 1, 'ms': 1000, 'x': 1, 'KiB': 1 / 1024, 'MiB': 1 / 2**20,
          'MB': 1e-6}


def say(text):
    """Tell whoever waits for the table what is being done."""
    print(f'{time.strftime("%H:%M:%S")} {text}', file=sys.stderr, flush=True)


def show(value, unit):
    scaled = value * SCALES[unit]
    digits = 3 if unit == 'x' else 2 if scaled < 10 else 1
    return f'{scaled:.{digits}f} {unit}'


def spread(values, unit):
    """Median, least and most of a sample, seconds or bytes."""
    middle = show(statistics.median(values), unit)
    if len(values) == 1:
        return middle
    return f'{middle} ({show(min(values), unit)} to {show(max(values), unit)})'


@dataclasses.dataclass
class Row:
    """A line of the table.  value and bar are in seconds, bytes or times; unit
    is how they are shown."""
    figure: str
    measured: str
    value: float
    bar: float
    unit: str

    def __str__(self):
        met = 'yes' if self.value <= self.bar else '**no**'
        return (f'| {self.figure} | {show(self.value, self.unit)} '
                f'| {self.measured} | <= {self.bar * SCALES[self.unit]:g} '
                f'{self.unit} | {met} |')


def ratio(figure, names, ours, theirs, unit, bar, note=''):
    """The row of a comparison: the median of what the pairs give."""
    times = [our / their for our, their in zip(ours, theirs, strict=True)]
    measured = (f'{spread(times, "x")}: {names[0]} {spread(ours, unit)}, '
                f'{names[1]} {spread(theirs, unit)}')
    return Row(figure, '; '.join(filter(None, (measured, note))),
               statistics.median(times), bar, 'x')


def alternate(runs, ours, theirs):
    """Do both in turns; what each gave."""
    pairs = []
    for number in range(1, runs + 1):
        pairs.append((ours(), theirs()))
        say(f'  {number} of {runs}: {pairs[-1][0]}, {pairs[-1][1]}')
    return [list(side) for side in zip(*pairs)]


@dataclasses.dataclass
class Cost:
    """Seconds of one run; packing: of the part that reads and packs."""
    wall: float = 0
    cpu: float = 0
    packing: float = 0

    def __str__(self):
        return f'{self.wall:.2f} s (CPU {self.cpu:.2f} s)'


def settle():
    """Let nothing of an earlier run reach the disk during the next."""
    os.sync()


def cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu_of_self():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def cpu_of_process(pid):
    """Of all threads that a process has or had."""
    stat = pathlib.Path(f'/proc/{pid}/stat').read_text()
    user, system = stat.rpartition(')')[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')


def peak_memory(pid):
    """VmHWM in bytes."""
    for line in pathlib.Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith('VmHWM:'):
            return int(line.split()[1]) * 1024
    raise AssertionError(f'/proc/{pid}/status has no VmHWM')


def bsdtar(tree, scratch):
    """What an archive costs by bsdtar, until it is on the disk."""
    tree = pathlib.Path(tree)
    target = pathlib.Path(scratch) / 'bsdtar.tar.zst'
    settle()
    children, own = cpu_of_children(), cpu_of_self()
    begin = time.perf_counter()
    subprocess.run(['bsdtar', '--zstd', '-cf', target, '-C', tree.parent,
                    tree.name], check=True)
    with open(target, 'rb') as file:
        os.fsync(file)
    wall = time.perf_counter() - begin
    cpu = cpu_of_children() - children + cpu_of_self() - own
    target.unlink()
    return Cost(wall, cpu, wall)


def warm(tree):
    """Read a tree once, so that neither side is the first to."""
    tree = pathlib.Path(tree)
    say(f'reading {tree}')
    subprocess.run(['bsdtar', '-cf', '-', '-C', tree.parent, tree.name],
                   check=True, stdout=subprocess.DEVNULL)
