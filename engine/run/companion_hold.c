/* SPDX-License-Identifier: MIT */
#include "run/companion_hold.h"

#include "base/fsio.h"
#include "run/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Not asked for so long, a snapshot rests though its client is there. */
#define REST_AFTER BUDGET_SECOND

/* Who waits looks so often whether there is anybody to wait for. */
#define LOOK_INTERVAL (200 * BUDGET_MILLISECOND)

/* A longer log is begun anew; the old one stays beside it. */
#define LOG_LENGTH (256 * 1024)
#define LOG_BEFORE COMPANION_LOG ".old"

struct companion_hold *
companion_hold_new(struct engine *engine)
{
	struct companion_hold *hold = calloc(1, sizeof(*hold));
	pthread_condattr_t monotonic;

	if (hold == NULL)
		abort();
	hold->engine = engine;
	pthread_mutex_init(&hold->mutex, NULL);
	pthread_mutex_init(&hold->configuring, NULL);
	pthread_mutex_init(&hold->noting, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&hold->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	logbook_open(&hold->log, engine->datadir.fd, COMPANION_LOG);
	return hold;
}

void
companion_hold_free(struct companion_hold *hold)
{
	pthread_mutex_lock(&hold->mutex);
	while (hold->first != NULL)
		snapshot_drop(hold, hold->first, "the companion leaves");
	pthread_mutex_unlock(&hold->mutex);
	logbook_close(&hold->log);
	pthread_cond_destroy(&hold->changed);
	pthread_mutex_destroy(&hold->mutex);
	pthread_mutex_destroy(&hold->configuring);
	pthread_mutex_destroy(&hold->noting);
	free(hold);
}

void
companion_note(struct companion_hold *hold, const char *format, ...)
{
	int datafd = hold->engine->datadir.fd;
	char *text = NULL;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		abort();
	pthread_mutex_lock(&hold->noting);
	if (hold->log.length > LOG_LENGTH) {
		logbook_close(&hold->log);
		fsio_rename(datafd, COMPANION_LOG, datafd, LOG_BEFORE);
		logbook_open(&hold->log, datafd, COMPANION_LOG);
	}
	logbook_write(&hold->log, "%s", text);
	pthread_mutex_unlock(&hold->noting);
	free(text);
}

void
snapshot_note(struct companion_hold *hold, const struct snapshot *snapshot,
    const char *what, const char *why)
{
	companion_note(hold,
	    "backup %s, database %lld of profile %lld: the snapshot %s: %s",
	    snapshot->id, (long long)snapshot->database + 1,
	    (long long)snapshot->profile, what, why);
}

void
snapshot_release_reply(struct snapshot_reply *reply)
{
	if (reply == NULL || --reply->users > 0)
		return;
	free(reply->line);
	strbuf_close(&reply->text);
	strbuf_close(&reply->notes);
	free(reply);
}

/* Without users there is no dump either: it is closed when it is dropped. */
static void
release(struct snapshot *snapshot)
{
	if (--snapshot->users > 0)
		return;
	database_close(&snapshot->source);
	config_close(&snapshot->config);
	free(snapshot);
}

bool
snapshot_take(struct companion_seat *seat, struct snapshot *snapshot)
{
	struct companion_hold *hold = seat->hold;

	while (snapshot->busy) {
		int64_t until = budget_now() + LOOK_INTERVAL;
		struct timespec limit = { until / BUDGET_SECOND,
			until % BUDGET_SECOND };

		if (hold->hurry || companion_is_gone(seat->fd))
			return false;
		pthread_cond_timedwait(&hold->changed, &hold->mutex, &limit);
	}
	snapshot->busy = true;
	return true;
}

static void
close_dump(struct companion_hold *hold, struct snapshot *snapshot)
{
	struct dump *dump = snapshot->dump;

	snapshot->dump = NULL;
	snapshot_release_reply(snapshot->kept);
	snapshot->kept = NULL;
	pthread_mutex_unlock(&hold->mutex);
	dump_close(dump);
	malloc_trim(0);
	pthread_mutex_lock(&hold->mutex);
}

void
snapshot_give_back(struct companion_hold *hold, struct snapshot *snapshot)
{
	if (!snapshot->listed && snapshot->stage != SNAPSHOT_LOST) {
		snapshot->stage = SNAPSHOT_LOST;
		snapshot->outcome = DUMP_AGAIN;
		fault_set(&snapshot->fault, FAULT_NOT_FOUND,
		    "the snapshot was let go");
	}
	if (snapshot->stage == SNAPSHOT_LOST && snapshot->dump != NULL)
		close_dump(hold, snapshot);
	snapshot->busy = false;
	pthread_cond_broadcast(&hold->changed);
}

void
snapshot_drop(
    struct companion_hold *hold, struct snapshot *snapshot, const char *why)
{
	struct snapshot **at = &hold->first;

	while (*at != snapshot)
		at = &(*at)->next;
	*at = snapshot->next;
	snapshot->listed = false;
	if (snapshot->stage != SNAPSHOT_LOST)
		snapshot_note(hold, snapshot, "is let go", why);
	if (!snapshot->busy) {
		snapshot->busy = true;
		snapshot_give_back(hold, snapshot);
	}
	release(snapshot);
}

void
snapshot_lose(struct companion_hold *hold, struct snapshot *snapshot,
    enum dump_outcome outcome, const struct fault *fault)
{
	snapshot_note(hold, snapshot,
	    snapshot->stage == SNAPSHOT_OPENING ? "cannot be had" : "is lost",
	    fault->text);
	snapshot->stage = SNAPSHOT_LOST;
	snapshot->outcome = outcome;
	snapshot->fault = *fault;
}

bool
snapshot_is_wanted(const struct companion_hold *hold, const char *id)
{
	struct stat st;

	return fstatat(hold->engine->datadir.jobs, id, &st,
		   AT_SYMLINK_NOFOLLOW) == 0 ||
	    errno != ENOENT;
}

struct companion_seat *
companion_sit(struct companion_hold *hold, int fd)
{
	struct companion_seat *seat = calloc(1, sizeof(*seat));

	if (seat == NULL)
		abort();
	seat->hold = hold;
	seat->fd = fd;
	return seat;
}

void
companion_rise(struct companion_seat *seat)
{
	struct companion_hold *hold = seat->hold;

	pthread_mutex_lock(&hold->mutex);
	snapshot_move(seat, NULL);
	pthread_mutex_unlock(&hold->mutex);
	free(seat);
}

/* Let go of locks that others may wait for.  It is busy. */
static void
rest(struct companion_hold *hold, struct snapshot *snapshot)
{
	if (snapshot->stage != SNAPSHOT_OPEN || snapshot->resting)
		return;
	snapshot->resting = true;
	pthread_mutex_unlock(&hold->mutex);
	dump_rest(snapshot->dump);
	pthread_mutex_lock(&hold->mutex);
}

void
snapshot_move(struct companion_seat *seat, struct snapshot *snapshot)
{
	struct snapshot *before = seat->snapshot;

	if (before == snapshot)
		return;
	seat->snapshot = snapshot;
	if (snapshot != NULL) {
		snapshot->users++;
		snapshot->seats++;
	}
	if (before == NULL)
		return;
	if (--before->seats == 0 && !before->busy) {
		before->busy = true;
		rest(seat->hold, before);
		snapshot_give_back(seat->hold, before);
	}
	release(before);
}

/* One that was not yet looked after in this round, and is not busy. */
static struct snapshot *
next_to_keep(struct companion_hold *hold)
{
	struct snapshot *snapshot = hold->first;

	while (snapshot != NULL &&
	    (snapshot->busy || snapshot->round == hold->round))
		snapshot = snapshot->next;
	return snapshot;
}

/* Keep its connection alive.  It is busy. */
static void
keep_alive(struct companion_hold *hold, struct snapshot *snapshot)
{
	struct fault fault;
	int result;

	rest(hold, snapshot);
	pthread_mutex_unlock(&hold->mutex);
	result = dump_idle(snapshot->dump, &fault);
	pthread_mutex_lock(&hold->mutex);
	if (result != 0)
		snapshot_lose(hold, snapshot, DUMP_AGAIN, &fault);
}

static void
look_after(struct companion_hold *hold, struct snapshot *snapshot)
{
	int64_t unused = budget_now() - snapshot->used;
	struct fault fault;

	snapshot->round = hold->round;
	if (!snapshot_is_wanted(hold, snapshot->id)) {
		snapshot_drop(hold, snapshot, "its backup has ended");
		return;
	}
	if (snapshot->stage != SNAPSHOT_OPEN || unused < REST_AFTER)
		return;
	snapshot->users++;
	snapshot->busy = true;
	if (unused < snapshot->unused) {
		keep_alive(hold, snapshot);
	} else {
		fault_set(&fault, FAULT_NOT_FOUND,
		    "nobody has asked for it for %lld s",
		    (long long)(unused / BUDGET_SECOND));
		snapshot_lose(hold, snapshot, DUMP_AGAIN, &fault);
	}
	snapshot_give_back(hold, snapshot);
	release(snapshot);
}

void
companion_keep(struct companion_hold *hold)
{
	struct snapshot *snapshot;

	pthread_mutex_lock(&hold->mutex);
	hold->round++;
	while (!hold->hurry && (snapshot = next_to_keep(hold)) != NULL)
		look_after(hold, snapshot);
	pthread_mutex_unlock(&hold->mutex);
}

int
companion_held(struct companion_hold *hold)
{
	int count = 0;

	pthread_mutex_lock(&hold->mutex);
	for (struct snapshot *snapshot = hold->first; snapshot != NULL;
	     snapshot = snapshot->next)
		count += snapshot->stage != SNAPSHOT_LOST;
	pthread_mutex_unlock(&hold->mutex);
	return count;
}

void
companion_hurry(struct companion_hold *hold)
{
	pthread_mutex_lock(&hold->mutex);
	hold->hurry = true;
	pthread_cond_broadcast(&hold->changed);
	pthread_mutex_unlock(&hold->mutex);
}
