/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_STORE_LOCK_H
#define ENGINE_STORE_LOCK_H

#include <stdbool.h>

struct budget;
struct datadir;
struct fault;

/*
 * Advisory locks between processes and threads alike: flock(2) on files in
 * locks/ (fcntl locks belong to a process and would not keep its own threads
 * apart).  A lock that is held ends with its process.
 */
struct lock {
	int fd;
};

#define LOCK_FREE  \
	{          \
		-1 \
	}

/*
 * Take the lock of this name, waiting as long as the budget has time; budget
 * NULL does not wait.  Returns 0; or -1 with FAULT_BUSY if another has it, or
 * with another fault.
 */
int lock_take(struct lock *lock, const struct datadir *datadir,
    const char *name, const struct budget *budget, struct fault *fault);

/* A lock that is held still is what others would find under its name. */
bool lock_is_there(
    const struct lock *lock, const struct datadir *datadir, const char *name);

/* Give it back; a free one is accepted. */
void lock_drop(struct lock *lock);

/*
 * Give it back and remove its file.  Whoever waits for it finds that the file
 * is gone and makes a new one.
 */
void
lock_remove(struct lock *lock, const struct datadir *datadir, const char *name);

#endif
