/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_BASE_FSIO_H
#define ENGINE_BASE_FSIO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct strbuf;

/*
 * Every system call of the program that changes a file is made here, so that
 * each of them can be failed, killed at, slowed or recorded by a test.
 *
 * Unless said otherwise a function returns 0, or -1 with errno set.  Calls
 * interrupted by a signal are repeated and short reads and writes continued,
 * except for syncs: a failed sync is never retried, because the kernel may
 * have dropped what it could not write (see fsync(2)); the caller goes back to
 * its last checkpoint.  Names are single components below a directory
 * descriptor; no symlink is followed.  Descriptors are close-on-exec.
 */

/* Open for reading, flags added to O_RDONLY.  Returns the descriptor. */
int fsio_open(int dirfd, const char *name, int flags);

/*
 * Open for reading and writing.  fsio_create makes a missing file, with mode
 * 0600, and adds flags to the call's.
 */
int fsio_open_both(int dirfd, const char *name);
int fsio_create(int dirfd, const char *name, int flags);

/* Make a directory of mode 0700; one that is there already is success. */
int fsio_make_dir(int dirfd, const char *name);

/* Read up to length bytes, fewer only at the end of the file. */
ssize_t fsio_read(int fd, void *bytes, size_t length);
ssize_t fsio_read_at(int fd, void *bytes, size_t length, int64_t offset);

/*
 * Append the whole file to buf.  A file larger than max bytes is EFBIG, and
 * anything but a regular file EINVAL.
 */
int fsio_read_file(int dirfd, const char *name, size_t max, struct strbuf *buf);

/* Write all of it, at the descriptor's position or at offset. */
int fsio_write(int fd, const void *bytes, size_t length);
int fsio_write_at(int fd, const void *bytes, size_t length, int64_t offset);

/* Set the length of a file. */
int fsio_truncate(int fd, int64_t length);

/* Give a file to a user and a group; for root. */
int fsio_give(int fd, uid_t user, gid_t group);

/* Data and length of a file, or the entries of a directory, are durable. */
int fsio_sync(int fd);
int fsio_sync_dir(int dirfd);

/* Start writing a range to the disk, without waiting and without promise. */
int fsio_start_writeback(int fd, int64_t offset, int64_t length);

/* Wait until a range has been handed to the disk; not durable yet. */
int fsio_wait_writeback(int fd, int64_t offset, int64_t length);

/* Give a file a second name; EEXIST if that name is taken. */
int fsio_link(int dirfd, const char *name, const char *second);

/* Rename, remove a file, remove an empty directory; not durable yet. */
int fsio_rename(int from_dirfd, const char *from, int to_dirfd, const char *to);
int fsio_remove(int dirfd, const char *name);
int fsio_remove_dir(int dirfd, const char *name);

/*
 * Replace the content of a file by way of name.new and a rename: afterwards it
 * has either the old content or the new one, whatever happens.  Durable on
 * return.  The directory's earlier changes become durable with it.
 */
int fsio_replace(int dirfd, const char *name, const void *bytes, size_t length);

/*
 * The same without any sync: safe against a kill, not against a power cut.
 * For what may be lost, or be found empty.
 */
int fsio_replace_unsynced(
    int dirfd, const char *name, const void *bytes, size_t length);

#endif
