/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_ENTRY_H
#define ENGINE_SOURCE_ENTRY_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/*
 * Single entries of the site, opened so that nothing outside is ever reached
 * and nothing ever blocks: below a folder's descriptor, no symlink followed,
 * FIFOs and devices only looked at.
 *
 * Functions return 0, or -1 with errno set.
 */

/*
 * openat(2), close-on-exec and repeated if a signal interrupts it.  For all
 * but an administrator's own path the flags are to have O_NOFOLLOW.
 */
int entry_open(int dirfd, const char *name, int flags);

/* Flags to open a folder for reading. */
#define ENTRY_FOLDER (O_RDONLY | O_DIRECTORY | O_NONBLOCK)

/*
 * Open a regular file for reading and look at it.  EINVAL: it is something
 * else by now.
 */
int entry_open_file(int dirfd, const char *name, int *fd, struct stat *st);

/* Open anything with O_PATH, the entry itself, and look at it. */
int entry_open_path(int dirfd, const char *name, int *fd, struct stat *st);

/*
 * The target of the symlink that was opened with entry_open_path, at most
 * size - 1 bytes of it and a NUL.
 */
int entry_read_link(int fd, char *target, size_t size);

/*
 * errno is not about the entry but about this process: it has run out of
 * descriptors or memory.
 */
bool entry_out_of_resources(void);

/* What errno means for an entry that cannot be packed; a sentence's end. */
const char *entry_reason(int number);

/*
 * A symlink leads out of its root: root is that root's real path, path the
 * symlink's own place below the root.  Judged by the names alone.
 */
bool entry_leads_out(const char *root, const char *path, const char *target);

/*
 * Find the first holes of a sparse file of size bytes, at most max of them, as
 * offset and length.  Returns how many; 0 also where the file system does not
 * tell.  Moves the file's position.
 */
size_t entry_holes(int fd, int64_t size, int64_t (*holes)[2], size_t max);

#endif
