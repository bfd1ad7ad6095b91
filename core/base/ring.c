/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One producer, one consumer. Each side owns a cache line with its own index and its last look at the other's: while that
 * look still promises room (or items), the other side's line is not touched at all.
 *
 * Indices only grow and are masked on use, so full and empty differ without a slot left unused.
 */
#include "base/ring.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"

enum { CACHE_LINE = 64 };

struct leat_ring {
	size_t mask;
	void **slot;
	alignas(CACHE_LINE) atomic_size_t tail; /* the producer's: next slot to write */
	size_t seen_head;
	alignas(CACHE_LINE) atomic_size_t head; /* the consumer's: next slot to read */
	size_t seen_tail;
};

struct leat_ring *leat_ring_create(size_t capacity)
{
	struct leat_ring *ring;
	size_t n = 1;
	void *p = NULL;

	leat_check(capacity <= SIZE_MAX / 2 / sizeof(void *));
	while (n < capacity)
		n *= 2;
	leat_check(posix_memalign(&p, CACHE_LINE, sizeof *ring) == 0);
	ring = p;
	ring->mask = n - 1;
	ring->slot = leat_allocate_zeroed(n, sizeof *ring->slot);
	atomic_init(&ring->tail, 0);
	atomic_init(&ring->head, 0);
	ring->seen_head = 0;
	ring->seen_tail = 0;
	return ring;
}

void leat_ring_destroy(struct leat_ring *ring)
{
	if (ring == NULL)
		return;
	free(ring->slot);
	free(ring);
}

bool leat_ring_push(struct leat_ring *ring, void *item)
{
	size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	if (tail - ring->seen_head > ring->mask) {
		ring->seen_head = atomic_load_explicit(&ring->head, memory_order_acquire);
		if (tail - ring->seen_head > ring->mask)
			return false;
	}
	ring->slot[tail & ring->mask] = item;
	atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
	return true;
}

void *leat_ring_pull(struct leat_ring *ring)
{
	size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	void *item;

	if (head == ring->seen_tail) {
		ring->seen_tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
		if (head == ring->seen_tail)
			return NULL;
	}
	item = ring->slot[head & ring->mask];
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
	return item;
}

size_t leat_ring_fill(const struct leat_ring *ring)
{
	/* The head first: read the other way round, a fast consumer could be seen ahead of the tail. */
	size_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
	size_t fill = atomic_load_explicit(&ring->tail, memory_order_acquire) - head;

	return fill > ring->mask ? ring->mask + 1 : fill;
}

size_t leat_ring_capacity(const struct leat_ring *ring)
{
	return ring->mask + 1;
}
