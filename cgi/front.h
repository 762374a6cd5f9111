/* SPDX-License-Identifier: MIT */
#ifndef CGI_FRONT_H
#define CGI_FRONT_H

#include "auth.h"

struct engine;
struct gateway;
struct request;
struct response;

/*
 * The secret URL and the step URLs that it leads to: each call does one step
 * of a backup and answers with the URL of the next, until it can answer with
 * the end.  The README has the table of answers.
 *
 * Handles one request of somebody who was found to have a grant, and sends
 * the answer.
 */
void front_handle(struct engine *engine, enum auth_grant grant,
    const struct request *request, struct response *response,
    struct gateway *gateway);

#endif
