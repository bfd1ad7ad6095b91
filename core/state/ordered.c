/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ordered tables: per key a sorted array. Appending is cheap, and so is erasing from the front (it moves `start`), which is
 * how windows use it; a change in the middle moves what is behind it.
 *
 * The tricky part is T1: a scan hands out the array itself. Whoever wants to write into slots that were handed out in this
 * event works on a copy of the array instead, and the old one becomes rubbish.
 */
#include "base/check.h"
#include "base/memory.h"
#include "state/table.h"

enum { FEWEST = 4, SLACK = 8 };

static size_t run_bytes(size_t capacity)
{
	return capacity * (sizeof(struct leat_ordered_entry) + sizeof(struct leat_block));
}

static bool is_lent(const struct leat_tables *t, const struct leat_run *run)
{
	return run->lent == t->event && run->lent_until > 0;
}

static bool is_before(const struct leat_ordered_entry *item, int64_t order, int64_t sequence)
{
	return item->order < order || (item->order == order && item->sequence < sequence);
}

/* The first position that is not before (order, sequence). Mostly it is at one of the ends, or not far from it: the steps from both
 * are doubled before the rest is halved (Bentley, Yao: An almost optimal algorithm for unbounded searching, 1976). */
static size_t find_position(const struct leat_run *run, int64_t order, int64_t sequence)
{
	const struct leat_ordered_entry *item = run->item + run->start;
	size_t before = 0, behind = run->n - 1; /* where one is that is before it, and one that is not */

	/* Neither end is looked at without need: in a long run it is not in the caches. */
	if (run->n == 0 || (order == INT64_MIN && sequence == INT64_MIN))
		return 0;
	if (is_before(&item[run->n - 1], order, sequence))
		return run->n;
	if (!is_before(&item[0], order, sequence))
		return 0;
	for (size_t step = 1; behind - before > 2 * step; step *= 2) {
		if (!is_before(&item[before + step], order, sequence)) {
			behind = before + step;
			break;
		}
		before += step;
		if (is_before(&item[behind - step], order, sequence)) {
			before = behind - step;
			break;
		}
		behind -= step;
	}
	while (behind - before > 1) {
		size_t middle = before + (behind - before) / 2;

		if (is_before(&item[middle], order, sequence))
			before = middle;
		else
			behind = middle;
	}
	return behind;
}

static bool is_at(const struct leat_run *run, size_t position, int64_t order, int64_t sequence)
{
	const struct leat_ordered_entry *item = run->item + run->start + position;

	return position < run->n && item->order == order && item->sequence == sequence;
}

/* Into arrays of another capacity, both in one piece. */
static void move_run(struct leat_tables *t, struct leat_run *run, size_t capacity)
{
	struct leat_ordered_entry *item = leat_allocate_bytes(run_bytes(capacity));
	struct leat_block *block = (struct leat_block *)(item + capacity);

	if (run->n > 0) {
		memcpy(item, run->item + run->start, run->n * sizeof *item);
		memcpy(block, run->block + run->start, run->n * sizeof *block);
	}
	if (is_lent(t, run))
		leat_tables_discard(t, run->item);
	else
		free(run->item);
	t->owned = t->owned - run_bytes(run->capacity) + run_bytes(capacity);
	run->item = item;
	run->block = block;
	run->start = 0;
	run->capacity = capacity;
	run->lent_until = 0;
}

/* Before writing to slots from this position on. */
static void detach(struct leat_tables *t, struct leat_run *run, size_t position)
{
	if (is_lent(t, run) && run->start + position < run->lent_until)
		move_run(t, run, run->capacity);
}

static void make_room(struct leat_tables *t, struct leat_run *run, size_t n)
{
	size_t capacity = run->capacity < FEWEST ? FEWEST : run->capacity;

	if (run->capacity - run->start - run->n >= n)
		return;
	/* At least as many were erased from the front as are moved now, so an item is moved once on average. */
	if (!is_lent(t, run) && run->start >= run->n && run->capacity - run->n >= n) {
		memmove(run->item, run->item + run->start, run->n * sizeof *run->item);
		memmove(run->block, run->block + run->start, run->n * sizeof *run->block);
		run->start = 0;
		return;
	}
	while (capacity < run->n + n || capacity < run->n + run->n / 2)
		capacity *= 2;
	move_run(t, run, capacity);
}

/* Opens a gap of n slots. */
static void open_gap(struct leat_tables *t, struct leat_run *run, size_t position, size_t n)
{
	size_t at;

	make_room(t, run, n);
	detach(t, run, position);
	at = run->start + position;
	memmove(run->item + at + n, run->item + at, (run->n - position) * sizeof *run->item);
	memmove(run->block + at + n, run->block + at, (run->n - position) * sizeof *run->block);
	run->n += n;
}

static void close_gap(struct leat_tables *t, struct leat_run *run, size_t position, size_t n)
{
	size_t behind = run->n - position - n;

	if (position == 0) {
		run->start += n;
	} else if (behind > 0) {
		size_t at;

		detach(t, run, position);
		at = run->start + position;
		memmove(run->item + at, run->item + at + n, behind * sizeof *run->item);
		memmove(run->block + at, run->block + at + n, behind * sizeof *run->block);
	}
	run->n -= n;
	if (run->capacity > 64 && run->n < run->capacity / SLACK)
		move_run(t, run, run->capacity / 4);
}

static void set_item(struct leat_run *run, size_t position, const struct leat_piece *piece)
{
	run->item[run->start + position] = piece->item;
	run->block[run->start + position] = piece->block;
}

static struct leat_piece piece_at(const struct leat_run *run, size_t position)
{
	return (struct leat_piece){ .item = run->item[run->start + position], .block = run->block[run->start + position] };
}

/* ---- for the host's context ----------------------------------------------------------------------------------------- */

static struct leat_piece copy_entry(struct leat_tables *t, const struct leat_ordered_entry *entry)
{
	struct leat_piece piece = { .item = *entry };

	if (entry->value.type == LEAT_TEXT || entry->value.type == LEAT_BYTES || !leat_key_is_inline(&entry->value)) {
		piece.block.clone = leat_value_clone(&entry->value, &piece.block.bytes);
		piece.item.value = *piece.block.clone;
		t->owned += piece.block.bytes;
	}
	return piece;
}

static void check_table(const struct leat_tables *t, uint32_t table)
{
	leat_check(table < t->n && t->table[table].kind == LEAT_TABLE_ORDERED);
}

void leat_tables_ordered_put(struct leat_tables *t, uint32_t table, const struct leat_value *key,
                             const struct leat_ordered_entry *entry)
{
	struct leat_piece piece;
	struct leat_piece before;
	struct leat_run *run;
	struct leat_undo *undo;
	uint32_t number;
	size_t position;

	check_table(t, table);
	leat_check(t->is_open);
	run = leat_entry_data(leat_entry_open(t, table, key, &number));
	piece = copy_entry(t, entry);
	position = find_position(run, entry->order, entry->sequence);
	if (is_at(run, position, entry->order, entry->sequence)) {
		before = piece_at(run, position);
		undo = leat_undo_add(t, LEAT_UNDO_REPLACED, table, number);
		memcpy(leat_undo_image(t, undo, sizeof before), &before, sizeof before);
		t->n_settle++;
		detach(t, run, position);
	} else {
		undo = leat_undo_add(t, LEAT_UNDO_PUT, table, number);
		memcpy(leat_undo_image(t, undo, sizeof piece), &piece, sizeof piece);
		t->n_settle += t->is_tracked;
		open_gap(t, run, position, 1);
	}
	set_item(run, position, &piece);
}

/* How many; what they were is in *image, until the next change. */
static size_t remove_range(struct leat_tables *t, uint32_t table, const struct leat_value *key, int64_t from, int64_t until,
                           enum leat_undo_kind kind, struct leat_piece **image)
{
	struct leat_entry *e;
	struct leat_run *run;
	struct leat_undo *undo;
	uint32_t number;
	size_t first, n;

	check_table(t, table);
	leat_check(t->is_open);
	e = from < until ? leat_entry_open_old(t, table, key, &number) : NULL;
	if (e == NULL)
		return 0;
	run = leat_entry_data(e);
	first = find_position(run, from, INT64_MIN);
	n = find_position(run, until, INT64_MIN) - first;
	if (n > 0) {
		undo = leat_undo_add(t, kind, table, number);
		undo->n = n;
		t->n_settle++;
		*image = leat_undo_image(t, undo, n * sizeof **image);
		for (size_t i = 0; i < n; i++)
			(*image)[i] = piece_at(run, first + i);
		close_gap(t, run, first, n);
	}
	if (run->n == 0)
		leat_entry_erase(t, table, number);
	return n;
}

void leat_tables_ordered_erase(struct leat_tables *t, uint32_t table, const struct leat_value *key, int64_t from, int64_t until)
{
	struct leat_piece *image;

	(void)remove_range(t, table, key, from, until, LEAT_UNDO_REMOVED, &image);
}

size_t leat_tables_ordered_take(struct leat_tables *t, uint32_t table, const struct leat_value *key, int64_t from, int64_t until,
                                struct leat_arena *arena, const struct leat_ordered_entry **entries)
{
	struct leat_piece *image;
	size_t n = remove_range(t, table, key, from, until, LEAT_UNDO_TAKEN, &image);
	struct leat_ordered_entry *taken;

	*entries = NULL;
	if (n == 0)
		return 0;
	taken = leat_arena_allocate(arena, n * sizeof *taken);
	for (size_t i = 0; i < n; i++)
		taken[i] = image[i].item;
	t->taker = arena;
	*entries = taken;
	return n;
}

size_t leat_tables_ordered_scan(struct leat_tables *t, uint32_t table, const struct leat_value *key, int64_t from, int64_t until,
                                const struct leat_ordered_entry **entries)
{
	struct leat_entry *e;
	struct leat_run *run;
	size_t first, end;

	check_table(t, table);
	*entries = NULL;
	e = leat_entry_read(t, table, key);
	if (e == NULL || from >= until)
		return 0;
	run = leat_entry_data(e);
	first = find_position(run, from, INT64_MIN);
	end = find_position(run, until, INT64_MIN);
	if (first == end)
		return 0;
	if (!is_lent(t, run) || run->lent_until < run->start + end)
		run->lent_until = run->start + end;
	run->lent = t->event;
	*entries = run->item + run->start + first;
	return end - first;
}

/* What the value points to stays until the next begin, as all old values do (T1); so the slot need not. */
bool leat_tables_ordered_last(struct leat_tables *t, uint32_t table, const struct leat_value *key, int64_t from, int64_t until,
                              struct leat_ordered_entry *entry)
{
	struct leat_entry *e;
	const struct leat_run *run;
	size_t end;

	check_table(t, table);
	e = leat_entry_read(t, table, key);
	if (e == NULL || from >= until)
		return false;
	run = leat_entry_data(e);
	end = find_position(run, until, INT64_MIN);
	if (end == 0 || run->item[run->start + end - 1].order < from)
		return false;
	*entry = run->item[run->start + end - 1];
	return true;
}

const struct leat_ordered_entry *leat_run_find(const struct leat_run *run, int64_t order, int64_t sequence)
{
	size_t position = find_position(run, order, sequence);

	return is_at(run, position, order, sequence) ? run->item + run->start + position : NULL;
}

bool leat_run_add(struct leat_tables *t, struct leat_run *run, const struct leat_ordered_entry *entry)
{
	size_t position = find_position(run, entry->order, entry->sequence);
	struct leat_piece piece;

	if (is_at(run, position, entry->order, entry->sequence))
		return false;
	piece = copy_entry(t, entry);
	open_gap(t, run, position, 1);
	set_item(run, position, &piece);
	return true;
}

/* ---- undo ---------------------------------------------------------------------------------------------------------- */

void leat_run_undo_put(struct leat_tables *t, struct leat_run *run, const struct leat_piece *piece)
{
	size_t position = find_position(run, piece->item.order, piece->item.sequence);

	leat_check(is_at(run, position, piece->item.order, piece->item.sequence));
	leat_tables_discard_block(t, piece->block);
	close_gap(t, run, position, 1);
}

void leat_run_undo_replace(struct leat_tables *t, struct leat_run *run, const struct leat_piece *piece)
{
	size_t position = find_position(run, piece->item.order, piece->item.sequence);

	leat_check(is_at(run, position, piece->item.order, piece->item.sequence));
	leat_tables_discard_block(t, piece_at(run, position).block);
	detach(t, run, position);
	set_item(run, position, piece);
}

void leat_run_undo_remove(struct leat_tables *t, struct leat_run *run, const struct leat_piece *piece, size_t n)
{
	size_t position = find_position(run, piece->item.order, piece->item.sequence);

	open_gap(t, run, position, n);
	for (size_t i = 0; i < n; i++)
		set_item(run, position + i, &piece[i]);
}

void leat_run_finish(struct leat_tables *t, struct leat_run *run)
{
	for (size_t i = 0; i < run->n; i++) {
		t->owned -= run->block[run->start + i].bytes;
		free(run->block[run->start + i].clone);
	}
	t->owned -= run_bytes(run->capacity);
	free(run->item);
}
