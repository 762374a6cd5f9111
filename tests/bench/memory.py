# SPDX-License-Identifier: MIT
"""Figures of memory and of the state's size.  Neither is a matter of chance,
so each is measured once, and what counts is the worst of all cases."""
import backups
from measure import Row, peak_memory, say, show
from vault import Vault

LEVELS = range(1, 10)
MEMORY_BAR = 32 * 2**20
STATE_BAR = 64 * 2**10


def run(bench, tree, step, profile):
    """A whole chain: peak memory of the FastCGI process, the largest state
    that a step left, and the record."""
    sizes = []
    with Vault(bench.folder(), tree, step=step,
               profile=f'{backups.PROFILE}\n{profile}') as vault:
        vault.start()

        def look(*_):
            # The last step has removed it.
            sizes.extend(path.stat().st_size for path in
                         vault.data.glob('jobs/*/state.json'))

        answer = vault.chain(visit=look, hops=1_000_000)
        assert answer.text.startswith('200 OK\n'), answer.text
        return peak_memory(vault.process.pid), max(sizes), vault.record()


def levels_of(bench, name):
    """Peak memory by level."""
    tree = bench.sites.get(name)
    peaks = {}
    for level in LEVELS:
        peaks[level], _, _ = run(bench, tree, 'max = 2s',
                                 f'compress = zstd:{level}')
        say(f'  {name}, zstd:{level}: {show(peaks[level], "MiB")}')
    return peaks


def memory(bench):
    """Peak memory of the FastCGI process, both trees, zstd:1 to 9."""
    site, small = levels_of(bench, 'site'), levels_of(bench, 'small')
    for name, peaks in (('1 GiB', site), ('1,000,000 files', small)):
        listed = ', '.join(f'{level}: {peak / 2**20:.1f}'
                           for level, peak in peaks.items())
        yield Row(f'peak memory, {name}', f'MiB by level of zstd: {listed}',
                  max(peaks.values()), MEMORY_BAR, 'MiB')
    times = {level: small[level] / site[level] for level in LEVELS}
    worst = max(times, key=times.get)
    yield Row('peak memory, 1,000,000 files against 1 GiB',
              f'worst at zstd:{worst}: {show(small[worst], "MiB")} against '
              f'{show(site[worst], "MiB")}', times[worst], 1.10, 'x')


def extremes(bench):
    """State and memory on trees that would swell them."""
    for name, what, more in (
            ('deep', '1,000 levels of 255-byte names', ''),
            ('links', '1,000,000 hard links', ''),
            ('wide', 'one folder of 1,000,000', ''),
            ('site', 'parts of 1 MiB', 'part_size = 1M')):
        peak, state, record = run(bench, bench.sites.get(name),
                                  'max = 200ms', more)
        say(f'  {what}: {show(state, "KiB")}, {show(peak, "MiB")}')
        did = (f'{record["steps"]} steps of 200 ms, looked at after each; '
               f'{record["files"]} files, {record["hardlinks"]} hard links, '
               f'{record["folders"]} folders, {len(record["parts"])} parts')
        yield Row(f'state, {what}', did, state, STATE_BAR, 'KiB')
        yield Row(f'memory, {what}', 'of the same run', peak, MEMORY_BAR,
                  'MiB')


FIGURES = (memory, extremes)
