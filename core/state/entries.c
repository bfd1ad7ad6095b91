/* SPDX-License-Identifier: Apache-2.0 */
/* Entries: found, created, erased, expired. The way through leat_entry_open() to an entry that is there is the hot one. */
#include "base/check.h"
#include "base/memory.h"
#include "state/table.h"

static bool has_image(const struct leat_table *table)
{
	return table->kind != LEAT_TABLE_ORDERED;
}

static void touch(struct leat_tables *t, uint32_t table, uint32_t number, struct leat_entry *e)
{
	struct leat_table *tab = &t->table[table];
	struct leat_undo *undo = leat_undo_add(t, LEAT_UNDO_TOUCHED, table, number);

	undo->changed_us = e->changed_us;
	if (has_image(tab))
		memcpy(leat_undo_image(t, undo, tab->size), leat_entry_data(e), tab->size);
	t->n_settle += tab->kind == LEAT_TABLE_VALUE;
	e->event = t->event;
	if (e->is_dirty != t->is_tracked)
		leat_track_dirty(tab, e, number);
}

struct leat_entry *leat_entry_make(struct leat_tables *t, struct leat_table *tab, const char *key, size_t key_n, uint32_t tag,
                                   uint32_t *number)
{
	struct leat_entry *e;

	*number = leat_pool_take(&tab->pool);
	e = leat_table_entry(tab, *number);
	e->event = t->event;
	e->changed_us = t->now_us;
	e->tag = tag;
	e->is_live = 1;
	e->is_stored = 0;
	e->is_warm = 1;
	leat_packed_key_init(&e->key, key, key_n);
	memset(leat_entry_data(e), 0, tab->size);
	t->owned += leat_packed_key_outside(&e->key);
	leat_index_insert(&tab->index, tag, *number);
	return e;
}

static struct leat_entry *create(struct leat_tables *t, uint32_t table, const struct leat_value *key, uint32_t tag,
                                 uint32_t *number)
{
	struct leat_table *tab = &t->table[table];
	struct leat_entry *e;

	t->row.n = 0;
	leat_pack_key(key, &t->row);
	e = leat_entry_make(t, tab, t->row.data, t->row.n, tag, number);
	(void)leat_undo_add(t, LEAT_UNDO_CREATED, table, *number);
	t->n_created++;
	if (e->is_dirty != t->is_tracked)
		leat_track_dirty(tab, e, *number);
	return e;
}

uint32_t leat_entry_find(struct leat_tables *t, uint32_t table, const struct leat_value *key, uint32_t tag)
{
	const struct leat_table *tab = &t->table[table];
	uint32_t number = leat_table_find(tab, key, tag);

	return number == 0 && tab->is_cold ? leat_cold_fetch(t, table, key, tag) : number;
}

static struct leat_entry *reopen(struct leat_tables *t, uint32_t table, uint32_t number, struct leat_entry *e)
{
	if (e->event != t->event)
		touch(t, table, number, e);
	e->changed_us = t->now_us;
	e->is_warm = 1;
	return e;
}

struct leat_entry *leat_entry_open(struct leat_tables *t, uint32_t table, const struct leat_value *key, uint32_t *number)
{
	const struct leat_table *tab = &t->table[table];
	uint32_t tag = leat_index_tag(leat_key_hash(key));
	struct leat_entry *e;

	*number = leat_entry_find(t, table, key, tag);
	if (*number == 0)
		return create(t, table, key, tag, number);
	e = leat_table_entry(tab, *number);
	if (leat_entry_is_expired(t, tab, e)) {
		leat_entry_erase(t, table, *number);
		return create(t, table, key, tag, number);
	}
	return reopen(t, table, *number, e);
}

/* The live one, and its number. */
static inline struct leat_entry *look_up(struct leat_tables *t, uint32_t table, const struct leat_value *key, uint32_t *number)
{
	const struct leat_table *tab = &t->table[table];
	struct leat_entry *e;

	*number = leat_entry_find(t, table, key, leat_index_tag(leat_key_hash(key)));
	if (*number == 0)
		return NULL;
	e = leat_table_entry(tab, *number);
	e->is_warm = 1;
	return leat_entry_is_expired(t, tab, e) ? NULL : e;
}

struct leat_entry *leat_entry_open_old(struct leat_tables *t, uint32_t table, const struct leat_value *key, uint32_t *number)
{
	struct leat_entry *e = look_up(t, table, key, number);

	return e != NULL ? reopen(t, table, *number, e) : NULL;
}

struct leat_entry *leat_entry_read(struct leat_tables *t, uint32_t table, const struct leat_value *key)
{
	uint32_t number;

	return look_up(t, table, key, &number);
}

void leat_entry_erase(struct leat_tables *t, uint32_t table, uint32_t number)
{
	struct leat_table *tab = &t->table[table];
	struct leat_entry *e = leat_table_entry(tab, number);

	/* T2 */
	leat_index_remove(&tab->index, e->tag, number);
	e->is_live = 0;
	leat_cold_bury(t, tab, e);
	(void)leat_undo_add(t, LEAT_UNDO_ERASED, table, number);
	t->n_settle++;
}

/* ---- between events ----------------------------------------------------------------------------------------------- */

static void free_data(struct leat_tables *t, const struct leat_table *tab, struct leat_entry *e)
{
	if (tab->kind == LEAT_TABLE_VALUE) {
		struct leat_cell *cell = leat_entry_data(e);

		t->owned -= cell->block.bytes;
		free(cell->block.clone);
	} else if (tab->kind == LEAT_TABLE_ORDERED) {
		leat_run_finish(t, leat_entry_data(e));
	}
	t->owned -= leat_packed_key_outside(&e->key);
	leat_packed_key_finish(&e->key);
}

static void free_entry(struct leat_tables *t, struct leat_table *tab, uint32_t number)
{
	free_data(t, tab, leat_table_entry(tab, number));
	leat_pool_give(&tab->pool, number);
}

void leat_entry_drop(struct leat_tables *t, struct leat_table *tab, uint32_t number)
{
	struct leat_entry *e = leat_table_entry(tab, number);

	leat_index_remove(&tab->index, e->tag, number);
	e->is_live = 0;
	free_entry(t, tab, number);
}

/* False: it has not expired. */
static bool drop_expired(struct leat_tables *t, struct leat_table *tab, uint32_t number)
{
	struct leat_entry *e = leat_table_entry(tab, number);

	if (!e->is_live || !leat_entry_is_expired(t, tab, e))
		return false;
	leat_track_dead(t, (uint32_t)(tab - t->table), e);
	leat_cold_bury(t, tab, e);
	leat_entry_drop(t, tab, number);
	return true;
}

static void sweep(struct leat_tables *t, struct leat_table *tab)
{
	for (size_t looks = leat_table_looks(t, tab); looks > 0 && tab->index.n > 0; looks--)
		(void)drop_expired(t, tab, leat_table_next(tab, &tab->cursor));
}

bool leat_tables_expire(struct leat_tables *t, uint32_t table, int64_t now_us, uint32_t *number, size_t looks, size_t *n_gone)
{
	struct leat_table *tab = &t->table[table];

	leat_check(!t->is_open && table < t->n);
	leat_tables_tell_time(t, now_us);
	t->event++; /* the last one may be settled, and with it what is buried in it */
	for (*number = *number == 0 ? 1 : *number; looks > 0 && *number < tab->pool.n_used; looks--)
		*n_gone += drop_expired(t, tab, (*number)++);
	leat_cold_measure(t);
	return *number < tab->pool.n_used;
}

void leat_entries_clear(struct leat_tables *t)
{
	for (size_t i = 0; i < t->n_released; i++)
		free_entry(t, &t->table[t->released[i].table], t->released[i].number);
	t->n_released = 0;
	for (size_t i = 0; i < t->n_rubbish; i++)
		free(t->rubbish[i]);
	t->n_rubbish = 0;
	for (size_t i = 0; t->has_ttl && i < t->n; i++)
		if (t->table[i].ttl_us > 0)
			sweep(t, &t->table[i]);
	if (t->cold != NULL && t->cold->is_over)
		leat_cold_evict(t);
	t->n_created = 0;
}

void leat_entries_finish(struct leat_tables *t)
{
	t->has_ttl = false;
	leat_cold_finish(t);
	leat_entries_clear(t);
	for (size_t i = 0; i < t->n; i++) {
		struct leat_table *tab = &t->table[i];

		for (uint32_t number = 1; number < tab->pool.n_used; number++) {
			struct leat_entry *e = leat_table_entry(tab, number);

			if (e->is_live)
				free_data(t, tab, e);
		}
		leat_index_finish(&tab->index);
		leat_pool_finish(&tab->pool);
		free(tab->dirty);
	}
	leat_check(t->owned == 0);
}
