/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_STORE_CONFIG_INTERNAL_H
#define ENGINE_STORE_CONFIG_INTERNAL_H

#include "store/config.h"

#include <stddef.h>

/*
 * The pieces of the configuration's text: config_keys.c has the table of keys
 * and the reference, config_parse.c what is done with them.
 */

enum config_section { SECTION_SERVER, SECTION_STEP, SECTION_PROFILE };

extern const char *const config_section_names[];

#define KEY_REQUIRED   1
#define KEY_REPEATABLE 2
#define KEY_HIDDEN     4 /* its value is never shown */

struct config_key {
	enum config_section section;
	const char *name; /* no two sections have the same */
	int (*set)(void *place, const char *text, struct fault *fault);
	size_t offset;        /* of the place in the section's struct */
	const char *standard; /* the default; NULL: none */
	int flags;
	const char *help;
};

#define CONFIG_KEY_COUNT 34

extern const struct config_key config_keys[CONFIG_KEY_COUNT];

#endif
