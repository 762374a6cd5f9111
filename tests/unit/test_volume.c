/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "dice.h"
#include "tool.h"

#include "base/budget.h"
#include "pack/volume.h"
#include "store/record.h"

#define NAME "site.tar.zst"
#define PART 1000

struct place {
	int dirfd;
	const char *path;
	struct pace pace;
	struct volume volume;
	struct fault fault;
};

static struct place
place_open(void **state)
{
	struct place place = { .dirfd = scratch_open(state),
		.path = *state,
		.volume = VOLUME_CLOSED };

	pace_init(&place.pace);
	return place;
}

static void
place_close(struct place *place)
{
	volume_close(&place->volume);
	volume_close(&place->volume);
	close(place->dirfd);
}

static int
open_at(struct place *place, int64_t part_size, int64_t length)
{
	const struct volume_place files = { place->dirfd, NAME, part_size,
		&place->pace };

	return volume_open(&place->volume, &files, length, &place->fault);
}

static void
reopen(struct place *place, int64_t part_size, int64_t length)
{
	volume_close(&place->volume);
	assert_fine(open_at(place, part_size, length), &place->fault);
	assert_int_equal(place->volume.length, length);
}

static void
append(struct place *place, const void *bytes, size_t length)
{
	assert_fine(volume_append(&place->volume, bytes, length, &place->fault),
	    &place->fault);
}

/* All parts one after another, as cat puts them together. */
static void
assert_content(struct place *place, const void *bytes, size_t length)
{
	struct strbuf all = STRBUF_EMPTY;

	assert_int_equal(tool_run(place->path,
			     "cat $(ls -v | grep '^" NAME "') /dev/null > all"),
	    0);
	tool_read(place->path, "all", &all);
	assert_int_equal(all.length, length);
	assert_memory_equal(strbuf_text(&all), bytes, length);
	strbuf_close(&all);
	assert_int_equal(tool_run(place->path, "rm all"), 0);
}

/* What ls shows of the directory, with sizes. */
static void
assert_files(struct place *place, const char *wanted)
{
	struct strbuf list = STRBUF_EMPTY;

	assert_int_equal(tool_run(place->path,
			     "find . -type f ! -name list -printf '%%f %%s\\n' "
			     "| sort > list"),
	    0);
	tool_read(place->path, "list", &list);
	assert_string_equal(strbuf_text(&list), wanted);
	strbuf_close(&list);
	assert_int_equal(tool_run(place->path, "rm list"), 0);
}

static void
counts_and_names_parts(void **state)
{
	char name[VOLUME_NAME_SIZE];

	(void)state;
	assert_int_equal(volume_parts(0, 0), 1);
	assert_int_equal(volume_parts(0, INT64_MAX), 1);
	assert_int_equal(volume_parts(PART, 0), 1);
	assert_int_equal(volume_parts(PART, 1), 1);
	assert_int_equal(volume_parts(PART, PART), 1);
	assert_int_equal(volume_parts(PART, PART + 1), 2);
	assert_int_equal(volume_parts(65536, INT64_C(1) << 50), 1LL << 34);
	assert_string_equal(volume_part_name(name, "a", 0, 0, ""), "a");
	assert_string_equal(
	    volume_part_name(name, "a", 9, 0, ".partial"), "a.001.partial");
	assert_string_equal(volume_part_name(name, "a", 9, 998, ""), "a.999");
	assert_string_equal(volume_part_name(name, "a", 9, 999, ""), "a.1000");
}

/* A record could not name them. */
static void
refuses_too_many_parts(void **state)
{
	struct place place = place_open(state);
	char name[VOLUME_NAME_SIZE];

	for (int i = 0; i < RECORD_PARTS_MAX; i++) {
		int fd = openat(place.dirfd,
		    volume_part_name(name, NAME, 1, i, VOLUME_PARTIAL),
		    O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		assert_int_equal(pwrite(fd, "x", 1, 0), 1);
		close(fd);
	}
	reopen(&place, 1, RECORD_PARTS_MAX - 1);
	append(&place, "x", 1);
	assert_faulty(volume_append(&place.volume, "x", 1, &place.fault),
	    FAULT_SYSTEM, "would have more than 100000 parts", &place.fault);
	place_close(&place);
}

static void
writes_one_file(void **state)
{
	struct place place = place_open(state);

	reopen(&place, 0, 0);
	assert_files(&place, "");
	assert_int_equal(volume_unsynced(&place.volume), 0);
	append(&place, "", 0);
	assert_files(&place, "");
	append(&place, "hello ", 6);
	append(&place, "world", 5);
	assert_true(place.volume.made);
	assert_int_equal(volume_unsynced(&place.volume), 11);
	assert_fine(volume_sync(&place.volume, &place.fault), &place.fault);
	assert_int_equal(volume_unsynced(&place.volume), 0);
	assert_false(place.volume.made);
	assert_files(&place, NAME ".partial 11\n");
	append(&place, " lost", 5);
	reopen(&place, 0, 11);
	assert_content(&place, "hello world", 11);
	append(&place, "!", 1);
	assert_content(&place, "hello world!", 12);
	reopen(&place, 0, 5);
	assert_content(&place, "hello", 5);
	reopen(&place, 0, 0);
	assert_files(&place, "");
	place_close(&place);
}

static void
splits_at_the_part_size(void **state)
{
	struct place place = place_open(state);
	char bytes[4 * PART];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)('a' + i / 100 % 26);
	reopen(&place, PART, 0);
	append(&place, bytes, PART - 1);
	append(&place, bytes + PART - 1, 1);
	/* A part that is full is the last one until there is more. */
	assert_files(&place, NAME ".001.partial 1000\n");
	append(&place, bytes + PART, 1);
	assert_files(
	    &place, NAME ".001.partial 1000\n" NAME ".002.partial 1\n");
	append(&place, bytes + PART + 1, 2 * PART + 499);
	assert_files(&place,
	    NAME ".001.partial 1000\n" NAME ".002.partial 1000\n" NAME
		 ".003.partial 1000\n" NAME ".004.partial 500\n");
	assert_content(&place, bytes, 3 * PART + 500);
	assert_fine(volume_sync(&place.volume, &place.fault), &place.fault);
	place_close(&place);
}

/* Back to each length: whole parts go, and the last is cut. */
static void
cuts_across_parts(void **state)
{
	static const int64_t lengths[] = { 3500, 3000, 2999, 2001, 2000, 1001,
		1000, 999, 1, 0 };
	struct place place = place_open(state);
	char bytes[3 * PART + 501];

	memset(bytes, 'x', sizeof(bytes));
	reopen(&place, PART, 0);
	append(&place, bytes, 3 * PART + 500);
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		reopen(&place, PART, lengths[i]);
		assert_content(&place, bytes, (size_t)lengths[i]);
		/* What follows goes where the cut was. */
		append(&place, "y", 1);
		bytes[lengths[i]] = 'y';
		assert_content(&place, bytes, (size_t)lengths[i] + 1);
	}
	place_close(&place);
}

static void
touches_nothing_else(void **state)
{
	struct place place = place_open(state);

	assert_int_equal(
	    tool_run(*state,
		"touch record log frames " NAME ".001 " NAME ".partial " NAME
		".1.partial " NAME ".0001.partial " NAME ".-01.partial " NAME
		".000.partial " NAME ".99999999999999999999.partial x" NAME
		".001.partial; "
		"touch " NAME ".001.partial " NAME ".1000.partial"),
	    0);
	reopen(&place, PART, 0);
	assert_files(&place,
	    "frames 0\nlog 0\nrecord 0\n" NAME ".-01.partial 0\n" NAME
	    ".000.partial 0\n" NAME ".0001.partial 0\n" NAME ".001 0\n" NAME
	    ".1.partial 0\n" NAME ".99999999999999999999.partial 0\n" NAME
	    ".partial 0\nx" NAME ".001.partial 0\n");
	reopen(&place, 0, 0);
	assert_int_equal(tool_run(*state, "! test -e " NAME ".partial"), 0);
	place_close(&place);
}

static void
names_what_is_wrong_with_a_part(void **state)
{
	struct place place = place_open(state);
	char bytes[3 * PART] = { 0 };

	reopen(&place, PART, 0);
	append(&place, bytes, sizeof(bytes));
	volume_close(&place.volume);
	tool_run(*state, "truncate -s 999 " NAME ".002.partial");
	assert_faulty(open_at(&place, PART, 2500), FAULT_CORRUPT,
	    "the part '" NAME ".002.partial' is shorter than its state says",
	    &place.fault);
	tool_run(*state, "truncate -s 1001 " NAME ".002.partial");
	assert_faulty(open_at(&place, PART, 2500), FAULT_CORRUPT,
	    "the part '" NAME ".002.partial' is longer than", &place.fault);
	tool_run(*state, "rm " NAME ".002.partial");
	assert_faulty(open_at(&place, PART, 2500), FAULT_CORRUPT,
	    "the part '" NAME ".002.partial' is missing", &place.fault);
	assert_faulty(open_at(&place, PART, 1001), FAULT_CORRUPT,
	    "the part '" NAME ".002.partial' is missing", &place.fault);
	assert_faulty(open_at(&place, 0, 1), FAULT_CORRUPT,
	    "the part '" NAME ".partial' is missing", &place.fault);
	tool_write(*state, NAME ".partial", "12", 2);
	assert_faulty(open_at(&place, 0, 3), FAULT_CORRUPT,
	    "the part '" NAME ".partial' is shorter", &place.fault);
	place_close(&place);
}

static void
says_when_a_part_cannot_be_made(void **state)
{
	struct place place = place_open(state);
	char bytes[PART] = { 0 };

	reopen(&place, PART, 0);
	append(&place, bytes, sizeof(bytes));
	assert_int_equal(tool_run(*state, "mkdir " NAME ".002.partial"), 0);
	assert_faulty(volume_append(&place.volume, "x", 1, &place.fault),
	    FAULT_SYSTEM, "the part '" NAME ".002.partial' cannot be made",
	    &place.fault);
	assert_int_equal(tool_run(*state, "rmdir " NAME ".002.partial"), 0);
	reopen(&place, PART, PART);
	append(&place, "x", 1);
	close(place.volume.fd);
	place.volume.fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	assert_faulty(volume_append(&place.volume, "x", 1, &place.fault),
	    FAULT_RETRY, "the archive cannot be written: No space left",
	    &place.fault);
	place_close(&place);
}

/* What a model knows: an array of bytes, and how many are durable. */
struct model {
	uint8_t bytes[1 << 20];
	size_t length;
	size_t synced;
};

static void
do_something(struct place *place, struct model *model, struct dice *dice,
    int64_t part_size)
{
	size_t length;

	switch (dice_roll(dice, 8)) {
	case 0:
		assert_fine(
		    volume_sync(&place->volume, &place->fault), &place->fault);
		assert_int_equal(volume_unsynced(&place->volume), 0);
		model->synced = model->length;
		break;
	case 1:
		/* Killed: back to the last checkpoint, or to some before. */
		if (dice_roll(dice, 3) == 0)
			model->synced = dice_roll(dice, model->synced + 1);
		model->length = model->synced;
		reopen(place, part_size, (int64_t)model->length);
		break;
	default:
		/* Not too many parts: each is synced. */
		length = dice_roll(dice, dice_roll(dice, 4) ? 200 : 30000);
		if (part_size != 0 && length > 5 * (size_t)part_size)
			length = 5 * (size_t)part_size;
		if (length > sizeof(model->bytes) - model->length)
			length = 0;
		dice_fill(dice, model->bytes + model->length, length);
		append(place, model->bytes + model->length, length);
		model->length += length;
		break;
	}
	assert_int_equal(place->volume.length, model->length);
	assert_true(volume_unsynced(&place->volume) >= 0);
}

static void
is_what_an_array_of_bytes_is(void **state)
{
	static const int64_t part_sizes[] = { 0, 1, 7, 1000, 65536 };
	struct dice dice = dice_new();
	struct model *model = malloc(sizeof(*model));

	for (size_t i = 0; i < COUNT_OF(part_sizes); i++) {
		struct place place = place_open(state);

		model->length = model->synced = 0;
		reopen(&place, part_sizes[i], 0);
		for (int step = 0; step < 150; step++) {
			do_something(&place, model, &dice, part_sizes[i]);
			if (step % 50 == 8)
				assert_content(
				    &place, model->bytes, model->length);
		}
		assert_content(&place, model->bytes, model->length);
		reopen(&place, part_sizes[i], 0);
		assert_files(&place, "");
		place_close(&place);
	}
	free(model);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(counts_and_names_parts),
		scratch_test(refuses_too_many_parts),
		scratch_test(writes_one_file),
		scratch_test(splits_at_the_part_size),
		scratch_test(cuts_across_parts),
		scratch_test(touches_nothing_else),
		scratch_test(names_what_is_wrong_with_a_part),
		scratch_test(says_when_a_part_cannot_be_made),
		scratch_test(is_what_an_array_of_bytes_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
