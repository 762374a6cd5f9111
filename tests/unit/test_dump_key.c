/* SPDX-License-Identifier: MIT */
#include "scratch.h"

#include "base/strbuf.h"
#include "source/dump_table.h"

#define COLUMNS_MAX 4

/* A table of these columns, "TYPE", or "TYPE CHARSET" of texts, with a key of
 * all of them. */
struct sample {
	struct table table;
	struct column columns[COLUMNS_MAX];
	size_t inserted[COLUMNS_MAX];
	char names[COLUMNS_MAX][2];
	char words[COLUMNS_MAX][64];
};

static struct table *
make(struct sample *sample, const char *const *types)
{
	struct table *table = &sample->table;

	memset(sample, 0, sizeof(*sample));
	table->columns = sample->columns;
	table->inserted = sample->inserted;
	for (; types[table->column_count] != NULL; table->column_count++) {
		size_t i = table->column_count;
		char *space;

		snprintf(
		    sample->words[i], sizeof(sample->words[i]), "%s", types[i]);
		space = strrchr(sample->words[i], ' ');
		if (space != NULL) {
			*space = '\0';
			sample->columns[i].charset = space + 1;
		}
		sample->names[i][0] = (char)('a' + i);
		sample->columns[i].name = sample->names[i];
		sample->columns[i].type = sample->words[i];
		column_choose_form(&sample->columns[i]);
		sample->inserted[i] = i;
		table->inserted_count++;
		table->key_columns[table->key_count++] = i;
	}
	key_find_fields(table);
	return table;
}

/* The condition for a key of these values is as expected; with NULL, there is
 * none. */
static void
assert_condition(
    const char *const *types, const char *const *values, const char *expected)
{
	struct sample sample;
	struct table *table = make(&sample, types);
	struct strbuf out = STRBUF_EMPTY;
	char key[CURSOR_KEY_SIZE];
	const char *row[2 * COLUMNS_MAX];
	unsigned long lengths[2 * COLUMNS_MAX];

	for (size_t i = 0; i < table->key_count; i++) {
		row[table->key_fields[i]] = values[i];
		lengths[table->key_fields[i]] = strlen(values[i]);
	}
	assert_int_equal(key_save(table, row, lengths, key), 0);
	assert_int_equal(
	    key_add_condition(table, key, &out), expected != NULL ? 0 : -1);
	if (expected != NULL)
		assert_string_equal(out.bytes, expected);
	strbuf_close(&out);
}

#define LIST(...)                 \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

static void
spells_out_what_is_behind_a_key(void **state)
{
	(void)state;
	assert_condition(LIST("int(11)"), LIST("-5"), " WHERE `a`>-5");
	assert_condition(LIST("int", "bigint(20) unsigned"),
	    LIST("1", "18446744073709551615"),
	    " WHERE `a`>=1 AND (`a`>1 OR (`a`=1 AND "
	    "(`b`>18446744073709551615)))");
	assert_condition(LIST("int", "decimal(65,30)", "year(4)"),
	    LIST("1", "-0.5", "0000"),
	    " WHERE `a`>=1 AND (`a`>1 OR (`a`=1 AND (`b`>-0.5 OR (`b`=-0.5 "
	    "AND (`c`>0000)))))");
}

static void
compares_each_type_as_its_index_does(void **state)
{
	(void)state;
	assert_condition(LIST("varchar(10) latin1"), LIST("a'b"),
	    " WHERE `a`>_latin1 X'612762'");
	assert_condition(
	    LIST("varbinary(9)"), LIST(""), " WHERE `a`>_binary X''");
	assert_condition(LIST("datetime(6)"), LIST("2024-01-01 00:00:00"),
	    " WHERE `a`>'2024-01-01 00:00:00'");
	assert_condition(LIST("bit(64)"),
	    LIST("\xff\xff\xff\xff\xff\xff\xff\xff"),
	    " WHERE `a`>18446744073709551615");
	assert_condition(LIST("set('a','b') utf8mb4"), LIST("3"),
	    " WHERE CAST(`a` AS UNSIGNED)>3");
}

static void
looks_up_each_member_of_an_enum(void **state)
{
	const char *type = "enum('x','it''s','a,b','\\\\') utf8mb4";

	(void)state;
	assert_condition(LIST(type), LIST("2"), " WHERE `a` IN (3,4)");
	assert_condition(LIST(type), LIST("4"), " WHERE FALSE");
	assert_condition(LIST(type, "int"), LIST("4", "7"),
	    " WHERE `a` IN (4) AND (FALSE OR (`a`=4 AND (`b`>7)))");
	assert_condition(LIST(type, type), LIST("0", "3"),
	    " WHERE `a` IN (0,1,2,3,4) AND (`a` IN (1,2,3,4) OR (`a`=0 AND "
	    "(`b` IN (4))))");
}

/* A place comes from outside: nothing in it may become SQL. */
static void
takes_nothing_but_values(void **state)
{
	(void)state;
	assert_condition(LIST("int"), LIST("1 OR 1"), NULL);
	assert_condition(LIST("int"), LIST(""), NULL);
	assert_condition(LIST("set('a') utf8mb4"), LIST("1;"), NULL);
	assert_condition(LIST("enum('a') utf8mb4"), LIST("x"), NULL);
	assert_condition(LIST("bit(64)"), LIST("123456789"), NULL);
	assert_condition(
	    LIST("date"), LIST("' OR '"), " WHERE `a`>'\\' OR \\''");
	assert_condition(LIST("double"), LIST("1"), NULL);
}

static void
takes_no_other_key(void **state)
{
	static const char *const keys[] = { "", "3", "31,", ",31", "31,32,33",
		"31,3g", "31,32 ", "31;32", "313,2", "31,3" };
	struct strbuf out = STRBUF_EMPTY;
	struct sample sample;
	struct table *table = make(&sample, LIST("int", "int"));

	(void)state;
	assert_int_equal(key_add_condition(table, "31,32", &out), 0);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_int_equal(key_add_condition(table, keys[i], &out), -1);
	strbuf_close(&out);
}

static void
refuses_a_key_without_room(void **state)
{
	struct sample sample;
	struct table *table = make(&sample, LIST("blob", "blob"));
	static char value[CURSOR_KEY_SIZE];
	const char *values[] = { value, value };
	unsigned long lengths[] = { CURSOR_KEY_SIZE / 4, 0 };
	char key[CURSOR_KEY_SIZE];

	(void)state;
	lengths[1] = CURSOR_KEY_SIZE / 4 - 1;
	assert_int_equal(key_save(table, values, lengths, key), 0);
	assert_int_equal(strlen(key), CURSOR_KEY_SIZE - 1);
	lengths[1]++;
	assert_int_equal(key_save(table, values, lengths, key), -1);
	values[0] = NULL;
	assert_int_equal(key_save(table, values, lengths, key), -1);
}

static void
assert_row(const char *type, const char *value, const char *expected)
{
	struct sample sample;
	struct table *table = make(&sample, LIST(type));
	unsigned long length = value != NULL ? strlen(value) : 0;
	struct strbuf text = STRBUF_EMPTY;

	table_add_row(table, &value, &length, &text);
	assert_string_equal(text.bytes, expected);
	assert_true(text.length <= table_row_bound(table, &length));
	strbuf_close(&text);
}

static void
writes_values_as_they_can_be_read(void **state)
{
	(void)state;
	assert_row("int", "-1", "(-1)");
	assert_row("int", NULL, "(NULL)");
	assert_row("double", "-0", "(-0e0)");
	assert_row("double(5,2)", "-0.00", "(-0.00e0)");
	assert_row("double", "-0.5", "(-0.5)");
	assert_row("time(6)", "-00:00:00.000001", "('-00:00:00.000001')");
	assert_row(
	    "text utf8mb4", "it's \xe2\x82\xac", "('it\\'s \xe2\x82\xac')");
	assert_row("text latin1", "plain", "('plain')");
	assert_row("text latin1", "\xe9t\xe9", "(_latin1'\xe9t\xe9')");
	assert_row("text latin2", "123456789\x7f", "(_latin2'123456789\x7f')");
	assert_row("text latin1", "\xff", "(_latin1'\xff')");
	assert_row("text swe7", "[", "(_swe7 X'5b')");
	assert_row("text utf16", "ab", "(_utf16 X'6162')");
	assert_row("text binary", "\xff'", "(_binary'\xff\\'')");
	assert_row("longblob", "'", "(_binary'\\'')");
	assert_row("bit(9)", "\x01\x02", "(X'0102')");
	assert_row("point", "\x7f", "(X'7f')");
	assert_row("enum('a') latin1", "a", "('a')");
	assert_row("enum('','a') latin1", "2", "(2)");
	assert_row("set('a','') utf16", "3", "(3)");
	assert_row("json", "{\"a\":1}", "('{\"a\":1}')");
	assert_row("uuid", "0-0", "('0-0')");
	assert_row("xyz", "?", "('?')");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spells_out_what_is_behind_a_key),
		cmocka_unit_test(compares_each_type_as_its_index_does),
		cmocka_unit_test(looks_up_each_member_of_an_enum),
		cmocka_unit_test(takes_nothing_but_values),
		cmocka_unit_test(takes_no_other_key),
		cmocka_unit_test(refuses_a_key_without_room),
		cmocka_unit_test(writes_values_as_they_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
