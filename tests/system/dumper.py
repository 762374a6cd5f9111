# SPDX-License-Identifier: MIT
"""The dump of a database without an archive around it: tests/tools/dumper."""
import subprocess
import time

from mariadb import run
from vault import binary


class Dumped:
    def __init__(self, text, report):
        figures, *notes = report.splitlines()
        self.text = text
        self.notes = [tuple(note.split('\t')) for note in notes]
        self.figures = {name: float(value) for name, value in
                        (word.split('=') for word in figures.split())}

    def __getattr__(self, name):
        return self.figures[name]


def command(server, db, *options, tables=(), user='root'):
    return [binary('DUMPER'), '-s', server.socket, '-u', user, *options, db,
            *tables]


def dump(server, db, *options, status=0, **kwargs):
    """Dump a database; with another status than 0, what it complained of."""
    result = subprocess.run(command(server, db, *options, **kwargs),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            check=False)
    report = result.stderr.decode('utf-8', 'replace')
    assert result.returncode == status, (result.returncode, report)
    return Dumped(result.stdout, report) if status == 0 else report


class Dumping:
    """A dump that goes on while others use the server."""

    def __init__(self, server, db, folder, *options, **kwargs):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.process = subprocess.Popen(
            command(server, db, *options, '-o', str(folder), **kwargs),
            stderr=subprocess.PIPE, text=True)

    def wait_for(self, pieces):
        """Until it has written so many pieces."""
        for _ in range(6000):
            if len(list(self.folder.iterdir())) >= pieces:
                return
            assert self.process.poll() is None, self.process.stderr.read()
            time.sleep(0.005)
        raise AssertionError('it is too slow')

    def end(self, status=0):
        """How it ends, as of dump()."""
        report = self.process.communicate(timeout=120)[1]
        assert self.process.returncode == status, (
            self.process.returncode, report)
        text = b''.join(path.read_bytes()
                        for path in sorted(self.folder.iterdir()))
        return Dumped(text, report) if status == 0 else report

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def load(server, db, text):
    """Load a text by the stock client into a database, new and empty."""
    server.create(db)
    run(['mariadb', '--no-defaults', f'--socket={server.socket}', '-uroot',
         '--max-allowed-packet=1G', db], input=text)


def assert_equal(server, one, two, unsummed=()):
    """Both have the same tables with the same rows; but for unsummed ones
    by their checksums, too, which the server does not have right for virtual
    columns, and which depend on the time for versioned tables."""
    old, new = server.checksums(one), server.checksums(two)
    assert old.keys() == new.keys(), (old.keys() ^ new.keys())
    other = [name for name in old
             if name not in unsummed and old[name] != new[name]]
    assert not other, ('other rows', other)
    old, new = server.dump(one), server.dump(two)
    assert old == new, next((a, b) for a, b in zip(
        old.splitlines(), new.splitlines()) if a != b)


def round_trip(server, db, *options, unsummed=(), **kwargs):
    """What is dumped and loaded is what was there."""
    dumped = dump(server, db, *options, **kwargs)
    load(server, db + '_copy', dumped.text)
    assert_equal(server, db, db + '_copy', unsummed)
    return dumped
