/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include "base/fault.h"
#include "base/fsio.h"
#include "run/engine.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int
print_log(int fd)
{
	char bytes[65536];
	ssize_t got;

	while ((got = fsio_read(fd, bytes, sizeof(bytes))) > 0)
		if (fwrite(bytes, 1, (size_t)got, stdout) != (size_t)got)
			return CLI_FAILED;
	return got < 0 ? CLI_FAILED : CLI_OK;
}

static int
run(struct cli *cli, int argc, char **argv)
{
	struct fault fault;
	char id[ID_SIZE];
	int dirfd, fd, status;
	int first = cli_options(&cmd_log, argc, argv, NULL);

	if (first < 0)
		return CLI_USAGE;
	if (argc - first != 1)
		return cli_usage(&cmd_log);
	status = cli_find_id(cli, argv[first], id);
	if (status != CLI_OK)
		return status;
	dirfd = fsio_open(cli->engine->datadir.backups, id, O_DIRECTORY);
	fd = dirfd >= 0 ? fsio_open(dirfd, "log", 0) : -1;
	if (fd < 0) {
		fault_errno(&fault, "the log of backup %s", id);
		status = cli_fault(&fault);
	} else {
		status = print_log(fd);
		close(fd);
	}
	if (dirfd >= 0)
		close(dirfd);
	return status;
}

const struct command cmd_log = {
	.name = "log",
	.arguments = "ID|latest",
	.help = "print the log of a backup",
	.needs = CLI_ENGINE,
	.run = run,
};
