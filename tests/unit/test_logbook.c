/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "tool.h"

#include "base/logbook.h"
#include "base/stamp.h"

#include <sys/stat.h>

static int64_t
size_of(int dirfd, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(dirfd, name, &st, 0), 0);
	return st.st_size;
}

static void
appends_lines_with_their_time(void **state)
{
	int dirfd = scratch_open(state);
	struct logbook log = LOGBOOK_CLOSED, other = LOGBOOK_CLOSED;
	struct strbuf text = STRBUF_EMPTY;

	assert_int_equal(stamp_use_zone("UTC"), 0);
	logbook_open(&log, dirfd, "log");
	logbook_write(&log, "step %d", 1);
	logbook_close(&log);
	logbook_close(&log);
	logbook_open(&log, dirfd, "log");
	/* Two at once do not overwrite each other. */
	logbook_open(&other, dirfd, "log");
	logbook_write(&log, "step %d", 2);
	logbook_write(&other, "step %d", 3);
	logbook_write(&log, "step %d", 4);
	logbook_close(&log);
	logbook_close(&other);
	assert_int_equal(
	    tool_run(*state,
		"grep -cE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:"
		"[0-9]{2}[+]00:00 step [1-4]$' log >count && "
		"cut -d ' ' -f 3 log >>count"),
	    0);
	tool_read(*state, "count", &text);
	assert_string_equal(text.bytes, "4\n1\n2\n3\n4\n");
	strbuf_close(&text);
	close(dirfd);
}

static void
escapes_what_is_unprintable(void **state)
{
	int dirfd = scratch_open(state);
	struct logbook log = LOGBOOK_CLOSED;
	struct strbuf text = STRBUF_EMPTY;

	logbook_open(&log, dirfd, "log");
	logbook_write(&log, "%s", "a\n2026 forged\r\x1b[2J\xff\xc3\xa4");
	/* The C1 controls, which terminals obey in UTF-8 too. */
	logbook_write(&log, "%s",
	    "\xc2\x9b"
	    "31m\xc2\x85|\xc2\xa0|");
	logbook_close(&log);
	tool_read(*state, "log", &text);
	assert_contains(
	    text.bytes, " a\\x0a2026 forged\\x0d\\x1b[2J\\xff\xc3\xa4\n");
	assert_contains(text.bytes, " \\xc2\\x9b31m\\xc2\\x85|\xc2\xa0|\n");
	strbuf_close(&text);
	close(dirfd);
}

static void
ends_when_it_is_full(void **state)
{
	static const char full[] = "the log is full; it ends here\n";
	int dirfd = scratch_open(state);
	struct logbook log = LOGBOOK_CLOSED;
	struct strbuf text = STRBUF_EMPTY;
	char line[1000];
	int64_t size;

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	logbook_open(&log, dirfd, "log");
	for (int i = 0; i < 5000; i++)
		logbook_write(&log, "%s", line);
	size = size_of(dirfd, "log");
	assert_in_range(size, LOGBOOK_MAX, LOGBOOK_MAX + 1100);
	logbook_close(&log);
	logbook_open(&log, dirfd, "log");
	logbook_write(&log, "one more");
	logbook_close(&log);
	assert_int_equal(size_of(dirfd, "log"), size);
	tool_read(*state, "log", &text);
	assert_string_equal(text.bytes + text.length - strlen(full), full);
	text.bytes[text.length - strlen(full)] = '\0';
	assert_null(strstr(text.bytes, full));
	strbuf_close(&text);
	close(dirfd);
}

static void
never_fails(void **state)
{
	int dirfd = scratch_open(state);
	struct logbook log = LOGBOOK_CLOSED;

	logbook_write(&log, "to a closed one");
	logbook_close(&log);
	logbook_open(&log, dirfd, "none/log");
	assert_int_equal(log.fd, -1);
	logbook_write(&log, "to one that cannot be opened");
	logbook_close(&log);
	log.fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(log.fd >= 0);
	log.length = 0;
	logbook_write(&log, "to a full disk");
	assert_int_equal(log.length, 0);
	logbook_close(&log);
	close(dirfd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(appends_lines_with_their_time),
		scratch_test(escapes_what_is_unprintable),
		scratch_test(ends_when_it_is_full),
		scratch_test(never_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
