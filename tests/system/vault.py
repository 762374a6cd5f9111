# SPDX-License-Identifier: MIT
"""A Stepvault of a test's own: configuration, data, server, command line."""
import contextlib
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.parse

import fastcgi

SECRET = 'the-secret-of-the-tests-0123456789'


def binary(name):
    """The program under test, from the build that runs the tests."""
    path = os.environ.get('STEPVAULT_' + name)
    assert path, f'STEPVAULT_{name} is not set; run the tests with ctest'
    return path


class Vault:
    def __init__(self, folder, site, server='', step='', profile='',
                 more=''):
        """server, step, profile: further lines of their sections; more:
        further sections."""
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / 'data'
        self.site = str(site)
        self.conf = self.folder / 'stepvault.conf'
        self.address = f'unix:{self.folder}/fcgi.sock'
        self.process = None
        self.configure(server, step, profile, more)

    def configure(self, server='', step='', profile='', more=''):
        digest = hashlib.sha256(SECRET.encode()).hexdigest()
        self.conf.write_text(
            f'[server]\ndata = {self.data}\n'
            f'secret_hash = sha256:{digest}\n{server}\n'
            f'[step]\n{step}\n'
            f'[profile 1]\nsite = {self.site}\nmin_free = 0\n{profile}\n'
            f'{more}\n')
        self.conf.chmod(0o600)

    # -- the command line --------------------------------------------------

    def cli(self, *args, check=True, env=(), **kwargs):
        result = subprocess.run(
            [binary('CLI'), '--config', str(self.conf), *args],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **dict(env)}, timeout=300, **kwargs)
        if check:
            assert result.returncode == 0, result.stderr
        return result

    def record(self, backup_id='latest'):
        return json.loads(self.cli('show', '--json', backup_id).stdout)

    def records(self):
        return json.loads(self.cli('list', '--json').stdout)

    def log(self, backup_id='latest'):
        return self.cli('log', backup_id).stdout

    def parts(self, record=None):
        """The paths of the archive's parts."""
        record = record or self.record()
        folder = self.data / 'backups' / record['id']
        return [folder / part['name'] for part in record['parts']]

    def state(self):
        """The state of the unfinished backup; None if there is none."""
        for path in self.data.glob('jobs/*/state.json'):
            return json.loads(path.read_text())
        return None

    def limits(self):
        """What was learnt of the host."""
        return json.loads((self.data / 'limits.json').read_text())

    # -- the FastCGI program -----------------------------------------------

    def start(self, *args, env=(), address=None, may_die=False, wrap=()):
        """Start the server and wait until it listens; with may_die, or
        until it is dead.  wrap: a command that becomes the one after it."""
        self.address = address or self.address
        self.process = subprocess.Popen(
            [*wrap, binary('FCGI'), '--config', str(self.conf), '--listen',
             self.address, *args],
            env={**os.environ, **dict(env)}, stderr=subprocess.PIPE)
        for _ in range(1000):
            try:
                fastcgi.connect(self.address).close()
                return self
            except OSError:
                if self.process.poll() is not None:
                    if may_die:
                        return self
                    raise AssertionError(
                        self.process.stderr.read().decode()) from None
                time.sleep(0.005)
        raise AssertionError('the server does not listen')

    def stop(self, sig=signal.SIGTERM):
        """End the server; returns what it wrote to standard error."""
        if self.process is None:
            return ''
        self.process.send_signal(sig)
        _, errors = self.process.communicate(timeout=30)
        self.returncode = self.process.returncode
        self.process = None
        return errors.decode('utf-8', 'replace')

    def companions(self):
        """The process IDs of the companions of its data directory."""
        found = []
        for entry in os.listdir('/proc'):
            with contextlib.suppress(OSError):
                if entry.isdigit() and self._is_companion(entry):
                    found.append(int(entry))
        return found

    def _is_companion(self, pid):
        words = pathlib.Path(f'/proc/{pid}/cmdline').read_bytes()
        words = words.split(b'\0')
        # A host knows its configuration by another name.
        return any(word.strip(b'-') == b'companion' for word in words) and any(
            word.startswith(b'/') and os.path.exists(word) and
            os.path.samefile(word, self.conf) for word in words)

    def companion(self):
        """The process ID of the only companion; None if there is none."""
        found = self.companions()
        assert len(found) <= 1, found
        return found[0] if found else None

    def kill_companion(self, sig=signal.SIGKILL):
        """Signal it; whether there was one."""
        found = self.companions()
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sig)
        return bool(found)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None
        self.kill_companion()

    def url(self, path='/stepvault/backup', **params):
        params = {'key': SECRET, **params}
        query = urllib.parse.urlencode(
            {k: v for k, v in params.items() if v is not None})
        return f'{path}?{query}' if query else path

    def get(self, url=None, **kwargs):
        return fastcgi.request(self.address, url or self.url(), **kwargs)

    def chain(self, url=None, **kwargs):
        """Follow the redirect chain to its end."""
        return fastcgi.follow(self.address, url or self.url(), **kwargs)
