/* SPDX-License-Identifier: MIT */
#include "base/fsio.h"
#include "run/companion_internal.h"
#include "run/engine.h"
#include "store/config.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* More than that may only come where the companion does not answer. */
#define BACKLOG 128

/* What stands in an address is short: a longer path goes by the descriptor. */
static void
find_address(const struct engine *engine, struct sockaddr_un *address)
{
	address->sun_family = AF_UNIX;
	if (snprintf(address->sun_path, sizeof(address->sun_path), "%s/%s",
		engine->config->data,
		COMPANION_SOCKET) < (int)sizeof(address->sun_path))
		return;
	snprintf(address->sun_path, sizeof(address->sun_path),
	    "/proc/self/fd/%d/%s", engine->datadir.fd, COMPANION_SOCKET);
}

int
companion_connect(const struct engine *engine)
{
	struct sockaddr_un address;
	int number, fd;

	find_address(engine, &address);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	number = errno;
	close(fd);
	errno = number;
	return -1;
}

int
companion_listen(const struct engine *engine, struct fault *fault)
{
	struct sockaddr_un address;
	int fd;

	find_address(engine, &address);
	if (fsio_remove(engine->datadir.fd, COMPANION_SOCKET) != 0 &&
	    errno != ENOENT)
		return fault_errno(
		    fault, "'%s' cannot be removed", COMPANION_SOCKET);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The file will have the mode of the socket. */
	if (fd >= 0 && fchmod(fd, 0600) == 0 &&
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	fault_errno(
	    fault, "the companion cannot listen at %s", address.sun_path);
	if (fd >= 0)
		close(fd);
	return -1;
}

bool
companion_knows(int fd, pid_t *pid)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
		return false;
	*pid = peer.pid;
	return peer.uid == geteuid();
}
