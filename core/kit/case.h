/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_KIT_CASE_H
#define LEAT_KIT_CASE_H

#include "kit/world.h"

/*
 * The tests of a pipeline, as `tests:` of its file or of the one beside it has them:
 *
 *     - name: a duplicate is dropped
 *       start: 2026-01-01T00:00:00Z        the clock when it begins; this is the default
 *       input: {payments: [{at: 1s, value: {id: 1}}, {advance: 10m}, {at: 11m, text: "no json"}]}
 *       advance: 1m                        behind the last event
 *       end: true                          then all sources end for good
 *       expect: {unique: [{id: 1}], payments.dead: [{reason: ...}]}
 *       match: some | exact                fields that are not named may be there, or may not
 *       order: same | any
 */

struct leat_case_step {
	bool is_event; /* else the clock moves to at_us */
	int64_t at_us;
	size_t number; /* in the order of the file */
	struct leat_world_event event;
};

struct leat_expectation {
	struct leat_place place;
	const char *name; /* "scored.alerts" */
	uint32_t node, port;
	const struct leat_setting *rows; /* a list */
};

struct leat_case {
	const char *name;
	struct leat_place place;
	int64_t start_us;
	struct leat_case_step *step; /* by time */
	size_t n_steps, step_capacity;
	uint32_t *n_partitions; /* by node */
	bool is_ending, is_exact, is_any_order;
	struct leat_expectation *expectation;
	size_t n_expectations, expectation_capacity;
};

struct leat_cases {
	struct leat_arena *arena;
	struct leat_case *item;
	size_t n, capacity;
};

/* Adds those of a list. Mistakes go to the report, and their tests are not added. `list` lives longer. */
void leat_cases_read(struct leat_cases *cases, const struct leat_setting *list, const struct leat_description *d, struct leat_report *report);
void leat_cases_finish(struct leat_cases *cases);

/* What is done to a pipeline while its test runs. */
enum leat_case_trouble {
	LEAT_TROUBLE_NONE,
	LEAT_TROUBLE_RESTART, /* a checkpoint behind each step, and a new start from it */
	LEAT_TROUBLE_CRASH    /* a crash behind each step, with no checkpoint since the last one: the step is done again */
};

/* False: it does not come to what is expected. Why, is appended. The plan's symbols are frozen. */
bool leat_case_run(const struct leat_case *test, const struct leat_plan *plan, enum leat_case_trouble trouble, struct leat_buffer *failure);
/* expect.c: holds what came out against what is expected. */
bool leat_case_compare(const struct leat_case *test, const struct leat_plan *plan, const struct leat_world *world,
                       struct leat_buffer *failure);

#endif
