/* SPDX-License-Identifier: Apache-2.0 */
/* A sink's effects on their way through an epoch: open while shards add to them, closed while they are written, queued when
 * they are durable (E1), noted as delivered with a later epoch. After a restart they come back from the store. */
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "run/epoch.h"
#include "run/sink.h"

/* E7: not before the dead letters of what was refused are in an epoch too. Until then a restart delivers it again, which
 * applies nothing and tells them again. */
void leat_sink_put_delivered(struct leat_sink *sink, struct leat_store *store, uint64_t n_rounds)
{
	struct leat_fence delivered;
	bool is_new;

	pthread_mutex_lock(&sink->lock);
	is_new = sink->is_delivered_new && sink->delivered_round < n_rounds;
	delivered = sink->delivered;
	if (is_new)
		sink->is_delivered_new = false;
	pthread_mutex_unlock(&sink->lock);
	if (is_new) {
		leat_store_put_delivered(store, sink->number, &delivered);
		sink->noting_epoch = delivered.epoch;
	}
}

/* All effects of the list, each with its length in front. Returns how many. */
static uint32_t lay_down(const struct leat_group_list *list, struct leat_buffer *to)
{
	uint32_t n = 0;

	to->n = 0;
	for (const struct leat_group *group = list->first; group != NULL; group = group->next) {
		const char *bytes = group->bytes;

		for (size_t i = 0; i < group->n; i++) {
			leat_buffer_u32(to, (uint32_t)group->effect[i].n);
			leat_buffer_append(to, bytes, group->effect[i].n);
			bytes += group->effect[i].n;
		}
		n += (uint32_t)group->n;
	}
	return n;
}

static struct leat_group *last_of(const struct leat_group_list *list)
{
	struct leat_group *group = list->first;

	while (group->next != NULL)
		group = group->next;
	return group;
}

bool leat_sink_put_epoch(struct leat_sink *sink, struct leat_store *store, uint64_t round, uint64_t epoch, struct leat_buffer *scratch)
{
	struct leat_outbox_entry entry = { .epoch = epoch };
	struct leat_group *last;

	leat_sink_put_delivered(sink, store, round + 1);
	pthread_mutex_lock(&sink->lock);
	leat_group_list_splice(&sink->closed, &sink->open[round & 1]);
	pthread_mutex_unlock(&sink->lock);
	if (sink->closed.first == NULL)
		return false;
	entry.n = lay_down(&sink->closed, scratch);
	entry.bytes = scratch->data;
	entry.bytes_n = scratch->n;
	entry.previous_epoch = sink->head.epoch;
	entry.previous_digest = sink->head.digest;
	entry.digest = leat_outbox_digest(entry.previous_digest, entry.bytes, entry.bytes_n);
	leat_store_put_effects(store, sink->number, &entry);
	sink->head = (struct leat_fence){ .epoch = epoch, .digest = entry.digest };
	last = last_of(&sink->closed);
	last->ends_epoch = true;
	last->fence = sink->head;
	return true;
}

void leat_sink_release(struct leat_sink *sink)
{
	/* An epoch that is nothing to this sink does not wake its thread. */
	if (sink->closed.first == NULL && sink->noted_epoch == sink->noting_epoch)
		return;
	leat_fault("release-before");
	pthread_mutex_lock(&sink->lock);
	sink->noted_epoch = sink->noting_epoch;
	if (sink->closed.first != NULL)
		atomic_fetch_add(&sink->n_durable, 1);
	leat_group_list_splice(&sink->queue, &sink->closed);
	pthread_cond_signal(&sink->changed);
	pthread_mutex_unlock(&sink->lock);
	leat_fault("release-after");
}

bool leat_sink_is_busy(const struct leat_sink *sink)
{
	return atomic_load(&sink->n_durable) > 0;
}

/* ---- after a restart -------------------------------------------------------------------------------------------------- */

struct recovery {
	struct leat_sink *sink;
	struct leat_group_list list;
	size_t n_epochs;
};

/* Fills the group from what lay_down() has written. False: damaged. */
static bool pick_up(struct leat_group *group, struct leat_arena *arena, const struct leat_record *record,
                    const struct leat_outbox_entry *entry)
{
	char *bytes = leat_arena_allocate(arena, entry->bytes_n + 1);
	const char *p = entry->bytes, *end = p + entry->bytes_n;
	uint32_t n;

	group->bytes = bytes;
	group->effect = leat_arena_allocate(arena, ((size_t)entry->n + 1) * sizeof *group->effect);
	for (; group->n < entry->n; p += n) {
		if ((size_t)(end - p) < sizeof n)
			return false;
		memcpy(&n, p, sizeof n);
		p += sizeof n;
		if ((size_t)(end - p) < n)
			return false;
		memcpy(bytes + group->bytes_n, p, n);
		group->bytes_n += n;
		group->effect[group->n++] = (struct leat_group_effect){ .n = n, .record = record };
	}
	return p == end;
}

/* Records are not kept: where one is needed, to tell a refusal or to count latency, an empty one stands for all. */
static bool take_back(void *opaque, const struct leat_outbox_entry *entry)
{
	struct recovery *r = opaque;
	struct leat_arena *arena;
	struct leat_ticket *ticket;
	struct leat_group *group;
	struct leat_record *record;
	bool is_good;

	/* What has become durable since the start is in the queue, or on its way there. */
	if (entry->epoch > r->sink->start_head.epoch)
		return true;
	ticket = leat_flow_open(&r->sink->pipeline->flow, &arena);
	group = leat_arena_allocate(arena, sizeof *group);
	record = leat_arena_allocate(arena, sizeof *record);
	memset(group, 0, sizeof *group);
	*record = (struct leat_record){ .time_us = LEAT_NO_TIME, .arrival_us = leat_clock_now_us(), .origin.source = LEAT_NO_SOURCE };
	is_good = pick_up(group, arena, record, entry);
	leat_flow_settle(ticket, arena);
	if (!is_good) {
		leat_arena_unref(arena);
		return false;
	}
	group->arena = arena;
	group->ends_epoch = true;
	group->fence = (struct leat_fence){ .epoch = entry->epoch, .digest = entry->digest };
	leat_group_list_add(&r->list, group);
	atomic_fetch_add(&r->sink->queued_bytes, group->bytes_n);
	r->n_epochs++;
	return true;
}

enum leat_status leat_sink_recover(struct leat_sink *sink, uint64_t after, struct leat_error *err)
{
	struct recovery r = { .sink = sink };
	enum leat_status status = leat_fault_error("recover-before", err);

	leat_group_list_init(&r.list);
	if (status == LEAT_OK)
		status = leat_store_outbox(leat_epochs_store(sink->pipeline->epochs), sink->number, after, take_back, &r, err);
	/* What has become durable since the start is behind it. */
	pthread_mutex_lock(&sink->lock);
	leat_group_list_splice(&r.list, &sink->queue);
	leat_group_list_splice(&sink->queue, &r.list);
	atomic_fetch_add(&sink->n_durable, r.n_epochs);
	pthread_mutex_unlock(&sink->lock);
	return status == LEAT_OK ? leat_fault_error("recover-after", err) : status;
}
