/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "plugin/harness.h"
#include "unit/unit.h"

static void expect_last(const char *options, const char *const *events, const char *expected)
{
	struct leat_harness *h = leat_harness_create("aggregate", options);
	char last[1024] = "nothing";
	const char *found;

	ck_assert_int_eq(leat_harness_push_batch(h, events), LEAT_OK);
	while ((found = leat_harness_pull(h, "out")) != NULL)
		(void)snprintf(last, sizeof last, "%s", found);
	ck_assert_str_eq(last, expected);
	leat_harness_destroy(h);
}

#define EVENTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

START_TEST(every_figure_of_a_field_is_added)
{
	expect_last("key: k\nfield: v", EVENTS("{\"k\":1,\"v\":2}", "{\"k\":1,\"v\":4}", "{\"k\":2,\"v\":9}", "{\"k\":1,\"v\":9}"),
	            "{\"k\":1,\"v\":9,\"count\":3,\"sum\":15,\"min\":2,\"max\":9,\"mean\":5,\"deviation\":3.605551275463989}");
	expect_last("key: k\nfield: v\nfigures: {n: count, avg: mean}\nprefix: v_", EVENTS("{\"k\":1,\"v\":2}", "{\"k\":1,\"v\":4}"),
	            "{\"k\":1,\"v\":4,\"v_n\":2,\"v_avg\":3}");
	expect_last("key: k", EVENTS("{\"k\":1}", "{\"k\":1}"), "{\"k\":1,\"count\":2}");
}
END_TEST

START_TEST(figures_of_before_leave_the_event_itself_out)
{
	expect_last("key: k\nfield: v\nmoment: before", EVENTS("{\"k\":1,\"v\":2}"),
	            "{\"k\":1,\"v\":2,\"count\":0,\"sum\":0,\"min\":null,\"max\":null,\"mean\":null,\"deviation\":null}");
	expect_last("key: k\nfield: v\nmoment: before", EVENTS("{\"k\":1,\"v\":2}", "{\"k\":1,\"v\":100}"),
	            "{\"k\":1,\"v\":100,\"count\":1,\"sum\":2,\"min\":2,\"max\":2,\"mean\":2,\"deviation\":null}");
}
END_TEST

START_TEST(integers_are_summed_exactly_and_reals_without_drift)
{
	const char *tenths[1001] = { NULL };

	expect_last("key: k\nfield: v\nfigures: {sum: sum, max: max}",
	            EVENTS("{\"k\":1,\"v\":9007199254740993}", "{\"k\":1,\"v\":9007199254740992}"),
	            "{\"k\":1,\"v\":9007199254740992,\"sum\":18014398509481985,\"max\":9007199254740993}");
	expect_last("key: k\nfield: v\nfigures: {min: min, max: max}",
	            EVENTS("{\"k\":1,\"v\":9007199254740993}", "{\"k\":1,\"v\":9007199254740992.0}"),
	            "{\"k\":1,\"v\":9007199254740992.0,\"min\":9007199254740992,\"max\":9007199254740993}");
	for (size_t i = 0; i < 1000; i++)
		tenths[i] = "{\"k\":1,\"v\":0.1}";
	expect_last("key: k\nfield: v\nfigures: {sum: sum}", tenths, "{\"k\":1,\"v\":0.1,\"sum\":100}");
	expect_last("key: k\nfield: v\nfigures: {sum: sum}",
	            EVENTS("{\"k\":1,\"v\":1}", "{\"k\":1,\"v\":1e100}", "{\"k\":1,\"v\":1}", "{\"k\":1,\"v\":-1e100}"),
	            "{\"k\":1,\"v\":-1e100,\"sum\":2}");
}
END_TEST

START_TEST(the_deviation_survives_a_large_mean)
{
	/* The textbook's sum of squares loses all digits here. */
	expect_last("key: k\nfield: v\nfigures: {d: deviation}",
	            EVENTS("{\"k\":1,\"v\":1000000004}", "{\"k\":1,\"v\":1000000007}", "{\"k\":1,\"v\":1000000013}", "{\"k\":1,\"v\":1000000016}"),
	            "{\"k\":1,\"v\":1000000016,\"d\":5.477225575051661}");
}
END_TEST

START_TEST(an_event_without_the_field_goes_on_uncounted)
{
	expect_last("key: k\nfield: v\nfigures: {n: count, sum: sum}", EVENTS("{\"k\":1,\"v\":2}", "{\"k\":1}"), "{\"k\":1,\"n\":1,\"sum\":2}");
	expect_last("key: k\nfield: v\nfigures: {n: count}", EVENTS("{\"k\":1,\"v\":null}"), "{\"k\":1,\"v\":null,\"n\":0}");
}
END_TEST

START_TEST(an_event_that_is_rejected_is_not_counted)
{
	struct leat_harness *h = leat_harness_create("aggregate", "key: k\nfield: v\nfigures: {n: count, sum: sum}");
	const char *dead;

	leat_harness_push(h, "{\"k\":1,\"v\":9223372036854775807}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":1,\"v\":9223372036854775807,\"n\":1,\"sum\":9223372036854775807}");
	leat_harness_push(h, "{\"k\":1,\"v\":1}");
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "the sum overflows an integer of 64 bits"));
	leat_harness_push(h, "{\"k\":1,\"v\":\"x\"}");
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "field \\\"v\\\" is no number"));
	leat_harness_push(h, "{\"k\":1,\"v\":-7}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":1,\"v\":-7,\"n\":2,\"sum\":9223372036854775800}");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_deviation_that_would_be_infinite_leaves_the_figures_as_they_were)
{
	struct leat_harness *h = leat_harness_create("aggregate", "key: k\nfield: v\nfigures: {n: count, d: deviation}");
	const char *dead;

	leat_harness_push(h, "{\"k\":1,\"v\":1e200}");
	leat_harness_push(h, "{\"k\":1,\"v\":-1e200}");
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "the deviation is no finite number"));
	leat_harness_push(h, "{\"k\":1,\"v\":1e200}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":1,\"v\":1e200,\"n\":1,\"d\":null}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":1,\"v\":1e200,\"n\":2,\"d\":0}");
	ck_assert_ptr_null(leat_harness_pull(h, "dead"));
	leat_harness_destroy(h);
}
END_TEST

START_TEST(only_each_so_many_th_event_is_sent_on)
{
	struct leat_harness *h = leat_harness_create("aggregate", "key: k\nevery: 3");

	for (int i = 0; i < 7; i++)
		leat_harness_push(h, "{\"k\":1}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":1,\"count\":3}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":1,\"count\":6}");
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	leat_harness_destroy(h);
}
END_TEST

START_TEST(events_without_the_field_count_towards_the_so_many_th)
{
	struct leat_harness *h = leat_harness_create("aggregate", "key: k\nfield: v\nfigures: {n: count}\nevery: 3");

	for (int i = 0; i < 5; i++)
		leat_harness_push(h, i % 2 == 0 ? "{\"k\":1}" : "{\"k\":1,\"v\":null}");
	leat_harness_push(h, "{\"k\":1,\"v\":\"x\"}"); /* rejected, and not counted */
	leat_harness_push(h, "{\"k\":1,\"v\":7}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":1,\"n\":0}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":1,\"v\":7,\"n\":1}");
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_key_that_was_quiet_for_long_begins_anew)
{
	struct leat_harness *h = leat_harness_create("aggregate", "key: k\nforget: 1m");

	leat_harness_push(h, "{\"k\":1}");
	leat_harness_set_time(h, INT64_C(1000000000000000) + 59000000);
	leat_harness_push(h, "{\"k\":1}");
	leat_harness_set_time(h, INT64_C(1000000000000000) + 118000000);
	leat_harness_push(h, "{\"k\":1}");
	leat_harness_set_time(h, INT64_C(1000000000000000) + 179000000);
	leat_harness_push(h, "{\"k\":1}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":1,\"count\":1}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":1,\"count\":2}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":1,\"count\":3}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":1,\"count\":1}");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(figures_agree_with_a_naive_computation)
{
	struct leat_harness *h = leat_harness_create("aggregate", "key: k\nfield: v\nfigures: {m: mean, d: deviation}");
	double v[500], mean = 0, squares = 0;
	uint64_t state = 7;
	const char *found;

	for (int i = 0; i < 500; i++) {
		char event[64];

		state = state * 6364136223846793005u + 1442695040888963407u;
		v[i] = (double)(int64_t)(state >> 40) / 1000 - 5000;
		(void)snprintf(event, sizeof event, "{\"k\":1,\"v\":%.17g}", v[i]);
		leat_harness_push(h, event);
		mean += v[i] / 500;
	}
	for (int i = 0; i < 500; i++)
		squares += (v[i] - mean) * (v[i] - mean);
	for (int i = 0; i < 499; i++)
		ck_assert_ptr_nonnull(leat_harness_pull(h, "out"));
	found = leat_harness_pull(h, "out");
	ck_assert_ptr_nonnull(found);
	ck_assert_double_eq_tol(strtod(strstr(found, "\"m\":") + 4, NULL), mean, 1e-9);
	ck_assert_double_eq_tol(strtod(strstr(found, "\"d\":") + 4, NULL), sqrt(squares / 499), 1e-9);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(aggregates_run_along_with_the_events_of_their_key)
{
	expect_last("key: k\naggregate: {n: count(), spent: sum(v), top: \"topn(v, 2, w)\", who: distinct(w), all: \"collect(w, 2)\"}",
	            EVENTS("{\"k\":1,\"v\":2,\"w\":\"a\"}", "{\"k\":2,\"v\":99,\"w\":\"z\"}", "{\"k\":1,\"v\":4,\"w\":\"b\"}",
	                   "{\"k\":1,\"v\":3,\"w\":\"a\"}"),
	            "{\"k\":1,\"v\":3,\"w\":\"a\",\"n\":3,\"spent\":9,\"top\":[{\"label\":\"b\",\"value\":4},"
	            "{\"label\":\"a\",\"value\":3}],\"who\":2,\"all\":[\"a\",\"b\"]}");
	expect_last("key: k\nmoment: before\naggregate: {n: count(), spent: sum(v)}", EVENTS("{\"k\":1,\"v\":2}"),
	            "{\"k\":1,\"v\":2,\"n\":0,\"spent\":null}");
	expect_last("key: k\nmoment: before\naggregate: {n: count(), spent: sum(v)}", EVENTS("{\"k\":1,\"v\":2}", "{\"k\":1,\"v\":5}"),
	            "{\"k\":1,\"v\":5,\"n\":1,\"spent\":2}");
	expect_last("key: k\nevery: 2\naggregate: {n: count(v)}", EVENTS("{\"k\":1,\"v\":2}", "{\"k\":1,\"v\":null}", "{\"k\":1,\"v\":7}"),
	            "{\"k\":1,\"v\":null,\"n\":1}");
}
END_TEST

START_TEST(an_event_that_aggregates_reject_leaves_them_as_they_were)
{
	struct leat_harness *h = leat_harness_create("aggregate", "key: k\naggregate: {n: count(), all: \"collect(w, 9)\", spent: sum(v)}");
	const char *dead;

	leat_harness_push(h, "{\"k\":1,\"v\":1,\"w\":1}");
	leat_harness_push(h, "{\"k\":1,\"v\":\"x\",\"w\":2}");
	leat_harness_push(h, "{\"k\":1,\"w\":3}");
	leat_harness_push(h, "{\"k\":1,\"v\":null,\"w\":4}");
	ck_assert_ptr_nonnull(leat_harness_pull(h, "out"));
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":1,\"v\":null,\"w\":4,\"n\":2,\"all\":[1,4],\"spent\":1}");
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "field \\\"v\\\" is a text, sum(v) needs a number"));
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "field \\\"v\\\" is missing, sum(v) needs it"));
	leat_harness_destroy(h);
}
END_TEST

static void expect_refused(const char *options, const char *expected)
{
	char *text = leat_harness_refused("aggregate", options);

	ck_assert_msg(strstr(text, expected) != NULL, "%s: %s", options, text);
	free(text);
}

START_TEST(options_that_cannot_be_are_refused)
{
	expect_refused("key: k\nfield: v\nfigures: {a: median}", "there is no figure \"median\", expected count, sum, min, max, mean or deviation");
	expect_refused("key: k\nfigures: {a: mean}", "mean needs a field to be the mean of");
	expect_refused("key: k\nfield: v\nevery: 0", "every");
	expect_refused("key: count", "two fields of a row would have the name \"count\"");
	expect_refused("key: [a, b]\naggregate: {b: sum(v)}", "two fields of a row would have the name \"b\"");
	expect_refused("key: k\nfield: v\naggregate: {a: sum(v)}", "aggregates say themselves what they are of");
	expect_refused("key: k\naggregate: {}", "there are 0 aggregates, expected 1 to 100");
	expect_refused("key: k\naggregate: {a: sum(v), b: med(v)}", "option \"aggregate\": there is no aggregate \"med\"");
	expect_refused("key: k\naggregate: {a: sun(v)}", "did you mean \"sum\"?");
	expect_refused("key: k\naggregate: sum(v)", "option \"aggregate\" must be a map of names to aggregates such as sum(amount), not \"sum(v)\"");
	expect_refused("key: k\naggregate: {p: quantile(v, 0.5)}", "a function with a comma goes in quotes");
}
END_TEST

int main(void)
{
	return leat_test_main("aggregate", (const TTest *[]){ every_figure_of_a_field_is_added,
	                                                      figures_of_before_leave_the_event_itself_out,
	                                                      integers_are_summed_exactly_and_reals_without_drift,
	                                                      the_deviation_survives_a_large_mean,
	                                                      an_event_without_the_field_goes_on_uncounted,
	                                                      an_event_that_is_rejected_is_not_counted,
	                                                      a_deviation_that_would_be_infinite_leaves_the_figures_as_they_were,
	                                                      only_each_so_many_th_event_is_sent_on,
	                                                      events_without_the_field_count_towards_the_so_many_th,
	                                                      a_key_that_was_quiet_for_long_begins_anew,
	                                                      figures_agree_with_a_naive_computation,
	                                                      aggregates_run_along_with_the_events_of_their_key,
	                                                      an_event_that_aggregates_reject_leaves_them_as_they_were,
	                                                      options_that_cannot_be_are_refused,
	                                                      NULL });
}
