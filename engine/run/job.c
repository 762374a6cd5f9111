/* SPDX-License-Identifier: MIT */
#include "run/job.h"

#include "base/fault.h"
#include "base/fsio.h"
#include "base/strbuf.h"
#include "pack/frames.h"
#include "run/engine.h"
#include "source/filter.h"
#include "store/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void
name_roots(struct job *job)
{
	const struct profile *profile = job->profile;

	job->root_names[0] = "files";
	job->root_paths[0] = profile->site;
	job->root_count = 1;
	for (int i = 0; i < profile->extras.count; i++) {
		const struct extra *extra = &profile->extras.items[i];
		char **text = &job->root_texts[job->root_count];

		if (asprintf(text, "extra/%s", extra->name) < 0)
			abort();
		job->root_names[job->root_count] = *text;
		job->root_paths[job->root_count++] = extra->path;
	}
}

/* The profile of the state, as it was when the backup began. */
static int
find_profile(struct job *job, struct fault *fault)
{
	uint8_t fingerprint[TOKEN_HASH_SIZE];

	job->profile = config_profile(job->engine->config, job->state.profile);
	if (job->profile == NULL)
		return fault_set(fault, FAULT_SYSTEM,
		    "profile %lld is no longer in the configuration",
		    (long long)job->state.profile);
	profile_fingerprint(job->profile, fingerprint);
	if (!token_equal(fingerprint, job->state.fingerprint))
		return fault_set(fault, FAULT_SYSTEM,
		    "profile %lld was changed in the configuration while this "
		    "backup was unfinished; the next backup will follow it",
		    (long long)job->state.profile);
	return 0;
}

int
job_open(
    struct job *job, struct engine *engine, const char *id, struct fault *fault)
{
	struct datadir *datadir = &engine->datadir;

	memset(job, 0, sizeof(*job));
	job->engine = engine;
	job->jobfd = job->backupfd = -1;
	job->links = (struct links)LINKS_CLOSED;
	job->volume = (struct volume)VOLUME_CLOSED;
	job->log = (struct logbook)LOGBOOK_CLOSED;
	job->jobfd = fsio_open(datadir->jobs, id, O_DIRECTORY);
	if (job->jobfd < 0)
		return fault_errno(fault, "the unfinished backup");
	job->backupfd = fsio_open(datadir->backups, id, O_DIRECTORY);
	if (job->backupfd < 0 && errno == ENOENT)
		return fault_set(fault, FAULT_CORRUPT,
		    "the backup's folder in 'backups' is missing");
	if (job->backupfd < 0)
		return fault_errno(fault, "the backup's folder");
	logbook_open(&job->log, job->backupfd, "log");
	if (state_load(&job->state, job->jobfd, &datadir->keys, fault) != 0)
		return -1;
	if (strcmp(job->state.id, id) != 0)
		return fault_set(fault, FAULT_CORRUPT,
		    STATE_FILE " is that of another backup");
	job->loaded = true;
	if (find_profile(job, fault) != 0)
		return -1;
	job->filter = filter_new(job->profile);
	job->state.excluded_count = filter_count(job->filter);
	name_roots(job);
	return 0;
}

void
job_close(struct job *job)
{
	frames_close(job->frames);
	volume_close(&job->volume);
	links_close(&job->links);
	for (int i = 0; i < SPOOL_COUNT; i++)
		if (job->spool_open[i])
			spool_close(&job->spools[i]);
	for (int i = 0; i < job->root_count; i++)
		free(job->root_texts[i]);
	filter_free(job->filter);
	logbook_close(&job->log);
	if (job->jobfd >= 0)
		close(job->jobfd);
	if (job->backupfd >= 0)
		close(job->backupfd);
	memset(job, 0, sizeof(*job));
	job->jobfd = job->backupfd = -1;
}

struct spool *
job_spool(struct job *job, enum spool_id id, struct fault *fault)
{
	struct spool *spool = &job->spools[id];
	int dirfd;

	if (job->spool_open[id])
		return spool;
	/* This one outlives the job, beside the archive. */
	dirfd = id == SPOOL_FRAMES ? job->backupfd : job->jobfd;
	if (spool_open(spool, dirfd, state_spool_name(id),
		&job->state.spools[id], fault) != 0) {
		spool_close(spool);
		return NULL;
	}
	job->spool_open[id] = true;
	return spool;
}

struct volume *
job_volume(struct job *job, struct fault *fault)
{
	const struct volume_place place = {
		.dirfd = job->backupfd,
		.name = job->state.archive,
		.part_size = job->profile->part_size,
		.pace = &job->engine->pace,
	};

	if (job->volume_open)
		return &job->volume;
	if (volume_open(&job->volume, &place, job->state.volume, fault) != 0) {
		volume_close(&job->volume);
		return NULL;
	}
	job->volume_open = true;
	return &job->volume;
}

struct frames *
job_frames(struct job *job, int level, struct fault *fault)
{
	struct compression compression = job->profile->compression;
	struct frames_options options = {
		.compression = &compression,
		.workers = (int)job->engine->config->workers,
		.volume = &job->volume,
		.pace = &job->engine->pace,
	};

	if (job->frames != NULL)
		return job->frames;
	options.spool = job_spool(job, SPOOL_FRAMES, fault);
	if (options.spool == NULL || job_volume(job, fault) == NULL)
		return NULL;
	if (level != 0)
		compression.level = level;
	job->frames = frames_open(&options);
	return job->frames;
}

/* Stop before the disk is full: the site needs it too. */
static int
check_space(struct job *job, struct fault *fault)
{
	struct statvfs fs;

	if (fstatvfs(job->backupfd, &fs) != 0)
		return fault_errno(fault, "the disk of the data directory");
	if ((uint64_t)fs.f_bavail * fs.f_frsize <
	    (uint64_t)job->profile->min_free)
		return fault_set(fault, FAULT_SYSTEM,
		    "the disk of the data directory has less than min_free "
		    "(%lld MiB) left",
		    (long long)(job->profile->min_free >> 20));
	return 0;
}

/* The spools' bytes; made is set to whether a new name in jobs/ID is theirs. */
static int
sync_spools(struct job *job, bool *made, struct fault *fault)
{
	for (int i = 0; i < SPOOL_COUNT; i++) {
		struct spool *spool = &job->spools[i];

		if (!job->spool_open[i])
			continue;
		if (spool_sync(spool, fault) != 0)
			return -1;
		if (i != SPOOL_FRAMES && spool->extent.length > 0)
			*made |= spool->made;
	}
	return 0;
}

/*
 * Bytes first: all files, and the names of those that are new.  The volume
 * comes after the spools, for its sync of the folder serves frames, too.
 */
static int
sync_files(struct job *job, struct fault *fault)
{
	bool made = job->links.made;
	int64_t in_flight, unsynced, before;

	if (job->frames != NULL && frames_flush(job->frames, fault) != 0)
		return -1;
	job_load(job, &in_flight, &unsynced);
	before = budget_now();
	if (sync_spools(job, &made, fault) != 0 ||
	    links_sync(&job->links, fault) != 0)
		return -1;
	if (job->volume_open && volume_sync(&job->volume, fault) != 0)
		return -1;
	/* On one disk it is a matter of chance whose sync waits for it. */
	pace_note_sync(
	    &job->engine->pace, unsynced, budget_now() - before, true);
	if (made && fsio_sync_dir(job->jobfd) != 0)
		return fault_errno(
		    fault, "the backup's folder cannot be synced");
	job->links.made = false;
	return 0;
}

int
job_checkpoint(struct job *job, struct fault *fault)
{
	struct state *state = &job->state;

	if (sync_files(job, fault) != 0 || check_space(job, fault) != 0)
		return -1;
	if (job->volume_open)
		state->volume = job->volume.length;
	for (int i = 0; i < SPOOL_COUNT; i++)
		if (job->spool_open[i])
			state->spools[i] = job->spools[i].extent;
	state->checkpoints++;
	if (state_save(state, job->jobfd, &job->engine->datadir.keys, fault) !=
	    0)
		return -1;
	for (int i = 0; i < SPOOL_COUNT; i++)
		if (job->spool_open[i])
			spool_committed(&job->spools[i]);
	return 0;
}

void
job_load(struct job *job, int64_t *in_flight, int64_t *unsynced)
{
	*in_flight = *unsynced = 0;
	if (job->frames != NULL)
		frames_load(job->frames, in_flight, unsynced);
	for (int i = 0; i < SPOOL_COUNT; i++)
		/* The threads of frames write this one. */
		if (i != SPOOL_FRAMES && job->spool_open[i])
			*unsynced += spool_unsynced(&job->spools[i]);
	*unsynced += job->links.unsynced;
}

int
job_warn(
    struct job *job, const char *path, const char *reason, struct fault *fault)
{
	struct spool *spool = job_spool(job, SPOOL_WARNINGS, fault);
	struct strbuf line = STRBUF_EMPTY;
	int result;

	if (spool == NULL)
		return -1;
	logbook_write(&job->log, "warning: %s: %s", path, reason);
	strbuf_addf(&line, "%s\t", reason);
	strbuf_add_escaped(&line, path, strlen(path));
	result = spool_append(spool, line.bytes, line.length, fault);
	strbuf_close(&line);
	job->state.counts.warnings++;
	return result;
}

void
job_mark(const struct job *job, struct archive_mark *mark)
{
	const struct state *state = &job->state;

	mark->volume = state->volume;
	mark->manifest = state->spools[SPOOL_MANIFEST];
	mark->sums = state->spools[SPOOL_SUMS];
	mark->frames = state->spools[SPOOL_FRAMES];
	mark->warnings = state->spools[SPOOL_WARNINGS];
	mark->objects = state->spools[SPOOL_OBJECTS];
	mark->warned = state->counts.warnings;
}

/* What is reopened at its extent in the state is cut back to it. */
static void
forget_spool(struct job *job, enum spool_id id, const struct extent *extent)
{
	if (job->spool_open[id])
		spool_close(&job->spools[id]);
	job->spool_open[id] = false;
	job->state.spools[id] = *extent;
}

void
job_go_back(struct job *job, const struct archive_mark *mark)
{
	frames_close(job->frames);
	job->frames = NULL;
	volume_close(&job->volume);
	job->volume_open = false;
	job->state.volume = mark->volume;
	forget_spool(job, SPOOL_MANIFEST, &mark->manifest);
	forget_spool(job, SPOOL_SUMS, &mark->sums);
	forget_spool(job, SPOOL_FRAMES, &mark->frames);
	forget_spool(job, SPOOL_WARNINGS, &mark->warnings);
	forget_spool(job, SPOOL_OBJECTS, &mark->objects);
	job->state.counts.warnings = mark->warned;
}

/* The part of the work that databases count for. */
#define DUMP_PERCENT 30

static int
dump_percent(const struct dump_cursor *dump)
{
	double part = (double)dump->database;

	if (dump->expected > 0 && dump->bytes < dump->expected)
		part += (double)dump->bytes / (double)dump->expected;
	return dump->count > 0
	    ? (int)(part / (double)dump->count * DUMP_PERCENT)
	    : 0;
}

int
job_percent(const struct state *state)
{
	int64_t total = state->walk.bytes + state->walk.entries * 1024;
	int64_t done = state->counts.bytes + state->pack.done +
	    (state->counts.files + state->counts.folders +
		state->counts.symlinks + state->counts.hardlinks +
		state->counts.specials) *
		1024;

	int begin = state->dump.count > 0 ? DUMP_PERCENT : 0;

	if (state->phase <= PHASE_DUMP)
		return dump_percent(&state->dump);
	if (state->phase < PHASE_PACK)
		return begin;
	if (state->phase > PHASE_FINISH)
		return 100;
	if (state->phase == PHASE_FINISH || total <= 0 || done >= total)
		return 99;
	return begin + (int)((double)done / (double)total * (99 - begin));
}
