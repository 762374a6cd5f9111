/* SPDX-License-Identifier: MIT */
/* Of the list of objects those that are text: views, routines, triggers and
 * events. */
#include "base/fault.h"
#include "base/strbuf.h"
#include "source/db.h"
#include "source/dump_items.h"
#include "source/sqlview.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Takes in a row. */
typedef void take_row(struct dump_items *items, const char *const *values,
    const unsigned long *lengths);

static enum dump_outcome
read_rows(struct dump_items *items, const char *query, const char *column,
    take_row *take, struct fault *fault)
{
	const char *const *values;
	const unsigned long *lengths;
	int status = dump_items_ask(items, query, column, fault);

	if (status == 0)
		while ((status = db_next(
			    items->db, &values, &lengths, fault)) == 1)
			take(items, values, lengths);
	return dump_items_answered(items, status, fault);
}

static const char find_views[] =
    "SELECT TABLE_NAME, VIEW_DEFINITION, DEFINER, SECURITY_TYPE, "
    "CHECK_OPTION, CHARACTER_SET_CLIENT, COLLATION_CONNECTION "
    "FROM information_schema.VIEWS";

/* What a view reads and calls of its own schema. */
static void
add_uses(struct dump_item *view, const char *schema, const char *definition)
{
	struct sqlview_pair pair;

	for (; sqlview_next(definition, &pair); definition = pair.end) {
		struct strbuf *to = pair.is_call ? &view->calls : &view->uses;
		char *first = sqlview_name(pair.first), *name = first;

		if (pair.dot != NULL) {
			name = sqlview_name(pair.dot + 1);
			if (strcmp(first, schema) == 0)
				strbuf_add(to, name, strlen(name) + 1);
			free(first);
		} else {
			strbuf_add(to, name, strlen(name) + 1);
		}
		free(name);
	}
}

static void
take_view(struct dump_items *items, const char *const *values,
    const unsigned long *lengths)
{
	struct dump_item *item = dump_items_find(items, values[0]);

	if (item == NULL || item->line.kind != DUMP_VIEW)
		return;
	item->sum =
	    dump_items_sum(0, values, lengths, 1, db_columns(items->db));
	if (values[1] != NULL)
		add_uses(item, items->schema, values[1]);
}

/* One that a view uses and for which test is true, or NULL. */
static struct dump_item *
find_used(const struct dump_items *items, const struct dump_item *view,
    bool (*test)(const struct dump_item *view, const struct dump_item *used))
{
	const char *uses = view->uses.bytes;

	for (size_t at = 0; at < view->uses.length;
	     at += strlen(uses + at) + 1) {
		struct dump_item *used = dump_items_find(items, uses + at);

		if (used != NULL && used != view && test(view, used))
			return used;
	}
	return NULL;
}

static bool
is_gone(const struct dump_item *view, const struct dump_item *used)
{
	(void)view;
	return used->excluded || used->left_out;
}

/* It would have to be there before the view, and is not sorted so. */
static bool
is_late(const struct dump_item *view, const struct dump_item *used)
{
	return used->line.kind == DUMP_VIEW && used->order >= view->order;
}

/* The functions that a view calls; the first that is left out, or NULL. */
static const struct dump_item *
mark_called(struct dump_items *items, const struct dump_item *view)
{
	const struct dump_item *gone = NULL;
	const char *calls = view->calls.bytes;

	for (size_t at = 0; at < view->calls.length;
	     at += strlen(calls + at) + 1) {
		/* Routines stand behind the relations. */
		for (int i = items->relations; i < items->count; i++) {
			struct dump_item *item = &items->all[i];

			if (item->line.kind != DUMP_FUNCTION ||
			    strcasecmp(item->line.name, calls + at) != 0)
				continue;
			item->called = true;
			if (item->left_out && gone == NULL)
				gone = item;
		}
	}
	return gone;
}

/* Leave a view out that cannot be made without what is left out; true: so. */
static bool
leave_out(struct dump_items *items, struct dump_item *view)
{
	const struct dump_item *used = find_used(items, view, is_gone);

	if (used == NULL)
		used = mark_called(items, view);
	if (view->excluded || view->left_out || used == NULL)
		return false;
	view->left_out = true;
	dump_note(items->notes, view->line.name,
	    "is a view of %s, which is %s; left out", used->line.name,
	    used->excluded ? "excluded" : "left out");
	return true;
}

/* Put a view behind what it uses; true: it was not. */
static bool
put_behind(struct dump_items *items, struct dump_item *view)
{
	const struct dump_item *used = find_used(items, view, is_late);

	if (used == NULL || view->order > items->relations)
		return false;
	view->order = used->order + 1;
	return true;
}

/*
 * Do it to all views until it makes no difference any more, which it does after
 * as many rounds as views stand one on the other.
 */
static void
settle(struct dump_items *items,
    bool (*change)(struct dump_items *items, struct dump_item *view))
{
	bool changed;

	do {
		changed = false;
		for (int i = 0; i < items->relations; i++)
			if (items->all[i].line.kind == DUMP_VIEW)
				changed |= change(items, &items->all[i]);
	} while (changed);
}

static const char find_routines[] =
    "SELECT ROUTINE_NAME, ROUTINE_TYPE, ROUTINE_DEFINITION, LAST_ALTERED, "
    "DEFINER, SECURITY_TYPE, SQL_MODE, SQL_DATA_ACCESS, IS_DETERMINISTIC, "
    "ROUTINE_COMMENT, DTD_IDENTIFIER, CHARACTER_SET_CLIENT, "
    "COLLATION_CONNECTION, DATABASE_COLLATION "
    "FROM information_schema.ROUTINES";

static const struct {
	const char *type;
	enum dump_kind kind;
} routine_kinds[] = {
	{ "FUNCTION", DUMP_FUNCTION },
	{ "PROCEDURE", DUMP_PROCEDURE },
	{ "PACKAGE", DUMP_PACKAGE },
	{ "PACKAGE BODY", DUMP_PACKAGE_BODY },
};

static void
take_routine(struct dump_items *items, const char *const *values,
    const unsigned long *lengths)
{
	struct dump_item *item;
	size_t i = 0;

	while (strcmp(routine_kinds[i].type, values[1]) != 0)
		if (++i == sizeof(routine_kinds) / sizeof(routine_kinds[0]))
			return;
	item = dump_items_add(items, routine_kinds[i].kind, values[0]);
	item->sum =
	    dump_items_sum(0, values, lengths, 2, db_columns(items->db));
	if (values[2] != NULL)
		return;
	item->left_out = true;
	dump_note(items->notes, values[0],
	    "is a %s of another user's making, whose text the database user "
	    "may not read; left out",
	    dump_kind_name(item->line.kind));
}

static const char find_triggers[] =
    "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_ORDER, ACTION_TIMING, "
    "EVENT_MANIPULATION, ACTION_STATEMENT, SQL_MODE, DEFINER, "
    "CHARACTER_SET_CLIENT, COLLATION_CONNECTION, DATABASE_COLLATION, CREATED "
    "FROM information_schema.TRIGGERS";

static void
take_trigger(struct dump_items *items, const char *const *values,
    const unsigned long *lengths)
{
	struct dump_item *item = dump_items_add(items, DUMP_TRIGGER, values[0]);
	const struct dump_item *table = dump_items_find(items, values[1]);

	item->sum =
	    dump_items_sum(0, values, lengths, 1, db_columns(items->db));
	item->table = strbuf_copy(values[1]);
	/* BEFORE and AFTER, of INSERT, UPDATE and DELETE. */
	item->order = ((values[3][0] == 'A' ? 8 : 0) + (values[4][0] & 7)) *
		((int64_t)1 << 32) +
	    strtoll(values[2], NULL, 10);
	if (table == NULL || !table->excluded)
		return;
	item->left_out = true;
	dump_note(items->notes, values[0],
	    "is a trigger of the table %s, which is excluded; left out",
	    values[1]);
}

static const char find_events[] =
    "SELECT EVENT_NAME, EVENT_DEFINITION, DEFINER, TIME_ZONE, EVENT_TYPE, "
    "EXECUTE_AT, INTERVAL_VALUE, INTERVAL_FIELD, SQL_MODE, STARTS, ENDS, "
    "STATUS, ON_COMPLETION, LAST_ALTERED, EVENT_COMMENT, "
    "CHARACTER_SET_CLIENT, COLLATION_CONNECTION, DATABASE_COLLATION "
    "FROM information_schema.EVENTS";

static void
take_event(struct dump_items *items, const char *const *values,
    const unsigned long *lengths)
{
	dump_items_add(items, DUMP_EVENT, values[0])->sum =
	    dump_items_sum(0, values, lengths, 1, db_columns(items->db));
}

enum dump_outcome
dump_items_read_code(struct dump_items *items, struct fault *fault)
{
	static const struct {
		const char *query;
		const char *column;
		take_row *take;
	} queries[] = {
		{ find_views, "TABLE_SCHEMA", take_view },
		{ find_routines, "ROUTINE_SCHEMA", take_routine },
		{ find_triggers, "TRIGGER_SCHEMA", take_trigger },
		{ find_events, "EVENT_SCHEMA", take_event },
	};
	enum dump_outcome outcome = DUMP_ENDED;

	for (size_t i = 0;
	     outcome == DUMP_ENDED && i < sizeof(queries) / sizeof(queries[0]);
	     i++)
		outcome = read_rows(items, queries[i].query, queries[i].column,
		    queries[i].take, fault);
	if (outcome != DUMP_ENDED)
		return outcome;
	settle(items, leave_out);
	settle(items, put_behind);
	return DUMP_ENDED;
}
