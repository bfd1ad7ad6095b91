/* SPDX-License-Identifier: Apache-2.0 */
#include "run/pipeline.h"
#include "run/tracker.h"
#include "unit/unit.h"

START_TEST(the_position_waits_for_the_oldest_batch)
{
	struct leat_tracker t;
	int64_t position = -1;
	uint64_t a, b, c;

	leat_tracker_init(&t, 0);
	a = leat_tracker_open(&t, 10);
	b = leat_tracker_open(&t, 20);
	c = leat_tracker_open(&t, 30);
	leat_tracker_done(&t, c);
	leat_tracker_done(&t, b);
	ck_assert(!leat_tracker_take(&t, &position));
	ck_assert_int_eq(position, 0);
	leat_tracker_done(&t, a);
	ck_assert(leat_tracker_is_busy(&t));
	ck_assert(leat_tracker_take(&t, &position));
	ck_assert_int_eq(position, 30);
	ck_assert(!leat_tracker_is_busy(&t));
	leat_tracker_finish(&t);
}
END_TEST

START_TEST(any_order_of_ends_gives_the_longest_finished_run)
{
	enum { N = 500 };
	bool is_done[N] = { false };
	uint64_t sequence[N];
	struct leat_tracker t;
	int64_t position;
	int i, k;

	srand(7);
	leat_tracker_init(&t, 0);
	for (i = 0; i < N; i++)
		sequence[i] = leat_tracker_open(&t, i + 1);
	for (i = 0; i < N; i++) {
		do
			k = rand() % N;
		while (is_done[k]);
		is_done[k] = true;
		leat_tracker_done(&t, sequence[k]);
		for (k = 0; k < N && is_done[k]; k++)
			;
		(void)leat_tracker_take(&t, &position);
		ck_assert_int_eq(position, k);
	}
	leat_tracker_finish(&t);
}
END_TEST

START_TEST(it_is_full_while_too_much_waits_behind_one_batch)
{
	struct leat_tracker t;
	int64_t position;
	int i;

	leat_tracker_init(&t, 0);
	for (i = 0; i < LEAT_TRACKER_BATCHES; i++) {
		ck_assert(!leat_tracker_is_full(&t));
		(void)leat_tracker_open(&t, i + 1);
	}
	for (i = 1; i < LEAT_TRACKER_BATCHES; i++)
		leat_tracker_done(&t, (uint64_t)i);
	ck_assert(leat_tracker_is_full(&t));
	leat_tracker_done(&t, 0);
	ck_assert(!leat_tracker_is_full(&t));
	ck_assert(leat_tracker_take(&t, &position));
	ck_assert_int_eq(position, LEAT_TRACKER_BATCHES);
	leat_tracker_put_back(&t);
	ck_assert(leat_tracker_take(&t, &position));
	ck_assert(!leat_tracker_take(&t, &position));
	leat_tracker_finish(&t);
}
END_TEST

START_TEST(a_latency_lies_within_the_bounds_of_its_bucket)
{
	uint64_t us;

	for (us = 1; us < UINT64_C(1) << 32; us += us / 7 + 1) {
		unsigned bucket = leat_latency_bucket(us);

		ck_assert_uint_le(us, leat_latency_bound(bucket));
		if (bucket > 0)
			ck_assert_uint_gt(us, leat_latency_bound(bucket - 1));
		if (us > 4)
			ck_assert_uint_le(leat_latency_bound(bucket) - leat_latency_bound(bucket - 1), us / 4 + 1);
	}
	ck_assert_uint_eq(leat_latency_bucket(0), 0);
	ck_assert_uint_eq(leat_latency_bucket(UINT64_MAX), LEAT_LATENCY_BUCKETS - 1);
}
END_TEST

START_TEST(a_quantile_is_within_a_fifth)
{
	uint64_t bucket[LEAT_LATENCY_BUCKETS] = { 0 };
	uint64_t us;

	ck_assert_double_eq(leat_latency_quantile(bucket, 0.99), 0);
	for (us = 1; us <= 100000; us++)
		bucket[leat_latency_bucket(us)]++;
	ck_assert_double_eq_tol(leat_latency_quantile(bucket, 0.5), 50000, 10000);
	ck_assert_double_eq_tol(leat_latency_quantile(bucket, 0.99), 99000, 19800);
}
END_TEST

int main(void)
{
	return leat_test_main("tracker", (const TTest *[]){ the_position_waits_for_the_oldest_batch,
	                                                   any_order_of_ends_gives_the_longest_finished_run,
	                                                   it_is_full_while_too_much_waits_behind_one_batch,
	                                                   a_latency_lies_within_the_bounds_of_its_bucket,
	                                                   a_quantile_is_within_a_fifth, NULL });
}
