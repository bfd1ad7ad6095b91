/* SPDX-License-Identifier: Apache-2.0 */
#include "run/supervisor.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/condition.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/thread.h"
#include "plugin/setup.h"
#include "run/epoch.h"
#include "run/replay.h"
#include "run/shard.h"

enum { DISCOVER_EVERY_US = 5000000, AT_LEAST_US = 100000 };

/* Sleeps until somebody wants attention, at most so long. */
static void rest(struct leat_pipeline *p, int64_t us)
{
	int64_t until_us = leat_clock_monotonic_us() + us;

	pthread_mutex_lock(&p->lock);
	while (!p->wants_attention && leat_condition_wait(&p->changed, &p->lock, until_us))
		;
	p->wants_attention = false;
	pthread_mutex_unlock(&p->lock);
}

static void set_state(struct leat_pipeline *p, enum leat_run_state state)
{
	pthread_mutex_lock(&p->lock);
	atomic_store(&p->state, state);
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

static bool is_over(const struct leat_pipeline *p)
{
	return atomic_load(&p->is_stopping) || atomic_load(&p->is_draining);
}

static bool all_ready(const struct leat_pipeline *p, enum leat_role role)
{
	uint32_t i;

	for (i = 0; i < p->description->n_nodes; i++)
		if (p->description->node[i].role == role && !atomic_load(&p->node[i].is_ready))
			return false;
	return true;
}

/* ---- sources ---- */

static bool has_reader(const struct leat_pipeline *p, const struct leat_node *node, int32_t partition)
{
	size_t i;

	for (i = 0; i < p->n_shards; i++)
		if (p->shard[i]->reader != NULL && p->shard[i]->reader->instance->node == node &&
		    p->shard[i]->reader->partition == partition)
			return true;
	return false;
}

/* Opens one partition and gives it a shard. */
static enum leat_status open_partition(struct leat_pipeline *p, const struct leat_node *node, int32_t partition, struct leat_error *err)
{
	uint32_t stage = p->plan->stage_of[node->index];
	struct leat_worker *worker = &p->worker[((uint32_t)partition + node->index) % p->n_workers];
	struct leat_reader_state *reader = leat_reader_create(p, node, partition, worker, err);
	enum leat_status status;

	if (reader == NULL)
		return LEAT_FATAL;
	status = leat_reader_open(reader, p, err);
	if (status != LEAT_OK) {
		leat_reader_destroy(reader);
		return status;
	}
	return leat_pipeline_add_shard(p, stage, (uint32_t)partition, reader, err);
}

/* T2: once all is open that can be. Before, the first partition would say how far event time has come in all of them. */
static void let_read(struct leat_pipeline *p, struct leat_node_state *state, bool is_ready)
{
	bool is_news = !atomic_load(&state->may_read) || (is_ready && !atomic_load(&state->is_ready));

	if (is_ready)
		atomic_store(&state->is_ready, true);
	atomic_store(&state->may_read, true);
	for (uint32_t i = 0; is_news && i < p->n_workers; i++)
		leat_worker_wake(&p->worker[i]);
}

/* Asks a source for its partitions and opens the new ones. */
static enum leat_status discover(struct leat_pipeline *p, const struct leat_node *node, struct leat_error *err)
{
	struct leat_node_state *state = &p->node[node->index];
	struct leat_setup setup;
	struct leat_error reason;
	enum leat_status status, opened = LEAT_OK;
	bool has_list;
	size_t i;

	leat_setup_init(&setup, p->description->name, node->name, p->description->symbols);
	leat_error_clear(err);
	status = leat_setup_judge(&setup, node->plugin->source->partitions(state->self, &setup.context, err), node->plugin->name, err);
	has_list = status == LEAT_OK;
	if (!has_list)
		setup.n_partitions = 0;
	/* One that cannot be opened yet keeps none of the others from being read. */
	for (i = 0; i < setup.n_partitions && status != LEAT_FATAL && !is_over(p); i++) {
		if (has_reader(p, node, setup.partition[i]))
			continue;
		opened = open_partition(p, node, setup.partition[i], &reason);
		if (opened == LEAT_OK) {
			atomic_fetch_add(&state->n_open, 1);
		} else if (status == LEAT_OK || opened == LEAT_FATAL) {
			status = opened;
			*err = reason;
		}
	}
	if (has_list && !is_over(p))
		let_read(p, state, status == LEAT_OK);
	leat_setup_finish(&setup);
	return status;
}

/* All sources in turn. Returns when to come again. */
static int64_t discover_all(struct leat_pipeline *p, uint32_t *attempt)
{
	bool has_trouble = false;
	uint32_t i;

	for (i = 0; i < p->description->n_nodes && !is_over(p); i++) {
		const struct leat_node *node = &p->description->node[i];
		struct leat_error err;
		enum leat_status status;

		if (node->role != LEAT_ROLE_SOURCE || p->node[i].has_ended)
			continue;
		status = discover(p, node, &err);
		if (status == LEAT_OK) {
			if (p->node[i].is_away) /* else the trouble is a reader's, and not over */
				leat_pipeline_trouble(p, node, NULL);
			p->node[i].is_away = false;
		} else if (status == LEAT_RETRY || status == LEAT_UNKNOWN || status == LEAT_AGAIN) {
			leat_counter_add(&p->node[i].retries, 1);
			leat_pipeline_trouble(p, node, &err);
			p->node[i].is_away = true;
			has_trouble = true;
		} else {
			leat_pipeline_fail(p, node, &err);
		}
	}
	if (!has_trouble)
		*attempt = 0;
	return leat_clock_monotonic_us() + (has_trouble ? leat_backoff_us(attempt) : DISCOVER_EVERY_US);
}

/* Every reader of the source has come to its end, and there was one. */
static bool source_has_ended(const struct leat_pipeline *p, const struct leat_node *node)
{
	bool has_any = false;
	size_t i;

	for (i = 0; i < p->n_shards; i++) {
		const struct leat_reader_state *reader = p->shard[i]->reader;

		if (reader == NULL || reader->instance->node != node)
			continue;
		has_any = true;
		if (!atomic_load(&reader->has_ended))
			return false;
	}
	return has_any;
}

static bool all_sources_ended(struct leat_pipeline *p)
{
	bool all = true;
	uint32_t i;

	for (i = 0; i < p->description->n_nodes; i++) {
		const struct leat_node *node = &p->description->node[i];

		if (node->role != LEAT_ROLE_SOURCE)
			continue;
		p->node[i].has_ended = p->node[i].has_ended || (atomic_load(&p->node[i].is_ready) && !p->node[i].is_away && source_has_ended(p, node));
		all = all && p->node[i].has_ended;
	}
	return all;
}

/* ---- the end ---- */

static void nothing(void *opaque)
{
	(void)opaque;
}

/* With epochs, what changed only state has to become durable too. In this order: work is noted before its arena goes. */
static bool is_empty(struct leat_pipeline *p)
{
	return leat_flow_is_empty(&p->flow) && (p->epochs == NULL || LEAT_BUG("drained-before-durable") || leat_epochs_is_clean(p->epochs));
}

/* Waits until nothing is in flight. False: the pipeline stops instead. */
static bool wait_until_empty(struct leat_pipeline *p)
{
	while (!atomic_load(&p->is_stopping) && !is_empty(p))
		rest(p, AT_LEAST_US);
	return !atomic_load(&p->is_stopping);
}

static bool stage_has_ended(const struct leat_pipeline *p, size_t stage)
{
	size_t i;

	for (i = 0; i < p->n_shards; i++)
		if (p->shard[i]->stage_index == stage && !atomic_load(&p->shard[i]->has_ended))
			return false;
	return true;
}

/* end() of every operator, stage after stage, each when all that came before is delivered. */
static void end_stages(struct leat_pipeline *p)
{
	size_t stage, i;

	for (stage = 0; stage < p->plan->n_stages; stage++) {
		for (i = 0; i < p->n_shards; i++)
			if (p->shard[i]->stage_index == stage) {
				atomic_store(&p->shard[i]->is_ending, true);
				leat_worker_wake(p->shard[i]->worker);
			}
		while (!atomic_load(&p->is_stopping) && !stage_has_ended(p, stage))
			rest(p, AT_LEAST_US);
		if (!wait_until_empty(p))
			return;
	}
}

static void drain(struct leat_pipeline *p, bool sources_ended)
{
	uint32_t i;
	size_t k;

	leat_fault("drain-before");
	set_state(p, LEAT_RUN_DRAINING);
	atomic_store(&p->is_draining, true);
	/* When every worker has come round, no poll is under way that began before. */
	for (i = 0; i < p->n_workers; i++)
		leat_worker_call(&p->worker[i], nothing, NULL);
	if (!wait_until_empty(p))
		return;
	if (sources_ended)
		end_stages(p);
	if (atomic_load(&p->is_stopping))
		return;
	leat_fault("drain-empty-after");
	for (i = 0; i < p->n_workers; i++)
		leat_worker_stop(&p->worker[i]);
	for (k = 0; k < p->n_shards; k++)
		if (p->shard[k]->reader != NULL)
			leat_reader_commit(p->shard[k]->reader, p, true);
	leat_fault("drain-after");
}

static void work(struct leat_pipeline *p)
{
	int64_t discover_us = 0;
	uint32_t attempt = 0;
	bool sources_ended = false;

	while (!is_over(p) && !all_ready(p, LEAT_ROLE_SINK) && !LEAT_BUG("sources-before-claims"))
		rest(p, AT_LEAST_US);
	while (!is_over(p) && !sources_ended) {
		int64_t now_us = leat_clock_monotonic_us();

		if (now_us >= discover_us)
			discover_us = discover_all(p, &attempt);
		else
			rest(p, p->replays != NULL && discover_us - now_us > LEAT_REPLAYS_LOOK_US ? LEAT_REPLAYS_LOOK_US : discover_us - now_us);
		leat_replays_step(p->replays);
		if (leat_pipeline_state(p) == LEAT_RUN_STARTING && !is_over(p) && all_ready(p, LEAT_ROLE_SOURCE))
			set_state(p, LEAT_RUN_RUNNING);
		sources_ended = all_sources_ended(p) && leat_replays_are_done(p->replays);
	}
	if (!atomic_load(&p->is_stopping))
		drain(p, sources_ended);
}

void *leat_supervise(void *pipeline)
{
	struct leat_pipeline *p = pipeline;
	bool is_drained;

	leat_thread_name("supervisor");
	work(p);
	is_drained = !atomic_exchange(&p->is_stopping, true);
	leat_pipeline_take_down(p);
	set_state(p, is_drained ? LEAT_RUN_DONE : LEAT_RUN_STOPPED);
	return NULL;
}
