/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_STORE_CONFIG_H
#define ENGINE_STORE_CONFIG_H

#include "base/netaddr.h"
#include "store/profile.h"
#include "store/token.h"

#include <stdbool.h>
#include <stdint.h>

struct fault;
struct strbuf;

/*
 * stepvault.conf: what a person writes.  One table of keys parses it, gives
 * the defaults and prints the reference.
 */

struct netblocks {
	struct netblock *items;
	int count;
};

/* Only the secret's hash is kept. */
struct secret {
	bool known;
	uint8_t hash[TOKEN_HASH_SIZE];
};

struct config {
	char *path; /* the file it was read from */
	char *data; /* the data directory, absolute */
	bool enabled;
	bool data_in_site;
	struct secret secret; /* not known: the endpoint is disabled */
	char *secret_file;
	char *timezone;
	struct netblocks trusted_proxies;
	bool companion;         /* one may be started */
	int64_t snapshot_max;   /* nanoseconds without anybody asking */
	int64_t snapshot_tries; /* then a dump goes on without a snapshot */
	int64_t step_max;       /* nanoseconds */
	int64_t step_min;       /* nanoseconds */
	int64_t checkpoint;     /* nanoseconds */
	int64_t checkpoint_size;
	int64_t workers; /* compressing threads of a step, 0 to 16 */
	struct profile *profiles;
	int profile_count;
};

/* How root reads a configuration that belongs to another user. */
enum config_user {
	CONFIG_BECOME_OWNER, /* becomes that user, for good */
	CONFIG_STAY,         /* stays root */
};

/*
 * Read the file at path or, if path is NULL, the one at $STEPVAULT_CONFIG,
 * else ~/.config/stepvault/stepvault.conf of the effective user (by the
 * password database), else /etc/stepvault/stepvault.conf.
 *
 * The file must belong to the effective user (or to root) and be readable by
 * no other.  A mistake in it is FAULT_USAGE with file, line, what is wrong and
 * what would be right.  Sets the process's time zone.  Returns 0 or -1; after
 * either, config_close.
 */
int config_load(struct config *config, const char *path, enum config_user user,
    struct fault *fault);

/*
 * The same for the file that was read before, in a process that has threads:
 * root stays root, the time zone is left as it is and no secret_file is read.
 * Not to be called by two threads at once.
 */
int config_reload(struct config *config, const char *path, struct fault *fault);

/*
 * The same from text, which came from a file called path: no owner is looked
 * at and no secret_file is read.  For tests of what people may write.
 */
int config_parse(struct config *config, const char *path, const char *text,
    struct fault *fault);

/* Free what a configuration owns; a zeroed one is accepted. */
void config_close(struct config *config);

/* The profile of this number; NULL if there is none.  Owned by config. */
const struct profile *
config_profile(const struct config *config, int64_t number);

/* Append the reference of all keys, in Markdown. */
void config_reference(struct strbuf *out);

#endif
