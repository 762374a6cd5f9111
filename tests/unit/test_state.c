/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "dice.h"
#include "tool.h"

#include "store/state.h"

#include <sys/stat.h>

static const struct keys keys = { .step = "steps", .state = "states" };

#define ID "20261121-093015-abcdefghijklmnop"

/* Every number of a state, as large as it can be written. */
static void
fill(struct state *state)
{
	int64_t *counts = (int64_t *)&state->counts;

	memset(state, 0, sizeof(*state));
	strcpy(state->id, ID);
	state->number = state->profile = state->started = INT64_MAX;
	state->origin = RECORD_CLI;
	state->phase = PHASE_PUBLISH;
	memset(state->archive, '\xff', sizeof(state->archive) - 1);
	memset(state->reason, '\xff', sizeof(state->reason) - 1);
	for (int i = 0; i < PHASE_COUNT; i++)
		state->phase_ms[state->phase_count++] = INT64_MIN;
	state->steps = state->checkpoints = state->kills = INT64_MIN;
	state->last_step = state->publish = INT64_MIN;
	for (int i = 0; i < SPOOL_COUNT; i++)
		state->spools[i] = (struct extent){ INT64_MAX, INT64_MAX };
	state->volume = state->plain = INT64_MAX;
	state->walk = (struct walk_cursor){ INT64_MIN, INT64_MIN, INT64_MIN,
		INT64_MIN, true, INT64_MIN, INT64_MIN, { INT64_MIN, INT64_MIN },
		INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN,
		INT64_MIN, INT64_MIN };
	state->pack = (struct pack_cursor){ INT64_MIN, INT64_MIN, true,
		INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN,
		INT64_MIN, INT64_MIN, INT64_MIN, true, { 1, 2, 3 } };
	state->finish = (struct finish_cursor){ INT64_MIN, INT64_MIN, INT64_MIN,
		INT64_MIN, { 4, 5, 6 } };
	memset(state->manifest_sha256, 7, sizeof(state->manifest_sha256));
	memset(state->sums_sha256, 8, sizeof(state->sums_sha256));
	for (size_t i = 0; i < sizeof(state->counts) / sizeof(*counts); i++)
		counts[i] = INT64_MIN + (int64_t)i;
	for (int i = 0; i < STATE_PATTERNS_MAX; i++)
		state->excluded[state->excluded_count++] = INT64_MIN + i;
}

static int
parse(struct state *state, const struct strbuf *text, struct fault *fault)
{
	return state_parse(state, text->bytes, text->length, &keys, fault);
}

/* Save and read the text. */
static void
save(void **scratch, const struct state *state, struct strbuf *text)
{
	int dirfd = scratch_open(scratch);
	struct fault fault;

	assert_fine(state_save(state, dirfd, &keys, &fault), &fault);
	strbuf_reset(text);
	tool_read(*scratch, STATE_FILE, text);
	close(dirfd);
}

static void
fits_into_its_limit(void **scratch)
{
	int dirfd = scratch_open(scratch);
	struct state written, got;
	struct fault fault;
	struct stat st;

	fill(&written);
	memset(&got, 1, sizeof(got));
	assert_faulty(state_load(&got, dirfd, &keys, &fault), FAULT_NOT_FOUND,
	    STATE_FILE, &fault);
	assert_fine(state_save(&written, dirfd, &keys, &fault), &fault);
	assert_int_equal(fstatat(dirfd, STATE_FILE, &st, 0), 0);
	print_message("%lld bytes\n", (long long)st.st_size);
	assert_in_range(st.st_size, 1, STATE_SIZE_MAX);
	assert_int_equal(st.st_mode & 07777, 0600);
	memset(&got, 1, sizeof(got));
	assert_fine(state_load(&got, dirfd, &keys, &fault), &fault);
	/* Nothing of it is left out; padding is zero in both. */
	assert_memory_equal(&written, &got, sizeof(got));
	assert_string_equal(state_spool_name(SPOOL_CATALOG), "catalog");
	assert_string_equal(state_spool_name(SPOOL_WARNINGS), "warnings");
	close(dirfd);
}

static void
refuses_a_file_that_is_too_large(void **scratch)
{
	int dirfd = scratch_open(scratch);
	char *large = calloc(1, STATE_SIZE_MAX + 1);
	struct state state;
	struct fault fault;

	tool_write(*scratch, STATE_FILE, large, STATE_SIZE_MAX + 1);
	assert_faulty(state_load(&state, dirfd, &keys, &fault), FAULT_CORRUPT,
	    "state.json is no file of at most 65536 bytes", &fault);
	tool_write(*scratch, STATE_FILE, large, STATE_SIZE_MAX);
	assert_faulty(state_load(&state, dirfd, &keys, &fault), FAULT_CORRUPT,
	    "state.json: its HMAC does not match", &fault);
	tool_write(*scratch, STATE_FILE, large, 0);
	assert_faulty(state_load(&state, dirfd, &keys, &fault), FAULT_CORRUPT,
	    "state.json: its HMAC does not match", &fault);
	free(large);
	close(dirfd);
}

static void
finds_every_cut_and_flip(void **scratch)
{
	struct dice dice = dice_new();
	struct strbuf text = STRBUF_EMPTY;
	struct state state;
	struct fault fault;

	fill(&state);
	state.excluded_count = 5;
	save(scratch, &state, &text);
	assert_fine(parse(&state, &text, &fault), &fault);
	for (size_t i = 0; i < text.length; i++) {
		char flip = (char)(1 << dice_roll(&dice, 8));

		text.bytes[i] ^= flip;
		assert_faulty(parse(&state, &text, &fault), FAULT_CORRUPT,
		    "its HMAC does not match", &fault);
		text.bytes[i] ^= flip;
		assert_faulty(state_parse(&state, text.bytes, i, &keys, &fault),
		    FAULT_CORRUPT, "its HMAC does not match", &fault);
	}
	strbuf_close(&text);
}

static void
is_bound_to_its_key(void **scratch)
{
	struct strbuf text = STRBUF_EMPTY;
	struct keys other = keys;
	struct state state;
	struct fault fault;

	fill(&state);
	save(scratch, &state, &text);
	other.state[31] ^= 0x80;
	assert_faulty(
	    state_parse(&state, text.bytes, text.length, &other, &fault),
	    FAULT_CORRUPT, "written with another key", &fault);
	/* The key of tokens is of no use. */
	memcpy(other.state, keys.step, sizeof(other.state));
	assert_faulty(
	    state_parse(&state, text.bytes, text.length, &other, &fault),
	    FAULT_CORRUPT, "its HMAC does not match", &fault);
	other = keys;
	other.step[0] ^= 1;
	assert_fine(
	    state_parse(&state, text.bytes, text.length, &other, &fault),
	    &fault);
	strbuf_close(&text);
}

/* Replace words in a state and give it the right HMAC, as only we could. */
static void
forge(struct strbuf *text, const char *old, const char *new)
{
	const char *at = strstr(text->bytes, old);
	const char *tail = strstr(text->bytes, "\"hmac\"");
	struct strbuf out = STRBUF_EMPTY;
	uint8_t hmac[TOKEN_HASH_SIZE];

	assert_non_null(at);
	assert_non_null(tail);
	strbuf_add(&out, text->bytes, (size_t)(at - text->bytes));
	strbuf_addstr(&out, new);
	strbuf_add(&out, at + strlen(old), (size_t)(tail - at) - strlen(old));
	token_hmac(keys.state, out.bytes, out.length, hmac);
	strbuf_addstr(&out, "\"hmac\": \"");
	strbuf_add_hex(&out, hmac, sizeof(hmac));
	strbuf_addstr(&out, "\"\n}\n");
	strbuf_close(text);
	*text = out;
}

static void
refuses_what_makes_no_sense(void **scratch)
{
	static const struct {
		const char *old, *new, *words;
	} wrong[] = {
		{ "\"version\":2", "\"version\":1", "its version is not 2" },
		{ "\"version\":2", "\"version\":2,\"later\":0", "are known" },
		{ "\"kills\":0,", "", "'kills' is missing" },
		{ "\"phase\":\"init\"", "\"phase\":\"sleep\"",
		    "'phase' is not one of its words" },
		{ "\"excluded_by\":[]", "\"excluded_by\":[0.5]",
		    "'excluded_by' has a non-number" },
		{ "\"spool.frames\":0", "\"spool.frames\":-1",
		    "a negative extent" },
		{ "\"spool.sums.lines\":0", "\"spool.sums.lines\":-1",
		    "a negative extent" },
		{ "\"volume\":0", "\"volume\":-1", "makes no sense" },
		{ "\"id\":\"" ID, "\"id\":\"../../../../etc/passwd",
		    "makes no sense" },
		{ "\"id\":\"" ID, "\"id\":\"" ID "x", "'id' is no text" },
		{ "\"archive\":\"\"", "\"archive\":null", "'archive' is no" },
	};

	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct state state = { .id = ID };
		struct strbuf text = STRBUF_EMPTY;
		struct fault fault;

		save(scratch, &state, &text);
		forge(&text, ID, ID);
		assert_fine(parse(&state, &text, &fault), &fault);
		forge(&text, wrong[i].old, wrong[i].new);
		assert_faulty(parse(&state, &text, &fault), FAULT_CORRUPT,
		    wrong[i].words, &fault);
		strbuf_close(&text);
	}
}

/* One number more than there is room for. */
static void
refuses_too_many_patterns(void **scratch)
{
	struct strbuf text = STRBUF_EMPTY;
	struct state state;
	struct fault fault;

	fill(&state);
	save(scratch, &state, &text);
	forge(&text, "\"excluded_by\":[", "\"excluded_by\":[1,");
	assert_faulty(parse(&state, &text, &fault), FAULT_CORRUPT,
	    "'excluded_by' is no list, or too long", &fault);
	strbuf_close(&text);
}

static void
leaves_the_old_one_if_it_cannot_write(void **scratch)
{
	int dirfd = scratch_open(scratch);
	struct state state = { .id = ID, .steps = 1 };
	struct fault fault;

	assert_fine(state_save(&state, dirfd, &keys, &fault), &fault);
	assert_int_equal(tool_run(*scratch, "mkdir " STATE_FILE ".new"), 0);
	state.steps = 2;
	assert_faulty(state_save(&state, dirfd, &keys, &fault), FAULT_SYSTEM,
	    STATE_FILE " cannot be written", &fault);
	assert_fine(state_load(&state, dirfd, &keys, &fault), &fault);
	assert_int_equal(state.steps, 1);
	assert_int_equal(tool_run(*scratch, "rmdir " STATE_FILE ".new"), 0);
	/* A leftover of a kill is in nobody's way. */
	tool_write(*scratch, STATE_FILE ".new", "half", 4);
	state.steps = 3;
	assert_fine(state_save(&state, dirfd, &keys, &fault), &fault);
	assert_fine(state_load(&state, dirfd, &keys, &fault), &fault);
	assert_int_equal(state.steps, 3);
	close(dirfd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(fits_into_its_limit),
		scratch_test(refuses_a_file_that_is_too_large),
		scratch_test(finds_every_cut_and_flip),
		scratch_test(is_bound_to_its_key),
		scratch_test(refuses_what_makes_no_sense),
		scratch_test(refuses_too_many_patterns),
		scratch_test(leaves_the_old_one_if_it_cannot_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
