/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_POOL_H
#define LEAT_STATE_POOL_H

#include <stddef.h>
#include <stdint.h>

/*
 * Items of one size, numbered from 1, in blocks that never move: a number is half of a pointer, and 0 is none. An item that
 * was given back is taken again first; its first four bytes are the pool's meanwhile, the rest stays as it was.
 */
struct leat_pool {
	char **block;
	uint32_t mask;  /* items per block - 1 */
	uint32_t shift; /* log2 of items per block */
	size_t stride;
	uint32_t n_used; /* numbers 1 .. n_used - 1 were handed out at some time */
	uint32_t free;   /* last one given back, or 0 */
	size_t n_blocks;
	size_t capacity;
	size_t bytes;
};

void leat_pool_init(struct leat_pool *pool, size_t item_size);
void leat_pool_finish(struct leat_pool *pool);
/* Not zeroed when it is taken again; zeroed when it is new. */
uint32_t leat_pool_take(struct leat_pool *pool);
void leat_pool_give(struct leat_pool *pool, uint32_t number);
static inline void *leat_pool_at(const struct leat_pool *pool, uint32_t number)
{
	return pool->block[number >> pool->shift] + (number & pool->mask) * pool->stride;
}

#endif
