/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_RUN_ENGINE_H
#define ENGINE_RUN_ENGINE_H

#include "base/budget.h"
#include "store/datadir.h"
#include "store/limits.h"

#include <stdatomic.h>
#include <stdbool.h>

struct config;
struct fault;

/* What all steps of a process share; safe to be used by several threads. */
struct engine {
	const struct config *config;
	struct datadir datadir;
	struct pace pace;
	/* requests that wait for a step of another, and the most that may */
	atomic_int waiting;
	int waiting_max;
	/* bytes that a unit of a dump has time for, as the last one found */
	_Atomic int64_t piece;
	/* this program, called with --companion, is one (run/companion.h) */
	bool has_companion;
	/* set to end all running steps at their next checkpoint */
	atomic_bool stop;
};

/*
 * Open the data directory of a configuration, which must outlive the engine,
 * and set up the process: its locale and its allocator.  To be called before
 * there are threads.  Returns 0 or -1; after either, engine_close.
 */
int engine_open(
    struct engine *engine, const struct config *config, struct fault *fault);

void engine_close(struct engine *engine);

#endif
