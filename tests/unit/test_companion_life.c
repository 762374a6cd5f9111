/* SPDX-License-Identifier: MIT */
/* How the companion comes, stays the only one, and goes. */
#include "companion_scene.h"

#include <poll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* -- tests of the process -- */

static void
is_one_only(void **state)
{
	struct scene scene;
	struct stat st;

	set_scene(&scene, state);
	assert_int_equal(tool_wait(tool_fork(serve, &scene)), 5);
	assert_int_equal(fstatat(scene.engine.datadir.fd, COMPANION_SOCKET, &st,
			     AT_SYMLINK_NOFOLLOW),
	    0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0600);
	companion_close(reach(&scene));
	close_scene(&scene);
	wait_for_log(state, "the companion leaves: SIGTERM");
	assert_int_equal(
	    faccessat(scene.engine.datadir.fd, COMPANION_SOCKET, F_OK, 0), -1);
}

static void
leaves_to_another_build(void **state)
{
	struct scene scene;
	int fd;

	set_scene(&scene, state);
	fd = companion_connect(&scene.engine);
	assert_true(fd >= 0);
	assert_int_equal(companion_send_text(fd, COMPANION_LEAVE), 0);
	assert_int_equal(tool_wait(scene.child), 0);
	wait_for_log(state, "the companion leaves: another build");
	scene.child = 0;
	close(fd);
	close_scene(&scene);
}

/* A companion of another build: greets, and leaves if it is told. */
static int
serve_otherwise(void *context)
{
	struct scene *scene = context;
	struct strbuf line = STRBUF_EMPTY;
	struct lock lock = LOCK_FREE;
	struct fault fault;
	int listener, fd;

	CHILD_CHECK(lock_take(&lock, &scene->engine.datadir, COMPANION_LOCK,
			NULL, &fault) == 0);
	listener = companion_listen(&scene->engine, &fault);
	CHILD_CHECK(listener >= 0);
	CHILD_CHECK(
	    companion_wait(listener, POLLIN, budget_now() + PATIENCE) == 1);
	fd = accept(listener, NULL, NULL);
	CHILD_CHECK(
	    companion_send_text(fd, "stepvault companion 0.0/9\n") == 0);
	CHILD_CHECK(
	    companion_receive_line(fd, &line, budget_now() + PATIENCE) == 1);
	CHILD_CHECK(strcmp(line.bytes, "leave\n") == 0);
	strbuf_close(&line);
	unlinkat(scene->engine.datadir.fd, COMPANION_SOCKET, 0);
	return 0;
}

static void
sends_another_build_away(void **state)
{
	struct companion *companion;
	struct scene scene;
	struct fault fault;

	open_scene(&scene, state, "data");
	scene.child = tool_fork(serve_otherwise, &scene);
	wait_until(
	    faccessat(scene.engine.datadir.fd, COMPANION_SOCKET, F_OK, 0) == 0);
	assert_faulty(
	    companion_open(&companion, &scene.engine, PATIENCE, &fault),
	    FAULT_SYSTEM, "no companion runs", &fault);
	assert_null(companion);
	close_scene(&scene);
}

static void
outlives_its_socket(void **state)
{
	struct companion *companion;
	struct piece piece = { 0 };
	struct scene scene;
	char token[DUMP_TOKEN_SIZE];

	set_scene(&scene, state);
	companion = reach(&scene);
	begin_well(companion, FAST, token);
	companion_close(companion);
	assert_int_equal(
	    unlinkat(scene.engine.datadir.fd, COMPANION_SOCKET, 0), 0);
	wait_until(
	    faccessat(scene.engine.datadir.fd, COMPANION_SOCKET, F_OK, 0) == 0);
	companion = reach(&scene);
	read_piece(companion, token, "text", 10, &piece);
	assert_int_equal(piece.outcome, DUMP_MORE);
	companion_close(companion);
	close_scene(&scene);
}

static void
leaves_with_its_data_directory(void **state)
{
	struct scene scene;

	set_scene(&scene, state);
	assert_int_equal(tool_run(*state, "rm -r data"), 0);
	assert_int_equal(tool_wait(scene.child), 0);
	scene.child = 0;
	close_scene(&scene);
}

static void
stands_at_the_end_of_a_long_path(void **state)
{
	char name[201] = "";
	struct scene scene;

	memset(name, 'd', sizeof(name) - 1);
	open_scene(&scene, state, name);
	start(&scene);
	companion_close(reach(&scene));
	close_scene(&scene);
}

/* None of its threads runs any more. */
static void
freeze(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
}

static void
is_given_up_when_frozen(void **state)
{
	struct companion *companion;
	struct piece piece = { 0 };
	struct scene scene;
	char token[DUMP_TOKEN_SIZE];
	struct fault fault;

	set_scene(&scene, state);
	companion = reach(&scene);
	begin_well(companion, FAST, token);
	companion_close(companion);
	freeze(scene.child);
	assert_faulty(companion_open(&companion, &scene.engine,
			  200 * BUDGET_MILLISECOND, &fault),
	    FAULT_RETRY, "does not answer", &fault);
	kill(scene.child, SIGCONT);
	companion = reach(&scene);
	freeze(scene.child);
	ask_read(companion, token, "text", 10, &piece.place);
	take(companion, 100 * BUDGET_MILLISECOND, &piece);
	assert_int_equal(piece.outcome, DUMP_WAIT);
	companion_kill(&scene.engine);
	take(companion, PATIENCE, &piece);
	assert_int_equal(piece.outcome, DUMP_FAULT);
	assert_int_equal(piece.fault.code, FAULT_RETRY);
	assert_false(companion_asked(companion));
	companion_close(companion);
	assert_int_equal(tool_wait(scene.child), 128 + SIGKILL);
	/* There is nobody to be killed now. */
	companion_kill(&scene.engine);
	fake_reset();
	start(&scene);
	companion_close(reach(&scene));
	close_scene(&scene);
}

static void
kills_nobody_without_the_lock(void **state)
{
	struct scene scene;
	struct fault fault;
	int listener;

	open_scene(&scene, state, "data");
	/* That would be this process. */
	listener = companion_listen(&scene.engine, &fault);
	assert_true(listener >= 0);
	companion_kill(&scene.engine);
	close(listener);
	close_scene(&scene);
}

/* Somebody listens in our place; the socket's file was made by us. */
static int
listen_as_another(void *context)
{
	struct scene *scene = context;
	struct fault fault;
	int listener = companion_listen(&scene->engine, &fault);

	CHILD_CHECK(listener >= 0);
	CHILD_CHECK(setuid(65534) == 0);
	/* The peer's user is who called this last. */
	CHILD_CHECK(listen(listener, 1) == 0);
	CHILD_CHECK(raise(SIGSTOP) == 0);
	return 0;
}

static void
trusts_no_other_user(void **state)
{
	struct companion *companion;
	struct scene scene;
	struct fault fault;
	int status;

	if (geteuid() != 0)
		skip();
	open_scene(&scene, state, "data");
	scene.child = tool_fork(listen_as_another, &scene);
	assert_int_equal(waitpid(scene.child, &status, WUNTRACED), scene.child);
	assert_faulty(
	    companion_open(&companion, &scene.engine, PATIENCE, &fault),
	    FAULT_SYSTEM, "another user's process listens", &fault);
	companion_kill(&scene.engine);
	kill(scene.child, SIGCONT);
	assert_int_equal(tool_wait(scene.child), 0);
	scene.child = 0;
	close_scene(&scene);
}

static void
answers_nonsense(void **state)
{
	struct strbuf line = STRBUF_EMPTY;
	struct companion_head head;
	struct scene scene;
	struct fault fault;
	char *long_line = calloc(1, COMPANION_LINE_MAX + 2);
	int fd;

	set_scene(&scene, state);
	fd = companion_connect(&scene.engine);
	assert_int_equal(
	    companion_receive_line(fd, &line, budget_now() + PATIENCE), 1);
	assert_string_equal(line.bytes, COMPANION_GREETING);
	strbuf_reset(&line);
	assert_int_equal(companion_send_text(fd, "{\"version\":1}\n"), 0);
	assert_int_equal(
	    companion_receive_line(fd, &line, budget_now() + PATIENCE), 1);
	assert_fine(companion_read_head(&head, line.bytes, line.length, &fault),
	    &fault);
	assert_int_equal(head.outcome, DUMP_FAULT);
	assert_int_equal(head.fault.code, FAULT_CORRUPT);
	/* More than a line has is not listened to. */
	assert_non_null(long_line);
	memset(long_line, 'x', COMPANION_LINE_MAX + 1);
	companion_send_text(fd, long_line);
	strbuf_reset(&line);
	assert_int_equal(
	    companion_receive_line(fd, &line, budget_now() + PATIENCE), -1);
	close(fd);
	free(long_line);
	strbuf_close(&line);
	close_scene(&scene);
}

/* -- tests of its start: this program is a companion, too -- */

static void
set_stage(struct scene *scene, void **state)
{
	open_scene(scene, state, "data");
	scene->engine.has_companion = true;
}

static pid_t
find_pid(struct scene *scene)
{
	int fd = companion_connect(&scene->engine);
	pid_t pid;

	assert_true(fd >= 0);
	assert_true(companion_knows(fd, &pid));
	close(fd);
	return pid;
}

/* End the one that was started, which is nobody's child. */
static void
clear_stage(struct scene *scene)
{
	int pidfd = pidfd_open(find_pid(scene), 0);

	assert_true(pidfd >= 0);
	assert_int_equal(pidfd_send_signal(pidfd, SIGTERM, NULL, 0), 0);
	assert_int_equal(
	    companion_wait(pidfd, POLLIN, budget_now() + PATIENCE), 1);
	close(pidfd);
	close_scene(scene);
}

/* Where a link in /proc of a process leads to; NULL if there is none. */
static const char *
read_link(pid_t pid, const char *name, char *target, size_t size)
{
	char path[400];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	length = readlink(path, target, size - 1);
	if (length < 0)
		return NULL;
	target[length] = '\0';
	return target;
}

static void
check_descriptors(const char *top, pid_t pid)
{
	char path[64], name[300], target[4096];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "fd/%s", entry->d_name);
		/* Connections come and go. */
		if (read_link(pid, name, target, sizeof(target)) == NULL)
			continue;
		if (fd <= STDERR_FILENO)
			assert_string_equal(target, "/dev/null");
		else if (strncmp(target, top, strlen(top)) != 0 &&
		    strncmp(target, "anon_inode:", 11) != 0 &&
		    strncmp(target, "socket:", 7) != 0)
			fail_msg("%d is %s", fd, target);
	}
	closedir(dir);
}

static void
is_started_with_nothing_of_ours(void **state)
{
	struct strbuf text = STRBUF_EMPTY;
	char target[4096], path[64];
	struct scene scene;
	int ends[2];
	pid_t pid;

	set_stage(&scene, state);
	assert_int_equal(pipe(ends), 0);
	setenv("REQUEST_METHOD", "GET", 1);
	setenv("QUERY_STRING", "key=secret", 1);
	setenv("HTTP_PROXY", "x", 1);
	setenv("LC_TIME", "C", 1);
	companion_close(reach(&scene));
	unsetenv("REQUEST_METHOD");
	unsetenv("QUERY_STRING");
	unsetenv("HTTP_PROXY");
	unsetenv("LC_TIME");
	/* Nobody has the other end of our pipe. */
	close(ends[1]);
	assert_int_equal(
	    companion_wait(ends[0], POLLIN, budget_now() + PATIENCE), 1);
	close(ends[0]);
	/* It is no child of ours, and no zombie is. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	pid = find_pid(&scene);
	assert_int_not_equal(getsid(pid), getsid(0));
	assert_int_not_equal(getpgid(pid), getpgid(0));
	assert_string_equal(read_link(pid, "cwd", target, sizeof(target)), "/");
	check_descriptors(*state, pid);
	snprintf(path, sizeof(path), "%d/environ", (int)pid);
	tool_read("/proc", path, &text);
	for (size_t i = 0; i < text.length; i++)
		if (text.bytes[i] == '\0')
			text.bytes[i] = '\n';
	assert_contains(text.bytes, "LC_TIME=C\n");
	assert_null(strstr(text.bytes, "REQUEST_METHOD"));
	assert_null(strstr(text.bytes, "secret"));
	assert_null(strstr(text.bytes, "HTTP_"));
	strbuf_close(&text);
	clear_stage(&scene);
}

static int
reach_as_a_child(void *context)
{
	struct scene *scene = context;
	struct companion *companion;
	struct fault fault;
	int result;

	result = companion_open(&companion, &scene->engine, PATIENCE, &fault);
	if (result != 0)
		dprintf(STDERR_FILENO, "%s\n", fault.text);
	companion_close(companion);
	return result;
}

static void
is_started_once(void **state)
{
	struct strbuf log = STRBUF_EMPTY;
	pid_t children[20];
	struct scene scene;
	int count = 0;

	set_stage(&scene, state);
	for (int round = 0; round < 5; round++) {
		for (size_t i = 0; i < COUNT_OF(children); i++)
			children[i] = tool_fork(reach_as_a_child, &scene);
		for (size_t i = 0; i < COUNT_OF(children); i++)
			assert_int_equal(tool_wait(children[i]), 0);
		/* Whoever comes while one goes finds the next. */
		if (round < 4)
			kill(find_pid(&scene),
			    round % 2 == 0 ? SIGTERM : SIGKILL);
	}
	tool_read(*state, "data/companion.log", &log);
	for (const char *at = log.bytes;
	     (at = strstr(at, "the companion is here")) != NULL; at++)
		count++;
	assert_int_equal(count, 5);
	strbuf_close(&log);
	clear_stage(&scene);
}

static void
says_why_it_cannot_be_started(void **state)
{
	struct companion *companion;
	struct scene scene;
	struct fault fault;

	set_stage(&scene, state);
	assert_int_equal(tool_run(*state, "mkdir data/companion.sock"), 0);
	assert_faulty(
	    companion_open(&companion, &scene.engine, PATIENCE, &fault),
	    FAULT_SYSTEM, "cannot be started: 'companion.sock' cannot be",
	    &fault);
	assert_int_equal(tool_run(*state, "rmdir data/companion.sock"), 0);
	/* As where what is in the background is killed. */
	assert_int_equal(tool_run(*state, ": >data/kill"), 0);
	assert_faulty(
	    companion_open(&companion, &scene.engine, PATIENCE, &fault),
	    FAULT_SYSTEM, "ends as soon as it has started", &fault);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	close_scene(&scene);
}

/* Another user, who may have no further process. */
static int
reach_without_processes(void *context)
{
	static const struct rlimit none = { 0, 0 };
	struct companion *companion;
	struct fault fault;
	struct scene scene;

	CHILD_CHECK(setgid(65534) == 0 && setuid(65534) == 0);
	CHILD_CHECK(setrlimit(RLIMIT_NPROC, &none) == 0);
	open_scene(&scene, context, "data");
	scene.engine.has_companion = true;
	CHILD_CHECK(
	    companion_open(&companion, &scene.engine, PATIENCE, &fault) != 0);
	CHILD_CHECK(fault.code == FAULT_SYSTEM);
	CHILD_CHECK(strstr(fault.text, "cannot be started: ") != NULL);
	return 0;
}

static void
does_without_where_there_are_no_processes(void **state)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(*state, 65534, 65534), 0);
	assert_int_equal(
	    tool_wait(tool_fork(reach_without_processes, state)), 0);
}

/* A step that has no time left for the start is followed by one that has. */
static void
starts_in_its_own_time(void **state)
{
	struct companion *companion = NULL;
	struct scene scene;
	struct fault fault;
	int tries = 0;

	/* Several are started; all become our children. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	set_stage(&scene, state);
	while (companion_open(&companion, &scene.engine, BUDGET_MILLISECOND,
		   &fault) != 0) {
		assert_int_equal(fault.code, FAULT_RETRY);
		assert_true(++tries < 10000);
	}
	companion_close(companion);
	while (waitpid(-1, NULL, WNOHANG) >= 0) {
		int fd = companion_connect(&scene.engine);
		pid_t pid;

		if (fd >= 0 && companion_knows(fd, &pid))
			kill(pid, SIGTERM);
		if (fd >= 0)
			close(fd);
		usleep(2000);
	}
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	close_scene(&scene);
}

/* What this program is when it is called by companion_start. */
static int
be_companion(char **arguments)
{
	struct scene scene = { .path = arguments[3] };
	struct config config = { 0 };
	struct engine engine;
	struct fault fault;
	int result;

	signal(SIGPIPE, SIG_IGN);
	fake_reset();
	CHILD_CHECK(strcmp(arguments[2], "--config") == 0);
	CHILD_CHECK(config_load(&config, scene.path, CONFIG_STAY, &fault) == 0);
	CHILD_CHECK(engine_open(&engine, &config, &fault) == 0);
	if (faccessat(engine.datadir.fd, "kill", F_OK, 0) == 0) {
		dprintf(STDOUT_FILENO, COMPANION_LISTENS "\n");
		return 0;
	}
	if (getenv("LC_TIME") != NULL)
		dprintf(STDERR_FILENO, "a library warns\nof this and that\n");
	result = companion_main(&engine, true, &fault);
	if (result != 0)
		dprintf(STDERR_FILENO, "%s\n", fault.text);
	engine_close(&engine);
	config_close(&config);
	return result != 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		scratch_test(is_one_only),
		scratch_test(leaves_to_another_build),
		scratch_test(sends_another_build_away),
		scratch_test(outlives_its_socket),
		scratch_test(leaves_with_its_data_directory),
		scratch_test(stands_at_the_end_of_a_long_path),
		scratch_test(is_given_up_when_frozen),
		scratch_test(kills_nobody_without_the_lock),
		scratch_test(trusts_no_other_user),
		scratch_test(answers_nonsense),
		scratch_test(is_started_with_nothing_of_ours),
		scratch_test(is_started_once),
		scratch_test(says_why_it_cannot_be_started),
		scratch_test(does_without_where_there_are_no_processes),
		scratch_test(starts_in_its_own_time),
	};

	if (argc > 3 && strcmp(argv[1], "--companion") == 0)
		return be_companion(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
