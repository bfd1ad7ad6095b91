/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/paint.h"

static bool begins_character(char byte)
{
	return ((unsigned char)byte & 0xc0) != 0x80;
}

size_t leat_text_columns(const char *text, size_t n)
{
	size_t columns = 0;

	for (size_t i = 0; i < n; i++)
		columns += begins_character(text[i]);
	return columns;
}

size_t leat_text_fit(const char *text, size_t n, size_t columns)
{
	size_t i = 0, used = 0;

	for (; i < n; i++)
		if (begins_character(text[i]) && used++ == columns)
			break;
	return i;
}

void leat_paint(struct leat_buffer *out, const char *text, size_t n, enum leat_colour colour, bool has_colours)
{
	static const char *const codes[] = {
		[LEAT_PLAIN] = "", [LEAT_BOLD] = "\033[1m", [LEAT_DIM] = "\033[2m", [LEAT_YELLOW] = "\033[33m", [LEAT_RED] = "\033[1;31m",
	};
	bool is_coloured = has_colours && colour != LEAT_PLAIN;

	if (is_coloured)
		leat_buffer_text(out, codes[colour]);
	leat_buffer_append(out, text, n);
	if (is_coloured)
		leat_buffer_text(out, "\033[0m");
}
