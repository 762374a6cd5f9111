/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_RUN_DUMPING_H
#define ENGINE_RUN_DUMPING_H

#include "base/strbuf.h"
#include "run/feed.h"
#include "source/dump.h"
#include "store/spool.h"

#include <stdbool.h>
#include <stdint.h>

struct frames;
struct job;
struct tarball;

/*
 * What the dump phase has in memory, and its hands: phase_dump.c decides what
 * comes next, dumping.c reads the list of objects and writes members.
 */
struct dumping {
	struct feed feed;
	bool committed; /* the beginning of the database was */
	bool held;      /* so was that of an object to be read in one go */
	/* the archive, NULL as long as it is not open */
	struct tarball *tarball;
	struct frames *frames;
	struct spool *manifest;
	struct spool *sums;
	struct spool *objects;
	struct spool_reader reader; /* of objects, behind the one at hand */
	char *line;                 /* the object at hand, malloc'd, or NULL */
	struct dump_object object;  /* the same, read */
	struct strbuf text;         /* the piece at hand, or a list */
	struct strbuf notes;
	struct strbuf path; /* of the member at hand */
};

/* Nothing of a database has been read. */
void dumping_reset(struct dump_cursor *cursor);

/* Open what members are written to, and the list at the cursor.  0 or -1. */
int dumping_open_archive(struct job *job, struct fault *fault);

/* Close that; frames are the job's. */
void dumping_close_archive(struct dumping *dumping);

/* Go to another line of the list; no object is at hand. */
void dumping_seek(struct dumping *dumping, int64_t offset);

/* Have the next object at hand, or none at the list's end.  0 or -1. */
int dumping_next_object(struct dumping *dumping, struct fault *fault);

/* Append the list of the database at hand as a text of lines.  0 or -1. */
int
dumping_read_list(struct job *job, struct strbuf *lines, struct fault *fault);

/* Name the member that the piece at hand becomes.  0 or -1. */
int dumping_name_member(struct job *job, struct fault *fault);

/* Add the piece at hand as the member of that name.  0 or -1. */
int dumping_add_member(struct job *job, struct fault *fault);

#endif
