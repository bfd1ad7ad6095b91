/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_SHOW_H
#define LEAT_STATE_SHOW_H

#include <leat/host.h>

#include "base/arena.h"
#include "state/delta.h"

/* Rows of the store (rows.h) as values, for people and programs; without the tables that they would be read into. */

struct leat_shown_row {
	struct leat_value key;
	struct leat_value value; /* fixed: a map of the declared fields; of heads of ordered tables and of timers: null */
	bool is_item;            /* of an ordered table: then order and sequence, and no changed_us */
	bool is_head;            /* of an ordered table: no value */
	bool is_timer;           /* then clock, due_us and tag, and no changed_us */
	int64_t changed_us;
	int64_t order, sequence;
	struct leat_timer timer; /* without its key */
};

/* `spec` NULL: of a node's timers. Everything goes into the arena. False: the row is damaged. */
bool leat_row_show(const struct leat_table_spec *spec, const struct leat_delta_op *row, struct leat_arena *arena,
                   struct leat_shown_row *out);
/* Appends an object without a line end: node, table, shard, key, then what the row has of order, sequence, clock, due, tag,
 * value and changed. Numbers that JSON cannot say are texts. */
void leat_row_print_json(const char *node, const char *table, uint32_t shard, const struct leat_shown_row *row, struct leat_buffer *out);

#endif
