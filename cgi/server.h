/* SPDX-License-Identifier: MIT */
#ifndef CGI_SERVER_H
#define CGI_SERVER_H

struct engine;
struct fault;

/*
 * Listens, and answers each connection in one of several threads.
 */

/*
 * Make a listening socket at an address: 127.0.0.1:9000, [::1]:9000 or
 * unix:/path.  A socket file that nobody listens at any more is replaced; the
 * new one has mode 0660.  Returns the descriptor, or -1 with a fault.
 */
int server_listen(const char *address, struct fault *fault);

/*
 * Serve connections from a listening descriptor in so many threads until
 * SIGTERM, SIGINT or SIGUSR1; then the running steps end at a checkpoint.
 * Returns 0, or -1 if there can be no thread at all.
 */
int server_run(
    struct engine *engine, int listener, int threads, struct fault *fault);

#endif
