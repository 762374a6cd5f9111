/* SPDX-License-Identifier: MIT */
#include "run/start.h"

#include "base/budget.h"
#include "base/fault.h"
#include "base/fsio.h"
#include "base/stamp.h"
#include "run/beginning.h"
#include "run/ending.h"
#include "run/engine.h"
#include "run/job.h"
#include "run/runner.h"
#include "store/config.h"
#include "store/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Who asks for a fresh backup joins one that was stepped so lately. */
#define JOIN_SECONDS 60

#define DAY_SECONDS 86400

/* What is known of an unfinished backup without its lock. */
struct unfinished {
	char id[ID_SIZE];
	int64_t last_step;
};

/*
 * A job without state and record is what is left of a start that was cut
 * short: nobody knows of it, so it goes.  A start that is still under way has
 * its lock.
 */
static void
remove_leftover(struct engine *engine, const char *id)
{
	struct lock lock = LOCK_FREE;
	struct fault unused;

	if (lock_take(&lock, &engine->datadir, id, NULL, &unused) != 0)
		return;
	if (ending_remove_job(engine, id, &unused) == 0 &&
	    ending_remove_backup(engine, id, &unused) == 0)
		lock_remove(&lock, &engine->datadir, id);
	lock_drop(&lock);
}

/*
 * Whether the job of this ID is one of the profile.  A damaged one counts for
 * the profile that its record names, so that the next step finds the damage.
 */
static bool
is_of_profile(struct engine *engine, const struct profile *profile,
    const char *id, struct unfinished *found)
{
	struct datadir *datadir = &engine->datadir;
	int jobfd = fsio_open(datadir->jobs, id, O_DIRECTORY);
	struct state state;
	struct record record;
	struct fault fault = { 0 };
	bool ours = false;

	memcpy(found->id, id, ID_SIZE);
	found->last_step = 0;
	if (jobfd < 0)
		return false;
	if (state_load(&state, jobfd, &datadir->keys, &fault) == 0) {
		ours = state.profile == profile->number;
		found->last_step = state.last_step;
	} else if (record_load(
		       &record, datadir, id, RECORD_UNVERIFIED, &fault) == 0) {
		ours = record.profile == profile->number;
		record_close(&record);
	} else {
		record_close(&record);
		if (fault.code == FAULT_NOT_FOUND)
			remove_leftover(engine, id);
	}
	close(jobfd);
	return ours;
}

/* The newest unfinished backup of a profile: 1, 0 if there is none, or -1. */
static int
find_unfinished(struct engine *engine, const struct profile *profile,
    struct unfinished *found, struct fault *fault)
{
	char(*ids)[ID_SIZE];
	size_t count;
	int result = 0;

	if (datadir_list(engine->datadir.jobs, &ids, &count, fault) != 0)
		return -1;
	for (size_t i = 0; i < count && result == 0; i++)
		result = is_of_profile(engine, profile, ids[i], found);
	free(ids);
	return result;
}

/*
 * again_after, twice as long for each failure in a row but the first, up to a
 * day.
 */
static int64_t
again_seconds(const struct profile *profile, int failures)
{
	int64_t least = profile->again_after / BUDGET_SECOND, seconds = least;

	for (; failures > 1 && seconds < DAY_SECONDS; failures--)
		seconds *= 2;
	if (seconds > DAY_SECONDS)
		seconds = least > DAY_SECONDS ? least : DAY_SECONDS;
	return seconds;
}

/* Now is within so many seconds after then; a clock set back is not. */
static bool
is_within(int64_t seconds, int64_t then)
{
	int64_t age = stamp_now() - then;

	return age >= 0 && age < seconds;
}

/* A record that says "running" has no job any more. */
static void
fail_orphan(struct engine *engine, struct history_entry *entry)
{
	struct fault unused;
	struct lock lock = LOCK_FREE;

	if (lock_take(&lock, &engine->datadir, entry->id, NULL, &unused) != 0)
		return;
	if (faccessat(engine->datadir.jobs, entry->id, F_OK, 0) != 0 &&
	    ending_fail_lost(
		engine, entry->id, "its state was lost", &unused) == 0) {
		entry->status = RECORD_FAILED;
		entry->ended = stamp_now();
	}
	lock_remove(&lock, &engine->datadir, entry->id);
}

/*
 * Whether the answer of the backup that was begun last, and has ended, is
 * still to be repeated.
 */
static bool
is_to_repeat(const struct profile *profile, const struct history *history)
{
	const struct history_entry *last = &history->entries[0];
	int failures = 0;

	while ((size_t)failures < history->count &&
	    history->entries[failures].status == RECORD_FAILED)
		failures++;
	if (history->count == 0 || last->status == RECORD_RUNNING)
		return false;
	if (is_within(again_seconds(profile, failures), last->ended))
		return true;
	return last->status == RECORD_COMPLETE && profile->once_per > 0 &&
	    is_within(profile->once_per / BUDGET_SECOND, last->started);
}

/* The backup whose answer is to be repeated: 1 with its ID, 0, or -1. */
static int
find_to_repeat(struct engine *engine, const struct profile *profile,
    char id[ID_SIZE], struct fault *fault)
{
	struct history history;
	int result =
	    history_load(&history, &engine->datadir, profile->number, fault);

	for (size_t i = 0; i < history.count; i++)
		if (history.entries[i].status == RECORD_RUNNING)
			fail_orphan(engine, &history.entries[i]);
	if (result == 0 && is_to_repeat(profile, &history)) {
		memcpy(id, history.entries[0].id, ID_SIZE);
		result = 1;
	}
	history_close(&history);
	return result;
}

static enum start_outcome
decide(struct engine *engine, const struct profile *profile,
    const struct start_terms *terms, char id[ID_SIZE], struct fault *fault)
{
	struct unfinished found;
	int result = find_unfinished(engine, profile, &found, fault);

	if (result < 0)
		return START_FAULT;
	if (result > 0 && terms->fresh &&
	    !is_within(JOIN_SECONDS, found.last_step)) {
		if (runner_abandon(engine, found.id,
			"it was abandoned: a fresh backup was asked for",
			fault) == 0)
			result = 0;
		else if (fault->code != FAULT_BUSY)
			return START_FAULT;
	}
	if (result > 0) {
		memcpy(id, found.id, ID_SIZE);
		return START_STEP;
	}
	if (terms->resume_only)
		return fault_set(fault, FAULT_NOT_FOUND,
		    "profile %lld has no unfinished backup",
		    (long long)profile->number);
	if (!terms->fresh && !terms->at_once) {
		result = find_to_repeat(engine, profile, id, fault);
		if (result != 0)
			return result < 0 ? START_FAULT : START_REPEAT;
	}
	return beginning_make(engine, profile, terms->origin, id, fault) != 0
	    ? START_FAULT
	    : START_STEP;
}

enum start_outcome
start_backup(struct engine *engine, const struct profile *profile,
    const struct start_terms *terms, char id[ID_SIZE], struct fault *fault)
{
	struct lock lock = LOCK_FREE;
	struct budget wait;
	char name[64];
	enum start_outcome outcome;

	snprintf(
	    name, sizeof(name), "profile-%lld", (long long)profile->number);
	budget_start(&wait, 10 * BUDGET_SECOND, &engine->stop);
	if (lock_take(&lock, &engine->datadir, name, &wait, fault) != 0)
		return START_FAULT;
	outcome = decide(engine, profile, terms, id, fault);
	lock_drop(&lock);
	return outcome;
}

int
start_last_ended(
    struct engine *engine, struct runner_result *result, struct fault *fault)
{
	struct history history;
	int found = history_load(&history, &engine->datadir, 0, fault);

	for (size_t i = 0; i < history.count && found == 0; i++) {
		const struct history_entry *entry = &history.entries[i];

		if (!entry->readable || entry->status == RECORD_RUNNING)
			continue;
		memset(result, 0, sizeof(*result));
		runner_report(engine, entry->id, result);
		found = 1;
	}
	history_close(&history);
	return found;
}
