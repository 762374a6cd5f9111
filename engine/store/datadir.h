/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_STORE_DATADIR_H
#define ENGINE_STORE_DATADIR_H

#include "store/token.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct fault;

/*
 * The data directory: everything that Stepvault keeps.
 *
 *	key                 32 random bytes
 *	number              the number of the newest backup
 *	limits.json         what was learnt of the host
 *	.htaccess           forbids Apache to serve it, if data_in_site is set
 *	refused             wrong secrets of late, by address
 *	companion.sock      where the companion listens (run/companion.h)
 *	companion.log       what it did, with .old behind what it did before
 *	locks/ID            held by whoever works on a backup
 *	locks/profile-N     held by whoever decides whether to start one
 *	locks/companion     held by the companion
 *	locks/starting      held while a companion is started
 *	jobs/ID/            an unfinished backup: state, spools, intent
 *	backups/ID/         a backup: record, log, frames, the archive's parts
 */

#define ID_SIZE 33 /* 20261121-093015-, 80 bits in base32, and a NUL */

struct datadir {
	int fd;
	int jobs;
	int backups;
	int locks;
	struct keys keys;
};

/* An unopened one, for initialisation. */
#define DATADIR_CLOSED                                           \
	{                                                        \
		.fd = -1, .jobs = -1, .backups = -1, .locks = -1 \
	}

/*
 * Open the data directory of a configuration, make what is missing in it and
 * load its key.  Refused are one that does not belong to the effective user,
 * that others can read, or that lies inside a profile's folder unless the
 * configuration allows it.  Returns 0 or -1; after either, datadir_close.
 */
int datadir_open(
    struct datadir *datadir, const struct config *config, struct fault *fault);

void datadir_close(struct datadir *datadir);

/*
 * Whether the data directory lies inside the folder at path, symlinks
 * resolved.  A folder that does not exist contains nothing.
 */
bool datadir_inside(const struct config *config, const char *path);

/*
 * Whether text has the form of a backup ID: nothing else ever becomes part of
 * a path.
 */
bool datadir_is_id(const char *text);

/* Make a new ID for a backup that starts now. */
void datadir_new_id(char id[ID_SIZE]);

/*
 * The IDs in jobs or backups (a descriptor of the datadir) as a malloc'd array,
 * by their time, newest first.  Entries that are no IDs are passed over.
 * Returns 0 or -1.
 */
int datadir_list(
    int dirfd, char (**ids)[ID_SIZE], size_t *count, struct fault *fault);

/*
 * A fresh number for a backup, greater than all before; durable on return.
 * The caller holds the lock "number".
 */
int datadir_next_number(
    struct datadir *datadir, int64_t *number, struct fault *fault);

#endif
