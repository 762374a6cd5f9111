/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_PROBE_H
#define ENGINE_SOURCE_PROBE_H

#include "source/dump.h"

#include <stdbool.h>
#include <stdint.h>

struct database;
struct profile;
struct strbuf;

/*
 * What a dump of a database would meet, found without reading a row.
 */

/* An object, or a privilege, and what there is to say of it, if anything. */
struct probe_item {
	char *name; /* unescaped */
	char *text;
};

struct probe_items {
	struct probe_item *all;
	int count;
};

/* All texts are malloc'd; NULL where there is none. */
struct probe {
	char *label;
	char *address;     /* as database_show */
	char *problem;     /* why it cannot be dumped; NULL: it can be */
	char *no_snapshot; /* why no snapshot is possible; NULL: it is */
	/* of the server */
	char *server; /* "MariaDB 10.11.6" */
	char *cipher; /* NULL: the connection is not encrypted */
	/* of what would be dumped */
	int64_t tables;
	int64_t bytes;                /* of rows, by the server's estimate */
	struct probe_items lacking;   /* privileges, and what is lost */
	struct probe_items uncovered; /* tables that no snapshot covers */
	struct probe_items keyless;   /* tables read in one go */
	struct probe_items notes;     /* of the list; see dump.h */
};

/*
 * Probe a database of a profile, resolved or not; what goes wrong is its
 * problem.  Free with probe_close.
 */
void probe_database(struct probe *probe, const struct profile *profile,
    const struct database *named);

void probe_close(struct probe *probe);

/* Append it as a JSON object. */
void probe_print(const struct probe *probe, struct strbuf *out);

#endif
