/* SPDX-License-Identifier: MIT */
#include "setup.h"

#include "base/fault.h"
#include "base/fsio.h"
#include "base/strbuf.h"
#include "store/config.h"
#include "store/datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW ".new"

void
setup_close(struct setup *setup)
{
	site_close(&setup->found);
	free(setup->config);
	free(setup->site);
	free(setup->database);
	free(setup->data);
	free(setup->user);
	free(setup->address);
	explicit_bzero(setup, sizeof(*setup));
}

/* The last part of the site's path that is the name of no usual folder. */
static void
add_name(struct strbuf *out, const char *site)
{
	static const char *const usual[] = { "html", "htdocs", "httpdocs",
		"public", "public_html", "web", "www", "wwwroot" };
	const char *end = site + strlen(site);

	while (end > site) {
		const char *begin = end;
		size_t length, i = 0;

		while (begin > site && begin[-1] != '/')
			begin--;
		length = (size_t)(end - begin);
		while (i < sizeof(usual) / sizeof(usual[0]) &&
		    !(strlen(usual[i]) == length &&
			memcmp(usual[i], begin, length) == 0))
			i++;
		if (length > 0 && length <= 100 &&
		    i == sizeof(usual) / sizeof(usual[0])) {
			strbuf_add(out, begin, length);
			return;
		}
		end = begin > site ? begin - 1 : site;
	}
	strbuf_addstr(out, "My site");
}

static void
add_text(struct strbuf *out, const struct setup *setup)
{
	uint8_t hash[TOKEN_HASH_SIZE];

	token_hash(setup->secret, strlen(setup->secret), hash);
	strbuf_addstr(out,
	    "# Made by 'stepvault init'.  'stepvault config reference' "
	    "explains all keys.\n\n[server]\n");
	strbuf_addf(out, "data = %s\nsecret_hash = sha256:", setup->data);
	strbuf_add_hex(out, hash, sizeof(hash));
	strbuf_addstr(out, "\n\n[profile 1]\nname = ");
	add_name(out, setup->site);
	strbuf_addf(out, "\nsite = %s\n", setup->site);
	if (setup->database != NULL && strcmp(setup->database, "none") != 0)
		strbuf_addf(out, "database = %s\n", setup->database);
	strbuf_addstr(out,
	    "\n# No more than one backup in this time, however often the URL "
	    "is called.\nonce_per = 20h\n");
}

static bool
is_below(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	if (length == 1)
		length = 0;
	return strncmp(path, folder, length) == 0 &&
	    (path[length] == '/' || path[length] == '\0');
}

/* The text means what was said; a ';' in a path, say, would begin a comment. */
static int
check_text(
    const struct setup *setup, const struct strbuf *text, struct fault *fault)
{
	struct config config = { 0 };
	int result = config_parse(&config, setup->config, text->bytes, fault);

	if (result == 0 &&
	    (strcmp(config.data, setup->data) != 0 ||
		strcmp(config.profiles[0].site, setup->site) != 0))
		result = fault_set(fault, FAULT_USAGE,
		    "%s or %s cannot be written in a configuration; give it "
		    "another name",
		    setup->data, setup->site);
	if (result == 0 &&
	    (is_below(setup->data, setup->site) ||
		datadir_inside(&config, setup->site)))
		result = fault_set(fault, FAULT_USAGE,
		    "the data directory %s would lie inside the site, where a "
		    "web server may serve it; name another with --data",
		    setup->data);
	config_close(&config);
	return result;
}

/* Give it to the owner of all. */
static int
give(const struct setup *setup, int fd)
{
	return geteuid() == setup->uid ? 0
				       : fsio_give(fd, setup->uid, setup->gid);
}

/* Make one folder that is missing. */
static int
make_folder(const struct setup *setup, const char *path)
{
	int fd, parent, result = -1;

	if (fsio_make_dir(AT_FDCWD, path) != 0)
		return -1;
	fd = fsio_open(AT_FDCWD, path, O_DIRECTORY);
	if (fd < 0)
		return -1;
	parent = fsio_open(fd, "..", O_DIRECTORY);
	if (parent >= 0 && give(setup, fd) == 0 && fsio_sync_dir(parent) == 0)
		result = 0;
	if (parent >= 0)
		close(parent);
	close(fd);
	return result;
}

/* Make a folder, and what is missing above it. */
static int
make_folders(const struct setup *setup, const char *path, struct fault *fault)
{
	char *part = strbuf_copy(path);
	int result = 0;

	for (char *slash = strchr(part + 1, '/'); result == 0;
	     slash = strchr(slash + 1, '/')) {
		if (slash != NULL)
			*slash = '\0';
		if (access(part, F_OK) != 0 && make_folder(setup, part) != 0)
			result = fault_errno(fault, "%s cannot be made", part);
		if (slash == NULL)
			break;
		*slash = '/';
	}
	free(part);
	return result;
}

/* Under a name of its own first, so that it is there as a whole or not. */
static int
write_file(const struct setup *setup, int dirfd, const char *name,
    const struct strbuf *text)
{
	struct strbuf new = STRBUF_EMPTY;
	int fd, result = -1;

	strbuf_addf(&new, "%s" NEW, name);
	fsio_remove(dirfd, new.bytes);
	fd = fsio_create(dirfd, new.bytes, O_EXCL);
	if (fd >= 0 && fsio_write(fd, text->bytes, text->length) == 0 &&
	    give(setup, fd) == 0 && fsio_sync(fd) == 0)
		result = fsio_link(dirfd, new.bytes, name);
	if (fd >= 0) {
		int error = errno;

		close(fd);
		fsio_remove(dirfd, new.bytes);
		errno = error;
	}
	if (result == 0)
		result = fsio_sync_dir(dirfd);
	strbuf_close(&new);
	return result;
}

static int
make_config(
    const struct setup *setup, const struct strbuf *text, struct fault *fault)
{
	char *slash = strrchr(setup->config, '/');
	char *folder =
	    strbuf_copy_part(setup->config, (size_t)(slash - setup->config));
	int dirfd = -1, result = -1;

	if (folder[0] != '\0' && make_folders(setup, folder, fault) != 0)
		goto out;
	dirfd = open(folder[0] != '\0' ? folder : "/",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0 || write_file(setup, dirfd, slash + 1, text) != 0)
		fault_errno(fault, "%s cannot be written", setup->config);
	else
		result = 0;
	if (dirfd >= 0)
		close(dirfd);
out:
	free(folder);
	return result;
}

int
setup_make(struct setup *setup, struct fault *fault)
{
	struct strbuf text = STRBUF_EMPTY;
	int result = -1;

	token_new_secret(setup->secret);
	add_text(&text, setup);
	if (check_text(setup, &text, fault) == 0 &&
	    make_folders(setup, setup->data, fault) == 0)
		result = make_config(setup, &text, fault);
	strbuf_close(&text);
	return result;
}
