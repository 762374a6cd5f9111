/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MYSQL8_MYSQL_H
#define TESTS_MYSQL8_MYSQL_H

/*
 * As much of the C API of MySQL 8 (https://dev.mysql.com/doc/c-api/8.0/en/) as
 * source/db.c may use.  Nothing is ever linked with it: it stands in for the
 * header that this system does not have, to prove that db.c needs no more.
 */

#include <stdbool.h>
#include <stdint.h>

typedef int my_socket;
typedef char **MYSQL_ROW;
typedef struct MYSQL_RES MYSQL_RES;

typedef struct NET {
	my_socket fd;
} NET;

typedef struct MYSQL {
	NET net;
} MYSQL;

typedef struct MYSQL_FIELD {
	char *name;
	unsigned long length;
	unsigned int flags;
	unsigned int charsetnr;
} MYSQL_FIELD;

enum mysql_protocol_type {
	MYSQL_PROTOCOL_DEFAULT,
	MYSQL_PROTOCOL_TCP,
	MYSQL_PROTOCOL_SOCKET,
};

enum mysql_option {
	MYSQL_OPT_CONNECT_TIMEOUT,
	MYSQL_OPT_LOCAL_INFILE,
	MYSQL_OPT_PROTOCOL,
	MYSQL_OPT_READ_TIMEOUT,
	MYSQL_OPT_WRITE_TIMEOUT,
	MYSQL_OPT_RECONNECT,
	MYSQL_OPT_MAX_ALLOWED_PACKET,
	MYSQL_OPT_SSL_KEY,
	MYSQL_OPT_SSL_CERT,
	MYSQL_OPT_SSL_CA,
	MYSQL_OPT_SSL_MODE,
	MYSQL_OPT_GET_SERVER_PUBLIC_KEY,
	MYSQL_SET_CHARSET_NAME,
};

enum mysql_ssl_mode {
	SSL_MODE_DISABLED = 1,
	SSL_MODE_PREFERRED,
	SSL_MODE_REQUIRED,
	SSL_MODE_VERIFY_CA,
	SSL_MODE_VERIFY_IDENTITY,
};

#define mysql_library_init mysql_server_init

int mysql_server_init(int argc, char **argv, char **groups);
MYSQL *mysql_init(MYSQL *mysql);
int mysql_options(MYSQL *mysql, enum mysql_option option, const void *arg);
MYSQL *mysql_real_connect(MYSQL *mysql, const char *host, const char *user,
    const char *passwd, const char *db, unsigned int port,
    const char *unix_socket, unsigned long clientflag);
const char *mysql_get_ssl_cipher(MYSQL *mysql);
int mysql_real_query(MYSQL *mysql, const char *q, unsigned long length);
unsigned int mysql_field_count(MYSQL *mysql);
MYSQL_RES *mysql_use_result(MYSQL *mysql);
MYSQL_ROW mysql_fetch_row(MYSQL_RES *result);
unsigned long *mysql_fetch_lengths(MYSQL_RES *result);
MYSQL_FIELD *mysql_fetch_field_direct(MYSQL_RES *res, unsigned int fieldnr);
void mysql_free_result(MYSQL_RES *result);
int mysql_ping(MYSQL *mysql);
unsigned int mysql_errno(MYSQL *mysql);
const char *mysql_error(MYSQL *mysql);
void mysql_close(MYSQL *sock);

#endif
