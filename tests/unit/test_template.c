/* SPDX-License-Identifier: Apache-2.0 */
#include <leat/codec.h>

#include "data/json.h"
#include "data/template.h"
#include "unit/unit.h"

static struct leat_symbols *symbols;
static struct leat_arena *arena;
static struct leat_record record;

static void open_all(void)
{
	static const char text[] = "{\"user\":\"u1\",\"n\":12,\"price\":1.50,\"address\":{\"city\":\"K\xc3\xb6ln\",\"tags\":[1, 2]},"
	                           "\"none\":null,\"ok\":true,\"a}b\":\"brace\"}";
	char *input;
	struct leat_json *json;
	struct leat_error err;

	symbols = leat_symbols_create();
	arena = leat_arena_create();
	input = leat_arena_allocate(arena, sizeof text + LEAT_CODEC_PADDING);
	memset(input, 0, sizeof text + LEAT_CODEC_PADDING);
	memcpy(input, text, sizeof text);
	/* The names have to be known before the record is read. */
	(void)leat_symbols_intern(symbols, "user", 4);
	(void)leat_symbols_intern(symbols, "n", 1);
	(void)leat_symbols_intern(symbols, "price", 5);
	(void)leat_symbols_intern(symbols, "address", 7);
	(void)leat_symbols_intern(symbols, "city", 4);
	(void)leat_symbols_intern(symbols, "tags", 4);
	(void)leat_symbols_intern(symbols, "none", 4);
	(void)leat_symbols_intern(symbols, "ok", 2);
	(void)leat_symbols_intern(symbols, "a}b", 3);
	json = leat_json_create(symbols);
	record = (struct leat_record){.key = leat_borrow("k", 1), .time_us = 1500000, .origin = {.partition = 3, .offset = 42}};
	ck_assert_int_eq(leat_json_decode(json, arena, input, sizeof text - 1, &record.value, &err), LEAT_OK);
	leat_json_destroy(json);
}

static void close_all(void)
{
	leat_arena_unref(arena);
	leat_symbols_destroy(symbols);
}

static const struct {
	const char *text, *rendered;
} good[] = {
	{"", ""},
	{"plain", "plain"},
	{"user:{user}:{address.city}", "user:u1:K\xc3\xb6ln"},
	{"{n}{n}", "1212"},
	{"{price}", "1.50"},
	{"{price:.1} {price:.0} {n:.3} {user:.2}", "1.5 2 12.000 u1"},
	{"{address}", "{\"city\":\"K\xc3\xb6ln\",\"tags\":[1, 2]}"},
	{"{address.tags} {ok}", "[1, 2] true"},
	{"{{}}", "{}"},
	{"{{{n}}}", "{12}"},
	{"a{{b}}c", "a{b}c"},
	{"{{{{", "{{"},
	{"{@key}/{@partition}/{@offset}", "k/3/42"},
	{"{@time}", "1970-01-01T00:00:01.500000Z"},
	{"{\"a}b\"}!", "brace!"},
};

static const struct {
	const char *text, *reason;
} bad[] = {
	{"{", "template \"{\": '{' without '}' (a brace itself is written \"{{\") at column 1"},
	{"ab{user", "template \"ab{user\": '{' without '}' (a brace itself is written \"{{\") at column 3"},
	{"a}b", "template \"a}b\": '}' without '{' (a brace itself is written \"}}\") at column 2"},
	{"{n:.x}", "field \"{n:.x}\": something that is neither a name nor a dot (odd names go in quotes) at column 3"},
	{"{}", "template \"{}\": a field is missing between the braces at column 2"},
	{"{@keys}", "template \"{@keys}\": not one of @key, @time, @offset, @partition at column 2"},
	{"{@}", "template \"{@}\": not one of @key, @time, @offset, @partition at column 2"},
	{"x{a..b}", "field \"x{a..b}\": a name is missing at column 5"},
	{"{a b}", "field \"{a b}\": something that is neither a name nor a dot (odd names go in quotes) at column 3"},
	{"{\"a}", "template \"{\"a}\": '{' without '}' (a brace itself is written \"{{\") at column 1"},
};

static const struct {
	const char *text, *reason;
} lacking[] = {
	{"x{missing}", "field \"missing\" is missing"},
	{"x{user.city}", "field \"user.city\" is missing"},
	{"x{none}", "field \"none\" is null"},
	{"{user}{address.none}", "field \"address.none\" is missing"},
};

START_TEST(fields_are_filled_in)
{
	struct leat_buffer out = {0};
	const struct leat_template *t;
	struct leat_error err;
	size_t i;

	open_all();
	for (i = 0; i < sizeof good / sizeof good[0]; i++) {
		char text[64];

		/* The template may not lean on the text that it was compiled from. */
		(void)snprintf(text, sizeof text, "%s", good[i].text);
		ck_assert_msg(leat_template_compile(arena, symbols, text, &t, &err) == LEAT_OK, "%s", err.text);
		memset(text, '?', sizeof text);
		out.n = 0;
		leat_buffer_text(&out, "> ");
		ck_assert_msg(leat_template_render(t, &record, &out, &err) == LEAT_OK, "%s", err.text);
		leat_buffer_byte(&out, '\0');
		ck_assert_str_eq(out.data + 2, good[i].rendered);
	}
	leat_buffer_finish(&out);
	close_all();
}
END_TEST

START_TEST(what_is_no_template_is_refused_with_its_column)
{
	const struct leat_template *t = NULL;
	struct leat_error err;
	size_t i;

	open_all();
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ck_assert_msg(leat_template_compile(arena, symbols, bad[i].text, &t, &err) == LEAT_FATAL, "%s", bad[i].text);
		ck_assert_str_eq(err.text, bad[i].reason);
		ck_assert_ptr_null(t);
	}
	close_all();
}
END_TEST

START_TEST(a_missing_field_refuses_the_record_and_appends_nothing)
{
	struct leat_buffer out = {0};
	const struct leat_template *t;
	struct leat_error err;
	size_t i;

	open_all();
	leat_buffer_text(&out, "before");
	for (i = 0; i < sizeof lacking / sizeof lacking[0]; i++) {
		ck_assert_int_eq(leat_template_compile(arena, symbols, lacking[i].text, &t, &err), LEAT_OK);
		ck_assert_int_eq(leat_template_render(t, &record, &out, &err), LEAT_REJECT);
		ck_assert_str_eq(err.text, lacking[i].reason);
		ck_assert_uint_eq(out.n, 6);
	}
	record.key = leat_null();
	ck_assert_int_eq(leat_template_compile(arena, symbols, "{@key}", &t, &err), LEAT_OK);
	ck_assert_int_eq(leat_template_render(t, &record, &out, &err), LEAT_REJECT);
	ck_assert_str_eq(err.text, "the record has no key");
	record.time_us = LEAT_NO_TIME;
	ck_assert_int_eq(leat_template_compile(arena, symbols, "{@time}", &t, &err), LEAT_OK);
	ck_assert_int_eq(leat_template_render(t, &record, &out, &err), LEAT_REJECT);
	ck_assert_str_eq(err.text, "the record has no event time");
	leat_buffer_finish(&out);
	close_all();
}
END_TEST

int main(void)
{
	return leat_test_main("template", (const TTest *[]){
		fields_are_filled_in,
		what_is_no_template_is_refused_with_its_column,
		a_missing_field_refuses_the_record_and_appends_nothing,
		NULL,
	});
}
