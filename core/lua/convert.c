/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values to Lua and back.
 *
 *   null <-> nil      bool, integer, text <-> boolean, integer, string
 *   real  -> float, also where it keeps its source text     float -> real
 *   bytes -> string   a string that is not UTF-8 -> bytes
 *   time  -> integer, microseconds since 1970
 *   list, map <-> nodes of the event (event.c), or tables in `state`
 *
 * A table is a list when list{} marked it or when it has items from 1 on and nothing else; an empty one is a map. Names of
 * maps are texts. Members of maps that are made here are sorted by name, since Lua's own order differs from run to run.
 */
#include <math.h>

#include "base/memory.h"
#include "lua/vm.h"

enum { MAX_DEPTH = 64, SMALL = 16 };

static char list_mark; /* its address is the key of the mark in a metatable */

/* ---- values to Lua ----------------------------------------------------------------------------------------------- */

void leat_lua_push_scalar(lua_State *L, const struct leat_value *value)
{
	double real;

	switch ((enum leat_type)value->type) {
	case LEAT_BOOL:
		lua_pushboolean(L, value->as.boolean);
		return;
	case LEAT_INTEGER:
		lua_pushinteger(L, value->as.integer);
		return;
	case LEAT_REAL:
		(void)leat_as_real(value, &real);
		lua_pushnumber(L, real);
		return;
	case LEAT_TEXT:
	case LEAT_BYTES:
		lua_pushlstring(L, value->as.text, value->n);
		return;
	case LEAT_TIME:
		lua_pushinteger(L, value->as.time_us);
		return;
	case LEAT_NULL:
	case LEAT_LIST:
	case LEAT_MAP:
		break;
	}
	lua_pushnil(L);
}

static void push_list(lua_State *L, const struct leat_list *list)
{
	uint32_t i;

	lua_createtable(L, (int)list->n, 0);
	for (i = 0; i < list->n; i++) {
		leat_lua_push_table(L, &list->item[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	if (list->n == 0) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, LEAT_LUA_LIST_MARK);
		lua_setmetatable(L, -2);
	}
}

void leat_lua_push_table(lua_State *L, const struct leat_value *value)
{
	const struct leat_map *map = value->as.map;
	uint32_t i;

	if (value->type != LEAT_LIST && value->type != LEAT_MAP) {
		leat_lua_push_scalar(L, value);
		return;
	}
	luaL_checkstack(L, 4, "too deep");
	leat_lua_charge(L, value->n);
	if (value->type == LEAT_LIST) {
		push_list(L, value->as.list);
		return;
	}
	lua_createtable(L, 0, (int)map->n);
	for (i = 0; i < map->n; i++) {
		lua_pushlstring(L, map->member[i].name, map->member[i].name_n);
		leat_lua_push_table(L, &map->member[i].value);
		lua_rawset(L, -3);
	}
}

/* ---- scratch memory ---------------------------------------------------------------------------------------------- */

struct leat_member *leat_lua_scratch(lua_State *L)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	struct leat_member *member;

	if ((vm->n_scratch + 1) * sizeof *vm->scratch > vm->bytes_limit)
		leat_lua_fault_doom(L, LEAT_LUA_OVER_MEMORY, "needs more memory than the script may have");
	vm->scratch = leat_grow(vm->scratch, vm->n_scratch, &vm->scratch_capacity, sizeof *vm->scratch);
	member = &vm->scratch[vm->n_scratch++];
	member->symbol = LEAT_NO_SYMBOL;
	return member;
}

static int compare_names(const void *a, const void *b)
{
	const struct leat_member *x = a, *y = b;
	int order = memcmp(x->name, y->name, x->name_n < y->name_n ? x->name_n : y->name_n);

	return order != 0 ? order : (x->name_n > y->name_n) - (x->name_n < y->name_n);
}

void leat_lua_scratch_sort(lua_State *L, size_t from)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	struct leat_member *member = vm->scratch + from;
	size_t n = vm->n_scratch - from;
	size_t i, j;

	if (n > SMALL) {
		qsort(member, n, sizeof *member, compare_names);
		return;
	}
	for (i = 1; i < n; i++) {
		struct leat_member one = member[i];

		for (j = i; j > 0 && compare_names(&member[j - 1], &one) > 0; j--)
			member[j] = member[j - 1];
		member[j] = one;
	}
}

/* ---- Lua to values ----------------------------------------------------------------------------------------------- */

/* Raises. */
static const char *keep_bytes(lua_State *L, const char *s, size_t n, enum leat_lua_owner owner)
{
	char *copy;

	if (owner == LEAT_LUA_OF_STATE)
		return s;
	copy = leat_lua_budget_arena(L, n);
	memcpy(copy, s, n);
	return copy;
}

static struct leat_value pull_text(lua_State *L, int index, enum leat_lua_owner owner)
{
	size_t n;
	const char *s = lua_tolstring(L, index, &n);
	struct leat_value value;

	leat_lua_charge(L, n / 16);
	value = leat_borrow(keep_bytes(L, s, n, owner), n);
	if (leat_lua_utf8_length(s, n) < n)
		value.type = LEAT_BYTES;
	return value;
}

static struct leat_value pull_number(lua_State *L, int index, enum leat_lua_owner owner, const char *name)
{
	lua_Number real;

	if (lua_isinteger(L, index))
		return leat_integer(lua_tointeger(L, index));
	real = lua_tonumber(L, index);
	if (owner == LEAT_LUA_OF_EVENT && !isfinite(real))
		luaL_error(L, "cannot write \"%s\": it is %s", name != NULL ? name : "value", isnan(real) ? "nan" : "infinite");
	return leat_real(real);
}

static struct leat_value pull_at(lua_State *L, int index, enum leat_lua_owner owner, const char *name, int depth);

/* Raises unless the table on top of the stack has the keys 1..n and no other. */
static struct leat_value pull_list(lua_State *L, uint32_t n, enum leat_lua_owner owner, const char *name, int depth)
{
	int table = lua_gettop(L);
	struct leat_list *list = leat_lua_budget_arena(L, sizeof *list + n * sizeof *list->item);
	struct leat_value *item = (struct leat_value *)(list + 1);
	struct leat_value value = leat_null();
	uint32_t n_found = 0;

	lua_pushnil(L);
	while (lua_next(L, table)) {
		lua_Integer at = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;

		if (at < 1 || at > (lua_Integer)n)
			luaL_error(L, "cannot write \"%s\": a table with items from 1 on and other keys is neither "
				"list nor map",
			           name != NULL ? name : "value");
		item[at - 1] = pull_at(L, -1, owner, name, depth);
		n_found++;
		lua_pop(L, 1);
	}
	if (n_found != n)
		luaL_error(L, "cannot write \"%s\": the list has holes", name != NULL ? name : "value");
	*list = (struct leat_list){.item = item, .n = n};
	value.type = LEAT_LIST;
	value.n = n;
	value.as.list = list;
	return value;
}

/* Raises. scratch[from..] as a map. For an event the host makes it, as it knows the symbols of the names. */
static struct leat_value make_map(lua_State *L, size_t from, enum leat_lua_owner owner)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	uint32_t n = (uint32_t)(vm->n_scratch - from);
	size_t bytes = sizeof(struct leat_map) + n * sizeof(struct leat_member);
	struct leat_value value = leat_null();
	struct leat_member *member;
	struct leat_map *map;

	if (owner == LEAT_LUA_OF_EVENT) {
		leat_lua_budget_take(L, bytes);
		leat_lua_charge(L, (uint64_t)n * n / 8); /* it compares names with each other */
		return leat_map_with(vm->ctx, NULL, vm->scratch + from, n);
	}
	map = leat_lua_budget_arena(L, bytes);
	member = (struct leat_member *)(map + 1);
	if (n > 0)
		memcpy(member, vm->scratch + from, n * sizeof *member);
	*map = (struct leat_map){.member = member, .n = n};
	value.type = LEAT_MAP;
	value.n = n;
	value.as.map = map;
	return value;
}

/* Raises. The table on top of the stack, which is not frozen. */
static struct leat_value pull_map(lua_State *L, enum leat_lua_owner owner, const char *name, int depth)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	size_t from = vm->n_scratch;
	int table = lua_gettop(L);
	struct leat_value value;

	lua_pushnil(L);
	while (lua_next(L, table)) {
		struct leat_member *member;
		const char *s;
		size_t n;

		leat_lua_charge(L, 4);
		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "cannot write \"%s\": a key of a map is a %s, not a text (tostring() makes one)",
			           name != NULL ? name : "value", luaL_typename(L, -2));
		s = lua_tolstring(L, -2, &n);
		value = pull_at(L, -1, owner, s, depth);
		s = keep_bytes(L, s, n, owner);
		member = leat_lua_scratch(L);
		member->name = s;
		member->name_n = (uint32_t)n;
		member->value = value;
		lua_pop(L, 1);
	}
	leat_lua_scratch_sort(L, from);
	value = make_map(L, from, owner);
	vm->n_scratch = from;
	return value;
}

static bool is_marked_list(lua_State *L, int index)
{
	bool is_marked;

	if (!lua_getmetatable(L, index))
		return false;
	is_marked = lua_rawgetp(L, -1, &list_mark) != LUA_TNIL;
	lua_pop(L, 2);
	return is_marked;
}

static struct leat_value pull_table(lua_State *L, int index, enum leat_lua_owner owner, const char *name, int depth)
{
	struct leat_value value;
	size_t n;
	bool is_list;

	luaL_checkstack(L, 8, "too deep");
	if (depth > MAX_DEPTH)
		luaL_error(L, "cannot write \"%s\": it is nested deeper than %d", name != NULL ? name : "value",
			(int)MAX_DEPTH);
	is_list = is_marked_list(L, index);
	lua_pushvalue(L, index);
	leat_lua_freeze_thaw(L, -1);
	n = lua_rawlen(L, -1);
	leat_lua_charge(L, 4 * (uint64_t)n + 10);
	if (is_list || n > 0)
		value = pull_list(L, (uint32_t)n, owner, name, depth + 1);
	else
		value = pull_map(L, owner, name, depth + 1);
	lua_pop(L, 1);
	return value;
}

static struct leat_value pull_at(lua_State *L, int index, enum leat_lua_owner owner, const char *name, int depth)
{
	struct leat_lua_node *node;

	switch (lua_type(L, index)) {
	case LUA_TNIL:
		return leat_null();
	case LUA_TBOOLEAN:
		return leat_bool(lua_toboolean(L, index));
	case LUA_TNUMBER:
		return pull_number(L, index, owner, name);
	case LUA_TSTRING:
		return pull_text(L, index, owner);
	case LUA_TTABLE:
		return pull_table(L, index, owner, name, depth);
	default:
		break;
	}
	node = leat_lua_event_node(L, index);
	if (node != NULL)
		return leat_lua_event_build(L, node);
	luaL_error(L, "cannot write \"%s\": it is a %s", name != NULL ? name : "value", luaL_typename(L, index));
	return leat_null();
}

struct leat_value leat_lua_pull(lua_State *L, int index, enum leat_lua_owner owner, const char *name)
{
	return pull_at(L, index, owner, name, 0);
}

void leat_lua_convert_open(lua_State *L)
{
	lua_newtable(L);
	lua_pushboolean(L, 1);
	lua_rawsetp(L, -2, &list_mark);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_rawseti(L, LUA_REGISTRYINDEX, LEAT_LUA_LIST_MARK);
}
