# SPDX-License-Identifier: MIT
"""A whole backup behind each web server, with the files of conf/."""
import concurrent.futures
import json
import os
import re

import pytest

import servers
import trees
from vault import SECRET

every_kind = pytest.mark.parametrize('kind', servers.KINDS)


@pytest.fixture
def host():
    """A host whose backup takes several steps: each file is slow."""
    def make_site(root):
        return trees.make_site(root, files=5)

    with servers.Host(make_site, slow='read:50000') as host:
        yield host


def check_redirect(answer, status):
    assert answer.status == status
    assert answer.location.startswith('backup?backupid=')
    assert SECRET not in answer.location


@every_kind
def test_chain(host, kind):
    server = host.serve(kind)
    answers = []
    answer = server.follow(visit=answers.append)
    assert answer.status == 200
    assert answer.text.startswith('200 OK\n')
    assert len(answers) > 1
    for hop in answers[:-1]:
        check_redirect(hop, 302)
    host.assert_archive()


@every_kind
def test_bearer(host, kind):
    """The secret in a header: a server must hand that on."""
    server = host.serve(kind)
    answer = server.get(server.path, headers=servers.BEARER)
    check_redirect(answer, 302)
    assert server.get(server.path).status == 403
    answer = server.follow(f'/stepvault/{answer.location}')
    assert answer.text.startswith('200 OK\n')
    host.assert_archive()


@every_kind
def test_form(host, kind):
    server = host.serve(kind)
    answer = server.get(server.path, 'POST', servers.FORM, f'key={SECRET}')
    check_redirect(answer, 303)
    answer = server.follow(f'/stepvault/{answer.location}')
    assert answer.text.startswith('200 OK\n')
    host.assert_archive()


@every_kind
def test_wrong_requests(host, kind):
    """The answers of ours come through, and nothing is begun."""
    server = host.serve(kind)
    for method in ('HEAD', 'PUT', 'DELETE', 'OPTIONS'):
        answer = server.get(method=method)
        assert answer.status == 405, method
        assert answer.headers['Allow'] == 'GET, POST'
    answer = server.get(f'{server.path}?key=wrong')
    assert (answer.status, answer.text) == (403, '403 Access denied\n')
    answer = server.get(f'/stepvault/other?key={SECRET}')
    assert (answer.status, answer.text) == (404, '404 Not Found\n')
    answer = server.get(f'{server.path}?key={SECRET}&profile=x')
    assert answer.status == 400
    assert answer.text.startswith('400 ')
    assert host.vault.records() == []


@every_kind
def test_logs(host, kind):
    """Whoever reads a server's logs learns nothing."""
    server = host.serve(kind)
    locations = []
    server.follow(visit=lambda answer: locations.append(answer.location))
    server.get(server.path, headers=servers.BEARER)
    server.get(server.path, 'POST', servers.FORM, f'key={SECRET}')
    server.get(f'{server.path}?key={SECRET}&profile=x')
    server.get(f'/stepvault/other?key={SECRET}')
    server.get(method='HEAD')
    # As PHP and curl --referer ";auto" do.
    server.get(f'/stepvault/{locations[0]}',
               headers={'Referer': server.url()})
    server.get('/ready?an=ordinary-request')
    count = server.requests
    server.stop()
    logs = server.errors()
    tokens = re.findall('token=([^&]+)', ' '.join(filter(None, locations)))
    assert tokens
    for word in [SECRET, *tokens]:
        assert word not in logs
    assert len(re.findall(r'"[A-Z]+ /stepvault/\w+ HTTP/1.1" \d+ ',
                          logs)) == count - 1
    assert '"GET /ready?an=ordinary-request HTTP/1.1" 200' in logs


def assert_one_at_a_time(host):
    """Every state follows from the one before, and every byte was written
    once, behind the byte before: steps that overlap leave other traces."""
    checkpoints = []
    lengths = {}
    for what, path, offset, data in host.changes():
        if what != 'write':
            continue
        name = os.path.basename(path)
        if name == 'state.json.new':
            checkpoints.append(json.loads(data)['checkpoints'])
        elif (name in ('catalog', 'manifest', 'frames', 'sums') or
              name.endswith('.partial')):
            assert offset == lengths.get(path, 0), path
            lengths[path] = offset + len(data)
    first = checkpoints[0]
    assert checkpoints == list(range(first, first + len(checkpoints)))
    names = {os.path.basename(path).rpartition('.')[2] for path in lengths}
    assert names >= {'catalog', 'manifest', 'partial'}


@every_kind
def test_two_chains(kind):
    """Two clients at once, several processes or threads, one backup."""
    with servers.Host(logged=True, step='max = 50ms\nmin = 20ms',
                      profile='compress = xz:6') as host:
        server = host.serve(kind)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            ends = [pool.submit(server.follow) for _ in range(2)]
        for end in ends:
            assert end.result().text.startswith('200 OK\n')
        assert host.assert_archive()['kills'] == 0
        assert_one_at_a_time(host)
        if kind is servers.Lighttpd:
            assert len(host.processes()) == 4 # its default
