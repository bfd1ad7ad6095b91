/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pass through a table: first its entries in memory, then, if some are not there, its rows in files, in order of their keys. Each
 * step reads some rows with a cursor of its own: what a cursor shows is as old as the cursor, and only what is read before
 * the next event is known to be the newest (C4). What is erased is a change like any other, and durable with the epoch.
 *
 * What was erased stays in files until changes are written there, and would be erased again by the next pass. So that is asked for
 * before it begins, unless it has come by itself; at once if there is much to be gained.
 */
#include "run/sweep.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "run/match.h"
#include "run/shard.h"

enum {
	LOOKS_PER_STEP = 256, /* entries or rows, a fraction of a millisecond */
	PAUSE_US = 10000,     /* between two steps, unless something was found: with the above, a few percent of a core at most */
	SETTLE_US = 1000000,  /* until what a pass has erased is durable, or nearly all of it */
	OFTEN_US = 10000000,  /* passes do not begin more often, */
};
static const int64_t SELDOM_US = INT64_C(3600) * 1000000; /* nor more seldom */
/* When so many rows of a table have gone, and such a share of what was looked at, it is worth to write its files anew. */
enum { MUCH = 1000, MUCH_SHARE = 4 };

enum phase { IN_MEMORY, IN_FILES, SETTLING, RESTING };

/* A pass through one table. */
struct pass {
	struct leat_instance *instance;
	uint16_t table;
	uint32_t of; /* the table, in the store */
	int64_t every_us;
	enum phase phase;
	int64_t due_us, begun_us;
	uint32_t number;         /* where it is in memory, */
	struct leat_buffer from; /* and in files */
	size_t n_looks, n_gone;
	uint64_t settles; /* when files have the changes up to this number */
};

struct leat_sweep {
	struct leat_shard *shard;
	struct leat_epochs *epochs;
	struct pass *pass;
	size_t n, capacity;
};

static int64_t earlier(int64_t a_us, int64_t b_us)
{
	return a_us < b_us ? a_us : b_us;
}

static void add_passes(struct leat_sweep *s, struct leat_instance *instance)
{
	const struct leat_node_tables *tables = leat_epochs_tables(s->epochs, instance->node->index);

	for (uint16_t table = 0; instance->ttl_us != NULL && table < instance->n_specs; table++) {
		int64_t ttl_us = instance->ttl_us[table];

		if (ttl_us <= 0)
			continue;
		s->pass = leat_grow(s->pass, s->n, &s->capacity, sizeof *s->pass);
		s->pass[s->n++] = (struct pass){ .instance = instance,
			                             .table = table,
			                             .of = tables->number[table],
			                             .every_us = earlier(ttl_us > OFTEN_US ? ttl_us : OFTEN_US, SELDOM_US),
			                             .phase = RESTING };
	}
}

struct leat_sweep *leat_sweep_create(struct leat_epochs *epochs, struct leat_shard *shard)
{
	struct leat_sweep *s = leat_allocate_zeroed(1, sizeof *s);

	s->shard = shard;
	s->epochs = epochs;
	for (uint32_t i = 0; i < shard->stage->n_nodes; i++)
		if (shard->instance[i]->node->role == LEAT_ROLE_OPERATOR)
			add_passes(s, shard->instance[i]);
	if (s->n > 0)
		return s;
	leat_sweep_destroy(s);
	return NULL;
}

void leat_sweep_destroy(struct leat_sweep *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		leat_buffer_finish(&s->pass[i].from);
	free(s->pass);
	free(s);
}

/* ---- a step --------------------------------------------------------------------------------------------------------- */

static void look_in_memory(struct pass *pass)
{
	struct leat_tables *tables = pass->instance->tables;

	if (leat_tables_expire(tables, pass->table, leat_clock_now_us(), &pass->number, LOOKS_PER_STEP, &pass->n_gone))
		return;
	pass->n_looks = pass->number;
	pass->phase = leat_tables_is_cold(tables, pass->table) ? IN_FILES : SETTLING;
}

/* The next step goes on behind it. */
static void note_place(struct pass *pass, const struct leat_delta_op *row)
{
	pass->from.n = 0;
	leat_buffer_append(&pass->from, row->key, row->key_n);
	leat_buffer_byte(&pass->from, 0);
}

static enum leat_status look_in_files(const struct leat_sweep *s, struct pass *pass, struct leat_error *err)
{
	const struct leat_store *store = leat_epochs_store(s->epochs);
	const struct leat_symbols *symbols = pass->instance->description->symbols;
	struct leat_store_cursor *cursor = leat_store_cursor_open(store, pass->of, s->shard->index, pass->from.data, pass->from.n);
	int64_t now_us = leat_clock_now_us();
	enum leat_status status = LEAT_OK, closed;
	struct leat_error why;
	struct leat_delta_op row;
	size_t n = 0;

	while (status == LEAT_OK && n < LOOKS_PER_STEP && leat_store_cursor_next(cursor, &row)) {
		row.table = pass->table;
		if (!leat_tables_expire_row(pass->instance->tables, symbols, &row, now_us, &pass->n_gone))
			status = leat_error_set(err, LEAT_FATAL, 0, "state in \"%s\" is damaged: a row", leat_store_folder(store));
		if (++n == LOOKS_PER_STEP)
			note_place(pass, &row);
	}
	pass->n_looks += n;
	if (n < LOOKS_PER_STEP)
		pass->phase = SETTLING;
	closed = leat_store_cursor_close(cursor, &why);
	if (status == LEAT_OK && closed != LEAT_OK)
		*err = why;
	return status == LEAT_OK ? closed : status;
}

/* Erased rows count for the epoch as events do (E12). */
static enum leat_status look(const struct leat_sweep *s, struct pass *pass, int64_t now_us, struct leat_error *err)
{
	size_t before = pass->n_gone;
	enum leat_status status = LEAT_OK;

	if (pass->phase == IN_MEMORY)
		look_in_memory(pass);
	else
		status = look_in_files(s, pass, err);
	if (pass->n_gone > before) {
		leat_epochs_count(s->epochs, s->shard->round, pass->n_gone - before, 0);
		leat_epochs_note(s->epochs);
	}
	pass->due_us = pass->n_gone > before ? 0 : now_us + PAUSE_US;
	if (pass->phase == SETTLING)
		pass->due_us = now_us + SETTLE_US;
	return status;
}

static void settle(const struct leat_sweep *s, struct pass *pass)
{
	struct leat_store *store = leat_epochs_store(s->epochs);

	if (pass->n_gone > 0)
		pass->settles = leat_store_written(store);
	if (pass->n_gone >= MUCH && pass->n_gone * MUCH_SHARE >= pass->n_looks)
		leat_store_want_rows(store, pass->settles, pass->of);
	pass->phase = RESTING;
	pass->due_us = pass->begun_us + pass->every_us;
}

static void begin(const struct leat_sweep *s, struct pass *pass, int64_t now_us)
{
	struct leat_store *store = leat_epochs_store(s->epochs);

	if (leat_store_in_rows(store) < pass->settles) {
		leat_store_want_rows(store, pass->settles, 0);
		pass->due_us = now_us + SETTLE_US;
		return;
	}
	pass->phase = IN_MEMORY;
	pass->begun_us = now_us;
	pass->number = 0;
	pass->from.n = 0;
	pass->n_looks = pass->n_gone = 0;
}

static enum leat_status go_on(const struct leat_sweep *s, struct pass *pass, int64_t now_us, struct leat_error *err)
{
	switch (pass->phase) {
	case IN_MEMORY:
	case IN_FILES:
		return look(s, pass, now_us, err);
	case SETTLING:
		settle(s, pass);
		break;
	case RESTING:
		begin(s, pass, now_us);
		break;
	}
	return LEAT_OK;
}

int64_t leat_sweep_step(struct leat_sweep *s)
{
	int64_t now_us = leat_clock_monotonic_us(), next_us = INT64_MAX;
	struct leat_error err;

	for (size_t i = 0; i < s->n; i++) {
		struct pass *pass = &s->pass[i];

		if (pass->due_us <= now_us && go_on(s, pass, now_us, &err) != LEAT_OK) {
			leat_pipeline_fail(s->shard->pipeline, pass->instance->node, &err);
			return INT64_MAX;
		}
		next_us = earlier(next_us, pass->due_us);
	}
	return next_us <= now_us ? 0 : next_us;
}
