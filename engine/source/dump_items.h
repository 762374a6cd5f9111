/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_DUMP_ITEMS_H
#define ENGINE_SOURCE_DUMP_ITEMS_H

#include "base/strbuf.h"
#include "source/dump_internal.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What dump_list finds out before it writes the list: dump_list.c the tables,
 * and what is left out; dump_list_keys.c their indexes and columns;
 * dump_list_code.c views, routines, triggers and events; dump_items.c keeps
 * them all.
 */

struct db;
struct privileges;

struct dump_item {
	struct dump_line line; /* without made */
	uint32_t sum;          /* of all that defines it */
	bool excluded;         /* by the profile */
	bool left_out;         /* it cannot be had, or not be loaded */
	bool versioned;        /* TABLE: it has a history */
	bool broken;           /* VIEW: the server says that it does not work */
	bool called;           /* FUNCTION: by a view */
	char *engine;          /* TABLE: NULL if it cannot be opened */
	char *table;           /* TRIGGER: whose it is */
	int64_t order;         /* VIEW, TRIGGER: among its kind */
	/* Names, with a NUL behind each. */
	struct strbuf uses;  /* VIEW: tables and views of the same schema */
	struct strbuf calls; /* VIEW: functions of it */
	/* TABLE: of each part of an index by which its rows may be read, that
	 * of the index and that of the column */
	struct strbuf keys;
};

struct dump_items {
	struct dump *dump;
	struct db *db;
	const char *schema;
	struct privileges *privileges;
	struct strbuf *notes;
	struct dump_item *all;
	int count;
	int room;
	int relations; /* so many are tables, views and sequences, by name */
};

/* Add one; the name is copied.  Valid until the next is added. */
struct dump_item *
dump_items_add(struct dump_items *items, enum dump_kind kind, const char *name);

/* Sort what there is so far, which are all tables, views and sequences, so
 * that they can be found. */
void dump_items_sort_relations(struct dump_items *items);

/* The table, view or sequence of this name, or NULL. */
struct dump_item *
dump_items_find(const struct dump_items *items, const char *name);

/* Put those of each kind in the order in which they are loaded. */
void dump_items_sort(struct dump_items *items);

void dump_items_close(struct dump_items *items);

/*
 * Ask the information schema: query is all up to WHERE, column that of the
 * schema's name.  What it answers comes with db_next.  Returns 0 or -1.
 */
int dump_items_ask(struct dump_items *items, const char *query,
    const char *column, struct fault *fault);

/*
 * After the last row: what the server left out because it could not open it in
 * time makes the answer useless.  DUMP_ENDED if it is whole.
 */
enum dump_outcome
dump_items_answered(struct dump_items *items, int status, struct fault *fault);

/* The sum of what was there before and some of a row's values. */
uint32_t dump_items_sum(uint32_t before, const char *const *values,
    const unsigned long *lengths, unsigned from, unsigned to);

/* Find out of all tables by which indexes their rows may be read; and then of
 * all columns what they are. */
enum dump_outcome
dump_items_read_indexes(struct dump_items *items, struct fault *fault);
enum dump_outcome
dump_items_read_columns(struct dump_items *items, struct fault *fault);

/* Find all views' texts, and the routines, triggers and events. */
enum dump_outcome
dump_items_read_code(struct dump_items *items, struct fault *fault);

#endif
