/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_CLI_PAINT_H
#define LEAT_CLI_PAINT_H

#include <leat/buffer.h>
#include <stdbool.h>

/* Text for a terminal: how wide it is, and colours. A character of UTF-8 is one column. */

enum leat_colour { LEAT_PLAIN, LEAT_BOLD, LEAT_DIM, LEAT_YELLOW, LEAT_RED };

size_t leat_text_columns(const char *text, size_t n);
/* How many of its bytes fit into so many columns. */
size_t leat_text_fit(const char *text, size_t n, size_t columns);
/* Appends, in that colour where there are any. */
void leat_paint(struct leat_buffer *out, const char *text, size_t n, enum leat_colour colour, bool has_colours);

#endif
