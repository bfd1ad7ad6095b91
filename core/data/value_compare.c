/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Equality, order and hash of values, all three by what a value says and not by how it is written: the integer 1 is the real
 * 1.0, and a map is its members whatever their order. A map is looked at through its members sorted by name, of equal names
 * the last.
 */
#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"
#include "data/value.h"

static int compare_bytes(const char *a, size_t a_n, const char *b, size_t b_n)
{
	size_t n = a_n < b_n ? a_n : b_n;
	int order = n > 0 ? memcmp(a, b, n) : 0;

	if (order != 0)
		return order < 0 ? -1 : 1;
	return a_n < b_n ? -1 : a_n > b_n;
}

static int compare_names(const struct leat_member *a, const struct leat_member *b)
{
	return compare_bytes(a->name, a->name_n, b->name, b->name_n);
}

static int by_name(const void *left, const void *right)
{
	const struct leat_member *a = *(const struct leat_member *const *)left;
	const struct leat_member *b = *(const struct leat_member *const *)right;
	int order = compare_names(a, b);

	/* Equal names in their order in the map, so that the last one can be kept. */
	return order != 0 ? order : a < b ? -1 : a > b;
}

/* Maps come from a peer, so many members have to be sorted in n log n. */
void leat_members_sort(struct leat_members *sorted, const struct leat_map *map)
{
	size_t i, n = 0;

	sorted->member = map->n <= LEAT_MEMBERS_FEW ? sorted->few : leat_allocate_bytes(map->n * sizeof *sorted->member);
	for (i = 0; i < map->n; i++)
		sorted->member[i] = &map->member[i];
	if (map->n > 1)
		qsort(sorted->member, map->n, sizeof *sorted->member, by_name);
	for (i = 0; i < map->n; i++)
		if (i + 1 == map->n || compare_names(sorted->member[i], sorted->member[i + 1]) != 0)
			sorted->member[n++] = sorted->member[i];
	sorted->n = n;
}

void leat_members_finish(struct leat_members *sorted)
{
	if (sorted->member != sorted->few)
		free(sorted->member);
}

static double real_of(const struct leat_value *v)
{
	double d = 0;

	(void)leat_as_real(v, &d);
	return d;
}

/* NaN is equal to itself and above all other numbers, so that every value has its place. */
static int compare_reals(double a, double b)
{
	if (isnan(a) || isnan(b))
		return isnan(a) && isnan(b) ? 0 : isnan(a) ? 1 : -1;
	return a < b ? -1 : a > b;
}

/* Exact: the integer is not rounded to a double. */
static int compare_integer_real(int64_t i, double d)
{
	int64_t whole;

	if (isnan(d) || d >= 9223372036854775808.0)
		return -1;
	if (d < -9223372036854775808.0)
		return 1;
	whole = (int64_t)d;
	if (i != whole)
		return i < whole ? -1 : 1;
	return compare_reals((double)whole, d);
}

static int compare_numbers(const struct leat_value *a, const struct leat_value *b)
{
	if (a->type == LEAT_INTEGER && b->type == LEAT_INTEGER)
		return a->as.integer < b->as.integer ? -1 : a->as.integer > b->as.integer;
	if (a->type == LEAT_INTEGER)
		return compare_integer_real(a->as.integer, real_of(b));
	if (b->type == LEAT_INTEGER)
		return -compare_integer_real(b->as.integer, real_of(a));
	return compare_reals(real_of(a), real_of(b));
}

static int compare_lists(const struct leat_list *a, const struct leat_list *b)
{
	uint32_t i;

	for (i = 0; i < a->n && i < b->n; i++) {
		int order = leat_value_compare(&a->item[i], &b->item[i]);

		if (order != 0)
			return order;
	}
	return a->n < b->n ? -1 : a->n > b->n;
}

/* As lists of (name, value), sorted by name. */
static int compare_maps(const struct leat_map *a, const struct leat_map *b)
{
	struct leat_members left, right;
	int order = 0;
	size_t i;

	leat_members_sort(&left, a);
	leat_members_sort(&right, b);
	for (i = 0; order == 0 && i < left.n && i < right.n; i++) {
		order = compare_names(left.member[i], right.member[i]);
		if (order == 0)
			order = leat_value_compare(&left.member[i]->value, &right.member[i]->value);
	}
	if (order == 0)
		order = left.n < right.n ? -1 : left.n > right.n;
	leat_members_finish(&left);
	leat_members_finish(&right);
	return order;
}

static int rank(const struct leat_value *v)
{
	static const uint8_t ranks[] = {
		[LEAT_NULL] = 0, [LEAT_BOOL] = 1,  [LEAT_INTEGER] = 2, [LEAT_REAL] = 2, [LEAT_TIME] = 3,
		[LEAT_TEXT] = 4, [LEAT_BYTES] = 5, [LEAT_LIST] = 6,    [LEAT_MAP] = 7,
	};

	leat_check(v->type < sizeof ranks);
	return ranks[v->type];
}

int leat_value_compare(const struct leat_value *a, const struct leat_value *b)
{
	if (rank(a) != rank(b))
		return rank(a) < rank(b) ? -1 : 1;
	switch ((enum leat_type)a->type) {
	case LEAT_BOOL:
		return (int)a->as.boolean - (int)b->as.boolean;
	case LEAT_INTEGER:
	case LEAT_REAL:
		return compare_numbers(a, b);
	case LEAT_TIME:
		return a->as.time_us < b->as.time_us ? -1 : a->as.time_us > b->as.time_us;
	case LEAT_TEXT:
	case LEAT_BYTES:
		return compare_bytes(a->as.text, a->n, b->as.text, b->n);
	case LEAT_LIST:
		return compare_lists(a->as.list, b->as.list);
	case LEAT_MAP:
		return compare_maps(a->as.map, b->as.map);
	case LEAT_NULL:
		break;
	}
	return 0;
}

/* The common case: the same names in the same order. It says nothing when it is false. */
static bool is_alike(const struct leat_map *a, const struct leat_map *b)
{
	uint32_t i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if (compare_names(&a->member[i], &b->member[i]) != 0 || !leat_value_equals(&a->member[i].value, &b->member[i].value))
			return false;
	return true;
}

bool leat_value_equals(const struct leat_value *a, const struct leat_value *b)
{
	if (a->type == LEAT_TEXT && b->type == LEAT_TEXT)
		return a->n == b->n && memcmp(a->as.text, b->as.text, a->n) == 0;
	if (a->type == LEAT_LIST && b->type == LEAT_LIST && a->as.list->n != b->as.list->n)
		return false;
	if (a->type == LEAT_MAP && b->type == LEAT_MAP && is_alike(a->as.map, b->as.map))
		return true;
	return leat_value_compare(a, b) == 0;
}

/* MurmurHash3's finisher. */
static uint64_t mix(uint64_t h)
{
	h = (h ^ (h >> 33)) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ (h >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ (h >> 33);
}

static uint64_t combine(uint64_t h, uint64_t next)
{
	return mix(h * UINT64_C(0x9e3779b97f4a7c15) + next);
}

static uint64_t hash_number(const struct leat_value *v)
{
	int64_t i;
	double d;
	uint64_t bits;

	if (leat_as_integer(v, &i))
		return combine(LEAT_INTEGER, (uint64_t)i);
	d = real_of(v);
	if (isnan(d))
		return combine(LEAT_REAL, 0);
	memcpy(&bits, &d, sizeof bits);
	return combine(LEAT_REAL, bits);
}

static uint64_t hash_map(const struct leat_map *map)
{
	struct leat_members sorted;
	uint64_t h = LEAT_MAP;
	size_t i;

	leat_members_sort(&sorted, map);
	for (i = 0; i < sorted.n; i++) {
		h = combine(h, leat_hash(sorted.member[i]->name, sorted.member[i]->name_n));
		h = combine(h, leat_value_hash(&sorted.member[i]->value));
	}
	leat_members_finish(&sorted);
	return h;
}

uint64_t leat_value_hash(const struct leat_value *value)
{
	uint64_t h = value->type;
	uint32_t i;

	switch ((enum leat_type)value->type) {
	case LEAT_TEXT:
		return leat_hash(value->as.text, value->n);
	case LEAT_BYTES:
		return combine(h, leat_hash(value->as.text, value->n));
	case LEAT_INTEGER:
	case LEAT_REAL:
		return hash_number(value);
	case LEAT_TIME:
		return combine(h, (uint64_t)value->as.time_us);
	case LEAT_BOOL:
		return combine(h, value->as.boolean);
	case LEAT_LIST:
		for (i = 0; i < value->as.list->n; i++)
			h = combine(h, leat_value_hash(&value->as.list->item[i]));
		return combine(h, value->as.list->n);
	case LEAT_MAP:
		return hash_map(value->as.map);
	case LEAT_NULL:
		break;
	}
	return combine(h, 0);
}
