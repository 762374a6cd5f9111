/* SPDX-License-Identifier: MIT */
#include "source/dump_table.h"

#include "base/fault.h"
#include "base/strbuf.h"
#include "source/db.h"
#include "source/sqlscript.h"
#include "source/sqltext.h"
#include "source/sqlview.h"

#include <stdlib.h>
#include <string.h>

/* Servers take statements of 1 MiB even by the smallest of defaults. */
#define INSERT_MAX (1000 * 1024)

/* What stands behind the rows of a piece. */
#define END_ROOM 2048

/* A statement that servers and clients take only if told to. */
#define INSERT_LARGE (16 * 1024 * 1024 - 1024)

/* A piece of text in the making. */
struct piece {
	struct dump *dump;
	struct strbuf *text;
	struct strbuf *notes;
	size_t begin;
	size_t end;    /* length of text that is enough */
	size_t insert; /* where the INSERT under way begins; 0: none is */
	bool locked;
	bool empty;
};

/* Tables without transactions: one lock instead of one for each INSERT.  It
 * cannot be prepared, as is needed where a name is odd. */
static bool
is_locked(const struct table *table)
{
	return !table->covered && !table->odd;
}

static void
add_statement(struct piece *piece, const char *before, const char *behind)
{
	struct strbuf statement = STRBUF_EMPTY;

	strbuf_addstr(&statement, before);
	sqltext_add_name(&statement, piece->dump->table->name);
	strbuf_addstr(&statement, behind);
	sqlscript_add(piece->text, statement.bytes, statement.length);
	strbuf_close(&statement);
}

/* An old table may be what InnoDB would refuse if it were made today. */
static void
add_structure(struct piece *piece)
{
	struct table *table = piece->dump->table;
	struct strbuf create = STRBUF_EMPTY;

	add_statement(piece, "DROP TABLE IF EXISTS ", "");
	if (table->is_innodb)
		strbuf_addstr(piece->text,
		    "/*M!100000 SET @stepvault_innodb_strict_mode="
		    "@@innodb_strict_mode, innodb_strict_mode=0 */;\n");
	sqlview_add(&create, table->create, piece->dump->schema);
	sqlscript_add_lines(piece->text, create.bytes, create.length);
	strbuf_close(&create);
	if (table->is_innodb)
		strbuf_addstr(piece->text,
		    "/*M!100000 SET innodb_strict_mode="
		    "@stepvault_innodb_strict_mode */;\n");
	piece->empty = false;
	free(table->create);
	table->create = NULL;
	if (table->indexed_late)
		add_statement(piece, "ALTER TABLE ", " DISABLE KEYS");
}

/* Have the INSERT under way prepared from a string. */
static void
prepare(struct piece *piece)
{
	struct strbuf insert = STRBUF_EMPTY;

	strbuf_add(&insert, piece->text->bytes + piece->insert,
	    piece->text->length - piece->insert);
	strbuf_cut(piece->text, piece->insert);
	sqlscript_add(piece->text, insert.bytes, insert.length);
	strbuf_close(&insert);
}

static void
end_insert(struct piece *piece)
{
	const struct table *table = piece->dump->table;
	size_t length = piece->text->length - piece->insert;

	if (piece->insert == 0)
		return;
	if (table->odd)
		prepare(piece);
	else
		strbuf_addstr(piece->text, ";\n");
	piece->insert = 0;
	if (length <= INSERT_LARGE || length <= 2 * table->noted)
		return;
	piece->dump->table->noted = length;
	dump_note(piece->notes, table->name,
	    "it has a row of %zu MiB: to load it, server and client need a "
	    "larger max_allowed_packet than that",
	    length >> 20);
}

static void
add_row(struct piece *piece, const char *const *values,
    const unsigned long *lengths)
{
	const struct table *table = piece->dump->table;
	struct strbuf *text = piece->text;

	if (piece->insert != 0 &&
	    text->length - piece->insert + table_row_bound(table, lengths) >
		INSERT_MAX)
		end_insert(piece);
	if (!piece->locked && is_locked(table)) {
		add_statement(piece, "LOCK TABLES ", " WRITE");
		piece->locked = true;
	}
	if (piece->insert == 0) {
		piece->insert = text->length;
		strbuf_addstr(text, table->insert);
	} else {
		strbuf_add(text, ",\n", 2);
	}
	table_add_row(table, values, lengths, text);
	piece->empty = false;
}

/* What is left is not worth a query. */
static bool
is_full(const struct piece *piece)
{
	size_t length = piece->text->length;

	if (piece->empty)
		return false;
	return length >= piece->end ||
	    (!rows_under_way(piece->dump) &&
		piece->end - length < (piece->end - piece->begin) / 32);
}

static enum dump_outcome
add_rows(struct piece *piece, struct fault *fault)
{
	struct table *table = piece->dump->table;
	const char *const *values;
	const unsigned long *lengths;

	while (!is_full(piece)) {
		size_t before = piece->text->length;
		int64_t left =
		    piece->end > before ? (int64_t)(piece->end - before) : 1;
		enum dump_outcome outcome =
		    rows_next(piece->dump, left, &values, &lengths, fault);

		if (outcome != DUMP_MORE)
			return outcome;
		add_row(piece, values, lengths);
		table->written += (int64_t)(piece->text->length - before);
		if ((rows_at_break(piece->dump) ||
			piece->text->length >= piece->end) &&
		    rows_pause(piece->dump, values, lengths, fault) != 0)
			return DUMP_FAULT;
	}
	return rows_held(piece->dump) ? DUMP_HELD : DUMP_MORE;
}

static void
end_rows(struct piece *piece, bool ended)
{
	end_insert(piece);
	if (piece->locked)
		strbuf_addstr(piece->text, "UNLOCK TABLES;\n");
	if (ended && piece->dump->table->indexed_late) {
		add_statement(piece, "ALTER TABLE ", " ENABLE KEYS");
		piece->empty = false;
	}
}

/* Rows that come from one statement cannot be read on from their middle. */
static enum dump_outcome
cut_off(struct dump *dump, struct fault *fault)
{
	fault_set(fault, FAULT_RETRY,
	    "the rows of the table %s, which has no usable key, were cut off "
	    "in the middle; they must be read again from the first",
	    dump->table->name);
	return DUMP_AGAIN;
}

static enum dump_outcome
make_piece(struct piece *piece, const struct dump_place *place, bool with_rows,
    struct fault *fault)
{
	struct dump *dump = piece->dump;
	enum dump_outcome outcome = DUMP_ENDED;

	rows_seek(dump, place);
	if (rows_held(dump) && place->rows > 0 && !rows_under_way(dump))
		return cut_off(dump, fault);
	dump_begin_piece(piece->text);
	if (place->structure[0] == '\0')
		add_structure(piece);
	if (with_rows)
		outcome = add_rows(piece, fault);
	if (outcome == DUMP_ENDED) {
		enum dump_outcome same = dump_describe_again(dump, fault);

		if (same != DUMP_MORE)
			return same;
	}
	end_rows(piece, outcome == DUMP_ENDED);
	dump_end_piece(piece->text);
	return outcome;
}

enum dump_outcome
dump_table_read(struct dump *dump, const struct dump_line *line,
    const struct dump_wanted *wanted, struct fault *fault)
{
	size_t begin = wanted->text->length, bytes = (size_t)wanted->bytes;
	struct piece piece = {
		.dump = dump,
		.text = wanted->text,
		.notes = wanted->notes,
		.begin = begin,
		.end = begin + bytes - (bytes > 2 * END_ROOM ? END_ROOM : 0),
		.empty = true,
	};
	enum dump_outcome outcome =
	    dump_describe(dump, line, wanted->place, fault);

	if (outcome != DUMP_MORE)
		return outcome;
	/* At worst every byte is escaped. */
	if (dump->table->odd)
		piece.end = begin + (piece.end - begin) / 2;
	outcome = make_piece(&piece, wanted->place, line->with_rows, fault);
	if (outcome == DUMP_MORE || outcome == DUMP_HELD ||
	    outcome == DUMP_ENDED)
		*wanted->place = dump->table->at;
	else
		piece.empty = true;
	if (piece.empty)
		strbuf_cut(wanted->text, begin);
	return outcome;
}

void
dump_table_drop(struct dump *dump)
{
	if (dump->db != NULL)
		rows_drop(dump);
	table_free(dump->table);
	dump->table = NULL;
}
