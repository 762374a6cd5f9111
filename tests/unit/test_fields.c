/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "dice.h"
#include "tool.h"

#include "store/fields.h"
#include "store/token.h"

#include <sys/stat.h>

#define TEXT_SIZE   40
#define NUMBERS_MAX 5
#define LIST_MAX    3

struct thing {
	char *name;
	int64_t size;
};

struct all {
	bool flag;
	int64_t number;
	int word;
	char text[TEXT_SIZE];
	char *string;
	uint8_t blob[8];
	int64_t numbers[NUMBERS_MAX];
	int number_count;
	struct thing *list;
	int list_count;
};

static const char *const words[] = { "red", "green", NULL };

static const struct field thing_fields[] = {
	{ .name = "name",
	    .kind = FIELD_STRING,
	    .offset = offsetof(struct thing, name) },
	{ .name = "size",
	    .kind = FIELD_NUMBER,
	    .offset = offsetof(struct thing, size) },
	FIELD_END,
};

#define AT(member) .offset = offsetof(struct all, member)

static const struct field all_fields[] = {
	{ .name = "flag", .kind = FIELD_FLAG, AT(flag) },
	{ .name = "number", .kind = FIELD_NUMBER, AT(number) },
	{ .name = "word", .kind = FIELD_WORD, AT(word), .words = words },
	{ .name = "text", .kind = FIELD_TEXT, AT(text), .size = TEXT_SIZE },
	{ .name = "string", .kind = FIELD_STRING, AT(string) },
	{ .name = "blob", .kind = FIELD_BLOB, AT(blob), .size = 8 },
	{ .name = "numbers",
	    .kind = FIELD_NUMBERS,
	    AT(numbers),
	    .size = NUMBERS_MAX,
	    .count = offsetof(struct all, number_count) },
	{ .name = "list",
	    .kind = FIELD_LIST,
	    AT(list),
	    .size = LIST_MAX,
	    .fields = thing_fields,
	    .count = offsetof(struct all, list_count),
	    .stride = sizeof(struct thing) },
	FIELD_END,
};

#define VERSION 3

static struct form made;

static const struct form *
file_form(const char *name, int version, size_t size_max)
{
	made = (struct form){ all_fields, version, 2, name, size_max };
	return &made;
}

static const struct form *
form(int indent)
{
	made = (struct form){ all_fields, VERSION, indent, "x.json", 0 };
	return &made;
}

static const uint8_t key[TOKEN_KEY_SIZE] = "a key of thirty-two bytes, all.";

/* What must_read reads, with one member as the test wants it. */
#define GOOD_FLAG    "\"flag\":true"
#define GOOD_NUMBER  "\"number\":-5"
#define GOOD_WORD    "\"word\":\"green\""
#define GOOD_TEXT    "\"text\":\"hello\""
#define GOOD_STRING  "\"string\":null"
#define GOOD_BLOB    "\"blob\":\"0123456789abcdef\""
#define GOOD_NUMBERS "\"numbers\":[1,2]"
#define GOOD_LIST    "\"list\":[{\"name\":\"a\",\"size\":1}]"

static const char *const good[] = { "\"version\":3", GOOD_FLAG, GOOD_NUMBER,
	GOOD_WORD, GOOD_TEXT, GOOD_STRING, GOOD_BLOB, GOOD_NUMBERS, GOOD_LIST };

enum { VERSION_AT, FLAG, NUMBER, WORD, TEXT, STRING, BLOB, NUMBERS, LIST };

/* The good object with one member replaced; NULL leaves it out. */
static void
make_object(struct strbuf *out, size_t which, const char *member)
{
	strbuf_reset(out);
	strbuf_addc(out, '{');
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		const char *text = i == which ? member : good[i];

		if (text == NULL)
			continue;
		if (out->length > 1)
			strbuf_addc(out, ',');
		strbuf_addstr(out, text);
	}
	strbuf_addstr(out, "}\n");
}

static int
read_object(struct all *all, const uint8_t *with, const struct strbuf *text,
    struct fault *fault)
{
	memset(all, 0, sizeof(*all));
	return fields_read(
	    form(0), all, with, text->bytes, text->length, fault);
}

static void
fill(struct all *all)
{
	static const char odd[] = "\xff\xfe not UTF-8 \xc3\x28 \"\\\n\t\x7f";

	memset(all, 0, sizeof(*all));
	all->flag = true;
	all->number = INT64_MIN;
	all->word = 1;
	strcpy(all->text, odd);
	all->string = strdup("\xe2\x82\xac \x01 <>&");
	memcpy(all->blob, "\0\1\2\3\xfc\xfd\xfe\xff", 8);
	for (int i = 0; i < NUMBERS_MAX; i++)
		all->numbers[all->number_count++] = INT64_MAX - i;
	all->list = calloc(2, sizeof(struct thing));
	all->list[0] = (struct thing){ strdup("\x80"), 0 };
	all->list[1] = (struct thing){ NULL, -1 };
	all->list_count = 2;
}

static void
assert_same(const struct all *one, const struct all *two)
{
	assert_int_equal(one->flag, two->flag);
	assert_int_equal(one->number, two->number);
	assert_int_equal(one->word, two->word);
	assert_string_equal(one->text, two->text);
	assert_string_equal(one->string, two->string);
	assert_memory_equal(one->blob, two->blob, sizeof(one->blob));
	assert_int_equal(one->number_count, two->number_count);
	assert_memory_equal(one->numbers, two->numbers, sizeof(one->numbers));
	assert_int_equal(one->list_count, two->list_count);
	for (int i = 0; i < one->list_count; i++) {
		const char *name = one->list[i].name;

		assert_int_equal(one->list[i].size, two->list[i].size);
		if (name != NULL)
			assert_string_equal(name, two->list[i].name);
		else
			assert_null(two->list[i].name);
	}
}

static void
reads_back_what_it_wrote(void **state)
{
	struct strbuf text = STRBUF_EMPTY;
	struct all written, got;
	struct fault fault;

	(void)state;
	fill(&written);
	for (int indent = 0; indent <= 2; indent += 2) {
		for (int keyed = 0; keyed < 2; keyed++) {
			const uint8_t *with = keyed ? key : NULL;

			strbuf_reset(&text);
			fields_write(form(indent), &written, with, &text);
			assert_fine(
			    read_object(&got, with, &text, &fault), &fault);
			assert_same(&written, &got);
			fields_free(all_fields, &got);
			/* Whoever has no key reads it too, and sees no HMAC. */
			assert_fine(
			    read_object(&got, NULL, &text, &fault), &fault);
			assert_same(&written, &got);
			fields_free(all_fields, &got);
		}
	}
	fields_free(all_fields, &written);
	assert_null(written.list);
	fields_free(all_fields, &written);
	strbuf_close(&text);
}

/* Other people's tools read it as it is meant. */
static void
writes_json_and_hmac_for_others(void **state)
{
	struct strbuf text = STRBUF_EMPTY, hex = STRBUF_EMPTY;
	struct all written;

	fill(&written);
	fields_write(form(0), &written, key, &text);
	tool_write(*state, "x.json", text.bytes, text.length);
	strbuf_add_hex(&hex, key, sizeof(key));
	assert_int_equal(
	    tool_run(*state,
		"jq -e '.version == 3 and .flag and .word == \"green\" and "
		".string == \"\\u20ac \\u0001 <>&\" and "
		".blob == \"00010203fcfdfeff\" and "
		".list == [{\"name\":{\"b64\":\"gA==\"},\"size\":0},"
		"{\"name\":null,\"size\":-1}]' x.json >/dev/null"),
	    0);
	/* jq 1.6 reads large numbers as floating point. */
	assert_contains(text.bytes, "\"number\":-9223372036854775808,");
	assert_contains(text.bytes, "[9223372036854775807,9223372036854775806");
	tool_write(*state, "plain", written.text, strlen(written.text));
	assert_int_equal(
	    tool_run(
		*state, "jq -r .text.b64 x.json | base64 -d | cmp - plain"),
	    0);
	/* It is of all before the last line. */
	assert_int_equal(
	    tool_run(*state,
		"test \"$(head -c -%d x.json | openssl dgst -sha256 -mac HMAC "
		"-macopt hexkey:%s -r | cut -d' ' -f1)\" = "
		"\"$(jq -r .hmac x.json)\"",
		9 + 64 + 4, hex.bytes),
	    0);
	fields_free(all_fields, &written);
	strbuf_close(&text);
	strbuf_close(&hex);
}

static void
finds_every_flipped_bit(void **state)
{
	struct strbuf text = STRBUF_EMPTY;
	struct all all;
	struct fault fault;

	(void)state;
	fill(&all);
	fields_write(form(2), &all, key, &text);
	fields_free(all_fields, &all);
	for (size_t i = 0; i < text.length * 8; i++) {
		text.bytes[i / 8] ^= (char)(1 << i % 8);
		assert_faulty(read_object(&all, key, &text, &fault),
		    FAULT_CORRUPT, "its HMAC does not match", &fault);
		fields_free(all_fields, &all);
		/* Without the key it is something or a fault, and no crash. */
		(void)read_object(&all, NULL, &text, &fault);
		fields_free(all_fields, &all);
		text.bytes[i / 8] ^= (char)(1 << i % 8);
	}
	assert_fine(read_object(&all, key, &text, &fault), &fault);
	fields_free(all_fields, &all);
	strbuf_close(&text);
}

static void
finds_every_cut_and_addition(void **state)
{
	struct strbuf text = STRBUF_EMPTY;
	struct all all;
	struct fault fault;
	uint8_t other[TOKEN_KEY_SIZE];

	(void)state;
	fill(&all);
	fields_write(form(0), &all, key, &text);
	fields_free(all_fields, &all);
	memcpy(other, key, sizeof(other));
	other[31] ^= 1;
	assert_faulty(read_object(&all, other, &text, &fault), FAULT_CORRUPT,
	    "its HMAC does not match", &fault);
	strbuf_addc(&text, '\n');
	do {
		assert_faulty(read_object(&all, key, &text, &fault),
		    FAULT_CORRUPT, "its HMAC does not match", &fault);
		fields_free(all_fields, &all);
		strbuf_cut(&text, text.length - 1 - (text.length % 3 == 0));
		if (text.length > 0 && text.bytes[text.length - 1] == '\n')
			strbuf_cut(&text, text.length - 1);
	} while (text.length > 0);
	assert_faulty(read_object(&all, key, &text, &fault), FAULT_CORRUPT,
	    "its HMAC does not match", &fault);
	assert_faulty(read_object(&all, NULL, &text, &fault), FAULT_CORRUPT,
	    "it cannot be read as JSON", &fault);
	strbuf_close(&text);
}

static void
refuses_what_it_never_wrote(void **state)
{
	static const struct {
		size_t which;
		const char *member, *words;
	} wrong[] = {
		{ VERSION_AT, NULL, "its version is not 3" },
		{ VERSION_AT, "\"version\":4", "its version is not 3" },
		{ VERSION_AT, "\"version\":\"3\"", "its version is not 3" },
		{ VERSION_AT, "\"version\":3.0", "its version is not 3" },
		{ VERSION_AT, "\"version\":3,\"x\":1", "9 keys, of which 8" },
		{ VERSION_AT, "\"version\":3,\"Flag\":1",
		    "9 keys, of which 8" },
		{ VERSION_AT, "\"version\":3,\"version\":3", "duplicate" },
		{ FLAG, NULL, "'flag' is missing" },
		{ FLAG, "\"flag\":1", "'flag' is no true or false" },
		{ FLAG, "\"flag\":null", "'flag' is no true or false" },
		{ NUMBER, NULL, "'number' is missing" },
		{ NUMBER, "\"number\":1.0", "'number' is no number" },
		{ NUMBER, "\"number\":\"1\"", "'number' is no number" },
		{ NUMBER, "\"number\":9223372036854775808", "as JSON" },
		{ NUMBER, "\"number\":1,\"number\":1", "duplicate" },
		{ WORD, NULL, "'word' is missing" },
		{ WORD, "\"word\":\"blue\"", "'word' is not one of its words" },
		{ WORD, "\"word\":1", "'word' is not one of its words" },
		{ TEXT, NULL, "'text' is missing" },
		{ TEXT, "\"text\":null", "'text' is no text, or too long" },
		{ TEXT, "\"text\":5", "'text' is no text" },
		{ TEXT, "\"text\":\"a\\u0000b\"", "as JSON" },
		{ TEXT, "\"text\":\"1234567890123456789012345678901234567890\"",
		    "'text' is no text, or too long" },
		{ TEXT, "\"text\":{\"b64\":\"YQBi\"}", "'text' is no text" },
		{ TEXT, "\"text\":{\"b64\":\"\"}", "'text' is no text" },
		{ TEXT, "\"text\":{\"b64\":\"YQ\"}", "'text' is no text" },
		{ TEXT, "\"text\":{\"b64\":\"YQ==\\n\"}", "'text' is no text" },
		{ TEXT, "\"text\":{\"b64\":\" YQ==\"}", "'text' is no text" },
		{ TEXT, "\"text\":{\"b64\":\"YR==\"}", "'text' is no text" },
		{ TEXT, "\"text\":{\"b64\":\"====\"}", "'text' is no text" },
		{ TEXT, "\"text\":{\"b64\":\"Y===\"}", "'text' is no text" },
		{ TEXT, "\"text\":{\"b64\":\"Y-_a\"}", "'text' is no text" },
		{ TEXT, "\"text\":{\"b64\":1}", "'text' is no text" },
		{ TEXT, "\"text\":{\"b64\":\"YQ==\",\"x\":1}",
		    "'text' is no text" },
		{ TEXT, "\"text\":{}", "'text' is no text" },
		{ TEXT, "\"text\":\"\xff\"", "as JSON" },
		{ STRING, NULL, "'string' is missing" },
		{ STRING, "\"string\":false", "'string' is no text" },
		{ BLOB, "\"blob\":\"0123456789abcde\"", "'blob' is not its" },
		{ BLOB, "\"blob\":\"0123456789abcdef0\"", "'blob' is not its" },
		{ BLOB, "\"blob\":\"0123456789abcdeg\"", "'blob' is not its" },
		{ BLOB, "\"blob\":7", "'blob' is not its hexadecimal" },
		{ NUMBERS, "\"numbers\":1", "'numbers' is no list" },
		{ NUMBERS, "\"numbers\":[1,2,3,4,5,6]", "list, or too long" },
		{ NUMBERS, "\"numbers\":[1,null]", "'numbers' has a non-num" },
		{ NUMBERS, "\"numbers\":{}", "'numbers' is no list" },
		{ LIST, "\"list\":{}", "'list' is no list" },
		{ LIST, "\"list\":[1]", "'list': 'name' is missing" },
		{ LIST, "\"list\":[{\"name\":\"a\"}]",
		    "'list': 'size' is missing" },
		{ LIST, "\"list\":[{\"name\":\"a\",\"size\":1},{\"name\":2}]",
		    "'list': 'name' is no text" },
		{ LIST, "\"list\":[{\"name\":\"a\",\"size\":1,\"x\":2}]",
		    "'list': it has 3 keys, of which 2" },
		{ LIST, "\"list\":[{},{},{},{}]", "'list' is no list, or too" },
	};
	struct strbuf text = STRBUF_EMPTY;
	struct all all;
	struct fault fault;

	(void)state;
	make_object(&text, 99, NULL);
	assert_fine(read_object(&all, NULL, &text, &fault), &fault);
	assert_string_equal(all.text, "hello");
	assert_null(all.string);
	assert_string_equal(all.list[0].name, "a");
	fields_free(all_fields, &all);
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		make_object(&text, wrong[i].which, wrong[i].member);
		assert_faulty(read_object(&all, NULL, &text, &fault),
		    FAULT_CORRUPT, wrong[i].words, &fault);
		fields_free(all_fields, &all);
	}
	strbuf_close(&text);
}

static void
refuses_what_is_no_object(void **state)
{
	static const char *const texts[] = { "", " ", "[]", "null", "3",
		"\"x\"", "{", "{}", "{}{}", "{\"version\"", "\xef\xbb\xbf{}",
		"{\"version\":3}x" };
	struct strbuf text = STRBUF_EMPTY;
	struct all all;
	struct fault fault;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		strbuf_reset(&text);
		strbuf_addstr(&text, texts[i]);
		assert_faulty(read_object(&all, NULL, &text, &fault),
		    FAULT_CORRUPT, "", &fault);
	}
	/* As deep as it may be: nothing of ours recurses for ever. */
	strbuf_reset(&text);
	for (int i = 0; i < 1000000; i++)
		strbuf_addc(&text, '[');
	assert_faulty(read_object(&all, NULL, &text, &fault), FAULT_CORRUPT,
	    "as JSON", &fault);
	strbuf_close(&text);
}

/* Whoever holds the key wrote this: then it is memory that was missing. */
static void
trusts_its_own_hmac(void **state)
{
	struct strbuf text = STRBUF_EMPTY;
	uint8_t hmac[TOKEN_HASH_SIZE];
	struct all all;
	struct fault fault;

	(void)state;
	strbuf_addstr(&text, "{nonsense,\n");
	token_hmac(key, text.bytes, text.length, hmac);
	strbuf_addstr(&text, "\"hmac\": \"");
	strbuf_add_hex(&text, hmac, sizeof(hmac));
	strbuf_addstr(&text, "\"\n}\n");
	assert_faulty(read_object(&all, key, &text, &fault), FAULT_RETRY,
	    "it cannot be read as JSON", &fault);
	strbuf_close(&text);
}

static void
bears_texts_of_any_bytes(void **state)
{
	struct dice dice = dice_new();
	struct strbuf text = STRBUF_EMPTY;
	struct all all = { 0 }, got;
	struct fault fault;
	char bytes[600];

	(void)state;
	for (int i = 0; i < 2000; i++) {
		size_t length = dice_roll(&dice, sizeof(bytes) - 1);

		dice_fill(&dice, bytes, length);
		for (size_t k = 0; k < length; k++)
			if (bytes[k] == '\0' || dice_roll(&dice, 3) == 0)
				bytes[k] = 'a';
		bytes[length] = '\0';
		all.string = bytes;
		memcpy(all.text, bytes, strnlen(bytes, TEXT_SIZE - 1) + 1);
		all.text[TEXT_SIZE - 1] = '\0';
		strbuf_reset(&text);
		fields_write(form(0), &all, NULL, &text);
		assert_fine(read_object(&got, NULL, &text, &fault), &fault);
		assert_string_equal(got.string, bytes);
		assert_string_equal(got.text, all.text);
		fields_free(all_fields, &got);
		/* The same bytes as a value of their own. */
		strbuf_reset(&text);
		strbuf_addstr(&text, "{\"version\":3,\"string\":");
		fields_add_text(&text, bytes, length);
		strbuf_addstr(&text,
		    "," GOOD_FLAG "," GOOD_NUMBER "," GOOD_WORD "," GOOD_TEXT
		    "," GOOD_BLOB "," GOOD_NUMBERS "," GOOD_LIST "}");
		assert_fine(read_object(&got, NULL, &text, &fault), &fault);
		assert_string_equal(got.string, bytes);
		fields_free(all_fields, &got);
	}
	strbuf_close(&text);
}

static void
keeps_files(void **state)
{
	int dirfd = scratch_open(state);
	struct all written, got = { 0 };
	struct fault fault;
	struct stat st;

	fill(&written);
	assert_faulty(fields_load(file_form("x.json", VERSION, 5000), &got, key,
			  dirfd, &fault),
	    FAULT_NOT_FOUND, "x.json cannot be read", &fault);
	assert_fine(fields_save(file_form("x.json", VERSION, 0), &written, key,
			dirfd, &fault),
	    &fault);
	assert_int_equal(fstatat(dirfd, "x.json", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_fine(
	    fields_load(file_form("x.json", VERSION, (size_t)st.st_size), &got,
		key, dirfd, &fault),
	    &fault);
	assert_same(&written, &got);
	fields_free(all_fields, &got);
	assert_faulty(
	    fields_load(file_form("x.json", VERSION, (size_t)st.st_size - 1),
		&got, key, dirfd, &fault),
	    FAULT_CORRUPT, "x.json is no file of at most", &fault);
	assert_faulty(fields_load(file_form("x.json", VERSION + 1, 5000), &got,
			  key, dirfd, &fault),
	    FAULT_CORRUPT, "x.json: its version is not 4", &fault);
	fields_free(all_fields, &got);
	assert_int_equal(tool_run(*state, "mkdir d && ln -s x.json l"), 0);
	assert_faulty(fields_load(file_form("d", VERSION, 5000), &got, key,
			  dirfd, &fault),
	    FAULT_CORRUPT, "d is no file", &fault);
	/* It is never another file by way of a link. */
	assert_faulty(fields_load(file_form("l", VERSION, 5000), &got, key,
			  dirfd, &fault),
	    FAULT_SYSTEM, "l cannot be read", &fault);
	assert_faulty(fields_save(file_form("d", VERSION, 0), &written, key,
			  dirfd, &fault),
	    FAULT_SYSTEM, "d cannot be written", &fault);
	fields_free(all_fields, &written);
	close(dirfd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back_what_it_wrote),
		scratch_test(writes_json_and_hmac_for_others),
		cmocka_unit_test(finds_every_flipped_bit),
		cmocka_unit_test(finds_every_cut_and_addition),
		cmocka_unit_test(refuses_what_it_never_wrote),
		cmocka_unit_test(refuses_what_is_no_object),
		cmocka_unit_test(trusts_its_own_hmac),
		cmocka_unit_test(bears_texts_of_any_bytes),
		scratch_test(keeps_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
