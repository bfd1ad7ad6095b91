/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_TESTS_TABLES_KIT_H
#define LEAT_TESTS_TABLES_KIT_H

#include "state/tables.h"

/*
 * The tables, all three kinds, beside a model that is too simple to be wrong: arrays. What value() and scan() hand out is
 * remembered with its contents and compared again before the next begin.
 */

enum { KEYS = 40, RUN = 64, LENT = 64, TABLES = 3 };

struct world_sums {
	int64_t count;
	double total;
	char last[21];
};

struct world_item {
	int64_t order, sequence, value;
};

struct world_entry {
	bool is_there;
	int64_t changed_us;
	struct world_sums sums;
	int64_t value;
	size_t n;
	struct world_item item[RUN];
};

struct world_model {
	struct world_entry entry[TABLES][KEYS];
};

struct world_lent {
	const struct leat_value *value;
	int64_t expected;
	const struct leat_ordered_entry *entries;
	size_t n;
	struct world_item item[RUN];
};

struct world {
	uint64_t seed;
	struct leat_tables *tables;
	int64_t ttl_us;
	int64_t now_us;
	struct world_model model, before;
	struct world_lent lent[LENT];
	size_t n_lent;
	struct leat_arena *arena; /* for what is taken; NULL: nothing is */
	struct world_lent taken[LENT];
	size_t n_taken;
};

extern const struct leat_table_spec world_specs[];

/* Of all types that keys may have; texts shorter and longer than what fits into an entry. */
struct leat_value world_key(size_t k);
/* A random read or change, of the tables and the model. In an event. */
void world_step(struct world *w);
/* T1: what was handed out is as it was, after commit and abort too. */
void world_check_lent(struct world *w);
/* What was taken is as it was: in the event, and after its commit as long as the arena is there. */
void world_check_taken(const struct world *w);
void world_check_all(struct world *w);

#endif
