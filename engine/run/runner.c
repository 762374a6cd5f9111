/* SPDX-License-Identifier: MIT */
#include "run/runner.h"

#include "base/fsio.h"
#include "base/stamp.h"
#include "run/ending.h"
#include "run/engine.h"
#include "run/step.h"
#include "store/config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* So many bad ends in a row without progress fail the backup. */
#define ROW_MAX 5

/* A connection cut this late was probably cut by a time-out. */
#define TIME_OUT_LIFE (20 * BUDGET_SECOND)

void
runner_report(
    struct engine *engine, const char *id, struct runner_result *result)
{
	struct record record;

	memcpy(result->id, id, ID_SIZE);
	if (record_load(&record, &engine->datadir, id, RECORD_UNVERIFIED,
		&result->fault) != 0) {
		result->outcome = result->fault.code == FAULT_NOT_FOUND
		    ? RUNNER_UNKNOWN
		    : RUNNER_RETRY;
		record_close(&record);
		return;
	}
	result->outcome =
	    record.status == RECORD_COMPLETE ? RUNNER_COMPLETE : RUNNER_FAILED;
	result->number = record.number;
	result->started = record.started;
	result->ended = record.ended;
	result->archive_size = record.archive_size;
	result->parts = record.part_count;
	result->counts = record.counts;
	snprintf(result->reason, sizeof(result->reason), "%s",
	    record.reason != NULL ? record.reason : "");
	record_close(&record);
}

/* What was learnt in this step outlives it. */
static void
save_limits(struct step *step)
{
	enum controller controller = step->terms->controller;
	struct pace *pace = &step->engine->pace;
	struct limits limits;
	bool changed;

	limits_load(&limits, &step->engine->datadir);
	changed = step->terms->budget > 0 &&
	    limits_note_good(&limits.of[controller], step->terms->budget);
	/* A rate is worth a write if it is far from what is written. */
	if (limits.sync < pace->sync / 2 || limits.sync > pace->sync * 2 ||
	    limits.drain < pace->drain / 2 || limits.drain > pace->drain * 2 ||
	    limits.fixed < pace->fixed / 2 || limits.fixed > pace->fixed * 2)
		changed = true;
	if (!changed)
		return;
	limits_put_pace(&limits, pace);
	limits_save(&limits, &step->engine->datadir);
}

/*
 * If the step before was killed or ended by a fault: count that, and learn
 * from a kill how long it had lived.  False if it was one too many.
 */
static bool
look_back(struct step *step, int64_t *lived)
{
	struct state *state = &step->job.state;
	struct intent left;
	struct limits limits;

	step->intent = (struct intent){ .step = state->steps,
		.controller = step->terms->controller,
		.checkpoints = state->checkpoints,
		.kills = state->kills,
		.started = budget_now() };
	if (!intent_read(&left, step->job.jobfd))
		return true;
	*lived = left.alive - left.started;
	step->intent.row =
	    state->checkpoints > left.checkpoints ? 1 : left.row + 1;
	if (left.faulted == 0) {
		if (left.kills > state->kills)
			state->kills = left.kills;
		state->kills++;
		step->intent.kills = state->kills;
		logbook_write(&step->job.log,
		    "step %lld was killed after it had lived for %lld ms",
		    (long long)left.step,
		    (long long)(*lived / BUDGET_MILLISECOND));
		limits_load(&limits, &step->engine->datadir);
		limits_note_kill(&limits.of[left.controller], *lived);
		limits_save(&limits, &step->engine->datadir);
	}
	return step->intent.row < ROW_MAX;
}

/* A fault ends the backup unless the next call may fare better. */
static void
end_by_fault(struct step *step, const struct fault *fault)
{
	struct runner_result *result = step->result;
	struct fault failure;
	const char *reason = fault->text;
	char text[sizeof(fault->text)];

	step_close_phase(step);
	if (fault->code == FAULT_RETRY || fault->code == FAULT_BUSY) {
		logbook_write(&step->job.log, "step %lld came to nothing: %s",
		    (long long)step->job.state.steps, fault->text);
		step->intent.faulted = 1;
		intent_mark(&step->intent, step->job.jobfd);
		if (step->intent.row < ROW_MAX - 1) {
			result->outcome = RUNNER_RETRY;
			result->fault = *fault;
			return;
		}
		snprintf(text, sizeof(text),
		    "%d steps in a row came to nothing; the last: %.400s",
		    ROW_MAX, fault->text);
		reason = text;
	}
	if (ending_fail(&step->job, reason, &failure) != 0) {
		result->outcome = RUNNER_RETRY;
		result->fault = failure;
		return;
	}
	runner_report(step->engine, result->id, result);
}

static void
end_killed(struct step *step, int64_t lived)
{
	struct fault fault;

	fault_set(&fault, FAULT_SYSTEM,
	    "the host killed %d steps in a row before any could save its "
	    "work, the last after %lld ms; lower [step] max, or ask the "
	    "host for its limits",
	    ROW_MAX, (long long)(lived / BUDGET_MILLISECOND));
	end_by_fault(step, &fault);
}

/* The backup has ended well: nothing is left but its record and archive. */
static void
end_complete(struct step *step)
{
	struct runner_result *result = step->result;
	char id[ID_SIZE];

	memcpy(id, step->job.state.id, ID_SIZE);
	step_close_phase(step);
	save_limits(step);
	/* A failure here is mended by the next call. */
	if (ending_remove_job(step->engine, id, &result->fault) != 0)
		logbook_write(&step->job.log, "%s", result->fault.text);
	runner_report(step->engine, id, result);
}

static void
end_step(struct step *step)
{
	struct state *state = &step->job.state;
	struct fault fault;

	state->steps++;
	state->last_step = stamp_now();
	if (step_checkpoint(step, &fault) != 0) {
		state->steps--;
		end_by_fault(step, &fault);
		return;
	}
	step_close_phase(step);
	intent_remove(step->job.jobfd);
	save_limits(step);
	step->result->outcome = RUNNER_MORE;
	step_tell(state, step->result);
}

/* The job is open and its step is due. */
static void
run_step(struct step *step)
{
	struct fault fault;
	struct limits limits;
	int64_t budget = step->terms->budget, lived = 0;

	if (step->job.state.reason[0] != '\0') {
		fault_set(&fault, FAULT_SYSTEM, "%s", step->job.state.reason);
		end_by_fault(step, &fault);
		return;
	}
	if (!look_back(step, &lived)) {
		end_killed(step, lived);
		return;
	}
	intent_mark(&step->intent, step->job.jobfd);
	step->job.allowance = INT64_MAX;
	if (budget > 0) {
		step->job.budgeted = true;
		limits_load(&limits, &step->engine->datadir);
		step->budget.deadline = step->budget.started +
		    limits_budget(&limits.of[step->terms->controller], budget);
	}
	switch (step_work(step, &fault)) {
	case 1:
		end_complete(step);
		break;
	case 0:
		end_step(step);
		break;
	default:
		end_by_fault(step, &fault);
		break;
	}
}

/*
 * The job cannot be opened.  If its backup has ended, what is left of the job
 * is removed; if it has not, it has failed for that.
 */
static void
cannot_open(struct step *step, const char *id, struct fault *fault)
{
	struct engine *engine = step->engine;
	struct runner_result *result = step->result;
	struct record record;
	struct fault failure = { 0 };
	int loaded, ended;

	if (fault->code == FAULT_RETRY) {
		result->outcome = RUNNER_RETRY;
		result->fault = *fault;
		return;
	}
	if (step->job.loaded) {
		end_by_fault(step, fault);
		return;
	}
	loaded = record_load(
	    &record, &engine->datadir, id, RECORD_UNVERIFIED, &failure);
	ended = loaded == 0 && record.status != RECORD_RUNNING;
	record_close(&record);
	/* Neither record nor job: there never was such a backup, or no more. */
	if (loaded != 0 && failure.code == FAULT_NOT_FOUND &&
	    step->job.jobfd < 0) {
		result->outcome = RUNNER_UNKNOWN;
		return;
	}
	if (fault->code == FAULT_NOT_FOUND)
		fault_set(fault, FAULT_CORRUPT,
		    "its state was lost: " STATE_FILE " is missing");
	if ((ended ? ending_remove_job(engine, id, &failure)
		   : ending_fail_lost(engine, id, fault->text, &failure)) !=
		0 &&
	    !ended) {
		result->outcome = RUNNER_RETRY;
		result->fault = failure;
		return;
	}
	runner_report(engine, id, result);
}

/*
 * Take the backup's lock, waiting for another step if that is allowed.
 * FAULT_BUSY if it runs all the time, FAULT_USAGE if too many wait already.
 */
static int
take_turn(
    struct step *step, struct lock *lock, const char *id, struct fault *fault)
{
	struct engine *engine = step->engine;
	int result;

	if (lock_take(lock, &engine->datadir, id, NULL, fault) == 0)
		return 0;
	if (fault->code != FAULT_BUSY)
		return -1;
	if (atomic_fetch_add(&engine->waiting, 1) >= engine->waiting_max)
		result = fault_set(fault, FAULT_USAGE, "too many wait");
	else
		result =
		    lock_take(lock, &engine->datadir, id, &step->budget, fault);
	atomic_fetch_sub(&engine->waiting, 1);
	return result;
}

/* Another step is running; say where it began. */
static void
tell_busy(struct step *step, const char *id)
{
	struct fault unused;
	int jobfd = fsio_open(step->engine->datadir.jobs, id, O_DIRECTORY);

	if (jobfd < 0 ||
	    state_load(&step->job.state, jobfd, &step->engine->datadir.keys,
		&unused) != 0)
		memcpy(step->job.state.id, id, ID_SIZE);
	step_tell(&step->job.state, step->result);
	if (jobfd >= 0)
		close(jobfd);
}

void
runner_step(struct engine *engine, const char *id, int64_t number,
    const struct runner_terms *terms, struct runner_result *result)
{
	struct step step = {
		.engine = engine, .terms = terms, .result = result
	};
	struct lock lock = LOCK_FREE;
	struct fault fault;

	memset(result, 0, sizeof(*result));
	memcpy(result->id, id, ID_SIZE);
	budget_start(&step.budget, terms->budget, &engine->stop);
	if (take_turn(&step, &lock, id, &fault) != 0) {
		result->outcome = fault.code == FAULT_BUSY ? RUNNER_BUSY
		    : fault.code == FAULT_USAGE            ? RUNNER_CROWDED
							   : RUNNER_RETRY;
		result->fault = fault;
		tell_busy(&step, id);
		return;
	}
	if (job_open(&step.job, engine, id, &fault) != 0) {
		cannot_open(&step, id, &fault);
	} else if (number != RUNNER_ANY_STEP &&
	    number != step.job.state.steps) {
		result->outcome = RUNNER_MORE;
		step_tell(&step.job.state, result);
	} else {
		run_step(&step);
	}
	step_close_phase(&step);
	job_close(&step.job);
	if (result->outcome == RUNNER_MORE || result->outcome == RUNNER_RETRY)
		lock_drop(&lock);
	else
		lock_remove(&lock, &engine->datadir, id);
}

int
runner_abandon(struct engine *engine, const char *id, const char *reason,
    struct fault *fault)
{
	struct lock lock = LOCK_FREE;
	struct job job;
	int result = 0;

	if (lock_take(&lock, &engine->datadir, id, NULL, fault) != 0)
		return -1;
	if (job_open(&job, engine, id, fault) == 0 || job.loaded)
		result = ending_fail(&job, reason, fault);
	else if (fault->code == FAULT_RETRY)
		result = -1;
	else if (fault->code != FAULT_NOT_FOUND || job.jobfd >= 0)
		result = ending_fail_lost(engine, id, reason, fault);
	job_close(&job);
	lock_remove(&lock, &engine->datadir, id);
	return result;
}

void
runner_note_undelivered(
    struct engine *engine, enum controller controller, int64_t lived)
{
	struct limits limits;

	if (lived < TIME_OUT_LIFE)
		return;
	limits_load(&limits, &engine->datadir);
	limits_note_kill(&limits.of[controller], lived);
	limits_save(&limits, &engine->datadir);
}
