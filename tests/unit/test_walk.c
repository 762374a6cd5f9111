/* SPDX-License-Identifier: MIT */
/*
 * The walk's catalog against what find(1) sees, at one go and interrupted at
 * every step, whatever the site does meanwhile.
 */
#include "check.h"
#include "dice.h"
#include "tool.h"

#include "source/filter.h"
#include "source/folders.h"
#include "source/walk.h"
#include "store/catalog.h"
#include "store/profile.h"
#include "store/state.h"

#include <sys/resource.h>
#include <sys/stat.h>

static const struct extent none;
static const struct keys keys = { .state = "states" };

/* What a walk needs, kept between its steps. */
struct site {
	char *top;
	int dirfd;
	char path[4200];
	const char *roots[2];
	const char *names[2];
	struct walk_sources sources;
	struct profile profile;
	struct filter *filter;
	struct state state; /* as on disk: its cursor and extent */
	struct spool catalog;
};

static void
site_open(struct site *site, void **state)
{
	static const char *const names[] = { "files", "extra/more" };
	struct stat st;
	struct fault fault;

	memset(site, 0, sizeof(*site));
	site->top = *state;
	site->dirfd = scratch_open(state);
	assert_int_equal(tool_run(site->top, "mkdir -p site data"), 0);
	assert_int_equal(fstatat(site->dirfd, "data", &st, 0), 0);
	snprintf(site->path, sizeof(site->path), "%s/site", site->top);
	memcpy(site->names, names, sizeof(names));
	site->roots[0] = site->path;
	site->filter = filter_new(&site->profile);
	site->sources = (struct walk_sources){ .root_paths = site->roots,
		.root_names = site->names,
		.root_count = 1,
		.data_device = (int64_t)st.st_dev,
		.data_inode = (int64_t)st.st_ino,
		.filter = site->filter };
	strcpy(site->state.id, "20261121-093015-abcdefghijklmnop");
	walk_begin(&site->state.walk);
	site->catalog = (struct spool)SPOOL_CLOSED;
	assert_fine(
	    spool_open(&site->catalog, site->dirfd, "catalog", &none, &fault),
	    &fault);
}

static void
site_use_filter(struct site *site, const char *const *patterns, int count)
{
	site->profile.excludes.items = (char **)(uintptr_t)patterns;
	site->profile.excludes.count = count;
	filter_free(site->filter);
	site->filter = filter_new(&site->profile);
	site->sources.filter = site->filter;
}

static void
site_close(struct site *site)
{
	filter_free(site->filter);
	spool_close(&site->catalog);
	close(site->dirfd);
}

/* Commit what there is, as a checkpoint does, by way of the state's file. */
static void
site_checkpoint(struct site *site, const struct walk_cursor *cursor)
{
	struct fault fault;

	assert_fine(spool_sync(&site->catalog, &fault), &fault);
	site->state.walk = *cursor;
	site->state.spools[SPOOL_CATALOG] = site->catalog.extent;
	assert_fine(
	    state_save(&site->state, site->dirfd, &keys, &fault), &fault);
	assert_fine(
	    state_load(&site->state, site->dirfd, &keys, &fault), &fault);
	spool_committed(&site->catalog);
}

/*
 * Go on from the state for so many steps, then be killed or make a
 * checkpoint.  Returns the last outcome.
 */
static enum walk_outcome
site_walk(struct site *site, size_t steps, bool kill)
{
	struct walk_cursor cursor = site->state.walk;
	enum walk_outcome outcome = WALK_MORE;
	struct walk *walk;
	struct fault fault;

	assert_fine(
	    walk_open(&walk, &site->sources, &site->catalog, &cursor, &fault),
	    &fault);
	for (; steps > 0 && outcome != WALK_DONE; steps--) {
		outcome = walk_step(walk, &fault);
		if (outcome == WALK_FAULT)
			fail_msg("%s", fault.text);
		if (outcome == WALK_CUT)
			site_checkpoint(site, &cursor);
	}
	walk_close(walk);
	if (!kill || outcome == WALK_DONE) {
		site_checkpoint(site, &cursor);
		return outcome;
	}
	spool_close(&site->catalog);
	assert_fine(spool_open(&site->catalog, site->dirfd, "catalog",
			&site->state.spools[SPOOL_CATALOG], &fault),
	    &fault);
	return WALK_MORE;
}

/* What was found, as find(1) is asked to write it below; or the special. */
struct listing {
	struct strbuf text;
	struct strbuf special; /* x, e and marks, one to a line */
	int64_t entries, linked, bytes;
};

static void
list_entry(
    struct listing *listing, const struct catalog_item *item, const char *path)
{
	char type = CATALOG_UNLINKED(item->type);

	if (item->type == 'x' || item->type == 'e') {
		strbuf_addf(&listing->special, "%c %lld %s\n", item->type,
		    (long long)item->number, path);
		return;
	}
	if (type == 'f')
		strbuf_addf(&listing->text, "%lld ", (long long)item->size);
	if (CATALOG_IS_LINKED(item->type))
		strbuf_addstr(&listing->text, "+ ");
	strbuf_addf(&listing->text, "%c %s", type, path);
	strbuf_addc(&listing->text, '\0');
	listing->entries += type != 's';
	listing->linked += CATALOG_IS_LINKED(item->type);
	listing->bytes += type == 'f' ? item->size : 0;
}

/* Read the catalog from its beginning; every path by way of folders. */
static void
list_catalog(struct site *site, struct listing *listing)
{
	struct spool_reader reader;
	struct folders folders;
	struct catalog_item item;
	struct fault fault;
	int found;

	memset(listing, 0, sizeof(*listing));
	spool_reader_open(&reader, &site->catalog, 0);
	folders_open(
	    &folders, &site->catalog, site->names, site->sources.root_count);
	while ((found = catalog_next(&reader, &item, &fault)) > 0) {
		if (item.type == 'R' || item.type == 'D') {
			assert_fine(
			    folders_enter(&folders, item.offset, &fault),
			    &fault);
			if (item.type == 'D' && item.mark != CATALOG_ENTERED)
				strbuf_addf(&listing->special, "%c %d %s\n",
				    (char)item.mark, item.error,
				    folders_path_of(&folders, NULL));
			continue;
		}
		list_entry(
		    listing, &item, folders_path_of(&folders, item.name));
	}
	if (found < 0)
		fail_msg("%s", fault.text);
	folders_close(&folders);
	spool_reader_close(&reader);
}

static void
listing_close(struct listing *listing)
{
	strbuf_close(&listing->text);
	strbuf_close(&listing->special);
}

/* The catalog holds exactly what find(1) finds in these places. */
static void
assert_finds(struct site *site, const char *special)
{
	struct listing listing;

	list_catalog(site, &listing);
	tool_write(site->top, "walked", strbuf_text(&listing.text),
	    listing.text.length);
	assert_int_equal(
	    tool_run(site->top,
		"LC_ALL=C; export LC_ALL; for root in site:files "
		"more:extra/more; do test ! -d ${root%%%%:*} || "
		"find ${root%%%%:*} -mindepth 1 \\( -type f -printf '%%s ' , "
		"! -type d ! -type s -links +1 -printf '+ ' , "
		"-printf \"%%y ${root#*:}/%%P\\0\" \\); done | sort -z >found; "
		"sort -z walked >sorted; "
		"cmp -s found sorted || { tr '\\0' '\\n' <found >f; "
		"tr '\\0' '\\n' <sorted | diff f - | head; false; }"),
	    0);
	assert_string_equal(strbuf_text(&listing.special), special);
	assert_int_equal(listing.entries, site->state.walk.entries);
	assert_int_equal(listing.linked, site->state.walk.linked);
	assert_int_equal(listing.bytes, site->state.walk.bytes);
	listing_close(&listing);
}

/* Every kind of entry, in folders of folders. */
static const char make_all[] =
    "cd site && mkdir -p a/b/c a/d empty 'x y' && printf 12345 >a/f && "
    ": >a/b/nothing && ln a/f a/b/hard && ln -s f a/l && ln a/l a/d/lhard && "
    "ln -s /etc out && mkfifo p && truncate -s 9G large && "
    ": >\"$(printf 'new\\nline')\" && : >\"$(printf 'b\\\\n')\" && "
    ": >\"$(printf '\\377\\376')\" && mkdir \"$(printf 'd\\377\\n')\" && "
    ": >\"$(printf 'd\\377\\n')/x\" && "
    ": >$(head -c 255 /dev/zero | tr '\\0' n) && "
    "i=0; while [ $i -lt 100 ]; do : >a/d/file$i; i=$((i+1)); done; "
    "mkdir ../more && : >../more/m && mkdir ../more/n && "
    "cd .. && /usr/bin/python3 -c 'import socket; "
    "socket.socket(socket.AF_UNIX).bind(\"site/s\")'";

static void
finds_what_find_finds(void **state)
{
	struct site site;
	char more[4200];

	site_open(&site, state);
	assert_int_equal(tool_run(site.top, "%s", make_all), 0);
	snprintf(more, sizeof(more), "%s/more", site.top);
	site.roots[1] = more;
	site.sources.root_count = 2;
	assert_int_equal(site_walk(&site, 100000, false), WALK_DONE);
	assert_finds(&site, "");
	assert_true(site.state.walk.linked >= 4);
	site_close(&site);
}

/* A tree of dice: wide, deep, empty. */
static void
make_random_tree(struct site *site, struct dice *dice)
{
	struct strbuf script = STRBUF_EMPTY;
	char *folders[60] = { strdup("site") };
	size_t count = 1;

	for (int i = 0; i < 200; i++) {
		const char *in = folders[dice_roll(dice, count)];

		if (dice_roll(dice, 8) == 0 && count < COUNT_OF(folders)) {
			assert_true(
			    asprintf(&folders[count], "%s/d%d", in, i) > 0);
			strbuf_addf(&script, "mkdir %s\n", folders[count++]);
		} else {
			strbuf_addf(&script, "printf %d >%s/f%d\n", i, in, i);
		}
	}
	while (count > 0)
		free(folders[--count]);
	tool_write(site->top, "make", script.bytes, script.length);
	assert_int_equal(tool_run(site->top, ". ./make"), 0);
	strbuf_close(&script);
}

/* Checkpoints and kills, at every step and at random ones. */
static void
goes_on_wherever_it_was_cut(void **state)
{
	struct dice dice = dice_new();
	struct strbuf first = STRBUF_EMPTY, next = STRBUF_EMPTY;
	struct site site;

	site_open(&site, state);
	make_random_tree(&site, &dice);
	for (int round = 0; round < 5; round++) {
		int calls = 0;
		struct fault fault;

		spool_close(&site.catalog);
		walk_begin(&site.state.walk);
		site.state.spools[SPOOL_CATALOG] = none;
		assert_fine(spool_open(&site.catalog, site.dirfd, "catalog",
				&none, &fault),
		    &fault);
		while (site_walk(&site,
			   round == 0       ? 100000
			       : round == 1 ? 1
					    : 1 + dice_roll(&dice, 9),
			   round > 2 && dice_roll(&dice, 2) == 0) != WALK_DONE)
			assert_true(calls++ < 20000);
		assert_finds(&site, "");
		strbuf_reset(&next);
		tool_read(site.top, "catalog", &next);
		if (round == 0)
			strbuf_add(&first, next.bytes, next.length);
		/* To the byte what one walk without a stop writes. */
		assert_int_equal(first.length, next.length);
		assert_memory_equal(first.bytes, next.bytes, next.length);
	}
	strbuf_close(&first);
	strbuf_close(&next);
	site_close(&site);
}

/* A folder that changes while it is read is read again, from its beginning. */
static void
reads_a_changed_folder_again(void **state)
{
	enum walk_outcome outcome = WALK_MORE;
	struct site site;
	int calls = 0;

	site_open(&site, state);
	assert_int_equal(
	    tool_run(
		site.top, "cd site && for i in $(seq 2000); do : >f$i; done"),
	    0);
	/* The root's line, and then some of its entries. */
	assert_int_equal(site_walk(&site, 20, false), WALK_MORE);
	assert_true(site.state.walk.position > 0);
	assert_in_range(site.catalog.extent.lines, 100, 1900);
	assert_int_equal(
	    tool_run(site.top,
		"cd site && rm f1 f2 f3 && mkdir new && : >new/x && "
		"mv f1999 f1999b"),
	    0);
	while (outcome != WALK_DONE) {
		outcome = site_walk(&site, 10, false);
		assert_true(calls++ < 1000);
	}
	assert_finds(&site, "");
	site_close(&site);
}

/* One that is never still is read to its end at last, and named. */
static void
ends_with_a_folder_that_is_never_still(void **state)
{
	enum walk_outcome outcome = WALK_MORE;
	struct listing listing;
	struct site site;

	site_open(&site, state);
	assert_int_equal(
	    tool_run(
		site.top, "cd site && for i in $(seq 1000); do : >f$i; done"),
	    0);
	for (int calls = 0; outcome != WALK_DONE; calls++) {
		assert_true(calls < 200);
		assert_int_equal(tool_run(site.top, ": >site/new%d", calls), 0);
		outcome = site_walk(&site, 20, false);
	}
	list_catalog(&site, &listing);
	assert_string_equal(strbuf_text(&listing.special), "e 16 files/\n");
	assert_true(listing.entries >= 1000);
	listing_close(&listing);
	site_close(&site);
}

static void
leaves_out_what_it_is_told_to(void **state)
{
	static const char *const patterns[] = { "*.log", "/cache/", "!keep.log",
		"a/**/z" };
	struct site site;
	struct listing listing;

	site_open(&site, state);
	site_use_filter(&site, patterns, 4);
	assert_int_equal(
	    tool_run(site.top,
		"mkdir -p site/cache/x site/a/b site/n/cache && "
		"ln -s ../data site/link && mv data site/data && "
		": >site/data/secret && cd site && : >1.log && : >cache/f && "
		": >keep.log && : >a/b/z && : >a/b/y && : >n/cache/f && "
		"mkdir a/d.log && : >a/d.log/f"),
	    0);
	assert_int_equal(site_walk(&site, 100000, false), WALK_DONE);
	list_catalog(&site, &listing);
	tool_write(
	    site.top, "special", listing.special.bytes, listing.special.length);
	assert_int_equal(
	    tool_run(site.top,
		"printf '%%s\\n' 'v 0 files/data' 'x 0 files/1.log' "
		"'x 0 files/a/d.log' 'x 1 files/cache' 'x 3 files/a/b/z' >w; "
		"LC_ALL=C sort special | diff w -"),
	    0);
	tool_write(site.top, "walked", listing.text.bytes, listing.text.length);
	assert_int_equal(
	    tool_run(site.top,
		"printf '%%s\\n' '0 f files/a/b/y' '0 f files/keep.log' "
		"'0 f files/n/cache/f' 'd files/a' 'd files/a/b' "
		"'d files/data' 'd files/n' 'd files/n/cache' "
		"'l files/link' >w; "
		"tr '\\0' '\\n' <walked | LC_ALL=C sort | diff w -"),
	    0);
	listing_close(&listing);
	site_close(&site);
}

static void
says_why_it_has_no_root(void **state)
{
	struct walk_cursor cursor;
	struct walk *walk;
	struct site site;
	struct fault fault;

	site_open(&site, state);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(
		    tool_run(site.top, round == 0 ? "rmdir site" : ": >site"),
		    0);
		walk_begin(&cursor);
		assert_fine(walk_open(&walk, &site.sources, &site.catalog,
				&cursor, &fault),
		    &fault);
		assert_int_equal(walk_step(walk, &fault), WALK_FAULT);
		assert_contains(fault.text, "the folder of 'site' cannot be");
		walk_close(walk);
	}
	walk_close(NULL);
	site_close(&site);
}

/* In a child that is not root: folders that cannot be read or entered. */
static int
walk_as_nobody(void *context)
{
	struct site *site = context;
	struct walk_cursor cursor = site->state.walk;
	enum walk_outcome outcome = WALK_MORE;
	struct walk *walk;
	struct fault fault;

	CHILD_CHECK(geteuid() != 0 || setuid(23456) == 0);
	CHILD_CHECK(walk_open(&walk, &site->sources, &site->catalog, &cursor,
			&fault) == 0);
	for (int i = 0; i < 1000 && outcome != WALK_DONE; i++) {
		outcome = walk_step(walk, &fault);
		CHILD_CHECK(outcome != WALK_FAULT);
	}
	CHILD_CHECK(outcome == WALK_DONE);
	walk_close(walk);
	CHILD_CHECK(spool_sync(&site->catalog, &fault) == 0);
	spool_close(&site->catalog);
	return 0;
}

static void
names_what_it_cannot_read(void **state)
{
	struct listing listing;
	struct site site;
	struct stat st;
	struct fault fault;

	site_open(&site, state);
	assert_int_equal(
	    tool_run(site.top,
		"mkdir -p site/shut/x site/list/x site/good && "
		": >site/list/f && : >site/good/f && : >catalog && "
		"chmod 0000 site/shut && chmod 0444 site/list && "
		"chmod 0666 catalog && chmod 0755 . site"),
	    0);
	site.catalog.fd = openat(site.dirfd, "catalog", O_RDWR | O_CLOEXEC);
	assert_int_equal(tool_wait(tool_fork(walk_as_nobody, &site)), 0);
	spool_close(&site.catalog);
	assert_int_equal(fstatat(site.dirfd, "catalog", &st, 0), 0);
	/* The child's extent, from its file. */
	assert_fine(spool_open(&site.catalog, site.dirfd, "catalog",
			&(struct extent){ st.st_size, 0 }, &fault),
	    &fault);
	list_catalog(&site, &listing);
	tool_write(
	    site.top, "special", listing.special.bytes, listing.special.length);
	assert_int_equal(tool_run(site.top,
			     "printf '%%s\\n' 'e 13 files/list/f' 'e 13 "
			     "files/list/x' 'e 13 files/shut' >w; "
			     "LC_ALL=C sort special | diff w - && "
			     "chmod -R u+rwx site"),
	    0);
	/* All else was found. */
	assert_true(listing.entries >= 4);
	listing_close(&listing);
	site_close(&site);
}

/* A chain of folders, each with a name of 255 bytes. */
static void
make_deep(int dirfd, int levels, const char *name)
{
	int fd = openat(dirfd, "site", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < levels; i++) {
		int next, file;

		assert_int_equal(mkdirat(fd, name, 0700), 0);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(fd);
		fd = next;
		file = openat(fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(file >= 0);
		close(file);
	}
	close(fd);
}

static int
count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

#define LEVELS 1000

/* The state stays small however deep it is, and so do the descriptors. */
static void
walks_a_thousand_levels(void **state)
{
	enum walk_outcome outcome = WALK_MORE;
	int before = count_descriptors(), most = 0, calls = 0;
	struct listing listing;
	struct site site;
	struct stat st;
	char name[256];

	memset(name, 'n', 255);
	name[255] = '\0';
	site_open(&site, state);
	make_deep(site.dirfd, LEVELS, name);
	/* At one go, looking at the descriptors as it goes. */
	{
		struct walk_cursor cursor = site.state.walk;
		struct walk *walk;
		struct fault fault;

		assert_fine(walk_open(&walk, &site.sources, &site.catalog,
				&cursor, &fault),
		    &fault);
		for (int i = 0; i < 1500; i++) {
			assert_int_equal(walk_step(walk, &fault), WALK_MORE);
			if (i % 50 == 0 && count_descriptors() > most)
				most = count_descriptors();
		}
		assert_true(most - before < 50);
		site_checkpoint(&site, &cursor);
		walk_close(walk);
	}
	/* And on from its state, again and again. */
	while (outcome != WALK_DONE) {
		outcome = site_walk(&site, 200, false);
		assert_int_equal(fstatat(site.dirfd, STATE_FILE, &st, 0), 0);
		assert_in_range(st.st_size, 1, 4096);
		assert_true(calls++ < 1000);
	}
	assert_int_equal(site.state.walk.entries, 2 * LEVELS);
	list_catalog(&site, &listing);
	assert_int_equal(listing.entries, 2 * LEVELS);
	assert_string_equal(strbuf_text(&listing.special), "");
	listing_close(&listing);
	site_close(&site);
}

/* Out of descriptors is a fault to retry, and no property of the site. */
static void
fails_when_it_has_no_descriptors(void **state)
{
	struct rlimit limit, low;
	struct walk_cursor cursor;
	enum walk_outcome outcome = WALK_MORE;
	struct walk *walk;
	struct site site;
	struct fault fault;

	site_open(&site, state);
	make_deep(site.dirfd, 20, "d");
	cursor = site.state.walk;
	assert_fine(
	    walk_open(&walk, &site.sources, &site.catalog, &cursor, &fault),
	    &fault);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = (rlim_t)count_descriptors() + 5;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	for (int i = 0; i < 1000 && outcome == WALK_MORE; i++)
		outcome = walk_step(walk, &fault);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(outcome, WALK_FAULT);
	assert_int_equal(fault.code, FAULT_RETRY);
	walk_close(walk);
	site_close(&site);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(finds_what_find_finds),
		scratch_test(goes_on_wherever_it_was_cut),
		scratch_test(reads_a_changed_folder_again),
		scratch_test(ends_with_a_folder_that_is_never_still),
		scratch_test(leaves_out_what_it_is_told_to),
		scratch_test(says_why_it_has_no_root),
		scratch_test(names_what_it_cannot_read),
		scratch_test(walks_a_thousand_levels),
		scratch_test(fails_when_it_has_no_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
