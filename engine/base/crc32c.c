/* SPDX-License-Identifier: MIT */
/* The processor's own instruction where there is one, else a table. */
#include "base/crc32c.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78U

/* Written once, by whoever comes first. */
static uint32_t table[256];        /* NOLINT(*-non-const-global-variables) */
static pthread_once_t table_once = /* NOLINT(*-non-const-global-variables) */
    PTHREAD_ONCE_INIT;

static void
fill_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
		table[i] = crc;
	}
}

static uint32_t
by_table(uint32_t crc, const unsigned char *bytes, size_t length)
{
	pthread_once(&table_once, fill_table);
	for (; length > 0; length--)
		crc = (crc >> 8) ^ table[(crc ^ *bytes++) & 0xff];
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
by_instruction(uint32_t crc, const unsigned char *bytes, size_t length)
{
	uint64_t wide = crc, word;

	for (; length >= sizeof(word); length -= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		wide = __builtin_ia32_crc32di(wide, word);
		bytes += sizeof(word);
	}
	crc = (uint32_t)wide;
	for (; length > 0; length--)
		crc = __builtin_ia32_crc32qi(crc, *bytes++);
	return crc;
}
#endif

uint32_t
crc32c(uint32_t before, const void *bytes, size_t length)
{
	uint32_t crc = ~before;

#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~by_instruction(crc, bytes, length);
#endif
	return ~by_table(crc, bytes, length);
}
