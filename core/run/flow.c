/* SPDX-License-Identifier: Apache-2.0 */
#include "run/flow.h"

#include <string.h>

/* Only when it helps: with a slow sink, most of what is released leaves the budget as full as it was. */
static void ease(struct leat_flow *flow)
{
	if (!atomic_load(&flow->is_waited_for))
		return;
	if (atomic_load(&flow->bytes) >= flow->limit && atomic_load(&flow->live) > 0)
		return;
	if (atomic_exchange(&flow->is_waited_for, false))
		flow->eased(flow->opaque);
}

static void release(void *opaque, size_t bytes)
{
	const struct leat_ticket *t = opaque;
	struct leat_flow *flow = t->flow;

	(void)bytes;
	if (t->done != NULL)
		t->done(t->opaque, t->sequence);
	atomic_fetch_sub(&flow->bytes, t->counted);
	atomic_fetch_sub(&flow->live, 1);
	ease(flow);
}

struct leat_ticket *leat_flow_open(struct leat_flow *flow, struct leat_arena **arena)
{
	struct leat_ticket *t;

	*arena = leat_arena_create();
	t = leat_arena_allocate(*arena, sizeof *t);
	memset(t, 0, sizeof *t);
	t->flow = flow;
	atomic_fetch_add(&flow->live, 1);
	leat_arena_on_release(*arena, release, t);
	return t;
}

void leat_flow_settle(struct leat_ticket *ticket, const struct leat_arena *arena)
{
	uint64_t bytes = leat_arena_bytes(arena);

	atomic_fetch_add(&ticket->flow->bytes, bytes - ticket->counted);
	ticket->counted = bytes;
}

void leat_flow_add(struct leat_flow *flow, uint64_t bytes)
{
	atomic_fetch_add(&flow->bytes, bytes);
}

void leat_flow_remove(struct leat_flow *flow, uint64_t bytes)
{
	atomic_fetch_sub(&flow->bytes, bytes);
	ease(flow);
}

bool leat_flow_has_room(struct leat_flow *flow)
{
	if (atomic_load(&flow->bytes) < flow->limit)
		return true;
	atomic_store(&flow->is_waited_for, true);
	/* Once more: what was released in between did not see that we wait. */
	return atomic_load(&flow->bytes) < flow->limit;
}

bool leat_flow_is_empty(struct leat_flow *flow)
{
	if (atomic_load(&flow->live) == 0)
		return true;
	atomic_store(&flow->is_waited_for, true);
	return atomic_load(&flow->live) == 0;
}
