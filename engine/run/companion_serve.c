/* SPDX-License-Identifier: MIT */
/*
 * The main thread lets in and greets who connects, so that this takes no time
 * whatever the others do; each visitor has a thread, and so has the care for
 * snapshots that nobody uses.
 */
#include "base/fsio.h"
#include "run/companion_internal.h"
#include "run/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define VISITS_MAX   64
#define THREAD_STACK (512 * 1024)

/* With no snapshot for so long it leaves. */
#define IDLE_PATIENCE (30 * BUDGET_SECOND)

/* A visitor that asks nothing for so long has forgotten to hang up. */
#define VISIT_PATIENCE (300 * BUDGET_SECOND)

/* Between two looks at whether all is as it was. */
#define ROUND BUDGET_SECOND

/* Threads that have not ended by then wait for a server of databases. */
#define LEAVE_PATIENCE (2 * BUDGET_SECOND)

/* Pieces are larger, and go back to the system when a snapshot is let go. */
#define MAPPED_BYTES (1024 * 1024)

struct visit {
	struct visit *next;
	struct serving *serving;
	int fd;
};

struct serving {
	struct engine *engine;
	struct companion_hold *hold;
	struct lock lock;
	int listener;
	struct stat socket; /* of its file */
	int signals;
	int wake;        /* a visit has ended, or said "leave" */
	int64_t working; /* when there last was something to do */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct visit *visits; /* from here on under the mutex */
	int count;
	bool keeping; /* the thread that looks after snapshots runs */
	bool stopping;
	bool told; /* to leave */
};

/* -- visits -- */

static void
wake(struct serving *serving)
{
	eventfd_write(serving->wake, 1);
}

static void
end_visit(struct visit *visit)
{
	struct serving *serving = visit->serving;
	struct visit **at = &serving->visits;

	pthread_mutex_lock(&serving->mutex);
	while (*at != visit)
		at = &(*at)->next;
	*at = visit->next;
	close(visit->fd);
	free(visit);
	serving->count--;
	wake(serving);
	pthread_cond_broadcast(&serving->changed);
	pthread_mutex_unlock(&serving->mutex);
}

static void
tell_to_leave(struct serving *serving)
{
	pthread_mutex_lock(&serving->mutex);
	serving->told = true;
	wake(serving);
	pthread_mutex_unlock(&serving->mutex);
}

static void *
attend(void *user)
{
	struct visit *visit = user;
	struct companion_seat *seat =
	    companion_sit(visit->serving->hold, visit->fd);
	struct strbuf line = STRBUF_EMPTY;

	while (companion_receive_line(
		   visit->fd, &line, budget_now() + VISIT_PATIENCE) == 1) {
		if (strcmp(line.bytes, COMPANION_LEAVE) == 0) {
			tell_to_leave(visit->serving);
			break;
		}
		if (companion_reply(seat, &line) != 0)
			break;
		strbuf_reset(&line);
	}
	strbuf_close(&line);
	companion_rise(seat);
	end_visit(visit);
	return NULL;
}

/* Start a thread that nobody waits for by its number. */
static int
start_thread(void *(*body)(void *), void *user)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int result;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	result = pthread_create(&thread, &attributes, body, user);
	pthread_attr_destroy(&attributes);
	return result == 0 ? 0 : -1;
}

static void
begin_visit(struct serving *serving, int fd)
{
	struct visit *visit = calloc(1, sizeof(*visit));

	if (visit == NULL)
		abort();
	visit->serving = serving;
	visit->fd = fd;
	pthread_mutex_lock(&serving->mutex);
	visit->next = serving->visits;
	serving->visits = visit;
	serving->count++;
	pthread_mutex_unlock(&serving->mutex);
	if (start_thread(attend, visit) != 0)
		end_visit(visit);
}

/* Greet who connects; a short line always has room. */
static void
let_in(struct serving *serving)
{
	struct timespec moment = { 0, 50 * BUDGET_MILLISECOND };
	int fd = accept4(
	    serving->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	pid_t unused;

	if (fd < 0) {
		/* There may be no descriptors for the moment. */
		if (errno != EAGAIN && errno != ECONNABORTED)
			nanosleep(&moment, NULL);
		return;
	}
	if (companion_knows(fd, &unused) &&
	    companion_send_text(fd, COMPANION_GREETING) == 0)
		begin_visit(serving, fd);
	else
		close(fd);
}

/* -- what goes on besides -- */

static void *
keep(void *user)
{
	struct serving *serving = user;

	pthread_mutex_lock(&serving->mutex);
	while (!serving->stopping) {
		int64_t until = budget_now() + ROUND;
		struct timespec limit = { until / BUDGET_SECOND,
			until % BUDGET_SECOND };

		while (!serving->stopping && budget_now() < until)
			pthread_cond_timedwait(
			    &serving->changed, &serving->mutex, &limit);
		pthread_mutex_unlock(&serving->mutex);
		companion_keep(serving->hold);
		pthread_mutex_lock(&serving->mutex);
	}
	serving->keeping = false;
	pthread_cond_broadcast(&serving->changed);
	pthread_mutex_unlock(&serving->mutex);
	return NULL;
}

static int
stat_socket(const struct serving *serving, struct stat *st)
{
	return fstatat(serving->engine->datadir.fd, COMPANION_SOCKET, st,
	    AT_SYMLINK_NOFOLLOW);
}

/* The socket's file is the one that it had from us. */
static bool
has_socket(const struct serving *serving)
{
	struct stat st;

	return stat_socket(serving, &st) == 0 &&
	    st.st_dev == serving->socket.st_dev &&
	    st.st_ino == serving->socket.st_ino;
}

static int
listen_there(struct serving *serving, struct fault *fault)
{
	if (serving->listener >= 0)
		close(serving->listener);
	serving->listener = companion_listen(serving->engine, fault);
	if (serving->listener < 0)
		return -1;
	if (stat_socket(serving, &serving->socket) != 0)
		return fault_errno(fault, "'%s'", COMPANION_SOCKET);
	return 0;
}

/* Whoever removed the socket's file has not removed us. */
static const char *
restore_socket(struct serving *serving)
{
	struct fault fault;

	if (has_socket(serving))
		return NULL;
	if (listen_there(serving, &fault) != 0)
		return "its socket was removed";
	companion_note(serving->hold, "the socket was removed; it is new");
	return NULL;
}

static const char *
find_signal(const struct serving *serving)
{
	struct signalfd_siginfo info;

	if (read(serving->signals, &info, sizeof(info)) !=
	    (ssize_t)sizeof(info))
		return NULL;
	return info.ssi_signo == SIGTERM ? "SIGTERM"
	    : info.ssi_signo == SIGINT   ? "SIGINT"
					 : "SIGHUP";
}

/* Why it is to leave now; NULL if it is not. */
static const char *
find_reason(struct serving *serving, bool detached)
{
	const char *signal = find_signal(serving);
	bool told, visited;

	if (signal != NULL)
		return signal;
	pthread_mutex_lock(&serving->mutex);
	told = serving->told;
	visited = serving->count > 0;
	pthread_mutex_unlock(&serving->mutex);
	if (told)
		return "another build is in use";
	if (!lock_is_there(
		&serving->lock, &serving->engine->datadir, COMPANION_LOCK))
		return "its lock or its data directory was removed";
	if (visited || companion_held(serving->hold) > 0)
		serving->working = budget_now();
	else if (detached && budget_now() - serving->working > IDLE_PATIENCE)
		return "there is nothing to do";
	return restore_socket(serving);
}

/* Wait for something to happen, and let in who comes. */
static void
wait_for_visits(struct serving *serving)
{
	struct timespec limit = { ROUND / BUDGET_SECOND,
		ROUND % BUDGET_SECOND };
	struct pollfd ready[] = {
		{ .fd = serving->signals, .events = POLLIN },
		{ .fd = serving->wake, .events = POLLIN },
		{ .fd = serving->listener, .events = POLLIN },
	};
	eventfd_t unused;
	bool full;

	pthread_mutex_lock(&serving->mutex);
	full = serving->count >= VISITS_MAX;
	pthread_mutex_unlock(&serving->mutex);
	if (ppoll(ready, full ? 2 : 3, &limit, NULL) <= 0)
		return;
	if (ready[1].revents != 0)
		eventfd_read(serving->wake, &unused);
	if (ready[2].revents != 0)
		let_in(serving);
}

/* -- beginning and end -- */

static void
set_up(struct serving *serving)
{
	pthread_condattr_t monotonic;

	pthread_mutex_init(&serving->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&serving->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
	mallopt(M_TRIM_THRESHOLD, MAPPED_BYTES);
	/* Else its name would be that of the link to its executable. */
	prctl(PR_SET_NAME, "stepvault-comp");
}

/* Blocked in all threads, and read from a descriptor. */
static int
open_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int
open_serving(struct serving *serving, struct fault *fault)
{
	struct budget moment;

	/* Who only looks whether there is one has the lock, too. */
	budget_start(&moment, 50 * BUDGET_MILLISECOND, NULL);
	if (lock_take(&serving->lock, &serving->engine->datadir, COMPANION_LOCK,
		&moment, fault) != 0)
		return fault->code == FAULT_BUSY
		    ? fault_set(fault, FAULT_BUSY,
			  "this data directory has a companion already")
		    : -1;
	serving->signals = open_signals();
	serving->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (serving->signals < 0 || serving->wake < 0)
		return fault_errno(fault, "the companion");
	serving->hold = companion_hold_new(serving->engine);
	if (listen_there(serving, fault) != 0) {
		companion_note(serving->hold, "%s", fault->text);
		return -1;
	}
	serving->keeping = true;
	if (start_thread(keep, serving) == 0)
		return 0;
	serving->keeping = false;
	return fault_set(fault, FAULT_SYSTEM, "there can be no threads");
}

/*
 * From here on nobody finds the companion.  Who has connected and was not let
 * in is sent away, to try again with the next.
 */
static void
close_door(struct serving *serving)
{
	int fd;

	if (serving->listener < 0)
		return;
	if (has_socket(serving))
		fsio_remove(serving->engine->datadir.fd, COMPANION_SOCKET);
	while ((fd = accept4(serving->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
	close(serving->listener);
}

/* End all threads; false if some are still waiting for a server. */
static bool
end_threads(struct serving *serving)
{
	int64_t until = budget_now() + LEAVE_PATIENCE;
	struct timespec limit = { until / BUDGET_SECOND,
		until % BUDGET_SECOND };
	bool ended;

	pthread_mutex_lock(&serving->mutex);
	serving->stopping = true;
	pthread_cond_broadcast(&serving->changed);
	for (struct visit *visit = serving->visits; visit != NULL;
	     visit = visit->next)
		shutdown(visit->fd, SHUT_RDWR);
	while ((serving->count > 0 || serving->keeping) && budget_now() < until)
		pthread_cond_timedwait(
		    &serving->changed, &serving->mutex, &limit);
	ended = serving->count == 0 && !serving->keeping;
	pthread_mutex_unlock(&serving->mutex);
	return ended;
}

static void
close_serving(struct serving *serving)
{
	close_door(serving);
	if (serving->hold != NULL) {
		companion_hurry(serving->hold);
		/* Such threads use what would be freed. */
		if (!end_threads(serving))
			_exit(EXIT_SUCCESS);
		companion_hold_free(serving->hold);
	}
	if (serving->wake >= 0)
		close(serving->wake);
	if (serving->signals >= 0)
		close(serving->signals);
	pthread_cond_destroy(&serving->changed);
	pthread_mutex_destroy(&serving->mutex);
	lock_drop(&serving->lock);
}

/* Tell who started it what came of that. */
static void
say(const char *word)
{
	if (fsio_write(STDOUT_FILENO, word, strlen(word)) != 0)
		return; /* it has not waited so long */
}

/* Let go of what it was given for its start. */
static void
let_go_of_streams(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= STDERR_FILENO && null >= 0; fd++)
		dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
}

int
companion_main(struct engine *engine, bool detached, struct fault *fault)
{
	struct serving serving = {
		.engine = engine,
		.lock = LOCK_FREE,
		.listener = -1,
		.signals = -1,
		.wake = -1,
		.working = budget_now(),
	};
	const char *reason = NULL;
	int result;

	set_up(&serving);
	result = open_serving(&serving, fault);
	if (detached) {
		if (result == 0)
			say(COMPANION_LISTENS "\n");
		else if (fault->code == FAULT_BUSY)
			say(COMPANION_EXISTS "\n");
		if (result == 0)
			let_go_of_streams();
	}
	if (result == 0) {
		companion_note(serving.hold,
		    "the companion is here: %s, "
		    "process %d",
		    STEPVAULT_VERSION, (int)getpid());
		while ((reason = find_reason(&serving, detached)) == NULL)
			wait_for_visits(&serving);
		companion_note(
		    serving.hold, "the companion leaves: %s", reason);
	}
	close_serving(&serving);
	return result;
}
