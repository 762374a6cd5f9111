/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_RUN_COMPANION_H
#define ENGINE_RUN_COMPANION_H

#include "source/dump.h"
#include "store/cursor.h"
#include "store/datadir.h"

#include <stdbool.h>
#include <stdint.h>

struct config;
struct companion;
struct engine;
struct fault;
struct strbuf;

/*
 * What must outlive a request lives in one small detached process per data
 * directory: the companion.  It holds the snapshots of databases between the
 * steps of a backup.  A step reaches it by a socket in the data directory, and
 * starts it if there is none; it leaves by itself when it has been idle for a
 * while.  Nothing depends on it but that a snapshot stays: killed or frozen, it
 * costs a restarted dump.
 *
 * Requests name a profile, a database of it, an object and a place, never a
 * path or a statement.
 */

enum companion_request {
	/* take a snapshot: token and facts.  One of the same backup and
	 * database that nobody has read from yet is given again. */
	COMPANION_BEGIN,
	COMPANION_LIST, /* dump_list: text and notes */
	COMPANION_READ, /* dump_read: place, text and notes */
	COMPANION_END,  /* let go of a snapshot */
};

/* What a step asks. */
struct companion_ask {
	int request;                    /* enum companion_request */
	char token[DUMP_TOKEN_SIZE];    /* all but BEGIN */
	char id[ID_SIZE];               /* BEGIN: of the backup */
	int64_t profile;                /* BEGIN: its number */
	int64_t database;               /* BEGIN: index in the profile */
	const char *line;               /* READ: of the object */
	int64_t bytes;                  /* READ: of text, about */
	const struct dump_place *place; /* READ: where to go on */
};

/* What it is told; text and notes are appended to. */
struct companion_answer {
	char token[DUMP_TOKEN_SIZE]; /* BEGIN */
	struct dump_facts facts;     /* BEGIN */
	struct dump_place *place;    /* READ: the caller's, or NULL */
	struct strbuf *text;         /* LIST, READ: the caller's */
	struct strbuf *notes;        /* LIST, READ: the caller's */
};

/*
 * Reach the companion of the engine's data directory, starting it if there is
 * none, and wait for its greeting at most patience nanoseconds.  FAULT_RETRY:
 * it is there, or about to be, but has not answered yet.  FAULT_SYSTEM: none
 * can be had on this host.  Returns 0 or -1; free with companion_close.
 */
int companion_open(struct companion **out, struct engine *engine,
    int64_t patience, struct fault *fault);

/*
 * Hang up; what was asked and not taken is kept by the companion for who asks
 * the same again.  NULL is accepted.
 */
void companion_close(struct companion *companion);

/*
 * Ask, without waiting for the answer.  One question at a time, except that
 * the next may be asked as soon as the answer before it was taken.  0 or -1.
 */
int companion_ask(struct companion *companion, const struct companion_ask *ask,
    struct fault *fault);

/* There is a question that has not been answered. */
bool companion_asked(const struct companion *companion);

/* It has hung up, or what it said made no sense: only closing it is left. */
bool companion_gone(const struct companion *companion);

/*
 * Take the answer, waiting for it at most patience nanoseconds.  DUMP_WAIT: it
 * is not there yet (or the dump itself said so, and companion_asked is false);
 * DUMP_AGAIN: the snapshot is not there any more; DUMP_FAULT as the dump's, or
 * FAULT_RETRY if the companion is gone.  BEGIN, LIST and END are answered with
 * DUMP_ENDED if all is well.
 */
enum dump_outcome companion_take(struct companion *companion, int64_t patience,
    struct companion_answer *answer, struct fault *fault);

/*
 * End the companion of this data directory, as one that does not answer.
 * Snapshots that it holds are lost.
 */
void companion_kill(struct engine *engine);

/*
 * Be the companion of a data directory, until SIGTERM, SIGINT or SIGHUP.  The
 * configuration is read again for each snapshot.  Detached: as companion_open
 * starts it, which also leaves when it has been idle for a while.  FAULT_BUSY:
 * there is another already.  Returns 0 or -1.
 */
int companion_main(struct engine *engine, bool detached, struct fault *fault);

#endif
