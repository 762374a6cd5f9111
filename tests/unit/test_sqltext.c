/* SPDX-License-Identifier: MIT */
#include "dice.h"
#include "scratch.h"

#include "base/strbuf.h"
#include "source/sqltext.h"

static void
assert_string(const char *bytes, size_t length, const char *expected)
{
	struct strbuf out = STRBUF_EMPTY;

	sqltext_add_string(&out, bytes, length);
	assert_string_equal(out.bytes, expected);
	assert_int_equal(strlen(out.bytes), out.length);
	strbuf_close(&out);
}

static void
quotes_names(void **state)
{
	struct strbuf out = STRBUF_EMPTY;

	(void)state;
	sqltext_add_name(&out, "plain");
	sqltext_add_name(&out, "a`b``c'\"\\");
	sqltext_add_name(&out, "");
	assert_string_equal(out.bytes, "`plain``a``b````c'\"\\```");
	strbuf_close(&out);
}

static void
quotes_strings(void **state)
{
	(void)state;
	assert_string("", 0, "''");
	assert_string("plain", 5, "'plain'");
	assert_string("it's", 4, "'it\\'s'");
	assert_string("\0\n\r\x1a'\\", 6, "'\\0\\n\\r\\Z\\'\\\\'");
	/* None of these may be escaped: \% and \_ would stay as they are. */
	assert_string("\t\b\"%_`;-- */ \x7f", 14, "'\t\b\"%_`;-- */ \x7f'");
	assert_string("\xe2\x82\xac\xf0\x9f\x92\xa9\xff", 8,
	    "'\xe2\x82\xac\xf0\x9f\x92\xa9\xff'");
}

static void
writes_hex(void **state)
{
	struct strbuf out = STRBUF_EMPTY;

	(void)state;
	sqltext_add_hex(&out, "", 0);
	sqltext_add_hex(&out, "\x00\x7f\xff'", 4);
	assert_string_equal(out.bytes, "X''X'007fff27'");
	strbuf_close(&out);
}

/* Byte by byte, as the manual says it. */
static void
quote_slowly(struct strbuf *out, const char *bytes, size_t length)
{
	strbuf_addc(out, '\'');
	for (size_t i = 0; i < length; i++) {
		switch (bytes[i]) {
		case '\0':
			strbuf_addstr(out, "\\0");
			break;
		case '\n':
			strbuf_addstr(out, "\\n");
			break;
		case '\r':
			strbuf_addstr(out, "\\r");
			break;
		case '\x1a':
			strbuf_addstr(out, "\\Z");
			break;
		case '\'':
		case '\\':
			strbuf_addc(out, '\\');
			strbuf_addc(out, bytes[i]);
			break;
		default:
			strbuf_addc(out, bytes[i]);
		}
	}
	strbuf_addc(out, '\'');
}

static void
compare_both(const char *bytes, size_t length)
{
	struct strbuf quick = STRBUF_EMPTY, slow = STRBUF_EMPTY;

	sqltext_add_string(&quick, bytes, length);
	quote_slowly(&slow, bytes, length);
	assert_int_equal(quick.length, slow.length);
	assert_memory_equal(quick.bytes, slow.bytes, slow.length);
	strbuf_close(&quick);
	strbuf_close(&slow);
}

static void
treats_every_byte_alike_wherever_it_stands(void **state)
{
	char bytes[27];

	(void)state;
	for (int value = 0; value < 256; value++) {
		for (size_t place = 0; place < sizeof(bytes); place++) {
			memset(bytes, 'x', sizeof(bytes));
			bytes[place] = (char)value;
			compare_both(bytes, sizeof(bytes));
			memset(bytes, '\x80', sizeof(bytes));
			bytes[place] = (char)value;
			compare_both(bytes, sizeof(bytes));
		}
	}
}

static void
agrees_on_noise(void **state)
{
	struct dice dice = dice_new();
	char bytes[300];

	(void)state;
	for (int round = 0; round < 5000; round++) {
		size_t length = dice_roll(&dice, sizeof(bytes));

		dice_fill(&dice, bytes, length);
		compare_both(bytes, length);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quotes_names),
		cmocka_unit_test(quotes_strings),
		cmocka_unit_test(writes_hex),
		cmocka_unit_test(treats_every_byte_alike_wherever_it_stands),
		cmocka_unit_test(agrees_on_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
