/* SPDX-License-Identifier: Apache-2.0 */
/* A sink's effects on their way through an epoch: open while shards add to them, closed while they are written, queued when
 * they are durable (E1), noted as delivered with a later epoch. After a restart they come back from the store. */
#include <inttypes.h>
#include <string.h>

#include "base/bug.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/condition.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "run/epoch.h"
#include "run/sink.h"

/* With the lock held: the last epoch that was delivered so long ago that the sink will not lose it any more; 0: none since the
 * last call. */
static uint64_t forget(struct leat_sink *sink)
{
	int64_t now_us = leat_clock_monotonic_us();
	uint64_t until = 0;
	size_t n = 0;

	if (sink->retention_us == 0)
		return sink->delivered.epoch;
	for (; n < sink->n_marks && sink->mark[n].us <= now_us - sink->retention_us; n++)
		until = sink->mark[n].epoch;
	sink->n_marks -= n;
	memmove(sink->mark, sink->mark + n, sink->n_marks * sizeof *sink->mark);
	if (sink->n_marks == 0 ||
	    (sink->n_marks < LEAT_SINK_MARKS && sink->mark[sink->n_marks - 1].us < now_us - sink->retention_us / LEAT_SINK_MARKS))
		sink->mark[sink->n_marks++] = (struct leat_sink_mark){ .us = now_us, .epoch = sink->delivered.epoch };
	return until;
}

/* E7: not before the dead letters of what was refused are in an epoch too. Until then a restart delivers it again, which
 * applies nothing and tells them again. */
void leat_sink_put_delivered(struct leat_sink *sink, struct leat_store *store, uint64_t n_rounds)
{
	struct leat_fence delivered;
	uint64_t until = 0;
	bool is_new;

	pthread_mutex_lock(&sink->lock);
	is_new = sink->is_delivered_new && (sink->delivered_round < n_rounds || LEAT_BUG("refusals-noted-early"));
	delivered = sink->delivered;
	if (is_new) {
		sink->is_delivered_new = false;
		sink->noting_n = sink->delivered_n;
		sink->noting_bytes = sink->delivered_bytes;
		until = forget(sink);
	}
	pthread_mutex_unlock(&sink->lock);
	if (is_new) {
		leat_store_put_progress(store, sink->number, &delivered, until);
		sink->noting_epoch = delivered.epoch;
	}
}

/* Each effect with its length in front. */
static void lay_down(const struct leat_group *group, struct leat_buffer *to)
{
	const char *bytes = group->bytes;

	for (size_t i = 0; i < group->n; i++) {
		leat_buffer_u32(to, (uint32_t)group->effect[i].n);
		leat_buffer_append(to, bytes, group->effect[i].n);
		bytes += group->effect[i].n;
	}
}

/* Puts the group and as many behind it as make one step, under one number. Returns the last of them. */
static struct leat_group *put_step(struct leat_sink *sink, struct leat_store *store, uint64_t epoch, struct leat_group *group,
                                   struct leat_buffer *scratch)
{
	struct leat_outbox_entry entry = { .epoch = epoch, .previous_epoch = sink->head.epoch, .previous_digest = sink->head.digest };
	size_t n = group->n, bytes = group->bytes_n;

	scratch->n = 0;
	lay_down(group, scratch);
	while (group->next != NULL && leat_sink_is_one_step(sink, n + group->next->n, bytes + group->next->bytes_n)) {
		group = group->next;
		n += group->n;
		bytes += group->bytes_n;
		lay_down(group, scratch);
	}
	entry.n = (uint32_t)n;
	entry.bytes = scratch->data;
	entry.bytes_n = scratch->n;
	entry.digest = leat_outbox_digest(entry.previous_digest, entry.bytes, entry.bytes_n);
	leat_store_put_effects(store, sink->number, &entry);
	sink->head = (struct leat_fence){ .epoch = epoch, .digest = entry.digest };
	group->ends_epoch = true;
	group->fence = sink->head;
	return group;
}

size_t leat_sink_put_epoch(struct leat_sink *sink, struct leat_store *store, uint64_t round, uint64_t epoch, struct leat_buffer *scratch)
{
	leat_sink_put_delivered(sink, store, round + 1);
	pthread_mutex_lock(&sink->lock);
	leat_group_list_splice(&sink->closed, &sink->open[round & 1]);
	leat_cap_open(&sink->cap, round); /* the next one but one */
	pthread_mutex_unlock(&sink->lock);
	sink->n_closed = 0;
	for (struct leat_group *group = sink->closed.first; group != NULL; group = group->next)
		group = put_step(sink, store, epoch + sink->n_closed++, group, scratch);
	return sink->n_closed;
}

static void note_durable(struct leat_group *group, int64_t closed_us)
{
	int64_t now_us = leat_clock_now_us();

	for (; group != NULL; group = group->next) {
		group->closed_us = closed_us;
		group->durable_us = now_us;
	}
}

void leat_sink_release(struct leat_sink *sink, int64_t closed_us)
{
	/* An epoch that is nothing to this sink does not wake its thread. */
	if (sink->closed.first == NULL && sink->noted_epoch == sink->noting_epoch)
		return;
	note_durable(sink->closed.first, closed_us);
	leat_fault("release-before");
	pthread_mutex_lock(&sink->lock);
	sink->noted_epoch = sink->noting_epoch;
	sink->noted_n = sink->noting_n;
	sink->noted_bytes = sink->noting_bytes;
	atomic_fetch_add(&sink->n_durable, sink->n_closed);
	sink->n_closed = 0;
	leat_group_list_splice(&sink->queue, &sink->closed);
	leat_condition_signal(&sink->changed, &sink->lock);
	leat_fault("release-after");
}

bool leat_sink_is_busy(const struct leat_sink *sink)
{
	return atomic_load(&sink->n_durable) > 0;
}

/* ---- after a restart -------------------------------------------------------------------------------------------------- */

struct recovery {
	struct leat_sink *sink;
	uint64_t until;         /* what is behind that epoch is in the queue, or on its way there */
	struct leat_fence first, last; /* before what was taken, and its end */
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

	if (entry->epoch > r->until)
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
	group->is_bare = true;
	group->left_us = group->closed_us = group->durable_us = record->arrival_us; /* its latency begins now */
	group->ends_epoch = true;
	group->fence = (struct leat_fence){ .epoch = entry->epoch, .digest = entry->digest };
	leat_group_list_add(&r->list, group);
	atomic_fetch_add(&r->sink->queued_bytes, group->bytes_n);
	if (r->n_epochs == 0)
		r->first = (struct leat_fence){ .epoch = entry->previous_epoch, .digest = entry->previous_digest };
	r->last = group->fence;
	r->n_epochs++;
	return true;
}

static void drop(struct recovery *r)
{
	struct leat_group *group, *next;

	for (group = r->list.first; group != NULL; group = next) {
		next = group->next;
		atomic_fetch_sub(&r->sink->queued_bytes, group->bytes_n);
		leat_arena_unref(group->arena);
	}
}

enum leat_status leat_sink_recover(struct leat_sink *sink, uint64_t after, struct leat_error *err)
{
	struct recovery r = { .sink = sink, .until = sink->start_head.epoch };
	enum leat_status status = leat_fault_error("recover-before", err);

	leat_group_list_init(&r.list);
	if (LEAT_BUG("outbox-skipped"))
		after = sink->start_head.epoch;
	if (status == LEAT_OK)
		status = leat_store_outbox(leat_epochs_store(sink->pipeline->epochs), sink->number, after, take_back, &r, err);
	/* What has become durable since the start is behind it. */
	pthread_mutex_lock(&sink->lock);
	if (!LEAT_BUG("recovered-behind-new"))
		leat_group_list_splice(&r.list, &sink->queue);
	leat_group_list_splice(&sink->queue, &r.list);
	atomic_fetch_add(&sink->n_durable, r.n_epochs);
	pthread_mutex_unlock(&sink->lock);
	return status == LEAT_OK ? leat_fault_error("recover-after", err) : status;
}

/* In front of the queue: what was lost, then what is in hand. Deliveries are noted from there on. */
static void queue_again(struct leat_sink *sink, struct recovery *r, const struct leat_fence *found)
{
	struct leat_group *group, *next;

	for (group = sink->taken; group != NULL; group = next) {
		next = group->next;
		leat_group_list_add(&r->list, group);
	}
	sink->taken = NULL;
	sink->repeat_until = 0;
	pthread_mutex_lock(&sink->lock);
	leat_group_list_splice(&r->list, &sink->queue);
	leat_group_list_splice(&sink->queue, &r->list);
	sink->delivered = *found;
	sink->is_delivered_new = true;
	pthread_mutex_unlock(&sink->lock);
	atomic_fetch_add(&sink->n_durable, r->n_epochs);
}

enum leat_status leat_sink_go_back(struct leat_sink *sink, const struct leat_fence *found, struct leat_error *err)
{
	struct recovery r = { .sink = sink, .until = sink->fence.epoch };
	enum leat_status status;

	leat_group_list_init(&r.list);
	/* From now on nothing of it is forgotten. */
	pthread_mutex_lock(&sink->lock);
	while (sink->n_marks > 0 && sink->mark[sink->n_marks - 1].epoch > found->epoch)
		sink->n_marks--;
	pthread_mutex_unlock(&sink->lock);
	status = leat_store_outbox(leat_epochs_store(sink->pipeline->epochs), sink->number, found->epoch, take_back, &r, err);
	if (status == LEAT_OK && (!leat_fence_is_at(found, r.first.epoch, r.first.digest) ||
	                          !leat_fence_is_at(&sink->fence, r.last.epoch, r.last.digest)))
		status = leat_error_set(err, LEAT_FATAL, 0, "it has gone back to epoch %" PRIu64 ", and what was delivered behind it is no longer kept",
		                        found->epoch);
	if (status != LEAT_OK) {
		drop(&r);
		return status;
	}
	leat_log_line(LEAT_WARNING, "pipeline \"%s\": sink \"%s\": it has gone back from epoch %" PRIu64 " to %" PRIu64 "; what it has lost is "
	              "delivered again", sink->pipeline->description->name, sink->node->name, sink->fence.epoch, found->epoch);
	queue_again(sink, &r, found);
	return LEAT_OK;
}
