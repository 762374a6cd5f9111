/* SPDX-License-Identifier: MIT */
#include "source/sqltext.h"

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define EIGHT(byte) (0x0101010101010101U * (byte))

void
sqltext_add_name(struct strbuf *out, const char *name)
{
	strbuf_addc(out, '`');
	for (; *name != '\0'; name++) {
		if (*name == '`')
			strbuf_addc(out, '`');
		strbuf_addc(out, *name);
	}
	strbuf_addc(out, '`');
}

/* What stands behind a backslash for each byte that needs one. */
static const char escapes[256] = {
	['\0'] = '0',
	['\n'] = 'n',
	['\r'] = 'r',
	['\x1a'] = 'Z',
	['\''] = '\'',
	['\\'] = '\\',
};

static char *
add_byte(char *to, char byte)
{
	char escape = escapes[(unsigned char)byte];

	if (escape != '\0') {
		*to++ = '\\';
		byte = escape;
	}
	*to = byte;
	return to + 1;
}

static uint64_t
zero_bytes(uint64_t bytes)
{
	return (bytes - EIGHT(0x01U)) & ~bytes & EIGHT(0x80U);
}

/* One of eight bytes may need an escape: it is a control character up to
 * ctrl-Z, an apostrophe or a backslash. */
static bool
needs_look(uint64_t bytes)
{
	uint64_t low = (bytes - EIGHT(0x1bU)) & ~bytes & EIGHT(0x80U);

	return (low | zero_bytes(bytes ^ EIGHT((uint64_t)'\'')) |
		   zero_bytes(bytes ^ EIGHT((uint64_t)'\\'))) != 0;
}

void
sqltext_add_string(struct strbuf *out, const char *bytes, size_t length)
{
	char *begin = strbuf_reserve(out, 2 * length + 2), *to = begin;
	size_t i = 0;

	*to++ = '\'';
	for (; length - i >= 8; i += 8) {
		uint64_t eight;

		memcpy(&eight, bytes + i, 8);
		if (!needs_look(eight)) {
			memcpy(to, &eight, 8);
			to += 8;
			continue;
		}
		for (size_t j = i; j < i + 8; j++)
			to = add_byte(to, bytes[j]);
	}
	for (; i < length; i++)
		to = add_byte(to, bytes[i]);
	*to++ = '\'';
	strbuf_commit(out, (size_t)(to - begin));
}

void
sqltext_add_hex(struct strbuf *out, const char *bytes, size_t length)
{
	strbuf_addstr(out, "X'");
	strbuf_add_hex(out, bytes, length);
	strbuf_addc(out, '\'');
}
