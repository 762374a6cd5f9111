/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "base/fault.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What libFuzzer calls: once, and with each input. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must be so whatever the input is. */
#define CHECK(condition)                                                 \
	do {                                                             \
		if (!(condition)) {                                      \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, \
			    __LINE__, #condition);                       \
			abort();                                         \
		}                                                        \
	} while (0)

/* The call ends well. */
#define CHECK_FINE(call, fault)                                             \
	do {                                                                \
		if ((call) != 0) {                                          \
			fprintf(stderr, "%s:%d: %s failed: %s\n", __FILE__, \
			    __LINE__, #call, (fault)->text);                \
			abort();                                            \
		}                                                           \
	} while (0)

/* A fault says what is wrong, in text for any terminal. */
static inline void
check_fault(const struct fault *fault, enum fault_code code)
{
	CHECK(fault->code == code);
	CHECK(fault->text[0] != '\0');
	CHECK(memchr(fault->text, '\0', sizeof(fault->text)) != NULL);
	for (const char *c = fault->text; *c != '\0'; c++)
		CHECK((unsigned char)*c >= 0x20 && *c != 0x7f);
}

/* The path of a directory of this process's own; made at the first call. */
static char fuzz_path[PATH_MAX];

static inline void
fuzz_remove(void)
{
	char command[PATH_MAX + 16];

	snprintf(command, sizeof(command), "rm -rf '%s'", fuzz_path);
	if (system(command) != 0)
		perror(fuzz_path);
}

/* In memory where possible: there are syncs. */
static inline void
fuzz_make_path(void)
{
	const char *top = getenv("TMPDIR");

	if (top == NULL)
		top = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(fuzz_path, sizeof(fuzz_path), "%s/stepvault-fuzz-XXXXXX", top);
	CHECK(mkdtemp(fuzz_path) != NULL);
	CHECK(atexit(fuzz_remove) == 0);
}

/* A descriptor of that directory. */
static inline int
fuzz_scratch(void)
{
	int fd;

	if (fuzz_path[0] == '\0')
		fuzz_make_path();
	fd = open(fuzz_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(fd >= 0);
	return fd;
}

/* Write a file in a directory, whatever was there. */
static inline void
fuzz_write(int dirfd, const char *name, const void *bytes, size_t length)
{
	int fd =
	    openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK(write(fd, bytes, length) == (ssize_t)length);
	CHECK(close(fd) == 0);
}

/* A copy with a NUL behind; to be freed. */
static inline char *
fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	CHECK(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

#endif
