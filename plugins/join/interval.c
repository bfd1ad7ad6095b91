/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairs of rows whose times are no further apart than asked for. A row meets those that are there when it comes and is met by
 * those that come later; where rows that met none come out, which have met one is noted beside them: to note it in them would
 * store each of them twice.
 */
#include "join.h"

static void emit_pair(const struct join *self, enum join_side side, const struct leat_record *record, const struct leat_ordered_entry *other,
                      struct leat_context *ctx)
{
	const struct leat_value value = leat_copy(ctx, &other->value);
	const struct leat_value *left = side == JOIN_LEFT ? &record->value : &value, *right = side == JOIN_LEFT ? &value : &record->value;
	struct leat_record result = *record;

	result.time_us = record->time_us > other->order ? record->time_us : other->order;
	result.value = join_pair(self, left, right, ctx);
	leat_emit(ctx, JOIN_OUT, &result);
}

static void note_met(enum join_side side, const struct leat_value *key, const struct leat_ordered_entry *row, struct leat_context *ctx)
{
	const struct leat_ordered_entry met = { .order = row->order, .sequence = row->sequence, .value = leat_bool(true) };

	leat_ordered_put(ctx, JOIN_MET + side, key, &met);
}

static bool is_same(const struct leat_ordered_entry *a, const struct leat_ordered_entry *b)
{
	return a->order == b->order && a->sequence == b->sequence;
}

/* Those of `row` that have met none so far. Both arrays are in the same order. */
static void note_all_met(enum join_side side, const struct leat_value *key, const struct leat_ordered_entry *row, size_t n,
                         struct leat_context *ctx)
{
	const struct leat_ordered_entry *met;
	size_t n_met = leat_ordered_scan(ctx, JOIN_MET + side, key, row[0].order, row[n - 1].order + 1, &met), k = 0;

	for (size_t i = 0; i < n; i++) {
		while (k < n_met && (met[k].order < row[i].order || (met[k].order == row[i].order && met[k].sequence < row[i].sequence)))
			k++;
		if (k == n_met || !is_same(&met[k], &row[i]))
			note_met(side, key, &row[i], ctx);
	}
}

enum leat_status join_interval_process(const struct join *self, enum join_side side, const struct leat_record *record,
                                       struct leat_context *ctx, struct leat_error *err)
{
	enum join_side other = side == JOIN_LEFT ? JOIN_RIGHT : JOIN_LEFT;
	struct leat_ordered_entry itself = { .order = record->time_us };
	const struct leat_ordered_entry *row;
	size_t n = leat_ordered_scan(ctx, JOIN_ROWS + other, &record->key, record->time_us - self->ahead[other],
	                             record->time_us + self->ahead[side] + 1, &row); /* J1 */

	for (size_t i = 0; i < n; i++)
		emit_pair(self, side, record, &row[i], ctx);
	if (n > 0 && self->is_kept[other])
		note_all_met(other, &record->key, row, n, ctx);
	if (n > 0 && self->is_kept[side]) {
		itself.sequence = join_rows_sequence(side, &record->key, record->time_us, ctx);
		note_met(side, &record->key, &itself, ctx);
	}
	return join_rows_add(self, side, record, ctx, err);
}

/* The rows before `until` that have met none; all of them go. */
static void emit_alone(const struct join *self, enum join_side side, const struct leat_timer *due, int64_t until, struct leat_context *ctx)
{
	const struct leat_record like = join_like(due, ctx);
	const struct leat_ordered_entry *row, *met;
	size_t n = leat_ordered_take(ctx, JOIN_ROWS + side, &due->key, INT64_MIN, until, &row);
	size_t n_met = leat_ordered_take(ctx, JOIN_MET + side, &due->key, INT64_MIN, until, &met), k = 0;

	for (size_t i = 0; i < n; i++) {
		if (k < n_met && is_same(&met[k], &row[i]))
			k++;
		else
			join_emit_alone(self, side, &like, &row[i].value, ctx);
	}
}

enum leat_status join_interval_timer(const struct join *self, const struct leat_timer *due, struct leat_context *ctx,
                                     struct leat_error *err)
{
	for (enum join_side side = JOIN_LEFT; side < JOIN_SIDES; side++) {
		int64_t until = join_rows_until(self, side, due->due_us);

		if (self->is_kept[side])
			emit_alone(self, side, due, until, ctx);
		else
			join_rows_drop(side, &due->key, until, ctx);
	}
	return join_rows_again(self, &due->key, ctx, err);
}
