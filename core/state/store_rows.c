/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tables, read back: all of a table, all of a shard of it, or those of one key; as they are in files, or with the changes
 * that are not in files yet laid over them. */
#include "base/memory.h"
#include "state/store_internal.h"

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

/* ---- in files, one after another ------------------------------------------------------------------------------------- */

struct leat_store_cursor {
	const struct leat_store *store;
	rocksdb_iterator_t *at;
	struct leat_buffer from; /* begins with the prefix */
	size_t prefix_n;
	bool has_begun;
};

/* Takes the prefix. */
static struct leat_store_cursor *open_cursor(const struct leat_store *store, const rocksdb_readoptions_t *read, struct leat_buffer prefix)
{
	struct leat_store_cursor *cursor = leat_allocate_zeroed(1, sizeof *cursor);

	cursor->store = store;
	cursor->at = rocksdb_create_iterator_cf(store->db, read, store->family[STORE_ROWS]);
	cursor->from = prefix;
	cursor->prefix_n = prefix.n;
	return cursor;
}

struct leat_store_cursor *leat_store_cursor_open(const struct leat_store *store, uint32_t number, uint32_t shard, const char *key,
                                                 size_t key_n)
{
	struct leat_buffer prefix = { 0 };
	struct leat_store_cursor *cursor;

	begin_prefix(&prefix, number);
	add_shard(&prefix, shard);
	cursor = open_cursor(store, store->read, prefix);
	leat_buffer_append(&cursor->from, key, key_n);
	return cursor;
}

static bool next_row(struct leat_store_cursor *cursor, uint32_t *shard, struct leat_delta_op *row)
{
	const struct leat_buffer *from = &cursor->from;
	const char *key;

	if (cursor->has_begun)
		rocksdb_iter_next(cursor->at);
	else
		rocksdb_iter_seek(cursor->at, from->data, from->n);
	cursor->has_begun = true;
	if (!rocksdb_iter_valid(cursor->at))
		return false;
	*row = (struct leat_delta_op){ .kind = LEAT_DELTA_PUT };
	key = rocksdb_iter_key(cursor->at, &row->key_n);
	if (row->key_n < STORE_ROW_PREFIX || row->key_n < cursor->prefix_n || memcmp(key, from->data, cursor->prefix_n) != 0)
		return false;
	*shard = read_big32(key + 4);
	row->key = key + STORE_ROW_PREFIX;
	row->key_n -= STORE_ROW_PREFIX;
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
	leat_buffer_finish(&cursor->from);
	free(cursor);
	return status;
}

/* ---- with the changes over them ---------------------------------------------------------------------------------------- */

struct merge {
	struct leat_store_cursor *files;
	struct leat_delta_op below; /* their next row, unless is_over */
	uint32_t below_shard;
	bool is_over;
	struct leat_changes changes;
	size_t shard, i; /* the next change: of which of their shards, and which */
	size_t end;      /* behind the last of the shards */
	const struct leat_change *prefix; /* erased last, or NULL */
	uint32_t prefix_shard;
	struct leat_buffer blobs;
	const rocksdb_snapshot_t *snapshot;
	rocksdb_readoptions_t *read;
};

static void next_below(struct merge *m)
{
	m->is_over = !next_row(m->files, &m->below_shard, &m->below);
}

static const struct leat_change *next_change(struct merge *m, uint32_t *shard)
{
	while (m->shard < m->end && m->i == m->changes.of[m->shard].n) {
		m->shard++;
		m->i = 0;
	}
	if (m->shard == m->end)
		return NULL;
	*shard = m->changes.of[m->shard].shard;
	return &m->changes.of[m->shard].change[m->i];
}

static int compare_keys(uint32_t a_shard, const char *a, size_t a_n, uint32_t b_shard, const char *b, size_t b_n)
{
	size_t n = a_n < b_n ? a_n : b_n;
	int order;

	if (a_shard != b_shard)
		return a_shard < b_shard ? -1 : 1;
	order = n == 0 ? 0 : memcmp(a, b, n);
	return order != 0 ? order : (a_n > b_n) - (a_n < b_n);
}

static bool is_erased(const struct merge *m)
{
	return m->prefix != NULL && m->prefix_shard == m->below_shard && m->below.key_n >= m->prefix->key_n &&
	       memcmp(m->below.key, m->prefix->key, m->prefix->key_n) == 0;
}

/* The rows that are left of both, in order. What is below moves on only when the caller is done with it: is_below. */
static bool next_merged(struct merge *m, uint32_t *shard, struct leat_delta_op *row, bool *is_below)
{
	for (;;) {
		const struct leat_change *c = next_change(m, shard);
		int order = -1;

		if (c == NULL && m->is_over)
			return false;
		if (c == NULL)
			order = 1;
		else if (!m->is_over)
			order = compare_keys(*shard, c->key, c->key_n, m->below_shard, m->below.key, m->below.key_n);
		if (order <= 0) {
			m->i++;
			if (order == 0 && c->kind != LEAT_DELTA_ERASE_PREFIX)
				next_below(m);
			if (c->kind == LEAT_DELTA_ERASE_PREFIX) {
				m->prefix = c;
				m->prefix_shard = *shard;
			}
			if (c->kind != LEAT_DELTA_PUT)
				continue;
			*is_below = false;
			*row = (struct leat_delta_op){ .kind = LEAT_DELTA_PUT, .key = c->key, .key_n = c->key_n, .value = c->value,
				                           .value_n = c->value_n };
			return true;
		}
		if (!is_erased(m)) {
			*is_below = true;
			*shard = m->below_shard;
			*row = m->below;
			return true;
		}
		next_below(m);
	}
}

/* One state of both, whatever the owner does meanwhile. */
static enum leat_status begin_merge(struct merge *m, const struct leat_store *store, uint32_t number, const uint32_t *shard,
                                    struct leat_error *err)
{
	struct leat_buffer prefix = { 0 };
	enum leat_status status;

	*m = (struct merge){ .read = rocksdb_readoptions_create() };
	if (!store->is_read_only) {
		m->snapshot = rocksdb_create_snapshot(store->db);
		rocksdb_readoptions_set_snapshot(m->read, m->snapshot);
	}
	begin_prefix(&prefix, number);
	if (shard != NULL)
		add_shard(&prefix, *shard);
	m->files = open_cursor(store, m->read, prefix);
	status = leat_store_gather(store, m->read, UINT64_MAX, number, &m->blobs, &m->changes, err);
	m->end = m->changes.n;
	if (shard != NULL) {
		while (m->shard < m->end && m->changes.of[m->shard].shard != *shard)
			m->shard++;
		m->end = m->shard < m->end ? m->shard + 1 : m->end;
	}
	next_below(m);
	return status;
}

static enum leat_status end_merge(struct merge *m, const struct leat_store *store, enum leat_status status, struct leat_error *err)
{
	struct leat_error why;
	enum leat_status closed = leat_store_cursor_close(m->files, &why);

	if (status == LEAT_OK && closed != LEAT_OK) {
		status = closed;
		*err = why;
	}
	if (m->snapshot != NULL)
		rocksdb_release_snapshot(store->db, m->snapshot);
	rocksdb_readoptions_destroy(m->read);
	leat_changes_finish(&m->changes);
	leat_buffer_finish(&m->blobs);
	return status;
}

static enum leat_status damaged(const struct leat_store *store, struct leat_error *err)
{
	return leat_error_set(err, LEAT_FATAL, 0, "state in \"%s\" is damaged: a row", store->folder);
}

enum leat_status leat_store_scan(const struct leat_store *store, uint32_t number,
                                 bool (*take)(void *opaque, uint32_t shard, const struct leat_delta_op *op), void *opaque,
                                 struct leat_error *err)
{
	struct merge m;
	enum leat_status status = begin_merge(&m, store, number, NULL, err);
	struct leat_delta_op row;
	uint32_t shard;
	bool is_below;

	while (status == LEAT_OK && next_merged(&m, &shard, &row, &is_below) && take(opaque, shard, &row))
		if (is_below)
			next_below(&m);
	return end_merge(&m, store, status, err);
}

enum leat_status leat_store_rows(const struct leat_store *store, uint32_t number, uint32_t shard,
                                 bool (*take)(void *opaque, const struct leat_delta_op *op), void *opaque, struct leat_error *err)
{
	struct merge m;
	enum leat_status status = begin_merge(&m, store, number, &shard, err);
	struct leat_delta_op row;
	uint32_t of;
	bool is_below;

	while (status == LEAT_OK && next_merged(&m, &of, &row, &is_below)) {
		if (!take(opaque, &row))
			status = damaged(store, err);
		else if (is_below)
			next_below(&m);
	}
	return end_merge(&m, store, status, err);
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

/* Those that begin with it. Takes the name. */
static enum leat_status get_rows(const struct leat_store *store, struct leat_buffer name,
                                 bool (*take)(void *opaque, const struct leat_delta_op *op), void *opaque, struct leat_error *err)
{
	struct leat_store_cursor *cursor = open_cursor(store, store->read, name);
	struct leat_delta_op row;
	enum leat_status status;
	bool is_good = true;

	while (is_good && leat_store_cursor_next(cursor, &row))
		is_good = take(opaque, &row);
	status = leat_store_cursor_close(cursor, err);
	return status == LEAT_OK && !is_good ? damaged(store, err) : status;
}

static enum leat_status get_row(const struct leat_store *store, const struct leat_buffer *name,
                                bool (*take)(void *opaque, const struct leat_delta_op *op), void *opaque, struct leat_error *err)
{
	struct leat_delta_op row = { .kind = LEAT_DELTA_PUT, .key = name->data + STORE_ROW_PREFIX, .key_n = name->n - STORE_ROW_PREFIX };
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
	struct leat_buffer name = { 0 };
	enum leat_status status;

	begin_prefix(&name, number);
	add_shard(&name, shard);
	leat_buffer_append(&name, key, key_n);
	if (store->table[number - 1].is.kind == LEAT_TABLE_ORDERED)
		return get_rows(store, name, take, opaque, err);
	status = get_row(store, &name, take, opaque, err);
	leat_buffer_finish(&name);
	return status;
}
