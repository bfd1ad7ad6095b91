/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evaluating expressions. Logic is SQL's: null stands for "unknown", a field that is missing is null, and whatever is made
 * of null is null, except where the answer is known all the same (`false and null` is false).
 *
 * operand() hands out a pointer into the record or the compiled tree where it can, so that `amount > 100` copies nothing.
 */
#include <stdarg.h>

#include "base/check.h"
#include "data/expression_node.h"
#include "data/value.h"

enum leat_status leat_evaluation_reject(struct leat_evaluation *e, const char *format, ...)
{
	char reason[LEAT_ERROR_TEXT];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(reason, sizeof reason - 32, format, args);
	va_end(args);
	return leat_error_set(e->err, LEAT_REJECT, 0, "%s at column %u", reason, e->node->column);
}

static const struct leat_value null_value;

static enum leat_status operand(struct leat_evaluation *e, const struct leat_node *node, struct leat_value *made,
                                const struct leat_value **out)
{
	const struct leat_value *v;

	if (node->kind == LEAT_NODE_FIELD) {
		v = leat_path_get(&node->path, &e->record->value);
		*out = v == NULL ? &null_value : v;
		return LEAT_OK;
	}
	*out = made;
	if (node->kind == LEAT_NODE_CONSTANT) {
		*out = &node->constant;
		return LEAT_OK;
	}
	return leat_node_evaluate(e, node, made);
}

/* `or` and `and` are one another's mirror: the decisive value ends it, null counts as unknown. */
static enum leat_status evaluate_logic(struct leat_evaluation *e, const struct leat_node *node, struct leat_value *out)
{
	bool decisive = node->kind == LEAT_NODE_OR, is_unknown = false;

	for (uint32_t i = 0; i < node->n; i++) {
		const struct leat_value *v;
		struct leat_value made;
		enum leat_status status = operand(e, node->child[i], &made, &v);

		if (status != LEAT_OK)
			return status;
		if (v->type == LEAT_NULL) {
			is_unknown = true;
		} else if (v->type != LEAT_BOOL) {
			e->node = node;
			return leat_evaluation_reject(e, "\"%s\" needs true or false, not %s", decisive ? "or" : "and",
			                              leat_type_name(v->type));
		} else if (v->as.boolean == decisive) {
			*out = leat_bool(decisive);
			return LEAT_OK;
		}
	}
	*out = is_unknown ? leat_null() : leat_bool(!decisive);
	return LEAT_OK;
}

static enum leat_status evaluate_not(struct leat_evaluation *e, const struct leat_node *node, struct leat_value *out)
{
	const struct leat_value *v;
	struct leat_value made;
	enum leat_status status = operand(e, node->child[0], &made, &v);

	if (status != LEAT_OK)
		return status;
	if (v->type != LEAT_NULL && v->type != LEAT_BOOL) {
		e->node = node;
		return leat_evaluation_reject(e, "\"not\" needs true or false, not %s", leat_type_name(v->type));
	}
	*out = v->type == LEAT_NULL ? leat_null() : leat_bool(!v->as.boolean);
	return LEAT_OK;
}

static enum leat_status evaluate_comparison(struct leat_evaluation *e, const struct leat_node *node, struct leat_value *out)
{
	const struct leat_value *a, *b;
	struct leat_value made_a, made_b;
	enum leat_status status;
	bool result;

	if ((status = operand(e, node->child[0], &made_a, &a)) != LEAT_OK ||
	    (status = operand(e, node->child[1], &made_b, &b)) != LEAT_OK)
		return status;
	if (a->type == LEAT_NULL || b->type == LEAT_NULL) {
		*out = leat_null();
		return LEAT_OK;
	}
	e->node = node;
	status = leat_operator_compare(e, node->comparison, a, b, &result);
	if (status == LEAT_OK)
		*out = leat_bool(result);
	return status;
}

/* `x in [a, b]` means `x = a or x = b`, also where nulls are concerned. */
static enum leat_status evaluate_in(struct leat_evaluation *e, const struct leat_node *node, struct leat_value *out)
{
	const struct leat_value *v, *list;
	struct leat_value made_v, made_list;
	enum leat_status status;
	bool is_unknown = false, is_equal;

	if ((status = operand(e, node->child[0], &made_v, &v)) != LEAT_OK ||
	    (status = operand(e, node->child[1], &made_list, &list)) != LEAT_OK)
		return status;
	*out = leat_null();
	if (list->type == LEAT_NULL)
		return LEAT_OK;
	e->node = node;
	if (list->type != LEAT_LIST)
		return leat_evaluation_reject(e, "\"in\" needs a list on its right, not %s", leat_type_name(list->type));
	for (uint32_t i = 0; i < list->as.list->n; i++) {
		const struct leat_value *item = &list->as.list->item[i];

		if (item->type == LEAT_NULL || v->type == LEAT_NULL) {
			is_unknown = true;
			continue;
		}
		status = leat_operator_compare(e, LEAT_EQUAL, v, item, &is_equal);
		if (status != LEAT_OK)
			return status;
		if (is_equal) {
			*out = leat_bool(true);
			return LEAT_OK;
		}
	}
	if (!is_unknown)
		*out = leat_bool(false);
	return LEAT_OK;
}

static enum leat_status evaluate_list(struct leat_evaluation *e, const struct leat_node *node, struct leat_value *out)
{
	struct leat_value *item = leat_arena_allocate(e->arena, node->n * sizeof *item);

	for (uint32_t i = 0; i < node->n; i++) {
		enum leat_status status = leat_node_evaluate(e, node->child[i], &item[i]);

		if (status != LEAT_OK)
			return status;
	}
	*out = leat_value_list(e->arena, item, node->n);
	return LEAT_OK;
}

static enum leat_status evaluate_coalesce(struct leat_evaluation *e, const struct leat_node *node, struct leat_value *out)
{
	*out = leat_null();
	for (uint32_t i = 0; i < node->n && out->type == LEAT_NULL; i++) {
		enum leat_status status = leat_node_evaluate(e, node->child[i], out);

		if (status != LEAT_OK)
			return status;
	}
	return LEAT_OK;
}

static enum leat_status evaluate_if(struct leat_evaluation *e, const struct leat_node *node, struct leat_value *out)
{
	const struct leat_value *v;
	struct leat_value made;
	enum leat_status status = operand(e, node->child[0], &made, &v);

	if (status != LEAT_OK)
		return status;
	if (v->type != LEAT_NULL && v->type != LEAT_BOOL) {
		e->node = node;
		return leat_evaluation_reject(e, "if() needs true or false, not %s", leat_type_name(v->type));
	}
	if (v->type == LEAT_BOOL && v->as.boolean)
		return leat_node_evaluate(e, node->child[1], out);
	if (node->n == 3)
		return leat_node_evaluate(e, node->child[2], out);
	*out = leat_null();
	return LEAT_OK;
}

static enum leat_status evaluate_call(struct leat_evaluation *e, const struct leat_node *node, struct leat_value *out)
{
	struct leat_value arg[LEAT_EXPRESSION_ARGUMENTS];
	bool is_null = false;

	for (uint32_t i = 0; i < node->n; i++) {
		enum leat_status status = leat_node_evaluate(e, node->child[i], &arg[i]);

		if (status != LEAT_OK)
			return status;
		is_null |= arg[i].type == LEAT_NULL;
	}
	if (is_null) {
		*out = leat_null();
		return LEAT_OK;
	}
	e->node = node;
	return node->function->apply(e, arg, node->n, out);
}

static enum leat_status evaluate_is_null(struct leat_evaluation *e, const struct leat_node *node, struct leat_value *out)
{
	const struct leat_value *v;
	struct leat_value made;
	enum leat_status status = operand(e, node->child[0], &made, &v);

	if (status == LEAT_OK)
		*out = leat_bool(v->type == LEAT_NULL);
	return status;
}

enum leat_status leat_node_evaluate(struct leat_evaluation *e, const struct leat_node *node, struct leat_value *out)
{
	const struct leat_value *v;

	switch (node->kind) {
	case LEAT_NODE_CONSTANT:
		*out = node->constant;
		return LEAT_OK;
	case LEAT_NODE_FIELD:
		v = leat_path_get(&node->path, &e->record->value);
		*out = v == NULL ? leat_null() : *v;
		return LEAT_OK;
	case LEAT_NODE_KEY:
		*out = e->record->key;
		return LEAT_OK;
	case LEAT_NODE_TIME:
		*out = e->record->time_us == LEAT_NO_TIME ? leat_null() : leat_time(e->record->time_us);
		return LEAT_OK;
	case LEAT_NODE_OFFSET:
		*out = e->record->origin.source == LEAT_NO_SOURCE ? leat_null() : leat_integer(e->record->origin.offset);
		return LEAT_OK;
	case LEAT_NODE_PARTITION:
		*out = e->record->origin.source == LEAT_NO_SOURCE ? leat_null() : leat_integer(e->record->origin.partition);
		return LEAT_OK;
	case LEAT_NODE_OR:
	case LEAT_NODE_AND:
		return evaluate_logic(e, node, out);
	case LEAT_NODE_NOT:
		return evaluate_not(e, node, out);
	case LEAT_NODE_COMPARE:
		return evaluate_comparison(e, node, out);
	case LEAT_NODE_IN:
		return evaluate_in(e, node, out);
	case LEAT_NODE_IS_NULL:
		return evaluate_is_null(e, node, out);
	case LEAT_NODE_LIST:
		return evaluate_list(e, node, out);
	case LEAT_NODE_COALESCE:
		return evaluate_coalesce(e, node, out);
	case LEAT_NODE_IF:
		return evaluate_if(e, node, out);
	case LEAT_NODE_CALL:
		return evaluate_call(e, node, out);
	}
	leat_check(!"a node of an expression has a known kind");
	return LEAT_FATAL;
}

enum leat_status leat_expression_evaluate(const struct leat_expression *expression, const struct leat_record *record,
                                          struct leat_arena *arena, struct leat_value *out, struct leat_error *err)
{
	struct leat_evaluation e = { .record = record, .arena = arena, .err = err, .node = expression->root };
	struct leat_value value;
	enum leat_status status = leat_node_evaluate(&e, expression->root, &value);

	if (status == LEAT_OK)
		*out = value;
	return status;
}
