/* SPDX-License-Identifier: Apache-2.0 */
#include "run/shard.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "run/advance.h"
#include "run/delivery.h"
#include "run/epoch.h"
#include "run/replay.h"
#include "run/restore.h"
#include "run/sweep.h"

/* What is done in one turn before other shards have theirs. */
enum { PACKETS_PER_TURN = 8, TIMERS_PER_TURN = LEAT_TIMERS_PER_TURN, REPLAYS_PER_TURN = 64 };

/* How often to look whether a reader's oldest batch is done with, once there are too many behind it. */
enum { TRACKER_FULL_US = 100000 };

uint32_t leat_shard_stage(const struct leat_shard *shard)
{
	return shard->stage_index;
}

void leat_shard_add_input(struct leat_shard *shard, struct leat_channel *channel)
{
	shard->input = leat_grow(shard->input, shard->n_inputs, &shard->input_capacity, sizeof *shard->input);
	shard->input[shard->n_inputs++] = channel;
	shard->is_merge_due = true;
}

/* ---- making ---- */

static uint32_t position_in_stage(const struct leat_stage *stage, uint32_t node)
{
	uint32_t i;

	for (i = 0; i < stage->n_nodes; i++)
		if (stage->node[i] == node)
			return i;
	return UINT32_MAX;
}

static enum leat_status make_encoder(struct leat_shard *shard, struct leat_encoder *encoder, uint32_t sink, struct leat_error *err)
{
	const uint64_t *round = LEAT_BUG("effect-in-wrong-round") ? NULL : &shard->round;
	enum leat_status status =
		leat_encoder_init(encoder, shard->pipeline, sink, shard->worker->index, shard->index, round, err);

	if (status == LEAT_OK)
		leat_encoder_follow(encoder, &shard->queued_us);
	return status;
}

static enum leat_status make_route(struct leat_shard *shard, uint32_t position, uint32_t edge, struct leat_route *route, struct leat_error *err)
{
	struct leat_pipeline *p = shard->pipeline;
	const struct leat_edge *e = &p->plan->edge[edge];
	struct leat_instance *from = shard->instance[position];

	route->edge = e;
	route->index = edge;
	route->target = &p->description->node[e->to];
	from->out[e->port == LEAT_DEAD_PORT ? from->n_out - 1 : e->port].is_wired = true;
	switch (e->kind) {
	case LEAT_EDGE_DIRECT:
		route->direct_position = position_in_stage(shard->stage, e->to);
		route->direct = shard->instance[route->direct_position];
		return LEAT_OK;
	case LEAT_EDGE_EXCHANGE:
		/* The channels are made by the supervisor, which knows the shards at the other end. */
		return LEAT_OK;
	case LEAT_EDGE_SINK:
		return make_encoder(shard, &route->encoder, e->to, err);
	}
	return LEAT_OK;
}

static enum leat_status make_routes(struct leat_shard *shard, uint32_t position, struct leat_error *err)
{
	const struct leat_plan *plan = shard->pipeline->plan;
	enum leat_status status = LEAT_OK;
	uint32_t i;
	size_t n = 0;

	for (i = 0; i < plan->n_edges; i++)
		n += plan->edge[i].from == shard->stage->node[position];
	shard->route[position] = leat_allocate_zeroed(n + 1, sizeof **shard->route);
	for (i = 0; i < plan->n_edges && status == LEAT_OK; i++)
		if (plan->edge[i].from == shard->stage->node[position])
			status = make_route(shard, position, i, &shard->route[position][shard->n_routes[position]++], err);
	return status;
}

enum leat_status leat_shard_create(struct leat_pipeline *p, uint32_t stage, uint32_t index, struct leat_reader_state *reader,
                                   struct leat_worker *worker, struct leat_shard **out, struct leat_error *err)
{
	struct leat_shard *shard = leat_allocate_zeroed(1, sizeof *shard);
	enum leat_status status = LEAT_OK;
	uint32_t i;

	shard->pipeline = p;
	shard->stage = &p->plan->stage[stage];
	shard->stage_index = stage;
	shard->index = index;
	shard->worker = worker;
	shard->reader = reader;
	shard->instance = leat_allocate_zeroed(shard->stage->n_nodes, sizeof(struct leat_instance *));
	shard->route = leat_allocate_zeroed(shard->stage->n_nodes, sizeof(struct leat_route *));
	shard->n_routes = leat_allocate_zeroed(shard->stage->n_nodes, sizeof(size_t));
	shard->delta = leat_allocate_zeroed(shard->stage->n_nodes, sizeof *shard->delta);
	shard->input_us = leat_allocate_zeroed(shard->stage->n_nodes, sizeof *shard->input_us);
	shard->mark = LEAT_MARK_NONE;
	for (i = 0; i < shard->stage->n_nodes && status == LEAT_OK; i++) {
		const struct leat_node *node = &p->description->node[shard->stage->node[i]];

		if (node->role == LEAT_ROLE_SOURCE)
			shard->instance[i] = reader->instance;
		else
			status = leat_instance_create(p->description, node, shard->worker->index, index, &shard->instance[i], err);
		if (status != LEAT_OK) {
			leat_pipeline_fail(p, node, err);
			break;
		}
		shard->instance[i]->dead_log = &p->node[node->index].dead_log;
		shard->instance[i]->letters = p->letters;
		shard->instance[i]->round = &shard->round;
	}
	for (i = 0; i < shard->stage->n_nodes && status == LEAT_OK; i++)
		status = make_routes(shard, i, err);
	if (status == LEAT_OK)
		*out = shard;
	else
		leat_shard_destroy(shard);
	return status;
}

static void destroy_routes(struct leat_route *routes, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(routes[i].channel);
		if (routes[i].edge->kind == LEAT_EDGE_SINK)
			leat_encoder_finish(&routes[i].encoder);
	}
	free(routes);
}

void leat_shard_drop(struct leat_shard *shard)
{
	for (; shard->parked_head < shard->n_parked; shard->parked_head++)
		leat_arena_unref(shard->parked[shard->parked_head].packet->arena);
	leat_arena_unref(shard->arena);
	shard->arena = NULL;
	for (struct leat_replay *next; shard->replay != NULL; shard->replay = next) {
		next = shard->replay->next;
		leat_arena_unref(shard->replay->arena);
	}
}

void leat_shard_destroy(struct leat_shard *shard)
{
	uint32_t i;

	if (shard == NULL)
		return;
	leat_shard_drop(shard);
	for (i = 0; i < shard->stage->n_nodes; i++) {
		destroy_routes(shard->route[i], shard->n_routes[i]);
		leat_delta_finish(&shard->delta[i]);
		if (shard->instance[i] != NULL && shard->instance[i]->node->role != LEAT_ROLE_SOURCE)
			leat_instance_destroy(shard->instance[i]);
	}
	leat_restore_destroy(shard->restore);
	leat_sweep_destroy(shard->sweep);
	leat_reader_destroy(shard->reader);
	free(shard->instance);
	free(shard->route);
	free(shard->n_routes);
	free(shard->delta);
	free(shard->input_us);
	free(shard->segment);
	free(shard->input);
	free(shard->item);
	free(shard->parked);
	free(shard);
}

/* ---- a batch ---- */

void leat_shard_add_item(struct leat_shard *shard, struct leat_instance *instance, uint32_t input, const struct leat_record *record,
                         size_t n)
{
	shard->item = leat_grow(shard->item, shard->n_items, &shard->item_capacity, sizeof *shard->item);
	shard->item[shard->n_items++] = (struct leat_item){ .instance = instance, .input = input, .record = record, .n = n };
}

void leat_shard_open_batch(struct leat_shard *shard)
{
	uint32_t i;

	shard->ticket = leat_flow_open(&shard->pipeline->flow, &shard->arena);
	shard->now_us = leat_clock_now_us();
	shard->queued_us = 0;
	shard->head = 0;
	shard->n_items = 0;
	shard->next_segment = 0;
	shard->n_segments = 0;
	for (i = 0; i < shard->stage->n_nodes; i++)
		leat_instance_enter(shard->instance[i], shard->arena, shard->now_us);
}

void leat_shard_note_work(struct leat_shard *shard)
{
	if (shard->pipeline->epochs != NULL)
		leat_epochs_note(shard->pipeline->epochs);
}

static void count_state(struct leat_instance *instance)
{
	if (instance->tables == NULL)
		return;
	leat_counter_set(&instance->counters.state_entries, leat_tables_entries(instance->tables));
	leat_counter_set(&instance->counters.state_bytes, leat_tables_bytes(instance->tables));
	leat_counter_set(&instance->counters.state_fetched, leat_tables_fetched(instance->tables));
	leat_counter_set(&instance->counters.state_evicted, leat_tables_evicted(instance->tables));
}

static void close_batch(struct leat_shard *shard)
{
	uint32_t i;

	for (i = 0; i < shard->stage->n_nodes; i++) {
		struct leat_instance *instance = shard->instance[i];

		instance->arena = NULL;
		instance->now_us = 0;
		count_state(instance);
	}
	leat_flow_settle(shard->ticket, shard->arena);
	leat_arena_unref(shard->arena);
	shard->arena = NULL;
	leat_advance_closed(shard);
}

/* Sends what is parked. False: some channel is full still. */
static bool flush_parked(struct leat_shard *shard)
{
	while (shard->parked_head < shard->n_parked) {
		struct leat_parked *parked = &shard->parked[shard->parked_head];

		if (!leat_channel_push(parked->channel, parked->packet))
			return false;
		shard->parked_head++;
	}
	shard->parked_head = 0;
	shard->n_parked = 0;
	return true;
}

void leat_shard_send(struct leat_shard *shard, struct leat_channel *channel, struct leat_packet *packet)
{
	if ((shard->n_parked == 0 || LEAT_BUG("parked-overtaken")) && leat_channel_push(channel, packet))
		return;
	shard->parked = leat_grow(shard->parked, shard->n_parked, &shard->parked_capacity, sizeof *shard->parked);
	shard->parked[shard->n_parked++] = (struct leat_parked){ .channel = channel, .packet = packet };
}

void leat_shard_send_barrier(struct leat_shard *shard)
{
	struct leat_reader_state *reader = shard->reader;
	uint32_t i, c;
	size_t k;

	if (reader != NULL && reader->has_moved) {
		reader->position.offset = reader->instance->next;
		memcpy(reader->position.note, reader->note, sizeof reader->note);
		reader->is_position_new = true;
		reader->has_moved = false;
	}
	for (k = 0; k < shard->n_inputs; k++)
		shard->input[k]->is_at_barrier = false;
	shard->n_at_barrier = 0;
	for (i = 0; i < shard->stage->n_nodes; i++)
		for (k = 0; k < shard->n_routes[i]; k++) {
			const struct leat_route *route = &shard->route[i][k];

			for (c = 0; route->edge->kind == LEAT_EDGE_EXCHANGE && c < route->n_channels; c++) {
				route->channel[c]->sent = leat_advance_mark(shard, shard->instance[i]->passed_us);
				route->channel[c]->barrier.mark = route->channel[c]->sent;
				leat_shard_send(shard, route->channel[c], &route->channel[c]->barrier); /* E9 */
			}
		}
}

/* T4 */
static void send_records(void *opaque, struct leat_channel *channel, struct leat_packet *packet)
{
	struct leat_shard *shard = opaque;

	channel->sent = leat_advance_mark(shard, shard->sending_us);
	packet->mark = channel->sent;
	packet->sent_us = shard->sent_us;
	packet->queued_us = shard->queued_us;
	leat_shard_send(shard, channel, packet);
}

static enum leat_status send_out(struct leat_shard *shard, struct leat_route *route, const struct leat_record *record, size_t n,
                                 struct leat_error *err)
{
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < n; i++)
		bytes += leat_record_bytes(&record[i]);
	leat_counter_add(&route->records, n);
	leat_counter_add(&route->bytes, bytes);
	switch (route->edge->kind) {
	case LEAT_EDGE_DIRECT:
		leat_shard_add_item(shard, route->direct, route->edge->input, record, n);
		return LEAT_OK;
	case LEAT_EDGE_EXCHANGE:
		shard->sent_us = leat_clock_now_us();
		leat_route_split(route, shard->arena, record, n, send_records, shard);
		return LEAT_OK;
	case LEAT_EDGE_SINK:
		leat_worker_enter(shard->worker, route->edge->to);
		return leat_encoder_run(&route->encoder, shard->arena, shard->now_us, record, n, err);
	}
	return LEAT_OK;
}

static uint32_t position_of(const struct leat_shard *shard, const struct leat_instance *instance)
{
	uint32_t i = 0;

	while (shard->instance[i] != instance)
		i++;
	return i;
}

enum leat_status leat_shard_take_output(struct leat_shard *shard, struct leat_instance *instance, struct leat_error *err)
{
	uint32_t position = position_of(shard, instance), port;
	enum leat_status status = LEAT_OK;
	size_t i;

	shard->sending_us = instance->passed_us;
	for (i = 0; i < shard->n_routes[position] && status == LEAT_OK; i++) {
		struct leat_route *route = &shard->route[position][i];
		const struct leat_output *out =
			&instance->out[route->edge->port == LEAT_DEAD_PORT ? instance->n_out - 1 : route->edge->port];

		if (out->n > 0)
			status = send_out(shard, route, out->record, out->n, err);
	}
	for (port = 0; port < instance->n_out; port++) {
		struct leat_output *out = &instance->out[port];

		leat_counter_add(&out->records, out->n);
		if (port + 1 < instance->n_out)
			leat_counter_add(&instance->counters.records_out, out->n);
		out->record = NULL;
		out->n = 0;
		out->capacity = 0;
	}
	return status;
}

static void fail(struct leat_shard *shard, const struct leat_instance *instance, const struct leat_error *err)
{
	leat_pipeline_fail(shard->pipeline, instance->node, err);
}

/* A call said "later". Returns when to make it again. */
static int64_t put_off(struct leat_shard *shard, struct leat_instance *instance, const struct leat_error *err)
{
	leat_counter_add(&instance->counters.retries, 1);
	leat_pipeline_trouble(shard->pipeline, instance->node, err);
	shard->retry_us = leat_clock_monotonic_us() + leat_backoff_us(&shard->attempt);
	return shard->retry_us;
}

static void works_again(struct leat_shard *shard, const struct leat_instance *instance)
{
	if (shard->attempt == 0)
		return;
	shard->attempt = 0;
	leat_pipeline_trouble(shard->pipeline, instance->node, NULL);
}

/* Does what is queued up for the batch in hand. False: the shard has to wait, or the pipeline stops. */
static bool run_items(struct leat_shard *shard)
{
	struct leat_error err;

	while (shard->head < shard->n_items) {
		struct leat_item *item = &shard->item[shard->head];
		struct leat_instance *instance = item->instance;
		int64_t start_us = leat_clock_monotonic_us();
		size_t done = item->next;
		enum leat_status status;

		leat_worker_enter(shard->worker, instance->node->index);
		status = leat_instance_run(item, &err);
		leat_counter_add(&instance->counters.records_in, item->next - done);
		leat_counter_add(&instance->counters.busy_ns, (uint64_t)(leat_clock_monotonic_us() - start_us) * 1000);
		if (status == LEAT_RETRY || status == LEAT_UNKNOWN) {
			(void)put_off(shard, instance, &err);
			return false;
		}
		if (status == LEAT_OK) {
			works_again(shard, instance);
			shard->head++;
			status = leat_shard_take_output(shard, instance, &err);
		}
		if (status != LEAT_OK) {
			fail(shard, instance, &err);
			return false;
		}
	}
	return true;
}

/* ---- what begins a batch ---- */

int64_t leat_shard_run_batch(struct leat_shard *shard)
{
	for (;;) {
		if (!run_items(shard))
			return atomic_load(&shard->pipeline->is_stopping) ? INT64_MAX : shard->retry_us;
		if (shard->next_segment == shard->n_segments)
			break;
		if (!leat_advance_step(shard))
			return atomic_load(&shard->pipeline->is_stopping) ? INT64_MAX : shard->retry_us;
	}
	close_batch(shard);
	return 0;
}

/* Somebody wakes us when it can go on. Until then a source is not polled, and what it has not read yet grows. */
static int64_t hold_up(struct leat_shard *shard)
{
	if (shard->reader == NULL)
		return INT64_MAX;
	leat_advance_hold(shard, leat_clock_monotonic_us());
	return leat_reader_watch(shard->reader, shard->pipeline);
}

static bool sinks_have_room(const struct leat_shard *shard)
{
	bool has_room = true;
	uint32_t i;
	size_t k;

	for (i = 0; i < shard->stage->n_nodes; i++)
		for (k = 0; k < shard->n_routes[i]; k++)
			if (shard->route[i][k].edge->kind == LEAT_EDGE_SINK)
				has_room = leat_encoder_has_room(&shard->route[i][k].encoder) && has_room;
	return has_room;
}

/* False: the worker is woken once it may be true. What wants to hear of it is noted before the last look. */
static bool wait_for_room(struct leat_shard *shard, bool (*has_room)(const struct leat_shard *shard))
{
	if (has_room(shard))
		return true;
	atomic_store(&shard->worker->wants_room, true);
	return has_room(shard);
}

/* What is read has to go through all shards before its epoch ends, and only then is it delivered. So with epochs it is the
 * reading that waits for sinks, for any of them, and nothing behind it. */
static bool all_sinks_have_room(const struct leat_shard *shard)
{
	const struct leat_pipeline *p = shard->pipeline;
	bool has_room = true;
	uint32_t i;

	for (i = 0; i < p->description->n_nodes; i++)
		if (p->node[i].sink != NULL)
			has_room = leat_sink_has_room(p->node[i].sink) && has_room;
	return has_room;
}

static bool budget_has_room(const struct leat_shard *shard)
{
	return LEAT_BUG("budget-ignored") || leat_flow_has_room(&shard->pipeline->flow);
}

/* False: woken when it is true again. */
static bool epoch_is_open(const struct leat_shard *shard)
{
	const struct leat_epochs *epochs = shard->pipeline->epochs;

	return epochs == NULL || (leat_epochs_has_disk(epochs) /* E8 */ && !leat_epochs_is_full(epochs, shard->round) /* E12 */);
}

bool leat_shard_may_begin(struct leat_shard *shard)
{
	return epoch_is_open(shard) && wait_for_room(shard, budget_has_room);
}

/* A batch was read. What says that it is dealt with: without epochs the end of its arena, with them that its epoch is durable. */
static void begin_tracking(struct leat_shard *shard, uint64_t bytes)
{
	struct leat_reader_state *reader = shard->reader;

	if (shard->pipeline->epochs != NULL) {
		reader->has_moved = true;
		leat_epochs_count(shard->pipeline->epochs, shard->round, reader->instance->n_pushed, bytes);
		leat_epochs_note(shard->pipeline->epochs);
		return;
	}
	shard->ticket->sequence = leat_tracker_open(&reader->tracker, reader->instance->next);
	shard->ticket->opaque = &reader->tracker;
	shard->ticket->done = leat_tracker_done;
}

static int64_t earlier(int64_t a_us, int64_t b_us)
{
	return a_us < b_us ? a_us : b_us;
}

static int64_t poll(struct leat_shard *shard)
{
	struct leat_reader_state *reader = shard->reader;
	struct leat_pipeline *p = shard->pipeline;
	struct leat_error err;
	enum leat_status status;
	int64_t now_us = leat_clock_monotonic_us(), start_us;
	uint64_t bytes = leat_counter_get(&reader->instance->counters.bytes_in);

	leat_worker_enter(shard->worker, reader->instance->node->index);
	leat_reader_commit(reader, p, false);
	if (atomic_load(&p->is_draining) || atomic_load(&reader->has_ended)) {
		reader->again_us = INT64_MAX;
		return earlier(leat_reader_deadline(reader), leat_advance_wait(shard, now_us));
	}
	if (!atomic_load(&p->node[reader->instance->node->index].may_read))
		return INT64_MAX;
	if (!atomic_load(&reader->waker.is_woken) && now_us < reader->again_us)
		return earlier(leat_reader_deadline(reader), leat_advance_wait(shard, now_us));
	if (!leat_shard_may_begin(shard) ||
	    (p->epochs != NULL && (!wait_for_room(shard, all_sinks_have_room) || !leat_letters_has_room(p->letters))))
		return hold_up(shard);
	if (leat_tracker_is_full(&reader->tracker))
		return now_us + TRACKER_FULL_US;
	leat_shard_open_batch(shard);
	start_us = leat_clock_monotonic_us();
	status = leat_reader_poll(reader, p, shard->arena, shard->now_us, &err);
	leat_counter_add(&reader->instance->counters.busy_ns, (uint64_t)(leat_clock_monotonic_us() - start_us) * 1000);
	if (status == LEAT_OK) {
		leat_flow_settle(shard->ticket, shard->arena);
		begin_tracking(shard, leat_counter_get(&reader->instance->counters.bytes_in) - bytes);
		leat_advance_read(shard, start_us);
		status = leat_shard_take_output(shard, reader->instance, &err);
	} else if (status == LEAT_AGAIN) {
		close_batch(shard);
		if (atomic_load(&reader->has_ended))
			leat_pipeline_nudge(p);
		if (atomic_load(&reader->waker.is_woken))
			return 0;
		return earlier(leat_reader_deadline(reader), leat_advance_wait(shard, start_us));
	}
	if (status != LEAT_OK) {
		fail(shard, reader->instance, &err);
		return INT64_MAX;
	}
	if (atomic_load(&reader->has_ended))
		leat_pipeline_nudge(p);
	return leat_shard_run_batch(shard);
}

/* ---- dead letters that are wanted again ---- */

struct leat_encoder *leat_shard_encoder(const struct leat_shard *shard, uint32_t sink)
{
	struct leat_encoder *found = NULL;

	for (uint32_t i = 0; i < shard->stage->n_nodes; i++)
		for (size_t k = 0; k < shard->n_routes[i] && found == NULL; k++)
			if (shard->route[i][k].edge->kind == LEAT_EDGE_SINK)
				found = leat_encoder_find(&shard->route[i][k].encoder, sink);
	return found;
}

static enum leat_status begin_replay(struct leat_shard *shard, const struct leat_replay *replay, struct leat_error *err)
{
	struct leat_record *record = leat_arena_allocate(shard->arena, sizeof *record);
	struct leat_instance *instance;

	*record = replay->letter.record;
	record->arrival_us = shard->now_us; /* latency is of this time round */
	leat_worker_enter(shard->worker, replay->node);
	switch (shard->pipeline->description->node[replay->node].role) {
	case LEAT_ROLE_SOURCE:
		instance = shard->reader->instance;
		leat_instance_decode(instance, record);
		if (instance->breach != NULL)
			return leat_instance_judge(instance, LEAT_OK, 0, "decode", err);
		return leat_shard_take_output(shard, instance, err);
	case LEAT_ROLE_OPERATOR:
		leat_shard_add_item(shard, shard->instance[position_in_stage(shard->stage, replay->node)], replay->input, record, 1);
		return LEAT_OK;
	case LEAT_ROLE_SINK:
		break;
	}
	if (replay->letter.kind == LEAT_LETTER_EFFECT) {
		leat_encoder_pass(leat_shard_encoder(shard, replay->node), shard->arena, record);
		return LEAT_OK;
	}
	return leat_encoder_run(leat_shard_encoder(shard, replay->node), shard->arena, shard->now_us, record, 1, err);
}

/* Some of them, in a batch of their own. They wait for what polling waits for, but for room for letters. Returns as
 * leat_shard_run(). */
static int64_t run_replay(struct leat_shard *shard)
{
	struct leat_pipeline *p = shard->pipeline;
	struct leat_replay *replay;
	enum leat_status status;
	struct leat_error err;

	if (atomic_load(&p->is_draining) || !epoch_is_open(shard) || !wait_for_room(shard, budget_has_room) ||
	    !wait_for_room(shard, all_sinks_have_room))
		return INT64_MAX;
	leat_shard_open_batch(shard);
	leat_shard_note_work(shard);
	for (int i = 0; i < REPLAYS_PER_TURN && (replay = leat_replays_take(p->replays, shard)) != NULL; i++) {
		leat_arena_keep(shard->arena, replay->arena);
		leat_arena_unref(replay->arena);
		leat_letters_erase(p->letters, replay->letter.number, &shard->round);
		leat_epochs_count(p->epochs, shard->round, 1, leat_record_bytes(&replay->letter.record));
		status = begin_replay(shard, replay, &err);
		if (status != LEAT_OK) {
			leat_pipeline_fail(p, &p->description->node[replay->node], &err);
			return INT64_MAX;
		}
	}
	return leat_shard_run_batch(shard);
}

/* The next records that come through it, up to the barrier. */
static struct leat_packet *pull_records(struct leat_shard *shard, struct leat_channel *channel)
{
	while (!channel->is_at_barrier || LEAT_BUG("barrier-overtaken")) { /* E9 */
		struct leat_packet *packet = leat_channel_pull(channel);

		if (packet == NULL)
			break;
		leat_advance_hear(shard, channel, &packet->mark);
		if (packet == &channel->barrier) {
			channel->is_at_barrier = true;
			shard->n_at_barrier++;
		} else if (packet == &channel->bare) {
			atomic_store_explicit(&channel->is_bare_out, false, memory_order_release);
		} else {
			return packet;
		}
	}
	return NULL;
}

/* The inputs in turn, so that none of them starves. */
static struct leat_packet *pull_input(struct leat_shard *shard)
{
	struct leat_packet *packet = NULL;

	for (size_t i = 0; i < shard->n_inputs && packet == NULL; i++) {
		packet = pull_records(shard, shard->input[shard->next_input]);
		shard->next_input = (shard->next_input + 1) % shard->n_inputs;
	}
	return packet;
}

static int64_t run_inputs(struct leat_shard *shard)
{
	struct leat_packet *packet;
	int64_t again_us = INT64_MAX;
	bool was_due = shard->is_pass_due;
	int i;

	for (i = 0; i < PACKETS_PER_TURN && (packet = pull_input(shard)) != NULL; i++) {
		leat_shard_open_batch(shard);
		leat_shard_note_work(shard);
		shard->queued_us = packet->queued_us + (shard->now_us > packet->sent_us ? shard->now_us - packet->sent_us : 0);
		leat_advance_take(shard, packet);
		/* Our arena keeps the one that the records are in. */
		leat_arena_keep(shard->arena, packet->arena);
		leat_arena_unref(packet->arena);
		again_us = leat_shard_run_batch(shard);
		if (again_us != 0 || shard->n_parked > 0)
			return again_us;
	}
	/* A mark that came by itself has timers fire, in the next turn. */
	return shard->is_pass_due && !was_due ? 0 : again_us;
}

static int64_t next_timer_us(const struct leat_shard *shard)
{
	int64_t next_us = INT64_MAX;
	uint32_t i;

	for (i = 0; i < shard->stage->n_nodes; i++)
		if (shard->instance[i]->timers != NULL && leat_timers_next(shard->instance[i]->timers, LEAT_PROCESSING_TIME) < next_us)
			next_us = leat_timers_next(shard->instance[i]->timers, LEAT_PROCESSING_TIME);
	return next_us;
}

static void note_timers(struct leat_shard *shard, struct leat_instance *instance, enum leat_status status, const struct leat_error *err)
{
	if (status != LEAT_OK) {
		leat_counter_add(&instance->counters.retries, 1);
		leat_pipeline_trouble(shard->pipeline, instance->node, err);
		shard->timer_retry_us = leat_clock_monotonic_us() + leat_backoff_us(&shard->timer_attempt);
	} else if (shard->timer_attempt > 0) {
		shard->timer_attempt = 0;
		leat_pipeline_trouble(shard->pipeline, instance->node, NULL);
	}
}

enum leat_status leat_shard_fire(struct leat_shard *shard, uint32_t position, enum leat_clock clock, int64_t until_us, size_t *left)
{
	struct leat_instance *instance = shard->instance[position];
	struct leat_epochs *epochs = shard->pipeline->epochs;
	size_t before = *left;
	enum leat_status status, taken;
	struct leat_error err;

	leat_worker_enter(shard->worker, instance->node->index);
	status = leat_instance_fire(instance, clock, until_us, left, &err);
	if (epochs != NULL)
		leat_epochs_count(epochs, shard->round, before - *left, 0); /* E12 */
	if (status == LEAT_OK || status == LEAT_RETRY || status == LEAT_UNKNOWN) {
		note_timers(shard, instance, status, &err);
		taken = leat_shard_take_output(shard, instance, &err);
		status = taken == LEAT_OK ? status : taken;
	}
	if (status == LEAT_OK || status == LEAT_RETRY || status == LEAT_UNKNOWN)
		return status;
	fail(shard, instance, &err);
	return LEAT_FATAL;
}

/* Due timers, in a batch of their own. Returns when the next one is due, in monotonic microseconds; 0: ran some. They make
 * records out of nothing, so they wait for the budget, the disk and the next epoch as sources do, and end with them: a timer
 * that sets the next one would keep a drain from its end. */
static int64_t run_timers(struct leat_shard *shard)
{
	int64_t next_us = next_timer_us(shard), now_us;
	enum leat_status status = LEAT_OK;
	size_t left = LEAT_BUG("timers-not-sliced") ? SIZE_MAX : TIMERS_PER_TURN;
	uint32_t i;

	if (next_us == INT64_MAX || atomic_load(&shard->pipeline->is_draining))
		return INT64_MAX;
	now_us = leat_clock_now_us();
	if (next_us > now_us)
		return leat_clock_monotonic_us() + (next_us - now_us);
	if (shard->timer_retry_us > leat_clock_monotonic_us())
		return shard->timer_retry_us;
	if (!leat_shard_may_begin(shard))
		return INT64_MAX;
	leat_shard_open_batch(shard);
	leat_shard_note_work(shard);
	for (i = 0; i < shard->stage->n_nodes && left > 0 && status == LEAT_OK; i++)
		if (shard->instance[i]->timers != NULL)
			status = leat_shard_fire(shard, i, LEAT_PROCESSING_TIME, shard->now_us, &left);
	if (status == LEAT_FATAL)
		return INT64_MAX;
	return leat_shard_run_batch(shard);
}

/* All input has ended: end() of each operator, in order, each after what the ones before it emitted has been processed. */
static int64_t run_end(struct leat_shard *shard)
{
	struct leat_instance *instance;
	enum leat_status status;
	struct leat_error err;
	int64_t again_us;

	while (shard->n_ended < shard->stage->n_nodes && shard->instance[shard->n_ended]->node->role == LEAT_ROLE_SOURCE)
		shard->n_ended++;
	if (shard->n_ended == shard->stage->n_nodes) {
		if (!atomic_exchange(&shard->has_ended, true))
			leat_pipeline_nudge(shard->pipeline);
		return INT64_MAX;
	}
	if (shard->retry_us > leat_clock_monotonic_us())
		return shard->retry_us;
	instance = shard->instance[shard->n_ended];
	if (leat_advance_end(shard, shard->n_ended, &again_us) == LEAT_OK) /* T6 */
		return again_us;
	leat_worker_enter(shard->worker, instance->node->index);
	leat_shard_open_batch(shard);
	leat_shard_note_work(shard);
	status = leat_instance_end(instance, &err);
	if (status == LEAT_RETRY || status == LEAT_UNKNOWN) {
		close_batch(shard);
		return put_off(shard, instance, &err);
	}
	if (status == LEAT_OK)
		status = leat_shard_take_output(shard, instance, &err);
	if (status != LEAT_OK) {
		fail(shard, instance, &err);
		return INT64_MAX;
	}
	works_again(shard, instance);
	shard->n_ended++;
	return leat_shard_run_batch(shard);
}

static int64_t run_turn(struct leat_shard *shard)
{
	int64_t again_us, timer_us;

	if (!flush_parked(shard))
		return hold_up(shard);
	if (shard->arena != NULL) {
		again_us = hold_up(shard);
		if (LEAT_BUG("barrier-in-a-batch") && shard->pipeline->epochs != NULL)
			(void)leat_epochs_pass(shard->pipeline->epochs, shard);
		if (shard->retry_us > leat_clock_monotonic_us())
			return shard->retry_us < again_us ? shard->retry_us : again_us;
		return leat_shard_run_batch(shard);
	}
	if (shard->pipeline->epochs != NULL && leat_epochs_pass(shard->pipeline->epochs, shard))
		return 0;
	if (shard->pipeline->epochs == NULL && !wait_for_room(shard, sinks_have_room))
		return hold_up(shard);
	timer_us = run_timers(shard);
	if (shard->arena != NULL || shard->n_parked > 0)
		return timer_us;
	again_us = leat_advance_run(shard);
	if (shard->arena != NULL || shard->n_parked > 0 || (leat_advance_is_behind(shard) && !atomic_load(&shard->pipeline->is_draining)))
		return earlier(earlier(again_us, timer_us), again_us == 0 ? 0 : hold_up(shard));
	timer_us = earlier(timer_us, again_us);
	if (atomic_load(&shard->has_replay)) {
		again_us = run_replay(shard);
		if (again_us == 0 || shard->arena != NULL)
			return again_us;
	}
	again_us = shard->reader != NULL ? poll(shard) : run_inputs(shard);
	if (shard->pipeline->epochs != NULL && shard->arena == NULL && leat_epochs_pass(shard->pipeline->epochs, shard))
		return 0;
	if (again_us != 0 && timer_us != 0 && shard->arena == NULL && shard->n_parked == 0 && atomic_load(&shard->is_ending))
		again_us = run_end(shard);
	return earlier(again_us, timer_us);
}

/* Between batches. False: all is loaded that is to be. */
static bool load_state(struct leat_shard *shard)
{
	bool was_loaded = shard->is_loaded;

	if (shard->restore == NULL || shard->arena != NULL)
		return false;
	shard->is_loaded = !leat_restore_step(shard->restore);
	if (shard->is_loaded && was_loaded)
		return false;
	for (uint32_t i = 0; i < shard->stage->n_nodes; i++)
		count_state(shard->instance[i]);
	return !shard->is_loaded;
}

/* Between batches. What nobody hears of is no reason to go on in a drain, and waits for the disk and the epoch as events do. */
static int64_t sweep_state(struct leat_shard *shard)
{
	if (shard->sweep == NULL || !shard->is_loaded || shard->arena != NULL || atomic_load(&shard->pipeline->is_draining) ||
	    !epoch_is_open(shard))
		return INT64_MAX;
	if (leat_clock_monotonic_us() < shard->sweep_us)
		return shard->sweep_us;
	shard->sweep_us = leat_sweep_step(shard->sweep);
	for (uint32_t i = 0; i < shard->stage->n_nodes; i++)
		count_state(shard->instance[i]);
	return shard->sweep_us;
}

int64_t leat_shard_run(struct leat_shard *shard)
{
	bool has_more_state;
	int64_t again_us;

	if (atomic_load(&shard->pipeline->is_stopping))
		return INT64_MAX;
	has_more_state = load_state(shard);
	again_us = earlier(run_turn(shard), leat_advance_send(shard));
	again_us = earlier(again_us, sweep_state(shard));
	return has_more_state ? 0 : again_us;
}
