/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_DELIVERY_H
#define LEAT_RUN_DELIVERY_H

#include "run/route.h"
#include "state/store.h"

/*
 * Delivery: one thread for each sink. It claims the sink, then takes whatever effects have gathered and has the plugin
 * apply them in one step; while that runs the next ones gather, so batches grow as they need to. Effects stay in the
 * arena they were encoded in until they are delivered, and with them the batch they were made from.
 *
 * With epochs (outbox.c) effects are held back until the epoch that has them is durable, and go in whole epochs: all that are
 * durable when the sink has time, in one fenced step. Without, they go as they come.
 */

struct leat_group_effect {
	size_t n; /* bytes */
	const struct leat_record *record;
};

/* Effects of one batch, in its arena. */
struct leat_group {
	struct leat_group *next;
	struct leat_arena *arena; /* one reference */
	const char *bytes;
	size_t bytes_n;
	size_t n;
	struct leat_group_effect *effect;
	bool is_bare;            /* their events are gone: what can be told of one are its bytes */
	bool ends_epoch;         /* the sink's last one of its epoch, */
	struct leat_fence fence; /* which the sink's fence is set to behind it */
	int64_t queued_us, left_us, closed_us, durable_us; /* see phases.h */
};

struct leat_sink;

struct leat_sink *leat_sink_create(struct leat_pipeline *p, const struct leat_node *node);
enum leat_status leat_sink_start(struct leat_sink *sink, struct leat_error *err);
/* Ends the thread; undelivered groups are let go of without having been delivered. */
void leat_sink_stop(struct leat_sink *sink);
void leat_sink_destroy(struct leat_sink *sink);

/* From any thread; never blocks. `round` is that of the shard which made them; NULL: they are not made by a shard, and belong
 * to the epoch that is open now. */
void leat_sink_push(struct leat_sink *sink, struct leat_group *group, const uint64_t *round);
/* False: the queue holds more bytes than the budget; the workers that want room are woken when it has shrunk. */
bool leat_sink_has_room(struct leat_sink *sink);

/* ---- epochs; all of it the coordinator's ------------------------------------------------------------------------------ */

/* Puts what the shards have made before the barrier of `round`, and what was delivered meanwhile. Returns how many numbers from
 * `epoch` on it takes: none without effects; more than one when they are too many for one step, and go in several. */
size_t leat_sink_put_epoch(struct leat_sink *sink, struct leat_store *store, uint64_t round, uint64_t epoch, struct leat_buffer *scratch);
/* The last one with `n_rounds` that were written. */
void leat_sink_put_delivered(struct leat_sink *sink, struct leat_store *store, uint64_t n_rounds);
/* They are durable: they may go. Their epoch had ended at `closed_us`. */
void leat_sink_release(struct leat_sink *sink, int64_t closed_us);
/* Has durable effects that are not delivered. */
bool leat_sink_is_busy(const struct leat_sink *sink);

/* Adds what it has counted. */
void leat_sink_figures(struct leat_sink *sink, struct leat_pipeline_figures *figures);

#endif
