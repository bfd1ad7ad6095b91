/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status.h"

#include "sample.h"
#include "service/format.h"
#include "unit.h"

static struct leat_status_view view(void)
{
	return (struct leat_status_view){
		.name = "payments",
		.elapsed_us = 12000000,
		.reading = {.in_per_s = 15000, .out_per_s = 14900, .p99_us = 12000, .totals = {.lag = 120, .behind_us = -1, .queue = 0.03, .alerts = 7}},
	};
}

static const char *format(const struct leat_status_view *v, size_t width, bool has_colours)
{
	static char text[512];
	struct leat_buffer out = {0};

	leat_status_format(&out, v, width, has_colours);
	ck_assert_uint_lt(out.n, sizeof text);
	memcpy(text, out.data, out.n);
	text[out.n] = '\0';
	leat_buffer_finish(&out);
	return text;
}

START_TEST(a_wide_terminal_shows_everything)
{
	struct leat_status_view v = view();

	ck_assert_str_eq(format(&v, 120, false),
	                 "payments  15.0k in/s  14.9k out/s  lag 120  queue 3%  p99 12 ms  alerts 7  dead 0  12s");
}
END_TEST

START_TEST(a_narrow_terminal_loses_the_least_important_first)
{
	struct leat_status_view v = view();

	ck_assert_str_eq(format(&v, 84, false), "payments  15.0k in/s  14.9k out/s  lag 120  queue 3%  p99 12 ms  alerts 7  dead 0");
	ck_assert_str_eq(format(&v, 70, false), "payments  15.0k in/s  14.9k out/s  lag 120  alerts 7  dead 0");
	ck_assert_str_eq(format(&v, 30, false), "payments  15.0k in/s");
	ck_assert_str_eq(format(&v, 10, false), "payments");
	ck_assert_str_eq(format(&v, 4, false), "paym");
}
END_TEST

START_TEST(the_line_never_is_wider_than_the_terminal)
{
	struct leat_status_view v = view();

	v.state = "starting";
	v.waiting = "a node with a long name";
	for (size_t width = 1; width < 160; width++)
		ck_assert_uint_le(strlen(format(&v, width, false)), width);
}
END_TEST

START_TEST(colours_take_no_columns_and_show_what_is_wrong)
{
	struct leat_status_view v = view();

	v.reading.totals.dead_letters = 3;
	ck_assert_ptr_nonnull(strstr(format(&v, 120, true), "\033[1;31mdead 3\033[0m"));
	ck_assert_ptr_nonnull(strstr(format(&v, 86, true), "12s"));
	ck_assert_ptr_null(strchr(format(&v, 120, false), '\033'));
}
END_TEST

START_TEST(unknown_lag_and_latency_are_left_out)
{
	struct leat_status_view v = view();

	v.reading.totals.lag = -1;
	v.reading.p99_us = -1;
	ck_assert_str_eq(format(&v, 120, false), "payments  15.0k in/s  14.9k out/s  queue 3%  alerts 7  dead 0  12s");
}
END_TEST

START_TEST(where_event_time_is_used_it_says_how_far_that_is_behind)
{
	struct leat_status_view v = view();

	v.reading.totals.behind_us = 2140000;
	ck_assert_str_eq(format(&v, 120, false), "payments  15.0k in/s  14.9k out/s  lag 120  watermark 2.1 s behind  queue 3%  p99 12 ms  "
	                                         "alerts 7  dead 0  12s");
	v.reading.totals.behind_us = INT64_C(185000000);
	ck_assert_ptr_nonnull(strstr(format(&v, 120, false), "  watermark 3m05s behind  "));
}
END_TEST

START_TEST(names_beyond_ascii_are_cut_between_characters)
{
	struct leat_status_view v = view();

	v.name = "zahlungsströme";
	ck_assert_str_eq(format(&v, 12, false), "zahlungsströ");
}
END_TEST

START_TEST(a_node_that_is_not_ready_is_named)
{
	struct leat_status_view v = view();
	char name[64];
	struct sample s;

	sample_init(&s);
	leat_status_describe(&v, &s.snapshot, 1, name, sizeof name);
	ck_assert_ptr_null(v.state);
	ck_assert_ptr_null(v.waiting);
	s.snapshot.figures.state = LEAT_RUN_STARTING;
	s.node_figures[2].is_ready = false;
	leat_status_describe(&v, &s.snapshot, 1, name, sizeof name);
	ck_assert_str_eq(v.name, "pay");
	ck_assert_str_eq(v.state, "starting");
	ck_assert_str_eq(v.waiting, "out");
}
END_TEST

START_TEST(several_pipelines_show_the_state_that_says_most)
{
	struct leat_status_view v = view();
	struct sample s[2];
	char name[64];

	sample_init(&s[0]);
	sample_init(&s[1]);
	s[1].snapshot.figures.state = LEAT_RUN_STOPPED;
	leat_status_describe(&v, (struct leat_snapshot[]){s[0].snapshot, s[1].snapshot}, 2, name, sizeof name);
	ck_assert_str_eq(v.name, "2 pipelines");
	ck_assert_str_eq(v.state, "stopped");
}
END_TEST

START_TEST(rates_are_over_the_last_two_seconds_and_latency_over_ten)
{
	static struct leat_meter meter;
	struct leat_reading reading;
	struct leat_totals t;

	leat_totals_init(&t);
	memset(&meter, 0, sizeof meter);
	for (int i = 0; i <= 80; i++) { /* 20 s, four samples a second */
		if (i <= 40)
			t.latency[leat_latency_bucket(1000000)] = (uint64_t)i; /* about a second, at first */
		else
			t.latency[leat_latency_bucket(12)] = (uint64_t)(i - 40);
		t.in = i <= 60 ? (uint64_t)i * 1000 : 60000 + (uint64_t)(i - 60) * 100;
		leat_meter_add(&meter, i * 250000, &t);
	}
	leat_meter_read(&meter, &reading);
	ck_assert_double_eq_tol(reading.in_per_s, 400, 0.5);
	ck_assert_double_eq_tol(reading.out_per_s, 0, 1e-9);
	ck_assert_double_gt(reading.p99_us, 8);
	ck_assert_double_le(reading.p99_us, 16);
}
END_TEST

START_TEST(a_first_sample_has_no_rates)
{
	static struct leat_meter meter;
	struct leat_reading reading;
	struct leat_totals t;

	leat_totals_init(&t);
	t.in = 5;
	leat_meter_add(&meter, 1, &t);
	leat_meter_read(&meter, &reading);
	ck_assert_double_eq_tol(reading.in_per_s, 0, 1e-9);
	ck_assert_double_eq_tol(reading.p99_us, -1, 1e-9);
}
END_TEST

START_TEST(sparse_samples_still_give_a_rate)
{
	static struct leat_meter meter;
	struct leat_reading reading;
	struct leat_totals t;

	leat_totals_init(&t);
	for (int i = 0; i < 3; i++) {
		t.in = (uint64_t)i * 600;
		leat_meter_add(&meter, i * INT64_C(60000000), &t);
	}
	leat_meter_read(&meter, &reading);
	ck_assert_double_eq_tol(reading.in_per_s, 10, 0.01);
}
END_TEST

START_TEST(numbers_are_short_and_round_to_the_next_unit)
{
	static const struct {
		double n;
		const char *text;
	} cases[] = {{0, "0"}, {999, "999"}, {999.7, "1.0k"}, {15000, "15.0k"}, {99960, "100k"}, {999600, "1.00M"}, {1.234e6, "1.23M"}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct leat_buffer out = {0};

		leat_format_count(&out, cases[i].n);
		leat_buffer_byte(&out, '\0');
		ck_assert_str_eq(out.data, cases[i].text);
		leat_buffer_finish(&out);
	}
}
END_TEST

START_TEST(times_are_short)
{
	struct leat_buffer out = {0};

	leat_format_latency(&out, 250);
	leat_buffer_byte(&out, ' ');
	leat_format_latency(&out, 1500);
	leat_buffer_byte(&out, ' ');
	leat_format_latency(&out, 3.14e6);
	leat_buffer_byte(&out, ' ');
	leat_format_elapsed(&out, 185 * INT64_C(1000000));
	leat_buffer_byte(&out, ' ');
	leat_format_elapsed(&out, 90000 * INT64_C(1000000));
	leat_buffer_byte(&out, '\0');
	ck_assert_str_eq(out.data, "250 us 1.5 ms 3.1 s 3m05s 1d01h");
	leat_buffer_finish(&out);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_wide_terminal_shows_everything,
		a_narrow_terminal_loses_the_least_important_first,
		the_line_never_is_wider_than_the_terminal,
		colours_take_no_columns_and_show_what_is_wrong,
		unknown_lag_and_latency_are_left_out,
		where_event_time_is_used_it_says_how_far_that_is_behind,
		names_beyond_ascii_are_cut_between_characters,
		a_node_that_is_not_ready_is_named,
		several_pipelines_show_the_state_that_says_most,
		rates_are_over_the_last_two_seconds_and_latency_over_ten,
		a_first_sample_has_no_rates,
		sparse_samples_still_give_a_rate,
		numbers_are_short_and_round_to_the_next_unit,
		times_are_short,
		NULL,
	};

	return leat_test_main("status", tests);
}
