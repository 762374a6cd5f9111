# SPDX-License-Identifier: MIT
"""A site whose owner is no friend: whatever is swapped for whatever, at
whatever time, nothing outside the site is read, nothing blocks, and what is
not in the archive as it was is named."""
import io
import os
import re
import shutil
import socket
import stat
import subprocess
import tarfile

import pytest

import faults
import trees
from swapper import Swapper

# Of files outside the site: in their contents, and in names.
MARKER = b'<<outside-of-the-site>>'
NAME = 'name-outside-of-the-site'
DEPTH = 45
FOLDERS = 20
FILES = 24


class Battlefield:
    """A site, what is outside, and the pairs of paths to be swapped: one in
    the site, one that lures out of it or blocks who opens it."""

    def __init__(self, folder):
        self.site = str(folder / 'site')
        self.outside = str(folder / 'outside')
        self.pool = str(folder / 'pool')
        self.files = {}
        self.pairs = []
        os.mkdir(self.pool)
        os.makedirs(self.outside)
        for i in range(20):
            self.write(f'stable/s{i}')
        for i in range(FOLDERS):
            for j in range(3):
                self.write(f'd{i}/sub/x{j}')
                self.write(f'd{i}/y{j}')
            self.lure(f'd{i}')
        self.make_deep()
        for i in range(FILES):
            self.write(f'f{i}', size=300_000)
            self.trap(f'f{i}', i)

    def write(self, path, size=3000):
        """A file in the site, and one of the same name outside."""
        content = b'inside %s ' % path.encode()
        content = (content * (size // len(content) + 1))[:size]
        self.files['files/' + path] = content
        trees.write(f'{self.site}/{path}', content)
        trees.write(f'{self.outside}/{path}',
                    (MARKER * (size // len(MARKER) + 1))[:size])
        trees.write(f'{self.outside}/{os.path.dirname(path)}/{NAME}', MARKER)

    def make_deep(self):
        """So deep that not all of the way down can be kept open."""
        way = 'deep'
        for i in range(DEPTH):
            way = f'{way}/n{i}'
            self.write(f'{way}/file')
            if i in (0, 3, 20, 33, 40, 44):
                self.lure(way)

    def lure(self, path):
        """A symlink to the same folder outside."""
        there = f'{self.pool}/{path.replace("/", "_")}'
        os.symlink(f'{self.outside}/{path}', there)
        self.pairs.append([f'{self.site}/{path}', there])

    def trap(self, path, number):
        """Something that is no file."""
        there = f'{self.pool}/{path}'
        kind = number % 6
        if kind == 0:
            os.symlink(f'{self.outside}/{path}', there)
        elif kind == 1:
            os.mkfifo(there)
        elif kind == 2:
            os.symlink('/dev/zero', there)
        elif kind == 3:
            with socket.socket(socket.AF_UNIX) as sock:
                where = os.getcwd()
                os.chdir(self.pool)
                sock.bind(path)
                os.chdir(where)
        elif kind == 4 and os.geteuid() == 0:
            os.mknod(there, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
        else:
            os.mkdir(there)
            trees.write(f'{self.outside}/{path}.dir/file', MARKER)
            os.symlink(f'{self.outside}/{path}.dir', f'{there}/link')
        self.pairs.append([f'{self.site}/{path}', there])


@pytest.fixture
def field(tmp_path):
    return Battlefield(tmp_path)


@pytest.fixture
def slow_vault(field, make_vault):
    """Whose steps are short, and whose opens take long."""
    vault = make_vault(field.site, step='max = 50ms\ncheckpoint = 100ms')
    return vault.start(env=faults.environment(field.site, delay='open:1000'))


def plain_tar(parts):
    """The tar stream of an archive, which standard tools can read."""
    names = [str(part) for part in parts]
    for tool in (['tar', '--zstd', '-tf'], ['bsdtar', '-tf']):
        subprocess.run(tool + names, check=True, stdout=subprocess.DEVNULL)
    return subprocess.run(['zstd', '-dc'] + names, check=True,
                          stdout=subprocess.PIPE).stdout


def assert_nothing_outside(vault):
    """Neither packed nor written down anywhere."""
    for where, _, names in os.walk(vault.data):
        for name in names:
            with open(os.path.join(where, name), 'rb') as file:
                data = file.read()
            if '.tar.zst' in name and not name.endswith('.partial'):
                data = plain_tar([os.path.join(where, name)])
            assert MARKER not in data, name
            assert NAME.encode() not in data, name


def ancestors(path):
    while '/' in path:
        path = path.rpartition('/')[0]
        yield path


def is_named(path, named, members):
    """It, or what stood in its way or its folder's, is told of."""
    return path in named or path in members or any(
        folder in named or
        (folder in members and not members[folder].isdir())
        for folder in ancestors(path))


def check_archive(field, vault, swapped='exchange'):
    """Complete; all in it is of the site, all that is not in it is named."""
    record = vault.record()
    assert record['status'] == 'complete'
    assert_nothing_outside(vault)
    named = {w['path'] for w in record['warning_list']}
    log = vault.log()
    left_out = {line.rpartition('is a socket; left out')[0].split(' ')[-2]
                for line in log.splitlines() if 'is a socket' in line}
    stream = plain_tar(vault.parts(record))
    with tarfile.open(fileobj=io.BytesIO(stream), mode='r:') as tar:
        members = {member.name: member for member in tar}
        for path, content in field.files.items():
            # What is gone while a folder is read never was.
            assert swapped == 'rename' or is_named(
                path, named | left_out, members), path
            if path in members and members[path].isreg():
                got = tar.extractfile(members[path]).read()
                assert got == content or path in named, path
            if path.startswith('files/stable/'):
                assert members[path].isreg() and path not in named
    for path, member in members.items():
        if member.isreg() and path.startswith('files/'):
            assert path in field.files, path
    return record


SCENES = [('walk', 'exchange'), ('pack', 'exchange'), ('all', 'exchange'),
          ('all', 'rename')]


@pytest.mark.parametrize('phases, how', SCENES)
def test_swaps(field, slow_vault, phases, how):
    """While the tree is walked, while it is packed, and all the time."""
    count = 0
    swapper = None
    url = slow_vault.url()

    def turn(phase):
        nonlocal swapper, count
        wanted = phases in ('all', phase)
        if wanted and swapper is None:
            swapper = Swapper(field.pairs, how)
        elif not wanted and swapper is not None:
            count += swapper.stop()
            swapper = None

    def visit(_, answer):
        if answer.status == 302:
            turn(re.match(r'step \d+, (\w+)', answer.text)[1])

    try:
        turn('walk')
        answer = slow_vault.chain(url, visit=visit)
    finally:
        if swapper is not None:
            count += swapper.stop()
    assert answer.text.startswith('200 OK\n')
    assert count > 1000
    record = check_archive(field, slow_vault, how)
    print(record['steps'], 'steps,', count, 'swaps,', record['warnings'],
          'warnings')
    if phases != 'walk':
        assert record['warnings'] > 0


def test_a_folder_that_is_never_still(tmp_path, make_vault):
    """It takes several steps to read, and changes in each of them."""
    site = tmp_path / 'site'
    for i in range(1500):
        trees.write(f'{site}/busy/{i}', b'')
    trees.write(f'{site}/swapped', b'')
    vault = make_vault(site, step='max = 50ms')
    vault.start(env=faults.environment(site, delay='stat:200'))
    with Swapper([[f'{site}/busy/7', f'{site}/swapped']]):
        answer = vault.chain(hops=500)
    assert answer.text.startswith('200 OK\n')
    record = vault.record()
    assert [(w['path'], w['reason']) for w in record['warning_list']] == [
        ('files/busy', 'changed all the time while it was read; names may be '
                       'missing in it, or be there twice')]
    stream = plain_tar(vault.parts(record))
    with tarfile.open(fileobj=io.BytesIO(stream), mode='r:') as tar:
        names = set(tar.getnames())
    # Most file systems find their place again; nothing is promised.
    assert len({f'files/busy/{i}' for i in range(1500)} - names) <= 2


# -- the root itself ----------------------------------------------------------


MOVED = ("500 ERROR -- the folder of 'site' was moved or replaced while this "
         'backup was unfinished; the next backup begins with the new one\n')


def begin(vault, phase):
    """Step until a phase is on its way, and the root is known: the next
    URL."""
    url = vault.url()
    for _ in range(1000):
        answer = vault.get(url)
        assert answer.status == 302, answer.text
        url = '/stepvault/' + answer.location
        catalogs = vault.data.glob('jobs/*/catalog')
        if any(catalog.stat().st_size > 0 for catalog in catalogs) and (
                re.match(rf'step \d+, {phase},', answer.text)):
            return url
    raise AssertionError(f'no phase {phase}')


@pytest.mark.parametrize('phase', ['walk', 'pack'])
def test_root_becomes_a_symlink(field, slow_vault, phase):
    """Of all that is outside nothing is read, and the reason says what
    happened.  Only a later backup believes the new root."""
    url = begin(slow_vault, phase)
    os.rename(field.site, field.site + '.old')
    os.symlink(field.outside, field.site)
    answer = slow_vault.chain(url)
    assert (answer.status, answer.text) == (500, MOVED)
    assert_nothing_outside(slow_vault)
    record = slow_vault.record()
    assert record['status'] == 'failed'
    assert record['reason'] in slow_vault.log()


def test_root_is_moved_and_a_symlink_leads_there(field, slow_vault):
    """The tree is the same; that is not how it was begun."""
    url = begin(slow_vault, 'pack')
    os.rename(field.site, field.site + '.moved')
    os.symlink(field.site + '.moved', field.site)
    answer = slow_vault.chain(url)
    assert answer.text.startswith('200 OK\n')
    assert check_archive(field, slow_vault)['warnings'] == 0


def test_root_is_swapped_all_the_time(field, slow_vault):
    """Sooner or later a step finds another one there."""
    there = field.pool + '/root'
    os.symlink(field.outside, there)
    url = begin(slow_vault, 'walk')
    with Swapper([[field.site, there]]) as swapper:
        answer = slow_vault.chain(url)
        assert swapper.stop() > 10
    assert (answer.status, answer.text) == (500, MOVED)
    assert_nothing_outside(slow_vault)


# -- deployments --------------------------------------------------------------


SWAPPED = ('another folder took its place meanwhile, or none (a new '
           'release?); the backup has the one that it began with')


class Deployment:
    """Releases in folders of their own, and a symlink to the current one."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.site = f'{folder}/current'
        self.releases = [
            trees.make_site(f'{folder}/releases/{i}', seed=i, files=30)
            for i in range(2)]
        self.media = [
            trees.make_site(f'{folder}/media/{i}', seed=9 + i, files=5)
            for i in range(2)]
        for name in ('current', 'uploads'):
            self.point(name, 0)

    def point(self, name, number):
        """As deployment tools do it: the symlink is replaced at once."""
        folder = {'current': self.releases, 'uploads': self.media}[name]
        os.symlink(folder[number], f'{self.folder}/new')
        os.rename(f'{self.folder}/new', f'{self.folder}/{name}')


@pytest.fixture
def deployment(tmp_path, make_vault):
    deployment = Deployment(tmp_path)
    vault = make_vault(
        deployment.site, step='max = 50ms',
        profile=f'extra = uploads:{tmp_path}/uploads')
    deployment.vault = vault.start(
        env=faults.environment(*deployment.releases, *deployment.media,
                               delay='stat:3000'))
    return deployment


def warnings(vault):
    return [(w['path'], w['reason'])
            for w in vault.record()['warning_list']]


def assert_first_release(deployment, scratch):
    """All is as it was when the backup began."""
    parts = deployment.vault.parts()
    target = trees.unpack(parts, str(scratch / 'unpacked'))
    for name, folder in (('files', deployment.releases[0]),
                         ('extra/uploads', deployment.media[0])):
        assert trees.describe(f'{target}/{name}') == trees.describe(folder)


@pytest.mark.parametrize('phase', ['walk', 'pack'])
def test_release_is_swapped(deployment, tmp_path, phase):
    """The backup goes on with the release that it began with, and says so."""
    vault = deployment.vault
    url = begin(vault, phase)
    deployment.point('current', 1)
    answer = vault.chain(url)
    assert answer.text.startswith('200 OK\n')
    assert answer.text.endswith('\n1 warnings\n')
    assert warnings(vault) == [('files', SWAPPED)]
    assert f'warning: files: {SWAPPED}' in vault.log()
    assert_first_release(deployment, tmp_path)


def test_both_are_swapped(deployment, tmp_path):
    url = begin(deployment.vault, 'pack')
    deployment.point('current', 1)
    deployment.point('uploads', 1)
    assert deployment.vault.chain(url).status == 200
    assert warnings(deployment.vault) == [
        ('files', SWAPPED), ('extra/uploads', SWAPPED)]
    assert_first_release(deployment, tmp_path)


def test_swapped_there_and_back(deployment, tmp_path):
    url = begin(deployment.vault, 'pack')
    deployment.point('current', 1)
    answer = deployment.vault.get(url)
    deployment.point('current', 0)
    answer = deployment.vault.chain('/stepvault/' + answer.location)
    assert answer.status == 200
    assert warnings(deployment.vault) == []
    assert_first_release(deployment, tmp_path)


def test_path_leads_nowhere(deployment, tmp_path):
    """The release is still there, and so is the way that was found to it."""
    url = begin(deployment.vault, 'pack')
    os.unlink(deployment.site)
    assert deployment.vault.chain(url).status == 200
    assert warnings(deployment.vault) == [('files', SWAPPED)]
    assert_first_release(deployment, tmp_path)


@pytest.mark.parametrize('phase', ['walk', 'pack'])
def test_old_release_is_removed(deployment, phase):
    """Half of one release is no backup, nor are halves of two."""
    vault = deployment.vault
    url = begin(vault, phase)
    deployment.point('current', 1)
    shutil.rmtree(deployment.releases[0])
    answer = vault.chain(url)
    assert (answer.status, answer.text) == (500, MOVED)
    assert vault.record()['status'] == 'failed'
    # The next is one of the new release.
    answer = vault.chain(vault.url(fresh=1))
    assert answer.text.startswith('200 OK\n')


def test_folder_is_replaced_in_place(deployment):
    vault = deployment.vault
    url = begin(vault, 'pack')
    os.rename(deployment.releases[0], deployment.releases[0] + '.old')
    os.rename(deployment.releases[1], deployment.releases[0])
    answer = vault.chain(url)
    assert (answer.status, answer.text) == (500, MOVED)


def test_extra_folder_is_gone_before_its_turn(deployment):
    """The reason names the key of the profile, and no path."""
    vault = deployment.vault
    url = begin(vault, 'walk')
    os.unlink(f'{deployment.folder}/uploads')
    answer = vault.chain(url)
    assert (answer.status, answer.text) == (
        500, "500 ERROR -- folder 1 of those of 'extra' cannot be found: "
             'No such file or directory\n')
