/* SPDX-License-Identifier: MIT */
/* Exact values and their bounds; what is refused is in test_config. */
#include "check.h"

#include "base/budget.h"
#include "store/config.h"
#include "store/values.h"

struct amount {
	const char *text;
	int64_t amount; /* -1: refused */
};

static void
assert_amounts(int (*parse)(void *, const char *, struct fault *),
    const struct amount *amounts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct amount *wanted = &amounts[i];
		struct fault fault;
		int64_t got = -1;

		fault_clear(&fault);
		if (parse(&got, wanted->text, &fault) == 0)
			assert_int_equal(fault.code, FAULT_NONE);
		else
			assert_int_equal(fault.code, FAULT_USAGE);
		if (wanted->amount >= 0 ? got != wanted->amount
					: fault.code == FAULT_NONE)
			fail_msg("'%s' is taken for %lld", wanted->text,
			    (long long)got);
	}
}

static void
reads_durations(void **state)
{
	static const struct amount amounts[] = {
		{ "0", 0 },
		{ "00", 0 },
		{ "0ms", 0 },
		{ "0d", 0 },
		{ "1ms", 1000000 },
		{ "10s", 10 * BUDGET_SECOND },
		{ "010s", 10 * BUDGET_SECOND },
		{ "2m", 120 * BUDGET_SECOND },
		{ "3h", 3 * 3600 * BUDGET_SECOND },
		{ "7d", 7 * 86400 * BUDGET_SECOND },
		{ "9223372036s", 9223372036 * BUDGET_SECOND },
		{ "9223372037s", -1 },
		{ "106751d", 106751 * (86400 * BUDGET_SECOND) },
		{ "106752d", -1 },
		{ "9223372036854775808ms", -1 },
		{ "+1s", -1 },
		{ " 1s", -1 },
		{ "1s ", -1 },
		{ "1us", -1 },
		{ "0x", -1 },
	};

	(void)state;
	assert_amounts(values_duration, amounts, COUNT_OF(amounts));
}

static void
reads_sizes(void **state)
{
	static const struct amount amounts[] = {
		{ "0", 0 },
		{ "1", 1 },
		{ "1K", 1024 },
		{ "64M", 64 << 20 },
		{ "2G", INT64_C(2) << 30 },
		{ "8388607T", INT64_C(8388607) << 40 },
		{ "8388608T", -1 },
		{ "9223372036854775807", INT64_MAX },
		{ "9223372036854775808", -1 },
		{ "1KB", -1 },
		{ "1m", -1 },
	};

	(void)state;
	assert_amounts(values_size, amounts, COUNT_OF(amounts));
}

static void
reads_counts(void **state)
{
	static const struct amount amounts[] = {
		{ "0", 0 },
		{ "7", 7 },
		{ "1000000", 1000000 },
		{ "1000001", -1 },
		{ "", -1 },
		{ "7 ", -1 },
	};

	(void)state;
	assert_amounts(values_count, amounts, COUNT_OF(amounts));
}

static void
reads_compressions(void **state)
{
	static const struct {
		const char *text;
		struct compression is;
	} good[] = {
		{ "none", { CODEC_NONE, 0 } },
		{ "zstd:1", { CODEC_ZSTD, 1 } },
		{ "zstd:19", { CODEC_ZSTD, 19 } },
		{ "gzip:1", { CODEC_GZIP, 1 } },
		{ "gzip:9", { CODEC_GZIP, 9 } },
		{ "xz:0", { CODEC_XZ, 0 } },
		{ "xz:9", { CODEC_XZ, 9 } },
	};
	struct compression got;
	struct fault fault;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		assert_fine(
		    values_compression(&got, good[i].text, &fault), &fault);
		assert_int_equal(got.codec, good[i].is.codec);
		assert_int_equal(got.level, good[i].is.level);
	}
}

/* A refused value leaves an earlier one, a good one replaces it. */
static void
keeps_or_frees_what_was_there(void **state)
{
	struct fault fault;
	char *text = NULL;

	(void)state;
	assert_fine(values_path(&text, "/one", &fault), &fault);
	assert_fine(values_path(&text, "/two", &fault), &fault);
	assert_faulty(values_path(&text, "three", &fault), FAULT_USAGE,
	    "absolute path", &fault);
	assert_string_equal(text, "/two");
	assert_fine(values_text(&text, "four", &fault), &fault);
	assert_faulty(values_zone(&text, "Atlantis", &fault), FAULT_USAGE,
	    "Europe/Berlin", &fault);
	assert_string_equal(text, "four");
	free(text);
}

static void
hashes_secrets_at_once(void **state)
{
	static const char text[] = "correct horse battery staple";
	struct secret plain = { 0 }, hashed = { 0 };
	struct fault fault;

	(void)state;
	assert_fine(values_secret(&plain, text, &fault), &fault);
	/* printf %s "correct horse battery staple" | sha256sum */
	assert_fine(values_secret_hash(&hashed,
			"sha256:c4bbcb1fbec99d65bf59d85c8cb62ee2"
			"db963f0fe106f483d9afa73bd4e39a8a",
			&fault),
	    &fault);
	assert_true(plain.known && hashed.known);
	assert_memory_equal(plain.hash, hashed.hash, sizeof(plain.hash));
	hashed.known = false;
	assert_faulty(values_secret_hash(&hashed, "sha256:00", &fault),
	    FAULT_USAGE, "64 hexadecimal digits", &fault);
	assert_false(hashed.known);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_durations),
		cmocka_unit_test(reads_sizes),
		cmocka_unit_test(reads_counts),
		cmocka_unit_test(reads_compressions),
		cmocka_unit_test(keeps_or_frees_what_was_there),
		cmocka_unit_test(hashes_secrets_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
