/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_TABLE_H
#define LEAT_STATE_TABLE_H

#include "base/memory.h"
#include "state/graves.h"
#include "state/index.h"
#include "state/key.h"
#include "state/packed_key.h"
#include "state/pool.h"
#include "state/rows.h"
#include "state/tables.h"

/*
 * What the files of the tables share. All three kinds are the same table of entries; they differ in what follows an entry:
 * the plugin's struct, a leat_cell, or a leat_run.
 *
 * T1  What a pointer was handed out to stays where it is, with its bytes, until the next begin. So nothing is freed during an
 *     event: memory that is no longer needed is rubbish, entries that are gone are released, and begin clears both.
 * T2  An entry is in the index if and only if it is live.
 * T3  The log of an event, undone from its end, gives the state that it began with. What the log holds on to (old values)
 *     belongs to the log until commit makes it rubbish or abort puts it back.
 * T4  A number is among the dirty ones of its table, once, if and only if its item is marked so, in use or not: whoever takes
 *     the number next inherits the mark. An entry that differs from its row is marked; a mark without need does no harm.
 * T5  An entry has rows in the store, or among the changes on their way there, only if it is_stored. So a dead entry that
 *     is not leaves nothing to erase, and the erase of one that is stands among the changes before a row of a later entry
 *     with its key.
 */

struct leat_entry {
	uint64_t event; /* that touched it last; the pool's while it is not in use */
	int64_t changed_us;
	uint32_t tag;
	uint8_t is_live;
	uint8_t is_dirty;  /* T4; not touched when the number is taken again */
	uint8_t is_stored; /* T5 */
	uint8_t is_warm;   /* cold.c */
	struct leat_packed_key key;
};

/* An owned deep copy. Scalars need none: `clone` is NULL. */
struct leat_block {
	struct leat_value *clone;
	size_t bytes;
};

/* value */
struct leat_cell {
	struct leat_block block;
};

/* ordered: sorted by (order, sequence), from `start` on. */
struct leat_run {
	struct leat_ordered_entry *item;
	struct leat_block *block; /* of the items' values; behind them */
	size_t start;
	size_t n;
	size_t capacity;
	uint64_t lent;     /* the event in which a scan was handed out, */
	size_t lent_until; /* and slots before this one may not be written in it (T1) */
};

struct leat_table {
	struct leat_index index;
	struct leat_pool pool;
	enum leat_table_kind kind;
	size_t size; /* of what follows an entry */
	int64_t ttl_us;
	uint32_t cursor; /* number that the sweep goes on from */
	const struct leat_field *fields; /* fixed; or NULL */
	uint32_t *dirty; /* T4 */
	size_t n_dirty, dirty_capacity;
	/* cold.c */
	bool is_cold; /* there may be entries in the store that are not in memory */
	struct leat_index away; /* C5 */
	uint32_t hand;
	struct leat_graves graves;
};

/* An event, and the number with which all rows up to it are durable; 0: none. */
struct leat_mark {
	uint64_t event, written;
};

/* How much of the store is known, in this order. */
enum leat_cold_phase {
	LEAT_COLD_LOADING, /* its rows come into memory */
	LEAT_COLD_NOTING,  /* memory is full: of the rest it is noted which there are */
	LEAT_COLD_KNOWN,   /* C5 */
	LEAT_COLD_UNKNOWN  /* for good */
};

struct leat_cold {
	struct leat_below below;
	struct leat_memory *memory;
	size_t told, told_away; /* bytes in use, as the others know them */
	unsigned n_unmeasured; /* events */
	bool is_over;
	enum leat_cold_phase phase;
	size_t n_stale; /* of what was noted, about */
	uint64_t taken_event, settled_event;
	struct leat_mark mark; /* the next event to be settled */
	uint64_t n_fetched, n_evicted;
};

enum leat_undo_kind {
	LEAT_UNDO_CREATED,  /* entry */
	LEAT_UNDO_TOUCHED,  /* entry: changed_us; fixed and value: what followed it */
	LEAT_UNDO_ERASED,   /* entry */
	LEAT_UNDO_PUT,      /* ordered: a leat_piece that was not there */
	LEAT_UNDO_REPLACED, /* ordered: the leat_piece that was */
	LEAT_UNDO_REMOVED,  /* ordered: n leat_pieces, next to each other */
	LEAT_UNDO_TAKEN     /* the same; what they hold goes to the taker, if it comes to that */
};

struct leat_undo {
	uint16_t kind;
	uint16_t table;
	uint32_t number;
	size_t image; /* offset into the images */
	int64_t changed_us;
	size_t n;
};

struct leat_piece {
	struct leat_ordered_entry item;
	struct leat_block block;
};

struct leat_released {
	uint32_t table;
	uint32_t number;
};

struct leat_tables {
	size_t n;
	struct leat_table *table;
	uint64_t event;
	int64_t now_us;
	bool is_open;
	bool has_ttl;
	uint8_t is_tracked; /* compared with an entry's is_dirty, which is 0 until it is 1 */
	size_t n_created; /* since the last begin: the sweep keeps up with it */
	size_t owned;     /* bytes in clones, runs and keys */

	struct leat_undo *undo;
	size_t n_undo, undo_capacity;
	size_t n_settle; /* entries of the log that commit has to look at */
	struct leat_buffer images;
	struct leat_arena *taker; /* of this event */

	void **rubbish;
	size_t n_rubbish, rubbish_capacity;
	struct leat_released *released;
	size_t n_released, released_capacity;

	struct leat_cold *cold; /* NULL: everything is in memory */
	struct leat_delta changes; /* T5: rows to erase, and what has become of items of ordered tables, as it happened */
	struct leat_buffer row;    /* being made */
};

static inline void *leat_entry_data(struct leat_entry *e)
{
	return e + 1;
}

static inline struct leat_entry *leat_table_entry(const struct leat_table *table, uint32_t number)
{
	return leat_pool_at(&table->pool, number);
}

/* The number of the live entry with that key, expired or not; 0: none. */
static inline uint32_t leat_table_find(const struct leat_table *table, const struct leat_value *key, uint32_t tag)
{
	for (struct leat_probe p = leat_index_probe(&table->index, tag); p.slot[p.i].number != 0; leat_probe_next(&p))
		if (p.slot[p.i].tag == tag && leat_packed_key_is(&leat_table_entry(table, p.slot[p.i].number)->key, key))
			return p.slot[p.i].number;
	return 0;
}

static inline bool leat_time_is_expired(const struct leat_tables *t, const struct leat_table *table, int64_t changed_us)
{
	return table->ttl_us > 0 && changed_us < t->now_us - table->ttl_us;
}

static inline bool leat_entry_is_expired(const struct leat_tables *t, const struct leat_table *table, const struct leat_entry *e)
{
	return leat_time_is_expired(t, table, e->changed_us);
}

/* Entries looked at per begin, by who goes through a table little by little: with twice as many as were created, what is expired
 * stays fewer than what is live. */
static inline size_t leat_table_looks(const struct leat_tables *t, const struct leat_table *table)
{
	enum { LOOKS = 2, LOOKS_PER_CREATED = 4 };
	size_t looks = LOOKS + LOOKS_PER_CREATED * t->n_created;

	return looks < table->pool.n_used ? looks : table->pool.n_used;
}

/* The number that a cursor is at, which goes on: in order of numbers, round and round. */
static inline uint32_t leat_table_next(const struct leat_table *table, uint32_t *cursor)
{
	if (*cursor >= table->pool.n_used)
		*cursor = 1;
	return (*cursor)++;
}

/* tables.c: what has expired must not come back to life when the clock is set back. */
void leat_tables_tell_time(struct leat_tables *t, int64_t now_us);

/* ---- entries.c: all of it within an event and under undo, unless it says otherwise ---------------------------------- */

/* The entry to be changed, and its number: found and touched, or created with zeroed data. */
struct leat_entry *leat_entry_open(struct leat_tables *t, uint32_t table, const struct leat_value *key, uint32_t *number);
/* Only if there is one; else NULL, and nothing has changed. */
struct leat_entry *leat_entry_open_old(struct leat_tables *t, uint32_t table, const struct leat_value *key, uint32_t *number);
/* The entry for reading, or NULL. Any time. */
struct leat_entry *leat_entry_read(struct leat_tables *t, uint32_t table, const struct leat_value *key);
/* Its number, or 0. In memory, or from the store. Any time. */
uint32_t leat_entry_find(struct leat_tables *t, uint32_t table, const struct leat_value *key, uint32_t tag);
void leat_entry_erase(struct leat_tables *t, uint32_t table, uint32_t number);
/* A live one leaves memory, and what is in the store stays as it is. Between events. */
void leat_entry_drop(struct leat_tables *t, struct leat_table *tab, uint32_t number);
/* A new one with zeroed data, live and not logged; `key` is packed as one. Any time. */
struct leat_entry *leat_entry_make(struct leat_tables *t, struct leat_table *table, const char *key, size_t key_n, uint32_t tag,
                                   uint32_t *number);
/* Frees what was released and swept. Between events. */
void leat_entries_clear(struct leat_tables *t);
/* Everything, at the end. */
void leat_entries_finish(struct leat_tables *t);

/* Bytes of images that are kept for the next event. */
enum { LEAT_UNDO_KEPT = 1024 * 1024 };

/* ---- undo.c --------------------------------------------------------------------------------------------------------- */

/* An entry of the log for what is about to change. */
static inline struct leat_undo *leat_undo_add(struct leat_tables *t, enum leat_undo_kind kind, uint32_t table, uint32_t number)
{
	struct leat_undo *undo;

	if (t->n_undo == t->undo_capacity)
		t->undo = leat_grow(t->undo, t->n_undo, &t->undo_capacity, sizeof *t->undo);
	undo = &t->undo[t->n_undo++];
	undo->kind = (uint16_t)kind;
	undo->table = (uint16_t)table;
	undo->number = number;
	undo->image = 0;
	undo->n = 1;
	return undo;
}

/* Room for its image, aligned; good until the next one. */
static inline void *leat_undo_image(struct leat_tables *t, struct leat_undo *undo, size_t bytes)
{
	size_t padded = (bytes + 15) & ~(size_t)15;
	char *image = leat_buffer_reserve(&t->images, padded);

	undo->image = t->images.n;
	t->images.n += padded;
	return image;
}

void leat_undo_settle(struct leat_tables *t); /* commit */
void leat_undo_all(struct leat_tables *t);    /* abort */
void leat_tables_discard(struct leat_tables *t, void *memory);            /* T1 */
void leat_tables_discard_block(struct leat_tables *t, struct leat_block block);
void leat_tables_release(struct leat_tables *t, uint32_t table, uint32_t number); /* T1 */

/* ---- ordered.c ------------------------------------------------------------------------------------------------------ */

void leat_run_finish(struct leat_tables *t, struct leat_run *run); /* between events */
/* The item there, or NULL. */
const struct leat_ordered_entry *leat_run_find(const struct leat_run *run, int64_t order, int64_t sequence);
/* Not logged. False: there is one already. */
bool leat_run_add(struct leat_tables *t, struct leat_run *run, const struct leat_ordered_entry *entry);
void leat_run_undo_put(struct leat_tables *t, struct leat_run *run, const struct leat_piece *piece);
void leat_run_undo_replace(struct leat_tables *t, struct leat_run *run, const struct leat_piece *piece);
void leat_run_undo_remove(struct leat_tables *t, struct leat_run *run, const struct leat_piece *piece, size_t n);

/* ---- restore.c ------------------------------------------------------------------------------------------------------ */

/* The entry that only the store has: its number, or 0. Within an event too, and not logged: whoever looks sees no change. */
uint32_t leat_cold_fetch(struct leat_tables *t, uint32_t table, const struct leat_value *key, uint32_t tag);

/* ---- cold.c: only with t->cold, unless it says otherwise ------------------------------------------------------------ */

/* The entry is about to be erased. Also without t->cold. */
void leat_cold_bury(struct leat_tables *t, struct leat_table *tab, struct leat_entry *e);
/* A row of the store with the tag stays there, and its key is not in memory. */
void leat_cold_note(struct leat_tables *t, struct leat_table *tab, uint32_t tag);
/* C5: whether to look for such a key in the store. */
bool leat_cold_may_hold(const struct leat_tables *t, const struct leat_table *tab, uint32_t tag);
/* A key that was in the store only is in memory now. */
void leat_cold_found(struct leat_tables *t, struct leat_table *tab, uint32_t tag);
/* While rows are loaded: whether there is room for another one. If not, there never will be. */
bool leat_cold_has_room(struct leat_tables *t);
/* Looks whether there is too much in memory. Also without t->cold, as is the next. */
void leat_cold_measure(struct leat_tables *t);
/* The same after one event in so many, as it costs as much as a small event. */
static inline void leat_cold_look(struct leat_tables *t)
{
	enum { EVENTS = 16 };

	if (t->cold != NULL && ++t->cold->n_unmeasured >= EVENTS)
		leat_cold_measure(t);
}
/* Some of what has not been used lately leaves memory. Between events. */
void leat_cold_evict(struct leat_tables *t);
void leat_cold_finish(struct leat_tables *t); /* also without */

/* ---- track.c -------------------------------------------------------------------------------------------------------- */

void leat_track_dirty(struct leat_table *table, struct leat_entry *e, uint32_t number);
/* The entry is gone for good: committed or swept. */
void leat_track_dead(struct leat_tables *t, uint32_t table, const struct leat_entry *e);
/* The same of one that only the store has; its packed key. */
void leat_track_gone(struct leat_tables *t, uint32_t table, const char *key, size_t key_n);
/* For each entry of the log of an event that is committed, in order, while what the log holds on to is there. */
void leat_track_settled(struct leat_tables *t, const struct leat_undo *undo, const struct leat_piece *piece);

#endif
