/* SPDX-License-Identifier: Apache-2.0 */
/* What a pipeline was, from its file, from its store, or both. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/plan.h"
#include "run/match.h"

struct leat_was_node *leat_was_find(const struct leat_was *was, enum leat_role role, const char *name)
{
	for (size_t i = 0; i < was->n_nodes; i++)
		if (was->node[i].role == role && strcmp(was->node[i].name, name) == 0)
			return &was->node[i];
	return NULL;
}

/* Takes `what` over; NULL leaves what was said before. */
static struct leat_was_node *add_node(struct leat_was *was, enum leat_role role, const char *name, char *what)
{
	struct leat_was_node *node = leat_was_find(was, role, name);

	if (node == NULL) {
		was->node = leat_grow(was->node, was->n_nodes, &was->node_capacity, sizeof *was->node);
		node = &was->node[was->n_nodes++];
		*node = (struct leat_was_node){ .role = role, .name = leat_copy_text(name) };
	}
	if (what != NULL) {
		free(node->what);
		node->what = what;
	}
	return node;
}

static struct leat_was_table *add_table(struct leat_was *was, const struct leat_store_table *is)
{
	struct leat_was_table *table = NULL;

	for (size_t i = 0; i < was->n_tables && table == NULL; i++)
		if (strcmp(was->table[i].is.node, is->node) == 0 && strcmp(was->table[i].is.table, is->table) == 0)
			table = &was->table[i];
	if (table == NULL) {
		was->table = leat_grow(was->table, was->n_tables, &was->table_capacity, sizeof *was->table);
		table = &was->table[was->n_tables++];
		*table = (struct leat_was_table){ .node = leat_copy_text(is->node), .table = leat_copy_text(is->table) };
	}
	table->is = *is;
	table->is.node = table->node;
	table->is.table = table->table;
	return table;
}

void leat_was_finish(struct leat_was *was)
{
	for (size_t i = 0; i < was->n_nodes; i++) {
		free(was->node[i].name);
		free(was->node[i].what);
	}
	for (size_t i = 0; i < was->n_tables; i++) {
		free(was->table[i].node);
		free(was->table[i].table);
	}
	free(was->node);
	free(was->table);
}

/* ---- from a file ----------------------------------------------------------------------------------------------------- */

static void add_tables(struct leat_was *was, const struct leat_plan *plan, const struct leat_node *node)
{
	struct leat_store_table is = leat_match_table_of(plan, node, NULL);

	(void)add_table(was, &is);
	for (const struct leat_table_spec *spec = node->plugin->op->tables; spec != NULL && spec->name != NULL; spec++) {
		is = leat_match_table_of(plan, node, spec);
		(void)add_table(was, &is);
	}
}

void leat_was_add_plan(struct leat_was *was, const struct leat_plan *plan)
{
	for (size_t i = 0; i < plan->description->n_nodes; i++) {
		const struct leat_node *node = &plan->description->node[i];

		(void)add_node(was, node->role, node->name, leat_node_identity(node));
		if (node->role == LEAT_ROLE_OPERATOR)
			add_tables(was, plan, node);
	}
}

/* ---- from a store ---------------------------------------------------------------------------------------------------- */

struct counting {
	struct leat_was *was;
	const struct leat_store *store;
	struct leat_was_table *table;
};

static void take_position(void *opaque, const char *source, int32_t partition, const struct leat_position *position)
{
	const struct counting *c = opaque;

	(void)partition;
	(void)position;
	add_node(c->was, LEAT_ROLE_SOURCE, source, leat_store_source_what(c->store, source))->n_partitions++;
}

static bool count_row(void *opaque, uint32_t shard, const struct leat_delta_op *row)
{
	const struct counting *c = opaque;

	(void)shard;
	(void)row;
	c->table->n_rows++;
	return true;
}

static enum leat_status count_tables(struct counting *c, struct leat_error *err)
{
	const struct leat_store_table *is;
	enum leat_status status = LEAT_OK;

	for (size_t i = 0; status == LEAT_OK && (is = leat_store_table(c->store, i)) != NULL; i++) {
		(void)add_node(c->was, LEAT_ROLE_OPERATOR, is->node, leat_store_operator_what(c->store, is->node));
		c->table = add_table(c->was, is);
		status = leat_store_scan(c->store, is->number, count_row, c, err);
	}
	return status;
}

static enum leat_status count_outbox(struct counting *c, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;
	struct leat_store_audit audit;

	for (uint32_t number = 1; status == LEAT_OK && number <= leat_store_n_sinks(c->store); number++) {
		struct leat_was_node *node = add_node(c->was, LEAT_ROLE_SINK, leat_store_sink_name(c->store, number),
		                                      leat_store_sink_what(c->store, number));

		status = leat_store_audit(c->store, number, NULL, &audit, err);
		if (status == LEAT_OK) {
			node->n_epochs = audit.n_epochs;
			node->n_effects = audit.n_effects;
		}
	}
	return status;
}

enum leat_status leat_was_add_store(struct leat_was *was, const struct leat_store *store, struct leat_error *err)
{
	struct counting c = { .was = was, .store = store };
	enum leat_status status = leat_store_positions(store, take_position, &c, err);

	was->is_counted = true;
	if (status == LEAT_OK)
		status = count_tables(&c, err);
	return status == LEAT_OK ? count_outbox(&c, err) : status;
}
