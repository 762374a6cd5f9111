/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "dice.h"
#include "tool.h"

#include "base/stamp.h"

#include <time.h>

static void
writes_known_times(void **state)
{
	char text[STAMP_TEXT_SIZE];

	(void)state;
	assert_int_equal(stamp_use_zone("UTC"), 0);
	assert_ptr_equal(stamp_text(0, text), text);
	assert_string_equal(text, "1970-01-01T00:00:00+00:00");
	assert_string_equal(
	    stamp_text(1795249815, text), "2026-11-21T08:30:15+00:00");
	assert_ptr_equal(stamp_compact(1795249815, text), text);
	assert_string_equal(text, "20261121-083015");
	assert_int_equal(stamp_use_zone("Europe/Berlin"), 0);
	assert_string_equal(
	    stamp_text(1795249815, text), "2026-11-21T09:30:15+01:00");
	assert_string_equal(
	    stamp_text(1782000000, text), "2026-06-21T02:00:00+02:00");
	/* Always in UTC, for it is part of names. */
	assert_string_equal(stamp_compact(1795249815, text), "20261121-083015");
}

static void
survives_any_number(void **state)
{
	static const int64_t numbers[] = { INT64_MIN, INT64_MIN + 1, -1,
		253402300800, 67768036191676800, INT64_MAX };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		char text[STAMP_TEXT_SIZE];

		memset(text, 'x', sizeof(text));
		stamp_text(numbers[i], text);
		assert_in_range(strnlen(text, sizeof(text)), 2, 39);
		memset(text, 'x', sizeof(text));
		stamp_compact(numbers[i], text);
		assert_in_range(strnlen(text, sizeof(text)), 14, 39);
	}
}

static void
agrees_with_date(void **state)
{
	static const char *const zones[] = { "UTC", "Europe/Berlin",
		"America/St_Johns", "Asia/Kathmandu", "Pacific/Chatham",
		"Africa/Monrovia" };
	struct dice dice = dice_new();

	for (size_t zone = 0; zone < COUNT_OF(zones); zone++) {
		struct strbuf stamps = STRBUF_EMPTY, ours = STRBUF_EMPTY;
		struct strbuf theirs = STRBUF_EMPTY;

		assert_int_equal(stamp_use_zone(zones[zone]), 0);
		for (int i = 0; i < 200; i++) {
			/* Between 1973 and 2100. */
			int64_t stamp =
			    100000000 + (int64_t)dice_roll(&dice, 4000000000);
			char text[STAMP_TEXT_SIZE], compact[STAMP_TEXT_SIZE];

			strbuf_addf(&stamps, "@%lld\n", (long long)stamp);
			strbuf_addf(&ours, "%s %s\n", stamp_text(stamp, text),
			    stamp_compact(stamp, compact));
		}
		tool_write(*state, "stamps", stamps.bytes, stamps.length);
		assert_int_equal(
		    tool_run(*state,
			"TZ=%s date -f stamps -Iseconds >local && "
			"date -u -f stamps +%%Y%%m%%d-%%H%%M%%S >utc && "
			"paste -d ' ' local utc >both",
			zones[zone]),
		    0);
		tool_read(*state, "both", &theirs);
		assert_string_equal(ours.bytes, theirs.bytes);
		strbuf_close(&stamps);
		strbuf_close(&ours);
		strbuf_close(&theirs);
	}
}

static void
refuses_zones_that_are_none(void **state)
{
	char text[STAMP_TEXT_SIZE], name[400];
	static const char *const wrong[] = { "Nowhere/City", "/etc/localtime",
		"../zoneinfo/UTC", "Europe/../UTC", "Europe", "", "zone.tab",
		"UTC+3" };

	(void)state;
	assert_int_equal(stamp_use_zone("Asia/Kathmandu"), 0);
	for (size_t i = 0; i < COUNT_OF(wrong); i++)
		if (stamp_use_zone(wrong[i]) != -1)
			fail_msg("'%s' was taken as a zone", wrong[i]);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(stamp_use_zone(name), -1);
	/* And the zone is what it was. */
	assert_string_equal(stamp_text(0, text), "1970-01-01T05:30:00+05:30");
}

static void
tells_the_time(void **state)
{
	int64_t before = (int64_t)time(NULL), now = stamp_now();

	(void)state;
	assert_true(now >= before && now <= (int64_t)time(NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_known_times),
		cmocka_unit_test(survives_any_number),
		scratch_test(agrees_with_date),
		cmocka_unit_test(refuses_zones_that_are_none),
		cmocka_unit_test(tells_the_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
