/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_BASE_STRBUF_H
#define ENGINE_BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A growing string of bytes.  bytes[length] is always a NUL, so text can be
 * used as a C string.  What may be in it is small and bounded by its users:
 * without memory the process aborts, and the checkpoint on disk is safe.
 */
struct strbuf {
	char *bytes;
	size_t length;
	size_t room;
};

/* An empty buffer, for initialisation; it owns no memory yet. */
#define STRBUF_EMPTY       \
	{                  \
		NULL, 0, 0 \
	}

/* Free the memory and make it empty again.  A zeroed one is accepted. */
void strbuf_close(struct strbuf *buf);

/* Make it empty, keeping the memory. */
void strbuf_reset(struct strbuf *buf);

/* Shorten to length bytes; a larger length changes nothing. */
void strbuf_cut(struct strbuf *buf, size_t length);

/* Its bytes as a C string, "" where nothing was ever added. */
const char *strbuf_text(const struct strbuf *buf);

/* Append length bytes, a C string, one byte, or printf-like text. */
void strbuf_add(struct strbuf *buf, const void *bytes, size_t length);
void strbuf_addstr(struct strbuf *buf, const char *text);
void strbuf_addc(struct strbuf *buf, char byte);
void strbuf_addf(struct strbuf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Append lower-case hexadecimal of bytes, or of a number without padding. */
void strbuf_add_hex(struct strbuf *buf, const void *bytes, size_t length);
void strbuf_add_hex_number(struct strbuf *buf, uint64_t number);

/* Append a number in decimal. */
void strbuf_add_number(struct strbuf *buf, int64_t number);

/*
 * Length of the UTF-8 character (RFC 3629) that the bytes, at least one,
 * begin with; 0 if there is none, or if it is a control character.
 */
size_t strbuf_printable_length(const char *bytes, size_t length);

/*
 * Append text for a person: UTF-8 as it is, control characters and bytes that
 * are not UTF-8 as \xHH.
 */
void strbuf_add_printable(struct strbuf *buf, const char *text, size_t length);

/*
 * Append bytes for a line of a file: a newline as \n, a backslash as \\, all
 * else as it is.  Returns whether there were any of these.
 */
bool strbuf_add_escaped(struct strbuf *buf, const char *bytes, size_t length);

/*
 * Undo that in place; \t becomes a tab, which is for lists where a tab ends the
 * text.  Returns the new length, or -1 if text is not so.
 */
ssize_t strbuf_unescape(char *text);

/* A copy of a text, or of its first bytes; the caller frees it. */
char *strbuf_copy(const char *text);
char *strbuf_copy_part(const char *text, size_t length);

/* The value of a hexadecimal digit, or -1. */
int strbuf_hex_digit(char digit);

/* Make room for length more bytes behind the end and return their place. */
char *strbuf_reserve(struct strbuf *buf, size_t length);

/* Say that length of the reserved bytes were filled. */
void strbuf_commit(struct strbuf *buf, size_t length);

#endif
