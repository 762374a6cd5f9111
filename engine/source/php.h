/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_PHP_H
#define ENGINE_SOURCE_PHP_H

#include <stdbool.h>
#include <stddef.h>

struct strbuf;

/*
 * The tokens of a PHP file, as the language's reference has them: enough of
 * them to find literals, and to pass over all that is none.
 */

enum php_kind {
	PHP_END,      /* of the file */
	PHP_NAME,     /* of a function or constant, or a keyword; without '\\'
		       * before it */
	PHP_VARIABLE, /* with its '$' */
	PHP_STRING,   /* with its quotes */
	PHP_HEREDOC,  /* or nowdoc, all of it */
	PHP_NUMBER,
	PHP_MARK, /* an operator, a bracket, or what ends the code */
};

/* A part of the text. */
struct php_token {
	enum php_kind kind;
	const char *text;
	size_t length;
	int line;
};

/* Where in the text it is read. */
struct php_source {
	const char *at;
	const char *end;
	int line;
	bool in_code; /* else in what the site shows as it is */
};

/* Begin to read a text, which must stay. */
void php_begin(struct php_source *source, const char *text, size_t length);

/*
 * The next token.  Comments and what stands outside of code are passed over;
 * a string that does not end ends with the file.
 */
void php_next(struct php_source *source, struct php_token *token);

/* It is this mark or variable; or this name, in capitals or not. */
bool php_is(const struct php_token *token, const char *what);

/* It is one of these; NULL is behind the last. */
bool php_is_any(const struct php_token *token, const char *const *words);

/*
 * Append the value of a PHP_STRING.  Returns NULL, or why it has none that can
 * be known without running it: a constant text that follows "it".
 */
const char *php_unquote(const struct php_token *token, struct strbuf *out);

#endif
