/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>

#include "base/ring.h"
#include "unit/unit.h"

enum { N_ITEMS = 200000 };

static void *item(uintptr_t i)
{
	return (void *)i;
}

START_TEST(the_capacity_is_rounded_up_to_a_power_of_two)
{
	static const struct {
		size_t asked, got;
	} cases[] = {{1, 1}, {2, 2}, {3, 4}, {5, 8}, {64, 64}, {1000, 1024}};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct leat_ring *ring = leat_ring_create(cases[i].asked);

		ck_assert_uint_eq(leat_ring_capacity(ring), cases[i].got);
		leat_ring_destroy(ring);
	}
	leat_ring_destroy(NULL);
}
END_TEST

START_TEST(a_full_ring_refuses_and_an_empty_one_gives_nothing)
{
	struct leat_ring *ring = leat_ring_create(4);
	uintptr_t round, i;

	for (round = 0; round < 10; round++) {
		ck_assert_ptr_null(leat_ring_pull(ring));
		for (i = 1; i <= 4; i++) {
			ck_assert(leat_ring_push(ring, item(i)));
			ck_assert_uint_eq(leat_ring_fill(ring), i);
		}
		ck_assert(!leat_ring_push(ring, item(5)));
		ck_assert_ptr_eq(leat_ring_pull(ring), item(1));
		ck_assert(leat_ring_push(ring, item(5)));
		for (i = 2; i <= 5; i++)
			ck_assert_ptr_eq(leat_ring_pull(ring), item(i));
		ck_assert_uint_eq(leat_ring_fill(ring), 0);
	}
	leat_ring_destroy(ring);
}
END_TEST

static void *produce(void *opaque)
{
	struct leat_ring *ring = opaque;
	uintptr_t i;

	for (i = 1; i <= N_ITEMS; i++)
		while (!leat_ring_push(ring, item(i)))
			(void)sched_yield();
	return NULL;
}

/* What an item points to has to be seen as the producer left it: the pointers are to numbers written just before. */
static uintptr_t numbers[N_ITEMS];

static void *produce_pointers(void *opaque)
{
	struct leat_ring *ring = opaque;
	uintptr_t i;

	for (i = 0; i < N_ITEMS; i++) {
		numbers[i] = i * 3;
		while (!leat_ring_push(ring, &numbers[i]))
			(void)sched_yield();
	}
	return NULL;
}

START_TEST(items_pass_between_two_threads_in_order)
{
	struct leat_ring *ring = leat_ring_create(8);
	pthread_t thread;
	uintptr_t next;

	ck_assert_int_eq(pthread_create(&thread, NULL, produce, ring), 0);
	for (next = 1; next <= N_ITEMS;) {
		void *pulled = leat_ring_pull(ring);

		ck_assert_uint_le(leat_ring_fill(ring), 8);
		if (pulled == NULL) {
			(void)sched_yield();
			continue;
		}
		ck_assert_ptr_eq(pulled, item(next));
		next++;
	}
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_ptr_null(leat_ring_pull(ring));
	leat_ring_destroy(ring);
}
END_TEST

START_TEST(what_an_item_points_to_arrives_with_it)
{
	struct leat_ring *ring = leat_ring_create(128);
	pthread_t thread;
	uintptr_t next;

	ck_assert_int_eq(pthread_create(&thread, NULL, produce_pointers, ring), 0);
	for (next = 0; next < N_ITEMS;) {
		uintptr_t *pulled = leat_ring_pull(ring);

		if (pulled == NULL) {
			(void)sched_yield();
			continue;
		}
		ck_assert_uint_eq(*pulled, next * 3);
		next++;
	}
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	leat_ring_destroy(ring);
}
END_TEST

int main(void)
{
	return leat_test_main("ring", (const TTest *[]){
		the_capacity_is_rounded_up_to_a_power_of_two,
		a_full_ring_refuses_and_an_empty_one_gives_nothing,
		items_pass_between_two_threads_in_order,
		what_an_item_points_to_arrives_with_it,
		NULL,
	});
}
