/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator. Its lock order: layout, then pin, then lock; it holds layout for a whole round. */
#include "run/epoch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/condition.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "run/cap.h"
#include "run/delivery.h"
#include "run/shard.h"

enum {
	SHORTEST_US = 2000,     /* between two barriers: each costs a synced write and a turn of every shard */
	MARK_AFTER_US = 1000000, /* deliveries are noted in the store with the next epoch, or after so long without one */
	LOOK_AT_DISK_US = 1000000
};

/* E8: what is left on the store's disk when reading stops. Delivery goes on, and needs room for notes and compaction; what is
 * in flight may still become durable, and is bounded by the budget. Reading goes on at twice as much, so that it does not
 * flutter. */
enum { DISK_LOW_SHARE = 20 };
static const uint64_t DISK_LOW = UINT64_C(256) << 20;

struct node_tables {
	uint32_t *number; /* the store's, by table */
	uint32_t timers;
};

struct leat_epochs {
	struct leat_pipeline *pipeline;
	struct leat_store *store;
	struct node_tables *node; /* by node index */
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

static enum leat_status use_table(struct leat_epochs *e, const struct leat_node *node, const struct leat_table_spec *spec, uint32_t *number,
                                  struct leat_error *err)
{
	uint32_t stage = e->pipeline->plan->stage_of[node->index];
	struct leat_store_table table = {
		.node = node->name,
		.table = spec == NULL ? "" : spec->name,
		.version = spec == NULL ? 1 : spec->version,
		.kind = spec == NULL ? LEAT_STORE_TIMERS : (uint32_t)spec->kind,
		.layout = spec == NULL ? 0 : leat_store_layout(spec),
		.n_shards = e->pipeline->plan->stage[stage].n_shards,
	};
	enum leat_status status = leat_store_use_table(e->store, &table, err);

	*number = table.number;
	return status;
}

static enum leat_status use_tables(struct leat_epochs *e, const struct leat_node *node, struct leat_error *err)
{
	const struct leat_table_spec *spec = node->plugin->op->tables;
	struct node_tables *to = &e->node[node->index];
	enum leat_status status;
	size_t n = 0;

	while (spec != NULL && spec[n].name != NULL)
		n++;
	to->number = leat_allocate_zeroed(n + 1, sizeof *to->number);
	status = use_table(e, node, NULL, &to->timers, err);
	for (size_t i = 0; i < n && status == LEAT_OK; i++)
		status = use_table(e, node, &spec[i], &to->number[i], err);
	return status;
}

static enum leat_status match_plan(struct leat_epochs *e, struct leat_error *err)
{
	const struct leat_description *d = e->pipeline->description;
	enum leat_status status = LEAT_OK;

	for (uint32_t i = 0; i < d->n_nodes && status == LEAT_OK; i++) {
		if (d->node[i].role == LEAT_ROLE_OPERATOR)
			status = use_tables(e, &d->node[i], err);
		else if (d->node[i].role == LEAT_ROLE_SINK)
			(void)leat_store_use_sink(e->store, d->node[i].name);
	}
	return status == LEAT_OK ? leat_store_settle(e->store, e->pipeline->options.drop, err) : status;
}

enum leat_status leat_epochs_create(struct leat_pipeline *p, struct leat_epochs **out, struct leat_error *err)
{
	char *folder = leat_store_folder_in(p->options.state_dir == NULL ? "." : p->options.state_dir, p->description->name);
	struct leat_epochs *e = leat_allocate_zeroed(1, sizeof *e);
	enum leat_status status;

	e->pipeline = p;
	leat_cap_init(&e->cap, p->options.epoch_records, p->options.epoch_bytes);
	e->node = leat_allocate_zeroed(p->description->n_nodes + 1, sizeof *e->node);
	pthread_mutex_init(&e->layout, NULL);
	pthread_mutex_init(&e->pin, NULL);
	pthread_mutex_init(&e->lock, NULL);
	leat_condition_init(&e->changed);
	status = leat_store_open(folder, p->description->name, &e->store, err);
	if (status == LEAT_OK)
		set_disk_low(e);
	leat_fault("store-open-after");
	if (status == LEAT_OK)
		status = match_plan(e, err);
	/* E4 */
	if (status == LEAT_OK)
		status = leat_store_set_incarnation(e->store, leat_store_incarnation(e->store) + 1, err);
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
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
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
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
}

void leat_epochs_wake(struct leat_epochs *e)
{
	pthread_mutex_lock(&e->lock);
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
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

static void take_state(struct leat_shard *shard)
{
	for (uint32_t i = 0; i < shard->stage->n_nodes; i++) {
		struct leat_instance *instance = shard->instance[i];

		if (instance->tables != NULL)
			leat_tables_take(instance->tables, &shard->delta[i]);
		if (instance->timers != NULL)
			leat_timers_take(instance->timers, &shard->delta[i]);
	}
}

bool leat_epochs_pass(struct leat_epochs *e, struct leat_shard *shard)
{
	if (shard->round == leat_epochs_round(e) || shard->n_at_barrier < shard->n_inputs)
		return false;
	take_state(shard);
	leat_shard_send_barrier(shard);
	shard->round++;
	if (atomic_fetch_sub(&e->n_behind, 1) == 1)
		leat_epochs_wake(e);
	return true;
}

struct restoring {
	struct leat_instance *instance;
	uint16_t table;
};

static bool restore_row(void *opaque, const struct leat_delta_op *op)
{
	const struct restoring *r = opaque;
	struct leat_delta_op row = *op;

	row.table = r->table;
	if (r->table == LEAT_DELTA_TIMERS)
		return leat_timers_restore(leat_instance_timers(r->instance), r->instance->description->symbols, &row);
	return leat_tables_restore(r->instance->tables, r->instance->description->symbols, &row);
}

enum leat_status leat_epochs_restore(struct leat_epochs *e, struct leat_shard *shard, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;

	for (uint32_t i = 0; i < shard->stage->n_nodes && status == LEAT_OK; i++) {
		struct leat_instance *instance = shard->instance[i];
		const struct node_tables *tables = &e->node[instance->node->index];
		struct restoring r = { .instance = instance };

		if (instance->node->role != LEAT_ROLE_OPERATOR)
			continue;
		for (; r.table < instance->n_specs && status == LEAT_OK; r.table++)
			status = leat_store_rows(e->store, tables->number[r.table], shard->index, restore_row, &r, err);
		r.table = LEAT_DELTA_TIMERS;
		if (status == LEAT_OK)
			status = leat_store_rows(e->store, tables->timers, shard->index, restore_row, &r, err);
		if (instance->tables != NULL)
			leat_tables_track(instance->tables);
		instance->is_tracked = true;
		if (instance->timers != NULL)
			leat_timers_track(instance->timers);
	}
	return status;
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

/* Puts what one shard has handed over. */
static bool put_shard(struct leat_epochs *e, struct leat_shard *shard)
{
	struct leat_reader_state *reader = shard->reader;
	bool has_changed = false;

	for (uint32_t i = 0; i < shard->stage->n_nodes; i++) {
		const struct node_tables *tables = &e->node[shard->instance[i]->node->index];

		has_changed = has_changed || shard->delta[i].n > 0;
		leat_store_put_delta(e->store, tables->number, tables->timers, shard->index, &shard->delta[i]);
		leat_delta_clear(&shard->delta[i]);
	}
	if (reader != NULL && reader->is_position_new) {
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
	int64_t start_us;
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
	e->n_written = round + 1;
	if (!leat_store_has_changes(e->store))
		return;
	leat_fault("store-write-before");
	leat_counter_add(&e->n_bytes, leat_store_batch_bytes(e->store));
	start_us = leat_clock_monotonic_us();
	if (leat_store_commit(e->store, before + n_numbers, &err) != LEAT_OK)
		die(e, &err);
	leat_fault("store-write-after");
	leat_counter_add(&e->write_us, (uint64_t)(leat_clock_monotonic_us() - start_us));
	leat_counter_add(&e->n_epochs, n_numbers > 0);
	leat_counter_add(&e->n_full, n_numbers > 0 && leat_epochs_is_full(e, round));
	for (uint32_t i = 0; i < p->description->n_nodes; i++)
		if (p->node[i].sink != NULL)
			leat_sink_release(p->node[i].sink);
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
	int64_t due_us = e->round_us + SHORTEST_US, longest_us = e->dirty_us + e->pipeline->description->epoch_max_us;

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
	if (leat_store_has_changes(e->store) && leat_store_commit(e->store, leat_store_epoch(e->store), &err) != LEAT_OK)
		die(e, &err);
}
