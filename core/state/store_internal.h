/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_STORE_INTERNAL_H
#define LEAT_STATE_STORE_INTERNAL_H

/*
 * What the store's files share. Five column families:
 *
 *   default  texts by name, for people and few: format, pipeline, incarnation, epoch, table/N, sink/N, head/N, delivered/N,
 *            moved/N, in-rows, position/SOURCE/PARTITION, watermark/NODE/SHARD, what/source/NAME, what/operator/NAME, what/sink/N, letters, letters/NODE
 *   rows     u32 table, u32 shard (both big-endian), the row's own key -> its value; and under ROWS_UNTIL the number of the last blob of
 *            changes that they hold (store_changelog.c)
 *   changes  u64 number (big-endian), from 1 -> a blob (changelog.h)
 *   outbox   u32 sink, u64 epoch (both big-endian) -> header, lz4 block of the effects
 *   letters  u64 number (big-endian) -> u64 epoch, u16 length of the node's name, the name, the letter's own bytes
 */

#include <pthread.h>
#include <rocksdb/c.h>
#include <stdatomic.h>

#include "state/changelog.h"
#include "state/letters.h"
#include "state/store.h"

enum { STORE_META, STORE_ROWS, STORE_CHANGES, STORE_OUTBOX, STORE_LETTERS, STORE_FAMILIES };
enum { STORE_ROW_PREFIX = 8 };

struct store_table {
	struct leat_store_table is; /* its names are these: */
	char *node, *table;
	bool is_used;
};

struct store_sink {
	char *name;
	struct leat_fence delivered, head;
	uint64_t forgotten; /* by this process: no effects of epochs up to it are in the outbox */
	bool is_used;
	bool has_moved; /* its fence may be behind: it is elsewhere since the last delivery, or effects were dropped */
};

/* Of nodes, for people. */
struct leat_names {
	char text[LEAT_ERROR_TEXT / 2];
	size_t n;
};

struct store_letters_of {
	char *node;
	struct leat_letter_count count;
	bool is_changed; /* since the last commit */
};

struct store_letters {
	uint64_t first, next; /* none is below `first`; `next` is the number of the next one */
	bool is_changed;
	struct leat_letter_count count;
	struct store_letters_of *of; /* by node; never shrinks */
	size_t n, capacity;
	uint64_t *erased; /* with the epoch in hand: they can still be read */
	size_t n_erased, erased_capacity;
};

/* The thread that writes rows into files, and how far it has come; numbers are those of blobs. */
struct store_changelog {
	struct leat_buffer blob;  /* of the epoch in hand */
	uint64_t next;            /* number of the next one; this and those up to `limit` are the committing thread's */
	uint64_t cleared;         /* those up to this are gone from the store */
	int64_t cleared_us;       /* since then, */
	size_t kept;              /* and bytes of blobs since */
	uint64_t asked;           /* up to here rows were asked for last */
	size_t bytes, limit;      /* since then, and when they are asked for again */
	bool is_limit_given;      /* else it follows the size of the rows */
	_Atomic uint64_t written; /* up to here they are durable */
	_Atomic uint64_t in_rows; /* and up to here in files of rows */
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t wanted; /* under the lock, as all below */
	uint32_t thinned; /* a table whose files are worth to be written anew behind that; 0: none */
	bool is_ending;
	enum leat_status status;
	struct leat_error error;
};

struct leat_store {
	char *folder, *pipeline;
	int lock;
	bool is_read_only;
	rocksdb_t *db;
	rocksdb_options_t *options[STORE_FAMILIES];
	rocksdb_column_family_handle_t *family[STORE_FAMILIES];
	rocksdb_readoptions_t *read;
	rocksdb_writeoptions_t *synced;
	rocksdb_writebatch_t *batch;
	struct leat_buffer scratch;
	_Atomic uint64_t incarnation;
	_Atomic uint64_t epoch;
	pthread_mutex_t lock_incarnation;
	struct store_changelog changelog;

	struct store_table *table; /* by number - 1 */
	size_t n_tables, table_capacity;
	struct store_sink *sink; /* by number - 1 */
	size_t n_sinks, sink_capacity;
	struct store_letters letters;
	char **used_source;
	size_t n_used_sources, used_source_capacity;
	const char *const *drop; /* ends with NULL; NULL: nothing */
	struct leat_names dropped;
};

extern const char *const leat_store_families[STORE_FAMILIES];

/* Without a database yet. */
struct leat_store *leat_store_make(const char *folder);
rocksdb_options_t *leat_store_make_options(int family, char **said);
enum leat_status leat_store_open_db(struct leat_store *store, struct leat_error *err);
/* The end of opening: with LEAT_OK it reads what the folder says it is, and the catalogue; a new one is written down at once.
 * `pipeline` may be NULL where nothing is written. Closes the store when it is not handed out. */
enum leat_status leat_store_hand_out(struct leat_store *store, enum leat_status status, const char *pipeline, struct leat_store **out,
                                     struct leat_error *err);
/* Frees `said`, RocksDB's words. */
enum leat_status leat_store_error(const struct leat_store *store, const char *what, char *said, struct leat_error *err);
/* The text under a name, to be freed; NULL: none, or *err is set. */
char *leat_store_text(const struct leat_store *store, const char *name, enum leat_status *status, struct leat_error *err);
void leat_store_put_text(struct leat_store *store, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void leat_store_put_head(struct leat_store *store, uint32_t sink, const struct leat_fence *head);
enum leat_status leat_store_read_catalogue(struct leat_store *store, struct leat_error *err);
/* What is known of the letters, without reading them. */
enum leat_status leat_store_read_letters(struct leat_store *store, struct leat_error *err);
/* Puts what has changed of that; part of every commit. */
void leat_store_put_letter_counts(struct leat_store *store);
void leat_store_forget_letters(struct leat_store *store);
/* Also when that cannot be read. */
bool leat_store_has_rows(const struct leat_store *store, uint32_t number);
void leat_store_drop_table(struct leat_store *store, uint32_t number);
/* Once each. `table`: of a node that the pipeline still has; or NULL. */
void leat_names_add(struct leat_names *names, const char *node, const char *table);

/* store_changelog.c */
void leat_store_begin_changelog(struct leat_store *store);
/* Whether the files are there that hold what is gone from the changes: not so when a store was opened for reading while its owner was
 * between the two. Also when that cannot be read. */
bool leat_store_has_its_rows(const struct leat_store *store);
/* What the folder holds: nothing is in files yet that it does not say. */
enum leat_status leat_store_read_changelog(struct leat_store *store, struct leat_error *err);
/* Into the batch, with what is done for good; part of every commit. LEAT_FATAL: rows could not be written. */
enum leat_status leat_store_put_changelog(struct leat_store *store, struct leat_error *err);
/* The batch is durable. */
void leat_store_note_changelog(struct leat_store *store);
/* Its thread ends, and does not do what is left. */
void leat_store_end_changelog(struct leat_store *store);
/* The changes that no file of rows has yet, of table `only`, 0: of all, up to blob `until`, as of `read`. Their bytes are in *blobs;
 * the caller frees both. */
enum leat_status leat_store_gather(const struct leat_store *store, const rocksdb_readoptions_t *read, uint64_t until, uint32_t only,
                                   struct leat_buffer *blobs, struct leat_changes *changes, struct leat_error *err);
/* The first key behind all that begin with these bytes, in their place; how many of them are left. They are not all 0xff, as table
 * numbers are small. */
size_t leat_store_end_of_prefix(char *key, size_t n);

/* store_identity.c */
bool leat_store_may_drop(const struct leat_store *store, const char *name);
/* Positions of sources that were not used: dropped, or named. */
enum leat_status leat_store_settle_sources(struct leat_store *store, struct leat_names *names, struct leat_error *err);
/* Its undelivered effects go. Its fence stays behind them, where the sink may come back to it. */
void leat_store_drop_sink(struct leat_store *store, uint32_t sink);
/* Something is delivered where the sink is now. */
void leat_store_settle_move(struct leat_store *store, uint32_t sink);
/* Of all tables of the node, and its timers. */
void leat_store_drop_rows(struct leat_store *store, const char *node);

static inline void leat_store_big32(char *to, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		to[i] = (char)(n >> (24 - 8 * i));
}

static inline void leat_store_big64(char *to, uint64_t n)
{
	leat_store_big32(to, (uint32_t)(n >> 32));
	leat_store_big32(to + 4, (uint32_t)n);
}

#endif
