/* SPDX-License-Identifier: MIT */
#include "run/intent.h"

#include "base/budget.h"
#include "base/fsio.h"
#include "base/strbuf.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BOOT_ID_SIZE 40

static void
read_boot_id(char id[BOOT_ID_SIZE])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? fsio_read(fd, id, BOOT_ID_SIZE - 1) : 0;

	if (fd >= 0)
		close(fd);
	id[got > 0 ? got : 0] = '\0';
	id[strcspn(id, "\n")] = '\0';
}

bool
intent_read(struct intent *intent, int jobfd)
{
	struct strbuf text = STRBUF_EMPTY;
	char boot[BOOT_ID_SIZE], here[BOOT_ID_SIZE];
	long long n[8];
	bool found = false;

	if (fsio_read_file(jobfd, INTENT_FILE, 1024, &text) == 0 &&
	    /* NOLINTNEXTLINE(cert-err34-c): too large is as good as wrong */
	    sscanf(strbuf_text(&text),
		"%39s %lld %lld %lld %lld %lld %lld %lld %lld", boot, &n[0],
		&n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7]) == 9) {
		read_boot_id(here);
		found = strcmp(boot, here) == 0 && n[1] >= 0 &&
		    n[1] < CONTROLLER_COUNT;
	}
	strbuf_close(&text);
	if (found)
		*intent = (struct intent){ .step = n[0],
			.controller = n[1],
			.checkpoints = n[2],
			.row = n[3],
			.kills = n[4],
			.started = n[5],
			.alive = n[6],
			.faulted = n[7] };
	return found;
}

void
intent_mark(struct intent *intent, int jobfd)
{
	struct strbuf text = STRBUF_EMPTY;
	char boot[BOOT_ID_SIZE];
	int fd = fsio_create(jobfd, INTENT_FILE, 0);

	if (fd < 0)
		return;
	intent->alive = budget_now();
	read_boot_id(boot);
	/* Of one length, so that it can be written over. */
	strbuf_addf(&text,
	    "%39s %20lld %2lld %20lld %4lld %20lld %20lld %20lld "
	    "%1lld\n",
	    boot, (long long)intent->step, (long long)intent->controller,
	    (long long)intent->checkpoints, (long long)intent->row,
	    (long long)intent->kills, (long long)intent->started,
	    (long long)intent->alive, (long long)intent->faulted);
	if (fsio_write_at(fd, text.bytes, text.length, 0) != 0) {
		/* Then a kill will not be noticed; nothing worse. */
	}
	close(fd);
	strbuf_close(&text);
}

void
intent_remove(int jobfd)
{
	fsio_remove(jobfd, INTENT_FILE);
}
