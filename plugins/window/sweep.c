/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several windows of a key at once, in order of their ends: what a late event changes, and what is sent before windows end. The
 * same two stacks as in stack.c, in the batch's memory and over the panes as they are.
 */
#include "window.h"

struct sweep {
	const struct window *self;
	const struct leat_ordered_entry *pane;
	size_t n;
	size_t first, flip, next; /* tail[first..flip), then `back` is of pane[flip..next) */
	int64_t flip_us;
	struct fold_state **tail, *back, *more;
};

static enum leat_status extend(struct sweep *s, int64_t end_us, struct leat_context *ctx, struct leat_error *err)
{
	for (; s->next < s->n && s->pane[s->next].order < end_us; s->next++) {
		enum leat_status status = fold_load(&s->self->fold, s->more, &s->pane[s->next].value, ctx, err);

		if (status != LEAT_OK)
			return status;
		fold_merge(&s->self->fold, s->back, s->more, ctx);
	}
	return LEAT_OK;
}

static enum leat_status turn(struct sweep *s, int64_t start_us, int64_t end_us, struct leat_context *ctx, struct leat_error *err)
{
	size_t i;

	for (i = s->next; i-- > 0 && s->pane[i].order >= start_us;) {
		enum leat_status status;

		s->tail[i] = fold_make(&s->self->fold, ctx);
		status = fold_load(&s->self->fold, s->tail[i], &s->pane[i].value, ctx, err);
		if (status != LEAT_OK)
			return status;
		if (i + 1 < s->next)
			fold_merge(&s->self->fold, s->tail[i], s->tail[i + 1], ctx);
		s->first = i;
	}
	s->flip = s->next;
	s->flip_us = end_us;
	fold_init(&s->self->fold, s->back);
	return LEAT_OK;
}

/* The totals of a window that is not before those that were asked for; NULL when it is empty. */
static enum leat_status take(struct sweep *s, int64_t start_us, int64_t end_us, struct fold_state **totals, struct leat_context *ctx,
                             struct leat_error *err)
{
	enum leat_status status = extend(s, end_us, ctx, err);

	*totals = NULL;
	if (status == LEAT_OK && start_us > s->flip_us) {
		s->first = s->next;
		status = turn(s, start_us, end_us, ctx, err);
	}
	while (s->first < s->flip && s->pane[s->first].order < start_us)
		s->first++;
	if (status != LEAT_OK || s->first == s->next)
		return status;
	*totals = fold_make(&s->self->fold, ctx);
	if (s->first < s->flip)
		fold_merge(&s->self->fold, *totals, s->tail[s->first], ctx);
	fold_merge(&s->self->fold, *totals, s->back, ctx);
	return LEAT_OK;
}

static enum leat_status take_and_emit(struct sweep *s, const struct leat_value *key, int64_t end_us, bool is_final,
                                      struct leat_context *ctx, struct leat_error *err)
{
	struct fold_state *totals;
	enum leat_status status = take(s, assign_start(s->self, end_us), end_us, &totals, ctx, err);

	return status != LEAT_OK || totals == NULL ? status : panes_emit(s->self, key, end_us, is_final, totals, ctx, err);
}

/* Sliding windows end where there are events. */
static enum leat_status take_held(struct sweep *s, const struct leat_value *key, int64_t first_us, int64_t last_us, bool is_final,
                                  struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_ordered_entry *held;
	size_t n = leat_ordered_scan(ctx, HELD, key, first_us - 1, last_us, &held);
	enum leat_status status = LEAT_OK;

	for (size_t i = 0; i < n && status == LEAT_OK; i++)
		if (i == 0 || held[i].order != held[i - 1].order)
			status = take_and_emit(s, key, held[i].order + 1, is_final, ctx, err);
	return status;
}

enum leat_status sweep(const struct window *self, const struct leat_value *key, int64_t first_us, int64_t last_us, bool is_final,
                       struct leat_context *ctx, struct leat_error *err)
{
	struct sweep s = { .self = self, .flip_us = assign_start(self, first_us) };
	enum leat_status status = LEAT_OK;

	s.n = leat_ordered_scan(ctx, PANES, key, s.flip_us, last_us, &s.pane);
	s.tail = leat_allocate(ctx, (s.n + 1) * sizeof(struct fold_state *));
	s.back = fold_make(&self->fold, ctx);
	s.more = fold_make(&self->fold, ctx);
	if (self->kind == SLIDING)
		return take_held(&s, key, first_us, last_us, is_final, ctx, err);
	for (int64_t end_us = first_us; end_us <= last_us && status == LEAT_OK; end_us += self->every)
		status = take_and_emit(&s, key, end_us, is_final, ctx, err);
	return status;
}
