/* SPDX-License-Identifier: Apache-2.0 */
/* Entries from rows: one by one as they are given, when somebody asks for one that is not in memory, or ahead of that. */
#include "base/bug.h"
#include "base/check.h"
#include "data/pack.h"
#include "state/fields.h"
#include "state/table.h"

/* A row that is being read. */
struct reading {
	struct leat_arena *arena;
	const struct leat_symbols *symbols;
	const struct leat_delta_op *put;
	struct leat_value key;
	size_t key_n; /* of the packed one */
	uint32_t tag;
};

static bool read_key(struct reading *r)
{
	r->key_n = leat_packed_size(r->put->key, r->put->key_n);
	if (!leat_unpack_value(r->arena, r->symbols, r->put->key, r->key_n, &r->key) ||
	    !leat_pack_key_is(&r->key, r->put->key, r->key_n)) /* R4 */
		return false;
	r->tag = leat_index_tag(leat_key_hash(&r->key));
	return true;
}

static struct leat_entry *make_entry(struct leat_tables *t, struct leat_table *tab, const struct reading *r)
{
	uint32_t number;
	struct leat_entry *e = leat_entry_make(t, tab, r->put->key, r->key_n, r->tag, &number);

	e->event = 0; /* so that the event in hand logs its change */
	e->is_stored = 1;
	return e;
}

/* Time goes on from the last change, as what was expired then has to stay so. */
static void set_changed(struct leat_tables *t, struct leat_entry *e, const char *bytes)
{
	e->changed_us = (int64_t)leat_row_read_number(bytes);
	if (e->changed_us > t->now_us)
		t->now_us = e->changed_us;
}

static bool restore_fixed(struct leat_tables *t, struct leat_table *tab, const struct reading *r)
{
	const struct leat_delta_op *put = r->put;
	struct leat_entry *e;

	if (put->value_n < LEAT_ROW_NUMBER || !leat_fields_fit(tab->fields, put->value + LEAT_ROW_NUMBER, put->value_n - LEAT_ROW_NUMBER))
		return false;
	e = make_entry(t, tab, r);
	set_changed(t, e, put->value);
	leat_fields_read(tab->fields, put->value + LEAT_ROW_NUMBER, leat_entry_data(e));
	return true;
}

static bool restore_value(struct leat_tables *t, struct leat_table *tab, const struct reading *r)
{
	const struct leat_delta_op *put = r->put;
	struct leat_value value;
	struct leat_cell *cell;
	struct leat_entry *e;

	if (put->value_n < LEAT_ROW_NUMBER ||
	    !leat_unpack_value(r->arena, r->symbols, put->value + LEAT_ROW_NUMBER, put->value_n - LEAT_ROW_NUMBER, &value))
		return false;
	e = make_entry(t, tab, r);
	set_changed(t, e, put->value);
	cell = leat_entry_data(e);
	cell->block.clone = leat_value_clone(&value, &cell->block.bytes);
	t->owned += cell->block.bytes;
	return true;
}

/* The entry that rows of an ordered table share; what was not changed yet waits for its head. */
static struct leat_entry *share_entry(struct leat_tables *t, struct leat_table *tab, const struct reading *r)
{
	uint32_t number = leat_table_find(tab, &r->key, r->tag);
	struct leat_entry *e = number != 0 ? leat_table_entry(tab, number) : make_entry(t, tab, r);

	if (number == 0)
		e->changed_us = INT64_MIN;
	return e;
}

static bool restore_head(struct leat_tables *t, struct leat_table *tab, const struct reading *r)
{
	struct leat_entry *e;

	if (r->put->value_n != LEAT_ROW_NUMBER)
		return false;
	e = share_entry(t, tab, r);
	if (e->changed_us != INT64_MIN)
		return false;
	set_changed(t, e, r->put->value);
	return true;
}

static bool restore_item(struct leat_tables *t, struct leat_table *tab, const struct reading *r)
{
	const char *suffix = r->put->key + r->key_n;
	struct leat_ordered_entry entry;

	if (!leat_unpack_value(r->arena, r->symbols, r->put->value, r->put->value_n, &entry.value))
		return false;
	entry.order = leat_row_read_sortable(suffix + 1);
	entry.sequence = leat_row_read_sortable(suffix + 1 + LEAT_ROW_NUMBER);
	return leat_run_add(t, leat_entry_data(share_entry(t, tab, r)), &entry);
}

static bool restore_ordered(struct leat_tables *t, struct leat_table *tab, const struct reading *r)
{
	const char *suffix = r->put->key + r->key_n;
	size_t suffix_n = r->put->key_n - r->key_n;

	if (suffix_n == 1 && *suffix == LEAT_ROW_HEAD)
		return restore_head(t, tab, r);
	return suffix_n == 1 + 2 * LEAT_ROW_NUMBER && *suffix == LEAT_ROW_ITEM && restore_item(t, tab, r);
}

static bool restore(struct leat_tables *t, struct reading *r)
{
	struct leat_table *tab = &t->table[r->put->table];

	if (tab->kind == LEAT_TABLE_ORDERED)
		return restore_ordered(t, tab, r);
	if (r->key_n != r->put->key_n || leat_table_find(tab, &r->key, r->tag) != 0)
		return false;
	return tab->kind == LEAT_TABLE_FIXED ? restore_fixed(t, tab, r) : restore_value(t, tab, r);
}

static bool begin_reading(struct leat_tables *t, struct reading *r)
{
	r->arena = leat_arena_create();
	return r->put->kind == LEAT_DELTA_PUT && r->put->table < t->n && read_key(r);
}

static void end_reading(struct leat_tables *t, struct reading *r)
{
	leat_arena_unref(r->arena);
	if (!t->is_open)
		leat_cold_look(t);
}

bool leat_tables_restore(struct leat_tables *t, const struct leat_symbols *symbols, const struct leat_delta_op *put)
{
	struct reading r = { .symbols = symbols, .put = put };
	bool is_good = begin_reading(t, &r) && restore(t, &r);

	end_reading(t, &r);
	return is_good;
}

/* ---- what the store has --------------------------------------------------------------------------------------------- */

uint32_t leat_cold_fetch(struct leat_tables *t, uint32_t table, const struct leat_value *key, uint32_t tag)
{
	struct leat_table *tab = &t->table[table];
	uint32_t number;

	if (!leat_cold_may_hold(t, tab, tag))
		return 0;
	t->row.n = 0;
	leat_pack_key(key, &t->row);
	/* C1 */
	if (leat_graves_hold(&tab->graves, t->row.data, t->row.n, tag))
		return 0;
	t->cold->below.fetch(t->cold->below.opaque, table, t->row.data, t->row.n);
	number = leat_table_find(tab, key, tag);
	if (number != 0)
		leat_cold_found(t, tab, tag);
	t->n_created += number != 0;
	t->cold->n_fetched += number != 0;
	return number;
}

/* Items expire with their head, and say nothing of it. */
static bool is_expired_row(const struct leat_tables *t, const struct leat_table *tab, const struct leat_delta_op *put)
{
	size_t key_n = tab->kind == LEAT_TABLE_ORDERED ? leat_packed_size(put->key, put->key_n) : put->key_n;
	bool is_item = key_n < put->key_n && put->key[key_n] == LEAT_ROW_ITEM;

	return !is_item && put->value_n >= LEAT_ROW_NUMBER && leat_time_is_expired(t, tab, (int64_t)leat_row_read_number(put->value));
}

bool leat_tables_expire_row(struct leat_tables *t, const struct leat_symbols *symbols, const struct leat_delta_op *put, int64_t now_us,
                            size_t *n_gone)
{
	struct leat_table *tab = &t->table[put->table];
	struct reading r = { .symbols = symbols, .put = put };
	bool is_good;

	leat_check(!t->is_open && put->table < t->n && t->cold != NULL && t->cold->phase != LEAT_COLD_LOADING);
	leat_tables_tell_time(t, now_us);
	if (!is_expired_row(t, tab, put))
		return true;
	is_good = begin_reading(t, &r);
	/* C4 */
	if (is_good && (LEAT_BUG("expired-though-changed") || leat_table_find(tab, &r.key, r.tag) == 0) &&
	    !leat_graves_hold(&tab->graves, put->key, r.key_n, r.tag)) {
		leat_track_gone(t, put->table, put->key, r.key_n);
		t->cold->n_stale++;
		(*n_gone)++;
	}
	end_reading(t, &r);
	return is_good;
}

/* Items come with their head: asked for one by one they would come twice. */
static bool load(struct leat_tables *t, struct reading *r)
{
	struct leat_table *tab = &t->table[r->put->table];
	bool is_item = tab->kind == LEAT_TABLE_ORDERED && r->put->key_n > r->key_n && r->put->key[r->key_n] == LEAT_ROW_ITEM;

	/* C3 */
	if (is_item || leat_table_find(tab, &r->key, r->tag) != 0 || leat_graves_hold(&tab->graves, r->put->key, r->key_n, r->tag))
		return true;
	if (!leat_cold_has_room(t)) {
		if (!is_expired_row(t, tab, r->put))
			leat_cold_note(t, tab, r->tag);
		return true;
	}
	if (tab->kind == LEAT_TABLE_ORDERED)
		return leat_cold_fetch(t, r->put->table, &r->key, r->tag) != 0;
	return restore(t, r);
}

bool leat_tables_load(struct leat_tables *t, const struct leat_symbols *symbols, const struct leat_delta_op *put)
{
	struct reading r = { .symbols = symbols, .put = put };
	bool is_good;

	leat_check(!t->is_open && t->cold != NULL && t->cold->phase != LEAT_COLD_KNOWN);
	is_good = begin_reading(t, &r) && load(t, &r);
	end_reading(t, &r);
	return is_good;
}
