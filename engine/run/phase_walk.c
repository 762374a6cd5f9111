/* SPDX-License-Identifier: MIT */
#include "base/fault.h"
#include "run/engine.h"
#include "run/job.h"
#include "run/phase.h"
#include "source/walk.h"

#include <sys/stat.h>

static int
open_walk(struct job *job, struct fault *fault)
{
	const struct profile *profile = job->profile;
	struct walk_sources sources = {
		.root_paths = job->root_paths,
		.root_names = job->root_names,
		.root_count = job->root_count,
		.one_file_system = profile->one_file_system,
		.filter = job->filter,
	};
	struct spool *catalog = job_spool(job, SPOOL_CATALOG, fault);
	struct walk *walk = NULL;
	struct stat st;
	int result;

	if (catalog == NULL)
		return -1;
	if (fstat(job->engine->datadir.fd, &st) != 0)
		return fault_errno(fault, "the data directory");
	sources.data_device = (int64_t)st.st_dev;
	sources.data_inode = (int64_t)st.st_ino;
	result = walk_open(&walk, &sources, catalog, &job->state.walk, fault);
	job->phase = walk;
	return result;
}

static enum phase_outcome
walk_on(struct job *job, struct fault *fault)
{
	switch (walk_step(job->phase, fault)) {
	case WALK_FAULT:
		break;
	case WALK_MORE:
		return PHASE_MORE;
	case WALK_DONE:
		logbook_write(&job->log, "found %lld entries, %lld bytes",
		    (long long)job->state.walk.entries,
		    (long long)job->state.walk.bytes);
		return PHASE_ENDED;
	case WALK_CUT:
		logbook_write(&job->log,
		    "a folder changed while it was read; it is read again");
		return PHASE_WENT_BACK;
	}
	return PHASE_FAULT;
}

static void
close_walk(struct job *job)
{
	walk_close(job->phase);
	job->phase = NULL;
}

const struct phase phase_walk = {
	.open = open_walk,
	.step = walk_on,
	.close = close_walk,
};
