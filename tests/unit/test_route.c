/* SPDX-License-Identifier: MIT */
/* Whole requests, from the variables of a web server to the answer's bytes. */
#include "webcall.h"

#include "route.h"

#include <stdatomic.h>

/* Answer a request; a NULL ends the variables. */
static void
call(struct web *web, struct strbuf *out, const char *body,
    const char *const *variables)
{
	struct gateway *gateway =
	    gateway_memory(variables, body, strlen(body), out);

	strbuf_reset(out);
	route_request(&web->engine, gateway);
	gateway_close(gateway);
	assert_true(out->length > 0);
}

#define CALL(web, out, body, ...) \
	call(web, out, body, (const char *const[]){ __VA_ARGS__, NULL })

#define GET    "REQUEST_METHOD=GET"
#define BACKUP "SCRIPT_NAME=/stepvault/backup"
#define KEY    "QUERY_STRING=key=" WEB_SECRET

#define COMMON                                        \
	"Content-Type: text/plain; charset=utf-8\r\n" \
	"Cache-Control: no-store\r\n"                 \
	"Referrer-Policy: no-referrer\r\n\r\n"
#define DENIED "Status: 403 Access denied\r\n" COMMON "403 Access denied\n"

/* Nothing of a backup is in the data directory. */
static void
assert_untouched(struct web *web)
{
	assert_int_equal(
	    tool_run(web->top,
		"test -z \"$(ls data/jobs data/backups | grep 2)\" && "
		"test ! -e data/number"),
	    0);
}

/* Whoever may not ask learns nothing, not even why. */
static void
denies_everything_in_the_same_words(void **state)
{
	static const char *const queries[] = { "x=y",
		"QUERY_STRING=", "QUERY_STRING=key=wrong",
		"QUERY_STRING=key=" WEB_SECRET "x",
		"QUERY_STRING=backupid=20261121-093015-abcdefghijklmnop&"
		"token=abcdefghijklmnopqrstuvwxyz",
		"QUERY_STRING=backupid=../../x&token=y",
		"QUERY_STRING=profile=99&key=wrong",
		"QUERY_STRING=profile=nonsense&step=x&key=wrong",
		"QUERY_STRING=key=wrong&fresh=1&noredirect=1",
		"QUERY_STRING=view=check",
		"QUERY_STRING=key=" WEB_SECRET "&key=" WEB_SECRET };
	struct strbuf out = STRBUF_EMPTY;
	char peer[40];
	struct web web;

	web_open(&web, state);
	for (size_t i = 0; i < COUNT_OF(queries); i++) {
		snprintf(peer, sizeof(peer), "REMOTE_ADDR=192.0.2.%zu", i);
		CALL(&web, &out, "", GET, BACKUP, queries[i], peer);
		assert_string_equal(out.bytes, DENIED);
	}
	web.config.enabled = false;
	CALL(&web, &out, "", GET, BACKUP, KEY);
	assert_string_equal(out.bytes, DENIED);
	/* A person's browser gets the same as a page, and no more. */
	CALL(&web, &out, "", GET, BACKUP, KEY, "HTTP_ACCEPT=text/html");
	assert_contains(out.bytes, "Status: 403 Access denied\r\n");
	assert_contains(out.bytes, "<pre>403 Access denied\n</pre>\n");
	web.config.enabled = true;
	web.config.secret.known = false;
	CALL(&web, &out, "", GET, BACKUP, KEY);
	assert_string_equal(out.bytes, DENIED);
	assert_untouched(&web);
	strbuf_close(&out);
	web_close(&web);
}

static void
says_when_it_was_too_often(void **state)
{
	struct strbuf out = STRBUF_EMPTY;
	struct web web;

	web_open(&web, state);
	for (int i = 0; i < 10; i++) {
		CALL(&web, &out, "", GET, BACKUP, "QUERY_STRING=key=wrong");
		assert_string_equal(out.bytes, DENIED);
	}
	CALL(&web, &out, "", GET, BACKUP, "QUERY_STRING=key=wrong");
	assert_string_equal(out.bytes,
	    "Status: 429 Too Many Requests\r\nRetry-After: 600\r\n" COMMON
	    "429 Too Many Requests\n");
	CALL(&web, &out, "", GET, BACKUP, KEY);
	assert_contains(out.bytes, "Status: 200 OK\r\n");
	strbuf_close(&out);
	web_close(&web);
}

static void
does_nothing_for_whom_it_should_not(void **state)
{
	static const char *const methods[] = { "REQUEST_METHOD=HEAD",
		"REQUEST_METHOD=PUT", "REQUEST_METHOD=OPTIONS", "x=y" };
	static const char *const ahead[] = { "HTTP_SEC_PURPOSE=prefetch",
		"HTTP_PURPOSE=preview", "HTTP_X_MOZ=prefetch" };
	static const char *const elsewhere[] = { "SCRIPT_NAME=/backups",
		"SCRIPT_NAME=/backup/x", "SCRIPT_NAME=/stepvault/BACKUP",
		"SCRIPT_NAME=/favicon.ico" };
	struct strbuf out = STRBUF_EMPTY;
	struct web web;

	web_open(&web, state);
	for (size_t i = 0; i < COUNT_OF(methods); i++) {
		CALL(&web, &out, "", methods[i], BACKUP, KEY);
		assert_string_equal(out.bytes,
		    "Status: 405 Method Not Allowed\r\nAllow: GET, "
		    "POST\r\n" COMMON "405 Method Not Allowed\n");
	}
	for (size_t i = 0; i < COUNT_OF(ahead); i++) {
		CALL(&web, &out, "", GET, BACKUP, KEY, ahead[i]);
		assert_contains(out.bytes, "Status: 503 Service Unavailable");
	}
	for (size_t i = 0; i < COUNT_OF(elsewhere); i++) {
		CALL(&web, &out, "", GET, elsewhere[i], KEY);
		assert_string_equal(out.bytes,
		    "Status: 404 Not Found\r\n" COMMON "404 Not Found\n");
	}
	CALL(&web, &out, "", GET, BACKUP, "QUERY_STRING=key=%");
	assert_string_equal(out.bytes,
	    "Status: 400 Bad Request\r\n" COMMON
	    "400 parameter number 1 is malformed\n");
	assert_untouched(&web);
	strbuf_close(&out);
	web_close(&web);
}

/* With the secret, too, a wrong parameter is named and starts nothing. */
static void
names_wrong_parameters(void **state)
{
	static const char *const wrong[] = { "profile=0x1", "profile=2",
		"profile=-1", "profile=1&profile=1", "profile=1000001", "hop=x",
		"backupid=x", "backupid=../../../etc/passwd",
		"backupid=20261121-093015-ABCDEFGHIJKLMNOP", "noredirect=%00",
		"fresh=1&fresh=1", "view=a&view=b", "action=%00" };
	struct strbuf out = STRBUF_EMPTY;
	char query[200];
	struct web web;

	web_open(&web, state);
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		snprintf(query, sizeof(query), KEY "&%s", wrong[i]);
		CALL(&web, &out, "", GET, BACKUP, query);
		if (strncmp(out.bytes, "Status: 400 Bad Request\r\n", 25) != 0)
			fail_msg("'%s' is answered:\n%s", wrong[i], out.bytes);
		assert_contains(out.bytes, "\r\n\r\n400 ");
	}
	CALL(&web, &out, "", GET, BACKUP,
	    KEY "&backupid=20261121-093015-abcdefghijklmnop");
	assert_contains(out.bytes, "Status: 404 Not Found\r\n");
	assert_untouched(&web);
	strbuf_close(&out);
	web_close(&web);
}

static void
finds_the_handler_where_hosts_put_it(void **state)
{
	static const char *const places[] = { "SCRIPT_NAME=/backup",
		"SCRIPT_NAME=//x///backup", "SCRIPT_NAME=/x/",
		"SCRIPT_NAME=", "SCRIPT_NAME=/cgi-bin/stepvault.fcgi",
		"SCRIPT_NAME=/cgi-bin/stepvault.cgi", "PATH_INFO=/backup" };
	struct strbuf out = STRBUF_EMPTY;
	struct web web;

	web_open(&web, state);
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		CALL(&web, &out, "", GET, places[i], KEY);
		assert_contains(out.bytes, "Status: 200 OK\r\n");
		assert_contains(out.bytes, "\r\n\r\n200 OK\nbackup ");
	}
	CALL(&web, &out, "key=" WEB_SECRET, "REQUEST_METHOD=POST", BACKUP,
	    "CONTENT_TYPE=application/x-www-form-urlencoded",
	    "CONTENT_LENGTH=30");
	assert_contains(out.bytes, "Status: 200 OK\r\n");
	/* All of these were of one backup. */
	assert_int_equal(
	    tool_run(web.top, "test \"$(ls data/backups | wc -l)\" = 1"), 0);
	strbuf_close(&out);
	web_close(&web);
}

/* The value of the Location in an answer. */
static void
find_location(const char *answer, char *location, size_t size)
{
	const char *at = strstr(answer, "\r\nLocation: ");

	if (at == NULL)
		fail_msg("this is no redirect:\n%s", answer);
	at += 12;
	snprintf(location, size, "%.*s", (int)strcspn(at, "\r"), at);
}

/* Header lines of an answer, and their bytes. */
static void
assert_headers_fit(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");
	int lines = 1;

	assert_non_null(end);
	for (const char *at = answer; at < end; at++)
		lines += at[0] == '\r';
	assert_in_range(lines, 1, 6);
	print_message("%d lines, %d bytes\n", lines, (int)(end + 2 - answer));
	assert_in_range(end + 2 - answer, 1, 249);
	/* One line of text is all that some clients show. */
	assert_non_null(strchr(end + 4, '\n'));
	assert_string_equal(strchr(end + 4, '\n'), "\n");
}

/* A step that is told to stop ends with a redirect; so does each after it. */
static void
redirects_within_what_clients_bear(void **state)
{
	char location[600], query[700];
	struct strbuf out = STRBUF_EMPTY;
	struct web web;

	web_open(&web, state);
	atomic_store(&web.engine.stop, true);
	CALL(&web, &out, "", GET, BACKUP, KEY,
	    "REQUEST_URI=/stepvault/backup?key=x");
	assert_contains(out.bytes, "Status: 302 Found\r\n");
	assert_headers_fit(out.bytes);
	assert_null(strstr(out.bytes, WEB_SECRET));
	find_location(out.bytes, location, sizeof(location));
	assert_int_equal(strncmp(location, "backup?backupid=2", 17), 0);
	assert_contains(location, "&hop=1&token=");
	/* In the longest chain that there may be, under the longest name. */
	snprintf(query, sizeof(query), "QUERY_STRING=hop=999999998&%.*s%s",
	    (int)(strstr(location, "&hop=") - location - 7), location + 7,
	    strstr(location, "&token="));
	CALL(&web, &out, "", GET, BACKUP, query,
	    "REQUEST_URI=/cgi-bin/stepvault.fcgi");
	assert_contains(out.bytes, "Status: 302 Found\r\n");
	assert_headers_fit(out.bytes);
	find_location(out.bytes, location, sizeof(location));
	assert_int_equal(strncmp(location, "stepvault.fcgi?", 15), 0);
	assert_contains(location, "&hop=999999999&");
	/* A folder's URL never becomes a query alone. */
	CALL(&web, &out, "", GET, "SCRIPT_NAME=/", query, "REQUEST_URI=/x/");
	find_location(out.bytes, location, sizeof(location));
	assert_int_equal(strncmp(location, "./?backupid=", 12), 0);
	strbuf_close(&out);
	web_close(&web);
}

static void
answers_as_the_method_and_client_want(void **state)
{
	struct strbuf out = STRBUF_EMPTY;
	struct web web;

	web_open(&web, state);
	atomic_store(&web.engine.stop, true);
	CALL(&web, &out, "key=" WEB_SECRET, "REQUEST_METHOD=POST", BACKUP,
	    "CONTENT_TYPE=application/x-www-form-urlencoded",
	    "CONTENT_LENGTH=30");
	assert_contains(out.bytes, "Status: 303 See Other\r\n");
	assert_headers_fit(out.bytes);
	CALL(&web, &out, "", GET, BACKUP, KEY "&noredirect=1");
	assert_contains(out.bytes,
	    "Status: 200 OK\r\n" COMMON
	    "301 More work required -- BACKUPID ###2");
	assert_string_equal(out.bytes + out.length - 4, "###\n");
	CALL(&web, &out, "", GET, BACKUP,
	    KEY "&noredirect=1&action=akeebabackup_legacy");
	assert_contains(out.bytes, "BACKUPID #\"\\#\\\"#2");
	/* Every fifteenth answer to a browser is a page. */
	CALL(&web, &out, "", GET, BACKUP, KEY "&hop=13",
	    "HTTP_ACCEPT=text/html");
	assert_contains(out.bytes, "Status: 302 Found\r\n");
	CALL(&web, &out, "", GET, BACKUP, KEY "&hop=14",
	    "HTTP_ACCEPT=text/html");
	assert_contains(out.bytes, "Status: 200 OK\r\n");
	assert_contains(out.bytes, "\r\nRefresh: 0; url=");
	assert_contains(out.bytes, "Content-Type: text/html");
	CALL(&web, &out, "", GET, BACKUP, KEY "&hop=14");
	assert_contains(out.bytes, "Status: 302 Found\r\n");
	strbuf_close(&out);
	web_close(&web);
}

/* Archives in the document root would be served to everybody. */
static void
refuses_a_served_data_directory(void **state)
{
	struct strbuf out = STRBUF_EMPTY;
	char root[4200];
	struct web web;

	web_open(&web, state);
	snprintf(root, sizeof(root), "DOCUMENT_ROOT=%s", web.top);
	CALL(&web, &out, "", GET, BACKUP, KEY, root);
	assert_contains(out.bytes, "Status: 500 ");
	assert_contains(out.bytes,
	    "500 ERROR -- the data directory lies inside the document root");
	assert_untouched(&web);
	snprintf(root, sizeof(root), "DOCUMENT_ROOT=%s/site", web.top);
	CALL(&web, &out, "", GET, BACKUP, KEY, root);
	assert_contains(out.bytes, "Status: 200 OK\r\n");
	strbuf_close(&out);
	web_close(&web);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(denies_everything_in_the_same_words),
		scratch_test(says_when_it_was_too_often),
		scratch_test(does_nothing_for_whom_it_should_not),
		scratch_test(names_wrong_parameters),
		scratch_test(finds_the_handler_where_hosts_put_it),
		scratch_test(redirects_within_what_clients_bear),
		scratch_test(answers_as_the_method_and_client_want),
		scratch_test(refuses_a_served_data_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
