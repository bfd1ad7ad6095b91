/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_KIT_WORLD_H
#define LEAT_KIT_WORLD_H

#include "graph/plan.h"
#include "kit/solo.h"
#include "run/event_time.h"

/*
 * A whole pipeline in the caller's thread, with the caller's clock: its operators, shards, exchanges by key, watermarks and
 * timers are those of the plan; events are handed in at its sources, and what reaches its sinks is only noted. Each event is a
 * batch, and all that follows from it happens before the next one, in the order of the plan: so it does the same each time.
 *
 * Between two calls it can be checkpointed, ended as by a crash, and begun again.
 */

/* What came out of a port, or into a sink. */
struct leat_world_row {
	uint32_t node;
	uint32_t port; /* LEAT_DEAD_PORT; of a sink 0 */
	char *json;
};

struct leat_world_event {
	const struct leat_node *source;
	int32_t partition;
	const char *text; /* as the source reads it: `text_n` bytes, decoded by the node's format; NULL: a tombstone */
	size_t text_n;
	bool is_value; /* the text is JSON, whatever the format is */
	const char *key; /* or NULL */
	int64_t time_us; /* the source's own timestamp */
};

struct leat_world;

/* `n_partitions` of each source, by node. Frozen symbols. LEAT_FATAL: an instance could not be made. */
enum leat_status leat_world_create(const struct leat_plan *plan, const uint32_t *n_partitions, int64_t now_us, struct leat_world **out,
                                   struct leat_error *err);
void leat_world_destroy(struct leat_world *world); /* accepts NULL */

/* Errors are those of the plugins' functions, with the node in front. */
enum leat_status leat_world_push(struct leat_world *world, const struct leat_world_event *event, struct leat_error *err);
/* Moves the clock: timers fire on the way, each at its time, and partitions become idle. Never back. */
enum leat_status leat_world_set_time(struct leat_world *world, int64_t now_us, struct leat_error *err);
/* All sources end for good. */
enum leat_status leat_world_end(struct leat_world *world, struct leat_error *err);

void leat_world_checkpoint(struct leat_world *world);
/* Back to the checkpoint, with what came out since forgotten. */
enum leat_status leat_world_crash(struct leat_world *world, struct leat_error *err);

size_t leat_world_rows(const struct leat_world *world, const struct leat_world_row **rows);

#endif
