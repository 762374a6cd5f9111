/* SPDX-License-Identifier: MIT */
#include "run/engine.h"

#include "base/fault.h"

#include <locale.h>
#include <malloc.h>

/*
 * A compressor is made and freed for each frame.  Up to zstd:4 its memory is
 * kept in the one heap, or the kernel would zero it again each time; larger
 * ones would tear holes into that heap, and spend their time compressing.
 */
#define KEPT_BYTES (11 * 512 * 1024)

/* What is asked of a database of which nothing is known. */
#define PIECE_FIRST (512 * 1024)

static void
set_up_allocator(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
	mallopt(M_TRIM_THRESHOLD, 4 * KEPT_BYTES);
}

int
engine_open(
    struct engine *engine, const struct config *config, struct fault *fault)
{
	struct limits limits;

	engine->config = config;
	engine->datadir = (struct datadir)DATADIR_CLOSED;
	atomic_init(&engine->stop, false);
	atomic_init(&engine->waiting, 0);
	engine->waiting_max = 1;
	atomic_init(&engine->piece, PIECE_FIRST);
	engine->has_companion = false;
	set_up_allocator();
	/* Names of files are UTF-8 to libarchive only in a UTF-8 locale. */
	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		return fault_set(
		    fault, FAULT_SYSTEM, "the system has no locale C.UTF-8");
	if (datadir_open(&engine->datadir, config, fault) != 0)
		return -1;
	limits_load(&limits, &engine->datadir);
	limits_get_pace(&limits, &engine->pace);
	return 0;
}

void
engine_close(struct engine *engine)
{
	datadir_close(&engine->datadir);
}
