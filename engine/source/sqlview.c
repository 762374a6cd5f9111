/* SPDX-License-Identifier: MIT */
#include "source/sqlview.h"

#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>

/* Behind the name, or string, whose quote text begins with. */
static const char *
skip_quoted(const char *text)
{
	char quote = *text++;

	for (; *text != '\0'; text++) {
		if ((*text == '\\' && quote == '\'' && text[1] != '\0') ||
		    (*text == quote && text[1] == quote))
			text++;
		else if (*text == quote)
			return text + 1;
	}
	return text;
}

bool
sqlview_next(const char *text, struct sqlview_pair *pair)
{
	while (*text != '\0') {
		int names = 1;

		if (*text != '`') {
			text = *text == '\'' ? skip_quoted(text) : text + 1;
			continue;
		}
		pair->first = text;
		pair->dot = NULL;
		text = skip_quoted(text);
		for (; text[0] == '.' && text[1] == '`'; names++) {
			pair->dot = text;
			text = skip_quoted(text + 1);
		}
		pair->end = text;
		pair->is_call = *text == '(';
		if (names == 2 || (names == 1 && pair->is_call))
			return true;
	}
	return false;
}

char *
sqlview_name(const char *quoted)
{
	struct strbuf name = STRBUF_EMPTY;

	for (quoted++; *quoted != '\0'; quoted++) {
		if (*quoted == '`' && *++quoted != '`')
			break;
		strbuf_addc(&name, *quoted);
	}
	return name.bytes != NULL ? name.bytes : strbuf_copy("");
}

/* As in nextval(`schema`.`sequence`), where all other calls have columns. */
static bool
is_sequence(const char *text, const struct sqlview_pair *pair)
{
	static const char before[] = "val(";
	size_t length = sizeof(before) - 1;

	return (size_t)(pair->first - text) >= length &&
	    memcmp(pair->first - length, before, length) == 0;
}

void
sqlview_add(struct strbuf *out, const char *text, const char *schema)
{
	const char *begin = text;
	struct sqlview_pair pair;

	for (const char *at = text; sqlview_next(at, &pair); at = pair.end) {
		char *first;

		if (pair.dot == NULL ||
		    (!pair.is_call && !is_sequence(begin, &pair)))
			continue;
		first = sqlview_name(pair.first);
		if (strcmp(first, schema) == 0) {
			strbuf_add(out, text, (size_t)(pair.first - text));
			text = pair.dot + 1;
		}
		free(first);
	}
	strbuf_addstr(out, text);
}
