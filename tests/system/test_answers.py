# SPDX-License-Identifier: MIT
"""What the secret URL and the step URLs answer, case by case: status, first
line, headers, and what was begun by it."""
import concurrent.futures
import html
import os
import re
import shutil
import threading
import time
import urllib.parse

import pytest

import faults
import forge
import trees
from vault import SECRET

ID = r'\d{8}-\d{6}-[a-z2-7]{16}'
TOKEN = r'[a-z2-7]{26}'
WRONG = 'x' + SECRET
BROWSER = {'Accept': 'text/html,application/xhtml+xml,*/*;q=0.8',
           'Sec-Fetch-Mode': 'navigate'}


@pytest.fixture
def slow(make_vault, site):
    """Makes vaults of which each step is at its end after a few files."""
    def make(delay='read:5000', step='max = 50ms', args=(), **kwargs):
        vault = make_vault(site, step=step, **kwargs)
        return vault.start(*args, env=faults.environment(site, delay=delay))
    return make


@pytest.fixture
def failing(make_vault, tmp_path):
    """Makes vaults whose backups fail at once."""
    def make(**kwargs):
        return make_vault(tmp_path / 'there-is-no-such-site',
                          **kwargs).start()
    return make


def check(answer):
    """Headers that every answer has."""
    assert answer is not None
    assert answer.headers['cache-control'] == 'no-store'
    assert answer.headers['referrer-policy'] == 'no-referrer'
    kind = answer.headers['content-type']
    assert kind in ('text/plain; charset=utf-8', 'text/html; charset=utf-8')
    if 'html' in kind:
        assert answer.headers['x-robots-tag'] == 'noindex'
        assert answer.headers['x-content-type-options'] == 'nosniff'
        assert "default-src 'none'" in (
            answer.headers['content-security-policy'])
    if answer.status in (302, 303):
        assert len(answer.header_lines) <= 6
        assert sum(len(line) + 2 for line in answer.header_lines) < 250
        assert answer.text.count('\n') == 1
    return answer


def ask(vault, url=None, **kwargs):
    return check(vault.get(url, **kwargs))


def follow(vault, url=None, visit=None, **kwargs):
    def look(where, answer):
        check(answer)
        if visit is not None:
            visit(where, answer)
    return vault.chain(url, visit=look, **kwargs)


def next_url(answer, base='/stepvault/backup'):
    return urllib.parse.urljoin('http://x' + base,
                                answer.location)[len('http://x'):]


def param(url, name):
    return urllib.parse.parse_qs(url.partition('?')[2])[name][0]


def with_param(url, **params):
    path, _, query = url.partition('?')
    values = {**dict(urllib.parse.parse_qsl(query)), **params}
    return path + '?' + urllib.parse.urlencode(values)


def ids(vault):
    return [record['id'] for record in vault.records()]


def first_line(answer):
    return answer.text.partition('\n')[0]


# -- more work ----------------------------------------------------------------


@pytest.mark.parametrize('path, segment', [
    ('/stepvault/backup', 'backup'),
    ('/a//stepvault.fcgi///backup', 'backup'),
    ('/cgi-bin/stepvault.cgi', 'stepvault.cgi'),
    ('/stepvault/', './'),
])
def test_more_work(slow, path, segment):
    """302, relative: the last segment of the own path and a query."""
    vault = slow()
    answer = ask(vault, vault.url(path))
    assert answer.status == 302
    assert re.fullmatch(re.escape(segment) +
                        rf'\?backupid={ID}&step=1&hop=1&token={TOKEN}',
                        answer.location)
    assert re.fullmatch(r'step 1, (init|walk|pack), \d+ %\n', answer.text)
    assert answer.headers['content-type'] == 'text/plain; charset=utf-8'
    assert ids(vault) == [param(answer.location, 'backupid')]


def test_location_is_of_the_path_that_was_asked_for(slow):
    """A web server may have made another path of it."""
    vault = slow()
    answer = ask(vault, extra={'REQUEST_URI': '/pretty/name?key=1#/x/y',
                               'SCRIPT_NAME': '/cgi-bin/stepvault.fcgi',
                               'PATH_INFO': '/backup'})
    assert answer.status == 302
    assert answer.location.startswith('name?')


def test_post_is_answered_by_303(slow):
    vault = slow()
    body = f'key={SECRET}'.encode()
    answer = ask(vault, vault.url(key=None), method='POST', body=body)
    assert answer.status == 303
    assert re.fullmatch(r'step 1, \w+, \d+ %\n', answer.text)
    # A step, too.
    answer = ask(vault, next_url(answer), method='POST', body=b'')
    assert answer.status == 303
    assert param(answer.location, 'step') == '2'


def test_chain(slow):
    """No two URLs of it are the same, and it ends complete."""
    vault = slow()
    urls, steps = [], []

    def visit(url, answer):
        urls.append(url)
        if answer.status == 302:
            steps.append(int(param(answer.location, 'step')))

    answer = follow(vault, visit=visit)
    assert answer.status == 200
    assert len(steps) > 5
    assert steps == list(range(1, len(steps) + 1))
    assert len(set(urls)) == len(urls)
    record = vault.record()
    assert record['status'] == 'complete'
    # The last answers 200; the record is written in it or shortly before.
    assert 0 < record['steps'] <= len(steps) + 1


# -- complete -----------------------------------------------------------------


def test_complete(make_vault, site):
    vault = make_vault(site, profile='exclude = /d3/').start()
    trees.write(f'{site}/d3/x', b'excluded')
    answer = follow(vault)
    record = vault.record()
    assert answer.status == 200
    assert answer.headers['content-type'] == 'text/plain; charset=utf-8'
    assert answer.text == (
        '200 OK\n'
        f'backup {record["id"]}, number 1, is complete\n'
        '{files} files, {folders} folders, {symlinks} symlinks, '
        '{hardlinks} hard links, {specials} special files\n'
        '{bytes} bytes of content in {archive_size} bytes of archive, '
        '1 parts\n'
        '{excluded} excluded, {unread} not read, '
        '{changed} changed while read\n'
        '{warnings} warnings\n').format(**record)
    assert record['excluded'] == 1
    assert record['files'] > 20 and record['symlinks'] == 2


def test_names_of_the_site_are_in_no_answer(make_vault, tmp_path):
    """Clients search answers for words, and names could be such."""
    words = ['301 More work required', '500 ERROR -- oh', '403 x', '###']
    site = tmp_path / 'nasty 500 ERROR -- site'
    for word in words:
        trees.write(f'{site}/{word}/{word}', word * 50000)
        os.symlink('/' + word, f'{site}/{word}/link {word}')
        os.mkfifo(f'{site}/{word}/fifo {word}')
        trees.write(f'{tmp_path}/extra/{word}', word)
    vault = make_vault(
        site, step='max = 50ms',
        profile=f'name = 403 x\nextra = 301:{tmp_path}/extra\n'
                'exclude = *x').start(
        env=faults.environment(site, tmp_path / 'extra',
                               delay='read:8000'))
    texts = []
    answer = follow(vault, visit=lambda _, a: texts.append(a.text))
    assert answer.text.startswith('200 OK\n')
    shutil.rmtree(site)
    answer = follow(vault, vault.url(fresh=1))
    assert answer.text.startswith(
        "500 ERROR -- the folder of 'site' cannot be reached")
    texts.append(answer.text[len('500 ERROR -- '):])
    texts.append(ask(vault, vault.url(view='check')).text)
    for word in words:
        assert not any(word.strip() in text for text in texts)
    assert not any('nasty' in text for text in texts)


# -- one step a call ----------------------------------------------------------


@pytest.mark.parametrize('action, mark', [
    ({}, '###'),
    ({'option': 'com_akeeba', 'view': 'Backup', 'lang': 'en'}, '###'),
    ({'action': 'akeebabackup_legacy'}, '#"\\#\\"#'),
])
def test_noredirect(slow, action, mark):
    """The loop of clients that speak the legacy front-end URL."""
    vault = slow()
    start = vault.url(noredirect=1, **action)
    answer = ask(vault, start)
    for step in range(1, 1000):
        assert answer.status == 200
        assert answer.location is None
        if '301 More work required' not in answer.text:
            break
        found = re.fullmatch(
            f'301 More work required -- BACKUPID {re.escape(mark)}({ID})'
            f'{re.escape(mark)}\n', answer.text)
        assert found, answer.text
        answer = ask(vault, f'{start}&task=step&step={step}'
                            f'&backupid={found[1]}')
    assert answer.text.startswith('200 OK\n')
    assert step > 5
    assert ids(vault) == [found[1]]
    # What ended not long ago is said again.
    assert ask(vault, start).text == answer.text


def test_noredirect_zero_redirects(slow):
    vault = slow()
    assert ask(vault, vault.url(noredirect=0)).status == 302


def test_noredirect_needs_the_secret_each_time(slow):
    vault = slow()
    answer = ask(vault, vault.url(noredirect=1))
    backup_id = re.search(ID, answer.text)[0]
    answer = ask(vault, vault.url(key=None, noredirect=1, task='step',
                                  step=1, backupid=backup_id))
    assert answer.status == 403


# -- failed -------------------------------------------------------------------


def test_failed(failing):
    """On the secret URL, with noredirect=1, and of the backup's own ID."""
    vault = failing()
    answer = follow(vault)
    assert answer.status == 500
    assert answer.headers['content-type'] == 'text/plain; charset=utf-8'
    assert answer.text == (
        "500 ERROR -- the folder of 'site' cannot be reached: "
        'No such file or directory\n')
    backup_id, = ids(vault)
    for params in ({}, {'noredirect': 1}, {'backupid': backup_id}):
        again = ask(vault, vault.url(**params))
        assert (again.status, again.text) == (500, answer.text)
    record = vault.record()
    assert record['status'] == 'failed'
    assert answer.text == f'500 ERROR -- {record["reason"]}\n'
    assert ids(vault) == [backup_id]


# -- again_after, once_per, fresh ---------------------------------------------


def is_repeated(vault, answer):
    """The secret URL says the same again, and nothing is begun."""
    before = ids(vault)
    again = ask(vault)
    if ids(vault) == before:
        assert again.header_lines == answer.header_lines
        assert again.text == answer.text
        return True
    follow(vault)
    return False


def test_again_after(make_vault, site):
    vault = make_vault(site, profile='again_after = 10m').start()
    answer = follow(vault)
    newest = vault.record()['id']
    assert is_repeated(vault, answer)
    forge.age_backup(vault, newest, ended=540)
    assert is_repeated(vault, answer)
    forge.age_backup(vault, newest, ended=600)
    assert not is_repeated(vault, answer)
    assert [r['number'] for r in vault.records()] == [2, 1]


def test_again_after_nothing(make_vault, site):
    vault = make_vault(site, profile='again_after = 0').start()
    assert not is_repeated(vault, follow(vault))


def test_again_after_is_of_a_profile(make_vault, site):
    vault = make_vault(
        site, more=f'[profile 2]\nsite = {site}\nmin_free = 0\n').start()
    follow(vault)
    answer = follow(vault, vault.url(profile=2))
    assert answer.text.startswith('200 OK\n')
    assert [r['profile'] for r in vault.records()] == [2, 1]


def test_again_after_doubles_with_failures(failing, site):
    vault = failing(profile='again_after = 10m')
    answer = follow(vault)
    for failures in range(1, 5):
        assert len(ids(vault)) == failures
        wait = 600 * 2 ** (failures - 1)
        forge.age_backup(vault, vault.record()['id'], ended=wait - 60)
        assert is_repeated(vault, answer)
        forge.age_backup(vault, vault.record()['id'], ended=wait)
        assert not is_repeated(vault, answer)
    # A good one ends the row.
    os.symlink(site, vault.site)
    forge.age_backup(vault, vault.record()['id'], ended=600 * 16)
    answer = follow(vault)
    assert answer.status == 200
    forge.age_backup(vault, vault.record()['id'], ended=600)
    assert not is_repeated(vault, answer)


def test_again_after_doubles_to_a_day(failing):
    vault = failing(profile='again_after = 20h')
    answer = follow(vault)
    forge.age_backup(vault, vault.record()['id'], ended=20 * 3600)
    assert not is_repeated(vault, answer)
    forge.age_backup(vault, vault.record()['id'], ended=86340)
    assert is_repeated(vault, answer)
    forge.age_backup(vault, vault.record()['id'], ended=86400)
    assert not is_repeated(vault, answer)


def test_once_per(make_vault, site):
    """It counts from the start of a complete backup."""
    vault = make_vault(
        site, profile='again_after = 1m\nonce_per = 20h').start()
    answer = follow(vault)
    newest = vault.record()['id']
    forge.age_backup(vault, newest, started=20 * 3600 - 60, ended=3600)
    assert is_repeated(vault, answer)
    forge.age_backup(vault, newest, started=20 * 3600, ended=3600)
    assert not is_repeated(vault, answer)


def test_once_per_does_not_count_failed(failing):
    vault = failing(profile='again_after = 1m\nonce_per = 20h')
    answer = follow(vault)
    forge.age_backup(vault, vault.record()['id'], started=62, ended=60)
    assert not is_repeated(vault, answer)


def test_fresh_overrides_again_after_and_once_per(make_vault, site):
    vault = make_vault(site, profile='once_per = 20h').start()
    answer = follow(vault)
    assert follow(vault, vault.url(fresh=0)).text == answer.text
    fresh = follow(vault, vault.url(fresh=1))
    assert fresh.text.startswith('200 OK\n') and fresh.text != answer.text
    assert len(ids(vault)) == 2


def test_fresh_joins_what_was_stepped_lately(slow):
    vault = slow()
    backup_id = param(ask(vault).location, 'backupid')
    forge.age_step(vault, backup_id, 30)
    answer = ask(vault, vault.url(fresh=1))
    assert param(answer.location, 'backupid') == backup_id
    assert param(answer.location, 'step') == '2'
    assert ids(vault) == [backup_id]


def test_fresh_abandons_what_rests(slow):
    vault = slow()
    answer = ask(vault)
    old_id, old_url = param(answer.location, 'backupid'), next_url(answer)
    forge.age_step(vault, old_id, 60)
    answer = ask(vault, vault.url(fresh=1))
    new_id = param(answer.location, 'backupid')
    assert new_id != old_id
    assert ids(vault) == [new_id, old_id]
    record = vault.record(old_id)
    assert record['status'] == 'failed'
    assert record['reason'] == (
        'it was abandoned: a fresh backup was asked for')
    assert not (vault.data / 'jobs' / old_id).exists()
    # Who still follows the old chain is told.
    answer = ask(vault, old_url)
    assert answer.status == 500
    assert answer.text == f'500 ERROR -- {record["reason"]}\n'
    assert follow(vault).status == 200


def running(vault, url=None):
    """A request whose step is running, in a thread."""
    thread = threading.Thread(target=vault.get, args=(url,))
    thread.start()
    for _ in range(2000):
        if list(vault.data.glob('jobs/*/intent')):
            return thread
        time.sleep(0.005)
    raise AssertionError('no step')


def test_fresh_joins_a_running_step(slow):
    vault = slow(step='max = 1s', delay='read:100000')
    backup_id = param(ask(vault).location, 'backupid')
    forge.age_step(vault, backup_id, 3600)
    thread = running(vault)
    answer = ask(vault, vault.url(fresh=1))
    thread.join()
    assert param(answer.location, 'backupid') == backup_id
    assert ids(vault) == [backup_id]


def test_resume(slow):
    """The secret URL goes on with what is unfinished, in any process."""
    vault = slow()
    backup_id = param(ask(vault).location, 'backupid')
    answer = ask(vault)
    assert param(answer.location, 'backupid') == backup_id
    assert param(answer.location, 'step') == '2'
    vault.stop()
    vault.start()
    forge.age_step(vault, backup_id, 10 * 86400)
    assert follow(vault).text.startswith('200 OK\n')
    assert ids(vault) == [backup_id]


# -- refused ------------------------------------------------------------------


def test_denied_is_one_answer(slow):
    """Whatever is wrong, and whatever was asked for."""
    vault = slow()
    backup_id = param(ask(vault).location, 'backupid')
    steps = vault.record()['steps']
    expected = None
    for number, params in enumerate((
            {'key': WRONG}, {'key': None}, {'key': ''},
            {'key': SECRET[:-1]}, {'key': WRONG, 'profile': 2},
            {'key': WRONG, 'profile': 'x'}, {'key': None, 'view': 'check'},
            {'key': WRONG, 'backupid': backup_id, 'noredirect': 1},
            {'key': None, 'backupid': backup_id, 'token': 'a' * 26},
            {'key': None, 'backupid': '../../etc', 'step': 'x'})):
        answer = ask(vault, vault.url(**params),
                     extra={'REMOTE_ADDR': f'192.0.2.{number}'})
        assert answer.status == 403
        assert answer.text == '403 Access denied\n'
        expected = expected or answer.header_lines
        assert answer.header_lines == expected
    for headers in ({'Authorization': f'Bearer {WRONG}'},
                    {'Authorization': f'Basic {SECRET}'},
                    {'Authorization': SECRET}):
        answer = ask(vault, vault.url(key=None), headers=headers)
        assert (answer.text, answer.header_lines) == (
            '403 Access denied\n', expected)
    # One that would do does not help one that is wrong.
    answer = ask(vault, headers={'Authorization': f'Bearer {WRONG}'})
    assert answer.status == 403
    answer = ask(vault, vault.url() + f'&key={SECRET}')
    assert answer.status == 403
    assert ids(vault) == [backup_id]
    assert vault.record()['steps'] == steps


def test_disabled(make_vault, site):
    """The same answer as for a wrong secret; the command line works."""
    vault = make_vault(site).start()
    expected = ask(vault, vault.url(key=WRONG))
    vault.stop()
    vault.configure(server='enabled = no')
    vault.start()
    for answer in (ask(vault), ask(vault, vault.url(profile=7)),
                   ask(vault, headers={'Authorization': f'Bearer {SECRET}'})):
        assert answer.text == expected.text == '403 Access denied\n'
        assert answer.header_lines == expected.header_lines
    assert ids(vault) == []
    vault.cli('run')


def test_disabled_without_a_secret(make_vault, site):
    vault = make_vault(site)
    text = vault.conf.read_text()
    vault.conf.write_text(re.sub('secret_hash.*', '', text))
    vault.start()
    for key in (SECRET, '', None):
        assert ask(vault, vault.url(key=key)).text == '403 Access denied\n'


def refuse(vault, count, address='192.0.2.1', **kwargs):
    """The statuses of so many calls with wrong secrets."""
    headers = kwargs.pop('headers', {})
    return [ask(vault, vault.url(key=f'{WRONG}{i}'), headers=headers,
                extra={'REMOTE_ADDR': address}).status
            for i in range(count)]


def test_too_many_wrong_secrets(slow):
    vault = slow()
    assert refuse(vault, 12) == [403] * 10 + [429] * 2
    here = {'REMOTE_ADDR': '192.0.2.1'}
    answer = ask(vault, vault.url(key=WRONG), extra=here)
    assert answer.text == '429 Too Many Requests\n'
    assert answer.headers['retry-after'] == '600'
    # Another process knows as well.
    vault.stop()
    vault.start()
    assert refuse(vault, 1) == [429]
    # Others are not meant, nor is who has the secret or a step's token.
    assert refuse(vault, 1, '192.0.2.2') == [403]
    answer = ask(vault, extra=here)
    assert answer.status == 302
    answer = ask(vault, next_url(answer), extra=here)
    assert answer.status in (200, 302)


def test_too_many_of_a_network(make_vault, site):
    """Of IPv6 a subscriber has 2^64 addresses."""
    vault = make_vault(site).start()
    assert refuse(vault, 5, '2001:db8:1:2::1') == [403] * 5
    assert refuse(vault, 6, '2001:db8:1:2:ffff::') == [403] * 5 + [429]
    assert refuse(vault, 1, '2001:db8:1:3::1') == [403]


def test_too_many_altogether(make_vault, site):
    vault = make_vault(site).start()
    statuses = []
    for i in range(1001):
        statuses += refuse(vault, 1, f'10.{i % 250}.{i // 250}.1')
    assert statuses[:1000].count(429) < 5  # those that share a slot
    assert statuses[1000] == 429
    assert refuse(vault, 1, '192.0.2.1') == [429]
    assert ask(vault).status in (200, 302)


def test_untrusted_forwarding(make_vault, site):
    """Without trusted_proxies nobody can name another address."""
    vault = make_vault(site).start()
    statuses = []
    for i in range(12):
        statuses += refuse(vault, 1,
                           headers={'X-Forwarded-For': f'10.0.0.{i}'})
    assert statuses == [403] * 10 + [429] * 2


def test_trusted_proxies(make_vault, site):
    """Whom they name, from the right, as far as they are trusted."""
    vault = make_vault(
        site, server='trusted_proxies = 192.0.2.0/24\n'
                     'trusted_proxies = 2001:db8::/32').start()

    def refused(forwarded, address='192.0.2.1'):
        return refuse(vault, 1, address,
                      headers={'X-Forwarded-For': forwarded})[0]

    # What a client claims stands on the left.
    chains = ['{i}.0.0.1, 10.0.0.1', '10.0.0.1,192.0.2.77', '10.0.0.1',
              '198.51.100.1, 10.0.0.1 , 2001:db8::5, 192.0.2.9', 'x,10.0.0.1']
    for i in range(10):
        assert refused(chains[i % len(chains)].format(i=i)) == 403
    for chain in chains:
        assert refused(chain) == 429
    assert refused('10.0.0.2') == 403
    assert refused('10.0.0.1, 10.0.0.2') == 403
    assert refused('10.0.0.1', address='10.0.0.3') == 403


# -- wrong requests -----------------------------------------------------------


@pytest.mark.parametrize('query, reason', [
    ('profile=2', 'there is no profile of this number'),
    ('profile=0', 'there is no profile of this number'),
    ('profile=x', 'profile is no whole number from 0 to 1000000'),
    ('profile=-1', 'profile is no whole number from 0 to 1000000'),
    ('profile=+1', 'profile is no whole number from 0 to 1000000'),
    ('profile=1x', 'profile is no whole number from 0 to 1000000'),
    ('profile=1000001', 'profile is no whole number from 0 to 1000000'),
    ('profile=' + '9' * 30, 'profile is no whole number from 0 to 1000000'),
    ('profile=1%00', 'profile has a NUL in it'),
    ('profile=1&profile=1', 'profile is given twice'),
    ('hop=-', 'hop is no whole number from 0 to 1000000000'),
    ('noredirect=1&noredirect=0', 'noredirect is given twice'),
    ('view=check&view=check', 'view is given twice'),
    ('fresh=1&fresh=1', 'fresh is given twice'),
    ('backupid=x', 'backupid is no backup ID'),
    ('backupid=20260101-000000-aaaaaaaaaaaaaaa1', 'backupid is no backup ID'),
    ('a=%zz', 'parameter number 2 is malformed'),
    ('a=%4', 'parameter number 2 is malformed'),
    ('&'.join(f'p{i}=1' for i in range(64)),
     'there are more than 64 parameters'),
])
def test_bad_parameters(make_vault, site, query, reason):
    vault = make_vault(site).start()
    answer = ask(vault, f'{vault.url()}&{query}')
    assert answer.status == 400
    assert answer.text == f'400 {reason}\n'
    assert ids(vault) == []


def test_unknown_parameters_are_ignored(make_vault, site):
    vault = make_vault(site).start()
    url = vault.url() + '&utm=1&utm=2&x&=y&profile=&&lang=%ff&step=x'
    assert follow(vault, url).text.startswith('200 OK\n')


def test_unknown_backup(make_vault, site):
    vault = make_vault(site).start()
    answer = ask(vault, vault.url(
        backupid='20260101-000000-aaaaaaaaaaaaaaaa', fresh=1))
    assert answer.status == 404
    assert answer.text == '404 there is no such backup\n'
    assert ids(vault) == []
    assert list(vault.data.glob('locks/2026*')) == []


def test_expired_backup(slow):
    vault = slow()
    answer = ask(vault)
    vault.cli('delete', param(answer.location, 'backupid'))
    answer = ask(vault, next_url(answer))
    assert (answer.status, first_line(answer)) == (
        404, '404 there is no such backup')
    assert ids(vault) == []


def test_unknown_path(make_vault, site):
    vault = make_vault(site).start()
    for path in ('/stepvault/backups', '/stepvault/backup/x', '/x.php'):
        answer = ask(vault, vault.url(path))
        assert (answer.status, answer.text) == (404, '404 Not Found\n')
    assert ids(vault) == []


@pytest.mark.parametrize(
    'method', ['HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'get', '', 'X'])
def test_wrong_method(make_vault, site, method):
    vault = make_vault(site).start()
    answer = ask(vault, extra={'REQUEST_METHOD': method})
    assert answer.status == 405
    assert answer.headers['allow'] == 'GET, POST'
    assert answer.text == '405 Method Not Allowed\n'
    assert ids(vault) == []


@pytest.mark.parametrize('headers', [
    {'Sec-Purpose': 'prefetch'}, {'Sec-Purpose': 'prefetch;prerender'},
    {'Purpose': 'prefetch'}, {'Purpose': 'preview'},
    {'X-Purpose': 'preview'}, {'X-Moz': 'prefetch'},
    {'X-Moz': 'prefetch', **BROWSER},
])
def test_looking_ahead(slow, headers):
    """On the secret URL and on a step's."""
    vault = slow()
    assert ask(vault, headers=headers).status == 503
    assert ids(vault) == []
    url = next_url(ask(vault))
    for _ in range(2):
        assert ask(vault, url, headers=headers).status == 503
    assert vault.record()['steps'] == 0
    assert param(ask(vault, url).location, 'step') == '2'


def test_crowd(slow):
    """At most a quarter of the threads wait for a step that is running; the
    others are told to come again."""
    vault = slow(step='max = 2s', delay='read:200000',
                 args=('--threads', '8'))
    thread = running(vault)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: ask(vault), range(6)))
    thread.join()
    turned_away = [a for a in answers if a.status == 503]
    assert {a.status for a in answers} == {302, 503}
    assert len(turned_away) == 4
    for answer in turned_away:
        assert answer.text == '503 too many requests for one backup\n'
        assert answer.headers['retry-after'] == '1'
    assert len(ids(vault)) == 1


# -- steps and their tokens ---------------------------------------------------


def test_old_steps_only_redirect(slow):
    """To the step that is due; so do steps that are not due yet."""
    vault = slow()
    first = next_url(ask(vault))
    url = first
    for _ in range(3):
        url = next_url(ask(vault, url))
    assert param(url, 'step') == '4'
    for step in (0, 1, 2, 3, 5, 999):
        answer = ask(vault, with_param(first, step=step))
        assert answer.status == 302
        assert param(answer.location, 'step') == '4'
    assert follow(vault, first).text.startswith('200 OK\n')
    assert len(ids(vault)) == 1


def test_a_step_never_starts_a_backup(slow):
    """Not when its own has ended, and not when that is gone."""
    vault = slow(profile='again_after = 0')
    first = next_url(ask(vault))
    final = follow(vault, first)
    backup_id, = ids(vault)
    for params in ({}, {'fresh': 1}, {'profile': 1, 'step': 0},
                   {'noredirect': 1}):
        answer = ask(vault, with_param(first, **params))
        assert (answer.status, answer.text) == (200, final.text)
    assert ids(vault) == [backup_id]
    vault.cli('delete', backup_id)
    assert ask(vault, with_param(first, fresh=1)).status == 404
    assert ids(vault) == []


def test_tokens_are_of_one_backup(slow, site):
    vault = slow(more=f'[profile 2]\nsite = {site}\nmin_free = 0\n')
    one = next_url(ask(vault))
    two = next_url(ask(vault, vault.url(profile=2)))
    both = ids(vault)
    for url in (with_param(one, backupid=param(two, 'backupid')),
                with_param(two, token=param(one, 'token')),
                with_param(one, token=param(one, 'token')[:-1]),
                with_param(one, token=param(one, 'token').upper()),
                with_param(one, token=''),
                with_param(one, backupid=''),
                one + '&token=' + param(one, 'token'),
                one.replace('backupid=', 'x=')):
        answer = ask(vault, url)
        assert (answer.status, answer.text) == (403, '403 Access denied\n')
    # A token gives no more than steps of its backup.
    answer = ask(vault, with_param(one, view='check', profile=2, fresh=1))
    assert param(answer.location, 'backupid') == param(one, 'backupid')
    assert ids(vault) == both
    assert vault.record(param(two, 'backupid'))['steps'] == 0


# -- the secret ---------------------------------------------------------------


WAYS = {
    'query': {},
    'bearer': {'url': '/stepvault/backup',
               'headers': {'Authorization': f'Bearer {SECRET}'}},
    'lower': {'url': '/stepvault/backup',
              'headers': {'Authorization': f'bearer {SECRET}'}},
    'form': {'url': '/stepvault/backup', 'method': 'POST',
             'body': f'key={SECRET}'.encode()},
    'mixed': {'url': '/stepvault/backup?profile=1', 'method': 'POST',
              'body': f'x=&key=%{ord(SECRET[0]):x}{SECRET[1:]}'
              .encode()},
}


@pytest.mark.parametrize('way', sorted(WAYS))
def test_ways_of_the_secret(slow, way):
    """It is taken from each, and stands nowhere afterwards."""
    vault = slow()
    arguments = dict(WAYS[way])
    url = arguments.pop('url', None)
    seen = []

    def visit(_, answer):
        seen.extend(answer.header_lines + [answer.body])
        with open(f'/proc/{vault.process.pid}/cmdline', 'rb') as file:
            seen.append(file.read())

    answer = follow(vault, url, visit=visit, **arguments)
    assert answer.status == 200
    for folder, _, names in os.walk(vault.data):
        for name in names:
            with open(os.path.join(folder, name), 'rb') as file:
                seen.append(file.read())
    seen.append(vault.log().encode())
    seen.append(vault.cli('show', '--json', 'latest').stdout.encode())
    seen.append(vault.stop().encode())
    assert any(b'is begun' in text for text in seen)
    assert not any(SECRET.encode() in text for text in seen)


# -- browsers -----------------------------------------------------------------


def page_text(answer):
    assert answer.headers['content-type'] == 'text/html; charset=utf-8'
    found = re.search('<pre>(.*)</pre>', answer.text, re.S)
    return html.unescape(found[1])


def test_browser(slow):
    """At most fifteen redirects, a page, and so on; then the end."""
    vault = slow(delay='read:20000')
    url, redirects, pages = vault.url(), 0, 0
    for _ in range(1000):
        answer = ask(vault, url, headers=BROWSER)
        if answer.status == 302:
            redirects += 1
            assert redirects <= 15
            url = next_url(answer)
            continue
        assert answer.status == 200
        if 'refresh' not in answer.headers:
            break
        assert redirects >= 10
        redirects, pages = 0, pages + 1
        assert re.fullmatch(r'step \d+, \w+, \d+ %\n', page_text(answer))
        found = re.fullmatch('0; url=(.*)', answer.headers['refresh'])
        url = urllib.parse.urljoin('/stepvault/backup', found[1])
    assert pages >= 2
    assert page_text(answer).startswith('200 OK\n')
    assert len(ids(vault)) == 1


def test_what_is_no_navigation_gets_no_pages(slow):
    vault = slow(delay='read:20000')
    for headers in ({**BROWSER, 'Sec-Fetch-Mode': 'cors'},
                    {'Accept': '*/*', 'User-Agent': 'curl/7.88'}):
        answer = follow(vault, headers=headers)
        assert answer.text.startswith('200 OK\n')


def test_browsers_get_refusals_as_pages(failing):
    vault = failing()
    for params, status, text in (
            ({'key': WRONG}, 403, '403 Access denied\n'),
            ({'profile': 9}, 400, '400 there is no profile of this number\n'),
            ({'x': '%'}, 400, '400 parameter number 2 is malformed\n'),
            ({}, 500, "500 ERROR -- the folder of 'site' cannot be reached: "
                      'No such file or directory\n')):
        url = vault.url(**params).replace('%25', '%')
        answer = ask(vault, url, headers=BROWSER)
        assert (answer.status, page_text(answer)) == (status, text)


# -- the check ----------------------------------------------------------------


@pytest.mark.parametrize('view', ['check', 'Check'])
def test_check(make_vault, site, view):
    """200 while the newest backup is a good one; it begins none."""
    vault = make_vault(site).start()
    url = vault.url(view=view)
    assert ask(vault, url).text == '500 no backup has ended yet\n'
    assert ask(vault, url).status == 500
    assert ids(vault) == []
    follow(vault)
    answer = ask(vault, url)
    assert (answer.status, answer.text) == (
        200, f'200 the last backup, {ids(vault)[0]}, is complete\n')
    shutil.rmtree(site)
    follow(vault, vault.url(fresh=1))
    answer = ask(vault, url)
    record = vault.record()
    assert (answer.status, answer.text) == (
        500, f'500 the last backup, {record["id"]}, has failed: '
             f'{record["reason"]}\n')
    assert ask(vault, vault.url(view=view, key=WRONG)).status == 403
    assert len(ids(vault)) == 2


# -- the data directory -------------------------------------------------------


def test_data_below_the_document_root(make_vault, site, tmp_path):
    """A web server would hand it out: nothing is done."""
    vault = make_vault(site).start()
    for root in (tmp_path, vault.data, '/'):
        answer = ask(vault, extra={'DOCUMENT_ROOT': root})
        assert answer.status == 500
        assert answer.text == (
            '500 ERROR -- the data directory lies inside the document root, '
            'where the web server may serve it; move it\n')
    assert ids(vault) == []
    answer = ask(vault, extra={'DOCUMENT_ROOT': site})
    assert answer.status in (200, 302)
