/* SPDX-License-Identifier: MIT */
/*
 * libinih splits the lines; what a key means stands in one table.  A first
 * pass of our own looks at the section lines, because libinih shows a section
 * only with a key in it.  The first mistake is reported, with its line.
 */
#include "store/config_internal.h"

#include "base/budget.h"
#include "base/fault.h"
#include "base/strbuf.h"
#include "store/values.h"

#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_LINE_MAX 8000
#define PROFILES_MAX    1000

#define EXCERPT_MAX  80
#define EXCERPT_SIZE (EXCERPT_MAX + sizeof("…"))

/* What libinih passes over at the beginning of a file and of a line. */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define BLANKS          " \t\r\v\f"

/* In which lines a section and its keys are; 0: nowhere. */
struct seen {
	int section;
	int keys[CONFIG_KEY_COUNT];
};

struct parser {
	struct config *config;
	struct fault *fault;
	const char *rest; /* text not yet read */
	int line;
	int fault_line; /* 0: none */
	struct seen server;
	struct seen step;
	struct seen *profiles; /* as in config */
};

/* As much of a text as a message can bear. */
static const char *
excerpt(const char *text, char out[EXCERPT_SIZE])
{
	snprintf(out, EXCERPT_SIZE, "%.*s%s", EXCERPT_MAX, text,
	    strlen(text) > EXCERPT_MAX ? "…" : "");
	return out;
}

/*
 * The number in "profile 12", 0 if it is anything else.  Without leading zeros
 * it is short enough for libinih, which cuts the names of sections.
 */
static int64_t
profile_number(const char *section)
{
	int64_t number;
	struct fault unused;

	if (strncmp(section, "profile ", 8) != 0 || section[8] == '0' ||
	    values_count(&number, section + 8, &unused) != 0)
		return 0;
	return number;
}

static int
find_section(const char *name, enum config_section *section)
{
	if (strcmp(name, "server") == 0)
		*section = SECTION_SERVER;
	else if (strcmp(name, "step") == 0)
		*section = SECTION_STEP;
	else if (profile_number(name) > 0)
		*section = SECTION_PROFILE;
	else
		return -1;
	return 0;
}

static void
add_profile(struct parser *parser, int64_t number)
{
	struct config *config = parser->config;
	size_t count = (size_t)config->profile_count;

	config->profiles =
	    realloc(config->profiles, (count + 1) * sizeof(struct profile));
	parser->profiles =
	    realloc(parser->profiles, (count + 1) * sizeof(struct seen));
	if (config->profiles == NULL || parser->profiles == NULL)
		abort();
	memset(&config->profiles[count], 0, sizeof(struct profile));
	memset(&parser->profiles[count], 0, sizeof(struct seen));
	config->profiles[count].number = number;
	config->profile_count++;
}

/* Where the section of this name, which there is, stands in the lists. */
static struct seen *
seen_in(struct parser *parser, const char *name, char **base)
{
	struct config *config = parser->config;
	int64_t number = profile_number(name);
	int at = 0;

	*base = (char *)config;
	if (number == 0)
		return strcmp(name, "server") == 0 ? &parser->server
						   : &parser->step;
	while (
	    at < config->profile_count && config->profiles[at].number != number)
		at++;
	if (at == config->profile_count)
		add_profile(parser, number);
	*base = (char *)&config->profiles[at];
	return &parser->profiles[at];
}

/* A section begins. */
static int
begin_section(struct parser *parser, const char *name)
{
	enum config_section section;
	struct seen *seen;
	char *base;

	if (find_section(name, &section) != 0)
		return fault_set(parser->fault, FAULT_USAGE,
		    "there is no section [%s]; there are [server], [step] and "
		    "[profile N], N being a number from 1",
		    name);
	if (section == SECTION_PROFILE &&
	    parser->config->profile_count >= PROFILES_MAX)
		return fault_set(parser->fault, FAULT_USAGE,
		    "there are more than %d profiles", PROFILES_MAX);
	seen = seen_in(parser, name, &base);
	if (seen->section != 0)
		return fault_set(parser->fault, FAULT_USAGE,
		    "[%s] is there twice; put its keys into one", name);
	seen->section = parser->line;
	return 0;
}

/* One line of the first pass. */
static int
scan_line(struct parser *parser, const char *line, size_t length)
{
	char name[64];
	const char *end, *after;
	size_t blank;

	if (length > CONFIG_LINE_MAX)
		return fault_set(parser->fault, FAULT_USAGE,
		    "the line is longer than %d bytes", CONFIG_LINE_MAX);
	blank = strspn(line, BLANKS);
	if (line[blank] != '[')
		return 0;
	end = memchr(line, ']', length);
	if (end == NULL)
		return fault_set(
		    parser->fault, FAULT_USAGE, "the ']' is missing");
	after = end + 1 + strspn(end + 1, BLANKS);
	if (after < line + length && *after != ';' && *after != '#')
		return fault_set(parser->fault, FAULT_USAGE,
		    "there is more behind the ']'; write it in the next line");
	line += blank + 1;
	snprintf(name, sizeof(name), "%.*s", (int)(end - line), line);
	return begin_section(parser, name);
}

static int
scan_lines(struct parser *parser, const char *text)
{
	while (*text != '\0') {
		size_t length = strcspn(text, "\n");

		parser->line++;
		if (scan_line(parser, text, length) != 0) {
			parser->fault_line = parser->line;
			return -1;
		}
		text += length + (text[length] == '\n');
	}
	parser->line = 0;
	return 0;
}

/* libinih's way to get a line: fgets on our text. */
static char *
read_line(char *line, int size, void *stream)
{
	struct parser *parser = stream;
	size_t length = strcspn(parser->rest, "\n");

	if (*parser->rest == '\0')
		return NULL;
	length += parser->rest[length] == '\n';
	if (length > (size_t)size - 1)
		length = (size_t)size - 1;
	memcpy(line, parser->rest, length);
	line[length] = '\0';
	parser->rest += length;
	parser->line += line[length - 1] == '\n' || *parser->rest == '\0';
	return line;
}

static int
unknown_key(struct fault *fault, enum config_section section, const char *name)
{
	struct strbuf known = STRBUF_EMPTY;
	char shown[EXCERPT_SIZE];

	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++)
		if (config_keys[i].section == section)
			strbuf_addf(&known, "%s%s",
			    known.length > 0 ? ", " : "", config_keys[i].name);
	fault_set(fault, FAULT_USAGE,
	    "there is no key '%s' in [%s]; there are %s", excerpt(name, shown),
	    config_section_names[section], strbuf_text(&known));
	strbuf_close(&known);
	return -1;
}

static int
set_key(struct parser *parser, const char *section_name, const char *name,
    const char *value)
{
	char shown[EXCERPT_SIZE], *base;
	enum config_section section;
	struct seen *seen;

	if (find_section(section_name, &section) != 0)
		return fault_set(parser->fault, FAULT_USAGE,
		    "'%s' stands before the first section",
		    excerpt(name, shown));
	seen = seen_in(parser, section_name, &base);
	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		const struct config_key *key = &config_keys[i];

		if (key->section != section || strcmp(key->name, name) != 0)
			continue;
		if (seen->keys[i] != 0 && (key->flags & KEY_REPEATABLE) == 0)
			return fault_set(parser->fault, FAULT_USAGE,
			    "'%s' is there twice in [%s]; keep one", name,
			    section_name);
		seen->keys[i] = parser->line;
		if (key->set(base + key->offset, value, parser->fault) != 0)
			return fault_wrap(parser->fault, "'%s = %s' is wrong",
			    name,
			    (key->flags & KEY_HIDDEN) != 0
				? "…"
				: excerpt(value, shown));
		return 0;
	}
	return unknown_key(parser->fault, section, name);
}

/* libinih's handler: 1 goes on.  After the first mistake nothing is set. */
static int
handle(void *user, const char *section, const char *name, const char *value)
{
	struct parser *parser = user;

	if (parser->fault_line == 0 &&
	    set_key(parser, section, name, value) != 0)
		parser->fault_line = parser->line;
	return 1;
}

/* Defaults of the keys that a section, at base, does not have. */
static int
set_standards(struct parser *parser, char *base, enum config_section section,
    const struct seen *seen)
{
	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		const struct config_key *key = &config_keys[i];

		if (key->section != section || seen->keys[i] != 0)
			continue;
		if ((key->flags & KEY_REQUIRED) != 0) {
			parser->fault_line = seen->section;
			return fault_set(parser->fault, FAULT_USAGE,
			    "'%s' is missing in [%s]", key->name,
			    config_section_names[section]);
		}
		if (key->standard != NULL &&
		    key->set(
			base + key->offset, key->standard, parser->fault) != 0)
			return -1;
	}
	return 0;
}

/* The value of this key is wrong beside those of the others. */
static int
refuse_value(struct parser *parser, const struct seen *seen, const char *name,
    const char *right)
{
	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++)
		if (strcmp(config_keys[i].name, name) == 0)
			parser->fault_line = seen->keys[i];
	return fault_set(
	    parser->fault, FAULT_USAGE, "'%s' must be %s", name, right);
}

static int
check_steps(struct parser *parser)
{
	const struct config *config = parser->config;
	const struct seen *seen = &parser->step;

	if (config->step_max < 50 * BUDGET_MILLISECOND ||
	    config->step_max > 3600 * BUDGET_SECOND)
		return refuse_value(parser, seen, "max", "50ms to 1h");
	if (config->step_min > config->step_max)
		return refuse_value(
		    parser, seen, "min", "no more than 'max' in [step]");
	if (config->checkpoint < 100 * BUDGET_MILLISECOND)
		return refuse_value(
		    parser, seen, "checkpoint", "at least 100ms");
	if (config->checkpoint_size < 65536)
		return refuse_value(
		    parser, seen, "checkpoint_size", "at least 64K");
	if (config->workers > 16)
		return refuse_value(parser, seen, "workers", "0 to 16");
	return 0;
}

static int
check_snapshots(struct parser *parser)
{
	const struct config *config = parser->config;
	const struct seen *seen = &parser->server;

	if (config->snapshot_max < BUDGET_SECOND)
		return refuse_value(
		    parser, seen, "snapshot_max", "at least 1s");
	if (config->snapshot_tries < 1 || config->snapshot_tries > 100)
		return refuse_value(parser, seen, "snapshot_tries", "1 to 100");
	return 0;
}

static int
check_secret_keys(struct parser *parser)
{
	int given = 0;

	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		int line = parser->server.keys[i];

		if (line == 0 || strncmp(config_keys[i].name, "secret", 6) != 0)
			continue;
		given++;
		if (line > parser->fault_line)
			parser->fault_line = line;
	}
	if (given > 1)
		return fault_set(parser->fault, FAULT_USAGE,
		    "[server] has more than one of secret, secret_file and "
		    "secret_hash; keep one");
	parser->fault_line = 0;
	return 0;
}

static int
complete_profile(struct parser *parser, int at)
{
	struct profile *profile = &parser->config->profiles[at];
	const struct seen *seen = &parser->profiles[at];

	if (set_standards(parser, (char *)profile, SECTION_PROFILE, seen) != 0)
		return -1;
	if (profile->part_size != 0 && profile->part_size < 65536)
		return refuse_value(
		    parser, seen, "part_size", "0 or at least 64K");
	return 0;
}

static int
complete_config(struct parser *parser)
{
	struct config *config = parser->config;

	if (set_standards(
		parser, (char *)config, SECTION_SERVER, &parser->server) != 0 ||
	    set_standards(
		parser, (char *)config, SECTION_STEP, &parser->step) != 0)
		return -1;
	for (int i = 0; i < config->profile_count; i++)
		if (complete_profile(parser, i) != 0)
			return -1;
	if (config->profile_count == 0)
		return fault_set(
		    parser->fault, FAULT_USAGE, "there is no [profile 1]");
	if (check_secret_keys(parser) != 0)
		return -1;
	if (check_steps(parser) != 0)
		return -1;
	return check_snapshots(parser);
}

int
config_parse(struct config *config, const char *path, const char *text,
    struct fault *fault)
{
	struct parser parser = { .config = config, .fault = fault };
	int bad_line, result = -1;

	ini_use_stack = false;
	ini_allow_realloc = true;
	ini_max_line = CONFIG_LINE_MAX + 10;
	ini_allow_multiline = false;
	ini_allow_bom = false;
	ini_stop_on_first_error = false;
	if (strncmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
		text += strlen(BYTE_ORDER_MARK);
	parser.rest = text;
	config->path = strbuf_copy(path);
	if (scan_lines(&parser, text) == 0) {
		bad_line =
		    ini_parse_stream(read_line, &parser, handle, &parser);
		if (bad_line < 0)
			abort();
		/* What libinih itself refuses is no "key = value". */
		if (bad_line > 0 &&
		    (parser.fault_line == 0 || bad_line < parser.fault_line)) {
			fault_set(fault, FAULT_USAGE,
			    "this line is no 'key = value'");
			parser.fault_line = bad_line;
		}
	}
	if (parser.fault_line == 0 && complete_config(&parser) == 0)
		result = 0;
	else if (parser.fault_line > 0)
		fault_wrap(fault, "%s:%d", path, parser.fault_line);
	else
		fault_wrap(fault, "%s", path);
	free(parser.profiles);
	return result;
}
