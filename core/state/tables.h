/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_TABLES_H
#define LEAT_STATE_TABLES_H

#include <leat/host.h>

#include <stdatomic.h>

#include "data/value.h"
#include "state/delta.h"

/*
 * The state tables of one instance (a node's shard), all three kinds, with the undo log of the event in hand. In memory,
 * or put over a store that has what does not fit. One thread at a time.
 *
 * Undo: between leat_tables_begin() and leat_tables_commit()/_abort(), the first touch of an entry saves its before-image.
 * Pointers that were handed out stay good until the next begin.
 *
 * Fixed entries are found with one probe of an open-addressing table and live in blocks that never move; keys are values,
 * hashed with leat_value_hash(). Expiry: an entry whose last change is more than the table's ttl before `now_us` is as if
 * it were not there; expired entries are swept a few per begin, so memory follows the live ones and no call pauses.
 */

struct leat_tables;

/* Keeps the fields of the specs. */
struct leat_tables *leat_tables_create(const struct leat_table_spec *specs /* ends with name NULL; or NULL */,
                                       const int64_t *ttl_us);
void leat_tables_destroy(struct leat_tables *tables);

void leat_tables_begin(struct leat_tables *tables, int64_t now_us);
void leat_tables_commit(struct leat_tables *tables);
void leat_tables_abort(struct leat_tables *tables);

void *leat_tables_get(struct leat_tables *tables, uint32_t table, const struct leat_value *key);
const void *leat_tables_peek(struct leat_tables *tables, uint32_t table, const struct leat_value *key);
void leat_tables_erase(struct leat_tables *tables, uint32_t table, const struct leat_value *key);
const struct leat_value *leat_tables_value(struct leat_tables *tables, uint32_t table, const struct leat_value *key);
void leat_tables_put(struct leat_tables *tables, uint32_t table, const struct leat_value *key, const struct leat_value *value);
void leat_tables_ordered_put(struct leat_tables *tables, uint32_t table, const struct leat_value *key,
                             const struct leat_ordered_entry *entry);
void leat_tables_ordered_erase(struct leat_tables *tables, uint32_t table, const struct leat_value *key, int64_t from,
                               int64_t until);
size_t leat_tables_ordered_scan(struct leat_tables *tables, uint32_t table, const struct leat_value *key, int64_t from,
                                int64_t until,
                                const struct leat_ordered_entry **entries);
/* The last entry of the range, a copy: the slots are not handed out. */
/* The entries and their values belong to the arena, unless the event is taken back. One arena in an event. */
size_t leat_tables_ordered_take(struct leat_tables *tables, uint32_t table, const struct leat_value *key, int64_t from, int64_t until,
                                struct leat_arena *arena, const struct leat_ordered_entry **entries);
bool leat_tables_ordered_last(struct leat_tables *tables, uint32_t table, const struct leat_value *key, int64_t from, int64_t until,
                              struct leat_ordered_entry *entry);

/* For checkpoints. From now on it is noted what changes; so before the first event. Not called, it costs nothing. */
void leat_tables_track(struct leat_tables *tables);
/* Between events: appends what has changed since the last take, and forgets it. */
void leat_tables_take(struct leat_tables *tables, struct leat_delta *out);
/* A row that was put, in any order; its entry is in memory then. Not a change. False: it is damaged, or there already. */
bool leat_tables_restore(struct leat_tables *tables, const struct leat_symbols *symbols, const struct leat_delta_op *put);

/*
 * State that is larger than memory: tables that are put over a store. What is not in memory is fetched when somebody asks for it,
 * and what has not been used for a while leaves when there is too much. At first the store has everything and memory nothing.
 *
 *     leat_tables_put_over()                                before the first event
 *     leat_tables_load() of the store's rows, in slices     between events, as long as it wants them
 *     leat_tables_loaded()                                  with or without the rest
 *     leat_tables_durable(), leat_tables_take()             with each checkpoint
 */
struct leat_below {
	/* Calls leat_tables_restore() for the row with that key, in an ordered table for all rows whose keys begin with it; there may
	 * be none. The key is good until the first of these calls. Does not return when it cannot. */
	void (*fetch)(void *opaque, uint32_t table, const char *key, size_t key_n);
	void *opaque;
};

/* The memory that the tables of a pipeline share, bytes. */
struct leat_memory {
	size_t limit;
	_Atomic size_t used;
	_Atomic size_t away; /* of it by what is known of the store */
	_Atomic size_t n_users;
};

void leat_tables_put_over(struct leat_tables *tables, const struct leat_below *below, struct leat_memory *memory);
/* A row as it was before the first event, if what it belongs to is not in memory yet; when there is no room for it any more, it is
 * noted that it is there, so that who asks for what is not need not look. False: it is damaged. */
bool leat_tables_load(struct leat_tables *tables, const struct leat_symbols *symbols, const struct leat_delta_op *put);
bool leat_tables_wants_rows(const struct leat_tables *tables);
/* `is_all`: all rows that the store has were given. */
void leat_tables_loaded(struct leat_tables *tables, bool is_all);
/* What was taken last is durable with `written`, and what was with `in_rows` can be found below (leat_store_written(),
 * leat_store_in_rows()). */
void leat_tables_durable(struct leat_tables *tables, uint64_t written, uint64_t in_rows);

/*
 * What has expired goes with the events, a few entries at a time. Who waits for none, or has let them leave for the store, has it
 * looked for between events with these.
 */
/* Entries in memory, `looks` of them from *number on, 0 at first, which goes on; those that went are added to *n_gone. False: that
 * was the last. */
bool leat_tables_expire(struct leat_tables *tables, uint32_t table, int64_t now_us, uint32_t *number, size_t looks, size_t *n_gone);
/* A row as it is below now, when all is loaded. False: it is damaged. */
bool leat_tables_expire_row(struct leat_tables *tables, const struct leat_symbols *symbols, const struct leat_delta_op *row, int64_t now_us,
                            size_t *n_gone);
/* There may be entries below that are not in memory. */
bool leat_tables_is_cold(const struct leat_tables *tables, uint32_t table);

/* Hint that these keys are about to be asked for; does nothing while the table is small. */
void leat_tables_expect(struct leat_tables *tables, uint32_t table, const struct leat_value *key, size_t n);
/* The same of the records' own keys, in every table. */
void leat_tables_prefetch(struct leat_tables *tables, const struct leat_record *record, size_t n);

size_t leat_tables_entries(const struct leat_tables *tables); /* in memory */
/* Entries that came from the store when somebody asked for them, and that left for it. One thread, as all else. */
uint64_t leat_tables_fetched(const struct leat_tables *tables);
uint64_t leat_tables_evicted(const struct leat_tables *tables);
size_t leat_tables_bytes(const struct leat_tables *tables);

#endif
