/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "dice.h"
#include "tool.h"

#include "base/fsio.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

static void
assert_content(int dirfd, const char *name, const char *content)
{
	struct strbuf buf = STRBUF_EMPTY;

	assert_int_equal(fsio_read_file(dirfd, name, 1 << 20, &buf), 0);
	assert_string_equal(strbuf_text(&buf), content);
	strbuf_close(&buf);
}

static bool
exists(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
replaces_a_file(void **state)
{
	int dirfd = scratch_open(state);
	struct stat st;

	umask(0);
	/* What a killed process left behind is longer than what comes. */
	tool_write(*state, "f.new", "a long leftover", 15);
	assert_int_equal(fsio_replace(dirfd, "f", "one", 3), 0);
	assert_content(dirfd, "f", "one");
	assert_int_equal(fsio_replace(dirfd, "f", "", 0), 0);
	assert_content(dirfd, "f", "");
	assert_int_equal(fsio_replace_unsynced(dirfd, "f", "three", 5), 0);
	assert_content(dirfd, "f", "three");
	assert_false(exists(dirfd, "f.new"));
	assert_int_equal(fstatat(dirfd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	close(dirfd);
}

static void
follows_no_symlink(void **state)
{
	int dirfd = scratch_open(state);
	struct strbuf buf = STRBUF_EMPTY;

	tool_write(*state, "target", "kept", 4);
	assert_int_equal(symlinkat("target", dirfd, "link"), 0);
	assert_int_equal(symlinkat("target", dirfd, "other.new"), 0);
	assert_int_equal(fsio_open(dirfd, "link", 0), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(fsio_open_both(dirfd, "link"), -1);
	assert_int_equal(fsio_create(dirfd, "link", O_TRUNC), -1);
	assert_int_equal(fsio_read_file(dirfd, "link", 100, &buf), -1);
	assert_int_equal(fsio_replace(dirfd, "other", "new", 3), -1);
	assert_int_equal(errno, ELOOP);
	/* A symlink in the place of the file itself is replaced. */
	assert_int_equal(fsio_replace(dirfd, "link", "new", 3), 0);
	assert_content(dirfd, "link", "new");
	assert_content(dirfd, "target", "kept");
	strbuf_close(&buf);
	close(dirfd);
}

static void
refuses_names_too_long(void **state)
{
	int dirfd = scratch_open(state);
	char name[260];

	memset(name, 'n', sizeof(name));
	name[251] = '\0';
	assert_int_equal(fsio_replace(dirfd, name, "x", 1), 0);
	assert_content(dirfd, name, "x");
	name[251] = 'n';
	name[252] = '\0';
	assert_int_equal(fsio_replace(dirfd, name, "x", 1), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	close(dirfd);
}

/* Each write beyond 10 bytes fails, as on a full disk. */
static int
replace_on_a_full_disk(void *context)
{
	int dirfd = *(int *)context;
	struct rlimit limit = { 10, 10 };

	signal(SIGXFSZ, SIG_IGN);
	CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHILD_CHECK(fsio_replace(dirfd, "f", "0123456789a", 11) == -1);
	CHILD_CHECK(errno == EFBIG);
	CHILD_CHECK(!exists(dirfd, "f.new"));
	CHILD_CHECK(fsio_replace(dirfd, "g", "0123456789", 10) == 0);
	return 0;
}

static void
keeps_the_old_content_if_it_fails(void **state)
{
	int dirfd = scratch_open(state);

	assert_int_equal(fsio_replace(dirfd, "f", "old", 3), 0);
	assert_int_equal(
	    tool_wait(tool_fork(replace_on_a_full_disk, &dirfd)), 0);
	assert_content(dirfd, "f", "old");
	assert_content(dirfd, "g", "0123456789");
	close(dirfd);
}

static int
replace_for_ever(void *context)
{
	int dirfd = *(int *)context;
	char bytes[5000];

	for (unsigned i = 0;; i++) {
		memset(bytes, 'a' + (int)(i % 26), sizeof(bytes));
		CHILD_CHECK(fsio_replace_unsynced(
				dirfd, "f", bytes, i % 2 ? 4999 : 5000) == 0);
	}
	return 0;
}

static void
survives_kills(void **state)
{
	int dirfd = scratch_open(state);
	struct dice dice = dice_new();

	assert_int_equal(fsio_replace(dirfd, "f", "a", 1), 0);
	for (int i = 0; i < 40; i++) {
		struct strbuf buf = STRBUF_EMPTY;
		pid_t child = tool_fork(replace_for_ever, &dirfd);
		struct timespec pause = { 0, (long)dice_roll(&dice, 4000000) };
		char all[2] = { 0 };

		nanosleep(&pause, NULL);
		kill(child, SIGKILL);
		assert_int_equal(tool_wait(child), 128 + SIGKILL);
		assert_int_equal(fsio_read_file(dirfd, "f", 5000, &buf), 0);
		assert_true(buf.length == 1 || buf.length == 4999 ||
		    buf.length == 5000);
		all[0] = buf.bytes[0];
		assert_int_equal(strspn(buf.bytes, all), buf.length);
		strbuf_close(&buf);
	}
	close(dirfd);
}

static void
reads_files_within_limits(void **state)
{
	int dirfd = scratch_open(state);
	struct strbuf buf = STRBUF_EMPTY;

	tool_write(*state, "f", "12345", 5);
	tool_write(*state, "empty", "", 0);
	assert_int_equal(mkdirat(dirfd, "dir", 0700), 0);
	assert_int_equal(mkfifoat(dirfd, "fifo", 0600), 0);
	strbuf_addstr(&buf, "before ");
	assert_int_equal(fsio_read_file(dirfd, "f", 5, &buf), 0);
	assert_string_equal(buf.bytes, "before 12345");
	assert_int_equal(fsio_read_file(dirfd, "f", 4, &buf), -1);
	assert_int_equal(errno, EFBIG);
	assert_int_equal(fsio_read_file(dirfd, "dir", 100, &buf), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(fsio_read_file(dirfd, "fifo", 100, &buf), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(fsio_read_file(dirfd, "none", 100, &buf), -1);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(buf.bytes, "before 12345");
	assert_int_equal(fsio_read_file(dirfd, "empty", 0, &buf), 0);
	assert_string_equal(buf.bytes, "before 12345");
	strbuf_close(&buf);
	close(dirfd);
}

static void
makes_what_is_missing(void **state)
{
	int dirfd = scratch_open(state), fd;
	struct stat st;

	umask(0);
	assert_int_equal(fsio_open_both(dirfd, "f"), -1);
	assert_int_equal(errno, ENOENT);
	fd = fsio_create(dirfd, "f", O_EXCL);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	close(fd);
	assert_int_equal(fsio_create(dirfd, "f", O_EXCL), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(fsio_make_dir(dirfd, "dir"), 0);
	assert_int_equal(fsio_make_dir(dirfd, "dir"), 0);
	assert_int_equal(fstatat(dirfd, "dir", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fsio_make_dir(dirfd, "none/dir"), -1);
	fd = fsio_open(dirfd, "dir", O_DIRECTORY);
	assert_true(fd >= 0);
	assert_int_equal(fsio_sync_dir(fd), 0);
	close(fd);
	close(dirfd);
}

static void
renames_links_and_removes(void **state)
{
	int dirfd = scratch_open(state);

	tool_write(*state, "a", "A", 1);
	tool_write(*state, "b", "B", 1);
	assert_int_equal(fsio_link(dirfd, "a", "b"), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(fsio_link(dirfd, "a", "c"), 0);
	assert_int_equal(fsio_rename(dirfd, "a", dirfd, "b"), 0);
	assert_content(dirfd, "b", "A");
	assert_content(dirfd, "c", "A");
	assert_false(exists(dirfd, "a"));
	assert_int_equal(fsio_remove(dirfd, "a"), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(fsio_remove(dirfd, "b"), 0);
	assert_int_equal(fsio_make_dir(dirfd, "dir"), 0);
	assert_int_equal(fsio_rename(dirfd, "c", dirfd, "dir/c"), 0);
	assert_int_equal(fsio_remove_dir(dirfd, "dir"), -1);
	assert_int_equal(errno, ENOTEMPTY);
	assert_int_equal(fsio_remove(dirfd, "dir/c"), 0);
	assert_int_equal(fsio_remove_dir(dirfd, "dir"), 0);
	assert_false(exists(dirfd, "dir"));
	close(dirfd);
}

static void
reads_and_writes_at_places(void **state)
{
	int dirfd = scratch_open(state);
	int fd = fsio_create(dirfd, "f", 0);
	char bytes[8] = { 0 };

	assert_int_equal(fsio_write_at(fd, "world", 5, 6), 0);
	assert_int_equal(fsio_write(fd, "hello", 5), 0);
	assert_int_equal(fsio_read_at(fd, bytes, 7, 4), 7);
	assert_memory_equal(bytes, "o\0world", 7);
	assert_int_equal(fsio_read_at(fd, bytes, 8, 9), 2);
	assert_memory_equal(bytes, "ld", 2);
	assert_int_equal(fsio_read_at(fd, bytes, 8, 11), 0);
	assert_int_equal(fsio_truncate(fd, 8), 0);
	assert_int_equal(fsio_start_writeback(fd, 0, 8), 0);
	assert_int_equal(fsio_wait_writeback(fd, 0, 8), 0);
	assert_int_equal(fsio_sync(fd), 0);
	assert_int_equal(fsio_read(fd, bytes, 8), 3); /* from 5 on */
	assert_memory_equal(bytes, "\0wo", 3);
	close(fd);
	close(dirfd);
}

static void
note_signal(int number)
{
	(void)number;
}

/* A signal every millisecond, and calls are not repeated by the system. */
static void
begin_interruptions(void)
{
	struct sigaction action = { .sa_handler = note_signal };
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

/* 300 KB in pieces of all sizes; more than a pipe holds. */
static int
write_in_pieces(void *context)
{
	char bytes[300];

	for (int i = 0; i < 1000; i++) {
		memset(bytes, i & 0x7f, sizeof(bytes));
		CHILD_CHECK(
		    fsio_write(*(int *)context, bytes, (size_t)(i % 300)) == 0);
		CHILD_CHECK(fsio_write(*(int *)context, bytes,
				(size_t)(300 - i % 300)) == 0);
		if (i % 100 == 0)
			usleep(3000);
	}
	return 0;
}

static void
reads_on_through_signals_and_short_reads(void **state)
{
	struct itimerval never = { { 0, 0 }, { 0, 0 } };
	int ends[2];
	pid_t child;
	char *bytes = malloc(400000);

	(void)state;
	assert_int_equal(pipe(ends), 0);
	child = tool_fork(write_in_pieces, &ends[1]);
	close(ends[1]);
	begin_interruptions();
	assert_int_equal(fsio_read(ends[0], bytes, 250001), 250001);
	assert_int_equal(fsio_read(ends[0], bytes + 250001, 149999), 49999);
	setitimer(ITIMER_REAL, &never, NULL);
	for (int i = 0; i < 300000; i++)
		assert_int_equal(bytes[i], i / 300 & 0x7f);
	assert_int_equal(tool_wait(child), 0);
	close(ends[0]);
	free(bytes);
}

static int
read_slowly(void *context)
{
	char bytes[4096];
	size_t all = 0;
	ssize_t got;

	while ((got = read(*(int *)context, bytes, sizeof(bytes))) > 0) {
		all += (size_t)got;
		usleep(300);
	}
	CHILD_CHECK(all == 300000);
	return 0;
}

static void
writes_on_through_signals(void **state)
{
	struct itimerval never = { { 0, 0 }, { 0, 0 } };
	int ends[2];
	pid_t child;
	char *bytes = calloc(1, 300000);

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		close(ends[1]);
		_exit(read_slowly(&ends[0]));
	}
	close(ends[0]);
	begin_interruptions();
	assert_int_equal(fsio_write(ends[1], bytes, 300000), 0);
	setitimer(ITIMER_REAL, &never, NULL);
	close(ends[1]);
	assert_int_equal(tool_wait(child), 0);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(replaces_a_file),
		scratch_test(follows_no_symlink),
		scratch_test(refuses_names_too_long),
		scratch_test(keeps_the_old_content_if_it_fails),
		scratch_test(survives_kills),
		scratch_test(reads_files_within_limits),
		scratch_test(makes_what_is_missing),
		scratch_test(renames_links_and_removes),
		scratch_test(reads_and_writes_at_places),
		cmocka_unit_test(reads_on_through_signals_and_short_reads),
		cmocka_unit_test(writes_on_through_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
