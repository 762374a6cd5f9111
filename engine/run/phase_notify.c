/* SPDX-License-Identifier: MIT */
/*
 * Tell the world that there is a new backup: on_complete is started and left
 * to itself, with no shell and nothing of ours but the log to write to.
 */
#include "base/fault.h"
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

/* In the child of a child: become the program.  Only async-signal-safe calls,
 * for the process that was forked has threads. */
static void
become_program(char *const *arguments, int logfd)
{
	static const char failed[] = "on_complete could not be run\n";
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	if (logfd >= 0) {
		dup2(logfd, STDOUT_FILENO);
		dup2(logfd, STDERR_FILENO);
	}
	execv(arguments[0], arguments);
	if (write(STDERR_FILENO, failed, sizeof(failed) - 1) < 0)
		_exit(126);
	_exit(127);
}

/* Start it as nobody's child: its end concerns nobody. */
static int
start(char *const *arguments, int logfd)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return -1;
	if (child == 0) {
		pid_t grandchild;

		setsid();
		grandchild = fork();
		if (grandchild == 0)
			become_program(arguments, logfd);
		_exit(grandchild < 0 ? errno : 0);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return errno == 0 ? 0 : -1;
}

static enum phase_outcome
notify(struct job *job, struct fault *fault)
{
	char **arguments;

	(void)fault;
	if (job->profile->on_complete == NULL)
		return PHASE_ENDED;
	arguments = make_arguments(job);
	/* The backup is complete whether or not anybody can be told. */
	if (start(arguments, job->log.fd) != 0)
		logbook_write(&job->log, "%s could not be started: %s",
		    arguments[0], strerror(errno));
	else
		logbook_write(&job->log, "%s was started", arguments[0]);
	free_arguments(arguments);
	return PHASE_ENDED;
}

const struct phase phase_notify = {
	.step = notify,
};
