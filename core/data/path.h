/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_DATA_PATH_H
#define LEAT_DATA_PATH_H

#include <leat/error.h>

#include "base/arena.h"
#include "data/symbol.h"

/* `user.address.city`, names separated by dots; a name with odd characters is quoted: `"a.b".c`. The result lives in the
 * arena. LEAT_FATAL with the column in the reason. */
enum leat_status leat_path_compile(struct leat_arena *arena, struct leat_symbols *symbols, const char *text,
                                   const struct leat_path **out, struct leat_error *err);

#endif
