/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comparing and calculating. Division is Lua's, so that a rule can move between a file and an expression: `/` makes a real,
 * `//` rounds down and `%` has the sign of the divisor. Integers are exact or rejected, and no result is infinite or NaN,
 * since JSON cannot say either.
 */
#include <math.h>

#include "data/expression_node.h"
#include "data/value.h"

static bool is_number(const struct leat_value *v)
{
	return v->type == LEAT_INTEGER || v->type == LEAT_REAL;
}

static double as_real(const struct leat_value *v)
{
	double d = 0;

	(void)leat_as_real(v, &d);
	return d;
}

/* ---- comparing --------------------------------------------------------------------------------------------------- */

static int order_int64(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int order_real(double a, double b)
{
	return isnan(a) || isnan(b) ? 2 : a < b ? -1 : a > b;
}

/* Without rounding the integer: 2^53 + 1 is more than 9007199254740992.0. */
static int order_mixed(int64_t a, double b)
{
	int64_t whole;

	if (isnan(b))
		return 2;
	if (b >= 9223372036854775808.0)
		return -1;
	if (b < -9223372036854775808.0)
		return 1;
	whole = (int64_t)b;
	return a != whole ? order_int64(a, whole) : -order_real(b - (double)whole, 0);
}

int leat_number_compare(const struct leat_value *a, const struct leat_value *b)
{
	int order;

	if (a->type == LEAT_INTEGER && b->type == LEAT_INTEGER)
		return order_int64(a->as.integer, b->as.integer);
	if (a->type == LEAT_INTEGER)
		return order_mixed(a->as.integer, as_real(b));
	if (b->type == LEAT_INTEGER) {
		order = order_mixed(b->as.integer, as_real(a));
		return order == 2 ? 2 : -order;
	}
	return order_real(as_real(a), as_real(b));
}

static int order_bytes(const struct leat_value *a, const struct leat_value *b)
{
	size_t n = a->n < b->n ? a->n : b->n;
	int order = n == 0 ? 0 : memcmp(a->as.text, b->as.text, n);

	/* memcmp() may return any number, 2 among them, which stands for no order here. */
	return order != 0 ? order_int64(order, 0) : order_int64(a->n, b->n);
}

static bool is_equal(const struct leat_value *a, const struct leat_value *b)
{
	if (is_number(a) && is_number(b))
		return leat_number_compare(a, b) == 0;
	if (a->type != b->type)
		return false;
	if (a->type == LEAT_TEXT)
		return a->n == b->n && (a->n == 0 || memcmp(a->as.text, b->as.text, a->n) == 0);
	return leat_value_equals(a, b);
}

enum leat_status leat_operator_compare(struct leat_evaluation *e, enum leat_comparison comparison, const struct leat_value *a,
                                       const struct leat_value *b, bool *out)
{
	int order;

	if (comparison == LEAT_EQUAL || comparison == LEAT_NOT_EQUAL) {
		*out = is_equal(a, b) == (comparison == LEAT_EQUAL);
		return LEAT_OK;
	}
	if (is_number(a) && is_number(b))
		order = leat_number_compare(a, b);
	else if (a->type == b->type && (a->type == LEAT_TEXT || a->type == LEAT_BYTES))
		order = order_bytes(a, b);
	else if (a->type == b->type && a->type == LEAT_TIME)
		order = order_int64(a->as.time_us, b->as.time_us);
	else
		return leat_evaluation_reject(e, "cannot order %s and %s", leat_type_name(a->type), leat_type_name(b->type));
	if (order == 2)
		*out = false;
	else if (comparison == LEAT_LESS || comparison == LEAT_LESS_EQUAL)
		*out = order < 0 || (order == 0 && comparison == LEAT_LESS_EQUAL);
	else
		*out = order > 0 || (order == 0 && comparison == LEAT_MORE_EQUAL);
	return LEAT_OK;
}

/* ---- calculating ------------------------------------------------------------------------------------------------- */

static enum leat_status reject_types(struct leat_evaluation *e, const struct leat_value *arg)
{
	return leat_evaluation_reject(e, "\"%s\" takes no %s and %s", e->node->function->name, leat_type_name(arg[0].type),
	                              leat_type_name(arg[1].type));
}

static enum leat_status reject_overflow(struct leat_evaluation *e)
{
	return leat_evaluation_reject(e, "\"%s\" overflows an integer of 64 bits", e->node->function->name);
}

static enum leat_status finish_real(struct leat_evaluation *e, double result, struct leat_value *out)
{
	if (!isfinite(result))
		return leat_evaluation_reject(e, "\"%s\" has no finite result", e->node->function->name);
	*out = leat_real(result);
	return LEAT_OK;
}

static enum leat_status concatenate(struct leat_evaluation *e, const struct leat_value *arg, struct leat_value *out)
{
	size_t n = (size_t)arg[0].n + arg[1].n;
	char *text;

	if (n > LEAT_EXPRESSION_MADE)
		return leat_evaluation_reject(e, "text of %zu bytes is too long, %d at most", n, (int)LEAT_EXPRESSION_MADE);
	text = leat_arena_allocate(e->arena, n);
	if (arg[0].n > 0)
		memcpy(text, arg[0].as.text, arg[0].n);
	if (arg[1].n > 0)
		memcpy(text + arg[0].n, arg[1].as.text, arg[1].n);
	*out = leat_borrow(text, n);
	return LEAT_OK;
}

static enum leat_status add(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	int64_t sum;

	(void)n;
	if (arg[0].type == LEAT_INTEGER && arg[1].type == LEAT_INTEGER) {
		if (__builtin_add_overflow(arg[0].as.integer, arg[1].as.integer, &sum))
			return reject_overflow(e);
		*out = leat_integer(sum);
		return LEAT_OK;
	}
	if (is_number(&arg[0]) && is_number(&arg[1]))
		return finish_real(e, as_real(&arg[0]) + as_real(&arg[1]), out);
	if (arg[0].type == LEAT_TEXT && arg[1].type == LEAT_TEXT)
		return concatenate(e, arg, out);
	if ((arg[0].type == LEAT_TIME && arg[1].type == LEAT_INTEGER) || (arg[0].type == LEAT_INTEGER && arg[1].type == LEAT_TIME)) {
		if (__builtin_add_overflow(arg[0].as.integer, arg[1].as.integer, &sum))
			return reject_overflow(e);
		*out = leat_time(sum);
		return LEAT_OK;
	}
	return reject_types(e, arg);
}

static enum leat_status subtract(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	bool is_span = arg[0].type == LEAT_TIME && arg[1].type == LEAT_TIME;
	bool is_time = arg[0].type == LEAT_TIME && arg[1].type == LEAT_INTEGER;
	int64_t difference;

	(void)n;
	if (is_span || is_time || (arg[0].type == LEAT_INTEGER && arg[1].type == LEAT_INTEGER)) {
		if (__builtin_sub_overflow(arg[0].as.integer, arg[1].as.integer, &difference))
			return reject_overflow(e);
		*out = is_time ? leat_time(difference) : leat_integer(difference);
		return LEAT_OK;
	}
	if (is_number(&arg[0]) && is_number(&arg[1]))
		return finish_real(e, as_real(&arg[0]) - as_real(&arg[1]), out);
	return reject_types(e, arg);
}

static enum leat_status multiply(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	int64_t product;

	(void)n;
	if (arg[0].type == LEAT_INTEGER && arg[1].type == LEAT_INTEGER) {
		if (__builtin_mul_overflow(arg[0].as.integer, arg[1].as.integer, &product))
			return reject_overflow(e);
		*out = leat_integer(product);
		return LEAT_OK;
	}
	if (!is_number(&arg[0]) || !is_number(&arg[1]))
		return reject_types(e, arg);
	return finish_real(e, as_real(&arg[0]) * as_real(&arg[1]), out);
}

static enum leat_status check_divisor(struct leat_evaluation *e, const struct leat_value *arg)
{
	if (!is_number(&arg[0]) || !is_number(&arg[1]))
		return reject_types(e, arg);
	if (as_real(&arg[1]) == 0)
		return leat_evaluation_reject(e, "\"%s\" by zero", e->node->function->name);
	return LEAT_OK;
}

static enum leat_status divide(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	enum leat_status status = check_divisor(e, arg);

	(void)n;
	return status != LEAT_OK ? status : finish_real(e, as_real(&arg[0]) / as_real(&arg[1]), out);
}

static enum leat_status divide_down(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	enum leat_status status = check_divisor(e, arg);
	int64_t a = arg[0].as.integer, b = arg[1].as.integer;

	(void)n;
	if (status != LEAT_OK)
		return status;
	if (arg[0].type != LEAT_INTEGER || arg[1].type != LEAT_INTEGER)
		return finish_real(e, floor(as_real(&arg[0]) / as_real(&arg[1])), out);
	if (a == INT64_MIN && b == -1)
		return reject_overflow(e);
	*out = leat_integer(a / b - (a % b != 0 && (a ^ b) < 0));
	return LEAT_OK;
}

static enum leat_status modulo(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	enum leat_status status = check_divisor(e, arg);
	int64_t a = arg[0].as.integer, b = arg[1].as.integer, left;
	double rest;

	(void)n;
	if (status != LEAT_OK)
		return status;
	if (arg[0].type != LEAT_INTEGER || arg[1].type != LEAT_INTEGER) {
		rest = fmod(as_real(&arg[0]), as_real(&arg[1]));
		return finish_real(e, rest * as_real(&arg[1]) < 0 ? rest + as_real(&arg[1]) : rest, out);
	}
	left = b == -1 ? 0 : a % b; /* INT64_MIN % -1 traps */
	*out = leat_integer(left != 0 && (left ^ b) < 0 ? left + b : left);
	return LEAT_OK;
}

static enum leat_status negate(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	(void)n;
	if (!is_number(&arg[0]))
		return leat_evaluation_reject(e, "\"-\" takes no %s", leat_type_name(arg[0].type));
	if (arg[0].type == LEAT_REAL)
		return finish_real(e, -as_real(&arg[0]), out);
	if (arg[0].as.integer == INT64_MIN)
		return reject_overflow(e);
	*out = leat_integer(-arg[0].as.integer);
	return LEAT_OK;
}

static enum leat_status like(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	(void)n;
	if (arg[0].type != LEAT_TEXT || arg[1].type != LEAT_TEXT)
		return reject_types(e, arg);
	*out = leat_bool(leat_text_like(&arg[0], &arg[1]));
	return LEAT_OK;
}

const struct leat_function leat_operator_add = { "+", 2, 2, LEAT_NODE_CALL, add };
const struct leat_function leat_operator_subtract = { "-", 2, 2, LEAT_NODE_CALL, subtract };
const struct leat_function leat_operator_multiply = { "*", 2, 2, LEAT_NODE_CALL, multiply };
const struct leat_function leat_operator_divide = { "/", 2, 2, LEAT_NODE_CALL, divide };
const struct leat_function leat_operator_divide_down = { "//", 2, 2, LEAT_NODE_CALL, divide_down };
const struct leat_function leat_operator_modulo = { "%", 2, 2, LEAT_NODE_CALL, modulo };
const struct leat_function leat_operator_negate = { "-", 1, 1, LEAT_NODE_CALL, negate };
const struct leat_function leat_operator_like = { "like", 2, 2, LEAT_NODE_CALL, like };
