# SPDX-License-Identifier: MIT
"""The companion of a data directory: finding and ending its process, and what
a step says to it."""
import contextlib
import json
import os
import signal
import socket
import struct

SOCKET = 'companion.sock'


def connect(data, timeout=60):
    """A connection to the companion of a data directory; OSError if there is
    none."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(timeout)
    # Its path may be longer than an address.
    folder = os.open(data, os.O_PATH)
    try:
        sock.connect(f'/proc/self/fd/{folder}/{SOCKET}')
    except OSError:
        sock.close()
        raise
    finally:
        os.close(folder)
    return sock


def pid(data):
    """The process ID of the companion of a data directory; None if there is
    none."""
    with contextlib.suppress(OSError), connect(data) as sock:
        peer = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return struct.unpack('3i', peer)[0]
    return None


def is_running(process):
    """Whether there is a process of this ID that is no zombie."""
    try:
        with open(f'/proc/{process}/stat', encoding='utf-8') as stat:
            return stat.read().rpartition(') ')[2][0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):
        return False


def end(data, sig=signal.SIGKILL):
    """End the companion of a data directory, if there is one, and wait until
    it has; what its process ID was."""
    process = pid(data)
    if process is None:
        return None
    handle = os.pidfd_open(process)
    try:
        signal.pidfd_send_signal(handle, sig)
        # It is nobody's child: the descriptor tells when it is gone.
        poll_end(handle)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)
    return process


def poll_end(handle, seconds=30):
    import select
    ready, _, _ = select.select([handle], [], [], seconds)
    assert ready, 'the companion does not end'


def log(data):
    with open(os.path.join(data, 'companion.log'), encoding='utf-8') as file:
        return file.read()


class Step:
    """Asks questions as a step does."""

    def __init__(self, data):
        self.sock = connect(data)
        self.file = self.sock.makefile('rb')
        self.greeting = self.file.readline().decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.sock.close()

    def ask(self, request, token='', backup_id='', profile=0, database=0,
            line=None, size=0, place=None):
        question = {'version': 1, 'request': request, 'token': token,
                    'id': backup_id, 'profile': profile,
                    'database': database, 'line': line, 'bytes': size,
                    **(place or {'rows': 0, 'structure': '', 'key': ''})}
        self.sock.sendall(json.dumps(question).encode() + b'\n')

    def take(self):
        """The head of the answer, and text and notes."""
        line = self.file.readline()
        if not line:
            raise EOFError
        head = json.loads(line)
        return head, self.file.read(head['text']), self.file.read(
            head['notes'])

    def begin(self, backup_id, profile=1, database=0):
        """Take a snapshot: its token."""
        self.ask('begin', backup_id=backup_id, profile=profile,
                 database=database)
        head, _, _ = self.take()
        assert head['outcome'] == 'ended', head
        return head['token']

    def list(self, token):
        self.ask('list', token)
        head, text, _ = self.take()
        assert head['outcome'] == 'ended', head
        return text.decode().splitlines()

    def end(self, token):
        self.ask('end', token)
        self.take()

    def pieces(self, token, line, size=4 << 20):
        """All pieces of an object."""
        place = None
        while True:
            self.ask('read', token, line=line, size=size, place=place)
            head, text, _ = self.take()
            assert head['outcome'] in ('more', 'held', 'ended'), head
            place = {key: head[key] for key in ('rows', 'structure', 'key')}
            yield text
            if head['outcome'] == 'ended':
                return
