/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_SETTINGS_H
#define ENGINE_SOURCE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

struct fault;

/*
 * What the configuration of a site sets, in the order of its text: named
 * values, the names made of parts with '/' between.  Nothing was run to get
 * them, so of some it is only known that they are set, and where.
 */

struct setting {
	char *name;
	char *text;         /* malloc'd; NULL: a list, or there is a reason */
	const char *reason; /* why it is not known, a constant; or NULL */
	const char *file;   /* in which it stands; not owned */
	int line;
	bool conditional; /* it may not be set, if something is so or not */
};

struct settings {
	struct setting *items;
	size_t count;
	size_t bytes;
};

/*
 * Add one of this text, which is copied as its name is; no text and no reason:
 * a list, whose items follow, each with its name below that of the list.  More
 * than a configuration has are FAULT_USAGE.  Returns 0 or -1.
 */
int settings_add(struct settings *settings, const struct setting *added,
    const char *text, struct fault *fault);

/* Free them all; zeroed ones are accepted. */
void settings_close(struct settings *settings);

/* Put those from "from" on before those from "to" on. */
void settings_move(struct settings *settings, size_t from, size_t to);

/* Of a constant the first stands, of anything else the last. */
enum settings_order { SETTINGS_FIRST, SETTINGS_LAST };

/*
 * The one of this name that stands in the end; or one of a list above it, of
 * which nothing is known.  NULL if there is none.  If that depends on a
 * condition, other is set to one that says otherwise, else to NULL.
 */
const struct setting *settings_find(const struct settings *settings,
    const char *name, enum settings_order order, const struct setting **other);

#endif
