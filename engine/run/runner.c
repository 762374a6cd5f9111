/* SPDX-License-Identifier: MIT */
#include "run/runner.h"

#include "base/fsio.h"
#include "base/stamp.h"
#include "pack/frames.h"
#include "run/ending.h"
#include "run/engine.h"
#include "run/intent.h"
#include "run/job.h"
#include "run/phase.h"
#include "store/config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* How often the runner looks at more than the clock. */
#define LOOK_INTERVAL (BUDGET_MILLISECOND / 2)

/* How often the intent mark is renewed, and progress told. */
#define BEAT_INTERVAL (100 * BUDGET_MILLISECOND)

/* So many bad ends in a row without progress fail the backup. */
#define ROW_MAX 5

/* A connection cut this late was probably cut by a time-out. */
#define TIME_OUT_LIFE (20 * BUDGET_SECOND)

struct run {
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

const struct phase *
phase_of(enum phase_id id)
{
	switch (id) {
	case PHASE_INIT:
		return &phase_init;
	case PHASE_WALK:
		return &phase_walk;
	case PHASE_PACK:
		return &phase_pack;
	case PHASE_FINISH:
		return &phase_finish;
	case PHASE_PUBLISH:
		return &phase_publish;
	case PHASE_PRUNE:
		return &phase_prune;
	case PHASE_NOTIFY:
		return &phase_notify;
	case PHASE_COUNT:
		break;
	}
	return NULL;
}

static void
tell_state(const struct state *state, struct runner_result *result)
{
	memcpy(result->id, state->id, ID_SIZE);
	result->number = state->number;
	result->step = state->steps;
	result->phase = state->phase;
	result->percent = job_percent(state);
}

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

/* How much was done so far, in bytes of whatever kind. */
static int64_t
amount_of(const struct job *job)
{
	int64_t amount = job->state.counts.bytes + job->state.pack.done;

	for (int i = 0; i < SPOOL_COUNT; i++)
		if (i != SPOOL_FRAMES && job->spool_open[i])
			amount += job->spools[i].extent.length;
	return amount + job->state.finish.done;
}

static void
close_phase(struct run *run)
{
	if (run->phase != NULL && run->phase->close != NULL)
		run->phase->close(&run->job);
	run->phase = NULL;
}

static int
open_phase(struct run *run, struct fault *fault)
{
	run->phase = phase_of((enum phase_id)run->job.state.phase);
	run->phase_started = budget_now();
	return run->phase->open != NULL ? run->phase->open(&run->job, fault)
					: 0;
}

/* Commit, and learn what it took. */
static int
checkpoint(struct run *run, struct fault *fault)
{
	struct job *job = &run->job;
	struct pace *pace = &run->engine->pace;
	int64_t before = budget_now(), in_flight, unsynced, fixed;

	job_load(job, &in_flight, &unsynced);
	fixed = -pace_time(in_flight, pace->drain) -
	    pace_time(in_flight + unsynced, pace->sync);
	if (run->phase != NULL && run->phase->save != NULL)
		run->phase->save(job);
	job->state.phase_ms[job->state.phase] +=
	    (before - run->phase_started) / BUDGET_MILLISECOND;
	run->phase_started += (before - run->phase_started) /
	    BUDGET_MILLISECOND * BUDGET_MILLISECOND;
	if (job_checkpoint(job, fault) != 0)
		return -1;
	run->last_checkpoint = budget_now();
	run->last_amount = amount_of(job);
	fixed += run->last_checkpoint - before;
	pace_note_fixed(pace, fixed > 0 ? fixed : 0);
	return 0;
}

/* The phase at hand has ended: commit and go on with the next. */
static int
next_phase(struct run *run, struct fault *fault)
{
	struct job *job = &run->job;

	if (run->phase->save != NULL)
		run->phase->save(job);
	job->state.phase_ms[job->state.phase] +=
	    (budget_now() - run->phase_started) / BUDGET_MILLISECOND;
	run->phase_started = budget_now();
	job->state.phase++;
	if (checkpoint(run, fault) != 0)
		return -1;
	close_phase(run);
	return open_phase(run, fault);
}

static void
beat(struct run *run, int64_t now)
{
	if (now - run->last_beat < BEAT_INTERVAL)
		return;
	run->last_beat = now;
	intent_mark(&run->intent, run->job.jobfd);
	if (run->terms->progress != NULL) {
		tell_state(&run->job.state, run->result);
		run->terms->progress(run->terms->context, run->result);
	}
}

/* Now and then: is it time to stop, or to commit?  1: stop; 0; -1. */
static int
look(struct run *run, struct fault *fault)
{
	const struct config *config = run->engine->config;
	struct job *job = &run->job;
	struct pace *pace = &run->engine->pace;
	int64_t now = budget_now(), in_flight, unsynced;

	if (now - run->last_look < LOOK_INTERVAL)
		return 0;
	run->last_look = now;
	beat(run, now);
	job_load(job, &in_flight, &unsynced);
	if (budget_over(&run->budget, pace, in_flight, unsynced))
		return 1;
	if (job->frames != NULL) {
		int64_t allowance =
		    budget_allowance(&run->budget, pace, unsynced);

		/* Two frames can be in flight. */
		frames_limit(job->frames, allowance / 2);
	}
	if (now - run->last_checkpoint < config->checkpoint &&
	    amount_of(job) - run->last_amount < config->checkpoint_size)
		return 0;
	return checkpoint(run, fault);
}

/*
 * Work until the budget is over or the backup has ended.  Returns 1 if it has
 * ended, 0 if not, or -1.
 */
static int
work(struct run *run, struct fault *fault)
{
	if (open_phase(run, fault) != 0)
		return -1;
	for (;;) {
		enum phase_outcome outcome = run->phase->step(&run->job, fault);
		int stop;

		if (outcome == PHASE_FAULT)
			return -1;
		if (outcome == PHASE_ENDED &&
		    run->job.state.phase == PHASE_COUNT - 1)
			return 1;
		if (outcome == PHASE_ENDED && next_phase(run, fault) != 0)
			return -1;
		if (outcome == PHASE_WENT_BACK && checkpoint(run, fault) != 0)
			return -1;
		stop = look(run, fault);
		if (stop != 0)
			return stop < 0 ? -1 : 0;
	}
}

/* What was learnt in this step outlives it. */
static void
save_limits(struct run *run, bool good)
{
	enum controller controller = run->terms->controller;
	struct pace *pace = &run->engine->pace;
	struct limits limits;
	bool changed;

	limits_load(&limits, &run->engine->datadir);
	changed = good && run->terms->budget > 0 &&
	    limits_note_good(&limits.of[controller], run->terms->budget);
	/* A rate is worth a write if it is far from what is written. */
	if (limits.sync < pace->sync / 2 || limits.sync > pace->sync * 2 ||
	    limits.drain < pace->drain / 2 || limits.drain > pace->drain * 2 ||
	    limits.fixed < pace->fixed / 2 || limits.fixed > pace->fixed * 2)
		changed = true;
	if (!changed)
		return;
	limits_put_pace(&limits, pace);
	limits_save(&limits, &run->engine->datadir);
}

/*
 * If the step before was killed or ended by a fault: count that, and learn
 * from a kill.  False if it was one too many.
 */
static bool
look_back(struct run *run)
{
	struct state *state = &run->job.state;
	struct intent left;
	struct limits limits;

	run->intent = (struct intent){ .step = state->steps,
		.controller = run->terms->controller,
		.checkpoints = state->checkpoints,
		.kills = state->kills,
		.started = budget_now() };
	if (!intent_read(&left, run->job.jobfd))
		return true;
	run->intent.row =
	    state->checkpoints > left.checkpoints ? 1 : left.row + 1;
	if (left.faulted == 0) {
		if (left.kills > state->kills)
			state->kills = left.kills;
		state->kills++;
		run->intent.kills = state->kills;
		logbook_write(&run->job.log,
		    "step %lld was killed after it had lived for %lld ms",
		    (long long)left.step,
		    (long long)((left.alive - left.started) /
			BUDGET_MILLISECOND));
		limits_load(&limits, &run->engine->datadir);
		limits_note_kill(
		    &limits.of[left.controller], left.alive - left.started);
		limits_save(&limits, &run->engine->datadir);
	}
	return run->intent.row < ROW_MAX;
}

/* A fault ends the backup unless the next call may fare better. */
static void
end_by_fault(struct run *run, const struct fault *fault)
{
	struct runner_result *result = run->result;
	struct fault failure;
	const char *reason = fault->text;
	char text[sizeof(fault->text)];

	close_phase(run);
	if (fault->code == FAULT_RETRY || fault->code == FAULT_BUSY) {
		logbook_write(&run->job.log, "step %lld came to nothing: %s",
		    (long long)run->job.state.steps, fault->text);
		run->intent.faulted = 1;
		intent_mark(&run->intent, run->job.jobfd);
		if (run->intent.row < ROW_MAX - 1) {
			result->outcome = RUNNER_RETRY;
			result->fault = *fault;
			return;
		}
		snprintf(text, sizeof(text),
		    "%d steps in a row came to nothing; the last: %.400s",
		    ROW_MAX, fault->text);
		reason = text;
	}
	if (ending_fail(&run->job, reason, &failure) != 0) {
		result->outcome = RUNNER_RETRY;
		result->fault = failure;
		return;
	}
	runner_report(run->engine, result->id, result);
}

static void
end_killed(struct run *run)
{
	struct fault fault;

	fault_set(&fault, FAULT_SYSTEM,
	    "the host killed %d steps in a row before any could save its "
	    "work, the last after %lld ms; lower [step] max, or ask the "
	    "host for its limits",
	    ROW_MAX,
	    (long long)((run->intent.alive - run->intent.started) /
		BUDGET_MILLISECOND));
	end_by_fault(run, &fault);
}

/* The backup has ended well: nothing is left but its record and archive. */
static void
end_complete(struct run *run)
{
	struct runner_result *result = run->result;
	char id[ID_SIZE];

	memcpy(id, run->job.state.id, ID_SIZE);
	close_phase(run);
	save_limits(run, true);
	/* A failure here is mended by the next call. */
	if (ending_remove_job(run->engine, id, &result->fault) != 0)
		logbook_write(&run->job.log, "%s", result->fault.text);
	runner_report(run->engine, id, result);
}

static void
end_step(struct run *run)
{
	struct state *state = &run->job.state;
	struct fault fault;

	state->steps++;
	state->last_step = stamp_now();
	if (checkpoint(run, &fault) != 0) {
		state->steps--;
		end_by_fault(run, &fault);
		return;
	}
	close_phase(run);
	intent_remove(run->job.jobfd);
	save_limits(run, true);
	run->result->outcome = RUNNER_MORE;
	tell_state(state, run->result);
}

/* The job is open and its step is due. */
static void
run_step(struct run *run)
{
	struct fault fault;
	struct limits limits;
	int64_t budget = run->terms->budget;

	if (run->job.state.reason[0] != '\0') {
		fault_set(&fault, FAULT_SYSTEM, "%s", run->job.state.reason);
		end_by_fault(run, &fault);
		return;
	}
	if (!look_back(run)) {
		end_killed(run);
		return;
	}
	intent_mark(&run->intent, run->job.jobfd);
	if (budget > 0) {
		limits_load(&limits, &run->engine->datadir);
		run->budget.deadline = run->budget.started +
		    limits_budget(&limits.of[run->terms->controller], budget);
	}
	run->last_checkpoint = run->last_beat = budget_now();
	switch (work(run, &fault)) {
	case 1:
		end_complete(run);
		break;
	case 0:
		end_step(run);
		break;
	default:
		end_by_fault(run, &fault);
		break;
	}
}

/*
 * The job cannot be opened.  If its backup has ended, what is left of the job
 * is removed; if it has not, it has failed for that.
 */
static void
cannot_open(struct run *run, const char *id, struct fault *fault)
{
	struct engine *engine = run->engine;
	struct runner_result *result = run->result;
	struct record record;
	struct fault failure = { 0 };
	int loaded, ended;

	if (fault->code == FAULT_RETRY) {
		result->outcome = RUNNER_RETRY;
		result->fault = *fault;
		return;
	}
	if (run->job.loaded) {
		end_by_fault(run, fault);
		return;
	}
	loaded = record_load(
	    &record, &engine->datadir, id, RECORD_UNVERIFIED, &failure);
	ended = loaded == 0 && record.status != RECORD_RUNNING;
	record_close(&record);
	/* Neither record nor job: there never was such a backup, or no more. */
	if (loaded != 0 && failure.code == FAULT_NOT_FOUND &&
	    run->job.jobfd < 0) {
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
    struct run *run, struct lock *lock, const char *id, struct fault *fault)
{
	struct engine *engine = run->engine;
	int result;

	if (lock_take(lock, &engine->datadir, id, NULL, fault) == 0)
		return 0;
	if (fault->code != FAULT_BUSY)
		return -1;
	if (atomic_fetch_add(&engine->waiting, 1) >= engine->waiting_max)
		result = fault_set(fault, FAULT_USAGE, "too many wait");
	else
		result =
		    lock_take(lock, &engine->datadir, id, &run->budget, fault);
	atomic_fetch_sub(&engine->waiting, 1);
	return result;
}

/* Another step is running; say where it began. */
static void
tell_busy(struct run *run, const char *id)
{
	struct fault unused;
	int jobfd = fsio_open(run->engine->datadir.jobs, id, O_DIRECTORY);

	if (jobfd < 0 ||
	    state_load(&run->job.state, jobfd, &run->engine->datadir.keys,
		&unused) != 0)
		memcpy(run->job.state.id, id, ID_SIZE);
	tell_state(&run->job.state, run->result);
	if (jobfd >= 0)
		close(jobfd);
}

void
runner_step(struct engine *engine, const char *id, int64_t step,
    const struct runner_terms *terms, struct runner_result *result)
{
	struct run run = { .engine = engine, .terms = terms, .result = result };
	struct lock lock = LOCK_FREE;
	struct fault fault;

	memset(result, 0, sizeof(*result));
	memcpy(result->id, id, ID_SIZE);
	budget_start(&run.budget, terms->budget, &engine->stop);
	if (take_turn(&run, &lock, id, &fault) != 0) {
		result->outcome = fault.code == FAULT_BUSY ? RUNNER_BUSY
		    : fault.code == FAULT_USAGE            ? RUNNER_CROWDED
							   : RUNNER_RETRY;
		result->fault = fault;
		tell_busy(&run, id);
		return;
	}
	if (job_open(&run.job, engine, id, &fault) != 0) {
		cannot_open(&run, id, &fault);
	} else if (step != RUNNER_ANY_STEP && step != run.job.state.steps) {
		result->outcome = RUNNER_MORE;
		tell_state(&run.job.state, result);
	} else {
		run_step(&run);
	}
	close_phase(&run);
	job_close(&run.job);
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
