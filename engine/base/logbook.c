/* SPDX-License-Identifier: MIT */
#include "base/logbook.h"

#include "base/fsio.h"
#include "base/stamp.h"
#include "base/strbuf.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void
logbook_open(struct logbook *log, int dirfd, const char *name)
{
	struct stat st;

	log->fd = fsio_create(dirfd, name, O_APPEND);
	log->length = 0;
	if (log->fd >= 0 && fstat(log->fd, &st) == 0)
		log->length = st.st_size;
}

void
logbook_close(struct logbook *log)
{
	if (log->fd >= 0)
		close(log->fd);
	*log = (struct logbook)LOGBOOK_CLOSED;
}

static void
append(struct logbook *log, const struct strbuf *line)
{
	if (fsio_write(log->fd, line->bytes, line->length) == 0)
		log->length += (int64_t)line->length;
}

static void
start_line(struct strbuf *line)
{
	char when[STAMP_TEXT_SIZE];

	strbuf_addf(line, "%s ", stamp_text(stamp_now(), when));
}

void
logbook_write(struct logbook *log, const char *format, ...)
{
	struct strbuf line = STRBUF_EMPTY;
	char *text = NULL;
	int length;
	va_list args;

	if (log->fd < 0 || log->length >= LOGBOOK_MAX)
		return;
	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		return;
	start_line(&line);
	strbuf_add_printable(&line, text, (size_t)length);
	strbuf_addc(&line, '\n');
	append(log, &line);
	if (log->length >= LOGBOOK_MAX) {
		strbuf_reset(&line);
		start_line(&line);
		strbuf_addstr(&line, "the log is full; it ends here\n");
		append(log, &line);
	}
	strbuf_close(&line);
	free(text);
}
