/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_ASKED_H
#define TESTS_FUZZ_ASKED_H

#include "fuzz.h"

#include "base/strbuf.h"
#include "gateway.h"
#include "request.h"
#include "store/config.h"

#include <stdbool.h>

/* What must be true of a request once it is read. */

#define ASKED_CONFIG                        \
	"[server]\n"                        \
	"data = /nowhere\n"                 \
	"trusted_proxies = 10.0.0.0/8\n"    \
	"trusted_proxies = 2001:db8::/32\n" \
	"[profile 1]\n"                     \
	"site = /nowhere\n"

static inline bool
asked_status_is(const struct request_error *error)
{
	static const int known[] = { 400, 411, 413, 414, 415, 431 };

	if (error->text[0] == '\0')
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (error->status == known[i])
			return true;
	return false;
}

static inline void
asked_check_params(const struct request *request)
{
	CHECK(request->param_count >= 0);
	CHECK(request->param_count <= REQUEST_PARAMS_MAX);
	for (int i = 0; i < request->param_count; i++) {
		const struct request_param *param = &request->params[i];
		struct request_error error = { 0 };
		const char *text = request_text(request, param->name, &error);
		int64_t number;

		CHECK(param->value[param->value_length] == '\0');
		if (text != NULL)
			CHECK(error.status == 0 && text[0] != '\0');
		if (error.status != 0)
			CHECK(asked_status_is(&error));
		error.status = 0;
		number = request_number(request, param->name, 99, -1, &error);
		CHECK(number >= -1 && number <= 99);
		if (number < 0)
			CHECK(error.status == 400 || text == NULL);
		else
			CHECK(strtoll(text, NULL, 10) == number);
	}
}

/* The path is the script's name and what follows, slashes collapsed. */
static inline void
asked_check_path(const struct request *request, struct gateway *gateway)
{
	static const char *const names[] = { "SCRIPT_NAME", "PATH_INFO" };
	const char *path = request->path;
	char last = '\0';

	for (size_t i = 0; i < 2; i++) {
		const char *part = gateway_variable(gateway, names[i]);

		for (; part != NULL && *part != '\0'; part++) {
			if (*part == '/' && last == '/')
				continue;
			CHECK(*path++ == *part);
			last = *part;
		}
	}
	CHECK(*path == '\0');
	/* It becomes a part of a header, and stays below the same folder. */
	for (const char *c = request->last_segment; *c != '\0'; c++)
		CHECK(*c > 0x20 && *c < 0x7f && strchr("/?#", *c) == NULL);
}

/* Nobody but a trusted proxy says who asks. */
static inline void
asked_check_client(const struct request *request, struct gateway *gateway,
    const struct config *config)
{
	const struct netblocks *trusted = &config->trusted_proxies;
	const char *peer = gateway_variable(gateway, "REMOTE_ADDR");
	struct netaddr address = { { 0 } };
	bool believed = false;

	if (peer == NULL || netaddr_parse(peer, &address) != 0)
		return;
	for (int i = 0; i < trusted->count; i++)
		believed |= netblock_contains(&trusted->items[i], &address);
	if (!believed)
		CHECK(memcmp(&address, &request->client, sizeof(address)) == 0);
}

/* Read a request and check all of it; to be closed.  Whether it was taken. */
static inline bool
asked_read(struct request *request, struct gateway *gateway,
    const struct config *config)
{
	struct request_error error = { 0 };

	if (request_read(request, gateway, config, &error) != 0) {
		CHECK(asked_status_is(&error));
		return false;
	}
	asked_check_params(request);
	asked_check_path(request, gateway);
	asked_check_client(request, gateway, config);
	return true;
}

#endif
