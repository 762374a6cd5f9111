/* SPDX-License-Identifier: MIT */
/*
 * The databases, one after the other.  Each is first listed, into the spool
 * 'objects'; then its objects' pieces become members of the archive; in the
 * end it is listed again, to find what was altered meanwhile.  Where its
 * snapshot is lost all of that is cut back and done again.
 */
#include "base/budget.h"
#include "base/fault.h"
#include "base/stamp.h"
#include "base/strbuf.h"
#include "pack/frames.h"
#include "run/dumping.h"
#include "run/engine.h"
#include "run/job.h"
#include "run/phase.h"
#include "store/config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A unit takes about this long; it is found out what it can do in that time. */
#define UNIT_TIME (40 * BUDGET_MILLISECOND)
#define PIECE_MIN (64 * 1024)

/* So long, in seconds, is waited for a locked table or a server that is down.
 */
#define WAIT_MAX (15 * 60)

/* An object that must be read in one go is begun so often. */
#define HELD_MAX 2

/* So long, in seconds, a step waits for more of its rows. */
#define LATE_MAX 5

/* The cursor's stages. */
enum dump_stage {
	STAGE_BEGIN, /* of a database; to be committed, to be gone back to */
	STAGE_LIST,
	STAGE_OBJECTS,
	STAGE_COMPARE,
	STAGE_END, /* its snapshot is of no more use */
};

static int
warn_of(
    struct job *job, const char *name, const char *reason, struct fault *fault)
{
	struct dumping *dumping = job->phase;
	struct strbuf path = STRBUF_EMPTY;
	int result;

	strbuf_addf(&path, "databases/%s/%s", dumping->feed.where.label, name);
	result = job_warn(job, path.bytes, reason, fault);
	strbuf_close(&path);
	return result;
}

/* Notes of the dump become warnings. */
static int
take_notes(struct job *job, struct fault *fault)
{
	struct dumping *dumping = job->phase;
	char *line = dumping->notes.bytes, *end, *tab;

	while (line != NULL && (end = strchr(line, '\n')) != NULL) {
		*end = '\0';
		tab = strchr(line, '\t');
		assert(tab != NULL);
		*tab = '\0';
		if (strbuf_unescape(line) < 0)
			return fault_set(fault, FAULT_CORRUPT,
			    "a note of the dump makes no sense");
		if (warn_of(job, line, tab + 1, fault) != 0)
			return -1;
		line = end + 1;
	}
	strbuf_reset(&dumping->notes);
	return 0;
}

/* Nothing came.  That may be so for a while, but not for ever. */
static enum phase_outcome
wait_on(struct job *job, struct fault *fault)
{
	struct dumping *dumping = job->phase;
	struct dump_cursor *cursor = &job->state.dump;
	int64_t now = stamp_now();

	if (fault->code != FAULT_NONE && cursor->waits == 0)
		logbook_write(&job->log, "database %s: waiting: %s",
		    dumping->feed.where.label, fault->text);
	if (cursor->waits == 0)
		cursor->waits = now;
	if (now - cursor->waits < WAIT_MAX)
		return PHASE_MORE;
	return fault_set(fault, FAULT_SYSTEM,
	    "nothing could be read of a database for %d minutes: %.300s",
	    WAIT_MAX / 60,
	    fault->code != FAULT_NONE ? fault->text
				      : "the server does not answer");
}

/* Cut back to the beginning of the database, and begin it again. */
static enum phase_outcome
begin_again(struct job *job, struct fault *fault)
{
	struct dumping *dumping = job->phase;
	struct dump_cursor *cursor = &job->state.dump;
	int64_t tries = job->engine->config->snapshot_tries;

	logbook_write(&job->log, "database %s is begun again: %s",
	    dumping->feed.where.label, fault->text);
	cursor->restarts++;
	if (cursor->restarts >= 2 * tries + 2)
		return fault_set(fault, FAULT_SYSTEM,
		    "a database was begun %lld times and could not be read to "
		    "its end; the last time: %.300s",
		    (long long)cursor->restarts, fault->text);
	if (cursor->restarts >= tries && !cursor->per_chunk) {
		logbook_write(&job->log, "from now on without a snapshot");
		cursor->per_chunk = true;
	}
	dumping_close_archive(dumping);
	job_go_back(job, &cursor->begin);
	cursor->stage = STAGE_LIST;
	cursor->done -= cursor->bytes;
	dumping_reset(cursor);
	return PHASE_WENT_BACK;
}

/* What becomes of a feed's outcome that brought nothing. */
static enum phase_outcome
without_piece(struct job *job, enum dump_outcome outcome, struct fault *fault)
{
	if (outcome == DUMP_WAIT)
		return wait_on(job, fault);
	return outcome == DUMP_AGAIN ? begin_again(job, fault) : PHASE_FAULT;
}

/* The lines of the list go into the spool. */
static int
keep_list(struct job *job, struct fault *fault)
{
	struct dumping *dumping = job->phase;
	struct dump_cursor *cursor = &job->state.dump;
	char *line = dumping->text.bytes, *end;
	int result = 0;

	cursor->object = dumping->objects->extent.length;
	while (result == 0 && (end = strchr(line, '\n')) != NULL) {
		struct dump_object object;

		*end = '\0';
		result = dump_object_parse(&object, line, fault);
		if (result == 0) {
			cursor->expected += object.bytes;
			result = spool_append(dumping->objects, line,
			    (size_t)(end - line), fault);
		}
		dump_object_close(&object);
		line = end + 1;
	}
	return result;
}

/* Have the list in dumping->text; DUMP_ENDED if it is there. */
static enum dump_outcome
read_list(struct job *job, bool begun, struct fault *fault)
{
	struct dumping *dumping = job->phase;
	enum dump_outcome outcome = feed_ready(&dumping->feed, begun, fault);

	strbuf_reset(&dumping->text);
	return outcome != DUMP_ENDED
	    ? outcome
	    : feed_list(&dumping->feed, &dumping->text, &dumping->notes, fault);
}

static enum phase_outcome
list_objects(struct job *job, struct fault *fault)
{
	struct dumping *dumping = job->phase;
	struct dump_cursor *cursor = &job->state.dump;
	enum dump_outcome outcome;

	if (dumping_open_archive(job, fault) != 0)
		return PHASE_FAULT;
	outcome = read_list(job, false, fault);
	if (outcome != DUMP_ENDED)
		return without_piece(job, outcome, fault);
	if (keep_list(job, fault) != 0 || take_notes(job, fault) != 0)
		return PHASE_FAULT;
	logbook_write(&job->log,
	    "database %s on %s: %lld objects, about %lld "
	    "bytes, %s",
	    dumping->feed.where.label, cursor->server,
	    (long long)(dumping->objects->extent.lines -
		cursor->begin.objects.lines),
	    (long long)cursor->expected,
	    cursor->per_chunk ? "without a snapshot" : "in one snapshot");
	dumping_seek(dumping, cursor->object);
	cursor->waits = 0;
	cursor->stage = STAGE_OBJECTS;
	return PHASE_MORE;
}

/* How much to ask for. */
static int64_t
piece_size(const struct job *job)
{
	int64_t bytes = job->engine->piece;

	if (bytes > job->allowance / 2)
		bytes = job->allowance / 2;
	return bytes < PIECE_MIN ? PIECE_MIN : bytes;
}

/* Learn from a unit that brought bytes how many the next one should. */
static void
learn_size(struct job *job, int64_t bytes, int64_t took)
{
	int64_t before = job->engine->piece, piece = before;
	double fitting =
	    (double)bytes * (double)UNIT_TIME / (double)(took > 0 ? took : 1);

	if (fitting < (double)before)
		piece = (int64_t)fitting;
	else if (bytes >= before / 2)
		piece = 2 * before;
	if (piece < PIECE_MIN)
		piece = PIECE_MIN;
	if (piece > DUMP_PIECE_MAX)
		piece = DUMP_PIECE_MAX;
	job->engine->piece = piece;
}

/* The place is in an object whose rows must all come in one go. */
static bool
in_one_go(const struct job *job)
{
	const struct dumping *dumping = job->phase;

	return dumping->object.keyless &&
	    (!dumping->object.covered || job->state.dump.per_chunk);
}

static void
describe_piece(struct job *job, struct feed_piece *piece)
{
	struct dumping *dumping = job->phase;

	*piece = (struct feed_piece){ .line = dumping->line,
		.bytes = piece_size(job),
		.place = &job->state.dump.place,
		.text = &dumping->text,
		.notes = &dumping->notes };
}

/* An object is wholly in the archive: on to the next. */
static int
end_object(struct job *job, struct fault *fault)
{
	struct dumping *dumping = job->phase;
	struct dump_cursor *cursor = &job->state.dump;

	cursor->tables += dumping->object.is_table;
	cursor->rows += cursor->place.rows;
	memset(&cursor->place, 0, sizeof(cursor->place));
	cursor->held = 0;
	cursor->object = dumping->reader.offset;
	return dumping_next_object(dumping, fault);
}

/*
 * A piece has come: ask for the next before this one is packed, then pack it.
 */
static int
keep_piece(struct job *job, bool ended, struct fault *fault)
{
	struct dumping *dumping = job->phase;
	/* That an object has ended may be all there is to say. */
	bool empty = dumping->text.length == 0;
	struct feed_piece next;

	if ((!empty && dumping_name_member(job, fault) != 0) ||
	    take_notes(job, fault) != 0)
		return -1;
	if (ended && end_object(job, fault) != 0)
		return -1;
	if (dumping->line != NULL && !in_one_go(job)) {
		describe_piece(job, &next);
		feed_ahead(&dumping->feed, &next);
	}
	return empty ? 0 : dumping_add_member(job, fault);
}

/*
 * Read the next piece and add it.  DUMP_MORE, DUMP_HELD and DUMP_ENDED tell of
 * the object; else nothing came.
 */
static enum dump_outcome
read_piece(struct job *job, struct fault *fault)
{
	struct dumping *dumping = job->phase;
	int64_t before = budget_now(), bytes;
	struct feed_piece piece;
	enum dump_outcome outcome;

	strbuf_reset(&dumping->text);
	describe_piece(job, &piece);
	outcome = feed_read(&dumping->feed, &piece, fault);
	if (outcome != DUMP_MORE && outcome != DUMP_HELD &&
	    outcome != DUMP_ENDED)
		return outcome;
	bytes = (int64_t)dumping->text.length;
	job->state.dump.waits = 0;
	if (keep_piece(job, outcome == DUMP_ENDED, fault) != 0)
		return DUMP_FAULT;
	learn_size(job, bytes, budget_now() - before);
	return outcome;
}

/* More rows of an object that is read in one go are late, but not lost yet. */
static bool
is_late(struct job *job, struct fault *fault)
{
	struct dumping *dumping = job->phase;
	struct dump_cursor *cursor = &job->state.dump;

	return cursor->place.rows > 0 && dumping->feed.companion != NULL &&
	    wait_on(job, fault) == PHASE_MORE &&
	    stamp_now() - cursor->waits < LATE_MAX;
}

/*
 * All rows of an object that can only be read in one go: the step may outlive
 * its budget by that.  How often it was begun is committed before.
 */
static enum phase_outcome
read_in_one_go(struct job *job, struct fault *fault)
{
	struct dumping *dumping = job->phase;
	struct dump_cursor *cursor = &job->state.dump;
	enum dump_outcome outcome;

	if (!dumping->held) {
		if (++cursor->held > HELD_MAX)
			return fault_set(fault, FAULT_SYSTEM,
			    "the table %.200s has no usable key, so that its "
			    "rows must be read in one go, which was cut off "
			    "%d times; give it a primary key, or leave its "
			    "rows out by exclude_data",
			    dumping->object.name, HELD_MAX);
		dumping->held = true;
		return PHASE_WENT_BACK;
	}
	do {
		fault_clear(fault);
		outcome = read_piece(job, fault);
		if (outcome == DUMP_HELD && atomic_load(&job->engine->stop))
			return fault_set(fault, FAULT_RETRY,
			    "the step was ended from outside");
	} while (outcome == DUMP_HELD ||
	    (outcome == DUMP_WAIT && is_late(job, fault)));
	/* What was read of it is no use without the rest. */
	if (outcome == DUMP_WAIT && cursor->place.rows > 0) {
		if (dumping->feed.companion != NULL)
			return fault_set(fault, FAULT_RETRY,
			    "the companion does not go on with the table "
			    "%.200s, which must be read in one go",
			    dumping->object.name);
		outcome = DUMP_AGAIN;
	}
	if (outcome != DUMP_ENDED && outcome != DUMP_MORE)
		return without_piece(job, outcome, fault);
	dumping->held = false;
	return PHASE_MORE;
}

static enum phase_outcome
dump_object(struct job *job, struct fault *fault)
{
	struct dumping *dumping = job->phase;
	enum dump_outcome outcome;

	if (dumping_open_archive(job, fault) != 0 ||
	    (dumping->line == NULL && dumping_next_object(dumping, fault) != 0))
		return PHASE_FAULT;
	if (dumping->line == NULL) {
		job->state.dump.stage = STAGE_COMPARE;
		return PHASE_MORE;
	}
	/* Only then it is known whether there is a snapshot. */
	outcome = feed_ready(&dumping->feed, true, fault);
	if (outcome != DUMP_ENDED)
		return without_piece(job, outcome, fault);
	if (in_one_go(job))
		return read_in_one_go(job, fault);
	outcome = read_piece(job, fault);
	return outcome == DUMP_MORE || outcome == DUMP_ENDED
	    ? PHASE_MORE
	    : without_piece(job, outcome, fault);
}

/* The database is in the archive: note what there is to tell of it. */
static int
end_database(struct job *job, struct fault *fault)
{
	struct dumping *dumping = job->phase;
	struct dump_cursor *cursor = &job->state.dump;
	struct spool *spool = job_spool(job, SPOOL_DATABASES, fault);
	struct strbuf line = STRBUF_EMPTY;
	struct record_database database = {
		.name = dumping->feed.where.label,
		.server = cursor->server,
		.consistency =
		    cursor->per_chunk ? RECORD_PER_CHUNK : RECORD_SNAPSHOT,
		.tables = cursor->tables,
		.rows = cursor->rows,
		.bytes = cursor->bytes,
		.seconds = stamp_now() - cursor->started,
		.restarts = cursor->restarts,
	};
	int result;

	if (spool == NULL ||
	    (cursor->per_chunk &&
		warn_of(job, "",
		    "is not as it was at one instant, but each piece of it as "
		    "it was when it was read: nobody could hold a snapshot",
		    fault) != 0))
		return -1;
	database.warnings = job->state.counts.warnings - cursor->begin.warned;
	record_database_write(&database, &line);
	result = spool_append(spool, line.bytes, line.length, fault);
	strbuf_close(&line);
	job->state.counts.databases++;
	job->state.counts.tables += cursor->tables;
	job->state.counts.rows += cursor->rows;
	logbook_write(&job->log,
	    "database %s: %lld tables, %lld rows, %lld bytes of text, %s",
	    dumping->feed.where.label, (long long)cursor->tables,
	    (long long)cursor->rows, (long long)cursor->bytes,
	    record_consistency_words[database.consistency]);
	return result;
}

static enum phase_outcome
compare_lists(struct job *job, struct fault *fault)
{
	struct dumping *dumping = job->phase;
	struct dump_cursor *cursor = &job->state.dump;
	struct strbuf before = STRBUF_EMPTY;
	enum dump_outcome outcome;
	int result;

	outcome = read_list(job, true, fault);
	if (outcome != DUMP_ENDED)
		return without_piece(job, outcome, fault);
	/* Its notes were taken the first time. */
	strbuf_reset(&dumping->notes);
	result = dumping_read_list(job, &before, fault);
	if (result == 0)
		dump_compare(
		    strbuf_text(&before), dumping->text.bytes, &dumping->notes);
	strbuf_close(&before);
	if (result != 0 || take_notes(job, fault) != 0 ||
	    end_database(job, fault) != 0)
		return PHASE_FAULT;
	cursor->stage = STAGE_END;
	return PHASE_WENT_BACK;
}

/* That all was read is committed: nobody will ask for any of it again. */
static enum phase_outcome
let_go(struct job *job)
{
	struct dumping *dumping = job->phase;
	struct dump_cursor *cursor = &job->state.dump;

	feed_end(&dumping->feed);
	feed_close(&dumping->feed);
	cursor->database++;
	cursor->stage = STAGE_BEGIN;
	return PHASE_MORE;
}

/* What was committed just now is where to go back to. */
static enum phase_outcome
begin_database(struct job *job, struct fault *fault)
{
	struct dumping *dumping = job->phase;
	struct dump_cursor *cursor = &job->state.dump;

	if (!dumping->committed) {
		dumping->committed = true;
		return PHASE_WENT_BACK;
	}
	dumping->committed = false;
	job_mark(job, &cursor->begin);
	dumping_reset(cursor);
	cursor->restarts = 0;
	cursor->per_chunk = false;
	cursor->started = stamp_now();
	cursor->stage = STAGE_LIST;
	cursor->where[0] = '\0';
	return feed_open(&dumping->feed, job, fault) != 0 ? PHASE_FAULT
							  : PHASE_MORE;
}

static enum phase_outcome
dump_next(struct job *job, struct fault *fault)
{
	struct dump_cursor *cursor = &job->state.dump;

	fault_clear(fault);
	if (cursor->database >= cursor->count)
		return PHASE_ENDED;
	switch ((enum dump_stage)cursor->stage) {
	case STAGE_BEGIN:
		return begin_database(job, fault);
	case STAGE_LIST:
		return list_objects(job, fault);
	case STAGE_OBJECTS:
		return dump_object(job, fault);
	case STAGE_COMPARE:
		return compare_lists(job, fault);
	case STAGE_END:
		return let_go(job);
	}
	return fault_set(
	    fault, FAULT_CORRUPT, STATE_FILE ": a stage that there is not");
}

static int
open_dump(struct job *job, struct fault *fault)
{
	struct dumping *dumping = calloc(1, sizeof(*dumping));
	struct dump_cursor *cursor = &job->state.dump;

	if (dumping == NULL)
		abort();
	job->phase = dumping;
	if (cursor->database >= cursor->count || cursor->stage == STAGE_BEGIN)
		return 0;
	return feed_open(&dumping->feed, job, fault);
}

static void
close_dump(struct job *job)
{
	struct dumping *dumping = job->phase;

	if (dumping == NULL)
		return;
	feed_close(&dumping->feed);
	dumping_close_archive(dumping);
	frames_close(job->frames);
	job->frames = NULL;
	strbuf_close(&dumping->text);
	strbuf_close(&dumping->notes);
	strbuf_close(&dumping->path);
	free(dumping);
	job->phase = NULL;
}

const struct phase phase_dump = {
	.open = open_dump,
	.step = dump_next,
	.close = close_dump,
};
