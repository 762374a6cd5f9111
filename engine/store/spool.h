/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_STORE_SPOOL_H
#define ENGINE_STORE_SPOOL_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fault;

/*
 * A long list in a file: lines that are appended and read back in order.  The
 * state holds only its extent; what lies beyond that did not happen.  On disk
 * each line is eight hexadecimal digits of CRC-32C, a space, the line and a
 * newline, so that damage is found before a line is used.
 */

/* How much of a spool there is. */
struct extent {
	int64_t length; /* bytes of the file */
	int64_t lines;
};

/* What the file has for each line beyond the line and its newline. */
#define SPOOL_OVERHEAD 9

/* No line is longer. */
#define SPOOL_LINE_MAX (8 * 1024 * 1024)

struct spool {
	const char *name; /* a constant */
	int dirfd;
	int fd;                /* -1: no file yet */
	bool made;             /* its name may not be durable yet */
	struct extent extent;  /* of all lines, those in pending too */
	int64_t written;       /* bytes in the file */
	int64_t synced;        /* bytes that are durable */
	int64_t committed;     /* bytes that the state on disk counts on */
	struct strbuf pending; /* not yet written */
};

#define SPOOL_CLOSED     \
	{                \
		.fd = -1 \
	}

/*
 * Open the spool of this name.  What the file has beyond extent is cut off; a
 * file that is missing or shorter is FAULT_CORRUPT and names it.  An empty
 * spool needs no file: it is made when the first lines are written.  dirfd must
 * stay open, name must be a constant.  Returns 0 or -1; after either,
 * spool_close.
 */
int spool_open(struct spool *spool, int dirfd, const char *name,
    const struct extent *extent, struct fault *fault);

/* Close without writing what is pending; a closed one is accepted. */
void spool_close(struct spool *spool);

/*
 * Append one line, which holds no newline.  Not yet written.  Returns 0 or -1;
 * a line longer than SPOOL_LINE_MAX is a fault.
 */
int spool_append(
    struct spool *spool, const char *line, size_t length, struct fault *fault);

/* All lines are durable on return; the name of a file just made is not. */
int spool_sync(struct spool *spool, struct fault *fault);

/* Bytes not yet durable. */
int64_t spool_unsynced(const struct spool *spool);

/* The state on disk now counts on the extent. */
void spool_committed(struct spool *spool);

/*
 * Go back to an earlier extent.  The caller commits the state before anything
 * is appended again: bytes that the state counts on are never overwritten.
 */
void spool_cut(struct spool *spool, const struct extent *extent);

/* A place to read lines from, in order. */
struct spool_reader {
	struct spool *spool;
	int64_t offset; /* of the next line in the file */
	size_t chunk;   /* bytes to read at once */
	struct strbuf buffer;
	size_t at; /* where the next line begins in buffer */
};

/*
 * Start reading at offset, the beginning of a line.  The spool may grow
 * meanwhile.  Owns memory until spool_reader_close.
 */
void spool_reader_open(
    struct spool_reader *reader, struct spool *spool, int64_t offset);

void spool_reader_close(struct spool_reader *reader);

/* Go to the beginning of another line. */
void spool_reader_seek(struct spool_reader *reader, int64_t offset);

/*
 * The next line, NUL-terminated without its newline, valid until the next
 * call.  Returns 1, 0 at the end of the extent, or -1 with FAULT_CORRUPT
 * naming the spool, or another fault.
 */
int spool_next(struct spool_reader *reader, char **line, size_t *length,
    struct fault *fault);

#endif
