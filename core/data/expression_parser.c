/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From text to tree, by recursive descent; one function for each level of precedence, loosest first. Whatever has only
 * constants below it is evaluated at once, so `1 / 0` is found when the pipeline is checked and not by its first event.
 */
#include "base/report.h"
#include "data/expression_lexer.h"
#include "data/expression_node.h"
#include "data/value.h"

struct parser {
	struct leat_arena *arena;
	struct leat_symbols *symbols;
	struct leat_error *err;
	struct leat_lexer lexer;
	struct leat_token token; /* the next one, not yet taken */
	bool is_broken;          /* err is set: every parse_ function returns NULL or anything, and nobody looks */
	unsigned nesting;
};

/* Children that are being collected; they go into the arena when their number is known. */
struct children {
	const struct leat_node **node;
	uint32_t n, capacity;
};

static const struct leat_node *parse_or(struct parser *p);

static void advance(struct parser *p)
{
	if (!p->is_broken && leat_lexer_next(&p->lexer, &p->token, p->err) != LEAT_OK)
		p->is_broken = true;
}

static const struct leat_node *expected(struct parser *p, const char *what)
{
	if (p->is_broken)
		return NULL;
	p->is_broken = true;
	if (p->token.kind == LEAT_TOKEN_END)
		leat_error_set(p->err, LEAT_FATAL, 0, "expected %s at column %u, found the end", what, p->token.column);
	else
		leat_error_set(p->err, LEAT_FATAL, 0, "expected %s at column %u, found %.*s", what, p->token.column,
		               (int)(p->token.start_n > 60 ? 60 : p->token.start_n), p->token.start);
	return NULL;
}

static bool take(struct parser *p, enum leat_token_kind kind)
{
	if (p->is_broken || p->token.kind != kind)
		return false;
	advance(p);
	return true;
}

static void add_child(struct parser *p, struct children *c, const struct leat_node *node)
{
	if (c->n == c->capacity) {
		uint32_t capacity = c->capacity == 0 ? 4 : c->capacity * 2;
		const struct leat_node **grown = leat_arena_allocate(p->arena, capacity * sizeof *grown);

		if (c->n > 0)
			memcpy(grown, c->node, c->n * sizeof *grown);
		c->node = grown;
		c->capacity = capacity;
	}
	c->node[c->n++] = node;
}

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

static struct leat_node *make_node(struct parser *p, enum leat_node_kind kind, unsigned column)
{
	struct leat_node *node = leat_arena_allocate(p->arena, sizeof *node);

	memset(node, 0, sizeof *node);
	node->kind = kind;
	node->column = column;
	node->height = 1;
	return node;
}

static const struct leat_node *make_constant(struct parser *p, unsigned column, struct leat_value value)
{
	struct leat_node *node = make_node(p, LEAT_NODE_CONSTANT, column);

	node->constant = value;
	return node;
}

/* Evaluates a node that has only constants below it. */
static const struct leat_node *fold(struct parser *p, const struct leat_node *node)
{
	static const struct leat_record record;
	struct leat_evaluation e = { .record = &record, .arena = p->arena, .err = p->err, .node = node };
	struct leat_value value;

	if (leat_node_evaluate(&e, node, &value) == LEAT_OK)
		return make_constant(p, node->column, value);
	if (p->err != NULL)
		p->err->status = LEAT_FATAL;
	p->is_broken = true;
	return NULL;
}

static const struct leat_node *finish_node(struct parser *p, struct leat_node *node, const struct children *c)
{
	bool is_constant = true;

	if (p->is_broken)
		return NULL;
	for (uint32_t i = 0; i < c->n; i++) {
		if (c->node[i]->height >= node->height)
			node->height = c->node[i]->height + 1;
		is_constant &= c->node[i]->kind == LEAT_NODE_CONSTANT;
	}
	node->n = c->n;
	node->child = c->node;
	if (node->height > LEAT_EXPRESSION_HEIGHT) {
		p->is_broken = true;
		leat_error_set(p->err, LEAT_FATAL, 0, "more than %d operations on top of each other at column %u",
		               (int)LEAT_EXPRESSION_HEIGHT, node->column);
		return NULL;
	}
	return is_constant ? fold(p, node) : node;
}

static const struct leat_node *make_unary(struct parser *p, struct leat_node *node, const struct leat_node *a)
{
	struct children c = { 0 };

	add_child(p, &c, a);
	return finish_node(p, node, &c);
}

static const struct leat_node *make_binary(struct parser *p, struct leat_node *node, const struct leat_node *a,
                                           const struct leat_node *b)
{
	struct children c = { 0 };

	add_child(p, &c, a);
	add_child(p, &c, b);
	return finish_node(p, node, &c);
}

static struct leat_node *make_call(struct parser *p, unsigned column, const struct leat_function *function)
{
	struct leat_node *node = make_node(p, function->kind, column);

	node->function = function;
	return node;
}

/* Counts parentheses, lists, calls and signs that are open; they are what the parser recurs on. */
static bool enter(struct parser *p)
{
	if (!p->is_broken && ++p->nesting > LEAT_EXPRESSION_NESTING) {
		p->is_broken = true;
		leat_error_set(p->err, LEAT_FATAL, 0, "nested deeper than %d at column %u", (int)LEAT_EXPRESSION_NESTING,
		               p->token.column);
	}
	return !p->is_broken;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static const char *copy_terminated(struct parser *p, const char *s, size_t n)
{
	char *copy = leat_arena_allocate(p->arena, n + 1);

	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

static const struct leat_node *parse_field(struct parser *p)
{
	struct leat_node *node = make_node(p, LEAT_NODE_FIELD, p->token.column);
	const char *start = p->token.start, *end;
	leat_symbol *symbol = NULL;
	uint32_t n = 0, capacity = 0;

	do {
		if (p->token.kind != LEAT_TOKEN_NAME && p->token.kind < LEAT_TOKEN_OR)
			return expected(p, "a field's name behind \".\"");
		if (p->token.text_n == 0)
			return expected(p, "a field's name in the backticks");
		if (n == capacity) {
			leat_symbol *grown = leat_arena_allocate(p->arena, (capacity = capacity * 2 + 4) * sizeof *grown);

			if (n > 0)
				memcpy(grown, symbol, n * sizeof *grown);
			symbol = grown;
		}
		symbol[n++] = leat_symbols_intern(p->symbols, p->token.text, p->token.text_n);
		end = p->token.start + p->token.start_n;
		advance(p);
	} while (take(p, LEAT_TOKEN_DOT));
	node->path.text = copy_terminated(p, start, (size_t)(end - start));
	node->path.symbol = symbol;
	node->path.n = n;
	return node;
}

static const struct leat_node *parse_pseudo(struct parser *p)
{
	static const struct {
		const char *name;
		enum leat_node_kind kind;
	} fields[] = {
		{ "@key", LEAT_NODE_KEY },
		{ "@time", LEAT_NODE_TIME },
		{ "@offset", LEAT_NODE_OFFSET },
		{ "@partition", LEAT_NODE_PARTITION },
	};

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (strlen(fields[i].name) == p->token.text_n && memcmp(fields[i].name, p->token.text, p->token.text_n) == 0) {
			const struct leat_node *node = make_node(p, fields[i].kind, p->token.column);

			advance(p);
			return node;
		}
	return expected(p, "@key, @time, @offset or @partition");
}

static const struct leat_function *find_function(struct parser *p, const struct leat_token *name)
{
	const char *names[64], *near;
	char word[64];
	size_t n = 0;

	for (const struct leat_function *f = leat_functions; f->name != NULL; f++) {
		if (strlen(f->name) == name->text_n && memcmp(f->name, name->text, name->text_n) == 0)
			return f;
		if (n + 1 < sizeof names / sizeof names[0])
			names[n++] = f->name;
	}
	names[n] = NULL;
	(void)snprintf(word, sizeof word, "%.*s", (int)(name->text_n > 60 ? 60 : name->text_n), name->text);
	near = leat_nearest(word, names);
	p->is_broken = true;
	leat_error_set(p->err, LEAT_FATAL, 0, "there is no function \"%s\" at column %u%s%s%s", word, name->column,
	               near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near, near == NULL ? "" : "\"?");
	return NULL;
}

static const struct leat_node *reject_count(struct parser *p, const struct leat_function *f, uint32_t n, unsigned column)
{
	char takes[48];

	if (f->n_least == f->n_most)
		(void)snprintf(takes, sizeof takes, "%d", f->n_least);
	else
		(void)snprintf(takes, sizeof takes, "%d to %d", f->n_least, f->n_most);
	p->is_broken = true;
	leat_error_set(p->err, LEAT_FATAL, 0, "%s() at column %u has %u arguments, it takes %s", f->name, column, (unsigned)n, takes);
	return NULL;
}

static void parse_items(struct parser *p, struct children *c, enum leat_token_kind close, const char *what)
{
	if (!enter(p) || take(p, close)) {
		p->nesting--;
		return;
	}
	do
		add_child(p, c, parse_or(p));
	while (take(p, LEAT_TOKEN_COMMA));
	if (!take(p, close))
		(void)expected(p, what);
	p->nesting--;
}

static const struct leat_node *parse_call(struct parser *p, struct leat_token name)
{
	const struct leat_function *f = find_function(p, &name);
	struct children c = { 0 };

	if (f == NULL)
		return NULL;
	advance(p);
	parse_items(p, &c, LEAT_TOKEN_CLOSE, "\",\" or \")\"");
	if (p->is_broken)
		return NULL;
	if (c.n < f->n_least || c.n > f->n_most)
		return reject_count(p, f, c.n, name.column);
	return finish_node(p, make_call(p, name.column, f), &c);
}

/* A name is a field, or a function where a parenthesis follows. */
static const struct leat_node *parse_name(struct parser *p)
{
	struct parser ahead = *p;
	struct leat_token name = p->token;

	advance(&ahead);
	if (!ahead.is_broken && ahead.token.kind == LEAT_TOKEN_OPEN && !name.is_quoted) {
		advance(p);
		return parse_call(p, name);
	}
	p->is_broken = ahead.is_broken;
	return p->is_broken ? NULL : parse_field(p);
}

static const struct leat_node *parse_literal(struct parser *p, struct leat_value value)
{
	const struct leat_node *node = make_constant(p, p->token.column, value);

	advance(p);
	return node;
}

static const struct leat_node *parse_list(struct parser *p)
{
	struct leat_node *node = make_node(p, LEAT_NODE_LIST, p->token.column);
	struct children c = { 0 };

	advance(p);
	parse_items(p, &c, LEAT_TOKEN_CLOSE_LIST, "\",\" or \"]\"");
	return finish_node(p, node, &c);
}

static const struct leat_node *parse_parenthesis(struct parser *p)
{
	const struct leat_node *node;

	advance(p);
	if (!enter(p))
		return NULL;
	node = parse_or(p);
	p->nesting--;
	return take(p, LEAT_TOKEN_CLOSE) ? node : expected(p, "\")\"");
}

static const struct leat_node *parse_value(struct parser *p)
{
	if (p->is_broken)
		return NULL;
	if (p->token.kind == LEAT_TOKEN_INTEGER && p->token.integer > INT64_MAX)
		return expected(p, "an integer up to 9223372036854775807");
	if (p->token.kind == LEAT_TOKEN_INTEGER)
		return parse_literal(p, leat_integer((int64_t)p->token.integer));
	if (p->token.kind == LEAT_TOKEN_REAL)
		return parse_literal(p, leat_real(p->token.real));
	if (p->token.kind == LEAT_TOKEN_TEXT)
		return parse_literal(p, leat_borrow(leat_arena_text(p->arena, p->token.text, p->token.text_n), p->token.text_n));
	if (p->token.kind == LEAT_TOKEN_TRUE || p->token.kind == LEAT_TOKEN_FALSE)
		return parse_literal(p, leat_bool(p->token.kind == LEAT_TOKEN_TRUE));
	if (p->token.kind == LEAT_TOKEN_NULL)
		return parse_literal(p, leat_null());
	if (p->token.kind == LEAT_TOKEN_NAME)
		return parse_name(p);
	if (p->token.kind == LEAT_TOKEN_PSEUDO)
		return parse_pseudo(p);
	if (p->token.kind == LEAT_TOKEN_OPEN_LIST)
		return parse_list(p);
	if (p->token.kind == LEAT_TOKEN_OPEN)
		return parse_parenthesis(p);
	return expected(p, "a value");
}

/* ---- operators --------------------------------------------------------------------------------------------------- */

static const struct leat_node *parse_sign(struct parser *p)
{
	const struct leat_node *a;
	unsigned column = p->token.column;

	if (!take(p, LEAT_TOKEN_MINUS))
		return parse_value(p);
	if (!p->is_broken && p->token.kind == LEAT_TOKEN_INTEGER) /* -9223372036854775808 has no positive twin */
		return parse_literal(p, leat_integer((int64_t)(UINT64_C(0) - p->token.integer)));
	if (!enter(p))
		return NULL;
	a = parse_sign(p);
	p->nesting--;
	return make_unary(p, make_call(p, column, &leat_operator_negate), a);
}

static const struct leat_node *parse_product(struct parser *p)
{
	const struct leat_node *a = parse_sign(p);

	while (!p->is_broken) {
		const struct leat_function *f = p->token.kind == LEAT_TOKEN_TIMES         ? &leat_operator_multiply
		                                : p->token.kind == LEAT_TOKEN_DIVIDE      ? &leat_operator_divide
		                                : p->token.kind == LEAT_TOKEN_DIVIDE_DOWN ? &leat_operator_divide_down
		                                : p->token.kind == LEAT_TOKEN_MODULO      ? &leat_operator_modulo
		                                                                          : NULL;
		unsigned column = p->token.column;

		if (f == NULL)
			break;
		advance(p);
		a = make_binary(p, make_call(p, column, f), a, parse_sign(p));
	}
	return a;
}

static const struct leat_node *parse_sum(struct parser *p)
{
	const struct leat_node *a = parse_product(p);

	while (!p->is_broken && (p->token.kind == LEAT_TOKEN_PLUS || p->token.kind == LEAT_TOKEN_MINUS)) {
		const struct leat_function *f = p->token.kind == LEAT_TOKEN_PLUS ? &leat_operator_add : &leat_operator_subtract;
		unsigned column = p->token.column;

		advance(p);
		a = make_binary(p, make_call(p, column, f), a, parse_product(p));
	}
	return a;
}

static bool as_comparison(enum leat_token_kind kind, enum leat_comparison *out)
{
	if (kind < LEAT_TOKEN_EQUAL || kind > LEAT_TOKEN_MORE_EQUAL)
		return false;
	*out = (enum leat_comparison)(LEAT_EQUAL + (kind - LEAT_TOKEN_EQUAL));
	return true;
}

static const struct leat_node *negate_if(struct parser *p, bool is_negated, unsigned column, const struct leat_node *a)
{
	return is_negated && !p->is_broken ? make_unary(p, make_node(p, LEAT_NODE_NOT, column), a) : a;
}

/* What may follow a sum: a comparison, [not] in, [not] like, is [not] null. NULL when nothing of it does. */
static const struct leat_node *parse_test(struct parser *p, const struct leat_node *a)
{
	unsigned column = p->token.column;
	struct leat_node *node;
	bool is_negated;

	if (take(p, LEAT_TOKEN_IS)) {
		is_negated = take(p, LEAT_TOKEN_NOT);
		if (!take(p, LEAT_TOKEN_NULL))
			return expected(p, is_negated ? "\"null\"" : "\"null\" or \"not null\"");
		return negate_if(p, is_negated, column, make_unary(p, make_node(p, LEAT_NODE_IS_NULL, column), a));
	}
	node = make_node(p, LEAT_NODE_COMPARE, column);
	if (!p->is_broken && as_comparison(p->token.kind, &node->comparison)) {
		advance(p);
		return make_binary(p, node, a, parse_sum(p));
	}
	is_negated = take(p, LEAT_TOKEN_NOT);
	if (take(p, LEAT_TOKEN_IN))
		return negate_if(p, is_negated, column, make_binary(p, make_node(p, LEAT_NODE_IN, column), a, parse_sum(p)));
	if (take(p, LEAT_TOKEN_LIKE))
		return negate_if(p, is_negated, column, make_binary(p, make_call(p, column, &leat_operator_like), a, parse_sum(p)));
	return is_negated ? expected(p, "\"in\" or \"like\"") : NULL;
}

static const struct leat_node *parse_comparison(struct parser *p)
{
	const struct leat_node *a = parse_sum(p), *test = p->is_broken ? NULL : parse_test(p, a);
	enum leat_comparison comparison;

	if (test != NULL && !p->is_broken && as_comparison(p->token.kind, &comparison))
		return expected(p, "\"and\" or \"or\", since comparisons cannot be chained,");
	return test != NULL ? test : a;
}

static const struct leat_node *parse_not(struct parser *p)
{
	const struct leat_node *a;
	unsigned column = p->token.column;

	if (!take(p, LEAT_TOKEN_NOT))
		return parse_comparison(p);
	if (!enter(p))
		return NULL;
	a = parse_not(p);
	p->nesting--;
	return negate_if(p, true, column, a);
}

/* a or b or c is one node with three children, so that long ones are not deep. */
static const struct leat_node *parse_logic(struct parser *p, enum leat_token_kind word, enum leat_node_kind kind,
                                           const struct leat_node *(*parse_operand)(struct parser *p))
{
	const struct leat_node *a = parse_operand(p);
	struct children c = { 0 };
	struct leat_node *node;

	if (p->is_broken || p->token.kind != word)
		return a;
	node = make_node(p, kind, p->token.column);
	add_child(p, &c, a);
	while (take(p, word))
		add_child(p, &c, parse_operand(p));
	return finish_node(p, node, &c);
}

static const struct leat_node *parse_and(struct parser *p)
{
	return parse_logic(p, LEAT_TOKEN_AND, LEAT_NODE_AND, parse_not);
}

static const struct leat_node *parse_or(struct parser *p)
{
	return parse_logic(p, LEAT_TOKEN_OR, LEAT_NODE_OR, parse_and);
}

/* `sum(amount)`: one call, whose name is not looked up. */
static void parse_lone_call(struct parser *p, const char *text, struct leat_call *call)
{
	struct children c = { 0 };

	if (p->is_broken || p->token.kind != LEAT_TOKEN_NAME || p->token.is_quoted) {
		(void)expected(p, "a function such as sum(amount)");
		return;
	}
	call->name = copy_terminated(p, p->token.text, p->token.text_n);
	call->column = p->token.column;
	advance(p);
	if (!take(p, LEAT_TOKEN_OPEN)) {
		(void)expected(p, "\"(\"");
		return;
	}
	parse_items(p, &c, LEAT_TOKEN_CLOSE, "\",\" or \")\"");
	if (p->is_broken && p->token.kind == LEAT_TOKEN_END && strchr(text, ')') == NULL) /* YAML took the comma for its own */
		leat_error_set(p->err, LEAT_FATAL, 0, "%s( has no \")\" at column %u; where { } are around it, a function with a comma goes in quotes",
		               call->name, p->token.column);
	call->n = c.n;
	call->argument = c.node;
	if (!p->is_broken && p->token.kind != LEAT_TOKEN_END)
		(void)expected(p, "nothing more");
}

enum leat_status leat_call_compile(struct leat_arena *arena, struct leat_symbols *symbols, const char *text, struct leat_call *out,
                                   struct leat_error *err)
{
	struct parser p = { .arena = arena, .symbols = symbols, .err = err, .lexer = { arena, text, 1 } };
	struct leat_call call = { 0 };

	if (strlen(text) > LEAT_EXPRESSION_BYTES)
		return leat_error_set(err, LEAT_FATAL, 0, "expression of %zu bytes is too long, %d at most", strlen(text),
		                      (int)LEAT_EXPRESSION_BYTES);
	advance(&p);
	parse_lone_call(&p, text, &call);
	if (p.is_broken)
		return LEAT_FATAL;
	*out = call;
	return LEAT_OK;
}

enum leat_status leat_expression_compile(struct leat_arena *arena, struct leat_symbols *symbols, const char *text,
                                         const struct leat_expression **out, struct leat_error *err)
{
	struct parser p = { .arena = arena, .symbols = symbols, .err = err, .lexer = { arena, text, 1 } };
	struct leat_expression *expression;
	const struct leat_node *root;

	if (strlen(text) > LEAT_EXPRESSION_BYTES)
		return leat_error_set(err, LEAT_FATAL, 0, "expression of %zu bytes is too long, %d at most", strlen(text),
		                      (int)LEAT_EXPRESSION_BYTES);
	advance(&p);
	root = parse_or(&p);
	if (!p.is_broken && p.token.kind != LEAT_TOKEN_END)
		(void)expected(&p, "an operator");
	if (p.is_broken)
		return LEAT_FATAL;
	expression = leat_arena_allocate(arena, sizeof *expression);
	expression->root = root;
	*out = expression;
	return LEAT_OK;
}
