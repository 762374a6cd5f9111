/* SPDX-License-Identifier: MIT */
#include "source/dump_object.h"

#include "base/fault.h"
#include "source/db.h"
#include "source/sqlscript.h"
#include "source/sqltext.h"
#include "store/profile.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int
dump_show_row(struct dump *dump, struct dump_shown *shown,
    const struct strbuf *statement, struct fault *fault)
{
	const char *const *values;
	const unsigned long *lengths;
	unsigned columns;
	int status;

	memset(shown, 0, sizeof(*shown));
	if (db_query(dump->db, statement->bytes, statement->length, fault) != 0)
		return -1;
	columns = db_columns(dump->db);
	status = db_next(dump->db, &values, &lengths, fault);
	for (unsigned i = 0; status == 1 && i < columns && i < DUMP_SHOWN_MAX;
	     i++) {
		if (values[i] == NULL)
			continue;
		shown->lengths[i] = lengths[i];
		shown->values[i] = malloc(lengths[i] + 1);
		if (shown->values[i] == NULL)
			abort();
		memcpy(shown->values[i], values[i], lengths[i]);
		shown->values[i][lengths[i]] = '\0';
	}
	db_end_rows(dump->db);
	return status;
}

int
dump_show(struct dump *dump, struct dump_shown *shown, const char *statement,
    const char *name, struct fault *fault)
{
	struct strbuf text = STRBUF_EMPTY;
	int status;

	strbuf_addstr(&text, statement);
	sqltext_add_name(&text, name);
	status = dump_show_row(dump, shown, &text, fault);
	strbuf_close(&text);
	return status;
}

void
dump_shown_close(struct dump_shown *shown)
{
	for (int i = 0; i < DUMP_SHOWN_MAX; i++)
		free(shown->values[i]);
	memset(shown, 0, sizeof(*shown));
}

void
dump_add_condition(struct strbuf *out, const char *column, const char *value,
    const char *behind)
{
	strbuf_addf(out, " %s = ", column);
	sqltext_add_string(out, value, strlen(value));
	strbuf_addstr(out, behind);
}

void
dump_add_schema(struct strbuf *out, const char *column)
{
	strbuf_addf(out,
	    " %s = DATABASE() AND (@@lower_case_table_names <> 0 OR "
	    "BINARY %s = DATABASE()) AND",
	    column, column);
}

void
dump_add_named(struct strbuf *text, const char *words, const char *name)
{
	struct strbuf statement = STRBUF_EMPTY;

	strbuf_addstr(&statement, words);
	sqltext_add_name(&statement, name);
	sqlscript_add(text, statement.bytes, statement.length);
	strbuf_close(&statement);
}

void
dump_replace(struct strbuf *buf, size_t from, size_t to, const char *bytes,
    size_t length)
{
	struct strbuf new = STRBUF_EMPTY;

	assert(from <= to && to <= buf->length);
	strbuf_add(&new, buf->bytes, from);
	strbuf_add(&new, bytes, length);
	strbuf_add(&new, buf->bytes + to, buf->length - to);
	strbuf_close(buf);
	*buf = new;
}

bool
dump_is_wide(const char *charset)
{
	static const char *const wide[] = { "big5", "cp932", "gb18030", "gbk",
		"sjis" };

	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
		if (strcmp(wide[i], charset) == 0)
			return true;
	return false;
}

/* Behind a name in quotes of either kind, or a bare one. */
static const char *
skip_name(const char *text)
{
	char quote = *text;

	if (quote != '`' && quote != '"')
		return text + strcspn(text, " @");
	for (text++; *text != '\0'; text++)
		if (*text == quote && *++text != quote)
			break;
	return text;
}

bool
dump_find_definer(const char *statement, size_t *from, size_t *to)
{
	/* Before it there are only words. */
	size_t words = strcspn(statement, "`\"'");
	const char *definer = strstr(statement, "DEFINER=");
	const char *end;

	if (definer == NULL || (size_t)(definer - statement) > words)
		return false;
	end = skip_name(definer + strlen("DEFINER="));
	if (*end == '@')
		end = skip_name(end + 1);
	if (*end != ' ')
		return false;
	*from = (size_t)(definer - statement);
	*to = (size_t)(end + 1 - statement);
	return true;
}

void
dump_set_definer(const struct dump *dump, bool owned, struct strbuf *create)
{
	size_t from, to;

	if ((!owned || dump->terms.profile->definers == DEFINERS_DROP) &&
	    dump_find_definer(create->bytes, &from, &to))
		dump_replace(create, from, to, "", 0);
}

/*
 * The character set and collation of the whole, without its name: it may be
 * loaded under another.  The comment is MariaDB's, and the statement that sets
 * it only of servers that can prepare it.
 */
static enum dump_outcome
read_database(struct dump *dump, const struct dump_line *line,
    struct strbuf *text, struct fault *fault)
{
	struct strbuf query = STRBUF_EMPTY, comment = STRBUF_EMPTY;
	struct dump_shown shown;
	int status;

	strbuf_addf(text, "ALTER DATABASE CHARACTER SET %s COLLATE %s;\n",
	    dump->facts.charset, dump->facts.collation);
	strbuf_addstr(
	    &query, "SELECT * FROM information_schema.SCHEMATA WHERE");
	dump_add_schema(&query, "SCHEMA_NAME");
	strbuf_addstr(&query, " TRUE");
	status = dump_show_row(dump, &shown, &query, fault);
	if (status == 1 && db_is_mariadb(dump->db) && shown.lengths[5] > 0) {
		strbuf_addstr(&comment, "ALTER DATABASE COMMENT ");
		sqltext_add_string(&comment, shown.values[5], shown.lengths[5]);
		sqlscript_add_text(text, comment.bytes, comment.length);
		strbuf_addstr(text,
		    "/*M!100602 PREPARE stepvault FROM @stepvault */;\n"
		    "/*M!100602 EXECUTE stepvault */;\n"
		    "/*M!100602 DEALLOCATE PREPARE stepvault */;\n");
	}
	strbuf_close(&query);
	strbuf_close(&comment);
	dump_shown_close(&shown);
	return status < 0 ? dump_failed(dump, line->name, fault) : DUMP_ENDED;
}

/* Its row is put in as it is: SETVAL would only ever go forward. */
static void
add_position(
    const struct dump_shown *row, const char *name, struct strbuf *text)
{
	struct strbuf statement = STRBUF_EMPTY;

	strbuf_addstr(&statement, "INSERT INTO ");
	sqltext_add_name(&statement, name);
	for (int i = 0; i < DUMP_SHOWN_MAX; i++)
		strbuf_addf(&statement, "%s%s", i > 0 ? "," : " VALUES (",
		    row->values[i] != NULL ? row->values[i] : "NULL");
	strbuf_addc(&statement, ')');
	sqlscript_add(text, statement.bytes, statement.length);
	strbuf_close(&statement);
}

static enum dump_outcome
read_sequence(struct dump *dump, const struct dump_line *line,
    struct strbuf *text, struct fault *fault)
{
	struct dump_shown create = { 0 }, row = { 0 };
	enum dump_outcome outcome = DUMP_ENDED;
	int status;

	status = dump_show(
	    dump, &create, "SHOW CREATE SEQUENCE ", line->name, fault);
	if (status == 1)
		status =
		    dump_show(dump, &row, "SELECT * FROM ", line->name, fault);
	if (status == 1 && create.values[1] != NULL) {
		dump_add_named(text, "DROP TABLE IF EXISTS ", line->name);
		sqlscript_add(text, create.values[1], create.lengths[1]);
		add_position(&row, line->name, text);
	} else {
		outcome = status < 0 ? dump_failed(dump, line->name, fault)
				     : dump_vanished(line, fault);
	}
	dump_shown_close(&create);
	dump_shown_close(&row);
	return outcome;
}

enum dump_outcome
dump_vanished(const struct dump_line *line, struct fault *fault)
{
	fault_set(fault, FAULT_RETRY, "the %s %s is not what it was",
	    dump_kind_name(line->kind), line->name);
	return DUMP_AGAIN;
}

/* What is to be said of the function is said when it is read itself. */
static enum dump_outcome
read_standin(struct dump *dump, const struct dump_line *line,
    struct strbuf *text, struct fault *fault)
{
	struct dump_line function = *line;
	struct strbuf notes = STRBUF_EMPTY;
	enum dump_outcome outcome;

	function.kind = DUMP_FUNCTION;
	outcome =
	    dump_program_read(dump, &function, false, text, &notes, fault);
	strbuf_close(&notes);
	return outcome;
}

static enum dump_outcome
read_object(struct dump *dump, const struct dump_line *line,
    struct strbuf *text, struct strbuf *notes, struct fault *fault)
{
	switch (line->kind) {
	case DUMP_DATABASE:
		return read_database(dump, line, text, fault);
	case DUMP_SEQUENCE:
		return read_sequence(dump, line, text, fault);
	case DUMP_STANDIN:
		return read_standin(dump, line, text, fault);
	case DUMP_PLACEHOLDER:
	case DUMP_VIEW:
		return dump_view_read(
		    dump, line, line->kind == DUMP_VIEW, text, notes, fault);
	case DUMP_FUNCTION:
	case DUMP_PROCEDURE:
	case DUMP_PACKAGE:
	case DUMP_PACKAGE_BODY:
	case DUMP_TRIGGER:
	case DUMP_EVENT:
		return dump_program_read(dump, line, true, text, notes, fault);
	case DUMP_TABLE:
	case DUMP_KIND_COUNT:
		break;
	}
	abort();
}

enum dump_outcome
dump_object_read(struct dump *dump, const struct dump_line *line,
    struct strbuf *text, struct strbuf *notes, struct fault *fault)
{
	size_t before = text->length, noted = notes->length;
	enum dump_outcome outcome;

	dump_begin_piece(text);
	outcome = read_object(dump, line, text, notes, fault);
	dump_end_piece(text);
	if (outcome != DUMP_ENDED) {
		strbuf_cut(text, before);
		strbuf_cut(notes, noted);
	}
	return outcome;
}
