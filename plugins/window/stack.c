/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The windows of a key end in order, each with panes behind those of the one before, and without some of its first. A queue of
 * two stacks gives each total with three merges for a pane, however long the window is (Tangwongsan, Hirzel, Schneider: Low-Latency
 * Sliding-Window Aggregation in Worst-Case Constant Time, DEBS 2017, section 3), and needs no function to be invertible:
 *
 *           start           flip_us                until_us = end
 *     TAILS   |---------------|
 *               |-------------|       each pane's with all behind it, up to flip_us
 *                 ...
 *     BACKS                   |----------------------|
 *
 * A window that begins behind flip_us has the panes that it needs made into TAILS, once in a window's length.
 */
#include "window.h"

static void drop_stack(const struct leat_value *key, struct leat_context *ctx)
{
	leat_table_erase(ctx, TAILS, key);
	leat_table_erase(ctx, BACKS, key);
}

/* The panes from start_us to end_us into TAILS. */
static enum leat_status turn(const struct window *self, const struct leat_value *key, const struct panes *panes, int64_t start_us,
                             int64_t end_us, struct leat_context *ctx, struct leat_error *err)
{
	size_t first = panes_find_early(panes, start_us), n = panes_find_late(panes, end_us) - first;
	const struct leat_ordered_entry *pane = panes->item + first;
	struct leat_ordered_entry *tail = leat_allocate(ctx, (n + 1) * sizeof *tail);
	struct fold_state *state[2] = { fold_make(&self->fold, ctx), fold_make(&self->fold, ctx) };
	enum leat_status status = LEAT_OK;

	for (size_t i = n; i-- > 0 && status == LEAT_OK;) {
		struct fold_state *is = state[i % 2];

		status = fold_load(&self->fold, is, &pane[i].value, ctx, err);
		if (status == LEAT_OK && i + 1 < n)
			fold_merge(&self->fold, is, state[(i + 1) % 2], ctx);
		tail[i] = (struct leat_ordered_entry){ .order = pane[i].order };
		if (status == LEAT_OK)
			tail[i].value = fold_store(&self->fold, is, ctx);
	}
	drop_stack(key, ctx);
	for (size_t i = 0; i < n && status == LEAT_OK; i++)
		leat_ordered_put(ctx, TAILS, key, &tail[i]);
	return status;
}

/* The back of the stack, which is loaded, with the panes from from_us to until_us. */
static enum leat_status extend(const struct window *self, const struct leat_value *key, const struct panes *panes, int64_t from_us,
                               int64_t until_us, struct fold_state *back, struct leat_context *ctx, struct leat_error *err)
{
	size_t first = panes_find_late(panes, from_us), end = panes_find_late(panes, until_us);
	struct fold_state *more;
	struct leat_value stored;

	if (first == end)
		return LEAT_OK;
	more = fold_make(&self->fold, ctx);
	for (size_t i = first; i < end; i++) {
		enum leat_status status = fold_load(&self->fold, more, &panes->item[i].value, ctx, err);

		if (status != LEAT_OK)
			return status;
		fold_merge(&self->fold, back, more, ctx);
	}
	stored = fold_store(&self->fold, back, ctx);
	leat_table_put(ctx, BACKS, key, &stored);
	return LEAT_OK;
}

/* So that the stack has the panes of this window, and perhaps some before it in TAILS; `back` is empty, and gets what BACKS has. */
static enum leat_status move_to(const struct window *self, struct keyed *keyed, const struct leat_value *key, const struct panes *panes,
                                int64_t end_us, struct fold_state *back, struct leat_context *ctx, struct leat_error *err)
{
	int64_t start_us = assign_start(self, end_us);
	enum leat_status status;

	if (keyed->has_stack && start_us <= keyed->flip_us) {
		status = fold_load(&self->fold, back, leat_table_value(ctx, BACKS, key), ctx, err);
		if (status == LEAT_OK)
			status = extend(self, key, panes, keyed->until_us, end_us, back, ctx, err);
	} else if (self->kind == CUMULATING) {
		/* Its windows only grow until they begin anew: it needs no TAILS. */
		drop_stack(key, ctx);
		keyed->flip_us = start_us;
		status = extend(self, key, panes, start_us, end_us, back, ctx, err);
	} else {
		status = turn(self, key, panes, start_us, end_us, ctx, err);
		keyed->flip_us = end_us;
	}
	keyed->has_stack = true;
	keyed->until_us = end_us;
	return status;
}

enum leat_status stack_end(const struct window *self, struct keyed *keyed, const struct leat_value *key, const struct panes *panes,
                           int64_t end_us, struct fold_state **totals, struct leat_context *ctx, struct leat_error *err)
{
	struct fold_state *back = fold_make(&self->fold, ctx);
	enum leat_status status = move_to(self, keyed, key, panes, end_us, back, ctx, err);
	struct panes tails;
	size_t first;

	*totals = back;
	if (status != LEAT_OK)
		return status;
	tails.n = leat_ordered_scan(ctx, TAILS, key, INT64_MIN, INT64_MAX, &tails.item);
	first = panes_let_go(TAILS, key, &tails, assign_start(self, end_us), ctx);
	if (first == tails.n)
		return LEAT_OK;
	*totals = fold_make(&self->fold, ctx);
	status = fold_load(&self->fold, *totals, &tails.item[first].value, ctx, err);
	if (status == LEAT_OK)
		fold_merge(&self->fold, *totals, back, ctx);
	return status;
}

enum leat_status stack_add(const struct window *self, const struct keyed *keyed, const struct leat_value *key, int64_t pane_us,
                           const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	struct fold_state *back;
	struct leat_value stored;
	enum leat_status status;

	if (keyed == NULL || !keyed->has_stack || pane_us >= keyed->until_us
	    || pane_us < assign_start(self, assign_first_end(self, keyed->until_us)))
		return LEAT_OK;
	if (pane_us < keyed->flip_us || self->is_ordered) {
		/* All of it again, at the next end. Of late events few are behind flip_us, which moves once in a window's length. */
		((struct keyed *)leat_table_get(ctx, KEYS, key))->has_stack = false;
		drop_stack(key, ctx);
		return LEAT_OK;
	}
	back = fold_make(&self->fold, ctx);
	status = fold_load(&self->fold, back, leat_table_value(ctx, BACKS, key), ctx, err);
	if (status == LEAT_OK)
		status = fold_add(&self->fold, back, record, ctx, err);
	if (status != LEAT_OK)
		return status;
	stored = fold_store(&self->fold, back, ctx);
	leat_table_put(ctx, BACKS, key, &stored);
	return LEAT_OK;
}
