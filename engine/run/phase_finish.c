/* SPDX-License-Identifier: MIT */
/*
 * The last members of the archive (what is in it, the files' hashes, how to
 * restore by hand), its end, and for zstd the seek table: one skippable frame
 * with the lengths of all frames, as "Zstandard Seekable Format" in zstd's
 * contrib/seekable_format describes it.
 */
#include "base/crc32c.h"
#include "base/fault.h"
#include "base/stamp.h"
#include "base/strbuf.h"
#include "pack/digest.h"
#include "pack/frames.h"
#include "pack/tarball.h"
#include "run/job.h"
#include "run/phase.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A unit is this many lines of a spool, or bytes of one of them. */
#define LINES_PER_UNIT 256
#define BYTES_PER_UNIT (64 * 1024)

/*
 * Hexadecimal digits without end: the short matches that higher levels find
 * in them cost more than the digits, and much time (-10 % at zstd:1).
 */
#define DIGITS_LEVEL 1

#define SEEK_MAGIC       0x184d2a5eU
#define SEEK_FOOT_MAGIC  0x8f92eab1U
#define SEEK_FOOT_LENGTH 9

/* The members in their order, the cursor's values. */
enum member {
	MEMBER_MANIFEST,
	MEMBER_SUMS,
	MEMBER_RESTORE,
	MEMBER_END,
	MEMBER_SEEK_TABLE,
	MEMBER_NONE,
};

struct finishing {
	struct frames *frames;
	struct volume *volume;
	struct tarball *tarball;
	struct spool *spool; /* of the member at hand */
	struct spool_reader reader;
	struct digest digest;
	struct strbuf bytes;
};

static const char restore_text[] =
    "This archive was made by Stepvault.  It needs nothing of Stepvault to be\n"
    "restored:\n"
    "\n"
    "  tar -xf ARCHIVE            unpacks a single file; numbered parts go\n"
    "                             through  ls -v ARCHIVE.* | xargs cat |\n"
    "                             tar -xf - (with --zstd, -z or -J, as their\n"
    "                             name ends)\n"
    "  tar -xpf ... --xattrs --xattrs-include='*' --acls, as root, restores\n"
    "                             owners, permissions, attributes and ACLs\n"
    "  sha256sum -c stepvault/SHA256SUMS\n"
    "                             checks every file, where it was unpacked\n"
    "\n"
    "files/       the site's folder\n"
    "extra/NAME/  further folders\n"
    "databases/   dumps, if there are any; each into an empty database, in\n"
    "             order of name:\n"
    "             cat databases/NAME/*.sql | mariadb --binary-mode DATABASE\n"
    "stepvault/   manifest.jsonl: one line of JSON for each entry\n";

static const enum spool_id member_spools[] = {
	[MEMBER_MANIFEST] = SPOOL_MANIFEST,
	[MEMBER_SUMS] = SPOOL_SUMS,
	[MEMBER_SEEK_TABLE] = SPOOL_FRAMES,
};

static bool
has_spool(enum member member)
{
	return member == MEMBER_MANIFEST || member == MEMBER_SUMS ||
	    member == MEMBER_SEEK_TABLE;
}

/* Open what the member at hand is made from. */
static int
open_member(struct job *job, struct fault *fault)
{
	struct finishing *finishing = job->phase;
	struct finish_cursor *cursor = &job->state.finish;
	enum member member = (enum member)cursor->member;

	spool_reader_close(&finishing->reader);
	finishing->spool = NULL;
	if (!has_spool(member))
		return 0;
	finishing->spool = job_spool(job, member_spools[member], fault);
	if (finishing->spool == NULL)
		return -1;
	spool_reader_open(&finishing->reader, finishing->spool, cursor->spool);
	return 0;
}

static int
open_finish(struct job *job, struct fault *fault)
{
	struct finishing *finishing = calloc(1, sizeof(*finishing));
	struct finish_cursor *cursor = &job->state.finish;
	int level =
	    job->profile->compression.codec == CODEC_ZSTD ? DIGITS_LEVEL : 0;

	if (finishing == NULL)
		abort();
	job->phase = finishing;
	finishing->tarball = tarball_new();
	finishing->frames = job_frames(job, level, fault);
	finishing->volume = job_volume(job, fault);
	if (finishing->frames == NULL || finishing->volume == NULL)
		return -1;
	if (cursor->spool == 0 && cursor->done == 0)
		digest_init(&finishing->digest);
	else if (digest_load(&finishing->digest, cursor->digest) != 0)
		return fault_set(fault, FAULT_CORRUPT,
		    STATE_FILE ": a running hash makes no sense");
	return open_member(job, fault);
}

static int
begin_body(struct job *job, const char *path, int64_t size, struct fault *fault)
{
	struct finishing *finishing = job->phase;
	struct tarball_entry entry = { .path = path, .fd = -1 };
	int unused;

	entry.st.st_mode = S_IFREG | 0644;
	entry.st.st_size = size;
	entry.st.st_uid = geteuid();
	entry.st.st_gid = getegid();
	entry.st.st_mtim.tv_sec = job->state.started;
	return tarball_header(
	    finishing->tarball, finishing->frames, &entry, &unused, fault);
}

static enum phase_outcome
next_member(struct job *job, struct fault *fault)
{
	struct finishing *finishing = job->phase;
	struct finish_cursor *cursor = &job->state.finish;

	cursor->member++;
	cursor->spool = cursor->done = 0;
	digest_init(&finishing->digest);
	if (cursor->member == MEMBER_NONE)
		return PHASE_ENDED;
	return open_member(job, fault) != 0 ? PHASE_FAULT : PHASE_MORE;
}

/* A unit of a member that is the lines of a spool. */
static enum phase_outcome
copy_lines(struct job *job, const char *path, struct fault *fault)
{
	struct finishing *finishing = job->phase;
	struct finish_cursor *cursor = &job->state.finish;
	const struct extent *extent = &finishing->spool->extent;
	int64_t size = extent->length - SPOOL_OVERHEAD * extent->lines;
	struct strbuf *bytes = &finishing->bytes;
	size_t length;
	char *line;
	int found = 1;

	if (cursor->spool == 0 && begin_body(job, path, size, fault) != 0)
		return PHASE_FAULT;
	strbuf_reset(bytes);
	for (int i = 0; i < LINES_PER_UNIT && bytes->length < BYTES_PER_UNIT;
	     i++) {
		found = spool_next(&finishing->reader, &line, &length, fault);
		if (found <= 0)
			break;
		strbuf_add(bytes, line, length);
		strbuf_addc(bytes, '\n');
	}
	if (found < 0 ||
	    frames_write(
		finishing->frames, bytes->bytes, bytes->length, fault) != 0)
		return PHASE_FAULT;
	digest_add(&finishing->digest, bytes->bytes, bytes->length);
	cursor->spool = finishing->reader.offset;
	cursor->done += (int64_t)bytes->length;
	if (found > 0)
		return PHASE_MORE;
	if (cursor->done != size)
		return fault_set(fault, FAULT_CORRUPT,
		    "the spool '%s' has another number of lines than its "
		    "state says",
		    finishing->spool->name);
	digest_finish(&finishing->digest,
	    cursor->member == MEMBER_MANIFEST ? job->state.manifest_sha256
					      : job->state.sums_sha256);
	if (tarball_pad(finishing->frames, size, fault) != 0)
		return PHASE_FAULT;
	return next_member(job, fault);
}

static enum phase_outcome
add_restore_text(struct job *job, struct fault *fault)
{
	struct finishing *finishing = job->phase;
	struct strbuf *text = &finishing->bytes;
	char when[STAMP_TEXT_SIZE];

	strbuf_reset(text);
	strbuf_addf(text, "Backup %s, begun at %s.\n\n%s", job->state.id,
	    stamp_text(job->state.started, when), restore_text);
	if (begin_body(job, "stepvault/RESTORE.txt", (int64_t)text->length,
		fault) != 0 ||
	    frames_write(finishing->frames, text->bytes, text->length, fault) !=
		0 ||
	    tarball_pad(finishing->frames, (int64_t)text->length, fault) != 0)
		return PHASE_FAULT;
	return next_member(job, fault);
}

/* From here on the volume is ours: no frame comes any more. */
static enum phase_outcome
end_archive(struct job *job, struct fault *fault)
{
	struct finishing *finishing = job->phase;

	if (tarball_end(finishing->frames, fault) != 0 ||
	    frames_flush(finishing->frames, fault) != 0)
		return PHASE_FAULT;
	return next_member(job, fault);
}

static void
add_le32(struct strbuf *bytes, uint32_t number)
{
	for (int shift = 0; shift < 32; shift += 8)
		strbuf_addc(bytes, (char)(number >> shift & 0xff));
}

/* Put the lengths of a line of the frames spool into the seek table. */
static int
add_seek_entry(
    struct job *job, const char *line, size_t length, struct fault *fault)
{
	struct finishing *finishing = job->phase;
	long long offset, packed, plain;
	unsigned crc;
	int end;

	/* NOLINTNEXTLINE(cert-err34-c): too large comes out as too large */
	if (sscanf(line, "%lld %lld %lld %8x%n", &offset, &packed, &plain, &crc,
		&end) != 4 ||
	    (size_t)end != length || packed < 0 || packed > UINT32_MAX ||
	    plain < 0 || plain > UINT32_MAX)
		return fault_set(fault, FAULT_CORRUPT,
		    "the spool 'frames' has a line that makes no sense");
	add_le32(&finishing->bytes, (uint32_t)packed);
	add_le32(&finishing->bytes, (uint32_t)plain);
	job->state.plain += plain;
	return 0;
}

/* The archive ends; the seek table has a line of its own, of no plain bytes. */
static enum phase_outcome
end_seek_table(struct job *job, struct fault *fault)
{
	struct finishing *finishing = job->phase;
	struct finish_cursor *cursor = &job->state.finish;
	struct strbuf *line = &finishing->bytes;

	if (cursor->done > 0) {
		strbuf_reset(line);
		strbuf_addf(line, "%lld %lld 0 %08x",
		    (long long)(finishing->volume->length - cursor->done),
		    (long long)cursor->done, (unsigned)cursor->crc);
		if (spool_append(finishing->spool, line->bytes, line->length,
			fault) != 0)
			return PHASE_FAULT;
	}
	return next_member(job, fault);
}

/*
 * A unit of the seek table.  Every line of the frames spool is read, and
 * thereby checked, for archives without a table too.
 */
static enum phase_outcome
add_seek_table(struct job *job, struct fault *fault)
{
	struct finishing *finishing = job->phase;
	struct finish_cursor *cursor = &job->state.finish;
	struct strbuf *bytes = &finishing->bytes;
	int64_t count = finishing->spool->extent.lines;
	bool wanted = job->profile->compression.codec == CODEC_ZSTD &&
	    count <= (UINT32_MAX - SEEK_FOOT_LENGTH) / 8;
	size_t length;
	char *line;
	int found = 1;

	strbuf_reset(bytes);
	if (cursor->spool == 0) {
		add_le32(bytes, SEEK_MAGIC);
		add_le32(bytes, (uint32_t)(count * 8 + SEEK_FOOT_LENGTH));
	}
	for (int i = 0; i < LINES_PER_UNIT && found > 0; i++) {
		found = spool_next(&finishing->reader, &line, &length, fault);
		if (found > 0 && add_seek_entry(job, line, length, fault) != 0)
			return PHASE_FAULT;
	}
	if (found < 0)
		return PHASE_FAULT;
	if (found == 0) {
		add_le32(bytes, (uint32_t)count);
		strbuf_addc(bytes, 0);
		add_le32(bytes, SEEK_FOOT_MAGIC);
	}
	if (wanted) {
		if (volume_append(finishing->volume, bytes->bytes,
			bytes->length, fault) != 0)
			return PHASE_FAULT;
		cursor->crc =
		    crc32c((uint32_t)cursor->crc, bytes->bytes, bytes->length);
		cursor->done += (int64_t)bytes->length;
	}
	cursor->spool = finishing->reader.offset;
	return found == 0 ? end_seek_table(job, fault) : PHASE_MORE;
}

static enum phase_outcome
finish_next(struct job *job, struct fault *fault)
{
	switch ((enum member)job->state.finish.member) {
	case MEMBER_MANIFEST:
		return copy_lines(job, "stepvault/manifest.jsonl", fault);
	case MEMBER_SUMS:
		return copy_lines(job, "stepvault/SHA256SUMS", fault);
	case MEMBER_RESTORE:
		return add_restore_text(job, fault);
	case MEMBER_END:
		return end_archive(job, fault);
	case MEMBER_SEEK_TABLE:
		return add_seek_table(job, fault);
	case MEMBER_NONE:
		return PHASE_ENDED;
	}
	return fault_set(
	    fault, FAULT_CORRUPT, STATE_FILE ": a member that there is not");
}

static void
save_finish(struct job *job)
{
	struct finishing *finishing = job->phase;

	digest_save(&finishing->digest, job->state.finish.digest);
}

static void
close_finish(struct job *job)
{
	struct finishing *finishing = job->phase;

	frames_close(job->frames);
	job->frames = NULL;
	if (finishing == NULL)
		return;
	spool_reader_close(&finishing->reader);
	tarball_free(finishing->tarball);
	strbuf_close(&finishing->bytes);
	free(finishing);
	job->phase = NULL;
}

const struct phase phase_finish = {
	.open = open_finish,
	.step = finish_next,
	.save = save_finish,
	.close = close_finish,
};
