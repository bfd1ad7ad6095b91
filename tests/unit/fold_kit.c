/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/fold_kit.h"

#include "data/aggregate.h"
#include "data/expression.h"
#include "data/json.h"
#include "data/pack.h"
#include "data/value.h"
#include "unit/unit.h"

static struct leat_arena *arena;
static struct leat_symbols *symbols;
static struct leat_json *json;

static leat_symbol intern(struct leat_context *ctx, const char *name, size_t n)
{
	(void)ctx;
	return leat_symbols_intern(symbols, name, n);
}

static void *allocate(struct leat_context *ctx, size_t n)
{
	(void)ctx;
	return leat_arena_allocate(arena, n);
}

static struct leat_value make_list(struct leat_context *ctx, const struct leat_value *item, size_t n)
{
	(void)ctx;
	return leat_value_list(arena, item, n);
}

static struct leat_value make_map(struct leat_context *ctx, const struct leat_value *base, const struct leat_member *member, size_t n)
{
	(void)ctx;
	return leat_value_map_with(arena, symbols, base, member, n);
}

static struct leat_value copy_value(struct leat_context *ctx, const struct leat_value *value)
{
	(void)ctx;
	return leat_value_copy(arena, value);
}

static enum leat_status evaluate(struct leat_context *ctx, const struct leat_expression *expression, const struct leat_record *record,
                                 struct leat_value *out, struct leat_error *err)
{
	(void)ctx;
	return leat_expression_evaluate(expression, record, arena, out, err);
}

static const struct leat_api api = {
	.size = sizeof api,
	.abi = LEAT_ABI,
	.intern = intern,
	.allocate = allocate,
	.list = make_list,
	.map_with = make_map,
	.evaluate = evaluate,
	.copy = copy_value,
};

static struct leat_context context = { &api };

struct leat_context *fold_kit_create(void)
{
	arena = leat_arena_create();
	symbols = leat_symbols_create();
	json = leat_json_create(symbols);
	return &context;
}

void fold_kit_destroy(void)
{
	leat_json_destroy(json);
	leat_symbols_destroy(symbols);
	leat_arena_unref(arena);
}

const char *fold_kit_refusal(const char *aggregate)
{
	struct leat_aggregate ignored;
	struct leat_error err;

	if (leat_aggregate_compile(arena, symbols, aggregate, &ignored, &err) == LEAT_OK)
		return "";
	return leat_arena_text(arena, err.text, strlen(err.text) + 1);
}

void fold_kit_open(struct fold *fold, const char *text)
{
	struct leat_aggregates *aggregates = leat_arena_allocate(arena, sizeof *aggregates);
	struct leat_aggregate *item = leat_arena_allocate(arena, 26 * sizeof *item);
	char *copy = leat_arena_text(arena, text, strlen(text) + 1), *next = NULL;
	struct leat_error err = { 0 };

	*aggregates = (struct leat_aggregates){ .item = item };
	for (char *one = strtok_r(copy, ";", &next); one != NULL; one = strtok_r(NULL, ";", &next)) {
		char name[2] = { (char)('a' + aggregates->n), '\0' };
		struct leat_aggregate *a = &item[aggregates->n++];

		ck_assert_msg(leat_aggregate_compile(arena, symbols, one + strspn(one, " "), a, &err) == LEAT_OK, "%s: %s", one, err.text);
		a->text = leat_arena_text(arena, name, sizeof name);
		a->name = leat_symbols_intern(symbols, name, 1);
	}
	ck_assert_msg(fold_open(fold, aggregates, &context, &err) == LEAT_OK, "%s", err.text);
}

struct leat_record fold_kit_record(const char *text, int64_t time_us)
{
	size_t n = strlen(text);
	char *padded = leat_arena_allocate(arena, n + LEAT_CODEC_PADDING);
	struct leat_record record = { .time_us = time_us };
	struct leat_error err = { 0 };

	memset(padded, 0, n + LEAT_CODEC_PADDING);
	memcpy(padded, text, n);
	ck_assert_msg(leat_json_decode(json, arena, padded, n, &record.value, &err) == LEAT_OK, "%s: %s", text, err.text);
	return record;
}

const char *fold_kit_json(const struct leat_value *value)
{
	struct leat_buffer out = { 0 };
	struct leat_error err = { 0 };
	char *text;

	ck_assert_msg(leat_json_encode(value, &out, &err) == LEAT_OK, "%s", err.text);
	leat_buffer_byte(&out, '\0');
	text = leat_arena_text(arena, out.data, out.n);
	leat_buffer_finish(&out);
	return text;
}

const char *fold_kit_result(const struct fold *fold, const struct fold_state *state)
{
	struct leat_member *member = leat_arena_allocate(arena, fold->n * sizeof *member);
	struct leat_error err = { 0 };
	struct leat_value map;
	char text[LEAT_ERROR_TEXT + 16];

	if (fold_result(fold, state, member, &context, &err) != LEAT_OK) {
		int n = snprintf(text, sizeof text, "reject: %s", err.text);

		return leat_arena_text(arena, text, (size_t)n + 1);
	}
	map = leat_value_map_with(arena, symbols, NULL, member, fold->n);
	return fold_kit_json(&map);
}

struct leat_value fold_kit_pass(const struct leat_value *stored)
{
	struct leat_buffer packed = { 0 };
	struct leat_value back;

	leat_pack_value(stored, &packed);
	ck_assert(leat_unpack_value(arena, symbols, packed.data, packed.n, &back));
	leat_buffer_finish(&packed);
	return back;
}
