/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_DUMP_TABLE_H
#define ENGINE_SOURCE_DUMP_TABLE_H

#include "source/dump_internal.h"
#include "store/cursor.h"

struct db;
struct strbuf;

/*
 * The rooms of a table's dump: dump_describe.c finds out what it is;
 * dump_value.c writes its values; dump_key.c the conditions by which its rows
 * are read on; dump_rows.c reads them; dump_table.c puts pieces together.
 */

/* How a value stands in an INSERT. */
enum column_form {
	COLUMN_NUMBER, /* as it comes */
	COLUMN_REAL,   /* the same, and -0 is told from 0 */
	COLUMN_QUOTED, /* in apostrophes: ASCII or UTF-8 */
	COLUMN_SINGLE, /* the same, or _charset'…' where it is not ASCII */
	COLUMN_BINARY, /* _binary'…' */
	COLUMN_HEX,    /* X'…' */
	COLUMN_OTHER,  /* _charset X'…' */
};

/* How a key's values are compared. */
enum key_form {
	KEY_NONE,   /* they cannot be */
	KEY_NUMBER, /* with a number */
	KEY_BITS,   /* with the number that its bytes are */
	KEY_ASCII,  /* with a text of ASCII */
	KEY_TEXT,   /* with a text in the column's character set */
	KEY_ENUM,   /* with a list of numbers */
	KEY_SET,    /* as a number */
};

struct column {
	char *name;
	char *type;    /* "int(10) unsigned" */
	char *charset; /* of a text; else NULL */
	enum column_form form;
	enum key_form key_form;
	bool by_number; /* an ENUM or SET whose texts are not one to one */
	bool nullable;
	bool generated; /* not to be inserted */
	int members;    /* of an ENUM */
};

#define TABLE_KEY_MAX 64

struct table {
	char *name;
	char structure[65]; /* hash of what SHOW CREATE TABLE says */
	char *create;       /* that, until it was written */
	bool covered;       /* by a snapshot */
	bool is_innodb;
	bool odd;          /* a name of it is not plain: see sqlscript.h */
	bool indexed_late; /* DISABLE KEYS helps to load it */
	struct column *columns;
	size_t column_count;
	size_t *inserted; /* indexes of those that are */
	size_t inserted_count;
	char *insert; /* head of each INSERT */
	size_t noted; /* size of a row that a note is about */
	/* The key by which it is read; key_count is 0 where there is none. */
	char *key_name;
	size_t key_columns[TABLE_KEY_MAX];
	size_t key_fields[TABLE_KEY_MAX]; /* where they are in a row */
	size_t key_count;

	/* Rows under way, or the place where the next ones are. */
	struct dump_place at;
	bool ended;    /* there are no more */
	int64_t limit; /* of the query under way */
	int64_t taken; /* rows of it, and how many bytes they became */
	int64_t written;
	int64_t limit_max; /* of the next one */
	int64_t row_bytes; /* about */
	int64_t rested;    /* since when nobody has asked; 0: somebody does */
};

/*
 * Find out what a table is: SHOW CREATE TABLE, its columns and its key.  Does
 * nothing if it is the table described last.  A place whose structure is
 * another is DUMP_AGAIN.  DUMP_MORE is success.
 */
enum dump_outcome dump_describe(struct dump *dump, const struct dump_line *line,
    const struct dump_place *place, struct fault *fault);

/* What it is now is what it was; DUMP_MORE, or DUMP_AGAIN.  Not while rows are
 * under way. */
enum dump_outcome dump_describe_again(struct dump *dump, struct fault *fault);

void table_free(struct table *table);

/* Say how a column's values are written and compared, from its type and
 * character set. */
void column_choose_form(struct column *column);

/* The same for one that the server describes so: COLUMN_TYPE, COLLATION_NAME
 * (or NULL) and IS_NULLABLE.  Without its name; then column_close. */
void column_set(struct column *column, const char *type, const char *collation,
    const char *nullable);
void column_close(struct column *column);

/* Rows can be read in its order, as far as it goes. */
bool column_is_usable(const struct column *column);

/* Columns of SHOW INDEX, or of STATISTICS with INDEX_NAME as Key_name; not
 * every server has them all, or in one order. */
struct index_fields {
	int not_unique, key_name, column_name, order, part, type, visible,
	    ignored;
};

/* Where they are in the query under way. */
void index_find_fields(const struct db *db, struct index_fields *fields);

/* Rows can be read in the order of this part of an index, if they can be in
 * that of its column. */
bool
index_is_usable(const struct index_fields *fields, const char *const *values);

/* Append what is selected: the values of a row, and behind them those of its
 * key that are not as they are inserted. */
void table_add_fields(const struct table *table, struct strbuf *out);

/* Append a row "(…)". */
void table_add_row(const struct table *table, const char *const *values,
    const unsigned long *lengths, struct strbuf *text);

/* At least as many bytes as it has. */
size_t table_row_bound(const struct table *table, const unsigned long *lengths);

/* A key needs its value beside what is inserted. */
bool key_needs_field(const struct column *column);

/* Append what its value is compared by: a column, or the number of an ENUM or
 * SET. */
void key_add_operand(const struct column *column, struct strbuf *out);

/* Say where in a row the key is: key_fields. */
void key_find_fields(struct table *table);

/* Write down the key of a row.  Returns 0, or -1 if it is too long. */
int key_save(const struct table *table, const char *const *values,
    const unsigned long *lengths, char key[CURSOR_KEY_SIZE]);

/* Append the condition of rows behind a key, with WHERE.  Returns 0, or -1 if
 * key is not one of this table. */
int key_add_condition(
    const struct table *table, const char *key, struct strbuf *out);

/* Append the names of the key's columns, with commas. */
void key_add_names(const struct table *table, struct strbuf *out);

/* Be at a place: rows that are under way there stay. */
void rows_seek(struct dump *dump, const struct dump_place *place);

/*
 * The next row; table->at.rows moves on behind it.  bytes is how many are
 * still wanted.  DUMP_MORE: there is one; DUMP_ENDED: there is none.
 */
enum dump_outcome
rows_next(struct dump *dump, int64_t bytes, const char *const **values,
    const unsigned long **lengths, struct fault *fault);

/* That was the last row of a query: rows_pause must be called. */
bool rows_at_break(const struct dump *dump);

/* That was the last row for now: complete table->at.  Returns 0 or -1. */
int rows_pause(struct dump *dump, const char *const *values,
    const unsigned long *lengths, struct fault *fault);

/* There are rows that were asked for and not taken. */
bool rows_under_way(const struct dump *dump);

/* They come from one statement, which cannot be taken up again. */
bool rows_held(const struct dump *dump);

/* Give up those under way. */
void rows_drop(struct dump *dump);

#endif
