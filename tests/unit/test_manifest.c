/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "tool.h"

#include "pack/digest.h"
#include "pack/manifest.h"

static void
assert_json(const struct manifest_entry *entry, const char *wanted)
{
	struct strbuf line = STRBUF_EMPTY;

	manifest_add(&line, entry);
	assert_string_equal(line.bytes, wanted);
	strbuf_close(&line);
}

static void
writes_what_its_header_says(void **state)
{
	static const int64_t holes[][2] = { { 0, 4096 },
		{ 8192, INT64_C(1) << 40 } };

	(void)state;
	assert_json(&(struct manifest_entry){ .path = "files/a",
			.type = "file",
			.mode = 04755,
			.mtime_s = 1700000000,
			.mtime_ns = 5,
			.size = 0 },
	    "{\"path\":\"files/a\",\"type\":\"file\",\"mode\":\"4755\","
	    "\"mtime\":1700000000,\"mtime_ns\":5,\"size\":0}");
	assert_json(&(struct manifest_entry){ .path = "files/",
			.type = "folder",
			.mode = 0,
			.mtime_s = -1,
			.size = -1 },
	    "{\"path\":\"files/\",\"type\":\"folder\",\"mode\":\"0000\","
	    "\"mtime\":-1}");
	assert_json(&(struct manifest_entry){ .path = "files/l",
			.type = "symlink",
			.mode = 0777,
			.size = -1,
			.target = "" },
	    "{\"path\":\"files/l\",\"type\":\"symlink\",\"mode\":\"0777\","
	    "\"mtime\":0,\"target\":\"\"}");
	assert_json(&(struct manifest_entry){ .path = "files/s",
			.type = "file",
			.mode = 0600,
			.size = INT64_MAX,
			.changed = true,
			.holes = holes,
			.hole_count = 2 },
	    "{\"path\":\"files/s\",\"type\":\"file\",\"mode\":\"0600\","
	    "\"mtime\":0,\"size\":9223372036854775807,\"changed\":true,"
	    "\"holes\":[[0,4096],[8192,1099511627776]]}");
}

static const char *const names[] = {
	"files/plain",
	"files/two words and a \"quote\"",
	"files/back\\slash",
	"files/line\nbreak",
	"files/\\n is no newline",
	"files/tab\tand\rreturn",
	"files/return at the end\r",
	"files/\x01\x1f\x7f",
	"files/\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
	"files/\xff\xfe no UTF-8",
	"files/cut \xc3",
	"files/surrogate \xed\xa0\x80",
	"files/overlong \xc0\xaf",
	"files/*",
	"files/ leading",
	"files/trailing ",
	"files/{\"b64\":\"YQ==\"}",
};

/* Reads a line as the text that is left of one: bytes in hexadecimal. */
static const char reader[] =
    "import base64, json\n"
    "for line in open('lines', 'rb').read().split(b'\\n')[:-1]:\n"
    "    entry = json.loads(line.decode())\n"
    "    for key in 'path', 'target':\n"
    "        text = entry[key]\n"
    "        if isinstance(text, dict):\n"
    "            print(base64.b64decode(text['b64'], validate=True).hex())\n"
    "        else:\n"
    "            print(text.encode().hex())\n";

/* Another reader of JSON gets the same bytes out of each line. */
static void
is_json_of_any_name(void **state)
{
	struct strbuf lines = STRBUF_EMPTY, wanted = STRBUF_EMPTY,
		      got = STRBUF_EMPTY;

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct manifest_entry entry = { .path = names[i],
			.type = "symlink",
			.size = -1,
			.target = names[COUNT_OF(names) - 1 - i] };

		manifest_add(&lines, &entry);
		strbuf_addc(&lines, '\n');
		strbuf_add_hex(&wanted, entry.path, strlen(entry.path));
		strbuf_addc(&wanted, '\n');
		strbuf_add_hex(&wanted, entry.target, strlen(entry.target));
		strbuf_addc(&wanted, '\n');
	}
	tool_write(*state, "lines", lines.bytes, lines.length);
	tool_write(*state, "read.py", reader, strlen(reader));
	assert_int_equal(tool_run(*state, "/usr/bin/python3 read.py >got"), 0);
	tool_read(*state, "got", &got);
	assert_string_equal(got.bytes, wanted.bytes);
	strbuf_close(&lines);
	strbuf_close(&wanted);
	strbuf_close(&got);
}

/* sha256sum writes the same lines, and checks ours. */
static void
is_what_sha256sum_writes(void **state)
{
	struct strbuf ours = STRBUF_EMPTY, theirs = STRBUF_EMPTY,
		      list = STRBUF_EMPTY;

	assert_int_equal(tool_run(*state, "mkdir files"), 0);
	strbuf_addstr(&ours, "kept");
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		uint8_t hash[DIGEST_SIZE];
		struct digest digest;

		tool_write(*state, names[i], names[i], strlen(names[i]));
		digest_init(&digest);
		digest_add(&digest, names[i], strlen(names[i]));
		digest_finish(&digest, hash);
		manifest_add_sum(&ours, hash, names[i]);
		strbuf_addc(&ours, '\n');
		strbuf_add(&list, names[i], strlen(names[i]) + 1);
	}
	/* What stood in the buffer before stays. */
	assert_memory_equal(ours.bytes, "kept", 4);
	tool_write(*state, "list", list.bytes, list.length);
	tool_write(*state, "ours", ours.bytes + 4, ours.length - 4);
	assert_int_equal(
	    tool_run(*state, "xargs -0 sha256sum -- <list >theirs"), 0);
	tool_read(*state, "theirs", &theirs);
	assert_string_equal(ours.bytes + 4, theirs.bytes);
	assert_int_equal(
	    tool_run(*state, "sha256sum --quiet --strict -c ours"), 0);
	assert_int_equal(tool_run(*state,
			     "echo >>files/plain && "
			     "sha256sum --status -c ours"),
	    1);
	strbuf_close(&ours);
	strbuf_close(&theirs);
	strbuf_close(&list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_what_its_header_says),
		scratch_test(is_json_of_any_name),
		scratch_test(is_what_sha256sum_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
