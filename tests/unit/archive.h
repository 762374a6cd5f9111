/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_ARCHIVE_H
#define TESTS_UNIT_ARCHIVE_H

#include "check.h"
#include "dice.h"
#include "tool.h"

#include "base/budget.h"
#include "pack/frames.h"
#include "pack/volume.h"
#include "store/profile.h"
#include "store/spool.h"

/* An archive in a test's directory: the frames and what is below them. */

#define ARCHIVE_NAME "archive"

struct archive_of {
	const char *path;
	int dirfd;
	struct compression compression;
	int workers;
	int64_t part_size;
	struct pace pace;
	struct volume volume;
	struct spool spool;
	struct frames *frames;
	/* of the last checkpoint */
	int64_t length;
	struct extent extent;
	struct fault fault;
};

/* Open it as it was at its last checkpoint. */
static inline void
archive_open(struct archive_of *archive)
{
	struct frames_options options = {
		.compression = &archive->compression,
		.workers = archive->workers,
		.volume = &archive->volume,
		.spool = &archive->spool,
		.pace = &archive->pace,
	};

	const struct volume_place place = { archive->dirfd, ARCHIVE_NAME,
		archive->part_size, &archive->pace };

	assert_fine(volume_open(&archive->volume, &place, archive->length,
			&archive->fault),
	    &archive->fault);
	assert_fine(spool_open(&archive->spool, archive->dirfd, "frames",
			&archive->extent, &archive->fault),
	    &archive->fault);
	archive->frames = frames_open(&options);
}

/* Close it, as a kill would: what was not flushed is lost. */
static inline void
archive_close(struct archive_of *archive)
{
	frames_close(archive->frames);
	archive->frames = NULL;
	volume_close(&archive->volume);
	spool_close(&archive->spool);
}

/* A new one, to be ended with archive_end. */
static inline struct archive_of *
archive_begin(void **state, struct compression compression, int workers)
{
	struct archive_of *archive = calloc(1, sizeof(*archive));

	assert_non_null(archive);
	archive->path = *state;
	archive->dirfd = scratch_open(state);
	archive->compression = compression;
	archive->workers = workers;
	pace_init(&archive->pace);
	archive_open(archive);
	return archive;
}

static inline void
archive_checkpoint(struct archive_of *archive)
{
	struct fault *fault = &archive->fault;

	assert_fine(frames_flush(archive->frames, fault), fault);
	assert_fine(spool_sync(&archive->spool, fault), fault);
	assert_fine(volume_sync(&archive->volume, fault), fault);
	archive->length = archive->volume.length;
	archive->extent = archive->spool.extent;
	spool_committed(&archive->spool);
}

/* Close it, and remove its files. */
static inline void
archive_end(struct archive_of *archive)
{
	archive_close(archive);
	assert_int_equal(
	    tool_run(archive->path, "rm -f frames " ARCHIVE_NAME "*"), 0);
	close(archive->dirfd);
	free(archive);
}

static inline void
archive_write_bytes(
    struct archive_of *archive, const void *bytes, size_t length)
{
	assert_fine(
	    frames_write(archive->frames, bytes, length, &archive->fault),
	    &archive->fault);
}

#endif
