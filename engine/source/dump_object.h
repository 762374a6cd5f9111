/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_DUMP_OBJECT_H
#define ENGINE_SOURCE_DUMP_OBJECT_H

#include "base/strbuf.h"
#include "source/dump_internal.h"

#include <stdbool.h>

/*
 * The rooms of what is no table: dump_object.c the database and sequences;
 * dump_view.c views; dump_program.c routines, triggers and events, and
 * dump_program_text.c their texts.
 */

#define DUMP_SHOWN_MAX 8

/* The first columns of a row, malloc'd; a value is NULL where it is NULL. */
struct dump_shown {
	char *values[DUMP_SHOWN_MAX];
	size_t lengths[DUMP_SHOWN_MAX];
};

/*
 * Ask for one row, with a statement that ends in a space and a name.  Returns
 * 1, 0 if there is none, or -1.  After either, dump_shown_close.
 */
int dump_show(struct dump *dump, struct dump_shown *shown,
    const char *statement, const char *name, struct fault *fault);

/* The same with a statement that is complete. */
int dump_show_row(struct dump *dump, struct dump_shown *shown,
    const struct strbuf *statement, struct fault *fault);
void dump_shown_close(struct dump_shown *shown);

/* Append " COLUMN = 'value' AND", or without the AND. */
void dump_add_condition(struct strbuf *out, const char *column,
    const char *value, const char *behind);

/* Append " COLUMN = …  AND": it is this database's name, where case matters. */
void dump_add_schema(struct strbuf *out, const char *column);

/* Append a statement, ended, of some words and a name. */
void dump_add_named(struct strbuf *text, const char *words, const char *name);

/* An object that others need is gone or another: DUMP_AGAIN. */
enum dump_outcome
dump_vanished(const struct dump_line *line, struct fault *fault);

/*
 * Where a statement "CREATE … DEFINER=… …" says whose it is: from the word on,
 * to behind the space after it.  false if it does not.
 */
bool dump_find_definer(const char *statement, size_t *from, size_t *to);

/* In this character set ASCII bytes are parts of wider characters. */
bool dump_is_wide(const char *charset);

/* Put bytes in the place of others. */
void dump_replace(struct strbuf *buf, size_t from, size_t to, const char *bytes,
    size_t length);

/* As dump_object_read, for each kind; without the frame of a piece.  owned:
 * with its definer, unless the profile drops that. */
enum dump_outcome
dump_view_read(struct dump *dump, const struct dump_line *line, bool owned,
    struct strbuf *text, struct strbuf *notes, struct fault *fault);
enum dump_outcome
dump_program_read(struct dump *dump, const struct dump_line *line, bool owned,
    struct strbuf *text, struct strbuf *notes, struct fault *fault);

/* Take the definer out of a statement, if it is not to be in there. */
void
dump_set_definer(const struct dump *dump, bool owned, struct strbuf *create);

/* A routine, trigger or event, as SHOW CREATE has it. */
struct dump_program {
	const struct dump_line *line;
	bool owned;
	struct strbuf create; /* in the character set of its client */
	char *sql_mode;
	char *time_zone; /* EVENT */
	char *client;    /* its character_set_client */
	char *connection;
	char *database; /* the collation that the database had */
};

void dump_program_close(struct dump_program *program);

/*
 * Make its text right where SHOW CREATE is not: parts of it are in UTF-8
 * whatever the rest is in, and comments are escaped though NO_BACKSLASH_ESCAPES
 * says they cannot be; a trigger's may name the schema that it was made in.
 */
int dump_program_mend(
    struct dump *dump, struct dump_program *program, struct fault *fault);

#endif
