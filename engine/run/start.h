/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_RUN_START_H
#define ENGINE_RUN_START_H

#include "store/datadir.h"
#include "store/record.h"

#include <stdbool.h>

struct engine;
struct fault;
struct profile;
struct runner_result;

/*
 * Which backup a call for a profile means: the unfinished one, the one that
 * has just ended, or a new one.
 */

enum start_outcome {
	START_FAULT = -1,
	START_STEP,   /* step this backup: it is unfinished, or new */
	START_REPEAT, /* it ended a short while ago: say so again */
};

struct start_terms {
	enum record_origin origin;
	/* start anew: an unfinished backup is abandoned unless a step of it
	 * is running or has ended within a minute */
	bool fresh;
	/* a person asks: what ended a short while ago does not count */
	bool at_once;
	/* only go on with what is unfinished: else FAULT_NOT_FOUND */
	bool resume_only;
};

/*
 * Decide for a profile, under its lock, and make a new backup if it comes to
 * that; id is set to the backup's.  START_FAULT with FAULT_BUSY if the lock
 * cannot be had for ten seconds.
 */
enum start_outcome
start_backup(struct engine *engine, const struct profile *profile,
    const struct start_terms *terms, char id[ID_SIZE], struct fault *fault);

/*
 * The backup of any profile that has ended last, as runner_report tells it.
 * Returns 1, 0 if none has, or -1.
 */
int start_last_ended(
    struct engine *engine, struct runner_result *result, struct fault *fault);

#endif
