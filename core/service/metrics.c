/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The families are tables: a name, a sentence, and a function that reads the figure. The tricky part is the format's demand
 * that a family is written in one piece, so the loop over families is outside the one over pipelines.
 */
#include "service/metrics.h"

#include "config.h"
#include "service/format.h"

struct family {
	const char *name; /* NULL ends a table */
	const char *type;
	const char *help;
};

struct node_family {
	struct family family;
	double (*figure)(const struct leat_node_figures *f);
	unsigned roles; /* bits by enum leat_role */
};

struct edge_family {
	struct family family;
	double (*figure)(const struct leat_edge_figures *f);
	bool is_exchange_only;
};

struct pipeline_family {
	struct family family;
	double (*figure)(const struct leat_pipeline_figures *f);
};

enum {
	ON_SOURCE = 1u << LEAT_ROLE_SOURCE,
	ON_OPERATOR = 1u << LEAT_ROLE_OPERATOR,
	ON_SINK = 1u << LEAT_ROLE_SINK,
	ON_ALL = ON_SOURCE | ON_OPERATOR | ON_SINK
};

/* FIGURE(node, errors, f->errors) defines node_errors(). */
#define FIGURE(what, name, expression)                                                                                    \
	static double what##_##name(const struct leat_##what##_figures *f)                                                \
	{                                                                                                                 \
		return (double)(expression);                                                                              \
	}

FIGURE(node, records_in, f->records_in)
FIGURE(node, records_out, f->records_out)
FIGURE(node, bytes_in, f->bytes_in)
FIGURE(node, bytes_out, f->bytes_out)
FIGURE(node, errors, f->errors)
FIGURE(node, dead_letters, f->dead_letters)
FIGURE(node, letters, f->letters)
FIGURE(node, retries, f->retries)
FIGURE(node, busy, (double)f->busy_ns / 1e9)
FIGURE(node, state_entries, f->state_entries)
FIGURE(node, state_bytes, f->state_bytes)
FIGURE(node, state_fetched, f->state_fetched)
FIGURE(node, state_evicted, f->state_evicted)
FIGURE(node, is_ready, f->is_ready ? 1 : 0)
FIGURE(node, lag, f->lag)
FIGURE(node, partitions, f->partitions)
FIGURE(node, idle_partitions, f->idle_partitions)
FIGURE(node, late, f->late)
FIGURE(node, watermark, f->behind_us < 0 ? -1 : (double)f->watermark_us / 1e6)
FIGURE(node, behind, f->behind_us < 0 ? -1 : (double)f->behind_us / 1e6)
FIGURE(node, queue_bytes, f->queue_bytes)
FIGURE(node, queue_bytes_limit, f->queue_bytes_limit)
FIGURE(edge, records, f->records)
FIGURE(edge, bytes, f->bytes)
FIGURE(edge, queued, f->queued)
FIGURE(edge, capacity, f->capacity)
FIGURE(pipeline, started, (double)f->started_us / 1e6)
FIGURE(pipeline, in_flight_bytes, f->in_flight_bytes)
FIGURE(pipeline, in_flight_limit, f->in_flight_limit)
FIGURE(pipeline, alerts, f->alerts)
FIGURE(pipeline, stall, (double)f->stalled_us / 1e6)
FIGURE(pipeline, epoch, f->epoch)
FIGURE(pipeline, incarnation, f->incarnation)
FIGURE(pipeline, epochs, f->epochs)
FIGURE(pipeline, epoch_bytes, f->epoch_bytes)
FIGURE(pipeline, epochs_full, f->epochs_full)
FIGURE(pipeline, epoch_barrier, (double)f->epoch_barrier_us / 1e6)
FIGURE(pipeline, epoch_write, (double)f->epoch_write_us / 1e6)
FIGURE(pipeline, letters_bytes, f->letters_bytes)
FIGURE(pipeline, letters_limit, f->letters_limit)
FIGURE(pipeline, letters_dropped, f->letters_dropped)
FIGURE(pipeline, disk_low, f->is_disk_low)

static const struct pipeline_family pipeline_families[] = {
	{{"leat_start_time_seconds", "gauge", "When the pipeline started, in seconds since 1970."}, pipeline_started},
	{{"leat_in_flight_bytes", "gauge", "Bytes of events between sources and sinks."}, pipeline_in_flight_bytes},
	{{"leat_in_flight_limit_bytes", "gauge", "Bytes of events in flight at which sources are read no more."},
     pipeline_in_flight_limit},
	{{"leat_worker_stall_seconds", "gauge", "The longest time for which a worker that is awake has not come round."}, pipeline_stall},
	{{"leat_alerts_total", "counter", "Records that went out of ports named alerts."}, pipeline_alerts},
	{{"leat_epoch", "gauge", "Number of the last durable epoch; 0 without epochs."}, pipeline_epoch},
	{{"leat_incarnation", "gauge", "Number of this start of the pipeline, in its store."}, pipeline_incarnation},
	{{"leat_epochs_total", "counter", "Epochs written by this process."}, pipeline_epochs},
	{{"leat_epoch_bytes_total", "counter", "Bytes written to the store."}, pipeline_epoch_bytes},
	{{"leat_epochs_full_total", "counter", "Epochs that ended because they had as much as one may have."}, pipeline_epochs_full},
	{{"leat_epoch_barrier_seconds_total", "counter", "Time until all shards had passed the barriers of epochs."}, pipeline_epoch_barrier},
	{{"leat_epoch_write_seconds_total", "counter", "Time in which epochs were written and synced."}, pipeline_epoch_write},
	{{"leat_dead_letter_queue_bytes", "gauge", "Bytes of dead letters in the queue."}, pipeline_letters_bytes},
	{{"leat_dead_letter_queue_limit_bytes", "gauge", "Bytes that dead letters in the queue may take."}, pipeline_letters_limit},
	{{"leat_dead_letters_dropped_total", "counter", "Dead letters that went from the queue as there were too many."},
     pipeline_letters_dropped},
	{{"leat_disk_low", "gauge", "1 when sources are not read because the store's disk is nearly full."}, pipeline_disk_low},
	{{NULL, NULL, NULL}, NULL},
};

static const struct node_family node_families[] = {
	{{"leat_records_in_total", "counter", "Records that came into a node."}, node_records_in, ON_ALL},
	{{"leat_records_out_total", "counter", "Records that a node gave on; of a sink, those delivered."}, node_records_out, ON_ALL},
	{{"leat_received_bytes_total", "counter", "Bytes that came into a node."}, node_bytes_in, ON_ALL},
	{{"leat_sent_bytes_total", "counter", "Bytes that a node gave on."}, node_bytes_out, ON_ALL},
	{{"leat_errors_total", "counter", "Calls into a node's plugin that returned an error."}, node_errors, ON_ALL},
	{{"leat_dead_letters_total", "counter", "Records that a node could not take."}, node_dead_letters, ON_ALL},
	{{"leat_dead_letter_queue_letters", "gauge", "Dead letters of a node in the queue."}, node_letters, ON_ALL},
	{{"leat_retries_total", "counter", "Calls that were made again after an error."}, node_retries, ON_ALL},
	{{"leat_busy_seconds_total", "counter", "Time spent inside a node's plugin."}, node_busy, ON_ALL},
	{{"leat_ready", "gauge", "1 when a source is open or a sink is claimed."}, node_is_ready, ON_ALL},
	{{"leat_state_entries", "gauge", "Entries in an operator's state tables that are in memory."}, node_state_entries, ON_OPERATOR},
	{{"leat_state_bytes", "gauge", "Bytes of an operator's state tables in memory."}, node_state_bytes, ON_OPERATOR},
	{{"leat_state_fetched_total", "counter", "Entries that were read from the store when they were asked for."}, node_state_fetched,
     ON_OPERATOR},
	{{"leat_state_evicted_total", "counter", "Entries that left memory for the store."}, node_state_evicted, ON_OPERATOR},
	{{"leat_source_lag_records", "gauge", "Records not read yet; absent when unknown."}, node_lag, ON_SOURCE},
	{{"leat_source_partitions", "gauge", "Partitions of a source."}, node_partitions, ON_SOURCE},
	{{"leat_source_idle_partitions", "gauge", "Partitions that hold no window open."}, node_idle_partitions, ON_SOURCE},
	{{"leat_events_late_total", "counter", "Events behind the watermark of their partition."}, node_late, ON_SOURCE},
	{{"leat_watermark_seconds", "gauge", "Event time that has passed, in seconds since 1970; absent when unknown."}, node_watermark,
     ON_SOURCE | ON_OPERATOR},
	{{"leat_event_time_lag_seconds", "gauge", "What the watermark is behind the clock; absent when unknown."}, node_behind,
     ON_SOURCE | ON_OPERATOR},
	{{"leat_sink_queue_bytes", "gauge", "Bytes that are encoded and not delivered yet."}, node_queue_bytes, ON_SINK},
	{{"leat_sink_queue_limit_bytes", "gauge", "Bytes at which a sink's queue is full."}, node_queue_bytes_limit, ON_SINK},
	{{NULL, NULL, NULL}, NULL, 0},
};

static const struct edge_family edge_families[] = {
	{{"leat_edge_records_total", "counter", "Records that went over an edge."}, edge_records, false},
	{{"leat_edge_bytes_total", "counter", "Bytes that went over an edge."}, edge_bytes, false},
	{{"leat_edge_queued_batches", "gauge", "Batches waiting in an exchange's rings."}, edge_queued, true},
	{{"leat_edge_capacity_batches", "gauge", "Batches that an exchange's rings can hold."}, edge_capacity, true},
	{{NULL, NULL, NULL}, NULL, false},
};

static void put_head(struct leat_buffer *out, const struct family *family)
{
	leat_format_put(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name, family->type);
}

/* `name="value"`, with the three escapes that the format has. */
static void put_label(struct leat_buffer *out, const char *name, const char *value)
{
	leat_format_put(out, "%s=\"", name);
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"')
			leat_buffer_byte(out, '\\');
		if (*value == '\n')
			leat_buffer_text(out, "\\n");
		else
			leat_buffer_byte(out, *value);
	}
	leat_buffer_byte(out, '"');
}

static void put_value(struct leat_buffer *out, double value)
{
	if (value >= -9007199254740992.0 && value <= 9007199254740992.0 && value == (double)(int64_t)value)
		leat_format_put(out, " %lld\n", (long long)value);
	else
		leat_format_put(out, " %.17g\n", value);
}

static void put_node_labels(struct leat_buffer *out, const char *pipeline, const struct leat_node *node)
{
	leat_buffer_byte(out, '{');
	put_label(out, "pipeline", pipeline);
	leat_buffer_byte(out, ',');
	put_label(out, "node", node->name);
	leat_buffer_byte(out, ',');
	put_label(out, "role", leat_role_name(node->role));
	leat_buffer_byte(out, ',');
	put_label(out, "type", node->plugin->name);
	leat_buffer_byte(out, '}');
}

static void put_node_family(struct leat_buffer *out, const struct node_family *family, const struct leat_snapshot *s)
{
	for (size_t i = 0; i < s->figures.n_nodes; i++) {
		const struct leat_node *node = &s->plan->description->node[i];
		double value = family->figure(&s->figures.node[i]);

		if (!(family->roles & 1u << node->role) || value < 0) /* a lag of -1 is unknown */
			continue;
		leat_buffer_text(out, family->family.name);
		put_node_labels(out, s->pipeline, node);
		put_value(out, value);
	}
}

static const char *port_name(const struct leat_node *node, uint32_t port)
{
	return port == LEAT_DEAD_PORT ? "dead" : port < node->n_ports ? node->ports[port] : "";
}

static void put_edge_family(struct leat_buffer *out, const struct edge_family *family, const struct leat_snapshot *s)
{
	for (size_t i = 0; i < s->figures.n_edges; i++) {
		const struct leat_edge *edge = &s->plan->edge[i];
		const struct leat_node *node = s->plan->description->node;

		if (family->is_exchange_only && edge->kind != LEAT_EDGE_EXCHANGE)
			continue;
		leat_format_put(out, "%s{", family->family.name);
		put_label(out, "pipeline", s->pipeline);
		leat_buffer_byte(out, ',');
		put_label(out, "from", node[edge->from].name);
		leat_buffer_byte(out, ',');
		put_label(out, "port", port_name(&node[edge->from], edge->port));
		leat_buffer_byte(out, ',');
		put_label(out, "to", node[edge->to].name);
		if (node[edge->to].n_named > 0) {
			leat_buffer_byte(out, ',');
			put_label(out, "input", node[edge->to].plugin->op->inputs[edge->input]);
		}
		leat_buffer_byte(out, '}');
		put_value(out, family->figure(&s->figures.edge[i]));
	}
}

static void put_pipeline_series(struct leat_buffer *out, const char *name, const char *pipeline)
{
	leat_format_put(out, "%s{", name);
	put_label(out, "pipeline", pipeline);
	leat_buffer_byte(out, '}');
}

static void put_states(struct leat_buffer *out, const struct leat_snapshot *s)
{
	for (unsigned state = 0; state < LEAT_RUN_STATES; state++) {
		bool is_it = s->plan != NULL && s->figures.state == (enum leat_run_state)state;

		if (s->plan == NULL && state == LEAT_RUN_STOPPED) /* a file that could not be read does not run either */
			is_it = true;
		leat_buffer_text(out, "leat_pipeline_state{");
		put_label(out, "pipeline", s->pipeline);
		leat_format_put(out, ",state=\"%s\"} %d\n", leat_run_state_name((enum leat_run_state)state), is_it);
	}
}

/* From 64 us to 67 s in powers of two; what is outside is in the first and the last bucket. */
static const uint64_t first_bound = UINT64_C(1) << 6, last_bound = UINT64_C(1) << 26;

/* The series of one histogram; `labels` without braces. The count is the sum of the buckets: one that was counted by itself may have
 * been so a moment later, and the two have to agree. */
static void put_histogram(struct leat_buffer *out, const char *name, const char *labels, const uint64_t bucket[LEAT_LATENCY_BUCKETS],
                          uint64_t sum_us)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < LEAT_LATENCY_BUCKETS; i++) {
		uint64_t bound = leat_latency_bound(i);

		n += bucket[i];
		if ((bound & (bound - 1)) == 0 && bound >= first_bound && bound <= last_bound)
			leat_format_put(out, "%s_bucket{%s,le=\"%.9g\"} %llu\n", name, labels, (double)bound / 1e6, (unsigned long long)n);
	}
	leat_format_put(out, "%s_bucket{%s,le=\"+Inf\"} %llu\n", name, labels, (unsigned long long)n);
	leat_format_put(out, "%s_sum{%s} %.17g\n", name, labels, (double)sum_us / 1e6);
	leat_format_put(out, "%s_count{%s} %llu\n", name, labels, (unsigned long long)n);
}

static void put_latency(struct leat_buffer *out, const struct leat_snapshot *s)
{
	struct leat_buffer labels = { 0 };

	put_label(&labels, "pipeline", s->pipeline);
	leat_buffer_byte(&labels, '\0');
	put_histogram(out, "leat_end_to_end_latency_seconds", labels.data, s->figures.latency, s->figures.latency_sum_us);
	leat_buffer_finish(&labels);
}

static void put_phases_of(struct leat_buffer *out, const char *pipeline, const char *node, const struct leat_phase_figures *figures)
{
	struct leat_buffer labels = { 0 };

	for (unsigned i = 0; i < LEAT_PHASES; i++) {
		if (leat_phase_events(&figures[i]) == 0)
			continue;
		labels.n = 0;
		put_label(&labels, "pipeline", pipeline);
		leat_buffer_byte(&labels, ',');
		put_label(&labels, "node", node);
		leat_buffer_byte(&labels, ',');
		put_label(&labels, "phase", leat_phase_name((enum leat_phase)i));
		leat_buffer_byte(&labels, '\0');
		put_histogram(out, "leat_latency_phase_seconds", labels.data, figures[i].bucket, figures[i].sum_us);
	}
	leat_buffer_finish(&labels);
}

static void put_phases(struct leat_buffer *out, const struct leat_snapshot *s)
{
	for (size_t i = 0; i < s->figures.n_nodes; i++)
		if (s->figures.node[i].phase != NULL)
			put_phases_of(out, s->pipeline, s->plan->description->node[i].name, s->figures.node[i].phase);
}

static void put_pipelines(struct leat_buffer *out, const struct leat_snapshot *snapshot, size_t n)
{
	put_head(out, &(struct family){"leat_pipeline_state", "gauge", "1 for the state that the pipeline is in."});
	for (size_t i = 0; i < n; i++)
		put_states(out, &snapshot[i]);
	for (const struct pipeline_family *f = pipeline_families; f->family.name != NULL; f++) {
		put_head(out, &f->family);
		for (size_t i = 0; i < n; i++)
			if (snapshot[i].figures.n_nodes > 0) {
				put_pipeline_series(out, f->family.name, snapshot[i].pipeline);
				put_value(out, f->figure(&snapshot[i].figures));
			}
	}
	put_head(out, &(struct family){"leat_end_to_end_latency_seconds", "histogram",
	                               "From the arrival of an event to the moment when it is durable in a sink."});
	for (size_t i = 0; i < n; i++)
		if (snapshot[i].figures.n_nodes > 0)
			put_latency(out, &snapshot[i]);
	put_head(out, &(struct family){"leat_latency_phase_seconds", "histogram", "Where the time of the events that a sink delivered went."});
	for (size_t i = 0; i < n; i++)
		put_phases(out, &snapshot[i]);
}

void leat_metrics_render(struct leat_buffer *out, const struct leat_snapshot *snapshot, size_t n)
{
	put_head(out, &(struct family){"leat_build_info", "gauge", "1, with the version of leat."});
	leat_buffer_text(out, "leat_build_info{version=\"" PACKAGE_VERSION "\"} 1\n");
	put_pipelines(out, snapshot, n);
	for (const struct node_family *f = node_families; f->family.name != NULL; f++) {
		put_head(out, &f->family);
		for (size_t i = 0; i < n; i++)
			put_node_family(out, f, &snapshot[i]);
	}
	for (const struct edge_family *f = edge_families; f->family.name != NULL; f++) {
		put_head(out, &f->family);
		for (size_t i = 0; i < n; i++)
			put_edge_family(out, f, &snapshot[i]);
	}
}
