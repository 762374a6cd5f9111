/* SPDX-License-Identifier: MIT */
#include "check.h"

#include "base/strbuf.h"
#include "source/dump_internal.h"

static void
assert_refused(const char *text)
{
	struct dump_line line;
	struct dump_object object;
	struct fault fault;

	assert_faulty(dump_line_parse(&line, text, &fault), FAULT_USAGE,
	    "is no line", &fault);
	dump_line_close(&line);
	assert_faulty(dump_object_parse(&object, text, &fault), FAULT_USAGE,
	    "is no line", &fault);
	dump_object_close(&object);
}

static void
reads_what_it_writes(void **state)
{
	static char name[] = "a \\ b\nc\td \xc3\xa9", made[] = "12ab";
	struct strbuf text = STRBUF_EMPTY;
	struct fault fault;

	(void)state;
	for (int i = 0; i < DUMP_KIND_COUNT * 8; i++) {
		struct dump_line line = { .kind = (enum dump_kind)(i / 8),
			.name = name,
			.with_rows = i & 1,
			.covered = i & 2,
			.keyless = i & 4,
			.bytes = INT64_MAX,
			.rows = i,
			.made = made };
		struct dump_line found;

		strbuf_reset(&text);
		dump_line_add(&text, &line);
		assert_ptr_equal(
		    strchr(text.bytes, '\n'), text.bytes + text.length - 1);
		assert_fine(
		    dump_line_parse(&found, text.bytes, &fault), &fault);
		assert_int_equal(found.kind, line.kind);
		assert_string_equal(found.name, name);
		assert_string_equal(found.made, made);
		assert_int_equal(found.with_rows, line.with_rows);
		assert_int_equal(found.covered, line.covered);
		assert_int_equal(found.keyless, line.keyless);
		assert_int_equal(found.bytes, INT64_MAX);
		assert_int_equal(found.rows, i);
		dump_line_close(&found);
	}
	strbuf_close(&text);
}

static void
refuses_what_it_would_not_write(void **state)
{
	static const char *const texts[] = { "", "\n", "table", "table r 1 2 m",
		"table r 1 2 m ", "table r 1 2  name", "table  1 2 m name",
		"tables r 1 2 m name", "table x 1 2 m name",
		"table kr 1 2 m name", "table rr 1 2 m name",
		"table -r 1 2 m name", "table r -1 2 m name",
		"table r 1 2x m name", "table r 99999999999999999999 2 m name",
		"table r 1 2 m na\\me", " table r 1 2 m name" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		assert_refused(texts[i]);
}

static void
says_what_an_object_is(void **state)
{
	struct dump_object object;
	struct fault fault;

	(void)state;
	assert_fine(dump_object_parse(&object, "table rck 7 8 m a\\nb", &fault),
	    &fault);
	assert_string_equal(object.name, "a\nb");
	assert_string_equal(object.kind, "table");
	assert_int_equal(object.bytes, 7);
	assert_true(object.is_table && object.covered && object.keyless);
	dump_object_close(&object);
	assert_fine(
	    dump_object_parse(&object, "table c 7 8 m t\n", &fault), &fault);
	assert_false(object.is_table || object.keyless);
	dump_object_close(&object);
	assert_fine(
	    dump_object_parse(&object, "package-body - 0 0 m p", &fault),
	    &fault);
	assert_string_equal(object.kind, "package-body");
	assert_false(object.is_table || object.covered);
	dump_object_close(&object);
}

static void
assert_noted(const char *before, const char *after, const char *wanted)
{
	struct strbuf notes = STRBUF_EMPTY;

	dump_compare(before, after, &notes);
	assert_string_equal(strbuf_text(&notes), wanted);
	strbuf_close(&notes);
}

#define WHILE " while the database was read"

static void
notes_what_was_made_altered_and_removed(void **state)
{
	(void)state;
	assert_noted("", "", "");
	/* Estimates change, and whether there is a key says nothing. */
	assert_noted("table rc 1 2 m t\nview - 0 0 v v\n",
	    "table rck 9 8 m t\nview - 0 0 v v\n", "");
	assert_noted("table rc 1 2 m t\n", "table rc 1 2 n t\n",
	    "t\tthis table was altered" WHILE
	    "; the backup may have it as it was before\n");
	assert_noted("", "event - 0 0 m a\\tb\n",
	    "a\\tb\tthis event was made" WHILE ", and is not in the backup\n");
	assert_noted("trigger - 0 0 m a\n", "",
	    "a\tthis trigger was removed" WHILE
	    "; the backup may still have it\n");
	/* Another kind of the same name. */
	assert_noted("table rc 1 2 m t\n", "view - 0 0 m t\n",
	    "t\tthis table was removed" WHILE "; the backup may still have it\n"
	    "t\tthis view was made" WHILE ", and is not in the backup\n");
	/* Said once of a view; and in another order. */
	assert_noted("placeholder - 0 0 m v\nview - 0 0 m v\nview - 0 0 m a\n",
	    "placeholder - 0 0 n v\nview - 0 0 m a\nview - 0 0 n v\n",
	    "v\tthis view was altered" WHILE
	    "; the backup may have it as it was before\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_it_writes),
		cmocka_unit_test(refuses_what_it_would_not_write),
		cmocka_unit_test(says_what_an_object_is),
		cmocka_unit_test(notes_what_was_made_altered_and_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
