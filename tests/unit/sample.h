/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_TESTS_SAMPLE_H
#define LEAT_TESTS_SAMPLE_H

#include "service/snapshot.h"

/*
 * A pipeline's snapshot made by hand: source "in" -> operator "op" (exchange) -> sink "out", and sink "lost" for the dead
 * letters of the source. Its names need escaping, as a file may contain anything.
 */
struct sample {
	struct leat_plugin plugin[2];
	struct leat_node node[4];
	struct leat_input input[4];
	struct leat_edge edge[3];
	struct leat_description description;
	struct leat_plan plan;
	struct leat_node_figures node_figures[4];
	struct leat_edge_figures edge_figures[3];
	struct leat_phase_figures phase[LEAT_PHASES]; /* of sink "out" */
	struct leat_snapshot snapshot;
};

static const char *const sample_ports[] = {"out", "alerts", NULL};

static inline void sample_node(struct sample *s, uint32_t index, const char *name, enum leat_role role, uint32_t from,
                               uint32_t port)
{
	struct leat_node *node = &s->node[index];

	s->input[index] = (struct leat_input){.node = from, .port = port};
	node->name = name;
	node->index = index;
	node->role = role;
	node->plugin = &s->plugin[role == LEAT_ROLE_SOURCE ? 0 : 1];
	node->input = &s->input[index];
	node->n_inputs = role == LEAT_ROLE_SOURCE ? 0 : 1;
	node->ports = sample_ports;
	node->n_ports = role == LEAT_ROLE_SINK ? 0 : 2;
}

static inline void sample_init(struct sample *s)
{
	memset(s, 0, sizeof *s);
	s->plugin[0].name = "generate";
	s->plugin[1].name = "thing";
	sample_node(s, 0, "in", LEAT_ROLE_SOURCE, 0, 0);
	sample_node(s, 1, "a \"quoted\\\nname", LEAT_ROLE_OPERATOR, 0, 0);
	sample_node(s, 2, "out", LEAT_ROLE_SINK, 1, 1);
	sample_node(s, 3, "lost", LEAT_ROLE_SINK, 0, LEAT_DEAD_PORT);
	s->edge[0] = (struct leat_edge){.from = 0, .port = 0, .to = 1, .kind = LEAT_EDGE_EXCHANGE};
	s->edge[1] = (struct leat_edge){.from = 0, .port = LEAT_DEAD_PORT, .to = 3, .kind = LEAT_EDGE_SINK};
	s->edge[2] = (struct leat_edge){.from = 1, .port = 1, .to = 2, .kind = LEAT_EDGE_SINK};
	s->description = (struct leat_description){.name = "pay", .file = "pay.yaml", .n_nodes = 4, .node = s->node};
	s->plan = (struct leat_plan){.description = &s->description, .n_edges = 3, .edge = s->edge};
	s->node_figures[0] = (struct leat_node_figures){
		.records_in = 1000, .records_out = 998, .dead_letters = 2, .lag = 120, .partitions = 4, .is_ready = true};
	s->node_figures[1] = (struct leat_node_figures){.busy_ns = 1500000000, .state_entries = 7, .lag = -1, .is_ready = true};
	s->node_figures[2] =
		(struct leat_node_figures){.records_out = 990, .queue_bytes = 30, .queue_bytes_limit = 100, .lag = -1, .is_ready = true};
	for (unsigned i = LEAT_PHASE_QUEUE; i < LEAT_PHASE_COMMIT; i++)
		s->phase[i] = (struct leat_phase_figures){.bucket = {[35] = 100}, .sum_us = 100000 * (uint64_t)i};
	s->node_figures[2].phase = s->phase;
	s->node_figures[3] = (struct leat_node_figures){.records_out = 2, .lag = -1, .is_ready = true};
	s->edge_figures[0] = (struct leat_edge_figures){.records = 998, .queued = 1, .capacity = 64};
	s->snapshot = (struct leat_snapshot){.pipeline = "pay", .file = "pay.yaml", .plan = &s->plan};
	s->snapshot.figures = (struct leat_pipeline_figures){
		.state = LEAT_RUN_RUNNING, .started_us = 1500000, .n_nodes = 4, .node = s->node_figures, .n_edges = 3, .edge = s->edge_figures,
		.latency = {[7] = 5, [35] = 80, [107] = 15}, .latency_sum_us = 2500000, .latency_count = 100, .alerts = 7,
		.in_flight_bytes = 10, .in_flight_limit = 1000, .stalled_us = 2500000};
}

#endif
