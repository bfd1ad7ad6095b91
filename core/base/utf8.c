/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

static bool is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* Table 3-7 of the Unicode standard, well-formed UTF-8 byte sequences. */
size_t leat_utf8_step(const char *s, size_t n)
{
	const unsigned char *b = (const unsigned char *)s;

	if (n == 0)
		return 0;
	if (b[0] < 0x80)
		return 1;
	if (b[0] < 0xc2 || b[0] > 0xf4)
		return 0;
	if (b[0] < 0xe0)
		return n >= 2 && is_tail(b[1]) ? 2 : 0;
	if (n < 3 || !is_tail(b[1]) || !is_tail(b[2]))
		return 0;
	if (b[0] < 0xf0)
		return (b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) ? 0 : 3;
	if (n < 4 || !is_tail(b[3]))
		return 0;
	return (b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f) ? 0 : 4;
}

bool leat_utf8_is_valid(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n) {
		uint64_t word;
		size_t step;

		if (n - i >= sizeof word) {
			memcpy(&word, s + i, sizeof word);
			if ((word & UINT64_C(0x8080808080808080)) == 0) {
				i += sizeof word;
				continue;
			}
		}
		step = leat_utf8_step(s + i, n - i);
		if (step == 0)
			return false;
		i += step;
	}
	return true;
}
