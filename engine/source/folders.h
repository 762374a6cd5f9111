/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_FOLDERS_H
#define ENGINE_SOURCE_FOLDERS_H

#include "base/strbuf.h"
#include "store/spool.h"

#include <stddef.h>
#include <stdint.h>

struct catalog_item;
struct fault;

/*
 * The way from a root (the site, an extra folder) down to the folder at hand,
 * with its path and with descriptors of its last few folders.
 *
 * Each folder is opened from its parent's descriptor, symlinks refused, and
 * must be the one (device and inode) that the catalog names: whoever can
 * write to the site cannot lead the backup out of it.
 */
struct folder_level {
	int64_t offset; /* of its line in the catalog */
	int64_t parent; /* of its parent's line, -1 for a root */
	int64_t entry;  /* of its entry in the parent's block */
	int64_t device;
	int64_t inode;
	size_t path_length; /* of folders.path down to here */
	int fd;             /* -1: not open */
};

struct folders {
	struct spool_reader reader;
	struct folder_level *levels; /* from the root down */
	int depth;
	int room;
	/* "files/a/b" or "extra/NAME/a/b": the path in the archive */
	struct strbuf path;
	/* where in path the part below the root begins */
	size_t root_length;
	const char *const *root_names; /* by the root's index */
	int root_count;
};

/* What is not a fault of ours but of the site: errno says what it is. */
#define FOLDERS_UNREACHABLE (-2)

/*
 * What a root is called in reasons, which go to clients too: by its key in
 * the profile, not by its path.  Returns words.
 */
#define FOLDERS_WORDS_SIZE 64
const char *folders_root_words(int64_t root, char words[FOLDERS_WORDS_SIZE]);

/*
 * Begin nowhere.  root_names are the paths of the roots in the archive
 * ("files", "extra/media"); they must outlive it.  Owns memory and
 * descriptors until folders_close.
 */
void folders_open(struct folders *folders, struct spool *catalog,
    const char *const *root_names, int root_count);

/* Close all of it; a zeroed one is accepted. */
void folders_close(struct folders *folders);

/*
 * Make the folder whose line stands at offset the one at hand.  Nothing is
 * opened yet.  Returns 0 or -1 with a fault about the catalog.
 */
int folders_enter(struct folders *folders, int64_t offset, struct fault *fault);

/*
 * A descriptor of the folder at hand: opened for reading or, where that is
 * forbidden, with O_PATH.  It stays the property of folders and may be closed
 * when another folder is entered.  Returns it; or FOLDERS_UNREACHABLE with
 * errno set, ESTALE meaning that another folder has taken its place; or -1
 * with a fault.  A root that cannot be reached is a fault: without it there
 * is nothing to go on with.
 */
int folders_fd(struct folders *folders, struct fault *fault);

/*
 * Enter a folder that was just added to the catalog as item, below the folder
 * at hand or, if it is a root, from nowhere.  name is its name.  Takes over
 * fd, which may be -1.
 */
void folders_push(struct folders *folders, const struct catalog_item *item,
    const char *name, int fd);

/*
 * The path in the archive of an entry of the folder at hand; with name NULL,
 * of that folder itself.  Valid until the next call of any function here.
 */
const char *folders_path_of(struct folders *folders, const char *name);

/* The folder at hand; valid until another is entered. */
const struct folder_level *folders_at(const struct folders *folders);

/* The part of a path from folders_path_of that is below the root. */
const char *folders_below_root(const struct folders *folders, const char *path);

#endif
