/* SPDX-License-Identifier: MIT */
#include "source/phpvalue.h"

#include "base/fault.h"
#include "source/settings.h"

#include <stdio.h>
#include <string.h>

#define LOOKUPS_MAX 1000

static const char by_program[] = "is made by a program, which is never run";
static const char from_environment[] =
    "comes from the environment, which only the site's own program has";

void
phpvalue_close(struct phpvalue *value)
{
	strbuf_close(&value->name);
	strbuf_close(&value->text);
}

void
phpvalue_advance(struct phpvalue *value)
{
	php_next(&value->source, &value->token);
}

bool
phpvalue_is(const struct phpvalue *value, const char *what)
{
	return php_is(&value->token, what);
}

void
phpvalue_name(
    struct phpvalue *value, const char *prefix, const struct php_token *token)
{
	strbuf_reset(&value->name);
	strbuf_addstr(&value->name, prefix);
	if (token != NULL)
		strbuf_add(&value->name, token->text,
		    token->length <= PHPVALUE_KEY_MAX ? token->length
						      : PHPVALUE_KEY_MAX);
}

void
phpvalue_add_key(struct phpvalue *value, const char *key)
{
	size_t length = key != NULL ? strlen(key) : 0;

	strbuf_addc(&value->name, '/');
	strbuf_addstr(&value->name,
	    length > 0 && length <= PHPVALUE_KEY_MAX && strchr(key, '/') == NULL
		? key
		: "?");
}

/* The token ends a value. */
static bool
is_end(const struct phpvalue *value)
{
	static const char *const ends[] = { ",", ";", ")", "]", "}", "=>", "?>",
		NULL };

	return value->token.kind == PHP_END || php_is_any(&value->token, ends);
}

/* Pass over the rest of a value. */
static void
skip_to_end(struct phpvalue *value)
{
	static const char *const openers[] = { "(", "[", "{", NULL };
	static const char *const closers[] = { ")", "]", "}", NULL };
	int64_t level = 0;

	while (value->token.kind != PHP_END && (level > 0 || !is_end(value))) {
		if (php_is_any(&value->token, openers))
			level++;
		else if (php_is_any(&value->token, closers))
			level--;
		phpvalue_advance(value);
	}
}

/* Set what has the name at hand. */
static int
set(struct phpvalue *value, const char *text, const char *reason,
    struct fault *fault)
{
	struct setting setting = {
		.name = value->name.bytes,
		.reason = reason,
		.file = value->file,
		.line = value->line,
		.conditional = value->conditional,
	};

	return settings_add(value->settings, &setting, text, fault);
}

int
phpvalue_set(struct phpvalue *value, const char *text, struct fault *fault)
{
	return set(value, text, text == NULL ? by_program : NULL, fault);
}

/* -- one value --------------------------------------------------------------
 */

/* It is not known, for this reason or one before. */
static void
give_up(struct phpvalue *value, const char *reason)
{
	if (value->reason == NULL)
		value->reason = reason;
}

/* Append what was set before. */
static void
look_up(struct phpvalue *value, const char *prefix,
    const struct php_token *what, enum settings_order order)
{
	struct strbuf name = STRBUF_EMPTY;
	const struct setting *setting = NULL, *other = NULL;

	if (++value->lookups <= LOOKUPS_MAX &&
	    what->length <= PHPVALUE_KEY_MAX) {
		strbuf_addstr(&name, prefix);
		strbuf_add(&name, what->text, what->length);
		setting =
		    settings_find(value->settings, name.bytes, order, &other);
	}
	if (setting == NULL || other != NULL)
		give_up(value, by_program);
	else if (setting->text == NULL)
		give_up(value,
		    setting->reason != NULL ? setting->reason : by_program);
	else
		strbuf_addstr(&value->text, setting->text);
	strbuf_close(&name);
}

static void
read_variable(struct phpvalue *value, const struct php_token *variable)
{
	static const char *const environment[] = { "$_ENV", "$_SERVER", NULL };

	if (php_is_any(variable, environment))
		give_up(value, from_environment);
	if (phpvalue_is(value, ".") || is_end(value))
		look_up(value, "", variable, SETTINGS_LAST);
	else
		give_up(value, by_program);
}

/* A constant, or the call of a function. */
static void
read_name(struct phpvalue *value, struct php_token name)
{
	static const char *const environment[] = { "getenv", "env",
		"getenv_docker", NULL };

	if (phpvalue_is(value, "("))
		give_up(value,
		    php_is_any(&name, environment) ? from_environment
						   : by_program);
	else if (php_is(&name, "true"))
		strbuf_addc(&value->text, '1');
	else if (!php_is(&name, "false") && !php_is(&name, "null"))
		look_up(value, "define/", &name, SETTINGS_FIRST);
}

static void
read_operand(struct phpvalue *value)
{
	struct php_token token = value->token;

	phpvalue_advance(value);
	switch (token.kind) {
	case PHP_STRING:
		give_up(value, php_unquote(&token, &value->text));
		return;
	case PHP_NUMBER:
		strbuf_add(&value->text, token.text, token.length);
		return;
	case PHP_VARIABLE:
		read_variable(value, &token);
		return;
	case PHP_NAME:
		read_name(value, token);
		return;
	case PHP_HEREDOC:
		give_up(value, "stands in a heredoc, which is not read");
		return;
	case PHP_MARK:
	case PHP_END:
		break;
	}
	give_up(value, by_program);
}

/* A value that is no list: into text, or the reason why not. */
const char *
phpvalue_read_text(struct phpvalue *value)
{
	strbuf_reset(&value->text);
	strbuf_addstr(&value->text, "");
	value->reason = NULL;
	value->line = value->token.line;
	if (is_end(value)) {
		give_up(value, by_program);
		return NULL;
	}
	read_operand(value);
	while (phpvalue_is(value, ".") &&
	    value->text.length <= PHPVALUE_TEXT_MAX) {
		phpvalue_advance(value);
		if (!is_end(value))
			read_operand(value);
	}
	if (!is_end(value)) {
		give_up(value, by_program);
		skip_to_end(value);
	}
	if (value->text.length > PHPVALUE_TEXT_MAX)
		give_up(value, "is too long");
	return value->reason == NULL ? value->text.bytes : NULL;
}

/* -- lists ------------------------------------------------------------------
 */

/* The array whose items are read; NULL: none. */
static struct phpvalue_array *
innermost(struct phpvalue *value)
{
	return value->depth > 0 ? &value->arrays[value->depth - 1] : NULL;
}

/* The item at hand has the key that follows. */
static void
number_item(struct phpvalue *value)
{
	struct phpvalue_array *array = innermost(value);
	char key[24];

	if (array == NULL || array->keyed)
		return;
	snprintf(key, sizeof(key), "%lld", (long long)array->next++);
	phpvalue_add_key(value, key);
	array->keyed = true;
}

static int
open_array(struct phpvalue *value, const char *end, struct fault *fault)
{
	number_item(value);
	value->line = value->token.line;
	if (value->depth == PHPVALUE_ARRAYS_MAX)
		return fault_set(fault, FAULT_USAGE,
		    "line %d: there are more than %d arrays in each other",
		    value->line, PHPVALUE_ARRAYS_MAX);
	if (set(value, NULL, NULL, fault) != 0)
		return -1;
	value->arrays[value->depth++] =
	    (struct phpvalue_array){ value->name.length, 0, end, false };
	return 0;
}

/* A value was read to its end, or its array to its closing bracket. */
static int
end_item(struct phpvalue *value, struct fault *fault)
{
	struct phpvalue_array *array = innermost(value);
	int result = 0;

	/* An array, and something is done with it; or an arrow function. */
	if (!is_end(value) || phpvalue_is(value, "=>")) {
		value->line = value->token.line;
		result = set(value, NULL, by_program, fault);
		skip_to_end(value);
	}
	while (phpvalue_is(value, "=>")) {
		phpvalue_advance(value);
		skip_to_end(value);
	}
	if (array == NULL)
		return result;
	strbuf_cut(&value->name, array->name);
	array->keyed = false;
	if (phpvalue_is(value, ","))
		phpvalue_advance(value);
	else if (!phpvalue_is(value, array->end))
		value->depth = 0; /* this is no PHP */
	return result;
}

static int
read_item(struct phpvalue *value, struct fault *fault)
{
	struct phpvalue_array *array = innermost(value);
	const char *text;

	text = phpvalue_read_text(value);
	if (array != NULL && !array->keyed && phpvalue_is(value, "=>")) {
		phpvalue_add_key(value, text);
		array->keyed = true;
		phpvalue_advance(value);
		return 0;
	}
	number_item(value);
	if (set(value, text, value->reason, fault) != 0)
		return -1;
	return end_item(value, fault);
}

int
phpvalue_read(struct phpvalue *value, struct fault *fault)
{
	int result = 0;

	value->depth = 0;
	do {
		struct phpvalue_array *array = innermost(value);

		if (array != NULL && phpvalue_is(value, array->end)) {
			phpvalue_advance(value);
			value->depth--;
			result = end_item(value, fault);
		} else if (phpvalue_is(value, "[")) {
			phpvalue_advance(value);
			result = open_array(value, "]", fault);
		} else if (phpvalue_is(value, "array")) {
			phpvalue_advance(value);
			if (!phpvalue_is(value, "("))
				continue;
			phpvalue_advance(value);
			result = open_array(value, ")", fault);
		} else {
			result = read_item(value, fault);
		}
	} while (
	    result == 0 && value->depth > 0 && value->token.kind != PHP_END);
	return result;
}
