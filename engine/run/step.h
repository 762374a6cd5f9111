/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_RUN_STEP_H
#define ENGINE_RUN_STEP_H

#include "base/budget.h"
#include "run/intent.h"
#include "run/job.h"
#include "run/phase.h"
#include "run/runner.h"

/*
 * A step while it runs: it opens phase after phase, does unit after unit, and
 * makes a checkpoint now and then.  The runner decides that there is to be a
 * step and what becomes of it.
 */
struct step {
	struct job job;
	struct engine *engine;
	const struct runner_terms *terms;
	struct runner_result *result;
	struct budget budget;
	struct intent intent;
	const struct phase *phase; /* open, or NULL */
	int64_t phase_started;
	int64_t last_checkpoint;
	int64_t last_amount; /* see amount_of, at the last checkpoint */
	int64_t last_look;
	int64_t last_beat;
};

/*
 * Work until the budget is over or the backup has ended.  The job is open, and
 * engine, terms, result, budget and intent are filled in.  Returns 1 if the
 * backup has ended, 0 if not, or -1; after any, step_close_phase.
 */
int step_work(struct step *step, struct fault *fault);

/* Commit what was done, and learn what that took.  Returns 0 or -1. */
int step_checkpoint(struct step *step, struct fault *fault);

/* Close the phase at hand, if one is open. */
void step_close_phase(struct step *step);

/* Say in a result where a backup is. */
void step_tell(const struct state *state, struct runner_result *result);

#endif
