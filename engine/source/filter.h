/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_FILTER_H
#define ENGINE_SOURCE_FILTER_H

#include <stdbool.h>
#include <stddef.h>

struct profile;
struct strbuf;

/*
 * What a backup leaves out: patterns as in a .gitignore (gitignore(5)), the
 * shipped ones first, then the profile's.  The last match wins, and a leading
 * '!' takes back in; but nothing below an excluded folder can be taken back,
 * because the folder is never entered.
 */
struct filter;

/* Make the filter of a profile; to be freed by filter_free. */
struct filter *filter_new(const struct profile *profile);

/* Free a filter; NULL is accepted. */
void filter_free(struct filter *filter);

/*
 * The index of the pattern that excludes an entry, -1 if it stays in.  path is
 * relative to the folder that is backed up and ends in the entry's name, which
 * begins at name.  Both are NUL-terminated.
 */
int filter_excludes(const struct filter *filter, const char *path,
    const char *name, bool is_folder);

/* How many patterns there are. */
int filter_count(const struct filter *filter);

/* A pattern as it was written; valid as long as the filter. */
const char *filter_pattern(const struct filter *filter, int pattern);

/* Append the shipped patterns to a text, one to a line. */
void filter_list_defaults(struct strbuf *out);

#endif
