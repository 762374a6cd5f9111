/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_RUN_COMPANION_INTERNAL_H
#define ENGINE_RUN_COMPANION_INTERNAL_H

#include "base/budget.h"
#include "base/fault.h"
#include "base/strbuf.h"
#include "run/companion.h"
#include "store/lock.h"

#include <sys/types.h>
#include <sys/uio.h>

/*
 * The parts of the companion.  Of the step: companion.c asks, companion_start.c
 * starts one where there is none.  Of the companion: companion_serve.c lets in
 * who asks, companion_hold.c has the snapshots, companion_reply.c the answers.
 * Of both: companion_link.c has the socket, companion_wire.c its lines.
 *
 * The companion speaks first, as soon as somebody has connected:
 *
 *	stepvault companion BUILD
 *
 * Who finds another build than its own says "leave" and hangs up.  These two
 * lines are the same in all builds.  Else questions follow, each a line of
 * JSON.  So are the answers; behind that line come text and notes, as many
 * bytes as it says.  The next question may come before the last answer was
 * taken, and waits.
 */

#define COMPANION_SOCKET     "companion.sock"
#define COMPANION_LOCK       "companion"
#define COMPANION_START_LOCK "starting"
#define COMPANION_LOG        "companion.log"

/* The number behind it is the protocol's, which may change within a version. */
#define COMPANION_GREETING "stepvault companion " STEPVAULT_VERSION "/1\n"
#define COMPANION_LEAVE    "leave\n"

/* Lines to who started it, on standard output. */
#define COMPANION_LISTENS "listens"
#define COMPANION_EXISTS  "exists"

/* Most bytes of a line, of text and of notes.  A row of the largest packet, all
 * of it escaped, is 2 GiB of text. */
#define COMPANION_LINE_MAX  (64 * 1024)
#define COMPANION_TEXT_MAX  (INT64_C(3) << 30)
#define COMPANION_NOTES_MAX (INT64_C(1) << 30)

/* Nobody who is alive takes longer to send what it has begun. */
#define COMPANION_STALL (5 * BUDGET_SECOND)

/* -- companion_wire.c: lines and bytes -- */

/* A question as it came; freed with companion_free_question. */
struct companion_question {
	int request;
	char token[DUMP_TOKEN_SIZE];
	char id[ID_SIZE];
	int64_t profile;
	int64_t database;
	char *line; /* malloc'd */
	int64_t bytes;
	struct dump_place place;
};

/* The line of an answer. */
struct companion_head {
	int outcome; /* enum dump_outcome */
	struct fault fault;
	char token[DUMP_TOKEN_SIZE];
	struct dump_facts facts;
	struct dump_place place;
	int64_t text; /* bytes that follow */
	int64_t notes;
};

void
companion_write_question(const struct companion_ask *ask, struct strbuf *out);

/* What makes no sense is FAULT_CORRUPT.  0 or -1; after either, free. */
int companion_read_question(struct companion_question *question,
    const char *line, size_t length, struct fault *fault);
void companion_free_question(struct companion_question *question);

void
companion_write_head(const struct companion_head *head, struct strbuf *out);
int companion_read_head(struct companion_head *head, const char *line,
    size_t length, struct fault *fault);

/*
 * Wait for a descriptor, at most until a time of budget_now: 1, 0 if it is not
 * ready by then.
 */
int companion_wait(int fd, short events, int64_t until);

/* The other side has hung up. */
bool companion_is_gone(int fd);

/*
 * Append what comes until a line is whole, with its newline.  Returns 1; 0 if
 * it is not whole yet by then (the same again goes on); -1 if the other side
 * is gone, or says more than a line has.
 */
int companion_receive_line(int fd, struct strbuf *line, int64_t until);

/* Append so many bytes.  0, or -1 if the other side is gone, or stalls. */
int companion_receive(int fd, struct strbuf *to, int64_t count);

/* Send all of it.  0, or -1 if the other side is gone, or takes nothing for
 * so many nanoseconds. */
int companion_send(int fd, struct iovec *pieces, int count, int64_t stall);
int companion_send_text(int fd, const char *text);

/* -- companion_link.c: the socket in the data directory -- */

/* A connection to who listens, or -1 with errno set. */
int companion_connect(const struct engine *engine);

/* Listen there, instead of whoever did: the caller has the lock. */
int companion_listen(const struct engine *engine, struct fault *fault);

/* The other side is a process of the same user; its number, 0 if it has none
 * here. */
bool companion_knows(int fd, pid_t *pid);

/* -- companion_start.c -- */

enum companion_started {
	COMPANION_STARTED,   /* it listens */
	COMPANION_THERE,     /* another is there, coming or leaving */
	COMPANION_LATE,      /* it has not said anything yet */
	COMPANION_UNSTARTED, /* it has ended at once; the fault says why */
};

/* Start one, and wait until then for what becomes of it. */
enum companion_started companion_start(
    const struct engine *engine, int64_t until, struct fault *fault);

/* -- companion_hold.c and companion_reply.c: the snapshots -- */

struct companion_hold;
struct companion_seat;

struct companion_hold *companion_hold_new(struct engine *engine);

/* What they hold is let go; nobody may use it any more. */
void companion_hold_free(struct companion_hold *hold);

/* Somebody who asks; fd tells whether it is still there. */
struct companion_seat *companion_sit(struct companion_hold *hold, int fd);

/* It has hung up: what it used last can rest. */
void companion_rise(struct companion_seat *seat);

/* Answer a question.  0; or -1 if there is nobody to tell any more. */
int companion_reply(struct companion_seat *seat, const struct strbuf *line);

/* Look after what nobody uses just now.  To be called every second. */
void companion_keep(struct companion_hold *hold);

/* How many snapshots there are. */
int companion_held(struct companion_hold *hold);

/* Let nobody wait for anything any more. */
void companion_hurry(struct companion_hold *hold);

/* A line for the log. */
void companion_note(struct companion_hold *hold, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
