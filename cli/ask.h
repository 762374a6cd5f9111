/* SPDX-License-Identifier: MIT */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <stdbool.h>

/* Questions to whoever sits at the terminal. */

/* There is somebody to ask. */
bool ask_can(void);

/*
 * Ask for a text; an empty answer means the standard one, which is shown.
 * Returns the answer, malloc'd, or NULL if there is none to come.
 */
char *ask_text(const char *question, const char *standard);

/* Ask for yes or no, until it is either; no if there is no answer. */
bool ask_yes(const char *question, bool standard);

#endif
