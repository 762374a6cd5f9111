/* SPDX-License-Identifier: MIT */
#include "store/spool.h"

#include "base/crc32c.h"
#include "base/fault.h"
#include "base/fsio.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE_SIZE  (64 * 1024)
#define READ_SIZE   (64 * 1024)
#define CRC_DIGITS  8
#define LINE_PREFIX (CRC_DIGITS + 1)

static int
corrupt(const struct spool *spool, struct fault *fault, const char *what)
{
	return fault_set(
	    fault, FAULT_CORRUPT, "the spool '%s' %s", spool->name, what);
}

/* Cut the file to the extent, or say that it is too short. */
static int
fit_file(struct spool *spool, struct fault *fault)
{
	struct stat st;

	if (fstat(spool->fd, &st) != 0)
		return fault_errno(fault, "the spool '%s'", spool->name);
	if (st.st_size < spool->extent.length)
		return corrupt(spool, fault, "is shorter than its state says");
	if (st.st_size > spool->extent.length &&
	    fsio_truncate(spool->fd, spool->extent.length) != 0)
		return fault_errno(
		    fault, "the spool '%s' cannot be cut", spool->name);
	return 0;
}

int
spool_open(struct spool *spool, int dirfd, const char *name,
    const struct extent *extent, struct fault *fault)
{
	*spool = (struct spool)SPOOL_CLOSED;
	spool->name = name;
	spool->extent = *extent;
	spool->written = spool->synced = spool->committed = extent->length;
	spool->dirfd = dirfd;
	spool->fd = fsio_open_both(dirfd, name);
	/* An empty one may be left by a step that made no checkpoint. */
	spool->made = extent->length == 0;
	if (spool->fd >= 0)
		return fit_file(spool, fault);
	if (errno != ENOENT)
		return fault_errno(
		    fault, "the spool '%s' cannot be opened", name);
	if (extent->length > 0)
		return corrupt(spool, fault, "is missing");
	return 0;
}

void
spool_close(struct spool *spool)
{
	if (spool->fd >= 0)
		close(spool->fd);
	strbuf_close(&spool->pending);
	*spool = (struct spool)SPOOL_CLOSED;
}

static int
flush(struct spool *spool, struct fault *fault)
{
	if (spool->pending.length == 0)
		return 0;
	assert(spool->written >= spool->committed);
	if (spool->fd < 0) {
		spool->fd = fsio_create(spool->dirfd, spool->name, 0);
		if (spool->fd < 0)
			return fault_errno(fault,
			    "the spool '%s' cannot be made", spool->name);
		spool->made = true;
	}
	if (fsio_write_at(spool->fd, spool->pending.bytes,
		spool->pending.length, spool->written) != 0)
		return fault_errno(
		    fault, "the spool '%s' cannot be written", spool->name);
	spool->written += (int64_t)spool->pending.length;
	strbuf_reset(&spool->pending);
	return 0;
}

static void
put_crc(char out[LINE_PREFIX], uint32_t crc)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = CRC_DIGITS - 1; i >= 0; i--) {
		out[i] = digits[crc & 15];
		crc >>= 4;
	}
	out[CRC_DIGITS] = ' ';
}

int
spool_append(
    struct spool *spool, const char *line, size_t length, struct fault *fault)
{
	size_t total = LINE_PREFIX + length + 1;
	char *place;

	assert(memchr(line, '\n', length) == NULL);
	if (length > SPOOL_LINE_MAX)
		return fault_set(fault, FAULT_SYSTEM,
		    "the spool '%s' cannot hold a line of %zu bytes",
		    spool->name, length);
	place = strbuf_reserve(&spool->pending, total);
	put_crc(place, crc32c(0, line, length));
	memcpy(place + LINE_PREFIX, line, length);
	place[total - 1] = '\n';
	strbuf_commit(&spool->pending, total);
	spool->extent.length += (int64_t)total;
	spool->extent.lines++;
	return spool->pending.length >= WRITE_SIZE ? flush(spool, fault) : 0;
}

int
spool_sync(struct spool *spool, struct fault *fault)
{
	if (flush(spool, fault) != 0)
		return -1;
	if (spool->synced == spool->written)
		return 0;
	if (fsio_sync(spool->fd) != 0)
		return fault_errno(
		    fault, "the spool '%s' cannot be synced", spool->name);
	spool->synced = spool->written;
	return 0;
}

int64_t
spool_unsynced(const struct spool *spool)
{
	return spool->extent.length - spool->synced;
}

void
spool_committed(struct spool *spool)
{
	spool->committed = spool->extent.length;
	spool->made = false;
}

void
spool_cut(struct spool *spool, const struct extent *extent)
{
	assert(extent->length <= spool->extent.length);
	strbuf_reset(&spool->pending);
	spool->extent = *extent;
	spool->written = spool->synced = extent->length;
}

void
spool_reader_open(
    struct spool_reader *reader, struct spool *spool, int64_t offset)
{
	memset(reader, 0, sizeof(*reader));
	reader->spool = spool;
	reader->offset = offset;
	reader->chunk = READ_SIZE;
}

void
spool_reader_close(struct spool_reader *reader)
{
	strbuf_close(&reader->buffer);
}

void
spool_reader_seek(struct spool_reader *reader, int64_t offset)
{
	int64_t ahead = offset - reader->offset;

	/* Often a little further on, in what was read already. */
	if (ahead >= 0 &&
	    ahead <= (int64_t)(reader->buffer.length - reader->at)) {
		reader->at += (size_t)ahead;
	} else {
		strbuf_reset(&reader->buffer);
		reader->at = 0;
	}
	reader->offset = offset;
}

/* Read on behind what is in the buffer.  Returns the bytes added, or -1. */
static ssize_t
fill(struct spool_reader *reader, struct fault *fault)
{
	struct spool *spool = reader->spool;
	struct strbuf *buffer = &reader->buffer;
	int64_t from;
	size_t want;
	ssize_t got;

	if (reader->at > 0) {
		size_t rest = buffer->length - reader->at;

		memmove(buffer->bytes, buffer->bytes + reader->at, rest);
		strbuf_cut(buffer, rest);
		reader->at = 0;
	}
	from = reader->offset + (int64_t)buffer->length;
	if (from >= spool->written && flush(spool, fault) != 0)
		return -1;
	want = reader->chunk;
	if ((int64_t)want > spool->written - from)
		want = (size_t)(spool->written - from);
	got = fsio_read_at(spool->fd, strbuf_reserve(buffer, want), want, from);
	if (got < 0)
		return fault_errno(
		    fault, "the spool '%s' cannot be read", spool->name);
	strbuf_commit(buffer, (size_t)got);
	return got;
}

/* The line at the buffer's place has this many bytes, newline not counted. */
static int
find_line(struct spool_reader *reader, size_t *total, struct fault *fault)
{
	size_t searched = 0;

	for (;;) {
		size_t have = reader->buffer.length - reader->at;
		char *start, *end;
		ssize_t got;

		if (have > searched) {
			start = reader->buffer.bytes + reader->at;
			end = memchr(start + searched, '\n', have - searched);
			if (end != NULL) {
				*total = (size_t)(end - start);
				return 0;
			}
		}
		searched = have;
		if (have > SPOOL_LINE_MAX + LINE_PREFIX)
			return corrupt(
			    reader->spool, fault, "has an endless line");
		got = fill(reader, fault);
		if (got < 0)
			return -1;
		if (got == 0)
			return corrupt(
			    reader->spool, fault, "ends in mid-line");
	}
}

int
spool_next(struct spool_reader *reader, char **line, size_t *length,
    struct fault *fault)
{
	char crc[LINE_PREFIX];
	char *start;
	size_t total = 0;

	if (reader->offset >= reader->spool->extent.length)
		return 0;
	if (find_line(reader, &total, fault) != 0)
		return -1;
	start = reader->buffer.bytes + reader->at;
	if (total < LINE_PREFIX)
		return corrupt(reader->spool, fault, "has a damaged line");
	put_crc(crc, crc32c(0, start + LINE_PREFIX, total - LINE_PREFIX));
	if (memcmp(crc, start, LINE_PREFIX) != 0)
		return corrupt(reader->spool, fault, "has a damaged line");
	start[total] = '\0';
	*line = start + LINE_PREFIX;
	*length = total - LINE_PREFIX;
	reader->at += total + 1;
	reader->offset += (int64_t)total + 1;
	return 1;
}
