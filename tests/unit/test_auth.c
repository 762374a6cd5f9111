/* SPDX-License-Identifier: MIT */
#include "webcall.h"

#include "auth.h"
#include "request.h"

#include <sys/stat.h>

#define ID    "20261121-093015-abcdefghijklmnop"
#define OTHER "20261121-093015-bbcdefghijklmnop"
#define WRONG "abcdefghijklmnopqrstuvwxyZ"

/* Wrong secrets in a window, before they are too many. */
#define ORIGIN_MAX 10
#define GLOBAL_MAX 1000

/* Judge a GET with two variables of its own. */
static enum auth_grant
judge(struct web *web, const char *one, const char *two)
{
	const char *variables[] = { "REQUEST_METHOD=GET", "SCRIPT_NAME=/backup",
		one, two, NULL };
	struct strbuf out = STRBUF_EMPTY;
	struct gateway *gateway = gateway_memory(variables, "", 0, &out);
	struct request_error error = { 0 };
	struct request request;
	enum auth_grant grant;

	assert_int_equal(
	    request_read(&request, gateway, &web->config, &error), 0);
	grant = auth_judge(&web->engine, &request);
	request_close(&request);
	gateway_close(gateway);
	return grant;
}

/* Somebody at this address does not know the secret. */
static enum auth_grant
guess(struct web *web, const char *address)
{
	char variable[100];

	snprintf(variable, sizeof(variable), "REMOTE_ADDR=%s", address);
	return judge(web, "QUERY_STRING=key=" WRONG, variable);
}

static void
assert_guesses(struct web *web, const char *address, int left)
{
	while (left-- > 0)
		assert_int_equal(guess(web, address), AUTH_DENIED);
	assert_int_equal(guess(web, address), AUTH_THROTTLED);
}

static void
knows_the_secret(void **state)
{
	static const char *const right[] = {
		"HTTP_AUTHORIZATION=Bearer " WEB_SECRET,
		"HTTP_AUTHORIZATION=bearer " WEB_SECRET,
		"QUERY_STRING=key=" WEB_SECRET,
		"QUERY_STRING=x=y&key=%61bcdef"
		"ghijklmnopqrstuvwxyz&z=z",
		/* of somebody else's, for the web server perhaps */
		"QUERY_STRING=key=" WEB_SECRET "&backupid=x&token=y"
	};
	static const char *const wrong[] = { "x=y",
		"HTTP_AUTHORIZATION=", "HTTP_AUTHORIZATION=Bearer",
		"HTTP_AUTHORIZATION=Bearer ",
		"HTTP_AUTHORIZATION=Bearer  " WEB_SECRET,
		"HTTP_AUTHORIZATION=Bearer " WEB_SECRET " ",
		"HTTP_AUTHORIZATION=Basic " WEB_SECRET,
		"HTTP_AUTHORIZATION=" WEB_SECRET,
		"QUERY_STRING=key=", "QUERY_STRING=key",
		"QUERY_STRING=Key=" WEB_SECRET,
		"QUERY_STRING=key=" WEB_SECRET "a", "QUERY_STRING=key=" WRONG,
		"QUERY_STRING=key=abcdefghijklmnopqrstuvwxy",
		"QUERY_STRING=key=" WEB_SECRET "%00",
		"QUERY_STRING=key=" WEB_SECRET "&key=" WEB_SECRET,
		"QUERY_STRING=token=" WEB_SECRET };
	struct web web;

	web_open(&web, state);
	for (size_t i = 0; i < COUNT_OF(right); i++)
		assert_int_equal(judge(&web, right[i], "x=y"), AUTH_SECRET);
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		/* Each from an origin of its own. */
		char peer[100];

		snprintf(peer, sizeof(peer), "REMOTE_ADDR=192.0.2.%zu", i);
		if (judge(&web, wrong[i], peer) != AUTH_DENIED)
			fail_msg("'%s' is not denied", wrong[i]);
	}
	/* A header that is wrong is not made good by a parameter. */
	assert_int_equal(judge(&web, "HTTP_AUTHORIZATION=Bearer x",
			     "QUERY_STRING=key=" WEB_SECRET),
	    AUTH_DENIED);
	/* Whatever else a web server wants in that header. */
	assert_int_equal(judge(&web, "HTTP_AUTHORIZATION=Basic eDp5",
			     "QUERY_STRING=key=" WEB_SECRET),
	    AUTH_SECRET);
	web.config.enabled = false;
	assert_int_equal(judge(&web, right[0], "x=y"), AUTH_DENIED);
	web.config.enabled = true;
	/* Without a secret in the configuration there is none. */
	web.config.secret.known = false;
	assert_int_equal(judge(&web, right[0], "x=y"), AUTH_DENIED);
	memset(&web.config.secret, 0, sizeof(web.config.secret));
	assert_int_equal(judge(&web, right[0], "x=y"), AUTH_DENIED);
	web_close(&web);
}

static void
knows_a_token_and_its_backup(void **state)
{
	static const struct {
		const char *format;
		enum auth_grant grant;
	} cases[] = {
		{ "backupid=" ID "&token=%s", AUTH_STEP },
		{ "token=%s&backupid=" ID "&step=7", AUTH_STEP },
		{ "backupid=" ID "&token=%s&key=" WRONG, AUTH_STEP },
		{ "backupid=" OTHER "&token=%s", AUTH_DENIED },
		{ "token=%s", AUTH_DENIED },
		{ "backupid=&token=%s", AUTH_DENIED },
		{ "backupid=" ID "&token=%s&token=x", AUTH_DENIED },
		{ "backupid=" ID "&backupid=" ID "&token=%s", AUTH_DENIED },
		{ "backupid=" ID "&token=%sa", AUTH_DENIED },
		{ "backupid=" ID "&token=%s%00", AUTH_DENIED },
		{ "backupid=" ID "&key=%s", AUTH_DENIED },
	};
	char token[TOKEN_TEXT_SIZE], query[300], peer[100];
	struct web web;

	web_open(&web, state);
	token_for_step(&web.engine.datadir.keys, ID, token);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *at = strstr(cases[i].format, "%s");

		snprintf(query, sizeof(query), "QUERY_STRING=%.*s%s%s",
		    (int)(at - cases[i].format), cases[i].format, token,
		    at + 2);
		snprintf(peer, sizeof(peer), "REMOTE_ADDR=192.0.2.%zu", i);
		if (judge(&web, query, peer) != cases[i].grant)
			fail_msg("'%s' is judged wrongly", cases[i].format);
	}
	/* One for no backup at all opens nothing. */
	token_for_step(&web.engine.datadir.keys, "", token);
	snprintf(query, sizeof(query), "QUERY_STRING=token=%s", token);
	assert_int_equal(judge(&web, query, "x=y"), AUTH_DENIED);
	snprintf(
	    query, sizeof(query), "QUERY_STRING=backupid=&token=%s", token);
	assert_int_equal(judge(&web, query, "x=y"), AUTH_DENIED);
	token_for_step(&web.engine.datadir.keys, ID, token);
	snprintf(query, sizeof(query), "QUERY_STRING=backupid=" ID "&token=%s",
	    token);
	assert_int_equal(judge(&web, query, "x=y"), AUTH_STEP);
	web.config.enabled = false;
	assert_int_equal(judge(&web, query, "x=y"), AUTH_DENIED);
	web_close(&web);
}

static void
throttles_an_origin(void **state)
{
	char token[TOKEN_TEXT_SIZE], query[300];
	struct stat st;
	struct web web;

	web_open(&web, state);
	assert_guesses(&web, "192.0.2.1", ORIGIN_MAX);
	/* Nobody else is. */
	assert_int_equal(guess(&web, "192.0.2.2"), AUTH_DENIED);
	/* Who knows the secret always passes, and so does the chain. */
	assert_int_equal(judge(&web, "QUERY_STRING=key=" WEB_SECRET,
			     "REMOTE_ADDR=192.0.2.1"),
	    AUTH_SECRET);
	token_for_step(&web.engine.datadir.keys, ID, token);
	snprintf(query, sizeof(query), "QUERY_STRING=backupid=" ID "&token=%s",
	    token);
	assert_int_equal(
	    judge(&web, query, "REMOTE_ADDR=192.0.2.1"), AUTH_STEP);
	assert_int_equal(guess(&web, "192.0.2.1"), AUTH_THROTTLED);
	assert_int_equal(fstatat(web.engine.datadir.fd, "refused", &st, 0), 0);
	assert_in_range(st.st_size, 1, 32768);
	assert_int_equal(st.st_mode & 07777, 0600);
	web_close(&web);
}

static void
counts_a_network_of_ipv6_as_one(void **state)
{
	struct web web;

	web_open(&web, state);
	for (int i = 0; i < ORIGIN_MAX; i++) {
		char address[60];

		snprintf(address, sizeof(address), "2001:db8:1:2:%x::%d",
		    0xffff - i, i);
		assert_int_equal(guess(&web, address), AUTH_DENIED);
	}
	assert_int_equal(guess(&web, "2001:db8:1:2::7"), AUTH_THROTTLED);
	assert_int_equal(guess(&web, "2001:db8:1:3::7"), AUTH_DENIED);
	/* IPv4 has no such networks, however it is written. */
	for (int i = 0; i < 3 * ORIGIN_MAX; i++) {
		char address[60];

		snprintf(address, sizeof(address), "%s192.0.2.%d",
		    i % 2 ? "::ffff:" : "", i);
		assert_int_equal(guess(&web, address), AUTH_DENIED);
	}
	for (int i = 0; i < ORIGIN_MAX; i++)
		assert_int_equal(
		    guess(&web, i % 2 ? "::ffff:198.51.100.1" : "198.51.100.1"),
		    AUTH_DENIED);
	assert_int_equal(guess(&web, "198.51.100.1"), AUTH_THROTTLED);
	web_close(&web);
}

/* Who claims to be another is only believed if a trusted proxy says so. */
static void
counts_clients_behind_trusted_proxies(void **state)
{
	static const char query[] = "HTTP_AUTHORIZATION=Bearer " WRONG;
	struct netblock proxy;
	struct web web;

	web_open(&web, state);
	assert_int_equal(netblock_parse("10.0.0.1", &proxy), 0);
	for (int trusted = 0; trusted < 2; trusted++) {
		int throttled = 0;

		web.config.trusted_proxies.items = &proxy;
		web.config.trusted_proxies.count = trusted;
		for (int i = 0; i < 2 * ORIGIN_MAX; i++) {
			char list[100];
			const char *variables[] = { "REQUEST_METHOD=GET",
				"REMOTE_ADDR=10.0.0.1", list, query, NULL };
			struct strbuf out = STRBUF_EMPTY;
			struct gateway *gateway =
			    gateway_memory(variables, "", 0, &out);
			struct request_error error;
			struct request request;

			snprintf(list, sizeof(list),
			    "HTTP_X_FORWARDED_FOR=203.0.113.%d", i);
			assert_int_equal(request_read(&request, gateway,
					     &web.config, &error),
			    0);
			throttled +=
			    auth_judge(&web.engine, &request) == AUTH_THROTTLED;
			request_close(&request);
			gateway_close(gateway);
		}
		assert_int_equal(throttled, trusted ? 0 : ORIGIN_MAX);
	}
	web.config.trusted_proxies.items = NULL;
	web.config.trusted_proxies.count = 0;
	web_close(&web);
}

static void
throttles_everybody_together(void **state)
{
	int denied = 0;
	char address[60];
	struct web web;

	web_open(&web, state);
	for (int i = 0; i < GLOBAL_MAX; i++) {
		snprintf(address, sizeof(address), "198.18.%d.%d", i / 250,
		    i % 250 + 1);
		denied += guess(&web, address) == AUTH_DENIED;
	}
	assert_int_equal(denied, GLOBAL_MAX);
	assert_int_equal(guess(&web, "198.51.100.7"), AUTH_THROTTLED);
	assert_int_equal(judge(&web, "QUERY_STRING=key=" WEB_SECRET,
			     "REMOTE_ADDR=198.51.100.7"),
	    AUTH_SECRET);
	web_close(&web);
}

/* Every slot's window began so much earlier. */
static void
let_time_pass(struct web *web, int64_t seconds)
{
	struct {
		uint8_t origin[16];
		int64_t window, count;
	} slot;
	int fd = openat(web->engine.datadir.fd, "refused", O_RDWR | O_CLOEXEC);
	off_t at = 0;

	assert_true(fd >= 0);
	for (; pread(fd, &slot, sizeof(slot), at) == sizeof(slot);
	     at += (off_t)sizeof(slot)) {
		slot.window -= seconds;
		assert_int_equal(
		    pwrite(fd, &slot, sizeof(slot), at), sizeof(slot));
	}
	assert_true(at > 0);
	close(fd);
}

static void
forgets_after_its_window(void **state)
{
	struct web web;

	web_open(&web, state);
	assert_guesses(&web, "192.0.2.1", ORIGIN_MAX);
	let_time_pass(&web, AUTH_WINDOW / 2);
	assert_int_equal(guess(&web, "192.0.2.1"), AUTH_THROTTLED);
	let_time_pass(&web, AUTH_WINDOW / 2);
	assert_guesses(&web, "192.0.2.1", ORIGIN_MAX);
	/* A clock that was set back locks nobody out for ever. */
	let_time_pass(&web, -1000000);
	assert_guesses(&web, "192.0.2.1", ORIGIN_MAX);
	web_close(&web);
}

static void
bears_a_damaged_table(void **state)
{
	struct web web;

	web_open(&web, state);
	assert_int_equal(tool_run(web.top,
			     "head -c 32768 /dev/zero | tr '\\0' '\\377' "
			     ">data/refused"),
	    0);
	assert_guesses(&web, "192.0.2.1", ORIGIN_MAX);
	assert_int_equal(tool_run(web.top, "truncate -s 5 data/refused"), 0);
	assert_guesses(&web, "192.0.2.1", ORIGIN_MAX);
	/* Where it cannot count nobody may guess; the right secret passes. */
	assert_int_equal(
	    tool_run(web.top, "rm data/refused && mkdir data/refused"), 0);
	assert_int_equal(guess(&web, "192.0.2.2"), AUTH_THROTTLED);
	assert_int_equal(
	    judge(&web, "QUERY_STRING=key=" WEB_SECRET, "x=y"), AUTH_SECRET);
	assert_int_equal(tool_run(web.top,
			     "rmdir data/refused && ln -s ../site/a "
			     "data/refused"),
	    0);
	assert_int_equal(guess(&web, "192.0.2.2"), AUTH_THROTTLED);
	assert_int_equal(tool_run(web.top, "test ! -s site/a"), 0);
	web_close(&web);
}

/* How many of seven guesses were let through. */
static int
guess_in_a_child(void *context)
{
	int denied = 0;

	for (int i = 0; i < 7; i++)
		denied += guess(context, "192.0.2.1") == AUTH_DENIED;
	return denied;
}

static void
counts_for_all_processes(void **state)
{
	pid_t children[5];
	int denied = 0;
	struct web web;

	web_open(&web, state);
	for (size_t i = 0; i < COUNT_OF(children); i++)
		children[i] = tool_fork(guess_in_a_child, &web);
	for (size_t i = 0; i < COUNT_OF(children); i++)
		denied += tool_wait(children[i]);
	assert_int_equal(denied, ORIGIN_MAX);
	web_close(&web);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(knows_the_secret),
		scratch_test(knows_a_token_and_its_backup),
		scratch_test(throttles_an_origin),
		scratch_test(counts_a_network_of_ipv6_as_one),
		scratch_test(counts_clients_behind_trusted_proxies),
		scratch_test(throttles_everybody_together),
		scratch_test(forgets_after_its_window),
		scratch_test(bears_a_damaged_table),
		scratch_test(counts_for_all_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
