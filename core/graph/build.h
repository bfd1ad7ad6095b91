/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_GRAPH_BUILD_H
#define LEAT_GRAPH_BUILD_H

#include "base/report.h"
#include "graph/description.h"

/*
 * What the steps of leat_description_read() share; private to this folder. The steps run in the order in which they stand
 * here, each over all nodes, and go on after errors, so that one run finds them all. A node that could not be configured
 * has no prototype: what its ports are is not known then, and not checked.
 */

struct leat_build {
	struct leat_description *description;
	const struct leat_registry *registry;
	struct leat_report *report;
	struct leat_place place; /* of the pipeline's name, for what belongs nowhere else */
};

/* Gives the description room for `n` nodes. */
void leat_build_reserve(struct leat_build *b, size_t n);
/* The next node; `settings` has its name and places. */
struct leat_node *leat_build_add(struct leat_build *b, enum leat_role role, const struct leat_setting *settings);
/* Plugin, host keys, options, prototype. */
void leat_build_configure(struct leat_build *b, struct leat_node *node);
/* Resolves the inputs of all nodes, and warns of nodes that no one reads. */
void leat_build_connect(struct leat_build *b);
/* Refuses what cannot be delivered as the file asks. */
void leat_build_guarantees(struct leat_build *b);
/* Adds a file sink for the dead letters that no one reads, if there are any. */
void leat_build_add_dead_letters(struct leat_build *b, const char *path);
/* Puts the nodes in order, each after its inputs, or names the cycles. */
void leat_build_order(struct leat_build *b);

/* Parts of configure: `time:` and `schema:` of a source. */
void leat_build_time(struct leat_build *b, struct leat_node *node, const struct leat_setting *time);
void leat_build_schema(struct leat_build *b, struct leat_node *node, const char *path, const struct leat_setting *schema);

/* The node of that name, NULL when there is none. */
struct leat_node *leat_build_find(const struct leat_build *b, const char *name, size_t n);
/* True for [a-z_][a-z0-9_]*. */
bool leat_build_is_name(const char *name);

enum { LEAT_HINT = 160 };
/* Writes `; did you mean "x"?` when one of the candidates is near, else nothing, and returns `hint`. */
const char *leat_build_hint(char hint[LEAT_HINT], const char *word, const char *const *candidates);

#endif
