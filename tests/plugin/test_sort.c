/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "plugin/harness.h"
#include "unit/unit.h"

static void push(struct leat_harness *h, int64_t time_us, int n)
{
	char event[64];

	(void)snprintf(event, sizeof event, "{\"n\":%d,\"k\":%d,\"x\":[0.10,{\"a\":\"b\"}]}", n, n % 3);
	ck_assert_int_eq(leat_harness_push_at(h, time_us, event), LEAT_OK);
}

/* Expects the events with these numbers, and no more: "1 2 3". */
static void expect(struct leat_harness *h, const char *port, const char *expected)
{
	char found[256] = "";
	const char *event;

	while ((event = leat_harness_pull(h, port)) != NULL) {
		ck_assert_ptr_nonnull(strstr(event, ",\"x\":[0.10,{\"a\":\"b\"}]}"));
		(void)snprintf(found + strlen(found), sizeof found - strlen(found), "%s%d", found[0] == '\0' ? "" : " ",
		               (int)strtol(event + strlen("{\"n\":"), NULL, 10));
	}
	ck_assert_str_eq(found, expected);
}

START_TEST(events_go_out_in_the_order_of_their_times_when_the_watermark_has_passed)
{
	struct leat_harness *h = leat_harness_create("sort", "key: k");

	push(h, 30, 1);
	push(h, 10, 2);
	push(h, 20, 3);
	push(h, 10, 4);
	push(h, -5, 5);
	expect(h, "out", "");
	leat_harness_set_watermark(h, 10);
	expect(h, "out", "5"); /* another one of time 10 may still come */
	push(h, 10, 6);
	leat_harness_set_watermark(h, 21);
	expect(h, "out", "2 4 6 3");
	ck_assert_int_eq(leat_harness_end(h), LEAT_OK);
	expect(h, "out", "1");
	expect(h, "late", "");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(an_event_keeps_its_time)
{
	struct leat_harness *h = leat_harness_create("sort", "");

	push(h, 30, 1);
	leat_harness_end(h);
	ck_assert_ptr_nonnull(leat_harness_pull(h, "out"));
	ck_assert_int_eq(leat_harness_pulled_time(h), 30);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(an_event_behind_the_watermark_is_late)
{
	struct leat_harness *h = leat_harness_create("sort", "");
	const char *dead;

	push(h, 10, 1);
	leat_harness_set_watermark(h, 20);
	push(h, 19, 2);
	push(h, 20, 3);
	expect(h, "late", "2");
	leat_harness_end(h);
	expect(h, "out", "1 3");
	leat_harness_destroy(h);

	h = leat_harness_create("sort", "");
	push(h, LEAT_NO_TIME, 1);
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "the event has no time"));
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(with_too_many_the_oldest_goes_early_and_order_does_not_break)
{
	struct leat_harness *h = leat_harness_create("sort", "max: 3");

	push(h, 30, 1);
	push(h, 10, 2);
	push(h, 10, 3);
	expect(h, "out", "");
	push(h, 20, 4);
	expect(h, "out", "2 3"); /* all of the oldest time */
	push(h, 9, 5);
	push(h, 10, 6);
	push(h, 40, 7);
	expect(h, "late", "5");
	expect(h, "out", "6");
	leat_harness_end(h);
	expect(h, "out", "4 1 7");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(what_is_sent_is_forgotten)
{
	struct leat_harness *h = leat_harness_create("sort", "");

	for (int i = 0; i < 100; i++)
		push(h, 1000 - i, i);
	leat_harness_set_watermark(h, 2000);
	ck_assert_uint_eq(leat_harness_state_entries(h), 1); /* the counts */
	leat_harness_destroy(h);
}
END_TEST

int main(void)
{
	return leat_test_main("sort", (const TTest *[]){ events_go_out_in_the_order_of_their_times_when_the_watermark_has_passed,
	                                                 an_event_keeps_its_time,
	                                                 an_event_behind_the_watermark_is_late,
	                                                 with_too_many_the_oldest_goes_early_and_order_does_not_break,
	                                                 what_is_sent_is_forgotten,
	                                                 NULL });
}
