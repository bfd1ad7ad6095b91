/* SPDX-License-Identifier: Apache-2.0 */
#include "service/health.h"
#include "service/listing.h"

#include "cli/summary.h"
#include "sample.h"
#include "unit.h"

static char *text_of(struct leat_buffer *out)
{
	leat_buffer_byte(out, '\0');
	return out->data;
}

static bool is_ready(const struct leat_snapshot *snapshot, size_t n, char **text)
{
	struct leat_buffer out = {0};
	bool result = leat_readiness_render(&out, snapshot, n);

	*text = text_of(&out);
	return result;
}

static bool is_healthy(const struct leat_snapshot *snapshot, size_t n)
{
	struct leat_buffer out = {0};
	bool result = leat_health_render(&out, snapshot, n);

	leat_buffer_finish(&out);
	return result;
}

START_TEST(a_running_pipeline_is_healthy_and_ready)
{
	struct sample s;
	char *text;

	sample_init(&s);
	ck_assert(is_healthy(&s.snapshot, 1));
	ck_assert(is_ready(&s.snapshot, 1, &text));
	ck_assert_str_eq(text, "{\"status\":\"ready\",\"pipelines\":[{\"pipeline\":\"pay\",\"file\":\"pay.yaml\",\"state\":\"running\","
	                       "\"nodes\":[]}]}\n");
	free(text);
}
END_TEST

START_TEST(a_pipeline_that_waits_is_healthy_but_not_ready_and_says_for_what)
{
	struct sample s;
	char *text;

	sample_init(&s);
	s.snapshot.figures.state = LEAT_RUN_STARTING;
	s.node_figures[2].is_ready = false;
	(void)snprintf(s.node_figures[2].trouble, sizeof s.node_figures[2].trouble, "could not reach \"db\"");
	ck_assert(is_healthy(&s.snapshot, 1));
	ck_assert(!is_ready(&s.snapshot, 1, &text));
	ck_assert_ptr_nonnull(strstr(text, "\"status\":\"not ready\""));
	ck_assert_ptr_nonnull(strstr(text, "\"nodes\":[{\"node\":\"out\",\"role\":\"sink\",\"type\":\"thing\",\"ready\":false,"
	                                   "\"trouble\":\"could not reach \\\"db\\\"\"}]"));
	free(text);
}
END_TEST

START_TEST(one_stopped_pipeline_makes_the_process_unhealthy)
{
	struct sample s[2];
	char *text;

	sample_init(&s[0]);
	sample_init(&s[1]);
	s[1].snapshot.figures.state = LEAT_RUN_STOPPED;
	(void)snprintf(s[1].snapshot.trouble, sizeof s[1].snapshot.trouble, "sink \"out\": unknown table");
	ck_assert(!is_healthy((struct leat_snapshot[]){s[0].snapshot, s[1].snapshot}, 2));
	ck_assert(!is_ready((struct leat_snapshot[]){s[0].snapshot, s[1].snapshot}, 2, &text));
	ck_assert_ptr_nonnull(strstr(text, "\"state\":\"stopped\",\"error\":\"sink \\\"out\\\": unknown table\""));
	free(text);
}
END_TEST

START_TEST(a_broken_file_is_unhealthy)
{
	const struct leat_snapshot broken = {.pipeline = "broken", .file = "broken.yaml", .trouble = "has errors"};

	ck_assert(!is_healthy(&broken, 1));
}
END_TEST

START_TEST(a_pipeline_that_came_to_its_end_is_ready_but_a_draining_one_is_not)
{
	struct sample s;
	char *text;

	sample_init(&s);
	s.snapshot.figures.state = LEAT_RUN_DONE;
	ck_assert(is_ready(&s.snapshot, 1, &text));
	free(text);
	s.snapshot.figures.state = LEAT_RUN_DRAINING;
	ck_assert(!is_ready(&s.snapshot, 1, &text));
	free(text);
}
END_TEST

START_TEST(a_worker_that_is_stuck_is_unhealthy_and_named)
{
	struct leat_buffer out = {0};
	struct sample s;

	sample_init(&s);
	s.snapshot.figures.stalled_node = 2;
	s.snapshot.figures.stalled_us = 30000000;
	ck_assert(is_healthy(&s.snapshot, 1));
	s.snapshot.figures.stalled_us = 31500000;
	ck_assert(!leat_health_render(&out, &s.snapshot, 1));
	ck_assert_str_eq(text_of(&out), "{\"status\":\"not healthy\",\"pipelines\":[{\"pipeline\":\"pay\",\"file\":\"pay.yaml\","
	                                "\"state\":\"running\",\"stalled_seconds\":31,\"stalled_node\":\"out\"}]}\n");
	leat_buffer_finish(&out);
}
END_TEST

START_TEST(no_pipeline_at_all_is_not_healthy)
{
	ck_assert(!is_healthy(NULL, 0));
}
END_TEST

START_TEST(totals_leave_dead_letter_sinks_out_and_take_the_fullest_queue)
{
	struct leat_totals t;
	struct sample s;

	sample_init(&s);
	leat_totals_init(&t);
	leat_totals_add(&t, &s.snapshot);
	ck_assert_uint_eq(t.in, 1000);
	ck_assert_uint_eq(t.out, 990);
	ck_assert_uint_eq(t.dead_letters, 2);
	ck_assert_int_eq(t.lag, 120);
	ck_assert_double_eq_tol(t.queue, 0.30, 1e-9);
}
END_TEST

START_TEST(the_summary_has_the_figures_for_people_and_programs)
{
	struct leat_buffer out = {0};
	struct sample s;
	char *text;

	sample_init(&s);
	s.snapshot.figures.state = LEAT_RUN_DONE;
	leat_summary_print(&out, &s.snapshot, 1, 2000000);
	text = text_of(&out);
	ck_assert_ptr_nonnull(strstr(text, "pipeline \"pay\" done after 2.0 s\n"));
	ck_assert_ptr_nonnull(strstr(text, "  events in               1,000  (500/s)\n"));
	ck_assert_ptr_nonnull(strstr(text, "  dead letters                2\n"));
	out.n = 0;
	leat_summary_print_json(&out, &s.snapshot, 1, 2000000);
	text = text_of(&out);
	ck_assert_ptr_nonnull(strstr(text, "\"outcome\":\"done\",\"error\":null,\"events_in\":1000,\"events_out\":990,"
	                                   "\"dead_letters\":2,\"alerts\":7,\"events_in_per_second\":500.0"));
	ck_assert_ptr_nonnull(strstr(text, "{\"from\":\"in\",\"port\":\"dead\",\"to\":\"lost\",\"records\":0}"));
	free(text);
}
END_TEST

START_TEST(the_listing_says_what_each_sink_guarantees)
{
	struct leat_snapshot broken = {.pipeline = "bad", .file = "bad.yaml", .trouble = "file \"bad.yaml\" has errors"};
	struct leat_snapshot both[2];
	struct leat_buffer out = {0};
	struct sample s;
	char *text;

	sample_init(&s);
	s.description.mode = LEAT_MODE_EXACTLY_ONCE;
	s.node[2].guarantee = LEAT_TRANSACTIONAL;
	s.snapshot.figures.epoch = 12;
	s.snapshot.figures.incarnation = 3;
	both[0] = s.snapshot;
	both[1] = broken;
	leat_listing_render(&out, both, 2);
	text = text_of(&out);
	ck_assert_ptr_nonnull(strstr(text, "\"state\":\"running\",\"guarantee\":\"exactly-once\",\"epoch\":12,\"incarnation\":3"));
	ck_assert_ptr_nonnull(strstr(text, "\"node\":\"in\",\"role\":\"source\",\"type\":\"generate\",\"ready\":true,\"lag\":120"));
	ck_assert_ptr_nonnull(strstr(text, "\"node\":\"out\",\"role\":\"sink\",\"type\":\"thing\",\"ready\":true,\"guarantee\":\"exactly-once\""));
	ck_assert_ptr_nonnull(strstr(text, "\"node\":\"lost\",\"role\":\"sink\",\"type\":\"thing\",\"ready\":true,\"guarantee\":\"at-least-once\""));
	ck_assert_ptr_nonnull(strstr(text, "{\"pipeline\":\"bad\",\"file\":\"bad.yaml\",\"state\":\"stopped\",\"epoch\":0"));
	free(text);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_running_pipeline_is_healthy_and_ready,
		a_pipeline_that_waits_is_healthy_but_not_ready_and_says_for_what,
		one_stopped_pipeline_makes_the_process_unhealthy,
		a_broken_file_is_unhealthy,
		a_pipeline_that_came_to_its_end_is_ready_but_a_draining_one_is_not,
		a_worker_that_is_stuck_is_unhealthy_and_named,
		no_pipeline_at_all_is_not_healthy,
		the_listing_says_what_each_sink_guarantees,
		totals_leave_dead_letter_sinks_out_and_take_the_fullest_queue,
		the_summary_has_the_figures_for_people_and_programs,
		NULL,
	};

	return leat_test_main("health", tests);
}
