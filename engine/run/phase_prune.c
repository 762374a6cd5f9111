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

#include <stdlib.h>
#include <string.h>

/* Whether a backup is to go, judged newest first; kept counts what stays. */
static bool
is_surplus(struct job *job, const char *id, int64_t *kept)
{
	struct record record;
	struct fault unused;
	bool surplus = false;

	if (record_load(&record, &job->engine->datadir, id, RECORD_STRICT,
		&unused) == 0 &&
	    record.profile == job->profile->number &&
	    record.status != RECORD_RUNNING) {
		surplus = *kept >= job->profile->keep_last;
		if (!surplus && record.status == RECORD_COMPLETE)
			++*kept;
	}
	record_close(&record);
	return surplus;
}

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

/* A unit: all surplus backups.  There is hardly ever more than one. */
static enum phase_outcome
prune_all(struct job *job, struct fault *fault)
{
	char(*ids)[ID_SIZE];
	size_t count;
	int64_t kept = 0;
	int result = 0;

	if (job->profile->keep_last == 0)
		return PHASE_ENDED;
	if (datadir_list(job->engine->datadir.backups, &ids, &count, fault) !=
	    0)
		return PHASE_FAULT;
	for (size_t i = 0; i < count && result == 0; i++)
		if (is_surplus(job, ids[i], &kept))
			result = prune(job, ids[i], fault);
	free(ids);
	return result != 0 ? PHASE_FAULT : PHASE_ENDED;
}

const struct phase phase_prune = {
	.step = prune_all,
};
