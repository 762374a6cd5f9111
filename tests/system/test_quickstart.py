# SPDX-License-Identifier: MIT
"""conf/quickstart.sh: one command from a clone to an archive."""
import os
import pathlib
import re
import shutil
import signal
import subprocess

import servers
import trees

SOURCE = servers.shipped('.').resolve().parent


def gone(pid):
    return not pathlib.Path(f'/proc/{pid}').exists()


def clone(folder):
    """The sources alone, as git would give them, and no build."""
    shutil.copytree(SOURCE, folder, ignore=lambda path, names: [
        name for name in names
        if name == '.git' or (path == str(SOURCE) and name == 'build')])
    return folder / 'conf/quickstart.sh'


def run(*command):
    result = subprocess.run(
        [*map(str, command)], text=True, timeout=300,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    pid = re.search(r'(?m)^To stop the server: kill (\d+)$', result.stdout)
    if pid:
        os.kill(int(pid[1]), signal.SIGTERM)
        servers.wait_for(lambda: gone(pid[1]), 'end of the server')
    return result.returncode, result.stdout


def test_quickstart(tmp_path, site):
    script = clone(tmp_path / 'clone')
    code, text = run(script, site, tmp_path / 'try')
    assert code == 0, text
    assert re.search(r'(?m)^200 OK$', text)
    archive = re.search(r'(?m)^To list it: +(.*)$', text)[1]
    listed = subprocess.run(archive.split(), check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    assert 'stepvault/SHA256SUMS' in listed
    trees.assert_same(site, [archive.split()[-1]], tmp_path)
    # What has been used is not used again.
    code, text = run(script, site, tmp_path / 'try')
    assert code == 2 and 'has been used already' in text
    # Its own sample takes several steps, and they are shown.
    code, text = run(script)
    assert code == 0, text
    assert re.search(r'(?m)^step 1, \w+, \d+ %$', text)
    shutil.rmtree(re.search(r'(?m)^To remove all: +rm -r (/tmp/\S+)$',
                            text)[1])
