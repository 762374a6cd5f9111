/* SPDX-License-Identifier: MIT */
#include "route.h"

#include "auth.h"
#include "front.h"
#include "gateway.h"
#include "page.h"
#include "request.h"
#include "response.h"
#include "run/engine.h"

#include <stdbool.h>
#include <string.h>

typedef void handler(struct engine *engine, enum auth_grant grant,
    const struct request *request, struct response *response,
    struct gateway *gateway);

/* Who handles a path, and what it takes. */
struct route {
	const char *name; /* the last segment of the path */
	handler *handle;
	enum auth_grant least; /* needed to be let in */
};

static const struct route routes[] = {
	{ "backup", front_handle, AUTH_STEP },
	/* the program itself, where a host gives it no path of its own */
	{ "stepvault.fcgi", front_handle, AUTH_STEP },
	{ "stepvault.cgi", front_handle, AUTH_STEP },
	{ "", front_handle, AUTH_STEP },
};

static const struct route *
find_route(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (strcmp(routes[i].name, name) == 0)
			return &routes[i];
	return NULL;
}

/* Answer a request that no handler may see.  True if it is one. */
static bool
refuse(const struct request *request, const struct route *route,
    struct response *response)
{
	if (request->prefetch) {
		response_error(response, 503,
		    "nothing is done for a browser that only looks ahead");
		return true;
	}
	if (request->method != METHOD_GET && request->method != METHOD_POST) {
		response_error(response, 405, NULL);
		response_header(response, "Allow: GET, POST");
		return true;
	}
	if (route == NULL) {
		response_error(response, 404, NULL);
		return true;
	}
	return false;
}

/* A person in a browser gets every answer as a page. */
static void
answer(const struct request *request, struct response *response,
    struct gateway *gateway)
{
	if (request->wants_html)
		page_wrap(response);
	response_send(response, gateway);
}

static void
deny(enum auth_grant grant, struct response *response)
{
	if (grant == AUTH_THROTTLED) {
		response_error(response, 429, NULL);
		response_header(response, "Retry-After: %d", AUTH_WINDOW);
	} else {
		response_error(response, 403, NULL);
	}
}

void
route_request(struct engine *engine, struct gateway *gateway)
{
	struct response response = RESPONSE_EMPTY;
	struct request_error error = { 0 };
	struct request request;
	const struct route *route;
	enum auth_grant grant;

	if (request_read(&request, gateway, engine->config, &error) != 0) {
		response_error(&response, error.status, error.text);
		answer(&request, &response, gateway);
		goto out;
	}
	route = find_route(request.path);
	if (refuse(&request, route, &response)) {
		answer(&request, &response, gateway);
		goto out;
	}
	grant = auth_judge(engine, &request);
	if (grant < route->least) {
		deny(grant, &response);
		answer(&request, &response, gateway);
		goto out;
	}
	route->handle(engine, grant, &request, &response, gateway);
out:
	response_close(&response);
	request_close(&request);
}
