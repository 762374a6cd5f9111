/* SPDX-License-Identifier: MIT */
/*
 * Tell the world that there is a new backup: on_complete is started with no
 * shell and nothing of ours but the log to write to.  No step waits for it; a
 * process of its own does, for the log to tell if it fails.
 */
#include "base/fault.h"
#include "base/stamp.h"
#include "base/strbuf.h"
#include "run/engine.h"
#include "run/job.h"
#include "run/phase.h"
#include "store/config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Program, ID and the path of each part; a NULL-terminated malloc'd array. */
static char **
make_arguments(const struct job *job)
{
	const struct profile *profile = job->profile;
	int64_t parts = volume_parts(profile->part_size, job->state.volume);
	char **arguments = calloc((size_t)parts + 3, sizeof(*arguments));
	char name[VOLUME_NAME_SIZE];

	if (arguments == NULL)
		abort();
	if (asprintf(&arguments[0], "%s", profile->on_complete) < 0 ||
	    asprintf(&arguments[1], "%s", job->state.id) < 0)
		abort();
	for (int64_t part = 0; part < parts; part++)
		if (asprintf(&arguments[2 + part], "%s/backups/%s/%s",
			job->engine->config->data, job->state.id,
			volume_part_name(name, job->state.archive,
			    profile->part_size, part, "")) < 0)
			abort();
	return arguments;
}

static void
free_arguments(char **arguments)
{
	for (char **argument = arguments; *argument != NULL; argument++)
		free(*argument);
	free(arguments);
}

/*
 * What follows runs in children of a process that may have threads: only
 * async-signal-safe calls.
 */

/* Nothing of ours stays open but the log, as standard output and error. */
static void
keep_only_log(int logfd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	for (int fd = 0; fd <= STDERR_FILENO && null >= 0; fd++)
		dup2(null, fd);
	if (logfd >= 0) {
		dup2(logfd, STDOUT_FILENO);
		dup2(logfd, STDERR_FILENO);
	}
	closefrom(STDERR_FILENO + 1);
}

/* One line to the log: how a warning begins, what it is, and a number. */
static void
warn(char *beginning, const char *what, int number)
{
	char rest[64], *end = stpcpy(rest, what);
	struct iovec line[] = { { beginning, strlen(beginning) }, { rest, 0 } };

	/* Exit statuses and signals have up to three digits. */
	for (int unit = 100; unit > 0; unit /= 10)
		if (number >= unit)
			*end++ = (char)('0' + number / unit % 10);
	*end++ = '\n';
	line[1].iov_len = (size_t)(end - rest);
	if (writev(STDERR_FILENO, line, 2) < 0)
		_exit(1);
}

/* Run the program, and note it if it fails. */
static void
watch(char *const *arguments, char *warning, int logfd)
{
	pid_t child;
	int status;

	keep_only_log(logfd);
	child = fork();
	if (child == 0) {
		execv(arguments[0], arguments);
		warn(warning, " could not be run", 0);
		_exit(127);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			_exit(1);
	if (child < 0)
		warn(warning, " could not be started", 0);
	else if (WIFSIGNALED(status))
		warn(warning, " was ended by signal ", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		warn(warning, " ended with exit status ", WEXITSTATUS(status));
	_exit(0);
}

/* Start it with its watcher as nobody's child: no step waits for its end. */
static int
start(char *const *arguments, char *warning, int logfd)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return -1;
	if (child == 0) {
		pid_t watcher;

		setsid();
		watcher = fork();
		if (watcher == 0)
			watch(arguments, warning, logfd);
		_exit(watcher < 0 ? errno : 0);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return errno == 0 ? 0 : -1;
}

/* How a line about its failure begins; made before there is a child. */
static void
begin_warning(struct strbuf *warning, const char *program)
{
	char when[STAMP_TEXT_SIZE];

	strbuf_addf(warning, "%s warning: ", stamp_text(stamp_now(), when));
	strbuf_add_printable(warning, program, strlen(program));
}

static enum phase_outcome
notify(struct job *job, struct fault *fault)
{
	struct strbuf warning = STRBUF_EMPTY;
	char **arguments;

	(void)fault;
	if (job->profile->on_complete == NULL)
		return PHASE_ENDED;
	arguments = make_arguments(job);
	begin_warning(&warning, arguments[0]);
	logbook_write(&job->log, "%s is started", arguments[0]);
	/* The backup is complete whether or not anybody can be told. */
	if (start(arguments, warning.bytes, job->log.fd) != 0)
		logbook_write(&job->log, "warning: %s could not be started: %s",
		    arguments[0], strerror(errno));
	strbuf_close(&warning);
	free_arguments(arguments);
	return PHASE_ENDED;
}

const struct phase phase_notify = {
	.step = notify,
};
