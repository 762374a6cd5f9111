/* SPDX-License-Identifier: MIT */
#include "pack/volume.h"

#include "base/budget.h"
#include "base/fault.h"
#include "base/fsio.h"
#include "store/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How much is handed to the disk at once: what it writes in this time. */
#define WINDOW_TIME (25 * BUDGET_MILLISECOND)
#define WINDOW_MIN  (INT64_C(64) << 10)
#define WINDOW_MAX  (INT64_C(8) << 20)

int64_t
volume_parts(int64_t part_size, int64_t length)
{
	if (part_size == 0 || length == 0)
		return 1;
	return (length + part_size - 1) / part_size;
}

const char *
volume_part_name(char out[VOLUME_NAME_SIZE], const char *name,
    int64_t part_size, int64_t part, const char *suffix)
{
	if (part_size == 0)
		snprintf(out, VOLUME_NAME_SIZE, "%s%s", name, suffix);
	else
		snprintf(out, VOLUME_NAME_SIZE, "%s.%03lld%s", name,
		    (long long)part + 1, suffix);
	return out;
}

static int
corrupt(struct fault *fault, const char *part, const char *what)
{
	return fault_set(fault, FAULT_CORRUPT, "the part '%s' %s", part, what);
}

static const char *
partial_name(
    const struct volume *volume, int64_t part, char out[VOLUME_NAME_SIZE])
{
	return volume_part_name(out, volume->place.name,
	    volume->place.part_size, part, VOLUME_PARTIAL);
}

/*
 * The number of the part that a file of the directory is, -1 if it is none.
 */
static int64_t
part_of(const struct volume *volume, const char *file)
{
	char name[VOLUME_NAME_SIZE];
	size_t length = strlen(volume->place.name);
	int64_t part = 0;

	if (strncmp(file, volume->place.name, length) != 0)
		return -1;
	if (volume->place.part_size != 0)
		part =
		    strtoll(file + length + (file[length] == '.'), NULL, 10) -
		    1;
	return part >= 0 && strcmp(partial_name(volume, part, name), file) == 0
	    ? part
	    : -1;
}

/* Remove the parts from the one of this number on, in whatever order. */
static int
remove_from(struct volume *volume, int64_t first, struct fault *fault)
{
	int fd = fsio_open(volume->place.dirfd, ".", O_DIRECTORY);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	int result = 0;

	if (dir == NULL) {
		fault_errno(fault, "the archive's folder");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (result == 0 && (errno = 0, entry = readdir(dir)) != NULL) {
		if (part_of(volume, entry->d_name) >= first &&
		    fsio_remove(volume->place.dirfd, entry->d_name) != 0 &&
		    errno != ENOENT)
			result = fault_errno(
			    fault, "a part of the archive cannot be removed");
	}
	if (result == 0 && errno != 0)
		result = fault_errno(fault, "the archive's folder");
	closedir(dir);
	return result;
}

static int
check_whole_parts(
    const struct volume *volume, int64_t count, struct fault *fault)
{
	char name[VOLUME_NAME_SIZE];
	struct stat st;

	for (int64_t part = 0; part < count; part++) {
		partial_name(volume, part, name);
		if (fstatat(volume->place.dirfd, name, &st,
			AT_SYMLINK_NOFOLLOW) != 0) {
			if (errno == ENOENT)
				return corrupt(fault, name, "is missing");
			return fault_errno(fault, "the part '%s'", name);
		}
		if (st.st_size != volume->place.part_size)
			return corrupt(fault, name,
			    st.st_size < volume->place.part_size
				? "is shorter than its state says"
				: "is longer than a part");
	}
	return 0;
}

/* Open the last part and cut it to length bytes. */
static int
open_last(
    struct volume *volume, int64_t part, int64_t length, struct fault *fault)
{
	char name[VOLUME_NAME_SIZE];
	struct stat st;

	partial_name(volume, part, name);
	volume->fd = fsio_open_both(volume->place.dirfd, name);
	if (volume->fd < 0 && errno == ENOENT)
		return corrupt(fault, name, "is missing");
	if (volume->fd < 0 || fstat(volume->fd, &st) != 0)
		return fault_errno(
		    fault, "the part '%s' cannot be opened", name);
	if (st.st_size < length)
		return corrupt(fault, name, "is shorter than its state says");
	if (st.st_size > length && fsio_truncate(volume->fd, length) != 0)
		return fault_errno(fault, "the part '%s' cannot be cut", name);
	volume->synced = volume->awaited = volume->started = length;
	return 0;
}

int
volume_open(struct volume *volume, const struct volume_place *place,
    int64_t length, struct fault *fault)
{
	int64_t part_size = place->part_size;
	int64_t count = volume_parts(part_size, length);
	int64_t whole = part_size != 0 ? (count - 1) * part_size : 0;

	*volume = (struct volume)VOLUME_CLOSED;
	volume->place = *place;
	volume->length = length;
	if (length == 0)
		return remove_from(volume, 0, fault);
	if (remove_from(volume, count, fault) != 0 ||
	    check_whole_parts(volume, count - 1, fault) != 0)
		return -1;
	return open_last(volume, count - 1, length - whole, fault);
}

void
volume_close(struct volume *volume)
{
	if (volume->fd >= 0)
		close(volume->fd);
	volume->fd = -1;
}

/* Where the next byte goes in the last part. */
static int64_t
position(const struct volume *volume)
{
	int64_t parts;

	if (volume->place.part_size == 0)
		return volume->length;
	parts = volume_parts(volume->place.part_size, volume->length);
	return volume->length - (parts - 1) * volume->place.part_size;
}

static int
sync_part(struct volume *volume, struct fault *fault)
{
	int64_t at = position(volume);

	if (volume->fd < 0 || volume->synced == at)
		return 0;
	if (fsio_sync(volume->fd) != 0)
		return fault_errno(fault, "the archive cannot be synced");
	volume->synced = volume->awaited = volume->started = at;
	return 0;
}

/* The last part is full, or there is none: sync it and begin the next. */
static int
next_part(struct volume *volume, struct fault *fault)
{
	char name[VOLUME_NAME_SIZE];
	int64_t part = volume->length == 0
	    ? 0
	    : volume_parts(volume->place.part_size, volume->length);
	int64_t unsynced = volume_unsynced(volume), before = budget_now();

	if (part >= RECORD_PARTS_MAX)
		return fault_set(fault, FAULT_SYSTEM,
		    "the archive would have more than %d parts; make part_size "
		    "larger",
		    RECORD_PARTS_MAX);
	if (sync_part(volume, fault) != 0)
		return -1;
	pace_note_sync(
	    volume->place.pace, unsynced, budget_now() - before, true);
	volume_close(volume);
	partial_name(volume, part, name);
	volume->fd = fsio_create(volume->place.dirfd, name, O_TRUNC);
	if (volume->fd < 0)
		return fault_errno(fault, "the part '%s' cannot be made", name);
	volume->made = true;
	volume->synced = volume->awaited = volume->started = 0;
	return 0;
}

/*
 * Hand what was written to the disk, and wait for what was handed over the
 * time before.  No failure: it is the sync that must succeed.
 */
static void
push(struct volume *volume)
{
	int64_t at = position(volume), before, now;
	int64_t window =
	    volume->place.pace->sync / (BUDGET_SECOND / WINDOW_TIME);

	if (window < WINDOW_MIN)
		window = WINDOW_MIN;
	if (window > WINDOW_MAX)
		window = WINDOW_MAX;
	if (at - volume->started < window)
		return;
	before = budget_now();
	if (volume->started > volume->awaited) {
		fsio_wait_writeback(volume->fd, volume->awaited,
		    volume->started - volume->awaited);
		now = budget_now();
		pace_note_sync(volume->place.pace,
		    volume->started - volume->awaited, now - volume->started_at,
		    now - before > WINDOW_TIME / 10);
		volume->awaited = volume->started;
	}
	fsio_start_writeback(volume->fd, volume->started, at - volume->started);
	volume->started = at;
	volume->started_at = budget_now();
}

int
volume_append(struct volume *volume, const void *bytes, size_t length,
    struct fault *fault)
{
	const char *from = bytes;

	while (length > 0) {
		int64_t at = volume->fd < 0 ? 0 : position(volume);
		size_t room = length;

		if (volume->fd < 0 ||
		    (volume->place.part_size != 0 &&
			at == volume->place.part_size)) {
			if (next_part(volume, fault) != 0)
				return -1;
			at = 0;
		}
		if (volume->place.part_size != 0 &&
		    (int64_t)room > volume->place.part_size - at)
			room = (size_t)(volume->place.part_size - at);
		if (fsio_write_at(volume->fd, from, room, at) != 0)
			return fault_errno(
			    fault, "the archive cannot be written");
		volume->length += (int64_t)room;
		from += room;
		length -= room;
		push(volume);
	}
	return 0;
}

int
volume_sync(struct volume *volume, struct fault *fault)
{
	if (sync_part(volume, fault) != 0)
		return -1;
	if (volume->made && fsio_sync_dir(volume->place.dirfd) != 0)
		return fault_errno(
		    fault, "the archive's folder cannot be synced");
	volume->made = false;
	return 0;
}

int64_t
volume_unsynced(const struct volume *volume)
{
	/* What was waited for is on the disk, only not promised. */
	return volume->fd < 0 ? 0 : position(volume) - volume->awaited;
}
