/* SPDX-License-Identifier: MIT */
/*
 * Patterns, one to a line, an empty line, and paths.  The filter says of each
 * path what a plain matcher says, which knows no shortcuts; it says so again
 * when it is made from the patterns that it shows; and it never compares more
 * than each component with each part of each pattern.
 */
#include "fuzz.h"

#include "base/fault.h"
#include "source/filter.h"
#include "store/profile.h"
#include "store/values.h"

#include <fnmatch.h>
#include <locale.h>
#include <stdbool.h>

#define PARTS_MAX 64

/* The linker puts this between the filter and libc. */
int __wrap_fnmatch(const char *pattern, const char *text, int flags);
int __real_fnmatch(const char *pattern, const char *text, int flags);

static size_t compared;

int
__wrap_fnmatch(const char *pattern, const char *text, int flags)
{
	compared++;
	return __real_fnmatch(pattern, text, flags);
}

/* A text cut at its slashes. */
struct parts {
	char *text;
	char *items[PATH_MAX];
	size_t count;
};

static void
cut(struct parts *parts, const char *text, size_t length)
{
	char *rest = parts->text = strndup(text, length), *part;

	CHECK(rest != NULL);
	parts->count = 0;
	while ((part = strsep(&rest, "/")) != NULL)
		parts->items[parts->count++] = part;
}

/*
 * reached[j]: the pattern's parts so far match the path's first j components.
 */
static bool
parts_match(const struct parts *pattern, const struct parts *path)
{
	static bool reached[PATH_MAX + 1], next[PATH_MAX + 1];

	memset(reached, 0, path->count + 1);
	reached[0] = true;
	for (size_t i = 0; i < pattern->count; i++) {
		bool spans = strcmp(pattern->items[i], "**") == 0;
		bool last = i + 1 == pattern->count;

		for (size_t j = 0; j <= path->count; j++) {
			bool one = j > 0 && reached[j - 1];

			if (!spans)
				next[j] = one &&
				    __real_fnmatch(pattern->items[i],
					path->items[j - 1], 0) == 0;
			else
				next[j] = (j > 0 && next[j - 1]) ||
				    (last ? one : reached[j]);
		}
		memcpy(reached, next, path->count + 1);
	}
	return reached[path->count];
}

/* What gitignore(5) says, for patterns that are not deeper than PARTS_MAX. */
static bool
matches(const char *pattern, const char *path, bool is_folder)
{
	static struct parts parts, components;
	size_t length;
	bool anchored, result;

	pattern += *pattern == '!';
	length = strlen(pattern);
	if (length > 1 && pattern[length - 1] == '/') {
		if (!is_folder)
			return false;
		length--;
	}
	anchored = memchr(pattern, '/', length) != NULL;
	if (*pattern == '/') {
		pattern++;
		length--;
	}
	if (!anchored && strrchr(path, '/') != NULL)
		path = strrchr(path, '/') + 1;
	cut(&parts, pattern, length);
	cut(&components, path, strlen(path));
	result = parts_match(&parts, &components);
	free(parts.text);
	free(components.text);
	return result;
}

static int
wanted(const struct filter *filter, const char *path, bool is_folder)
{
	for (int i = filter_count(filter) - 1; i >= 0; i--) {
		const char *pattern = filter_pattern(filter, i);

		if (matches(pattern, path, is_folder))
			return *pattern == '!' ? -1 : i;
	}
	return -1;
}

static size_t
count_slashes(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += *text == '/';
	return count;
}

/* Every component compared with every part, and no more. */
static size_t
most_work(const struct filter *filter, const char *path)
{
	size_t parts = 0;

	for (int i = 0; i < filter_count(filter); i++)
		parts += count_slashes(filter_pattern(filter, i)) + 2;
	return parts * (count_slashes(path) + 2);
}

/* The path of an entry: no empty component, and none that is too long. */
static bool
is_path(const char *path)
{
	size_t length;

	if (strlen(path) >= PATH_MAX)
		return false;
	for (;; path += length + 1) {
		length = strcspn(path, "/");
		if (length == 0 || length > NAME_MAX)
			return false;
		if (path[length] == '\0')
			return true;
	}
}

/* Take the patterns that the configuration would; the rest behind them. */
static char *
take_patterns(char *text, struct texts *patterns)
{
	struct fault fault;
	char *line;

	while ((line = strsep(&text, "\n")) != NULL && line[0] != '\0')
		if (count_slashes(line) < PARTS_MAX - 1)
			(void)!values_pattern(patterns, line, &fault);
	return text;
}

static struct filter *
show_again(const struct filter *filter, struct texts *shown)
{
	struct profile profile = { 0 };
	struct filter *again;

	shown->count = filter_count(filter);
	shown->items = calloc((size_t)shown->count + 1, sizeof(char *));
	CHECK(shown->items != NULL);
	for (int i = 0; i < shown->count; i++) {
		shown->items[i] = strdup(filter_pattern(filter, i));
		CHECK(shown->items[i] != NULL);
	}
	profile.excludes = *shown;
	again = filter_new(&profile);
	CHECK(filter_count(again) == filter_count(filter));
	return again;
}

static void
check_paths(const struct filter *filter, const struct filter *again, char *text)
{
	char *path;

	while ((path = strsep(&text, "\n")) != NULL) {
		const char *slash = strrchr(path, '/');
		const char *name = slash != NULL ? slash + 1 : path;

		if (!is_path(path))
			continue;
		for (int is_folder = 0; is_folder < 2; is_folder++) {
			int found;

			compared = 0;
			found = filter_excludes(filter, path, name, is_folder);
			CHECK(compared <= most_work(filter, path));
			CHECK(found == wanted(filter, path, is_folder));
			CHECK(found ==
			    filter_excludes(again, path, name, is_folder));
		}
	}
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	CHECK(setlocale(LC_CTYPE, "C.UTF-8") != NULL);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct profile profile = { .default_excludes = size % 2 != 0 };
	struct texts shown;
	struct filter *filter, *again;
	char *text = fuzz_text(data, size);
	char *paths = take_patterns(text, &profile.excludes);

	filter = filter_new(&profile);
	again = show_again(filter, &shown);
	check_paths(filter, again, paths);
	filter_free(again);
	filter_free(filter);
	for (int i = 0; i < shown.count; i++)
		free(shown.items[i]);
	free(shown.items);
	profile_close(&profile);
	free(text);
	return 0;
}
