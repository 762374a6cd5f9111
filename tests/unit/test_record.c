/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "tool.h"

#include "store/record.h"

#include <sys/stat.h>

#define ID    "20261121-093015-abcdefghijklmnop"
#define OTHER "20261121-093015-bbcdefghijklmnop"

/* A data directory whose backups are in the scratch. */
static struct datadir
open_datadir(void **state)
{
	struct datadir datadir = DATADIR_CLOSED;

	datadir.backups = scratch_open(state);
	memset(&datadir.keys, 'k', sizeof(datadir.keys));
	return datadir;
}

static void
save(void **state, const struct datadir *datadir, const struct record *record)
{
	int dirfd;
	struct fault fault;

	tool_run(*state, "mkdir -p %s", record->id);
	dirfd = openat(
	    datadir->backups, record->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dirfd >= 0);
	assert_fine(record_save(record, dirfd, &datadir->keys, &fault), &fault);
	close(dirfd);
}

static void
fill(struct record *record)
{
	int64_t *counts = (int64_t *)&record->counts;

	memset(record, 0, sizeof(*record));
	strcpy(record->id, ID);
	record->number = 7;
	record->profile = 2;
	record->profile_name = strdup("My site \xff");
	record->origin = RECORD_CLI;
	record->status = RECORD_FAILED;
	record->reason = strdup("because\n");
	record->started = 1;
	record->ended = INT64_MAX;
	for (int i = 0; i < PHASE_COUNT; i++)
		record->phase_ms[record->phase_count++] = i;
	record->steps = 3;
	record->checkpoints = 4;
	record->kills = 5;
	for (size_t i = 0; i < sizeof(record->counts) / sizeof(*counts); i++)
		counts[i] = (int64_t)i + 100;
	record->plain_size = INT64_MAX;
	record->archive_size = 6;
	record->frames = 8;
	memset(record->frames_sha256, 1, TOKEN_HASH_SIZE);
	memset(record->manifest_sha256, 2, TOKEN_HASH_SIZE);
	memset(record->sums_sha256, 3, TOKEN_HASH_SIZE);
	record_add_part(record, "x.tar.zst.001", 65536);
	record_add_part(record, "x.tar.zst.002", 1);
	record_add_warning(record, "files/a\nb\xff", "vanished");
	record_add_warning(record, "", "");
}

static void
reads_back_what_it_wrote(void **state)
{
	struct datadir datadir = open_datadir(state);
	struct strbuf one = STRBUF_EMPTY, two = STRBUF_EMPTY;
	struct record record, got;
	struct fault fault;

	fill(&record);
	save(state, &datadir, &record);
	assert_fine(
	    record_load(&got, &datadir, ID, RECORD_STRICT, &fault), &fault);
	assert_int_equal(got.part_count, 2);
	assert_string_equal(got.parts[1].name, "x.tar.zst.002");
	assert_int_equal(got.warning_count, 2);
	assert_string_equal(got.warnings[0].path, "files/a\nb\xff");
	assert_string_equal(got.warnings[1].reason, "");
	assert_string_equal(got.profile_name, "My site \xff");
	assert_memory_equal(&record.counts, &got.counts, sizeof(got.counts));
	assert_memory_equal(
	    record.phase_ms, got.phase_ms, sizeof(got.phase_ms));
	record_print(&record, 0, &one);
	record_print(&got, 0, &two);
	assert_string_equal(one.bytes, two.bytes);
	assert_null(strstr(one.bytes, "hmac"));
	record_close(&got);
	record_close(&got);
	record_close(&record);
	strbuf_close(&one);
	strbuf_close(&two);
	datadir_close(&datadir);
}

static void
is_json_for_others(void **state)
{
	struct datadir datadir = open_datadir(state);
	struct strbuf text = STRBUF_EMPTY;
	struct record record;

	fill(&record);
	save(state, &datadir, &record);
	record_print(&record, 2, &text);
	tool_write(*state, "printed.json", text.bytes, text.length);
	assert_int_equal(
	    tool_run(*state,
		"jq -e '.version == 2 and .status == \"failed\" and "
		".origin == \"cli\" and .reason == \"because\\n\" and "
		".profile_name.b64 == \"TXkgc2l0ZSD/\" and "
		".parts[0] == {name: \"x.tar.zst.001\", size: 65536} and "
		"(.warning_list | length) == 2 and .files == 100 and "
		"(.phase_ms | length) == 8' " ID "/record.json >/dev/null"),
	    0);
	assert_int_equal(tool_run(*state,
			     "jq -S 'del(.hmac)' " ID "/record.json >a && "
			     "jq -S . printed.json | cmp - a"),
	    0);
	strbuf_close(&text);
	record_close(&record);
	datadir_close(&datadir);
}

static void
says_what_is_wrong_with_it(void **state)
{
	struct datadir datadir = open_datadir(state);
	struct record record = { .id = ID };
	struct fault fault;

	assert_faulty(record_load(&record, &datadir, ID, RECORD_STRICT, &fault),
	    FAULT_NOT_FOUND, "backup " ID, &fault);
	record_close(&record);
	tool_run(*state, "mkdir " ID);
	assert_faulty(record_load(&record, &datadir, ID, RECORD_STRICT, &fault),
	    FAULT_NOT_FOUND, "record.json cannot be read", &fault);
	record_close(&record);
	fill(&record);
	save(state, &datadir, &record);
	record_close(&record);
	/* Under another name it is that of another backup. */
	tool_run(*state, "cp -r " ID " " OTHER);
	assert_faulty(
	    record_load(&record, &datadir, OTHER, RECORD_STRICT, &fault),
	    FAULT_CORRUPT, "is that of another backup", &fault);
	record_close(&record);
	assert_faulty(
	    record_load(&record, &datadir, OTHER, RECORD_UNVERIFIED, &fault),
	    FAULT_CORRUPT, "is that of another backup", &fault);
	record_close(&record);
	/* Changed by hand it can be shown, but not trusted. */
	tool_run(*state, "sed -i 's/\"number\": 7/\"number\": 8/' %s",
	    ID "/record.json");
	assert_faulty(record_load(&record, &datadir, ID, RECORD_STRICT, &fault),
	    FAULT_CORRUPT, "its HMAC does not match", &fault);
	record_close(&record);
	assert_fine(
	    record_load(&record, &datadir, ID, RECORD_UNVERIFIED, &fault),
	    &fault);
	assert_int_equal(record.number, 8);
	record_close(&record);
	tool_run(*state, "truncate -s -9 " ID "/record.json");
	assert_faulty(
	    record_load(&record, &datadir, ID, RECORD_UNVERIFIED, &fault),
	    FAULT_CORRUPT, "it cannot be read as JSON", &fault);
	record_close(&record);
	tool_run(*state, "rm -r " ID " && ln -s " OTHER " " ID);
	assert_faulty(
	    record_load(&record, &datadir, ID, RECORD_UNVERIFIED, &fault),
	    FAULT_SYSTEM, "backup " ID, &fault);
	record_close(&record);
	datadir_close(&datadir);
}

/* The most that there can be of the longest paths, of bytes that need room. */
static void
bears_a_thousand_warnings(void **state)
{
	struct datadir datadir = open_datadir(state);
	struct record record = { .id = ID }, got;
	struct fault fault;
	char *path = malloc(10001);

	memset(path, '\xff', 10000);
	path[10000] = '\0';
	for (int i = 0; i < RECORD_WARNINGS_MAX; i++)
		record_add_warning(&record, path, "could not be read");
	save(state, &datadir, &record);
	assert_fine(
	    record_load(&got, &datadir, ID, RECORD_STRICT, &fault), &fault);
	assert_int_equal(got.warning_count, RECORD_WARNINGS_MAX);
	assert_int_equal(strlen(got.warnings[999].path), 4096);
	record_close(&got);
	record_add_warning(&record, "x", "y");
	save(state, &datadir, &record);
	assert_faulty(record_load(&got, &datadir, ID, RECORD_STRICT, &fault),
	    FAULT_CORRUPT, "'warning_list' is no list, or too long", &fault);
	record_close(&got);
	record_close(&record);
	free(path);
	datadir_close(&datadir);
}

/* Ten gigabytes in parts of a mebibyte. */
static void
bears_ten_thousand_parts(void **state)
{
	struct datadir datadir = open_datadir(state);
	struct record record = { .id = ID }, got;
	struct fault fault;
	char name[160];

	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "profile-1-" ID "-%s.tar.zst.%03d",
		    "abcdefghijklmnopqrstuvwxyz", i + 1);
		record_add_part(&record, name, 1 << 20);
	}
	save(state, &datadir, &record);
	assert_fine(
	    record_load(&got, &datadir, ID, RECORD_STRICT, &fault), &fault);
	assert_int_equal(got.part_count, 10000);
	assert_string_equal(got.parts[9999].name, name);
	record_close(&got);
	record_close(&record);
	datadir_close(&datadir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(reads_back_what_it_wrote),
		scratch_test(is_json_for_others),
		scratch_test(says_what_is_wrong_with_it),
		scratch_test(bears_a_thousand_warnings),
		scratch_test(bears_ten_thousand_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
