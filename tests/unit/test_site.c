/* SPDX-License-Identifier: MIT */
/*
 * Configurations in the shape of real ones, in tests/data/site.  The password
 * of each has "s3cr3t" in it, which no fault may say.
 */
#include "check.h"
#include "tool.h"

#include "source/site.h"
#include "store/profile.h"

#include <sys/stat.h>

#define SITE TESTS_DATA "/site"

#define S3 "s3cr3t"

struct good {
	const char *config;
	const char *host; /* NULL: a socket */
	int port;
	const char *socket;
	const char *user;
	const char *password;
	const char *name;
};

static const struct good goods[] = {
	{ "wordpress.php", NULL, 0, NULL, "blog",
	    "it's \\ 50% \"s3cr3t\" $HOME", "blog_db" },
	{ "wordpress-port.php", "127.0.0.1", 3307, NULL, "blog",
	    "$s3cr3t\"\\\nAA\xc3\xa4$", "blog_db" },
	/* As PHP does, and every client. */
	{ "wordpress-localhost-port.php", NULL, 0, NULL, "u", S3, "blog" },
	{ "wordpress-socket.php", NULL, 0, "/run/mysqld/other.sock", "u", "",
	    "blog" },
	{ "wordpress-ipv6.php", "::1", 3306, NULL, "u", S3, "blog" },
	{ "wordpress-address.php", "2001:db8::7", 3306, NULL, "u", S3, "blog" },
	{ "wordpress-guarded.php", "db.example.org", 3310, NULL, "u", S3,
	    "blog" },
	{ "wordpress-parts.php", NULL, 0, NULL, "shop_1", S3, "shop_1_wp" },
	{ "joomla.php", "10.0.0.5", 3308, NULL, "joe", S3 "{}", "joomla-db" },
	{ "joomla-old.php", NULL, 0, NULL, "joe", S3, "joomla" },
	{ "drupal.php", "db.internal", 3309, NULL, "dru", S3, "drupal_db" },
	{ "drupal-nested.php", NULL, 0, "/run/s", "dru", S3 "2", "d" },
	{ "magento.php", NULL, 0, NULL, "mage", S3, "magento_db" },
	{ "magento-array.php", NULL, 0, "/run/mysqld/m.sock", "mage", S3, "m" },
	{ "prestashop.php", "127.0.0.1", 3306, NULL, "shop", S3, "presta" },
	{ "prestashop-old.php", NULL, 0, "/tmp/s", "shop", S3, "presta" },
	{ "laravel.env", "127.0.0.1", 3311, NULL, "app user",
	    S3 " # \"\\$ $x $y", "app" },
	{ "laravel-references.env", NULL, 0, "/run/s", "app", "", "appxapp" },
	{ "laravel-nothing.env", NULL, 0, NULL, "u", "", "app" },
	{ "symfony.env", "127.0.0.1", 3306, NULL, "app", S3 "!@", "app_db" },
	{ "symfony-socket.env", NULL, 0, "/run/s", "app", S3, "app" },
	{ "symfony-parts.env", "db", 3306, NULL, "app", S3, "app" },
	{ "symfony-compiled.php", "db", 3312, NULL, "app", S3, "app" },
	{ "bedrock.env", NULL, 0, NULL, "rock", S3 " $x \\n", "bed" },
};

static const struct {
	const char *config;
	const char *words;
} bads[] = {
	{ "wordpress-heredoc.php",
	    "wordpress-heredoc.php:11: the password of the database stands in "
	    "a heredoc, which is not read; write database = mysql://" },
	{ "wordpress-getenv.php",
	    "wordpress-getenv.php:5: the password of the database comes from "
	    "the environment" },
	{ "wordpress-docker.php",
	    "wordpress-docker.php:13: the name of the database comes from the "
	    "environment" },
	{ "wordpress-server.php", ":2: the name of the database comes from" },
	{ "wordpress-condition.php",
	    ":3: the name of the database depends on a condition (see line 5" },
	{ "wordpress-interpolated.php",
	    ":5: the password of the database has a variable in it" },
	{ "wordpress-call.php", ":4: the password of the database is made by" },
	{ "wordpress-bareword.php", ":4: the password of the database is mad" },
	{ "wordpress-cut.php", ":4: the password of the database does not en" },
	{ "wordpress-system.php",
	    ":15: the name of the database may be set by "
	    "/etc/blogs/default.php, which is loaded in line 9; write the path "
	    "of that file" },
	{ "wordpress-elsewhere.php",
	    "names no database itself, but loads /../private/database.php in "
	    "line 3; write the path of the file that names it" },
	{ "joomla-pgsql.php", "is of the kind pgsql; only MySQL and MariaDB" },
	{ "drupal-sqlite.php", "is of the kind sqlite; only MySQL and Maria" },
	{ "drupal-merged.php", ":2: the name of the database is made by a pr" },
	{ "drupal-cms-host.php", "but loads /settings.hoster.php in line 4" },
	{ "laravel-hash.env", ":3: the password of the database has a '#' in" },
	{ "laravel-blank.env", ":3: the password of the database has a blank" },
	{ "laravel-quote.env", ":2: the password of the database does not e" },
	{ "laravel-reference.env",
	    ":2: the password of the database has a variable in it that is not "
	    "set before in this file" },
	{ "laravel-socket.env", "host, port or socket of the database is" },
	{ "drupal-port.php", "host, port or socket of the database is none" },
	{ "wordpress-host.php", "host, port or socket of the database is no" },
	{ "laravel-sqlite.env", "is of the kind sqlite; only MySQL" },
	{ "symfony-postgres.env", "the URL of the database is none of MySQL" },
	{ "symfony-dollar.env", "has a '$' in it" },
	{ "symfony-hash.env", "they are written %20 and %23" },
	{ "none.php", "names no database in a way that is known of WordPress" },
	{ "none.env", "Laravel or Symfony; write database = mysql://USER" },
	{ "empty.php", "names no database in a way that is known" },
};

static int
resolve(const char *site, const char *config, struct database *to,
    struct fault *fault)
{
	struct database from;
	int result;

	fault_clear(fault);
	if (database_parse(&from, config, fault) != 0)
		fail_msg("%s: %s", config, fault->text);
	result = site_database(site, &from, to, fault);
	database_close(&from);
	return result;
}

static void
assert_text(const char *config, const char *got, const char *wanted)
{
	if ((got == NULL) != (wanted == NULL) ||
	    (got != NULL && strcmp(got, wanted) != 0))
		fail_msg("%s: '%s' instead of '%s'", config,
		    got != NULL ? got : "(none)",
		    wanted != NULL ? wanted : "(none)");
}

static void
reads_every_program(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(goods); i++) {
		const struct good *good = &goods[i];
		struct database database;
		struct fault fault;

		assert_fine(
		    resolve(SITE, good->config, &database, &fault), &fault);
		assert_null(database.config);
		assert_text(good->config, database.host, good->host);
		assert_int_equal(database.port, good->port);
		assert_text(good->config, database.socket, good->socket);
		assert_text(good->config, database.user, good->user);
		assert_text(good->config, database.password, good->password);
		assert_text(good->config, database.name, good->name);
		assert_text(good->config, database.label, good->name);
		assert_int_equal(database.tls, DATABASE_TLS_PREFERRED);
		database_close(&database);
	}
}

static void
says_what_is_not_literal(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(bads); i++) {
		struct database database;
		struct fault fault;

		assert_faulty(resolve(SITE, bads[i].config, &database, &fault),
		    FAULT_USAGE, bads[i].words, &fault);
		if (strncmp(fault.text, bads[i].config,
			strlen(bads[i].config)) != 0)
			fail_msg("no file is named: %s", fault.text);
		if (strstr(fault.text, S3) != NULL)
			fail_msg("the password is said: %s", fault.text);
		database_close(&database);
	}
}

static void
finds_the_file_and_keeps_the_label(void **state)
{
	struct database database;
	struct fault fault;

	(void)state;
	assert_fine(resolve("/nowhere", SITE "/wordpress.php?as=x-y", &database,
			&fault),
	    &fault);
	assert_string_equal(database.name, "blog_db");
	assert_string_equal(database.label, "x-y");
	database_close(&database);
	assert_fine(
	    resolve(SITE, "../site/symfony.env?as=z", &database, &fault),
	    &fault);
	assert_string_equal(database.label, "z");
	database_close(&database);
	/* What needs no reading. */
	assert_fine(
	    resolve("/nowhere", "mysql://u:p@h/n", &database, &fault), &fault);
	assert_string_equal(database.password, "p");
	assert_string_equal(database.host, "h");
	database_close(&database);
}

static void
refuses_what_is_no_such_file(void **state)
{
	char large[4300];
	struct database database;
	struct fault fault;
	FILE *file;

	assert_faulty(resolve(*state, "x.php", &database, &fault),
	    FAULT_NOT_FOUND, "/x.php cannot be read", &fault);
	database_close(&database);
	assert_faulty(resolve(*state, "../..", &database, &fault), FAULT_USAGE,
	    "is no file of at most 1048576 bytes", &fault);
	database_close(&database);
	tool_run(*state, "mkfifo pipe.php; ln -s " SITE "/joomla.php link.php");
	assert_faulty(resolve(*state, "pipe.php", &database, &fault),
	    FAULT_USAGE, "is no file", &fault);
	database_close(&database);
	/* It is the administrator's path. */
	assert_fine(resolve(*state, "link.php", &database, &fault), &fault);
	database_close(&database);
	snprintf(large, sizeof(large), "%s/large.php", (char *)*state);
	file = fopen(large, "we");
	fprintf(file, "<?php define('DB_NAME', 'x');\n");
	assert_int_equal(ftruncate(fileno(file), 1024 * 1024), 0);
	fclose(file);
	assert_fine(resolve(*state, "large.php", &database, &fault), &fault);
	database_close(&database);
	assert_int_equal(truncate(large, 1024 * 1024 + 1), 0);
	assert_faulty(resolve(*state, "large.php", &database, &fault),
	    FAULT_USAGE, "is no file of at most", &fault);
	database_close(&database);
}

static void
write_text(const char *folder, const char *name, const char *text)
{
	tool_write(folder, name, text, strlen(text));
}

/* A settings.local.php counts where, and if, it is loaded. */
static void
follows_drupals_local_settings(void **state)
{
	static const char load[] =
	    "if (file_exists($app_root . '/' . $site_path . "
	    "'/settings.local.php')) {\n"
	    "  include $app_root . '/' . $site_path . '/settings.local.php';\n"
	    "}\n";
	static const char ours[] =
	    "$databases['default']['default'] = ['database' => 'live', "
	    "'username' => 'u', 'password' => 's3cr3t'];\n";
	static const char theirs[] =
	    "<?php\n$databases['default']['default']['database'] = 'local';\n";
	struct database database;
	struct strbuf text = STRBUF_EMPTY;
	struct fault fault;

	strbuf_addf(&text, "<?php\n%s%s", ours, load);
	write_text(*state, "settings.php", text.bytes);
	assert_fine(resolve(*state, "settings.php", &database, &fault), &fault);
	assert_string_equal(database.name, "live");
	database_close(&database);
	write_text(*state, "settings.local.php", theirs);
	assert_fine(resolve(*state, "settings.php", &database, &fault), &fault);
	assert_string_equal(database.name, "local");
	assert_string_equal(database.user, "u");
	database_close(&database);
	/* What comes after it goes before it. */
	strbuf_reset(&text);
	strbuf_addf(&text, "<?php\n%s%s", load, ours);
	write_text(*state, "settings.php", text.bytes);
	assert_fine(resolve(*state, "settings.php", &database, &fault), &fault);
	assert_string_equal(database.name, "live");
	database_close(&database);
	/* Nobody loads it. */
	strbuf_reset(&text);
	strbuf_addf(&text, "<?php\n%s/*\n%s*/", ours, load);
	write_text(*state, "settings.php", text.bytes);
	assert_fine(resolve(*state, "settings.php", &database, &fault), &fault);
	assert_string_equal(database.name, "live");
	database_close(&database);
	/* Any other file that is there could have the last word. */
	strbuf_reset(&text);
	strbuf_addf(
	    &text, "<?php\n%sinclude __DIR__ . '/settings.x.php';", ours);
	write_text(*state, "settings.php", text.bytes);
	assert_fine(resolve(*state, "settings.php", &database, &fault), &fault);
	database_close(&database);
	write_text(*state, "settings.x.php", theirs);
	assert_faulty(resolve(*state, "settings.php", &database, &fault),
	    FAULT_USAGE,
	    "may be set by /settings.x.php, which is loaded in "
	    "line 3",
	    &fault);
	database_close(&database);
	/* A fault names the file in which it is. */
	strbuf_reset(&text);
	strbuf_addf(&text, "<?php\n%s%s", ours, load);
	write_text(*state, "settings.php", text.bytes);
	write_text(*state, "settings.local.php",
	    "<?php\n\n$databases['default']['default']['host'] = f();");
	assert_faulty(resolve(*state, "settings.php", &database, &fault),
	    FAULT_USAGE, "settings.local.php:3: the host of the", &fault);
	database_close(&database);
	strbuf_close(&text);
}

/* The label is that of the schema, which stands elsewhere. */
static void
wants_a_label_for_each(void **state)
{
	static char site[] = SITE;
	struct database named[3];
	struct profile profile = { .site = site, .databases = { named, 2 } };
	struct fault fault;

	(void)state;
	assert_fine(
	    database_parse(&named[0], "mysql://h/blog", &fault), &fault);
	assert_fine(
	    database_parse(&named[1], "wordpress-ipv6.php", &fault), &fault);
	assert_fine(database_parse(&named[2], "none.php?as=x", &fault), &fault);
	assert_faulty(site_check(&profile, &fault), FAULT_USAGE,
	    "two databases are called blog; add ?as=NAME to one", &fault);
	named[1].label = strbuf_copy("other");
	assert_fine(site_check(&profile, &fault), &fault);
	profile.databases.count = 3;
	assert_faulty(site_check(&profile, &fault), FAULT_USAGE,
	    "none.php names no database", &fault);
	for (int i = 0; i < 3; i++)
		database_close(&named[i]);
}

/* Symfony has a file beside it that goes before. */
static void
refuses_a_dotenv_that_is_not_alone(void **state)
{
	struct database database;
	struct fault fault;

	write_text(*state, ".env", "DATABASE_URL=mysql://h/n\n");
	write_text(*state, ".env.local", "APP_ENV=prod\n");
	assert_fine(resolve(*state, ".env", &database, &fault), &fault);
	database_close(&database);
	write_text(*state, ".env.local", "DATABASE_URL=mysql://h/m\n");
	assert_faulty(resolve(*state, ".env", &database, &fault), FAULT_USAGE,
	    ".env: the database is named in .env.local, too, which goes "
	    "before it",
	    &fault);
	database_close(&database);
	assert_fine(resolve(*state, ".env.local", &database, &fault), &fault);
	assert_string_equal(database.name, "m");
	database_close(&database);
}

/* -- which kind of site -----------------------------------------------------
 */

static void
assert_found(const char *folder, const char *kind, const char *config)
{
	struct site site;
	struct fault fault;

	assert_fine(site_find(folder, &site, &fault), &fault);
	assert_text(folder, site.kind, kind);
	assert_text(folder, site.config, config);
	site_close(&site);
}

#define PUT(name, as) \
	"mkdir -p $(dirname " as ") && cp " SITE "/" name " " as " && "

static void
tells_kinds_of_sites(void **state)
{
	static const struct {
		const char *make;
		const char *root; /* of the site, below the folder */
		const char *kind;
		const char *config;
	} sites[] = {
		{ PUT("wordpress.php", "a/wp-config.php")
			PUT("none.php", "a/wp-load.php"),
		    "a", "WordPress", "wp-config.php" },
		/* Not installed yet. */
		{ PUT("none.php", "b/wp-load.php"), "b", "WordPress", NULL },
		{ PUT("none.php", "c/www/wp-load.php")
			PUT("wordpress.php", "c/wp-config.php"),
		    "c/www", "WordPress", "../wp-config.php" },
		/* Above it is another. */
		{ PUT("none.php", "d/sub/wp-load.php")
			PUT("none.php", "d/wp-settings.php")
			    PUT("wordpress.php", "d/wp-config.php"),
		    "d/sub", "WordPress", NULL },
		{ PUT("none.php", "e/web/wp-config.php")
			PUT("bedrock.env", "e/.env"),
		    "e", "Bedrock", ".env" },
		{ PUT("none.php", "f/administrator/index.php")
			PUT("joomla.php", "f/configuration.php"),
		    "f", "Joomla", "configuration.php" },
		{ PUT("drupal.php", "g/sites/default/settings.php"), "g",
		    "Drupal", "sites/default/settings.php" },
		{ PUT("drupal.php", "h/web/sites/default/settings.php"), "h",
		    "Drupal", "web/sites/default/settings.php" },
		{ PUT("none.php", "i/bin/magento") PUT("magento.php",
		      "i/app/etc/env.php") PUT("none.php", "i/pub/index.php"),
		    "i", "Magento", "app/etc/env.php" },
		{ "true && ", "i/pub", "Magento", "../app/etc/env.php" },
		{ PUT("none.php", "j/classes/PrestaShopAutoload.php")
			PUT("none.php", "j/config/settings.inc.php") PUT(
			    "prestashop.php", "j/app/config/parameters.php"),
		    "j", "PrestaShop", "app/config/parameters.php" },
		{ PUT("none.php", "k/classes/PrestaShopAutoload.php")
			PUT("prestashop-old.php", "k/config/settings.inc.php"),
		    "k", "PrestaShop", "config/settings.inc.php" },
		{ PUT("none.php", "l/artisan") PUT("laravel.env", "l/.env")
			PUT("none.php", "l/public/index.php"),
		    "l", "Laravel", ".env" },
		{ "true && ", "l/public", "Laravel", "../.env" },
		{ PUT("none.php", "m/bin/console") PUT("symfony.env", "m/.env"),
		    "m", "Symfony", ".env" },
		{ PUT("none.php", "n/bin/console") PUT("symfony.env", "n/.env")
			PUT("none.env", "n/.env.local"),
		    "n", "Symfony", ".env" },
		{ PUT("none.php", "o/bin/console") PUT("symfony.env", "o/.env")
			PUT("symfony-parts.env", "o/.env.local"),
		    "o", "Symfony", ".env.local" },
		{ PUT("none.php", "p/index.php"), "p", NULL, NULL },
		{ "mkdir q && ", "q", NULL, NULL },
	};

	for (size_t i = 0; i < COUNT_OF(sites); i++) {
		char folder[4300];

		assert_int_equal(tool_run(*state, "%s true", sites[i].make), 0);
		snprintf(folder, sizeof(folder), "%s/%s", (char *)*state,
		    sites[i].root);
		assert_found(folder, sites[i].kind, sites[i].config);
	}
}

static void
says_which_folder_is_none(void **state)
{
	struct site site;
	struct fault fault;
	char path[4300];

	snprintf(path, sizeof(path), "%s/x", (char *)*state);
	assert_faulty(
	    site_find(path, &site, &fault), FAULT_NOT_FOUND, path, &fault);
	site_close(&site);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_program),
		cmocka_unit_test(says_what_is_not_literal),
		cmocka_unit_test(finds_the_file_and_keeps_the_label),
		scratch_test(refuses_what_is_no_such_file),
		scratch_test(follows_drupals_local_settings),
		scratch_test(refuses_a_dotenv_that_is_not_alone),
		cmocka_unit_test(wants_a_label_for_each),
		scratch_test(tells_kinds_of_sites),
		scratch_test(says_which_folder_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
