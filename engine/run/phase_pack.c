/* SPDX-License-Identifier: MIT */
/*
 * The catalog, read from beginning to end, becomes the archive.  A file longer
 * than a unit is packed in pieces: its header says how long it was then, and
 * that many bytes follow whatever becomes of it.
 */
#include "base/fault.h"
#include "pack/frames.h"
#include "pack/tarball.h"
#include "run/job.h"
#include "run/packing.h"
#include "source/entry.h"
#include "store/catalog.h"

#include <stdlib.h>
#include <unistd.h>

/* Any entry but a folder. */
static enum phase_outcome
add_entry(struct job *job, const struct catalog_item *item, struct fault *fault)
{
	struct packing *packing = job->phase;
	const char *path = folders_path_of(&packing->folders, item->name);
	int dirfd = folders_fd(&packing->folders, fault);

	if (dirfd == -1)
		return PHASE_FAULT;
	if (dirfd == FOLDERS_UNREACHABLE)
		return packing_leave_out_errno(job, item, path, fault);
	if (CATALOG_IS_LINKED(item->type)) {
		int added = packing_add_hardlink(job, item, dirfd, path, fault);

		if (added != 0)
			return added < 0 ? PHASE_FAULT : PHASE_MORE;
	}
	return CATALOG_UNLINKED(item->type) == 'f'
	    ? packing_add_file(job, item, dirfd, path, fault)
	    : packing_add_special(job, item, dirfd, path, fault);
}

/* What the walk could not look at: an entry, or the rest of a folder. */
static enum phase_outcome
add_unreadable(
    struct job *job, const struct catalog_item *item, struct fault *fault)
{
	struct packing *packing = job->phase;
	const char *path = folders_path_of(
	    &packing->folders, item->name_length > 0 ? item->name : NULL);

	return packing_leave_out(
	    job, item, path, entry_reason((int)item->number), fault);
}

static void
count_excluded(struct job *job, int64_t pattern)
{
	job->state.counts.excluded++;
	if (pattern >= 0 && pattern < job->state.excluded_count)
		job->state.excluded[pattern]++;
}

static enum phase_outcome
pack_next(struct job *job, struct fault *fault)
{
	struct packing *packing = job->phase;
	struct pack_cursor *cursor = &job->state.pack;
	struct catalog_item item;
	enum phase_outcome outcome = PHASE_MORE;
	int found;

	if (cursor->in_file) {
		if (catalog_at(&packing->elsewhere.reader, cursor->entry, &item,
			fault) != 0)
			return PHASE_FAULT;
		return packing_add_piece(
		    job, folders_path_of(&packing->folders, item.name), fault);
	}
	found = catalog_next(&packing->catalog, &item, fault);
	if (found <= 0)
		return found < 0 || packing_end_root(job, fault) != 0
		    ? PHASE_FAULT
		    : PHASE_ENDED;
	cursor->catalog = packing->catalog.offset;
	switch (item.type) {
	case 'R':
	case 'D':
		outcome = packing_add_folder(job, &item, fault);
		break;
	case 'd':
		break;
	case 's':
		job->state.counts.sockets++;
		logbook_write(&job->log, "%s is a socket; left out",
		    folders_path_of(&packing->folders, item.name));
		break;
	case 'x':
		count_excluded(job, item.number);
		break;
	case 'e':
		outcome = add_unreadable(job, &item, fault);
		break;
	default:
		outcome = add_entry(job, &item, fault);
		break;
	}
	return outcome;
}

/* The real path of the root above the folder at hand. */
static int
find_root(struct packing *packing, struct fault *fault)
{
	struct catalog_item item;

	if (catalog_at(&packing->elsewhere.reader,
		packing->folders.levels[0].offset, &item, fault) != 0)
		return -1;
	strbuf_add(&packing->root, item.name, item.name_length);
	return 0;
}

static int
open_links(struct job *job, struct fault *fault)
{
	int64_t count = job->state.walk.linked;

	if (count == 0)
		return 0;
	if (count > LINKS_MAX)
		return fault_set(fault, FAULT_SYSTEM,
		    "the site has too many hard links: %lld", (long long)count);
	/* Before the first line nothing can be in it. */
	return job->state.pack.catalog == 0
	    ? links_make(&job->links, job->jobfd, count, fault)
	    : links_open(&job->links, job->jobfd, count, fault);
}

static int
open_packing(struct job *job, struct fault *fault)
{
	struct packing *packing = calloc(1, sizeof(*packing));
	struct pack_cursor *cursor = &job->state.pack;
	struct spool *catalog;

	if (packing == NULL)
		abort();
	job->phase = packing;
	packing->fd = -1;
	catalog = job_spool(job, SPOOL_CATALOG, fault);
	packing->manifest = job_spool(job, SPOOL_MANIFEST, fault);
	packing->sums = job_spool(job, SPOOL_SUMS, fault);
	if (catalog == NULL || packing->manifest == NULL ||
	    packing->sums == NULL || open_links(job, fault) != 0)
		return -1;
	packing->frames = job_frames(job, 0, fault);
	if (packing->frames == NULL)
		return -1;
	packing->tarball = tarball_new();
	folders_open(
	    &packing->folders, catalog, job->root_names, job->root_count);
	folders_open(
	    &packing->elsewhere, catalog, job->root_names, job->root_count);
	spool_reader_open(&packing->catalog, catalog, cursor->catalog);
	if (cursor->catalog == 0)
		return 0;
	if (folders_enter(&packing->folders, cursor->folder, fault) != 0 ||
	    find_root(packing, fault) != 0)
		return -1;
	return cursor->in_file ? packing_resume_file(job, fault) : 0;
}

static void
save_packing(struct job *job)
{
	struct packing *packing = job->phase;

	if (job->state.pack.in_file)
		digest_save(&packing->digest, job->state.pack.digest);
}

static void
close_packing(struct job *job)
{
	struct packing *packing = job->phase;

	frames_close(job->frames);
	job->frames = NULL;
	links_close(&job->links);
	if (packing == NULL)
		return;
	if (packing->fd >= 0)
		close(packing->fd);
	folders_close(&packing->folders);
	folders_close(&packing->elsewhere);
	spool_reader_close(&packing->catalog);
	tarball_free(packing->tarball);
	strbuf_close(&packing->root);
	strbuf_close(&packing->line);
	strbuf_close(&packing->path);
	free(packing);
	job->phase = NULL;
}

const struct phase phase_pack = {
	.open = open_packing,
	.step = pack_next,
	.save = save_packing,
	.close = close_packing,
};
