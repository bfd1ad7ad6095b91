/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_DELIVERY_H
#define LEAT_RUN_DELIVERY_H

#include "run/route.h"

/*
 * Delivery: one thread for each sink. It claims the sink, then takes whatever effects have gathered and has the plugin
 * apply them in one step; while that runs the next ones gather, so batches grow as they need to. Effects stay in the
 * arena they were encoded in until they are delivered, and with them the batch they were made from.
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
};

struct leat_sink;

struct leat_sink *leat_sink_create(struct leat_pipeline *p, const struct leat_node *node);
enum leat_status leat_sink_start(struct leat_sink *sink, struct leat_error *err);
/* Ends the thread; undelivered groups are let go of without having been delivered. */
void leat_sink_stop(struct leat_sink *sink);
void leat_sink_destroy(struct leat_sink *sink);

/* From any thread; never blocks. */
void leat_sink_push(struct leat_sink *sink, struct leat_group *group);
/* False: the queue holds more bytes than the budget; the workers that want room are woken when it has shrunk. */
bool leat_sink_has_room(struct leat_sink *sink);

/* Adds what it has counted. */
void leat_sink_figures(struct leat_sink *sink, struct leat_pipeline_figures *figures);

#endif
