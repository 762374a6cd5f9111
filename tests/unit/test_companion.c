/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "fake_dump.h"
#include "tool.h"

#include "base/budget.h"
#include "run/companion_internal.h"
#include "run/engine.h"
#include "store/config.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#else
#define __lsan_do_recoverable_leak_check() 0
#endif

#define ID       "20260102-030405-abcdefghijklmnop"
#define PATIENCE (30 * BUDGET_SECOND)

/* Databases of the profile. */
enum { FAST, SLOW, REFUSED, SLOW_REFUSED };

/* A data directory, and a companion of it in a child. */
struct scene {
	struct config config;
	struct engine engine;
	char *path; /* of the configuration */
	pid_t child;
};

static void
write_config(struct scene *scene, const char *top, const char *data)
{
	struct strbuf text = STRBUF_EMPTY;

	strbuf_addf(&text,
	    "[server]\ndata = %s/%s\nsnapshot_max = 3s\n[profile 1]\n"
	    "site = %s/site\nname = Site\nmin_free = 0\n"
	    "database = mysql://u:p@h/fast\ndatabase = mysql://u:p@h/slow\n"
	    "database = mysql://u:p@h/refused\n"
	    "database = mysql://u:p@h/slow-refused\n",
	    top, data, top);
	tool_write(top, "conf", text.bytes, text.length);
	strbuf_close(&text);
	if (asprintf(&scene->path, "%s/conf", top) < 0)
		abort();
	assert_int_equal(chmod(scene->path, 0600), 0);
}

static int
serve(void *context)
{
	struct scene *scene = context;
	struct config config = { 0 };
	struct engine engine;
	struct fault fault;
	int result;

	CHILD_CHECK(
	    config_load(&config, scene->path, CONFIG_STAY, &fault) == 0);
	CHILD_CHECK(engine_open(&engine, &config, &fault) == 0);
	result = companion_main(&engine, false, &fault) == 0 ? 0
	    : fault.code == FAULT_BUSY                       ? 5
							     : 1;
	engine_close(&engine);
	config_close(&config);
	return __lsan_do_recoverable_leak_check() != 0 ? 98 : result;
}

static void
open_scene(struct scene *scene, void **state, const char *data)
{
	struct fault fault;

	memset(scene, 0, sizeof(*scene));
	fake_reset();
	write_config(scene, *state, data);
	assert_fine(
	    config_load(&scene->config, scene->path, CONFIG_STAY, &fault),
	    &fault);
	assert_fine(
	    engine_open(&scene->engine, &scene->config, &fault), &fault);
	assert_int_equal(mkdirat(scene->engine.datadir.jobs, ID, 0700), 0);
}

/* A connection to the companion that is there. */
static struct companion *
reach(struct scene *scene)
{
	struct companion *companion;
	struct fault fault;

	assert_fine(
	    companion_open(&companion, &scene->engine, PATIENCE, &fault),
	    &fault);
	return companion;
}

static void
start(struct scene *scene)
{
	int fd;

	scene->child = tool_fork(serve, scene);
	while ((fd = companion_connect(&scene->engine)) < 0) {
		assert_int_equal(waitpid(scene->child, NULL, WNOHANG), 0);
		usleep(1000);
	}
	close(fd);
}

static void
close_scene(struct scene *scene)
{
	if (scene->child > 0) {
		kill(scene->child, SIGTERM);
		assert_int_equal(tool_wait(scene->child), 0);
		assert_int_equal(fake->opened, fake->closed);
	}
	engine_close(&scene->engine);
	config_close(&scene->config);
	free(scene->path);
}

static void
set_scene(struct scene *scene, void **state)
{
	open_scene(scene, state, "data");
	start(scene);
}

/* -- what a step does -- */

static void
ask_begin(struct companion *companion, int64_t database)
{
	struct companion_ask ask = {
		.request = COMPANION_BEGIN,
		.id = ID,
		.profile = 1,
		.database = database,
	};
	struct fault fault;

	assert_fine(companion_ask(companion, &ask, &fault), &fault);
}

static enum dump_outcome
begin(struct companion *companion, int64_t database, char *token,
    struct fault *fault)
{
	struct companion_answer answer = { 0 };
	enum dump_outcome outcome;

	ask_begin(companion, database);
	outcome = companion_take(companion, PATIENCE, &answer, fault);
	memcpy(token, answer.token, DUMP_TOKEN_SIZE);
	if (outcome == DUMP_ENDED)
		assert_string_equal(answer.facts.server, "Fake Site");
	return outcome;
}

static void
begin_well(struct companion *companion, int64_t database, char *token)
{
	struct fault fault;

	assert_int_equal(begin(companion, database, token, &fault), DUMP_ENDED);
	assert_int_equal(strlen(token), 26);
}

static void
ask_read(struct companion *companion, const char *token, const char *line,
    int64_t bytes, const struct dump_place *place)
{
	struct companion_ask ask = {
		.request = COMPANION_READ,
		.line = line,
		.bytes = bytes,
		.place = place,
	};
	struct fault fault;

	snprintf(ask.token, sizeof(ask.token), "%s", token);
	assert_fine(companion_ask(companion, &ask, &fault), &fault);
}

/* Take a piece: the rows that it begins and ends with. */
struct piece {
	enum dump_outcome outcome;
	int64_t first;
	int64_t last;
	struct dump_place place;
	size_t length;
	struct fault fault;
};

static void
take(struct companion *companion, int64_t patience, struct piece *piece)
{
	struct strbuf text = STRBUF_EMPTY, notes = STRBUF_EMPTY;
	struct companion_answer answer = {
		.place = &piece->place,
		.text = &text,
		.notes = &notes,
	};

	memset(piece, 0, sizeof(*piece));
	strbuf_addstr(&text, "before ");
	piece->outcome =
	    companion_take(companion, patience, &answer, &piece->fault);
	piece->length = text.length - 7;
	if (piece->outcome == DUMP_MORE) {
		piece->first = strtoll(text.bytes + 11, NULL, 10);
		piece->last = strtoll(strrchr(notes.bytes, ' '), NULL, 10);
		assert_int_equal(piece->place.rows, piece->last);
	}
	strbuf_close(&text);
	strbuf_close(&notes);
}

static void
read_piece(struct companion *companion, const char *token, const char *line,
    int64_t bytes, struct piece *piece)
{
	struct dump_place from = piece->place;

	ask_read(companion, token, line, bytes, &from);
	take(companion, PATIENCE, piece);
	assert_false(companion_asked(companion));
}

/* What the log has, at the latest in a moment. */
static void
wait_for_log(void **state, const char *words)
{
	struct strbuf log = STRBUF_EMPTY;

	for (int i = 0; i < 10000; i++) {
		strbuf_reset(&log);
		tool_read(*state, "data/companion.log", &log);
		if (strstr(strbuf_text(&log), words) != NULL)
			break;
		usleep(2000);
	}
	assert_contains(strbuf_text(&log), words);
	strbuf_close(&log);
}

#define wait_until(condition)                                  \
	do {                                                   \
		int left = 10000;                              \
		while (!(condition) && --left > 0)             \
			usleep(2000);                          \
		if (left == 0)                                 \
			fail_msg("it never was: " #condition); \
	} while (0)

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

/* -- tests of the process -- */

static void
is_one_only(void **state)
{
	struct scene scene;
	struct stat st;

	set_scene(&scene, state);
	assert_int_equal(tool_wait(tool_fork(serve, &scene)), 5);
	assert_int_equal(fstatat(scene.engine.datadir.fd, COMPANION_SOCKET, &st,
			     AT_SYMLINK_NOFOLLOW),
	    0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0600);
	companion_close(reach(&scene));
	close_scene(&scene);
	wait_for_log(state, "the companion leaves: SIGTERM");
	assert_int_equal(
	    faccessat(scene.engine.datadir.fd, COMPANION_SOCKET, F_OK, 0), -1);
}

static void
leaves_to_another_build(void **state)
{
	struct scene scene;
	int fd;

	set_scene(&scene, state);
	fd = companion_connect(&scene.engine);
	assert_true(fd >= 0);
	assert_int_equal(companion_send_text(fd, COMPANION_LEAVE), 0);
	assert_int_equal(tool_wait(scene.child), 0);
	wait_for_log(state, "the companion leaves: another build");
	scene.child = 0;
	close(fd);
	close_scene(&scene);
}

/* A companion of another build: greets, and leaves if it is told. */
static int
serve_otherwise(void *context)
{
	struct scene *scene = context;
	struct strbuf line = STRBUF_EMPTY;
	struct lock lock = LOCK_FREE;
	struct fault fault;
	int listener, fd;

	CHILD_CHECK(lock_take(&lock, &scene->engine.datadir, COMPANION_LOCK,
			NULL, &fault) == 0);
	listener = companion_listen(&scene->engine, &fault);
	CHILD_CHECK(listener >= 0);
	CHILD_CHECK(
	    companion_wait(listener, POLLIN, budget_now() + PATIENCE) == 1);
	fd = accept(listener, NULL, NULL);
	CHILD_CHECK(
	    companion_send_text(fd, "stepvault companion 0.0/9\n") == 0);
	CHILD_CHECK(
	    companion_receive_line(fd, &line, budget_now() + PATIENCE) == 1);
	CHILD_CHECK(strcmp(line.bytes, "leave\n") == 0);
	strbuf_close(&line);
	unlinkat(scene->engine.datadir.fd, COMPANION_SOCKET, 0);
	return 0;
}

static void
sends_another_build_away(void **state)
{
	struct companion *companion;
	struct scene scene;
	struct fault fault;

	open_scene(&scene, state, "data");
	scene.child = tool_fork(serve_otherwise, &scene);
	wait_until(
	    faccessat(scene.engine.datadir.fd, COMPANION_SOCKET, F_OK, 0) == 0);
	assert_faulty(
	    companion_open(&companion, &scene.engine, PATIENCE, &fault),
	    FAULT_SYSTEM, "no companion runs", &fault);
	assert_null(companion);
	close_scene(&scene);
}

static void
outlives_its_socket(void **state)
{
	struct companion *companion;
	struct piece piece = { 0 };
	struct scene scene;
	char token[DUMP_TOKEN_SIZE];

	set_scene(&scene, state);
	companion = reach(&scene);
	begin_well(companion, FAST, token);
	companion_close(companion);
	assert_int_equal(
	    unlinkat(scene.engine.datadir.fd, COMPANION_SOCKET, 0), 0);
	wait_until(
	    faccessat(scene.engine.datadir.fd, COMPANION_SOCKET, F_OK, 0) == 0);
	companion = reach(&scene);
	read_piece(companion, token, "text", 10, &piece);
	assert_int_equal(piece.outcome, DUMP_MORE);
	companion_close(companion);
	close_scene(&scene);
}

static void
leaves_with_its_data_directory(void **state)
{
	struct scene scene;

	set_scene(&scene, state);
	assert_int_equal(tool_run(*state, "rm -r data"), 0);
	assert_int_equal(tool_wait(scene.child), 0);
	scene.child = 0;
	close_scene(&scene);
}

static void
stands_at_the_end_of_a_long_path(void **state)
{
	char name[201] = "";
	struct scene scene;

	memset(name, 'd', sizeof(name) - 1);
	open_scene(&scene, state, name);
	start(&scene);
	companion_close(reach(&scene));
	close_scene(&scene);
}

/* None of its threads runs any more. */
static void
freeze(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
}

static void
is_given_up_when_frozen(void **state)
{
	struct companion *companion;
	struct piece piece = { 0 };
	struct scene scene;
	char token[DUMP_TOKEN_SIZE];
	struct fault fault;

	set_scene(&scene, state);
	companion = reach(&scene);
	begin_well(companion, FAST, token);
	companion_close(companion);
	freeze(scene.child);
	assert_faulty(companion_open(&companion, &scene.engine,
			  200 * BUDGET_MILLISECOND, &fault),
	    FAULT_RETRY, "does not answer", &fault);
	kill(scene.child, SIGCONT);
	companion = reach(&scene);
	freeze(scene.child);
	ask_read(companion, token, "text", 10, &piece.place);
	take(companion, 100 * BUDGET_MILLISECOND, &piece);
	assert_int_equal(piece.outcome, DUMP_WAIT);
	companion_kill(&scene.engine);
	take(companion, PATIENCE, &piece);
	assert_int_equal(piece.outcome, DUMP_FAULT);
	assert_int_equal(piece.fault.code, FAULT_RETRY);
	assert_false(companion_asked(companion));
	companion_close(companion);
	assert_int_equal(tool_wait(scene.child), 128 + SIGKILL);
	/* There is nobody to be killed now. */
	companion_kill(&scene.engine);
	fake_reset();
	start(&scene);
	companion_close(reach(&scene));
	close_scene(&scene);
}

static void
kills_nobody_without_the_lock(void **state)
{
	struct scene scene;
	struct fault fault;
	int listener;

	open_scene(&scene, state, "data");
	/* That would be this process. */
	listener = companion_listen(&scene.engine, &fault);
	assert_true(listener >= 0);
	companion_kill(&scene.engine);
	close(listener);
	close_scene(&scene);
}

static void
answers_nonsense(void **state)
{
	struct strbuf line = STRBUF_EMPTY;
	struct companion_head head;
	struct scene scene;
	struct fault fault;
	char *long_line = calloc(1, COMPANION_LINE_MAX + 2);
	int fd;

	set_scene(&scene, state);
	fd = companion_connect(&scene.engine);
	assert_int_equal(
	    companion_receive_line(fd, &line, budget_now() + PATIENCE), 1);
	assert_string_equal(line.bytes, COMPANION_GREETING);
	strbuf_reset(&line);
	assert_int_equal(companion_send_text(fd, "{\"version\":1}\n"), 0);
	assert_int_equal(
	    companion_receive_line(fd, &line, budget_now() + PATIENCE), 1);
	assert_fine(companion_read_head(&head, line.bytes, line.length, &fault),
	    &fault);
	assert_int_equal(head.outcome, DUMP_FAULT);
	assert_int_equal(head.fault.code, FAULT_CORRUPT);
	/* More than a line has is not listened to. */
	assert_non_null(long_line);
	memset(long_line, 'x', COMPANION_LINE_MAX + 1);
	companion_send_text(fd, long_line);
	strbuf_reset(&line);
	assert_int_equal(
	    companion_receive_line(fd, &line, budget_now() + PATIENCE), -1);
	close(fd);
	free(long_line);
	strbuf_close(&line);
	close_scene(&scene);
}

/* -- tests of its start: this program is a companion, too -- */

static void
set_stage(struct scene *scene, void **state)
{
	open_scene(scene, state, "data");
	scene->engine.has_companion = true;
}

static pid_t
find_pid(struct scene *scene)
{
	int fd = companion_connect(&scene->engine);
	pid_t pid;

	assert_true(fd >= 0);
	assert_true(companion_knows(fd, &pid));
	close(fd);
	return pid;
}

/* End the one that was started, which is nobody's child. */
static void
clear_stage(struct scene *scene)
{
	int pidfd = pidfd_open(find_pid(scene), 0);

	assert_true(pidfd >= 0);
	assert_int_equal(pidfd_send_signal(pidfd, SIGTERM, NULL, 0), 0);
	assert_int_equal(
	    companion_wait(pidfd, POLLIN, budget_now() + PATIENCE), 1);
	close(pidfd);
	close_scene(scene);
}

/* Where a link in /proc of a process leads to; NULL if there is none. */
static const char *
read_link(pid_t pid, const char *name, char *target, size_t size)
{
	char path[400];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	length = readlink(path, target, size - 1);
	if (length < 0)
		return NULL;
	target[length] = '\0';
	return target;
}

static void
check_descriptors(const char *top, pid_t pid)
{
	char path[64], name[300], target[4096];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "fd/%s", entry->d_name);
		/* Connections come and go. */
		if (read_link(pid, name, target, sizeof(target)) == NULL)
			continue;
		if (fd <= STDERR_FILENO)
			assert_string_equal(target, "/dev/null");
		else if (strncmp(target, top, strlen(top)) != 0 &&
		    strncmp(target, "anon_inode:", 11) != 0 &&
		    strncmp(target, "socket:", 7) != 0)
			fail_msg("%d is %s", fd, target);
	}
	closedir(dir);
}

static void
is_started_with_nothing_of_ours(void **state)
{
	struct strbuf text = STRBUF_EMPTY;
	char target[4096], path[64];
	struct scene scene;
	int ends[2];
	pid_t pid;

	set_stage(&scene, state);
	assert_int_equal(pipe(ends), 0);
	setenv("REQUEST_METHOD", "GET", 1);
	setenv("QUERY_STRING", "key=secret", 1);
	setenv("HTTP_PROXY", "x", 1);
	setenv("LC_TIME", "C", 1);
	companion_close(reach(&scene));
	unsetenv("REQUEST_METHOD");
	unsetenv("QUERY_STRING");
	unsetenv("HTTP_PROXY");
	/* Nobody has the other end of our pipe. */
	close(ends[1]);
	assert_int_equal(
	    companion_wait(ends[0], POLLIN, budget_now() + PATIENCE), 1);
	close(ends[0]);
	/* It is no child of ours, and no zombie is. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	pid = find_pid(&scene);
	assert_int_not_equal(getsid(pid), getsid(0));
	assert_int_not_equal(getpgid(pid), getpgid(0));
	assert_string_equal(read_link(pid, "cwd", target, sizeof(target)), "/");
	check_descriptors(*state, pid);
	snprintf(path, sizeof(path), "%d/environ", (int)pid);
	tool_read("/proc", path, &text);
	for (size_t i = 0; i < text.length; i++)
		if (text.bytes[i] == '\0')
			text.bytes[i] = '\n';
	assert_contains(text.bytes, "LC_TIME=C\n");
	assert_null(strstr(text.bytes, "REQUEST_METHOD"));
	assert_null(strstr(text.bytes, "secret"));
	assert_null(strstr(text.bytes, "HTTP_"));
	strbuf_close(&text);
	clear_stage(&scene);
}

static int
reach_as_a_child(void *context)
{
	struct scene *scene = context;
	struct companion *companion;
	struct fault fault;
	int result;

	result = companion_open(&companion, &scene->engine, PATIENCE, &fault);
	if (result != 0)
		dprintf(STDERR_FILENO, "%s\n", fault.text);
	companion_close(companion);
	return result;
}

static void
is_started_once(void **state)
{
	struct strbuf log = STRBUF_EMPTY;
	pid_t children[20];
	struct scene scene;
	int count = 0;

	set_stage(&scene, state);
	for (int round = 0; round < 5; round++) {
		for (size_t i = 0; i < COUNT_OF(children); i++)
			children[i] = tool_fork(reach_as_a_child, &scene);
		for (size_t i = 0; i < COUNT_OF(children); i++)
			assert_int_equal(tool_wait(children[i]), 0);
		/* Whoever comes while one goes finds the next. */
		if (round < 4)
			kill(find_pid(&scene),
			    round % 2 == 0 ? SIGTERM : SIGKILL);
	}
	tool_read(*state, "data/companion.log", &log);
	for (const char *at = log.bytes;
	     (at = strstr(at, "the companion is here")) != NULL; at++)
		count++;
	assert_int_equal(count, 5);
	strbuf_close(&log);
	clear_stage(&scene);
}

static void
says_why_it_cannot_be_started(void **state)
{
	struct companion *companion;
	struct scene scene;
	struct fault fault;

	set_stage(&scene, state);
	assert_int_equal(tool_run(*state, "mkdir data/companion.sock"), 0);
	assert_faulty(
	    companion_open(&companion, &scene.engine, PATIENCE, &fault),
	    FAULT_SYSTEM, "cannot be started: 'companion.sock' cannot be",
	    &fault);
	assert_int_equal(tool_run(*state, "rmdir data/companion.sock"), 0);
	/* As where what is in the background is killed. */
	assert_int_equal(tool_run(*state, ": >data/kill"), 0);
	assert_faulty(
	    companion_open(&companion, &scene.engine, PATIENCE, &fault),
	    FAULT_SYSTEM, "ends as soon as it has started", &fault);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	close_scene(&scene);
}

/* A step that has no time left for the start is followed by one that has. */
static void
starts_in_its_own_time(void **state)
{
	struct companion *companion = NULL;
	struct scene scene;
	struct fault fault;
	int tries = 0;

	/* Several are started; all become our children. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	set_stage(&scene, state);
	while (companion_open(&companion, &scene.engine, BUDGET_MILLISECOND,
		   &fault) != 0) {
		assert_int_equal(fault.code, FAULT_RETRY);
		assert_true(++tries < 10000);
	}
	companion_close(companion);
	while (waitpid(-1, NULL, WNOHANG) >= 0) {
		int fd = companion_connect(&scene.engine);
		pid_t pid;

		if (fd >= 0 && companion_knows(fd, &pid))
			kill(pid, SIGTERM);
		if (fd >= 0)
			close(fd);
		usleep(2000);
	}
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	close_scene(&scene);
}

/* What this program is when it is called by companion_start. */
static int
be_companion(char **arguments)
{
	struct scene scene = { .path = arguments[3] };
	struct config config = { 0 };
	struct engine engine;
	struct fault fault;
	int result;

	signal(SIGPIPE, SIG_IGN);
	fake_reset();
	CHILD_CHECK(strcmp(arguments[2], "--config") == 0);
	CHILD_CHECK(config_load(&config, scene.path, CONFIG_STAY, &fault) == 0);
	CHILD_CHECK(engine_open(&engine, &config, &fault) == 0);
	if (faccessat(engine.datadir.fd, "kill", F_OK, 0) == 0) {
		dprintf(STDOUT_FILENO, COMPANION_LISTENS "\n");
		return 0;
	}
	result = companion_main(&engine, true, &fault);
	if (result != 0)
		dprintf(STDERR_FILENO, "%s\n", fault.text);
	engine_close(&engine);
	config_close(&config);
	return result != 0;
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
main(int argc, char **argv)
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
		scratch_test(is_one_only),
		scratch_test(leaves_to_another_build),
		scratch_test(sends_another_build_away),
		scratch_test(outlives_its_socket),
		scratch_test(leaves_with_its_data_directory),
		scratch_test(stands_at_the_end_of_a_long_path),
		scratch_test(is_given_up_when_frozen),
		scratch_test(kills_nobody_without_the_lock),
		scratch_test(answers_nonsense),
		scratch_test(serves_a_crowd),
		scratch_test(is_started_with_nothing_of_ours),
		scratch_test(is_started_once),
		scratch_test(says_why_it_cannot_be_started),
		scratch_test(starts_in_its_own_time),
	};

	if (argc > 3 && strcmp(argv[1], "--companion") == 0)
		return be_companion(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
