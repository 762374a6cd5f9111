/* SPDX-License-Identifier: MIT */
#include "source/db.h"

#include "base/fault.h"
#include "base/strbuf.h"
#include "store/database.h"

#include <assert.h>
#include <fcntl.h>
#include <mysql.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Seconds. */
#define CONNECT_PATIENCE 10
#define READ_PATIENCE    60
#define WRITE_PATIENCE   60

#define PACKET_MAX (1UL << 30)

struct db {
	MYSQL *mysql;
	MYSQL_RES *rows;
	bool in_rows; /* rows is NULL if the statement had none */
	unsigned columns;
	unsigned number; /* of the last error */
	char *version;
	unsigned long connection_id;
	char *user;
	char where[300];
};

/*
 * Numbers of both servers (1000 and up, MySQL's from 3000, MariaDB's also from
 * 1900), of the client (2000) and of the system under the server (below 200).
 */
static const struct {
	unsigned number;
	enum db_trouble trouble;
} troubles[] = {
	{ 1053, DB_LOST }, /* server shutdown in progress */
	{ 1152, DB_LOST }, /* aborted connection */
	{ 1158, DB_LOST }, /* communication packets … */
	{ 1159, DB_LOST }, { 1160, DB_LOST }, { 1161, DB_LOST },
	{ 1184, DB_LOST },    /* aborted new connection */
	{ 1927, DB_LOST },    /* connection was killed */
	{ 2006, DB_LOST },    /* server has gone away */
	{ 2013, DB_LOST },    /* lost connection during query */
	{ 2027, DB_LOST },    /* malformed packet */
	{ 2055, DB_LOST },    /* lost connection, with system error */
	{ 3169, DB_LOST },    /* session was killed */
	{ 4031, DB_LOST },    /* disconnected because of inactivity */
	{ 1205, DB_LOCKED },  /* lock wait timeout */
	{ 1213, DB_LOCKED },  /* deadlock */
	{ 3572, DB_LOCKED },  /* lock not to be had at once */
	{ 1317, DB_STOPPED }, /* query execution was interrupted */
	{ 1969, DB_STOPPED }, /* max_statement_time */
	{ 3024, DB_STOPPED }, /* max_execution_time */
	{ 1051, DB_CHANGED }, /* unknown table */
	{ 1054, DB_CHANGED }, /* unknown column */
	{ 1146, DB_CHANGED }, /* table does not exist */
	{ 1176, DB_CHANGED }, /* key does not exist */
	{ 1305, DB_CHANGED }, /* routine does not exist */
	{ 1347, DB_CHANGED }, /* not a view, not a table */
	{ 1360, DB_CHANGED }, /* trigger does not exist */
	{ 1412, DB_CHANGED }, /* table definition has changed */
	{ 1539, DB_CHANGED }, /* unknown event */
	{ 4091, DB_CHANGED }, /* unknown sequence */
	{ 1044, DB_DENIED },  /* to the database */
	{ 1045, DB_DENIED },  /* to the server, or to files */
	{ 1095, DB_DENIED },  /* to kill that connection */
	{ 1142, DB_DENIED },  /* a command on a table */
	{ 1143, DB_DENIED },  /* a command on a column */
	{ 1227, DB_DENIED },  /* a privilege of the whole server */
	{ 1370, DB_DENIED },  /* a command on a routine */
	{ 1698, DB_DENIED },  /* to the server, without a password */
	{ 3, DB_FULL },       /* error writing file */
	{ 5, DB_FULL },       /* out of memory */
	{ 20, DB_FULL },      /* disk is full, waiting */
	{ 28, DB_FULL },      /* no space left on device */
	{ 1021, DB_FULL },    /* disk full */
	{ 1026, DB_FULL },    /* error writing file */
	{ 1037, DB_FULL },    /* out of memory */
	{ 1038, DB_FULL },    /* out of sort memory */
	{ 1041, DB_FULL },    /* out of memory */
	{ 1114, DB_FULL },    /* table is full */
};

static enum db_trouble
trouble_of(unsigned number)
{
	if (number == 0)
		return DB_FINE;
	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++)
		if (troubles[i].number == number)
			return troubles[i].trouble;
	return DB_OTHER;
}

enum db_trouble
db_trouble(const struct db *db)
{
	return trouble_of(db->number);
}

unsigned
db_errno(const struct db *db)
{
	return db->number;
}

/* Keep the number of what failed, and say it for an administrator. */
static int
failed(struct db *db, struct fault *fault)
{
	const char *text = mysql_error(db->mysql);

	db->number = mysql_errno(db->mysql);
	switch (trouble_of(db->number)) {
	case DB_LOST:
		return fault_set(fault, FAULT_RETRY,
		    "the connection to the database server at %s was lost: "
		    "%s (error %u)",
		    db->where, text, db->number);
	case DB_LOCKED:
		return fault_set(fault, FAULT_RETRY,
		    "a lock was not to be had from the database server at %s: "
		    "%s (error %u)",
		    db->where, text, db->number);
	case DB_STOPPED:
		return fault_set(fault, FAULT_RETRY,
		    "the database server at %s stopped a statement: %s "
		    "(error %u)",
		    db->where, text, db->number);
	case DB_DENIED:
		return fault_set(fault, FAULT_SYSTEM,
		    "the database user %s lacks a privilege on the server at "
		    "%s: %s (error %u)",
		    db->user, db->where, text, db->number);
	case DB_FULL:
		return fault_set(fault, FAULT_RETRY,
		    "the database server at %s is out of disk space or "
		    "memory: %s (error %u)",
		    db->where, text, db->number);
	case DB_FINE:
	case DB_CHANGED:
	case DB_OTHER:
		break;
	}
	return fault_set(fault, FAULT_SYSTEM,
	    "the database server at %s says: %s (error %u)", db->where, text,
	    db->number);
}

/* Say why there is no connection, and what to do. */
static int
failed_to_connect(
    struct db *db, const struct database *where, struct fault *fault)
{
	const char *text = mysql_error(db->mysql);

	db->number = mysql_errno(db->mysql);
	switch (db->number) {
	case 1045:
	case 1698:
		return fault_set(fault, FAULT_SYSTEM,
		    "the database server at %s refuses the user %s with the "
		    "password it was given: check both where the configuration "
		    "names the database (error %u)",
		    db->where, db->user, db->number);
	case 1044:
	case 1049:
		return fault_set(fault, FAULT_SYSTEM,
		    "the database server at %s has no database %s that the "
		    "user %s may read: check its name and the user's "
		    "privileges (error %u)",
		    db->where, where->name != NULL ? where->name : "", db->user,
		    db->number);
	case 1040:
	case 1203:
	case 1226:
		return fault_set(fault, FAULT_RETRY,
		    "the database server at %s has no connection to spare: %s "
		    "(error %u)",
		    db->where, text, db->number);
	case 2002:
	case 2003:
	case 2005:
	case 2006:
	case 2013:
		return fault_set(fault, FAULT_RETRY,
		    "the database server at %s cannot be reached: it is down, "
		    "or its address is wrong: %s (error %u)",
		    db->where, text, db->number);
	case 2026:
		return fault_set(fault, FAULT_SYSTEM,
		    "there is no encrypted connection to the database server "
		    "at %s: check the TLS options of the database: %s "
		    "(error %u)",
		    db->where, text, db->number);
	default:
		return failed(db, fault);
	}
}

static void
library_init_once(void)
{
	/* Its first use is not safe among threads. */
	if (mysql_library_init(0, NULL, NULL) != 0)
		abort();
}

/* The one thing that the two libraries do differently. */
#ifdef MARIADB_PACKAGE_VERSION
static void
set_tls_mode(MYSQL *mysql, const struct database *where, int tls)
{
	/* Who stands between could ask for the password as it is. */
	bool open = where->host != NULL && tls != DATABASE_TLS_VERIFY;
	my_bool enforce = tls != DATABASE_TLS_OFF ? 1 : 0;
	my_bool verify = tls == DATABASE_TLS_VERIFY ? 1 : 0;

	mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &enforce);
	mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
	if (open)
		mysql_options(mysql, MARIADB_OPT_RESTRICTED_AUTH,
		    "mysql_native_password,client_ed25519,parsec,"
		    "caching_sha2_password,sha256_password,"
		    "auth_gssapi_client");
}
#else
static void
set_tls_mode(MYSQL *mysql, const struct database *where, int tls)
{
	static const unsigned modes[] = {
		[DATABASE_TLS_PREFERRED] = SSL_MODE_PREFERRED,
		[DATABASE_TLS_OFF] = SSL_MODE_DISABLED,
		[DATABASE_TLS_REQUIRED] = SSL_MODE_REQUIRED,
		[DATABASE_TLS_VERIFY] = SSL_MODE_VERIFY_IDENTITY,
	};

	bool ask = true;

	(void)where;
	mysql_options(mysql, MYSQL_OPT_SSL_MODE, &modes[tls]);
	/* Without TLS, caching_sha2_password needs it. */
	mysql_options(mysql, MYSQL_OPT_GET_SERVER_PUBLIC_KEY, &ask);
}
#endif

static void
set_options(MYSQL *mysql, const struct database *where)
{
	unsigned connect = CONNECT_PATIENCE;
	unsigned read = READ_PATIENCE, write = WRITE_PATIENCE;
	unsigned local_infile = 0;
	unsigned long packet = PACKET_MAX;
	enum mysql_protocol_type protocol =
	    where->host != NULL ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;
	int tls = where->tls;

	/* Left alone the libraries take "localhost" for the socket. */
	mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol);
	mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect);
	mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &read);
	mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &write);
	mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &local_infile);
	mysql_options(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
	mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	/* A socket needs no encryption. */
	if (where->host == NULL && tls == DATABASE_TLS_PREFERRED)
		tls = DATABASE_TLS_OFF;
	if (tls != DATABASE_TLS_OFF) {
		mysql_options(mysql, MYSQL_OPT_SSL_CA, where->tls_ca);
		mysql_options(mysql, MYSQL_OPT_SSL_CERT, where->tls_cert);
		mysql_options(mysql, MYSQL_OPT_SSL_KEY, where->tls_key);
	}
	set_tls_mode(mysql, where, tls);
}

static void
describe_address(struct db *db, const struct database *where)
{
	if (where->host != NULL)
		snprintf(db->where, sizeof(db->where), "%s:%d", where->host,
		    where->port != 0 ? (int)where->port : 3306);
	else if (where->socket != NULL)
		snprintf(db->where, sizeof(db->where), "the socket %s",
		    where->socket);
	else
		snprintf(db->where, sizeof(db->where), "the standard socket");
}

/* MariaDB's library takes a list, a plugin's URL and a string of options, too,
 * where a host should stand. */
static bool
is_host(const char *host)
{
	return host[0] != '\0' && strpbrk(host, ",;=/") == NULL;
}

static int
connect_to(struct db *db, const struct database *where, struct fault *fault)
{
	if (where->host != NULL && !is_host(where->host))
		return fault_set(fault, FAULT_USAGE,
		    "\"%s\" is not the name or address of a host", where->host);
	set_options(db->mysql, where);
	/* Without a password the libraries would look into the environment. */
	if (mysql_real_connect(db->mysql, where->host, where->user,
		where->password != NULL ? where->password : "", where->name,
		(unsigned)where->port, where->socket, 0) == NULL)
		return failed_to_connect(db, where, fault);
	/* Neither library opens it so that programs we run do not have it. */
	fcntl((int)db->mysql->net.fd, F_SETFD, FD_CLOEXEC);
	if (where->tls >= DATABASE_TLS_REQUIRED &&
	    mysql_get_ssl_cipher(db->mysql) == NULL)
		return fault_set(fault, FAULT_SYSTEM,
		    "the database server at %s offers no encryption, which "
		    "the options of the database require",
		    db->where);
	return 0;
}

/* As SQL has it: behind a proxy, greeting and connection are others. */
static int
ask_version(struct db *db, struct fault *fault)
{
	const char *const *values;
	const unsigned long *lengths;
	int status;

	if (db_queryf(db, fault, "SELECT VERSION(), CONNECTION_ID()") != 0)
		return -1;
	status = db_next(db, &values, &lengths, fault);
	if (status < 0)
		return -1;
	if (status == 0 || values[0] == NULL || values[1] == NULL)
		return fault_set(fault, FAULT_SYSTEM,
		    "the database server at %s does not say its version",
		    db->where);
	db->version = strbuf_copy_part(values[0], lengths[0]);
	db->connection_id = strtoul(values[1], NULL, 10);
	db_end_rows(db);
	return 0;
}

int
db_open(struct db **out, const struct database *where, struct fault *fault)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct db *db = calloc(1, sizeof(*db));

	if (db == NULL)
		abort();
	pthread_once(&once, library_init_once);
	db->mysql = mysql_init(NULL);
	if (db->mysql == NULL)
		abort();
	db->user = strbuf_copy(where->user != NULL ? where->user : "");
	describe_address(db, where);
	if (connect_to(db, where, fault) != 0 || ask_version(db, fault) != 0) {
		db_close(db);
		return -1;
	}
	*out = db;
	return 0;
}

void
db_close(struct db *db)
{
	if (db == NULL)
		return;
	if (db->rows != NULL) {
		/* Else freeing them would read all that are left. */
		shutdown((int)db->mysql->net.fd, SHUT_RDWR);
		mysql_free_result(db->rows);
	}
	mysql_close(db->mysql);
	free(db->version);
	free(db->user);
	free(db);
}

const char *
db_version(const struct db *db)
{
	return db->version;
}

bool
db_is_mariadb(const struct db *db)
{
	return strcasestr(db->version, "mariadb") != NULL;
}

unsigned long
db_connection_id(const struct db *db)
{
	return db->connection_id;
}

/* Send a statement and read the head of its answer. */
static int
start(struct db *db, const char *statement, size_t length, struct fault *fault)
{
	assert(!db->in_rows);
	db->number = 0;
	if (mysql_real_query(db->mysql, statement, (unsigned long)length) != 0)
		return failed(db, fault);
	db->columns = mysql_field_count(db->mysql);
	db->in_rows = true;
	if (db->columns == 0)
		return 0;
	db->rows = mysql_use_result(db->mysql);
	if (db->rows == NULL) {
		db->in_rows = false;
		return failed(db, fault);
	}
	return 0;
}

static int startv(struct db *db, struct fault *fault, const char *format,
    va_list args) __attribute__((format(printf, 3, 0)));

static int
startv(struct db *db, struct fault *fault, const char *format, va_list args)
{
	char *statement;
	int length = vasprintf(&statement, format, args), status;

	if (length < 0)
		abort();
	status = start(db, statement, (size_t)length, fault);
	free(statement);
	return status;
}

int
db_run(struct db *db, struct fault *fault, const char *format, ...)
{
	va_list args;
	int status;

	va_start(args, format);
	status = startv(db, fault, format, args);
	va_end(args);
	db_end_rows(db);
	return status;
}

bool
db_try(struct db *db, const char *statement)
{
	struct fault fault;

	if (start(db, statement, strlen(statement), &fault) != 0)
		return false;
	db_end_rows(db);
	return true;
}

int
db_query(struct db *db, const char *query, size_t length, struct fault *fault)
{
	return start(db, query, length, fault);
}

int
db_queryf(struct db *db, struct fault *fault, const char *format, ...)
{
	va_list args;
	int status;

	va_start(args, format);
	status = startv(db, fault, format, args);
	va_end(args);
	return status;
}

int
db_next(struct db *db, const char *const **values,
    const unsigned long **lengths, struct fault *fault)
{
	MYSQL_ROW row;

	assert(db->in_rows);
	if (db->rows == NULL) {
		db_end_rows(db);
		return 0;
	}
	row = mysql_fetch_row(db->rows);
	if (row != NULL) {
		*values = (const char *const *)row;
		*lengths = mysql_fetch_lengths(db->rows);
		return 1;
	}
	/* Without an error it is the end. */
	if (mysql_errno(db->mysql) != 0) {
		failed(db, fault);
		mysql_free_result(db->rows);
		db->rows = NULL;
		db->in_rows = false;
		return -1;
	}
	db_end_rows(db);
	return 0;
}

unsigned
db_columns(const struct db *db)
{
	return db->columns;
}

const char *
db_column_name(const struct db *db, unsigned column)
{
	assert(db->rows != NULL && column < db->columns);
	return mysql_fetch_field_direct(db->rows, column)->name;
}

void
db_end_rows(struct db *db)
{
	if (db->rows != NULL)
		mysql_free_result(db->rows);
	db->rows = NULL;
	db->in_rows = false;
}

bool
db_in_rows(const struct db *db)
{
	return db->in_rows;
}

char *
db_value(struct db *db, struct fault *fault, const char *format, ...)
{
	const char *const *values;
	const unsigned long *lengths;
	char *value = NULL;
	va_list args;
	int status;

	fault_clear(fault);
	va_start(args, format);
	status = startv(db, fault, format, args);
	va_end(args);
	if (status != 0)
		return NULL;
	if (db_next(db, &values, &lengths, fault) == 1 && values[0] != NULL)
		value = strbuf_copy_part(values[0], lengths[0]);
	db_end_rows(db);
	return value;
}

bool
db_ping(struct db *db)
{
	db->number = 0;
	if (mysql_ping(db->mysql) == 0)
		return true;
	db->number = mysql_errno(db->mysql);
	return false;
}
