/* SPDX-License-Identifier: Apache-2.0 */
/* Aggregates: by tables, then with random records, split and stored at random, against one pass. */
#include <math.h>

#include "data/value.h"
#include "unit/fold_kit.h"
#include "unit/random.h"
#include "unit/unit.h"

#define EVERYTHING                                                                                                        \
	"count(); count(v); sum(v); min(v); max(v); avg(v); first(v); last(v); topn(v, 3); topn(v, 5, k); "               \
	"collect(k, 20); distinct(k); quantile(v, 0.5); quantile(v, 1); quantile(v, 0); var(v); stddev(v)"

static struct leat_context *ctx;

static enum leat_status add(const struct fold *fold, struct fold_state *state, const char *json, int64_t time_us, struct leat_error *err)
{
	struct leat_record record = fold_kit_record(json, time_us);

	return fold_add(fold, state, &record, ctx, err);
}

/* ---- by tables --------------------------------------------------------------------------------------------------- */

static const char *fold_all(const char *aggregates, const char *const *json)
{
	struct leat_error err = { 0 };
	struct fold_state *state;
	const char *found;
	struct fold fold;

	fold_kit_open(&fold, aggregates);
	state = fold_make(&fold, ctx);
	for (int64_t i = 0; json[i] != NULL; i++)
		if (add(&fold, state, json[i], 100 - i, &err) != LEAT_OK) {
			struct leat_value reason = leat_borrow(err.text, strlen(err.text));

			fold_close(&fold);
			return fold_kit_json(&reason);
		}
	found = fold_kit_result(&fold, state);
	fold_close(&fold);
	return found;
}

static void expect(const char *aggregates, const char *const *json, const char *expected)
{
	ctx = fold_kit_create();
	ck_assert_str_eq(fold_all(aggregates, json), expected);
	fold_kit_destroy();
}

#define EVENTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

START_TEST(of_nothing_there_is_nothing_but_counts_and_lists)
{
	expect(EVERYTHING, EVENTS(NULL),
	       "{\"a\":0,\"b\":0,\"c\":null,\"d\":null,\"e\":null,\"f\":null,\"g\":null,\"h\":null,\"i\":[],\"j\":[],\"k\":[],\"l\":0,"
	       "\"m\":null,\"n\":null,\"o\":null,\"p\":null,\"q\":null}");
	expect(EVERYTHING, EVENTS("{\"k\":null,\"v\":null}"),
	       "{\"a\":1,\"b\":0,\"c\":null,\"d\":null,\"e\":null,\"f\":null,\"g\":null,\"h\":null,\"i\":[],\"j\":[],\"k\":[],\"l\":0,"
	       "\"m\":null,\"n\":null,\"o\":null,\"p\":null,\"q\":null}");
}
END_TEST

START_TEST(each_function_does_what_its_name_says)
{
	expect("count(); count(v); sum(v); min(v); max(v); avg(v); var(v)", EVENTS("{\"v\":2}", "{\"v\":4}", "{\"v\":null}", "{\"v\":9}", "{}"),
	       "\"field \\\"v\\\" is missing, sum(v) needs it\"");
	expect("count(); count(v); sum(v); min(v); max(v); avg(v); var(v)", EVENTS("{\"v\":2}", "{\"v\":4}", "{\"v\":null}", "{\"v\":9}"),
	       "{\"a\":4,\"b\":3,\"c\":15,\"d\":2,\"e\":9,\"f\":5,\"g\":13}");
	expect("count(); count(v)", EVENTS("{\"v\":false}", "{}", "{\"v\":null}"), "{\"a\":3,\"b\":1}");
	expect("sum(v * 2); sum(coalesce(w, 7))", EVENTS("{\"v\":2}", "{\"v\":4,\"w\":1}"), "{\"a\":12,\"b\":8}");
	/* Times run backwards here. */
	expect("first(v); last(v); collect(v, 2)", EVENTS("{\"v\":\"a\"}", "{\"v\":\"b\"}", "{\"v\":[1]}"),
	       "{\"a\":[1],\"b\":\"a\",\"c\":[\"a\",\"b\"]}");
	expect("topn(v, 2); topn(v, 2, k)", EVENTS("{\"v\":1,\"k\":\"a\"}", "{\"v\":3,\"k\":\"b\"}", "{\"v\":3.0,\"k\":\"c\"}", "{\"v\":2,\"k\":\"d\"}"),
	       "{\"a\":[3,3],\"b\":[{\"label\":\"b\",\"value\":3},{\"label\":\"c\",\"value\":3}]}");
	expect("distinct(v)", EVENTS("{\"v\":1}", "{\"v\":1.0}", "{\"v\":\"1\"}", "{\"v\":{\"a\":1,\"b\":2}}", "{\"v\":{\"b\":2,\"a\":1}}", "{\"v\":[]}"),
	       "{\"a\":4}");
	expect("quantile(v, 0); quantile(v, 1); quantile(v, 0.5)", EVENTS("{\"v\":-5}", "{\"v\":7}", "{\"v\":0}"), "{\"a\":-5,\"b\":7,\"c\":0}");
}
END_TEST

START_TEST(of_equal_times_the_first_to_arrive_is_first_and_the_last_last)
{
	static const char *const json[] = { "{\"v\":1}", "{\"v\":2}", "{\"v\":3}", "{\"v\":null}" };
	struct fold_state *state;
	struct fold fold;

	ctx = fold_kit_create();
	fold_kit_open(&fold, "first(v); last(v)");
	state = fold_make(&fold, ctx);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(add(&fold, state, json[i], 7, NULL), LEAT_OK);
	ck_assert_int_eq(add(&fold, state, "{\"v\":4}", LEAT_NO_TIME, NULL), LEAT_OK);
	ck_assert_int_eq(add(&fold, state, "{\"v\":5}", LEAT_NO_TIME, NULL), LEAT_OK);
	ck_assert_str_eq(fold_kit_result(&fold, state), "{\"a\":4,\"b\":3}");
	fold_close(&fold);
	fold_kit_destroy();
}
END_TEST

START_TEST(integers_are_exact_and_reals_compensated)
{
	expect("sum(v); max(v); min(v)", EVENTS("{\"v\":9007199254740993}", "{\"v\":9007199254740992}", "{\"v\":9007199254740992.5}"),
	       "{\"a\":27021597764222976,\"b\":9007199254740993,\"c\":9007199254740992}");
	expect("sum(v)", EVENTS("{\"v\":1}", "{\"v\":1e100}", "{\"v\":1}", "{\"v\":-1e100}"), "{\"a\":2}");
	expect("sum(v); avg(v)", EVENTS("{\"v\":9223372036854775807}", "{\"v\":-9223372036854775808}"), "{\"a\":-1,\"b\":-0.5}");
	expect("avg(v)", EVENTS("{\"v\":9223372036854775807}", "{\"v\":9223372036854775807}"), "{\"a\":9223372036854775808}");
	expect("stddev(v)", EVENTS("{\"v\":1000000004}", "{\"v\":1000000007}", "{\"v\":1000000013}", "{\"v\":1000000016}"),
	       "{\"a\":5.477225575051661}");
}
END_TEST

START_TEST(what_cannot_be_counted_is_told_by_name)
{
	expect("sum(v)", EVENTS("{\"v\":9223372036854775807}", "{\"v\":1}"), "\"sum(v) overflows an integer of 64 bits\"");
	expect("sum(v)", EVENTS("{\"v\":1e308}", "{\"v\":1e308}"), "\"sum(v) is no finite number\"");
	expect("var(v)", EVENTS("{\"v\":1e200}", "{\"v\":-1e200}"), "\"var(v) is no finite number\"");
	expect("max(v)", EVENTS("{\"v\":1e999}"), "\"max(v) of a number that is not finite\"");
	expect("avg(a.v)", EVENTS("{\"a\":{\"v\":\"x\"}}"), "\"field \\\"a.v\\\" is a text, avg(a.v) needs a number\"");
	expect("max(v)", EVENTS("{\"v\":true}"), "\"field \\\"v\\\" is a bool, max(v) needs a number or a time\"");
	expect("quantile(lower(v), 0.5)", EVENTS("{\"v\":\"x\"}"), "\"quantile(lower(v), 0.5) needs a number, not a text\"");
	expect("sum(v + 1)", EVENTS("{\"v\":\"x\"}"), "\"sum(v + 1): \\\"+\\\" takes no text and integer at column 7\"");
	expect("first(v)", EVENTS("{}"), "\"field \\\"v\\\" is missing, first(v) needs it\"");
}
END_TEST

START_TEST(what_is_written_wrongly_is_told_with_its_column)
{
	static const char *const cases[][2] = {
		{ "sume(v)", "there is no aggregate \"sume\" at column 1; did you mean \"sum\"?" },
		{ "mean(v)", "there is no aggregate \"mean\" at column 1; did you mean \"avg\"?" },
		{ "zzzzzzz(v)", "there is no aggregate \"zzzzzzz\" at column 1, expected avg, collect, count, distinct, first, last, max, min, "
		                "quantile, stddev, sum, topn or var" },
		{ "sum()", "sum() at column 1 takes a number, as in sum(amount)" },
		{ "sum(a, b)", "sum() at column 1 takes a number, as in sum(amount)" },
		{ "sum(a) / 2", "expected nothing more at column 8, found /" },
		{ "amount", "expected \"(\" at column 7, found the end" },
		{ "", "expected a function such as sum(amount) at column 1, found the end" },
		{ "sum(lenght(a))", "there is no function \"lenght\" at column 5; did you mean \"length\"?" },
		{ "quantile(v, 2)", "the quantile at column 13 must be a constant from 0 to 1" },
		{ "quantile(v, q)", "the quantile at column 13 must be a constant from 0 to 1" },
		{ "topn(v, 1.5)", "the number at column 9 must be a constant integer from 1 to 1000" },
		{ "collect(v, 10001)", "the number at column 12 must be a constant integer from 1 to 10000" },
		{ "topn(v", "topn( has no \")\" at column 7; where { } are around it, a function with a comma goes in quotes" },
		{ "sum(v w)", "expected \",\" or \")\" at column 7, found w" },
		{ " topn ( v , 10 / 2 )", "" },
	};

	(void)fold_kit_create();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		ck_assert_str_eq(fold_kit_refusal(cases[i][0]), cases[i][1]);
	fold_kit_destroy();
}
END_TEST

/* ---- at random ----------------------------------------------------------------------------------------------------- */

/* A random event: nulls, ties, integers and reals, times that repeat. */
static struct leat_record make_record(uint64_t *random)
{
	char json[128], number[32];
	uint64_t kind = random_below(random, 10);

	if (kind == 0)
		(void)snprintf(number, sizeof number, "null");
	else if (kind < 5)
		(void)snprintf(number, sizeof number, "%d", (int)random_below(random, 41) - 20);
	else
		(void)snprintf(number, sizeof number, "%.3f", ((double)random_below(random, 100000) - 50000) / 64);
	(void)snprintf(json, sizeof json, "{\"k\":\"k%d\",\"v\":%s}", (int)random_below(random, 700), number);
	return fold_kit_record(json, kind == 9 ? LEAT_NO_TIME : (int64_t)random_below(random, 30));
}

static struct fold_state *store_and_load(const struct fold *fold, const struct fold_state *state)
{
	struct leat_value stored = fold_store(fold, state, ctx), back = fold_kit_pass(&stored);
	struct fold_state *loaded = fold_make(fold, ctx);
	struct leat_error err = { 0 };

	ck_assert_msg(fold_load(fold, loaded, &back, ctx, &err) == LEAT_OK, "%s", err.text);
	return loaded;
}

/* record[from..until) in one state, by cutting in two at random. */
static struct fold_state *fold_apart(const struct fold *fold, const struct leat_record *record, size_t from, size_t until, uint64_t *random)
{
	struct fold_state *a, *b;
	struct leat_error err = { 0 };
	size_t middle;

	if (until - from < 2 || random_below(random, 5) == 0) {
		a = fold_make(fold, ctx);
		for (size_t i = from; i < until; i++) {
			ck_assert_msg(fold_add(fold, a, &record[i], ctx, &err) == LEAT_OK, "%s", err.text);
			if (random_below(random, 8) == 0)
				a = store_and_load(fold, a);
		}
		return a;
	}
	middle = from + random_below(random, until - from + 1);
	a = fold_apart(fold, record, from, middle, random);
	b = fold_apart(fold, record, middle, until, random);
	if (random_below(random, 2) == 0)
		b = store_and_load(fold, b);
	fold_merge(fold, a, b, ctx);
	return a;
}

/* Numbers to 12 digits, all else equal. */
static void assert_like(const struct fold *fold, const struct fold_state *a, const struct fold_state *b)
{
	struct leat_member *x = leat_allocate(ctx, fold->n * sizeof *x), *y = leat_allocate(ctx, fold->n * sizeof *y);
	struct leat_error err;

	ck_assert_int_eq(fold_result(fold, a, x, ctx, &err), LEAT_OK);
	ck_assert_int_eq(fold_result(fold, b, y, ctx, &err), LEAT_OK);
	for (size_t i = 0; i < fold->n; i++) {
		if (x[i].value.type == LEAT_REAL && y[i].value.type == LEAT_REAL)
			ck_assert_double_le(fabs(x[i].value.as.real - y[i].value.as.real), 1e-12 * (1 + fabs(x[i].value.as.real)));
		else
			ck_assert_msg(leat_value_equals(&x[i].value, &y[i].value), "aggregate %zu: %s, in one pass %s", i,
			              fold_kit_json(&x[i].value), fold_kit_json(&y[i].value));
	}
}

START_TEST(any_split_comes_to_the_same_as_one_pass)
{
	uint64_t random = 11;

	for (int round = 0; round < 60; round++) {
		size_t n = random_below(&random, round % 10 == 0 ? 2000 : 120);
		struct leat_record *record;
		struct leat_error err;
		struct fold_state *whole;
		struct fold fold;

		ctx = fold_kit_create();
		fold_kit_open(&fold, EVERYTHING);
		record = leat_allocate(ctx, (n + 1) * sizeof *record);
		for (size_t i = 0; i < n; i++)
			record[i] = make_record(&random);
		whole = fold_make(&fold, ctx);
		for (size_t i = 0; i < n; i++)
			ck_assert_int_eq(fold_add(&fold, whole, &record[i], ctx, &err), LEAT_OK);
		assert_like(&fold, fold_apart(&fold, record, 0, n, &random), whole);
		fold_close(&fold);
		fold_kit_destroy();
	}
}
END_TEST

START_TEST(merging_leaves_the_other_state_as_it_was)
{
	const char *before;
	struct fold_state *a, *b, *c;
	uint64_t random = 5;
	struct fold fold;

	ctx = fold_kit_create();
	fold_kit_open(&fold, EVERYTHING);
	a = fold_make(&fold, ctx);
	b = fold_make(&fold, ctx);
	for (int i = 0; i < 900; i++) {
		struct leat_record record = make_record(&random);

		ck_assert_int_eq(fold_add(&fold, b, &record, ctx, NULL), LEAT_OK);
	}
	before = fold_kit_result(&fold, b);
	fold_merge(&fold, a, b, ctx); /* into nothing: memory is shared */
	for (int i = 0; i < 900; i++) {
		struct leat_record record = make_record(&random);

		ck_assert_int_eq(fold_add(&fold, a, &record, ctx, NULL), LEAT_OK);
	}
	c = store_and_load(&fold, b);
	fold_merge(&fold, c, a, ctx);
	ck_assert_str_eq(fold_kit_result(&fold, b), before);
	fold_close(&fold);
	fold_kit_destroy();
}
END_TEST

START_TEST(a_large_state_goes_on_after_it_was_stored)
{
	struct fold_state *kept, *stored;
	uint64_t random = 8;
	struct fold fold;

	ctx = fold_kit_create();
	fold_kit_open(&fold, EVERYTHING);
	kept = fold_make(&fold, ctx);
	stored = fold_make(&fold, ctx);
	for (int i = 0; i < 4000; i++) { /* 500 keys are there after 900 */
		struct leat_record record = make_record(&random);

		ck_assert_int_eq(fold_add(&fold, kept, &record, ctx, NULL), LEAT_OK);
		ck_assert_int_eq(fold_add(&fold, stored, &record, ctx, NULL), LEAT_OK);
		if (i % 100 == 0)
			stored = store_and_load(&fold, stored);
	}
	ck_assert_str_eq(fold_kit_result(&fold, stored), fold_kit_result(&fold, kept));
	fold_close(&fold);
	fold_kit_destroy();
}
END_TEST

START_TEST(counts_and_sums_of_integers_can_be_taken_away_again)
{
	struct fold_state *a, *b;
	struct fold fold, other;

	ctx = fold_kit_create();
	fold_kit_open(&fold, "count(); sum(v); avg(v)");
	ck_assert(fold.is_invertible && fold.is_fixed);
	a = fold_make(&fold, ctx);
	b = fold_make(&fold, ctx);
	ck_assert_int_eq(add(&fold, a, "{\"v\":0.5}", 0, NULL), LEAT_OK);
	ck_assert_int_eq(add(&fold, b, "{\"v\":9223372036854775807}", 0, NULL), LEAT_OK);
	fold_merge(&fold, a, b, ctx);
	fold_merge(&fold, a, b, ctx);
	ck_assert(fold_subtract(&fold, a, b));
	ck_assert(fold_subtract(&fold, a, b));
	ck_assert_str_eq(fold_kit_result(&fold, a), "{\"a\":1,\"b\":0.5,\"c\":0.5}");
	ck_assert(!fold_subtract(&fold, b, a)); /* a real would not leave without a trace */
	ck_assert_str_eq(fold_kit_result(&fold, b), "{\"a\":1,\"b\":9223372036854775807,\"c\":9223372036854775808}");
	fold_kit_open(&other, "count(); min(v)");
	ck_assert(!other.is_invertible && !fold_subtract(&other, fold_make(&other, ctx), fold_make(&other, ctx)));
	fold_close(&other);
	fold_close(&fold);
	fold_kit_destroy();
}
END_TEST

START_TEST(sums_may_pass_beyond_64_bits_on_their_way)
{
	struct fold_state *a, *b;
	struct fold fold;

	ctx = fold_kit_create();
	fold_kit_open(&fold, "sum(v)");
	a = fold_make(&fold, ctx);
	b = fold_make(&fold, ctx);
	ck_assert_int_eq(add(&fold, a, "{\"v\":9223372036854775807}", 0, NULL), LEAT_OK);
	fold_merge(&fold, b, a, ctx);
	fold_merge(&fold, b, a, ctx);
	ck_assert_str_eq(fold_kit_result(&fold, b), "reject: sum(v) overflows an integer of 64 bits");
	b = store_and_load(&fold, b);
	ck_assert(fold_subtract(&fold, b, a));
	ck_assert_str_eq(fold_kit_result(&fold, b), "{\"a\":9223372036854775807}");
	fold_close(&fold);
	fold_kit_destroy();
}
END_TEST

START_TEST(a_state_of_others_or_a_damaged_one_is_refused)
{
	struct leat_value stored, part[16];
	struct fold fold, other;
	struct fold_state *state;
	struct leat_error err;
	uint64_t random = 3;
	char *bytes = NULL;

	ctx = fold_kit_create();
	fold_kit_open(&fold, EVERYTHING);
	fold_kit_open(&other, "count(); sum(v)");
	state = fold_make(&other, ctx);
	ck_assert_int_eq(add(&other, state, "{\"v\":1}", 0, NULL), LEAT_OK);
	stored = fold_store(&other, state, ctx);
	ck_assert_int_eq(fold_load(&fold, fold_make(&fold, ctx), &stored, ctx, &err), LEAT_FATAL);
	ck_assert_str_eq(err.text, "its state was stored by other aggregates than those in the pipeline file");
	stored.n--;
	ck_assert_int_eq(fold_load(&other, state, &stored, ctx, &err), LEAT_FATAL);
	state = fold_make(&fold, ctx);
	for (int i = 0; i < 600; i++) {
		struct leat_record record = make_record(&random);

		ck_assert_int_eq(fold_add(&fold, state, &record, ctx, NULL), LEAT_OK);
	}
	stored = fold_store(&fold, state, ctx);
	/* Every part cut short, with any byte changed: refused or something else, but nothing is read that is not there. */
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t n = stored.as.list->n, at = (uint32_t)random_below(&random, n);
		struct leat_value *damaged = &part[at];

		memcpy(part, stored.as.list->item, n * sizeof *part);
		if (damaged->type != LEAT_BYTES) {
			*damaged = leat_integer(5);
		} else {
			bytes = malloc(damaged->n + 1);
			memcpy(bytes, damaged->as.text, damaged->n);
			bytes[random_below(&random, damaged->n)] ^= (char)(1 << random_below(&random, 8));
			damaged->n = (uint32_t)random_below(&random, damaged->n + 1);
			damaged->as.text = bytes = realloc(bytes, damaged->n + 1);
		}
		struct leat_value list = leat_list_of(ctx, part, n);

		if (fold_load(&fold, state, &list, ctx, &err) == LEAT_OK)
			(void)fold_result(&fold, state, leat_allocate(ctx, fold.n * sizeof(struct leat_member)), ctx, &err);
		if (damaged->type == LEAT_BYTES)
			free(bytes);
	}
	fold_close(&other);
	fold_close(&fold);
	fold_kit_destroy();
}
END_TEST

START_TEST(a_state_goes_on_with_fewer_or_more_values_to_keep)
{
	struct leat_value stored;
	struct fold fold, fewer;
	struct fold_state *state;
	struct leat_error err;

	ctx = fold_kit_create();
	fold_kit_open(&fold, "topn(v, 5); topn(v, 5, k); collect(v, 5)");
	fold_kit_open(&fewer, "topn(v, 2); topn(v, 2, k); collect(v, 2)");
	state = fold_make(&fold, ctx);
	for (int i = 1; i <= 5; i++)
		ck_assert_int_eq(add(&fold, state, i % 2 == 0 ? "{\"v\":2,\"k\":\"x\"}" : "{\"v\":1,\"k\":\"y\"}", 0, NULL), LEAT_OK);
	stored = fold_store(&fold, state, ctx);
	ck_assert_int_eq(fold_load(&fewer, state, &stored, ctx, &err), LEAT_OK);
	ck_assert_str_eq(fold_kit_result(&fewer, state),
	                 "{\"a\":[2,2],\"b\":[{\"label\":\"x\",\"value\":2},{\"label\":\"x\",\"value\":2}],\"c\":[1,2]}");
	for (int i = 0; i < 9; i++)
		ck_assert_int_eq(add(&fewer, state, "{\"v\":3,\"k\":\"z\"}", 0, NULL), LEAT_OK);
	stored = fold_store(&fewer, state, ctx);
	ck_assert_int_eq(stored.as.list->item[1].as.list->n, 2);
	ck_assert_int_eq(stored.as.list->item[2].as.list->n, 4);
	ck_assert_int_eq(fold_load(&fold, state, &stored, ctx, &err), LEAT_OK);
	ck_assert_int_eq(add(&fold, state, "{\"v\":1,\"k\":\"y\"}", 0, NULL), LEAT_OK);
	ck_assert_str_eq(fold_kit_result(&fold, state),
	                 "{\"a\":[3,3,1],\"b\":[{\"label\":\"z\",\"value\":3},{\"label\":\"z\",\"value\":3},"
	                 "{\"label\":\"y\",\"value\":1}],\"c\":[1,2,1]}");
	fold_close(&fewer);
	fold_close(&fold);
	fold_kit_destroy();
}
END_TEST

/* ---- how far approximations are off -------------------------------------------------------------------------------- */

enum look { SMALL, TEXTS, HIGH_BITS, REALS, N_LOOKS };

/* The i-th of as many different values; the room is for a text. */
static struct leat_value make_distinct(enum look look, int64_t i, char room[32])
{
	if (look == TEXTS)
		return leat_borrow(room, (size_t)snprintf(room, 32, "%llx", (unsigned long long)i));
	if (look == HIGH_BITS)
		return leat_integer((int64_t)((uint64_t)i << 40));
	return look == REALS ? leat_real((double)i / 1024) : leat_integer(i);
}

/* distinct() of n values from `start` on, each twice. */
static int64_t count_distinct(const struct fold *fold, int64_t start, int64_t n, enum look look)
{
	struct fold_state *state = fold_make(fold, ctx);
	leat_symbol symbol = leat_intern(ctx, "v");
	struct leat_member result;

	for (int64_t i = 0; i < 2 * n; i++) {
		char room[32];
		struct leat_member member = { .symbol = symbol, .name = "v", .name_n = 1, .value = make_distinct(look, start + i % n, room) };
		struct leat_map map = { .member = &member, .n = 1 };
		struct leat_record record = { .value = { .type = LEAT_MAP, .n = 1, .as.map = &map } };

		ck_assert_int_eq(fold_add(fold, state, &record, ctx, NULL), LEAT_OK);
	}
	ck_assert_int_eq(fold_result(fold, state, &result, ctx, NULL), LEAT_OK);
	return result.value.as.integer;
}

START_TEST(distinct_is_exact_up_to_500_and_within_its_error_beyond)
{
	static const int64_t sizes[] = { 501, 700, 1500, 4000, 10000, 20000, 60000, 200000 };
	double squares = 0;
	int n = 0;

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		for (int round = 0; round < (sizes[i] < 50000 ? 8 : 1); round++) {
			struct fold fold;
			double off;

			ctx = fold_kit_create();
			fold_kit_open(&fold, "distinct(v)");
			if (i == 0)
				ck_assert_int_eq(count_distinct(&fold, round * 77777, 500 - round, (enum look)(round % N_LOOKS)), 500 - round);
			off = (double)count_distinct(&fold, round * 100003, sizes[i], (enum look)(round % N_LOOKS)) / (double)sizes[i] - 1;
			ck_assert_double_lt(fabs(off), 4 * 0.01625);
			squares += off * off;
			n++;
			fold_close(&fold);
			fold_kit_destroy();
		}
	ck_assert_double_lt(sqrt(squares / n), 0.01625);
}
END_TEST

enum shape { UNIFORM, EXPONENTIAL, PARETO, BOTH_SIGNS, TWO_POINTS, NEAR_POWERS, INTEGERS, N_SHAPES };

static double draw(enum shape shape, uint64_t *random)
{
	double u = ((double)random_below(random, 1000000) + 0.5) / 1000000;
	double both = random_below(random, 2) ? 1 : -1;

	switch (shape) {
	case UNIFORM:
		return u * 1000;
	case EXPONENTIAL:
		return -log(u);
	case PARETO: /* a tail so heavy that it has no mean */
		return pow(u, -1 / 0.5);
	case BOTH_SIGNS:
		return both * exp(10 * u - 5);
	case TWO_POINTS: /* as far apart as can be */
		return u < 0.3 ? 1e-300 : 1e300;
	case NEAR_POWERS: /* at the borders of buckets, on either side */
		return pow(1.01 / 0.99, floor(u * 400)) * (1 + both * 1e-15);
	case INTEGERS:
		return floor(u * 20) - 5;
	case N_SHAPES:
		break;
	}
	return 0;
}

static int compare_reals(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* Folds value[0..n) and compares the quantiles with the sorted values; those below `least` may be off. */
static void assert_quantiles(double *value, size_t n, double least)
{
	static const double q[] = { 0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1 };
	struct leat_member result[10];
	struct fold_state *state;
	struct fold fold;

	ctx = fold_kit_create();
	fold_kit_open(&fold, "quantile(v,0);quantile(v,0.01);quantile(v,0.1);quantile(v,0.25);quantile(v,0.5);quantile(v,0.75);"
	                     "quantile(v,0.9);quantile(v,0.99);quantile(v,0.999);quantile(v,1)");
	state = fold_make(&fold, ctx);
	for (size_t i = 0; i < n; i++) {
		char json[64];

		(void)snprintf(json, sizeof json, "{\"v\":%.17g}", value[i]);
		ck_assert_int_eq(add(&fold, state, json, 0, NULL), LEAT_OK);
	}
	ck_assert_int_eq(fold_result(&fold, store_and_load(&fold, state), result, ctx, NULL), LEAT_OK);
	qsort(value, n, sizeof *value, compare_reals);
	for (size_t i = 0; i < 10; i++) {
		double expected = value[(size_t)floor(q[i] * (double)(n - 1))];

		if (i == 0 || i == 9)
			ck_assert(result[i].value.as.real >= expected && result[i].value.as.real <= expected);
		if (q[i] >= least)
			ck_assert_double_le(fabs(result[i].value.as.real - expected), 0.01 * fabs(expected) * (1 + 1e-9));
	}
	fold_close(&fold);
	fold_kit_destroy();
}

START_TEST(quantiles_are_within_one_percent_of_any_distribution)
{
	static double value[3000];
	uint64_t random = 42;

	for (int shape = 0; shape < N_SHAPES; shape++)
		for (int round = 0; round < 3; round++) {
			size_t n = round == 0 ? 1 + random_below(&random, 20) : 3000;

			for (size_t i = 0; i < n; i++)
				value[i] = draw((enum shape)shape, &random);
			assert_quantiles(value, n, 0);
		}
}
END_TEST

START_TEST(with_too_many_buckets_the_outer_quantiles_keep_their_bound)
{
	static double value[6000];
	uint64_t random = 9;

	for (size_t i = 0; i < 6000; i++) /* 6000 buckets, of which 2048 are there: about the upper third */
		value[i] = pow(10, ((double)random_below(&random, 1000000) / 1000000 - 0.5) * 600);
	assert_quantiles(value, 6000, 0.75);
}
END_TEST

int main(void)
{
	return leat_test_main("fold", (const TTest *[]){ of_nothing_there_is_nothing_but_counts_and_lists,
	                                                 each_function_does_what_its_name_says,
	                                                 of_equal_times_the_first_to_arrive_is_first_and_the_last_last,
	                                                 integers_are_exact_and_reals_compensated,
	                                                 what_cannot_be_counted_is_told_by_name,
	                                                 what_is_written_wrongly_is_told_with_its_column,
	                                                 any_split_comes_to_the_same_as_one_pass,
	                                                 merging_leaves_the_other_state_as_it_was,
	                                                 a_large_state_goes_on_after_it_was_stored,
	                                                 counts_and_sums_of_integers_can_be_taken_away_again,
	                                                 sums_may_pass_beyond_64_bits_on_their_way,
	                                                 a_state_of_others_or_a_damaged_one_is_refused,
	                                                 a_state_goes_on_with_fewer_or_more_values_to_keep,
	                                                 distinct_is_exact_up_to_500_and_within_its_error_beyond,
	                                                 quantiles_are_within_one_percent_of_any_distribution,
	                                                 with_too_many_buckets_the_outer_quantiles_keep_their_bound,
	                                                 NULL });
}
