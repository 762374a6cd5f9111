/* SPDX-License-Identifier: MIT */
#include "store/limits.h"

#include "base/budget.h"
#include "base/fault.h"
#include "base/fsio.h"
#include "base/strbuf.h"
#include "store/datadir.h"
#include "store/fields.h"

#include <stddef.h>
#include <string.h>

#define LIMITS_FILE     "limits.json"
#define LIMITS_VERSION  1
#define LIMITS_SIZE_MAX 4096

/* A step shorter than this gets nothing done; none is longer than that. */
#define BUDGET_LEAST_MS 100
#define BUDGET_MOST_MS  (3600 * 1000)

#define GOOD_STEPS 3

/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define NUMBER(n, m)                                 \
	{                                            \
		.name = n, .kind = FIELD_NUMBER,     \
		.offset = offsetof(struct limits, m) \
	}
#define LIMIT(n, c) \
	NUMBER(n ".budget_ms", of[c].budget_ms), NUMBER(n ".good", of[c].good)
/* NOLINTEND(bugprone-macro-parentheses) */

static const struct field limits_fields[] = {
	LIMIT("chain", CONTROLLER_CHAIN),
	LIMIT("call", CONTROLLER_CALL),
	LIMIT("browser", CONTROLLER_BROWSER),
	LIMIT("cli", CONTROLLER_CLI),
	NUMBER("drain", drain),
	NUMBER("sync", sync),
	NUMBER("fixed", fixed),
	NUMBER("read", read),
	FIELD_END,
};

static const struct form limits_form = { limits_fields, LIMITS_VERSION, 2,
	LIMITS_FILE, LIMITS_SIZE_MAX };

static int64_t
within(int64_t value, int64_t least, int64_t most)
{
	return value < least ? least : value > most ? most : value;
}

void
limits_load(struct limits *limits, const struct datadir *datadir)
{
	struct fault unused;

	memset(limits, 0, sizeof(*limits));
	if (fields_load(&limits_form, limits, NULL, datadir->fd, &unused) != 0)
		memset(limits, 0, sizeof(*limits));
	/* No HMAC vouches for the numbers. */
	for (int i = 0; i < CONTROLLER_COUNT; i++) {
		struct limit *limit = &limits->of[i];

		limit->budget_ms = within(limit->budget_ms, 0, BUDGET_MOST_MS);
		limit->good = within(limit->good, 0, GOOD_STEPS);
	}
}

void
limits_save(const struct limits *limits, const struct datadir *datadir)
{
	struct strbuf text = STRBUF_EMPTY;

	fields_write(&limits_form, limits, NULL, &text);
	if (fsio_replace_unsynced(
		datadir->fd, LIMITS_FILE, text.bytes, text.length) != 0) {
		/* It will be learnt again. */
	}
	strbuf_close(&text);
}

void
limits_get_pace(const struct limits *limits, struct pace *pace)
{
	pace_init(pace);
	if (limits->drain <= 0 || limits->sync <= 0 || limits->fixed <= 0 ||
	    limits->read <= 0)
		return;
	pace->drain = within(limits->drain, 1024, INT64_C(1) << 40);
	pace->sync = within(limits->sync, 1024, INT64_C(1) << 40);
	pace->read = within(limits->read, 1024, INT64_C(1) << 40);
	pace->fixed = within(limits->fixed, 1, 60 * BUDGET_SECOND);
}

void
limits_put_pace(struct limits *limits, const struct pace *pace)
{
	limits->drain = pace->drain;
	limits->sync = pace->sync;
	limits->read = pace->read;
	limits->fixed = pace->fixed;
}

int64_t
limits_budget(const struct limit *limit, int64_t budget)
{
	int64_t learnt = limit->budget_ms;

	if (learnt <= 0)
		return budget;
	learnt = within(learnt, BUDGET_LEAST_MS, BUDGET_MOST_MS);
	return learnt * BUDGET_MILLISECOND < budget
	    ? learnt * BUDGET_MILLISECOND
	    : budget;
}

void
limits_note_kill(struct limit *limit, int64_t lived)
{
	limit->budget_ms = within(
	    lived / 2 / BUDGET_MILLISECOND, BUDGET_LEAST_MS, BUDGET_MOST_MS);
	limit->good = 0;
}

bool
limits_note_good(struct limit *limit, int64_t configured)
{
	if (limit->budget_ms <= 0)
		return false;
	limit->good++;
	if (limit->good >= GOOD_STEPS) {
		limit->good = 0;
		limit->budget_ms += limit->budget_ms / 10 + 1;
		if (limit->budget_ms * BUDGET_MILLISECOND >= configured)
			limit->budget_ms = 0;
	}
	return true;
}
