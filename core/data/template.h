/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_DATA_TEMPLATE_H
#define LEAT_DATA_TEMPLATE_H

#include <leat/buffer.h>
#include <leat/error.h>
#include <leat/option.h>
#include <leat/record.h>

#include "base/arena.h"
#include "data/symbol.h"

/*
 * Templates: text with fields of the record in it, `user:{user}:{address.city}`. `{{` and `}}` are braces, `{@key}`,
 * `{@time}`, `{@offset}`, `{@partition}` come from the record itself. Texts are put in as they are, times as RFC 3339
 * and bytes as base64, other values as JSON. `{amount:.2}` rounds a number to so many decimals, 0 to 9; what is no number goes
 * in as without it.
 */
enum leat_status leat_template_compile(struct leat_arena *arena, struct leat_symbols *symbols, const char *text,
                                       const struct leat_template **out, struct leat_error *err);
/* LEAT_REJECT `field "user" is missing` (or null). Appends nothing then. */
enum leat_status leat_template_render(const struct leat_template *t, const struct leat_record *record, struct leat_buffer *out,
                                      struct leat_error *err);

#endif
