/* SPDX-License-Identifier: MIT */
#include "base/fault.h"
#include "pack/manifest.h"
#include "pack/tarball.h"
#include "run/job.h"
#include "run/packing.h"
#include "source/entry.h"
#include "store/catalog.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* Where in the catalog an entry of the folder at hand stands. */
struct link_place
packing_place(const struct packing *packing, const struct catalog_item *item)
{
	const struct folder_level *level = folders_at(&packing->folders);

	return (struct link_place){ .device = level->device,
		.inode = item->number,
		.entry = item->offset,
		.folder = level->offset };
}

/* Name an entry that is not in the archive. */
enum phase_outcome
packing_leave_out(struct job *job, const struct catalog_item *item,
    const char *path, const char *reason, struct fault *fault)
{
	struct packing *packing = job->phase;

	if (CATALOG_IS_LINKED(item->type) && item->type != 'D' &&
	    item->type != 'R') {
		struct link_place place = packing_place(packing, item);

		if (links_forget(&job->links, &place, fault) != 0)
			return PHASE_FAULT;
	}
	job->state.counts.unread++;
	return job_warn(job, path, reason, fault) != 0 ? PHASE_FAULT
						       : PHASE_MORE;
}

/* The same for what errno says; running out of resources is our own fault. */
enum phase_outcome
packing_leave_out_errno(struct job *job, const struct catalog_item *item,
    const char *path, struct fault *fault)
{
	if (entry_out_of_resources())
		return fault_errno(fault, "the site cannot be read on");
	return packing_leave_out(job, item, path, entry_reason(errno), fault);
}

int
packing_add_manifest(struct packing *packing,
    const struct manifest_entry *entry, struct fault *fault)
{
	strbuf_reset(&packing->line);
	manifest_add(&packing->line, entry);
	return spool_append(packing->manifest, packing->line.bytes,
	    packing->line.length, fault);
}

int
packing_write_header(
    struct job *job, const struct tarball_entry *entry, struct fault *fault)
{
	struct packing *packing = job->phase;
	int error;

	if (tarball_header(
		packing->tarball, packing->frames, entry, &error, fault) != 0)
		return -1;
	if (error == 0)
		return 0;
	errno = error;
	if (entry_out_of_resources())
		return fault_errno(fault, "the site cannot be read on");
	return job_warn(job, entry->path,
	    "its extended attributes or ACLs could not be read", fault);
}

/* An entry whose header is all there is of it. */
int
packing_add_bodiless(struct job *job, const struct tarball_entry *entry,
    const char *type, struct fault *fault)
{
	struct packing *packing = job->phase;
	struct manifest_entry line = {
		.path = entry->path,
		.type = type,
		.mode = (int64_t)(entry->st.st_mode & 07777),
		.mtime_s = entry->st.st_mtim.tv_sec,
		.mtime_ns = entry->st.st_mtim.tv_nsec,
		.size = -1,
		.target = entry->hardlink != NULL ? entry->hardlink
						  : entry->link_target,
	};

	return packing_write_header(job, entry, fault) != 0
	    ? -1
	    : packing_add_manifest(packing, &line, fault);
}

/* What the walk noted about a folder as a whole. */
static int
note_mark(struct job *job, const struct catalog_item *item, const char *path,
    struct fault *fault)
{
	switch (item->mark) {
	case CATALOG_ENTERED:
		break;
	case CATALOG_MOUNT:
		job->state.counts.mounts++;
		logbook_write(
		    &job->log, "%s is another file system; it is packed", path);
		break;
	case CATALOG_MOUNT_SHUT:
		job->state.counts.mounts++;
		logbook_write(
		    &job->log, "%s is another file system; left out", path);
		break;
	case CATALOG_PSEUDO:
		job->state.counts.mounts++;
		logbook_write(
		    &job->log, "%s is a pseudo file system; left out", path);
		break;
	case CATALOG_DATA:
		logbook_write(
		    &job->log, "%s is the data directory; left out", path);
		break;
	case CATALOG_UNREADABLE:
		job->state.counts.unread++;
		return job_warn(job, path, entry_reason(item->error), fault);
	}
	return 0;
}

int
packing_end_root(struct job *job, struct fault *fault)
{
	struct packing *packing = job->phase;
	struct catalog_item item;
	struct stat st;

	if (packing->folders.depth == 0)
		return 0;
	if (catalog_at(&packing->elsewhere.reader,
		packing->folders.levels[0].offset, &item, fault) != 0)
		return -1;
	if (stat(job->root_paths[item.number], &st) == 0 &&
	    (int64_t)st.st_dev == item.device &&
	    (int64_t)st.st_ino == item.inode)
		return 0;
	return job_warn(job, job->root_names[item.number],
	    "another folder took its place meanwhile, or none (a new "
	    "release?); the backup has the one that it began with",
	    fault);
}

enum phase_outcome
packing_add_folder(
    struct job *job, const struct catalog_item *from, struct fault *fault)
{
	struct packing *packing = job->phase;
	struct catalog_item item = *from;
	struct tarball_entry entry = { .fd = -1 };
	const char *path;
	int fd;

	if (item.type == 'R') {
		if (packing_end_root(job, fault) != 0)
			return PHASE_FAULT;
		strbuf_reset(&packing->root);
		strbuf_add(&packing->root, item.name, item.name_length);
	}
	job->state.pack.folder = item.offset;
	if (folders_enter(&packing->folders, item.offset, fault) != 0)
		return PHASE_FAULT;
	path = folders_path_of(&packing->folders, NULL);
	if (note_mark(job, &item, path, fault) != 0)
		return PHASE_FAULT;
	if (item.mark == CATALOG_DATA ||
	    (item.mark == CATALOG_UNREADABLE && item.inode == 0))
		return PHASE_MORE;
	fd = folders_fd(&packing->folders, fault);
	if (fd == -1)
		return PHASE_FAULT;
	/* What the walk could not enter is named already. */
	if (fd == FOLDERS_UNREACHABLE)
		return item.mark == CATALOG_UNREADABLE
		    ? PHASE_MORE
		    : packing_leave_out_errno(job, &item, path, fault);
	if (fstat(fd, &entry.st) != 0)
		return packing_leave_out_errno(job, &item, path, fault);
	strbuf_reset(&packing->path);
	strbuf_addf(&packing->path, "%s/", path);
	entry.path = packing->path.bytes;
	entry.fd = fd;
	if (packing_add_bodiless(job, &entry, "folder", fault) != 0)
		return PHASE_FAULT;
	job->state.counts.folders++;
	return PHASE_MORE;
}

/* A symlink, FIFO or device, by its O_PATH descriptor. */
static enum phase_outcome
add_opened_special(struct job *job, const struct catalog_item *item,
    struct tarball_entry *entry, struct fault *fault)
{
	struct packing *packing = job->phase;
	struct counts *counts = &job->state.counts;
	char target[PATH_MAX];
	const char *type;
	int result;

	switch (entry->st.st_mode & S_IFMT) {
	case S_IFLNK:
		if (entry_read_link(entry->fd, target, sizeof(target)) != 0)
			return packing_leave_out_errno(
			    job, item, entry->path, fault);
		entry->link_target = target;
		type = "symlink";
		counts->symlinks++;
		if (entry_leads_out(packing->root.bytes,
			folders_below_root(&packing->folders, entry->path),
			target)) {
			counts->outside++;
			logbook_write(&job->log,
			    "%s is a symlink that leads out of the site, to "
			    "%s; it is packed, what it leads to is not",
			    entry->path, target);
		}
		break;
	case S_IFIFO:
		type = "fifo";
		counts->specials++;
		break;
	case S_IFCHR:
	case S_IFBLK:
		type = S_ISCHR(entry->st.st_mode) ? "character device"
						  : "block device";
		counts->specials++;
		break;
	default:
		return packing_leave_out(
		    job, item, entry->path, entry_reason(EINVAL), fault);
	}
	result = packing_add_bodiless(job, entry, type, fault);
	entry->link_target = NULL;
	if (result != 0 ||
	    packing_note_first(job, item, &entry->st, fault) != 0)
		return PHASE_FAULT;
	return PHASE_MORE;
}

enum phase_outcome
packing_add_special(struct job *job, const struct catalog_item *item, int dirfd,
    const char *path, struct fault *fault)
{
	struct tarball_entry entry = { .path = path };
	enum phase_outcome outcome;

	if (entry_open_path(dirfd, item->name, &entry.fd, &entry.st) != 0)
		return packing_leave_out_errno(job, item, path, fault);
	outcome = add_opened_special(job, item, &entry, fault);
	close(entry.fd);
	return outcome;
}
