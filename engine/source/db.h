/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_DB_H
#define ENGINE_SOURCE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct database;
struct db;
struct fault;

/*
 * A connection to a MySQL or MariaDB server: statements out, rows in.  This is
 * the module that wraps the MySQL C API (libmysqlclient or MariaDB
 * Connector/C; nothing is used that only one of them has).
 */

/* What a failed statement means for who sent it. */
enum db_trouble {
	DB_FINE,
	DB_LOST,    /* the connection is gone, and all that it held */
	DB_LOCKED,  /* a lock was not to be had in time */
	DB_STOPPED, /* it was killed, or took longer than the server allows */
	DB_CHANGED, /* a table is not what it was, or is no more */
	DB_DENIED,  /* a privilege is missing */
	DB_FULL,    /* the server's disk is full, or its memory */
	DB_OTHER,
};

/*
 * Connect, with LOCAL INFILE off and time-outs on everything.  A fault is a
 * sentence for the administrator, never has the password in it, and is
 * FAULT_RETRY where another try may succeed (refused, too many connections),
 * else FAULT_SYSTEM.  Returns 0 or -1.
 */
int db_open(struct db **out, const struct database *where, struct fault *fault);

/* Close at once, whatever is under way; NULL is accepted. */
void db_close(struct db *db);

/* What became of the last statement. */
enum db_trouble db_trouble(const struct db *db);

/* The server's own number of the last error, 0 if there was none. */
unsigned db_errno(const struct db *db);

/* Of the server: its version as it says it, and whether it is MariaDB. */
const char *db_version(const struct db *db);
bool db_is_mariadb(const struct db *db);

/* Its number of this connection, which KILL takes. */
unsigned long db_connection_id(const struct db *db);

/*
 * Run a statement, printf-like, that answers with no rows; names and texts in
 * it must have been quoted (sqltext.h).  Returns 0 or -1.
 */
int db_run(struct db *db, struct fault *fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Run one that may fail without harm, such as the setting of a variable that
 * only some servers know.  Returns whether it succeeded. */
bool db_try(struct db *db, const char *statement);

/*
 * Start a query and read its rows one by one, as text or bytes as the server
 * sends them.  Nothing else can be run until the last row was read or
 * db_end_rows was called.  Returns 0 or -1.
 */
int
db_query(struct db *db, const char *query, size_t length, struct fault *fault);

/* The same, printf-like. */
int db_queryf(struct db *db, struct fault *fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * The next row: values and their lengths, NULL where NULL, valid until the
 * next call.  Returns 1, 0 after the last row, or -1 (a cut connection is
 * never taken for the end).
 */
int db_next(struct db *db, const char *const **values,
    const unsigned long **lengths, struct fault *fault);

/* How many columns its rows have. */
unsigned db_columns(const struct db *db);

/* The name of one of them, valid as long as the query. */
const char *db_column_name(const struct db *db, unsigned column);

/* Give up a query: reads and drops the rows that are left. */
void db_end_rows(struct db *db);

/* There are rows to be read. */
bool db_in_rows(const struct db *db);

/*
 * The first column of the only row of a query as a malloc'd text; NULL with a
 * cleared fault if there is no row or it is NULL, NULL with a fault if it
 * fails.
 */
char *db_value(struct db *db, struct fault *fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The connection answers.  Not while rows are being read. */
bool db_ping(struct db *db);

#endif
