/* SPDX-License-Identifier: MIT */
#include "source/site.h"

#include "base/fault.h"
#include "base/fsio.h"
#include "base/strbuf.h"
#include "source/dotenv.h"
#include "source/phpfile.h"
#include "source/settings.h"
#include "store/profile.h"

#include <assert.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_BYTES_MAX (1024 * 1024)
#define PORT_STANDARD    3306
#define SCHEMA_MAX       256

#define LOCAL "settings.local.php"

/* What is said to whoever must name a database in another way. */
#define INSTEAD "write database = mysql://USER:PASSWORD@HOST/NAME instead"

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

/* The configuration at hand. */
struct reading {
	const char *shown; /* its path, as messages call it */
	char *path;        /* and as it can be opened */
	char *local;       /* how they call the settings.local.php beside it */
	struct settings settings;
};

/* -- files ------------------------------------------------------------------
 */

static int
read_file(const char *path, struct strbuf *text, struct fault *fault)
{
	/* The path is the administrator's: symlinks may be followed. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t got = -1;

	if (fd < 0)
		return fault_errno(fault, "%s cannot be read", path);
	if (fstat(fd, &st) == 0 &&
	    (!S_ISREG(st.st_mode) || st.st_size > CONFIG_BYTES_MAX)) {
		close(fd);
		return fault_set(fault, FAULT_USAGE,
		    "%s is no file of at most %d bytes", path,
		    CONFIG_BYTES_MAX);
	}
	got = fsio_read(
	    fd, strbuf_reserve(text, CONFIG_BYTES_MAX), CONFIG_BYTES_MAX);
	if (got < 0)
		fault_errno(fault, "%s cannot be read", path);
	else
		strbuf_commit(text, (size_t)got);
	close(fd);
	return got < 0 ? -1 : 0;
}

/* The path, its last part replaced. */
static char *
beside(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	struct strbuf out = STRBUF_EMPTY;

	if (slash != NULL)
		strbuf_add(&out, path, (size_t)(slash - path) + 1);
	strbuf_addstr(&out, name);
	return out.bytes;
}

static bool
ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length &&
	    strcmp(text + length - end_length, end) == 0;
}

static bool
is_php(const char *path, const struct strbuf *text)
{
	return ends_with(path, ".php") ||
	    (!ends_with(path, ".env") && strstr(path, "/.env") == NULL &&
		memmem(strbuf_text(text), text->length, "<?", 2) != NULL);
}

/*
 * A settings.local.php that the file loads: what it sets stands there in place
 * of the line that loads it.
 */
static int
read_local(struct reading *reading, struct fault *fault)
{
	struct settings *settings = &reading->settings;
	size_t count = settings->count, at = 0;
	struct strbuf text = STRBUF_EMPTY;
	char *path;
	int result = 0;

	while (at < count &&
	    !(strcmp(settings->items[at].name, "include") == 0 &&
		(ends_with(settings->items[at].text, "/" LOCAL) ||
		    strcmp(settings->items[at].text, LOCAL) == 0)))
		at++;
	if (at == count)
		return 0;
	path = beside(reading->path, LOCAL);
	reading->local = beside(reading->shown, LOCAL);
	if (access(path, F_OK) == 0) {
		result = read_file(path, &text, fault);
		if (result == 0)
			result = phpfile_read(settings, reading->local,
			    strbuf_text(&text), text.length, fault);
		if (result != 0)
			fault_wrap(fault, "%s", reading->local);
		settings_move(settings, count, at + 1);
	}
	strbuf_close(&text);
	free(path);
	return result;
}

static int
read_config(struct reading *reading, struct fault *fault)
{
	struct strbuf text = STRBUF_EMPTY;
	int result;

	if (read_file(reading->path, &text, fault) != 0) {
		strbuf_close(&text);
		return -1;
	}
	if (is_php(reading->path, &text)) {
		result = phpfile_read(&reading->settings, reading->shown,
		    strbuf_text(&text), text.length, fault);
		if (result == 0)
			result = read_local(reading, fault);
	} else {
		result = dotenv_read(&reading->settings, reading->shown,
		    strbuf_text(&text), text.length, fault);
	}
	strbuf_close(&text);
	return result != 0 ? fault_wrap(fault, "%s", reading->shown) : 0;
}

static void
close_reading(struct reading *reading)
{
	settings_close(&reading->settings);
	free(reading->path);
	free(reading->local);
}

/* -- values -----------------------------------------------------------------
 */

static const struct setting *
find(const struct reading *reading, const char *name,
    const struct setting **other)
{
	if (name == NULL)
		return NULL;
	return settings_find(&reading->settings, name,
	    strncmp(name, "define/", 7) == 0 ? SETTINGS_FIRST : SETTINGS_LAST,
	    other);
}

/* The text of a setting, which the reading owns; NULL if it is not there. */
static int
get(const struct reading *reading, const char *name, const char *what,
    const char **text, struct fault *fault)
{
	const struct setting *other = NULL;
	const struct setting *setting = find(reading, name, &other);

	*text = NULL;
	if (setting == NULL)
		return 0;
	*text = setting->text;
	if (other != NULL)
		return fault_set(fault, FAULT_USAGE,
		    "%s:%d: the %s of the database depends on a condition (see "
		    "line %d of %s, too); " INSTEAD,
		    setting->file, setting->line, what, other->line,
		    other->file);
	if (setting->text == NULL)
		return fault_set(fault, FAULT_USAGE,
		    "%s:%d: the %s of the database %s; " INSTEAD, setting->file,
		    setting->line, what,
		    setting->reason != NULL ? setting->reason : "is a list");
	return 0;
}

/* The program whose configuration this is; or a fault. */
static const struct program *
find_program(const struct reading *reading, struct fault *fault)
{
	const struct settings *settings = &reading->settings;
	const struct setting *other;

	for (size_t i = 0; i < PROGRAM_COUNT; i++) {
		const struct program *program = &programs[i];
		const struct setting *setting = find(reading,
		    program->url != NULL ? program->url : program->name,
		    &other);

		if (setting != NULL &&
		    (setting->text == NULL || setting->text[0] != '\0'))
			return program;
	}
	for (size_t i = 0; i < settings->count; i++) {
		const struct setting *setting = &settings->items[i];

		if (strcmp(setting->name, "include") != 0 ||
		    ends_with(setting->text, "wp-settings.php"))
			continue;
		fault_set(fault, FAULT_USAGE,
		    "%s names no database itself, but loads %s in line %d; "
		    "write the path of the file that names it, or database = "
		    "mysql://USER:PASSWORD@HOST/NAME",
		    reading->shown, setting->text, setting->line);
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

/* How a .env says that there is no password. */
static bool
is_none(const char *text)
{
	static const char *const words[] = { "null", "(null)", "empty",
		"(empty)" };

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
take_parts(const struct reading *reading, const struct program *program,
    struct database *to, struct fault *fault)
{
	const char *driver, *name, *user, *password, *host, *port, *socket;

	if (get(reading, program->name, "name", &name, fault) != 0 ||
	    get(reading, program->driver, "driver", &driver, fault) != 0 ||
	    get(reading, program->user, "user", &user, fault) != 0 ||
	    get(reading, program->password, "password", &password, fault) !=
		0 ||
	    get(reading, program->host, "host", &host, fault) != 0 ||
	    get(reading, program->port, "port", &port, fault) != 0 ||
	    get(reading, program->socket, "socket", &socket, fault) != 0)
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
	if (strncmp(program->name, "env/", 4) == 0 && password != NULL &&
	    is_none(password))
		password = "";
	if (password != NULL)
		to->password = strbuf_copy(password);
	if ((port != NULL && port[0] != '\0' && set_port(to, port) != 0) ||
	    (host != NULL && set_host(to, host) != 0))
		return fault_set(fault, FAULT_USAGE,
		    "%s: host and port of the database are none; " INSTEAD,
		    reading->shown);
	if (socket != NULL && socket[0] != '\0')
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

/* From scheme://user:password@host:port/name?option=value. */
static int
take_url(const struct reading *reading, const struct program *program,
    struct database *to, struct fault *fault)
{
	struct strbuf plain = STRBUF_EMPTY;
	struct database parsed = { 0 };
	const char *url, *rest;
	int result;

	if (get(reading, program->url, "URL", &url, fault) != 0)
		return -1;
	assert(url != NULL);
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
	struct reading reading = { .shown = from->config };
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
	if (read_config(&reading, fault) == 0)
		program = find_program(&reading, fault);
	if (program != NULL)
		result = program->url != NULL
		    ? take_url(&reading, program, to, fault)
		    : take_parts(&reading, program, to, fault);
	close_reading(&reading);
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
