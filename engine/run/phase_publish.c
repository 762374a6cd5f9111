/* SPDX-License-Identifier: MIT */
/*
 * The archive is whole: its parts get their final names, and the record says
 * complete.  That record is the commit: the sync of its folder makes it and
 * the names durable, and as long as one of them may be missing there is the
 * state to go on from.
 */
#include "base/fault.h"
#include "base/fsio.h"
#include "run/ending.h"
#include "run/engine.h"
#include "run/job.h"
#include "run/phase.h"
#include "source/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* 1: the file is there with this size; 0: it is not there; -1. */
static int
check_part(struct job *job, const char *name, int64_t size, struct fault *fault)
{
	struct stat st;

	if (fstatat(job->backupfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT
		    ? 0
		    : fault_errno(fault, "the part '%s'", name);
	if (st.st_size != size)
		return fault_set(fault, FAULT_CORRUPT,
		    "the part '%s' is not as long as its state says", name);
	return 1;
}

static int
publish_part(struct job *job, int64_t part, struct fault *fault)
{
	int64_t part_size = job->profile->part_size, size = job->state.volume;
	char partial[VOLUME_NAME_SIZE], name[VOLUME_NAME_SIZE];
	int there;

	if (part_size != 0) {
		size -= part * part_size;
		if (size > part_size)
			size = part_size;
	}
	volume_part_name(name, job->state.archive, part_size, part, "");
	volume_part_name(
	    partial, job->state.archive, part_size, part, VOLUME_PARTIAL);
	there = check_part(job, name, size, fault);
	if (there != 0)
		return there < 0 ? -1 : 0;
	there = check_part(job, partial, size, fault);
	if (there < 0)
		return -1;
	if (there == 0)
		return fault_set(
		    fault, FAULT_CORRUPT, "the part '%s' is missing", partial);
	if (fsio_rename(job->backupfd, partial, job->backupfd, name) != 0)
		return fault_errno(
		    fault, "the part '%s' cannot be renamed", partial);
	return 0;
}

/* Per pattern, so that a person sees what a pattern costs or spares. */
static void
log_summary(struct job *job)
{
	const struct counts *counts = &job->state.counts;

	for (int i = 0; i < job->state.excluded_count; i++)
		if (job->state.excluded[i] > 0)
			logbook_write(&job->log, "excluded by '%s': %lld",
			    filter_pattern(job->filter, i),
			    (long long)job->state.excluded[i]);
	logbook_write(&job->log,
	    "packed %lld files with %lld bytes, %lld folders, %lld symlinks, "
	    "%lld hard links, %lld special files",
	    (long long)counts->files, (long long)counts->bytes,
	    (long long)counts->folders, (long long)counts->symlinks,
	    (long long)counts->hardlinks, (long long)counts->specials);
	logbook_write(&job->log,
	    "left out %lld by excludes, %lld sockets; could not read %lld; "
	    "%lld changed while read; %lld mounts; %lld symlinks lead out",
	    (long long)counts->excluded, (long long)counts->sockets,
	    (long long)counts->unread, (long long)counts->changed,
	    (long long)counts->mounts, (long long)counts->outside);
	logbook_write(&job->log,
	    "complete: %lld bytes of archive, %lld warnings",
	    (long long)job->state.volume, (long long)counts->warnings);
}

static int
publish_record(struct job *job, struct fault *fault)
{
	struct record record;
	int result;

	/* This step is not counted yet, but it is the one that completes. */
	job->state.steps++;
	result = ending_record(job, RECORD_COMPLETE, &record, fault);
	job->state.steps--;
	if (result == 0)
		result = record_save(
		    &record, job->backupfd, &job->engine->datadir.keys, fault);
	record_close(&record);
	return result;
}

static enum phase_outcome
publish_next(struct job *job, struct fault *fault)
{
	int64_t parts =
	    volume_parts(job->profile->part_size, job->state.volume);

	if (job->state.publish < parts) {
		if (publish_part(job, job->state.publish, fault) != 0)
			return PHASE_FAULT;
		job->state.publish++;
		return PHASE_MORE;
	}
	if (publish_record(job, fault) != 0)
		return PHASE_FAULT;
	log_summary(job);
	return PHASE_ENDED;
}

const struct phase phase_publish = {
	.step = publish_next,
};
