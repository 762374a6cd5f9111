# SPDX-License-Identifier: MIT
"""A small FastCGI client: requests without a web server between."""
import socket
import struct
import urllib.parse

BEGIN_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT, STDERR = 1, 3, 4, 5, 6, 7
RESPONDER = 1


class Answer:
    """Status, headers (names in lower case) and body of an answer."""

    def __init__(self, raw):
        head, _, self.body = raw.partition(b'\r\n\r\n')
        self.header_lines = head.split(b'\r\n')
        self.headers = {}
        for line in self.header_lines:
            name, _, value = line.decode('latin-1').partition(':')
            self.headers[name.strip().lower()] = value.strip()
        self.status = int(self.headers.get('status', '200').split()[0])
        self.text = self.body.decode('utf-8', 'replace')

    @property
    def location(self):
        return self.headers.get('location')


def record(kind, content, request_id=1):
    return struct.pack('>BBHHBB', 1, kind, request_id, len(content), 0,
                       0) + content


def _length(number):
    return struct.pack('>B' if number < 128 else '>I',
                       number if number < 128 else number | 0x80000000)


def pair(name, value):
    name = name if isinstance(name, bytes) else name.encode()
    value = value if isinstance(value, bytes) else str(value).encode()
    return _length(len(name)) + _length(len(value)) + name + value


def stream(kind, content):
    """Content as records of at most 64 KiB, and the empty one at its end."""
    pieces = [content[i:i + 65535] for i in range(0, len(content), 65535)]
    return b''.join(record(kind, p) for p in pieces) + record(kind, b'')


def encode(variables, body=b''):
    begin = struct.pack('>HB5x', RESPONDER, 0)
    params = b''.join(pair(k, v) for k, v in variables.items())
    return (record(BEGIN_REQUEST, begin) + stream(PARAMS, params) +
            stream(STDIN, body))


def connect(address, timeout=60):
    """address: 'unix:/path' or '127.0.0.1:port'."""
    if address.startswith('unix:'):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(timeout)
        sock.connect(address[5:])
    else:
        host, _, port = address.rpartition(':')
        sock = socket.create_connection((host, int(port)), timeout)
    return sock


def _read_exactly(sock, count):
    data = b''
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            return None
        data += piece
    return data


def read_answer(sock):
    """The answer's bytes, or None if the connection ends without an end."""
    out = b''
    while True:
        head = _read_exactly(sock, 8)
        if head is None:
            return None
        _, kind, _, length, padding, _ = struct.unpack('>BBHHBB', head)
        content = _read_exactly(sock, length + padding)
        if content is None:
            return None
        if kind == STDOUT:
            out += content[:length]
        elif kind == END_REQUEST:
            return out


def variables(url, method='GET', headers=(), body=b''):
    """The CGI variables of a request for a URL such as /stepvault/backup?…"""
    path, _, query = url.partition('?')
    result = {
        'REQUEST_METHOD': method,
        'SCRIPT_NAME': path,
        'REQUEST_URI': url,
        'QUERY_STRING': query,
        'REMOTE_ADDR': '127.0.0.1',
        'SERVER_PROTOCOL': 'HTTP/1.1',
    }
    if method == 'POST':
        result['CONTENT_LENGTH'] = len(body)
        result['CONTENT_TYPE'] = 'application/x-www-form-urlencoded'
    for name, value in dict(headers).items():
        result['HTTP_' + name.upper().replace('-', '_')] = value
    return result


def request(address, url, method='GET', headers=(), body=b'', timeout=60,
            extra=()):
    """Do one request.  None if the server went away without an answer."""
    values = variables(url, method, headers, body)
    values.update(dict(extra))
    try:
        with connect(address, timeout) as sock:
            sock.sendall(encode(values, body))
            raw = read_answer(sock)
    except (ConnectionResetError, BrokenPipeError):
        return None
    return Answer(raw) if raw else None


def follow(address, url, hops=10000, visit=None, **kwargs):
    """Follow redirects to the end; the last answer (None if cut off)."""
    for _ in range(hops):
        answer = request(address, url, **kwargs)
        if answer is not None and visit is not None:
            visit(url, answer)
        if answer is None or answer.status not in (302, 303):
            return answer
        url = urllib.parse.urljoin('http://x' + url,
                                   answer.location)[len('http://x'):]
        kwargs.pop('method', None)
        kwargs.pop('body', None)
    raise AssertionError(f'no end after {hops} redirects')
