/* SPDX-License-Identifier: MIT */
#include "gateway.h"

#include "base/budget.h"
#include "base/fsio.h"
#include "base/strbuf.h"

#include <fcgiapp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* A web server sends its request at once, and takes the answer. */
#define PATIENCE_SECONDS 30

/* ... and closes its connection then. */
#define FAREWELL (250 * BUDGET_MILLISECOND)

enum kind { KIND_FASTCGI, KIND_PLAIN, KIND_MEMORY };

struct gateway {
	enum kind kind;
	FCGX_Request request;
	const char *const *environment;
	const char *body;
	size_t body_length;
	struct strbuf *out;
};

int
gateway_init(void)
{
	return FCGX_Init() == 0 ? 0 : -1;
}

static struct gateway *
new_gateway(enum kind kind)
{
	struct gateway *gateway = calloc(1, sizeof(*gateway));

	if (gateway == NULL)
		abort();
	gateway->kind = kind;
	return gateway;
}

static void
set_time_outs(int fd)
{
	struct timeval patience = { .tv_sec = PATIENCE_SECONDS };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

struct gateway *
gateway_accept(int fd)
{
	struct gateway *gateway = new_gateway(KIND_FASTCGI);
	FCGX_Request *request = &gateway->request;

	set_time_outs(fd);
	if (FCGX_InitRequest(request, -1, 0) != 0) {
		close(fd);
		free(gateway);
		return NULL;
	}
	/*
	 * With a connection that is there already FCGX_Accept_r accepts none,
	 * and with keepConnection set it does not close this one first.
	 */
	request->ipcFd = fd;
	request->keepConnection = 1;
	if (FCGX_Accept_r(request) != 0) {
		FCGX_Free(request, 1);
		free(gateway);
		return NULL;
	}
	/* Idle connections would keep threads busy with nothing. */
	request->keepConnection = 0;
	return gateway;
}

struct gateway *
gateway_plain(void)
{
	return new_gateway(KIND_PLAIN);
}

struct gateway *
gateway_memory(const char *const *environment, const void *body, size_t length,
    struct strbuf *out)
{
	struct gateway *gateway = new_gateway(KIND_MEMORY);

	gateway->environment = environment;
	gateway->body = body;
	gateway->body_length = length;
	gateway->out = out;
	return gateway;
}

/*
 * Let the client close first: data that nobody has read would make the kernel
 * cut the connection, the answer with it.  But only for a while.
 */
static void
hang_up(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	int64_t end = budget_now() + FAREWELL, left = FAREWELL;
	char trash[4096];

	shutdown(fd, SHUT_WR);
	while (left > 0 &&
	    poll(&poller, 1, (int)(left / BUDGET_MILLISECOND) + 1) > 0 &&
	    recv(fd, trash, sizeof(trash), MSG_DONTWAIT) > 0)
		left = end - budget_now();
	close(fd);
}

void
gateway_close(struct gateway *gateway)
{
	FCGX_Request *request;

	if (gateway == NULL)
		return;
	request = &gateway->request;
	if (gateway->kind == KIND_FASTCGI) {
		/* libfcgi would wait for a client that goes on sending. */
		request->keepConnection = 1;
		FCGX_Finish_r(request);
		if (request->ipcFd >= 0)
			hang_up(request->ipcFd);
	}
	free(gateway);
}

static const char *
find_variable(const char *const *environment, const char *name)
{
	size_t length = strlen(name);

	for (; *environment != NULL; environment++)
		if (strncmp(*environment, name, length) == 0 &&
		    (*environment)[length] == '=')
			return *environment + length + 1;
	return NULL;
}

const char *
gateway_variable(struct gateway *gateway, const char *name)
{
	switch (gateway->kind) {
	case KIND_FASTCGI:
		return FCGX_GetParam(name, gateway->request.envp);
	case KIND_PLAIN:
		return getenv(name);
	case KIND_MEMORY:
		return find_variable(gateway->environment, name);
	}
	return NULL;
}

ssize_t
gateway_read(struct gateway *gateway, void *bytes, size_t length)
{
	switch (gateway->kind) {
	case KIND_FASTCGI:
		return FCGX_GetStr(bytes, (int)length, gateway->request.in);
	case KIND_PLAIN:
		return fsio_read(STDIN_FILENO, bytes, length);
	case KIND_MEMORY:
		if (length > gateway->body_length)
			length = gateway->body_length;
		memcpy(bytes, gateway->body, length);
		gateway->body += length;
		gateway->body_length -= length;
		return (ssize_t)length;
	}
	return -1;
}

bool
gateway_body_ends(struct gateway *gateway)
{
	char byte;

	return gateway->kind == KIND_PLAIN ||
	    gateway_read(gateway, &byte, 1) == 0;
}

/* The peer has closed its end: nobody waits for the answer. */
static bool
is_gone(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLRDHUP };

	return poll(&poller, 1, 0) > 0 &&
	    (poller.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

int
gateway_send(struct gateway *gateway, const void *bytes, size_t length)
{
	FCGX_Request *request = &gateway->request;

	switch (gateway->kind) {
	case KIND_FASTCGI:
		if (is_gone(request->ipcFd) ||
		    FCGX_PutStr(bytes, (int)length, request->out) !=
			(int)length ||
		    FCGX_FFlush(request->out) != 0)
			return -1;
		return 0;
	case KIND_PLAIN:
		return fsio_write(STDOUT_FILENO, bytes, length);
	case KIND_MEMORY:
		strbuf_add(gateway->out, bytes, length);
		return 0;
	}
	return -1;
}
