# SPDX-License-Identifier: MIT
"""WordPress from Debian's package: installed with content, backed up by the
secret URL, restored elsewhere by hand, and the same."""
import contextlib
import http.client
import pathlib
import re
import shutil
import subprocess
import urllib.parse

import pytest

import mariadb
import servers
import tables
import trees
from test_readme import block, restore_commands

PACKAGE = pathlib.Path('/usr/share/wordpress')
PASSWORD = "It's a \\ \"password\" $with #marks"
PREFIX = 'wp_5_'

# As wp-config-sample.php, with what such files have beside.
CONFIG = '''<?php
/**
 * The base configuration: define( 'DB_NAME', 'not_this_one' );
 */
# define( 'DB_PASSWORD', 'nor this' );
// define( 'DB_USER', 'nobody' );
define( 'DB_NAME', '%(name)s' );
define( 'DB_USER', '%(user)s' ) ;
define("DB_PASSWORD",   '%(password)s');
define( 'DB_HOST', 'localhost:%(socket)s' );
define( 'DB_CHARSET', 'utf8mb4' );
define( 'DB_COLLATE', '' );
define( 'AUTH_KEY', 'put your unique phrase here');
$table_prefix = '%(prefix)s';
define( 'WP_DEBUG', false );
define( 'DISABLE_WP_CRON', true );
define( 'WP_HTTP_BLOCK_EXTERNAL', true );
define( 'AUTOMATIC_UPDATER_DISABLED', true );
define( 'WP_HOME', 'http://127.0.0.1:%(port)s' );
define( 'WP_SITEURL', 'http://127.0.0.1:%(port)s' );
if ( ! defined( 'ABSPATH' ) ) {
	define( 'ABSPATH', __DIR__ . '/' );
}
require_once ABSPATH . 'wp-settings.php';
'''

# While it is installed it would ask itself, and wait for the answer.
ALONE = '''<?php
add_filter( 'pre_http_request', function () {
	return new WP_Error( 'alone', 'nobody is asked' );
} );
'''

CONTENT = r'''
$_SERVER['HTTP_HOST'] = '127.0.0.1';
require 'wp-load.php';
foreach (['Grüße 😀 𝒳', "It's \\'quoted\\' -- /* so */", '日本語の題名'] as $i => $title) {
    $id = wp_insert_post(wp_slash(['post_title' => $title,
        'post_content' => str_repeat("<p>Absatz \"$i\"\r\n\\ \x1a привет 😀</p>\n", 300),
        'post_status' => 'publish', 'post_name' => "post-$i",
        'post_date' => '2024-02-0' . ($i + 1) . ' 03:04:05']), true);
    if (is_wp_error($id)) exit($id->get_error_message());
    add_post_meta($id, 'notes', wp_slash(['a' => "b\\c\n", 'ü' => [1, null, 2.5]]));
    wp_insert_comment(wp_slash(['comment_post_ID' => $id, 'comment_approved' => 1,
        'comment_author' => 'Zoë', 'comment_author_email' => 'zoe@example.org',
        'comment_content' => "Schön! 🎉 `\\`",
        'comment_date' => '2024-03-01 00:00:00']));
}
update_option('blogdescription', wp_slash("Ein 'Untertitel' 😀"));
for ($i = 0; $i < 2000; $i++)
    add_option("option_$i", str_repeat("\0\\'\"\n\u{1F600}", $i % 50), '', 'no');
echo 'done';
'''

PAGES = ['/', '/?name=post-0', '/?name=post-1', '/?name=post-2',
         '/?feed=rss2', '/?feed=comments-rss2', '/?page_id=2', '/?m=202402',
         '/index.php?rest_route=/wp/v2/posts', '/readme.html',
         '/wp-includes/css/dist/block-library/style.min.css',
         '/?name=not-there', '/wp-login.php']


class Site:
    """A copy of WordPress in a folder, a database, PHP's own web server."""

    def __init__(self, folder, server, name):
        self.folder = pathlib.Path(folder)
        self.server = server
        self.name = name
        self.port = servers.free_port()
        self.process = None

    def configure(self):
        escaped = PASSWORD.replace('\\', '\\\\').replace("'", "\\'")
        (self.folder / 'wp-config.php').write_text(CONFIG % {
            'name': self.name, 'user': 'wordpress', 'password': escaped,
            'socket': self.server.socket, 'prefix': PREFIX,
            'port': self.port})

    def __enter__(self):
        with open(self.folder.parent / f'{self.name}.log', 'ab') as log:
            self.process = subprocess.Popen(
                ['php', '-S', f'127.0.0.1:{self.port}', '-t', self.folder],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder)

        def answers():
            with contextlib.suppress(OSError):
                return self.get('/readme.html')[0] == 200

        servers.wait_for(answers, 'web server of PHP')
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def get(self, path, method='GET', body=None, headers=()):
        connection = http.client.HTTPConnection('127.0.0.1', self.port,
                                                timeout=120)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read().decode('utf-8', 'replace')

    def page(self, path):
        """An answer as it would be on any port."""
        status, text = self.get(path)
        # Its content has that of the first.
        text = re.sub(r'127\.0\.0\.1(:|%3A)\d+', 'HOST', text)
        return status, re.sub(r'<lastBuildDate>.*?</lastBuildDate>', '', text)

    def install(self):
        """As a person does: one form; and then some content."""
        form = urllib.parse.urlencode({
            'weblog_title': 'Prüfung 😀', 'user_name': 'admin',
            'admin_password': 'secret-of-admin',
            'admin_password2': 'secret-of-admin', 'pw_weak': 'on',
            'admin_email': 'admin@example.org', 'blog_public': '0'})
        status, text = self.get(
            '/wp-admin/install.php?step=2', 'POST', form, servers.FORM)
        assert status == 200 and 'wp-login.php' in text, text
        done = subprocess.run(['php', '-r', CONTENT], cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=120, check=True)
        assert done.stdout == b'done', done.stdout


@pytest.fixture
def wordpress(tmp_path, server):
    folder = tmp_path / 'wordpress'
    # With what Debian has elsewhere.
    subprocess.run(['cp', '-rL', PACKAGE, folder], check=True)
    server.create('wordpress')
    escaped = PASSWORD.replace('\\', '\\\\').replace("'", "''")
    server.sql(f"CREATE OR REPLACE USER wordpress IDENTIFIED BY '{escaped}'; "
               'GRANT ALL ON `wordpress%`.* TO wordpress')
    site = Site(folder, server, 'wordpress')
    site.configure()
    trees.write(f'{folder}/wp-content/mu-plugins/alone.php', ALONE)
    with site:
        site.install()
        yield site


def restore_by_hand(vault, target, server, name):
    """By the commands of the README, which give the files to rsync."""
    archive, = vault.parts()
    files = restore_commands().replace('/tmp/restored', str(target))
    files = files.replace('ARCHIVE.tar.zst', str(archive))
    database = block('under whatever name:\n\n```\n', '```')
    client = ' '.join([*mariadb.CLIENT, f'--socket={server.socket}',
                       '--user=root'])
    for old, new in ((r'\bmariadb\b', client),
                     ('DATABASE shop', f'DATABASE {name}'),
                     ('databases/shop/', 'databases/wordpress/'),
                     (r'\bshop\b', name)):
        database = re.sub(old, new, database)
    script = re.sub(r'(?m)^rsync .*\n', '', files) + database
    subprocess.run(['bash', '-eo', 'pipefail', '-c', script], check=True,
                   timeout=120)


def test_backup_and_restore(wordpress, tmp_path, server, make_vault):
    before = {path: wordpress.page(path) for path in PAGES}
    assert before['/'][0] == 200 and 'Grüße 😀 𝒳' in before['/'][1]
    assert 'Schön! 🎉' in before['/?name=post-1'][1]
    vault = make_vault(wordpress.folder, step='max = 500ms',
                       profile='database = wp-config.php')
    vault.start()
    answer = vault.chain()
    assert answer.text.startswith('200 OK\n')
    record = vault.record()
    assert record['warnings'] == 0
    database = tables.of_database(record, 'wordpress')
    assert database['consistency'] == 'snapshot'
    assert database['tables'] == len(server.tables('wordpress')) >= 12
    target = tmp_path / 'restored'
    restore_by_hand(vault, target, server, 'wordpress_2')
    tables.assert_same(server, 'wordpress', 'wordpress_2')
    assert (trees.describe(target / 'files') ==
            trees.describe(wordpress.folder))
    copy = Site(target / 'files', server, 'wordpress_2')
    copy.configure()
    with copy:
        for path in PAGES:
            assert copy.page(path) == before[path], path
    shutil.rmtree(target)


def test_site_of_another_folder(wordpress, server, make_vault):
    """wp-config.php may lie one folder above the site."""
    above = wordpress.folder.parent / 'wp-config.php'
    (wordpress.folder / 'wp-config.php').rename(above)
    vault = make_vault(wordpress.folder, profile=f'database = {above}')
    vault.cli('run')
    tables.assert_restored(server, vault, 'wordpress')
