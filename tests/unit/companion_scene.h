/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_COMPANION_SCENE_H
#define TESTS_UNIT_COMPANION_SCENE_H

#include "check.h"
#include "fake_dump.h"
#include "tool.h"

#include "base/budget.h"
#include "run/companion_internal.h"
#include "run/engine.h"
#include "store/config.h"

#include <signal.h>
#include <sys/stat.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#else
#define __lsan_do_recoverable_leak_check() 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* A companion of databases that only a fake has, and steps that ask it. */

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

static inline void
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

static inline int
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

static inline void
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
static inline struct companion *
reach(struct scene *scene)
{
	struct companion *companion;
	struct fault fault;

	assert_fine(
	    companion_open(&companion, &scene->engine, PATIENCE, &fault),
	    &fault);
	return companion;
}

static inline void
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

static inline void
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

static inline void
set_scene(struct scene *scene, void **state)
{
	open_scene(scene, state, "data");
	start(scene);
}

/* -- what a step does -- */

static inline void
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

static inline enum dump_outcome
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

static inline void
begin_well(struct companion *companion, int64_t database, char *token)
{
	struct fault fault;

	assert_int_equal(begin(companion, database, token, &fault), DUMP_ENDED);
	assert_int_equal(strlen(token), 26);
}

static inline void
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

static inline void
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

static inline void
read_piece(struct companion *companion, const char *token, const char *line,
    int64_t bytes, struct piece *piece)
{
	struct dump_place from = piece->place;

	ask_read(companion, token, line, bytes, &from);
	take(companion, PATIENCE, piece);
	assert_false(companion_asked(companion));
}

/* What the log has, at the latest in a moment. */
static inline void
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

#endif
