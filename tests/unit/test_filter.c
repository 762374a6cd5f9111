/* SPDX-License-Identifier: MIT */
/*
 * The grammar of patterns is git's (gitignore(5)), so git is asked.  Where the
 * two differ a test of its own says so:
 *
 * - a '#' at a pattern's beginning and blanks at its end are part of it: it is
 *   a value of the configuration and no line of a .gitignore;
 * - '?' and [...] stand for a character of UTF-8, in git for a byte;
 * - a '[' without its ']' is a '[', in git it matches nothing;
 * - a '/' always ends a component, in git it may stand in [...];
 * - "**" beside other characters is a '*', as gitignore(5) says and git does
 *   not always do;
 * - a pattern has at most 64 components.
 */
#include "check.h"
#include "dice.h"
#include "tool.h"

#include "source/filter.h"
#include "store/profile.h"

#include <locale.h>

/* A filter of these patterns and no others. */
static struct filter *
filter_of(const char *const *patterns, int count)
{
	struct profile profile = { .excludes = {
				       (char **)(uintptr_t)patterns, count } };

	return filter_new(&profile);
}

static int
excludes(const struct filter *filter, const char *path, bool is_folder)
{
	const char *slash = strrchr(path, '/');

	return filter_excludes(
	    filter, path, slash != NULL ? slash + 1 : path, is_folder);
}

/* What one pattern says of a path; a slash at its end means a folder. */
static bool
hits(const char *pattern, const char *path)
{
	struct filter *filter = filter_of(&pattern, 1);
	char *copy = strdup(path);
	size_t length = strlen(path);
	bool is_folder = path[length - 1] == '/';
	int hit;

	if (is_folder)
		copy[length - 1] = '\0';
	hit = excludes(filter, copy, is_folder);
	free(copy);
	filter_free(filter);
	return hit == 0;
}

static void
knows_the_grammar(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool hit;
	} cases[] = {
		{ "*.log", "a.log", true },
		{ "*.log", "x/y/a.log", true },
		{ "*.log", "a.log/", true },
		{ "*.log", ".log", true },
		{ "*.log", "a.logs", false },
		{ "cache/", "cache/", true },
		{ "cache/", "x/cache/", true },
		{ "cache/", "cache", false },
		{ "/cache", "cache", true },
		{ "/cache", "x/cache", false },
		{ "a/b", "a/b", true },
		{ "a/b", "x/a/b", false },
		{ "a/*", "a/b", true },
		{ "a/*", "a/b/c", false },
		{ "a/*", "a", false },
		{ "a/?", "a/b", true },
		{ "a?b", "a/b", false },
		{ "a*b", "a/b", false },
		{ "**/a", "a", true },
		{ "**/a", "x/y/a", true },
		{ "a/**", "a", false },
		{ "a/**", "a/b/c", true },
		{ "a/**/b", "a/b", true },
		{ "a/**/b", "a/x/y/b", true },
		{ "a/**/b", "a/xb", false },
		{ "**", "x", true },
		{ "[a-c].php", "b.php", true },
		{ "[!a-c].php", "b.php", false },
		{ "[!a-c].php", "d.php", true },
		{ "\\!x", "!x", true },
		{ "\\*", "*", true },
		{ "\\*", "a", false },
		{ "a\nb", "a\nb", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (hits(cases[i].pattern, cases[i].path) != cases[i].hit)
			fail_msg("'%s' %s '%s'", cases[i].pattern,
			    cases[i].hit ? "does not exclude" : "excludes",
			    cases[i].path);
}

static void
lets_the_last_match_win(void **state)
{
	static const char *const patterns[] = { "*.log", "!keep.log",
		"/x/keep.log", "!*.txt" };
	struct filter *filter = filter_of(patterns, 4);

	(void)state;
	assert_int_equal(filter_count(filter), 4);
	assert_string_equal(filter_pattern(filter, 1), "!keep.log");
	assert_int_equal(excludes(filter, "a.log", false), 0);
	assert_int_equal(excludes(filter, "keep.log", false), -1);
	assert_int_equal(excludes(filter, "y/keep.log", false), -1);
	assert_int_equal(excludes(filter, "x/keep.log", false), 2);
	assert_int_equal(excludes(filter, "a.txt", false), -1);
	filter_free(filter);
	filter_free(NULL);
}

/* What a .gitignore would take for a comment or trim is part of a pattern. */
static void
takes_comments_and_blanks_as_they_are(void **state)
{
	(void)state;
	assert_true(hits("#x", "#x"));
	assert_true(hits("x ", "x "));
	assert_false(hits("x ", "x"));
	assert_true(hits("\t", "\t"));
}

static void
differs_from_git_where_it_is_kinder(void **state)
{
	(void)state;
	assert_true(hits("?", "\xc3\xa4"));
	assert_true(hits("[\xc3\xa4\xc3\xb6]", "\xc3\xb6"));
	assert_true(hits("[a", "[a"));
	assert_false(hits("[a", "a"));
	assert_false(hits("a[/]b", "a/b"));
	assert_true(hits("a**/b", "axx/b"));
	assert_false(hits("a**/b", "a/x/b"));
	assert_false(hits("***/b", "a/x/b"));
	assert_true(hits("***/b", "a/b"));
}

/* Names are bytes: what is no UTF-8 is matched as well. */
static void
matches_any_bytes(void **state)
{
	(void)state;
	assert_true(hits("*", "\xff\xfe"));
	assert_true(hits("?", "\xff"));
	assert_true(hits("a?b",
	    "a\xff"
	    "b"));
	assert_true(hits("[!a]", "\xff"));
	assert_true(hits("*.php", "\xe4.php"));
	assert_true(hits("\xff*", "\xff\xfe"));
	assert_true(hits("*\xfe", "\xff\xfe"));
	assert_true(hits("\xff", "\xff"));
	assert_false(hits("\xff", "\xfe"));
	assert_true(hits("a/*/b", "a/\xff/b"));
}

static void
bears_long_names_and_deep_patterns(void **state)
{
	struct strbuf pattern = STRBUF_EMPTY, path = STRBUF_EMPTY;
	char name[256];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	assert_true(hits(name, name));
	assert_true(hits("n*n", name));
	assert_false(hits("n*m", name));
	for (int i = 0; i < 100; i++) {
		strbuf_addf(&pattern, "%sa", i > 0 ? "/" : "");
		strbuf_addf(&path, "%sa", i > 0 ? "/" : "");
		if (i > 0)
			assert_int_equal(
			    hits(pattern.bytes, path.bytes), i < 64);
	}
	strbuf_close(&pattern);
	strbuf_close(&path);
}

/* A pattern of many stars must not take for ever. */
static void
is_not_led_into_a_maze(void **state)
{
	struct strbuf path = STRBUF_EMPTY;

	(void)state;
	for (int i = 0; i < 1000; i++)
		strbuf_addstr(&path, "a/");
	strbuf_addstr(&path, "b");
	assert_false(
	    hits("**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/c", path.bytes));
	assert_true(
	    hits("**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/b", path.bytes));
	strbuf_close(&path);
}

static void
lists_what_is_shipped(void **state)
{
	struct profile profile = { .default_excludes = true };
	struct filter *filter = filter_new(&profile);
	struct strbuf list = STRBUF_EMPTY;
	char *line;
	int count = 0;

	(void)state;
	filter_list_defaults(&list);
	for (line = strtok(list.bytes, "\n"); line != NULL;
	     line = strtok(NULL, "\n"))
		assert_string_equal(line, filter_pattern(filter, count++));
	assert_int_equal(count, filter_count(filter));
	assert_true(count > 10);
	/* The folder stays, what is in it does not. */
	assert_int_equal(excludes(filter, "wp-content/cache", true), -1);
	assert_true(excludes(filter, "wp-content/cache/x", true) >= 0);
	assert_true(excludes(filter, "a/node_modules/.cache/x", false) >= 0);
	assert_int_equal(excludes(filter, "wp-content/plugins", true), -1);
	assert_int_equal(excludes(filter, "x/wp-content/cache/y", false), -1);
	strbuf_close(&list);
	filter_free(filter);
}

/* -- git as the oracle ------------------------------------------------------
 */

#define GROUPS   100 /* sets of patterns, one .gitignore each */
#define PATTERNS 6   /* in a set at the most */

static const char *const names[] = { "a", "b", "ab", "a.b", "abc", "cache",
	".a", "a b", "A", "-", "]", "!a", "b.log" };
static const char *const pieces[] = { "a", "b", "c", "ab", "*", "*", "*", "?",
	".", "[ab]", "[!a]", "[a-c]", "[^b]", "[]]", "[[:alpha:]]", "\\*",
	"\\a", "cache", "*.b", ".log", "!a", "a b", "-", "\\[" };

/* No "**" beside anything else: git does not keep to its own manual there. */
static void
add_random_component(struct strbuf *out, struct dice *dice)
{
	for (size_t k = 1 + dice_roll(dice, 3); k > 0; k--) {
		const char *piece = pieces[dice_roll(dice, COUNT_OF(pieces))];
		bool star = out->length > 0 &&
		    out->bytes[out->length - 1] == '*' &&
		    (out->length < 2 || out->bytes[out->length - 2] != '\\');

		strbuf_addstr(out, piece + (star && *piece == '*'));
	}
}

static void
add_random_pattern(struct strbuf *out, struct dice *dice)
{
	size_t parts = 1 + dice_roll(dice, 4);

	if (dice_roll(dice, 5) == 0)
		strbuf_addc(out, '!');
	if (dice_roll(dice, 4) == 0)
		strbuf_addc(out, '/');
	for (size_t i = 0; i < parts; i++) {
		if (i > 0)
			strbuf_addc(out, '/');
		if (dice_roll(dice, 4) == 0)
			strbuf_addstr(out, "**");
		else
			add_random_component(out, dice);
	}
	if (dice_roll(dice, 5) == 0)
		strbuf_addc(out, '/');
}

/* All paths of up to three of the names; folders where more follows. */
struct tree {
	char **paths;
	bool *is_folder;
	size_t count;
};

static void
tree_add(struct tree *tree, const char *path, bool is_folder)
{
	tree->paths =
	    realloc(tree->paths, (tree->count + 1) * sizeof(*tree->paths));
	tree->is_folder = realloc(
	    tree->is_folder, (tree->count + 1) * sizeof(*tree->is_folder));
	tree->is_folder[tree->count] = is_folder;
	tree->paths[tree->count++] = strdup(path);
}

static void
tree_close(struct tree *tree)
{
	for (size_t i = 0; i < tree->count; i++)
		free(tree->paths[i]);
	free(tree->paths);
	free(tree->is_folder);
}

/* Folders below folders to a depth of three, then files, made for git. */
static void
tree_make(struct tree *tree, const char *directory, struct dice *dice)
{
	struct strbuf script = STRBUF_EMPTY;
	char path[200];
	size_t begin = 0, end = 0;

	for (int depth = 0; depth < 4; depth++) {
		for (size_t at = begin; at == 0 || at < end; at++) {
			const char *parent = end > 0 ? tree->paths[at] : NULL;

			for (size_t i = 0; i < COUNT_OF(names); i++) {
				bool folder = dice_roll(dice, 2) == 0;

				if (depth > 0 &&
				    (!tree->is_folder[at] ||
					dice_roll(dice, 3) > 0))
					continue;
				snprintf(path, sizeof(path), "%s%s%s",
				    parent != NULL ? parent : "",
				    parent != NULL ? "/" : "", names[i]);
				tree_add(tree, path, folder);
			}
			if (end == 0)
				break;
		}
		begin = end;
		end = tree->count;
	}
	for (size_t i = 0; i < tree->count; i++)
		strbuf_addf(&script, "%s './%s'\n",
		    tree->is_folder[i] ? "mkdir" : ": >", tree->paths[i]);
	tool_write(directory, "make", script.bytes, script.length);
	assert_int_equal(tool_run(directory,
			     "mkdir tree && cd tree && . ../make && "
			     "git init -q"),
	    0);
	script.length = 0;
	for (size_t i = 0; i < tree->count; i++)
		strbuf_add(&script, tree->paths[i], strlen(tree->paths[i]) + 1);
	tool_write(directory, "paths", script.bytes, script.length);
	strbuf_close(&script);
}

/* Excluded itself, or below an excluded folder, which is never entered. */
static int
judge(const struct filter *filter, const char *path, bool is_folder)
{
	char *copy = strdup(path);
	int hit = -1;

	for (char *slash = strchr(copy, '/'); slash != NULL && hit < 0;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		hit = excludes(filter, copy, true);
		*slash = '/';
	}
	if (hit < 0)
		hit = excludes(filter, copy, is_folder);
	free(copy);
	return hit;
}

/* git's answers: source, line, pattern, path, each with a NUL. */
static size_t
compare(const struct filter *filter, const struct tree *tree,
    const char *answers, const char *shown)
{
	const char *at = answers;
	size_t excluded = 0;

	for (size_t i = 0; i < tree->count; i++) {
		const char *line = at + strlen(at) + 1;
		const char *pattern = line + strlen(line) + 1;
		const char *path = pattern + strlen(pattern) + 1;
		int wanted = -1, got;

		assert_string_equal(path, tree->paths[i]);
		/* A match that takes back in is named too. */
		if (line[0] != '\0' && pattern[0] != '!')
			wanted = (int)strtol(line, NULL, 10) - 1;
		got = judge(filter, path, tree->is_folder[i]);
		if (got != wanted)
			fail_msg("of %s %s pattern %d excludes, not %d, of\n%s",
			    tree->is_folder[i] ? "folder" : "file", path,
			    wanted, got, shown);
		excluded += wanted >= 0;
		at = path + strlen(path) + 1;
	}
	return excluded;
}

/* How many paths a set of patterns excludes. */
static size_t
compare_group(const struct tree *tree, const char *directory, struct dice *dice)
{
	struct strbuf text = STRBUF_EMPTY, answers = STRBUF_EMPTY;
	char *patterns[PATTERNS];
	int count = (int)dice_roll(dice, PATTERNS) + 1;
	struct filter *filter;
	size_t excluded;

	for (int i = 0; i < count; i++) {
		struct strbuf pattern = STRBUF_EMPTY;

		add_random_pattern(&pattern, dice);
		patterns[i] = pattern.bytes;
		strbuf_addf(&text, "%s\n", pattern.bytes);
	}
	tool_write(
	    directory, "tree/.git/info/exclude", text.bytes, text.length);
	/* It ends with 1 if nothing is ignored. */
	assert_in_range(tool_run(directory,
			    "cd tree && git -c core.excludesFile=/dev/null "
			    "-c core.ignoreCase=false check-ignore -v -n -z "
			    "--no-index --stdin <../paths >../answers"),
	    0, 1);
	tool_read(directory, "answers", &answers);
	filter = filter_of((const char *const *)patterns, count);
	excluded = compare(filter, tree, answers.bytes, text.bytes);
	filter_free(filter);
	for (int i = 0; i < count; i++)
		free(patterns[i]);
	strbuf_close(&answers);
	strbuf_close(&text);
	return excluded;
}

static void
agrees_with_git(void **state)
{
	struct dice dice = dice_new();
	struct tree tree = { 0 };
	size_t excluded = 0;

	tree_make(&tree, *state, &dice);
	for (int i = 0; i < GROUPS; i++)
		excluded += compare_group(&tree, *state, &dice);
	print_message("%zu paths, %zu of %zu answers exclude one\n", tree.count,
	    excluded, GROUPS * tree.count);
	assert_in_range(excluded, 1, GROUPS * tree.count - 1);
	tree_close(&tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_the_grammar),
		cmocka_unit_test(lets_the_last_match_win),
		cmocka_unit_test(takes_comments_and_blanks_as_they_are),
		cmocka_unit_test(differs_from_git_where_it_is_kinder),
		cmocka_unit_test(matches_any_bytes),
		cmocka_unit_test(bears_long_names_and_deep_patterns),
		cmocka_unit_test(is_not_led_into_a_maze),
		cmocka_unit_test(lists_what_is_shipped),
		scratch_test(agrees_with_git),
	};

	/* As engine_open does. */
	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
