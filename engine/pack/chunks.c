/* SPDX-License-Identifier: MIT */
#include "pack/chunks.h"

#include <stdlib.h>
#include <string.h>

struct chunk *
chunk_take(struct chunk_pool *pool)
{
	struct chunk *chunk = pool->spare;

	if (chunk != NULL)
		pool->spare = chunk->next;
	else
		chunk = malloc(sizeof(*chunk));
	if (chunk == NULL)
		abort();
	chunk->next = NULL;
	chunk->length = 0;
	pool->used++;
	return chunk;
}

void
chunk_give(struct chunk_pool *pool, struct chunk *chunk)
{
	chunk->next = pool->spare;
	pool->spare = chunk;
	pool->used--;
}

void
chunk_free_spare(struct chunk_pool *pool)
{
	struct chunk *chunk;

	while ((chunk = pool->spare) != NULL) {
		pool->spare = chunk->next;
		free(chunk);
	}
}

void
chunk_put(struct chunk_queue *queue, struct chunk *chunk)
{
	if (queue->last != NULL)
		queue->last->next = chunk;
	else
		queue->first = chunk;
	queue->last = chunk;
}

struct chunk *
chunk_get(struct chunk_queue *queue)
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

void
chunk_give_all(struct chunk_pool *pool, struct chunk_queue *queue)
{
	struct chunk *chunk;

	while ((chunk = chunk_get(queue)) != NULL)
		chunk_give(pool, chunk);
}

void
chunk_append(struct chunk_pool *pool, struct chunk_queue *queue,
    const void *bytes, size_t length)
{
	const char *from = bytes;

	while (length > 0) {
		struct chunk *chunk = queue->last;
		size_t part;

		if (chunk == NULL || chunk->length == CHUNK_SIZE) {
			chunk = chunk_take(pool);
			chunk_put(queue, chunk);
		}
		part = CHUNK_SIZE - chunk->length;
		if (part > length)
			part = length;
		memcpy(chunk->bytes + chunk->length, from, part);
		chunk->length += part;
		from += part;
		length -= part;
	}
}
