/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "dice.h"
#include "tool.h"

#include "pack/digest.h"

static void
finish(struct digest *digest, char hex[2 * DIGEST_SIZE + 1])
{
	struct strbuf buf = STRBUF_EMPTY;
	uint8_t hash[DIGEST_SIZE];

	digest_finish(digest, hash);
	strbuf_add_hex(&buf, hash, sizeof(hash));
	memcpy(hex, buf.bytes, 2 * DIGEST_SIZE + 1);
	strbuf_close(&buf);
}

static void
knows_fips_180_4(void **state)
{
	char hex[2 * DIGEST_SIZE + 1];
	struct digest digest;

	(void)state;
	digest_init(&digest);
	finish(&digest, hex);
	assert_string_equal(hex,
	    "e3b0c44298fc1c149afbf4c8996fb924"
	    "27ae41e4649b934ca495991b7852b855");
	digest_init(&digest);
	digest_add(&digest, "abc", 3);
	finish(&digest, hex);
	assert_string_equal(hex,
	    "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad");
	digest_init(&digest);
	for (int i = 0; i < 1000; i++) {
		char bytes[1000];

		memset(bytes, 'a', sizeof(bytes));
		digest_add(&digest, bytes, sizeof(bytes));
	}
	finish(&digest, hex);
	assert_string_equal(hex,
	    "cdc76e5c9914fb9281a1c7e284d73e67"
	    "f1809a48a497200e046d39ccc7112cd0");
}

static void
goes_on_from_every_place(void **state)
{
	struct dice dice = dice_new();
	struct strbuf theirs = STRBUF_EMPTY;
	char bytes[400], whole[2 * DIGEST_SIZE + 1];
	struct digest digest;

	dice_fill(&dice, bytes, sizeof(bytes));
	digest_init(&digest);
	digest_add(&digest, bytes, sizeof(bytes));
	finish(&digest, whole);
	tool_write(*state, "bytes", bytes, sizeof(bytes));
	assert_int_equal(
	    tool_run(*state, "sha256sum <bytes | cut -c 1-64 >sum"), 0);
	tool_read(*state, "sum", &theirs);
	assert_memory_equal(theirs.bytes, whole, 64);
	strbuf_close(&theirs);
	for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
		uint8_t saved[DIGEST_SAVED_SIZE];
		char hex[2 * DIGEST_SIZE + 1];
		struct digest later;

		digest_init(&digest);
		digest_add(&digest, bytes, cut);
		digest_save(&digest, saved);
		memset(&digest, 0xee, sizeof(digest));
		memset(&later, 0xee, sizeof(later));
		assert_int_equal(digest_load(&later, saved), 0);
		digest_add(&later, bytes + cut, sizeof(bytes) - cut);
		finish(&later, hex);
		assert_string_equal(hex, whole);
	}
}

/* What a load accepts never makes hashing leave its memory. */
static void
refuses_what_cannot_be_one(void **state)
{
	struct dice dice = dice_new();
	uint8_t saved[DIGEST_SAVED_SIZE];
	struct digest digest;
	int refused = 0;

	(void)state;
	memset(saved, 0, sizeof(saved));
	assert_int_equal(digest_load(&digest, saved), -1);
	memset(saved, 0xff, sizeof(saved));
	assert_int_equal(digest_load(&digest, saved), -1);
	for (size_t bit = 0; bit < 8 * sizeof(saved); bit++) {
		char hex[2 * DIGEST_SIZE + 1];

		digest_init(&digest);
		digest_add(&digest, "some bytes", 10);
		digest_save(&digest, saved);
		saved[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (digest_load(&digest, saved) != 0) {
			refused++;
			continue;
		}
		digest_add(&digest, saved, sizeof(saved));
		finish(&digest, hex);
	}
	/* num and md_len are 64 bits; of num six are free. */
	assert_int_equal(refused, 64 - 6);
	for (int i = 0; i < 1000; i++) {
		dice_fill(&dice, saved, sizeof(saved));
		assert_int_equal(digest_load(&digest, saved), -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_fips_180_4),
		scratch_test(goes_on_from_every_place),
		cmocka_unit_test(refuses_what_cannot_be_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
