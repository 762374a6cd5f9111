/* SPDX-License-Identifier: MIT */
/*
 * A request as text: lines NAME=VALUE, an empty line, and the body.
 *
 * It is read from memory and through FastCGI, and both are the same.  Its
 * parameters are what a plain decoder finds.  Then it is answered twice: by an
 * endpoint whose secret nobody knows, which refuses it and does nothing, and
 * by one whose secret is below, which answers in good form.
 */
#include "asked.h"

#include "route.h"
#include "run/engine.h"
#include "store/datadir.h"

#include <ctype.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define SECRET "fuzz-secret-0123456789-abcdef"

#define VARIABLES_MAX 100
#define TEXT_MAX      32768

struct asked {
	char *text;
	const char *variables[VARIABLES_MAX + 1];
	const char *body;
	size_t body_length;
};

/* An endpoint with a data directory of its own. */
struct endpoint {
	struct config config;
	struct engine engine;
};

static struct endpoint shut, open_to_us;

static void
set_up(struct endpoint *endpoint, const char *name, const char *secret)
{
	struct strbuf text = STRBUF_EMPTY;
	struct fault fault;

	strbuf_addf(&text,
	    "[server]\ndata=%s/%s\nsecret=%s\n"
	    "[step]\nworkers=0\n"
	    "[profile 1]\nsite=%s/site\nkeep_last=1\nmin_free=0\n",
	    fuzz_path, name, secret, fuzz_path);
	CHECK_FINE(config_parse(&endpoint->config, "fuzz.conf",
		       strbuf_text(&text), &fault),
	    &fault);
	CHECK_FINE(
	    engine_open(&endpoint->engine, &endpoint->config, &fault), &fault);
	strbuf_close(&text);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char secret[TOKEN_SECRET_SIZE];
	int scratch = fuzz_scratch();

	(void)argc;
	(void)argv;
	CHECK(mkdirat(scratch, "site", 0700) == 0);
	CHECK(close(scratch) == 0);
	CHECK(gateway_init() == 0);
	token_new_secret(secret);
	set_up(&shut, "shut", secret);
	set_up(&open_to_us, "open", SECRET);
	return 0;
}

static void
take_apart(struct asked *asked, const uint8_t *data, size_t size)
{
	char *at, *end;
	int count = 0;

	memset(asked, 0, sizeof(*asked));
	asked->text = at = fuzz_text(data, size);
	end = at + size;
	while (at < end && *at != '\n' && count < VARIABLES_MAX) {
		char *line_end = memchr(at, '\n', (size_t)(end - at));

		if (line_end == NULL)
			line_end = end;
		*line_end = '\0';
		if (strchr(at, '=') != NULL)
			asked->variables[count++] = at;
		at = line_end + 1;
	}
	asked->body = at < end ? at + 1 : end;
	asked->body_length = at < end ? (size_t)(end - at - 1) : 0;
}

/* A record of the FastCGI Specification, 3.3. */
static void
add_record(struct strbuf *out, int type, const void *bytes, size_t length)
{
	const char header[8] = { 1, (char)type, 0, 1, (char)(length >> 8),
		(char)(length & 0xff), 0, 0 };

	strbuf_add(out, header, sizeof(header));
	strbuf_add(out, bytes, length);
}

/* A stream in records of odd sizes, and its end. */
static void
add_stream(struct strbuf *out, int type, const char *bytes, size_t length)
{
	size_t piece = 1 + length % 1021;

	for (; length > 0; bytes += piece, length -= piece) {
		if (piece > length)
			piece = length;
		add_record(out, type, bytes, piece);
	}
	add_record(out, type, "", 0);
}

static void
add_length(struct strbuf *out, size_t length)
{
	if (length >= 128) {
		strbuf_addc(out, (char)(length >> 24 | 0x80));
		strbuf_addc(out, (char)(length >> 16 & 0xff));
		strbuf_addc(out, (char)(length >> 8 & 0xff));
	}
	strbuf_addc(out, (char)(length & 0xff));
}

static void
make_records(const struct asked *asked, struct strbuf *out)
{
	static const char begin[8] = { 0, 1 };
	struct strbuf params = STRBUF_EMPTY;

	for (int i = 0; asked->variables[i] != NULL; i++) {
		const char *name = asked->variables[i];
		const char *value = strchr(name, '=') + 1;

		add_length(&params, (size_t)(value - name) - 1);
		add_length(&params, strlen(value));
		strbuf_add(&params, name, (size_t)(value - name) - 1);
		strbuf_addstr(&params, value);
	}
	add_record(out, 1, begin, sizeof(begin));
	add_stream(out, 4, strbuf_text(&params), params.length);
	add_stream(out, 5, asked->body, asked->body_length);
	strbuf_close(&params);
}

static void
check_equal(const struct request *one, const struct request *two)
{
	CHECK(one->method == two->method);
	CHECK(strcmp(one->path, two->path) == 0);
	CHECK(strcmp(one->last_segment, two->last_segment) == 0);
	CHECK(strcmp(one->authorization, two->authorization) == 0);
	CHECK(strcmp(one->document_root, two->document_root) == 0);
	CHECK(one->wants_html == two->wants_html);
	CHECK(one->prefetch == two->prefetch);
	CHECK(memcmp(&one->client, &two->client, sizeof(one->client)) == 0);
	CHECK(one->param_count == two->param_count);
	for (int i = 0; i < one->param_count; i++) {
		const struct request_param *a = &one->params[i];
		const struct request_param *b = &two->params[i];

		CHECK(strcmp(a->name, b->name) == 0);
		CHECK(a->value_length == b->value_length);
		CHECK(memcmp(a->value, b->value, a->value_length) == 0);
	}
}

/* The same request through a connection. */
static void
check_fastcgi(
    const struct asked *asked, const struct request *wanted, bool taken)
{
	struct strbuf records = STRBUF_EMPTY;
	struct gateway *gateway;
	struct request request;
	int ends[2];

	make_records(asked, &records);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	CHECK(write(ends[0], records.bytes, records.length) ==
	    (ssize_t)records.length);
	CHECK(shutdown(ends[0], SHUT_WR) == 0);
	gateway = gateway_accept(ends[1]);
	CHECK(gateway != NULL);
	CHECK(asked_read(&request, gateway, &open_to_us.config) == taken);
	if (taken)
		check_equal(wanted, &request);
	request_close(&request);
	gateway_close(gateway);
	CHECK(close(ends[0]) == 0);
	strbuf_close(&records);
}

/* One byte of a name or value, decoded; text moves on. */
static char
plain_byte(const char **text)
{
	char digits[3] = { 0 };

	if (**text != '%')
		return *(*text)++ == '+' ? ' ' : (*text)[-1];
	memcpy(digits, *text + 1, 2);
	CHECK(isxdigit((unsigned char)digits[0]));
	CHECK(isxdigit((unsigned char)digits[1]));
	*text += 3;
	return (char)strtol(digits, NULL, 16);
}

/* The parameters that were found, against the query and the body. */
static int
check_params(const struct request *request, const char *text, int at)
{
	while (*text != '\0') {
		const struct request_param *param = &request->params[at];
		const char *name = param->name;
		size_t length = 0;

		if (*text == '&') {
			text++;
			continue;
		}
		CHECK(at++ < request->param_count);
		while (*text != '\0' && *text != '&' && *text != '=')
			CHECK(*name++ == plain_byte(&text));
		CHECK(*name == '\0');
		text += *text == '=';
		while (*text != '\0' && *text != '&')
			CHECK(param->value[length++] == plain_byte(&text));
		CHECK(param->value_length == length);
	}
	return at;
}

static void
check_all_params(const struct request *request, struct gateway *gateway,
    const struct asked *asked)
{
	const char *query = gateway_variable(gateway, "QUERY_STRING");
	int count = check_params(request, query != NULL ? query : "", 0);

	if (request->method == METHOD_POST) {
		const char *size = gateway_variable(gateway, "CONTENT_LENGTH");
		size_t length = strtoul(size, NULL, 10);
		char *body;

		CHECK(length <= asked->body_length);
		body = fuzz_text((const uint8_t *)asked->body, length);
		count = check_params(request, body, count);
		free(body);
	}
	CHECK(count == request->param_count);
}

static bool
has_token(const struct endpoint *endpoint, const struct request *request)
{
	struct request_error error = { 0 };
	const char *id = request_text(request, "backupid", &error);
	const char *token = request_text(request, "token", &error);

	return id != NULL && token != NULL && error.status == 0 &&
	    token_matches_step(&endpoint->engine.datadir.keys, id, token);
}

/* RFC 3875, 6.3: a status, header fields, an empty line, a body. */
static int
check_answer(const struct strbuf *answer)
{
	const char *at = strbuf_text(answer);
	int status, fields = 0;
	size_t length;

	CHECK(strlen(at) == answer->length);
	CHECK(sscanf(at, "Status: %3d ", &status) == 1);
	CHECK(strstr(at, "\r\nCache-Control: no-store\r\n") != NULL);
	CHECK(strstr(at, "\r\nReferrer-Policy: no-referrer\r\n") != NULL);
	CHECK(strstr(at, SECRET) == NULL);
	for (; strncmp(at, "\r\n", 2) != 0; at += length + 2) {
		length = strcspn(at, "\r\n");
		CHECK(at[length] == '\r' && at[length + 1] == '\n');
		CHECK(strcspn(at, ":") < length);
		for (size_t i = 0; i < length; i++)
			CHECK(isprint((unsigned char)at[i]));
		fields++;
	}
	CHECK(fields <= 10);
	CHECK(at[2] != '\0');
	return status;
}

/* A redirect stays where the client is. */
static void
check_location(const struct request *request, const struct strbuf *answer)
{
	const char *segment = request->last_segment;
	const char *at = strstr(strbuf_text(answer), "\r\nLocation: ");

	if (segment[0] == '\0')
		segment = "./";
	CHECK(at != NULL);
	at += strlen("\r\nLocation: ");
	CHECK(strncmp(at, segment, strlen(segment)) == 0);
	CHECK(strncmp(at + strlen(segment), "?backupid=", 10) == 0);
}

static size_t
count_jobs(const struct endpoint *endpoint)
{
	char(*ids)[ID_SIZE] = NULL;
	struct fault fault;
	size_t count;

	CHECK_FINE(
	    datadir_list(endpoint->engine.datadir.jobs, &ids, &count, &fault),
	    &fault);
	free(ids);
	return count;
}

static void
answer(
    struct endpoint *endpoint, const struct asked *asked, struct strbuf *answer)
{
	struct gateway *gateway = gateway_memory(
	    asked->variables, asked->body, asked->body_length, answer);

	route_request(&endpoint->engine, gateway);
	gateway_close(gateway);
}

static void
check_answers(const struct asked *asked, const struct request *request)
{
	struct strbuf text = STRBUF_EMPTY;
	int status;

	answer(&shut, asked, &text);
	status = check_answer(&text);
	CHECK(status >= 400);
	if (request != NULL && !has_token(&shut, request))
		CHECK(count_jobs(&shut) == 0);
	strbuf_reset(&text);
	answer(&open_to_us, asked, &text);
	status = check_answer(&text);
	CHECK(request != NULL || status >= 400);
	if (status == 302 || status == 303)
		check_location(request, &text);
	strbuf_close(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gateway *gateway;
	struct request request;
	struct asked asked;
	bool taken;

	if (size > TEXT_MAX)
		return -1;
	take_apart(&asked, data, size);
	gateway = gateway_memory(
	    asked.variables, asked.body, asked.body_length, NULL);
	taken = asked_read(&request, gateway, &open_to_us.config);
	if (taken) {
		check_all_params(&request, gateway, &asked);
	}
	check_fastcgi(&asked, &request, taken);
	check_answers(&asked, taken ? &request : NULL);
	request_close(&request);
	gateway_close(gateway);
	free(asked.text);
	return 0;
}
