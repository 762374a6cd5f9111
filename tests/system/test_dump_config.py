# SPDX-License-Identifier: MIT
"""A database that the site's own configuration names, which somebody edits
while it is dumped."""
import os
import pathlib
import signal
import urllib.parse

import pytest

import faults
import tables

STEP = 'max = 60ms\ncheckpoint_size = 1M'
SLOW = 'write:15000'


def write_config(site, server, name, password):
    pathlib.Path(site, 'wp-config.php').write_text(f'''<?php
        define('DB_NAME', '{name}'); define('DB_USER', 'blogger');
        define('DB_PASSWORD', '{password}');
        define('DB_HOST', 'localhost:{server.socket}');''')


@pytest.fixture
def vault(make_vault, site, server):
    """Two databases, of which the configuration names the first."""
    for name in ('blog', 'forum'):
        server.create(name)
        server.sql(''.join(
            f'CREATE TABLE t{i} (id INT PRIMARY KEY, t TEXT); INSERT INTO '
            f't{i} SELECT seq, REPEAT(UUID(), 20) FROM seq_1_to_500;'
            for i in range(20)), name)
    server.sql("CREATE OR REPLACE USER blogger@localhost IDENTIFIED BY 'one';"
               "GRANT ALL ON *.* TO blogger@localhost")
    write_config(site, server, 'blog', 'one')
    return make_vault(site, step=STEP, profile='database = wp-config.php')


def step_into_dump(vault):
    """Until some of it was read and not all; the URL that goes on."""
    vault.start(env=faults.environment(vault.data, delay=SLOW))
    url = vault.url()
    for _ in range(1000):
        answer = vault.get(url)
        assert answer.status == 302, answer.text
        url = urllib.parse.urljoin(url, answer.location)
        if vault.state()['dump.rows'] > 0:
            break
    assert vault.state()['dump.rows'] < 10000
    return url


def test_another_database(vault, site, server):
    """Never half of one and half of the other."""
    url = step_into_dump(vault)
    write_config(site, server, 'forum', 'one')
    answer = vault.chain(url)
    assert answer.status == 500
    assert 'names another database than when this backup was begun' \
        in answer.text
    # The next one follows it.
    assert vault.chain(vault.url(fresh=1)).text.startswith('200 OK\n')
    tables.assert_restored(server, vault, 'forum')


def test_another_password(vault, site, server):
    """The snapshot that is held does not need it, and a new one takes it."""
    url = step_into_dump(vault)
    server.sql("SET PASSWORD FOR blogger@localhost = PASSWORD('two')")
    write_config(site, server, 'blog', 'two')
    for pid in vault.companions():
        os.kill(pid, signal.SIGKILL)
    answer = vault.chain(url)
    assert answer.text.startswith('200 OK\n'), answer.text
    tables.assert_restored(server, vault, 'blog')
