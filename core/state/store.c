/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening, and the one batch that an epoch is. RocksDB's log is what makes a batch durable: it is written and synced before
 * rocksdb_write() returns. A record that is torn at its end, or has holes where a power cut has left pages unwritten, was never
 * acknowledged: the log is read up to it (recovery mode 2). That is a whole epoch, with its positions, so damage before the end
 * means that a later start reads again; where something of what is cut off was delivered, the sink is ahead and refuses (E5).
 */
#include "state/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lz4.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bug.h"
#include "base/check.h"
#include "base/fault.h"
#include "base/folder.h"
#include "base/memory.h"
#include "state/store_internal.h"

/* 1: all rows in one family. 2: files of a pattern were numbered by their order, and nothing said what positions, rows and
 * effects belong to. 3: rows were put one by one. */
#define FORMAT "4"

/* The log is read at a start, so it is kept short: most of it is effects that were delivered long ago. */
enum { POINT_IN_TIME = 2, WAL_LIMIT = 64 << 20, WRITE_BUFFER = 16 << 20, BLOCK_CACHE = 32 << 20, BLOOM_BITS = 10 };

const char *const leat_store_families[STORE_FAMILIES] = { "default", "rows", "changes", "outbox", "letters" };

enum leat_status leat_store_error(const struct leat_store *store, const char *what, char *said, struct leat_error *err)
{
	bool is_full = strstr(said, strerror(ENOSPC)) != NULL;

	(void)leat_error_set(err, LEAT_FATAL, is_full ? ENOSPC : 0, "could not %s state in \"%s\": %s%s", what, store->folder,
	                     is_full ? "make room on its disk and start again: " : "", said);
	rocksdb_free(said);
	return LEAT_FATAL;
}

/* ---- opening -------------------------------------------------------------------------------------------------------- */

static enum leat_status lock_folder(struct leat_store *store, struct leat_error *err)
{
	char *path = leat_format_text("%s/lock", store->folder);

	if (mkdir(store->folder, 0700) != 0 && errno != EEXIST) {
		free(path);
		return leat_error_set(err, LEAT_FATAL, errno, "could not make folder \"%s\": %s", store->folder, strerror(errno));
	}
	store->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	free(path);
	if (store->lock < 0)
		return leat_error_set(err, LEAT_FATAL, errno, "could not open \"%s/lock\": %s", store->folder, strerror(errno));
	if (!LEAT_BUG("store-not-locked") && flock(store->lock, LOCK_EX | LOCK_NB) != 0)
		return leat_error_set(err, LEAT_FATAL, errno, "state in \"%s\" is in use by another process", store->folder);
	return LEAT_OK;
}

static void filter_files(rocksdb_options_t *options)
{
	rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
	rocksdb_cache_t *cache = rocksdb_cache_create_lru(BLOCK_CACHE);

	rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
	rocksdb_block_based_options_set_block_cache(table, cache);
	rocksdb_options_set_block_based_table_factory(options, table);
	rocksdb_cache_destroy(cache);
	rocksdb_block_based_options_destroy(table);
}

rocksdb_options_t *leat_store_make_options(int family, char **said)
{
	rocksdb_options_t *plain = rocksdb_options_create();
	rocksdb_options_t *options = rocksdb_options_create();

	/* E8: what has failed once is not tried again behind our back. */
	rocksdb_get_options_from_string(plain, "max_bgerror_resume_count=0", options, said);
	rocksdb_options_destroy(plain);
	rocksdb_options_set_create_if_missing(options, 1);
	rocksdb_options_set_create_missing_column_families(options, 1);
	rocksdb_options_set_paranoid_checks(options, 1);
	rocksdb_options_set_wal_recovery_mode(options, POINT_IN_TIME);
	rocksdb_options_set_write_buffer_size(options, WRITE_BUFFER);
	rocksdb_options_set_max_total_wal_size(options, WAL_LIMIT);
	rocksdb_options_set_max_background_jobs(options, 2);
	rocksdb_options_set_keep_log_file_num(options, 2);
	/* The highest level, which no error has. It would write why a write has failed into a file on the same disk, and Debian's
	 * build aborts when that fails as well: before the error comes to us, and without a reason. */
	rocksdb_options_set_info_log_level(options, 5);
	rocksdb_options_set_compression(options, family == STORE_OUTBOX || family == STORE_CHANGES ? rocksdb_no_compression : rocksdb_lz4_compression);
	if (family == STORE_ROWS)
		filter_files(options);
	return options;
}

enum leat_status leat_store_open_db(struct leat_store *store, struct leat_error *err)
{
	char *path = leat_format_text("%s/db", store->folder);
	const rocksdb_options_t *options[STORE_FAMILIES];
	char *said = NULL;

	for (int i = 0; i < STORE_FAMILIES && said == NULL; i++)
		options[i] = store->options[i] = leat_store_make_options(i, &said);
	if (said == NULL)
		store->db = rocksdb_open_column_families(store->options[0], path, STORE_FAMILIES, leat_store_families, options, store->family,
		                                         &said);
	free(path);
	return said != NULL ? leat_store_error(store, "open", said, err) : LEAT_OK;
}

static enum leat_status identify(struct leat_store *store, const char *pipeline, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;
	char *format = leat_store_text(store, "format", &status, err);
	char *name = leat_store_text(store, "pipeline", &status, err);
	char *incarnation = leat_store_text(store, "incarnation", &status, err);
	char *epoch = leat_store_text(store, "epoch", &status, err);

	if (status == LEAT_OK && format != NULL && strcmp(format, FORMAT) != 0)
		status = leat_error_set(err, LEAT_FATAL, 0, "state in \"%s\" has format %s, this version reads " FORMAT, store->folder, format);
	else if (status == LEAT_OK && name != NULL && pipeline != NULL && strcmp(name, pipeline) != 0)
		status = leat_error_set(err, LEAT_FATAL, 0, "state in \"%s\" is of pipeline \"%s\"", store->folder, name);
	atomic_store(&store->incarnation, incarnation == NULL ? 0 : strtoull(incarnation, NULL, 10));
	atomic_store(&store->epoch, epoch == NULL ? 0 : strtoull(epoch, NULL, 10));
	store->pipeline = leat_copy_text(name != NULL ? name : pipeline);
	if (status == LEAT_OK && format == NULL && store->is_read_only)
		status = leat_error_set(err, LEAT_FATAL, 0, "there is no state in \"%s\"", store->folder);
	else if (status == LEAT_OK && format == NULL) {
		leat_store_put_text(store, "format", "%s", FORMAT);
		leat_store_put_text(store, "pipeline", "%s", pipeline);
		status = leat_store_commit(store, 0, err);
	}
	free(format);
	free(name);
	free(incarnation);
	free(epoch);
	return status;
}

struct leat_store *leat_store_make(const char *folder)
{
	struct leat_store *store = leat_allocate_zeroed(1, sizeof *store);

	store->folder = leat_copy_text(folder);
	store->lock = -1;
	pthread_mutex_init(&store->lock_incarnation, NULL);
	store->read = rocksdb_readoptions_create();
	store->synced = rocksdb_writeoptions_create();
	rocksdb_writeoptions_set_sync(store->synced, !LEAT_BUG("store-not-synced"));
	store->batch = rocksdb_writebatch_create();
	leat_store_begin_changelog(store);
	return store;
}

enum leat_status leat_store_hand_out(struct leat_store *store, enum leat_status status, const char *pipeline, struct leat_store **out,
                                     struct leat_error *err)
{
	if (status == LEAT_OK)
		status = identify(store, pipeline, err);
	if (status == LEAT_OK)
		status = leat_store_read_catalogue(store, err);
	if (status == LEAT_OK)
		status = leat_store_read_letters(store, err);
	if (status == LEAT_OK)
		status = leat_store_read_changelog(store, err);
	if (status == LEAT_OK)
		*out = store;
	else
		leat_store_close(store);
	return status;
}

char *leat_store_folder_in(const char *state_dir, const char *pipeline)
{
	return leat_format_text("%s/%s.state", state_dir, pipeline);
}

/* What is synced in a folder whose name is not is lost with the name. */
static enum leat_status sync_names(const char *folder, struct leat_error *err)
{
	char *db = leat_format_text("%s/db", folder);
	enum leat_status status = leat_folder_sync_name(db, err);

	free(db);
	return status == LEAT_OK ? leat_folder_sync_name(folder, err) : status;
}

enum leat_status leat_store_open(const char *folder, const char *pipeline, struct leat_store **out, struct leat_error *err)
{
	struct leat_store *store = leat_store_make(folder);
	enum leat_status status = lock_folder(store, err);

	if (status == LEAT_OK)
		status = leat_store_open_db(store, err);
	if (status == LEAT_OK)
		status = sync_names(folder, err);
	status = leat_store_hand_out(store, status, pipeline, &store, err);
	if (status != LEAT_OK)
		return status;
	status = leat_store_materialize(store, err);
	if (status == LEAT_OK)
		*out = store;
	else
		leat_store_close(store);
	return status;
}

static void close_db(struct leat_store *store)
{
	rocksdb_writebatch_destroy(store->batch);
	rocksdb_writeoptions_destroy(store->synced);
	rocksdb_readoptions_destroy(store->read);
	for (int i = 0; i < STORE_FAMILIES; i++)
		if (store->family[i] != NULL)
			rocksdb_column_family_handle_destroy(store->family[i]);
	if (store->db != NULL)
		rocksdb_close(store->db);
	for (int i = 0; i < STORE_FAMILIES; i++)
		if (store->options[i] != NULL)
			rocksdb_options_destroy(store->options[i]);
}

void leat_store_close(struct leat_store *store)
{
	if (store == NULL)
		return;
	leat_store_end_changelog(store);
	close_db(store);
	for (size_t i = 0; i < store->n_tables; i++) {
		free(store->table[i].node);
		free(store->table[i].table);
	}
	for (size_t i = 0; i < store->n_sinks; i++)
		free(store->sink[i].name);
	for (size_t i = 0; i < store->n_used_sources; i++)
		free(store->used_source[i]);
	free(store->used_source);
	free(store->table);
	free(store->sink);
	leat_store_forget_letters(store);
	leat_buffer_finish(&store->scratch);
	if (store->lock >= 0)
		(void)close(store->lock);
	pthread_mutex_destroy(&store->lock_incarnation);
	free(store->folder);
	free(store->pipeline);
	free(store);
}

const char *leat_store_folder(const struct leat_store *store)
{
	return store->folder;
}

const char *leat_store_pipeline(const struct leat_store *store)
{
	return store->pipeline;
}

/* ---- who we are ------------------------------------------------------------------------------------------------------ */

uint64_t leat_store_incarnation(const struct leat_store *store)
{
	return atomic_load(&store->incarnation);
}

uint64_t leat_store_epoch(const struct leat_store *store)
{
	return atomic_load(&store->epoch);
}

enum leat_status leat_store_set_incarnation(struct leat_store *store, uint64_t incarnation, struct leat_error *err)
{
	enum leat_status status = leat_fault_error("incarnation-before", err);
	char text[24];
	char *said = NULL;

	if (status != LEAT_OK)
		return status;
	pthread_mutex_lock(&store->lock_incarnation);
	if (incarnation > atomic_load(&store->incarnation)) {
		(void)snprintf(text, sizeof text, "%" PRIu64, incarnation);
		rocksdb_put_cf(store->db, store->synced, store->family[STORE_META], "incarnation", strlen("incarnation"), text, strlen(text),
		               &said);
		if (said != NULL)
			status = leat_store_error(store, "write", said, err);
		else
			atomic_store(&store->incarnation, incarnation);
	}
	pthread_mutex_unlock(&store->lock_incarnation);
	return status == LEAT_OK ? leat_fault_error("incarnation-after", err) : status;
}

/* ---- one epoch ------------------------------------------------------------------------------------------------------ */

void leat_store_put_text(struct leat_store *store, const char *name, const char *format, ...)
{
	char text[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	leat_check(n >= 0 && (size_t)n < sizeof text);
	rocksdb_writebatch_put_cf(store->batch, store->family[STORE_META], name, strlen(name), text, (size_t)n);
}

void leat_store_put_watermark(struct leat_store *store, const char *node, uint32_t shard, int64_t us)
{
	char name[256];

	(void)snprintf(name, sizeof name, "watermark/%s/%" PRIu32, node, shard);
	leat_store_put_text(store, name, "%" PRId64, us);
}

void leat_store_put_position(struct leat_store *store, const char *source, int32_t partition, const struct leat_position *position)
{
	char name[256];

	(void)snprintf(name, sizeof name, "position/%s/%" PRId32, source, partition);
	leat_store_put_text(store, name, "%" PRId64 " %s", position->offset, position->note);
}

uint64_t leat_outbox_digest(uint64_t previous, const char *bytes, size_t n)
{
	return XXH3_64bits_withSeed(bytes, n, LEAT_BUG("digest-not-chained") ? 0 : previous);
}

struct outbox_header {
	uint64_t previous_epoch, previous_digest, digest, bytes_n;
	uint32_t n, padding;
};

static void outbox_key(char key[12], uint32_t sink, uint64_t epoch)
{
	leat_store_big32(key, sink);
	leat_store_big64(key + 4, epoch);
}

void leat_store_put_head(struct leat_store *store, uint32_t sink, const struct leat_fence *head)
{
	char name[32];

	store->sink[sink - 1].head = (struct leat_fence){ .epoch = head->epoch, .digest = head->digest };
	(void)snprintf(name, sizeof name, "head/%" PRIu32, sink);
	leat_store_put_text(store, name, "%" PRIu64 " %016" PRIx64, head->epoch, head->digest);
}

void leat_store_put_effects(struct leat_store *store, uint32_t sink, const struct leat_outbox_entry *entry)
{
	const struct outbox_header header = { entry->previous_epoch, entry->previous_digest, entry->digest, entry->bytes_n, entry->n, 0 };
	struct leat_buffer *value = &store->scratch;
	char key[12];
	int bound, n;

	leat_check(entry->bytes_n <= LZ4_MAX_INPUT_SIZE);
	bound = LZ4_compressBound((int)entry->bytes_n);
	value->n = 0;
	leat_buffer_append(value, &header, sizeof header);
	n = LZ4_compress_default(entry->bytes, leat_buffer_reserve(value, (size_t)bound), (int)entry->bytes_n, bound);
	leat_check(n > 0);
	value->n += (size_t)n;
	outbox_key(key, sink, entry->epoch);
	rocksdb_writebatch_put_cf(store->batch, store->family[STORE_OUTBOX], key, sizeof key, value->data, value->n);
	leat_store_put_head(store, sink, &(struct leat_fence){ .epoch = entry->epoch, .digest = entry->digest });
}

void leat_store_put_delivered(struct leat_store *store, uint32_t sink, const struct leat_fence *fence)
{
	leat_store_put_progress(store, sink, fence, fence->epoch);
}

void leat_store_put_progress(struct leat_store *store, uint32_t sink, const struct leat_fence *fence, uint64_t until)
{
	struct store_sink *s = &store->sink[sink - 1];
	char from[12], to[12], name[32];

	/* Ranges that overlap would cost RocksDB the square of their number whenever it writes them into a file. */
	if (until > s->forgotten) {
		outbox_key(from, sink, s->forgotten + 1);
		outbox_key(to, sink, until + 1);
		rocksdb_writebatch_delete_range_cf(store->batch, store->family[STORE_OUTBOX], from, sizeof from, to, sizeof to);
		s->forgotten = until;
	}
	s->delivered = *fence;
	leat_store_settle_move(store, sink);
	(void)snprintf(name, sizeof name, "delivered/%" PRIu32, sink);
	leat_store_put_text(store, name, "%" PRIu64 " %" PRIu64 " %016" PRIx64, fence->incarnation, fence->epoch, fence->digest);
}

bool leat_store_has_changes(const struct leat_store *store)
{
	return rocksdb_writebatch_count(store->batch) > 0 || store->changelog.blob.n > 0;
}

uint64_t leat_store_batch_bytes(const struct leat_store *store)
{
	size_t n;

	(void)rocksdb_writebatch_data(store->batch, &n);
	return n + store->changelog.blob.n;
}

enum leat_status leat_store_commit(struct leat_store *store, uint64_t epoch, struct leat_error *err)
{
	char *said = NULL;

	leat_check(epoch >= leat_store_epoch(store));
	if (leat_store_put_changelog(store, err) != LEAT_OK)
		return LEAT_FATAL;
	leat_store_put_text(store, "epoch", "%" PRIu64, epoch);
	leat_store_put_letter_counts(store);
	rocksdb_write(store->db, store->synced, store->batch, &said);
	rocksdb_writebatch_clear(store->batch);
	if (said != NULL && !LEAT_BUG("write-error-ignored"))
		return leat_store_error(store, "write", said, err);
	atomic_store(&store->epoch, epoch);
	leat_store_note_changelog(store);
	return LEAT_OK;
}

/* ---- the outbox, read back ------------------------------------------------------------------------------------------- */

static enum leat_status damaged(const struct leat_store *store, uint32_t sink, uint64_t epoch, struct leat_error *err)
{
	return leat_error_set(err, LEAT_FATAL, 0, "state in \"%s\" is damaged: effects of epoch %" PRIu64 " for sink \"%s\"", store->folder,
	                      epoch, store->sink[sink - 1].name);
}

static enum leat_status take_entry(const struct leat_store *store, uint32_t sink, uint64_t epoch, const char *value, size_t n,
                                   bool (*take)(void *opaque, const struct leat_outbox_entry *entry), void *opaque,
                                   struct leat_error *err)
{
	struct outbox_header h;
	struct leat_outbox_entry entry;
	char *raw;
	bool is_good;

	if (n < sizeof h)
		return damaged(store, sink, epoch, err);
	memcpy(&h, value, sizeof h);
	if (h.bytes_n > LZ4_MAX_INPUT_SIZE)
		return damaged(store, sink, epoch, err);
	raw = leat_allocate_bytes(h.bytes_n + 1);
	entry = (struct leat_outbox_entry){ .epoch = epoch, .previous_epoch = h.previous_epoch, .previous_digest = h.previous_digest,
		                                .digest = h.digest, .n = h.n, .bytes = raw, .bytes_n = h.bytes_n };
	is_good = LZ4_decompress_safe(value + sizeof h, raw, (int)(n - sizeof h), (int)h.bytes_n) == (int)h.bytes_n &&
	          leat_outbox_digest(h.previous_digest, raw, h.bytes_n) == h.digest && take(opaque, &entry);
	free(raw);
	return is_good ? LEAT_OK : damaged(store, sink, epoch, err);
}

enum leat_status leat_store_outbox(const struct leat_store *store, uint32_t sink, uint64_t after,
                                   bool (*take)(void *opaque, const struct leat_outbox_entry *entry), void *opaque,
                                   struct leat_error *err)
{
	rocksdb_iterator_t *i = rocksdb_create_iterator_cf(store->db, store->read, store->family[STORE_OUTBOX]);
	enum leat_status status = LEAT_OK;
	char from[12];
	char *said = NULL;

	outbox_key(from, sink, after + 1);
	for (rocksdb_iter_seek(i, from, sizeof from); status == LEAT_OK && rocksdb_iter_valid(i); rocksdb_iter_next(i)) {
		size_t key_n, n;
		const char *key = rocksdb_iter_key(i, &key_n), *value = rocksdb_iter_value(i, &n);
		uint64_t epoch = 0;

		if (key_n != sizeof from || memcmp(key, from, 4) != 0)
			break;
		for (int b = 4; b < 12; b++)
			epoch = epoch << 8 | (unsigned char)key[b];
		status = take_entry(store, sink, epoch, value, n, take, opaque, err);
	}
	rocksdb_iter_get_error(i, &said);
	rocksdb_iter_destroy(i);
	if (said != NULL)
		return leat_store_error(store, "read", said, err);
	return status;
}
