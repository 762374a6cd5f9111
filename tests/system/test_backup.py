# SPDX-License-Identifier: MIT
"""The main job: a site through a chain of redirects into an archive."""
import json
import subprocess

import trees


def test_chain_to_the_end(make_vault, site, tmp_path):
    vault = make_vault(site).start()
    answer = vault.chain()
    assert answer.status == 200
    assert answer.text.startswith('200 OK\n')
    record = vault.record()
    assert record['status'] == 'complete'
    trees.assert_same(site, vault.parts(record), tmp_path)


def test_many_steps(make_vault, site, tmp_path):
    trees.write(f'{site}/big', b'0123456789abcdef' * 500000)
    vault = make_vault(site, step='max = 50ms',
                       profile='part_size = 64K').start()
    answer = vault.chain()
    assert answer.text.startswith('200 OK\n')
    record = vault.record()
    assert len(record['parts']) >= 3
    trees.assert_same(site, vault.parts(record), tmp_path)


def test_every_compression(make_vault, site, tmp_path):
    for compress in ('zstd:1', 'zstd:9', 'gzip:6', 'xz:0', 'none'):
        vault = make_vault(site, profile=f'compress = {compress}')
        vault.cli('run')
        trees.assert_same(site, vault.parts(), tmp_path)


def test_counts_and_manifest(make_vault, site, tmp_path):
    vault = make_vault(site)
    vault.cli('run')
    record = vault.record()
    facts, links = trees.describe(site)
    kinds = [fact[0] for fact in facts.values()]
    extra_names = sum(len(group) - 1 for group in links)
    assert record['files'] + record['hardlinks'] == kinds.count(0o100000)
    assert record['hardlinks'] == extra_names
    assert record['folders'] == kinds.count(0o040000)
    assert record['symlinks'] == kinds.count(0o120000)
    assert record['specials'] == kinds.count(0o010000)
    assert record['outside'] == 1
    assert record['warnings'] == 0
    target = trees.unpack(vault.parts(record), str(tmp_path / 'out'))
    with open(f'{target}/stepvault/manifest.jsonl', 'rb') as file:
        lines = [json.loads(line) for line in file]
    assert len(lines) == len(facts)
    sparse = next(x for x in lines if x['path'] == 'files/sparse')
    assert sparse['holes'][0][0] == 0
    listing = subprocess.run(
        ['zstd', '-l', str(vault.parts(record)[0])], check=True,
        stdout=subprocess.PIPE, text=True).stdout
    assert listing.splitlines()[-1].split()[1] == '1', 'one skippable frame'
