/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_STORE_PROFILE_H
#define ENGINE_STORE_PROFILE_H

#include "store/database.h"
#include "store/token.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one backup is to hold and how: a [profile N] of the configuration. */

enum codec { CODEC_NONE, CODEC_GZIP, CODEC_XZ, CODEC_ZSTD };

struct compression {
	enum codec codec;
	int level;
};

/* A list of texts, each malloc'd. */
struct texts {
	char **items;
	int count;
};

struct extra {
	char *name; /* [A-Za-z0-9._-]+ */
	char *path; /* absolute */
};

struct extras {
	struct extra *items;
	int count;
};

struct databases {
	struct database *items;
	int count;
};

/* Whose rights views, triggers, routines and events have when restored. */
enum definers { DEFINERS_KEEP, DEFINERS_DROP };

struct profile {
	int64_t number;
	char *name;
	char *site; /* absolute */
	struct extras extras;
	struct texts excludes;
	bool default_excludes;
	struct databases databases;
	char *password_file;          /* for URLs without one; or NULL */
	struct texts excluded_tables; /* GLOB, or LABEL.GLOB for one database */
	struct texts excluded_data;   /* the same: only their structure */
	int definers;                 /* enum definers */
	struct compression compression;
	int64_t part_size; /* bytes; 0: one part */
	bool one_file_system;
	int64_t min_free;    /* bytes */
	int64_t keep_last;   /* complete backups; 0: all */
	int64_t again_after; /* nanoseconds */
	int64_t once_per;    /* nanoseconds; 0: not used */
	char *on_complete;   /* absolute, or NULL */
};

/* No profile has more of these; state has room for them. */
#define PROFILE_EXTRAS_MAX    64
#define PROFILE_EXCLUDES_MAX  500
#define PROFILE_DATABASES_MAX 64

/* Free what a profile owns. */
void profile_close(struct profile *profile);

/* The name of an archive's end: ".tar.zst", ".tar.gz", ".tar.xz", ".tar". */
const char *profile_suffix(const struct profile *profile);

/*
 * A hash of all that an unfinished backup depends on: were it changed between
 * two steps, the archive would be half one thing and half another.
 */
void profile_fingerprint(
    const struct profile *profile, uint8_t out[TOKEN_HASH_SIZE]);

#endif
