/* SPDX-License-Identifier: MIT */
#include "source/dump_table.h"

#include "base/strbuf.h"
#include "source/sqltext.h"

#include <stdint.h>
#include <string.h>

static const struct {
	const char *name;
	enum column_form form;
	enum key_form key_form;
} types[] = {
	{ "bigint", COLUMN_NUMBER, KEY_NUMBER },
	{ "binary", COLUMN_BINARY, KEY_TEXT },
	{ "bit", COLUMN_HEX, KEY_BITS },
	{ "blob", COLUMN_BINARY, KEY_TEXT },
	{ "char", COLUMN_OTHER, KEY_TEXT },
	{ "date", COLUMN_QUOTED, KEY_ASCII },
	{ "datetime", COLUMN_QUOTED, KEY_ASCII },
	{ "decimal", COLUMN_NUMBER, KEY_NUMBER },
	{ "double", COLUMN_REAL, KEY_NONE },
	{ "enum", COLUMN_OTHER, KEY_ENUM },
	{ "float", COLUMN_REAL, KEY_NONE },
	{ "geomcollection", COLUMN_HEX, KEY_NONE },
	{ "geometry", COLUMN_HEX, KEY_NONE },
	{ "geometrycollection", COLUMN_HEX, KEY_NONE },
	{ "inet4", COLUMN_QUOTED, KEY_ASCII },
	{ "inet6", COLUMN_QUOTED, KEY_ASCII },
	{ "int", COLUMN_NUMBER, KEY_NUMBER },
	{ "json", COLUMN_QUOTED, KEY_NONE },
	{ "linestring", COLUMN_HEX, KEY_NONE },
	{ "longblob", COLUMN_BINARY, KEY_TEXT },
	{ "longtext", COLUMN_OTHER, KEY_TEXT },
	{ "mediumblob", COLUMN_BINARY, KEY_TEXT },
	{ "mediumint", COLUMN_NUMBER, KEY_NUMBER },
	{ "mediumtext", COLUMN_OTHER, KEY_TEXT },
	{ "multilinestring", COLUMN_HEX, KEY_NONE },
	{ "multipoint", COLUMN_HEX, KEY_NONE },
	{ "multipolygon", COLUMN_HEX, KEY_NONE },
	{ "point", COLUMN_HEX, KEY_NONE },
	{ "polygon", COLUMN_HEX, KEY_NONE },
	{ "set", COLUMN_OTHER, KEY_SET },
	{ "smallint", COLUMN_NUMBER, KEY_NUMBER },
	{ "text", COLUMN_OTHER, KEY_TEXT },
	{ "time", COLUMN_QUOTED, KEY_ASCII },
	{ "timestamp", COLUMN_QUOTED, KEY_ASCII },
	{ "tinyblob", COLUMN_BINARY, KEY_TEXT },
	{ "tinyint", COLUMN_NUMBER, KEY_NUMBER },
	{ "tinytext", COLUMN_OTHER, KEY_TEXT },
	{ "uuid", COLUMN_QUOTED, KEY_ASCII },
	{ "varbinary", COLUMN_BINARY, KEY_TEXT },
	{ "varchar", COLUMN_OTHER, KEY_TEXT },
	{ "vector", COLUMN_HEX, KEY_NONE },
	{ "year", COLUMN_NUMBER, KEY_NUMBER },
};

/*
 * What texts of a character set are in a statement of utf8mb4.  Those of one
 * byte a character, and ASCII below 0x80, can stand as they are; all that is
 * not named here is written in hexadecimal.
 */
static const struct {
	const char *name;
	enum column_form form;
} charsets[] = {
	{ "armscii8", COLUMN_SINGLE },
	{ "ascii", COLUMN_SINGLE },
	{ "binary", COLUMN_BINARY },
	{ "cp1250", COLUMN_SINGLE },
	{ "cp1251", COLUMN_SINGLE },
	{ "cp1256", COLUMN_SINGLE },
	{ "cp1257", COLUMN_SINGLE },
	{ "cp850", COLUMN_SINGLE },
	{ "cp852", COLUMN_SINGLE },
	{ "cp866", COLUMN_SINGLE },
	{ "dec8", COLUMN_SINGLE },
	{ "geostd8", COLUMN_SINGLE },
	{ "greek", COLUMN_SINGLE },
	{ "hebrew", COLUMN_SINGLE },
	{ "hp8", COLUMN_SINGLE },
	{ "keybcs2", COLUMN_SINGLE },
	{ "koi8r", COLUMN_SINGLE },
	{ "koi8u", COLUMN_SINGLE },
	{ "latin1", COLUMN_SINGLE },
	{ "latin2", COLUMN_SINGLE },
	{ "latin5", COLUMN_SINGLE },
	{ "latin7", COLUMN_SINGLE },
	{ "macce", COLUMN_SINGLE },
	{ "macroman", COLUMN_SINGLE },
	{ "utf8", COLUMN_QUOTED },
	{ "utf8mb3", COLUMN_QUOTED },
	{ "utf8mb4", COLUMN_QUOTED },
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static enum column_form
form_of_charset(const char *charset)
{
	for (size_t i = 0; i < COUNT_OF(charsets); i++)
		if (strcmp(charset, charsets[i].name) == 0)
			return charsets[i].form;
	return COLUMN_OTHER;
}

/* The apostrophe that ends a text; two of them are one in it. */
static const char *
end_of_member(const char *at)
{
	for (; *at != '\0'; at++) {
		if (*at == '\'' && at[1] != '\'')
			break;
		if ((*at == '\'' || *at == '\\') && at[1] != '\0')
			at++;
	}
	return at;
}

/* The server says ? for what is beyond U+FFFF in a definition. */
static bool
may_be_another(const struct column *column, const char *text, size_t length)
{
	static const char *const beyond[] = { "utf8mb4", "utf16", "utf16le",
		"utf32" };

	for (size_t i = 0; column->charset != NULL && i < COUNT_OF(beyond); i++)
		if (strcmp(column->charset, beyond[i]) == 0)
			return memchr(text, '?', length) != NULL;
	return false;
}

/*
 * Count the texts of "enum('a','it''s')", and see whether one of them is
 * empty: then it cannot be told from the value 0, which is empty, too; or
 * whether it is not what the server says.
 */
static void
look_at_members(struct column *column)
{
	const char *at = strchr(column->type, '\'');

	while (at != NULL && *at == '\'') {
		const char *end = end_of_member(at + 1);

		column->members++;
		column->by_number |= end == at + 1 ||
		    may_be_another(column, at + 1, (size_t)(end - at - 1));
		at = *end != '\0' && end[1] == ',' ? end + 2 : NULL;
	}
}

void
column_choose_form(struct column *column)
{
	size_t length = strcspn(column->type, "( ");

	/* What is not known can only be a text. */
	column->form = COLUMN_OTHER;
	column->key_form = KEY_NONE;
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		if (strlen(types[i].name) != length ||
		    strncmp(column->type, types[i].name, length) != 0)
			continue;
		column->form = types[i].form;
		column->key_form = types[i].key_form;
	}
	if (column->key_form == KEY_ENUM || column->key_form == KEY_SET)
		look_at_members(column);
	if (column->by_number)
		column->form = COLUMN_NUMBER;
	else if (column->form == COLUMN_OTHER)
		column->form = column->charset != NULL
		    ? form_of_charset(column->charset)
		    : COLUMN_QUOTED;
}

static void
add_expression(const struct column *column, struct strbuf *out)
{
	struct strbuf name = STRBUF_EMPTY;

	sqltext_add_name(&name, column->name);
	if (column->by_number)
		key_add_operand(column, out);
	else if (strncmp(column->type, "float", 5) == 0)
		/* Its text has but six digits, and no sign where it is -0;
		 * that comes back from a number too small for it. */
		strbuf_addf(out, "IF(%s=0 AND ATAN2(%s,-1)<0,-1e-50,%s*1e0)",
		    name.bytes, name.bytes, name.bytes);
	else if (strncmp(column->type, "double(", 7) == 0)
		strbuf_addf(out, "%s*1e0", name.bytes);
	else
		strbuf_add(out, name.bytes, name.length);
	strbuf_close(&name);
}

void
table_add_fields(const struct table *table, struct strbuf *out)
{
	const char *before = "";

	for (size_t i = 0; i < table->inserted_count; i++) {
		strbuf_addstr(out, before);
		add_expression(&table->columns[table->inserted[i]], out);
		before = ",";
	}
	for (size_t i = 0; i < table->key_count; i++) {
		const struct column *column =
		    &table->columns[table->key_columns[i]];

		if (!key_needs_field(column))
			continue;
		strbuf_addstr(out, before);
		key_add_operand(column, out);
		before = ",";
	}
	if (*before == '\0')
		strbuf_addstr(out, "1");
}

/* All is below 0x7f: the collation latin2_czech_cs does not know that one. */
static bool
is_ascii(const char *bytes, size_t length)
{
	uint64_t eight, all = 0;

	for (; length >= 8; bytes += 8, length -= 8) {
		memcpy(&eight, bytes, 8);
		all |= eight | (eight + UINT64_C(0x0101010101010101));
	}
	for (; length > 0; bytes++, length--)
		all |= (unsigned char)*bytes | ((unsigned char)*bytes + 1U);
	return (all & UINT64_C(0x8080808080808080)) == 0;
}

static void
add_real(struct strbuf *text, const char *value, size_t length)
{
	strbuf_add(text, value, length);
	if (value[0] == '-' && strspn(value, "-0.") == length)
		strbuf_addstr(text, "e0");
}

static void
add_value(const struct column *column, const char *value, size_t length,
    struct strbuf *text)
{
	switch (column->form) {
	case COLUMN_NUMBER:
		strbuf_add(text, value, length);
		break;
	case COLUMN_REAL:
		add_real(text, value, length);
		break;
	case COLUMN_QUOTED:
		sqltext_add_string(text, value, length);
		break;
	case COLUMN_SINGLE:
		if (!is_ascii(value, length)) {
			strbuf_addc(text, '_');
			strbuf_addstr(text, column->charset);
		}
		sqltext_add_string(text, value, length);
		break;
	case COLUMN_BINARY:
		strbuf_add(text, "_binary", 7);
		sqltext_add_string(text, value, length);
		break;
	case COLUMN_OTHER:
		strbuf_addf(text, "_%s ", column->charset);
		sqltext_add_hex(text, value, length);
		break;
	case COLUMN_HEX:
		sqltext_add_hex(text, value, length);
		break;
	}
}

void
table_add_row(const struct table *table, const char *const *values,
    const unsigned long *lengths, struct strbuf *text)
{
	char before = '(';

	if (table->inserted_count == 0)
		strbuf_addc(text, '(');
	for (size_t i = 0; i < table->inserted_count; i++) {
		strbuf_addc(text, before);
		if (values[i] == NULL)
			strbuf_add(text, "NULL", 4);
		else
			add_value(&table->columns[table->inserted[i]],
			    values[i], lengths[i], text);
		before = ',';
	}
	strbuf_addc(text, ')');
}

size_t
table_row_bound(const struct table *table, const unsigned long *lengths)
{
	size_t bound = 8;

	/* Twice its bytes if all are escaped, and _armscii8 X''. */
	for (size_t i = 0; i < table->inserted_count; i++)
		bound += 2 * lengths[i] + 16;
	return bound;
}
