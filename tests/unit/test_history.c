/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "tool.h"

#include "store/history.h"

#include <sys/stat.h>

static struct datadir
open_datadir(void **state)
{
	struct datadir datadir = DATADIR_CLOSED;

	datadir.backups = scratch_open(state);
	memset(&datadir.keys, 'k', sizeof(datadir.keys));
	return datadir;
}

/* A backup of this ID's last letter. */
static void
add(const struct datadir *datadir, char letter, int64_t number, int64_t profile,
    enum record_status status)
{
	struct record record = { .number = number,
		.profile = profile,
		.status = (int)status,
		.started = number * 10,
		.ended = status == RECORD_RUNNING ? 0 : number * 10 + 5 };
	struct fault fault;
	int fd;

	snprintf(record.id, sizeof(record.id),
	    "20261121-093015-abcdefghijklmno%c", letter);
	assert_int_equal(mkdirat(datadir->backups, record.id, 0700), 0);
	fd = openat(
	    datadir->backups, record.id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_fine(record_save(&record, fd, &datadir->keys, &fault), &fault);
	close(fd);
}

/* The last letters of the IDs, in their order. */
static void
assert_order(
    const struct datadir *datadir, int64_t profile, const char *letters)
{
	struct history history;
	struct fault fault;
	char order[20] = "";

	assert_fine(history_load(&history, datadir, profile, &fault), &fault);
	for (size_t i = 0; i < history.count; i++)
		order[i] = history.entries[i].id[ID_SIZE - 2];
	assert_string_equal(order, letters);
	history_close(&history);
	history_close(&history);
}

static void
orders_by_number(void **state)
{
	struct datadir datadir = open_datadir(state);

	assert_order(&datadir, 0, "");
	add(&datadir, 'a', 9, 1, RECORD_COMPLETE);
	add(&datadir, 'b', 100, 2, RECORD_FAILED);
	add(&datadir, 'c', 10, 1, RECORD_RUNNING);
	add(&datadir, 'd', 1, 1, RECORD_COMPLETE);
	tool_run(*state, "mkdir x .hidden 20261121-093015-abc");
	assert_order(&datadir, 0, "bcad");
	assert_order(&datadir, 1, "cad");
	assert_order(&datadir, 2, "b");
	assert_order(&datadir, 3, "");
	datadir_close(&datadir);
}

static void
tells_what_is_in_the_records(void **state)
{
	struct datadir datadir = open_datadir(state);
	const struct history_entry *entry;
	struct history history;
	struct fault fault;

	add(&datadir, 'a', 9, 4, RECORD_FAILED);
	assert_fine(history_load(&history, &datadir, 4, &fault), &fault);
	assert_int_equal(history.count, 1);
	entry = &history.entries[0];
	assert_true(entry->readable && entry->verified);
	assert_int_equal(entry->number, 9);
	assert_int_equal(entry->profile, 4);
	assert_int_equal(entry->status, RECORD_FAILED);
	assert_int_equal(entry->started, 90);
	assert_int_equal(entry->ended, 95);
	history_close(&history);
	datadir_close(&datadir);
}

static void
passes_over_no_damaged_one(void **state)
{
	struct datadir datadir = open_datadir(state);
	struct history history;
	struct fault fault;

	for (char letter = 'a'; letter <= 'f'; letter++)
		add(&datadir, letter, letter - 'a' + 1, 1, RECORD_COMPLETE);
	tool_run(*state,
	    "rm *a/record.json; : "
	    ">20261121-093015-abcdefghijklmnoc/record.json; "
	    "sed -i 's/\"number\": 4/\"number\": 40/' *d/record.json; "
	    "mv 20261121-093015-abcdefghijklmnoe "
	    "20261121-093015-abcdefghijklmnoz");
	assert_order(&datadir, 0, "dfbzca");
	/* Those that cannot be read belong to no profile. */
	assert_order(&datadir, 1, "dfb");
	assert_fine(history_load(&history, &datadir, 0, &fault), &fault);
	for (size_t i = 0; i < history.count; i++) {
		assert_int_equal(history.entries[i].readable, i < 3);
		assert_int_equal(history.entries[i].verified, i == 1 || i == 2);
	}
	assert_int_equal(history.entries[0].number, 40);
	assert_int_equal(history.entries[5].number, 0);
	history_close(&history);
	datadir_close(&datadir);
	assert_faulty(history_load(&history, &datadir, 0, &fault), FAULT_SYSTEM,
	    "a folder of the data directory", &fault);
	history_close(&history);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(orders_by_number),
		scratch_test(tells_what_is_in_the_records),
		scratch_test(passes_over_no_damaged_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
