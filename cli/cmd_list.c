/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include "base/fault.h"
#include "base/stamp.h"
#include "base/strbuf.h"
#include "run/engine.h"
#include "store/history.h"

#include <stdio.h>

static void
print_row(const struct record *record, bool verified)
{
	char when[STAMP_TEXT_SIZE], size[32];

	printf("%-5lld %s  %-8s %-7lld %10s %5lld  %s%s\n",
	    (long long)record->number, record->id,
	    record_status_words[record->status], (long long)record->profile,
	    cli_size(record->archive_size, size),
	    (long long)record->counts.warnings,
	    stamp_text(record->started, when),
	    verified ? "" : "  (unverified)");
}

/* One backup of the list; its record may be that of a lost key. */
static void
print_one(const struct cli *cli, const struct history_entry *entry, bool json,
    bool first)
{
	struct strbuf text = STRBUF_EMPTY;
	struct record record;
	struct fault fault;

	if (record_load(&record, &cli->engine->datadir, entry->id,
		RECORD_UNVERIFIED, &fault) != 0) {
		cli_complain("%s", fault.text);
	} else if (json) {
		record_print(&record, 0, &text);
		strbuf_cut(&text, text.length - 1);
		printf("%s%s", first ? "" : ",\n", text.bytes);
	} else {
		print_row(&record, entry->verified);
	}
	strbuf_close(&text);
	record_close(&record);
}

static int
run(struct cli *cli, int argc, char **argv)
{
	struct history history;
	struct fault fault;
	bool json;
	int first = cli_options(&cmd_list, argc, argv, &json);

	if (first < 0)
		return CLI_USAGE;
	if (first != argc)
		return cli_usage(&cmd_list);
	if (history_load(&history, &cli->engine->datadir, 0, &fault) != 0)
		return cli_fault(&fault);
	if (json)
		printf("[");
	else if (history.count > 0)
		printf("%-5s %-32s  %-8s %-7s %10s %5s  %s\n", "no", "id",
		    "status", "profile", "size", "warn", "started");
	for (size_t i = 0; i < history.count; i++)
		print_one(cli, &history.entries[i], json, i == 0);
	if (json)
		printf("]\n");
	history_close(&history);
	return CLI_OK;
}

const struct command cmd_list = {
	.name = "list",
	.arguments = "[--json]",
	.help = "list all backups, the newest first",
	.needs = CLI_ENGINE,
	.run = run,
};
