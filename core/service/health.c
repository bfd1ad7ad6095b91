/* SPDX-License-Identifier: Apache-2.0 */
#include "service/health.h"

#include "service/format.h"

static bool is_stalled(const struct leat_snapshot *s)
{
	return s->figures.stalled_us > LEAT_STALL_US;
}

static bool is_running(const struct leat_snapshot *s)
{
	return s->plan != NULL && s->figures.n_nodes > 0 && s->figures.state != LEAT_RUN_STOPPED;
}

static bool is_healthy(const struct leat_snapshot *s)
{
	return is_running(s) && !is_stalled(s);
}

/* A pipeline that had an end and came to it does what it is there for. */
static bool is_ready(const struct leat_snapshot *s)
{
	return is_healthy(s) && (s->figures.state == LEAT_RUN_RUNNING || s->figures.state == LEAT_RUN_DONE);
}

static void put_nodes(struct leat_buffer *out, const struct leat_snapshot *s)
{
	bool is_first = true;

	leat_buffer_text(out, ",\"nodes\":[");
	for (size_t i = 0; i < s->figures.n_nodes; i++) {
		const struct leat_node *node = &s->plan->description->node[i];
		const struct leat_node_figures *f = &s->figures.node[i];

		if (f->is_ready && f->trouble[0] == '\0')
			continue;
		leat_buffer_text(out, is_first ? "{\"node\":" : ",{\"node\":");
		is_first = false;
		leat_format_json(out, node->name);
		leat_buffer_text(out, ",\"role\":");
		leat_format_json(out, leat_role_name(node->role));
		leat_buffer_text(out, ",\"type\":");
		leat_format_json(out, node->plugin->name);
		leat_format_put(out, ",\"ready\":%s,\"trouble\":", f->is_ready ? "true" : "false");
		leat_format_json(out, f->trouble);
		leat_buffer_byte(out, '}');
	}
	leat_buffer_byte(out, ']');
}

/* What a worker is stuck in. */
static void put_stall(struct leat_buffer *out, const struct leat_snapshot *s)
{
	leat_format_put(out, ",\"stalled_seconds\":%lld", (long long)(s->figures.stalled_us / 1000000));
	if (s->plan == NULL || s->figures.stalled_node >= s->plan->description->n_nodes)
		return;
	leat_buffer_text(out, ",\"stalled_node\":");
	leat_format_json(out, s->plan->description->node[s->figures.stalled_node].name);
}

static void put_pipeline(struct leat_buffer *out, const struct leat_snapshot *s)
{
	leat_buffer_text(out, "{\"pipeline\":");
	leat_format_json(out, s->pipeline);
	leat_buffer_text(out, ",\"file\":");
	leat_format_json(out, s->file);
	leat_buffer_text(out, ",\"state\":");
	leat_format_json(out, leat_run_state_name(is_running(s) ? s->figures.state : LEAT_RUN_STOPPED));
	if (s->trouble[0] != '\0') {
		leat_buffer_text(out, ",\"error\":");
		leat_format_json(out, s->trouble);
	}
	if (is_stalled(s))
		put_stall(out, s);
}

static bool render(struct leat_buffer *out, const struct leat_snapshot *snapshot, size_t n, bool is_readiness)
{
	bool is_good = n > 0;

	for (size_t i = 0; i < n; i++)
		is_good = is_good && (is_readiness ? is_ready(&snapshot[i]) : is_healthy(&snapshot[i]));
	leat_format_put(out, "{\"status\":\"%s%s\",\"pipelines\":[", is_good ? "" : "not ", is_readiness ? "ready" : "healthy");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			leat_buffer_byte(out, ',');
		put_pipeline(out, &snapshot[i]);
		if (is_readiness)
			put_nodes(out, &snapshot[i]);
		leat_buffer_byte(out, '}');
	}
	leat_buffer_text(out, "]}\n");
	return is_good;
}

bool leat_health_render(struct leat_buffer *out, const struct leat_snapshot *snapshot, size_t n)
{
	return render(out, snapshot, n, false);
}

bool leat_readiness_render(struct leat_buffer *out, const struct leat_snapshot *snapshot, size_t n)
{
	return render(out, snapshot, n, true);
}
