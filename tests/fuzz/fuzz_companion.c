/* SPDX-License-Identifier: MIT */
/*
 * What may come to a companion, and from one: lines, as questions and as the
 * heads of answers.  What is read is written again as what reads the same; and
 * however the bytes come, no line is longer than may be.
 */
#include "fuzz.h"

#include "run/companion_internal.h"

#include <sys/socket.h>

static bool
is_same(
    const struct companion_question *one, const struct companion_question *two)
{
	return one->request == two->request &&
	    strcmp(one->token, two->token) == 0 &&
	    strcmp(one->id, two->id) == 0 && one->profile == two->profile &&
	    one->database == two->database && one->bytes == two->bytes &&
	    (one->line == NULL) == (two->line == NULL) &&
	    (one->line == NULL || strcmp(one->line, two->line) == 0) &&
	    memcmp(&one->place, &two->place, sizeof(one->place)) == 0;
}

static void
try_question(const char *line, size_t length)
{
	struct companion_question question, again;
	struct companion_ask ask = { 0 };
	struct strbuf out = STRBUF_EMPTY;
	struct fault fault = { .code = FAULT_NONE };

	if (companion_read_question(&question, line, length, &fault) != 0) {
		check_fault(&fault, FAULT_CORRUPT);
		companion_free_question(&question);
		return;
	}
	CHECK(
	    question.request != COMPANION_BEGIN || datadir_is_id(question.id));
	CHECK(question.request != COMPANION_READ ||
	    (question.line != NULL && question.bytes > 0 &&
		question.bytes <= DUMP_PIECE_MAX));
	ask.request = question.request;
	memcpy(ask.token, question.token, sizeof(ask.token));
	memcpy(ask.id, question.id, sizeof(ask.id));
	ask.profile = question.profile;
	ask.database = question.database;
	ask.line = question.line;
	ask.bytes = question.bytes;
	ask.place = &question.place;
	companion_write_question(&ask, &out);
	CHECK_FINE(
	    companion_read_question(&again, out.bytes, out.length, &fault),
	    &fault);
	CHECK(is_same(&question, &again));
	companion_free_question(&question);
	companion_free_question(&again);
	strbuf_close(&out);
}

static void
try_head(const char *line, size_t length)
{
	struct companion_head head = { 0 }, again = { 0 };
	struct strbuf out = STRBUF_EMPTY;
	struct fault fault = { .code = FAULT_NONE };

	if (companion_read_head(&head, line, length, &fault) != 0) {
		check_fault(&fault, FAULT_CORRUPT);
		return;
	}
	CHECK(head.outcome >= DUMP_FAULT && head.outcome <= DUMP_AGAIN);
	CHECK(head.text >= 0 && head.text <= COMPANION_TEXT_MAX);
	CHECK(head.notes >= 0 && head.notes <= COMPANION_NOTES_MAX);
	companion_write_head(&head, &out);
	CHECK_FINE(
	    companion_read_head(&again, out.bytes, out.length, &fault), &fault);
	CHECK(memcmp(&head, &again, sizeof(head)) == 0);
	strbuf_close(&out);
}

/* All lines of what one side sends in two portions. */
static void
try_lines(const uint8_t *data, size_t size)
{
	struct strbuf line = STRBUF_EMPTY;
	size_t half = size / 2, taken = 0;
	int ends[2], got;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	CHECK(write(ends[1], data, half) == (ssize_t)half);
	while ((got = companion_receive_line(ends[0], &line, 0)) == 1) {
		CHECK(line.bytes[line.length - 1] == '\n');
		taken += line.length;
		strbuf_reset(&line);
	}
	CHECK(got == 0);
	CHECK(memchr(strbuf_text(&line), '\n', line.length) == NULL);
	CHECK(
	    write(ends[1], data + half, size - half) == (ssize_t)(size - half));
	CHECK(close(ends[1]) == 0);
	while (companion_receive_line(ends[0], &line, 0) == 1) {
		CHECK(line.length <= COMPANION_LINE_MAX);
		CHECK(memchr(line.bytes, '\n', line.length) ==
		    line.bytes + line.length - 1);
		taken += line.length;
		strbuf_reset(&line);
	}
	CHECK(taken + line.length == size);
	CHECK(close(ends[0]) == 0);
	strbuf_close(&line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);

	try_question(text, size);
	try_head(text, size);
	if (size < COMPANION_LINE_MAX)
		try_lines(data, size);
	free(text);
	return 0;
}
