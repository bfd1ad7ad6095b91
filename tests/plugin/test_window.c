/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each test is a script of events and what came out, in seconds:
 *
 *     "a5:3"  an event of key a at 5 s with v = 3        "w10"  the watermark comes to 10 s
 *     "now2"  two seconds of processing time go by       "end"  all input has ended
 *
 *     "a 0-10 n=2 s=8"  a row of key a and window [0 s, 10 s); with " r2" for its revision and " final", " gone"
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugin/harness.h"
#include "unit/unit.h"

#define TOTALS "\naggregate: {n: count(), s: sum(v)}"

enum { SECOND = 1000000 };

static int64_t now_us;

/* ---- rows as text ------------------------------------------------------------------------------------------------ */

static const char *find(const char *json, const char *name)
{
	char quoted[64];
	const char *at;

	(void)snprintf(quoted, sizeof quoted, "\"%s\":", name);
	at = strstr(json, quoted);
	return at == NULL ? NULL : at + strlen(quoted);
}

/* Seconds with what is behind the point, as far as it is not zero. */
static void append_time(char *out, const char *json, const char *name)
{
	const char *at = find(json, name);
	struct tm tm = { 0 };
	char fraction[8];

	ck_assert_msg(at != NULL && sscanf(at, "\"%d-%d-%dT%d:%d:%d.%6[0-9]Z", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
	                                   &tm.tm_sec, fraction) == 7, "no %s in %s", name, json);
	tm.tm_year -= 1900;
	tm.tm_mon--;
	(void)sprintf(out + strlen(out), "%ld", (long)timegm(&tm));
	if (strcmp(fraction, "000000") != 0)
		(void)sprintf(out + strlen(out), ".%s", fraction);
}

static bool is_true(const char *json, const char *name)
{
	const char *at = find(json, name);

	return at != NULL && *at == 't';
}

static void append_row(char *out, const char *json)
{
	const char *k = find(json, "k"), *n = find(json, "n"), *s = find(json, "s"), *revision = find(json, "revision");

	if (*out != '\0')
		(void)strcat(out, "; ");
	if (k != NULL)
		(void)sprintf(out + strlen(out), "%.*s ", (int)strcspn(k + 1, "\""), k + 1);
	if (find(json, "window_start") != NULL) {
		append_time(out, json, "window_start");
		(void)strcat(out, "-");
		append_time(out, json, "window_end");
	} else {
		(void)sprintf(out + strlen(out), "v=%d", atoi(find(json, "v")));
	}
	ck_assert(n != NULL && s != NULL);
	(void)sprintf(out + strlen(out), " n=%d s=%.*s", atoi(n), (int)strcspn(s, ",}"), s);
	if (revision != NULL)
		(void)sprintf(out + strlen(out), " r%d", atoi(revision));
	if (is_true(json, "is_final"))
		(void)strcat(out, " final");
	if (is_true(json, "is_gone"))
		(void)strcat(out, " gone");
}

static void collect(struct leat_harness *h, const char *port, char *out)
{
	const char *json;

	*out = '\0';
	while ((json = leat_harness_pull(h, port)) != NULL)
		append_row(out, json);
}

/* ---- scripts ----------------------------------------------------------------------------------------------------- */

static void push(struct leat_harness *h, const char *event)
{
	double at = 0;
	int value = 0;
	char json[128];

	ck_assert_int_ge(sscanf(event + 1, "%lf:%d", &at, &value), 1);
	(void)snprintf(json, sizeof json, "{\"k\":\"%c\",\"v\":%d}", *event, value);
	ck_assert_int_eq(leat_harness_push_at(h, (int64_t)(at * SECOND), json), LEAT_OK);
}

static void play(struct leat_harness *h, const char *script)
{
	char *copy = strdup(script), *rest = NULL;

	for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
		if (strcmp(word, "end") == 0)
			ck_assert_int_eq(leat_harness_end(h), LEAT_OK);
		else if (strncmp(word, "now", 3) == 0)
			leat_harness_set_time(h, now_us += (int64_t)(atof(word + 3) * SECOND));
		else if (*word == 'w')
			leat_harness_set_watermark(h, (int64_t)(atof(word + 1) * SECOND));
		else
			push(h, word);
	}
	free(copy);
}

static struct leat_harness *create(const char *options)
{
	now_us = INT64_C(1000000000000000);
	return leat_harness_create("window", options);
}

static void expect(struct leat_harness *h, const char *script, const char *rows)
{
	char found[8192];

	play(h, script);
	collect(h, "out", found);
	ck_assert_str_eq(found, rows);
	ck_assert_ptr_null(leat_harness_pull(h, "dead"));
}

/* The whole of it, after which no state is left. */
static void expect_all(const char *options, const char *script, const char *rows)
{
	struct leat_harness *h = create(options);

	expect(h, script, rows);
	expect(h, "w100000000", "");
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	leat_harness_destroy(h);
}

static void expect_late(struct leat_harness *h, const char *json)
{
	const char *late = leat_harness_pull(h, "late");

	ck_assert_ptr_nonnull(late);
	ck_assert_str_eq(late, json);
}

static void expect_refused(const char *options, const char *reason)
{
	char *text = leat_harness_refused("window", options);

	ck_assert_msg(strstr(text, reason) != NULL, "%s: %s", options, text);
	free(text);
}

/* ---- kinds ------------------------------------------------------------------------------------------------------- */

START_TEST(a_tumbling_window_sends_its_row_when_the_watermark_has_come_to_its_end)
{
	struct leat_harness *h = create("key: k\nsize: 10s" TOTALS);

	expect(h, "a1:1 a9.999999:2 b3:5 a10:100 w9.999999", "");
	expect(h, "w10", "a 0-10 n=2 s=3; b 0-10 n=1 s=5");
	expect(h, "a12:1 end", "a 10-20 n=2 s=101");
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_row_has_its_key_its_window_and_its_totals)
{
	struct leat_harness *h = create("key: [user.name, k]\nsize: 1m\naggregate: {n: count(), top: max(v)}");

	leat_harness_push_at(h, INT64_C(1767225601000000), "{\"k\":7,\"v\":2.5,\"user\":{\"name\":\"ann\"}}");
	leat_harness_end(h);
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"name\":\"ann\",\"k\":7,\"window_start\":\"2026-01-01T00:00:00.000000Z\","
	                                              "\"window_end\":\"2026-01-01T00:01:00.000000Z\",\"n\":1,\"top\":2.5}");
	/* So that a window over windows has it in the right one. */
	ck_assert_int_eq(leat_harness_pulled_time(h), INT64_C(1767225659999999));
	leat_harness_destroy(h);
}
END_TEST

START_TEST(windows_without_events_send_nothing)
{
	expect_all("key: k\nsize: 10s" TOTALS, "a1:1 a95:2 w200", "a 0-10 n=1 s=1; a 90-100 n=1 s=2");
	expect_all("key: k\nsize: 20s\nslide: 10s" TOTALS, "a1:1 a95:2 w200",
	           "a -10-10 n=1 s=1; a 0-20 n=1 s=1; a 80-100 n=1 s=2; a 90-110 n=1 s=2");
}
END_TEST

START_TEST(windows_lie_on_a_grid_from_1970_both_ways)
{
	expect_all("key: k\nsize: 10s" TOTALS, "a-1:1 a0:2 a-10:4 a-10.000001:8 end", "a -20--10 n=1 s=8; a -10-0 n=2 s=5; a 0-10 n=1 s=2");
	expect_all("key: k\nsize: 10s\noffset: 3s" TOTALS, "a2:1 a3:2 a-7:4 end", "a -7-3 n=2 s=5; a 3-13 n=1 s=2");
	expect_all("key: k\nsize: 10s\noffset: 23s" TOTALS, "a2:1 a3:2 a-7:4 end", "a -7-3 n=2 s=5; a 3-13 n=1 s=2");
}
END_TEST

START_TEST(a_hopping_window_shares_events_with_its_neighbours)
{
	expect_all("key: k\nsize: 30s\nslide: 10s" TOTALS, "a5:1 a15:2 a25:4 a38:8 w100",
	           "a -20-10 n=1 s=1; a -10-20 n=2 s=3; a 0-30 n=3 s=7; a 10-40 n=3 s=14; a 20-50 n=2 s=12; a 30-60 n=1 s=8");
	/* A size that is no multiple: [-15, 10), [-5, 20), ... have to be cut into pieces of 5 s. */
	expect_all("key: k\nsize: 25s\nslide: 10s" TOTALS, "a4:1 a5:2 a9:4 w100",
	           "a -20-5 n=1 s=1; a -10-15 n=3 s=7; a 0-25 n=3 s=7");
}
END_TEST

START_TEST(a_cumulating_window_grows_step_by_step_and_begins_anew)
{
	expect_all("key: k\nsize: 30s\nstep: 10s" TOTALS, "a5:1 a25:2 a31:4 w100",
	           "a 0-10 n=1 s=1; a 0-20 n=1 s=1; a 0-30 n=2 s=3; a 30-40 n=1 s=4; a 30-50 n=1 s=4; a 30-60 n=1 s=4");
}
END_TEST

START_TEST(a_session_ends_when_its_gap_has_gone_by)
{
	expect_all("key: k\nsession: 10s" TOTALS, "a1:1 a10.999999:2 a25:4 b3:8 w100", "b 3-13 n=1 s=8; a 1-20.999999 n=2 s=3; a 25-35 n=1 s=4");
	/* One that comes just when it ends is the first of the next. */
	expect_all("key: k\nsession: 10s" TOTALS, "a1:1 a11:2 w100", "a 1-11 n=1 s=1; a 11-21 n=1 s=2");
}
END_TEST

START_TEST(an_event_between_two_sessions_makes_them_one)
{
	expect_all("key: k\nsession: 10s" TOTALS, "a1:1 a20:2 a11:4 w12 a12:8 w100", "a 1-11 n=1 s=1; a 11-30 n=3 s=14");
	expect_all("key: k\nsession: 10s" TOTALS, "a1:1 a20:2 a10.5:4 w100", "a 1-30 n=3 s=7");
	expect_all("key: k\nsession: 10s" TOTALS, "a20:1 a10.5:2 a2:4 w100", "a 2-30 n=3 s=7");
}
END_TEST

START_TEST(a_sliding_window_ends_at_each_event)
{
	expect_all("key: k\nsliding: 10s" TOTALS, "a5:1 a1:2 a14.999999:4 a15:8 b7:3 w100",
	           "a v=2 n=1 s=2; a v=1 n=2 s=3; b v=3 n=1 s=3; a v=4 n=2 s=5; a v=8 n=2 s=12");
	/* Events of one moment have the same totals, as with RANGE in SQL. */
	expect_all("key: k\nsliding: 10s" TOTALS, "a5:1 a5:2 a5:4 w5.000001", "a v=1 n=3 s=7; a v=2 n=3 s=7; a v=4 n=3 s=7");
}
END_TEST

START_TEST(events_in_disorder_are_in_the_windows_of_their_times)
{
	expect_all("key: k\nsize: 10s" TOTALS, "a15:1 a3:2 w5 a25:4 a7:8 a12:16 end", "a 0-10 n=2 s=10; a 10-20 n=2 s=17; a 20-30 n=1 s=4");
}
END_TEST

START_TEST(without_a_key_all_events_are_in_one_window)
{
	expect_all("size: 10s" TOTALS, "a1:1 b2:2 end", "0-10 n=2 s=3");
}
END_TEST

/* ---- lateness ---------------------------------------------------------------------------------------------------- */

START_TEST(an_event_for_a_window_that_is_over_goes_to_late_as_it_came)
{
	struct leat_harness *h = create("key: k\nsize: 10s" TOTALS);

	expect(h, "a1:1 w10 a9:2 a10:4 w11 a10.5:8 end", "a 0-10 n=1 s=1; a 10-20 n=2 s=12");
	expect_late(h, "{\"k\":\"a\",\"v\":2}");
	ck_assert_ptr_null(leat_harness_pull(h, "late"));
	leat_harness_destroy(h);
}
END_TEST

START_TEST(an_event_is_late_for_some_windows_and_not_for_others)
{
	/* [-10, 10) is over when the second comes, [0, 20) is not. */
	expect_all("key: k\nsize: 20s\nslide: 10s" TOTALS, "a1:1 w12 a2:2 end", "a -10-10 n=1 s=1; a 0-20 n=2 s=3");
	expect_all("key: k\nsize: 40s\nslide: 10s" TOTALS, "a1:1 a11:2 w21 a12:4 a31:16 w32 a2:8 end",
	           "a -30-10 n=1 s=1; a -20-20 n=2 s=3; a -10-30 n=3 s=7; a 0-40 n=5 s=31; a 10-50 n=3 s=22; a 20-60 n=1 s=16; a 30-70 n=1 s=16");
	expect_all("key: k\nsize: 30s\nstep: 10s" TOTALS, "a1:1 w12 a2:2 end", "a 0-10 n=1 s=1; a 0-20 n=2 s=3; a 0-30 n=2 s=3");
}
END_TEST

START_TEST(within_allow_a_late_event_has_the_row_sent_again)
{
	struct leat_harness *h = create("key: k\nsize: 10s\nallow: 5s" TOTALS);

	expect(h, "a1:1 w10", "a 0-10 n=1 s=1 r1 final");
	expect(h, "w14.999999 a9:2", "a 0-10 n=2 s=3 r2 final");
	expect(h, "b8:2", "b 0-10 n=1 s=2 r1 final");
	expect(h, "w15 a9:4", "");
	expect_late(h, "{\"k\":\"a\",\"v\":4}");
	/* It is forgotten within an eighth of its size. */
	expect(h, "w16.25", "");
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	leat_harness_destroy(h);
	expect_all("key: k\nsize: 20s\nslide: 10s\nallow: 5s" TOTALS, "a1:1 w12 a2:2 w17 a3:4 end",
	           "a -10-10 n=1 s=1 r1 final; a -10-10 n=2 s=3 r2 final; a 0-20 n=3 s=7 r1 final");
	expect_all("key: k\nsize: 20s\nstep: 10s\nallow: 1m" TOTALS, "a1:1 w22 a2:2 end",
	           "a 0-10 n=1 s=1 r1 final; a 0-20 n=1 s=1 r1 final; a 0-10 n=2 s=3 r2 final; a 0-20 n=2 s=3 r2 final");
	expect_all("key: k\nsliding: 10s\nallow: 5s" TOTALS, "a1:1 a3:8 w5 a2:2 w8 a3:4 end",
	           "a v=1 n=1 s=1 r1 final; a v=8 n=2 s=9 r1 final; a v=2 n=2 s=3 r1 final; a v=8 n=3 s=11 r2 final; "
	           "a v=8 n=4 s=15 r3 final; a v=4 n=4 s=15 r3 final");
}
END_TEST

START_TEST(a_session_takes_late_events_too_and_says_when_it_is_gone)
{
	expect_all("key: k\nsession: 10s\nallow: 20s" TOTALS, "a1:1 w12 a5:2 w40 a5:4",
	           "a 1-11 n=1 s=1 r1 final; a 1-15 n=2 s=3 r2 final");
	expect_all("key: k\nsession: 10s\nallow: 20s" TOTALS, "a10:1 w20 a5:2",
	           "a 10-20 n=1 s=1 r1 final; a 10-20 n=0 s=null r2 final gone; a 5-20 n=2 s=3 r1 final");
	/* One that has ended goes on as part of one that has not. */
	expect_all("key: k\nsession: 10s\nallow: 20s" TOTALS, "a1:1 a15:2 w12 a10:4 end", "a 1-11 n=1 s=1 r1 final; a 1-25 n=3 s=7 r2 final");
}
END_TEST

/* ---- emission ---------------------------------------------------------------------------------------------------- */

START_TEST(updates_are_sent_with_every_event)
{
	expect_all("key: k\nsize: 10s\nemit: updates" TOTALS, "a1:1 a2:2 w10", "a 0-10 n=1 s=1 r1; a 0-10 n=2 s=3 r2; a 0-10 n=2 s=3 r3 final");
	expect_all("key: k\nsize: 20s\nslide: 10s\nemit: updates" TOTALS, "a1:1 w10 a2:2 end",
	           "a -10-10 n=1 s=1 r1; a 0-20 n=1 s=1 r1; a -10-10 n=1 s=1 r2 final; a 0-20 n=2 s=3 r2; a 0-20 n=2 s=3 r3 final");
	expect_all("key: k\nsession: 10s\nemit: updates" TOTALS, "a1:1 a15:2 a8:4 end",
	           "a 1-11 n=1 s=1 r1; a 15-25 n=1 s=2 r1; a 15-25 n=0 s=null r2 gone; a 1-25 n=3 s=7 r2; a 1-25 n=3 s=7 r3 final");
	expect_all("key: k\nsliding: 10s\nemit: updates" TOTALS, "a5:1 a1:2 end",
	           "a v=1 n=1 s=1 r1; a v=2 n=1 s=2 r1; a v=1 n=2 s=3 r2; a v=2 n=1 s=2 r2 final; a v=1 n=2 s=3 r3 final");
}
END_TEST

START_TEST(early_rows_are_sent_at_most_so_often_and_only_when_something_changed)
{
	struct leat_harness *h = create("key: k\nsize: 10s\nearly: 2s" TOTALS);

	expect(h, "a1:1 a2:2 now1.9", "");
	expect(h, "a3:4 now0.1", "a 0-10 n=3 s=7 r1");
	expect(h, "now10", "");
	expect(h, "a4:8 a13:1 now2", "a 0-10 n=4 s=15 r2; a 10-20 n=1 s=1 r1");
	expect(h, "a5:8 w10 now2", "a 0-10 n=5 s=23 r3 final");
	expect(h, "end", "a 10-20 n=1 s=1 r2 final");
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	leat_harness_destroy(h);
	expect_all("key: k\nsession: 10s\nearly: 2s" TOTALS, "a1:1 a2:2 now2 a3:4 end", "a 1-12 n=2 s=3 r1; a 1-13 n=3 s=7 r2 final");
	expect_all("key: k\nsize: 20s\nslide: 10s\nearly: 2s" TOTALS, "a1:1 a31:2 now2 end",
	           "a -10-10 n=1 s=1 r1; a 0-20 n=1 s=1 r1; a 20-40 n=1 s=2 r1; a 30-50 n=1 s=2 r1; a -10-10 n=1 s=1 r2 final; "
	           "a 0-20 n=1 s=1 r2 final; a 20-40 n=1 s=2 r2 final; a 30-50 n=1 s=2 r2 final");
}
END_TEST

/* Sources come to INT64_MIN + 1 by an event that is earlier than the disorder that they allow. */
START_TEST(early_rows_are_sent_whatever_the_watermark_is)
{
	static const char *const options[] = {
		"key: k\nsize: 10s\nearly: 2s" TOTALS,
		"key: k\nsize: 10s\nstep: 10s\noffset: 3650d\nearly: 2s" TOTALS,
	};

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		struct leat_harness *h = create(options[i]);

		leat_harness_set_watermark(h, INT64_MIN + 1);
		expect(h, "a1:1 now2", "a 0-10 n=1 s=1 r1");
		expect(h, "a2:2", "");
		leat_harness_raise_watermark(h, INT64_MAX);
		expect(h, "now2", "");
		expect(h, "end", "a 0-10 n=2 s=3 r2 final");
		ck_assert_uint_eq(leat_harness_state_entries(h), 0);
		leat_harness_destroy(h);
	}
}
END_TEST

START_TEST(rows_come_in_order_of_the_windows_ends)
{
	expect_all("key: k\nsize: 10s" TOTALS, "b1:1 a1:2 c15:3 a15:4 b25:5 b12:6 w100",
	           "b 0-10 n=1 s=1; a 0-10 n=1 s=2; c 10-20 n=1 s=3; b 10-20 n=1 s=6; a 10-20 n=1 s=4; b 20-30 n=1 s=5");
}
END_TEST

/* ---- bad input and options ---------------------------------------------------------------------------------------- */

static void expect_dead(const char *options, int64_t time_us, const char *json, const char *reason)
{
	struct leat_harness *h = create(options);
	const char *dead;

	ck_assert_int_eq(leat_harness_push_at(h, time_us, json), LEAT_OK);
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_msg(strstr(dead, reason) != NULL, "%s", dead);
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	leat_harness_destroy(h);
}

START_TEST(an_event_that_cannot_be_counted_is_a_dead_letter)
{
	expect_dead("key: k\nsize: 10s" TOTALS, LEAT_NO_TIME, "{\"k\":1,\"v\":1}", "the event has no time");
	expect_dead("key: k\nsize: 10s" TOTALS, INT64_MAX / 2, "{\"k\":1,\"v\":1}", "the event's time is too far away");
	expect_dead("key: k\nsize: 10s" TOTALS, 1, "{\"k\":1}", "\\\"v\\\"");
	expect_dead("key: k\nsize: 10s" TOTALS, 1, "{\"k\":1,\"v\":\"x\"}", "\\\"v\\\"");
	expect_dead("key: k\nsession: 10s" TOTALS, 1, "{\"k\":1,\"v\":\"x\"}", "\\\"v\\\"");
	expect_dead("key: k\nsize: 10s" TOTALS, 1, "{\"k\":null,\"v\":1}", "\\\"k\\\" is missing or null, and it is the key");
	expect_dead("size: 10s\naggregate: {n: count()}", 1, "17", "the event has no fields");
}
END_TEST

START_TEST(a_total_that_does_not_fit_costs_its_row_and_no_other)
{
	struct leat_harness *h = create("key: k\nsize: 20s\nslide: 10s" TOTALS);
	const char *dead;
	char found[1024];

	leat_harness_push_at(h, 5 * SECOND, "{\"k\":\"a\",\"v\":9223372036854775807}");
	leat_harness_push_at(h, 15 * SECOND, "{\"k\":\"a\",\"v\":1}");
	leat_harness_end(h);
	collect(h, "out", found);
	ck_assert_str_eq(found, "a -10-10 n=1 s=9223372036854775807; a 10-30 n=1 s=1");
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "a total of the window that ends at 20000000 us does not fit, its row is left out"));
	ck_assert_ptr_null(leat_harness_pull(h, "dead"));
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(what_is_null_is_not_added)
{
	struct leat_harness *h = create("key: k\nsize: 10s" TOTALS);

	leat_harness_push_at(h, 1, "{\"k\":\"a\",\"v\":null}");
	leat_harness_push_at(h, 1, "{\"k\":\"a\",\"v\":3}");
	leat_harness_push_at(h, 1, "{\"k\":\"b\",\"v\":null}");
	expect(h, "end", "a 0-10 n=2 s=3; b 0-10 n=1 s=null");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(windows_that_make_no_sense_are_refused)
{
	expect_refused("key: k" TOTALS, "there is no window that ends: it needs one of size, sliding and session");
	expect_refused("key: k\nsize: 1m", "aggregate");
	expect_refused("key: k\nsize: 1m\nsession: 1s" TOTALS, "size, sliding and session are different windows, expected one of them");
	expect_refused("key: k\nsliding: 1m\nslide: 1s" TOTALS, "slide goes with size");
	expect_refused("key: k\nsession: 1m\nstep: 1s" TOTALS, "step goes with size");
	expect_refused("key: k\nsession: 1m\noffset: 1s" TOTALS, "offset goes with size");
	expect_refused("key: k\nsize: 1m\nslide: 10s\nstep: 10s" TOTALS, "slide and step are different windows");
	expect_refused("key: k\nsize: 1m\nslide: 2m" TOTALS, "slide is longer than size");
	expect_refused("key: k\nsize: 1m\nstep: 7s" TOTALS, "size is no multiple of step");
	expect_refused("key: k\nsize: 1d\nslide: 1ms" TOTALS, "an event would be in 86400000 windows, at most 100000 are allowed");
	expect_refused("key: k\nsize: 1m\nemit: updates\nearly: 1s" TOTALS, "early goes with emit: final");
	expect_refused("key: k\nsize: 1m\naggregate: {k: count()}", "two fields of a row would have the name \"k\"");
	expect_refused("key: k\nsize: 1m\naggregate: {window_end: count()}", "two fields of a row would have the name \"window_end\"");
	expect_refused("key: [a.id, b.id]\nsize: 1m\naggregate: {n: count()}", "two fields of a row would have the name \"b.id\"");
	expect_refused("key: window_start\nsize: 1m" TOTALS, "two fields of a row would have the name \"window_start\"");
	expect_refused("key: [k, a.window_end]\nsession: 1m" TOTALS, "two fields of a row would have the name \"a.window_end\"");
	expect_refused("key: revision\nsliding: 1m\nemit: updates" TOTALS, "two fields of a row would have the name \"revision\"");
	expect_refused("key: is_gone\nsession: 1m\nemit: updates" TOTALS, "two fields of a row would have the name \"is_gone\"");
}
END_TEST

int main(void)
{
	return leat_test_main("window", (const TTest *[]){
		a_tumbling_window_sends_its_row_when_the_watermark_has_come_to_its_end,
		a_row_has_its_key_its_window_and_its_totals,
		windows_without_events_send_nothing,
		windows_lie_on_a_grid_from_1970_both_ways,
		a_hopping_window_shares_events_with_its_neighbours,
		a_cumulating_window_grows_step_by_step_and_begins_anew,
		a_session_ends_when_its_gap_has_gone_by,
		an_event_between_two_sessions_makes_them_one,
		a_sliding_window_ends_at_each_event,
		events_in_disorder_are_in_the_windows_of_their_times,
		without_a_key_all_events_are_in_one_window,
		an_event_for_a_window_that_is_over_goes_to_late_as_it_came,
		an_event_is_late_for_some_windows_and_not_for_others,
		within_allow_a_late_event_has_the_row_sent_again,
		a_session_takes_late_events_too_and_says_when_it_is_gone,
		updates_are_sent_with_every_event,
		early_rows_are_sent_at_most_so_often_and_only_when_something_changed,
		early_rows_are_sent_whatever_the_watermark_is,
		rows_come_in_order_of_the_windows_ends,
		an_event_that_cannot_be_counted_is_a_dead_letter,
		a_total_that_does_not_fit_costs_its_row_and_no_other,
		what_is_null_is_not_added,
		windows_that_make_no_sense_are_refused,
		NULL,
	});
}
