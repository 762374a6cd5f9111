# SPDX-License-Identifier: MIT
"""A step that is cut off behind a web server, by whom it may be."""
import signal

import pytest

import servers
from vault import SECRET

every_kind = pytest.mark.parametrize('kind', servers.KINDS)


@pytest.fixture
def host():
    """A host whose backup takes several steps, all of them long."""
    with servers.Host(slow='read:20000', step='max = 300ms') as host:
        yield host


@pytest.fixture
def slow_host():
    """One whose first step cannot have ended when it is killed."""
    with servers.Host(slow='read:40000', step='max = 5s') as host:
        yield host


@every_kind
def test_program_is_killed_in_mid_step(slow_host, kind):
    """The next goes on, and the server does not complain in our secrets."""
    host = slow_host
    server = host.serve(kind)
    sock = server.begin()
    servers.wait_for(host.step_runs, 'running step')
    if server.starts_program:
        server.restart_program(signal.SIGKILL)
    else:
        host.vault.stop(signal.SIGKILL)
        assert server.get().status in (502, 503)
        host.vault.start(env=host.env)
    assert servers.read_to_end(sock).startswith(b'HTTP/1.1 50')
    assert server.follow(patience=600).text.startswith('200 OK\n')
    assert host.assert_archive()['kills'] == 1
    server.stop()
    if kind is not servers.Lighttpd: # as conf/lighttpd.conf says
        assert SECRET not in server.errors()


@every_kind
def test_program_ends_in_mid_step(host, kind):
    """SIGTERM, as when a server is restarted: the step ends in order, and its
    answer still arrives."""
    server = host.serve(kind)
    first = server.get()
    assert first.status == 302
    sock = server.begin(f'/stepvault/{first.location}')
    servers.wait_for(host.step_runs, 'running step')
    server.restart_program(signal.SIGTERM)
    assert servers.read_to_end(sock).startswith(b'HTTP/1.1 302 ')
    answer = server.follow(f'/stepvault/{first.location}', patience=600)
    assert answer.text.startswith('200 OK\n')
    assert host.assert_archive()['kills'] == 0


@every_kind
def test_client_hangs_up_in_mid_step(host, kind):
    server = host.serve(kind)
    for _ in range(2):
        sock = server.begin()
        servers.wait_for(host.step_runs, 'running step')
        sock.close()
        servers.wait_for(lambda: not host.step_runs(), 'end of the step')
    answer = server.follow()
    assert answer.text.startswith('200 OK\n')
    assert host.assert_archive()['kills'] == 0
