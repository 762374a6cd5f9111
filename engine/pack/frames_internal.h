/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_PACK_FRAMES_INTERNAL_H
#define ENGINE_PACK_FRAMES_INTERNAL_H

#include "base/fault.h"
#include "pack/chunks.h"
#include "pack/frames.h"
#include "store/profile.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * One reader (frames.c, the caller) fills chunks and queues them on the last
 * frame of a list; a worker (frames_work.c) takes the first frame that nobody
 * has and packs its chunks as they come.  Packed bytes of the head of the list
 * go to the volume at once, those of later frames wait in memory until all
 * before them are written.  Whoever finishes the head writes what waits behind
 * it.
 *
 * One lock guards the list and all counts.  Compressing and writing are done
 * without it; "writing" says that somebody is at the volume.
 */

#define FRAMES_WORKERS_MAX 16

struct frame {
	struct frame *next;
	struct frames *frames;
	struct chunk_queue plain;  /* to be packed */
	struct chunk_queue packed; /* to be written */
	bool closed;               /* nothing more will be queued */
	bool taken;                /* a worker has it */
	bool done;                 /* all of it is packed */
	int64_t plain_length;
	int64_t packed_length;
	int64_t entries;
	uint32_t crc; /* of the packed bytes */
	struct packer *packer;
};

struct frames {
	struct frames_options options;
	struct compression compression;
	pthread_mutex_t lock;
	pthread_cond_t more; /* for workers: a chunk, a frame's end, the end */
	pthread_cond_t room; /* for the reader: chunks freed, frames written */
	int idle;            /* workers that wait for more */
	bool reader_waits;
	pthread_t threads[FRAMES_WORKERS_MAX];
	int thread_count;
	int wanted; /* threads; 0: none can be had */
	bool stop;
	bool failed;
	struct fault fault;
	bool writing;
	struct frame *head;
	struct frame *tail; /* the one that is filled, or NULL */
	struct chunk_pool pool;
	int64_t plain_bytes;  /* queued and not yet packed */
	int64_t packed_bytes; /* packed and not yet written */
	int64_t unsynced;     /* of the volume, as of the last write */
	int64_t limit;
	/* the reader's own */
	struct chunk *filling; /* not yet queued */
	int64_t entries;       /* that begin in it */
};

/* All of these are called under the lock. */

/* There is more to do for a worker. */
void frames_wake_workers(struct frames *frames);

/* Wait, as the reader, until chunks were freed or frames written. */
void frames_wait_for_room(struct frames *frames);

/* One more worker, if there is work for it and the host allows a thread. */
void frames_engage_worker(struct frames *frames);

/* Where there can be no worker, do all the work at hand. */
void frames_work_alone(struct frames *frames);

/* Free a frame that is not in the list any more. */
void frames_free_frame(struct frames *frames, struct frame *frame);

#endif
