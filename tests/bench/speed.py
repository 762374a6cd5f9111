# SPDX-License-Identifier: MIT
"""Figures of time: whole backups, a small site, a hop."""
import contextlib
import http.client
import json
import statistics
import time
import urllib.parse

import servers
from backups import Chain, host, phase
from measure import (
    Row, alternate, bsdtar, ratio, say, settle, spread, warm)

SMALL_RUNS = 25 # of what takes no time
HOPS = 200


def whole(bench):
    """The 1 GiB tree over the redirect chain, against bsdtar: wall and CPU."""
    tree = bench.sites.get('site')
    warm(tree)
    with Chain(tree, 'max = 2s') as chain:
        ours, theirs = alternate(bench.runs, chain.follow,
                                 lambda: bsdtar(tree, bench.scratch))
        hops = chain.hops
    names = ('nginx, curl, max = 2s', 'bsdtar --zstd')
    yield ratio('whole backup, wall time', names, [c.wall for c in ours],
                [c.wall for c in theirs], 's', 0.7, f'{hops} hops')
    yield ratio('whole backup, CPU time', ('stepvault.fcgi', names[1]),
                [c.cpu for c in ours], [c.cpu for c in theirs], 's', 1.2,
                'nginx and curl not counted')


def hops(bench):
    """The 1 GiB tree in steps of 200 ms, against unstepped."""
    tree = bench.sites.get('site')
    warm(tree)
    with Chain(tree, 'max = 200ms') as chain:
        ours, theirs = alternate(bench.runs, chain.follow, chain.run)
        count = chain.records[-2]['steps']
    yield ratio('whole backup, max = 200ms against unstepped',
                ('nginx, curl', 'stepvault run'), [c.wall for c in ours],
                [c.wall for c in theirs], 's', 1.05, f'{count} hops')


def million(bench):
    """The tree of 1,000,000 files, walk and pack, against bsdtar."""
    tree = bench.sites.get('small')
    warm(tree)
    with Chain(tree, 'max = 2s') as chain:
        ours, theirs = alternate(bench.runs, chain.follow,
                                 lambda: bsdtar(tree, bench.scratch))
        times = [phase(record, 'walk', 'pack') / 1000
                 for record in chain.records]
        whole_time = spread([cost.wall for cost in ours], 's')
    yield ratio('1,000,000 files, walk and pack',
                ('the chain less other phases', 'bsdtar --zstd'),
                [c.packing for c in ours], [c.packing for c in theirs], 's',
                0.65, f'walk and pack by the record {spread(times, "s")}, '
                f'whole chain {whole_time}')


# -- small things -------------------------------------------------------------


def tiny(bench):
    """A site of 30 files and 400 KB, first request to 200 OK."""
    times = []
    with host(bench.sites.get('tiny'), 'max = 2s') as the_host:
        server = the_host.serve(servers.Nginx)
        for _ in range(SMALL_RUNS):
            settle()
            begin = time.perf_counter()
            answer = server.follow(the_host.vault.url(fresh=1))
            times.append(time.perf_counter() - begin)
            assert answer.text.startswith('200 OK\n'), answer.text
    yield Row('30 files, 400 KB: first request to 200 OK',
              f'{spread(times, "ms")} of {SMALL_RUNS}, nginx',
              statistics.median(times), 0.05, 'ms')


class KeptConnection:
    """Follows redirects as curl does, over one connection."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection(
            '127.0.0.1', server.port, timeout=60)

    def get(self, path):
        """An answer, its body, and how long it took."""
        begin = time.perf_counter()
        self.connection.request('GET', path)
        answer = self.connection.getresponse()
        body = answer.read().decode()
        return answer, body, time.perf_counter() - begin

    def close(self):
        self.connection.close()


def expect_slow_disk(vault):
    """Let it think that a checkpoint takes a minute, longer than a step: so
    each step ends after its first unit."""
    path = vault.data / 'limits.json'
    limits = json.loads(path.read_text())
    limits['fixed'] = 60 * 10**9
    path.write_text(json.dumps(limits))


def some_hops(server):
    """How long the first hops of a backup took, of those in the walk, where
    a unit reads, enters or leaves an empty folder."""
    times = []
    path = server.host.vault.url(server.path, fresh=1)
    with contextlib.closing(KeptConnection(server)) as client:
        for _ in range(22): # then a FastCGI process knows better
            answer, body, length = client.get(path)
            if answer.status != 302:
                raise AssertionError(body)
            path = urllib.parse.urljoin(path, answer.headers['Location'])
            times.append(length)
            assert ' walk, ' in body, body
    # The first does more, and what was read with it warms up.
    return times[2:]


def measure_hops(bench, kind):
    times = []
    with host(bench.sites.get('folders'), 'max = 50ms') as the_host:
        the_host.vault.cli('run')
        while len(times) < HOPS:
            expect_slow_disk(the_host.vault)
            with kind(the_host) as server:
                times += some_hops(server)
            the_host.vault.stop()
            the_host.vault.cli('run', '--fresh')
    return times


def hop(bench):
    """A hop with next to nothing done: nginx, and lighttpd's plain CGI."""
    for kind, name, bar in ((servers.Nginx, 'nginx', 0.002),
                            (servers.LighttpdCgi, 'lighttpd, CGI', 0.012)):
        say(f'hops through {name}')
        times = measure_hops(bench, kind)
        yield Row(f'a redirect hop, {name}',
                  f'{spread(times, "ms")} of {len(times)}, one unit of the '
                  'walk each, one kept connection',
                  statistics.median(times), bar, 'ms')


FIGURES = (whole, hops, million, tiny, hop)
