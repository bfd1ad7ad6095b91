/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "plugin/harness.h"
#include "unit/unit.h"

static void expect(const char *options, const char *event, const char *expected)
{
	struct leat_harness *h = leat_harness_create("map", options);
	const char *found;

	ck_assert_int_eq(leat_harness_push(h, event), LEAT_OK);
	found = leat_harness_pull(h, "out");
	ck_assert_msg(found != NULL, "%s: nothing came out", options);
	ck_assert_str_eq(found, expected);
	leat_harness_destroy(h);
}

START_TEST(select_keeps_fields_in_the_order_of_the_option)
{
	expect("select: [b, a, missing]", "{\"a\":1,\"b\":0.10,\"c\":3}", "{\"b\":0.10,\"a\":1}");
	expect("select: [user.name, id]", "{\"id\":7,\"user\":{\"name\":\"Ann\",\"age\":3}}", "{\"name\":\"Ann\",\"id\":7}");
	expect("select: missing", "{\"a\":1}", "{}");
}
END_TEST

START_TEST(remove_takes_fields_out_and_leaves_the_others_alone)
{
	expect("remove: [b, missing]", "{\"a\":1,\"b\":2,\"unheard of\":[1, 2]}", "{\"a\":1,\"unheard of\":[1, 2]}");
	expect("select: [a, b]\nremove: b", "{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1}");
}
END_TEST

START_TEST(rename_keeps_the_place_of_a_field)
{
	expect("rename: {customer: user}", "{\"id\":1,\"user\":\"Ann\",\"c\":3}", "{\"id\":1,\"customer\":\"Ann\",\"c\":3}");
	expect("rename: {a: b, b: a}", "{\"a\":1,\"b\":2}", "{\"b\":1,\"a\":2}");
	expect("rename: {x: missing}", "{\"a\":1}", "{\"a\":1}");
	expect("select: user.name\nrename: {who: name}", "{\"user\":{\"name\":\"Ann\"}}", "{\"who\":\"Ann\"}");
}
END_TEST

START_TEST(set_computes_from_the_event_as_it_came)
{
	expect("set: {total: price * n, price: 0}", "{\"price\":3,\"n\":4}", "{\"price\":0,\"n\":4,\"total\":12}");
	expect("set: {c: user.country, k: \"'x'\"}", "{\"user\":{\"country\":\"DE\"}}", "{\"user\":{\"country\":\"DE\"},\"c\":\"DE\",\"k\":\"x\"}");
	expect("set: {a: missing}", "{\"b\":1}", "{\"b\":1,\"a\":null}");
	expect("remove: price\nset: {double: price * 2}", "{\"price\":3}", "{\"double\":6}");
	expect("select: a\nset: {b: c}", "{\"a\":1,\"c\":0.10}", "{\"a\":1,\"b\":0.10}");
}
END_TEST

START_TEST(numbers_that_are_not_touched_keep_every_digit)
{
	expect("set: {b: 1}", "{\"a\":12345678901234567890.0100}", "{\"a\":12345678901234567890.0100,\"b\":1}");
}
END_TEST

START_TEST(an_event_that_cannot_be_computed_is_a_dead_letter)
{
	struct leat_harness *h = leat_harness_create("map", "set: {total: price * 2}");
	const char *dead;

	leat_harness_push(h, "{\"price\": \"three\"}");
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "cannot compute \\\"total\\\": \\\"*\\\" takes no text and integer at column 7"));
	leat_harness_push(h, "[1]");
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "the event has no fields"));
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	leat_harness_destroy(h);
}
END_TEST

static void expect_time(const char *options, const char *event, int64_t expected_us)
{
	struct leat_harness *h = leat_harness_create("map", options);

	ck_assert_int_eq(leat_harness_push_at(h, 7, event), LEAT_OK);
	ck_assert_ptr_nonnull(leat_harness_pull(h, "out"));
	ck_assert_int_eq(leat_harness_pulled_time(h), expected_us);
	leat_harness_destroy(h);
}

START_TEST(time_is_computed_from_the_event_as_it_came)
{
	expect_time("select: a", "{\"a\":1}", 7);
	expect_time("time: ends", "{\"ends\":12}", 12);
	expect_time("select: a\ntime: time(ends, 'ms') + 1", "{\"a\":1,\"ends\":12}", 12001);
	expect_time("set: {ends: 0}\ntime: ends", "{\"ends\":12}", 12);
	expect_time("time: missing", "{\"ends\":12}", LEAT_NO_TIME);
}
END_TEST

START_TEST(an_event_whose_time_is_no_time_is_a_dead_letter)
{
	struct leat_harness *h = leat_harness_create("map", "time: ends");
	const char *dead;

	leat_harness_push(h, "{\"ends\": \"soon\"}");
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "cannot compute \\\"time\\\": expected a time or an integer of microseconds"));
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	leat_harness_destroy(h);
}
END_TEST

static void expect_refused(const char *options, const char *expected)
{
	char *text = leat_harness_refused("map", options);

	ck_assert_msg(strstr(text, expected) != NULL, "%s: %s", options, text);
	free(text);
}

START_TEST(options_that_cannot_be_are_refused)
{
	expect_refused("remove: user.name", "cannot remove \"user.name\", only fields at the top of the event");
	expect_refused("rename: {a: user.name}", "cannot rename \"user.name\", only fields at the top of the event");
	expect_refused("set: {a: 1 +}", ":9:17: error: option \"set\": expected a value, found the end");
	expect_refused("", "map has nothing to do, expected select, remove, rename, set or time");
}
END_TEST

int main(void)
{
	return leat_test_main("map", (const TTest *[]){ select_keeps_fields_in_the_order_of_the_option,
	                                                remove_takes_fields_out_and_leaves_the_others_alone,
	                                                rename_keeps_the_place_of_a_field,
	                                                set_computes_from_the_event_as_it_came,
	                                                numbers_that_are_not_touched_keep_every_digit,
	                                                an_event_that_cannot_be_computed_is_a_dead_letter,
	                                                time_is_computed_from_the_event_as_it_came,
	                                                an_event_whose_time_is_no_time_is_a_dead_letter,
	                                                options_that_cannot_be_are_refused,
	                                                NULL });
}
