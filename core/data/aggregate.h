/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_DATA_AGGREGATE_H
#define LEAT_DATA_AGGREGATE_H

#include <leat/error.h>
#include <leat/option.h>

#include "base/arena.h"
#include "data/symbol.h"

/* `quantile(latency, 0.99)`: which function, of what. Name and text of *out are the caller's to fill. Errors carry the column. */
enum leat_status leat_aggregate_compile(struct leat_arena *arena, struct leat_symbols *symbols, const char *text,
                                        struct leat_aggregate *out, struct leat_error *err);

#endif
