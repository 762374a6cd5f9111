/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "dice.h"

#include "base/budget.h"

#define MIB (INT64_C(1) << 20)

/* A pace of round numbers. */
static void
set_pace(struct pace *pace, int64_t drain, int64_t sync, int64_t fixed)
{
	pace_init(pace);
	pace->drain = drain;
	pace->sync = sync;
	pace->fixed = fixed;
}

/* So much of the budget is left at least for the next second or so. */
static struct budget
budget_of(int64_t left)
{
	struct budget budget = { 0 };

	budget.started = budget_now();
	budget.deadline = budget.started + left;
	return budget;
}

static void
without_limit_is_never_over(void **state)
{
	struct budget budget;
	struct pace pace;

	(void)state;
	set_pace(&pace, 1024, 1024, BUDGET_SECOND);
	budget_start(&budget, 0, NULL);
	assert_true(budget_left(&budget) == INT64_MAX);
	assert_false(budget_over(&budget, &pace, INT64_MAX / 4, 0));
	assert_true(budget_allowance(&budget, &pace, MIB) == INT64_MAX);
	assert_false(budget_stopped(&budget));
}

static void
is_over_when_told_to_stop(void **state)
{
	atomic_bool stop = false;
	struct budget budget;
	struct pace pace;

	(void)state;
	pace_init(&pace);
	budget_start(&budget, 0, &stop);
	assert_false(budget_over(&budget, &pace, 0, 0));
	stop = true;
	assert_true(budget_stopped(&budget));
	assert_true(budget_over(&budget, &pace, 0, 0));
	budget_start(&budget, 3600 * BUDGET_SECOND, &stop);
	assert_true(budget_over(&budget, &pace, 0, 0));
}

static void
ends_in_time(void **state)
{
	struct budget budget;
	struct pace pace;
	int64_t before = budget_now();

	(void)state;
	set_pace(&pace, MIB, MIB, 0);
	budget_start(&budget, 20 * BUDGET_MILLISECOND, NULL);
	while (!budget_over(&budget, &pace, 0, 0))
		assert_true(budget_now() - before < 30 * BUDGET_SECOND);
	assert_true(budget_now() - before >= 20 * BUDGET_MILLISECOND);
	assert_int_equal(budget_left(&budget), 0);
	assert_int_equal(budget_allowance(&budget, &pace, 0), 0);
}

static void
keeps_time_for_the_checkpoint(void **state)
{
	struct budget budget = budget_of(1000 * BUDGET_SECOND);
	struct pace pace;

	(void)state;
	/* A MiB in flight is drained and synced, a written one only synced. */
	set_pace(&pace, MIB, MIB / 2, 100 * BUDGET_SECOND);
	assert_false(budget_over(&budget, &pace, 295 * MIB, 0));
	assert_true(budget_over(&budget, &pace, 305 * MIB, 0));
	assert_false(budget_over(&budget, &pace, 0, 445 * MIB));
	assert_true(budget_over(&budget, &pace, 0, 455 * MIB));
	assert_false(budget_over(&budget, &pace, 100 * MIB, 295 * MIB));
	assert_true(budget_over(&budget, &pace, 100 * MIB, 305 * MIB));
	pace.fixed = 1001 * BUDGET_SECOND;
	assert_true(budget_over(&budget, &pace, 0, 0));
}

static void
allows_what_is_not_over(void **state)
{
	struct dice dice = dice_new();

	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct budget budget = budget_of(
		    (int64_t)(dice_roll(&dice, 10000) + 5000) * BUDGET_SECOND);
		int64_t unsynced = (int64_t)dice_roll(&dice, 1000) * MIB;
		struct pace pace;
		int64_t allowed;

		set_pace(&pace, (int64_t)dice_roll(&dice, 1 << 20) + 1024,
		    (int64_t)dice_roll(&dice, 1 << 20) + 1024,
		    (int64_t)dice_roll(&dice, 100) * BUDGET_SECOND);
		allowed = budget_allowance(&budget, &pace, unsynced);
		assert_true(allowed >= 0);
		/* The clock goes on meanwhile: a hundredth more or less. */
		assert_true(budget_over(
		    &budget, &pace, allowed + allowed / 100 + 65536, unsynced));
		if (allowed > 0)
			assert_false(budget_over(&budget, &pace,
			    allowed - allowed / 100 - 65536, unsynced));
	}
}

static void
believes_bad_news_at_once(void **state)
{
	struct pace pace;

	(void)state;
	set_pace(&pace, 1000 * MIB, 1000 * MIB, BUDGET_SECOND);
	pace_note_drain(&pace, MIB, BUDGET_SECOND);
	assert_true(pace.drain < 252 * MIB && pace.drain > 249 * MIB);
	pace_note_sync(&pace, MIB, BUDGET_SECOND, true);
	assert_true(pace.sync < 252 * MIB && pace.sync > 249 * MIB);
	pace_note_fixed(&pace, 5 * BUDGET_SECOND);
	assert_true(pace.fixed == 4 * BUDGET_SECOND);
	pace.read = 1000 * MIB;
	pace_note_read(&pace, MIB, BUDGET_SECOND);
	assert_true(pace.read < 252 * MIB);
}

static void
believes_good_news_by_and_by(void **state)
{
	struct pace pace;

	(void)state;
	set_pace(&pace, MIB, MIB, 4 * BUDGET_SECOND);
	pace.read = MIB;
	pace_note_drain(&pace, 1000 * MIB, BUDGET_SECOND);
	assert_true(pace.drain > 249 * MIB && pace.drain < 252 * MIB);
	/* A disk's cache can take some bytes in no time. */
	pace_note_sync(&pace, 1000 * MIB, BUDGET_SECOND, true);
	assert_true(pace.sync > MIB && pace.sync < 2 * MIB);
	pace_note_read(&pace, 1000 * MIB, BUDGET_SECOND);
	assert_true(pace.read > 249 * MIB && pace.read < 252 * MIB);
	pace_note_fixed(&pace, 0);
	assert_true(pace.fixed == 3 * BUDGET_SECOND);
}

static void
learns_nothing_from_little(void **state)
{
	struct pace pace;

	(void)state;
	set_pace(&pace, MIB, MIB, 0);
	pace.read = MIB;
	pace_note_drain(&pace, 32 * 1024 - 1, 1);
	pace_note_drain(&pace, 10, 3600 * BUDGET_SECOND);
	pace_note_sync(&pace, 32 * 1024 - 1, 1, true);
	pace_note_read(&pace, 16 * 1024 - 1, 1);
	assert_int_equal(pace.drain, MIB);
	assert_int_equal(pace.sync, MIB);
	assert_int_equal(pace.read, MIB);
}

static void
is_only_raised_by_syncs_nobody_waited_for(void **state)
{
	struct pace pace;

	(void)state;
	set_pace(&pace, MIB, 8 * MIB, 0);
	pace_note_sync(&pace, MIB, BUDGET_SECOND, false);
	assert_int_equal(pace.sync, 8 * MIB);
	pace_note_sync(&pace, 80 * MIB, BUDGET_SECOND, false);
	assert_true(pace.sync > 8 * MIB);
}

static void
stays_within_bounds(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace);
	for (int i = 0; i < 100; i++) {
		pace_note_drain(&pace, INT64_C(1) << 50, 0);
		pace_note_sync(&pace, INT64_C(1) << 50, -1, true);
		pace_note_read(&pace, INT64_C(1) << 50, 1);
	}
	assert_true(pace.drain <= INT64_C(1000000000000));
	assert_true(pace.sync <= INT64_C(1000000000000));
	assert_int_equal(pace_unit(&pace, BUDGET_SECOND), 1 << 20);
	for (int i = 0; i < 100; i++) {
		pace_note_drain(&pace, 65536, INT64_MAX);
		pace_note_sync(&pace, 65536, INT64_MAX, true);
		pace_note_read(&pace, 65536, INT64_MAX);
	}
	assert_true(pace.drain >= 1024 && pace.drain < 1100);
	assert_true(pace.sync >= 1024 && pace.sync < 1100);
	assert_int_equal(pace_unit(&pace, BUDGET_SECOND), 16 * 1024);
}

static void
sizes_units_by_time(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace);
	pace.read = 10 * MIB;
	assert_int_equal(pace_unit(&pace, 50 * BUDGET_MILLISECOND), MIB / 2);
	assert_true(pace_time(3 * MIB, MIB) == 3 * BUDGET_SECOND);
	assert_int_equal(pace_time(0, 1024), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_limit_is_never_over),
		cmocka_unit_test(is_over_when_told_to_stop),
		cmocka_unit_test(ends_in_time),
		cmocka_unit_test(keeps_time_for_the_checkpoint),
		cmocka_unit_test(allows_what_is_not_over),
		cmocka_unit_test(believes_bad_news_at_once),
		cmocka_unit_test(believes_good_news_by_and_by),
		cmocka_unit_test(learns_nothing_from_little),
		cmocka_unit_test(is_only_raised_by_syncs_nobody_waited_for),
		cmocka_unit_test(stays_within_bounds),
		cmocka_unit_test(sizes_units_by_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
