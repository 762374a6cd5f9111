/* SPDX-License-Identifier: MIT */
#include "base/stamp.h"

#include "base/fsio.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t
stamp_now(void)
{
	return (int64_t)time(NULL);
}

const char *
stamp_text(int64_t stamp, char text[STAMP_TEXT_SIZE])
{
	time_t seconds = (time_t)stamp;
	struct tm tm;
	size_t used;

	if (localtime_r(&seconds, &tm) == NULL) {
		snprintf(text, STAMP_TEXT_SIZE, "@%lld", (long long)stamp);
		return text;
	}
	/* strftime knows +0100, RFC 3339 wants +01:00. */
	used = strftime(text, STAMP_TEXT_SIZE - 2, "%Y-%m-%dT%H:%M:%S%z", &tm);
	if (used > 5) {
		memmove(text + used - 1, text + used - 2, 3);
		text[used - 2] = ':';
	}
	return text;
}

const char *
stamp_compact(int64_t stamp, char text[STAMP_TEXT_SIZE])
{
	time_t seconds = (time_t)stamp;
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL ||
	    strftime(text, STAMP_TEXT_SIZE, "%Y%m%d-%H%M%S", &tm) == 0)
		snprintf(text, STAMP_TEXT_SIZE, "00000000-000000");
	return text;
}

/* The system has a file of this name, and it describes a zone (RFC 8536). */
bool
stamp_is_zone(const char *name)
{
	char path[256], magic[4] = "";
	int length =
	    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
	int fd;

	if (strcmp(name, "UTC") == 0)
		return true;
	if (name[0] == '/' || strstr(name, "..") != NULL ||
	    length >= (int)sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	if (fsio_read(fd, magic, sizeof(magic)) != sizeof(magic))
		magic[0] = '\0';
	close(fd);
	return memcmp(magic, "TZif", sizeof(magic)) == 0;
}

int
stamp_use_zone(const char *name)
{
	if (!stamp_is_zone(name))
		return -1;
	if (setenv("TZ", name, 1) != 0)
		return -1;
	tzset();
	return 0;
}
