# SPDX-License-Identifier: MIT
"""Whatever comes from outside that is wrong gets its 4xx, or its connection
is closed; nothing changes on the disk, and others are served as before."""
import contextlib
import hashlib
import os
import random
import select
import shutil
import socket
import struct
import subprocess
import time

import pytest

import fastcgi
import faults
import servers
import trees
from vault import SECRET, Vault, binary

WRONG = 'x' + SECRET
FORM = 'application/x-www-form-urlencoded'
REFUSED = {400, 403, 404, 405, 411, 413, 414, 415, 429, 431}
THREADS = 4


@pytest.fixture(scope='module')
def vault(tmp_path_factory):
    """One that serves all tests, with a complete backup, an unfinished one,
    and a decoy beside the data directory that looks like a backup."""
    folder = tmp_path_factory.mktemp('bad-input')
    site = trees.make_site(folder / 'site', files=10)
    slow = trees.make_site(folder / 'slow', files=10)
    with Vault(folder / 'vault', site, step='max = 50ms',
               profile='again_after = 0',
               more=f'[profile 2]\nsite = {slow}\nmin_free = 0\n') as vault:
        vault.start('--threads', str(THREADS),
                    env=faults.environment(slow, delay='read:40000'))
        assert vault.chain().status == 200
        assert vault.get(vault.url(profile=2)).status == 302
        # The table of wrong secrets is made when there is one.
        assert vault.get(vault.url(key=WRONG)).status == 403
        backup = vault.data / 'backups' / vault.records()[1]['id']
        shutil.copytree(backup, vault.folder / 'decoy')
        shutil.copytree(backup, vault.data / 'decoy')
        yield vault
        # Its sanitizers, if it has some, speak at its end.
        assert 'Sanitizer' not in vault.stop()
        assert vault.returncode == 0


def listing(folder):
    """All there is in a folder, but for the counts of wrong secrets."""
    found = {}
    for where, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(where, name)
            st = os.lstat(path)
            found[path] = [st.st_mode, st.st_ino]
            if name in files and name not in ('refused', 'fcgi.sock'):
                with open(path, 'rb') as file:
                    found[path].append(
                        hashlib.sha256(file.read()).hexdigest())
    return found


def descriptors(vault):
    return len(os.listdir(f'/proc/{vault.process.pid}/fd'))


@contextlib.contextmanager
def nothing_changes(vault):
    before = listing(vault.folder)
    # What was left open a moment ago may not be closed yet.
    time.sleep(0.05)
    opened = descriptors(vault)
    yield
    assert vault.process.poll() is None
    answer = vault.get(vault.url(view='check'), timeout=20)
    assert answer is not None and answer.status == 200
    for _ in range(500):
        if descriptors(vault) <= opened:
            break
        time.sleep(0.01)
    assert descriptors(vault) <= opened
    assert listing(vault.folder) == before


# -- requests, by FastCGI and as plain CGI ------------------------------------


def by_fastcgi(vault, variables, body):
    with fastcgi.connect(vault.address, timeout=20) as sock:
        sock.sendall(fastcgi.encode(variables, body))
        raw = fastcgi.read_answer(sock)
    return fastcgi.Answer(raw) if raw else None


def by_plain_cgi(vault, variables, body):
    env = {os.fsencode(k): v if isinstance(v, bytes) else str(v).encode()
           for k, v in {**os.environ, **variables}.items()}
    result = subprocess.run(
        [binary('FCGI'), '--config', str(vault.conf)], input=body, env=env,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
        check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr == b''
    return fastcgi.Answer(result.stdout)


every_face = pytest.mark.parametrize('face', [by_fastcgi, by_plain_cgi])


def get(query='', path='/stepvault/backup', **more):
    return {**fastcgi.variables(f'{path}?{query}'), **more}, b''


def post(body, length=None, kind=FORM, **more):
    """None as length or kind leaves that out."""
    values = fastcgi.variables('/stepvault/backup', 'POST', body=body)
    values.update(CONTENT_LENGTH=len(body) if length is None else length,
                  CONTENT_TYPE=kind, **more)
    return {k: v for k, v in values.items() if v is not ...}, body


KEY = f'key={SECRET}'
OTHER = f'key={WRONG}'
ID = '20260101-000000-aaaaaaaaaaaaaaaa'

TRAVERSALS = [
    '.', '..', '/', '../decoy', '../../decoy', '../../../../etc/passwd',
    '/etc/passwd', 'decoy', './decoy', f'{ID}/..', f'{ID}/../decoy',
    f'../backups/{ID}', f'{ID}/', f'./{ID}', f' {ID}', f'{ID} ', f'{ID}\n',
    ID.upper(), ID.replace('-', '/'), '*', '~', '-', '--', '-rf', '%s%n',
    'x' * 2000, '..\\decoy', '\xff\xfe', 'key', 'refused', 'record.json',
]


def quote(text):
    return ''.join(f'%{byte:02x}' for byte in text.encode('latin-1'))


REQUESTS = {
    # Queries.
    'long query': (414, get(KEY + '&x=' + 'a' * 8192)),
    'longest query': (403, get(OTHER + '&x=' + 'a' * (
        8192 - len(OTHER) - 3))),
    'many parameters': (400, get(KEY + '&x=1' * 64)),
    'most parameters': (403, get(OTHER + '&x=1' * 63)),
    'many separators': (403, get('&' * 8000)),
    'no end of an escape': (400, get(KEY + '&x=%')),
    'half an escape': (400, get(KEY + '&x=%a')),
    'no escape': (400, get(KEY + '&%gg=x')),
    'binary number': (400, get(KEY + '&profile=%ff%fe')),
    'raw bytes': (400, get(KEY, QUERY_STRING=KEY.encode() +
                           b'&profile=\x80\xff\x01')),
    'NUL in a number': (400, get(KEY + '&profile=1%002')),
    'NUL in a secret': (403, get(f'key={SECRET}%00')),
    'NUL before a secret': (403, get(f'key=%00{SECRET}')),
    'secret twice': (403, get(KEY + '&' + KEY)),
    'long secret': (403, get('key=' + SECRET * 200)),
    'spaces for a number': (400, get(KEY + '&profile=+1')),
    'hexadecimal number': (400, get(KEY + '&profile=0x1')),
    'arabic number': (400, get(KEY + '&profile=%d9%a1')),
    'great hop': (400, get(KEY + '&hop=99999999999999999999')),
    **{f'{name} twice': (400, get(f'{KEY}&{name}={value}&{name}={value}'))
       for name, value in (('profile', 1), ('backupid', ID), ('fresh', 1),
                           ('noredirect', 1), ('hop', 1), ('view', 'x'),
                           ('action', 'x'))},
    **{f'backupid {text!r:.40}': (400, get(f'{KEY}&backupid={quote(text)}'))
       for text in TRAVERSALS},
    'backupid with NUL': (400, get(f'{KEY}&backupid={ID}%00')),
    'traversal with a token': (403, get(
        'backupid=../decoy&token=' + 'a' * 26)),
    # Paths and other variables.
    'long path': (414, get(KEY, path='/' + 'x' * 1100 + '/backup')),
    'long segment': (400, get(KEY, REQUEST_URI='/' + 'x' * 256)),
    'climbing path': (404, get(KEY, path='/stepvault/../../etc/passwd')),
    'header in a path': (400, get(
        KEY, REQUEST_URI='/backup\r\nX-Evil:%201?x')),
    'space in a path': (400, get(KEY, REQUEST_URI='/a b')),
    'byte in a path': (400, get(KEY, REQUEST_URI=b'/\xe9')),
    'no method': (405, get(KEY, REQUEST_METHOD='')),
    'strange method': (405, get(KEY, REQUEST_METHOD='GETGET' * 100)),
    'long authorization': (431, get(
        KEY, HTTP_AUTHORIZATION='Bearer ' + 'x' * 1100)),
    'binary authorization': (403, get(
        KEY, HTTP_AUTHORIZATION=b'Bearer \x01\xff\n')),
    'empty authorization': (403, get(HTTP_AUTHORIZATION='Bearer ')),
    'strange addresses': (403, get(OTHER, REMOTE_ADDR='x' * 500,
                                   HTTP_X_FORWARDED_FOR=',' * 5000)),
    'many headers': (403, get(OTHER, **{
        f'HTTP_X_{i}': 'y' * 50 for i in range(500)})),
    'long header': (403, get(OTHER, HTTP_COOKIE='z' * 40000)),
    'binary headers': (403, get(OTHER, HTTP_ACCEPT=bytes(range(1, 256)),
                                HTTP_PURPOSE=b'\xff' * 100)),
    # Bodies.
    'body without length': (411, post(KEY.encode(), length=...)),
    'chunked body': (411, post(KEY.encode(), length=...,
                               HTTP_TRANSFER_ENCODING='chunked')),
    'empty length': (411, post(KEY.encode(), length='')),
    **{f'length {length!r}': (400, post(KEY.encode(), length=length))
       for length in ('abc', '-1', '+5', ' 5', '5x', '1e3', '0x10', '5,5',
                      '9' * 30)},
    'long body': (413, post(KEY.encode() + b'&x=' + b'a' * 16384)),
    'longest body': (403, post(OTHER.encode() + b'&x=' + b'a' * (
        16384 - len(OTHER) - 3))),
    'very long body': (413, post(b'a' * 500_000)),
    'great length': (413, post(KEY.encode(), length=10**15)),
    'short body': (400, post(KEY.encode(), length=len(KEY) + 1)),
    'no body': (400, post(b'', length=10)),
    'NUL in a body': (400, post(KEY.encode() + b'&x=\0')),
    'escaped NUL in a body': (400, post(KEY.encode() + b'&profile=%00')),
    'half an escape in a body': (400, post(KEY.encode() + b'&x=%a')),
    'many parameters in a body': (400, post(KEY.encode() + b'&x=1' * 64)),
    'in query and body': (400, post(f'{KEY}&profile=1'.encode(),
                                    QUERY_STRING='profile=1')),
    'secret in query and body': (403, post(KEY.encode(), QUERY_STRING=KEY)),
    'many parameters in both': (400, post(
        b'x=1&' * 40 + KEY.encode(), QUERY_STRING='x=1&' * 40)),
    **{f'type {kind!r:.30}': (415, post(KEY.encode(), kind=kind))
       for kind in ('', 'text/plain', 'application/json', 'x' * 5000,
                    'multipart/form-data; boundary=x', ' ' + FORM, ...)},
    'form with charset': (403, post(OTHER.encode(),
                                    kind=FORM.upper() + '; charset=utf-8')),
}


@every_face
def test_requests(vault, face):
    with nothing_changes(vault):
        for name, (status, (variables, body)) in REQUESTS.items():
            answer = face(vault, variables, body)
            assert answer is not None, name
            # Who has been wrong very often is told that.
            assert answer.status in (status, 429 if status == 403 else 0), (
                name, answer.status, answer.text)
            assert answer.text.startswith(f'{answer.status} '), name
            assert 'x-evil' not in answer.headers


def test_longer_body_than_its_length(vault):
    """FastCGI tells; of plain CGI no more than that may be read."""
    variables, body = post(f'{OTHER}&{KEY}'.encode(), length=len(OTHER))
    with nothing_changes(vault):
        answer = by_fastcgi(vault, variables, body)
        assert answer.status == 400
        assert by_fastcgi(vault, {**variables, 'CONTENT_LENGTH': 0},
                          body).status == 400
        assert by_plain_cgi(vault, variables, body).status in (403, 429)


@every_face
def test_random_requests(vault, face):
    seed = random.randrange(2**32)
    print('seed', seed)
    rand = random.Random(seed)
    pieces = [b'key', b'=', b'&', b'%', b'%00', b'profile', b'backupid', b'1',
              b'token', b'+', b'..', b'/', b'\xff', ID.encode(), b'step']
    with nothing_changes(vault):
        for _ in range(300 if face is by_fastcgi else 30):
            text = b''.join(rand.choice(pieces)
                            for _ in range(rand.randrange(40)))
            if rand.random() < 0.5:
                variables, body = get(QUERY_STRING=text)
            else:
                variables, body = post(text)
            answer = face(vault, variables, body)
            assert answer.status in REFUSED, (text, answer.status)


# -- backup IDs on the command line -------------------------------------------


@pytest.mark.parametrize('command', ['show', 'log', 'delete'])
def test_backup_ids_on_the_command_line(vault, command):
    with nothing_changes(vault):
        for text in TRAVERSALS + ['', f'{ID}\0'.rstrip('\0') + 'x']:
            result = vault.cli(command, '--', text.encode('latin-1'),
                               check=False, errors='replace')
            assert result.returncode == 2, (text, result)
            assert result.stdout == ''
            assert 'is no backup ID' in result.stderr
        result = vault.cli(command, ID, check=False)
        assert result.returncode == 4, result
    assert (vault.folder / 'decoy/record.json').exists()


# -- FastCGI ------------------------------------------------------------------


def raw(vault, *pieces, end=True, pause=0, patience=0):
    """Send pieces: what comes back.  With end, say that it was all; unless
    something comes within so much patience: who hangs up is not answered.
    """
    with fastcgi.connect(vault.address, timeout=20) as sock:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                sock.sendall(piece)
                time.sleep(pause)
            if end and not select.select([sock], [], [], patience)[0]:
                sock.shutdown(socket.SHUT_WR)
        data = b''
        with contextlib.suppress(ConnectionResetError):
            while piece := sock.recv(65536):
                data += piece
    return data


def answer_in(data):
    """The answer in the records that came back, or None."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        out = fastcgi.read_answer(ours)
    return fastcgi.Answer(out) if out else None


def request(**more):
    """A request that will be refused, in records."""
    return fastcgi.encode({'REQUEST_METHOD': 'GET',
                           'SCRIPT_NAME': '/stepvault/backup',
                           'QUERY_STRING': OTHER, **more})


def begin(role=fastcgi.RESPONDER, flags=0, request_id=1):
    return fastcgi.record(fastcgi.BEGIN_REQUEST,
                          struct.pack('>HB5x', role, flags), request_id)


def params(content, request_id=1):
    return fastcgi.record(fastcgi.PARAMS, content, request_id)


END = params(b'') + fastcgi.record(fastcgi.STDIN, b'')
PAIRS = (fastcgi.pair('REQUEST_METHOD', 'GET') +
         fastcgi.pair('SCRIPT_NAME', '/stepvault/backup') +
         fastcgi.pair('QUERY_STRING', OTHER))


def test_cut_at_every_byte(vault):
    whole = request()
    with nothing_changes(vault):
        for length in range(len(whole)):
            assert raw(vault, whole[:length]) == b'', length
        answer = answer_in(raw(vault, whole, end=False))
        assert answer.status in (403, 429)


def test_halves_with_a_pause_between(vault):
    whole = request()
    with nothing_changes(vault):
        for at in range(1, len(whole)):
            answer = answer_in(raw(vault, whole[:at], whole[at:], end=False))
            assert answer.status in (403, 429), at
        for at in (1, 7, 8, 16, 24, 40, len(whole) - 9, len(whole) - 1):
            answer = answer_in(raw(vault, whole[:at], whole[at:], end=False,
                                   pause=0.02))
            assert answer.status in (403, 429), at
        pieces = [whole[i:i + 3] for i in range(0, len(whole), 3)]
        answer = answer_in(raw(vault, *pieces, end=False))
        assert answer.status in (403, 429)


def test_flipped_bytes(vault):
    seed = random.randrange(2**32)
    print('seed', seed)
    rand = random.Random(seed)
    body = OTHER.encode()
    wholes = [request(), fastcgi.encode(post(body)[0], body)]
    answers = []
    with nothing_changes(vault):
        for _ in range(600):
            data = bytearray(rand.choice(wholes))
            for _ in range(rand.randrange(1, 9)):
                # The records' headers are few bytes; they come often.
                at = rand.choice([rand.randrange(len(data)),
                                  rand.randrange(26)])
                data[at] = rand.choice([0, 1, 255, rand.randrange(256)])
            answer = answer_in(raw(vault, bytes(data), patience=0.02))
            answers.append(answer)
            assert answer is None or answer.status in REFUSED, bytes(data)
    assert sum(answer is not None for answer in answers) > 50


LONGEST = struct.pack('>I', 0xffffffff)
PROTOCOL = {
    'an HTTP request': b'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    'a TLS hello': b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + b'r' * 99,
    'zeros': b'\0' * 100_000,
    'ones': b'\1' * 100_000,
    'version 0': b'\0' + request()[1:],
    'version 2': b'\2' + request()[1:],
    'no beginning': request()[16:],
    'two beginnings': begin() + request(),
    'request 0': begin(request_id=0) + END,
    'an authorizer': begin(role=2) + params(PAIRS) + END,
    'a filter': begin(role=3) + params(PAIRS) + END,
    'an unknown role': begin(role=999) + params(PAIRS) + END,
    'a short beginning': fastcgi.record(1, b'\0\1') + params(PAIRS) + END,
    'a long beginning': fastcgi.record(1, b'\0\1' + b'\0' * 99) + END,
    'GET_VALUES': fastcgi.record(9, fastcgi.pair('FCGI_MAX_CONNS', ''), 0),
    'GET_VALUES within': begin() + fastcgi.record(9, b'', 0) + END,
    'an unknown management type': fastcgi.record(77, b'x' * 99, 0),
    'an unknown type': begin() + fastcgi.record(77, b'x') + END,
    'type 0': begin() + fastcgi.record(0, b'x') + END,
    'an abort': begin() + params(PAIRS) + fastcgi.record(2, b''),
    'data of a filter': begin() + params(PAIRS) + fastcgi.record(8, b'') + END,
    'our own types': begin() + fastcgi.record(fastcgi.STDOUT, b'x') + END,
    'another within': begin() + params(PAIRS[:9]) + begin(request_id=2) +
                      params(PAIRS[9:]) + END,
    'mixed variables': begin() + params(PAIRS[:9]) +
                       params(PAIRS[9:], request_id=2) + END,
    'stdin before its time': begin() + fastcgi.record(fastcgi.STDIN, b'') +
                             params(PAIRS) + END,
    'variables after their end': begin() + params(PAIRS) + params(b'') +
                                 params(PAIRS) + END,
    'a cut name': begin() + params(PAIRS + b'\x05') + END,
    'a cut length': begin() + params(PAIRS + b'\x80\0') + END,
    'a cut value': begin() + params(PAIRS + b'\x01\x05Nvalu') + END,
    'a huge name': begin() + params(PAIRS + LONGEST + b'\x01N') + END,
    'a huge value': begin() + params(PAIRS + b'\x01' + LONGEST + b'N') + END,
    'huge both': begin() + params(PAIRS + 2 * LONGEST + b'N' * 1000) + END,
    'lengths that wrap': begin() + params(
        struct.pack('>II', 0xffffffff, 0x80000003) + b'x' * 5000) + END,
    'NUL in a name': begin() + params(PAIRS + fastcgi.pair('A\0B', '')) + END,
    'NUL in a value': begin() + params(
        PAIRS + fastcgi.pair('QUERY_STRING', f'{KEY}\0')) + END,
    'too many variables': request(HTTP_X='x' * 70_000),
    'a huge record': begin() + struct.pack('>BBHHBB', 1, 4, 1, 65535, 255, 0),
    'no end of variables': begin() + params(
        fastcgi.pair('HTTP_X', 'x' * 1000)) * 200,
}


def memory(vault):
    with open(f'/proc/{vault.process.pid}/status', encoding='ascii') as file:
        for line in file:
            if line.startswith('VmHWM'):
                return int(line.split()[1])
    raise AssertionError('no VmHWM')


def test_wrong_protocol(vault):
    """Closed without a word; and what is announced is not allocated."""
    with nothing_changes(vault):
        before = memory(vault)
        for name, data in PROTOCOL.items():
            assert raw(vault, data) == b'', name
        assert memory(vault) < before + 16 * 1024


def test_unusual_but_right_protocol(vault):
    padded = struct.pack('>BBHHBB', 1, 4, 1, len(PAIRS), 255, 7) + PAIRS + (
        b'p' * 255)
    small = b''.join(params(PAIRS[i:i + 1]) for i in range(len(PAIRS)))
    for data in (begin() + padded + END, begin() + small + END,
                 begin(flags=1) + params(PAIRS) + END,
                 begin() + params(PAIRS) + END + request(),
                 begin() + params(PAIRS) + END + b'\xff' * 1000,
                 request(HTTP_X='x' * 60_000),
                 (begin(request_id=65535) + params(PAIRS, 65535) +
                  params(b'', 65535) +
                  fastcgi.record(fastcgi.STDIN, b'', 65535))):
        with nothing_changes(vault):
            answer = answer_in(raw(vault, data, end=False))
            assert answer.status in (403, 429)


def test_half_requests_starve_nobody(vault):
    """Many more of them than there are threads, and in all states; some are
    never heard of again, some go on byte by byte."""
    whole = request()
    with contextlib.ExitStack() as stack:
        half = []
        for i in range(100):
            sock = stack.enter_context(fastcgi.connect(vault.address))
            sock.sendall(whole[:i * len(whole) // 100])
            half.append(sock)
        for _ in range(3):
            for i, sock in enumerate(half):
                at = i * len(whole) // 100
                if i % 2 and at + 3 < len(whole):
                    sock.sendall(whole[at:at + 1])
            answer = vault.get(vault.url(view='check'), timeout=20)
            assert answer.status == 200
        answer = vault.chain(timeout=20)
        assert answer.text.startswith('200 OK\n')
        vault.cli('delete', 'latest')
        # Those that have waited are served when the rest comes.
        sock = half[50]
        sock.sendall(whole[50 * len(whole) // 100:])
        raw_answer = fastcgi.read_answer(sock)
        assert fastcgi.Answer(raw_answer).status in (403, 429)


def test_who_does_not_hang_up_starves_nobody(vault):
    """Neither by sending on and on after the answer."""
    whole = request()
    with contextlib.ExitStack() as stack:
        for _ in range(5 * THREADS):
            sock = stack.enter_context(fastcgi.connect(vault.address))
            sock.sendall(whole + b'x' * 10_000)
        answer = vault.get(vault.url(view='check'), timeout=20)
        assert answer.status == 200


def connect_patiently(vault):
    """With so many at once the system's own queue may be full."""
    for _ in range(1000):
        with contextlib.suppress(BlockingIOError):
            return fastcgi.connect(vault.address)
        time.sleep(0.01)
    raise AssertionError('no connection')


def test_more_half_requests_than_there_is_room_for(vault):
    """The oldest have to go."""
    with contextlib.ExitStack() as stack:
        half = [stack.enter_context(connect_patiently(vault))
                for _ in range(400)]
        answer = vault.get(vault.url(view='check'), timeout=20)
        assert answer.status == 200
        half[0].settimeout(20)
        assert half[0].recv(1) == b''
        assert descriptors(vault) < 250


def test_large_requests_by_tcp(vault):
    """Whose windows are narrower than a local socket's buffer."""
    other = Vault(vault.folder.parent / 'other', vault.site)
    address = f'127.0.0.1:{servers.free_port()}'
    with other.start(address=address):
        for name in ('long header', 'longest body', 'very long body',
                     'long query'):
            status, (variables, body) = REQUESTS[name]
            answer = by_fastcgi(other, variables, body)
            assert answer.status == status, name
        answer = answer_in(raw(other, request(HTTP_X='x' * 60_000),
                               end=False))
        assert answer.status == 403
        assert raw(other, request(HTTP_X='x' * 70_000)) == b''
