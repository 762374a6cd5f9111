/* SPDX-License-Identifier: MIT */
#include "archive.h"

#include "base/crc32c.h"

#define MEGABYTE ((size_t)1 << 20)

/* Its reader of a file of that name. */
static const char *
unpacker(const struct compression *compression)
{
	switch (compression->codec) {
	case CODEC_NONE:
		return "cat";
	case CODEC_GZIP:
		return "gzip -dc <";
	case CODEC_XZ:
		return "xz -dc <";
	case CODEC_ZSTD:
		return "zstd -dcq <";
	}
	abort();
}

static uint8_t *
make_bytes(struct dice *dice, size_t length)
{
	uint8_t *bytes = malloc(length);

	assert_non_null(bytes);
	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t) "some text, compressible"[i % 23];
	for (size_t i = 0; i < length / 8; i++)
		bytes[dice_roll(dice, length)] = (uint8_t)dice_bits(dice);
	return bytes;
}

/* Write bytes in pieces of all lengths, in all ways. */
static void
write_some(struct archive_of *archive, struct dice *dice, const uint8_t *bytes,
    size_t length)
{
	while (length > 0) {
		size_t piece = 1 + dice_roll(dice, 200000), room;
		void *place;

		if (piece > length)
			piece = length;
		if (dice_roll(dice, 2) == 0) {
			archive_write_bytes(archive, bytes, piece);
		} else {
			place = frames_reserve(
			    archive->frames, &room, &archive->fault);
			assert_non_null(place);
			assert_true(room > 0);
			if (piece > room)
				piece = room;
			memcpy(place, bytes, piece);
			assert_fine(frames_commit(archive->frames, piece,
					&archive->fault),
			    &archive->fault);
		}
		bytes += piece;
		length -= piece;
	}
}

/* The packed bytes of one frame: unpacked alone they are these. */
static void
assert_frame(struct archive_of *archive, const char *packed, size_t length,
    const uint8_t *bytes, size_t plain)
{
	struct strbuf text = STRBUF_EMPTY;

	tool_write(archive->path, "one", packed, length);
	assert_int_equal(tool_run(archive->path, "%s one > plain",
			     unpacker(&archive->compression)),
	    0);
	tool_read(archive->path, "plain", &text);
	assert_int_equal(text.length, plain);
	assert_memory_equal(text.bytes, bytes, plain);
	strbuf_close(&text);
}

/*
 * The spool's lines: the frames lie one behind another, each is what its line
 * says, and together they are these bytes.  Returns how many there are; the
 * longest is put into longest.
 */
static int
assert_frames(struct archive_of *archive, const uint8_t *bytes, size_t length,
    int64_t *longest)
{
	struct spool_reader reader;
	struct strbuf all = STRBUF_EMPTY;
	int64_t end = 0, plain_end = 0;
	size_t line_length;
	char *line;
	int count = 0;

	assert_int_equal(
	    tool_run(archive->path,
		"cat $(ls -v | grep '^" ARCHIVE_NAME "') /dev/null > all"),
	    0);
	tool_read(archive->path, "all", &all);
	spool_reader_open(&reader, &archive->spool, 0);
	*longest = 0;
	while (spool_next(&reader, &line, &line_length, &archive->fault) > 0) {
		long long offset, packed, plain;
		char again[100];
		unsigned crc;

		assert_int_equal(sscanf(line, "%lld %lld %lld %x", &offset,
				     &packed, &plain, &crc),
		    4);
		snprintf(again, sizeof(again), "%lld %lld %lld %08x", offset,
		    packed, plain, crc);
		assert_string_equal(line, again);
		assert_int_equal(offset, end);
		end += packed;
		assert_true(plain > 0 && end <= (int64_t)all.length);
		assert_int_equal(
		    crc32c(0, all.bytes + offset, (size_t)packed), crc);
		assert_frame(archive, all.bytes + offset, (size_t)packed,
		    bytes + plain_end, (size_t)plain);
		plain_end += plain;
		*longest = plain > *longest ? plain : *longest;
		count++;
	}
	assert_int_equal(end, all.length);
	assert_int_equal(end, archive->volume.length);
	assert_int_equal(plain_end, length);
	assert_int_equal(count, archive->spool.extent.lines);
	assert_frame(archive, strbuf_text(&all), all.length, bytes, length);
	spool_reader_close(&reader);
	strbuf_close(&all);
	return count;
}

static const struct {
	struct compression compression;
	int64_t part_size;
} kinds[] = {
	{ { CODEC_ZSTD, 3 }, 0 },
	{ { CODEC_ZSTD, 9 }, 100000 },
	{ { CODEC_GZIP, 1 }, 65536 },
	{ { CODEC_XZ, 0 }, 0 },
	{ { CODEC_NONE, 0 }, 1000000 },
};

/* Whoever packs them, the bytes come out in their order. */
static void
keeps_the_order_whoever_packs(void **state)
{
	static const int workers[] = { 0, 1, 2 };
	struct dice dice = dice_new();
	size_t length = 3 * MEGABYTE + dice_roll(&dice, MEGABYTE);
	uint8_t *bytes = make_bytes(&dice, length);
	int64_t longest, in_flight, unsynced;

	for (size_t i = 0; i < COUNT_OF(kinds) * COUNT_OF(workers); i++) {
		size_t k = i / COUNT_OF(workers);
		struct archive_of *archive = archive_begin(state,
		    kinds[k].compression, workers[i % COUNT_OF(workers)]);

		archive_close(archive);
		archive->part_size = kinds[k].part_size;
		archive_open(archive);
		/* Many frames, so that workers overtake each other. */
		frames_limit(archive->frames, 100000);
		write_some(archive, &dice, bytes, length);
		archive_checkpoint(archive);
		frames_load(archive->frames, &in_flight, &unsynced);
		assert_int_equal(in_flight, 0);
		assert_in_range(
		    assert_frames(archive, bytes, length, &longest), 12, 16);
		archive_end(archive);
	}
	free(bytes);
}

/* At a checkpoint the frame at hand ends, and all of it is in the volume. */
static void
ends_a_frame_at_a_checkpoint(void **state)
{
	struct dice dice = dice_new();
	uint8_t *bytes = make_bytes(&dice, 100000);

	for (int workers = 0; workers <= 2; workers++) {
		struct archive_of *archive = archive_begin(
		    state, (struct compression){ CODEC_ZSTD, 3 }, workers);
		int64_t longest;

		/* Nothing makes no frame. */
		archive_checkpoint(archive);
		assert_int_equal(archive->length, 0);
		assert_int_equal(archive->extent.lines, 0);
		archive_write_bytes(archive, bytes, 1);
		archive_checkpoint(archive);
		assert_int_equal(archive->extent.lines, 1);
		archive_checkpoint(archive);
		assert_int_equal(archive->extent.lines, 1);
		archive_write_bytes(archive, bytes + 1, 99999);
		archive_checkpoint(archive);
		assert_int_equal(
		    assert_frames(archive, bytes, 100000, &longest), 2);
		archive_end(archive);
	}
	free(bytes);
}

/* Killed again and again: what follows the last checkpoint is redone. */
static void
goes_on_from_a_checkpoint(void **state)
{
	struct dice dice = dice_new();
	size_t length = 4 * MEGABYTE, done = 0;
	uint8_t *bytes = make_bytes(&dice, length);
	struct archive_of *archive =
	    archive_begin(state, (struct compression){ CODEC_ZSTD, 1 }, 2);
	int64_t longest;

	archive_close(archive);
	archive->part_size = 70000;
	archive_open(archive);
	for (int i = 0; i < 12; i++) {
		size_t piece = dice_roll(&dice, MEGABYTE);

		if (piece > length - done)
			piece = length - done;
		if (dice_roll(&dice, 2) == 0)
			frames_limit(archive->frames, 65536);
		write_some(archive, &dice, bytes + done, piece);
		if (dice_roll(&dice, 2) == 0) {
			archive_checkpoint(archive);
			done += piece;
		}
		archive_close(archive);
		archive->workers = (int)dice_roll(&dice, 3);
		archive_open(archive);
	}
	write_some(archive, &dice, bytes + done, length - done);
	archive_checkpoint(archive);
	assert_frames(archive, bytes, length, &longest);
	archive_end(archive);
	free(bytes);
}

/* How long frames become follows what is in them. */
static int
frames_of(void **state, int workers, int level, size_t entry, int64_t limit,
    int64_t *longest)
{
	struct dice dice = dice_new();
	size_t length = 10 * MEGABYTE;
	uint8_t *bytes = make_bytes(&dice, length);
	struct archive_of *archive = archive_begin(
	    state, (struct compression){ CODEC_ZSTD, level }, workers);
	int count;

	if (limit > 0)
		frames_limit(archive->frames, limit);
	for (size_t at = 0; at < length; at += entry) {
		frames_note_entry(archive->frames);
		archive_write_bytes(archive, bytes + at, entry);
	}
	archive_checkpoint(archive);
	count = assert_frames(archive, bytes, length, longest);
	archive_end(archive);
	free(bytes);
	return count;
}

static void
makes_frames_as_long_as_they_should_be(void **state)
{
	int64_t longest;

	/* Files: two workers share them. */
	assert_int_equal(frames_of(state, 2, 1, MEGABYTE, 0, &longest), 3);
	assert_int_equal(longest, 4 * MEGABYTE);
	/* Tiny entries compress well together, or nobody shares. */
	assert_int_equal(frames_of(state, 2, 1, 2048, 0, &longest), 1);
	assert_int_equal(frames_of(state, 1, 1, MEGABYTE, 0, &longest), 1);
	assert_int_equal(frames_of(state, 0, 1, MEGABYTE, 0, &longest), 1);
	/* What a step has time for, to the next whole chunk. */
	frames_of(state, 2, 1, 2048, 1 << 20, &longest);
	assert_in_range(longest, 1 << 20, (1 << 20) + (256 << 10));
	frames_of(state, 0, 1, MEGABYTE, 1, &longest);
	assert_in_range(longest, 64 << 10, 256 << 10);
}

/* A frame that cannot be written is a fault, now or at the flush. */
static void
says_when_it_cannot_write(void **state)
{
	struct dice dice = dice_new();
	uint8_t *bytes = make_bytes(&dice, MEGABYTE);

	for (int workers = 0; workers <= 2; workers++) {
		struct archive_of *archive = archive_begin(
		    state, (struct compression){ CODEC_NONE, 0 }, workers);
		struct fault *fault = &archive->fault;
		size_t room;
		int result = 0;

		assert_int_equal(
		    tool_run(*state, "mkdir " ARCHIVE_NAME ".partial"), 0);
		for (int i = 0; i < 50 && result == 0; i++)
			result = frames_write(
			    archive->frames, bytes, MEGABYTE, fault);
		assert_int_equal(result, -1);
		assert_contains(fault->text, "the part '" ARCHIVE_NAME);
		/* And it stays one. */
		fault_clear(fault);
		assert_faulty(frames_flush(archive->frames, fault),
		    FAULT_SYSTEM, "cannot be made", fault);
		archive_close(archive);
		assert_int_equal(
		    tool_run(*state, "rmdir " ARCHIVE_NAME ".partial"), 0);
		archive_open(archive);
		assert_int_equal(
		    tool_run(*state, "mkdir " ARCHIVE_NAME ".partial"), 0);
		archive_write_bytes(archive, bytes, 1);
		assert_faulty(frames_flush(archive->frames, fault),
		    FAULT_SYSTEM, "cannot be made", fault);
		assert_null(frames_reserve(archive->frames, &room, fault));
		assert_int_equal(
		    tool_run(*state, "rmdir " ARCHIVE_NAME ".partial"), 0);
		archive_end(archive);
	}
	free(bytes);
}

/* Thrown away at any moment: nothing hangs, and nothing leaks. */
static void
can_be_closed_at_any_moment(void **state)
{
	struct dice dice = dice_new();
	uint8_t *bytes = make_bytes(&dice, 4 * MEGABYTE);

	for (int i = 0; i < 30; i++) {
		struct archive_of *archive = archive_begin(state,
		    (struct compression){ CODEC_ZSTD, 1 + i % 9 }, i % 4);

		write_some(
		    archive, &dice, bytes, dice_roll(&dice, 4 * MEGABYTE));
		archive_end(archive);
	}
	frames_close(NULL);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(keeps_the_order_whoever_packs),
		scratch_test(ends_a_frame_at_a_checkpoint),
		scratch_test(goes_on_from_a_checkpoint),
		scratch_test(makes_frames_as_long_as_they_should_be),
		scratch_test(says_when_it_cannot_write),
		scratch_test(can_be_closed_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
