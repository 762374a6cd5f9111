/* SPDX-License-Identifier: MIT */
#include "check.h"

#include "base/strbuf.h"
#include "source/sqlscript.h"

static const struct sqlscript_mode usual = { false, false, false };
static const struct sqlscript_mode bare = { .no_backslash_escapes = true };
static const struct sqlscript_mode ansi = { .ansi_quotes = true };
static const struct sqlscript_mode wide = { .wide = true };

static void
assert_written(const char *statement, size_t length, const char *wanted)
{
	struct strbuf out = STRBUF_EMPTY;

	sqlscript_add(&out, statement, length);
	assert_string_equal(strbuf_text(&out), wanted);
	strbuf_close(&out);
}

static void
writes_what_is_plain_as_it_is(void **state)
{
	(void)state;
	assert_written(
	    "DROP TABLE `a``b \xc3\xa9`", 20, "DROP TABLE `a``b \xc3\xa9`;\n");
	assert_written("SELECT ';--'", 12, "SELECT ';--';\n");
}

#define PREPARED                               \
	"PREPARE stepvault FROM @stepvault;\n" \
	"EXECUTE stepvault;\n"                 \
	"DEALLOCATE PREPARE stepvault;\n"

static void
writes_all_else_as_a_string(void **state)
{
	(void)state;
	assert_written("DROP TABLE `a\nb`", 16,
	    "SET @stepvault = _binary'DROP TABLE `a\\nb`';\n" PREPARED);
	assert_written("DROP TABLE `a\r\nb`", 17,
	    "SET @stepvault = _binary'DROP TABLE `a\\r\\nb`';\n" PREPARED);
	assert_written("SELECT '\\''", 11,
	    "SET @stepvault = _binary'SELECT \\'\\\\\\'\\'';\n" PREPARED);
	assert_written("SELECT 1; 2", 11,
	    "SET @stepvault = _binary'SELECT 1; 2';\n" PREPARED);
	assert_written("SELECT 1 -- 2", 13,
	    "SET @stepvault = _binary'SELECT 1 -- 2';\n" PREPARED);
	/* What is not UTF-8, and what has an end within. */
	assert_written("SELECT '\xe9'", 10,
	    "SET @stepvault = _binary'SELECT \\'\xe9\\'';\n" PREPARED);
	assert_written("SELECT '\0'", 10,
	    "SET @stepvault = _binary'SELECT \\'\\0\\'';\n" PREPARED);
}

/* What is appended between two delimiters; NULL if nothing is. */
static bool
delimits(const char *statement, const struct sqlscript_mode *mode,
    const char *delimiter)
{
	struct strbuf out = STRBUF_EMPTY, wanted = STRBUF_EMPTY;
	bool added =
	    sqlscript_add_delimited(&out, statement, strlen(statement), mode);

	strbuf_addf(&wanted, "DELIMITER %s\n%s\n%s\nDELIMITER ;\n", delimiter,
	    statement, delimiter);
	assert_string_equal(strbuf_text(&out), added ? wanted.bytes : "");
	strbuf_close(&out);
	strbuf_close(&wanted);
	return added;
}

static void
finds_a_delimiter_that_is_not_in_the_text(void **state)
{
	(void)state;
	assert_true(delimits("CREATE a; b", &usual, ";;"));
	assert_true(delimits("CREATE a;; b", &usual, "$1$"));
	assert_true(delimits("CREATE ';;$1$' $2$", &usual, "$3$"));
	/* Nor does it come to be where the text ends. */
	assert_true(delimits("CREATE a ;", &usual, ";;"));
	assert_true(delimits("CREATE a -- b", &usual, ";;"));
}

static void
passes_on_what_all_clients_read_alike(void **state)
{
	static const char *const texts[] = {
		"CREATE 'it''s' \"a\" `b``c` 1 - -1 / 2 * 3",
		"CREATE -- don't `\"\n# 'nor' that\n/* nor \"this */ 'x'",
		"CREATE 'a\\'b\\\\' \"c\\\"\" \\N",
		"CREATE '\\! echo' `\\\\`",
		"CREATE '\n -- not a comment ' 1",
		"CREATE '/*!' 1 --2",
		"CREATE /*!50003 code */ 'a' /*M!100000 code */ /*+ hint */ b",
		"CREATE /*!50003 a * b / c */ d",
		"CREATE a\r\nb '\r\n' -- c\r\nd",
		"CREATE a\rb '\033' # \001",
		"CREATE a\ndelimiter b\nis delimiter",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		if (!delimits(texts[i], &usual, ";;"))
			fail_msg("%s", texts[i]);
	}
	assert_true(delimits("CREATE 'a\\' 'b'", &bare, ";;"));
	assert_true(delimits("CREATE \"a\" 'it\\'s'", &ansi, ";;"));
	assert_true(delimits("CREATE a", &wide, ";;"));
}

static void
refuses_what_a_client_may_take_for_a_command(void **state)
{
	static const char *const texts[] = {
		"CREATE \\! echo",
		"CREATE a\\",
		"CREATE 'open",
		"CREATE `open",
		"CREATE /* open",
		"CREATE '\\'",
		"CREATE /*!99999 don't */ 'x'",
		"CREATE /*! a -- b */",
		"CREATE /*! a # b */",
		"CREATE /*! a /* b */ c */",
		"CREATE /*! a\nb */",
		"CREATE /*!'a'*/",
		"CREATE /*+ `a` */",
		"CREATE /*! open",
		"CREATE /*!0/*/ a",
		"CREATE /*! a */* b",
		"CREATE /*! a; */",
		"CREATE --\001 'x",
		"CREATE `a\r\nb`",
		"CREATE --\001 x",
		"CREATE a\ndelimiter\nb",
		"CREATE a\nDelimiter\r\nb",
		/* To a client that knows backslashes in backticks, or not. */
		"CREATE `a\\` , ` \\! echo `",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (delimits(texts[i], &usual, ";;"))
			fail_msg("%s", texts[i]);
	assert_false(delimits("CREATE 'a\\'b'", &bare, ";;"));
	/* Few clients know that this is a name. */
	assert_false(
	    delimits("CREATE \"a\\\", '\" \\! echo ' \"", &ansi, ";;"));
	assert_false(delimits("CREATE '\x83\\'", &wide, ";;"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_what_is_plain_as_it_is),
		cmocka_unit_test(writes_all_else_as_a_string),
		cmocka_unit_test(finds_a_delimiter_that_is_not_in_the_text),
		cmocka_unit_test(passes_on_what_all_clients_read_alike),
		cmocka_unit_test(refuses_what_a_client_may_take_for_a_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
