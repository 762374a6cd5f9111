/* SPDX-License-Identifier: MIT */
#include "source/site.h"

#include "base/fault.h"
#include "base/strbuf.h"
#include "source/site_internal.h"
#include "store/profile.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PORT_STANDARD 3306
#define SCHEMA_MAX    256

/* How a program's configuration names its database: the names of settings. */
struct program {
	const char *url; /* all in one; else: */
	const char *name;
	const char *user;
	const char *password;
	const char *host;
	const char *port;
	const char *socket;
	const char *driver; /* says whether it is MySQL at all */
};

#define DRUPAL  "$databases/default/default/"
#define JOOMLA  "class JConfig/"
#define MAGENTO "return/db/connection/default/"
#define SHOP    "return/parameters/database_"

static const struct program programs[] = {
	/* WordPress */
	{ NULL, "define/DB_NAME", "define/DB_USER", "define/DB_PASSWORD",
	    "define/DB_HOST", NULL, NULL, NULL },
	{ NULL, JOOMLA "db", JOOMLA "user", JOOMLA "password", JOOMLA "host",
	    NULL, NULL, JOOMLA "dbtype" },
	{ NULL, DRUPAL "database", DRUPAL "username", DRUPAL "password",
	    DRUPAL "host", DRUPAL "port", DRUPAL "unix_socket",
	    DRUPAL "driver" },
	{ NULL, MAGENTO "dbname", MAGENTO "username", MAGENTO "password",
	    MAGENTO "host", NULL, NULL, NULL },
	/* PrestaShop, and before 1.7 */
	{ NULL, SHOP "name", SHOP "user", SHOP "password", SHOP "host",
	    SHOP "port", NULL, NULL },
	{ NULL, "define/_DB_NAME_", "define/_DB_USER_", "define/_DB_PASSWD_",
	    "define/_DB_SERVER_", NULL, NULL, NULL },
	/* Symfony, compiled and not; a URL goes before its parts */
	{ "return/DATABASE_URL", NULL, NULL, NULL, NULL, NULL, NULL, NULL },
	{ "env/DATABASE_URL", NULL, NULL, NULL, NULL, NULL, NULL, NULL },
	/* Laravel */
	{ "env/DB_URL", NULL, NULL, NULL, NULL, NULL, NULL, NULL },
	{ NULL, "env/DB_DATABASE", "env/DB_USERNAME", "env/DB_PASSWORD",
	    "env/DB_HOST", "env/DB_PORT", "env/DB_SOCKET",
	    "env/DB_CONNECTION" },
	/* Bedrock */
	{ NULL, "env/DB_NAME", "env/DB_USER", "env/DB_PASSWORD", "env/DB_HOST",
	    NULL, NULL, NULL },
};

#define PROGRAM_COUNT (sizeof(programs) / sizeof(programs[0]))

/* The program whose configuration this is; or a fault. */
static const struct program *
find_program(const struct site_reading *reading, struct fault *fault)
{
	const struct settings *settings = &reading->settings;
	const struct setting *other;

	for (size_t i = 0; i < PROGRAM_COUNT; i++) {
		const struct program *program = &programs[i];
		const struct setting *setting = site_look(reading,
		    program->url != NULL ? program->url : program->name,
		    &other);

		if (setting != NULL &&
		    (setting->text == NULL || setting->text[0] != '\0'))
			return program;
	}
	for (size_t i = 0; i < settings->count; i++) {
		const struct setting *setting = &settings->items[i];

		if (strcmp(setting->name, "include") != 0 ||
		    site_loads(setting, "wp-settings.php"))
			continue;
		fault_set(fault, FAULT_USAGE,
		    "%s names no database itself, but loads %s in line %d; "
		    "write the path of the file that names it, or database = "
		    "mysql://USER:PASSWORD@HOST/NAME",
		    reading->shown,
		    setting->text != NULL ? setting->text : "another file",
		    setting->line);
		return NULL;
	}
	fault_set(fault, FAULT_USAGE,
	    "%s names no database in a way that is known of WordPress, Joomla, "
	    "Drupal, Magento, PrestaShop, Laravel or Symfony; " INSTEAD,
	    reading->shown);
	return NULL;
}

static bool
is_mysql(const char *driver)
{
	return strcasestr(driver, "mysql") != NULL ||
	    strcasestr(driver, "mariadb") != NULL;
}

/* It says that there is none; a .env has words for it. */
static bool
is_none(const struct program *program, const char *text)
{
	static const char *const words[] = { "null", "(null)", "empty",
		"(empty)" };

	if (text == NULL || text[0] == '\0')
		return true;
	if (strncmp(program->name, "env/", 4) != 0)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return false;
}

static void
keep(char **place, const char *text, size_t length)
{
	free(*place);
	*place = length > 0 ? strbuf_copy_part(text, length) : NULL;
}

static int
set_port(struct database *to, const char *text)
{
	char *end;
	long port = strtol(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || port > 65535)
		return -1;
	to->port = port;
	return 0;
}

/*
 * host, host:port, host:/socket, /socket, [address], [address]:port or an
 * address, with "p:" before it, as mysqli has it.  Returns 0 or -1.
 */
static int
set_host(struct database *to, const char *text)
{
	const char *socket, *colon;
	size_t length;

	if (strncmp(text, "p:", 2) == 0)
		text += 2;
	socket = text[0] == '/' ? text : strstr(text, ":/");
	if (socket != NULL) {
		socket += socket[0] == ':';
		keep(&to->socket, socket, strlen(socket));
		return 0;
	}
	if (text[0] == '[') {
		length = strcspn(++text, "]");
		keep(&to->host, text, length);
		text += length;
		if (text[0] == '\0')
			return -1;
		return text[1] == ':' ? set_port(to, text + 2)
				      : -(text[1] != '\0');
	}
	colon = strchr(text, ':');
	if (colon == NULL || strchr(colon + 1, ':') != NULL) {
		keep(&to->host, text, strlen(text));
		return 0;
	}
	keep(&to->host, text, (size_t)(colon - text));
	return colon[1] == '\0' ? 0 : set_port(to, colon + 1);
}

/* What PHP's libraries make of it. */
static void
settle(struct database *to)
{
	if (to->socket != NULL ||
	    (to->host != NULL && strcasecmp(to->host, "localhost") == 0))
		keep(&to->host, NULL, 0);
	if (to->host == NULL)
		to->port = 0;
	else if (to->port == 0)
		to->port = PORT_STANDARD;
}

/* From the parts that a program has. */
static int
take_parts(const struct site_reading *reading, const struct program *program,
    struct database *to, struct fault *fault)
{
	const char *driver, *name, *user, *password, *host, *port, *socket;

	if (site_get(reading, program->name, "name", &name, fault) != 0 ||
	    site_get(reading, program->driver, "driver", &driver, fault) != 0 ||
	    site_get(reading, program->user, "user", &user, fault) != 0 ||
	    site_get(reading, program->password, "password", &password,
		fault) != 0 ||
	    site_get(reading, program->host, "host", &host, fault) != 0 ||
	    site_get(reading, program->port, "port", &port, fault) != 0 ||
	    site_get(reading, program->socket, "socket", &socket, fault) != 0)
		return -1;
	if (driver != NULL && driver[0] != '\0' && !is_mysql(driver))
		return fault_set(fault, FAULT_USAGE,
		    "%s: the site's database is of the kind %s; only MySQL and "
		    "MariaDB can be backed up",
		    reading->shown, driver);
	assert(name != NULL);
	if (strlen(name) > SCHEMA_MAX)
		return fault_set(fault, FAULT_USAGE,
		    "%s: the name of the database is longer than 64 characters",
		    reading->shown);
	database_name(to, name);
	if (user != NULL)
		keep(&to->user, user, strlen(user));
	if (password != NULL)
		to->password =
		    strbuf_copy(is_none(program, password) ? "" : password);
	if ((!is_none(program, port) && set_port(to, port) != 0) ||
	    (!is_none(program, host) && set_host(to, host) != 0) ||
	    (!is_none(program, socket) && socket[0] != '/'))
		return fault_set(fault, FAULT_USAGE,
		    "%s: host, port or socket of the database is "
		    "none; " INSTEAD,
		    reading->shown);
	if (!is_none(program, socket))
		keep(&to->socket, socket, strlen(socket));
	settle(to);
	return 0;
}

/* The option of this name in a URL, decoded, or NULL. */
static char *
url_option(const char *url, const char *name)
{
	const char *at = strchr(url, '?');
	struct strbuf text = STRBUF_EMPTY;
	struct database parsed;
	struct fault unused;
	char *value;

	while (at != NULL &&
	    !(strncmp(at + 1, name, strlen(name)) == 0 &&
		at[1 + strlen(name)] == '='))
		at = strpbrk(at + 1, "&");
	if (at == NULL)
		return NULL;
	at += strlen(name) + 2;
	strbuf_addstr(&text, "mysql:///x?socket=");
	strbuf_add(&text, at, strcspn(at, "&#"));
	database_parse(&parsed, text.bytes, &unused);
	value = parsed.socket;
	parsed.socket = NULL;
	database_close(&parsed);
	strbuf_close(&text);
	return value;
}

/* There would stand the value of a variable, for some. */
static bool
has_variable(const char *text)
{
	for (; *text != '\0'; text++)
		if (text[0] == '$' &&
		    (text[1] == '_' || text[1] == '(' ||
			(text[1] >= 'a' && text[1] <= 'z') ||
			(text[1] >= 'A' && text[1] <= 'Z')))
			return true;
	return false;
}

/* A file beside this one sets the URL, too. */
static bool
is_set_beside(const struct site_reading *reading, const char *name)
{
	struct site_reading other = { .shown = name };
	const struct setting *unused;
	struct fault fault;
	bool result;

	other.path = site_beside(reading->path, name);
	result = site_read(&other, &fault) == 0 &&
	    (site_look(&other, "env/DATABASE_URL", &unused) != NULL ||
		site_look(&other, "return/DATABASE_URL", &unused) != NULL);
	site_read_close(&other);
	return result;
}

/* Symfony reads more than the .env, and the others go before it. */
static int
check_alone(const struct site_reading *reading, struct fault *fault)
{
	static const char *const others[] = { ".env.local.php", ".env.local",
		".env.prod", ".env.prod.local" };
	const char *slash = strrchr(reading->path, '/');

	if (strcmp(slash != NULL ? slash + 1 : reading->path, ".env") != 0)
		return 0;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (is_set_beside(reading, others[i]))
			return fault_set(fault, FAULT_USAGE,
			    "the database is named in %s, too, which goes "
			    "before it; write the path of that file",
			    others[i]);
	return 0;
}

/* From scheme://user:password@host:port/name?option=value. */
static int
take_url(const struct site_reading *reading, const struct program *program,
    struct database *to, struct fault *fault)
{
	struct strbuf plain = STRBUF_EMPTY;
	struct database parsed = { 0 };
	const char *url, *rest;
	int result;

	if (site_get(reading, program->url, "URL", &url, fault) != 0)
		return -1;
	assert(url != NULL);
	if (check_alone(reading, fault) != 0)
		return fault_wrap(fault, "%s", reading->shown);
	rest = strstr(url, "://");
	strbuf_add(&plain, url, rest != NULL ? (size_t)(rest - url) : 0);
	if (rest == NULL || !is_mysql(strbuf_text(&plain)) ||
	    has_variable(url)) {
		result = fault_set(fault, FAULT_USAGE,
		    "the URL of the database is none of MySQL, or has a '$' in "
		    "it; " INSTEAD);
	} else {
		strbuf_reset(&plain);
		strbuf_addstr(&plain, "mysql");
		strbuf_add(&plain, rest, strcspn(rest, "?"));
		result = database_parse(&parsed, plain.bytes, fault);
	}
	if (result == 0) {
		char *label = to->label;

		*to = parsed;
		memset(&parsed, 0, sizeof(parsed));
		if (label != NULL) {
			free(to->label);
			to->label = label;
		}
		to->socket = url_option(url, "unix_socket");
		settle(to);
	}
	database_close(&parsed);
	strbuf_close(&plain);
	return result != 0 ? fault_wrap(fault, "%s", reading->shown) : 0;
}

int
site_database(const char *site, const struct database *from,
    struct database *to, struct fault *fault)
{
	struct site_reading reading = { .shown = from->config };
	const struct program *program = NULL;
	struct strbuf path = STRBUF_EMPTY;
	int result = -1;

	database_copy(to, from);
	if (from->config == NULL)
		return 0;
	free(to->config);
	to->config = NULL;
	if (from->config[0] != '/')
		strbuf_addf(&path, "%s/", site);
	strbuf_addstr(&path, from->config);
	reading.path = path.bytes;
	if (site_read(&reading, fault) == 0)
		program = find_program(&reading, fault);
	if (program != NULL)
		result = program->url != NULL
		    ? take_url(&reading, program, to, fault)
		    : take_parts(&reading, program, to, fault);
	site_read_close(&reading);
	return result;
}

int
site_check(const struct profile *profile, struct fault *fault)
{
	const struct databases *databases = &profile->databases;
	char *labels[PROFILE_DATABASES_MAX] = { NULL };
	int result = 0;

	for (int i = 0; result == 0 && i < databases->count; i++) {
		struct database database;

		result = site_database(
		    profile->site, &databases->items[i], &database, fault);
		labels[i] = database.label;
		database.label = NULL;
		database_close(&database);
		assert(result != 0 || labels[i] != NULL);
		for (int k = 0; result == 0 && k < i; k++)
			if (strcmp(labels[k], labels[i]) == 0)
				result = fault_set(fault, FAULT_USAGE,
				    "two databases are called %s; add ?as=NAME "
				    "to one of them",
				    labels[i]);
	}
	for (int i = 0; i < databases->count; i++)
		free(labels[i]);
	return result;
}
