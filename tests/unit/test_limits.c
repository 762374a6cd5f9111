/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "tool.h"

#include "base/budget.h"
#include "store/datadir.h"
#include "store/limits.h"

#define MS BUDGET_MILLISECOND

static void
halves_what_was_lived(void **state)
{
	struct limit limit = { 0, 2 };

	(void)state;
	assert_true(
	    limits_budget(&limit, 10 * BUDGET_SECOND) == 10 * BUDGET_SECOND);
	limits_note_kill(&limit, 8 * BUDGET_SECOND);
	assert_int_equal(limit.good, 0);
	assert_true(
	    limits_budget(&limit, 10 * BUDGET_SECOND) == 4 * BUDGET_SECOND);
	/* Never more than configured. */
	assert_true(
	    limits_budget(&limit, 3 * BUDGET_SECOND) == 3 * BUDGET_SECOND);
	limits_note_kill(&limit, 4 * BUDGET_SECOND);
	assert_true(
	    limits_budget(&limit, 10 * BUDGET_SECOND) == 2 * BUDGET_SECOND);
}

static void
keeps_within_bounds(void **state)
{
	struct limit limit = { 0, 0 };

	(void)state;
	limits_note_kill(&limit, 0);
	assert_true(limits_budget(&limit, BUDGET_SECOND) == 100 * MS);
	limits_note_kill(&limit, -5);
	assert_true(limits_budget(&limit, BUDGET_SECOND) == 100 * MS);
	assert_true(limits_budget(&limit, 50 * MS) == 50 * MS);
	limits_note_kill(&limit, INT64_MAX);
	assert_true(limits_budget(&limit, INT64_MAX) == 3600 * BUDGET_SECOND);
}

static void
grows_after_three_good_steps(void **state)
{
	struct limit limit = { 1000, 0 };
	int64_t configured = 2 * BUDGET_SECOND, before = 1000;
	int growths = 0;

	(void)state;
	while (limit.budget_ms != 0) {
		assert_true(limits_note_good(&limit, configured));
		assert_true(limits_note_good(&limit, configured));
		assert_int_equal(limit.budget_ms, before);
		assert_true(limits_note_good(&limit, configured));
		growths++;
		assert_true(growths < 100);
		if (limit.budget_ms == 0)
			break;
		assert_in_range(limit.budget_ms, before + before / 10,
		    before + before / 10 + 1);
		before = limit.budget_ms;
	}
	assert_int_equal(growths, 8); /* 1.1 to the 8th is more than 2 */
	assert_false(limits_note_good(&limit, configured));
}

static void
begins_again_after_a_kill(void **state)
{
	struct limit limit = { 1000, 0 };

	(void)state;
	limits_note_good(&limit, BUDGET_SECOND * 10);
	limits_note_good(&limit, BUDGET_SECOND * 10);
	limits_note_kill(&limit, 1000 * MS);
	assert_int_equal(limit.budget_ms, 500);
	limits_note_good(&limit, BUDGET_SECOND * 10);
	assert_int_equal(limit.budget_ms, 500);
}

static void
survives_its_file(void **state)
{
	struct datadir datadir = DATADIR_CLOSED;
	struct limits limits = { .of[CONTROLLER_CLI] = { 700, 1 },
		.of[CONTROLLER_CHAIN] = { 800, 2 },
		.drain = 11,
		.sync = 12,
		.fixed = 13,
		.read = 14 };
	struct limits loaded;

	datadir.fd = scratch_open(state);
	limits_load(&loaded, &datadir);
	assert_int_equal(loaded.of[CONTROLLER_CLI].budget_ms, 0);
	assert_int_equal(loaded.read, 0);
	limits_save(&limits, &datadir);
	limits_load(&loaded, &datadir);
	assert_memory_equal(&limits, &loaded, sizeof(limits));
	assert_int_equal(tool_run(*state,
			     "jq -e '.version == 1 and "
			     ".[\"cli.budget_ms\"] == 700' "
			     "limits.json >/dev/null"),
	    0);
	close(datadir.fd);
}

static void
takes_a_damaged_file_as_nothing(void **state)
{
	static const char *const texts[] = { "", "{", "{}", "[]", "null",
		"{\"version\":2}", "\xff\xff" };
	static const struct limits nothing;
	struct datadir datadir = DATADIR_CLOSED;
	struct limits limits;
	char *large = calloc(1, 5000);

	datadir.fd = scratch_open(state);
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		tool_write(*state, "limits.json", texts[i], strlen(texts[i]));
		memset(&limits, 1, sizeof(limits));
		limits_load(&limits, &datadir);
		assert_memory_equal(&limits, &nothing, sizeof(limits));
	}
	tool_write(*state, "limits.json", large, 5000);
	limits_load(&limits, &datadir);
	assert_memory_equal(&limits, &nothing, sizeof(limits));
	free(large);
	close(datadir.fd);
}

/* Nobody vouches for the numbers in the file. */
static void
bears_any_number_in_its_file(void **state)
{
	static const int64_t numbers[] = { INT64_MIN, -1, 1, INT64_MAX - 1,
		INT64_MAX };
	struct datadir datadir = DATADIR_CLOSED;

	datadir.fd = scratch_open(state);
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		int64_t n = numbers[i];
		struct limits limits = { .of = { { n, n }, { n, n }, { n, n },
					     { n, n } },
			.drain = n,
			.sync = n,
			.fixed = n,
			.read = n };
		struct limit *limit = &limits.of[CONTROLLER_CALL];
		struct pace pace;

		limits_save(&limits, &datadir);
		limits_load(&limits, &datadir);
		assert_in_range(limits_budget(limit, 10 * BUDGET_SECOND),
		    100 * MS, 10 * BUDGET_SECOND);
		for (int step = 0; step < 7; step++)
			limits_note_good(limit, 10 * BUDGET_SECOND);
		assert_in_range(limits_budget(limit, 10 * BUDGET_SECOND),
		    100 * MS, 10 * BUDGET_SECOND);
		limits_get_pace(&limits, &pace);
		assert_in_range(pace.drain, 1024, INT64_C(1) << 40);
		assert_in_range(pace.sync, 1024, INT64_C(1) << 40);
		assert_in_range(pace.read, 1024, INT64_C(1) << 40);
		assert_in_range(pace.fixed, 1, 60 * BUDGET_SECOND);
	}
	close(datadir.fd);
}

static void
hands_over_the_pace(void **state)
{
	struct limits limits = { 0 };
	struct pace pace, slow;

	(void)state;
	pace_init(&slow);
	limits_get_pace(&limits, &pace);
	assert_int_equal(pace.drain, slow.drain);
	limits.drain = 5000000;
	limits.sync = 6000000;
	limits.read = 7000000;
	limits_get_pace(&limits, &pace); /* fixed is not known */
	assert_int_equal(pace.drain, slow.drain);
	limits.fixed = 8000000;
	limits_get_pace(&limits, &pace);
	assert_int_equal(pace.drain, 5000000);
	assert_int_equal(pace.sync, 6000000);
	assert_int_equal(pace.read, 7000000);
	assert_int_equal(pace.fixed, 8000000);
	pace.sync = 9000000;
	limits_put_pace(&limits, &pace);
	assert_int_equal(limits.sync, 9000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(halves_what_was_lived),
		cmocka_unit_test(keeps_within_bounds),
		cmocka_unit_test(grows_after_three_good_steps),
		cmocka_unit_test(begins_again_after_a_kill),
		scratch_test(survives_its_file),
		scratch_test(takes_a_damaged_file_as_nothing),
		scratch_test(bears_any_number_in_its_file),
		cmocka_unit_test(hands_over_the_pace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
