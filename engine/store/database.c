/* SPDX-License-Identifier: MIT */
#include "store/database.h"

#include "base/fault.h"
#include "base/strbuf.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define URL_MAX       2000
#define PORT_STANDARD 3306
#define NAME_MAX_SIZE 256 /* 64 characters of UTF-8 */
#define LABEL_MAX     100

/* No ssl_mode was given. */
#define TLS_UNSAID (-1)

static const char label_bytes[] = "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789._-";

struct option {
	const char *name;
	int (*check)(const char *value, struct fault *fault);
	size_t place; /* of a text in struct database */
};

static int
check_path(const char *value, struct fault *fault)
{
	if (value[0] != '/' || strlen(value) >= PATH_MAX)
		return fault_set(fault, FAULT_USAGE,
		    "write an absolute path, beginning with /");
	return 0;
}

static int
check_label(const char *value, struct fault *fault)
{
	size_t length = strlen(value);

	if (length == 0 || length > LABEL_MAX || value[0] == '.' ||
	    strspn(value, label_bytes) != length)
		return fault_set(fault, FAULT_USAGE,
		    "write letters, digits, '.', '_' or '-', with no '.' "
		    "first");
	return 0;
}

/* All but ssl_mode; the last is all that the path of a file can have. */
static const struct option options[] = {
	{ "socket", check_path, offsetof(struct database, socket) },
	{ "ssl_ca", check_path, offsetof(struct database, tls_ca) },
	{ "ssl_cert", check_path, offsetof(struct database, tls_cert) },
	{ "ssl_key", check_path, offsetof(struct database, tls_key) },
	{ "as", check_label, offsetof(struct database, label) },
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

/* As enum database_tls. */
static const char *const tls_words[] = { "preferred", "off", "required",
	"verify" };

#define TLS_COUNT ((int)(sizeof(tls_words) / sizeof(tls_words[0])))

/* All the texts of one, to be freed and copied. */
static const size_t texts[] = {
	offsetof(struct database, config),
	offsetof(struct database, host),
	offsetof(struct database, socket),
	offsetof(struct database, user),
	offsetof(struct database, password),
	offsetof(struct database, name),
	offsetof(struct database, label),
	offsetof(struct database, tls_ca),
	offsetof(struct database, tls_cert),
	offsetof(struct database, tls_key),
};

#define TEXT_COUNT (sizeof(texts) / sizeof(texts[0]))

static char **
text_at(struct database *database, size_t place)
{
	return (char **)(void *)((char *)database + place);
}

/* Percent-decoded and malloc'd; or NULL and a fault about what it is. */
static char *
decode(const char *text, size_t length, const char *what, struct fault *fault)
{
	struct strbuf out = STRBUF_EMPTY;

	strbuf_addstr(&out, "");
	for (size_t i = 0; i < length; i++) {
		int high, low;

		if (text[i] != '%') {
			strbuf_addc(&out, text[i]);
			continue;
		}
		high = i + 1 < length ? strbuf_hex_digit(text[i + 1]) : -1;
		low = i + 2 < length ? strbuf_hex_digit(text[i + 2]) : -1;
		if (high < 0 || low < 0 || high + low == 0) {
			fault_set(fault, FAULT_USAGE,
			    "a '%%' in the %s is not followed by two "
			    "hexadecimal digits; '%%' itself is written %%25",
			    what);
			strbuf_close(&out);
			return NULL;
		}
		strbuf_addc(&out, (char)(high * 16 + low));
		i += 2;
	}
	return out.bytes;
}

/* USER:PASSWORD, or either of them. */
static int
parse_user(struct database *database, const char *text, size_t length,
    struct fault *fault)
{
	const char *colon = memchr(text, ':', length);
	size_t user = colon != NULL ? (size_t)(colon - text) : length;

	if (user > 0) {
		database->user = decode(text, user, "user's name", fault);
		if (database->user == NULL)
			return -1;
	}
	if (colon == NULL)
		return 0;
	database->password =
	    decode(colon + 1, length - user - 1, "password", fault);
	return database->password != NULL ? 0 : -1;
}

/* What stands behind the host; leaves 0 if it is empty. */
static int
parse_port(int64_t *port, const char *text, size_t length, struct fault *fault)
{
	*port = 0;
	if (length == 0)
		return 0;
	for (size_t i = 1; i < length && *port <= 65535; i++) {
		if (text[i] < '0' || text[i] > '9')
			*port = 65536;
		else
			*port = *port * 10 + text[i] - '0';
	}
	/* It may be the rest of a password with a '/' in it: not to be said. */
	if (text[0] != ':' || *port < 1 || *port > 65535)
		return fault_set(fault, FAULT_USAGE,
		    "behind ':' there is no port from 1 to 65535; in a "
		    "password '/' is written %%2F, '?' %%3F, '#' %%23, '@' "
		    "%%40, ':' %%3A and '%%' %%25");
	return 0;
}

/* HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT, or nothing. */
static int
parse_host(struct database *database, const char *text, size_t length,
    struct fault *fault)
{
	const char *end;
	size_t host;

	if (length > 0 && text[0] == '[') {
		end = memchr(text, ']', length);
		if (end == NULL)
			return fault_set(
			    fault, FAULT_USAGE, "the ']' is missing");
		text++;
		host = (size_t)(end - text);
		length -= host + 2;
		end++;
	} else {
		end = memchr(text, ':', length);
		host = end != NULL ? (size_t)(end - text) : length;
		end = text + host;
		length -= host;
		if (length > 1 && memchr(end + 1, ':', length - 1) != NULL)
			return fault_set(fault, FAULT_USAGE,
			    "there is more than one ':' in the host; an IPv6 "
			    "address stands in brackets");
	}
	if (parse_port(&database->port, end, length, fault) != 0)
		return -1;
	if (host == 0)
		return database->port == 0
		    ? 0
		    : fault_set(fault, FAULT_USAGE, "the host is missing");
	database->host = decode(text, host, "host", fault);
	return database->host != NULL ? 0 : -1;
}

static int
parse_tls(struct database *database, const char *word, struct fault *fault)
{
	for (int i = 0; i < TLS_COUNT; i++) {
		if (strcmp(tls_words[i], word) != 0)
			continue;
		database->tls = i;
		return 0;
	}
	return fault_set(
	    fault, FAULT_USAGE, "write off, preferred, required or verify");
}

static const struct option *
find_option(
    const struct option *known, size_t count, const char *name, size_t length)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(known[i].name) == length &&
		    memcmp(known[i].name, name, length) == 0)
			return &known[i];
	return NULL;
}

static int
set_option(struct database *database, const struct option *option, char *value,
    struct fault *fault)
{
	char **place = text_at(database, option->place);

	if (*place != NULL) {
		fault_set(fault, FAULT_USAGE, "it is there twice");
	} else if (option->check(value, fault) == 0) {
		*place = value;
		return 0;
	}
	free(value);
	return fault_wrap(fault, "the option %s", option->name);
}

/* One NAME=VALUE of a URL, or of a path, which knows no more than "as". */
static int
parse_option(struct database *database, const char *text, size_t length,
    struct fault *fault)
{
	bool is_url = database->config == NULL;
	size_t name = strcspn(text, "=&");
	const struct option *option = is_url
	    ? find_option(options, OPTION_COUNT, text, name)
	    : find_option(&options[OPTION_COUNT - 1], 1, text, name);
	bool is_tls = is_url && name == 8 && memcmp(text, "ssl_mode", 8) == 0;
	char *value;
	int result;

	if ((option == NULL && !is_tls) || name == length)
		return fault_set(fault, FAULT_USAGE,
		    "behind '?' stands an option that there is not, or one "
		    "without a value; there %s",
		    is_url ? "are socket, ssl_mode, ssl_ca, ssl_cert, ssl_key "
			     "and as"
			   : "is only as=LABEL");
	value = decode(text + name + 1, length - name - 1, "option", fault);
	if (value == NULL)
		return -1;
	if (!is_tls)
		return set_option(database, option, value, fault);
	result = database->tls != TLS_UNSAID
	    ? fault_set(fault, FAULT_USAGE, "it is there twice")
	    : parse_tls(database, value, fault);
	free(value);
	return result != 0 ? fault_wrap(fault, "the option ssl_mode") : 0;
}

static int
parse_options(struct database *database, const char *text, struct fault *fault)
{
	while (*text != '\0') {
		size_t length = strcspn(text, "&");

		if (parse_option(database, text, length, fault) != 0)
			return -1;
		text += length + (text[length] == '&');
	}
	return 0;
}

/* "localhost" means the socket, as it does to every client and to PHP, unless
 * a port is named. */
static int
settle_host(struct database *database, struct fault *fault)
{
	if (database->host != NULL && database->port == 0 &&
	    strcasecmp(database->host, "localhost") == 0) {
		free(database->host);
		database->host = NULL;
	}
	if (database->host == NULL)
		return 0;
	if (database->socket != NULL)
		return fault_set(fault, FAULT_USAGE,
		    "it has both a host and a socket; leave the host empty, as "
		    "in mysql://USER:PASSWORD@/NAME?socket=/PATH");
	if (database->port == 0)
		database->port = PORT_STANDARD;
	return 0;
}

/* Whoever names a certificate wants it looked at. */
static int
settle_tls(struct database *database, struct fault *fault)
{
	bool files = database->tls_ca != NULL || database->tls_cert != NULL ||
	    database->tls_key != NULL;

	if (database->tls == TLS_UNSAID)
		database->tls = database->tls_ca != NULL
		    ? DATABASE_TLS_VERIFY
		    : DATABASE_TLS_PREFERRED;
	if (database->tls == DATABASE_TLS_OFF && files)
		return fault_set(fault, FAULT_USAGE,
		    "ssl_mode=off makes no use of ssl_ca, ssl_cert or ssl_key");
	if (database->tls_key != NULL && database->tls_cert == NULL)
		return fault_set(fault, FAULT_USAGE,
		    "ssl_key is of no use without ssl_cert");
	return 0;
}

void
database_name(struct database *database, const char *name)
{
	free(database->name);
	database->name = strbuf_copy(name);
	if (database->label != NULL)
		return;
	database->label = strbuf_copy_part(name, strnlen(name, LABEL_MAX));
	for (char *byte = database->label; *byte != '\0'; byte++)
		if (strchr(label_bytes, *byte) == NULL ||
		    (*byte == '.' && byte == database->label))
			*byte = '_';
}

static int
parse_name(struct database *database, const char *text, size_t length,
    struct fault *fault)
{
	char *name;

	if (length < 2 || text[0] != '/')
		return fault_set(fault, FAULT_USAGE,
		    "the name of the database is missing behind the host");
	text++;
	length--;
	if (memchr(text, '/', length) != NULL)
		return fault_set(fault, FAULT_USAGE,
		    "there is more than one '/' behind the host; in a name or "
		    "password it is written %%2F");
	name = decode(text, length, "database's name", fault);
	if (name == NULL)
		return -1;
	if (strlen(name) > NAME_MAX_SIZE) {
		free(name);
		return fault_set(fault, FAULT_USAGE,
		    "the name of the database is longer than 64 characters");
	}
	database_name(database, name);
	free(name);
	return 0;
}

/* What stands behind "mysql://". */
static int
parse_url(struct database *database, const char *text, struct fault *fault)
{
	size_t authority = strcspn(text, "/?");
	const char *at = memrchr(text, '@', authority);
	const char *host = at != NULL ? at + 1 : text;
	const char *path = text + authority;
	size_t path_length = strcspn(path, "?");

	for (const char *byte = text; *byte != '\0'; byte++)
		if ((unsigned char)*byte <= ' ' || *byte == '#')
			return fault_set(fault, FAULT_USAGE,
			    "there is a blank or a '#' in it; they are written "
			    "%%20 and %%23");
	if (strlen(text) > URL_MAX)
		return fault_set(fault, FAULT_USAGE,
		    "the URL is longer than %d bytes", URL_MAX);
	database->tls = TLS_UNSAID;
	if (at != NULL &&
	    parse_user(database, text, (size_t)(at - text), fault) != 0)
		return -1;
	if (parse_host(database, host, (size_t)(path - host), fault) != 0)
		return -1;
	if (path[path_length] == '?' &&
	    parse_options(database, path + path_length + 1, fault) != 0)
		return -1;
	if (parse_name(database, path, path_length, fault) != 0 ||
	    settle_host(database, fault) != 0)
		return -1;
	return settle_tls(database, fault);
}

/* A URL whose scheme was forgotten must not end in messages as a path. */
static bool
looks_like_url(const char *text)
{
	const char *colon = strchr(text, ':');

	return text[0] != '/' && text[0] != '.' && colon != NULL &&
	    (strchr(colon, '@') != NULL || strncmp(colon, "://", 3) == 0);
}

static int
parse_path(struct database *database, const char *text, struct fault *fault)
{
	size_t options_at = strcspn(text, "?"), length = options_at;

	while (length > 0 && (unsigned char)text[length - 1] <= ' ')
		length--;
	if (length == 0 || length >= PATH_MAX || looks_like_url(text))
		return fault_set(fault, FAULT_USAGE,
		    "write mysql://USER:PASSWORD@HOST:3306/NAME, or the path "
		    "of the site's own configuration, such as wp-config.php");
	database->config = strbuf_copy_part(text, length);
	return text[options_at] == '?'
	    ? parse_options(database, text + options_at + 1, fault)
	    : 0;
}

int
database_parse(struct database *database, const char *text, struct fault *fault)
{
	static const char *const schemes[] = { "mysql://", "mariadb://" };

	memset(database, 0, sizeof(*database));
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t length = strlen(schemes[i]);

		if (strncasecmp(text, schemes[i], length) == 0)
			return parse_url(database, text + length, fault);
	}
	return parse_path(database, text, fault);
}

void
database_close(struct database *database)
{
	for (size_t i = 0; i < TEXT_COUNT; i++)
		free(*text_at(database, texts[i]));
	memset(database, 0, sizeof(*database));
}

void
database_copy(struct database *to, const struct database *from)
{
	*to = *from;
	for (size_t i = 0; i < TEXT_COUNT; i++) {
		char **text = text_at(to, texts[i]);

		if (*text != NULL)
			*text = strbuf_copy(*text);
	}
}

/* What would have a meaning in a URL, or none in a log, as %XX. */
static void
add_encoded(struct strbuf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte <= ' ' || byte == 0x7f ||
		    strchr("%/?#[]@", *text) != NULL)
			strbuf_addf(out, "%%%02X", byte);
		else
			strbuf_addc(out, *text);
	}
}

void
database_show(const struct database *database, struct strbuf *out)
{
	if (database->config != NULL) {
		strbuf_addstr(out, database->config);
		return;
	}
	strbuf_addstr(out, "mysql://");
	if (database->host != NULL) {
		bool address = strchr(database->host, ':') != NULL;

		strbuf_addstr(out, address ? "[" : "");
		add_encoded(out, database->host);
		strbuf_addf(out, "%s:%lld", address ? "]" : "",
		    (long long)database->port);
	}
	strbuf_addc(out, '/');
	add_encoded(out, database->name);
	if (database->socket != NULL)
		strbuf_addf(out, "?socket=%s", database->socket);
}
