/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of fixed length: events into panes, and which windows have their rows sent when. */
#include "window.h"

/* ---- an event ---------------------------------------------------------------------------------------------------- */

/* Whether it is the pane's first event. */
static enum leat_status add_to_pane(const struct window *self, const struct leat_value *key, int64_t pane_us,
                                    const struct leat_record *record, bool *is_first, struct leat_context *ctx, struct leat_error *err)
{
	struct fold_state *state = fold_make(&self->fold, ctx);
	struct leat_ordered_entry pane = { .order = pane_us };
	enum leat_status status;

	*is_first = !leat_ordered_last(ctx, PANES, key, pane_us, pane_us + 1, &pane);
	status = fold_load(&self->fold, state, *is_first ? NULL : &pane.value, ctx, err);
	if (status == LEAT_OK)
		status = fold_add(&self->fold, state, record, ctx, err);
	if (status != LEAT_OK)
		return status;
	pane.value = fold_store(&self->fold, state, ctx);
	leat_ordered_put(ctx, PANES, key, &pane);
	return LEAT_OK;
}

/* Until its row is final. */
static void hold(const struct leat_value *key, const struct leat_record *record, bool is_first, struct leat_context *ctx)
{
	struct leat_ordered_entry last, held = { .order = record->time_us, .value = record->value };

	if (!is_first && leat_ordered_last(ctx, HELD, key, record->time_us, record->time_us + 1, &last))
		held.sequence = last.sequence + 1;
	leat_ordered_put(ctx, HELD, key, &held);
}

static void note_change(const struct leat_value *key, int64_t pane_us, struct leat_context *ctx)
{
	struct leat_ordered_entry changed = { .order = pane_us };

	if (!leat_ordered_last(ctx, CHANGED, key, pane_us, pane_us + 1, &changed))
		leat_ordered_put(ctx, CHANGED, key, &changed);
}

/* The rows that an event changes: of windows that have ended at once, of others as `emit` and `early` have it. */
static enum leat_status send_changes(const struct window *self, const struct keyed *keyed, const struct leat_value *key, int64_t pane_us,
                                     struct leat_context *ctx, struct leat_error *err)
{
	int64_t watermark = leat_watermark(ctx);
	int64_t first = assign_first_end(self, pane_us), last = assign_last_end(self, pane_us), open = first;
	enum leat_status status = LEAT_OK;

	if (watermark >= first) {
		int64_t from = self->allow == 0 ? first : assign_first_end(self, watermark - self->allow);

		open = assign_first_end(self, watermark);
		if (self->allow > 0)
			status = sweep(self, key, from > first ? from : first, open - self->every < last ? open - self->every : last, true, ctx, err);
	}
	if (status != LEAT_OK || open > last)
		return status;
	if (self->emission == UPDATES)
		return sweep(self, key, open, last, false, ctx, err);
	if (self->early == 0)
		return LEAT_OK;
	note_change(key, pane_us, ctx);
	return key_wake_early(self, keyed, key, ctx, err);
}

enum leat_status panes_process(const struct window *self, const struct keyed *keyed, const struct leat_value *key,
                               const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	int64_t watermark = leat_watermark(ctx), pane = assign_pane(self, record->time_us);
	int64_t first = assign_first_end(self, pane), last = assign_last_end(self, pane);
	int64_t own = self->kind == SLIDING ? first : last; /* the last end that is this event's business */
	enum leat_status status;
	bool is_first;

	/* W1 */
	if (watermark >= own + self->allow) {
		leat_emit(ctx, LATE, record);
		return LEAT_OK;
	}
	status = add_to_pane(self, key, pane, record, &is_first, ctx, err);
	if (status == LEAT_OK)
		status = stack_add(self, keyed, key, pane, record, ctx, err);
	if (status == LEAT_OK && self->kind == SLIDING)
		hold(key, record, is_first, ctx);
	if (status == LEAT_OK)
		status = send_changes(self, keyed, key, pane, ctx, err);
	if (status != LEAT_OK)
		return status;
	if (watermark >= own)
		return key_forget_at(self, key, last + self->allow, ctx, err);
	return key_wake(keyed, key, watermark < first ? first : assign_first_end(self, watermark), ctx, err);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static int64_t count_row(const struct window *self, const struct leat_value *key, int64_t end_us, struct leat_context *ctx)
{
	struct leat_ordered_entry counted = { .order = end_us, .value = leat_integer(0) };

	if (!self->is_counted)
		return 0;
	(void)leat_ordered_last(ctx, ROWS, key, end_us, end_us + 1, &counted);
	counted.value = leat_integer(counted.value.as.integer + 1);
	leat_ordered_put(ctx, ROWS, key, &counted);
	return counted.value.as.integer;
}

/* The events that the window ends behind, for the batch. */
static size_t find_held(const struct window *self, const struct leat_value *key, int64_t end_us, bool is_final,
                        const struct leat_ordered_entry **held, struct leat_context *ctx)
{
	const struct leat_ordered_entry *found;
	struct leat_ordered_entry *copy;
	size_t n;

	/* Nobody asks for them again; nor for what is left of a longer `allow`, before it was changed. */
	if (is_final && self->allow == 0) {
		n = leat_ordered_take(ctx, HELD, key, INT64_MIN, end_us, held);
		for (; n > 0 && (*held)->order < end_us - 1; n--)
			(*held)++;
		return n;
	}
	n = leat_ordered_scan(ctx, HELD, key, end_us - 1, end_us, &found);
	copy = leat_allocate(ctx, n * sizeof *copy);
	for (size_t i = 0; i < n; i++) {
		copy[i] = found[i];
		copy[i].value = leat_copy(ctx, &found[i].value);
	}
	*held = copy;
	return n;
}

enum leat_status panes_emit(const struct window *self, const struct leat_value *key, int64_t end_us, bool is_final,
                            const struct fold_state *totals, struct leat_context *ctx, struct leat_error *err)
{
	struct row row = { .key = key, .start_us = assign_start(self, end_us), .end_us = end_us, .is_final = is_final };
	const struct leat_ordered_entry *held;
	enum leat_status status = LEAT_OK;
	size_t n;

	row.revision = count_row(self, key, end_us, ctx);
	if (self->kind != SLIDING)
		return row_emit(self, &row, totals, ctx, err);
	n = find_held(self, key, end_us, is_final, &held, ctx);
	for (size_t i = 0; i < n && status == LEAT_OK; i++) {
		row.base = &held[i].value;
		status = row_emit(self, &row, totals, ctx, err);
	}
	return status;
}

/* ---- timers ------------------------------------------------------------------------------------------------------ */

/* In item[before..behind). */
static size_t halve(const struct panes *panes, size_t before, size_t behind, int64_t from_us)
{
	while (before < behind) {
		size_t middle = before + (behind - before) / 2;

		if (panes->item[middle].order < from_us)
			before = middle + 1;
		else
			behind = middle;
	}
	return before;
}

size_t panes_find_early(const struct panes *panes, int64_t from_us)
{
	size_t behind = 1;

	while (behind <= panes->n && panes->item[behind - 1].order < from_us)
		behind *= 2;
	return halve(panes, behind / 2, behind <= panes->n ? behind - 1 : panes->n, from_us);
}

size_t panes_find_late(const struct panes *panes, int64_t from_us)
{
	size_t back = 1;

	while (back <= panes->n && panes->item[panes->n - back].order >= from_us)
		back *= 2;
	return halve(panes, back <= panes->n ? panes->n - back + 1 : 0, panes->n - back / 2, from_us);
}

size_t panes_let_go(uint32_t table, const struct leat_value *key, const struct panes *panes, int64_t until_us, struct leat_context *ctx)
{
	/* One in so many is left, rather than that each end erases one. */
	enum { LEFT = 8 };
	size_t n = panes_find_early(panes, until_us);

	if (n * LEFT > panes->n)
		leat_ordered_erase(ctx, table, key, INT64_MIN, until_us);
	return n;
}

static bool has_window(const struct window *self, const struct panes *panes, int64_t end_us)
{
	size_t end = panes_find_late(panes, end_us);

	/* The timer may be there for the end of the state. */
	return assign_first_end(self, end_us - 1) == end_us && end > 0
	       && panes->item[end - 1].order >= (self->kind == SLIDING ? end_us - 1 : assign_start(self, end_us));
}

static enum leat_status end_window(const struct window *self, struct keyed *keyed, const struct leat_value *key,
                                   const struct panes *panes, int64_t end_us, struct leat_context *ctx, struct leat_error *err)
{
	struct fold_state *totals;
	enum leat_status status;

	if (self->kind == TUMBLING) {
		totals = fold_make(&self->fold, ctx);
		status = fold_load(&self->fold, totals, &panes->item[panes_find_late(panes, end_us) - 1].value, ctx, err);
	} else {
		status = stack_end(self, keyed, key, panes, end_us, &totals, ctx, err);
	}
	if (status != LEAT_OK)
		return status;
	return row_forgive(panes_emit(self, key, end_us, true, totals, ctx, err), key, end_us, ctx, err);
}

/* What no window needs that has not been over for `allow`. */
static void expire(const struct window *self, const struct leat_value *key, const struct panes *panes, int64_t now_us,
                   struct leat_context *ctx)
{
	int64_t over = now_us - self->allow;

	(void)panes_let_go(PANES, key, panes, assign_start(self, assign_first_end(self, over)), ctx);
	if (self->kind == SLIDING && self->allow > 0)
		leat_ordered_erase(ctx, HELD, key, INT64_MIN, over);
	if (self->is_counted)
		leat_ordered_erase(ctx, ROWS, key, INT64_MIN, over + 1);
	if (self->early > 0)
		leat_ordered_erase(ctx, CHANGED, key, INT64_MIN, assign_start(self, assign_first_end(self, now_us)));
}

/* W4, for a key that nothing is going to end of: now, or once its last pane is not needed. */
static enum leat_status forget(const struct window *self, const struct leat_value *key, const struct panes *panes, int64_t now_us,
                               struct leat_context *ctx, struct leat_error *err)
{
	int64_t needed = panes->n == 0 ? INT64_MIN : assign_last_end(self, panes->item[panes->n - 1].order) + self->allow;

	if (needed > now_us)
		return key_forget_at(self, key, needed, ctx, err);
	key_forget(key, ctx);
	return LEAT_OK;
}

/* W3 */
static enum leat_status go_on(const struct window *self, struct keyed *keyed, const struct leat_value *key, const struct panes *panes,
                              int64_t now_us, struct leat_context *ctx, struct leat_error *err)
{
	int64_t next = assign_first_end(self, now_us);
	size_t first = panes_find_late(panes, self->kind == SLIDING ? now_us : assign_start(self, next));

	if (first < panes->n) {
		int64_t end = assign_first_end(self, panes->item[first].order);

		return key_set_timer(keyed, key, end > next ? end : next, ctx, err);
	}
	return forget(self, key, panes, now_us, ctx, err);
}

enum leat_status panes_timer(const struct window *self, struct keyed *keyed, const struct leat_value *key, int64_t due_us,
                             struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;
	struct panes panes;

	panes.n = leat_ordered_scan(ctx, PANES, key, INT64_MIN, INT64_MAX, &panes.item);
	if (has_window(self, &panes, due_us))
		status = end_window(self, keyed, key, &panes, due_us, ctx, err);
	if (status != LEAT_OK)
		return status;
	expire(self, key, &panes, due_us, ctx);
	return go_on(self, keyed, key, &panes, due_us, ctx, err);
}

enum leat_status panes_forget(const struct window *self, const struct leat_value *key, int64_t now_us, struct leat_context *ctx,
                              struct leat_error *err)
{
	const struct keyed *keyed = leat_table_peek(ctx, KEYS, key);
	struct panes panes;

	if (keyed != NULL && keyed->has_timer)
		return LEAT_OK; /* there is more to come, and then W3 */
	panes.n = leat_ordered_scan(ctx, PANES, key, INT64_MIN, INT64_MAX, &panes.item);
	return forget(self, key, &panes, now_us, ctx, err);
}

/* Ends up to this need nothing any more. A watermark that is far from all windows is taken to be nearer, where there is no overflow;
 * events are at most half as far from 1970. */
static int64_t find_done(const struct window *self, int64_t watermark_us)
{
	static const int64_t far_us = INT64_MAX / 2;
	int64_t us = watermark_us < -far_us ? -far_us : watermark_us > far_us ? far_us : watermark_us;

	return assign_first_end(self, us) - 1;
}

enum leat_status panes_early(const struct window *self, const struct leat_value *key, struct leat_context *ctx, struct leat_error *err)
{
	int64_t done = find_done(self, leat_watermark(ctx));
	const struct leat_ordered_entry *changed;
	size_t n = leat_ordered_scan(ctx, CHANGED, key, INT64_MIN, INT64_MAX, &changed);
	enum leat_status status = LEAT_OK;

	for (size_t i = 0; i < n && status == LEAT_OK; i++) {
		int64_t first = assign_first_end(self, changed[i].order), last = assign_last_end(self, changed[i].order);

		if (first <= done)
			first = assign_first_end(self, done);
		if (first <= last)
			status = sweep(self, key, first, last, false, ctx, err);
		if (status == LEAT_REJECT)
			status = LEAT_OK; /* it is told when the window ends, if it is so then */
		if (last > done)
			done = last;
	}
	leat_ordered_erase(ctx, CHANGED, key, INT64_MIN, INT64_MAX);
	return status;
}
