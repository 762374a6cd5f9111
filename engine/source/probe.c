/* SPDX-License-Identifier: MIT */
#include "source/probe.h"

#include "base/fault.h"
#include "base/strbuf.h"
#include "source/db.h"
#include "source/privileges.h"
#include "source/site.h"
#include "store/database.h"
#include "store/fields.h"
#include "store/profile.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How often the list is asked for while something is locked, every second. */
#define LIST_TRIES 10

static void
add_item(struct probe_items *items, const char *name, const char *text)
{
	struct probe_item *item;

	items->all =
	    reallocarray(items->all, (size_t)items->count + 1, sizeof(*item));
	if (items->all == NULL)
		abort();
	item = &items->all[items->count++];
	item->name = strbuf_copy(name);
	item->text = text != NULL ? strbuf_copy(text) : NULL;
}

static void
free_items(struct probe_items *items)
{
	for (int i = 0; i < items->count; i++) {
		free(items->all[i].name);
		free(items->all[i].text);
	}
	free(items->all);
}

void
probe_close(struct probe *probe)
{
	free(probe->label);
	free(probe->address);
	free(probe->problem);
	free(probe->no_snapshot);
	free(probe->server);
	free(probe->cipher);
	free_items(&probe->lacking);
	free_items(&probe->uncovered);
	free_items(&probe->keyless);
	free_items(&probe->notes);
	memset(probe, 0, sizeof(*probe));
}

/* How the connection is encrypted.  Both servers say it in this way only. */
static int
probe_cipher(struct probe *probe, struct db *db, struct fault *fault)
{
	const char *const *values;
	const unsigned long *lengths;
	int status;

	if (db_queryf(db, fault, "SHOW SESSION STATUS LIKE 'Ssl_cipher'") != 0)
		return -1;
	status = db_next(db, &values, &lengths, fault);
	if (status == 1 && values[1] != NULL && values[1][0] != '\0')
		probe->cipher = strbuf_copy(values[1]);
	db_end_rows(db);
	return status < 0 ? -1 : 0;
}

static int
probe_privileges(struct probe *probe, struct db *db,
    const struct database *where, struct fault *fault)
{
	struct privileges *privileges;

	if (privileges_read(&privileges, db, where->name, fault) != 0)
		return -1;
	for (int i = 0; i < PRIVILEGE_COUNT; i++)
		if (!privileges_has(privileges, (enum privilege)i))
			add_item(&probe->lacking,
			    privileges_name((enum privilege)i),
			    privileges_loss((enum privilege)i));
	privileges_free(privileges);
	return 0;
}

/* By a connection of its own. */
static int
probe_server(
    struct probe *probe, const struct database *where, struct fault *fault)
{
	struct db *db;
	int result = -1;

	if (db_open(&db, where, fault) != 0)
		return -1;
	if (probe_cipher(probe, db, fault) == 0)
		result = probe_privileges(probe, db, where, fault);
	db_close(db);
	return result;
}

/* With a snapshot or, if there is none, without. */
static struct dump *
open_dump(struct probe *probe, struct dump_terms *terms, struct fault *fault)
{
	struct dump *dump;

	terms->snapshot = true;
	if (dump_open(&dump, terms, fault) == 0)
		return dump;
	probe->no_snapshot = strbuf_copy(fault->text);
	terms->snapshot = false;
	return dump_open(&dump, terms, fault) == 0 ? dump : NULL;
}

static int
take_object(struct probe *probe, const char *line, struct fault *fault)
{
	struct dump_object object;

	if (dump_object_parse(&object, line, fault) != 0)
		return -1;
	probe->tables += strcmp(object.kind, "table") == 0;
	if (object.is_table) {
		probe->bytes += object.bytes;
		if (!object.covered)
			add_item(&probe->uncovered, object.name, NULL);
		if (object.keyless)
			add_item(&probe->keyless, object.name, NULL);
	}
	dump_object_close(&object);
	return 0;
}

static int
take_note(struct probe *probe, char *line)
{
	char *tab = strchr(line, '\t');

	if (tab == NULL)
		return -1;
	*tab = '\0';
	if (strbuf_unescape(line) < 0)
		return -1;
	add_item(&probe->notes, line, tab + 1);
	return 0;
}

static int
take_lists(struct probe *probe, struct strbuf *lines, struct strbuf *notes,
    struct fault *fault)
{
	char *line, *rest;

	for (line = strtok_r(lines->bytes, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest))
		if (take_object(probe, line, fault) != 0)
			return -1;
	for (line = notes->length > 0 ? strtok_r(notes->bytes, "\n", &rest)
				      : NULL;
	     line != NULL; line = strtok_r(NULL, "\n", &rest))
		if (take_note(probe, line) != 0)
			return fault_set(
			    fault, FAULT_CORRUPT, "a note is none");
	return 0;
}

static int
probe_objects(struct probe *probe, struct dump *dump, struct fault *fault)
{
	struct strbuf lines = STRBUF_EMPTY, notes = STRBUF_EMPTY;
	enum dump_outcome outcome = DUMP_WAIT;
	int result = -1;

	for (int i = 0; i < LIST_TRIES && outcome == DUMP_WAIT; i++) {
		if (i > 0)
			sleep(1);
		outcome = dump_list(dump, &lines, &notes, fault);
	}
	if (outcome == DUMP_ENDED)
		result = take_lists(probe, &lines, &notes, fault);
	else if (outcome == DUMP_WAIT && fault->code == FAULT_NONE)
		fault_set(fault, FAULT_RETRY,
		    "something in the database is locked all the time");
	strbuf_close(&lines);
	strbuf_close(&notes);
	return result;
}

static int
probe_dump(struct probe *probe, const struct profile *profile,
    const struct database *where, struct fault *fault)
{
	struct dump_terms terms = { .profile = profile, .database = where };
	struct dump *dump = open_dump(probe, &terms, fault);
	int result;

	if (dump == NULL)
		return -1;
	probe->server = strbuf_copy(dump_facts(dump)->server);
	result = probe_objects(probe, dump, fault);
	dump_close(dump);
	return result;
}

/* Without user and password. */
static char *
address_of(const struct database *where)
{
	struct strbuf out = STRBUF_EMPTY;

	database_show(where, &out);
	return out.bytes;
}

void
probe_database(struct probe *probe, const struct profile *profile,
    const struct database *named)
{
	struct database where;
	struct fault fault;
	int result;

	memset(probe, 0, sizeof(*probe));
	probe->address = address_of(named);
	if (named->label != NULL)
		probe->label = strbuf_copy(named->label);
	result = site_database(profile->site, named, &where, &fault);
	if (result == 0) {
		free(probe->address);
		free(probe->label);
		probe->address = address_of(&where);
		probe->label = strbuf_copy(where.label);
		result = probe_server(probe, &where, &fault);
	}
	if (result == 0)
		result = probe_dump(probe, profile, &where, &fault);
	if (result != 0)
		probe->problem = strbuf_copy(fault.text);
	database_close(&where);
}

/* -- JSON -------------------------------------------------------------------
 */

#define AT(member) .offset = offsetof(struct probe_item, member)

static const struct field name_fields[] = {
	{ .name = "name", .kind = FIELD_STRING, AT(name) },
	FIELD_END,
};

static const struct field lacking_fields[] = {
	{ .name = "privilege", .kind = FIELD_STRING, AT(name) },
	{ .name = "loss", .kind = FIELD_STRING, AT(text) },
	FIELD_END,
};

static const struct field note_fields[] = {
	{ .name = "object", .kind = FIELD_STRING, AT(name) },
	{ .name = "note", .kind = FIELD_STRING, AT(text) },
	FIELD_END,
};

#undef AT
#define AT(member) .offset = offsetof(struct probe, member)
#define ITEMS(all, number)                            \
	.kind = FIELD_LIST, .size = INT_MAX, AT(all), \
	.count = offsetof(struct probe, number),      \
	.stride = sizeof(struct probe_item)

static const struct field probe_fields[] = {
	{ .name = "label", .kind = FIELD_STRING, AT(label) },
	{ .name = "address", .kind = FIELD_STRING, AT(address) },
	{ .name = "problem", .kind = FIELD_STRING, AT(problem) },
	{ .name = "server", .kind = FIELD_STRING, AT(server) },
	{ .name = "cipher", .kind = FIELD_STRING, AT(cipher) },
	{ .name = "no_snapshot", .kind = FIELD_STRING, AT(no_snapshot) },
	{ .name = "tables", .kind = FIELD_NUMBER, AT(tables) },
	{ .name = "bytes", .kind = FIELD_NUMBER, AT(bytes) },
	{ .name = "lacking",
	    ITEMS(lacking.all, lacking.count),
	    .fields = lacking_fields },
	{ .name = "uncovered",
	    ITEMS(uncovered.all, uncovered.count),
	    .fields = name_fields },
	{ .name = "keyless",
	    ITEMS(keyless.all, keyless.count),
	    .fields = name_fields },
	{ .name = "notes",
	    ITEMS(notes.all, notes.count),
	    .fields = note_fields },
	FIELD_END,
};

void
probe_print(const struct probe *probe, struct strbuf *out)
{
	static const struct form form = { probe_fields, 1, 2, "probe",
		INT_MAX };

	fields_write(&form, probe, NULL, out);
}
