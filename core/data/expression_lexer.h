/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_DATA_EXPRESSION_LEXER_H
#define LEAT_DATA_EXPRESSION_LEXER_H

#include <leat/error.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

/* The words of an expression, one at a time. Private to expression_*.c. */

enum leat_token_kind {
	LEAT_TOKEN_END,
	LEAT_TOKEN_NAME,    /* amount, `odd name` */
	LEAT_TOKEN_PSEUDO,  /* @key */
	LEAT_TOKEN_TEXT,    /* "..." or '...' */
	LEAT_TOKEN_INTEGER, /* without sign, up to 2^63 */
	LEAT_TOKEN_REAL,
	LEAT_TOKEN_OPEN,
	LEAT_TOKEN_CLOSE,
	LEAT_TOKEN_OPEN_LIST,
	LEAT_TOKEN_CLOSE_LIST,
	LEAT_TOKEN_COMMA,
	LEAT_TOKEN_DOT,
	LEAT_TOKEN_PLUS,
	LEAT_TOKEN_MINUS,
	LEAT_TOKEN_TIMES,
	LEAT_TOKEN_DIVIDE,
	LEAT_TOKEN_DIVIDE_DOWN,
	LEAT_TOKEN_MODULO,
	LEAT_TOKEN_EQUAL,
	LEAT_TOKEN_NOT_EQUAL,
	LEAT_TOKEN_LESS,
	LEAT_TOKEN_LESS_EQUAL,
	LEAT_TOKEN_MORE,
	LEAT_TOKEN_MORE_EQUAL,
	LEAT_TOKEN_OR, /* words from here on: they may also stand as names behind a dot */
	LEAT_TOKEN_AND,
	LEAT_TOKEN_NOT,
	LEAT_TOKEN_IN,
	LEAT_TOKEN_IS,
	LEAT_TOKEN_LIKE,
	LEAT_TOKEN_NULL,
	LEAT_TOKEN_TRUE,
	LEAT_TOKEN_FALSE
};

struct leat_token {
	enum leat_token_kind kind;
	bool is_quoted;    /* a name in backticks: never a function */
	unsigned column;   /* in characters, from 1 */
	const char *start; /* as written */
	size_t start_n;
	const char *text; /* of a name or text, without quotes */
	size_t text_n;
	uint64_t integer;
	double real;
};

struct leat_lexer {
	struct leat_arena *arena; /* for texts with doubled quotes */
	const char *at;           /* terminated */
	unsigned column;
};

enum leat_status leat_lexer_next(struct leat_lexer *lexer, struct leat_token *token, struct leat_error *err);

#endif
