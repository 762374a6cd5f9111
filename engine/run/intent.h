/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_RUN_INTENT_H
#define ENGINE_RUN_INTENT_H

#include "store/limits.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The intent mark: a small file that is there while a step runs.  Found at the
 * next step, under the same boot of the machine, it says that the step was
 * killed, and what it had demonstrably lived.  It is never synced: a power cut
 * is no kill by the host.
 */
struct intent {
	int64_t step;
	int64_t controller;  /* enum controller */
	int64_t checkpoints; /* of the state when the step began */
	int64_t row;         /* bad ends without progress before this step */
	int64_t kills;       /* kills survived before this step */
	int64_t started;     /* CLOCK_MONOTONIC, nanoseconds */
	int64_t alive;       /* the last time it was seen alive */
	int64_t faulted;     /* 1: it ended by a fault, not by a kill */
};

#define INTENT_FILE "intent"

/*
 * Read the mark that a step left behind in the directory of its job.  False
 * if there is none, or one of an earlier boot, or an unreadable one.
 */
bool intent_read(struct intent *intent, int jobfd);

/* Leave the mark, or renew it with the present time as alive.  A failure is
 * of no consequence. */
void intent_mark(struct intent *intent, int jobfd);

/* The step ended in order. */
void intent_remove(int jobfd);

#endif
