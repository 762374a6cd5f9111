/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_STORE_COUNTS_H
#define ENGINE_STORE_COUNTS_H

#include <stdint.h>

/* What a backup has counted, in its state and in its record. */
struct counts {
	/* in the archive */
	int64_t files;
	int64_t folders;
	int64_t symlinks;
	int64_t hardlinks;
	int64_t specials; /* FIFOs and devices */
	int64_t bytes;    /* of the files' content */
	int64_t databases;
	int64_t tables;
	int64_t rows;
	/* left out */
	int64_t excluded;
	int64_t sockets;
	int64_t unread; /* named in the warnings */
	/* worth knowing */
	int64_t changed; /* while they were read; named in the warnings */
	int64_t mounts;
	int64_t outside; /* symlinks that lead out of the site */
	int64_t warnings;
};

/* The fields of a member called counts in a struct. */
#define COUNTS_FIELD(type, count)                      \
	{                                              \
		.name = #count, .kind = FIELD_NUMBER,  \
		.offset = offsetof(type, counts.count) \
	}
#define COUNTS_FIELDS(type)                                              \
	COUNTS_FIELD(type, files), COUNTS_FIELD(type, folders),          \
	    COUNTS_FIELD(type, symlinks), COUNTS_FIELD(type, hardlinks), \
	    COUNTS_FIELD(type, specials), COUNTS_FIELD(type, bytes),     \
	    COUNTS_FIELD(type, databases), COUNTS_FIELD(type, tables),   \
	    COUNTS_FIELD(type, rows), COUNTS_FIELD(type, excluded),      \
	    COUNTS_FIELD(type, sockets), COUNTS_FIELD(type, unread),     \
	    COUNTS_FIELD(type, changed), COUNTS_FIELD(type, mounts),     \
	    COUNTS_FIELD(type, outside), COUNTS_FIELD(type, warnings)

#endif
