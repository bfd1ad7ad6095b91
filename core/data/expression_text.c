/* SPDX-License-Identifier: Apache-2.0 */
/* Functions on texts. Positions and lengths count characters (code points); lower() and upper() know ASCII only. */
#include "data/expression_node.h"
#include "data/value.h"

static enum leat_status reject_types(struct leat_evaluation *e, const struct leat_value *arg, size_t n)
{
	const char *name = e->node->function->name;

	if (n == 1)
		return leat_evaluation_reject(e, "%s() takes no %s", name, leat_type_name(arg[0].type));
	return leat_evaluation_reject(e, "%s() takes no %s and %s", name, leat_type_name(arg[0].type), leat_type_name(arg[1].type));
}

static bool is_character_start(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static int64_t count_characters(const struct leat_value *v)
{
	int64_t characters = 0;

	for (uint32_t i = 0; i < v->n; i++)
		characters += is_character_start(v->as.text[i]);
	return characters;
}

/* The byte at which the character with that number begins, from 0; the end of the text when it has no more than that. */
static uint32_t find_character(const struct leat_value *v, int64_t number)
{
	for (uint32_t i = 0; i < v->n; i++)
		if (is_character_start(v->as.text[i]) && number-- == 0)
			return i;
	return v->n;
}

enum leat_status leat_apply_length(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	if (arg->type == LEAT_TEXT)
		*out = leat_integer(count_characters(arg));
	else if (arg->type == LEAT_BYTES)
		*out = leat_integer(arg->n);
	else if (arg->type == LEAT_LIST)
		*out = leat_integer(arg->as.list->n);
	else if (arg->type == LEAT_MAP)
		*out = leat_integer(arg->as.map->n);
	else
		return reject_types(e, arg, n);
	return LEAT_OK;
}

static enum leat_status shift_case(struct leat_evaluation *e, const struct leat_value *arg, char first, struct leat_value *out)
{
	char *text;

	if (arg->type != LEAT_TEXT)
		return reject_types(e, arg, 1);
	text = leat_arena_text(e->arena, arg->as.text, arg->n);
	for (uint32_t i = 0; i < arg->n; i++)
		if (text[i] >= first && text[i] <= first + 25)
			text[i] = (char)(text[i] ^ 0x20);
	*out = leat_borrow(text, arg->n);
	return LEAT_OK;
}

enum leat_status leat_apply_lower(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	(void)n;
	return shift_case(e, arg, 'A', out);
}

enum leat_status leat_apply_upper(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	(void)n;
	return shift_case(e, arg, 'a', out);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

enum leat_status leat_apply_trim(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	uint32_t from = 0, until = arg->n;

	if (arg->type != LEAT_TEXT)
		return reject_types(e, arg, n);
	while (from < until && is_space(arg->as.text[from]))
		from++;
	while (until > from && is_space(arg->as.text[until - 1]))
		until--;
	*out = leat_borrow(arg->as.text + from, until - from);
	return LEAT_OK;
}

/* substr(text, from[, count]): the first character is 1, the last one -1. The result shares the bytes. */
enum leat_status leat_apply_substr(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	int64_t from, count = INT64_MAX;
	struct leat_value rest;

	if (arg[0].type != LEAT_TEXT || arg[1].type != LEAT_INTEGER)
		return reject_types(e, arg, 2);
	if (n == 3 && arg[2].type != LEAT_INTEGER)
		return leat_evaluation_reject(e, "substr() takes a count that is an integer, not %s", leat_type_name(arg[2].type));
	from = arg[1].as.integer;
	if (n == 3)
		count = arg[2].as.integer < 0 ? 0 : arg[2].as.integer;
	if (from < 0) {
		int64_t characters = count_characters(&arg[0]);

		from = from < -characters ? 1 : characters + from + 1;
	}
	from = from == 0 ? 0 : from - 1;
	rest = leat_borrow(arg[0].as.text + find_character(&arg[0], from), arg[0].n - find_character(&arg[0], from));
	*out = leat_borrow(rest.as.text, find_character(&rest, count));
	return LEAT_OK;
}

static bool has_at(const struct leat_value *text, size_t at, const struct leat_value *part)
{
	return part->n == 0 || memcmp(text->as.text + at, part->as.text, part->n) == 0;
}

static bool has_text(const struct leat_value *text, const struct leat_value *part)
{
	if (part->n == 0)
		return true;
	for (size_t at = 0; at + part->n <= text->n; at++) {
		const char *p = memchr(text->as.text + at, part->as.text[0], text->n - part->n - at + 1);

		if (p == NULL)
			return false;
		at = (size_t)(p - text->as.text);
		if (has_at(text, at, part))
			return true;
	}
	return false;
}

enum leat_status leat_apply_contains(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	bool is_equal = false;

	if (arg[0].type == LEAT_TEXT && arg[1].type == LEAT_TEXT) {
		*out = leat_bool(has_text(&arg[0], &arg[1]));
		return LEAT_OK;
	}
	if (arg[0].type != LEAT_LIST)
		return reject_types(e, arg, n);
	for (uint32_t i = 0; i < arg[0].as.list->n && !is_equal; i++) {
		const struct leat_value *item = &arg[0].as.list->item[i];

		if (item->type != LEAT_NULL)
			(void)leat_operator_compare(e, LEAT_EQUAL, item, &arg[1], &is_equal);
	}
	*out = leat_bool(is_equal);
	return LEAT_OK;
}

enum leat_status leat_apply_starts_with(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	if (arg[0].type != LEAT_TEXT || arg[1].type != LEAT_TEXT)
		return reject_types(e, arg, n);
	*out = leat_bool(arg[1].n <= arg[0].n && has_at(&arg[0], 0, &arg[1]));
	return LEAT_OK;
}

enum leat_status leat_apply_ends_with(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	if (arg[0].type != LEAT_TEXT || arg[1].type != LEAT_TEXT)
		return reject_types(e, arg, n);
	*out = leat_bool(arg[1].n <= arg[0].n && has_at(&arg[0], arg[0].n - arg[1].n, &arg[1]));
	return LEAT_OK;
}

/*
 * `%` is any run of characters, `_` any one, a backslash takes the next one as it is. Only the last % is gone back to, so
 * the time is at most the product of the lengths whatever the pattern.
 */
bool leat_text_like(const struct leat_value *text, const struct leat_value *pattern)
{
	const char *s = text->as.text, *p = pattern->as.text;
	uint32_t i = 0, j = 0, retry_i = 0, retry_j = 0;
	bool has_run = false;

	while (i < text->n) {
		uint32_t skip = j + 1 < pattern->n && p[j] == '\\' ? 1 : 0;

		if (j < pattern->n && skip == 0 && p[j] == '%') {
			has_run = true;
			retry_j = ++j;
			retry_i = i;
		} else if (j < pattern->n && skip == 0 && p[j] == '_') {
			for (i++; i < text->n && !is_character_start(s[i]); i++)
				;
			j++;
		} else if (j < pattern->n && p[j + skip] == s[i]) {
			i++;
			j += 1 + skip;
		} else if (has_run) {
			for (retry_i++; retry_i < text->n && !is_character_start(s[retry_i]); retry_i++)
				;
			i = retry_i;
			j = retry_j;
		} else {
			return false;
		}
	}
	while (j < pattern->n && p[j] == '%')
		j++;
	return j == pattern->n;
}
