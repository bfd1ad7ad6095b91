/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/summary.h"

#include <sys/resource.h>

#include "config.h"
#include "service/format.h"

static void total(struct leat_totals *totals, const struct leat_snapshot *s)
{
	leat_totals_init(totals);
	leat_totals_add(totals, s);
}

static double per_second(uint64_t n, int64_t elapsed_us)
{
	return elapsed_us <= 0 ? 0 : (double)n * 1e6 / (double)elapsed_us;
}

static const char *outcome(const struct leat_snapshot *s)
{
	return s->figures.n_nodes == 0 ? "did not start" : s->figures.state == LEAT_RUN_DONE ? "done" : "stopped";
}

/* ---- for people -------------------------------------------------------------------------------------------------- */

static void put_count(struct leat_buffer *out, const char *what, uint64_t n)
{
	char digits[24];
	char grouped[32];
	size_t length, used = 0;

	(void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
	length = strlen(digits);
	for (size_t i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			grouped[used++] = ',';
		grouped[used++] = digits[i];
	}
	grouped[used] = '\0';
	leat_format_put(out, "  %-14s %14s", what, grouped);
}

static void put_events(struct leat_buffer *out, const char *what, uint64_t n, int64_t elapsed_us)
{
	put_count(out, what, n);
	leat_buffer_text(out, "  (");
	leat_format_count(out, per_second(n, elapsed_us));
	leat_buffer_text(out, "/s)\n");
}

static void put_latency(struct leat_buffer *out, const struct leat_totals *t)
{
	static const double quantiles[] = {0.50, 0.99};

	for (size_t i = 0; i < 2; i++) {
		struct leat_buffer text = {0};

		leat_format_latency(&text, leat_latency_quantile(t->latency, quantiles[i]));
		leat_format_put(out, "  %s %14.*s\n", i == 0 ? "latency P50   " : "latency P99   ", (int)text.n, text.data);
		leat_buffer_finish(&text);
	}
}

static void put_summary(struct leat_buffer *out, const struct leat_snapshot *s, int64_t elapsed_us)
{
	struct leat_totals t;

	total(&t, s);
	leat_format_put(out, "pipeline \"%s\" %s after %.1f s\n", s->pipeline, outcome(s), (double)elapsed_us / 1e6);
	if (s->trouble[0] != '\0')
		leat_format_put(out, "  %s\n", s->trouble);
	if (s->figures.n_nodes == 0)
		return;
	put_events(out, "events in", t.in, elapsed_us);
	put_events(out, "events out", t.out, elapsed_us);
	put_count(out, "dead letters", t.dead_letters);
	leat_buffer_byte(out, '\n');
	put_count(out, "alerts", t.alerts);
	leat_buffer_byte(out, '\n');
	put_latency(out, &t);
}

void leat_summary_print(struct leat_buffer *out, const struct leat_snapshot *snapshot, size_t n, int64_t elapsed_us)
{
	for (size_t i = 0; i < n; i++)
		put_summary(out, &snapshot[i], elapsed_us);
}

/* ---- for programs ------------------------------------------------------------------------------------------------ */

static void put_number(struct leat_buffer *out, const char *name, uint64_t n)
{
	leat_format_put(out, ",\"%s\":%llu", name, (unsigned long long)n);
}

static void put_node(struct leat_buffer *out, const struct leat_node *node, const struct leat_node_figures *f)
{
	leat_buffer_text(out, "{\"node\":");
	leat_format_json(out, node->name);
	leat_format_put(out, ",\"role\":\"%s\",\"type\":", leat_role_name(node->role));
	leat_format_json(out, node->plugin->name);
	put_number(out, "records_in", f->records_in);
	put_number(out, "records_out", f->records_out);
	put_number(out, "bytes_in", f->bytes_in);
	put_number(out, "bytes_out", f->bytes_out);
	put_number(out, "errors", f->errors);
	put_number(out, "dead_letters", f->dead_letters);
	put_number(out, "retries", f->retries);
	put_number(out, "state_entries", f->state_entries);
	put_number(out, "state_bytes", f->state_bytes);
	put_number(out, "state_fetched", f->state_fetched);
	put_number(out, "state_evicted", f->state_evicted);
	leat_format_put(out, ",\"busy_seconds\":%.6f}", (double)f->busy_ns / 1e9);
}

static void put_edge(struct leat_buffer *out, const struct leat_plan *plan, const struct leat_edge *edge,
                     const struct leat_edge_figures *f)
{
	const struct leat_node *from = &plan->description->node[edge->from], *to = &plan->description->node[edge->to];

	leat_buffer_text(out, "{\"from\":");
	leat_format_json(out, from->name);
	leat_buffer_text(out, ",\"port\":");
	leat_format_json(out, edge->port == LEAT_DEAD_PORT ? "dead" : edge->port < from->n_ports ? from->ports[edge->port] : NULL);
	leat_buffer_text(out, ",\"to\":");
	leat_format_json(out, to->name);
	if (to->n_named > 0) {
		leat_buffer_text(out, ",\"input\":");
		leat_format_json(out, to->plugin->op->inputs[edge->input]);
	}
	put_number(out, "records", f->records);
	leat_buffer_byte(out, '}');
}

static void put_parts(struct leat_buffer *out, const struct leat_snapshot *s)
{
	leat_buffer_text(out, ",\"nodes\":[");
	for (size_t i = 0; i < s->figures.n_nodes; i++) {
		if (i > 0)
			leat_buffer_byte(out, ',');
		put_node(out, &s->plan->description->node[i], &s->figures.node[i]);
	}
	leat_buffer_text(out, "],\"edges\":[");
	for (size_t i = 0; i < s->figures.n_edges; i++) {
		if (i > 0)
			leat_buffer_byte(out, ',');
		put_edge(out, s->plan, &s->plan->edge[i], &s->figures.edge[i]);
	}
	leat_buffer_text(out, "]}");
}

static void put_pipeline(struct leat_buffer *out, const struct leat_snapshot *s, int64_t elapsed_us)
{
	struct leat_totals t;

	total(&t, s);
	leat_buffer_text(out, "{\"pipeline\":");
	leat_format_json(out, s->pipeline);
	leat_buffer_text(out, ",\"file\":");
	leat_format_json(out, s->file);
	leat_format_put(out, ",\"outcome\":\"%s\",\"error\":", outcome(s));
	leat_format_json(out, s->trouble[0] == '\0' ? NULL : s->trouble);
	put_number(out, "events_in", t.in);
	put_number(out, "events_out", t.out);
	put_number(out, "dead_letters", t.dead_letters);
	put_number(out, "alerts", t.alerts);
	leat_format_put(out, ",\"events_in_per_second\":%.1f,\"events_out_per_second\":%.1f", per_second(t.in, elapsed_us),
	                per_second(t.out, elapsed_us));
	leat_format_put(out, ",\"latency_p50_ms\":%.3f,\"latency_p99_ms\":%.3f", leat_latency_quantile(t.latency, 0.50) / 1e3,
	                leat_latency_quantile(t.latency, 0.99) / 1e3);
	put_parts(out, s);
}

/* Of the whole process, in user and in system mode. */
static double cpu_seconds(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void leat_summary_print_json(struct leat_buffer *out, const struct leat_snapshot *snapshot, size_t n, int64_t elapsed_us)
{
	leat_format_put(out, "{\"version\":\"%s\",\"elapsed_seconds\":%.3f,\"cpu_seconds\":%.3f,\"pipelines\":[", PACKAGE_VERSION,
	                (double)elapsed_us / 1e6, cpu_seconds());
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			leat_buffer_byte(out, ',');
		put_pipeline(out, &snapshot[i], elapsed_us);
	}
	leat_buffer_text(out, "]}\n");
}
