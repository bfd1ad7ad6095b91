/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tables, read back: all of a shard, all of a table, or those of one entry. */
#include "base/memory.h"
#include "state/store_internal.h"

rocksdb_column_family_handle_t *leat_store_family_of(const struct leat_store *store, uint32_t number)
{
	uint32_t kind = store->table[number - 1].is.kind;

	return store->family[kind == LEAT_TABLE_FIXED || kind == LEAT_TABLE_VALUE ? STORE_ROWS : STORE_RANGES];
}

static uint32_t read_big32(const char *bytes)
{
	uint32_t n = 0;

	for (int i = 0; i < 4; i++)
		n = n << 8 | (unsigned char)bytes[i];
	return n;
}

/* The row that the iterator is at, if its key begins with the prefix. */
static bool read_row(const rocksdb_iterator_t *i, const char *prefix, size_t prefix_n, uint32_t *shard, struct leat_delta_op *row)
{
	const char *key;

	if (!rocksdb_iter_valid(i))
		return false;
	*row = (struct leat_delta_op){ .kind = LEAT_DELTA_PUT };
	key = rocksdb_iter_key(i, &row->key_n);
	if (row->key_n < STORE_ROW_PREFIX || row->key_n < prefix_n || memcmp(key, prefix, prefix_n) != 0)
		return false;
	*shard = read_big32(key + 4);
	row->key = key + STORE_ROW_PREFIX;
	row->key_n -= STORE_ROW_PREFIX;
	row->value = rocksdb_iter_value(i, &row->value_n);
	return true;
}

enum leat_status leat_store_scan(const struct leat_store *store, uint32_t number,
                                 bool (*take)(void *opaque, uint32_t shard, const struct leat_delta_op *op), void *opaque,
                                 struct leat_error *err)
{
	rocksdb_iterator_t *i = rocksdb_create_iterator_cf(store->db, store->read, leat_store_family_of(store, number));
	struct leat_delta_op row;
	char prefix[4];
	char *said = NULL;
	uint32_t shard;

	leat_store_big32(prefix, number);
	rocksdb_iter_seek(i, prefix, sizeof prefix);
	while (read_row(i, prefix, sizeof prefix, &shard, &row) && take(opaque, shard, &row))
		rocksdb_iter_next(i);
	rocksdb_iter_get_error(i, &said);
	rocksdb_iter_destroy(i);
	return said != NULL ? leat_store_error(store, "read", said, err) : LEAT_OK;
}

enum leat_status leat_store_rows(const struct leat_store *store, uint32_t number, uint32_t shard,
                                 bool (*take)(void *opaque, const struct leat_delta_op *op), void *opaque, struct leat_error *err)
{
	rocksdb_iterator_t *i = rocksdb_create_iterator_cf(store->db, store->read, leat_store_family_of(store, number));
	enum leat_status status = LEAT_OK;
	struct leat_delta_op row;
	char prefix[STORE_ROW_PREFIX];
	char *said = NULL;

	leat_store_big32(prefix, number);
	leat_store_big32(prefix + 4, shard);
	rocksdb_iter_seek(i, prefix, sizeof prefix);
	for (; status == LEAT_OK && read_row(i, prefix, sizeof prefix, &shard, &row); rocksdb_iter_next(i))
		if (!take(opaque, &row))
			status = leat_error_set(err, LEAT_FATAL, 0, "state in \"%s\" is damaged: a row", store->folder);
	rocksdb_iter_get_error(i, &said);
	rocksdb_iter_destroy(i);
	return said != NULL ? leat_store_error(store, "read", said, err) : status;
}

static bool note_one(void *opaque, uint32_t shard, const struct leat_delta_op *op)
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

	return leat_store_scan(store, number, note_one, &has, &err) != LEAT_OK || has;
}
