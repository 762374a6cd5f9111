/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_SQLSCRIPT_H
#define ENGINE_SOURCE_SQLSCRIPT_H

#include <stdbool.h>
#include <stddef.h>

struct strbuf;

/*
 * Statements as they stand in a file that the stock client loads, so that the
 * server gets them byte by byte.  That client looks for the end of a statement
 * by a scanner of its own, which knows less than the server's: outside of what
 * it takes for a string, \! runs a program, a comment is dropped, \r\n becomes
 * \n, and a line that says "delimiter" loses its end.  So whatever is not plain
 * is written as a string, and prepared from there.
 */

/*
 * Append a statement, and the end of it.  It must be one that can be prepared,
 * as DROP, CREATE TABLE and CREATE VIEW can be everywhere.  The session at this
 * place must be of character set utf8mb4 and without NO_BACKSLASH_ESCAPES if
 * the statement is not plain.
 */
void sqlscript_add(struct strbuf *out, const char *statement, size_t length);

/* The same for one of several lines, which stay lines where no client can
 * misread them. */
void
sqlscript_add_lines(struct strbuf *out, const char *statement, size_t length);

/* It is plain: it would be appended as it is. */
bool sqlscript_is_plain(const char *statement, size_t length);

/*
 * The same in two halves, between which the session may be changed: the first
 * puts the statement into a variable, the second executes that.
 */
void
sqlscript_add_text(struct strbuf *out, const char *statement, size_t length);
void sqlscript_add_execute(struct strbuf *out);

/* How the session reads a statement. */
struct sqlscript_mode {
	bool no_backslash_escapes;
	bool ansi_quotes;
	bool wide; /* its character set has ASCII bytes in wider characters */
};

/*
 * Append a statement that cannot be prepared, with another delimiter than a
 * semicolon.  By default the client drops comments in it and turns \r\n into
 * \n; with --comments and --binary-mode it does not.  Returns false, with
 * nothing appended, if it must not stand in a file because a client might take
 * a part of it for a command.
 */
bool sqlscript_add_delimited(struct strbuf *out, const char *statement,
    size_t length, const struct sqlscript_mode *mode);

#endif
