/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_RUN_PACKING_H
#define ENGINE_RUN_PACKING_H

#include "base/strbuf.h"
#include "pack/digest.h"
#include "run/phase.h"
#include "source/folders.h"
#include "store/links.h"
#include "store/spool.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct catalog_item;
struct frames;
struct manifest_entry;
struct tarball;
struct tarball_entry;

/*
 * What the pack phase has in memory, and the pieces of it: phase_pack.c goes
 * through the catalog, pack_entry.c adds what is only a header, pack_file.c
 * the files.
 */

#define PACKING_HOLES_MAX 1000

struct packing {
	struct folders folders;
	struct folders elsewhere; /* where the first names of links are */
	struct spool_reader catalog;
	struct tarball *tarball;
	struct frames *frames;
	struct spool *manifest;
	struct spool *sums;
	struct strbuf root; /* real path of the root at hand */
	struct strbuf line;
	struct strbuf path;
	/* of the file that is packed in pieces: */
	struct digest digest;
	int fd;           /* -1: it cannot be read (on) */
	const char *lost; /* why, or NULL */
	struct link_place place;
	bool linked;
	bool sparse;
	int64_t holes[PACKING_HOLES_MAX][2];
};

/* Where in the catalog an entry of the folder at hand stands. */
struct link_place
packing_place(const struct packing *packing, const struct catalog_item *item);

/* Name an entry that is not in the archive, and go on. */
enum phase_outcome
packing_leave_out(struct job *job, const struct catalog_item *item,
    const char *path, const char *reason, struct fault *fault);

/*
 * The same for what errno says.  Having run out of descriptors or memory is
 * a fault instead: that is no property of the entry.
 */
enum phase_outcome packing_leave_out_errno(struct job *job,
    const struct catalog_item *item, const char *path, struct fault *fault);

/* Add a header to the archive; warn if attributes are missing in it. */
int packing_write_header(
    struct job *job, const struct tarball_entry *entry, struct fault *fault);

/* Add an entry whose header is all there is of it. */
int packing_add_bodiless(struct job *job, const struct tarball_entry *entry,
    const char *type, struct fault *fault);

/* Add a line to the manifest. */
int packing_add_manifest(struct packing *packing,
    const struct manifest_entry *entry, struct fault *fault);

/*
 * The root at hand is packed: warn if its path leads elsewhere by now.  A new
 * release was put in its place, and other roots may be those of that one.
 */
int packing_end_root(struct job *job, struct fault *fault);

/* Add a folder, from its own line in the catalog. */
enum phase_outcome packing_add_folder(
    struct job *job, const struct catalog_item *from, struct fault *fault);

/* Add a symlink, a FIFO or a device of the folder open at dirfd. */
enum phase_outcome
packing_add_special(struct job *job, const struct catalog_item *item, int dirfd,
    const char *path, struct fault *fault);

/*
 * If an entry is another name of one that is in the archive already, add it
 * as a hard link.  Returns 1 if so, 0 if not, or -1.
 */
int packing_add_hardlink(struct job *job, const struct catalog_item *item,
    int dirfd, const char *path, struct fault *fault);

/* An entry was packed whole: later names of it will refer to it. */
int packing_note_first(struct job *job, const struct catalog_item *item,
    const struct stat *st, struct fault *fault);

/* Begin a file of the folder open at dirfd, and add its first piece. */
enum phase_outcome
packing_add_file(struct job *job, const struct catalog_item *item, int dirfd,
    const char *path, struct fault *fault);

/* Add the next piece of the file at hand, and end it if it was the last. */
enum phase_outcome
packing_add_piece(struct job *job, const char *path, struct fault *fault);

/* Go on in the middle of the file that the state's cursor names. */
int packing_resume_file(struct job *job, struct fault *fault);

#endif
