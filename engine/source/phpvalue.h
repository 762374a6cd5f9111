/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_PHPVALUE_H
#define ENGINE_SOURCE_PHPVALUE_H

#include "base/strbuf.h"
#include "source/php.h"

#include <stdbool.h>
#include <stdint.h>

struct fault;
struct settings;

/*
 * Values of a PHP file that are literals, token by token, into settings.  For
 * phpfile.c, which knows where they stand.
 */

#define PHPVALUE_ARRAYS_MAX 16
#define PHPVALUE_KEY_MAX    64
#define PHPVALUE_TEXT_MAX   4096

/* An array whose items are being read. */
struct phpvalue_array {
	size_t name;  /* length of its own */
	int64_t next; /* key of an item without one */
	const char *end;
	bool keyed; /* the item's key was read */
};

struct phpvalue {
	struct php_source source;
	struct php_token token; /* at hand */
	struct settings *settings;
	const char *file;
	bool conditional;   /* what is set is so */
	struct strbuf name; /* of what is set */
	struct strbuf text; /* the value at hand ... */
	const char *reason; /* ... or why it is not known */
	int line;
	int lookups;
	struct phpvalue_array arrays[PHPVALUE_ARRAYS_MAX];
	int depth;
};

/* Free what it owns. */
void phpvalue_close(struct phpvalue *value);

/* The next token; whether it is this one. */
void phpvalue_advance(struct phpvalue *value);
bool phpvalue_is(const struct phpvalue *value, const char *what);

/* The name of what is set: its beginning, with a token's text or none (NULL);
 * and one more part, "?" if it is not known (NULL) or cannot be one. */
void phpvalue_name(
    struct phpvalue *value, const char *prefix, const struct php_token *token);
void phpvalue_add_key(struct phpvalue *value, const char *key);

/* Set the value of that name: text, or NULL if it is made by a program. */
int phpvalue_set(struct phpvalue *value, const char *text, struct fault *fault);

/* Read a value that is no list into text, or into reason why not; the token
 * behind it is then at hand.  Returns text, or NULL. */
const char *phpvalue_read_text(struct phpvalue *value);

/* Read a value of any kind, and set it with all that is in it. */
int phpvalue_read(struct phpvalue *value, struct fault *fault);

#endif
