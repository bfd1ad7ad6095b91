/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has changed since the last checkpoint, and the way back. Entries that change are only marked, and their rows made when
 * they are taken, once however often they have changed. What cannot wait is noted as it happens: that an entry is gone, and
 * what has become of the items of a run, which may be long while few of them change.
 *
 * Taken are first the notes and then the rows of marked entries: of a key that was erased and came back, what is put stands
 * behind what was erased (T5).
 */
#include "base/bug.h"
#include "base/check.h"
#include "data/pack.h"
#include "state/table.h"

/* A field on its way to or from little-endian (R2). */
static void copy_field(char *to, const char *from, const struct leat_field *field)
{
	bool is_turned = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && field->type != LEAT_FIELD_BYTES;

	for (size_t i = 0; is_turned && i < field->size; i++)
		to[i] = from[field->size - 1 - i];
	if (!is_turned)
		memcpy(to, from, field->size);
}

static size_t fields_size(const struct leat_table *tab)
{
	size_t n = 0;

	for (const struct leat_field *field = tab->fields; field != NULL && field->name != NULL; field++)
		n += field->size;
	return n;
}

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

static void begin_row(struct leat_tables *t, const struct leat_entry *e)
{
	t->row.n = 0;
	leat_pack_value(&e->key.value, &t->row);
}

static void add_op(struct leat_tables *t, struct leat_delta *delta, enum leat_delta_kind kind, uint32_t table, size_t key_n)
{
	leat_delta_add(delta, &(struct leat_delta_op){ .kind = kind,
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

static void append_fields(struct leat_buffer *row, const struct leat_table *tab, const char *data)
{
	for (const struct leat_field *field = tab->fields; field != NULL && field->name != NULL; field++) {
		copy_field(leat_buffer_reserve(row, field->size), data + field->offset, field);
		row->n += field->size;
	}
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
		append_fields(&t->row, tab, leat_entry_data(e));
	else if (tab->kind == LEAT_TABLE_VALUE)
		leat_pack_value(((const struct leat_cell *)leat_entry_data(e))->block.clone, &t->row);
	add_op(t, out, LEAT_DELTA_PUT, table, key_n);
	e->is_stored = 1;
}

/* ---- what changes --------------------------------------------------------------------------------------------------- */

void leat_track_dirty(struct leat_table *tab, struct leat_entry *e, uint32_t number)
{
	tab->dirty = leat_grow(tab->dirty, tab->n_dirty, &tab->dirty_capacity, sizeof *tab->dirty);
	tab->dirty[tab->n_dirty++] = number;
	e->is_dirty = 1;
}

void leat_track_dead(struct leat_tables *t, uint32_t table, const struct leat_entry *e)
{
	bool is_ordered = t->table[table].kind == LEAT_TABLE_ORDERED;

	if (!t->is_tracked || !e->is_stored)
		return;
	begin_row(t, e);
	add_op(t, &t->changes, is_ordered ? LEAT_DELTA_ERASE_PREFIX : LEAT_DELTA_ERASE, table, t->row.n);
}

/* As it is now: if it was changed again in this event, that stands later in the log, and says the same or erases it. */
static void put_item(struct leat_tables *t, uint32_t table, struct leat_entry *e, const struct leat_ordered_entry *item)
{
	const struct leat_ordered_entry *now = leat_run_find(leat_entry_data(e), item->order, item->sequence);
	size_t key_n;

	if (now == NULL)
		return;
	begin_row(t, e);
	append_item_key(&t->row, now->order, now->sequence);
	key_n = t->row.n;
	leat_pack_value(&now->value, &t->row);
	add_op(t, &t->changes, LEAT_DELTA_PUT, table, key_n);
	e->is_stored = 1;
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
		add_op(t, &t->changes, LEAT_DELTA_ERASE, table, t->row.n);
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
			put_item(t, undo->table, e, &piece->item);
		break;
	case LEAT_UNDO_REMOVED:
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
	leat_tables_publish(t);
}

/* ---- restore -------------------------------------------------------------------------------------------------------- */

/* A row that is being read. */
struct reading {
	struct leat_arena *arena;
	const struct leat_symbols *symbols;
	const struct leat_delta_op *put;
	struct leat_value key;
	size_t key_n; /* of the packed one */
	uint32_t tag;
};

/* R4 */
static bool is_packed_so(struct leat_tables *t, const struct leat_value *value, const char *bytes, size_t n)
{
	t->row.n = 0;
	leat_pack_value(value, &t->row);
	return t->row.n == n && memcmp(t->row.data, bytes, n) == 0;
}

static bool read_key(struct leat_tables *t, struct reading *r)
{
	r->key_n = leat_packed_size(r->put->key, r->put->key_n);
	if (!leat_unpack_value(r->arena, r->symbols, r->put->key, r->key_n, &r->key) ||
	    !is_packed_so(t, &r->key, r->put->key, r->key_n))
		return false;
	r->tag = leat_index_tag(leat_key_hash(&r->key));
	return true;
}

static struct leat_entry *make_entry(struct leat_tables *t, struct leat_table *tab, const struct reading *r)
{
	uint32_t number;
	struct leat_entry *e = leat_entry_make(t, tab, &r->key, r->tag, &number);

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

static bool has_only_bools(const struct leat_table *tab, const char *row)
{
	for (const struct leat_field *field = tab->fields; field != NULL && field->name != NULL; row += field->size, field++)
		if (field->type == LEAT_FIELD_BOOL && (*row & ~1) != 0)
			return false;
	return true;
}

static bool restore_fixed(struct leat_tables *t, struct leat_table *tab, const struct reading *r)
{
	const char *row = r->put->value + LEAT_ROW_NUMBER;
	struct leat_entry *e;
	char *data;

	if (r->put->value_n != LEAT_ROW_NUMBER + fields_size(tab) || !has_only_bools(tab, row))
		return false;
	e = make_entry(t, tab, r);
	set_changed(t, e, r->put->value);
	data = leat_entry_data(e);
	for (const struct leat_field *field = tab->fields; field != NULL && field->name != NULL; row += field->size, field++)
		copy_field(data + field->offset, row, field);
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
	struct leat_table *tab;

	if (r->put->kind != LEAT_DELTA_PUT || r->put->table >= t->n || !read_key(t, r))
		return false;
	tab = &t->table[r->put->table];
	if (tab->kind == LEAT_TABLE_ORDERED)
		return restore_ordered(t, tab, r);
	if (r->key_n != r->put->key_n || leat_table_find(tab, &r->key, r->tag) != 0)
		return false;
	return tab->kind == LEAT_TABLE_FIXED ? restore_fixed(t, tab, r) : restore_value(t, tab, r);
}

bool leat_tables_restore(struct leat_tables *t, const struct leat_symbols *symbols, const struct leat_delta_op *put)
{
	struct reading r = { .arena = leat_arena_create(), .symbols = symbols, .put = put };
	bool is_good;

	leat_check(!t->is_open && t->n_released + t->n_rubbish == 0);
	is_good = restore(t, &r);
	leat_arena_unref(r.arena);
	leat_tables_publish(t);
	return is_good;
}
