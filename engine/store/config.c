/* SPDX-License-Identifier: MIT */
#include "store/config.h"

#include "base/fault.h"
#include "base/fsio.h"
#include "base/stamp.h"
#include "base/strbuf.h"
#include "store/values.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_BYTES_MAX (1024 * 1024)

void
config_close(struct config *config)
{
	for (int i = 0; i < config->profile_count; i++)
		profile_close(&config->profiles[i]);
	free(config->profiles);
	free(config->path);
	free(config->data);
	free(config->secret_file);
	free(config->timezone);
	free(config->trusted_proxies.items);
	memset(config, 0, sizeof(*config));
}

const struct profile *
config_profile(const struct config *config, int64_t number)
{
	for (int i = 0; i < config->profile_count; i++)
		if (config->profiles[i].number == number)
			return &config->profiles[i];
	return NULL;
}

static int
become(const struct stat *st, struct fault *fault)
{
	struct passwd *user = getpwuid(st->st_uid);

	if ((user != NULL ? initgroups(user->pw_name, user->pw_gid)
			  : setgroups(0, NULL)) != 0 ||
	    setgid(user != NULL ? user->pw_gid : st->st_gid) != 0 ||
	    setuid(st->st_uid) != 0)
		return fault_errno(fault,
		    "root cannot become user %u, who owns the configuration",
		    (unsigned)st->st_uid);
	return 0;
}

/* Owner and mode of a file with a secret in it. */
static int
check_private(const char *path, const struct stat *st, struct fault *fault)
{
	if (st->st_uid != geteuid() && st->st_uid != 0)
		return fault_set(fault, FAULT_SYSTEM,
		    "%s belongs to user %u, but this is user %u; give it to "
		    "the user that runs stepvault",
		    path, (unsigned)st->st_uid, (unsigned)geteuid());
	if ((st->st_mode & 077) != 0)
		return fault_set(fault, FAULT_SYSTEM,
		    "%s can be read by others (mode %04o); chmod 600 it", path,
		    (unsigned)st->st_mode & 07777);
	return 0;
}

static int
read_private(const char *path, enum config_user user, struct strbuf *text,
    struct fault *fault)
{
	struct stat st;
	int fd, result = -1;
	ssize_t got;

	/* The path is the administrator's: here a symlink may be followed. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fault_errno(fault, "%s cannot be read", path);
	if (fstat(fd, &st) != 0) {
		fault_errno(fault, "%s", path);
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > CONFIG_BYTES_MAX) {
		fault_set(fault, FAULT_USAGE,
		    "%s is no file of at most %d bytes", path,
		    CONFIG_BYTES_MAX);
		goto out;
	}
	if (geteuid() == 0 && st.st_uid != 0 && user == CONFIG_BECOME_OWNER &&
	    become(&st, fault) != 0)
		goto out;
	if (!(geteuid() == 0 && user == CONFIG_STAY) &&
	    check_private(path, &st, fault) != 0)
		goto out;
	got = fsio_read(
	    fd, strbuf_reserve(text, (size_t)st.st_size), (size_t)st.st_size);
	if (got < 0) {
		fault_errno(fault, "%s cannot be read", path);
		goto out;
	}
	strbuf_commit(text, (size_t)got);
	result = 0;
	if (strlen(strbuf_text(text)) != text->length)
		result = fault_set(fault, FAULT_USAGE,
		    "%s has a NUL byte in it; it must be text", path);
out:
	close(fd);
	return result;
}

static int
read_secret_file(
    struct config *config, enum config_user user, struct fault *fault)
{
	struct strbuf text = STRBUF_EMPTY;
	int result;

	result = read_private(config->secret_file, user, &text, fault);
	if (result == 0) {
		strbuf_cut(&text, strcspn(strbuf_text(&text), " \t\r\n"));
		result =
		    values_secret(&config->secret, strbuf_text(&text), fault);
		if (result != 0)
			fault_wrap(fault, "%s", config->secret_file);
	}
	strbuf_close(&text);
	return result != 0 ? fault_wrap(fault, "secret_file") : 0;
}

/* Give a password to the databases whose URL has none. */
static int
read_password_file(
    struct profile *profile, enum config_user user, struct fault *fault)
{
	struct strbuf text = STRBUF_EMPTY;
	int result;

	result = read_private(profile->password_file, user, &text, fault);
	strbuf_cut(&text, strcspn(strbuf_text(&text), "\r\n"));
	if (result == 0 && text.length == 0)
		result = fault_set(fault, FAULT_USAGE,
		    "%s has no password in its first line",
		    profile->password_file);
	for (int i = 0; result == 0 && i < profile->databases.count; i++) {
		struct database *database = &profile->databases.items[i];

		if (database->config == NULL && database->password == NULL)
			database->password = strbuf_copy(text.bytes);
	}
	strbuf_close(&text);
	return result != 0 ? fault_wrap(fault, "[profile %lld] password_file",
				 (long long)profile->number)
			   : 0;
}

static int
read_password_files(
    struct config *config, enum config_user user, struct fault *fault)
{
	for (int i = 0; i < config->profile_count; i++)
		if (config->profiles[i].password_file != NULL &&
		    read_password_file(&config->profiles[i], user, fault) != 0)
			return -1;
	return 0;
}

static int
exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* The first of the places that exists; or a fault that names them. */
static char *
find_file(struct fault *fault)
{
	const char *named = getenv("STEPVAULT_CONFIG");
	struct passwd *user = getpwuid(geteuid());
	char *personal = NULL, *found = NULL;

	if (named != NULL && named[0] != '\0')
		return strbuf_copy(named);
	if (user != NULL &&
	    asprintf(&personal, "%s/.config/stepvault/stepvault.conf",
		user->pw_dir) < 0)
		abort();
	if (personal != NULL && exists(personal))
		return personal;
	if (exists("/etc/stepvault/stepvault.conf"))
		found = strbuf_copy("/etc/stepvault/stepvault.conf");
	else
		fault_set(fault, FAULT_NOT_FOUND,
		    "there is no configuration: $STEPVAULT_CONFIG is not set, "
		    "and neither %s nor /etc/stepvault/stepvault.conf exists",
		    personal != NULL
			? personal
			: "a home directory with .config/stepvault/"
			  "stepvault.conf");
	free(personal);
	return found;
}

int
config_reload(struct config *config, const char *path, struct fault *fault)
{
	struct strbuf text = STRBUF_EMPTY;
	int result = -1;

	if (read_private(path, CONFIG_STAY, &text, fault) == 0 &&
	    config_parse(config, path, strbuf_text(&text), fault) == 0)
		result = read_password_files(config, CONFIG_STAY, fault);
	strbuf_close(&text);
	return result;
}

int
config_load(struct config *config, const char *path, enum config_user user,
    struct fault *fault)
{
	struct strbuf text = STRBUF_EMPTY;
	char *found = path != NULL ? strbuf_copy(path) : find_file(fault);
	int result = -1;

	if (found == NULL)
		return -1;
	if (read_private(found, user, &text, fault) == 0 &&
	    config_parse(config, found, strbuf_text(&text), fault) == 0)
		result = 0;
	if (result == 0 && config->secret_file != NULL)
		result = read_secret_file(config, user, fault);
	if (result == 0)
		result = read_password_files(config, user, fault);
	if (result == 0 && stamp_use_zone(config->timezone) != 0)
		result = fault_set(fault, FAULT_SYSTEM,
		    "the time zone %s cannot be used", config->timezone);
	strbuf_close(&text);
	free(found);
	return result;
}
