/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_BASE_CRC32C_H
#define ENGINE_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * CRC-32C (Castagnoli), as in RFC 3720, section 12.1, of what has the CRC
 * before (0 for nothing) followed by bytes.
 */
uint32_t crc32c(uint32_t before, const void *bytes, size_t length);

#endif
