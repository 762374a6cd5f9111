/* SPDX-License-Identifier: MIT */
#include "check.h"

#include "gateway.h"
#include "page.h"
#include "response.h"

static const char *const nothing[] = { NULL };

static void
assert_sent(const struct response *response, const char *wanted)
{
	struct strbuf out = STRBUF_EMPTY;
	struct gateway *gateway = gateway_memory(nothing, "", 0, &out);

	assert_int_equal(response_send(response, gateway), 0);
	assert_string_equal(out.bytes, wanted);
	gateway_close(gateway);
	strbuf_close(&out);
}

#define ALWAYS                                        \
	"Content-Type: text/plain; charset=utf-8\r\n" \
	"Cache-Control: no-store\r\n"                 \
	"Referrer-Policy: no-referrer\r\n"

/* As RFC 3875, 6.2 says: the status first, each line with its CRLF. */
static void
sends_what_cgi_wants(void **state)
{
	struct response response = RESPONSE_EMPTY;

	(void)state;
	response.status = 302;
	response_header(&response, "Location: %s", "x?y");
	strbuf_addstr(&response.body, "more\n");
	assert_sent(&response,
	    "Status: 302 Found\r\nLocation: x?y\r\n" ALWAYS "\r\nmore\n");
	response_close(&response);
	assert_int_equal(response.status, 0);
	response.status = 200;
	assert_sent(&response, "Status: 200 OK\r\n" ALWAYS "\r\n");
	response_close(&response);
	response_close(&response);
}

static void
sends_errors_as_text(void **state)
{
	static const struct {
		int status;
		const char *words;
	} all[] = { { 400, "Bad Request" }, { 403, "Access denied" },
		{ 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 411, "Length Required" }, { 413, "Content Too Large" },
		{ 414, "URI Too Long" }, { 415, "Unsupported Media Type" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 503, "Service Unavailable" } };
	char wanted[400];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		struct response response = RESPONSE_EMPTY;

		strbuf_addstr(&response.body, "what was there before");
		response_error(&response, all[i].status, NULL);
		snprintf(wanted, sizeof(wanted),
		    "Status: %d %s\r\n" ALWAYS "\r\n%d %s\n", all[i].status,
		    all[i].words, all[i].status, all[i].words);
		assert_sent(&response, wanted);
		response_error(&response, all[i].status, "because");
		assert_string_equal(
		    strchr(response.body.bytes, ' '), " because\n");
		response_close(&response);
	}
	assert_string_equal(response_words(303), "See Other");
	assert_string_equal(response_words(599), "Internal Server Error");
}

static void
wraps_a_page_for_persons(void **state)
{
	struct response response = RESPONSE_EMPTY;
	struct strbuf out = STRBUF_EMPTY;
	struct gateway *gateway = gateway_memory(nothing, "", 0, &out);

	(void)state;
	response_error(&response, 500, "<script>&amp;</pre>");
	page_wrap(&response);
	assert_int_equal(response_send(&response, gateway), 0);
	assert_contains(
	    out.bytes, "Content-Type: text/html; charset=utf-8\r\n");
	assert_contains(out.bytes, "\r\nX-Robots-Tag: noindex\r\n");
	assert_contains(out.bytes, "\r\nX-Content-Type-Options: nosniff\r\n");
	assert_contains(
	    out.bytes, "\r\nContent-Security-Policy: default-src 'none';");
	assert_contains(out.bytes, "frame-ancestors 'none'");
	assert_contains(out.bytes, "\r\nCache-Control: no-store\r\n");
	assert_contains(out.bytes, "\r\nReferrer-Policy: no-referrer\r\n");
	assert_contains(out.bytes, "<!doctype html>");
	assert_contains(out.bytes,
	    "<pre>500 &lt;script&gt;&amp;amp;&lt;/pre&gt;\n</pre>\n");
	assert_null(strstr(out.bytes, "<script>"));
	gateway_close(gateway);
	strbuf_close(&out);
	response_close(&response);
	/* An empty text is an empty page. */
	page_wrap(&response);
	assert_contains(response.body.bytes, "<pre></pre>");
	response_close(&response);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_what_cgi_wants),
		cmocka_unit_test(sends_errors_as_text),
		cmocka_unit_test(wraps_a_page_for_persons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
