/* SPDX-License-Identifier: MIT */
#ifndef CGI_ROUTE_H
#define CGI_ROUTE_H

struct engine;
struct gateway;

/*
 * Answer one request: read it, find who handles its path, and let nobody do
 * anything who may not.
 */
void route_request(struct engine *engine, struct gateway *gateway);

#endif
