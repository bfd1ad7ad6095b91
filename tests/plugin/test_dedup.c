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

int main(void)
{
	return leat_test_main("dedup", (const TTest *[]){ the_first_of_a_key_goes_out_and_others_are_duplicates,
	                                                  by_tells_the_events_of_a_key_apart,
	                                                  a_key_is_forgotten_so_long_after_its_first_event,
	                                                  an_event_without_a_key_is_a_dead_letter,
	                                                  NULL });
}
