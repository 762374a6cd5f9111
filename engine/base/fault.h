/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_BASE_FAULT_H
#define ENGINE_BASE_FAULT_H

/*
 * A fault says in one sentence what went wrong and, by its code, who can act.
 * The caller owns it, usually on its stack; it needs no freeing.  It is always
 * the last parameter of a function that can fail.
 */

enum fault_code {
	FAULT_NONE,
	FAULT_USAGE,     /* the caller asked for something wrong */
	FAULT_AUTH,      /* the caller may not ask */
	FAULT_NOT_FOUND, /* what was asked for does not exist */
	FAULT_BUSY,      /* another process has it just now */
	FAULT_RETRY,     /* the same call may succeed later */
	FAULT_SYSTEM,    /* the system refused; an administrator must act */
	FAULT_CORRUPT,   /* a file of ours is not what we wrote */
};

struct fault {
	enum fault_code code;
	char text[512];
};

/*
 * Set the code and the text, printf-like; a longer text is cut.  Every
 * unprintable byte becomes '?', so that a text can go to any log or terminal.
 * Returns -1, so that failing is one line.
 */
int fault_set(struct fault *fault, enum fault_code code, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

/*
 * Like fault_set, with ": " and the text of errno behind.  The code follows
 * from errno: FAULT_NOT_FOUND for ENOENT, FAULT_RETRY for what passes by
 * itself (disk full, I/O error, no memory, too many files), else FAULT_SYSTEM.
 * Returns -1.
 */
int fault_errno(struct fault *fault, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Put the printf-like text and ": " before the fault's text.  Returns -1. */
int fault_wrap(struct fault *fault, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Make it say that nothing is wrong. */
void fault_clear(struct fault *fault);

/* The word for a code in logs and in JSON, such as "corrupt"; a constant. */
const char *fault_code_name(enum fault_code code);

#endif
