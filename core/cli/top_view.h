/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_CLI_TOP_VIEW_H
#define LEAT_CLI_TOP_VIEW_H

#include <leat/buffer.h>

#include "data/value.h"

/* What `leat top` shows, made of two looks at /api/v1/pipelines: totals are the later one's, rates what came in between. */

struct leat_top_look {
	struct leat_value page; /* decoded */
	int64_t at_us;          /* on any clock that does not jump */
};

/* Appends one screen of at most `rows` lines of `columns` characters, each but the last with a newline. A `before` whose at_us is
 * not less than that of `now` shows no rates. A pipeline or node that was not there before has none either. */
void leat_top_render(struct leat_buffer *out, const struct leat_top_look *before, const struct leat_top_look *now, size_t rows,
                     size_t columns, bool has_colours);

#endif
