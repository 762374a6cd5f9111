/* SPDX-License-Identifier: MIT */
#include "run/dumping.h"

#include "base/fault.h"
#include "pack/digest.h"
#include "pack/frames.h"
#include "pack/manifest.h"
#include "pack/tarball.h"
#include "run/job.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As much of an object's name as is in its member's. */
#define NAME_MAX_BYTES 60

/* A buffer that one huge row has swollen is not kept. */
#define TEXT_KEPT (2 * DUMP_PIECE_MAX)

void
dumping_reset(struct dump_cursor *cursor)
{
	cursor->object = 0;
	memset(&cursor->place, 0, sizeof(cursor->place));
	cursor->held = cursor->waits = 0;
	cursor->members = cursor->tables = cursor->rows = 0;
	cursor->bytes = cursor->expected = 0;
}

int
dumping_open_archive(struct job *job, struct fault *fault)
{
	struct dumping *dumping = job->phase;

	if (dumping->tarball != NULL)
		return 0;
	dumping->objects = job_spool(job, SPOOL_OBJECTS, fault);
	dumping->manifest = job_spool(job, SPOOL_MANIFEST, fault);
	dumping->sums = job_spool(job, SPOOL_SUMS, fault);
	dumping->frames = job_frames(job, 0, fault);
	if (dumping->objects == NULL || dumping->manifest == NULL ||
	    dumping->sums == NULL || dumping->frames == NULL)
		return -1;
	dumping->tarball = tarball_new();
	spool_reader_open(
	    &dumping->reader, dumping->objects, job->state.dump.object);
	return 0;
}

static void
drop_object(struct dumping *dumping)
{
	free(dumping->line);
	dumping->line = NULL;
	dump_object_close(&dumping->object);
	memset(&dumping->object, 0, sizeof(dumping->object));
}

void
dumping_close_archive(struct dumping *dumping)
{
	drop_object(dumping);
	spool_reader_close(&dumping->reader);
	tarball_free(dumping->tarball);
	dumping->tarball = NULL;
	dumping->frames = NULL;
	dumping->manifest = dumping->sums = dumping->objects = NULL;
	dumping->held = false;
}

void
dumping_seek(struct dumping *dumping, int64_t offset)
{
	drop_object(dumping);
	spool_reader_seek(&dumping->reader, offset);
}

int
dumping_next_object(struct dumping *dumping, struct fault *fault)
{
	size_t length;
	char *line;
	int found;

	drop_object(dumping);
	found = spool_next(&dumping->reader, &line, &length, fault);
	if (found <= 0)
		return found;
	dumping->line = strbuf_copy(line);
	return dump_object_parse(&dumping->object, dumping->line, fault);
}

int
dumping_read_list(struct job *job, struct strbuf *lines, struct fault *fault)
{
	struct spool *spool = job_spool(job, SPOOL_OBJECTS, fault);
	struct spool_reader reader;
	size_t length;
	char *line;
	int found;

	if (spool == NULL)
		return -1;
	spool_reader_open(&reader, spool, job->state.dump.begin.objects.length);
	while ((found = spool_next(&reader, &line, &length, fault)) > 0) {
		strbuf_add(lines, line, length);
		strbuf_addc(lines, '\n');
	}
	spool_reader_close(&reader);
	return found;
}

/* Safe in every file system, and in every shell. */
static void
add_plain(struct strbuf *out, const char *name)
{
	size_t length = strnlen(name, NAME_MAX_BYTES);

	for (size_t i = 0; i < length; i++) {
		char c = name[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '_' || c == '-';

		strbuf_addc(out, (char)(plain ? c : '_'));
	}
}

int
dumping_name_member(struct job *job, struct fault *fault)
{
	struct dumping *dumping = job->phase;
	struct dump_cursor *cursor = &job->state.dump;

	/* The names are to be loaded in their order. */
	if (++cursor->members > 999999)
		return fault_set(fault, FAULT_SYSTEM,
		    "the database has more than 999,999 pieces");
	strbuf_reset(&dumping->path);
	strbuf_addf(&dumping->path, "databases/%s/%06lld-%s",
	    dumping->feed.where.label, (long long)cursor->members,
	    dumping->object.kind);
	if (dumping->object.name[0] != '\0') {
		strbuf_addc(&dumping->path, '-');
		add_plain(&dumping->path, dumping->object.name);
	}
	strbuf_addstr(&dumping->path, ".sql");
	return 0;
}

static int
add_to_lists(struct dumping *dumping, const struct manifest_entry *entry,
    struct fault *fault)
{
	struct strbuf line = STRBUF_EMPTY;
	uint8_t hash[DIGEST_SIZE];
	struct digest digest;
	int result;

	digest_init(&digest);
	digest_add(&digest, dumping->text.bytes, dumping->text.length);
	digest_finish(&digest, hash);
	manifest_add(&line, entry);
	result =
	    spool_append(dumping->manifest, line.bytes, line.length, fault);
	strbuf_reset(&line);
	manifest_add_sum(&line, hash, entry->path);
	if (result == 0)
		result =
		    spool_append(dumping->sums, line.bytes, line.length, fault);
	strbuf_close(&line);
	return result;
}

int
dumping_add_member(struct job *job, struct fault *fault)
{
	struct dumping *dumping = job->phase;
	struct dump_cursor *cursor = &job->state.dump;
	struct tarball_entry header = { .path = dumping->path.bytes, .fd = -1 };
	struct manifest_entry entry = {
		.path = dumping->path.bytes,
		.type = "file",
		.mode = 0600,
		.mtime_s = job->state.started,
		.size = (int64_t)dumping->text.length,
	};
	int unused;

	header.st.st_mode = S_IFREG | 0600;
	header.st.st_size = entry.size;
	header.st.st_uid = geteuid();
	header.st.st_gid = getegid();
	header.st.st_mtim.tv_sec = job->state.started;
	if (tarball_header(dumping->tarball, dumping->frames, &header, &unused,
		fault) != 0 ||
	    frames_write(dumping->frames, dumping->text.bytes,
		dumping->text.length, fault) != 0 ||
	    tarball_pad(dumping->frames, entry.size, fault) != 0 ||
	    add_to_lists(dumping, &entry, fault) != 0)
		return -1;
	cursor->bytes += entry.size;
	cursor->done += entry.size;
	if (dumping->text.room > TEXT_KEPT)
		strbuf_close(&dumping->text);
	return 0;
}
