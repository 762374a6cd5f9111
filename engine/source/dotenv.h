/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_DOTENV_H
#define ENGINE_SOURCE_DOTENV_H

#include <stddef.h>

struct fault;
struct settings;

/*
 * Add what a .env file sets, as Laravel and Symfony read it (vlucas/phpdotenv,
 * symfony/dotenv): NAME=VALUE by lines, "export" before it or not, a value
 * bare or in quotes of either kind, comments, and ${NAME} of what was set
 * before.  NAME becomes env/NAME.  What the two read differently is a setting
 * that is not known.  file names it in settings, and must stay.  Returns 0 or
 * -1.
 */
int dotenv_read(struct settings *settings, const char *file, const char *text,
    size_t length, struct fault *fault);

#endif
