/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/plain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "data/json.h"

static const char *skip_digits(const char *p)
{
	return p + strspn(p, "0123456789");
}

/* RFC 8259, 6 */
static bool is_number(const char *text)
{
	const char *p = text + (*text == '-'), *end;

	end = *p == '0' ? p + 1 : skip_digits(p);
	if (end == p)
		return false;
	p = end;
	if (*p == '.') {
		end = skip_digits(++p);
		if (end == p)
			return false;
		p = end;
	}
	if (*p == 'e' || *p == 'E') {
		p += 1 + (p[1] == '+' || p[1] == '-');
		end = skip_digits(p);
		if (end == p)
			return false;
		p = end;
	}
	return *p == '\0';
}

static void put_scalar(const struct leat_setting *s, struct leat_buffer *out)
{
	if (s->text == NULL)
		leat_buffer_text(out, "null");
	else if (!s->is_quoted && (is_number(s->text) || strcmp(s->text, "true") == 0 || strcmp(s->text, "false") == 0))
		leat_buffer_text(out, s->text);
	else
		leat_json_quote(out, s->text, strlen(s->text));
}

void leat_plain_json(const struct leat_setting *s, struct leat_buffer *out)
{
	bool is_map = s->kind == LEAT_SETTING_MAP;

	if (s->kind == LEAT_SETTING_SCALAR) {
		put_scalar(s, out);
		return;
	}
	leat_buffer_byte(out, is_map ? '{' : '[');
	for (size_t i = 0; i < s->n; i++) {
		if (i > 0)
			leat_buffer_byte(out, ',');
		if (is_map) {
			leat_json_quote(out, s->item[i].name, strlen(s->item[i].name));
			leat_buffer_byte(out, ':');
		}
		leat_plain_json(&s->item[i], out);
	}
	leat_buffer_byte(out, is_map ? '}' : ']');
}

void leat_plain_put(struct leat_buffer *out, const char *format, ...)
{
	va_list args, again;
	int n;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, args);
	(void)vsnprintf(leat_buffer_reserve(out, (size_t)n + 1), (size_t)n + 1, format, again);
	out->n += (size_t)n;
	va_end(again);
	va_end(args);
}

uint64_t leat_dice_throw(struct leat_dice *dice)
{
	uint64_t z = dice->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

size_t leat_dice_below(struct leat_dice *dice, size_t n)
{
	return (size_t)(leat_dice_throw(dice) % n);
}

bool leat_dice_once_in(struct leat_dice *dice, size_t n)
{
	return leat_dice_below(dice, n) == 0;
}
