/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_RUN_FEED_H
#define ENGINE_RUN_FEED_H

#include "source/dump.h"
#include "store/database.h"

#include <stdbool.h>
#include <stdint.h>

struct companion;
struct fault;
struct job;
struct strbuf;

/*
 * Where the pieces of the database at hand come from: the companion, which
 * holds its snapshot from step to step; or a connection of this process, on
 * the command line and where no companion can be had.
 */
struct feed {
	struct job *job;
	struct database where; /* the database at hand, resolved */
	struct dump_terms terms;
	struct dump *own;
	struct companion *companion;
	int waited; /* units for its answer */
};

/*
 * Begin with the database of the state's cursor.  The cursor keeps which it is;
 * another than before is FAULT_USAGE: the site's configuration was changed.
 * Returns 0 or -1; then feed_close.
 */
int feed_open(struct feed *feed, struct job *job, struct fault *fault);

/* Hang up; the companion keeps the snapshot.  A zeroed one is accepted. */
void feed_close(struct feed *feed);

/* The database is dumped: let go of its snapshot. */
void feed_end(struct feed *feed);

/*
 * Have somebody to give the pieces, and know by then whether there is a
 * snapshot; begun: the list, or more, was read before.  To be called before
 * each of the next two.  DUMP_ENDED: so it is; or as they answer.
 */
enum dump_outcome
feed_ready(struct feed *feed, bool begun, struct fault *fault);

/*
 * dump_list and dump_read, wherever the dump is.  They wait a little at most:
 * DUMP_WAIT says to call again.  After DUMP_AGAIN the feed has let go of the
 * old snapshot.
 */
enum dump_outcome feed_list(struct feed *feed, struct strbuf *lines,
    struct strbuf *notes, struct fault *fault);

struct feed_piece {
	const char *line;         /* of the object */
	int64_t bytes;            /* wanted, about */
	struct dump_place *place; /* moved on */
	struct strbuf *text;      /* appended to, as notes are */
	struct strbuf *notes;
};

enum dump_outcome feed_read(
    struct feed *feed, const struct feed_piece *piece, struct fault *fault);

/*
 * This will be the next to be read: a companion can get it ready meanwhile.
 * Text and notes are not used.
 */
void feed_ahead(struct feed *feed, const struct feed_piece *piece);

#endif
