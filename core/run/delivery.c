/* SPDX-License-Identifier: Apache-2.0 */
#include "run/sink.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/condition.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/thread.h"
#include "run/epoch.h"

/* One delivery at most; what a transaction of the common systems carries well. */
enum { MAX_EFFECTS = 16384, MAX_BYTES = 8 << 20 };

/* At least once, a delivery is what there is when the sink is free. Where it is free again so soon, waking it for each batch costs
 * more than the batch, so they gather for that long. */
enum { SOON_US = 250, GATHER_US = 1000 };

static void refuse(struct leat_instance *instance, size_t effect, const struct leat_error *err)
{
	struct leat_sink *sink = instance->opaque;

	if (effect >= sink->n_in_hand) {
		instance->breach = "it refuses an effect that it was not given";
		return;
	}
	sink->refusal = leat_grow(sink->refusal, sink->n_refusals, &sink->refusal_capacity, sizeof *sink->refusal);
	sink->refusal[sink->n_refusals++] = (struct leat_refusal){ .effect = effect, .err = *err };
}

static void note_commit(struct leat_instance *instance)
{
	struct leat_sink *sink = instance->opaque;

	sink->committing_us = leat_clock_now_us();
}

static void prepare_epochs(struct leat_sink *sink)
{
	const struct leat_sink_ops *ops = sink->node->plugin->sink;
	struct leat_store *store;

	if (sink->pipeline->epochs == NULL)
		return;
	store = leat_epochs_store(sink->pipeline->epochs);
	leat_cap_init(&sink->cap, sink->pipeline->options.epoch_records, sink->pipeline->options.epoch_bytes);
	sink->number = leat_store_use_sink(store, sink->node->name);
	sink->is_fenced = sink->node->guarantee == LEAT_TRANSACTIONAL;
	if (sink->is_fenced && ops->retention != NULL)
		sink->retention_us = ops->retention(sink->pipeline->node[sink->node->index].self);
	sink->incarnation = leat_store_incarnation(store);
	leat_store_sink(store, sink->number, &sink->delivered, &sink->head);
	sink->start_head = sink->head;
}

struct leat_sink *leat_sink_create(struct leat_pipeline *p, const struct leat_node *node)
{
	struct leat_sink *sink = leat_allocate_zeroed(1, sizeof *sink);

	sink->pipeline = p;
	sink->node = node;
	leat_group_list_init(&sink->queue);
	leat_group_list_init(&sink->open[0]);
	leat_group_list_init(&sink->open[1]);
	leat_group_list_init(&sink->closed);
	prepare_epochs(sink);
	pthread_mutex_init(&sink->lock, NULL);
	leat_condition_init(&sink->changed);
	sink->effect_capacity = MAX_EFFECTS;
	sink->effect = leat_allocate_zeroed(MAX_EFFECTS, sizeof *sink->effect);
	sink->record = leat_allocate_zeroed(MAX_EFFECTS, sizeof *sink->record);
	sink->group_of = leat_allocate_zeroed(MAX_EFFECTS, sizeof *sink->group_of);
	return sink;
}

/* It waits for its epoch. */
static void push_open(struct leat_sink *sink, struct leat_group *group, const uint64_t *round)
{
	struct leat_epochs *epochs = sink->pipeline->epochs;
	uint64_t number;
	bool is_full;

	pthread_mutex_lock(&sink->lock);
	/* Read under the lock, the number of a round that has not been collected yet: that waits for the lock too. */
	number = round != NULL ? *round : leat_epochs_round(epochs);
	leat_group_list_add(&sink->open[number & 1], group);
	is_full = leat_cap_add(&sink->cap, number, group->n, group->bytes_n);
	pthread_mutex_unlock(&sink->lock);
	if (is_full)
		leat_epochs_fill(epochs, number);
	if (round == NULL)
		leat_epochs_note(epochs);
}

void leat_sink_push(struct leat_sink *sink, struct leat_group *group, const uint64_t *round)
{
	bool was_empty;

	atomic_fetch_add(&sink->queued_bytes, group->bytes_n);
	if (sink->pipeline->epochs != NULL) {
		push_open(sink, group, round);
		return;
	}
	pthread_mutex_lock(&sink->lock);
	was_empty = sink->queue.first == NULL;
	leat_group_list_add(&sink->queue, group);
	if (was_empty)
		leat_condition_signal(&sink->changed, &sink->lock);
	else
		pthread_mutex_unlock(&sink->lock);
}

bool leat_sink_has_room(struct leat_sink *sink)
{
	if (atomic_load(&sink->queued_bytes) < sink->pipeline->flow.limit)
		return true;
	atomic_store(&sink->is_waited_for, true);
	return atomic_load(&sink->queued_bytes) < sink->pipeline->flow.limit;
}

static bool is_stopping(const struct leat_sink *sink)
{
	return atomic_load(&sink->pipeline->is_stopping);
}

/* Under the lock. Waits, unless everything stops. */
static void pause_until(struct leat_sink *sink, int64_t until_us)
{
	while (!is_stopping(sink) && leat_condition_wait(&sink->changed, &sink->lock, until_us))
		;
}

static void pause_for(struct leat_sink *sink, int64_t us)
{
	int64_t until_us = leat_clock_monotonic_us() + us;

	pthread_mutex_lock(&sink->lock);
	pause_until(sink, until_us);
	pthread_mutex_unlock(&sink->lock);
}

/* A call said that it may work later. */
static void back_off(struct leat_sink *sink, const struct leat_error *err)
{
	leat_counter_add(&sink->encoder.instance->counters.retries, 1);
	leat_pipeline_trouble(sink->pipeline, sink->node, err);
	pause_for(sink, leat_backoff_us(&sink->attempt));
}

/* What the sink has to have by now. Where it has moved to it may have been before, or never (E11). */
static struct leat_fence delivered_so_far(const struct leat_sink *sink)
{
	if (sink->has_claimed)
		return sink->fence;
	if (sink->is_fenced && leat_store_has_moved(leat_epochs_store(sink->pipeline->epochs), sink->number))
		return (struct leat_fence){ 0 };
	return sink->delivered;
}

static enum leat_status claim_once(struct leat_sink *sink, struct leat_error *err)
{
	const struct leat_claim claim = { .pipeline = sink->pipeline->description->name, .sink = sink->node->name,
		                              .is_fenced = sink->is_fenced, .incarnation = sink->incarnation,
		                              .delivered = delivered_so_far(sink) };
	struct leat_instance *instance = sink->encoder.instance;
	struct leat_fence found = { 0 };
	enum leat_status status;

	leat_error_clear(err);
	status = leat_fault_error("claim-before", err);
	if (status == LEAT_OK)
		status = sink->node->plugin->sink->claim(instance->self, &claim, &found, &instance->context, err);
	if (status == LEAT_OK)
		status = leat_fault_error("claim-after", err);
	status = leat_instance_judge(instance, status, LEAT_MAY_WAIT | 1u << LEAT_AGAIN, "claim", err);
	if (status == LEAT_OK && sink->pipeline->epochs != NULL) {
		status = leat_sink_judge_claim(sink, &found, err);
		return status == LEAT_AGAIN ? claim_once(sink, err) : status;
	}
	return status;
}

/* True: claimed. False: everything stops. */
static bool claim(struct leat_sink *sink)
{
	struct leat_error err;
	enum leat_status status;

	if (sink->has_claimed && LEAT_BUG("unclaimed-after-unknown"))
		return true;
	while (!is_stopping(sink)) {
		status = claim_once(sink, &err);
		if (status == LEAT_OK) {
			sink->attempt = 0;
			sink->fence_us = leat_clock_monotonic_us();
			leat_pipeline_trouble(sink->pipeline, sink->node, NULL);
			atomic_store(&sink->pipeline->node[sink->node->index].is_ready, true);
			leat_pipeline_nudge(sink->pipeline);
			return true;
		}
		if (status == LEAT_FATAL) {
			leat_pipeline_fail(sink->pipeline, sink->node, &err);
			return false;
		}
		back_off(sink, &err);
	}
	return false;
}

static bool fits(const struct leat_sink *sink, size_t n, size_t bytes)
{
	return n <= MAX_EFFECTS && bytes <= MAX_BYTES && (sink->pipeline->epochs == NULL || leat_sink_is_one_step(sink, n, bytes));
}

/* The end of what is delivered together with the group: itself, or the last one of its epoch. */
static struct leat_group *unit_end(const struct leat_sink *sink, struct leat_group *group, size_t *n, size_t *bytes)
{
	for (;; group = group->next) {
		*n += group->n;
		*bytes += group->bytes_n;
		if (sink->pipeline->epochs == NULL || group->ends_epoch)
			return group;
	}
}

/* When the fence has to be written again. Systems forget what nobody writes for long. */
static int64_t fence_due_us(const struct leat_sink *sink)
{
	return sink->is_fenced ? sink->fence_us + sink->pipeline->options.fence_age_us : INT64_MAX;
}

/* Under the lock. Nobody signals what is added to a queue that is not empty. */
static void gather(struct leat_sink *sink)
{
	if (sink->pipeline->epochs == NULL && leat_clock_monotonic_us() - sink->took_us < SOON_US)
		pause_until(sink, sink->took_us + GATHER_US);
}

/* Moves whole groups, or whole epochs, out of the queue: as many as fit one delivery (a larger one alone). Returns the number
 * of effects; 0: none came until the fence was due, or everything stops. */
static size_t take(struct leat_sink *sink)
{
	struct leat_group *end = NULL;
	size_t n = 0, bytes = 0;

	pthread_mutex_lock(&sink->lock);
	while (sink->queue.first == NULL && !is_stopping(sink) && leat_condition_wait(&sink->changed, &sink->lock, fence_due_us(sink)))
		;
	gather(sink);
	sink->taken = NULL;
	sink->took_us = leat_clock_monotonic_us();
	sink->taken_us = leat_clock_now_us();
	sink->n_epochs = 0;
	if (LEAT_BUG("repetition-repacked"))
		sink->repeat_until = 0;
	while (!is_stopping(sink) && sink->queue.first != NULL) {
		size_t new_n = n, new_bytes = bytes;
		struct leat_group *first = sink->queue.first, *last = unit_end(sink, first, &new_n, &new_bytes);

		if (end != NULL && sink->repeat_until == 0 && !fits(sink, new_n, new_bytes))
			break;
		if (end == NULL)
			sink->taken = first;
		n = new_n;
		bytes = new_bytes;
		end = last;
		sink->target = last->fence;
		sink->n_epochs += last->ends_epoch;
		sink->queue.first = last->next;
		if (sink->repeat_until != 0 && last->fence.epoch == sink->repeat_until) {
			sink->repeat_until = 0;
			break;
		}
	}
	if (sink->queue.first == NULL)
		sink->queue.last = &sink->queue.first;
	if (end != NULL)
		end->next = NULL;
	sink->bytes_in_hand = bytes;
	pthread_mutex_unlock(&sink->lock);
	return n;
}

static void lay_out(struct leat_sink *sink, size_t n)
{
	struct leat_group *group;
	size_t k = 0, i;

	if (n > sink->effect_capacity) {
		sink->effect_capacity = n;
		sink->effect = leat_reallocate(sink->effect, n, sizeof *sink->effect);
		sink->record = leat_reallocate(sink->record, n, sizeof *sink->record);
		sink->group_of = leat_reallocate(sink->group_of, n, sizeof *sink->group_of);
	}
	for (group = sink->taken; group != NULL; group = group->next) {
		const char *bytes = group->bytes;

		for (i = 0; i < group->n; i++, k++) {
			sink->effect[k] = (struct leat_effect){ .bytes = bytes, .n = group->effect[i].n };
			sink->record[k] = group->effect[i].record;
			sink->group_of[k] = group;
			bytes += group->effect[i].n;
		}
	}
	leat_check(k == n);
}

/* True: delivered. False: everything stops, or nothing is in hand any more, as other things have to come first. */
static bool deliver(struct leat_sink *sink, size_t n)
{
	struct leat_delivery delivery = { .is_fenced = sink->is_fenced, .n = n, .effect = sink->effect };
	struct leat_instance *instance = sink->encoder.instance;
	struct leat_error err;
	enum leat_status status;

	sink->n_in_hand = n;
	while (!is_stopping(sink)) {
		sink->n_refusals = 0;
		sink->committing_us = 0;
		leat_error_clear(&err);
		/* E3 */
		sink->target.incarnation = sink->incarnation;
		delivery.expected = sink->fence;
		delivery.next = sink->target;
		status = leat_fault_error("deliver-before", &err);
		if (status == LEAT_OK)
			status = sink->node->plugin->sink->deliver(instance->self, &delivery, &instance->context, &err);
		if (status == LEAT_OK)
			status = leat_fault_error("deliver-after", &err);
		status = leat_instance_judge(instance, status, LEAT_MAY_WAIT | 1u << LEAT_AGAIN, "deliver", &err);
		if (status == LEAT_UNKNOWN && LEAT_BUG("unknown-taken-as-delivered"))
			status = LEAT_OK;
		if (status == LEAT_OK) {
			sink->fence = sink->target;
			sink->fence_us = leat_clock_monotonic_us();
			if (sink->attempt > 0)
				leat_pipeline_trouble(sink->pipeline, sink->node, NULL);
			sink->attempt = 0;
			return true;
		}
		leat_counter_add(&instance->counters.errors, 1);
		if (status == LEAT_FATAL) {
			leat_pipeline_fail(sink->pipeline, sink->node, &err);
			return false;
		}
		back_off(sink, &err);
		if (status == LEAT_UNKNOWN && (!claim(sink) || sink->taken == NULL))
			return false;
	}
	return false;
}

/* Events of one group that have arrived together, mostly all of it. Returns how many. */
static size_t count_run(struct leat_sink *sink, const struct leat_record *const *record, size_t n, struct leat_way *way)
{
	size_t i = 1;
	uint64_t us;

	way->arrival_us = record[0]->arrival_us;
	while (i < n && record[i]->arrival_us == way->arrival_us)
		i++;
	leat_phases_count_source(&sink->phases, record, i);
	leat_phases_count(&sink->phases, way, i);
	us = way->done_us > way->arrival_us ? (uint64_t)(way->done_us - way->arrival_us) : 0;
	leat_counter_add(&sink->latency[leat_latency_bucket(us)], i);
	leat_counter_add(&sink->latency_sum_us, us * i);
	return i;
}

static void count_latency(struct leat_sink *sink, int64_t now_us)
{
	struct leat_way way = { .taken_us = sink->taken_us, .committing_us = sink->committing_us, .done_us = now_us };
	const struct leat_record *const *record = sink->record;

	for (const struct leat_group *group = sink->taken; group != NULL; record += group->n, group = group->next) {
		way.queued_us = group->queued_us;
		way.left_us = group->left_us;
		way.closed_us = group->closed_us;
		way.durable_us = group->durable_us;
		for (size_t i = 0; i < group->n;)
			i += count_run(sink, record + i, group->n - i, &way);
	}
}

static int compare_refusals(const void *left, const void *right)
{
	const struct leat_refusal *a = left, *b = right;

	return a->effect < b->effect ? -1 : a->effect > b->effect;
}

/* In the order of the effects, each once. */
static void sort_refusals(struct leat_sink *sink)
{
	size_t i, n = 0;

	if (sink->n_refusals > 1)
		qsort(sink->refusal, sink->n_refusals, sizeof *sink->refusal, compare_refusals);
	for (i = 0; i < sink->n_refusals; i++)
		if (n == 0 || sink->refusal[n - 1].effect != sink->refusal[i].effect)
			sink->refusal[n++] = sink->refusal[i];
	sink->n_refusals = n;
}

/* What the system has refused for good goes to those who read this sink's dead letters. False: it does not, and what was
 * delivered must not be acknowledged. */
static bool bury_refused(struct leat_sink *sink, int64_t now_us)
{
	struct leat_arena *arena;
	struct leat_ticket *ticket = leat_flow_open(&sink->pipeline->flow, &arena);
	enum leat_status status;
	struct leat_error err;
	size_t i;

	leat_fault("bury-before");
	leat_instance_enter(sink->encoder.instance, arena, now_us);
	for (i = 0; i < sink->n_refusals; i++) {
		size_t effect = sink->refusal[i].effect;
		struct leat_value bytes = leat_borrow(sink->effect[effect].bytes, sink->effect[effect].n);

		bytes.type = LEAT_BYTES;
		leat_arena_keep(arena, sink->group_of[effect]->arena);
		leat_instance_bury(sink->encoder.instance, sink->record[effect],
		                   sink->group_of[effect]->is_bare ? &bytes : &sink->record[effect]->value, &sink->refusal[i].err);
	}
	status = leat_encoder_run_dead(&sink->encoder, &err);
	if (status != LEAT_OK)
		leat_pipeline_fail(sink->pipeline, sink->node, &err);
	leat_flow_settle(ticket, arena);
	sink->encoder.instance->arena = NULL;
	sink->encoder.instance->now_us = 0;
	leat_arena_unref(arena);
	leat_fault("bury-after");
	return status == LEAT_OK;
}

static void let_go(struct leat_sink *sink, struct leat_group *group)
{
	struct leat_group *next;
	uint64_t bytes = 0;

	for (; group != NULL; group = next) {
		next = group->next;
		bytes += group->bytes_n;
		leat_arena_unref(group->arena);
	}
	atomic_fetch_sub(&sink->queued_bytes, bytes);
	if (atomic_load(&sink->is_waited_for) && atomic_load(&sink->queued_bytes) < sink->pipeline->flow.limit &&
	    atomic_exchange(&sink->is_waited_for, false))
		sink->pipeline->flow.eased(sink->pipeline);
}

static void wait_until_noted(struct leat_sink *sink)
{
	pthread_mutex_lock(&sink->lock);
	while (sink->noted_epoch != sink->target.epoch && !is_stopping(sink))
		pthread_cond_wait(&sink->changed, &sink->lock);
	pthread_mutex_unlock(&sink->lock);
}

/* A delivery is over, for the next epoch to tell the store. True: it is the last one until the store knows of it, as it had
 * refusals, and sinks keep those of the last one only (E7), or as too much for one step would be repeated after a restart (E12). */
static bool note_delivered(struct leat_sink *sink, size_t n)
{
	bool is_last = sink->n_refusals > 0;

	leat_fault("acknowledge-before");
	pthread_mutex_lock(&sink->lock);
	sink->delivered = LEAT_BUG("outbox-deleted-early") ? sink->head : sink->target;
	sink->is_delivered_new = true;
	sink->delivered_n += n;
	sink->delivered_bytes += sink->bytes_in_hand;
	if (sink->n_refusals > 0)
		sink->delivered_round = leat_epochs_round(sink->pipeline->epochs);
	is_last = is_last || !leat_sink_is_one_step(sink, sink->delivered_n - sink->noted_n, sink->delivered_bytes - sink->noted_bytes);
	pthread_mutex_unlock(&sink->lock);
	return is_last;
}

/* Dead letters of what was refused, and that it is delivered, have to be of one epoch (E7): a restart between two would have
 * the sink tell again what is a dead letter already. False: what was delivered must not be acknowledged. */
static bool conclude(struct leat_sink *sink, size_t n, int64_t now_us, bool *is_last)
{
	struct leat_epochs *epochs = sink->pipeline->epochs;
	bool is_pinned = epochs != NULL && sink->n_refusals > 0, is_well;

	if (is_pinned)
		leat_epochs_pin(epochs);
	is_well = sink->n_refusals == 0 || bury_refused(sink, now_us);
	if (is_well && epochs != NULL)
		*is_last = note_delivered(sink, n);
	if (is_pinned)
		leat_epochs_unpin(epochs);
	return is_well;
}

/* Lets the next one have its turn. */
static void tell_delivered(struct leat_sink *sink, bool is_last)
{
	struct leat_epochs *epochs = sink->pipeline->epochs;

	atomic_fetch_sub(&sink->n_durable, sink->n_epochs);
	if (is_last)
		leat_epochs_note(epochs);
	leat_epochs_nudge(epochs);
	if (is_last)
		wait_until_noted(sink);
	leat_fault("acknowledge-after");
}

static void *work(void *opaque)
{
	struct leat_sink *sink = opaque;
	struct leat_instance *instance = sink->encoder.instance;
	int64_t now_us, busy_us;
	bool is_last = false;
	size_t n;

	leat_thread_name("sink %s", sink->node->name);
	if (!claim(sink))
		return NULL;
	while (!is_stopping(sink)) {
		n = take(sink);
		/* A claim writes the fence, and finds it where it was left (E3). */
		if (n == 0 && !is_stopping(sink) && !claim(sink))
			break;
		if (n == 0)
			continue;
		lay_out(sink, n);
		busy_us = leat_clock_monotonic_us();
		if (!deliver(sink, n))
			continue;
		sort_refusals(sink);
		now_us = leat_clock_now_us();
		leat_counter_add(&instance->counters.busy_ns, (uint64_t)(leat_clock_monotonic_us() - busy_us) * 1000);
		count_latency(sink, now_us);
		leat_counter_add(&instance->counters.records_out, n - sink->n_refusals);
		if (!conclude(sink, n, now_us, &is_last))
			break;
		let_go(sink, sink->taken);
		sink->taken = NULL;
		if (sink->pipeline->epochs != NULL)
			tell_delivered(sink, is_last);
	}
	return NULL;
}

enum leat_status leat_sink_start(struct leat_sink *sink, struct leat_error *err)
{
	enum leat_status status = leat_encoder_init(&sink->encoder, sink->pipeline, sink->node->index, UINT32_MAX, 0, NULL, err);

	if (status != LEAT_OK)
		return status;
	sink->encoder.instance->refuse = refuse;
	sink->encoder.instance->note_commit = note_commit;
	sink->encoder.instance->opaque = sink;
	leat_check(pthread_create(&sink->thread, NULL, work, sink) == 0);
	sink->is_started = true;
	return LEAT_OK;
}

void leat_sink_stop(struct leat_sink *sink)
{
	if (!sink->is_started)
		return;
	leat_check(is_stopping(sink));
	pthread_mutex_lock(&sink->lock);
	pthread_cond_broadcast(&sink->changed);
	pthread_mutex_unlock(&sink->lock);
	pthread_join(sink->thread, NULL);
	sink->is_started = false;
	let_go(sink, sink->taken);
	let_go(sink, sink->queue.first);
	sink->taken = NULL;
	leat_group_list_init(&sink->queue);
}

void leat_sink_destroy(struct leat_sink *sink)
{
	if (sink == NULL)
		return;
	leat_check(!sink->is_started);
	let_go(sink, sink->open[0].first);
	let_go(sink, sink->open[1].first);
	let_go(sink, sink->closed.first);
	leat_encoder_finish(&sink->encoder);
	pthread_cond_destroy(&sink->changed);
	pthread_mutex_destroy(&sink->lock);
	free(sink->effect);
	free(sink->record);
	free(sink->group_of);
	free(sink->refusal);
	free(sink);
}

static void add_counters(struct leat_pipeline_figures *f, const struct leat_encoder *encoder)
{
	const struct leat_counters *c = &encoder->instance->counters;
	struct leat_node_figures *to = &f->node[encoder->instance->node->index];
	size_t i;

	/* Records come into a sink by its encoders in the shards, and by those for the dead letters of another sink. */
	to->records_in += leat_counter_get(&c->records_in);
	to->bytes_in += leat_counter_get(&c->bytes_in);
	to->records_out += leat_counter_get(&c->records_out);
	to->errors += leat_counter_get(&c->errors);
	to->retries += leat_counter_get(&c->retries);
	to->dead_letters += leat_counter_get(&c->dead_letters);
	to->busy_ns += leat_counter_get(&c->busy_ns);
	for (i = 0; i < encoder->n_dead; i++)
		add_counters(f, &encoder->dead[i]);
}

void leat_sink_figures(struct leat_sink *sink, struct leat_pipeline_figures *figures)
{
	struct leat_node_figures *node = &figures->node[sink->node->index];
	int i;

	if (sink->encoder.instance == NULL)
		return;
	add_counters(figures, &sink->encoder);
	node->queue_bytes = atomic_load(&sink->queued_bytes);
	node->queue_bytes_limit = sink->pipeline->flow.limit;
	for (i = 0; i < LEAT_LATENCY_BUCKETS; i++) {
		uint64_t n = leat_counter_get(&sink->latency[i]);

		figures->latency[i] += n;
		figures->latency_count += n;
	}
	figures->latency_sum_us += leat_counter_get(&sink->latency_sum_us);
	node->phase = leat_allocate_zeroed(LEAT_PHASES, sizeof *node->phase);
	leat_phases_figures(&sink->phases, node->phase);
}
