/* SPDX-License-Identifier: Apache-2.0 */
#include "run/restore.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "run/advance.h"
#include "run/match.h"
#include "run/shard.h"

/* Rows loaded at once: at the start, so that a small state is in memory as a whole before the first event, and between events,
 * a fraction of a millisecond. */
enum { ROWS_AT_START = 8192, ROWS_PER_STEP = 256 };

/* What lies below the tables of one instance. */
struct floor {
	struct leat_restore *restore;
	struct leat_instance *instance;
	const struct leat_node_tables *tables;
	uint16_t fetched; /* the table whose rows are being read */
};

struct leat_restore {
	struct leat_pipeline *pipeline;
	struct leat_store *store;
	uint32_t shard;
	uint32_t n;
	struct floor *floor; /* by position in the stage */
	/* where loading is */
	uint32_t position;
	uint16_t table;
	struct leat_store_cursor *cursor;
};

/* An event has begun that needs what cannot be read. */
static _Noreturn void die(const struct leat_restore *r, const struct leat_error *err)
{
	leat_log_line(LEAT_ERROR, "pipeline \"%s\": %s; ending, as it cannot go on without", r->pipeline->description->name, err->text);
	_exit(EXIT_FAILURE);
}

static bool restore_row(void *opaque, const struct leat_delta_op *op)
{
	const struct floor *f = opaque;
	struct leat_delta_op row = *op;

	row.table = f->fetched;
	return leat_tables_restore(f->instance->tables, f->instance->description->symbols, &row);
}

static void fetch(void *opaque, uint32_t table, const char *key, size_t key_n)
{
	struct floor *f = opaque;
	const struct leat_restore *r = f->restore;
	struct leat_error err;

	f->fetched = (uint16_t)table;
	if (leat_store_fetch(r->store, f->tables->number[table], r->shard, key, key_n, restore_row, f, &err) != LEAT_OK)
		die(r, &err);
}

/* ---- at the start --------------------------------------------------------------------------------------------------- */

static bool restore_timer(void *opaque, const struct leat_delta_op *op)
{
	struct leat_instance *instance = opaque;
	struct leat_delta_op row = *op;

	row.table = LEAT_DELTA_TIMERS;
	return leat_timers_restore(leat_instance_timers(instance), instance->description->symbols, &row);
}

static enum leat_status begin_instance(struct leat_restore *r, struct floor *f, struct leat_memory *memory, struct leat_error *err)
{
	struct leat_instance *instance = f->instance;
	enum leat_status status = leat_fault_error("restore-timers-before", err);

	if (status == LEAT_OK)
		status = leat_store_rows(r->store, f->tables->timers, r->shard, restore_timer, instance, err);
	if (status == LEAT_OK)
		status = leat_fault_error("restore-timers-after", err);

	if (instance->tables != NULL) {
		leat_tables_track(instance->tables);
		leat_tables_put_over(instance->tables, &(struct leat_below){ .fetch = fetch, .opaque = f }, memory);
	}
	instance->watermark_us = leat_store_watermark(r->store, instance->node->name, r->shard); /* T1 */
	instance->is_tracked = true;
	if (instance->timers != NULL)
		leat_timers_track(instance->timers);
	return status;
}

static enum leat_status load(struct leat_restore *r, size_t rows, struct leat_error *err);

enum leat_status leat_restore_begin(struct leat_epochs *epochs, struct leat_shard *shard, struct leat_restore **out, struct leat_error *err)
{
	struct leat_restore *r = leat_allocate_zeroed(1, sizeof *r);
	enum leat_status status = leat_fault_error("restore-before", err);

	r->pipeline = shard->pipeline;
	r->store = leat_epochs_store(epochs);
	r->shard = shard->index;
	r->n = shard->stage->n_nodes;
	r->floor = leat_allocate_zeroed(r->n, sizeof *r->floor);
	for (uint32_t i = 0; i < r->n && status == LEAT_OK; i++) {
		struct leat_instance *instance = shard->instance[i];

		r->floor[i] = (struct floor){ .restore = r, .instance = instance, .tables = leat_epochs_tables(epochs, instance->node->index) };
		if (instance->node->role == LEAT_ROLE_OPERATOR)
			status = begin_instance(r, &r->floor[i], leat_epochs_memory(epochs), err);
	}
	leat_advance_restored(shard);
	if (status == LEAT_OK)
		status = load(r, ROWS_AT_START, err);
	*out = r;
	return status == LEAT_OK ? leat_fault_error("restore-after", err) : status;
}

/* ---- ahead of being asked for --------------------------------------------------------------------------------------- */

static void next_position(struct leat_restore *r)
{
	r->table = 0;
	r->position++;
}

/* One row. LEAT_AGAIN: there was none left in its table. */
static enum leat_status load_row(struct leat_restore *r, const struct floor *f, struct leat_error *err)
{
	struct leat_store_cursor *cursor = r->cursor;
	struct leat_delta_op row;
	enum leat_status status;

	if (leat_store_cursor_next(cursor, &row)) {
		row.table = r->table;
		if (!leat_tables_load(f->instance->tables, f->instance->description->symbols, &row))
			return leat_error_set(err, LEAT_FATAL, 0, "state in \"%s\" is damaged: a row", leat_store_folder(r->store));
		return LEAT_OK;
	}
	r->cursor = NULL;
	status = leat_store_cursor_close(cursor, err);
	return status == LEAT_OK ? LEAT_AGAIN : status;
}

/* Of the instance whose turn it is. LEAT_AGAIN: it is the turn of the next one. */
static enum leat_status load_some(struct leat_restore *r, const struct floor *f, size_t *rows, struct leat_error *err)
{
	while (r->table < f->instance->n_specs && leat_tables_wants_rows(f->instance->tables)) {
		enum leat_status status = LEAT_OK;

		if (r->cursor == NULL)
			r->cursor = leat_store_cursor_open(r->store, f->tables->number[r->table], r->shard, "", 0);
		for (; *rows > 0 && status == LEAT_OK; (*rows)--)
			status = load_row(r, f, err);
		if (status != LEAT_AGAIN)
			return status;
		r->table++;
	}
	if (r->table == f->instance->n_specs)
		leat_tables_loaded(f->instance->tables, true);
	return LEAT_AGAIN;
}

static enum leat_status load(struct leat_restore *r, size_t rows, struct leat_error *err)
{
	enum leat_status status = LEAT_AGAIN;

	for (; r->position < r->n && status == LEAT_AGAIN; next_position(r)) {
		const struct floor *f = &r->floor[r->position];

		if (f->instance->tables != NULL)
			status = load_some(r, f, &rows, err);
		if (status != LEAT_AGAIN)
			break;
		(void)leat_store_cursor_close(r->cursor, err);
		r->cursor = NULL;
	}
	return status == LEAT_AGAIN ? LEAT_OK : status;
}

/* When what is known of the rows is out of date, they are read again. */
static bool is_wanted_again(const struct leat_restore *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (r->floor[i].instance->tables != NULL && leat_tables_wants_rows(r->floor[i].instance->tables))
			return true;
	return false;
}

bool leat_restore_step(struct leat_restore *r)
{
	struct leat_error err;

	if (r->position == r->n && is_wanted_again(r))
		r->position = 0;
	if (r->position < r->n && load(r, ROWS_PER_STEP, &err) != LEAT_OK)
		die(r, &err);
	return r->position < r->n;
}

void leat_restore_destroy(struct leat_restore *r)
{
	struct leat_error err;

	if (r == NULL)
		return;
	(void)leat_store_cursor_close(r->cursor, &err);
	free(r->floor);
	free(r);
}
