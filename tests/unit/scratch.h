/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

/* cmocka wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A directory of a test's own; the path is in *state, malloc'd. */

static inline int
scratch_setup(void **state)
{
	const char *top = getenv("TMPDIR");
	char *path = NULL;

	if (asprintf(&path, "%s/stepvault-unit-XXXXXX",
		top != NULL ? top : "/tmp") < 0 ||
	    mkdtemp(path) == NULL)
		return -1;
	*state = path;
	return 0;
}

static inline int
scratch_teardown(void **state)
{
	char command[4200];
	int status;

	snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
	status = system(command); /* NOLINT(cert-env33-c) */
	free(*state);
	return status;
}

/* A test in a directory of its own. */
#define scratch_test(function)           \
	cmocka_unit_test_setup_teardown( \
	    function, scratch_setup, scratch_teardown)

/* A descriptor of that directory. */
static inline int
scratch_open(void **state)
{
	int fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

#endif
