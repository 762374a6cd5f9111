/* SPDX-License-Identifier: MIT */
#include "source/dump_items.h"

#include "base/crc32c.h"
#include "base/fault.h"
#include "base/strbuf.h"
#include "source/db.h"
#include "source/privileges.h"
#include "source/sqltext.h"

#include <stdlib.h>
#include <string.h>

/* A warning: what was just being altered was left out. */
#define SKIPPED_TABLE 1684
#define LOCK_TIMEOUT  1205

struct dump_item *
dump_items_add(struct dump_items *items, enum dump_kind kind, const char *name)
{
	struct dump_item *item;

	if (items->count == items->room) {
		items->room = items->room < 64 ? 64 : 2 * items->room;
		items->all = reallocarray(
		    items->all, (size_t)items->room, sizeof(struct dump_item));
		if (items->all == NULL)
			abort();
	}
	item = &items->all[items->count++];
	memset(item, 0, sizeof(*item));
	item->line.kind = kind;
	item->line.name = strbuf_copy(name);
	return item;
}

static int
compare_names(const void *a, const void *b)
{
	const struct dump_item *left = a, *right = b;

	return strcmp(left->line.name, right->line.name);
}

void
dump_items_sort_relations(struct dump_items *items)
{
	items->relations = items->count;
	if (items->count > 0)
		qsort(items->all, (size_t)items->count,
		    sizeof(struct dump_item), compare_names);
}

struct dump_item *
dump_items_find(const struct dump_items *items, const char *name)
{
	int low = 0, high = items->relations;

	while (low < high) {
		int middle = low + (high - low) / 2;
		struct dump_item *item = &items->all[middle];
		int order = strcmp(name, item->line.name);

		if (order == 0)
			return item;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static int
compare_items(const void *a, const void *b)
{
	const struct dump_item *left = a, *right = b;
	int order;

	if (left->line.kind != right->line.kind)
		return left->line.kind < right->line.kind ? -1 : 1;
	if (left->table != NULL && right->table != NULL) {
		order = strcmp(left->table, right->table);
		if (order != 0)
			return order;
	}
	if (left->order != right->order)
		return left->order < right->order ? -1 : 1;
	return compare_names(left, right);
}

void
dump_items_sort(struct dump_items *items)
{
	items->relations = 0;
	if (items->count > 0)
		qsort(items->all, (size_t)items->count,
		    sizeof(struct dump_item), compare_items);
}

void
dump_items_close(struct dump_items *items)
{
	for (int i = 0; i < items->count; i++) {
		dump_line_close(&items->all[i].line);
		free(items->all[i].engine);
		free(items->all[i].table);
		strbuf_close(&items->all[i].uses);
		strbuf_close(&items->all[i].calls);
		strbuf_close(&items->all[i].keys);
	}
	free(items->all);
	privileges_free(items->privileges);
	memset(items, 0, sizeof(*items));
}

int
dump_items_ask(struct dump_items *items, const char *query, const char *column,
    struct fault *fault)
{
	struct strbuf text = STRBUF_EMPTY, schema = STRBUF_EMPTY;
	int status;

	sqltext_add_string(&schema, items->schema, strlen(items->schema));
	/* As a text it is compared without regard to case, which is right
	 * only where the server has no regard to it either. */
	strbuf_addf(&text,
	    "%s WHERE %s = %s AND (@@lower_case_table_names <> 0 OR "
	    "BINARY %s = %s)",
	    query, column, schema.bytes, column, schema.bytes);
	status = db_query(items->db, text.bytes, text.length, fault);
	strbuf_close(&schema);
	strbuf_close(&text);
	return status;
}

enum dump_outcome
dump_items_answered(struct dump_items *items, int status, struct fault *fault)
{
	const char *const *values;
	const unsigned long *lengths;
	bool skipped = false;

	if (status == 0)
		status = db_queryf(items->db, fault, "SHOW WARNINGS");
	if (status == 0)
		while ((status = db_next(
			    items->db, &values, &lengths, fault)) == 1) {
			long number = strtol(values[1], NULL, 10);

			skipped |=
			    number == SKIPPED_TABLE || number == LOCK_TIMEOUT;
		}
	if (status != 0)
		return dump_failed(items->dump, items->schema, fault);
	return skipped ? DUMP_WAIT : DUMP_ENDED;
}

uint32_t
dump_items_sum(uint32_t before, const char *const *values,
    const unsigned long *lengths, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		uint64_t length = values[i] != NULL ? lengths[i] : UINT64_MAX;

		before = crc32c(before, &length, sizeof(length));
		if (values[i] != NULL)
			before = crc32c(before, values[i], lengths[i]);
	}
	return before;
}
