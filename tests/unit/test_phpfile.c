/* SPDX-License-Identifier: MIT */
/* What a PHP file sets, and that PHP itself reads the same. */
#include "check.h"
#include "dice.h"
#include "tool.h"

#include "source/phpfile.h"
#include "source/settings.h"

static void
read_text(struct settings *settings, const char *text)
{
	struct fault fault;

	memset(settings, 0, sizeof(*settings));
	assert_fine(phpfile_read(settings, "x.php", text, strlen(text), &fault),
	    &fault);
}

/* The text, "(list)", the reason why not, "(differs)", or "(none)". */
static const char *
value_of(const struct settings *settings, const char *name)
{
	const struct setting *other,
	    *setting = settings_find(settings, name,
		strncmp(name, "define/", 7) == 0 ? SETTINGS_FIRST
						 : SETTINGS_LAST,
		&other);

	if (other != NULL)
		return "(differs)";
	if (setting == NULL)
		return "(none)";
	if (setting->reason != NULL)
		return setting->reason;
	return setting->text != NULL ? setting->text : "(list)";
}

#define PROGRAM  "is made by a program, which is never run"
#define VARIABLE "has a variable in it"
#define ENVIRONMENT \
	"comes from the environment, which only the site's own program has"

static const struct {
	const char *text; /* behind "<?php " */
	const char *name;
	const char *value;
} cases[] = {
	{ "$a = 'x';", "$a", "x" },
	{ "$a = 'x'; $a = 'y';", "$a", "y" },
	{ "$a = 'x'", "$a", "x" },
	{ "$a = 'x' ?>$a = 'y';", "$a", "x" },
	{ "?><?= $a = 'x' ?>", "$a", "x" },
	{ "?><?xml $a='y'; ?><? $a = 'x';", "$a", "x" },
	{ "?><?PHP\n$a = 'x';", "$a", "x" },
	{ "$A = 'x';", "$a", "(none)" },
	{ "$a == 'x';", "$a", "(none)" },
	{ "$a = 42;", "$a", "42" },
	{ "$a = 1.5e3;", "$a", "1.5e3" },
	{ "$a = TRUE . False . null;", "$a", "1" },
	{ "$a = 'x' . /* . 'z' */ \"y\";", "$a", "xy" },
	{ "$a = 'x' . f();", "$a", PROGRAM },
	{ "$a = 'x' . ;", "$a", "x" },
	{ "$a = $b = 'x';", "$a", PROGRAM },
	{ "$b = 'x'; $a = $b . 'y';", "$a", "xy" },
	{ "$b = ['c' => 'x']; $a = $b['c'];", "$a", PROGRAM },
	{ "$a = `x`;", "$a", "is what a program prints" },
	{ "$a = 'x' ? 'y' : 'z';", "$a", PROGRAM },
	{ "$a = -1;", "$a", PROGRAM },
	{ "$a = (string)'x';", "$a", PROGRAM },
	{ "$a = X;", "$a", PROGRAM },
	{ "define('X', 'y'); $a = \\X;", "$a", "y" },
	{ "$a = f('x', ['y' => 'z']); $b = 'c';", "$b", "c" },
	{ "$a = function () { $b = 'x'; return 'y'; }; $b = 'z';", "$b", "z" },
	{ "$a = getenv('X') ?: 'x';", "$a", ENVIRONMENT },
	{ "$a = \\getenv('X');", "$a", ENVIRONMENT },
	{ "$a = env('X', 'x');", "$a", ENVIRONMENT },
	{ "$a = $_ENV['X'] ?? 'x';", "$a", ENVIRONMENT },
	{ "$b = getenv('X'); $a = 'x' . $b;", "$a", ENVIRONMENT },
	{ "$a = \"$b\";", "$a", VARIABLE },
	{ "$a = \"{$b}\";", "$a", VARIABLE },
	{ "$a = \"${b}\";", "$a", VARIABLE },
	{ "$a = \"$ {} \\$b $1\";", "$a", "$ {} $b $1" },
	{ "$a = \"\\0\";", "$a", "has a NUL byte in it" },
	{ "$a = 'x", "$a", "does not end" },
	/* Changed by what is not run. */
	{ "$a = 'x'; $a .= 'y';", "$a", PROGRAM },
	{ "$a = 1; $a++;", "$a", PROGRAM },
	{ "$a = 'x'; $a ?"
	  "?= 'y';",
	    "$a", PROGRAM },
	/* Lists. */
	{ "$a = ['x', 'k' => 'y', 'z'];", "$a/0", "x" },
	{ "$a = ['x', 'k' => 'y', 'z'];", "$a/1", "z" },
	{ "$a = Array('k' => ['l' => array('m' => 'x',),],);", "$a/k/l/m",
	    "x" },
	{ "$a = ['k' => 'x']; $a['k'] = 'y';", "$a/k", "y" },
	{ "$a['k']['l'] = 'x'; $a['k'] = ['m' => 'y'];", "$a/k/l", "(none)" },
	{ "$a['k']['l'] = 'x'; $a['k'] = 'y';", "$a/k/l", "(none)" },
	{ "$a['k']['l'] = 'x'; $a['k'] = f();", "$a/k/l", PROGRAM },
	{ "$a = ['k' => 'x'] + $b;", "$a/k", PROGRAM },
	{ "$a = ['k' => ['l' => 'x'] + $b, 'm' => 'y'];", "$a/k/l", PROGRAM },
	{ "$a = ['k' => ['l' => 'x'] + $b, 'm' => 'y'];", "$a/m", "y" },
	{ "$a = [X::Y => 'x', f() => 'y', 'k' => 'z'];", "$a/k", "z" },
	{ "$a = [...$b, 'k' => 'z'];", "$a/k", "z" },
	{ "$a = ['k' => fn($x) => ['l' => 1], 'm' => 'y'];", "$a/m", "y" },
	{ "$a = ['k' . 'l' => 'x'];", "$a/kl", "x" },
	{ "$a[] = 'x'; $a[$b] = 'y'; $a['k'] = 'z';", "$a/k", "z" },
	{ "$a = ['k' => 'x'", "$a/k", "x" },
	{ "$a = ['k' => 'x';; ) ; $b = 'y';", "$b", "y" },
	{ "$a = ['k' => 'x'); $b = 'y';", "$b", "y" },
	{ "$a = [,,=>=>,]; $b = 'y';", "$b", "y" },
	/* Constants. */
	{ "define('A', 'x'); define('A', 'y');", "define/A", "x" },
	{ "define('A', 'x', true); $b = 'y';", "$b", "y" },
	{ "Config::define('A', 'x');", "define/A", "x" },
	{ "define($x, 'x'); define('A', 'y');", "define/A", "y" },
	{ "const A = 'x'; const B = A;", "define/B", "x" },
	{ "class C { const A = 'x'; }", "define/A", "(none)" },
	/* Conditions. */
	{ "if ($x) define('A', 'x');", "define/A", "x" },
	{ "if ($x) define('A', 'x'); define('A', 'y');", "define/A",
	    "(differs)" },
	{ "if ($x) { define('A', 'x'); } else { define('A', 'x'); }",
	    "define/A", "x" },
	{ "$x || define('A', 'x'); define('A', 'y');", "define/A",
	    "(differs)" },
	{ "if (f(1)): $a = 'x'; else: $a = 'y'; endif;", "$a", "(differs)" },
	{ "if (f(1)): $a = 'x'; endif; $a = 'y';", "$a", "y" },
	{ "$a = 'y'; if (f(1)): $a = 'x'; endif;", "$a", "(differs)" },
	{ "$a = 'y'; if ($x) $a = 'x';", "$a", "(differs)" },
	{ "$a = 'y'; if ($x) f(); $a = 'x';", "$a", "x" },
	{ "$a = 'y'; if ($x) { f(); } $a = 'x';", "$a", "x" },
	{ "$a = 'y'; for ($i = 0; $i < 9; $i++) $a = 'x';", "$a", "(differs)" },
	{ "$a = 'y'; foreach ($b as $c => $d): endforeach; $a = 'x';", "$a",
	    "x" },
	{ "$a = 'y'; switch ($b) { case 1: $a = 'x'; }", "$a", "(differs)" },
	{ "$a = 'y'; function f() { $a = 'x'; }", "$a", "(differs)" },
	{ "$a = 'y'; try { f(); } catch (E $e) { g(); } $a = 'x';", "$a", "x" },
	{ "$a = []; if ($x) { $a['k'] = 'x'; }", "$a/k", "x" },
	{ "if ($x) { $a = ['k' => 'x']; }", "$a/k", "x" },
	/* Classes. */
	{ "class C { public $a = 'x'; }", "class C/a", "x" },
	{ "final class C extends D implements E { static ?string $a = 'x'; }",
	    "class C/a", "x" },
	{ "class C { public $a = 'x'; function f($a = 'y') { $a = 'z'; } }",
	    "class C/a", "x" },
	{ "class C { function f() { if (1) { } } public $a = 'x'; }",
	    "class C/a", "x" },
	{ "$x = C::class; { $a = 'x'; }", "$a", "x" },
	/* The file's own value. */
	{ "return ['k' => 'x'];", "return/k", "x" },
	{ "if ($x) return ['k' => 'x']; return ['k' => 'y'];", "return/k",
	    "y" },
	{ "function f() { return 'x'; } return 'y';", "return", "y" },
	{ "return 'x'; $a = 'y';", "$a", "(none)" },
	{ "__halt_compiler(); $a = 'y';", "$a", "(none)" },
	{ "require __DIR__ . '/x.php';", "include", "/x.php" },
	{ "(include_once 'x.php') or die; $a = 'y';", "$a", "y" },
	/* Comments, and what looks like them. */
	{ "// $a = 'y'; ?><?php $a = 'x';", "$a", "x" },
	{ "# $a = 'y';\n$a = 'x';", "$a", "x" },
	{ "/* $a = 'y'; **/$a = 'x'; /* $a = 'z';", "$a", "x" },
	{ "#[A('$a')]\n$a = 'x';", "$a", "x" },
	{ "$a = '// x /* # ?>';", "$a", "// x /* # ?>" },
	/* Heredocs. */
	{ "$b = <<<X\n$a = 'y';\nX;\n$a = 'x';", "$a", "x" },
	{ "$b = <<< 'X'\n$a = 'y';\n  X . 'z'; $a = 'x';", "$a", "x" },
	{ "$b = <<<\"X\"\nXY\nX\n; $a = 'x';", "$a", "x" },
	{ "$b = 1 << 2; $a = 'x';", "$a", "x" },
	{ "$a = <<<X\ny\nX;", "$a", "stands in a heredoc, which is not read" },
};

static void
reads_literals(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct settings settings;
		char text[400];

		snprintf(text, sizeof(text), "<?php %s", cases[i].text);
		read_text(&settings, text);
		if (strcmp(value_of(&settings, cases[i].name),
			cases[i].value) != 0)
			fail_msg("%s is '%s' and not '%s' in\n%s",
			    cases[i].name, value_of(&settings, cases[i].name),
			    cases[i].value, text);
		settings_close(&settings);
	}
}

static void
counts_lines(void **state)
{
	static const char text[] =
	    "<html>\n<?php\n/*\n*/ $s = 'a\nb'; // x\n$h = <<<X\n\n"
	    "X;\n$a =\n  'x';";
	const struct setting *setting, *other;
	struct settings settings;

	(void)state;
	read_text(&settings, text);
	setting = settings_find(&settings, "$s", SETTINGS_LAST, &other);
	assert_int_equal(setting->line, 4);
	setting = settings_find(&settings, "$a", SETTINGS_LAST, &other);
	assert_int_equal(setting->line, 10);
	assert_string_equal(setting->file, "x.php");
	settings_close(&settings);
}

/* -- bounds -----------------------------------------------------------------
 */

static char *
repeat(const char *begin, const char *part, size_t times)
{
	struct strbuf text = STRBUF_EMPTY;

	strbuf_addstr(&text, begin);
	while (times-- > 0)
		strbuf_addstr(&text, part);
	return text.bytes;
}

static void
assert_too_much(char *text, const char *words)
{
	struct settings settings = { 0 };
	struct fault fault;

	assert_faulty(
	    phpfile_read(&settings, "x.php", text, strlen(text), &fault),
	    FAULT_USAGE, words, &fault);
	settings_close(&settings);
	free(text);
}

static void
is_bounded(void **state)
{
	struct settings settings;
	char *text;

	(void)state;
	assert_too_much(repeat("<?php $a = ", "[", 1000),
	    "line 1: there are more than 16 arrays in each other");
	assert_too_much(repeat("<?php\n", "{", 1000),
	    "line 2: there are more than 64 blocks in each other");
	assert_too_much(repeat("<?php ", "$a=1;", 10001),
	    "there is more in it than in any configuration");
	/* Texts that double. */
	text = repeat("<?php $a = 'abcdefgh';", "$a = $a . $a;", 100);
	read_text(&settings, text);
	assert_string_equal(value_of(&settings, "$a"), "is too long");
	settings_close(&settings);
	free(text);
	text = repeat("<?php $a = 'x';", "$b = $a;", 1001);
	read_text(&settings, text);
	assert_string_equal(value_of(&settings, "$b"), PROGRAM);
	settings_close(&settings);
	free(text);
	/* Brackets of all kinds, a million of them. */
	text = repeat("<?php $a = f", "([{", 300000);
	read_text(&settings, text);
	settings_close(&settings);
	free(text);
}

/* -- as PHP does ------------------------------------------------------------
 */

#define TEXTS 400

/* One that PHP takes, with all that is difficult in it. */
static void
add_string(struct dice *dice, struct strbuf *out)
{
	static const char bytes[] = "''\"\"\\\\\\\\$ {}xuabXnrtvef01789\n\r\t/"
				    "*#?><;,()[]=.`\xc3\xa4\xff\x01";
	char quote = dice_roll(dice, 2) == 0 ? '\'' : '"';
	size_t length = dice_roll(dice, 30), slashes = 0;

	strbuf_addc(out, quote);
	while (length-- > 0) {
		char byte = bytes[dice_roll(dice, sizeof(bytes) - 1)];

		if (byte == quote && slashes % 2 == 0)
			strbuf_addc(out, '\\');
		/* Not PHP's idea of a mistake, and no variable. */
		if (byte == 'u' && slashes % 2 == 1)
			strbuf_addstr(out, "u{20ac}");
		else if (quote == '"' && byte == '$' && slashes % 2 == 0)
			strbuf_addstr(out, "$ ");
		else if (quote == '"' && byte == '{')
			strbuf_addstr(out, "{ ");
		else
			strbuf_addc(out, byte);
		slashes = byte == '\\' ? slashes + 1 : 0;
	}
	if (slashes % 2 == 1)
		strbuf_addc(out, '\\');
	strbuf_addc(out, quote);
}

static void
add_comment(struct dice *dice, struct strbuf *out)
{
	static const char *const comments[] = { " ", "\n", "/* ' \" */",
		"// ' \" /*\n", "# \" <<<X\n", "\r\n\t", "/***/" };

	strbuf_addstr(out, comments[dice_roll(dice, COUNT_OF(comments))]);
}

static void
add_statement(struct dice *dice, struct strbuf *out, int number)
{
	static const char *const between[] = { "",
		"\n?> <html> ' \" /* <?xml ?> <?php ",
		"$x = <<<A\n'\"\nAB\nA;\n", "if (0) { $v['no'] = 'x'; }",
		"$y = \"$x{$x}\";" };

	strbuf_addstr(out, between[dice_roll(dice, COUNT_OF(between))]);
	strbuf_addf(out, "$v['k%d']", number);
	add_comment(dice, out);
	strbuf_addc(out, '=');
	do {
		add_comment(dice, out);
		add_string(dice, out);
		add_comment(dice, out);
		strbuf_addc(out, '.');
	} while (dice_roll(dice, 3) == 0);
	strbuf_addf(out, " %zu;\n", dice_roll(dice, 1000));
}

/* A NUL byte is the one thing that we do not take. */
static void
compare_line(const struct settings *settings, char *line)
{
	char *hex = strchr(line, ' '), name[40];
	struct strbuf value = STRBUF_EMPTY;
	const char *ours;

	*hex++ = '\0';
	snprintf(name, sizeof(name), "$v/%s", line);
	ours = value_of(settings, name);
	if (strcmp(ours, "has a NUL byte in it") == 0) {
		strbuf_addstr(&value, "00");
		assert_contains(hex, value.bytes);
	} else {
		strbuf_add_hex(&value, ours, strlen(ours));
		if (strcmp(value.bytes, hex) != 0)
			fail_msg(
			    "%s is %s, for PHP %s", name, value.bytes, hex);
	}
	strbuf_close(&value);
}

static void
agrees_with_php(void **state)
{
	struct dice dice = dice_new();
	struct strbuf text = STRBUF_EMPTY, said = STRBUF_EMPTY;
	struct settings settings = { 0 };
	struct fault fault;
	int lines = 0;

	strbuf_addstr(&text, "<?php $x = 1;\n");
	for (int i = 0; i < TEXTS; i++)
		add_statement(&dice, &text, i);
	tool_write(*state, "x.php", text.bytes, text.length);
	assert_fine(
	    phpfile_read(&settings, "x.php", text.bytes, text.length, &fault),
	    &fault);
	assert_int_equal(
	    tool_run(*state,
		"php -n -d short_open_tag=0 -r 'ob_start(); "
		"require \"x.php\"; ob_end_clean(); foreach ($v as $k => $s) "
		"echo \"$k \", bin2hex($s), \"\\n\";' >said"),
	    0);
	tool_read(*state, "said", &said);
	for (char *line = strtok(said.bytes, "\n"); line != NULL;
	     line = strtok(NULL, "\n")) {
		compare_line(&settings, line);
		lines++;
	}
	assert_int_equal(lines, TEXTS);
	settings_close(&settings);
	strbuf_close(&text);
	strbuf_close(&said);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_literals),
		cmocka_unit_test(counts_lines),
		cmocka_unit_test(is_bounded),
		scratch_test(agrees_with_php),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
