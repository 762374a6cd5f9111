# SPDX-License-Identifier: MIT
"""A file longer than the eleven octal digits of a tar header can say."""
import subprocess

import trees


def test_large_file(make_vault, tmp_path):
    """Sparse, so that it fits anywhere, with islands at both ends."""
    size = 8 * 2**30 + 12345
    site = tmp_path / 'site'
    trees.write(f'{site}/small', 'before it or after')
    with open(site / 'large', 'wb') as file:
        file.write(b'first')
        file.truncate(size)
        file.seek(size - 5)
        file.write(b'last.')
    vault = make_vault(site, profile='compress = zstd:1')
    assert vault.start().chain().text.startswith('200 OK\n')
    record = vault.record()
    assert record['bytes'] == size + 18
    assert (record['files'], record['warnings']) == (2, 0)
    assert record['archive_size'] < 10**7
    archive, = vault.parts()
    listing = subprocess.run(['bsdtar', '-tvf', archive], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
    line, = (line for line in listing.splitlines()
             if line.endswith('files/large'))
    assert line.split()[4] == str(size)
    subprocess.run(f'tar --zstd -xOf {archive} files/large | '
                   f'cmp - {site}/large', shell=True, check=True)
