/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_STORE_FIELDS_H
#define ENGINE_STORE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fault;
struct strbuf;

/*
 * Structs as JSON files: a table says which member stands under which name,
 * and one writer and one strict reader serve them all.  This is the module
 * that wraps jansson.
 *
 * Text that is not UTF-8 stands as {"b64": "…"} (RFC 4648), because JSON has
 * no other place for it.
 */

enum field_kind {
	FIELD_FLAG,    /* bool */
	FIELD_NUMBER,  /* int64_t */
	FIELD_WORD,    /* int, an index into words */
	FIELD_TEXT,    /* char[size], NUL-terminated */
	FIELD_STRING,  /* char *, malloc'd; NULL is read and written as null */
	FIELD_BLOB,    /* uint8_t[size], as hexadecimal */
	FIELD_NUMBERS, /* int64_t[size], of which the int at count are used */
	FIELD_LIST, /* pointer to malloc'd structs of stride bytes, int count;
		     * its own fields hold no lists */
};

struct field {
	const char *name; /* NULL ends a table */
	enum field_kind kind;
	size_t offset;
	size_t size;                /* TEXT, BLOB, NUMBERS, LIST: the most */
	const char *const *words;   /* WORD: NULL-terminated */
	const struct field *fields; /* LIST */
	size_t count;               /* NUMBERS, LIST: offset of the int count */
	size_t stride;              /* LIST: size of one element */
};

#define FIELD_END            \
	{                    \
		.name = NULL \
	}

/* A kind of file. */
struct form {
	const struct field *fields;
	int version;
	int indent;       /* 0: one line, but for the HMAC */
	const char *name; /* of the file; faults begin with it */
	size_t size_max;  /* bytes */
};

/*
 * Append value as a JSON object, with "version" first and, if key is not
 * NULL, "hmac" last: HMAC-SHA-256 in hexadecimal of the text before it.
 */
void fields_write(const struct form *form, const void *value,
    const uint8_t *key, struct strbuf *out);

/*
 * Read what fields_write wrote into value, which the caller zeroed.  Missing
 * and unknown keys, wrong types, too long texts, another version and, if key
 * is not NULL, a wrong HMAC are FAULT_CORRUPT, and say which key.  With key
 * NULL an "hmac" is passed over.  What has the right HMAC and is no JSON is
 * FAULT_RETRY: there was no memory.  Returns 0 or -1; after either,
 * fields_free.
 */
int fields_read(const struct form *form, void *value, const uint8_t *key,
    const char *text, size_t length, struct fault *fault);

/*
 * The same with the file in this directory; a missing one is FAULT_NOT_FOUND.
 * Returns 0 or -1; after either, fields_free.
 */
int fields_load(const struct form *form, void *value, const uint8_t *key,
    int dirfd, struct fault *fault);

/* Replace the file; durable on return, with the directory.  Returns 0 or -1. */
int fields_save(const struct form *form, const void *value, const uint8_t *key,
    int dirfd, struct fault *fault);

/* Free the strings and lists in a value. */
void fields_free(const struct field *fields, void *value);

/* Append bytes as a JSON value: a string, or {"b64": "…"}. */
void fields_add_text(struct strbuf *out, const char *bytes, size_t length);

#endif
