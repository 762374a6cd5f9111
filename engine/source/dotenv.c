/* SPDX-License-Identifier: MIT */
#include "source/dotenv.h"

#include "base/strbuf.h"
#include "source/settings.h"

#include <stdint.h>
#include <string.h>

#define NAME_MAX_LENGTH 64
#define VALUE_MAX       4096
#define LOOKUPS_MAX     1000

#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define BLANKS          " \t\v\f\r"
#define NAME_BYTES                   \
	"abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_."

struct reader {
	const char *at;
	const char *end;
	int line;
	struct settings *settings;
	const char *file;
	int lookups;
	/* the value at hand */
	struct strbuf text;
	const char *reason;
};

static bool
is_at(const struct reader *reader, const char *bytes)
{
	return reader->at < reader->end && *reader->at != '\0' &&
	    strchr(bytes, *reader->at) != NULL;
}

static size_t
span(const struct reader *reader, const char *bytes)
{
	struct reader rest = *reader;

	while (is_at(&rest, bytes))
		rest.at++;
	return (size_t)(rest.at - reader->at);
}

static void
skip_line(struct reader *reader)
{
	const char *end =
	    memchr(reader->at, '\n', (size_t)(reader->end - reader->at));

	reader->at = end != NULL ? end : reader->end;
}

static void
give_up(struct reader *reader, const char *reason)
{
	if (reader->reason == NULL)
		reader->reason = reason;
}

/* ${NAME}: its value so far. */
static void
insert(struct reader *reader)
{
	struct strbuf name = STRBUF_EMPTY;
	const struct setting *setting = NULL, *other;
	size_t length;

	reader->at += 2;
	length = span(reader, NAME_BYTES);
	strbuf_addstr(&name, "env/");
	strbuf_add(&name, reader->at, length);
	reader->at += length;
	if (is_at(reader, "}") && length <= NAME_MAX_LENGTH &&
	    ++reader->lookups <= LOOKUPS_MAX)
		setting = settings_find(
		    reader->settings, name.bytes, SETTINGS_LAST, &other);
	if (setting == NULL)
		give_up(reader,
		    "has a variable in it that is not set before in this file");
	else if (setting->text == NULL)
		give_up(reader, setting->reason);
	else if (reader->text.length <= VALUE_MAX)
		strbuf_addstr(&reader->text, setting->text);
	if (is_at(reader, "}"))
		reader->at++;
	strbuf_close(&name);
}

static bool
begins_insertion(const struct reader *reader)
{
	return reader->end - reader->at > 1 && reader->at[0] == '$' &&
	    reader->at[1] == '{';
}

/* What stands behind a backslash between quotation marks. */
static void
read_escape(struct reader *reader)
{
	static const char letters[] = "\"\\$nr";
	static const char values[] = "\"\\$\n\r";
	const char *letter;

	if (!is_at(reader, letters)) {
		give_up(reader, "has a '\\' in it that means nothing");
		return;
	}
	letter = strchr(letters, *reader->at++);
	strbuf_addc(&reader->text, values[letter - letters]);
}

/* In quotes of either kind; more than a line, too. */
static void
read_quoted(struct reader *reader, char quote)
{
	reader->at++;
	while (reader->at < reader->end && *reader->at != quote) {
		char byte = *reader->at;

		if (quote == '"' && begins_insertion(reader)) {
			insert(reader);
			continue;
		}
		reader->at++;
		reader->line += byte == '\n';
		if (quote == '"' && byte == '\\')
			read_escape(reader);
		else
			strbuf_addc(&reader->text, byte);
	}
	if (reader->at == reader->end)
		give_up(reader, "does not end");
	else
		reader->at++;
	reader->at += span(reader, BLANKS);
	if (!is_at(reader, "\n#") && reader->at < reader->end)
		give_up(reader, "has more behind its end");
}

/* To a blank, a comment or the end of the line. */
static void
read_bare(struct reader *reader)
{
	while (reader->at < reader->end && !is_at(reader, BLANKS "\n#")) {
		if (is_at(reader, "'\""))
			give_up(reader, "has a quote in its middle");
		if (is_at(reader, "\\") && reader->end - reader->at > 1 &&
		    (reader->at[1] == '\\' || reader->at[1] == '$'))
			give_up(reader, "has a '\\' in it; put it in quotes");
		if (begins_insertion(reader))
			insert(reader);
		else
			strbuf_addc(&reader->text, *reader->at++);
	}
	if (is_at(reader, "#") && reader->text.length > 0)
		give_up(reader,
		    "has a '#' in it, which some take for a comment; put it "
		    "in quotes");
	reader->at += span(reader, BLANKS);
	if (!is_at(reader, "\n#") && reader->at < reader->end)
		give_up(reader, "has a blank in it; put it in quotes");
}

static void
read_value(struct reader *reader)
{
	strbuf_reset(&reader->text);
	strbuf_addstr(&reader->text, "");
	reader->reason = NULL;
	reader->at += span(reader, BLANKS);
	if (is_at(reader, "'\""))
		read_quoted(reader, *reader->at);
	else
		read_bare(reader);
	skip_line(reader);
	if (reader->text.length > VALUE_MAX)
		give_up(reader, "is too long");
	else if (strlen(reader->text.bytes) != reader->text.length)
		give_up(reader, "has a NUL byte in it");
}

/* One line, or the lines of one value. */
static int
read_line(struct reader *reader, struct fault *fault)
{
	struct strbuf name = STRBUF_EMPTY;
	struct setting setting = { .file = reader->file };
	size_t length;
	int result = 0;

	reader->at += span(reader, BLANKS);
	if (reader->end - reader->at > 7 &&
	    strncmp(reader->at, "export", 6) == 0 &&
	    (reader->at[6] == ' ' || reader->at[6] == '\t')) {
		reader->at += 6;
		reader->at += span(reader, BLANKS);
	}
	length = span(reader, NAME_BYTES);
	strbuf_addstr(&name, "env/");
	strbuf_add(&name, reader->at, length);
	reader->at += length;
	reader->at += span(reader, BLANKS);
	setting.line = reader->line;
	if (length == 0 || length > NAME_MAX_LENGTH || !is_at(reader, "=")) {
		skip_line(reader);
	} else {
		reader->at++;
		read_value(reader);
		setting.name = name.bytes;
		setting.reason = reader->reason;
		result = settings_add(reader->settings, &setting,
		    reader->reason == NULL ? reader->text.bytes : NULL, fault);
	}
	strbuf_close(&name);
	return result;
}

int
dotenv_read(struct settings *settings, const char *file, const char *text,
    size_t length, struct fault *fault)
{
	struct reader reader = {
		.at = text,
		.end = text + length,
		.line = 1,
		.settings = settings,
		.file = file,
	};
	int result = 0;

	if (length >= strlen(BYTE_ORDER_MARK) &&
	    memcmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
		reader.at += strlen(BYTE_ORDER_MARK);
	while (result == 0 && reader.at < reader.end) {
		result = read_line(&reader, fault);
		if (reader.at < reader.end) {
			reader.line++;
			reader.at++;
		}
	}
	strbuf_close(&reader.text);
	return result;
}
