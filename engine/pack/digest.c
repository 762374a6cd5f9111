/* SPDX-License-Identifier: MIT */
/* The one module that uses what OpenSSL 3 calls deprecated. */
#define OPENSSL_API_COMPAT 10101

#include "pack/digest.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(SHA256_CTX) == DIGEST_SAVED_SIZE,
    "SHA256_CTX as OpenSSL has had it since 0.9.8");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(struct digest), "alignment");

static SHA256_CTX *
context(struct digest *digest)
{
	return (SHA256_CTX *)(void *)digest->words;
}

void
digest_init(struct digest *digest)
{
	if (SHA256_Init(context(digest)) != 1)
		abort();
}

void
digest_add(struct digest *digest, const void *bytes, size_t length)
{
	if (SHA256_Update(context(digest), bytes, length) != 1)
		abort();
}

void
digest_finish(struct digest *digest, uint8_t out[DIGEST_SIZE])
{
	if (SHA256_Final(out, context(digest)) != 1)
		abort();
}

void
digest_save(const struct digest *digest, uint8_t saved[DIGEST_SAVED_SIZE])
{
	memcpy(saved, digest->words, DIGEST_SAVED_SIZE);
}

int
digest_load(struct digest *digest, const uint8_t saved[DIGEST_SAVED_SIZE])
{
	const SHA256_CTX *loaded = context(digest);

	memcpy(digest->words, saved, DIGEST_SAVED_SIZE);
	/* num is an index into the context's buffer of one block. */
	return loaded->num < SHA256_CBLOCK &&
		loaded->md_len == SHA256_DIGEST_LENGTH
	    ? 0
	    : -1;
}
