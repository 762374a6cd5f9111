# SPDX-License-Identifier: MIT
"""What of a site is backed up: other file systems, excludes, further folders,
and never the data directory itself; the log and the record say what was left
out."""
import os

import mounts
import trees
from vault import binary


def paths_in(vault):
    """What is in the archive, but for stepvault's own members."""
    return {line.rstrip('/') for line in
            map(os.fsdecode, trees.listing(vault.parts()))
            if not line.startswith('stepvault/')}


def run_with_mounts(vault, script):
    """A backup in a mount namespace of its own, after a shell script."""
    result = mounts.run(f'{script}\nexec "$@"', binary('CLI'), '--config',
                        vault.conf, 'run')
    assert result.returncode == 0, result.stderr


# -- other file systems -------------------------------------------------------


def mounted_site(tmp_path):
    """A site with mount points, and the script that mounts upon them."""
    site = tmp_path / 'site'
    for name in ('tmpfs', 'bind', 'proc', 'sys', 'deep/tmpfs'):
        trees.write(f'{site}/{name}/below', 'hidden by the mount')
    trees.write(f'{tmp_path}/other/file', 'bound')
    script = f'''
        cd {site}
        mount -t tmpfs none tmpfs
        echo mounted > tmpfs/file
        mkdir tmpfs/folder
        echo mounted > tmpfs/folder/file
        mount -t tmpfs none deep/tmpfs
        mount --bind {tmp_path}/other bind
        mount --rbind /proc proc
        mount --rbind /sys sys
        '''
    return site, script


def test_mounts(make_vault, tmp_path):
    """Mounted file systems are packed and counted; pseudo file systems are
    not entered."""
    site, script = mounted_site(tmp_path)
    vault = make_vault(site)
    run_with_mounts(vault, script)
    assert paths_in(vault) == {
        'files', 'files/bind', 'files/bind/file', 'files/deep',
        'files/deep/tmpfs', 'files/proc', 'files/sys', 'files/tmpfs',
        'files/tmpfs/file', 'files/tmpfs/folder', 'files/tmpfs/folder/file'}
    log = vault.log()
    for name in ('tmpfs', 'deep/tmpfs'):
        assert f'files/{name} is another file system; it is packed\n' in log
    for name in ('proc', 'sys'):
        assert f'files/{name} is a pseudo file system; left out\n' in log
    record = vault.record()
    assert (record['mounts'], record['warnings']) == (4, 0)


def test_one_file_system(make_vault, tmp_path):
    """Mount points stay, empty."""
    site, script = mounted_site(tmp_path)
    vault = make_vault(site, profile='one_file_system = yes')
    run_with_mounts(vault, script)
    assert paths_in(vault) == {
        'files', 'files/bind', 'files/bind/file', 'files/deep',
        'files/deep/tmpfs', 'files/proc', 'files/sys', 'files/tmpfs'}
    log = vault.log()
    for name in ('tmpfs', 'deep/tmpfs'):
        assert f'files/{name} is another file system; left out\n' in log
    assert vault.record()['mounts'] == 4


# -- excludes -----------------------------------------------------------------

EXCLUDED = '''
exclude = *.log
exclude = /only/at/the/top
exclude = cache/
exclude = **/thumbs/*.jpg
exclude = a?c[0-9]
exclude = !keep.log
'''


def exclude_site(tmp_path):
    site = tmp_path / 'site'
    for name in ('a.log', 'sub/b.log', 'keep.log', 'sub/keep.log', 'log',
                 'only/at/the/top/x', 'sub/only/at/the/top/x',
                 'cache/x', 'sub/cache/x', 'sub/deep/cache/y',
                 'thumbs/1.jpg', 'sub/thumbs/2.jpg', 'thumbs/1.png',
                 'abc1', 'sub/axc9', 'abcd', 'wp-content/cache/page.html',
                 'wp-content/upgrade/x', 'var/session/sess_1',
                 'wp-content/uploads/photo.jpg',
                 'node_modules/.cache/x', 'a/node_modules/.cache/y'):
        trees.write(f'{site}/{name}', name)
    trees.write(f'{site}/is-file/cache', 'a file of that name')
    return site


def test_excludes(make_vault, tmp_path):
    """The patterns, the shipped ones, and the count of each in the log."""
    vault = make_vault(exclude_site(tmp_path), profile=EXCLUDED)
    vault.cli('run')
    target = trees.unpack(vault.parts(), str(tmp_path / 'out'))
    found = {os.path.relpath(os.path.join(folder, name), f'{target}/files')
             for folder, _, files in os.walk(f'{target}/files')
             for name in files}
    assert found == {
        'keep.log', 'sub/keep.log', 'log', 'sub/only/at/the/top/x',
        'is-file/cache', 'thumbs/1.png', 'abcd',
        'wp-content/uploads/photo.jpg'}
    # Folders whose content alone is excluded stay.
    assert os.path.isdir(f'{target}/files/wp-content/upgrade')
    log = vault.log()
    for pattern, count in (('*.log', 2), ('/only/at/the/top', 1),
                           ('cache/', 4), ('**/thumbs/*.jpg', 2),
                           ('a?c[0-9]', 2), ('/wp-content/upgrade/*', 1),
                           ('/var/session/*', 1),
                           ('**/node_modules/.cache/*', 2)):
        assert f"excluded by '{pattern}': {count}\n" in log, pattern
    assert vault.record()['excluded'] == 15
    assert 'left out 15 by excludes' in log


def test_without_default_excludes(make_vault, tmp_path):
    site = exclude_site(tmp_path)
    vault = make_vault(site, profile='default_excludes = no')
    vault.cli('run')
    assert vault.record()['excluded'] == 0
    trees.assert_same(site, vault.parts(), tmp_path)


# -- symlinks that lead out ---------------------------------------------------


def test_symlinks_that_lead_out(make_vault, tmp_path):
    """They are packed as they are, never followed, counted and named."""
    site = tmp_path / 'site'
    trees.write(f'{tmp_path}/outside/secret', 'do not read me')
    trees.write(f'{site}/a/b/file', 'inside')
    out = {'up': '../outside', 'a/up': '../../outside/secret',
           'absolute': '/etc', 'a/b/round': '../../../site/../outside',
           'sibling': f'{site}-2/x'}
    inside = {'a/in': 'b/file', 'a/b/top': '../../a', 'whole': str(site),
              'deep': f'{site}/a/b', 'a/b/dots': '.././../a', 'x': 'nowhere'}
    for name, target in {**out, **inside}.items():
        os.symlink(target, f'{site}/{name}')
    vault = make_vault(site)
    vault.cli('run')
    assert vault.record()['outside'] == len(out)
    log = vault.log()
    for name, target in {**out, **inside}.items():
        line = (f'files/{name} is a symlink that leads out of the site, to '
                f'{target};')
        assert (line in log) == (name in out), name
    trees.assert_same(site, vault.parts(), tmp_path)


# -- further folders ----------------------------------------------------------


def test_extra_folders(make_vault, tmp_path):
    """Each below a name of its own, with the same excludes, hard links
    across."""
    site = trees.make_site(tmp_path / 'site')
    media = trees.make_site(tmp_path / 'media', seed=2, files=10)
    trees.write(f'{tmp_path}/more/x.log', 'excluded')
    trees.write(f'{tmp_path}/more/cache/x', 'excluded')
    os.link(f'{media}/empty', f'{tmp_path}/more/across')
    vault = make_vault(site, step='max = 50ms', profile='exclude = *.log\n'
                       'exclude = /cache/\n'
                       f'extra = media:{media}\n'
                       f'extra = more.2_x-y:{tmp_path}/more')
    assert vault.start().chain().text.startswith('200 OK\n')
    trees.assert_same(site, vault.parts(), tmp_path)
    target = trees.unpack(vault.parts(), str(tmp_path / 'out'))
    assert trees.describe(media)[0] == \
        trees.describe(f'{target}/extra/media')[0]
    assert os.listdir(f'{target}/extra/more.2_x-y') == ['across']
    assert os.path.samefile(f'{target}/extra/more.2_x-y/across',
                            f'{target}/extra/media/empty')


def test_site_that_is_gone(make_vault, tmp_path):
    """A failed backup that says which key to mend, and no path to clients."""
    (tmp_path / 'site').mkdir()
    for key, words in (('site', "the folder of 'site'"),
                       ('extra', "folder 1 of those of 'extra'")):
        vault = make_vault(tmp_path / ('no' if key == 'site' else 'site'),
                           profile='' if key == 'site' else
                           f'extra = x:{tmp_path}/no').start()
        answer = vault.chain()
        assert answer.status == 500
        assert answer.text == (
            f'500 ERROR -- {words} cannot be reached: '
            'No such file or directory\n')
        assert vault.record()['reason'] == answer.text[13:-1]
        assert f'{tmp_path}/no cannot be reached' in vault.log()
        checked = vault.cli('config', 'check', check=False)
        assert checked.returncode == 2
        assert f'{tmp_path}/no is no folder' in checked.stderr


# -- the data directory -------------------------------------------------------


def test_data_inside_the_site(make_vault, tmp_path):
    """Refused unless told; then it is left out of every backup."""
    site = tmp_path / 'site'
    trees.write(f'{site}/file', 'content')
    vault = make_vault(site)
    vault.data = site / 'sub/data'
    (site / 'sub').mkdir()
    vault.configure()
    refused = vault.cli('run', check=False)
    assert refused.returncode == 2
    assert 'lies inside' in refused.stderr
    assert str(site) in refused.stderr
    assert not vault.data.exists()
    # Nor by another name of the same folder.
    os.symlink(site, tmp_path / 'alias')
    vault.site = str(tmp_path / 'alias')
    vault.configure()
    assert vault.cli('run', check=False).returncode == 2
    vault.configure(server='data_in_site = yes')
    for _ in range(2):
        vault.cli('run')
        assert paths_in(vault) == {'files', 'files/file', 'files/sub'}
        assert 'files/sub/data is the data directory; left out' in vault.log()


def test_data_inside_an_extra_folder(make_vault, tmp_path):
    (tmp_path / 'site').mkdir()
    (tmp_path / 'extra').mkdir()
    vault = make_vault(tmp_path / 'site')
    vault.data = tmp_path / 'extra/data'
    vault.configure(profile=f'extra = x:{tmp_path}/extra')
    assert vault.cli('run', check=False).returncode == 2
    vault.configure(server='data_in_site = yes',
                    profile=f'extra = x:{tmp_path}/extra')
    vault.cli('run')
    assert paths_in(vault) == {'files', 'extra/x'}


def test_data_mounted_into_the_site(make_vault, tmp_path):
    """Nor by a way that no path tells."""
    site = tmp_path / 'site'
    trees.write(f'{site}/file', 'content')
    (site / 'seen').mkdir()
    vault = make_vault(site)
    vault.cli('run')
    run_with_mounts(vault, f'mount --bind {vault.data} {site}/seen')
    assert paths_in(vault) == {'files', 'files/file'}
    assert 'files/seen is the data directory; left out' in vault.log()
