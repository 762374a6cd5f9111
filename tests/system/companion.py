# SPDX-License-Identifier: MIT
"""The companion of a data directory: what it says in its log, and what a step
says to it."""
import contextlib
import json
import os
import select
import signal
import socket

SOCKET = 'companion.sock'


@contextlib.contextmanager
def address(data):
    """An address of the socket in a data directory, whose path may be longer
    than an address."""
    folder = os.open(data, os.O_PATH)
    try:
        yield f'/proc/self/fd/{folder}/{SOCKET}'
    finally:
        os.close(folder)


def connect(data, timeout=60):
    """A connection to the companion of a data directory."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(timeout)
    try:
        with address(data) as where:
            sock.connect(where)
    except OSError:
        sock.close()
        raise
    return sock


def log(data):
    with open(os.path.join(data, 'companion.log'), encoding='utf-8') as file:
        return file.read()


def end(pid, sig=signal.SIGTERM):
    """End a companion, which is nobody's child, and wait until it has."""
    handle = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(handle, sig)
        wait_for_end(handle)
    finally:
        os.close(handle)


def wait_for_end(handle, seconds=60):
    assert select.select([handle], [], [], seconds)[0], 'it does not end'


class Step:
    """Asks questions as a step does."""

    def __init__(self, data):
        self.sock = connect(data)
        self.file = self.sock.makefile('rb')
        self.greeting = self.file.readline().decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def ask(self, request, token='', backup_id='', line=None, size=0,
            place=None):
        question = {'version': 1, 'request': request, 'token': token,
                    'id': backup_id, 'profile': 1, 'database': 0,
                    'line': line, 'bytes': size, 'rows': 0, 'structure': '',
                    'key': '', **(place or {})}
        self.sock.sendall(json.dumps(question).encode() + b'\n')

    def take(self):
        """The head of the answer, and the text."""
        head = json.loads(self.file.readline())
        text = self.file.read(head['text'])
        self.file.read(head['notes'])
        return head, text

    def begin(self, backup_id):
        """Take a snapshot: its token."""
        self.ask('begin', backup_id=backup_id)
        head, _ = self.take()
        assert head['outcome'] == 'ended', head
        return head['token']

    def list(self, token):
        self.ask('list', token)
        head, text = self.take()
        assert head['outcome'] == 'ended', head
        return text.decode().splitlines()

    def read(self, token, line, size, place=None):
        """A piece, the place behind it, and whether it was the last."""
        self.ask('read', token, line=line, size=size, place=place)
        head, text = self.take()
        assert head['outcome'] in ('more', 'held', 'ended'), head
        place = {key: head[key] for key in ('rows', 'structure', 'key')}
        return text, place, head['outcome'] == 'ended'
