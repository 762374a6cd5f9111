/* SPDX-License-Identifier: MIT */
#include "source/dump_table.h"

#include "base/strbuf.h"
#include "source/sqltext.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * The server finds the first row behind a key by its index only if the
 * condition is spelt out:
 *
 *	a>=1 AND (a>1 OR (a=1 AND (b>2 OR (b=2 AND c>3))))
 *
 * (a row comparison scans the index), and only if each value is compared as
 * the index orders it: a text in the column's own character set, an ENUM with
 * its numbers.
 */

/* With more members an ENUM is compared without the index. */
#define MEMBERS_MAX 1000

bool
key_needs_field(const struct column *column)
{
	if (column->generated)
		return true;
	return (column->key_form == KEY_ENUM || column->key_form == KEY_SET) &&
	    !column->by_number;
}

void
key_add_operand(const struct column *column, struct strbuf *out)
{
	/* Of 64 members: as 0 is added, the last would be the sign. */
	if (column->key_form == KEY_SET)
		strbuf_addstr(out, "CAST(");
	sqltext_add_name(out, column->name);
	if (column->key_form == KEY_SET)
		strbuf_addstr(out, " AS UNSIGNED)");
	else if (column->key_form == KEY_ENUM)
		strbuf_addstr(out, "+0");
}

void
key_add_names(const struct table *table, struct strbuf *out)
{
	for (size_t i = 0; i < table->key_count; i++) {
		if (i > 0)
			strbuf_addc(out, ',');
		sqltext_add_name(
		    out, table->columns[table->key_columns[i]].name);
	}
}

/* Where a column is among those that are inserted. */
static size_t
find_inserted(const struct table *table, size_t column)
{
	size_t field = 0;

	while (table->inserted[field] != column)
		field++;
	return field;
}

void
key_find_fields(struct table *table)
{
	size_t extra = table->inserted_count;

	for (size_t i = 0; i < table->key_count; i++) {
		size_t column = table->key_columns[i];

		table->key_fields[i] = key_needs_field(&table->columns[column])
		    ? extra++
		    : find_inserted(table, column);
	}
}

int
key_save(const struct table *table, const char *const *values,
    const unsigned long *lengths, char key[CURSOR_KEY_SIZE])
{
	struct strbuf text = STRBUF_EMPTY;
	int status = -1;

	for (size_t i = 0; i < table->key_count; i++) {
		size_t field = table->key_fields[i];

		if (i > 0)
			strbuf_addc(&text, ',');
		if (values[field] == NULL || lengths[field] > CURSOR_KEY_SIZE)
			goto out;
		strbuf_add_hex(&text, values[field], lengths[field]);
	}
	if (text.length >= CURSOR_KEY_SIZE)
		goto out;
	memcpy(key, strbuf_text(&text), text.length + 1);
	status = 0;
out:
	strbuf_close(&text);
	return status;
}

/* What a value of a column must be, as it comes out of a place. */
static bool
is_number(const struct strbuf *value)
{
	return value->length > 0 &&
	    strspn(value->bytes, "0123456789-.") == value->length;
}

static void
add_bits(const struct strbuf *value, struct strbuf *literal)
{
	uint64_t number = 0;

	for (size_t i = 0; i < value->length; i++)
		number = number << 8 | (unsigned char)value->bytes[i];
	strbuf_addf(literal, "%" PRIu64, number);
}

/* Write a value as SQL has it. */
static int
add_literal(const struct column *column, const struct strbuf *value,
    struct strbuf *literal)
{
	switch (column->key_form) {
	case KEY_NUMBER:
	case KEY_ENUM:
	case KEY_SET:
		if (!is_number(value))
			return -1;
		strbuf_add(literal, value->bytes, value->length);
		return 0;
	case KEY_BITS:
		if (value->length > 8)
			return -1;
		add_bits(value, literal);
		return 0;
	case KEY_ASCII:
		sqltext_add_string(literal, value->bytes, value->length);
		return 0;
	case KEY_TEXT:
		strbuf_addf(literal, "_%s ",
		    column->charset != NULL ? column->charset : "binary");
		sqltext_add_hex(literal, value->bytes, value->length);
		return 0;
	case KEY_NONE:
		break;
	}
	return -1;
}

/* Read the hexadecimal up to a comma or the end. */
static int
decode_value(const char **at, struct strbuf *value)
{
	int high, low;

	strbuf_add(value, "", 0);
	while (**at != '\0' && **at != ',') {
		high = strbuf_hex_digit((*at)[0]);
		low = strbuf_hex_digit((*at)[1]);
		if (high < 0 || low < 0)
			return -1;
		strbuf_addc(value, (char)(high << 4 | low));
		*at += 2;
	}
	return 0;
}

static int
decode_key(const struct table *table, const char *key, struct strbuf *literals)
{
	struct strbuf value = STRBUF_EMPTY;
	const char *at = key;
	int status = 0;

	for (size_t i = 0; i < table->key_count && status == 0; i++) {
		strbuf_reset(&value);
		status = decode_value(&at, &value);
		if (status == 0)
			status =
			    add_literal(&table->columns[table->key_columns[i]],
				&value, &literals[i]);
		/* A comma between, and nothing behind. */
		if (*at++ != (i + 1 < table->key_count ? ',' : '\0'))
			status = -1;
	}
	strbuf_close(&value);
	return status;
}

/* Numbers of an ENUM from first on: by the index it is only looked up. */
static void
add_members(const struct column *column, int64_t first, struct strbuf *out)
{
	if (first > column->members) {
		strbuf_addstr(out, "FALSE");
		return;
	}
	sqltext_add_name(out, column->name);
	for (int64_t number = first; number <= column->members; number++)
		strbuf_addf(
		    out, "%s%" PRId64, number == first ? " IN (" : ",", number);
	strbuf_addc(out, ')');
}

static void
add_comparison(const struct column *column, const char *operator,
    const char * literal, struct strbuf *out)
{
	bool is_enum = column->key_form == KEY_ENUM;

	if (is_enum && column->members <= MEMBERS_MAX && operator[0] == '>') {
		add_members(column,
		    strtoll(literal, NULL, 10) + (operator[1] != '='), out);
		return;
	}
	if (is_enum && operator[0] == '=')
		sqltext_add_name(out, column->name);
	else
		key_add_operand(column, out);
	strbuf_addf(out, "%s%s", operator, literal);
}

static void
add_condition(const struct table *table, const struct strbuf *literals,
    struct strbuf *out)
{
	size_t last = table->key_count - 1;

	strbuf_addstr(out, " WHERE ");
	for (size_t i = 0; i <= last; i++) {
		const struct column *column =
		    &table->columns[table->key_columns[i]];

		if (i == 0 && last > 0) {
			add_comparison(
			    column, ">=", strbuf_text(&literals[i]), out);
			strbuf_addstr(out, " AND (");
		}
		add_comparison(column, ">", strbuf_text(&literals[i]), out);
		if (i < last) {
			strbuf_addstr(out, " OR (");
			add_comparison(
			    column, "=", strbuf_text(&literals[i]), out);
			strbuf_addstr(out, " AND (");
		}
	}
	for (size_t i = 0; i < last; i++)
		strbuf_addstr(out, i == 0 ? ")))" : "))");
}

int
key_add_condition(
    const struct table *table, const char *key, struct strbuf *out)
{
	struct strbuf literals[TABLE_KEY_MAX] = { STRBUF_EMPTY };
	int status = decode_key(table, key, literals);

	if (status == 0)
		add_condition(table, literals, out);
	for (size_t i = 0; i < table->key_count; i++)
		strbuf_close(&literals[i]);
	return status;
}
