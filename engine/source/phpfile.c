/* SPDX-License-Identifier: MIT */
/*
 * One pass over the tokens.  What looks like an assignment is read as one; all
 * else is passed over, but for what makes an assignment depend on a condition.
 */
#include "source/phpfile.h"

#include "base/fault.h"
#include "base/strbuf.h"
#include "source/php.h"
#include "source/phpvalue.h"

#include <stdbool.h>

#define BLOCKS_MAX 64

/* Between braces. */
struct block {
	bool is_class;
	struct php_token name; /* of the class */
};

/* The statement at hand, and what it stands in. */
struct reader {
	struct phpvalue value;
	struct block blocks[BLOCKS_MAX];
	int block_count;
	int plain_blocks; /* of no class */
	struct php_token class_name;
	bool class_begins;
	bool condition;
	bool may_alternate; /* "if (…)", and ':' may stand for '{' */
	int alternatives;
	int parens;
};

static bool
is_conditional(const struct reader *reader)
{
	return reader->condition || reader->plain_blocks > 0 ||
	    reader->alternatives > 0;
}

static int
set(struct reader *reader, const char *text, struct fault *fault)
{
	reader->value.conditional = is_conditional(reader);
	return phpvalue_set(&reader->value, text, fault);
}

static int
read_value(struct reader *reader, struct fault *fault)
{
	reader->value.conditional = is_conditional(reader);
	return phpvalue_read(&reader->value, fault);
}

/* define('NAME', value) */
static int
read_define(struct reader *reader, struct fault *fault)
{
	struct phpvalue *value = &reader->value;
	const char *name;

	phpvalue_advance(value);
	if (!phpvalue_is(value, "("))
		return 0;
	phpvalue_advance(value);
	name = phpvalue_read_text(value);
	if (name == NULL || !phpvalue_is(value, ","))
		return 0;
	phpvalue_name(value, "define", NULL);
	phpvalue_add_key(value, name);
	phpvalue_advance(value);
	if (read_value(reader, fault) != 0)
		return -1;
	if (phpvalue_is(value, ")"))
		phpvalue_advance(value);
	return 0;
}

/* const NAME = value */
static int
read_const(struct reader *reader, struct fault *fault)
{
	struct phpvalue *value = &reader->value;

	phpvalue_advance(value);
	if (value->token.kind != PHP_NAME)
		return 0;
	phpvalue_name(value, "define/", &value->token);
	phpvalue_advance(value);
	if (!phpvalue_is(value, "=") || reader->block_count > 0)
		return 0;
	phpvalue_advance(value);
	return read_value(reader, fault);
}

/* Whether what follows the keyword is the class's name or what it extends is
 * the same to us. */
static void
read_class(struct reader *reader)
{
	struct phpvalue *value = &reader->value;

	phpvalue_advance(value);
	if (value->token.kind != PHP_NAME)
		return;
	reader->class_name = value->token;
	reader->class_begins = true;
	phpvalue_advance(value);
}

static int
read_include(struct reader *reader, struct fault *fault)
{
	struct phpvalue *value = &reader->value;
	struct strbuf path = STRBUF_EMPTY;
	int result;

	value->line = value->token.line;
	for (phpvalue_advance(value); !phpvalue_is(value, ";") &&
	     !phpvalue_is(value, "?>") && value->token.kind != PHP_END;
	     phpvalue_advance(value))
		if (value->token.kind == PHP_STRING) {
			strbuf_reset(&path);
			if (php_unquote(&value->token, &path) != NULL)
				strbuf_reset(&path);
		}
	phpvalue_name(value, "include", NULL);
	result = set(reader,
	    path.length > 0 && path.length <= PHPVALUE_TEXT_MAX ? path.bytes
								: NULL,
	    fault);
	strbuf_close(&path);
	return result;
}

/* In the end the file's value is this, and it goes no further. */
static int
read_return(struct reader *reader, struct fault *fault)
{
	struct phpvalue *value = &reader->value;

	phpvalue_advance(value);
	if (is_conditional(reader) || reader->block_count > 0)
		return 0;
	phpvalue_name(value, "return", NULL);
	if (read_value(reader, fault) != 0)
		return -1;
	value->source.at = value->source.end;
	return 0;
}

/* ['key'] behind a variable, any number of them. */
static bool
read_subscripts(struct reader *reader)
{
	struct phpvalue *value = &reader->value;
	const char *key;

	while (phpvalue_is(value, "[")) {
		phpvalue_advance(value);
		key = phpvalue_read_text(value);
		if (!phpvalue_is(value, "]"))
			return false;
		phpvalue_add_key(value, key);
		phpvalue_advance(value);
	}
	return true;
}

static int
read_assignment(struct reader *reader, struct fault *fault)
{
	static const char *const changes[] = {
		".=", "?\?=", "+=", "-=", "*=", "/=", "++", "--", NULL
	};
	struct phpvalue *value = &reader->value;
	const struct block *block = reader->block_count > 0
	    ? &reader->blocks[reader->block_count - 1]
	    : NULL;
	struct php_token variable = value->token;

	if (block != NULL && block->is_class && reader->parens == 0) {
		phpvalue_name(value, "class ", &block->name);
		strbuf_addc(&value->name, '/');
		strbuf_add(&value->name, variable.text + 1,
		    variable.length <= PHPVALUE_KEY_MAX ? variable.length - 1
							: 0);
	} else {
		phpvalue_name(value, "", &variable);
	}
	phpvalue_advance(value);
	if (!read_subscripts(reader))
		return 0;
	if (php_is_any(&value->token, changes)) {
		value->line = value->token.line;
		return set(reader, NULL, fault);
	}
	if (!phpvalue_is(value, "="))
		return 0;
	phpvalue_advance(value);
	return read_value(reader, fault);
}

/* -- what statements stand in -----------------------------------------------
 */

static int
open_block(struct reader *reader, struct fault *fault)
{
	struct phpvalue *value = &reader->value;
	struct block *block;

	if (reader->block_count == BLOCKS_MAX)
		return fault_set(fault, FAULT_USAGE,
		    "line %d: there are more than %d blocks in each other",
		    value->token.line, BLOCKS_MAX);
	block = &reader->blocks[reader->block_count++];
	block->is_class = reader->class_begins;
	block->name = reader->class_name;
	reader->plain_blocks += !block->is_class;
	return 0;
}

static void
close_block(struct reader *reader)
{
	if (reader->block_count == 0)
		return;
	reader->block_count--;
	reader->plain_blocks -= !reader->blocks[reader->block_count].is_class;
}

static void
begin_statement(struct reader *reader)
{
	reader->class_begins = false;
	reader->condition = false;
	reader->may_alternate = false;
	reader->parens = 0;
}

static int
read_mark(struct reader *reader, struct fault *fault)
{
	static const char *const conditions[] = { "&&", "||", "?", "??", NULL };
	struct phpvalue *value = &reader->value;
	bool outside = reader->parens == 0, ends = false;
	int result = 0;

	if (phpvalue_is(value, "(")) {
		reader->parens++;
	} else if (phpvalue_is(value, ")")) {
		reader->parens -= reader->parens > 0;
	} else if (php_is_any(&value->token, conditions)) {
		reader->condition = true;
		reader->may_alternate = false;
	} else if (phpvalue_is(value, "{")) {
		result = open_block(reader, fault);
		ends = true;
	} else if (phpvalue_is(value, "}")) {
		close_block(reader);
		ends = true;
	} else if (phpvalue_is(value, ":") && reader->may_alternate &&
	    outside) {
		reader->alternatives++;
		ends = true;
	} else {
		ends = phpvalue_is(value, "?>") ||
		    (phpvalue_is(value, ";") && outside);
	}
	if (ends)
		begin_statement(reader);
	phpvalue_advance(value);
	return result;
}

/* A keyword, or any other name. */
static int
read_word(struct reader *reader, struct fault *fault)
{
	static const char *const includes[] = { "include", "include_once",
		"require", "require_once", NULL };
	static const char *const heads[] = { "if", "while", "for", "foreach",
		"switch", NULL };
	static const char *const conditions[] = { "elseif", "else", "do",
		"catch", "function", "fn", "match", "and", "or", "xor", NULL };
	static const char *const ends[] = { "endif", "endwhile", "endfor",
		"endforeach", "endswitch", NULL };
	struct phpvalue *value = &reader->value;

	if (phpvalue_is(value, "define"))
		return read_define(reader, fault);
	if (phpvalue_is(value, "const"))
		return read_const(reader, fault);
	if (phpvalue_is(value, "return"))
		return read_return(reader, fault);
	if (php_is_any(&value->token, includes))
		return read_include(reader, fault);
	if (php_is_any(&value->token, heads))
		reader->condition = reader->may_alternate = true;
	else if (php_is_any(&value->token, conditions))
		reader->condition = true;
	else if (php_is_any(&value->token, ends))
		reader->alternatives -= reader->alternatives > 0;
	else if (phpvalue_is(value, "__halt_compiler"))
		value->source.at = value->source.end;
	if (phpvalue_is(value, "class"))
		read_class(reader);
	else
		phpvalue_advance(value);
	return 0;
}

static int
read_statement(struct reader *reader, struct fault *fault)
{
	struct phpvalue *value = &reader->value;

	switch (value->token.kind) {
	case PHP_NAME:
		return read_word(reader, fault);
	case PHP_VARIABLE:
		return read_assignment(reader, fault);
	case PHP_MARK:
		return read_mark(reader, fault);
	case PHP_STRING:
	case PHP_HEREDOC:
	case PHP_NUMBER:
	case PHP_END:
		break;
	}
	phpvalue_advance(value);
	return 0;
}

int
phpfile_read(struct settings *settings, const char *file, const char *text,
    size_t length, struct fault *fault)
{
	struct reader reader = { .value = {
				     .settings = settings, .file = file } };
	int result = 0;

	php_begin(&reader.value.source, text, length);
	phpvalue_advance(&reader.value);
	while (result == 0 && reader.value.token.kind != PHP_END)
		result = read_statement(&reader, fault);
	phpvalue_close(&reader.value);
	return result;
}
