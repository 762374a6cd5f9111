/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_RUN_PHASE_H
#define ENGINE_RUN_PHASE_H

#include "store/record.h"

struct fault;
struct job;

/*
 * A phase of a backup.  Its place is a cursor in the job's state; what it
 * needs in memory it makes in open and keeps in job->phase.  It never looks at
 * the clock: only the runner does.  Every unit may be done twice.
 */

enum phase_outcome {
	PHASE_FAULT = -1,
	PHASE_MORE,
	PHASE_ENDED,
	PHASE_WENT_BACK, /* to be committed before the next unit */
};

struct phase {
	/* Get ready to go on at the state's cursor.  Returns 0 or -1.  NULL:
	 * there is nothing to get ready. */
	int (*open)(struct job *job, struct fault *fault);
	/* Do one small unit of work. */
	enum phase_outcome (*step)(struct job *job, struct fault *fault);
	/* Bring the state's cursor up to date; NULL: it always is. */
	void (*save)(struct job *job);
	/* Free what open made, also after a failed open; NULL like open. */
	void (*close)(struct job *job);
};

/* The phase of an ID. */
const struct phase *phase_of(enum phase_id id);

extern const struct phase phase_init;
extern const struct phase phase_dump;
extern const struct phase phase_walk;
extern const struct phase phase_pack;
extern const struct phase phase_finish;
extern const struct phase phase_publish;
extern const struct phase phase_prune;
extern const struct phase phase_notify;

#endif
