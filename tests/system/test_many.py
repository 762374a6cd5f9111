# SPDX-License-Identifier: MIT
"""Many at once: exactly one step of a backup runs at a time."""
import concurrent.futures
import threading
import time
import urllib.parse

import fastcgi
import faults
import trees



def wait_for_step(vault):
    """Until a step is running."""
    for _ in range(1000):
        if list(vault.data.glob('jobs/*/intent')):
            return
        time.sleep(0.01)
    raise AssertionError('no step')


def run_chains(count, function):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(function, i) for i in range(count)]
        return [future.result() for future in futures]


def persistent_chain(vault, url, seen, hops=2000):
    """Follow to the end like a client that waits as 503 tells it to."""
    for _ in range(hops):
        answer = fastcgi.request(vault.address, url)
        assert answer is not None
        seen.append(answer.status)
        if answer.status == 503:
            assert int(answer.headers['retry-after']) >= 1
            time.sleep(0.05)
            continue
        if answer.status != 302:
            return answer
        url = urllib.parse.urljoin('http://x' + url,
                                   answer.location)[len('http://x'):]
    raise AssertionError('no end')


def check_one_at_a_time(vault, site, scratch):
    """One backup, each of its steps done once, and the archive is right."""
    records = vault.records()
    assert len(records) == 1
    record = records[0]
    assert record['status'] == 'complete'
    assert record['kills'] == 0
    trees.assert_same(site, vault.parts(record), scratch, tools=('tar',))
    return record


def test_eight_chains_see_only_redirects(make_vault, site, tmp_path):
    trees.write(f'{site}/big', b'0123456789' * 2_000_000)
    vault = make_vault(site, step='max = 50ms').start()
    seen = []
    answers = run_chains(
        8, lambda i: persistent_chain(vault, vault.url(), seen))
    assert {a.status for a in answers} == {200}
    assert set(seen) == {200, 302}
    assert len({a.text for a in answers}) == 1
    check_one_at_a_time(vault, site, tmp_path)


def test_fifty_chains(make_vault, site, tmp_path):
    """On the secret URL and on step URLs, old ones replayed too."""
    trees.write(f'{site}/big', b'0123456789' * 2_000_000)
    vault = make_vault(site, step='max = 50ms').start()
    first = vault.get()
    assert first.status == 302
    old = urllib.parse.urljoin('http://x/stepvault/backup',
                               first.location)[len('http://x'):]
    seen, stop = [], threading.Event()

    def replay():
        """An old step number does nothing but lead to the current one."""
        while not stop.is_set():
            answer = vault.get(old)
            assert answer.status in (200, 302, 503)

    replayers = [threading.Thread(target=replay) for _ in range(3)]
    for thread in replayers:
        thread.start()
    try:
        answers = run_chains(50, lambda i: persistent_chain(
            vault, vault.url() if i % 2 else old, seen))
    finally:
        stop.set()
        for thread in replayers:
            thread.join()
    assert {a.status for a in answers} == {200}
    assert set(seen) <= {200, 302, 503}
    check_one_at_a_time(vault, site, tmp_path)


def test_several_processes(make_vault, site, tmp_path):
    """The same with four programs that share a data directory."""
    trees.write(f'{site}/big', b'0123456789' * 2_000_000)
    first = make_vault(site, step='max = 50ms')
    others = []
    for _ in range(3):
        other = make_vault(site)
        other.conf, other.data = first.conf, first.data
        others.append(other.start())
    vaults = [first.start()] + others
    seen = []
    answers = run_chains(16, lambda i: persistent_chain(
        vaults[i % 4], vaults[i % 4].url(), seen))
    assert {a.status for a in answers} == {200}
    check_one_at_a_time(first, site, tmp_path)
    for other in others:
        other.stop()


def test_overlapping_steps_never_happen(make_vault, site, tmp_path):
    """Each change to a job is made by one process under its lock: with two
    steps at once the recorded writes of the two would be mixed."""
    trees.write(f'{site}/big', b'0123456789' * 500_000)
    vault = make_vault(site, step='max = 50ms')
    log = tmp_path / 'log'
    vault.data.mkdir(mode=0o700)
    vault.start(env=faults.environment(vault.data, log=log))
    seen = []
    run_chains(8, lambda i: persistent_chain(vault, vault.url(), seen))
    vault.stop()
    marks = [line for line in log.read_bytes().split(b'\n')
             if line.endswith(b'/intent') and
             line.split(b' ')[0] in (b'create', b'remove')]
    # A step makes its mark and removes it before the next one does.
    kinds = [line.split(b' ')[0] for line in marks]
    assert kinds[0::2] == [b'create'] * len(kinds[0::2])
    assert kinds[1::2] == [b'remove'] * len(kinds[1::2])
    check_one_at_a_time(vault, site, tmp_path)


def test_a_second_profile_does_not_wait(make_vault, site, tmp_path):
    other = trees.make_site(tmp_path / 'other', files=5)
    vault = make_vault(
        site, step='max = 3s',
        more=f'[profile 2]\nsite = {other}\nmin_free = 0\n')
    # Steps of the first profile take their three seconds each.
    vault.data.mkdir(mode=0o700)
    vault.start(env=faults.environment(site, delay='stat:50000'))
    chains = [threading.Thread(target=vault.chain) for _ in range(8)]
    for thread in chains:
        thread.start()
    wait_for_step(vault)
    assert any(thread.is_alive() for thread in chains)
    answer = vault.chain(vault.url(profile=2))
    assert answer.text.startswith('200 OK')
    # The first profile's first step is still running.
    running = [r for r in vault.records() if r['status'] == 'running']
    assert [r['profile'] for r in running] == [1]
    assert running[0]['steps'] == 0
    for thread in chains:
        thread.join()
    assert {r['status'] for r in vault.records()} == {'complete'}


def test_starts_at_once_make_one_backup(make_vault, site):
    vault = make_vault(site).start()
    answers = run_chains(8, lambda i: vault.chain())
    assert {a.status for a in answers} == {200}
    assert len({a.text for a in answers}) == 1
    assert len(vault.records()) == 1


def test_starting_one_never_harms_another(make_vault, site, tmp_path):
    sites = [trees.make_site(tmp_path / f's{i}', seed=i, files=10)
             for i in range(2, 7)]
    more = ''.join(f'[profile {i}]\nsite = {s}\nmin_free = 0\n'
                   for i, s in enumerate(sites, 2))
    vault = make_vault(site, step='max = 50ms', more=more).start()
    answers = run_chains(
        12, lambda i: vault.chain(vault.url(profile=1 + i % 6)))
    assert {a.status for a in answers} == {200}
    records = {r['profile']: r for r in vault.records()}
    assert len(vault.records()) == 6
    for profile, where in [(1, site)] + list(enumerate(sites, 2)):
        trees.assert_same(where, vault.parts(records[profile]), tmp_path,
                          tools=('tar',))
    assert len({r['number'] for r in records.values()}) == 6


def test_command_line_and_chain_share_a_backup(make_vault, site, tmp_path):
    trees.write(f'{site}/big', b'0123456789' * 3_000_000)
    vault = make_vault(site, step='max = 50ms').start()
    assert vault.get().status == 302
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        chain = pool.submit(vault.chain)
        line = pool.submit(vault.cli, 'run')
        assert chain.result().status == 200
        assert line.result().returncode == 0
    complete = [r for r in vault.records() if r['status'] == 'complete']
    assert complete and all(
        r['status'] == 'complete' for r in vault.records())
    trees.assert_same(site, vault.parts(complete[-1]), tmp_path,
                      tools=('tar',))


def test_deleting_what_runs_is_refused(make_vault, site):
    vault = make_vault(site, step='max = 3s')
    vault.data.mkdir(mode=0o700)
    vault.start(env=faults.environment(site, delay='stat:50000'))
    chain = threading.Thread(target=vault.chain)
    chain.start()
    wait_for_step(vault)
    backup_id = vault.records()[0]['id']
    result = vault.cli('delete', backup_id, check=False)
    assert result.returncode == 5
    assert 'another process' in result.stderr
    chain.join()
    assert vault.record()['status'] == 'complete'
    vault.cli('delete', backup_id)
    assert vault.records() == []


