/* SPDX-License-Identifier: MIT */
#include "source/php.h"

#include "base/strbuf.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

/* The longer ones first. */
static const char *const marks[] = { "===", "!==", "<=>", "**=", "...",
	"<<=", ">>=", "?\?=", "?->", "=>", "->", "::", "==", "!=", "<>",
	"<=", ">=", "&&", "||", "??",
	"+=", "-=", "*=", "/=", ".=", "%=", "&=", "|=", "^=", "++", "--", "<<",
	">>", "**", "?>" };

void
php_begin(struct php_source *source, const char *text, size_t length)
{
	source->at = text;
	source->end = text + length;
	source->line = 1;
	source->in_code = false;
}

/* Pass over so many bytes. */
static void
pass(struct php_source *source, size_t length)
{
	const char *end = source->at + length;

	while ((source->at = memchr(
		    source->at, '\n', (size_t)(end - source->at))) != NULL) {
		source->line++;
		source->at++;
	}
	source->at = end;
}

static bool
begins(const struct php_source *source, const char *with)
{
	size_t length = strlen(with);

	return (size_t)(source->end - source->at) >= length &&
	    memcmp(source->at, with, length) == 0;
}

static bool
is_blank(char byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool
is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static bool
begins_name(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	    byte == '_' || (unsigned char)byte >= 0x80;
}

static bool
is_in_name(char byte)
{
	return begins_name(byte) || is_digit(byte);
}

/* How many bytes from here are such that is() is true. */
static size_t
span(const struct php_source *source, size_t from, bool (*is)(char))
{
	size_t left = (size_t)(source->end - source->at), length = from;

	while (length < left && is(source->at[length]))
		length++;
	return length;
}

/* Length of the text up to and with what ends it, or all there is. */
static size_t
length_to(const struct php_source *source, const char *what)
{
	size_t left = (size_t)(source->end - source->at);
	const char *found = memmem(source->at, left, what, strlen(what));

	return found != NULL ? (size_t)(found - source->at) + strlen(what)
			     : left;
}

/* To the code: "<?php", "<?=" or "<?", but not "<?xml". */
static void
skip_to_code(struct php_source *source)
{
	while (source->at < source->end) {
		pass(source, length_to(source, "<?"));
		if (source->at < source->end && begins_name(*source->at)) {
			size_t name = span(source, 0, is_in_name);

			if (name != 3 || strncasecmp(source->at, "php", 3) != 0)
				continue;
			pass(source, name);
		} else if (begins(source, "=")) {
			pass(source, 1);
		}
		source->in_code = true;
		return;
	}
}

/* A comment to the end of the line, or of the code. */
static size_t
line_comment(const struct php_source *source)
{
	size_t length = 0, left = (size_t)(source->end - source->at);

	while (length < left && source->at[length] != '\n' &&
	    source->at[length] != '\r' &&
	    !(source->at[length] == '?' && length + 1 < left &&
		source->at[length + 1] == '>'))
		length++;
	return length;
}

static void
skip_blanks(struct php_source *source)
{
	while (source->at < source->end) {
		if (is_blank(*source->at)) {
			pass(source, span(source, 0, is_blank));
		} else if (begins(source, "/*")) {
			pass(source, 2);
			pass(source, length_to(source, "*/"));
		} else if (begins(source, "//") || *source->at == '#') {
			/* "#[", too, which PHP 8 takes for an attribute: it
			 * has nothing to say of values. */
			pass(source, line_comment(source));
		} else {
			return;
		}
	}
}

/* With both quotes; a backslash may stand before one. */
static size_t
string_length(const struct php_source *source)
{
	size_t left = (size_t)(source->end - source->at), length = 1;

	while (length < left && source->at[length] != source->at[0])
		length += source->at[length] == '\\' ? 2 : 1;
	return length < left ? length + 1 : left;
}

/* From "<<<" to the label that ends it; 0 if it is none. */
static size_t
heredoc_length(const struct php_source *source)
{
	struct php_source rest = *source;
	const char *label;
	size_t length;
	char quote = '\0';

	if (!begins(source, "<<<"))
		return 0;
	rest.at += 3;
	while (rest.at < rest.end && (*rest.at == ' ' || *rest.at == '\t'))
		rest.at++;
	if (rest.at < rest.end && (*rest.at == '\'' || *rest.at == '"'))
		quote = *rest.at++;
	label = rest.at;
	if (label == rest.end || !begins_name(*label))
		return 0;
	length = span(&rest, 0, is_in_name);
	rest.at += length;
	if (quote != '\0' && (rest.at == rest.end || *rest.at++ != quote))
		return 0;
	while (rest.at < rest.end) {
		rest.at += length_to(&rest, "\n");
		while (
		    rest.at < rest.end && (*rest.at == ' ' || *rest.at == '\t'))
			rest.at++;
		if (span(&rest, 0, is_in_name) == length &&
		    memcmp(rest.at, label, length) == 0) {
			rest.at += length;
			break;
		}
	}
	return (size_t)(rest.at - source->at);
}

/* Digits, and all that may be between and behind them. */
static size_t
number_length(const struct php_source *source)
{
	size_t left = (size_t)(source->end - source->at);
	size_t length = span(source, 1, is_in_name);

	if (length + 1 < left && source->at[length] == '.' &&
	    is_digit(source->at[length + 1]))
		length = span(source, length + 1, is_in_name);
	return length;
}

static bool
is_in_path(char byte)
{
	return is_in_name(byte) || byte == '\\';
}

static size_t
mark_length(const struct php_source *source)
{
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (begins(source, marks[i]))
			return strlen(marks[i]);
	return 1;
}

/* What kind of token begins here, and how long it is. */
static enum php_kind
measure(const struct php_source *source, size_t *length)
{
	size_t left = (size_t)(source->end - source->at);
	char first = source->at[0], second = '\0';

	if (left > 1)
		second = source->at[1];
	if (first == '\'' || first == '"' || first == '`') {
		*length = string_length(source);
		return PHP_STRING;
	}
	if (first == '$' && begins_name(second)) {
		*length = span(source, 1, is_in_name);
		return PHP_VARIABLE;
	}
	if (begins_name(first) || (first == '\\' && begins_name(second))) {
		*length = span(source, 1, is_in_path);
		return PHP_NAME;
	}
	if (is_digit(first) || (first == '.' && is_digit(second))) {
		*length = number_length(source);
		return PHP_NUMBER;
	}
	*length = heredoc_length(source);
	if (*length > 0)
		return PHP_HEREDOC;
	*length = mark_length(source);
	return PHP_MARK;
}

void
php_next(struct php_source *source, struct php_token *token)
{
	if (!source->in_code)
		skip_to_code(source);
	skip_blanks(source);
	token->text = source->at;
	token->line = source->line;
	token->length = 0;
	token->kind = PHP_END;
	if (source->at == source->end)
		return;
	token->kind = measure(source, &token->length);
	pass(source, token->length);
	if (php_is(token, "?>"))
		source->in_code = false;
	if (token->kind == PHP_NAME && token->text[0] == '\\') {
		token->text++;
		token->length--;
	}
}

bool
php_is(const struct php_token *token, const char *what)
{
	if (token->length != strlen(what))
		return false;
	if (token->kind == PHP_NAME)
		return strncasecmp(token->text, what, token->length) == 0;
	return (token->kind == PHP_MARK || token->kind == PHP_VARIABLE) &&
	    memcmp(token->text, what, token->length) == 0;
}

bool
php_is_any(const struct php_token *token, const char *const *words)
{
	while (*words != NULL && !php_is(token, *words))
		words++;
	return *words != NULL;
}

/* As many digits of a base as there are, most at the most. */
static size_t
read_digits(const char *text, size_t most, int base, unsigned *number)
{
	size_t length = 0;

	*number = 0;
	while (length < most) {
		int digit = strbuf_hex_digit(text[length]);

		if (digit < 0 || digit >= base)
			break;
		*number = *number * (unsigned)base + (unsigned)digit;
		length++;
	}
	return length;
}

static void
add_utf8(struct strbuf *out, unsigned point)
{
	if (point < 0x80) {
		strbuf_addc(out, (char)point);
		return;
	}
	if (point < 0x800) {
		strbuf_addc(out, (char)(0xc0 | point >> 6));
	} else {
		if (point < 0x10000) {
			strbuf_addc(out, (char)(0xe0 | point >> 12));
		} else {
			strbuf_addc(out, (char)(0xf0 | point >> 18));
			strbuf_addc(out, (char)(0x80 | (point >> 12 & 0x3f)));
		}
		strbuf_addc(out, (char)(0x80 | (point >> 6 & 0x3f)));
	}
	strbuf_addc(out, (char)(0x80 | (point & 0x3f)));
}

/*
 * The escape whose backslash stands before text, of length bytes, at least
 * one.  Returns how many of them it takes; 0 if the backslash is one.
 */
static size_t
unescape(const char *text, size_t length, struct strbuf *out)
{
	static const char letters[] = "nrtvef\\$\"";
	static const char values[] = "\n\r\t\v\033\f\\$\"";
	const char *letter = text[0] != '\0' ? strchr(letters, text[0]) : NULL;
	unsigned number;
	size_t taken;

	if (letter != NULL) {
		strbuf_addc(out, values[letter - letters]);
		return 1;
	}
	taken = read_digits(text, length < 3 ? length : 3, 8, &number);
	if (taken > 0) {
		strbuf_addc(out, (char)number);
		return taken;
	}
	if (text[0] == 'x' || text[0] == 'X') {
		taken = read_digits(
		    text + 1, length < 3 ? length - 1 : 2, 16, &number);
		if (taken == 0)
			return 0;
		strbuf_addc(out, (char)number);
		return taken + 1;
	}
	if (text[0] != 'u' || length < 4 || text[1] != '{')
		return 0;
	taken = read_digits(text + 2, length < 8 ? length - 2 : 6, 16, &number);
	if (taken == 0 || taken + 2 >= length || text[taken + 2] != '}' ||
	    number > 0x10ffff)
		return 0;
	add_utf8(out, number);
	return taken + 3;
}

/* Between apostrophes. */
static void
unquote_single(const char *text, size_t length, struct strbuf *out)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\\' && i + 1 < length &&
		    (text[i + 1] == '\\' || text[i + 1] == '\''))
			i++;
		strbuf_addc(out, text[i]);
	}
}

/* A variable's value would stand here. */
static bool
is_inserted(const char *text, size_t length)
{
	return length > 1 &&
	    ((text[0] == '$' && (begins_name(text[1]) || text[1] == '{')) ||
		(text[0] == '{' && text[1] == '$'));
}

static const char *
unquote_double(const char *text, size_t length, struct strbuf *out)
{
	for (size_t i = 0; i < length; i++) {
		if (is_inserted(text + i, length - i))
			return "has a variable in it";
		if (text[i] == '\\' && i + 1 < length) {
			size_t taken =
			    unescape(text + i + 1, length - i - 1, out);

			i += taken;
			if (taken > 0)
				continue;
		}
		strbuf_addc(out, text[i]);
	}
	return NULL;
}

const char *
php_unquote(const struct php_token *token, struct strbuf *out)
{
	const char *text = token->text;
	const char *reason = NULL;
	size_t before = out->length;

	if (text[0] == '`')
		return "is what a program prints";
	if (token->length < 2 || text[token->length - 1] != text[0])
		return "does not end";
	if (text[0] == '\'')
		unquote_single(text + 1, token->length - 2, out);
	else
		reason = unquote_double(text + 1, token->length - 2, out);
	if (reason == NULL && out->length > before &&
	    memchr(out->bytes + before, '\0', out->length - before) != NULL)
		reason = "has a NUL byte in it";
	return reason;
}
