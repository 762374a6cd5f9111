/* SPDX-License-Identifier: MIT */
#include "scratch.h"

#include "base/strbuf.h"

static void
grows_and_stays_terminated(void **state)
{
	struct strbuf buf = STRBUF_EMPTY;

	(void)state;
	assert_string_equal(strbuf_text(&buf), "");
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&buf, "%d,", i);
	assert_int_equal(buf.length, 3890);
	assert_int_equal(strlen(buf.bytes), buf.length);
	strbuf_cut(&buf, 3);
	assert_string_equal(buf.bytes, "0,1");
	strbuf_cut(&buf, 100);
	assert_int_equal(buf.length, 3);
	strbuf_close(&buf);
}

static void
writes_numbers(void **state)
{
	struct strbuf buf = STRBUF_EMPTY;

	(void)state;
	strbuf_add_number(&buf, 0);
	strbuf_addc(&buf, ' ');
	strbuf_add_number(&buf, INT64_MIN);
	strbuf_addc(&buf, ' ');
	strbuf_add_number(&buf, INT64_MAX);
	strbuf_addc(&buf, ' ');
	strbuf_add_hex_number(&buf, 0);
	strbuf_addc(&buf, ' ');
	strbuf_add_hex_number(&buf, UINT64_MAX);
	strbuf_addc(&buf, ' ');
	strbuf_add_hex(&buf, "\x00\xff\x1a", 3);
	assert_string_equal(buf.bytes,
	    "0 -9223372036854775808 9223372036854775807 0 ffffffffffffffff "
	    "00ff1a");
	strbuf_close(&buf);
}

static void
escapes_and_undoes_it(void **state)
{
	static const char name[] = "a\nb\\c\\nd\\";
	struct strbuf buf = STRBUF_EMPTY;

	(void)state;
	assert_false(strbuf_add_escaped(&buf, "plain", 5));
	assert_string_equal(buf.bytes, "plain");
	strbuf_reset(&buf);
	assert_true(strbuf_add_escaped(&buf, name, strlen(name)));
	assert_null(strchr(buf.bytes, '\n'));
	assert_int_equal(strbuf_unescape(buf.bytes), strlen(name));
	assert_string_equal(buf.bytes, name);
	strbuf_reset(&buf);
	strbuf_addstr(&buf, "a\\tb\\\\t");
	assert_int_equal(strbuf_unescape(buf.bytes), 5);
	assert_string_equal(buf.bytes, "a\tb\\t");
	strbuf_reset(&buf);
	strbuf_addstr(&buf, "\\r");
	assert_int_equal(strbuf_unescape(buf.bytes), -1);
	strbuf_reset(&buf);
	strbuf_addstr(&buf, "ends in \\");
	assert_int_equal(strbuf_unescape(buf.bytes), -1);
	strbuf_close(&buf);
}

static void
prints_only_what_is_printable(void **state)
{
	static const struct {
		const char *bytes, *text;
	} cases[] = {
		{ "plain", "plain" },
		{ "t\tn\n\x1b[2J", "t\\x09n\\x0a\\x1b[2J" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		    "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "\xff\xc0\xaf", "\\xff\\xc0\\xaf" }, /* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" }, /* a surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
		{ "cut \xe2\x82", "cut \\xe2\\x82" },
		{ "\xc2\x9b|\xc2\xa0|", "\\xc2\\x9b|\xc2\xa0|" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct strbuf buf = STRBUF_EMPTY;

		strbuf_add_printable(
		    &buf, cases[i].bytes, strlen(cases[i].bytes));
		assert_string_equal(buf.bytes, cases[i].text);
		strbuf_close(&buf);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_stays_terminated),
		cmocka_unit_test(writes_numbers),
		cmocka_unit_test(escapes_and_undoes_it),
		cmocka_unit_test(prints_only_what_is_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
