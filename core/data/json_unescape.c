/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "data/json_fault.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The four digits of \uXXXX at the start of `s`, or -1. */
static int32_t code_unit(const char *s, size_t n)
{
	int32_t unit = 0;
	size_t i;

	if (n < 6 || s[0] != '\\' || s[1] != 'u')
		return -1;
	for (i = 2; i < 6; i++) {
		int digit = hex_digit(s[i]);

		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

/* Bytes read, 0 when there is no character: not four digits, or half of a surrogate pair. */
static size_t read_character(const char *s, size_t n, uint32_t *character)
{
	int32_t high = code_unit(s, n), low;

	if (high < 0 || (high >= 0xdc00 && high <= 0xdfff))
		return 0;
	if (high < 0xd800 || high > 0xdbff) {
		*character = (uint32_t)high;
		return 6;
	}
	low = code_unit(s + 6, n - 6);
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	*character = 0x10000 + (((uint32_t)high - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
	return 12;
}

static char *write_character(char *out, uint32_t c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

/* What a two-byte escape stands for, '\0' for none. */
static char simple_escape(char c)
{
	switch (c) {
	case '"':
	case '\\':
	case '/':
		return c;
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return '\0';
	}
}

long leat_json_unescape(char *out, const char *s, size_t n, size_t *at)
{
	char *to = out;
	size_t i = 0;

	while (i < n) {
		uint32_t character;
		size_t step;

		if (s[i] != '\\') {
			*to++ = s[i++];
			continue;
		}
		*at = i;
		if (i + 1 < n && simple_escape(s[i + 1]) != '\0') {
			*to++ = simple_escape(s[i + 1]);
			i += 2;
			continue;
		}
		step = read_character(s + i, n - i, &character);
		if (step == 0)
			return -1;
		to = write_character(to, character);
		i += step;
	}
	return (long)(to - out);
}
