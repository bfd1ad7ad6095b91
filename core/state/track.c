/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has changed since the last checkpoint. Entries that change are only marked, and their rows made when
 * they are taken, once however often they have changed. What cannot wait is noted as it happens: that an entry is gone, and
 * what has become of the items of a run, which may be long while few of them change.
 *
 * Taken are first the notes and then the rows of marked entries: of a key that was erased and came back, what is put stands
 * behind what was erased (T5).
 */
#include "base/bug.h"
#include "base/check.h"
#include "data/pack.h"
#include "state/fields.h"
#include "state/table.h"

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

static void begin_row(struct leat_tables *t, const struct leat_entry *e)
{
	t->row.n = 0;
	leat_buffer_append(&t->row, leat_packed_key_bytes(&e->key), e->key.n);
}

static void add_op(struct leat_tables *t, struct leat_delta *delta, enum leat_delta_kind kind, bool is_new, uint32_t table, size_t key_n)
{
	leat_delta_add(delta, &(struct leat_delta_op){ .kind = kind,
	                                               .is_new = is_new,
	                                               .table = (uint16_t)table,
	                                               .key = t->row.data,
	                                               .key_n = key_n,
	                                               .value = t->row.data + key_n,
	                                               .value_n = t->row.n - key_n });
}

static void append_item_key(struct leat_buffer *row, int64_t order, int64_t sequence)
{
	leat_buffer_byte(row, LEAT_ROW_ITEM);
	leat_row_sortable(row, order);
	leat_row_sortable(row, sequence);
}

static void put_entry(struct leat_tables *t, uint32_t table, struct leat_entry *e, struct leat_delta *out)
{
	const struct leat_table *tab = &t->table[table];
	size_t key_n;

	begin_row(t, e);
	if (tab->kind == LEAT_TABLE_ORDERED)
		leat_buffer_byte(&t->row, LEAT_ROW_HEAD);
	key_n = t->row.n;
	leat_row_number(&t->row, (uint64_t)e->changed_us);
	if (tab->kind == LEAT_TABLE_FIXED)
		leat_fields_write(tab->fields, leat_entry_data(e), &t->row);
	else if (tab->kind == LEAT_TABLE_VALUE)
		leat_pack_value(((const struct leat_cell *)leat_entry_data(e))->block.clone, &t->row);
	add_op(t, out, LEAT_DELTA_PUT, !e->is_stored, table, key_n);
	e->is_stored = 1;
	e->event = t->event; /* C1: a number that was taken again may be marked though nothing has changed */
}

/* ---- what changes --------------------------------------------------------------------------------------------------- */

void leat_track_dirty(struct leat_table *tab, struct leat_entry *e, uint32_t number)
{
	tab->dirty = leat_grow(tab->dirty, tab->n_dirty, &tab->dirty_capacity, sizeof *tab->dirty);
	tab->dirty[tab->n_dirty++] = number;
	e->is_dirty = 1;
}

/* All of the key in t->row. */
static void erase_rows(struct leat_tables *t, uint32_t table)
{
	bool is_ordered = t->table[table].kind == LEAT_TABLE_ORDERED;

	add_op(t, &t->changes, is_ordered ? LEAT_DELTA_ERASE_PREFIX : LEAT_DELTA_ERASE, false, table, t->row.n);
}

void leat_track_dead(struct leat_tables *t, uint32_t table, const struct leat_entry *e)
{
	if (!t->is_tracked || !e->is_stored)
		return;
	begin_row(t, e);
	erase_rows(t, table);
}

void leat_track_gone(struct leat_tables *t, uint32_t table, const char *key, size_t key_n)
{
	t->row.n = 0;
	leat_buffer_append(&t->row, key, key_n);
	erase_rows(t, table);
}

/* As it is now: if it was changed again in this event, that stands later in the log, and says the same or erases it. */
static void put_item(struct leat_tables *t, uint32_t table, struct leat_entry *e, const struct leat_ordered_entry *item, bool is_new)
{
	const struct leat_ordered_entry *now = leat_run_find(leat_entry_data(e), item->order, item->sequence);
	size_t key_n;

	if (now == NULL)
		return;
	if (!e->is_stored) /* L2 in changelog.h: that the key is new is said before its items are erased */
		put_entry(t, table, e, &t->changes);
	begin_row(t, e);
	append_item_key(&t->row, now->order, now->sequence);
	key_n = t->row.n;
	leat_pack_value(&now->value, &t->row);
	add_op(t, &t->changes, LEAT_DELTA_PUT, is_new, table, key_n);
}

static void erase_items(struct leat_tables *t, uint32_t table, const struct leat_entry *e, const struct leat_piece *piece,
                        size_t n)
{
	size_t packed_n;

	begin_row(t, e);
	packed_n = t->row.n;
	for (size_t i = 0; i < n; i++) {
		t->row.n = packed_n;
		append_item_key(&t->row, piece[i].item.order, piece[i].item.sequence);
		add_op(t, &t->changes, LEAT_DELTA_ERASE, false, table, t->row.n);
	}
}

void leat_track_settled(struct leat_tables *t, const struct leat_undo *undo, const struct leat_piece *piece)
{
	struct leat_entry *e = leat_table_entry(&t->table[undo->table], undo->number);

	switch ((enum leat_undo_kind)undo->kind) {
	case LEAT_UNDO_ERASED:
		leat_track_dead(t, undo->table, e);
		break;
	case LEAT_UNDO_PUT:
	case LEAT_UNDO_REPLACED:
		if (e->is_live) /* else all its rows go when the log comes to that */
			put_item(t, undo->table, e, &piece->item, undo->kind == LEAT_UNDO_PUT);
		break;
	case LEAT_UNDO_REMOVED:
	case LEAT_UNDO_TAKEN:
		if (e->is_live && e->is_stored)
			erase_items(t, undo->table, e, piece, undo->n);
		break;
	case LEAT_UNDO_CREATED:
	case LEAT_UNDO_TOUCHED:
		break;
	}
}

void leat_tables_track(struct leat_tables *t)
{
	leat_check(!t->is_open);
	t->is_tracked = 1;
}

void leat_tables_take(struct leat_tables *t, struct leat_delta *out)
{
	leat_check(!t->is_open);
	if (t->cold != NULL)
		t->cold->taken_event = t->event;
	leat_delta_append(out, &t->changes);
	leat_delta_clear(&t->changes);
	if (t->changes.bytes.capacity > LEAT_UNDO_KEPT)
		leat_delta_finish(&t->changes);
	for (uint32_t table = 0; table < t->n; table++) {
		struct leat_table *tab = &t->table[table];

		for (size_t i = 0; i < tab->n_dirty; i++) {
			struct leat_entry *e = leat_table_entry(tab, tab->dirty[i]);

			e->is_dirty = LEAT_BUG("change-not-stored"); /* T4 */
			if (e->is_live)
				put_entry(t, table, e, out);
		}
		tab->n_dirty = 0;
	}
	leat_cold_measure(t);
}
