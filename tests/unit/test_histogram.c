/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "histogram.h"
#include "unit/unit.h"

static struct histogram h;

START_TEST(nothing_has_no_latency)
{
	ck_assert_uint_eq(histogram_quantile(&h, 0.99), 0);
}
END_TEST

START_TEST(small_latencies_are_exact)
{
	for (uint64_t us = 1; us <= 100; us++)
		histogram_add(&h, us);
	ck_assert_uint_eq(h.n, 100);
	ck_assert_uint_eq(histogram_quantile(&h, 0.5), 50);
	ck_assert_uint_eq(histogram_quantile(&h, 0.99), 99);
	ck_assert_uint_eq(histogram_quantile(&h, 1), 100);
}
END_TEST

START_TEST(a_quantile_is_never_too_small_and_right_within_a_64th)
{
	for (uint64_t us = 1; us < UINT64_C(1) << 40; us = us * 9 / 8 + 1) {
		static struct histogram one;
		uint64_t found;

		one = (struct histogram){ .n = 0 };
		histogram_add(&one, us);
		histogram_add(&one, UINT64_C(1) << 40); /* so that the largest one does not bound it */
		found = histogram_quantile(&one, 0.5);
		ck_assert_uint_ge(found, us);
		ck_assert_uint_le(found - us, us / 64);
	}
}
END_TEST

START_TEST(the_largest_is_exact_and_bounds_the_others)
{
	for (int i = 0; i < 1000; i++)
		histogram_add(&h, 1000001);
	ck_assert_uint_eq(h.max, 1000001);
	ck_assert_uint_eq(histogram_quantile(&h, 0.5), 1000001);
}
END_TEST

START_TEST(what_is_beyond_all_buckets_is_the_largest)
{
	histogram_add(&h, UINT64_MAX);
	histogram_add(&h, UINT64_C(1) << 50);
	ck_assert_uint_eq(h.max, UINT64_MAX);
	ck_assert_uint_eq(h.n, 2);
	ck_assert_uint_eq(histogram_quantile(&h, 1), UINT64_MAX);
}
END_TEST

int main(void)
{
	return leat_test_main("histogram", (const TTest *[]){
		nothing_has_no_latency,
		small_latencies_are_exact,
		a_quantile_is_never_too_small_and_right_within_a_64th,
		the_largest_is_exact_and_bounds_the_others,
		what_is_beyond_all_buckets_is_the_largest,
		NULL,
	});
}
