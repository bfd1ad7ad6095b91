/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_VALUE_H
#define LEAT_VALUE_H

/*
 * Values: immutable tagged trees.
 *
 * A value is 16 bytes, passed by value or by pointer; what it points to lives in the arena of its batch and is never
 * written again. A plugin borrows the values that it is given until its call returns, and makes new ones with the
 * functions in host.h, which copy into the arena. To keep something, put it into a state table.
 *
 * Field names that the pipeline mentions are interned before it starts: each has a symbol, and looking a field up
 * compares numbers. Names that only arrive in data have symbol LEAT_NO_SYMBOL; they are never interned, as that
 * would grow without bound.
 *
 * Numbers are exact: an integer that fits 64 bits is LEAT_INTEGER. Any other JSON number is LEAT_REAL with its source
 * text beside it, so that writing it back untouched changes nothing. Maps and lists that were read keep their source
 * text too, and an unchanged subtree is written back from it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

enum leat_type {
	LEAT_NULL = 0,
	LEAT_BOOL = 1,
	LEAT_INTEGER = 2, /* int64 */
	LEAT_REAL = 3,    /* double, perhaps with its source text */
	LEAT_TEXT = 4,    /* UTF-8, `n` bytes, not terminated */
	LEAT_BYTES = 5,   /* any bytes, `n` of them */
	LEAT_TIME = 6,    /* microseconds since 1970-01-01T00:00:00Z */
	LEAT_LIST = 7,
	LEAT_MAP = 8
};

typedef uint32_t leat_symbol;
#define LEAT_NO_SYMBOL ((leat_symbol)0)

/* In leat_value.flags. */
#define LEAT_VALUE_SOURCED 1u /* a LEAT_REAL that points to a leat_number instead of holding its double */

struct leat_number;
struct leat_list;
struct leat_map;

struct leat_value {
	uint8_t type;  /* enum leat_type */
	uint8_t flags; /* LEAT_VALUE_ bits; 0 in values that a plugin makes by hand */
	uint16_t reserved;
	uint32_t n; /* bytes of a text, items of a list, members of a map; else 0 */
	union {
		bool boolean;
		int64_t integer;
		double real;
		int64_t time_us;
		const char *text; /* LEAT_TEXT and LEAT_BYTES */
		const struct leat_number *number;
		const struct leat_list *list;
		const struct leat_map *map;
	} as;
};

struct leat_number {
	double real;
	uint32_t source_n;
	const char *source; /* as it was written, e.g. "12345678901234567890" or "0.10" */
};

struct leat_list {
	const struct leat_value *item;
	uint32_t n;
	uint32_t source_n;  /* 0 when the list was made here */
	const char *source; /* source text that reads back as this list, or NULL */
};

struct leat_member {
	const char *name; /* `name_n` bytes; host.h's functions take it from the symbol where that is set */
	uint32_t name_n;
	leat_symbol symbol; /* LEAT_NO_SYMBOL when the pipeline does not mention the name */
	struct leat_value value;
};

struct leat_map {
	const struct leat_member *member; /* in source order; of equal names the last one counts */
	uint32_t n;
	uint32_t source_n;
	const char *source; /* source text that reads back as this map, or NULL */
};

/* A field such as `user.address.city`, compiled from an option: the symbols to follow from the record's value down. */
struct leat_path {
	const char *text; /* as in the pipeline file */
	uint32_t n;
	const leat_symbol *symbol;
};

static inline struct leat_value leat_null(void)
{
	struct leat_value v;

	memset(&v, 0, sizeof v);
	return v;
}

static inline struct leat_value leat_bool(bool b)
{
	struct leat_value v = leat_null();

	v.type = LEAT_BOOL;
	v.as.boolean = b;
	return v;
}

static inline struct leat_value leat_integer(int64_t i)
{
	struct leat_value v = leat_null();

	v.type = LEAT_INTEGER;
	v.as.integer = i;
	return v;
}

static inline struct leat_value leat_real(double d)
{
	struct leat_value v = leat_null();

	v.type = LEAT_REAL;
	v.as.real = d;
	return v;
}

static inline struct leat_value leat_time(int64_t time_us)
{
	struct leat_value v = leat_null();

	v.type = LEAT_TIME;
	v.as.time_us = time_us;
	return v;
}

/* A text that borrows `s`: good for looking things up, and for static strings. Text that is emitted and does not live
 * as long as the process has to be copied in with leat_text(). */
static inline struct leat_value leat_borrow(const char *s, size_t n)
{
	struct leat_value v = leat_null();

	v.type = LEAT_TEXT;
	v.n = (uint32_t)n;
	v.as.text = s;
	return v;
}

/* The number as a double, whichever of the two number types it has. False: not a number, `*out` untouched. */
static inline bool leat_as_real(const struct leat_value *v, double *out)
{
	if (v == NULL)
		return false;
	if (v->type == LEAT_INTEGER)
		*out = (double)v->as.integer;
	else if (v->type == LEAT_REAL)
		*out = (v->flags & LEAT_VALUE_SOURCED) ? v->as.number->real : v->as.real;
	else
		return false;
	return true;
}

/* The number as an int64, if it is one exactly: an integer, or a real without fraction and in range. */
static inline bool leat_as_integer(const struct leat_value *v, int64_t *out)
{
	double d;

	if (v != NULL && v->type == LEAT_INTEGER) {
		*out = v->as.integer;
		return true;
	}
	if (!leat_as_real(v, &d) || !(d >= -9223372036854775808.0 && d < 9223372036854775808.0) || (double)(int64_t)d != d)
		return false;
	*out = (int64_t)d;
	return true;
}

/* The member with that symbol, NULL when there is none or `map` is no map. The last of equal names counts. */
static inline const struct leat_value *leat_map_get(const struct leat_value *map, leat_symbol symbol)
{
	uint32_t i;

	if (map->type != LEAT_MAP || symbol == LEAT_NO_SYMBOL)
		return NULL;
	for (i = map->as.map->n; i-- > 0;)
		if (map->as.map->member[i].symbol == symbol)
			return &map->as.map->member[i].value;
	return NULL;
}

/* The same by name, for names that are known only at run time. */
static inline const struct leat_value *leat_map_find(const struct leat_value *map, const char *name, size_t name_n)
{
	uint32_t i;

	if (map->type != LEAT_MAP)
		return NULL;
	for (i = map->as.map->n; i-- > 0;)
		if (map->as.map->member[i].name_n == name_n && memcmp(map->as.map->member[i].name, name, name_n) == 0)
			return &map->as.map->member[i].value;
	return NULL;
}

/* The value at the end of a path, NULL when a step is missing. */
static inline const struct leat_value *leat_path_get(const struct leat_path *path, const struct leat_value *value)
{
	uint32_t i;

	for (i = 0; value != NULL && i < path->n; i++)
		value = leat_map_get(value, path->symbol[i]);
	return value;
}

/* True for a text with exactly these bytes. */
static inline bool leat_text_equals(const struct leat_value *v, const char *s)
{
	return v != NULL && v->type == LEAT_TEXT && v->n == strlen(s) && memcmp(v->as.text, s, v->n) == 0;
}

#ifdef __cplusplus
}
#endif

#endif
