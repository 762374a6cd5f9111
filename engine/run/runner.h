/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_RUN_RUNNER_H
#define ENGINE_RUN_RUNNER_H

#include "base/budget.h"
#include "base/fault.h"
#include "store/counts.h"
#include "store/datadir.h"
#include "store/limits.h"
#include "store/record.h"

#include <stdint.h>

struct engine;

/*
 * The runner does one step of a backup: under the backup's lock it loads the
 * state, works unit by unit as long as the budget has time, and commits.
 */

enum runner_outcome {
	RUNNER_MORE,     /* there is more to do */
	RUNNER_COMPLETE, /* the backup has ended well */
	RUNNER_FAILED,   /* the backup has ended badly: reason */
	RUNNER_BUSY,     /* another step of it is running all the time */
	RUNNER_CROWDED,  /* and too many wait for it already */
	RUNNER_RETRY,    /* this step came to nothing: fault; call again */
	RUNNER_UNKNOWN,  /* there is no such backup */
};

/* What there is to say about a backup after a step. */
struct runner_result {
	enum runner_outcome outcome;
	char id[ID_SIZE];
	int64_t number;
	/* RUNNER_MORE, RUNNER_BUSY, RUNNER_CROWDED: */
	int64_t step; /* number of the next step */
	int phase;    /* enum phase_id */
	int percent;
	/* RUNNER_COMPLETE, RUNNER_FAILED: */
	int64_t started;
	int64_t ended;
	int64_t archive_size;
	int64_t parts;
	struct counts counts;
	char reason[512];
	/* RUNNER_RETRY: */
	struct fault fault;
};

struct runner_terms {
	enum controller controller;
	int64_t budget; /* nanoseconds; 0: until the backup has ended */
	/* called now and then with a result of RUNNER_MORE; may be NULL */
	void (*progress)(void *context, const struct runner_result *result);
	void *context;
};

/* The next step, whatever its number. */
#define RUNNER_ANY_STEP (-1)

/*
 * Do the step of this number of a backup.  If another number is due nothing
 * is done and the result says which.  Waits for a step that is running as long
 * as the budget lasts, unless engine->waiting_max others do already.  id must
 * have the form of an ID.
 */
void runner_step(struct engine *engine, const char *id, int64_t number,
    const struct runner_terms *terms, struct runner_result *result);

/* Say what became of a backup that has ended, from its record. */
void runner_report(
    struct engine *engine, const char *id, struct runner_result *result);

/*
 * Fail an unfinished backup for a reason.  Returns 0; or -1, with FAULT_BUSY
 * if a step of it is running.  One that has ended already is success.
 */
int runner_abandon(struct engine *engine, const char *id, const char *reason,
    struct fault *fault);

/*
 * The answer of a step that took so many nanoseconds reached nobody: the
 * connection was cut.  Long ones count as killed.
 */
void runner_note_undelivered(
    struct engine *engine, enum controller controller, int64_t lived);

#endif
