/* SPDX-License-Identifier: MIT */
#include "check.h"

#include "source/dotenv.h"
#include "source/settings.h"

#include "base/strbuf.h"

#define BLANK  "has a blank in it; put it in quotes"
#define HASH   "has a '#' in it, which some take for a comment; put it in quotes"
#define MORE   "has more behind its end"
#define SLASH  "has a '\\' in it; put it in quotes"
#define ESCAPE "has a '\\' in it that means nothing"
#define UNSET  "has a variable in it that is not set before in this file"
#define NONE   "(none)"

/* What X is. */
static const struct {
	const char *text;
	const char *value; /* or the reason why it is not known */
} cases[] = {
	{ "X=a", "a" },
	{ "X=", "" },
	{ "X=\n", "" },
	{ "X= # a", "" },
	{ "X=#a", "" },
	{ "  X \t=  a  \r\n", "a" },
	{ "export X=a", "a" },
	{ "export\tX=a", "a" },
	{ "exportX=a", NONE },
	{ "#X=a\n # X=a\n;X=a\n", NONE },
	{ "X=a\nX=b\n", "b" },
	{ "\n\nX=a\n\n", "a" },
	{ "X\n=a\n", NONE },
	{ "X: a\n", NONE },
	{ "-X=a\n", NONE },
	{ "\xef\xbb\xbfX=a", "a" },
	{ "X=a=b&c;d|e'", "has a quote in its middle" },
	{ "X=a=b&c;d|e", "a=b&c;d|e" },
	{ "X=a #b", "a" },
	{ "X=a\t#b", "a" },
	{ "X=a#b", HASH },
	{ "X=a b", BLANK },
	{ "X=a b # c", BLANK },
	{ "X=\\a\\", "\\a\\" },
	{ "X=a\\\\b", SLASH },
	{ "X=a\\$b", SLASH },
	{ "X=$a$1$", "$a$1$" },
	{ "X='a # \"b\" \\n $c ${d}' # e", "a # \"b\" \\n $c ${d}" },
	{ "X='a\nb'\nY=c", "a\nb" },
	{ "X='a", "does not end" },
	{ "X='a'b", MORE },
	{ "X='a''b'", MORE },
	{ "X=\"a # 'b'\" # c", "a # 'b'" },
	{ "X=\"\\\"\\\\\\$\\n\\r\"", "\"\\$\n\r" },
	{ "X=\"a\\tb\"", ESCAPE },
	{ "X=\"a\\", "has a '\\' in it that means nothing" },
	{ "X=\"a\nb\"", "a\nb" },
	{ "X=\"a\" \"b\"", MORE },
	{ "X=\"\"", "" },
	{ "Y=b\nX=a${Y}c", "abc" },
	{ "Y=b\nX=\"a${Y} ${Y}\"", "ab b" },
	{ "Y=b\nX='${Y}'", "${Y}" },
	{ "Y=b\nX=\"\\${Y}\"", "${Y}" },
	{ "Y='$' \nX=\"${Y}{Z}\"", "${Z}" },
	{ "X=${Y}\nY=b", UNSET },
	{ "X=${Y:-c}", UNSET },
	{ "X=${Y", UNSET },
	{ "Y=a b\nX=${Y}", BLANK },
	{ "X=a\nX=${X}b\n", "ab" },
};

static const char *
value_of(const struct settings *settings, const char *name)
{
	const struct setting *other;
	const struct setting *setting =
	    settings_find(settings, name, SETTINGS_LAST, &other);

	if (setting == NULL)
		return NONE;
	return setting->text != NULL ? setting->text : setting->reason;
}

static void
read_text(struct settings *settings, const char *text, size_t length)
{
	struct fault fault;

	memset(settings, 0, sizeof(*settings));
	assert_fine(
	    dotenv_read(settings, "x.env", text, length, &fault), &fault);
}

static void
reads_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct settings settings;

		read_text(&settings, cases[i].text, strlen(cases[i].text));
		if (strcmp(value_of(&settings, "env/X"), cases[i].value) != 0)
			fail_msg("'%s' instead of '%s' in\n%s",
			    value_of(&settings, "env/X"), cases[i].value,
			    cases[i].text);
		settings_close(&settings);
	}
}

static void
counts_lines(void **state)
{
	static const char text[] = "# x\nA='\n\n'\nB=b c\nC=d";
	const struct setting *other;
	struct settings settings;

	(void)state;
	read_text(&settings, text, strlen(text));
	assert_int_equal(
	    settings_find(&settings, "env/A", SETTINGS_LAST, &other)->line, 2);
	assert_int_equal(
	    settings_find(&settings, "env/B", SETTINGS_LAST, &other)->line, 5);
	assert_int_equal(
	    settings_find(&settings, "env/C", SETTINGS_LAST, &other)->line, 6);
	settings_close(&settings);
}

static void
is_bounded(void **state)
{
	struct strbuf text = STRBUF_EMPTY;
	struct settings settings = { 0 };
	struct fault fault;

	(void)state;
	read_text(&settings, "X=a\0b", 5);
	assert_string_equal(
	    value_of(&settings, "env/X"), "has a NUL byte in it");
	settings_close(&settings);
	/* It doubles. */
	strbuf_addstr(&text, "X=abcdefgh\n");
	for (int i = 0; i < 100; i++)
		strbuf_addstr(&text, "X=${X}${X}\n");
	read_text(&settings, text.bytes, text.length);
	assert_string_equal(value_of(&settings, "env/X"), "is too long");
	settings_close(&settings);
	strbuf_reset(&text);
	for (int i = 0; i < 10001; i++)
		strbuf_addstr(&text, "X=\n");
	assert_faulty(
	    dotenv_read(&settings, "x", text.bytes, text.length, &fault),
	    FAULT_USAGE, "more in it than in any configuration", &fault);
	settings_close(&settings);
	strbuf_close(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_values),
		cmocka_unit_test(counts_lines),
		cmocka_unit_test(is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
