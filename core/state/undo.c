/* SPDX-License-Identifier: Apache-2.0 */
/* The log of the event in hand. Its memory is kept from event to event, unless one event made it large. */
#include "base/bug.h"
#include "base/check.h"
#include "base/memory.h"
#include "state/table.h"

static void *image_of(const struct leat_tables *t, const struct leat_undo *undo)
{
	return t->images.data + undo->image;
}

void leat_tables_discard(struct leat_tables *t, void *memory)
{
	if (memory == NULL)
		return;
	t->rubbish = leat_grow(t->rubbish, t->n_rubbish, &t->rubbish_capacity, sizeof *t->rubbish);
	t->rubbish[t->n_rubbish++] = memory;
}

void leat_tables_discard_block(struct leat_tables *t, struct leat_block block)
{
	t->owned -= block.bytes;
	leat_tables_discard(t, block.clone);
}

void leat_tables_release(struct leat_tables *t, uint32_t table, uint32_t number)
{
	t->released = leat_grow(t->released, t->n_released, &t->released_capacity, sizeof *t->released);
	t->released[t->n_released++] = (struct leat_released){ .table = table, .number = number };
}

static void clear_log(struct leat_tables *t)
{
	t->n_undo = 0;
	t->n_settle = 0;
	t->images.n = 0;
	if (t->images.capacity > LEAT_UNDO_KEPT)
		leat_buffer_finish(&t->images);
}

/* ---- commit: what the log held on to is no longer needed ------------------------------------------------------------ */

static void hand_over(struct leat_tables *t, struct leat_block block)
{
	if (block.clone == NULL)
		return;
	t->owned -= block.bytes;
	leat_arena_adopt(t->taker, block.clone, block.bytes);
}

static void settle(struct leat_tables *t, const struct leat_undo *undo)
{
	const struct leat_table *tab = &t->table[undo->table];
	const struct leat_piece *piece;

	if (t->is_tracked)
		leat_track_settled(t, undo, image_of(t, undo));
	switch ((enum leat_undo_kind)undo->kind) {
	case LEAT_UNDO_TOUCHED:
		if (tab->kind == LEAT_TABLE_VALUE)
			leat_tables_discard_block(t, ((const struct leat_cell *)image_of(t, undo))->block);
		break;
	case LEAT_UNDO_ERASED:
		leat_tables_release(t, undo->table, undo->number);
		break;
	case LEAT_UNDO_REPLACED:
	case LEAT_UNDO_REMOVED:
		piece = image_of(t, undo);
		for (size_t i = 0; i < undo->n; i++)
			leat_tables_discard_block(t, piece[i].block);
		break;
	case LEAT_UNDO_TAKEN:
		piece = image_of(t, undo);
		for (size_t i = 0; i < undo->n; i++)
			hand_over(t, piece[i].block);
		break;
	case LEAT_UNDO_CREATED:
	case LEAT_UNDO_PUT:
		break;
	}
}

void leat_undo_settle(struct leat_tables *t)
{
	for (size_t i = 0; t->n_settle > 0 && i < t->n_undo; i++)
		settle(t, &t->undo[i]);
	clear_log(t);
}

/* ---- abort -------------------------------------------------------------------------------------------------------- */

static void restore(struct leat_tables *t, struct leat_table *tab, struct leat_entry *e, const struct leat_undo *undo)
{
	if (tab->kind == LEAT_TABLE_FIXED && LEAT_BUG("undo-not-applied"))
		return;
	e->changed_us = undo->changed_us;
	if (tab->kind == LEAT_TABLE_VALUE)
		leat_tables_discard_block(t, ((struct leat_cell *)leat_entry_data(e))->block);
	if (tab->kind != LEAT_TABLE_ORDERED)
		memcpy(leat_entry_data(e), image_of(t, undo), tab->size);
}

static void take_back(struct leat_tables *t, const struct leat_undo *undo)
{
	struct leat_table *tab = &t->table[undo->table];
	struct leat_entry *e = leat_table_entry(tab, undo->number);

	switch ((enum leat_undo_kind)undo->kind) {
	case LEAT_UNDO_CREATED:
		leat_index_remove(&tab->index, e->tag, undo->number);
		e->is_live = 0;
		leat_tables_release(t, undo->table, undo->number);
		break;
	case LEAT_UNDO_TOUCHED:
		restore(t, tab, e, undo);
		break;
	case LEAT_UNDO_ERASED:
		leat_index_insert(&tab->index, e->tag, undo->number);
		e->is_live = 1;
		break;
	case LEAT_UNDO_PUT:
		leat_run_undo_put(t, leat_entry_data(e), image_of(t, undo));
		break;
	case LEAT_UNDO_REPLACED:
		leat_run_undo_replace(t, leat_entry_data(e), image_of(t, undo));
		break;
	case LEAT_UNDO_REMOVED:
	case LEAT_UNDO_TAKEN:
		leat_run_undo_remove(t, leat_entry_data(e), image_of(t, undo), undo->n);
		break;
	}
}

void leat_undo_all(struct leat_tables *t)
{
	/* T3 */
	for (size_t i = t->n_undo; i-- > 0;)
		take_back(t, &t->undo[i]);
	clear_log(t);
}
