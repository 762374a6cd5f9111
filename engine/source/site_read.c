/* SPDX-License-Identifier: MIT */
/* Reading a configuration, and looking for what it sets. */
#include "source/site_internal.h"

#include "base/fault.h"
#include "base/fsio.h"
#include "base/strbuf.h"
#include "source/dotenv.h"
#include "source/phpfile.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_BYTES_MAX (1024 * 1024)

#define LOCAL "settings.local.php"

static int
read_file(const char *path, struct strbuf *text, struct fault *fault)
{
	/* The path is the administrator's: symlinks may be followed. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t got = -1;

	if (fd < 0)
		return fault_errno(fault, "%s cannot be read", path);
	if (fstat(fd, &st) == 0 &&
	    (!S_ISREG(st.st_mode) || st.st_size > CONFIG_BYTES_MAX)) {
		close(fd);
		return fault_set(fault, FAULT_USAGE,
		    "%s is no file of at most %d bytes", path,
		    CONFIG_BYTES_MAX);
	}
	got = fsio_read(
	    fd, strbuf_reserve(text, CONFIG_BYTES_MAX), CONFIG_BYTES_MAX);
	if (got < 0)
		fault_errno(fault, "%s cannot be read", path);
	else
		strbuf_commit(text, (size_t)got);
	close(fd);
	return got < 0 ? -1 : 0;
}

char *
site_beside(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	struct strbuf out = STRBUF_EMPTY;

	if (slash != NULL)
		strbuf_add(&out, path, (size_t)(slash - path) + 1);
	strbuf_addstr(&out, name);
	return out.bytes;
}

static bool
ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length &&
	    strcmp(text + length - end_length, end) == 0;
}

bool
site_loads(const struct setting *setting, const char *name)
{
	const char *text = setting->text, *slash;

	if (strcmp(setting->name, "include") != 0 || text == NULL)
		return false;
	slash = strrchr(text, '/');
	return strcmp(slash != NULL ? slash + 1 : text, name) == 0;
}

static bool
is_php(const char *path, const struct strbuf *text)
{
	return ends_with(path, ".php") ||
	    (!ends_with(path, ".env") && strstr(path, "/.env") == NULL &&
		memmem(strbuf_text(text), text->length, "<?", 2) != NULL);
}

/*
 * A settings.local.php that the file loads: what it sets stands there in place
 * of the line that loads it.
 */
static int
read_local(struct site_reading *reading, struct fault *fault)
{
	struct settings *settings = &reading->settings;
	size_t count = settings->count, at = 0;
	struct strbuf text = STRBUF_EMPTY;
	char *path;
	int result = 0;

	while (at < count && !site_loads(&settings->items[at], LOCAL))
		at++;
	if (at == count)
		return 0;
	path = site_beside(reading->path, LOCAL);
	reading->local = site_beside(reading->shown, LOCAL);
	if (access(path, F_OK) == 0) {
		result = read_file(path, &text, fault);
		if (result == 0)
			result = phpfile_read(settings, reading->local,
			    strbuf_text(&text), text.length, fault);
		if (result != 0)
			fault_wrap(fault, "%s", reading->local);
		settings_move(settings, count, at + 1);
	}
	strbuf_close(&text);
	free(path);
	return result;
}

int
site_read(struct site_reading *reading, struct fault *fault)
{
	struct strbuf text = STRBUF_EMPTY;
	int result;

	if (read_file(reading->path, &text, fault) != 0) {
		strbuf_close(&text);
		return -1;
	}
	if (is_php(reading->path, &text)) {
		result = phpfile_read(&reading->settings, reading->shown,
		    strbuf_text(&text), text.length, fault);
		if (result == 0)
			result = read_local(reading, fault);
	} else {
		result = dotenv_read(&reading->settings, reading->shown,
		    strbuf_text(&text), text.length, fault);
	}
	strbuf_close(&text);
	return result != 0 ? fault_wrap(fault, "%s", reading->shown) : 0;
}

void
site_read_close(struct site_reading *reading)
{
	settings_close(&reading->settings);
	free(reading->path);
	free(reading->local);
}

const struct setting *
site_look(const struct site_reading *reading, const char *name,
    const struct setting **other)
{
	if (name == NULL)
		return NULL;
	return settings_find(&reading->settings, name,
	    strncmp(name, "define/", 7) == 0 ? SETTINGS_FIRST : SETTINGS_LAST,
	    other);
}

/* The file that is loaded is there, beside the configuration. */
static bool
is_beside(const struct site_reading *reading, const struct setting *include)
{
	const char *name = strrchr(include->text, '/');
	char *path =
	    site_beside(reading->path, name != NULL ? name + 1 : include->text);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

/*
 * What is loaded may set the same: a constant before, if what we have stands
 * for one that is not set yet; a variable after.  The include that does so, one
 * with a path rather than one without, or NULL.
 */
static const struct setting *
find_rival(const struct site_reading *reading, const struct setting *setting)
{
	const struct settings *settings = &reading->settings;
	const struct setting *rival = NULL;

	for (size_t i = 0; i < settings->count; i++) {
		const struct setting *include = &settings->items[i];
		bool before = include < setting;

		if (strcmp(include->name, "include") != 0 ||
		    site_loads(include, "wp-settings.php") ||
		    site_loads(include, LOCAL))
			continue;
		if ((setting->name[0] == '$' && !before &&
			include->text != NULL && is_beside(reading, include)) ||
		    (strncmp(setting->name, "define/", 7) == 0 && before &&
			setting->conditional))
			if (rival == NULL || rival->text == NULL)
				rival = include;
	}
	return rival;
}

int
site_get(const struct site_reading *reading, const char *name, const char *what,
    const char **text, struct fault *fault)
{
	const struct setting *other = NULL, *rival;
	const struct setting *setting = site_look(reading, name, &other);

	*text = NULL;
	if (setting == NULL)
		return 0;
	*text = setting->text;
	if (other != NULL)
		return fault_set(fault, FAULT_USAGE,
		    "%s:%d: the %s of the database depends on a condition (see "
		    "line %d of %s, too); " INSTEAD,
		    setting->file, setting->line, what, other->line,
		    other->file);
	if (setting->text == NULL)
		return fault_set(fault, FAULT_USAGE,
		    "%s:%d: the %s of the database %s; " INSTEAD, setting->file,
		    setting->line, what,
		    setting->reason != NULL ? setting->reason : "is a list");
	rival = find_rival(reading, setting);
	if (rival != NULL)
		return fault_set(fault, FAULT_USAGE,
		    "%s:%d: the %s of the database may be set by %s, which is "
		    "loaded in line %d; write the path of that file, or "
		    "database = mysql://USER:PASSWORD@HOST/NAME",
		    setting->file, setting->line, what,
		    rival->text != NULL ? rival->text : "another file",
		    rival->line);
	return 0;
}
