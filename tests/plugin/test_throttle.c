/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "plugin/harness.h"
#include "unit/unit.h"

static const int64_t start_us = INT64_C(1000000000000000); /* a multiple of 10 s */

static void push(struct leat_harness *h, int64_t time_us, int n, int key)
{
	char event[64];

	(void)snprintf(event, sizeof event, "{\"n\":%d,\"k\":%d}", n, key);
	ck_assert_int_eq(leat_harness_push_at(h, time_us, event), LEAT_OK);
}

/* Expects the events with these numbers, and no more: "1 2 3". */
static void expect(struct leat_harness *h, const char *port, const char *expected)
{
	char found[256] = "";
	const char *event;

	while ((event = leat_harness_pull(h, port)) != NULL)
		(void)snprintf(found + strlen(found), sizeof found - strlen(found), "%s%d", found[0] == '\0' ? "" : " ",
		               (int)strtol(event + strlen("{\"n\":"), NULL, 10));
	ck_assert_str_eq(found, expected);
}

START_TEST(a_window_of_processing_time_lets_so_many_of_a_key_through)
{
	struct leat_harness *h = leat_harness_create("throttle", "key: k\nlimit: 2\nper: 10s");

	for (int i = 1; i <= 4; i++)
		push(h, LEAT_NO_TIME, i, 1);
	push(h, LEAT_NO_TIME, 5, 2);
	leat_harness_set_time(h, start_us + 9999999);
	push(h, LEAT_NO_TIME, 6, 1);
	leat_harness_set_time(h, start_us + 10000000);
	push(h, LEAT_NO_TIME, 7, 1);
	expect(h, "out", "1 2 5 7");
	expect(h, "over", "3 4 6");
	ck_assert_uint_eq(leat_harness_state_entries(h), 1);
	leat_harness_set_time(h, start_us + 20000000);
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_window_of_event_time_counts_what_belongs_to_it_in_any_order)
{
	struct leat_harness *h = leat_harness_create("throttle", "key: k\nlimit: 1\nper: 10s\nclock: event");

	push(h, start_us + 1, 1, 1);
	push(h, start_us + 10000000, 2, 1);
	push(h, start_us + 9999999, 3, 1);
	push(h, start_us - 1, 4, 1);
	push(h, -1, 5, 1);
	push(h, -10000000, 6, 1);
	push(h, 0, 7, 1);
	expect(h, "out", "1 2 4 5 7");
	expect(h, "over", "3 6");
	leat_harness_set_watermark(h, start_us + 10000000);
	ck_assert_uint_eq(leat_harness_state_entries(h), 1);
	push(h, start_us + 9999999, 8, 1);
	push(h, start_us + 10000001, 9, 1);
	expect(h, "late", "8");
	expect(h, "over", "9");
	expect(h, "out", "");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_bucket_fills_at_a_steady_rate)
{
	struct leat_harness *h = leat_harness_create("throttle", "key: k\nlimit: 3\nper: 10s\nmethod: bucket");

	for (int i = 1; i <= 4; i++)
		push(h, LEAT_NO_TIME, i, 1); /* three are in it */
	leat_harness_set_time(h, start_us + 3333333);
	push(h, LEAT_NO_TIME, 5, 1); /* a microsecond too early */
	leat_harness_set_time(h, start_us + 3333334);
	push(h, LEAT_NO_TIME, 6, 1);
	push(h, LEAT_NO_TIME, 7, 1);
	leat_harness_set_time(h, start_us + 10000000);
	push(h, LEAT_NO_TIME, 8, 1);
	push(h, LEAT_NO_TIME, 9, 1);
	push(h, LEAT_NO_TIME, 10, 1);
	expect(h, "out", "1 2 3 6 8 9");
	expect(h, "over", "4 5 7 10");
	leat_harness_set_time(h, start_us + 19999999);
	ck_assert_uint_eq(leat_harness_state_entries(h), 1);
	leat_harness_set_time(h, start_us + 20000000);
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	for (int i = 11; i <= 14; i++)
		push(h, LEAT_NO_TIME, i, 1);
	expect(h, "out", "11 12 13");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_bucket_of_event_time_gains_nothing_from_disorder)
{
	struct leat_harness *h = leat_harness_create("throttle", "key: k\nlimit: 1\nper: 10s\nmethod: bucket\nclock: event");

	push(h, start_us, 1, 1);
	push(h, start_us - 5000000, 2, 1);
	push(h, start_us + 5000000, 3, 1);
	push(h, start_us, 4, 1);
	push(h, start_us + 10000000, 5, 1);
	expect(h, "out", "1 5");
	expect(h, "over", "2 3 4");
	leat_harness_set_watermark(h, start_us + 20000000);
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	push(h, start_us + 10000000, 6, 1);
	push(h, start_us + 10000001, 7, 1);
	push(h, start_us + 10000002, 8, 1);
	expect(h, "late", "6");
	expect(h, "out", "7");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(an_event_without_a_time_is_a_dead_letter)
{
	struct leat_harness *h = leat_harness_create("throttle", "key: k\nlimit: 1\nclock: event");
	const char *dead;

	push(h, LEAT_NO_TIME, 1, 1);
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "the event has no time"));
	push(h, INT64_MAX - 5, 1, 1);
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "the event's time 9223372036854775802 is out of range"));
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	leat_harness_destroy(h);
}
END_TEST

int main(void)
{
	return leat_test_main("throttle", (const TTest *[]){ a_window_of_processing_time_lets_so_many_of_a_key_through,
	                                                     a_window_of_event_time_counts_what_belongs_to_it_in_any_order,
	                                                     a_bucket_fills_at_a_steady_rate,
	                                                     a_bucket_of_event_time_gains_nothing_from_disorder,
	                                                     an_event_without_a_time_is_a_dead_letter,
	                                                     NULL });
}
