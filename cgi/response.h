/* SPDX-License-Identifier: MIT */
#ifndef CGI_RESPONSE_H
#define CGI_RESPONSE_H

#include "base/strbuf.h"

#include <stdbool.h>

struct gateway;

/*
 * An answer, built in memory and sent at once.  Every answer forbids caches to
 * keep it and browsers to pass on its URL.
 */
struct response {
	int status;
	bool html;             /* else text/plain */
	struct strbuf headers; /* further header lines, each with its CRLF */
	struct strbuf body;
};

#define RESPONSE_EMPTY                               \
	{                                            \
		0, false, STRBUF_EMPTY, STRBUF_EMPTY \
	}

/* Make it empty again, and free its memory. */
void response_close(struct response *response);

/* Add a header line, printf-like and without CRLF. */
void response_header(struct response *response, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Make it "STATUS TEXT\n", as clients that look at the body want it, with the
 * status' usual words if text is NULL.
 */
void response_error(struct response *response, int status, const char *text);

/* Send it.  Returns 0, or -1 if the client is gone. */
int response_send(const struct response *response, struct gateway *gateway);

/* The usual words for a status, such as "Found"; a constant. */
const char *response_words(int status);

#endif
