/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include "base/fault.h"
#include "base/strbuf.h"
#include "run/engine.h"
#include "run/runner.h"
#include "run/start.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Between two tries after a fault that may pass. */
#define RETRY_SECONDS 5

struct choice {
	int64_t profile;
	struct start_terms terms;
	bool json;
};

/* The one thing a signal handler can reach; set while a backup runs. */
static struct engine *running; /* NOLINT(*-avoid-non-const-global-variables) */

static void
stop(int signal)
{
	(void)signal;
	atomic_store(&running->stop, true);
}

static void
catch_signals(struct engine *engine)
{
	struct sigaction action = { .sa_handler = stop };

	running = engine;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static int
parse_choice(int argc, char **argv, struct choice *choice)
{
	static const struct option options[] = {
		{ "profile", required_argument, NULL, 'p' },
		{ "resume", no_argument, NULL, 'r' },
		{ "fresh", no_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	char *end;
	int option;

	*choice = (struct choice){
		.profile = 1,
		.terms = { .origin = RECORD_CLI, .at_once = true },
	};
	optind = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'p':
			errno = 0;
			choice->profile = strtoll(optarg, &end, 10);
			if (errno != 0 || end == optarg || *end != '\0')
				return -1;
			break;
		case 'r':
			choice->terms.resume_only = true;
			break;
		case 'f':
			choice->terms.fresh = true;
			break;
		case 'j':
			choice->json = true;
			break;
		default:
			return -1;
		}
	}
	return optind == argc &&
		!(choice->terms.fresh && choice->terms.resume_only)
	    ? 0
	    : -1;
}

static void
show_progress(void *context, const struct runner_result *result)
{
	(void)context;
	fprintf(stderr, "\r%-8s %3d %% ", record_phase_words[result->phase],
	    result->percent);
}

static void
print_complete(const struct runner_result *result)
{
	char archive[32], content[32];

	printf("backup %s is complete: %lld files, %s, in an archive of %s\n",
	    result->id, (long long)result->counts.files,
	    cli_size(result->counts.bytes, content),
	    cli_size(result->archive_size, archive));
	if (result->counts.databases > 0)
		printf("%lld databases: %lld tables, %lld rows\n",
		    (long long)result->counts.databases,
		    (long long)result->counts.tables,
		    (long long)result->counts.rows);
	if (result->counts.warnings > 0)
		printf("%lld warnings: 'stepvault show %s' names them\n",
		    (long long)result->counts.warnings, result->id);
}

static int
print_json(const struct cli *cli, const char *id)
{
	struct record record;
	struct strbuf text = STRBUF_EMPTY;
	struct fault fault;
	int status = CLI_OK;

	if (record_load(&record, &cli->engine->datadir, id, RECORD_UNVERIFIED,
		&fault) != 0) {
		status = cli_fault(&fault);
	} else {
		record_print(&record, 2, &text);
		fputs(strbuf_text(&text), stdout);
	}
	strbuf_close(&text);
	record_close(&record);
	return status;
}

static int
report(const struct cli *cli, const struct choice *choice,
    const struct runner_result *result)
{
	int status = CLI_FAILED;

	switch (result->outcome) {
	case RUNNER_MORE:
		cli_complain("backup %s is unfinished; 'stepvault run "
			     "--resume --profile %lld' goes on",
		    result->id, (long long)choice->profile);
		status = CLI_UNFINISHED;
		break;
	case RUNNER_COMPLETE:
		if (!choice->json)
			print_complete(result);
		status = CLI_OK;
		break;
	case RUNNER_FAILED:
		cli_complain(
		    "backup %s has failed: %s", result->id, result->reason);
		break;
	case RUNNER_BUSY:
	case RUNNER_CROWDED:
		cli_complain(
		    "another process is working on backup %s", result->id);
		return CLI_BUSY;
	case RUNNER_RETRY:
		cli_complain("%s; nothing is lost: 'stepvault run --resume "
			     "--profile %lld' goes on",
		    result->fault.text, (long long)choice->profile);
		status = CLI_UNFINISHED;
		break;
	case RUNNER_UNKNOWN:
		cli_complain("backup %s was deleted", result->id);
		return CLI_NOT_FOUND;
	}
	if (choice->json && print_json(cli, result->id) != CLI_OK)
		return CLI_FAILED;
	return status;
}

static int
run(struct cli *cli, int argc, char **argv)
{
	struct runner_terms terms = { .controller = CONTROLLER_CLI };
	struct runner_result result;
	const struct profile *profile;
	struct choice choice;
	struct fault fault;
	char id[ID_SIZE];

	if (parse_choice(argc, argv, &choice) != 0)
		return cli_usage(&cmd_run);
	profile = config_profile(cli->config, choice.profile);
	if (profile == NULL) {
		cli_complain("there is no [profile %lld] in %s",
		    (long long)choice.profile, cli->config->path);
		return CLI_NOT_FOUND;
	}
	catch_signals(cli->engine);
	if (start_backup(cli->engine, profile, &choice.terms, id, &fault) ==
	    START_FAULT)
		return cli_fault(&fault);
	if (isatty(STDERR_FILENO))
		terms.progress = show_progress;
	for (;;) {
		runner_step(cli->engine, id, RUNNER_ANY_STEP, &terms, &result);
		if (result.outcome != RUNNER_RETRY ||
		    atomic_load(&cli->engine->stop))
			break;
		cli_complain("%s; trying again", result.fault.text);
		sleep(RETRY_SECONDS);
	}
	if (terms.progress != NULL)
		fprintf(stderr, "\r%*s\r", 20, "");
	return report(cli, &choice, &result);
}

const struct command cmd_run = {
	.name = "run",
	.arguments = "[--profile N] [--resume|--fresh] [--json]",
	.help = "back up a profile, going on with an unfinished backup",
	.needs = CLI_ENGINE,
	.run = run,
};
