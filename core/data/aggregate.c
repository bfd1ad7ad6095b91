/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions over many records that may be written, and what they take. What they come to is for the plugins that have an
 * option of them (plugins/shared/fold.h); here is what a pipeline file can get wrong.
 */
#include "data/aggregate.h"

#include <math.h>

#include "base/report.h"
#include "data/expression_node.h"

enum constant { NO_CONSTANT, FRACTION, NUMBER };

struct function {
	const char *name;
	enum leat_aggregate_function function;
	uint32_t n_least, n_most;
	enum constant second;
	int most; /* of a NUMBER */
	const char *takes;
};

static const struct function functions[] = {
	{ "avg", LEAT_AGGREGATE_AVG, 1, 1, NO_CONSTANT, 0, "a number, as in avg(amount)" },
	{ "collect", LEAT_AGGREGATE_COLLECT, 2, 2, NUMBER, 10000, "a value and how many to keep, as in collect(id, 100)" },
	{ "count", LEAT_AGGREGATE_COUNT, 0, 1, NO_CONSTANT, 0, "nothing or a value, as in count() or count(email)" },
	{ "distinct", LEAT_AGGREGATE_DISTINCT, 1, 1, NO_CONSTANT, 0, "a value, as in distinct(user)" },
	{ "first", LEAT_AGGREGATE_FIRST, 1, 1, NO_CONSTANT, 0, "a value, as in first(status)" },
	{ "last", LEAT_AGGREGATE_LAST, 1, 1, NO_CONSTANT, 0, "a value, as in last(status)" },
	{ "max", LEAT_AGGREGATE_MAX, 1, 1, NO_CONSTANT, 0, "a number or time, as in max(amount)" },
	{ "min", LEAT_AGGREGATE_MIN, 1, 1, NO_CONSTANT, 0, "a number or time, as in min(amount)" },
	{ "quantile", LEAT_AGGREGATE_QUANTILE, 2, 2, FRACTION, 0, "a number and which quantile, as in quantile(latency, 0.99)" },
	{ "stddev", LEAT_AGGREGATE_STDDEV, 1, 1, NO_CONSTANT, 0, "a number, as in stddev(amount)" },
	{ "sum", LEAT_AGGREGATE_SUM, 1, 1, NO_CONSTANT, 0, "a number, as in sum(amount)" },
	{ "topn", LEAT_AGGREGATE_TOPN, 2, 3, NUMBER, 1000, "a number or time, how many and perhaps of what, as in topn(amount, 3, user)" },
	{ "var", LEAT_AGGREGATE_VAR, 1, 1, NO_CONSTANT, 0, "a number, as in var(amount)" },
};

/* What they are called elsewhere, which may be nearer to a wrong one: mean() to min(). */
static const char *const elsewhere[][2] = {
	{ "approx_count_distinct", "distinct" }, { "array_agg", "collect" },  { "average", "avg" },          { "count_distinct", "distinct" },
	{ "deviation", "stddev" },               { "list", "collect" },       { "mean", "avg" },             { "median", "quantile" },
	{ "percentile", "quantile" },            { "std", "stddev" },         { "stddev_samp", "stddev" },   { "top", "topn" },
	{ "total", "sum" },                      { "uniq", "distinct" },      { "var_samp", "var" },         { "variance", "var" },
};

enum { N_FUNCTIONS = sizeof functions / sizeof functions[0] };

static const char *find_meant(const char *name, const char *const *names)
{
	for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++)
		if (strcmp(elsewhere[i][0], name) == 0)
			return elsewhere[i][1];
	return leat_nearest(name, names);
}

static const struct function *find_function(const struct leat_call *call, struct leat_error *err)
{
	const char *names[N_FUNCTIONS + 1] = { NULL }, *near;

	for (size_t i = 0; i < N_FUNCTIONS; i++) {
		if (strcmp(functions[i].name, call->name) == 0)
			return &functions[i];
		names[i] = functions[i].name;
	}
	near = find_meant(call->name, names);
	(void)leat_error_set(err, LEAT_FATAL, 0, "there is no aggregate \"%.60s\" at column %u%s%s%s", call->name, call->column,
	                     near == NULL ? ", expected avg, collect, count, distinct, first, last, max, min, quantile, stddev, sum, topn or var"
	                                  : "; did you mean \"",
	                     near == NULL ? "" : near, near == NULL ? "" : "\"?");
	return NULL;
}

static enum leat_status read_constant(const struct function *f, const struct leat_node *node, double *out, struct leat_error *err)
{
	bool is_number = node->kind == LEAT_NODE_CONSTANT && leat_as_real(&node->constant, out);

	if (f->second == FRACTION && !(is_number && *out >= 0 && *out <= 1))
		return leat_error_set(err, LEAT_FATAL, 0, "the quantile at column %u must be a constant from 0 to 1", node->column);
	if (f->second == NUMBER && !(is_number && *out >= 1 && *out <= f->most && floor(*out) >= *out))
		return leat_error_set(err, LEAT_FATAL, 0, "the number at column %u must be a constant integer from 1 to %d", node->column,
		                      f->most);
	return LEAT_OK;
}

static const struct leat_expression *make_expression(struct leat_arena *arena, const struct leat_node *node)
{
	struct leat_expression *expression = leat_arena_allocate(arena, sizeof *expression);

	expression->root = node;
	return expression;
}

enum leat_status leat_aggregate_compile(struct leat_arena *arena, struct leat_symbols *symbols, const char *text,
                                        struct leat_aggregate *out, struct leat_error *err)
{
	struct leat_aggregate a = { .source = leat_arena_text(arena, text, strlen(text) + 1) };
	const struct function *f;
	struct leat_call call;

	if (leat_call_compile(arena, symbols, text, &call, err) != LEAT_OK || (f = find_function(&call, err)) == NULL)
		return LEAT_FATAL;
	a.function = f->function;
	if (call.n < f->n_least || call.n > f->n_most)
		return leat_error_set(err, LEAT_FATAL, 0, "%s() at column %u takes %s", f->name, call.column, f->takes);
	if (f->second != NO_CONSTANT && read_constant(f, call.argument[1], &a.constant, err) != LEAT_OK)
		return LEAT_FATAL;
	if (call.n > 0) {
		a.argument = make_expression(arena, call.argument[0]);
		a.field = call.argument[0]->kind == LEAT_NODE_FIELD ? &call.argument[0]->path : NULL;
	}
	if (call.n > 2)
		a.label = make_expression(arena, call.argument[2]);
	*out = a;
	return LEAT_OK;
}
