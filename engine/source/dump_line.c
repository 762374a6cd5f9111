/* SPDX-License-Identifier: MIT */
/*
 * A line of the list, of one object:
 *
 *	KIND FLAGS BYTES ROWS MADE NAME
 *
 * FLAGS are letters, or a hyphen if there are none; NAME is escaped and may
 * have spaces in it.
 */
#include "base/fault.h"
#include "base/strbuf.h"
#include "source/dump_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[DUMP_KIND_COUNT] = {
	[DUMP_DATABASE] = "database",
	[DUMP_SEQUENCE] = "sequence",
	[DUMP_TABLE] = "table",
	[DUMP_PROCEDURE] = "procedure",
	[DUMP_PACKAGE] = "package",
	[DUMP_PACKAGE_BODY] = "package-body",
	[DUMP_STANDIN] = "standin",
	[DUMP_PLACEHOLDER] = "placeholder",
	[DUMP_VIEW] = "view",
	[DUMP_FUNCTION] = "function",
	[DUMP_TRIGGER] = "trigger",
	[DUMP_EVENT] = "event",
};

const char *
dump_kind_name(enum dump_kind kind)
{
	return kinds[kind];
}

void
dump_line_add(struct strbuf *lines, const struct dump_line *line)
{
	strbuf_addf(lines, "%s ", kinds[line->kind]);
	if (line->with_rows)
		strbuf_addc(lines, 'r');
	if (line->covered)
		strbuf_addc(lines, 'c');
	if (line->keyless)
		strbuf_addc(lines, 'k');
	if (!line->with_rows && !line->covered && !line->keyless)
		strbuf_addc(lines, '-');
	strbuf_addf(lines, " %lld %lld %s ", (long long)line->bytes,
	    (long long)line->rows, line->made);
	strbuf_add_escaped(lines, line->name, strlen(line->name));
	strbuf_addc(lines, '\n');
}

static int
parse_kind(struct dump_line *line, const char *word)
{
	for (int kind = 0; kind < DUMP_KIND_COUNT; kind++) {
		if (strcmp(kinds[kind], word) == 0) {
			line->kind = (enum dump_kind)kind;
			return 0;
		}
	}
	return -1;
}

static int
parse_flags(struct dump_line *line, const char *word)
{
	if (strcmp(word, "-") == 0)
		return 0;
	line->with_rows = *word == 'r';
	word += line->with_rows;
	line->covered = *word == 'c';
	word += line->covered;
	line->keyless = *word == 'k';
	word += line->keyless;
	return *word == '\0' ? 0 : -1;
}

static int
parse_number(int64_t *number, const char *word)
{
	char *end;

	if (*word < '0' || *word > '9')
		return -1;
	errno = 0;
	*number = strtoll(word, &end, 10);
	return *end == '\0' && errno == 0 ? 0 : -1;
}

/* Take a line apart in a copy that may be changed, without its newline. */
static int
parse(struct dump_line *line, char *text)
{
	char *words[5];

	for (int i = 0; i < 5; i++) {
		words[i] = text;
		text = strchr(text, ' ');
		if (text == NULL || text == words[i])
			return -1;
		*text++ = '\0';
	}
	if (*text == '\0' || strbuf_unescape(text) < 0 ||
	    parse_kind(line, words[0]) != 0 ||
	    parse_flags(line, words[1]) != 0 ||
	    parse_number(&line->bytes, words[2]) != 0 ||
	    parse_number(&line->rows, words[3]) != 0)
		return -1;
	line->made = strbuf_copy(words[4]);
	line->name = strbuf_copy(text);
	return 0;
}

int
dump_line_parse(struct dump_line *line, const char *text, struct fault *fault)
{
	char *copy = strbuf_copy_part(text, strcspn(text, "\n"));
	int status;

	memset(line, 0, sizeof(*line));
	status = parse(line, copy);
	free(copy);
	if (status == 0)
		return 0;
	return fault_set(fault, FAULT_USAGE,
	    "\"%.100s\" is no line of a list of a database", text);
}

void
dump_line_close(struct dump_line *line)
{
	free(line->name);
	free(line->made);
	memset(line, 0, sizeof(*line));
}

int
dump_object_parse(
    struct dump_object *object, const char *line, struct fault *fault)
{
	struct dump_line parsed;

	memset(object, 0, sizeof(*object));
	if (dump_line_parse(&parsed, line, fault) != 0)
		return -1;
	object->name = parsed.name;
	parsed.name = NULL;
	object->kind = kinds[parsed.kind];
	object->bytes = parsed.bytes;
	object->is_table = parsed.kind == DUMP_TABLE && parsed.with_rows;
	object->keyless = parsed.keyless;
	object->covered = parsed.covered;
	dump_line_close(&parsed);
	return 0;
}

void
dump_object_close(struct dump_object *object)
{
	free(object->name);
	memset(object, 0, sizeof(*object));
}

struct lines {
	struct dump_line *items;
	size_t count;
};

static int
compare_lines(const void *a, const void *b)
{
	const struct dump_line *left = a, *right = b;

	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	return strcmp(left->name, right->name);
}

static struct lines
sort_lines(const char *text)
{
	struct lines lines = { NULL, 0 };
	size_t room = 1;
	struct fault fault;

	for (const char *at = text; *at != '\0'; at++)
		room += *at == '\n';
	lines.items = calloc(room, sizeof(struct dump_line));
	if (lines.items == NULL)
		abort();
	for (; *text != '\0'; text += strspn(text, "\n")) {
		struct dump_line *line = &lines.items[lines.count];

		/* A placeholder changes when its view does. */
		if (dump_line_parse(line, text, &fault) == 0 &&
		    line->kind != DUMP_PLACEHOLDER &&
		    line->kind != DUMP_STANDIN)
			lines.count++;
		else
			dump_line_close(line);
		text += strcspn(text, "\n");
	}
	qsort(
	    lines.items, lines.count, sizeof(struct dump_line), compare_lines);
	return lines;
}

static void
free_lines(struct lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		dump_line_close(&lines->items[i]);
	free(lines->items);
}

void
dump_compare(const char *before, const char *after, struct strbuf *notes)
{
	struct lines old = sort_lines(before), new = sort_lines(after);
	size_t i = 0, j = 0;

	while (i < old.count || j < new.count) {
		const struct dump_line *left = &old.items[i];
		const struct dump_line *right = &new.items[j];
		int order;

		if (i == old.count || j == new.count)
			order = i == old.count ? 1 : -1;
		else
			order = compare_lines(left, right);
		if (order > 0)
			dump_note(notes, right->name,
			    "this %s was made while the database was read, and "
			    "is not in the backup",
			    kinds[right->kind]);
		else if (order < 0)
			dump_note(notes, left->name,
			    "this %s was removed while the database was read; "
			    "the backup may still have it",
			    kinds[left->kind]);
		else if (strcmp(left->made, right->made) != 0)
			dump_note(notes, left->name,
			    "this %s was altered while the database was read; "
			    "the backup may have it as it was before",
			    kinds[left->kind]);
		i += order <= 0;
		j += order >= 0;
	}
	free_lines(&old);
	free_lines(&new);
}
