/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_DUMP_INTERNAL_H
#define ENGINE_SOURCE_DUMP_INTERNAL_H

#include "source/dump.h"

struct db;
struct table;

/*
 * The pieces of the dump: dump.c has the session, the snapshot and the frame
 * of each piece of text; dump_yield.c keeps out of others' way; dump_line.c a
 * line of the list, and two lists compared; dump_list.c the list; dump_table.c
 * tables and their rows; dump_object.c everything else.
 */

/* In the order in which objects are loaded. */
enum dump_kind {
	DUMP_DATABASE, /* character set and collation of the whole */
	DUMP_SEQUENCE,
	DUMP_TABLE,
	DUMP_PROCEDURE,
	DUMP_PACKAGE, /* of MariaDB's Oracle mode */
	DUMP_PACKAGE_BODY,
	/* Functions that views call, and views, as those of who loads them:
	 * where their definers do not exist, no view could be made of them. */
	DUMP_STANDIN,
	DUMP_PLACEHOLDER,
	DUMP_VIEW, /* the last first */
	DUMP_FUNCTION,
	DUMP_TRIGGER,
	DUMP_EVENT,
	DUMP_KIND_COUNT,
};

/* A line of the list, taken apart. */
struct dump_line {
	enum dump_kind kind;
	char *name;     /* malloc'd */
	bool with_rows; /* TABLE: else only its structure is wanted */
	bool covered;   /* TABLE: its engine is transactional */
	bool keyless;   /* TABLE */
	int64_t bytes;  /* TABLE: data length by the server's estimate */
	int64_t rows;   /* TABLE: number of rows by the server's estimate */
	char *made;     /* malloc'd: changes when its definition changes */
};

struct dump {
	struct dump_terms terms;
	struct dump_facts facts;
	char *schema; /* the database's name as the server has it */
	struct db *db;
	bool in_snapshot;
	bool locks_stay;     /* as long as the snapshot */
	bool given_up;       /* it was, because of that */
	bool raw;            /* results come in the columns' character sets */
	struct table *table; /* described last, perhaps with rows under way */
	struct db *side;     /* opened when needed: to look at the server while
			      * rows are under way */
	int64_t look_at;     /* when it is to, budget_now */
};

/* Take a line apart; 0 or -1 (FAULT_USAGE).  Then dump_line_close. */
int
dump_line_parse(struct dump_line *line, const char *text, struct fault *fault);
void dump_line_close(struct dump_line *line);

/* Append it as text, with its newline. */
void dump_line_add(struct strbuf *lines, const struct dump_line *line);

/* The word for a kind, such as "package-body"; a constant. */
const char *dump_kind_name(enum dump_kind kind);

/*
 * What a failed statement of the database means for the dump: DUMP_WAIT,
 * DUMP_AGAIN or DUMP_FAULT; name is the object's, for the fault.
 */
enum dump_outcome
dump_failed(struct dump *dump, const char *name, struct fault *fault);

/*
 * Have results in the character sets of their columns, instead of utf8mb4 as
 * is right for all but rows.  Nothing is done where it is so already.  0 or -1.
 */
int dump_set_raw(struct dump *dump, bool raw, struct fault *fault);

/*
 * Let go of the locks on what was read, so that others may alter it; the
 * snapshot stays.  Not while rows are under way.
 */
void dump_release(struct dump *dump);

/*
 * Look about once a second, over a second connection, whether somebody waits
 * for what the snapshot holds: rows under way, or all that was read in it where
 * locks stay.  If so, give it up.
 */
void dump_give_way(struct dump *dump);

/*
 * Give up a query with rows under way.  Those that are left are not read: the
 * server is told to stop.
 */
void dump_stop(struct dump *dump);

/*
 * Each piece of text stands between these two: what a session needs to load it
 * is set, and set back.
 */
void dump_begin_piece(struct strbuf *text);
void dump_end_piece(struct strbuf *text);

/* Append a note about an object. */
void dump_note(struct strbuf *notes, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What dump_read is asked for. */
struct dump_wanted {
	int64_t bytes;
	struct dump_place *place;
	struct strbuf *text;
	struct strbuf *notes;
};

/* dump_read for a table, and for anything else. */
enum dump_outcome
dump_table_read(struct dump *dump, const struct dump_line *line,
    const struct dump_wanted *wanted, struct fault *fault);
enum dump_outcome
dump_object_read(struct dump *dump, const struct dump_line *line,
    struct strbuf *text, struct strbuf *notes, struct fault *fault);

/* Give up rows under way and forget the table, if there is one. */
void dump_table_drop(struct dump *dump);

/* dump_rest and dump_idle for a table whose rows are under way. */
void dump_table_rest(struct dump *dump);
void dump_table_idle(struct dump *dump);

#endif
