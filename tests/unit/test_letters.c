/* SPDX-License-Identifier: Apache-2.0 */
/* The store's queue of dead letters, and a letter at rest. */
#define _XOPEN_SOURCE 700 /* nftw() */
#include <stdio.h>
#include <string.h>

#include "data/value.h"
#include "state/letter.h"
#include "state/store.h"
#include "unit/folder.h"
#include "unit/unit.h"

static char home[64], folder[96];
static struct leat_store *store;
static struct leat_error err;

/* ---- kit ------------------------------------------------------------------------------------------------------------- */

static void expect_ok(enum leat_status status)
{
	ck_assert_msg(status == LEAT_OK, "%s", err.text);
}

static void begin(void)
{
	(void)snprintf(home, sizeof home, "/tmp/leat-test-letters-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(home));
	(void)snprintf(folder, sizeof folder, "%s/p.state", home);
	expect_ok(leat_store_open(folder, "p", &store, &err));
}

static void reopen(void)
{
	leat_store_close(store);
	expect_ok(leat_store_open(folder, "p", &store, &err));
}

static void end(void)
{
	leat_store_close(store);
	remove_tree(home);
}

static void commit(void)
{
	expect_ok(leat_store_commit(store, leat_store_epoch(store) + 1, &err));
}

static void put(const char *node, const char *bytes)
{
	(void)leat_store_put_letter(store, leat_store_epoch(store) + 1, node, bytes, strlen(bytes));
}

static bool append(void *opaque, const struct leat_letter_row *row)
{
	struct leat_buffer *text = opaque;
	char number[64];

	(void)snprintf(number, sizeof number, "%d@%d:", (int)row->number, (int)row->epoch);
	leat_buffer_text(text, number);
	leat_buffer_append(text, row->node, row->node_n);
	leat_buffer_byte(text, '=');
	leat_buffer_append(text, row->bytes, row->n);
	leat_buffer_byte(text, ' ');
	return true;
}

static void expect_letters(const struct leat_store *in, uint64_t from, const char *expected)
{
	struct leat_buffer text = { 0 };

	expect_ok(leat_store_scan_letters(in, from, append, &text, &err));
	leat_buffer_byte(&text, '\0');
	ck_assert_str_eq(text.data, expected);
	leat_buffer_finish(&text);
}

static void expect_count(const char *node, uint64_t n)
{
	struct leat_letter_count count = leat_store_letters(store, node);

	ck_assert_uint_eq(count.n, n);
	ck_assert_int_eq(count.bytes > 0, n > 0);
}

/* ---- the queue ------------------------------------------------------------------------------------------------------- */

START_TEST(letters_are_there_with_their_epoch_and_keep_their_numbers)
{
	begin();
	put("score", "a");
	put("out", "b");
	expect_letters(store, 0, "");
	commit();
	put("score", "c");
	commit();
	expect_letters(store, 0, "1@1:score=a 2@1:out=b 3@2:score=c ");
	expect_letters(store, 2, "2@1:out=b 3@2:score=c ");
	expect_ok(leat_store_erase_letter(store, 3, &err));
	commit();
	reopen();
	expect_letters(store, 0, "1@1:score=a 2@1:out=b ");
	put("score", "d");
	commit();
	expect_letters(store, 3, "4@4:score=d ");
	ck_assert_uint_eq(leat_store_last_letter(store), 4);
	end();
}
END_TEST

START_TEST(what_is_not_committed_is_not_there_after_a_restart)
{
	begin();
	put("score", "a");
	commit();
	put("score", "b");
	expect_ok(leat_store_erase_letter(store, 1, &err));
	reopen();
	expect_letters(store, 0, "1@1:score=a ");
	expect_count(NULL, 1);
	end();
}
END_TEST

START_TEST(letters_are_counted_by_node)
{
	begin();
	put("score", "a");
	put("score", "b");
	put("out", "c");
	commit();
	reopen();
	expect_count(NULL, 3);
	expect_count("score", 2);
	expect_count("out", 1);
	expect_count("other", 0);
	expect_ok(leat_store_erase_letter(store, 1, &err));
	expect_ok(leat_store_erase_letter(store, 3, &err));
	commit();
	reopen();
	expect_count(NULL, 1);
	expect_count("score", 1);
	expect_count("out", 0);
	end();
}
END_TEST

START_TEST(a_letter_is_erased_once)
{
	begin();
	put("score", "a");
	ck_assert_int_eq(leat_store_erase_letter(store, 7, &err), LEAT_AGAIN);
	commit();
	expect_ok(leat_store_erase_letter(store, 1, &err));
	ck_assert_int_eq(leat_store_erase_letter(store, 1, &err), LEAT_AGAIN);
	commit();
	ck_assert_int_eq(leat_store_erase_letter(store, 1, &err), LEAT_AGAIN);
	expect_count(NULL, 0);
	end();
}
END_TEST

START_TEST(the_oldest_are_trimmed_and_not_twice)
{
	uint64_t one, n;

	begin();
	put("n", "aaaa");
	one = leat_store_letters(store, NULL).bytes;
	put("n", "bbbb");
	put("n", "cccc");
	put("n", "dddd");
	commit();
	expect_ok(leat_store_trim_letters(store, 4 * one, &n, &err));
	ck_assert_uint_eq(n, 0);
	expect_ok(leat_store_erase_letter(store, 1, &err));
	put("n", "eeee");
	expect_ok(leat_store_trim_letters(store, 2 * one, &n, &err));
	ck_assert_uint_eq(n, 2);
	commit();
	expect_letters(store, 0, "4@1:n=dddd 5@2:n=eeee ");
	/* What is not durable yet stays, whatever it takes. */
	put("n", "ffff");
	expect_ok(leat_store_trim_letters(store, 0, &n, &err));
	ck_assert_uint_eq(n, 2);
	commit();
	expect_letters(store, 0, "6@3:n=ffff ");
	expect_count(NULL, 1);
	end();
}
END_TEST

START_TEST(a_copy_and_a_reader_have_the_letters)
{
	struct leat_store *reader;
	char copy[128];

	begin();
	put("score", "a");
	commit();
	expect_ok(leat_store_open_read_only(folder, "p", &reader, &err));
	expect_letters(reader, 0, "1@1:score=a ");
	(void)snprintf(copy, sizeof copy, "%s/copy", home);
	expect_ok(leat_store_copy(reader, copy, &err));
	leat_store_close(reader);
	expect_ok(leat_store_open_read_only(copy, "p", &reader, &err));
	expect_letters(reader, 0, "1@1:score=a ");
	ck_assert_uint_eq(leat_store_letters(reader, "score").n, 1);
	leat_store_close(reader);
	end();
}
END_TEST

/* ---- a letter -------------------------------------------------------------------------------------------------------- */

static const struct leat_header headers[] = { { .name = "trace", .bytes = "\x01\xff", .n = 2 }, { .name = "none" } };

static struct leat_letter sample(struct leat_arena *arena)
{
	struct leat_symbols *symbols = leat_symbols_create();
	const struct leat_member member[] = { { .name = "user", .name_n = 4, .value = leat_borrow("anna", 4) },
		                                  { .name = "amount", .name_n = 6, .value = leat_real(1.5) } };
	static const struct leat_headers both = { .n = 2, .item = headers };
	struct leat_letter letter = { .node = "score", .kind = LEAT_LETTER_EVENT, .time_us = 1700000000000000, .reason = "too much",
		                          .where = "score.lua:12", .detail = "stack\n  more", .input = "left", .source = "in" };

	letter.record = (struct leat_record){ .key = leat_borrow("anna", 4), .value = leat_value_map_with(arena, symbols, NULL, member, 2),
		                                  .time_us = LEAT_NO_TIME, .headers = &both };
	leat_symbols_destroy(symbols);
	letter.record.origin = (struct leat_origin){ .source = 3, .partition = 2, .offset = INT64_C(1) << 40 };
	return letter;
}

static struct leat_letter pack_and_unpack(struct leat_arena *arena, const struct leat_letter *letter)
{
	struct leat_buffer bytes = { 0 };
	struct leat_letter_row row = { .number = 17, .epoch = 5, .node = letter->node, .node_n = strlen(letter->node) };
	struct leat_letter back;

	leat_letter_pack(letter, &bytes);
	row.bytes = bytes.data;
	row.n = bytes.n;
	ck_assert(leat_letter_unpack(arena, NULL, &row, &back));
	row.n--;
	ck_assert(!leat_letter_unpack(arena, NULL, &row, &(struct leat_letter){ 0 }));
	leat_buffer_finish(&bytes);
	return back;
}

START_TEST(a_letter_comes_back_as_it_was)
{
	struct leat_arena *arena = leat_arena_create();
	struct leat_letter letter = sample(arena), back = pack_and_unpack(arena, &letter);

	ck_assert_uint_eq(back.number, 17);
	ck_assert_uint_eq(back.epoch, 5);
	ck_assert_str_eq(back.node, "score");
	ck_assert_int_eq(back.kind, LEAT_LETTER_EVENT);
	ck_assert_int_eq(back.time_us, letter.time_us);
	ck_assert_str_eq(back.where, "score.lua:12");
	ck_assert_str_eq(back.detail, "stack\n  more");
	ck_assert_str_eq(back.input, "left");
	ck_assert_str_eq(back.source, "in");
	ck_assert_int_eq(back.record.origin.partition, 2);
	ck_assert_int_eq(back.record.origin.offset, INT64_C(1) << 40);
	ck_assert_int_eq(back.record.time_us, LEAT_NO_TIME);
	ck_assert(leat_value_equals(&back.record.key, &letter.record.key));
	ck_assert(leat_value_equals(&back.record.value, &letter.record.value));
	ck_assert_uint_eq(back.record.headers->n, 2);
	ck_assert_str_eq(back.record.headers->item[0].name, "trace");
	ck_assert_uint_eq(back.record.headers->item[0].n, 2);
	ck_assert_mem_eq(back.record.headers->item[0].bytes, "\x01\xff", 2);
	ck_assert_ptr_null(back.record.headers->item[1].bytes);
	leat_arena_unref(arena);
}
END_TEST

/* As it was packed before letters had an input: 12 items, of which the first byte is the count (fixarray). */
START_TEST(a_letter_from_before_there_were_inputs_is_read)
{
	struct leat_arena *arena = leat_arena_create();
	struct leat_letter letter = sample(arena), back;
	struct leat_buffer bytes = { 0 };
	struct leat_letter_row row = { .number = 17, .epoch = 5, .node = "score", .node_n = 5 };

	letter.input = NULL;
	leat_letter_pack(&letter, &bytes);
	ck_assert_uint_eq((unsigned char)bytes.data[0], 0x9d);
	ck_assert_uint_eq((unsigned char)bytes.data[bytes.n - 1], 0xc0);
	bytes.data[0] = (char)0x9c;
	row.bytes = bytes.data;
	row.n = bytes.n - 1;
	ck_assert(leat_letter_unpack(arena, NULL, &row, &back));
	ck_assert_ptr_null(back.input);
	ck_assert_str_eq(back.reason, "too much");
	ck_assert(leat_value_equals(&back.record.value, &letter.record.value));
	leat_buffer_finish(&bytes);
	leat_arena_unref(arena);
}
END_TEST

START_TEST(a_letter_of_nothing_comes_back_as_well)
{
	struct leat_arena *arena = leat_arena_create();
	const struct leat_letter letter = { .node = "n", .kind = LEAT_LETTER_TIMER, .reason = "", .where = "", .detail = "" };
	struct leat_letter back = pack_and_unpack(arena, &letter);

	ck_assert_int_eq(back.kind, LEAT_LETTER_TIMER);
	ck_assert_ptr_null(back.input);
	ck_assert_ptr_null(back.source);
	ck_assert_ptr_null(back.record.headers);
	ck_assert_int_eq(back.record.value.type, LEAT_NULL);
	leat_arena_unref(arena);
}
END_TEST

START_TEST(a_letter_is_printed_as_one_line_of_json)
{
	struct leat_arena *arena = leat_arena_create();
	struct leat_letter letter = sample(arena);
	struct leat_buffer text = { 0 };

	letter.number = 17;
	letter.epoch = 5;
	leat_letter_print_json(&letter, &text);
	leat_buffer_byte(&text, '\0');
	ck_assert_str_eq(text.data, "{\"number\":17,\"epoch\":5,\"time\":\"2023-11-14T22:13:20.000000Z\",\"node\":\"score\","
	                            "\"input\":\"left\",\"failed\":\"event\",\"reason\":\"too much\",\"where\":\"score.lua:12\",\"detail\":\"stack\\n  more\","
	                            "\"source\":\"in\",\"partition\":2,\"offset\":1099511627776,\"key\":\"anna\","
	                            "\"headers\":{\"trace\":\"\\u0001\xef\xbf\xbd\",\"none\":null},"
	                            "\"payload\":{\"user\":\"anna\",\"amount\":1.5}}");
	leat_buffer_finish(&text);
	leat_arena_unref(arena);
}
END_TEST

int main(void)
{
	return leat_test_main("letters", (const TTest *[]){
		letters_are_there_with_their_epoch_and_keep_their_numbers,
		what_is_not_committed_is_not_there_after_a_restart,
		letters_are_counted_by_node,
		a_letter_is_erased_once,
		the_oldest_are_trimmed_and_not_twice,
		a_copy_and_a_reader_have_the_letters,
		a_letter_comes_back_as_it_was,
		a_letter_from_before_there_were_inputs_is_read,
		a_letter_of_nothing_comes_back_as_well,
		a_letter_is_printed_as_one_line_of_json,
		NULL });
}
