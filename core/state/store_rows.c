/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tables, read back: all of a table, all of a shard of it, or those of one key. */
#include "base/hash.h"
#include "base/memory.h"
#include "state/store_internal.h"

rocksdb_column_family_handle_t *leat_store_family_of(const struct leat_store *store, uint32_t number)
{
	uint32_t kind = store->table[number - 1].is.kind;

	return store->family[kind == LEAT_TABLE_FIXED || kind == LEAT_TABLE_VALUE ? STORE_ROWS : STORE_RANGES];
}

void leat_store_end_row_key(const struct leat_store *store, const rocksdb_column_family_handle_t *family, struct leat_buffer *key)
{
	uint32_t hash = (uint32_t)leat_hash(key->data, key->n);

	if (family != store->family[STORE_ROWS])
		return;
	leat_store_big32(leat_buffer_reserve(key, STORE_ROW_HASH), hash);
	key->n += STORE_ROW_HASH;
}

static uint32_t read_big32(const char *bytes)
{
	uint32_t n = 0;

	for (int i = 0; i < 4; i++)
		n = n << 8 | (unsigned char)bytes[i];
	return n;
}

/* The beginning of keys: of all in the table, and with more of it of those in the shard, or of one entry. */
static void begin_prefix(struct leat_buffer *prefix, uint32_t number)
{
	leat_store_big32(leat_buffer_reserve(prefix, STORE_ROW_PREFIX), number);
	prefix->n = STORE_ROW_PREFIX / 2;
}

static void add_shard(struct leat_buffer *prefix, uint32_t shard)
{
	leat_store_big32(prefix->data + prefix->n, shard);
	prefix->n = STORE_ROW_PREFIX;
}

/* ---- one after another ---------------------------------------------------------------------------------------------- */

struct leat_store_cursor {
	const struct leat_store *store;
	rocksdb_iterator_t *at;
	size_t around; /* bytes of a row's key that are not its own */
	struct leat_buffer prefix;
	bool has_begun;
};

/* Takes the prefix. */
static struct leat_store_cursor *open_cursor(const struct leat_store *store, uint32_t number, struct leat_buffer prefix)
{
	struct leat_store_cursor *cursor = leat_allocate_zeroed(1, sizeof *cursor);
	rocksdb_column_family_handle_t *family = leat_store_family_of(store, number);

	cursor->store = store;
	cursor->at = rocksdb_create_iterator_cf(store->db, store->read, family);
	cursor->around = STORE_ROW_PREFIX + (family == store->family[STORE_ROWS] ? STORE_ROW_HASH : 0);
	cursor->prefix = prefix;
	return cursor;
}

struct leat_store_cursor *leat_store_cursor_open(const struct leat_store *store, uint32_t number, uint32_t shard)
{
	struct leat_buffer prefix = { 0 };

	begin_prefix(&prefix, number);
	add_shard(&prefix, shard);
	return open_cursor(store, number, prefix);
}

static bool next_row(struct leat_store_cursor *cursor, uint32_t *shard, struct leat_delta_op *row)
{
	const struct leat_buffer *prefix = &cursor->prefix;
	const char *key;

	if (cursor->has_begun)
		rocksdb_iter_next(cursor->at);
	else
		rocksdb_iter_seek(cursor->at, prefix->data, prefix->n);
	cursor->has_begun = true;
	if (!rocksdb_iter_valid(cursor->at))
		return false;
	*row = (struct leat_delta_op){ .kind = LEAT_DELTA_PUT };
	key = rocksdb_iter_key(cursor->at, &row->key_n);
	if (row->key_n < cursor->around || row->key_n < prefix->n || memcmp(key, prefix->data, prefix->n) != 0)
		return false;
	*shard = read_big32(key + 4);
	row->key = key + STORE_ROW_PREFIX;
	row->key_n -= cursor->around;
	row->value = rocksdb_iter_value(cursor->at, &row->value_n);
	return true;
}

bool leat_store_cursor_next(struct leat_store_cursor *cursor, struct leat_delta_op *row)
{
	uint32_t shard;

	return next_row(cursor, &shard, row);
}

enum leat_status leat_store_cursor_close(struct leat_store_cursor *cursor, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;
	char *said = NULL;

	if (cursor == NULL)
		return LEAT_OK;
	rocksdb_iter_get_error(cursor->at, &said);
	if (said != NULL)
		status = leat_store_error(cursor->store, "read", said, err);
	rocksdb_iter_destroy(cursor->at);
	leat_buffer_finish(&cursor->prefix);
	free(cursor);
	return status;
}

/* ---- all of them ---------------------------------------------------------------------------------------------------- */

enum leat_status leat_store_scan(const struct leat_store *store, uint32_t number,
                                 bool (*take)(void *opaque, uint32_t shard, const struct leat_delta_op *op), void *opaque,
                                 struct leat_error *err)
{
	struct leat_store_cursor *cursor;
	struct leat_buffer prefix = { 0 };
	struct leat_delta_op row;
	uint32_t shard;

	begin_prefix(&prefix, number);
	cursor = open_cursor(store, number, prefix);
	while (next_row(cursor, &shard, &row) && take(opaque, shard, &row))
		;
	return leat_store_cursor_close(cursor, err);
}

static enum leat_status damaged(const struct leat_store *store, struct leat_error *err)
{
	return leat_error_set(err, LEAT_FATAL, 0, "state in \"%s\" is damaged: a row", store->folder);
}

/* Closes the cursor. */
static enum leat_status take_all(struct leat_store_cursor *cursor, bool (*take)(void *opaque, const struct leat_delta_op *op), void *opaque,
                                 struct leat_error *err)
{
	const struct leat_store *store = cursor->store;
	enum leat_status status;
	struct leat_delta_op row;
	bool is_good = true;

	while (is_good && leat_store_cursor_next(cursor, &row))
		is_good = take(opaque, &row);
	status = leat_store_cursor_close(cursor, err);
	return status == LEAT_OK && !is_good ? damaged(store, err) : status;
}

enum leat_status leat_store_rows(const struct leat_store *store, uint32_t number, uint32_t shard,
                                 bool (*take)(void *opaque, const struct leat_delta_op *op), void *opaque, struct leat_error *err)
{
	return take_all(leat_store_cursor_open(store, number, shard), take, opaque, err);
}

static bool note_row(void *opaque, uint32_t shard, const struct leat_delta_op *op)
{
	(void)shard;
	(void)op;
	*(bool *)opaque = true;
	return false;
}

bool leat_store_has_rows(const struct leat_store *store, uint32_t number)
{
	struct leat_error err;
	bool has = false;

	return leat_store_scan(store, number, note_row, &has, &err) != LEAT_OK || has;
}

/* ---- of one key ----------------------------------------------------------------------------------------------------- */

static enum leat_status get_row(const struct leat_store *store, const struct leat_buffer *name,
                                bool (*take)(void *opaque, const struct leat_delta_op *op), void *opaque, struct leat_error *err)
{
	struct leat_delta_op row = { .kind = LEAT_DELTA_PUT, .key = name->data + STORE_ROW_PREFIX, .key_n = name->n - STORE_ROW_PREFIX - STORE_ROW_HASH };
	char *said = NULL;
	rocksdb_pinnableslice_t *value =
		rocksdb_get_pinned_cf(store->db, store->read, store->family[STORE_ROWS], name->data, name->n, &said);
	bool is_good = true;

	if (said != NULL)
		return leat_store_error(store, "read", said, err);
	if (value != NULL) {
		row.value = rocksdb_pinnableslice_value(value, &row.value_n);
		is_good = take(opaque, &row);
	}
	rocksdb_pinnableslice_destroy(value);
	return is_good ? LEAT_OK : damaged(store, err);
}

enum leat_status leat_store_fetch(const struct leat_store *store, uint32_t number, uint32_t shard, const char *key, size_t key_n,
                                  bool (*take)(void *opaque, const struct leat_delta_op *op), void *opaque, struct leat_error *err)
{
	rocksdb_column_family_handle_t *family = leat_store_family_of(store, number);
	struct leat_buffer name = { 0 };
	enum leat_status status;

	begin_prefix(&name, number);
	add_shard(&name, shard);
	leat_buffer_append(&name, key, key_n);
	leat_store_end_row_key(store, family, &name);
	if (family != store->family[STORE_ROWS])
		return take_all(open_cursor(store, number, name), take, opaque, err);
	status = get_row(store, &name, take, opaque, err);
	leat_buffer_finish(&name);
	return status;
}
