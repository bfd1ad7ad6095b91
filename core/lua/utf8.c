/* SPDX-License-Identifier: Apache-2.0 */
#include "lua/vm.h"

/* Bytes of the sequence at `s`, 0 when it is none (RFC 3629: no overlong forms, no surrogates). */
static size_t sequence_length(const unsigned char *s, size_t n)
{
	uint32_t c;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] < 0xe0 && n >= 2 && (s[1] & 0xc0) == 0x80)
		return 2;
	if ((s[0] & 0xf0) == 0xe0 && n >= 3 && (s[1] & 0xc0) == 0x80 && (s[2] & 0xc0) == 0x80) {
		c = (uint32_t)(s[0] & 0x0f) << 12 | (uint32_t)(s[1] & 0x3f) << 6 | (s[2] & 0x3fu);
		return c >= 0x800 && (c < 0xd800 || c > 0xdfff) ? 3 : 0;
	}
	if ((s[0] & 0xf8) == 0xf0 && n >= 4 && (s[1] & 0xc0) == 0x80 && (s[2] & 0xc0) == 0x80 && (s[3] & 0xc0) == 0x80) {
		c = (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3f) << 12 | (uint32_t)(s[2] & 0x3f) << 6 | (s[3] & 0x3fu);
		return c >= 0x10000 && c <= 0x10ffff ? 4 : 0;
	}
	return 0;
}

size_t leat_lua_utf8_length(const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	uint64_t eight;
	size_t i = 0, step;

	while (i < n) {
		if (n - i >= sizeof eight) {
			memcpy(&eight, s + i, sizeof eight);
			if ((eight & UINT64_C(0x8080808080808080)) == 0) {
				i += sizeof eight;
				continue;
			}
		}
		step = sequence_length(s + i, n - i);
		if (step == 0)
			break;
		i += step;
	}
	return i;
}
