/* SPDX-License-Identifier: Apache-2.0 */
#include "run/advance.h"

#include <stdlib.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/memory.h"
#include "run/epoch.h"

/* T4: in a batch nothing is waited for, as the epoch does not end before the batch does. */
enum { TIMERS_PER_BATCH = 16384 };
enum { MARK_EVERY_US = 5000 };

static bool is_due(const struct leat_instance *instance)
{
	return instance->timers != NULL && instance->watermark_us != LEAT_NO_TIME &&
	       leat_timers_is_due(instance->timers, LEAT_EVENT_TIME, instance->watermark_us);
}

static void set_watermark(struct leat_instance *instance, int64_t us)
{
	instance->watermark_us = us;
	leat_counter_set(&instance->counters.watermark_us, (uint64_t)us);
}

static void raise_mark(struct leat_shard *shard, int64_t us)
{
	if (us <= shard->mark.us) /* T1 */
		return;
	shard->mark.us = us;
	shard->is_pass_due = true;
}

static void set_idle(struct leat_shard *shard, bool is_idle)
{
	shard->is_mark_due = shard->is_mark_due || shard->mark.is_idle != is_idle;
	shard->mark.is_idle = is_idle;
	leat_counter_set(&shard->instance[0]->counters.idle, is_idle);
}

void leat_advance_restored(struct leat_shard *shard)
{
	for (uint32_t i = 0; i < shard->stage->n_nodes; i++) {
		struct leat_instance *instance = shard->instance[i];

		set_watermark(instance, instance->watermark_us);
		instance->stored_us = instance->watermark_us;
	}
	raise_mark(shard, shard->reader != NULL ? shard->reader->time.us : shard->instance[0]->watermark_us);
	shard->is_pass_due = true;
}

/* ---- passing on ---- */

static void pass_from(struct leat_shard *shard, uint32_t position)
{
	struct leat_instance *instance = shard->instance[position];
	bool is_news = instance->passed_us != instance->watermark_us;

	instance->passed_us = instance->watermark_us;
	for (size_t k = 0; k < shard->n_routes[position]; k++) {
		const struct leat_route *route = &shard->route[position][k];

		if (route->edge->kind == LEAT_EDGE_EXCHANGE)
			shard->is_mark_due = shard->is_mark_due || is_news;
		else if (route->edge->kind == LEAT_EDGE_DIRECT && instance->passed_us < shard->input_us[route->direct_position])
			shard->input_us[route->direct_position] = instance->passed_us;
	}
}

/* T3: through the nodes in their order, up to the first one with a timer that has to fire before. Returns its position. */
static uint32_t pass_on(struct leat_shard *shard)
{
	uint32_t n = shard->stage->n_nodes;

	for (uint32_t i = 0; i < n; i++)
		shard->input_us[i] = INT64_MAX;
	shard->input_us[0] = shard->mark.us;
	for (uint32_t i = 0; i < n; i++) {
		struct leat_instance *instance = shard->instance[i];

		if (shard->input_us[i] > instance->watermark_us)
			set_watermark(instance, shard->input_us[i]);
		if (LEAT_BUG("mark-before-timers"))
			pass_from(shard, i);
		if (is_due(instance))
			return i;
		pass_from(shard, i);
	}
	shard->is_pass_due = false;
	shard->is_mark_due = shard->is_mark_due || shard->mark.is_idle;
	return n;
}

/* ---- what comes in ---- */

static struct leat_segment *add_segment(struct leat_shard *shard)
{
	shard->segment = leat_grow(shard->segment, shard->n_segments, &shard->segment_capacity, sizeof *shard->segment);
	return &shard->segment[shard->n_segments++];
}

static _Atomic int64_t *heard_us(const struct leat_shard *shard)
{
	return &shard->pipeline->node[shard->reader->instance->node->index].heard_us;
}

/* T4 */
static void cut(struct leat_shard *shard, struct leat_output *out)
{
	const struct leat_source_time *t = &shard->reader->time;

	for (size_t i = 0; i < t->n_cuts; i++) {
		size_t until = i + 1 < t->n_cuts ? t->cut[i + 1].at : out->n;

		*add_segment(shard) = (struct leat_segment){ .us = t->cut[i].us, .record = out->record + t->cut[i].at,
			                                     .n = until - t->cut[i].at };
	}
	shard->read = out->record;
	if (t->n_cuts > 0)
		out->n = t->cut[0].at;
	shard->quota = TIMERS_PER_BATCH;
}

void leat_advance_read(struct leat_shard *shard, int64_t now_us)
{
	struct leat_reader_state *reader = shard->reader;
	struct leat_output *out = &reader->instance->out[0];
	uint64_t late = reader->time.n_late;

	if (!leat_source_time_read(&reader->time, out->record, out->n, shard->now_us, now_us)) {
		(void)leat_advance_wait(shard, now_us);
		return;
	}
	atomic_store_explicit(heard_us(shard), now_us, memory_order_relaxed);
	leat_counter_add(&reader->instance->counters.late, reader->time.n_late - late);
	set_idle(shard, false);
	if (shard->pipeline->uses_time)
		cut(shard, out);
}

int64_t leat_advance_wait(struct leat_shard *shard, int64_t now_us)
{
	struct leat_reader_state *reader = shard->reader;
	int64_t all_us = atomic_load_explicit(heard_us(shard), memory_order_relaxed);

	if (atomic_load(&shard->pipeline->is_draining))
		return INT64_MAX;
	if (atomic_load(&reader->has_ended)) {
		bool is_news = shard->mark.us != INT64_MAX;

		set_idle(shard, false);
		raise_mark(shard, INT64_MAX); /* T6 */
		return is_news ? 0 : INT64_MAX;
	}
	/* While it cannot be asked, its silence says nothing. */
	if (reader->attempt > 0) {
		leat_advance_hold(shard, now_us);
		return INT64_MAX;
	}
	if (leat_source_time_wait(&reader->time, all_us, now_us)) {
		raise_mark(shard, reader->time.us);
		set_idle(shard, reader->time.is_idle);
		return 0;
	}
	return leat_source_time_deadline(&reader->time, all_us, now_us);
}

void leat_advance_hold(struct leat_shard *shard, int64_t now_us)
{
	leat_source_time_hold(&shard->reader->time, now_us);
	atomic_store_explicit(heard_us(shard), now_us, memory_order_relaxed);
}

/* All partitions of the sources that feed the shard, over however many nodes. Else there may be some of which nobody has heard. */
static bool sources_are_open(const struct leat_shard *shard)
{
	const struct leat_description *d = shard->pipeline->description;
	bool *is_open = leat_allocate_zeroed(d->n_nodes, sizeof *is_open), is;

	for (uint32_t i = 0; i < d->n_nodes; i++) {
		const struct leat_node *node = &d->node[d->order[i]];

		is_open[node->index] = atomic_load(&shard->pipeline->node[node->index].is_ready) || node->role == LEAT_ROLE_SINK;
		for (size_t k = 0; k < node->n_inputs; k++)
			is_open[node->index] = is_open[node->index] && is_open[node->input[k].node];
	}
	is = is_open[shard->instance[0]->node->index];
	free(is_open);
	return is;
}

/* T2 */
static void merge(struct leat_shard *shard)
{
	struct leat_merge merged = LEAT_MERGE_BEGIN;
	struct leat_mark mark = shard->mark;

	if (!shard->is_open && !sources_are_open(shard))
		return;
	shard->is_open = true;
	shard->is_merge_due = false;
	for (size_t i = 0; i < shard->n_inputs; i++)
		if (shard->input[i]->mark.us != LEAT_NO_TIME || !LEAT_BUG("silence-ignored"))
			leat_merge_add(&merged, &shard->input[i]->mark);
	if (!leat_merge_end(&merged, &mark))
		return;
	raise_mark(shard, mark.us);
	set_idle(shard, mark.is_idle);
}

void leat_advance_hear(struct leat_shard *shard, struct leat_channel *channel, const struct leat_mark *mark)
{
	/* One that is ahead of another one changes nothing by going on, unless that one is idle. */
	if (channel->mark.us <= shard->mark.us || shard->mark.is_idle || channel->mark.is_idle != mark->is_idle)
		shard->is_merge_due = shard->is_merge_due || mark->us > channel->mark.us || channel->mark.is_idle != mark->is_idle;
	channel->mark.is_idle = mark->is_idle;
	if (mark->us > channel->mark.us) /* T1 */
		channel->mark.us = mark->us;
	if (shard->is_merge_due)
		merge(shard);
}

void leat_advance_take(struct leat_shard *shard, const struct leat_packet *packet)
{
	if (!shard->is_pass_due) {
		leat_shard_add_item(shard, shard->instance[0], packet->input, packet->record, packet->n);
		return;
	}
	*add_segment(shard) = (struct leat_segment){ .us = shard->mark.us, .input = packet->input, .record = packet->record,
		                                     .n = packet->n };
	shard->quota = TIMERS_PER_BATCH;
}

/* ---- firing ---- */

static enum leat_status fire(struct leat_shard *shard, uint32_t position, size_t *left)
{
	return leat_shard_fire(shard, position, LEAT_EVENT_TIME, shard->instance[position]->watermark_us, left);
}

/* Into the reader's ways out, or into the first node. */
static bool begin_segment(struct leat_shard *shard)
{
	const struct leat_segment *segment = &shard->segment[shard->next_segment++];
	struct leat_instance *instance = shard->instance[0];
	struct leat_error err;

	shard->quota = TIMERS_PER_BATCH;
	if (shard->reader == NULL) {
		leat_shard_add_item(shard, instance, segment->input, segment->record, segment->n);
		return true;
	}
	instance->out[0].record = shard->read + (segment->record - shard->read);
	instance->out[0].n = segment->n;
	if (leat_shard_take_output(shard, instance, &err) == LEAT_OK)
		return true;
	leat_pipeline_fail(shard->pipeline, instance->node, &err);
	return false;
}

bool leat_advance_step(struct leat_shard *shard)
{
	enum leat_status status;
	uint32_t position;

	raise_mark(shard, shard->segment[shard->next_segment].us);
	position = shard->is_pass_due ? pass_on(shard) : shard->stage->n_nodes;
	if (position == shard->stage->n_nodes || shard->quota == 0)
		return begin_segment(shard);
	status = fire(shard, position, &shard->quota);
	shard->retry_us = shard->timer_retry_us; /* if it is not LEAT_OK */
	return status == LEAT_OK;
}

void leat_advance_closed(struct leat_shard *shard)
{
	if (shard->reader != NULL)
		raise_mark(shard, shard->reader->time.us);
	for (uint32_t i = 0; i < shard->stage->n_nodes; i++)
		shard->is_pass_due = shard->is_pass_due || is_due(shard->instance[i]);
}

static int64_t fire_slice(struct leat_shard *shard, uint32_t position)
{
	size_t left = LEAT_TIMERS_PER_TURN;

	if (shard->timer_retry_us > leat_clock_monotonic_us())
		return shard->timer_retry_us;
	if (!leat_shard_may_begin(shard))
		return INT64_MAX;
	leat_shard_open_batch(shard);
	leat_shard_note_work(shard);
	return fire(shard, position, &left) == LEAT_FATAL ? INT64_MAX : leat_shard_run_batch(shard);
}

int64_t leat_advance_run(struct leat_shard *shard)
{
	uint32_t position;

	if (shard->is_merge_due)
		merge(shard);
	if (!shard->is_pass_due || atomic_load(&shard->pipeline->is_draining))
		return INT64_MAX;
	position = pass_on(shard);
	return position == shard->stage->n_nodes ? INT64_MAX : fire_slice(shard, position);
}

bool leat_advance_is_behind(const struct leat_shard *shard)
{
	return shard->is_pass_due && shard->reader != NULL;
}

enum leat_status leat_advance_end(struct leat_shard *shard, uint32_t position, int64_t *again_us)
{
	struct leat_instance *instance = shard->instance[position];

	if (instance->watermark_us != INT64_MAX)
		set_watermark(instance, INT64_MAX);
	if (!is_due(instance))
		return LEAT_AGAIN;
	*again_us = fire_slice(shard, position);
	return LEAT_OK;
}

/* ---- what goes out beside packets ---- */

static void send_mark(struct leat_shard *shard, struct leat_channel *channel, int64_t us)
{
	const struct leat_mark mark = leat_advance_mark(shard, us);

	if (channel->sent.us == mark.us && channel->sent.is_idle == mark.is_idle)
		return;
	if (atomic_load_explicit(&channel->is_bare_out, memory_order_acquire)) {
		shard->is_mark_due = true;
		return;
	}
	channel->bare.mark = mark;
	channel->sent = mark;
	atomic_store_explicit(&channel->is_bare_out, true, memory_order_relaxed);
	leat_shard_send(shard, channel, &channel->bare);
}

int64_t leat_advance_send(struct leat_shard *shard)
{
	int64_t now_us;

	if (!shard->is_mark_due)
		return INT64_MAX;
	now_us = leat_clock_monotonic_us();
	if (now_us < shard->mark_us)
		return shard->mark_us;
	shard->mark_us = now_us + MARK_EVERY_US;
	shard->is_mark_due = false;
	for (uint32_t i = 0; i < shard->stage->n_nodes; i++)
		for (size_t k = 0; k < shard->n_routes[i]; k++) {
			const struct leat_route *route = &shard->route[i][k];

			for (uint32_t c = 0; route->edge->kind == LEAT_EDGE_EXCHANGE && c < route->n_channels; c++)
				send_mark(shard, route->channel[c], shard->instance[i]->passed_us);
		}
	return shard->is_mark_due ? shard->mark_us : INT64_MAX;
}
