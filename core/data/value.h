/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_DATA_VALUE_H
#define LEAT_DATA_VALUE_H

#include <leat/value.h>

#include "base/arena.h"
#include "data/symbol.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Making, copying and comparing values. A copy owns all its bytes: names, texts, source texts. */

struct leat_value leat_value_copy(struct leat_arena *arena, const struct leat_value *value);
/* A deep copy in one block of malloc, the value first: for state. Freed with free(). *bytes: its size. */
struct leat_value *leat_value_clone(const struct leat_value *value, size_t *bytes);
/* 1 and 1.0 are equal; reals with source text are equal when the doubles are; maps as sets of members, of equal names the last. */
bool leat_value_equals(const struct leat_value *a, const struct leat_value *b);
/* Equal values have equal hashes. For texts: leat_hash() of the bytes. */
uint64_t leat_value_hash(const struct leat_value *value);
/* Order of values for sorting: null < bool < numbers < time < text < bytes < list < map. */
int leat_value_compare(const struct leat_value *a, const struct leat_value *b);

/* The members that a map says, sorted by name. Few are kept on the stack; it must not move. */
enum { LEAT_MEMBERS_FEW = 32 };
struct leat_members {
	const struct leat_member **member;
	size_t n;
	const struct leat_member *few[LEAT_MEMBERS_FEW];
};
void leat_members_sort(struct leat_members *sorted, const struct leat_map *map);
void leat_members_finish(struct leat_members *sorted);

struct leat_value leat_value_list(struct leat_arena *arena, const struct leat_value *item, size_t n);
/* As leat_map_with() in host.h. */
struct leat_value leat_value_map_with(struct leat_arena *arena, const struct leat_symbols *symbols, const struct leat_value *base,
                                      const struct leat_member *member, size_t n);
/* "text", "integer", ... for messages. */
const char *leat_type_name(enum leat_type type);

#ifdef __cplusplus
}
#endif

#endif
