/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_PACK_DIGEST_H
#define ENGINE_PACK_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/*
 * A running SHA-256 (FIPS 180-4) that can be put into the state and taken out
 * again by a later process on the same machine.  OpenSSL's EVP interface
 * cannot do that; its older SHA256_CTX is plain bytes.
 */
#define DIGEST_SAVED_SIZE 112
#define DIGEST_SIZE       32

struct digest {
	uint32_t words[DIGEST_SAVED_SIZE / sizeof(uint32_t)];
};

/* Begin with nothing hashed. */
void digest_init(struct digest *digest);

/* Hash bytes. */
void digest_add(struct digest *digest, const void *bytes, size_t length);

/* Write the hash; the digest is then to be initialised again. */
void digest_finish(struct digest *digest, uint8_t out[DIGEST_SIZE]);

/* Write the running hash, and read it back.  digest_load returns 0, or -1 if
 * saved cannot be one. */
void digest_save(const struct digest *digest, uint8_t saved[DIGEST_SAVED_SIZE]);
int digest_load(struct digest *digest, const uint8_t saved[DIGEST_SAVED_SIZE]);

#endif
