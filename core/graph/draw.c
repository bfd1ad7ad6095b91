/* SPDX-License-Identifier: Apache-2.0 */
#include <leat/buffer.h>
#include <string.h>

#include "graph/plan.h"

/*
 * The plan as a picture, for mermaid and for dot. A stage is a frame around what runs in one thread; an exchange is a bold
 * edge that says how events are spread; dead letters are dashed. Names need no quoting in either language
 * ([a-z_][a-z0-9_]*), but both have words of their own ("end", "graph"), so nodes are n0, n1, ... and names are labels.
 */

/* ---- words that both use ----------------------------------------------------------------------------------------- */

/* Paths may hold anything: what means something in a label of either language becomes a blank. */
static void append_plain(struct leat_buffer *out, const char *text)
{
	for (; *text != '\0'; text++)
		leat_buffer_byte(out, (unsigned char)*text < 0x20 || strchr("\"\\<>&|#;`", *text) != NULL ? ' ' : *text);
}

static void append_count(struct leat_buffer *out, uint32_t n, const char *what)
{
	char text[64];

	(void)snprintf(text, sizeof text, "%u %s%s", (unsigned)n, what, n == 1 ? "" : "s");
	leat_buffer_text(out, text);
}

/* "key: user, country, 8 shards" */
static void append_exchange(struct leat_buffer *out, const struct leat_plan *plan, const struct leat_node *to, uint32_t input)
{
	size_t i;

	for (i = 0; i < to->n_keys; i++) {
		leat_buffer_text(out, i == 0 ? "key: " : ", ");
		append_plain(out, to->key[input * to->n_keys + i]->text);
	}
	leat_buffer_text(out, to->n_keys > 0 ? ", " : "");
	append_count(out, plan->stage[plan->stage_of[to->index]].n_shards, "shard");
}

/* Port unless it is "out" (or goes without saying), the input where it has a name, and how an exchange spreads: terminated, to be
 * finished by the caller. */
static struct leat_buffer edge_label(const struct leat_plan *plan, const struct leat_edge *edge)
{
	const struct leat_node *from = &plan->description->node[edge->from], *to = &plan->description->node[edge->to];
	struct leat_buffer label = { 0 };

	if (edge->port == LEAT_DEAD_PORT)
		leat_buffer_text(&label, to->is_implicit ? "" : "dead");
	else if (edge->port > 0)
		append_plain(&label, from->ports[edge->port]);
	if (to->n_named > 0) {
		leat_buffer_text(&label, label.n > 0 ? " / " : "");
		leat_buffer_text(&label, to->plugin->op->inputs[edge->input]);
	}
	if (edge->kind == LEAT_EDGE_EXCHANGE) {
		leat_buffer_text(&label, label.n > 0 ? " / " : "");
		append_exchange(&label, plan, to, edge->input);
	}
	leat_buffer_byte(&label, '\0');
	return label;
}

static struct leat_buffer stage_label(const struct leat_plan *plan, size_t i)
{
	const struct leat_stage *stage = &plan->stage[i];
	struct leat_buffer label = { 0 };

	if (stage->is_source)
		leat_buffer_text(&label, "a shard per partition");
	else
		append_count(&label, stage->n_shards, "shard");
	leat_buffer_byte(&label, '\0');
	return label;
}

/* Nodes inside their stages, then the sinks. */
static void print_nodes(const struct leat_plan *plan, FILE *out, void (*begin)(FILE *, size_t, const char *),
                        void (*node)(FILE *, const struct leat_node *, const char *), void (*end)(FILE *))
{
	const struct leat_description *d = plan->description;
	size_t i, j;

	for (i = 0; i < plan->n_stages; i++) {
		struct leat_buffer label = stage_label(plan, i);

		begin(out, i, label.data);
		for (j = 0; j < plan->stage[i].n_nodes; j++)
			node(out, &d->node[plan->stage[i].node[j]], "\t\t");
		end(out);
		leat_buffer_finish(&label);
	}
	for (i = 0; i < d->n_nodes; i++)
		if (d->node[i].role == LEAT_ROLE_SINK)
			node(out, &d->node[i], "\t");
}

/* ---- mermaid ----------------------------------------------------------------------------------------------------- */

static void begin_mermaid(FILE *out, size_t stage, const char *label)
{
	(void)fprintf(out, "\tsubgraph s%zu[\"%s\"]\n", stage, label);
}

static void node_mermaid(FILE *out, const struct leat_node *node, const char *indent)
{
	static const char *const open[] = { "([", "[", "[(" }, *const close[] = { "])", "]", ")]" };

	(void)fprintf(out, "%sn%u%s\"<b>%s</b><br/>%s\"%s:::%s\n", indent, (unsigned)node->index, open[node->role], node->name,
	              node->plugin->name, close[node->role], node->is_implicit ? "implicit" : leat_role_name(node->role));
}

static void end_mermaid(FILE *out)
{
	(void)fputs("\tend\n", out);
}

void leat_plan_print_mermaid(const struct leat_plan *plan, FILE *out)
{
	size_t i;

	(void)fprintf(out, "---\ntitle: %s\n---\nflowchart LR\n", plan->description->name);
	print_nodes(plan, out, begin_mermaid, node_mermaid, end_mermaid);
	for (i = 0; i < plan->n_edges; i++) {
		const struct leat_edge *e = &plan->edge[i];
		struct leat_buffer label = edge_label(plan, e);
		const char *arrow = e->port == LEAT_DEAD_PORT ? "-.->" : e->kind == LEAT_EDGE_EXCHANGE ? "==>" : "-->";

		(void)fprintf(out, label.n > 1 ? "\tn%u %s|\"%s\"| n%u\n" : "\tn%u %s%s n%u\n", (unsigned)e->from, arrow, label.data,
		              (unsigned)e->to);
		leat_buffer_finish(&label);
	}
	(void)fputs("\tclassDef source fill:#d8f3dc,stroke:#2d6a4f,color:#1b2a22\n"
	            "\tclassDef operator fill:#fff3cd,stroke:#a0780f,color:#2b2410\n"
	            "\tclassDef sink fill:#d6e6fb,stroke:#2c5a99,color:#14233a\n"
	            "\tclassDef implicit fill:#eeeeee,stroke:#888888,color:#444444,stroke-dasharray:4 3\n", out);
}

/* ---- dot --------------------------------------------------------------------------------------------------------- */

static void begin_dot(FILE *out, size_t stage, const char *label)
{
	(void)fprintf(out, "\tsubgraph cluster_%zu {\n\t\tlabel=\"%s\"; style=\"rounded,dashed\"; color=\"#999999\"; "
	              "fontcolor=\"#666666\"; fontsize=10; margin=12;\n", stage, label);
}

static void node_dot(FILE *out, const struct leat_node *node, const char *indent)
{
	static const char *const look[] = {
		"shape=box, style=\"filled,rounded\", fillcolor=\"#d8f3dc\", color=\"#2d6a4f\"",
		"shape=box, style=filled, fillcolor=\"#fff3cd\", color=\"#a0780f\"",
		"shape=cylinder, style=filled, fillcolor=\"#d6e6fb\", color=\"#2c5a99\"",
	};
	static const char implicit[] = "shape=cylinder, style=\"filled,dashed\", fillcolor=\"#eeeeee\", color=\"#888888\"";

	(void)fprintf(out, "%sn%u [label=<<b>%s</b><br/><font point-size=\"10\">%s</font>>, %s];\n", indent, (unsigned)node->index,
	              node->name, node->plugin->name, node->is_implicit ? implicit : look[node->role]);
}

static void end_dot(FILE *out)
{
	(void)fputs("\t}\n", out);
}

void leat_plan_print_dot(const struct leat_plan *plan, FILE *out)
{
	size_t i;

	(void)fprintf(out, "digraph \"%s\" {\n\trankdir=LR; nodesep=0.35; ranksep=0.7;\n"
	              "\tnode [fontname=\"Helvetica\", fontsize=12, margin=\"0.15,0.08\"];\n"
	              "\tedge [fontname=\"Helvetica\", fontsize=10, color=\"#444444\", fontcolor=\"#444444\"];\n"
	              "\tgraph [fontname=\"Helvetica\"];\n", plan->description->name);
	print_nodes(plan, out, begin_dot, node_dot, end_dot);
	for (i = 0; i < plan->n_edges; i++) {
		const struct leat_edge *e = &plan->edge[i];
		struct leat_buffer label = edge_label(plan, e);

		const char *look = e->kind == LEAT_EDGE_EXCHANGE ? ", penwidth=2" : "";

		if (e->port == LEAT_DEAD_PORT)
			look = plan->description->node[e->to].is_implicit ? ", style=dashed, color=\"#d9a0a6\", penwidth=0.8" :
			                                                    ", style=dashed, color=\"#b02a37\", fontcolor=\"#b02a37\"";
		(void)fprintf(out, "\tn%u -> n%u [label=\"%s\"%s];\n", (unsigned)e->from, (unsigned)e->to, label.data, look);
		leat_buffer_finish(&label);
	}
	(void)fputs("}\n", out);
}
