/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_SERVICE_SNAPSHOT_H
#define LEAT_SERVICE_SNAPSHOT_H

#include "run/pipeline.h"

/*
 * A pipeline at one moment. /metrics, /readyz, the status line and the summary are all made of these, so that they agree,
 * and so that tests can make them by hand.
 */
struct leat_snapshot {
	const char *pipeline;
	const char *file;
	const struct leat_plan *plan;         /* NULL: the file could not be read */
	struct leat_pipeline_figures figures; /* without nodes (n_nodes 0) when it never started */
	char trouble[LEAT_ERROR_TEXT];        /* why it stopped or never started, else "" */
};

void leat_snapshot_finish(struct leat_snapshot *snapshot);

const char *leat_run_state_name(enum leat_run_state state); /* "starting", "running", "draining", "done", "stopped" */
enum { LEAT_RUN_STATES = 5 };

/* All of a process in one: what people want to see first. */
struct leat_totals {
	uint64_t in;           /* records that sources read */
	uint64_t out;          /* records that sinks delivered, without dead letters */
	uint64_t dead_letters;
	uint64_t alerts;
	int64_t lag;           /* over the sources that know theirs; -1 when none does */
	int64_t behind_us;     /* the watermark furthest behind the clock, where a source has `time:`; -1: none */
	double queue;          /* fill of the fullest bound, 0 to 1: in flight, exchanges, sinks */
	uint64_t latency[LEAT_LATENCY_BUCKETS];
};

/* Sets ->lag and ->behind_us to -1 and all else to zero. */
void leat_totals_init(struct leat_totals *totals);
void leat_totals_add(struct leat_totals *totals, const struct leat_snapshot *snapshot);
/* A sink that no record but dead letters reaches. */
bool leat_node_is_dead_letter_sink(const struct leat_node *node);

#endif
