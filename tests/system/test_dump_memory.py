# SPDX-License-Identifier: MIT
"""However large a table is: neither who steps nor the companion needs more
than 32 MiB and three times the largest row."""
import pathlib

import pytest

import tables
import trees

MIB = 2**20
ROW = 64 * MIB


def peak(pid):
    """VmHWM in bytes."""
    for line in pathlib.Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith('VmHWM:'):
            return int(line.split()[1]) * 1024
    raise AssertionError(pid)


@pytest.fixture
def measure(make_server, make_vault, tmp_path):
    """Peak memory of step and companion, of a backup of these tables."""
    def measure(*statements):
        server = make_server(max_allowed_packet='256M',
                             innodb_log_file_size='96M')
        server.create('large')
        for statement in statements:
            server.sql(statement, 'large')
        site = tmp_path / 'site'
        trees.write(f'{site}/index.html', 'a site')
        vault = make_vault(site, step='max = 1s',
                           profile=tables.profile(server, 'large'))
        vault.start()
        peaks = {}

        def look(*_):
            for who, pid in (('step', vault.process.pid),
                             ('companion', vault.companion())):
                if pid:
                    peaks[who] = max(peaks.get(who, 0), peak(pid))

        answer = vault.chain(visit=look)
        assert answer.text.startswith('200 OK\n'), answer.text
        look()
        print(peaks)
        assert set(peaks) == {'step', 'companion'}
        tables.restore(server, vault, 'large', 'copy')
        assert server.checksums('copy') == server.checksums('large')
        return peaks

    return measure


@pytest.mark.parametrize('key', ['PRIMARY KEY', 'NOT NULL'])
def test_many_rows(measure, key):
    peaks = measure(
        f'CREATE TABLE many (id INT {key}, data VARCHAR(100))',
        "INSERT INTO many SELECT seq, RPAD(SHA2(seq, 256), 90, 'x') "
        'FROM seq_1_to_600000')
    assert max(peaks.values()) <= 32 * MIB


def test_large_rows(measure):
    peaks = measure(
        'CREATE TABLE large (id INT PRIMARY KEY, data LONGBLOB)',
        *(f'INSERT INTO large VALUES ({number}, '
          f'REPEAT(RANDOM_BYTES(1024), {ROW // 1024}))'
          for number in range(3)))
    assert max(peaks.values()) <= 32 * MIB + 3 * ROW


def test_many_blobs(measure):
    """A chunk has as many as fit into it."""
    peaks = measure(
        'CREATE TABLE blobs (id INT PRIMARY KEY, data MEDIUMBLOB)',
        'INSERT INTO blobs SELECT seq, REPEAT(RANDOM_BYTES(1024), 1024) '
        'FROM seq_1_to_60')
    assert max(peaks.values()) <= 35 * MIB


def test_wide_list(measure):
    """Hundreds of tables, each with a warning."""
    peaks = measure(''.join(
        f'CREATE TABLE table_with_a_long_name_{number} (id INT PRIMARY KEY) '
        'ENGINE=Aria TRANSACTIONAL=0;' for number in range(600)))
    assert max(peaks.values()) <= 32 * MIB
