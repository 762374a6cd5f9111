/* SPDX-License-Identifier: MIT */
#include "base/crc32c.h"
#include "base/strbuf.h"
#include "pack/frames_internal.h"
#include "pack/packer.h"
#include "pack/volume.h"
#include "store/spool.h"

#include <stdlib.h>

#define THREAD_STACK (512 * 1024)

/* Under the lock: there is more to do for a worker. */
void
frames_wake_workers(struct frames *frames)
{
	if (frames->idle > 0)
		pthread_cond_broadcast(&frames->more);
}

/* Under the lock: the reader may be able to go on. */
static void
wake_reader(struct frames *frames)
{
	if (frames->reader_waits)
		pthread_cond_signal(&frames->room);
}

static void
wait_for_more(struct frames *frames)
{
	frames->idle++;
	pthread_cond_wait(&frames->more, &frames->lock);
	frames->idle--;
}

void
frames_wait_for_room(struct frames *frames)
{
	frames->reader_waits = true;
	pthread_cond_wait(&frames->room, &frames->lock);
	frames->reader_waits = false;
}

/* Under the lock: the first failure is kept, and everybody is told. */
static void
fail(struct frames *frames, const struct fault *fault)
{
	if (!frames->failed)
		frames->fault = *fault;
	frames->failed = true;
	frames_wake_workers(frames);
	wake_reader(frames);
}

/*
 * Under the lock, which is dropped meanwhile: write a frame's waiting bytes,
 * and more, to the volume.  Nobody else is at the volume.
 */
static int
write_out(struct frames *frames, struct frame *frame, const void *more,
    size_t more_length)
{
	struct volume *volume = frames->options.volume;
	struct chunk_queue waiting = frame->packed;
	struct fault fault;
	struct chunk *chunk;
	int64_t written = 0;
	int result = 0;

	frame->packed = (struct chunk_queue){ NULL, NULL };
	frames->writing = true;
	pthread_mutex_unlock(&frames->lock);
	for (chunk = waiting.first; chunk != NULL && result == 0;
	     chunk = chunk->next) {
		result =
		    volume_append(volume, chunk->bytes, chunk->length, &fault);
		written += (int64_t)chunk->length;
	}
	if (result == 0 && more_length > 0)
		result = volume_append(volume, more, more_length, &fault);
	pthread_mutex_lock(&frames->lock);
	frames->writing = false;
	frames->packed_bytes -= written;
	frames->unsynced = volume_unsynced(volume);
	chunk_give_all(&frames->pool, &waiting);
	if (result != 0)
		fail(frames, &fault);
	return result;
}

/* Under the lock: keep packed bytes until the frame is the head. */
static void
keep(struct frame *frame, const void *bytes, size_t length)
{
	struct frames *frames = frame->frames;

	frames->packed_bytes += (int64_t)length;
	chunk_append(&frames->pool, &frame->packed, bytes, length);
}

/* A packer's sink: the packed bytes of one frame. */
static int
take_packed(void *context, const void *bytes, size_t length)
{
	struct frame *frame = context;
	struct frames *frames = frame->frames;
	int result = 0;

	frame->crc = crc32c(frame->crc, bytes, length);
	pthread_mutex_lock(&frames->lock);
	frame->packed_length += (int64_t)length;
	if (frames->failed)
		result = -1;
	else if (frames->head == frame && !frames->writing)
		result = write_out(frames, frame, bytes, length);
	else
		keep(frame, bytes, length);
	pthread_mutex_unlock(&frames->lock);
	return result;
}

/* The frame is wholly in the volume: its line goes to the spool. */
static int
note_frame(struct frames *frames, struct frame *frame, struct fault *fault)
{
	struct strbuf line = STRBUF_EMPTY;
	int result;

	strbuf_add_number(
	    &line, frames->options.volume->length - frame->packed_length);
	strbuf_addc(&line, ' ');
	strbuf_add_number(&line, frame->packed_length);
	strbuf_addc(&line, ' ');
	strbuf_add_number(&line, frame->plain_length);
	strbuf_addc(&line, ' ');
	strbuf_addf(&line, "%08x", frame->crc);
	result =
	    spool_append(frames->options.spool, line.bytes, line.length, fault);
	strbuf_close(&line);
	return result;
}

void
frames_free_frame(struct frames *frames, struct frame *frame)
{
	chunk_give_all(&frames->pool, &frame->plain);
	chunk_give_all(&frames->pool, &frame->packed);
	packer_free(frame->packer);
	free(frame);
}

/* Under the lock: write and remove what is done at the head of the list. */
static void
settle_head(struct frames *frames)
{
	while (!frames->failed && !frames->writing && frames->head != NULL &&
	    frames->head->done) {
		struct frame *frame = frames->head;
		struct fault fault;

		if (write_out(frames, frame, NULL, 0) != 0)
			return;
		if (note_frame(frames, frame, &fault) != 0) {
			fail(frames, &fault);
			return;
		}
		frames->head = frame->next;
		if (frames->tail == frame)
			frames->tail = NULL;
		frames_free_frame(frames, frame);
		wake_reader(frames);
	}
}

/* Without the lock: pack one chunk of a frame. */
static int
pack_chunk(struct frame *frame, const struct chunk *chunk, struct fault *fault)
{
	if (frame->packer == NULL &&
	    packer_open(&frame->packer, &frame->frames->compression,
		take_packed, frame, fault) != 0)
		return -1;
	return packer_add(frame->packer, chunk->bytes, chunk->length, fault);
}

/* Without the lock: end the packing of a frame that has had all its chunks. */
static int
end_packing(struct frame *frame, struct fault *fault)
{
	struct packer *packer = frame->packer;

	frame->packer = NULL;
	return packer == NULL ? 0 : packer_finish(packer, fault);
}

/*
 * Under the lock, which is dropped meanwhile: pack what is queued on a frame.
 * False if there was nothing to do.
 */
static bool
pack_some(struct frames *frames, struct frame *frame)
{
	struct chunk *chunk = chunk_get(&frame->plain);
	struct fault fault;
	int result;

	if (chunk == NULL && !frame->closed)
		return false;
	pthread_mutex_unlock(&frames->lock);
	result = chunk != NULL ? pack_chunk(frame, chunk, &fault)
			       : end_packing(frame, &fault);
	pthread_mutex_lock(&frames->lock);
	if (chunk != NULL) {
		frames->plain_bytes -= (int64_t)chunk->length;
		chunk_give(&frames->pool, chunk);
	}
	if (result != 0)
		fail(frames, &fault);
	else if (chunk == NULL)
		frame->done = true;
	wake_reader(frames);
	return true;
}

static struct frame *
untaken_frame(const struct frames *frames)
{
	struct frame *frame = frames->head;

	while (frame != NULL && frame->taken)
		frame = frame->next;
	return frame;
}

static void *
work(void *user)
{
	struct frames *frames = user;
	struct frame *frame = NULL;

	pthread_mutex_lock(&frames->lock);
	while (!frames->stop && !frames->failed) {
		if (frame == NULL)
			frame = untaken_frame(frames);
		if (frame != NULL)
			frame->taken = true;
		if (frame == NULL || !pack_some(frames, frame)) {
			wait_for_more(frames);
			continue;
		}
		if (frame->done) {
			frame = NULL;
			settle_head(frames);
		}
	}
	pthread_mutex_unlock(&frames->lock);
	return NULL;
}

/*
 * Under the lock: one more thread, if there is work for it.  Where the host
 * allows none the reader does the work.
 */
void
frames_engage_worker(struct frames *frames)
{
	pthread_attr_t attributes;

	if (frames->thread_count >= frames->wanted ||
	    untaken_frame(frames) == NULL)
		return;
	if (pthread_attr_init(&attributes) != 0)
		abort();
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	if (pthread_create(&frames->threads[frames->thread_count], &attributes,
		work, frames) == 0)
		frames->thread_count++;
	else
		frames->wanted = frames->thread_count;
	pthread_attr_destroy(&attributes);
}

/* Under the lock: without threads, the reader packs what there is. */
void
frames_work_alone(struct frames *frames)
{
	while (frames->thread_count == 0 && !frames->failed &&
	    frames->head != NULL && pack_some(frames, frames->head))
		settle_head(frames);
}
