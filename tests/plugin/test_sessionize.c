/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "plugin/harness.h"
#include "unit/unit.h"

static const int64_t start_us = INT64_C(1700000000000000); /* 2023-11-14T22:13:20Z */
static const int64_t second_us = 1000000;

static void push(struct leat_harness *h, int64_t second, const char *event)
{
	ck_assert_int_eq(leat_harness_push_at(h, start_us + second * second_us, event), LEAT_OK);
}

/* Expects a text in the next event, and returns what the event calls its session. */
static const char *expect(struct leat_harness *h, const char *port, const char *expected, char id[17])
{
	const char *found = leat_harness_pull(h, port);

	ck_assert_msg(found != NULL && strstr(found, expected) != NULL, "%s: %s, not %s", port, found, expected);
	ck_assert_ptr_nonnull(strstr(found, "\"session\":\""));
	(void)snprintf(id, 17, "%.16s", strstr(found, "\"session\":\"") + strlen("\"session\":\""));
	return id;
}

static void expect_nothing(struct leat_harness *h, const char *port)
{
	const char *found = leat_harness_pull(h, port);

	ck_assert_msg(found == NULL, "%s: %s", port, found);
}

START_TEST(events_less_than_the_gap_apart_are_of_one_session)
{
	struct leat_harness *h = leat_harness_create("sessionize", "key: k\ngap: 10s");
	char first[17], id[17];

	push(h, 0, "{\"k\":1}");
	push(h, 9, "{\"k\":1}");
	push(h, 9, "{\"k\":2}");
	push(h, 19, "{\"k\":1}");
	expect(h, "out", "\"session_start\":\"2023-11-14T22:13:20.000000Z\",\"session_number\":1}", first);
	ck_assert_str_eq(expect(h, "out", "\"session_start\":\"2023-11-14T22:13:20.000000Z\",\"session_number\":2}", id), first);
	ck_assert_str_ne(expect(h, "out", "\"session_start\":\"2023-11-14T22:13:29.000000Z\",\"session_number\":1}", id), first);
	ck_assert_str_ne(expect(h, "out", "\"session_start\":\"2023-11-14T22:13:39.000000Z\",\"session_number\":1}", id), first);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_session_is_closed_when_the_watermark_is_the_gap_past_its_end)
{
	struct leat_harness *h = leat_harness_create("sessionize", "key: k\ngap: 10s");
	char first[17], id[17];

	push(h, 0, "{\"k\":\"a\"}");
	push(h, 5, "{\"k\":\"a\"}");
	expect(h, "out", "", first);
	leat_harness_set_watermark(h, start_us + 15 * second_us - 1);
	expect_nothing(h, "closed");
	leat_harness_set_watermark(h, start_us + 15 * second_us);
	expect(h, "closed", "{\"k\":\"a\",", id);
	ck_assert_str_eq(id, first);
	ck_assert_int_eq(leat_harness_pulled_time(h), start_us + 15 * second_us - 1);
	expect_nothing(h, "closed");
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	push(h, 15, "{\"k\":\"a\"}");
	leat_harness_end(h);
	expect(h, "closed",
	       "\"session_start\":\"2023-11-14T22:13:35.000000Z\",\"session_end\":\"2023-11-14T22:13:35.000000Z\",\"session_events\":1}", id);
	ck_assert_str_ne(id, first);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(an_event_between_two_sessions_makes_them_one)
{
	struct leat_harness *h = leat_harness_create("sessionize", "key: k\ngap: 10s");
	char first[17], id[17];

	push(h, 0, "{\"k\":1}");
	push(h, 15, "{\"k\":1}");
	push(h, 12, "{\"k\":1}");
	push(h, 7, "{\"k\":1}");
	expect(h, "out", "\"session_number\":1}", first);
	ck_assert_str_ne(expect(h, "out", "\"session_number\":1}", id), first);
	ck_assert_str_ne(expect(h, "out", "\"session_start\":\"2023-11-14T22:13:32.000000Z\",\"session_number\":2}", id), first);
	ck_assert_str_eq(expect(h, "out", "\"session_start\":\"2023-11-14T22:13:20.000000Z\",\"session_number\":4}", id), first);
	leat_harness_end(h);
	expect(h, "closed", "\"session_end\":\"2023-11-14T22:13:35.000000Z\",\"session_events\":4}", id);
	ck_assert_str_eq(id, first);
	expect_nothing(h, "closed");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_late_event_may_still_belong_to_an_open_session)
{
	struct leat_harness *h = leat_harness_create("sessionize", "key: k\ngap: 10s");
	char id[17];

	push(h, 10, "{\"k\":1}");
	leat_harness_set_watermark(h, start_us + 12 * second_us);
	push(h, 1, "{\"k\":1}"); /* it alone would have been over at 11 */
	push(h, 1, "{\"k\":2}");
	push(h, 3, "{\"k\":3}"); /* over at 13 */
	expect(h, "out", "", id);
	expect(h, "out", "{\"k\":1,", id);
	expect(h, "out", "{\"k\":3,", id);
	expect_nothing(h, "out");
	ck_assert_str_eq(leat_harness_pull(h, "late"), "{\"k\":2}");
	expect_nothing(h, "late");
	leat_harness_end(h);
	expect(h, "closed", "{\"k\":3,", id);
	expect(h, "closed", "{\"k\":1,", id);
	expect_nothing(h, "closed");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(fields_have_the_names_that_are_asked_for)
{
	struct leat_harness *h = leat_harness_create("sessionize", "key: k\ngap: 10s\nid: visit\nstart: since\nnumber: step");
	const char *found;

	push(h, 0, "{\"k\":1}");
	found = leat_harness_pull(h, "out");
	ck_assert_ptr_nonnull(found);
	ck_assert_ptr_nonnull(strstr(found, "{\"k\":1,\"visit\":\""));
	ck_assert_ptr_nonnull(strstr(found, "\",\"since\":\"2023-11-14T22:13:20.000000Z\",\"step\":1}"));
	leat_harness_destroy(h);
}
END_TEST

static void expect_dead(const char *options, int64_t time_us, const char *event, const char *reason)
{
	struct leat_harness *h = leat_harness_create("sessionize", options);
	const char *dead;

	leat_harness_push_at(h, time_us, event);
	dead = leat_harness_pull(h, "dead");
	ck_assert_msg(dead != NULL && strstr(dead, reason) != NULL, "%s", dead);
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	leat_harness_destroy(h);
}

START_TEST(what_can_be_of_no_session_is_a_dead_letter)
{
	expect_dead("key: k\ngap: 1s", LEAT_NO_TIME, "{\"k\":1}", "the event has no time");
	expect_dead("key: k\ngap: 1s", INT64_MAX - 1, "{\"k\":1}", "is out of range");
	expect_dead("gap: 1s", 1, "{\"k\":1}", "the event has no key whose sessions it could belong to");
}
END_TEST

START_TEST(whether_an_event_is_late_does_not_depend_on_when_timers_fire)
{
	struct leat_harness *h = leat_harness_create("sessionize", "key: k\ngap: 10s");
	char first[17], id[17];

	push(h, 10, "{\"k\":1}");
	expect(h, "out", "\"session_number\":1}", first);
	leat_harness_raise_watermark(h, start_us + 25 * second_us);
	push(h, 15, "{\"k\":1}"); /* over at 25, as the session is since 20 */
	ck_assert_str_eq(leat_harness_pull(h, "late"), "{\"k\":1}");
	ck_assert_str_eq(expect(h, "closed", "\"session_events\":1}", id), first);
	push(h, 30, "{\"k\":1}");
	expect(h, "out", "\"session_number\":1}", first);
	leat_harness_raise_watermark(h, start_us + 40 * second_us);
	push(h, 39, "{\"k\":1}"); /* not late, so the first of another */
	ck_assert_str_ne(expect(h, "out", "\"session_start\":\"2023-11-14T22:13:59.000000Z\",\"session_number\":1}", id), first);
	ck_assert_str_eq(expect(h, "closed", "\"session_events\":1}", id), first);
	leat_harness_end(h);
	expect(h, "closed", "\"session_events\":1}", id);
	expect_nothing(h, "closed");
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	leat_harness_destroy(h);
}
END_TEST

static void expect_refused(const char *options, const char *expected)
{
	char *text = leat_harness_refused("sessionize", options);

	ck_assert_msg(strstr(text, expected) != NULL, "%s: %s", options, text);
	free(text);
}

START_TEST(fields_of_one_name_are_refused)
{
	expect_refused("key: session\ngap: 1s", "two fields of a row would have the name \"session\"");
	expect_refused("key: [a, user.session_start]\ngap: 1s", "two fields of a row would have the name \"user.session_start\"");
	expect_refused("key: session_end\ngap: 1s", "two fields of a row would have the name \"session_end\"");
	expect_refused("key: session_events\ngap: 1s", "two fields of a row would have the name \"session_events\"");
	expect_refused("key: session_number\ngap: 1s", "two fields of a row would have the name \"session_number\"");
	expect_refused("key: [a.id, b.id]\ngap: 1s", "two fields of a row would have the name \"b.id\"");
	expect_refused("key: k\ngap: 1s\nid: x\nstart: x", "two fields would have the name that \"id\" gives");
	expect_refused("key: k\ngap: 1s\nnumber: session", "two fields would have the name that \"id\" gives");
	expect_refused("key: k\ngap: 1s\nstart: session_end", "two fields of a row would have the name \"session_end\"");
	leat_harness_destroy(leat_harness_create("sessionize", "key: session\ngap: 1s\nid: visit"));
	leat_harness_destroy(leat_harness_create("sessionize", "key: user.session_number\ngap: 1s")); /* closed sessions have no number */
}
END_TEST

int main(void)
{
	return leat_test_main("sessionize", (const TTest *[]){ events_less_than_the_gap_apart_are_of_one_session,
	                                                       a_session_is_closed_when_the_watermark_is_the_gap_past_its_end,
	                                                       an_event_between_two_sessions_makes_them_one,
	                                                       a_late_event_may_still_belong_to_an_open_session,
	                                                       fields_have_the_names_that_are_asked_for,
	                                                       what_can_be_of_no_session_is_a_dead_letter,
	                                                       whether_an_event_is_late_does_not_depend_on_when_timers_fire,
	                                                       fields_of_one_name_are_refused,
	                                                       NULL });
}
