/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "dice.h"
#include "tool.h"

#include "source/entry.h"

#include <sys/socket.h>
#include <sys/un.h>

/* Nothing but a regular file is opened, and nothing blocks. */
static void
opens_regular_files_only(void **state)
{
	static const char *const others[] = { "d", "l", "dangling", "loop", "p",
		"s", "c" };
	int dirfd = scratch_open(state), fd, sock;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	char byte;

	assert_int_equal(
	    tool_run(*state,
		"printf x >f && mkdir d && ln -s f l && ln -s no dangling && "
		"ln -s loop loop && mkfifo p && ln f second && "
		"{ mknod c c 1 3 2>/dev/null || ln -s /dev/null c; }"),
	    0);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* However long the path of the scratch is. */
	snprintf(address.sun_path, sizeof(address.sun_path),
	    "/proc/self/fd/%d/s", dirfd);
	assert_int_equal(
	    bind(sock, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(entry_open_file(dirfd, "second", &fd, &st), 0);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		errno = 0;
		assert_int_equal(
		    entry_open_file(dirfd, others[i], &fd, &st), -1);
		if (errno != EINVAL || fd != -1)
			fail_msg("'%s': %s", others[i], strerror(errno));
		assert_string_equal(entry_reason(errno),
		    "became something else before it could be read");
		/* But each can be looked at, itself. */
		assert_int_equal(
		    entry_open_path(dirfd, others[i], &fd, &st), 0);
		assert_false(S_ISREG(st.st_mode));
		assert_true(read(fd, &byte, 1) < 0);
		close(fd);
	}
	assert_int_equal(entry_open_file(dirfd, "no", &fd, &st), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(entry_open_path(dirfd, "no", &fd, &st), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(entry_open(dirfd, "l", ENTRY_FOLDER | O_NOFOLLOW), -1);
	assert_int_equal(entry_open(dirfd, "p", ENTRY_FOLDER), -1);
	assert_int_equal(errno, ENOTDIR);
	close(sock);
	close(dirfd);
}

static void
leaves_access_times_alone(void **state)
{
	int dirfd = scratch_open(state), fd;
	struct stat st;
	char byte;

	assert_int_equal(
	    tool_run(*state, "printf x >f && touch -a -d @1000000000 f"), 0);
	assert_int_equal(entry_open_file(dirfd, "f", &fd, &st), 0);
	assert_int_equal(read(fd, &byte, 1), 1);
	close(fd);
	assert_int_equal(fstatat(dirfd, "f", &st, 0), 0);
	assert_int_equal(st.st_atim.tv_sec, 1000000000);
	close(dirfd);
}

static void
reads_links_of_any_length(void **state)
{
	int dirfd = scratch_open(state), fd;
	char target[4200], got[4200];
	struct stat st;

	memset(target, 'x', sizeof(target));
	target[4095] = '\0';
	assert_int_equal(symlinkat(target, dirfd, "long"), 0);
	assert_int_equal(symlinkat("a\n\xff", dirfd, "odd"), 0);
	assert_int_equal(entry_open_path(dirfd, "long", &fd, &st), 0);
	assert_int_equal(entry_read_link(fd, got, sizeof(got)), 0);
	assert_string_equal(got, target);
	assert_int_equal(entry_read_link(fd, got, 4096), 0);
	assert_string_equal(got, target);
	assert_int_equal(entry_read_link(fd, got, 11), 0);
	assert_string_equal(got, "xxxxxxxxxx");
	close(fd);
	assert_int_equal(entry_open_path(dirfd, "odd", &fd, &st), 0);
	assert_int_equal(entry_read_link(fd, got, sizeof(got)), 0);
	assert_string_equal(got, "a\n\xff");
	close(fd);
	assert_int_equal(entry_open_path(dirfd, ".", &fd, &st), 0);
	assert_int_equal(entry_read_link(fd, got, sizeof(got)), -1);
	close(fd);
	close(dirfd);
}

static void
knows_what_leads_out(void **state)
{
	static const struct {
		const char *path, *target;
		bool out;
	} cases[] = {
		{ "l", "f", false },
		{ "l", "a/b/c", false },
		{ "l", ".", false },
		{ "l", "..", true },
		{ "l", "../x", true },
		{ "l", "./../x", true },
		{ "l", "a/../..", true },
		{ "l", "a/..", false },
		{ "l", "a/../b/../c", false },
		{ "l", "...", false },
		{ "l", "..x/..", false },
		{ "a/l", "..", false },
		{ "a/l", "../..", true },
		{ "a/b/l", "../../x", false },
		{ "a/b/l", "../../../srv/site/x", true },
		{ "a/b/l", "..//..//x", false },
		{ "l", "/srv/site", false },
		{ "l", "/srv/site/", false },
		{ "l", "/srv/site/x", false },
		{ "l", "/srv/site2", true },
		{ "l", "/srv/site/../x", true },
		{ "l", "/srv/site/a/../../x", true },
		{ "l", "/srv/site/a/../b", false },
		{ "l", "/srv", true },
		{ "l", "/", true },
		{ "l", "/etc/passwd", true },
		{ "l", "", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (entry_leads_out("/srv/site", cases[i].path,
			cases[i].target) != cases[i].out)
			fail_msg("%s -> %s is judged wrongly", cases[i].path,
			    cases[i].target);
	assert_false(entry_leads_out("/", "l", "/etc/passwd"));
	assert_false(entry_leads_out("/", "a/l", "../x"));
}

/* Against what realpath(1) says of the same names. */
static void
agrees_with_realpath(void **state)
{
	static const char *const parts[] = { "..", "..", ".", "a", "b", "c/d",
		"" };
	struct dice dice = dice_new();
	struct strbuf script = STRBUF_EMPTY, answers = STRBUF_EMPTY;
	char targets[200][64];
	const char *at;

	strbuf_addstr(&script, "realpath -m -s -z --");
	for (size_t i = 0; i < COUNT_OF(targets); i++) {
		size_t count = 1 + dice_roll(&dice, 5), used = 0;

		for (size_t k = 0; k < count; k++)
			used += (size_t)snprintf(targets[i] + used,
			    sizeof(targets[i]) - used, "%s/",
			    parts[dice_roll(&dice, k > 0 ? 7 : 6)]);
		strbuf_addf(&script, " '/r/s/x/y/%s'", targets[i]);
	}
	strbuf_addstr(&script, " >answers");
	assert_int_equal(tool_run(*state, "%s", script.bytes), 0);
	tool_read(*state, "answers", &answers);
	at = answers.bytes;
	for (size_t i = 0; i < COUNT_OF(targets); i++) {
		bool out = entry_leads_out("/r/s", "x/y/l", targets[i]);
		bool ends_out = strncmp(at, "/r/s", 4) != 0 ||
		    (at[4] != '/' && at[4] != '\0');

		/* Out and in again is out: that is not for a name to say. */
		if (ends_out && !out)
			fail_msg("'%s' leads to %s", targets[i], at);
		if (out && !ends_out && strstr(targets[i], "..") == NULL)
			fail_msg("'%s' leads nowhere but %s", targets[i], at);
		at += strlen(at) + 1;
	}
	strbuf_close(&answers);
	strbuf_close(&script);
}

#define MIB INT64_C(1048576)

/* Every hole that is found is one, and those that were made are found. */
static void
finds_holes(void **state)
{
	static const struct {
		const char *make;
		size_t count;
		int64_t holes[4][2];
	} files[] = {
		{ ": >f", 0, { { 0 } } },
		{ "head -c 100000 /dev/urandom >f", 0, { { 0 } } },
		{ "truncate -s 3M f", 1, { { 0, 3 * MIB } } },
		{ "truncate -s 3M f && printf x | dd of=f bs=1 seek=1M "
		  "conv=notrunc status=none && head -c 1M /dev/urandom | "
		  "dd of=f bs=1M seek=1 conv=notrunc status=none",
		    2, { { 0, MIB }, { 2 * MIB, MIB } } },
		{ "head -c 1M /dev/urandom >f; truncate -s 2M f; "
		  "head -c 1M /dev/urandom >>f; truncate -s 4M f; "
		  "head -c 1M /dev/urandom >>f; truncate -s 6M f",
		    3, { { MIB, MIB }, { 3 * MIB, MIB }, { 5 * MIB, MIB } } },
	};
	int dirfd = scratch_open(state);

	for (size_t i = 0; i < COUNT_OF(files); i++) {
		int64_t holes[10][2];
		struct stat st;
		size_t count;
		int fd;

		assert_int_equal(
		    tool_run(*state, "rm -f f; %s", files[i].make), 0);
		assert_int_equal(entry_open_file(dirfd, "f", &fd, &st), 0);
		count = entry_holes(fd, st.st_size, holes, 10);
		/* A file system that knows no holes gave them blocks. */
		if (st.st_blocks * 512 < st.st_size || count > 0) {
			assert_int_equal(count, files[i].count);
			for (size_t k = 0; k < count; k++) {
				assert_int_equal(
				    holes[k][0], files[i].holes[k][0]);
				assert_int_equal(
				    holes[k][1], files[i].holes[k][1]);
			}
		}
		if (count > 1)
			assert_int_equal(
			    entry_holes(fd, st.st_size, holes, 1), 1);
		assert_int_equal(entry_holes(fd, st.st_size, holes, 0), 0);
		/* Of what has grown since, only the part that was there. */
		if (count == 1) {
			assert_int_equal(entry_holes(fd, MIB, holes, 10), 1);
			assert_int_equal(holes[0][1], MIB);
		}
		close(fd);
	}
	close(dirfd);
}

static void
tells_a_lack_from_a_refusal(void **state)
{
	static const int lacks[] = { EMFILE, ENFILE, ENOMEM };
	static const int others[] = { EACCES, ENOENT, EIO, ELOOP, 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lacks); i++) {
		errno = lacks[i];
		assert_true(entry_out_of_resources());
	}
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		errno = others[i];
		assert_false(entry_out_of_resources());
	}
	assert_contains(entry_reason(ENOENT), "vanished");
	assert_contains(entry_reason(EACCES), "permission denied");
	assert_contains(entry_reason(EPERM), "permission denied");
	assert_contains(entry_reason(EIO), "input/output error");
	assert_contains(entry_reason(ESTALE), "replaced by another");
	assert_string_equal(entry_reason(EXDEV), "could not be read");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(opens_regular_files_only),
		scratch_test(leaves_access_times_alone),
		scratch_test(reads_links_of_any_length),
		cmocka_unit_test(knows_what_leads_out),
		scratch_test(agrees_with_realpath),
		scratch_test(finds_holes),
		cmocka_unit_test(tells_a_lack_from_a_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
