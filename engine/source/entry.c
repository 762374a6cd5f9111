/* SPDX-License-Identifier: MIT */
#include "source/entry.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int
entry_open(int dirfd, const char *name, int flags)
{
	int fd;

	do
		fd = openat(dirfd, name, flags | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	return fd;
}

/* Close fd, keep errno, and fail. */
static int
close_failing(int *fd, int number)
{
	close(*fd);
	*fd = -1;
	errno = number;
	return -1;
}

int
entry_open_file(int dirfd, const char *name, int *fd, struct stat *st)
{
	int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;

	/* Reading must not write access times; only the owner may say so. */
	*fd = entry_open(dirfd, name, flags | O_NOATIME);
	if (*fd < 0 && errno == EPERM)
		*fd = entry_open(dirfd, name, flags);
	if (*fd < 0) {
		/* A symlink, a socket, a device without a driver. */
		if (errno == ELOOP || errno == ENXIO || errno == ENODEV)
			errno = EINVAL;
		return -1;
	}
	if (fstat(*fd, st) != 0)
		return close_failing(fd, errno);
	if (!S_ISREG(st->st_mode))
		return close_failing(fd, EINVAL);
	return 0;
}

int
entry_open_path(int dirfd, const char *name, int *fd, struct stat *st)
{
	*fd = entry_open(dirfd, name, O_PATH | O_NOFOLLOW);
	if (*fd < 0)
		return -1;
	if (fstat(*fd, st) != 0)
		return close_failing(fd, errno);
	return 0;
}

int
entry_read_link(int fd, char *target, size_t size)
{
	ssize_t length = readlinkat(fd, "", target, size - 1);

	if (length < 0)
		return -1;
	target[length] = '\0';
	return 0;
}

bool
entry_out_of_resources(void)
{
	return errno == EMFILE || errno == ENFILE || errno == ENOMEM;
}

const char *
entry_reason(int number)
{
	switch (number) {
	case ENOENT:
		return "vanished before it could be read";
	case ESTALE:
		return "its folder was replaced by another";
	case EBUSY:
		return "changed all the time while it was read; names may be "
		       "missing in it, or be there twice";
	case EINVAL:
	case ENOTDIR:
	case ELOOP:
		return "became something else before it could be read";
	case EACCES:
	case EPERM:
		return "could not be read: permission denied";
	case EIO:
		return "could not be read: input/output error";
	default:
		return "could not be read";
	}
}

/* Depth below the root after following the components of path. */
static long
follow(const char *path, long depth)
{
	while (*path != '\0' && depth >= 0) {
		size_t length = strcspn(path, "/");

		if (length == 2 && path[0] == '.' && path[1] == '.')
			depth--;
		else if (length > 0 && !(length == 1 && path[0] == '.'))
			depth++;
		path += length;
		path += strspn(path, "/");
	}
	return depth;
}

bool
entry_leads_out(const char *root, const char *path, const char *target)
{
	size_t length = strlen(root);
	const char *slash;
	long depth = 0;

	if (target[0] == '/') {
		/* The root "/" contains everything. */
		if (length == 1)
			return false;
		if (strncmp(target, root, length) != 0 ||
		    (target[length] != '/' && target[length] != '\0'))
			return true;
		return follow(target + length, 0) < 0;
	}
	for (slash = strchr(path, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/'))
		depth++;
	return follow(target, depth) < 0;
}

size_t
entry_holes(int fd, int64_t size, int64_t (*holes)[2], size_t max)
{
	size_t count = 0;
	off_t at = 0;

	while (count < max) {
		off_t hole = lseek(fd, at, SEEK_HOLE), data;

		if (hole < 0 || hole >= size)
			break;
		data = lseek(fd, hole, SEEK_DATA);
		if (data < 0 && errno != ENXIO)
			break;
		if (data < 0 || data > size)
			data = size;
		holes[count][0] = hole;
		holes[count++][1] = data - hole;
		at = data;
	}
	return count;
}
