/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions whose state has a fixed size: count, sum, avg, min, max, var, stddev.
 *
 * Sums of reals after Neumaier (1974), variance after Welford (1962), merged after Chan, Golub and LeVeque (1979).
 */
#include <math.h>

#include "fold_kind.h"

static enum leat_status not_finite(const struct fold_item *item, struct leat_error *err)
{
	return leat_error_set(err, LEAT_REJECT, 0, "%s is no finite number", item->aggregate->source);
}

/* ---- count ------------------------------------------------------------------------------------------------------- */

static enum leat_status add_count(const struct fold_item *item, void *cell, const struct fold_input *in, struct leat_context *ctx,
                                  struct leat_error *err)
{
	int64_t *count = cell;

	(void)item;
	(void)in;
	(void)ctx;
	(void)err;
	(*count)++;
	return LEAT_OK;
}

static void merge_count(const struct fold_item *item, void *into, const void *from, struct leat_context *ctx)
{
	(void)item;
	(void)ctx;
	*(int64_t *)into += *(const int64_t *)from;
}

static bool can_subtract_count(const void *from)
{
	(void)from;
	return true;
}

static void subtract_count(void *into, const void *from)
{
	*(int64_t *)into -= *(const int64_t *)from;
}

static enum leat_status result_count(const struct fold_item *item, const void *cell, struct leat_value *out, struct leat_context *ctx,
                                     struct leat_error *err)
{
	(void)item;
	(void)ctx;
	(void)err;
	*out = leat_integer(*(const int64_t *)cell);
	return LEAT_OK;
}

static unsigned char *pack_count(const void *cell, unsigned char *at)
{
	return fold_put_count(at, (uint64_t) * (const int64_t *)cell);
}

static void unpack_count(void *cell, struct fold_reader *r)
{
	*(int64_t *)cell = (int64_t)fold_take_count(r);
}

const struct fold_kind fold_count = {
	.size = sizeof(int64_t),
	.add = add_count,
	.merge = merge_count,
	.can_subtract = can_subtract_count,
	.subtract = subtract_count,
	.result = result_count,
	.pack = pack_count,
	.unpack = unpack_count,
};

/* ---- sum, avg ---------------------------------------------------------------------------------------------------- */

struct sum {
	fold_wide whole; /* of the integers */
	double real;     /* of the reals, and what rounding took from it */
	double lost;
	int64_t n;
	int64_t n_reals;
};

static void add_real(struct sum *s, double real)
{
	double sum = s->real + real;

	s->lost += fabs(s->real) >= fabs(real) ? (s->real - sum) + real : (real - sum) + s->real;
	s->real = sum;
}

static double add_up(const struct sum *s)
{
	return (double)((long double)s->whole + ((long double)s->real + (long double)s->lost));
}

static enum leat_status read_sum(const struct fold_item *item, const struct sum *s, struct leat_value *out, struct leat_error *err)
{
	if (s->n_reals > 0) {
		*out = leat_real(add_up(s));
		return isfinite(out->as.real) ? LEAT_OK : not_finite(item, err);
	}
	if (s->whole < INT64_MIN || s->whole > INT64_MAX)
		return leat_error_set(err, LEAT_REJECT, 0, "%s overflows an integer of 64 bits", item->aggregate->source);
	*out = leat_integer((int64_t)s->whole);
	return LEAT_OK;
}

static enum leat_status add_sum(const struct fold_item *item, void *cell, const struct fold_input *in, struct leat_context *ctx,
                                struct leat_error *err)
{
	struct leat_value ignored;
	struct sum *s = cell;
	double real = 0;

	(void)ctx;
	s->n++;
	if (in->value.type == LEAT_INTEGER) {
		s->whole += in->value.as.integer;
	} else {
		(void)leat_as_real(&in->value, &real);
		s->n_reals++;
		add_real(s, real);
	}
	return read_sum(item, s, &ignored, err);
}

static void merge_sum(const struct fold_item *item, void *into_, const void *from_, struct leat_context *ctx)
{
	const struct sum *from = from_;
	struct sum *into = into_;

	(void)item;
	(void)ctx;
	into->whole += from->whole;
	into->n += from->n;
	into->n_reals += from->n_reals;
	if (from->n_reals == 0)
		return;
	add_real(into, from->real);
	into->lost += from->lost;
}

static bool can_subtract_sum(const void *from)
{
	return ((const struct sum *)from)->n_reals == 0;
}

static void subtract_sum(void *into_, const void *from_)
{
	const struct sum *from = from_;
	struct sum *into = into_;

	into->whole -= from->whole;
	into->n -= from->n;
}

static enum leat_status result_sum(const struct fold_item *item, const void *cell, struct leat_value *out, struct leat_context *ctx,
                                   struct leat_error *err)
{
	const struct sum *s = cell;

	(void)ctx;
	if (s->n > 0)
		return read_sum(item, s, out, err);
	*out = leat_null();
	return LEAT_OK;
}

/* Of an average, only the reals can overflow. */
static enum leat_status add_avg(const struct fold_item *item, void *cell, const struct fold_input *in, struct leat_context *ctx,
                                struct leat_error *err)
{
	return add_sum(item, cell, in, ctx, NULL) == LEAT_OK || ((const struct sum *)cell)->n_reals == 0 ? LEAT_OK : not_finite(item, err);
}

static enum leat_status result_avg(const struct fold_item *item, const void *cell, struct leat_value *out, struct leat_context *ctx,
                                   struct leat_error *err)
{
	const struct sum *s = cell;
	double sum = s->n_reals > 0 ? add_up(s) : (double)s->whole;

	(void)ctx;
	if (!isfinite(sum))
		return not_finite(item, err);
	*out = s->n == 0 ? leat_null() : leat_real(sum / (double)s->n);
	return LEAT_OK;
}

static unsigned char *pack_sum(const void *cell, unsigned char *at)
{
	const struct sum *s = cell;

	at = fold_put_count(at, (uint64_t)s->n);
	at = fold_put_count(at, (uint64_t)s->n_reals);
	at = fold_put_wide(at, s->whole);
	if (s->n_reals == 0)
		return at;
	at = fold_put_real(at, s->real);
	return fold_put_real(at, s->lost);
}

static void unpack_sum(void *cell, struct fold_reader *r)
{
	struct sum *s = cell;

	s->n = (int64_t)fold_take_count(r);
	s->n_reals = (int64_t)fold_take_count(r);
	s->whole = fold_take_wide(r);
	if (s->n_reals == 0)
		return;
	s->real = fold_take_real(r);
	s->lost = fold_take_real(r);
}

const struct fold_kind fold_sum = {
	.size = sizeof(struct sum),
	.needs_number = true,
	.add = add_sum,
	.merge = merge_sum,
	.can_subtract = can_subtract_sum,
	.subtract = subtract_sum,
	.result = result_sum,
	.pack = pack_sum,
	.unpack = unpack_sum,
};

const struct fold_kind fold_avg = {
	.size = sizeof(struct sum),
	.needs_number = true,
	.add = add_avg,
	.merge = merge_sum,
	.can_subtract = can_subtract_sum,
	.subtract = subtract_sum,
	.result = result_avg,
	.pack = pack_sum,
	.unpack = unpack_sum,
};

/* ---- min, max ---------------------------------------------------------------------------------------------------- */

struct extreme {
	struct leat_value value; /* an integer, a real, a time, or null: nothing yet */
};

static void keep_extreme(struct extreme *e, const struct leat_value *v, int sign)
{
	if (e->value.type == LEAT_NULL || order_compare(v, &e->value) * sign > 0)
		e->value = order_plain(v);
}

static enum leat_status add_min(const struct fold_item *item, void *cell, const struct fold_input *in, struct leat_context *ctx,
                                struct leat_error *err)
{
	(void)item;
	(void)ctx;
	(void)err;
	keep_extreme(cell, &in->value, -1);
	return LEAT_OK;
}

static enum leat_status add_max(const struct fold_item *item, void *cell, const struct fold_input *in, struct leat_context *ctx,
                                struct leat_error *err)
{
	(void)item;
	(void)ctx;
	(void)err;
	keep_extreme(cell, &in->value, 1);
	return LEAT_OK;
}

static void merge_min(const struct fold_item *item, void *into, const void *from, struct leat_context *ctx)
{
	const struct extreme *e = from;

	(void)item;
	(void)ctx;
	if (e->value.type != LEAT_NULL)
		keep_extreme(into, &e->value, -1);
}

static void merge_max(const struct fold_item *item, void *into, const void *from, struct leat_context *ctx)
{
	const struct extreme *e = from;

	(void)item;
	(void)ctx;
	if (e->value.type != LEAT_NULL)
		keep_extreme(into, &e->value, 1);
}

static enum leat_status result_extreme(const struct fold_item *item, const void *cell, struct leat_value *out, struct leat_context *ctx,
                                       struct leat_error *err)
{
	(void)item;
	(void)ctx;
	(void)err;
	*out = ((const struct extreme *)cell)->value;
	return LEAT_OK;
}

static unsigned char *pack_extreme(const void *cell, unsigned char *at)
{
	const struct leat_value *v = &((const struct extreme *)cell)->value;

	*at++ = v->type;
	if (v->type == LEAT_REAL)
		return fold_put_real(at, v->as.real);
	if (v->type == LEAT_INTEGER || v->type == LEAT_TIME)
		return fold_put_wide(at, v->type == LEAT_TIME ? v->as.time_us : v->as.integer);
	return at;
}

static void unpack_extreme(void *cell, struct fold_reader *r)
{
	struct extreme *e = cell;
	uint64_t type = fold_take_count(r);

	e->value = leat_null();
	if (type == LEAT_REAL)
		e->value = leat_real(fold_take_real(r));
	else if (type == LEAT_INTEGER)
		e->value = leat_integer((int64_t)fold_take_wide(r));
	else if (type == LEAT_TIME)
		e->value = leat_time((int64_t)fold_take_wide(r));
	else
		r->is_broken |= type != LEAT_NULL;
}

const struct fold_kind fold_min = {
	.size = sizeof(struct extreme),
	.needs_order = true,
	.add = add_min,
	.merge = merge_min,
	.result = result_extreme,
	.pack = pack_extreme,
	.unpack = unpack_extreme,
};

const struct fold_kind fold_max = {
	.size = sizeof(struct extreme),
	.needs_order = true,
	.add = add_max,
	.merge = merge_max,
	.result = result_extreme,
	.pack = pack_extreme,
	.unpack = unpack_extreme,
};

/* ---- var, stddev: of a sample, n - 1 ------------------------------------------------------------------------------ */

struct moments {
	int64_t n;
	double mean;
	double squares; /* sum of squared distances from the mean */
};

static enum leat_status add_moments(const struct fold_item *item, void *cell, const struct fold_input *in, struct leat_context *ctx,
                                    struct leat_error *err)
{
	struct moments *m = cell;
	double real = 0, distance;

	(void)ctx;
	(void)leat_as_real(&in->value, &real);
	m->n++;
	distance = real - m->mean;
	m->mean += distance / (double)m->n;
	m->squares += distance * (real - m->mean);
	return isfinite(m->mean) && isfinite(m->squares) ? LEAT_OK : not_finite(item, err);
}

static void merge_moments(const struct fold_item *item, void *into_, const void *from_, struct leat_context *ctx)
{
	const struct moments *from = from_;
	struct moments *into = into_;
	double n = (double)into->n + (double)from->n, distance = from->mean - into->mean;

	(void)item;
	(void)ctx;
	if (from->n == 0)
		return;
	if (into->n == 0) {
		*into = *from;
		return;
	}
	into->mean += distance * ((double)from->n / n);
	into->squares += from->squares + distance * distance * ((double)into->n / n * (double)from->n);
	into->n += from->n;
}

static enum leat_status result_var(const struct fold_item *item, const void *cell, struct leat_value *out, struct leat_context *ctx,
                                   struct leat_error *err)
{
	const struct moments *m = cell;

	(void)ctx;
	if (!isfinite(m->squares))
		return not_finite(item, err);
	*out = m->n < 2 ? leat_null() : leat_real(m->squares / (double)(m->n - 1));
	return LEAT_OK;
}

static enum leat_status result_stddev(const struct fold_item *item, const void *cell, struct leat_value *out, struct leat_context *ctx,
                                      struct leat_error *err)
{
	enum leat_status status = result_var(item, cell, out, ctx, err);

	if (status == LEAT_OK && out->type == LEAT_REAL)
		out->as.real = sqrt(out->as.real);
	return status;
}

static unsigned char *pack_moments(const void *cell, unsigned char *at)
{
	const struct moments *m = cell;

	at = fold_put_count(at, (uint64_t)m->n);
	if (m->n == 0)
		return at;
	at = fold_put_real(at, m->mean);
	return fold_put_real(at, m->squares);
}

static void unpack_moments(void *cell, struct fold_reader *r)
{
	struct moments *m = cell;

	m->n = (int64_t)fold_take_count(r);
	if (m->n == 0)
		return;
	m->mean = fold_take_real(r);
	m->squares = fold_take_real(r);
}

const struct fold_kind fold_var = {
	.size = sizeof(struct moments),
	.needs_number = true,
	.add = add_moments,
	.merge = merge_moments,
	.result = result_var,
	.pack = pack_moments,
	.unpack = unpack_moments,
};

const struct fold_kind fold_stddev = {
	.size = sizeof(struct moments),
	.needs_number = true,
	.add = add_moments,
	.merge = merge_moments,
	.result = result_stddev,
	.pack = pack_moments,
	.unpack = unpack_moments,
};
