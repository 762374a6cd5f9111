/* SPDX-License-Identifier: MIT */
#ifndef CGI_LOBBY_H
#define CGI_LOBBY_H

#include <stddef.h>
#include <stdint.h>

struct fault;

/*
 * Where connections wait until the whole of a request is there to be read, so
 * that no thread waits for a client: half requests, however many, take the
 * time of nobody.  What is no FastCGI request (FastCGI 1.0, one responder
 * request a connection, as web servers send it) is closed here; so libfcgi
 * sees nothing but what is well-formed and small.
 *
 * Not thread-safe: whoever calls lobby_next has it for himself.
 */
struct lobby;

/* A request is looked at so far: its variables must end before. */
#define LOBBY_BYTES ((size_t)64 * 1024)

/*
 * For connections from listener, a listening descriptor; wake is a descriptor
 * that becomes readable, or hung up, when it is time to stop.  Both stay the
 * caller's.  NULL with a fault if the system does not allow it.
 */
struct lobby *lobby_new(int listener, int wake, struct fault *fault);

/* Close what waits; NULL is accepted. */
void lobby_free(struct lobby *lobby);

/*
 * Wait for a connection with a whole request, and leave it to the caller.
 * Returns its descriptor, or -1 when it is time to stop.
 */
int lobby_next(struct lobby *lobby);

/*
 * Judge the first bytes that came on a connection, at most LOBBY_BYTES; they
 * are changed.  A body may be longer than what is looked at.
 */
enum lobby_verdict {
	LOBBY_WAIT, /* so far it is well-formed */
	LOBBY_READY,
	LOBBY_REFUSE,
};

enum lobby_verdict lobby_judge(uint8_t *bytes, size_t length);

#endif
