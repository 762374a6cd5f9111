/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "dice.h"
#include "tool.h"

#include "pack/packer.h"
#include "store/profile.h"

static const struct {
	struct compression compression;
	const char *unpack; /* reads the file packed */
} kinds[] = {
	{ { CODEC_NONE, 0 }, "cat packed" },
	{ { CODEC_GZIP, 1 }, "gzip -dc < packed" },
	{ { CODEC_GZIP, 9 }, "gzip -dc < packed" },
	{ { CODEC_XZ, 0 }, "xz -dc packed" },
	{ { CODEC_XZ, 6 }, "xz -dc packed" },
	{ { CODEC_ZSTD, 1 }, "zstd -dc packed" },
	{ { CODEC_ZSTD, 3 }, "zstd -dc packed" },
	{ { CODEC_ZSTD, 19 }, "zstd -dc packed" },
};

static int
take(void *context, const void *bytes, size_t length)
{
	strbuf_add(context, bytes, length);
	return 0;
}

/* One piece, its bytes given a few at a time. */
static void
pack(const struct compression *compression, const uint8_t *bytes, size_t length,
    size_t step, struct strbuf *out)
{
	struct packer *packer;
	struct fault fault;

	assert_fine(
	    packer_open(&packer, compression, take, out, &fault), &fault);
	for (size_t at = 0; at < length; at += step)
		assert_fine(
		    packer_add(packer, bytes + at,
			length - at < step ? length - at : step, &fault),
		    &fault);
	assert_fine(packer_finish(packer, &fault), &fault);
}

static void
assert_unpacks(void **state, const struct strbuf *packed, const char *command,
    const uint8_t *bytes, size_t length)
{
	struct strbuf plain = STRBUF_EMPTY;

	tool_write(*state, "packed", strbuf_text(packed), packed->length);
	assert_int_equal(tool_run(*state, "%s > plain", command), 0);
	tool_read(*state, "plain", &plain);
	assert_int_equal(plain.length, length);
	assert_memory_equal(plain.bytes, bytes, length);
	strbuf_close(&plain);
}

/* Each piece is a file of its kind, and so are pieces one after another. */
static void
is_read_by_the_usual_tools(void **state)
{
	static const size_t lengths[] = { 0, 1, 300000, 0, 70000, 0 };
	struct dice dice = dice_new();
	uint8_t *bytes = malloc(400000);

	dice_fill(&dice, bytes, 100000);
	for (size_t i = 100000; i < 400000; i++)
		bytes[i] = (uint8_t) "compressible "[i % 13 + (i % 997 == 0)];
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		struct strbuf all = STRBUF_EMPTY, one = STRBUF_EMPTY;
		size_t at = 0;

		for (size_t i = 0; i < COUNT_OF(lengths); i++) {
			strbuf_reset(&one);
			pack(&kinds[k].compression, bytes + at, lengths[i],
			    1 + dice_roll(&dice, 65536), &one);
			/* No kind but this has pieces of no bytes. */
			assert_true(one.length > 0 ||
			    kinds[k].compression.codec == CODEC_NONE);
			assert_unpacks(state, &one, kinds[k].unpack, bytes + at,
			    lengths[i]);
			strbuf_add(&all, strbuf_text(&one), one.length);
			at += lengths[i];
		}
		assert_unpacks(state, &all, kinds[k].unpack, bytes, at);
		strbuf_close(&all);
		strbuf_close(&one);
	}
	free(bytes);
}

/* The same bytes make the same piece: work may be done twice. */
static void
packs_alike_twice(void **state)
{
	uint8_t bytes[100000];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * i >> 7);
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		struct strbuf one = STRBUF_EMPTY, two = STRBUF_EMPTY;

		pack(&kinds[k].compression, bytes, sizeof(bytes), 1000, &one);
		pack(&kinds[k].compression, bytes, sizeof(bytes), 1000, &two);
		assert_int_equal(one.length, two.length);
		assert_memory_equal(one.bytes, two.bytes, one.length);
		strbuf_close(&one);
		strbuf_close(&two);
	}
}

/* Takes so many calls, and then no more. */
static int
take_some(void *context, const void *bytes, size_t length)
{
	int *calls = context;

	(void)bytes;
	(void)length;
	return (*calls)-- > 0 ? 0 : -1;
}

static void
fails_when_its_bytes_are_not_taken(void **state)
{
	struct dice dice = dice_new();
	uint8_t *bytes = malloc(1 << 20);

	(void)state;
	dice_fill(&dice, bytes, 1 << 20);
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		for (int calls = 0; calls < 3; calls++) {
			struct packer *packer = NULL;
			struct fault fault = { .code = FAULT_NONE };
			int left = calls, result;

			result = packer_open(&packer, &kinds[k].compression,
			    take_some, &left, &fault);
			for (int i = 0; result == 0 && i < 9; i++)
				result =
				    packer_add(packer, bytes, 1 << 20, &fault);
			if (result == 0)
				result = packer_finish(packer, &fault);
			else
				packer_free(packer);
			assert_int_equal(result, -1);
			assert_contains(
			    fault.text, "the archive cannot be packed: ");
			assert_int_equal(fault.code, FAULT_RETRY);
		}
	}
	free(bytes);
}

/* Its sink may be gone by then. */
static void
is_silent_when_it_is_thrown_away(void **state)
{
	uint8_t bytes[1000] = { 0 };

	(void)state;
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		struct strbuf out = STRBUF_EMPTY;
		struct packer *packer;
		struct fault fault;
		size_t length;

		assert_fine(packer_open(&packer, &kinds[k].compression, take,
				&out, &fault),
		    &fault);
		assert_fine(
		    packer_add(packer, bytes, sizeof(bytes), &fault), &fault);
		length = out.length;
		packer_free(packer);
		assert_int_equal(out.length, length);
		strbuf_close(&out);
	}
	packer_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(is_read_by_the_usual_tools),
		cmocka_unit_test(packs_alike_twice),
		cmocka_unit_test(fails_when_its_bytes_are_not_taken),
		cmocka_unit_test(is_silent_when_it_is_thrown_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
