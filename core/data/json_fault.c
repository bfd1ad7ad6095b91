/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON by the book (RFC 8259), one byte after the other, to say where a text stops being JSON and why. Fast enough for what is
 * refused, and simple enough to check the fast decoder against.
 */
#include "data/json_fault.h"

#include <string.h>

#include "base/utf8.h"
#include "data/json.h"

struct scan {
	const char *bytes;
	size_t n;
	size_t at;
	size_t skipped;
	size_t depth;
	char closer[LEAT_JSON_DEPTH]; /* of each container that is open */
	struct leat_error *err;
};

static bool fault_at(struct scan *s, size_t at, const char *what)
{
	(void)leat_error_set(s->err, LEAT_REJECT, 0, "%s at byte %zu", what, s->skipped + at + 1);
	return false;
}

static bool truncated(struct scan *s)
{
	(void)leat_error_set(s->err, LEAT_REJECT, 0, "truncated after byte %zu", s->skipped + s->n);
	return false;
}

static bool unexpected(struct scan *s, const char *expected)
{
	unsigned char c;

	if (s->at >= s->n)
		return truncated(s);
	c = (unsigned char)s->bytes[s->at];
	if (c >= 0x80 && leat_utf8_step(s->bytes + s->at, s->n - s->at) == 0)
		return fault_at(s, s->at, "invalid UTF-8");
	if (c > ' ' && c < 0x7f)
		(void)leat_error_set(s->err, LEAT_REJECT, 0, "'%c' instead of %s at byte %zu", c, expected, s->skipped + s->at + 1);
	else
		(void)leat_error_set(s->err, LEAT_REJECT, 0, "0x%02x instead of %s at byte %zu", c, expected, s->skipped + s->at + 1);
	return false;
}

static bool at_end(const struct scan *s)
{
	return s->at >= s->n;
}

static char here(const struct scan *s)
{
	return s->at < s->n ? s->bytes[s->at] : '\0';
}

static void skip_space(struct scan *s)
{
	while (!at_end(s) && (here(s) == ' ' || here(s) == '\t' || here(s) == '\n' || here(s) == '\r'))
		s->at++;
}

/* `at` is behind a backslash that stands at `from`. */
static bool scan_escape(struct scan *s, size_t from)
{
	char out[16];
	size_t at, n = 2;

	if (at_end(s))
		return truncated(s);
	if (here(s) == 'u') {
		/* A pair counts as one escape: the second half is taken along where it is there. */
		n = s->n - from >= 12 && s->bytes[from + 6] == '\\' && s->bytes[from + 7] == 'u' ? 12 : 6;
		if (s->n - from < 6)
			return truncated(s);
		if (leat_json_unescape(out, s->bytes + from, 6, &at) >= 0)
			n = 6;
	}
	if (leat_json_unescape(out, s->bytes + from, n, &at) >= 0) {
		s->at = from + n;
		return true;
	}
	if (here(s) != 'u')
		return fault_at(s, from, "unknown escape");
	for (at = from + 2; at < from + 6; at++)
		if (strchr("0123456789abcdefABCDEF", s->bytes[at]) == NULL || s->bytes[at] == '\0')
			return fault_at(s, from, "\\u without four hexadecimal digits");
	return fault_at(s, from, "half of a surrogate pair");
}

/* `at` is at the opening quote. */
static bool scan_text(struct scan *s)
{
	for (s->at++; !at_end(s);) {
		unsigned char c = (unsigned char)here(s);
		size_t step;

		if (c == '"') {
			s->at++;
			return true;
		}
		if (c < 0x20)
			return fault_at(s, s->at, "control character in a text");
		if (c == '\\') {
			s->at++;
			if (!scan_escape(s, s->at - 1))
				return false;
			continue;
		}
		step = leat_utf8_step(s->bytes + s->at, s->n - s->at);
		if (step == 0)
			return fault_at(s, s->at, "invalid UTF-8");
		s->at += step;
	}
	return truncated(s);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool scan_digits(struct scan *s)
{
	if (!is_digit(here(s)))
		return unexpected(s, "a digit");
	while (is_digit(here(s)))
		s->at++;
	return true;
}

static bool scan_number(struct scan *s)
{
	size_t from = s->at;

	if (here(s) == '-')
		s->at++;
	if (here(s) == '0' && s->at + 1 < s->n && is_digit(s->bytes[s->at + 1]))
		return fault_at(s, from, "number with a leading zero");
	if (!scan_digits(s))
		return false;
	if (here(s) == '.') {
		s->at++;
		if (!scan_digits(s))
			return false;
	}
	if (here(s) == 'e' || here(s) == 'E') {
		s->at++;
		if (here(s) == '+' || here(s) == '-')
			s->at++;
		return scan_digits(s);
	}
	return true;
}

static bool scan_word(struct scan *s, const char *word)
{
	for (; *word != '\0'; word++, s->at++)
		if (at_end(s) || here(s) != *word)
			return unexpected(s, "true, false or null");
	return true;
}

static bool scan_scalar(struct scan *s)
{
	switch (here(s)) {
	case '"':
		return scan_text(s);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	default:
		if (here(s) == '-' || is_digit(here(s)))
			return scan_number(s);
		return unexpected(s, "a value");
	}
}

static bool scan_name(struct scan *s)
{
	skip_space(s);
	if (here(s) != '"')
		return unexpected(s, "a name in quotes");
	if (!scan_text(s))
		return false;
	skip_space(s);
	if (here(s) != ':')
		return unexpected(s, "':'");
	s->at++;
	return true;
}

/* After a value: closes what ends here and goes on to where the next value starts. */
static bool scan_after(struct scan *s)
{
	while (s->depth > 0) {
		char closer = s->closer[s->depth - 1];

		skip_space(s);
		if (here(s) == ',') {
			s->at++;
			return closer == '}' ? scan_name(s) : true;
		}
		if (here(s) != closer)
			return unexpected(s, closer == '}' ? "',' or '}'" : "',' or ']'");
		s->at++;
		s->depth--;
	}
	return true;
}

/* A container or a scalar, and what comes after it. */
static bool scan_value(struct scan *s)
{
	char opener;

	skip_space(s);
	opener = here(s);
	if (opener != '{' && opener != '[')
		return scan_scalar(s) && scan_after(s);
	if (s->depth == LEAT_JSON_DEPTH)
		return fault_at(s, s->at, "nested deeper than 128");
	s->closer[s->depth++] = opener == '{' ? '}' : ']';
	s->at++;
	skip_space(s);
	if (here(s) == s->closer[s->depth - 1]) {
		s->at++;
		s->depth--;
		return scan_after(s);
	}
	return opener == '{' ? scan_name(s) : true;
}

enum leat_status leat_json_fault(const char *bytes, size_t n, size_t skipped, struct leat_error *err)
{
	struct scan s = {.bytes = bytes, .n = n, .skipped = skipped, .err = err};

	skip_space(&s);
	if (at_end(&s))
		return leat_error_set(err, LEAT_REJECT, 0, n == 0 ? "no value: the input is empty" : "no value: the input is blank");
	do {
		if (!scan_value(&s))
			return LEAT_REJECT;
	} while (s.depth > 0);
	skip_space(&s);
	if (!at_end(&s)) {
		(void)unexpected(&s, "the end");
		return LEAT_REJECT;
	}
	return LEAT_OK;
}
