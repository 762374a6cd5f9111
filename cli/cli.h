/* SPDX-License-Identifier: MIT */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "store/config.h"
#include "store/datadir.h"

struct engine;
struct fault;
struct runner_result;

/*
 * The stepvault command: the engine without a web server.  main finds the
 * subcommand and loads what it needs; each subcommand has a file of its own.
 */

/* Exit status, as the help and the README tell it. */
enum cli_exit {
	CLI_OK = 0,         /* done; a backup is complete */
	CLI_FAILED = 1,     /* the backup has failed, or a system error */
	CLI_USAGE = 2,      /* wrong arguments or configuration */
	CLI_UNFINISHED = 3, /* interrupted; the backup can be resumed */
	CLI_NOT_FOUND = 4,  /* there is no such backup or profile */
	CLI_BUSY = 5,       /* another process is working on the backup */
};

/* What a subcommand is given. */
struct cli {
	const char *config_path; /* from --config, or NULL */
	enum config_user user;
	bool detached;         /* companion: nobody waits for it */
	struct config *config; /* loaded if the command needs it */
	struct engine *engine; /* open if the command needs it */
};

enum cli_needs { CLI_NOTHING, CLI_CONFIG, CLI_ENGINE };

struct command {
	const char *name;
	const char *arguments; /* for the usage line */
	const char *help;      /* one line */
	enum cli_needs needs;
	/* argv[0] is the command's name.  Returns an exit status. */
	int (*run)(struct cli *cli, int argc, char **argv);
};

extern const struct command cmd_companion;
extern const struct command cmd_config;
extern const struct command cmd_delete;
extern const struct command cmd_init;
extern const struct command cmd_list;
extern const struct command cmd_log;
extern const struct command cmd_profile;
extern const struct command cmd_run;
extern const struct command cmd_secret;
extern const struct command cmd_show;
extern const struct command cmd_version;

/* Print "stepvault: " and a text to standard error. */
void
cli_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Complain about a fault and return the exit status that fits its code. */
int cli_fault(const struct fault *fault);

/*
 * Load the configuration into config, which becomes that of cli; to be closed
 * by the caller in any case.  Returns CLI_OK, or an exit status after a
 * complaint.
 */
int cli_load_config(struct cli *cli, struct config *config);

/* Complain about the arguments of a command; returns CLI_USAGE. */
int cli_usage(const struct command *command);

/*
 * The options of a command: sets *json if --json is given (json NULL: there
 * is no such option), and leaves the number of the first argument that is no
 * option.  Returns it, or -1 after a complaint.
 */
int
cli_options(const struct command *command, int argc, char **argv, bool *json);

/*
 * The ID in argv if it is one, or that of the newest backup if it says
 * "latest".  Copies it to id and returns 0, or an exit status after a
 * complaint.
 */
int cli_find_id(const struct cli *cli, const char *argument, char id[ID_SIZE]);

/* A size for people, such as "1.2 GiB"; returns text. */
const char *cli_size(int64_t bytes, char text[32]);

#endif
