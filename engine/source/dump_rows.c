/* SPDX-License-Identifier: MIT */
#include "source/dump_table.h"

#include "base/budget.h"
#include "base/fault.h"
#include "base/strbuf.h"
#include "source/db.h"
#include "source/sqltext.h"

#include <stdlib.h>
#include <string.h>

/* So many bytes a query is to yield, and the first one, of which little is
 * known; and no row is taken to be smaller. */
#define QUERY_BYTES (1024 * 1024)
#define FIRST_BYTES (128 * 1024)
#define ROW_MIN     128

/* More than that is not read to be thrown away. */
#define DRAIN_BYTES (4 * 1024 * 1024)

/* How long rows may be under way unasked if it cannot be seen whether somebody
 * waits for them. */
#define REST_MAX (5 * BUDGET_SECOND)

bool
rows_under_way(const struct dump *dump)
{
	return dump->table != NULL && db_in_rows(dump->db);
}

bool
rows_held(const struct dump *dump)
{
	return dump->table->key_count == 0 &&
	    !(dump->in_snapshot && dump->table->covered);
}

/* What the query at hand teaches of the next rows. */
static void
learn(struct table *table)
{
	if (table->taken > 0)
		table->row_bytes = table->written / table->taken;
	if (table->row_bytes < 1)
		table->row_bytes = 1;
}

void
rows_drop(struct dump *dump)
{
	struct table *table = dump->table;

	if (!rows_under_way(dump))
		return;
	learn(table);
	if (table->key_count == 0 ||
	    (table->limit - table->taken) * table->row_bytes > DRAIN_BYTES)
		dump_stop(dump);
	else
		db_end_rows(dump->db);
}

void
rows_seek(struct dump *dump, const struct dump_place *place)
{
	struct table *table = dump->table;

	table->rested = 0;
	if (table->at.rows != place->rows ||
	    strcmp(table->at.key, place->key) != 0) {
		rows_drop(dump);
		table->at = *place;
		table->ended = false;
	}
	memcpy(
	    table->at.structure, table->structure, sizeof(table->at.structure));
}

/* How many rows to ask for: at most four times as many as ever before, for the
 * next may be a thousand times as large. */
static int64_t
choose_limit(struct table *table, int64_t bytes)
{
	int64_t size = table->row_bytes, limit;

	if (table->limit_max == 0)
		table->limit_max =
		    1 + FIRST_BYTES / (size > ROW_MIN ? size : ROW_MIN);
	if (bytes > QUERY_BYTES)
		bytes = QUERY_BYTES;
	limit = (bytes - bytes / 32) / size;
	if (limit > table->limit_max)
		limit = table->limit_max;
	return limit > 0 ? limit : 1;
}

/* Rows behind the place, in the order of the key. */
static int
add_keyed(struct table *table, int64_t bytes, struct strbuf *query)
{
	table->limit = choose_limit(table, bytes);
	strbuf_addstr(query, " FORCE INDEX (");
	sqltext_add_name(query, table->key_name);
	strbuf_addc(query, ')');
	if (table->at.rows > 0 &&
	    key_add_condition(table, table->at.key, query) != 0)
		return -1;
	strbuf_addstr(query, " ORDER BY ");
	key_add_names(table, query);
	strbuf_addstr(query, " LIMIT ");
	strbuf_add_number(query, table->limit);
	return 0;
}

/* All rows, in the order of the table itself, which no other plan of the
 * server may change. */
static void
add_keyless(const struct table *table, struct strbuf *query)
{
	strbuf_addstr(query, " USE INDEX ()");
	if (table->at.rows > 0) {
		strbuf_addstr(query, " LIMIT 18446744073709551615 OFFSET ");
		strbuf_add_number(query, table->at.rows);
	}
}

static int
make_query(struct table *table, int64_t bytes, struct strbuf *query,
    struct fault *fault)
{
	strbuf_addstr(query, "SELECT SQL_NO_CACHE ");
	table_add_fields(table, query);
	strbuf_addstr(query, " FROM ");
	sqltext_add_name(query, table->name);
	if (table->key_count == 0)
		add_keyless(table, query);
	else if (add_keyed(table, bytes, query) != 0)
		return fault_set(fault, FAULT_USAGE,
		    "there is no such place in the table %s", table->name);
	return 0;
}

static enum dump_outcome
send_query(struct dump *dump, int64_t bytes, struct fault *fault)
{
	struct table *table = dump->table;
	struct strbuf query = STRBUF_EMPTY;
	enum dump_outcome outcome = DUMP_FAULT;
	int64_t began = budget_now(), now;

	if (dump_set_raw(dump, true, fault) != 0) {
		outcome = dump_failed(dump, table->name, fault);
		goto out;
	}
	if (make_query(table, bytes, &query, fault) != 0)
		goto out;
	if (db_query(dump->db, query.bytes, query.length, fault) != 0) {
		outcome = dump_failed(dump, table->name, fault);
		goto out;
	}
	table->taken = table->written = 0;
	/* Coming to the place must not take most of the time, if somebody
	 * waits for long, though not for this. */
	now = budget_now();
	if (table->key_count == 0 && dump->look_at < now + 4 * (now - began))
		dump->look_at = now + 4 * (now - began);
	outcome = DUMP_MORE;
out:
	strbuf_close(&query);
	return outcome;
}

/* The query is at its end; was it the last? */
static void
end_query(struct table *table)
{
	if (table->key_count == 0 || table->taken < table->limit) {
		table->ended = true;
		return;
	}
	learn(table);
	if (table->limit_max < 4 * table->limit)
		table->limit_max = 4 * table->limit;
}

enum dump_outcome
rows_next(struct dump *dump, int64_t bytes, const char *const **values,
    const unsigned long **lengths, struct fault *fault)
{
	struct table *table = dump->table;

	while (!table->ended) {
		if (!rows_under_way(dump)) {
			enum dump_outcome outcome =
			    send_query(dump, bytes, fault);

			if (outcome != DUMP_MORE)
				return outcome;
		}
		switch (db_next(dump->db, values, lengths, fault)) {
		case 0:
			end_query(table);
			break;
		case 1:
			table->taken++;
			table->at.rows++;
			return DUMP_MORE;
		default:
			return dump_failed(dump, table->name, fault);
		}
	}
	return DUMP_ENDED;
}

bool
rows_at_break(const struct dump *dump)
{
	const struct table *table = dump->table;

	return table->key_count > 0 && table->taken == table->limit;
}

int
rows_pause(struct dump *dump, const char *const *values,
    const unsigned long *lengths, struct fault *fault)
{
	struct table *table = dump->table;

	if (key_save(table, values, lengths, table->at.key) != 0)
		return fault_set(fault, FAULT_SYSTEM,
		    "a row of the table %s has a key that is too long",
		    table->name);
	if (rows_at_break(dump)) {
		db_end_rows(dump->db);
		end_query(table);
	}
	return 0;
}

void
dump_table_rest(struct dump *dump)
{
	struct table *table = dump->table;

	if (!rows_under_way(dump))
		return;
	if (table->key_count == 0 && !rows_held(dump))
		table->rested = budget_now();
	else
		rows_drop(dump);
}

void
dump_table_idle(struct dump *dump)
{
	if (rows_under_way(dump) && dump->table->rested > 0 &&
	    dump->side == NULL &&
	    budget_now() > dump->table->rested + REST_MAX) {
		rows_drop(dump);
		dump_release(dump);
	}
}
