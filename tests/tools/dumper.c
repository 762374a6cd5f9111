/* SPDX-License-Identifier: MIT */
/*
 * usage: dumper [-s SOCKET] [-u USER] [-b BYTES] [-e SECONDS] [-o DIRECTORY]
 *		[-fnrt] DATABASE [TABLE]...
 *
 * Dump a database, or some of its tables, by dump_list and dump_read, to the
 * standard output, or each piece to a file of its own.  Pieces have BYTES
 * (-b); each is read
 *
 *	-f  by a connection of its own
 *	-n  without a snapshot
 *	-r  after a rest (-e: of so many seconds) if it is not the first
 *	-t  twice; the second one counts
 *
 * What it took is said on the standard error.  The exit status is 0, 1 for a
 * fault, or 3 if the dump would have to begin again.
 */
#include "base/budget.h"
#include "base/fault.h"
#include "base/strbuf.h"
#include "source/dump.h"
#include "store/cursor.h"
#include "store/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct job {
	struct profile profile;
	struct database database;
	struct dump_terms terms;
	struct dump *dump;
	int64_t bytes;
	int64_t pause; /* nanoseconds */
	bool fresh, rest, twice;
	const char *directory;
	struct strbuf text;
	struct strbuf notes;
	int64_t pieces, held, written, rows, waits;
	size_t largest;
};

static struct dump_place place, before;

static void
give_up(const char *what, const struct fault *fault, int status)
{
	fprintf(stderr, "dumper: %s: %s: %s\n", what,
	    fault_code_name(fault->code), fault->text);
	exit(status);
}

static void
connect_again(struct job *job)
{
	struct fault fault;

	dump_close(job->dump);
	if (dump_open(&job->dump, &job->terms, &fault) != 0)
		give_up("dump_open", &fault, 1);
}

static void
write_piece(struct job *job)
{
	FILE *file = stdout;
	char path[4096];

	if (job->text.length == 0)
		return;
	job->pieces++;
	job->written += (int64_t)job->text.length;
	if (job->text.length > job->largest)
		job->largest = job->text.length;
	if (job->directory != NULL) {
		snprintf(path, sizeof(path), "%s/%06lld.sql", job->directory,
		    (long long)job->pieces);
		file = fopen(path, "we");
	}
	if (file == NULL ||
	    fwrite(job->text.bytes, 1, job->text.length, file) !=
		job->text.length ||
	    (file == stdout ? fflush(file) : fclose(file)) != 0) {
		perror("dumper");
		exit(1);
	}
}

/* Sleep between two pieces as a companion would. */
static void
idle(struct job *job)
{
	struct timespec nap = { 0, 100000000 };
	int64_t end = budget_now() + job->pause;
	struct fault fault;

	dump_rest(job->dump);
	while (budget_now() < end) {
		nanosleep(&nap, NULL);
		if (dump_idle(job->dump, &fault) != 0)
			give_up("dump_idle", &fault, 3);
	}
}

static enum dump_outcome
read_piece(struct job *job, const char *line, struct fault *fault)
{
	struct timespec nap = { 0, 50000000 };
	enum dump_outcome outcome;

	strbuf_reset(&job->text);
	while ((outcome = dump_read(job->dump, line, job->bytes, &place,
		    &job->text, &job->notes, fault)) == DUMP_WAIT) {
		if (++job->waits == 1000)
			give_up(line, fault, 4);
		nanosleep(&nap, NULL);
	}
	return outcome;
}

static void
dump_object(struct job *job, const char *line)
{
	enum dump_outcome outcome = DUMP_MORE;
	struct fault fault;

	memset(&place, 0, sizeof(place));
	do {
		bool at_once = outcome == DUMP_HELD;

		if (at_once || place.structure[0] == '\0')
			;
		else if (job->fresh)
			connect_again(job);
		else if (job->rest)
			idle(job);
		before = place;
		outcome = read_piece(job, line, &fault);
		if (job->twice && outcome != DUMP_HELD) {
			place = before;
			outcome = read_piece(job, line, &fault);
		}
		if (outcome == DUMP_AGAIN)
			give_up(line, &fault, 3);
		if (outcome == DUMP_FAULT)
			give_up(line, &fault, 1);
		job->held += outcome == DUMP_HELD;
		write_piece(job);
	} while (outcome != DUMP_ENDED);
	job->rows += place.rows;
}

static bool
is_wanted(const char *line, char **tables)
{
	struct dump_object object;
	struct fault fault;
	bool wanted = *tables == NULL;

	if (dump_object_parse(&object, line, &fault) != 0)
		give_up("dump_object_parse", &fault, 1);
	for (; *tables != NULL; tables++)
		wanted |= object.is_table && strcmp(object.name, *tables) == 0;
	dump_object_close(&object);
	return wanted;
}

static void
dump_all(struct job *job, char **tables)
{
	struct strbuf list = STRBUF_EMPTY;
	struct fault fault;
	char *save, *line;

	if (dump_list(job->dump, &list, &job->notes, &fault) != DUMP_ENDED)
		give_up("dump_list", &fault, 1);
	for (line = strtok_r(list.bytes, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		if (is_wanted(line, tables))
			dump_object(job, line);
	strbuf_close(&list);
}

/* KiB.  What getrusage says is at least what the parent had. */
static long
peak_memory(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];
	long peak = -1;

	while (status != NULL && fgets(line, sizeof(line), status) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0)
			peak = strtol(line + 6, NULL, 10);
	if (status != NULL)
		fclose(status);
	return peak;
}

static void
report(const struct job *job, int64_t began)
{
	fprintf(stderr,
	    "pieces=%lld held=%lld rows=%lld bytes=%lld largest=%zu waits=%lld "
	    "seconds=%.3f peak_kib=%ld\n",
	    (long long)job->pieces, (long long)job->held, (long long)job->rows,
	    (long long)job->written, job->largest, (long long)job->waits,
	    (double)(budget_now() - began) / 1e9, peak_memory());
	fputs(strbuf_text(&job->notes), stderr);
}

static void
take_option(struct job *job, int option)
{
	switch (option) {
	case 's':
		job->database.socket = optarg;
		break;
	case 'u':
		job->database.user = optarg;
		break;
	case 'b':
		job->bytes = strtoll(optarg, NULL, 10);
		break;
	case 'e':
		job->pause = (int64_t)(strtod(optarg, NULL) * 1e9);
		break;
	case 'o':
		job->directory = optarg;
		break;
	case 't':
		job->twice = true;
		break;
	case 'f':
		job->fresh = true;
		break;
	case 'n':
		job->terms.snapshot = false;
		break;
	case 'r':
		job->rest = true;
		break;
	default:
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	struct job job = {
		.database = { .user = "root" },
		.terms = { .snapshot = true },
		.bytes = DUMP_PIECE_MAX,
	};
	int64_t began = budget_now();
	int option;

	while ((option = getopt(argc, argv, "s:u:b:e:o:fnrt")) != -1)
		take_option(&job, option);
	if (optind == argc)
		return 2;
	job.database.name = job.database.label = argv[optind];
	job.terms.profile = &job.profile;
	job.terms.database = &job.database;
	connect_again(&job);
	dump_all(&job, argv + optind + 1);
	dump_close(job.dump);
	report(&job, began);
	strbuf_close(&job.text);
	strbuf_close(&job.notes);
	return 0;
}
