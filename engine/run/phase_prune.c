/* SPDX-License-Identifier: MIT */
/*
 * Retention: of a profile's complete backups the newest keep_last stay, and
 * what failed before the oldest of these goes too.  A backup whose record
 * cannot be verified is never removed.
 */
#include "base/fault.h"
#include "run/ending.h"
#include "run/engine.h"
#include "run/job.h"
#include "run/phase.h"
#include "store/history.h"

#include <unistd.h>

/* Remove a backup unless somebody is using it. */
static int
prune(struct job *job, const char *id, struct fault *fault)
{
	struct engine *engine = job->engine;
	struct lock lock = LOCK_FREE;
	int result;

	if (lock_take(&lock, &engine->datadir, id, NULL, fault) != 0)
		return fault->code == FAULT_BUSY ? 0 : -1;
	result = ending_remove_backup(engine, id, fault);
	lock_remove(&lock, &engine->datadir, id);
	if (result == 0)
		logbook_write(&job->log, "removed backup %s", id);
	return result;
}

/* Whether a backup is to go, judged newest first; kept counts what stays. */
static bool
is_surplus(
    const struct job *job, const struct history_entry *entry, int64_t *kept)
{
	if (job->profile->keep_last == 0 ||
	    entry->profile != job->profile->number ||
	    entry->status == RECORD_RUNNING || !entry->verified)
		return false;
	if (*kept >= job->profile->keep_last)
		return true;
	*kept += entry->status == RECORD_COMPLETE;
	return false;
}

/*
 * What is left of a removal that was cut short: a folder without a record.  A
 * backup that is just being made has a job.
 */
static bool
is_leftover(const struct job *job, const struct history_entry *entry)
{
	const struct datadir *datadir = &job->engine->datadir;
	struct record record;
	struct fault fault;
	bool missing;

	if (entry->readable)
		return false;
	missing = record_load(&record, datadir, entry->id, RECORD_UNVERIFIED,
		      &fault) != 0 &&
	    fault.code == FAULT_NOT_FOUND;
	record_close(&record);
	return missing && faccessat(datadir->jobs, entry->id, F_OK, 0) != 0;
}

/* A unit: all surplus backups.  There is hardly ever more than one. */
static enum phase_outcome
prune_all(struct job *job, struct fault *fault)
{
	struct history history;
	int64_t kept = 0;
	int result;

	result = history_load(&history, &job->engine->datadir, 0, fault);
	for (size_t i = 0; i < history.count && result == 0; i++) {
		const struct history_entry *entry = &history.entries[i];

		if (is_surplus(job, entry, &kept) || is_leftover(job, entry))
			result = prune(job, entry->id, fault);
	}
	history_close(&history);
	return result != 0 ? PHASE_FAULT : PHASE_ENDED;
}

const struct phase phase_prune = {
	.step = prune_all,
};
