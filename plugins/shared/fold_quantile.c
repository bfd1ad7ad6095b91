/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantiles to within 1 % of the value, whatever the values are: DDSketch, after Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable
 * quantile sketch with relative-error guarantees" (2019).
 *
 * A value x > 0 is counted in bucket ceil(log(x) / log(g)) with g = (1 + a) / (1 - a) and a = 0.01; bucket i stands for
 * 2 g^i / (g + 1), which is within a of all that is in it. Negative values have buckets of their own; zero is counted apart. The
 * quantile q of n values is the one with rank floor(q (n - 1)), counted from 0, so a value that was there and not one between two.
 *
 * A sign has 2048 buckets at most. When there are more, the ones nearest zero are put together: quantiles that fall among these lose
 * the bound, those beyond keep it. It takes values over more than 17 powers of ten in all buckets to get there. What a state comes to
 * depends on the values alone, not on their order or how they were split: it is the 2048 outermost buckets, with all others in
 * the innermost of them.
 */
#include <float.h>
#include <math.h>

#include "fold_kind.h"

enum { MOST = 2048, SPARE = 8 };
static const double growth = 1.01 / 0.99;

struct bucket {
	int32_t index;
	int64_t count;
};

/* Sorted by index, ascending. */
struct buckets {
	uint32_t n;
	uint32_t room;
	const struct bucket *bucket;
	struct bucket *own; /* the same, when this cell is its owner */
};

struct sketch {
	int64_t n;
	int64_t n_zero;
	double min, max;
	struct buckets positive, negative;
};

/* ---- buckets ----------------------------------------------------------------------------------------------------- */

static uint32_t find_bucket(const struct buckets *b, int32_t index)
{
	uint32_t from = 0, until = b->n;

	while (from < until) {
		uint32_t middle = from + (until - from) / 2;

		if (b->bucket[middle].index < index)
			from = middle + 1;
		else
			until = middle;
	}
	return from;
}

static void make_room(struct buckets *b, uint32_t more, struct leat_context *ctx)
{
	struct bucket *own;
	uint32_t room = b->n + more;

	if (b->own != NULL && room <= b->room)
		return;
	room += room / 4 + SPARE;
	own = leat_allocate(ctx, room * sizeof *own);
	if (b->n > 0)
		memcpy(own, b->bucket, b->n * sizeof *own);
	*b = (struct buckets){ .n = b->n, .room = room, .bucket = own, .own = own };
}

static void count_in(struct buckets *b, int32_t index, int64_t count, struct leat_context *ctx)
{
	uint32_t at = find_bucket(b, index);

	make_room(b, 1, ctx);
	if (at < b->n && b->own[at].index == index) {
		b->own[at].count += count;
		return;
	}
	if (b->n == MOST && at == 0) {
		b->own[0].count += count;
		return;
	}
	if (b->n == MOST) { /* the innermost goes into the next, which may be the new one */
		int64_t innermost = b->own[0].count;

		memmove(b->own, b->own + 1, (at - 1) * sizeof *b->own);
		at--;
		b->own[at] = (struct bucket){ index, count };
		b->own[0].count += innermost;
		return;
	}
	memmove(b->own + at + 1, b->own + at, (b->n - at) * sizeof *b->own);
	b->own[at] = (struct bucket){ index, count };
	b->n++;
}

static void merge_buckets(struct buckets *into, const struct buckets *from, struct leat_context *ctx)
{
	if (into->n == 0) {
		*into = (struct buckets){ .n = from->n, .bucket = from->bucket };
		return;
	}
	for (uint32_t i = from->n; i-- > 0;) /* the outermost first, so that what is given up never displaces anything */
		count_in(into, from->bucket[i].index, from->bucket[i].count, ctx);
}

/* ---- the function ------------------------------------------------------------------------------------------------ */

static int32_t index_of(double x)
{
	return (int32_t)ceil(log(x) / log(growth));
}

static double value_of(int32_t index)
{
	return 2 * exp((double)index * log(growth)) / (growth + 1);
}

static enum leat_status add_quantile(const struct fold_item *item, void *cell, const struct fold_input *in, struct leat_context *ctx,
                                     struct leat_error *err)
{
	struct sketch *s = cell;
	double x = 0;

	(void)item;
	(void)err;
	(void)leat_as_real(&in->value, &x);
	s->min = s->n == 0 || x < s->min ? x : s->min;
	s->max = s->n == 0 || x > s->max ? x : s->max;
	s->n++;
	if (x >= DBL_MIN)
		count_in(&s->positive, index_of(x), 1, ctx);
	else if (x <= -DBL_MIN)
		count_in(&s->negative, index_of(-x), 1, ctx);
	else
		s->n_zero++;
	return LEAT_OK;
}

static void merge_quantile(const struct fold_item *item, void *into_, const void *from_, struct leat_context *ctx)
{
	const struct sketch *from = from_;
	struct sketch *into = into_;

	(void)item;
	if (from->n == 0)
		return;
	into->min = into->n == 0 || from->min < into->min ? from->min : into->min;
	into->max = into->n == 0 || from->max > into->max ? from->max : into->max;
	into->n += from->n;
	into->n_zero += from->n_zero;
	merge_buckets(&into->positive, &from->positive, ctx);
	merge_buckets(&into->negative, &from->negative, ctx);
}

static double find_rank(const struct sketch *s, int64_t rank)
{
	int64_t n = 0;

	if (rank <= 0 || rank >= s->n - 1) /* known exactly */
		return rank <= 0 ? s->min : s->max;
	for (uint32_t i = s->negative.n; i-- > 0;)
		if ((n += s->negative.bucket[i].count) > rank)
			return -value_of(s->negative.bucket[i].index);
	if ((n += s->n_zero) > rank)
		return 0;
	for (uint32_t i = 0; i < s->positive.n; i++)
		if ((n += s->positive.bucket[i].count) > rank)
			return value_of(s->positive.bucket[i].index);
	return s->max;
}

static enum leat_status result_quantile(const struct fold_item *item, const void *cell, struct leat_value *out,
                                        struct leat_context *ctx, struct leat_error *err)
{
	const struct sketch *s = cell;
	double x;

	(void)ctx;
	(void)err;
	*out = leat_null();
	if (s->n == 0)
		return LEAT_OK;
	x = find_rank(s, (int64_t)floor(item->aggregate->constant * (double)(s->n - 1)));
	x = x < s->min ? s->min : x;
	*out = leat_real(x > s->max ? s->max : x);
	return LEAT_OK;
}

/* ---- stored ------------------------------------------------------------------------------------------------------ */

static unsigned char *pack_buckets(const struct buckets *b, unsigned char *at)
{
	int32_t before = 0;

	at = fold_put_count(at, b->n);
	for (uint32_t i = 0; i < b->n; i++) {
		at = fold_put_wide(at, (fold_wide)b->bucket[i].index - before);
		at = fold_put_count(at, (uint64_t)b->bucket[i].count);
		before = b->bucket[i].index;
	}
	return at;
}

static bool unpack_buckets(struct buckets *b, struct fold_reader *r, struct leat_context *ctx)
{
	uint64_t n = fold_take_count(r);
	int64_t index = 0;

	if (r->is_broken || n > MOST)
		return false;
	make_room(b, (uint32_t)n, ctx);
	for (uint64_t i = 0; i < n; i++) {
		index += (int64_t)fold_take_wide(r);
		b->own[i] = (struct bucket){ (int32_t)index, (int64_t)fold_take_count(r) };
	}
	b->n = (uint32_t)n;
	return !r->is_broken;
}

static struct leat_value store_quantile(const struct fold_item *item, const void *cell, struct leat_context *ctx)
{
	const struct sketch *s = cell;
	size_t room = 64 + ((size_t)s->positive.n + s->negative.n) * 16;
	unsigned char *bytes = leat_allocate(ctx, room), *at = bytes;
	struct leat_value v;

	(void)item;
	at = fold_put_count(at, (uint64_t)s->n);
	at = fold_put_count(at, (uint64_t)s->n_zero);
	at = fold_put_real(at, s->min);
	at = fold_put_real(at, s->max);
	at = pack_buckets(&s->positive, at);
	at = pack_buckets(&s->negative, at);
	v = leat_borrow((const char *)bytes, (size_t)(at - bytes));
	v.type = LEAT_BYTES;
	return v;
}

static bool load_quantile(const struct fold_item *item, void *cell, const struct leat_value *stored, struct leat_context *ctx)
{
	struct fold_reader r = { 0 };
	struct sketch *s = cell;

	(void)item;
	if (stored->type != LEAT_BYTES)
		return false;
	r.at = (const unsigned char *)stored->as.text;
	r.end = r.at + stored->n;
	s->n = (int64_t)fold_take_count(&r);
	s->n_zero = (int64_t)fold_take_count(&r);
	s->min = fold_take_real(&r);
	s->max = fold_take_real(&r);
	return unpack_buckets(&s->positive, &r, ctx) && unpack_buckets(&s->negative, &r, ctx) && r.at == r.end;
}

const struct fold_kind fold_quantile = {
	.size = sizeof(struct sketch),
	.needs_number = true,
	.add = add_quantile,
	.merge = merge_quantile,
	.result = result_quantile,
	.store = store_quantile,
	.load = load_quantile,
};
