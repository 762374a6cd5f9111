/* SPDX-License-Identifier: MIT */
#include "source/dump_object.h"

#include "base/fault.h"
#include "source/db.h"
#include "source/sqlscript.h"
#include "source/sqltext.h"
#include "source/sqlview.h"
#include "store/profile.h"

#include <stdlib.h>
#include <string.h>

/* A view of as many columns, and of no rows in case that it stays. */
static enum dump_outcome
add_placeholder(struct dump *dump, const struct dump_line *line,
    struct strbuf *create, struct fault *fault)
{
	const char *const *values;
	const unsigned long *lengths;
	const char *between = " AS SELECT 1 AS ";
	int status;

	strbuf_addstr(create, "CREATE OR REPLACE VIEW ");
	sqltext_add_name(create, line->name);
	while ((status = db_next(dump->db, &values, &lengths, fault)) == 1) {
		strbuf_addstr(create, between);
		sqltext_add_name(create, values[0]);
		between = ", 1 AS ";
	}
	if (status < 0)
		return dump_failed(dump, line->name, fault);
	strbuf_addstr(create, " FROM DUAL WHERE FALSE");
	return *between == ',' ? DUMP_ENDED : dump_vanished(line, fault);
}

enum dump_outcome
dump_placeholder_read(struct dump *dump, const struct dump_line *line,
    struct strbuf *text, struct fault *fault)
{
	struct strbuf query = STRBUF_EMPTY, create = STRBUF_EMPTY;
	enum dump_outcome outcome;

	strbuf_addstr(&query,
	    "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE "
	    "TABLE_SCHEMA = DATABASE() AND");
	dump_add_condition(
	    &query, "TABLE_NAME", line->name, " ORDER BY ORDINAL_POSITION");
	if (db_query(dump->db, query.bytes, query.length, fault) != 0)
		outcome = dump_failed(dump, line->name, fault);
	else
		outcome = add_placeholder(dump, line, &create, fault);
	if (outcome == DUMP_ENDED) {
		dump_add_named(text, "DROP TABLE IF EXISTS ", line->name);
		sqlscript_add(text, create.bytes, create.length);
	}
	strbuf_close(&query);
	strbuf_close(&create);
	return outcome;
}

/* What must be there when a view is loaded, beside what its schema has. */
struct others {
	struct strbuf guard; /* how many of them are there, in SQL */
	struct strbuf names; /* those of other schemas, for people */
	int count;
};

static bool
is_of_server(const char *schema)
{
	return strcmp(schema, "information_schema") == 0 ||
	    strcmp(schema, "performance_schema") == 0 ||
	    strcmp(schema, "mysql") == 0 || strcmp(schema, "sys") == 0;
}

/* The query that counts a table, or function; schema NULL: of this one. */
static void
add_count(struct strbuf *query, bool is_function, const char *schema,
    const char *name)
{
	strbuf_addf(query, "(SELECT COUNT(*) FROM information_schema.%s WHERE",
	    is_function ? "ROUTINES" : "TABLES");
	if (schema != NULL)
		dump_add_condition(query,
		    is_function ? "ROUTINE_SCHEMA" : "TABLE_SCHEMA", schema,
		    " AND");
	else
		strbuf_addstr(query, " ROUTINE_SCHEMA = DATABASE() AND");
	if (is_function)
		strbuf_addstr(query, " ROUTINE_TYPE = 'FUNCTION' AND");
	dump_add_condition(
	    query, is_function ? "ROUTINE_NAME" : "TABLE_NAME", name, ")");
}

/*
 * Take one in if it is there: most pairs are an alias and a column, and some
 * calls name the columns of a table.  Returns 0 or -1.
 */
static int
add_other(struct dump *dump, struct others *others,
    const struct sqlview_pair *pair, const char *schema, struct fault *fault)
{
	char *name =
	    sqlview_name(pair->dot != NULL ? pair->dot + 1 : pair->first);
	struct strbuf query = STRBUF_EMPTY;
	char *found = NULL;

	fault_clear(fault);
	add_count(&query, pair->is_call, schema, name);
	/* The same one again counts for nothing. */
	if (strstr(strbuf_text(&others->guard), query.bytes) == NULL)
		found = db_value(dump->db, fault, "SELECT %s", query.bytes);
	if (found != NULL && strcmp(found, "0") != 0) {
		strbuf_addf(&others->guard, "%s%s",
		    others->count > 0 ? " + " : "", query.bytes);
		others->count++;
		if (schema != NULL)
			strbuf_addf(&others->names, "%s%s.%s",
			    others->names.length > 0 ? ", " : "", schema, name);
	}
	strbuf_close(&query);
	free(name);
	free(found);
	return fault->code == FAULT_NONE ? 0 : -1;
}

static int
add_others(struct dump *dump, struct others *others,
    const struct dump_shown *view, struct fault *fault)
{
	const char *definition = view->values[0] != NULL ? view->values[0] : "";
	struct sqlview_pair pair;
	int status = 0;

	for (; status == 0 && sqlview_next(definition, &pair);
	     definition = pair.end) {
		char *first = sqlview_name(pair.first), *schema = first;

		if (pair.dot == NULL || strcmp(first, view->values[1]) == 0)
			schema = NULL;
		if (schema != NULL ? !is_of_server(schema) : pair.is_call)
			status = add_other(dump, others, &pair, schema, fault);
		free(first);
	}
	return status;
}

static int
find_others(struct dump *dump, const struct dump_line *line,
    struct others *others, struct fault *fault)
{
	struct strbuf query = STRBUF_EMPTY;
	struct dump_shown view;
	int status;

	strbuf_addstr(&query,
	    "SELECT VIEW_DEFINITION, DATABASE() FROM information_schema.VIEWS "
	    "WHERE TABLE_SCHEMA = DATABASE() AND");
	dump_add_condition(&query, "TABLE_NAME", line->name, "");
	status = dump_show_row(dump, &view, &query, fault);
	if (status == 1)
		status = add_others(dump, others, &view, fault);
	strbuf_close(&query);
	dump_shown_close(&view);
	return status < 0 ? -1 : 0;
}

/* Of what SHOW CREATE VIEW says the statement that makes it here. */
static void
mend(struct dump *dump, const struct dump_shown *shown, struct strbuf *create)
{
	const char *text = shown->values[1] + strlen("CREATE");
	size_t from, to;

	strbuf_addstr(create, "CREATE OR REPLACE");
	if (dump_is_wide(shown->values[2]))
		strbuf_addstr(create, text);
	else
		sqlview_add(create, text, dump->terms.database->name);
	if (dump->terms.profile->definers == DEFINERS_DROP &&
	    dump_find_definer(create->bytes, &from, &to))
		dump_replace(create, from, to, "", 0);
}

static void
add_view(const struct dump_shown *shown, const struct strbuf *create,
    const struct others *others, struct strbuf *text)
{
	bool plain = others->count == 0 &&
	    sqlscript_is_plain(create->bytes, create->length);

	if (!plain)
		sqlscript_add_text(text, create->bytes, create->length);
	/* Without them it would end the loading. */
	if (others->count > 0)
		strbuf_addf(text,
		    "SET @stepvault = IF(%s = %d, @stepvault, 'DO 0');\n",
		    others->guard.bytes, others->count);
	strbuf_addf(text,
	    "SET character_set_client = %s, collation_connection = %s;\n",
	    shown->values[2], shown->values[3]);
	if (plain)
		sqlscript_add(text, create->bytes, create->length);
	else
		sqlscript_add_execute(text);
}

enum dump_outcome
dump_view_read(struct dump *dump, const struct dump_line *line,
    struct strbuf *text, struct strbuf *notes, struct fault *fault)
{
	struct others others = { STRBUF_EMPTY, STRBUF_EMPTY, 0 };
	struct strbuf create = STRBUF_EMPTY;
	struct dump_shown shown = { 0 };
	enum dump_outcome outcome = DUMP_ENDED;
	int status = find_others(dump, line, &others, fault);

	if (status == 0)
		status = dump_set_raw(dump, true, fault);
	if (status == 0)
		status = dump_show(
		    dump, &shown, "SHOW CREATE VIEW ", line->name, fault);
	if (status == 1) {
		mend(dump, &shown, &create);
		add_view(&shown, &create, &others, text);
	} else {
		outcome = status < 0 ? dump_failed(dump, line->name, fault)
				     : dump_vanished(line, fault);
	}
	if (status == 1 && others.names.length > 0)
		dump_note(notes, line->name,
		    "is a view of other databases (%s): where one of these is "
		    "missing, it is loaded as a view without rows",
		    others.names.bytes);
	strbuf_close(&others.guard);
	strbuf_close(&others.names);
	strbuf_close(&create);
	dump_shown_close(&shown);
	return outcome;
}
