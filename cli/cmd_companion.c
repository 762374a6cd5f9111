/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include "base/fault.h"
#include "run/companion.h"

static int
run(struct cli *cli, int argc, char **argv)
{
	struct fault fault;

	(void)argv;
	if (argc > 1)
		return cli_usage(&cmd_companion);
	return companion_main(cli->engine, cli->detached, &fault) == 0
	    ? CLI_OK
	    : cli_fault(&fault);
}

const struct command cmd_companion = {
	.name = "companion",
	.arguments = "",
	.help = "hold snapshots for the steps, under a service manager",
	.needs = CLI_ENGINE,
	.run = run,
};
