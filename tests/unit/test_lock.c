/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "tool.h"

#include "base/budget.h"
#include "base/fsio.h"
#include "store/datadir.h"
#include "store/lock.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

static struct datadir
open_locks(void **state)
{
	struct datadir datadir = DATADIR_CLOSED;

	datadir.locks = scratch_open(state);
	return datadir;
}

static void
excludes_others(void **state)
{
	struct datadir datadir = open_locks(state);
	struct lock one = LOCK_FREE, two = LOCK_FREE, third = LOCK_FREE;
	struct fault fault;

	assert_fine(lock_take(&one, &datadir, "a", NULL, &fault), &fault);
	assert_faulty(lock_take(&two, &datadir, "a", NULL, &fault), FAULT_BUSY,
	    "another process holds the lock 'a'", &fault);
	assert_int_equal(two.fd, -1);
	assert_fine(lock_take(&third, &datadir, "b", NULL, &fault), &fault);
	lock_drop(&one);
	lock_drop(&one);
	assert_fine(lock_take(&two, &datadir, "a", NULL, &fault), &fault);
	lock_drop(&two);
	lock_drop(&third);
	close(datadir.locks);
}

static void
waits_as_long_as_the_budget(void **state)
{
	struct datadir datadir = open_locks(state);
	struct lock one = LOCK_FREE, two = LOCK_FREE;
	atomic_bool stop = true;
	struct budget budget;
	struct fault fault;
	int64_t before = budget_now();

	assert_fine(lock_take(&one, &datadir, "a", NULL, &fault), &fault);
	budget_start(&budget, 50 * BUDGET_MILLISECOND, NULL);
	assert_faulty(lock_take(&two, &datadir, "a", &budget, &fault),
	    FAULT_BUSY, "another process", &fault);
	assert_true(budget_now() - before >= 50 * BUDGET_MILLISECOND);
	/* Not at all if everybody is to stop. */
	budget_start(&budget, 0, &stop);
	assert_faulty(lock_take(&two, &datadir, "a", &budget, &fault),
	    FAULT_BUSY, "another process", &fault);
	lock_drop(&one);
	close(datadir.locks);
}

static void
names_the_lock_it_cannot_open(void **state)
{
	struct datadir datadir = open_locks(state);
	struct lock lock = LOCK_FREE;
	struct fault fault;

	assert_int_equal(symlinkat("elsewhere", datadir.locks, "a"), 0);
	assert_faulty(lock_take(&lock, &datadir, "a", NULL, &fault),
	    FAULT_SYSTEM, "the lock 'a' cannot be opened", &fault);
	close(datadir.locks);
}

/* Who holds the lock adds one to a number that is read and written. */
struct counting {
	struct datadir *datadir;
	int rounds;
	bool removing;
};

static int
add_one(int fd)
{
	char text[32] = { 0 };
	long number;

	if (fsio_read_at(fd, text, sizeof(text) - 1, 0) < 0)
		return -1;
	number = strtol(text, NULL, 10) + 1;
	snprintf(text, sizeof(text), "%ld", number);
	if (number % 16 == 0)
		usleep(100);
	return fsio_write_at(fd, text, strlen(text), 0);
}

static int
count_under_lock(void *context)
{
	struct counting *counting = context;
	struct budget budget;
	int fd = openat(counting->datadir->fd, "count", O_RDWR | O_CLOEXEC);

	CHILD_CHECK(fd >= 0);
	for (int i = 0; i < counting->rounds; i++) {
		struct lock lock = LOCK_FREE;
		struct fault fault;

		budget_start(&budget, 60 * BUDGET_SECOND, NULL);
		CHILD_CHECK(lock_take(&lock, counting->datadir, "a", &budget,
				&fault) == 0);
		CHILD_CHECK(add_one(fd) == 0);
		if (counting->removing && i % 3 != 0)
			lock_remove(&lock, counting->datadir, "a");
		else
			lock_drop(&lock);
	}
	close(fd);
	return 0;
}

static void *
count_in_thread(void *context)
{
	count_under_lock(context);
	return NULL;
}

/* Processes and threads at once, with or without removing the lock's file. */
static void
count_together(void **state, bool removing)
{
	struct datadir datadir = DATADIR_CLOSED;
	struct counting counting = {
		.datadir = &datadir, .rounds = 150, .removing = removing
	};
	struct strbuf text = STRBUF_EMPTY;
	pthread_t threads[4];
	pid_t children[4];

	datadir.fd = scratch_open(state);
	assert_int_equal(mkdirat(datadir.fd, "locks", 0700), 0);
	datadir.locks = openat(datadir.fd, "locks", O_RDONLY | O_DIRECTORY);
	assert_true(datadir.locks >= 0);
	tool_write(*state, "count", "0", 1);
	for (int i = 0; i < 4; i++)
		children[i] = tool_fork(count_under_lock, &counting);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
				     count_in_thread, &counting),
		    0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(tool_wait(children[i]), 0);
	tool_read(*state, "count", &text);
	assert_string_equal(text.bytes, "1200");
	strbuf_close(&text);
	close(datadir.locks);
	close(datadir.fd);
}

static void
threads_and_processes_exclude_each_other(void **state)
{
	count_together(state, false);
}

static void
is_one_lock_even_when_removed(void **state)
{
	count_together(state, true);
}

static int
hold_until_killed(void *context)
{
	struct lock lock = LOCK_FREE;
	struct budget budget;
	struct fault fault;

	budget_start(&budget, 0, NULL);
	CHILD_CHECK(lock_take(&lock, context, "a", &budget, &fault) == 0);
	for (;;)
		pause();
}

static void
ends_with_its_process(void **state)
{
	struct datadir datadir = open_locks(state);
	struct lock lock = LOCK_FREE;
	struct fault fault;
	struct budget budget;
	pid_t child = tool_fork(hold_until_killed, &datadir);

	/* Until the child has it. */
	while (lock_take(&lock, &datadir, "a", NULL, &fault) == 0) {
		lock_drop(&lock);
		usleep(1000);
	}
	assert_int_equal(fault.code, FAULT_BUSY);
	kill(child, SIGKILL);
	assert_int_equal(tool_wait(child), 128 + SIGKILL);
	budget_start(&budget, 10 * BUDGET_SECOND, NULL);
	assert_fine(lock_take(&lock, &datadir, "a", &budget, &fault), &fault);
	lock_drop(&lock);
	close(datadir.locks);
}

static void
removes_its_file_only_if_held(void **state)
{
	struct datadir datadir = open_locks(state);
	struct lock lock = LOCK_FREE, none = LOCK_FREE;
	struct fault fault;
	struct stat st;

	assert_fine(lock_take(&lock, &datadir, "a", NULL, &fault), &fault);
	lock_remove(&none, &datadir, "a");
	assert_int_equal(fstatat(datadir.locks, "a", &st, 0), 0);
	lock_remove(&lock, &datadir, "a");
	assert_int_equal(lock.fd, -1);
	assert_int_equal(fstatat(datadir.locks, "a", &st, 0), -1);
	lock_remove(&lock, &datadir, "a");
	close(datadir.locks);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(excludes_others),
		scratch_test(waits_as_long_as_the_budget),
		scratch_test(names_the_lock_it_cannot_open),
		scratch_test(threads_and_processes_exclude_each_other),
		scratch_test(is_one_lock_even_when_removed),
		scratch_test(ends_with_its_process),
		scratch_test(removes_its_file_only_if_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
