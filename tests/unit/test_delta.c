/* SPDX-License-Identifier: Apache-2.0 */
/* Deltas, and what tables and timers put into them. tests/unit/test_delta_model.c holds the whole against a model. */
#include <stdio.h>
#include <string.h>

#include "data/pack.h"
#include "state/rows.h"
#include "state/tables.h"
#include "state/timers.h"
#include "unit/unit.h"

struct mixed {
	bool is_odd;
	int32_t small;
	int64_t count;
	double total;
	char name[5];
	int64_t not_declared;
};

static const struct leat_field mixed_fields[] = {
	LEAT_FIELD(struct mixed, count, INT64),  LEAT_FIELD(struct mixed, is_odd, BOOL), LEAT_FIELD(struct mixed, name, BYTES),
	LEAT_FIELD(struct mixed, total, DOUBLE), LEAT_FIELD(struct mixed, small, INT32), { 0 },
};

enum { FIXED, VALUE, ORDERED };

static const struct leat_table_spec specs[] = {
	{ .name = "fixed", .version = 1, .kind = LEAT_TABLE_FIXED, .size = sizeof(struct mixed), .fields = mixed_fields },
	{ .name = "value", .version = 1, .kind = LEAT_TABLE_VALUE },
	{ .name = "ordered", .version = 1, .kind = LEAT_TABLE_ORDERED },
	{ 0 },
};

static const int64_t ttl_100[] = { 100, 100, 100 };

static struct leat_tables *tables;
static struct leat_timers *timers;
static struct leat_delta delta;

static void open_all(const int64_t *ttl_us)
{
	tables = leat_tables_create(specs, ttl_us);
	leat_tables_track(tables);
	timers = leat_timers_create();
	leat_timers_track(timers);
}

static void close_all(void)
{
	leat_tables_destroy(tables);
	leat_timers_destroy(timers);
	leat_delta_finish(&delta);
}

static void take(void)
{
	leat_delta_clear(&delta);
	leat_tables_take(tables, &delta);
	leat_timers_take(timers, &delta);
}

/* All that was taken, in short: "put 0 erase 1 ...". */
static void assert_taken(const char *expected)
{
	static const char *const names[] = { "put", "erase", "erase-prefix" };
	char text[512] = "";
	struct leat_delta_op op;
	size_t n = 0;

	take();
	for (size_t at = 0; leat_delta_next(&delta, &at, &op);)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s %u", n > 0 ? ", " : "", names[op.kind], (unsigned)op.table);
	ck_assert_str_eq(text, expected);
}

static struct leat_value key_of(const char *text)
{
	return leat_borrow(text, strlen(text));
}

static void begin(int64_t now_us)
{
	leat_tables_begin(tables, now_us);
	leat_timers_begin(timers);
}

static void commit(void)
{
	leat_tables_commit(tables);
	leat_timers_commit(timers);
}

static void abort_event(void)
{
	leat_tables_abort(tables);
	leat_timers_abort(timers);
}

static struct mixed *get(const char *text)
{
	struct leat_value key = key_of(text);

	return leat_tables_get(tables, FIXED, &key);
}

static void erase(uint32_t table, const char *text)
{
	struct leat_value key = key_of(text);

	leat_tables_erase(tables, table, &key);
}

static void put_item(const char *text, int64_t order, int64_t sequence)
{
	struct leat_value key = key_of(text);

	leat_tables_ordered_put(tables, ORDERED, &key,
	                        &(struct leat_ordered_entry){ .order = order, .sequence = sequence, .value = leat_integer(order) });
}

static void erase_items(const char *text, int64_t from, int64_t until)
{
	struct leat_value key = key_of(text);

	leat_tables_ordered_erase(tables, ORDERED, &key, from, until);
}

static void set_timer(const char *text, int64_t due_us)
{
	leat_timers_set(timers, &(struct leat_timer){ .due_us = due_us, .key = key_of(text) });
}

/* ---- deltas --------------------------------------------------------------------------------------------------------- */

START_TEST(operations_come_back_in_order)
{
	struct leat_delta other = { 0 };
	struct leat_delta_op op;
	size_t at = 0;

	ck_assert(!leat_delta_next(&delta, &at, &op));
	leat_delta_add(&delta, &(struct leat_delta_op){ .kind = LEAT_DELTA_PUT,
	                                                .table = 7,
	                                                .key = "k\0y",
	                                                .key_n = 3,
	                                                .value = "value",
	                                                .value_n = 5 });
	leat_delta_add(&other, &(struct leat_delta_op){ .kind = LEAT_DELTA_ERASE, .table = LEAT_DELTA_TIMERS, .key = "x", .key_n = 1 });
	leat_delta_add(&other, &(struct leat_delta_op){ .kind = LEAT_DELTA_ERASE_PREFIX });
	leat_delta_append(&delta, &other);
	ck_assert_uint_eq(delta.n, 3);
	ck_assert(leat_delta_next(&delta, &at, &op));
	ck_assert(op.kind == LEAT_DELTA_PUT && op.table == 7 && op.key_n == 3 && op.value_n == 5);
	ck_assert_mem_eq(op.key, "k\0y", 3);
	ck_assert_mem_eq(op.value, "value", 5);
	ck_assert(leat_delta_next(&delta, &at, &op));
	ck_assert(op.kind == LEAT_DELTA_ERASE && op.table == LEAT_DELTA_TIMERS && op.key_n == 1 && op.value_n == 0);
	ck_assert(leat_delta_next(&delta, &at, &op));
	ck_assert(op.kind == LEAT_DELTA_ERASE_PREFIX && op.key_n == 0);
	ck_assert(!leat_delta_next(&delta, &at, &op));
	leat_delta_clear(&delta);
	at = 0;
	ck_assert(!leat_delta_next(&delta, &at, &op));
	leat_delta_finish(&other);
	leat_delta_finish(&delta);
}
END_TEST

/* ---- what is taken -------------------------------------------------------------------------------------------------- */

START_TEST(nothing_is_noted_before_it_is_asked_for)
{
	tables = leat_tables_create(specs, NULL);
	timers = leat_timers_create();
	begin(1);
	get("a")->count = 1;
	put_item("a", 1, 1);
	set_timer("a", 1);
	commit();
	assert_taken("");
	close_all();
}
END_TEST

START_TEST(an_entry_that_changes_often_is_one_row)
{
	open_all(NULL);
	for (int i = 0; i < 5; i++) {
		begin(i);
		get("a")->count++;
		commit();
	}
	assert_taken("put 0");
	assert_taken("");
	begin(9);
	get("a")->count++;
	commit();
	assert_taken("put 0");
	close_all();
}
END_TEST

START_TEST(what_came_and_went_between_two_checkpoints_leaves_nothing)
{
	struct leat_value key = key_of("b"), value = leat_integer(1);
	struct leat_timer due;

	open_all(NULL);
	begin(1);
	get("a")->count = 1;
	leat_tables_put(tables, VALUE, &key, &value);
	put_item("c", 1, 1);
	set_timer("d", 1);
	set_timer("e", 2);
	erase(ORDERED, "c");
	commit();
	begin(2);
	erase(FIXED, "a");
	erase(VALUE, "b");
	leat_timers_cancel(timers, &(struct leat_timer){ .due_us = 1, .key = key_of("d") });
	commit();
	ck_assert(leat_timers_pop(timers, LEAT_EVENT_TIME, 2, &due));
	assert_taken("");
	close_all();
}
END_TEST

START_TEST(an_erased_key_that_comes_back_is_put_after_it_was_erased)
{
	struct leat_timer due;

	open_all(NULL);
	begin(1);
	get("a")->count = 1;
	put_item("b", 1, 1);
	set_timer("c", 1);
	commit();
	assert_taken("put 2, put 2, put 0, put 2, put 65535");
	begin(2);
	erase(FIXED, "a");
	erase(ORDERED, "b");
	get("a")->count = 2;
	put_item("b", 2, 2);
	commit();
	ck_assert(leat_timers_pop(timers, LEAT_EVENT_TIME, 1, &due));
	begin(3);
	leat_timers_set(timers, &due);
	commit();
	assert_taken("erase 0, erase-prefix 2, put 2, put 2, put 0, put 2, erase 65535, put 65535");
	begin(4);
	erase(FIXED, "a");
	commit();
	assert_taken("erase 0");
	close_all();
}
END_TEST

START_TEST(an_aborted_event_leaves_nothing_to_erase)
{
	open_all(NULL);
	begin(1);
	get("a")->count = 1;
	put_item("b", 1, 1);
	set_timer("c", 1);
	commit();
	take();
	begin(2);
	erase(FIXED, "a");
	erase(ORDERED, "b");
	leat_timers_cancel(timers, &(struct leat_timer){ .due_us = 1, .key = key_of("c") });
	get("new")->count = 1;
	put_item("b", 7, 7);
	put_item("new", 1, 1);
	set_timer("new", 1);
	abort_event();
	assert_taken("");
	close_all();
}
END_TEST

START_TEST(a_number_that_is_used_again_is_one_row_of_the_new_entry)
{
	struct leat_delta_op op;
	struct leat_value key;
	size_t at = 0;

	open_all(NULL);
	begin(1);
	get("a")->count = 1;
	commit();
	begin(2);
	erase(FIXED, "a");
	commit();
	begin(3);
	get("b")->count = 2;
	commit();
	begin(4);
	get("b")->count = 3;
	commit();
	assert_taken("put 0");
	ck_assert(leat_delta_next(&delta, &at, &op));
	key = key_of("b");
	ck_assert_uint_eq(op.key_n, 2);
	ck_assert_mem_eq(op.key + 1, key.as.text, 1);
	close_all();
}
END_TEST

START_TEST(a_number_that_is_used_again_was_not_stored)
{
	struct leat_timer due;

	open_all(NULL);
	begin(1);
	get("a")->count = 1;
	set_timer("a", 1);
	commit();
	assert_taken("put 0, put 65535");
	begin(2);
	erase(FIXED, "a");
	commit();
	ck_assert(leat_timers_pop(timers, LEAT_EVENT_TIME, 1, &due));
	ck_assert(!leat_timers_pop(timers, LEAT_EVENT_TIME, 1, &due));
	begin(3);
	get("b")->count = 1;
	set_timer("b", 1);
	commit();
	begin(4);
	erase(FIXED, "b");
	leat_timers_cancel(timers, &(struct leat_timer){ .due_us = 1, .key = key_of("b") });
	commit();
	assert_taken("erase 0, erase 65535");
	close_all();
}
END_TEST

START_TEST(a_run_is_noted_item_by_item)
{
	open_all(NULL);
	begin(1);
	for (int64_t i = 0; i < 100; i++)
		put_item("a", i, 0);
	commit();
	take();
	ck_assert_uint_eq(delta.n, 102); /* with the head, once to say that it is new */
	begin(2);
	put_item("a", 100, 0);
	put_item("a", 7, 0);
	erase_items("a", 0, 2);
	commit();
	assert_taken("put 2, put 2, erase 2, erase 2, put 2");
	begin(3);
	erase_items("a", 0, 1000);
	commit();
	assert_taken("erase-prefix 2");
	close_all();
}
END_TEST

START_TEST(what_expires_is_erased)
{
	open_all(ttl_100);
	begin(1);
	get("a")->count = 1;
	put_item("b", 1, 1);
	commit();
	take();
	begin(1000);
	commit();
	assert_taken("erase 0, erase-prefix 2");
	close_all();
}
END_TEST

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

START_TEST(a_fixed_row_holds_the_declared_fields_and_no_padding)
{
	static const char expected[] = "\x2a\0\0\0\0\0\0\0"       /* changed_us */
	                               "\xfe\xff\xff\xff\xff\xff\xff\xff\1hello"
	                               "\0\0\0\0\0\0\xf8\x3f\1\2\0\0";
	struct mixed *m;
	struct leat_delta_op op;
	size_t at = 0;

	open_all(NULL);
	begin(42);
	m = get("a");
	*m = (struct mixed){ .is_odd = true, .small = 0x201, .count = -2, .total = 1.5, .not_declared = 9 };
	memcpy(m->name, "hello", 5);
	commit();
	take();
	ck_assert(leat_delta_next(&delta, &at, &op));
	ck_assert_uint_eq(op.value_n, sizeof expected - 1);
	ck_assert_mem_eq(op.value, expected, op.value_n);
	leat_tables_destroy(tables);
	tables = leat_tables_create(specs, NULL);
	ck_assert(leat_tables_restore(tables, NULL, &op));
	ck_assert_uint_eq(leat_tables_entries(tables), 1);
	begin(43);
	m = get("a");
	ck_assert(m->is_odd && m->small == 0x201 && m->count == -2 && memcmp(m->name, "hello", 5) == 0);
	ck_assert_double_eq(m->total, 1.5);
	ck_assert_int_eq(m->not_declared, 0);
	commit();
	close_all();
}
END_TEST

/* R1, R3 */
START_TEST(rows_of_a_key_are_sorted_as_its_items)
{
	static const int64_t numbers[] = { INT64_MIN, -256, -1, 0, 1, 255, 256, INT64_MAX };
	struct leat_buffer rows = { 0 };

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		leat_row_sortable(&rows, numbers[i]);
		ck_assert_int_eq(leat_row_read_sortable(rows.data + LEAT_ROW_NUMBER * i), numbers[i]);
		if (i > 0)
			ck_assert_int_lt(memcmp(rows.data + LEAT_ROW_NUMBER * (i - 1), rows.data + LEAT_ROW_NUMBER * i, LEAT_ROW_NUMBER), 0);
	}
	leat_buffer_finish(&rows);
}
END_TEST

static bool is_beginning(const struct leat_buffer *a, const struct leat_buffer *b)
{
	return a->n <= b->n && memcmp(a->data, b->data, a->n) == 0;
}

/* R3 */
START_TEST(no_packed_key_is_the_beginning_of_another)
{
	enum { KEYS = 300 };
	static struct leat_buffer packed[KEYS + 40];
	char text[41];

	memset(text, 'a', sizeof text);
	for (int i = 0; i < KEYS; i++) {
		struct leat_value key = leat_integer(i - 40);

		leat_pack_value(&key, &packed[i]);
	}
	for (size_t i = 0; i < 40; i++) {
		struct leat_value key = leat_borrow(text, i);

		leat_pack_value(&key, &packed[KEYS + i]);
	}
	for (size_t i = 0; i < KEYS + 40; i++)
		for (size_t j = 0; j < KEYS + 40; j++)
			ck_assert(i == j || !is_beginning(&packed[i], &packed[j]));
	for (size_t i = 0; i < KEYS + 40; i++)
		leat_buffer_finish(&packed[i]);
}
END_TEST

START_TEST(damaged_rows_are_refused)
{
	struct leat_value key = key_of("b"), value = leat_integer(1);
	struct leat_delta_op op;
	size_t refused = 0;

	open_all(NULL);
	begin(1);
	get("a")->count = 1;
	leat_tables_put(tables, VALUE, &key, &value);
	put_item("c", 1, 1);
	set_timer("d", 1);
	commit();
	take();
	for (size_t at = 0; leat_delta_next(&delta, &at, &op);) {
		struct leat_delta_op cut = op;
		struct leat_tables *fresh = leat_tables_create(specs, NULL);
		struct leat_timers *fresh_timers = leat_timers_create();

		for (cut.key_n = 0; cut.key_n < op.key_n; cut.key_n++) {
			ck_assert(!leat_tables_restore(fresh, NULL, &cut));
			ck_assert(!leat_timers_restore(fresh_timers, NULL, &cut));
		}
		for (cut.value_n = 0; cut.value_n < op.value_n; cut.value_n++, refused++) {
			ck_assert(!leat_tables_restore(fresh, NULL, &cut));
			ck_assert(!leat_timers_restore(fresh_timers, NULL, &cut));
		}
		ck_assert_int_ne(leat_tables_restore(fresh, NULL, &op), leat_timers_restore(fresh_timers, NULL, &op));
		ck_assert(!leat_tables_restore(fresh, NULL, &op)); /* twice */
		ck_assert(!leat_timers_restore(fresh_timers, NULL, &op));
		leat_tables_destroy(fresh);
		leat_timers_destroy(fresh_timers);
	}
	ck_assert_uint_gt(refused, 40);
	close_all();
}
END_TEST

/* R4: its erase would miss the row. And a bool of another value is none. */
START_TEST(rows_that_we_would_not_write_are_refused)
{
	static const char long_integer[] = "\xcc\1", fields[8 + 8 + 1 + 5 + 8 + 4] = { 0 };
	static const char timer[1 + 8 + 8 + 2] = "\0\x80\0\0\0\0\0\0\1\x80\0\0\0\0\0\0\0\xcc\1", clock[1 + 8 + 8 + 1] = "\3";
	struct leat_delta_op put = { .table = FIXED, .key = long_integer, .key_n = 2, .value = fields, .value_n = sizeof fields };
	char odd[sizeof fields] = { 0 };

	open_all(NULL);
	ck_assert(!leat_tables_restore(tables, NULL, &put));
	put.key = "\1";
	put.key_n = 1;
	odd[16] = 2;
	put.value = odd;
	ck_assert(!leat_tables_restore(tables, NULL, &put));
	put.value = fields;
	put.table = 3;
	ck_assert(!leat_tables_restore(tables, NULL, &put));
	put.table = FIXED;
	ck_assert(leat_tables_restore(tables, NULL, &put));
	put = (struct leat_delta_op){ .table = LEAT_DELTA_TIMERS, .key = timer, .key_n = sizeof timer, .value = fields, .value_n = 8 };
	ck_assert(!leat_timers_restore(timers, NULL, &put));
	put.key = clock;
	put.key_n = sizeof clock;
	ck_assert(!leat_timers_restore(timers, NULL, &put));
	close_all();
}
END_TEST

/* "a" had expired when "b" was changed, but was not swept yet. */
START_TEST(what_had_expired_stays_so_when_the_clock_is_set_back)
{
	struct leat_value a = key_of("a"), b = key_of("b");
	struct leat_tables *fresh = leat_tables_create(specs, ttl_100);
	struct leat_delta_op op;

	open_all(ttl_100);
	begin(1000);
	get("a")->count = 1;
	commit();
	take();
	for (size_t at = 0; leat_delta_next(&delta, &at, &op);)
		ck_assert(leat_tables_restore(fresh, NULL, &op));
	leat_delta_clear(&delta);
	begin(1101);
	get("b")->count = 1;
	commit();
	take();
	for (size_t at = 0; leat_delta_next(&delta, &at, &op);)
		ck_assert(op.kind == LEAT_DELTA_ERASE || leat_tables_restore(fresh, NULL, &op));
	leat_tables_begin(fresh, 1);
	ck_assert_ptr_null(leat_tables_peek(fresh, FIXED, &a));
	ck_assert_ptr_nonnull(leat_tables_peek(fresh, FIXED, &b));
	leat_tables_commit(fresh);
	leat_tables_destroy(fresh);
	close_all();
}
END_TEST

int main(void)
{
	return leat_test_main("delta", (const TTest *[]){
		operations_come_back_in_order,
		nothing_is_noted_before_it_is_asked_for,
		an_entry_that_changes_often_is_one_row,
		what_came_and_went_between_two_checkpoints_leaves_nothing,
		an_erased_key_that_comes_back_is_put_after_it_was_erased,
		an_aborted_event_leaves_nothing_to_erase,
		a_number_that_is_used_again_is_one_row_of_the_new_entry,
		a_number_that_is_used_again_was_not_stored,
		a_run_is_noted_item_by_item,
		what_expires_is_erased,
		a_fixed_row_holds_the_declared_fields_and_no_padding,
		rows_of_a_key_are_sorted_as_its_items,
		no_packed_key_is_the_beginning_of_another,
		damaged_rows_are_refused,
		rows_that_we_would_not_write_are_refused,
		what_had_expired_stays_so_when_the_clock_is_set_back,
		NULL,
	});
}
