/* SPDX-License-Identifier: Apache-2.0 */
/* The rows that wait for others, by side and key, ordered by time and then as they came; and the one timer of a key (J5). */
#include "join.h"

/* The next multiple of `step`. */
static int64_t round_up(int64_t us, int64_t step)
{
	int64_t over = us % step;

	return over == 0 ? us : us - over + (over > 0 ? step : 0);
}

/* J3 */
static int64_t due_of(const struct join *self, enum join_side side, int64_t time_us)
{
	return round_up(time_us + self->ahead[side] + self->allow + 1, self->step[side]);
}

int64_t join_rows_until(const struct join *self, enum join_side side, int64_t due_us)
{
	return due_us - self->ahead[side] - self->allow;
}

static enum leat_status set_timer(const struct leat_value *key, int64_t due_us, struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_timer timer = { .clock = LEAT_EVENT_TIME, .due_us = due_us, .key = *key };
	struct join_key *k = leat_table_get(ctx, JOIN_KEYS, key);

	k->due_us = due_us;
	return leat_timer_set(ctx, &timer, err);
}

static enum leat_status look_by(const struct leat_value *key, int64_t due_us, struct leat_context *ctx, struct leat_error *err)
{
	const struct join_key *k = leat_table_peek(ctx, JOIN_KEYS, key);

	if (k != NULL && k->due_us <= due_us)
		return LEAT_OK;
	if (k != NULL)
		leat_timer_cancel(ctx, &(struct leat_timer){ .clock = LEAT_EVENT_TIME, .due_us = k->due_us, .key = *key });
	return set_timer(key, due_us, ctx, err);
}

int64_t join_rows_sequence(enum join_side side, const struct leat_value *key, int64_t time_us, struct leat_context *ctx)
{
	const struct leat_ordered_entry *row;
	size_t n = leat_ordered_scan(ctx, JOIN_ROWS + side, key, time_us, time_us + 1, &row);

	return n == 0 ? 0 : row[n - 1].sequence + 1;
}

enum leat_status join_rows_add(const struct join *self, enum join_side side, const struct leat_record *record,
                               struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_ordered_entry row = { .order = record->time_us, .value = record->value,
		                                .sequence = join_rows_sequence(side, &record->key, record->time_us, ctx) };

	leat_ordered_put(ctx, JOIN_ROWS + side, &record->key, &row);
	return look_by(&record->key, due_of(self, side, record->time_us), ctx, err);
}

void join_rows_drop(enum join_side side, const struct leat_value *key, int64_t until, struct leat_context *ctx)
{
	leat_ordered_erase(ctx, JOIN_ROWS + side, key, INT64_MIN, until);
	leat_ordered_erase(ctx, JOIN_MET + side, key, INT64_MIN, until);
}

enum leat_status join_rows_again(const struct join *self, const struct leat_value *key, struct leat_context *ctx, struct leat_error *err)
{
	int64_t next_us = INT64_MAX;

	for (enum join_side side = JOIN_LEFT; side < JOIN_SIDES; side++) {
		const struct leat_ordered_entry *row;

		if (leat_ordered_scan(ctx, JOIN_ROWS + side, key, INT64_MIN, INT64_MAX, &row) == 0)
			continue;
		if (due_of(self, side, row[0].order) < next_us)
			next_us = due_of(self, side, row[0].order);
	}
	if (next_us != INT64_MAX)
		return set_timer(key, next_us, ctx, err);
	leat_table_erase(ctx, JOIN_KEYS, key);
	return LEAT_OK;
}
