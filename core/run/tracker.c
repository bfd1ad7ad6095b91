/* SPDX-License-Identifier: Apache-2.0 */
#include "run/tracker.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/check.h"
#include "base/memory.h"

struct leat_tracked {
	int64_t next;
	bool is_done;
};

void leat_tracker_init(struct leat_tracker *t, int64_t position)
{
	memset(t, 0, sizeof *t);
	pthread_mutex_init(&t->lock, NULL);
	t->position = position;
}

void leat_tracker_finish(struct leat_tracker *t)
{
	free(t->item);
	pthread_mutex_destroy(&t->lock);
}

static void grow(struct leat_tracker *t)
{
	size_t capacity = t->capacity == 0 ? 64 : t->capacity * 2, i;
	struct leat_tracked *item = leat_allocate_zeroed(capacity, sizeof *item);

	for (i = 0; i < t->n; i++)
		item[i] = t->item[(t->head + i) % t->capacity];
	free(t->item);
	t->item = item;
	t->head = 0;
	t->capacity = capacity;
}

uint64_t leat_tracker_open(struct leat_tracker *t, int64_t next)
{
	uint64_t sequence;

	pthread_mutex_lock(&t->lock);
	if (t->n == t->capacity)
		grow(t);
	t->item[(t->head + t->n) % t->capacity] = (struct leat_tracked){ .next = next };
	sequence = t->first + t->n++;
	pthread_mutex_unlock(&t->lock);
	return sequence;
}

void leat_tracker_done(void *tracker, uint64_t sequence)
{
	struct leat_tracker *t = tracker;

	pthread_mutex_lock(&t->lock);
	leat_check(sequence >= t->first && sequence - t->first < t->n);
	t->item[(t->head + (size_t)(sequence - t->first)) % t->capacity].is_done = true;
	while (t->n > 0 && (t->item[t->head].is_done || LEAT_BUG("position-over-undone"))) {
		t->position = t->item[t->head].next;
		t->is_moved = true;
		t->head = (t->head + 1) % t->capacity;
		t->first++;
		t->n--;
	}
	pthread_mutex_unlock(&t->lock);
}

void leat_tracker_advance(struct leat_tracker *t, int64_t position)
{
	pthread_mutex_lock(&t->lock);
	t->position = position;
	t->is_moved = true;
	pthread_mutex_unlock(&t->lock);
}

bool leat_tracker_take(struct leat_tracker *t, int64_t *position)
{
	bool is_moved;

	pthread_mutex_lock(&t->lock);
	is_moved = t->is_moved;
	t->is_moved = false;
	*position = t->position;
	pthread_mutex_unlock(&t->lock);
	return is_moved;
}

void leat_tracker_put_back(struct leat_tracker *t)
{
	pthread_mutex_lock(&t->lock);
	t->is_moved = true;
	pthread_mutex_unlock(&t->lock);
}

bool leat_tracker_is_full(struct leat_tracker *t)
{
	bool is_full;

	pthread_mutex_lock(&t->lock);
	is_full = t->n >= LEAT_TRACKER_BATCHES;
	pthread_mutex_unlock(&t->lock);
	return is_full;
}

bool leat_tracker_is_busy(struct leat_tracker *t)
{
	bool is_busy;

	pthread_mutex_lock(&t->lock);
	is_busy = t->is_moved || t->n > 0;
	pthread_mutex_unlock(&t->lock);
	return is_busy;
}
