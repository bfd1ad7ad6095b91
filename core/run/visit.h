/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_VISIT_H
#define LEAT_RUN_VISIT_H

#include "graph/description.h"

/*
 * A sink without its pipeline: its fence is read and set by its plugin, and nothing is delivered. What says that it may work
 * later is tried again for a while. A thread of the caller's; the description's symbols are frozen.
 */
struct leat_visit;

/* `node` gives LEAT_TRANSACTIONAL. */
enum leat_status leat_visit_open(const struct leat_description *d, const struct leat_node *node, struct leat_visit **out,
                                 struct leat_error *err);
void leat_visit_close(struct leat_visit *visit); /* accepts NULL */
/* A fenced claim(). With incarnation 0 it leaves a fence that is there as it is. */
enum leat_status leat_visit_claim(struct leat_visit *visit, uint64_t incarnation, struct leat_fence *found, struct leat_error *err);
/* A fenced deliver() without effects. Claimed with next->incarnation. */
enum leat_status leat_visit_set(struct leat_visit *visit, const struct leat_fence *expected, const struct leat_fence *next,
                                struct leat_error *err);

#endif
