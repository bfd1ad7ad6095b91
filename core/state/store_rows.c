/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tables, read back: all of a table, or all of a shard of it. */
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

/* Those of the table whose keys begin with the prefix, until take() returns false. */
static enum leat_status each_row(const struct leat_store *store, uint32_t number, const char *prefix, size_t prefix_n,
                                 bool (*take)(void *opaque, uint32_t shard, const struct leat_delta_op *op), void *opaque,
                                 struct leat_error *err)
{
	rocksdb_iterator_t *i = rocksdb_create_iterator_cf(store->db, store->read, leat_store_family_of(store, number));
	bool is_wanted = true;
	char *said = NULL;

	for (rocksdb_iter_seek(i, prefix, prefix_n); is_wanted && rocksdb_iter_valid(i); rocksdb_iter_next(i)) {
		struct leat_delta_op op = { .kind = LEAT_DELTA_PUT };
		const char *key = rocksdb_iter_key(i, &op.key_n);

		if (op.key_n < STORE_ROW_PREFIX || memcmp(key, prefix, prefix_n) != 0)
			break;
		op.key = key + STORE_ROW_PREFIX;
		op.key_n -= STORE_ROW_PREFIX;
		op.value = rocksdb_iter_value(i, &op.value_n);
		is_wanted = take(opaque, read_big32(key + 4), &op);
	}
	rocksdb_iter_get_error(i, &said);
	rocksdb_iter_destroy(i);
	return said != NULL ? leat_store_error(store, "read", said, err) : LEAT_OK;
}

enum leat_status leat_store_scan(const struct leat_store *store, uint32_t number,
                                 bool (*take)(void *opaque, uint32_t shard, const struct leat_delta_op *op), void *opaque,
                                 struct leat_error *err)
{
	char prefix[4];

	leat_store_big32(prefix, number);
	return each_row(store, number, prefix, sizeof prefix, take, opaque, err);
}

struct restoring {
	bool (*take)(void *opaque, const struct leat_delta_op *op);
	void *opaque;
	bool is_damaged;
};

static bool restore_row(void *opaque, uint32_t shard, const struct leat_delta_op *op)
{
	struct restoring *r = opaque;

	(void)shard;
	r->is_damaged = !r->take(r->opaque, op);
	return !r->is_damaged;
}

enum leat_status leat_store_rows(const struct leat_store *store, uint32_t number, uint32_t shard,
                                 bool (*take)(void *opaque, const struct leat_delta_op *op), void *opaque, struct leat_error *err)
{
	struct restoring r = { .take = take, .opaque = opaque };
	enum leat_status status;
	char prefix[STORE_ROW_PREFIX];

	leat_store_big32(prefix, number);
	leat_store_big32(prefix + 4, shard);
	status = each_row(store, number, prefix, sizeof prefix, restore_row, &r, err);
	if (status == LEAT_OK && r.is_damaged)
		return leat_error_set(err, LEAT_FATAL, 0, "state in \"%s\" is damaged: a row", store->folder);
	return status;
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
