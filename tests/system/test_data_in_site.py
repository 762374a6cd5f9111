# SPDX-License-Identifier: MIT
"""A data directory within the site, where the administrator says so: it is
never backed up, and Apache does not serve it."""
import os
import subprocess

import pytest

import servers
import trees

RULE = 'Require all denied\n'


def test_refused_unless_told(make_vault, site, tmp_path):
    """By the command line and by the server, through symlinks too."""
    vault = make_vault(site)
    os.symlink(site, tmp_path / 'another-way')
    for data in (f'{site}/d0', f'{site}/private', tmp_path / 'another-way/x'):
        vault.data = data
        vault.configure()
        for result in (
                vault.cli('run', check=False),
                subprocess.run([os.environ['STEPVAULT_FCGI'], '--config',
                                vault.conf, '--listen', vault.address],
                               stderr=subprocess.PIPE, text=True,
                               timeout=60, check=False)):
            assert result.returncode == 2
            assert 'lies inside' in result.stderr
    assert not os.path.exists(f'{site}/private')


def test_never_backed_up(make_vault, site, tmp_path):
    before = trees.describe(site)[0]
    vault = make_vault(site)
    vault.data = tmp_path / 'site/d1/private'
    vault.configure(server='data_in_site = yes')
    vault.start()
    for _ in range(2):
        answer = vault.chain(vault.url(fresh=1), extra={
            'DOCUMENT_ROOT': site})
        assert answer.text.startswith('200 OK\n')
    assert (vault.data / '.htaccess').read_text() == RULE
    target = trees.unpack(vault.parts(), str(tmp_path / 'unpacked'))
    after = trees.describe(f'{target}/files')[0]
    # But for the times of the folder that it is in.
    assert set(after) == set(before)
    assert 'is the data directory; left out' in vault.log()


def test_the_rule_is_left_as_it_is(make_vault, site, tmp_path):
    vault = make_vault(site)
    vault.data = tmp_path / 'site/private'
    vault.data.mkdir(mode=0o700)
    (vault.data / '.htaccess').write_text('Require ip 192.0.2.1\n')
    vault.configure(server='data_in_site = yes')
    vault.cli('run')
    assert (vault.data / '.htaccess').read_text() == 'Require ip 192.0.2.1\n'


def test_there_is_no_rule_elsewhere(make_vault, site):
    vault = make_vault(site)
    vault.cli('run')
    assert not (vault.data / '.htaccess').exists()


@pytest.fixture
def host():
    with servers.Host(slow='read:5000') as host:
        vault = host.vault
        vault.data = host.folder / 'www/private'
        vault.site = str(host.folder / 'www')
        vault.configure(server='data_in_site = yes')
        yield host


def paths_below(folder):
    for where, _, names in os.walk(folder):
        for name in names:
            yield os.path.relpath(os.path.join(where, name), folder)


def test_apache_does_not_serve_it(host):
    """As the user whose it is, and who can read it all."""
    data = host.folder / 'www/private'
    server = host.serve(servers.ApacheProxy)
    assert server.follow().text.startswith('200 OK\n')
    paths = list(paths_below(data))
    assert any('.tar.zst' in path for path in paths)
    for path in [*paths, '', 'backups/']:
        answer = server.get(f'/private/{path}')
        assert answer.status == 403, path
    # It is the rule that does it: who takes it away gives all away.
    (data / '.htaccess').unlink()
    assert server.get('/private/key').status == 200
