/* SPDX-License-Identifier: MIT */
#include "run/step.h"

#include "base/fault.h"
#include "pack/frames.h"
#include "run/engine.h"
#include "store/config.h"

#include <string.h>

/* How often the runner looks at more than the clock. */
#define LOOK_INTERVAL (BUDGET_MILLISECOND / 2)

/* How often the intent mark is renewed, and progress told. */
#define BEAT_INTERVAL (100 * BUDGET_MILLISECOND)

const struct phase *
phase_of(enum phase_id id)
{
	switch (id) {
	case PHASE_INIT:
		return &phase_init;
	case PHASE_DUMP:
		return &phase_dump;
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

void
step_tell(const struct state *state, struct runner_result *result)
{
	memcpy(result->id, state->id, ID_SIZE);
	result->number = state->number;
	result->step = state->steps;
	result->phase = state->phase;
	result->percent = job_percent(state);
}

/* How much was done so far, in bytes of whatever kind. */
static int64_t
amount_of(const struct job *job)
{
	int64_t amount = job->state.counts.bytes + job->state.pack.done +
	    job->state.dump.done;

	for (int i = 0; i < SPOOL_COUNT; i++)
		/* The threads of frames write that one. */
		if (i != SPOOL_FRAMES)
			amount += job->spool_open[i]
			    ? job->spools[i].extent.length
			    : job->state.spools[i].length;
	return amount + job->state.finish.done;
}

void
step_close_phase(struct step *step)
{
	if (step->phase != NULL && step->phase->close != NULL)
		step->phase->close(&step->job);
	step->phase = NULL;
}

static int
open_phase(struct step *step, struct fault *fault)
{
	step->phase = phase_of((enum phase_id)step->job.state.phase);
	step->phase_started = budget_now();
	return step->phase->open != NULL ? step->phase->open(&step->job, fault)
					 : 0;
}

int
step_checkpoint(struct step *step, struct fault *fault)
{
	struct job *job = &step->job;
	struct pace *pace = &step->engine->pace;
	int64_t before = budget_now(), in_flight, unsynced, fixed;

	job_load(job, &in_flight, &unsynced);
	fixed = -pace_time(in_flight, pace->drain) -
	    pace_time(in_flight + unsynced, pace->sync);
	if (step->phase != NULL && step->phase->save != NULL)
		step->phase->save(job);
	job->state.phase_ms[job->state.phase] +=
	    (before - step->phase_started) / BUDGET_MILLISECOND;
	step->phase_started += (before - step->phase_started) /
	    BUDGET_MILLISECOND * BUDGET_MILLISECOND;
	if (job_checkpoint(job, fault) != 0)
		return -1;
	step->last_checkpoint = budget_now();
	step->last_amount = amount_of(job);
	fixed += step->last_checkpoint - before;
	pace_note_fixed(pace, fixed > 0 ? fixed : 0);
	return 0;
}

/* The phase at hand has ended: commit and go on with the next. */
static int
next_phase(struct step *step, struct fault *fault)
{
	struct job *job = &step->job;

	if (step->phase->save != NULL)
		step->phase->save(job);
	job->state.phase_ms[job->state.phase] +=
	    (budget_now() - step->phase_started) / BUDGET_MILLISECOND;
	step->phase_started = budget_now();
	job->state.phase++;
	if (step_checkpoint(step, fault) != 0)
		return -1;
	step_close_phase(step);
	return open_phase(step, fault);
}

static void
beat(struct step *step, int64_t now)
{
	if (now - step->last_beat < BEAT_INTERVAL)
		return;
	step->last_beat = now;
	intent_mark(&step->intent, step->job.jobfd);
	if (step->terms->progress != NULL) {
		step_tell(&step->job.state, step->result);
		step->terms->progress(step->terms->context, step->result);
	}
}

/* Now and then: is it time to stop, or to commit?  1: stop; 0; -1. */
static int
look(struct step *step, struct fault *fault)
{
	const struct config *config = step->engine->config;
	struct job *job = &step->job;
	struct pace *pace = &step->engine->pace;
	int64_t now = budget_now(), in_flight, unsynced;
	bool enough =
	    amount_of(job) - step->last_amount >= config->checkpoint_size;

	if (!enough && now - step->last_look < LOOK_INTERVAL)
		return 0;
	step->last_look = now;
	beat(step, now);
	job_load(job, &in_flight, &unsynced);
	if (budget_over(&step->budget, pace, in_flight, unsynced))
		return 1;
	job->allowance = budget_allowance(&step->budget, pace, unsynced);
	/* Two frames can be in flight. */
	if (job->frames != NULL)
		frames_limit(job->frames, job->allowance / 2);
	if (!enough && now - step->last_checkpoint < config->checkpoint)
		return 0;
	return step_checkpoint(step, fault);
}

int
step_work(struct step *step, struct fault *fault)
{
	step->last_checkpoint = step->last_beat = budget_now();
	step->last_amount = amount_of(&step->job);
	if (open_phase(step, fault) != 0)
		return -1;
	for (;;) {
		enum phase_outcome outcome =
		    step->phase->step(&step->job, fault);
		int stop;

		if (outcome == PHASE_FAULT)
			return -1;
		if (outcome == PHASE_ENDED &&
		    step->job.state.phase == PHASE_COUNT - 1)
			return 1;
		if (outcome == PHASE_ENDED && next_phase(step, fault) != 0)
			return -1;
		/* What that was for is the next unit: however late it is, a
		 * step that had only this commit would come to nothing. */
		if (outcome == PHASE_WENT_BACK) {
			if (step_checkpoint(step, fault) != 0)
				return -1;
			continue;
		}
		stop = look(step, fault);
		if (stop != 0)
			return stop < 0 ? -1 : 0;
	}
}
