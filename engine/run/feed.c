/* SPDX-License-Identifier: MIT */
#include "run/feed.h"

#include "base/budget.h"
#include "base/fault.h"
#include "base/strbuf.h"
#include "run/companion.h"
#include "run/engine.h"
#include "run/job.h"
#include "source/site.h"
#include "store/config.h"
#include "store/token.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* How long a unit waits for the companion. */
#define PATIENCE (50 * BUDGET_MILLISECOND)

/* It has not greeted for so many units in a row: it is frozen.  If it is not
 * better after it was killed, there can be none. */
#define UNANSWERED_MAX 60

/* After so many units without an answer it is greeted again: a slow query does
 * not keep it from that. */
#define WAITED_MAX 100

/* Which database it is, whoever the user may be. */
static void
identify(const struct database *where, struct strbuf *out)
{
	struct strbuf shown = STRBUF_EMPTY;
	uint8_t hash[TOKEN_HASH_SIZE];

	database_show(where, &shown);
	strbuf_addf(&shown, " as %s", where->label);
	token_hash(shown.bytes, shown.length, hash);
	strbuf_add_hex(out, hash, sizeof(hash));
	strbuf_close(&shown);
}

/* It is the one that was begun. */
static int
check_where(struct dump_cursor *cursor, const struct database *where,
    struct fault *fault)
{
	struct strbuf identity = STRBUF_EMPTY;
	int result = 0;

	identify(where, &identity);
	if (cursor->where[0] == '\0')
		snprintf(
		    cursor->where, sizeof(cursor->where), "%s", identity.bytes);
	else if (strcmp(cursor->where, identity.bytes) != 0)
		result = fault_set(fault, FAULT_USAGE,
		    "the site's configuration names another database than when "
		    "this backup was begun; the next one follows it");
	strbuf_close(&identity);
	return result;
}

int
feed_open(struct feed *feed, struct job *job, struct fault *fault)
{
	const struct databases *databases = &job->profile->databases;
	struct dump_cursor *cursor = &job->state.dump;

	memset(feed, 0, sizeof(*feed));
	feed->job = job;
	feed->terms.profile = job->profile;
	feed->terms.database = &feed->where;
	if (site_database(job->profile->site,
		&databases->items[cursor->database], &feed->where, fault) != 0)
		return -1;
	return check_where(cursor, &feed->where, fault);
}

void
feed_close(struct feed *feed)
{
	dump_close(feed->own);
	companion_close(feed->companion);
	database_close(&feed->where);
	memset(feed, 0, sizeof(*feed));
}

/* After this nobody holds a snapshot for this backup that we know of. */
static void
let_go(struct feed *feed)
{
	feed->job->state.dump.token[0] = '\0';
	dump_close(feed->own);
	feed->own = NULL;
}

void
feed_end(struct feed *feed)
{
	struct companion_ask ask = { .request = COMPANION_END };
	struct companion_answer answer = { 0 };
	struct fault unused;

	snprintf(
	    ask.token, sizeof(ask.token), "%s", feed->job->state.dump.token);
	/* If it does not hear of it, it will find out by and by. */
	if (feed->companion != NULL && ask.token[0] != '\0' &&
	    !companion_asked(feed->companion) &&
	    companion_ask(feed->companion, &ask, &unused) == 0)
		companion_take(feed->companion, PATIENCE, &answer, &unused);
	let_go(feed);
}

/* A little rest before the same is tried again. */
static enum dump_outcome
wait_a_little(void)
{
	const struct timespec rest = { .tv_nsec = PATIENCE };

	nanosleep(&rest, NULL);
	return DUMP_WAIT;
}

/* It cannot be reached any more; perhaps another one can. */
static enum dump_outcome
lose_companion(struct feed *feed)
{
	companion_close(feed->companion);
	feed->companion = NULL;
	feed->waited = 0;
	return DUMP_WAIT;
}

static enum dump_outcome
take(struct feed *feed, struct companion_answer *answer, struct fault *fault)
{
	enum dump_outcome outcome =
	    companion_take(feed->companion, PATIENCE, answer, fault);

	feed->waited = outcome == DUMP_WAIT ? feed->waited + 1 : 0;
	if (outcome == DUMP_AGAIN)
		let_go(feed);
	if (feed->waited > WAITED_MAX ||
	    (outcome == DUMP_FAULT && companion_gone(feed->companion)))
		return lose_companion(feed);
	return outcome;
}

/* There is none, and there will be none for this backup. */
static void
give_up_companion(struct feed *feed, const char *reason)
{
	logbook_write(&feed->job->log, "no companion can be had: %s", reason);
	feed->job->state.dump.lone = true;
}

/* Connect to the companion.  DUMP_ENDED if that is done. */
static enum dump_outcome
reach_companion(struct feed *feed, struct fault *fault)
{
	struct job *job = feed->job;
	struct dump_cursor *cursor = &job->state.dump;

	if (companion_open(&feed->companion, job->engine, PATIENCE, fault) ==
	    0) {
		cursor->unanswered = 0;
		return DUMP_ENDED;
	}
	feed->companion = NULL;
	if (fault->code != FAULT_RETRY ||
	    ++cursor->unanswered > 2 * UNANSWERED_MAX) {
		give_up_companion(feed, fault->text);
		fault_clear(fault);
	} else if (cursor->unanswered == UNANSWERED_MAX) {
		logbook_write(
		    &job->log, "the companion does not answer; it is killed");
		companion_kill(job->engine);
	}
	return DUMP_WAIT;
}

/* Have the companion take a snapshot. */
static enum dump_outcome
begin_companion(struct feed *feed, struct fault *fault)
{
	struct job *job = feed->job;
	struct dump_cursor *cursor = &job->state.dump;
	struct companion_ask ask = { .request = COMPANION_BEGIN,
		.profile = job->profile->number,
		.database = cursor->database };
	struct companion_answer answer = { 0 };
	enum dump_outcome outcome;

	memcpy(ask.id, job->state.id, ID_SIZE);
	if (!companion_asked(feed->companion) &&
	    companion_ask(feed->companion, &ask, fault) != 0)
		return lose_companion(feed);
	outcome = take(feed, &answer, fault);
	if (outcome != DUMP_ENDED)
		return outcome;
	memcpy(cursor->token, answer.token, sizeof(cursor->token));
	memcpy(cursor->server, answer.facts.server, sizeof(cursor->server));
	return DUMP_ENDED;
}

/* Have a connection of this process's own. */
static enum dump_outcome
connect_own(struct feed *feed, struct fault *fault)
{
	struct dump_cursor *cursor = &feed->job->state.dump;

	feed->terms.snapshot = !cursor->per_chunk;
	if (dump_open(&feed->own, &feed->terms, fault) != 0) {
		feed->own = NULL;
		return DUMP_FAULT;
	}
	memcpy(cursor->server, dump_facts(feed->own)->server,
	    sizeof(cursor->server));
	return DUMP_ENDED;
}

/*
 * The snapshot that the dump was begun with is gone with the process that held
 * it.  Where each step is a process of its own it would be so again: there the
 * dump goes on without.
 */
static enum dump_outcome
lose_snapshot(struct feed *feed, bool by_companion, struct fault *fault)
{
	struct job *job = feed->job;

	if (by_companion || !job->budgeted) {
		fault_set(fault, FAULT_RETRY,
		    "the process that held the snapshot has ended");
		return DUMP_AGAIN;
	}
	logbook_write(&job->log,
	    "database %s: the snapshot ended with the step, and there is no "
	    "companion to hold it; going on without",
	    feed->where.label);
	job->state.dump.per_chunk = true;
	return DUMP_ENDED;
}

/* Whoever is to give the pieces is ready: DUMP_ENDED; or as feed_list. */
static enum dump_outcome
get_ready(struct feed *feed, bool begun, struct fault *fault)
{
	struct job *job = feed->job;
	struct dump_cursor *cursor = &job->state.dump;
	bool by_companion = job->engine->config->companion && !cursor->lone &&
	    !cursor->per_chunk && (job->budgeted || cursor->token[0] != '\0');
	enum dump_outcome outcome = DUMP_ENDED;

	if (feed->own != NULL)
		return DUMP_ENDED;
	if (!by_companion)
		cursor->token[0] = '\0';
	if (begun && !cursor->per_chunk && cursor->token[0] == '\0')
		outcome = lose_snapshot(feed, by_companion, fault);
	if (outcome == DUMP_ENDED && !by_companion)
		return connect_own(feed, fault);
	if (outcome == DUMP_ENDED && feed->companion == NULL)
		outcome = reach_companion(feed, fault);
	if (outcome == DUMP_ENDED && cursor->token[0] == '\0')
		outcome = begin_companion(feed, fault);
	return outcome;
}

/* An outage of the server in mid-dump may pass; an early one is told. */
static enum dump_outcome
settle(struct feed *feed, enum dump_outcome outcome, const struct fault *fault)
{
	struct dump_cursor *cursor = &feed->job->state.dump;

	if (outcome == DUMP_AGAIN)
		let_go(feed);
	if (outcome == DUMP_WAIT)
		return wait_a_little();
	if (outcome == DUMP_FAULT && fault->code == FAULT_RETRY &&
	    (cursor->restarts > 0 || cursor->members > 0)) {
		let_go(feed);
		return wait_a_little();
	}
	return outcome;
}

enum dump_outcome
feed_ready(struct feed *feed, bool begun, struct fault *fault)
{
	return settle(feed, get_ready(feed, begun, fault), fault);
}

/* Have the companion's answer to a question, which is asked if none is. */
static enum dump_outcome
ask_and_take(struct feed *feed, struct companion_ask *ask,
    struct companion_answer *answer, struct fault *fault)
{
	memcpy(ask->token, feed->job->state.dump.token, sizeof(ask->token));
	if (!companion_asked(feed->companion) &&
	    companion_ask(feed->companion, ask, fault) != 0)
		return lose_companion(feed);
	return take(feed, answer, fault);
}

enum dump_outcome
feed_list(struct feed *feed, struct strbuf *lines, struct strbuf *notes,
    struct fault *fault)
{
	struct companion_ask ask = { .request = COMPANION_LIST };
	struct companion_answer answer = { .text = lines, .notes = notes };

	if (feed->own != NULL)
		return settle(
		    feed, dump_list(feed->own, lines, notes, fault), fault);
	return ask_and_take(feed, &ask, &answer, fault);
}

enum dump_outcome
feed_read(
    struct feed *feed, const struct feed_piece *piece, struct fault *fault)
{
	struct companion_ask ask = { .request = COMPANION_READ,
		.line = piece->line,
		.bytes = piece->bytes,
		.place = piece->place };
	struct companion_answer answer = { .place = piece->place,
		.text = piece->text,
		.notes = piece->notes };

	if (feed->own != NULL)
		return settle(feed,
		    dump_read(feed->own, piece->line, piece->bytes,
			piece->place, piece->text, piece->notes, fault),
		    fault);
	return ask_and_take(feed, &ask, &answer, fault);
}

void
feed_ahead(struct feed *feed, const struct feed_piece *piece)
{
	struct companion_ask ask = { .request = COMPANION_READ,
		.line = piece->line,
		.bytes = piece->bytes,
		.place = piece->place };
	struct fault unused;

	if (feed->companion == NULL || companion_asked(feed->companion))
		return;
	memcpy(ask.token, feed->job->state.dump.token, sizeof(ask.token));
	/* If that fails the next feed_read finds out why. */
	companion_ask(feed->companion, &ask, &unused);
}
