/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "tool.h"

#include "store/config.h"
#include "store/datadir.h"

#include <ctype.h>
#include <sys/stat.h>
#include <time.h>

/* A configuration with the data directory at data, below the scratch. */
struct setting {
	struct config config;
	struct profile profile;
	struct extra extra;
	char data[4200], site[4200], media[4200];
};

static void
set_up(struct setting *setting, const char *top, const char *data,
    const char *site)
{
	memset(setting, 0, sizeof(*setting));
	snprintf(setting->data, sizeof(setting->data), "%s/%s", top, data);
	snprintf(setting->site, sizeof(setting->site), "%s/%s", top, site);
	snprintf(setting->media, sizeof(setting->media), "%s/media", top);
	setting->extra = (struct extra){ "media", setting->media };
	setting->profile = (struct profile){ .number = 7,
		.site = setting->site,
		.extras = { &setting->extra, 1 } };
	setting->config.data = setting->data;
	setting->config.profiles = &setting->profile;
	setting->config.profile_count = 1;
}

static void
assert_opens(struct setting *setting)
{
	struct datadir datadir;
	struct fault fault;

	assert_fine(datadir_open(&datadir, &setting->config, &fault), &fault);
	datadir_close(&datadir);
}

static void
assert_refused(struct setting *setting, enum fault_code code, const char *words)
{
	struct datadir datadir;
	struct fault fault;

	assert_faulty(datadir_open(&datadir, &setting->config, &fault), code,
	    words, &fault);
	assert_contains(fault.text, setting->data);
	datadir_close(&datadir);
}

static void
makes_what_is_missing(void **state)
{
	static const struct datadir closed = DATADIR_CLOSED;
	struct datadir datadir = DATADIR_CLOSED, again;
	struct setting setting;
	struct fault fault;

	datadir_close(&datadir);
	set_up(&setting, *state, "data", "site");
	assert_fine(datadir_open(&datadir, &setting.config, &fault), &fault);
	assert_int_equal(
	    tool_run(*state,
		"test \"$(stat -c %%a data data/jobs data/backups data/locks "
		"data/key | tr -d '\\n')\" = 700700700700600 && "
		"test \"$(stat -c %%s data/key)\" = 32 && "
		"test \"$(ls data | tr '\\n' ' ')\" = "
		"'backups jobs key locks '"),
	    0);
	assert_int_equal(fcntl(datadir.jobs, F_GETFD), FD_CLOEXEC);
	/* A second one, at the same time, has the same keys. */
	assert_fine(datadir_open(&again, &setting.config, &fault), &fault);
	assert_memory_equal(&datadir.keys, &again.keys, sizeof(again.keys));
	datadir_close(&datadir);
	datadir_close(&again);
	assert_memory_equal(&again, &closed, sizeof(closed));
	set_up(&setting, *state, "no/data", "site");
	assert_refused(&setting, FAULT_NOT_FOUND, "cannot be made");
	tool_write(*state, "file", "", 0);
	set_up(&setting, *state, "file", "site");
	assert_refused(&setting, FAULT_SYSTEM, "cannot be opened");
}

static void
refuses_what_others_can_reach(void **state)
{
	static const mode_t modes[] = { 0750, 0701, 0704, 0720, 0777 };
	struct setting setting;

	set_up(&setting, *state, "data", "site");
	assert_opens(&setting);
	for (size_t i = 0; i < COUNT_OF(modes); i++) {
		assert_int_equal(chmod(setting.data, modes[i]), 0);
		assert_refused(&setting, FAULT_SYSTEM, "chmod 700 it");
	}
	assert_int_equal(chmod(setting.data, 0700), 0);
	assert_opens(&setting);
	if (geteuid() == 0) {
		assert_int_equal(chown(setting.data, 12345, 0), 0);
		assert_refused(
		    &setting, FAULT_SYSTEM, "belongs to user 12345, but");
	}
}

static void
refuses_a_place_within_a_site(void **state)
{
	static const struct {
		const char *data, *site;
	} inside[] = { { "site/data", "site" }, { "site", "site" },
		{ "site/a/data", "site" }, { "media/data", "site" },
		{ "link/data", "site" }, { "site/data", "link" },
		{ "site/data/", "site/" }, { "site//data", "site/." },
		{ "site/a/../data", "site" }, { "other/../site/data", "site" },
		{ "out/data", "site" }, { "data", "." } },
	  outside[] = { { "data", "site" }, { "site2/data", "site" },
		  { "sit", "site" }, { "data", "nothing" },
		  { "data", "data/site" } };
	struct setting setting;

	assert_int_equal(tool_run(*state,
			     "mkdir -p site/a media other site2 && "
			     "ln -s site link && ln -s ../site/a other/b && "
			     "ln -s other/b out"),
	    0);
	for (size_t i = 0; i < COUNT_OF(inside); i++) {
		set_up(&setting, *state, inside[i].data, inside[i].site);
		assert_refused(&setting, FAULT_USAGE, "of [profile 7]");
		/* Nothing was made there. */
		assert_int_not_equal(access(setting.data, F_OK) == 0 &&
			strcmp(inside[i].data, "site") != 0,
		    1);
	}
	for (size_t i = 0; i < COUNT_OF(outside); i++) {
		set_up(&setting, *state, outside[i].data, outside[i].site);
		assert_opens(&setting);
		assert_int_equal(
		    tool_run(*state, "rm -r '%s'", setting.data), 0);
	}
	set_up(&setting, *state, "site/data", "site");
	setting.config.data_in_site = true;
	assert_opens(&setting);
	assert_true(datadir_inside(&setting.config, "/"));
	assert_true(datadir_inside(&setting.config, setting.site));
	assert_true(datadir_inside(&setting.config, setting.data));
	assert_false(datadir_inside(&setting.config, setting.media));
	assert_false(datadir_inside(&setting.config, "/nonexistent"));
}

static void
refuses_a_damaged_key(void **state)
{
	struct setting setting;

	set_up(&setting, *state, "data", "site");
	assert_opens(&setting);
	assert_int_equal(tool_run(*state, "truncate -s 31 data/key"), 0);
	assert_refused(&setting, FAULT_CORRUPT, "31 bytes, not 32");
	assert_int_equal(tool_run(*state, ": >data/key"), 0);
	assert_refused(&setting, FAULT_CORRUPT, "0 bytes, not 32");
	assert_int_equal(
	    tool_run(*state, "rm -r data/key data/jobs && : >data/jobs"), 0);
	assert_refused(&setting, FAULT_SYSTEM, "'jobs' cannot be opened");
	assert_int_equal(
	    tool_run(*state, "rm data/jobs && ln -s ../other data/jobs"), 0);
	assert_refused(&setting, FAULT_SYSTEM, "'jobs' cannot be opened");
}

static void
knows_an_id(void **state)
{
	static const char good[] = "20261121-093015-abcdefghijklmn27";
	static const char *const bad[] = { "", "x", "..",
		"20261121-093015-abcdefghijklmno", "20261121-093015-",
		"20261121-093015-abcdefghijklmno77",
		"20261121-093015-ABCDEFGHIJKLMNOP",
		"20261121-093015-abcdefghijklmno1",
		"20261121-093015-abcdefghijklmno8",
		"20261121-093015-../../../../../.",
		"20261121-093015-/bcdefghijklmnop",
		"20261121_093015-abcdefghijklmnop",
		"2026112a-093015-abcdefghijklmnop",
		"20261121-093015-abcdefghijklmno\xff",
		" 0261121-093015-abcdefghijklmnop" };
	char text[ID_SIZE];

	(void)state;
	assert_true(datadir_is_id(good));
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		if (datadir_is_id(bad[i]))
			fail_msg("'%s' is taken for an ID", bad[i]);
	/* No other byte in any place. */
	for (size_t at = 0; at < ID_SIZE - 1; at++) {
		for (int c = 1; c < 256; c++) {
			bool digit = at < 15 && isdigit(good[at]);
			bool fits = good[at] == '-' ? c == '-'
			    : digit                 ? isdigit(c)
				    : strchr("abcdefghijklmnopqrst"
					     "uvwxyz234567",
					  c) != NULL;

			memcpy(text, good, sizeof(text));
			text[at] = (char)c;
			if (datadir_is_id(text) != (fits && c < 128))
				fail_msg("'%s' is judged wrongly", text);
		}
	}
}

static void
makes_ids_of_the_time_now(void **state)
{
	char id[ID_SIZE], other[ID_SIZE], before[20], after[20];
	time_t now = time(NULL);
	struct tm tm;

	(void)state;
	strftime(before, sizeof(before), "%Y%m%d-%H%M%S", gmtime_r(&now, &tm));
	datadir_new_id(id);
	datadir_new_id(other);
	now = time(NULL);
	strftime(after, sizeof(after), "%Y%m%d-%H%M%S", gmtime_r(&now, &tm));
	assert_true(datadir_is_id(id) && datadir_is_id(other));
	assert_string_not_equal(id + 16, other + 16);
	assert_true(strncmp(id, before, 15) >= 0);
	assert_true(strncmp(id, after, 15) <= 0);
}

static void
lists_ids_and_nothing_else(void **state)
{
	int dirfd = scratch_open(state);
	char(*ids)[ID_SIZE];
	struct fault fault;
	size_t count;

	assert_fine(datadir_list(dirfd, &ids, &count, &fault), &fault);
	assert_int_equal(count, 0);
	assert_null(ids);
	assert_int_equal(
	    tool_run(*state,
		"mkdir 20251121-093015-abcdefghijklmnop "
		"20261121-093015-bbcdefghijklmnop "
		"20261121-093015-abcdefghijklmnop "
		".20261121-093015-abcdefghijklmno x '20261121-093015-ABC'"),
	    0);
	assert_fine(datadir_list(dirfd, &ids, &count, &fault), &fault);
	assert_int_equal(count, 3);
	assert_string_equal(ids[0], "20261121-093015-bbcdefghijklmnop");
	assert_string_equal(ids[1], "20261121-093015-abcdefghijklmnop");
	assert_string_equal(ids[2], "20251121-093015-abcdefghijklmnop");
	free(ids);
	close(dirfd);
	assert_faulty(datadir_list(dirfd, &ids, &count, &fault), FAULT_SYSTEM,
	    "a folder of the data directory", &fault);
	assert_null(ids);
}

static void
numbers_backups(void **state)
{
	static const char *const damaged[] = { "", "\n", "x\n", "-1\n", "7",
		"7 \n", "7\n\n", " 7\n", "9223372036854775807\n",
		"99999999999999999999\n" };
	struct datadir datadir = DATADIR_CLOSED;
	struct fault fault;
	int64_t number;

	datadir.fd = scratch_open(state);
	for (int64_t i = 1; i < 4; i++) {
		assert_fine(
		    datadir_next_number(&datadir, &number, &fault), &fault);
		assert_int_equal(number, i);
	}
	tool_write(*state, "number", "41\n", 3);
	assert_fine(datadir_next_number(&datadir, &number, &fault), &fault);
	assert_int_equal(number, 42);
	for (size_t i = 0; i < COUNT_OF(damaged); i++) {
		tool_write(*state, "number", damaged[i], strlen(damaged[i]));
		assert_faulty(datadir_next_number(&datadir, &number, &fault),
		    FAULT_CORRUPT, "the file 'number' in the data", &fault);
	}
	tool_write(*state, "number", "9223372036854775806\n", 20);
	assert_fine(datadir_next_number(&datadir, &number, &fault), &fault);
	assert_true(number == INT64_MAX);
	datadir_close(&datadir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(makes_what_is_missing),
		scratch_test(refuses_what_others_can_reach),
		scratch_test(refuses_a_place_within_a_site),
		scratch_test(refuses_a_damaged_key),
		cmocka_unit_test(knows_an_id),
		cmocka_unit_test(makes_ids_of_the_time_now),
		scratch_test(lists_ids_and_nothing_else),
		scratch_test(numbers_backups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
