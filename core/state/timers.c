/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers: a binary heap per clock, and an index by what a timer is (clock, due, key, tag), for setting twice and for
 * cancelling. The heap holds what is compared; the rest stands in a pool.
 *
 * M1  A live timer is in its heap at ->position and in the index; others are in neither.
 * M2  A timer that was cancelled in the event in hand keeps its item until commit, for abort.
 * M3  As T4 and T5 in table.h: an item's number is in `dirty`, once, if and only if it is marked so, in use or not; a timer
 *     may have a row in the store only if it is_stored, and the erase of one that is gone is among the changes.
 */
#include "state/timers.h"

#include "base/bug.h"
#include "base/check.h"
#include "base/memory.h"
#include "data/pack.h"
#include "state/index.h"
#include "state/key.h"
#include "state/pool.h"
#include "state/rows.h"

enum { CLOCKS = 3 };

enum state { FREE = 0, LIVE, CANCELLED, POPPED };

struct item {
	uint32_t hash; /* tag in the index; the pool's while it is free */
	uint32_t position;
	uint64_t sequence;
	int64_t due_us;
	int64_t tag;
	uint8_t clock;
	uint8_t state;
	uint8_t is_dirty; /* M3; not touched when the number is taken again */
	uint8_t is_stored;
	struct leat_key key;
};

struct node {
	int64_t due_us;
	uint64_t sequence;
	uint32_t number;
};

struct heap {
	struct node *node;
	size_t n;
	size_t capacity;
};

struct undo {
	bool is_set; /* else cancelled */
	uint32_t number;
};

struct leat_timers {
	struct heap heap[CLOCKS];
	struct leat_index index;
	struct leat_pool pool;
	uint64_t sequence;
	bool is_open;
	uint32_t popped; /* its key is handed out */
	struct undo *undo;
	size_t n_undo;
	size_t undo_capacity;
	uint8_t is_tracked; /* compared with an item's is_dirty, which is 0 until it is 1 */
	uint32_t *dirty;
	size_t n_dirty;
	size_t dirty_capacity;
	struct leat_delta changes; /* erased */
	struct leat_buffer row;    /* being made */
};

static struct item *item_of(const struct leat_timers *timers, uint32_t number)
{
	return leat_pool_at(&timers->pool, number);
}

/* ---- heap ----------------------------------------------------------------------------------------------------------- */

static bool is_before(const struct node *a, const struct node *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->sequence < b->sequence;
}

static void set_node(const struct leat_timers *timers, struct heap *heap, size_t i, struct node node)
{
	heap->node[i] = node;
	item_of(timers, node.number)->position = (uint32_t)i;
}

static void sift_up(const struct leat_timers *timers, struct heap *heap, size_t i, struct node node)
{
	while (i > 0 && is_before(&node, &heap->node[(i - 1) / 2])) {
		set_node(timers, heap, i, heap->node[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	set_node(timers, heap, i, node);
}

static void sift_down(const struct leat_timers *timers, struct heap *heap, size_t i, struct node node)
{
	for (size_t child = 2 * i + 1; child < heap->n; child = 2 * i + 1) {
		if (child + 1 < heap->n && is_before(&heap->node[child + 1], &heap->node[child]))
			child++;
		if (!is_before(&heap->node[child], &node))
			break;
		set_node(timers, heap, i, heap->node[child]);
		i = child;
	}
	set_node(timers, heap, i, node);
}

static void remove_node(const struct leat_timers *timers, struct heap *heap, size_t i)
{
	struct node last = heap->node[--heap->n];

	if (i == heap->n)
		return;
	if (i > 0 && is_before(&last, &heap->node[(i - 1) / 2]))
		sift_up(timers, heap, i, last);
	else
		sift_down(timers, heap, i, last);
}

/* ---- items ---------------------------------------------------------------------------------------------------------- */

static uint32_t hash_timer(const struct leat_timer *timer)
{
	uint64_t h = leat_key_hash(&timer->key);

	h = (h ^ (uint64_t)timer->due_us) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ (h >> 33) ^ (uint64_t)timer->tag) * UINT64_C(0xc4ceb9fe1a85ec53);
	return leat_index_tag(h ^ (h >> 33) ^ (uint64_t)timer->clock);
}

static uint32_t find(const struct leat_timers *timers, const struct leat_timer *timer, uint32_t hash)
{
	for (struct leat_probe p = leat_index_probe(&timers->index, hash); p.slot[p.i].number != 0; leat_probe_next(&p)) {
		const struct item *item;

		if (p.slot[p.i].tag != hash)
			continue;
		item = item_of(timers, p.slot[p.i].number);
		if (item->due_us == timer->due_us && item->tag == timer->tag && item->clock == (uint8_t)timer->clock &&
		    leat_key_equals(&item->key, &timer->key))
			return p.slot[p.i].number;
	}
	return 0;
}

/* M1 */
static void put_in(struct leat_timers *timers, uint32_t number)
{
	struct item *item = item_of(timers, number);
	struct heap *heap = &timers->heap[item->clock];
	struct node node = { .due_us = item->due_us, .sequence = item->sequence, .number = number };

	item->state = LIVE;
	leat_index_insert(&timers->index, item->hash, number);
	heap->node = leat_grow(heap->node, heap->n, &heap->capacity, sizeof *heap->node);
	sift_up(timers, heap, heap->n++, node);
}

static void take_out(struct leat_timers *timers, uint32_t number, enum state state)
{
	struct item *item = item_of(timers, number);

	leat_index_remove(&timers->index, item->hash, number);
	remove_node(timers, &timers->heap[item->clock], item->position);
	item->state = (uint8_t)state;
}

static void give_back(struct leat_timers *timers, uint32_t number)
{
	struct item *item = item_of(timers, number);

	leat_key_finish(&item->key);
	item->state = FREE;
	leat_pool_give(&timers->pool, number);
}

static void note(struct leat_timers *timers, bool is_set, uint32_t number)
{
	timers->undo = leat_grow(timers->undo, timers->n_undo, &timers->undo_capacity, sizeof *timers->undo);
	timers->undo[timers->n_undo++] = (struct undo){ .is_set = is_set, .number = number };
}

/* ---- checkpoints ---------------------------------------------------------------------------------------------------- */

static void begin_row(struct leat_timers *timers, const struct item *item)
{
	timers->row.n = 0;
	leat_buffer_byte(&timers->row, (char)item->clock);
	leat_row_sortable(&timers->row, item->due_us);
	leat_row_sortable(&timers->row, item->tag);
	leat_pack_value(&item->key.value, &timers->row);
}

static void add_op(const struct leat_timers *timers, struct leat_delta *delta, enum leat_delta_kind kind, bool is_new, size_t key_n)
{
	leat_delta_add(delta, &(struct leat_delta_op){ .kind = kind,
	                                               .is_new = is_new,
	                                               .table = LEAT_DELTA_TIMERS,
	                                               .key = timers->row.data,
	                                               .key_n = key_n,
	                                               .value = timers->row.data + key_n,
	                                               .value_n = timers->row.n - key_n });
}

static void mark_dirty(struct leat_timers *timers, uint32_t number)
{
	timers->dirty = leat_grow(timers->dirty, timers->n_dirty, &timers->dirty_capacity, sizeof *timers->dirty);
	timers->dirty[timers->n_dirty++] = number;
	item_of(timers, number)->is_dirty = 1;
}

/* It was popped, or cancelled for good. */
static void note_gone(struct leat_timers *timers, uint32_t number)
{
	const struct item *item = item_of(timers, number);

	if (!timers->is_tracked || !item->is_stored)
		return;
	begin_row(timers, item);
	add_op(timers, &timers->changes, LEAT_DELTA_ERASE, false, timers->row.n);
}

void leat_timers_track(struct leat_timers *timers)
{
	leat_check(!timers->is_open);
	timers->is_tracked = 1;
}

void leat_timers_take(struct leat_timers *timers, struct leat_delta *out)
{
	leat_check(!timers->is_open);
	/* Erased first: one that was set again is put behind that. */
	leat_delta_append(out, &timers->changes);
	leat_delta_clear(&timers->changes);
	for (size_t i = 0; i < timers->n_dirty; i++) {
		struct item *item = item_of(timers, timers->dirty[i]);
		size_t key_n;

		item->is_dirty = 0;
		if (item->state != LIVE)
			continue;
		begin_row(timers, item);
		key_n = timers->row.n;
		leat_row_number(&timers->row, item->sequence);
		add_op(timers, out, LEAT_DELTA_PUT, !item->is_stored, key_n);
		item->is_stored = 1;
	}
	timers->n_dirty = 0;
}

/* ---- for the host's context ----------------------------------------------------------------------------------------- */

struct leat_timers *leat_timers_create(void)
{
	struct leat_timers *timers = leat_allocate_zeroed(1, sizeof *timers);

	leat_index_init(&timers->index);
	leat_pool_init(&timers->pool, sizeof(struct item));
	return timers;
}

void leat_timers_destroy(struct leat_timers *timers)
{
	if (timers == NULL)
		return;
	for (uint32_t number = 1; number < timers->pool.n_used; number++)
		if (item_of(timers, number)->state != FREE)
			leat_key_finish(&item_of(timers, number)->key);
	for (size_t i = 0; i < CLOCKS; i++)
		free(timers->heap[i].node);
	leat_index_finish(&timers->index);
	leat_pool_finish(&timers->pool);
	free(timers->undo);
	free(timers->dirty);
	leat_delta_finish(&timers->changes);
	leat_buffer_finish(&timers->row);
	free(timers);
}

void leat_timers_begin(struct leat_timers *timers)
{
	leat_check(!timers->is_open);
	timers->is_open = true;
}

void leat_timers_commit(struct leat_timers *timers)
{
	leat_check(timers->is_open);
	timers->is_open = false;
	for (size_t i = 0; i < timers->n_undo; i++) {
		if (timers->undo[i].is_set)
			continue;
		note_gone(timers, timers->undo[i].number);
		give_back(timers, timers->undo[i].number);
	}
	timers->n_undo = 0;
}

void leat_timers_abort(struct leat_timers *timers)
{
	leat_check(timers->is_open);
	timers->is_open = false;
	for (size_t i = timers->n_undo; i-- > 0;) {
		uint32_t number = timers->undo[i].number;

		if (!timers->undo[i].is_set) {
			put_in(timers, number); /* M2 */
		} else if (item_of(timers, number)->state == LIVE && !LEAT_BUG("timer-not-undone")) { /* else it was popped meanwhile, which is not undone */
			take_out(timers, number, CANCELLED);
			give_back(timers, number);
		}
	}
	timers->n_undo = 0;
}

static uint32_t make(struct leat_timers *timers, const struct leat_timer *timer, uint32_t hash, uint64_t sequence)
{
	uint32_t number = leat_pool_take(&timers->pool);
	struct item *item = item_of(timers, number);

	item->hash = hash;
	item->sequence = sequence;
	item->due_us = timer->due_us;
	item->tag = timer->tag;
	item->clock = (uint8_t)timer->clock;
	item->is_stored = 0;
	leat_key_init(&item->key, &timer->key);
	put_in(timers, number);
	return number;
}

void leat_timers_set(struct leat_timers *timers, const struct leat_timer *timer)
{
	uint32_t hash = hash_timer(timer);
	uint32_t number;

	leat_check(timers->is_open && (unsigned)timer->clock < CLOCKS);
	if (find(timers, timer, hash) != 0)
		return;
	number = make(timers, timer, hash, timers->sequence++);
	if (item_of(timers, number)->is_dirty != timers->is_tracked)
		mark_dirty(timers, number);
	note(timers, true, number);
}

void leat_timers_cancel(struct leat_timers *timers, const struct leat_timer *timer)
{
	uint32_t number = find(timers, timer, hash_timer(timer));

	leat_check(timers->is_open);
	if (number == 0)
		return;
	take_out(timers, number, CANCELLED);
	note(timers, false, number);
}

int64_t leat_timers_next(const struct leat_timers *timers, enum leat_clock clock)
{
	const struct heap *heap = &timers->heap[clock];

	return heap->n > 0 ? heap->node[0].due_us : INT64_MAX;
}

/* The heap with the earliest one of those that are due. NULL: none is. */
static const struct heap *find_due(const struct leat_timers *timers, enum leat_clock clock, int64_t now_us)
{
	const struct heap *heap = &timers->heap[clock], *endless = &timers->heap[LEAT_ENDLESS_TIME];

	if (clock == LEAT_EVENT_TIME && now_us != INT64_MAX && endless->n > 0 &&
	    (heap->n == 0 || is_before(&endless->node[0], &heap->node[0])))
		heap = endless;
	return heap->n > 0 && heap->node[0].due_us <= now_us ? heap : NULL;
}

bool leat_timers_is_due(const struct leat_timers *timers, enum leat_clock clock, int64_t now_us)
{
	return find_due(timers, clock, now_us) != NULL;
}

bool leat_timers_pop(struct leat_timers *timers, enum leat_clock clock, int64_t now_us, struct leat_timer *out)
{
	const struct heap *heap = find_due(timers, clock, now_us);
	const struct item *item;

	if (timers->popped != 0)
		give_back(timers, timers->popped);
	timers->popped = 0;
	if (heap == NULL)
		return false;
	timers->popped = heap->node[0].number;
	take_out(timers, timers->popped, POPPED);
	if (!LEAT_BUG("timer-fired-twice"))
		note_gone(timers, timers->popped);
	item = item_of(timers, timers->popped);
	*out = (struct leat_timer){ .clock = (enum leat_clock)item->clock, .due_us = item->due_us, .tag = item->tag, .key = item->key.value };
	return true;
}

size_t leat_timers_count(const struct leat_timers *timers)
{
	return timers->index.n;
}

/* ---- restore -------------------------------------------------------------------------------------------------------- */

enum { KEY_AT = 1 + 2 * LEAT_ROW_NUMBER };

static bool read_timer(struct leat_arena *arena, const struct leat_symbols *symbols, const struct leat_delta_op *put,
                       struct leat_timer *timer)
{
	if (put->kind != LEAT_DELTA_PUT || put->table != LEAT_DELTA_TIMERS || put->key_n < KEY_AT || put->value_n != LEAT_ROW_NUMBER ||
	    (unsigned char)put->key[0] >= CLOCKS)
		return false;
	timer->clock = (enum leat_clock)put->key[0];
	timer->due_us = leat_row_read_sortable(put->key + 1);
	timer->tag = leat_row_read_sortable(put->key + 1 + LEAT_ROW_NUMBER);
	return leat_unpack_value(arena, symbols, put->key + KEY_AT, put->key_n - KEY_AT, &timer->key);
}

/* R4 in rows.h */
static bool is_named_so(struct leat_timers *timers, const struct item *item, const struct leat_delta_op *put)
{
	begin_row(timers, item);
	return timers->row.n == put->key_n && memcmp(timers->row.data, put->key, put->key_n) == 0;
}

static bool restore(struct leat_timers *timers, const struct leat_timer *timer, const struct leat_delta_op *put)
{
	uint64_t sequence = leat_row_read_number(put->value);
	uint32_t hash = hash_timer(timer);
	struct item *item;

	if (find(timers, timer, hash) != 0 || sequence == UINT64_MAX)
		return false;
	item = item_of(timers, make(timers, timer, hash, sequence));
	item->is_stored = 1;
	if (timers->sequence <= sequence)
		timers->sequence = sequence + 1;
	return is_named_so(timers, item, put);
}

bool leat_timers_restore(struct leat_timers *timers, const struct leat_symbols *symbols, const struct leat_delta_op *put)
{
	struct leat_arena *arena = leat_arena_create();
	struct leat_timer timer;
	bool is_good;

	leat_check(!timers->is_open);
	is_good = read_timer(arena, symbols, put, &timer) && restore(timers, &timer, put);
	leat_arena_unref(arena);
	return is_good;
}
