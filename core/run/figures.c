/* SPDX-License-Identifier: Apache-2.0 */
/* What has been counted, gathered from all shards while they run. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "run/delivery.h"
#include "run/epoch.h"
#include "run/letters.h"
#include "run/shard.h"

static void add_time(struct leat_node_figures *node, const struct leat_instance *instance)
{
	const struct leat_counters *c = &instance->counters;
	int64_t us = (int64_t)leat_counter_get(&c->watermark_us);
	bool is_idle = instance->node->role == LEAT_ROLE_SOURCE && (leat_counter_get(&c->idle) != 0 || us == INT64_MAX); /* T6 */

	node->late += leat_counter_get(&c->late);
	node->idle_partitions += is_idle;
	if (is_idle || us == LEAT_NO_TIME || us == INT64_MAX)
		return;
	if (node->watermark_us == LEAT_NO_TIME || us < node->watermark_us)
		node->watermark_us = us;
}

static void add_instance(struct leat_pipeline_figures *f, const struct leat_instance *instance)
{
	struct leat_node_figures *node = &f->node[instance->node->index];
	const struct leat_counters *c = &instance->counters;
	uint32_t i;

	add_time(node, instance);
	node->records_in += leat_counter_get(&c->records_in);
	node->bytes_in += leat_counter_get(&c->bytes_in);
	node->records_out += leat_counter_get(&c->records_out);
	node->errors += leat_counter_get(&c->errors);
	node->retries += leat_counter_get(&c->retries);
	node->dead_letters += leat_counter_get(&c->dead_letters);
	node->busy_ns += leat_counter_get(&c->busy_ns);
	node->state_entries += leat_counter_get(&c->state_entries);
	node->state_bytes += leat_counter_get(&c->state_bytes);
	node->state_fetched += leat_counter_get(&c->state_fetched);
	node->state_evicted += leat_counter_get(&c->state_evicted);
	for (i = 0; i < instance->n_out; i++)
		if (instance->out[i].is_alert)
			f->alerts += leat_counter_get(&instance->out[i].records);
}

/* An encoder works for the sink: what it took in is the sink's intake. */
static void add_encoder(struct leat_pipeline_figures *f, const struct leat_encoder *encoder)
{
	size_t i;

	add_instance(f, encoder->instance);
	for (i = 0; i < encoder->n_dead; i++)
		add_encoder(f, &encoder->dead[i]);
}

static void add_route(struct leat_pipeline_figures *f, const struct leat_route *route)
{
	f->edge[route->index].records += leat_counter_get(&route->records);
	f->edge[route->index].bytes += leat_counter_get(&route->bytes);
	f->node[route->edge->from].bytes_out += leat_counter_get(&route->bytes);
	if (route->edge->kind == LEAT_EDGE_SINK)
		add_encoder(f, &route->encoder);
	else
		f->node[route->edge->to].bytes_in += leat_counter_get(&route->bytes);
}

static void add_reader(struct leat_pipeline_figures *f, const struct leat_reader_state *reader)
{
	struct leat_node_figures *node = &f->node[reader->instance->node->index];
	int64_t lag = atomic_load_explicit(&reader->lag, memory_order_relaxed);

	node->partitions++;
	if (lag >= 0)
		node->lag = (node->lag < 0 ? 0 : node->lag) + lag;
}

static void add_shard(struct leat_pipeline_figures *f, const struct leat_shard *shard)
{
	uint32_t i;
	size_t k;

	for (i = 0; i < shard->stage->n_nodes; i++) {
		add_instance(f, shard->instance[i]);
		for (k = 0; k < shard->n_routes[i]; k++)
			add_route(f, &shard->route[i][k]);
	}
	if (shard->reader != NULL)
		add_reader(f, shard->reader);
}

static void add_stall(const struct leat_pipeline *p, struct leat_pipeline_figures *f)
{
	int64_t now_us = leat_clock_monotonic_us();
	uint32_t i;

	for (i = 0; i < p->n_workers; i++) {
		int64_t round_us = atomic_load_explicit(&p->worker[i].round_us, memory_order_relaxed);

		if (round_us == 0 || now_us - round_us <= f->stalled_us)
			continue;
		f->stalled_us = now_us - round_us;
		f->stalled_node = atomic_load_explicit(&p->worker[i].node, memory_order_relaxed);
	}
}

static void add_behind(struct leat_pipeline_figures *f)
{
	int64_t now_us = leat_clock_now_us();

	for (size_t i = 0; i < f->n_nodes; i++)
		if (f->node[i].watermark_us != LEAT_NO_TIME)
			f->node[i].behind_us = f->node[i].watermark_us < now_us ? now_us - f->node[i].watermark_us : 0;
}

void leat_pipeline_figures(const struct leat_pipeline *p, struct leat_pipeline_figures *out)
{
	struct leat_pipeline *locked = leat_pipeline_unconst(p);
	bool is_laid_out = atomic_load(&locked->is_laid_out);
	size_t i;

	memset(out, 0, sizeof *out);
	out->state = leat_pipeline_state(p);
	out->started_us = is_laid_out ? (uint64_t)p->started_us : 0;
	add_stall(locked, out);
	out->n_nodes = p->description->n_nodes;
	out->node = leat_allocate_zeroed(out->n_nodes + 1, sizeof *out->node);
	out->n_edges = p->plan->n_edges;
	out->edge = leat_allocate_zeroed(out->n_edges + 1, sizeof *out->edge);
	out->in_flight_bytes = atomic_load(&locked->flow.bytes);
	out->in_flight_limit = p->flow.limit;
	if (is_laid_out && p->epochs != NULL)
		leat_epochs_figures(p->epochs, out);
	if (is_laid_out && p->letters != NULL)
		leat_letters_figures(p->letters, out);
	for (i = 0; i < out->n_nodes; i++) {
		struct leat_node_state *state = &locked->node[i];

		out->node[i].lag = -1;
		out->node[i].watermark_us = LEAT_NO_TIME;
		out->node[i].behind_us = -1;
		out->node[i].is_ready = atomic_load(&state->is_ready);
		out->node[i].letters = atomic_load(&state->n_letters);
		out->node[i].retries = leat_counter_get(&state->retries);
		pthread_mutex_lock(&state->lock);
		memcpy(out->node[i].trouble, state->trouble, sizeof state->trouble);
		pthread_mutex_unlock(&state->lock);
		if (is_laid_out && state->sink != NULL)
			leat_sink_figures(state->sink, out);
	}
	pthread_mutex_lock(&locked->lock);
	for (i = 0; i < p->n_shards; i++)
		add_shard(out, p->shard[i]);
	for (i = 0; i < p->n_channels; i++) {
		out->edge[p->channel[i]->edge].queued += leat_ring_fill(p->channel[i]->ring);
		out->edge[p->channel[i]->edge].capacity += leat_ring_capacity(p->channel[i]->ring);
	}
	pthread_mutex_unlock(&locked->lock);
	add_behind(out);
}

void leat_pipeline_figures_finish(struct leat_pipeline_figures *figures)
{
	for (size_t i = 0; i < figures->n_nodes; i++)
		free(figures->node[i].phase);
	free(figures->node);
	free(figures->edge);
	memset(figures, 0, sizeof *figures);
}

/* As in HdrHistogram: the exponent picks the power of two, the two bits below the first one the step in it. */
unsigned leat_latency_bucket(uint64_t us)
{
	uint64_t v = us > 0 ? us - 1 : 0;
	unsigned exponent, bucket;

	if (v < LEAT_LATENCY_STEPS)
		return (unsigned)v;
	exponent = 63u - (unsigned)__builtin_clzll(v);
	bucket = (exponent - 1) * LEAT_LATENCY_STEPS + (unsigned)(v >> (exponent - 2) & 3);
	return bucket < LEAT_LATENCY_BUCKETS ? bucket : LEAT_LATENCY_BUCKETS - 1;
}

uint64_t leat_latency_bound(unsigned bucket)
{
	unsigned step = bucket % LEAT_LATENCY_STEPS;

	if (bucket < LEAT_LATENCY_STEPS)
		return bucket + 1;
	return (uint64_t)(LEAT_LATENCY_STEPS + step + 1) << (bucket / LEAT_LATENCY_STEPS - 1);
}

double leat_latency_quantile(const uint64_t bucket[LEAT_LATENCY_BUCKETS], double quantile)
{
	uint64_t total = 0, below = 0;
	double rank;
	unsigned i;

	for (i = 0; i < LEAT_LATENCY_BUCKETS; i++)
		total += bucket[i];
	rank = quantile * (double)total;
	for (i = 0; i < LEAT_LATENCY_BUCKETS && total > 0; i++) {
		if ((double)(below + bucket[i]) >= rank && bucket[i] > 0) {
			double low = i == 0 ? 0 : (double)leat_latency_bound(i - 1), high = (double)leat_latency_bound(i);

			return low + (high - low) * (rank - (double)below) / (double)bucket[i];
		}
		below += bucket[i];
	}
	return 0;
}
