/* SPDX-License-Identifier: MIT */
#ifndef CGI_AUTH_H
#define CGI_AUTH_H

struct engine;
struct request;

/*
 * Who may do what.  Every refusal does the same work, whatever is wrong, and
 * wrong secrets are counted per origin and altogether, in a small file of
 * fixed size that all processes of a data directory share.  A right secret is
 * never refused.
 */

enum auth_grant {
	AUTH_DENIED,
	AUTH_THROTTLED, /* denied, and too often of late */
	AUTH_STEP,      /* may step and report the backup of its backupid */
	AUTH_SECRET,    /* may do everything */
};

/* Seconds after which a throttled client may try again. */
#define AUTH_WINDOW 600

/*
 * Judge a request by the secret it bears ("Authorization: Bearer", parameter
 * key) or by its token and backupid.
 */
enum auth_grant
auth_judge(struct engine *engine, const struct request *request);

#endif
