/* SPDX-License-Identifier: MIT */
#include "store/record.h"

#include "base/fault.h"
#include "base/fsio.h"
#include "base/strbuf.h"
#include "store/fields.h"
#include "store/profile.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD_VERSION  2
#define RECORD_SIZE_MAX (64 * 1024 * 1024)

/* A path is cut to this in a warning; the log has it whole. */
#define WARNING_PATH_MAX 4096

const char *const record_phase_words[] = { "init", "dump", "walk", "pack",
	"finish", "publish", "prune", "notify", NULL };
const char *const record_status_words[] = { "running", "complete", "failed",
	NULL };
const char *const record_consistency_words[] = { "snapshot", "per-chunk",
	NULL };
const char *const record_origin_words[] = { "frontend", "cli", NULL };

static const struct field part_fields[] = {
	{ .name = "name",
	    .kind = FIELD_STRING,
	    .offset = offsetof(struct record_part, name) },
	{ .name = "size",
	    .kind = FIELD_NUMBER,
	    .offset = offsetof(struct record_part, size) },
	FIELD_END,
};

#define AT(member) .offset = offsetof(struct record_database, member)

static const struct field database_fields[] = {
	{ .name = "name", .kind = FIELD_STRING, AT(name) },
	{ .name = "server", .kind = FIELD_STRING, AT(server) },
	{ .name = "consistency",
	    .kind = FIELD_WORD,
	    AT(consistency),
	    .words = record_consistency_words },
	{ .name = "tables", .kind = FIELD_NUMBER, AT(tables) },
	{ .name = "rows", .kind = FIELD_NUMBER, AT(rows) },
	{ .name = "bytes", .kind = FIELD_NUMBER, AT(bytes) },
	{ .name = "seconds", .kind = FIELD_NUMBER, AT(seconds) },
	{ .name = "restarts", .kind = FIELD_NUMBER, AT(restarts) },
	{ .name = "warnings", .kind = FIELD_NUMBER, AT(warnings) },
	FIELD_END,
};

#undef AT

static const struct form database_form = { database_fields, RECORD_VERSION, 0,
	"database", 64 * 1024 };

static const struct field warning_fields[] = {
	{ .name = "path",
	    .kind = FIELD_STRING,
	    .offset = offsetof(struct record_warning, path) },
	{ .name = "reason",
	    .kind = FIELD_STRING,
	    .offset = offsetof(struct record_warning, reason) },
	FIELD_END,
};

#define AT(member) .offset = offsetof(struct record, member)

static const struct field record_fields[] = {
	{ .name = "id", .kind = FIELD_TEXT, AT(id), .size = ID_SIZE },
	{ .name = "number", .kind = FIELD_NUMBER, AT(number) },
	{ .name = "profile", .kind = FIELD_NUMBER, AT(profile) },
	{ .name = "profile_name", .kind = FIELD_STRING, AT(profile_name) },
	{ .name = "origin",
	    .kind = FIELD_WORD,
	    AT(origin),
	    .words = record_origin_words },
	{ .name = "status",
	    .kind = FIELD_WORD,
	    AT(status),
	    .words = record_status_words },
	{ .name = "reason", .kind = FIELD_STRING, AT(reason) },
	{ .name = "started", .kind = FIELD_NUMBER, AT(started) },
	{ .name = "ended", .kind = FIELD_NUMBER, AT(ended) },
	{ .name = "phase_ms",
	    .kind = FIELD_NUMBERS,
	    AT(phase_ms),
	    .size = PHASE_COUNT,
	    .count = offsetof(struct record, phase_count) },
	{ .name = "steps", .kind = FIELD_NUMBER, AT(steps) },
	{ .name = "checkpoints", .kind = FIELD_NUMBER, AT(checkpoints) },
	{ .name = "kills", .kind = FIELD_NUMBER, AT(kills) },
	COUNTS_FIELDS(struct record),
	{ .name = "plain_size", .kind = FIELD_NUMBER, AT(plain_size) },
	{ .name = "archive_size", .kind = FIELD_NUMBER, AT(archive_size) },
	{ .name = "parts",
	    .kind = FIELD_LIST,
	    AT(parts),
	    .size = RECORD_PARTS_MAX,
	    .fields = part_fields,
	    .count = offsetof(struct record, part_count),
	    .stride = sizeof(struct record_part) },
	{ .name = "frames", .kind = FIELD_NUMBER, AT(frames) },
	{ .name = "frames_sha256",
	    .kind = FIELD_BLOB,
	    AT(frames_sha256),
	    .size = TOKEN_HASH_SIZE },
	{ .name = "manifest_sha256",
	    .kind = FIELD_BLOB,
	    AT(manifest_sha256),
	    .size = TOKEN_HASH_SIZE },
	{ .name = "sums_sha256",
	    .kind = FIELD_BLOB,
	    AT(sums_sha256),
	    .size = TOKEN_HASH_SIZE },
	{ .name = "database_list",
	    .kind = FIELD_LIST,
	    AT(databases),
	    .size = PROFILE_DATABASES_MAX,
	    .fields = database_fields,
	    .count = offsetof(struct record, database_count),
	    .stride = sizeof(struct record_database) },
	{ .name = "warning_list",
	    .kind = FIELD_LIST,
	    AT(warnings),
	    .size = RECORD_WARNINGS_MAX,
	    .fields = warning_fields,
	    .count = offsetof(struct record, warning_count),
	    .stride = sizeof(struct record_warning) },
	FIELD_END,
};

static const struct form record_form = { record_fields, RECORD_VERSION, 2,
	RECORD_FILE, RECORD_SIZE_MAX };

int
record_load(struct record *record, const struct datadir *datadir,
    const char *id, enum record_trust trust, struct fault *fault)
{
	int dirfd = fsio_open(datadir->backups, id, O_DIRECTORY);
	int result;

	memset(record, 0, sizeof(*record));
	if (dirfd < 0)
		return fault_errno(fault, "backup %s", id);
	result = fields_load(&record_form, record,
	    trust == RECORD_STRICT ? datadir->keys.state : NULL, dirfd, fault);
	close(dirfd);
	if (result == 0 && strcmp(record->id, id) != 0)
		result = fault_set(fault, FAULT_CORRUPT,
		    RECORD_FILE " is that of another backup");
	return result != 0 ? fault_wrap(fault, "backup %s", id) : 0;
}

int
record_save(const struct record *record, int dirfd, const struct keys *keys,
    struct fault *fault)
{
	return fields_save(&record_form, record, keys->state, dirfd, fault);
}

void
record_print(const struct record *record, int indent, struct strbuf *out)
{
	struct form form = record_form;

	form.indent = indent;
	fields_write(&form, record, NULL, out);
}

void
record_close(struct record *record)
{
	fields_free(record_fields, record);
	memset(record, 0, sizeof(*record));
}

void
record_database_write(
    const struct record_database *database, struct strbuf *line)
{
	fields_write(&database_form, database, NULL, line);
	strbuf_cut(line, line->length - 1); /* its newline */
}

int
record_database_read(struct record_database *database, const char *line,
    size_t length, struct fault *fault)
{
	memset(database, 0, sizeof(*database));
	return fields_read(&database_form, database, NULL, line, length, fault);
}

void
record_database_close(struct record_database *database)
{
	fields_free(database_fields, database);
}

void
record_add_database(
    struct record *record, const struct record_database *database)
{
	struct record_database *databases = realloc(record->databases,
	    ((size_t)record->database_count + 1) * sizeof(*databases));

	if (databases == NULL)
		abort();
	record->databases = databases;
	databases[record->database_count++] = *database;
}

void
record_add_part(struct record *record, const char *name, int64_t size)
{
	struct record_part *parts = realloc(
	    record->parts, ((size_t)record->part_count + 1) * sizeof(*parts));

	if (parts == NULL)
		abort();
	record->parts = parts;
	parts[record->part_count++] =
	    (struct record_part){ strbuf_copy(name), size };
}

void
record_add_warning(struct record *record, const char *path, const char *reason)
{
	struct record_warning *warnings = realloc(record->warnings,
	    ((size_t)record->warning_count + 1) * sizeof(*warnings));

	if (warnings == NULL)
		abort();
	record->warnings = warnings;
	warnings[record->warning_count++] =
	    (struct record_warning){ strbuf_copy_part(path, WARNING_PATH_MAX),
		    strbuf_copy(reason) };
}
