/* SPDX-License-Identifier: MIT */
/*
 * The companion is the own executable, as nobody's child and with nothing of
 * ours but two descriptors: as standard output and error a pipe, by which it
 * says that it listens, or why it cannot; and as standard input, until then, a
 * lock, so that nobody starts another meanwhile.
 */
#include "run/companion_internal.h"
#include "run/engine.h"
#include "store/config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Its executable; the very file, though another may have its name by now. */
#define EXECUTABLE "/proc/self/exe"
#define TITLE      "stepvault-companion"

#define ARGUMENTS_MAX 5

/* Who says more than that says nothing. */
#define SAID_MAX 4096

/* All that the companion shall know of the environment: what a web server adds
 * would make it take itself for a plain CGI, and has the secret in it. */
static const char *const kept_variables[] = { "PATH=", "HOME=", "USER=",
	"LOGNAME=", "LANG=", "LC_",
	"TZ=", "TMPDIR=", "LD_LIBRARY_PATH=", "MYSQL_", "MARIADB_",
	"SSL_CERT_FILE=", "SSL_CERT_DIR=", "OPENSSL_CONF=", "RES_OPTIONS=",
	"LOCALDOMAIN=", "HOSTALIASES=" };

#define KEPT_COUNT (sizeof(kept_variables) / sizeof(kept_variables[0]))

/* What is to be executed. */
struct program {
	char *arguments[ARGUMENTS_MAX + 1];
	char **environment; /* malloc'd; its texts are the process's own */
	char *config;       /* malloc'd */
};

static bool
is_kept(const char *variable)
{
	for (size_t i = 0; i < KEPT_COUNT; i++)
		if (strncmp(variable, kept_variables[i],
			strlen(kept_variables[i])) == 0)
			return true;
	return false;
}

static char **
clean_environment(void)
{
	size_t count = 0, kept = 0;
	char **clean;

	while (environ[count] != NULL)
		count++;
	clean = calloc(count + 1, sizeof(*clean));
	if (clean == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		if (is_kept(environ[i]))
			clean[kept++] = environ[i];
	return clean;
}

/* It will stand in another directory. */
static char *
absolute(const char *path)
{
	char *here = path[0] != '/' ? getcwd(NULL, 0) : NULL;
	char *joined;

	if (here == NULL)
		return strbuf_copy(path);
	if (asprintf(&joined, "%s/%s", here, path) < 0)
		abort();
	free(here);
	return joined;
}

static void
make_program(struct program *program, const struct config *config)
{
	static char title[] = TITLE, companion[] = "--companion";
	static char config_option[] = "--config", stay_root[] = "--stay-root";

	program->config = absolute(config->path);
	program->arguments[0] = title;
	program->arguments[1] = companion;
	program->arguments[2] = config_option;
	program->arguments[3] = program->config;
	/* We are root because we were told, or because the file is root's. */
	program->arguments[4] = geteuid() == 0 ? stay_root : NULL;
	program->arguments[5] = NULL;
	program->environment = clean_environment();
}

static void
free_program(struct program *program)
{
	free(program->environment);
	free(program->config);
}

/*
 * What follows runs in children of a process that may have threads: only
 * async-signal-safe calls.
 */

/* Nothing of ours stays but those two. */
static int
keep_only(int pipefd, int lockfd)
{
	/* Out of the way of the three. */
	pipefd = fcntl(pipefd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	lockfd = fcntl(lockfd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (pipefd < 0 || lockfd < 0 || dup2(lockfd, STDIN_FILENO) < 0 ||
	    dup2(pipefd, STDOUT_FILENO) < 0 || dup2(pipefd, STDERR_FILENO) < 0)
		return -1;
	closefrom(STDERR_FILENO + 1);
	return 0;
}

static void
forget_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
become(const struct program *program, int pipefd, int lockfd)
{
	static const char broken[] = "it could not be executed\n";

	forget_signals();
	if (keep_only(pipefd, lockfd) == 0 && chdir("/") == 0)
		execve(EXECUTABLE, program->arguments, program->environment);
	if (write(STDERR_FILENO, broken, sizeof(broken) - 1) < 0)
		_exit(1);
	_exit(1);
}

/* As nobody's child, and out of reach of what ends our session. */
static int
detach(const struct program *program, int pipefd, int lockfd)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return -1;
	if (child == 0) {
		pid_t companion;

		setsid();
		companion = fork();
		if (companion == 0)
			become(program, pipefd, lockfd);
		_exit(companion < 0 ? errno : 0);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR) /* somebody ignores SIGCHLD */
			return errno == ECHILD ? 0 : -1;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return errno == 0 ? 0 : -1;
}

/* A word stands in a line of its own. */
static bool
has_said(const struct strbuf *said, const char *word)
{
	size_t length = strlen(word);

	for (const char *line = strbuf_text(said), *end;
	     (end = strchr(line, '\n')) != NULL; line = end + 1)
		if ((size_t)(end - line) == length &&
		    memcmp(line, word, length) == 0)
			return true;
	return false;
}

/* Append what it says next.  1, 0 at its end, -1 if it takes too long. */
static int
hear_more(int pipefd, int64_t until, struct strbuf *said)
{
	ssize_t got;

	if (companion_wait(pipefd, POLLIN, until) == 0)
		return -1;
	got = read(pipefd, strbuf_reserve(said, SAID_MAX), SAID_MAX);
	if (got < 0 && errno == EINTR)
		return 1;
	strbuf_commit(said, got > 0 ? (size_t)got : 0);
	return got > 0 && said->length < SAID_MAX;
}

/* What becomes of it.  Before its word there may be others', of libraries. */
static enum companion_started
hear(int pipefd, int64_t until, struct fault *fault)
{
	enum companion_started started = COMPANION_UNSTARTED;
	struct strbuf said = STRBUF_EMPTY;
	int more = 1;

	while (more > 0 && started == COMPANION_UNSTARTED) {
		more = hear_more(pipefd, until, &said);
		if (has_said(&said, COMPANION_LISTENS))
			started = COMPANION_STARTED;
		else if (has_said(&said, COMPANION_EXISTS))
			started = COMPANION_THERE;
		else if (more < 0)
			started = COMPANION_LATE;
	}
	strbuf_cut(&said, strcspn(strbuf_text(&said), "\n"));
	fault_set(fault, FAULT_SYSTEM, "the companion cannot be started: %s",
	    said.length > 0 ? said.bytes : "it ended without a word");
	strbuf_close(&said);
	return started;
}

/* Start it; the lock goes with it. */
static enum companion_started
start_alone(const struct engine *engine, const struct lock *lock, int64_t until,
    struct fault *fault)
{
	enum companion_started started = COMPANION_UNSTARTED;
	struct program program;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0) {
		fault_errno(fault, "the companion cannot be started");
		return started;
	}
	make_program(&program, engine->config);
	if (detach(&program, ends[1], lock->fd) != 0) {
		fault_errno(fault, "the companion cannot be started");
		close(ends[1]);
	} else {
		close(ends[1]);
		started = hear(ends[0], until, fault);
	}
	close(ends[0]);
	free_program(&program);
	return started;
}

enum companion_started
companion_start(const struct engine *engine, int64_t until, struct fault *fault)
{
	enum companion_started started;
	struct lock lock = LOCK_FREE;

	if (lock_take(&lock, &engine->datadir, COMPANION_START_LOCK, NULL,
		fault) != 0)
		return fault->code == FAULT_BUSY ? COMPANION_THERE
						 : COMPANION_UNSTARTED;
	started = start_alone(engine, &lock, until, fault);
	lock_drop(&lock);
	return started;
}
