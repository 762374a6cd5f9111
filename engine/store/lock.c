/* SPDX-License-Identifier: MIT */
#include "store/lock.h"

#include "base/budget.h"
#include "base/fault.h"
#include "base/fsio.h"
#include "store/datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define POLL_INTERVAL (2 * BUDGET_MILLISECOND)

bool
lock_is_there(
    const struct lock *lock, const struct datadir *datadir, const char *name)
{
	struct stat mine, there;

	return fstat(lock->fd, &mine) == 0 &&
	    fstatat(datadir->locks, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

static void
pause_briefly(void)
{
	struct timespec interval = { 0, POLL_INTERVAL };

	nanosleep(&interval, NULL);
}

int
lock_take(struct lock *lock, const struct datadir *datadir, const char *name,
    const struct budget *budget, struct fault *fault)
{
	for (;;) {
		int fd = fsio_create(datadir->locks, name, 0);

		if (fd < 0)
			return fault_errno(
			    fault, "the lock '%s' cannot be opened", name);
		while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
			if (errno != EWOULDBLOCK && errno != EINTR) {
				fault_errno(fault,
				    "the lock '%s' cannot be taken", name);
				close(fd);
				return -1;
			}
			if (budget == NULL || budget_left(budget) == 0 ||
			    budget_stopped(budget)) {
				close(fd);
				return fault_set(fault, FAULT_BUSY,
				    "another process holds the lock '%s'",
				    name);
			}
			pause_briefly();
		}
		lock->fd = fd;
		/* It may have been removed between opening and locking. */
		if (lock_is_there(lock, datadir, name))
			return 0;
		lock_drop(lock);
	}
}

void
lock_drop(struct lock *lock)
{
	if (lock->fd >= 0)
		close(lock->fd);
	lock->fd = -1;
}

void
lock_remove(struct lock *lock, const struct datadir *datadir, const char *name)
{
	if (lock->fd >= 0)
		fsio_remove(datadir->locks, name);
	lock_drop(lock);
}
