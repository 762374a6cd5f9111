/* SPDX-License-Identifier: MIT */
/*
 * One reader (the caller) fills chunks and queues them on the last frame of a
 * list; a worker takes the first frame that nobody has and packs its chunks as
 * they come.  Packed bytes of the head of the list go to the volume at once,
 * those of later frames wait in memory until all before them are written.
 * Whoever finishes the head writes what waits behind it.
 *
 * One lock guards the list and all counts.  Compressing, hashing and writing
 * are done without it; "writing" says that somebody is at the volume.
 */
#include "pack/frames.h"

#include "base/budget.h"
#include "base/crc32c.h"
#include "base/fault.h"
#include "base/strbuf.h"
#include "pack/packer.h"
#include "pack/volume.h"
#include "store/profile.h"
#include "store/spool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE  (256 * 1024)
#define WORKERS_MAX 16

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

#define THREAD_STACK (512 * 1024)

struct chunk {
	struct chunk *next;
	size_t length;
	uint8_t bytes[CHUNK_SIZE];
};

struct queue {
	struct chunk *first;
	struct chunk *last;
};

struct frame {
	struct frame *next;
	struct frames *frames;
	struct queue plain;  /* to be packed */
	struct queue packed; /* to be written */
	bool closed;         /* nothing more will be queued */
	bool taken;          /* a worker has it */
	bool done;           /* all of it is packed */
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
	pthread_t threads[WORKERS_MAX];
	int thread_count;
	int wanted; /* threads; 0: none can be had */
	bool stop;
	bool failed;
	struct fault fault;
	bool writing;
	struct frame *head;
	struct frame *tail; /* the one that is filled, or NULL */
	struct chunk *spare;
	int chunks;           /* in use */
	int64_t plain_bytes;  /* queued and not yet packed */
	int64_t packed_bytes; /* packed and not yet written */
	int64_t unsynced;     /* of the volume, as of the last write */
	int64_t limit;
	/* the reader's own */
	struct chunk *filling; /* not yet queued */
	int64_t entries;       /* that begin in it */
};

static struct chunk *
new_chunk(struct frames *frames)
{
	struct chunk *chunk = frames->spare;

	if (chunk != NULL)
		frames->spare = chunk->next;
	else
		chunk = malloc(sizeof(*chunk));
	if (chunk == NULL)
		abort();
	chunk->next = NULL;
	chunk->length = 0;
	frames->chunks++;
	return chunk;
}

static void
free_chunk(struct frames *frames, struct chunk *chunk)
{
	chunk->next = frames->spare;
	frames->spare = chunk;
	frames->chunks--;
}

static void
enqueue(struct queue *queue, struct chunk *chunk)
{
	if (queue->last != NULL)
		queue->last->next = chunk;
	else
		queue->first = chunk;
	queue->last = chunk;
}

static struct chunk *
dequeue(struct queue *queue)
{
	struct chunk *chunk = queue->first;

	if (chunk == NULL)
		return NULL;
	queue->first = chunk->next;
	if (queue->first == NULL)
		queue->last = NULL;
	chunk->next = NULL;
	return chunk;
}

/* Under the lock: there is more to do for a worker. */
static void
wake_workers(struct frames *frames)
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

static void
wait_for_room(struct frames *frames)
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
	wake_workers(frames);
	wake_reader(frames);
}

static int
report_failure(const struct frames *frames, struct fault *fault)
{
	*fault = frames->fault;
	return -1;
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
	struct queue waiting = frame->packed;
	struct fault fault;
	struct chunk *chunk;
	int64_t written = 0;
	int result = 0;

	frame->packed = (struct queue){ NULL, NULL };
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
	while ((chunk = dequeue(&waiting)) != NULL)
		free_chunk(frames, chunk);
	if (result != 0)
		fail(frames, &fault);
	return result;
}

/* Under the lock: keep packed bytes until the frame is the head. */
static void
keep(struct frame *frame, const uint8_t *bytes, size_t length)
{
	struct frames *frames = frame->frames;

	frames->packed_bytes += (int64_t)length;
	while (length > 0) {
		struct chunk *chunk = frame->packed.last;
		size_t part;

		if (chunk == NULL || chunk->length == CHUNK_SIZE) {
			chunk = new_chunk(frames);
			enqueue(&frame->packed, chunk);
		}
		part = CHUNK_SIZE - chunk->length;
		if (part > length)
			part = length;
		memcpy(chunk->bytes + chunk->length, bytes, part);
		chunk->length += part;
		bytes += part;
		length -= part;
	}
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

static void
free_frame(struct frames *frames, struct frame *frame)
{
	struct chunk *chunk;

	while ((chunk = dequeue(&frame->plain)) != NULL)
		free_chunk(frames, chunk);
	while ((chunk = dequeue(&frame->packed)) != NULL)
		free_chunk(frames, chunk);
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
		free_frame(frames, frame);
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
	struct chunk *chunk = dequeue(&frame->plain);
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
		free_chunk(frames, chunk);
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
static void
engage_worker(struct frames *frames)
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
static void
work_alone(struct frames *frames)
{
	while (frames->thread_count == 0 && !frames->failed &&
	    frames->head != NULL && pack_some(frames, frames->head))
		settle_head(frames);
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
	if (frames->wanted > WORKERS_MAX)
		frames->wanted = WORKERS_MAX;
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
	struct chunk *chunk;

	if (frames == NULL)
		return;
	pthread_mutex_lock(&frames->lock);
	frames->stop = true;
	wake_workers(frames);
	pthread_mutex_unlock(&frames->lock);
	for (int i = 0; i < frames->thread_count; i++)
		pthread_join(frames->threads[i], NULL);
	while (frames->head != NULL) {
		struct frame *frame = frames->head;

		frames->head = frame->next;
		free_frame(frames, frame);
	}
	if (frames->filling != NULL)
		free_chunk(frames, frames->filling);
	while ((chunk = frames->spare) != NULL) {
		frames->spare = chunk->next;
		free(chunk);
	}
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
	wake_workers(frames);
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
	enqueue(&frame->plain, chunk);
	frame->plain_length += (int64_t)chunk->length;
	frames->plain_bytes += (int64_t)chunk->length;
	if (frame->plain_length >= target_of(frames, frame))
		close_frame(frames);
	wake_workers(frames);
	engage_worker(frames);
	work_alone(frames);
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
		    frames->chunks >=
			CHUNKS_BASE + CHUNKS_PER_WORKER * frames->wanted)
			wait_for_room(frames);
		if (frames->failed) {
			report_failure(frames, fault);
			pthread_mutex_unlock(&frames->lock);
			return NULL;
		}
		frames->filling = new_chunk(frames);
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
	work_alone(frames);
	while (!frames->failed && frames->head != NULL)
		wait_for_room(frames);
	if (frames->failed)
		result = report_failure(frames, fault);
	pthread_mutex_unlock(&frames->lock);
	pace_note_drain(frames->options.pace, in_flight, budget_now() - before);
	return result;
}
