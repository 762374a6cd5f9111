/* SPDX-License-Identifier: MIT */
/* The way to a folder: by the catalog alone, and never out of the site. */
#include "check.h"
#include "tool.h"

#include "source/folders.h"
#include "store/catalog.h"

#include <sys/stat.h>

static const struct extent none;
static const char *const root_names[] = { "files", "extra/more" };

/* A catalog of what a test says, of folders that it made. */
struct map {
	char *top;
	int dirfd;
	struct spool catalog;
	struct folders folders;
};

static void
map_open(struct map *map, void **state)
{
	struct fault fault;

	map->top = *state;
	map->dirfd = scratch_open(state);
	map->catalog = (struct spool)SPOOL_CLOSED;
	assert_fine(
	    spool_open(&map->catalog, map->dirfd, "catalog", &none, &fault),
	    &fault);
	folders_open(&map->folders, &map->catalog, root_names, 2);
}

static void
map_close(struct map *map)
{
	folders_close(&map->folders);
	folders_close(&map->folders);
	spool_close(&map->catalog);
	close(map->dirfd);
}

static struct catalog_item
map_add(struct map *map, struct catalog_item item, const char *path)
{
	struct stat st = { 0 };
	struct fault fault;

	if (path != NULL) {
		assert_int_equal(fstatat(map->dirfd, path, &st, 0), 0);
		item.device = (int64_t)st.st_dev;
		item.inode = (int64_t)st.st_ino;
	}
	item.name_length = item.name != NULL ? strlen(item.name) : 0;
	assert_fine(catalog_add(&map->catalog, &item, &fault), &fault);
	return item;
}

/* A root at a path below the scratch. */
static struct catalog_item
map_root(struct map *map, int index, const char *path)
{
	char real[4200];

	snprintf(real, sizeof(real), "%s/%s", map->top, path);
	return map_add(map,
	    (struct catalog_item){ .type = 'R', .number = index, .name = real },
	    path);
}

/* A folder below another: its entry, and its own line. */
static struct catalog_item
map_folder(struct map *map, int64_t parent, const char *name, const char *path)
{
	struct catalog_item entry = map_add(map,
	    (struct catalog_item){
		.type = 'd', .name = (char *)(uintptr_t)name },
	    NULL);

	return map_add(map,
	    (struct catalog_item){ .type = 'D',
		.parent = parent,
		.entry = entry.offset,
		.mark = CATALOG_ENTERED },
	    path);
}

/* Enter the folder at an offset: it has this path, and this inode. */
static void
assert_at(struct map *map, const struct catalog_item *item, const char *path)
{
	struct fault fault;
	struct stat st;
	int fd;

	assert_fine(folders_enter(&map->folders, item->offset, &fault), &fault);
	assert_string_equal(folders_path_of(&map->folders, NULL), path);
	assert_int_equal(folders_at(&map->folders)->offset, item->offset);
	fd = folders_fd(&map->folders, &fault);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_ino, item->inode);
}

static void
finds_its_way_in_any_order(void **state)
{
	struct catalog_item root, a, b, c, more, n;
	const char *path;
	struct map map;

	map_open(&map, state);
	assert_int_equal(
	    tool_run(map.top, "mkdir -p site/a/b site/c more/n"), 0);
	root = map_root(&map, 0, "site");
	a = map_folder(&map, root.offset, "a", "site/a");
	b = map_folder(&map, a.offset, "b", "site/a/b");
	c = map_folder(&map, root.offset, "c", "site/c");
	more = map_root(&map, 1, "more");
	n = map_folder(&map, more.offset, "n", "more/n");
	for (int round = 0; round < 2; round++) {
		assert_at(&map, &b, "files/a/b");
		path = folders_path_of(&map.folders, "x\ny");
		assert_string_equal(path, "files/a/b/x\ny");
		assert_string_equal(
		    folders_below_root(&map.folders, path), "a/b/x\ny");
		assert_at(&map, &root, "files");
		path = folders_path_of(&map.folders, NULL);
		assert_string_equal(folders_below_root(&map.folders, path), "");
		assert_at(&map, &n, "extra/more/n");
		path = folders_path_of(&map.folders, "f");
		assert_string_equal(
		    folders_below_root(&map.folders, path), "n/f");
		assert_at(&map, &c, "files/c");
		assert_at(&map, &a, "files/a");
		assert_at(&map, &more, "extra/more");
		assert_at(&map, &b, "files/a/b");
		assert_at(&map, &b, "files/a/b");
	}
	map_close(&map);
}

static void
assert_unreachable(struct map *map, const struct catalog_item *item)
{
	struct folders fresh;
	struct fault fault;

	/* As a later step does, which has no descriptors yet. */
	folders_open(&fresh, &map->catalog, root_names, 2);
	assert_fine(folders_enter(&fresh, item->offset, &fault), &fault);
	errno = 0;
	assert_int_equal(folders_fd(&fresh, &fault), FOLDERS_UNREACHABLE);
	assert_int_not_equal(errno, 0);
	folders_close(&fresh);
}

/* Whoever can write to the site cannot lead the backup out of it. */
static void
is_not_led_astray(void **state)
{
	static const char *const tricks[] = {
		"mv site/a site/z && mkdir -p site/a/b", /* another folder */
		"mv site/a site/z && ln -s z site/a", /* by a link to itself */
		"mv site/a site/z && ln -s ../outside site/a",
		"mv site/a/b z && ln -s ../../outside/b site/a/b",
		"mv site/a/b z && mkdir site/a/b",
		"mv site/a site/z",
		"mv site/a site/z && mkfifo site/a",
	};

	for (size_t i = 0; i < COUNT_OF(tricks); i++) {
		struct catalog_item root, a, b;
		struct map map;

		map_open(&map, state);
		assert_int_equal(
		    tool_run(map.top, "mkdir -p site/a/b outside/b"), 0);
		root = map_root(&map, 0, "site");
		a = map_folder(&map, root.offset, "a", "site/a");
		b = map_folder(&map, a.offset, "b", "site/a/b");
		assert_at(&map, &b, "files/a/b");
		assert_int_equal(tool_run(map.top, "%s", tricks[i]), 0);
		assert_unreachable(&map, &b);
		/* Who has it open still reads the same folder. */
		assert_at(&map, &b, "files/a/b");
		assert_int_equal(
		    tool_run(map.top, "rm -rf site outside old z"), 0);
		map_close(&map);
	}
}

/* A site that was swapped is no mere warning: its paths mean another one. */
static void
names_a_root_that_is_gone(void **state)
{
	static const char *const tricks[] = {
		"mv site old && mkdir -p site/a",
		"mv site old && ln -s other site",
		"mv site old && : >site",
		"mv site old",
	};

	for (size_t i = 0; i < COUNT_OF(tricks); i++) {
		struct catalog_item root, a;
		struct fault fault;
		struct map map;

		map_open(&map, state);
		assert_int_equal(
		    tool_run(map.top, "mkdir -p site/a other/a"), 0);
		root = map_root(&map, 0, "site");
		a = map_folder(&map, root.offset, "a", "site/a");
		assert_int_equal(tool_run(map.top, "%s", tricks[i]), 0);
		assert_fine(
		    folders_enter(&map.folders, a.offset, &fault), &fault);
		assert_faulty(folders_fd(&map.folders, &fault), FAULT_SYSTEM,
		    "the folder of 'site' was moved or replaced", &fault);
		assert_int_equal(tool_run(map.top, "rm -rf site other old"), 0);
		map_close(&map);
	}
}

/* The way to the site may have links: it is the administrator's. */
static void
follows_links_above_the_site(void **state)
{
	struct catalog_item root, a;
	struct map map;

	map_open(&map, state);
	assert_int_equal(
	    tool_run(map.top, "mkdir -p real/site/a && ln -s real link"), 0);
	root = map_root(&map, 0, "link/site");
	a = map_folder(&map, root.offset, "a", "real/site/a");
	assert_at(&map, &a, "files/a");
	map_close(&map);
}

/* What a catalog could say if it were not ours. */
static void
names_a_catalog_that_makes_no_sense(void **state)
{
	struct catalog_item root, file, bad;
	struct fault fault;
	struct map map;

	map_open(&map, state);
	assert_int_equal(tool_run(map.top, "mkdir site"), 0);
	root = map_root(&map, 0, "site");
	file = map_add(&map,
	    (struct catalog_item){ .type = 'f', .name = (char[]){ "f" } },
	    NULL);
	assert_faulty(folders_enter(&map.folders, file.offset, &fault),
	    FAULT_CORRUPT, "refers to a folder that is none", &fault);
	bad = map_add(&map,
	    (struct catalog_item){ .type = 'D',
		.parent = root.offset,
		.entry = file.offset,
		.mark = CATALOG_ENTERED },
	    NULL);
	assert_faulty(folders_enter(&map.folders, bad.offset, &fault),
	    FAULT_CORRUPT, "refers to an entry that is no folder", &fault);
	bad = map_root(&map, 2, "site");
	assert_faulty(folders_enter(&map.folders, bad.offset, &fault),
	    FAULT_CORRUPT, "has an unknown root", &fault);
	bad = map_root(&map, -1, "site");
	assert_faulty(folders_enter(&map.folders, bad.offset, &fault),
	    FAULT_CORRUPT, "has an unknown root", &fault);
	assert_faulty(folders_enter(&map.folders, root.offset + 1, &fault),
	    FAULT_CORRUPT, "the spool 'catalog'", &fault);
	assert_faulty(
	    folders_enter(&map.folders, map.catalog.extent.length, &fault),
	    FAULT_CORRUPT, "ends before a place", &fault);
	/* After all that it still finds its way. */
	assert_at(&map, &root, "files");
	map_close(&map);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(finds_its_way_in_any_order),
		scratch_test(is_not_led_astray),
		scratch_test(names_a_root_that_is_gone),
		scratch_test(follows_links_above_the_site),
		scratch_test(names_a_catalog_that_makes_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
