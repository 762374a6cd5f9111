# SPDX-License-Identifier: MIT
"""A whole backup behind each web server, with the files of conf/."""
import json
import os
import re
import signal
import threading

import pytest

import servers
from vault import SECRET

KINDS = [servers.Nginx, servers.Lighttpd, servers.LighttpdCgi,
         servers.ApacheProxy, servers.ApacheFcgid]
OWN_PATH = '/stepvault/backup'

every_kind = pytest.mark.parametrize('kind', KINDS)


@pytest.fixture
def make_host():
    """Make hosts that are gone, with all they run, when the test ends."""
    hosts = []

    def make(**kwargs):
        hosts.append(servers.Host(**kwargs))
        return hosts[-1]

    yield make
    for host in hosts:
        host.stack.close()


def check_redirect(answer, status):
    assert answer.status == status
    assert answer.location.startswith('backup?backupid=')
    assert SECRET not in answer.location


@every_kind
def test_chain(make_host, kind):
    host = make_host()
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
def test_bearer(make_host, kind):
    """The secret in a header: a server must hand that on."""
    host = make_host()
    server = host.serve(kind)
    answer = server.get(OWN_PATH, headers=servers.BEARER)
    check_redirect(answer, 302)
    assert server.get(OWN_PATH).status == 403
    answer = server.follow(f'/stepvault/{answer.location}')
    assert answer.text.startswith('200 OK\n')
    host.assert_archive()


@every_kind
def test_form(make_host, kind):
    host = make_host()
    server = host.serve(kind)
    answer = server.get(OWN_PATH, 'POST', servers.FORM, f'key={SECRET}')
    check_redirect(answer, 303)
    answer = server.follow(f'/stepvault/{answer.location}')
    assert answer.text.startswith('200 OK\n')
    host.assert_archive()


@every_kind
def test_wrong_requests(make_host, kind):
    """The answers of ours come through, and nothing is begun."""
    host = make_host()
    server = host.serve(kind)
    for method in ('HEAD', 'PUT', 'DELETE', 'OPTIONS'):
        answer = server.get(method=method)
        assert answer.status == 405, method
        assert answer.headers['Allow'] == 'GET, POST'
    answer = server.get(f'{OWN_PATH}?key=wrong')
    assert (answer.status, answer.text) == (403, '403 Access denied\n')
    answer = server.get(f'/stepvault/other?key={SECRET}')
    assert (answer.status, answer.text) == (404, '404 Not Found\n')
    answer = server.get(f'{OWN_PATH}?key={SECRET}&profile=x')
    assert answer.status == 400
    assert answer.text.startswith('400 ')
    assert host.vault.records() == []


@every_kind
def test_logs(make_host, kind):
    """Whoever reads a server's logs learns nothing."""
    host = make_host()
    server = host.serve(kind)
    locations = []
    server.follow(visit=lambda answer: locations.append(answer.location))
    server.get(OWN_PATH, headers=servers.BEARER)
    server.get(OWN_PATH, 'POST', servers.FORM, f'key={SECRET}')
    server.get(f'{OWN_PATH}?key={SECRET}&profile=x')
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


@pytest.mark.parametrize('kind', [servers.Nginx, servers.ApacheProxy])
def test_logs_without_program(make_host, kind):
    """Nor when the server has reason to complain."""
    host = make_host()
    server = host.serve(kind)
    host.vault.stop()
    answer = server.get()
    assert answer.status in (502, 503)
    # What is left of a program that was killed.
    host.vault.start().stop(signal.SIGKILL)
    assert server.get().status in (502, 503)
    host.vault.start()
    assert server.follow().text.startswith('200 OK\n')
    server.stop()
    assert SECRET not in server.errors()
    host.assert_archive()


@every_kind
def test_program_ends_in_mid_step(make_host, kind):
    """SIGTERM, as when a server is restarted: the step ends in order, and its
    answer still arrives."""
    host = make_host(slow='read:20000', step='max = 300ms')
    server = host.serve(kind)
    first = server.get()
    check_redirect(first, 302)
    sock = server.begin(f'/stepvault/{first.location}')
    servers.wait_for(host.step_runs, 'running step')
    server.restart_program(signal.SIGTERM)
    assert servers.read_to_end(sock).startswith(b'HTTP/1.1 302 ')
    answer = server.follow(f'/stepvault/{first.location}', patience=600)
    assert answer.text.startswith('200 OK\n')
    assert host.assert_archive()['kills'] == 0


@every_kind
def test_client_hangs_up_in_mid_step(make_host, kind):
    host = make_host(slow='read:20000', step='max = 300ms')
    server = host.serve(kind)
    for _ in range(2):
        sock = server.begin()
        servers.wait_for(host.step_runs, 'running step')
        sock.close()
        servers.wait_for(lambda: not host.step_runs(), 'end of the step')
    answer = server.follow()
    assert answer.text.startswith('200 OK\n')
    assert host.assert_archive()['kills'] == 0


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
def test_two_chains(make_host, kind):
    """Two clients at once, several processes or threads, one backup."""
    host = make_host(logged=True, step='max = 50ms\nmin = 20ms',
                     profile='compress = xz:6')
    server = host.serve(kind)
    ends = []

    def client():
        steps = []
        ends.append(server.follow(
            visit=lambda answer: steps.append(answer.location)).text)
        ends.append(len(steps))

    threads = [threading.Thread(target=client) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 4
    assert sum(str(end).startswith('200 OK\n') for end in ends) == 2
    record = host.assert_archive()
    assert record['kills'] == 0
    assert_one_at_a_time(host)
    if kind is servers.Lighttpd:
        assert len(server.program_pids()) == 4 # its default
