/* SPDX-License-Identifier: Apache-2.0 */
#include "state/tables.h"

#include "base/check.h"
#include "base/memory.h"
#include "state/table.h"

static size_t data_size(const struct leat_table_spec *spec)
{
	switch (spec->kind) {
	case LEAT_TABLE_VALUE:
		return sizeof(struct leat_cell);
	case LEAT_TABLE_ORDERED:
		return sizeof(struct leat_run);
	case LEAT_TABLE_FIXED:
		break;
	}
	return spec->size;
}

struct leat_tables *leat_tables_create(const struct leat_table_spec *specs, const int64_t *ttl_us)
{
	struct leat_tables *t = leat_allocate_zeroed(1, sizeof *t);

	while (specs != NULL && specs[t->n].name != NULL)
		t->n++;
	leat_check(t->n <= UINT16_MAX);
	t->table = leat_allocate_zeroed(t->n, sizeof *t->table);
	t->event = 1; /* 0 is no event: entries and runs start with it */
	for (size_t i = 0; i < t->n; i++) {
		struct leat_table *table = &t->table[i];

		table->kind = specs[i].kind;
		table->size = data_size(&specs[i]);
		table->ttl_us = ttl_us != NULL ? ttl_us[i] : 0;
		table->cursor = 1;
		table->hand = 1;
		table->fields = specs[i].kind == LEAT_TABLE_FIXED ? specs[i].fields : NULL;
		t->has_ttl = t->has_ttl || table->ttl_us > 0;
		leat_index_init(&table->index);
		leat_pool_init(&table->pool, sizeof(struct leat_entry) + table->size);
	}
	return t;
}

void leat_tables_destroy(struct leat_tables *t)
{
	if (t == NULL)
		return;
	if (t->is_open)
		leat_tables_abort(t);
	leat_entries_finish(t);
	leat_buffer_finish(&t->images);
	leat_delta_finish(&t->changes);
	leat_buffer_finish(&t->row);
	free(t->undo);
	free(t->rubbish);
	free(t->released);
	free(t->table);
	free(t);
}

/* ---- events --------------------------------------------------------------------------------------------------------- */

void leat_tables_tell_time(struct leat_tables *t, int64_t now_us)
{
	if (now_us > t->now_us)
		t->now_us = now_us;
}

void leat_tables_begin(struct leat_tables *t, int64_t now_us)
{
	leat_check(!t->is_open);
	t->is_open = true;
	t->event++;
	leat_tables_tell_time(t, now_us);
	if (t->n_released + t->n_rubbish > 0 || t->has_ttl || (t->cold != NULL && t->cold->is_over))
		leat_entries_clear(t);
}

void leat_tables_commit(struct leat_tables *t)
{
	leat_check(t->is_open);
	t->is_open = false;
	/* Mostly an event has changed structs that were there, and its log is just forgotten. */
	if (t->n_settle == 0 && t->images.capacity <= LEAT_UNDO_KEPT) {
		t->n_undo = 0;
		t->images.n = 0;
	} else {
		leat_undo_settle(t);
	}
	leat_cold_look(t);
}

void leat_tables_abort(struct leat_tables *t)
{
	leat_check(t->is_open);
	t->is_open = false;
	leat_undo_all(t);
	leat_cold_look(t);
}

/* ---- fixed ---------------------------------------------------------------------------------------------------------- */

void *leat_tables_get(struct leat_tables *t, uint32_t table, const struct leat_value *key)
{
	uint32_t number;

	leat_check(t->is_open && table < t->n && t->table[table].kind == LEAT_TABLE_FIXED);
	return leat_entry_data(leat_entry_open(t, table, key, &number));
}

const void *leat_tables_peek(struct leat_tables *t, uint32_t table, const struct leat_value *key)
{
	struct leat_entry *e;

	leat_check(table < t->n && t->table[table].kind == LEAT_TABLE_FIXED);
	e = leat_entry_read(t, table, key);
	return e != NULL ? leat_entry_data(e) : NULL;
}

/* ---- value ---------------------------------------------------------------------------------------------------------- */

const struct leat_value *leat_tables_value(struct leat_tables *t, uint32_t table, const struct leat_value *key)
{
	struct leat_entry *e;

	leat_check(table < t->n && t->table[table].kind == LEAT_TABLE_VALUE);
	e = leat_entry_read(t, table, key);
	return e != NULL ? ((const struct leat_cell *)leat_entry_data(e))->block.clone : NULL;
}

void leat_tables_put(struct leat_tables *t, uint32_t table, const struct leat_value *key, const struct leat_value *value)
{
	struct leat_cell *cell;
	size_t n_undo = t->n_undo;
	uint32_t number;

	leat_check(t->is_open && table < t->n && t->table[table].kind == LEAT_TABLE_VALUE);
	cell = leat_entry_data(leat_entry_open(t, table, key, &number));
	/* On the first touch the log holds the old value (T3), on later ones it is ours to drop. */
	if (t->n_undo == n_undo)
		leat_tables_discard_block(t, cell->block);
	cell->block.clone = leat_value_clone(value, &cell->block.bytes);
	t->owned += cell->block.bytes;
}

/* ---- any kind ------------------------------------------------------------------------------------------------------- */

void leat_tables_erase(struct leat_tables *t, uint32_t table, const struct leat_value *key)
{
	uint32_t number;

	leat_check(t->is_open && table < t->n);
	number = leat_entry_find(t, table, key, leat_index_tag(leat_key_hash(key)));
	if (number != 0)
		leat_entry_erase(t, table, number);
}

enum { AT_ONCE = 64, PREFETCH_FROM = 2 << 20 };

/* A small table is in the caches anyway, and asking for what is there only costs: measured by bench/tables, 55 ns an event with and
 * without at 20,000 keys (94 bytes each), 125 to 58 at 40,000, 394 to 153 at a million. */
static bool is_large(const struct leat_table *table)
{
	return table->index.bytes + table->pool.bytes >= PREFETCH_FROM;
}

/* In two passes, so that the misses of one key are waited for together with those of the others. */
static void prefetch(const struct leat_table *table, const uint32_t *tag, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		leat_index_expect(&table->index, tag[i]);
		if (table->is_cold)
			leat_index_expect(&table->away, tag[i]);
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t number = leat_index_first(&table->index, tag[i]);

		if (number != 0) {
			const char *e = leat_pool_at(&table->pool, number);

			__builtin_prefetch(e);
			__builtin_prefetch(e + sizeof(struct leat_entry));
		}
	}
}

/* Keys that lie `stride` bytes apart, in those of the tables that are large. Each is hashed once for all of them. */
static void expect(const struct leat_table *table, size_t n_tables, const struct leat_value *key, size_t stride, size_t n)
{
	const char *at = (const char *)key;
	uint32_t tag[AT_ONCE];
	size_t n_large = 0;

	for (size_t i = 0; i < n_tables; i++)
		n_large += is_large(&table[i]);
	for (size_t done = 0; done < n && n_large > 0; done += AT_ONCE) {
		size_t some = n - done < AT_ONCE ? n - done : AT_ONCE;

		for (size_t i = 0; i < some; i++, at += stride)
			tag[i] = leat_index_tag(leat_key_hash((const void *)at));
		for (size_t i = 0; i < n_tables; i++)
			if (is_large(&table[i]))
				prefetch(&table[i], tag, some);
	}
}

void leat_tables_expect(struct leat_tables *t, uint32_t table, const struct leat_value *key, size_t n)
{
	expect(&t->table[table], 1, key, sizeof *key, n);
}

void leat_tables_prefetch(struct leat_tables *t, const struct leat_record *record, size_t n)
{
	expect(t->table, t->n, &record->key, sizeof *record, n);
}

size_t leat_tables_entries(const struct leat_tables *t)
{
	size_t entries = 0;

	for (size_t i = 0; i < t->n; i++)
		entries += t->table[i].index.n;
	return entries;
}

size_t leat_tables_bytes(const struct leat_tables *t)
{
	size_t bytes = t->owned + t->undo_capacity * sizeof *t->undo + t->images.capacity + t->changes.bytes.capacity + t->row.capacity;

	for (size_t i = 0; i < t->n; i++) {
		bytes += t->table[i].index.bytes + t->table[i].away.bytes + t->table[i].pool.bytes;
		bytes += t->table[i].dirty_capacity * sizeof *t->table[i].dirty;
	}
	return bytes;
}
