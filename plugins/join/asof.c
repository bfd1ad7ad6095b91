/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For each left row the latest right one that is not after it. A left row waits until no right one at or before its time is
 * expected any more. Of the right rows before that only the latest can still be wanted, so the others go at once.
 */
#include "join.h"

/* The last right row at or before that time and not too old; of several at one time, the one that came last. */
static const struct leat_ordered_entry *find_latest(const struct join *self, const struct leat_value *key, int64_t time_us,
                                                    struct leat_context *ctx)
{
	const struct leat_ordered_entry *row;
	size_t n = leat_ordered_scan(ctx, JOIN_ROWS_RIGHT, key, time_us - self->ahead[JOIN_RIGHT], time_us + 1, &row);

	return n == 0 ? NULL : &row[n - 1];
}

/* Every left row before `until` has been dealt with: of the right rows before it, all but the latest go. */
static void drop_superseded(const struct leat_value *key, int64_t until, struct leat_context *ctx)
{
	const struct leat_ordered_entry *row;
	size_t n = leat_ordered_scan(ctx, JOIN_ROWS_RIGHT, key, INT64_MIN, until, &row);

	if (n > 1 && row[0].order < row[n - 1].order)
		leat_ordered_erase(ctx, JOIN_ROWS_RIGHT, key, INT64_MIN, row[n - 1].order);
}

/* What the watermark has passed, except where left rows have still to be dealt with: of very many timers that are due at once, some
 * fire after the next events. The key's own is due no later than its first row is (J5). */
static int64_t passed(const struct join *self, const struct leat_value *key, struct leat_context *ctx)
{
	const struct join_key *k = leat_table_peek(ctx, JOIN_KEYS, key);
	int64_t watermark = leat_watermark(ctx);

	return join_least_time(self, k != NULL && k->due_us <= watermark ? k->due_us - 1 : watermark);
}

enum leat_status join_asof_process(const struct join *self, enum join_side side, const struct leat_record *record,
                                   struct leat_context *ctx, struct leat_error *err)
{
	if (side == JOIN_RIGHT)
		drop_superseded(&record->key, passed(self, &record->key, ctx), ctx);
	return join_rows_add(self, side, record, ctx, err);
}

static void emit(const struct join *self, const struct leat_ordered_entry *left, const struct leat_record *like, struct leat_context *ctx)
{
	const struct leat_ordered_entry *found = find_latest(self, &like->key, left->order, ctx);
	struct leat_record result = *like;
	struct leat_value right;

	if (found == NULL && self->kind == JOIN_INNER)
		return;
	if (found != NULL)
		right = leat_copy(ctx, &found->value);
	result.value = join_pair(self, &left->value, found == NULL ? NULL : &right, ctx);
	leat_emit(ctx, JOIN_OUT, &result);
}

enum leat_status join_asof_timer(const struct join *self, const struct leat_timer *due, struct leat_context *ctx, struct leat_error *err)
{
	int64_t until = join_rows_until(self, JOIN_LEFT, due->due_us);
	const struct leat_record like = join_like(due, ctx);
	const struct leat_ordered_entry *left;
	size_t n = leat_ordered_take(ctx, JOIN_ROWS, &due->key, INT64_MIN, until, &left);

	for (size_t i = 0; i < n; i++)
		emit(self, &left[i], &like, ctx);
	join_rows_drop(JOIN_LEFT, &due->key, until, ctx); /* marks of an interval join, before the file was changed */
	drop_superseded(&due->key, until, ctx);
	join_rows_drop(JOIN_RIGHT, &due->key, join_rows_until(self, JOIN_RIGHT, due->due_us), ctx);
	return join_rows_again(self, &due->key, ctx, err);
}
