/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of an expression. Columns count characters, not bytes, as editors and libyaml do. Quotes are written twice to
 * stand for themselves and a backslash is only a backslash: these texts come out of YAML, which has escapes of its own.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "data/expression_lexer.h"

static const struct {
	const char *word;
	enum leat_token_kind kind;
} words[] = {
	{ "or", LEAT_TOKEN_OR },     { "and", LEAT_TOKEN_AND },   { "not", LEAT_TOKEN_NOT },
	{ "in", LEAT_TOKEN_IN },     { "is", LEAT_TOKEN_IS },     { "like", LEAT_TOKEN_LIKE },
	{ "null", LEAT_TOKEN_NULL }, { "true", LEAT_TOKEN_TRUE }, { "false", LEAT_TOKEN_FALSE },
};

/* Longer ones first. */
static const struct {
	const char *sign;
	enum leat_token_kind kind;
} signs[] = {
	{ "==", LEAT_TOKEN_EQUAL },       { "!=", LEAT_TOKEN_NOT_EQUAL }, { "<>", LEAT_TOKEN_NOT_EQUAL },
	{ "<=", LEAT_TOKEN_LESS_EQUAL },  { ">=", LEAT_TOKEN_MORE_EQUAL }, { "//", LEAT_TOKEN_DIVIDE_DOWN },
	{ "=", LEAT_TOKEN_EQUAL },        { "<", LEAT_TOKEN_LESS },       { ">", LEAT_TOKEN_MORE },
	{ "(", LEAT_TOKEN_OPEN },         { ")", LEAT_TOKEN_CLOSE },      { "[", LEAT_TOKEN_OPEN_LIST },
	{ "]", LEAT_TOKEN_CLOSE_LIST },   { ",", LEAT_TOKEN_COMMA },      { ".", LEAT_TOKEN_DOT },
	{ "+", LEAT_TOKEN_PLUS },         { "-", LEAT_TOKEN_MINUS },      { "*", LEAT_TOKEN_TIMES },
	{ "/", LEAT_TOKEN_DIVIDE },       { "%", LEAT_TOKEN_MODULO },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Any character beyond ASCII may be part of a name. */
static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80 || is_digit(c);
}

static unsigned count_characters(const char *s, size_t n)
{
	unsigned characters = 0;

	for (size_t i = 0; i < n; i++)
		characters += ((unsigned char)s[i] & 0xc0) != 0x80;
	return characters;
}

static enum leat_status lex_quoted(struct leat_lexer *lexer, struct leat_token *token, struct leat_error *err)
{
	char quote = *lexer->at;
	size_t n = 1, n_text = 0;
	char *text;

	while (lexer->at[n] != '\0' && (lexer->at[n] != quote || lexer->at[n + 1] == quote)) {
		n += lexer->at[n] == quote ? 2 : 1;
		n_text++;
	}
	if (lexer->at[n] == '\0')
		return leat_error_set(err, LEAT_FATAL, 0, "%s at column %u has no closing %c",
		                      quote == '`' ? "name" : "text", token->column, quote);
	text = leat_arena_text(lexer->arena, lexer->at + 1, n_text);
	for (size_t from = 1, to = 0; to < n_text; to++, from++) {
		text[to] = lexer->at[from];
		if (lexer->at[from] == quote)
			from++;
	}
	token->kind = quote == '`' ? LEAT_TOKEN_NAME : LEAT_TOKEN_TEXT;
	token->is_quoted = true;
	token->text = text;
	token->text_n = n_text;
	token->start_n = n + 1;
	return LEAT_OK;
}

static void lex_name(struct leat_lexer *lexer, struct leat_token *token)
{
	size_t n = 0;

	while (is_name(lexer->at[n]))
		n++;
	token->kind = LEAT_TOKEN_NAME;
	token->text = lexer->at;
	token->text_n = n;
	token->start_n = n;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strlen(words[i].word) == n && strncasecmp(words[i].word, lexer->at, n) == 0)
			token->kind = words[i].kind;
}

static enum leat_status lex_number(struct leat_lexer *lexer, struct leat_token *token, struct leat_error *err)
{
	const char *p = lexer->at;
	bool is_real = false;

	while (is_digit(*p))
		p++;
	if (*p == '.' && is_digit(p[1])) {
		is_real = true;
		for (p++; is_digit(*p); p++)
			;
	}
	if ((*p == 'e' || *p == 'E') && (is_digit(p[1]) || ((p[1] == '+' || p[1] == '-') && is_digit(p[2])))) {
		is_real = true;
		for (p += 2; is_digit(*p); p++)
			;
	}
	for (token->start_n = (size_t)(p - lexer->at); is_name(lexer->at[token->start_n]); token->start_n++)
		;
	if (lexer->at + token->start_n != p)
		return leat_error_set(err, LEAT_FATAL, 0, "\"%.*s\" at column %u is not a number", (int)token->start_n, lexer->at,
		                      token->column);
	errno = 0;
	token->kind = is_real ? LEAT_TOKEN_REAL : LEAT_TOKEN_INTEGER;
	if (is_real)
		token->real = strtod(lexer->at, NULL);
	else
		token->integer = strtoull(lexer->at, NULL, 10);
	/* Underflow to zero also sets ERANGE, and is harmless. */
	if ((is_real && token->real > 1.7976931348623157e308) || (!is_real && (errno == ERANGE || token->integer > UINT64_C(1) << 63)))
		return leat_error_set(err, LEAT_FATAL, ERANGE, "%s %.*s at column %u is out of range, 64 bits at most",
		                      is_real ? "real" : "integer", (int)token->start_n, lexer->at, token->column);
	return LEAT_OK;
}

static enum leat_status lex_pseudo(struct leat_lexer *lexer, struct leat_token *token, struct leat_error *err)
{
	size_t n = 1;

	while (is_name(lexer->at[n]))
		n++;
	if (n == 1)
		return leat_error_set(err, LEAT_FATAL, 0, "expected a name behind \"@\" at column %u", token->column);
	token->kind = LEAT_TOKEN_PSEUDO;
	token->text = lexer->at;
	token->text_n = n;
	token->start_n = n;
	return LEAT_OK;
}

static enum leat_status lex_sign(struct leat_lexer *lexer, struct leat_token *token, struct leat_error *err)
{
	for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
		size_t n = strlen(signs[i].sign);

		if (strncmp(lexer->at, signs[i].sign, n) == 0) {
			token->kind = signs[i].kind;
			token->start_n = n;
			return LEAT_OK;
		}
	}
	if (strncmp(lexer->at, "&&", 2) == 0 || strncmp(lexer->at, "||", 2) == 0 || *lexer->at == '!')
		return leat_error_set(err, LEAT_FATAL, 0, "unexpected \"%.*s\" at column %u; write \"%s\"", *lexer->at == '!' ? 1 : 2,
		                      lexer->at, token->column,
		                      *lexer->at == '&' ? "and" : *lexer->at == '|' ? "or" : "not");
	return leat_error_set(err, LEAT_FATAL, 0, "unexpected \"%c\" at column %u", *lexer->at, token->column);
}

static enum leat_status lex(struct leat_lexer *lexer, struct leat_token *token, struct leat_error *err)
{
	char c = *lexer->at;

	if (c == '\0')
		return LEAT_OK;
	if (c == '"' || c == '\'' || c == '`')
		return lex_quoted(lexer, token, err);
	if (is_digit(c))
		return lex_number(lexer, token, err);
	if (is_name(c)) {
		lex_name(lexer, token);
		return LEAT_OK;
	}
	return c == '@' ? lex_pseudo(lexer, token, err) : lex_sign(lexer, token, err);
}

enum leat_status leat_lexer_next(struct leat_lexer *lexer, struct leat_token *token, struct leat_error *err)
{
	enum leat_status status;

	while (*lexer->at == ' ' || *lexer->at == '\t' || *lexer->at == '\n' || *lexer->at == '\r') {
		lexer->at++;
		lexer->column++;
	}
	memset(token, 0, sizeof *token);
	token->kind = LEAT_TOKEN_END;
	token->column = lexer->column;
	token->start = lexer->at;
	status = lex(lexer, token, err);
	if (status != LEAT_OK)
		return status;
	lexer->at += token->start_n;
	lexer->column += count_characters(token->start, token->start_n);
	return LEAT_OK;
}
