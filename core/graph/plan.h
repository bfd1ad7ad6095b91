/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_GRAPH_PLAN_H
#define LEAT_GRAPH_PLAN_H

#include "graph/description.h"

/*
 * The plan: which nodes run together. A stage is a set of nodes whose instances of one shard number call each other
 * directly, in one thread. A source begins a stage with a shard per partition; a keyed operator begins one with n_shards,
 * or joins that of its inputs when the records are in the shards of its key already; an operator without key joins the
 * stage of its inputs, or begins a stage of one shard when it asks for that (`shards: 1`, .is_whole) or they are of
 * different stages; a sink's encode() runs in the stages that feed it and the sink itself on its own thread. Between stages
 * records cross an exchange: a keyed one by the hash of the key, else to the single shard.
 * Dead letters (input node.dead) flow in the stage of the node that they come from; those of a sink go straight to the sink
 * that reads them (only a sink may).
 */

enum leat_edge_kind {
	LEAT_EDGE_DIRECT,   /* within a stage */
	LEAT_EDGE_EXCHANGE, /* to another stage */
	LEAT_EDGE_SINK      /* encoded in the stage of `from`, delivered by the sink's thread */
};

struct leat_edge {
	uint32_t from; /* node */
	uint32_t port; /* of `from`; LEAT_DEAD_PORT */
	uint32_t to;   /* node */
	uint32_t input; /* of `to`: leat_input.number */
	enum leat_edge_kind kind;
};

struct leat_stage {
	uint32_t n_nodes;
	const uint32_t *node; /* sources and operators, each after its inputs in this stage; the first one begins the stage */
	bool is_source;       /* the first node is a source: shards are its partitions */
	uint32_t n_shards;    /* 0 for sources: known only at run time */
};

struct leat_plan {
	const struct leat_description *description;
	size_t n_stages;
	const struct leat_stage *stage; /* each after the stages that feed it */
	const uint32_t *stage_of;       /* by node; UINT32_MAX for sinks */
	size_t n_edges;
	const struct leat_edge *edge;   /* by node in topological order, then port, then what they lead to */
};

/* Lives in the description's arena. Never fails: the description was checked. */
const struct leat_plan *leat_plan_make(const struct leat_description *description);

void leat_plan_print_mermaid(const struct leat_plan *plan, FILE *out);
void leat_plan_print_dot(const struct leat_plan *plan, FILE *out);

#endif
