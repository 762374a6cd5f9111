/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_SQLTEXT_H
#define ENGINE_SOURCE_SQLTEXT_H

#include <stddef.h>

struct strbuf;

/*
 * Names and values as they stand in SQL.  Right for a session of character set
 * utf8mb4 without NO_BACKSLASH_ESCAPES, and through the stock client, which
 * turns \r\n into \n where it is not escaped.
 */

/* Append an identifier in backticks. */
void sqltext_add_name(struct strbuf *out, const char *name);

/*
 * Append bytes between apostrophes: NUL, newline, carriage return, ctrl-Z,
 * apostrophe and backslash are escaped, all else stands as it is.
 */
void sqltext_add_string(struct strbuf *out, const char *bytes, size_t length);

/* Append X'…', bytes in hexadecimal. */
void sqltext_add_hex(struct strbuf *out, const char *bytes, size_t length);

#endif
