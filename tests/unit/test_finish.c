/* SPDX-License-Identifier: MIT */
/* The end of an archive: its last members, and the table of its frames. */
#include "check.h"
#include "dice.h"
#include "tool.h"

#include "base/crc32c.h"
#include "pack/frames.h"
#include "pack/tarball.h"
#include "run/engine.h"
#include "run/job.h"
#include "run/phase.h"
#include "store/config.h"

#include <locale.h>
#include <sys/stat.h>

#define ID      "20260102-030405-abcdefghijklmnop"
#define FILES   40
#define LINES   3000
#define ARCHIVE "site.tar"

/* What a job needs, without a site. */
struct bench {
	struct engine engine;
	struct config config;
	struct profile profile;
	struct job job;
	const char *path;
	struct fault fault;
};

/* Open the job, at what its state says. */
static void
open_job(struct bench *bench, const struct state *at)
{
	struct job *job = &bench->job;
	int dirfd = open(bench->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	memset(job, 0, sizeof(*job));
	job->engine = &bench->engine;
	job->profile = &bench->profile;
	job->links = (struct links)LINKS_CLOSED;
	job->volume = (struct volume)VOLUME_CLOSED;
	job->log = (struct logbook)LOGBOOK_CLOSED;
	job->jobfd = openat(dirfd, "job", O_RDONLY | O_CLOEXEC);
	job->backupfd = openat(dirfd, "backup", O_RDONLY | O_CLOEXEC);
	assert_true(job->jobfd >= 0 && job->backupfd >= 0);
	close(dirfd);
	job->state = *at;
}

/* Killed: what was committed is there, and nothing else. */
static void
kill_job(struct bench *bench)
{
	struct state state;

	assert_fine(state_load(&state, bench->job.jobfd,
			&bench->engine.datadir.keys, &bench->fault),
	    &bench->fault);
	phase_finish.close(&bench->job);
	job_close(&bench->job);
	open_job(bench, &state);
}

static void
checkpoint(struct bench *bench)
{
	assert_fine(job_checkpoint(&bench->job, &bench->fault), &bench->fault);
}

/* Some files, in some frames. */
static void
pack_files(struct bench *bench)
{
	struct frames *frames = job_frames(&bench->job, 0, &bench->fault);
	struct tarball *tarball = tarball_new();
	char body[10000], path[32];

	for (int i = 0; i < FILES; i++) {
		struct tarball_entry entry = { .path = path, .fd = -1 };
		int unused;

		snprintf(path, sizeof(path), "files/%d", i);
		memset(body, 'a' + i % 26, sizeof(body));
		entry.st.st_mode = S_IFREG | 0644;
		entry.st.st_size = (off_t)sizeof(body) - i;
		assert_fine(tarball_header(tarball, frames, &entry, &unused,
				&bench->fault),
		    &bench->fault);
		assert_fine(frames_write(frames, body, sizeof(body) - (size_t)i,
				&bench->fault),
		    &bench->fault);
		assert_fine(
		    tarball_pad(frames, entry.st.st_size, &bench->fault),
		    &bench->fault);
		if (i % 7 == 0)
			checkpoint(bench);
	}
	tarball_free(tarball);
}

/* The lines of the manifest and the sums, as a file in the directory too. */
static void
fill_spool(struct bench *bench, enum spool_id id, const char *copy)
{
	struct spool *spool = job_spool(&bench->job, id, &bench->fault);
	struct strbuf all = STRBUF_EMPTY;

	assert_non_null(spool);
	for (int i = 0; i < LINES; i++) {
		char line[300];
		int length = snprintf(
		    line, sizeof(line), "%d %d %*s|", id, i, i * 7 % 250, "");

		assert_fine(
		    spool_append(spool, line, (size_t)length, &bench->fault),
		    &bench->fault);
		strbuf_addf(&all, "%s\n", line);
	}
	tool_write(bench->path, copy, all.bytes, all.length);
	strbuf_close(&all);
}

static struct bench *
begin(void **state, struct compression compression, int64_t part_size)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct state *start = calloc(1, sizeof(*start));

	assert_true(bench != NULL && start != NULL);
	bench->path = *state;
	bench->engine.config = &bench->config;
	bench->config.workers = 1;
	pace_init(&bench->engine.pace);
	bench->profile.compression = compression;
	bench->profile.part_size = part_size;
	memcpy(start->id, ID, sizeof(ID));
	snprintf(start->archive, sizeof(start->archive), "%s", ARCHIVE);
	start->started = 1700000000;
	assert_int_equal(
	    tool_run(*state, "rm -rf job backup; mkdir job backup"), 0);
	open_job(bench, start);
	free(start);
	fill_spool(bench, SPOOL_MANIFEST, "manifest");
	fill_spool(bench, SPOOL_SUMS, "sums");
	pack_files(bench);
	checkpoint(bench);
	frames_close(bench->job.frames);
	bench->job.frames = NULL;
	return bench;
}

static void
end(struct bench *bench)
{
	job_close(&bench->job);
	free(bench);
}

/* Do the phase; with dice, be killed now and then. */
static void
finish(struct bench *bench, struct dice *dice)
{
	enum phase_outcome outcome = PHASE_MORE;
	struct job *job = &bench->job;

	assert_fine(phase_finish.open(job, &bench->fault), &bench->fault);
	for (int i = 0; outcome == PHASE_MORE; i++) {
		assert_true(i < 1000);
		outcome = phase_finish.step(job, &bench->fault);
		if (outcome == PHASE_FAULT)
			fail_msg("%s", bench->fault.text);
		if (dice == NULL || outcome == PHASE_ENDED)
			continue;
		if (dice_roll(dice, 2) == 0) {
			phase_finish.save(job);
			checkpoint(bench);
		} else if (dice_roll(dice, 4) == 0) {
			kill_job(bench);
			assert_fine(phase_finish.open(job, &bench->fault),
			    &bench->fault);
		}
	}
	phase_finish.save(job);
	checkpoint(bench);
	phase_finish.close(job);
}

/* The archive, its parts together, in the file "whole"; and unpacked. */
static void
unpack(struct bench *bench, const char *command)
{
	assert_int_equal(
	    tool_run(bench->path,
		"cat backup/" ARCHIVE "*.partial >whole && %s <whole >tar && "
		"rm -rf out && mkdir out && tar -xf tar -C out && "
		"bsdtar -tf tar >list && test $(wc -l <list) = %d && "
		"tail -3 list | tr '\\n' ' ' >last",
		command, FILES + 3),
	    0);
}

static void
assert_members(struct bench *bench)
{
	struct strbuf text = STRBUF_EMPTY;

	tool_read(bench->path, "last", &text);
	assert_string_equal(text.bytes,
	    "stepvault/manifest.jsonl stepvault/SHA256SUMS "
	    "stepvault/RESTORE.txt ");
	assert_int_equal(
	    tool_run(bench->path,
		"cmp manifest out/stepvault/manifest.jsonl && "
		"cmp sums out/stepvault/SHA256SUMS && "
		"test $(stat -c %%Y out/stepvault/RESTORE.txt) = 1700000000"),
	    0);
	/* The state knows the hashes of the two lists. */
	strbuf_reset(&text);
	strbuf_add_hex(
	    &text, bench->job.state.manifest_sha256, TOKEN_HASH_SIZE);
	strbuf_addstr(&text, "  manifest\n");
	strbuf_add_hex(&text, bench->job.state.sums_sha256, TOKEN_HASH_SIZE);
	strbuf_addstr(&text, "  sums\n");
	tool_write(bench->path, "hashes", text.bytes, text.length);
	assert_int_equal(
	    tool_run(bench->path, "sha256sum --quiet --strict -c hashes"), 0);
	strbuf_close(&text);
}

static uint32_t
le32(const char *bytes)
{
	uint32_t number = 0;

	for (int i = 3; i >= 0; i--)
		number = number << 8 | (uint8_t)bytes[i];
	return number;
}

/* The frame's bytes, unpacked by zstd alone, are the next of the stream. */
static void
assert_frame(struct bench *bench, const char *packed, uint32_t length,
    const char *plain, uint32_t plain_length)
{
	struct strbuf one = STRBUF_EMPTY;

	tool_write(bench->path, "one", packed, length);
	assert_int_equal(tool_run(bench->path, "zstd -dcq <one >one.plain"), 0);
	tool_read(bench->path, "one.plain", &one);
	assert_int_equal(one.length, plain_length);
	assert_memory_equal(one.bytes, plain, plain_length);
	strbuf_close(&one);
}

/*
 * As who has only the archive reads it (zstd_seekable_compression_format.md):
 * the footer at its end, the table before it, the frames before that.
 */
static void
assert_seek_table(struct bench *bench)
{
	struct strbuf whole = STRBUF_EMPTY, tar = STRBUF_EMPTY;
	size_t count, size, at = 0, plain_at = 0;
	const char *footer, *table;

	tool_read(bench->path, "whole", &whole);
	tool_read(bench->path, "tar", &tar);
	footer = whole.bytes + whole.length - 9;
	assert_int_equal(le32(footer + 5), 0x8f92eab1);
	assert_int_equal(footer[4], 0); /* no checksums, nothing reserved */
	count = le32(footer);
	assert_true(count > 5);
	size = 8 + 8 * count + 9;
	table = whole.bytes + whole.length - size;
	assert_int_equal(le32(table), 0x184d2a5e);
	assert_int_equal(le32(table + 4), size - 8);
	for (size_t i = 0; i < count; i++) {
		uint32_t packed = le32(table + 8 + 8 * i);
		uint32_t plain = le32(table + 8 + 8 * i + 4);

		assert_true(at + packed <= whole.length - size);
		assert_true(plain_at + plain <= tar.length);
		assert_frame(bench, whole.bytes + at, packed,
		    tar.bytes + plain_at, plain);
		at += packed;
		plain_at += plain;
	}
	assert_int_equal(at, whole.length - size);
	assert_int_equal(plain_at, tar.length);
	strbuf_close(&whole);
	strbuf_close(&tar);
}

/* Every byte of the archive has its line, the table's too. */
static void
assert_lines(struct bench *bench)
{
	struct spool *frames =
	    job_spool(&bench->job, SPOOL_FRAMES, &bench->fault);
	struct strbuf whole = STRBUF_EMPTY;
	struct spool_reader reader;
	long long end = 0, sum = 0;
	size_t length;
	char *line;

	assert_non_null(frames);
	tool_read(bench->path, "whole", &whole);
	spool_reader_open(&reader, frames, 0);
	while (spool_next(&reader, &line, &length, &bench->fault) > 0) {
		long long offset, packed, plain;
		unsigned crc;

		assert_int_equal(sscanf(line, "%lld %lld %lld %x", &offset,
				     &packed, &plain, &crc),
		    4);
		assert_int_equal(offset, end);
		end += packed;
		sum += plain;
		assert_true(end <= (long long)whole.length);
		assert_int_equal(
		    crc32c(0, whole.bytes + offset, (size_t)packed), crc);
	}
	assert_int_equal(end, whole.length);
	assert_int_equal(end, bench->job.state.volume);
	assert_int_equal(sum, bench->job.state.plain);
	spool_reader_close(&reader);
	strbuf_close(&whole);
}

static const struct {
	struct compression compression;
	const char *unpack;
} kinds[] = {
	{ { CODEC_ZSTD, 3 }, "zstd -dcq" },
	{ { CODEC_GZIP, 6 }, "gzip -dc" },
	{ { CODEC_XZ, 0 }, "xz -dc" },
	{ { CODEC_NONE, 0 }, "cat" },
};

static void
ends_every_kind_of_archive(void **state)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct bench *bench = begin(state, kinds[i].compression, 0);

		finish(bench, NULL);
		unpack(bench, kinds[i].unpack);
		assert_members(bench);
		assert_lines(bench);
		if (kinds[i].compression.codec == CODEC_ZSTD)
			assert_seek_table(bench);
		end(bench);
	}
}

/* Its tar stream is that of an archive that was not cut. */
static void
ends_alike_wherever_it_is_killed(void **state)
{
	struct dice dice = dice_new();

	for (int i = 0; i < 5; i++) {
		struct bench *bench = begin(state, kinds[0].compression, 30000);

		finish(bench, i == 0 ? NULL : &dice);
		unpack(bench, kinds[0].unpack);
		assert_members(bench);
		assert_lines(bench);
		assert_seek_table(bench);
		assert_int_equal(
		    tool_run(*state, i == 0 ? "mv tar uncut" : "cmp tar uncut"),
		    0);
		end(bench);
	}
}

/* A spool whose lines are not so many as the state says. */
static void
refuses_lists_of_another_length(void **state)
{
	struct bench *bench = begin(state, kinds[0].compression, 0);
	enum phase_outcome outcome = PHASE_MORE;
	struct job *job = &bench->job;

	job->spools[SPOOL_SUMS].extent.lines++;
	assert_fine(phase_finish.open(job, &bench->fault), &bench->fault);
	while (outcome == PHASE_MORE)
		outcome = phase_finish.step(job, &bench->fault);
	assert_int_equal(outcome, PHASE_FAULT);
	assert_int_equal(bench->fault.code, FAULT_CORRUPT);
	assert_contains(
	    bench->fault.text, "the spool 'sums' has another number of lines");
	phase_finish.close(job);
	end(bench);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(ends_every_kind_of_archive),
		scratch_test(ends_alike_wherever_it_is_killed),
		scratch_test(refuses_lists_of_another_length),
	};

	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
