/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "plugin/harness.h"
#include "unit/unit.h"

static const int64_t start_us = INT64_C(1000000000000000);

START_TEST(what_is_over_the_limit_goes_elsewhere_and_is_summed_up)
{
	struct leat_harness *h = leat_harness_create("template", "key: k\nlimit: 2\nper: 1s\nmark: nth");

	for (int i = 0; i < 4; i++)
		leat_harness_push(h, "{\"k\":\"a\"}");
	leat_harness_push(h, "{\"k\":\"b\"}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":\"a\",\"nth\":1}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":\"a\",\"nth\":2}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":\"b\",\"nth\":1}");
	ck_assert_str_eq(leat_harness_pull(h, "over"), "{\"k\":\"a\",\"nth\":3}");
	ck_assert_str_eq(leat_harness_pull(h, "over"), "{\"k\":\"a\",\"nth\":4}");
	ck_assert_uint_eq(leat_harness_state_entries(h), 2);
	leat_harness_set_time(h, start_us + 999999);
	ck_assert_ptr_null(leat_harness_pull(h, "summary"));
	leat_harness_set_time(h, start_us + 1000000);
	ck_assert_str_eq(leat_harness_pull(h, "summary"), "{\"key\":\"a\",\"dropped\":2}");
	ck_assert_ptr_null(leat_harness_pull(h, "summary"));
	leat_harness_push(h, "{\"k\":\"a\"}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":\"a\",\"nth\":1}");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(summaries_of_one_moment_keep_their_keys)
{
	struct leat_harness *h = leat_harness_create("template", "key: k\nlimit: 1\nper: 1s");

	leat_harness_push(h, "{\"k\":\"the first of these keys\"}");
	leat_harness_push(h, "{\"k\":\"the first of these keys\"}");
	leat_harness_push(h, "{\"k\":\"the second of these keys\"}");
	leat_harness_push(h, "{\"k\":\"the second of these keys\"}");
	leat_harness_set_time(h, start_us + 1000000);
	ck_assert_str_eq(leat_harness_pull(h, "summary"), "{\"key\":\"the first of these keys\",\"dropped\":1}");
	ck_assert_str_eq(leat_harness_pull(h, "summary"), "{\"key\":\"the second of these keys\",\"dropped\":1}");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(without_a_mark_events_pass_as_they_are)
{
	struct leat_harness *h = leat_harness_create("template", "key: k");

	leat_harness_push(h, "{\"k\": 1.50}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\": 1.50}");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(an_event_without_a_key_or_fields_is_a_dead_letter_and_leaves_no_state)
{
	struct leat_harness *h = leat_harness_create("template", "");
	const char *dead;

	leat_harness_push(h, "{\"k\":null}");
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "the event has no key"));
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	leat_harness_destroy(h);
}
END_TEST

int main(void)
{
	return leat_test_main("template", (const TTest *[]){ what_is_over_the_limit_goes_elsewhere_and_is_summed_up,
	                                                     summaries_of_one_moment_keep_their_keys,
	                                                     without_a_mark_events_pass_as_they_are,
	                                                     an_event_without_a_key_or_fields_is_a_dead_letter_and_leaves_no_state,
	                                                     NULL });
}
