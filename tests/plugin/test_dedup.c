/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "plugin/harness.h"
#include "unit/unit.h"

static const int64_t start_us = INT64_C(1000000000000000);

START_TEST(the_first_of_a_key_goes_out_and_others_are_duplicates)
{
	struct leat_harness *h = leat_harness_create("dedup", "key: id");

	leat_harness_push_batch(h, (const char *const[]){ "{\"id\":1,\"n\":1}", "{\"id\":2,\"n\":2}", "{\"id\":1,\"n\":3}", "{\"id\":1.0,\"n\":4}",
	                                                  "{\"id\":\"1\",\"n\":5}", NULL });
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"id\":1,\"n\":1}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"id\":2,\"n\":2}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"id\":\"1\",\"n\":5}");
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	ck_assert_str_eq(leat_harness_pull(h, "duplicates"), "{\"id\":1,\"n\":3}");
	ck_assert_str_eq(leat_harness_pull(h, "duplicates"), "{\"id\":1.0,\"n\":4}");
	ck_assert_ptr_null(leat_harness_pull(h, "duplicates"));
	ck_assert_uint_eq(leat_harness_state_entries(h), 3);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(by_tells_the_events_of_a_key_apart)
{
	struct leat_harness *h = leat_harness_create("dedup", "key: user\nby: payment.id");
	const char *dead;

	leat_harness_push_batch(h, (const char *const[]){ "{\"user\":1,\"payment\":{\"id\":1}}", "{\"user\":1,\"payment\":{\"id\":2}}",
	                                                  "{\"user\":2,\"payment\":{\"id\":1}}", "{\"user\":1,\"payment\":{\"id\":2}}",
	                                                  "{\"user\":1}", NULL });
	for (int i = 0; i < 3; i++)
		ck_assert_ptr_nonnull(leat_harness_pull(h, "out"));
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	ck_assert_str_eq(leat_harness_pull(h, "duplicates"), "{\"user\":1,\"payment\":{\"id\":2}}");
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "field \\\"payment.id\\\" is missing"));
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_key_is_forgotten_so_long_after_its_first_event)
{
	struct leat_harness *h = leat_harness_create("dedup", "key: id\nwithin: 10s");

	leat_harness_push(h, "{\"id\":1}");
	ck_assert_ptr_nonnull(leat_harness_pull(h, "out"));
	leat_harness_set_time(h, start_us + 9000000);
	leat_harness_push(h, "{\"id\":1}");
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	leat_harness_set_time(h, start_us + 10000001);
	leat_harness_push(h, "{\"id\":1}");
	ck_assert_ptr_nonnull(leat_harness_pull(h, "out"));
	leat_harness_destroy(h);
}
END_TEST

START_TEST(an_event_without_a_key_is_a_dead_letter)
{
	/* With `key:` it is the host that buries what has none. */
	struct leat_harness *h = leat_harness_create("dedup", "within: 1m");
	const char *dead;

	leat_harness_push(h, "{\"id\":null}");
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "the event has no key to tell duplicates by"));
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	leat_harness_destroy(h);
}
END_TEST

static void push(struct leat_harness *h, int64_t second, int n)
{
	char event[64];

	(void)snprintf(event, sizeof event, "{\"n\":%d,\"id\":1}", n);
	ck_assert_int_eq(leat_harness_push_at(h, second * 1000000, event), LEAT_OK);
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

START_TEST(in_event_time_those_less_than_within_apart_are_duplicates_in_any_order)
{
	struct leat_harness *h = leat_harness_create("dedup", "key: id\nwithin: 10s\nclock: event");

	push(h, 100, 1);
	push(h, 109, 2);
	push(h, 91, 3);
	push(h, 110, 4);
	push(h, 90, 5);
	push(h, 119, 6);
	leat_harness_set_time(h, start_us * 2); /* makes no difference */
	push(h, 100, 7);
	expect(h, "out", "1 4 5");
	expect(h, "duplicates", "2 3 6 7");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(in_event_time_a_kind_is_forgotten_with_the_watermark)
{
	struct leat_harness *h = leat_harness_create("dedup", "key: id\nwithin: 10s\nclock: event");

	push(h, 100, 1);
	leat_harness_set_watermark(h, 109999999);
	push(h, 105, 2); /* late, but known to be one */
	push(h, 90, 3);
	ck_assert_uint_eq(leat_harness_state_entries(h), 1);
	leat_harness_set_watermark(h, 110000000);
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	push(h, 105, 4);
	push(h, 110, 5);
	expect(h, "out", "1 5");
	expect(h, "duplicates", "2");
	expect(h, "late", "3 4");
	leat_harness_destroy(h);

	h = leat_harness_create("dedup", "key: id\nwithin: 10s\nclock: event\nallow: 5s");
	push(h, 100, 1);
	leat_harness_set_watermark(h, 114999999);
	push(h, 109, 2);
	push(h, 110, 3);
	push(h, 89, 4);
	expect(h, "out", "1 3");
	expect(h, "duplicates", "2");
	expect(h, "late", "4");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(in_event_time_an_event_needs_a_time)
{
	struct leat_harness *h = leat_harness_create("dedup", "key: id\nclock: event");
	char *text = leat_harness_refused("dedup", "key: id\nallow: 1s");
	const char *dead;

	leat_harness_push(h, "{\"id\":1}");
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "the event has no time"));
	leat_harness_destroy(h);
	ck_assert_msg(strstr(text, "nothing is late by the clock of processing") != NULL, "%s", text);
	free(text);
}
END_TEST

int main(void)
{
	return leat_test_main("dedup", (const TTest *[]){ the_first_of_a_key_goes_out_and_others_are_duplicates,
	                                                  by_tells_the_events_of_a_key_apart,
	                                                  a_key_is_forgotten_so_long_after_its_first_event,
	                                                  an_event_without_a_key_is_a_dead_letter,
	                                                  in_event_time_those_less_than_within_apart_are_duplicates_in_any_order,
	                                                  in_event_time_a_kind_is_forgotten_with_the_watermark,
	                                                  in_event_time_an_event_needs_a_time,
	                                                  NULL });
}
