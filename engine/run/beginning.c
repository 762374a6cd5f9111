/* SPDX-License-Identifier: MIT */
#include "run/beginning.h"

#include "base/fault.h"
#include "base/fsio.h"
#include "base/stamp.h"
#include "base/strbuf.h"
#include "run/ending.h"
#include "run/engine.h"
#include "run/job.h"
#include "store/profile.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *
slug_of(const struct profile *profile)
{
	char *slug = strbuf_copy(profile->name);

	for (char *c = slug; *c != '\0'; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
		else if (!(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9'))
			*c = '-';
	}
	slug[strnlen(slug, 40)] = '\0';
	return slug;
}

/* Names the site and the day for people; nobody can guess its end. */
static void
name_archive(struct state *state, const struct profile *profile)
{
	char random[TOKEN_TEXT_SIZE];
	char *slug = slug_of(profile);

	token_random_text(128, random);
	snprintf(state->archive, sizeof(state->archive), "%s-%.15s-%s%s", slug,
	    state->id, random, profile_suffix(profile));
	free(slug);
}

static void
init_state(struct state *state, const struct profile *profile,
    enum record_origin origin)
{
	memset(state, 0, sizeof(*state));
	datadir_new_id(state->id);
	state->profile = profile->number;
	state->origin = (int)origin;
	state->started = stamp_now();
	state->last_step = state->started;
	state->phase = PHASE_INIT;
	state->phase_count = PHASE_COUNT;
	profile_fingerprint(profile, state->fingerprint);
	name_archive(state, profile);
}

static int
take_number(struct engine *engine, struct state *state, struct fault *fault)
{
	struct lock lock = LOCK_FREE;
	struct budget wait;
	int result;

	budget_start(&wait, 10 * BUDGET_SECOND, &engine->stop);
	if (lock_take(&lock, &engine->datadir, "number", &wait, fault) != 0)
		return -1;
	result = datadir_next_number(&engine->datadir, &state->number, fault);
	lock_drop(&lock);
	return result;
}

/* A directory below dirfd, made and durable; its descriptor, or -1. */
static int
make_dir(int dirfd, const char *name, struct fault *fault)
{
	int fd = -1;

	if (fsio_make_dir(dirfd, name) != 0 || fsio_sync_dir(dirfd) != 0 ||
	    (fd = fsio_open(dirfd, name, O_DIRECTORY)) < 0)
		fault_errno(fault, "the backup's folder cannot be made");
	return fd;
}

int
beginning_make(struct engine *engine, const struct profile *profile,
    enum record_origin origin, char id[ID_SIZE], struct fault *fault)
{
	struct datadir *datadir = &engine->datadir;
	struct job job = { .engine = engine,
		.profile = profile,
		.jobfd = -1,
		.backupfd = -1,
		.log = LOGBOOK_CLOSED };
	struct record record = { 0 };
	struct lock lock = LOCK_FREE;
	int result = -1;

	init_state(&job.state, profile, origin);
	memcpy(id, job.state.id, ID_SIZE);
	if (take_number(engine, &job.state, fault) != 0 ||
	    lock_take(&lock, datadir, id, NULL, fault) != 0)
		return -1;
	job.jobfd = make_dir(datadir->jobs, id, fault);
	if (job.jobfd >= 0)
		job.backupfd = make_dir(datadir->backups, id, fault);
	if (job.backupfd < 0)
		goto out;
	logbook_open(&job.log, job.backupfd, "log");
	logbook_write(&job.log,
	    "backup %s, number %lld, of profile %lld (%s) is begun", id,
	    (long long)job.state.number, (long long)profile->number,
	    profile->name);
	if (state_save(&job.state, job.jobfd, &datadir->keys, fault) != 0 ||
	    ending_record(&job, RECORD_RUNNING, &record, fault) != 0)
		goto out;
	result = record_save(&record, job.backupfd, &datadir->keys, fault);
out:
	record_close(&record);
	logbook_close(&job.log);
	if (job.jobfd >= 0)
		close(job.jobfd);
	if (job.backupfd >= 0)
		close(job.backupfd);
	lock_drop(&lock);
	return result;
}
