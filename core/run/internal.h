/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_INTERNAL_H
#define LEAT_RUN_INTERNAL_H

#include <pthread.h>

#include "run/flow.h"
#include "run/instance.h"
#include "run/pipeline.h"
#include "run/worker.h"

/* What the files of this folder share about a running pipeline. */

struct leat_sink;
struct leat_shard;
struct leat_channel;
struct leat_epochs;
struct leat_letters;
struct leat_replays;

/* Of a node, whatever its role. */
struct leat_node_state {
	pthread_mutex_t lock;
	char trouble[LEAT_ERROR_TEXT]; /* under the lock */
	int64_t logged_us;             /* when trouble was logged last; under the lock */
	_Atomic bool is_ready;
	_Atomic bool may_read;         /* sources: its partitions were opened, as far as they could be */
	leat_counter retries, errors; /* of the supervisor's calls */
	struct leat_dead_log dead_log;
	bool is_away;            /* sources: partitions() or open() said "later"; supervisor only */
	void *self;              /* sources and sinks: the one instance struct */
	struct leat_sink *sink;  /* sinks */
	bool has_ended;          /* sources: every partition has; supervisor only */
	uint32_t n_partitions;   /* sources; supervisor only */
	_Atomic uint32_t n_open; /* sources */
	_Atomic int64_t heard_us; /* sources: when a record with a time was last read, in monotonic time */
	_Atomic uint64_t n_letters; /* in the queue */
};

struct leat_pipeline {
	const struct leat_plan *plan;
	const struct leat_description *description;
	struct leat_run_options options;
	struct leat_flow flow;
	struct leat_worker *worker;
	uint32_t n_workers;
	struct leat_node_state *node; /* by node index */
	struct leat_epochs *epochs;   /* NULL: at least once, and so are these: */
	struct leat_letters *letters;
	struct leat_replays *replays;
	bool uses_time;               /* some operator may ask for event time */
	_Atomic bool is_laid_out;     /* its sinks are all made: figures may look at them */

	pthread_t supervisor;
	bool has_supervisor;
	int64_t started_us;
	_Atomic bool is_draining; /* sources are polled no more */
	_Atomic bool is_stopping; /* nothing runs any more */

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t changed;
	_Atomic enum leat_run_state state;
	bool has_error;
	bool wants_attention; /* of the supervisor */
	struct leat_error error;
	struct leat_shard **shard; /* of all stages; grows only */
	size_t n_shards, shard_capacity;
	struct leat_channel **channel;
	size_t n_channels, channel_capacity;
};

/* The first error stays; everything stops. `node` may be NULL. */
void leat_pipeline_fail(struct leat_pipeline *p, const struct leat_node *node, const struct leat_error *err);
/* Wakes the supervisor. */
void leat_pipeline_nudge(struct leat_pipeline *p);
/* A node's call said "later": keeps the reason for figures and logs it, though not over and over. NULL: all is well again. */
void leat_pipeline_trouble(struct leat_pipeline *p, const struct leat_node *node, const struct leat_error *err);

/* 100 ms, doubled up to 5 s, each time somewhere between half of it and all of it, so that many do not come back at once. */
int64_t leat_backoff_us(uint32_t *attempt);

/* For taking a lock behind a const pointer: figures and errors are read from any thread. */
static inline struct leat_pipeline *leat_pipeline_unconst(const struct leat_pipeline *p)
{
	union {
		const struct leat_pipeline *from;
		struct leat_pipeline *to;
	} u = { .from = p };

	return u.to;
}

/* Bytes of a record as it came, or an estimate where it was made here. */
uint64_t leat_record_bytes(const struct leat_record *record);

#endif
