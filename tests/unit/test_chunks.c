/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "dice.h"

#include "pack/chunks.h"

static void
counts_what_is_in_use(void **state)
{
	struct chunk_pool pool = { NULL, 0 };
	struct chunk *one = chunk_take(&pool), *two = chunk_take(&pool), *again;

	(void)state;
	assert_ptr_not_equal(one, two);
	assert_int_equal(pool.used, 2);
	assert_int_equal(one->length, 0);
	one->length = 7;
	chunk_give(&pool, one);
	assert_int_equal(pool.used, 1);
	/* What was given back is taken again, empty. */
	again = chunk_take(&pool);
	assert_ptr_equal(again, one);
	assert_int_equal(again->length, 0);
	assert_null(again->next);
	chunk_give(&pool, two);
	chunk_give(&pool, again);
	assert_int_equal(pool.used, 0);
	chunk_free_spare(&pool);
	assert_null(pool.spare);
	chunk_free_spare(&pool);
}

static void
queues_keep_their_order(void **state)
{
	struct chunk_pool pool = { NULL, 0 };
	struct chunk_queue queue = { NULL, NULL };
	struct chunk *chunks[5];

	(void)state;
	assert_null(chunk_get(&queue));
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < COUNT_OF(chunks); i++)
			chunk_put(&queue, chunks[i] = chunk_take(&pool));
		for (size_t i = 0; i < round; i++) {
			assert_ptr_equal(chunk_get(&queue), chunks[i]);
			assert_null(chunks[i]->next);
			chunk_give(&pool, chunks[i]);
		}
		assert_ptr_equal(queue.first, chunks[round]);
		chunk_give_all(&pool, &queue);
		assert_null(queue.first);
		assert_null(queue.last);
		assert_int_equal(pool.used, 0);
	}
	chunk_free_spare(&pool);
}

/* The bytes of a queue, one after another, are those that were appended. */
static void
appends_across_chunks(void **state)
{
	static const size_t lengths[] = { 0, 1, CHUNK_SIZE - 1, CHUNK_SIZE,
		CHUNK_SIZE + 1, 3 * CHUNK_SIZE, 5, 0, 100000 };
	struct dice dice = dice_new();
	struct chunk_pool pool = { NULL, 0 };
	struct chunk_queue queue = { NULL, NULL };
	size_t total = 0, at = 0;
	uint8_t *bytes = malloc((size_t)8 * CHUNK_SIZE);

	(void)state;
	dice_fill(&dice, bytes, (size_t)8 * CHUNK_SIZE);
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		chunk_append(&pool, &queue, bytes + total, lengths[i]);
		total += lengths[i];
	}
	assert_int_equal(pool.used, (total + CHUNK_SIZE - 1) / CHUNK_SIZE);
	for (struct chunk *chunk = queue.first; chunk != NULL;
	     chunk = chunk->next) {
		assert_true(chunk->length == CHUNK_SIZE || chunk->next == NULL);
		assert_memory_equal(chunk->bytes, bytes + at, chunk->length);
		at += chunk->length;
	}
	assert_int_equal(at, total);
	chunk_give_all(&pool, &queue);
	chunk_free_spare(&pool);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_what_is_in_use),
		cmocka_unit_test(queues_keep_their_order),
		cmocka_unit_test(appends_across_chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
