/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "dice.h"
#include "tool.h"

#include "store/catalog.h"

static const struct extent none;

static void
open_catalog(struct spool *spool, int dirfd)
{
	struct fault fault;

	*spool = (struct spool)SPOOL_CLOSED;
	assert_fine(spool_open(spool, dirfd, "catalog", &none, &fault), &fault);
}

static int64_t
add(struct spool *spool, struct catalog_item item)
{
	struct fault fault;

	if (item.name != NULL)
		item.name_length = strlen(item.name);
	assert_fine(catalog_add(spool, &item, &fault), &fault);
	return item.offset;
}

static void
assert_same(const struct catalog_item *one, const struct catalog_item *two)
{
	assert_int_equal(one->offset, two->offset);
	assert_int_equal(one->type, two->type);
	if (one->type == 'D' || one->type == 'R') {
		assert_int_equal(one->device, two->device);
		assert_int_equal(one->inode, two->inode);
	} else {
		assert_int_equal(one->size, two->size);
	}
	if (one->type == 'D') {
		assert_int_equal(one->parent, two->parent);
		assert_int_equal(one->entry, two->entry);
		assert_int_equal(one->mark, two->mark);
		assert_int_equal(one->error, two->error);
		return;
	}
	assert_int_equal(one->number, two->number);
	assert_int_equal(one->name_length, two->name_length);
	assert_memory_equal(one->name, two->name, one->name_length + 1);
}

/* As the header says. */
static void
writes_the_format_it_says(void **state)
{
	int dirfd = scratch_open(state);
	struct strbuf text = STRBUF_EMPTY;
	struct spool spool;
	struct fault fault;
	int64_t root, entry;

	open_catalog(&spool, dirfd);
	root = add(&spool,
	    (struct catalog_item){ .type = 'R',
		.number = 1,
		.device = 0xfe01,
		.inode = 2,
		.name = (char[]){ "/srv/a\nb\\" } });
	entry = add(&spool,
	    (struct catalog_item){
		.type = 'd', .number = 10, .name = (char[]){ "n" } });
	add(&spool,
	    (struct catalog_item){ .type = 'F',
		.number = -1,
		.size = 255,
		.name = (char[]){ "" } });
	add(&spool,
	    (struct catalog_item){ .type = 'D',
		.parent = root,
		.entry = entry,
		.device = 16,
		.inode = 17,
		.mark = CATALOG_UNREADABLE,
		.error = 13 });
	assert_fine(spool_sync(&spool, &fault), &fault);
	assert_int_equal(tool_run(*state,
			     "cut -c10- catalog >lines && cat >wanted <<'E'\n"
			     "R 1 fe01 2 /srv/a\\nb\\\\\n"
			     "d a 0 n\n"
			     "F ffffffffffffffff ff \n"
			     "D 0 20 10 11 e d\n"
			     "E\n"
			     "diff wanted lines"),
	    0);
	assert_int_equal(entry, 0x20);
	strbuf_close(&text);
	spool_close(&spool);
	close(dirfd);
}

/* An item of any type that walk could write. */
static struct catalog_item
random_item(struct dice *dice, char *name, int64_t here)
{
	static const char types[] = "RDflpcbdsxeFLPCB";
	static const char marks[] = "-Mmpve";
	struct catalog_item item = { .type = types[dice_roll(dice, 16)] };
	size_t length = dice_roll(dice, 256);

	if (item.type == 'D' && here < 100)
		item.type = 'f';
	dice_fill(dice, name, length);
	for (size_t i = 0; i < length; i++)
		if (name[i] == '\0' || dice_roll(dice, 4) == 0)
			name[i] = dice_roll(dice, 2) == 0 ? '\n' : '\\';
	name[length] = '\0';
	item.number = (int64_t)(dice_bits(dice) >> dice_roll(dice, 64));
	item.size = (int64_t)(dice_bits(dice) >> dice_roll(dice, 64));
	item.device = (int64_t)dice_bits(dice);
	item.inode = (int64_t)dice_bits(dice);
	item.name = name;
	item.name_length = length;
	if (item.type == 'D') {
		item.parent = (int64_t)dice_roll(dice, (size_t)here - 1);
		item.entry = item.parent + 1 +
		    (int64_t)dice_roll(dice, (size_t)(here - item.parent - 1));
		item.mark = (enum catalog_mark)marks[dice_roll(dice, 6)];
		item.error = (int)dice_roll(dice, 134);
		item.name = NULL;
		item.name_length = 0;
	}
	return item;
}

#define ITEMS 3000

static void
reads_back_what_it_wrote(void **state)
{
	int dirfd = scratch_open(state);
	struct dice dice = dice_new();
	struct catalog_item *items = calloc(ITEMS, sizeof(*items)), got;
	char(*names)[256] = calloc(ITEMS, sizeof(*names));
	struct spool_reader reader;
	struct spool spool;
	struct fault fault;

	open_catalog(&spool, dirfd);
	for (int i = 0; i < ITEMS; i++) {
		items[i] = random_item(&dice, names[i], spool.extent.length);
		assert_fine(catalog_add(&spool, &items[i], &fault), &fault);
	}
	spool_reader_open(&reader, &spool, 0);
	for (int i = 0; i < ITEMS; i++) {
		assert_int_equal(catalog_next(&reader, &got, &fault), 1);
		assert_same(&items[i], &got);
	}
	assert_int_equal(catalog_next(&reader, &got, &fault), 0);
	for (int i = 0; i < ITEMS; i++) {
		size_t which = dice_roll(&dice, ITEMS);

		assert_fine(
		    catalog_at(&reader, items[which].offset, &got, &fault),
		    &fault);
		assert_same(&items[which], &got);
	}
	assert_faulty(catalog_at(&reader, spool.extent.length, &got, &fault),
	    FAULT_CORRUPT, "ends before a place it refers to", &fault);
	spool_reader_close(&reader);
	spool_close(&spool);
	free(items);
	free(names);
	close(dirfd);
}

/* A CRC vouches for the bytes, not for what they say. */
static void
refuses_lines_that_make_no_sense(void **state)
{
	static const char *const lines[] = { "", "f", "f 1", "f 1 ", "f 1 2",
		"f  1 2 x", "f g 2 x", "f 1 2x", "f 1\t2 x", "f A 2 x",
		"f 11112222333344445 2 x", "z 1 2 x", "G 1 2 x", "X 1 2 x",
		"f 1 2 \\", "f 1 2 a\\b", "f 1 2 a\\x0a", "R 0 1 /x",
		"D 0 1 2 3 -", "D 0 1 2 3 - ", "D 0 1 2 3 - 0 ",
		"D 0 1 2 3 x 0", "D 0 1 2 3  0", "D 0 1 2 3", "D 1 1 2 3 - 0",
		"D 0 0 2 3 - 0", "D ffffffffffffffff 0 2 3 - 0",
		"D 0 ffff 2 3 - 0", "D ffff 0 2 3 - 0",
		"D 0 8000000000000000 2 3 - 0", "D 0 1 2 3 -\1 0" };
	int dirfd = scratch_open(state);
	struct catalog_item item;
	struct fault fault;

	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		struct spool_reader reader;
		struct spool spool;

		open_catalog(&spool, dirfd);
		add(&spool,
		    (struct catalog_item){
			.type = 'd', .name = (char[]){ "x" } });
		assert_fine(
		    spool_append(&spool, lines[i], strlen(lines[i]), &fault),
		    &fault);
		spool_reader_open(&reader, &spool, 0);
		assert_int_equal(catalog_next(&reader, &item, &fault), 1);
		if (catalog_next(&reader, &item, &fault) != -1)
			fail_msg("'%s' is taken", lines[i]);
		assert_int_equal(fault.code, FAULT_CORRUPT);
		assert_contains(fault.text, "a line that makes no sense");
		spool_reader_close(&reader);
		spool_close(&spool);
	}
	close(dirfd);
}

static void
refuses_a_nul_and_damage(void **state)
{
	int dirfd = scratch_open(state);
	struct catalog_item item;
	struct spool_reader reader;
	struct spool spool;
	struct fault fault;

	open_catalog(&spool, dirfd);
	assert_fine(spool_append(&spool, "f 1 2 a\0b", 9, &fault), &fault);
	spool_reader_open(&reader, &spool, 0);
	assert_faulty(catalog_next(&reader, &item, &fault), FAULT_CORRUPT,
	    "a line that makes no sense", &fault);
	assert_fine(spool_sync(&spool, &fault), &fault);
	assert_int_equal(tool_run(*state,
			     "printf X | dd of=catalog bs=1 seek=12 "
			     "conv=notrunc status=none"),
	    0);
	spool_reader_close(&reader);
	spool_reader_open(&reader, &spool, 0);
	assert_faulty(catalog_next(&reader, &item, &fault), FAULT_CORRUPT,
	    "the spool 'catalog'", &fault);
	/* A place that is no line's beginning. */
	assert_faulty(catalog_at(&reader, 3, &item, &fault), FAULT_CORRUPT,
	    "the spool 'catalog'", &fault);
	spool_reader_close(&reader);
	spool_close(&spool);
	close(dirfd);
}

static void
changes_types_to_linked_ones_and_back(void **state)
{
	static const char types[] = "flpcb";

	(void)state;
	for (const char *type = types; *type != '\0'; type++) {
		char linked = CATALOG_LINKED(*type);

		assert_non_null(strchr("FLPCB", linked));
		assert_int_equal(CATALOG_UNLINKED(linked), *type);
		assert_true(CATALOG_IS_LINKED(linked));
		assert_false(CATALOG_IS_LINKED(*type));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(writes_the_format_it_says),
		scratch_test(reads_back_what_it_wrote),
		scratch_test(refuses_lines_that_make_no_sense),
		scratch_test(refuses_a_nul_and_damage),
		cmocka_unit_test(changes_types_to_linked_ones_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
