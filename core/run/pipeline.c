/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pipeline's life. create() lays out what the plan fixes; the supervisor thread does what may block or take long: it waits
 * for the sinks to be claimed, asks the sources for their partitions again and again, opens readers and makes their shards,
 * and takes everything down in order. Workers and delivery threads never wait for it.
 */
#include "run/pipeline.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/condition.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "run/delivery.h"
#include "run/epoch.h"
#include "run/replay.h"
#include "run/restore.h"
#include "run/shard.h"
#include "run/supervisor.h"
#include "run/sweep.h"

enum { TROUBLE_AGAIN_US = 30000000 };

int64_t leat_backoff_us(uint32_t *attempt)
{
	int64_t us = 100000 << (*attempt < 6 ? *attempt : 6);
	uint64_t seed = (uint64_t)leat_clock_monotonic_us();

	(*attempt)++;
	if (us > 5000000)
		us = 5000000;
	return us / 2 + (int64_t)(leat_hash(&seed, sizeof seed) % (uint64_t)(us / 2));
}

uint64_t leat_record_bytes(const struct leat_record *record)
{
	const struct leat_value *v = &record->value;

	if (v->type == LEAT_MAP)
		return v->as.map->source != NULL ? v->as.map->source_n : v->as.map->n * sizeof(struct leat_member);
	return v->type == LEAT_TEXT || v->type == LEAT_BYTES ? v->n : sizeof *v;
}

/* ---- news from the threads ---- */

void leat_pipeline_nudge(struct leat_pipeline *p)
{
	pthread_mutex_lock(&p->lock);
	p->wants_attention = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

static void eased(void *opaque)
{
	struct leat_pipeline *p = opaque;
	uint32_t i;

	for (i = 0; i < p->n_workers; i++)
		if (atomic_load(&p->worker[i].wants_room) && atomic_exchange(&p->worker[i].wants_room, false))
			leat_worker_wake(&p->worker[i]);
	if (atomic_load(&p->is_draining))
		leat_pipeline_nudge(p);
}

void leat_pipeline_fail(struct leat_pipeline *p, const struct leat_node *node, const struct leat_error *err)
{
	pthread_mutex_lock(&p->lock);
	if (!p->has_error) {
		p->has_error = true;
		p->error = *err;
		if (node != NULL)
			(void)snprintf(p->error.text, sizeof p->error.text, "%s \"%s\": %.*s", leat_role_name(node->role), node->name,
			               LEAT_ERROR_TEXT - 64, err->text);
		leat_log_line(LEAT_ERROR, "pipeline \"%s\": %s", p->description->name, p->error.text);
	}
	pthread_mutex_unlock(&p->lock);
	leat_pipeline_abort(p);
}

void leat_pipeline_trouble(struct leat_pipeline *p, const struct leat_node *node, const struct leat_error *err)
{
	struct leat_node_state *state = &p->node[node->index];
	int64_t now_us = leat_clock_monotonic_us();

	pthread_mutex_lock(&state->lock);
	if (err == NULL && state->trouble[0] != '\0') {
		leat_log_line(LEAT_INFO, "pipeline \"%s\": %s \"%s\": works again", p->description->name, leat_role_name(node->role),
		              node->name);
		state->trouble[0] = '\0';
	} else if (err != NULL && (strcmp(state->trouble, err->text) != 0 || now_us - state->logged_us > TROUBLE_AGAIN_US)) {
		leat_log_line(LEAT_WARNING, "pipeline \"%s\": %s \"%s\": %s; trying again", p->description->name,
		              leat_role_name(node->role), node->name, err->text);
		(void)snprintf(state->trouble, sizeof state->trouble, "%s", err->text);
		state->logged_us = now_us;
	}
	pthread_mutex_unlock(&state->lock);
}

/* ---- making ---- */

static void take_presets(struct leat_run_options *options)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (options->workers == 0)
		options->workers = processors > 0 ? (uint32_t)processors : 1;
	if (options->in_flight_bytes == 0)
		options->in_flight_bytes = 64 << 20;
	if (options->state_bytes == 0)
		options->state_bytes = (size_t)1 << 30;
	if (options->ring_capacity == 0)
		options->ring_capacity = 64;
	if (options->batch_bytes == 0)
		options->batch_bytes = 64 << 10;
	if (options->effect_bytes == 0)
		options->effect_bytes = 512 << 20;
	if (options->fence_age_us == 0)
		options->fence_age_us = INT64_C(86400) * 1000000;
	if (options->epoch_records == 0)
		options->epoch_records = 65536;
	if (options->epoch_bytes == 0)
		options->epoch_bytes = 8 << 20;
}

static bool uses_time(const struct leat_node *node)
{
	return node->role == LEAT_ROLE_OPERATOR && (node->plugin->op->timer != NULL || node->plugin->op->reads_watermark);
}

struct leat_pipeline *leat_pipeline_create(const struct leat_plan *plan, const struct leat_run_options *options)
{
	struct leat_pipeline *p = leat_allocate_zeroed(1, sizeof *p);
	uint32_t i;

	p->plan = plan;
	p->description = plan->description;
	if (options != NULL)
		p->options = *options;
	take_presets(&p->options);
	p->flow.limit = p->options.in_flight_bytes;
	p->flow.eased = eased;
	p->flow.opaque = p;
	pthread_mutex_init(&p->lock, NULL);
	leat_condition_init(&p->changed);
	p->n_workers = p->options.workers;
	p->worker = leat_allocate_zeroed(p->n_workers, sizeof *p->worker);
	for (i = 0; i < p->n_workers; i++)
		leat_worker_init(&p->worker[i], i);
	p->node = leat_allocate_zeroed(p->description->n_nodes + 1, sizeof *p->node);
	for (i = 0; i < p->description->n_nodes; i++)
		pthread_mutex_init(&p->node[i].lock, NULL);
	for (i = 0; i < p->description->n_nodes; i++)
		p->uses_time = p->uses_time || uses_time(&p->description->node[i]);
	leat_symbols_freeze(p->description->symbols);
	return p;
}

/* Sources and sinks: one instance struct for the node, used by all their instances. */
static enum leat_status make_selves(struct leat_pipeline *p, struct leat_error *err)
{
	uint32_t i;

	for (i = 0; i < p->description->n_nodes; i++) {
		const struct leat_node *node = &p->description->node[i];
		struct leat_instance *instance;
		enum leat_status status;
		void *self;

		if (node->role == LEAT_ROLE_OPERATOR) {
			atomic_store(&p->node[i].is_ready, true);
			continue;
		}
		self = leat_allocate_zeroed(1, node->instance_size + 1);
		if (node->instance_size > 0)
			memcpy(self, node->image, node->instance_size);
		p->node[i].self = self;
		status = leat_instance_attach(p->description, node, 0, 0, self, &instance, err);
		if (status == LEAT_OK) {
			leat_error_clear(err);
			status = leat_plugin_create(node->plugin, node->role, self, &instance->context, err);
			status = leat_instance_judge(instance, status, LEAT_MAY_FAIL, "create", err);
			leat_instance_destroy(instance);
		}
		if (status != LEAT_OK)
			return status;
		if (node->role == LEAT_ROLE_SINK)
			p->node[i].sink = leat_sink_create(p, node);
	}
	return LEAT_OK;
}

static struct leat_shard *find_shard(const struct leat_pipeline *p, uint32_t stage, uint32_t index)
{
	size_t i;

	for (i = 0; i < p->n_shards; i++)
		if (p->shard[i]->stage_index == stage && p->shard[i]->index == index)
			return p->shard[i];
	return NULL;
}

struct new_input {
	struct leat_shard *shard;
	struct leat_channel *channel;
};

static void add_input(void *opaque)
{
	struct new_input *input = opaque;

	leat_shard_add_input(input->shard, input->channel);
}

static void adopt(void *opaque)
{
	struct leat_shard *shard = opaque;

	leat_worker_adopt(shard->worker, shard);
}

/* Channels from one route of a new shard to every shard of the stage it leads to. */
static void connect_route(struct leat_pipeline *p, struct leat_shard *shard, struct leat_route *route)
{
	uint32_t stage = p->plan->stage_of[route->edge->to], i;

	route->n_channels = p->plan->stage[stage].n_shards;
	route->channel = leat_allocate_zeroed(route->n_channels, sizeof(struct leat_channel *));
	for (i = 0; i < route->n_channels; i++) {
		struct new_input input = { .shard = find_shard(p, stage, i) };

		leat_check(input.shard != NULL);

		input.channel = leat_channel_create(route->index, p->options.ring_capacity, shard->worker, input.shard->worker);
		route->channel[i] = input.channel;
		pthread_mutex_lock(&p->lock);
		p->channel = leat_grow(p->channel, p->n_channels, &p->channel_capacity, sizeof(struct leat_channel *));
		p->channel[p->n_channels++] = input.channel;
		pthread_mutex_unlock(&p->lock);
		leat_worker_call(input.shard->worker, add_input, &input);
	}
}

struct new_shard {
	struct leat_pipeline *pipeline;
	uint32_t stage, index;
	struct leat_reader_state *reader;
	struct leat_worker *worker;
	struct leat_shard *shard;
	enum leat_status status;
	struct leat_error *err;
};

static void create_shard(void *opaque)
{
	struct new_shard *made = opaque;

	made->status = leat_shard_create(made->pipeline, made->stage, made->index, made->reader, made->worker, &made->shard, made->err);
	if (made->status == LEAT_OK && made->pipeline->epochs != NULL &&
	    (made->status = leat_restore_begin(made->pipeline->epochs, made->shard, &made->shard->restore, made->err)) != LEAT_OK)
		leat_shard_destroy(made->shard);
	else if (made->status == LEAT_OK && made->pipeline->epochs != NULL)
		made->shard->sweep = leat_sweep_create(made->pipeline->epochs, made->shard);
}

static enum leat_status add_shard(struct leat_pipeline *p, uint32_t stage, uint32_t index, struct leat_reader_state *reader,
                                  struct leat_error *err)
{
	struct leat_worker *worker = reader != NULL ? reader->waker.worker : &p->worker[(stage + index) % p->n_workers];
	struct new_shard made = { .pipeline = p, .stage = stage, .index = index, .reader = reader, .worker = worker, .err = err };
	struct leat_shard *shard;
	uint32_t i;
	size_t k;

	leat_worker_call(worker, create_shard, &made);
	shard = made.shard;
	if (made.status != LEAT_OK)
		return made.status;
	for (i = 0; i < shard->stage->n_nodes; i++)
		for (k = 0; k < shard->n_routes[i]; k++)
			if (shard->route[i][k].edge->kind == LEAT_EDGE_EXCHANGE)
				connect_route(p, shard, &shard->route[i][k]);
	pthread_mutex_lock(&p->lock);
	p->shard = leat_grow(p->shard, p->n_shards, &p->shard_capacity, sizeof(struct leat_shard *));
	p->shard[p->n_shards++] = shard;
	pthread_mutex_unlock(&p->lock);
	if (p->epochs != NULL)
		shard->round = leat_epochs_round(p->epochs);
	leat_worker_call(shard->worker, adopt, shard);
	/* Where its reader begins may have to be stored. */
	if (p->epochs != NULL && reader != NULL)
		leat_epochs_note(p->epochs);
	return LEAT_OK;
}

enum leat_status leat_pipeline_add_shard(struct leat_pipeline *p, uint32_t stage, uint32_t index, struct leat_reader_state *reader,
                                         struct leat_error *err)
{
	enum leat_status status;

	if (p->epochs == NULL)
		return add_shard(p, stage, index, reader, err);
	leat_epochs_hold(p->epochs);
	status = add_shard(p, stage, index, reader, err);
	leat_epochs_release(p->epochs);
	return status;
}

/* The stages whose shards the plan fixes, downstream first: a channel needs its far end. */
static enum leat_status make_shards(struct leat_pipeline *p, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;
	size_t stage = p->plan->n_stages;
	uint32_t i;

	while (stage-- > 0 && status == LEAT_OK)
		for (i = 0; i < p->plan->stage[stage].n_shards && status == LEAT_OK; i++)
			status = leat_pipeline_add_shard(p, (uint32_t)stage, i, NULL, err);
	return status;
}

static enum leat_status start_sinks(struct leat_pipeline *p, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;
	uint32_t i;

	for (i = 0; i < p->description->n_nodes && status == LEAT_OK; i++)
		if (p->node[i].sink != NULL)
			status = leat_sink_start(p->node[i].sink, err);
	return status;
}

static enum leat_status make_epochs(struct leat_pipeline *p, struct leat_error *err)
{
	enum leat_status status = leat_epochs_create(p, &p->epochs, err);

	if (status != LEAT_OK)
		return status;
	p->letters = leat_letters_create(p, leat_epochs_store(p->epochs));
	p->replays = leat_replays_create(p, leat_epochs_store(p->epochs));
	return LEAT_OK;
}

enum leat_status leat_pipeline_start(struct leat_pipeline *p, struct leat_error *err)
{
	enum leat_status status;
	uint32_t i;

	p->started_us = leat_clock_now_us();
	status = p->description->mode == LEAT_MODE_EXACTLY_ONCE ? make_epochs(p, err) : LEAT_OK;
	if (status == LEAT_OK)
		status = make_selves(p, err);
	if (status == LEAT_OK)
		status = make_shards(p, err);
	if (status == LEAT_OK)
		status = start_sinks(p, err);
	if (status != LEAT_OK) {
		leat_pipeline_fail(p, NULL, err);
		atomic_store(&p->state, LEAT_RUN_STOPPED);
		return status;
	}
	atomic_store(&p->is_laid_out, true);
	if (p->epochs != NULL)
		leat_epochs_start(p->epochs);
	for (i = 0; i < p->n_workers; i++)
		leat_worker_start(&p->worker[i]);
	leat_check(pthread_create(&p->supervisor, NULL, leat_supervise, p) == 0);
	p->has_supervisor = true;
	return LEAT_OK;
}

/* ---- ending ---- */

void leat_pipeline_drain(struct leat_pipeline *p)
{
	atomic_store(&p->is_draining, true);
	leat_pipeline_nudge(p);
}

void leat_pipeline_abort(struct leat_pipeline *p)
{
	uint32_t i;

	atomic_store(&p->is_stopping, true);
	for (i = 0; i < p->n_workers; i++)
		leat_worker_wake(&p->worker[i]);
	if (p->epochs != NULL)
		leat_epochs_wake(p->epochs);
	leat_pipeline_nudge(p);
}

enum leat_run_state leat_pipeline_state(const struct leat_pipeline *p)
{
	return atomic_load(&p->state);
}

enum leat_run_state leat_pipeline_wait(struct leat_pipeline *p, int64_t timeout_us)
{
	int64_t until_us = timeout_us < 0 ? INT64_MAX : leat_clock_monotonic_us() + timeout_us;

	pthread_mutex_lock(&p->lock);
	while (leat_pipeline_state(p) < LEAT_RUN_DONE && leat_condition_wait(&p->changed, &p->lock, until_us))
		;
	pthread_mutex_unlock(&p->lock);
	return leat_pipeline_state(p);
}

bool leat_pipeline_error(const struct leat_pipeline *p, struct leat_error *err)
{
	struct leat_pipeline *mutable = leat_pipeline_unconst(p);
	bool has_error;

	pthread_mutex_lock(&mutable->lock);
	has_error = p->has_error;
	if (has_error && err != NULL)
		*err = p->error;
	pthread_mutex_unlock(&mutable->lock);
	return has_error;
}

void leat_pipeline_take_down(struct leat_pipeline *p)
{
	uint32_t i;

	leat_check(atomic_load(&p->is_stopping));
	for (i = 0; i < p->n_workers; i++)
		leat_worker_stop(&p->worker[i]);
	if (p->epochs != NULL)
		leat_epochs_stop(p->epochs);
	for (i = 0; i < p->description->n_nodes; i++)
		if (p->node[i].sink != NULL)
			leat_sink_stop(p->node[i].sink);
	if (p->epochs != NULL)
		leat_epochs_finish(p->epochs);
}

void leat_pipeline_destroy(struct leat_pipeline *p)
{
	size_t i;

	if (p == NULL)
		return;
	leat_pipeline_abort(p);
	if (p->has_supervisor)
		pthread_join(p->supervisor, NULL);
	else
		leat_pipeline_take_down(p);
	for (i = 0; i < p->n_shards; i++)
		leat_shard_drop(p->shard[i]);
	for (i = 0; i < p->n_channels; i++)
		leat_channel_destroy(p->channel[i]);
	for (i = 0; i < p->n_shards; i++)
		leat_shard_destroy(p->shard[i]);
	for (i = 0; i < p->description->n_nodes; i++) {
		const struct leat_node *node = &p->description->node[i];

		leat_dead_log_finish(&p->node[i].dead_log, p->description->name, node);
		leat_sink_destroy(p->node[i].sink);
		if (p->node[i].self != NULL)
			leat_plugin_destroy(node->plugin, node->role, p->node[i].self);
		free(p->node[i].self);
		pthread_mutex_destroy(&p->node[i].lock);
	}
	leat_replays_destroy(p->replays);
	leat_letters_destroy(p->letters);
	leat_epochs_destroy(p->epochs);
	for (i = 0; i < p->n_workers; i++)
		leat_worker_finish(&p->worker[i]);
	free(p->worker);
	free(p->node);
	free(p->shard);
	free(p->channel);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

const struct leat_plan *leat_pipeline_plan(const struct leat_pipeline *p)
{
	return p->plan;
}
