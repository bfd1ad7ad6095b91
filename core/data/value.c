/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and copying values. A copy is laid out in one block, in two walks over the value: the first only counts bytes.
 *
 * Texts that were read point into the source text of the map around them. A copy carries that source once, and texts, names
 * and inner sources that lie within it are moved along instead of being copied again.
 */
#include "data/value.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"

/* Where the copy is being laid out; `block` is NULL on the first walk. */
struct layout {
	char *block;
	size_t n;
};

/* The source text around the value at hand, and where its copy stands. */
struct around {
	const char *from;
	size_t n;
	const char *to;
};

static void *place(struct layout *layout, size_t n, size_t alignment)
{
	size_t at = (layout->n + alignment - 1) & ~(alignment - 1);

	layout->n = at + n;
	return layout->block == NULL ? NULL : layout->block + at;
}

static inline const char *place_bytes(struct layout *layout, const struct around *around, const char *bytes, size_t n)
{
	uintptr_t offset = (uintptr_t)bytes - (uintptr_t)around->from;
	char *copy;

	if (around->from != NULL && (uintptr_t)bytes >= (uintptr_t)around->from && offset <= around->n && n <= around->n - offset)
		return around->to == NULL ? NULL : around->to + offset;
	copy = place(layout, n, 1);
	if (copy != NULL && n > 0)
		memcpy(copy, bytes, n);
	return copy;
}

static struct leat_value place_value(struct layout *layout, const struct around *around, const struct leat_value *value);

/* It has nothing but itself to copy. */
static inline bool is_plain(const struct leat_value *value)
{
	return value->type == LEAT_INTEGER || (value->type == LEAT_REAL && (value->flags & LEAT_VALUE_SOURCED) == 0) ||
	       value->type == LEAT_BOOL || value->type == LEAT_NULL || value->type == LEAT_TIME;
}

/* What is in lists and maps is mostly plain or a text, and needs no call of its own. */
static inline void place_part(struct layout *layout, const struct around *around, struct leat_value *part)
{
	if (part->type == LEAT_TEXT)
		part->as.text = place_bytes(layout, around, part->as.text, part->n);
	else if (!is_plain(part))
		*part = place_value(layout, around, part);
}

/* Copies a source, if there is one, and makes it the one around what is inside. */
static struct around place_source(struct layout *layout, const struct around *around, const char *source, uint32_t n)
{
	if (source == NULL)
		return *around;
	return (struct around){.from = source, .n = n, .to = place_bytes(layout, around, source, n)};
}

static struct leat_value place_number(struct layout *layout, const struct around *around, const struct leat_value *value)
{
	const struct leat_number *number = value->as.number;
	struct leat_number *copy = place(layout, sizeof *copy, _Alignof(struct leat_number));
	const char *source = place_bytes(layout, around, number->source, number->source_n);
	struct leat_value made = *value;

	if (copy != NULL)
		*copy = (struct leat_number){.real = number->real, .source_n = number->source_n, .source = source};
	made.as.number = copy;
	return made;
}

static struct leat_value place_list(struct layout *layout, const struct around *around, const struct leat_value *value)
{
	const struct leat_list *list = value->as.list;
	struct leat_list *copy = place(layout, sizeof *copy, _Alignof(struct leat_list));
	struct leat_value *item = place(layout, list->n * sizeof *item, _Alignof(struct leat_value));
	struct around inside = place_source(layout, around, list->source, list->source_n);
	struct leat_value made = *value;
	uint32_t i;

	for (i = 0; i < list->n; i++) {
		struct leat_value v = list->item[i];

		place_part(layout, &inside, &v);
		if (item != NULL)
			item[i] = v;
	}
	if (copy != NULL) {
		*copy = *list;
		copy->item = item;
		copy->source = list->source == NULL ? NULL : inside.to;
	}
	made.as.list = copy;
	return made;
}

static struct leat_value place_map(struct layout *layout, const struct around *around, const struct leat_value *value)
{
	const struct leat_map *map = value->as.map;
	struct leat_map *copy = place(layout, sizeof *copy, _Alignof(struct leat_map));
	struct leat_member *member = place(layout, map->n * sizeof *member, _Alignof(struct leat_member));
	struct around inside = place_source(layout, around, map->source, map->source_n);
	struct leat_value made = *value;
	uint32_t i;

	for (i = 0; i < map->n; i++) {
		struct leat_member m = map->member[i];

		m.name = place_bytes(layout, &inside, m.name, m.name_n);
		place_part(layout, &inside, &m.value);
		if (member != NULL)
			member[i] = m;
	}
	if (copy != NULL) {
		*copy = *map;
		copy->member = member;
		copy->source = map->source == NULL ? NULL : inside.to;
	}
	made.as.map = copy;
	return made;
}

static struct leat_value place_value(struct layout *layout, const struct around *around, const struct leat_value *value)
{
	struct leat_value made = *value;

	switch ((enum leat_type)value->type) {
	case LEAT_TEXT:
	case LEAT_BYTES:
		made.as.text = place_bytes(layout, around, value->as.text, value->n);
		return made;
	case LEAT_LIST:
		return place_list(layout, around, value);
	case LEAT_MAP:
		return place_map(layout, around, value);
	case LEAT_REAL:
		return (value->flags & LEAT_VALUE_SOURCED) ? place_number(layout, around, value) : made;
	case LEAT_NULL:
	case LEAT_BOOL:
	case LEAT_INTEGER:
	case LEAT_TIME:
		return made;
	}
	leat_check(!"a value of a known type");
	return made;
}

static const struct around nothing;

struct leat_value leat_value_copy(struct leat_arena *arena, const struct leat_value *value)
{
	struct layout counted = {.block = NULL};
	struct layout filled = {.block = NULL};

	(void)place_value(&counted, &nothing, value);
	if (counted.n == 0 && value->type != LEAT_TEXT && value->type != LEAT_BYTES)
		return *value;
	filled.block = leat_arena_allocate(arena, counted.n);
	return place_value(&filled, &nothing, value);
}

struct leat_value *leat_value_clone(const struct leat_value *value, size_t *bytes)
{
	struct layout counted = {.n = sizeof *value};
	struct layout filled = {.n = sizeof *value};
	struct leat_value *clone;

	(void)place_value(&counted, &nothing, value);
	clone = leat_allocate_bytes(counted.n);
	filled.block = (char *)clone;
	*clone = place_value(&filled, &nothing, value);
	if (bytes != NULL)
		*bytes = counted.n;
	return clone;
}

struct leat_value leat_value_list(struct leat_arena *arena, const struct leat_value *item, size_t n)
{
	struct leat_list *list = leat_arena_allocate(arena, sizeof *list + n * sizeof *item);
	struct leat_value *copy = (struct leat_value *)(list + 1);
	struct leat_value made = leat_null();

	leat_check(n <= UINT32_MAX / sizeof *item);
	if (n > 0)
		memcpy(copy, item, n * sizeof *item);
	*list = (struct leat_list){.item = copy, .n = (uint32_t)n};
	made.type = LEAT_LIST;
	made.n = (uint32_t)n;
	made.as.list = list;
	return made;
}

/* Name and symbol of a member that a plugin gave, each from the other where it is missing. */
static struct leat_member complete(const struct leat_symbols *symbols, const struct leat_member *given)
{
	struct leat_member member = *given;
	size_t n;

	if (member.symbol != LEAT_NO_SYMBOL && symbols != NULL) {
		member.name = leat_symbols_name(symbols, member.symbol, &n);
		member.name_n = (uint32_t)n;
	} else if (member.symbol == LEAT_NO_SYMBOL && symbols != NULL) {
		member.symbol = leat_symbols_find(symbols, member.name, member.name_n);
	}
	return member;
}

static bool has_same_name(const struct leat_member *a, const struct leat_member *b)
{
	if (a->symbol != LEAT_NO_SYMBOL && b->symbol != LEAT_NO_SYMBOL)
		return a->symbol == b->symbol;
	return a->name_n == b->name_n && memcmp(a->name, b->name, a->name_n) == 0;
}

/* Bits for the name: members that share none have different names. With a table at hand a name without symbol is none of
 * those in the table, as whatever makes members looks their names up. */
static uint64_t mark_of(const struct leat_symbols *symbols, const struct leat_member *member)
{
	if (symbols == NULL)
		return ~UINT64_C(0);
	return UINT64_C(1) << (member->symbol & 63);
}

/* The last member of that name, or n. */
static size_t find_name(const struct leat_member *all, size_t n, const struct leat_member *one)
{
	size_t i;

	for (i = n; i > 0; i--)
		if (has_same_name(&all[i - 1], one))
			return i - 1;
	return n;
}

struct leat_value leat_value_map_with(struct leat_arena *arena, const struct leat_symbols *symbols, const struct leat_value *base,
                                      const struct leat_member *member, size_t n)
{
	size_t n_base = base != NULL && base->type == LEAT_MAP ? base->as.map->n : 0;
	struct leat_map *map = leat_arena_allocate(arena, sizeof *map + (n_base + n) * sizeof *member);
	struct leat_member *all = (struct leat_member *)(map + 1);
	struct leat_value made = leat_null();
	uint64_t seen = 0;
	size_t n_all = n_base;
	size_t i;

	leat_check(n_base + n <= UINT32_MAX / sizeof *member);
	if (n_base > 0)
		memcpy(all, base->as.map->member, n_base * sizeof *all);
	for (i = 0; i < n_base; i++)
		seen |= mark_of(symbols, &all[i]);
	for (i = 0; i < n; i++) {
		struct leat_member one = complete(symbols, &member[i]);
		size_t at = (seen & mark_of(symbols, &one)) != 0 ? find_name(all, n_all, &one) : n_all;

		if (at < n_all) {
			all[at].value = one.value;
		} else {
			all[n_all++] = one;
			seen |= mark_of(symbols, &one);
		}
	}
	*map = (struct leat_map){.member = all, .n = (uint32_t)n_all};
	made.type = LEAT_MAP;
	made.n = (uint32_t)n_all;
	made.as.map = map;
	return made;
}

const char *leat_type_name(enum leat_type type)
{
	static const char *const names[] = {
		[LEAT_NULL] = "null", [LEAT_BOOL] = "bool",   [LEAT_INTEGER] = "integer", [LEAT_REAL] = "real", [LEAT_TEXT] = "text",
		[LEAT_BYTES] = "bytes", [LEAT_TIME] = "time", [LEAT_LIST] = "list",       [LEAT_MAP] = "map",
	};

	return (size_t)type < sizeof names / sizeof names[0] ? names[type] : "unknown type";
}
