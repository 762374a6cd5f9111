# SPDX-License-Identifier: MIT
"""What can be in a site: each kind of entry, with all that belongs to it, is
in the archive as two tars see it, and what cannot be is named.

What only root can make (devices, other owners, capabilities) is in the sites
where root runs the tests."""
import json
import os
import socket
import subprocess

import trees


def is_root():
    return os.geteuid() == 0


def back_up(make_vault, site, tmp_path, **kwargs):
    """A complete backup that equals its site: the vault and the record."""
    vault = make_vault(site, **kwargs)
    vault.cli('run')
    record = vault.record()
    assert record['status'] == 'complete'
    trees.assert_same(site, vault.parts(record), tmp_path)
    return vault, record


def manifest(parts, tmp_path):
    """The archive's own list: {path: line}."""
    target = trees.unpack(parts, str(tmp_path / 'for-manifest'))
    with open(f'{target}/stepvault/manifest.jsonl', 'rb') as file:
        lines = [json.loads(line) for line in file]
    return {line['path']: line for line in lines
            if isinstance(line['path'], str)}


# -- kinds --------------------------------------------------------------------


def test_special_files(make_vault, tmp_path):
    """FIFOs and devices are recorded, not opened: a backup that opened one
    for reading would hang.  Sockets are left out and noted."""
    site = tmp_path / 'site'
    trees.write(f'{site}/file', 'content')
    os.mkfifo(site / 'fifo', 0o620)
    os.link(site / 'fifo', site / 'same-fifo')
    if is_root():
        os.mknod(site / 'tty', 0o20660, os.makedev(4, 64))
        os.mknod(site / 'disk', 0o60640, os.makedev(250, 4097))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(site / 'socket'))
        vault, record = back_up(make_vault, site, tmp_path)
    assert record['specials'] == (3 if is_root() else 1)
    assert record['hardlinks'] == 1
    assert record['sockets'] == 1
    assert record['warnings'] == 0
    assert 'files/socket is a socket; left out' in vault.log()
    types = {path: line['type'] for path, line in
             manifest(vault.parts(), tmp_path).items()}
    assert 'fifo' in (types['files/fifo'], types['files/same-fifo'])
    if is_root():
        assert types['files/tty'] == 'character device'
        assert types['files/disk'] == 'block device'


def test_hard_links(make_vault, tmp_path):
    """Names of one file in many folders, symlinks with several names, files
    with thousands of names and thousands with two."""
    site = tmp_path / 'site'
    trees.write(f'{site}/a/b/first', 'shared')
    for folder in ('a', 'c/d', 'e'):
        os.makedirs(site / folder, exist_ok=True)
        os.link(site / 'a/b/first', site / folder / 'other')
    os.symlink('nowhere', site / 'link')
    os.link(site / 'link', site / 'e/link', follow_symlinks=False)
    trees.write(f'{site}/many/0', 'many names')
    for i in range(1, 3000):
        os.link(site / 'many/0', site / f'many/{i}')
    os.makedirs(site / 'pairs')
    for i in range(2000):
        trees.write(f'{site}/a/{i}', str(i))
        os.link(site / f'a/{i}', site / f'pairs/{i}')
    _, record = back_up(make_vault, site, tmp_path)
    assert record['hardlinks'] == 3 + 1 + 2999 + 2000
    assert record['files'] == 1 + 1 + 2000


def test_hard_link_to_the_outside(make_vault, tmp_path):
    """A file's other names may be elsewhere: it is then a plain file."""
    site = tmp_path / 'site'
    trees.write(f'{site}/inside', 'content')
    os.link(site / 'inside', tmp_path / 'outside')
    vault = make_vault(site)
    vault.cli('run')
    assert vault.record()['hardlinks'] == 0
    target = trees.unpack(vault.parts(), str(tmp_path / 'out'))
    with open(f'{target}/files/inside', encoding='utf-8') as file:
        assert file.read() == 'content'


def test_names(make_vault, tmp_path):
    """Any byte but NUL and slash, and the longest names."""
    site = os.fsencode(tmp_path / 'site')
    os.makedirs(site)
    every = bytes(set(range(1, 256)) - {ord('/')})
    names = [every[:127], every[127:], b'\n', b' ', b'-rf', b'...', b'\\',
             b'\\n', b'a\nb\\c\td', b'\xff' * 255, b'n' * 255, b'*', b'"',
             'ünï'.encode(), b'\xed\xa0\x80', b'.x',
             b'\x1b[31mred']
    for i, name in enumerate(names):
        trees.write(os.path.join(site, b'f', name).decode(
            'utf-8', 'surrogateescape'), str(i))
        os.makedirs(os.path.join(site, b'd', name))
        os.symlink(name, os.path.join(site, b'd', name, name))
    os.symlink(b't' * 4095, os.path.join(site, b'long-target'))
    vault, record = back_up(make_vault, os.fsdecode(site), tmp_path)
    assert record['files'] == len(names)
    # As text for terminals the names do nothing.
    assert '\x1b' not in vault.log() + vault.cli('show', 'latest').stdout


def test_empty_site(make_vault, tmp_path):
    (tmp_path / 'site').mkdir()
    vault = make_vault(tmp_path / 'site')
    vault.cli('run')
    assert (vault.record()['files'], vault.record()['folders']) == (0, 1)
    # sha256sum does not like an empty list.
    trees.assert_same(tmp_path / 'site', vault.parts(), tmp_path,
                      check_sums=False)


# -- metadata -----------------------------------------------------------------


def test_permissions_and_owners(make_vault, tmp_path):
    site = tmp_path / 'site'
    for i, mode in enumerate((0o4755, 0o2755, 0o1644, 0o7777, 0o400, 0o666,
                              0o6711)):
        trees.write(f'{site}/file-{i}', str(i))
        os.makedirs(site / f'folder-{i}')
        for kind in ('file', 'folder'):
            path = site / f'{kind}-{i}'
            if is_root():
                os.chown(path, 12345 + i, 54321 + i)
            os.chmod(path, mode | (0o700 if kind == 'folder' else 0o400))
    os.symlink('file-0', site / 'link')
    if is_root():
        trees.write(f'{site}/unreadable', 'by all but root', mode=0)
        trees.write(f'{site}/huge-id', 'beyond octal fields')
        os.chown(site / 'huge-id', 2**31 + 5, 2**32 - 9)
        os.chown(site / 'link', 33, 33, follow_symlinks=False)
    back_up(make_vault, site, tmp_path)


def test_times(make_vault, tmp_path):
    """Nanoseconds; before 1970, before 1901; beyond 2038 and 2242."""
    site = tmp_path / 'site'
    seconds = (0, -1, -2, 1, -10**9, -2**31, 2**31 - 1, 2**31, 2**32,
               8**11 - 1, 8**11, 15 * 10**9)
    for i, second in enumerate(seconds):
        # Before 1970 the two tars do not agree on what a fraction means.
        for nanosecond in (0, 1, 5 * 10**8, 999999999)[:4 if second >= 0
                                                       else 1]:
            trees.write(f'{site}/{i}-{nanosecond}', '',
                        mtime=second * 10**9 + nanosecond)
    os.symlink('x', site / 'link')
    os.utime(site / 'link', ns=(1, 123456789), follow_symlinks=False)
    os.mkfifo(site / 'fifo')
    os.utime(site / 'fifo', ns=(1, 10**18 + 987654321))
    os.utime(site, ns=(1, 1500000000_123456789))
    back_up(make_vault, site, tmp_path)


def test_fractions_before_1970(make_vault, tmp_path):
    """The whole second, for both tars."""
    site = tmp_path / 'site'
    trees.write(f'{site}/file', '', mtime=-5 * 10**8)
    vault = make_vault(site)
    vault.cli('run')
    for tool in ('tar', 'bsdtar'):
        target = trees.unpack(vault.parts(), str(tmp_path / tool), tool)
        assert os.stat(f'{target}/files/file').st_mtime_ns == -10**9


def test_decomposed_names(make_vault, tmp_path):
    """Names as macOS writes them stay as they are.  (bsdtar composes them
    when it unpacks, its own archives too.)"""
    site = tmp_path / 'site'
    trees.write(f'{site}/u\u0308', 'decomposed')
    trees.write(f'{site}/\u00fc', 'composed')
    vault = make_vault(site)
    vault.cli('run')
    trees.assert_same(site, vault.parts(), tmp_path, tools=('tar',))


def test_attributes_and_acls(make_vault, tmp_path):
    """Extended attributes, access and default ACLs, also of what cannot be
    opened for reading: they are in the archive, and nothing is a warning."""
    site = tmp_path / 'site'
    trees.write(f'{site}/file', 'content')
    os.makedirs(site / 'folder/below')
    os.mkfifo(site / 'fifo')
    os.symlink('file', site / 'link')
    for path in (site / 'file', site / 'folder'):
        os.setxattr(path, 'user.text', b'some text')
        os.setxattr(path, 'user.bytes', bytes(range(256)))
        os.setxattr(path, 'user.empty', b'')
    os.setxattr(site / 'file', 'user.long', b'0123456789' * 200)
    subprocess.run(['setfacl', '-m', 'u:33:rw,g:54321:r,m::rw', site / 'file',
                    site / 'fifo', site / 'folder/below'], check=True)
    subprocess.run(['setfacl', '-m', 'u:33:rwx,d:u:12345:rx,d:g::-,d:o::-',
                    site / 'folder'], check=True)
    if is_root():
        os.mknod(site / 'null', 0o20666, os.makedev(1, 3))
        subprocess.run(['setfacl', '-m', 'u:33:r', site / 'null'], check=True)
        trees.write(f'{site}/capable', 'x', mode=0o755)
        subprocess.run(['setcap', 'cap_net_raw+ep', site / 'capable'],
                       check=True)
        for path in ('file', 'link', 'fifo', 'null'):
            os.setxattr(site / path, 'trusted.note', b'root only',
                        follow_symlinks=False)
    _, record = back_up(make_vault, site, tmp_path)
    assert record['warnings'] == 0


# -- sizes --------------------------------------------------------------------


def test_sparse_files(make_vault, tmp_path):
    """The archive has zeros for holes, and the manifest says where."""
    site = tmp_path / 'site'
    os.makedirs(site)
    layouts = {'ends-in-hole': [(0, b'a' * 4096)],
               'only-hole': [],
               'islands': [(65536 * i, b'b' * 4096) for i in range(3, 9, 2)]}
    for name, islands in layouts.items():
        with open(site / name, 'wb') as file:
            file.truncate(1 << 20)
            for at, content in islands:
                file.seek(at)
                file.write(content)
    trees.write(f'{site}/dense', b'c' * 70000)
    vault, _ = back_up(make_vault, site, tmp_path)
    lines = manifest(vault.parts(), tmp_path)
    assert 'holes' not in lines['files/dense']
    for name, islands in layouts.items():
        filled = [False] * (1 << 20)
        for at, content in islands:
            filled[at:at + len(content)] = [True] * len(content)
        for at, length in lines[f'files/{name}']['holes']:
            assert length > 0 and at + length <= 1 << 20
            assert not any(filled[at:at + length])
            filled[at:at + length] = [True] * length
        # All that is no data was named a hole.
        assert all(filled), name


def test_large_folder(make_vault, tmp_path):
    """50,000 entries in one folder, read over many steps, once each."""
    folder = tmp_path / 'site/folder'
    os.makedirs(folder)
    for i in range(50000):
        os.close(os.open(folder / f'{i:x}', os.O_WRONLY | os.O_CREAT))
    vault = make_vault(tmp_path / 'site', step='max = 200ms').start()
    assert vault.chain().text.startswith('200 OK\n')
    assert vault.record()['files'] == 50000
    assert vault.record()['steps'] > 2
    found = [line for line in trees.listing(vault.parts())
             if line.startswith(b'files/folder/')]
    assert sorted(found) == sorted(
        [b'files/folder/'] + [b'files/folder/%x' % i for i in range(50000)])
