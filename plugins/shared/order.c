/* SPDX-License-Identifier: Apache-2.0 */
#include "order.h"

struct leat_value order_plain(const struct leat_value *v)
{
	return v->type == LEAT_REAL && (v->flags & LEAT_VALUE_SOURCED) ? leat_real(v->as.number->real) : *v;
}

/* A long double holds every int64 and every double. */
static long double as_number(const struct leat_value *v)
{
	double real = 0;

	if (v->type == LEAT_INTEGER)
		return (long double)v->as.integer;
	(void)leat_as_real(v, &real);
	return (long double)real;
}

int order_compare(const struct leat_value *a, const struct leat_value *b)
{
	bool is_a_time = a->type == LEAT_TIME, is_b_time = b->type == LEAT_TIME;

	if (is_a_time != is_b_time)
		return is_a_time ? 1 : -1;
	if (is_a_time)
		return (a->as.time_us > b->as.time_us) - (a->as.time_us < b->as.time_us);
	if (a->type == LEAT_INTEGER && b->type == LEAT_INTEGER)
		return (a->as.integer > b->as.integer) - (a->as.integer < b->as.integer);
	return (as_number(a) > as_number(b)) - (as_number(a) < as_number(b));
}
