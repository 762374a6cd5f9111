/* SPDX-License-Identifier: MIT */
#include "response.h"

#include "gateway.h"

#include <stdarg.h>
#include <stdio.h>

void
response_close(struct response *response)
{
	strbuf_close(&response->headers);
	strbuf_close(&response->body);
	*response = (struct response)RESPONSE_EMPTY;
}

void
response_header(struct response *response, const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	strbuf_addf(&response->headers, "%s\r\n", line);
}

const char *
response_words(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 302:
		return "Found";
	case 303:
		return "See Other";
	case 400:
		return "Bad Request";
	case 403:
		return "Access denied";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 411:
		return "Length Required";
	case 413:
		return "Content Too Large";
	case 414:
		return "URI Too Long";
	case 415:
		return "Unsupported Media Type";
	case 429:
		return "Too Many Requests";
	case 431:
		return "Request Header Fields Too Large";
	case 503:
		return "Service Unavailable";
	default:
		return "Internal Server Error";
	}
}

void
response_error(struct response *response, int status, const char *text)
{
	response->status = status;
	strbuf_reset(&response->body);
	strbuf_addf(&response->body, "%d %s\n", status,
	    text != NULL ? text : response_words(status));
}

int
response_send(const struct response *response, struct gateway *gateway)
{
	struct strbuf all = STRBUF_EMPTY;
	int result;

	strbuf_addf(&all, "Status: %d %s\r\n%s", response->status,
	    response_words(response->status), strbuf_text(&response->headers));
	strbuf_addf(&all,
	    "Content-Type: text/%s; charset=utf-8\r\n"
	    "Cache-Control: no-store\r\n"
	    "Referrer-Policy: no-referrer\r\n",
	    response->html ? "html" : "plain");
	if (response->html)
		strbuf_addstr(&all,
		    "X-Robots-Tag: noindex\r\n"
		    "X-Content-Type-Options: nosniff\r\n"
		    "Content-Security-Policy: default-src 'none'; "
		    "style-src 'unsafe-inline'; frame-ancestors 'none'\r\n");
	strbuf_addstr(&all, "\r\n");
	strbuf_add(&all, response->body.bytes, response->body.length);
	result = gateway_send(gateway, all.bytes, all.length);
	strbuf_close(&all);
	return result;
}
