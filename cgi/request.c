/* SPDX-License-Identifier: MIT */
#include "request.h"

#include "base/strbuf.h"
#include "gateway.h"
#include "store/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int refuse(struct request_error *error, int status, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

static int
refuse(struct request_error *error, int status, const char *format, ...)
{
	va_list args;

	error->status = status;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -1;
}

static enum request_method
parse_method(const char *name)
{
	if (name == NULL)
		return METHOD_OTHER;
	if (strcmp(name, "GET") == 0)
		return METHOD_GET;
	if (strcmp(name, "POST") == 0)
		return METHOD_POST;
	return strcmp(name, "HEAD") == 0 ? METHOD_HEAD : METHOD_OTHER;
}

/* Append text with runs of slashes made one; -1 if it does not fit. */
static int
add_collapsed(char *path, size_t size, const char *text)
{
	size_t length = strlen(path);

	for (; text != NULL && *text != '\0'; text++) {
		if (*text == '/' && length > 0 && path[length - 1] == '/')
			continue;
		if (length + 1 >= size)
			return -1;
		path[length++] = *text;
	}
	path[length] = '\0';
	return 0;
}

/*
 * The segment behind the last slash of the path that the client asked for: a
 * redirect that begins with it stays where the client is, whatever the web
 * server made of the path.
 */
static int
find_last_segment(struct request *request, struct gateway *gateway)
{
	const char *uri = gateway_variable(gateway, "REQUEST_URI");
	const char *path = uri != NULL && uri[0] != '\0' ? uri : request->path;
	size_t end = strcspn(path, "?#"), start = end;

	while (start > 0 && path[start - 1] != '/')
		start--;
	if (end - start >= sizeof(request->last_segment))
		return -1;
	memcpy(request->last_segment, path + start, end - start);
	request->last_segment[end - start] = '\0';
	/* It becomes part of a header. */
	for (const char *c = request->last_segment; *c != '\0'; c++)
		if (*c <= 0x20 || *c >= 0x7f)
			return -1;
	return 0;
}

static int
read_path(struct request *request, struct gateway *gateway,
    struct request_error *error)
{
	size_t size = sizeof(request->path);

	if (add_collapsed(request->path, size,
		gateway_variable(gateway, "SCRIPT_NAME")) != 0 ||
	    add_collapsed(request->path, size,
		gateway_variable(gateway, "PATH_INFO")) != 0)
		return refuse(error, 414, "the path is too long");
	if (find_last_segment(request, gateway) != 0)
		return refuse(error, 400, "the path is malformed");
	return 0;
}

/* Copy a variable; -1 if it is too long. */
static int
copy_variable(struct gateway *gateway, const char *name, char *out, size_t size)
{
	const char *value = gateway_variable(gateway, name);

	if (value == NULL)
		return 0;
	if (strlen(value) >= size)
		return -1;
	memcpy(out, value, strlen(value) + 1);
	return 0;
}

static bool
variable_is(struct gateway *gateway, const char *name, const char *word)
{
	const char *value = gateway_variable(gateway, name);

	return value != NULL && strcasestr(value, word) != NULL;
}

/* A person navigates: not a script, not an image, not a program. */
static bool
is_navigation(struct gateway *gateway)
{
	const char *mode = gateway_variable(gateway, "HTTP_SEC_FETCH_MODE");

	return variable_is(gateway, "HTTP_ACCEPT", "text/html") &&
	    (mode == NULL || strcmp(mode, "navigate") == 0);
}

static bool
is_prefetch(struct gateway *gateway)
{
	return variable_is(gateway, "HTTP_SEC_PURPOSE", "prefetch") ||
	    variable_is(gateway, "HTTP_PURPOSE", "prefetch") ||
	    variable_is(gateway, "HTTP_PURPOSE", "preview") ||
	    variable_is(gateway, "HTTP_X_PURPOSE", "preview") ||
	    variable_is(gateway, "HTTP_X_MOZ", "prefetch");
}

static bool
is_trusted(const struct config *config, const struct netaddr *address)
{
	const struct netblocks *proxies = &config->trusted_proxies;

	for (int i = 0; i < proxies->count; i++)
		if (netblock_contains(&proxies->items[i], address))
			return true;
	return false;
}

/*
 * Who asks: the peer, or, as long as that is a trusted proxy, whom it names as
 * its own peer, from the right of X-Forwarded-For.
 */
static void
find_client(struct request *request, struct gateway *gateway,
    const struct config *config)
{
	const char *peer = gateway_variable(gateway, "REMOTE_ADDR");
	const char *list = gateway_variable(gateway, "HTTP_X_FORWARDED_FOR");
	size_t end = list != NULL ? strlen(list) : 0;

	if (peer == NULL || netaddr_parse(peer, &request->client) != 0)
		return;
	while (end > 0 && is_trusted(config, &request->client)) {
		size_t start = end;
		char text[64];
		struct netaddr address;

		while (start > 0 && list[start - 1] != ',')
			start--;
		while (start < end && list[start] == ' ')
			start++;
		if (end - start >= sizeof(text))
			return;
		snprintf(text, sizeof(text), "%.*s", (int)(end - start),
		    list + start);
		text[strcspn(text, " ")] = '\0';
		if (netaddr_parse(text, &address) != 0)
			return;
		request->client = address;
		while (start > 0 && list[start - 1] != ',')
			start--;
		end = start > 0 ? start - 1 : 0;
	}
}

/* Decode in place what is between two separators; the length, or -1. */
static ssize_t
decode(char *text, size_t length)
{
	size_t to = 0;

	for (size_t from = 0; from < length; from++) {
		char c = text[from];

		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			int high, low;

			if (length - from < 3)
				return -1;
			high = strbuf_hex_digit(text[from + 1]);
			low = strbuf_hex_digit(text[from + 2]);
			if (high < 0 || low < 0)
				return -1;
			c = (char)(high << 4 | low);
			from += 2;
		}
		text[to++] = c;
	}
	text[to] = '\0';
	return (ssize_t)to;
}

/* application/x-www-form-urlencoded (WHATWG URL, 5.1), cut up in place. */
static int
parse_params(
    struct request *request, struct strbuf *buf, struct request_error *error)
{
	char *text = buf->bytes;

	while (text != NULL && *text != '\0') {
		size_t length = strcspn(text, "&");
		size_t name_length = strcspn(text, "&=");
		char *next = text[length] == '&' ? text + length + 1 : NULL;
		char *value = text + name_length + (name_length < length);
		struct request_param *param;
		ssize_t decoded;

		if (length == 0) {
			text = next;
			continue;
		}
		if (request->param_count == REQUEST_PARAMS_MAX)
			return refuse(error, 400,
			    "there are more than %d parameters",
			    REQUEST_PARAMS_MAX);
		param = &request->params[request->param_count++];
		param->name = text;
		param->value = value;
		/* The value first: the name's NUL may stand on its '='. */
		decoded = decode(value, length - (size_t)(value - text));
		if (decoded < 0 || decode(text, name_length) < 0)
			return refuse(error, 400,
			    "parameter number %d is malformed",
			    request->param_count);
		param->value_length = (size_t)decoded;
		text = next;
	}
	return 0;
}

static int
read_query(struct request *request, struct gateway *gateway,
    struct request_error *error)
{
	const char *query = gateway_variable(gateway, "QUERY_STRING");

	if (query == NULL)
		return 0;
	if (strlen(query) > REQUEST_QUERY_MAX)
		return refuse(error, 414, "the query is too long");
	strbuf_addstr(&request->query, query);
	return parse_params(request, &request->query, error);
}

/* A form, whatever parameters the type has. */
static bool
is_form(const char *type)
{
	static const char form[] = "application/x-www-form-urlencoded";
	size_t length = sizeof(form) - 1;

	return type != NULL && strncasecmp(type, form, length) == 0 &&
	    (type[length] == '\0' || strchr("; \t", type[length]) != NULL);
}

static int
read_body(struct request *request, struct gateway *gateway,
    struct request_error *error)
{
	const char *length = gateway_variable(gateway, "CONTENT_LENGTH");
	const char *type = gateway_variable(gateway, "CONTENT_TYPE");
	long long size;
	char *end;
	ssize_t got;

	if (length == NULL || length[0] == '\0')
		return refuse(error, 411, "a POST needs a Content-Length");
	errno = 0;
	size = strtoll(length, &end, 10);
	if (errno != 0 || *end != '\0' || length[0] < '0' || length[0] > '9')
		return refuse(error, 400, "the Content-Length is malformed");
	if (size > REQUEST_BODY_MAX)
		return refuse(error, 413, "the body is too long");
	if (size > 0 && !is_form(type))
		return refuse(error, 415,
		    "the body must be application/x-www-form-urlencoded");
	got = gateway_read(gateway,
	    strbuf_reserve(&request->body, (size_t)size), (size_t)size);
	if (got != size)
		return refuse(error, 400, "the body ends too early");
	if (!gateway_body_ends(gateway))
		return refuse(
		    error, 400, "the body is longer than its Content-Length");
	strbuf_commit(&request->body, (size_t)got);
	if (strlen(strbuf_text(&request->body)) != request->body.length)
		return refuse(error, 400, "the body has a NUL in it");
	return parse_params(request, &request->body, error);
}

int
request_read(struct request *request, struct gateway *gateway,
    const struct config *config, struct request_error *error)
{
	memset(request, 0, sizeof(*request));
	request->method =
	    parse_method(gateway_variable(gateway, "REQUEST_METHOD"));
	request->wants_html = is_navigation(gateway);
	request->prefetch = is_prefetch(gateway);
	find_client(request, gateway, config);
	if (copy_variable(gateway, "HTTP_AUTHORIZATION", request->authorization,
		sizeof(request->authorization)) != 0)
		return refuse(error, 431, "the Authorization is too long");
	if (copy_variable(gateway, "DOCUMENT_ROOT", request->document_root,
		sizeof(request->document_root)) != 0)
		request->document_root[0] = '\0';
	if (read_path(request, gateway, error) != 0 ||
	    read_query(request, gateway, error) != 0)
		return -1;
	return request->method == METHOD_POST
	    ? read_body(request, gateway, error)
	    : 0;
}

void
request_close(struct request *request)
{
	strbuf_close(&request->query);
	strbuf_close(&request->body);
	request->param_count = 0;
}

const char *
request_text(const struct request *request, const char *name,
    struct request_error *error)
{
	const struct request_param *found = NULL;

	for (int i = 0; i < request->param_count; i++) {
		const struct request_param *param = &request->params[i];

		if (strcmp(param->name, name) != 0)
			continue;
		if (found != NULL) {
			refuse(error, 400, "%s is given twice", name);
			return NULL;
		}
		found = param;
	}
	if (found == NULL || found->value_length == 0)
		return NULL;
	if (strlen(found->value) != found->value_length) {
		refuse(error, 400, "%s has a NUL in it", name);
		return NULL;
	}
	return found->value;
}

int64_t
request_number(const struct request *request, const char *name, int64_t max,
    int64_t standard, struct request_error *error)
{
	const char *text = request_text(request, name, error);
	long long number;
	char *end;

	if (text == NULL)
		return standard;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno != 0 || *end != '\0' || text[0] < '0' || text[0] > '9' ||
	    number > max) {
		refuse(error, 400, "%s is no whole number from 0 to %lld", name,
		    (long long)max);
		return standard;
	}
	return number;
}
