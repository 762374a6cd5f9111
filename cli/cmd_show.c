/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include "base/fault.h"
#include "base/stamp.h"
#include "base/strbuf.h"
#include "run/engine.h"
#include "store/record.h"

#include <stdio.h>
#include <string.h>

static void
print_line(const char *what, int64_t number)
{
	printf("%-16s %lld\n", what, (long long)number);
}

static void
print_counts(const struct counts *counts)
{
	char size[32];

	print_line("files", counts->files);
	printf("%-16s %s\n", "content", cli_size(counts->bytes, size));
	print_line("folders", counts->folders);
	print_line("symlinks", counts->symlinks);
	print_line("hard links", counts->hardlinks);
	print_line("special files", counts->specials);
	print_line("excluded", counts->excluded);
	print_line("sockets", counts->sockets);
	print_line("not read", counts->unread);
	print_line("changed", counts->changed);
	print_line("mounts", counts->mounts);
	print_line("lead out", counts->outside);
}

static void
print_times(const struct record *record)
{
	char when[STAMP_TEXT_SIZE];

	printf("%-16s %s\n", "started", stamp_text(record->started, when));
	if (record->ended != 0)
		printf("%-16s %s\n", "ended", stamp_text(record->ended, when));
	for (int phase = 0; phase < record->phase_count; phase++)
		printf("  %-14s %.3f s\n", record_phase_words[phase],
		    (double)record->phase_ms[phase] / 1000);
	print_line("steps", record->steps);
	print_line("checkpoints", record->checkpoints);
	print_line("kills survived", record->kills);
}

static void
print_databases(const struct record *record)
{
	char size[32];

	for (int i = 0; i < record->database_count; i++) {
		const struct record_database *database = &record->databases[i];

		printf("%-16s %s: %lld tables, %lld rows, %s, %s, %s\n",
		    "database", database->name, (long long)database->tables,
		    (long long)database->rows, cli_size(database->bytes, size),
		    record_consistency_words[database->consistency],
		    database->server);
	}
}

static void
print_warnings(const struct record *record)
{
	struct strbuf path = STRBUF_EMPTY;

	print_line("warnings", record->counts.warnings);
	for (int i = 0; i < record->warning_count; i++) {
		const struct record_warning *warning = &record->warnings[i];

		strbuf_reset(&path);
		strbuf_add_printable(
		    &path, warning->path, strlen(warning->path));
		printf("  %s: %s\n", path.bytes, warning->reason);
	}
	if (record->warning_count < record->counts.warnings)
		printf("  … 'stepvault log %s' has more of them\n", record->id);
	strbuf_close(&path);
}

static void
print_record(const struct cli *cli, const struct record *record)
{
	char size[32];

	printf("%-16s %s\n", "backup", record->id);
	print_line("number", record->number);
	printf("%-16s %lld (%s)\n", "profile", (long long)record->profile,
	    record->profile_name);
	printf("%-16s %s\n", "origin", record_origin_words[record->origin]);
	printf("%-16s %s\n", "status", record_status_words[record->status]);
	if (record->reason != NULL)
		printf("%-16s %s\n", "reason", record->reason);
	print_times(record);
	print_databases(record);
	print_counts(&record->counts);
	printf("%-16s %s\n", "archive", cli_size(record->archive_size, size));
	for (int i = 0; i < record->part_count; i++)
		printf("  %s/backups/%s/%s  %s\n", cli->config->data,
		    record->id, record->parts[i].name,
		    cli_size(record->parts[i].size, size));
	print_warnings(record);
}

static int
run(struct cli *cli, int argc, char **argv)
{
	struct strbuf text = STRBUF_EMPTY;
	struct record record;
	struct fault fault;
	char id[ID_SIZE];
	bool json;
	int status, first = cli_options(&cmd_show, argc, argv, &json);

	if (first < 0)
		return CLI_USAGE;
	if (argc - first != 1)
		return cli_usage(&cmd_show);
	status = cli_find_id(cli, argv[first], id);
	if (status != CLI_OK)
		return status;
	if (record_load(&record, &cli->engine->datadir, id, RECORD_UNVERIFIED,
		&fault) != 0) {
		status = cli_fault(&fault);
	} else if (json) {
		record_print(&record, 2, &text);
		fputs(strbuf_text(&text), stdout);
	} else {
		print_record(cli, &record);
	}
	strbuf_close(&text);
	record_close(&record);
	return status;
}

const struct command cmd_show = {
	.name = "show",
	.arguments = "[--json] ID|latest",
	.help = "show the record of a backup",
	.needs = CLI_ENGINE,
	.run = run,
};
