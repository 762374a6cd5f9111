/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_RUN_COMPANION_HOLD_H
#define ENGINE_RUN_COMPANION_HOLD_H

#include "base/logbook.h"
#include "run/companion_internal.h"
#include "store/config.h"

#include <pthread.h>

/*
 * The snapshots that a companion holds.  One mutex guards all that is here,
 * and is never held while a server of databases is waited for: who works on a
 * dump marks its snapshot as busy instead.  companion_hold.c looks after them,
 * companion_reply.c answers questions about them.
 *
 * What a snapshot answered last is kept, so that a step which was cut off
 * before it had the answer is not in vain: with a short budget and a slow
 * query there would be no progress at all.
 */

enum snapshot_stage {
	SNAPSHOT_OPENING,
	SNAPSHOT_OPEN,
	SNAPSHOT_LOST, /* or never opened; the fault says why */
};

/* An answer to LIST or READ. */
struct snapshot_reply {
	int users; /* who sends it, and its snapshot */
	int request;
	char *line;
	struct dump_place from;
	enum dump_outcome outcome;
	struct fault fault;
	struct dump_place place;
	struct strbuf text;
	struct strbuf notes;
	bool told; /* it was sent */
};

struct snapshot {
	struct snapshot *next;
	int users; /* those who have a pointer to it */
	int seats; /* those of them who asked it last */
	bool listed;
	bool busy;
	enum snapshot_stage stage;
	char token[DUMP_TOKEN_SIZE];
	char id[ID_SIZE];
	int64_t profile;
	int64_t database;
	bool asked;     /* not only begun */
	bool resting;   /* holds no locks */
	int64_t used;   /* when it last was */
	int64_t unused; /* the longest that it may be unused */
	int64_t round;  /* of companion_keep */
	struct config config;
	struct database source;
	struct dump *dump;
	struct dump_facts facts;
	enum dump_outcome outcome; /* SNAPSHOT_LOST: of all questions */
	struct fault fault;
	struct snapshot_reply *kept;
};

struct companion_hold {
	struct engine *engine;
	pthread_mutex_t mutex;
	pthread_cond_t changed; /* something is no longer busy */
	struct snapshot *first;
	bool hurry;
	int64_t round;
	pthread_mutex_t configuring; /* its parser has global variables */
	pthread_mutex_t noting;
	struct logbook log;
};

struct companion_seat {
	struct companion_hold *hold;
	int fd;
	struct snapshot *snapshot; /* asked last, or NULL */
};

/* All that follow want the mutex to be held. */

/* Mark it as busy as soon as it is not; false if nobody waits any more. */
bool snapshot_take(struct companion_seat *seat, struct snapshot *snapshot);

/* It is busy no longer; if it is lost or dropped its connection is closed. */
void snapshot_give_back(struct companion_hold *hold, struct snapshot *snapshot);

/* The seat asks for another from now on, or for none: who used it last lets
 * it rest. */
void snapshot_move(struct companion_seat *seat, struct snapshot *snapshot);

/* Nobody will find it any more; who works on it may end that. */
void snapshot_drop(
    struct companion_hold *hold, struct snapshot *snapshot, const char *why);

/* It is of no use any more, but who asks will be told why.  It is busy. */
void snapshot_lose(struct companion_hold *hold, struct snapshot *snapshot,
    enum dump_outcome outcome, const struct fault *fault);

/* Say in the log what became of it. */
void snapshot_note(struct companion_hold *hold, const struct snapshot *snapshot,
    const char *what, const char *why);

/* One user less of an answer; NULL is accepted. */
void snapshot_release_reply(struct snapshot_reply *reply);

/* A backup is unfinished; one that cannot be looked at may be. */
bool snapshot_is_wanted(const struct companion_hold *hold, const char *id);

#endif
