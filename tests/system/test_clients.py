# SPDX-License-Identifier: MIT
"""Clients of all kinds, each with a chain of more than a hundred steps.

Each has a host of its own; they all run at once, for most of a chain's time
is waiting: a file of the site takes as long to read as a step may take."""
import concurrent.futures
import http.client
import os
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
import requests

import faults
import servers
import trees
from vault import SECRET

FILES = 110
MANY = 100 # steps at least


def slow_host(files=FILES, seconds=0.05, step='max = 50ms'):
    def make_site(root):
        for i in range(files):
            trees.write(f'{root}/file-{i:03}', f'{i}\n' * (i + 1))
        return str(root)

    return servers.Host(make_site, slow=f'read:{seconds * 1e6:.0f}', step=step)


def run(server, *command):
    """A program's exit status, standard output and standard error."""
    env = {'PATH': os.environ['PATH'], 'HOME': str(server.folder / 'tmp'),
           'LC_ALL': 'C'}
    result = subprocess.run(
        [servers.need(command[0]), *command[1:]], env=env, timeout=300,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, check=False)
    return result.returncode, result.stdout, result.stderr


def is_done(text):
    assert not text.startswith('500 ERROR'), text
    return text.startswith('200 OK\n')


# -- clients that follow redirects --------------------------------------------


def curl(server):
    status, text, errors = run(
        server, 'curl', '-sS', '-L', '--max-redirs', '1000', '-w',
        '%{num_redirects}', server.url())
    assert status == 0, errors
    assert is_done(text)
    assert int(text.splitlines()[-1]) >= MANY


def curl_with_header(server):
    """The secret is in no URL, and goes to the next by the same header."""
    status, text, errors = run(
        server, 'curl', '-sS', '-L', '--max-redirs', '1000', '-H',
        f'Authorization: Bearer {SECRET}',
        f'http://127.0.0.1:{server.port}{server.path}')
    assert status == 0, errors
    assert is_done(text)


def curl_with_form(server):
    """A POST that is redirected by 303 goes on as GET."""
    status, text, errors = run(
        server, 'curl', '-sS', '-L', '--max-redirs', '1000', '-d',
        f'key={SECRET}', f'http://127.0.0.1:{server.port}{server.path}')
    assert status == 0, errors
    assert is_done(text)


def curl_as_it_is(server):
    """It gives up after fifty; another call goes on where it was."""
    for call in range(10):
        status, text, errors = run(server, 'curl', '-sS', '-L', server.url())
        if status == 0:
            break
        assert status == 47 and 'Maximum (50) redirects' in errors
    assert is_done(text)
    assert call >= MANY // 51


def wget(server):
    status, _, errors = run(server, 'wget', '-O', '-', server.url())
    assert status != 0 and '20 redirections exceeded' in errors
    status, text, errors = run(
        server, 'wget', '--max-redirect=10000', server.url(), '-O', '-')
    assert status == 0, errors
    assert is_done(text)


def urllib_client(server):
    """It calls a URL that comes the fourth time a loop: ours never do."""
    class Patient(urllib.request.HTTPRedirectHandler):
        max_redirections = 1000

    straight = urllib.request.ProxyHandler({})
    opener = urllib.request.build_opener(straight)
    with pytest.raises(urllib.error.HTTPError, match='302'):
        opener.open(server.url(), timeout=60) # its limit is ten
    opener = urllib.request.build_opener(straight, Patient)
    with opener.open(server.url(), timeout=60) as answer:
        assert is_done(answer.read().decode())


def requests_client(server):
    """Thirty redirects a call."""
    with requests.Session() as session:
        session.trust_env = False
        for call in range(10):
            try:
                answer = session.get(server.url(), timeout=60)
                break
            except requests.TooManyRedirects:
                pass
    assert is_done(answer.text)
    assert call >= MANY // 31


def php(server):
    """Its streams understand few forms of Location."""
    code = ('echo file_get_contents($argv[1], false, stream_context_create('
            '["http" => ["max_redirects" => (int)$argv[2]]]));')
    _, text, errors = run(
        server, 'php', '-n', '-d', 'display_errors=stderr', '-r', code, '--',
        server.url(), '20')
    assert text == '' and 'Redirection limit reached' in errors
    _, text, errors = run(
        server, 'php', '-n', '-d', 'display_errors=stderr', '-r', code, '--',
        server.url(), '1000')
    assert is_done(text), errors


def http_1_0(server):
    """No Host, no chunks, the end of the connection is that of the answer."""
    path = server.host.vault.url(server.path)
    for hop in range(1000):
        data = servers.read_to_end(server.begin(path, '1.0'))
        head, _, body = data.partition(b'\r\n\r\n')
        assert b'chunked' not in head.lower()
        if b' 302 ' not in head.splitlines()[0]:
            break
        location = re.search(rb'(?mi)^Location: (\S+)', head)[1].decode()
        path = urllib.parse.urljoin(path, location)
    assert is_done(body.decode())
    assert hop >= MANY


# -- clients that do not ------------------------------------------------------


def plain_get(url):
    """As a cron service does: no redirect is followed."""
    address = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=60)
    try:
        connection.request('GET', f'{address.path}?{address.query}')
        return servers.Answer(connection.getresponse())
    finally:
        connection.close()


def cron_service(server):
    """One step a call, for each call is a first one."""
    for call in range(1000):
        answer = plain_get(server.url())
        if answer.status != 302:
            break
    assert answer.status == 200
    assert is_done(answer.text)
    assert call >= MANY


def cron_service_noredirect(server):
    for call in range(1000):
        answer = plain_get(server.url(noredirect=1))
        assert answer.status == 200
        if not answer.text.startswith('301 More work required -- BACKUPID '):
            break
    assert is_done(answer.text)
    assert call >= MANY


def remote_control(server, start, mark):
    """The loop of remote controls that speak the legacy front-end URL."""
    url = start
    for step in range(1, 1000):
        answer = plain_get(url)
        text = answer.text
        assert answer.status == 200 and text
        if '301 More work required' not in text:
            break
        _, backup_id, rest = text.split(mark)
        assert rest.strip() == ''
        url = f'{start}&task=step&step={step}&backupid={backup_id}'
    assert is_done(text)
    assert step >= MANY


def noredirect(server):
    remote_control(server, server.url(
        option='com_akeeba', view='Backup', noredirect=1), '###')


def noredirect_other_marks(server):
    remote_control(server, server.url(
        action='akeebabackup_legacy', noredirect=1), '#"\\#\\"#')


CLIENTS = [curl, curl_with_header, curl_with_form, curl_as_it_is, wget,
           urllib_client, requests_client, php, http_1_0, cron_service,
           cron_service_noredirect, noredirect, noredirect_other_marks]


def whole_backup(client):
    with slow_host() as host:
        client(host.serve(servers.Nginx))
        record = host.assert_archive()
        assert record['steps'] >= MANY
        assert record['kills'] == 0


# -- clients that have no patience --------------------------------------------


def impatient_wget(server, url, *options):
    """Until a call ends it; what they said."""
    said = ''
    for _ in range(10):
        status, text, errors = run(
            server, 'wget', '--timeout=1', '--tries=5', '-O', '-', *options,
            url)
        said += errors
        if status == 0:
            break
    assert is_done(text), said
    return said


def repeat_start():
    """A call times out again and again while its first step is running."""
    with slow_host(files=9, seconds=0.5, step='max = 3s') as host:
        server = host.serve(servers.Nginx)
        said = impatient_wget(server, server.url(), '--waitretry=0')
        assert said.count('Retrying.') >= 2
        assert host.assert_archive()['kills'] == 0


def repeat_step():
    """The same amidst the chain: an old step's URL leads to the new one."""
    with slow_host(files=13, seconds=0.5, step='max = 3s') as host:
        server = host.serve(servers.Nginx)
        first = server.get()
        assert first.status == 302
        said = impatient_wget(
            server, urllib.parse.urljoin(server.url(), first.location))
        assert said.count('Retrying.') >= 2
        assert '302 Found' in said
        assert host.assert_archive()['kills'] == 0


# -- the tests ----------------------------------------------------------------


@pytest.fixture(scope='module')
def running():
    jobs = {client.__name__: (whole_backup, client) for client in CLIENTS}
    jobs['repeat_start'] = (repeat_start,)
    jobs['repeat_step'] = (repeat_step,)
    with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
        yield {name: pool.submit(*job) for name, job in jobs.items()}


@pytest.mark.parametrize('name', [
    *(client.__name__ for client in CLIENTS), 'repeat_start', 'repeat_step'])
def test_client(running, name):
    running[name].result()


LOOK_AHEAD = [{'Purpose': 'prefetch'}, {'Purpose': 'preview'},
              {'Sec-Purpose': 'prefetch'},
              {'Sec-Purpose': 'prefetch;prerender'},
              {'X-Purpose': 'preview'}, {'X-Moz': 'prefetch'}]


def look_ahead(server, path):
    answer = server.get(path, method='HEAD')
    assert (answer.status, answer.text) == (405, '')
    for headers in LOOK_AHEAD:
        answer = server.get(path, headers=headers)
        assert answer.status == 503
        assert answer.location is None


def test_looking_ahead_does_nothing():
    """Browsers, chats and scanners fetch what nobody has clicked at."""
    with slow_host(files=5) as host:
        server = host.serve(servers.Nginx)
        start = host.vault.url(server.path)
        look_ahead(server, start)
        assert host.vault.records() == []
        first = server.get(start)
        assert '&step=1&' in first.location
        following = urllib.parse.urljoin(start, first.location)
        look_ahead(server, start)
        look_ahead(server, following)
        assert '&step=2&' in server.get(following).location
        assert server.follow(start).text.startswith('200 OK\n')
        host.assert_archive()


def check_headers(answer):
    """Of a redirect, as curl counts them: 5,000 lines or 300 KiB a chain."""
    lines = [line for line in answer.header_lines
             if not line.startswith(b'Status:')]
    assert answer.status in (302, 303)
    assert len(lines) <= 6
    assert len(b'\r\n'.join(lines) + b'\r\n') < 250
    assert answer.body.count(b'\n') == 1


@pytest.mark.parametrize('path', ['/stepvault/backup', '/x/stepvault.fcgi'])
def test_redirects_are_small(make_vault, site, path):
    """Late in a long chain, too."""
    vault = make_vault(site, step='max = 50ms')
    vault.start(env=faults.environment(site, delay='read:50000'))
    check_headers(vault.get(vault.url(path, hop=100000)))
    check_headers(vault.get(f'{path}?hop=100000', method='POST',
                            body=f'key={SECRET}'.encode()))
