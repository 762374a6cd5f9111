/* SPDX-License-Identifier: MIT */
/*
 * One thread at a time waits in the lobby for the next request, the others for
 * their turn: a request wakes one thread, not all, and a process whose threads
 * are all busy leaves connections to others.  On a signal the main thread sets
 * the engine's stop flag and closes a pipe that the waiting thread also looks
 * at.
 */
#include "server.h"

#include "base/fault.h"
#include "gateway.h"
#include "lobby.h"
#include "route.h"
#include "run/engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG      128
#define THREAD_STACK (512 * 1024)

struct server {
	struct engine *engine;
	struct lobby *lobby;
	int wake[2];
	pthread_mutex_t turn;
};

static int
bind_and_listen(const struct sockaddr *address, socklen_t length,
    const char *text, struct fault *fault)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int yes = 1;

	if (fd >= 0 && address->sa_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (fd < 0 || bind(fd, address, length) != 0 ||
	    listen(fd, BACKLOG) != 0) {
		fault_errno(fault, "cannot listen at %s", text);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/* A socket file whose server is gone refuses connections. */
static void
remove_stale(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd >= 0 && lstat(address->sun_path, &st) == 0 &&
	    S_ISSOCK(st.st_mode) &&
	    connect(fd, (const struct sockaddr *)address, sizeof(*address)) !=
		0 &&
	    errno == ECONNREFUSED)
		unlink(address->sun_path);
	if (fd >= 0)
		close(fd);
}

static int
listen_unix(const char *path, const char *text, struct fault *fault)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t before;
	int fd;

	if (path[0] != '/' || strlen(path) >= sizeof(address.sun_path))
		return fault_set(fault, FAULT_USAGE,
		    "%s: write unix: and an absolute path of fewer than %zu "
		    "bytes",
		    text, sizeof(address.sun_path));
	memcpy(address.sun_path, path, strlen(path) + 1);
	remove_stale(&address);
	before = umask(0117);
	fd = bind_and_listen(
	    (struct sockaddr *)&address, sizeof(address), text, fault);
	umask(before);
	return fd;
}

int
server_listen(const char *address, struct fault *fault)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	const char *colon = strrchr(address, ':');
	char host[64] = "";
	char *end;
	long port;

	if (strncmp(address, "unix:", 5) == 0)
		return listen_unix(address + 5, address, fault);
	port = colon != NULL ? strtol(colon + 1, &end, 10) : 0;
	if (port > 0 && port < 65536 && *end == '\0' &&
	    colon - address < (long)sizeof(host))
		snprintf(host, sizeof(host), "%.*s", (int)(colon - address),
		    address);
	v4.sin_port = v6.sin6_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
		return bind_and_listen(
		    (struct sockaddr *)&v4, sizeof(v4), address, fault);
	if (host[0] == '[' && host[strlen(host) - 1] == ']') {
		host[strlen(host) - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &v6.sin6_addr) == 1)
			return bind_and_listen(
			    (struct sockaddr *)&v6, sizeof(v6), address, fault);
	}
	return fault_set(fault, FAULT_USAGE,
	    "'%s' is no address to listen at; write 127.0.0.1:9000, "
	    "[::1]:9000 or unix:/path",
	    address);
}

/* Wait for a request; -1 when it is time to stop. */
static int
next_request(struct server *server)
{
	int fd;

	pthread_mutex_lock(&server->turn);
	fd = lobby_next(server->lobby);
	pthread_mutex_unlock(&server->turn);
	return fd;
}

static void *
serve(void *user)
{
	struct server *server = user;
	int fd;

	while ((fd = next_request(server)) >= 0) {
		struct gateway *gateway = gateway_accept(fd);

		if (gateway == NULL)
			continue;
		route_request(server->engine, gateway);
		gateway_close(gateway);
	}
	return NULL;
}

static int
start_threads(struct server *server, pthread_t *threads, int count)
{
	pthread_attr_t attributes;
	int started = 0;

	if (pthread_attr_init(&attributes) != 0)
		return 0;
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	while (started < count &&
	    pthread_create(&threads[started], &attributes, serve, server) == 0)
		started++;
	pthread_attr_destroy(&attributes);
	return started;
}

int
server_run(
    struct engine *engine, int listener, int threads, struct fault *fault)
{
	struct server server = { .engine = engine };
	pthread_t *all = calloc((size_t)threads, sizeof(*all));
	sigset_t signals;
	int started, signal;

	if (all == NULL)
		abort();
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGUSR1);
	/* Blocked in all threads, those of the engine too. */
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	if (pipe2(server.wake, O_CLOEXEC) != 0) {
		free(all);
		return fault_errno(fault, "the server cannot be started");
	}
	fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) | O_NONBLOCK);
	server.lobby = lobby_new(listener, server.wake[0], fault);
	if (server.lobby == NULL) {
		close(server.wake[0]);
		close(server.wake[1]);
		free(all);
		return -1;
	}
	pthread_mutex_init(&server.turn, NULL);
	started = start_threads(&server, all, threads);
	if (started > 0)
		sigwait(&signals, &signal);
	atomic_store(&engine->stop, true);
	close(server.wake[1]);
	for (int i = 0; i < started; i++)
		pthread_join(all[i], NULL);
	lobby_free(server.lobby);
	close(server.wake[0]);
	pthread_mutex_destroy(&server.turn);
	free(all);
	return started > 0
	    ? 0
	    : fault_set(fault, FAULT_SYSTEM, "there can be no threads");
}
