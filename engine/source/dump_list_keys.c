/* SPDX-License-Identifier: MIT */
/*
 * Which tables have a key by which their rows can be read: the rules are those
 * of dump_describe.c, which chooses the key when the table is read.
 */
#include "base/strbuf.h"
#include "source/db.h"
#include "source/dump_items.h"
#include "source/dump_table.h"

#include <stdlib.h>
#include <string.h>

static const char find_indexes[] =
    "SELECT TABLE_NAME, INDEX_NAME AS Key_name, COLUMN_NAME, NON_UNIQUE, "
    "SUB_PART, INDEX_TYPE, STATISTICS.* FROM information_schema.STATISTICS";

enum { I_TABLE, I_NAME, I_FIRST_MORE = 6 };

static const char find_columns[] =
    "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, COLLATION_NAME, IS_NULLABLE, "
    "COLUMN_DEFAULT, EXTRA, COLUMN_COMMENT, GENERATION_EXPRESSION "
    "FROM information_schema.COLUMNS";

enum { C_TABLE, C_NAME, C_TYPE, C_COLLATION, C_NULLABLE };

/* Drop all parts of an index. */
static void
drop_index(struct strbuf *keys, const char *index)
{
	struct strbuf kept = STRBUF_EMPTY;

	for (size_t at = 0; at < keys->length;) {
		const char *name = keys->bytes + at;
		const char *column = name + strlen(name) + 1;
		size_t length = strlen(name) + strlen(column) + 2;

		if (strcmp(name, index) != 0)
			strbuf_add(&kept, name, length);
		at += length;
	}
	strbuf_close(keys);
	*keys = kept;
}

/* The name of an index that has this column, or NULL. */
static const char *
find_index(const struct strbuf *keys, const char *column)
{
	for (size_t at = 0; at < keys->length;) {
		const char *name = keys->bytes + at;
		const char *part = name + strlen(name) + 1;

		if (strcmp(part, column) == 0)
			return name;
		at += strlen(name) + strlen(part) + 2;
	}
	return NULL;
}

/* The index at hand; its parts come one after the other. */
struct index {
	struct dump_item *item;
	struct strbuf name;
	bool usable;
};

static void
take_part(struct dump_items *items, struct index *index,
    const struct index_fields *fields, const char *const *values,
    const unsigned long *lengths)
{
	const char *name = values[fields->key_name];
	const char *column = values[fields->column_name];

	if (index->item == NULL ||
	    strcmp(index->item->line.name, values[I_TABLE]) != 0 ||
	    strcmp(strbuf_text(&index->name), name) != 0) {
		index->item = dump_items_find(items, values[I_TABLE]);
		index->usable = index->item != NULL;
		strbuf_reset(&index->name);
		strbuf_addstr(&index->name, name);
	}
	if (index->item != NULL)
		index->item->sum = dump_items_sum(
		    index->item->sum, values, lengths, I_NAME, I_FIRST_MORE);
	if (!index->usable)
		return;
	/* A part that is an expression has no column. */
	index->usable = column != NULL && index_is_usable(fields, values);
	if (index->usable) {
		strbuf_add(&index->item->keys, name, strlen(name) + 1);
		strbuf_add(&index->item->keys, column, strlen(column) + 1);
	} else {
		drop_index(&index->item->keys, name);
	}
}

enum dump_outcome
dump_items_read_indexes(struct dump_items *items, struct fault *fault)
{
	struct index index = { NULL, STRBUF_EMPTY, false };
	const char *const *values;
	const unsigned long *lengths;
	struct index_fields fields;
	int status;

	status = dump_items_ask(items, find_indexes, "TABLE_SCHEMA", fault);
	if (status == 0) {
		index_find_fields(items->db, &fields);
		while ((status = db_next(
			    items->db, &values, &lengths, fault)) == 1)
			take_part(items, &index, &fields, values, lengths);
	}
	strbuf_close(&index.name);
	return dump_items_answered(items, status, fault);
}

/* Part of the definition, and perhaps of a key that it makes useless. */
static void
take_column(struct dump_items *items, struct dump_item *item,
    const char *const *values, const unsigned long *lengths)
{
	const char *index = find_index(&item->keys, values[C_NAME]);
	struct column column;

	item->sum = dump_items_sum(
	    item->sum, values, lengths, C_NAME, db_columns(items->db));
	if (index == NULL)
		return;
	column_set(
	    &column, values[C_TYPE], values[C_COLLATION], values[C_NULLABLE]);
	while (index != NULL && !column_is_usable(&column)) {
		char *name = strbuf_copy(index);

		drop_index(&item->keys, name);
		free(name);
		index = find_index(&item->keys, values[C_NAME]);
	}
	column_close(&column);
}

enum dump_outcome
dump_items_read_columns(struct dump_items *items, struct fault *fault)
{
	const char *const *values;
	const unsigned long *lengths;
	struct dump_item *item = NULL;
	int status;

	status = dump_items_ask(items, find_columns, "TABLE_SCHEMA", fault);
	if (status == 0) {
		while ((status = db_next(
			    items->db, &values, &lengths, fault)) == 1) {
			if (item == NULL ||
			    strcmp(item->line.name, values[C_TABLE]) != 0)
				item = dump_items_find(items, values[C_TABLE]);
			if (item != NULL && item->line.kind != DUMP_VIEW)
				take_column(items, item, values, lengths);
		}
	}
	return dump_items_answered(items, status, fault);
}
