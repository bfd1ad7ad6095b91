/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_DATA_EXPRESSION_NODE_H
#define LEAT_DATA_EXPRESSION_NODE_H

#include "data/expression.h"
#include "data/time_text.h"

/*
 * The compiled form: a tree in the arena of the pipeline, never written once it is compiled, so that any number of threads
 * evaluate it at once. Private to expression*.c.
 */

enum {
	LEAT_EXPRESSION_BYTES = 16384,  /* of source text */
	LEAT_EXPRESSION_NESTING = 64,   /* of parentheses, lists, calls and signs: the parser's recursion */
	LEAT_EXPRESSION_HEIGHT = 256,   /* of the tree: the evaluator's recursion */
	LEAT_EXPRESSION_ARGUMENTS = 16, /* of a function */
	LEAT_EXPRESSION_MADE = 1 << 24  /* bytes of a text that an expression makes */
};

enum leat_node_kind {
	LEAT_NODE_CONSTANT,
	LEAT_NODE_FIELD,
	LEAT_NODE_KEY,
	LEAT_NODE_TIME,
	LEAT_NODE_OFFSET,
	LEAT_NODE_PARTITION,
	LEAT_NODE_OR, /* or, and: any number of children */
	LEAT_NODE_AND,
	LEAT_NODE_NOT,
	LEAT_NODE_COMPARE,
	LEAT_NODE_IN,
	LEAT_NODE_IS_NULL,
	LEAT_NODE_LIST,
	LEAT_NODE_COALESCE,
	LEAT_NODE_IF,
	LEAT_NODE_CALL /* apply(), null as soon as an argument is null */
};

enum leat_comparison { LEAT_EQUAL, LEAT_NOT_EQUAL, LEAT_LESS, LEAT_LESS_EQUAL, LEAT_MORE, LEAT_MORE_EQUAL };

struct leat_node;

/* One evaluation in progress. */
struct leat_evaluation {
	const struct leat_record *record;
	struct leat_arena *arena;
	struct leat_error *err;
	const struct leat_node *node; /* in apply(): whose call it is */
};

/* No argument is null, and there are as many as the function takes. */
typedef enum leat_status leat_apply(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out);

struct leat_function {
	const char *name;
	uint8_t n_least, n_most;
	enum leat_node_kind kind; /* LEAT_NODE_CALL unless it treats nulls in its own way */
	leat_apply *apply;
};

struct leat_node {
	enum leat_node_kind kind;
	enum leat_comparison comparison;
	unsigned column; /* of the operator or the function's name */
	uint32_t height;
	uint32_t n;
	const struct leat_node *const *child;
	const struct leat_function *function;
	struct leat_value constant;
	struct leat_path path;
};

struct leat_expression {
	const struct leat_node *root;
};

/* One call and nothing around it, of a function that is the caller's business. */
struct leat_call {
	const char *name;
	unsigned column; /* of the name */
	uint32_t n;
	const struct leat_node *const *argument;
};

/* expression_parser.c */
enum leat_status leat_call_compile(struct leat_arena *arena, struct leat_symbols *symbols, const char *text, struct leat_call *out,
                                   struct leat_error *err);

/* expression.c */
enum leat_status leat_node_evaluate(struct leat_evaluation *e, const struct leat_node *node, struct leat_value *out);
/* LEAT_REJECT, with " at column N" behind the reason. */
enum leat_status leat_evaluation_reject(struct leat_evaluation *e, const char *format, ...) LEAT_PRINTF(2, 3);

/* expression_operators.c */
extern const struct leat_function leat_operator_add, leat_operator_subtract, leat_operator_multiply, leat_operator_divide,
	leat_operator_divide_down, leat_operator_modulo, leat_operator_negate, leat_operator_like;
/* Neither is null. `<` and its kin reject what has no order. */
enum leat_status leat_operator_compare(struct leat_evaluation *e, enum leat_comparison comparison, const struct leat_value *a,
                                       const struct leat_value *b, bool *out);
/* -1, 0, 1; 2 when one of them is NaN. Both are numbers; exact also between an integer and a real. */
int leat_number_compare(const struct leat_value *a, const struct leat_value *b);

/* expression_functions.c; the table ends with name NULL */
extern const struct leat_function leat_functions[];

/* expression_text.c */
leat_apply leat_apply_length, leat_apply_lower, leat_apply_upper, leat_apply_trim, leat_apply_substr, leat_apply_contains,
	leat_apply_starts_with, leat_apply_ends_with;
bool leat_text_like(const struct leat_value *text, const struct leat_value *pattern);

/* expression_time.c */
leat_apply leat_apply_time, leat_apply_hour, leat_apply_weekday;

#endif
