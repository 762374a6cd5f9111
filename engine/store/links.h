/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_STORE_LINKS_H
#define ENGINE_STORE_LINKS_H

#include <stdbool.h>
#include <stdint.h>

struct fault;

/*
 * Under which name a file that has several is in the archive: a hash table in
 * a file, from (device, inode) to the place in the catalog of the entry that
 * was packed whole.  A million of them take no memory.
 *
 * It is not append-only and need not be.  The catalog is packed in its order:
 * what the table has for an entry at its own place or a later one was put
 * there by work that is being done again, and counts as nothing.  So going
 * back to a checkpoint needs no undoing, and a checkpoint needs only a sync.
 */
struct links {
	int fd;    /* -1: there is none */
	bool made; /* the file is new in its directory */
	int64_t slots;
	int64_t unsynced; /* bytes, at the most */
};

#define LINKS_CLOSED     \
	{                \
		.fd = -1 \
	}

/* No table holds more. */
#define LINKS_MAX (INT64_C(1) << 30)

/*
 * Make a new, empty table for at most count entries (1 to LINKS_MAX).  The
 * table is durable at the next links_sync, its name once the directory is
 * synced.  Returns 0 or -1; after either, links_close.
 */
int
links_make(struct links *links, int dirfd, int64_t count, struct fault *fault);

/*
 * Open the table that links_make made for count entries.  One that is missing
 * or has another size is FAULT_CORRUPT.  Returns 0 or -1; after either,
 * links_close.
 */
int
links_open(struct links *links, int dirfd, int64_t count, struct fault *fault);

/* Close it; a closed one is accepted. */
void links_close(struct links *links);

/* A file, and where in the catalog an entry and its folder stand. */
struct link_place {
	int64_t device;
	int64_t inode;
	int64_t entry; /* greater than 0 */
	int64_t folder;
};

/*
 * Find which entry before place->entry was packed for the file of this device
 * and inode: fills in first, and says whether there is one.  Returns 1, 0 or
 * -1; a damaged table is FAULT_CORRUPT.
 */
int links_find(struct links *links, const struct link_place *place,
    struct link_place *first, struct fault *fault);

/* This entry was packed for its file.  Returns 0 or -1. */
int links_put(
    struct links *links, const struct link_place *place, struct fault *fault);

/*
 * This entry could not be packed: if work that was lost had packed it or a
 * later one, forget that.  Returns 0 or -1.
 */
int links_forget(
    struct links *links, const struct link_place *place, struct fault *fault);

/* All that was stored is durable on return. */
int links_sync(struct links *links, struct fault *fault);

#endif
