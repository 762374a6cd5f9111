/* SPDX-License-Identifier: MIT */
#include "run/companion_internal.h"
#include "store/fields.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define WIRE_VERSION 1

/* How much is made room for at once, whatever is announced. */
#define SLICE (8 * 1024 * 1024)

static const char *const requests[] = { "begin", "list", "read", "end", NULL };

/* In the order of enum dump_outcome, and of enum fault_code. */
static const char *const outcomes[] = { "fault", "more", "held", "ended",
	"wait", "again", NULL };
static const char *const codes[] = { "none", "usage", "auth", "not found",
	"busy", "retry", "system", "corrupt", NULL };

#define QUESTION(member) .offset = offsetof(struct companion_question, member)
#define TEXT_OF(type, member) \
	.kind = FIELD_TEXT, .size = sizeof(((struct type *)NULL)->member)

static const struct field question_fields[] = {
	{ "request", FIELD_WORD, QUESTION(request), .words = requests },
	{ "token", TEXT_OF(companion_question, token), QUESTION(token) },
	{ "id", TEXT_OF(companion_question, id), QUESTION(id) },
	{ "profile", FIELD_NUMBER, QUESTION(profile) },
	{ "database", FIELD_NUMBER, QUESTION(database) },
	{ "line", FIELD_STRING, QUESTION(line) },
	{ "bytes", FIELD_NUMBER, QUESTION(bytes) },
	{ "rows", FIELD_NUMBER, QUESTION(place.rows) },
	{ "structure", TEXT_OF(companion_question, place.structure),
	    QUESTION(place.structure) },
	{ "key", TEXT_OF(companion_question, place.key), QUESTION(place.key) },
	FIELD_END,
};

static const struct form question_form = {
	.fields = question_fields,
	.version = WIRE_VERSION,
	.name = "question",
};

/* What stands in a line: words begin at 0, outcomes at -1. */
struct head_line {
	int outcome;
	int code;
	struct companion_head head;
};

#define HEAD(member)      .offset = offsetof(struct head_line, head.member)
#define TEXT_HEAD(member) TEXT_OF(head_line, head.member), HEAD(member)

static const struct field head_fields[] = {
	{ "outcome", FIELD_WORD, .offset = offsetof(struct head_line, outcome),
	    .words = outcomes },
	{ "code", FIELD_WORD, .offset = offsetof(struct head_line, code),
	    .words = codes },
	{ "fault", TEXT_HEAD(fault.text) },
	{ "token", TEXT_HEAD(token) },
	{ "server", TEXT_HEAD(facts.server) },
	{ "charset", TEXT_HEAD(facts.charset) },
	{ "collation", TEXT_HEAD(facts.collation) },
	{ "rows", FIELD_NUMBER, HEAD(place.rows) },
	{ "structure", TEXT_HEAD(place.structure) },
	{ "key", TEXT_HEAD(place.key) },
	{ "text", FIELD_NUMBER, HEAD(text) },
	{ "notes", FIELD_NUMBER, HEAD(notes) },
	FIELD_END,
};

static const struct form head_form = {
	.fields = head_fields,
	.version = WIRE_VERSION,
	.name = "answer",
};

void
companion_write_question(const struct companion_ask *ask, struct strbuf *out)
{
	struct companion_question question = {
		.request = ask->request,
		.profile = ask->profile,
		.database = ask->database,
		.bytes = ask->bytes,
	};

	memcpy(question.token, ask->token, sizeof(question.token));
	memcpy(question.id, ask->id, sizeof(question.id));
	if (ask->line != NULL)
		question.line = strbuf_copy(ask->line);
	if (ask->place != NULL)
		question.place = *ask->place;
	fields_write(&question_form, &question, NULL, out);
	companion_free_question(&question);
}

static bool
makes_sense(const struct companion_question *question)
{
	switch ((enum companion_request)question->request) {
	case COMPANION_BEGIN:
		return datadir_is_id(question->id) && question->profile > 0 &&
		    question->database >= 0;
	case COMPANION_READ:
		return question->line != NULL && question->place.rows >= 0 &&
		    question->bytes > 0 && question->bytes <= DUMP_PIECE_MAX;
	case COMPANION_LIST:
	case COMPANION_END:
		return true;
	}
	return false;
}

int
companion_read_question(struct companion_question *question, const char *line,
    size_t length, struct fault *fault)
{
	memset(question, 0, sizeof(*question));
	if (fields_read(&question_form, question, NULL, line, length, fault) !=
	    0)
		return fault_wrap(fault, "a question to the companion");
	if (!makes_sense(question))
		return fault_set(fault, FAULT_CORRUPT,
		    "a question to the companion makes no sense");
	return 0;
}

void
companion_free_question(struct companion_question *question)
{
	fields_free(question_fields, question);
}

void
companion_write_head(const struct companion_head *head, struct strbuf *out)
{
	struct head_line line = {
		.outcome = head->outcome - DUMP_FAULT,
		.code = (int)head->fault.code,
		.head = *head,
	};

	fields_write(&head_form, &line, NULL, out);
}

int
companion_read_head(struct companion_head *head, const char *line,
    size_t length, struct fault *fault)
{
	struct head_line said = { 0 };

	if (fields_read(&head_form, &said, NULL, line, length, fault) != 0)
		return fault_wrap(fault, "an answer of the companion");
	*head = said.head;
	head->outcome = said.outcome + DUMP_FAULT;
	head->fault.code = (enum fault_code)said.code;
	if (head->text < 0 || head->text > COMPANION_TEXT_MAX ||
	    head->notes < 0 || head->notes > COMPANION_NOTES_MAX ||
	    head->place.rows < 0)
		return fault_set(fault, FAULT_CORRUPT,
		    "an answer of the companion makes no sense");
	return 0;
}

int
companion_wait(int fd, short events, int64_t until)
{
	struct pollfd ready = { .fd = fd, .events = events };

	for (;;) {
		int64_t left = until - budget_now();
		struct timespec limit = { 0 };

		if (left > 0)
			limit = (struct timespec){ left / BUDGET_SECOND,
				left % BUDGET_SECOND };
		if (ppoll(&ready, 1, &limit, NULL) > 0)
			return 1;
		if (left <= 0)
			return 0;
	}
}

bool
companion_is_gone(int fd)
{
	struct pollfd state = { .fd = fd, .events = POLLRDHUP };

	return poll(&state, 1, 0) != 0;
}

/*
 * What is behind the line stays in the socket, for who wants it elsewhere.
 * Returns 1, 0 if there is nothing yet, -1.
 */
static int
receive_to_newline(int fd, struct strbuf *line)
{
	char bytes[4096];
	const char *end;
	ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (got == 0)
		return -1;
	end = memchr(bytes, '\n', (size_t)got);
	if (end != NULL)
		got = end + 1 - bytes;
	if (line->length + (size_t)got > COMPANION_LINE_MAX ||
	    recv(fd, bytes, (size_t)got, MSG_DONTWAIT) != got)
		return -1;
	strbuf_add(line, bytes, (size_t)got);
	return end != NULL;
}

int
companion_receive_line(int fd, struct strbuf *line, int64_t until)
{
	for (;;) {
		int got = receive_to_newline(fd, line);

		if (got != 0)
			return got;
		if (companion_wait(fd, POLLIN, until) == 0)
			return 0;
	}
}

int
companion_receive(int fd, struct strbuf *to, int64_t count)
{
	while (count > 0) {
		size_t want = count < SLICE ? (size_t)count : SLICE;
		ssize_t got =
		    recv(fd, strbuf_reserve(to, want), want, MSG_DONTWAIT);

		if (got > 0) {
			strbuf_commit(to, (size_t)got);
			count -= got;
			continue;
		}
		if (got == 0 || (errno != EAGAIN && errno != EINTR) ||
		    companion_wait(
			fd, POLLIN, budget_now() + COMPANION_STALL) == 0)
			return -1;
	}
	return 0;
}

/* So many bytes were sent: what is left of the pieces. */
static void
pass_over(struct iovec **pieces, int *count, size_t sent)
{
	while (*count > 0 && sent >= (*pieces)->iov_len) {
		sent -= (*pieces)->iov_len;
		++*pieces;
		--*count;
	}
	if (*count > 0) {
		(*pieces)->iov_base = (char *)(*pieces)->iov_base + sent;
		(*pieces)->iov_len -= sent;
	}
}

int
companion_send(int fd, struct iovec *pieces, int count, int64_t stall)
{
	pass_over(&pieces, &count, 0);
	while (count > 0) {
		struct msghdr message = {
			.msg_iov = pieces,
			.msg_iovlen = (size_t)count,
		};
		ssize_t sent =
		    sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent >= 0)
			pass_over(&pieces, &count, (size_t)sent);
		else if ((errno != EAGAIN && errno != EINTR) ||
		    companion_wait(fd, POLLOUT, budget_now() + stall) == 0)
			return -1;
	}
	return 0;
}

int
companion_send_text(int fd, const char *text)
{
	struct strbuf copy = STRBUF_EMPTY;
	struct iovec piece;
	int result;

	strbuf_addstr(&copy, text);
	piece = (struct iovec){ copy.bytes, copy.length };
	result = companion_send(fd, &piece, 1, COMPANION_STALL);
	strbuf_close(&copy);
	return result;
}
