/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_STORE_LIMITS_H
#define ENGINE_STORE_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

struct datadir;
struct pace;

/*
 * What was learnt of the host, in limits.json: how long a request may live,
 * for each kind of controller, and how fast the machine is.  It outlives the
 * backups and may be lost at any time: then it is learnt again.
 */

enum controller {
	CONTROLLER_CHAIN,   /* a client that follows redirects */
	CONTROLLER_CALL,    /* one step a call, noredirect=1 */
	CONTROLLER_BROWSER, /* a person's browser */
	CONTROLLER_CLI,     /* the command line */
	CONTROLLER_COUNT,
};

struct limit {
	int64_t budget_ms; /* 0: no limit was met */
	int64_t good;      /* steps in a row that ended well */
};

struct limits {
	struct limit of[CONTROLLER_COUNT];
	int64_t drain; /* see struct pace */
	int64_t sync;
	int64_t fixed;
	int64_t read;
};

/* Read what is known; a missing or damaged file is nothing known. */
void limits_load(struct limits *limits, const struct datadir *datadir);

/* Write it, not durably; a failure is of no consequence. */
void limits_save(const struct limits *limits, const struct datadir *datadir);

/* Take over what is known of the machine's pace, and give it back. */
void limits_get_pace(const struct limits *limits, struct pace *pace);
void limits_put_pace(struct limits *limits, const struct pace *pace);

/*
 * The budget in nanoseconds for a step that is configured to have budget: less
 * if the host was found to kill earlier.
 */
int64_t limits_budget(const struct limit *limit, int64_t budget);

/* A step lived so many nanoseconds and was killed: half of that from now on. */
void limits_note_kill(struct limit *limit, int64_t lived);

/*
 * A step ended well: after three in a row the budget grows by a tenth, until
 * it is what is configured.  Returns true if anything changed.
 */
bool limits_note_good(struct limit *limit, int64_t configured);

#endif
