/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_KIT_KEPT_H
#define LEAT_KIT_KEPT_H

#include "run/instance.h"

/*
 * The rows of one instance's state (state/rows.h) in memory, in the order of their bytes: what a checkpoint takes out of the
 * instance is applied here as the store applies it, and a restart reads it from here. Zeroed, it is empty.
 */

struct leat_kept_row;

struct leat_kept {
	struct leat_kept_row **row;
	size_t n, capacity;
	/* Not NULL: entries of tables come when somebody asks for them, and leave when that is used up. Then `kept` stays where it
	 * is while an instance lives on it. */
	struct leat_memory *memory;
	uint64_t n_taken;
};

/* Between events: takes what has changed since the last time. */
void leat_kept_take(struct leat_kept *kept, struct leat_instance *instance);
/* Before a new instance's first event: has its changes noted, so that they can be taken, and fills it with the rows. */
enum leat_status leat_kept_restore(const struct leat_kept *kept, struct leat_instance *instance, struct leat_error *err);
void leat_kept_copy(struct leat_kept *to, const struct leat_kept *from);
void leat_kept_finish(struct leat_kept *kept);
/* Appends the state as text, a line for each row, but for what has expired by `now_us` and is as if it were not there. Timers
 * are in the order in which they fire. */
void leat_kept_print(const struct leat_kept *kept, const struct leat_instance *instance, int64_t now_us, struct leat_buffer *out);

#endif
