/* SPDX-License-Identifier: MIT */
#include "source/folders.h"

#include "base/fault.h"
#include "source/entry.h"
#include "store/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of the levels nearest to the folder at hand so many stay open. */
#define OPEN_MAX_LEVELS 32

/* Going up reads single lines here and there. */
#define SHORT_READ 512

const char *
folders_root_words(int64_t root, char words[FOLDERS_WORDS_SIZE])
{
	if (root == 0)
		snprintf(words, FOLDERS_WORDS_SIZE, "the folder of 'site'");
	else
		snprintf(words, FOLDERS_WORDS_SIZE,
		    "folder %lld of those of 'extra'", (long long)root);
	return words;
}

void
folders_open(struct folders *folders, struct spool *catalog,
    const char *const *root_names, int root_count)
{
	memset(folders, 0, sizeof(*folders));
	spool_reader_open(&folders->reader, catalog, 0);
	folders->reader.chunk = SHORT_READ;
	folders->root_names = root_names;
	folders->root_count = root_count;
}

static void
close_level(struct folder_level *level)
{
	if (level->fd >= 0)
		close(level->fd);
	level->fd = -1;
}

static void
pop(struct folders *folders)
{
	close_level(&folders->levels[--folders->depth]);
	strbuf_cut(&folders->path,
	    folders->depth > 0 ? folders->levels[folders->depth - 1].path_length
			       : 0);
}

void
folders_close(struct folders *folders)
{
	while (folders->depth > 0)
		pop(folders);
	free(folders->levels);
	strbuf_close(&folders->path);
	spool_reader_close(&folders->reader);
	memset(folders, 0, sizeof(*folders));
}

/* Cut off what folders_path_of appended. */
static void
trim_path(struct folders *folders)
{
	if (folders->depth > 0)
		strbuf_cut(&folders->path,
		    folders->levels[folders->depth - 1].path_length);
}

void
folders_push(struct folders *folders, const struct catalog_item *item,
    const char *name, int fd)
{
	struct folder_level *level;

	trim_path(folders);
	if (item->type == 'R') {
		while (folders->depth > 0)
			pop(folders);
		strbuf_addstr(
		    &folders->path, folders->root_names[item->number]);
		folders->root_length = folders->path.length + 1;
	} else {
		strbuf_addc(&folders->path, '/');
		strbuf_addstr(&folders->path, name);
	}
	if (folders->depth == folders->room) {
		folders->room = folders->room * 2 + 16;
		folders->levels = realloc(folders->levels,
		    (size_t)folders->room * sizeof(*folders->levels));
		if (folders->levels == NULL)
			abort();
	}
	level = &folders->levels[folders->depth++];
	*level = (struct folder_level){ item->offset, item->parent, item->entry,
		item->device, item->inode, folders->path.length, fd };
	if (folders->depth > OPEN_MAX_LEVELS)
		close_level(level - OPEN_MAX_LEVELS);
}

/* The lines from the folder at offset up to one that is on the way, or up to
 * a root.  The last of them is nearest to the root. */
static int
find_way(struct folders *folders, int64_t offset, int64_t **way, size_t *count,
    struct fault *fault)
{
	struct catalog_item item;

	*way = NULL;
	*count = 0;
	while (offset >= 0) {
		while (folders->depth > 0 &&
		    folders->levels[folders->depth - 1].offset > offset)
			pop(folders);
		if (folders->depth > 0 &&
		    folders->levels[folders->depth - 1].offset == offset)
			return 0;
		*way = realloc(*way, (*count + 1) * sizeof(**way));
		if (*way == NULL)
			abort();
		(*way)[(*count)++] = offset;
		if (catalog_at(&folders->reader, offset, &item, fault) != 0)
			return -1;
		if (item.type != 'D' && item.type != 'R')
			return fault_set(fault, FAULT_CORRUPT,
			    "the spool 'catalog' refers to a folder that is "
			    "none");
		offset = item.parent;
	}
	return 0;
}

/* Push the folder whose line is at offset; its parent is the one at hand. */
static int
push_at(struct folders *folders, int64_t offset, struct fault *fault)
{
	struct catalog_item item, entry;

	if (catalog_at(&folders->reader, offset, &item, fault) != 0)
		return -1;
	if (item.type == 'R') {
		if (item.number < 0 || item.number >= folders->root_count)
			return fault_set(fault, FAULT_CORRUPT,
			    "the spool 'catalog' has an unknown root");
		folders_push(folders, &item, NULL, -1);
		return 0;
	}
	if (catalog_at(&folders->reader, item.entry, &entry, fault) != 0)
		return -1;
	if (entry.type != 'd')
		return fault_set(fault, FAULT_CORRUPT,
		    "the spool 'catalog' refers to an entry that is no folder");
	folders_push(folders, &item, entry.name, -1);
	return 0;
}

int
folders_enter(struct folders *folders, int64_t offset, struct fault *fault)
{
	int64_t *way;
	size_t count;
	int result;

	trim_path(folders);
	result = find_way(folders, offset, &way, &count, fault);
	while (result == 0 && count > 0)
		result = push_at(folders, way[--count], fault);
	free(way);
	return result;
}

/* It is the folder that the catalog means. */
static bool
is_same(const struct folder_level *level, int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (int64_t)st.st_dev == level->device &&
	    (int64_t)st.st_ino == level->inode;
}

/* Open name below dirfd into level; 0, or -1 with errno set. */
static int
open_level(struct folder_level *level, int dirfd, const char *name, int flags)
{
	int fd = entry_open(dirfd, name, ENTRY_FOLDER | flags);

	if (fd < 0 && errno == EACCES)
		fd = entry_open(dirfd, name, O_PATH | O_DIRECTORY | flags);
	if (fd < 0)
		return -1;
	if (!is_same(level, fd)) {
		close(fd);
		errno = ESTALE;
		return -1;
	}
	level->fd = fd;
	return 0;
}

/* The name of a level's folder in its parent's; a root's real path. */
static int
name_of(struct folders *folders, const struct folder_level *level,
    const char **name, struct fault *fault)
{
	struct catalog_item item;

	if (catalog_at(&folders->reader, level->offset, &item, fault) != 0)
		return -1;
	if (item.type == 'D' &&
	    catalog_at(&folders->reader, item.entry, &item, fault) != 0)
		return -1;
	*name = item.name;
	return 0;
}

/* The path of the root leads to nothing, or to another folder. */
static bool
is_gone(int number)
{
	return number == ENOENT || number == ENOTDIR || number == ELOOP ||
	    number == ESTALE;
}

/* Go on with another folder in its place and the archive is two sites. */
static int
root_unreachable(struct folders *folders, struct fault *fault)
{
	int number = errno;
	char words[FOLDERS_WORDS_SIZE];
	struct catalog_item item;

	if (catalog_at(
		&folders->reader, folders->levels[0].offset, &item, fault) != 0)
		return -1;
	folders_root_words(item.number, words);
	if (is_gone(number))
		return fault_set(fault, FAULT_SYSTEM,
		    "%s was moved or replaced while this backup was "
		    "unfinished; the next backup begins with the new one",
		    words);
	errno = number;
	return fault_errno(fault, "%s cannot be opened again", words);
}

/* Running out of descriptors or memory is no property of the site. */
static int
unreachable(struct folders *folders, int level, struct fault *fault)
{
	if (entry_out_of_resources())
		return fault_errno(fault, "a folder cannot be opened");
	return level == 0 ? root_unreachable(folders, fault)
			  : FOLDERS_UNREACHABLE;
}

int
folders_fd(struct folders *folders, struct fault *fault)
{
	int at = folders->depth - 1;
	const char *name;

	while (at >= 0 && folders->levels[at].fd < 0)
		at--;
	for (at++; at < folders->depth; at++) {
		struct folder_level *level = &folders->levels[at];

		if (name_of(folders, level, &name, fault) != 0)
			return -1;
		if (open_level(level,
			at > 0 ? folders->levels[at - 1].fd : AT_FDCWD, name,
			at > 0 ? O_NOFOLLOW : 0) != 0)
			return unreachable(folders, at, fault);
		if (at >= OPEN_MAX_LEVELS)
			close_level(level - OPEN_MAX_LEVELS);
	}
	return folders->levels[folders->depth - 1].fd;
}

const char *
folders_path_of(struct folders *folders, const char *name)
{
	trim_path(folders);
	if (name != NULL) {
		strbuf_addc(&folders->path, '/');
		strbuf_addstr(&folders->path, name);
	}
	return strbuf_text(&folders->path);
}

const struct folder_level *
folders_at(const struct folders *folders)
{
	return &folders->levels[folders->depth - 1];
}

const char *
folders_below_root(const struct folders *folders, const char *path)
{
	return strlen(path) > folders->root_length ? path + folders->root_length
						   : "";
}
