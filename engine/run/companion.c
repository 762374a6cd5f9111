/* SPDX-License-Identifier: MIT */
#include "run/companion_internal.h"
#include "run/engine.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

/* So often one is started by one call, if it ends before it can be reached. */
#define STARTS_MAX 3

/* Between two tries to reach it; doubles each time. */
#define PAUSE_FIRST (2 * BUDGET_MILLISECOND)
#define PAUSE_MAX   (100 * BUDGET_MILLISECOND)

/* A process that was killed is gone, with its lock, within this time. */
#define KILL_PATIENCE (5 * BUDGET_SECOND)

struct companion {
	int fd; /* -1: it is gone */
	bool asked;
	struct strbuf line; /* of an answer, as far as it has come */
};

enum reach {
	REACH_FAULT = -1,
	REACH_DONE,
	REACH_ABSENT, /* nobody listens */
	REACH_LATER,  /* it does not answer, or is leaving */
};

/* It is as we are, or is told to leave. */
static enum reach
hear_greeting(int fd, int64_t until)
{
	struct strbuf greeting = STRBUF_EMPTY;
	enum reach result = REACH_LATER;

	if (companion_receive_line(fd, &greeting, until) == 1) {
		if (strcmp(strbuf_text(&greeting), COMPANION_GREETING) == 0)
			result = REACH_DONE;
		else
			companion_send_text(fd, COMPANION_LEAVE);
	}
	strbuf_close(&greeting);
	return result;
}

static enum reach
reach(const struct engine *engine, int64_t until, int *fd, struct fault *fault)
{
	enum reach result;
	pid_t unused;

	*fd = companion_connect(engine);
	if (*fd < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			return REACH_ABSENT;
		if (errno == EAGAIN || errno == EINTR)
			return REACH_LATER;
		fault_errno(fault, "the companion cannot be reached");
		return REACH_FAULT;
	}
	if (companion_knows(*fd, &unused)) {
		result = hear_greeting(*fd, until);
	} else {
		fault_set(fault, FAULT_SYSTEM,
		    "another user's process listens at '%s' in the data "
		    "directory",
		    COMPANION_SOCKET);
		result = REACH_FAULT;
	}
	if (result != REACH_DONE)
		close(*fd);
	return result;
}

/* Wait a little; false if there is no time left. */
static bool
pause_briefly(int64_t *pause, int64_t until)
{
	struct timespec interval = { 0, *pause };

	if (budget_now() >= until)
		return false;
	nanosleep(&interval, NULL);
	*pause = *pause < PAUSE_MAX / 2 ? 2 * *pause : PAUSE_MAX;
	return true;
}

static int
say_late(struct fault *fault)
{
	return fault_set(
	    fault, FAULT_RETRY, "the companion does not answer in time");
}

/* Start one that can be reached at the next try; 0 or -1. */
static int
start(const struct engine *engine, int *starts, int64_t until,
    struct fault *fault)
{
	if (!engine->has_companion)
		return fault_set(fault, FAULT_SYSTEM,
		    "no companion runs, and this program cannot start one");
	if (budget_now() >= until)
		return say_late(fault);
	switch (companion_start(engine, until, fault)) {
	case COMPANION_STARTED:
		fault_set(fault, FAULT_SYSTEM,
		    "the companion ends as soon as it has started");
		++*starts;
		break;
	case COMPANION_UNSTARTED:
		++*starts;
		break;
	case COMPANION_THERE:
		break;
	case COMPANION_LATE:
		return say_late(fault);
	}
	return 0;
}

/* A connection to one that has greeted; or -1. */
static int
find(const struct engine *engine, int64_t until, struct fault *fault)
{
	int64_t pause = PAUSE_FIRST;
	int starts = 0, fd;

	for (;;) {
		switch (reach(engine, until, &fd, fault)) {
		case REACH_DONE:
			return fd;
		case REACH_FAULT:
			return -1;
		case REACH_LATER:
			break;
		case REACH_ABSENT:
			if (starts == STARTS_MAX) {
				/* Whatever it was, it does not pass. */
				fault->code = FAULT_SYSTEM;
				return -1;
			}
			if (start(engine, &starts, until, fault) != 0)
				return -1;
			break;
		}
		if (!pause_briefly(&pause, until))
			return say_late(fault);
	}
}

int
companion_open(struct companion **out, struct engine *engine, int64_t patience,
    struct fault *fault)
{
	int fd = find(engine, budget_now() + patience, fault);
	struct companion *companion;

	*out = NULL;
	if (fd < 0)
		return -1;
	companion = calloc(1, sizeof(*companion));
	if (companion == NULL)
		abort();
	companion->fd = fd;
	*out = companion;
	return 0;
}

static void
hang_up(struct companion *companion)
{
	if (companion->fd >= 0)
		close(companion->fd);
	companion->fd = -1;
	companion->asked = false;
	strbuf_close(&companion->line);
}

void
companion_close(struct companion *companion)
{
	if (companion == NULL)
		return;
	hang_up(companion);
	free(companion);
}

static int
lose(struct companion *companion, struct fault *fault)
{
	hang_up(companion);
	return fault_set(fault, FAULT_RETRY, "the companion is gone");
}

int
companion_ask(struct companion *companion, const struct companion_ask *ask,
    struct fault *fault)
{
	struct strbuf line = STRBUF_EMPTY;
	struct iovec piece;
	int sent = -1;

	assert(!companion->asked);
	companion_write_question(ask, &line);
	piece = (struct iovec){ line.bytes, line.length };
	if (line.length > COMPANION_LINE_MAX)
		fault_set(fault, FAULT_USAGE, "the question is too long");
	else if (companion->fd >= 0)
		sent =
		    companion_send(companion->fd, &piece, 1, COMPANION_STALL);
	if (sent != 0 && line.length <= COMPANION_LINE_MAX)
		lose(companion, fault);
	companion->asked = sent == 0;
	strbuf_close(&line);
	return sent;
}

bool
companion_asked(const struct companion *companion)
{
	return companion->asked;
}

bool
companion_gone(const struct companion *companion)
{
	return companion->fd < 0;
}

/* Append to a text of the caller; one that has none expects none. */
static int
take_bytes(struct companion *companion, struct strbuf *to, int64_t count)
{
	size_t before;

	if (to == NULL)
		return count == 0 ? 0 : -1;
	before = to->length;
	if (companion_receive(companion->fd, to, count) == 0)
		return 0;
	strbuf_cut(to, before);
	return -1;
}

/* All behind the line of an answer. */
static int
take_rest(struct companion *companion, const struct companion_head *head,
    struct companion_answer *answer)
{
	if (take_bytes(companion, answer->text, head->text) != 0 ||
	    take_bytes(companion, answer->notes, head->notes) != 0)
		return -1;
	memcpy(answer->token, head->token, sizeof(answer->token));
	answer->facts = head->facts;
	if (answer->place != NULL &&
	    (head->outcome == DUMP_MORE || head->outcome == DUMP_HELD ||
		head->outcome == DUMP_ENDED))
		*answer->place = head->place;
	return 0;
}

enum dump_outcome
companion_take(struct companion *companion, int64_t patience,
    struct companion_answer *answer, struct fault *fault)
{
	struct companion_head head = { 0 };
	int got;

	assert(companion->asked);
	got = companion_receive_line(
	    companion->fd, &companion->line, budget_now() + patience);
	if (got == 0)
		return DUMP_WAIT;
	if (got < 0 ||
	    companion_read_head(&head, companion->line.bytes,
		companion->line.length, fault) != 0 ||
	    take_rest(companion, &head, answer) != 0) {
		lose(companion, fault);
		return DUMP_FAULT;
	}
	companion->asked = false;
	strbuf_reset(&companion->line);
	if (head.fault.code != FAULT_NONE)
		*fault = head.fault;
	return (enum dump_outcome)head.outcome;
}

/* Somebody holds the lock of the data directory's companion. */
static bool
is_held(const struct engine *engine)
{
	struct lock lock = LOCK_FREE;
	struct fault unused;
	bool held;

	held = lock_take(
		   &lock, &engine->datadir, COMPANION_LOCK, NULL, &unused) != 0;
	lock_drop(&lock);
	return held;
}

/* The process at the other side, by a descriptor that no other can get. */
static int
open_process(int fd)
{
	int pidfd;
	pid_t pid;

	if (!companion_knows(fd, &pid) || pid <= 0)
		return -1;
	pidfd = pidfd_open(pid, 0);
	/* As long as it has not hung up, its number was not another's. */
	if (pidfd >= 0 && companion_is_gone(fd)) {
		close(pidfd);
		return -1;
	}
	return pidfd;
}

void
companion_kill(struct engine *engine)
{
	int fd = companion_connect(engine);
	int pidfd = fd >= 0 ? open_process(fd) : -1;
	struct lock lock = LOCK_FREE;
	struct budget budget;
	struct fault unused;

	if (pidfd >= 0 && is_held(engine) &&
	    pidfd_send_signal(pidfd, SIGKILL, NULL, 0) == 0) {
		budget_start(&budget, KILL_PATIENCE, NULL);
		lock_take(
		    &lock, &engine->datadir, COMPANION_LOCK, &budget, &unused);
		lock_drop(&lock);
	}
	if (pidfd >= 0)
		close(pidfd);
	if (fd >= 0)
		close(fd);
}
