/* SPDX-License-Identifier: MIT */
/*
 * The list of objects, by a few queries over the information schema for all of
 * them together: one for each object would take minutes.
 */
#include "base/crc32c.h"
#include "base/fault.h"
#include "base/strbuf.h"
#include "source/db.h"
#include "source/dump_items.h"
#include "source/privileges.h"
#include "store/database.h"
#include "store/profile.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Engines whose tables show rows that are kept elsewhere, or none. */
static const char *const rowless_engines[] = { "BLACKHOLE", "CONNECT",
	"FEDERATED", "MRG_MYISAM", "OQGRAPH", "SPHINX", "SPIDER" };

/* When an ARCHIVE was made the server does not know: it is always now. */
static const char find_tables[] =
    "SELECT TABLE_NAME, TABLE_TYPE, ENGINE, ENGINE IN (SELECT ENGINE FROM "
    "information_schema.ENGINES WHERE TRANSACTIONS = 'YES'), DATA_LENGTH, "
    "TABLE_ROWS, TABLE_COMMENT, IF(ENGINE = 'ARCHIVE', NULL, CREATE_TIME), "
    "TABLE_COLLATION, CREATE_OPTIONS FROM information_schema.TABLES";

enum { T_NAME, T_TYPE, T_ENGINE, T_COVERED, T_BYTES, T_ROWS, T_COMMENT };

/* The profile excludes it wholly, or (not whole) its rows.  A pattern is a
 * GLOB, or LABEL.GLOB for one database. */
static bool
is_among(const struct dump_items *items, bool whole, const char *name)
{
	const struct dump_terms *terms = &items->dump->terms;
	const struct texts *patterns = whole ? &terms->profile->excluded_tables
					     : &terms->profile->excluded_data;
	const char *label =
	    terms->database->label != NULL ? terms->database->label : "";
	size_t length = strlen(label);

	for (int i = 0; i < patterns->count; i++) {
		const char *glob = patterns->items[i];

		if (fnmatch(glob, name, 0) == 0)
			return true;
		if (strncmp(glob, label, length) == 0 && glob[length] == '.' &&
		    fnmatch(glob + length + 1, name, 0) == 0)
			return true;
	}
	return false;
}

static int64_t
number_of(const char *value)
{
	long long number = value != NULL ? strtoll(value, NULL, 10) : 0;

	return number > 0 ? number : 0;
}

/* The words of TABLE_TYPE that are of interest: the others are temporary, or
 * made up by the server. */
static bool
kind_of(const char *type, enum dump_kind *kind)
{
	if (strcmp(type, "BASE TABLE") == 0 ||
	    strcmp(type, "SYSTEM VERSIONED") == 0)
		*kind = DUMP_TABLE;
	else if (strcmp(type, "VIEW") == 0)
		*kind = DUMP_VIEW;
	else if (strcmp(type, "SEQUENCE") == 0)
		*kind = DUMP_SEQUENCE;
	else
		return false;
	return true;
}

static bool
has_rows_elsewhere(const char *engine)
{
	for (size_t i = 0;
	     i < sizeof(rowless_engines) / sizeof(rowless_engines[0]); i++)
		if (strcasecmp(rowless_engines[i], engine) == 0)
			return true;
	return false;
}

/* What to do with the rows of a table, and what a person should know of it. */
static int
judge_table(
    struct dump_items *items, struct dump_item *item, struct fault *fault)
{
	const char *name = item->line.name;

	if (!privileges_has_on(items->privileges, PRIVILEGE_SELECT, name))
		return fault_set(fault, FAULT_SYSTEM,
		    "the database user may not read the table %s: grant it "
		    "SELECT, or exclude the table",
		    name);
	item->line.with_rows = !is_among(items, false, name);
	if (item->engine != NULL && has_rows_elsewhere(item->engine)) {
		item->line.with_rows = false;
		dump_note(items->notes, name,
		    "is of engine %s, which has no rows of its own: only its "
		    "structure is in the backup",
		    item->engine);
	}
	if (item->versioned && item->line.with_rows)
		dump_note(items->notes, name,
		    "is system-versioned: its rows are in the backup as they "
		    "are now, without their history");
	/* Without an engine it cannot be opened: reading it will say why. */
	if (!item->line.covered && item->line.with_rows && item->engine != NULL)
		dump_note(items->notes, name,
		    "is of engine %s, which no snapshot covers: its rows are "
		    "as they were when they were read",
		    item->engine);
	return 0;
}

static void
judge_view(struct dump_items *items, struct dump_item *item)
{
	const char *name = item->line.name;

	if (!privileges_has_on(items->privileges, PRIVILEGE_SELECT, name) ||
	    !privileges_has_on(items->privileges, PRIVILEGE_SHOW_VIEW, name)) {
		item->left_out = true;
		dump_note(items->notes, name,
		    "is a view that the database user may not read: it lacks "
		    "SELECT or SHOW VIEW; left out");
	} else if (item->broken) {
		item->left_out = true;
		dump_note(items->notes, name,
		    "is a view that does not work, as it refers to what is not "
		    "there, or its definer has lost rights; left out");
	}
}

/* In order of name, as the server has none. */
static int
judge_relations(struct dump_items *items, struct fault *fault)
{
	for (int i = 0; i < items->relations; i++) {
		struct dump_item *item = &items->all[i];

		/* Tables take their defaults from sequences: these stay. */
		item->excluded = item->line.kind != DUMP_SEQUENCE &&
		    is_among(items, true, item->line.name);
		if (item->excluded)
			continue;
		if (item->line.kind == DUMP_VIEW)
			judge_view(items, item);
		else if (judge_table(items, item, fault) != 0)
			return -1;
		if (item->line.kind == DUMP_SEQUENCE)
			item->line.with_rows = false;
	}
	return 0;
}

/* Take in a row of find_tables. */
static void
add_relation(struct dump_items *items, const char *const *values,
    const unsigned long *lengths)
{
	struct dump_item *item;
	enum dump_kind kind;

	if (!kind_of(values[T_TYPE], &kind))
		return;
	item = dump_items_add(items, kind, values[T_NAME]);
	if (kind == DUMP_VIEW) {
		/* Where a table's comment is, the server says what is wrong. */
		item->broken = values[T_COMMENT] != NULL &&
		    strcmp(values[T_COMMENT], "VIEW") != 0;
		return;
	}
	item->sum = dump_items_sum(
	    0, values, lengths, T_COMMENT, db_columns(items->db));
	if (kind == DUMP_SEQUENCE)
		return;
	item->versioned = strcmp(values[T_TYPE], "SYSTEM VERSIONED") == 0;
	item->line.bytes = number_of(values[T_BYTES]);
	item->line.rows = number_of(values[T_ROWS]);
	item->line.covered =
	    values[T_COVERED] != NULL && strcmp(values[T_COVERED], "1") == 0;
	if (values[T_ENGINE] != NULL)
		item->engine = strbuf_copy(values[T_ENGINE]);
}

static enum dump_outcome
read_tables(struct dump_items *items, struct fault *fault)
{
	const char *const *values;
	const unsigned long *lengths;
	enum dump_outcome outcome;
	int status;

	status = dump_items_ask(items, find_tables, "TABLE_SCHEMA", fault);
	if (status == 0) {
		while ((status = db_next(
			    items->db, &values, &lengths, fault)) == 1)
			add_relation(items, values, lengths);
	}
	outcome = dump_items_answered(items, status, fault);
	if (outcome != DUMP_ENDED)
		return outcome;
	dump_items_sort_relations(items);
	return judge_relations(items, fault) == 0 ? DUMP_ENDED : DUMP_FAULT;
}

/* The schema itself: its character set and collation. */
static void
add_schema(struct dump_items *items)
{
	struct dump_item *item =
	    dump_items_add(items, DUMP_DATABASE, items->schema);
	const struct dump_facts *facts = &items->dump->facts;

	item->sum = crc32c(0, facts->charset, sizeof(facts->charset));
	item->sum =
	    crc32c(item->sum, facts->collation, sizeof(facts->collation));
}

/* What cannot be seen cannot be named. */
static void
note_unseen(struct dump_items *items)
{
	static const enum privilege wanted[] = { PRIVILEGE_TRIGGER,
		PRIVILEGE_EVENT, PRIVILEGE_ROUTINE_NAMES };

	if (!privileges_has(items->privileges, PRIVILEGE_SELECT))
		dump_note(items->notes, items->schema,
		    "the database user has SELECT on single tables only: "
		    "others, if there are any, are not in the backup");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!privileges_has(items->privileges, wanted[i]))
			dump_note(items->notes, items->schema,
			    "the database user lacks the privilege %s: %s, if "
			    "there are any, are not in the backup",
			    privileges_name(wanted[i]),
			    privileges_loss(wanted[i]));
}

static enum dump_outcome
read_all(struct dump_items *items, struct fault *fault)
{
	enum dump_outcome outcome;

	if (privileges_read(
		&items->privileges, items->db, items->schema, fault) != 0)
		return dump_failed(items->dump, items->schema, fault);
	note_unseen(items);
	outcome = read_tables(items, fault);
	if (outcome == DUMP_ENDED)
		outcome = dump_items_read_indexes(items, fault);
	if (outcome == DUMP_ENDED)
		outcome = dump_items_read_columns(items, fault);
	if (outcome == DUMP_ENDED)
		outcome = dump_items_read_code(items, fault);
	if (outcome == DUMP_ENDED)
		add_schema(items);
	return outcome;
}

static void
add_line(
    struct strbuf *lines, const struct dump_item *item, enum dump_kind kind)
{
	struct dump_line line = item->line;
	char made[16];

	snprintf(made, sizeof(made), "%08x", item->sum);
	line.kind = kind;
	line.made = made;
	line.keyless = kind == DUMP_TABLE && item->keys.length == 0;
	dump_line_add(lines, &line);
}

/* Of all that are of one kind. */
static void
add_lines(
    struct strbuf *lines, const struct dump_items *items, enum dump_kind kind)
{
	enum dump_kind found = kind;

	if (kind == DUMP_PLACEHOLDER)
		found = DUMP_VIEW;
	else if (kind == DUMP_STANDIN)
		found = DUMP_FUNCTION;
	for (int i = 0; i < items->count; i++) {
		/* The last views first: what stands on others before these. */
		int at = kind == DUMP_VIEW ? items->count - 1 - i : i;
		const struct dump_item *item = &items->all[at];

		if (item->line.kind == found && !item->excluded &&
		    !item->left_out && (kind != DUMP_STANDIN || item->called))
			add_line(lines, item, kind);
	}
}

enum dump_outcome
dump_list(struct dump *dump, struct strbuf *lines, struct strbuf *notes,
    struct fault *fault)
{
	struct dump_items items = { .dump = dump,
		.db = dump->db,
		.schema = dump->schema,
		.notes = notes };
	size_t noted = notes->length;
	enum dump_outcome outcome;

	fault_clear(fault);
	dump_table_drop(dump);
	if (dump_set_raw(dump, false, fault) != 0)
		return dump_failed(dump, dump->schema, fault);
	/* Of more warnings than this the server would keep none. */
	db_try(dump->db, "SET SESSION max_error_count = 65535");
	db_try(dump->db, "SET SESSION information_schema_stats_expiry = 0");
	outcome = read_all(&items, fault);
	if (outcome == DUMP_ENDED) {
		dump_items_sort(&items);
		for (int kind = 0; kind < DUMP_KIND_COUNT; kind++)
			add_lines(lines, &items, (enum dump_kind)kind);
	} else {
		strbuf_cut(notes, noted);
	}
	dump_items_close(&items);
	return outcome;
}
