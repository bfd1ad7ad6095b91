/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of dead letters of a running pipeline, and what is wished for: ended anywhere, a letter is in the queue or was replayed. */
#define _XOPEN_SOURCE 700 /* nftw() */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "data/value.h"
#include "run/wish.h"
#include "state/letter.h"
#include "state/store.h"
#include "unit/folder.h"
#include "unit/run_kit.h"
#include "unit/unit.h"

static char folder[64], state[96];

/* ---- kit ------------------------------------------------------------------------------------------------------------- */

static void make_folder(void)
{
	(void)snprintf(folder, sizeof folder, "/tmp/leat-test-dlq-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(state, sizeof state, "%s/p.state", folder);
}

static void remove_folder(void)
{
	remove_tree(folder);
}

static const struct leat_run_options *options(void)
{
	static struct leat_run_options is;

	is = (struct leat_run_options){ .workers = 2, .ring_capacity = 2, .in_flight_bytes = 256 << 10, .batch_bytes = 4096, .state_dir = folder };
	return &is;
}

static void rest_ms(int ms)
{
	(void)nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 }, NULL);
}

/* What is in the queue. */
struct queue {
	size_t n, kind[4];
	uint64_t first, last;
	struct leat_wish all; /* of them */
	struct leat_letter letter; /* the last one, in */
	struct leat_arena *arena;
	const char *node; /* only of this one; NULL: all */
};

static bool take(void *opaque, const struct leat_letter_row *row)
{
	struct queue *q = opaque;
	struct leat_arena *arena = leat_arena_create();
	struct leat_letter letter;

	ck_assert(leat_letter_unpack(arena, NULL, row, &letter));
	if (q->node != NULL && strcmp(q->node, letter.node) != 0) {
		leat_arena_unref(arena);
		return true;
	}
	leat_arena_unref(q->arena);
	q->arena = arena;
	q->letter = letter;
	q->n++;
	q->kind[letter.kind]++;
	q->first = q->n == 1 ? letter.number : q->first;
	q->last = letter.number;
	leat_wish_add(&q->all, letter.number);
	return true;
}

static struct queue look(const char *node)
{
	struct queue q = { .node = node };
	struct leat_store *store;
	struct leat_error err;

	ck_assert_msg(leat_store_open_read_only(state, "p", &store, &err) == LEAT_OK, "%s", err.text);
	ck_assert_msg(leat_store_scan_letters(store, 0, take, &q, &err) == LEAT_OK, "%s", err.text);
	ck_assert_uint_eq(leat_store_letters(store, node).n, q.n);
	leat_store_close(store);
	return q;
}

static void forget(struct queue *q)
{
	leat_arena_unref(q->arena);
	leat_wish_finish(&q->all);
}

static size_t count(const char *node)
{
	struct queue q = look(node);

	forget(&q);
	return q.n;
}

/* Of all letters of the node; NULL: of all. */
static void wish(enum leat_wish_kind kind, const char *node)
{
	struct queue q = look(node);
	struct leat_error err;

	q.all.kind = kind;
	ck_assert_msg(leat_wish_write(&q.all, state, &err) == LEAT_OK, "%s", err.text);
	forget(&q);
}

static size_t wishes(void)
{
	struct leat_wish *list;
	size_t n;

	list = leat_wish_list(state, &n);
	for (size_t i = 0; i < n; i++)
		leat_wish_finish(&list[i]);
	free(list);
	return n;
}

static void wait_for_wishes(void)
{
	for (int i = 0; i < 2000 && wishes() > 0; i++)
		rest_ms(10);
	ck_assert_uint_eq(wishes(), 0);
}

static uint64_t effects(void)
{
	uint64_t n;

	pthread_mutex_lock(&ledger.lock);
	n = ledger.n_effects;
	pthread_mutex_unlock(&ledger.lock);
	return n;
}

static void wait_for_effects(uint64_t n)
{
	for (int i = 0; i < 2000 && effects() < n; i++)
		rest_ms(10);
	ck_assert_uint_ge(effects(), n);
}

static void run_to_end(const char *yaml, bool is_first)
{
	struct run_kit kit;

	if (is_first)
		run_kit_start(&kit, yaml, options());
	else
		run_kit_restart(&kit, yaml, options());
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
}

static void end_anywhere(struct run_kit *kit, int ms)
{
	rest_ms(ms);
	leat_pipeline_abort(kit->pipeline);
	ck_assert_int_eq(leat_pipeline_wait(kit->pipeline, RUN_KIT_PATIENCE_US), LEAT_RUN_STOPPED);
	run_kit_finish(kit);
}

static void drain(struct run_kit *kit)
{
	leat_pipeline_drain(kit->pipeline);
	run_kit_expect_done(kit);
	run_kit_finish(kit);
}

#define SOURCE "pipeline: p\nsources: {in: {type: numbers, partitions: 2, count: 3000, per_poll: 7"

/* ---- letters --------------------------------------------------------------------------------------------------------- */

START_TEST(letters_that_no_one_reads_are_in_the_queue_once_wherever_it_is_ended)
{
	static const char yaml[] = SOURCE ", broken_every: 100, endless: true}}\n"
	                                  "operators: {hop: {type: relay, input: in, key: k, shards: 3, reject_every: 30}}\n"
	                                  "sinks: {out: {type: ledger, input: hop, jitter: 3ms, lose_every: 6, refuse_every: 7}}\n";
	struct run_kit kit;
	struct queue q;

	make_folder();
	run_kit_start(&kit, yaml, options());
	for (int i = 0; i < 10; i++) {
		end_anywhere(&kit, 20 + 30 * (i % 4));
		run_kit_restart(&kit, yaml, options());
	}
	wait_for_effects(4938);
	drain(&kit);
	q = look("in");
	ck_assert_uint_eq(q.n, 60);
	ck_assert_uint_eq(q.kind[LEAT_LETTER_MESSAGE], 60);
	ck_assert_str_eq(q.letter.source, "in");
	forget(&q);
	q = look("hop");
	ck_assert_uint_eq(q.n, 180); /* those that divide by 30 and not by 100 */
	ck_assert_uint_eq(q.kind[LEAT_LETTER_EVENT], 180);
	ck_assert_ptr_nonnull(strstr(q.letter.reason, "is not wanted"));
	forget(&q);
	q = look("out");
	ck_assert_uint_eq(q.n, 6000 - 240 - ledger.n_effects);
	ck_assert_uint_eq(q.n, 822);
	ck_assert_uint_eq(q.kind[LEAT_LETTER_EVENT] + q.kind[LEAT_LETTER_EFFECT], q.n);
	forget(&q);
	remove_folder();
}
END_TEST

/* ---- replay ---------------------------------------------------------------------------------------------------------- */

#define RULE(options) SOURCE ", endless: true}}\noperators: {hop: {type: relay, input: in, key: k, shards: 3" options "}}\n" \
	"sinks: {out: {type: ledger, input: hop, jitter: 3ms, lose_every: 6}}\n"

START_TEST(what_is_replayed_arrives_once_wherever_it_is_ended)
{
	struct run_kit kit;
	size_t before = 0;

	make_folder();
	run_kit_start(&kit, RULE(", reject_every: 3"), options());
	wait_for_effects(4000);
	drain(&kit);
	ck_assert_uint_eq(count(NULL), 2000);
	wish(LEAT_WISH_REPLAY, "hop");
	for (int i = 0; i < 12; i++) {
		run_kit_restart(&kit, RULE(""), options());
		end_anywhere(&kit, 10 + 17 * (i % 5));
		before += count(NULL) > 0;
	}
	run_kit_restart(&kit, RULE(""), options());
	wait_for_wishes();
	drain(&kit);
	ck_assert_uint_gt(before, 2); /* it was ended in the middle */
	ck_assert_uint_eq(count(NULL), 0);
	run_kit_expect_all(2, 3000, 1);
	remove_folder();
}
END_TEST

START_TEST(what_is_refused_again_is_a_new_letter_of_the_old_origin)
{
	static const char yaml[] = SOURCE "}}\noperators: {hop: {type: relay, input: in, key: k, reject_every: 1000}}\n"
	                                  "sinks: {out: {type: ledger, input: hop}}\n";
	struct queue q;

	make_folder();
	run_to_end(yaml, true);
	ck_assert_uint_eq(count(NULL), 6);
	wish(LEAT_WISH_REPLAY, NULL);
	run_to_end(yaml, false);
	ck_assert_uint_eq(wishes(), 0);
	q = look("hop");
	ck_assert_uint_eq(q.n, 6);
	ck_assert_uint_eq(q.first, 7);
	ck_assert_str_eq(q.letter.source, "in");
	ck_assert_int_eq(q.letter.record.origin.offset % 1000, 0);
	forget(&q);
	ck_assert_uint_eq(ledger.n_effects, 5994);
	remove_folder();
}
END_TEST

START_TEST(a_message_enters_through_its_source_again)
{
	make_folder();
	run_to_end(SOURCE ", max_bytes: 10}}\nsinks: {out: {type: ledger, input: in}}\n", true);
	ck_assert_uint_eq(ledger.n_effects, 0);
	ck_assert_uint_eq(count("in"), 6000);
	wish(LEAT_WISH_REPLAY, NULL);
	run_to_end(SOURCE "}}\nsinks: {out: {type: ledger, input: in}}\n", false);
	ck_assert_uint_eq(count(NULL), 0);
	run_kit_expect_all(2, 3000, 1);
	remove_folder();
}
END_TEST

START_TEST(what_a_sink_has_refused_enters_it_again)
{
	make_folder();
	run_to_end(SOURCE "}}\nsinks: {out: {type: ledger, input: in, refuse_every: 10}}\n", true);
	ck_assert_uint_eq(count("out"), 600);
	wish(LEAT_WISH_REPLAY, "out");
	run_to_end(SOURCE "}}\nsinks: {out: {type: ledger, input: in}}\n", false);
	ck_assert_uint_eq(count(NULL), 0);
	run_kit_expect_all(2, 3000, 1);
	remove_folder();
}
END_TEST

/* A sink that reads dead letters has no way of its own from a shard: another sink's leads to it. */
START_TEST(a_sink_of_dead_letters_has_letters_too)
{
#define BOTH(options) SOURCE "}}\nsinks:\n  out: {type: ledger, input: in, refuse_every: 10}\n" \
	"  dead: {type: ledger, input: out.dead, dead: true" options "}\n"
	make_folder();
	run_to_end(BOTH(", no_encode: true"), true);
	ck_assert_uint_eq(count("dead"), 600);
	ck_assert_uint_eq(count(NULL), 600);
	ck_assert_uint_eq(ledger.n_dead, 0);
	wish(LEAT_WISH_REPLAY, NULL);
	run_to_end(BOTH(""), false);
	ck_assert_uint_eq(count(NULL), 0);
	ck_assert_uint_eq(ledger.n_dead, 600);
	ck_assert_uint_eq(ledger.n_effects, 5400);
	remove_folder();
}
END_TEST

/* Until far more is durable than was delivered: the delivery in hand, of a dozen such epochs, is still made in the end. */
static void wait_for_outbox(const struct run_kit *kit)
{
	uint64_t durable = 0, delivered = 0;

	for (int i = 0; i < 2000 && durable < delivered + 40; i++) {
		struct leat_pipeline_figures figures;

		rest_ms(10);
		pthread_mutex_lock(&ledger.lock);
		delivered = run_kit_fence("out")->epoch;
		pthread_mutex_unlock(&ledger.lock);
		leat_pipeline_figures(kit->pipeline, &figures);
		durable = figures.epoch;
		leat_pipeline_figures_finish(&figures);
	}
	ck_assert_uint_ge(durable, delivered + 40);
}

/* The outbox keeps effects without their events. */
START_TEST(an_effect_that_is_refused_after_a_restart_is_kept_as_bytes_and_enters_again)
{
	static const char slow[] = SOURCE "}}\nsinks: {out: {type: ledger, input: in, slow: 700ms}}\n";
	struct leat_run_options large = *options();
	struct run_kit kit;
	struct queue q;

	make_folder();
	large.in_flight_bytes = 64 << 20;
	large.epoch_records = 50;
	run_kit_start(&kit, slow, &large);
	wait_for_outbox(&kit);
	end_anywhere(&kit, 0);
	run_to_end(SOURCE "}}\nsinks: {out: {type: ledger, input: in, refuse_every: 10}}\n", false);
	q = look("out");
	ck_assert_uint_gt(q.kind[LEAT_LETTER_EFFECT], 0);
	forget(&q);
	wish(LEAT_WISH_REPLAY, NULL);
	run_to_end(SOURCE "}}\nsinks: {out: {type: ledger, input: in}}\n", false);
	ck_assert_uint_eq(count(NULL), 0);
	run_kit_expect_all(2, 3000, 1);
	remove_folder();
}
END_TEST

START_TEST(a_letter_whose_node_is_gone_stays)
{
	static const char *const drop[] = { "hop", NULL };
	struct leat_run_options without = *options();
	struct run_kit kit;

	make_folder();
	run_to_end(SOURCE "}}\noperators: {hop: {type: relay, input: in, reject_every: 1000}}\nsinks: {out: {type: ledger, input: hop}}\n", true);
	wish(LEAT_WISH_REPLAY, NULL);
	without = *options();
	without.drop = drop;
	run_kit_restart(&kit, SOURCE "}}\nsinks: {out: {type: ledger, input: in}}\n", &without);
	run_kit_expect_done(&kit);
	run_kit_finish(&kit);
	ck_assert_uint_eq(wishes(), 0);
	ck_assert_uint_eq(count(NULL), 6);
	remove_folder();
}
END_TEST

/* ---- beside a running pipeline --------------------------------------------------------------------------------------- */

START_TEST(wishes_are_met_while_it_runs)
{
	struct run_kit kit;
	struct leat_pipeline_figures figures;

	make_folder();
	run_kit_start(&kit, RULE(", reject_every: 100"), options());
	wait_for_effects(5940);
	leat_pipeline_figures(kit.pipeline, &figures);
	ck_assert_uint_eq(figures.letters, 60);
	ck_assert_uint_eq(figures.node[1].letters, 60);
	ck_assert_uint_gt(figures.letters_bytes, 60 * 40);
	leat_pipeline_figures_finish(&figures);
	wish(LEAT_WISH_REPLAY, NULL);
	wait_for_wishes();
	ck_assert_uint_eq(count(NULL), 60); /* all of them again */
	wish(LEAT_WISH_DROP, "hop");
	wait_for_wishes();
	ck_assert_uint_eq(count(NULL), 0);
	leat_pipeline_figures(kit.pipeline, &figures);
	ck_assert_uint_eq(figures.letters, 0);
	ck_assert_uint_eq(figures.letters_bytes, 0);
	leat_pipeline_figures_finish(&figures);
	drain(&kit);
	ck_assert_uint_eq(ledger.n_effects, 5940);
	remove_folder();
}
END_TEST

START_TEST(a_wish_that_is_not_understood_is_removed)
{
	struct run_kit kit;
	char path[128];
	FILE *out;

	make_folder();
	run_kit_start(&kit, RULE(""), options());
	(void)snprintf(path, sizeof path, "%s/1.wish", state);
	out = fopen(path, "w");
	(void)fputs("burn\n1\n", out);
	(void)fclose(out);
	for (int i = 0; i < 500 && access(path, F_OK) == 0; i++)
		rest_ms(10);
	ck_assert_int_ne(access(path, F_OK), 0);
	drain(&kit);
	remove_folder();
}
END_TEST

/* ---- limits ---------------------------------------------------------------------------------------------------------- */

START_TEST(the_oldest_letters_go_when_there_are_too_many)
{
	struct run_kit kit;
	struct leat_pipeline_figures figures;
	struct queue q;

	make_folder();
	run_kit_start(&kit, "dead_letters: {max: 8KiB}\n" RULE(", reject_every: 2"), options());
	wait_for_effects(3000);
	leat_pipeline_figures(kit.pipeline, &figures);
	ck_assert_uint_le(figures.letters_bytes, 256 << 10);
	ck_assert_uint_eq(figures.letters + figures.letters_dropped, 3000);
	ck_assert_uint_gt(figures.letters_dropped, 1000);
	leat_pipeline_figures_finish(&figures);
	drain(&kit);
	q = look(NULL);
	ck_assert_uint_eq(q.last, 3000);
	forget(&q);
	remove_folder();
}
END_TEST

START_TEST(reading_stops_when_there_are_too_many_and_goes_on_when_some_are_dropped)
{
	struct run_kit kit;
	size_t n;

	make_folder();
	run_kit_start(&kit, "dead_letters: {max: 64KiB, when_full: stop}\n" RULE(", reject_every: 2"), options());
	do {
		n = ledger.n_read;
		rest_ms(300);
	} while (ledger.n_read != n);
	ck_assert_uint_lt(n, 6000);
	for (int i = 0; i < 200 && ledger.n_read < 6000; i++) {
		wish(LEAT_WISH_DROP, NULL);
		wait_for_wishes();
		rest_ms(10);
	}
	ck_assert_uint_eq(ledger.n_read, 6000);
	drain(&kit);
	ck_assert_uint_eq(ledger.n_effects, 3000);
	remove_folder();
}
END_TEST

int main(void)
{
	return leat_test_main("dlq", (const TTest *[]){
		letters_that_no_one_reads_are_in_the_queue_once_wherever_it_is_ended,
		what_is_replayed_arrives_once_wherever_it_is_ended,
		what_is_refused_again_is_a_new_letter_of_the_old_origin,
		a_message_enters_through_its_source_again,
		what_a_sink_has_refused_enters_it_again,
		an_effect_that_is_refused_after_a_restart_is_kept_as_bytes_and_enters_again,
		a_sink_of_dead_letters_has_letters_too,
		a_letter_whose_node_is_gone_stays,
		wishes_are_met_while_it_runs,
		a_wish_that_is_not_understood_is_removed,
		the_oldest_letters_go_when_there_are_too_many,
		reading_stops_when_there_are_too_many_and_goes_on_when_some_are_dropped,
		NULL });
}
