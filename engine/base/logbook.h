/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_BASE_LOGBOOK_H
#define ENGINE_BASE_LOGBOOK_H

#include <stdint.h>

/*
 * The log of one backup: lines of text for people, appended and never cut
 * back, so that it also tells what was done twice.  It has a largest size,
 * and failing to write it never is a fault.
 */
struct logbook {
	int fd;
	int64_t length;
};

/* An unopened logbook: writing to it does nothing. */
#define LOGBOOK_CLOSED \
	{              \
		-1, 0  \
	}

/* No log grows beyond this many bytes; a last line says that it is full. */
#define LOGBOOK_MAX (INT64_C(4) << 20)

/* Open or create the file in a directory.  If that fails it stays closed. */
void logbook_open(struct logbook *log, int dirfd, const char *name);

/* Close it; a closed one is accepted. */
void logbook_close(struct logbook *log);

/*
 * Append one line, printf-like, with the time before it; what is not printable
 * is written as strbuf_add_printable does.
 */
void logbook_write(struct logbook *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
