/* SPDX-License-Identifier: MIT */
#include "source/walk.h"

#include "base/fault.h"
#include "source/entry.h"
#include "source/filter.h"
#include "source/folders.h"
#include "store/catalog.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define ENTRIES_PER_STEP 16
#define LINES_PER_STEP   64
#define DIRENT_BYTES     (32 * 1024)
#define SCAN_READ        (8 * 1024)

/* A folder that is never still is not read again for ever. */
#define AGAIN_MAX 4

/* Not in every version of linux/magic.h. */
#define FUSECTL_MAGIC  0x65735543
#define CONFIGFS_SUPER 0x62656570
#define MQUEUE_SUPER   0x19800202
#define RPC_PIPEFS     0x67596969

struct walk {
	struct walk_sources sources;
	struct spool *catalog;
	struct walk_cursor *cursor;
	struct folders folders;
	struct spool_reader scan;
	/* entries read from the folder at hand and not yet looked at */
	size_t filled;
	size_t at;
	char dirents[DIRENT_BYTES] __attribute__((aligned(8)));
};

void
walk_begin(struct walk_cursor *cursor)
{
	memset(cursor, 0, sizeof(*cursor));
	cursor->folder = -1;
	cursor->position = -1;
}

void
walk_close(struct walk *walk)
{
	if (walk == NULL)
		return;
	folders_close(&walk->folders);
	spool_reader_close(&walk->scan);
	free(walk);
}

int
walk_open(struct walk **out, const struct walk_sources *sources,
    struct spool *catalog, struct walk_cursor *cursor, struct fault *fault)
{
	struct walk *walk = calloc(1, sizeof(*walk));

	if (walk == NULL)
		abort();
	*out = walk;
	walk->sources = *sources;
	walk->catalog = catalog;
	walk->cursor = cursor;
	folders_open(
	    &walk->folders, catalog, sources->root_names, sources->root_count);
	spool_reader_open(&walk->scan, catalog, cursor->scan);
	walk->scan.chunk = SCAN_READ;
	if (cursor->folder < 0)
		return 0;
	return folders_enter(&walk->folders, cursor->folder, fault);
}

static bool
is_pseudo(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return false;
	switch (fs.f_type) {
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case DEVPTS_SUPER_MAGIC:
	case DEBUGFS_MAGIC:
	case TRACEFS_MAGIC:
	case SECURITYFS_MAGIC:
	case SELINUX_MAGIC:
	case SMACK_MAGIC:
	case CGROUP_SUPER_MAGIC:
	case CGROUP2_SUPER_MAGIC:
	case PSTOREFS_MAGIC:
	case EFIVARFS_MAGIC:
	case BPF_FS_MAGIC:
	case BINFMTFS_MAGIC:
	case NSFS_MAGIC:
	case HUGETLBFS_MAGIC:
	case AUTOFS_SUPER_MAGIC:
	case FUSECTL_MAGIC:
	case CONFIGFS_SUPER:
	case MQUEUE_SUPER:
	case RPC_PIPEFS:
		return true;
	default:
		return false;
	}
}

/* Begin to read the folder at hand, whose line was just added. */
static void
begin_reading(struct walk *walk, const struct stat *st)
{
	struct walk_cursor *cursor = walk->cursor;

	cursor->position = 0;
	cursor->has_folders = false;
	cursor->changed_s = st->st_ctim.tv_sec;
	cursor->changed_ns = st->st_ctim.tv_nsec;
	cursor->catalog_begin = walk->catalog->extent;
	cursor->linked_begin = cursor->linked;
	cursor->entries_begin = cursor->entries;
	cursor->bytes_begin = cursor->bytes;
	cursor->again = 0;
	walk->at = walk->filled = 0;
}

/* The folder at hand has been read; look for folders in it. */
static void
end_reading(struct walk *walk)
{
	struct walk_cursor *cursor = walk->cursor;

	cursor->position = -1;
	cursor->scan = cursor->catalog_begin.length;
	spool_reader_seek(&walk->scan, cursor->scan);
}

/* The folder at hand is not to be read. */
static void
skip_reading(struct walk *walk)
{
	walk->cursor->position = -1;
	walk->cursor->has_folders = false;
}

static enum walk_outcome
begin_root(struct walk *walk, struct fault *fault)
{
	struct walk_cursor *cursor = walk->cursor;
	char words[FOLDERS_WORDS_SIZE];
	const char *path = walk->sources.root_paths[cursor->root];
	struct catalog_item item = {
		.type = 'R', .number = cursor->root, .parent = -1, .entry = -1
	};
	char *real = realpath(path, NULL);
	struct stat st;
	int fd;

	folders_root_words(cursor->root, words);
	if (real == NULL)
		return fault_errno(fault, "%s cannot be found", words);
	fd = entry_open(AT_FDCWD, real, ENTRY_FOLDER);
	if (fd < 0 || fstat(fd, &st) != 0) {
		fault_errno(fault, "%s cannot be read", words);
		if (fd >= 0)
			close(fd);
		free(real);
		return WALK_FAULT;
	}
	item.device = (int64_t)st.st_dev;
	item.inode = (int64_t)st.st_ino;
	item.name = real;
	item.name_length = strlen(real);
	if (catalog_add(walk->catalog, &item, fault) != 0) {
		close(fd);
		free(real);
		return WALK_FAULT;
	}
	folders_push(&walk->folders, &item, NULL, fd);
	free(real);
	cursor->folder = item.offset;
	begin_reading(walk, &st);
	return WALK_MORE;
}

static int
add_entry(struct walk *walk, char type, int64_t number, int64_t size,
    const char *name, struct fault *fault)
{
	struct catalog_item item = { .type = type,
		.number = number,
		.size = size,
		.name = name,
		.name_length = strlen(name) };

	return catalog_add(walk->catalog, &item, fault);
}

static char
type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 'f';
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFIFO:
		return 'p';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	default:
		return 's';
	}
}

/* Write down one entry of the folder at hand.  Returns 0 or -1. */
static int
look_at(struct walk *walk, int dirfd, const struct dirent64 *dirent,
    struct fault *fault)
{
	struct walk_cursor *cursor = walk->cursor;
	const char *name = dirent->d_name;
	const char *path;
	unsigned char kind = dirent->d_type;
	struct stat st = { .st_ino = dirent->d_ino };
	int pattern;
	char type;

	if (kind == DT_DIR || kind == DT_SOCK) {
		st.st_mode = (mode_t)DTTOIF(kind);
	} else if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		/* What is gone already never was. */
		return errno == ENOENT
		    ? 0
		    : add_entry(walk, 'e', errno, 0, name, fault);
	}
	type = type_of(st.st_mode);
	path = folders_path_of(&walk->folders, name);
	path = folders_below_root(&walk->folders, path);
	pattern = filter_excludes(walk->sources.filter, path,
	    path + strlen(path) - strlen(name), type == 'd');
	if (pattern >= 0)
		return add_entry(walk, 'x', pattern, 0, name, fault);
	if (type == 's')
		return add_entry(walk, 's', 0, 0, name, fault);
	cursor->entries++;
	cursor->has_folders |= type == 'd';
	if (type == 'f')
		cursor->bytes += st.st_size;
	else
		st.st_size = 0;
	if (type != 'd' && st.st_nlink > 1) {
		cursor->linked++;
		type = CATALOG_LINKED(type);
	}
	return add_entry(
	    walk, type, (int64_t)st.st_ino, st.st_size, name, fault);
}

/* Go back to where the reading of the folder at hand began. */
static enum walk_outcome
read_again(struct walk *walk, const struct stat *st)
{
	struct walk_cursor *cursor = walk->cursor;
	int64_t again = cursor->again + 1;

	spool_cut(walk->catalog, &cursor->catalog_begin);
	spool_reader_seek(&walk->scan, 0);
	cursor->entries = cursor->entries_begin;
	cursor->linked = cursor->linked_begin;
	cursor->bytes = cursor->bytes_begin;
	begin_reading(walk, st);
	cursor->again = again;
	return WALK_CUT;
}

/*
 * The first reading by this walk of a folder that an earlier one began.  Where
 * it goes on is only known if the folder is as it was.  If it never is, most
 * file systems still find the place; that it may be wrong is said.
 */
static enum walk_outcome
resume_reading(struct walk *walk, int fd, struct fault *fault)
{
	struct walk_cursor *cursor = walk->cursor;
	struct stat st;
	bool same, found;

	if (fstat(fd, &st) != 0)
		return fault_errno(fault, "a folder cannot be looked at");
	same = st.st_ctim.tv_sec == cursor->changed_s &&
	    st.st_ctim.tv_nsec == cursor->changed_ns;
	found = lseek(fd, cursor->position, SEEK_SET) >= 0;
	if (found && (same || cursor->again > AGAIN_MAX))
		return WALK_MORE;
	if (found && cursor->again == AGAIN_MAX) {
		cursor->again++;
		return add_entry(walk, 'e', EBUSY, 0, "", fault) != 0
		    ? WALK_FAULT
		    : WALK_MORE;
	}
	if (lseek(fd, 0, SEEK_SET) < 0)
		return fault_errno(fault, "a folder cannot be read again");
	return read_again(walk, &st);
}

/* The folder at hand cannot be read (further): say so in the catalog. */
static enum walk_outcome
give_up_reading(struct walk *walk, int number, struct fault *fault)
{
	if (add_entry(walk, 'e', number, 0, "", fault) != 0)
		return WALK_FAULT;
	end_reading(walk);
	return WALK_MORE;
}

static enum walk_outcome
read_entries(struct walk *walk, struct fault *fault)
{
	struct walk_cursor *cursor = walk->cursor;
	int fd = folders_fd(&walk->folders, fault);

	if (fd == FOLDERS_UNREACHABLE)
		return give_up_reading(walk, errno, fault);
	if (fd < 0)
		return WALK_FAULT;
	if (walk->filled == 0 && cursor->position > 0) {
		enum walk_outcome outcome = resume_reading(walk, fd, fault);

		if (outcome != WALK_MORE)
			return outcome;
	}
	if (walk->at == walk->filled) {
		ssize_t got =
		    getdents64(fd, walk->dirents, sizeof(walk->dirents));

		if (got < 0)
			return give_up_reading(walk, errno, fault);
		if (got == 0) {
			end_reading(walk);
			return WALK_MORE;
		}
		walk->at = 0;
		walk->filled = (size_t)got;
	}
	for (int i = 0; i < ENTRIES_PER_STEP && walk->at < walk->filled; i++) {
		const struct dirent64 *dirent =
		    (const void *)(walk->dirents + walk->at);

		walk->at += dirent->d_reclen;
		if (strcmp(dirent->d_name, ".") != 0 &&
		    strcmp(dirent->d_name, "..") != 0 &&
		    look_at(walk, fd, dirent, fault) != 0)
			return WALK_FAULT;
		cursor->position = dirent->d_off;
	}
	return WALK_MORE;
}

static enum catalog_mark
mark_of(const struct walk *walk, int fd, const struct stat *st)
{
	const struct walk_sources *sources = &walk->sources;

	if ((int64_t)st->st_dev == sources->data_device &&
	    (int64_t)st->st_ino == sources->data_inode)
		return CATALOG_DATA;
	if ((int64_t)st->st_dev == folders_at(&walk->folders)->device)
		return CATALOG_ENTERED;
	if (is_pseudo(fd))
		return CATALOG_PSEUDO;
	return sources->one_file_system ? CATALOG_MOUNT_SHUT : CATALOG_MOUNT;
}

/*
 * Open the folder of this name in the one at hand and fill in what its line
 * has to say.  A folder that cannot be opened is one that cannot be read.
 * Returns 0 or -1; fd may be -1.
 */
static int
open_folder(struct walk *walk, const char *name, struct catalog_item *item,
    struct stat *st, int *fd, struct fault *fault)
{
	int parent = folders_fd(&walk->folders, fault);

	*fd = -1;
	item->mark = CATALOG_UNREADABLE;
	if (parent == -1)
		return -1;
	if (parent >= 0)
		*fd = entry_open(parent, name, ENTRY_FOLDER | O_NOFOLLOW);
	item->error = errno;
	if (*fd < 0 && entry_out_of_resources())
		return fault_errno(fault, "a folder cannot be opened");
	if (*fd >= 0 && fstat(*fd, st) == 0) {
		item->error = 0;
		item->mark = mark_of(walk, *fd, st);
	} else if (parent < 0 ||
	    fstatat(parent, name, st, AT_SYMLINK_NOFOLLOW) != 0) {
		memset(st, 0, sizeof(*st));
	}
	item->device = (int64_t)st->st_dev;
	item->inode = (int64_t)st->st_ino;
	return 0;
}

static enum walk_outcome
enter_folder(
    struct walk *walk, const struct catalog_item *entry, struct fault *fault)
{
	struct walk_cursor *cursor = walk->cursor;
	struct catalog_item item = {
		.type = 'D', .parent = cursor->folder, .entry = entry->offset
	};
	struct stat st = { 0 };
	int fd;

	if (open_folder(walk, entry->name, &item, &st, &fd, fault) != 0)
		return WALK_FAULT;
	if (catalog_add(walk->catalog, &item, fault) != 0) {
		if (fd >= 0)
			close(fd);
		return WALK_FAULT;
	}
	folders_push(&walk->folders, &item, entry->name, fd);
	cursor->folder = item.offset;
	if (item.mark == CATALOG_ENTERED || item.mark == CATALOG_MOUNT)
		begin_reading(walk, &st);
	else
		skip_reading(walk);
	return WALK_MORE;
}

/* The folder at hand is done with all below it: go on in its parent. */
static enum walk_outcome
leave_folder(struct walk *walk, struct fault *fault)
{
	struct walk_cursor *cursor = walk->cursor;
	const struct folder_level *level = folders_at(&walk->folders);
	struct catalog_item item;

	if (level->parent < 0) {
		cursor->folder = -1;
		cursor->root++;
		return cursor->root < walk->sources.root_count ? WALK_MORE
							       : WALK_DONE;
	}
	cursor->folder = level->parent;
	cursor->has_folders = true;
	if (catalog_at(&walk->scan, level->entry, &item, fault) != 0 ||
	    folders_enter(&walk->folders, cursor->folder, fault) != 0)
		return WALK_FAULT;
	cursor->scan = walk->scan.offset;
	return WALK_MORE;
}

/* Look for the next folder to enter among the entries of the one at hand. */
static enum walk_outcome
scan_entries(struct walk *walk, struct fault *fault)
{
	struct walk_cursor *cursor = walk->cursor;

	spool_reader_seek(&walk->scan, cursor->scan);
	for (int i = 0; i < LINES_PER_STEP; i++) {
		struct catalog_item item;
		int found = catalog_next(&walk->scan, &item, fault);

		if (found < 0)
			return WALK_FAULT;
		if (found == 0 || item.type == 'D' || item.type == 'R')
			return leave_folder(walk, fault);
		cursor->scan = walk->scan.offset;
		if (item.type == 'd')
			return enter_folder(walk, &item, fault);
	}
	return WALK_MORE;
}

enum walk_outcome
walk_step(struct walk *walk, struct fault *fault)
{
	struct walk_cursor *cursor = walk->cursor;

	assert(cursor->root < walk->sources.root_count);
	if (cursor->folder < 0)
		return begin_root(walk, fault);
	if (cursor->position >= 0)
		return read_entries(walk, fault);
	if (!cursor->has_folders)
		return leave_folder(walk, fault);
	return scan_entries(walk, fault);
}
