/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_BASE_RING_H
#define LEAT_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A bounded ring of pointers, one producer thread and one consumer thread, without locks. Items come out in order.
 * (Lamport's queue with cached indices, as in Rigtorp's SPSCQueue.)
 */

struct leat_ring;

struct leat_ring *leat_ring_create(size_t capacity); /* rounded up to a power of two */
void leat_ring_destroy(struct leat_ring *ring);      /* accepts NULL; items left in it are the caller's to pull first */
bool leat_ring_push(struct leat_ring *ring, void *item); /* false: full, nothing changed */
void *leat_ring_pull(struct leat_ring *ring);            /* NULL: empty */
size_t leat_ring_fill(const struct leat_ring *ring);     /* a snapshot, from any thread */
size_t leat_ring_capacity(const struct leat_ring *ring);

#endif
