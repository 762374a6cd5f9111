/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_STORE_DATABASE_H
#define ENGINE_STORE_DATABASE_H

#include <stdint.h>

struct fault;
struct strbuf;

/*
 * A database as a profile names it: by a URL,
 *
 *	mysql://USER:PASSWORD@HOST:3306/NAME?OPTION=VALUE&…
 *
 * whose parts may be percent-encoded (RFC 3986), or by the path of the site's
 * own configuration, which says where it is (source/site reads that).
 * Options are socket, ssl_mode, ssl_ca, ssl_cert, ssl_key and as; a path knows
 * only the last: wp-config.php?as=LABEL.
 */

enum database_tls {
	DATABASE_TLS_PREFERRED, /* if the server has it; the default */
	DATABASE_TLS_OFF,
	DATABASE_TLS_REQUIRED,
	DATABASE_TLS_VERIFY, /* and its certificate is that of the host */
};

/* All texts are malloc'd; NULL where there is none. */
struct database {
	char *config; /* path of the site's configuration; else NULL, and: */
	char *host;   /* NULL: a socket; else TCP, "localhost" too */
	int64_t port;
	char *socket; /* NULL with no host: the library's standard place */
	char *user;
	char *password;
	char *name; /* of the schema */
	/* names it in the archive: "as", or made of the schema's name;
	 * [A-Za-z0-9._-], no more than 100, with no '.' first */
	char *label;
	int tls; /* enum database_tls */
	char *tls_ca;
	char *tls_cert;
	char *tls_key;
};

/*
 * Parse what stands behind "database =".  A fault never contains the
 * password.  Returns 0, or -1 with FAULT_USAGE; after either, database_close.
 */
int database_parse(
    struct database *database, const char *text, struct fault *fault);

/* Set the schema's name, and the label where there is none yet. */
void database_name(struct database *database, const char *name);

/* Free what it owns; a zeroed one is accepted. */
void database_close(struct database *database);

/* A copy that owns its texts. */
void database_copy(struct database *to, const struct database *from);

/*
 * Append what names it for people and for fingerprints, without user and
 * password: "mysql://host:3306/name" or the path of its configuration.
 */
void database_show(const struct database *database, struct strbuf *out);

#endif
