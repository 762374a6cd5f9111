/* SPDX-License-Identifier: MIT */
/*
 * A library to be preloaded into the programs under test.  It sees the system
 * calls that they make on files below certain folders and, as its environment
 * says, counts them, kills the process at one, lets one fail, slows them down,
 * or writes down what they did.
 *
 *	FAULTFS_ROOTS=DIR[:DIR…]  the folders; calls elsewhere pass unseen
 *	FAULTFS_KILL=before:N     SIGKILL before or after the N-th call that
 *	            after:N       changes something (from 1)
 *	FAULTFS_FAIL=CLASS:N:ERR  the N-th call of a class fails with this errno
 *	                          (a number), or with "short" a read or write
 *	                          does half; with N+ that one and all later
 *	    classes: open read write sync rename remove truncate mkdir link
 *	             any (all of these)
 *	FAULTFS_DELAY=CLASS:USEC  each call of a class takes so much longer;
 *	                          classes as above, and stat
 *	FAULTFS_RATE=BYTES        a disk that writes so many bytes a second
 *	FAULTFS_LOG=FILE          append each change, see log_change
 *	FAULTFS_COUNT=FILE        counters that several processes share, so
 *	                          that N counts over all of them: eight bytes
 *	                          each for the changes, the calls of each
 *	                          class, and the allocations
 *	FAULTFS_MALLOC=N          the N-th malloc, calloc or realloc fails
 *	FAULTFS_ARM=NAME          allocations count from the first call on a
 *	                          seen file of this name on; else from the
 *	                          first call
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum class {
	CLASS_OPEN,
	CLASS_READ,
	CLASS_WRITE,
	CLASS_SYNC,
	CLASS_RENAME,
	CLASS_REMOVE,
	CLASS_TRUNCATE,
	CLASS_MKDIR,
	CLASS_LINK,
	CLASS_STAT,
	CLASS_ANY,
	CLASS_COUNT,
};

static const char *const class_names[CLASS_COUNT] = { "open", "read", "write",
	"sync", "rename", "remove", "truncate", "mkdir", "link", "stat",
	"any" };

#define ROOTS_MAX  8
#define PATH_ROOM  8192
#define CALLERS    12
#define SHORT_CALL (-1)

struct counters {
	atomic_long changes;
	atomic_long calls[CLASS_COUNT];
	atomic_long mallocs; /* after the first call of a seen file */
};

static struct {
	const char *roots[ROOTS_MAX];
	int root_count;
	long kill_at;
	bool kill_after;
	enum class fail_class;
	long fail_at;
	bool fail_later;
	int fail_errno;
	enum class delay_class;
	long delay_us;
	double rate;
	int log;
	struct counters *counters;
	long malloc_at;
	const char *arm;
	atomic_bool armed; /* for malloc */
	double busy_until; /* of the slow disk */
	double dirty;      /* bytes given to it */
} fs = { .log = -1, .delay_class = CLASS_COUNT, .fail_class = CLASS_COUNT };

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct counters own_counters;

/* -- set-up ---------------------------------------------------------------- */

static enum class class_of(const char *name, size_t length) {
	for (int i = 0; i < CLASS_COUNT;
	     i++) if (strlen(class_names[i]) == length &&
	    strncmp(class_names[i], name, length) == 0) return (enum class)i;
	fprintf(stderr, "faultfs: no class %.*s\n", (int)length, name);
	_exit(99);
}

static void
parse_fail(const char *text)
{
	size_t length = strcspn(text, ":");
	char *end;

	fs.fail_class = class_of(text, length);
	fs.fail_at = strtol(text + length + 1, &end, 10);
	fs.fail_later = *end == '+';
	end += fs.fail_later;
	fs.fail_errno = strcmp(end, ":short") == 0
	    ? SHORT_CALL
	    : (int)strtol(end + 1, NULL, 10);
}

static void
share_counters(const char *path)
{
	/* Not by the calls below, which want to be set up first. */
	int fd = (int)syscall(
	    SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *page;

	if (fd < 0 || syscall(SYS_ftruncate, fd, sizeof(struct counters)) != 0)
		_exit(98);
	page = mmap(NULL, sizeof(struct counters), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		_exit(98);
	fs.counters = page;
	close(fd);
}

static void
set_up(void)
{
	char *text = getenv("FAULTFS_ROOTS");
	const char *value;

	fs.counters = &own_counters;
	for (text = text != NULL ? strdup(text) : NULL;
	     text != NULL && fs.root_count < ROOTS_MAX;) {
		char *colon = strchr(text, ':');

		if (colon != NULL)
			*colon++ = '\0';
		fs.roots[fs.root_count++] = text;
		text = colon;
	}
	value = getenv("FAULTFS_KILL");
	if (value != NULL) {
		fs.kill_after = strncmp(value, "after:", 6) == 0;
		fs.kill_at = strtol(strchr(value, ':') + 1, NULL, 10);
	}
	value = getenv("FAULTFS_FAIL");
	if (value != NULL)
		parse_fail(value);
	value = getenv("FAULTFS_DELAY");
	if (value != NULL) {
		fs.delay_class = class_of(value, strcspn(value, ":"));
		fs.delay_us = strtol(strchr(value, ':') + 1, NULL, 10);
	}
	value = getenv("FAULTFS_RATE");
	if (value != NULL)
		fs.rate = strtod(value, NULL);
	value = getenv("FAULTFS_LOG");
	if (value != NULL)
		fs.log = (int)syscall(SYS_openat, AT_FDCWD, value,
		    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	value = getenv("FAULTFS_COUNT");
	if (value != NULL)
		share_counters(value);
	fs.arm = getenv("FAULTFS_ARM");
	value = getenv("FAULTFS_MALLOC");
	if (value != NULL)
		fs.malloc_at = strtol(value, NULL, 10);
}

/* The calls of a fortified program; their headers are not for us. */
int __openat_2(int dirfd, const char *name, int flags);
int __openat64_2(int dirfd, const char *name, int flags);
int __open_2(const char *name, int flags);
int __open64_2(const char *name, int flags);

#define REAL(name)                                                  \
	static __typeof__(name) *real;                              \
	if (real == NULL)                                           \
		real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name); \
	pthread_once(&once, set_up)

/* -- which files ------------------------------------------------------------
 */

static bool
is_seen(const char *path)
{
	for (int i = 0; i < fs.root_count; i++) {
		size_t length = strlen(fs.roots[i]);

		if (strncmp(path, fs.roots[i], length) != 0 ||
		    (path[length] != '/' && path[length] != '\0'))
			continue;
		if (fs.arm == NULL || strcmp(basename(path), fs.arm) == 0)
			atomic_store(&fs.armed, true);
		return true;
	}
	return false;
}

static bool
path_of_fd(int fd, char path[PATH_ROOM])
{
	char link[64];
	ssize_t length;

	if (fs.root_count == 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = syscall(
	    SYS_readlinkat, AT_FDCWD, link, path, (size_t)PATH_ROOM - 1);
	if (length < 0)
		return false;
	path[length] = '\0';
	return is_seen(path);
}

static bool
path_of_name(int dirfd, const char *name, char path[PATH_ROOM])
{
	size_t length;

	if (fs.root_count == 0)
		return false;
	if (name[0] == '/') {
		snprintf(path, PATH_ROOM, "%s", name);
		return is_seen(path);
	}
	if (dirfd == AT_FDCWD) {
		if (getcwd(path, PATH_ROOM) == NULL)
			return false;
	} else {
		path_of_fd(dirfd, path);
	}
	length = strlen(path);
	if (strcmp(name, ".") != 0)
		snprintf(path + length, PATH_ROOM - length, "/%s", name);
	return is_seen(path);
}

/* -- what happens -----------------------------------------------------------
 */

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
sleep_for(double seconds)
{
	struct timespec t = { (time_t)seconds,
		(long)((seconds - (double)(time_t)seconds) * 1e9) };

	if (seconds > 0)
		nanosleep(&t, NULL);
}

/* A call of a class: the errno it is to fail with, 0, or SHORT_CALL. */
static int enter(enum class class)
{
	long number, any;

	if (class == fs.delay_class)
		sleep_for((double)fs.delay_us / 1e6);
	if (class == CLASS_STAT)
		return 0;
	number = atomic_fetch_add(&fs.counters->calls[class], 1) + 1;
	any = atomic_fetch_add(&fs.counters->calls[CLASS_ANY], 1) + 1;
	if (fs.fail_class == CLASS_ANY)
		number = any;
	else if (fs.fail_class != class)
		return 0;
	if (number == fs.fail_at || (fs.fail_later && number > fs.fail_at))
		return fs.fail_errno;
	return 0;
}

static void
kill_self(void)
{
	syscall(SYS_kill, getpid(), SIGKILL);
	for (;;)
		pause();
}

/* Around a change; the lock is held from one to the other. */
static void
before_change(long *number)
{
	pthread_mutex_lock(&lock);
	*number = atomic_fetch_add(&fs.counters->changes, 1) + 1;
	if (!fs.kill_after && *number == fs.kill_at)
		kill_self();
}

static void
after_change(long number)
{
	if (fs.kill_after && number == fs.kill_at)
		kill_self();
	pthread_mutex_unlock(&lock);
}

/* The callers, as offsets into the program. */
static void
add_callers(char *text, size_t room)
{
	void *frames[CALLERS];
	int count = backtrace(frames, CALLERS);
	size_t length = 0;

	for (int i = 2; i < count; i++) {
		Dl_info info;

		if (dladdr(frames[i], &info) == 0 ||
		    strstr(info.dli_fname, "stepvault") == NULL)
			continue;
		length += (size_t)snprintf(text + length, room - length,
		    "%s%lx", length > 0 ? "," : "",
		    (unsigned long)((char *)frames[i] -
			(char *)info.dli_fbase));
		if (length >= room)
			break;
	}
}

/*
 * One line "OP INODE OFFSET LENGTH CALLERS PATH[\tPATH]\n", and behind it
 * LENGTH bytes of data if OP is "write".
 */
static void
log_change(const char *op, ino_t inode, int64_t offset, const void *data,
    size_t length, const char *path, const char *second)
{
	char line[2 * PATH_ROOM + 512], callers[512] = "";
	int number = errno, size;

	if (fs.log < 0)
		return;
	add_callers(callers, sizeof(callers));
	size = snprintf(line, sizeof(line), "%s %llu %lld %zu %s %s%s%s\n", op,
	    (unsigned long long)inode, (long long)offset, length,
	    callers[0] != '\0' ? callers : "-", path,
	    second != NULL ? "\t" : "", second != NULL ? second : "");
	syscall(SYS_write, fs.log, line, (size_t)size);
	if (data != NULL)
		syscall(SYS_write, fs.log, data, length);
	errno = number;
}

static ino_t
inode_of(int fd)
{
	struct stat st;

	return syscall(SYS_fstat, fd, &st) == 0 ? st.st_ino : 0;
}

/* -- the slow disk ------------------------------------------------------------
 */

static void
dirty_bytes(size_t length)
{
	if (fs.rate <= 0)
		return;
	pthread_mutex_lock(&lock);
	fs.dirty += (double)length;
	pthread_mutex_unlock(&lock);
}

/* Give the disk what is dirty, and wait for it if that is asked. */
static void
drain(bool wait)
{
	double until;

	if (fs.rate <= 0)
		return;
	pthread_mutex_lock(&lock);
	if (fs.busy_until < now())
		fs.busy_until = now();
	fs.busy_until += fs.dirty / fs.rate;
	fs.dirty = 0;
	until = fs.busy_until;
	pthread_mutex_unlock(&lock);
	if (wait)
		sleep_for(until - now());
}

/* -- the calls ----------------------------------------------------------------
 */

static int
do_open(int (*real)(int, const char *, int, ...), int dirfd, const char *name,
    int flags, mode_t mode)
{
	char path[PATH_ROOM];
	bool changes, existed;
	struct stat st;
	long number;
	int fail, fd;

	if (!path_of_name(dirfd, name, path))
		return real(dirfd, name, flags, mode);
	fail = enter(CLASS_OPEN);
	if (fail > 0) {
		errno = fail;
		return -1;
	}
	changes = (flags & (O_CREAT | O_TRUNC)) != 0 &&
	    (flags & O_TMPFILE) != O_TMPFILE;
	if (!changes)
		return real(dirfd, name, flags, mode);
	before_change(&number);
	existed =
	    syscall(SYS_newfstatat, dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	fd = real(dirfd, name, flags, mode);
	if (fd >= 0 && !existed)
		log_change("create", inode_of(fd), 0, NULL, 0, path, NULL);
	else if (fd >= 0 && (flags & O_TRUNC) != 0)
		log_change("truncate", inode_of(fd), 0, NULL, 0, path, NULL);
	after_change(number);
	return fd;
}

#define OPEN(name)                                  \
	mode_t mode = 0;                            \
	REAL(name);                                 \
	if ((flags & (O_CREAT | O_TMPFILE)) != 0) { \
		va_list args;                       \
		va_start(args, flags);              \
		mode = va_arg(args, mode_t);        \
		va_end(args);                       \
	}

int
openat(int dirfd, const char *name, int flags, ...)
{
	OPEN(openat)
	return do_open(real, dirfd, name, flags, mode);
}

int
openat64(int dirfd, const char *name, int flags, ...)
{
	OPEN(openat64)
	return do_open(real, dirfd, name, flags, mode);
}

int
open(const char *name, int flags, ...)
{
	static int (*real_at)(int, const char *, int, ...);

	OPEN(open)
	(void)real;
	if (real_at == NULL)
		real_at = (int (*)(int, const char *, int, ...))dlsym(
		    RTLD_NEXT, "openat");
	return do_open(real_at, AT_FDCWD, name, flags, mode);
}

int
open64(const char *name, int flags, ...)
{
	static int (*real_at)(int, const char *, int, ...);

	OPEN(open64)
	(void)real;
	if (real_at == NULL)
		real_at = (int (*)(int, const char *, int, ...))dlsym(
		    RTLD_NEXT, "openat64");
	return do_open(real_at, AT_FDCWD, name, flags, mode);
}

/* What fortified programs call where there is no mode. */
int
__openat_2(int dirfd, const char *name, int flags)
{
	return openat(dirfd, name, flags);
}

int
__openat64_2(int dirfd, const char *name, int flags)
{
	return openat64(dirfd, name, flags);
}

int
__open_2(const char *name, int flags)
{
	return open(name, flags);
}

int
__open64_2(const char *name, int flags)
{
	return open64(name, flags);
}

/* Half of a read or write of more than one byte. */
static size_t
shortened(size_t length)
{
	return length > 1 ? length / 2 : length;
}

ssize_t
read(int fd, void *bytes, size_t length)
{
	char path[PATH_ROOM];
	int fail;

	REAL(read);
	if (!path_of_fd(fd, path))
		return real(fd, bytes, length);
	fail = enter(CLASS_READ);
	if (fail > 0) {
		errno = fail;
		return -1;
	}
	return real(fd, bytes, fail == SHORT_CALL ? shortened(length) : length);
}

static ssize_t
do_pread(ssize_t (*real)(int, void *, size_t, off_t), int fd, void *bytes,
    size_t length, off_t offset)
{
	char path[PATH_ROOM];
	int fail;

	if (!path_of_fd(fd, path))
		return real(fd, bytes, length, offset);
	fail = enter(CLASS_READ);
	if (fail > 0) {
		errno = fail;
		return -1;
	}
	return real(
	    fd, bytes, fail == SHORT_CALL ? shortened(length) : length, offset);
}

ssize_t
pread(int fd, void *bytes, size_t length, off_t offset)
{
	REAL(pread);
	return do_pread(real, fd, bytes, length, offset);
}

ssize_t
pread64(int fd, void *bytes, size_t length, off64_t offset)
{
	REAL(pread64);
	return do_pread(real, fd, bytes, length, offset);
}

ssize_t
write(int fd, const void *bytes, size_t length)
{
	char path[PATH_ROOM];
	off_t end;
	long number;
	ssize_t put;
	int fail;

	REAL(write);
	if (!path_of_fd(fd, path))
		return real(fd, bytes, length);
	fail = enter(CLASS_WRITE);
	if (fail > 0) {
		errno = fail;
		return -1;
	}
	if (fail == SHORT_CALL)
		length = shortened(length);
	before_change(&number);
	/* Appending or not, what is written ends where the position is. */
	put = real(fd, bytes, length);
	end = lseek(fd, 0, SEEK_CUR);
	if (put > 0)
		log_change("write", inode_of(fd), end - put, bytes, (size_t)put,
		    path, NULL);
	after_change(number);
	dirty_bytes(put > 0 ? (size_t)put : 0);
	return put;
}

static ssize_t
do_pwrite(ssize_t (*real)(int, const void *, size_t, off_t), int fd,
    const void *bytes, size_t length, off_t offset)
{
	char path[PATH_ROOM];
	long number;
	ssize_t put;
	int fail;

	if (!path_of_fd(fd, path))
		return real(fd, bytes, length, offset);
	fail = enter(CLASS_WRITE);
	if (fail > 0) {
		errno = fail;
		return -1;
	}
	if (fail == SHORT_CALL)
		length = shortened(length);
	before_change(&number);
	put = real(fd, bytes, length, offset);
	if (put > 0)
		log_change("write", inode_of(fd), offset, bytes, (size_t)put,
		    path, NULL);
	after_change(number);
	dirty_bytes(put > 0 ? (size_t)put : 0);
	return put;
}

ssize_t
pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
	REAL(pwrite);
	return do_pwrite(real, fd, bytes, length, offset);
}

ssize_t
pwrite64(int fd, const void *bytes, size_t length, off64_t offset)
{
	REAL(pwrite64);
	return do_pwrite(real, fd, bytes, length, offset);
}

static int
do_ftruncate(int (*real)(int, off_t), int fd, off_t length)
{
	char path[PATH_ROOM];
	long number;
	int fail, result;

	if (!path_of_fd(fd, path))
		return real(fd, length);
	fail = enter(CLASS_TRUNCATE);
	if (fail > 0) {
		errno = fail;
		return -1;
	}
	before_change(&number);
	result = real(fd, length);
	if (result == 0)
		log_change(
		    "truncate", inode_of(fd), length, NULL, 0, path, NULL);
	after_change(number);
	return result;
}

int
ftruncate(int fd, off_t length)
{
	REAL(ftruncate);
	return do_ftruncate(real, fd, length);
}

int
ftruncate64(int fd, off64_t length)
{
	REAL(ftruncate64);
	return do_ftruncate(real, fd, length);
}

static int
do_sync(int (*real)(int), int fd)
{
	char path[PATH_ROOM];
	long number;
	int fail, result;

	if (!path_of_fd(fd, path))
		return real(fd);
	fail = enter(CLASS_SYNC);
	if (fail > 0) {
		errno = fail;
		return -1;
	}
	drain(true);
	before_change(&number);
	result = real(fd);
	if (result == 0)
		log_change("sync", inode_of(fd), 0, NULL, 0, path, NULL);
	after_change(number);
	return result;
}

int
fsync(int fd)
{
	REAL(fsync);
	return do_sync(real, fd);
}

int
fdatasync(int fd)
{
	REAL(fdatasync);
	return do_sync(real, fd);
}

int
sync_file_range(int fd, off64_t offset, off64_t length, unsigned flags)
{
	char path[PATH_ROOM];

	REAL(sync_file_range);
	if (path_of_fd(fd, path))
		drain((flags & SYNC_FILE_RANGE_WAIT_AFTER) != 0);
	return real(fd, offset, length, flags);
}

int
renameat(int from_dirfd, const char *from, int to_dirfd, const char *to)
{
	char path[PATH_ROOM], second[PATH_ROOM];
	long number;
	int fail, result;

	REAL(renameat);
	if (!path_of_name(from_dirfd, from, path))
		return real(from_dirfd, from, to_dirfd, to);
	path_of_name(to_dirfd, to, second);
	fail = enter(CLASS_RENAME);
	if (fail > 0) {
		errno = fail;
		return -1;
	}
	before_change(&number);
	result = real(from_dirfd, from, to_dirfd, to);
	if (result == 0)
		log_change("rename", 0, 0, NULL, 0, path, second);
	after_change(number);
	return result;
}

int
linkat(
    int from_dirfd, const char *from, int to_dirfd, const char *to, int flags)
{
	char path[PATH_ROOM], second[PATH_ROOM];
	long number;
	int fail, result;

	REAL(linkat);
	if (!path_of_name(from_dirfd, from, path))
		return real(from_dirfd, from, to_dirfd, to, flags);
	path_of_name(to_dirfd, to, second);
	fail = enter(CLASS_LINK);
	if (fail > 0) {
		errno = fail;
		return -1;
	}
	before_change(&number);
	result = real(from_dirfd, from, to_dirfd, to, flags);
	if (result == 0)
		log_change("link", 0, 0, NULL, 0, path, second);
	after_change(number);
	return result;
}

int
unlinkat(int dirfd, const char *name, int flags)
{
	char path[PATH_ROOM];
	long number;
	int fail, result;

	REAL(unlinkat);
	if (!path_of_name(dirfd, name, path))
		return real(dirfd, name, flags);
	fail = enter(CLASS_REMOVE);
	if (fail > 0) {
		errno = fail;
		return -1;
	}
	before_change(&number);
	result = real(dirfd, name, flags);
	if (result == 0)
		log_change("remove", 0, 0, NULL, 0, path, NULL);
	after_change(number);
	return result;
}

int
mkdirat(int dirfd, const char *name, mode_t mode)
{
	char path[PATH_ROOM];
	long number;
	int fail, result;

	REAL(mkdirat);
	if (!path_of_name(dirfd, name, path))
		return real(dirfd, name, mode);
	fail = enter(CLASS_MKDIR);
	if (fail > 0) {
		errno = fail;
		return -1;
	}
	before_change(&number);
	result = real(dirfd, name, mode);
	if (result == 0)
		log_change("mkdir", 0, 0, NULL, 0, path, NULL);
	after_change(number);
	return result;
}

int
fstatat(int dirfd, const char *name, struct stat *st, int flags)
{
	char path[PATH_ROOM];

	REAL(fstatat);
	if (fs.delay_class == CLASS_STAT && path_of_name(dirfd, name, path))
		enter(CLASS_STAT);
	return real(dirfd, name, st, flags);
}

int
fstatat64(int dirfd, const char *name, struct stat64 *st, int flags)
{
	char path[PATH_ROOM];

	REAL(fstatat64);
	if (fs.delay_class == CLASS_STAT && path_of_name(dirfd, name, path))
		enter(CLASS_STAT);
	return real(dirfd, name, st, flags);
}

/* -- memory ------------------------------------------------------------------
 */

#ifndef FAULTFS_WITHOUT_MALLOC
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

/* Whether this allocation is the one to fail. */
static bool
no_memory(void)
{
	return atomic_load(&fs.armed) &&
	    atomic_fetch_add(&fs.counters->mallocs, 1) + 1 == fs.malloc_at;
}

void *
malloc(size_t size)
{
	return no_memory() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return no_memory() ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *old, size_t size)
{
	return no_memory() ? NULL : __libc_realloc(old, size);
}
#endif
