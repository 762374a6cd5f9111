/* SPDX-License-Identifier: MIT */
/* What is known to go wrong later is better said at once. */
#include "base/fault.h"
#include "run/engine.h"
#include "run/job.h"
#include "run/phase.h"
#include "source/folders.h"
#include "source/site.h"
#include "source/walk.h"
#include "store/config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The reason goes to clients too: it names the key, not the path. */
static int
check_root(struct job *job, int root, struct fault *fault)
{
	const char *path = job->root_paths[root];
	char words[FOLDERS_WORDS_SIZE];
	struct stat st;

	if (stat(path, &st) != 0) {
		int number = errno;

		logbook_write(&job->log, "%s cannot be reached", path);
		errno = number;
		return fault_errno(fault, "%s cannot be reached",
		    folders_root_words(root, words));
	}
	/* Not access(), which knows nothing of capabilities. */
	if (!S_ISDIR(st.st_mode) ||
	    faccessat(AT_FDCWD, path, R_OK | X_OK, AT_EACCESS) != 0) {
		logbook_write(
		    &job->log, "%s is no folder that can be read", path);
		return fault_set(fault, FAULT_SYSTEM,
		    "%s is no folder that user %u can read",
		    folders_root_words(root, words), (unsigned)geteuid());
	}
	if (root > 0 && datadir_inside(job->engine->config, path))
		logbook_write(&job->log,
		    "%s contains the data directory, which is left out", path);
	return 0;
}

static enum phase_outcome
check_profile(struct job *job, struct fault *fault)
{
	for (int root = 0; root < job->root_count; root++)
		if (check_root(job, root, fault) != 0)
			return PHASE_FAULT;
	if (site_check(job->profile, fault) != 0)
		return PHASE_FAULT;
	job->state.dump.count = job->profile->databases.count;
	walk_begin(&job->state.walk);
	return PHASE_ENDED;
}

const struct phase phase_init = {
	.step = check_profile,
};
