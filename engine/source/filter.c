/* SPDX-License-Identifier: MIT */
/*
 * A pattern is matched component by component with fnmatch(3); only "**"
 * spans components.  Most entries match no pattern, so what is literal at a
 * pattern's beginning and end is compared first.
 */
#include "source/filter.h"

#include "base/strbuf.h"
#include "store/profile.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/*
 * What well-known programs make again by themselves.  The folders stay, empty:
 * some programs do not start without them.
 */
static const char *const defaults[] = {
	/* WordPress: caches, upgrades under way, other backup tools */
	"/wp-content/cache/*",
	"/wp-content/et-cache/*",
	"/wp-content/upgrade/*",
	"/wp-content/wflogs/*",
	"/wp-content/ai1wm-backups/*.wpress",
	"/wp-content/updraft/*",
	"/wp-content/backups-dup-lite/*",
	"/wp-content/backups-dup-pro/*",
	"/wp-content/backuply/*",
	"/wp-content/uploads/backwpup*/*",
	"/wp-content/uploads/wpvivid*/*",
	"/wp-snapshots/*",
	/* Joomla */
	"/administrator/cache/*",
	"/administrator/components/com_akeeba/backup/*.jp[as]",
	"/administrator/components/com_akeebabackup/backup/*.jp[as]",
	/* Drupal */
	"/sites/*/files/css/*",
	"/sites/*/files/js/*",
	"/sites/*/files/php/*",
	/* Magento, PrestaShop, Symfony */
	"/var/cache/*",
	"/var/page_cache/*",
	"/var/session/*",
	"/var/sessions/*",
	"/var/view_preprocessed/*",
	/* Laravel */
	"/storage/framework/cache/data/*",
	"/storage/framework/sessions/*",
	"/storage/framework/views/*",
	/* any */
	"**/node_modules/.cache/*",
};

#define DEFAULT_COUNT ((int)(sizeof(defaults) / sizeof(defaults[0])))
#define PARTS_MAX     64

struct pattern {
	const char *written; /* as in the configuration */
	char *text;          /* without '!' and outer slashes, cut at slashes */
	char *parts[PARTS_MAX];
	int part_count;
	char *literal; /* all of it before the first wildcard */
	size_t literal_length;
	const char *tail; /* literal end, of patterns without "**" */
	size_t tail_length;
	bool takes_back;   /* '!' */
	bool folders_only; /* trailing '/' */
	bool anchored;     /* compared with the path, else with the name */
};

struct filter {
	struct pattern *patterns;
	int count;
};

static void
cut_parts(struct pattern *pattern)
{
	char *part = pattern->text;

	while (part != NULL && pattern->part_count < PARTS_MAX) {
		char *slash = strchr(part, '/');

		/* What is too deep to be told apart stays one part. */
		if (slash != NULL && pattern->part_count < PARTS_MAX - 1)
			*slash++ = '\0';
		else
			slash = NULL;
		pattern->parts[pattern->part_count++] = part;
		part = slash;
	}
}

static void
compile(struct pattern *pattern, const char *written)
{
	static const char wild[] = "*?[\\";
	const char *text = written;
	size_t length, tail;

	memset(pattern, 0, sizeof(*pattern));
	pattern->written = written;
	if (*text == '!') {
		pattern->takes_back = true;
		text++;
	}
	length = strlen(text);
	if (length > 1 && text[length - 1] == '/') {
		pattern->folders_only = true;
		length--;
	}
	pattern->anchored = memchr(text, '/', length) != NULL;
	if (*text == '/') {
		text++;
		length--;
	}
	pattern->text = strbuf_copy_part(text, length);
	pattern->literal_length = strcspn(pattern->text, wild);
	pattern->literal =
	    strbuf_copy_part(pattern->text, pattern->literal_length);
	tail = length;
	if (strstr(pattern->text, "**") == NULL &&
	    strchr(pattern->text, '\\') == NULL)
		while (
		    tail > 0 && strchr("*?[]", pattern->text[tail - 1]) == NULL)
			tail--;
	pattern->tail_length = length - tail;
	pattern->tail = text + tail;
	cut_parts(pattern);
}

struct filter *
filter_new(const struct profile *profile)
{
	struct filter *filter = calloc(1, sizeof(*filter));
	int shipped = profile->default_excludes ? DEFAULT_COUNT : 0;

	if (filter == NULL)
		abort();
	filter->count = shipped + profile->excludes.count;
	filter->patterns =
	    calloc((size_t)filter->count + 1, sizeof(struct pattern));
	if (filter->patterns == NULL)
		abort();
	for (int i = 0; i < filter->count; i++)
		compile(&filter->patterns[i],
		    i < shipped ? defaults[i]
				: profile->excludes.items[i - shipped]);
	return filter;
}

void
filter_free(struct filter *filter)
{
	if (filter == NULL)
		return;
	for (int i = 0; i < filter->count; i++) {
		free(filter->patterns[i].text);
		free(filter->patterns[i].literal);
	}
	free(filter->patterns);
	free(filter);
}

int
filter_count(const struct filter *filter)
{
	return filter->count;
}

const char *
filter_pattern(const struct filter *filter, int pattern)
{
	return filter->patterns[pattern].written;
}

void
filter_list_defaults(struct strbuf *out)
{
	for (int i = 0; i < DEFAULT_COUNT; i++)
		strbuf_addf(out, "%s\n", defaults[i]);
}

/* Copy a component of the path; the beginning of the next, or NULL. */
static const char *
take_component(const char *path, char component[NAME_MAX + 1])
{
	size_t length = strcspn(path, "/");
	size_t kept = length < NAME_MAX ? length : NAME_MAX;

	memcpy(component, path, kept);
	component[kept] = '\0';
	return path[length] == '/' ? path + length + 1 : NULL;
}

/*
 * The parts against the path's components.  After a "**" that matched too
 * little, go back to it and let it take one component more.
 */
static bool
match_path(const struct pattern *pattern, const char *path)
{
	char component[NAME_MAX + 1];
	const char *retry_path = NULL;
	int at = 0, retry_at = -1;

	while (path != NULL) {
		if (at < pattern->part_count &&
		    strcmp(pattern->parts[at], "**") == 0) {
			/* At the end it takes all, but not nothing. */
			if (++at == pattern->part_count)
				return true;
			retry_at = at;
			retry_path = path;
			continue;
		}
		if (at < pattern->part_count) {
			const char *next = take_component(path, component);

			if (fnmatch(pattern->parts[at], component, 0) == 0) {
				path = next;
				at++;
				continue;
			}
		}
		if (retry_at < 0)
			return false;
		retry_path = take_component(retry_path, component);
		path = retry_path;
		at = retry_at;
	}
	return at == pattern->part_count;
}

static bool
matches(const struct pattern *pattern, const char *subject, size_t length)
{
	if (length < pattern->literal_length || length < pattern->tail_length ||
	    memcmp(subject, pattern->literal, pattern->literal_length) != 0 ||
	    memcmp(subject + length - pattern->tail_length, pattern->tail,
		pattern->tail_length) != 0)
		return false;
	return match_path(pattern, subject);
}

int
filter_excludes(const struct filter *filter, const char *path, const char *name,
    bool is_folder)
{
	size_t path_length = strlen(path);
	size_t name_length = path_length - (size_t)(name - path);

	for (int i = filter->count - 1; i >= 0; i--) {
		const struct pattern *pattern = &filter->patterns[i];

		if (pattern->folders_only && !is_folder)
			continue;
		if (pattern->anchored ? matches(pattern, path, path_length)
				      : matches(pattern, name, name_length))
			return pattern->takes_back ? -1 : i;
	}
	return -1;
}
