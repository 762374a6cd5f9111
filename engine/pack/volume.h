/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_PACK_VOLUME_H
#define ENGINE_PACK_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fault;
struct pace;

/*
 * The archive's bytes on disk: one file, or numbered parts of equal size of
 * which only the last is shorter.  Until the backup is complete their names
 * end in ".partial".
 *
 * Writing to the disk is begun early and waited for a little later, so that a
 * sync at a checkpoint finds little to do even on a slow disk, and so that the
 * disk's pace is known.
 */

#define VOLUME_NAME_SIZE 192

/* Where it is; all of it must outlive the volume. */
struct volume_place {
	int dirfd;
	const char *name;  /* without number and ".partial" */
	int64_t part_size; /* 0: one file */
	struct pace *pace;
};

struct volume {
	struct volume_place place;
	int64_t length; /* over all parts */
	int fd;         /* of the last part; -1: none open */
	bool made;      /* a part is new in its directory */
	/* in the last part: */
	int64_t synced;     /* durable up to here */
	int64_t awaited;    /* handed to the disk up to here */
	int64_t started;    /* its writing was begun up to here */
	int64_t started_at; /* and when */
};

#define VOLUME_CLOSED    \
	{                \
		.fd = -1 \
	}

/*
 * Open the archive as it was when it had length bytes: what is beyond is cut
 * off or removed.  A part that is missing or shorter is FAULT_CORRUPT and
 * named.  Returns 0 or -1; after either, volume_close.
 */
int volume_open(struct volume *volume, const struct volume_place *place,
    int64_t length, struct fault *fault);

/* Close it; a closed one is accepted. */
void volume_close(struct volume *volume);

/*
 * Append bytes, to as many parts as it takes; more than RECORD_PARTS_MAX are
 * FAULT_SYSTEM.  Returns 0 or -1.
 */
int volume_append(struct volume *volume, const void *bytes, size_t length,
    struct fault *fault);

/*
 * All that was appended is durable on return, and so are the names of all
 * parts.  Returns 0 or -1.
 */
int volume_sync(struct volume *volume, struct fault *fault);

/* Bytes not yet durable. */
int64_t volume_unsynced(const struct volume *volume);

/* How many parts there are for an archive of length bytes; at least 1. */
int64_t volume_parts(int64_t part_size, int64_t length);

/*
 * Write the file name of part (from 0) and return it: name, ".001" and so on
 * if there is a part_size, and suffix.
 */
const char *volume_part_name(char out[VOLUME_NAME_SIZE], const char *name,
    int64_t part_size, int64_t part, const char *suffix);

#define VOLUME_PARTIAL ".partial"

#endif
