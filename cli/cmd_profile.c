/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include "base/strbuf.h"
#include "source/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a person reads of a list; --json has all of it. */
#define SHOWN_MAX 20

static void
print_word(const char *text)
{
	struct strbuf out = STRBUF_EMPTY;

	strbuf_add_printable(&out, text, strlen(text));
	fputs(strbuf_text(&out), stdout);
	strbuf_close(&out);
}

/* One name after another, if there are any. */
static void
print_names(const char *what, const struct probe_items *items)
{
	if (items->count == 0)
		return;
	printf("  %-15s ", what);
	for (int i = 0; i < items->count && i < SHOWN_MAX; i++) {
		fputs(i > 0 ? ", " : "", stdout);
		print_word(items->all[i].name);
	}
	if (items->count > SHOWN_MAX)
		printf(" and %d more", items->count - SHOWN_MAX);
	printf("\n");
}

/* A line for each. */
static void
print_sentences(const char *what, const struct probe_items *items)
{
	for (int i = 0; i < items->count && i < SHOWN_MAX; i++) {
		printf("  %-15s ", i == 0 ? what : "");
		print_word(items->all[i].name);
		printf(": %s\n", items->all[i].text);
	}
	if (items->count > SHOWN_MAX)
		printf("  %-15s and %d more\n", "", items->count - SHOWN_MAX);
}

static void
print_snapshot(const struct cli *cli, const struct probe *probe)
{
	int uncovered = probe->uncovered.count;

	printf("  %-15s ", "snapshot");
	if (probe->no_snapshot != NULL) {
		printf("no: %s\n", probe->no_snapshot);
		return;
	}
	if (cli->config->companion)
		printf("yes, held between steps");
	else
		printf("by 'stepvault run' only, for companion = no");
	if (uncovered > 0)
		printf("; not of %d table%s", uncovered,
		    uncovered == 1 ? "" : "s");
	printf("\n");
}

static void
print_probe(const struct cli *cli, const struct probe *probe)
{
	char size[32];

	print_word(probe->label != NULL ? probe->label : probe->address);
	printf("\n  %-15s ", "address");
	print_word(probe->address);
	printf("\n");
	if (probe->server != NULL) {
		printf("  %-15s %s, %s%s\n", "server", probe->server,
		    probe->cipher != NULL ? "encrypted by " : "not encrypted",
		    probe->cipher != NULL ? probe->cipher : "");
		print_snapshot(cli, probe);
	}
	print_sentences("lost without", &probe->lacking);
	if (probe->problem != NULL) {
		printf("  %-15s %s\n", "problem", probe->problem);
		return;
	}
	printf("  %-15s %lld, %s\n", "tables", (long long)probe->tables,
	    cli_size(probe->bytes, size));
	print_names("not in snapshot", &probe->uncovered);
	print_names("without a key", &probe->keyless);
	print_sentences("warnings", &probe->notes);
}

/* All of them; whether each can be dumped. */
static int
test(const struct cli *cli, const struct profile *profile, bool json)
{
	const struct databases *databases = &profile->databases;
	struct strbuf text = STRBUF_EMPTY;
	int status = CLI_OK;

	if (databases->count == 0 && !json)
		printf("[profile %lld] names no database\n",
		    (long long)profile->number);
	for (int i = 0; i < databases->count; i++) {
		struct probe probe;

		probe_database(&probe, profile, &databases->items[i]);
		if (probe.problem != NULL)
			status = CLI_FAILED;
		strbuf_addstr(&text, i > 0 ? ",\n" : "");
		probe_print(&probe, &text);
		strbuf_cut(&text, text.length - 1);
		if (!json)
			print_probe(cli, &probe);
		probe_close(&probe);
	}
	if (json)
		printf("[%s]\n", strbuf_text(&text));
	strbuf_close(&text);
	return status;
}

static int
run(struct cli *cli, int argc, char **argv)
{
	const struct profile *profile;
	int64_t number = 1;
	bool json;
	int first = cli_options(&cmd_profile, argc, argv, &json);

	if (first < 0)
		return CLI_USAGE;
	if (argc - first < 1 || argc - first > 2 ||
	    strcmp(argv[first], "test") != 0)
		return cli_usage(&cmd_profile);
	if (argc - first == 2) {
		char *end;

		errno = 0;
		number = strtoll(argv[first + 1], &end, 10);
		if (errno != 0 || end == argv[first + 1] || *end != '\0')
			return cli_usage(&cmd_profile);
	}
	profile = config_profile(cli->config, number);
	if (profile == NULL) {
		cli_complain("there is no [profile %lld] in %s",
		    (long long)number, cli->config->path);
		return CLI_NOT_FOUND;
	}
	return test(cli, profile, json);
}

const struct command cmd_profile = {
	.name = "profile",
	.arguments = "test [N] [--json]",
	.help = "see whether its databases can be backed up, and how well",
	.needs = CLI_CONFIG,
	.run = run,
};
