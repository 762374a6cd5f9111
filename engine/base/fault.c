/* SPDX-License-Identifier: MIT */
#include "base/fault.h"

#include "base/strbuf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
make_printable(char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		size_t step = strbuf_printable_length(text, left);

		if (step == 0) {
			*text = '?';
			step = 1;
		}
		text += step;
		left -= step;
	}
}

int
fault_set(struct fault *fault, enum fault_code code, const char *format, ...)
{
	va_list args;

	fault->code = code;
	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	make_printable(fault->text);
	return -1;
}

static enum fault_code
code_of_errno(int number)
{
	switch (number) {
	case ENOENT:
		return FAULT_NOT_FOUND;
	case ENOSPC:
	case EDQUOT:
	case EIO:
	case EINTR:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
	case EAGAIN:
	case ESTALE:
		return FAULT_RETRY;
	default:
		return FAULT_SYSTEM;
	}
}

int
fault_errno(struct fault *fault, const char *format, ...)
{
	int number = errno;
	char reason[128];
	size_t used;
	va_list args;

	fault->code = code_of_errno(number);
	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	used = strlen(fault->text);
	snprintf(fault->text + used, sizeof(fault->text) - used, ": %s",
	    strerror_r(number, reason, sizeof(reason)));
	make_printable(fault->text);
	return -1;
}

int
fault_wrap(struct fault *fault, const char *format, ...)
{
	char inner[sizeof(fault->text)];
	size_t used;
	va_list args;

	memcpy(inner, fault->text, sizeof(inner));
	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	used = strlen(fault->text);
	snprintf(fault->text + used, sizeof(fault->text) - used, ": %s", inner);
	make_printable(fault->text);
	return -1;
}

void
fault_clear(struct fault *fault)
{
	fault->code = FAULT_NONE;
	fault->text[0] = '\0';
}

const char *
fault_code_name(enum fault_code code)
{
	switch (code) {
	case FAULT_NONE:
		return "none";
	case FAULT_USAGE:
		return "usage";
	case FAULT_AUTH:
		return "auth";
	case FAULT_NOT_FOUND:
		return "not found";
	case FAULT_BUSY:
		return "busy";
	case FAULT_RETRY:
		return "retry";
	case FAULT_SYSTEM:
		return "system";
	case FAULT_CORRUPT:
		return "corrupt";
	}
	return "unknown";
}
