/* SPDX-License-Identifier: MIT */
/*
 * Bytes of a FastCGI connection.  The lobby judges them as they come, and once
 * it has refused them or found them whole, more bytes change nothing.  What it
 * lets pass is a request to the gateway, which is read within its limits, and
 * the connection is closed in the end.
 */
#include "asked.h"

#include "lobby.h"

#include <errno.h>
#include <sys/socket.h>

static struct config config;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct fault fault;

	(void)argc;
	(void)argv;
	CHECK_FINE(
	    config_parse(&config, "fuzz.conf", ASKED_CONFIG, &fault), &fault);
	CHECK(gateway_init() == 0);
	return 0;
}

static enum lobby_verdict
judge(const uint8_t *data, size_t size)
{
	uint8_t *copy = (uint8_t *)fuzz_text(data, size);
	enum lobby_verdict verdict = lobby_judge(copy, size);

	free(copy);
	return verdict;
}

/* The verdict on all of it, and on its beginnings. */
static enum lobby_verdict
judge_as_it_comes(const uint8_t *data, size_t size)
{
	enum lobby_verdict verdict = LOBBY_WAIT;
	size_t piece = 1 + size / 50;

	for (size_t length = 0; length < size; length += piece) {
		enum lobby_verdict next = judge(data, length);

		CHECK(verdict == LOBBY_WAIT || next == verdict);
		verdict = next;
	}
	CHECK(verdict == LOBBY_WAIT || judge(data, size) == verdict);
	return judge(data, size);
}

static void
serve(struct gateway *gateway)
{
	struct request request;
	char byte;

	asked_read(&request, gateway, &config);
	request_close(&request);
	while (gateway_read(gateway, &byte, 1) > 0)
		continue;
	/* At its end the body stays at its end. */
	CHECK(gateway_read(gateway, &byte, 1) <= 0);
	/* Nobody waits for an answer. */
	CHECK(gateway_send(gateway, "x", 1) == -1);
	gateway_close(gateway);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gateway *gateway;
	int ends[2];

	if (size > LOBBY_BYTES)
		return -1;
	if (judge_as_it_comes(data, size) != LOBBY_READY)
		return 0;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	CHECK(write(ends[0], data, size) == (ssize_t)size);
	CHECK(shutdown(ends[0], SHUT_WR) == 0);
	gateway = gateway_accept(ends[1]);
	CHECK(gateway != NULL);
	serve(gateway);
	CHECK(fcntl(ends[1], F_GETFD) == -1 && errno == EBADF);
	CHECK(close(ends[0]) == 0);
	return 0;
}
