/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "state/index.h"
#include "state/tables.h"
#include "unit/unit.h"

struct counter {
	int64_t n;
};

static const struct leat_field counter_fields[] = { LEAT_FIELD(struct counter, n, INT64), { 0 } };

static const struct leat_table_spec specs[] = {
	{ .name = "counter", .version = 1, .kind = LEAT_TABLE_FIXED, .size = sizeof(struct counter), .fields = counter_fields },
	{ .name = "value", .version = 1, .kind = LEAT_TABLE_VALUE },
	{ .name = "ordered", .version = 1, .kind = LEAT_TABLE_ORDERED },
	{ 0 },
};

static void count(struct leat_tables *t, int64_t key)
{
	struct leat_value v = leat_integer(key);
	struct counter *c = leat_tables_get(t, 0, &v);

	c->n++;
}

static int64_t counted(struct leat_tables *t, int64_t key)
{
	struct leat_value v = leat_integer(key);
	const struct counter *c = leat_tables_peek(t, 0, &v);

	return c != NULL ? c->n : -1;
}

START_TEST(a_new_entry_is_zeroed_and_an_aborted_one_is_gone)
{
	struct leat_tables *t = leat_tables_create(specs, NULL);

	leat_tables_begin(t, 1);
	count(t, 7);
	ck_assert_int_eq(counted(t, 7), 1);
	leat_tables_abort(t);
	ck_assert_int_eq(counted(t, 7), -1);
	ck_assert_uint_eq(leat_tables_entries(t), 0);
	leat_tables_begin(t, 1);
	count(t, 7);
	count(t, 7);
	leat_tables_commit(t);
	ck_assert_int_eq(counted(t, 7), 2);
	ck_assert_uint_eq(leat_tables_entries(t), 1);
	leat_tables_destroy(t);
}
END_TEST

START_TEST(an_entry_may_have_64_kib)
{
	struct large {
		uint8_t byte[64 * 1024];
	};
	static const struct leat_field fields[] = { LEAT_FIELD(struct large, byte, BYTES), { 0 } };
	static const struct leat_table_spec large[] = {
		{ .name = "large", .version = 1, .kind = LEAT_TABLE_FIXED, .size = sizeof(struct large), .fields = fields }, { 0 },
	};
	struct leat_tables *t = leat_tables_create(large, NULL);

	for (int64_t key = 0; key < 20; key++) {
		struct leat_value v = leat_integer(key % 10);
		struct large *entry;

		leat_tables_begin(t, 1);
		entry = leat_tables_get(t, 0, &v);
		ck_assert_int_eq(entry->byte[0], key < 10 ? 0 : key % 10 + 1);
		ck_assert_int_eq(entry->byte[sizeof entry->byte - 1], key < 10 ? 0 : key % 10 + 1);
		memset(entry->byte, (int)(key % 10) + 1, sizeof entry->byte);
		leat_tables_commit(t);
	}
	ck_assert_uint_eq(leat_tables_entries(t), 10);
	leat_tables_destroy(t);
}
END_TEST

START_TEST(an_integer_and_the_equal_real_are_one_key)
{
	struct leat_tables *t = leat_tables_create(specs, NULL);
	struct leat_value real = leat_real(7.0);

	leat_tables_begin(t, 1);
	count(t, 7);
	ck_assert_ptr_nonnull(leat_tables_peek(t, 0, &real));
	leat_tables_commit(t);
	leat_tables_destroy(t);
}
END_TEST

START_TEST(pointers_stay_good_while_the_table_grows_within_an_event)
{
	struct leat_tables *t = leat_tables_create(specs, NULL);
	struct leat_value first = leat_borrow("first", 5);
	struct counter *c;

	leat_tables_begin(t, 1);
	c = leat_tables_get(t, 0, &first);
	c->n = 42;
	for (int64_t i = 0; i < 100000; i++)
		count(t, i);
	ck_assert_ptr_eq(leat_tables_get(t, 0, &first), c);
	ck_assert_int_eq(c->n, 42);
	leat_tables_abort(t);
	ck_assert_uint_eq(leat_tables_entries(t), 0);
	leat_tables_destroy(t);
}
END_TEST

START_TEST(a_million_entries_are_found_again_and_can_be_erased)
{
	struct leat_tables *t = leat_tables_create(specs, NULL);
	size_t bytes;

	for (int64_t i = 0; i < 1000000; i++) {
		leat_tables_begin(t, 1);
		count(t, i * 7919);
		leat_tables_commit(t);
	}
	ck_assert_uint_eq(leat_tables_entries(t), 1000000);
	bytes = leat_tables_bytes(t);
	ck_assert_uint_gt(bytes, 1000000 * sizeof(struct counter));
	ck_assert_uint_lt(bytes, 1000000 * 128);
	for (int64_t i = 0; i < 1000000; i++) {
		ck_assert_int_eq(counted(t, i * 7919), 1);
		ck_assert_int_eq(counted(t, i * 7919 + 1), -1);
	}
	for (int64_t i = 0; i < 1000000; i++) {
		struct leat_value key = leat_integer(i * 7919);

		leat_tables_begin(t, 1);
		leat_tables_erase(t, 0, &key);
		leat_tables_commit(t);
	}
	ck_assert_uint_eq(leat_tables_entries(t), 0);
	for (int64_t i = 0; i < 1000000; i++) {
		leat_tables_begin(t, 1);
		count(t, i);
		leat_tables_commit(t);
	}
	/* Freed entries are used again. */
	ck_assert_uint_le(leat_tables_bytes(t), bytes + bytes / 8);
	leat_tables_destroy(t);
}
END_TEST

START_TEST(expired_entries_read_as_absent_and_their_memory_is_used_again)
{
	const int64_t ttl_us[] = { 1000, 0, 0 };
	struct leat_tables *t = leat_tables_create(specs, ttl_us);
	size_t most = 0;

	leat_tables_begin(t, 5000);
	count(t, 1);
	leat_tables_commit(t);
	leat_tables_begin(t, 6000);
	ck_assert_int_eq(counted(t, 1), 1);
	leat_tables_commit(t);
	leat_tables_begin(t, 6001);
	ck_assert_int_eq(counted(t, 1), -1);
	count(t, 1);
	ck_assert_int_eq(counted(t, 1), 1);
	leat_tables_commit(t);
	/* Ever new keys, a thousand of them alive at any time. */
	for (int64_t i = 0; i < 200000; i++) {
		leat_tables_begin(t, 10000 + i);
		count(t, 1000 + i);
		leat_tables_commit(t);
		if (leat_tables_entries(t) > most)
			most = leat_tables_entries(t);
	}
	ck_assert_uint_lt(most, 2000);
	leat_tables_destroy(t);
}
END_TEST

START_TEST(an_aborted_change_does_not_prolong_an_entry)
{
	const int64_t ttl_us[] = { 1000, 0, 0 };
	struct leat_tables *t = leat_tables_create(specs, ttl_us);

	leat_tables_begin(t, 1000);
	count(t, 1);
	leat_tables_commit(t);
	leat_tables_begin(t, 1900);
	count(t, 1);
	leat_tables_abort(t);
	leat_tables_begin(t, 2001);
	ck_assert_int_eq(counted(t, 1), -1);
	leat_tables_commit(t);
	leat_tables_destroy(t);
}
END_TEST

START_TEST(an_entry_erased_and_made_anew_in_one_event_comes_back_on_abort)
{
	struct leat_tables *t = leat_tables_create(specs, NULL);
	struct leat_value key = leat_integer(5);

	leat_tables_begin(t, 1);
	count(t, 5);
	count(t, 5);
	leat_tables_commit(t);
	leat_tables_begin(t, 2);
	count(t, 5);
	leat_tables_erase(t, 0, &key);
	ck_assert_int_eq(counted(t, 5), -1);
	count(t, 5);
	ck_assert_int_eq(counted(t, 5), 1);
	leat_tables_abort(t);
	ck_assert_int_eq(counted(t, 5), 2);
	leat_tables_destroy(t);
}
END_TEST

START_TEST(an_entry_is_logged_once_however_often_an_event_touches_it)
{
	struct leat_tables *t = leat_tables_create(specs, NULL);
	size_t bytes;

	leat_tables_begin(t, 1);
	count(t, 1);
	count(t, 2);
	leat_tables_commit(t);
	bytes = leat_tables_bytes(t);
	leat_tables_begin(t, 2);
	for (size_t i = 0; i < 10000; i++)
		count(t, 1);
	count(t, 3); /* a new one, so that the figures are published */
	leat_tables_commit(t);
	ck_assert_uint_lt(leat_tables_bytes(t), bytes + 1024);
	leat_tables_destroy(t);
}
END_TEST

START_TEST(a_window_slides_over_a_long_run_without_growing)
{
	struct leat_tables *t = leat_tables_create(specs, NULL);
	struct leat_value key = leat_borrow("k", 1);
	const struct leat_ordered_entry *entries;
	size_t bytes = 0;

	for (int64_t i = 0; i < 400000; i++) {
		struct leat_ordered_entry entry = { .order = i, .sequence = 0, .value = leat_integer(i) };

		leat_tables_begin(t, i);
		leat_tables_ordered_put(t, 2, &key, &entry);
		if (i >= 100000)
			leat_tables_ordered_erase(t, 2, &key, INT64_MIN, i - 99999);
		leat_tables_commit(t);
		if (i == 200000)
			bytes = leat_tables_bytes(t);
	}
	ck_assert_uint_eq(leat_tables_ordered_scan(t, 2, &key, INT64_MIN, INT64_MAX, &entries), 100000);
	ck_assert_int_eq(entries[0].order, 300000);
	ck_assert_int_eq(entries[99999].value.as.integer, 399999);
	ck_assert_uint_le(leat_tables_bytes(t), bytes + 1024);
	leat_tables_begin(t, 400000);
	leat_tables_ordered_erase(t, 2, &key, INT64_MIN, INT64_MAX);
	ck_assert_uint_eq(leat_tables_ordered_scan(t, 2, &key, INT64_MIN, INT64_MAX, &entries), 0);
	leat_tables_abort(t);
	ck_assert_uint_eq(leat_tables_ordered_scan(t, 2, &key, INT64_MIN, INT64_MAX, &entries), 100000);
	leat_tables_destroy(t);
}
END_TEST

START_TEST(a_scan_is_not_disturbed_by_later_changes_of_its_event)
{
	struct leat_tables *t = leat_tables_create(specs, NULL);
	struct leat_value key = leat_integer(1);
	const struct leat_ordered_entry *entries;
	struct leat_ordered_entry entry = { .value = leat_borrow("old", 3) };

	leat_tables_begin(t, 1);
	for (entry.order = 0; entry.order < 10; entry.order++)
		leat_tables_ordered_put(t, 2, &key, &entry);
	ck_assert_uint_eq(leat_tables_ordered_scan(t, 2, &key, 0, 10, &entries), 10);
	/* The last slot that was handed out becomes free and is wanted again. */
	leat_tables_ordered_erase(t, 2, &key, 9, 10);
	entry.order = 100;
	entry.value = leat_borrow("new", 3);
	leat_tables_ordered_put(t, 2, &key, &entry);
	entry.order = 4;
	leat_tables_ordered_put(t, 2, &key, &entry);
	for (int64_t i = 0; i < 10; i++) {
		ck_assert_int_eq(entries[i].order, i);
		ck_assert(leat_text_equals(&entries[i].value, "old"));
	}
	leat_tables_commit(t);
	leat_tables_destroy(t);
}
END_TEST

START_TEST(bytes_are_given_back)
{
	struct leat_tables *t = leat_tables_create(specs, NULL);
	struct leat_value key = leat_borrow("a key that is longer than an entry has room for", 47);
	struct leat_value long_text = leat_borrow("0123456789012345678901234567890123456789", 40);
	struct leat_ordered_entry entry = { .order = 1, .value = long_text };
	size_t empty, full;

	leat_tables_begin(t, 1);
	leat_tables_put(t, 1, &key, &long_text);
	leat_tables_ordered_put(t, 2, &key, &entry);
	leat_tables_erase(t, 1, &key);
	leat_tables_erase(t, 2, &key);
	leat_tables_commit(t);
	leat_tables_begin(t, 2);
	leat_tables_commit(t);
	empty = leat_tables_bytes(t);
	leat_tables_begin(t, 3);
	leat_tables_put(t, 1, &key, &long_text);
	leat_tables_ordered_put(t, 2, &key, &entry);
	leat_tables_commit(t);
	full = leat_tables_bytes(t);
	ck_assert_uint_gt(full, empty + 2 * 47 + 2 * 40);
	leat_tables_begin(t, 4);
	leat_tables_erase(t, 1, &key);
	leat_tables_erase(t, 2, &key);
	leat_tables_commit(t);
	leat_tables_begin(t, 5);
	leat_tables_commit(t);
	ck_assert_uint_eq(leat_tables_bytes(t), empty);
	leat_tables_destroy(t);
}
END_TEST

START_TEST(prefetching_changes_nothing)
{
	struct leat_tables *t = leat_tables_create(specs, NULL);
	struct leat_tables *none = leat_tables_create(NULL, NULL);
	struct leat_record record[150];

	memset(record, 0, sizeof record);
	for (size_t i = 0; i < 150; i++)
		record[i].key = leat_integer((int64_t)i);
	leat_tables_begin(t, 1);
	count(t, 3);
	leat_tables_commit(t);
	leat_tables_prefetch(t, record, 150);
	leat_tables_prefetch(none, record, 150);
	ck_assert_uint_eq(leat_tables_entries(t), 1);
	ck_assert_int_eq(counted(t, 3), 1);
	leat_tables_destroy(t);
	leat_tables_destroy(none);
}
END_TEST

/* ---- index ---------------------------------------------------------------------------------------------------------- */

START_TEST(tags_made_to_collide_do_not_blow_up_the_directory)
{
	struct leat_index index;
	size_t n_found = 0;

	leat_index_init(&index);
	/* All of one tag, then all of one first half. */
	for (uint32_t i = 1; i <= 6000; i++)
		leat_index_insert(&index, 0xdeadbeef, i);
	for (uint32_t i = 1; i <= 20000; i++)
		leat_index_insert(&index, 0xabcd0000u | (i & 0xffff), 6000 + i);
	ck_assert_uint_lt(index.bytes, 2 << 20);
	for (struct leat_probe p = leat_index_probe(&index, 0xdeadbeef); p.slot[p.i].number != 0; leat_probe_next(&p))
		n_found += p.slot[p.i].tag == 0xdeadbeef;
	ck_assert_uint_eq(n_found, 6000);
	for (uint32_t i = 1; i <= 6000; i++)
		leat_index_remove(&index, 0xdeadbeef, i);
	for (uint32_t i = 1; i <= 20000; i++)
		leat_index_remove(&index, 0xabcd0000u | (i & 0xffff), 6000 + i);
	ck_assert_uint_eq(index.n, 0);
	leat_index_finish(&index);
}
END_TEST

int main(void)
{
	return leat_test_main("tables", (const TTest *[]){
		a_new_entry_is_zeroed_and_an_aborted_one_is_gone,
		an_entry_may_have_64_kib,
		an_integer_and_the_equal_real_are_one_key,
		pointers_stay_good_while_the_table_grows_within_an_event,
		a_million_entries_are_found_again_and_can_be_erased,
		expired_entries_read_as_absent_and_their_memory_is_used_again,
		an_aborted_change_does_not_prolong_an_entry,
		an_entry_erased_and_made_anew_in_one_event_comes_back_on_abort,
		an_entry_is_logged_once_however_often_an_event_touches_it,
		a_window_slides_over_a_long_run_without_growing,
		a_scan_is_not_disturbed_by_later_changes_of_its_event,
		bytes_are_given_back,
		prefetching_changes_nothing,
		tags_made_to_collide_do_not_blow_up_the_directory,
		NULL,
	});
}
