/* SPDX-License-Identifier: MIT */
#include "store/token.h"

#include "base/fault.h"
#include "base/fsio.h"
#include "base/strbuf.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOKEN_BYTES       16
#define SECRET_LENGTH_MIN 22
#define SECRET_VARIETY    10

void
token_hmac(const uint8_t key[TOKEN_KEY_SIZE], const void *bytes, size_t length,
    uint8_t out[TOKEN_HASH_SIZE])
{
	unsigned written = 0;

	if (HMAC(EVP_sha256(), key, TOKEN_KEY_SIZE, bytes, length, out,
		&written) == NULL ||
	    written != TOKEN_HASH_SIZE)
		abort();
}

void
token_hash(const void *bytes, size_t length, uint8_t out[TOKEN_HASH_SIZE])
{
	unsigned written = 0;

	if (EVP_Digest(bytes, length, out, &written, EVP_sha256(), NULL) != 1 ||
	    written != TOKEN_HASH_SIZE)
		abort();
}

static void
random_bytes(uint8_t *out, size_t length)
{
	if (RAND_bytes(out, (int)length) != 1)
		abort();
}

/* RFC 4648 base32, lower case, without padding. */
static void
base32(const uint8_t *bytes, unsigned bits, char *out)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned value = 0, have = 0, taken = 0;

	while (taken < bits) {
		if (have < 5) {
			value = value << 8 | *bytes++;
			have += 8;
		}
		have -= 5;
		*out++ = alphabet[value >> have & 31];
		taken += 5;
	}
	*out = '\0';
}

void
token_random_text(unsigned bits, char *out)
{
	uint8_t bytes[64];

	if ((bits + 4) / 5 * 5 > 8 * sizeof(bytes))
		abort();
	random_bytes(bytes, sizeof(bytes));
	base32(bytes, bits, out);
}

void
token_new_secret(char out[TOKEN_SECRET_SIZE])
{
	do
		token_random_text(160, out);
	while (token_secret_weakness(out) != NULL);
}

static int
load_master(int datadir_fd, uint8_t master[TOKEN_KEY_SIZE], struct fault *fault)
{
	struct strbuf text = STRBUF_EMPTY;
	int result = -1;

	if (fsio_read_file(datadir_fd, "key", 4096, &text) != 0) {
		fault_errno(fault, "the key of the data directory");
	} else if (text.length != TOKEN_KEY_SIZE) {
		fault_set(fault, FAULT_CORRUPT,
		    "the file 'key' in the data directory has %zu bytes, "
		    "not %d",
		    text.length, TOKEN_KEY_SIZE);
	} else {
		memcpy(master, text.bytes, TOKEN_KEY_SIZE);
		result = 0;
	}
	if (text.bytes != NULL)
		OPENSSL_cleanse(text.bytes, text.length);
	strbuf_close(&text);
	return result;
}

/*
 * Two processes may do this at once: the first link wins, both then read it.
 * The name becomes durable with the number of the first backup, before which
 * nothing depends on the key.
 */
static int
make_master(int datadir_fd, struct fault *fault)
{
	uint8_t master[TOKEN_KEY_SIZE];
	char name[32] = "key.";
	int fd, result = -1;

	random_bytes(master, sizeof(master));
	token_random_text(80, name + 4);
	fd = fsio_create(datadir_fd, name, 0);
	if (fd < 0)
		return fault_errno(fault, "the key cannot be made");
	if (fsio_write(fd, master, sizeof(master)) == 0 && fsio_sync(fd) == 0 &&
	    (fsio_link(datadir_fd, name, "key") == 0 || errno == EEXIST))
		result = 0;
	else
		fault_errno(fault, "the key cannot be written");
	close(fd);
	fsio_remove(datadir_fd, name);
	OPENSSL_cleanse(master, sizeof(master));
	return result;
}

int
keys_load(struct keys *keys, int datadir_fd, struct fault *fault)
{
	uint8_t master[TOKEN_KEY_SIZE];

	if (load_master(datadir_fd, master, fault) != 0) {
		if (fault->code != FAULT_NOT_FOUND ||
		    make_master(datadir_fd, fault) != 0 ||
		    load_master(datadir_fd, master, fault) != 0)
			return -1;
	}
	token_hmac(master, "stepvault step", 14, keys->step);
	token_hmac(master, "stepvault state", 15, keys->state);
	OPENSSL_cleanse(master, sizeof(master));
	return 0;
}

void
token_for_step(
    const struct keys *keys, const char *id, char out[TOKEN_TEXT_SIZE])
{
	uint8_t hash[TOKEN_HASH_SIZE];

	token_hmac(keys->step, id, strlen(id), hash);
	base32(hash, 8 * TOKEN_BYTES, out);
}

bool
token_matches_step(
    const struct keys *keys, const char *id, const char *candidate)
{
	char right[TOKEN_TEXT_SIZE];

	token_for_step(keys, id, right);
	return strlen(candidate) == TOKEN_TEXT_SIZE - 1 &&
	    CRYPTO_memcmp(right, candidate, TOKEN_TEXT_SIZE - 1) == 0;
}

bool
token_matches_secret(
    const uint8_t hash[TOKEN_HASH_SIZE], const char *candidate, size_t length)
{
	uint8_t other[TOKEN_HASH_SIZE];

	token_hash(candidate, length, other);
	return token_equal(hash, other);
}

bool
token_equal(
    const uint8_t one[TOKEN_HASH_SIZE], const uint8_t two[TOKEN_HASH_SIZE])
{
	return CRYPTO_memcmp(one, two, TOKEN_HASH_SIZE) == 0;
}

const char *
token_secret_weakness(const char *secret)
{
	bool seen[256] = { false };
	unsigned variety = 0;

	if (strlen(secret) < SECRET_LENGTH_MIN)
		return "a secret has at least 22 characters";
	for (const char *c = secret; *c != '\0'; c++) {
		variety += !seen[(unsigned char)*c];
		seen[(unsigned char)*c] = true;
	}
	if (variety < SECRET_VARIETY)
		return "a secret has at least 10 different characters";
	return NULL;
}

int
token_parse_hex(const char *text, uint8_t *out, size_t length)
{
	if (strlen(text) != 2 * length)
		return -1;
	for (size_t i = 0; i < length; i++) {
		int high = strbuf_hex_digit(text[2 * i]);
		int low = strbuf_hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}
