/* SPDX-License-Identifier: MIT */
/*
 * The lines of SHOW GRANTS, as both servers write them:
 *
 *	GRANT SELECT, SHOW VIEW ON `shop\_%`.* TO `me`@`localhost`
 *	GRANT SELECT (`id`), INSERT ON `shop`.`cart` TO `me`@`localhost`
 *	REVOKE SELECT ON `shop`.* FROM `me`@`localhost`
 *
 * and others, of roles, routines and proxies, which do not matter here.
 */
#include "source/privileges.h"

#include "base/fault.h"
#include "base/strbuf.h"
#include "source/db.h"

#include <stdlib.h>
#include <string.h>

#define BIT(privilege) (1U << (privilege))
#define ALL            (BIT(PRIVILEGE_COUNT) - 1)

/* The server does not look at privileges at all. */
#define SKIPS_GRANTS 1290

struct on_table {
	char *name;
	unsigned held;
};

struct privileges {
	unsigned held; /* on the schema, a BIT of each */
	struct on_table *tables;
	int table_count;
};

/* What a line says. */
struct grant {
	const char *on; /* pattern of schemas */
	const char *table;
	unsigned given;
	bool take; /* it is taken away */
};

static const struct {
	const char *name;
	const char *loss;
} words[PRIVILEGE_COUNT] = {
	[PRIVILEGE_SELECT] = { "SELECT", "rows and structure of its tables" },
	[PRIVILEGE_SHOW_VIEW] = { "SHOW VIEW", "its views" },
	[PRIVILEGE_TRIGGER] = { "TRIGGER", "its triggers" },
	[PRIVILEGE_EVENT] = { "EVENT", "its events" },
	[PRIVILEGE_ROUTINES] = { "SELECT on mysql.proc (MariaDB), SHOW CREATE "
				 "ROUTINE (MariaDB 11.3) or SHOW_ROUTINE "
				 "(MySQL 8)",
	    "its functions and procedures that another user has defined" },
	[PRIVILEGE_ROUTINE_NAMES] = { "EXECUTE",
	    "its functions and procedures" },
};

/* What the name of a privilege gives, on all that it is granted on. */
static const struct {
	const char *name;
	unsigned gives;
} names[] = {
	{ "SELECT", BIT(PRIVILEGE_SELECT) },
	{ "SHOW VIEW", BIT(PRIVILEGE_SHOW_VIEW) },
	{ "TRIGGER", BIT(PRIVILEGE_TRIGGER) },
	{ "EVENT", BIT(PRIVILEGE_EVENT) },
	{ "EXECUTE", BIT(PRIVILEGE_ROUTINE_NAMES) },
	{ "CREATE ROUTINE", BIT(PRIVILEGE_ROUTINE_NAMES) },
	{ "ALTER ROUTINE", BIT(PRIVILEGE_ROUTINE_NAMES) },
	{ "SHOW CREATE ROUTINE",
	    BIT(PRIVILEGE_ROUTINES) | BIT(PRIVILEGE_ROUTINE_NAMES) },
	{ "SHOW_ROUTINE",
	    BIT(PRIVILEGE_ROUTINES) | BIT(PRIVILEGE_ROUTINE_NAMES) },
	{ "ALL PRIVILEGES", ALL & ~BIT(PRIVILEGE_ROUTINES) },
};

static unsigned
given_by(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i].name) == length &&
		    memcmp(names[i].name, name, length) == 0)
			return names[i].gives;
	return 0;
}

/* Of a privilege in a list, with the columns that stand behind it. */
static size_t
item_length(const char *text)
{
	bool quoted = false;
	int depth = 0;
	size_t i;

	for (i = 0; text[i] != '\0'; i++) {
		if (text[i] == '`')
			quoted = !quoted;
		if (quoted)
			continue;
		if (text[i] == '(')
			depth++;
		else if (text[i] == ')')
			depth--;
		if (depth == 0 &&
		    (text[i] == ',' || strncmp(text + i, " ON ", 4) == 0))
			break;
	}
	return i;
}

/*
 * What a list of privileges gives; the place behind its " ON ", or NULL.  A
 * privilege on some of the columns gives nothing.
 */
static const char *
read_list(const char *text, unsigned *given)
{
	*given = 0;
	for (;;) {
		size_t length = item_length(text);

		*given |= given_by(text, length);
		text += length;
		if (*text != ',')
			return *text == ' ' ? text + 4 : NULL;
		text += 1 + strspn(text + 1, " ");
	}
}

/* Read `name` or * and what must stand behind it; the place behind, or NULL. */
static const char *
read_name(const char *text, char behind, struct strbuf *name)
{
	strbuf_reset(name);
	if (*text == '*') {
		strbuf_addc(name, *text++);
	} else if (*text == '`') {
		for (text++; *text != '\0'; text++) {
			if (*text == '`' && *++text != '`')
				break;
			strbuf_addc(name, *text);
		}
	} else {
		return NULL;
	}
	return *text == behind ? text + 1 : NULL;
}

/* A pattern of LIKE: % and _, and \ before one that stands for itself. */
static bool
is_like(const char *pattern, const char *name)
{
	const char *retry = NULL, *retry_name = NULL;

	while (*name != '\0') {
		bool plain = *pattern == '\\' && pattern[1] != '\0';
		const char *letter = pattern + plain;

		if (!plain && *pattern == '%') {
			retry = ++pattern;
			retry_name = name;
		} else if (*letter == *name || (!plain && *letter == '_')) {
			pattern = letter + 1;
			name++;
		} else if (retry != NULL) {
			pattern = retry;
			name = ++retry_name;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "%")] == '\0';
}

static void
change(unsigned *held, unsigned given, bool take)
{
	*held = take ? *held & ~given : *held | given;
}

static void
change_on_table(
    struct privileges *privileges, const char *table, unsigned given, bool take)
{
	int i = 0;

	while (i < privileges->table_count &&
	    strcmp(privileges->tables[i].name, table) != 0)
		i++;
	if (i == privileges->table_count) {
		privileges->tables = reallocarray(
		    privileges->tables, (size_t)i + 1, sizeof(struct on_table));
		if (privileges->tables == NULL)
			abort();
		privileges->tables[i] =
		    (struct on_table){ .name = strbuf_copy(table) };
		privileges->table_count++;
	}
	change(&privileges->tables[i].held, given, take);
}

/* Routines can be read by who can read the table that they are kept in. */
static bool
has_routines(const char *schema, const char *table)
{
	return is_like(schema, "mysql") &&
	    (strcmp(table, "*") == 0 || strcmp(table, "proc") == 0);
}

static void
apply(struct privileges *privileges, const struct grant *grant,
    const char *schema)
{
	if ((grant->given & BIT(PRIVILEGE_SELECT)) != 0 &&
	    has_routines(grant->on, grant->table))
		change(&privileges->held,
		    BIT(PRIVILEGE_ROUTINES) | BIT(PRIVILEGE_ROUTINE_NAMES),
		    grant->take);
	if (!is_like(grant->on, schema))
		return;
	if (strcmp(grant->table, "*") == 0)
		change(&privileges->held, grant->given, grant->take);
	else
		change_on_table(
		    privileges, grant->table, grant->given, grant->take);
}

static void
read_line(struct privileges *privileges, const char *line, const char *schema)
{
	struct strbuf on = STRBUF_EMPTY, table = STRBUF_EMPTY;
	struct grant grant = { .take = strncmp(line, "REVOKE ", 7) == 0 };

	if (!grant.take && strncmp(line, "GRANT ", 6) != 0)
		return;
	line = read_list(line + (grant.take ? 7 : 6), &grant.given);
	if (line != NULL)
		line = read_name(line, '.', &on);
	if (line != NULL)
		line = read_name(line, ' ', &table);
	if (line != NULL && grant.given != 0) {
		grant.on =
		    strcmp(strbuf_text(&on), "*") == 0 ? "%" : strbuf_text(&on);
		grant.table = strbuf_text(&table);
		apply(privileges, &grant, schema);
	}
	strbuf_close(&on);
	strbuf_close(&table);
}

int
privileges_read(struct privileges **out, struct db *db, const char *schema,
    struct fault *fault)
{
	struct privileges *privileges = calloc(1, sizeof(*privileges));
	const char *const *values;
	const unsigned long *lengths;
	int status;

	if (privileges == NULL)
		abort();
	*out = privileges;
	status = db_queryf(db, fault, "SHOW GRANTS");
	if (status != 0 && db_errno(db) == SKIPS_GRANTS) {
		privileges->held = ALL;
		return 0;
	}
	if (status == 0)
		while ((status = db_next(db, &values, &lengths, fault)) == 1)
			read_line(privileges, values[0], schema);
	if (status == 0)
		return 0;
	privileges_free(privileges);
	*out = NULL;
	return fault_wrap(fault, "what the database user may do");
}

void
privileges_free(struct privileges *privileges)
{
	if (privileges == NULL)
		return;
	for (int i = 0; i < privileges->table_count; i++)
		free(privileges->tables[i].name);
	free(privileges->tables);
	free(privileges);
}

bool
privileges_has(const struct privileges *privileges, enum privilege privilege)
{
	return (privileges->held & BIT(privilege)) != 0;
}

bool
privileges_has_on(const struct privileges *privileges, enum privilege privilege,
    const char *table)
{
	if (privileges_has(privileges, privilege))
		return true;
	for (int i = 0; i < privileges->table_count; i++)
		if (strcmp(privileges->tables[i].name, table) == 0)
			return (privileges->tables[i].held & BIT(privilege)) !=
			    0;
	return false;
}

const char *
privileges_name(enum privilege privilege)
{
	return words[privilege].name;
}

const char *
privileges_loss(enum privilege privilege)
{
	return words[privilege].loss;
}
