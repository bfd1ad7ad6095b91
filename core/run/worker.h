/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_WORKER_H
#define LEAT_RUN_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct leat_shard;
struct leat_mail;

/*
 * A thread that owns shards and runs them in turn, downstream ones first, until none has anything to do; then it sleeps
 * until it is woken or the earliest deadline of its shards is there. Nobody else touches its shards: what others want done
 * to them they send as mail.
 */
struct leat_worker {
	uint32_t index;
	pthread_t thread;
	bool is_started;
	struct leat_shard **shard; /* by stage, later stages first */
	size_t n_shards, shard_capacity;
	_Atomic bool is_woken;
	_Atomic bool is_asleep;
	_Atomic bool wants_room; /* some shard waits for the budget or for a sink's queue */
	_Atomic int64_t round_us; /* when it last came round, in monotonic microseconds; 0: asleep, or not running */
	_Atomic uint32_t node;    /* whose plugin it called last: where it is stuck, if it is */
	bool is_stopped; /* by mail; the thread ends */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct leat_mail *mail; /* in order; under the lock */
	_Atomic uint64_t wakeups;
};

void leat_worker_init(struct leat_worker *w, uint32_t index);
void leat_worker_start(struct leat_worker *w);
/* Ends the thread after the mail that is already there; waits for it. */
void leat_worker_stop(struct leat_worker *w);
void leat_worker_finish(struct leat_worker *w);

/* Worker thread: the plugin of this node is called next. */
static inline void leat_worker_enter(struct leat_worker *w, uint32_t node)
{
	atomic_store_explicit(&w->node, node, memory_order_relaxed);
}

/* From any thread; cheap when it is awake. */
void leat_worker_wake(struct leat_worker *w);
/* Has the worker's thread call `run`, in the order of sending. */
void leat_worker_send(struct leat_worker *w, void (*run)(void *opaque), void *opaque);
/* The same, and waits until it has been done. Not from a worker's thread. */
void leat_worker_call(struct leat_worker *w, void (*run)(void *opaque), void *opaque);
/* On the worker's thread (or before it starts). */
void leat_worker_adopt(struct leat_worker *w, struct leat_shard *shard);

#endif
