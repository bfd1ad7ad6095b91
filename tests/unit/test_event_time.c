/* SPDX-License-Identifier: Apache-2.0 */
/* Event time: the rules of event_time.h by themselves, and pipelines whose windows have to be right to the last record. */
#define _XOPEN_SOURCE 700 /* nftw() */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "data/json.h"
#include "data/path.h"
#include "run/event_time.h"
#include "unit/folder.h"
#include "unit/time_kit.h"
#include "unit/unit.h"

static char folder[64];

static void make_folder(void)
{
	(void)snprintf(folder, sizeof folder, "/tmp/leat-test-time-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
	remove_tree(folder);
}

static void rest_ms(int ms)
{
	(void)nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 }, NULL);
}

static struct leat_run_options options_of(uint32_t workers)
{
	return (struct leat_run_options){ .workers = workers, .ring_capacity = 2, .in_flight_bytes = 256 << 10, .batch_bytes = 4096,
		                              .state_dir = folder };
}

static uint64_t effects(void)
{
	uint64_t n;

	pthread_mutex_lock(&ledger.lock);
	n = ledger.n_effects;
	pthread_mutex_unlock(&ledger.lock);
	return n;
}

/* ---- rules ---------------------------------------------------------------------------------------------------------- */

static bool merge(struct leat_mark *into, const struct leat_mark *mark, size_t n)
{
	struct leat_merge merged = LEAT_MERGE_BEGIN;

	for (size_t i = 0; i < n; i++)
		leat_merge_add(&merged, &mark[i]);
	return leat_merge_end(&merged, into);
}

START_TEST(the_mark_of_many_inputs_is_the_least_of_those_that_are_not_idle)
{
	struct leat_mark mark[] = { { .us = 30 }, { .us = LEAT_NO_TIME }, { .us = 50 } }, into = LEAT_MARK_NONE;

	ck_assert(!merge(&into, mark, 3)); /* one has said nothing */
	ck_assert_int_eq(into.us, LEAT_NO_TIME);
	mark[1].us = 40;
	ck_assert(merge(&into, mark, 3) && into.us == 30);
	mark[0].is_idle = true;
	ck_assert(merge(&into, mark, 3) && into.us == 40);
	mark[0].is_idle = false; /* it is behind by now, and the watermark stays */
	ck_assert(!merge(&into, mark, 3) && into.us == 40);
	mark[0].us = 45;
	mark[1].us = 60;
	ck_assert(merge(&into, mark, 3) && into.us == 45);
	mark[0].is_idle = mark[1].is_idle = mark[2].is_idle = true;
	ck_assert(merge(&into, mark, 3) && into.us == 60 && into.is_idle);
	ck_assert(!merge(&into, mark, 3));
	mark[2].is_idle = false;
	ck_assert(merge(&into, mark, 3) && into.us == 60 && !into.is_idle);
	ck_assert(!merge(&into, NULL, 0) || into.us == 60);
}
END_TEST

START_TEST(an_input_that_has_ended_says_nothing_of_the_others)
{
	struct leat_mark mark[] = { { .us = INT64_MAX }, { .us = 30 }, { .us = 20 } }, into = LEAT_MARK_NONE;

	ck_assert(merge(&into, mark, 3) && into.us == 20);
	mark[1].is_idle = mark[2].is_idle = true; /* the others are, not all */
	ck_assert(merge(&into, mark, 3) && into.us == 30 && into.is_idle);
	mark[1].is_idle = false;
	ck_assert(merge(&into, mark, 3) && into.us == 30 && !into.is_idle);
	mark[1].us = INT64_MAX;
	mark[2].us = LEAT_NO_TIME; /* idle, and never spoke */
	ck_assert(merge(&into, mark, 3) && into.us == 30 && into.is_idle);
	mark[2].us = INT64_MAX;
	ck_assert(merge(&into, mark, 3) && into.us == INT64_MAX && !into.is_idle);
}
END_TEST

static const struct leat_time_spec spec = { .unit_us_numerator = 1, .unit_us_denominator = 1, .disorder_us = 10, .idle_us = 100,
	                                    .future_us = 1000, .quiet_us = 300 };

static bool read_times(struct leat_source_time *t, const int64_t *time_us, size_t n, int64_t now_us)
{
	struct leat_record record[8] = { { .time_us = 0 } };

	for (size_t i = 0; i < n; i++)
		record[i].time_us = time_us[i];
	return leat_source_time_read(t, record, n, 5000, now_us);
}

START_TEST(a_watermark_is_the_largest_time_less_the_disorder)
{
	struct leat_source_time t;

	leat_source_time_init(&t, &spec, LEAT_NO_TIME, 0);
	ck_assert(!read_times(&t, (const int64_t[]){ LEAT_NO_TIME }, 1, 1));
	ck_assert_int_eq(t.us, LEAT_NO_TIME);
	ck_assert(read_times(&t, (const int64_t[]){ 100, 95, 90, 120, LEAT_NO_TIME, 115 }, 6, 2));
	ck_assert_int_eq(t.us, 110);
	ck_assert_uint_eq(t.n_cuts + t.n_late, 0);
	ck_assert(read_times(&t, (const int64_t[]){ 50 }, 1, 3));
	ck_assert_int_eq(t.us, 110); /* never back */
	ck_assert_uint_eq(t.n_late, 1);
	ck_assert_uint_eq(t.n_cuts, 0); /* the batch saw that watermark from its beginning */
	ck_assert(!read_times(&t, (const int64_t[]){ 6001 }, 1, 4)); /* more than 1000 ahead of 5000 */
	ck_assert(read_times(&t, (const int64_t[]){ 6000 }, 1, 5));
	ck_assert_int_eq(t.us, 5990);
	leat_source_time_finish(&t);
}
END_TEST

START_TEST(a_batch_is_cut_before_what_its_own_records_make_late)
{
	struct leat_source_time t;

	leat_source_time_init(&t, &spec, 50, 0);
	ck_assert(read_times(&t, (const int64_t[]){ 60, 200, 150, 160, 300, 280, 250, 10 }, 8, 1));
	ck_assert_uint_eq(t.n_cuts, 2);
	ck_assert(t.cut[0].at == 2 && t.cut[0].us == 190);
	ck_assert(t.cut[1].at == 5 && t.cut[1].us == 290);
	ck_assert_uint_eq(t.n_late, 5);
	leat_source_time_finish(&t);
}
END_TEST

START_TEST(a_partition_that_says_nothing_is_idle_until_it_speaks)
{
	struct leat_source_time t;

	leat_source_time_init(&t, &spec, LEAT_NO_TIME, 1000);
	ck_assert(!leat_source_time_wait(&t, 1000, 1099));
	ck_assert_int_eq(leat_source_time_deadline(&t, 1000, 1099), 1100);
	ck_assert(leat_source_time_wait(&t, 1000, 1100) && t.is_idle);
	ck_assert(!leat_source_time_wait(&t, 1000, 1400)); /* without a watermark there is nothing that goes on */
	ck_assert_int_eq(leat_source_time_deadline(&t, 1000, 1400), INT64_MAX);
	ck_assert(read_times(&t, (const int64_t[]){ 70 }, 1, 1500) && !t.is_idle);
	leat_source_time_hold(&t, 1590);
	ck_assert(!leat_source_time_wait(&t, 1590, 1680));
	ck_assert(leat_source_time_wait(&t, 1590, 1690) && t.is_idle);
	leat_source_time_finish(&t);
}
END_TEST

START_TEST(when_all_is_quiet_event_time_goes_on_by_the_clock)
{
	struct leat_source_time t;

	leat_source_time_init(&t, &spec, LEAT_NO_TIME, 1000);
	ck_assert(read_times(&t, (const int64_t[]){ 70 }, 1, 1000));
	ck_assert(leat_source_time_wait(&t, 1250, 1500) && t.is_idle && t.us == 60); /* another one has spoken at 1250 */
	ck_assert_int_eq(leat_source_time_deadline(&t, 1250, 1500), 1550);
	ck_assert(leat_source_time_wait(&t, 1250, 1557) && !t.is_idle && t.us == 67);
	ck_assert(leat_source_time_wait(&t, 1250, 1650) && t.us == 160);
	ck_assert(read_times(&t, (const int64_t[]){ 100 }, 1, 1660) && t.us == 160 && t.n_late == 1);
	ck_assert(!leat_source_time_wait(&t, 1660, 1700) && t.us == 160);
	leat_source_time_finish(&t);
}
END_TEST

static const struct {
	const char *unit, *value;
	int64_t us;
	const char *says;
} times[] = {
	{ "us", "1600000000123456", 1600000000123456, NULL },
	{ "ms", "1600000000123", 1600000000123000, NULL },
	{ "s", "1600000000.25", 1600000000250000, NULL },
	{ "ns", "1600000000123456789", 1600000000123456, NULL },
	{ "ns", "-1", -1, NULL },
	{ "s", "-0.5", -500000, NULL },
	{ "rfc3339", "\"2020-09-13T12:26:40.123456Z\"", 1600000000123456, NULL },
	{ "rfc3339", "\"2020-09-13T14:26:40+02:00\"", 1600000000000000, NULL },
	{ "ms", "null", 0, "field \"t\" is missing or null, and it is the time" },
	{ "ms", "\"1600000000123\"", 0, "field \"t\" is not a number, and it is the time" },
	{ "ms", "true", 0, "field \"t\" is not a number, and it is the time" },
	{ "s", "1e300", 0, "field \"t\" is beyond any time, and it is the time" },
	{ "s", "9223372036854775807", 0, "field \"t\" is beyond any time, and it is the time" },
	{ "rfc3339", "1600000000", 0, "field \"t\" is no text such as 2026-01-31T12:00:00Z, and it is the time" },
	{ "rfc3339", "\"yesterday\"", 0, "field \"t\" is no time such as 2026-01-31T12:00:00Z, and it is the time" },
	{ "s", "4000000000", 0, "field \"t\" is 2096-10-02T07:06:40.000000Z, further ahead of its arrival than time.future, 86400 s" },
};

static const struct unit {
	const char *name;
	int64_t numerator, denominator;
} units[] = { { "us", 1, 1 }, { "ms", 1000, 1 }, { "s", 1000000, 1 }, { "ns", 1, 1000 }, { "rfc3339", 1, 1 } };

static struct leat_time_spec spec_of(const char *unit, const struct leat_path *field)
{
	struct leat_time_spec of = { .is_given = true, .field = field, .future_us = INT64_C(86400000000) };

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(units[i].name, unit) == 0) {
			of.unit_us_numerator = units[i].numerator;
			of.unit_us_denominator = units[i].denominator;
		}
	of.is_text = strcmp(unit, "rfc3339") == 0;
	return of;
}

START_TEST(a_time_is_read_from_its_field_or_the_reason_names_that)
{
	struct leat_symbols *symbols = leat_symbols_create();
	struct leat_json *json = leat_json_create(symbols);
	struct leat_arena *arena = leat_arena_create();
	const struct leat_path *field;
	struct leat_error err;

	ck_assert_int_eq(leat_path_compile(arena, symbols, "t", &field, &err), LEAT_OK);
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		const struct leat_time_spec of = spec_of(times[i].unit, field);
		struct leat_record record = { .time_us = 7, .arrival_us = INT64_C(1700000000000000) };
		char text[256] = "";
		enum leat_status status;

		(void)snprintf(text, sizeof text, "{\"t\": %s}", times[i].value);
		ck_assert_int_eq(leat_json_decode(json, arena, text, strlen(text), &record.value, &err), LEAT_OK);
		status = leat_time_of(&of, &record, &err);
		ck_assert_msg(status == (times[i].says == NULL ? LEAT_OK : LEAT_REJECT), "%s %s", times[i].unit, times[i].value);
		if (times[i].says == NULL)
			ck_assert_msg(record.time_us == times[i].us, "%s %s is %lld", times[i].unit, times[i].value, (long long)record.time_us);
		else
			ck_assert_str_eq(err.text, times[i].says);
	}
	leat_arena_unref(arena);
	leat_json_destroy(json);
	leat_symbols_destroy(symbols);
}
END_TEST

/* ---- pipelines ------------------------------------------------------------------------------------------------------ */

static char *pipeline(const char *source, const char *time, const char *operators, const char *from)
{
	return leat_format_text("pipeline: p\nsources: {in: {type: clock, %s, time: {field: t, unit: us%s}}}\n"
	                        "operators: {%s}\nsinks: {out: {type: ledger, input: %s}}\n",
	                        source, time, operators, from);
}

/* `is_ordered`: so are the panes of a key. What is late is not, nor what comes on two ways. */
static void run_to_end(const char *yaml, uint32_t workers, bool is_ordered)
{
	const struct leat_run_options options = options_of(workers);
	struct run_kit kit;

	time_kit_init();
	run_kit_start(&kit, yaml, &options);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	ck_assert_uint_eq(time_kit_disordered + time_kit_open, 0);
	ck_assert(!is_ordered || ledger.out_of_order == 0);
}

/* All of it is on time, whichever partition is read first. */
START_TEST(panes_of_many_partitions_have_all_their_records)
{
	char *yaml = pipeline("partitions: 3, count: 8000, per_poll: 70, jitter: 15ms, slow: 30", ", disorder: 15ms",
	                      "panes: {type: panes, input: in, key: k, shards: 5, stumble_every: 400}", "panes");

	make_folder();
	run_to_end(yaml, 2, true);
	time_kit_expect(8000, 15000, 0, 15000, 3);
	free(yaml);
	remove_folder();
}
END_TEST

START_TEST(what_is_late_does_not_depend_on_batches)
{
	static const char *const operators[] = {
		"panes: {type: panes, input: in, key: k, shards: 3, stumble_every: 150}",
		"hop: {type: relay, input: in}, panes: {type: panes, input: hop, key: k, shards: 1}",
		"hop: {type: relay, input: in, key: k, shards: 1}, panes: {type: panes, input: hop, key: k, shards: 4}",
	};
	static const int per_poll[] = { 1, 7, 1000 };

	for (int i = 0; i < 9; i++) {
		char *source = leat_format_text("count: 2000, jitter: 9ms, late_every: 13, per_poll: %d", per_poll[i % 3]);
		char *yaml = pipeline(source, ", disorder: 4ms", operators[i / 3], "panes");

		make_folder();
		run_to_end(yaml, 2, false);
		time_kit_expect(2000, 9000, 13, 4000, 1);
		free(yaml);
		free(source);
		remove_folder();
	}
}
END_TEST

/* So long, or until some of the effects have come: a fast machine has them all in that time. */
static void rest(int ms, uint64_t n_effects)
{
	for (uint64_t before = effects(); ms > 0 && effects() - before < n_effects; ms--)
		rest_ms(1);
}

static void end_anywhere(const char *yaml, uint64_t n, bool is_ordered)
{
	const struct leat_run_options options = options_of(2);
	struct run_kit kit;
	int n_ends = 0;

	time_kit_init();
	run_kit_start(&kit, yaml, &options);
	for (; n_ends < 14 && leat_pipeline_state(kit.pipeline) != LEAT_RUN_DONE && effects() < n; n_ends++) {
		rest(10 + 35 * (n_ends % 4), n / 16);
		leat_pipeline_abort(kit.pipeline);
		(void)leat_pipeline_wait(kit.pipeline, RUN_KIT_PATIENCE_US);
		run_kit_finish(&kit);
		run_kit_restart(&kit, yaml, &options);
	}
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	ck_assert_int_ge(n_ends, 3);
	ck_assert_uint_eq(time_kit_disordered + time_kit_open, 0);
	ck_assert(!is_ordered || ledger.out_of_order == 0);
}

/* T5 */
START_TEST(panes_that_are_ended_anywhere_come_once_and_in_order)
{
	char *yaml = pipeline("partitions: 3, count: 5000, per_poll: 7, jitter: 15ms", ", disorder: 15ms",
	                      "panes: {type: panes, input: in, key: k, shards: 5}", "panes");

	make_folder();
	end_anywhere(yaml, 14000, true);
	time_kit_expect(5000, 15000, 0, 15000, 3);
	free(yaml);
	remove_folder();
}
END_TEST

START_TEST(what_was_late_is_late_after_a_restart)
{
	char *yaml = pipeline("count: 6000, per_poll: 5, jitter: 9ms, late_every: 2", ", disorder: 4ms",
	                      "panes: {type: panes, input: in, key: k, shards: 4}", "panes");

	make_folder();
	end_anywhere(yaml, 5600, false);
	time_kit_expect(6000, 9000, 2, 4000, 1);
	free(yaml);
	remove_folder();
}
END_TEST

/* T3 */
START_TEST(what_a_pane_comes_to_is_downstream_before_its_watermark)
{
	static const char *const operators[] = {
		"panes: {type: panes, input: in}, look: {type: behind, input: panes}",
		"panes: {type: panes, input: in, key: k, shards: 3}, look: {type: behind, input: panes, key: p, shards: 3}",
		"panes: {type: panes, input: in, key: k, shards: 3}, one: {type: behind, input: panes}, "
		"look: {type: behind, input: [one, panes], key: p}",
	};

	for (int i = 0; i < 3; i++) {
		char *yaml = pipeline("partitions: 2, count: 3000, per_poll: 60", "", operators[i], "look");

		make_folder();
		run_to_end(yaml, 2, false);
		ck_assert_uint_eq(time_kit_early, 0);
		ck_assert_uint_eq(ledger.n_effects, i == 2 ? 12000 : 6000);
		free(yaml);
		remove_folder();
	}
}
END_TEST

/* T6: a's last pane is not over by its own time, which b is far ahead of when both end. */
START_TEST(a_source_that_has_ended_first_is_not_left_behind)
{
	static const char yaml[] = "pipeline: p\n"
				   "sources:\n"
				   "  a: {type: clock, count: 30, time: {field: t, unit: us}}\n"
				   "  b: {type: clock, count: 4000, per_poll: 60, time: {field: t, unit: us}}\n"
				   "operators:\n"
				   "  few: {type: panes, input: a, key: k, shards: 2}\n"
				   "  many: {type: panes, input: b, key: k, shards: 2}\n"
				   "  look: {type: behind, input: [few, many], key: p, shards: 2}\n"
				   "sinks: {out: {type: ledger, input: look}}\n";

	for (int i = 0; i < 3; i++) {
		make_folder();
		run_to_end(yaml, 2, false);
		ck_assert_uint_eq(time_kit_early, 0);
		ck_assert_uint_eq(ledger.n_effects, 4030);
		remove_folder();
	}
}
END_TEST

static void await_effects(const struct run_kit *kit, uint64_t n)
{
	for (int i = 0; i < 5000 && effects() < n && leat_pipeline_state(kit->pipeline) != LEAT_RUN_STOPPED; i++)
		rest_ms(2);
}

/* Of 1000 records, 20 to a pane: the last one is not over. */
START_TEST(a_partition_that_is_idle_or_at_its_end_holds_nothing_back)
{
	static const char *const source[] = { "partitions: 2, silent: 1, endless: true", "partitions: 2, silent: 1, endless: true" };
	static const char *const time[] = { ", idle: 60ms", "" };
	static const uint64_t n[] = { 980, 0 };

	for (int i = 0; i < 2; i++) {
		char *yaml = pipeline(source[i], time[i], "panes: {type: panes, input: in, key: k, shards: 2}", "panes");
		const struct leat_run_options options = options_of(2);
		struct run_kit kit;

		make_folder();
		time_kit_init();
		run_kit_start(&kit, yaml, &options);
		if (n[i] > 0)
			await_effects(&kit, n[i]);
		else
			rest_ms(300);
		leat_pipeline_drain(kit.pipeline); /* closes nothing */
		run_kit_expect_done(&kit);
		ck_assert_uint_eq(ledger.n_effects, n[i]);
		run_kit_finish(&kit);
		free(yaml);
		remove_folder();
	}
}
END_TEST

START_TEST(a_quiet_source_closes_its_panes_by_the_clock)
{
	char *yaml = pipeline("partitions: 2, endless: true", ", quiet: 100ms", "panes: {type: panes, input: in, key: k, shards: 2}", "panes");
	const struct leat_run_options options = options_of(2);
	struct run_kit kit;

	make_folder();
	time_kit_init();
	run_kit_start(&kit, yaml, &options);
	await_effects(&kit, 2000);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	time_kit_expect(1000, 0, 0, 0, 2);
	run_kit_finish(&kit);
	free(yaml);
	remove_folder();
}
END_TEST

/* T6 and T7: all panes at once, as the disorder is longer than everything. */
START_TEST(timers_fire_in_slices_and_all_of_them_at_the_end)
{
	char *yaml = pipeline("count: 30000, per_poll: 500", ", disorder: 1h", "panes: {type: panes, input: in, key: k, shards: 2}", "panes");

	make_folder();
	run_to_end(yaml, 1, true);
	time_kit_expect(30000, 0, 0, INT64_C(3600000000), 1);
	ck_assert_uint_gt(time_kit_longest, 100);
	ck_assert_uint_le(time_kit_longest, 256);
	free(yaml);
	remove_folder();
}
END_TEST

int main(void)
{
	return leat_test_main("event_time", (const TTest *[]){
		the_mark_of_many_inputs_is_the_least_of_those_that_are_not_idle,
		an_input_that_has_ended_says_nothing_of_the_others,
		a_watermark_is_the_largest_time_less_the_disorder,
		a_batch_is_cut_before_what_its_own_records_make_late,
		a_partition_that_says_nothing_is_idle_until_it_speaks,
		when_all_is_quiet_event_time_goes_on_by_the_clock,
		a_time_is_read_from_its_field_or_the_reason_names_that,
		panes_of_many_partitions_have_all_their_records,
		what_is_late_does_not_depend_on_batches,
		panes_that_are_ended_anywhere_come_once_and_in_order,
		what_was_late_is_late_after_a_restart,
		what_a_pane_comes_to_is_downstream_before_its_watermark,
		a_source_that_has_ended_first_is_not_left_behind,
		a_partition_that_is_idle_or_at_its_end_holds_nothing_back,
		a_quiet_source_closes_its_panes_by_the_clock,
		timers_fire_in_slices_and_all_of_them_at_the_end,
		NULL });
}
