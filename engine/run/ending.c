/* SPDX-License-Identifier: MIT */
#include "run/ending.h"

#include "base/fault.h"
#include "base/fsio.h"
#include "base/stamp.h"
#include "base/strbuf.h"
#include "pack/digest.h"
#include "run/engine.h"
#include "run/job.h"
#include "store/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASH_PIECE (64 * 1024)

/* Remove all files of a directory but two; 0 or -1. */
static int
clear_dir(
    int dirfd, const char *keep, const char *keep_too, struct fault *fault)
{
	int fd = fsio_open(dirfd, ".", O_DIRECTORY);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	int result = 0;

	if (dir == NULL) {
		fault_errno(fault, "a backup's folder");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (result == 0 && (errno = 0, entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    strcmp(name, keep) == 0 || strcmp(name, keep_too) == 0)
			continue;
		if (fsio_remove(dirfd, name) != 0 && errno != ENOENT)
			result = fault_errno(
			    fault, "a backup's file cannot be removed");
	}
	if (result == 0 && errno != 0)
		result = fault_errno(fault, "a backup's folder");
	closedir(dir);
	return result;
}

/*
 * Remove the directory id below parent, the file last in it at the end.  After
 * a power cut others may be there without it: prune and start know them for
 * what they are.
 */
static int
remove_dir(int parent, const char *id, const char *last, struct fault *fault)
{
	int fd = fsio_open(parent, id, O_DIRECTORY);
	int result;

	if (fd < 0)
		return errno == ENOENT ? 0
				       : fault_errno(fault, "backup %s", id);
	result = clear_dir(fd, last, last, fault);
	if (result == 0 && fsio_remove(fd, last) != 0 && errno != ENOENT)
		result = fault_errno(fault, "backup %s", id);
	close(fd);
	if (result == 0 && fsio_remove_dir(parent, id) != 0 && errno != ENOENT)
		result = fault_errno(fault, "backup %s", id);
	if (result == 0 && fsio_sync_dir(parent) != 0)
		result = fault_errno(fault, "backup %s", id);
	return result;
}

int
ending_remove_job(struct engine *engine, const char *id, struct fault *fault)
{
	return remove_dir(engine->datadir.jobs, id, STATE_FILE, fault);
}

int
ending_remove_backup(struct engine *engine, const char *id, struct fault *fault)
{
	return remove_dir(engine->datadir.backups, id, RECORD_FILE, fault);
}

static int
add_warnings(struct job *job, struct record *record, struct fault *fault)
{
	struct spool *spool = job_spool(job, SPOOL_WARNINGS, fault);
	struct spool_reader reader;
	size_t length;
	char *line;
	int found = 0;

	if (spool == NULL)
		return -1;
	spool_reader_open(&reader, spool, 0);
	while (record->warning_count < RECORD_WARNINGS_MAX &&
	    (found = spool_next(&reader, &line, &length, fault)) > 0) {
		char *path = strchr(line, '\t');

		if (path == NULL || strbuf_unescape(path + 1) < 0) {
			found = fault_set(fault, FAULT_CORRUPT,
			    "the spool 'warnings' has a line that makes no "
			    "sense");
			break;
		}
		*path = '\0';
		record_add_warning(record, path + 1, line);
	}
	spool_reader_close(&reader);
	return record->warning_count < RECORD_WARNINGS_MAX ? found : 0;
}

static int
add_databases(struct job *job, struct record *record, struct fault *fault)
{
	struct spool *spool = job_spool(job, SPOOL_DATABASES, fault);
	struct record_database database;
	struct spool_reader reader;
	size_t length;
	char *line;
	int found;

	if (spool == NULL)
		return -1;
	spool_reader_open(&reader, spool, 0);
	while ((found = spool_next(&reader, &line, &length, fault)) > 0) {
		if (record_database_read(&database, line, length, fault) != 0) {
			record_database_close(&database);
			found = fault_wrap(fault, "the spool 'databases'");
			break;
		}
		record_add_database(record, &database);
	}
	spool_reader_close(&reader);
	return found;
}

static void
add_parts(const struct job *job, struct record *record)
{
	int64_t size = job->profile->part_size, rest = job->state.volume;
	int64_t count = volume_parts(size, rest);
	char name[VOLUME_NAME_SIZE];

	for (int64_t part = 0; part < count; part++) {
		int64_t length = size != 0 && rest > size ? size : rest;

		record_add_part(record,
		    volume_part_name(name, job->state.archive, size, part, ""),
		    length);
		rest -= length;
	}
}

/* SHA-256 of the file "frames". */
static int
hash_frames(struct job *job, struct record *record, struct fault *fault)
{
	int64_t length = job->state.spools[SPOOL_FRAMES].length, at = 0;
	int fd = fsio_open(job->backupfd, "frames", 0);
	uint8_t *piece = malloc(HASH_PIECE);
	struct digest digest;
	ssize_t got = 0;

	if (piece == NULL)
		abort();
	digest_init(&digest);
	while (fd >= 0 && (got = fsio_read_at(fd, piece, HASH_PIECE, at)) > 0) {
		digest_add(&digest, piece, (size_t)got);
		at += got;
	}
	free(piece);
	if (fd < 0 || got < 0)
		fault_errno(fault, "the file 'frames' cannot be read");
	if (fd >= 0)
		close(fd);
	if (fd < 0 || got < 0)
		return -1;
	if (at != length)
		return fault_set(fault, FAULT_CORRUPT,
		    "the file 'frames' is not as long as its state says");
	digest_finish(&digest, record->frames_sha256);
	return 0;
}

int
ending_record(struct job *job, enum record_status status, struct record *record,
    struct fault *fault)
{
	const struct state *state = &job->state;

	memset(record, 0, sizeof(*record));
	memcpy(record->id, state->id, ID_SIZE);
	record->number = state->number;
	record->profile = state->profile;
	record->profile_name =
	    strbuf_copy(job->profile != NULL ? job->profile->name : "");
	record->origin = state->origin;
	record->status = (int)status;
	record->started = state->started;
	memcpy(record->phase_ms, state->phase_ms, sizeof(record->phase_ms));
	record->phase_count = PHASE_COUNT;
	record->steps = state->steps;
	record->checkpoints = state->checkpoints;
	record->kills = state->kills;
	record->counts = state->counts;
	if (status == RECORD_RUNNING)
		return 0;
	record->ended = stamp_now();
	if (status == RECORD_FAILED) {
		struct fault unused;

		record->reason = strbuf_copy(state->reason);
		/* A damaged list of warnings must not hide the failure. */
		if (add_databases(job, record, &unused) != 0 ||
		    add_warnings(job, record, &unused) != 0)
			logbook_write(&job->log, "%s", unused.text);
		return 0;
	}
	record->plain_size = state->plain;
	record->archive_size = state->volume;
	record->frames = state->spools[SPOOL_FRAMES].lines;
	memcpy(
	    record->manifest_sha256, state->manifest_sha256, TOKEN_HASH_SIZE);
	memcpy(record->sums_sha256, state->sums_sha256, TOKEN_HASH_SIZE);
	add_parts(job, record);
	if (add_databases(job, record, fault) != 0 ||
	    add_warnings(job, record, fault) != 0)
		return -1;
	return hash_frames(job, record, fault);
}

/*
 * The record of a failure needs space, and the disk may be full with what the
 * backup took: that goes first if there is no other way.  A kill in between
 * leaves a backup without its parts, which fails, too.
 */
static int
save_failure(struct job *job, const struct record *record, struct fault *fault)
{
	const struct keys *keys = &job->engine->datadir.keys;

	if (record_save(record, job->backupfd, keys, fault) == 0)
		return 0;
	volume_close(&job->volume);
	job->volume_open = false;
	if (clear_dir(job->backupfd, RECORD_FILE, "log", fault) != 0)
		return -1;
	return record_save(record, job->backupfd, keys, fault);
}

int
ending_fail(struct job *job, const char *reason, struct fault *fault)
{
	struct engine *engine = job->engine;
	const struct keys *keys = &engine->datadir.keys;
	struct record record;
	struct fault unused;
	int result;

	logbook_write(&job->log, "failed: %s", reason);
	/*
	 * The state first, so that it and the record never disagree.  If that
	 * fails for lack of space, the record's failure is what counts.
	 */
	if (job->state.reason[0] == '\0') {
		snprintf(
		    job->state.reason, sizeof(job->state.reason), "%s", reason);
		if (state_save(&job->state, job->jobfd, keys, &unused) != 0)
			logbook_write(&job->log, "%s", unused.text);
	}
	result = ending_record(job, RECORD_FAILED, &record, fault);
	if (result == 0)
		result = save_failure(job, &record, fault);
	record_close(&record);
	if (result != 0)
		return -1;
	if (clear_dir(job->backupfd, RECORD_FILE, "log", fault) != 0)
		return -1;
	return ending_remove_job(engine, job->state.id, fault);
}

/* The record of a backup of which nothing else is left. */
static void
make_up_record(struct record *record, const char *id)
{
	record_close(record);
	memcpy(record->id, id, ID_SIZE);
	record->profile_name = strbuf_copy("");
	record->phase_count = PHASE_COUNT;
}

int
ending_fail_lost(struct engine *engine, const char *id, const char *reason,
    struct fault *fault)
{
	struct datadir *datadir = &engine->datadir;
	struct record record;
	struct fault why;
	int dirfd = -1, result = 0;

	/* Unverified: whoever lost the key must not lose an archive to it. */
	if (record_load(&record, datadir, id, RECORD_UNVERIFIED, &why) != 0) {
		if (why.code == FAULT_RETRY) {
			*fault = why;
			record_close(&record);
			return -1;
		}
		make_up_record(&record, id);
	}
	if (record.status == RECORD_RUNNING) {
		record.status = RECORD_FAILED;
		record.ended = stamp_now();
		record.reason = strbuf_copy(reason);
		if (fsio_make_dir(datadir->backups, id) != 0 ||
		    (dirfd = fsio_open(datadir->backups, id, O_DIRECTORY)) < 0)
			result = fault_errno(fault, "backup %s", id);
		else
			result =
			    record_save(&record, dirfd, &datadir->keys, fault);
	}
	if (result == 0 && dirfd >= 0)
		result = clear_dir(dirfd, RECORD_FILE, "log", fault);
	if (dirfd >= 0)
		close(dirfd);
	record_close(&record);
	return result != 0 ? -1 : ending_remove_job(engine, id, fault);
}
