/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_STORE_RECORD_H
#define ENGINE_STORE_RECORD_H

#include "store/counts.h"
#include "store/datadir.h"
#include "store/token.h"

#include <stdbool.h>
#include <stdint.h>

struct fault;
struct strbuf;

/*
 * The record of a backup: what people and clients are told about it, for as
 * long as it is kept.  While the backup is unfinished its state is the truth
 * and the record says only "running".
 */

#define RECORD_FILE         "record.json"
#define RECORD_WARNINGS_MAX 1000
#define RECORD_PARTS_MAX    100000

enum phase_id {
	PHASE_INIT,
	PHASE_DUMP,
	PHASE_WALK,
	PHASE_PACK,
	PHASE_FINISH,
	PHASE_PUBLISH,
	PHASE_PRUNE,
	PHASE_NOTIFY,
	PHASE_COUNT,
};

/* NULL-terminated names of the phases, by phase_id. */
extern const char *const record_phase_words[];

enum record_status { RECORD_RUNNING, RECORD_COMPLETE, RECORD_FAILED };

/* Who started the backup. */
enum record_origin { RECORD_FRONTEND, RECORD_CLI };

extern const char *const record_status_words[];
extern const char *const record_origin_words[];

struct record_part {
	char *name;
	int64_t size;
};

/* Whether all of a database is as it was at one instant. */
enum record_consistency {
	RECORD_SNAPSHOT,
	RECORD_PER_CHUNK, /* each piece is as it was when it was read */
};

extern const char *const record_consistency_words[];

/* What the archive has of a database. */
struct record_database {
	char *name;   /* databases/NAME in the archive */
	char *server; /* "MariaDB 10.11.6" */
	int consistency;
	int64_t tables;
	int64_t rows;
	int64_t bytes;    /* of SQL text */
	int64_t seconds;  /* from its beginning to its end */
	int64_t restarts; /* how often it was begun again */
	int64_t warnings; /* named in the list of warnings */
};

struct record_warning {
	char *path;
	char *reason;
};

struct record {
	char id[ID_SIZE];
	int64_t number; /* 1, 2, 3 … in this data directory */
	int64_t profile;
	char *profile_name;
	int origin;
	int status;
	char *reason;                  /* of a failed backup, else NULL */
	int64_t started;               /* seconds since 1970 */
	int64_t ended;                 /* 0 while it is running */
	int64_t phase_ms[PHASE_COUNT]; /* by phase_id */
	int phase_count;
	int64_t steps;
	int64_t checkpoints;
	int64_t kills;
	struct counts counts;
	int64_t plain_size;   /* the tar stream */
	int64_t archive_size; /* all parts */
	struct record_part *parts;
	int part_count;
	/* SHA-256 of the file "frames", which has a CRC of every piece of the
	 * archive: together they find damage in any byte of any part */
	uint8_t frames_sha256[TOKEN_HASH_SIZE];
	int64_t frames;
	/* SHA-256 of the members stepvault/manifest.jsonl and SHA256SUMS */
	uint8_t manifest_sha256[TOKEN_HASH_SIZE];
	uint8_t sums_sha256[TOKEN_HASH_SIZE];
	struct record_database *databases;
	int database_count;
	struct record_warning *warnings; /* the first of counts.warnings */
	int warning_count;
};

/* How record_load takes a record whose HMAC does not match. */
enum record_trust { RECORD_STRICT, RECORD_UNVERIFIED };

/*
 * Read the record of a backup from backups/ID.  A missing one is
 * FAULT_NOT_FOUND, a damaged one FAULT_CORRUPT; with RECORD_UNVERIFIED the
 * HMAC is not looked at.  Returns 0 or -1; after either, record_close.
 */
int record_load(struct record *record, const struct datadir *datadir,
    const char *id, enum record_trust trust, struct fault *fault);

/*
 * Replace the record in its directory (a descriptor of backups/ID); durable on
 * return.  Returns 0 or -1.
 */
int record_save(const struct record *record, int dirfd, const struct keys *keys,
    struct fault *fault);

/* Append the record as JSON, as it stands on disk but without its HMAC. */
void record_print(const struct record *record, int indent, struct strbuf *out);

/* Free what a record owns; a zeroed one is accepted. */
void record_close(struct record *record);

/*
 * Append a database as a line of JSON without a newline; and read it back,
 * whose texts record_add_database then owns, or record_database_close frees.
 * record_database_read returns 0 or -1.
 */
void record_database_write(
    const struct record_database *database, struct strbuf *line);
int record_database_read(struct record_database *database, const char *line,
    size_t length, struct fault *fault);
void record_database_close(struct record_database *database);

/* Add a database at the end of the list; the record owns its texts then. */
void record_add_database(
    struct record *record, const struct record_database *database);

/* Add a part or a warning at the end of its list; texts are copied. */
void record_add_part(struct record *record, const char *name, int64_t size);
void
record_add_warning(struct record *record, const char *path, const char *reason);

#endif
