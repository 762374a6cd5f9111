/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "dice.h"
#include "tool.h"

#include "store/token.h"

#include <sys/stat.h>

static const char some_id[] = "20261121-093015-abcdefghijklmnop";

static void
assert_hex(const uint8_t *bytes, size_t length, const char *hex)
{
	struct strbuf buf = STRBUF_EMPTY;

	strbuf_add_hex(&buf, bytes, length);
	assert_string_equal(buf.bytes, hex);
	strbuf_close(&buf);
}

static void
knows_rfc_4231(void **state)
{
	/* HMAC fills a shorter key up with zeros, as these are. */
	static const uint8_t one[TOKEN_KEY_SIZE] = { 0x0b, 0x0b, 0x0b, 0x0b,
		0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b,
		0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b };
	static const uint8_t two[TOKEN_KEY_SIZE] = "Jefe";
	uint8_t out[TOKEN_HASH_SIZE];

	(void)state;
	token_hmac(one, "Hi There", 8, out);
	assert_hex(out, sizeof(out),
	    "b0344c61d8db38535ca8afceaf0bf12b"
	    "881dc200c9833da726e9376c2e32cff7");
	token_hmac(two, "what do ya want for nothing?", 28, out);
	assert_hex(out, sizeof(out),
	    "5bdcc146bf60754e6a042426089575c7"
	    "5a003f089d2739839dec58b964ec3843");
	token_hash("abc", 3, out);
	assert_hex(out, sizeof(out),
	    "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad");
}

/* Another build must be able to go on with a backup of this one. */
static void
derives_the_same_for_ever(void **state)
{
	int dirfd = scratch_open(state);
	uint8_t master[TOKEN_KEY_SIZE];
	char token[TOKEN_TEXT_SIZE];
	struct keys keys;
	struct fault fault;

	for (size_t i = 0; i < sizeof(master); i++)
		master[i] = (uint8_t)i;
	tool_write(*state, "key", master, sizeof(master));
	assert_fine(keys_load(&keys, dirfd, &fault), &fault);
	assert_hex(keys.step, TOKEN_KEY_SIZE,
	    "a5f7a6dba8592caba9eee2b1054a554b"
	    "b8f3e689b4638f9c3ad3d32435cf8d67");
	assert_hex(keys.state, TOKEN_KEY_SIZE,
	    "3c2fd9c846b88cf434f744f5e61506b6"
	    "ee43c9f2ec566b26c9ce45478909cc93");
	token_for_step(&keys, some_id, token);
	assert_string_equal(token, "aw6ngn5teya4fj5m7ionpwqqho");
	close(dirfd);
}

static void
makes_a_key_once(void **state)
{
	int dirfd = scratch_open(state);
	struct keys keys, again;
	struct fault fault;
	struct stat st;

	assert_fine(keys_load(&keys, dirfd, &fault), &fault);
	assert_fine(keys_load(&again, dirfd, &fault), &fault);
	assert_memory_equal(&keys, &again, sizeof(keys));
	assert_int_equal(fstatat(dirfd, "key", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_size, TOKEN_KEY_SIZE);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 1);
	/* Nothing else is left behind. */
	assert_int_equal(tool_run(*state, "test \"$(ls -A)\" = key"), 0);
	close(dirfd);
}

static void
refuses_a_damaged_key(void **state)
{
	int dirfd = scratch_open(state);
	struct keys keys;
	struct fault fault;

	tool_write(*state, "key", "0123456789012345678901234567890", 31);
	assert_faulty(keys_load(&keys, dirfd, &fault), FAULT_CORRUPT,
	    "'key' in the data directory has 31 bytes, not 32", &fault);
	tool_write(*state, "key", "", 0);
	assert_faulty(keys_load(&keys, dirfd, &fault), FAULT_CORRUPT,
	    "has 0 bytes", &fault);
	assert_int_equal(tool_run(*state, "rm key && ln -s other key"), 0);
	assert_faulty(keys_load(&keys, dirfd, &fault), FAULT_SYSTEM,
	    "the key of the data directory", &fault);
	assert_int_equal(tool_run(*state, "rm key && mkdir key"), 0);
	assert_faulty(keys_load(&keys, dirfd, &fault), FAULT_SYSTEM,
	    "the key of the data directory", &fault);
	close(dirfd);
}

struct racer {
	int dirfd, start, out;
};

static int
load_and_tell(void *context)
{
	struct racer *racer = context;
	struct keys keys;
	struct fault fault;
	char byte;

	/* All begin when the parent closes its end. */
	CHILD_CHECK(read(racer->start, &byte, 1) == 0);
	CHILD_CHECK(keys_load(&keys, racer->dirfd, &fault) == 0);
	CHILD_CHECK(write(racer->out, &keys, sizeof(keys)) == sizeof(keys));
	return 0;
}

static void
race_for_the_key(int dirfd)
{
	struct keys keys, others;
	int start[2], out[2];
	pid_t children[8];
	struct racer racer = { .dirfd = dirfd };

	assert_int_equal(pipe2(start, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	racer.start = start[0];
	racer.out = out[1];
	for (int i = 0; i < 8; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			close(start[1]);
			_exit(load_and_tell(&racer));
		}
	}
	close(start[1]);
	for (int i = 0; i < 8; i++)
		assert_int_equal(tool_wait(children[i]), 0);
	assert_int_equal(read(out[0], &keys, sizeof(keys)), sizeof(keys));
	for (int i = 1; i < 8; i++) {
		assert_int_equal(
		    read(out[0], &others, sizeof(others)), sizeof(others));
		assert_memory_equal(&keys, &others, sizeof(keys));
	}
	close(start[0]);
	close(out[0]);
	close(out[1]);
}

static void
has_one_key_whoever_comes_first(void **state)
{
	int dirfd = scratch_open(state);

	for (int round = 0; round < 10; round++) {
		unlinkat(dirfd, "key", 0);
		race_for_the_key(dirfd);
	}
	close(dirfd);
}

static void
matches_the_right_token_only(void **state)
{
	struct dice dice = dice_new();
	struct keys keys, others;
	char token[TOKEN_TEXT_SIZE], wrong[TOKEN_TEXT_SIZE + 1];

	(void)state;
	dice_fill(&dice, &keys, sizeof(keys));
	others = keys;
	others.step[31] ^= 1;
	token_for_step(&keys, some_id, token);
	assert_int_equal(strlen(token), TOKEN_TEXT_SIZE - 1);
	assert_int_equal(strspn(token, "abcdefghijklmnopqrstuvwxyz234567"),
	    TOKEN_TEXT_SIZE - 1);
	assert_true(token_matches_step(&keys, some_id, token));
	assert_false(token_matches_step(&others, some_id, token));
	assert_false(token_matches_step(
	    &keys, "20261121-093015-abcdefghijklmnoq", token));
	assert_false(token_matches_step(&keys, "", token));
	assert_false(token_matches_step(&keys, some_id, ""));
	for (size_t i = 0; i < TOKEN_TEXT_SIZE - 1; i++) {
		memcpy(wrong, token, TOKEN_TEXT_SIZE);
		wrong[i] = wrong[i] == 'a' ? 'b' : 'a';
		assert_false(token_matches_step(&keys, some_id, wrong));
		memcpy(wrong, token, TOKEN_TEXT_SIZE);
		wrong[i] = '\0';
		assert_false(token_matches_step(&keys, some_id, wrong));
	}
	snprintf(wrong, sizeof(wrong), "%sa", token);
	assert_false(token_matches_step(&keys, some_id, wrong));
}

static void
matches_the_right_secret_only(void **state)
{
	uint8_t hash[TOKEN_HASH_SIZE], other[TOKEN_HASH_SIZE];

	(void)state;
	token_hash("a secret", 8, hash);
	assert_true(token_matches_secret(hash, "a secret", 8));
	assert_false(token_matches_secret(hash, "a secret", 9));
	assert_false(token_matches_secret(hash, "a secreu", 8));
	assert_false(token_matches_secret(hash, "", 0));
	memcpy(other, hash, sizeof(other));
	assert_true(token_equal(hash, other));
	for (size_t i = 0; i < sizeof(other); i++) {
		other[i] ^= 0x80;
		assert_false(token_equal(hash, other));
		other[i] ^= 0x80;
	}
}

static void
finds_secrets_weak(void **state)
{
	(void)state;
	assert_contains(token_secret_weakness(""), "at least 22 characters");
	assert_contains(token_secret_weakness("abcdefghijklmnopqrstu"),
	    "at least 22 characters");
	assert_null(token_secret_weakness("abcdefghijklmnopqrstuv"));
	assert_contains(token_secret_weakness("abcdefghiabcdefghiabcdefghi"),
	    "at least 10 different");
	assert_null(token_secret_weakness("abcdefghijabcdefghijab"));
	assert_contains(token_secret_weakness("\xff\xff\xff\xff\xff\xff\xff\xff"
					      "\xff\xff\xff\xff\xff\xff\xff\xff"
					      "\xff\xff\xff\xff\xff\xff\xff"),
	    "at least 10 different");
}

static void
makes_secrets_that_differ(void **state)
{
	char secrets[100][TOKEN_SECRET_SIZE];

	(void)state;
	for (int i = 0; i < 100; i++) {
		token_new_secret(secrets[i]);
		assert_int_equal(strlen(secrets[i]), 32);
		assert_int_equal(
		    strspn(secrets[i], "abcdefghijklmnopqrstuvwxyz234567"), 32);
		assert_null(token_secret_weakness(secrets[i]));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(secrets[i], secrets[k]);
	}
}

static void
makes_text_of_any_length(void **state)
{
	char text[110];
	bool seen[256] = { false };

	(void)state;
	for (unsigned bits = 0; bits <= 510; bits++) {
		memset(text, '!', sizeof(text));
		token_random_text(bits, text);
		assert_int_equal(strlen(text), (bits + 4) / 5);
		assert_int_equal(
		    strspn(text, "abcdefghijklmnopqrstuvwxyz234567"),
		    (bits + 4) / 5);
		for (const char *c = text; *c != '\0'; c++)
			seen[(unsigned char)*c] = true;
	}
	/* 26,000 characters: each of the 32 is there. */
	for (const char *c = "abcdefghijklmnopqrstuvwxyz234567"; *c; c++)
		assert_true(seen[(unsigned char)*c]);
}

static void
parses_hexadecimal(void **state)
{
	uint8_t bytes[4];

	(void)state;
	assert_int_equal(token_parse_hex("00ff1aB7", bytes, 4), 0);
	assert_memory_equal(bytes, "\x00\xff\x1a\xb7", 4);
	assert_int_equal(token_parse_hex("", bytes, 0), 0);
	assert_int_equal(token_parse_hex("00ff1aB", bytes, 4), -1);
	assert_int_equal(token_parse_hex("00ff1aB70", bytes, 4), -1);
	assert_int_equal(token_parse_hex("00ff1aBg", bytes, 4), -1);
	assert_int_equal(token_parse_hex("00ff1a/7", bytes, 4), -1);
	assert_int_equal(token_parse_hex("00ff:aB7", bytes, 4), -1);
	assert_int_equal(token_parse_hex("0x00ff1a", bytes, 4), -1);
	assert_int_equal(token_parse_hex(" 0ff1aB7", bytes, 4), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_rfc_4231),
		scratch_test(derives_the_same_for_ever),
		scratch_test(makes_a_key_once),
		scratch_test(refuses_a_damaged_key),
		scratch_test(has_one_key_whoever_comes_first),
		cmocka_unit_test(matches_the_right_token_only),
		cmocka_unit_test(matches_the_right_secret_only),
		cmocka_unit_test(finds_secrets_weak),
		cmocka_unit_test(makes_secrets_that_differ),
		cmocka_unit_test(makes_text_of_any_length),
		cmocka_unit_test(parses_hexadecimal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
