/* SPDX-License-Identifier: MIT */
#include "base/budget.h"
#include "base/fault.h"
#include "base/fsio.h"
#include "pack/frames.h"
#include "pack/manifest.h"
#include "pack/tarball.h"
#include "run/engine.h"
#include "run/job.h"
#include "run/packing.h"
#include "source/entry.h"
#include "store/catalog.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A unit of reading takes about this long. */
#define UNIT_TIME (10 * BUDGET_MILLISECOND)

/* Reads shorter than this say nothing about the disk's pace. */
#define TELLING_READ (16 * 1024)

/* The path in the archive of the entry that was packed for this file. */
static int
find_first_path(struct job *job, const struct link_place *first,
    struct strbuf *path, struct fault *fault)
{
	struct packing *packing = job->phase;
	struct catalog_item item;
	char *name;

	if (catalog_at(
		&packing->elsewhere.reader, first->entry, &item, fault) != 0)
		return -1;
	name = strbuf_copy(item.name);
	if (folders_enter(&packing->elsewhere, first->folder, fault) != 0) {
		free(name);
		return -1;
	}
	strbuf_reset(path);
	strbuf_addstr(path, folders_path_of(&packing->elsewhere, name));
	free(name);
	return 0;
}

/*
 * If this is another name of a file that is in the archive already, add it as
 * a hard link.  Returns 1 if so, 0 if not, -1.
 */
int
packing_add_hardlink(struct job *job, const struct catalog_item *item,
    int dirfd, const char *path, struct fault *fault)
{
	struct packing *packing = job->phase;
	struct link_place place = packing_place(packing, item), first;
	struct tarball_entry entry = { .path = path, .fd = -1 };
	int found = links_find(&job->links, &place, &first, fault);

	if (found <= 0)
		return found;
	if (fstatat(dirfd, item->name, &entry.st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    (int64_t)entry.st.st_ino != place.inode ||
	    (int64_t)entry.st.st_dev != place.device)
		return 0;
	if (find_first_path(job, &first, &packing->path, fault) != 0)
		return -1;
	entry.hardlink = packing->path.bytes;
	if (packing_add_bodiless(job, &entry, "hardlink", fault) != 0)
		return -1;
	job->state.counts.hardlinks++;
	return 1;
}

/* It was packed whole: later names of it will refer to it. */
int
packing_note_first(struct job *job, const struct catalog_item *item,
    const struct stat *st, struct fault *fault)
{
	struct link_place place = packing_place(job->phase, item);

	if (!CATALOG_IS_LINKED(item->type) ||
	    (int64_t)st->st_ino != place.inode ||
	    (int64_t)st->st_dev != place.device)
		return 0;
	return links_put(&job->links, &place, fault);
}

/* The file is wholly in the archive. */
static int
end_file(struct job *job, const char *path, struct fault *fault)
{
	struct packing *packing = job->phase;
	struct pack_cursor *cursor = &job->state.pack;
	struct manifest_entry entry = {
		.path = path,
		.type = "file",
		.mode = cursor->mode,
		.mtime_s = cursor->mtime_s,
		.mtime_ns = cursor->mtime_ns,
		.size = cursor->size,
		.holes = (const int64_t(*)[2])packing->holes,
	};
	uint8_t hash[DIGEST_SIZE];
	struct stat st;

	if (packing->fd >= 0 && fstat(packing->fd, &st) == 0 &&
	    (st.st_size != cursor->size ||
		st.st_mtim.tv_sec != cursor->mtime_s ||
		st.st_mtim.tv_nsec != cursor->mtime_ns))
		cursor->changed = true;
	if (packing->sparse && packing->fd >= 0)
		entry.hole_count = entry_holes(packing->fd, cursor->size,
		    packing->holes, PACKING_HOLES_MAX);
	entry.changed = cursor->changed;
	digest_finish(&packing->digest, hash);
	if (tarball_pad(packing->frames, cursor->size, fault) != 0 ||
	    packing_add_manifest(packing, &entry, fault) != 0)
		return -1;
	strbuf_reset(&packing->line);
	manifest_add_sum(&packing->line, hash, path);
	if (spool_append(packing->sums, packing->line.bytes,
		packing->line.length, fault) != 0)
		return -1;
	job->state.counts.files++;
	job->state.counts.bytes += cursor->size;
	cursor->in_file = false;
	cursor->done = 0;
	if (packing->fd >= 0)
		close(packing->fd);
	packing->fd = -1;
	if (!cursor->changed)
		return 0;
	job->state.counts.changed++;
	return job_warn(job, path,
	    packing->lost != NULL ? packing->lost : "changed while it was read",
	    fault);
}

/* From here on the file's bytes are zeros. */
static void
lose_file(
    struct packing *packing, struct pack_cursor *cursor, const char *reason)
{
	cursor->changed = true;
	packing->lost = reason;
	if (packing->fd >= 0)
		close(packing->fd);
	packing->fd = -1;
}

/* Read into place; what is not there any more is zeros. */
static void
read_piece(struct job *job, void *place, size_t length)
{
	struct packing *packing = job->phase;
	struct pack_cursor *cursor = &job->state.pack;
	int64_t before = length >= TELLING_READ ? budget_now() : 0;
	ssize_t got = 0;

	if (packing->fd >= 0) {
		got = fsio_read(packing->fd, place, length);
		if (length >= TELLING_READ)
			pace_note_read(
			    &job->engine->pace, got, budget_now() - before);
		if (got < 0)
			lose_file(packing, cursor,
			    "could be read only in part: input/output error; "
			    "the rest of it is zeros");
		else if ((size_t)got < length)
			lose_file(packing, cursor,
			    "became shorter while it was read; the rest of it "
			    "is zeros");
	}
	if (got < 0)
		got = 0;
	memset((char *)place + got, 0, length - (size_t)got);
}

/* Pack the next piece of the file at hand, and end it if it was the last. */
enum phase_outcome
packing_add_piece(struct job *job, const char *path, struct fault *fault)
{
	struct packing *packing = job->phase;
	struct pack_cursor *cursor = &job->state.pack;
	int64_t rest = cursor->size - cursor->done;

	if (rest > 0) {
		size_t room;
		void *place = frames_reserve(packing->frames, &room, fault);
		int64_t unit = pace_unit(&job->engine->pace, UNIT_TIME);

		if (place == NULL)
			return PHASE_FAULT;
		if ((int64_t)room > rest)
			room = (size_t)rest;
		if ((int64_t)room > unit)
			room = (size_t)unit;
		read_piece(job, place, room);
		digest_add(&packing->digest, place, room);
		if (frames_commit(packing->frames, room, fault) != 0)
			return PHASE_FAULT;
		cursor->done += (int64_t)room;
		rest -= (int64_t)room;
	}
	return rest == 0 && end_file(job, path, fault) != 0 ? PHASE_FAULT
							    : PHASE_MORE;
}

enum phase_outcome
packing_add_file(struct job *job, const struct catalog_item *item, int dirfd,
    const char *path, struct fault *fault)
{
	struct packing *packing = job->phase;
	struct pack_cursor *cursor = &job->state.pack;
	struct tarball_entry entry = { .path = path };

	if (entry_open_file(dirfd, item->name, &packing->fd, &entry.st) != 0)
		return packing_leave_out_errno(job, item, path, fault);
	entry.fd = packing->fd;
	if (packing_write_header(job, &entry, fault) != 0 ||
	    packing_note_first(job, item, &entry.st, fault) != 0)
		return PHASE_FAULT;
	cursor->in_file = true;
	cursor->entry = item->offset;
	cursor->size = entry.st.st_size;
	cursor->done = 0;
	cursor->device = (int64_t)entry.st.st_dev;
	cursor->inode = (int64_t)entry.st.st_ino;
	cursor->mode = (int64_t)(entry.st.st_mode & 07777);
	cursor->mtime_s = entry.st.st_mtim.tv_sec;
	cursor->mtime_ns = entry.st.st_mtim.tv_nsec;
	cursor->changed = false;
	packing->lost = NULL;
	packing->sparse = entry.st.st_blocks * 512 < entry.st.st_size;
	digest_init(&packing->digest);
	return packing_add_piece(job, path, fault);
}

/* Go on in the middle of a file. */
int
packing_resume_file(struct job *job, struct fault *fault)
{
	struct packing *packing = job->phase;
	struct pack_cursor *cursor = &job->state.pack;
	struct catalog_item item;
	struct stat st;
	int dirfd;

	if (digest_load(&packing->digest, cursor->digest) != 0)
		return fault_set(fault, FAULT_CORRUPT,
		    STATE_FILE ": a running hash makes no sense");
	dirfd = folders_fd(&packing->folders, fault);
	if (dirfd == -1)
		return -1;
	if (catalog_at(
		&packing->elsewhere.reader, cursor->entry, &item, fault) != 0)
		return -1;
	if (dirfd == FOLDERS_UNREACHABLE ||
	    entry_open_file(dirfd, item.name, &packing->fd, &st) != 0) {
		if (entry_out_of_resources())
			return fault_errno(fault, "the site cannot be read on");
		lose_file(packing, cursor,
		    "vanished while it was read; the rest of it is zeros");
		return 0;
	}
	if ((int64_t)st.st_dev != cursor->device ||
	    (int64_t)st.st_ino != cursor->inode ||
	    lseek(packing->fd, cursor->done, SEEK_SET) < 0)
		lose_file(packing, cursor,
		    "was replaced while it was read; the rest of it is "
		    "zeros");
	packing->sparse = st.st_blocks * 512 < st.st_size;
	return 0;
}
