/* SPDX-License-Identifier: MIT */
/*
 * Each header is made by an archive writer of its own, whose output up to the
 * header's end is taken and the rest, padding and end of archive, discarded:
 * a writer that is freed unclosed would leak.
 */
#include "pack/tarball.h"

#include "base/fault.h"
#include "base/strbuf.h"
#include "pack/attributes.h"
#include "pack/frames.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

struct tarball {
	struct archive *disk; /* reads ACLs, knows names of owners */
	struct archive_entry *entry;
	struct strbuf header;
	bool discard;
};

static la_ssize_t
take_header(
    struct archive *archive, void *user, const void *bytes, size_t length)
{
	struct tarball *tarball = user;

	(void)archive;
	if (!tarball->discard)
		strbuf_add(&tarball->header, bytes, length);
	return (la_ssize_t)length;
}

struct tarball *
tarball_new(void)
{
	struct tarball *tarball = calloc(1, sizeof(*tarball));

	if (tarball == NULL)
		abort();
	tarball->disk = archive_read_disk_new();
	tarball->entry = archive_entry_new();
	if (tarball->disk == NULL || tarball->entry == NULL ||
	    archive_read_disk_set_standard_lookup(tarball->disk) !=
		ARCHIVE_OK ||
	    archive_read_disk_set_symlink_logical(tarball->disk) !=
		ARCHIVE_OK ||
	    archive_read_disk_set_behavior(tarball->disk,
		ARCHIVE_READDISK_NO_SPARSE | ARCHIVE_READDISK_NO_FFLAGS |
		    ARCHIVE_READDISK_NO_XATTR) != ARCHIVE_OK)
		abort();
	return tarball;
}

void
tarball_free(struct tarball *tarball)
{
	if (tarball == NULL)
		return;
	archive_entry_free(tarball->entry);
	archive_read_free(tarball->disk);
	strbuf_close(&tarball->header);
	free(tarball);
}

/* The rest comes later, for an ACL that is read changes the mode. */
static void
begin_entry(struct archive_entry *entry, const struct tarball_entry *from)
{
	archive_entry_clear(entry);
	archive_entry_copy_stat(entry, &from->st);
}

static void
fill_entry(struct tarball *tarball, const struct tarball_entry *from)
{
	struct archive_entry *entry = tarball->entry;
	const char *name;

	/* libarchive writes half a second before 1970 as -1.5. */
	if (from->st.st_mtim.tv_sec < 0)
		archive_entry_set_mtime(entry, from->st.st_mtim.tv_sec, 0);
	/* Times and numbers that would only make the headers longer. */
	archive_entry_unset_atime(entry);
	archive_entry_unset_ctime(entry);
	archive_entry_unset_birthtime(entry);
	archive_entry_set_dev(entry, 0);
	archive_entry_set_ino(entry, 0);
	archive_entry_set_nlink(entry, 1);
	archive_entry_copy_pathname(entry, from->path);
	name = archive_read_disk_uname(tarball->disk, from->st.st_uid);
	if (name != NULL)
		archive_entry_copy_uname(entry, name);
	name = archive_read_disk_gname(tarball->disk, from->st.st_gid);
	if (name != NULL)
		archive_entry_copy_gname(entry, name);
	archive_entry_set_size(entry,
	    S_ISREG(from->st.st_mode) && from->hardlink == NULL
		? from->st.st_size
		: 0);
	if (from->link_target != NULL)
		archive_entry_copy_symlink(entry, from->link_target);
	if (from->hardlink != NULL)
		archive_entry_copy_hardlink(entry, from->hardlink);
}

/* The header of the entry into tarball->header. */
static int
make_header(struct tarball *tarball, struct fault *fault)
{
	struct archive *archive = archive_write_new();
	int result = 0;

	if (archive == NULL)
		abort();
	strbuf_reset(&tarball->header);
	tarball->discard = false;
	/* A warning is about a name that is no UTF-8: it goes in as binary. */
	if (archive_write_set_format_pax(archive) != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(archive, 0) != ARCHIVE_OK ||
	    archive_write_open(archive, tarball, NULL, take_header, NULL) !=
		ARCHIVE_OK ||
	    archive_write_header(archive, tarball->entry) < ARCHIVE_WARN)
		result = fault_set(fault, FAULT_RETRY,
		    "a header of the archive cannot be made: %s",
		    archive_error_string(archive) != NULL
			? archive_error_string(archive)
			: "no memory");
	else if (!attributes_are_in(tarball->entry, &tarball->header))
		result = fault_set(fault, FAULT_RETRY,
		    "a header of the archive cannot be made: no memory");
	tarball->discard = true;
	archive_write_free(archive);
	return result;
}

int
tarball_header(struct tarball *tarball, struct frames *frames,
    const struct tarball_entry *entry, int *attributes_errno,
    struct fault *fault)
{
	begin_entry(tarball->entry, entry);
	*attributes_errno = 0;
	if (entry->fd >= 0 && entry->hardlink == NULL) {
		*attributes_errno = attributes_read(
		    tarball->disk, tarball->entry, entry->fd, &entry->st);
		if (*attributes_errno != 0)
			begin_entry(tarball->entry, entry);
	}
	fill_entry(tarball, entry);
	if (make_header(tarball, fault) != 0)
		return -1;
	frames_note_entry(frames);
	return frames_write(
	    frames, tarball->header.bytes, tarball->header.length, fault);
}

static int
write_zeros(struct frames *frames, size_t length, struct fault *fault)
{
	static const char zeros[2 * TARBALL_BLOCK];

	return frames_write(frames, zeros, length, fault);
}

int
tarball_pad(struct frames *frames, int64_t size, struct fault *fault)
{
	size_t rest = (size_t)(size % TARBALL_BLOCK);

	return rest == 0 ? 0 : write_zeros(frames, TARBALL_BLOCK - rest, fault);
}

int
tarball_end(struct frames *frames, struct fault *fault)
{
	return write_zeros(frames, (size_t)2 * TARBALL_BLOCK, fault);
}
