/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_BASE_BUDGET_H
#define ENGINE_BASE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * How long a step may still work.  A step must not only stop working in time:
 * the checkpoint at its end belongs to its budget.  What that will cost is
 * foretold from the pace: how fast this machine has lately brought work in
 * flight to the file, and the file to the disk.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC, or lengths in nanoseconds.
 */

#define BUDGET_SECOND      INT64_C(1000000000)
#define BUDGET_MILLISECOND INT64_C(1000000)

/* What was measured; bytes a second and nanoseconds.  Shared by threads. */
struct pace {
	_Atomic int64_t drain; /* plain bytes: from memory to the file */
	_Atomic int64_t sync;  /* written bytes: from the file to the disk */
	_Atomic int64_t fixed; /* a checkpoint with nothing to write */
	_Atomic int64_t read;  /* bytes of the site: from the disk */
};

struct budget {
	int64_t started;
	int64_t deadline; /* INT64_MAX: no limit */
	const atomic_bool *stop;
};

/* The time now. */
int64_t budget_now(void);

/*
 * Begin a budget of length nanoseconds, 0 for no limit.  As soon as *stop is
 * true the budget is over; stop may be NULL and must outlive the budget.
 */
void
budget_start(struct budget *budget, int64_t length, const atomic_bool *stop);

/* Nanoseconds left, at least 0; INT64_MAX if there is no limit. */
int64_t budget_left(const struct budget *budget);

/* The stop flag is set. */
bool budget_stopped(const struct budget *budget);

/*
 * It is time to end the step: what is left is only enough for a checkpoint
 * with in_flight plain bytes still in memory and unsynced bytes in files.
 */
bool budget_over(const struct budget *budget, struct pace *pace,
    int64_t in_flight, int64_t unsynced);

/*
 * How many plain bytes may be in flight so that a checkpoint, with unsynced
 * bytes besides, still fits into what is left; INT64_MAX if there is no limit.
 */
int64_t budget_allowance(
    const struct budget *budget, struct pace *pace, int64_t unsynced);

/* A pace for a machine of which nothing is known: a slow one. */
void pace_init(struct pace *pace);

/* It took this long to bring so many bytes in flight to the file. */
void pace_note_drain(struct pace *pace, int64_t bytes, int64_t length);

/*
 * So many bytes reached the disk in this time.  If nobody had to wait for
 * them the disk may be faster: the pace is only ever raised by that.  It at
 * most doubles: a cache may have taken those bytes, and not the next.
 */
void
pace_note_sync(struct pace *pace, int64_t bytes, int64_t length, bool waited);

/* A checkpoint took this long beyond what its bytes explain. */
void pace_note_fixed(struct pace *pace, int64_t length);

/* It took this long to read so many bytes of the site. */
void pace_note_read(struct pace *pace, int64_t bytes, int64_t length);

/* How much to read at once so that it takes about length; 16 KiB to 1 MiB. */
int64_t pace_unit(struct pace *pace, int64_t length);

/* How long so many bytes are likely to take at rate bytes a second. */
int64_t pace_time(int64_t bytes, int64_t rate);

#endif
