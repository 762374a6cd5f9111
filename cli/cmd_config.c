/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include "base/fault.h"
#include "base/strbuf.h"
#include "run/engine.h"
#include "source/filter.h"
#include "source/site.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What the configuration cannot know: whether its folders are there, and its
 * databases named where it says. */
static int
check_folder(const char *path, int64_t profile)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	cli_complain("[profile %lld]: %s is no folder that can be reached",
	    (long long)profile, path);
	return -1;
}

static int
check_profile(const struct profile *profile)
{
	struct fault fault;
	int status = CLI_OK;

	if (check_folder(profile->site, profile->number) != 0)
		status = CLI_USAGE;
	for (int i = 0; i < profile->extras.count; i++)
		if (check_folder(
			profile->extras.items[i].path, profile->number) != 0)
			status = CLI_USAGE;
	if (status != CLI_OK || site_check(profile, &fault) == 0)
		return status;
	cli_complain(
	    "[profile %lld]: %s", (long long)profile->number, fault.text);
	/* The service may read what this user may not. */
	if (fault.code != FAULT_SYSTEM)
		status = CLI_USAGE;
	return status;
}

static int
check(struct cli *cli)
{
	struct config config = { 0 };
	struct engine engine = { .datadir = DATADIR_CLOSED };
	struct fault fault;
	int status = cli_load_config(cli, &config);

	if (status == CLI_OK && engine_open(&engine, &config, &fault) != 0)
		status = cli_fault(&fault);
	for (int i = 0; status == CLI_OK && i < config.profile_count; i++)
		status = check_profile(&config.profiles[i]);
	if (status == CLI_OK) {
		printf("%s is right: %d profile%s, data in %s\n", config.path,
		    config.profile_count, config.profile_count == 1 ? "" : "s",
		    config.data);
		if (!config.secret.known || !config.enabled)
			printf("the endpoint is disabled: %s\n",
			    config.enabled ? "there is no secret"
					   : "enabled = no");
	}
	engine_close(&engine);
	config_close(&config);
	return status;
}

static int
run(struct cli *cli, int argc, char **argv)
{
	struct strbuf text = STRBUF_EMPTY;

	if (argc != 2)
		return cli_usage(&cmd_config);
	if (strcmp(argv[1], "check") == 0)
		return check(cli);
	if (strcmp(argv[1], "reference") == 0)
		config_reference(&text);
	else if (strcmp(argv[1], "excludes") == 0)
		filter_list_defaults(&text);
	else
		return cli_usage(&cmd_config);
	fputs(strbuf_text(&text), stdout);
	strbuf_close(&text);
	return CLI_OK;
}

const struct command cmd_config = {
	.name = "config",
	.arguments = "check|reference|excludes",
	.help = "check it, print all keys, print the default excludes",
	.needs = CLI_NOTHING,
	.run = run,
};
