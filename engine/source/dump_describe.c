/* SPDX-License-Identifier: MIT */
#include "source/dump_table.h"

#include "base/fault.h"
#include "base/strbuf.h"
#include "source/db.h"
#include "source/sqlscript.h"
#include "source/sqltext.h"
#include "store/token.h"

#include <stdlib.h>
#include <string.h>

void
column_close(struct column *column)
{
	free(column->name);
	free(column->type);
	free(column->charset);
}

void
table_free(struct table *table)
{
	if (table == NULL)
		return;
	for (size_t i = 0; i < table->column_count; i++)
		column_close(&table->columns[i]);
	free(table->columns);
	free(table->inserted);
	free(table->name);
	free(table->create);
	free(table->insert);
	free(table->key_name);
	free(table);
}

static void *
grow(void *items, size_t count, size_t size)
{
	/* In powers of two. */
	if ((count & (count - 1)) == 0)
		items = reallocarray(items, count > 0 ? 2 * count : 1, size);
	if (items == NULL)
		abort();
	return items;
}

/* Where the options of a table begin in what SHOW CREATE TABLE says. */
static const char *
find_options(const char *create)
{
	const char *options = NULL, *at = create;

	while ((at = strstr(at, "\n) ENGINE=")) != NULL)
		options = at++;
	return options != NULL ? options : create + strlen(create);
}

/* The next AUTO_INCREMENT is no part of the structure. */
static void
hash_structure(const char *create, char hash[65])
{
	struct strbuf text = STRBUF_EMPTY;
	uint8_t bytes[TOKEN_HASH_SIZE];
	const char *from = strstr(find_options(create), " AUTO_INCREMENT=");
	const char *rest = from;

	if (from == NULL)
		from = rest = create + strlen(create);
	else
		rest += strcspn(rest, "=") + 1;
	rest += strspn(rest, "0123456789");
	strbuf_add(&text, create, (size_t)(from - create));
	strbuf_addstr(&text, rest);
	token_hash(text.bytes, text.length, bytes);
	strbuf_reset(&text);
	strbuf_add_hex(&text, bytes, sizeof(bytes));
	memcpy(hash, text.bytes, 65);
	strbuf_close(&text);
}

/* Query something about the table, with its name quoted behind. */
static int
query_about(
    struct dump *dump, const char *what, const char *name, struct fault *fault)
{
	struct strbuf query = STRBUF_EMPTY;
	int status;

	strbuf_addstr(&query, what);
	sqltext_add_name(&query, name);
	status = db_query(dump->db, query.bytes, query.length, fault);
	strbuf_close(&query);
	return status;
}

/* It is a table no more. */
static enum dump_outcome
changed(const char *name, struct fault *fault)
{
	fault_set(fault, FAULT_RETRY,
	    "the structure of the table %s was changed while it was dumped",
	    name);
	return DUMP_AGAIN;
}

static enum dump_outcome
show_create(
    struct dump *dump, const char *name, char **create, struct fault *fault)
{
	const char *const *values;
	const unsigned long *lengths;
	bool is_table;

	*create = NULL;
	if (dump_set_raw(dump, false, fault) != 0 ||
	    query_about(dump, "SHOW CREATE TABLE ", name, fault) != 0)
		return dump_failed(dump, name, fault);
	is_table = db_columns(dump->db) == 2 &&
	    strcmp(db_column_name(dump->db, 0), "Table") == 0;
	switch (db_next(dump->db, &values, &lengths, fault)) {
	case 1:
		if (is_table && values[1] != NULL)
			*create = strbuf_copy_part(values[1], lengths[1]);
		break;
	case 0:
		break;
	default:
		return dump_failed(dump, name, fault);
	}
	db_end_rows(dump->db);
	return *create != NULL ? DUMP_MORE : changed(name, fault);
}

/* The character set is what a collation's name begins with. */
void
column_set(struct column *column, const char *type, const char *collation,
    const char *nullable)
{
	*column = (struct column){ .type = strbuf_copy(type) };
	if (collation != NULL)
		column->charset =
		    strbuf_copy_part(collation, strcspn(collation, "_"));
	column->nullable = nullable == NULL || strcmp(nullable, "NO") != 0;
	column_choose_form(column);
}

static void
add_column(struct table *table, const char *const *values)
{
	const char *extra = values[6];
	struct column *column;

	table->columns =
	    grow(table->columns, table->column_count, sizeof(*column));
	column = &table->columns[table->column_count++];
	column_set(column, values[1], values[2], values[3]);
	column->name = strbuf_copy(values[0]);
	/* Not DEFAULT_GENERATED, which is a default that is an expression. */
	column->generated = extra != NULL &&
	    (strstr(extra, "VIRTUAL") != NULL ||
		strstr(extra, "PERSISTENT") != NULL ||
		strstr(extra, "STORED GENERATED") != NULL);
}

static enum dump_outcome
ask_columns(struct dump *dump, struct table *table, struct fault *fault)
{
	const char *const *values;
	const unsigned long *lengths;
	int status;

	if (query_about(dump, "SHOW FULL COLUMNS FROM ", table->name, fault) !=
	    0)
		return dump_failed(dump, table->name, fault);
	while ((status = db_next(dump->db, &values, &lengths, fault)) == 1)
		if (values[0] != NULL && values[1] != NULL)
			add_column(table, values);
	if (status < 0)
		return dump_failed(dump, table->name, fault);
	table->inserted =
	    calloc(table->column_count + 1, sizeof(table->inserted[0]));
	if (table->inserted == NULL)
		abort();
	for (size_t i = 0; i < table->column_count; i++)
		if (!table->columns[i].generated)
			table->inserted[table->inserted_count++] = i;
	return DUMP_MORE;
}

static int
find_field(const struct db *db, const char *name)
{
	for (unsigned i = 0; i < db_columns(db); i++)
		if (strcasecmp(db_column_name(db, i), name) == 0)
			return (int)i;
	return -1;
}

void
index_find_fields(const struct db *db, struct index_fields *fields)
{
	fields->not_unique = find_field(db, "Non_unique");
	fields->key_name = find_field(db, "Key_name");
	fields->column_name = find_field(db, "Column_name");
	fields->order = find_field(db, "Collation");
	fields->part = find_field(db, "Sub_part");
	fields->type = find_field(db, "Index_type");
	fields->visible = find_field(db, "Visible");
	if (fields->visible < 0)
		fields->visible = find_field(db, "Is_visible");
	fields->ignored = find_field(db, "Ignored");
}

static bool
has_value(const char *const *values, int field, const char *value)
{
	if (field < 0)
		return false;
	if (value == NULL || values[field] == NULL)
		return value == values[field];
	return strcmp(values[field], value) == 0;
}

bool
index_is_usable(const struct index_fields *fields, const char *const *values)
{
	return has_value(values, fields->not_unique, "0") &&
	    has_value(values, fields->order, "A") &&
	    has_value(values, fields->part, NULL) &&
	    !has_value(values, fields->visible, "NO") &&
	    !has_value(values, fields->ignored, "YES") &&
	    (has_value(values, fields->type, "BTREE") ||
		has_value(values, fields->type, "LSMTREE"));
}

bool
column_is_usable(const struct column *column)
{
	return !column->nullable && column->key_form != KEY_NONE;
}

/* The column, if rows can be read in the order of this part of an index. */
static const struct column *
find_usable(const struct table *table, const char *const *values,
    const struct index_fields *fields)
{
	const struct column *column = NULL;

	if (!index_is_usable(fields, values))
		return NULL;
	for (size_t i = 0; i < table->column_count; i++)
		if (has_value(
			values, fields->column_name, table->columns[i].name))
			column = &table->columns[i];
	return column != NULL && column_is_usable(column) ? column : NULL;
}

struct search {
	struct table *table;
	struct index_fields fields;
	bool usable;   /* the index at hand is */
	bool complete; /* the one before was, and is the key */
};

/* One part of an index, in their order; the first that can be used is it. */
static void
add_index_part(struct search *search, const char *const *values)
{
	struct table *table = search->table;
	const struct column *column =
	    find_usable(table, values, &search->fields);
	const char *name = values[search->fields.key_name];

	if (has_value(values, search->fields.not_unique, "1"))
		table->indexed_late = true;
	if (table->key_name == NULL || strcmp(table->key_name, name) != 0) {
		search->complete |= search->usable;
		if (search->complete)
			return;
		free(table->key_name);
		table->key_name = strbuf_copy(name);
		table->key_count = 0;
		search->usable = true;
	}
	if (column == NULL || table->key_count == TABLE_KEY_MAX)
		search->usable = false;
	else
		table->key_columns[table->key_count++] =
		    (size_t)(column - table->columns);
}

static enum dump_outcome
ask_key(struct dump *dump, struct table *table, struct fault *fault)
{
	struct search search = { .table = table };
	const char *const *values;
	const unsigned long *lengths;
	int status;

	if (query_about(dump, "SHOW INDEX FROM ", table->name, fault) != 0)
		return dump_failed(dump, table->name, fault);
	index_find_fields(dump->db, &search.fields);
	while ((status = db_next(dump->db, &values, &lengths, fault)) == 1)
		add_index_part(&search, values);
	if (status < 0)
		return dump_failed(dump, table->name, fault);
	if (!search.usable)
		table->key_count = 0;
	key_find_fields(table);
	return DUMP_MORE;
}

static void
begin_insert(struct table *table)
{
	struct strbuf text = STRBUF_EMPTY;

	strbuf_addstr(&text, "INSERT INTO ");
	sqltext_add_name(&text, table->name);
	strbuf_addstr(&text, " (");
	for (size_t i = 0; i < table->inserted_count; i++) {
		if (i > 0)
			strbuf_addc(&text, ',');
		sqltext_add_name(
		    &text, table->columns[table->inserted[i]].name);
	}
	table->odd = !sqlscript_is_plain(text.bytes, text.length);
	strbuf_addstr(&text, ") VALUES\n");
	table->insert = text.bytes;
}

static bool
is_of_engine(const struct table *table, const char *engine)
{
	const char *options = find_options(table->create);
	size_t length = strlen(engine);

	options += strcspn(options, "=");
	return *options == '=' && strncmp(options + 1, engine, length) == 0 &&
	    strchr(" \n", options[1 + length]) != NULL;
}

static enum dump_outcome
describe(struct dump *dump, struct table *table, const struct dump_line *line,
    struct fault *fault)
{
	enum dump_outcome outcome =
	    show_create(dump, table->name, &table->create, fault);

	if (table->create == NULL)
		return outcome;
	hash_structure(table->create, table->structure);
	outcome = ask_columns(dump, table, fault);
	if (outcome == DUMP_MORE)
		outcome = ask_key(dump, table, fault);
	if (outcome != DUMP_MORE)
		return outcome;
	begin_insert(table);
	table->covered = line->covered;
	table->is_innodb = is_of_engine(table, "InnoDB");
	if (!is_of_engine(table, "MyISAM") && !is_of_engine(table, "Aria"))
		table->indexed_late = false;
	table->row_bytes = line->rows > 0 ? line->bytes / line->rows + 1 : 1;
	return DUMP_MORE;
}

/* The table described last is the one that is wanted. */
static bool
is_described(const struct dump *dump, const struct dump_line *line,
    const struct dump_place *place)
{
	return dump->table != NULL &&
	    strcmp(dump->table->name, line->name) == 0 &&
	    strcmp(dump->table->structure, place->structure) == 0;
}

enum dump_outcome
dump_describe(struct dump *dump, const struct dump_line *line,
    const struct dump_place *place, struct fault *fault)
{
	enum dump_outcome outcome;

	if (is_described(dump, line, place))
		return DUMP_MORE;
	dump_table_drop(dump);
	dump->table = calloc(1, sizeof(*dump->table));
	if (dump->table == NULL)
		abort();
	dump->table->name = strbuf_copy(line->name);
	outcome = describe(dump, dump->table, line, fault);
	if (outcome == DUMP_MORE && place->structure[0] != '\0' &&
	    strcmp(place->structure, dump->table->structure) != 0)
		outcome = changed(line->name, fault);
	if (outcome != DUMP_MORE)
		dump_table_drop(dump);
	return outcome;
}

enum dump_outcome
dump_describe_again(struct dump *dump, struct fault *fault)
{
	const struct table *table = dump->table;
	char hash[sizeof(table->structure)], *create;
	enum dump_outcome outcome =
	    show_create(dump, table->name, &create, fault);

	if (create == NULL)
		return outcome;
	hash_structure(create, hash);
	free(create);
	return strcmp(hash, table->structure) == 0
	    ? DUMP_MORE
	    : changed(table->name, fault);
}
