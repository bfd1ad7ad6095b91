/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes on their way into files, against a model: random rows of a fixed and an ordered table are put and erased, an epoch after
 * the other, and at random moments written into files, by the thread or all at once, or the store is opened again. What is read,
 * by the owner and beside it, is the model at every moment; and a key that is asked for in files is as it was when they were written.
 */
#define _XOPEN_SOURCE 700 /* nftw() */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "state/rows.h"
#include "state/store.h"
#include "unit/folder.h"
#include "unit/random.h"
#include "unit/unit.h"

enum { FIXED, ORDERED, TABLES, SHARDS = 2, KEYS = 6, ITEMS = 5, EPOCHS = 120, OPS = 24 };

/* By place: of FIXED 0 alone; of ORDERED 0 is the head, the others are items. A value is one letter, 0: there is no such row. */
struct model {
	char value[TABLES][SHARDS][KEYS][1 + ITEMS];
};

struct run {
	uint64_t seed;
	struct leat_store *store;
	uint32_t number[TABLES];
	struct model is;
	struct leat_delta delta[SHARDS];
};

static char home[64], folder[96];
static struct leat_error err;

static void expect_ok(enum leat_status status)
{
	ck_assert_msg(status == LEAT_OK, "%s", err.text);
}

static void open_store(struct run *r)
{
	static const char *const name[TABLES] = { "fixed", "ordered" };

	expect_ok(leat_store_open(folder, "p", &r->store, &err));
	leat_store_limit_changelog(r->store, random_below(&r->seed, 2) == 0 ? 1 : 4096);
	for (uint32_t i = 0; i < TABLES; i++) {
		struct leat_store_table table = { .node = "n", .table = name[i], .version = 1, .n_shards = SHARDS, .layout = 7,
			                              .kind = i == FIXED ? LEAT_TABLE_FIXED : LEAT_TABLE_ORDERED };

		expect_ok(leat_store_use_table(r->store, &table, &err));
		r->number[i] = table.number;
	}
}

/* ---- what changes --------------------------------------------------------------------------------------------------- */

/* Keys say how long they are: 'B' has one more byte than 'A'. */
static size_t write_key(char *to, size_t k, size_t place, bool is_ordered)
{
	size_t n = 0;

	to[n++] = (char)('A' + k % 2);
	for (size_t i = 0; i <= k % 2; i++)
		to[n++] = (char)(k == KEYS - 1 ? 0xff : (char)('0' + k));
	if (is_ordered)
		to[n++] = place == 0 ? LEAT_ROW_HEAD : LEAT_ROW_ITEM;
	if (place > 0)
		to[n++] = (char)place;
	return n;
}

static void put(struct run *r, int table, size_t shard, size_t k, size_t place)
{
	char key[8], value = (char)('a' + random_below(&r->seed, 26)), *was = &r->is.value[table][shard][k][place];
	const struct leat_delta_op op = { .kind = LEAT_DELTA_PUT, .is_new = *was == 0, .table = (uint16_t)table, .key = key,
		                              .key_n = write_key(key, k, place, table == ORDERED), .value = &value, .value_n = 1 };

	leat_delta_add(&r->delta[shard], &op);
	*was = value;
}

static void erase(struct run *r, int table, size_t shard, size_t k, size_t place)
{
	char key[8];
	const struct leat_delta_op op = { .kind = LEAT_DELTA_ERASE, .table = (uint16_t)table, .key = key,
		                              .key_n = write_key(key, k, place, table == ORDERED) };

	leat_delta_add(&r->delta[shard], &op);
	r->is.value[table][shard][k][place] = 0;
}

static void erase_all(struct run *r, size_t shard, size_t k)
{
	char key[8];
	const struct leat_delta_op op = { .kind = LEAT_DELTA_ERASE_PREFIX, .table = ORDERED, .key = key,
		                              .key_n = write_key(key, k, 0, false) };

	leat_delta_add(&r->delta[shard], &op);
	memset(r->is.value[ORDERED][shard][k], 0, 1 + ITEMS);
}

static void change(struct run *r)
{
	size_t shard = random_below(&r->seed, SHARDS), k = random_below(&r->seed, KEYS), place = 1 + random_below(&r->seed, ITEMS);
	const char *run = r->is.value[ORDERED][shard][k];

	switch (random_below(&r->seed, 6)) {
	case 0:
		put(r, FIXED, shard, k, 0);
		break;
	case 1:
		erase(r, FIXED, shard, k, 0);
		break;
	case 2:
	case 3:
		if (run[0] == 0 || random_below(&r->seed, 4) == 0)
			put(r, ORDERED, shard, k, 0); /* a head is there before its items */
		put(r, ORDERED, shard, k, place);
		break;
	case 4:
		erase(r, ORDERED, shard, k, place);
		break;
	default:
		if (run[0] != 0)
			erase_all(r, shard, k);
	}
}

static void end_epoch(struct run *r)
{
	uint64_t in_rows = leat_store_in_rows(r->store);

	for (size_t n = random_below(&r->seed, OPS); n > 0; n--)
		change(r);
	for (uint32_t shard = 0; shard < SHARDS; shard++) {
		leat_store_put_delta(r->store, &(struct leat_delta_place){ .number = r->number, .n_numbers = TABLES, .shard = shard }, &r->delta[shard]);
		leat_delta_clear(&r->delta[shard]);
	}
	expect_ok(leat_store_commit(r->store, leat_store_epoch(r->store) + 1, &err));
	ck_assert_uint_le(in_rows, leat_store_in_rows(r->store));
	ck_assert_uint_le(leat_store_in_rows(r->store), leat_store_written(r->store));
}

/* ---- what is read --------------------------------------------------------------------------------------------------- */

static bool append(void *opaque, const struct leat_delta_op *row)
{
	struct leat_buffer *text = opaque;

	leat_buffer_append(text, row->key, row->key_n);
	leat_buffer_append(text, row->value, row->value_n);
	leat_buffer_byte(text, '\n');
	return true;
}

static bool append_scanned(void *opaque, uint32_t shard, const struct leat_delta_op *row)
{
	leat_buffer_byte(opaque, (char)shard);
	return append(opaque, row);
}

/* Rows in the order of their keys: 'A' before 'B', then by k, but for the last one, whose bytes are the largest. */
static void append_model(const struct model *m, int table, size_t shard, size_t k, struct leat_buffer *text, bool is_scan)
{
	for (size_t place = 0; place <= ITEMS; place++) {
		char key[8];

		if (m->value[table][shard][k][place] == 0)
			continue;
		if (is_scan)
			leat_buffer_byte(text, (char)shard);
		(void)append(text, &(struct leat_delta_op){ .key = key, .key_n = write_key(key, k, place, table == ORDERED),
		                                            .value = &m->value[table][shard][k][place], .value_n = 1 });
	}
}

static void append_shard(const struct model *m, int table, size_t shard, struct leat_buffer *text, bool is_scan)
{
	for (size_t odd = 0; odd < 2; odd++)
		for (size_t k = odd; k < KEYS; k += 2)
			append_model(m, table, shard, k, text, is_scan);
}

static void expect_same(struct leat_buffer *found, struct leat_buffer *expected)
{
	ck_assert_uint_eq(found->n, expected->n);
	ck_assert(found->n == 0 || memcmp(found->data, expected->data, found->n) == 0);
	found->n = expected->n = 0;
}

static void expect_rows(const struct run *r, const struct leat_store *store)
{
	struct leat_buffer found = { 0 }, expected = { 0 };

	for (int table = 0; table < TABLES; table++) {
		for (uint32_t shard = 0; shard < SHARDS; shard++) {
			expect_ok(leat_store_rows(store, r->number[table], shard, append, &found, &err));
			append_shard(&r->is, table, shard, &expected, false);
			expect_same(&found, &expected);
		}
		expect_ok(leat_store_scan(store, r->number[table], append_scanned, &found, &err));
		for (size_t shard = 0; shard < SHARDS; shard++)
			append_shard(&r->is, table, shard, &expected, true);
		expect_same(&found, &expected);
	}
	leat_buffer_finish(&found);
	leat_buffer_finish(&expected);
}

static void expect_files(const struct run *r)
{
	struct leat_buffer found = { 0 }, expected = { 0 };

	for (int table = 0; table < TABLES; table++)
		for (uint32_t shard = 0; shard < SHARDS; shard++)
			for (size_t k = 0; k < KEYS; k++) {
				char key[8];

				expect_ok(leat_store_fetch(r->store, r->number[table], shard, key, write_key(key, k, 0, false), append, &found, &err));
				append_model(&r->is, table, shard, k, &expected, false);
				expect_same(&found, &expected);
			}
	leat_buffer_finish(&found);
	leat_buffer_finish(&expected);
}

static void look_from_beside(const struct run *r)
{
	struct leat_store *beside;

	expect_ok(leat_store_open_read_only(folder, "p", &beside, &err));
	expect_rows(r, beside);
	leat_store_close(beside);
}

static void step(struct run *r)
{
	end_epoch(r);
	expect_rows(r, r->store);
	switch (random_below(&r->seed, 12)) {
	case 0:
		expect_ok(leat_store_materialize(r->store, &err));
		ck_assert_uint_eq(leat_store_in_rows(r->store), leat_store_written(r->store));
		expect_files(r);
		break;
	case 1:
		look_from_beside(r);
		break;
	case 2:
		leat_store_close(r->store);
		open_store(r);
		expect_files(r);
		break;
	default:
		break;
	}
	expect_rows(r, r->store);
}

static void run_model(uint64_t seed)
{
	struct run r = { .seed = seed };

	(void)snprintf(home, sizeof home, "/tmp/leat-test-changelog-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(home));
	(void)snprintf(folder, sizeof folder, "%s/p.state", home);
	open_store(&r);
	for (int i = 0; i < EPOCHS; i++)
		step(&r);
	leat_store_close(r.store);
	for (size_t shard = 0; shard < SHARDS; shard++)
		leat_delta_finish(&r.delta[shard]);
	remove_tree(home);
}

START_TEST(rows_are_the_same_however_far_they_are_on_their_way)
{
	for (uint64_t seed = 1; seed <= 4; seed++)
		run_model(seed);
}
END_TEST

/* ---- what reaches a file ---------------------------------------------------------------------------------------------- */

/* Operations are texts: '+' put, '*' put of a new one, '-' erase, '/' erase the prefix; then the key. */
static void add_text(struct leat_delta *delta, const char *op)
{
	const bool is_put = op[0] == '+' || op[0] == '*';
	const struct leat_delta_op is = { .kind = is_put ? LEAT_DELTA_PUT : op[0] == '-' ? LEAT_DELTA_ERASE : LEAT_DELTA_ERASE_PREFIX,
		                              .is_new = op[0] == '*', .key = op + 1, .key_n = strlen(op) - 1, .value = "v", .value_n = is_put };

	leat_delta_add(delta, &is);
}

static void expect_left(const char *const *ops, const char *expected)
{
	struct leat_delta delta = { .n = 0 };
	struct leat_changes changes = { .n = 0 };
	struct leat_buffer blob = { 0 };
	const uint32_t number = 7;
	char text[256] = "";
	size_t n = 0;

	for (; *ops != NULL; ops++)
		add_text(&delta, *ops);
	leat_changelog_add(&blob, &(struct leat_delta_place){ .number = &number, .n_numbers = 1, .shard = 3 }, &delta);
	ck_assert(leat_changes_read(&changes, blob.data, blob.n, 0));
	leat_changes_resolve(&changes);
	ck_assert_uint_eq(changes.n, 1);
	ck_assert_uint_eq(changes.of[0].number, 7);
	ck_assert_uint_eq(changes.of[0].shard, 3);
	for (size_t i = 0; i < changes.of[0].n; i++) {
		const struct leat_change *c = &changes.of[0].change[i];

		n += (size_t)snprintf(text + n, sizeof text - n, "%s%c%.*s", n > 0 ? " " : "", "+-/"[c->kind], (int)c->key_n, c->key);
	}
	ck_assert_str_eq(text, expected);
	leat_changes_finish(&changes);
	leat_buffer_finish(&blob);
	leat_delta_finish(&delta);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

START_TEST(of_each_row_the_last_operation_is_left)
{
	expect_left(LIST("+b", "+a", "-b", "+c", "+a"), "+a -b +c");
	expect_left(LIST("+ab", "+a", "+abc", "+b"), "+a +ab +abc +b");
}
END_TEST

START_TEST(what_was_new_and_is_gone_leaves_nothing)
{
	expect_left(LIST("*a", "+a", "-a"), "");
	expect_left(LIST("-a", "*a", "-a"), "-a");
	expect_left(LIST("*a", "-a", "*a"), "+a");
}
END_TEST

START_TEST(an_erased_prefix_takes_what_was_put_before_it)
{
	expect_left(LIST("+Ax", "+Ay", "/A", "+Ay"), "/A +Ay");
	expect_left(LIST("/A", "+Ax", "-Ax"), "/A");
	expect_left(LIST("+Ax", "/A", "+Bx"), "/A +Bx");
}
END_TEST

START_TEST(a_damaged_blob_is_told)
{
	struct leat_delta delta = { .n = 0 };
	struct leat_changes changes = { .n = 0 };
	struct leat_buffer blob = { 0 };
	const uint32_t number = 7;

	add_text(&delta, "+abc");
	leat_changelog_add(&blob, &(struct leat_delta_place){ .number = &number, .n_numbers = 1, .shard = 3 }, &delta);
	for (size_t n = 1; n < blob.n; n++) {
		ck_assert(!leat_changes_read(&changes, blob.data, n, 0));
		leat_changes_finish(&changes);
	}
	ck_assert(leat_changes_read(&changes, blob.data, blob.n, 0));
	leat_changes_finish(&changes);
	leat_buffer_finish(&blob);
	leat_delta_finish(&delta);
}
END_TEST

START_TEST(more_waits_beside_a_large_state)
{
	const uint64_t mib = 1 << 20;

	ck_assert_uint_eq(leat_changelog_limit(0), LEAT_CHANGELOG_LEAST);
	ck_assert_uint_eq(leat_changelog_limit(160 * mib), 40 * mib);
	ck_assert_uint_eq(leat_changelog_limit(UINT64_MAX), LEAT_CHANGELOG_MOST);
}
END_TEST

int main(void)
{
	return leat_test_main("changelog", (const TTest *[]){
		rows_are_the_same_however_far_they_are_on_their_way,
		of_each_row_the_last_operation_is_left,
		what_was_new_and_is_gone_leaves_nothing,
		an_erased_prefix_takes_what_was_put_before_it,
		a_damaged_blob_is_told,
		more_waits_beside_a_large_state,
		NULL,
	});
}
