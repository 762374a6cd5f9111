# SPDX-License-Identifier: MIT
"""The files of conf/ that are for no web server."""
import configparser
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

import fastcgi
import servers
from vault import SECRET, binary

SAMPLE = servers.shipped('stepvault.conf.example').read_text()

# A key in a comment: an example, or a default.
OFFERED = re.findall(r'(?m)^#(\w+ = .*)$', SAMPLE)


def check_sample(tmp_path, text):
    """Have 'config check' judge it, once all its paths exist."""
    text = re.sub(r'/(?=(etc|srv|usr|var)/)', f'{tmp_path}/', text)
    for path in re.findall(rf'{tmp_path}/\S+', text):
        if os.path.basename(path) in ('secret', 'password'):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'w', encoding='ascii',
                      opener=lambda path, flags: os.open(
                          path, flags, 0o600)) as file:
                file.write(SECRET + '\n')
        else:
            os.makedirs(path, exist_ok=True)
    os.chmod(tmp_path / 'var/lib/stepvault', 0o700)
    (tmp_path / 'var/www/html/wp-config.php').write_text(
        "<?php define('DB_NAME', 'blog');\n")
    conf = tmp_path / 'stepvault.conf'
    conf.write_text(text)
    conf.chmod(0o600)
    result = subprocess.run(
        [binary('CLI'), '--config', conf, 'config', 'check'],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert 'is right: 1 profile' in result.stdout
    assert 'disabled' not in result.stdout


def test_sample(tmp_path):
    check_sample(tmp_path, SAMPLE)


@pytest.mark.parametrize('line', OFFERED)
def test_sample_with(tmp_path, line):
    text = SAMPLE.replace(f'\n#{line}\n', f'\n{line}\n')
    assert text != SAMPLE
    if line.startswith('secret'):
        text = re.sub(r'(?m)^secret_hash = .*\n', '', text)
    check_sample(tmp_path, text)


# -- systemd ------------------------------------------------------------------


def unit(name):
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read(servers.shipped(name))
    return parser


@pytest.fixture
def host():
    with servers.Host() as host:
        yield host


def test_units_are_units(host):
    """As far as systemd can tell without running them."""
    names = ('stepvault.service', 'stepvault.socket',
             'stepvault-companion.service')
    install_command(host)
    for name in names:
        (host.folder / 'etc' / name).write_text(
            host.moved(servers.shipped(name).read_text()))
    result = subprocess.run(
        [servers.need('systemd-analyze'), 'verify',
         *(host.folder / 'etc' / name for name in names)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=60, check=False)
    assert (result.returncode, result.stdout) == (0, '')


def install_command(host):
    (host.folder / 'usr/local/bin').mkdir()
    shutil.copy(binary('CLI'), host.folder / 'usr/local/bin')


def as_systemd(service):
    """What systemd does to itself before it becomes the program."""
    if os.geteuid() != 0:
        return []
    caps = service['AmbientCapabilities'].lower().replace('cap_', '+')
    assert service['CapabilityBoundingSet'].lower().replace(
        'cap_', '+') == caps
    return [servers.need('setpriv'), '--reuid=www-data', '--regid=www-data',
            '--clear-groups', f'--inh-caps=-all,{caps}',
            f'--ambient-caps=-all,{caps}', f'--bounding-set=-all,{caps}',
            '--no-new-privs']


@contextlib.contextmanager
def activated(host, listener):
    """The service, when its socket has a first connection."""
    service = unit('stepvault.service')['Service']
    assert service['StandardInput'] == 'socket'
    process = subprocess.Popen(
        as_systemd(service) + host.moved(service['ExecStart']).split(),
        stdin=listener, umask=int(service['UMask'], 8))
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def test_service_behind_its_socket(host):
    """It reads a site that is another's, and its socket outlives it."""
    if os.geteuid() == 0:
        subprocess.run(['chown', '-Rh', 'root:root', host.site], check=True)
    os.chmod(host.site, 0o700)
    path = host.moved(unit('stepvault.socket')['Socket']['ListenStream'])
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        address = f'unix:{path}'
        with activated(host, listener):
            first = fastcgi.request(address, host.vault.url())
        assert first.status == 302, first.text
        with activated(host, listener):
            answer = fastcgi.follow(address, host.vault.url())
    assert answer.text.startswith('200 OK\n')
    host.assert_archive()


def test_companion_service(host):
    """It runs as that user, and ends as systemd expects it to."""
    install_command(host)
    service = unit('stepvault-companion.service')['Service']
    process = subprocess.Popen(
        as_systemd(service) + host.moved(service['ExecStart']).split(),
        stdin=subprocess.DEVNULL, umask=int(service['UMask'], 8))
    try:
        found = servers.wait_for(
            (host.vault.data / 'companion.sock').exists, 'socket')
        assert found and process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def test_spawn_fcgi(host):
    path = host.folder / 'run/stepvault/fcgi.sock'
    process = subprocess.Popen(
        [servers.need('spawn-fcgi'), '-n', '-s', path, '-M', '0660', '--',
         host.folder / 'usr/local/libexec/stepvault.fcgi'],
        env={**os.environ, 'STEPVAULT_CONFIG': str(host.vault.conf)})
    try:
        servers.wait_for(path.exists, 'socket')
        answer = fastcgi.follow(f'unix:{path}', host.vault.url())
        assert answer.text.startswith('200 OK\n')
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    host.assert_archive()
