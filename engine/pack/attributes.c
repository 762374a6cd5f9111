/* SPDX-License-Identifier: MIT */
#include "pack/attributes.h"

#include "base/strbuf.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* ACLs are xattrs of the kernel's: a head, and entries of eight bytes each. */
#define ACL_ACCESS  "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"
#define ACL_HEAD    4
#define ACL_ENTRY   8

#define BLOCK 512

/* A file's xattrs are found by its descriptor, or, with O_PATH, by a path. */
struct source {
	int fd; /* -1: by path */
	char path[64];
};

static ssize_t
list_names(struct source *source, struct strbuf *names)
{
	ssize_t size = flistxattr(source->fd, NULL, 0);

	if (size < 0 && errno == EBADF) {
		source->fd = -1;
		size = listxattr(source->path, NULL, 0);
	}
	/* Most files have none. */
	if (size <= 0)
		return size < 0 && errno == ENOTSUP ? 0 : size;
	strbuf_reserve(names, (size_t)size);
	return source->fd >= 0
	    ? flistxattr(source->fd, names->bytes, (size_t)size)
	    : listxattr(source->path, names->bytes, (size_t)size);
}

static ssize_t
get_value(
    const struct source *source, const char *name, void *place, size_t size)
{
	return source->fd >= 0 ? fgetxattr(source->fd, name, place, size)
			       : getxattr(source->path, name, place, size);
}

/* Add an xattr to the entry, and see that it is there. */
static int
add_xattr(struct archive_entry *entry, const struct source *source,
    const char *name, struct strbuf *value)
{
	int count = archive_entry_xattr_count(entry);
	ssize_t size = get_value(source, name, NULL, 0);
	const char *found;
	const void *bytes;
	size_t length;

	if (size < 0)
		return errno == ENODATA ? 0 : errno;
	strbuf_reset(value);
	strbuf_reserve(value, (size_t)size);
	size = get_value(source, name, value->bytes, (size_t)size);
	if (size < 0)
		return errno;
	archive_entry_xattr_add_entry(entry, name, value->bytes, (size_t)size);
	/* The newest comes first. */
	if (archive_entry_xattr_reset(entry) != count + 1 ||
	    archive_entry_xattr_next(entry, &found, &bytes, &length) !=
		ARCHIVE_OK ||
	    found == NULL || strcmp(found, name) != 0 ||
	    length != (size_t)size ||
	    (length > 0 && memcmp(bytes, value->bytes, length) != 0))
		abort();
	return 0;
}

/* How many entries the kernel's form of an ACL has; 0: there is none. */
static int
count_acl(const struct source *source, const char *name)
{
	ssize_t size = get_value(source, name, NULL, 0);

	return size < ACL_HEAD ? 0 : (int)((size - ACL_HEAD) / ACL_ENTRY);
}

static int
read_acls(struct archive *disk, struct archive_entry *entry,
    const struct source *source, const struct stat *st)
{
	int access, standard;

	archive_entry_copy_sourcepath(entry, source->path);
	errno = 0;
	if (archive_read_disk_entry_from_file(disk, entry, source->fd, st) <
	    ARCHIVE_OK) {
		if (archive_errno(disk) == ENOMEM)
			abort();
		return archive_errno(disk) != 0 ? archive_errno(disk) : EIO;
	}
	access = archive_entry_acl_count(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS);
	standard =
	    archive_entry_acl_count(entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT);
	/* There was no memory, or there was no ACL a moment ago. */
	if ((access == 0 && count_acl(source, ACL_ACCESS) > 0) ||
	    (standard == 0 && count_acl(source, ACL_DEFAULT) > 0))
		return EAGAIN;
	return 0;
}

int
attributes_read(struct archive *disk, struct archive_entry *entry, int fd,
    const struct stat *st)
{
	struct source source = { .fd = fd };
	struct strbuf names = STRBUF_EMPTY, value = STRBUF_EMPTY;
	bool has_acls = false;
	ssize_t size;
	int result;

	snprintf(source.path, sizeof(source.path), "/proc/self/fd/%d", fd);
	size = list_names(&source, &names);
	result = size < 0 ? errno : 0;
	for (ssize_t at = 0; at < size && result == 0;) {
		const char *name = names.bytes + at;

		at += (ssize_t)strlen(name) + 1;
		if (strcmp(name, ACL_ACCESS) == 0 ||
		    strcmp(name, ACL_DEFAULT) == 0)
			has_acls = true;
		else if (strncmp(name, "system.", 7) != 0)
			result = add_xattr(entry, &source, name, &value);
	}
	if (result == 0 && has_acls)
		result = read_acls(disk, entry, &source, st);
	strbuf_close(&value);
	strbuf_close(&names);
	return result;
}

/* What the extended header of an entry has. */
struct records {
	int xattrs;
	bool access;
	bool standard; /* a default ACL */
};

static bool
begins(const char *text, size_t length, const char *with)
{
	return length >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

/* Go through the records "length key=value\n"; false: they are malformed. */
static bool
read_records(const char *text, size_t size, struct records *records)
{
	while (size > 0) {
		size_t length = 0, digits = 0;
		const char *key;

		while (digits < size && text[digits] >= '0' &&
		    text[digits] <= '9' && length <= size)
			length = length * 10 + (size_t)(text[digits++] - '0');
		if (digits == 0 || digits + 3 > length || length > size ||
		    text[digits] != ' ' || text[length - 1] != '\n')
			return false;
		key = text + digits + 1;
		length -= digits + 1;
		if (memchr(key, '=', length) == NULL)
			return false;
		records->xattrs += begins(key, length, "SCHILY.xattr.");
		records->access |= begins(key, length, "SCHILY.acl.access=");
		records->standard |= begins(key, length, "SCHILY.acl.default=");
		size -= (size_t)(key - text) + length;
		text = key + length;
	}
	return true;
}

bool
attributes_are_in(struct archive_entry *entry, const struct strbuf *header)
{
	struct records records = { 0 };
	size_t size;

	if (header->length < BLOCK)
		return false;
	if (header->bytes[156] == 'x') {
		/* Octal, in the field "size". */
		size = strtoul(header->bytes + 124, NULL, 8);
		if (size > header->length - BLOCK ||
		    !read_records(header->bytes + BLOCK, size, &records))
			return false;
	}
	return records.xattrs == archive_entry_xattr_count(entry) &&
	    records.access ==
	    (archive_entry_acl_count(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS) >
		0) &&
	    records.standard ==
	    (archive_entry_acl_count(entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT) >
		0);
}
