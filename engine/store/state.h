/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_STORE_STATE_H
#define ENGINE_STORE_STATE_H

#include "store/counts.h"
#include "store/cursor.h"
#include "store/datadir.h"
#include "store/profile.h"
#include "store/record.h"
#include "store/spool.h"
#include "store/token.h"

#include <stdint.h>

struct fault;

/*
 * The serialized engine: what an unfinished backup is, in at most 64 KiB
 * whatever the size of the site.  It is loaded when a step begins and
 * committed at each checkpoint; together with the files whose extents it
 * holds, it is all that a backup is between two requests.
 */

#define STATE_FILE     "state.json"
#define STATE_SIZE_MAX (64 * 1024)

/* Room for the hits of every exclude pattern, shipped ones included. */
#define STATE_PATTERNS_MAX (PROFILE_EXCLUDES_MAX + 100)

/* The spools of a backup, in the order of spool_names in state.c. */
enum spool_id {
	SPOOL_CATALOG,
	SPOOL_MANIFEST, /* lines of the member manifest.jsonl */
	SPOOL_SUMS,     /* lines of the member SHA256SUMS */
	SPOOL_FRAMES,
	SPOOL_WARNINGS,
	SPOOL_OBJECTS,   /* of the databases, in the order of the dump */
	SPOOL_DATABASES, /* those that are dumped, for the record */
	SPOOL_COUNT,
};

struct state {
	char id[ID_SIZE];
	int64_t number;
	int64_t profile;
	int origin; /* enum record_origin */
	uint8_t fingerprint[TOKEN_HASH_SIZE];
	int64_t started;
	/* the archive's file name without the numbers of its parts */
	char archive[160];
	int phase; /* enum phase_id */
	/* why the backup has failed; empty as long as it has not */
	char reason[512];
	int64_t phase_ms[PHASE_COUNT];
	int phase_count;
	int64_t steps; /* that were completed */
	int64_t checkpoints;
	int64_t kills;     /* that were survived */
	int64_t last_step; /* when the last one ended */
	struct extent spools[SPOOL_COUNT];
	int64_t volume; /* bytes of the archive, over all parts */
	int64_t plain;  /* bytes of the tar stream, summed up at the end */
	struct dump_cursor dump;
	struct walk_cursor walk;
	struct pack_cursor pack;
	struct finish_cursor finish;
	int64_t publish; /* parts renamed */
	/* of the members of these names, once they are packed */
	uint8_t manifest_sha256[TOKEN_HASH_SIZE];
	uint8_t sums_sha256[TOKEN_HASH_SIZE];
	struct counts counts;
	int64_t excluded[STATE_PATTERNS_MAX];
	int excluded_count;
};

/* The file name of a spool; a constant. */
const char *state_spool_name(enum spool_id spool);

/*
 * Read a state from the directory of its job.  A missing file is
 * FAULT_NOT_FOUND; anything but what state_save wrote is FAULT_CORRUPT.
 * Returns 0 or -1.
 */
int state_load(struct state *state, int jobfd, const struct keys *keys,
    struct fault *fault);

/*
 * Replace the state on disk.  Durable on return, and with it all earlier
 * changes to the names in the directory.  Returns 0 or -1; after -1 the disk
 * has the old state or the new one.
 */
int state_save(const struct state *state, int jobfd, const struct keys *keys,
    struct fault *fault);

/* The same from memory, for tests of what may stand in the file. */
int state_parse(struct state *state, const char *text, size_t length,
    const struct keys *keys, struct fault *fault);

#endif
