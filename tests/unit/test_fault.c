/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <errno.h>

static void
sets_code_and_text(void **state)
{
	struct fault fault;

	(void)state;
	assert_int_equal(
	    fault_set(&fault, FAULT_USAGE, "%d is not %s", 3, "two"), -1);
	assert_int_equal(fault.code, FAULT_USAGE);
	assert_string_equal(fault.text, "3 is not two");
	fault_clear(&fault);
	assert_int_equal(fault.code, FAULT_NONE);
	assert_string_equal(fault.text, "");
}

static void
cuts_what_is_too_long(void **state)
{
	struct fault fault;
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	fault_set(&fault, FAULT_BUSY, "%s", text);
	assert_int_equal(strlen(fault.text), sizeof(fault.text) - 1);
	assert_int_equal(strspn(fault.text, "x"), sizeof(fault.text) - 1);
	errno = EIO;
	assert_int_equal(fault_errno(&fault, "%s", text), -1);
	assert_int_equal(strlen(fault.text), sizeof(fault.text) - 1);
	assert_int_equal(fault_wrap(&fault, "%s", text), -1);
	assert_int_equal(strlen(fault.text), sizeof(fault.text) - 1);
	assert_int_equal(fault.code, FAULT_RETRY);
}

static void
replaces_what_is_unprintable(void **state)
{
	struct fault fault;

	(void)state;
	fault_set(&fault, FAULT_SYSTEM, "a\nb\tc\x1b[2Jd\x7f\xc3\xa4");
	assert_string_equal(fault.text, "a?b?c?[2Jd?\xc3\xa4");
	fault_wrap(&fault, "in\rfront");
	assert_string_equal(fault.text, "in?front: a?b?c?[2Jd?\xc3\xa4");
	/* Not UTF-8, a C1 control, and a character cut in half at the end. */
	fault_set(&fault, FAULT_SYSTEM,
	    "\xff \xc2\x9b"
	    "31m \xe2\x82");
	assert_string_equal(fault.text, "? ??31m ??");
	errno = ENOENT;
	fault_errno(&fault, "\n");
	assert_string_equal(fault.text, "?: No such file or directory");
}

static void
follows_errno(void **state)
{
	static const struct {
		int number;
		enum fault_code code;
	} cases[] = {
		{ ENOENT, FAULT_NOT_FOUND },
		{ ENOSPC, FAULT_RETRY },
		{ EDQUOT, FAULT_RETRY },
		{ EIO, FAULT_RETRY },
		{ ENOMEM, FAULT_RETRY },
		{ EMFILE, FAULT_RETRY },
		{ ENFILE, FAULT_RETRY },
		{ EACCES, FAULT_SYSTEM },
		{ EROFS, FAULT_SYSTEM },
		{ ENOTDIR, FAULT_SYSTEM },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct fault fault;
		char wanted[200];

		errno = cases[i].number;
		assert_int_equal(fault_errno(&fault, "file %d", 7), -1);
		snprintf(wanted, sizeof(wanted), "file 7: %s",
		    strerror(cases[i].number));
		assert_string_equal(fault.text, wanted);
		assert_int_equal(fault.code, cases[i].code);
	}
}

static void
wraps_and_keeps_the_code(void **state)
{
	struct fault fault;

	(void)state;
	fault_set(&fault, FAULT_CORRUPT, "it ends early");
	assert_int_equal(fault_wrap(&fault, "%s:%d", "file", 12), -1);
	assert_string_equal(fault.text, "file:12: it ends early");
	assert_int_equal(fault.code, FAULT_CORRUPT);
}

static void
names_every_code(void **state)
{
	(void)state;
	for (int code = FAULT_NONE; code <= FAULT_CORRUPT; code++) {
		const char *name = fault_code_name((enum fault_code)code);

		assert_string_not_equal(name, "unknown");
		for (int other = FAULT_NONE; other < code; other++)
			assert_string_not_equal(
			    name, fault_code_name((enum fault_code)other));
	}
	assert_string_equal(fault_code_name(FAULT_CORRUPT), "corrupt");
	assert_string_equal(fault_code_name(FAULT_NOT_FOUND), "not found");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_code_and_text),
		cmocka_unit_test(cuts_what_is_too_long),
		cmocka_unit_test(replaces_what_is_unprintable),
		cmocka_unit_test(follows_errno),
		cmocka_unit_test(wraps_and_keeps_the_code),
		cmocka_unit_test(names_every_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
