/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_PRIVILEGES_H
#define ENGINE_SOURCE_PRIVILEGES_H

#include <stdbool.h>

struct db;
struct fault;

/*
 * What the user of a connection may read of a schema, by SHOW GRANTS: it alone
 * has all there is, the roles in force, too.  Privileges that are missing make
 * objects invisible instead of giving errors, so they must be known.
 */
enum privilege {
	PRIVILEGE_SELECT,
	PRIVILEGE_SHOW_VIEW,
	PRIVILEGE_TRIGGER,
	PRIVILEGE_EVENT,
	/* to read the routines of other definers; it has many names */
	PRIVILEGE_ROUTINES,
	/* to see that there are routines */
	PRIVILEGE_ROUTINE_NAMES,
	PRIVILEGE_COUNT,
};

struct privileges;

/* Returns 0 or -1; free with privileges_free. */
int privileges_read(struct privileges **out, struct db *db, const char *schema,
    struct fault *fault);

/* NULL is accepted. */
void privileges_free(struct privileges *privileges);

/* It is held on the whole of the schema. */
bool
privileges_has(const struct privileges *privileges, enum privilege privilege);

/* It is held on a table, or view, and on all columns of it. */
bool privileges_has_on(const struct privileges *privileges,
    enum privilege privilege, const char *table);

/* The words to grant it with; a constant. */
const char *privileges_name(enum privilege privilege);

/* What a dump loses without it, such as "its triggers"; a constant. */
const char *privileges_loss(enum privilege privilege);

#endif
