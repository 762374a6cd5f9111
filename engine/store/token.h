/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_STORE_TOKEN_H
#define ENGINE_STORE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fault;

/*
 * What must not be guessed or forged: the data directory's key with what is
 * derived from it, the tokens in step URLs, and the secret.  The primitives
 * are OpenSSL's.  A primitive that fails aborts the process: there is no
 * weaker way to go on.
 */

#define TOKEN_KEY_SIZE    32
#define TOKEN_HASH_SIZE   32
#define TOKEN_TEXT_SIZE   27 /* 128 bits in base32, and a NUL */
#define TOKEN_SECRET_SIZE 40 /* room for a new secret */

/* One sub-key for each use, so that none can stand in for another. */
struct keys {
	uint8_t step[TOKEN_KEY_SIZE];  /* tokens in step URLs */
	uint8_t state[TOKEN_KEY_SIZE]; /* HMACs of states and records */
};

/*
 * Load the master key from the file "key" in the data directory and derive
 * the sub-keys.  A missing file is made, with 32 random bytes, whose name is
 * durable once the directory is synced; a file of another length is
 * FAULT_CORRUPT.  Returns 0, or -1 with fault set.
 */
int keys_load(struct keys *keys, int datadir_fd, struct fault *fault);

/* HMAC-SHA-256 (RFC 2104, FIPS 198-1). */
void token_hmac(const uint8_t key[TOKEN_KEY_SIZE], const void *bytes,
    size_t length, uint8_t out[TOKEN_HASH_SIZE]);

/* SHA-256 of bytes. */
void token_hash(const void *bytes, size_t length, uint8_t out[TOKEN_HASH_SIZE]);

/* The token that lets its bearer advance and report the backup of this ID. */
void token_for_step(
    const struct keys *keys, const char *id, char out[TOKEN_TEXT_SIZE]);

/* Compare what a client sent; takes the same time wherever they differ. */
bool token_matches_step(
    const struct keys *keys, const char *id, const char *candidate);

/* A secret's hash equals; takes the same time whatever candidate is. */
bool token_matches_secret(
    const uint8_t hash[TOKEN_HASH_SIZE], const char *candidate, size_t length);

/* Equal hashes, in constant time. */
bool token_equal(
    const uint8_t one[TOKEN_HASH_SIZE], const uint8_t two[TOKEN_HASH_SIZE]);

/*
 * Write bits random bits (a multiple of 5 is best) as lower-case base32 in
 * [a-z2-7], with a NUL; out has room for (bits + 4) / 5 + 1.
 */
void token_random_text(unsigned bits, char *out);

/* A fresh secret of 160 random bits, with a NUL. */
void token_new_secret(char out[TOKEN_SECRET_SIZE]);

/*
 * A secret that people chose is good enough: at least 22 characters, 10
 * different ones.  NULL, or what is wrong with it, a constant sentence.
 */
const char *token_secret_weakness(const char *secret);

/* Parse 2 * length hexadecimal digits.  Returns 0, or -1 if they are not. */
int token_parse_hex(const char *text, uint8_t *out, size_t length);

#endif
