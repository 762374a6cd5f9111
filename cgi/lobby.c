/* SPDX-License-Identifier: MIT */
/*
 * The bytes stay in the socket until libfcgi reads them: here they are only
 * peeked at, each time that more of them come (which epoll tells in its
 * edge-triggered mode).
 */
#include "lobby.h"

#include "base/budget.h"
#include "base/fault.h"
#include "request.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* A web server sends its request at once. */
#define PATIENCE (30 * BUDGET_SECOND)

/* With one more the oldest has to go: descriptors are few. */
#define GUESTS_MAX 128

/* FastCGI 1.0: records, and their types in a responder's request. */
#define HEADER_SIZE   8
#define BEGIN_REQUEST 1
#define PARAMS        4
#define STDIN         5
#define BEGIN_SIZE    8
#define RESPONDER     1

struct guest {
	int fd;
	int64_t deadline;
};

struct lobby {
	int epoll;
	int listener;
	int wake;
	struct guest guests[GUESTS_MAX]; /* the oldest first */
	int count;
	uint8_t bytes[LOBBY_BYTES];
};

/* Read the length of a name or value; -1 if it is cut off. */
static int64_t
read_length(const uint8_t *bytes, size_t size, size_t *at)
{
	size_t left = size - *at;
	const uint8_t *b = bytes + *at;

	if (left >= 1 && b[0] < 0x80) {
		*at += 1;
		return b[0];
	}
	if (left < 4)
		return -1;
	*at += 4;
	return (int64_t)(b[0] & 0x7f) << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

/* The variables are whole, and can be strings. */
static bool
are_variables(const uint8_t *bytes, size_t size)
{
	size_t at = 0;

	while (at < size) {
		int64_t name = read_length(bytes, size, &at);
		int64_t value = read_length(bytes, size, &at);

		if (name < 0 || value < 0 ||
		    name + value > (int64_t)(size - at) ||
		    memchr(bytes + at, '\0', (size_t)(name + value)) != NULL)
			return false;
		at += (size_t)(name + value);
	}
	return true;
}

/* A record at the beginning of some bytes. */
struct fcgi_record {
	int type;
	int id;
	size_t size; /* of its content */
	size_t padding;
	const uint8_t *content;
};

/* What was seen of a request. */
struct seen {
	int expected; /* the type of the next record */
	int id;
	size_t variables; /* bytes */
	size_t body;      /* bytes */
};

static struct fcgi_record
read_record(const uint8_t *head)
{
	return (struct fcgi_record){
		.type = head[0] == 1 ? head[1] : 0,
		.id = head[2] << 8 | head[3],
		.size = (size_t)(head[4] << 8 | head[5]),
		.padding = head[6],
		.content = head + HEADER_SIZE,
	};
}

/* Whether a record of this header can come next. */
static bool
can_follow(const struct seen *seen, const struct fcgi_record *record)
{
	bool ends;

	if (record->type != seen->expected || record->id == 0 ||
	    (seen->id != 0 && record->id != seen->id))
		return false;
	if (record->type == BEGIN_REQUEST && record->size != BEGIN_SIZE)
		return false;
	/* libfcgi would take this padding for the next record. */
	ends = record->type == BEGIN_REQUEST ||
	    (record->type == PARAMS && record->size == 0);
	return !ends || record->padding == 0;
}

/* Take a whole record; the variables move together, to the front of bytes. */
static enum lobby_verdict
take_record(struct seen *seen, const struct fcgi_record *record, uint8_t *bytes)
{
	const uint8_t *content = record->content;

	seen->id = record->id;
	if (record->type == BEGIN_REQUEST) {
		seen->expected = PARAMS;
		return (content[0] << 8 | content[1]) == RESPONDER
		    ? LOBBY_WAIT
		    : LOBBY_REFUSE;
	}
	if (record->type == STDIN)
		return record->size == 0 ? LOBBY_READY : LOBBY_WAIT;
	memmove(bytes + seen->variables, content, record->size);
	seen->variables += record->size;
	if (record->size > 0)
		return LOBBY_WAIT;
	seen->expected = STDIN;
	return are_variables(bytes, seen->variables) ? LOBBY_WAIT
						     : LOBBY_REFUSE;
}

enum lobby_verdict
lobby_judge(uint8_t *bytes, size_t length)
{
	struct seen seen = { .expected = BEGIN_REQUEST };
	enum lobby_verdict verdict;

	for (size_t at = 0; length - at >= HEADER_SIZE;) {
		struct fcgi_record record = read_record(bytes + at);
		size_t here = length - at - HEADER_SIZE;

		if (!can_follow(&seen, &record))
			return LOBBY_REFUSE;
		if (record.type == STDIN)
			seen.body += here < record.size ? here : record.size;
		if (here < record.size + record.padding)
			break;
		verdict = take_record(&seen, &record, bytes);
		if (verdict != LOBBY_WAIT)
			return verdict;
		at += HEADER_SIZE + record.size + record.padding;
	}
	if (length < LOBBY_BYTES)
		return LOBBY_WAIT;
	/* Of a longer body no more than this is read. */
	return seen.body > REQUEST_BODY_MAX ? LOBBY_READY : LOBBY_REFUSE;
}

static int
watch(struct lobby *lobby, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	return epoll_ctl(lobby->epoll, EPOLL_CTL_ADD, fd, &event);
}

struct lobby *
lobby_new(int listener, int wake, struct fault *fault)
{
	struct lobby *lobby = calloc(1, sizeof(*lobby));
	int room = 4 * (int)LOBBY_BYTES;

	if (lobby == NULL)
		abort();
	lobby->listener = listener;
	lobby->wake = wake;
	lobby->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (lobby->epoll < 0 || watch(lobby, listener, EPOLLIN) != 0 ||
	    watch(lobby, wake, EPOLLIN) != 0) {
		fault_errno(fault, "connections cannot be waited for");
		lobby_free(lobby);
		return NULL;
	}
	/* Accepted sockets have it from here: TCP's own may be too small. */
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	return lobby;
}

void
lobby_free(struct lobby *lobby)
{
	if (lobby == NULL)
		return;
	for (int i = 0; i < lobby->count; i++)
		close(lobby->guests[i].fd);
	if (lobby->epoll >= 0)
		close(lobby->epoll);
	free(lobby);
}

/* A guest leaves; its descriptor remains. */
static int
take_out(struct lobby *lobby, int index)
{
	int fd = lobby->guests[index].fd;

	epoll_ctl(lobby->epoll, EPOLL_CTL_DEL, fd, NULL);
	lobby->count--;
	memmove(&lobby->guests[index], &lobby->guests[index + 1],
	    (size_t)(lobby->count - index) * sizeof(struct guest));
	return fd;
}

static void
turn_out(struct lobby *lobby, int index)
{
	close(take_out(lobby, index));
}

static int
find_guest(const struct lobby *lobby, int fd)
{
	for (int i = 0; i < lobby->count; i++)
		if (lobby->guests[i].fd == fd)
			return i;
	return -1;
}

/* Let a connection in: 0, or -1 if there is none after all. */
static int
let_in(struct lobby *lobby)
{
	int fd = accept4(lobby->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
		/* Out of descriptors: some will be free in a while. */
		if (lobby->count > 0)
			turn_out(lobby, 0);
		else
			poll(NULL, 0, 50);
	}
	if (fd < 0)
		return -1;
	if (lobby->count == GUESTS_MAX)
		turn_out(lobby, 0);
	if (watch(lobby, fd, EPOLLIN | EPOLLRDHUP | EPOLLET) != 0) {
		close(fd);
		return -1;
	}
	lobby->guests[lobby->count++] =
	    (struct guest){ fd, budget_now() + PATIENCE };
	return 0;
}

/* Look at what a guest has sent; its descriptor if that is all, or -1. */
static int
look_at(struct lobby *lobby, int index, uint32_t events)
{
	int fd = lobby->guests[index].fd;
	ssize_t got =
	    recv(fd, lobby->bytes, LOBBY_BYTES, MSG_PEEK | MSG_DONTWAIT);
	enum lobby_verdict verdict = LOBBY_REFUSE;

	if (got > 0)
		verdict = lobby_judge(lobby->bytes, (size_t)got);
	else if (got < 0 && (errno == EAGAIN || errno == EINTR))
		verdict = LOBBY_WAIT;
	/* Nothing more will come. */
	if (verdict == LOBBY_WAIT &&
	    (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		verdict = LOBBY_REFUSE;
	if (verdict == LOBBY_READY)
		return take_out(lobby, index);
	if (verdict == LOBBY_REFUSE)
		turn_out(lobby, index);
	return -1;
}

/* Milliseconds until the oldest guest has waited too long; -1: never. */
static int
next_time_out(struct lobby *lobby)
{
	int64_t now = budget_now();

	while (lobby->count > 0 && lobby->guests[0].deadline <= now)
		turn_out(lobby, 0);
	if (lobby->count == 0)
		return -1;
	return (int)((lobby->guests[0].deadline - now) / BUDGET_MILLISECOND) +
	    1;
}

int
lobby_next(struct lobby *lobby)
{
	for (;;) {
		struct epoll_event event;
		int count =
		    epoll_wait(lobby->epoll, &event, 1, next_time_out(lobby));
		int index, fd;

		if (count < 0 && errno != EINTR)
			return -1;
		if (count <= 0)
			continue;
		if (event.data.fd == lobby->wake ||
		    (event.data.fd == lobby->listener &&
			event.events != EPOLLIN))
			return -1;
		if (event.data.fd == lobby->listener) {
			/* Another process may have been faster. */
			if (let_in(lobby) != 0)
				continue;
			index = lobby->count - 1;
			event.events = 0;
		} else {
			index = find_guest(lobby, event.data.fd);
		}
		fd = index >= 0 ? look_at(lobby, index, event.events) : -1;
		if (fd >= 0)
			return fd;
	}
}
