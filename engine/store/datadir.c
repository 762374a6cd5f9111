/* SPDX-License-Identifier: MIT */
#include "store/datadir.h"

#include "base/fault.h"
#include "base/fsio.h"
#include "base/stamp.h"
#include "base/strbuf.h"
#include "store/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_FORM "dddddddd-dddddd-bbbbbbbbbbbbbbbb"

/*
 * The real path of the directory or, as long as it does not exist, of its
 * parent with its name behind.  Malloc'd; NULL if the parent does not exist.
 */
static char *
real_path(const char *path)
{
	char *real = realpath(path, NULL);
	char *parent, *name, *joined = NULL;

	if (real != NULL || errno != ENOENT)
		return real;
	parent = strbuf_copy(path);
	while (strlen(parent) > 1 && parent[strlen(parent) - 1] == '/')
		parent[strlen(parent) - 1] = '\0';
	name = strrchr(parent, '/');
	*name++ = '\0';
	real = realpath(parent[0] != '\0' ? parent : "/", NULL);
	if (real != NULL && asprintf(&joined, "%s/%s", real, name) < 0)
		abort();
	free(real);
	free(parent);
	return joined;
}

bool
datadir_inside(const struct config *config, const char *path)
{
	char *data = real_path(config->data);
	char *folder = realpath(path, NULL);
	bool inside = false;

	if (data != NULL && folder != NULL) {
		size_t length = strlen(folder);

		/* "/" is the one real path that ends in a slash. */
		if (length == 1)
			length = 0;
		inside = strncmp(data, folder, length) == 0 &&
		    (data[length] == '/' || data[length] == '\0');
	}
	free(data);
	free(folder);
	return inside;
}

static int
check_place(const struct config *config, struct fault *fault)
{
	for (int i = 0; i < config->profile_count; i++) {
		const struct profile *profile = &config->profiles[i];
		const char *within = NULL;

		if (datadir_inside(config, profile->site))
			within = profile->site;
		for (int k = 0; k < profile->extras.count; k++)
			if (datadir_inside(
				config, profile->extras.items[k].path))
				within = profile->extras.items[k].path;
		if (within != NULL && !config->data_in_site)
			return fault_set(fault, FAULT_USAGE,
			    "the data directory %s lies inside %s of [profile "
			    "%lld], where a web server may serve it; move it, "
			    "or set data_in_site = yes and see that it is "
			    "not served",
			    config->data, within, (long long)profile->number);
	}
	return 0;
}

static int
check_owner(const struct config *config, int fd, struct fault *fault)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return fault_errno(fault, "%s", config->data);
	if (st.st_uid != geteuid())
		return fault_set(fault, FAULT_SYSTEM,
		    "the data directory %s belongs to user %u, but this is "
		    "user %u; give it to the user that runs stepvault",
		    config->data, (unsigned)st.st_uid, (unsigned)geteuid());
	if ((st.st_mode & 077) != 0)
		return fault_set(fault, FAULT_SYSTEM,
		    "the data directory %s is open to others (mode %04o); "
		    "chmod 700 it",
		    config->data, (unsigned)st.st_mode & 07777);
	return 0;
}

static int
open_below(int dirfd, const char *name, int *fd, struct fault *fault)
{
	if (fsio_make_dir(dirfd, name) != 0)
		return fault_errno(fault, "'%s' cannot be made", name);
	*fd = fsio_open(dirfd, name, O_DIRECTORY);
	if (*fd < 0)
		return fault_errno(fault, "'%s' cannot be opened", name);
	return 0;
}

/* A directory just made is durable when its parent is synced. */
static int
sync_parent(int fd)
{
	int parent = fsio_open(fd, "..", O_DIRECTORY);
	int result = parent < 0 ? -1 : fsio_sync_dir(parent);

	if (parent >= 0)
		close(parent);
	return result;
}

static int
open_top(
    struct datadir *datadir, const struct config *config, struct fault *fault)
{
	bool missing = access(config->data, F_OK) != 0 && errno == ENOENT;

	if (missing && fsio_make_dir(AT_FDCWD, config->data) != 0)
		return fault_errno(fault,
		    "the data directory %s cannot be made", config->data);
	/* As for the configuration: this path is the administrator's. */
	datadir->fd = open(config->data, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	if (datadir->fd < 0)
		return fault_errno(fault,
		    "the data directory %s cannot be opened", config->data);
	if (missing && sync_parent(datadir->fd) != 0)
		return fault_errno(
		    fault, "the parent of the data directory cannot be synced");
	return 0;
}

/*
 * For Apache, wherever it heeds such files.  It is written where the
 * administrator allows a data directory within a site, and left as it is when
 * there is one.
 */
static int
forbid_serving(
    struct datadir *datadir, const struct config *config, struct fault *fault)
{
	static const char name[] = ".htaccess", rule[] = "Require all denied\n";
	struct stat st;

	if (!config->data_in_site ||
	    fstatat(datadir->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	/* Another process may have written it meanwhile. */
	if (fsio_replace(datadir->fd, name, rule, sizeof(rule) - 1) != 0 &&
	    fstatat(datadir->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return fault_errno(fault, "'.htaccess' cannot be written");
	return 0;
}

int
datadir_open(
    struct datadir *datadir, const struct config *config, struct fault *fault)
{
	*datadir = (struct datadir)DATADIR_CLOSED;
	if (check_place(config, fault) != 0)
		return -1;
	if (open_top(datadir, config, fault) != 0)
		return -1;
	if (check_owner(config, datadir->fd, fault) != 0)
		return -1;
	if (forbid_serving(datadir, config, fault) != 0 ||
	    open_below(datadir->fd, "jobs", &datadir->jobs, fault) != 0 ||
	    open_below(datadir->fd, "backups", &datadir->backups, fault) != 0 ||
	    open_below(datadir->fd, "locks", &datadir->locks, fault) != 0 ||
	    keys_load(&datadir->keys, datadir->fd, fault) != 0)
		return fault_wrap(fault, "the data directory %s", config->data);
	return 0;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
datadir_close(struct datadir *datadir)
{
	close_fd(&datadir->locks);
	close_fd(&datadir->backups);
	close_fd(&datadir->jobs);
	close_fd(&datadir->fd);
	memset(&datadir->keys, 0, sizeof(datadir->keys));
}

bool
datadir_is_id(const char *text)
{
	static const char form[] = ID_FORM;

	_Static_assert(sizeof(form) == ID_SIZE, "the form of an ID");
	if (strlen(text) != ID_SIZE - 1)
		return false;
	for (size_t i = 0; form[i] != '\0'; i++) {
		char c = text[i];
		bool digit = c >= '0' && c <= '9';

		if (form[i] == '-' ? c != '-'
			: form[i] == 'd'
			? !digit
			: !(c >= 'a' && c <= 'z') && !(c >= '2' && c <= '7'))
			return false;
	}
	return true;
}

void
datadir_new_id(char id[ID_SIZE])
{
	char when[STAMP_TEXT_SIZE], random[17];

	token_random_text(80, random);
	snprintf(
	    id, ID_SIZE, "%.15s-%s", stamp_compact(stamp_now(), when), random);
}

static int
newest_first(const void *one, const void *two)
{
	return strcmp(two, one);
}

int
datadir_list(
    int dirfd, char (**ids)[ID_SIZE], size_t *count, struct fault *fault)
{
	int fd = fsio_open(dirfd, ".", O_DIRECTORY);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	*ids = NULL;
	*count = 0;
	if (dir == NULL) {
		fault_errno(fault, "a folder of the data directory");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
		if (!datadir_is_id(entry->d_name))
			continue;
		*ids = realloc(*ids, (*count + 1) * sizeof(**ids));
		if (*ids == NULL)
			abort();
		memcpy((*ids)[(*count)++], entry->d_name, ID_SIZE);
	}
	if (errno != 0) {
		fault_errno(fault, "a folder of the data directory");
		closedir(dir);
		free(*ids);
		*ids = NULL;
		return -1;
	}
	closedir(dir);
	if (*count > 0)
		qsort(*ids, *count, sizeof(**ids), newest_first);
	return 0;
}

/* A number and a newline, as we write it; 0 or -1. */
static int
parse_number(const char *text, int64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoll(text, &end, 10);
	return text[0] < '0' || text[0] > '9' || errno != 0 ||
		strcmp(end, "\n") != 0 || *number == INT64_MAX
	    ? -1
	    : 0;
}

int
datadir_next_number(
    struct datadir *datadir, int64_t *number, struct fault *fault)
{
	struct strbuf text = STRBUF_EMPTY;
	int result = 0;

	*number = 0;
	if (fsio_read_file(datadir->fd, "number", 64, &text) == 0) {
		if (parse_number(strbuf_text(&text), number) != 0)
			result = fault_set(fault, FAULT_CORRUPT,
			    "the file 'number' in the data directory is no "
			    "number; write the greatest of 'stepvault list' "
			    "into it");
	} else if (errno != ENOENT) {
		result = fault_errno(fault, "the file 'number'");
	}
	if (result == 0) {
		++*number;
		strbuf_reset(&text);
		strbuf_addf(&text, "%lld\n", (long long)*number);
		if (fsio_replace(
			datadir->fd, "number", text.bytes, text.length) != 0)
			result = fault_errno(fault, "the file 'number'");
	}
	strbuf_close(&text);
	return result;
}
