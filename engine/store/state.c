/* SPDX-License-Identifier: MIT */
#include "store/state.h"

#include "base/fault.h"
#include "store/fields.h"

#include <stddef.h>
#include <string.h>

#define STATE_VERSION 2

static const char *const spool_names[SPOOL_COUNT] = {
	[SPOOL_CATALOG] = "catalog",
	[SPOOL_MANIFEST] = "manifest",
	[SPOOL_SUMS] = "sums",
	[SPOOL_FRAMES] = "frames",
	[SPOOL_WARNINGS] = "warnings",
	[SPOOL_OBJECTS] = "objects",
	[SPOOL_DATABASES] = "databases",
};

/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define AT(member) .offset = offsetof(struct state, member)
#define NUMBER(n, m)                                   \
	{                                              \
		.name = n, .kind = FIELD_NUMBER, AT(m) \
	}
#define FLAG(n, m)                                   \
	{                                            \
		.name = n, .kind = FIELD_FLAG, AT(m) \
	}
#define BLOB(n, m, s)                                           \
	{                                                       \
		.name = n, .kind = FIELD_BLOB, AT(m), .size = s \
	}
#define TEXT(n, m, s)                                           \
	{                                                       \
		.name = n, .kind = FIELD_TEXT, AT(m), .size = s \
	}
#define EXTENT(n, m) NUMBER(n, m.length), NUMBER(n ".lines", m.lines)
/* NOLINTEND(bugprone-macro-parentheses) */

static const struct field state_fields[] = {
	TEXT("id", id, ID_SIZE),
	NUMBER("number", number),
	NUMBER("profile", profile),
	{ .name = "origin",
	    .kind = FIELD_WORD,
	    AT(origin),
	    .words = record_origin_words },
	BLOB("fingerprint", fingerprint, TOKEN_HASH_SIZE),
	NUMBER("started", started),
	TEXT("archive", archive, sizeof(((struct state *)NULL)->archive)),
	{ .name = "phase",
	    .kind = FIELD_WORD,
	    AT(phase),
	    .words = record_phase_words },
	TEXT("reason", reason, sizeof(((struct state *)NULL)->reason)),
	{ .name = "phase_ms",
	    .kind = FIELD_NUMBERS,
	    AT(phase_ms),
	    .size = PHASE_COUNT,
	    .count = offsetof(struct state, phase_count) },
	NUMBER("steps", steps),
	NUMBER("checkpoints", checkpoints),
	NUMBER("kills", kills),
	NUMBER("last_step", last_step),
	EXTENT("spool.catalog", spools[SPOOL_CATALOG]),
	EXTENT("spool.manifest", spools[SPOOL_MANIFEST]),
	EXTENT("spool.sums", spools[SPOOL_SUMS]),
	EXTENT("spool.frames", spools[SPOOL_FRAMES]),
	EXTENT("spool.warnings", spools[SPOOL_WARNINGS]),
	EXTENT("spool.objects", spools[SPOOL_OBJECTS]),
	EXTENT("spool.databases", spools[SPOOL_DATABASES]),
	NUMBER("volume", volume),
	NUMBER("plain", plain),
	NUMBER("dump.database", dump.database),
	NUMBER("dump.count", dump.count),
	NUMBER("dump.stage", dump.stage),
	NUMBER("dump.begin.volume", dump.begin.volume),
	EXTENT("dump.begin.manifest", dump.begin.manifest),
	EXTENT("dump.begin.sums", dump.begin.sums),
	EXTENT("dump.begin.frames", dump.begin.frames),
	EXTENT("dump.begin.warnings", dump.begin.warnings),
	EXTENT("dump.begin.objects", dump.begin.objects),
	NUMBER("dump.begin.warned", dump.begin.warned),
	NUMBER("dump.object", dump.object),
	NUMBER("dump.place.rows", dump.place.rows),
	TEXT("dump.place.structure", dump.place.structure,
	    sizeof(((struct dump_place *)NULL)->structure)),
	TEXT("dump.place.key", dump.place.key, CURSOR_KEY_SIZE),
	TEXT("dump.token", dump.token, DUMP_TOKEN_SIZE),
	TEXT("dump.server", dump.server, DUMP_SERVER_SIZE),
	TEXT("dump.where", dump.where, DUMP_WHERE_SIZE),
	FLAG("dump.per_chunk", dump.per_chunk),
	FLAG("dump.lone", dump.lone),
	NUMBER("dump.restarts", dump.restarts),
	NUMBER("dump.held", dump.held),
	NUMBER("dump.waits", dump.waits),
	NUMBER("dump.unanswered", dump.unanswered),
	NUMBER("dump.started", dump.started),
	NUMBER("dump.members", dump.members),
	NUMBER("dump.tables", dump.tables),
	NUMBER("dump.rows", dump.rows),
	NUMBER("dump.bytes", dump.bytes),
	NUMBER("dump.expected", dump.expected),
	NUMBER("dump.done", dump.done),
	NUMBER("walk.root", walk.root),
	NUMBER("walk.folder", walk.folder),
	NUMBER("walk.position", walk.position),
	NUMBER("walk.scan", walk.scan),
	FLAG("walk.has_folders", walk.has_folders),
	NUMBER("walk.changed_s", walk.changed_s),
	NUMBER("walk.changed_ns", walk.changed_ns),
	EXTENT("walk.catalog_begin", walk.catalog_begin),
	NUMBER("walk.entries_begin", walk.entries_begin),
	NUMBER("walk.linked_begin", walk.linked_begin),
	NUMBER("walk.bytes_begin", walk.bytes_begin),
	NUMBER("walk.again", walk.again),
	NUMBER("walk.entries", walk.entries),
	NUMBER("walk.linked", walk.linked),
	NUMBER("walk.bytes", walk.bytes),
	NUMBER("pack.catalog", pack.catalog),
	NUMBER("pack.folder", pack.folder),
	FLAG("pack.in_file", pack.in_file),
	NUMBER("pack.entry", pack.entry),
	NUMBER("pack.size", pack.size),
	NUMBER("pack.done", pack.done),
	NUMBER("pack.device", pack.device),
	NUMBER("pack.inode", pack.inode),
	NUMBER("pack.mode", pack.mode),
	NUMBER("pack.mtime_s", pack.mtime_s),
	NUMBER("pack.mtime_ns", pack.mtime_ns),
	FLAG("pack.changed", pack.changed),
	BLOB("pack.digest", pack.digest, CURSOR_DIGEST_SIZE),
	NUMBER("finish.member", finish.member),
	NUMBER("finish.spool", finish.spool),
	NUMBER("finish.done", finish.done),
	NUMBER("finish.crc", finish.crc),
	BLOB("finish.digest", finish.digest, CURSOR_DIGEST_SIZE),
	NUMBER("publish", publish),
	BLOB("manifest_sha256", manifest_sha256, TOKEN_HASH_SIZE),
	BLOB("sums_sha256", sums_sha256, TOKEN_HASH_SIZE),
	COUNTS_FIELDS(struct state),
	{ .name = "excluded_by",
	    .kind = FIELD_NUMBERS,
	    AT(excluded),
	    .size = STATE_PATTERNS_MAX,
	    .count = offsetof(struct state, excluded_count) },
	FIELD_END,
};

static const struct form state_form = { state_fields, STATE_VERSION, 0,
	STATE_FILE, STATE_SIZE_MAX };

const char *
state_spool_name(enum spool_id spool)
{
	return spool_names[spool];
}

/* What an HMAC cannot vouch for: that our own arithmetic was right. */
static int
check(const struct state *state, struct fault *fault)
{
	for (int i = 0; i < SPOOL_COUNT; i++)
		if (state->spools[i].length < 0 || state->spools[i].lines < 0)
			return fault_set(fault, FAULT_CORRUPT,
			    STATE_FILE ": a negative extent");
	if (state->volume < 0 || !datadir_is_id(state->id))
		return fault_set(
		    fault, FAULT_CORRUPT, STATE_FILE " makes no sense");
	return 0;
}

int
state_load(struct state *state, int jobfd, const struct keys *keys,
    struct fault *fault)
{
	memset(state, 0, sizeof(*state));
	if (fields_load(&state_form, state, keys->state, jobfd, fault) != 0)
		return -1;
	return check(state, fault);
}

int
state_parse(struct state *state, const char *text, size_t length,
    const struct keys *keys, struct fault *fault)
{
	memset(state, 0, sizeof(*state));
	if (fields_read(&state_form, state, keys->state, text, length, fault) !=
	    0)
		return -1;
	return check(state, fault);
}

int
state_save(const struct state *state, int jobfd, const struct keys *keys,
    struct fault *fault)
{
	return fields_save(&state_form, state, keys->state, jobfd, fault);
}
