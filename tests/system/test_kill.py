# SPDX-License-Identifier: MIT
"""Cut anywhere: SIGKILL before and after every change to a file."""
import concurrent.futures
import hashlib
import os
import random
import shutil
import subprocess
import threading

import pytest

import faults
import trees
from vault import Vault

WORKERS = 4


def stream_hash(parts):
    """SHA-256 of the tar stream of an archive, over all parts."""
    cat = subprocess.Popen(['cat'] + [str(p) for p in parts],
                           stdout=subprocess.PIPE)
    plain = subprocess.run(['zstd', '-dc'], stdin=cat.stdout, check=True,
                           stdout=subprocess.PIPE).stdout
    cat.stdout.close()
    cat.wait()
    return hashlib.sha256(plain).hexdigest()


def files_hash(parts, scratch):
    """One hash of all that is below files/ when the archive is unpacked."""
    target = trees.unpack(parts, scratch)
    facts = trees.describe(os.path.join(target, 'files'))
    shutil.rmtree(target)
    return hashlib.sha256(repr((sorted(facts[0].items()),
                                facts[1])).encode()).hexdigest()


COUNTS = ('files', 'folders', 'symlinks', 'hardlinks', 'specials', 'bytes',
          'excluded', 'sockets', 'unread', 'changed', 'outside', 'warnings')


def counts_of(record):
    return {name: record[name] for name in COUNTS}


class Subject:
    """A site, and what an uncut backup of it is."""

    def __init__(self, folder, site, **config):
        self.folder = folder
        self.site = site
        self.config = config
        with Vault(folder / 'uncut', site, **config).start() as vault:
            assert vault.chain().text.startswith('200 OK')
            self.record = vault.record()
            self.hash = files_hash(vault.parts(), str(folder / 'ref'))
            trees.assert_same(site, vault.parts(), folder)

    def finish(self, vault):
        """Whatever happened before: the next calls end it, and it is right."""
        vault.stop()
        vault.start()
        for _ in range(3):
            answer = vault.chain()
            if answer is not None and answer.status == 200:
                break
        assert answer is not None and answer.text.startswith('200 OK'), (
            answer and answer.text)
        record = vault.record()
        assert record['status'] == 'complete'
        assert counts_of(record) == counts_of(self.record)
        scratch = str(vault.folder / 'out')
        assert files_hash(vault.parts(record), scratch) == self.hash
        vault.stop()
        # Nothing of the job is left behind.
        assert os.listdir(vault.data / 'jobs') == []
        return record

    def cut(self, name, kill, **more):
        """One run that is killed there; False if it came to its end."""
        folder = self.folder / name
        with Vault(folder, self.site, **self.config) as vault:
            vault.data.mkdir(mode=0o700)
            vault.start(env=faults.environment(vault.data, kill=kill, **more),
                        may_die=True)
            answer = None
            try:
                answer = vault.chain()
            except OSError:
                pass
            survived = answer is not None and answer.status == 200
            assert survived or vault.process.wait(10) == -9, (
                kill, answer and answer.text)
            self.finish(vault)
        shutil.rmtree(folder)
        return not survived


@pytest.fixture(scope='module')
def subject(tmp_path_factory):
    folder = tmp_path_factory.mktemp('kill')
    site = trees.make_site(folder / 'site', files=60, size=60000)
    trees.write(f'{site}/big', random.Random(3).randbytes(500000))
    subject = Subject(folder, site, step='max = 50ms\ncheckpoint_size = 64K',
                      profile='part_size = 256K')
    assert subject.record['checkpoints'] >= 20
    assert len(subject.record['parts']) >= 3
    return subject


def first_of(worker):
    """The first change that a worker cuts at; they take turns."""
    return 1 + random.randrange(faults.stride()) + worker * faults.stride()


def cut_everywhere(subject, when, **more):
    """Cut at every change, from the first to the one that is never made."""
    stop = threading.Event()
    done = []

    def work(first):
        number = first
        while not stop.is_set() and number < 5000:
            if not subject.cut(f'{when}-{number}', f'{when}:{number}',
                               **more):
                stop.set()
            done.append(number)
            number += WORKERS * faults.stride()

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for future in [pool.submit(work, first_of(i))
                       for i in range(WORKERS)]:
            future.result()
    print(f'cut {when} {len(done)} changes')
    # A backup of this kind cannot be made with fewer.
    assert max(done) > 300


def test_killed_before_every_change(subject):
    cut_everywhere(subject, 'before')


def test_killed_after_every_change(subject):
    cut_everywhere(subject, 'after')


def kill_at_random(vault, rand, most):
    """Kill a backup at random instants, until it is complete or it was the
    last; how often.  After five lives in a row that came to nothing the
    backup fails, rightly: on a slow machine they become longer."""
    kills = checkpoints = 0
    stretch = 1
    while kills < most:
        vault.start()
        timer = threading.Timer(stretch * rand.uniform(0.008, 0.06),
                                vault.process.kill)
        timer.start()
        try:
            answer = vault.chain()
        except OSError:
            answer = None
        timer.cancel()
        timer.join()
        if answer is not None and answer.status == 200:
            break
        assert answer is None, answer.text
        vault.process.wait(10)
        kills += 1
        before, checkpoints = checkpoints, (vault.state() or {
            'checkpoints': 0})['checkpoints']
        stretch = 1 if checkpoints > before else 2 * stretch
    return kills


def test_killed_at_random_instants(tmp_path):
    """A larger backup, killed again and again while it goes on."""
    seed = random.randrange(2**32)
    print('seed', seed)
    rand = random.Random(seed)
    site = trees.make_site(tmp_path / 'site', seed=seed, files=400,
                           size=200000)
    trees.write(f'{site}/big', rand.randbytes(30_000_000))
    subject = Subject(tmp_path, site,
                      step='max = 100ms\ncheckpoint_size = 2M',
                      profile='part_size = 8M')
    kills = rounds = 0
    while kills < 200:
        rounds += 1
        folder = tmp_path / f'round-{rounds}'
        with Vault(folder, site, **subject.config) as vault:
            kills += kill_at_random(vault, rand, 200 - kills)
            subject.finish(vault)
        shutil.rmtree(folder)
    print(f'{kills} kills in {rounds} backups')


def test_killed_in_backward_cuts(tmp_path):
    """A folder that changes while it is read is read again from its
    beginning: the state first, then the bytes."""
    site = tmp_path / 'site'
    for i in range(150):
        trees.write(f'{site}/many/file-{i:03d}', f'content {i}')
    for i in range(5):
        trees.write(f'{site}/other/{i}', f'other {i}')

    def run(name, kill):
        """Walk slowly, in many steps, and change the folder in between.
        True if it was killed."""
        folder = tmp_path / name
        shutil.copytree(site, folder / 'site')
        with Vault(folder, folder / 'site', step='max = 50ms') as vault:
            vault.data.mkdir(mode=0o700)
            vault.start(env=faults.environment(
                vault.data, folder / 'site', kill=kill, delay='stat:1500'),
                may_die=True)
            changed = []

            def change(_url, _answer):
                if len(changed) < 3:
                    number = len(changed)
                    changed.append(number)
                    trees.write(f'{folder}/site/many/new-{number}', 'new')

            answer = None
            try:
                answer = vault.chain(visit=change)
            except OSError:
                pass
            killed = answer is None or answer.status != 200
            assert not killed or vault.process.wait(10) == -9
            vault.stop()
            vault.start()
            # What was there all the time must be there, and only once.
            answer = vault.chain()
            assert answer.text.startswith('200 OK'), answer.text
            target = trees.unpack(vault.parts(), str(folder / 'out'))
            listing = subprocess.run(
                ['tar', '--zstd', '-tf', str(vault.parts()[0])], check=True,
                stdout=subprocess.PIPE, text=True).stdout.splitlines()
            assert len(listing) == len(set(listing))
            for i in range(150):
                with open(f'{target}/files/many/file-{i:03d}') as file:
                    assert file.read() == f'content {i}'
            for i in range(5):
                assert os.path.exists(f'{target}/files/other/{i}')
            log = vault.log()
        shutil.rmtree(folder)
        return killed, log

    killed, log = run('uncut', None)
    assert not killed
    assert 'read again' in log

    stop = threading.Event()
    done = []

    def work(first, when):
        number = first
        while not stop.is_set() and number < 2000:
            killed, _ = run(f'{when}-{number}', f'{when}:{number}')
            if not killed:
                stop.set()
            done.append(number)
            number += WORKERS * faults.stride()

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for future in [pool.submit(work, first_of(i),
                                   ('before', 'after')[i % 2])
                       for i in range(WORKERS)]:
            future.result()
    assert max(done) > 50
