/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_DATA_PATH_SCAN_H
#define LEAT_DATA_PATH_SCAN_H

#include "data/path.h"

/* Paths inside of a longer text, such as a template. */

struct leat_path_name {
	const char *bytes;
	size_t n;
};

/* As leat_path_compile() for from..end, a part of `text`, in which the columns of errors are counted. */
enum leat_status leat_path_scan(struct leat_arena *arena, struct leat_symbols *symbols, const char *text, const char *from,
                                const char *end, const struct leat_path **out, struct leat_error *err);
const char *leat_path_copy_text(struct leat_arena *arena, const char *from, const char *end);

#endif
