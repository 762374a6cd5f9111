/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_PACK_MANIFEST_H
#define ENGINE_PACK_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;

/*
 * The lines of the members stepvault/manifest.jsonl and
 * stepvault/SHA256SUMS, one for each entry and one for each file.
 */

struct manifest_entry {
	const char *path; /* in the archive */
	const char *type; /* "file", "folder", "symlink", "hardlink" … */
	int64_t mode;     /* permission bits */
	int64_t mtime_s;
	int64_t mtime_ns;
	int64_t size;       /* of a file, else -1 */
	bool changed;       /* while it was read */
	const char *target; /* of a symlink or hard link, or NULL */
	/* of a sparse file, as offset and length */
	const int64_t (*holes)[2];
	size_t hole_count;
};

/*
 * Append the JSON object of an entry, without a newline:
 *
 *	{"path":…,"type":…,"mode":"0644","mtime":…[,"mtime_ns":…]
 *	 [,"size":…][,"changed":true][,"target":…][,"holes":[[at,length],…]]}
 */
void manifest_add(struct strbuf *line, const struct manifest_entry *entry);

/*
 * Append a line as sha256sum(1) writes and checks it, without a newline: hash
 * is 32 bytes.
 */
void
manifest_add_sum(struct strbuf *line, const uint8_t *hash, const char *path);

#endif
