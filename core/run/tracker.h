/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_TRACKER_H
#define LEAT_RUN_TRACKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The batches that a reader has handed over, in order, and how far they are done with. They end in any order and on any
 * thread; the position moves on only over a run of done batches from the front, so that nothing is acknowledged before
 * everything ahead of it was delivered.
 */
enum { LEAT_TRACKER_BATCHES = 65536 };

struct leat_tracker {
	pthread_mutex_t lock;
	struct leat_tracked *item; /* ring of `capacity` */
	size_t head, n, capacity;
	uint64_t first;  /* sequence of item[head] */
	int64_t position; /* where to go on after a restart */
	bool is_moved;    /* since leat_tracker_take() */
};

void leat_tracker_init(struct leat_tracker *t, int64_t position);
void leat_tracker_finish(struct leat_tracker *t);
/* A batch was read; `next` is where its reader goes on. Returns its sequence. */
uint64_t leat_tracker_open(struct leat_tracker *t, int64_t next);
/* From any thread, once for each sequence. Fits leat_ticket.done. */
void leat_tracker_done(void *tracker, uint64_t sequence);
/* Something is to be taken now, or will be once what is under way is delivered. */
bool leat_tracker_is_busy(struct leat_tracker *t);
/* So many batches wait behind one that is not done that no more should be read: a restart would have to read them again. */
bool leat_tracker_is_full(struct leat_tracker *t);
/* Instead of open() and done(): everything before `position` is dealt with. */
void leat_tracker_advance(struct leat_tracker *t, int64_t position);
/* True when the position has moved since the last call. */
bool leat_tracker_take(struct leat_tracker *t, int64_t *position);
/* What was taken could not be told to the source: have it taken again. */
void leat_tracker_put_back(struct leat_tracker *t);

#endif
