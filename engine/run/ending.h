/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_RUN_ENDING_H
#define ENGINE_RUN_ENDING_H

#include "store/record.h"

struct engine;
struct fault;
struct job;

/*
 * How backups end.  Each step can be repeated: what is gone already is
 * success.  The caller holds the backup's lock.
 */

/*
 * Fill in a record from the state of a job; a complete or failed one with its
 * warnings, a complete one with its parts and hashes too.  Returns 0 or -1;
 * after either, record_close.
 */
int ending_record(struct job *job, enum record_status status,
    struct record *record, struct fault *fault);

/*
 * The backup has failed: state and record say why, then its parts and its job
 * are removed.  Returns 0, or -1 if even the record could not be written; the
 * next call tries again.
 */
int ending_fail(struct job *job, const char *reason, struct fault *fault);

/*
 * The same for a backup whose state is missing or damaged, so that there is
 * no job to be opened.  A backup that is already complete stays so.
 */
int ending_fail_lost(struct engine *engine, const char *id, const char *reason,
    struct fault *fault);

/* Remove the job of a backup that has ended, its state last.  0 or -1. */
int
ending_remove_job(struct engine *engine, const char *id, struct fault *fault);

/*
 * Remove a backup that has ended, its record last.  Returns 0 or -1; a backup
 * that is gone already is success.
 */
int ending_remove_backup(
    struct engine *engine, const char *id, struct fault *fault);

#endif
