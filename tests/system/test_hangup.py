# SPDX-License-Identifier: MIT
"""A client that does not wait: an answer that nobody takes after twenty
seconds was cut off by a time-out, and steps become shorter; one that nobody
takes earlier says nothing."""
import random

import fastcgi
import faults
import trees
from servers import wait_for


def hang_up(vault):
    """Send a request and go away; returns when its step has ended."""
    steps = (vault.state() or {'steps': 0})['steps']
    with fastcgi.connect(vault.address) as sock:
        sock.sendall(fastcgi.encode(fastcgi.variables(vault.url())))
        wait_for(lambda: list(vault.data.glob('jobs/*/intent')), 'step')
    wait_for(lambda: vault.state()['steps'] > steps, 'end of the step')


def test_hang_up(make_vault, tmp_path):
    site = tmp_path / 'site'
    trees.write(f'{site}/file', random.Random(9).randbytes(20000000))
    slow = faults.environment(site, delay='read:20000')
    vault = make_vault(site, step='max = 200ms')
    vault.start(env=slow)
    hang_up(vault)
    vault.stop()
    assert vault.limits()['chain.budget_ms'] == 0
    vault.configure(step='max = 21s')
    vault.start(env=slow)
    hang_up(vault)
    # The server ends when the request's thread has.
    vault.stop()
    assert 9500 <= vault.limits()['chain.budget_ms'] <= 15000
    vault.start()
    assert vault.chain().text.startswith('200 OK\n')
    assert vault.record()['kills'] == 0
    trees.assert_same(site, vault.parts(), tmp_path)
