/* SPDX-License-Identifier: Apache-2.0 */
#include <leat/codec.h>
#include <math.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/memory.h"
#include "data/json.h"
#include "data/value.h"
#include "unit/unit.h"

static struct leat_symbols *symbols;
static struct leat_arena *arena;
static leat_symbol a_symbol, b_symbol;

static void open_all(void)
{
	symbols = leat_symbols_create();
	a_symbol = leat_symbols_intern(symbols, "a", 1);
	b_symbol = leat_symbols_intern(symbols, "b", 1);
	leat_symbols_freeze(symbols);
	arena = leat_arena_create();
}

static void close_all(void)
{
	leat_arena_unref(arena);
	leat_symbols_destroy(symbols);
}

/* In an arena of its own, so that a copy that still points there is found out. */
static struct leat_value read_into(struct leat_arena *to, const char *text)
{
	struct leat_json *json = leat_json_create(symbols);
	char *input = leat_arena_allocate(to, strlen(text) + LEAT_CODEC_PADDING);
	struct leat_value value = leat_null();
	struct leat_error err;

	memset(input, 0, strlen(text) + LEAT_CODEC_PADDING);
	memcpy(input, text, strlen(text));
	ck_assert_msg(leat_json_decode(json, to, input, strlen(text), &value, &err) == LEAT_OK, "%s", text);
	leat_json_destroy(json);
	return value;
}

static struct leat_value read(const char *text)
{
	return read_into(arena, text);
}

static char *written(const struct leat_value *value)
{
	struct leat_buffer out = {0};

	ck_assert_int_eq(leat_json_encode(value, &out, NULL), LEAT_OK);
	leat_buffer_byte(&out, '\0');
	return out.data;
}

static void assert_written(const struct leat_value *value, const char *expected)
{
	char *text = written(value);

	ck_assert_str_eq(text, expected);
	free(text);
}

static const char document[] = "{\"a\":\"text\",\"x\":[1,2.50,\"\\u00e9\",{\"b\":null}],"
                               "\"b\":12345678901234567890,\"\":[] , \"t\":true}";

static struct leat_value handmade(struct leat_arena *to)
{
	char text[] = "text", bytes[] = "\xff\x00";
	struct leat_value items[] = {leat_borrow(text, 4), leat_time(77), leat_real(0.5), leat_borrow(bytes, 2),
	                             read_into(to, document)};
	struct leat_member members[] = {
		{.symbol = a_symbol, .value = leat_bool(true)},
		{.name = "by hand", .name_n = 7, .value = leat_null()},
	};

	items[3].type = LEAT_BYTES;
	items[0].as.text = leat_arena_text(to, text, 4);
	items[3].as.text = leat_arena_text(to, bytes, 2);
	members[1].value = leat_value_list(to, items, 5);
	return leat_value_map_with(to, symbols, NULL, members, 2);
}

START_TEST(a_copy_is_equal_and_needs_nothing_of_the_original)
{
	struct leat_arena *other;
	struct leat_value made, copy;
	char *before, *after;

	open_all();
	other = leat_arena_create();
	made = handmade(other);
	before = written(&made);
	copy = leat_value_copy(arena, &made);
	ck_assert(leat_value_equals(&made, &copy));
	ck_assert_uint_eq(leat_value_hash(&made), leat_value_hash(&copy));
	leat_arena_unref(other);
	after = written(&copy);
	ck_assert_str_eq(before, after);
	free(before);
	free(after);
	close_all();
}
END_TEST

START_TEST(a_clone_is_one_block_of_the_size_it_says)
{
	static const char *const texts[] = {document, "[]", "{}", "1", "\"x\"", "\"\"", "0.50",
	                                    "[[[\"a\\n\"]],{\"\\\"\":{\"b\":[0.1]}}]"};
	size_t i, bytes;

	open_all();
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct leat_arena *other = leat_arena_create();
		struct leat_value made = read_into(other, texts[i]);
		struct leat_value *clone = leat_value_clone(&made, &bytes), *moved;
		char *text;

		ck_assert(leat_value_equals(&made, clone));
		leat_arena_unref(other);
		/* All of it lies in the block: the address sanitizer would see a byte read outside. */
		moved = leat_value_clone(clone, &bytes);
		free(clone);
		text = written(moved);
		ck_assert_str_eq(text, texts[i]);
		ck_assert_uint_le(bytes, sizeof *moved + strlen(texts[i]) * 40 + 200);
		free(text);
		free(moved);
		close_all();
		open_all();
	}
	close_all();
}
END_TEST

START_TEST(a_copy_keeps_one_source_text_that_texts_and_inner_sources_share)
{
	struct leat_value made, *clone;
	const struct leat_map *map;
	const char *source;
	size_t bytes;

	open_all();
	made = read(document);
	clone = leat_value_clone(&made, &bytes);
	map = clone->as.map;
	source = map->source;
	ck_assert_uint_eq(map->source_n, sizeof document - 1);
	ck_assert_ptr_eq(map->member[0].value.as.text, source + 6);
	ck_assert_ptr_eq(map->member[0].name, source + 2);
	ck_assert_ptr_eq(map->member[1].value.as.list->source, strchr(source, '['));
	ck_assert_ptr_eq(map->member[2].value.as.number->source, strstr(source, "1234567890"));
	free(clone);
	close_all();
}
END_TEST

START_TEST(equality_goes_by_meaning_and_equal_values_hash_alike)
{
	static const struct {
		const char *a, *b;
		bool is_equal;
	} cases[] = {
		{"1", "1.0", true},
		{"1", "10e-1", true},
		{"0", "-0", true},
		{"0.10", "0.1", true},
		{"1", "2", false},
		{"1", "1.5", false},
		{"1", "true", false},
		{"1", "\"1\"", false},
		{"null", "false", false},
		{"null", "null", true},
		{"9007199254740993", "9007199254740992.0", false},
		{"9007199254740992", "9007199254740992.0", true},
		{"9223372036854775807", "9223372036854775808", false},
		{"9223372036854775808", "9223372036854775808.0", true},
		{"-9223372036854775808", "-9223372036854775808.0", true},
		{"1e400", "2e400", true},
		{"1e400", "-1e400", false},
		{"\"a\"", "\"\\u0061\"", true},
		{"\"a\"", "\"b\"", false},
		{"\"a\"", "\"ab\"", false},
		{"\"\"", "\"\"", true},
		{"[]", "{}", false},
		{"[1,2]", "[1,2.0]", true},
		{"[1,2]", "[2,1]", false},
		{"[1]", "[1,1]", false},
		{"{\"a\":1,\"x\":2}", "{\"x\":2,\"a\":1}", true},
		{"{\"a\":1,\"x\":2}", "{ \"a\" : 1.0, \"x\" : 2 }", true},
		{"{\"a\":1,\"x\":2}", "{\"a\":1,\"x\":3}", false},
		{"{\"a\":1,\"x\":2}", "{\"a\":1,\"y\":2}", false},
		{"{\"a\":1,\"x\":2}", "{\"a\":1}", false},
		{"{\"a\":1,\"a\":2}", "{\"a\":2}", true},
		{"{\"a\":1,\"a\":2}", "{\"a\":1}", false},
		{"{\"a\":2,\"a\":2}", "{\"a\":2,\"x\":2}", false},
		{"{\"a\":{\"b\":[1,{\"x\":1,\"y\":2}]}}", "{\"a\":{\"b\":[1.0,{\"y\":2,\"x\":1}]}}", true},
	};
	size_t i;

	open_all();
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct leat_value a = read(cases[i].a), b = read(cases[i].b);

		ck_assert_msg(leat_value_equals(&a, &b) == cases[i].is_equal, "%s and %s", cases[i].a, cases[i].b);
		ck_assert_msg(leat_value_equals(&b, &a) == cases[i].is_equal, "%s and %s", cases[i].b, cases[i].a);
		ck_assert_msg((leat_value_hash(&a) == leat_value_hash(&b)) == cases[i].is_equal, "%s and %s", cases[i].a, cases[i].b);
	}
	close_all();
}
END_TEST

START_TEST(a_text_hashes_as_its_bytes)
{
	struct leat_value text = leat_borrow("user-1", 6), bytes = text;

	bytes.type = LEAT_BYTES;
	ck_assert_uint_eq(leat_value_hash(&text), leat_hash("user-1", 6));
	ck_assert_uint_ne(leat_value_hash(&bytes), leat_value_hash(&text));
	ck_assert(!leat_value_equals(&text, &bytes));
}
END_TEST

START_TEST(not_a_number_is_equal_to_itself)
{
	struct leat_value nan = leat_real(NAN), other = leat_real(-NAN), one = leat_integer(1);

	ck_assert(leat_value_equals(&nan, &other));
	ck_assert_uint_eq(leat_value_hash(&nan), leat_value_hash(&other));
	ck_assert(!leat_value_equals(&nan, &one));
	ck_assert_int_eq(leat_value_compare(&one, &nan), -1);
	ck_assert_int_eq(leat_value_compare(&nan, &one), 1);
}
END_TEST

START_TEST(values_of_all_types_have_one_order)
{
	static const char *const sorted[] = {
		"null", "false", "true", "-1e400", "-9223372036854775808", "-1", "-0.5", "0", "0.5", "1", "9007199254740992",
		"9007199254740993", "9223372036854775807", "9223372036854775808", "1e400", "\"\"", "\"a\"", "\"ab\"", "\"b\"",
		"\"\xc3\xa9\"", "[]", "[1]", "[1,0]", "[2]", "{}", "{\"a\":1}", "{\"a\":1,\"b\":0}", "{\"a\":2}", "{\"b\":0}",
	};
	size_t i, j, n = sizeof sorted / sizeof sorted[0];

	open_all();
	for (i = 0; i < n; i++)
		for (j = 0; j < n; j++) {
			struct leat_value a = read(sorted[i]), b = read(sorted[j]);

			ck_assert_msg(leat_value_compare(&a, &b) == (i < j ? -1 : i > j), "%s and %s", sorted[i], sorted[j]);
		}
	close_all();
}
END_TEST

START_TEST(times_stand_between_numbers_and_texts_and_bytes_after_texts)
{
	struct leat_value values[] = {leat_real(1e300), leat_time(-5), leat_time(3),
	                              leat_borrow("z", 1), leat_borrow("a", 1), leat_null()};
	int i;

	values[4].type = LEAT_BYTES;
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(leat_value_compare(&values[i], &values[i + 1]), -1);
}
END_TEST

START_TEST(a_map_of_very_many_members_is_compared_in_good_time)
{
	struct leat_buffer forth = {0}, back = {0};
	struct leat_value a, b;
	char one[64];
	int i;

	open_all();
	for (i = 0; i < 50000; i++) {
		leat_buffer_append(&forth, one, (size_t)snprintf(one, sizeof one, "%c\"n%d\":%d", i > 0 ? ',' : '{', i, i));
		leat_buffer_append(&back, one, (size_t)snprintf(one, sizeof one, "%c\"n%d\":%d", i > 0 ? ',' : '{', 49999 - i, 49999 - i));
	}
	leat_buffer_append(&forth, "}", 2);
	leat_buffer_append(&back, "}", 2);
	a = read(forth.data);
	b = read(back.data);
	ck_assert(leat_value_equals(&a, &b));
	ck_assert_uint_eq(leat_value_hash(&a), leat_value_hash(&b));
	leat_buffer_finish(&forth);
	leat_buffer_finish(&back);
	close_all();
}
END_TEST

START_TEST(map_with_replaces_in_place_and_adds_at_the_end)
{
	struct leat_value base, made;
	const struct leat_member members[] = {
		{.symbol = b_symbol, .value = leat_integer(20)},
		{.name = "new", .name_n = 3, .value = leat_integer(30)},
		{.name = "x", .name_n = 1, .value = leat_integer(40)},
		{.name = "new", .name_n = 3, .value = leat_integer(50)},
		{.name = "a", .name_n = 1, .value = leat_integer(60)},
	};
	struct leat_member with_symbols[5];

	open_all();
	memcpy(with_symbols, members, sizeof members);
	with_symbols[0].symbol = b_symbol;
	base = read("{\"a\":1,\"b\":2,\"x\":3}");
	made = leat_value_map_with(arena, symbols, &base, with_symbols, 5);
	assert_written(&made, "{\"a\":60,\"b\":20,\"x\":40,\"new\":50}");
	assert_written(&base, "{\"a\":1,\"b\":2,\"x\":3}");
	ck_assert_int_eq(leat_map_get(&made, a_symbol)->as.integer, 60);
	made = leat_value_map_with(arena, symbols, NULL, with_symbols + 1, 1);
	assert_written(&made, "{\"new\":30}");
	made = leat_value_map_with(arena, symbols, &base, NULL, 0);
	assert_written(&made, "{\"a\":1,\"b\":2,\"x\":3}");
	base = leat_integer(1);
	made = leat_value_map_with(arena, symbols, &base, NULL, 0);
	assert_written(&made, "{}");
	close_all();
}
END_TEST

START_TEST(of_equal_names_the_last_is_replaced)
{
	struct leat_value base, made;
	struct leat_member member = {.value = leat_integer(9)};

	open_all();
	member.symbol = a_symbol;
	base = read("{\"a\":1,\"a\":2,\"b\":3}");
	made = leat_value_map_with(arena, symbols, &base, &member, 1);
	ck_assert_int_eq(leat_map_get(&made, a_symbol)->as.integer, 9);
	ck_assert_uint_eq(made.n, 3);
	close_all();
}
END_TEST

START_TEST(a_list_copies_its_items)
{
	struct leat_value items[] = {leat_integer(1), leat_integer(2)}, made;

	open_all();
	made = leat_value_list(arena, items, 2);
	items[0] = leat_integer(9);
	assert_written(&made, "[1,2]");
	made = leat_value_list(arena, NULL, 0);
	assert_written(&made, "[]");
	close_all();
}
END_TEST

START_TEST(types_have_names)
{
	ck_assert_str_eq(leat_type_name(LEAT_NULL), "null");
	ck_assert_str_eq(leat_type_name(LEAT_MAP), "map");
	ck_assert_str_eq(leat_type_name((enum leat_type)77), "unknown type");
}
END_TEST

int main(void)
{
	return leat_test_main("value", (const TTest *[]){
		a_copy_is_equal_and_needs_nothing_of_the_original,
		a_clone_is_one_block_of_the_size_it_says,
		a_copy_keeps_one_source_text_that_texts_and_inner_sources_share,
		equality_goes_by_meaning_and_equal_values_hash_alike,
		a_text_hashes_as_its_bytes,
		not_a_number_is_equal_to_itself,
		values_of_all_types_have_one_order,
		times_stand_between_numbers_and_texts_and_bytes_after_texts,
		a_map_of_very_many_members_is_compared_in_good_time,
		map_with_replaces_in_place_and_adds_at_the_end,
		of_equal_names_the_last_is_replaced,
		a_list_copies_its_items,
		types_have_names,
		NULL,
	});
}
