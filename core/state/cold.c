/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State that is larger than memory: which entries may leave it, because the store has them too, and which are in the store only.
 *
 * C1  What is not in the index is in the store as the store says, or nowhere: an entry leaves memory only when its row has been
 *     written since its last change, and the row of one that was erased is not read before its erase has been (graves.h).
 * C2  Rows are looked for in files only, which they get into long after they were durable: so entries leave, and graves are let
 *     go, when theirs are settled there.
 * C3  While rows are loaded as they were before the first event, nothing leaves: what is in memory, or in a grave, is newer.
 * C4  So a row that is looked at between two events, of a key that is neither in memory nor in a grave, is that key's newest. If it
 *     has expired it may be erased unseen, without a grave: who reads it until the erase is settled finds what has expired, which
 *     is as good as nothing, and the rows of a new entry stand among the changes behind the erase.
 * C5  Most keys that nobody knows are new, and to find that out in files costs more than the event. So once all rows were seen, `away`
 *     has the tag of each key that is in the store only, at least once for each of them. What is there without need, because a key left
 *     memory before its row was seen, or has expired unseen, costs a look; when there is much of it all rows are seen again. Where it
 *     takes too much it is given up for good.
 *
 * Who leaves is found by a clock: a hand goes round the numbers, and what was used since it came by last stays once more.
 */
#include "base/bug.h"
#include "base/check.h"
#include "state/table.h"

enum {
	/* By how much, at most, this instance's use has to change before the others are told; a share of a small budget. */
	TELL_BYTES = 64 * 1024,
	TELL_SHARE = 256,
	AWAY_SHARE = 4,    /* of the memory, at most, may be taken by what is known of the store */
	STALE_LEAST = 1000 /* of it may be out of date, and as much as is not */
};

void leat_tables_put_over(struct leat_tables *t, const struct leat_below *below, struct leat_memory *memory)
{
	leat_check(!t->is_open && t->cold == NULL);
	t->cold = leat_allocate_zeroed(1, sizeof *t->cold);
	t->cold->below = *below;
	t->cold->memory = memory;
	t->cold->phase = LEAT_COLD_LOADING;
	atomic_fetch_add(&memory->n_users, 1);
	for (size_t i = 0; i < t->n; i++) {
		leat_graves_init(&t->table[i].graves);
		leat_index_init(&t->table[i].away);
		t->table[i].is_cold = true;
	}
}

void leat_cold_finish(struct leat_tables *t)
{
	if (t->cold == NULL)
		return;
	atomic_fetch_sub(&t->cold->memory->used, t->cold->told);
	atomic_fetch_sub(&t->cold->memory->away, t->cold->told_away);
	atomic_fetch_sub(&t->cold->memory->n_users, 1);
	for (size_t i = 0; i < t->n; i++) {
		leat_graves_finish(&t->table[i].graves);
		leat_index_finish(&t->table[i].away);
	}
	free(t->cold);
	t->cold = NULL;
}

/* ---- what was erased --------------------------------------------------------------------------------------------- */

void leat_cold_bury(struct leat_tables *t, struct leat_table *tab, struct leat_entry *e)
{
	e->event = t->event; /* so that it stays, if the event is aborted, as long as its grave does */
	if (t->cold != NULL && e->is_stored)
		leat_graves_bury(&tab->graves, &e->key, e->tag, t->event);
}

/* As far as entries may leave, or a newer one with the key could, and would be taken for erased. */
static void release_graves(struct leat_tables *t)
{
	for (size_t i = 0; i < t->n && t->cold->phase != LEAT_COLD_LOADING; i++) /* C3 */
		leat_graves_release(&t->table[i].graves, t->cold->settled_event);
}

/* ---- what is in the store only: C5 ----------------------------------------------------------------------------------- */

static void tell_away(struct leat_tables *t)
{
	size_t bytes = 0;

	for (size_t i = 0; i < t->n; i++)
		bytes += t->table[i].away.bytes;
	if (bytes != t->cold->told_away)
		atomic_fetch_add(&t->cold->memory->away, bytes - t->cold->told_away);
	t->cold->told_away = bytes;
}

/* Some instance has more than its share then, and that one gives it up. */
static bool takes_too_much(const struct leat_cold *cold)
{
	size_t most = cold->memory->limit / AWAY_SHARE;

	return atomic_load_explicit(&cold->memory->away, memory_order_relaxed) > most &&
	       cold->told_away > most / atomic_load(&cold->memory->n_users);
}

static void clear_away(struct leat_tables *t)
{
	for (size_t i = 0; i < t->n; i++) {
		leat_index_finish(&t->table[i].away);
		leat_index_init(&t->table[i].away);
	}
	t->cold->n_stale = 0;
	tell_away(t);
}

static void forget_away(struct leat_tables *t)
{
	t->cold->phase = LEAT_COLD_UNKNOWN;
	clear_away(t);
}

void leat_cold_note(struct leat_tables *t, struct leat_table *tab, uint32_t tag)
{
	if (t->cold->phase == LEAT_COLD_UNKNOWN)
		return;
	leat_index_insert(&tab->away, tag, 1);
	tell_away(t);
	if (takes_too_much(t->cold))
		forget_away(t);
}

bool leat_cold_may_hold(const struct leat_tables *t, const struct leat_table *tab, uint32_t tag)
{
	return t->cold->phase != LEAT_COLD_KNOWN || leat_index_first(&tab->away, tag) != 0;
}

/* Until all rows were seen, what was noted may be that of another key. */
void leat_cold_found(struct leat_tables *t, struct leat_table *tab, uint32_t tag)
{
	if (t->cold->phase == LEAT_COLD_KNOWN)
		leat_index_remove(&tab->away, tag, 1);
}

static void look_again_if_stale(struct leat_tables *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += t->table[i].away.n;
	if (t->cold->phase == LEAT_COLD_KNOWN && t->cold->n_stale >= STALE_LEAST && t->cold->n_stale >= n / 2) {
		t->cold->phase = LEAT_COLD_NOTING;
		clear_away(t);
	}
}

/* ---- as loading and writing go on ------------------------------------------------------------------------------------- */

/* C2. One mark is enough: what comes while it waits is settled with the next one. */
void leat_tables_durable(struct leat_tables *t, uint64_t written, uint64_t in_rows)
{
	struct leat_cold *cold = t->cold;

	for (int i = 0; i < 2; i++) {
		if (cold->mark.written == 0 && cold->taken_event > cold->settled_event)
			cold->mark = (struct leat_mark){ .event = cold->taken_event, .written = written };
		if (cold->mark.event > 0 && cold->mark.written <= in_rows) {
			cold->settled_event = cold->mark.event;
			cold->mark = (struct leat_mark){ .event = 0 };
		}
	}
	release_graves(t);
	look_again_if_stale(t);
}

bool leat_tables_wants_rows(const struct leat_tables *t)
{
	return t->cold->phase == LEAT_COLD_LOADING || t->cold->phase == LEAT_COLD_NOTING;
}

bool leat_cold_has_room(struct leat_tables *t)
{
	if (t->cold->phase == LEAT_COLD_LOADING && t->cold->is_over) {
		t->cold->phase = LEAT_COLD_NOTING;
		release_graves(t);
	}
	return t->cold->phase == LEAT_COLD_LOADING;
}

void leat_tables_loaded(struct leat_tables *t, bool is_all)
{
	for (size_t i = 0; i < t->n && t->cold->phase == LEAT_COLD_LOADING; i++)
		t->table[i].is_cold = !is_all;
	if (!is_all)
		forget_away(t);
	else if (leat_tables_wants_rows(t))
		t->cold->phase = LEAT_COLD_KNOWN;
	release_graves(t);
}

/* ---- the budget ----------------------------------------------------------------------------------------------------- */

static size_t bytes_in_use(const struct leat_tables *t)
{
	size_t bytes = t->owned;

	for (size_t i = 0; i < t->n; i++) {
		const struct leat_table *tab = &t->table[i];

		bytes += tab->index.bytes + tab->away.bytes + tab->index.n * tab->pool.stride + leat_graves_bytes(&tab->graves);
	}
	return bytes;
}

void leat_cold_measure(struct leat_tables *t)
{
	struct leat_cold *cold = t->cold;
	size_t bytes, used, step;

	if (cold == NULL)
		return;
	cold->n_unmeasured = 0;
	bytes = bytes_in_use(t);
	step = cold->memory->limit / TELL_SHARE < TELL_BYTES ? cold->memory->limit / TELL_SHARE : TELL_BYTES;
	if (bytes > cold->told + step || bytes + step < cold->told) {
		atomic_fetch_add(&cold->memory->used, bytes - cold->told);
		cold->told = bytes;
	}
	used = atomic_load_explicit(&cold->memory->used, memory_order_relaxed);
	/* Some instance has more than its share then, and that one makes room. */
	cold->is_over = used > cold->memory->limit && bytes > cold->memory->limit / atomic_load(&cold->memory->n_users);
}

uint64_t leat_tables_fetched(const struct leat_tables *t)
{
	return t->cold == NULL ? 0 : t->cold->n_fetched;
}

uint64_t leat_tables_evicted(const struct leat_tables *t)
{
	return t->cold == NULL ? 0 : t->cold->n_evicted;
}

/* C1, C2: one that has changed since it was taken was touched after that. */
static bool may_leave(const struct leat_tables *t, const struct leat_entry *e)
{
	return e->is_live && e->event <= t->cold->settled_event;
}

/* False: it was used since the hand came by last, and stays. */
static bool has_cooled(struct leat_entry *e)
{
	bool was_warm = e->is_warm;

	e->is_warm = false;
	return !was_warm;
}

/* Entries stand one behind the other, but their slots lie anywhere. */
static inline __attribute__((always_inline)) void expect_to_evict(const struct leat_table *tab, uint32_t number)
{
	uint32_t tag;

	if (number >= tab->pool.n_used)
		return;
	tag = leat_table_entry(tab, number)->tag;
	leat_index_expect(&tab->index, tag);
	leat_index_expect(&tab->away, tag);
}

static void evict_some(struct leat_tables *t, struct leat_table *tab)
{
	enum { AHEAD = 8 };

	for (size_t looks = leat_table_looks(t, tab); looks > 0 && tab->index.n > 0; looks--) {
		uint32_t number = leat_table_next(tab, &tab->hand);
		struct leat_entry *e = leat_table_entry(tab, number);

		expect_to_evict(tab, number + AHEAD);
		if (may_leave(t, e) && has_cooled(e)) {
			tab->is_cold = true;
			if (!LEAT_BUG("eviction-not-noted"))
				leat_cold_note(t, tab, e->tag);
			leat_entry_drop(t, tab, number);
			t->cold->n_evicted++;
		}
	}
}

bool leat_tables_is_cold(const struct leat_tables *t, uint32_t table)
{
	return t->table[table].is_cold;
}

void leat_cold_evict(struct leat_tables *t)
{
	/* C3 */
	for (size_t i = 0; i < t->n && t->cold->phase != LEAT_COLD_LOADING; i++)
		evict_some(t, &t->table[i]);
	leat_cold_measure(t);
}
