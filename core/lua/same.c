/* SPDX-License-Identifier: Apache-2.0 */
#include "lua/vm.h"

static bool is_same_bytes(const char *a, size_t a_n, const char *b, size_t b_n)
{
	return a_n == b_n && (a_n == 0 || memcmp(a, b, a_n) == 0);
}

static bool is_same_list(const struct leat_list *a, const struct leat_list *b)
{
	uint32_t i;

	for (i = 0; i < a->n; i++)
		if (!leat_lua_is_same(&a->item[i], &b->item[i]))
			return false;
	return true;
}

static bool is_same_map(const struct leat_map *a, const struct leat_map *b)
{
	uint32_t i;

	for (i = 0; i < a->n; i++)
		if (!is_same_bytes(a->member[i].name, a->member[i].name_n, b->member[i].name, b->member[i].name_n) ||
		    !leat_lua_is_same(&a->member[i].value, &b->member[i].value))
			return false;
	return true;
}

/* Not leat_value_equals(), for which 1 is 1.0. Reals are compared by their bits, so that nan is nan and 0.0 is not -0.0. */
bool leat_lua_is_same(const struct leat_value *a, const struct leat_value *b)
{
	double x, y;

	if (a->type != b->type || a->n != b->n)
		return false;
	switch ((enum leat_type)a->type) {
	case LEAT_BOOL:
		return a->as.boolean == b->as.boolean;
	case LEAT_INTEGER:
	case LEAT_TIME:
		return a->as.integer == b->as.integer;
	case LEAT_REAL:
		return leat_as_real(a, &x) && leat_as_real(b, &y) && memcmp(&x, &y, sizeof x) == 0;
	case LEAT_TEXT:
	case LEAT_BYTES:
		return is_same_bytes(a->as.text, a->n, b->as.text, b->n);
	case LEAT_LIST:
		return is_same_list(a->as.list, b->as.list);
	case LEAT_MAP:
		return is_same_map(a->as.map, b->as.map);
	case LEAT_NULL:
		break;
	}
	return true;
}
