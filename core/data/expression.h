/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_DATA_EXPRESSION_H
#define LEAT_DATA_EXPRESSION_H

#include <leat/error.h>
#include <leat/option.h>
#include <leat/record.h>

#include "base/arena.h"
#include "data/symbol.h"

/*
 * Expressions over one record: `amount > 100 and country in ["DE", "FR"]`. Compiled once; errors carry the column.
 * The language is described in docs/expressions.md.
 */
enum leat_status leat_expression_compile(struct leat_arena *arena, struct leat_symbols *symbols, const char *text,
                                         const struct leat_expression **out, struct leat_error *err);
/* New texts are made in `arena`. LEAT_REJECT with the column for a type error or an overflow. */
enum leat_status leat_expression_evaluate(const struct leat_expression *expression, const struct leat_record *record,
                                          struct leat_arena *arena, struct leat_value *out, struct leat_error *err);

#endif
