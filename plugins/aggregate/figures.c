/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deviation by Welford's method, sums of reals by Neumaier's, sums of integers exactly: a sum is an integer until
 * the first real comes.
 */
#include "figures.h"

#include <math.h>

/* Exact between an int64 and a double: a long double has 64 bits of mantissa or more. */
static bool is_less(bool is_a_real, int64_t a_integer, double a_real, bool is_b_real, int64_t b_integer, double b_real)
{
	return (is_a_real ? (long double)a_real : (long double)a_integer) < (is_b_real ? (long double)b_real : (long double)b_integer);
}

static void update_extremes(struct figures *f, bool is_real, int64_t integer, double real)
{
	if (f->count == 0 || is_less(is_real, integer, real, f->is_min_real, f->min_integer, f->min_real)) {
		f->is_min_real = is_real;
		f->min_integer = integer;
		f->min_real = real;
	}
	if (f->count == 0 || is_less(f->is_max_real, f->max_integer, f->max_real, is_real, integer, real)) {
		f->is_max_real = is_real;
		f->max_integer = integer;
		f->max_real = real;
	}
}

static void add_real(struct figures *f, double real)
{
	double sum = f->real + real;

	f->lost += fabs(f->real) >= fabs(real) ? (f->real - sum) + real : (real - sum) + f->real;
	f->real = sum;
	f->has_real = true;
}

enum leat_status figures_add(struct figures *f, const struct leat_value *v, struct leat_error *err)
{
	bool is_real = v->type == LEAT_REAL;
	int64_t integer = is_real ? 0 : v->as.integer, whole = f->whole;
	double real = 0, distance, mean, squares;

	(void)leat_as_real(v, &real);
	if (!is_real && __builtin_add_overflow(f->whole, integer, &whole))
		return leat_error_set(err, LEAT_REJECT, 0, "the sum overflows an integer of 64 bits");
	if (!isfinite(f->real + real))
		return leat_error_set(err, LEAT_REJECT, 0, "the sum is no finite number");
	distance = real - f->mean;
	mean = f->mean + distance / (double)(f->count + 1);
	squares = f->squares + distance * (real - mean);
	if (!isfinite(mean) || !isfinite(squares)) /* it would stay so: each later event of the key would be without a deviation */
		return leat_error_set(err, LEAT_REJECT, 0, "the deviation is no finite number");
	update_extremes(f, is_real, integer, real);
	f->whole = whole;
	if (is_real)
		add_real(f, real);
	f->mean = mean;
	f->squares = squares;
	f->count++;
	return LEAT_OK;
}

static double total(const struct figures *f)
{
	return (double)f->whole + (f->real + f->lost);
}

/* The mean comes from the sum, which is exact where that of Welford has drifted: it is only good for distances. */
struct leat_value figures_read(const struct figures *f, int figure)
{
	if (figure == COUNT)
		return leat_integer(f->count);
	if (figure == SUM)
		return f->has_real ? leat_real(total(f)) : leat_integer(f->whole);
	if (f->count == 0 || (figure == DEVIATION && f->count == 1))
		return leat_null();
	if (figure == MIN)
		return f->is_min_real ? leat_real(f->min_real) : leat_integer(f->min_integer);
	if (figure == MAX)
		return f->is_max_real ? leat_real(f->max_real) : leat_integer(f->max_integer);
	return leat_real(figure == MEAN ? total(f) / (double)f->count : sqrt(f->squares / (double)(f->count - 1)));
}
