/* SPDX-License-Identifier: Apache-2.0 */
#include <leat/codec.h>
#include <math.h>

#include "base/memory.h"
#include "data/json.h"
#include "data/json_fault.h"
#include "unit/unit.h"

/* One decoder over all cases of a test, as in a shard; the byte behind the input is as unhelpful as it can be. */
struct bench {
	struct leat_symbols *symbols;
	struct leat_json *json;
	struct leat_arena *arena;
	char *input;
	struct leat_value value;
	struct leat_error err;
};

static struct bench *open_bench(void)
{
	struct bench *b = leat_allocate_zeroed(1, sizeof *b);

	b->symbols = leat_symbols_create();
	(void)leat_symbols_intern(b->symbols, "a", 1);
	(void)leat_symbols_intern(b->symbols, "amount", 6);
	(void)leat_symbols_intern(b->symbols, "a name of more than sixteen bytes", 33);
	leat_symbols_freeze(b->symbols);
	b->json = leat_json_create(b->symbols);
	b->arena = leat_arena_create();
	return b;
}

static void close_bench(struct bench *b)
{
	leat_json_destroy(b->json);
	leat_symbols_destroy(b->symbols);
	leat_arena_unref(b->arena);
	free(b->input);
	free(b);
}

static enum leat_status decode_before(struct bench *b, const char *bytes, size_t n, char behind)
{
	free(b->input);
	b->input = leat_allocate_bytes(n + LEAT_CODEC_PADDING);
	memcpy(b->input, bytes, n);
	memset(b->input + n, behind, LEAT_CODEC_PADDING);
	b->value = leat_null();
	memset(&b->err, 0, sizeof b->err);
	return leat_json_decode(b->json, b->arena, b->input, n, &b->value, &b->err);
}

static enum leat_status decode(struct bench *b, const char *text)
{
	return decode_before(b, text, strlen(text), '9');
}

static const char *encode(struct bench *b, const struct leat_value *value)
{
	struct leat_buffer out = {0};
	const char *text;

	ck_assert_int_eq(leat_json_encode(value, &out, &b->err), LEAT_OK);
	leat_buffer_byte(&out, '\0');
	text = leat_arena_text(b->arena, out.data, out.n);
	leat_buffer_finish(&out);
	return text;
}

/* The same tree without any source text, so that encoding really writes it. */
static struct leat_value stripped(struct bench *b, const struct leat_value *v)
{
	struct leat_value made = *v, *item;
	struct leat_member *member;
	uint32_t i;

	if (v->type == LEAT_REAL && (v->flags & LEAT_VALUE_SOURCED) && isfinite(v->as.number->real))
		return leat_real(v->as.number->real);
	if (v->type == LEAT_LIST) {
		item = leat_arena_allocate(b->arena, v->n * sizeof *item);
		for (i = 0; i < v->n; i++)
			item[i] = stripped(b, &v->as.list->item[i]);
		made = leat_value_list(b->arena, item, v->n);
	}
	if (v->type == LEAT_MAP) {
		member = leat_arena_allocate(b->arena, v->n * sizeof *member);
		for (i = 0; i < v->n; i++) {
			member[i] = v->as.map->member[i];
			member[i].value = stripped(b, &v->as.map->member[i].value);
		}
		made = leat_value_map_with(b->arena, b->symbols, NULL, member, v->n);
	}
	return made;
}

#define LIST_20 "[[[[[[[[[[[[[[[[[[[["
#define END_20 "]]]]]]]]]]]]]]]]]]]]"
#define LIST_120 LIST_20 LIST_20 LIST_20 LIST_20 LIST_20 LIST_20
#define END_120 END_20 END_20 END_20 END_20 END_20 END_20

/* As written -> as written anew; NULL: the same. */
static const struct {
	const char *text;
	const char *anew;
} accepted[] = {
	{"{}", NULL},
	{"[]", NULL},
	{" { } ", "{}"},
	{"\t[\n]\r\n", "[]"},
	{"{\"a\":1}", NULL},
	{"{\"a\" : 1 , \"b\" : [ 1 , 2 ] }", "{\"a\":1,\"b\":[1,2]}"},
	{"{\"a\":{\"a\":{\"a\":{}}}}", NULL},
	{"{\"\":0}", NULL},
	{"{\"a name of more than sixteen bytes\":0,\"another name of more than sixteen bytes\":1}", NULL},
	{"[null,true,false]", NULL},
	{"[null , true , false ]", "[null,true,false]"},
	{"[[[[[]]]],[]]", NULL},
	{"[{},[],{\"a\":[]}]", NULL},
	{"null", NULL},
	{"true", NULL},
	{"false", NULL},
	{" true ", "true"},
	{"0", NULL},
	{"-1", NULL},
	{"42 ", "42"},
	{"3.5", NULL},
	{"\"lone\"", NULL},
	{" \"lone\" ", "\"lone\""},
	{"\"\"", NULL},
	{"[0]", NULL},
	{"[-0]", NULL},
	{"[0.0]", "[0]"},
	{"[-0.0]", "[-0]"},
	{"[9223372036854775807]", NULL},
	{"[-9223372036854775808]", NULL},
	{"[9223372036854775808]", NULL},
	{"[-9223372036854775809]", "[-9223372036854775808]"},
	{"[18446744073709551616]", NULL},
	{"[99999999999999999999999]", "[1e+23]"},
	{"[1e2]", "[100]"},
	{"[1E2]", "[100]"},
	{"[1e+2]", "[100]"},
	{"[1e-2]", "[0.01]"},
	{"[1.5e3]", "[1500]"},
	{"[0e0]", "[0]"},
	{"[0e+1]", "[0]"},
	{"[0.1]", NULL},
	{"[0.10]", "[0.1]"},
	{"[123.456789]", NULL},
	{"[1.7976931348623157e308]", "[1.7976931348623157e+308]"},
	{"[5e-324]", NULL},
	{"[2.2250738585072011e-308]", "[2.225073858507201e-308]"},
	{"[0.1234567890123456789]", "[0.12345678901234568]"},
	{"[9007199254740993]", NULL},
	{"[9007199254740993.0]", "[9007199254740992]"},
	{"[1e400]", NULL},
	{"[-1e400]", NULL},
	{"[1e-400]", "[0]"},
	{"[0e400]", "[0]"},
	{"[1e99999999999999999999]", NULL},
	{"[1e-99999999999999999999]", "[0]"},
	{"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", "[\"\\\"\\\\/\\b\\f\\n\\r\\t\"]"},
	{"[\"\\u0041\\u00e9\\u20ac\"]", "[\"A\xc3\xa9\xe2\x82\xac\"]"},
	{"[\"\\uD83D\\uDE00\"]", "[\"\xf0\x9f\x98\x80\"]"},
	{"[\"\\ud83d\\ude00x\"]", "[\"\xf0\x9f\x98\x80x\"]"},
	{"[\"\\u0000\"]", NULL},
	{"[\"\\u001f\\u007f\"]", "[\"\\u001f\x7f\"]"},
	{"[\"\\uFFFF\\uD7FF\\uE000\"]", "[\"\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80\"]"},
	{"[\"\\uDBFF\\uDFFF\"]", "[\"\xf4\x8f\xbf\xbf\"]"},
	{"[\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"]", NULL},
	{"{\"\xc3\xa9\":\"\xe2\x82\xac\"}", NULL},
	{"{\"\\u0061\":1}", "{\"a\":1}"},
	{"[\"a\\\\\"]", NULL},
	{"[\"\\\\\\\"\"]", NULL},
	{"[\"[]{}:,\"]", NULL},
	{"[\"// no comment\"]", NULL},
	{"[\"  spaces  \"]", NULL},
	{"[\"\xe2\x80\xa8\"]", NULL},
	{"\xef\xbb\xbf{\"a\":1}", "{\"a\":1}"},
	{LIST_120 "[[[[[[[[" "]]]]]]]]" END_120, NULL},
	{"[1,\n2]", "[1,2]"},
};

static const struct {
	const char *text;
	const char *reason;
} refused[] = {
	{"", "no value: the input is empty"},
	{"  \n", "no value: the input is blank"},
	{"\xef\xbb\xbf", "no value: the input is empty"},
	{"{", "truncated after byte 1"},
	{"[", "truncated after byte 1"},
	{"[1", "truncated after byte 2"},
	{"[1,", "truncated after byte 3"},
	{"{\"a\"", "truncated after byte 4"},
	{"{\"a\":", "truncated after byte 5"},
	{"{\"a\":1", "truncated after byte 6"},
	{"{\"a\":1,", "truncated after byte 7"},
	{"{\"a\":\"x", "truncated after byte 7"},
	{"{\"a\":\"x\\", "truncated after byte 8"},
	{"{\"a\":\"x\\\"}", "truncated after byte 10"},
	{"[tru", "truncated after byte 4"},
	{"[-", "truncated after byte 2"},
	{"[1.", "truncated after byte 3"},
	{"[1e", "truncated after byte 3"},
	{"[\"\\u12", "truncated after byte 6"},
	{"[[1]", "truncated after byte 4"},
	{"[{\"a\":1]", "']' instead of ',' or '}' at byte 8"},
	{"{\"a\":1]", "']' instead of ',' or '}' at byte 7"},
	{"[1}", "'}' instead of ',' or ']' at byte 3"},
	{"[1]]", "']' instead of the end at byte 4"},
	{"{}}", "'}' instead of the end at byte 3"},
	{"{\"a\":1} x", "'x' instead of the end at byte 9"},
	{"{\"a\":1}{\"b\":2}", "'{' instead of the end at byte 8"},
	{"1 2", "'2' instead of the end at byte 3"},
	{"1x", "'x' instead of the end at byte 2"},
	{"\"a\"\"b\"", "'\"' instead of the end at byte 4"},
	{"\"a\"b", "'b' instead of the end at byte 4"},
	{"[\"a\"b]", "'b' instead of ',' or ']' at byte 5"},
	{"[\"a\"\"b\"]", "'\"' instead of ',' or ']' at byte 5"},
	{"[\"a\"b\"c\"]", "'b' instead of ',' or ']' at byte 5"},
	{"[1\"a\"]", "'\"' instead of ',' or ']' at byte 3"},
	{"[true\"a\"]", "'\"' instead of ',' or ']' at byte 6"},
	{"[1 2]", "'2' instead of ',' or ']' at byte 4"},
	{"[1,]", "']' instead of a value at byte 4"},
	{"[,1]", "',' instead of a value at byte 2"},
	{"[1,,2]", "',' instead of a value at byte 4"},
	{"[:]", "':' instead of a value at byte 2"},
	{"[\"a\":1]", "':' instead of ',' or ']' at byte 5"},
	{"{\"a\":1,}", "'}' instead of a name in quotes at byte 8"},
	{"{,}", "',' instead of a name in quotes at byte 2"},
	{"{a:1}", "'a' instead of a name in quotes at byte 2"},
	{"{1:1}", "'1' instead of a name in quotes at byte 2"},
	{"{'a':1}", "''' instead of a name in quotes at byte 2"},
	{"{\"a\"}", "'}' instead of ':' at byte 5"},
	{"{\"a\" 1}", "'1' instead of ':' at byte 6"},
	{"{\"a\":}", "'}' instead of a value at byte 6"},
	{"{\"a\"::1}", "':' instead of a value at byte 6"},
	{"{\"a\":1 \"b\":2}", "'\"' instead of ',' or '}' at byte 8"},
	{"{{}}", "'{' instead of a name in quotes at byte 2"},
	{"[01]", "number with a leading zero at byte 2"},
	{"[-01]", "number with a leading zero at byte 2"},
	{"[00]", "number with a leading zero at byte 2"},
	{"[01.5]", "number with a leading zero at byte 2"},
	{"01", "number with a leading zero at byte 1"},
	{"[1.]", "']' instead of a digit at byte 4"},
	{"[.5]", "'.' instead of a value at byte 2"},
	{"[-.5]", "'.' instead of a digit at byte 3"},
	{"[+1]", "'+' instead of a value at byte 2"},
	{"[-]", "']' instead of a digit at byte 3"},
	{"[--1]", "'-' instead of a digit at byte 3"},
	{"[1e]", "']' instead of a digit at byte 4"},
	{"[1e+]", "']' instead of a digit at byte 5"},
	{"[1.e1]", "'e' instead of a digit at byte 4"},
	{"[1e1.5]", "'.' instead of ',' or ']' at byte 5"},
	{"[1.2.3]", "'.' instead of ',' or ']' at byte 5"},
	{"[0x10]", "'x' instead of ',' or ']' at byte 3"},
	{"[1_000]", "'_' instead of ',' or ']' at byte 3"},
	{"[1a]", "'a' instead of ',' or ']' at byte 3"},
	{"[NaN]", "'N' instead of a value at byte 2"},
	{"[nan]", "'a' instead of true, false or null at byte 3"},
	{"[Infinity]", "'I' instead of a value at byte 2"},
	{"[-Infinity]", "'I' instead of a digit at byte 3"},
	{"[True]", "'T' instead of a value at byte 2"},
	{"[truex]", "'x' instead of ',' or ']' at byte 6"},
	{"[nulll]", "'l' instead of ',' or ']' at byte 6"},
	{"nul", "truncated after byte 3"},
	{"[falze]", "'z' instead of true, false or null at byte 5"},
	{"[undefined]", "'u' instead of a value at byte 2"},
	{"[1]//x", "'/' instead of the end at byte 4"},
	{"/**/[1]", "'/' instead of a value at byte 1"},
	{"[1\f]", "0x0c instead of ',' or ']' at byte 3"},
	{"[\v1]", "0x0b instead of a value at byte 2"},
	{"[\"a\"\f]", "0x0c instead of ',' or ']' at byte 5"},
	{"[\"a\nb\"]", "control character in a text at byte 4"},
	{"[\"a\tb\"]", "control character in a text at byte 4"},
	{"[\"\x1f\"]", "control character in a text at byte 3"},
	{"{\"a\nb\":1}", "control character in a text at byte 4"},
	{"[\"\\x41\"]", "unknown escape at byte 3"},
	{"[\"\\'\"]", "unknown escape at byte 3"},
	{"[\"\\U0041\"]", "unknown escape at byte 3"},
	{"[\"\\\n\"]", "unknown escape at byte 3"},
	{"[\"\\u12G4\"]", "\\u without four hexadecimal digits at byte 3"},
	{"[\"\\u123\"]", "\\u without four hexadecimal digits at byte 3"},
	{"[\"\\ud800\"]", "half of a surrogate pair at byte 3"},
	{"[\"\\ud800x\"]", "half of a surrogate pair at byte 3"},
	{"[\"\\udc00\"]", "half of a surrogate pair at byte 3"},
	{"[\"\\ude00\\ud83d\"]", "half of a surrogate pair at byte 3"},
	{"[\"\\ud83d\\u0041\"]", "half of a surrogate pair at byte 3"},
	{"[\"\\ud83d\\n\"]", "half of a surrogate pair at byte 3"},
	{"{\"\\ud800\":1}", "half of a surrogate pair at byte 3"},
	{"[\"\x80\"]", "invalid UTF-8 at byte 3"},
	{"[\"\xff\"]", "invalid UTF-8 at byte 3"},
	{"[\"\xc0\xaf\"]", "invalid UTF-8 at byte 3"},
	{"[\"\xe0\x80\x80\"]", "invalid UTF-8 at byte 3"},
	{"[\"\xed\xa0\x80\"]", "invalid UTF-8 at byte 3"},
	{"[\"\xf4\x90\x80\x80\"]", "invalid UTF-8 at byte 3"},
	{"[\"\xe2\x82\"]", "invalid UTF-8 at byte 3"},
	{"[\"0123456789abcd\xc3\"]", "invalid UTF-8 at byte 17"},
	{"{\"\xc3\":1}", "invalid UTF-8 at byte 3"},
	{"[1,\xc3]", "invalid UTF-8 at byte 4"},
	{"[\xc3\xa9]", "0xc3 instead of a value at byte 2"},
	{"\xef\xbb\xbf[x]", "'x' instead of a value at byte 5"},
	{"\xef\xbb\xbf\xef\xbb\xbf[]", "0xef instead of a value at byte 4"},
	{LIST_120 "[[[[[[[[[" "]]]]]]]]]" END_120, "nested deeper than 128 at byte 129"},
	{LIST_120 LIST_120, "nested deeper than 128 at byte 129"},
};

START_TEST(what_is_json_is_accepted_and_written_back_byte_by_byte)
{
	struct bench *b = open_bench();
	size_t i;

	for (i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
		const char *text = accepted[i].text;
		struct leat_value first;

		ck_assert_msg(decode(b, text) == LEAT_OK, "%s: %s", text, b->err.text);
		first = leat_value_copy(b->arena, &b->value);
		ck_assert_int_eq(decode_before(b, text, strlen(text), '\0'), LEAT_OK);
		ck_assert_msg(leat_value_equals(&first, &b->value), "%s depends on what is behind it", text);
		ck_assert_int_eq(decode_before(b, text, strlen(text), ']'), LEAT_OK);
		ck_assert_msg(leat_value_equals(&first, &b->value), "%s depends on what is behind it", text);
		ck_assert_int_eq(leat_json_fault(text, strlen(text), 0, &b->err) == LEAT_OK, *text != '\xef');
	}
	close_bench(b);
}
END_TEST

START_TEST(what_is_json_is_written_anew_as_the_same_value)
{
	struct bench *b = open_bench();
	size_t i;

	for (i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
		const char *anew = accepted[i].anew != NULL ? accepted[i].anew : accepted[i].text;
		struct leat_value value;

		ck_assert_int_eq(decode(b, accepted[i].text), LEAT_OK);
		value = stripped(b, &b->value);
		if (value.type == LEAT_LIST && value.n == 1 && strcmp(anew, "[-0]") == 0)
			ck_assert(signbit(value.as.list->item[0].as.real));
		ck_assert_str_eq(encode(b, &value), anew);
	}
	close_bench(b);
}
END_TEST

START_TEST(what_is_no_json_is_refused_with_position_and_reason)
{
	static const char behind[] = {'9', '"', '}', ']', ',', ' ', '\0', '\x80'};
	struct bench *b = open_bench();
	size_t i, j;

	for (i = 0; i < sizeof refused / sizeof refused[0]; i++)
		for (j = 0; j < sizeof behind; j++) {
			const char *text = refused[i].text;

			ck_assert_msg(decode_before(b, text, strlen(text), behind[j]) == LEAT_REJECT, "%s is accepted", text);
			ck_assert_msg(strcmp(b->err.text, refused[i].reason) == 0, "%s: %s", text, b->err.text);
			ck_assert_int_eq(b->value.type, LEAT_NULL);
		}
	close_bench(b);
}
END_TEST

START_TEST(a_zero_byte_is_nothing_special)
{
	struct bench *b = open_bench();

	ck_assert_int_eq(decode_before(b, "[1]\0", 4, ' '), LEAT_REJECT);
	ck_assert_str_eq(b->err.text, "0x00 instead of the end at byte 4");
	ck_assert_int_eq(decode_before(b, "[\0]", 3, ' '), LEAT_REJECT);
	ck_assert_str_eq(b->err.text, "0x00 instead of a value at byte 2");
	ck_assert_int_eq(decode_before(b, "[\"a\0b\"]", 7, ' '), LEAT_REJECT);
	ck_assert_str_eq(b->err.text, "control character in a text at byte 4");
	ck_assert_int_eq(decode(b, "[\"a\\u0000b\"]"), LEAT_OK);
	ck_assert_uint_eq(b->value.as.list->item[0].n, 3);
	close_bench(b);
}
END_TEST

START_TEST(a_cut_off_document_is_refused_wherever_it_is_cut)
{
	static const char text[] = "{\"id\":\"a\\u00e9\xc3\xa9\",\"n\":[-1.5e3,true,null,{}],\"amount\":12.50}";
	struct bench *b = open_bench();
	size_t n;

	ck_assert_int_eq(decode(b, text), LEAT_OK);
	for (n = 0; n + 1 < sizeof text; n++) {
		ck_assert_int_eq(decode_before(b, text, n, '}'), LEAT_REJECT);
		ck_assert_int_eq(decode_before(b, text, n, text[n]), LEAT_REJECT);
	}
	close_bench(b);
}
END_TEST

START_TEST(numbers_are_exact_integers_or_keep_their_source)
{
	struct bench *b = open_bench();
	const struct leat_value *item;

	ck_assert_int_eq(decode(b, "[9223372036854775807,-9223372036854775808,9223372036854775808,0.10,-0,1e400,00012]"), LEAT_REJECT);
	ck_assert_int_eq(decode(b, "[9223372036854775807,-9223372036854775808,9223372036854775808,0.10,-0,1e400]"), LEAT_OK);
	item = b->value.as.list->item;
	ck_assert(item[0].type == LEAT_INTEGER && item[0].as.integer == INT64_MAX);
	ck_assert(item[1].type == LEAT_INTEGER && item[1].as.integer == INT64_MIN);
	ck_assert(item[2].type == LEAT_REAL && item[2].as.number->real == 9223372036854775808.0);
	ck_assert_str_eq(encode(b, &item[2]), "9223372036854775808");
	ck_assert(item[3].type == LEAT_REAL && item[3].as.number->real == 0.1);
	ck_assert_str_eq(encode(b, &item[3]), "0.10");
	ck_assert(item[4].type == LEAT_REAL && signbit(item[4].as.number->real));
	ck_assert(item[5].type == LEAT_REAL && isinf(item[5].as.number->real));
	ck_assert_str_eq(encode(b, &item[5]), "1e400");
	close_bench(b);
}
END_TEST

START_TEST(doubles_read_as_strtod_reads_them)
{
	struct bench *b = open_bench();
	uint64_t seed = 42;
	char text[64];
	int i;

	for (i = 0; i < 20000; i++) {
		double d = 0;

		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		(void)snprintf(text, sizeof text, "[%s%llu.%llue%d]", seed >> 63 ? "-" : "", (unsigned long long)(seed >> 40),
		               (unsigned long long)(seed & 0xffffff) >> (i % 24), (int)(seed >> 20 & 0x3ff) % 600 - 300);
		ck_assert_int_eq(decode(b, text), LEAT_OK);
		ck_assert(leat_as_real(&b->value.as.list->item[0], &d));
		ck_assert_msg(d == strtod(text + 1, NULL), "%s", text);
	}
	close_bench(b);
}
END_TEST

START_TEST(doubles_are_written_short_and_read_back_the_same)
{
	struct bench *b = open_bench();
	uint64_t bits = 7;
	int i;

	ck_assert_str_eq(encode(b, &(struct leat_value){.type = LEAT_REAL, .as.real = 0.1}), "0.1");
	ck_assert_str_eq(encode(b, &(struct leat_value){.type = LEAT_REAL, .as.real = 100000}), "100000");
	ck_assert_str_eq(encode(b, &(struct leat_value){.type = LEAT_REAL, .as.real = 1e21}), "1e+21");
	ck_assert_str_eq(encode(b, &(struct leat_value){.type = LEAT_REAL, .as.real = 1e-7}), "1e-07");
	for (i = 0; i < 20000; i++) {
		struct leat_value v = leat_real(0);
		double d;

		bits = bits * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		memcpy(&v.as.real, &bits, sizeof bits);
		if (!isfinite(v.as.real))
			continue;
		d = strtod(encode(b, &v), NULL);
		ck_assert(memcmp(&d, &v.as.real, sizeof d) == 0);
	}
	close_bench(b);
}
END_TEST

START_TEST(an_untouched_subtree_is_written_back_as_it_was)
{
	struct bench *b = open_bench();
	struct leat_member member = {.symbol = 1, .value = leat_integer(7)};
	struct leat_value made;

	ck_assert_int_eq(decode(b, "{\"b\" : { \"x\":1.50 , \"y\":[ 1e2 ] },\"a\":2.0, \"c\":3.00}"), LEAT_OK);
	made = leat_value_map_with(b->arena, b->symbols, &b->value, &member, 1);
	ck_assert_str_eq(encode(b, &made), "{\"b\":{ \"x\":1.50 , \"y\":[ 1e2 ] },\"a\":7,\"c\":3.00}");
	ck_assert_str_eq(encode(b, &b->value), "{\"b\" : { \"x\":1.50 , \"y\":[ 1e2 ] },\"a\":2.0, \"c\":3.00}");
	close_bench(b);
}
END_TEST

START_TEST(what_is_written_is_one_line)
{
	struct bench *b = open_bench();

	ck_assert_int_eq(decode(b, "{\r\n\t\"a\": [\n1\n]\n}\n"), LEAT_OK);
	ck_assert_str_eq(encode(b, &b->value), "{  \t\"a\": [ 1 ] }");
	close_bench(b);
}
END_TEST

START_TEST(names_find_their_symbols_whatever_the_shape_before_was)
{
	static const char *const texts[] = {
		"{\"a\":1,\"amount\":2,\"x\":3}", "{\"amount\":2,\"x\":3}", "{\"x\":1,\"a\":1,\"amount\":2}",
		"{\"x\":{\"amount\":1,\"a\":2},\"a\":1}", "{\"b\":1,\"amounts\":2}", "{\"a name of more than sixteen bytes\":1,\"a\":2}",
		"{\"a name of more than sixteen bytez\":1,\"\\u0061\":2,\"amount\\u0000\":3}", "{\"\":1,\"amoun\":2,\"a\":3}",
	};
	struct bench *b = open_bench();
	size_t i, j;
	uint32_t k;

	for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
		for (j = 0; j < sizeof texts / sizeof texts[0]; j++) {
			ck_assert_int_eq(decode(b, texts[i]), LEAT_OK);
			ck_assert_int_eq(decode(b, texts[j]), LEAT_OK);
			for (k = 0; k < b->value.n; k++) {
				const struct leat_member *m = &b->value.as.map->member[k];

				ck_assert_uint_eq(m->symbol, leat_symbols_find(b->symbols, m->name, m->name_n));
			}
		}
	ck_assert_int_eq(decode(b, "{\"a\":1,\"a\":2}"), LEAT_OK);
	ck_assert_int_eq(leat_map_get(&b->value, 1)->as.integer, 2);
	close_bench(b);
}
END_TEST

START_TEST(maps_with_very_many_names_are_read_and_so_are_small_ones_afterwards)
{
	struct bench *b = open_bench();
	struct leat_buffer text = {0};
	char one[32];
	int i;

	leat_buffer_byte(&text, '{');
	for (i = 0; i < 200000; i++) {
		(void)snprintf(one, sizeof one, "%s\"n%d\":%d", i > 0 ? "," : "", i, i);
		leat_buffer_text(&text, one);
	}
	leat_buffer_byte(&text, '}');
	ck_assert_int_eq(decode_before(b, text.data, text.n, '9'), LEAT_OK);
	ck_assert_uint_eq(b->value.n, 200000);
	ck_assert_int_eq(leat_map_find(&b->value, "n199999", 7)->as.integer, 199999);
	leat_buffer_finish(&text);
	ck_assert_int_eq(decode(b, "{\"a\":1}"), LEAT_OK);
	ck_assert_int_eq(leat_map_get(&b->value, 1)->as.integer, 1);
	close_bench(b);
}
END_TEST

START_TEST(times_and_bytes_are_written_as_text)
{
	struct bench *b = open_bench();
	struct leat_value bytes = leat_borrow("any\xff\x00 thing", 10);
	struct leat_value made;

	made = leat_time(0);
	ck_assert_str_eq(encode(b, &made), "\"1970-01-01T00:00:00.000000Z\"");
	made = leat_time(INT64_C(1769860800123456));
	ck_assert_str_eq(encode(b, &made), "\"2026-01-31T12:00:00.123456Z\"");
	made = leat_time(-1);
	ck_assert_str_eq(encode(b, &made), "\"1969-12-31T23:59:59.999999Z\"");
	made = leat_time(INT64_C(951782400000000));
	ck_assert_str_eq(encode(b, &made), "\"2000-02-29T00:00:00.000000Z\"");
	made = leat_time(INT64_C(253402300799999999));
	ck_assert_str_eq(encode(b, &made), "\"9999-12-31T23:59:59.999999Z\"");
	bytes.type = LEAT_BYTES;
	ck_assert_str_eq(encode(b, &bytes), "\"YW55/wAgdGhpbg==\"");
	bytes.n = 0;
	ck_assert_str_eq(encode(b, &bytes), "\"\"");
	bytes.n = 3;
	ck_assert_str_eq(encode(b, &bytes), "\"YW55\"");
	bytes.n = 5;
	ck_assert_str_eq(encode(b, &bytes), "\"YW55/wA=\"");
	close_bench(b);
}
END_TEST

START_TEST(what_json_cannot_say_is_refused_and_leaves_nothing_behind)
{
	struct bench *b = open_bench();
	struct leat_value items[] = {leat_integer(1), leat_real(INFINITY)};
	struct leat_value list = leat_value_list(b->arena, items, 2);
	struct leat_buffer out = {0};
	int i;

	leat_buffer_text(&out, "before");
	ck_assert_int_eq(leat_json_encode(&list, &out, &b->err), LEAT_REJECT);
	ck_assert_str_eq(b->err.text, "JSON cannot say infinity");
	items[0] = leat_real(NAN);
	ck_assert_int_eq(leat_json_encode(&items[0], &out, &b->err), LEAT_REJECT);
	ck_assert_str_eq(b->err.text, "JSON cannot say not-a-number");
	items[0] = leat_time(INT64_MAX);
	ck_assert_int_eq(leat_json_encode(&items[0], &out, &b->err), LEAT_REJECT);
	items[0] = leat_time(INT64_MIN);
	ck_assert_int_eq(leat_json_encode(&items[0], &out, &b->err), LEAT_REJECT);
	list = leat_null();
	for (i = 0; i < LEAT_JSON_DEPTH; i++)
		list = leat_value_list(b->arena, &list, 1);
	ck_assert_int_eq(leat_json_encode(&list, &out, &b->err), LEAT_OK);
	out.n = 6;
	list = leat_value_list(b->arena, &list, 1);
	ck_assert_int_eq(leat_json_encode(&list, &out, &b->err), LEAT_REJECT);
	ck_assert_str_eq(b->err.text, "nested deeper than 128");
	ck_assert_uint_eq(out.n, 6);
	leat_buffer_finish(&out);
	close_bench(b);
}
END_TEST

START_TEST(quoting_escapes_what_must_be_and_mends_what_is_no_utf8)
{
	static const struct {
		const char *text, *quoted;
	} cases[] = {
		{"", "\"\""},
		{"plain and long enough for words", "\"plain and long enough for words\""},
		{"eight by\"", "\"eight by\\\"\""},
		{"\x01\x1f\x7f\n", "\"\\u0001\\u001f\x7f\\n\""},
		{"a\\b", "\"a\\\\b\""},
		{"\xc3\xa9t\xc3\xa9", "\"\xc3\xa9t\xc3\xa9\""},
		{"\xff", "\"\xef\xbf\xbd\""},
		{"cut \xe2\x82", "\"cut \xef\xbf\xbd\xef\xbf\xbd\""},
	};
	struct leat_buffer out = {0};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		out.n = 0;
		leat_json_quote(&out, cases[i].text, strlen(cases[i].text));
		leat_buffer_byte(&out, '\0');
		ck_assert_str_eq(out.data, cases[i].quoted);
	}
	leat_buffer_finish(&out);
}
END_TEST

START_TEST(texts_without_escapes_point_into_the_input)
{
	struct bench *b = open_bench();
	const struct leat_member *m;

	ck_assert_int_eq(decode(b, "{\"a\":\"plain\",\"b\":\"\\\"\"}"), LEAT_OK);
	m = b->value.as.map->member;
	ck_assert_ptr_eq(m[0].value.as.text, b->input + 6);
	ck_assert_ptr_eq(m[0].name, b->input + 2);
	ck_assert(leat_text_equals(&m[1].value, "\""));
	close_bench(b);
}
END_TEST

int main(void)
{
	return leat_test_main("json", (const TTest *[]){
		what_is_json_is_accepted_and_written_back_byte_by_byte,
		what_is_json_is_written_anew_as_the_same_value,
		what_is_no_json_is_refused_with_position_and_reason,
		a_zero_byte_is_nothing_special,
		a_cut_off_document_is_refused_wherever_it_is_cut,
		numbers_are_exact_integers_or_keep_their_source,
		doubles_read_as_strtod_reads_them,
		doubles_are_written_short_and_read_back_the_same,
		an_untouched_subtree_is_written_back_as_it_was,
		what_is_written_is_one_line,
		names_find_their_symbols_whatever_the_shape_before_was,
		maps_with_very_many_names_are_read_and_so_are_small_ones_afterwards,
		times_and_bytes_are_written_as_text,
		what_json_cannot_say_is_refused_and_leaves_nothing_behind,
		quoting_escapes_what_must_be_and_mends_what_is_no_utf8,
		texts_without_escapes_point_into_the_input,
		NULL,
	});
}
