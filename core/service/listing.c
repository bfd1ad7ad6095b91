/* SPDX-License-Identifier: Apache-2.0 */
#include "service/listing.h"

#include "service/format.h"

static const char *guarantee(const struct leat_node *node)
{
	static const char *const names[] = {
		[LEAT_AT_LEAST_ONCE] = "at-least-once", [LEAT_IDEMPOTENT] = "idempotent", [LEAT_TRANSACTIONAL] = "exactly-once"
	};

	return names[node->guarantee];
}

static void put_text(struct leat_buffer *out, const char *name, const char *text)
{
	leat_format_put(out, ",\"%s\":", name);
	leat_format_json(out, text);
}

static void put_number(struct leat_buffer *out, const char *name, uint64_t n)
{
	leat_format_put(out, ",\"%s\":%llu", name, (unsigned long long)n);
}

/* For means over the time between two looks, which add up. */
static void put_phases(struct leat_buffer *out, const struct leat_phase_figures *figures)
{
	bool is_first = true;

	leat_buffer_text(out, ",\"phases\":[");
	for (unsigned i = 0; i < LEAT_PHASES; i++) {
		uint64_t n = leat_phase_events(&figures[i]);

		if (n == 0)
			continue;
		leat_format_put(out, "%s{\"phase\":\"%s\",\"events\":%llu,\"sum_us\":%llu,\"p99_us\":%.0f}", is_first ? "" : ",",
		                leat_phase_name((enum leat_phase)i), (unsigned long long)n, (unsigned long long)figures[i].sum_us,
		                leat_latency_quantile(figures[i].bucket, 0.99));
		is_first = false;
	}
	leat_buffer_byte(out, ']');
}

static void put_node(struct leat_buffer *out, const struct leat_node *node, const struct leat_node_figures *f)
{
	leat_buffer_text(out, "{\"node\":");
	leat_format_json(out, node->name);
	put_text(out, "role", leat_role_name(node->role));
	put_text(out, "type", node->plugin->name);
	leat_format_put(out, ",\"ready\":%s", f->is_ready ? "true" : "false");
	if (node->role == LEAT_ROLE_SINK)
		put_text(out, "guarantee", guarantee(node));
	if (node->role == LEAT_ROLE_SOURCE && f->lag >= 0)
		put_number(out, "lag", (uint64_t)f->lag);
	if (f->behind_us >= 0)
		leat_format_put(out, ",\"watermark_us\":%lld,\"event_time_lag_seconds\":%.3f", (long long)f->watermark_us,
		                (double)f->behind_us / 1e6);
	put_number(out, "records_in", f->records_in);
	put_number(out, "records_out", f->records_out);
	put_number(out, "dead_letters", f->dead_letters);
	put_number(out, "queued_dead_letters", f->letters);
	leat_format_put(out, ",\"busy_seconds\":%.6f", (double)f->busy_ns / 1e9);
	if (node->role == LEAT_ROLE_OPERATOR) {
		put_number(out, "state_entries", f->state_entries);
		put_number(out, "state_bytes", f->state_bytes);
	}
	if (node->role == LEAT_ROLE_SINK) {
		put_number(out, "queue_bytes", f->queue_bytes);
		put_number(out, "queue_limit_bytes", f->queue_bytes_limit);
		if (f->phase != NULL)
			put_phases(out, f->phase);
	}
	if (f->trouble[0] != '\0')
		put_text(out, "trouble", f->trouble);
	leat_buffer_byte(out, '}');
}

static void put_nodes(struct leat_buffer *out, const struct leat_snapshot *s)
{
	leat_buffer_text(out, ",\"nodes\":[");
	for (size_t i = 0; i < s->figures.n_nodes; i++) {
		if (i > 0)
			leat_buffer_byte(out, ',');
		put_node(out, &s->plan->description->node[i], &s->figures.node[i]);
	}
	leat_buffer_byte(out, ']');
}

/* Of the buckets that have any: the largest latency in it, in us, and how many records. */
static void put_latencies(struct leat_buffer *out, const uint64_t bucket[LEAT_LATENCY_BUCKETS])
{
	bool is_first = true;

	leat_buffer_text(out, ",\"latency_buckets\":[");
	for (unsigned i = 0; i < LEAT_LATENCY_BUCKETS; i++) {
		if (bucket[i] == 0)
			continue;
		leat_format_put(out, "%s[%llu,%llu]", is_first ? "" : ",", (unsigned long long)leat_latency_bound(i),
		                (unsigned long long)bucket[i]);
		is_first = false;
	}
	leat_buffer_byte(out, ']');
}

static void put_pipeline(struct leat_buffer *out, const struct leat_snapshot *s)
{
	leat_buffer_text(out, "{\"pipeline\":");
	leat_format_json(out, s->pipeline);
	put_text(out, "file", s->file);
	put_text(out, "state", leat_run_state_name(s->figures.n_nodes > 0 ? s->figures.state : LEAT_RUN_STOPPED));
	if (s->plan != NULL)
		put_text(out, "guarantee", s->plan->description->mode == LEAT_MODE_EXACTLY_ONCE ? "exactly-once" : "at-least-once");
	put_number(out, "epoch", s->figures.epoch);
	put_number(out, "incarnation", s->figures.incarnation);
	put_number(out, "alerts", s->figures.alerts);
	put_number(out, "in_flight_bytes", s->figures.in_flight_bytes);
	put_number(out, "in_flight_limit_bytes", s->figures.in_flight_limit);
	put_latencies(out, s->figures.latency);
	if (s->trouble[0] != '\0')
		put_text(out, "error", s->trouble);
	put_nodes(out, s);
	leat_buffer_byte(out, '}');
}

void leat_listing_render(struct leat_buffer *out, const struct leat_snapshot *snapshot, size_t n)
{
	leat_buffer_text(out, "{\"pipelines\":[");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			leat_buffer_byte(out, ',');
		put_pipeline(out, &snapshot[i]);
	}
	leat_buffer_text(out, "]}\n");
}
