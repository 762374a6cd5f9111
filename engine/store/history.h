/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_STORE_HISTORY_H
#define ENGINE_STORE_HISTORY_H

#include "store/datadir.h"
#include "store/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fault;

/*
 * All backups that there are, in the order in which they were begun: by their
 * number, for clocks go back and IDs of one second have no order.
 */

struct history_entry {
	char id[ID_SIZE];
	bool readable; /* false: the record is missing or damaged, */
	bool verified; /* or true: its HMAC matches */
	/* of a readable record: */
	int64_t number;
	int64_t profile;
	int status; /* enum record_status */
	int64_t started;
	int64_t ended;
};

struct history {
	struct history_entry *entries; /* newest first, unreadable ones last */
	size_t count;
};

/*
 * Read the history of a data directory.  profile chooses the backups of one
 * profile, 0 those of all, and then the unreadable ones too.  Returns 0 or -1;
 * after either, history_close.
 */
int history_load(struct history *history, const struct datadir *datadir,
    int64_t profile, struct fault *fault);

void history_close(struct history *history);

#endif
