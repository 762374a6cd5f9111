/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "dice.h"
#include "tool.h"

#include "store/links.h"

#include <sys/stat.h>

/* As the file has it: inode, entry, folder, device, CRC. */
#define SLOT_SIZE 32

static struct link_place
place_of(int64_t device, int64_t inode, int64_t entry)
{
	return (struct link_place){ device, inode, entry, entry / 2 };
}

/* The entry that is found for a place, 0 if none is. */
static int64_t
find(struct links *links, int64_t device, int64_t inode, int64_t entry)
{
	struct link_place place = place_of(device, inode, entry), first;
	struct fault fault;
	int found = links_find(links, &place, &first, &fault);

	if (found < 0)
		fail_msg("%s", fault.text);
	if (found == 0)
		return 0;
	assert_int_equal(first.device, device);
	assert_int_equal(first.inode, inode);
	assert_int_equal(first.folder, first.entry / 2);
	return first.entry;
}

static void
put(struct links *links, int64_t device, int64_t inode, int64_t entry)
{
	struct link_place place = place_of(device, inode, entry);
	struct fault fault;

	assert_fine(links_put(links, &place, &fault), &fault);
}

static void
forget(struct links *links, int64_t device, int64_t inode, int64_t entry)
{
	struct link_place place = place_of(device, inode, entry);
	struct fault fault;

	assert_fine(links_forget(links, &place, &fault), &fault);
}

static void
finds_what_was_put_before(void **state)
{
	struct links links = LINKS_CLOSED;
	struct fault fault;
	int dirfd = scratch_open(state);

	assert_fine(links_make(&links, dirfd, 10, &fault), &fault);
	assert_true(links.made);
	assert_int_equal(find(&links, 1, 2, 100), 0);
	put(&links, 1, 2, 100);
	assert_int_equal(find(&links, 1, 2, 101), 100);
	assert_int_equal(find(&links, 1, 2, INT64_MAX), 100);
	/* Another inode, another device. */
	assert_int_equal(find(&links, 1, 3, 200), 0);
	assert_int_equal(find(&links, 2, 2, 200), 0);
	put(&links, 2, 2, 150);
	assert_int_equal(find(&links, 1, 2, 200), 100);
	assert_int_equal(find(&links, 2, 2, 200), 150);
	links_close(&links);
	links_close(&links);
	close(dirfd);
}

/* Work up to 300 was lost, and is done again from 100 on. */
static void
counts_later_places_as_nothing(void **state)
{
	struct links links = LINKS_CLOSED;
	struct fault fault;
	int dirfd = scratch_open(state);

	assert_fine(links_make(&links, dirfd, 10, &fault), &fault);
	put(&links, 1, 2, 100);
	put(&links, 1, 5, 250);
	assert_int_equal(find(&links, 1, 2, 100), 0);
	assert_int_equal(find(&links, 1, 2, 50), 0);
	assert_int_equal(find(&links, 1, 5, 200), 0);
	/* The redo puts it at an earlier place, as its first was lost. */
	put(&links, 1, 5, 200);
	assert_int_equal(find(&links, 1, 5, 201), 200);
	put(&links, 1, 5, 200);
	assert_int_equal(find(&links, 1, 5, 250), 200);
	links_close(&links);
	close(dirfd);
}

static void
forgets_what_was_lost(void **state)
{
	struct links links = LINKS_CLOSED;
	struct fault fault;
	int dirfd = scratch_open(state);

	assert_fine(links_make(&links, dirfd, 10, &fault), &fault);
	put(&links, 1, 2, 100);
	/* An earlier one is no lost work. */
	forget(&links, 1, 2, 200);
	assert_int_equal(find(&links, 1, 2, 300), 100);
	/* That very one, now gone: the next name becomes the first. */
	forget(&links, 1, 2, 100);
	assert_int_equal(find(&links, 1, 2, 300), 0);
	assert_int_equal(find(&links, 1, 2, INT64_MAX), 0);
	put(&links, 1, 2, 300);
	assert_int_equal(find(&links, 1, 2, 301), 300);
	forget(&links, 1, 99, 100);
	assert_int_equal(find(&links, 1, 99, 300), 0);
	links_close(&links);
	close(dirfd);
}

/* In a table that is full, and so with many that share a way. */
static void
agrees_with_a_plain_list(void **state)
{
	enum { INODES = 300 };
	struct dice dice = dice_new();
	struct links links = LINKS_CLOSED;
	struct fault fault;
	int64_t packed[INODES] = { 0 };
	int dirfd = scratch_open(state);

	assert_fine(links_make(&links, dirfd, INODES, &fault), &fault);
	for (int64_t entry = 1; entry < 20000; entry++) {
		size_t which = dice_roll(&dice, INODES);
		int64_t device = (int64_t)which % 3;
		int64_t inode = (int64_t)which / 3 * 1000003;

		assert_int_equal(
		    find(&links, device, inode, entry), packed[which]);
		if (packed[which] == 0 && dice_roll(&dice, 2) == 0) {
			put(&links, device, inode, entry);
			packed[which] = entry;
		} else if (dice_roll(&dice, 10) == 0) {
			forget(&links, device, inode, entry);
		} else if (dice_roll(&dice, 500) == 0) {
			assert_fine(links_sync(&links, &fault), &fault);
			links_close(&links);
			assert_fine(
			    links_open(&links, dirfd, INODES, &fault), &fault);
		}
	}
	links_close(&links);
	close(dirfd);
}

static void
is_as_it_was_when_reopened(void **state)
{
	struct links links = LINKS_CLOSED;
	struct fault fault;
	struct stat st;
	int dirfd = scratch_open(state);

	assert_fine(links_make(&links, dirfd, 1000000, &fault), &fault);
	assert_int_equal(fstatat(dirfd, "links", &st, 0), 0);
	assert_true(st.st_size >= 1000000 * SLOT_SIZE);
	assert_true(st.st_blocks * 512 < 100000); /* sparse */
	put(&links, 1, INT64_MAX, 100);
	put(&links, 0xffffffff, 7, 200);
	assert_true(links.unsynced > 0);
	assert_fine(links_sync(&links, &fault), &fault);
	assert_int_equal(links.unsynced, 0);
	links_close(&links);
	assert_int_equal(links.fd, -1);
	assert_fine(links_open(&links, dirfd, 1000000, &fault), &fault);
	assert_false(links.made);
	assert_int_equal(find(&links, 1, INT64_MAX, 101), 100);
	assert_int_equal(find(&links, 0xffffffff, 7, 201), 200);
	links_close(&links);
	/* Made again, it is empty. */
	assert_fine(links_make(&links, dirfd, 10, &fault), &fault);
	assert_int_equal(find(&links, 1, INT64_MAX, 101), 0);
	links_close(&links);
	close(dirfd);
}

static void
refuses_a_missing_or_wrong_file(void **state)
{
	struct links links = LINKS_CLOSED;
	struct fault fault;
	int dirfd = scratch_open(state);

	assert_faulty(links_open(&links, dirfd, 10, &fault), FAULT_CORRUPT,
	    "the file 'links' is missing", &fault);
	links_close(&links);
	assert_fine(links_make(&links, dirfd, 10, &fault), &fault);
	links_close(&links);
	assert_faulty(links_open(&links, dirfd, 11, &fault), FAULT_CORRUPT,
	    "not as long as it was made", &fault);
	links_close(&links);
	assert_int_equal(tool_run(*state, "truncate -s -1 links"), 0);
	assert_faulty(links_open(&links, dirfd, 10, &fault), FAULT_CORRUPT,
	    "not as long as it was made", &fault);
	links_close(&links);
	assert_int_equal(tool_run(*state, "rm links; ln -s x links"), 0);
	assert_faulty(links_open(&links, dirfd, 10, &fault), FAULT_SYSTEM,
	    "'links' cannot be opened", &fault);
	links_close(&links);
	close(dirfd);
}

static void
flip(struct links *links, struct strbuf *text, size_t at, size_t bit)
{
	char *byte = &text->bytes[at + bit / 8];

	*byte = (char)(*byte ^ 1 << bit % 8);
	assert_int_equal(pwrite(links->fd, byte, 1, (off_t)(at + bit / 8)), 1);
}

static void
finds_every_flipped_bit_of_a_slot(void **state)
{
	struct links links = LINKS_CLOSED;
	struct link_place place = place_of(5, 6, 200), first;
	struct fault fault;
	struct strbuf text = STRBUF_EMPTY;
	size_t at = 0;
	int dirfd = scratch_open(state);

	assert_fine(links_make(&links, dirfd, 4, &fault), &fault);
	put(&links, 5, 6, 100);
	tool_read(*state, "links", &text);
	while (memcmp(text.bytes + at, "\0\0\0\0\0\0\0", 8) == 0)
		at += SLOT_SIZE;
	for (size_t bit = 0; bit < (size_t)8 * SLOT_SIZE; bit++) {
		flip(&links, &text, at, bit);
		assert_faulty(links_find(&links, &place, &first, &fault),
		    FAULT_CORRUPT, "the file 'links' is damaged", &fault);
		assert_faulty(links_put(&links, &place, &fault), FAULT_CORRUPT,
		    "damaged", &fault);
		assert_faulty(links_forget(&links, &place, &fault),
		    FAULT_CORRUPT, "damaged", &fault);
		flip(&links, &text, at, bit);
	}
	assert_int_equal(find(&links, 5, 6, 200), 100);
	strbuf_close(&text);
	links_close(&links);
	close(dirfd);
}

static void
says_when_it_is_full(void **state)
{
	struct links links = LINKS_CLOSED;
	struct fault fault;
	int result = 0;
	int dirfd = scratch_open(state);

	assert_fine(links_make(&links, dirfd, 1, &fault), &fault);
	for (int64_t inode = 1; inode < 1000 && result == 0; inode++) {
		struct link_place place = place_of(1, inode, inode);

		result = links_put(&links, &place, &fault);
	}
	assert_int_equal(result, -1);
	assert_int_equal(fault.code, FAULT_CORRUPT);
	assert_contains(fault.text, "full");
	links_close(&links);
	close(dirfd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(finds_what_was_put_before),
		scratch_test(counts_later_places_as_nothing),
		scratch_test(forgets_what_was_lost),
		scratch_test(agrees_with_a_plain_list),
		scratch_test(is_as_it_was_when_reopened),
		scratch_test(refuses_a_missing_or_wrong_file),
		scratch_test(finds_every_flipped_bit_of_a_slot),
		scratch_test(says_when_it_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
