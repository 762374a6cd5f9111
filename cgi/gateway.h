/* SPDX-License-Identifier: MIT */
#ifndef CGI_GATEWAY_H
#define CGI_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct strbuf;

/*
 * Where a request comes from and its answer goes to: a FastCGI connection, or
 * the environment and the standard streams of plain CGI (RFC 3875).  This is
 * the module that wraps libfcgi, which it uses for the FastCGI protocol only:
 * listening and accepting are the server's.
 */
struct gateway;

/* To be called once before any gateway is made.  Returns 0 or -1. */
int gateway_init(void);

/*
 * Read the beginning of a request, all but its body, from a FastCGI connection
 * that has left the lobby, and which the gateway then owns.  NULL if what comes
 * is no request, or not in time; the connection is closed then.
 */
struct gateway *gateway_accept(int fd);

/* The one request that this process was started for. */
struct gateway *gateway_plain(void);

/* A gateway that reads from memory and writes to out, for tests.  environment
 * is a NULL-terminated list of NAME=VALUE; all must outlive it. */
struct gateway *gateway_memory(const char *const *environment, const void *body,
    size_t length, struct strbuf *out);

/* End the request and close its connection.  NULL is accepted. */
void gateway_close(struct gateway *gateway);

/* A variable of the request, such as "QUERY_STRING"; NULL if it is not set. */
const char *gateway_variable(struct gateway *gateway, const char *name);

/* Up to length bytes of the body; fewer only at its end; -1 on an error. */
ssize_t gateway_read(struct gateway *gateway, void *bytes, size_t length);

/*
 * Whether the body ends where its Content-Length says, once that much of it
 * was read.  Of plain CGI nothing further may be read (RFC 3875, 4.2): true.
 */
bool gateway_body_ends(struct gateway *gateway);

/* Send the whole answer.  Returns 0, or -1 if the client is gone. */
int gateway_send(struct gateway *gateway, const void *bytes, size_t length);

#endif
