/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_RUN_JOB_H
#define ENGINE_RUN_JOB_H

#include "base/logbook.h"
#include "pack/volume.h"
#include "store/links.h"
#include "store/lock.h"
#include "store/spool.h"
#include "store/state.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct fault;
struct filter;
struct frames;
struct profile;

/*
 * An unfinished backup in the hands of one step: its state and all files that
 * belong to it, under its lock.  Files are opened when a phase asks for them,
 * so that no step pays for what it does not need.
 */
struct job {
	struct engine *engine;
	const struct profile *profile;
	struct filter *filter;
	int jobfd;    /* jobs/ID */
	int backupfd; /* backups/ID */
	struct state state;
	bool loaded; /* the state was read from disk */
	struct spool spools[SPOOL_COUNT];
	bool spool_open[SPOOL_COUNT];
	struct links links;
	struct volume volume;
	bool volume_open;
	struct frames *frames;
	/* plain bytes that a checkpoint in time has room for, as the runner
	 * last saw it; INT64_MAX: it does not matter */
	int64_t allowance;
	bool budgeted; /* the step has a limit of time */
	struct logbook log;
	const char *root_names[PROFILE_EXTRAS_MAX + 1];
	const char *root_paths[PROFILE_EXTRAS_MAX + 1];
	char *root_texts[PROFILE_EXTRAS_MAX + 1]; /* owned */
	int root_count;
	void *phase; /* of the phase at hand */
};

/*
 * Open an unfinished backup; the caller holds its lock until job_close.
 * FAULT_NOT_FOUND: there is no state.  FAULT_CORRUPT: what is there is not
 * what we wrote.  Returns 0 or -1; after either, job_close.
 */
int job_open(struct job *job, struct engine *engine, const char *id,
    struct fault *fault);

/* Close it; what was not committed did not happen. */
void job_close(struct job *job);

/* A spool, opened at its first use.  NULL with a fault if that fails. */
struct spool *job_spool(struct job *job, enum spool_id id, struct fault *fault);

/* The archive's volume, opened at its first use.  NULL with a fault. */
struct volume *job_volume(struct job *job, struct fault *fault);

/*
 * The frames, with the volume below them, opened at the first use; level 0
 * is the profile's compression level, another is used instead of it.  NULL
 * with a fault if that fails.
 */
struct frames *job_frames(struct job *job, int level, struct fault *fault);

/*
 * Make durable all that was done: bytes first, then the state that counts on
 * them.  Returns 0; or -1, and the step is to end: what was done since the
 * last checkpoint will be done again.
 */
int job_checkpoint(struct job *job, struct fault *fault);

/*
 * What a checkpoint now would have to do: plain and packed bytes in memory,
 * and bytes not yet on the disk.
 */
void job_load(struct job *job, int64_t *in_flight, int64_t *unsynced);

/*
 * Name something that is not in the archive as it was on the site: into the
 * warnings, the counts and the log.  Returns 0 or -1.
 */
int job_warn(
    struct job *job, const char *path, const char *reason, struct fault *fault);

/*
 * Note where the archive and its spools are, as of the last checkpoint; and go
 * back there: what was added since is dropped, in memory.  To be committed
 * before anything is added again.
 */
void job_mark(const struct job *job, struct archive_mark *mark);
void job_go_back(struct job *job, const struct archive_mark *mark);

/* How much of the work is done, 0 to 100. */
int job_percent(const struct state *state);

#endif
