/* SPDX-License-Identifier: MIT */
/*
 * A dump that goes on for long must not be in anybody's way: whoever wants to
 * alter or lock a table that it reads, or has read, waits for the dump's lock,
 * and everybody else behind them.
 */
#include "source/dump_table.h"

#include "base/budget.h"
#include "base/fault.h"
#include "base/strbuf.h"
#include "source/db.h"
#include "source/sqltext.h"

#include <stdlib.h>
#include <string.h>

/* How often to look whether somebody waits. */
#define LOOK_EVERY BUDGET_SECOND

static struct db *
open_side(struct dump *dump)
{
	struct fault fault;

	if (dump->side != NULL)
		return dump->side;
	if (db_open(&dump->side, dump->terms.database, &fault) != 0)
		return NULL;
	db_try(dump->side, "SET SESSION wait_timeout=3600");
	/* Some servers have no wait that is shorter than a second. */
	db_try(dump->side, "SET SESSION lock_wait_timeout=1");
	db_try(dump->side, "SET SESSION lock_wait_timeout=0");
	return dump->side;
}

static void
close_side(struct dump *dump)
{
	db_close(dump->side);
	dump->side = NULL;
}

void
dump_stop(struct dump *dump)
{
	struct fault fault;
	struct db *side = open_side(dump);

	if (side != NULL &&
	    db_run(side, &fault, "KILL QUERY %lu",
		db_connection_id(dump->db)) != 0)
		close_side(dump);
	db_end_rows(dump->db);
	/* If all was sent already, it is the next statement that is stopped. */
	db_try(dump->db, "DO 0");
}

/* Somebody whom this user may see waits for a table of this database, or for
 * all tables. */
static bool
is_seen_waiting(struct dump *dump)
{
	struct strbuf name = STRBUF_EMPTY;
	struct fault fault;
	char *count;
	bool seen;

	sqltext_add_string(&name, dump->schema, strlen(dump->schema));
	count = db_value(dump->side, &fault,
	    "SELECT COUNT(*) FROM information_schema.PROCESSLIST"
	    " WHERE (STATE LIKE 'Waiting for%%metadata lock'"
	    " OR STATE='Waiting for table flush')"
	    " AND (DB IS NULL OR DB=%s OR LOCATE(%s,INFO)>0)",
	    name.bytes, name.bytes);
	if (count == NULL)
		close_side(dump);
	seen = count != NULL && strcmp(count, "0") != 0;
	free(count);
	strbuf_close(&name);
	return seen;
}

/* Somebody, whoever that is, waits for the table at hand: then nobody else gets
 * at it any more. */
static bool
is_blocked(struct dump *dump)
{
	struct strbuf name = STRBUF_EMPTY;
	struct fault fault;
	bool blocked = false;

	sqltext_add_name(&name, dump->table->name);
	free(db_value(
	    dump->side, &fault, "SELECT 1 FROM %s LIMIT 0", name.bytes));
	if (fault.code != FAULT_NONE) {
		blocked = db_trouble(dump->side) == DB_LOCKED;
		if (!blocked)
			close_side(dump);
	}
	strbuf_close(&name);
	return blocked;
}

static bool
is_waited_for(struct dump *dump)
{
	return open_side(dump) != NULL &&
	    (is_seen_waiting(dump) ||
		(dump->side != NULL && rows_under_way(dump) &&
		    is_blocked(dump)));
}

void
dump_give_way(struct dump *dump)
{
	bool streams = rows_under_way(dump) && !rows_held(dump) &&
	    dump->table->key_count == 0;
	int64_t now = budget_now();

	if (!dump->in_snapshot || (!streams && !dump->locks_stay) ||
	    now < dump->look_at)
		return;
	dump->look_at = now + LOOK_EVERY;
	if (!is_waited_for(dump))
		return;
	rows_drop(dump);
	dump_release(dump);
	if (dump->locks_stay) {
		db_try(dump->db, "ROLLBACK");
		dump->in_snapshot = false;
		dump->given_up = true;
	}
}
