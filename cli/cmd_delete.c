/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include "base/fault.h"
#include "run/ending.h"
#include "run/engine.h"
#include "run/runner.h"
#include "store/lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int
delete_backup(struct engine *engine, const char *id, struct fault *fault)
{
	struct lock lock = LOCK_FREE;
	int result;

	if (faccessat(engine->datadir.backups, id, F_OK, 0) != 0)
		return fault_set(
		    fault, FAULT_NOT_FOUND, "there is no backup %s", id);
	/* What is unfinished ends first, so that nothing goes on with it. */
	if (runner_abandon(engine, id, "it was deleted", fault) != 0)
		return -1;
	if (lock_take(&lock, &engine->datadir, id, NULL, fault) != 0)
		return -1;
	result = ending_remove_backup(engine, id, fault);
	lock_remove(&lock, &engine->datadir, id);
	return result;
}

static int
run(struct cli *cli, int argc, char **argv)
{
	struct fault fault;
	char id[ID_SIZE];
	int status, first = cli_options(&cmd_delete, argc, argv, NULL);

	if (first < 0)
		return CLI_USAGE;
	if (argc - first != 1)
		return cli_usage(&cmd_delete);
	status = cli_find_id(cli, argv[first], id);
	if (status != CLI_OK)
		return status;
	if (delete_backup(cli->engine, id, &fault) != 0)
		return cli_fault(&fault);
	printf("backup %s is deleted\n", id);
	return CLI_OK;
}

const struct command cmd_delete = {
	.name = "delete",
	.arguments = "ID",
	.help = "delete a backup, an unfinished one too",
	.needs = CLI_ENGINE,
	.run = run,
};
