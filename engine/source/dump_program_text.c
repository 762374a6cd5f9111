/* SPDX-License-Identifier: MIT */
#include "source/dump_object.h"

#include "base/fault.h"
#include "source/db.h"
#include "source/sqltext.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Bytes of a text, from one on to before another. */
struct span {
	size_t from;
	size_t to;
};

static bool
is_ascii(const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)bytes[i] >= 0x80)
			return false;
	return true;
}

/* Put a part of the text, which is in UTF-8, into the character set of the
 * rest. */
static int
convert(struct dump *dump, struct dump_program *program, struct span span,
    struct fault *fault)
{
	const char *part = program->create.bytes + span.from;
	struct strbuf hex = STRBUF_EMPTY;
	char *converted;

	fault_clear(fault);
	if (is_ascii(part, span.to - span.from))
		return 0;
	sqltext_add_hex(&hex, part, span.to - span.from);
	converted = db_value(dump->db, fault,
	    "SELECT CAST(CONVERT(_utf8mb4 %s USING %s) AS BINARY)", hex.bytes,
	    program->client);
	if (converted != NULL)
		dump_replace(&program->create, span.from, span.to, converted,
		    strlen(converted));
	strbuf_close(&hex);
	free(converted);
	return fault->code == FAULT_NONE ? 0 : -1;
}

/* Behind what is quoted, where a quote within is written twice. */
static size_t
skip_quoted(const char *text, size_t at)
{
	char quote = text[at++];

	for (; text[at] != '\0'; at++)
		if (text[at] == quote && text[++at] != quote)
			break;
	return at;
}

/* Where the body of an event begins: behind the first bare DO. */
static size_t
find_body(const char *text)
{
	size_t at = 0;

	while (text[at] != '\0') {
		if (strchr("`\"'", text[at]) != NULL)
			at = skip_quoted(text, at);
		else if (strncmp(text + at, " DO ", 4) == 0)
			return at + 4;
		else
			at++;
	}
	return at;
}

/* A comment as SHOW CREATE writes it; escaped: with backslashes. */
static void
add_comment(struct strbuf *out, const char *comment, bool escaped)
{
	static const char special[] = "\n\r\\", letters[] = "nr\\";

	strbuf_addstr(out, "COMMENT '");
	for (; *comment != '\0'; comment++) {
		const char *found = escaped ? strchr(special, *comment) : NULL;

		if (found != NULL) {
			strbuf_addc(out, '\\');
			strbuf_addc(out, letters[found - special]);
			continue;
		}
		if (*comment == '\'')
			strbuf_addc(out, '\'');
		strbuf_addc(out, *comment);
	}
	strbuf_addc(out, '\'');
}

/* Its comment, malloc'd; NULL with a cleared fault if there is none. */
static char *
ask_comment(
    struct dump *dump, const struct dump_line *line, struct fault *fault)
{
	static const char *const types[DUMP_KIND_COUNT] = {
		[DUMP_FUNCTION] = "FUNCTION",
		[DUMP_PROCEDURE] = "PROCEDURE",
		[DUMP_PACKAGE] = "PACKAGE",
		[DUMP_PACKAGE_BODY] = "PACKAGE BODY",
	};
	struct strbuf query = STRBUF_EMPTY;
	char *comment;

	if (line->kind == DUMP_EVENT) {
		strbuf_addstr(&query,
		    "SELECT EVENT_COMMENT FROM information_schema.EVENTS "
		    "WHERE");
		dump_add_schema(&query, "EVENT_SCHEMA");
		dump_add_condition(&query, "EVENT_NAME", line->name, "");
	} else {
		strbuf_addstr(&query,
		    "SELECT ROUTINE_COMMENT FROM information_schema.ROUTINES "
		    "WHERE");
		dump_add_schema(&query, "ROUTINE_SCHEMA");
		dump_add_condition(
		    &query, "ROUTINE_TYPE", types[line->kind], " AND");
		dump_add_condition(&query, "ROUTINE_NAME", line->name, "");
	}
	comment = db_value(dump->db, fault, "%s", query.bytes);
	strbuf_close(&query);
	return comment;
}

/* Write the comment as it must be; where it is then. */
static int
mend_comment(struct dump *dump, struct dump_program *program, bool escaped,
    struct span *span, struct fault *fault)
{
	char *comment = ask_comment(dump, program->line, fault);
	struct strbuf wrong = STRBUF_EMPTY, right = STRBUF_EMPTY;
	const char *found = NULL;

	span->from = span->to = 0;
	if (comment != NULL && *comment != '\0') {
		add_comment(&wrong, comment, true);
		add_comment(&right, comment, escaped);
		found = strstr(program->create.bytes, wrong.bytes);
	}
	if (found != NULL) {
		span->from = (size_t)(found - program->create.bytes);
		span->to = span->from + right.length;
		dump_replace(&program->create, span->from,
		    span->from + wrong.length, right.bytes, right.length);
	}
	strbuf_close(&wrong);
	strbuf_close(&right);
	free(comment);
	return fault->code == FAULT_NONE ? 0 : -1;
}

/* Behind blanks and comments. */
static size_t
skip_blank(const char *text, size_t at)
{
	for (;;) {
		at += strspn(text + at, " \t\n\v\f\r");
		if (text[at] == '#' || strncmp(text + at, "--", 2) == 0) {
			at += strcspn(text + at, "\n");
		} else if (strncmp(text + at, "/*", 2) == 0) {
			const char *end = strstr(text + at + 2, "*/");

			if (end == NULL)
				return strlen(text);
			at = (size_t)(end + 2 - text);
		} else {
			return at;
		}
	}
}

/* Behind a word, or a name in quotes, and what is blank behind it. */
static size_t
skip_word(const char *text, size_t at)
{
	if (text[at] == '`' || text[at] == '"')
		at = skip_quoted(text, at);
	else
		at += strcspn(text + at, " \t\n\v\f\r.`\"#/");
	return skip_blank(text, at);
}

/* There is this word. */
static bool
is_word(const char *text, size_t at, const char *word)
{
	size_t length = strlen(word);

	return strncasecmp(text + at, word, length) == 0 &&
	    strchr(" \t\n\v\f\r`\"#/", text[at + length]) != NULL;
}

/* If two names stand at a place, with a dot between, drop the first. */
static void
drop_first_name(struct strbuf *create, size_t at)
{
	size_t dot = skip_word(create->bytes, at);

	if (create->bytes[dot] == '.')
		dump_replace(
		    create, at, skip_blank(create->bytes, dot + 1), "", 0);
}

/*
 * The text of a trigger is that of the user who made it: if that named the
 * schema, it could not be loaded under another name.
 */
static void
drop_schema(struct strbuf *create)
{
	size_t at, to;

	if (!dump_find_definer(create->bytes, &at, &to))
		to = strlen("CREATE ");
	at = skip_blank(create->bytes, to);
	if (!is_word(create->bytes, at, "TRIGGER"))
		return;
	at = skip_word(create->bytes, at);
	if (is_word(create->bytes, at, "IF"))
		for (int i = 0; i < 3; i++)
			at = skip_word(create->bytes, at);
	drop_first_name(create, at);
	while (create->bytes[at] != '\0' && !is_word(create->bytes, at, "ON")) {
		to = skip_word(create->bytes, at);
		if (to == at)
			return;
		at = to;
	}
	if (create->bytes[at] != '\0')
		drop_first_name(create, skip_word(create->bytes, at));
}

static int
mend_trigger(struct dump *dump, struct dump_program *program, bool foreign,
    struct fault *fault)
{
	struct strbuf *create = &program->create;
	struct span span = { 0, 0 };

	if (foreign && dump_find_definer(create->bytes, &span.from, &span.to) &&
	    convert(dump, program, span, fault) != 0)
		return -1;
	if (!dump_is_wide(program->client) ||
	    is_ascii(create->bytes, create->length))
		drop_schema(create);
	return 0;
}

int
dump_program_mend(
    struct dump *dump, struct dump_program *program, struct fault *fault)
{
	bool foreign = strncmp(program->client, "utf8", 4) != 0;
	bool escaped =
	    strstr(program->sql_mode, "NO_BACKSLASH_ESCAPES") == NULL;
	struct span span;

	if (program->line->kind == DUMP_TRIGGER)
		return mend_trigger(dump, program, foreign, fault);
	if (escaped && !foreign)
		return 0;
	if (mend_comment(dump, program, escaped, &span, fault) != 0)
		return -1;
	if (!foreign)
		return 0;
	if (program->line->kind == DUMP_EVENT)
		span = (struct span){ 0, find_body(program->create.bytes) };
	return convert(dump, program, span, fault);
}
