/* SPDX-License-Identifier: MIT */
#include "base/strbuf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

void
strbuf_close(struct strbuf *buf)
{
	free(buf->bytes);
	*buf = (struct strbuf)STRBUF_EMPTY;
}

void
strbuf_reset(struct strbuf *buf)
{
	strbuf_cut(buf, 0);
}

void
strbuf_cut(struct strbuf *buf, size_t length)
{
	if (length >= buf->length)
		return;
	buf->length = length;
	buf->bytes[length] = '\0';
}

const char *
strbuf_text(const struct strbuf *buf)
{
	return buf->bytes != NULL ? buf->bytes : "";
}

char *
strbuf_reserve(struct strbuf *buf, size_t length)
{
	size_t need;

	if (length > SIZE_MAX / 4 || buf->length > SIZE_MAX / 4)
		abort();
	need = buf->length + length + 1;
	if (need > buf->room) {
		size_t room = buf->room < 64 ? 64 : buf->room * 2;

		if (room < need)
			room = need;
		buf->bytes = realloc(buf->bytes, room);
		if (buf->bytes == NULL)
			abort();
		buf->room = room;
	}
	return buf->bytes + buf->length;
}

void
strbuf_commit(struct strbuf *buf, size_t length)
{
	assert(buf->length + length < buf->room);
	buf->length += length;
	buf->bytes[buf->length] = '\0';
}

void
strbuf_add(struct strbuf *buf, const void *bytes, size_t length)
{
	char *place = strbuf_reserve(buf, length);

	if (length > 0)
		memcpy(place, bytes, length);
	strbuf_commit(buf, length);
}

void
strbuf_addstr(struct strbuf *buf, const char *text)
{
	strbuf_add(buf, text, strlen(text));
}

void
strbuf_addc(struct strbuf *buf, char byte)
{
	strbuf_add(buf, &byte, 1);
}

void
strbuf_addf(struct strbuf *buf, const char *format, ...)
{
	va_list args, again;
	int length;

	va_start(args, format);
	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length < 0)
		abort();
	vsnprintf(strbuf_reserve(buf, (size_t)length), (size_t)length + 1,
	    format, again);
	va_end(again);
	strbuf_commit(buf, (size_t)length);
}

void
strbuf_add_hex(struct strbuf *buf, const void *bytes, size_t length)
{
	const unsigned char *from = bytes;
	char *place = strbuf_reserve(buf, 2 * length);

	for (size_t i = 0; i < length; i++) {
		place[2 * i] = hex_digits[from[i] >> 4];
		place[2 * i + 1] = hex_digits[from[i] & 15];
	}
	strbuf_commit(buf, 2 * length);
}

void
strbuf_add_hex_number(struct strbuf *buf, uint64_t number)
{
	char digits[16];
	size_t at = sizeof(digits);

	do {
		digits[--at] = hex_digits[number & 15];
		number >>= 4;
	} while (number != 0);
	strbuf_add(buf, digits + at, sizeof(digits) - at);
}

void
strbuf_add_number(struct strbuf *buf, int64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0);
	if (number < 0)
		digits[--at] = '-';
	strbuf_add(buf, digits + at, sizeof(digits) - at);
}

size_t
strbuf_printable_length(const char *bytes, size_t length)
{
	const unsigned char *u = (const unsigned char *)bytes;
	size_t need;

	if (u[0] < 0x80)
		return u[0] >= 0x20 && u[0] != 0x7f;
	if (u[0] >= 0xc2 && u[0] <= 0xdf)
		need = 2;
	else if (u[0] >= 0xe0 && u[0] <= 0xef)
		need = 3;
	else if (u[0] >= 0xf0 && u[0] <= 0xf4)
		need = 4;
	else
		return 0;
	if (length < need)
		return 0;
	for (size_t i = 1; i < need; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	/* C1 controls, overlong ones, surrogates, beyond U+10FFFF. */
	if ((u[0] == 0xc2 && u[1] < 0xa0) || (u[0] == 0xe0 && u[1] < 0xa0) ||
	    (u[0] == 0xed && u[1] > 0x9f) || (u[0] == 0xf0 && u[1] < 0x90) ||
	    (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	return need;
}

void
strbuf_add_printable(struct strbuf *buf, const char *text, size_t length)
{
	while (length > 0) {
		size_t step = strbuf_printable_length(text, length);

		if (step == 0) {
			strbuf_addf(buf, "\\x%02x", (unsigned char)*text);
			step = 1;
		} else {
			strbuf_add(buf, text, step);
		}
		text += step;
		length -= step;
	}
}

bool
strbuf_add_escaped(struct strbuf *buf, const char *bytes, size_t length)
{
	if (memchr(bytes, '\n', length) == NULL &&
	    memchr(bytes, '\\', length) == NULL) {
		strbuf_add(buf, bytes, length);
		return false;
	}
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n')
			strbuf_addstr(buf, "\\n");
		else if (bytes[i] == '\\')
			strbuf_addstr(buf, "\\\\");
		else
			strbuf_addc(buf, bytes[i]);
	}
	return true;
}

ssize_t
strbuf_unescape(char *text)
{
	char *from = strchr(text, '\\'), *to = from;

	if (from == NULL)
		return (ssize_t)strlen(text);
	for (; *from != '\0'; from++) {
		if (*from != '\\') {
			*to++ = *from;
			continue;
		}
		from++;
		if (*from != 'n' && *from != 't' && *from != '\\')
			return -1;
		if (*from == '\\')
			*to++ = '\\';
		else
			*to++ = *from == 'n' ? '\n' : '\t';
	}
	*to = '\0';
	return to - text;
}

char *
strbuf_copy(const char *text)
{
	return strbuf_copy_part(text, strlen(text));
}

char *
strbuf_copy_part(const char *text, size_t length)
{
	char *bytes = strndup(text, length);

	if (bytes == NULL)
		abort();
	return bytes;
}

int
strbuf_hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}
