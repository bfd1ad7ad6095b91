/* SPDX-License-Identifier: Apache-2.0 */
/* What goes out. Its time is the window's last microsecond, so that a window over windows has it in the right one. */
#include "window.h"

static size_t put_key(const struct window *self, const struct leat_value *key, struct leat_member *out)
{
	for (size_t i = 0; i < self->n_keys; i++)
		out[i] = (struct leat_member){ .symbol = self->key[i], .value = self->n_keys == 1 ? *key : key->as.list->item[i] };
	return self->n_keys;
}

static size_t put_figures(const struct window *self, const struct row *row, struct leat_member *out)
{
	size_t n = 0;

	if (!self->is_counted)
		return 0;
	out[n++] = (struct leat_member){ .symbol = self->revision, .value = leat_integer(row->revision) };
	out[n++] = (struct leat_member){ .symbol = self->is_final, .value = leat_bool(row->is_final) };
	if (self->kind == SESSIONS)
		out[n++] = (struct leat_member){ .symbol = self->is_gone, .value = leat_bool(row->is_gone) };
	return n;
}

enum leat_status row_emit(const struct window *self, const struct row *row, const struct fold_state *totals, struct leat_context *ctx,
                          struct leat_error *err)
{
	struct leat_member *member = leat_allocate(ctx, (self->n_keys + self->fold.n + 5) * sizeof *member);
	struct leat_record record = {
		.key = *row->key,
		.time_us = row->end_us - 1,
		.arrival_us = leat_now(ctx),
		.origin.source = LEAT_NO_SOURCE,
	};
	enum leat_status status;
	size_t n = 0;

	if (row->base == NULL) {
		n = put_key(self, &record.key, member);
		member[n++] = (struct leat_member){ .symbol = self->start, .value = leat_time(row->start_us) };
		member[n++] = (struct leat_member){ .symbol = self->end, .value = leat_time(row->end_us) };
	}
	status = fold_result(&self->fold, totals, member + n, ctx, err);
	if (status != LEAT_OK)
		return status;
	n += self->fold.n;
	n += put_figures(self, row, member + n);
	record.value = leat_map_with(ctx, row->base, member, n);
	leat_emit(ctx, OUT, &record);
	return LEAT_OK;
}

enum leat_status row_forgive(enum leat_status status, const struct leat_value *key, int64_t end_us, struct leat_context *ctx,
                             struct leat_error *err)
{
	const struct leat_timer timer = { .clock = LEAT_EVENT_TIME, .due_us = end_us, .tag = LEFT_OUT, .key = *key };

	return status == LEAT_REJECT ? leat_timer_set(ctx, &timer, err) : status;
}
