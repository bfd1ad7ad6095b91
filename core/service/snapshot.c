/* SPDX-License-Identifier: Apache-2.0 */
#include "service/snapshot.h"

#include "base/check.h"

void leat_snapshot_finish(struct leat_snapshot *snapshot)
{
	leat_pipeline_figures_finish(&snapshot->figures);
	memset(snapshot, 0, sizeof *snapshot);
}

const char *leat_run_state_name(enum leat_run_state state)
{
	static const char *const names[LEAT_RUN_STATES] = {
		[LEAT_RUN_STARTING] = "starting", [LEAT_RUN_RUNNING] = "running", [LEAT_RUN_DRAINING] = "draining",
		[LEAT_RUN_DONE] = "done",         [LEAT_RUN_STOPPED] = "stopped",
	};

	leat_check((unsigned)state < LEAT_RUN_STATES);
	return names[state];
}

bool leat_node_is_dead_letter_sink(const struct leat_node *node)
{
	if (node->role != LEAT_ROLE_SINK)
		return false;
	for (size_t i = 0; i < node->n_inputs; i++)
		if (node->input[i].port != LEAT_DEAD_PORT)
			return false;
	return true;
}

void leat_totals_init(struct leat_totals *totals)
{
	memset(totals, 0, sizeof *totals);
	totals->lag = -1;
	totals->behind_us = -1;
}

static void raise_fill(double *fill, double used, double limit)
{
	if (limit > 0 && used / limit > *fill)
		*fill = used / limit;
}

static void add_node(struct leat_totals *totals, const struct leat_node *node, const struct leat_node_figures *f)
{
	totals->dead_letters += f->dead_letters;
	if (node->role == LEAT_ROLE_SOURCE) {
		totals->in += f->records_in;
		if (f->lag >= 0)
			totals->lag = (totals->lag < 0 ? 0 : totals->lag) + f->lag;
	} else if (node->role == LEAT_ROLE_SINK) {
		if (!leat_node_is_dead_letter_sink(node))
			totals->out += f->records_out;
		raise_fill(&totals->queue, (double)f->queue_bytes, (double)f->queue_bytes_limit);
	}
}

/* Where nobody has asked for event time it would say how old the events are, and seem to be wrong. */
static void add_behind(struct leat_totals *totals, const struct leat_snapshot *snapshot)
{
	const struct leat_pipeline_figures *f = &snapshot->figures;
	bool is_asked_for = false;

	for (size_t i = 0; i < f->n_nodes; i++)
		is_asked_for = is_asked_for || snapshot->plan->description->node[i].time.is_given;
	for (size_t i = 0; i < f->n_nodes && is_asked_for; i++)
		if (f->node[i].behind_us > totals->behind_us)
			totals->behind_us = f->node[i].behind_us;
}

void leat_totals_add(struct leat_totals *totals, const struct leat_snapshot *snapshot)
{
	const struct leat_pipeline_figures *f = &snapshot->figures;

	for (size_t i = 0; i < f->n_nodes; i++)
		add_node(totals, &snapshot->plan->description->node[i], &f->node[i]);
	add_behind(totals, snapshot);
	for (size_t i = 0; i < f->n_edges; i++)
		raise_fill(&totals->queue, (double)f->edge[i].queued, (double)f->edge[i].capacity);
	raise_fill(&totals->queue, (double)f->in_flight_bytes, (double)f->in_flight_limit);
	totals->alerts += f->alerts;
	for (size_t i = 0; i < LEAT_LATENCY_BUCKETS; i++)
		totals->latency[i] += f->latency[i];
}
