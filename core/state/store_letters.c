/* SPDX-License-Identifier: Apache-2.0 */
/* The store's queue of dead letters. */
#include "state/letters.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "state/store_internal.h"

enum { EPOCH_BYTES = 8, NODE_AT = EPOCH_BYTES + 2 };

static const char counts[] = "letters/";

/* ---- counts --------------------------------------------------------------------------------------------------------- */

static struct store_letters_of *find_node(const struct store_letters *letters, const char *node, size_t n)
{
	for (size_t i = 0; i < letters->n; i++)
		if (strlen(letters->of[i].node) == n && memcmp(letters->of[i].node, node, n) == 0)
			return &letters->of[i];
	return NULL;
}

static struct store_letters_of *use_node(struct store_letters *letters, const char *node, size_t n)
{
	struct store_letters_of *of = find_node(letters, node, n);

	if (of != NULL)
		return of;
	letters->of = leat_grow(letters->of, letters->n, &letters->capacity, sizeof *letters->of);
	of = &letters->of[letters->n++];
	*of = (struct store_letters_of){ .node = leat_copy_bytes_as_text(node, n) };
	return of;
}

static void count(struct leat_store *store, const struct leat_letter_row *row, bool is_new)
{
	struct store_letters_of *of = use_node(&store->letters, row->node, row->node_n);
	uint64_t bytes = NODE_AT + row->node_n + row->n;

	of->is_changed = store->letters.is_changed = true;
	if (is_new) {
		of->count = (struct leat_letter_count){ of->count.n + 1, of->count.bytes + bytes };
		store->letters.count = (struct leat_letter_count){ store->letters.count.n + 1, store->letters.count.bytes + bytes };
		return;
	}
	leat_check(of->count.n > 0 && of->count.bytes >= bytes);
	of->count = (struct leat_letter_count){ of->count.n - 1, of->count.bytes - bytes };
	store->letters.count = (struct leat_letter_count){ store->letters.count.n - 1, store->letters.count.bytes - bytes };
}

void leat_store_put_letter_counts(struct leat_store *store)
{
	struct store_letters *letters = &store->letters;

	for (size_t i = 0; i < letters->n && letters->is_changed; i++) {
		struct store_letters_of *of = &letters->of[i];
		char *name = leat_format_text("%s%s", counts, of->node);

		if (of->is_changed && of->count.n == 0)
			rocksdb_writebatch_delete_cf(store->batch, store->family[STORE_META], name, strlen(name));
		else if (of->is_changed)
			leat_store_put_text(store, name, "%" PRIu64 " %" PRIu64, of->count.n, of->count.bytes);
		of->is_changed = false;
		free(name);
	}
	if (letters->is_changed)
		leat_store_put_text(store, "letters", "%" PRIu64, letters->next);
	letters->is_changed = false;
	letters->n_erased = 0;
}

static void read_count(struct store_letters *letters, const char *name, size_t name_n, const char *value, size_t n)
{
	struct store_letters_of *of = use_node(letters, name, name_n);
	char *text = leat_copy_bytes_as_text(value, n);

	(void)sscanf(text, "%" SCNu64 " %" SCNu64, &of->count.n, &of->count.bytes);
	letters->count.n += of->count.n;
	letters->count.bytes += of->count.bytes;
	free(text);
}

enum leat_status leat_store_read_letters(struct leat_store *store, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;
	char *next = leat_store_text(store, "letters", &status, err), *said = NULL;
	rocksdb_iterator_t *i;

	store->letters.first = 1;
	store->letters.next = next == NULL ? 1 : strtoull(next, NULL, 10);
	free(next);
	if (status != LEAT_OK)
		return status;
	i = rocksdb_create_iterator_cf(store->db, store->read, store->family[STORE_META]);
	for (rocksdb_iter_seek(i, counts, strlen(counts)); rocksdb_iter_valid(i); rocksdb_iter_next(i)) {
		size_t n, value_n;
		const char *name = rocksdb_iter_key(i, &n), *value;

		if (n < strlen(counts) || memcmp(name, counts, strlen(counts)) != 0)
			break;
		value = rocksdb_iter_value(i, &value_n);
		read_count(&store->letters, name + strlen(counts), n - strlen(counts), value, value_n);
	}
	rocksdb_iter_get_error(i, &said);
	rocksdb_iter_destroy(i);
	return said != NULL ? leat_store_error(store, "read", said, err) : LEAT_OK;
}

void leat_store_forget_letters(struct leat_store *store)
{
	for (size_t i = 0; i < store->letters.n; i++)
		free(store->letters.of[i].node);
	free(store->letters.of);
	free(store->letters.erased);
}

struct leat_letter_count leat_store_letters(const struct leat_store *store, const char *node)
{
	const struct store_letters_of *of = node == NULL ? NULL : find_node(&store->letters, node, strlen(node));

	if (node == NULL)
		return store->letters.count;
	return of == NULL ? (struct leat_letter_count){ 0, 0 } : of->count;
}

uint64_t leat_store_last_letter(const struct leat_store *store)
{
	return store->letters.next - 1;
}

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

static uint64_t read_big64(const char *bytes)
{
	uint64_t n = 0;

	for (int i = 0; i < 8; i++)
		n = n << 8 | (unsigned char)bytes[i];
	return n;
}

static enum leat_status damaged(const struct leat_store *store, uint64_t number, struct leat_error *err)
{
	return leat_error_set(err, LEAT_FATAL, 0, "state in \"%s\" is damaged: dead letter %" PRIu64, store->folder, number);
}

static bool read_row(uint64_t number, const char *value, size_t n, struct leat_letter_row *row)
{
	uint16_t node_n;

	if (n < NODE_AT)
		return false;
	memcpy(&node_n, value + EPOCH_BYTES, sizeof node_n);
	if (n - NODE_AT < node_n)
		return false;
	*row = (struct leat_letter_row){ .number = number, .node = value + NODE_AT, .node_n = node_n, .bytes = value + NODE_AT + node_n,
		                             .n = n - NODE_AT - node_n };
	memcpy(&row->epoch, value, sizeof row->epoch);
	return true;
}

uint64_t leat_store_put_letter(struct leat_store *store, uint64_t epoch, const char *node, const char *bytes, size_t n)
{
	const struct leat_letter_row row = { .number = store->letters.next++, .node = node, .node_n = strlen(node), .n = n };
	const uint16_t node_n = (uint16_t)row.node_n;
	struct leat_buffer *value = &store->scratch;
	char key[8];

	leat_check(row.node_n <= UINT16_MAX);
	leat_store_big64(key, row.number);
	value->n = 0;
	leat_buffer_append(value, &epoch, sizeof epoch);
	leat_buffer_append(value, &node_n, sizeof node_n);
	leat_buffer_append(value, node, row.node_n);
	leat_buffer_append(value, bytes, n);
	rocksdb_writebatch_put_cf(store->batch, store->family[STORE_LETTERS], key, sizeof key, value->data, value->n);
	count(store, &row, true);
	return row.number;
}

static bool is_erased(const struct store_letters *letters, uint64_t number)
{
	for (size_t i = 0; i < letters->n_erased; i++)
		if (letters->erased[i] == number)
			return true;
	return false;
}

static void erase(struct leat_store *store, const struct leat_letter_row *row)
{
	struct store_letters *letters = &store->letters;
	char key[8];

	leat_store_big64(key, row->number);
	rocksdb_writebatch_delete_cf(store->batch, store->family[STORE_LETTERS], key, sizeof key);
	letters->erased = leat_grow(letters->erased, letters->n_erased, &letters->erased_capacity, sizeof *letters->erased);
	letters->erased[letters->n_erased++] = row->number;
	count(store, row, false);
}

enum leat_status leat_store_erase_letter(struct leat_store *store, uint64_t number, struct leat_error *err)
{
	struct leat_letter_row row;
	enum leat_status status = LEAT_OK;
	char key[8], *said = NULL, *value;
	size_t n;

	if (number < store->letters.first || is_erased(&store->letters, number))
		return LEAT_AGAIN;
	leat_store_big64(key, number);
	value = rocksdb_get_cf(store->db, store->read, store->family[STORE_LETTERS], key, sizeof key, &n, &said);
	if (said != NULL)
		return leat_store_error(store, "read", said, err);
	if (value == NULL)
		return LEAT_AGAIN;
	if (read_row(number, value, n, &row))
		erase(store, &row);
	else
		status = damaged(store, number, err);
	rocksdb_free(value);
	return status;
}

struct trim {
	struct leat_store *store;
	uint64_t limit, n;
};

static bool trim(void *opaque, const struct leat_letter_row *row)
{
	struct trim *t = opaque;

	if (t->store->letters.count.bytes <= t->limit)
		return false;
	if (!is_erased(&t->store->letters, row->number)) {
		erase(t->store, row);
		t->n++;
	}
	t->store->letters.first = row->number + 1;
	return true;
}

enum leat_status leat_store_trim_letters(struct leat_store *store, uint64_t limit, uint64_t *n_erased, struct leat_error *err)
{
	struct trim t = { .store = store, .limit = limit };
	enum leat_status status = LEAT_OK;

	if (store->letters.count.bytes > limit)
		status = leat_store_scan_letters(store, store->letters.first, trim, &t, err);
	*n_erased = t.n;
	return status;
}

enum leat_status leat_store_scan_letters(const struct leat_store *store, uint64_t from,
                                         bool (*take)(void *opaque, const struct leat_letter_row *row), void *opaque,
                                         struct leat_error *err)
{
	rocksdb_iterator_t *i = rocksdb_create_iterator_cf(store->db, store->read, store->family[STORE_LETTERS]);
	enum leat_status status = LEAT_OK;
	char key[8], *said = NULL;

	leat_store_big64(key, from);
	for (rocksdb_iter_seek(i, key, sizeof key); status == LEAT_OK && rocksdb_iter_valid(i); rocksdb_iter_next(i)) {
		size_t key_n, n;
		const char *at = rocksdb_iter_key(i, &key_n), *value = rocksdb_iter_value(i, &n);
		struct leat_letter_row row;

		if (key_n != sizeof key || !read_row(read_big64(at), value, n, &row))
			status = damaged(store, key_n == sizeof key ? read_big64(at) : 0, err);
		else if (!take(opaque, &row))
			break;
	}
	rocksdb_iter_get_error(i, &said);
	rocksdb_iter_destroy(i);
	if (said != NULL)
		return leat_store_error(store, "read", said, err);
	return status;
}
