/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_PACK_ATTRIBUTES_H
#define ENGINE_PACK_ATTRIBUTES_H

#include <stdbool.h>

struct archive;
struct archive_entry;
struct stat;
struct strbuf;

/*
 * Extended attributes and ACLs, for tarball alone.  Without memory libarchive
 * leaves attributes out, or writes half of one, and says nothing: so what it
 * took and what it made is counted.
 */

/*
 * Put the attributes and ACLs of an open file, O_PATH too, into the entry;
 * its mode may change by that.  disk is an archive_read_disk that reads no
 * xattrs.  Without memory the process aborts.  Returns 0 or an errno.
 */
int attributes_read(struct archive *disk, struct archive_entry *entry, int fd,
    const struct stat *st);

/*
 * Whether a header of the pax format (POSIX.1-2017, pax) is well-formed and
 * has all attributes and ACLs of the entry.
 */
bool
attributes_are_in(struct archive_entry *entry, const struct strbuf *header);

#endif
