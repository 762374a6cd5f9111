# SPDX-License-Identifier: MIT
"""A host: a site and a Stepvault behind a web server with a file of conf/."""
import contextlib
import http.client
import os
import pathlib
import random
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

import faults
import trees
from vault import SECRET, Vault, binary

BEARER = {'Authorization': f'Bearer {SECRET}'}
FORM = {'Content-Type': 'application/x-www-form-urlencoded'}


def need(program):
    """The path of a program that the tests cannot do without."""
    path = shutil.which(program, path=os.environ['PATH'] + ':/usr/sbin:/sbin')
    assert path, f'{program} is not installed'
    return path


def shipped(name):
    """The path of a file of conf/."""
    source = os.environ.get('STEPVAULT_SOURCE')
    assert source, 'STEPVAULT_SOURCE is not set; run the tests with ctest'
    return pathlib.Path(source) / 'conf' / name


def wait_for(condition, what, seconds=60):
    """What condition gives as soon as that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.002)
    raise AssertionError(f'no {what} within {seconds} s')


def other_user():
    """Where root runs the tests the host is another's, as in real life."""
    if os.geteuid() != 0:
        return {}
    return {'user': 'www-data', 'group': 'www-data', 'extra_groups': []}


def free_port():
    """A port that nobody uses, and that the kernel gives to no client."""
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as sock:
            with contextlib.suppress(OSError):
                sock.bind(('127.0.0.1', port))
                return port


class Host:
    """A small root file system: its folder has what the files of conf/ look
    for in /etc, /run, /usr/local and /var/log."""

    def __init__(self, make_site=trees.make_site, slow=None, slow_data=None,
                 logged=False, **settings):
        """slow, slow_data: how slow the site is, or the data directory, such
        as 'read:5000'; logged: changes() can tell what the program did to its
        data; settings: see Vault."""
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='stepvault-'))
        self.stack = contextlib.ExitStack()
        self.stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        try:
            self.furnish(make_site, settings)
            self.env = self.environment(slow, slow_data, logged)
            self.install()
            self.hand_over()
        except BaseException:
            self.stack.close()
            raise

    def furnish(self, make_site, settings):
        self.folder.chmod(0o755)
        for name in ('etc/stepvault', 'run/stepvault', 'run/lighttpd',
                     'usr/local/libexec', 'var/log', 'tmp', 'www'):
            (self.folder / name).mkdir(parents=True)
        self.site = make_site(self.folder / 'site')
        settings.setdefault('step', 'max = 50ms')
        self.vault = self.stack.enter_context(
            Vault(self.folder / 'vault', self.site, **settings))
        self.vault.address = f'unix:{self.folder}/run/stepvault/fcgi.sock'
        (self.folder / 'etc/stepvault/stepvault.conf').symlink_to(
            self.vault.conf)
        self.mark = secrets.token_hex(16)
        (self.folder / 'www/ready').write_text(self.mark)

    def environment(self, slow, slow_data, logged):
        if slow:
            return faults.environment(self.site, delay=slow)
        if slow_data:
            return faults.environment(self.vault.data, delay=slow_data)
        if logged:
            return faults.environment(self.vault.data, log=self.changelog)
        return {}

    def hand_over(self):
        if other_user():
            subprocess.run(['chown', '-Rh', 'www-data:www-data',
                            self.folder], check=True)

    def install(self):
        installed = self.folder / 'usr/local/libexec/stepvault.fcgi'
        # Not as *.fcgi: by its name processes are found.
        self.program = self.folder / 'usr/local/program'
        shutil.copy(binary('FCGI'), self.program)
        settings = ' '.join(f'{name}={shlex.quote(value)}'
                            for name, value in self.env.items())
        # The server's user may not reach into the folder of the build.
        library = shutil.copy(binary('FAULTFS'), self.folder / 'usr/local')
        settings = settings.replace(binary('FAULTFS'), str(library))
        installed.write_text(
            f'#!/bin/sh\n{settings} exec {self.program} "$@"\n')
        installed.chmod(0o755)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def moved(self, text):
        """A text with the paths of this host."""
        return re.sub(r'(?<![\w.])/(?=(etc|run|usr/local|var/log)/)',
                      f'{self.folder}/', text)

    def serve(self, kind):
        """Start a web server of this kind."""
        return self.stack.enter_context(kind(self))

    def processes(self):
        """The process IDs of the program's installed copy, without its
        companion, which is no web server's."""
        found = []
        for entry in os.listdir('/proc'):
            with contextlib.suppress(OSError):
                if entry.isdigit() and os.readlink(
                        f'/proc/{entry}/exe') == str(self.program):
                    found.append(int(entry))
        return sorted(set(found) - set(self.vault.companions()))

    @property
    def changelog(self):
        return self.folder / 'tmp/changes'

    def changes(self):
        """What the program changed: (what, path, offset, data) of each."""
        log = self.changelog.read_bytes()
        at = 0
        while at < len(log):
            end = log.index(b'\n', at)
            what, _, offset, size, _, path = log[at:end].split(b' ', 5)
            at = end + 1 + (int(size) if what == b'write' else 0)
            yield (what.decode(), os.fsdecode(path), int(offset),
                   log[end + 1:at])

    def step_runs(self):
        """A step is running at this moment, and has said so."""
        for mark in (self.vault.data / 'jobs').glob('*/intent'):
            with contextlib.suppress(FileNotFoundError):
                return mark.stat().st_size > 0
        return False

    def assert_archive(self, status='complete'):
        """The backup is there, once, and right."""
        records = self.vault.records()
        assert [record['status'] for record in records] == [status]
        record = self.vault.record()
        trees.assert_same(self.site, self.vault.parts(record),
                          self.folder / 'tmp')
        return record


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode('utf-8', 'replace')
        self.location = self.headers.get('Location')


class Server:
    """A web server in the foreground, on a port of 127.0.0.1."""
    path = '/stepvault/backup'
    starts_program = True

    def __init__(self, host):
        self.host = host
        self.folder = host.folder
        self.process = None
        self.requests = 0

    # Each kind says how.

    def write(self):
        """Write the configuration for self.port; the command line."""
        raise NotImplementedError

    def install(self, name):
        """A file of conf/ with this host's paths; where it is."""
        target = self.folder / 'etc' / name
        target.write_text(self.host.moved(shipped(name).read_text()))
        return target

    # Life.

    def __enter__(self):
        try:
            if not self.starts_program:
                self.host.vault.start(env=self.host.env)
            for _ in range(10):
                self.port = free_port()
                self.start()
                if self.is_ready():
                    return self
                self.stop()
            raise AssertionError(self.errors())
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def start(self):
        command = self.write()
        with open(self.folder / 'tmp/output', 'ab') as output:
            self.process = subprocess.Popen(
                [need(command[0]), *map(str, command[1:])], cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, **other_user())

    def is_ready(self):
        """True when it answers, False when it has ended: the port may have
        been taken meanwhile."""
        def look():
            if self.process.poll() is not None:
                return 'ended'
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.get('/ready').text == self.host.mark:
                    return 'ready'
            return None

        state = wait_for(look, 'web server')
        self.requests = 0
        return state == 'ready'

    def stop(self):
        """End it, with all that it started."""
        process, self.process = self.process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        for pid in self.host.processes() if self.starts_program else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def errors(self):
        """All that is in its logs."""
        files = [self.folder / 'tmp/output',
                 *(self.folder / 'var/log').rglob('*')]
        return '\n'.join(file.read_text() for file in files
                         if file.is_file())

    def restart_program(self, sig):
        """Signal stepvault.fcgi, and see that there will be another."""
        if not self.starts_program:
            self.host.vault.stop(sig)
            self.host.vault.start(env=self.host.env)
            return
        for pid in self.host.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sig)

    # Requests.

    def url(self, **params):
        """The whole secret URL."""
        return (f'http://127.0.0.1:{self.port}' +
                self.host.vault.url(self.path, **params))

    def get(self, path=None, method='GET', headers=(), body=None):
        path = path or self.host.vault.url(self.path)
        connection = http.client.HTTPConnection(
            '127.0.0.1', self.port, timeout=120)
        with contextlib.closing(connection):
            self.requests += 1
            connection.request(method, path, body, dict(headers))
            return Answer(connection.getresponse())

    def follow(self, path=None, patience=0, visit=None):
        """Follow redirects to the end: the last answer.  visit(answer) is
        called for each.  patience: how often what a server says while its
        program is away is tried again."""
        path = path or self.host.vault.url(self.path)
        for _ in range(10000):
            try:
                answer = self.get(path)
            except (http.client.HTTPException, ConnectionError):
                answer = None
            if answer is None or answer.status in (500, 502, 503, 504):
                if patience > 0:
                    patience -= 1
                    time.sleep(0.05)
                    continue
                assert answer is not None, 'the connection was cut'
            if visit is not None:
                visit(answer)
            if answer.status not in (302, 303):
                return answer
            path = urllib.parse.urljoin(path, answer.location)
        raise AssertionError('no end after 10000 redirects')

    def begin(self, path=None, version='1.1'):
        """A request that was sent, and its socket to read the answer from."""
        path = path or self.host.vault.url(self.path)
        headers = {'1.0': '', '1.1': 'Host: 127.0.0.1\r\n'
                                     'Connection: close\r\n'}[version]
        sock = socket.create_connection(('127.0.0.1', self.port), 120)
        self.requests += 1
        sock.sendall(f'GET {path} HTTP/{version}\r\n{headers}\r\n'.encode())
        return sock


def read_to_end(sock):
    """What an HTTP/1.0 client gets: all until the server closes."""
    data = b''
    with sock:
        while piece := sock.recv(65536):
            data += piece
    return data


# -- the kinds ----------------------------------------------------------------


class Nginx(Server):
    starts_program = False

    def write(self):
        log = self.folder / 'var/log/nginx'
        log.mkdir(exist_ok=True)
        if other_user():
            shutil.chown(log, 'www-data', 'www-data')
        paths = ''.join(
            f'{name}_temp_path {self.folder}/tmp/{name};\n' for name in
            ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        conf = self.folder / 'etc/nginx.main'
        conf.write_text(f'''
            daemon off;
            worker_processes 1;
            pid {self.folder}/run/nginx.pid;
            error_log {log}/error.log;
            events {{ }}
            http {{
                {paths}
                access_log {log}/access.log;
                include {self.install('nginx-log.conf')};
                server {{
                    listen 127.0.0.1:{self.port};
                    root {self.folder}/www;
                    # As for WordPress.
                    location / {{ try_files $uri $uri/ /index.php?$args; }}
                    location ~ \\.php$ {{ return 500; }}
                    include {self.install('nginx.conf')};
                }}
            }}
            ''')
        return ['nginx', '-e', 'stderr', '-c', conf]


class Lighttpd(Server):
    conf = 'lighttpd.conf'

    def write(self):
        log = self.folder / 'var/log'
        conf = self.folder / 'etc/lighttpd.main'
        conf.write_text(f'''
            server.bind = "127.0.0.1"
            server.port = {self.port}
            server.document-root = "{self.folder}/www"
            server.upload-dirs = ( "{self.folder}/tmp" )
            server.errorlog = "{log}/error.log"
            server.modules = ( "mod_indexfile", "mod_access", "mod_alias" )
            accesslog.filename = "{log}/access.log"
            include "{self.install(self.conf)}"
            ''')
        return ['lighttpd', '-D', '-f', conf]


class LighttpdCgi(Lighttpd):
    conf = 'lighttpd-cgi.conf'


class Apache(Server):
    modules = ('mpm_event', 'authz_core', 'alias', 'setenvif', 'headers',
               'rewrite')
    more = ''

    def write(self):
        log = self.folder / 'var/log/apache2'
        log.mkdir(exist_ok=True)
        if other_user():
            shutil.chown(log, 'www-data', 'www-data')
        modules = '\n'.join(
            f'LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so'
            for name in self.modules)
        # As WordPress writes it.
        (self.folder / 'www/.htaccess').write_text(
            'RewriteEngine On\nRewriteBase /\n'
            'RewriteCond %{REQUEST_FILENAME} !-f\n'
            'RewriteRule . /index.php [L]\n')
        conf = self.folder / 'etc/apache.main'
        conf.write_text(f'''
            {modules}
            ServerRoot {self.folder}
            ServerName localhost
            DefaultRuntimeDir {self.folder}/run
            PidFile {self.folder}/run/apache2.pid
            Listen 127.0.0.1:{self.port}
            ErrorLog {log}/error.log
            StartServers 1
            {self.more}
            <Directory />
                AllowOverride None
                Require all denied
            </Directory>
            <VirtualHost *:*>
                DocumentRoot {self.folder}/www
                <Directory {self.folder}/www>
                    AllowOverride All
                    Require all granted
                </Directory>
                LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\
                    \\"%{{User-Agent}}i\\"" combined
                Include {self.install(self.conf)}
                CustomLog {log}/access.log combined env=!stepvault
            </VirtualHost>
            ''')
        return ['apache2', '-f', conf, '-DFOREGROUND']


class ApacheProxy(Apache):
    conf = 'apache-proxy.conf'
    modules = (*Apache.modules, 'proxy', 'proxy_fcgi')
    starts_program = False


class ApacheFcgid(Apache):
    conf = 'apache-fcgid.conf'
    modules = (*Apache.modules, 'fcgid')

    @property
    def more(self):
        return (f'FcgidIPCDir {self.folder}/run\n'
                f'FcgidProcessTableFile {self.folder}/run/fcgid')


KINDS = [Nginx, Lighttpd, LighttpdCgi, ApacheProxy, ApacheFcgid]
