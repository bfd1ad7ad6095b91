/* SPDX-License-Identifier: Apache-2.0 */
/* Epochs with a sink made for it: what is ended in the middle of things goes on where its last epoch was, once. */
#define _XOPEN_SOURCE 700 /* nftw() */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run/epoch.h"
#include "run/internal.h"
#include "state/store.h"
#include "unit/folder.h"
#include "unit/run_kit.h"
#include "unit/unit.h"

static char folder[64];

static void make_folder(void)
{
	(void)snprintf(folder, sizeof folder, "/tmp/leat-test-epochs-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
	remove_tree(folder);
}

static struct leat_run_options options_of(uint32_t workers)
{
	return (struct leat_run_options){ .workers = workers, .ring_capacity = 2, .in_flight_bytes = 256 << 10, .batch_bytes = 4096,
		                              .state_dir = folder };
}

static void rest_ms(int ms)
{
	(void)nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 }, NULL);
}

static void expect_stopped(struct run_kit *kit, const char *part)
{
	struct leat_error err = { .text = "" };

	ck_assert_int_eq(leat_pipeline_wait(kit->pipeline, RUN_KIT_PATIENCE_US / 5), LEAT_RUN_STOPPED);
	ck_assert(leat_pipeline_error(kit->pipeline, &err));
	ck_assert_msg(strstr(err.text, part) != NULL, "\"%s\" does not say \"%s\"", err.text, part);
}

static uint64_t read_ledger(const uint64_t *counter)
{
	uint64_t n;

	pthread_mutex_lock(&ledger.lock);
	n = *counter;
	pthread_mutex_unlock(&ledger.lock);
	return n;
}

static uint64_t effects(void)
{
	return read_ledger(&ledger.n_effects);
}

/* Until a counter of the ledger is there, or has stood still for so long that it never will be. */
static void await_counter(const struct run_kit *kit, const uint64_t *counter, uint64_t n)
{
	uint64_t last = 0, now;
	int idle_ms = 0;

	while (idle_ms < 8000 && (now = read_ledger(counter)) < n && leat_pipeline_state(kit->pipeline) != LEAT_RUN_STOPPED) {
		rest_ms(10);
		idle_ms = now == last ? idle_ms + 10 : 0;
		last = now;
	}
}

static void await_effects(const struct run_kit *kit, uint64_t n)
{
	await_counter(kit, &ledger.n_effects, n);
}

static int n_rows; /* that stored_counts() has seen */

static bool add_row(void *opaque, const struct leat_delta_op *op)
{
	int64_t n;

	n_rows++;
	/* An entry's bytes: when it was changed, then its fields. */
	ck_assert_uint_ge(op->value_n, 2 * sizeof n);
	memcpy(&n, op->value + op->value_n - sizeof n, sizeof n);
	*(int64_t *)opaque += n;
	return true;
}

/* The counts that operator `hop` has in its state, over all keys and shards. */
static int64_t stored_counts(const char *pipeline, uint32_t n_shards)
{
	struct leat_store_table table = { .node = "hop", .table = "count", .kind = LEAT_TABLE_FIXED, .n_shards = n_shards };
	struct leat_store *store;
	struct leat_error err;
	char path[128];
	int64_t sum = 0;

	(void)snprintf(path, sizeof path, "%s/%s.state", folder, pipeline);
	ck_assert_msg(leat_store_open(path, pipeline, &store, &err) == LEAT_OK, "%s", err.text);
	(void)leat_store_use_table(store, &table, &err); /* for its number; the layout is another matter */
	for (uint32_t shard = 0; shard < n_shards; shard++)
		ck_assert_msg(leat_store_rows(store, table.number, shard, add_row, &sum, &err) == LEAT_OK, "%s", err.text);
	leat_store_close(store);
	return sum;
}

/* Of pipeline `p`, which does not run. */
static struct leat_store *open_store(void)
{
	struct leat_store *store;
	struct leat_error err;
	char path[128];

	(void)snprintf(path, sizeof path, "%s/p.state", folder);
	ck_assert_msg(leat_store_open(path, "p", &store, &err) == LEAT_OK, "%s", err.text);
	return store;
}

static uint64_t stored_epoch(void)
{
	struct leat_store *store = open_store();
	uint64_t epoch = leat_store_epoch(store);

	leat_store_close(store);
	return epoch;
}

/* How many epochs are in the outbox, whose chain has to hold. */
static uint64_t outbox_of(const char *sink)
{
	struct leat_store *store = open_store();
	struct leat_store_audit audit;
	struct leat_error err;

	ck_assert_msg(leat_store_audit(store, leat_store_find_sink(store, sink), NULL, &audit, &err) == LEAT_OK, "%s", err.text);
	leat_store_close(store);
	return audit.n_epochs;
}

static const char endless[] = "pipeline: p\n"
                              "sources: {in: {type: numbers, partitions: 3, count: 5000, per_poll: 7, keys: 60, endless: true}}\n"
                              "operators: {hop: {type: relay, input: in, key: k, shards: 5}}\n"
                              "sinks:\n"
                              "  one: {type: ledger, input: in, slow: 2ms, jitter: 3ms, lose_every: 7}\n"
                              "  two: {type: ledger, input: hop, jitter: 9ms, lose_every: 5}\n";

START_TEST(what_is_ended_anywhere_goes_on_and_counts_each_record_once)
{
	const struct leat_run_options options = options_of(2);
	struct run_kit kit;
	int n_ends = 0;

	make_folder();
	ledger.copies = 2;
	run_kit_start(&kit, endless, &options);
	for (; n_ends < 12 && effects() < 29000; n_ends++) {
		rest_ms(20 + 45 * (n_ends % 5));
		leat_pipeline_abort(kit.pipeline);
		ck_assert_int_eq(leat_pipeline_wait(kit.pipeline, RUN_KIT_PATIENCE_US), LEAT_RUN_STOPPED);
		run_kit_finish(&kit);
		run_kit_restart(&kit, endless, &options);
	}
	await_effects(&kit, 30000);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	ck_assert_int_ge(n_ends, 3);
	run_kit_expect_all(3, 5000, 2);
	ck_assert_uint_eq(ledger.out_of_order, 0);
	ck_assert_int_eq(stored_counts("p", 5), 15000);
	ledger.copies = 1;
	remove_folder();
}
END_TEST

/* A barrier does not pass there: the rest of the batch is read, but not yet done. */
START_TEST(what_waits_in_the_middle_of_a_batch_is_not_lost)
{
	static const char stumbling[] = "pipeline: p\nsources: {in: {type: numbers, count: 400, per_poll: 40, endless: true}}\n"
	                                "operators: {hop: {type: relay, input: in, stumble_every: 50}}\n"
	                                "sinks: {out: {type: ledger, input: hop}}\n";
	const struct leat_run_options options = options_of(1);
	struct run_kit kit;

	make_folder();
	run_kit_start(&kit, stumbling, &options);
	for (int i = 0; i < 6; i++) {
		rest_ms(60 + 20 * i);
		leat_pipeline_abort(kit.pipeline);
		run_kit_finish(&kit);
		run_kit_restart(&kit, stumbling, &options);
	}
	await_effects(&kit, 400);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	run_kit_expect_all(1, 400, 1);
	ck_assert_uint_eq(ledger.out_of_order, 0);
	remove_folder();
}
END_TEST

/* What such a sink has is known from the store alone. */
START_TEST(a_sink_without_a_fence_gets_again_what_was_not_noted)
{
	static const char slow[] = "pipeline: p\nsources: {in: {type: numbers, count: 800, per_poll: 5}}\n"
	                           "operators: {hop: {type: relay, input: in, key: k, shards: 2, work: 1ms}}\n"
	                           "sinks: {out: {type: ledger, input: hop, slow: 150ms, delivery: at-least-once}}\n";
	const struct leat_run_options options = options_of(1);
	struct run_kit kit;

	make_folder();
	run_kit_start(&kit, slow, &options);
	for (int i = 0; i < 3; i++) {
		await_effects(&kit, effects() + 50);
		rest_ms(90);
		leat_pipeline_abort(kit.pipeline);
		ck_assert_int_eq(leat_pipeline_wait(kit.pipeline, RUN_KIT_PATIENCE_US), LEAT_RUN_STOPPED);
		run_kit_finish(&kit);
		run_kit_restart(&kit, slow, &options);
	}
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	for (int i = 0; i < 800; i++)
		ck_assert_msg(ledger.seen[0][i] > 0, "record %d was not delivered", i);
	remove_folder();
}
END_TEST

/* E2 */
START_TEST(epochs_that_wait_behind_a_delivery_are_not_lost)
{
	static const char slow[] = "pipeline: p\nsources: {in: {type: numbers, count: 800, per_poll: 5, endless: true}}\n"
	                           "operators: {hop: {type: relay, input: in, key: k, shards: 2, work: 1ms}}\n"
	                           "sinks: {out: {type: ledger, input: hop, slow: 150ms}}\n";
	const struct leat_run_options options = options_of(1);
	uint64_t n, longest = 0;
	struct run_kit kit;

	make_folder();
	run_kit_start(&kit, slow, &options);
	for (int i = 0; i < 3; i++) {
		await_effects(&kit, effects() + 50);
		rest_ms(90); /* in the middle of the next delivery */
		leat_pipeline_abort(kit.pipeline);
		ck_assert_int_eq(leat_pipeline_wait(kit.pipeline, RUN_KIT_PATIENCE_US), LEAT_RUN_STOPPED);
		run_kit_finish(&kit);
		n = outbox_of("out");
		longest = n > longest ? n : longest;
		run_kit_restart(&kit, slow, &options);
	}
	await_effects(&kit, 800);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	ck_assert_uint_ge(longest, 1);
	run_kit_expect_all(1, 800, 1);
	remove_folder();
}
END_TEST

START_TEST(a_rejected_event_leaves_no_trace_in_the_store)
{
	static const char yaml[] = "pipeline: p\nsources: {in: {type: numbers, count: 3000}}\n"
	                           "operators: {hop: {type: relay, input: in, key: k, shards: 2, reject_every: 3}}\n"
	                           "sinks: {out: {type: ledger, input: hop}, dead: {type: ledger, input: hop.dead, dead: true}}\n";
	const struct leat_run_options options = options_of(2);
	struct run_kit kit;

	make_folder();
	run_kit_start(&kit, yaml, &options);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	ck_assert_uint_eq(ledger.n_dead, 1000);
	ck_assert_int_eq(stored_counts("p", 2), 2000);
	remove_folder();
}
END_TEST

static struct run_kit *watched;
static _Atomic uint64_t n_early, n_commits;

static void watch_delivery(const struct leat_delivery *delivery)
{
	n_early += delivery->next.epoch > leat_store_epoch(leat_epochs_store(watched->pipeline->epochs));
}

static void watch_commit(int32_t partition, const struct leat_position *position)
{
	struct leat_position stored;

	(void)leat_store_position(leat_epochs_store(watched->pipeline->epochs), "in", partition, &stored);
	n_early += position->offset > stored.offset;
	n_commits += !atomic_load(&watched->pipeline->is_draining);
}

/* E1, E10 */
START_TEST(nothing_leaves_and_nothing_is_acknowledged_before_it_is_durable)
{
	static const char yaml[] = "pipeline: p\nsources: {in: {type: numbers, partitions: 2, count: 2000, per_poll: 5, endless: true}}\n"
	                           "operators: {hop: {type: relay, input: in, key: k, shards: 2, work: 1ms}}\n"
	                           "sinks: {out: {type: ledger, input: hop}}\n";
	const struct leat_run_options options = options_of(2);
	struct run_kit kit;

	make_folder();
	watched = &kit;
	ledger.on_deliver = watch_delivery;
	ledger.on_commit = watch_commit;
	run_kit_start(&kit, yaml, &options);
	await_effects(&kit, 4000);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	ck_assert_uint_gt(n_commits, 0); /* one in a second */
	ck_assert_uint_eq(n_early, 0);
	remove_folder();
}
END_TEST

/* E7 */
START_TEST(what_a_sink_refuses_is_one_dead_letter_wherever_it_is_ended)
{
	static const char refusing[] =
		"pipeline: p\n"
		"sources: {in: {type: numbers, partitions: 2, count: 3000, per_poll: 7, endless: true}}\n"
		"sinks:\n"
		"  out: {type: ledger, input: in, slow: 1ms, jitter: 3ms, lose_every: 6, refuse_every: 10}\n"
		"  dead: {type: ledger, input: out.dead, dead: true, jitter: 2ms, lose_every: 9}\n"
		"  late: {type: ledger, input: out.dead, dead: true, encode: 1ms}\n";
	const struct leat_run_options options = options_of(2);
	struct run_kit kit;

	make_folder();
	run_kit_start(&kit, refusing, &options);
	for (int i = 0; i < 14; i++) {
		rest_ms(15 + 30 * (i % 4));
		leat_pipeline_abort(kit.pipeline);
		ck_assert_int_eq(leat_pipeline_wait(kit.pipeline, RUN_KIT_PATIENCE_US), LEAT_RUN_STOPPED);
		run_kit_finish(&kit);
		run_kit_restart(&kit, refusing, &options);
	}
	await_counter(&kit, &ledger.n_dead, 1200);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	ck_assert_uint_eq(ledger.n_dead, 1200);
	ck_assert_uint_eq(ledger.n_effects, 5400);
	remove_folder();
}
END_TEST

START_TEST(state_goes_on_counting_after_a_drain)
{
	static const char first[] = "pipeline: p\nsources: {in: {type: numbers, partitions: 2, count: 1000}}\n"
	                            "operators: {hop: {type: relay, input: in, key: k}}\nsinks: {out: {type: ledger, input: hop}}\n";
	static const char second[] = "pipeline: p\nsources: {in: {type: numbers, partitions: 2, count: 3000}}\n"
	                             "operators: {hop: {type: relay, input: in, key: k}}\nsinks: {out: {type: ledger, input: hop}}\n";
	const struct leat_run_options options = options_of(2);
	struct run_kit kit;

	make_folder();
	run_kit_start(&kit, first, &options);
	run_kit_expect_done(&kit);
	ck_assert_int_eq(ledger.committed[1], 1000);
	run_kit_finish(&kit);
	ck_assert_int_eq(stored_counts("p", 8), 2000);
	run_kit_restart(&kit, second, &options);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	run_kit_expect_all(2, 3000, 1);
	ck_assert_int_eq(stored_counts("p", 8), 6000);
	remove_folder();
}
END_TEST

/* The sink has no fence, as the ledger of the first process goes with it. */
START_TEST(a_key_finds_its_state_in_the_next_process)
{
	static const char yaml[] = "pipeline: p\nsources: {in: {type: numbers, partitions: 2, count: %d}}\n"
	                           "operators: {hop: {type: relay, input: in, key: k}}\n"
	                           "sinks: {out: {type: ledger, input: hop, delivery: at-least-once}}\n";
	const struct leat_run_options options = options_of(2);
	struct run_kit kit;
	char text[400];
	int outcome;
	pid_t pid;

	make_folder();
	for (int count = 1000; count <= 2000; count += 1000) {
		(void)snprintf(text, sizeof text, yaml, count);
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			run_kit_start(&kit, text, &options);
			run_kit_expect_done(&kit);
			run_kit_finish(&kit);
			_exit(EXIT_SUCCESS);
		}
		ck_assert_int_eq(waitpid(pid, &outcome, 0), pid);
		ck_assert(WIFEXITED(outcome) && WEXITSTATUS(outcome) == EXIT_SUCCESS);
	}
	ck_assert_int_eq(stored_counts("p", 8), 4000);
	ck_assert_int_eq(n_rows, 100); /* one for each key */
	remove_folder();
}
END_TEST

START_TEST(a_slow_sink_holds_up_the_reading)
{
	static const char slow[] = "pipeline: p\nsources: {in: {type: numbers, partitions: 5, count: 4000, per_poll: 40}}\n"
	                           "operators: {hop: {type: relay, input: in, key: k, shards: 3}}\n"
	                           "sinks: {out: {type: ledger, input: hop, slow: 30ms}}\n";
	const struct leat_run_options options = options_of(2);
	struct run_kit kit;

	make_folder();
	run_kit_start(&kit, slow, &options);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	run_kit_expect_all(5, 4000, 1);
	/* The budget is 256 KiB, and 360 records were seen to be in flight; without it some 8000 of the 20,000. */
	ck_assert_uint_lt(ledger.max_in_flight, 3000);
	remove_folder();
}
END_TEST

/* Without effects nothing else waits for the last epoch. */
START_TEST(a_drain_makes_state_durable_that_has_no_effects)
{
	static const char silent[] = "pipeline: p\nsources: {in: {type: numbers, count: 200000, per_poll: 5, endless: true}}\n"
	                             "operators: {hop: {type: relay, input: in, key: k, shards: 2, copies: 0}}\n"
	                             "sinks: {out: {type: ledger, input: hop}}\n";
	const struct leat_run_options options = options_of(1);
	struct run_kit kit;

	make_folder();
	run_kit_start(&kit, silent, &options);
	for (int i = 0; i < 6; i++) {
		rest_ms(30);
		leat_pipeline_drain(kit.pipeline);
		run_kit_expect_done(&kit);
		run_kit_finish(&kit);
		ck_assert_int_eq(stored_counts("p", 2), (int64_t)ledger.n_read);
		run_kit_restart(&kit, silent, &options);
	}
	ck_assert_uint_gt(ledger.n_read, 0);
	run_kit_finish(&kit);
	remove_folder();
}
END_TEST

static const char plain[] = "pipeline: p\nsources: {in: {type: numbers, count: 2000, endless: true}}\n"
                            "operators: {hop: {type: relay, input: in, key: k}}\nsinks: {out: {type: ledger, input: hop}}\n";

static void run_plain_to_its_end(const struct leat_run_options *options, bool is_first)
{
	struct run_kit kit;

	if (is_first)
		run_kit_start(&kit, plain, options);
	else
		run_kit_restart(&kit, plain, options);
	for (int i = 0; i < 4000 && (effects() < 2000 || leat_pipeline_state(kit.pipeline) < LEAT_RUN_RUNNING); i++)
		rest_ms(5);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
}

START_TEST(a_time_without_events_makes_no_epochs)
{
	/* A commit that works brings a note, which is something to store. */
	static const char quiet[] = "pipeline: p\nsources: {in: {type: numbers, count: 2000, endless: true, commit_away: 1000}}\n"
	                            "sinks: {out: {type: ledger, input: in}}\n";
	const struct leat_run_options options = options_of(1);
	struct run_kit kit;

	make_folder();
	run_kit_start(&kit, quiet, &options);
	await_effects(&kit, 2000);
	rest_ms(1300); /* the deliveries are noted */
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	ck_assert_uint_gt(stored_epoch(), 0);
	ck_assert_uint_eq(stored_epoch(), run_kit_fence("out")->epoch);
	run_kit_restart(&kit, quiet, &options);
	rest_ms(1300);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	ck_assert_uint_eq(stored_epoch(), run_kit_fence("out")->epoch);
	ck_assert_uint_eq(effects(), 2000);
	remove_folder();
}
END_TEST

/* E5 */
START_TEST(a_sink_that_is_not_where_the_store_has_it_is_told)
{
	static const struct {
		int64_t epochs;
		uint64_t digest;
		const char *said;
	} table[] = {
		{ 1000, 0, "sink \"out\": it is ahead: it has epoch" },
		{ 0, 12345, "sink \"out\": it has other effects: digest" },
		{ -1, 0, "sink \"out\": it is behind: it has epoch" },
	};
	const struct leat_run_options options = options_of(1);
	struct leat_fence right;
	struct run_kit kit;

	make_folder();
	run_plain_to_its_end(&options, true);
	right = *run_kit_fence("out");
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		run_kit_fence("out")->epoch = right.epoch + (uint64_t)table[i].epochs;
		run_kit_fence("out")->digest = right.digest + table[i].digest;
		run_kit_restart(&kit, plain, &options);
		expect_stopped(&kit, table[i].said);
		run_kit_finish(&kit);
	}
	*run_kit_fence("out") = (struct leat_fence){ 0 };
	run_kit_restart(&kit, plain, &options);
	expect_stopped(&kit, "sink \"out\": its fence is missing");
	run_kit_finish(&kit);
	right.incarnation = run_kit_fence("out")->incarnation;
	*run_kit_fence("out") = right;
	run_plain_to_its_end(&options, false);
	ck_assert_uint_eq(effects(), 2000);
	remove_folder();
}
END_TEST

static void end_process(const struct leat_delivery *delivery)
{
	(void)delivery;
	_exit(EXIT_SUCCESS);
}

/* E5. The ledger of the first process goes with it, before anything was noted as delivered. */
START_TEST(a_sink_without_the_fence_of_its_first_claim_is_told)
{
	const struct leat_run_options options = options_of(1);
	struct run_kit kit;
	int outcome;
	pid_t pid;

	make_folder();
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		ledger.on_deliver = end_process;
		run_kit_start(&kit, plain, &options);
		run_kit_expect_done(&kit);
		_exit(EXIT_FAILURE);
	}
	ck_assert_int_eq(waitpid(pid, &outcome, 0), pid);
	ck_assert(WIFEXITED(outcome) && WEXITSTATUS(outcome) == EXIT_SUCCESS);
	run_kit_start(&kit, plain, &options);
	expect_stopped(&kit, "sink \"out\": its fence is missing: incarnation 1 of the store in");
	run_kit_finish(&kit);
	*run_kit_fence("out") = (struct leat_fence){ .incarnation = 1 };
	run_plain_to_its_end(&options, false);
	ck_assert_uint_eq(effects(), 2000);
	remove_folder();
}
END_TEST

/* Reads `count` records in all, and delivers what is new of them. */
static void run_to(const char *at, int count)
{
	const struct leat_run_options options = options_of(1);
	char yaml[256];
	struct run_kit kit;

	(void)snprintf(yaml, sizeof yaml,
	               "pipeline: p\nsources: {in: {type: numbers, count: %d, per_poll: 50}}\n"
	               "sinks: {out: {type: ledger, input: in, at: %s, lose_every: 3}}\n",
	               count, at);
	run_kit_restart(&kit, yaml, &options);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	run_kit_expect_all(1, count, 1);
}

/* E11 */
START_TEST(a_sink_that_has_moved_goes_on_where_it_is_now)
{
	static const char here[] = "pipeline: p\nsources: {in: {type: numbers, count: 9000}}\nsinks: {out: {type: ledger, input: in, at: a}}\n";
	static const char there[] = "pipeline: p\nsources: {in: {type: numbers, count: 9000}}\nsinks: {out: {type: ledger, input: in, at: c}}\n";
	const struct leat_run_options options = options_of(1);
	uint64_t first, second;
	struct run_kit kit;

	make_folder();
	run_to("a", 2000);
	first = run_kit_fence("outa")->epoch;
	run_to("b", 4000);
	second = run_kit_fence("outb")->epoch;
	ck_assert_uint_gt(second, first);
	ck_assert_uint_eq(run_kit_fence("outa")->epoch, first);
	run_to("a", 5000); /* its fence is behind, which is right there */
	ck_assert_uint_gt(run_kit_fence("outa")->epoch, second);
	*run_kit_fence("outc") = (struct leat_fence){ .incarnation = 1, .epoch = 100000, .digest = 1 };
	run_kit_restart(&kit, there, &options);
	expect_stopped(&kit, "sink \"out\": it is ahead");
	run_kit_finish(&kit);
	*run_kit_fence("outa") = (struct leat_fence){ 0 };
	run_to("a", 5000); /* it has moved back, so that nothing is missing */
	run_to("a", 6000);
	*run_kit_fence("outa") = (struct leat_fence){ 0 };
	run_kit_restart(&kit, here, &options);
	expect_stopped(&kit, "sink \"out\": its fence is missing");
	run_kit_finish(&kit);
	remove_folder();
}
END_TEST

/* E11: it moves whenever it may, with a delivery that the store has not noted, or none yet where it is. */
START_TEST(a_sink_that_moves_and_is_ended_anywhere_gets_each_record_once)
{
	static const char text[] = "pipeline: p\n"
	                           "sources: {in: {type: numbers, partitions: 2, count: 4000, per_poll: 7, endless: true}}\n"
	                           "sinks: {out: {type: ledger, input: in, at: %c, jitter: 3ms, lose_every: 4}}\n";
	const struct leat_run_options options = options_of(1);
	char yaml[256], at = 'a';
	int n_moves = 0, n_refused = 0;
	struct leat_error err;
	struct run_kit kit;

	make_folder();
	(void)snprintf(yaml, sizeof yaml, text, at);
	run_kit_start(&kit, yaml, &options);
	for (int n = 0; n < 60 && effects() < 8000; n++) {
		char other = at == 'a' ? 'b' : 'a';

		rest_ms(3 + 17 * (n % 5));
		leat_pipeline_abort(kit.pipeline);
		(void)leat_pipeline_wait(kit.pipeline, RUN_KIT_PATIENCE_US);
		run_kit_finish(&kit);
		(void)snprintf(yaml, sizeof yaml, text, other);
		if (run_kit_try(&kit, yaml, &options, &err) == LEAT_OK) {
			at = other;
			n_moves++;
			continue;
		}
		ck_assert_msg(strstr(err.text, "its undelivered effects in") != NULL, "%s", err.text);
		run_kit_finish(&kit);
		n_refused++;
		(void)snprintf(yaml, sizeof yaml, text, at);
		run_kit_restart(&kit, yaml, &options);
	}
	for (int i = 0; i < 4000 && effects() < 8000; i++)
		rest_ms(10);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	run_kit_expect_all(2, 4000, 1);
	ck_assert_int_gt(n_moves, 0);
	ck_assert_int_gt(n_refused, 0);
	remove_folder();
}
END_TEST

/* E4 */
START_TEST(a_larger_incarnation_in_a_sink_is_outbid_at_the_start)
{
	const struct leat_run_options options = options_of(1);

	make_folder();
	run_plain_to_its_end(&options, true);
	run_kit_fence("out")->incarnation = 1000;
	run_plain_to_its_end(&options, false);
	ck_assert_uint_eq(run_kit_fence("out")->incarnation, 1001);
	run_plain_to_its_end(&options, false);
	ck_assert_uint_eq(run_kit_fence("out")->incarnation, 1002);
	remove_folder();
}
END_TEST

static _Atomic uint64_t n_polled_at_claims;

static void note_polls(const struct leat_claim *claim)
{
	(void)claim;
	n_polled_at_claims = ledger.n_polls;
}

/* E4 */
START_TEST(sources_are_read_when_all_sinks_are_claimed)
{
	static const char late[] = "pipeline: p\nsources: {in: {type: numbers, count: 100, endless: true}}\n"
	                           "sinks: {one: {type: ledger, input: in}, two: {type: ledger, input: in, away: 3}}\n";
	const struct leat_run_options options = options_of(1);
	struct run_kit kit;

	make_folder();
	ledger.on_claim = note_polls;
	ledger.copies = 2;
	run_kit_start(&kit, late, &options);
	await_effects(&kit, 200);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	ck_assert_uint_eq(n_polled_at_claims, 0);
	run_kit_expect_all(1, 100, 2);
	remove_folder();
}
END_TEST

/* E8. The ledger goes with the process, so what is seen here is that it ends and says why. */
START_TEST(a_write_that_does_not_work_ends_the_process)
{
	static const char busy[] = "pipeline: p\nsources: {in: {type: numbers, count: 100000, per_poll: 5}}\n"
	                           "operators: {hop: {type: relay, input: in, key: k, shards: 1, work: 1ms}}\n"
	                           "sinks: {out: {type: ledger, input: hop}}\n";
	const struct leat_run_options options = options_of(1);
	const struct rlimit nothing = { .rlim_cur = 1, .rlim_max = RLIM_INFINITY };
	char said[8192] = "";
	struct run_kit kit;
	int outcome, log[2];
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	make_folder();
	ck_assert_int_eq(pipe(log), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		(void)dup2(log[1], STDERR_FILENO);
		run_kit_start(&kit, busy, &options);
		await_effects(&kit, 50);
		(void)signal(SIGXFSZ, SIG_IGN);
		(void)setrlimit(RLIMIT_FSIZE, &nothing);
		await_effects(&kit, effects() + 1000);
		_exit(EXIT_SUCCESS);
	}
	(void)close(log[1]);
	while (n < sizeof said - 1 && (got = read(log[0], said + n, sizeof said - 1 - n)) > 0)
		n += (size_t)got;
	(void)close(log[0]);
	ck_assert_int_eq(waitpid(pid, &outcome, 0), pid);
	ck_assert_msg(strstr(said, "could not write state in") != NULL, "it said %s", said);
	ck_assert(WIFEXITED(outcome));
	ck_assert_int_eq(WEXITSTATUS(outcome), EXIT_FAILURE);
	remove_folder();
}
END_TEST

static _Atomic uint64_t first_claim;

static void note_first_claim(const struct leat_claim *claim)
{
	if (first_claim == 0)
		first_claim = claim->incarnation;
}

START_TEST(a_start_claims_with_a_larger_incarnation_than_any_before)
{
	const struct leat_run_options options = options_of(1);

	make_folder();
	ledger.on_claim = note_first_claim;
	for (uint64_t start = 1; start <= 3; start++) {
		first_claim = 0;
		run_plain_to_its_end(&options, start == 1);
		ck_assert_uint_eq(first_claim, start);
	}
	remove_folder();
}
END_TEST

/* It was started as often since the folder was copied, so it has the number that comes next here. */
START_TEST(a_start_outbids_a_copy_with_the_same_incarnation)
{
	const struct leat_run_options options = options_of(1);

	make_folder();
	run_plain_to_its_end(&options, true);
	ck_assert_uint_eq(run_kit_fence("out")->incarnation, 1);
	run_kit_fence("out")->incarnation = 2;
	run_plain_to_its_end(&options, false);
	ck_assert_uint_eq(run_kit_fence("out")->incarnation, 3);
	remove_folder();
}
END_TEST

/* E6 */
START_TEST(a_sink_that_another_instance_has_claimed_is_left_to_it)
{
	static const char slow[] = "pipeline: p\nsources: {in: {type: numbers, count: 100000, per_poll: 5}}\n"
	                           "sinks: {out: {type: ledger, input: in, slow: 2ms, lose_every: 20}}\n";
	const struct leat_run_options options = options_of(1);
	uint64_t n_before;
	struct run_kit kit;

	make_folder();
	run_kit_start(&kit, slow, &options);
	while (effects() < 100)
		rest_ms(1);
	pthread_mutex_lock(&ledger.lock);
	run_kit_fence("out")->incarnation += 5;
	n_before = ledger.n_effects;
	pthread_mutex_unlock(&ledger.lock);
	ck_assert_int_eq(leat_pipeline_wait(kit.pipeline, RUN_KIT_PATIENCE_US), LEAT_RUN_STOPPED);
	ck_assert_uint_eq(effects(), n_before);
	run_kit_finish(&kit);
	remove_folder();
}
END_TEST

/* A broker that has crashed tells of an empty group until it has read it back. */
START_TEST(a_fence_that_is_behind_for_a_while_is_waited_for)
{
	static const char text[] = "pipeline: p\nsources: {in: {type: numbers, count: 3000, per_poll: 7}}\n"
	                           "sinks: {out: {type: ledger, input: in, slow: 1ms, lose_every: 5, forget: 2}}\n";
	const struct leat_run_options options = options_of(1);
	struct run_kit kit;

	make_folder();
	run_kit_start(&kit, text, &options);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	run_kit_expect_all(1, 3000, 1);
	ck_assert_uint_eq(ledger.n_forgotten, 2);
	ck_assert_uint_eq(ledger.out_of_order, 0);
	remove_folder();
}
END_TEST

START_TEST(who_has_the_wrong_state_leaves_the_owner_alone)
{
	const struct leat_run_options options = options_of(1);
	struct leat_run_options other = options;
	struct run_kit owner, stranger;
	char wrong[80];

	make_folder();
	(void)snprintf(wrong, sizeof wrong, "%s/other", folder);
	ck_assert_int_eq(mkdir(wrong, 0700), 0);
	other.state_dir = wrong;
	run_plain_to_its_end(&options, true);
	run_kit_restart(&owner, plain, &options);
	for (int i = 0; i < 4000 && leat_pipeline_state(owner.pipeline) < LEAT_RUN_RUNNING; i++)
		rest_ms(5);
	run_kit_restart(&stranger, plain, &other);
	expect_stopped(&stranger, "sink \"out\": it is ahead: it has epoch");
	ck_assert_uint_eq(run_kit_fence("out")->incarnation, 2);
	run_kit_finish(&stranger);
	leat_pipeline_drain(owner.pipeline);
	run_kit_expect_done(&owner);
	run_kit_finish(&owner);
	remove_folder();
}
END_TEST

START_TEST(state_has_one_user_and_one_pipeline)
{
	const struct leat_run_options options = options_of(1);
	struct run_kit first, second;
	struct leat_error err;

	make_folder();
	run_kit_start(&first, plain, &options);
	ck_assert_int_eq(run_kit_try(&second, plain, &options, &err), LEAT_FATAL);
	ck_assert_msg(strstr(err.text, "is in use by another process") != NULL, "%s", err.text);
	run_kit_finish(&second);
	run_kit_finish(&first);
	remove_folder();
}
END_TEST

START_TEST(state_of_a_node_that_is_gone_is_dropped_only_when_told)
{
	static const char without[] = "pipeline: p\nsources: {in: {type: numbers, count: 2000}}\nsinks: {out: {type: ledger, input: in}}\n";
	static const char more_shards[] = "pipeline: p\nsources: {in: {type: numbers, count: 2000}}\n"
	                                  "operators: {hop: {type: relay, input: in, key: k, shards: 3}}\n"
	                                  "sinks: {out: {type: ledger, input: hop}}\n";
	static const char *const hop[] = { "hop", NULL };
	struct leat_run_options options = options_of(1);
	struct leat_error err;
	struct run_kit kit;

	make_folder();
	run_plain_to_its_end(&options, true);
	ck_assert_int_eq(run_kit_try(&kit, without, &options, &err), LEAT_FATAL);
	ck_assert_msg(strstr(err.text, "no longer has \"hop\"") != NULL && strstr(err.text, "--drop") != NULL, "%s", err.text);
	run_kit_finish(&kit);
	ck_assert_int_eq(run_kit_try(&kit, more_shards, &options, &err), LEAT_FATAL);
	ck_assert_msg(strstr(err.text, "operator \"hop\" has 3 shards, its state") != NULL, "%s", err.text);
	run_kit_finish(&kit);
	options.drop = hop;
	run_kit_restart(&kit, without, &options);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	options.drop = NULL;
	run_kit_restart(&kit, without, &options);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	run_kit_restart(&kit, more_shards, &options); /* what has no rows can be anything */
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	remove_folder();
}
END_TEST

START_TEST(state_of_an_older_version_is_gone_on_with)
{
	static const char text[] = "pipeline: p\nsources: {in: {type: numbers, count: %d, keys: 10}}\n"
	                           "operators: {hop: {type: relay, input: in, key: k, shards: 3}}\n"
	                           "sinks: {out: {type: ledger, input: hop}}\n";
	const struct leat_run_options options = options_of(1);
	char yaml[256];
	struct leat_error err;
	struct run_kit kit;

	make_folder();
	(void)snprintf(yaml, sizeof yaml, text, 2000);
	run_kit_start(&kit, yaml, &options);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	ck_assert_int_eq(stored_counts("p", 3), 2000);
	(void)snprintf(yaml, sizeof yaml, text, 3000);
	run_kit_has_relay_2 = true;
	run_kit_restart(&kit, yaml, &options);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	ck_assert_int_eq(stored_counts("p", 3), 2800); /* but for the 200 of k0 */
	run_kit_has_relay_2 = false;
	ck_assert_int_eq(run_kit_try(&kit, yaml, &options, &err), LEAT_FATAL);
	ck_assert_msg(strstr(err.text, "is version 1, its rows in") != NULL, "%s", err.text);
	run_kit_finish(&kit);
	run_kit_expect_all(1, 3000, 1);
	remove_folder();
}
END_TEST

START_TEST(timers_come_back)
{
	static const char ticking[] = "pipeline: p\nsources: {in: {type: numbers, count: 300, endless: true}}\n"
	                              "operators: {hop: {type: relay, input: in, key: k, shards: 2, delay: 3s}}\n"
	                              "sinks: {out: {type: ledger, input: hop}}\n";
	const struct leat_run_options options = options_of(1);
	struct run_kit kit;

	make_folder();
	run_kit_start(&kit, ticking, &options);
	while (effects() < 300)
		rest_ms(1);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	ck_assert_uint_eq(ledger.n_fired, 0);
	run_kit_restart(&kit, ticking, &options);
	for (int i = 0; i < 3000 && ledger.n_fired < 300; i++)
		rest_ms(10);
	ck_assert_uint_eq(ledger.n_fired, 300);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	run_kit_restart(&kit, ticking, &options);
	rest_ms(200);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	ck_assert_uint_eq(ledger.n_fired, 300);
	remove_folder();
}
END_TEST

/* The note of a commit tells a file or topic from another of the same name, so it has to come with the position. */
START_TEST(a_position_comes_back_with_its_note)
{
	const struct leat_run_options options = options_of(1);
	struct run_kit kit;

	make_folder();
	run_plain_to_its_end(&options, true);
	ck_assert_str_eq(ledger.note[0], "");
	run_kit_restart(&kit, plain, &options);
	for (int i = 0; i < 4000 && leat_pipeline_state(kit.pipeline) < LEAT_RUN_RUNNING; i++)
		rest_ms(5);
	leat_pipeline_abort(kit.pipeline);
	run_kit_finish(&kit);
	ck_assert_str_eq(ledger.note[0], "at 2000");
	remove_folder();
}
END_TEST

START_TEST(a_note_is_stored_soon_although_nothing_follows)
{
	const struct leat_run_options options = options_of(1);
	struct run_kit kit;

	make_folder();
	for (int run = 0; run < 2; run++) {
		if (run == 0)
			run_kit_start(&kit, plain, &options);
		else
			run_kit_restart(&kit, plain, &options);
		for (int i = 0; i < 4000 && (effects() < 2000 || leat_pipeline_state(kit.pipeline) < LEAT_RUN_RUNNING); i++)
			rest_ms(5);
		rest_ms(run == 0 ? 1500 : 0);
		leat_pipeline_abort(kit.pipeline);
		run_kit_finish(&kit);
	}
	ck_assert_str_eq(ledger.note[0], "at 2000");
	remove_folder();
}
END_TEST

START_TEST(the_outbox_goes_before_what_timers_make_before_a_sink_is_claimed)
{
	static const char ticking[] = "pipeline: p\nsources: {in: {type: numbers, count: 10, endless: true}}\n"
	                              "operators: {hop: {type: relay, input: in, key: k, shards: 2, tick: 5ms}}\n"
	                              "sinks: {out: {type: ledger, input: hop, slow: 200ms, away: %d}}\n";
	const struct leat_run_options options = options_of(1);
	char yaml[400];
	struct run_kit kit;

	make_folder();
	(void)snprintf(yaml, sizeof yaml, ticking, 0);
	run_kit_start(&kit, yaml, &options);
	await_effects(&kit, 10);
	rest_ms(300); /* in the middle of a delivery of ticks */
	leat_pipeline_abort(kit.pipeline);
	ck_assert_int_eq(leat_pipeline_wait(kit.pipeline, RUN_KIT_PATIENCE_US), LEAT_RUN_STOPPED);
	run_kit_finish(&kit);
	ck_assert_uint_gt(outbox_of("out"), 0);
	(void)snprintf(yaml, sizeof yaml, ticking, 3);
	run_kit_restart(&kit, yaml, &options);
	for (int i = 0; i < 1000 && leat_pipeline_state(kit.pipeline) < LEAT_RUN_RUNNING; i++)
		rest_ms(10);
	rest_ms(300);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	ck_assert_uint_gt(ledger.n_ticks, 0);
	ck_assert_uint_eq(ledger.out_of_order, 0);
	remove_folder();
}
END_TEST

START_TEST(what_timers_make_before_a_sink_is_claimed_is_delivered_once)
{
	static const char ticking[] = "pipeline: p\nsources: {in: {type: numbers, count: 10, endless: true}}\n"
	                              "operators: {hop: {type: relay, input: in, key: k, shards: 2, tick: 20ms}}\n"
	                              "sinks: {out: {type: ledger, input: hop, away: %d}}\n";
	const struct leat_run_options options = options_of(1);
	char yaml[400];
	struct run_kit kit;

	make_folder();
	for (int away = 0; away <= 3; away += 3) {
		(void)snprintf(yaml, sizeof yaml, ticking, away);
		if (away == 0)
			run_kit_start(&kit, yaml, &options);
		else
			run_kit_restart(&kit, yaml, &options);
		for (int i = 0; i < 1000 && leat_pipeline_state(kit.pipeline) < LEAT_RUN_RUNNING; i++)
			rest_ms(10);
		rest_ms(200);
		leat_pipeline_drain(kit.pipeline);
		run_kit_expect_done(&kit);
		run_kit_finish(&kit);
		ck_assert_uint_gt(ledger.n_fired, 0);
		ck_assert_uint_eq(ledger.n_ticks, ledger.n_fired);
	}
	remove_folder();
}
END_TEST

static uint64_t epochs_of(const struct run_kit *kit)
{
	struct leat_pipeline_figures figures;
	uint64_t n;

	leat_pipeline_figures(kit->pipeline, &figures);
	n = figures.epochs;
	leat_pipeline_figures_finish(&figures);
	return n;
}

/* E3 */
START_TEST(the_fence_of_an_idle_sink_is_written_again)
{
	struct leat_run_options options = options_of(1);
	struct run_kit kit;

	make_folder();
	options.fence_age_us = 50000;
	run_kit_start(&kit, plain, &options);
	for (int i = 0; i < 1000 && (effects() < 2000 || ledger.n_claims < 4); i++)
		rest_ms(5);
	ck_assert_uint_eq(effects(), 2000);
	ck_assert_uint_ge(ledger.n_claims, 4);
	pthread_mutex_lock(&ledger.lock);
	run_kit_fence("out")->digest++;
	pthread_mutex_unlock(&ledger.lock);
	expect_stopped(&kit, "its fence was changed by somebody else");
	run_kit_finish(&kit);
	remove_folder();
}
END_TEST

/* E12. The operator holds the first round up for as long as it takes to read everything. */
START_TEST(an_epoch_has_no_more_than_its_cap)
{
	static const char held_up[] = "pipeline: p\n"
	                              "sources: {in: {type: numbers, partitions: 2, count: 3000, per_poll: 10}}\n"
	                              "operators: {hop: {type: relay, input: in, key: k, stumble_every: 1000}}\n"
	                              "sinks: {one: {type: ledger, input: in}, two: {type: ledger, input: hop}}\n";
	struct leat_run_options options = options_of(2);
	struct run_kit kit;

	options.ring_capacity = 1024;
	options.in_flight_bytes = 64 << 20;
	for (int by = 0; by < 2; by++) {
		options.epoch_records = by == 0 ? 200 : 0;
		options.epoch_bytes = by == 0 ? 0 : 6000; /* some 30 each */
		make_folder();
		run_kit_start(&kit, held_up, &options);
		run_kit_expect_done(&kit);
		ck_assert_uint_ge(epochs_of(&kit), 6000 / 220);
		run_kit_finish(&kit);
		ck_assert_uint_eq(effects(), 12000);
		remove_folder();
	}
}
END_TEST

/* E12. Of 50 records or a few more in an epoch 2000 effects are made, in groups of 40; 200 go in one step. */
START_TEST(an_epoch_that_is_too_large_for_one_step_is_delivered_in_several)
{
	static const char grown[] = "pipeline: p\n"
	                            "sources: {in: {type: numbers, partitions: 2, count: 300, per_poll: 1, endless: true}}\n"
	                            "operators: {hop: {type: relay, input: in, copies: 40, key: k, shards: 2, stumble_every: 100}}\n"
	                            "sinks: {out: {type: ledger, input: hop, jitter: 2ms, lose_every: 9}}\n";
	struct leat_run_options options = options_of(2);
	struct run_kit kit;
	struct leat_pipeline_figures figures;

	make_folder();
	ledger.copies = 40;
	options.ring_capacity = 1024;
	options.in_flight_bytes = 64 << 20;
	options.epoch_records = 50;
	run_kit_start(&kit, grown, &options);
	for (int i = 0; i < 1000 && effects() < 4000; i++)
		rest_ms(1);
	leat_pipeline_figures(kit.pipeline, &figures);
	ck_assert_uint_gt(figures.epoch, figures.epochs);
	leat_pipeline_figures_finish(&figures);
	for (int n_ends = 0; n_ends < 8; n_ends++) {
		leat_pipeline_abort(kit.pipeline);
		ck_assert_int_eq(leat_pipeline_wait(kit.pipeline, RUN_KIT_PATIENCE_US), LEAT_RUN_STOPPED);
		run_kit_finish(&kit);
		if (n_ends == 0)
			ck_assert_uint_le(ledger.max_effects, 200);
		run_kit_restart(&kit, grown, &options);
		rest_ms(20 + 45 * (n_ends % 4));
	}
	for (int i = 0; i < 4000 && effects() < 24000; i++)
		rest_ms(10);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	run_kit_expect_all(2, 300, 40);
	ck_assert_uint_eq(ledger.out_of_order, 0);
	ck_assert_int_eq(stored_counts("p", 2), 600);
	remove_folder();
}
END_TEST

/* An abort notes what was delivered last, which a kill does not: its state is put back as it was before, when nothing but the
 * delivery in hand was still to be made. All that was read is durable already. */
static void end_as_if_killed(struct run_kit *kit)
{
	char is[128], was[128];
	struct leat_store *store;
	struct leat_error err;

	(void)snprintf(is, sizeof is, "%s/p.state", folder);
	(void)snprintf(was, sizeof was, "%s/was.state", folder);
	pthread_mutex_lock(&ledger.lock);
	ck_assert_msg(leat_store_open_read_only(is, "p", &store, &err) == LEAT_OK, "%s", err.text);
	ck_assert_msg(leat_store_copy(store, was, &err) == LEAT_OK, "%s", err.text);
	leat_store_close(store);
	leat_pipeline_abort(kit->pipeline);
	pthread_mutex_unlock(&ledger.lock);
	run_kit_finish(kit);
	remove_tree(is);
	ck_assert_int_eq(rename(was, is), 0);
}

/* E12. Everything is durable at once, and then there are no more epochs that would note deliveries on their way. */
START_TEST(what_is_repeated_after_a_restart_is_one_step_too)
{
	static const char slow[] = "pipeline: p\n"
	                           "sources: {in: {type: numbers, count: 5000, per_poll: 5, endless: true}}\n"
	                           "sinks: {out: {type: ledger, input: in, slow: 30ms}}\n";
	struct leat_run_options options = options_of(1);
	struct run_kit kit;

	make_folder();
	options.in_flight_bytes = 64 << 20;
	options.epoch_records = 50;
	run_kit_start(&kit, slow, &options);
	for (int n_ends = 0; n_ends < 2; n_ends++) {
		uint64_t n_before = effects();

		for (int i = 0; i < 2000 && (effects() < n_before + 1600 || ledger.n_read < 5000); i++)
			rest_ms(1);
		rest_ms(10);
		end_as_if_killed(&kit);
		run_kit_restart(&kit, slow, &options);
	}
	for (int i = 0; i < 4000 && effects() < 5000; i++)
		rest_ms(5);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	run_kit_expect_all(1, 5000, 1);
	/* A step, the one that went beyond, and the one in hand. */
	ck_assert_uint_gt(ledger.max_repeated, 0);
	ck_assert_uint_le(ledger.max_repeated, 600);
	remove_folder();
}
END_TEST

START_TEST(timers_that_are_due_at_once_make_many_epochs)
{
	static const char storm[] = "pipeline: p\n"
	                            "sources: {in: {type: numbers, count: 5000, endless: true}}\n"
	                            "operators: {hop: {type: relay, input: in, key: k, shards: 2, delay: 4s}}\n"
	                            "sinks: {out: {type: ledger, input: hop}}\n";
	struct leat_run_options options = options_of(1);
	uint64_t n_before;
	struct run_kit kit;

	make_folder();
	options.in_flight_bytes = 64 << 20;
	options.epoch_records = 500;
	run_kit_start(&kit, storm, &options);
	for (int i = 0; i < 4000 && effects() < 5000; i++)
		rest_ms(1);
	ck_assert_uint_eq(ledger.n_fired, 0);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	rest_ms(4000);
	run_kit_restart(&kit, storm, &options);
	n_before = epochs_of(&kit);
	for (int i = 0; i < 20000 && ledger.n_fired < 5000; i++)
		rest_ms(1);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	ck_assert_uint_eq(ledger.n_fired, 5000);
	ck_assert_uint_ge(epochs_of(&kit) - n_before, 5000 / (500 + 2 * 256));
	run_kit_finish(&kit);
	remove_folder();
}
END_TEST

/* E8. The state's folder cannot be looked at in the end, which is no reason for haste. */
START_TEST(a_disk_that_is_nearly_full_stops_reading_and_timers)
{
	static const char late[] = "pipeline: p\n"
	                           "sources: {in: {type: numbers, count: 300, endless: true}}\n"
	                           "operators: {hop: {type: relay, input: in, key: k, shards: 2, delay: 3s}}\n"
	                           "sinks: {out: {type: ledger, input: hop}}\n";
	struct leat_run_options options = options_of(1);
	char from[128], to[128];
	struct run_kit kit;
	uint64_t n_polls;
	clock_t busy;

	make_folder();
	run_kit_start(&kit, late, &options);
	for (int i = 0; i < 1000 && effects() < 300; i++)
		rest_ms(1);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	ck_assert_uint_eq(ledger.n_fired, 0);
	n_polls = ledger.n_polls;
	options.disk_low = UINT64_MAX / 4;
	run_kit_restart(&kit, late, &options);
	(void)snprintf(from, sizeof from, "%s/p.state", folder);
	(void)snprintf(to, sizeof to, "%s/elsewhere", folder);
	ck_assert_int_eq(rename(from, to), 0);
	rest_ms(3200);
	busy = clock();
	rest_ms(500);
	ck_assert_int_lt((clock() - busy) * 1000 / CLOCKS_PER_SEC, 200);
	ck_assert_uint_eq(ledger.n_fired, 0);
	ck_assert_uint_eq(ledger.n_polls, n_polls);
	ck_assert_int_eq(rename(to, from), 0);
	leat_pipeline_abort(kit.pipeline);
	run_kit_finish(&kit);
	options.disk_low = 0;
	run_kit_restart(&kit, late, &options);
	for (int i = 0; i < 20000 && ledger.n_fired < 300; i++)
		rest_ms(1);
	ck_assert_uint_eq(ledger.n_fired, 300);
	leat_pipeline_abort(kit.pipeline);
	run_kit_finish(&kit);
	remove_folder();
}
END_TEST

/* What a ledger's system has, should it lose what came later. */
static struct {
	uint16_t seen[LEDGER_RECORDS];
	uint64_t n_effects;
	struct leat_fence fence;
} snapshot;

static void wait_for_effects(uint64_t n)
{
	for (int i = 0; i < 20000 && effects() < n; i++)
		rest_ms(1);
	ck_assert_uint_ge(effects(), n);
}

static void take_snapshot(void)
{
	pthread_mutex_lock(&ledger.lock);
	memcpy(snapshot.seen, ledger.seen[0], sizeof snapshot.seen);
	snapshot.n_effects = ledger.n_effects;
	snapshot.fence = *run_kit_fence("out");
	pthread_mutex_unlock(&ledger.lock);
}

static void go_back_to_snapshot(void)
{
	pthread_mutex_lock(&ledger.lock);
	memcpy(ledger.seen[0], snapshot.seen, sizeof snapshot.seen);
	ledger.n_effects = snapshot.n_effects;
	*run_kit_fence("out") = snapshot.fence;
	pthread_mutex_unlock(&ledger.lock);
}

static const char forgetful[] = "pipeline: p\n"
                                "sources: {in: {type: numbers, count: 6000, per_poll: 5, endless: true}}\n"
                                "sinks: {out: {type: ledger, input: in, slow: 1ms, lose_every: 7, retention: %s}}\n";

/* The failover of a system that had not given everything to the one that takes its place. */
START_TEST(a_sink_that_has_lost_what_it_had_gets_it_again)
{
	struct leat_run_options options = options_of(1);
	struct run_kit kit;
	char yaml[400];

	make_folder();
	options.epoch_records = 20;
	(void)snprintf(yaml, sizeof yaml, forgetful, "1m");
	run_kit_start(&kit, yaml, &options);
	wait_for_effects(500);
	take_snapshot();
	wait_for_effects(1500);
	go_back_to_snapshot();
	wait_for_effects(2500);
	go_back_to_snapshot();
	wait_for_effects(6000);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	go_back_to_snapshot();
	run_kit_restart(&kit, yaml, &options);
	wait_for_effects(2000);
	end_as_if_killed(&kit); /* what it has to get again is still in the outbox */
	run_kit_restart(&kit, yaml, &options);
	wait_for_effects(6000);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	run_kit_expect_all(1, 6000, 1);
	ck_assert_uint_eq(ledger.out_of_order, 0);
	remove_folder();
}
END_TEST

START_TEST(what_was_delivered_is_kept_no_longer_than_it_has_to_be)
{
	struct leat_run_options options = options_of(1);
	struct run_kit kit;
	char yaml[400];

	make_folder();
	options.epoch_records = 20;
	(void)snprintf(yaml, sizeof yaml, forgetful, "50ms");
	run_kit_start(&kit, yaml, &options);
	wait_for_effects(500);
	take_snapshot();
	wait_for_effects(6000);
	leat_pipeline_drain(kit.pipeline);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	go_back_to_snapshot();
	run_kit_restart(&kit, yaml, &options);
	expect_stopped(&kit, "sink \"out\": it is behind: it has epoch");
	run_kit_finish(&kit);
	remove_folder();
}
END_TEST

int main(void)
{
	return leat_test_main("epochs", (const TTest *[]){
		what_is_ended_anywhere_goes_on_and_counts_each_record_once,
		what_waits_in_the_middle_of_a_batch_is_not_lost,
		a_sink_without_a_fence_gets_again_what_was_not_noted,
		epochs_that_wait_behind_a_delivery_are_not_lost,
		a_rejected_event_leaves_no_trace_in_the_store,
		nothing_leaves_and_nothing_is_acknowledged_before_it_is_durable,
		what_a_sink_refuses_is_one_dead_letter_wherever_it_is_ended,
		state_goes_on_counting_after_a_drain,
		a_key_finds_its_state_in_the_next_process,
		a_slow_sink_holds_up_the_reading,
		a_drain_makes_state_durable_that_has_no_effects,
		a_time_without_events_makes_no_epochs,
		a_sink_that_is_not_where_the_store_has_it_is_told,
		a_sink_without_the_fence_of_its_first_claim_is_told,
		a_sink_that_has_moved_goes_on_where_it_is_now,
		a_sink_that_moves_and_is_ended_anywhere_gets_each_record_once,
		sources_are_read_when_all_sinks_are_claimed,
		a_write_that_does_not_work_ends_the_process,
		a_larger_incarnation_in_a_sink_is_outbid_at_the_start,
		a_start_claims_with_a_larger_incarnation_than_any_before,
		a_start_outbids_a_copy_with_the_same_incarnation,
		a_sink_that_another_instance_has_claimed_is_left_to_it,
		a_fence_that_is_behind_for_a_while_is_waited_for,
		who_has_the_wrong_state_leaves_the_owner_alone,
		state_has_one_user_and_one_pipeline,
		state_of_a_node_that_is_gone_is_dropped_only_when_told,
		state_of_an_older_version_is_gone_on_with,
		timers_come_back,
		a_position_comes_back_with_its_note,
		a_note_is_stored_soon_although_nothing_follows,
		the_outbox_goes_before_what_timers_make_before_a_sink_is_claimed,
		what_timers_make_before_a_sink_is_claimed_is_delivered_once,
		the_fence_of_an_idle_sink_is_written_again,
		an_epoch_has_no_more_than_its_cap,
		an_epoch_that_is_too_large_for_one_step_is_delivered_in_several,
		what_is_repeated_after_a_restart_is_one_step_too,
		timers_that_are_due_at_once_make_many_epochs,
		a_disk_that_is_nearly_full_stops_reading_and_timers,
		a_sink_that_has_lost_what_it_had_gets_it_again,
		what_was_delivered_is_kept_no_longer_than_it_has_to_be,
		NULL });
}
