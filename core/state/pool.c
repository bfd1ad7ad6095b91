/* SPDX-License-Identifier: Apache-2.0 */
#include "state/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

/* Small enough that an instance with a handful of keys stays small, large enough that blocks are few. */
enum { BLOCK_BYTES = 16 * 1024, MOST_ALIGNED = 16, ALIGNED = 8 };

void leat_pool_init(struct leat_pool *pool, size_t item_size)
{
	*pool = (struct leat_pool){ .n_used = 1 };
	/* What needs 16 has a size that is a multiple of it. */
	if (item_size % MOST_ALIGNED != 0)
		item_size = (item_size + ALIGNED - 1) & ~(size_t)(ALIGNED - 1);
	pool->stride = item_size;
	while ((pool->stride << (pool->shift + 1)) <= BLOCK_BYTES)
		pool->shift++;
	pool->mask = (UINT32_C(1) << pool->shift) - 1;
}

void leat_pool_finish(struct leat_pool *pool)
{
	for (size_t i = 0; i < pool->n_blocks; i++)
		free(pool->block[i]);
	free(pool->block);
	*pool = (struct leat_pool){ 0 };
}

uint32_t leat_pool_take(struct leat_pool *pool)
{
	uint32_t number = pool->free;

	if (number != 0) {
		memcpy(&pool->free, leat_pool_at(pool, number), sizeof pool->free);
		return number;
	}
	number = pool->n_used;
	leat_check(number != UINT32_MAX);
	/* Where a block has one item only, the first is that of number 0, which is never handed out. */
	while ((number >> pool->shift) >= pool->n_blocks) {
		pool->block = leat_grow(pool->block, pool->n_blocks, &pool->capacity, sizeof *pool->block);
		pool->block[pool->n_blocks++] = leat_allocate_zeroed((size_t)pool->mask + 1, pool->stride);
		pool->bytes = pool->n_blocks * (((size_t)pool->mask + 1) * pool->stride) + pool->capacity * sizeof *pool->block;
	}
	pool->n_used++;
	return number;
}

void leat_pool_give(struct leat_pool *pool, uint32_t number)
{
	memcpy(leat_pool_at(pool, number), &pool->free, sizeof pool->free);
	pool->free = number;
}
