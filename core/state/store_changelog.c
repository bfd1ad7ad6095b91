/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of rows on their way into files. Each commit with changes writes them as one blob, so what is synced has the size of what
 * has changed and costs no order. When there are enough of them a thread makes one sorted file of rows out of a span of blobs
 * and hands it to RocksDB, beside the commits that go on meanwhile. The file also holds the number of the span's last blob, so that
 * after a crash, wherever it comes, each blob is in files once or not at all, as L2 in changelog.h needs it. Blobs that are in
 * files are deleted with a later commit.
 *
 * Before, each epoch put its rows one by one, in a skip list or a vector that was sorted when it was full: a third of the CPU of a
 * keyed aggregate went into sorting versions of the same rows, and 19 us an event into the rows of an interval join.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/condition.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/thread.h"
#include "state/store_internal.h"

enum { WAIT_AT = 4, BLOB_MOST = 256 << 20, BLOB_KEY = 8, ANEW_AT_ONCE = 64 << 20, KEEP_US = 5000000, AHEAD = 8 };
/* What is in files is deleted that seldom, or when there is so much of it: each time, who opens the store for reading just then has to
 * do so again (leat_store_has_its_rows()). */
enum { CLEAR_EVERY_US = 2000000, CLEAR_AT = 2 * LEAT_CHANGELOG_LEAST };

/* No table has this number. */
static const char ROWS_UNTIL[STORE_ROW_PREFIX] = { 0 };

void leat_store_begin_changelog(struct leat_store *store)
{
	struct store_changelog *log = &store->changelog;

	log->limit = LEAT_CHANGELOG_LEAST;
	log->next = 1;
	pthread_mutex_init(&log->lock, NULL);
	leat_condition_init(&log->changed);
}

static void fit_limit(struct leat_store *store)
{
	uint64_t rows = 0; /* bytes in files */

	if (store->changelog.is_limit_given)
		return;
	(void)rocksdb_property_int_cf(store->db, store->family[STORE_ROWS], "rocksdb.live-sst-files-size", &rows);
	store->changelog.limit = leat_changelog_limit(rows);
}

void leat_store_limit_changelog(struct leat_store *store, size_t bytes)
{
	store->changelog.is_limit_given = bytes > 0;
	store->changelog.limit = bytes;
	fit_limit(store);
}

uint64_t leat_store_written(const struct leat_store *store)
{
	return atomic_load(&store->changelog.written);
}

uint64_t leat_store_in_rows(const struct leat_store *store)
{
	return atomic_load(&store->changelog.in_rows);
}

static uint64_t read_big64(const char *bytes)
{
	uint64_t n = 0;

	for (int i = 0; i < BLOB_KEY; i++)
		n = n << 8 | (unsigned char)bytes[i];
	return n;
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

/* The number of the last blob that files hold, as of `read`; 0: none. */
static enum leat_status read_in_rows(const struct leat_store *store, const rocksdb_readoptions_t *read, uint64_t *number,
                                     struct leat_error *err)
{
	char *said = NULL, *value;
	size_t n;

	value = rocksdb_get_cf(store->db, read, store->family[STORE_ROWS], ROWS_UNTIL, sizeof ROWS_UNTIL, &n, &said);
	*number = value != NULL && n == BLOB_KEY ? read_big64(value) : 0;
	rocksdb_free(value);
	return said != NULL ? leat_store_error(store, "read", said, err) : LEAT_OK;
}

static enum leat_status read_blobs(const struct leat_store *store, const rocksdb_readoptions_t *read, uint64_t after, uint64_t until,
                                   struct leat_buffer *blobs, struct leat_error *err)
{
	rocksdb_iterator_t *i = rocksdb_create_iterator_cf(store->db, read, store->family[STORE_CHANGES]);
	char from[BLOB_KEY], *said = NULL;

	leat_store_big64(from, after + 1);
	for (rocksdb_iter_seek(i, from, sizeof from); rocksdb_iter_valid(i); rocksdb_iter_next(i)) {
		size_t key_n, n;
		const char *key = rocksdb_iter_key(i, &key_n), *value = rocksdb_iter_value(i, &n);

		if (key_n == BLOB_KEY && read_big64(key) > until)
			break;
		leat_buffer_append(blobs, value, n);
	}
	rocksdb_iter_get_error(i, &said);
	rocksdb_iter_destroy(i);
	return said != NULL ? leat_store_error(store, "read", said, err) : LEAT_OK;
}

enum leat_status leat_store_gather(const struct leat_store *store, const rocksdb_readoptions_t *read, uint64_t until, uint32_t only,
                                   struct leat_buffer *blobs, struct leat_changes *changes, struct leat_error *err)
{
	uint64_t after;
	enum leat_status status = read_in_rows(store, read, &after, err);

	if (status == LEAT_OK)
		status = read_blobs(store, read, after, until, blobs, err);
	if (status == LEAT_OK && !leat_changes_read(changes, blobs->data, blobs->n, only))
		status = leat_error_set(err, LEAT_FATAL, 0, "state in \"%s\" is damaged: changes of rows", store->folder);
	if (status == LEAT_OK)
		leat_changes_resolve(changes);
	return status;
}

bool leat_store_has_its_rows(const struct leat_store *store)
{
	enum leat_status status = LEAT_OK;
	struct leat_error err;
	char *text = leat_store_text(store, "in-rows", &status, &err);
	uint64_t cleared = text == NULL ? 0 : strtoull(text, NULL, 10), in_rows = 0;

	free(text);
	return status != LEAT_OK || read_in_rows(store, store->read, &in_rows, &err) != LEAT_OK || cleared <= in_rows;
}

enum leat_status leat_store_read_changelog(struct leat_store *store, struct leat_error *err)
{
	struct store_changelog *log = &store->changelog;
	rocksdb_iterator_t *i = rocksdb_create_iterator_cf(store->db, store->read, store->family[STORE_CHANGES]);
	uint64_t in_rows = 0, last = 0;
	enum leat_status status = read_in_rows(store, store->read, &in_rows, err);
	char *said = NULL;
	size_t n;

	rocksdb_iter_seek_to_last(i);
	if (rocksdb_iter_valid(i))
		last = read_big64(rocksdb_iter_key(i, &n));
	rocksdb_iter_get_error(i, &said);
	rocksdb_iter_destroy(i);
	if (said != NULL && status == LEAT_OK)
		status = leat_store_error(store, "read", said, err);
	log->next = (last > in_rows ? last : in_rows) + 1;
	atomic_store(&log->in_rows, in_rows);
	atomic_store(&log->written, log->next - 1);
	return status;
}

/* ---- a file of rows ------------------------------------------------------------------------------------------------- */

size_t leat_store_end_of_prefix(char *key, size_t n)
{
	while ((unsigned char)key[n - 1] == 0xff)
		n--;
	key[n - 1]++;
	return n;
}

static void write_change(rocksdb_sstfilewriter_t *file, const struct leat_shard_changes *of, const struct leat_change *c,
                         struct leat_buffer *key, char **said)
{
	size_t n;

	key->n = 0;
	leat_store_big32(leat_buffer_reserve(key, STORE_ROW_PREFIX), of->number);
	leat_store_big32(key->data + 4, of->shard);
	key->n = STORE_ROW_PREFIX;
	leat_buffer_append(key, c->key, c->key_n);
	n = key->n;
	switch ((enum leat_delta_kind)c->kind) {
	case LEAT_DELTA_PUT:
		rocksdb_sstfilewriter_put(file, key->data, n, c->value, c->value_n, said);
		break;
	case LEAT_DELTA_ERASE:
		rocksdb_sstfilewriter_delete(file, key->data, n, said);
		break;
	case LEAT_DELTA_ERASE_PREFIX: /* what the same file puts in the range stays */
		(void)leat_buffer_reserve(key, n);
		memcpy(key->data + n, key->data, n);
		rocksdb_sstfilewriter_delete_range(file, key->data, n, key->data + n, leat_store_end_of_prefix(key->data + n, n), said);
		break;
	}
}

static void write_changes(rocksdb_sstfilewriter_t *file, const struct leat_changes *changes, uint64_t until, char **said)
{
	struct leat_buffer key = { 0 };
	char number[BLOB_KEY];

	leat_store_big64(number, until);
	if (!LEAT_BUG("rows-not-numbered"))
		rocksdb_sstfilewriter_put(file, ROWS_UNTIL, sizeof ROWS_UNTIL, number, sizeof number, said);
	for (size_t i = 0; i < changes->n; i++)
		for (size_t c = 0; c < changes->of[i].n && *said == NULL; c++) {
			/* In order of their keys they lie all over the blobs. */
			if (c + AHEAD < changes->of[i].n)
				__builtin_prefetch(changes->of[i].change[c + AHEAD].key);
			write_change(file, &changes->of[i], &changes->of[i].change[c], &key, said);
		}
	leat_buffer_finish(&key);
}

/* Synced before it returns. */
static enum leat_status write_file(const struct leat_store *store, const char *path, const struct leat_changes *changes, uint64_t until,
                                   struct leat_error *err)
{
	rocksdb_envoptions_t *how = rocksdb_envoptions_create();
	rocksdb_sstfilewriter_t *file = rocksdb_sstfilewriter_create(how, store->options[STORE_ROWS]);
	char *said = NULL;

	rocksdb_sstfilewriter_open(file, path, &said);
	if (said == NULL)
		write_changes(file, changes, until, &said);
	if (said == NULL)
		rocksdb_sstfilewriter_finish(file, &said);
	rocksdb_sstfilewriter_destroy(file);
	rocksdb_envoptions_destroy(how);
	return said != NULL ? leat_store_error(store, "write rows of", said, err) : LEAT_OK;
}

/* From now on it is one of RocksDB's, durable. */
static enum leat_status take_file(const struct leat_store *store, const char *path, struct leat_error *err)
{
	rocksdb_ingestexternalfileoptions_t *how = rocksdb_ingestexternalfileoptions_create();
	char *said = NULL;

	rocksdb_ingestexternalfileoptions_set_move_files(how, 1);
	rocksdb_ingest_external_file_cf(store->db, store->family[STORE_ROWS], &path, 1, how, &said);
	rocksdb_ingestexternalfileoptions_destroy(how);
	return said != NULL ? leat_store_error(store, "write rows of", said, err) : LEAT_OK;
}

/* `blobs` is memory to use, empty. */
static enum leat_status write_rows(struct leat_store *store, uint64_t until, struct leat_buffer *blobs, struct leat_error *err)
{
	char *path = leat_format_text("%s/rows.sst", store->folder);
	struct leat_changes changes = { .n = 0 };
	enum leat_status status = leat_fault_error("rows-before", err);

	(void)unlink(path); /* of one that died before it was taken */
	if (status == LEAT_OK)
		status = leat_store_gather(store, store->read, until, 0, blobs, &changes, err);
	if (status == LEAT_OK)
		status = write_file(store, path, &changes, until, err);
	if (status == LEAT_OK)
		status = leat_fault_error("rows-take-before", err);
	if (status == LEAT_OK)
		status = take_file(store, path, err);
	if (status == LEAT_OK)
		status = leat_fault_error("rows-take-after", err);
	leat_changes_finish(&changes);
	blobs->n = 0;
	free(path);
	if (status == LEAT_OK)
		atomic_store(&store->changelog.in_rows, until);
	return status;
}

/* ---- the thread ----------------------------------------------------------------------------------------------------- */

/* RocksDB does it when it likes, and never with a few files that lie above each other; so what takes a moment is done here. Table
 * numbers are small: the next one is not 0. */
static void write_anew(const struct leat_store *store, uint32_t table)
{
	char from[STORE_ROW_PREFIX / 2], until[STORE_ROW_PREFIX / 2], *said = NULL;
	const char *const begin = from, *const end = until;
	const size_t n = sizeof from;
	uint64_t size = UINT64_MAX;

	leat_store_big32(from, table);
	leat_store_big32(until, table + 1);
	rocksdb_approximate_sizes_cf(store->db, store->family[STORE_ROWS], 1, &begin, &n, &end, &n, &size, &said);
	if (said == NULL && size <= ANEW_AT_ONCE)
		rocksdb_compact_range_cf(store->db, store->family[STORE_ROWS], from, n, until, n);
	else if (said == NULL)
		rocksdb_suggest_compact_range_cf(store->db, store->family[STORE_ROWS], from, n, until, n, &said);
	rocksdb_free(said); /* what has failed in earnest fails again with the next write (E8) */
}

static bool has_work(const struct store_changelog *log)
{
	return log->status == LEAT_OK && log->wanted > atomic_load(&log->in_rows);
}

/* Called, and returns, under the lock. */
static void rewrite(struct leat_store *store)
{
	struct store_changelog *log = &store->changelog;
	uint32_t table = log->thinned;

	log->thinned = 0;
	pthread_mutex_unlock(&log->lock);
	write_anew(store, table);
	pthread_mutex_lock(&log->lock);
}

/* Memory that has just been used is used again; afterwards others may have it. */
static void wait_for_work(struct store_changelog *log, struct leat_buffer *blobs)
{
	int64_t until_us = blobs->data != NULL ? leat_clock_monotonic_us() + KEEP_US : INT64_MAX;

	if (!leat_condition_wait(&log->changed, &log->lock, until_us))
		leat_buffer_finish(blobs);
}

static void *work(void *opaque)
{
	struct leat_store *store = opaque;
	struct store_changelog *log = &store->changelog;
	struct leat_buffer blobs = { 0 };

	leat_thread_name("changelog");
	pthread_mutex_lock(&log->lock);
	while (!log->is_ending) {
		uint64_t wanted = log->wanted;
		enum leat_status status;
		struct leat_error err;

		if (!has_work(log) && log->thinned != 0) {
			rewrite(store);
			continue;
		}
		if (!has_work(log)) {
			wait_for_work(log, &blobs);
			continue;
		}
		pthread_mutex_unlock(&log->lock);
		status = write_rows(store, wanted, &blobs, &err);
		pthread_mutex_lock(&log->lock);
		log->status = status;
		if (status != LEAT_OK)
			log->error = err;
		pthread_cond_broadcast(&log->changed);
	}
	pthread_mutex_unlock(&log->lock);
	leat_buffer_finish(&blobs);
	return NULL;
}

/* Under the lock. */
static enum leat_status start_thread(struct leat_store *store, struct leat_error *err)
{
	int code;

	if (store->changelog.has_thread)
		return LEAT_OK;
	code = pthread_create(&store->changelog.thread, NULL, work, store);
	if (code != 0)
		return leat_error_set(err, LEAT_FATAL, code, "could not start the thread that writes rows of state in \"%s\": %s", store->folder,
		                      strerror(code));
	store->changelog.has_thread = true;
	return LEAT_OK;
}

/* Rows up to blob `until` are wanted; waits until all up to `wait` are there. */
static enum leat_status want_rows(struct leat_store *store, uint64_t until, uint64_t wait, struct leat_error *err)
{
	struct store_changelog *log = &store->changelog;
	enum leat_status status;

	pthread_mutex_lock(&log->lock);
	status = start_thread(store, err);
	if (status == LEAT_OK) {
		log->wanted = until;
		pthread_cond_broadcast(&log->changed);
		while (log->status == LEAT_OK && atomic_load(&log->in_rows) < wait)
			(void)leat_condition_wait(&log->changed, &log->lock, INT64_MAX);
		status = log->status;
		if (status != LEAT_OK)
			*err = log->error;
	}
	pthread_mutex_unlock(&log->lock);
	return status;
}

void leat_store_want_rows(struct leat_store *store, uint64_t number, uint32_t table)
{
	struct store_changelog *log = &store->changelog;
	struct leat_error err;

	pthread_mutex_lock(&log->lock);
	if (number > log->wanted)
		log->wanted = number;
	if (table != 0)
		log->thinned = table;
	if (start_thread(store, &err) == LEAT_OK) /* else who commits has the same trouble soon, and tells */
		pthread_cond_broadcast(&log->changed);
	pthread_mutex_unlock(&log->lock);
}

enum leat_status leat_store_materialize(struct leat_store *store, struct leat_error *err)
{
	uint64_t written = leat_store_written(store);

	if (written == leat_store_in_rows(store))
		return LEAT_OK;
	store->changelog.bytes = 0;
	return want_rows(store, written, written, err);
}

void leat_store_end_changelog(struct leat_store *store)
{
	struct store_changelog *log = &store->changelog;

	pthread_mutex_lock(&log->lock);
	log->is_ending = true;
	pthread_cond_broadcast(&log->changed);
	pthread_mutex_unlock(&log->lock);
	if (log->has_thread)
		(void)pthread_join(log->thread, NULL);
	pthread_cond_destroy(&log->changed);
	pthread_mutex_destroy(&log->lock);
	leat_buffer_finish(&log->blob);
}

/* ---- commits -------------------------------------------------------------------------------------------------------- */

static void put_blob(struct leat_store *store)
{
	struct store_changelog *log = &store->changelog;
	char key[BLOB_KEY];

	leat_store_big64(key, log->next++);
	rocksdb_writebatch_put_cf(store->batch, store->family[STORE_CHANGES], key, sizeof key, log->blob.data, log->blob.n);
	log->bytes += log->blob.n;
	log->kept += log->blob.n;
	log->blob.n = 0;
}

/* Blobs that are in files. */
static void clear_blobs(struct leat_store *store)
{
	struct store_changelog *log = &store->changelog;
	bool is_early = LEAT_BUG("changes-deleted-early");
	uint64_t in_rows = is_early ? log->next : leat_store_in_rows(store);
	int64_t now_us = leat_clock_monotonic_us();
	char from[BLOB_KEY], until[BLOB_KEY];

	if (in_rows == log->cleared || (!is_early && log->kept < CLEAR_AT && now_us - log->cleared_us < CLEAR_EVERY_US))
		return;
	log->cleared_us = now_us;
	log->kept = 0;
	leat_store_big64(from, 0);
	leat_store_big64(until, in_rows + 1);
	rocksdb_writebatch_delete_range_cf(store->batch, store->family[STORE_CHANGES], from, sizeof from, until, sizeof until);
	leat_store_put_text(store, "in-rows", "%" PRIu64, in_rows);
	log->cleared = in_rows;
}

void leat_store_put_delta(struct leat_store *store, const struct leat_delta_place *place, const struct leat_delta *delta)
{
	leat_changelog_add(&store->changelog.blob, place, delta);
	if (store->changelog.blob.n >= BLOB_MOST)
		put_blob(store);
}

/* What is durable is written into files while this commit adds to it. When that is too slow for a while, commits wait. */
static enum leat_status ask_for_rows(struct leat_store *store, struct leat_error *err)
{
	struct store_changelog *log = &store->changelog;
	uint64_t written = leat_store_written(store);
	bool is_late = log->bytes >= WAIT_AT * log->limit;

	if (log->bytes < log->limit || (!is_late && log->asked > leat_store_in_rows(store)))
		return LEAT_OK;
	log->bytes = 0;
	log->asked = written;
	fit_limit(store);
	return want_rows(store, written, is_late ? written : 0, err);
}

/* E8 */
static enum leat_status look_at_thread(struct leat_store *store, struct leat_error *err)
{
	struct store_changelog *log = &store->changelog;
	enum leat_status status;

	pthread_mutex_lock(&log->lock);
	status = log->status;
	if (status != LEAT_OK)
		*err = log->error;
	pthread_mutex_unlock(&log->lock);
	return status;
}

enum leat_status leat_store_put_changelog(struct leat_store *store, struct leat_error *err)
{
	enum leat_status status = look_at_thread(store, err);

	if (status == LEAT_OK)
		status = ask_for_rows(store, err);
	clear_blobs(store);
	if (store->changelog.blob.n > 0)
		put_blob(store);
	return status;
}

void leat_store_note_changelog(struct leat_store *store)
{
	atomic_store(&store->changelog.written, store->changelog.next - 1);
}
