/* SPDX-License-Identifier: MIT */
#include "base/netaddr.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define V4_PREFIX_BITS 96

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

static bool
is_v4(const struct netaddr *address)
{
	return memcmp(address->bytes, v4_prefix, sizeof(v4_prefix)) == 0;
}

int
netaddr_parse(const char *text, struct netaddr *address)
{
	uint8_t v4[4];

	if (inet_pton(AF_INET6, text, address->bytes) == 1)
		return 0;
	if (inet_pton(AF_INET, text, v4) != 1)
		return -1;
	memcpy(address->bytes, v4_prefix, sizeof(v4_prefix));
	memcpy(address->bytes + sizeof(v4_prefix), v4, sizeof(v4));
	return 0;
}

int
netblock_parse(const char *text, struct netblock *block)
{
	char address[64];
	const char *slash = strchr(text, '/');
	size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
	int base, most;
	char *end;
	long bits;

	if (length >= sizeof(address))
		return -1;
	memcpy(address, text, length);
	address[length] = '\0';
	if (netaddr_parse(address, &block->base) != 0)
		return -1;
	base = strchr(address, ':') == NULL ? V4_PREFIX_BITS : 0;
	most = 128 - base;
	bits = most;
	if (slash != NULL) {
		if (slash[1] < '0' || slash[1] > '9')
			return -1;
		bits = strtol(slash + 1, &end, 10);
		if (*end != '\0' || bits > most)
			return -1;
	}
	block->bits = base + (int)bits;
	return 0;
}

bool
netblock_contains(const struct netblock *block, const struct netaddr *address)
{
	size_t whole = (size_t)block->bits / 8;
	unsigned rest = (unsigned)block->bits % 8;
	uint8_t mask = (uint8_t)(0xff00U >> rest);

	if (memcmp(block->base.bytes, address->bytes, whole) != 0)
		return false;
	return rest == 0 ||
	    ((block->base.bytes[whole] ^ address->bytes[whole]) & mask) == 0;
}

struct netaddr
netaddr_origin(const struct netaddr *address)
{
	struct netaddr origin = *address;

	if (!is_v4(address))
		memset(origin.bytes + 8, 0, 8);
	return origin;
}
