/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "plugin/harness.h"
#include "unit/unit.h"

#define PORTS "ports: {big: amount > 100, eu: 'country in [\"DE\", \"FR\"]'}"

static void push_some(struct leat_harness *h)
{
	leat_harness_push_batch(h, (const char *const[]){ "{\"n\":1,\"amount\":200,\"country\":\"DE\"}", "{\"n\":2,\"amount\":50,\"country\":\"FR\"}",
	                                                  "{\"n\":3,\"amount\":500}", "{\"n\":4,\"country\":null}", NULL });
}

static void expect(struct leat_harness *h, const char *port, const char *expected)
{
	const char *found = leat_harness_pull(h, port);

	ck_assert_msg(found != NULL && strncmp(found, expected, strlen(expected)) == 0, "%s: %s, not %s", port, found, expected);
}

static void expect_nothing(struct leat_harness *h, const char *port)
{
	const char *found = leat_harness_pull(h, port);

	ck_assert_msg(found == NULL, "%s: %s", port, found);
}

START_TEST(an_event_goes_to_the_first_port_whose_condition_it_meets)
{
	struct leat_harness *h = leat_harness_create("route", PORTS);

	push_some(h);
	expect(h, "big", "{\"n\":1");
	expect(h, "big", "{\"n\":3");
	expect_nothing(h, "big");
	expect(h, "eu", "{\"n\":2");
	expect_nothing(h, "eu");
	expect(h, "other", "{\"n\":4");
	expect_nothing(h, "other");
	expect_nothing(h, "dead");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(with_all_it_goes_to_each_of_them)
{
	struct leat_harness *h = leat_harness_create("route", PORTS "\nmatch: all");

	push_some(h);
	expect(h, "big", "{\"n\":1");
	expect(h, "big", "{\"n\":3");
	expect(h, "eu", "{\"n\":1");
	expect(h, "eu", "{\"n\":2");
	expect_nothing(h, "eu");
	expect(h, "other", "{\"n\":4");
	expect_nothing(h, "other");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(what_a_condition_cannot_judge_is_a_dead_letter_and_goes_nowhere_else)
{
	struct leat_harness *h = leat_harness_create("route", "ports: {a: n > 0, b: amount > 1}\nmatch: all");
	const char *dead;

	leat_harness_push(h, "{\"n\":1,\"amount\":\"much\"}");
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "cannot judge \\\"b\\\": cannot order text and integer at column 8"));
	expect_nothing(h, "a");
	expect_nothing(h, "other");
	leat_harness_destroy(h);

	/* With the first match, the second condition is not looked at. */
	h = leat_harness_create("route", "ports: {a: n > 0, b: amount + 1}");
	leat_harness_push_batch(h, (const char *const[]){ "{\"n\":1,\"amount\":\"much\"}", "{\"n\":0,\"amount\":1}", NULL });
	expect(h, "a", "{\"n\":1");
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "cannot judge \\\"b\\\": the condition gives neither true nor false nor null"));
	leat_harness_destroy(h);
}
END_TEST

static void expect_refused(const char *options, const char *expected)
{
	char *text = leat_harness_refused("route", options);

	ck_assert_msg(strstr(text, expected) != NULL, "%s: %s", options, text);
	free(text);
}

START_TEST(ports_that_cannot_be_are_refused)
{
	expect_refused("match: all", "ports");
	expect_refused("ports: {}", "route has 0 ports, expected 1 to 64");
	expect_refused("ports: {other: n > 1}", "port \"other\" cannot have a condition, it has the events that meet none");
	expect_refused("ports: {dead: n > 1}", "port \"dead\" cannot have a condition, it is the host's");
	expect_refused("ports: {a-b: n > 1}", "\"a-b\" cannot be a port");
	expect_refused("ports: {1st: n > 1}", "\"1st\" cannot be a port");
	expect_refused("ports: {a: n >}", "expected a value, found the end");
}
END_TEST

int main(void)
{
	return leat_test_main("route", (const TTest *[]){ an_event_goes_to_the_first_port_whose_condition_it_meets,
	                                                  with_all_it_goes_to_each_of_them,
	                                                  what_a_condition_cannot_judge_is_a_dead_letter_and_goes_nowhere_else,
	                                                  ports_that_cannot_be_are_refused,
	                                                  NULL });
}
