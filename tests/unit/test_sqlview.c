/* SPDX-License-Identifier: MIT */
#include "check.h"

#include "base/strbuf.h"
#include "source/sqlview.h"

/* All pairs of a text, as "first second", calls with "()", and ";" behind. */
static void
assert_pairs(const char *text, const char *wanted)
{
	struct strbuf found = STRBUF_EMPTY;
	struct sqlview_pair pair;

	while (sqlview_next(text, &pair)) {
		char *first = sqlview_name(pair.first);
		char *second =
		    pair.dot != NULL ? sqlview_name(pair.dot + 1) : NULL;

		strbuf_addf(&found, "%s%s%s%s;", first, second ? " " : "",
		    second ? second : "", pair.is_call ? "()" : "");
		free(first);
		free(second);
		text = pair.end;
	}
	assert_string_equal(strbuf_text(&found), wanted);
	strbuf_close(&found);
}

static void
finds_pairs_of_names(void **state)
{
	(void)state;
	assert_pairs("", "");
	assert_pairs("select 1 AS `1`", "");
	assert_pairs("select `s`.`t`.`a` AS `a` from `s`.`t`", "s t;");
	assert_pairs(
	    "from (`s`.`t` join `u`.`v` `w` on(`w`.`a` = 1))", "s t;u v;w a;");
	assert_pairs("select `s`.`f`(`t`.`a`) from `t`", "s f();t a;");
	assert_pairs("from `a``.`.`b.``c`", "a`. b.`c;");
	assert_pairs("from `a`.b, `c` .`d`", "");
	assert_pairs(
	    "select `f`(`t`.`a`,`g`()) AS `x`, count(`b`)", "f();t a;g();");
	assert_pairs("`a`.`b`.`c`, `a`.`b`.`c`(1), `d`", "");
}

static void
finds_none_in_strings(void **state)
{
	(void)state;
	assert_pairs("select '`s`.`t`','it''s `a`.`b`','\\'`c`.`d`'", "");
	assert_pairs("select '\\\\',`e`.`f`,'' ,`g`.`h`", "e f;g h;");
}

/* Nothing but a server writes them, and yet. */
static void
ends_with_the_text(void **state)
{
	(void)state;
	assert_pairs("'", "");
	assert_pairs("'\\", "");
	assert_pairs("`", "");
	assert_pairs("`a`.", "");
	assert_pairs("`a`.`b", "a b;");
	assert_pairs("`a`.`", "a ;");
}

static void
assert_added(const char *text, const char *wanted)
{
	struct strbuf out = STRBUF_EMPTY;

	sqlview_add(&out, text, "s");
	assert_string_equal(strbuf_text(&out), wanted);
	strbuf_close(&out);
}

static void
drops_the_schema_of_functions_and_sequences(void **state)
{
	(void)state;
	assert_added("", "");
	assert_added("select `s`.`f`(`s`.`a`),`t`.`g`(1),`h`()",
	    "select `f`(`s`.`a`),`t`.`g`(1),`h`()");
	assert_added("DEFAULT nextval(`s`.`q`) COMMENT 'nextval(`s`.`q`)'",
	    "DEFAULT nextval(`q`) COMMENT 'nextval(`s`.`q`)'");
	assert_added("sum(`s`.`q`), lastval(`t`.`q`), lastval(`s`.`q`)",
	    "sum(`s`.`q`), lastval(`t`.`q`), lastval(`q`)");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_pairs_of_names),
		cmocka_unit_test(finds_none_in_strings),
		cmocka_unit_test(ends_with_the_text),
		cmocka_unit_test(drops_the_schema_of_functions_and_sequences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
