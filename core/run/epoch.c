/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator. Its lock order: layout, then pin, then lock; it holds layout for a whole round. */
#include "run/epoch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/condition.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "run/cap.h"
#include "run/delivery.h"
#include "run/letters.h"
#include "run/match.h"
#include "run/shard.h"

enum {
	SHORTEST_US = 2000,     /* between two barriers: each costs a synced write and a turn of every shard */
	BULK = 128 * 1024,      /* a write of so many bytes is of a pipeline that is busy: there an epoch takes five times as long, so that */
	BULK_US = 10000,        /* what changes often is written less often: 10,000 keys at 1.6 million events/s cost a tenth less */
	MARK_AFTER_US = 1000000, /* deliveries are noted in the store with the next epoch, or after so long without one */
	LOOK_AT_DISK_US = 1000000
};

/* E8: what is left on the store's disk when reading stops. Delivery goes on, and needs room for notes and compaction; what is
 * in flight may still become durable, and is bounded by the budget. Reading goes on at twice as much, so that it does not
 * flutter. */
enum { DISK_LOW_SHARE = 20 };
static const uint64_t DISK_LOW = UINT64_C(256) << 20;

struct leat_epochs {
	struct leat_pipeline *pipeline;
	struct leat_store *store;
	struct leat_node_tables *node; /* by node index */
	struct leat_memory memory;
	pthread_t thread;
	bool is_started;
	_Atomic uint64_t round;
	_Atomic size_t n_behind; /* shards that have not passed this round's barrier */
	_Atomic bool is_dirty;   /* since the last round began */
	struct leat_cap cap;     /* of what is read and fired */
	_Atomic bool is_full[2]; /* by round, as in cap.h */
	pthread_mutex_t layout;
	pthread_mutex_t pin; /* held where a round begins */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_in_round;      /* under the lock, as all below */
	int64_t dirty_us;
	int64_t round_us;      /* when the last one began */
	int64_t shortest_us;   /* from there to the next one */
	bool has_delivered;    /* a delivery is not noted in the store yet */
	struct leat_buffer scratch; /* coordinator */
	uint64_t n_written;         /* rounds that are durable, as far as there was anything to write; coordinator */
	int64_t disk_us;            /* when the disk was looked at last; coordinator */
	uint64_t disk_low;
	_Atomic bool is_disk_low;
	leat_counter n_epochs, n_bytes, n_full, barrier_us, write_us;
};

struct leat_store *leat_epochs_store(const struct leat_epochs *epochs)
{
	return epochs->store;
}

const struct leat_node_tables *leat_epochs_tables(const struct leat_epochs *epochs, uint32_t node)
{
	return &epochs->node[node];
}

struct leat_memory *leat_epochs_memory(struct leat_epochs *epochs)
{
	return &epochs->memory;
}

uint64_t leat_epochs_round(const struct leat_epochs *epochs)
{
	return atomic_load(&epochs->round);
}

/* ---- the disk ------------------------------------------------------------------------------------------------------- */

/* On a small disk a share of it, so that it can be used at all. */
static void set_disk_low(struct leat_epochs *e)
{
	struct statvfs disk;
	uint64_t size = statvfs(leat_store_folder(e->store), &disk) == 0 ? (uint64_t)disk.f_blocks * disk.f_frsize : UINT64_MAX;

	e->disk_low = size / DISK_LOW_SHARE < DISK_LOW ? size / DISK_LOW_SHARE : DISK_LOW;
	if (e->pipeline->options.disk_low != 0)
		e->disk_low = e->pipeline->options.disk_low;
}

bool leat_epochs_has_disk(const struct leat_epochs *e)
{
	return !atomic_load_explicit(&e->is_disk_low, memory_order_relaxed);
}

static void look_at_disk(struct leat_epochs *e)
{
	int64_t now_us = leat_clock_monotonic_us();
	bool was_low = atomic_load(&e->is_disk_low), is_low;
	struct statvfs disk;
	uint64_t left;

	if (now_us - e->disk_us < LOOK_AT_DISK_US)
		return;
	e->disk_us = now_us; /* even if it does not answer: who waits for it does so until then */
	if (statvfs(leat_store_folder(e->store), &disk) != 0)
		return;
	left = (uint64_t)disk.f_bavail * disk.f_frsize;
	is_low = left < (was_low ? 2 * e->disk_low : e->disk_low);
	if (is_low == was_low)
		return;
	atomic_store(&e->is_disk_low, is_low);
	if (is_low)
		leat_log_line(LEAT_WARNING, "pipeline \"%s\": sources are not read: the disk of \"%s\" has %" PRIu64 " MiB left, %" PRIu64 " needed",
		              e->pipeline->description->name, leat_store_folder(e->store), left >> 20, e->disk_low >> 20);
	else
		leat_log_line(LEAT_INFO, "pipeline \"%s\": sources are read again: the disk of \"%s\" has %" PRIu64 " MiB left",
		              e->pipeline->description->name, leat_store_folder(e->store), left >> 20);
	for (uint32_t i = 0; !is_low && i < e->pipeline->n_workers; i++)
		leat_worker_wake(&e->pipeline->worker[i]);
}

/* ---- making --------------------------------------------------------------------------------------------------------- */

enum leat_status leat_epochs_create(struct leat_pipeline *p, struct leat_epochs **out, struct leat_error *err)
{
	char *folder = leat_store_folder_in(p->options.state_dir == NULL ? "." : p->options.state_dir, p->description->name);
	struct leat_epochs *e = leat_allocate_zeroed(1, sizeof *e);
	enum leat_status status;

	e->pipeline = p;
	leat_cap_init(&e->cap, p->options.epoch_records, p->options.epoch_bytes);
	e->node = leat_allocate_zeroed(p->description->n_nodes + 1, sizeof *e->node);
	e->memory.limit = p->options.state_bytes;
	e->shortest_us = SHORTEST_US;
	pthread_mutex_init(&e->layout, NULL);
	pthread_mutex_init(&e->pin, NULL);
	pthread_mutex_init(&e->lock, NULL);
	leat_condition_init(&e->changed);
	status = leat_store_open(folder, p->description->name, &e->store, err);
	if (status == LEAT_OK) {
		leat_store_limit_changelog(e->store, p->options.changelog_bytes);
		set_disk_low(e);
	}
	if (status == LEAT_OK)
		status = leat_fault_error("store-open-after", err);
	if (status == LEAT_OK)
		status = leat_match_plan(p->plan, e->store, p->options.drop, e->node, err);
	if (status == LEAT_OK)
		status = leat_fault_error("store-match-after", err);
	/* E4 */
	if (status == LEAT_OK)
		status = leat_store_set_incarnation(e->store, leat_store_incarnation(e->store) + !LEAT_BUG("incarnation-not-raised"), err);
	if (status == LEAT_OK)
		leat_log_line(LEAT_INFO, "pipeline \"%s\": state in \"%s\", epoch %" PRIu64 ", incarnation %" PRIu64, p->description->name, folder,
		              leat_store_epoch(e->store), leat_store_incarnation(e->store));
	free(folder);
	if (status == LEAT_OK) {
		look_at_disk(e); /* before anything is read */
		*out = e;
	} else {
		leat_epochs_destroy(e);
	}
	return status;
}

void leat_epochs_destroy(struct leat_epochs *e)
{
	if (e == NULL)
		return;
	leat_check(!e->is_started);
	leat_fault("store-close-before");
	leat_store_close(e->store);
	leat_fault("store-close-after");
	for (uint32_t i = 0; i < e->pipeline->description->n_nodes; i++)
		free(e->node[i].number);
	free(e->node);
	leat_buffer_finish(&e->scratch);
	pthread_cond_destroy(&e->changed);
	pthread_mutex_destroy(&e->lock);
	pthread_mutex_destroy(&e->pin);
	pthread_mutex_destroy(&e->layout);
	free(e);
}

/* ---- shards --------------------------------------------------------------------------------------------------------- */

void leat_epochs_note(struct leat_epochs *e)
{
	if (atomic_load(&e->is_dirty) || atomic_exchange(&e->is_dirty, true))
		return;
	pthread_mutex_lock(&e->lock);
	e->dirty_us = leat_clock_monotonic_us();
	leat_condition_broadcast(&e->changed, &e->lock);
}

void leat_epochs_fill(struct leat_epochs *e, uint64_t round)
{
	if (atomic_load(&e->is_full[round & 1]) || atomic_exchange(&e->is_full[round & 1], true))
		return;
	leat_epochs_wake(e);
}

void leat_epochs_count(struct leat_epochs *e, uint64_t round, uint64_t records, uint64_t bytes)
{
	if (leat_cap_add(&e->cap, round, records, bytes))
		leat_epochs_fill(e, round);
}

bool leat_epochs_is_full(const struct leat_epochs *e, uint64_t round)
{
	return atomic_load(&e->is_full[round & 1]);
}

void leat_epochs_pin(struct leat_epochs *e)
{
	pthread_mutex_lock(&e->pin);
}

void leat_epochs_unpin(struct leat_epochs *e)
{
	pthread_mutex_unlock(&e->pin);
}

void leat_epochs_nudge(struct leat_epochs *e)
{
	pthread_mutex_lock(&e->lock);
	e->has_delivered = true;
	leat_condition_broadcast(&e->changed, &e->lock);
}

void leat_epochs_wake(struct leat_epochs *e)
{
	pthread_mutex_lock(&e->lock);
	leat_condition_broadcast(&e->changed, &e->lock);
}

bool leat_epochs_is_clean(struct leat_epochs *e)
{
	bool is_clean;

	pthread_mutex_lock(&e->lock);
	is_clean = !e->is_in_round && !atomic_load(&e->is_dirty);
	pthread_mutex_unlock(&e->lock);
	return is_clean;
}

void leat_epochs_hold(struct leat_epochs *e)
{
	pthread_mutex_lock(&e->layout);
}

void leat_epochs_release(struct leat_epochs *e)
{
	pthread_mutex_unlock(&e->layout);
}

/* T5. What the end of all sources has made of it (T6) is not stored. */
static void take_watermark(const struct leat_shard *shard, uint32_t position)
{
	struct leat_instance *instance = shard->instance[position];
	int64_t us = position == 0 && shard->reader != NULL ? shard->reader->time.us : instance->watermark_us;

	if (us == instance->stored_us || us == INT64_MAX || LEAT_BUG("watermark-not-stored"))
		return;
	instance->stored_us = us;
	instance->is_watermark_new = true;
}

static void take_state(const struct leat_epochs *e, struct leat_shard *shard)
{
	/* The round before this one is written, or this one would not have begun. */
	uint64_t written = leat_store_written(e->store), in_rows = leat_store_in_rows(e->store);

	for (uint32_t i = 0; i < shard->stage->n_nodes; i++) {
		struct leat_instance *instance = shard->instance[i];

		if (instance->tables != NULL) {
			leat_tables_durable(instance->tables, written, in_rows);
			leat_tables_take(instance->tables, &shard->delta[i]);
		}
		if (instance->timers != NULL)
			leat_timers_take(instance->timers, &shard->delta[i]);
		take_watermark(shard, i);
	}
}

bool leat_epochs_pass(struct leat_epochs *e, struct leat_shard *shard)
{
	if (shard->round == leat_epochs_round(e) || shard->n_at_barrier < shard->n_inputs)
		return false;
	leat_fault("shard-pass-before");
	take_state(e, shard);
	leat_shard_send_barrier(shard);
	shard->round++;
	leat_fault("shard-pass-after");
	if (atomic_fetch_sub(&e->n_behind, 1) == 1)
		leat_epochs_wake(e);
	return true;
}

/* ---- figures -------------------------------------------------------------------------------------------------------- */

void leat_epochs_figures(const struct leat_epochs *e, struct leat_pipeline_figures *figures)
{
	figures->epoch = leat_store_epoch(e->store);
	figures->incarnation = leat_store_incarnation(e->store);
	figures->epochs = leat_counter_get(&e->n_epochs);
	figures->epoch_bytes = leat_counter_get(&e->n_bytes);
	figures->epochs_full = leat_counter_get(&e->n_full);
	figures->epoch_barrier_us = leat_counter_get(&e->barrier_us);
	figures->epoch_write_us = leat_counter_get(&e->write_us);
	figures->is_disk_low = atomic_load(&e->is_disk_low);
}

/* ---- a round -------------------------------------------------------------------------------------------------------- */

static bool is_stopping(const struct leat_epochs *e)
{
	return atomic_load(&e->pipeline->is_stopping);
}

/* E8 */
static _Noreturn void die(struct leat_epochs *e, const struct leat_error *err)
{
	leat_log_line(LEAT_ERROR, "pipeline \"%s\": %s; ending, as nobody knows what is on the disk", e->pipeline->description->name, err->text);
	_exit(EXIT_FAILURE);
}

static void put_watermark(const struct leat_epochs *e, const struct leat_shard *shard, uint32_t position)
{
	struct leat_instance *instance = shard->instance[position];

	if (!instance->is_watermark_new)
		return;
	instance->is_watermark_new = false;
	leat_store_put_watermark(e->store, instance->node->name, shard->index, instance->stored_us);
}

/* Puts what one shard has handed over. */
static bool put_shard(struct leat_epochs *e, struct leat_shard *shard)
{
	struct leat_reader_state *reader = shard->reader;
	bool has_changed = LEAT_BUG("empty-epoch-numbered");

	for (uint32_t i = 0; i < shard->stage->n_nodes; i++) {
		const struct leat_node_tables *tables = &e->node[shard->instance[i]->node->index];

		has_changed = has_changed || shard->delta[i].n > 0;
		leat_store_put_delta(e->store,
		                     &(struct leat_delta_place){ .number = tables->number, .n_numbers = tables->n, .timers = tables->timers,
		                                                 .shard = shard->index },
		                     &shard->delta[i]);
		leat_delta_clear(&shard->delta[i]);
		put_watermark(e, shard, i);
	}
	if (reader != NULL && reader->is_position_new) {
		if (LEAT_BUG("position-before-state")) /* where it is by now, not where it passed the barrier */
			reader->position.offset = reader->instance->next;
		leat_store_put_position(e->store, reader->instance->node->name, reader->partition, &reader->position);
		has_changed = true;
	}
	return has_changed;
}

/* Writes down the round that all shards have passed. */
static void write_epoch(struct leat_epochs *e, uint64_t round)
{
	struct leat_pipeline *p = e->pipeline;
	uint64_t before = leat_store_epoch(e->store);
	size_t n_numbers = 0; /* E10 */
	bool has_letters = false;
	int64_t start_us, closed_us = leat_clock_now_us();
	uint64_t bytes;
	struct leat_error err;

	pthread_mutex_lock(&e->lock);
	e->has_delivered = false;
	pthread_mutex_unlock(&e->lock);
	for (size_t i = 0; i < p->n_shards; i++)
		if (put_shard(e, p->shard[i]))
			n_numbers = 1;
	for (uint32_t i = 0; i < p->description->n_nodes; i++) {
		size_t n = p->node[i].sink == NULL ? 0 : leat_sink_put_epoch(p->node[i].sink, e->store, round, before + 1, &e->scratch);

		n_numbers = n > n_numbers ? n : n_numbers;
	}
	if (leat_letters_put_epoch(p->letters, round, before + 1, &has_letters, &err) != LEAT_OK)
		die(e, &err);
	if (has_letters && n_numbers == 0)
		n_numbers = 1;
	e->n_written = round + 1;
	for (uint32_t i = 0; LEAT_BUG("effects-before-durable") && i < p->description->n_nodes; i++)
		if (p->node[i].sink != NULL)
			leat_sink_release(p->node[i].sink, closed_us);
	if (!leat_store_has_changes(e->store)) {
		leat_letters_release(p->letters);
		return;
	}
	bytes = leat_store_batch_bytes(e->store);
	e->shortest_us = bytes < BULK ? SHORTEST_US : BULK_US;
	leat_counter_add(&e->n_bytes, bytes);
	start_us = leat_clock_monotonic_us();
	if (leat_fault_error("store-write-before", &err) != LEAT_OK || leat_store_commit(e->store, before + n_numbers, &err) != LEAT_OK ||
	    leat_fault_error("store-write-after", &err) != LEAT_OK)
		die(e, &err);
	leat_counter_add(&e->write_us, (uint64_t)(leat_clock_monotonic_us() - start_us));
	leat_letters_release(p->letters);
	leat_counter_add(&e->n_epochs, n_numbers > 0);
	leat_counter_add(&e->n_full, n_numbers > 0 && leat_epochs_is_full(e, round));
	for (uint32_t i = 0; i < p->description->n_nodes; i++)
		if (p->node[i].sink != NULL)
			leat_sink_release(p->node[i].sink, closed_us);
	for (size_t i = 0; i < p->n_shards; i++)
		if (p->shard[i]->reader != NULL)
			leat_reader_durable(p->shard[i]->reader);
}

static bool sinks_are_idle(const struct leat_epochs *e)
{
	for (uint32_t i = 0; i < e->pipeline->description->n_nodes; i++)
		if (e->pipeline->node[i].sink != NULL && leat_sink_is_busy(e->pipeline->node[i].sink))
			return false;
	return true;
}

/* Until when to wait, with the lock held. While sinks are busy with earlier epochs there is no hurry, and a
 * longer one costs less, until it is full. */
static int64_t wait_until_us(const struct leat_epochs *e)
{
	int64_t due_us = e->round_us + e->shortest_us, longest_us = e->dirty_us + e->pipeline->description->epoch_max_us;

	if (!atomic_load(&e->is_dirty))
		return e->has_delivered ? e->round_us + MARK_AFTER_US : INT64_MAX;
	if (leat_epochs_is_full(e, leat_epochs_round(e)))
		return due_us;
	if (!atomic_load(&e->pipeline->is_draining) && !sinks_are_idle(e) && longest_us > due_us)
		due_us = longest_us;
	return due_us;
}

/* False: everything stops. */
static bool wait_for_work(struct leat_epochs *e)
{
	pthread_mutex_lock(&e->lock);
	while (!is_stopping(e)) {
		int64_t until_us = wait_until_us(e);

		/* Without anything to read there are no rounds that would look. */
		if (atomic_load(&e->is_disk_low)) {
			look_at_disk(e);
			if (until_us > e->disk_us + LOOK_AT_DISK_US)
				until_us = e->disk_us + LOOK_AT_DISK_US;
		}
		if (until_us <= leat_clock_monotonic_us())
			break;
		(void)leat_condition_wait(&e->changed, &e->lock, until_us);
	}
	e->is_in_round = !is_stopping(e);
	e->round_us = leat_clock_monotonic_us();
	pthread_mutex_unlock(&e->lock);
	return e->is_in_round;
}

static void run_round(struct leat_epochs *e)
{
	struct leat_pipeline *p = e->pipeline;
	uint64_t round;

	pthread_mutex_lock(&e->layout);
	leat_fault("epoch-close-before");
	atomic_store(&e->is_dirty, false);
	atomic_store(&e->n_behind, p->n_shards);
	leat_cap_open(&e->cap, leat_epochs_round(e) + 1);
	atomic_store(&e->is_full[(leat_epochs_round(e) + 1) & 1], false);
	leat_epochs_pin(e);
	round = atomic_fetch_add(&e->round, 1);
	leat_epochs_unpin(e);
	for (uint32_t i = 0; i < p->n_workers; i++)
		leat_worker_wake(&p->worker[i]);
	pthread_mutex_lock(&e->lock);
	while (atomic_load(&e->n_behind) > 0 && !is_stopping(e))
		pthread_cond_wait(&e->changed, &e->lock);
	pthread_mutex_unlock(&e->lock);
	leat_fault("epoch-close-after");
	leat_counter_add(&e->barrier_us, (uint64_t)(leat_clock_monotonic_us() - e->round_us));
	look_at_disk(e);
	if (atomic_load(&e->n_behind) == 0)
		write_epoch(e, round);
	pthread_mutex_unlock(&e->layout);
	pthread_mutex_lock(&e->lock);
	e->is_in_round = false;
	pthread_mutex_unlock(&e->lock);
	if (atomic_load(&p->is_draining))
		leat_pipeline_nudge(p);
}

static void *work(void *opaque)
{
	struct leat_epochs *e = opaque;

	leat_thread_name("epochs");
	while (wait_for_work(e))
		run_round(e);
	return NULL;
}

void leat_epochs_start(struct leat_epochs *e)
{
	leat_check(pthread_create(&e->thread, NULL, work, e) == 0);
	e->is_started = true;
}

void leat_epochs_stop(struct leat_epochs *e)
{
	if (!e->is_started)
		return;
	leat_check(is_stopping(e));
	leat_epochs_wake(e);
	pthread_join(e->thread, NULL);
	e->is_started = false;
}

void leat_epochs_finish(struct leat_epochs *e)
{
	struct leat_error err;

	for (uint32_t i = 0; i < e->pipeline->description->n_nodes; i++)
		if (e->pipeline->node[i].sink != NULL)
			leat_sink_put_delivered(e->pipeline->node[i].sink, e->store, e->n_written);
	for (size_t i = 0; i < e->pipeline->n_shards; i++)
		if (e->pipeline->shard[i]->reader != NULL)
			leat_reader_put_note(e->pipeline->shard[i]->reader, e->store);
	if (!leat_store_has_changes(e->store))
		return;
	if (leat_fault_error("finish-write-before", &err) != LEAT_OK ||
	    leat_store_commit(e->store, leat_store_epoch(e->store), &err) != LEAT_OK ||
	    leat_fault_error("finish-write-after", &err) != LEAT_OK)
		die(e, &err);
}
