/* SPDX-License-Identifier: MIT */
#ifndef CLI_SETUP_H
#define CLI_SETUP_H

#include "source/site.h"
#include "store/token.h"

#include <sys/types.h>

struct fault;

/* What 'stepvault init' makes.  All texts are malloc'd. */
struct setup {
	char *config; /* path, absolute like all of them */
	char *site;
	struct site found; /* in it */
	char *database;    /* as the configuration names it; NULL: none */
	char *data;
	char *user; /* who is to own all of it; NULL: who runs this */
	uid_t uid;
	gid_t gid;
	char *address; /* of the site, without a slash behind */
	char secret[TOKEN_SECRET_SIZE];
};

/*
 * Make a secret, the data directory and the configuration, each with what is
 * missing above it, for its owner only.  A configuration that would not mean
 * what was said is FAULT_USAGE, and so is a data directory inside the site;
 * nothing was made then.  One that is there is never overwritten.  Durable on
 * return.  Returns 0 or -1.
 */
int setup_make(struct setup *setup, struct fault *fault);

/* Free what it owns; a zeroed one is accepted. */
void setup_close(struct setup *setup);

#endif
