/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "dice.h"
#include "tool.h"

#include "store/spool.h"

#include <sys/stat.h>

static const struct extent none;

static void
append(struct spool *spool, const char *line)
{
	struct fault fault;

	assert_fine(spool_append(spool, line, strlen(line), &fault), &fault);
}

static void
assert_next(struct spool_reader *reader, const char *wanted)
{
	struct fault fault;
	size_t length;
	char *line;
	int found = spool_next(reader, &line, &length, &fault);

	if (found < 0)
		fail_msg("%s", fault.text);
	if (wanted == NULL) {
		assert_int_equal(found, 0);
		return;
	}
	assert_int_equal(found, 1);
	assert_string_equal(line, wanted);
	assert_int_equal(length, strlen(wanted));
}

static int64_t
size_of(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, 0) == 0 ? st.st_size : -1;
}

static void
reads_back_what_was_appended(void **state)
{
	int dirfd = scratch_open(state);
	struct spool spool = SPOOL_CLOSED;
	struct spool_reader reader;
	struct fault fault;
	struct extent extent;

	assert_fine(spool_open(&spool, dirfd, "list", &none, &fault), &fault);
	assert_int_equal(size_of(dirfd, "list"), -1); /* no file yet */
	spool_reader_open(&reader, &spool, 0);
	assert_next(&reader, NULL);
	append(&spool, "one");
	append(&spool, "");
	/* What is pending is read too. */
	assert_next(&reader, "one");
	append(&spool, "three");
	assert_next(&reader, "");
	assert_next(&reader, "three");
	assert_next(&reader, NULL);
	assert_true(spool.made);
	assert_int_equal(spool.extent.lines, 3);
	assert_int_equal(spool.extent.length, 8 + 3 * (SPOOL_OVERHEAD + 1));
	assert_int_equal(spool_unsynced(&spool), spool.extent.length);
	assert_fine(spool_sync(&spool, &fault), &fault);
	assert_int_equal(spool_unsynced(&spool), 0);
	spool_committed(&spool);
	extent = spool.extent;
	spool_reader_close(&reader);
	spool_close(&spool);
	spool_close(&spool);
	assert_int_equal(size_of(dirfd, "list"), extent.length);
	assert_fine(spool_open(&spool, dirfd, "list", &extent, &fault), &fault);
	spool_reader_open(&reader, &spool, 0);
	assert_next(&reader, "one");
	assert_next(&reader, "");
	append(&spool, "four");
	assert_next(&reader, "three");
	assert_next(&reader, "four");
	assert_next(&reader, NULL);
	spool_reader_close(&reader);
	spool_close(&spool);
	close(dirfd);
}

/* As the header says: CRC-32C in eight digits, a space, the line. */
static void
writes_the_format_it_says(void **state)
{
	int dirfd = scratch_open(state);
	struct spool spool = SPOOL_CLOSED;
	struct strbuf text = STRBUF_EMPTY;
	struct fault fault;

	assert_fine(spool_open(&spool, dirfd, "list", &none, &fault), &fault);
	append(&spool, "123456789");
	append(&spool, "");
	assert_fine(spool_sync(&spool, &fault), &fault);
	tool_read(*state, "list", &text);
	assert_string_equal(text.bytes, "e3069283 123456789\n00000000 \n");
	strbuf_close(&text);
	spool_close(&spool);
	close(dirfd);
}

/* Without a sync nothing is promised, and nothing that is counted is lost. */
static void
cuts_the_file_to_its_extent(void **state)
{
	int dirfd = scratch_open(state);
	struct spool spool = SPOOL_CLOSED;
	struct spool_reader reader;
	struct fault fault;
	struct extent extent;

	assert_fine(spool_open(&spool, dirfd, "list", &none, &fault), &fault);
	append(&spool, "counted");
	extent = spool.extent;
	append(&spool, "not counted");
	assert_fine(spool_sync(&spool, &fault), &fault);
	append(&spool, "not even written");
	spool_close(&spool);
	assert_true(size_of(dirfd, "list") > extent.length);
	assert_fine(spool_open(&spool, dirfd, "list", &extent, &fault), &fault);
	assert_int_equal(size_of(dirfd, "list"), extent.length);
	append(&spool, "next");
	spool_reader_open(&reader, &spool, 0);
	assert_next(&reader, "counted");
	assert_next(&reader, "next");
	assert_next(&reader, NULL);
	spool_reader_close(&reader);
	spool_close(&spool);
	/* An extent of nothing cuts everything. */
	assert_fine(spool_open(&spool, dirfd, "list", &none, &fault), &fault);
	assert_int_equal(size_of(dirfd, "list"), 0);
	spool_close(&spool);
	close(dirfd);
}

static void
names_what_is_missing_or_shorter(void **state)
{
	int dirfd = scratch_open(state);
	struct spool spool = SPOOL_CLOSED;
	struct fault fault;
	struct extent extent = { 30, 2 };

	assert_faulty(spool_open(&spool, dirfd, "list", &extent, &fault),
	    FAULT_CORRUPT, "the spool 'list' is missing", &fault);
	spool_close(&spool);
	tool_write(*state, "list", "12345678901234567890123456789", 29);
	assert_faulty(spool_open(&spool, dirfd, "list", &extent, &fault),
	    FAULT_CORRUPT, "the spool 'list' is shorter than", &fault);
	spool_close(&spool);
	assert_int_equal(tool_run(*state, "rm list && ln -s x list"), 0);
	assert_faulty(spool_open(&spool, dirfd, "list", &extent, &fault),
	    FAULT_SYSTEM, "the spool 'list' cannot be opened", &fault);
	spool_close(&spool);
	close(dirfd);
}

/* Read to the end; FAULT_NONE, or the code of the fault. */
static enum fault_code
read_all(struct spool *spool, struct fault *fault)
{
	struct spool_reader reader;
	size_t length;
	char *line;
	int found;

	fault_clear(fault);
	spool_reader_open(&reader, spool, 0);
	while ((found = spool_next(&reader, &line, &length, fault)) > 0)
		continue;
	spool_reader_close(&reader);
	return found < 0 ? fault->code : FAULT_NONE;
}

static void
finds_every_flipped_bit(void **state)
{
	int dirfd = scratch_open(state);
	struct spool spool = SPOOL_CLOSED;
	struct strbuf text = STRBUF_EMPTY;
	struct fault fault;

	assert_fine(spool_open(&spool, dirfd, "list", &none, &fault), &fault);
	append(&spool, "f 10 20 a name");
	append(&spool, "");
	append(&spool, "\xff\\\\ 8");
	assert_fine(spool_sync(&spool, &fault), &fault);
	tool_read(*state, "list", &text);
	assert_int_equal(read_all(&spool, &fault), FAULT_NONE);
	for (size_t bit = 0; bit < 8 * text.length; bit++) {
		char byte = (char)(text.bytes[bit / 8] ^ 1 << bit % 8);

		assert_int_equal(
		    pwrite(spool.fd, &byte, 1, (off_t)(bit / 8)), 1);
		assert_int_equal(read_all(&spool, &fault), FAULT_CORRUPT);
		assert_contains(fault.text, "the spool 'list' ");
		assert_int_equal(
		    pwrite(spool.fd, &text.bytes[bit / 8], 1, (off_t)(bit / 8)),
		    1);
	}
	assert_int_equal(read_all(&spool, &fault), FAULT_NONE);
	strbuf_close(&text);
	spool_close(&spool);
	close(dirfd);
}

static void
finds_lines_that_do_not_end(void **state)
{
	int dirfd = scratch_open(state);
	struct spool spool = SPOOL_CLOSED;
	struct extent extent = { 18, 1 };
	struct fault fault;

	tool_write(*state, "list", "e3069283 123456789", 18);
	assert_fine(spool_open(&spool, dirfd, "list", &extent, &fault), &fault);
	assert_int_equal(read_all(&spool, &fault), FAULT_CORRUPT);
	assert_contains(fault.text, "the spool 'list' ends in mid-line");
	spool_close(&spool);
	/* It is not read into memory whole. */
	assert_int_equal(tool_run(*state, "truncate -s 100M list"), 0);
	extent.length = 100 << 20;
	assert_fine(spool_open(&spool, dirfd, "list", &extent, &fault), &fault);
	assert_int_equal(read_all(&spool, &fault), FAULT_CORRUPT);
	assert_contains(fault.text, "the spool 'list' has an endless line");
	spool_close(&spool);
	/* A file that shrank after it was opened. */
	assert_fine(spool_open(&spool, dirfd, "list", &extent, &fault), &fault);
	assert_int_equal(tool_run(*state, "truncate -s 0 list"), 0);
	assert_int_equal(read_all(&spool, &fault), FAULT_CORRUPT);
	spool_close(&spool);
	close(dirfd);
}

#define LINES 3000

/* Numbered lines of all lengths; where each begins. */
static void
append_numbers(struct spool *spool, struct dice *dice, int64_t offsets[LINES])
{
	struct fault fault;

	for (int i = 0; i < LINES; i++) {
		char line[400];
		int length = snprintf(line, sizeof(line), "%d ", i);

		memset(line + length, 'x', 300);
		offsets[i] = spool->extent.length;
		assert_fine(spool_append(spool, line,
				(size_t)length + dice_roll(dice, 300), &fault),
		    &fault);
	}
}

static void
seeks_to_any_line(void **state)
{
	int dirfd = scratch_open(state);
	struct dice dice = dice_new();
	struct spool spool = SPOOL_CLOSED;
	struct spool_reader reader;
	struct fault fault;
	int64_t offsets[LINES];

	assert_fine(spool_open(&spool, dirfd, "list", &none, &fault), &fault);
	append_numbers(&spool, &dice, offsets);
	spool_reader_open(&reader, &spool, offsets[17]);
	for (int i = 0; i < 3000; i++) {
		size_t which = i == 0 ? 17 : dice_roll(&dice, LINES);
		size_t length;
		char *line;

		reader.chunk = i % 3 ? 512 : 65536;
		if (i > 0)
			spool_reader_seek(&reader, offsets[which]);
		for (size_t on = dice_roll(&dice, 4) + 1;
		     on > 0 && which < LINES; on--) {
			assert_int_equal(
			    spool_next(&reader, &line, &length, &fault), 1);
			assert_int_equal(strtol(line, NULL, 10), (long)which++);
		}
	}
	spool_reader_seek(&reader, spool.extent.length);
	assert_next(&reader, NULL);
	append(&spool, "last");
	assert_next(&reader, "last");
	spool_reader_close(&reader);
	spool_close(&spool);
	close(dirfd);
}

static void
goes_back_and_appends_again(void **state)
{
	int dirfd = scratch_open(state);
	struct spool spool = SPOOL_CLOSED;
	struct spool_reader reader;
	struct extent extent;
	struct fault fault;

	assert_fine(spool_open(&spool, dirfd, "list", &none, &fault), &fault);
	append(&spool, "kept");
	extent = spool.extent;
	append(&spool, "a line that is longer than what comes");
	assert_fine(spool_sync(&spool, &fault), &fault);
	spool_committed(&spool);
	append(&spool, "pending");
	spool_cut(&spool, &extent);
	assert_int_equal(spool.extent.lines, 1);
	assert_int_equal(spool_unsynced(&spool), 0);
	spool_reader_open(&reader, &spool, 0);
	assert_next(&reader, "kept");
	assert_next(&reader, NULL);
	/* The state is committed, and only then comes more. */
	spool_committed(&spool);
	append(&spool, "new");
	assert_next(&reader, "new");
	assert_next(&reader, NULL);
	assert_fine(spool_sync(&spool, &fault), &fault);
	spool_committed(&spool);
	extent = spool.extent;
	spool_reader_close(&reader);
	spool_close(&spool);
	assert_fine(spool_open(&spool, dirfd, "list", &extent, &fault), &fault);
	spool_reader_open(&reader, &spool, 0);
	assert_next(&reader, "kept");
	assert_next(&reader, "new");
	assert_next(&reader, NULL);
	spool_reader_close(&reader);
	spool_close(&spool);
	close(dirfd);
}

static const size_t lengths[] = { 0, 1, 511, 65525, 65526, 65527, 65535, 65536,
	65537, 131072, 1000000, SPOOL_LINE_MAX, 3 };

static void
assert_lines_of_lengths(struct spool *spool, size_t chunk, char *bytes)
{
	struct spool_reader reader;
	struct fault fault;

	spool_reader_open(&reader, spool, 0);
	reader.chunk = chunk;
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		size_t length;
		char *line;

		assert_int_equal(
		    spool_next(&reader, &line, &length, &fault), 1);
		memset(bytes, 'a' + (int)i, lengths[i]);
		assert_int_equal(length, lengths[i]);
		assert_int_equal(line[length], '\0');
		assert_memory_equal(line, bytes, length);
	}
	assert_next(&reader, NULL);
	spool_reader_close(&reader);
}

static void
bears_lines_of_all_lengths(void **state)
{
	int dirfd = scratch_open(state);
	struct spool spool = SPOOL_CLOSED;
	struct fault fault;
	char *bytes = calloc(1, SPOOL_LINE_MAX + 1);

	assert_fine(spool_open(&spool, dirfd, "list", &none, &fault), &fault);
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		memset(bytes, 'a' + (int)i, lengths[i]);
		assert_fine(
		    spool_append(&spool, bytes, lengths[i], &fault), &fault);
	}
	assert_lines_of_lengths(&spool, 512, bytes);
	assert_lines_of_lengths(&spool, 65536, bytes);
	/* One that could not be read back is not taken. */
	assert_faulty(spool_append(&spool, bytes, SPOOL_LINE_MAX + 1, &fault),
	    FAULT_SYSTEM, "the spool 'list' cannot hold a line of", &fault);
	assert_int_equal(spool.extent.lines, COUNT_OF(lengths));
	free(bytes);
	spool_close(&spool);
	close(dirfd);
}

static void
says_when_it_cannot_write(void **state)
{
	int dirfd = scratch_open(state);
	struct spool spool = SPOOL_CLOSED;
	struct fault fault;
	struct extent extent = { 10, 1 };

	tool_write(*state, "list", "00000000 \n", 10);
	assert_fine(spool_open(&spool, dirfd, "list", &extent, &fault), &fault);
	close(spool.fd);
	spool.fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	append(&spool, "x");
	assert_faulty(spool_sync(&spool, &fault), FAULT_RETRY,
	    "the spool 'list' cannot be written: No space left", &fault);
	spool_close(&spool);
	assert_fine(spool_open(&spool, dirfd, "a/b", &none, &fault), &fault);
	append(&spool, "x");
	assert_faulty(spool_sync(&spool, &fault), FAULT_NOT_FOUND,
	    "the spool 'a/b' cannot be made", &fault);
	spool_close(&spool);
	close(dirfd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(reads_back_what_was_appended),
		scratch_test(writes_the_format_it_says),
		scratch_test(cuts_the_file_to_its_extent),
		scratch_test(names_what_is_missing_or_shorter),
		scratch_test(finds_every_flipped_bit),
		scratch_test(finds_lines_that_do_not_end),
		scratch_test(seeks_to_any_line),
		scratch_test(goes_back_and_appends_again),
		scratch_test(bears_lines_of_all_lengths),
		scratch_test(says_when_it_cannot_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
