/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of expressions, except those on texts and times. docs/expressions.md lists all of them. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "data/expression_node.h"
#include "data/value.h"

static enum leat_status reject_type(struct leat_evaluation *e, const struct leat_value *v)
{
	return leat_evaluation_reject(e, "%s() takes no %s", e->node->function->name, leat_type_name(v->type));
}

/* A whole real becomes an integer, where one holds it. */
static enum leat_status finish_whole(struct leat_evaluation *e, double d, struct leat_value *out)
{
	struct leat_value real = leat_real(d);
	int64_t i;

	if (!isfinite(d))
		return leat_evaluation_reject(e, "%s() has no finite result", e->node->function->name);
	*out = leat_as_integer(&real, &i) ? leat_integer(i) : real;
	return LEAT_OK;
}

static enum leat_status apply_abs(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	double d;

	(void)n;
	if (arg->type == LEAT_INTEGER) {
		if (arg->as.integer == INT64_MIN)
			return leat_evaluation_reject(e, "abs() overflows an integer of 64 bits");
		*out = leat_integer(arg->as.integer < 0 ? -arg->as.integer : arg->as.integer);
		return LEAT_OK;
	}
	if (!leat_as_real(arg, &d))
		return reject_type(e, arg);
	*out = d < 0 ? leat_real(-d) : *arg; /* keeps the source text */
	return LEAT_OK;
}

static enum leat_status pick(struct leat_evaluation *e, enum leat_comparison comparison, const struct leat_value *arg, size_t n,
                             struct leat_value *out)
{
	const struct leat_value *best = &arg[0];

	for (size_t i = 1; i < n; i++) {
		bool is_better;
		enum leat_status status = leat_operator_compare(e, comparison, &arg[i], best, &is_better);

		if (status != LEAT_OK)
			return status;
		if (is_better)
			best = &arg[i];
	}
	*out = *best;
	return LEAT_OK;
}

static enum leat_status apply_min(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	return pick(e, LEAT_LESS, arg, n, out);
}

static enum leat_status apply_max(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	return pick(e, LEAT_MORE, arg, n, out);
}

static enum leat_status round_with(struct leat_evaluation *e, double (*rounder)(double), const struct leat_value *arg,
                                   struct leat_value *out)
{
	double d;

	if (arg->type == LEAT_INTEGER) {
		*out = *arg;
		return LEAT_OK;
	}
	return leat_as_real(arg, &d) ? finish_whole(e, rounder(d), out) : reject_type(e, arg);
}

static enum leat_status apply_floor(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	(void)n;
	return round_with(e, floor, arg, out);
}

static enum leat_status apply_ceil(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	(void)n;
	return round_with(e, ceil, arg, out);
}

/* By way of decimal text, which rounds the number as it is and not a product of it: round(1.005, 2) is 1.0, since 1.005
 * is stored as a little less. */
static enum leat_status round_digits(struct leat_evaluation *e, const struct leat_value *arg, struct leat_value *out)
{
	char text[400];
	double d;

	if (arg[1].type != LEAT_INTEGER || arg[1].as.integer < 0 || arg[1].as.integer > 15)
		return leat_evaluation_reject(e, "round() takes 0 to 15 digits as an integer");
	if (!leat_as_real(&arg[0], &d))
		return reject_type(e, arg);
	if (arg[0].type == LEAT_INTEGER) {
		*out = arg[0];
		return LEAT_OK;
	}
	(void)snprintf(text, sizeof text, "%.*f", (int)arg[1].as.integer, d);
	*out = leat_real(strtod(text, NULL));
	return LEAT_OK;
}

static enum leat_status apply_round(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	return n == 1 ? round_with(e, round, arg, out) : round_digits(e, arg, out);
}

static enum leat_status apply_sqrt(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	double d;

	(void)n;
	if (!leat_as_real(arg, &d))
		return reject_type(e, arg);
	if (d < 0)
		return leat_evaluation_reject(e, "sqrt() takes no negative number");
	*out = leat_real(sqrt(d));
	return LEAT_OK;
}

static enum leat_status apply_ln(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	double d;

	(void)n;
	if (!leat_as_real(arg, &d))
		return reject_type(e, arg);
	if (d <= 0)
		return leat_evaluation_reject(e, "ln() takes positive numbers only");
	*out = leat_real(log(d));
	return LEAT_OK;
}

/* ---- from type to type ------------------------------------------------------------------------------------------- */

/* Texts are not terminated; whole numbers and reals that are longer than this are nobody's. */
static bool copy_number(const struct leat_value *v, char text[400])
{
	if (v->n == 0 || v->n >= 400 || memchr(v->as.text, '\0', v->n) != NULL || strchr(" \t\n\r\v\f", v->as.text[0]) != NULL)
		return false;
	memcpy(text, v->as.text, v->n);
	text[v->n] = '\0';
	return strpbrk(text, "xXnN") == NULL; /* strtod() also reads 0x1p3, inf and nan */
}

static enum leat_status reject_number(struct leat_evaluation *e, const struct leat_value *v)
{
	return leat_evaluation_reject(e, "%s() cannot read the text \"%.*s\"", e->node->function->name,
	                              (int)(v->n > 40 ? 40 : v->n), v->as.text);
}

static enum leat_status apply_integer(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	struct leat_value whole;
	char text[400], *end;
	int64_t i = arg->as.integer;
	double d;

	(void)n;
	if (arg->type == LEAT_BOOL) {
		i = arg->as.boolean;
	} else if (arg->type == LEAT_TEXT) {
		errno = 0;
		if (!copy_number(arg, text) || (i = strtoll(text, &end, 10), errno != 0 || *end != '\0' || end == text))
			return reject_number(e, arg);
	} else if (arg->type == LEAT_REAL) {
		whole = leat_real(leat_as_real(arg, &d) ? trunc(d) : 0);
		if (!leat_as_integer(&whole, &i))
			return leat_evaluation_reject(e, "integer() overflows an integer of 64 bits");
	} else if (arg->type != LEAT_INTEGER && arg->type != LEAT_TIME) {
		return reject_type(e, arg);
	}
	*out = leat_integer(i);
	return LEAT_OK;
}

static enum leat_status apply_real(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	char text[400], *end;
	double d = 0;

	(void)n;
	if (arg->type == LEAT_REAL) {
		*out = *arg;
		return LEAT_OK;
	}
	if (arg->type == LEAT_TEXT) {
		if (!copy_number(arg, text) || (d = strtod(text, &end), *end != '\0' || end == text || !isfinite(d)))
			return reject_number(e, arg);
	} else if (!leat_as_real(arg, &d)) {
		return reject_type(e, arg);
	}
	*out = leat_real(d);
	return LEAT_OK;
}

/* The shortest that reads back as the same number. */
static int print_real(char *out, size_t n, double d)
{
	int length = 0;

	for (int digits = 15; digits <= 17; digits++) {
		length = snprintf(out, n, "%.*g", digits, d);
		if (strtod(out, NULL) == d)
			break;
	}
	return length;
}

static enum leat_status apply_text(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	char text[64] = "";
	size_t length = 0;

	(void)n;
	if (arg->type == LEAT_TEXT) {
		*out = *arg;
		return LEAT_OK;
	}
	if (arg->type == LEAT_REAL && (arg->flags & LEAT_VALUE_SOURCED)) {
		*out = leat_borrow(arg->as.number->source, arg->as.number->source_n);
		return LEAT_OK;
	}
	if (arg->type == LEAT_BOOL)
		length = (size_t)snprintf(text, sizeof text, "%s", arg->as.boolean ? "true" : "false");
	else if (arg->type == LEAT_INTEGER)
		length = (size_t)snprintf(text, sizeof text, "%lld", (long long)arg->as.integer);
	else if (arg->type == LEAT_REAL)
		length = (size_t)print_real(text, sizeof text, arg->as.real);
	else if (arg->type == LEAT_TIME)
		length = leat_time_print(text, arg->as.time_us);
	else
		return reject_type(e, arg);
	*out = leat_borrow(leat_arena_text(e->arena, text, length), length);
	return LEAT_OK;
}

/* "null" for null is never reached: a call with a null argument is null. */
static enum leat_status apply_type(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	const char *name = leat_type_name(arg->type);

	(void)e;
	(void)n;
	*out = leat_borrow(name, strlen(name));
	return LEAT_OK;
}

const struct leat_function leat_functions[] = {
	{ "abs", 1, 1, LEAT_NODE_CALL, apply_abs },
	{ "ceil", 1, 1, LEAT_NODE_CALL, apply_ceil },
	{ "coalesce", 1, LEAT_EXPRESSION_ARGUMENTS, LEAT_NODE_COALESCE, NULL },
	{ "contains", 2, 2, LEAT_NODE_CALL, leat_apply_contains },
	{ "ends_with", 2, 2, LEAT_NODE_CALL, leat_apply_ends_with },
	{ "floor", 1, 1, LEAT_NODE_CALL, apply_floor },
	{ "hour", 1, 1, LEAT_NODE_CALL, leat_apply_hour },
	{ "if", 2, 3, LEAT_NODE_IF, NULL },
	{ "integer", 1, 1, LEAT_NODE_CALL, apply_integer },
	{ "length", 1, 1, LEAT_NODE_CALL, leat_apply_length },
	{ "ln", 1, 1, LEAT_NODE_CALL, apply_ln },
	{ "lower", 1, 1, LEAT_NODE_CALL, leat_apply_lower },
	{ "max", 1, LEAT_EXPRESSION_ARGUMENTS, LEAT_NODE_CALL, apply_max },
	{ "min", 1, LEAT_EXPRESSION_ARGUMENTS, LEAT_NODE_CALL, apply_min },
	{ "real", 1, 1, LEAT_NODE_CALL, apply_real },
	{ "round", 1, 2, LEAT_NODE_CALL, apply_round },
	{ "sqrt", 1, 1, LEAT_NODE_CALL, apply_sqrt },
	{ "starts_with", 2, 2, LEAT_NODE_CALL, leat_apply_starts_with },
	{ "substr", 2, 3, LEAT_NODE_CALL, leat_apply_substr },
	{ "text", 1, 1, LEAT_NODE_CALL, apply_text },
	{ "time", 1, 2, LEAT_NODE_CALL, leat_apply_time },
	{ "trim", 1, 1, LEAT_NODE_CALL, leat_apply_trim },
	{ "type", 1, 1, LEAT_NODE_CALL, apply_type },
	{ "upper", 1, 1, LEAT_NODE_CALL, leat_apply_upper },
	{ "weekday", 1, 1, LEAT_NODE_CALL, leat_apply_weekday },
	{ 0 },
};
