/* SPDX-License-Identifier: MIT */
#include "base/budget.h"

#include <time.h>

/* Too little to judge a rate by: such a time is mostly latency. */
#define TELLING_BYTES (32 * 1024)

#define UNIT_MIN (16 * 1024)
#define UNIT_MAX (1024 * 1024)

int64_t
budget_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * BUDGET_SECOND + now.tv_nsec;
}

void
budget_start(struct budget *budget, int64_t length, const atomic_bool *stop)
{
	budget->started = budget_now();
	budget->deadline = length > 0 ? budget->started + length : INT64_MAX;
	budget->stop = stop;
}

int64_t
budget_left(const struct budget *budget)
{
	int64_t left;

	if (budget->deadline == INT64_MAX)
		return INT64_MAX;
	left = budget->deadline - budget_now();
	return left > 0 ? left : 0;
}

bool
budget_stopped(const struct budget *budget)
{
	return budget->stop != NULL && atomic_load(budget->stop);
}

int64_t
pace_time(int64_t bytes, int64_t rate)
{
	return (int64_t)((double)bytes / (double)rate * (double)BUDGET_SECOND);
}

bool
budget_over(const struct budget *budget, struct pace *pace, int64_t in_flight,
    int64_t unsynced)
{
	int64_t need;

	if (budget_stopped(budget))
		return true;
	if (budget->deadline == INT64_MAX)
		return false;
	need = pace->fixed + pace_time(in_flight, pace->drain) +
	    pace_time(in_flight + unsynced, pace->sync);
	return budget_left(budget) <= need;
}

int64_t
budget_allowance(
    const struct budget *budget, struct pace *pace, int64_t unsynced)
{
	double left, seconds_a_byte;

	if (budget->deadline == INT64_MAX)
		return INT64_MAX;
	left = (double)(budget_left(budget) - pace->fixed -
		   pace_time(unsynced, pace->sync)) /
	    (double)BUDGET_SECOND;
	seconds_a_byte = 1 / (double)pace->drain + 1 / (double)pace->sync;
	return left > 0 ? (int64_t)(left / seconds_a_byte) : 0;
}

void
pace_init(struct pace *pace)
{
	pace->drain = INT64_C(8) << 20;
	pace->sync = INT64_C(512) << 10;
	pace->fixed = 20 * BUDGET_MILLISECOND;
	pace->read = INT64_C(16) << 20;
}

/* Bad news is believed at once, good news by and by. */
static int64_t
blend(int64_t before, int64_t now, bool worse)
{
	return worse ? (before + 3 * now) / 4 : (3 * before + now) / 4;
}

static int64_t
rate_of(int64_t bytes, int64_t length)
{
	double rate = (double)bytes * (double)BUDGET_SECOND /
	    (double)(length > 0 ? length : 1);

	/* Bounded so that no later sum can overflow. */
	if (rate < 1024.0)
		return 1024;
	return rate > 1e12 ? INT64_C(1000000000000) : (int64_t)rate;
}

void
pace_note_drain(struct pace *pace, int64_t bytes, int64_t length)
{
	int64_t rate = rate_of(bytes, length);

	if (bytes >= TELLING_BYTES)
		pace->drain = blend(pace->drain, rate, rate < pace->drain);
}

void
pace_note_sync(struct pace *pace, int64_t bytes, int64_t length, bool waited)
{
	int64_t rate = rate_of(bytes, length);

	if (rate > 4 * pace->sync)
		rate = 4 * pace->sync;
	if (bytes >= TELLING_BYTES && (waited || rate > pace->sync))
		pace->sync = blend(pace->sync, rate, rate < pace->sync);
}

void
pace_note_fixed(struct pace *pace, int64_t length)
{
	pace->fixed = blend(pace->fixed, length, length > pace->fixed);
}

void
pace_note_read(struct pace *pace, int64_t bytes, int64_t length)
{
	int64_t rate = rate_of(bytes, length);

	if (bytes >= UNIT_MIN)
		pace->read = blend(pace->read, rate, rate < pace->read);
}

int64_t
pace_unit(struct pace *pace, int64_t length)
{
	double bytes =
	    (double)pace->read * (double)length / (double)BUDGET_SECOND;

	if (bytes < UNIT_MIN)
		return UNIT_MIN;
	return bytes > UNIT_MAX ? UNIT_MAX : (int64_t)bytes;
}
