/* SPDX-License-Identifier: MIT */
#include "archive.h"

#include "pack/tarball.h"

#include <locale.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#define TAR_FILE ARCHIVE_NAME ".partial"

#define HUNDRED                                             \
	"0123456789012345678901234567890123456789012345678" \
	"901234567890123456789012345678901234567890123456789"

/* An entry, and how GNU tar and bsdtar (as an mtree line) list it. */
struct sample {
	const char *path;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	int64_t size;
	unsigned device[2];
	struct timespec time;
	const char *link_target;
	const char *hardlink;
	const char *tar;
	const char *bsdtar;
};

static struct tarball_entry
entry_of(const struct sample *sample)
{
	struct tarball_entry entry = { .path = sample->path,
		.link_target = sample->link_target,
		.hardlink = sample->hardlink,
		.fd = -1 };

	entry.st.st_mode = sample->mode;
	entry.st.st_uid = sample->uid;
	entry.st.st_gid = sample->gid;
	entry.st.st_size = sample->size;
	entry.st.st_rdev = makedev(sample->device[0], sample->device[1]);
	entry.st.st_mtim = sample->time;
	/* What no header is to show. */
	entry.st.st_atim.tv_sec = entry.st.st_ctim.tv_sec = 1234567890;
	entry.st.st_dev = 77;
	entry.st.st_ino = 78;
	entry.st.st_nlink = 79;
	return entry;
}

static void
add_header(struct archive_of *archive, struct tarball *tarball,
    const struct tarball_entry *entry)
{
	int attributes_errno = -1;

	assert_fine(tarball_header(tarball, archive->frames, entry,
			&attributes_errno, &archive->fault),
	    &archive->fault);
	assert_int_equal(attributes_errno, 0);
}

/* A body of zeros. */
static void
add_body(struct archive_of *archive, int64_t size)
{
	static const char zeros[1024];

	assert_true(size <= (int64_t)sizeof(zeros));
	archive_write_bytes(archive, zeros, (size_t)size);
	assert_fine(tarball_pad(archive->frames, size, &archive->fault),
	    &archive->fault);
}

/* Nothing but tar's own bytes, in one file. */
static struct archive_of *
begin(void **state)
{
	return archive_begin(state, (struct compression){ CODEC_NONE, 0 }, 0);
}

static void
end(struct archive_of *archive)
{
	assert_fine(
	    tarball_end(archive->frames, &archive->fault), &archive->fault);
	archive_checkpoint(archive);
	assert_int_equal(archive->length % TARBALL_BLOCK, 0);
}

/* The output of a command in the directory; nothing on the error stream. */
static void
list(struct archive_of *archive, const char *command, struct strbuf *out)
{
	struct strbuf errors = STRBUF_EMPTY;

	assert_int_equal(tool_run(archive->path,
			     "LC_ALL=C.UTF-8 TZ=UTC; export LC_ALL TZ; %s "
			     "2>errors | tr -s ' ' >list",
			     command),
	    0);
	tool_read(archive->path, "errors", &errors);
	assert_string_equal(strbuf_text(&errors), "");
	strbuf_close(&errors);
	strbuf_reset(out);
	tool_read(archive->path, "list", out);
}

/* One listing is so many lines, and these are some or all of them. */
static void
assert_line(const struct strbuf *text, const char *line)
{
	const char *at = strbuf_text(text);
	size_t length = strlen(line);

	while ((at = strstr(at, line)) != NULL) {
		if ((at == text->bytes || at[-1] == '\n') &&
		    (at[length] == '\n' || at[length] == ' '))
			return;
		at++;
	}
	fail_msg("there is no line '%s' in:\n%s", line, strbuf_text(text));
}

#define TAR_LIST                                                        \
	"tar --warning=no-unknown-keyword --numeric-owner --full-time " \
	"--quoting-style=escape -tvf " TAR_FILE
#define BSDTAR_LIST                              \
	"bsdtar -cf - --format=mtree --options=" \
	"'!all,type,mode,time,size,link,uid,gid,device' @" TAR_FILE

static const struct sample samples[] = {
	{ "files/", S_IFDIR | 0755, 0, 0, 4096, { 0, 0 }, { 1700000000, 0 },
	    NULL, NULL, "drwxr-xr-x 0/0 0 2023-11-14 22:13:20 files/",
	    "./files time=1700000000.0 mode=755 gid=0 uid=0 type=dir" },
	{ "files/a.txt", S_IFREG | 0644, 1000, 1001, 3, { 0, 0 },
	    { 1700000000, 123456789 }, NULL, NULL,
	    "-rw-r--r-- 1000/1001 3 2023-11-14 22:13:20.123456789 files/a.txt",
	    "./files/a.txt time=1700000000.123456789 mode=644 gid=1001 "
	    "uid=1000 type=file size=3" },
	{ "files/empty", S_IFREG | 0, 4000000000U, 3000000, 0, { 0, 0 },
	    { 0, 0 }, NULL, NULL,
	    "---------- 4000000000/3000000 0 1970-01-01 00:00:00 files/empty",
	    "./files/empty time=0.0 mode=0 gid=3000000 uid=4000000000 "
	    "type=file size=0" },
	{ "files/modes", S_IFREG | 07777, 0, 0, 512, { 0, 0 }, { 1, 1 }, NULL,
	    NULL,
	    "-rwsrwsrwt 0/0 512 1970-01-01 00:00:01.000000001 files/modes",
	    "./files/modes time=1.1 mode=7777 gid=0 uid=0 type=file size=512" },
	{ "files/link", S_IFLNK | 0777, 0, 0, 5, { 0, 0 }, { 1700000001, 0 },
	    "a.txt", NULL,
	    "lrwxrwxrwx 0/0 0 2023-11-14 22:13:21 files/link -> a.txt",
	    "./files/link time=1700000001.0 mode=777 gid=0 uid=0 type=link "
	    "link=a.txt" },
	{ "files/long link", S_IFLNK | 0777, 0, 0, 5, { 0, 0 },
	    { 1700000001, 0 }, "../" HUNDRED "/\xc3\xa9 \n/" HUNDRED, NULL,
	    "lrwxrwxrwx 0/0 0 2023-11-14 22:13:21 files/long link -> "
	    "../" HUNDRED "/"
	    "\xc3\xa9"
	    " \\n/" HUNDRED,
	    "./files/long\\040link time=1700000001.0 mode=777 gid=0 uid=0 "
	    "type=link link=../" HUNDRED "/\\303\\251\\040\\012/" HUNDRED },
	{ "files/bad link", S_IFLNK | 0777, 0, 0, 5, { 0, 0 },
	    { 1700000001, 0 }, "\xff\xfe", NULL,
	    "lrwxrwxrwx 0/0 0 2023-11-14 22:13:21 files/bad link -> \\377\\376",
	    "./files/bad\\040link time=1700000001.0 mode=777 gid=0 uid=0 "
	    "type=link link=\\377\\376" },
	{ "files/hard", S_IFREG | 0644, 1000, 1001, 3, { 0, 0 },
	    { 1700000000, 123456789 }, NULL, "files/a.txt",
	    "hrw-r--r-- 1000/1001 0 2023-11-14 22:13:20.123456789 files/hard "
	    "link to files/a.txt",
	    "./files/hard time=1700000000.123456789 mode=644 gid=1001 uid=1000 "
	    "type=file size=0" },
	{ "files/fifo", S_IFIFO | 0600, 5, 6, 0, { 0, 0 }, { 1700000002, 0 },
	    NULL, NULL, "prw------- 5/6 0 2023-11-14 22:13:22 files/fifo",
	    "./files/fifo time=1700000002.0 mode=600 gid=6 uid=5 type=fifo" },
	{ "files/null", S_IFCHR | 0666, 0, 0, 0, { 1, 3 }, { 1700000003, 0 },
	    NULL, NULL, "crw-rw-rw- 0/0 1,3 2023-11-14 22:13:23 files/null",
	    "./files/null time=1700000003.0 mode=666 gid=0 uid=0 type=char "
	    "device=native,1,3" },
	{ "files/disk", S_IFBLK | 0660, 0, 6, 0, { 259, 70000 },
	    { 1700000003, 0 }, NULL, NULL,
	    "brw-rw---- 0/6 259,70000 2023-11-14 22:13:23 files/disk",
	    "./files/disk time=1700000003.0 mode=660 gid=6 uid=0 type=block "
	    "device=native,259,70000" },
	{ "files/\xc3\xa9/", S_IFDIR | 01777, 0, 0, 0, { 0, 0 },
	    { 1700000004, 0 }, NULL, NULL,
	    "drwxrwxrwt 0/0 0 2023-11-14 22:13:24 files/"
	    "\xc3\xa9"
	    "/",
	    "./files/\\303\\251 time=1700000004.0 mode=1777 gid=0 uid=0 "
	    "type=dir" },
	{ "files/line\nbreak", S_IFREG | 0600, 0, 0, 1, { 0, 0 },
	    { 1700000005, 0 }, NULL, NULL,
	    "-rw------- 0/0 1 2023-11-14 22:13:25 files/line\\nbreak",
	    "./files/line\\012break time=1700000005.0 mode=600 gid=0 uid=0 "
	    "type=file size=1" },
	{ "files/\xff\xfe", S_IFREG | 0600, 0, 0, 2, { 0, 0 },
	    { 1700000006, 0 }, NULL, NULL,
	    "-rw------- 0/0 2 2023-11-14 22:13:26 files/\\377\\376",
	    "./files/\\377\\376 time=1700000006.0 mode=600 gid=0 uid=0 "
	    "type=file size=2" },
	{ "files/ leading and trailing ", S_IFREG | 0600, 0, 0, 2, { 0, 0 },
	    { 1700000006, 0 }, NULL, NULL,
	    "-rw------- 0/0 2 2023-11-14 22:13:26 files/ leading and trailing ",
	    "./files/\\040leading\\040and\\040trailing\\040 time=1700000006.0 "
	    "mode=600 gid=0 uid=0 type=file size=2" },
	{ "files/-rf \\*", S_IFREG | 0600, 0, 0, 2, { 0, 0 }, { 1700000006, 0 },
	    NULL, NULL, "-rw------- 0/0 2 2023-11-14 22:13:26 files/-rf \\\\*",
	    "./files/-rf\\040\\134* time=1700000006.0 mode=600 gid=0 uid=0 "
	    "type=file size=2" },
	{ "files/" HUNDRED HUNDRED HUNDRED, S_IFREG | 0600, 0, 0, 1000,
	    { 0, 0 }, { 1700000007, 1 }, NULL, NULL,
	    "-rw------- 0/0 1000 2023-11-14 22:13:27.000000001 files/" HUNDRED
		HUNDRED HUNDRED,
	    "./files/" HUNDRED HUNDRED HUNDRED
	    " time=1700000007.1 mode=600 gid=0 uid=0 type=file size=1000" },
	{ "files/before", S_IFREG | 0600, 0, 0, 0, { 0, 0 }, { -1, 0 }, NULL,
	    NULL, "-rw------- 0/0 0 1969-12-31 23:59:59 files/before",
	    "./files/before time=-1.0 mode=600 gid=0 uid=0 type=file size=0" },
	{ "files/half before", S_IFREG | 0600, 0, 0, 0, { 0, 0 },
	    { -2, 500000000 }, NULL, NULL,
	    "-rw------- 0/0 0 1969-12-31 23:59:58 files/half before",
	    "./files/half\\040before time=-2.0 mode=600 gid=0 uid=0 type=file "
	    "size=0" },
	{ "files/long before", S_IFREG | 0600, 0, 0, 0, { 0, 0 },
	    { -86400 * 365, 0 }, NULL, NULL,
	    "-rw------- 0/0 0 1969-01-01 00:00:00 files/long before",
	    "./files/long\\040before time=-31536000.0 mode=600 gid=0 uid=0 "
	    "type=file size=0" },
	{ "files/far", S_IFREG | 0600, 0, 0, 0, { 0, 0 },
	    { 16725225600, 999999999 }, NULL, NULL,
	    "-rw------- 0/0 0 2500-01-01 00:00:00.999999999 files/far",
	    "./files/far time=16725225600.999999999 mode=600 gid=0 uid=0 "
	    "type=file size=0" },
};

static void
lists_each_kind_of_entry(void **state)
{
	struct tarball *tarball = tarball_new();
	struct archive_of *archive = begin(state);
	struct strbuf text = STRBUF_EMPTY;

	for (size_t i = 0; i < COUNT_OF(samples); i++) {
		struct tarball_entry entry = entry_of(&samples[i]);

		add_header(archive, tarball, &entry);
		if (S_ISREG(samples[i].mode) && samples[i].hardlink == NULL)
			add_body(archive, samples[i].size);
	}
	end(archive);
	list(archive, TAR_LIST, &text);
	for (size_t i = 0; i < COUNT_OF(samples); i++)
		assert_line(&text, samples[i].tar);
	list(archive, BSDTAR_LIST, &text);
	for (size_t i = 0; i < COUNT_OF(samples); i++)
		assert_line(&text, samples[i].bsdtar);
	strbuf_close(&text);
	tarball_free(tarball);
	archive_end(archive);
}

/* A header is one block if there is nothing that needs more. */
static void
spends_no_bytes_on_what_nobody_reads(void **state)
{
	static const struct sample sample = { .path = "files/a",
		.mode = S_IFREG | 0644,
		.uid = 12345,
		.gid = 12345,
		.size = 0,
		.time = { 1700000000, 0 } };
	struct tarball *tarball = tarball_new();
	struct archive_of *archive = begin(state);
	struct tarball_entry entry = entry_of(&sample);

	add_header(archive, tarball, &entry);
	archive_checkpoint(archive);
	assert_int_equal(archive->length, TARBALL_BLOCK);
	entry.st.st_mtim.tv_nsec = 1;
	add_header(archive, tarball, &entry);
	archive_checkpoint(archive);
	assert_true(archive->length > (int64_t)2 * TARBALL_BLOCK);
	tarball_free(tarball);
	archive_end(archive);
}

/* Where ustar's fields end, and where the system's own paths do. */
static void
bears_paths_of_any_length(void **state)
{
	static const size_t lengths[] = { 1, 98, 99, 100, 101, 102, 154, 155,
		156, 157, 254, 255, 256, 257, 258, 4095, 4096, 4097, 20000 };
	struct tarball *tarball = tarball_new();
	struct archive_of *archive = begin(state);
	struct strbuf wanted = STRBUF_EMPTY, text = STRBUF_EMPTY;
	char path[20001];

	for (size_t i = 0; i < 2 * COUNT_OF(lengths); i++) {
		struct sample sample = { .path = path, .mode = S_IFREG | 0644 };
		struct tarball_entry entry;
		size_t length = lengths[i / 2];

		memset(path, 'a' + (int)i % 26, length);
		for (size_t j = 199; j + 1 < length; j += 200)
			path[j] = '/';
		path[length] = '\0';
		/* And beyond ASCII. */
		if (i % 2 != 0 && length > 50)
			memcpy(path + 10, "\xe2\x82\xac", 3);
		strbuf_addf(&wanted, "%s\n", path);
		entry = entry_of(&sample);
		add_header(archive, tarball, &entry);
	}
	end(archive);
	list(archive, "tar --quoting-style=escape -tf " TAR_FILE, &text);
	assert_string_equal(text.bytes, wanted.bytes);
	list(archive, "bsdtar -tf " TAR_FILE, &text);
	assert_string_equal(text.bytes, wanted.bytes);
	strbuf_close(&wanted);
	strbuf_close(&text);
	tarball_free(tarball);
	archive_end(archive);
}

/* Sizes at the end of what octal digits can say, with holes as bodies. */
static void
bears_sizes_of_any_length(void **state)
{
	static const int64_t sizes[] = { (INT64_C(8) << 30) - 1,
		INT64_C(8) << 30, (INT64_C(8) << 30) + 1, INT64_C(1) << 40 };
	struct tarball *tarball = tarball_new();
	struct archive_of *archive = begin(state);
	struct strbuf text = STRBUF_EMPTY;
	char path[100], line[200];

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		struct sample sample = {
			.path = path, .mode = S_IFREG | 0644, .size = sizes[i]
		};
		struct tarball_entry entry;

		snprintf(path, sizeof(path), "files/%lld", (long long)sizes[i]);
		entry = entry_of(&sample);
		add_header(archive, tarball, &entry);
		archive_checkpoint(archive);
		archive->length += (sizes[i] + TARBALL_BLOCK - 1) /
		    TARBALL_BLOCK * TARBALL_BLOCK;
		archive_close(archive);
		assert_int_equal(tool_run(*state, "truncate -s %lld " TAR_FILE,
				     (long long)archive->length),
		    0);
		archive_open(archive);
	}
	end(archive);
	list(archive, TAR_LIST, &text);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		snprintf(line, sizeof(line),
		    "-rw-r--r-- 0/0 %lld 1970-01-01 00:00:00 files/%lld",
		    (long long)sizes[i], (long long)sizes[i]);
		assert_line(&text, line);
	}
	list(archive, "bsdtar --numeric-owner -tvf " TAR_FILE, &text);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		snprintf(line, sizeof(line),
		    "-rw-r--r-- 0 0 0 %lld Jan 1 1970 files/%lld",
		    (long long)sizes[i], (long long)sizes[i]);
		assert_line(&text, line);
	}
	strbuf_close(&text);
	tarball_free(tarball);
	archive_end(archive);
}

/* Real entries, with what chmod does not know. */
static const char make_attributes[] =
    "mkdir site && cd site && mkdir folder && mkfifo fifo && touch file plain "
    "masked && "
    "setfattr -n user.text -v value file && "
    "setfattr -n user.bytes -v 0x00ff0a file && "
    "setfattr -n user.empty file && "
    "setfattr -n user.text -v folder folder && "
    "setfacl -m u:1:rw,g:2:r file && "
    "setfacl -m u:1:rwx,d:u:3:r folder && "
    "setfacl -m u:1:rw,g:3:r fifo && "
    "chmod 640 masked && setfacl -m u:1:rwx,m::r masked";

static void
add_real(struct archive_of *archive, struct tarball *tarball, const char *name,
    int flags)
{
	struct tarball_entry entry = { .path = name };
	char path[4200];

	snprintf(path, sizeof(path), "%s/%s", archive->path, name);
	assert_int_equal(lstat(path, &entry.st), 0);
	entry.fd = open(path, flags | O_NOFOLLOW | O_CLOEXEC);
	assert_true(entry.fd >= 0);
	add_header(archive, tarball, &entry);
	close(entry.fd);
}

/* What a tar has put into the folder back is what is in the site. */
static void
assert_same_attributes(struct archive_of *archive, const char *unpack)
{
	static const char show[] = "getfacl -n * && getfattr -d -e hex -m - *";

	assert_int_equal(
	    tool_run(archive->path,
		"rm -rf back && mkdir back && %s && "
		"(cd site && %s) >wanted && (cd back/site && %s) >got && "
		"grep -q user:1:rw- wanted && diff wanted got >&2",
		unpack, show, show),
	    0);
}

static void
keeps_attributes_and_acls(void **state)
{
	/* With O_PATH, as of what must not be opened, all comes by path. */
	static const int ways[] = { O_RDONLY | O_NONBLOCK, O_PATH };
	struct tarball *tarball = tarball_new();

	assert_int_equal(tool_run(*state, "%s", make_attributes), 0);
	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		struct archive_of *archive = begin(state);

		add_real(archive, tarball, "site/folder", ways[i]);
		add_real(archive, tarball, "site/fifo", O_PATH);
		add_real(archive, tarball, "site/file", ways[i]);
		add_real(archive, tarball, "site/plain", ways[i]);
		add_real(archive, tarball, "site/masked", ways[i]);
		end(archive);
		assert_same_attributes(archive,
		    "tar --warning=no-unknown-keyword --xattrs "
		    "--xattrs-include='*' --acls -xpf " TAR_FILE " -C back");
		assert_same_attributes(
		    archive, "bsdtar -xpf " TAR_FILE " -C back");
		archive_end(archive);
	}
	tarball_free(tarball);
}

/* The entry is there all the same, and why is told. */
static void
says_when_attributes_cannot_be_read(void **state)
{
	static const struct sample sample = { .path = "files/a",
		.mode = S_IFREG | 0640 };
	struct tarball *tarball = tarball_new();
	struct archive_of *archive = begin(state);
	struct tarball_entry entry = entry_of(&sample);
	struct strbuf text = STRBUF_EMPTY;
	int attributes_errno = 0;

	entry.fd = dup(archive->dirfd);
	close(entry.fd);
	assert_fine(tarball_header(tarball, archive->frames, &entry,
			&attributes_errno, &archive->fault),
	    &archive->fault);
	assert_int_not_equal(attributes_errno, 0);
	end(archive);
	list(archive, TAR_LIST, &text);
	assert_line(&text, "-rw-r----- 0/0 0 1970-01-01 00:00:00 files/a");
	strbuf_close(&text);
	tarball_free(tarball);
	tarball_free(NULL);
	archive_end(archive);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(lists_each_kind_of_entry),
		scratch_test(spends_no_bytes_on_what_nobody_reads),
		scratch_test(bears_paths_of_any_length),
		scratch_test(bears_sizes_of_any_length),
		scratch_test(keeps_attributes_and_acls),
		scratch_test(says_when_attributes_cannot_be_read),
	};

	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
