/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "dice.h"

/* With the file itself, both ways to reckon can be compared. */
#include "base/crc32c.c" /* NOLINT(bugprone-suspicious-include) */

static void
knows_rfc_3720_b_4(void **state)
{
	static const unsigned char pdu[48] = { 0x01,
		0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18,
		[32] = 0x28, [40] = 0x02 };
	unsigned char bytes[32];

	(void)state;
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, 32), 0x62a8ab43);
	for (unsigned i = 0; i < 32; i++)
		bytes[i] = (unsigned char)i;
	assert_int_equal(crc32c(0, bytes, 32), 0x46dd794e);
	for (unsigned i = 0; i < 32; i++)
		bytes[i] = (unsigned char)(31 - i);
	assert_int_equal(crc32c(0, bytes, 32), 0x113fdb5c);
	assert_int_equal(crc32c(0, pdu, 48), 0xd9963a56);
	/* The check value of the catalogue of CRC algorithms. */
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, NULL, 0), 0);
}

/* Whichever way this machine goes. */
static void
agrees_with_the_table(void **state)
{
	struct dice dice = dice_new();
	unsigned char bytes[600];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		uint32_t before = (uint32_t)dice_bits(&dice);
		size_t start = dice_roll(&dice, 16);
		size_t length = dice_roll(&dice, 500);

		dice_fill(&dice, bytes + start, length);
		assert_int_equal(crc32c(before, bytes + start, length),
		    ~by_table(~before, bytes + start, length));
	}
}

static void
goes_on_from_any_place(void **state)
{
	struct dice dice = dice_new();
	unsigned char bytes[1000];
	uint32_t whole;

	(void)state;
	dice_fill(&dice, bytes, sizeof(bytes));
	whole = crc32c(0, bytes, sizeof(bytes));
	for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
		uint32_t crc = crc32c(0, bytes, cut);

		assert_int_equal(
		    crc32c(crc, bytes + cut, sizeof(bytes) - cut), whole);
	}
}

static void
finds_every_flipped_bit(void **state)
{
	struct dice dice = dice_new();
	unsigned char bytes[100];
	uint32_t right;

	(void)state;
	dice_fill(&dice, bytes, sizeof(bytes));
	right = crc32c(0, bytes, sizeof(bytes));
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
		bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
		assert_int_not_equal(crc32c(0, bytes, sizeof(bytes)), right);
		bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_rfc_3720_b_4),
		cmocka_unit_test(agrees_with_the_table),
		cmocka_unit_test(goes_on_from_any_place),
		cmocka_unit_test(finds_every_flipped_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
