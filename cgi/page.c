/* SPDX-License-Identifier: MIT */
#include "page.h"

#include "response.h"

#include <string.h>

/* Text as it can stand in an element. */
static void
add_escaped(struct strbuf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&':
			strbuf_addstr(out, "&amp;");
			break;
		case '<':
			strbuf_addstr(out, "&lt;");
			break;
		case '>':
			strbuf_addstr(out, "&gt;");
			break;
		default:
			strbuf_addc(out, *text);
			break;
		}
	}
}

void
page_wrap(struct response *response)
{
	static const char head[] =
	    "<!doctype html>\n"
	    "<html lang=\"en\">\n"
	    "<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width\">\n"
	    "<title>Stepvault</title>\n"
	    "<style>pre { font: 1.2em/1.5 sans-serif; margin: 3em; }</style>\n"
	    "<pre>";
	struct strbuf html = STRBUF_EMPTY;

	strbuf_addstr(&html, head);
	add_escaped(&html, strbuf_text(&response->body));
	strbuf_addstr(&html, "</pre>\n");
	strbuf_close(&response->body);
	response->body = html;
	response->html = true;
}
