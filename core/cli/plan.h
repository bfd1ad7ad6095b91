/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_CLI_PLAN_H
#define LEAT_CLI_PLAN_H

#include "graph/plan.h"
#include "state/store.h"

/*
 * `leat plan`: what was (plan_was.c: an older pipeline file, a store, or both), what becomes of it (plan_compare.c), and how that is
 * said (plan.c). It decides as a start does (run/match.c, E11), for all nodes instead of up to the first refusal.
 */

/* ---- plan_was.c ------------------------------------------------------------------------------------------------------ */

struct leat_was_node {
	enum leat_role role;
	char *name;
	char *what; /* leat_node_identity(); NULL: nobody has said */
	uint64_t n_partitions;         /* sources: with a position */
	uint64_t n_epochs, n_effects;  /* sinks: undelivered */
	bool is_found;                 /* the new pipeline has it */
};

struct leat_was_table {
	struct leat_store_table is; /* its names are these: */
	char *node, *table;
	uint64_t n_rows;
	bool is_found;
};

struct leat_was {
	bool is_counted; /* a store was looked into; else whatever may have rows and positions counts as having some */
	struct leat_was_node *node;
	size_t n_nodes, node_capacity;
	struct leat_was_table *table;
	size_t n_tables, table_capacity;
};

void leat_was_add_plan(struct leat_was *was, const struct leat_plan *plan);
/* What it says goes over what a plan has said. */
enum leat_status leat_was_add_store(struct leat_was *was, const struct leat_store *store, struct leat_error *err);
void leat_was_finish(struct leat_was *was);
struct leat_was_node *leat_was_find(const struct leat_was *was, enum leat_role role, const char *name);

/* ---- plan_compare.c -------------------------------------------------------------------------------------------------- */

enum leat_verdict { LEAT_KEEP, LEAT_MIGRATE, LEAT_NEW, LEAT_CHANGED, LEAT_DROPPED };

struct leat_finding {
	const char *role; /* "source", "operator", "table", "sink"; a table's node is the operator */
	const char *node;
	const char *table; /* NULL but for tables; "" for timers */
	enum leat_verdict verdict;
	bool needs_drop;   /* the pipeline does not start without `--drop NODE` */
	char *is, *was;    /* what it is and was; or NULL */
	char *meaning;     /* for people */
	uint64_t n;        /* rows, partitions with a position, undelivered effects */
};

struct leat_findings {
	struct leat_finding *finding;
	size_t n, capacity;
};

/* Borrows names from both, and notes in `was` what was found. */
void leat_findings_make(struct leat_findings *findings, struct leat_was *was, const struct leat_plan *is);
void leat_findings_finish(struct leat_findings *findings);
/* The nodes that have to be dropped, each once; NULL behind the last. */
const char *leat_findings_drop(const struct leat_findings *findings, size_t i);

#endif
