/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pipeline can promise. Exactly-once takes a source that gives the same records again and a sink that applies effects
 * and its fence in one step; what lies between them is the host's. A path is as good as the weaker of its two ends, so it is
 * the ends that are looked at, and a file that asks for more than one of them can give is refused.
 */
#include "graph/build.h"

static void judge_source(struct leat_build *b, const struct leat_node *node)
{
	if (!node->plugin->source->can_replay)
		leat_report_error(b->report, node->settings->name_place,
		                  "source \"%s\" (%s) cannot be replayed, so its events cannot be delivered exactly once; write \"delivery: "
		                  "at-least-once\" for the pipeline",
		                  node->name, node->plugin->name);
}

static void judge_sink(struct leat_build *b, struct leat_node *node)
{
	const struct leat_sink_ops *ops = node->plugin->sink;

	if (node->guarantee == LEAT_AT_LEAST_ONCE)
		return; /* it was asked for */
	node->guarantee = ops->guarantee == NULL ? LEAT_AT_LEAST_ONCE : ops->guarantee(node->prototype);
	if (node->guarantee == LEAT_AT_LEAST_ONCE)
		leat_report_error(b->report, node->settings->name_place,
		                  "sink \"%s\" (%s) can deliver at least once only; write \"delivery: at-least-once\" for it", node->name,
		                  node->plugin->name);
}

void leat_build_guarantees(struct leat_build *b)
{
	for (size_t i = 0; i < b->description->n_nodes; i++) {
		struct leat_node *node = &b->description->node[i];

		if (b->description->mode != LEAT_MODE_EXACTLY_ONCE)
			node->guarantee = LEAT_AT_LEAST_ONCE;
		else if (node->prototype != NULL && node->role == LEAT_ROLE_SOURCE)
			judge_source(b, node);
		else if (node->prototype != NULL && node->role == LEAT_ROLE_SINK)
			judge_sink(b, node);
	}
}
