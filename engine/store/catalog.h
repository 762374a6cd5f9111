/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_STORE_CATALOG_H
#define ENGINE_STORE_CATALOG_H

#include "store/spool.h"

#include <stddef.h>
#include <stdint.h>

/*
 * The catalog: what the walk found, in a spool.  A folder's line is followed
 * by the lines of its entries, then come the folders in it, each with all
 * below it: read from beginning to end it is the order in which tar wants
 * things.  A folder is named by the offset of its line, which also says where
 * its parent is; so the way to it can be found from the offset alone, and no
 * path is ever kept in the state.
 *
 *	R <index> <dev> <ino> <real path>            the site, an extra folder
 *	D <parent> <entry> <dev> <ino> <mark> <errno>  any other folder
 *	f <ino> <size> <name>                        a file
 *	l p c b <ino> 0 <name>                       symlink, FIFO, devices
 *	F L P C B <ino> <size> <name>                the same, with other names
 *	d <ino> 0 <name>                             a folder; its line follows
 *	s 0 0 <name>                                 a socket, left out
 *	x <pattern> 0 <name>                         excluded by this pattern
 *	e <errno> 0 <name or nothing>                could not be looked at
 *
 * Numbers are hexadecimal.  In names and paths a newline stands as \n and a
 * backslash as \\.
 */

/* The type of an entry that has more than one name, and the plain one. */
#define CATALOG_LINKED(type)    ((char)((type) & ~0x20))
#define CATALOG_UNLINKED(type)  ((char)((type) | 0x20))
#define CATALOG_IS_LINKED(type) (((type)&0x20) == 0)

/* What is to be done with a folder's contents; the mark in its line. */
enum catalog_mark {
	CATALOG_ENTERED = '-',
	CATALOG_MOUNT = 'M',      /* entered, another file system */
	CATALOG_MOUNT_SHUT = 'm', /* another file system, not entered */
	CATALOG_PSEUDO = 'p',     /* a pseudo file system, not entered */
	CATALOG_DATA = 'v',       /* the data directory, left out */
	CATALOG_UNREADABLE = 'e',
};

struct catalog_item {
	int64_t offset; /* of its line */
	char type;      /* the first character of its line */
	/* R: the index; D: nothing; x: the pattern; e: errno; else inode */
	int64_t number;
	int64_t size;
	/* R and D */
	int64_t parent; /* offset of the parent's line, -1 for R */
	int64_t entry;  /* offset of its d line, -1 for R */
	int64_t device;
	int64_t inode;
	enum catalog_mark mark;
	int error; /* errno, of CATALOG_UNREADABLE */
	/* the name, or R: the real path; NUL-terminated */
	const char *name;
	size_t name_length;
};

/*
 * Append an item, as its type demands; offset is set to where it went.
 * Returns 0 or -1.
 */
int catalog_add(
    struct spool *catalog, struct catalog_item *item, struct fault *fault);

/*
 * Read the next item.  Its name is valid until the reader is used again.
 * Returns 1, 0 at the end, or -1.
 */
int catalog_next(struct spool_reader *reader, struct catalog_item *item,
    struct fault *fault);

/* Read the item at an offset.  Returns 0 or -1. */
int catalog_at(struct spool_reader *reader, int64_t offset,
    struct catalog_item *item, struct fault *fault);

#endif
