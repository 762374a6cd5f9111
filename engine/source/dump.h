/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_DUMP_H
#define ENGINE_SOURCE_DUMP_H

#include "store/cursor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct database;
struct dump;
struct fault;
struct profile;
struct strbuf;

/*
 * A database as SQL text, piece by piece.  First a list of its objects, one
 * line each, in the order in which they are to be loaded; then, object by
 * object, pieces of text of a bounded size, each of which is complete: it sets
 * the session that it needs, can be loaded by the stock client on its own
 * (after those before it), and sets the session back.
 *
 * Who asks for pieces keeps the place (store/cursor.h) and can go back to any
 * earlier one: the same rows come again, from the same snapshot.  Whether that
 * is one process or many, over the companion, does not matter here.
 */

/* No piece has more bytes than this and one row. */
#define DUMP_PIECE_MAX (2 * 1024 * 1024)

enum dump_outcome {
	DUMP_FAULT = -1,
	DUMP_MORE, /* there is more of this object */
	/* there is more, but its rows come from one statement that is under
	 * way: read on at once, to the end, and commit nothing before that */
	DUMP_HELD,
	DUMP_ENDED, /* that was the last of this object */
	/* nothing was read: a table is locked, or the server takes its time;
	 * ask the same again */
	DUMP_WAIT,
	/* the snapshot is lost, or a table is not what it was, or rows that
	 * come from one statement were cut off: what was read so far is no
	 * use, begin the database again; the fault says why */
	DUMP_AGAIN,
};

struct dump_terms {
	const struct profile *profile;
	const struct database *database; /* resolved: no config */
	/* hold one snapshot from the beginning on; else each piece sees the
	 * database as it is then */
	bool snapshot;
};

/* What there is to know about the server. */
struct dump_facts {
	char server[DUMP_SERVER_SIZE]; /* "MariaDB 10.11.6", "MySQL 8.0.36" */
	char charset[64];              /* of the database */
	char collation[64];
};

/*
 * Connect, set up the session and, if terms say so, take the snapshot.  What
 * terms point to must outlive the dump.  A server that gives no snapshot
 * although it was asked for one is a fault.  Returns 0 or -1; free with
 * dump_close.
 */
int dump_open(
    struct dump **out, const struct dump_terms *terms, struct fault *fault);

/* Close the connection and free all; NULL is accepted. */
void dump_close(struct dump *dump);

/* Owned by the dump. */
const struct dump_facts *dump_facts(const struct dump *dump);

/*
 * Append the list of objects, a line each, every line ending in a newline,
 * without those that the profile excludes; and to notes what a person should
 * know: a line each of an object's name, escaped (strbuf_add_escaped, and tab
 * as \t), a tab, and a sentence.
 */
enum dump_outcome dump_list(struct dump *dump, struct strbuf *lines,
    struct strbuf *notes, struct fault *fault);

/*
 * The next piece of an object, of about bytes (at most DUMP_PIECE_MAX) of
 * text: appended to text, and place moved on behind it.  A zeroed place is the
 * beginning of the object.  A line that dump_list would not make is
 * FAULT_USAGE.  Only after DUMP_MORE, DUMP_HELD and DUMP_ENDED is place changed
 * and text of any use; after DUMP_ENDED it may be empty.
 */
enum dump_outcome dump_read(struct dump *dump, const char *line, int64_t bytes,
    struct dump_place *place, struct strbuf *text, struct strbuf *notes,
    struct fault *fault);

/*
 * Nobody will ask for some time: let go of locks on tables that others may
 * wait for.  Rows of a table without a key that are under way in a snapshot
 * are kept, until somebody waits for that table (see dump_idle).
 */
void dump_rest(struct dump *dump);

/*
 * To be called every second or so between pieces: keeps the connection alive
 * and gives way to whoever waits for a table.  Returns 0; or -1 if the
 * connection, and with it the snapshot, is lost, or the snapshot was given up
 * because nothing less would have let them go on.
 */
int dump_idle(struct dump *dump, struct fault *fault);

/* What a line of the list is about. */
struct dump_object {
	char *name;       /* malloc'd, as the server has it */
	const char *kind; /* "table", "view" …; a constant */
	int64_t bytes;    /* that its rows are likely to take; 0: none */
	bool is_table;    /* has rows that are dumped */
	bool keyless;     /* its rows can only be read in one go */
	bool covered;     /* by a snapshot: its engine is transactional */
};

/* Read a line of the list; returns 0 or -1 (FAULT_USAGE).  Free with
 * dump_object_close. */
int dump_object_parse(
    struct dump_object *object, const char *line, struct fault *fault);
void dump_object_close(struct dump_object *object);

/*
 * Compare two lists, the one before and the one after all pieces were read:
 * append to notes every object that was made, altered or removed meanwhile.
 * before and after are NUL-terminated texts of lines.
 */
void dump_compare(const char *before, const char *after, struct strbuf *notes);

#endif
