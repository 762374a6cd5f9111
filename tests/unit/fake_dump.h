/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_FAKE_DUMP_H
#define TESTS_UNIT_FAKE_DUMP_H

#include "base/fault.h"
#include "base/strbuf.h"
#include "source/dump.h"
#include "store/cursor.h"
#include "store/database.h"
#include "store/profile.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/*
 * A dump (source/dump.h) of no server, which does as it is told, and counts
 * that for all processes of a test.  The name of the database tells how it is
 * opened, the line of the object what is read:
 *
 *	slow, refused, slow-refused
 *	text, slow, again, fault, wait, slow-fault
 */

#define FAKE_MOMENT 400 /* milliseconds that are slow */

struct fake_counts {
	atomic_int opened;
	atomic_int closed;
	atomic_int listed;
	atomic_int read;
	atomic_int rested;
	atomic_int idle;
	atomic_bool lost; /* the server has gone away */
};

static struct fake_counts *fake;

struct dump {
	struct dump_facts facts;
};

static inline void
fake_reset(void)
{
	if (fake == NULL)
		fake = mmap(NULL, sizeof(*fake), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(fake, 0, sizeof(*fake));
}

static inline void
fake_sleep(const char *word)
{
	struct timespec moment = { 0, FAKE_MOMENT * 1000000L };

	if (strncmp(word, "slow", 4) == 0)
		nanosleep(&moment, NULL);
}

int
dump_open(
    struct dump **out, const struct dump_terms *terms, struct fault *fault)
{
	const char *name = terms->database->name;

	atomic_fetch_add(&fake->opened, 1);
	fake_sleep(name);
	if (strstr(name, "refused") != NULL) {
		atomic_fetch_add(&fake->closed, 1);
		return fault_set(fault, FAULT_RETRY, "refused by the server");
	}
	*out = calloc(1, sizeof(**out));
	if (*out == NULL || !terms->snapshot)
		abort();
	snprintf((*out)->facts.server, sizeof((*out)->facts.server), "Fake %s",
	    terms->profile->name);
	snprintf(
	    (*out)->facts.charset, sizeof((*out)->facts.charset), "utf8mb4");
	return 0;
}

void
dump_close(struct dump *dump)
{
	if (dump != NULL)
		atomic_fetch_add(&fake->closed, 1);
	free(dump);
}

const struct dump_facts *
dump_facts(const struct dump *dump)
{
	return &dump->facts;
}

enum dump_outcome
dump_list(struct dump *dump, struct strbuf *lines, struct strbuf *notes,
    struct fault *fault)
{
	(void)dump;
	(void)fault;
	strbuf_addf(lines, "text %d\n", atomic_fetch_add(&fake->listed, 1));
	strbuf_addstr(notes, "text\ta note\n");
	return DUMP_ENDED;
}

/* A text of bytes bytes, the rows of which are numbered on from the place. */
enum dump_outcome
dump_read(struct dump *dump, const char *line, int64_t bytes,
    struct dump_place *place, struct strbuf *text, struct strbuf *notes,
    struct fault *fault)
{
	size_t before = text->length;

	(void)dump;
	atomic_fetch_add(&fake->read, 1);
	fake_sleep(line);
	if (strcmp(line, "wait") == 0)
		return DUMP_WAIT;
	if (strcmp(line, "again") == 0) {
		fault_set(fault, FAULT_RETRY, "the table was altered");
		return DUMP_AGAIN;
	}
	if (strstr(line, "fault") != NULL) {
		strbuf_addstr(text, "of no use");
		fault_set(fault, FAULT_CORRUPT, "the table is broken");
		return DUMP_FAULT;
	}
	while ((int64_t)(text->length - before) < bytes)
		strbuf_addf(text, "row %lld\n", (long long)++place->rows);
	strbuf_addf(notes, "%s\tto row %lld\n", line, (long long)place->rows);
	snprintf(place->key, sizeof(place->key), "%llx",
	    (unsigned long long)place->rows);
	return DUMP_MORE;
}

void
dump_rest(struct dump *dump)
{
	(void)dump;
	atomic_fetch_add(&fake->rested, 1);
}

int
dump_idle(struct dump *dump, struct fault *fault)
{
	(void)dump;
	atomic_fetch_add(&fake->idle, 1);
	return atomic_load(&fake->lost)
	    ? fault_set(fault, FAULT_RETRY, "the server has gone away")
	    : 0;
}

#endif
