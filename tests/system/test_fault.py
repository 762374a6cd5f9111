# SPDX-License-Identifier: MIT
"""Fail anywhere: each open, read, write, sync, rename and so on fails once,
and so does each allocation.  What follows is a clean retry, or a failed backup
with a reason; never "200 OK" over a wrong archive, never a leak."""
import concurrent.futures
import errno
import random
import shutil
import threading

import pytest

import faults
import trees
from test_kill import counts_of, files_hash
from vault import Vault

WORKERS = 4


class Subject:
    def __init__(self, folder, files, size,
                 step='max = 100ms\ncheckpoint_size = 64K'):
        self.folder = folder
        self.site = trees.make_site(folder / 'site', files=files, size=size)
        self.config = {'step': step, 'profile': 'part_size = 128K'}
        with Vault(folder / 'uncut', self.site, **self.config) as vault:
            vault.cli('run')
            self.record = vault.record()
            self.hash = files_hash(vault.parts(), str(folder / 'ref'))

    def check_complete(self, vault, record):
        assert counts_of(record) == counts_of(self.record)
        assert files_hash(vault.parts(record),
                          str(vault.folder / 'out')) == self.hash

    def attempt(self, name, env, may_abort=False):
        """A backup with a fault in it, and then without."""
        with Vault(self.folder / name, self.site, **self.config) as vault:
            vault.data.mkdir(mode=0o700)
            vault.start(env=env, may_die=True)
            answer = None
            for _ in range(10):
                try:
                    answer = vault.chain()
                except OSError:
                    answer = None
                if answer is None or answer.status in (200, 500):
                    break
                assert answer.status == 503, answer.text
                assert answer.text.startswith('500 ERROR -- ')
                assert answer.headers['retry-after'] == '30'
            if answer is None:
                # It refused to start. Or it had no memory: then we abort,
                # and libarchive exits or falls over.
                assert vault.process.wait(10) in (
                    (1, 2, -6, -11) if may_abort else (1, 2))
            vault.stop()
            assert answer is None or vault.returncode == 0, 'a leak'
            records = vault.records()
            if answer is not None and answer.status == 500:
                # A failed backup has a reason, and the next one is right.
                assert records[0]['status'] == 'failed'
                assert len(records[0]['reason']) > 20
            if answer is None or answer.status == 500:
                vault.start()
                answer = vault.chain(vault.url(fresh=1))
                vault.stop()
            assert answer.text.startswith('200 OK'), answer.text
            records = [r for r in vault.records()
                       if r['status'] == 'complete']
            assert records
            for record in records:
                self.check_complete(vault, record)
        shutil.rmtree(self.folder / name)

    def calls(self, kind, roots):
        """How many calls of a class below the roots a backup makes."""
        count = self.folder / 'count'
        with Vault(self.folder / 'counted', self.site,
                   **self.config) as vault:
            vault.data.mkdir(mode=0o700)
            vault.start(env=faults.environment(
                *(roots or [vault.data]), count=count))
            assert vault.chain().status == 200
            vault.stop()
        shutil.rmtree(self.folder / 'counted')
        number = faults.counters(count)[kind]
        count.unlink()
        assert number > 0
        return number

    def everywhere(self, prefix, environment, calls, stride=None, **kwargs):
        """attempt with environment(n) for every n, and for some more: the
        number of calls differs a little with the machine's speed."""
        stop = threading.Event()
        stride = stride or faults.stride()
        phase = random.randrange(stride)

        def work(first):
            for number in range(first, calls + 6,
                                WORKERS * stride):
                if stop.is_set():
                    return
                self.attempt(f'{prefix}-{number}', environment(number),
                             **kwargs)

        print(f'{prefix}: {calls} calls')
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            futures = [pool.submit(work, 1 + phase + i * stride)
                       for i in range(WORKERS)]
            for future in concurrent.futures.as_completed(futures):
                if future.exception() is not None:
                    stop.set()
            for future in futures:
                future.result()


@pytest.fixture(scope='module')
def subject(tmp_path_factory):
    return Subject(tmp_path_factory.mktemp('fault'), files=25, size=40000)


@pytest.mark.parametrize('kind,error', [
    ('write', errno.ENOSPC),
    ('write', errno.EINTR),
    ('write', 'short'),
    ('sync', errno.EIO),
    ('rename', errno.EIO),
    ('open', errno.EMFILE),
    ('open', errno.EINTR),
    ('read', errno.EIO),
    ('read', 'short'),
    ('truncate', errno.EIO),
    ('remove', errno.EIO),
    ('mkdir', errno.ENOSPC),
    ('link', errno.EIO),
])
def test_in_the_data_directory(subject, kind, error):
    def environment(number):
        return faults.environment(
            subject.folder / f'{kind}-{error}-{number}' / 'data',
            fail=f'{kind}:{number}:{error}')

    subject.everywhere(f'{kind}-{error}', environment,
                       subject.calls(kind, None))


@pytest.mark.parametrize('kind,error', [
    ('read', errno.EINTR), ('read', 'short'), ('open', errno.EINTR),
    ('open', errno.EMFILE), ('open', errno.ENOMEM)])
def test_passing_faults_of_the_site(subject, kind, error):
    """They cost nothing: no file is left out for them."""
    def environment(number):
        return faults.environment(subject.site,
                                  fail=f'{kind}:{number}:{error}')

    subject.everywhere(f'site-{kind}-{error}', environment,
                       subject.calls(kind, [subject.site]))


@pytest.mark.parametrize('kind,error', [
    ('read', errno.EIO), ('open', errno.EIO), ('open', errno.EACCES)])
def test_unreadable_parts_of_the_site(subject, tmp_path, kind, error):
    """Each is named, and all the others are there."""
    expected = trees.describe(subject.site)[0]
    for number in range(1, 60, 3):
        with Vault(tmp_path / f'{number}', subject.site) as vault:
            env = faults.environment(subject.site,
                                     fail=f'{kind}:{number}:{error}')
            result = vault.cli('run', env=env, check=False)
            record = vault.records()[0]
            if result.returncode != 0:
                # The site's own folder.
                assert record['status'] == 'failed' and record['reason']
                continue
            target = trees.unpack(vault.parts(record),
                                  str(tmp_path / 'out'))
            found = trees.describe(f'{target}/files')[0]
            shutil.rmtree(target)
            named = [w['path'] for w in record['warning_list']]
            assert record['warnings'] == len(named)
            for path, fact in expected.items():
                if found.get(path) == fact:
                    continue
                archived = b'files/' + path if path != b'.' else b'files'
                assert any(
                    archived == name or archived.startswith(name + b'/') or
                    # A folder that lacks an entry has another time.
                    name.startswith(archived + b'/')
                    for name in map(_bytes_of, named)), (path, named)


def _bytes_of(path):
    if isinstance(path, dict):
        import base64
        return base64.b64decode(path['b64'])
    return path.encode()
