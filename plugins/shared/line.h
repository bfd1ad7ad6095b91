/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SHARED_LINE_H
#define SHARED_LINE_H

/* Events as lines of a text, for sinks that write such. */
#include <string.h>

#include <leat/plugin.h>

static inline void line_blank_out(char *text, size_t n, char c)
{
	char *at = text;

	while ((at = (char *)memchr(at, c, n - (size_t)(at - text))) != NULL)
		*at = ' ';
}

/* Makes one line of what stands behind `start`. JSON that came in over several lines goes out as it came: outside its texts, where a
 * line break is a blank. */
static inline void line_end(struct leat_buffer *out, size_t start)
{
	if (out->n > start) {
		line_blank_out(out->data + start, out->n - start, '\n');
		line_blank_out(out->data + start, out->n - start, '\r');
	}
	leat_buffer_byte(out, '\n');
}

#endif
