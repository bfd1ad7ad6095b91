/* SPDX-License-Identifier: Apache-2.0 */
/* A plan against what a store holds, before anything is read by the plan's names. */
#include "run/match.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"

struct match {
	const struct leat_plan *plan;
	struct leat_store *store;
	struct leat_node_tables *tables; /* by node index */
};

struct leat_store_table leat_match_table_of(const struct leat_plan *plan, const struct leat_node *node,
                                            const struct leat_table_spec *spec)
{
	return (struct leat_store_table){
		.node = node->name,
		.table = spec == NULL ? "" : spec->name,
		.version = spec == NULL ? 1 : spec->version,
		.kind = spec == NULL ? LEAT_STORE_TIMERS : (uint32_t)spec->kind,
		.layout = spec == NULL ? 0 : leat_store_layout(spec),
		.n_shards = plan->stage[plan->stage_of[node->index]].n_shards,
		.spec = spec,
	};
}

static enum leat_status match_table(const struct match *m, const struct leat_node *node, const struct leat_table_spec *spec,
                                    uint32_t *number, struct leat_error *err)
{
	struct leat_store_table table = leat_match_table_of(m->plan, node, spec);
	enum leat_status status = leat_store_use_table(m->store, &table, err);

	*number = table.number;
	if (status == LEAT_OK && table.n_migrated + table.n_given_up > 0)
		leat_log_line(LEAT_INFO,
		              "pipeline \"%s\": table \"%s\" of operator \"%s\": migrated %" PRIu64 " rows to version %" PRIu32 ", dropped %" PRIu64,
		              m->plan->description->name, table.table, table.node, table.n_migrated, table.version, table.n_given_up);
	return status;
}

static enum leat_status match_tables(const struct match *m, const struct leat_node *node, struct leat_error *err)
{
	const struct leat_table_spec *spec = node->plugin->op->tables;
	struct leat_node_tables *to = &m->tables[node->index];
	enum leat_status status;
	size_t n = 0;

	while (spec != NULL && spec[n].name != NULL)
		n++;
	to->number = leat_allocate_zeroed(n + 1, sizeof *to->number);
	to->n = (uint32_t)n;
	status = match_table(m, node, NULL, &to->timers, err);
	for (size_t i = 0; i < n && status == LEAT_OK; i++)
		status = match_table(m, node, &spec[i], &to->number[i], err);
	return status;
}

static enum leat_status match_node(const struct match *m, const struct leat_node *node, struct leat_error *err)
{
	char *is = leat_node_identity(node);
	enum leat_status status = LEAT_OK;

	switch (node->role) {
	case LEAT_ROLE_SOURCE:
		status = leat_store_use_source(m->store, node->name, is, err);
		break;
	case LEAT_ROLE_OPERATOR:
		status = leat_store_use_operator(m->store, node->name, is, err);
		if (status == LEAT_OK)
			status = match_tables(m, node, err);
		break;
	case LEAT_ROLE_SINK:
		status = leat_store_use_sink_at(m->store, node->name, is, err);
		break;
	}
	free(is);
	return status;
}

enum leat_status leat_match_plan(const struct leat_plan *plan, struct leat_store *store, const char *const *drop,
                                 struct leat_node_tables *tables, struct leat_error *err)
{
	const struct match m = { .plan = plan, .store = store, .tables = tables };
	enum leat_status status = LEAT_OK;

	leat_store_allow_drop(store, drop);
	for (uint32_t i = 0; i < plan->description->n_nodes && status == LEAT_OK; i++)
		status = match_node(&m, &plan->description->node[i], err);
	if (status == LEAT_OK)
		status = leat_store_settle(store, err);
	leat_store_allow_drop(store, NULL);
	if (status == LEAT_OK && leat_store_has_changes(store))
		status = leat_store_commit(store, leat_store_epoch(store), err);
	if (status == LEAT_OK)
		status = leat_store_materialize(store, err); /* what was migrated */
	if (status == LEAT_OK && leat_store_dropped(store)[0] != '\0')
		leat_log_line(LEAT_INFO, "pipeline \"%s\": dropped rows, positions or undelivered effects of %s", plan->description->name,
		              leat_store_dropped(store));
	return status;
}
