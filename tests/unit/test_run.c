/* SPDX-License-Identifier: Apache-2.0 */
/* Whole pipelines on plugins made for it: nothing lost, order kept, memory bounded, no standstill, clean ends. */
#include "unit/run_kit.h"
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "run/shard.h"

enum { TRIES = 3000 }; /* of ten milliseconds: for what takes one, on a machine that rests */

static void rest_ms(int ms)
{
	(void)nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 }, NULL);
}

static void await_at_least(_Atomic uint64_t *counter, uint64_t n)
{
	for (int i = 0; i < TRIES && atomic_load(counter) < n; i++)
		rest_ms(10);
	ck_assert_uint_ge(atomic_load(counter), n);
}

/* Of the processor, in a second. */
static int64_t busy_us(void)
{
	struct timespec before, after;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	rest_ms(1000);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	return (after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000;
}

START_TEST(every_record_of_every_partition_arrives_once_and_in_order)
{
	struct leat_run_options options = { .workers = 2 };
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, partitions: 4, count: 20000}}\n"
	              "operators: {hop: {type: relay, input: in, key: k, shards: 8}}\n"
	              "sinks: {out: {type: ledger, input: hop}}\n",
	              &options);
	run_kit_expect_done(&kit);
	run_kit_expect_all(4, 20000, 1);
	ck_assert_uint_eq(ledger.out_of_order, 0);
	ck_assert_int_eq(ledger.committed[0], 20000);
	ck_assert_int_eq(ledger.committed[3], 20000);
	ck_assert_uint_eq(ledger.n_ended, 8);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(tiny_rings_skewed_keys_and_a_slow_sink_neither_stop_it_nor_fill_memory)
{
	struct leat_run_options options = { .workers = 2, .ring_capacity = 2, .in_flight_bytes = 256 << 10, .batch_bytes = 4096 };
	struct run_kit kit;

	ledger.copies = 2;
	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, partitions: 5, count: 4000, keys: 0, per_poll: 40}}\n"
	              "operators:\n"
	              "  a: {type: relay, input: in, key: k, shards: 7}\n"
	              "  b: {type: relay, input: a, key: i, shards: 3}\n"
	              "  c: {type: relay, input: [b, a], key: k, shards: 5}\n"
	              "sinks: {out: {type: ledger, input: c, slow: 2ms}}\n",
	              &options);
	run_kit_expect_done(&kit);
	run_kit_expect_all(5, 4000, 2);
	/* The budget is 256 KiB and a record takes over 100 bytes of it; without back-pressure all 20,000 would be in flight. */
	ck_assert_uint_lt(ledger.max_in_flight, 5000);
	ledger.copies = 1;
	run_kit_finish(&kit);
}
END_TEST

START_TEST(a_record_that_is_rejected_becomes_a_dead_letter_and_leaves_no_trace)
{
	struct leat_pipeline_figures figures;
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 1000, broken_every: 10}}\n"
	              "operators: {hop: {type: relay, input: in, key: k, copies: 1, reject_every: 7}}\n"
	              "sinks: {out: {type: ledger, input: hop}, dead: {type: ledger, input: [in.dead, hop.dead], dead: true}}\n",
	              NULL);
	run_kit_expect_done(&kit);
	/* 100 are no JSON; of the others those that divide by 7 and not by 10: 143 - 15. */
	ck_assert_uint_eq(ledger.n_dead, 100 + 128);
	ck_assert_uint_eq(ledger.n_effects, 1000 - 228);
	leat_pipeline_figures(kit.pipeline, &figures);
	ck_assert_uint_eq(figures.node[0].dead_letters, 100);
	ck_assert_uint_eq(figures.node[1].dead_letters, 128);
	ck_assert_uint_eq(figures.node[1].records_in, 900);
	ck_assert_uint_eq(figures.node[1].records_out, 772);
	leat_pipeline_figures_finish(&figures);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(a_record_without_its_key_is_buried)
{
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 10}}\n"
	              "operators: {hop: {type: relay, input: in, key: nothing}}\n"
	              "sinks: {out: {type: ledger, input: hop}, dead: {type: ledger, input: hop.dead, dead: true}}\n",
	              NULL);
	run_kit_expect_done(&kit);
	ck_assert_uint_eq(ledger.n_dead, 10);
	ck_assert_uint_eq(ledger.n_effects, 0);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(systems_that_are_away_are_waited_for)
{
	struct leat_pipeline_figures figures;
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 1000, away: 2}}\n"
	              "operators: {hop: {type: relay, input: in, key: k, shards: 2, away: 2}}\n"
	              "sinks: {out: {type: ledger, input: hop, away: 2, lose_every: 3}}\n",
	              NULL);
	run_kit_expect_done(&kit);
	ck_assert_uint_eq(ledger.n_effects, 1000);
	leat_pipeline_figures(kit.pipeline, &figures);
	ck_assert_uint_ge(figures.node[0].retries, 2);
	ck_assert_uint_ge(figures.node[1].retries, 4);
	ck_assert_uint_ge(figures.node[2].retries, 2);
	leat_pipeline_figures_finish(&figures);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(what_a_sink_refuses_goes_to_its_dead_letters)
{
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 1000}}\n"
	              "sinks: {out: {type: ledger, input: in, refuse_every: 4}, dead: {type: ledger, input: out.dead, dead: true}}\n",
	              NULL);
	run_kit_expect_done(&kit);
	ck_assert_uint_eq(ledger.n_effects, 750);
	ck_assert_uint_eq(ledger.n_dead, 250);
	ck_assert_int_eq(ledger.committed[0], 1000);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(a_fatal_error_stops_it_and_names_the_node)
{
	struct leat_error err;
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 1000}}\n"
	              "operators: {hop: {type: relay, input: in, key: k, fail_at: 500}}\n"
	              "sinks: {out: {type: ledger, input: hop, slow: 1ms}}\n",
	              NULL);
	ck_assert_int_eq(leat_pipeline_wait(kit.pipeline, RUN_KIT_PATIENCE_US), LEAT_RUN_STOPPED);
	ck_assert(leat_pipeline_error(kit.pipeline, &err));
	ck_assert_str_eq(err.text, "operator \"hop\": cannot go on at 500");
	/* The record that stopped it, and those behind it, are not acknowledged. */
	ck_assert_int_le(ledger.committed[0], 500);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(a_drain_delivers_what_was_read_and_commits_it)
{
	struct run_kit kit;
	uint64_t n_read;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 200000, per_poll: 10}}\n"
	              "operators: {hop: {type: relay, input: in, key: k}}\n"
	              "sinks: {out: {type: ledger, input: hop, slow: 1ms}}\n",
	              NULL);
	await_at_least(&ledger.n_read, 1);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	n_read = ledger.n_read;
	ck_assert_uint_gt(n_read, 0);
	ck_assert_uint_lt(n_read, 200000);
	ck_assert_uint_eq(ledger.n_effects, n_read);
	ck_assert_int_eq(ledger.committed[0], (int64_t)n_read);
	ck_assert_uint_eq(ledger.n_ended, 0);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(an_idle_pipeline_sleeps)
{
	int64_t used_us = INT64_MAX;
	uint64_t n_effects = 0;
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, partitions: 8, count: 100, endless: true}}\n"
	              "operators: {hop: {type: relay, input: in, key: k, shards: 16}}\n"
	              "sinks: {out: {type: ledger, input: hop}}\n",
	              NULL);
	for (int i = 0; i < TRIES && n_effects < 800; i++) {
		rest_ms(10);
		pthread_mutex_lock(&ledger.lock);
		n_effects = ledger.n_effects;
		pthread_mutex_unlock(&ledger.lock);
	}
	ck_assert_uint_eq(n_effects, 800);
	for (int i = 0; i < 10 && used_us >= 10000; i++) /* what is left to be done comes to its end */
		used_us = busy_us();
	ck_assert_int_lt(used_us, 10000);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(an_abort_ends_it_at_once)
{
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 200000}}\n"
	              "sinks: {out: {type: ledger, input: in, slow: 10ms, away: 1000}}\n",
	              NULL);
	leat_pipeline_abort(kit.pipeline);
	ck_assert_int_eq(leat_pipeline_wait(kit.pipeline, RUN_KIT_PATIENCE_US), LEAT_RUN_STOPPED);
	ck_assert_int_eq(ledger.committed[0], 0);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(an_event_without_any_bytes_is_a_dead_letter_too)
{
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 100, per_poll: 1, empty_every: 10}}\n"
	              "sinks: {out: {type: ledger, input: in}, dead: {type: ledger, input: in.dead, dead: true}}\n",
	              NULL);
	run_kit_expect_done(&kit);
	ck_assert_uint_eq(ledger.n_dead, 10);
	ck_assert_uint_eq(ledger.n_effects, 90);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(what_a_reader_pushed_before_it_stumbled_is_delivered)
{
	struct leat_pipeline_figures figures;
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 100, per_poll: 10, stumble_every: 3}}\n"
	              "sinks: {out: {type: ledger, input: in}}\n",
	              NULL);
	run_kit_expect_done(&kit);
	run_kit_expect_all(1, 100, 1);
	leat_pipeline_figures(kit.pipeline, &figures);
	ck_assert_uint_ge(figures.node[0].retries, 3);
	leat_pipeline_figures_finish(&figures);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(a_source_that_pushes_nothing_and_says_it_did_does_not_spin)
{
	struct timespec pause = { .tv_nsec = 500000000 };
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 10, idle: true}}\n"
	              "sinks: {out: {type: ledger, input: in}}\n",
	              NULL);
	nanosleep(&pause, NULL);
	ck_assert_uint_lt(ledger.n_polls, 1000);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_expect_all(1, 10, 1);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(a_commit_that_did_not_work_is_made_again)
{
	int64_t committed = 0;
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 100, endless: true, commit_away: 2}}\n"
	              "sinks: {out: {type: ledger, input: in}}\n",
	              NULL);
	for (int i = 0; i < TRIES && committed < 100; i++) {
		rest_ms(10);
		pthread_mutex_lock(&ledger.lock);
		committed = ledger.committed[0];
		pthread_mutex_unlock(&ledger.lock);
	}
	ck_assert_int_eq(committed, 100);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(a_partition_that_cannot_be_opened_keeps_none_of_the_others_from_being_read)
{
	struct run_kit kit;
	uint64_t n_effects = 0;
	int i;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, partitions: 3, count: 1000, away_first: 1000000}}\n"
	              "sinks: {out: {type: ledger, input: in}}\n",
	              NULL);
	for (i = 0; i < TRIES && n_effects < 2000; i++) {
		rest_ms(10);
		pthread_mutex_lock(&ledger.lock);
		n_effects = ledger.n_effects;
		pthread_mutex_unlock(&ledger.lock);
	}
	ck_assert_uint_eq(n_effects, 2000);
	/* The two that have come to their end are not the end of the source. */
	ck_assert_int_lt(leat_pipeline_state(kit.pipeline), LEAT_RUN_DRAINING);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(an_instance_is_made_on_the_thread_of_its_worker)
{
	struct leat_run_options options = { .workers = 1 };
	struct run_kit kit;

	/* The second partition is read while the first one cannot be opened yet; its relays share a worker. */
	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, partitions: 4, count: 400, per_poll: 10, away_first: 3}}\n"
	              "operators: {hop: {type: relay, input: in, work: 1ms}}\n"
	              "sinks: {out: {type: ledger, input: hop}}\n",
	              &options);
	run_kit_expect_done(&kit);
	run_kit_expect_all(4, 400, 1);
	ck_assert_uint_eq(ledger.n_clashes, 0);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(timers_and_ends_that_say_later_are_called_again)
{
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 1000, per_poll: 1000, endless: true}}\n"
	              "operators: {hop: {type: relay, input: in, delay: 1ms, timer_away: 2}}\n"
	              "sinks: {out: {type: ledger, input: hop}}\n",
	              NULL);
	await_at_least(&ledger.n_fired, 1000);
	ck_assert_uint_eq(ledger.n_fired, 1000);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 1000}}\n"
	              "operators: {hop: {type: relay, input: in, key: k, shards: 2, end_away: 2}}\n"
	              "sinks: {out: {type: ledger, input: hop}}\n",
	              NULL);
	run_kit_expect_done(&kit);
	ck_assert_uint_eq(ledger.n_ended, 2);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(a_timer_that_sets_the_next_one_does_not_keep_a_drain_from_its_end)
{
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 10, endless: true}}\n"
	              "operators: {hop: {type: relay, input: in, tick: 1ms}}\n"
	              "sinks: {out: {type: ledger, input: hop, slow: 20ms}}\n",
	              NULL);
	await_at_least(&ledger.n_ticks, 1);
	rest_ms(100);
	leat_pipeline_drain(kit.pipeline);
	ck_assert_int_eq(leat_pipeline_wait(kit.pipeline, RUN_KIT_PATIENCE_US), LEAT_RUN_DONE);
	run_kit_finish(&kit);
}
END_TEST

/* E12 */
START_TEST(due_timers_fire_in_slices)
{
	struct timespec pause = { .tv_nsec = 5000000 };
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 2000, per_poll: 2000, endless: true}}\n"
	              "operators: {hop: {type: relay, input: in, delay: 5ms}}\n"
	              "sinks: {out: {type: ledger, input: hop}}\n",
	              NULL);
	for (int i = 0; i < 2000 && ledger.n_fired < 2000; i++)
		nanosleep(&pause, NULL);
	ck_assert_uint_eq(ledger.n_fired, 2000);
	ck_assert_uint_gt(ledger.longest_slice, 1);
	ck_assert_uint_le(ledger.longest_slice, 256);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(nothing_is_acknowledged_before_it_is_delivered)
{
	struct leat_run_options options = { .workers = 2, .ring_capacity = 2, .in_flight_bytes = 256 << 10 };
	struct timespec pause = { .tv_nsec = 50000000 };
	struct run_kit kit;
	int n_undelivered = 0; /* looks that met records which were read and not yet acknowledged */
	int p;

	ledger.copies = 2;
	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, partitions: 3, count: 200000, per_poll: 20}}\n"
	              "operators: {hop: {type: relay, input: in, key: k, shards: 5, stumble_every: 1000}}\n"
	              "sinks:\n"
	              "  one: {type: ledger, input: in, slow: 30ms, jitter: 20ms, lose_every: 9}\n"
	              "  two: {type: ledger, input: hop, slow: 10ms, jitter: 50ms}\n",
	              &options);
	for (int look = 0; look < 70; look++) {
		nanosleep(&pause, NULL);
		pthread_mutex_lock(&ledger.lock);
		n_undelivered += ledger.committed[0] + ledger.committed[1] + ledger.committed[2] < (int64_t)ledger.n_read;
		pthread_mutex_unlock(&ledger.lock);
	}
	leat_pipeline_abort(kit.pipeline);
	ck_assert_int_eq(leat_pipeline_wait(kit.pipeline, RUN_KIT_PATIENCE_US), LEAT_RUN_STOPPED);
	for (p = 0; p < 3; p++)
		ck_assert_int_gt(ledger.committed[p], 0);
	ck_assert_int_gt(n_undelivered, 0);
	ck_assert_uint_eq(ledger.n_early, 0);
	ledger.copies = 1;
	run_kit_finish(&kit);
}
END_TEST

START_TEST(an_effect_refused_twice_is_one_dead_letter)
{
	struct leat_pipeline_figures figures;
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 1000}}\n"
	              "sinks: {out: {type: ledger, input: in, refuse_every: 1, twice: true}, dead: {type: ledger, input: out.dead, dead: true}}\n",
	              NULL);
	run_kit_expect_done(&kit);
	ck_assert_uint_eq(ledger.n_dead, 1000);
	leat_pipeline_figures(kit.pipeline, &figures);
	ck_assert_uint_eq(figures.node[1].records_out, 0);
	ck_assert_uint_eq(figures.node[1].dead_letters, 1000);
	ck_assert_uint_eq(figures.node[2].records_in, 1000);
	leat_pipeline_figures_finish(&figures);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(dead_letters_that_are_refused_in_turn_go_on_to_the_next_sink)
{
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 1000, broken_every: 5}}\n"
	              "sinks:\n"
	              "  out: {type: ledger, input: in, refuse_every: 4}\n"
	              "  second: {type: ledger, input: [in.dead, out.dead], refuse_every: 1}\n"
	              "  third: {type: ledger, input: second.dead, no_encode: true}\n"
	              "  last: {type: ledger, input: third.dead, dead: true}\n",
	              NULL);
	run_kit_expect_done(&kit);
	/* 200 are no JSON; of the others 250 - 50 divide by four. */
	ck_assert_uint_eq(ledger.n_effects, 600);
	ck_assert_uint_eq(ledger.n_dead, 400);
	ck_assert_int_eq(ledger.committed[0], 1000);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(an_effect_that_is_too_large_is_a_dead_letter)
{
	const struct leat_run_options options = { .effect_bytes = 100 };
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 1000}}\n"
	              "sinks:\n"
	              "  out: {type: ledger, input: in, large_every: 4}\n"
	              "  dead: {type: ledger, input: out.dead, dead: true}\n",
	              &options);
	run_kit_expect_done(&kit);
	ck_assert_uint_eq(ledger.n_effects, 750);
	ck_assert_uint_eq(ledger.n_dead, 250);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(a_dead_letter_that_cannot_be_kept_is_not_acknowledged)
{
	struct leat_error err;
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 200000, endless: true}}\n"
	              "sinks: {out: {type: ledger, input: in, refuse_every: 1}, dead: {type: misfit, input: out.dead, in: encode, by: status 6}}\n",
	              NULL);
	ck_assert_int_eq(leat_pipeline_wait(kit.pipeline, RUN_KIT_PATIENCE_US), LEAT_RUN_STOPPED);
	ck_assert(leat_pipeline_error(kit.pipeline, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "plugin \"misfit\" gave no reason in its encode()"));
	ck_assert_int_eq(ledger.committed[0], 0);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(a_drain_that_waits_for_a_system_ends_when_it_is_aborted)
{
	struct timespec pause = { .tv_nsec = 100000000 };
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 1000, endless: true}}\n"
	              "operators: {hop: {type: relay, input: in, key: k, shards: 3, away: 1000000}}\n"
	              "sinks: {out: {type: ledger, input: hop}}\n",
	              NULL);
	nanosleep(&pause, NULL);
	leat_pipeline_drain(kit.pipeline);
	ck_assert_int_eq(leat_pipeline_wait(kit.pipeline, 300000), LEAT_RUN_DRAINING);
	leat_pipeline_abort(kit.pipeline);
	ck_assert_int_eq(leat_pipeline_wait(kit.pipeline, RUN_KIT_PATIENCE_US), LEAT_RUN_STOPPED);
	ck_assert_int_eq(ledger.committed[0], 0);
	run_kit_finish(&kit);
}
END_TEST

START_TEST(any_inputs_in_any_stage_get_every_record)
{
	struct leat_run_options options = { .workers = 2, .ring_capacity = 1, .in_flight_bytes = 64 << 10 };
	struct run_kit kit;

	/* `both` has an input of its own stage and one of another; `joined` has no key and inputs of two stages. */
	ledger.copies = 5;
	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, partitions: 3, count: 2000, broken_every: 100}}\n"
	              "operators:\n"
	              "  a: {type: relay, input: in, key: k, shards: 3}\n"
	              "  b: {type: relay, input: a}\n"
	              "  both: {type: relay, input: [a, b, in], key: i, shards: 2}\n"
	              "  joined: {type: relay, input: [in, a]}\n"
	              "  letters: {type: relay, input: [in.dead, both.dead], key: node, reject_every: 1}\n"
	              "sinks: {out: {type: ledger, input: [both, joined]}, dead: {type: ledger, input: letters.dead, dead: true}}\n",
	              &options);
	run_kit_expect_done(&kit);
	{
		int p, i;

		for (p = 0; p < 3; p++)
			for (i = 0; i < 2000; i++)
				ck_assert_uint_eq(ledger.seen[p][i], i % 100 == 0 ? 0 : 5);
	}
	ck_assert_uint_eq(ledger.n_dead, 60);
	ledger.copies = 1;
	run_kit_finish(&kit);
}
END_TEST

START_TEST(order_per_key_holds_across_an_exchange_of_keyed_stages)
{
	struct leat_run_options options = { .workers = 2, .ring_capacity = 2 };
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, partitions: 3, count: 20000, keys: 37, per_poll: 33}}\n"
	              "operators:\n"
	              "  a: {type: relay, input: in, key: k, shards: 5, stumble_every: 5000}\n"
	              "  b: {type: relay, input: a, key: k, shards: 3}\n"
	              "  c: {type: relay, input: b, key: [p, k], shards: 4}\n"
	              "sinks: {out: {type: ledger, input: b}}\n",
	              &options);
	run_kit_expect_done(&kit);
	run_kit_expect_all(3, 20000, 1);
	ck_assert_uint_eq(ledger.out_of_order, 0);
	run_kit_finish(&kit);
}
END_TEST

/* E9. That the ring has room again by then is a matter of microseconds, so the shard is made by hand. */
START_TEST(a_barrier_waits_behind_what_is_parked)
{
	const struct leat_stage stage = { .n_nodes = 1 };
	const struct leat_edge edge = { .kind = LEAT_EDGE_EXCHANGE };
	struct leat_worker worker = { .index = 0 };
	struct leat_channel *channel = leat_channel_create(0, 2, &worker, &worker);
	struct leat_route route = { .edge = &edge, .channel = &channel, .n_channels = 1 }, *routes = &route;
	struct leat_packet packet = { .n = 0 };
	size_t n_routes = 1;
	struct leat_instance instance = { .passed_us = 7 }, *instances = &instance;
	struct leat_shard shard = { .stage = &stage, .instance = &instances, .route = &routes, .n_routes = &n_routes };

	shard.parked = leat_grow(NULL, 0, &shard.parked_capacity, sizeof *shard.parked);
	shard.parked[shard.n_parked++] = (struct leat_parked){ .channel = channel, .packet = &packet };
	leat_shard_send_barrier(&shard);
	ck_assert_ptr_null(leat_channel_pull(channel));
	ck_assert_uint_eq(shard.n_parked, 2);
	ck_assert_ptr_eq(shard.parked[0].packet, &packet);
	ck_assert_ptr_eq(shard.parked[1].packet, &channel->barrier);
	ck_assert_int_eq(channel->barrier.mark.us, 7);
	free(shard.parked);
	leat_channel_destroy(channel);
}
END_TEST

/* What each does where, which has to stop the pipeline with a reason that tells of it, and nothing more. */
static const struct {
	const char *role, *in, *by, *says;
} breaches[] = {
	{ "operator", "prepare", "emit", "it emits outside process(), timer() and end()" },
	{ "operator", "prepare", "state get", "it changes state outside process(), timer() and end()" },
	{ "operator", "prepare", "state put", "it changes state outside process(), timer() and end()" },
	{ "operator", "prepare", "state peek", "it uses a state table that it does not have, or as one of another kind" },
	{ "operator", "prepare", "state expect", "it uses a state table that it does not have, or as one of another kind" },
	{ "operator", "prepare", "timer", "it sets a timer outside process(), timer() and end()" },
	{ "operator", "prepare", "cancel", "it cancels a timer outside process(), timer() and end()" },
	{ "operator", "prepare", "status 2", "its prepare() returned status 2" },
	{ "operator", "prepare", "status 5", "its prepare() returned status 5" },
	{ "operator", "process", "state no table", "it uses a state table that it does not have, or as one of another kind" },
	{ "operator", "process", "state other kind", "it uses a state table that it does not have, or as one of another kind" },
	{ "operator", "process", "state erase", "it uses a state table that it does not have, or as one of another kind" },
	{ "operator", "process", "state value", "it uses a state table that it does not have, or as one of another kind" },
	{ "operator", "process", "state scan", "it uses a state table that it does not have, or as one of another kind" },
	{ "operator", "process", "state ordered", "it uses a state table that it does not have, or as one of another kind" },
	{ "operator", "process", "state ordered erase", "it uses a state table that it does not have, or as one of another kind" },
	{ "operator", "process", "state ttl", "it sets a table's TTL outside create()" },
	{ "operator", "process", "port", "it emits to a port that it does not have" },
	{ "operator", "process", "emit", "it says .keeps_records, and emits another record than process() was given" },
	{ "operator", "process", "push", "it pushes a message outside poll()" },
	{ "operator", "process", "push record", "it pushes a record outside poll()" },
	{ "operator", "process", "wait", "it calls leat_wait() outside poll()" },
	{ "operator", "process", "waker", "it asks for a waker, but is no reader" },
	{ "operator", "process", "partition", "it calls leat_partition() outside partitions()" },
	{ "operator", "process", "refuse", "it refuses an effect outside deliver()" },
	{ "operator", "process", "committing", "it calls leat_committing() outside deliver()" },
	{ "operator", "process", "intern", "it interns a name that it did not intern when the pipeline was checked" },
	{ "operator", "process", "status 1", "its process() returned status 1" },
	{ "operator", "process", "status 99", "its process() returned status 99" },
	{ "operator", "process", "status 6", "gave no reason in its process()" },
	{ "operator", "timer", "push", "it pushes a message outside poll()" },
	{ "operator", "timer", "status 2", "its timer() returned status 2" },
	{ "operator", "end", "emit", "it says .keeps_records, and emits another record than process() was given" },
	{ "operator", "end", "port", "it emits to a port that it does not have" },
	{ "operator", "end", "status 1", "its end() returned status 1" },
	{ "source", "partitions", "emit", "it called leat_emit() during set-up" },
	{ "source", "partitions", "state get", "it called leat_allocate() during set-up" },
	{ "source", "open", "allocate", "it makes values where there is no batch" },
	{ "source", "open", "list", "it makes values where there is no batch" },
	{ "source", "open", "map", "it makes values where there is no batch" },
	{ "source", "open", "push", "it pushes a message outside poll()" },
	{ "source", "open", "status 6", "gave no reason in its open()" },
	{ "source", "poll", "emit", "it emits to a port that it does not have" },
	{ "source", "poll", "state get", "it changes state outside process(), timer() and end()" },
	{ "source", "poll", "timer", "it sets a timer outside process(), timer() and end()" },
	{ "source", "poll", "refuse", "it refuses an effect outside deliver()" },
	{ "source", "poll", "committing", "it calls leat_committing() outside deliver()" },
	{ "source", "poll", "status 5", "its poll() returned status 5" },
	{ "source", "commit", "push", "it pushes a message outside poll()" },
	{ "source", "commit", "allocate", "it makes values where there is no batch" },
	{ "sink", "encode", "emit", "it emits to a port that it does not have" },
	{ "sink", "encode", "push", "it pushes a message outside poll()" },
	{ "sink", "encode", "state get", "it changes state outside process(), timer() and end()" },
	{ "sink", "encode", "status 1", "its encode() returned status 1" },
	{ "sink", "encode", "status 6", "gave no reason in its encode()" },
	{ "sink", "claim", "allocate", "it makes values where there is no batch" },
	{ "sink", "claim", "waker", "it asks for a waker, but is no reader" },
	{ "sink", "claim", "status 5", "its claim() returned status 5" },
	{ "sink", "deliver", "allocate", "it makes values where there is no batch" },
	{ "sink", "deliver", "refuse", "it refuses an effect that it was not given" },
	{ "sink", "deliver", "status 2", "its deliver() returned status 2" },
	{ "sink", "deliver", "status 6", "gave no reason in its deliver()" },
};

START_TEST(a_plugin_that_breaks_its_contract_stops_its_pipeline_and_nothing_else)
{
	size_t i;

	for (i = 0; i < sizeof breaches / sizeof *breaches; i++) {
		bool is_source = strcmp(breaches[i].role, "source") == 0, is_sink = strcmp(breaches[i].role, "sink") == 0;
		const char *in = breaches[i].in, *by = breaches[i].by;
		struct leat_error err = { .text = "" };
		enum leat_run_state state;
		struct run_kit kit;
		char yaml[512];

		(void)snprintf(yaml, sizeof yaml,
		               "pipeline: p\ndelivery: at-least-once\n"
		               "sources: {in: {type: misfit, in: %s, by: %s}}\n"
		               "operators: {hop: {type: misfit, input: in, in: %s, by: %s}}\n"
		               "sinks: {out: {type: misfit, input: hop, in: %s, by: %s}}\n",
		               is_source ? in : "none", is_source ? by : "none", is_source || is_sink ? "none" : in,
		               is_source || is_sink ? "none" : by, is_sink ? in : "none", is_sink ? by : "none");
		run_kit_start(&kit, yaml, NULL);
		state = leat_pipeline_wait(kit.pipeline, RUN_KIT_PATIENCE_US);
		(void)leat_pipeline_error(kit.pipeline, &err);
		ck_assert_msg(state == LEAT_RUN_STOPPED && strstr(err.text, breaches[i].says) != NULL, "%s, %s(), %s: state %d, \"%s\"",
		              breaches[i].role, in, by, (int)state, err.text);
		run_kit_finish(&kit);
	}
}
END_TEST

START_TEST(a_flood_of_dead_letters_is_logged_by_node_and_adds_up)
{
	FILE *log = tmpfile();
	int n_lines = 0, n_more = 0;
	struct run_kit kit;
	char line[1024];
	unsigned more;

	ck_assert_ptr_nonnull(log);
	ck_assert_int_ge(dup2(fileno(log), STDERR_FILENO), 0);
	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, partitions: 4, count: 1000}}\n"
	              "operators: {hop: {type: relay, input: in, key: k, shards: 16, reject_every: 1}}\n"
	              "sinks: {out: {type: ledger, input: hop}}\n",
	              NULL);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	rewind(log);
	while (fgets(line, sizeof line, log) != NULL) {
		const char *number = strstr(line, "\"hop\": ");

		n_lines += strstr(line, "dead letter: ") != NULL;
		if (number != NULL && sscanf(number, "\"hop\": %u more dead letters", &more) == 1)
			n_more += (int)more;
	}
	fclose(log);
	ck_assert_int_gt(n_lines, 0);
	ck_assert_int_le(n_lines, 20); /* five in each second that it takes, not five for each of the 16 */
	ck_assert_int_eq(n_lines + n_more, 4000);
}
END_TEST

/* Until a worker has been in one call for a time between both, and in which node. */
static int64_t await_stall(struct leat_pipeline *p, uint32_t *node, int64_t least_us, int64_t most_us)
{
	struct leat_pipeline_figures figures;
	int64_t stalled_us = -1;

	for (int i = 0; i < TRIES && !(stalled_us >= least_us && stalled_us <= most_us); i++) {
		rest_ms(10);
		leat_pipeline_figures(p, &figures);
		stalled_us = figures.stalled_us;
		*node = figures.stalled_node;
		leat_pipeline_figures_finish(&figures);
	}
	return stalled_us;
}

START_TEST(a_worker_that_is_stuck_in_a_plugin_is_seen)
{
	uint32_t node;
	struct run_kit kit;

	run_kit_start(&kit,
	              "pipeline: p\ndelivery: at-least-once\n"
	              "sources: {in: {type: numbers, count: 1, endless: true}}\n"
	              "operators: {hop: {type: relay, input: in, key: k, work: 1s}}\n"
	              "sinks: {out: {type: ledger, input: hop}}\n",
	              NULL);
	ck_assert_int_ge(await_stall(kit.pipeline, &node, 200000, INT64_MAX), 200000);
	ck_assert_str_eq(kit.description->node[node].name, "hop");
	/* 0 but for the moment in which it looks whether to commit */
	ck_assert_int_lt(await_stall(kit.pipeline, &node, 0, 100000), 100000);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
}
END_TEST

/* ---- at random ---- */

/* Everything at once: what is read is delivered as often as it should be, and then acknowledged, whenever the drain comes. */
static void storm(unsigned seed)
{
	struct leat_run_options options = { .workers = 1 + seed % 3, .ring_capacity = 1, .in_flight_bytes = 32 << 10, .batch_bytes = 1024 };
	struct timespec pause = { .tv_nsec = (long)(seed * 7919 % 60) * 1000000 };
	struct leat_pipeline_figures figures;
	uint64_t n_read = 0, n_dead = 0;
	int p, i, n_partitions = 1 + (int)(seed % 5);
	struct run_kit kit;
	char yaml[2048];

	(void)snprintf(yaml, sizeof yaml,
	               "pipeline: p\ndelivery: at-least-once\n"
	               "sources: {in: {type: numbers, partitions: %d, count: %d, keys: %d, per_poll: %d, broken_every: 13, stumble_every: 400}}\n"
	               "operators:\n"
	               "  a: {type: relay, input: in, key: k, shards: %d, stumble_every: 997, delay: 1ms, copies: 1}\n"
	               "  b: {type: relay, input: [a, in], delay: 2ms}\n"
	               "  c: {type: relay, input: b, key: [k, p], shards: %d, reject_every: 11, away: 1, end_away: 1}\n"
	               "sinks:\n"
	               "  out: {type: ledger, input: c, refuse_every: 7, jitter: 2ms, lose_every: 9}\n"
	               "  dead: {type: ledger, input: [in.dead, c.dead, out.dead], dead: true, jitter: 3ms}\n",
	               n_partitions, seed % 4 == 0 ? 300 : 3000, (int)(seed % 3) * 20, 1 + (int)(seed * 31 % 60), 1 + (int)(seed % 7),
	               1 + (int)(seed % 4));
	run_kit_is_watched = seed % 2 == 0;
	ledger.copies = 2;
	run_kit_start(&kit, yaml, &options);
	nanosleep(&pause, NULL);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	for (p = 0; p < n_partitions; p++) {
		n_read += (uint64_t)ledger.committed[p];
		for (i = 0; i < 3000; i++) {
			bool is_read = i < ledger.committed[p], is_broken = i % 13 == 0, is_rejected = i % 11 == 0 || i % 7 == 0;

			ck_assert_msg(ledger.seen[p][i] == (is_read && !is_broken && !is_rejected ? 2 : 0),
			              "seed %u: record %d of partition %d was delivered %u times; %lld are acknowledged", seed, i, p,
			              ledger.seen[p][i], (long long)ledger.committed[p]);
			n_dead += !is_read ? 0 : is_broken ? 1 : is_rejected ? 2 : 0;
		}
	}
	ck_assert_msg(n_read == ledger.n_read, "seed %u: %llu read, %llu acknowledged", seed, (unsigned long long)ledger.n_read,
	              (unsigned long long)n_read);
	ck_assert_msg(n_dead == ledger.n_dead, "seed %u: %llu dead letters, not %llu", seed, (unsigned long long)ledger.n_dead,
	              (unsigned long long)n_dead);
	leat_pipeline_figures(kit.pipeline, &figures);
	ck_assert_uint_eq(figures.in_flight_bytes, 0);
	leat_pipeline_figures_finish(&figures);
	ledger.copies = 1;
	run_kit_finish(&kit);
}

START_TEST(whatever_happens_nothing_is_lost_doubled_or_acknowledged_too_early)
{
	unsigned seed;

	for (seed = 0; seed < 50; seed++)
		storm(seed);
}
END_TEST

int main(void)
{
	return leat_test_main("run", (const TTest *[]){
					     every_record_of_every_partition_arrives_once_and_in_order,
					     tiny_rings_skewed_keys_and_a_slow_sink_neither_stop_it_nor_fill_memory,
					     a_record_that_is_rejected_becomes_a_dead_letter_and_leaves_no_trace,
					     a_record_without_its_key_is_buried,
					     systems_that_are_away_are_waited_for,
					     what_a_sink_refuses_goes_to_its_dead_letters,
					     a_fatal_error_stops_it_and_names_the_node,
					     a_drain_delivers_what_was_read_and_commits_it,
					     an_idle_pipeline_sleeps,
					     an_abort_ends_it_at_once,
					     an_event_without_any_bytes_is_a_dead_letter_too,
					     what_a_reader_pushed_before_it_stumbled_is_delivered,
					     a_source_that_pushes_nothing_and_says_it_did_does_not_spin,
					     a_commit_that_did_not_work_is_made_again,
					     a_partition_that_cannot_be_opened_keeps_none_of_the_others_from_being_read,
					     an_instance_is_made_on_the_thread_of_its_worker,
					     timers_and_ends_that_say_later_are_called_again,
					     a_timer_that_sets_the_next_one_does_not_keep_a_drain_from_its_end,
					     due_timers_fire_in_slices,
					     nothing_is_acknowledged_before_it_is_delivered,
					     an_effect_refused_twice_is_one_dead_letter,
					     dead_letters_that_are_refused_in_turn_go_on_to_the_next_sink,
					     an_effect_that_is_too_large_is_a_dead_letter,
					     a_dead_letter_that_cannot_be_kept_is_not_acknowledged,
					     a_drain_that_waits_for_a_system_ends_when_it_is_aborted,
					     any_inputs_in_any_stage_get_every_record,
					     order_per_key_holds_across_an_exchange_of_keyed_stages,
					     a_barrier_waits_behind_what_is_parked,
					     a_plugin_that_breaks_its_contract_stops_its_pipeline_and_nothing_else,
					     a_flood_of_dead_letters_is_logged_by_node_and_adds_up,
					     a_worker_that_is_stuck_in_a_plugin_is_seen,
					     whatever_happens_nothing_is_lost_doubled_or_acknowledged_too_early,
					     NULL,
				     });
}
