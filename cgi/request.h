/* SPDX-License-Identifier: MIT */
#ifndef CGI_REQUEST_H
#define CGI_REQUEST_H

#include "base/netaddr.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct gateway;

/* A request as it came: read within limits, nothing believed yet. */

#define REQUEST_QUERY_MAX  8192
#define REQUEST_BODY_MAX   16384
#define REQUEST_PARAMS_MAX 64

enum request_method {
	METHOD_GET,
	METHOD_POST,
	METHOD_HEAD,
	METHOD_OTHER,
};

struct request_param {
	char *name;
	char *value;
	size_t value_length; /* there may be NULs in it */
};

struct request {
	enum request_method method;
	char path[1024];        /* of the handler, slashes collapsed */
	char last_segment[256]; /* of the URL's path, as the client sent it */
	char authorization[1024];
	char document_root[1024];
	bool wants_html; /* a person's browser asks for a page */
	bool prefetch;   /* nobody has asked yet */
	struct netaddr client;
	struct strbuf query; /* the params point into these */
	struct strbuf body;
	struct request_param params[REQUEST_PARAMS_MAX];
	int param_count;
};

/* Why a request cannot be read: a status and a sentence with no word in it
 * that came from outside. */
struct request_error {
	int status;
	char text[128];
};

/*
 * Read a request.  Returns 0, or -1 with error set; after either,
 * request_close.
 */
int request_read(struct request *request, struct gateway *gateway,
    const struct config *config, struct request_error *error);

void request_close(struct request *request);

/*
 * The value of a parameter, NULL if it is not given or is empty.  A value
 * given twice, or one with a NUL in it, sets error; so does what request_text
 * does not take.
 */
const char *request_text(const struct request *request, const char *name,
    struct request_error *error);

/*
 * The value of a parameter that is a whole number from 0 to max, or standard
 * if it is not given.  What is none sets error.
 */
int64_t request_number(const struct request *request, const char *name,
    int64_t max, int64_t standard, struct request_error *error);

#endif
