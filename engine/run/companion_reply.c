/* SPDX-License-Identifier: MIT */
#include "run/companion_hold.h"
#include "run/engine.h"
#include "source/site.h"

#include <stdlib.h>
#include <string.h>

/* Who takes no byte of an answer for so long is dead or frozen. */
#define SEND_STALL (30 * BUDGET_SECOND)

/* A piece of usual size keeps its memory for the next. */
#define KEPT_ROOM ((size_t)3 * DUMP_PIECE_MAX)

/* -- BEGIN -- */

static struct snapshot *
find_by_backup(
    struct companion_hold *hold, const struct companion_question *question)
{
	struct snapshot *snapshot = hold->first;

	while (snapshot != NULL &&
	    (strcmp(snapshot->id, question->id) != 0 ||
		snapshot->database != question->database))
		snapshot = snapshot->next;
	return snapshot;
}

/* A new one, busy. */
static struct snapshot *
add(struct companion_hold *hold, const struct companion_question *question)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (snapshot == NULL)
		abort();
	snapshot->users = 1;
	snapshot->listed = true;
	snapshot->busy = true;
	snapshot->resting = true;
	snapshot->used = budget_now();
	memcpy(snapshot->id, question->id, sizeof(snapshot->id));
	snapshot->profile = question->profile;
	snapshot->database = question->database;
	token_random_text(128, snapshot->token);
	snapshot->next = hold->first;
	hold->first = snapshot;
	return snapshot;
}

/* Read again what is to be dumped, passwords included. */
static const struct profile *
find_profile(
    struct companion_hold *hold, struct snapshot *snapshot, struct fault *fault)
{
	const struct profile *profile = NULL;
	int loaded;

	pthread_mutex_lock(&hold->configuring);
	loaded =
	    config_reload(&snapshot->config, hold->engine->config->path, fault);
	pthread_mutex_unlock(&hold->configuring);
	if (loaded == 0)
		profile = config_profile(&snapshot->config, snapshot->profile);
	if (profile != NULL && snapshot->database < profile->databases.count)
		return profile;
	if (loaded == 0)
		fault_set(fault, FAULT_NOT_FOUND,
		    "database %lld of [profile %lld] is no longer in the "
		    "configuration",
		    (long long)snapshot->database + 1,
		    (long long)snapshot->profile);
	return NULL;
}

static int
open_dump(
    struct companion_hold *hold, struct snapshot *snapshot, struct fault *fault)
{
	struct dump_terms terms = { .snapshot = true };

	if (!snapshot_is_wanted(hold, snapshot->id))
		return fault_set(fault, FAULT_NOT_FOUND,
		    "there is no unfinished backup %s", snapshot->id);
	terms.profile = find_profile(hold, snapshot, fault);
	if (terms.profile == NULL)
		return -1;
	snapshot->unused = snapshot->config.snapshot_max;
	terms.database = &snapshot->source;
	if (site_database(terms.profile->site,
		&terms.profile->databases.items[snapshot->database],
		&snapshot->source, fault) != 0 ||
	    dump_open(&snapshot->dump, &terms, fault) != 0)
		return -1;
	snapshot->facts = *dump_facts(snapshot->dump);
	return 0;
}

/* Take the snapshot.  It is busy. */
static void
open_snapshot(struct companion_hold *hold, struct snapshot *snapshot)
{
	struct fault fault;
	int result;

	pthread_mutex_unlock(&hold->mutex);
	result = open_dump(hold, snapshot, &fault);
	pthread_mutex_lock(&hold->mutex);
	snapshot->used = budget_now();
	if (result == 0) {
		snapshot->stage = SNAPSHOT_OPEN;
		snapshot_note(
		    hold, snapshot, "is taken", snapshot->facts.server);
	} else {
		snapshot_lose(hold, snapshot, DUMP_FAULT, &fault);
	}
}

/* Nobody has used it yet: one who was cut off may ask for it again. */
static bool
is_fresh(const struct snapshot *snapshot)
{
	return snapshot->stage == SNAPSHOT_LOST
	    ? snapshot->outcome == DUMP_FAULT
	    : !snapshot->asked;
}

static void
say_lost(const struct snapshot *snapshot, struct companion_head *head)
{
	head->outcome = snapshot->outcome;
	head->fault = snapshot->fault;
}

static int
begin(struct companion_seat *seat, const struct companion_question *question,
    struct companion_head *head)
{
	struct companion_hold *hold = seat->hold;
	struct snapshot *snapshot = find_by_backup(hold, question);

	if (snapshot != NULL && !is_fresh(snapshot)) {
		snapshot_drop(hold, snapshot, "another is taken instead");
		snapshot = NULL;
	}
	if (snapshot == NULL) {
		snapshot = add(hold, question);
		snapshot_move(seat, snapshot);
		open_snapshot(hold, snapshot);
	} else {
		snapshot_move(seat, snapshot);
		if (!snapshot_take(seat, snapshot))
			return -1;
	}
	if (snapshot->stage == SNAPSHOT_OPEN && snapshot->listed) {
		head->outcome = DUMP_ENDED;
		memcpy(head->token, snapshot->token, sizeof(head->token));
		head->facts = snapshot->facts;
		snapshot->used = budget_now();
	} else {
		say_lost(snapshot, head);
		/* What nobody heard is kept for who asks next. */
		if (snapshot->listed && !companion_is_gone(seat->fd))
			snapshot_drop(hold, snapshot, "");
	}
	snapshot_give_back(hold, snapshot);
	return 0;
}

/* -- LIST and READ -- */

static struct snapshot *
find_by_token(struct companion_hold *hold, const char *token)
{
	struct snapshot *snapshot = hold->first;

	while (snapshot != NULL && strcmp(snapshot->token, token) != 0)
		snapshot = snapshot->next;
	return snapshot;
}

static bool
has_text(enum dump_outcome outcome)
{
	return outcome == DUMP_MORE || outcome == DUMP_HELD ||
	    outcome == DUMP_ENDED;
}

/* What is kept is the answer to this question. */
static bool
is_answer(const struct snapshot_reply *reply,
    const struct companion_question *question)
{
	if (reply == NULL || reply->request != question->request)
		return false;
	/* The list may be another by now. */
	if (question->request == COMPANION_LIST)
		return !reply->told;
	/* How much was asked for does not matter: the rest will be. */
	return strcmp(reply->line, question->line) == 0 &&
	    reply->from.rows == question->place.rows &&
	    strcmp(reply->from.structure, question->place.structure) == 0 &&
	    strcmp(reply->from.key, question->place.key) == 0 &&
	    (has_text(reply->outcome) || !reply->told);
}

/* An empty answer, with the memory of the one that was kept. */
static struct snapshot_reply *
renew_reply(
    struct snapshot *snapshot, const struct companion_question *question)
{
	struct snapshot_reply *reply = snapshot->kept;

	snapshot->kept = NULL;
	if (reply != NULL && reply->users > 1) {
		snapshot_release_reply(reply);
		reply = NULL;
	}
	if (reply == NULL) {
		reply = calloc(1, sizeof(*reply));
		if (reply == NULL)
			abort();
		reply->users = 1;
	}
	if (reply->text.room > KEPT_ROOM)
		strbuf_close(&reply->text);
	strbuf_reset(&reply->text);
	strbuf_reset(&reply->notes);
	free(reply->line);
	reply->line =
	    question->line != NULL ? strbuf_copy(question->line) : NULL;
	reply->request = question->request;
	reply->from = reply->place = question->place;
	reply->told = false;
	fault_clear(&reply->fault);
	return reply;
}

static void
ask_dump(struct dump *dump, struct snapshot_reply *reply, int64_t bytes)
{
	if (reply->request == COMPANION_LIST)
		reply->outcome =
		    dump_list(dump, &reply->text, &reply->notes, &reply->fault);
	else
		reply->outcome = dump_read(dump, reply->line, bytes,
		    &reply->place, &reply->text, &reply->notes, &reply->fault);
	if (!has_text(reply->outcome)) {
		strbuf_reset(&reply->text);
		strbuf_reset(&reply->notes);
		reply->place = reply->from;
	}
}

/* The answer to a question; to be released.  The snapshot is busy. */
static struct snapshot_reply *
answer(struct companion_hold *hold, struct snapshot *snapshot,
    const struct companion_question *question)
{
	struct snapshot_reply *reply;

	snapshot->asked = true;
	if (is_answer(snapshot->kept, question)) {
		snapshot->kept->users++;
		return snapshot->kept;
	}
	reply = renew_reply(snapshot, question);
	snapshot->resting = false;
	pthread_mutex_unlock(&hold->mutex);
	ask_dump(snapshot->dump, reply, question->bytes);
	pthread_mutex_lock(&hold->mutex);
	if (reply->outcome == DUMP_AGAIN)
		snapshot_lose(hold, snapshot, DUMP_AGAIN, &reply->fault);
	/* What has to wait is to be tried again. */
	if (reply->outcome != DUMP_WAIT) {
		reply->users++;
		snapshot->kept = reply;
	}
	return reply;
}

static int
look(struct companion_seat *seat, const struct companion_question *question,
    struct companion_head *head, struct snapshot_reply **reply)
{
	struct companion_hold *hold = seat->hold;
	struct snapshot *snapshot = find_by_token(hold, question->token);

	if (snapshot == NULL) {
		head->outcome = DUMP_AGAIN;
		fault_set(&head->fault, FAULT_NOT_FOUND,
		    "the companion does not hold this snapshot any more");
		return 0;
	}
	snapshot_move(seat, snapshot);
	if (!snapshot_take(seat, snapshot))
		return -1;
	if (snapshot->stage == SNAPSHOT_LOST) {
		say_lost(snapshot, head);
	} else {
		*reply = answer(hold, snapshot, question);
		head->outcome = (*reply)->outcome;
		head->fault = (*reply)->fault;
		head->place = (*reply)->place;
		head->text = (int64_t)(*reply)->text.length;
		head->notes = (int64_t)(*reply)->notes.length;
		snapshot->used = budget_now();
	}
	snapshot_give_back(hold, snapshot);
	return 0;
}

/* -- END -- */

static void
end(struct companion_seat *seat, const struct companion_question *question,
    struct companion_head *head)
{
	struct snapshot *snapshot = find_by_token(seat->hold, question->token);

	/* What is gone already has ended. */
	head->outcome = DUMP_ENDED;
	if (snapshot != NULL)
		snapshot_drop(seat->hold, snapshot, "it was read to its end");
}

/* -- all of them -- */

/* Find the answer; -1 if nobody waits for it any more. */
static int
find_answer(struct companion_seat *seat,
    const struct companion_question *question, struct companion_head *head,
    struct snapshot_reply **reply)
{
	int result = 0;

	pthread_mutex_lock(&seat->hold->mutex);
	switch ((enum companion_request)question->request) {
	case COMPANION_BEGIN:
		result = begin(seat, question, head);
		break;
	case COMPANION_LIST:
	case COMPANION_READ:
		result = look(seat, question, head, reply);
		break;
	case COMPANION_END:
		end(seat, question, head);
		break;
	}
	pthread_mutex_unlock(&seat->hold->mutex);
	return result;
}

static int
send_answer(int fd, const struct companion_head *head,
    const struct snapshot_reply *reply)
{
	struct strbuf line = STRBUF_EMPTY;
	struct iovec pieces[3] = { 0 };
	int result;

	companion_write_head(head, &line);
	pieces[0] = (struct iovec){ line.bytes, line.length };
	if (reply != NULL) {
		pieces[1] =
		    (struct iovec){ reply->text.bytes, reply->text.length };
		pieces[2] =
		    (struct iovec){ reply->notes.bytes, reply->notes.length };
	}
	result = companion_send(fd, pieces, 3, SEND_STALL);
	strbuf_close(&line);
	return result;
}

int
companion_reply(struct companion_seat *seat, const struct strbuf *line)
{
	struct companion_question question;
	struct companion_head head = { .outcome = DUMP_FAULT };
	struct snapshot_reply *reply = NULL;
	int result = 0;

	if (companion_read_question(
		&question, line->bytes, line->length, &head.fault) == 0)
		result = find_answer(seat, &question, &head, &reply);
	companion_free_question(&question);
	if (result == 0)
		result = send_answer(seat->fd, &head, reply);
	if (reply != NULL) {
		pthread_mutex_lock(&seat->hold->mutex);
		reply->told = reply->told || result == 0;
		snapshot_release_reply(reply);
		pthread_mutex_unlock(&seat->hold->mutex);
	}
	return result;
}
