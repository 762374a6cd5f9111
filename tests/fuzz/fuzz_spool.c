/* SPDX-License-Identifier: MIT */
/*
 * The files that a job appends to.  The bytes are read as a spool as they are,
 * and line by line with the CRC that each line needs, so that what is behind
 * the CRC is reached: the catalog, the way to its folders, the frames that
 * become a seek table, the warnings.  And they are read as a table of links.
 */
#include "fuzz.h"

#include "base/crc32c.h"
#include "base/strbuf.h"
#include "run/ending.h"
#include "run/engine.h"
#include "run/job.h"
#include "run/phase.h"
#include "source/folders.h"
#include "store/catalog.h"
#include "store/config.h"
#include "store/links.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#define ARCHIVE        "fuzz.tar.zst"
#define SEEK_TABLE     4 /* of the finish phase's members */
#define SLOT_SIZE      32
#define SLOTS          18 /* of a table for one entry */
#define CRC_OF_SLOT    28
#define LINES_TOGETHER 64

static int scratch;
static const struct extent none;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	scratch = fuzz_scratch();
	return 0;
}

/* The line behind this one; there may be NULs in both. */
static const char *
next_line(const char *text)
{
	return (const char *)rawmemchr(text, '\n') + 1;
}

/* A line and its CRC as spool.h says; the CRC from the text. */
static bool
is_sound(const char *line, size_t length)
{
	char crc[10];

	if (length < 9)
		return false;
	snprintf(crc, sizeof(crc), "%08x ",
	    (unsigned)crc32c(0, line + 9, length - 9));
	return memcmp(line, crc, 9) == 0;
}

/* Read the bytes as a spool; what comes out is what stands there. */
static void
read_raw(const char *text, size_t size, size_t chunk)
{
	struct extent extent = { (int64_t)size, 1 };
	struct spool spool = SPOOL_CLOSED;
	struct spool_reader reader;
	struct fault fault;
	size_t at = 0, length;
	char *line;
	int found;

	CHECK_FINE(spool_open(&spool, scratch, "raw", &extent, &fault), &fault);
	spool_reader_open(&reader, &spool, 0);
	reader.chunk = chunk;
	while ((found = spool_next(&reader, &line, &length, &fault)) > 0) {
		CHECK(at + 9 + length < size);
		CHECK(memcmp(text + at + 9, line, length) == 0);
		CHECK(memchr(line, '\n', length) == NULL);
		CHECK(line[length] == '\0');
		CHECK(is_sound(text + at, 9 + length));
		at += 9 + length + 1;
		CHECK(text[at - 1] == '\n');
		CHECK(reader.offset == (int64_t)at);
	}
	if (found == 0) {
		CHECK(at == size);
	} else {
		const char *end = memchr(text + at, '\n', size - at);

		check_fault(&fault, FAULT_CORRUPT);
		CHECK(end == NULL ||
		    !is_sound(text + at, (size_t)(end - text) - at));
	}
	spool_reader_close(&reader);
	spool_close(&spool);
}

/* Append all lines of the text; then read all of them back. */
static void
write_lines(
    const char *name, const char *text, size_t size, struct extent *extent)
{
	struct spool spool = SPOOL_CLOSED;
	struct spool_reader reader;
	struct fault fault;
	const char *at, *end;
	size_t length;
	char *line;

	CHECK_FINE(spool_open(&spool, scratch, name, &none, &fault), &fault);
	for (at = text; at < text + size; at = end + 1) {
		end = memchr(at, '\n', (size_t)(text + size - at));
		if (end == NULL)
			end = text + size;
		CHECK_FINE(spool_append(&spool, at, (size_t)(end - at), &fault),
		    &fault);
	}
	CHECK_FINE(spool_sync(&spool, &fault), &fault);
	CHECK(spool_unsynced(&spool) == 0);
	spool_committed(&spool);
	*extent = spool.extent;
	spool_reader_open(&reader, &spool, 0);
	for (at = text; at < text + size; at += length + 1) {
		CHECK(spool_next(&reader, &line, &length, &fault) == 1);
		CHECK(memcmp(line, at, length) == 0);
	}
	CHECK(spool_next(&reader, &line, &length, &fault) == 0);
	spool_reader_close(&reader);
	spool_close(&spool);
}

/* The line without what a number may have before its first digit. */
static void
add_plainly(struct strbuf *out, const char *line)
{
	int numbers = *line == 'D' ? 4 : *line == 'R' ? 3 : 2;

	strbuf_addc(out, *line++);
	for (; numbers > 0; numbers--) {
		strbuf_addc(out, *line++);
		while (*line == '0' && isxdigit((unsigned char)line[1]))
			line++;
		while (isxdigit((unsigned char)*line))
			strbuf_addc(out, *line++);
	}
	if (strchr(" -Mmpve", line[1]) != NULL && out->bytes[0] == 'D') {
		strbuf_add(out, line, 3);
		line += 3;
		while (*line == '0' && line[1] != '\0')
			line++;
	}
	strbuf_addstr(out, line);
}

/* What was read of a line is written as that line. */
static void
check_item(const struct catalog_item *item, const char *line)
{
	struct spool again = SPOOL_CLOSED;
	struct strbuf plain = STRBUF_EMPTY;
	struct catalog_item copy = *item;
	struct fault fault;

	CHECK(item->type == *line);
	if (item->type == 'D') {
		CHECK(item->parent >= 0 && item->parent < item->entry);
		CHECK(item->entry < item->offset);
		CHECK(item->error >= 0);
	} else {
		CHECK(strlen(item->name) == item->name_length);
	}
	again.name = "again";
	CHECK_FINE(catalog_add(&again, &copy, &fault), &fault);
	add_plainly(&plain, line);
	CHECK(again.pending.length == 9 + plain.length + 1);
	CHECK(memcmp(again.pending.bytes + 9, plain.bytes, plain.length) == 0);
	strbuf_close(&plain);
	spool_close(&again);
}

/* The way to a folder ends, at a root that there is. */
static void
try_folder(struct folders *folders, int64_t offset)
{
	struct fault fault;
	const char *path;

	if (folders_enter(folders, offset, &fault) != 0) {
		check_fault(&fault, FAULT_CORRUPT);
		return;
	}
	CHECK(folders_at(folders)->offset == offset);
	path = folders_path_of(folders, NULL);
	CHECK(strncmp(path, "files", 5) == 0 ||
	    strncmp(path, "extra/media", 11) == 0);
	path = folders_path_of(folders, "name");
	CHECK(strcmp(path + strlen(path) - 5, "/name") == 0);
}

static void
read_catalog(const struct extent *extent)
{
	static const char *const roots[] = { "files", "extra/media" };
	struct spool catalog = SPOOL_CLOSED;
	struct spool_reader reader, lines;
	struct catalog_item item;
	struct folders folders;
	struct fault fault;
	size_t length;
	char *line;

	CHECK_FINE(
	    spool_open(&catalog, scratch, "catalog", extent, &fault), &fault);
	spool_reader_open(&reader, &catalog, 0);
	spool_reader_open(&lines, &catalog, 0);
	folders_open(&folders, &catalog, roots, 2);
	while (reader.offset < extent->length) {
		int found = catalog_next(&reader, &item, &fault);

		CHECK(spool_next(&lines, &line, &length, &fault) == 1);
		CHECK(reader.offset == lines.offset);
		if (found > 0) {
			check_item(&item, line);
			try_folder(&folders, item.offset);
		} else {
			check_fault(&fault, FAULT_CORRUPT);
		}
	}
	CHECK(catalog_next(&reader, &item, &fault) == 0);
	folders_close(&folders);
	spool_reader_close(&reader);
	spool_reader_close(&lines);
	spool_close(&catalog);
}

/* What a job needs to end its archive with these spools. */
struct bench {
	struct engine engine;
	struct config config;
	struct profile profile;
	struct job job;
};

static void
set_up(struct bench *bench, enum spool_id id, const struct extent *extent)
{
	static char name[] = "fuzz";

	memset(bench, 0, sizeof(*bench));
	pace_init(&bench->engine.pace);
	bench->engine.config = &bench->config;
	bench->profile.name = name;
	bench->profile.compression = (struct compression){ CODEC_ZSTD, 1 };
	bench->job.engine = &bench->engine;
	bench->job.profile = &bench->profile;
	bench->job.jobfd = dup(scratch);
	bench->job.backupfd = dup(scratch);
	bench->job.links = (struct links)LINKS_CLOSED;
	bench->job.volume = (struct volume)VOLUME_CLOSED;
	bench->job.log = (struct logbook)LOGBOOK_CLOSED;
	snprintf(bench->job.state.archive, sizeof(bench->job.state.archive),
	    "%s", ARCHIVE);
	bench->job.state.spools[id] = *extent;
	bench->job.state.finish.member = SEEK_TABLE;
}

/* A number of a line of frames, 0 to 2^32 - 1 if it is to be in the table. */
static bool
take_length(const char **line, uint32_t *length)
{
	long long number;
	char *end;

	errno = 0;
	number = strtoll(*line, &end, 10);
	if (end == *line || errno != 0 || number < 0 || number > UINT32_MAX)
		return false;
	*line = end;
	*length = (uint32_t)number;
	return true;
}

static uint32_t
le32(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	    (uint32_t)bytes[3] << 24;
}

/* As zstd's seekable_format/zstd_seekable_compression_format.md says. */
static void
check_seek_table(const char *text, const struct extent *extent)
{
	size_t count = (size_t)extent->lines, size = 8 + 8 * count + 9;
	uint8_t *table = malloc(size + 1), *at = table + 8;
	int fd = openat(scratch, ARCHIVE VOLUME_PARTIAL, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0 && table != NULL);
	CHECK(read(fd, table, size + 1) == (ssize_t)size);
	CHECK(close(fd) == 0);
	CHECK(le32(table) == 0x184d2a5e);
	CHECK(le32(table + 4) == size - 8);
	for (size_t i = 0; i < count; i++, at += 8) {
		const char *number = text + strcspn(text, "0123456789");
		uint32_t packed, plain;

		number += strspn(number, "0123456789");
		CHECK(take_length(&number, &packed));
		CHECK(take_length(&number, &plain));
		CHECK(le32(at) == packed && le32(at + 4) == plain);
		text = next_line(text);
	}
	CHECK(le32(at) == count);
	CHECK(at[4] == 0);
	CHECK(le32(at + 5) == 0x8f92eab1);
	free(table);
}

static void
read_frames(const char *text, const struct extent *extent)
{
	enum phase_outcome outcome = PHASE_MORE;
	struct bench bench;
	struct job *job = &bench.job;
	struct fault fault;

	set_up(&bench, SPOOL_FRAMES, extent);
	CHECK_FINE(phase_finish.open(job, &fault), &fault);
	for (int64_t i = 0; outcome == PHASE_MORE; i++) {
		CHECK(i <= extent->lines / LINES_TOGETHER + 1);
		outcome = phase_finish.step(job, &fault);
	}
	if (outcome == PHASE_ENDED) {
		check_seek_table(text, extent);
		CHECK(job->spools[SPOOL_FRAMES].extent.lines ==
		    extent->lines + 1);
	} else {
		CHECK(outcome == PHASE_FAULT);
		check_fault(&fault, FAULT_CORRUPT);
	}
	phase_finish.close(job);
	job_close(job);
}

/* The warnings up to the first line that is none. */
static void
read_warnings(const char *text, const struct extent *extent)
{
	struct bench bench;
	struct record record;
	struct fault fault;

	set_up(&bench, SPOOL_WARNINGS, extent);
	CHECK_FINE(
	    ending_record(&bench.job, RECORD_FAILED, &record, &fault), &fault);
	CHECK(record.warning_count <= extent->lines);
	CHECK(record.warning_count <= RECORD_WARNINGS_MAX);
	for (int i = 0; i < record.warning_count; i++) {
		const char *reason = record.warnings[i].reason;

		CHECK(strncmp(text, reason, strlen(reason)) == 0);
		CHECK(text[strlen(reason)] == '\t');
		text = next_line(text);
	}
	record_close(&record);
	job_close(&bench.job);
}

static void
try_place(struct links *links, const struct link_place *place)
{
	struct link_place first, later = *place;
	struct fault fault;
	int found = links_find(links, place, &first, &fault);

	if (found > 0)
		CHECK(first.entry > 0 && first.entry < place->entry);
	if (found < 0 || links_put(links, place, &fault) != 0) {
		check_fault(&fault, FAULT_CORRUPT);
		return;
	}
	later.entry++;
	CHECK(links_find(links, &later, &first, &fault) == 1);
	CHECK(first.entry == place->entry);
	CHECK(links_find(links, place, &first, &fault) == 0);
	CHECK_FINE(links_forget(links, place, &fault), &fault);
	CHECK(links_find(links, &later, &first, &fault) == 0);
}

/* The bytes as the table; with_crc: each slot's is made right. */
static void
read_links(const uint8_t *data, size_t size, bool with_crc)
{
	uint8_t table[SLOTS * SLOT_SIZE] = { 0 };
	static const uint8_t empty[SLOT_SIZE];
	struct links links = LINKS_CLOSED;
	struct fault fault;

	memcpy(table, data, size < sizeof(table) ? size : sizeof(table));
	for (uint8_t *slot = table; with_crc && slot < table + sizeof(table);
	     slot += SLOT_SIZE) {
		uint32_t crc = crc32c(0, slot, CRC_OF_SLOT);

		if (memcmp(slot, empty, CRC_OF_SLOT) != 0)
			memcpy(slot + CRC_OF_SLOT, &crc, sizeof(crc));
	}
	fuzz_write(scratch, "links", table, sizeof(table));
	CHECK_FINE(links_open(&links, scratch, 1, &fault), &fault);
	for (const uint8_t *slot = table; slot < table + 4 * SLOT_SIZE;
	     slot += SLOT_SIZE) {
		struct link_place place = { .entry = 1000, .folder = 500 };
		uint32_t device;

		memcpy(&place.inode, slot, sizeof(place.inode));
		memcpy(&device, slot + 24, sizeof(device));
		place.device = device;
		try_place(&links, &place);
	}
	CHECK_FINE(links_sync(&links, &fault), &fault);
	links_close(&links);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct extent extent;
	char *text = fuzz_text(data, size);

	fuzz_write(scratch, "raw", text, size);
	read_raw(text, size, 7);
	read_raw(text, size, 65536);
	write_lines("catalog", text, size, &extent);
	read_catalog(&extent);
	/* The NUL becomes the end of the last line. */
	text[size] = '\n';
	write_lines("frames", text, size, &extent);
	read_frames(text, &extent);
	write_lines("warnings", text, size, &extent);
	read_warnings(text, &extent);
	read_links(data, size, false);
	read_links(data, size, true);
	free(text);
	return 0;
}
