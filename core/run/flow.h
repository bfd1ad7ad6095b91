/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_FLOW_H
#define LEAT_RUN_FLOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

/*
 * What is in flight between sources and sinks. Every batch lives in an arena; whoever still needs it (a packet in a ring,
 * effects in a sink's queue, a batch made from it) holds a reference. So three things follow from arenas alone:
 *
 *  - memory is bounded: sources are polled only while the bytes of all live arenas are below the limit;
 *  - a source's batch is done with when its arena goes: everything made from it has been delivered (see tracker.h);
 *  - nothing is in flight when no arena lives.
 */
struct leat_flow {
	_Atomic uint64_t bytes;
	_Atomic uint64_t live; /* arenas */
	uint64_t limit;
	_Atomic bool is_waited_for; /* someone wants to hear when bytes fall below the limit or live to 0 */
	void (*eased)(void *opaque);
	void *opaque;
};

/* Lives in the arena it counts. */
struct leat_ticket {
	struct leat_flow *flow;
	uint64_t counted;
	void (*done)(void *opaque, uint64_t sequence); /* everything made from the batch was delivered; may be NULL */
	void *opaque;
	uint64_t sequence;
};

/* A new arena, counted as live. The caller holds its one reference. */
struct leat_ticket *leat_flow_open(struct leat_flow *flow, struct leat_arena **arena);
/* Counts the arena's bytes: called by its writer when a batch is complete. */
void leat_flow_settle(struct leat_ticket *ticket, const struct leat_arena *arena);

/* For bytes outside arenas, such as encoded effects. */
void leat_flow_add(struct leat_flow *flow, uint64_t bytes);
void leat_flow_remove(struct leat_flow *flow, uint64_t bytes);

/* False asks for a call to eased() once it may be true again. */
bool leat_flow_has_room(struct leat_flow *flow);
bool leat_flow_is_empty(struct leat_flow *flow);

#endif
