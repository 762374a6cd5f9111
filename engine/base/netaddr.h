/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_BASE_NETADDR_H
#define ENGINE_BASE_NETADDR_H

#include <stdbool.h>
#include <stdint.h>

/* Addresses of clients; IPv4 stands as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). */

struct netaddr {
	uint8_t bytes[16];
};

/* All addresses whose first bits equal those of base. */
struct netblock {
	struct netaddr base;
	int bits; /* 0 to 128 */
};

/* Parse 192.0.2.1 or 2001:db8::1.  Returns 0, or -1 if it is neither. */
int netaddr_parse(const char *text, struct netaddr *address);

/* Parse an address or a CIDR block such as 10.0.0.0/8.  Returns 0 or -1. */
int netblock_parse(const char *text, struct netblock *block);

/* The address lies in the block. */
bool
netblock_contains(const struct netblock *block, const struct netaddr *address);

/* What a client is counted by: IPv6 addresses lose all but their /64. */
struct netaddr netaddr_origin(const struct netaddr *address);

#endif
