/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_PACK_CHUNKS_H
#define ENGINE_PACK_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Pieces of memory of one size, in queues, from a pool that counts how many
 * are in use: what bounds the memory of a step.
 */

#define CHUNK_SIZE (256 * 1024)

struct chunk {
	struct chunk *next;
	size_t length; /* of bytes that are filled */
	uint8_t bytes[CHUNK_SIZE];
};

struct chunk_queue {
	struct chunk *first;
	struct chunk *last;
};

struct chunk_pool {
	struct chunk *spare;
	int used;
};

/* An empty chunk; without memory the process aborts. */
struct chunk *chunk_take(struct chunk_pool *pool);

/* Give one back. */
void chunk_give(struct chunk_pool *pool, struct chunk *chunk);

/* Free all that were given back. */
void chunk_free_spare(struct chunk_pool *pool);

/* Put a chunk at the end of a queue. */
void chunk_put(struct chunk_queue *queue, struct chunk *chunk);

/* Take the first off a queue; NULL if it is empty. */
struct chunk *chunk_get(struct chunk_queue *queue);

/* Give all chunks of a queue back. */
void chunk_give_all(struct chunk_pool *pool, struct chunk_queue *queue);

/* Append bytes to a queue, to as many chunks as it takes. */
void chunk_append(struct chunk_pool *pool, struct chunk_queue *queue,
    const void *bytes, size_t length);

#endif
