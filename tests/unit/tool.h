/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_TOOL_H
#define TESTS_UNIT_TOOL_H

#include "scratch.h"

#include "base/strbuf.h"

#include <errno.h>
#include <sys/wait.h>

/* Other programs that a test compares with, and processes of its own. */

/* The exit status of a child, or 128 and the signal that ended it. */
static inline int
tool_wait(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			fail_msg("waitpid: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Start body in a child process that ends with what it returns. */
static inline pid_t
tool_fork(int (*body)(void *), void *context)
{
	pid_t child = fork();

	if (child < 0)
		fail_msg("fork: %s", strerror(errno));
	if (child == 0)
		_exit(body(context));
	return child;
}

/* In a child process, where cmocka's assertions must not be used. */
#define CHILD_CHECK(condition)                                                \
	do {                                                                  \
		if (!(condition)) {                                           \
			dprintf(STDERR_FILENO, "%s:%d: not so: %s (%s)\n",    \
			    __FILE__, __LINE__, #condition, strerror(errno)); \
			_exit(99);                                            \
		}                                                             \
	} while (0)

/* Run a command of the shell in a directory; its exit status. */
static inline int tool_run(const char *directory, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline int
tool_run(const char *directory, const char *format, ...)
{
	char *command = NULL;
	va_list args;
	pid_t child;
	int length;

	va_start(args, format);
	length = vasprintf(&command, format, args);
	va_end(args);
	if (length < 0)
		fail_msg("no memory");
	child = fork();
	if (child < 0)
		fail_msg("fork: %s", strerror(errno));
	if (child == 0) {
		if (chdir(directory) == 0)
			execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	free(command);
	return tool_wait(child);
}

/* Write a file in a directory. */
static inline void
tool_write(
    const char *directory, const char *name, const void *bytes, size_t length)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "we");
	if (file == NULL || fwrite(bytes, 1, length, file) != length ||
	    fclose(file) != 0)
		fail_msg("%s cannot be written", path);
}

/* Append a file in a directory to buf. */
static inline void
tool_read(const char *directory, const char *name, struct strbuf *buf)
{
	char path[4096];
	FILE *file;
	size_t got;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "re");
	if (file == NULL)
		fail_msg("%s cannot be read", path);
	while ((got = fread(strbuf_reserve(buf, 65536), 1, 65536, file)) > 0)
		strbuf_commit(buf, got);
	strbuf_reserve(buf, 0)[0] = '\0';
	fclose(file);
}

#endif
