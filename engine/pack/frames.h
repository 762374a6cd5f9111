/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_PACK_FRAMES_H
#define ENGINE_PACK_FRAMES_H

#include <stddef.h>
#include <stdint.h>

struct compression;
struct fault;
struct frames;
struct pace;
struct spool;
struct volume;

/*
 * The tar stream on its way into the archive: cut into frames, each
 * compressed by one of a few threads into a self-contained piece, and written
 * to the volume in their order.  For each frame the frames spool gets a line
 *
 *	<offset> <packed length> <plain length> <CRC-32C of the packed bytes>
 *
 * with numbers in decimal, the CRC in hexadecimal.  It finds damage in any
 * byte; who must be sure that nobody changed the archive has the SHA-256 of
 * every file in it, and of the list of these in the record.  Only what
 *frames_flush has waited for is in the volume for certain.
 *
 * A frame is long enough not to cost much of the compression and short enough
 * to keep the threads busy and the memory small.  Many tiny entries compress
 * well together and leave the reader no time to feed two threads: they get
 * long frames.
 */

struct frames_options {
	const struct compression *compression;
	int workers; /* threads, 0: none, the caller compresses */
	struct volume *volume;
	struct spool *spool;
	struct pace *pace;
};

/*
 * Begin.  What options point to must outlive the frames, and only frames may
 * use volume and spool until frames_flush has returned.  To be freed with
 * frames_close.
 */
struct frames *frames_open(const struct frames_options *options);

/* Stop the threads and free all; what was not flushed is lost. */
void frames_close(struct frames *frames);

/*
 * A place to put the next plain bytes; room is set to how many fit, at least
 * 1.  May wait for a thread to catch up.  Returns NULL with a fault if some
 * earlier bytes could not be packed or written.
 */
void *frames_reserve(struct frames *frames, size_t *room, struct fault *fault);

/* So many of them were put there.  Returns 0 or -1. */
int frames_commit(struct frames *frames, size_t length, struct fault *fault);

/* The same by copying.  Returns 0 or -1. */
int frames_write(struct frames *frames, const void *bytes, size_t length,
    struct fault *fault);

/* An entry of the archive begins here: how many there are decides a frame's
 * length. */
void frames_note_entry(struct frames *frames);

/*
 * Let no frame become longer than so many plain bytes from now on, so that
 * what is in flight can be written in what is left of a step.
 */
void frames_limit(struct frames *frames, int64_t bytes);

/*
 * Plain bytes and packed bytes that are not in the volume yet, and bytes of
 * the volume that are not on the disk.
 */
void frames_load(struct frames *frames, int64_t *in_flight, int64_t *unsynced);

/* End the frame at hand and wait until all are in the volume.  0 or -1. */
int frames_flush(struct frames *frames, struct fault *fault);

#endif
