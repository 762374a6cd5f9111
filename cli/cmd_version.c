/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdio.h>

static int
run(struct cli *cli, int argc, char **argv)
{
	(void)cli;
	(void)argv;
	if (argc > 1)
		return cli_usage(&cmd_version);
	printf("stepvault %s\n", STEPVAULT_VERSION);
	return CLI_OK;
}

const struct command cmd_version = {
	.name = "version",
	.arguments = "",
	.help = "print the version",
	.needs = CLI_NOTHING,
	.run = run,
};
