/* SPDX-License-Identifier: Apache-2.0 */
/* Where the time of an event goes: whatever the clock does, and in pipelines of every kind, the phases are its latency. */
#define _XOPEN_SOURCE 700 /* nftw() */
#include "run/phases.h"

#include <stdlib.h>

#include "unit/folder.h"
#include "unit/random.h"
#include "unit/run_kit.h"
#include "unit/unit.h"

static int64_t sum_of(const int64_t us[LEAT_PHASES])
{
	int64_t sum = 0;

	for (unsigned i = LEAT_PHASE_QUEUE; i < LEAT_PHASES; i++) {
		ck_assert_int_ge(us[i], 0);
		sum += us[i];
	}
	return sum;
}

START_TEST(a_way_is_split_where_it_was_stamped)
{
	const struct leat_way way = { .arrival_us = 1000, .queued_us = 30, .left_us = 1100, .closed_us = 1300, .durable_us = 1700,
		                      .taken_us = 2500, .committing_us = 4100, .done_us = 7300 };
	int64_t us[LEAT_PHASES];

	leat_way_split(&way, us);
	ck_assert_int_eq(us[LEAT_PHASE_QUEUE], 30);
	ck_assert_int_eq(us[LEAT_PHASE_OPERATORS], 70);
	ck_assert_int_eq(us[LEAT_PHASE_EPOCH], 200);
	ck_assert_int_eq(us[LEAT_PHASE_STORE], 400);
	ck_assert_int_eq(us[LEAT_PHASE_OUTBOX], 800);
	ck_assert_int_eq(us[LEAT_PHASE_DELIVERY], 1600);
	ck_assert_int_eq(us[LEAT_PHASE_COMMIT], 3200);
}
END_TEST

START_TEST(phases_add_up_to_the_latency_when_the_clock_jumps)
{
	uint64_t seed = 1;

	for (int n = 0; n < 100000; n++) {
		struct leat_way way = { 0 };
		int64_t *at[] = { &way.arrival_us, &way.queued_us, &way.left_us, &way.closed_us, &way.durable_us, &way.taken_us,
			          &way.committing_us, &way.done_us };
		int64_t us[LEAT_PHASES];

		for (size_t i = 0; i < sizeof at / sizeof *at; i++)
			*at[i] = (int64_t)(random_below(&seed, 1000));
		leat_way_split(&way, us);
		ck_assert_int_eq(sum_of(us), way.done_us > way.arrival_us ? way.done_us - way.arrival_us : 0);
	}
}
END_TEST

static uint64_t events(const struct leat_phases *phases, struct leat_phase_figures figures[LEAT_PHASES], unsigned phase)
{
	memset(figures, 0, LEAT_PHASES * sizeof *figures);
	leat_phases_figures(phases, figures);
	return leat_phase_events(&figures[phase]);
}

START_TEST(an_events_own_time_counts_where_it_has_one_and_is_not_long_ago)
{
	static const int64_t ages[] = { 0, 1, 2, 3000, 3001, 0, INT64_C(1) << 40, 1, -2000 /* of a clock that is ahead */ };
	const struct leat_record without = { .arrival_us = INT64_C(1) << 41, .time_us = LEAT_NO_TIME };
	struct leat_record record[sizeof ages / sizeof *ages];
	const struct leat_record *all[sizeof ages / sizeof *ages + 1] = { &without };
	struct leat_phase_figures figures[LEAT_PHASES];
	uint64_t bucket[LEAT_LATENCY_BUCKETS] = { 0 };
	static struct leat_phases phases;

	for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
		record[i] = (struct leat_record){ .arrival_us = without.arrival_us, .time_us = without.arrival_us - ages[i] };
		bucket[leat_latency_bucket(ages[i] > 0 ? (uint64_t)ages[i] : 0)] += ages[i] < INT64_C(1) << 40; /* 12 days */
		all[i + 1] = &record[i];
	}
	leat_phases_count_source(&phases, all, sizeof all / sizeof *all);
	ck_assert_uint_eq(events(&phases, figures, LEAT_PHASE_SOURCE), sizeof ages / sizeof *ages - 1);
	ck_assert_mem_eq(figures[LEAT_PHASE_SOURCE].bucket, bucket, sizeof bucket);
	ck_assert_uint_eq(figures[LEAT_PHASE_SOURCE].sum_us, 6005);
}
END_TEST

START_TEST(phases_that_a_way_does_not_have_are_left_out)
{
	struct leat_way way = { .arrival_us = 10, .left_us = 20, .durable_us = 20, .taken_us = 30, .done_us = 70 };
	struct leat_phase_figures figures[LEAT_PHASES];
	static struct leat_phases phases;

	leat_phases_count(&phases, &way, 3);
	ck_assert_uint_eq(events(&phases, figures, LEAT_PHASE_EPOCH), 0);
	ck_assert_uint_eq(events(&phases, figures, LEAT_PHASE_STORE), 0);
	ck_assert_uint_eq(events(&phases, figures, LEAT_PHASE_COMMIT), 0);
	ck_assert_uint_eq(events(&phases, figures, LEAT_PHASE_DELIVERY), 3);
	ck_assert_uint_eq(figures[LEAT_PHASE_OUTBOX].sum_us, 30);
	ck_assert_uint_eq(figures[LEAT_PHASE_DELIVERY].sum_us, 120);
	way.committing_us = 65;
	leat_phases_count(&phases, &way, 1);
	ck_assert_uint_eq(events(&phases, figures, LEAT_PHASE_COMMIT), 1);
	ck_assert_uint_eq(figures[LEAT_PHASE_COMMIT].sum_us, 5);
}
END_TEST

/* ---- pipelines -------------------------------------------------------------------------------------------------------- */

static char folder[64];

/* Runs it to its end. */
static void run(const char *yaml, struct run_kit *kit, struct leat_pipeline_figures *figures)
{
	struct leat_run_options options = { .workers = 2, .batch_bytes = 4096, .state_dir = folder };

	(void)snprintf(folder, sizeof folder, "/tmp/leat-test-phases-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	run_kit_start(kit, yaml, &options);
	run_kit_expect_done(kit);
	leat_pipeline_figures(kit->pipeline, figures);
}

static void finish(struct run_kit *kit, struct leat_pipeline_figures *figures)
{
	leat_pipeline_figures_finish(figures);
	run_kit_finish(kit);
	remove_tree(folder);
}

/* Over all sinks. */
static uint64_t latency_of(const struct leat_pipeline_figures *figures)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < figures->n_nodes; i++)
		for (unsigned k = LEAT_PHASE_QUEUE; k < LEAT_PHASES && figures->node[i].phase != NULL; k++)
			sum += figures->node[i].phase[k].sum_us;
	return sum;
}

START_TEST(all_phases_of_a_pipeline_with_epochs_add_up_to_its_latency)
{
	const struct leat_phase_figures *phase;
	struct leat_pipeline_figures figures;
	struct run_kit kit;

	run("pipeline: p\nsources: {in: {type: numbers, partitions: 3, count: 6000}}\n"
	    "operators:\n  a: {type: relay, input: in, key: k, shards: 3}\n  b: {type: relay, input: a, key: i, shards: 2}\n"
	    "sinks: {out: {type: ledger, input: b, slow: 2ms, commit: 3ms}}\n",
	    &kit, &figures);
	run_kit_expect_all(3, 6000, 1);
	phase = figures.node[3].phase;
	ck_assert_ptr_nonnull(phase);
	for (unsigned k = LEAT_PHASE_QUEUE; k < LEAT_PHASES; k++) {
		ck_assert_uint_eq(leat_phase_events(&phase[k]), 18000);
		ck_assert_uint_gt(phase[k].sum_us, 0);
	}
	ck_assert_uint_eq(leat_phase_events(&phase[LEAT_PHASE_SOURCE]), 0); /* `numbers` knows of no time */
	ck_assert_uint_ge(phase[LEAT_PHASE_DELIVERY].sum_us, 18000 * UINT64_C(2000));
	ck_assert_uint_ge(phase[LEAT_PHASE_COMMIT].sum_us, 18000 * UINT64_C(3000));
	ck_assert_uint_eq(latency_of(&figures), figures.latency_sum_us);
	ck_assert_ptr_null(figures.node[0].phase);
	finish(&kit, &figures);
}
END_TEST

START_TEST(without_epochs_what_there_is_adds_up_too)
{
	const struct leat_phase_figures *phase;
	struct leat_pipeline_figures figures;
	struct run_kit kit;

	run("pipeline: p\ndelivery: at-least-once\nsources: {in: {type: numbers, count: 2000, broken_every: 10}}\n"
	    "operators: {hop: {type: relay, input: in, key: k, shards: 3}}\n"
	    "sinks: {out: {type: ledger, input: hop, refuse_every: 7}, dead: {type: ledger, input: [in.dead, out.dead], dead: true}}\n",
	    &kit, &figures);
	phase = figures.node[2].phase;
	ck_assert_uint_eq(leat_phase_events(&phase[LEAT_PHASE_QUEUE]), 1800);
	ck_assert_uint_eq(leat_phase_events(&phase[LEAT_PHASE_DELIVERY]), 1800);
	ck_assert_uint_eq(leat_phase_events(&phase[LEAT_PHASE_EPOCH]), 0);
	ck_assert_uint_eq(leat_phase_events(&phase[LEAT_PHASE_STORE]), 0);
	ck_assert_uint_eq(leat_phase_events(&phase[LEAT_PHASE_COMMIT]), 0);
	ck_assert_uint_eq(leat_phase_events(&figures.node[3].phase[LEAT_PHASE_OUTBOX]), ledger.n_dead);
	ck_assert_uint_eq(latency_of(&figures), figures.latency_sum_us);
	finish(&kit, &figures);
}
END_TEST

START_TEST(time_between_shards_is_queue_and_time_in_them_is_operators)
{
	const struct leat_phase_figures *phase;
	struct leat_pipeline_figures figures;
	struct run_kit kit;

	/* Encoding takes a millisecond a record, on the worker of the last shard; what comes behind it waits in the ring. */
	run("pipeline: p\nsources: {in: {type: numbers, count: 60, per_poll: 10}}\n"
	    "operators: {hop: {type: relay, input: in, key: k, shards: 1}}\n"
	    "sinks: {out: {type: ledger, input: hop, encode: 1ms}}\n",
	    &kit, &figures);
	phase = figures.node[2].phase;
	ck_assert_uint_eq(leat_phase_events(&phase[LEAT_PHASE_OPERATORS]), 60);
	ck_assert_uint_ge(phase[LEAT_PHASE_OPERATORS].sum_us, 60 * UINT64_C(10000));
	ck_assert_uint_gt(phase[LEAT_PHASE_QUEUE].sum_us, 60 * UINT64_C(1000));
	ck_assert_uint_eq(latency_of(&figures), figures.latency_sum_us);
	finish(&kit, &figures);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { a_way_is_split_where_it_was_stamped,
		                       phases_add_up_to_the_latency_when_the_clock_jumps,
		                       an_events_own_time_counts_where_it_has_one_and_is_not_long_ago,
		                       phases_that_a_way_does_not_have_are_left_out,
		                       all_phases_of_a_pipeline_with_epochs_add_up_to_its_latency,
		                       without_epochs_what_there_is_adds_up_too,
		                       time_between_shards_is_queue_and_time_in_them_is_operators,
		                       NULL };

	return leat_test_main("phases", tests);
}
