/* SPDX-License-Identifier: MIT */
/*
 * A byte of flags and a statement, written to a script in every way that there
 * is.  What stock clients make of that script, by a model of how they read, is
 * the statement and nothing else: no command of the client's is ever executed.
 */
#include "fuzz.h"

#include "base/strbuf.h"
#include "source/sqlscript.h"
#include "source/sqlview.h"

#include <ctype.h>
#include <stdbool.h>
#include <strings.h>

/* How a client reads; they differ by server, age and options. */
struct client {
	bool knows_ansi; /* "…" is a name in ANSI_QUOTES, without escapes */
	int backticks;   /* 0: no escapes; 1: but before `; 2: escapes */
	bool keeps_comments;
	bool binary;
	bool joins; /* a line "delimiter" loses its end in strings too */
};

struct reader {
	const struct client *client;
	const struct sqlscript_mode *mode;
	char delimiter[16];
	char inside; /* a quote, or * in a comment */
	bool conditional;
	struct strbuf statement;
	struct strbuf statements[8];
	int count;
	int commands;
};

static bool
has_escapes(const struct reader *reader)
{
	if (reader->mode->no_backslash_escapes && reader->inside != 0)
		return false;
	if (reader->inside == '`')
		return reader->client->backticks != 0;
	return !(reader->inside == '"' && reader->client->knows_ansi &&
	    reader->mode->ansi_quotes);
}

static void
end_statement(struct reader *reader)
{
	CHECK(reader->count < 8);
	reader->statements[reader->count++] = reader->statement;
	reader->statement = (struct strbuf)STRBUF_EMPTY;
}

static bool
starts(const char *text, const char *end, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(end - text) >= length &&
	    memcmp(text, word, length) == 0;
}

/* Where a comment to the end of the line begins. */
static bool
is_line_comment(const char *at, const char *end)
{
	if (*at == '#')
		return true;
	return starts(at, end, "--") &&
	    (at + 2 == end || isspace((unsigned char)at[2]));
}

static const char *
read_backslash(struct reader *reader, const char *at, const char *end)
{
	/* At the end of a line it is lost. */
	if (at + 1 == end)
		return end;
	if (reader->inside == 0 && at[1] != 'N' &&
	    (!reader->client->binary || at[1] == 'C'))
		reader->commands++;
	strbuf_addc(&reader->statement, '\\');
	if (reader->inside == '`' && reader->client->backticks == 1 &&
	    at[1] == '`')
		return at + 1;
	strbuf_addc(&reader->statement, at[1]);
	return at + 2;
}

static const char *
read_byte(struct reader *reader, const char *at, const char *end)
{
	if (reader->inside == '*') {
		bool ends = starts(at, end, "*/") && !reader->conditional;

		if (starts(at, end, "*/"))
			reader->conditional = false;
		if (reader->client->keeps_comments)
			strbuf_add(&reader->statement, at, ends ? 2 : 1);
		if (ends)
			reader->inside = 0;
		return at + (ends ? 2 : 1);
	}
	if (*at == '\\' && has_escapes(reader))
		return read_backslash(reader, at, end);
	if (reader->inside == 0) {
		if (starts(at, end, reader->delimiter)) {
			end_statement(reader);
			return at + strlen(reader->delimiter);
		}
		if (is_line_comment(at, end)) {
			if (reader->client->keeps_comments)
				strbuf_add(
				    &reader->statement, at, (size_t)(end - at));
			return end;
		}
		if (starts(at, end, "/*") && !starts(at, end, "/*!") &&
		    !starts(at, end, "/*M!")) {
			reader->inside = '*';
			if (reader->client->keeps_comments)
				strbuf_addstr(&reader->statement, "/*");
			return at + 2;
		}
		if (starts(at, end, "/*!"))
			reader->conditional = true;
		else if (starts(at, end, "*/"))
			reader->conditional = false;
		if (strchr("'\"`", *at) != NULL && *at != '\0')
			reader->inside = *at;
	} else if (*at == reader->inside) {
		reader->inside = 0;
	}
	strbuf_addc(&reader->statement, *at);
	return at + 1;
}

static bool
is_blank(const struct strbuf *statement)
{
	for (size_t i = 0; i < statement->length; i++)
		if (!isspace((unsigned char)statement->bytes[i]))
			return false;
	return true;
}

/* At the beginning of a statement a line may be a command. */
static bool
read_command(struct reader *reader, const char *line, size_t length)
{
	static const char *const words[] = { "?", "charset", "clear", "connect",
		"edit", "ego", "exit", "go", "help", "nopager", "notee",
		"nowarning", "pager", "print", "prompt", "quit", "rehash",
		"resetconnection", "source", "ssl_session_data_print", "status",
		"system", "tee", "use", "warnings" };
	size_t word = 0;

	if (reader->inside != 0 || !is_blank(&reader->statement))
		return false;
	while (word < length && !isspace((unsigned char)line[word]))
		word++;
	if (word == 9 && strncasecmp(line, "delimiter", 9) == 0) {
		CHECK(length > 10 && length - 10 < sizeof(reader->delimiter));
		memcpy(reader->delimiter, line + 10, length - 10);
		reader->delimiter[length - 10] = '\0';
		strbuf_reset(&reader->statement);
		return true;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == word &&
		    strncasecmp(line, words[i], word) == 0)
			reader->commands++;
	return false;
}

static void
read_line(struct reader *reader, const char *line, size_t length)
{
	const char *at = line;
	bool alone = length == 9 && strncasecmp(line, "delimiter", 9) == 0;

	if (read_command(reader, line, length))
		return;
	/* It is known of one line only. */
	reader->conditional = false;
	while (at < line + length)
		at = read_byte(reader, at, line + length);
	if (!alone || (reader->inside != 0 && !reader->client->joins))
		strbuf_addc(&reader->statement, '\n');
}

static void
read_script(struct reader *reader, const struct strbuf *script)
{
	const char *at = script->bytes, *end = at + script->length;

	memset(reader->delimiter, 0, sizeof(reader->delimiter));
	reader->delimiter[0] = ';';
	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t length;

		CHECK(stop != NULL);
		length = (size_t)(stop - at);
		if (!reader->client->binary) {
			CHECK(memchr(at, '\0', length) == NULL);
			if (length > 0 && at[length - 1] == '\r')
				length--;
		}
		read_line(reader, at, length);
		at = stop + 1;
	}
	CHECK(reader->inside == 0);
	CHECK(is_blank(&reader->statement));
	CHECK(strcmp(reader->delimiter, ";") == 0);
	CHECK(reader->commands == 0);
}

static void
close_reader(struct reader *reader)
{
	strbuf_close(&reader->statement);
	for (int i = 0; i < reader->count; i++)
		strbuf_close(&reader->statements[i]);
}

/* Append without blanks at the end, without \r if that may be lost, and without
 * a backslash at the end of a line, which means nothing in a string. */
static void
add_simple(struct strbuf *out, const char *text, size_t length, bool exact)
{
	while (length > 0 && isspace((unsigned char)text[length - 1]))
		length--;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\r' && !exact)
			continue;
		if (text[i] == '\n')
			while (out->length > 0 &&
			    out->bytes[out->length - 1] == '\\')
				strbuf_cut(out, out->length - 1);
		strbuf_addc(out, text[i]);
	}
}

static bool
is_same(const struct strbuf *found, const char *text, size_t length, bool exact)
{
	struct strbuf left = STRBUF_EMPTY, right = STRBUF_EMPTY;
	bool same;

	add_simple(&left, found->bytes, found->length, exact);
	add_simple(&right, text, length, exact);
	same = left.length == right.length &&
	    memcmp(strbuf_text(&left), strbuf_text(&right), left.length) == 0;
	strbuf_close(&left);
	strbuf_close(&right);
	return same;
}

/* The bytes of "SET @stepvault = _binary'…'". */
static void
decode(const struct strbuf *statement, struct strbuf *out)
{
	static const char before[] = "SET @stepvault = _binary'";
	static const char letters[] = "0nrZ", bytes[] = "\0\n\r\x1a";
	const char *at = statement->bytes, *found;

	while (isspace((unsigned char)*at))
		at++;
	CHECK(strncmp(at, before, sizeof(before) - 1) == 0);
	for (at += sizeof(before) - 1; *at != '\''; at++) {
		CHECK(at < statement->bytes + statement->length);
		if (*at != '\\') {
			strbuf_addc(out, *at);
			continue;
		}
		at++;
		found = strchr(letters, *at);
		strbuf_addc(out, found != NULL ? bytes[found - letters] : *at);
	}
	CHECK(at[1] == '\0');
}

static void
check_script(const struct client *client, const char *text, size_t length)
{
	static const struct sqlscript_mode usual = { false, false, false };
	struct reader reader = { .client = client, .mode = &usual };
	struct strbuf script = STRBUF_EMPTY, decoded = STRBUF_EMPTY;

	sqlscript_add(&script, text, length);
	read_script(&reader, &script);
	if (sqlscript_is_plain(text, length)) {
		CHECK(reader.count == 1);
	} else {
		CHECK(reader.count == 4);
		decode(&reader.statements[0], &decoded);
		CHECK(decoded.length == length &&
		    memcmp(strbuf_text(&decoded), text, length) == 0);
	}
	close_reader(&reader);
	strbuf_close(&script);
	strbuf_close(&decoded);
}

static void
check_delimited(const struct client *client, const struct sqlscript_mode *mode,
    const char *text, size_t length)
{
	struct reader reader = { .client = client, .mode = mode };
	struct strbuf script = STRBUF_EMPTY;

	if (sqlscript_add_delimited(&script, text, length, mode)) {
		read_script(&reader, &script);
		CHECK(reader.count == 1);
		if (client->keeps_comments)
			CHECK(is_same(&reader.statements[0], text, length,
			    client->binary));
	} else {
		CHECK(script.length == 0);
	}
	close_reader(&reader);
	strbuf_close(&script);
}

static void
check_view(const char *text)
{
	struct strbuf out = STRBUF_EMPTY;
	struct sqlview_pair pair;

	for (const char *at = text; sqlview_next(at, &pair); at = pair.end) {
		CHECK(pair.first >= at && pair.end > pair.first);
		CHECK(*pair.first == '`');
		CHECK(pair.dot == NULL ||
		    (pair.dot > pair.first && pair.dot < pair.end));
		free(sqlview_name(pair.first));
	}
	sqlview_add(&out, text, "s");
	CHECK(out.length <= strlen(text));
	strbuf_close(&out);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sqlscript_mode mode;
	struct strbuf text = STRBUF_EMPTY;

	if (size == 0)
		return 0;
	mode = (struct sqlscript_mode){ .no_backslash_escapes = data[0] & 1,
		.ansi_quotes = data[0] & 2,
		.wide = data[0] & 4 };
	/* As every statement begins. */
	strbuf_addstr(&text, "CREATE ");
	strbuf_add(&text, data + 1, size - 1);
	for (int i = 0; i < 48; i++) {
		struct client client = { .knows_ansi = i & 1,
			.backticks = i / 16,
			.keeps_comments = i & 2,
			.binary = i & 4,
			.joins = i & 8 };

		check_script(&client, text.bytes, text.length);
		check_delimited(&client, &mode, text.bytes, text.length);
	}
	check_view(text.bytes);
	strbuf_close(&text);
	return 0;
}
