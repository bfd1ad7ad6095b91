/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "plugin/harness.h"
#include "unit/unit.h"

START_TEST(what_meets_the_condition_goes_out_and_the_rest_elsewhere)
{
	struct leat_harness *h = leat_harness_create("filter", "where: amount > 100 and country in [\"DE\", \"FR\"]");

	leat_harness_push_batch(h, (const char *const[]){ "{\"amount\": 200, \"country\": \"DE\"}", "{\"amount\": 50, \"country\": \"DE\"}",
	                                                  "{\"amount\": 1e3, \"country\": \"US\"}", NULL });
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"amount\": 200, \"country\": \"DE\"}");
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	ck_assert_str_eq(leat_harness_pull(h, "other"), "{\"amount\": 50, \"country\": \"DE\"}");
	ck_assert_str_eq(leat_harness_pull(h, "other"), "{\"amount\": 1e3, \"country\": \"US\"}");
	ck_assert_ptr_null(leat_harness_pull(h, "other"));
	ck_assert_ptr_null(leat_harness_pull(h, "dead"));
	leat_harness_destroy(h);
}
END_TEST

START_TEST(unknown_is_not_true)
{
	struct leat_harness *h = leat_harness_create("filter", "where: amount > 100");

	leat_harness_push(h, "{\"amount\": null}");
	leat_harness_push(h, "{}");
	leat_harness_push(h, "[1]");
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	ck_assert_str_eq(leat_harness_pull(h, "other"), "{\"amount\": null}");
	ck_assert_str_eq(leat_harness_pull(h, "other"), "{}");
	ck_assert_str_eq(leat_harness_pull(h, "other"), "[1]");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(an_event_that_the_condition_cannot_judge_is_a_dead_letter)
{
	struct leat_harness *h = leat_harness_create("filter", "where: amount > 100");
	const char *dead;

	leat_harness_push(h, "{\"amount\": \"much\"}");
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "cannot order text and integer at column 8"));
	leat_harness_destroy(h);

	h = leat_harness_create("filter", "where: amount + 1");
	leat_harness_push(h, "{\"amount\": 1}");
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "the condition gives neither true nor false nor null"));
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	ck_assert_ptr_null(leat_harness_pull(h, "other"));
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_condition_that_does_not_compile_is_refused_with_its_column)
{
	char *text = leat_harness_refused("filter", "where: amount >"), *missing = leat_harness_refused("filter", "");

	ck_assert_msg(strstr(text, ":9:20: error: option \"where\": expected a value, found the end") != NULL, "%s", text);
	ck_assert_msg(strstr(missing, "where") != NULL, "%s", missing);
	free(text);
	free(missing);
}
END_TEST

int main(void)
{
	return leat_test_main("filter", (const TTest *[]){ what_meets_the_condition_goes_out_and_the_rest_elsewhere,
	                                                   unknown_is_not_true,
	                                                   an_event_that_the_condition_cannot_judge_is_a_dead_letter,
	                                                   a_condition_that_does_not_compile_is_refused_with_its_column,
	                                                   NULL });
}
