/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of each node, its state, its positions and its effects. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/plan.h"
#include "run/match.h"
#include "state/migrate.h"

struct comparison {
	struct leat_findings *findings;
	struct leat_was *was;
	const struct leat_plan *plan;
};

/* Good until the next one is added. */
static struct leat_finding *add(struct leat_findings *f, const char *role, const char *node, enum leat_verdict verdict)
{
	f->finding = leat_grow(f->finding, f->n, &f->capacity, sizeof *f->finding);
	f->finding[f->n] = (struct leat_finding){ .role = role, .node = node, .verdict = verdict };
	return &f->finding[f->n++];
}

static bool is_other(const struct leat_was_node *was, const char *is)
{
	return was->what != NULL && strcmp(was->what, is) != 0;
}

/* Not counted, there may be some of whatever can have some. */
static bool has_positions(const struct comparison *c, const struct leat_was_node *was)
{
	return !c->was->is_counted || was->n_partitions > 0;
}

static bool has_rows(const struct comparison *c, const struct leat_was_table *was)
{
	return was->n_rows > 0 || (!c->was->is_counted && was->is.kind != LEAT_STORE_TIMERS);
}

static bool node_has_rows(const struct comparison *c, const char *node, uint64_t *n)
{
	bool has = false;

	*n = 0;
	for (size_t i = 0; i < c->was->n_tables; i++) {
		if (strcmp(c->was->table[i].is.node, node) != 0)
			continue;
		has = has || has_rows(c, &c->was->table[i]);
		*n += c->was->table[i].n_rows;
	}
	return has;
}

/* "keeps 12 rows", "keeps 1 row", or "keeps its rows" when nobody has counted; `what` ends with an s. */
static void mean(struct leat_finding *f, const struct comparison *c, const char *does, uint64_t n, const char *what, const char *rest)
{
	int what_n = (int)strlen(what) - (n == 1 && c->was->is_counted);

	f->n = n;
	if (c->was->is_counted)
		f->meaning = leat_format_text("%s %" PRIu64 " %.*s%s", does, n, what_n, what, rest);
	else
		f->meaning = leat_format_text("%s its %s%s", does, what, rest);
}

/* ---- sources --------------------------------------------------------------------------------------------------------- */

static void compare_source(struct comparison *c, const struct leat_node *node)
{
	struct leat_was_node *was = leat_was_find(c->was, LEAT_ROLE_SOURCE, node->name);
	char *is = leat_node_identity(node);
	struct leat_finding *f = add(c->findings, "source", node->name, was == NULL ? LEAT_NEW : is_other(was, is) ? LEAT_CHANGED : LEAT_KEEP);

	f->is = is;
	if (was == NULL) {
		f->meaning = leat_copy_text("begins where its options say");
		return;
	}
	was->is_found = true;
	f->was = leat_copy_text(was->what);
	if (!has_positions(c, was))
		f->meaning = leat_copy_text("has no positions yet, begins where its options say");
	else if (f->verdict == LEAT_KEEP)
		mean(f, c, "goes on from", was->n_partitions, "positions", "");
	else
		mean(f, c, "cannot use", was->n_partitions, "positions", " of what it was: when they are dropped, it begins where its options say");
	f->needs_drop = f->verdict == LEAT_CHANGED && has_positions(c, was);
}

/* ---- operators ------------------------------------------------------------------------------------------------------- */

static struct leat_was_table *find_table(const struct comparison *c, const struct leat_store_table *is)
{
	for (size_t i = 0; i < c->was->n_tables; i++)
		if (strcmp(c->was->table[i].is.node, is->node) == 0 && strcmp(c->was->table[i].is.table, is->table) == 0)
			return &c->was->table[i];
	return NULL;
}

static void explain_change(struct leat_finding *f, const struct comparison *c, const struct leat_was_table *was,
                           const struct leat_store_table *is)
{
	char now[32], then[32], *rest;

	if (was->is.n_shards != is->n_shards)
		rest = leat_format_text(" in %s, not in %s: take that back, or drop them", leat_store_shards(was->is.n_shards, then),
		                        leat_store_shards(is->n_shards, now));
	else if (was->is.version != is->version)
		rest = leat_format_text(" of version %" PRIu32 ", not %" PRIu32
		                        ", and the plugin cannot migrate them: use the one that wrote them, or drop them",
		                        was->is.version, is->version);
	else
		rest = leat_format_text(" of another layout, and the same version %" PRIu32 ": use the plugin that wrote them, or drop them",
		                        is->version);
	mean(f, c, "has", was->n_rows, "rows", rest);
	free(rest);
	f->needs_drop = true;
}

static bool is_same_table(const struct leat_store_table *a, const struct leat_store_table *b)
{
	return a->version == b->version && a->kind == b->kind && a->layout == b->layout && a->n_shards == b->n_shards;
}

static void compare_table(struct comparison *c, const struct leat_node *node, const struct leat_table_spec *spec, bool drops)
{
	const struct leat_store_table is = leat_match_table_of(c->plan, node, spec);
	struct leat_was_table *was = find_table(c, &is);
	struct leat_finding *f;

	if (was != NULL)
		was->is_found = true;
	/* Every operator may have timers: most have none. */
	if (spec == NULL && (was == NULL || !has_rows(c, was)))
		return;
	f = add(c->findings, "table", node->name, was == NULL ? LEAT_NEW : LEAT_KEEP);
	f->table = is.table;
	if (was == NULL) {
		f->meaning = leat_copy_text("begins empty");
	} else if (!has_rows(c, was)) {
		f->meaning = leat_copy_text("has no rows");
	} else if (drops) {
		f->verdict = LEAT_DROPPED;
		mean(f, c, "loses", was->n_rows, "rows", "");
	} else if (is_same_table(&was->is, &is)) {
		mean(f, c, "keeps", was->n_rows, "rows", "");
	} else if (leat_can_migrate(&was->is, &is, NULL)) {
		f->verdict = LEAT_MIGRATE;
		mean(f, c, "has", was->n_rows, "rows", ", which the plugin makes over");
	} else {
		f->verdict = LEAT_CHANGED;
		explain_change(f, c, was, &is);
	}
}

/* Tables that the operator no longer has. */
static void compare_leftovers(struct comparison *c, const char *node, bool is_gone)
{
	for (size_t i = 0; i < c->was->n_tables; i++) {
		struct leat_was_table *was = &c->was->table[i];
		struct leat_finding *f;

		if (was->is_found || strcmp(was->is.node, node) != 0 || !has_rows(c, was))
			continue;
		f = add(c->findings, "table", node, LEAT_DROPPED);
		f->table = was->is.table;
		f->needs_drop = !is_gone;
		mean(f, c, "loses", was->n_rows, "rows", is_gone ? "" : ", as the operator no longer has it");
	}
}

static void compare_operator(struct comparison *c, const struct leat_node *node)
{
	struct leat_was_node *was = leat_was_find(c->was, LEAT_ROLE_OPERATOR, node->name);
	char *is = leat_node_identity(node);
	struct leat_finding *f = add(c->findings, "operator", node->name, was == NULL ? LEAT_NEW : is_other(was, is) ? LEAT_CHANGED : LEAT_KEEP);
	bool has;

	f->is = is;
	if (was != NULL) {
		was->is_found = true;
		f->was = leat_copy_text(was->what);
		has = node_has_rows(c, node->name, &f->n);
		f->needs_drop = f->verdict == LEAT_CHANGED && has;
		if (f->needs_drop)
			mean(f, c, "cannot use", f->n, "rows", " of what it was: when they are dropped, it begins empty");
		else if (f->verdict == LEAT_CHANGED)
			f->meaning = leat_copy_text("had no rows, nothing is lost");
	}
	has = f->needs_drop; /* the finding may move */
	compare_table(c, node, NULL, has);
	for (const struct leat_table_spec *spec = node->plugin->op->tables; spec != NULL && spec->name != NULL; spec++)
		compare_table(c, node, spec, has);
	compare_leftovers(c, node->name, has);
}

/* ---- sinks ----------------------------------------------------------------------------------------------------------- */

static void compare_sink(struct comparison *c, const struct leat_node *node)
{
	struct leat_was_node *was = leat_was_find(c->was, LEAT_ROLE_SINK, node->name);
	char *is = leat_node_identity(node);
	struct leat_finding *f = add(c->findings, "sink", node->name, was == NULL ? LEAT_NEW : is_other(was, is) ? LEAT_CHANGED : LEAT_KEEP);

	f->is = is;
	if (was == NULL) {
		f->meaning = leat_copy_text("begins without a fence");
		return;
	}
	was->is_found = true;
	f->was = leat_copy_text(was->what);
	f->needs_drop = f->verdict == LEAT_CHANGED && was->n_effects > 0;
	f->n = was->n_effects;
	if (f->verdict == LEAT_KEEP && was->n_effects > 0)
		mean(f, c, "delivers", was->n_effects, "undelivered effects", "");
	else if (f->needs_drop)
		mean(f, c, "has", was->n_effects, "undelivered effects",
		     " for where it was: let it drain before the change, drop them, or decide by \"leat state accept-sink\"");
	else if (f->verdict == LEAT_CHANGED)
		f->meaning = leat_copy_text(c->was->is_counted ? "nothing is undelivered, it goes on where it is now" :
		                                                 "goes on where it is now, once nothing is undelivered");
}

/* ---- what is gone ---------------------------------------------------------------------------------------------------- */

static void compare_gone(struct comparison *c, const struct leat_was_node *was)
{
	struct leat_finding *f = add(c->findings, leat_role_name(was->role), was->name, LEAT_DROPPED);
	uint64_t n;

	f->was = leat_copy_text(was->what);
	if (was->role == LEAT_ROLE_SOURCE && has_positions(c, was)) {
		f->needs_drop = true;
		mean(f, c, "loses", was->n_partitions, "positions", ": a source of another name begins where its options say");
	} else if (was->role == LEAT_ROLE_OPERATOR && node_has_rows(c, was->name, &n)) {
		f->needs_drop = true;
		mean(f, c, "loses", n, "rows", "");
		compare_leftovers(c, was->name, true);
	} else if (was->role == LEAT_ROLE_SINK && was->n_effects > 0) {
		f->needs_drop = true;
		mean(f, c, "loses", was->n_effects, "undelivered effects", ", unless it drains before the change");
	} else {
		f->meaning = leat_copy_text(was->role == LEAT_ROLE_SINK && !c->was->is_counted ? "nothing is lost, once it has drained" : "nothing is lost");
	}
}

void leat_findings_make(struct leat_findings *findings, struct leat_was *was, const struct leat_plan *is)
{
	struct comparison c = { .findings = findings, .was = was, .plan = is };

	for (size_t i = 0; i < is->description->n_nodes; i++) {
		const struct leat_node *node = &is->description->node[i];

		if (node->role == LEAT_ROLE_SOURCE)
			compare_source(&c, node);
		else if (node->role == LEAT_ROLE_OPERATOR)
			compare_operator(&c, node);
		else
			compare_sink(&c, node);
	}
	for (size_t i = 0; i < was->n_nodes; i++)
		if (!was->node[i].is_found)
			compare_gone(&c, &was->node[i]);
}

const char *leat_findings_drop(const struct leat_findings *findings, size_t i)
{
	size_t n = 0;

	for (size_t k = 0; k < findings->n; k++) {
		bool is_first = findings->finding[k].needs_drop;

		for (size_t j = 0; j < k && is_first; j++)
			is_first = !findings->finding[j].needs_drop || strcmp(findings->finding[j].node, findings->finding[k].node) != 0;
		if (is_first && n++ == i)
			return findings->finding[k].node;
	}
	return NULL;
}

void leat_findings_finish(struct leat_findings *findings)
{
	for (size_t i = 0; i < findings->n; i++) {
		free(findings->finding[i].is);
		free(findings->finding[i].was);
		free(findings->finding[i].meaning);
	}
	free(findings->finding);
}
