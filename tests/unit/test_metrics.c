/* SPDX-License-Identifier: Apache-2.0 */
#include "service/metrics.h"

#include "sample.h"
#include "unit.h"

static char *render(const struct leat_snapshot *snapshot, size_t n)
{
	struct leat_buffer out = {0};

	leat_metrics_render(&out, snapshot, n);
	leat_buffer_byte(&out, '\0');
	return out.data;
}

static void has(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	ck_assert_msg(at != NULL && (at == text || at[-1] == '\n'), "no line \"%s\" in\n%s", line, text);
}

static void has_not(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) == NULL, "\"%s\" in\n%s", part, text);
}

static size_t count(const char *text, const char *part)
{
	size_t n = 0;

	while ((text = strstr(text, part)) != NULL) {
		n++;
		text += strlen(part);
	}
	return n;
}

START_TEST(nodes_and_edges_have_series_with_their_labels)
{
	struct sample s;
	char *text;

	sample_init(&s);
	text = render(&s.snapshot, 1);
	has(text, "leat_records_in_total{pipeline=\"pay\",node=\"in\",role=\"source\",type=\"generate\"} 1000\n");
	has(text, "leat_edge_records_total{pipeline=\"pay\",from=\"in\",port=\"out\",to=\"a \\\"quoted\\\\\\nname\"} 998\n");
	has(text, "leat_edge_records_total{pipeline=\"pay\",from=\"in\",port=\"dead\",to=\"lost\"} 0\n");
	has(text, "leat_sink_queue_bytes{pipeline=\"pay\",node=\"out\",role=\"sink\",type=\"thing\"} 30\n");
	has(text, "leat_alerts_total{pipeline=\"pay\"} 7\n");
	has(text, "leat_worker_stall_seconds{pipeline=\"pay\"} 2.5\n");
	has(text, "leat_start_time_seconds{pipeline=\"pay\"} 1.5\n");
	free(text);
}
END_TEST

START_TEST(quotes_backslashes_and_newlines_in_names_are_escaped)
{
	struct sample s;
	char *text;

	sample_init(&s);
	text = render(&s.snapshot, 1);
	has(text, "leat_busy_seconds_total{pipeline=\"pay\",node=\"a \\\"quoted\\\\\\nname\",role=\"operator\",type=\"thing\"} 1.5\n");
	free(text);
}
END_TEST

START_TEST(figures_stand_only_where_they_mean_something)
{
	struct sample s;
	char *text;

	sample_init(&s);
	text = render(&s.snapshot, 1);
	ck_assert_uint_eq(count(text, "leat_source_lag_records{"), 1);
	ck_assert_uint_eq(count(text, "leat_state_entries{"), 1);
	ck_assert_uint_eq(count(text, "leat_sink_queue_bytes{"), 2);
	ck_assert_uint_eq(count(text, "leat_edge_queued_batches{"), 1);
	free(text);
	s.node_figures[0].lag = -1;
	text = render(&s.snapshot, 1);
	has_not(text, "leat_source_lag_records{");
	free(text);
}
END_TEST

START_TEST(watermarks_are_there_where_they_are_known)
{
	struct sample s;
	char *text;

	sample_init(&s);
	s.node_figures[0].watermark_us = INT64_C(1600000000500000);
	s.node_figures[0].behind_us = 2500000;
	s.node_figures[0].late = 3;
	s.node_figures[0].idle_partitions = 1;
	s.node_figures[1].behind_us = -1;
	text = render(&s.snapshot, 1);
	ck_assert_uint_eq(count(text, "leat_watermark_seconds{"), 1);
	ck_assert_uint_eq(count(text, "leat_event_time_lag_seconds{"), 1);
	ck_assert_ptr_nonnull(strstr(text, "} 1600000000.5\n"));
	ck_assert_ptr_nonnull(strstr(text, "} 2.5\n"));
	ck_assert_uint_eq(count(text, "leat_events_late_total{"), 1);
	ck_assert_uint_eq(count(text, "leat_source_idle_partitions{"), 1);
	free(text);
}
END_TEST

START_TEST(latency_buckets_are_cumulative_and_agree_with_the_count)
{
	struct sample s;
	char *text;

	sample_init(&s);
	text = render(&s.snapshot, 1);
	has(text, "leat_end_to_end_latency_seconds_bucket{pipeline=\"pay\",le=\"6.4e-05\"} 5\n");
	has(text, "leat_end_to_end_latency_seconds_bucket{pipeline=\"pay\",le=\"0.000512\"} 5\n");
	has(text, "leat_end_to_end_latency_seconds_bucket{pipeline=\"pay\",le=\"0.001024\"} 85\n");
	has(text, "leat_end_to_end_latency_seconds_bucket{pipeline=\"pay\",le=\"67.108864\"} 85\n");
	has(text, "leat_end_to_end_latency_seconds_bucket{pipeline=\"pay\",le=\"+Inf\"} 100\n");
	has(text, "leat_end_to_end_latency_seconds_sum{pipeline=\"pay\"} 2.5\n");
	has(text, "leat_end_to_end_latency_seconds_count{pipeline=\"pay\"} 100\n");
	free(text);
}
END_TEST

START_TEST(each_phase_of_the_latency_that_there_is_has_a_histogram)
{
	struct sample s;
	char *text;

	sample_init(&s);
	text = render(&s.snapshot, 1);
	has(text, "leat_latency_phase_seconds_bucket{pipeline=\"pay\",node=\"out\",phase=\"store\",le=\"0.000512\"} 0\n");
	has(text, "leat_latency_phase_seconds_bucket{pipeline=\"pay\",node=\"out\",phase=\"store\",le=\"0.001024\"} 100\n");
	has(text, "leat_latency_phase_seconds_bucket{pipeline=\"pay\",node=\"out\",phase=\"store\",le=\"+Inf\"} 100\n");
	has(text, "leat_latency_phase_seconds_sum{pipeline=\"pay\",node=\"out\",phase=\"store\"} 0.40000000000000002\n");
	has(text, "leat_latency_phase_seconds_count{pipeline=\"pay\",node=\"out\",phase=\"store\"} 100\n");
	ck_assert_uint_eq(count(text, "leat_latency_phase_seconds_count{"), 6);
	has_not(text, "phase=\"source\"");
	has_not(text, "phase=\"commit\"");
	free(text);
}
END_TEST

START_TEST(a_family_is_told_once_however_many_pipelines_there_are)
{
	struct sample s[2];
	char *text;

	sample_init(&s[0]);
	sample_init(&s[1]);
	s[1].snapshot.pipeline = "other";
	text = render((struct leat_snapshot[]){s[0].snapshot, s[1].snapshot}, 2);
	ck_assert_uint_eq(count(text, "# TYPE leat_records_in_total counter\n"), 1);
	ck_assert_uint_eq(count(text, "# HELP leat_end_to_end_latency_seconds "), 1);
	ck_assert_uint_eq(count(text, "leat_records_in_total{"), 8);
	has(text, "leat_alerts_total{pipeline=\"other\"} 7\n");
	free(text);
}
END_TEST

START_TEST(exactly_one_state_is_one)
{
	struct sample s;
	char *text;

	sample_init(&s);
	text = render(&s.snapshot, 1);
	ck_assert_uint_eq(count(text, "leat_pipeline_state{"), LEAT_RUN_STATES);
	for (unsigned state = 0; state < LEAT_RUN_STATES; state++) {
		char line[128];

		(void)snprintf(line, sizeof line, "leat_pipeline_state{pipeline=\"pay\",state=\"%s\"} %d\n",
		               leat_run_state_name((enum leat_run_state)state), state == LEAT_RUN_RUNNING);
		has(text, line);
	}
	free(text);
}
END_TEST

START_TEST(a_file_that_could_not_be_read_shows_as_stopped)
{
	const struct leat_snapshot broken = {.pipeline = "broken", .file = "broken.yaml", .trouble = "has errors"};
	char *text = render(&broken, 1);

	has(text, "leat_pipeline_state{pipeline=\"broken\",state=\"stopped\"} 1\n");
	has(text, "leat_pipeline_state{pipeline=\"broken\",state=\"starting\"} 0\n");
	has_not(text, "leat_alerts_total{");
	free(text);
}
END_TEST

START_TEST(the_process_is_measured)
{
	struct leat_buffer out = {0};
	const char *at;

	leat_process_metrics_render(&out);
	leat_buffer_byte(&out, '\0');
	at = strstr(out.data, "\nprocess_resident_memory_bytes ");
	ck_assert_ptr_nonnull(at);
	ck_assert_double_gt(strtod(strchr(at, ' '), NULL), 100e3);
	at = strstr(out.data, "\nprocess_start_time_seconds ");
	ck_assert_ptr_nonnull(at);
	ck_assert_double_gt(strtod(strchr(at, ' '), NULL), 1.6e9);
	at = strstr(out.data, "\nprocess_open_fds ");
	ck_assert_ptr_nonnull(at);
	ck_assert_double_ge(strtod(strchr(at, ' '), NULL), 3);
	leat_buffer_finish(&out);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		nodes_and_edges_have_series_with_their_labels,
		quotes_backslashes_and_newlines_in_names_are_escaped,
		figures_stand_only_where_they_mean_something,
		watermarks_are_there_where_they_are_known,
		latency_buckets_are_cumulative_and_agree_with_the_count,
		each_phase_of_the_latency_that_there_is_has_a_histogram,
		a_family_is_told_once_however_many_pipelines_there_are,
		exactly_one_state_is_one,
		a_file_that_could_not_be_read_shows_as_stopped,
		the_process_is_measured,
		NULL,
	};

	return leat_test_main("metrics", tests);
}
