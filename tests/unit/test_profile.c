/* SPDX-License-Identifier: MIT */
#include "check.h"

#include "store/config.h"
#include "store/profile.h"

static void
names_the_archives_end(void **state)
{
	static const struct {
		enum codec codec;
		const char *suffix;
	} suffixes[] = {
		{ CODEC_NONE, ".tar" },
		{ CODEC_GZIP, ".tar.gz" },
		{ CODEC_XZ, ".tar.xz" },
		{ CODEC_ZSTD, ".tar.zst" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
		struct profile profile = { .compression.codec =
					       suffixes[i].codec };

		assert_string_equal(
		    profile_suffix(&profile), suffixes[i].suffix);
	}
}

static void
take_fingerprint(const char *lines, uint8_t out[TOKEN_HASH_SIZE])
{
	struct config config = { 0 };
	struct fault fault;
	char text[500];

	snprintf(
	    text, sizeof(text), "[server]\ndata = /d\n[profile 1]\n%s", lines);
	assert_fine(config_parse(&config, "x", text, &fault), &fault);
	profile_fingerprint(&config.profiles[0], out);
	config_close(&config);
}

/* Each of these would make another archive. */
static const char *const different[] = {
	"site = /s\n",
	"site = /t\n",
	"site = /s\nextra = a:/b\n",
	"site = /s\nextra = a:/c\n",
	"site = /s\nextra = c:/b\n",
	"site = /s\nextra = a:/b\nextra = c:/d\n",
	"site = /s\nextra = c:/d\nextra = a:/b\n",
	"site = /s\nexclude = a\n",
	"site = /s\nexclude = ab\nexclude = c\n",
	"site = /s\nexclude = a\nexclude = bc\n",
	"site = /s\nexclude = c\nexclude = ab\n",
	"site = /s\ndatabase = mysql://h/n\n",
	"site = /s\ndatabase = mysql://h:3307/n\n",
	"site = /s\ndatabase = mysql://h/n?as=m\n",
	"site = /s\ndatabase = mysql:///n\n",
	"site = /s\ndatabase = mysql:///n?socket=/s\n",
	"site = /s\ndatabase = n\n",
	"site = /s\ndatabase = n?as=m\n",
	"site = /s\ndatabase = n\ndatabase = m\n",
	"site = /s\nexclude_table = a\n",
	"site = /s\nexclude_data = a\n",
	"site = /s\nexclude_data = a\nexclude_data = b\n",
	"site = /s\ndefiners = drop\n",
	"site = /s\ndefault_excludes = no\n",
	"site = /s\none_file_system = yes\n",
	"site = /s\ncompress = zstd:4\n",
	"site = /s\ncompress = gzip:3\n",
	"site = /s\npart_size = 1M\n",
};

static void
has_a_fingerprint_for_every_archive(void **state)
{
	uint8_t prints[COUNT_OF(different)][TOKEN_HASH_SIZE];
	uint8_t again[TOKEN_HASH_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(different); i++) {
		take_fingerprint(different[i], prints[i]);
		take_fingerprint(different[i], again);
		assert_true(token_equal(prints[i], again));
		for (size_t k = 0; k < i; k++)
			if (token_equal(prints[i], prints[k]))
				fail_msg("these are the same:\n%sand\n%s",
				    different[k], different[i]);
	}
}

/* These decide when a backup is made and what comes after it. */
static void
passes_over_what_changes_no_archive(void **state)
{
	uint8_t one[TOKEN_HASH_SIZE], two[TOKEN_HASH_SIZE];

	(void)state;
	take_fingerprint("site = /s\n", one);
	take_fingerprint("name = x\nsite = /s\nkeep_last = 1\nmin_free = 0\n"
			 "again_after = 1s\nonce_per = 1h\non_complete = /x\n",
	    two);
	assert_true(token_equal(one, two));
	take_fingerprint("site = /s\ndatabase = mysql://u:p@h/n\n", one);
	take_fingerprint("site = /s\npassword_file = /p\n"
			 "database = mariadb://v:q@h:3306/n?ssl_mode=off\n",
	    two);
	assert_true(token_equal(one, two));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_archives_end),
		cmocka_unit_test(has_a_fingerprint_for_every_archive),
		cmocka_unit_test(passes_over_what_changes_no_archive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
