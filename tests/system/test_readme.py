# SPDX-License-Identifier: MIT
"""The README says what the programs say and do."""
import json
import os
import re
import subprocess

import servers
import trees
from vault import SECRET, Vault, binary

SOURCE = servers.shipped('.').resolve().parent
README = (SOURCE / 'README.md').read_text()


def block(start, end):
    return README.split(start, 1)[1].split(end, 1)[0]


def output(*command):
    return subprocess.run([binary('CLI'), *command], text=True, timeout=60,
                          stdout=subprocess.PIPE, check=True).stdout


def test_configuration_reference():
    said = block('<!-- stepvault config reference -->\n', '<!-- end -->')
    assert said == output('config', 'reference')


def test_exit_statuses():
    table = re.findall(r'(?m)^\| (\d) \| (.+) \|$', README)
    printed = re.findall(r'(?m)^  (\d)  (.+)$', output('--help'))
    assert [(code, text.replace('`', "'")) for code, text in table] == printed


def test_files_it_names():
    for name in re.findall(r'\b(?:conf|tests)/[\w./-]*\w', README):
        assert (SOURCE / name).exists(), name


def restore_commands():
    """The commands under 'To restore everything', as in a script."""
    return block('To restore everything, as root:\n\n```\n', '```')


def test_restore_as_it_says(tmp_path, site):
    # Not of those that tar restores by itself.
    os.setxattr(f'{site}/hard', 'trusted.stepvault', b'of root')
    vault = Vault(tmp_path / 'vault', site)
    vault.cli('run')
    archive, = vault.parts()
    script = restore_commands().replace('/tmp/restored',
                                        str(tmp_path / 'restored'))
    script = script.replace('ARCHIVE.tar.zst', str(archive))
    script = re.sub(r'(?m)^rsync .*\n', '', script)
    subprocess.run(['bash', '-ec', script], check=True, timeout=60)
    assert trees.describe(tmp_path / 'restored/files') == \
        trees.describe(site)


def test_parts_as_it_says(tmp_path, site):
    """More than a thousand, so that their order is not that of letters."""
    trees.write(f'{site}/large', os.urandom(66 << 20))
    vault = Vault(tmp_path / 'vault', site,
                  profile='part_size = 64K\ncompress = none')
    vault.cli('run')
    first = str(vault.parts()[0])
    assert first.endswith('.tar.001') and len(vault.parts()) > 1000
    command = re.search(r'(?m)^ls -v ARCHIVE.*$', README)[0]
    command = command.replace('ARCHIVE.tar.zst', first[:-4])
    (tmp_path / 'restored').mkdir()
    subprocess.run(
        ['bash', '-ec', command.replace('--zstd', '')],
        cwd=tmp_path / 'restored', check=True, timeout=60)
    assert trees.describe(tmp_path / 'restored/files') == \
        trees.describe(site)


def test_database_as_it_says(tmp_path, site, server):
    """A user with the privileges that it names, and the two commands."""
    server.create('shop')
    server.sql('CREATE TABLE t (id INT PRIMARY KEY, b BLOB); '
               "INSERT INTO t VALUES (1, X'00'), (2, 'a\\r\\nb'); "
               'CREATE VIEW v AS SELECT * FROM t; '
               'CREATE FUNCTION f() RETURNS INT RETURN 1', 'shop')
    server.sql('CREATE USER backup@localhost;' + '\n'.join(
        re.findall('(?m)^GRANT .*;$', README)))
    vault = Vault(tmp_path / 'vault', site, profile='database = ' +
                  server.url('shop', 'backup'))
    probe, = json.loads(vault.cli('profile', 'test', '--json').stdout)
    assert probe['lacking'] == probe['notes'] == []
    vault.cli('run')
    record = vault.record()
    assert record['database_list'][0]['consistency'] == 'snapshot'
    assert record['warnings'] == 0
    archive, = vault.parts()
    subprocess.run(['tar', '--zstd', '-xf', archive, '-C', tmp_path,
                    'databases'], check=True)
    script = block('under whatever name:\n\n```\n', '```')
    script = re.sub(r'\bmariadb\b', f'mariadb --no-defaults --socket='
                    f'{server.socket} --user=root', script)
    script = script.replace('DATABASE shop', 'DATABASE restored')
    script = script.replace('--binary-mode shop', '--binary-mode restored')
    subprocess.run(['bash', '-ec', script], cwd=tmp_path, check=True,
                   timeout=60)
    assert server.dump('restored') == server.dump('shop')


def test_calls_as_it_says(tmp_path):
    """Each curl and wget of the README, at a real web server."""
    commands = re.findall(r"(?m)^((?:curl|wget) .*)$",
                          block('## Call it', '## The command line'))
    assert len(commands) == 3
    for command in commands:
        with servers.Host() as host:
            server = host.serve(servers.Nginx)
            header = host.folder / 'header'
            header.write_text(f'Authorization: Bearer {SECRET}\n')
            command = command.replace('https://example.org',
                                      f'http://127.0.0.1:{server.port}')
            command = command.replace('key=SECRET', f'key={SECRET}')
            command = command.replace('"$HOME/.stepvault"', str(header))
            result = subprocess.run(['bash', '-c', command], timeout=120,
                                    stdout=subprocess.PIPE, check=True)
            assert result.stdout.startswith(b'200 OK'), command
            host.assert_archive()
