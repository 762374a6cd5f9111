/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include "base/fault.h"
#include "run/engine.h"
#include "store/history.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command *const commands[] = {
	&cmd_init,
	&cmd_run,
	&cmd_list,
	&cmd_show,
	&cmd_log,
	&cmd_delete,
	&cmd_companion,
	&cmd_config,
	&cmd_profile,
	&cmd_secret,
	&cmd_version,
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const char exits[] =
    "exit status:\n"
    "  0  done; a backup is complete, perhaps with warnings\n"
    "  1  the backup has failed, or the system refused\n"
    "  2  wrong arguments or configuration\n"
    "  3  interrupted; 'stepvault run --resume' goes on\n"
    "  4  there is no such backup or profile\n"
    "  5  another process is working on it\n";

static void
print_help(FILE *out)
{
	fprintf(out,
	    "usage: stepvault [--config FILE] [--stay-root] COMMAND …\n\n"
	    "Back up web sites in steps that can be killed at any time.\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-9s %s\n            %s\n", commands[i]->name,
		    commands[i]->arguments, commands[i]->help);
	fprintf(out,
	    "\n  --config FILE  instead of $STEPVAULT_CONFIG, ~/.config/"
	    "stepvault/\n"
	    "                 stepvault.conf or /etc/stepvault/stepvault."
	    "conf\n"
	    "  --stay-root    root does not become the configuration's owner\n"
	    "  --json         where shown: for programs to read\n\n%s",
	    exits);
}

void
cli_complain(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "stepvault: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
}

int
cli_fault(const struct fault *fault)
{
	cli_complain("%s", fault->text);
	switch (fault->code) {
	case FAULT_USAGE:
		return CLI_USAGE;
	case FAULT_NOT_FOUND:
		return CLI_NOT_FOUND;
	case FAULT_BUSY:
		return CLI_BUSY;
	case FAULT_NONE:
	case FAULT_AUTH:
	case FAULT_RETRY:
	case FAULT_SYSTEM:
	case FAULT_CORRUPT:
		break;
	}
	return CLI_FAILED;
}

int
cli_load_config(struct cli *cli, struct config *config)
{
	struct fault fault;

	cli->config = config;
	if (config_load(config, cli->config_path, cli->user, &fault) == 0)
		return CLI_OK;
	/* No file is a mistake of whoever calls, not a missing backup. */
	if (fault.code == FAULT_NOT_FOUND)
		fault.code = FAULT_USAGE;
	return cli_fault(&fault);
}

int
cli_usage(const struct command *command)
{
	fprintf(stderr, "usage: stepvault %s %s\n", command->name,
	    command->arguments);
	return CLI_USAGE;
}

int
cli_options(const struct command *command, int argc, char **argv, bool *json)
{
	static const struct option with_json[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	optind = 0;
	if (json != NULL)
		*json = false;
	while ((option = getopt_long(argc, argv, "",
		    json != NULL ? with_json : with_json + 1, NULL)) != -1) {
		if (option != 'j' || json == NULL) {
			cli_usage(command);
			return -1;
		}
		*json = true;
	}
	return optind;
}

int
cli_find_id(const struct cli *cli, const char *argument, char id[ID_SIZE])
{
	struct history history;
	struct fault fault;
	int status = CLI_OK;

	if (datadir_is_id(argument)) {
		memcpy(id, argument, ID_SIZE);
		return 0;
	}
	if (strcmp(argument, "latest") != 0) {
		cli_complain("'%s' is no backup ID; 'stepvault list' shows "
			     "them, and 'latest' is the newest",
		    argument);
		return CLI_USAGE;
	}
	if (history_load(&history, &cli->engine->datadir, 0, &fault) != 0) {
		status = cli_fault(&fault);
	} else if (history.count == 0) {
		cli_complain("there is no backup yet");
		status = CLI_NOT_FOUND;
	} else {
		memcpy(id, history.entries[0].id, ID_SIZE);
	}
	history_close(&history);
	return status;
}

const char *
cli_size(int64_t bytes, char text[32])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double size = (double)bytes;
	size_t unit = 0;

	while (size >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		size /= 1024;
		unit++;
	}
	snprintf(text, 32, unit > 0 ? "%.1f %s" : "%.0f %s", size, units[unit]);
	return text;
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	cli_complain(
	    "there is no command '%s'; 'stepvault --help' shows them", name);
	return NULL;
}

/* The help of one command. */
static int
print_command_help(const struct command *command)
{
	printf("usage: stepvault [--config FILE] %s%s%s\n\n%s\n\n%s",
	    command->name, command->arguments[0] != '\0' ? " " : "",
	    command->arguments, command->help, exits);
	return CLI_OK;
}

/* Load what the command needs, run it, and free it all again. */
static int
run_command(
    struct cli *cli, const struct command *command, int argc, char **argv)
{
	struct config config = { 0 };
	struct engine engine = { .datadir = DATADIR_CLOSED };
	struct fault fault;
	int status = CLI_OK;

	if (command->needs != CLI_NOTHING)
		status = cli_load_config(cli, &config);
	if (status == CLI_OK && command->needs == CLI_ENGINE) {
		if (engine_open(&engine, &config, &fault) != 0)
			status = cli_fault(&fault);
		engine.has_companion = true;
		cli->engine = &engine;
	}
	if (status == CLI_OK)
		status = command->run(cli, argc, argv);
	cli->engine = NULL;
	cli->config = NULL;
	engine_close(&engine);
	config_close(&config);
	return status;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "stay-root", no_argument, NULL, 'r' },
		{ "companion", no_argument, NULL, 'C' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	struct cli cli = { .user = CONFIG_BECOME_OWNER };
	const struct command *command;
	int option;

	signal(SIGPIPE, SIG_IGN);
	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			cli.config_path = optarg;
			break;
		case 'r':
			cli.user = CONFIG_STAY;
			break;
		case 'C':
			cli.detached = true;
			break;
		case 'h':
			print_help(stdout);
			return CLI_OK;
		case 'v':
			return cmd_version.run(&cli, 0, NULL);
		default:
			print_help(stderr);
			return CLI_USAGE;
		}
	}
	/* As which it starts itself. */
	if (cli.detached && optind == argc)
		return run_command(&cli, &cmd_companion, 1, argv);
	if (optind == argc) {
		print_help(stderr);
		return CLI_USAGE;
	}
	command = find_command(argv[optind]);
	if (command != NULL && optind + 1 < argc &&
	    strcmp(argv[optind + 1], "--help") == 0)
		return print_command_help(command);
	return command != NULL
	    ? run_command(&cli, command, argc - optind, argv + optind)
	    : CLI_USAGE;
}
