/* SPDX-License-Identifier: MIT */
#include "auth.h"

#include "base/fsio.h"
#include "base/stamp.h"
#include "request.h"
#include "run/engine.h"
#include "store/config.h"
#include "store/token.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <unistd.h>

/* Wrong secrets in a window: of one origin, and of all together. */
#define ORIGIN_MAX 10
#define GLOBAL_MAX 1000

#define TABLE_FILE "refused"

/* Slot 0 counts all; an origin has one of the others. */
#define SLOTS 1024

struct slot {
	uint8_t origin[16];
	int64_t window; /* when it began */
	int64_t count;
};

/* The secret that the request bears, "" if none. */
static const char *
secret_of(const struct request *request)
{
	static const char bearer[] = "Bearer ";
	struct request_error error = { 0 };
	const char *header = request->authorization, *key;

	if (strncasecmp(header, bearer, sizeof(bearer) - 1) == 0)
		return header + sizeof(bearer) - 1;
	key = request_text(request, "key", &error);
	return key != NULL && error.status == 0 ? key : "";
}

static bool
bears_secret(struct engine *engine, const struct request *request)
{
	const struct config *config = engine->config;
	const char *candidate = secret_of(request);
	bool right = token_matches_secret(
	    config->secret.hash, candidate, strlen(candidate));

	return config->enabled && config->secret.known && right;
}

static bool
bears_token(struct engine *engine, const struct request *request)
{
	struct request_error error = { 0 };
	const char *id = request_text(request, "backupid", &error);
	const char *token = request_text(request, "token", &error);
	bool right = token_matches_step(&engine->datadir.keys,
	    id != NULL ? id : "", token != NULL ? token : "");

	return engine->config->enabled && right && error.status == 0 &&
	    id != NULL;
}

/* One more in a slot, which may have been another origin's: the count. */
static int64_t
count_in(int fd, int64_t number, const uint8_t *origin)
{
	struct slot slot;
	int64_t now = stamp_now();
	off_t at = (off_t)(number * (int64_t)sizeof(slot));

	if (fsio_read_at(fd, &slot, sizeof(slot), at) != sizeof(slot) ||
	    memcmp(slot.origin, origin, sizeof(slot.origin)) != 0 ||
	    now < slot.window || now >= slot.window + AUTH_WINDOW) {
		memcpy(slot.origin, origin, sizeof(slot.origin));
		slot.window = now;
		slot.count = 0;
	}
	slot.count++;
	if (fsio_write_at(fd, &slot, sizeof(slot), at) != 0)
		return GLOBAL_MAX + 1;
	return slot.count;
}

/* Count a refusal.  True if there were too many. */
static bool
count_refusal(struct engine *engine, const struct netaddr *client)
{
	static const uint8_t everybody[16];
	struct netaddr origin = netaddr_origin(client);
	uint8_t hash[TOKEN_HASH_SIZE];
	int64_t of_origin, of_all;
	int fd = fsio_create(engine->datadir.fd, TABLE_FILE, 0);

	if (fd < 0)
		return true;
	/* Keyed, so that nobody can choose whose slot to share. */
	token_hmac(engine->datadir.keys.step, origin.bytes,
	    sizeof(origin.bytes), hash);
	while (flock(fd, LOCK_EX) != 0)
		continue;
	of_origin = count_in(
	    fd, 1 + (hash[0] | hash[1] << 8) % (SLOTS - 1), origin.bytes);
	of_all = count_in(fd, 0, everybody);
	close(fd);
	return of_origin > ORIGIN_MAX || of_all > GLOBAL_MAX;
}

enum auth_grant
auth_judge(struct engine *engine, const struct request *request)
{
	/* Both are always worked out, so that time tells nothing. */
	bool secret = bears_secret(engine, request);
	bool token = bears_token(engine, request);

	if (secret)
		return AUTH_SECRET;
	if (token)
		return AUTH_STEP;
	return count_refusal(engine, &request->client) ? AUTH_THROTTLED
						       : AUTH_DENIED;
}
