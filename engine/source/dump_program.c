/* SPDX-License-Identifier: MIT */
#include "source/dump_object.h"

#include "base/fault.h"
#include "source/db.h"
#include "source/sqlscript.h"
#include "source/sqltext.h"

#include <stdlib.h>
#include <string.h>

/* How each kind is called, and where SHOW CREATE has what there is to know. */
static const struct form {
	const char *show;
	const char *drop; /* NULL: it is replaced */
	int create;
	int time_zone; /* 0: none */
} forms[DUMP_KIND_COUNT] = {
	[DUMP_FUNCTION] = { "SHOW CREATE FUNCTION ", "DROP FUNCTION IF EXISTS ",
	    2, 0 },
	[DUMP_PROCEDURE] = { "SHOW CREATE PROCEDURE ",
	    "DROP PROCEDURE IF EXISTS ", 2, 0 },
	/* Only Oracle's mode knows how to drop these: see replace. */
	[DUMP_PACKAGE] = { "SHOW CREATE PACKAGE ", NULL, 2, 0 },
	[DUMP_PACKAGE_BODY] = { "SHOW CREATE PACKAGE BODY ", NULL, 2, 0 },
	[DUMP_TRIGGER] = { "SHOW CREATE TRIGGER ", "DROP TRIGGER IF EXISTS ", 2,
	    0 },
	[DUMP_EVENT] = { "SHOW CREATE EVENT ", "DROP EVENT IF EXISTS ", 3, 2 },
};

void
dump_program_close(struct dump_program *program)
{
	strbuf_close(&program->create);
	free(program->sql_mode);
	free(program->time_zone);
	free(program->client);
	free(program->connection);
	free(program->database);
	memset(program, 0, sizeof(*program));
}

/* Take a value over. */
static char *
take(struct dump_shown *shown, int column)
{
	char *value = shown->values[column];

	shown->values[column] = NULL;
	return value != NULL ? value : strbuf_copy("");
}

/* 1; 0 if its text is kept from this user; or -1. */
static int
show_program(
    struct dump *dump, struct dump_program *program, struct fault *fault)
{
	const struct form *form = &forms[program->line->kind];
	struct dump_shown shown = { 0 };
	int status = dump_set_raw(dump, true, fault);

	if (status == 0)
		status = dump_show(
		    dump, &shown, form->show, program->line->name, fault);
	if (status == 1 && shown.values[form->create] == NULL)
		status = 0;
	if (status == 1) {
		strbuf_add(&program->create, shown.values[form->create],
		    shown.lengths[form->create]);
		program->sql_mode = take(&shown, 1);
		if (form->time_zone != 0)
			program->time_zone = take(&shown, form->time_zone);
		program->client = take(&shown, form->create + 1);
		program->connection = take(&shown, form->create + 2);
		program->database = take(&shown, form->create + 3);
	}
	dump_shown_close(&shown);
	return status;
}

/* From 10.6.2 on MariaDB prepares whatever it knows. */
static bool
can_prepare(const struct dump *dump)
{
	static const unsigned long least[] = { 10, 6, 2 };
	const char *version = db_version(dump->db);

	for (size_t i = 0; i < 3; i++) {
		char *end;
		unsigned long number = strtoul(version, &end, 10);

		if (number != least[i])
			return db_is_mariadb(dump->db) && number > least[i];
		version = *end == '.' ? end + 1 : end;
	}
	return db_is_mariadb(dump->db);
}

static void
set_session(const struct dump_program *program, struct strbuf *text)
{
	strbuf_addf(text,
	    "SET character_set_client = %s, collation_connection = %s, "
	    "sql_mode = ",
	    program->client, program->connection);
	sqltext_add_string(text, program->sql_mode, strlen(program->sql_mode));
	strbuf_addstr(text, ";\n");
}

/* By its name, or where the server does not know that, by how far it is off. */
static void
set_time_zone(const char *zone, const char *offset, struct strbuf *text)
{
	struct strbuf name = STRBUF_EMPTY;

	sqltext_add_string(&name, zone, strlen(zone));
	if (offset == NULL || strcmp(zone, "SYSTEM") == 0 ||
	    strchr("+-", *zone) != NULL)
		strbuf_addf(text, "SET time_zone = %s;\n", name.bytes);
	else
		strbuf_addf(text,
		    "SET time_zone = IF(CONVERT_TZ('2000-01-01 00:00:00', "
		    "'+00:00', %s) IS NULL, '%s%s', %s);\n",
		    name.bytes, *offset == '-' ? "" : "+", offset, name.bytes);
	strbuf_close(&name);
}

/* What matters of an event beyond its text. */
static int
set_event_session(struct dump *dump, const struct dump_program *program,
    struct strbuf *text, struct fault *fault)
{
	struct strbuf query = STRBUF_EMPTY;
	struct dump_shown event;
	int status;

	strbuf_addstr(&query,
	    "SELECT STATUS <> 'ENABLED' AND "
	    "(EXECUTE_AT IS NOT NULL OR ENDS IS NOT NULL), "
	    "UNIX_TIMESTAMP(CREATED), TIME_FORMAT(TIMEDIFF("
	    "COALESCE(EXECUTE_AT, STARTS), CONVERT_TZ("
	    "COALESCE(EXECUTE_AT, STARTS), TIME_ZONE, '+00:00')), '%H:%i') "
	    "FROM information_schema.EVENTS WHERE");
	dump_add_schema(&query, "EVENT_SCHEMA");
	dump_add_condition(&query, "EVENT_NAME", program->line->name, "");
	status = dump_show_row(dump, &event, &query, fault);
	strbuf_close(&query);
	if (status == 1) {
		set_time_zone(program->time_zone, event.values[2], text);
		/* The server makes none whose time has passed. */
		if (event.values[0] != NULL &&
		    strcmp(event.values[0], "1") == 0 &&
		    event.values[1] != NULL)
			strbuf_addf(
			    text, "SET timestamp = %s;\n", event.values[1]);
	}
	dump_shown_close(&event);
	return status < 0 ? -1 : 0;
}

/*
 * Append what changes the session for the program.  The collation of the
 * database is kept in programs, too.
 */
static int
add_session(struct dump *dump, const struct dump_program *program,
    struct strbuf *text, struct fault *fault)
{
	if (program->line->kind == DUMP_EVENT &&
	    set_event_session(dump, program, text, fault) != 0)
		return -1;
	if (strcmp(program->database, dump->facts.collation) != 0)
		strbuf_addf(
		    text, "ALTER DATABASE COLLATE %s;\n", program->database);
	set_session(program, text);
	return 0;
}

/* And what no frame of a piece changes back. */
static void
add_session_end(const struct dump *dump, const struct dump_program *program,
    struct strbuf *text)
{
	if (strcmp(program->database, dump->facts.collation) != 0)
		strbuf_addf(text, "ALTER DATABASE COLLATE %s;\n",
		    dump->facts.collation);
	if (program->line->kind == DUMP_EVENT)
		strbuf_addstr(text, "SET timestamp = DEFAULT;\n");
}

/* Have a statement that makes something replace what is there. */
static void
replace(struct strbuf *create)
{
	size_t words = strlen("CREATE");

	dump_replace(create, words, words, " OR REPLACE", 11);
}

static void
add_prepared(const struct dump_program *program, const struct strbuf *session,
    struct strbuf *text)
{
	const struct form *form = &forms[program->line->kind];

	if (form->drop != NULL)
		dump_add_named(text, form->drop, program->line->name);
	sqlscript_add_text(text, program->create.bytes, program->create.length);
	strbuf_add(text, session->bytes, session->length);
	sqlscript_add_execute(text);
}

static void
add_delimited(const struct dump_program *program, const struct strbuf *session,
    struct strbuf *text, struct strbuf *notes)
{
	const struct form *form = &forms[program->line->kind];
	struct sqlscript_mode mode = {
		.no_backslash_escapes =
		    strstr(program->sql_mode, "NO_BACKSLASH_ESCAPES") != NULL,
		.ansi_quotes = strstr(program->sql_mode, "ANSI_QUOTES") != NULL,
		.wide = dump_is_wide(program->client),
	};
	size_t before = text->length;

	if (form->drop != NULL)
		dump_add_named(text, form->drop, program->line->name);
	strbuf_add(text, session->bytes, session->length);
	if (sqlscript_add_delimited(
		text, program->create.bytes, program->create.length, &mode)) {
		if (strstr(program->create.bytes, "\r\n") != NULL)
			dump_note(notes, program->line->name,
			    "is a %s with line ends of Windows: to load it as "
			    "it is, the client needs --binary-mode",
			    dump_kind_name(program->line->kind));
		return;
	}
	strbuf_cut(text, before);
	sqlscript_add_text(text, program->create.bytes, program->create.length);
	dump_note(notes, program->line->name,
	    "is a %s in whose text a client could find commands of its own: "
	    "it is in the backup as a string, and is not made when that is "
	    "loaded",
	    dump_kind_name(program->line->kind));
}

static int
add_program(struct dump *dump, struct dump_program *program,
    struct strbuf *text, struct strbuf *notes, struct fault *fault)
{
	struct strbuf session = STRBUF_EMPTY;
	int status = dump_program_mend(dump, program, fault);

	dump_set_definer(dump, program->owned, &program->create);
	if (forms[program->line->kind].drop == NULL)
		replace(&program->create);
	if (status == 0)
		status = add_session(dump, program, &session, fault);
	if (status == 0) {
		if (can_prepare(dump))
			add_prepared(program, &session, text);
		else
			add_delimited(program, &session, text, notes);
		add_session_end(dump, program, text);
	}
	strbuf_close(&session);
	return status;
}

/* Nothing else needs one of these, and events even end by themselves. */
static bool
may_vanish(enum dump_kind kind)
{
	return kind == DUMP_TRIGGER || kind == DUMP_EVENT;
}

enum dump_outcome
dump_program_read(struct dump *dump, const struct dump_line *line, bool owned,
    struct strbuf *text, struct strbuf *notes, struct fault *fault)
{
	struct dump_program program = { .line = line, .owned = owned };
	enum dump_outcome outcome = DUMP_ENDED;
	int status = show_program(dump, &program, fault);

	if (status == 0)
		dump_note(notes, line->name,
		    "is a %s of another user's making, whose text the database "
		    "user may not read; left out",
		    dump_kind_name(line->kind));
	else if (status == 1)
		status = add_program(dump, &program, text, notes, fault);
	if (status < 0) {
		outcome =
		    db_trouble(dump->db) == DB_CHANGED && may_vanish(line->kind)
		    ? DUMP_ENDED
		    : dump_failed(dump, line->name, fault);
		if (outcome == DUMP_ENDED)
			dump_note(notes, line->name,
			    "this %s was removed while the database was read; "
			    "left out",
			    dump_kind_name(line->kind));
	}
	dump_program_close(&program);
	return outcome;
}
