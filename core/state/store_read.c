/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores as those see them who do not own them. RocksDB opens a database for reading by its manifest and then replays the
 * logs, which the owner may delete between the two, having written them to tables: then what was in them would be missing,
 * and nobody would be told. So the logs that were there before have to be there still when it is open, or it is opened again.
 * Logs go in the order they came in, so when the one that was written to is there, so are all behind it. Table files are all
 * opened at once, and may be deleted afterwards. A file of rows that it takes between the two is missing as well, and the changes in
 * it may be deleted by what the logs say: so the rows have to be there, too.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/folder.h"
#include "base/memory.h"
#include "state/store_internal.h"

enum { TRIES = 60, PAUSE_NS = 20000000, BATCH_BYTES = 1 << 20 };

/* ---- opening -------------------------------------------------------------------------------------------------------- */

static int is_log(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n > 4 && strcmp(entry->d_name + n - 4, ".log") == 0;
}

/* Frees the entries. */
static bool are_there(const char *path, struct dirent **log, int n)
{
	bool are = n >= 0;

	for (int i = 0; i < n; i++) {
		char *file = leat_format_text("%s/%s", path, log[i]->d_name);

		are = are && access(file, F_OK) == 0;
		free(file);
		free(log[i]);
	}
	free(log);
	return are;
}

static void close_again(struct leat_store *store)
{
	for (int i = 0; i < STORE_FAMILIES; i++)
		rocksdb_column_family_handle_destroy(store->family[i]);
	rocksdb_close(store->db);
	memset(store->family, 0, sizeof store->family);
	store->db = NULL;
}

/* True: it is open, and whole. RocksDB's words, when it has any, go to *said. */
static bool try_to_open(struct leat_store *store, const char *path, char **said)
{
	const rocksdb_options_t *options[STORE_FAMILIES];
	struct dirent **log = NULL;
	int n = scandir(path, &log, is_log, NULL);
	bool is_whole;

	for (int i = 0; i < STORE_FAMILIES; i++)
		options[i] = store->options[i];
	rocksdb_free(*said);
	*said = NULL;
	store->db = rocksdb_open_for_read_only_column_families(options[0], path, STORE_FAMILIES, leat_store_families, options, store->family,
	                                                       0, said);
	is_whole = are_there(path, log, n);
	if (*said != NULL)
		store->db = NULL;
	else if (!is_whole || !leat_store_has_its_rows(store))
		close_again(store);
	return store->db != NULL;
}

static enum leat_status open_db(struct leat_store *store, struct leat_error *err)
{
	char *path = leat_format_text("%s/db", store->folder), *said = NULL;
	bool is_open = false;

	if (access(path, F_OK) != 0) {
		free(path);
		return leat_error_set(err, LEAT_FATAL, errno, "there is no state in \"%s\"", store->folder);
	}
	for (int i = 0; i < STORE_FAMILIES && said == NULL; i++)
		store->options[i] = leat_store_make_options(i, &said);
	for (int i = 0; i < TRIES && !is_open; i++) {
		if (i > 0)
			(void)nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
		is_open = try_to_open(store, path, &said);
	}
	free(path);
	/* What is missing is made by whoever may write. */
	if (said != NULL && strstr(said, "Column family not found: ") != NULL) {
		rocksdb_free(said);
		return leat_error_set(err, LEAT_FATAL, 0, "state in \"%s\" is of an older version: start its pipeline once, and try again",
		                      store->folder);
	}
	if (said != NULL)
		return leat_store_error(store, "open", said, err);
	if (!is_open)
		return leat_error_set(err, LEAT_FATAL, 0, "could not open state in \"%s\": it changes too fast", store->folder);
	return LEAT_OK;
}

/* A shared lock: owners want it for themselves. */
static enum leat_status hold(struct leat_store *store, struct leat_error *err)
{
	char *path = leat_format_text("%s/lock", store->folder);

	store->lock = open(path, O_RDONLY | O_CLOEXEC);
	free(path);
	/* A copy that was never owned has none. */
	if (store->lock < 0 && errno == ENOENT)
		return LEAT_OK;
	if (store->lock < 0)
		return leat_error_set(err, LEAT_FATAL, errno, "could not open \"%s/lock\": %s", store->folder, strerror(errno));
	if (flock(store->lock, LOCK_SH | LOCK_NB) != 0)
		return leat_error_set(err, LEAT_RETRY, errno, "state in \"%s\" is in use by another process", store->folder);
	return LEAT_OK;
}

static enum leat_status open_for_reading(const char *folder, const char *pipeline, bool is_still, struct leat_store **out,
                                         struct leat_error *err)
{
	struct leat_store *store = leat_store_make(folder);
	enum leat_status status = LEAT_OK;

	store->is_read_only = true;
	if (is_still)
		status = hold(store, err);
	if (status == LEAT_OK)
		status = open_db(store, err);
	return leat_store_hand_out(store, status, pipeline, out, err);
}

enum leat_status leat_store_open_read_only(const char *folder, const char *pipeline, struct leat_store **out, struct leat_error *err)
{
	return open_for_reading(folder, pipeline, false, out, err);
}

enum leat_status leat_store_open_still(const char *folder, const char *pipeline, struct leat_store **out, struct leat_error *err)
{
	return open_for_reading(folder, pipeline, true, out, err);
}

/* ---- the catalogue -------------------------------------------------------------------------------------------------- */

const struct leat_store_table *leat_store_table(const struct leat_store *store, size_t i)
{
	return i < store->n_tables ? &store->table[i].is : NULL;
}

uint32_t leat_store_n_sinks(const struct leat_store *store)
{
	return (uint32_t)store->n_sinks;
}

const char *leat_store_sink_name(const struct leat_store *store, uint32_t sink)
{
	return store->sink[sink - 1].name;
}

uint32_t leat_store_find_sink(const struct leat_store *store, const char *sink)
{
	for (uint32_t number = 1; number <= store->n_sinks; number++)
		if (strcmp(store->sink[number - 1].name, sink) == 0)
			return number;
	return 0;
}

enum leat_status leat_store_positions(const struct leat_store *store,
                                      void (*take)(void *opaque, const char *source, int32_t partition, const struct leat_position *position),
                                      void *opaque, struct leat_error *err)
{
	static const char prefix[] = "position/";
	rocksdb_iterator_t *i = rocksdb_create_iterator_cf(store->db, store->read, store->family[STORE_META]);
	char *said = NULL;

	for (rocksdb_iter_seek(i, prefix, strlen(prefix)); rocksdb_iter_valid(i); rocksdb_iter_next(i)) {
		struct leat_position position;
		size_t n;
		const char *key = rocksdb_iter_key(i, &n);
		char *name, *slash;

		if (n < strlen(prefix) || memcmp(key, prefix, strlen(prefix)) != 0)
			break;
		name = leat_copy_bytes_as_text(key + strlen(prefix), n - strlen(prefix));
		slash = strrchr(name, '/');
		if (slash != NULL) {
			int32_t partition = (int32_t)strtol(slash + 1, NULL, 10);

			*slash = '\0';
			if (leat_store_position(store, name, partition, &position))
				take(opaque, name, partition, &position);
		}
		free(name);
	}
	rocksdb_iter_get_error(i, &said);
	rocksdb_iter_destroy(i);
	return said != NULL ? leat_store_error(store, "read", said, err) : LEAT_OK;
}

/* ---- copies --------------------------------------------------------------------------------------------------------- */

static enum leat_status write_batch(struct leat_store *to, rocksdb_writeoptions_t *how, struct leat_error *err)
{
	char *said = NULL;

	rocksdb_write(to->db, how, to->batch, &said);
	rocksdb_writebatch_clear(to->batch);
	return said != NULL ? leat_store_error(to, "write", said, err) : LEAT_OK;
}

static enum leat_status copy_family(const struct leat_store *from, struct leat_store *to, int family, rocksdb_writeoptions_t *how,
                                    struct leat_error *err)
{
	rocksdb_iterator_t *i = rocksdb_create_iterator_cf(from->db, from->read, from->family[family]);
	enum leat_status status = LEAT_OK;
	char *said = NULL;

	for (rocksdb_iter_seek_to_first(i); status == LEAT_OK && rocksdb_iter_valid(i); rocksdb_iter_next(i)) {
		size_t key_n, n;
		const char *key = rocksdb_iter_key(i, &key_n), *value = rocksdb_iter_value(i, &n);

		rocksdb_writebatch_put_cf(to->batch, to->family[family], key, key_n, value, n);
		if (leat_store_batch_bytes(to) > BATCH_BYTES)
			status = write_batch(to, how, err);
	}
	rocksdb_iter_get_error(i, &said);
	rocksdb_iter_destroy(i);
	if (said != NULL)
		return leat_store_error(from, "read", said, err);
	return status;
}

/* The texts come last, with the format among them: a copy that was not finished is no store. */
static enum leat_status copy_families(const struct leat_store *from, struct leat_store *to, struct leat_error *err)
{
	static const int order[STORE_FAMILIES] = { STORE_ROWS, STORE_CHANGES, STORE_OUTBOX, STORE_LETTERS, STORE_META };
	rocksdb_writeoptions_t *unsynced = rocksdb_writeoptions_create();
	enum leat_status status = LEAT_OK;

	for (int i = 0; i < STORE_FAMILIES && status == LEAT_OK; i++)
		status = copy_family(from, to, order[i], unsynced, err);
	rocksdb_writeoptions_destroy(unsynced);
	return status == LEAT_OK ? write_batch(to, to->synced, err) : status;
}

static enum leat_status fill(const struct leat_store *from, const char *folder, struct leat_error *err)
{
	struct leat_store *to = leat_store_make(folder);
	enum leat_status status = leat_store_open_db(to, err);

	if (status == LEAT_OK)
		status = copy_families(from, to, err);
	leat_store_close(to);
	return status;
}

enum leat_status leat_store_copy(const struct leat_store *store, const char *folder, struct leat_error *err)
{
	char *part = leat_format_text("%s.part", folder);
	enum leat_status status = LEAT_OK;
	struct stat is;

	if (lstat(folder, &is) == 0)
		status = leat_error_set(err, LEAT_FATAL, EEXIST, "\"%s\" is there already, and is not overwritten", folder);
	else if (mkdir(part, 0700) != 0)
		status = leat_error_set(err, LEAT_FATAL, errno, "could not make folder \"%s\": %s", part, strerror(errno));
	if (status == LEAT_OK)
		status = leat_fault_error("backup-copy-before", err);
	if (status == LEAT_OK)
		status = fill(store, part, err);
	if (status == LEAT_OK)
		status = leat_fault_error("backup-copy-after", err);
	if (status == LEAT_OK && rename(part, folder) != 0)
		status = leat_error_set(err, LEAT_FATAL, errno, "could not rename \"%s\" to \"%s\": %s", part, folder, strerror(errno));
	if (status == LEAT_OK)
		status = leat_fault_error("backup-rename-after", err);
	if (status == LEAT_OK)
		status = leat_folder_sync_name(folder, err);
	free(part);
	return status;
}
