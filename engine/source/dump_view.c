/* SPDX-License-Identifier: MIT */
#include "source/dump_object.h"

#include "base/fault.h"
#include "source/db.h"
#include "source/sqlscript.h"
#include "source/sqltext.h"
#include "source/sqlview.h"

#include <stdlib.h>
#include <string.h>

/* Append a view of as many columns, and of no rows in case that it stays. */
static int
add_columns(struct dump *dump, const struct dump_line *line,
    struct strbuf *text, struct fault *fault)
{
	struct strbuf query = STRBUF_EMPTY, create = STRBUF_EMPTY;
	const char *between = " AS SELECT 1 AS ";
	const char *const *values;
	const unsigned long *lengths;
	int status;

	strbuf_addstr(
	    &query, "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE");
	dump_add_schema(&query, "TABLE_SCHEMA");
	dump_add_condition(
	    &query, "TABLE_NAME", line->name, " ORDER BY ORDINAL_POSITION");
	strbuf_addstr(&create, "CREATE OR REPLACE VIEW ");
	sqltext_add_name(&create, line->name);
	status = db_query(dump->db, query.bytes, query.length, fault);
	if (status == 0) {
		while ((status = db_next(dump->db, &values, &lengths, fault)) ==
		    1) {
			strbuf_addstr(&create, between);
			sqltext_add_name(&create, values[0]);
			between = ", 1 AS ";
		}
	}
	strbuf_addstr(&create, " FROM DUAL WHERE FALSE");
	if (*between == ',')
		sqlscript_add(text, create.bytes, create.length);
	strbuf_close(&query);
	strbuf_close(&create);
	return status;
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

		if (pair.dot == NULL || strcmp(first, dump->schema) == 0)
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
	    "SELECT VIEW_DEFINITION FROM information_schema.VIEWS WHERE");
	dump_add_schema(&query, "TABLE_SCHEMA");
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
mend(const struct dump *dump, const struct dump_shown *shown,
    struct strbuf *create)
{
	const char *text = shown->values[1] + strlen("CREATE");

	strbuf_addstr(create, "CREATE OR REPLACE");
	if (dump_is_wide(shown->values[2]))
		strbuf_addstr(create, text);
	else
		sqlview_add(create, text, dump->schema);
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

/* 1; 0 if it is no view any more; or -1. */
static int
read_view(struct dump *dump, const struct dump_line *line, bool owned,
    struct others *others, struct strbuf *text, struct fault *fault)
{
	struct strbuf create = STRBUF_EMPTY;
	struct dump_shown shown = { 0 };
	int status = find_others(dump, line, others, fault);

	/* Others of this schema may stand on it. */
	if (status == 0 && !owned) {
		dump_add_named(text, "DROP TABLE IF EXISTS ", line->name);
		if (others->count > 0)
			status = add_columns(dump, line, text, fault);
	}
	if (status == 0)
		status = dump_set_raw(dump, true, fault);
	if (status == 0)
		status = dump_show(
		    dump, &shown, "SHOW CREATE VIEW ", line->name, fault);
	if (status == 1) {
		mend(dump, &shown, &create);
		dump_set_definer(dump, owned, &create);
		add_view(&shown, &create, others, text);
	}
	strbuf_close(&create);
	dump_shown_close(&shown);
	return status;
}

enum dump_outcome
dump_view_read(struct dump *dump, const struct dump_line *line, bool owned,
    struct strbuf *text, struct strbuf *notes, struct fault *fault)
{
	struct others others = { STRBUF_EMPTY, STRBUF_EMPTY, 0 };
	int status = read_view(dump, line, owned, &others, text, fault);

	if (status == 1 && owned && others.names.length > 0)
		dump_note(notes, line->name,
		    "is a view of other databases (%s): where one of these is "
		    "missing, it is loaded as a view without rows",
		    others.names.bytes);
	strbuf_close(&others.guard);
	strbuf_close(&others.names);
	if (status == 1)
		return DUMP_ENDED;
	return status < 0 ? dump_failed(dump, line->name, fault)
			  : dump_vanished(line, fault);
}
