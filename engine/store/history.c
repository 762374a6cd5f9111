/* SPDX-License-Identifier: MIT */
#include "store/history.h"

#include "base/fault.h"

#include <stdlib.h>
#include <string.h>

/* Newest first, what has no number last. */
static int
by_number(const void *one, const void *two)
{
	const struct history_entry *a = one, *b = two;

	if (a->number != b->number)
		return a->number < b->number ? 1 : -1;
	return strcmp(b->id, a->id);
}

static void
read_entry(struct history_entry *entry, const struct datadir *datadir)
{
	struct record record;
	struct fault unused;

	entry->verified = record_load(&record, datadir, entry->id,
			      RECORD_STRICT, &unused) == 0;
	entry->readable = entry->verified;
	if (!entry->verified) {
		record_close(&record);
		entry->readable = record_load(&record, datadir, entry->id,
				      RECORD_UNVERIFIED, &unused) == 0;
	}
	if (entry->readable) {
		entry->number = record.number;
		entry->profile = record.profile;
		entry->status = record.status;
		entry->started = record.started;
		entry->ended = record.ended;
	}
	record_close(&record);
}

int
history_load(struct history *history, const struct datadir *datadir,
    int64_t profile, struct fault *fault)
{
	char(*ids)[ID_SIZE];
	size_t count;

	memset(history, 0, sizeof(*history));
	if (datadir_list(datadir->backups, &ids, &count, fault) != 0)
		return -1;
	history->entries = calloc(count + 1, sizeof(*history->entries));
	if (history->entries == NULL)
		abort();
	for (size_t i = 0; i < count; i++) {
		struct history_entry *entry = &history->entries[history->count];

		memset(entry, 0, sizeof(*entry));
		memcpy(entry->id, ids[i], ID_SIZE);
		read_entry(entry, datadir);
		if (profile == 0 ||
		    (entry->readable && entry->profile == profile))
			history->count++;
	}
	free(ids);
	qsort(history->entries, history->count, sizeof(*history->entries),
	    by_number);
	return 0;
}

void
history_close(struct history *history)
{
	free(history->entries);
	memset(history, 0, sizeof(*history));
}
