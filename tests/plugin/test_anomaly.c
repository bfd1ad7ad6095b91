/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/harness.h"
#include "unit/unit.h"

#define WAVE(i_) ((double)((i_) * 7 % 11) - 5) /* -5 to 5 in turn, mean 0, deviation 3.16 */

static const char *const every_method[] = { "zscore", "ewma", "mad", "cusum", "forest" }; /* but seasonal, which needs times */

/* What the operator says of a value. The score is not a number where it is null. */
struct said {
	bool is_anomaly;
	double score, expected, deviation;
};

static double read_number(const char *event, const char *name)
{
	char text[64];
	const char *at;

	(void)snprintf(text, sizeof text, "\"%s\":", name);
	at = strstr(event, text);
	ck_assert_msg(at != NULL, "no %s in %s", name, event);
	at += strlen(text);
	return strncmp(at, "null", 4) == 0 ? (double)NAN : strtod(at, NULL);
}

static struct said read_said(const char *event)
{
	struct said said;

	ck_assert_ptr_nonnull(event);
	said.is_anomaly = strstr(event, "\"is_anomaly\":true") != NULL;
	said.score = read_number(event, "score");
	said.expected = read_number(event, "expected");
	said.deviation = read_number(event, "deviation");
	return said;
}

static struct said feed(struct leat_harness *h, int key, double value)
{
	char event[128];

	(void)snprintf(event, sizeof event, "{\"k\":%d,\"v\":%.17g}", key, value);
	ck_assert_int_eq(leat_harness_push(h, event), LEAT_OK);
	return read_said(leat_harness_pull(h, "out"));
}

static struct leat_harness *create(const char *method, const char *more)
{
	char options[256];

	(void)snprintf(options, sizeof options, "key: k\nfield: v\nmethod: %s\n%s", method, more);
	return leat_harness_create("anomaly", options);
}

/* `n` values of a wave around `level`; how many were anomalies. */
static int feed_wave(struct leat_harness *h, int key, double level, int n)
{
	int n_anomalies = 0;

	for (int i = 0; i < n; i++)
		n_anomalies += feed(h, key, level + WAVE(i)).is_anomaly;
	return n_anomalies;
}

static void expect_dead(struct leat_harness *h, const char *event, const char *dead)
{
	const char *found;

	ck_assert_int_eq(leat_harness_push(h, event), LEAT_OK);
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	found = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(found);
	ck_assert_msg(strstr(found, dead) != NULL, "%s lacks %s", found, dead);
}

/* ---- every method ------------------------------------------------------------------------------------------------ */

START_TEST(every_method_finds_a_spike_and_nothing_else)
{
	for (size_t i = 0; i < sizeof every_method / sizeof *every_method; i++) {
		struct leat_harness *h = create(every_method[i], "");
		struct said said;

		ck_assert_msg(feed_wave(h, 1, 100, 600) == 0, "%s", every_method[i]);
		said = feed(h, 1, 160);
		ck_assert_msg(said.is_anomaly, "%s", every_method[i]);
		ck_assert_double_eq_tol(said.expected, 100, 1);
		ck_assert_msg(feed_wave(h, 1, 100, 100) == 0, "%s after it", every_method[i]);
		said = feed(h, 1, 40);
		ck_assert_msg(said.is_anomaly, "%s below", every_method[i]);
		leat_harness_destroy(h);
	}
}
END_TEST

START_TEST(keys_know_nothing_of_each_other)
{
	for (size_t i = 0; i < sizeof every_method / sizeof *every_method; i++) {
		struct leat_harness *h = create(every_method[i], "");

		for (int j = 0; j < 300; j++) {
			ck_assert(!feed(h, 1, 100 + WAVE(j)).is_anomaly);
			ck_assert(!feed(h, 2, 900 + WAVE(j)).is_anomaly);
		}
		ck_assert_uint_eq(leat_harness_state_entries(h), 2);
		ck_assert_msg(feed(h, 1, 900).is_anomaly, "%s", every_method[i]);
		ck_assert_msg(feed(h, 2, 100).is_anomaly, "%s", every_method[i]);
		leat_harness_destroy(h);
	}
}
END_TEST

START_TEST(there_is_no_score_before_the_warm_up_is_over)
{
	for (size_t i = 0; i < sizeof every_method / sizeof *every_method; i++) {
		bool is_forest = strcmp(every_method[i], "forest") == 0;
		struct leat_harness *h = create(every_method[i], "warmup: 20\nwindow: 50");

		for (int j = 0; j < (is_forest ? 70 : 20); j++) {
			struct said said = feed(h, 1, j == 10 ? 1e9 : WAVE(j));

			ck_assert(isnan(said.score) && isnan(said.expected) && isnan(said.deviation) && !said.is_anomaly);
		}
		ck_assert_msg(!isnan(feed(h, 1, 0).score), "%s", every_method[i]);
		leat_harness_destroy(h);
	}
}
END_TEST

START_TEST(a_constant_has_no_score_and_anything_else_the_largest)
{
	for (size_t i = 0; i < sizeof every_method / sizeof *every_method; i++) {
		bool is_forest = strcmp(every_method[i], "forest") == 0;
		struct leat_harness *h = create(every_method[i], "");
		struct said said = { .is_anomaly = true };

		for (int j = 0; j < 300; j++)
			said = feed(h, 1, 0.1);
		ck_assert(!said.is_anomaly);
		ck_assert_double_eq(said.expected, 0.1);
		ck_assert_double_eq(said.deviation, 0);
		if (!is_forest)
			ck_assert_double_eq(said.score, 0);
		said = feed(h, 1, 0.1000001);
		ck_assert_msg(said.is_anomaly, "%s", every_method[i]);
		if (!is_forest)
			ck_assert_double_ge(said.score, 1e5);
		leat_harness_destroy(h);
	}
}
END_TEST

START_TEST(a_floor_keeps_small_changes_of_a_constant_from_being_anomalies)
{
	for (size_t i = 0; i < sizeof every_method / sizeof *every_method; i++) {
		struct leat_harness *h = create(every_method[i], "floor: 2");
		struct said said;

		for (int j = 0; j < 300; j++)
			said = feed(h, 1, 10);
		ck_assert_double_eq(said.deviation, 2);
		said = feed(h, 1, 11);
		ck_assert_msg(strcmp(every_method[i], "forest") == 0 || said.score <= 0.5, "%s", every_method[i]);
		ck_assert_msg(feed(h, 1, 90).is_anomaly, "%s", every_method[i]);
		leat_harness_destroy(h);
	}
}
END_TEST

START_TEST(nothing_that_comes_out_is_other_than_finite)
{
	static const double extremes[] = { 1e100, -1e100, 0, 5e-324, -5e-324, 1e100, 1e-300, 1e100, -1e100, 1 };

	for (size_t i = 0; i < sizeof every_method / sizeof *every_method; i++) {
		struct leat_harness *h = create(every_method[i], "warmup: 2\nwindow: 5\nmemory: 3");

		for (int j = 0; j < 400; j++) {
			struct said said = feed(h, 1, extremes[j * j % 10] / (j % 3 + 1));

			if (j < 10)
				continue;
			ck_assert_msg(isfinite(said.score) && said.score >= 0 && said.score <= 1e6, "%s", every_method[i]);
			ck_assert_msg(isfinite(said.expected) && isfinite(said.deviation), "%s", every_method[i]);
		}
		leat_harness_destroy(h);
	}
}
END_TEST

/* ---- what is learned --------------------------------------------------------------------------------------------- */

START_TEST(an_anomaly_is_learned_damped_or_whole_or_not_at_all)
{
	static const char *const learn[] = { "learn: damped", "learn: all", "learn: none" };
	double expected[3];

	for (size_t i = 0; i < 3; i++) {
		struct leat_harness *h = create("zscore", learn[i]);

		(void)feed_wave(h, 1, 0, 55);
		ck_assert(feed(h, 1, 1000).is_anomaly);
		expected[i] = feed(h, 1, 0).expected;
		leat_harness_destroy(h);
	}
	ck_assert_double_eq_tol(expected[0], 4 * sqrt(550.0 / 54) / 56, 1e-9);
	ck_assert_double_eq_tol(expected[1], 1000.0 / 56, 1e-9);
	ck_assert_double_eq_tol(expected[2], 0, 1e-12);
}
END_TEST

START_TEST(a_new_level_becomes_normal_unless_nothing_is_learned_of_it)
{
	static const char *const adapting[] = { "zscore", "ewma", "mad", "cusum", "forest" };

	for (size_t i = 0; i < sizeof adapting / sizeof *adapting; i++) {
		struct leat_harness *h = create(adapting[i], "memory: 40\nwindow: 40");

		(void)feed_wave(h, 1, 0, 300);
		ck_assert_int_gt(feed_wave(h, 1, 40, 400), 0);
		ck_assert_msg(feed_wave(h, 1, 40, 100) == 0, "%s", adapting[i]);
		leat_harness_destroy(h);
		h = create(adapting[i], "memory: 40\nwindow: 40\nlearn: none");
		(void)feed_wave(h, 1, 0, 300);
		(void)feed_wave(h, 1, 90, 400);
		ck_assert_msg(feed_wave(h, 1, 90, 100) > 0, "%s", adapting[i]);
		leat_harness_destroy(h);
	}
}
END_TEST

/* ---- each of them ------------------------------------------------------------------------------------------------ */

START_TEST(a_zscore_counts_deviations_of_a_sample)
{
	struct leat_harness *h = create("zscore", "warmup: 4");
	struct said said;

	(void)feed(h, 1, 2), (void)feed(h, 1, 4), (void)feed(h, 1, 4), (void)feed(h, 1, 6);
	said = feed(h, 1, 10);
	ck_assert_double_eq_tol(said.expected, 4, 1e-12);
	ck_assert_double_eq_tol(said.deviation, sqrt(8.0 / 3), 1e-12);
	ck_assert_double_eq_tol(said.score, 6 / sqrt(8.0 / 3), 1e-12);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(ewma_and_cusum_find_a_small_shift_that_a_zscore_does_not)
{
	static const struct {
		const char *method;
		bool is_found;
	} shift[] = { { "zscore", false }, { "mad", false }, { "ewma", true }, { "cusum", true } };

	for (size_t i = 0; i < sizeof shift / sizeof *shift; i++) {
		struct leat_harness *h = create(shift[i].method, "");

		ck_assert_int_eq(feed_wave(h, 1, 100, 500), 0);
		ck_assert_msg((feed_wave(h, 1, 105, 30) > 0) == shift[i].is_found, "%s", shift[i].method);
		leat_harness_destroy(h);
	}
}
END_TEST

START_TEST(cusum_begins_anew_after_an_alarm)
{
	struct leat_harness *h = create("cusum", "threshold: 5\nslack: 0.5");
	double score = 0;
	int n_anomalies = 0;

	(void)feed_wave(h, 1, 0, 550);
	for (int i = 0; i < 8; i++) {
		struct said said = feed(h, 1, -2.5 * 3.165);

		/* Some 2 deviations count a time: the third of them is over 5, after which it is 2 again. */
		ck_assert_double_eq_tol(said.score, 2 * (i % 3 + 1), 0.5);
		ck_assert(said.is_anomaly == (i % 3 == 2));
		n_anomalies += said.is_anomaly;
		score = said.score;
	}
	ck_assert_int_eq(n_anomalies, 2);
	ck_assert_double_gt(score, 3.5);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(mad_takes_the_median_of_the_window_and_bears_half_of_it_gone_wrong)
{
	struct leat_harness *h = create("mad", "warmup: 3\nwindow: 5\nlearn: all");
	struct said said;

	(void)feed(h, 1, -1e6), (void)feed(h, 1, 1), (void)feed(h, 1, 2), (void)feed(h, 1, 3), (void)feed(h, 1, 4), (void)feed(h, 1, 9);
	said = feed(h, 1, 0); /* 1 2 3 4 9 */
	ck_assert_double_eq_tol(said.expected, 3, 1e-12);
	ck_assert_double_eq_tol(said.deviation, 1.482602218505602, 1e-12);
	leat_harness_destroy(h);
	h = create("mad", "warmup: 4\nwindow: 4\nlearn: all");
	(void)feed(h, 1, 1), (void)feed(h, 1, 3), (void)feed(h, 1, 900), (void)feed(h, 1, 2);
	said = feed(h, 1, 0); /* 1 2 3 900: median 2.5, distances 0.5 0.5 1.5 897.5 */
	ck_assert_double_eq_tol(said.expected, 2.5, 1e-12);
	ck_assert_double_eq_tol(said.deviation, 1.482602218505602, 1e-12);
	leat_harness_destroy(h);
	h = create("mad", "warmup: 4\nwindow: 4\nlearn: all");
	(void)feed(h, 1, 5), (void)feed(h, 1, 5), (void)feed(h, 1, 5), (void)feed(h, 1, 9);
	said = feed(h, 1, 6); /* the median distance is 0, the mean one 1 */
	ck_assert_double_eq_tol(said.deviation, 1.2533141373155001, 1e-12);
	leat_harness_destroy(h);
}
END_TEST

/* Two fields that go together: each value of both is common, some pairs never come. */
static struct said feed_pair(struct leat_harness *h, double a, double b)
{
	char event[128];

	(void)snprintf(event, sizeof event, "{\"a\":%.17g,\"b\":%.17g}", a, b);
	ck_assert_int_eq(leat_harness_push(h, event), LEAT_OK);
	return read_said(leat_harness_pull(h, "out"));
}

START_TEST(a_forest_finds_a_pair_that_never_comes_of_values_that_do)
{
	struct leat_harness *h = leat_harness_create("anomaly", "field: [a, b]\nmethod: forest\nwindow: 500\ndepth: 8\nthreshold: 0.79");

	for (int i = 0; i < 1100; i++) {
		double x = WAVE(i) + (i % 13) / 13.0;

		(void)feed_pair(h, x, x);
	}
	ck_assert(!feed_pair(h, 4.5, 4.5).is_anomaly);
	ck_assert(!feed_pair(h, -4.5, -4.5).is_anomaly);
	ck_assert(feed_pair(h, 4.5, -4.5).is_anomaly);
	ck_assert(feed_pair(h, -4.5, 4.5).is_anomaly);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_seed_makes_the_same_trees_each_time_and_another_seed_others)
{
	static const char *const seed[] = { "seed: 5", "seed: 5", "seed: 6" };
	double sum[3] = { 0, 0, 0 };

	for (size_t i = 0; i < 3; i++) {
		struct leat_harness *h = create("forest", seed[i]);

		(void)feed_wave(h, 1, 0, 200);
		for (int j = 0; j < 50; j++)
			sum[i] += feed(h, 1, j / 5.0).score;
		leat_harness_destroy(h);
	}
	ck_assert_double_eq(sum[0], sum[1]);
	ck_assert_double_ne(sum[0], sum[2]);
}
END_TEST

/* ---- seasonal ---------------------------------------------------------------------------------------------------- */

#define HOUR INT64_C(3600000000)
#define MONDAY (INT64_C(1767571200) * 1000000) /* 2026-01-05T00:00:00Z */

static struct said feed_at(struct leat_harness *h, int64_t time_us, double value)
{
	char event[128];

	(void)snprintf(event, sizeof event, "{\"k\":1,\"v\":%.17g}", value);
	ck_assert_int_eq(leat_harness_push_at(h, time_us, event), LEAT_OK);
	return read_said(leat_harness_pull(h, "out"));
}

/* 200 between 8 and 20 o'clock, else 100; on Saturday and Sunday always 100. */
static double usual(int64_t hour, bool has_week)
{
	return hour % 24 >= 8 && hour % 24 < 20 && !(has_week && hour / 24 % 7 >= 5) ? 200 : 100;
}

/* Events at every quarter of these hours after Monday; how many were anomalies. */
static int feed_hours(struct leat_harness *h, int64_t from, int64_t until, bool has_week)
{
	int n_anomalies = 0;

	for (int64_t i = 4 * from; i < 4 * until; i++)
		n_anomalies += feed_at(h, MONDAY + i * HOUR / 4, usual(i / 4, has_week) + WAVE(i)).is_anomaly;
	return n_anomalies;
}

START_TEST(what_is_usual_at_noon_is_an_anomaly_at_night)
{
	struct leat_harness *h = create("seasonal", "");
	struct said said;

	ck_assert_int_eq(feed_hours(h, 0, 24 * 6 + 3, false), 0);
	said = feed_at(h, MONDAY + (24 * 6 + 3) * HOUR, 200);
	ck_assert(said.is_anomaly);
	ck_assert_double_eq_tol(said.expected, 100, 3);
	ck_assert_int_eq(feed_hours(h, 24 * 6 + 4, 24 * 6 + 12, false), 0);
	said = feed_at(h, MONDAY + (24 * 6 + 12) * HOUR, 200);
	ck_assert(!said.is_anomaly);
	ck_assert_double_eq_tol(said.expected, 200, 3);
	ck_assert(feed_at(h, MONDAY + (24 * 6 + 12) * HOUR, 100).is_anomaly);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_week_tells_its_days_apart_and_a_day_does_not)
{
	static const char *const season[] = { "season: week", "season: both" };

	for (size_t i = 0; i < 2; i++) {
		struct leat_harness *h = create("seasonal", season[i]);

		ck_assert_int_eq(feed_hours(h, 0, 7 * 24 * 3 + 5 * 24 + 12, true), 0);
		/* Saturday of the fourth week, at noon. */
		ck_assert_msg(feed_at(h, MONDAY + (7 * 24 * 3 + 5 * 24 + 12) * HOUR, 200).is_anomaly, "%s", season[i]);
		leat_harness_destroy(h);
	}
}
END_TEST

START_TEST(a_season_is_gathered_before_there_is_a_score)
{
	struct leat_harness *h = create("seasonal", "warmup: 8");

	for (int64_t i = 0; i < 24 * 4 + 8; i++)
		ck_assert(isnan(feed_at(h, MONDAY + i * HOUR / 4, usual(i / 4, false)).score));
	ck_assert(!isnan(feed_at(h, MONDAY + (24 * 4 + 8) * HOUR / 4, 100).score));
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_slot_that_never_had_an_event_is_learned_first)
{
	struct leat_harness *h = create("seasonal", "warmup: 8");
	struct said said;

	/* Only from 0 to 12 o'clock, for three days. */
	for (int64_t i = 0; i < 3 * 12 * 4; i++)
		(void)feed_at(h, MONDAY + (i / 48 * 24) * HOUR + i % 48 * HOUR / 4, 100 + WAVE(i));
	ck_assert(isnan(feed_at(h, MONDAY + (2 * 24 + 20) * HOUR, 500).score));
	(void)feed_hours(h, 3 * 24, 3 * 24 + 8, false);
	said = feed_at(h, MONDAY + (3 * 24 + 20) * HOUR, 500);
	ck_assert(!said.is_anomaly);
	ck_assert_double_eq_tol(said.expected, 500, 10);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(an_event_whose_slot_is_over_is_judged_and_not_learned)
{
	struct leat_harness *h = create("seasonal", "learn: all");
	double expected, deviation;

	(void)feed_hours(h, 0, 24 * 4, false);
	expected = feed_at(h, MONDAY + 24 * 4 * HOUR, 100).expected;
	ck_assert_double_eq_tol(expected, 100, 3);
	deviation = feed_at(h, MONDAY + 24 * 4 * HOUR - 1, 1e6).deviation;
	ck_assert(feed_at(h, MONDAY + 24 * 4 * HOUR - 1, 1e6).is_anomaly);
	ck_assert_double_eq(feed_at(h, MONDAY + 24 * 4 * HOUR - 1, 1e6).deviation, deviation);
	ck_assert_double_eq(feed_at(h, MONDAY + 24 * 4 * HOUR, 100).expected, expected);
	leat_harness_destroy(h);
}
END_TEST

#define DAY (24 * HOUR)

START_TEST(an_event_far_ahead_does_not_end_what_is_learned)
{
	struct leat_harness *h = create("seasonal", "");
	double deviation;

	(void)feed_hours(h, 0, 24 * 4, false);
	(void)feed_at(h, MONDAY + 30000 * DAY, 100);
	deviation = feed_at(h, MONDAY + 4 * DAY, 100).deviation;
	ck_assert_int_eq(feed_hours(h, 24 * 4, 24 * 5, false), 0);
	ck_assert_double_ne(feed_at(h, MONDAY + 5 * DAY, 100).deviation, deviation);
	/* Nor do two that are far apart, or that others come between. */
	(void)feed_at(h, MONDAY + 30000 * DAY, 100);
	(void)feed_at(h, MONDAY + 40000 * DAY, 100);
	(void)feed_at(h, MONDAY + 5 * DAY, 100);
	(void)feed_at(h, MONDAY + 40000 * DAY, 100);
	deviation = feed_at(h, MONDAY + 5 * DAY, 100).deviation;
	ck_assert_int_eq(feed_hours(h, 24 * 5, 24 * 6, false), 0);
	ck_assert_double_ne(feed_at(h, MONDAY + 6 * DAY, 100).deviation, deviation);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(after_a_long_pause_learning_goes_on)
{
	struct leat_harness *h = create("seasonal", "");
	double deviation;

	(void)feed_hours(h, 0, 24 * 4, false);
	deviation = feed_at(h, MONDAY + 60 * DAY, 100).deviation; /* not learned yet */
	ck_assert_double_eq(feed_at(h, MONDAY + 60 * DAY + HOUR, 101).deviation, deviation);
	ck_assert_double_ne(feed_at(h, MONDAY + 60 * DAY + HOUR, 101).deviation, deviation);
	ck_assert_int_eq(feed_hours(h, 24 * 61, 24 * 65, false), 0);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_first_event_with_a_wrong_time_is_no_season)
{
	static const int64_t wrong[] = { -20000 * DAY, 30000 * DAY };

	for (size_t i = 0; i < 2; i++) {
		struct leat_harness *h = create("seasonal", "warmup: 8");

		ck_assert(isnan(feed_at(h, MONDAY + wrong[i], 1e6).score));
		for (int64_t k = 0; k < 24 * 4 + 8; k++)
			ck_assert(isnan(feed_at(h, MONDAY + k * HOUR / 4, usual(k / 4, false)).score));
		ck_assert_double_eq_tol(feed_at(h, MONDAY + (24 * 4 + 8) * HOUR / 4, 100).expected, 100, 1);
		leat_harness_destroy(h);
	}
}
END_TEST

START_TEST(a_trend_is_followed_when_it_is_asked_for)
{
	struct leat_harness *h = create("seasonal", "beta: 0.1\nalpha: 0.3\ngamma: 0.1");
	struct said said = { .expected = 0 };

	for (int64_t hour = 0; hour < 24 * 20; hour++)
		said = feed_at(h, MONDAY + hour * HOUR, usual(hour, false) + (double)hour);
	ck_assert_double_eq_tol(said.expected, 100 + 24 * 20 - 1, 5);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_constant_at_all_hours_has_no_score)
{
	struct leat_harness *h = create("seasonal", "");
	struct said said = { .is_anomaly = true };

	/* The mean of three times 0.1 is not quite 0.1. */
	for (int64_t i = 0; i < 3 * 24 * 4; i++)
		said = feed_at(h, MONDAY + i * HOUR / 3, 0.1);
	ck_assert_double_eq(said.score, 0);
	ck_assert_double_eq(said.deviation, 0);
	ck_assert_double_eq(feed_at(h, MONDAY + 24 * 4 * HOUR, 0.2).score, 1e6);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(seasons_of_extremes_stay_finite)
{
	static const double extremes[] = { 1e100, -1e100, -1e100, 1e100, 0, 5e-324, 1e100 };
	struct leat_harness *h = create("seasonal", "warmup: 2\nlearn: all\nmemory: 3\nslot: 12h\nalpha: 0.5\nbeta: 0.4\ngamma: 0.4");

	for (int64_t i = 0; i < 3000; i++) {
		struct said said = feed_at(h, MONDAY + (i + i * i % 17) * HOUR * 6, extremes[i * i % 7]);

		ck_assert(i < 100 || (isfinite(said.score) && isfinite(said.expected) && isfinite(said.deviation)));
	}
	leat_harness_destroy(h);
}
END_TEST

START_TEST(an_event_without_time_has_no_season)
{
	struct leat_harness *h = create("seasonal", "");

	expect_dead(h, "{\"k\":1,\"v\":1}", "the event has no time");
	leat_harness_destroy(h);
}
END_TEST

/* ---- what comes out ---------------------------------------------------------------------------------------------- */

START_TEST(an_alert_says_why)
{
	struct leat_harness *h = leat_harness_create("anomaly", "key: k\nfield: a.v\nwarmup: 3\nthreshold: 2\nprefix: a_");

	leat_harness_push(h, "{\"k\":1,\"a\":{\"v\":1}}");
	leat_harness_push(h, "{\"k\":1,\"a\":{\"v\":2}}");
	leat_harness_push(h, "{\"k\":1,\"a\":{\"v\":3}}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":1,\"a\":{\"v\":1},\"a_score\":null,\"a_expected\":null,\"a_deviation\":null,"
	                                              "\"a_is_anomaly\":false}");
	ck_assert_ptr_null(leat_harness_pull(h, "alerts"));
	leat_harness_push(h, "{\"k\":1,\"a\":{\"v\":-1}}");
	ck_assert_str_eq(leat_harness_pull(h, "alerts"),
	                 "{\"k\":1,\"a\":{\"v\":-1},\"a_score\":3,\"a_expected\":2,\"a_deviation\":1,\"a_is_anomaly\":true,\"a_why\":"
	                 "{\"method\":\"zscore\",\"field\":\"a.v\",\"value\":-1,\"expected\":2,\"deviation\":1,\"score\":3,\"threshold\":2,"
	                 "\"side\":\"below\"}}");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(figures_are_chosen_and_named_by_an_option)
{
	struct leat_harness *h = leat_harness_create("anomaly", "key: k\nfield: v\nwarmup: 2\nfigures: {risk: score, odd: is_anomaly}");

	leat_harness_push(h, "{\"k\":1,\"v\":1}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"k\":1,\"v\":1,\"risk\":null,\"odd\":false}");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(an_event_without_a_number_is_rejected_and_not_learned)
{
	for (size_t i = 0; i < sizeof every_method / sizeof *every_method; i++) {
		struct leat_harness *h = create(every_method[i], "");
		double before, after;

		(void)feed_wave(h, 1, 0, 300);
		before = feed(h, 1, 3).expected;
		expect_dead(h, "{\"k\":1}", "field \\\"v\\\" is missing");
		expect_dead(h, "{\"k\":1,\"v\":null}", "field \\\"v\\\" is missing");
		expect_dead(h, "{\"k\":1,\"v\":\"7\"}", "field \\\"v\\\" is no number");
		expect_dead(h, "{\"k\":1,\"v\":true}", "field \\\"v\\\" is no number");
		expect_dead(h, "{\"k\":1,\"v\":-2e100}", "field \\\"v\\\" is -2e+100, expected 1e+100 at most in size");
		(void)feed(h, 1, before);
		after = feed(h, 1, 3).expected;
		ck_assert_double_eq_tol(before, after, 0.1);
		leat_harness_destroy(h);
	}
}
END_TEST

START_TEST(without_a_key_all_events_are_of_one)
{
	struct leat_harness *h = leat_harness_create("anomaly", "field: v\nwarmup: 3\nfigures: {expected: expected}");

	expect_dead(h, "[1]", "the event has no fields");
	leat_harness_push_batch(h, (const char *const[]){ "{\"v\":1}", "{\"v\":2}", "{\"v\":3}", "{\"v\":4}", NULL });
	for (int i = 0; i < 3; i++)
		ck_assert_ptr_nonnull(leat_harness_pull(h, "out"));
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"v\":4,\"expected\":2}");
	ck_assert_uint_eq(leat_harness_state_entries(h), 1);
	leat_harness_destroy(h);
	h = create("zscore", "");
	expect_dead(h, "{\"k\":null,\"v\":1}", "field \\\"k\\\" is missing or null, and it is the key");
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_key_that_was_quiet_for_long_warms_up_again)
{
	struct leat_harness *h = create("zscore", "warmup: 5\nforget: 1m");

	(void)feed_wave(h, 1, 0, 10);
	ck_assert(!isnan(feed(h, 1, 0).score));
	leat_harness_set_time(h, INT64_C(1000000000000000) + 61000000);
	ck_assert(isnan(feed(h, 1, 0).score));
	leat_harness_destroy(h);
}
END_TEST

static void expect_refused(const char *options, const char *expected)
{
	char *text = leat_harness_refused("anomaly", options);

	ck_assert_msg(strstr(text, expected) != NULL, "%s: %s", options, text);
	free(text);
}

START_TEST(options_that_cannot_be_are_refused)
{
	expect_refused("key: k", "field");
	expect_refused("key: k\nfield: v\nmethod: magic", "magic");
	expect_refused("key: k\nfield: v\nfigures: {why: score}", "two fields of a row would have the name \"why\"");
	expect_refused("key: score\nfield: v", "two fields of a row would have the name \"score\"");
	expect_refused("key: k\nfield: [a, b]", "zscore takes 1 field, found 2");
	expect_refused("key: k\nfield: [a, b, c, d, e, f, g, h, i]\nmethod: forest", "forest takes 8 fields at most, found 9");
	expect_refused("key: k\nfield: v\nmemory: 1", "a memory of 1 value has no deviation");
	expect_refused("key: k\nfield: v\nmethod: mad\nwindow: 10", "a warm-up of 30 values does not fit into a window of 10");
	expect_refused("key: k\nfield: v\nmethod: mad\nwindow: 4096", "window");
	expect_refused("key: k\nfield: v\nmethod: forest\ntrees: 100\ndepth: 10",
	               "100 trees of depth 10 have 204700 nodes, expected at most 16128");
	expect_refused("key: k\nfield: v\nmethod: seasonal\nslot: 7h", "slots of 25200 s do not divide a day evenly");
	expect_refused("key: k\nfield: v\nmethod: seasonal\nalpha: 0.9", "alpha and gamma come to more than 1");
	expect_refused("key: k\nfield: v\nmethod: seasonal\nseason: both\ngamma: 0.5", "alpha and two times gamma come to more than 1");
	expect_refused("key: k\nfield: v\nmethod: seasonal\nbeta: 1", "with alpha 0.1 and gamma 0.2, a beta of 1 makes errors grow from season");
	expect_refused("key: k\nfield: v\nfigures: {a: median}", "there is no figure \"median\", expected score, expected, deviation or is_anomaly");
}
END_TEST

int main(void)
{
	return leat_test_main("anomaly", (const TTest *[]){ every_method_finds_a_spike_and_nothing_else,
	                                                    keys_know_nothing_of_each_other,
	                                                    there_is_no_score_before_the_warm_up_is_over,
	                                                    a_constant_has_no_score_and_anything_else_the_largest,
	                                                    a_floor_keeps_small_changes_of_a_constant_from_being_anomalies,
	                                                    nothing_that_comes_out_is_other_than_finite,
	                                                    an_anomaly_is_learned_damped_or_whole_or_not_at_all,
	                                                    a_new_level_becomes_normal_unless_nothing_is_learned_of_it,
	                                                    a_zscore_counts_deviations_of_a_sample,
	                                                    ewma_and_cusum_find_a_small_shift_that_a_zscore_does_not,
	                                                    cusum_begins_anew_after_an_alarm,
	                                                    mad_takes_the_median_of_the_window_and_bears_half_of_it_gone_wrong,
	                                                    a_forest_finds_a_pair_that_never_comes_of_values_that_do,
	                                                    a_seed_makes_the_same_trees_each_time_and_another_seed_others,
	                                                    what_is_usual_at_noon_is_an_anomaly_at_night,
	                                                    a_week_tells_its_days_apart_and_a_day_does_not,
	                                                    a_season_is_gathered_before_there_is_a_score,
	                                                    a_slot_that_never_had_an_event_is_learned_first,
	                                                    an_event_whose_slot_is_over_is_judged_and_not_learned,
	                                                    an_event_far_ahead_does_not_end_what_is_learned,
	                                                    after_a_long_pause_learning_goes_on,
	                                                    a_first_event_with_a_wrong_time_is_no_season,
	                                                    a_trend_is_followed_when_it_is_asked_for,
	                                                    a_constant_at_all_hours_has_no_score,
	                                                    seasons_of_extremes_stay_finite,
	                                                    an_event_without_time_has_no_season,
	                                                    an_alert_says_why,
	                                                    figures_are_chosen_and_named_by_an_option,
	                                                    an_event_without_a_number_is_rejected_and_not_learned,
	                                                    without_a_key_all_events_are_of_one,
	                                                    a_key_that_was_quiet_for_long_warms_up_again,
	                                                    options_that_cannot_be_are_refused,
	                                                    NULL });
}
