/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_WALK_H
#define ENGINE_SOURCE_WALK_H

#include "store/cursor.h"

struct fault;
struct filter;
struct spool;
struct walk;

/*
 * The walk writes down what there is, every folder below the roots, into the
 * catalog.  It needs no stack: a folder's entries are in the catalog, and from
 * a folder that is done the catalog leads back to its parent.
 */

struct walk_sources {
	const char *const *root_paths; /* as configured */
	const char *const *root_names; /* as in the archive */
	int root_count;
	bool one_file_system;
	int64_t data_device; /* the data directory, which is left out */
	int64_t data_inode;
	const struct filter *filter;
};

enum walk_outcome {
	WALK_FAULT = -1,
	WALK_MORE,
	WALK_DONE,
	/* the cursor went back: commit it before the next step */
	WALK_CUT,
};

/* A cursor at the very beginning. */
void walk_begin(struct walk_cursor *cursor);

/*
 * Go on at cursor, which the walk then keeps up to date.  All pointers must
 * outlive the walk.  Returns 0 or -1.
 */
int walk_open(struct walk **out, const struct walk_sources *sources,
    struct spool *catalog, struct walk_cursor *cursor, struct fault *fault);

/* Do a small piece: a few entries of a folder, or enter one. */
enum walk_outcome walk_step(struct walk *walk, struct fault *fault);

/* Free it; NULL is accepted. */
void walk_close(struct walk *walk);

#endif
