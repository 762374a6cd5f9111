# SPDX-License-Identifier: MIT
"""A person opens the secret URL in a browser and waits."""
import contextlib
import os
import pathlib
import re
import signal

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

import servers
import trees
from vault import SECRET

FILES = 40
ARGUMENTS = ['--headless=new', '--no-sandbox', '--disable-gpu',
             '--disable-dev-shm-usage', '--no-first-run',
             '--disable-background-networking', '--disable-sync',
             '--disable-component-update', '--disable-extensions',
             '--disable-default-apps', '--no-proxy-server']


@pytest.fixture
def host():
    """Each file of its site takes as long as a step may take."""
    def make_site(root):
        for i in range(FILES):
            trees.write(f'{root}/file-{i:02}', f'{i}\n')
        return str(root)

    with servers.Host(make_site, slow='read:50000') as host:
        yield host


def running(word):
    """The process IDs of what has a word in its command line."""
    for entry in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError):
            if word.encode() in pathlib.Path(
                    f'/proc/{entry}/cmdline').read_bytes():
                yield int(entry)


def end_all(word):
    """A browser is many processes, which end by and by."""
    try:
        servers.wait_for(lambda: not list(running(word)), 'end', 10)
    except AssertionError:
        for pid in running(word):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def browser(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    for name in list(os.environ):
        if name.lower().endswith('_proxy'):
            monkeypatch.delenv(name)
    options = webdriver.ChromeOptions()
    options.binary_location = servers.need('chromium')
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.add_argument(f'--user-data-dir={tmp_path}/profile')
    service = Service(servers.need('chromedriver'))
    driver = webdriver.Chrome(service=service, options=options)
    try:
        yield driver
    finally:
        with contextlib.suppress(Exception):
            driver.quit()
        end_all(str(tmp_path))


def test_browser_sees_it_through(host, browser):
    server = host.serve(servers.Nginx)
    browser.set_page_load_timeout(60)
    browser.get(server.url())
    assert SECRET not in browser.current_url
    WebDriverWait(browser, 60, 0.05).until(
        lambda browser: '200 OK' in browser.page_source)
    assert browser.title == 'Stepvault'
    assert browser.find_element('tag name', 'pre').text.startswith('200 OK')
    assert int(re.search(r'hop=(\d+)', browser.current_url)[1]) > 20
    assert SECRET not in browser.current_url
    answers = re.findall(r'"GET /stepvault/backup HTTP/1.1" (\d+) ',
                         server.errors())
    # Chromium follows nineteen redirects: a page comes before that.
    pages = [i for i, status in enumerate(answers) if status == '200']
    assert pages == [14, 29, len(answers) - 1]
    host.assert_archive()
