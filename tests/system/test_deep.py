# SPDX-License-Identifier: MIT
"""Trees deeper than any path that a system call takes."""
import os
import subprocess

import trees


def chain_of_folders(site, names):
    """Folders in folders, deeper than any path, with a file in the last and
    one in the middle."""
    os.makedirs(site)
    fd = os.open(site, os.O_RDONLY | os.O_DIRECTORY)
    for depth, name in enumerate(names):
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = below
        if depth in (len(names) // 2, len(names) - 1):
            file = os.open('leaf', os.O_WRONLY | os.O_CREAT, dir_fd=fd)
            os.write(file, b'at %d' % depth)
            os.close(file)
    os.close(fd)


def check_chain(root, names):
    """What chain_of_folders made is below root, without using a path."""
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for depth, name in enumerate(names):
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = below
        expected = {names[depth + 1]} if depth + 1 < len(names) else set()
        if depth in (len(names) // 2, len(names) - 1):
            expected.add('leaf')
            file = os.open('leaf', os.O_RDONLY, dir_fd=fd)
            assert os.read(file, 100) == b'at %d' % depth
            os.close(file)
        assert set(os.listdir(fd)) == expected
    os.close(fd)


def unpack_deep(parts, target):
    """GNU tar cannot make such paths, and bsdtar not set their owners."""
    target.mkdir()
    cat = subprocess.Popen(['cat', *parts], stdout=subprocess.PIPE)
    subprocess.run(['bsdtar', '-xof', '-', '--no-same-permissions', '-C',
                    target], stdin=cat.stdout, check=True)
    cat.stdout.close()
    cat.wait()


def check_deep(make_vault, tmp_path, names, **kwargs):
    """Back up and unpack; the vault."""
    site = tmp_path / 'site'
    chain_of_folders(site, names)
    vault = make_vault(site, **kwargs).start()
    assert vault.chain().text.startswith('200 OK\n')
    record = vault.record()
    assert record['folders'] == len(names) + 1
    assert (record['files'], record['warnings']) == (2, 0)
    unpack_deep(vault.parts(record), tmp_path / 'out')
    check_chain(tmp_path / 'out/files', names)
    sums = (tmp_path / 'out/stepvault/SHA256SUMS').read_text()
    assert len(sums.splitlines()) == 2
    # shutil and pytest cannot remove what is that deep.
    subprocess.run(['rm', '-rf', tmp_path / 'out'], check=True)
    return vault


def test_long_paths(make_vault, tmp_path):
    """Paths of more than 4,096 bytes, which no system call takes."""
    site = tmp_path / 'site'
    vault = check_deep(make_vault, tmp_path,
                       [f'{i:0200}' for i in range(30)])
    own = tmp_path / 'own.tar'
    subprocess.run(['bsdtar', '--format=pax', '-cf', own, '-C', site, '.'],
                   check=True)
    expected = sorted(line.replace(b'./', b'files/', 1)
                      for line in trees.listing([own]))
    found = [line for line in trees.listing(vault.parts())
             if line.startswith(b'files/')]
    assert sorted(found) == expected
    subprocess.run(['rm', '-rf', site], check=True)


def test_a_thousand_levels(make_vault, tmp_path):
    """A thousand levels with names of 255 bytes, in steps."""
    names = [f'{i:04}' + 'n' * 251 for i in range(1000)]
    check_deep(make_vault, tmp_path, names, step='max = 2s')
    subprocess.run(['rm', '-rf', tmp_path / 'site'], check=True)
