/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_MATCH_H
#define LEAT_RUN_MATCH_H

#include "graph/plan.h"
#include "state/store.h"

/* The store's numbers of an operator's tables. */
struct leat_node_tables {
	uint32_t *number; /* by table */
	uint32_t n;
	uint32_t timers;
};

/*
 * E11: whether rows, positions and effects in the store are those of this plan. What is new is entered, what may be dropped
 * (`drop`, as leat_store_allow_drop() has it) goes; all of that in one synced batch, or nothing when something does not fit.
 * Fills `tables`, by node index; the numbers are freed by the caller, after a refusal too.
 */
enum leat_status leat_match_plan(const struct leat_plan *plan, struct leat_store *store, const char *const *drop,
                                 struct leat_node_tables *tables, struct leat_error *err);
/* A table as the plan has it; `spec` NULL: the node's timers. Borrows the names. */
struct leat_store_table leat_match_table_of(const struct leat_plan *plan, const struct leat_node *node,
                                            const struct leat_table_spec *spec);

#endif
