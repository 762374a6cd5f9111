/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_PACK_TARBALL_H
#define ENGINE_PACK_TARBALL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct fault;
struct frames;
struct tarball;

/*
 * Entries of a tar archive in the pax interchange format (POSIX.1-2008, pax,
 * "pax Interchange Format") as raw bytes: a header by libarchive, then the
 * body as it is, then zeros up to a whole block.
 */

#define TARBALL_BLOCK 512

/* What stands in a header. */
struct tarball_entry {
	const char *path; /* in the archive, "files/a"; a folder ends in "/" */
	struct stat st;   /* type, mode, owner, size, mtime, device numbers */
	const char *link_target; /* of a symlink, or NULL */
	const char *hardlink;    /* path of the entry this is another name of */
	/* a descriptor to read xattrs and ACLs from (O_PATH will do), or -1 */
	int fd;
};

/* To be freed with tarball_free.  Needs a UTF-8 locale (LC_CTYPE). */
struct tarball *tarball_new(void);

void tarball_free(struct tarball *tarball);

/*
 * Append the header of an entry to the frames.  A file's body of exactly
 * st.st_size bytes and its padding are to follow; what is a hard link or no
 * file has none.  If xattrs or ACLs cannot be read, the header has none, and
 * *attributes_errno says why, else it is 0.  Returns 0 or -1.
 */
int tarball_header(struct tarball *tarball, struct frames *frames,
    const struct tarball_entry *entry, int *attributes_errno,
    struct fault *fault);

/* Append what fills the last block of a body of size bytes.  0 or -1. */
int tarball_pad(struct frames *frames, int64_t size, struct fault *fault);

/* Append the end of the archive, two blocks of zeros.  0 or -1. */
int tarball_end(struct frames *frames, struct fault *fault);

#endif
