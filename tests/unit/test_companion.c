/* SPDX-License-Identifier: MIT */
/* What passes between a step and the companion, and what this makes of it. */
#include "companion_scene.h"

#include <pthread.h>

/* -- tests of the lines -- */

static void
passes_on_questions(void **state)
{
	struct companion_question question;
	struct dump_place place = { .rows = 7, .structure = "s", .key = "1,2" };
	struct companion_ask ask = {
		.request = COMPANION_READ,
		.token = "t",
		.line = "name \xff\n",
		.bytes = 12,
		.place = &place,
	};
	struct strbuf line = STRBUF_EMPTY;
	struct fault fault;

	(void)state;
	memset(place.key, 'f', sizeof(place.key) - 1);
	companion_write_question(&ask, &line);
	assert_ptr_equal(
	    strchr(line.bytes, '\n'), line.bytes + line.length - 1);
	assert_fine(
	    companion_read_question(&question, line.bytes, line.length, &fault),
	    &fault);
	assert_int_equal(question.request, COMPANION_READ);
	assert_string_equal(question.token, "t");
	assert_string_equal(question.line, ask.line);
	assert_int_equal(question.bytes, 12);
	assert_memory_equal(&question.place, &place, sizeof(place));
	companion_free_question(&question);
	strbuf_close(&line);
}

static void
passes_on_answers(void **state)
{
	struct companion_head head = {
		.outcome = DUMP_FAULT,
		.fault = { FAULT_CORRUPT, "broken" },
		.token = "t",
		.facts = { "MariaDB", "utf8mb4", "x" },
		.place = { .rows = 1, .structure = "s", .key = "k" },
		.text = 3,
		.notes = 4,
	};
	struct companion_head same = { 0 };
	struct strbuf line = STRBUF_EMPTY;
	struct fault fault;

	(void)state;
	for (int outcome = DUMP_FAULT; outcome <= DUMP_AGAIN; outcome++) {
		head.outcome = outcome;
		strbuf_reset(&line);
		companion_write_head(&head, &line);
		assert_fine(
		    companion_read_head(&same, line.bytes, line.length, &fault),
		    &fault);
		assert_memory_equal(&same, &head, sizeof(head));
	}
	head.text = COMPANION_TEXT_MAX + 1;
	strbuf_reset(&line);
	companion_write_head(&head, &line);
	assert_faulty(
	    companion_read_head(&same, line.bytes, line.length, &fault),
	    FAULT_CORRUPT, "makes no sense", &fault);
	strbuf_close(&line);
}

static void
refuses_senseless_questions(void **state)
{
	static const struct companion_ask asks[] = {
		{ .request = COMPANION_BEGIN, .id = "../x", .profile = 1 },
		{ .request = COMPANION_BEGIN, .id = ID, .profile = 0 },
		{ .request = COMPANION_BEGIN,
		    .id = ID,
		    .profile = 1,
		    .database = -1 },
		{ .request = COMPANION_READ, .bytes = 1 },
		{ .request = COMPANION_READ, .line = "x", .bytes = 0 },
		{ .request = COMPANION_READ,
		    .line = "x",
		    .bytes = DUMP_PIECE_MAX + 1 },
	};
	struct companion_question question;
	struct strbuf line = STRBUF_EMPTY;
	struct fault fault;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(asks); i++) {
		strbuf_reset(&line);
		companion_write_question(&asks[i], &line);
		assert_faulty(companion_read_question(
				  &question, line.bytes, line.length, &fault),
		    FAULT_CORRUPT, "makes no sense", &fault);
		companion_free_question(&question);
	}
	assert_faulty(companion_read_question(&question, "{}\n", 3, &fault),
	    FAULT_CORRUPT, "a question to the companion", &fault);
	companion_free_question(&question);
	strbuf_close(&line);
}

/* -- tests of snapshots -- */

static void
reads_a_database(void **state)
{
	struct companion_ask list = { .request = COMPANION_LIST };
	struct companion_ask end = { .request = COMPANION_END };
	struct strbuf text = STRBUF_EMPTY, notes = STRBUF_EMPTY;
	struct companion_answer answer = { .text = &text, .notes = &notes };
	struct companion *companion;
	struct piece piece = { 0 };
	struct scene scene;
	struct fault fault;
	char token[DUMP_TOKEN_SIZE];

	set_scene(&scene, state);
	companion = reach(&scene);
	begin_well(companion, FAST, token);
	memcpy(list.token, token, sizeof(list.token));
	memcpy(end.token, token, sizeof(end.token));
	assert_fine(companion_ask(companion, &list, &fault), &fault);
	assert_int_equal(
	    companion_take(companion, PATIENCE, &answer, &fault), DUMP_ENDED);
	assert_string_equal(text.bytes, "text 0\n");
	assert_string_equal(notes.bytes, "text\ta note\n");
	for (int64_t next = 1; next < 3000000; next = piece.last + 1) {
		read_piece(companion, token, "text", DUMP_PIECE_MAX, &piece);
		assert_int_equal(piece.outcome, DUMP_MORE);
		assert_int_equal(piece.first, next);
		assert_true(piece.length >= DUMP_PIECE_MAX);
	}
	/* It was told the list, and may want to know what changed. */
	assert_fine(companion_ask(companion, &list, &fault), &fault);
	assert_int_equal(
	    companion_take(companion, PATIENCE, &answer, &fault), DUMP_ENDED);
	assert_string_equal(text.bytes, "text 0\ntext 1\n");
	assert_fine(companion_ask(companion, &end, &fault), &fault);
	assert_int_equal(
	    companion_take(companion, PATIENCE, &answer, &fault), DUMP_ENDED);
	assert_int_equal(fake->closed, 1);
	read_piece(companion, token, "text", 10, &piece);
	assert_int_equal(piece.outcome, DUMP_AGAIN);
	assert_contains(piece.fault.text, "does not hold this snapshot");
	companion_close(companion);
	strbuf_close(&text);
	strbuf_close(&notes);
	close_scene(&scene);
}

static void
reads_on_while_a_piece_is_used(void **state)
{
	struct companion *companion;
	struct piece piece = { 0 };
	struct dump_place place;
	struct scene scene;
	char token[DUMP_TOKEN_SIZE];

	set_scene(&scene, state);
	companion = reach(&scene);
	begin_well(companion, FAST, token);
	ask_read(companion, token, "text", DUMP_PIECE_MAX, &piece.place);
	for (int i = 1; i < 10; i++) {
		take(companion, PATIENCE, &piece);
		place = piece.place;
		ask_read(companion, token, "text", DUMP_PIECE_MAX, &place);
		wait_until(fake->read == i + 1);
	}
	companion_close(companion);
	close_scene(&scene);
}

/* A step that ends before it has its answer is not in vain. */
static void
keeps_what_was_not_taken(void **state)
{
	struct companion *companion;
	struct piece piece = { 0 }, first;
	struct scene scene;
	char token[DUMP_TOKEN_SIZE], same[DUMP_TOKEN_SIZE];
	struct fault fault;

	set_scene(&scene, state);
	/* A snapshot that takes longer than a step. */
	for (int i = 0; i < 3; i++) {
		struct companion_answer answer = { 0 };

		companion = reach(&scene);
		ask_begin(companion, SLOW);
		assert_int_equal(companion_take(companion,
				     20 * BUDGET_MILLISECOND, &answer, &fault),
		    DUMP_WAIT);
		assert_true(companion_asked(companion));
		companion_close(companion);
	}
	companion = reach(&scene);
	begin_well(companion, SLOW, token);
	begin_well(companion, SLOW, same);
	assert_string_equal(token, same);
	assert_int_equal(fake->opened, 1);
	companion_close(companion);
	/* So with a piece. */
	for (int i = 0; i < 3; i++) {
		companion = reach(&scene);
		ask_read(companion, token, "slow", 100 + i, &piece.place);
		take(companion, 20 * BUDGET_MILLISECOND, &first);
		assert_int_equal(first.outcome, DUMP_WAIT);
		companion_close(companion);
	}
	companion = reach(&scene);
	read_piece(companion, token, "slow", 1000, &piece);
	assert_int_equal(piece.outcome, DUMP_MORE);
	assert_int_equal(fake->read, 1);
	/* It is as if it had not been taken, until the next is. */
	memset(&first, 0, sizeof(first));
	read_piece(companion, token, "slow", 1000, &first);
	assert_int_equal(first.last, piece.last);
	assert_int_equal(fake->read, 1);
	read_piece(companion, token, "text", 1000, &piece);
	assert_int_equal(piece.first, first.last + 1);
	memset(&first, 0, sizeof(first));
	read_piece(companion, token, "slow", 10, &first);
	assert_int_equal(fake->read, 3);
	/* A snapshot that was read from is not given again. */
	begin_well(companion, SLOW, same);
	assert_string_not_equal(token, same);
	read_piece(companion, token, "text", 10, &piece);
	assert_int_equal(piece.outcome, DUMP_AGAIN);
	companion_close(companion);
	close_scene(&scene);
}

static void
keeps_bad_news(void **state)
{
	struct companion *companion;
	struct piece piece = { 0 };
	struct scene scene;
	char token[DUMP_TOKEN_SIZE];
	struct fault fault;

	set_scene(&scene, state);
	companion = reach(&scene);
	ask_begin(companion, SLOW_REFUSED);
	companion_close(companion);
	wait_for_log(state, "cannot be had: refused by the server");
	companion = reach(&scene);
	fault_clear(&fault);
	assert_int_equal(
	    begin(companion, SLOW_REFUSED, token, &fault), DUMP_FAULT);
	assert_int_equal(fault.code, FAULT_RETRY);
	assert_string_equal(fault.text, "refused by the server");
	assert_int_equal(fake->opened, 1);
	/* Once it was told, another try is made. */
	assert_int_equal(begin(companion, REFUSED, token, &fault), DUMP_FAULT);
	assert_int_equal(begin(companion, REFUSED, token, &fault), DUMP_FAULT);
	assert_int_equal(fake->opened, 3);
	assert_int_equal(begin(companion, 4, token, &fault), DUMP_FAULT);
	assert_contains(fault.text, "database 5 of [profile 1] is no longer");

	begin_well(companion, FAST, token);
	ask_read(companion, token, "slow-fault", 10, &piece.place);
	companion_close(companion);
	wait_until(fake->rested == 1);
	companion = reach(&scene);
	for (int i = 1; i < 3; i++) {
		read_piece(companion, token, "slow-fault", 10, &piece);
		assert_int_equal(piece.outcome, DUMP_FAULT);
		assert_int_equal(piece.fault.code, FAULT_CORRUPT);
		assert_string_equal(piece.fault.text, "the table is broken");
		assert_int_equal(piece.length, 0);
		assert_int_equal(fake->read, i);
	}
	companion_close(companion);
	close_scene(&scene);
}

static void
says_what_a_snapshot_died_of(void **state)
{
	struct companion *companion;
	struct piece piece = { 0 };
	struct scene scene;
	char token[DUMP_TOKEN_SIZE];

	set_scene(&scene, state);
	companion = reach(&scene);
	begin_well(companion, FAST, token);
	for (int i = 0; i < 2; i++) {
		read_piece(companion, token, "wait", 10, &piece);
		assert_int_equal(piece.outcome, DUMP_WAIT);
	}
	assert_int_equal(fake->read, 2);
	for (int i = 0; i < 2; i++) {
		read_piece(companion, token, "again", 10, &piece);
		assert_int_equal(piece.outcome, DUMP_AGAIN);
		assert_string_equal(piece.fault.text, "the table was altered");
		assert_int_equal(fake->closed, 1);
	}
	begin_well(companion, FAST, token);
	fake->lost = true;
	wait_until(fake->closed == 2);
	read_piece(companion, token, "text", 10, &piece);
	assert_int_equal(piece.outcome, DUMP_AGAIN);
	assert_string_equal(piece.fault.text, "the server has gone away");
	companion_close(companion);
	close_scene(&scene);
}

static void
rests_when_its_client_is_gone(void **state)
{
	struct companion *one, *two;
	struct piece piece = { 0 };
	struct scene scene;
	char token[DUMP_TOKEN_SIZE];

	set_scene(&scene, state);
	one = reach(&scene);
	begin_well(one, FAST, token);
	read_piece(one, token, "text", 10, &piece);
	two = reach(&scene);
	read_piece(two, token, "text", 10, &piece);
	companion_close(two);
	assert_int_equal(fake->rested, 0);
	companion_close(one);
	wait_until(fake->rested == 1);
	/* Then it is kept alive, for snapshot_max. */
	wait_until(fake->idle == 2);
	assert_int_equal(fake->rested, 1);
	wait_until(fake->closed == 1);
	wait_for_log(state, "is lost: nobody has asked for it for");
	one = reach(&scene);
	read_piece(one, token, "text", 10, &piece);
	assert_int_equal(piece.outcome, DUMP_AGAIN);
	assert_contains(piece.fault.text, "nobody has asked for it");
	companion_close(one);
	close_scene(&scene);
}

static void
lets_go_when_a_backup_has_ended(void **state)
{
	struct companion *companion;
	struct scene scene;
	char token[DUMP_TOKEN_SIZE];
	struct fault fault;

	set_scene(&scene, state);
	companion = reach(&scene);
	begin_well(companion, FAST, token);
	assert_int_equal(
	    unlinkat(scene.engine.datadir.jobs, ID, AT_REMOVEDIR), 0);
	wait_until(fake->closed == 1);
	assert_int_equal(begin(companion, FAST, token, &fault), DUMP_FAULT);
	assert_contains(fault.text, "there is no unfinished backup " ID);
	assert_int_equal(fake->opened, 1);
	companion_close(companion);
	close_scene(&scene);
}

/* Somebody asks for a lot, and takes nothing. */
static void
waits_for_no_frozen_client(void **state)
{
	struct companion *frozen, *other;
	struct piece piece = { 0 };
	struct dump_place start = { 0 };
	struct scene scene;
	char token[DUMP_TOKEN_SIZE];

	set_scene(&scene, state);
	frozen = reach(&scene);
	other = reach(&scene);
	begin_well(frozen, FAST, token);
	ask_read(frozen, token, "text", DUMP_PIECE_MAX, &start);
	wait_until(fake->read == 1);
	read_piece(other, token, "text", DUMP_PIECE_MAX, &piece);
	assert_int_equal(piece.first, 1);
	assert_int_equal(fake->read, 1);
	read_piece(other, token, "text", DUMP_PIECE_MAX, &piece);
	assert_true(piece.first > 1);
	/* What the first was told is not disturbed. */
	take(frozen, PATIENCE, &piece);
	assert_int_equal(piece.first, 1);
	companion_close(frozen);
	companion_close(other);
	close_scene(&scene);
}

/* While one query takes long, others are greeted and served. */
static void
greets_at_once(void **state)
{
	struct companion *slow, *other;
	struct piece piece = { 0 };
	struct scene scene;
	char token[DUMP_TOKEN_SIZE], another[DUMP_TOKEN_SIZE];
	int64_t before;

	set_scene(&scene, state);
	slow = reach(&scene);
	begin_well(slow, SLOW, token);
	ask_read(slow, token, "slow", 10, &piece.place);
	wait_until(fake->read == 1);
	before = budget_now();
	other = reach(&scene);
	begin_well(other, FAST, another);
	read_piece(other, another, "text", 10, &piece);
	assert_true(budget_now() - before < FAKE_MOMENT * BUDGET_MILLISECOND);
	take(slow, 0, &piece);
	assert_int_equal(piece.outcome, DUMP_WAIT);
	companion_close(slow);
	companion_close(other);
	close_scene(&scene);
}

/* The sanitizer finds what is lost, and /proc what is only kept. */
static int64_t
memory_of(pid_t pid)
{
	struct strbuf status = STRBUF_EMPTY;
	char path[64];
	int64_t kibibytes;

	snprintf(path, sizeof(path), "%d/status", (int)pid);
	tool_read("/proc", path, &status);
	kibibytes = strtoll(strstr(status.bytes, "RssAnon:") + 8, NULL, 10);
	strbuf_close(&status);
	return kibibytes;
}

static void
does_not_grow(void **state)
{
	struct companion *companion = NULL;
	struct piece piece = { 0 };
	int64_t before = 0;
	struct scene scene;
	char token[DUMP_TOKEN_SIZE];

	set_scene(&scene, state);
	for (int i = 0; i < 4000; i++) {
		if (i % 100 == 0) {
			companion_close(companion);
			companion = reach(&scene);
			begin_well(companion, FAST, token);
		}
		read_piece(companion, token, "text",
		    i % 50 == 0 ? DUMP_PIECE_MAX : 1000, &piece);
		assert_int_equal(piece.outcome, DUMP_MORE);
		if (i == 1000)
			before = memory_of(scene.child);
	}
	if (!SANITIZED) {
		assert_in_range(memory_of(scene.child), 0, before + 1024);
		assert_in_range(before, 0, 12 * 1024);
	}
	companion_close(companion);
	close_scene(&scene);
}

/* Several that ask for the same and for other things, again and again. */
struct crowd {
	struct scene *scene;
	int64_t database;
	unsigned seed;
};

static void *
ask_around(void *user)
{
	static const char *const lines[] = { "text", "again", "fault", "wait" };
	struct crowd *crowd = user;
	struct piece piece;

	for (int i = 0; i < 40; i++) {
		struct companion *companion = reach(crowd->scene);
		char token[DUMP_TOKEN_SIZE];
		struct fault fault;

		memset(&piece, 0, sizeof(piece));
		begin(companion, crowd->database, token, &fault);
		for (int k = 0; k < 20 && piece.outcome != DUMP_FAULT; k++) {
			unsigned dice = (unsigned)rand_r(&crowd->seed) % 40;

			read_piece(companion, token, lines[dice < 4 ? dice : 0],
			    100 + 1000 * dice, &piece);
		}
		if (i % 3 == 0 && piece.outcome != DUMP_FAULT)
			ask_read(
			    companion, token, "text", 100000, &piece.place);
		companion_close(companion);
	}
	return NULL;
}

static void
serves_a_crowd(void **state)
{
	struct crowd crowds[8];
	pthread_t threads[COUNT_OF(crowds)];
	struct scene scene;

	set_scene(&scene, state);
	for (size_t i = 0; i < COUNT_OF(crowds); i++) {
		crowds[i] = (struct crowd){ &scene, i % 3 == 0 ? REFUSED : FAST,
			(unsigned)i };
		assert_int_equal(
		    pthread_create(&threads[i], NULL, ask_around, &crowds[i]),
		    0);
	}
	for (size_t i = 0; i < COUNT_OF(crowds); i++)
		pthread_join(threads[i], NULL);
	assert_true(fake->read > 100);
	close_scene(&scene);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_on_questions),
		cmocka_unit_test(passes_on_answers),
		cmocka_unit_test(refuses_senseless_questions),
		scratch_test(reads_a_database),
		scratch_test(reads_on_while_a_piece_is_used),
		scratch_test(keeps_what_was_not_taken),
		scratch_test(keeps_bad_news),
		scratch_test(says_what_a_snapshot_died_of),
		scratch_test(rests_when_its_client_is_gone),
		scratch_test(lets_go_when_a_backup_has_ended),
		scratch_test(waits_for_no_frozen_client),
		scratch_test(greets_at_once),
		scratch_test(does_not_grow),
		scratch_test(serves_a_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
