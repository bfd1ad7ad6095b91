/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_KIT_SCRIPT_H
#define LEAT_KIT_SCRIPT_H

#include "graph/description.h"

/*
 * What an operator is tried with: events, and the clock and the watermark that move on between them. Made from a seed, the same
 * each time.
 */

enum leat_step_kind { LEAT_STEP_EVENT, LEAT_STEP_TIME, LEAT_STEP_WATERMARK };

struct leat_step {
	enum leat_step_kind kind;
	const char *json; /* EVENT, as the next one */
	uint32_t input;   /* of the node's named ones */
	int64_t us;       /* EVENT: its time; TIME and WATERMARK: what it is then */
};

struct leat_script {
	struct leat_arena *arena;
	struct leat_step *step;
	size_t n, capacity;
};

/* The clock when a script begins. */
#define LEAT_SCRIPT_START_US INT64_C(1000000000000000)

struct leat_script_options {
	uint64_t seed;
	size_t n_events;
	/* A map of fields to lists of values to choose from; NULL: the fields that the node's options name, with values of any type. */
	const struct leat_setting *fields;
	/* Events to be taken in their order, over and over, instead of made: texts of JSON. */
	const char *const *sample;
	size_t n_samples;
};

void leat_script_make(struct leat_script *script, const struct leat_node *node, const struct leat_symbols *symbols,
                      const struct leat_script_options *options);
void leat_script_finish(struct leat_script *script);

#endif
