/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "plugin/harness.h"
#include "unit/unit.h"

/* Which of the users 0 to 9,999 are let through, one character each. */
static void choose(const char *options, char chosen[10001])
{
	struct leat_harness *h = leat_harness_create("sample", options);
	const char *found;

	memset(chosen, '.', 10000);
	chosen[10000] = '\0';
	for (int i = 0; i < 10000; i++) {
		char event[64];

		(void)snprintf(event, sizeof event, "{\"user\":%d}", i);
		leat_harness_push(h, event);
	}
	while ((found = leat_harness_pull(h, "out")) != NULL)
		chosen[strtol(found + strlen("{\"user\":"), NULL, 10)] = 'x';
	leat_harness_destroy(h);
}

static int count(const char *chosen)
{
	int n = 0;

	for (; *chosen != '\0'; chosen++)
		n += *chosen == 'x';
	return n;
}

START_TEST(each_so_many_th_event_of_a_key_goes_through)
{
	struct leat_harness *h = leat_harness_create("sample", "key: k\nevery: 3");

	leat_harness_push_batch(h, (const char *const[]){ "{\"k\":1,\"n\":1}", "{\"k\":1,\"n\":2}", "{\"k\":2,\"n\":3}", "{\"k\":1,\"n\":4}",
	                                                  "{\"k\":1,\"n\":5}", NULL });
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":1,\"n\":1}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":2,\"n\":3}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":1,\"n\":5}");
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	ck_assert_str_eq(leat_harness_pull(h, "other"), "{\"k\":1,\"n\":2}");
	ck_assert_str_eq(leat_harness_pull(h, "other"), "{\"k\":1,\"n\":4}");
	ck_assert_ptr_null(leat_harness_pull(h, "other"));
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_count_that_is_forgotten_begins_anew)
{
	struct leat_harness *h = leat_harness_create("sample", "key: k\nevery: 2\nforget: 1m");

	leat_harness_push(h, "{\"k\":1,\"n\":1}");
	leat_harness_set_time(h, INT64_C(1000000000000000) + 61000000);
	leat_harness_push(h, "{\"k\":1,\"n\":2}");
	ck_assert_ptr_nonnull(leat_harness_pull(h, "out"));
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":1,\"n\":2}");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_rate_chooses_its_share_of_the_users_and_the_same_ones_each_time)
{
	char some[10001], again[10001], more[10001], others[10001];

	choose("rate: 0.1\nby: user", some);
	choose("rate: 0.1\nkey: user", again);
	choose("rate: 0.2\nby: user", more);
	choose("rate: 0.1\nby: user\nseed: b", others);
	/* Four standard deviations. */
	ck_assert_int_ge(count(some), 880);
	ck_assert_int_le(count(some), 1120);
	ck_assert_int_ge(count(more), 1840);
	ck_assert_int_le(count(more), 2160);
	ck_assert_str_eq(some, again);
	for (int i = 0; i < 10000; i++)
		ck_assert(some[i] == '.' || more[i] == 'x');
	ck_assert_str_ne(some, others);
	choose("rate: 1\nby: user", some);
	ck_assert_int_eq(count(some), 10000);
}
END_TEST

START_TEST(the_choice_is_what_it_has_always_been)
{
	char some[10001];

	choose("rate: 0.1\nby: user", some);
	some[60] = '\0';
	ck_assert_str_eq(some, "..........x....x.x.......x................................x.");
}
END_TEST

START_TEST(equal_numbers_are_chosen_together)
{
	struct leat_harness *h = leat_harness_create("sample", "rate: 0.5\nby: v");
	size_t n = 0;

	for (int i = 0; i < 100; i++) {
		char event[2][64];

		(void)snprintf(event[0], sizeof event[0], "{\"v\":{\"a\":%d,\"b\":[1,true,\"x\",null,0.5]}}", i);
		(void)snprintf(event[1], sizeof event[1], "{\"v\":{\"b\":[1.0,true,\"x\",null,5e-1],\"a\":%d.0}}", i);
		leat_harness_push(h, event[0]);
		leat_harness_push(h, event[1]);
	}
	while (leat_harness_pull(h, "out") != NULL) {
		const char *second = leat_harness_pull(h, "out");

		ck_assert_msg(second != NULL && strncmp(second, "{\"v\":{\"b\"", 9) == 0, "%s", second);
		n++;
	}
	ck_assert_uint_ge(n, 30);
	ck_assert_uint_le(n, 70);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(an_event_that_has_nothing_to_choose_it_by_is_a_dead_letter)
{
	struct leat_harness *h = leat_harness_create("sample", "rate: 0.5\nby: user.id");
	const char *dead;

	leat_harness_push(h, "{\"user\":{\"id\":null}}");
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "field \\\"user.id\\\" is missing"));
	leat_harness_destroy(h);

	h = leat_harness_create("sample", "rate: 0.5");
	leat_harness_push(h, "{}");
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "the event has no key to choose it by"));
	leat_harness_destroy(h);
}
END_TEST

static void expect_refused(const char *options, const char *expected)
{
	char *text = leat_harness_refused("sample", options);

	ck_assert_msg(strstr(text, expected) != NULL, "%s: %s", options, text);
	free(text);
}

START_TEST(options_that_do_not_go_together_are_refused)
{
	expect_refused("", "sample has nothing to go by, expected every or rate");
	expect_refused("every: 2\nrate: 0.5", "every and rate exclude each other");
	expect_refused("every: 2\nby: x", "by belongs to rate; every counts the events of a key");
	expect_refused("rate: 0.5\nby: x\nforget: 1m", "forget belongs to every; rate remembers nothing");
	expect_refused("rate: 2", "rate");
}
END_TEST

int main(void)
{
	return leat_test_main("sample", (const TTest *[]){ each_so_many_th_event_of_a_key_goes_through,
	                                                   a_count_that_is_forgotten_begins_anew,
	                                                   a_rate_chooses_its_share_of_the_users_and_the_same_ones_each_time,
	                                                   the_choice_is_what_it_has_always_been,
	                                                   equal_numbers_are_chosen_together,
	                                                   an_event_that_has_nothing_to_choose_it_by_is_a_dead_letter,
	                                                   options_that_do_not_go_together_are_refused,
	                                                   NULL });
}
