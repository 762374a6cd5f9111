/* SPDX-License-Identifier: MIT */
#include "source/sqlscript.h"

#include "base/strbuf.h"
#include "source/sqltext.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

void
sqlscript_add_text(struct strbuf *out, const char *statement, size_t length)
{
	strbuf_addstr(out, "SET @stepvault = _binary");
	sqltext_add_string(out, statement, length);
	strbuf_addstr(out, ";\n");
}

void
sqlscript_add_execute(struct strbuf *out)
{
	strbuf_addstr(out,
	    "PREPARE stepvault FROM @stepvault;\n"
	    "EXECUTE stepvault;\n"
	    "DEALLOCATE PREPARE stepvault;\n");
}

/* What a client is reading, and how it reads it. */
struct scan {
	bool escapes_in_double; /* a backslash in "…" hides what follows */
	bool escapes_in_back;   /* the same in `…` */
	bool escapes_in_single; /* the same in '…' */
	bool ends_at_once;      /* at the first semicolon */
	char inside;            /* a quote; * and - for comments; 0: none */
};

static bool
escapes(const struct scan *scan)
{
	return (scan->inside == '\'' && scan->escapes_in_single) ||
	    (scan->inside == '"' && scan->escapes_in_double) ||
	    (scan->inside == '`' && scan->escapes_in_back);
}

/* Read on inside of a string or comment; how many bytes that were; 0: a name
 * would become another. */
static size_t
scan_inside(struct scan *scan, const char *text)
{
	if (scan->inside == '`' && text[0] == '\r' && text[1] == '\n')
		return 0;
	if (*text == '\\' && escapes(scan) && text[1] != '\0')
		return 2;
	if (scan->inside == '*' && text[0] == '*' && text[1] == '/') {
		scan->inside = 0;
		return 2;
	}
	if (*text == (scan->inside == '-' ? '\n' : scan->inside) &&
	    scan->inside != '*')
		scan->inside = 0;
	return 1;
}

/*
 * Behind what only some servers take for code; 0 if clients could get lost in
 * it, as they know no more than that it is code.
 */
static size_t
skip_conditional(const char *text)
{
	const char *end = strstr(text, "*/");
	size_t length;

	if (end == NULL)
		return 0;
	length = (size_t)(end - text);
	/* Nor must its ends be those of other comments, read byte by byte. */
	if (length > strcspn(text, "'\"`\\#;\n") ||
	    memmem(text, length, "--", 2) != NULL ||
	    memmem(text + 1, length, "/*", 2) != NULL || end[2] == '*')
		return 0;
	return length + 2;
}

/* Read on outside; 0: here clients differ from each other, or from servers. */
static size_t
scan_outside(struct scan *scan, const char *text)
{
	switch (*text) {
	case ';':
		return !scan->ends_at_once;
	case '\\':
		return text[1] == 'N' ? 2 : 0;
	case '\'':
	case '"':
	case '`':
		scan->inside = *text;
		return 1;
	case '#':
		scan->inside = '-';
		return 1;
	case '-':
		if (text[1] != '-')
			return 1;
		if (strchr(" \t\n\v\f\r", text[2]) != NULL)
			scan->inside = '-';
		/* To servers any control character makes it a comment. */
		else if ((unsigned char)text[2] < 0x20 || text[2] == 0x7f)
			return 0;
		return 1;
	case '/':
		if (text[1] != '*')
			return 1;
		if (text[2] == '!' || text[2] == '+' ||
		    (text[2] == 'M' && text[3] == '!'))
			return skip_conditional(text);
		scan->inside = '*';
		return 2;
	default:
		return 1;
	}
}

/* A client that reads as scan says finds one statement and no command. */
static bool
is_read_whole(struct scan scan, const char *statement)
{
	for (size_t step; *statement != '\0'; statement += step) {
		step = scan.inside != 0 ? scan_inside(&scan, statement)
					: scan_outside(&scan, statement);
		if (step == 0)
			return false;
	}
	/* A comment to the end of the line would hide a semicolon behind it. */
	return scan.inside == 0 || (scan.inside == '-' && !scan.ends_at_once);
}

static bool
is_ascii(const char *statement, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)statement[i] >= 0x80)
			return false;
	return true;
}

/* To many clients it is the beginning of a command, and loses its end. */
static bool
has_delimiter_line(const char *statement)
{
	static const char word[] = "delimiter";

	while (statement != NULL) {
		size_t length = strcspn(statement, "\r\n");

		if (length == sizeof(word) - 1 &&
		    strncasecmp(statement, word, length) == 0)
			return true;
		statement = strchr(statement, '\n');
		if (statement != NULL)
			statement++;
	}
	return false;
}

/* All stock clients, of both servers and of all ages, read it alike. */
static bool
is_harmless(const char *statement, size_t length,
    const struct sqlscript_mode *mode, bool ends_at_once)
{
	bool escaped = !mode->no_backslash_escapes;

	if (strlen(statement) != length || has_delimiter_line(statement) ||
	    (mode->wide && !is_ascii(statement, length)))
		return false;
	/* Few clients know ANSI_QUOTES, and old ones nothing of backticks. */
	for (int variant = 0; variant < 4; variant++) {
		struct scan scan = { .ends_at_once = ends_at_once,
			.escapes_in_single = escaped,
			.escapes_in_double = escaped &&
			    !(mode->ansi_quotes && (variant & 1) != 0),
			.escapes_in_back = escaped && (variant & 2) != 0 };

		if (!is_read_whole(scan, statement))
			return false;
	}
	return true;
}

/* All stock clients find the end of the statement where it is. */
static bool
is_alone(const char *statement, size_t length)
{
	static const struct sqlscript_mode mode = { false, false, false };

	return is_harmless(statement, length, &mode, true);
}

/* It stands on one line, and a backslash in it means nothing to anybody. */
bool
sqlscript_is_plain(const char *statement, size_t length)
{
	for (size_t at = 0; at < length;) {
		size_t step =
		    strbuf_printable_length(statement + at, length - at);

		if (step == 0 || statement[at] == '\\')
			return false;
		at += step;
	}
	return is_alone(statement, length);
}

void
sqlscript_add(struct strbuf *out, const char *statement, size_t length)
{
	if (sqlscript_is_plain(statement, length)) {
		strbuf_add(out, statement, length);
		strbuf_addstr(out, ";\n");
		return;
	}
	sqlscript_add_text(out, statement, length);
	sqlscript_add_execute(out);
}

void
sqlscript_add_lines(struct strbuf *out, const char *statement, size_t length)
{
	if (strchr(statement, '\r') != NULL || !is_alone(statement, length)) {
		sqlscript_add(out, statement, length);
		return;
	}
	strbuf_add(out, statement, length);
	strbuf_addstr(out, ";\n");
}

/* What occurs nowhere in the statement; room is for any. */
static void
choose_delimiter(char delimiter[16], const char *statement)
{
	snprintf(delimiter, 16, ";;");
	for (unsigned i = 1; strstr(statement, delimiter) != NULL; i++)
		snprintf(delimiter, 16, "$%u$", i);
}

bool
sqlscript_add_delimited(struct strbuf *out, const char *statement,
    size_t length, const struct sqlscript_mode *mode)
{
	char delimiter[16];

	if (!is_harmless(statement, length, mode, false))
		return false;
	choose_delimiter(delimiter, statement);
	strbuf_addf(out, "DELIMITER %s\n", delimiter);
	/* The last line may be a comment. */
	strbuf_add(out, statement, length);
	strbuf_addf(out, "\n%s\nDELIMITER ;\n", delimiter);
	return true;
}
