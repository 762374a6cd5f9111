# SPDX-License-Identifier: MIT
import contextlib
import pathlib
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import trees  # noqa: E402
from mariadb import Mariadb  # noqa: E402
from vault import Vault  # noqa: E402


@pytest.fixture
def site(tmp_path):
    """A small site with a bit of everything."""
    return trees.make_site(tmp_path / 'site')


@pytest.fixture
def make_vault(tmp_path):
    """Make vaults that are gone, with their servers, when the test ends."""
    with contextlib.ExitStack() as stack:
        count = 0

        def make(site, **kwargs):
            nonlocal count
            count += 1
            return stack.enter_context(
                Vault(tmp_path / f'vault-{count}', site, **kwargs))

        yield make


@pytest.fixture(scope='module')
def server():
    """A MariaDB server, on a socket only, for all tests of a file."""
    with Mariadb() as mariadb:
        yield mariadb.start()


@pytest.fixture
def make_server():
    """Start MariaDB servers that are gone when the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda *args, **settings: stack.enter_context(
            Mariadb(*args, **settings)).start()


@pytest.fixture
def open_folder():
    """A folder that other users can reach, which tmp_path is not."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix='stepvault-'))
    folder.chmod(0o755)
    yield folder
    # Not shutil: it stops at what is unreadable, or too deep.
    subprocess.run(['chmod', '-R', 'u+rwX', folder], check=True)
    subprocess.run(['rm', '-rf', folder], check=True)
