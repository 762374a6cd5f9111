# SPDX-License-Identifier: MIT
"""Trees of files: made, unpacked with standard tools, and compared."""
import hashlib
import os
import random
import shutil
import stat
import subprocess


def write(path, content, mode=0o644, mtime=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    os.chmod(path, mode)
    if mtime is not None:
        os.utime(path, ns=(mtime, mtime))


def make_site(root, seed=1, files=40, size=40000):
    """A site with a bit of everything that a normal user can make."""
    rand = random.Random(seed)
    root = str(root)
    for i in range(files):
        length = rand.randrange(size)
        content = (rand.randbytes(length) if i % 2 else
                   (b'<?php // %d\n' % i) * (length // 12))
        write(f'{root}/d{i % 5}/e{i % 3}/file-{i}.php', content,
              mode=rand.choice([0o644, 0o600, 0o755]),
              mtime=1700000000_000000000 + rand.randrange(10**16))
    write(f'{root}/empty', b'')
    write(f'{root}/new\nline', b'x')
    write(f'{root}/back\\slash', b'y')
    write(os.fsencode(root) + b'/not-utf8-\xff\xfe', b'z')
    write(f'{root}/ünïcode/näme', b'u')
    os.makedirs(f'{root}/empty-folder')
    os.symlink('d0/e0/file-0.php', f'{root}/link')
    os.symlink('/nowhere', f'{root}/dangling')
    os.link(f'{root}/d0/e0/file-0.php', f'{root}/hard')
    os.makedirs(f'{root}/d4', exist_ok=True)
    os.link(f'{root}/d1/e1/file-1.php', f'{root}/d4/hard-1')
    os.mkfifo(f'{root}/fifo')
    with open(f'{root}/sparse', 'wb') as file:
        file.truncate(300000)
        file.seek(200000)
        file.write(b'island')
    try:
        os.setxattr(f'{root}/d0/e0/file-0.php', 'user.stepvault', b'attr')
    except OSError:
        pass
    # Folders last: what is put into them changes their times.
    for folder, _, _ in os.walk(root):
        os.utime(folder, ns=(10**18, 16 * 10**17 + rand.randrange(10**9)))
    return root


def attributes(path):
    """Extended attributes, and with them ACLs and file capabilities."""
    return sorted(
        (name, os.getxattr(path, name, follow_symlinks=False))
        for name in os.listxattr(path, follow_symlinks=False)
        if not name.startswith('security.') or name == 'security.capability')


def describe(root):
    """{path: facts} of everything below root, as a backup must restore it."""
    facts = {}
    links = {}
    root = os.fsencode(root)
    for folder, folders, files in os.walk(root):
        for name in [b''] + folders + files:
            path = os.path.join(folder, name) if name else folder
            if path in facts:
                continue
            st = os.lstat(path)
            kind = stat.S_IFMT(st.st_mode)
            if kind == stat.S_IFSOCK:
                continue
            fact = [kind, stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid,
                    st.st_mtime_ns]
            if kind == stat.S_IFREG:
                with open(path, 'rb') as file:
                    fact.append(hashlib.sha256(file.read()).hexdigest())
                fact.append(st.st_size)
            elif kind == stat.S_IFLNK:
                fact.append(os.readlink(path))
            elif kind in (stat.S_IFCHR, stat.S_IFBLK):
                fact.append(st.st_rdev)
            fact.append(attributes(path))
            if kind != stat.S_IFDIR and st.st_nlink > 1:
                links.setdefault((st.st_dev, st.st_ino), []).append(
                    os.path.relpath(path, root))
            facts[os.path.relpath(path, root)] = fact
    groups = sorted(tuple(sorted(names)) for names in links.values())
    return facts, groups


def unpack(parts, target, tool='tar'):
    """Unpack an archive, given as the list of its parts, below target."""
    os.makedirs(target, exist_ok=True)
    parts = [str(part) for part in parts]
    name = parts[0]
    if name.rpartition('.')[2].isdigit():
        name = name.rpartition('.')[0]
    flag = {'zst': '--zstd', 'gz': '-z', 'xz': '-J', 'tar': '-v'}[
        name.rpartition('.')[2]]
    commands = {
        # Its own pipe, so that several parts are one stream.
        'tar': ['tar', '-x', flag, '-p', '--xattrs', '--xattrs-include=*',
                '--acls', '-C', target, '-f', '-'],
        'bsdtar': ['bsdtar', '-x', '-p', '-C', target, '-f', '-'],
    }
    cat = subprocess.Popen(['cat'] + parts, stdout=subprocess.PIPE)
    result = subprocess.run(commands[tool], stdin=cat.stdout,
                            stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, check=False)
    cat.stdout.close()
    cat.wait()
    assert result.returncode == 0, result.stderr.decode()
    return target


def listing(parts):
    """The paths in an archive, sorted, as bsdtar lists them."""
    cat = subprocess.Popen(['cat', *map(str, parts)], stdout=subprocess.PIPE)
    out = subprocess.run(['bsdtar', '-tf', '-'], stdin=cat.stdout, check=True,
                         stdout=subprocess.PIPE).stdout
    cat.stdout.close()
    cat.wait()
    return sorted(out.splitlines())


def assert_same(site, parts, scratch, tools=('tar', 'bsdtar'),
                check_sums=True):
    """The archive, unpacked by each tool, equals the site."""
    expected, expected_links = describe(site)
    for tool in tools:
        target = os.path.join(str(scratch), 'unpacked-' + tool)
        shutil.rmtree(target, ignore_errors=True)
        unpack(parts, target, tool)
        found, found_links = describe(os.path.join(target, 'files'))
        assert set(found) == set(expected), (
            tool, set(found) ^ set(expected))
        for path, fact in expected.items():
            assert found[path] == fact, (tool, path, found[path], fact)
        assert found_links == expected_links, tool
        if check_sums:
            subprocess.run(
                ['sha256sum', '-c', '--quiet', '--strict',
                 'stepvault/SHA256SUMS'], cwd=target, check=True)
        shutil.rmtree(target, ignore_errors=True)
