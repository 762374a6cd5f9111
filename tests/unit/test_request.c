/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "dice.h"

#include "gateway.h"
#include "request.h"
#include "store/config.h"

#define VARIABLES_MAX 16

/* A request as a web server would hand it over. */
struct ask {
	const char *variables[VARIABLES_MAX];
	const void *body;
	size_t body_length;
	struct config config;
	struct request request;
	struct request_error error;
};

static int
read_ask(struct ask *ask)
{
	struct strbuf out = STRBUF_EMPTY;
	struct gateway *gateway =
	    gateway_memory(ask->variables, ask->body, ask->body_length, &out);
	int result;

	memset(&ask->error, 0, sizeof(ask->error));
	/* What the request points to is its own: these go before it. */
	result =
	    request_read(&ask->request, gateway, &ask->config, &ask->error);
	gateway_close(gateway);
	assert_int_equal(out.length, 0);
	return result;
}

static void
read_well(struct ask *ask)
{
	if (read_ask(ask) != 0)
		fail_msg("refused: %d %s", ask->error.status, ask->error.text);
	assert_int_equal(ask->error.status, 0);
}

static void
assert_refused(struct ask *ask, int status, const char *text)
{
	assert_int_equal(read_ask(ask), -1);
	if (ask->error.status != status || strcmp(ask->error.text, text) != 0)
		fail_msg("refused with %d %s, not %d %s", ask->error.status,
		    ask->error.text, status, text);
	request_close(&ask->request);
}

/* What a GET with this query has as a parameter; NULL: none, or an error. */
static void
assert_param(const char *query, const char *name, const char *wanted)
{
	char variable[REQUEST_QUERY_MAX + 100];
	struct ask ask = { .variables = { "REQUEST_METHOD=GET",
			       "SCRIPT_NAME=/backup", variable } };
	const char *got;

	snprintf(variable, sizeof(variable), "QUERY_STRING=%s", query);
	read_well(&ask);
	got = request_text(&ask.request, name, &ask.error);
	if (got == NULL || wanted == NULL) {
		if (got != wanted)
			fail_msg(
			    "'%s' has '%s'", query, got != NULL ? got : "-");
	} else {
		assert_string_equal(got, wanted);
	}
	request_close(&ask.request);
}

static void
decodes_parameters(void **state)
{
	(void)state;
	assert_param("a=1&b=2", "a", "1");
	assert_param("a=1&b=2", "b", "2");
	assert_param("a=1&b=2", "c", NULL);
	assert_param("a=1&b=2", "A", NULL);
	assert_param("", "a", NULL);
	assert_param("a", "a", NULL);
	assert_param("a=", "a", NULL);
	assert_param("=1", "", "1");
	assert_param("&&a=1&", "a", "1");
	assert_param("a=b=c", "a", "b=c");
	assert_param("a=1+2%2B3", "a", "1 2+3");
	assert_param("%61=1", "a", "1");
	assert_param("%61b+=1", "ab ", "1");
	assert_param("a=%c3%A4", "a", "\xc3\xa4");
	assert_param("a=%ff%FE", "a", "\xff\xfe");
	assert_param("a=%26%3d%25", "a", "&=%");
	assert_param("a=%2526", "a", "%26");
	assert_param("a=\xff", "a", "\xff");
	assert_param("a=1;b=2", "a", "1;b=2");
	assert_param("a=1#b", "a", "1#b");
	assert_param("a=%0d%0aX:%20y", "a", "\r\nX: y");
}

static void
refuses_malformed_encoding(void **state)
{
	static const struct {
		const char *query;
		int number; /* of the wrong parameter */
	} queries[] = { { "a=%", 1 }, { "a=%4", 1 }, { "a=%zz", 1 },
		{ "a=%4g", 1 }, { "a=%%41", 1 }, { "%", 1 }, { "%=1", 1 },
		{ "a=1&b%4=2", 2 }, { "a=%-1", 1 }, { "a=%+1", 1 },
		{ "a=%4&b=1", 1 } };
	char variable[100], text[60];
	struct ask ask = { .variables = { "REQUEST_METHOD=GET", variable } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(queries); i++) {
		snprintf(variable, sizeof(variable), "QUERY_STRING=%s",
		    queries[i].query);
		snprintf(text, sizeof(text), "parameter number %d is malformed",
		    queries[i].number);
		assert_refused(&ask, 400, text);
	}
}

/* Any bytes survive the way through an encoder and ours back. */
static void
undoes_what_others_encode(void **state)
{
	struct dice dice = dice_new();

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct strbuf query = STRBUF_EMPTY;
		char value[100];
		size_t length = dice_roll(&dice, sizeof(value));

		dice_fill(&dice, value, length);
		strbuf_addstr(&query, "x=y&v=");
		for (size_t k = 0; k < length; k++) {
			if (value[k] == '\0')
				value[k] = ' ';
			if (value[k] == ' ' && dice_roll(&dice, 2) == 0)
				strbuf_addc(&query, '+');
			else if (strchr(" +&%", value[k]) != NULL ||
			    dice_roll(&dice, 2) == 0)
				strbuf_addf(&query, i % 2 ? "%%%02x" : "%%%02X",
				    (unsigned char)value[k]);
			else
				strbuf_addc(&query, value[k]);
		}
		value[length < sizeof(value) ? length : length - 1] = '\0';
		strbuf_addstr(&query, "&z=");
		assert_param(query.bytes, "v", length > 0 ? value : NULL);
		strbuf_close(&query);
	}
}

static void
sets_error_for_what_is_ambiguous(void **state)
{
	struct ask ask = { .variables = { "REQUEST_METHOD=GET",
			       "QUERY_STRING=a=1&a=1&b=%00&c=x%00y&d=&d=1" } };
	struct request_error error;

	(void)state;
	read_well(&ask);
	error = (struct request_error){ 0 };
	assert_null(request_text(&ask.request, "a", &error));
	assert_int_equal(error.status, 400);
	assert_string_equal(error.text, "a is given twice");
	error = (struct request_error){ 0 };
	assert_null(request_text(&ask.request, "d", &error));
	assert_int_equal(error.status, 400);
	error = (struct request_error){ 0 };
	assert_null(request_text(&ask.request, "b", &error));
	assert_string_equal(error.text, "b has a NUL in it");
	error = (struct request_error){ 0 };
	assert_null(request_text(&ask.request, "c", &error));
	assert_string_equal(error.text, "c has a NUL in it");
	error = (struct request_error){ 0 };
	assert_null(request_text(&ask.request, "e", &error));
	assert_int_equal(error.status, 0);
	request_close(&ask.request);
}

static void
reads_numbers_within_their_range(void **state)
{
	static const struct {
		const char *query;
		int64_t number; /* -1: refused */
	} cases[] = { { "n=0", 0 }, { "n=7", 7 }, { "n=007", 7 },
		{ "n=100", 100 }, { "n=101", -1 }, { "n=-1", -1 },
		{ "n=%2B1", -1 }, { "n=+1", -1 }, { "n=1+", -1 },
		{ "n=0x1", -1 }, { "n=1.5", -1 }, { "n=1e3", -1 },
		{ "n=x", -1 }, { "n=99999999999999999999", -1 },
		{ "n=1&n=1", -1 }, { "n=1%00", -1 }, { "n=", 42 }, { "", 42 } };
	char variable[100];
	struct ask ask = { .variables = { "REQUEST_METHOD=GET", variable } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct request_error error = { 0 };
		int64_t got;

		snprintf(variable, sizeof(variable), "QUERY_STRING=%s",
		    cases[i].query);
		read_well(&ask);
		got = request_number(&ask.request, "n", 100, 42, &error);
		if (cases[i].number < 0
			? error.status != 400 || got != 42
			: got != cases[i].number || error.status != 0)
			fail_msg("'%s' is taken for %lld (%d)", cases[i].query,
			    (long long)got, error.status);
		request_close(&ask.request);
	}
}

/* -- limits -----------------------------------------------------------------
 */

static char *
repeat(const char *before, char c, size_t count)
{
	size_t length = strlen(before);
	char *text = malloc(length + count + 1);

	memcpy(text, before, length);
	memset(text + length, c, count);
	text[length + count] = '\0';
	return text;
}

static void
keeps_to_the_longest_query(void **state)
{
	char *variable =
	    repeat("QUERY_STRING=a=", 'x', REQUEST_QUERY_MAX - 2 + 1);
	struct ask ask = { .variables = { "REQUEST_METHOD=GET", variable } };

	(void)state;
	assert_refused(&ask, 414, "the query is too long");
	variable[strlen(variable) - 1] = '\0';
	read_well(&ask);
	assert_int_equal(
	    strlen(request_text(&ask.request, "a", &ask.error)), 8190);
	request_close(&ask.request);
	free(variable);
}

static void
keeps_to_the_most_parameters(void **state)
{
	struct strbuf query = STRBUF_EMPTY;
	struct ask ask = { .variables = { "REQUEST_METHOD=POST",
			       "CONTENT_TYPE=application/x-www-form-urlencoded",
			       "CONTENT_LENGTH=3" } };

	(void)state;
	ask.body = "z=1";
	ask.body_length = 3;
	strbuf_addstr(&query, "QUERY_STRING=");
	for (int i = 0; i < REQUEST_PARAMS_MAX - 1; i++)
		strbuf_addf(&query, "&&p%d=%d", i, i);
	ask.variables[3] = query.bytes;
	read_well(&ask);
	assert_int_equal(ask.request.param_count, REQUEST_PARAMS_MAX);
	assert_string_equal(
	    request_text(&ask.request, "p62", &ask.error), "62");
	assert_string_equal(request_text(&ask.request, "z", &ask.error), "1");
	request_close(&ask.request);
	strbuf_addstr(&query, "&one");
	ask.variables[3] = query.bytes;
	assert_refused(&ask, 400, "there are more than 64 parameters");
	ask.variables[0] = "REQUEST_METHOD=GET";
	read_well(&ask);
	request_close(&ask.request);
	strbuf_close(&query);
}

static void
keeps_to_the_longest_headers(void **state)
{
	char *authorization = repeat("HTTP_AUTHORIZATION=", 'x', 1024);
	char *path = repeat("SCRIPT_NAME=/", 'x', 1023);
	char *uri = repeat("REQUEST_URI=/", 'y', 256);
	char *root = repeat("DOCUMENT_ROOT=/", 'z', 1023);
	struct ask ask = { .variables = {
			       "REQUEST_METHOD=GET", "x=y", authorization } };

	(void)state;
	assert_refused(&ask, 431, "the Authorization is too long");
	authorization[strlen(authorization) - 1] = '\0';
	read_well(&ask);
	assert_int_equal(strlen(ask.request.authorization), 1023);
	request_close(&ask.request);
	ask.variables[1] = path;
	ask.variables[2] = "REQUEST_URI=/x";
	assert_refused(&ask, 414, "the path is too long");
	path[strlen(path) - 1] = '\0';
	read_well(&ask);
	assert_int_equal(strlen(ask.request.path), 1023);
	request_close(&ask.request);
	ask.variables[2] = uri;
	assert_refused(&ask, 400, "the path is malformed");
	uri[strlen(uri) - 1] = '\0';
	read_well(&ask);
	assert_int_equal(strlen(ask.request.last_segment), 255);
	request_close(&ask.request);
	/* One that is too long to look at is none. */
	ask.variables[2] = root;
	ask.variables[1] = "SCRIPT_NAME=/x";
	read_well(&ask);
	assert_string_equal(ask.request.document_root, "");
	request_close(&ask.request);
	root[strlen(root) - 1] = '\0';
	read_well(&ask);
	assert_int_equal(strlen(ask.request.document_root), 1023);
	request_close(&ask.request);
	free(authorization);
	free(path);
	free(uri);
	free(root);
}

/* -- POST -------------------------------------------------------------------
 */

#define FORM "CONTENT_TYPE=application/x-www-form-urlencoded"

static struct ask
post(const char *type, const char *length, const char *body)
{
	struct ask ask = { .variables = { "REQUEST_METHOD=POST",
			       "SCRIPT_NAME=/backup", "QUERY_STRING=q=1",
			       length, type } };

	ask.body = body;
	ask.body_length = strlen(body);
	return ask;
}

static void
reads_a_form(void **state)
{
	struct ask ask = post(FORM, "CONTENT_LENGTH=9", "k=a%26+&l");

	(void)state;
	read_well(&ask);
	assert_int_equal(ask.request.method, METHOD_POST);
	assert_string_equal(request_text(&ask.request, "k", &ask.error), "a& ");
	assert_string_equal(request_text(&ask.request, "q", &ask.error), "1");
	assert_int_equal(ask.error.status, 0);
	request_close(&ask.request);
	ask = post("CONTENT_TYPE=Application/X-WWW-Form-URLencoded; "
		   "charset=UTF-8",
	    "CONTENT_LENGTH=3", "k=a");
	read_well(&ask);
	assert_int_equal(ask.request.param_count, 2);
	assert_string_equal(request_text(&ask.request, "k", &ask.error), "a");
	request_close(&ask.request);
	/* Given in both places it is given twice. */
	ask = post(FORM, "CONTENT_LENGTH=3", "q=1");
	read_well(&ask);
	assert_null(request_text(&ask.request, "q", &ask.error));
	assert_int_equal(ask.error.status, 400);
	request_close(&ask.request);
	ask = post("", "CONTENT_LENGTH=0", "");
	read_well(&ask);
	assert_string_equal(request_text(&ask.request, "q", &ask.error), "1");
	request_close(&ask.request);
}

static void
refuses_bodies_by_their_fault(void **state)
{
	static const char *const lengths[] = { "x", "-1", "+3", "3x", " 3",
		"3 ", "0x3", "3, 3", "99999999999999999999" };
	struct ask ask = post(FORM, "x=y", "k=a");
	char variable[100];

	(void)state;
	assert_refused(&ask, 411, "a POST needs a Content-Length");
	ask = post(FORM, "CONTENT_LENGTH=", "k=a");
	assert_refused(&ask, 411, "a POST needs a Content-Length");
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		snprintf(variable, sizeof(variable), "CONTENT_LENGTH=%s",
		    lengths[i]);
		ask = post(FORM, variable, "k=a");
		assert_refused(&ask, 400, "the Content-Length is malformed");
	}
	ask = post(FORM, "CONTENT_LENGTH=4", "k=a");
	assert_refused(&ask, 400, "the body ends too early");
	ask = post("x=y", "CONTENT_LENGTH=3", "k=a");
	assert_refused(
	    &ask, 415, "the body must be application/x-www-form-urlencoded");
	ask = post("CONTENT_TYPE=multipart/form-data; boundary=x",
	    "CONTENT_LENGTH=3", "k=a");
	assert_refused(
	    &ask, 415, "the body must be application/x-www-form-urlencoded");
	ask = post("CONTENT_TYPE=application/x-www-form-urlencodedx",
	    "CONTENT_LENGTH=3", "k=a");
	assert_refused(
	    &ask, 415, "the body must be application/x-www-form-urlencoded");
	ask = post(FORM, "CONTENT_LENGTH=3", "k=%");
	assert_refused(&ask, 400, "parameter number 2 is malformed");
	ask = post(FORM, "CONTENT_LENGTH=3", "k=a&rest=of another");
	assert_refused(&ask, 400, "the body is longer than its Content-Length");
	ask = post(FORM, "CONTENT_LENGTH=0", "k=a");
	assert_refused(&ask, 400, "the body is longer than its Content-Length");
	ask = post(FORM, "CONTENT_LENGTH=5", "k=a");
	ask.body = "k=\0=b";
	ask.body_length = 5;
	assert_refused(&ask, 400, "the body has a NUL in it");
}

static void
keeps_to_the_longest_body(void **state)
{
	char *body = repeat("k=", 'x', REQUEST_BODY_MAX - 2);
	struct ask ask = post(FORM, "CONTENT_LENGTH=16384", body);

	(void)state;
	read_well(&ask);
	assert_int_equal(
	    strlen(request_text(&ask.request, "k", &ask.error)), 16382);
	request_close(&ask.request);
	ask = post(FORM, "CONTENT_LENGTH=16385", body);
	assert_refused(&ask, 413, "the body is too long");
	ask = post(FORM, "CONTENT_LENGTH=9223372036854775807", body);
	assert_refused(&ask, 413, "the body is too long");
	/* Only a POST has one. */
	ask.variables[0] = "REQUEST_METHOD=GET";
	read_well(&ask);
	assert_null(request_text(&ask.request, "k", &ask.error));
	request_close(&ask.request);
	free(body);
}

/* -- what else there is in a request -----------------------------------------
 */

static void
knows_methods(void **state)
{
	static const struct {
		const char *variable;
		enum request_method method;
	} methods[] = { { "REQUEST_METHOD=GET", METHOD_GET },
		{ "REQUEST_METHOD=HEAD", METHOD_HEAD },
		{ "REQUEST_METHOD=get", METHOD_OTHER },
		{ "REQUEST_METHOD=PUT", METHOD_OTHER },
		{ "REQUEST_METHOD=", METHOD_OTHER }, { "x=y", METHOD_OTHER } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(methods); i++) {
		struct ask ask = { .variables = { methods[i].variable } };

		read_well(&ask);
		assert_int_equal(ask.request.method, methods[i].method);
		request_close(&ask.request);
	}
}

static void
finds_the_path_and_its_last_segment(void **state)
{
	static const struct {
		const char *script, *info, *uri, *path, *segment;
	} cases[] = {
		{ "/stepvault", "/backup", "/stepvault/backup?key=a/b",
		    "/stepvault/backup", "backup" },
		{ "//a///b", "//c", "/a//b////c", "/a/b/c", "c" },
		{ "/a/", "/b", "", "/a/b", "b" },
		{ "", "", "", "", "" },
		{ "/x", "", "/y/", "/x", "" },
		{ "/x", "", "/%41%2f?x", "/x", "%41%2f" },
		{ "/x", "", "/y#z/q", "/x", "y" },
		{ "/x/y z", "", "/ok", "/x/y z", "ok" },
		{ "/x", "", "http://h/p/q?r", "/x", "q" },
		{ "/x", "", "/a?b/c?d", "/x", "a" },
	};
	static const char *const bad[] = { "/a b", "/a\tb", "/a\r\nX: y",
		"/\xc3\xa4", "/\x7f" };
	char script[100], info[100], uri[100];
	struct ask ask = { .variables = { script, info, uri } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		snprintf(
		    script, sizeof(script), "SCRIPT_NAME=%s", cases[i].script);
		snprintf(info, sizeof(info), "PATH_INFO=%s", cases[i].info);
		snprintf(uri, sizeof(uri), "REQUEST_URI=%s", cases[i].uri);
		read_well(&ask);
		assert_string_equal(ask.request.path, cases[i].path);
		assert_string_equal(ask.request.last_segment, cases[i].segment);
		request_close(&ask.request);
	}
	/* It would become part of a header. */
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		snprintf(uri, sizeof(uri), "REQUEST_URI=%s", bad[i]);
		assert_refused(&ask, 400, "the path is malformed");
	}
}

static void
tells_persons_and_prefetches_apart(void **state)
{
	static const struct {
		const char *one, *two;
		bool html, prefetch;
	} cases[] = {
		{ "HTTP_ACCEPT=text/html,*/*;q=0.8", "x=y", true, false },
		{ "HTTP_ACCEPT=text/html", "HTTP_SEC_FETCH_MODE=navigate", true,
		    false },
		{ "HTTP_ACCEPT=text/html", "HTTP_SEC_FETCH_MODE=no-cors", false,
		    false },
		{ "HTTP_ACCEPT=*/*", "HTTP_SEC_FETCH_MODE=navigate", false,
		    false },
		{ "HTTP_ACCEPT=*/*", "x=y", false, false },
		{ "x=y", "x=y", false, false },
		{ "HTTP_SEC_PURPOSE=prefetch;prerender", "x=y", false, true },
		{ "HTTP_PURPOSE=prefetch", "x=y", false, true },
		{ "HTTP_PURPOSE=Preview", "x=y", false, true },
		{ "HTTP_X_PURPOSE=preview", "x=y", false, true },
		{ "HTTP_X_MOZ=prefetch", "x=y", false, true },
		{ "HTTP_X_MOZ=microsummary", "x=y", false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct ask ask = { .variables = {
				       cases[i].one, cases[i].two } };

		read_well(&ask);
		assert_int_equal(ask.request.wants_html, cases[i].html);
		assert_int_equal(ask.request.prefetch, cases[i].prefetch);
		request_close(&ask.request);
	}
}

/* With these proxies trusted. */
static void
finds_the_client_behind_proxies(void **state)
{
	static const struct {
		const char *peer, *forwarded, *client;
	} cases[] = {
		{ "192.0.2.1", NULL, "192.0.2.1" },
		{ "2001:db8::1", "", "2001:db8::1" },
		/* Nobody else is believed. */
		{ "192.0.2.1", "203.0.113.9", "192.0.2.1" },
		{ "10.0.0.1", "203.0.113.9", "203.0.113.9" },
		{ "10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9" },
		{ "10.0.0.1", "203.0.113.9,10.0.0.2 , 10.0.0.3",
		    "203.0.113.9" },
		{ "10.0.0.1", "10.0.0.2", "10.0.0.2" },
		{ "fd00::1", "2001:db8::7", "2001:db8::7" },
		{ "::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9" },
		/* Nonsense ends the way at the last that makes sense. */
		{ "10.0.0.1", "x", "10.0.0.1" },
		{ "10.0.0.1", "203.0.113.9, x, 10.0.0.2", "10.0.0.2" },
		{ "10.0.0.1", ",", "10.0.0.1" },
		{ "10.0.0.1", "203.0.113.9,", "10.0.0.1" },
		{ "10.0.0.1",
		    "111111111122222222223333333333444444444455555555556666666"
		    "6",
		    "10.0.0.1" },
		{ "nonsense", "203.0.113.9", "::" },
		{ "", "203.0.113.9", "::" },
		{ NULL, "203.0.113.9", "::" },
	};
	struct netblock blocks[2];

	(void)state;
	assert_int_equal(netblock_parse("10.0.0.0/8", &blocks[0]), 0);
	assert_int_equal(netblock_parse("fd00::/8", &blocks[1]), 0);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char peer[100] = "x=y", forwarded[100] = "x=y";
		struct ask ask = { .variables = { peer, forwarded },
			.config.trusted_proxies = { blocks, 2 } };
		struct netaddr wanted;

		if (cases[i].peer != NULL)
			snprintf(peer, sizeof(peer), "REMOTE_ADDR=%s",
			    cases[i].peer);
		if (cases[i].forwarded != NULL)
			snprintf(forwarded, sizeof(forwarded),
			    "HTTP_X_FORWARDED_FOR=%s", cases[i].forwarded);
		assert_int_equal(netaddr_parse(cases[i].client, &wanted), 0);
		read_well(&ask);
		if (memcmp(&wanted, &ask.request.client, sizeof(wanted)) != 0)
			fail_msg("behind '%s' there is not '%s'", forwarded,
			    cases[i].client);
		request_close(&ask.request);
	}
}

/* Bytes of no meaning at all: an answer or an error, and no crash. */
static void
bears_noise(void **state)
{
	static const char *const names[] = { "REQUEST_METHOD=POST",
		"QUERY_STRING=", "CONTENT_LENGTH=", FORM, "SCRIPT_NAME=",
		"PATH_INFO=", "REQUEST_URI=", "REMOTE_ADDR=10.0.0.",
		"HTTP_X_FORWARDED_FOR=", "HTTP_ACCEPT=", "DOCUMENT_ROOT=" };
	struct dice dice = dice_new();
	struct netblock block;
	char body[64];

	(void)state;
	assert_int_equal(netblock_parse("10.0.0.0/8", &block), 0);
	for (int i = 0; i < 20000; i++) {
		struct ask ask = { .body = body,
			.body_length = dice_roll(&dice, sizeof(body)),
			.config.trusted_proxies = { &block, 1 } };
		char text[COUNT_OF(names)][100];

		for (size_t k = 0; k < COUNT_OF(names); k++) {
			static const char likely[] = "%&=/,. 0123456789af+\xff";
			size_t at = (size_t)snprintf(
			    text[k], sizeof(text[k]), "%s", names[k]);
			size_t more = dice_roll(&dice, 20);

			for (; k != 0 && k != 3 && more > 0; more--)
				text[k][at++] = likely[dice_roll(&dice,
				    k == 2 ? 2 + 10 : sizeof(likely) - 1)];
			if (k == 2)
				at = (size_t)snprintf(text[k], sizeof(text[k]),
				    "CONTENT_LENGTH=%zu", ask.body_length);
			text[k][at] = '\0';
			ask.variables[k] = text[k];
		}
		for (size_t k = 0; k < sizeof(body); k++)
			body[k] = "%&=a1\0"[dice_roll(&dice, 5 + (i % 4 == 0))];
		if (read_ask(&ask) == 0) {
			request_text(&ask.request, "a", &ask.error);
			request_number(&ask.request, "1", 9, 0, &ask.error);
		} else {
			assert_in_range(ask.error.status, 400, 431);
			assert_true(ask.error.text[0] != '\0');
		}
		request_close(&ask.request);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_parameters),
		cmocka_unit_test(refuses_malformed_encoding),
		cmocka_unit_test(undoes_what_others_encode),
		cmocka_unit_test(sets_error_for_what_is_ambiguous),
		cmocka_unit_test(reads_numbers_within_their_range),
		cmocka_unit_test(keeps_to_the_longest_query),
		cmocka_unit_test(keeps_to_the_most_parameters),
		cmocka_unit_test(keeps_to_the_longest_headers),
		cmocka_unit_test(reads_a_form),
		cmocka_unit_test(refuses_bodies_by_their_fault),
		cmocka_unit_test(keeps_to_the_longest_body),
		cmocka_unit_test(knows_methods),
		cmocka_unit_test(finds_the_path_and_its_last_segment),
		cmocka_unit_test(tells_persons_and_prefetches_apart),
		cmocka_unit_test(finds_the_client_behind_proxies),
		cmocka_unit_test(bears_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
