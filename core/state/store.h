/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_STORE_H
#define LEAT_STATE_STORE_H

#include <leat/sink.h>
#include <leat/source.h>

#include "state/changelog.h"

/*
 * The store of one pipeline: what has to survive the process, in a RocksDB under a folder of its own.
 *
 * Everything changes in epochs: leat_store_put_*() gather what belongs to one, and leat_store_commit() writes it as one
 * atomic, synced batch. Nothing is visible before, all of it is durable after (E1, E2). A write that fails leaves it unknown
 * what is on the disk, so the process has to end (E8): the caller must not go on after LEAT_FATAL.
 *
 * The thread that commits is one; reading is for the time before it starts, except where it says otherwise.
 */

struct leat_store;

/* Makes the folder if need be, and locks it. LEAT_FATAL: held by another process, of another pipeline, of a newer format, or
 * damaged. `out` is written on LEAT_OK only. */
enum leat_status leat_store_open(const char *folder, const char *pipeline, struct leat_store **out, struct leat_error *err);
/* For reading only, whoever owns it: no lock is taken, and nothing in the folder changes. What is read is as of the call, whole
 * epochs. `pipeline` NULL: whichever it is of. LEAT_FATAL: there is none; of another pipeline, of a newer format, or damaged. */
enum leat_status leat_store_open_read_only(const char *folder, const char *pipeline, struct leat_store **out, struct leat_error *err);
/* The same, and nobody can own the store until it is closed. LEAT_RETRY: somebody does. */
enum leat_status leat_store_open_still(const char *folder, const char *pipeline, struct leat_store **out, struct leat_error *err);
/* Everything that it holds into a store in a new folder, which is there as a whole or not at all. Any store but one that
 * commits meanwhile. LEAT_FATAL: the folder is there already, or cannot be written. */
enum leat_status leat_store_copy(const struct leat_store *store, const char *folder, struct leat_error *err);
void leat_store_close(struct leat_store *store); /* accepts NULL */
const char *leat_store_folder(const struct leat_store *store);
/* Where a pipeline keeps its state, for free(). */
char *leat_store_folder_in(const char *state_dir, const char *pipeline);
const char *leat_store_pipeline(const struct leat_store *store);

/* ---- who we are ------------------------------------------------------------------------------------------------------ */

uint64_t leat_store_incarnation(const struct leat_store *store);
/* Synced before it returns (E4). Larger than before. Any thread. */
enum leat_status leat_store_set_incarnation(struct leat_store *store, uint64_t incarnation, struct leat_error *err);
/* Of the last durable epoch; 0: none. */
uint64_t leat_store_epoch(const struct leat_store *store);

/* ---- what the rows belong to ------------------------------------------------------------------------------------------ */

/*
 * A table of a node, as it was when its rows were written. Names are for people and for finding it again; rows carry the
 * number.
 */
struct leat_store_table {
	const char *node;
	const char *table;  /* "" for the node's timers */
	uint32_t version;
	uint32_t kind;      /* enum leat_table_kind; LEAT_STORE_TIMERS */
	uint64_t layout;    /* hash of the declared fields */
	uint32_t n_shards;  /* 0: as many as the source has partitions */
	uint32_t number;    /* given by the store, from 1 */
	const struct leat_table_spec *spec; /* for migrate(); or NULL */
	uint64_t n_migrated, n_given_up;    /* given by the store: rows of an older version */
};
#define LEAT_STORE_TIMERS 255u

uint64_t leat_store_layout(const struct leat_table_spec *spec);
/* "8 shards", or what 0 of them are. Good until the next call with the same text. */
const char *leat_store_shards(uint32_t n_shards, char text[32]);
/* Finds the table by its names, or enters it: then it is written with the next commit, and so are rows that were migrated.
 * LEAT_FATAL: it has rows, of another version, kind, layout or number of shards, and which, and may neither migrate nor drop
 * them. */
enum leat_status leat_store_use_table(struct leat_store *store, struct leat_store_table *table, struct leat_error *err);
/* Finds the sink's number, or enters it. */
uint32_t leat_store_use_sink(struct leat_store *store, const char *sink);

/*
 * E11. `what` says for people what a node is, as far as that decides whether what the store has of it is still its own: its
 * type, what it is keyed by, what it reads or writes. It is written with the next commit. LEAT_FATAL: it was something else, and
 * has rows, positions or undelivered effects; which, and how to go on.
 */
enum leat_status leat_store_use_operator(struct leat_store *store, const char *node, const char *what, struct leat_error *err);
enum leat_status leat_store_use_source(struct leat_store *store, const char *source, const char *what, struct leat_error *err);
/* One that was something else and has nothing undelivered has moved. */
enum leat_status leat_store_use_sink_at(struct leat_store *store, const char *sink, const char *what, struct leat_error *err);
/* Nothing was delivered yet where it is now, or effects were dropped: no fence there, or an earlier one, is as good as that
 * which the store knows. */
bool leat_store_has_moved(const struct leat_store *store, uint32_t sink);
/* As it was; NULL: nobody has said. To be freed. */
char *leat_store_operator_what(const struct leat_store *store, const char *node);
char *leat_store_source_what(const struct leat_store *store, const char *source);
char *leat_store_sink_what(const struct leat_store *store, uint32_t sink);

/* Nodes and sinks of which the calls above may drop what would make them refuse. `names` ends with NULL, and is borrowed. */
void leat_store_allow_drop(struct leat_store *store, const char *const *names);
/* Those that had something to drop, in quotes; "" when there were none. */
const char *leat_store_dropped(const struct leat_store *store);
/* Nodes and sinks that have rows, positions or undelivered effects and were not used since the store was opened; those that may
 * be dropped are removed with the next commit instead. LEAT_FATAL names all others. */
enum leat_status leat_store_settle(struct leat_store *store, struct leat_error *err);

/* ---- one epoch ------------------------------------------------------------------------------------------------------ */

/* T5: of a node in one shard. */
void leat_store_put_watermark(struct leat_store *store, const char *node, uint32_t shard, int64_t us);
void leat_store_put_position(struct leat_store *store, const char *source, int32_t partition, const struct leat_position *position);
void leat_store_put_delta(struct leat_store *store, const struct leat_delta_place *place, const struct leat_delta *delta);

/* Effects of one epoch for one sink: n of them, each u32 length and bytes. */
struct leat_outbox_entry {
	uint64_t epoch;
	uint64_t previous_epoch; /* the sink's last one that had effects */
	uint64_t previous_digest;
	uint64_t digest;
	uint32_t n;
	const char *bytes;
	size_t bytes_n;
};

/* The chain over a sink's effects: XXH3 of this epoch's bytes, seeded with the digest before (E3). */
uint64_t leat_outbox_digest(uint64_t previous, const char *bytes, size_t n);
/* No more than 1 GiB of them. */
void leat_store_put_effects(struct leat_store *store, uint32_t sink, const struct leat_outbox_entry *entry);
/* The sink has everything up to and with fence->epoch: its outbox entries go. */
void leat_store_put_delivered(struct leat_store *store, uint32_t sink, const struct leat_fence *fence);
/* The same, but only entries up to and with epoch `until` go: those behind it are kept, should the sink lose them. */
void leat_store_put_progress(struct leat_store *store, uint32_t sink, const struct leat_fence *fence, uint64_t until);
bool leat_store_has_changes(const struct leat_store *store);
/* epoch: leat_store_epoch() + 1, or the same when only deliveries are noted (E10), or more when a sink gets it in several steps,
 * each of which has a number of its own (E12). */
enum leat_status leat_store_commit(struct leat_store *store, uint64_t epoch, struct leat_error *err);
/*
 * What commits change in rows is kept as it is (changelog.h) until there is so much of it that a thread writes rows into a file; in
 * files they can be found by their key. The two numbers count commits with changes: up to which they are durable, and up to which
 * they are in files. Any thread.
 */
uint64_t leat_store_written(const struct leat_store *store);
uint64_t leat_store_in_rows(const struct leat_store *store);
/* Bytes of changes until rows are written; 0: by the size of the rows (leat_changelog_limit()). A start has to read them again. */
void leat_store_limit_changelog(struct leat_store *store, size_t bytes);
/* Everything that is committed is in files. LEAT_FATAL: it could not be written, and the process has to end. */
enum leat_status leat_store_materialize(struct leat_store *store, struct leat_error *err);
/* Commits up to this number, which are durable, are wanted in files soon. `table`: many of its rows have gone with them, so that its
 * files are worth to be written anew; 0: none. Any thread, and nobody waits. */
void leat_store_want_rows(struct leat_store *store, uint64_t number, uint32_t table);
uint64_t leat_store_batch_bytes(const struct leat_store *store); /* of what was put since the last commit */

/* ---- reading back ---------------------------------------------------------------------------------------------------- */

/* LEAT_NO_TIME: there is none. */
int64_t leat_store_watermark(const struct leat_store *store, const char *node, uint32_t shard);
bool leat_store_position(const struct leat_store *store, const char *source, int32_t partition, struct leat_position *position);
/* Rows of a table and shard, in order of their keys. `take` returns false to stop. LEAT_FATAL: damaged, or stopped. From any
 * thread. */
enum leat_status leat_store_rows(const struct leat_store *store, uint32_t number, uint32_t shard,
                                 bool (*take)(void *opaque, const struct leat_delta_op *op), void *opaque, struct leat_error *err);
/* The same of what belongs to a table's key: in a fixed or value table the row with that key, in an
 * ordered one all rows whose keys begin with it. Only in files. */
enum leat_status leat_store_fetch(const struct leat_store *store, uint32_t number, uint32_t shard, const char *key, size_t key_n,
                                  bool (*take)(void *opaque, const struct leat_delta_op *op), void *opaque, struct leat_error *err);
/* Rows of a table and shard as they are in files now, one after another, from a key on: "" is before all. Any thread, one at a time. */
struct leat_store_cursor;
struct leat_store_cursor *leat_store_cursor_open(const struct leat_store *store, uint32_t number, uint32_t shard, const char *key,
                                                 size_t key_n);
/* False: that was the last one, or it cannot be read. Key and value are good until the next call. */
bool leat_store_cursor_next(struct leat_store_cursor *cursor, struct leat_delta_op *row);
/* LEAT_FATAL: they could not be read. Accepts NULL. */
enum leat_status leat_store_cursor_close(struct leat_store_cursor *cursor, struct leat_error *err);
/* All rows of a table, by shards. `take` returns false to stop. */
enum leat_status leat_store_scan(const struct leat_store *store, uint32_t number,
                                 bool (*take)(void *opaque, uint32_t shard, const struct leat_delta_op *op), void *opaque,
                                 struct leat_error *err);
/* The catalogue: tables by number - 1, NULL behind the last. */
const struct leat_store_table *leat_store_table(const struct leat_store *store, size_t i);
/* Sinks by number from 1. */
uint32_t leat_store_n_sinks(const struct leat_store *store);
const char *leat_store_sink_name(const struct leat_store *store, uint32_t sink);
/* Its number, 0: there is none. Enters nothing. */
uint32_t leat_store_find_sink(const struct leat_store *store, const char *sink);
/* Every position, by source; those of a source in no order that means something. */
enum leat_status leat_store_positions(const struct leat_store *store,
                                      void (*take)(void *opaque, const char *source, int32_t partition, const struct leat_position *position),
                                      void *opaque, struct leat_error *err);
/* What the store knows the sink to have; the last epoch that has effects for it is in *head. */
void leat_store_sink(const struct leat_store *store, uint32_t sink, struct leat_fence *delivered, struct leat_fence *head);
/* Outbox entries with epoch > `after`, in order; the bytes are good until `take` returns. */
enum leat_status leat_store_outbox(const struct leat_store *store, uint32_t sink, uint64_t after,
                                   bool (*take)(void *opaque, const struct leat_outbox_entry *entry), void *opaque,
                                   struct leat_error *err);

/* ---- what an operator asks and decides -------------------------------------------------------------------------------- */

static inline bool leat_fence_is_at(const struct leat_fence *fence, uint64_t epoch, uint64_t digest)
{
	return fence->epoch == epoch && fence->digest == digest;
}

/* A sink's chain, from what was delivered, or from the first that is kept of it, through the outbox to its head (E3). */
struct leat_store_audit {
	struct leat_fence delivered, head;
	uint64_t n_epochs, n_effects, n_bytes; /* in the outbox, not delivered */
	uint64_t n_kept;                       /* epochs that are delivered and still there */
	uint64_t n_due;                        /* epochs behind `found` */
	bool is_known;                         /* `found` is where the chain begins, or an epoch in the outbox */
	bool has_delivered;                    /* the same of `delivered` */
};

/* `found`: the sink's fence; NULL: not known, and n_due counts from what was delivered. LEAT_FATAL: the chain is broken, and
 * where. */
enum leat_status leat_store_audit(const struct leat_store *store, uint32_t sink, const struct leat_fence *found,
                                  struct leat_store_audit *out, struct leat_error *err);
/* The sink has what `found` says, whatever the store thought: its chain goes on from there, its outbox is dropped, and epochs
 * to come have larger numbers. Synced before it returns. */
enum leat_status leat_store_accept(struct leat_store *store, uint32_t sink, const struct leat_fence *found, struct leat_error *err);
/* What waits for the sink is for what it is now. Written with the next commit, as of the two below. */
void leat_store_put_sink_what(struct leat_store *store, uint32_t sink, const char *what);
/* Epochs to come have numbers above `epoch`. Synced before it returns. */
enum leat_status leat_store_raise_epoch(struct leat_store *store, uint64_t epoch, struct leat_error *err);

#endif
