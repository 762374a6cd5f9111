/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_SQLVIEW_H
#define ENGINE_SOURCE_SQLVIEW_H

#include <stdbool.h>
#include <stddef.h>

struct strbuf;

/*
 * What a view's text, as the server has it, says about others: every name is
 * in backticks, tables and views have the name of their schema before their
 * own, and there are no comments.
 */

/*
 * A place in such a text where two names stand with a dot between, or a name
 * that is called as a function.
 */
struct sqlview_pair {
	const char *first; /* the first name's backtick */
	const char *dot;   /* NULL: there is only one */
	const char *end;   /* behind the last name */
	bool is_call;      /* a bracket follows: a function's name */
};

/*
 * The next one at or behind a place.  Pairs of an alias and a column are among
 * them, for they look the same.  Returns false if there is none.
 */
bool sqlview_next(const char *text, struct sqlview_pair *pair);

/*
 * Append a text without the name of its own schema where that stands before the
 * name of a function or sequence, so that it is right under another name, too.
 */
void sqlview_add(struct strbuf *out, const char *text, const char *schema);

/* The name that a backtick begins, malloc'd. */
char *sqlview_name(const char *quoted);

#endif
