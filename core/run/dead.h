/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_DEAD_H
#define LEAT_RUN_DEAD_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * How many dead letters of a node were put into the log this second. All of a node's instances share one, from any thread:
 * a hundred shards that meet the same bad data say so five times a second, not five hundred times.
 */
struct leat_dead_log {
	_Atomic int64_t second;
	_Atomic uint64_t n;
};

struct leat_node;

/* When a node is taken down: how many were not logged since it was last told. */
void leat_dead_log_finish(struct leat_dead_log *log, const char *pipeline, const struct leat_node *node);

#endif
