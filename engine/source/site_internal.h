/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_SITE_INTERNAL_H
#define ENGINE_SOURCE_SITE_INTERNAL_H

#include "source/settings.h"

#include <stdbool.h>

struct fault;

/*
 * The pieces of the module: site_read.c reads a configuration, site.c knows
 * what programs call their settings, site_find.c where they have them.
 */

/* What is said to whoever must name a database in another way. */
#define INSTEAD "write database = mysql://USER:PASSWORD@HOST/NAME instead"

/* The configuration at hand. */
struct site_reading {
	const char *shown; /* its path, as messages call it */
	char *path;        /* and as it can be opened */
	char *local;       /* how they call the settings.local.php beside it */
	struct settings settings;
};

/*
 * Read the file at path, and a settings.local.php that it loads.  Returns 0 or
 * -1; after either, site_read_close.
 */
int site_read(struct site_reading *reading, struct fault *fault);
void site_read_close(struct site_reading *reading);

/* The path, its last part replaced; malloc'd. */
char *site_beside(const char *path, const char *name);

/* A setting loads a file of this name, in whatever folder. */
bool site_loads(const struct setting *setting, const char *name);

/* settings_find, in the order that is right for the name; NULL for no name. */
const struct setting *site_look(const struct site_reading *reading,
    const char *name, const struct setting **other);

/*
 * The text of a setting, which the reading owns; NULL if it is not there.  One
 * that is there and not known for sure is a fault, which calls it what.
 * Returns 0 or -1.
 */
int site_get(const struct site_reading *reading, const char *name,
    const char *what, const char **text, struct fault *fault);

#endif
