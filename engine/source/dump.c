/* SPDX-License-Identifier: MIT */
#include "source/dump.h"

#include "base/fault.h"
#include "base/strbuf.h"
#include "source/db.h"
#include "source/dump_internal.h"
#include "store/cursor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * What a session needs so that a snapshot stays and nothing is cut short.  Not
 * every server knows every one of them.
 */
static const char *const settings[] = {
	"SET SESSION wait_timeout=3600", "SET SESSION interactive_timeout=3600",
	"SET SESSION idle_transaction_timeout=0",
	"SET SESSION idle_readonly_transaction_timeout=0",
	"SET SESSION idle_write_transaction_timeout=0",
	"SET SESSION net_read_timeout=600",
	"SET SESSION net_write_timeout=3600",
	"SET SESSION max_statement_time=0", "SET SESSION max_execution_time=0",
	"SET SESSION innodb_lock_wait_timeout=1",
	"SET SESSION sql_select_limit=18446744073709551615",
	"SET SESSION sql_big_selects=1",
	"SET SESSION sql_log_bin=0", /* see locks_stay */
};

/* And what must succeed.  Dates that are none must compare as they are. */
static const char *const requirements[] = {
	"SET SESSION time_zone='+00:00'",
	"SET SESSION sql_mode='ALLOW_INVALID_DATES'",
	"SET SESSION sql_quote_show_create=1",
	"SET SESSION lock_wait_timeout=1",
	"SET SESSION autocommit=1",
	"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static int
set_up_session(struct db *db, struct fault *fault)
{
	for (size_t i = 0; i < COUNT_OF(requirements); i++)
		if (db_run(db, fault, "%s", requirements[i]) != 0)
			return -1;
	for (size_t i = 0; i < COUNT_OF(settings); i++)
		db_try(db, settings[i]);
	return 0;
}

/* "MariaDB 10.11.6" of "10.11.6-MariaDB-0+deb12u1". */
static void
describe_server(struct dump *dump)
{
	const char *version = db_version(dump->db);

	snprintf(dump->facts.server, sizeof(dump->facts.server), "%s %.*s",
	    db_is_mariadb(dump->db) ? "MariaDB" : "MySQL",
	    (int)strspn(version, "0123456789."), version);
}

static int
ask_facts(struct dump *dump, struct fault *fault)
{
	const char *const *values;
	const unsigned long *lengths;
	int status;

	describe_server(dump);
	if (db_queryf(dump->db, fault,
		"SELECT @@character_set_database, @@collation_database, "
		"DATABASE()") != 0)
		return -1;
	status = db_next(dump->db, &values, &lengths, fault);
	if (status == 1) {
		snprintf(dump->facts.charset, sizeof(dump->facts.charset), "%s",
		    values[0] != NULL ? values[0] : "");
		snprintf(dump->facts.collation, sizeof(dump->facts.collation),
		    "%s", values[1] != NULL ? values[1] : "");
		dump->schema = strbuf_copy(values[2] != NULL ? values[2] : "");
	}
	db_end_rows(dump->db);
	return status < 0 ? -1 : 0;
}

/* Under any lower level there is silently no snapshot. */
static int
check_isolation(struct dump *dump, struct fault *fault)
{
	char *level =
	    db_value(dump->db, fault, "SELECT @@transaction_isolation");
	int status = 0;

	if (level == NULL) /* an older server */
		level = db_value(dump->db, fault, "SELECT @@tx_isolation");
	if (level == NULL || strcmp(level, "REPEATABLE-READ") != 0)
		status = fault_set(fault, FAULT_SYSTEM,
		    "the database server gives no consistent snapshot: its "
		    "isolation level is %s and not REPEATABLE-READ",
		    level != NULL ? level : "not known");
	free(level);
	return status;
}

static bool
is_true(struct db *db, const char *query)
{
	struct fault fault;
	char *value = db_value(db, &fault, "%s", query);
	bool answer = value != NULL && strcmp(value, "0") != 0;

	free(value);
	return answer;
}

/*
 * MariaDB with a binary log, or in a cluster, does not let go of a
 * transaction's locks when it is rolled back to a savepoint, unless the session
 * may leave the log out.
 */
static bool
locks_stay(struct db *db)
{
	return db_is_mariadb(db) && is_true(db, "SELECT @@sql_log_bin") &&
	    (is_true(db, "SELECT @@log_bin") ||
		is_true(db, "SELECT @@wsrep_on"));
}

static int
take_snapshot(struct dump *dump, struct fault *fault)
{
	if (check_isolation(dump, fault) != 0)
		return -1;
	/* Not READ ONLY: a view that takes from a sequence cannot even be
	 * looked at in a transaction that is. */
	if (db_run(dump->db, fault,
		"START TRANSACTION WITH CONSISTENT SNAPSHOT") != 0 ||
	    db_run(dump->db, fault, "SAVEPOINT stepvault") != 0)
		return -1;
	dump->in_snapshot = true;
	dump->locks_stay = locks_stay(dump->db);
	return 0;
}

int
dump_open(
    struct dump **out, const struct dump_terms *terms, struct fault *fault)
{
	struct dump *dump = calloc(1, sizeof(*dump));

	if (dump == NULL)
		abort();
	dump->terms = *terms;
	if (db_open(&dump->db, terms->database, fault) != 0 ||
	    set_up_session(dump->db, fault) != 0 ||
	    ask_facts(dump, fault) != 0 ||
	    (terms->snapshot && take_snapshot(dump, fault) != 0)) {
		dump_close(dump);
		return -1;
	}
	*out = dump;
	return 0;
}

void
dump_close(struct dump *dump)
{
	if (dump == NULL)
		return;
	/* First, so that rows under way need not be read. */
	db_close(dump->db);
	dump->db = NULL;
	dump_table_drop(dump);
	db_close(dump->side);
	free(dump->schema);
	free(dump);
}

const struct dump_facts *
dump_facts(const struct dump *dump)
{
	return &dump->facts;
}

int
dump_set_raw(struct dump *dump, bool raw, struct fault *fault)
{
	if (dump->raw == raw)
		return 0;
	if (db_run(dump->db, fault, "SET character_set_results=%s",
		raw ? "NULL" : "utf8mb4") != 0)
		return -1;
	dump->raw = raw;
	return 0;
}

void
dump_release(struct dump *dump)
{
	if (dump->in_snapshot)
		db_try(dump->db, "ROLLBACK TO SAVEPOINT stepvault");
}

enum dump_outcome
dump_failed(struct dump *dump, const char *name, struct fault *fault)
{
	fault_wrap(fault, "%s", name);
	switch (db_trouble(dump->db)) {
	case DB_LOST:
		return dump->in_snapshot ? DUMP_AGAIN : DUMP_FAULT;
	case DB_LOCKED:
		/* A deadlock ends the transaction. */
		return dump->in_snapshot && db_errno(dump->db) == 1213
		    ? DUMP_AGAIN
		    : DUMP_WAIT;
	case DB_STOPPED:
		return DUMP_WAIT;
	case DB_CHANGED:
		return DUMP_AGAIN;
	case DB_FINE:
	case DB_DENIED:
	case DB_FULL:
	case DB_OTHER:
		break;
	}
	return DUMP_FAULT;
}

/*
 * What is set while a piece is loaded, beside its character set, and to what.
 * Rows are what they are, whatever a constraint says by now; and so is a
 * TIMESTAMP column without a default.
 */
static const struct {
	const char *name;
	const char *value;  /* NULL: set by SET NAMES */
	const char *server; /* only there; NULL: everywhere */
} session[] = {
	{ "character_set_client", NULL, NULL },
	{ "character_set_results", NULL, NULL },
	{ "collation_connection", NULL, NULL },
	{ "time_zone", "'+00:00'", NULL },
	{ "sql_mode", "'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'", NULL },
	{ "foreign_key_checks", "0", NULL },
	{ "unique_checks", "0", NULL },
	{ "sql_notes", "0", NULL },
	{ "autocommit", "0", NULL },
	{ "max_statement_time", "0", "M!100101" },
	{ "check_constraint_checks", "0", "M!100201" },
	{ "explicit_defaults_for_timestamp", "1", "M!100804" },
};

enum assignment { KEEP, CHANGE, BRING_BACK };

static void
add_assignment(struct strbuf *text, enum assignment what, size_t i)
{
	switch (what) {
	case KEEP:
		strbuf_addf(text, "@stepvault_%s=@@%s", session[i].name,
		    session[i].name);
		break;
	case CHANGE:
		strbuf_addf(text, "%s=%s", session[i].name, session[i].value);
		break;
	case BRING_BACK:
		strbuf_addf(
		    text, "%s=@stepvault_%s", session[i].name, session[i].name);
		break;
	}
}

static void
add_assignments(struct strbuf *text, enum assignment what)
{
	const char *before = "SET ";

	for (size_t i = 0; i < COUNT_OF(session); i++) {
		const char *server = session[i].server;

		if (what == CHANGE && session[i].value == NULL)
			continue;
		if (server != NULL)
			strbuf_addf(text, " /*%s", server);
		strbuf_addstr(text, before);
		add_assignment(text, what, i);
		if (server != NULL)
			strbuf_addstr(text, " */");
		before = ", ";
	}
	strbuf_addstr(text, ";\n");
}

void
dump_begin_piece(struct strbuf *text)
{
	add_assignments(text, KEEP);
	strbuf_addstr(text, "SET NAMES utf8mb4;\n");
	add_assignments(text, CHANGE);
}

void
dump_end_piece(struct strbuf *text)
{
	strbuf_addstr(text, "COMMIT;\n");
	add_assignments(text, BRING_BACK);
}

/* As strbuf_add_escaped, and a tab as \t. */
static void
add_name(struct strbuf *out, const char *name)
{
	const char *tab;

	for (; (tab = strchr(name, '\t')) != NULL; name = tab + 1) {
		strbuf_add_escaped(out, name, (size_t)(tab - name));
		strbuf_addstr(out, "\\t");
	}
	strbuf_add_escaped(out, name, strlen(name));
}

void
dump_note(struct strbuf *notes, const char *name, const char *format, ...)
{
	va_list args;
	char *sentence;
	int length;

	va_start(args, format);
	length = vasprintf(&sentence, format, args);
	va_end(args);
	if (length < 0)
		abort();
	add_name(notes, name);
	strbuf_addc(notes, '\t');
	strbuf_add_printable(notes, sentence, (size_t)length);
	strbuf_addc(notes, '\n');
	free(sentence);
}

static enum dump_outcome
read_object(struct dump *dump, const struct dump_line *line,
    const struct dump_wanted *wanted, struct fault *fault)
{
	if (line->kind == DUMP_TABLE)
		return dump_table_read(dump, line, wanted, fault);
	dump_table_drop(dump);
	if (dump_set_raw(dump, false, fault) != 0)
		return dump_failed(dump, line->name, fault);
	return dump_object_read(dump, line, wanted->text, wanted->notes, fault);
}

static enum dump_outcome
given_up(struct fault *fault)
{
	fault_set(fault, FAULT_RETRY,
	    "the snapshot of the database was given up: somebody waited to "
	    "alter or lock a table that was read in it, and this server lets "
	    "go of no such table before its end");
	return DUMP_AGAIN;
}

enum dump_outcome
dump_read(/* NOLINT(readability-function-size): seven parameters */
    struct dump *dump, const char *line, int64_t bytes,
    struct dump_place *place, struct strbuf *text, struct strbuf *notes,
    struct fault *fault)
{
	struct dump_wanted wanted = { bytes, place, text, notes };
	struct dump_line object = { 0 };
	enum dump_outcome outcome = DUMP_FAULT;

	dump_give_way(dump);
	if (dump->given_up) {
		outcome = given_up(fault);
	} else if (dump_line_parse(&object, line, fault) == 0) {
		outcome = read_object(dump, &object, &wanted, fault);
		if (!db_in_rows(dump->db))
			dump_release(dump);
	}
	dump_line_close(&object);
	return outcome;
}

void
dump_rest(struct dump *dump)
{
	dump_table_rest(dump);
	if (!db_in_rows(dump->db))
		dump_release(dump);
}

int
dump_idle(struct dump *dump, struct fault *fault)
{
	dump_give_way(dump);
	dump_table_idle(dump);
	if (dump->given_up) {
		given_up(fault);
		return -1;
	}
	if (db_in_rows(dump->db) || db_ping(dump->db))
		return 0;
	return fault_set(fault, FAULT_RETRY,
	    "the connection to the database server was lost%s",
	    dump->in_snapshot ? ", and with it the snapshot" : "");
}
