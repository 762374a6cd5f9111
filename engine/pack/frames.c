/* SPDX-License-Identifier: MIT */
#include "pack/frames.h"

#include "base/budget.h"
#include "pack/frames_internal.h"

#include <stdlib.h>
#include <string.h>

/* Chunks in memory, plain and packed: so many, and so many for each worker. */
#define CHUNKS_BASE       4
#define CHUNKS_PER_WORKER 8

/* Lengths of a frame: usually; of many tiny entries, or for a single worker;
 * and at least. */
#define FRAME_USUAL (INT64_C(4) << 20)
#define FRAME_LONG  (INT64_C(64) << 20)
#define FRAME_LEAST (INT64_C(64) << 10)

/* Entries are tiny below this mean of bytes. */
#define TINY_ENTRY 4096

/* Each compressor at these levels takes more memory than the rest together. */
#define ZSTD_LEVEL_OF_ONE_WORKER 7

static int
report_failure(const struct frames *frames, struct fault *fault)
{
	*fault = frames->fault;
	return -1;
}

struct frames *
frames_open(const struct frames_options *options)
{
	struct frames *frames = calloc(1, sizeof(*frames));

	if (frames == NULL)
		abort();
	frames->options = *options;
	frames->compression = *options->compression;
	frames->wanted = options->workers;
	frames->limit = INT64_MAX;
	if (frames->wanted > FRAMES_WORKERS_MAX)
		frames->wanted = FRAMES_WORKERS_MAX;
	if (frames->wanted > 1 && frames->compression.codec == CODEC_ZSTD &&
	    frames->compression.level >= ZSTD_LEVEL_OF_ONE_WORKER)
		frames->wanted = 1;
	if (pthread_mutex_init(&frames->lock, NULL) != 0 ||
	    pthread_cond_init(&frames->more, NULL) != 0 ||
	    pthread_cond_init(&frames->room, NULL) != 0)
		abort();
	return frames;
}

void
frames_close(struct frames *frames)
{
	if (frames == NULL)
		return;
	pthread_mutex_lock(&frames->lock);
	frames->stop = true;
	frames_wake_workers(frames);
	pthread_mutex_unlock(&frames->lock);
	for (int i = 0; i < frames->thread_count; i++)
		pthread_join(frames->threads[i], NULL);
	while (frames->head != NULL) {
		struct frame *frame = frames->head;

		frames->head = frame->next;
		frames_free_frame(frames, frame);
	}
	if (frames->filling != NULL)
		chunk_give(&frames->pool, frames->filling);
	chunk_free_spare(&frames->pool);
	pthread_cond_destroy(&frames->more);
	pthread_cond_destroy(&frames->room);
	pthread_mutex_destroy(&frames->lock);
	free(frames);
}

/* Under the lock: a frame to queue on. */
static void
open_frame(struct frames *frames)
{
	struct frame *frame = calloc(1, sizeof(*frame));
	struct frame **end = &frames->head;

	if (frame == NULL)
		abort();
	frame->frames = frames;
	while (*end != NULL)
		end = &(*end)->next;
	*end = frame;
	frames->tail = frame;
}

static int64_t
target_of(const struct frames *frames, const struct frame *frame)
{
	int64_t target = FRAME_USUAL;

	if (frames->wanted <= 1 ||
	    frame->plain_length < frame->entries * TINY_ENTRY)
		target = FRAME_LONG;
	if (target > frames->limit)
		target = frames->limit;
	return target > FRAME_LEAST ? target : FRAME_LEAST;
}

/* Under the lock: nothing more comes to the frame that is filled. */
static void
close_frame(struct frames *frames)
{
	if (frames->tail == NULL)
		return;
	frames->tail->closed = true;
	frames->tail = NULL;
	frames_wake_workers(frames);
}

/* Under the lock: queue the chunk that was filled. */
static void
queue_filled(struct frames *frames)
{
	struct chunk *chunk = frames->filling;
	struct frame *frame;

	if (chunk == NULL || chunk->length == 0)
		return;
	if (frames->tail == NULL)
		open_frame(frames);
	frame = frames->tail;
	frame->entries += frames->entries;
	frames->entries = 0;
	frames->filling = NULL;
	chunk_put(&frame->plain, chunk);
	frame->plain_length += (int64_t)chunk->length;
	frames->plain_bytes += (int64_t)chunk->length;
	if (frame->plain_length >= target_of(frames, frame))
		close_frame(frames);
	frames_wake_workers(frames);
	frames_engage_worker(frames);
	frames_work_alone(frames);
}

void *
frames_reserve(struct frames *frames, size_t *room, struct fault *fault)
{
	if (frames->filling == NULL) {
		pthread_mutex_lock(&frames->lock);
		/*
		 * Only the reader waits: what the workers add, packed, is no
		 * more than what they take away, plain.
		 */
		while (!frames->failed &&
		    frames->pool.used >=
			CHUNKS_BASE + CHUNKS_PER_WORKER * frames->wanted)
			frames_wait_for_room(frames);
		if (frames->failed) {
			report_failure(frames, fault);
			pthread_mutex_unlock(&frames->lock);
			return NULL;
		}
		frames->filling = chunk_take(&frames->pool);
		pthread_mutex_unlock(&frames->lock);
	}
	*room = CHUNK_SIZE - frames->filling->length;
	return frames->filling->bytes + frames->filling->length;
}

int
frames_commit(struct frames *frames, size_t length, struct fault *fault)
{
	int result = 0;

	frames->filling->length += length;
	if (frames->filling->length < CHUNK_SIZE)
		return 0;
	pthread_mutex_lock(&frames->lock);
	queue_filled(frames);
	if (frames->failed)
		result = report_failure(frames, fault);
	pthread_mutex_unlock(&frames->lock);
	return result;
}

int
frames_write(struct frames *frames, const void *bytes, size_t length,
    struct fault *fault)
{
	const char *from = bytes;

	while (length > 0) {
		size_t room;
		void *place = frames_reserve(frames, &room, fault);

		if (place == NULL)
			return -1;
		if (room > length)
			room = length;
		memcpy(place, from, room);
		if (frames_commit(frames, room, fault) != 0)
			return -1;
		from += room;
		length -= room;
	}
	return 0;
}

void
frames_note_entry(struct frames *frames)
{
	frames->entries++;
}

void
frames_limit(struct frames *frames, int64_t bytes)
{
	frames->limit = bytes;
}

void
frames_load(struct frames *frames, int64_t *in_flight, int64_t *unsynced)
{
	pthread_mutex_lock(&frames->lock);
	*in_flight = frames->plain_bytes + frames->packed_bytes;
	if (frames->filling != NULL)
		*in_flight += (int64_t)frames->filling->length;
	*unsynced = frames->unsynced;
	pthread_mutex_unlock(&frames->lock);
}

int
frames_flush(struct frames *frames, struct fault *fault)
{
	int64_t before = budget_now(), in_flight, unsynced;
	int result = 0;

	frames_load(frames, &in_flight, &unsynced);
	pthread_mutex_lock(&frames->lock);
	queue_filled(frames);
	close_frame(frames);
	frames_work_alone(frames);
	while (!frames->failed && frames->head != NULL)
		frames_wait_for_room(frames);
	if (frames->failed)
		result = report_failure(frames, fault);
	pthread_mutex_unlock(&frames->lock);
	pace_note_drain(frames->options.pace, in_flight, budget_now() - before);
	return result;
}
