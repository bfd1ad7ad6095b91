/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

/*
 * The plan: stages and edges. A node joins a stage only when all its inputs are in it, so an edge between stages always
 * leads to the node that begins a stage; that is why stages in the order of their first nodes never wait for a later one.
 *
 * A keyed operator joins one when its inputs give it records that are still in the shards of its key: that began the stage, and what is
 * in between keeps records. Then an exchange would bring each of them to the shard that it is in.
 */

enum { NO_STAGE = UINT32_MAX, NO_NODE = UINT32_MAX };

struct making {
	const struct leat_description *d;
	struct leat_stage *stage;
	uint32_t n_stages;
	uint32_t *stage_of;
	uint32_t *keyed_by; /* by node, the node whose key what comes out of it is in the shards of; NO_NODE: none */
};

/* The stage that all inputs are in, or NO_STAGE. */
static uint32_t stage_of_inputs(const struct making *m, const struct leat_node *node)
{
	uint32_t stage = m->stage_of[node->input[0].node];
	size_t i;

	for (i = 1; i < node->n_inputs; i++)
		if (m->stage_of[node->input[i].node] != stage)
			return NO_STAGE;
	return stage;
}

/* The node by whose key all inputs are in their shards, or NO_NODE. Dead letters are other records. */
static uint32_t key_of_inputs(const struct making *m, const struct leat_node *node)
{
	uint32_t by = m->keyed_by[node->input[0].node];
	size_t i;

	for (i = 0; i < node->n_inputs; i++)
		if (m->keyed_by[node->input[i].node] != by || node->input[i].port == LEAT_DEAD_PORT)
			return NO_NODE;
	return by;
}

static bool have_same_key(const struct leat_node *a, const struct leat_node *b)
{
	size_t i;

	if (a->n_keys != b->n_keys || a->n_shards != b->n_shards || a->n_named > 0 || b->n_named > 0)
		return false;
	for (i = 0; i < a->n_keys && strcmp(a->key[i]->text, b->key[i]->text) == 0; i++)
		;
	return i == a->n_keys;
}

static void place_node(struct making *m, const struct leat_node *node)
{
	uint32_t stage = NO_STAGE, by = NO_NODE;

	if (node->role == LEAT_ROLE_OPERATOR) {
		by = key_of_inputs(m, node);
		if (node->n_shards > 0 && (by == NO_NODE || !have_same_key(node, &m->d->node[by])))
			by = node->n_keys > 0 ? node->index : NO_NODE;
		if (node->n_shards == 0 || (by != NO_NODE && by != node->index))
			stage = stage_of_inputs(m, node);
		if (node->plugin->op->keeps_records)
			m->keyed_by[node->index] = by;
	}
	if (stage == NO_STAGE) {
		stage = m->n_stages++;
		m->stage[stage].is_source = node->role == LEAT_ROLE_SOURCE;
		m->stage[stage].n_shards = node->role == LEAT_ROLE_SOURCE ? 0 : node->n_shards > 0 ? node->n_shards : 1;
	}
	m->stage_of[node->index] = stage;
	m->stage[stage].n_nodes++;
}

static void make_stages(struct making *m)
{
	const struct leat_description *d = m->d;
	uint32_t **list;
	uint32_t stage, node;
	size_t i;

	m->stage = leat_arena_allocate(d->arena, d->n_nodes * sizeof *m->stage);
	m->stage_of = leat_arena_allocate(d->arena, d->n_nodes * sizeof *m->stage_of);
	m->keyed_by = leat_arena_allocate(d->arena, d->n_nodes * sizeof *m->keyed_by);
	memset(m->keyed_by, 0xff, d->n_nodes * sizeof *m->keyed_by);
	memset(m->stage, 0, d->n_nodes * sizeof *m->stage);
	memset(m->stage_of, 0xff, d->n_nodes * sizeof *m->stage_of);
	for (i = 0; i < d->n_nodes; i++)
		if (d->node[d->order[i]].role != LEAT_ROLE_SINK)
			place_node(m, &d->node[d->order[i]]);
	list = leat_allocate_zeroed(m->n_stages + 1, sizeof *list);
	for (stage = 0; stage < m->n_stages; stage++) {
		list[stage] = leat_arena_allocate(d->arena, m->stage[stage].n_nodes * sizeof **list);
		m->stage[stage].node = list[stage];
	}
	for (i = 0; i < d->n_nodes; i++) {
		node = d->order[i];
		if (m->stage_of[node] != NO_STAGE)
			*list[m->stage_of[node]]++ = node;
	}
	free(list);
}

/* ---- edges ------------------------------------------------------------------------------------------------------- */

struct ranked {
	uint32_t rank; /* of `from` in the order */
	struct leat_edge edge;
};

static int compare_edges(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->edge.port != b->edge.port)
		return a->edge.port < b->edge.port ? -1 : 1;
	if (a->edge.to != b->edge.to)
		return a->edge.to < b->edge.to ? -1 : 1;
	return a->edge.input < b->edge.input ? -1 : a->edge.input > b->edge.input;
}

static enum leat_edge_kind kind_of(const struct making *m, uint32_t from, uint32_t to)
{
	if (m->d->node[to].role == LEAT_ROLE_SINK)
		return LEAT_EDGE_SINK;
	return m->stage_of[from] == m->stage_of[to] ? LEAT_EDGE_DIRECT : LEAT_EDGE_EXCHANGE;
}

static size_t count_edges(const struct leat_description *d)
{
	size_t i, n = 0;

	for (i = 0; i < d->n_nodes; i++)
		n += d->node[i].n_inputs;
	return n;
}

static struct leat_edge *make_edges(const struct making *m, size_t n_edges)
{
	const struct leat_description *d = m->d;
	struct leat_edge *edges = leat_arena_allocate(d->arena, n_edges * sizeof *edges);
	struct ranked *sorted = leat_allocate_zeroed(n_edges + 1, sizeof *sorted);
	uint32_t *rank = leat_allocate_zeroed(d->n_nodes + 1, sizeof *rank);
	size_t i, j, n = 0;

	for (i = 0; i < d->n_nodes; i++)
		rank[d->order[i]] = (uint32_t)i;
	for (i = 0; i < d->n_nodes; i++) {
		for (j = 0; j < d->node[i].n_inputs; j++) {
			const struct leat_input *in = &d->node[i].input[j];

			sorted[n].rank = rank[in->node];
			sorted[n++].edge = (struct leat_edge){ .from = in->node, .port = in->port, .to = (uint32_t)i,
			                                       .input = in->number, .kind = kind_of(m, in->node, (uint32_t)i) };
		}
	}
	leat_check(n == n_edges);
	qsort(sorted, n, sizeof *sorted, compare_edges);
	for (i = 0; i < n; i++)
		edges[i] = sorted[i].edge;
	free(rank);
	free(sorted);
	return edges;
}

const struct leat_plan *leat_plan_make(const struct leat_description *description)
{
	struct leat_plan *plan = leat_arena_allocate(description->arena, sizeof *plan);
	struct making m = { .d = description };

	memset(plan, 0, sizeof *plan);
	make_stages(&m);
	plan->description = description;
	plan->n_stages = m.n_stages;
	plan->stage = m.stage;
	plan->stage_of = m.stage_of;
	plan->n_edges = count_edges(description);
	plan->edge = make_edges(&m, plan->n_edges);
	return plan;
}
