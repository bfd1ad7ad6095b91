/* SPDX-License-Identifier: Apache-2.0 */
#include <leat/codec.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "data/json.h"
#include "data/pack.h"
#include "unit/random.h"
#include "unit/unit.h"

static struct leat_symbols *symbols;
static struct leat_arena *arena;
static leat_symbol a_symbol;

static void open_all(void)
{
	symbols = leat_symbols_create();
	a_symbol = leat_symbols_intern(symbols, "a", 1);
	leat_symbols_freeze(symbols);
	arena = leat_arena_create();
}

static void close_all(void)
{
	leat_arena_unref(arena);
	leat_symbols_destroy(symbols);
}

static struct leat_value read_json(const char *text)
{
	struct leat_json *json = leat_json_create(symbols);
	char *input = leat_arena_allocate(arena, strlen(text) + LEAT_CODEC_PADDING);
	struct leat_value value = leat_null();
	struct leat_error err;

	memset(input, 0, strlen(text) + LEAT_CODEC_PADDING);
	memcpy(input, text, strlen(text));
	ck_assert_int_eq(leat_json_decode(json, arena, input, strlen(text), &value, &err), LEAT_OK);
	leat_json_destroy(json);
	return value;
}

static struct leat_value bytes_of(const char *bytes, size_t n)
{
	struct leat_value v = leat_borrow(bytes, n);

	v.type = LEAT_BYTES;
	return v;
}

static void assert_same_json(const struct leat_value *a, const struct leat_value *b)
{
	struct leat_buffer left = { 0 }, right = { 0 };
	struct leat_error err;

	ck_assert_int_eq(leat_json_encode(a, &left, &err), leat_json_encode(b, &right, &err));
	ck_assert_uint_eq(left.n, right.n);
	ck_assert(left.n == 0 || memcmp(left.data, right.data, left.n) == 0);
	leat_buffer_finish(&left);
	leat_buffer_finish(&right);
}

/* What comes back does not point into the bytes, which are freed, and is the same in every way. */
static struct leat_value pass(const struct leat_value *value)
{
	struct leat_buffer packed = { 0 }, again = { 0 };
	struct leat_value back = leat_null();

	leat_pack_value(value, &packed);
	ck_assert_uint_eq(leat_packed_size(packed.data, packed.n), packed.n);
	ck_assert(leat_unpack_value(arena, symbols, packed.data, packed.n, &back));
	memset(packed.data, 0xc1, packed.n);
	ck_assert_int_eq(back.type, value->type);
	ck_assert_int_eq(back.flags, value->flags);
	ck_assert_uint_eq(back.n, value->n);
	ck_assert(leat_value_equals(&back, value));
	assert_same_json(&back, value);
	leat_pack_value(&back, &again);
	packed.n = 0;
	leat_pack_value(value, &packed);
	ck_assert_uint_eq(packed.n, again.n);
	ck_assert_mem_eq(packed.data, again.data, again.n);
	leat_buffer_finish(&packed);
	leat_buffer_finish(&again);
	return back;
}

static void assert_passes(struct leat_value value)
{
	(void)pass(&value);
}

START_TEST(scalars_come_back)
{
	static const int64_t integers[] = { 0, 1, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296, INT64_MAX,
		                            -1, -32, -33, -128, -129, -32768, -32769, -2147483648, -2147483649, INT64_MIN };

	open_all();
	assert_passes(leat_null());
	assert_passes(leat_bool(true));
	assert_passes(leat_bool(false));
	for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
		assert_passes(leat_integer(integers[i]));
		assert_passes(leat_time(integers[i]));
	}
	close_all();
}
END_TEST

START_TEST(reals_come_back_bit_by_bit)
{
	const double reals[] = { 0.0, -0.0, 1.0, 0.1, -1e300, 5e-324, (double)INFINITY, (double)-INFINITY, (double)NAN, -(double)NAN };

	open_all();
	for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
		struct leat_value value = leat_real(reals[i]);
		struct leat_value back = pass(&value);

		ck_assert_mem_eq(&back.as.real, &reals[i], sizeof(double));
	}
	close_all();
}
END_TEST

START_TEST(texts_and_bytes_of_every_length_of_length_come_back)
{
	static const size_t lengths[] = { 0, 1, 31, 32, 255, 256, 65535, 65536 };
	char *bytes = leat_allocate_bytes(65536);

	open_all();
	memset(bytes, 'x', 65536);
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		assert_passes(leat_borrow(bytes, lengths[i]));
		assert_passes(bytes_of(bytes, lengths[i]));
	}
	assert_passes(bytes_of("\0\xff\xc1", 3));
	close_all();
	free(bytes);
}
END_TEST

START_TEST(numbers_keep_their_source_text)
{
	struct leat_value value, back;

	open_all();
	value = read_json("12345678901234567890123");
	back = pass(&value);
	ck_assert_uint_eq(back.as.number->source_n, 23);
	ck_assert(back.as.number->real > 1e22);
	assert_passes(read_json("0.10"));
	assert_passes(read_json("1e400"));
	assert_passes(read_json("-0.0"));
	close_all();
}
END_TEST

START_TEST(what_was_read_is_written_back_as_it_was)
{
	struct leat_value value, back;
	const struct leat_value *a;

	open_all();
	assert_passes(read_json("{}"));
	assert_passes(read_json("[]"));
	assert_passes(read_json("[1, 2.50,\t\"\\u00e9\\n\", [ ], {\"b\" :null}]"));
	value = read_json("{\"z\": 1,  \"a\": \"\\u0041\", \"a\": [1.0, {\"a\": 0.30}]}");
	back = pass(&value);
	a = leat_map_get(&back, a_symbol);
	ck_assert_ptr_nonnull(a);
	ck_assert_uint_eq(a->n, 2);
	ck_assert_ptr_nonnull(leat_map_get(&a->as.list->item[1], a_symbol));
	ck_assert_uint_eq(back.as.map->n, 3);
	close_all();
}
END_TEST

START_TEST(what_was_made_keeps_the_order_of_its_members)
{
	struct leat_member member[] = {
		{ .name = "z", .name_n = 1, .value = leat_time(-1) },
		{ .name = "a", .name_n = 1, .value = leat_bool(true) },
		{ .name = "", .name_n = 0, .value = leat_null() },
	};
	struct leat_value value, back, read;

	open_all();
	read = read_json("{\"b\": [1.00]}");
	member[2].value = leat_value_list(arena, &read, 1);
	value = leat_value_map_with(arena, symbols, NULL, member, 3);
	back = pass(&value);
	ck_assert_mem_eq(back.as.map->member[0].name, "z", 1);
	ck_assert_uint_eq(back.as.map->member[0].symbol, LEAT_NO_SYMBOL);
	ck_assert_uint_eq(back.as.map->member[1].symbol, a_symbol);
	ck_assert_uint_eq(back.as.map->member[2].name_n, 0);
	value = leat_value_map_with(arena, symbols, NULL, NULL, 0);
	assert_passes(value);
	close_all();
}
END_TEST

/* So many lists, one in the other. */
static struct leat_value nested(size_t depth)
{
	struct leat_value value = leat_integer(1);

	for (size_t i = 0; i < depth; i++)
		value = leat_value_list(arena, &value, 1);
	return value;
}

START_TEST(deep_values_come_back_and_deeper_ones_are_damaged)
{
	char *bytes = leat_allocate_bytes(2 * LEAT_PACK_DEPTH);
	struct leat_value value;

	open_all();
	assert_passes(nested(128));
	assert_passes(nested(LEAT_PACK_DEPTH));
	memset(bytes, 0x91, 2 * LEAT_PACK_DEPTH);
	bytes[2 * LEAT_PACK_DEPTH - 1] = 1;
	ck_assert(!leat_unpack_value(arena, symbols, bytes, 2 * LEAT_PACK_DEPTH, &value));
	close_all();
	free(bytes);
}
END_TEST

START_TEST(long_lists_come_back)
{
	static const size_t lengths[] = { 15, 16, 65535, 65536 };
	struct leat_value *item = leat_allocate_zeroed(65536, sizeof *item);

	open_all();
	for (size_t i = 0; i < 65536; i++)
		item[i] = leat_integer((int64_t)i);
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
		assert_passes(leat_value_list(arena, item, lengths[i]));
	close_all();
	free(item);
}
END_TEST

static struct leat_value everything(void)
{
	struct leat_value item[10];
	struct leat_member member[2];

	item[0] = leat_null();
	item[1] = leat_bool(true);
	item[2] = leat_integer(-70000);
	item[3] = leat_real(2.5);
	item[4] = leat_borrow("a text", 6);
	item[5] = bytes_of("\0\1", 2);
	item[6] = leat_time(1700000000000000);
	item[7] = read_json("123456789012345678901.50");
	item[8] = read_json("{\"a\": [1.10, \"\\n\"], \"b\": {}}");
	item[9] = leat_value_list(arena, item, 4);
	member[0] = (struct leat_member){ .name = "a", .name_n = 1, .value = leat_value_list(arena, item, 10) };
	member[1] = (struct leat_member){ .name = "other", .name_n = 5, .value = item[8] };
	return leat_value_map_with(arena, symbols, NULL, member, 2);
}

START_TEST(what_is_cut_short_or_goes_on_is_damaged)
{
	struct leat_buffer packed = { 0 };
	struct leat_value value, back;

	open_all();
	value = everything();
	leat_pack_value(&value, &packed);
	for (size_t n = 0; n < packed.n; n++) {
		char *exact = leat_allocate_bytes(n + 1); /* so that a sanitizer sees what is read beyond */

		exact = leat_reallocate(exact, n > 0 ? n : 1, 1);
		memcpy(exact, packed.data, n);
		ck_assert_uint_eq(leat_packed_size(exact, n), 0);
		ck_assert(!leat_unpack_value(arena, symbols, exact, n, &back));
		free(exact);
	}
	leat_buffer_byte(&packed, 0);
	ck_assert(!leat_unpack_value(arena, symbols, packed.data, packed.n, &back));
	ck_assert_uint_eq(leat_packed_size(packed.data, packed.n), packed.n - 1);
	leat_buffer_finish(&packed);
	close_all();
}
END_TEST

START_TEST(bytes_that_were_not_packed_by_us_are_damaged)
{
	static const struct {
		const char *bytes;
		size_t n;
	} table[] = {
		{ "\xc1", 1 },                                     /* never used */
		{ "\xca\0\0\0\0", 5 },                             /* float 32 */
		{ "\xcf\x80\0\0\0\0\0\0\0", 9 },                   /* beyond int64 */
		{ "\x81\1\1", 3 },                                 /* a name that is no text */
		{ "\xd4\1\0", 3 },                                 /* a time of one byte */
		{ "\xd4\2\0", 3 },                                 /* a number without its double */
		{ "\xd4\3\x31", 3 },                               /* a source text of neither list nor map */
		{ "\xd5\3[1", 4 },                                 /* one that does not read */
		{ "\xd4\x09\0", 3 },                               /* no ext of ours */
		{ "\xdd\xff\xff\xff\xff\1", 6 },                   /* more items than bytes */
		{ "\xdf\xff\xff\xff\xff\1", 6 },
		{ "\xdb\xff\xff\xff\xff\1", 6 },
	};
	struct leat_value value;

	open_all();
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		ck_assert_msg(!leat_unpack_value(arena, symbols, table[i].bytes, table[i].n, &value), "row %zu", i);
	close_all();
}
END_TEST

/* Some of what was changed is a value still: it can be used. */
START_TEST(random_damage_never_breaks_the_reader)
{
	struct leat_buffer packed = { 0 }, again = { 0 };
	uint64_t seed = 1;
	struct leat_value value, back;

	open_all();
	value = everything();
	leat_pack_value(&value, &packed);
	for (int i = 0; i < 20000; i++) {
		struct leat_arena *own = leat_arena_create();
		char *bytes = leat_allocate_bytes(packed.n);

		memcpy(bytes, packed.data, packed.n);
		for (uint64_t flips = 1 + random_below(&seed, 4); flips > 0; flips--)
			bytes[random_below(&seed, packed.n)] ^= (char)(1 << random_below(&seed, 8));
		if (leat_unpack_value(own, symbols, bytes, packed.n, &back)) {
			again.n = 0;
			leat_pack_value(&back, &again);
			(void)leat_value_hash(&back);
		}
		free(bytes);
		leat_arena_unref(own);
	}
	leat_buffer_finish(&packed);
	leat_buffer_finish(&again);
	close_all();
}
END_TEST

/* Which has to be so if and only if they are equal. */
static bool has_same_key(const char *left, const char *right)
{
	struct leat_value a = read_json(left), b = read_json(right), back;
	struct leat_buffer of_a = { 0 }, of_b = { 0 };
	bool is_same;

	leat_pack_key(&a, &of_a);
	leat_pack_key(&b, &of_b);
	is_same = of_a.n == of_b.n && memcmp(of_a.data, of_b.data, of_a.n) == 0;
	ck_assert_int_eq(is_same, leat_value_equals(&a, &b));
	ck_assert_int_eq(is_same, leat_pack_key_is(&a, of_b.data, of_b.n));
	ck_assert(!leat_pack_key_is(&a, of_a.data, of_a.n - 1));
	leat_buffer_byte(&of_a, 0);
	ck_assert(!leat_pack_key_is(&a, of_a.data, of_a.n));
	of_a.n--;
	ck_assert(leat_unpack_value(arena, symbols, of_a.data, of_a.n, &back));
	ck_assert(leat_value_equals(&a, &back));
	leat_buffer_finish(&of_a);
	leat_buffer_finish(&of_b);
	return is_same;
}

START_TEST(keys_that_are_equal_are_the_same_bytes)
{
	static const char *const equal[][2] = {
		{ "1", "1.0" }, { "0", "-0.0" }, { "1e2", "100" }, { "0.50", "0.5" }, { "[1, 2.0]", "[1.0,2]" },
		{ "{\"a\": 1, \"b\": 2}", "{\"b\":2.0,\"a\":1}" }, { "{\"a\": 1, \"a\": 3}", "{\"a\":3}" },
	};
	static const char *const other[][2] = { { "1", "\"1\"" }, { "1", "1.5" }, { "[1]", "1" }, { "[1, 2]", "[2, 1]" }, { "{}", "[]" } };

	open_all();
	for (size_t i = 0; i < sizeof equal / sizeof *equal; i++)
		ck_assert_msg(has_same_key(equal[i][0], equal[i][1]), "%s, %s", equal[i][0], equal[i][1]);
	for (size_t i = 0; i < sizeof other / sizeof *other; i++)
		ck_assert_msg(!has_same_key(other[i][0], other[i][1]), "%s, %s", other[i][0], other[i][1]);
	close_all();
}
END_TEST

int main(void)
{
	return leat_test_main("pack", (const TTest *[]){
		scalars_come_back,
		reals_come_back_bit_by_bit,
		texts_and_bytes_of_every_length_of_length_come_back,
		numbers_keep_their_source_text,
		what_was_read_is_written_back_as_it_was,
		what_was_made_keeps_the_order_of_its_members,
		deep_values_come_back_and_deeper_ones_are_damaged,
		long_lists_come_back,
		what_is_cut_short_or_goes_on_is_damaged,
		bytes_that_were_not_packed_by_us_are_damaged,
		random_damage_never_breaks_the_reader,
		keys_that_are_equal_are_the_same_bytes,
		NULL,
	});
}
