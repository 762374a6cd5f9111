/* SPDX-License-Identifier: MIT */
#include "base/fsio.h"

#include "base/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int
open_file(int dirfd, const char *name, int flags)
{
	int fd;

	do
		fd = openat(dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	while (fd < 0 && errno == EINTR);
	return fd;
}

int
fsio_open(int dirfd, const char *name, int flags)
{
	return open_file(dirfd, name, O_RDONLY | flags);
}

int
fsio_open_both(int dirfd, const char *name)
{
	return open_file(dirfd, name, O_RDWR);
}

int
fsio_create(int dirfd, const char *name, int flags)
{
	return open_file(dirfd, name, O_RDWR | O_CREAT | flags);
}

int
fsio_make_dir(int dirfd, const char *name)
{
	if (mkdirat(dirfd, name, 0700) == 0 || errno == EEXIST)
		return 0;
	return -1;
}

ssize_t
fsio_read(int fd, void *bytes, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t got = read(fd, (char *)bytes + done, length - done);

		if (got == 0)
			break;
		if (got > 0)
			done += (size_t)got;
		else if (errno != EINTR)
			return -1;
	}
	return (ssize_t)done;
}

ssize_t
fsio_read_at(int fd, void *bytes, size_t length, int64_t offset)
{
	size_t done = 0;

	while (done < length) {
		ssize_t got = pread(fd, (char *)bytes + done, length - done,
		    offset + (int64_t)done);

		if (got == 0)
			break;
		if (got > 0)
			done += (size_t)got;
		else if (errno != EINTR)
			return -1;
	}
	return (ssize_t)done;
}

int
fsio_read_file(int dirfd, const char *name, size_t max, struct strbuf *buf)
{
	struct stat st;
	ssize_t got = -1;
	int fd, number;

	fd = fsio_open(dirfd, name, O_NONBLOCK);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0)
		goto out;
	if (!S_ISREG(st.st_mode))
		errno = EINVAL;
	else if (st.st_size < 0 || (uint64_t)st.st_size > max)
		errno = EFBIG;
	else
		got = fsio_read(fd, strbuf_reserve(buf, (size_t)st.st_size),
		    (size_t)st.st_size);
	if (got >= 0)
		strbuf_commit(buf, (size_t)got);
out:
	number = errno;
	close(fd);
	errno = number;
	return got < 0 ? -1 : 0;
}

int
fsio_write(int fd, const void *bytes, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t put =
		    write(fd, (const char *)bytes + done, length - done);

		if (put >= 0)
			done += (size_t)put;
		else if (errno != EINTR)
			return -1;
	}
	return 0;
}

int
fsio_write_at(int fd, const void *bytes, size_t length, int64_t offset)
{
	size_t done = 0;

	while (done < length) {
		ssize_t put = pwrite(fd, (const char *)bytes + done,
		    length - done, offset + (int64_t)done);

		if (put >= 0)
			done += (size_t)put;
		else if (errno != EINTR)
			return -1;
	}
	return 0;
}

int
fsio_truncate(int fd, int64_t length)
{
	int result;

	do
		result = ftruncate(fd, length);
	while (result != 0 && errno == EINTR);
	return result;
}

int
fsio_sync(int fd)
{
	return fdatasync(fd);
}

int
fsio_sync_dir(int dirfd)
{
	return fsync(dirfd);
}

int
fsio_start_writeback(int fd, int64_t offset, int64_t length)
{
	return sync_file_range(fd, offset, length, SYNC_FILE_RANGE_WRITE);
}

int
fsio_wait_writeback(int fd, int64_t offset, int64_t length)
{
	return sync_file_range(fd, offset, length,
	    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
		SYNC_FILE_RANGE_WAIT_AFTER);
}

int
fsio_give(int fd, uid_t user, gid_t group)
{
	return fchown(fd, user, group);
}

int
fsio_link(int dirfd, const char *name, const char *second)
{
	return linkat(dirfd, name, dirfd, second, 0);
}

int
fsio_rename(int from_dirfd, const char *from, int to_dirfd, const char *to)
{
	return renameat(from_dirfd, from, to_dirfd, to);
}

int
fsio_remove(int dirfd, const char *name)
{
	return unlinkat(dirfd, name, 0);
}

int
fsio_remove_dir(int dirfd, const char *name)
{
	return unlinkat(dirfd, name, AT_REMOVEDIR);
}

static int
replace(
    int dirfd, const char *name, const void *bytes, size_t length, bool durable)
{
	char temporary[256];
	int fd, number, result = -1;

	if (snprintf(temporary, sizeof(temporary), "%s.new", name) >=
	    (int)sizeof(temporary)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = fsio_create(dirfd, temporary, O_TRUNC);
	if (fd < 0)
		return -1;
	if (fsio_write(fd, bytes, length) != 0)
		goto out;
	if (durable && fsio_sync(fd) != 0)
		goto out;
	if (fsio_rename(dirfd, temporary, dirfd, name) != 0)
		goto out;
	if (durable && fsio_sync_dir(dirfd) != 0)
		goto out;
	result = 0;
out:
	number = errno;
	close(fd);
	if (result != 0)
		fsio_remove(dirfd, temporary);
	errno = number;
	return result;
}

int
fsio_replace(int dirfd, const char *name, const void *bytes, size_t length)
{
	return replace(dirfd, name, bytes, length, true);
}

int
fsio_replace_unsynced(
    int dirfd, const char *name, const void *bytes, size_t length)
{
	return replace(dirfd, name, bytes, length, false);
}
