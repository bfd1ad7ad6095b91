/* SPDX-License-Identifier: Apache-2.0 */
/* State that is larger than memory: how often the store is looked at, which is where the time goes. test_delta_model.c has whether what
 * is found is right. */
#include <string.h>

#include "data/pack.h"
#include "state/tables.h"
#include "unit/unit.h"

enum { KEYS = 3000, TTL_US = 1000000, EPOCH = 16 /* events */ };
/* Entries of some 100 bytes: about half of them fit, and what is known of the others; or hardly any. */
enum { ROOM = 176 * 1024, LITTLE_ROOM = 8 * 1024, PLENTY = 1 << 30 };

struct row {
	char key[16], value[64];
	size_t key_n, value_n; /* value_n 0: there is none */
};

struct sums {
	int64_t count;
};

static const struct leat_field fields[] = { LEAT_FIELD(struct sums, count, INT64), { 0 } };
static const struct leat_table_spec specs[] = {
	{ .name = "sums", .version = 1, .size = sizeof(struct sums), .fields = fields },
	{ 0 },
};

/* The row of key k, for k up to n. What is written is in files at once. */
static struct store {
	struct row row[KEYS];
	int64_t n;
	uint64_t n_epochs;
	size_t n_looks;
} store;
static struct leat_memory memory;
static struct leat_tables *tables;
static int64_t now_us;

static struct leat_delta_op put_of(const struct row *row)
{
	return (struct leat_delta_op){ .kind = LEAT_DELTA_PUT, .key = row->key, .key_n = row->key_n, .value = row->value, .value_n = row->value_n };
}

static struct row *find_row(const char *key, size_t key_n)
{
	for (int64_t k = 0; k < store.n; k++)
		if (store.row[k].key_n == key_n && memcmp(store.row[k].key, key, key_n) == 0)
			return &store.row[k];
	return NULL;
}

static void fetch(void *opaque, uint32_t table, const char *key, size_t key_n)
{
	const struct row *row = find_row(key, key_n);

	(void)opaque;
	(void)table;
	store.n_looks++;
	if (row != NULL && row->value_n > 0)
		ck_assert(leat_tables_restore(tables, NULL, (struct leat_delta_op[]){ put_of(row) }));
}

static void apply(const struct leat_delta_op *op)
{
	struct row *row = find_row(op->key, op->key_n);

	if (row == NULL) {
		ck_assert_int_lt(store.n, KEYS);
		row = &store.row[store.n++];
	}
	ck_assert(op->key_n <= sizeof row->key && op->value_n <= sizeof row->value);
	memcpy(row->key, op->key, row->key_n = op->key_n);
	row->value_n = op->kind == LEAT_DELTA_PUT ? op->value_n : 0;
	memcpy(row->value, op->value, row->value_n);
}

static void end_epoch(void)
{
	struct leat_delta delta = { .n = 0 };
	struct leat_delta_op op;

	leat_tables_take(tables, &delta);
	for (size_t at = 0; leat_delta_next(&delta, &at, &op);)
		apply(&op);
	leat_delta_finish(&delta);
	store.n_epochs++;
	leat_tables_durable(tables, store.n_epochs, store.n_epochs);
}

static void start(size_t limit, int64_t ttl_us)
{
	memory.limit = limit;
	tables = leat_tables_create(specs, &ttl_us);
	leat_tables_track(tables);
	leat_tables_put_over(tables, &(struct leat_below){ .fetch = fetch }, &memory);
}

/* All rows, as far as they are wanted. */
static void load(void)
{
	int64_t k = 0;

	for (; k < store.n && leat_tables_wants_rows(tables); k++)
		if (store.row[k].value_n > 0)
			ck_assert(leat_tables_load(tables, NULL, (struct leat_delta_op[]){ put_of(&store.row[k]) }));
	if (k == store.n)
		leat_tables_loaded(tables, true);
}

static void count(int64_t k)
{
	struct leat_value key = leat_integer(k);

	leat_tables_begin(tables, now_us);
	((struct sums *)leat_tables_get(tables, 0, &key))->count++;
	leat_tables_commit(tables);
	if (k % EPOCH == EPOCH - 1)
		end_epoch();
}

static int64_t counted(int64_t k)
{
	struct leat_value key = leat_integer(k);
	const struct sums *sums;
	int64_t n;

	leat_tables_begin(tables, now_us);
	sums = leat_tables_peek(tables, 0, &key);
	n = sums != NULL ? sums->count : 0;
	leat_tables_commit(tables);
	return n;
}

/* From nothing, and to nothing in the end. */
static void fill(size_t limit, int64_t ttl_us)
{
	memset(&store, 0, sizeof store);
	now_us = 1;
	start(limit, ttl_us);
	load();
	for (int64_t k = 0; k < KEYS; k++)
		count(k);
	end_epoch();
}

static void finish(void)
{
	leat_tables_destroy(tables);
	ck_assert_uint_eq(atomic_load(&memory.used), 0);
	ck_assert_uint_eq(atomic_load(&memory.away), 0);
}

static size_t looks_for_strangers(void)
{
	size_t before = store.n_looks;

	for (int64_t k = KEYS; k < 2 * (int64_t)KEYS; k++)
		ck_assert_int_eq(counted(k), 0);
	return store.n_looks - before;
}

static void expect_all(void)
{
	for (int64_t k = 0; k < KEYS; k++)
		ck_assert_int_eq(counted(k), 1);
}

/* ---- tests ---------------------------------------------------------------------------------------------------------- */

START_TEST(a_new_key_is_not_looked_for)
{
	fill(ROOM, 0);
	ck_assert_uint_gt(leat_tables_evicted(tables), KEYS / 4);
	ck_assert_uint_eq(store.n_looks, 0);
	expect_all();
	ck_assert_uint_gt(store.n_looks, KEYS / 4);
	ck_assert_uint_eq(looks_for_strangers(), 0);
	finish();
}
END_TEST

START_TEST(nor_is_it_after_a_start_that_has_read_all_rows)
{
	fill(ROOM, 0);
	finish();
	start(ROOM, 0);
	ck_assert_uint_eq(looks_for_strangers(), KEYS);
	load();
	ck_assert_uint_eq(looks_for_strangers(), 0);
	expect_all();
	expect_all();
	finish();
}
END_TEST

START_TEST(what_leaves_while_rows_are_read_is_found)
{
	fill(PLENTY, 0);
	finish();
	start(ROOM, 0);
	for (int64_t k = 0; k < store.n; k++) {
		ck_assert(leat_tables_load(tables, NULL, (struct leat_delta_op[]){ put_of(&store.row[k]) }));
		for (int64_t hot = 0; hot < 4; hot++) /* each goes on with the search for what may leave */
			ck_assert_int_eq(counted(hot), 1);
		if (k % EPOCH == 0)
			end_epoch();
	}
	leat_tables_loaded(tables, true);
	ck_assert_uint_gt(leat_tables_evicted(tables), 0);
	expect_all();
	ck_assert_uint_eq(looks_for_strangers(), 0);
	finish();
}
END_TEST

START_TEST(what_is_known_of_the_store_has_its_share_of_the_memory)
{
	fill(LITTLE_ROOM, 0);
	ck_assert(!leat_tables_wants_rows(tables));
	ck_assert_uint_eq(looks_for_strangers(), KEYS);
	ck_assert_uint_lt(leat_tables_bytes(tables), LITTLE_ROOM + 16 * 1024); /* the index, which never shrinks, and the last epoch */
	expect_all();
	finish();
}
END_TEST

START_TEST(memory_that_fills_up_within_an_epoch_is_noticed)
{
	fill(PLENTY, 0);
	memory.limit = ROOM;
	for (int64_t k = 0; k < 100; k++)
		ck_assert_int_eq(counted(k), 1);
	ck_assert_uint_gt(leat_tables_evicted(tables), 0);
	expect_all();
	finish();
}
END_TEST

START_TEST(rows_are_read_again_when_many_have_expired_unseen)
{
	size_t n_gone = 0;

	fill(ROOM, TTL_US);
	now_us += 2 * TTL_US;
	for (int64_t k = 0; k < KEYS; k++)
		ck_assert(leat_tables_expire_row(tables, NULL, (struct leat_delta_op[]){ put_of(&store.row[k]) }, now_us, &n_gone));
	ck_assert_uint_gt(n_gone, 1000);
	ck_assert(!leat_tables_wants_rows(tables));
	end_epoch();
	ck_assert(leat_tables_wants_rows(tables));
	load();
	ck_assert(!leat_tables_wants_rows(tables));
	store.n_looks = 0;
	for (int64_t k = 0; k < KEYS; k++)
		ck_assert_int_eq(counted(k), 0);
	ck_assert_uint_lt(store.n_looks, n_gone / 2); /* what expires in memory may leave it all the same, and be asked for */
	finish();
}
END_TEST

int main(void)
{
	return leat_test_main("state that is larger than memory", (const TTest *[]){
		a_new_key_is_not_looked_for,
		nor_is_it_after_a_start_that_has_read_all_rows,
		what_leaves_while_rows_are_read_is_found,
		what_is_known_of_the_store_has_its_share_of_the_memory,
		memory_that_fills_up_within_an_epoch_is_noticed,
		rows_are_read_again_when_many_have_expired_unseen,
		NULL,
	});
}
