# SPDX-License-Identifier: MIT
"""Power loss: at every change the disk is rebuilt with only what was synced,
and with each unsynced change alone kept; the backup goes on, and is right."""
import concurrent.futures
import glob
import json
import os
import random
import re
import shutil
import subprocess
import tempfile

import pytest

import faults
import mariadb
import powerloss
import tables
import trees
from test_kill import files_hash, stream_hash
from vault import Vault

WORKERS = 4


class Recording:
    """A backup whose every change was written down, from the making of the
    data directory on; an older backup is there before it and pruned by it."""

    def __init__(self, folder):
        self.folder = folder
        self.site = trees.make_site(folder / 'site', files=60, size=50000)
        trees.write(f'{self.site}/big',
                    random.Random(3).randbytes(400000))
        self.config = {'step': 'max = 50ms\ncheckpoint_size = 64K',
                       'profile': 'part_size = 256K\nkeep_last = 1'}
        log = folder / 'log'
        with Vault(folder / 'recorded', self.site, **self.config) as vault:
            self.root = str(vault.folder)
            env = faults.environment(vault.folder, log=log)
            # A small one, to be pruned.
            vault.configure(profile='exclude = *\nkeep_last = 1')
            vault.cli('run', env=env)
            vault.configure(**self.config)
            self.first = len(powerloss.read_log(log))
            vault.start(env=env)
            fresh = vault.url(fresh=1)
            assert vault.chain(fresh).text.startswith('200 OK')
            vault.stop()
            self.record = vault.record()
            self.stream = stream_hash(vault.parts())
            self.files = files_hash(vault.parts(), str(folder / 'out'))
            trees.assert_same(self.site, vault.parts(), folder)
            assert len(vault.records()) == 1
        assert self.record['checkpoints'] >= 20
        assert len(self.record['parts']) >= 3
        self.events = powerloss.read_log(log)

    def wrong_archive(self, record, parts, scratch):
        if record['id'] == self.record['id']:
            if stream_hash(parts) != self.stream:
                return 'another stream'
            if record['bytes'] != self.record['bytes']:
                return 'other counts'
        elif record['files'] > 0 and files_hash(parts, scratch) != self.files:
            return 'other files'
        return None

    def problem_at_rest(self, image):
        """What is wrong with a data directory that nobody works on."""
        for path in glob.glob(f'{image}/backups/*'):
            if not os.path.exists(f'{path}/record.json'):
                return 'a backup without a record'
            with open(f'{path}/record.json') as file:
                record = json.load(file)
            if record['status'] != 'complete':
                return f'{record["status"]}: {record["reason"]}'
            with open(f'{image}/number') as file:
                if record['number'] > int(file.read() or 0):
                    return 'its number will be given again'
            parts = [f'{path}/{part["name"]}' for part in record['parts']]
            for part, facts in zip(parts, record['parts']):
                if (not os.path.exists(part) or
                        os.path.getsize(part) != facts['size']):
                    return 'a part is not as its record says'
            wrong = self.wrong_archive(record, parts, f'{image}-out')
            if wrong:
                return wrong
        return None

    def problem(self, image):
        """Go on with a rebuilt data directory; None, or what is wrong."""
        for path in glob.glob(f'{image}/backups/*/record.json'):
            with open(path) as file:
                json.load(file)
        vault = Vault(os.path.dirname(image), self.site, **self.config)
        result = vault.cli('run', check=False)
        if result.returncode != 0:
            return f'run: {result.stderr.strip()}'
        if os.listdir(f'{image}/jobs'):
            return 'a job is left'
        return self.problem_at_rest(image)

    def problem_after_all(self, image):
        """Once the client has its 200 OK nothing of it can be lost."""
        if not os.path.isdir(image):
            return 'the data directory is lost'
        if os.listdir(f'{image}/jobs'):
            return 'the job is back'
        if len(os.listdir(f'{image}/backups')) != 1:
            return 'what was pruned is back'
        if not os.path.isdir(f'{image}/backups/{self.record["id"]}'):
            return 'the backup is lost'
        return self.problem_at_rest(image)

    def images(self, dropped=None):
        """Play the recording without the syncs of one place; after each
        change, (disk, what to keep, what to check) for all that may be on the
        disk now and could not be before."""
        disk = powerloss.Disk(self.root)
        version = None
        harm = dropped is None
        for number, event in enumerate(self.events):
            if dropped is not None and event.op == 'sync' and (
                    place_of(event) == dropped):
                harm = True
                continue
            fresh = disk.play(event)
            # Before the first sync that is dropped all is as it is with it;
            # and what comes before the backup to be cut is no concern here.
            if not harm or number < self.first:
                continue
            if disk.version != version:
                version = disk.version
                yield disk, None, self.problem
                for change in disk.pending():
                    yield disk, change, self.problem
            else:
                for change in fresh:
                    yield disk, change, self.problem
        yield disk, None, self.problem_after_all


class BackwardRecording(Recording):
    """The same of a walk in many steps through a folder that changes, so
    that the catalog is cut back again and again."""

    def __init__(self, folder):
        self.folder = folder
        self.site = str(folder / 'site')
        for i in range(150):
            trees.write(f'{self.site}/many/{i:03d}', f'content {i}')
        self.config = {'step': 'max = 50ms'}
        log = folder / 'log'
        changes = []

        def change(_url, _answer):
            if len(changes) < 4:
                changes.append(len(changes))
                trees.write(f'{self.site}/many/new-{len(changes)}', 'new')

        with Vault(folder / 'recorded', self.site, **self.config) as vault:
            self.root = str(vault.folder)
            vault.start(env=faults.environment(
                vault.folder, self.site, log=log, delay='stat:1500'))
            assert vault.chain(visit=change).text.startswith('200 OK')
            vault.stop()
            self.record = vault.record()
            assert vault.log().count('read again') >= 2
        self.first = 0
        self.events = [event for event in powerloss.read_log(log)
                       if event.path.startswith(self.root)]

    def wrong_archive(self, record, parts, scratch):
        """What was there all the time is there, and only once."""
        names = subprocess.run(
            ['tar', '--zstd', '-tf', parts[0]], check=True,
            stdout=subprocess.PIPE, text=True).stdout.splitlines()
        if len(names) != len(set(names)):
            return 'something is there twice'
        if not {f'files/many/{i:03d}' for i in range(150)} <= set(names):
            return 'something is missing'
        return None


class DumpRecording(Recording):
    """The same of a database whose companion is killed in the middle, so that
    its dump is cut back and begun again."""

    ROWS = 3000

    def __init__(self, folder, server):
        self.folder = folder
        self.site = str(folder / 'site')
        trees.write(f'{self.site}/file', 'content')
        make_shop(server, self.ROWS)
        self.config = {'step': 'max = 50ms\ncheckpoint_size = 64K',
                       'profile': tables.profile(server, 'shop')}
        log = folder / 'log'
        with Vault(folder / 'recorded', self.site, **self.config) as vault:
            self.root = str(vault.folder)
            vault.start(env=faults.environment(vault.folder, log=log,
                                               delay='sync:6000'))
            hops = []

            def kill(_url, _answer):
                hops.append(vault.state() and
                            vault.state()['dump.members'])
                if len(hops) < 20 and hops[-1] and hops[-1] > 2:
                    hops.extend([0] * 20)
                    vault.kill_companion()

            assert vault.chain(visit=kill).text.startswith('200 OK')
            vault.stop()
            self.record = vault.record()
            assert tables.of_database(self.record, 'shop')['restarts'] == 1
            assert self.wrong_archive(
                self.record, vault.parts(), folder / 'out') is None
        self.first = 0
        self.events = [event for event in powerloss.read_log(log)
                       if event.path.startswith(self.root)]
        # Thousands of images are gone on with: without a companion each.
        self.config['server'] = 'companion = no'

    def wrong_archive(self, record, parts, scratch):
        """Every row is there once, and every member is as its sum says."""
        shutil.rmtree(scratch, ignore_errors=True)
        trees.unpack(parts, str(scratch))
        try:
            if subprocess.run(['sha256sum', '-c', '--quiet',
                               'stepvault/SHA256SUMS'], cwd=scratch,
                              check=False).returncode:
                return 'a sum is wrong'
            names = sorted(glob.glob(f'{scratch}/databases/shop/*'))
            numbers = [int(os.path.basename(name)[:6]) for name in names]
            if numbers != list(range(1, len(names) + 1)):
                return 'a member is missing'
            text = ''.join(open(name, encoding='utf-8').read()
                           for name in names)
        finally:
            shutil.rmtree(scratch)
        for table in ('a', 'b'):
            rows = re.findall(rf"^\((\d+),'{table} of", text, re.M)
            if [int(row) for row in rows] != list(range(self.ROWS)):
                return f'rows of {table} are missing, or there twice'
        return None


def make_shop(server, rows):
    server.create('shop')
    server.sql("""
        SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
        CREATE TABLE a (id INT PRIMARY KEY, t VARCHAR(200));
        CREATE TABLE b (id INT PRIMARY KEY, t VARCHAR(200));
        INSERT INTO a SELECT seq, CONCAT('a of ', seq, REPEAT(' and', 30))
            FROM seq_0_to_%d;
        INSERT INTO b SELECT seq, CONCAT('b of ', seq, REPEAT(' and', 30))
            FROM seq_0_to_%d;
        """ % (rows - 1, rows - 1), db='shop')


def place_of(event):
    """Which sync of the code this is, and of what kind of file."""
    kind = re.sub(r'\d{8}-\d{6}-[a-z2-7]{16}', 'ID', event.path)
    kind = re.sub(r'[^/]*\.tar.*', 'PART', '/'.join(kind.split('/')[-2:]))
    kind = re.sub(r'key\.[a-z2-7]+', 'key.NEW', kind)
    return event.callers[0], kind


@pytest.fixture(scope='module')
def recording(tmp_path_factory):
    return Recording(tmp_path_factory.mktemp('powerloss'))


class Checker:
    """Checks images side by side, in memory."""

    def __init__(self, recording):
        self.recording = recording
        top = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
        self.top = tempfile.mkdtemp(prefix='stepvault-', dir=top)
        self.pool = concurrent.futures.ThreadPoolExecutor(WORKERS)
        self.count = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pool.shutdown(cancel_futures=True)
        shutil.rmtree(self.top, ignore_errors=True)

    def _check(self, folder, check):
        try:
            return check(f'{folder}/data')
        except (OSError, ValueError) as error:
            return f'{type(error).__name__}: {error}'
        finally:
            shutil.rmtree(folder)

    def submit(self, disk, kept, check):
        self.count += 1
        folder = f'{self.top}/{self.count}'
        disk.rebuild(folder, kept)
        return self.pool.submit(self._check, folder, check)


def first_problem(recording, dropped=None):
    """(problem, number of images) of the first image that cannot go on."""
    stride = faults.stride()
    phase = random.randrange(stride)
    with Checker(recording) as checker:
        running = []
        for number, image in enumerate(recording.images(dropped)):
            if number % stride != phase:
                continue
            disk, kept, check = image
            running.append((checker.submit(disk, kept, check),
                            kept and (kept.kind, kept.args[0])))
            # Only so many at a time: an image takes memory.
            while len(running) > 4 * WORKERS:
                future, about = running.pop(0)
                problem = future.result()
                if problem:
                    return f'{problem} (kept {about})', checker.count
        for future, about in running:
            problem = future.result()
            if problem:
                return f'{problem} (kept {about})', checker.count
        return None, checker.count


def test_any_instant(recording):
    problem, count = first_problem(recording)
    print(f'{count} images of {len(recording.events)} changes')
    assert problem is None
    assert count * faults.stride() > len(recording.events)


def test_any_instant_of_backward_cuts(tmp_path):
    recording = BackwardRecording(tmp_path)
    problem, count = first_problem(recording)
    print(f'{count} images of {len(recording.events)} changes')
    assert problem is None
    assert count * faults.stride() > len(recording.events)


def test_any_instant_of_a_dump_begun_again(tmp_path):
    with mariadb.Mariadb() as server:
        server.start()
        recording = DumpRecording(tmp_path, server)
        problem, count = first_problem(recording)
    print(f'{count} images of {len(recording.events)} changes')
    assert problem is None
    assert count * faults.stride() > len(recording.events)
