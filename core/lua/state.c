/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `state`: a plain table, filled before a call from what is stored under the key, stored after it if it differs.
 *
 * A plain table makes reading and writing fields as fast as Lua is; the price is filling. That is kept low by leaving the
 * table as it was: the events of a rule mostly have the same fields in their state, so the next one overwrites the values,
 * with keys that Lua has already, and only a different set of names empties it first. Nobody sees the values of the event
 * before: either all fields are overwritten or the table is emptied (L1). A field that is new goes through __newindex, so
 * that without one the names are still known when the table is stored, and it need not be walked.
 *
 * fill() and flush() run in the frame of the function that calls the script, whose upvalues hold the table and the names.
 */
#include "lua/vm.h"

enum { FIELD_COST = 4, MANY = 256 };

static int add_field(lua_State *L)
{
	leat_lua_vm_of(L)->is_state_known = false;
	lua_rawset(L, 1);
	return 0;
}

void leat_lua_state_open(lua_State *L)
{
	lua_newtable(L);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pushcfunction(L, add_field);
	lua_setfield(L, -2, "__newindex");
	lua_rawseti(L, LUA_REGISTRYINDEX, LEAT_LUA_STATE_MARK);
}

/* ---- filling ----------------------------------------------------------------------------------------------------- */

static bool has_names(const struct leat_lua_vm *vm, const struct leat_map *map)
{
	uint32_t i;

	if (!vm->is_state_known || vm->n_names != map->n)
		return false;
	for (i = 0; i < map->n; i++)
		if (vm->names[i].n != map->member[i].name_n || memcmp(vm->names[i].s, map->member[i].name, vm->names[i].n) != 0)
			return false;
	return true;
}

static void overwrite(lua_State *L, const struct leat_map *map)
{
	uint32_t i;

	for (i = 0; i < map->n; i++) {
		lua_pushvalue(L, lua_upvalueindex(LEAT_LUA_STATE_NAME + (int)i));
		leat_lua_push_table(L, &map->member[i].value);
		lua_rawset(L, -3);
	}
}

static void empty(lua_State *L)
{
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, -4);
	}
}

static void add(lua_State *L, const struct leat_map *map)
{
	uint32_t i;

	leat_lua_charge(L, map->n);
	for (i = 0; i < map->n; i++) {
		lua_pushlstring(L, map->member[i].name, map->member[i].name_n);
		leat_lua_push_table(L, &map->member[i].value);
		lua_rawset(L, -3);
	}
}

static void push_new(lua_State *L)
{
	lua_newtable(L);
	lua_rawgeti(L, LUA_REGISTRYINDEX, LEAT_LUA_STATE_MARK);
	lua_setmetatable(L, -2);
	lua_copy(L, -1, lua_upvalueindex(LEAT_LUA_STATE));
}

const struct leat_value *leat_lua_state_fill(lua_State *L, const struct leat_value *key)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	const struct leat_value *old = leat_table_value(vm->ctx, 0, key);
	const struct leat_map *map = old != NULL && old->type == LEAT_MAP ? old->as.map : NULL;

	lua_pushvalue(L, lua_upvalueindex(LEAT_LUA_STATE));
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		push_new(L);
	}
	if (map != NULL && has_names(vm, map)) {
		overwrite(L, map);
		return old;
	}
	empty(L);
	vm->is_state_known = false;
	if (map != NULL)
		add(L, map);
	return old;
}

/* ---- storing ----------------------------------------------------------------------------------------------------- */

/* Collects the fields in scratch memory. */
static void collect(lua_State *L, int table)
{
	struct leat_member *member;
	struct leat_value value;
	const char *s;
	size_t n;

	lua_pushnil(L);
	while (lua_next(L, table)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "cannot keep a field of state whose name is a %s, not a text", luaL_typename(L, -2));
		s = lua_tolstring(L, -2, &n);
		leat_lua_charge(L, FIELD_COST);
		value = leat_lua_pull(L, -1, LEAT_LUA_OF_STATE, s);
		member = leat_lua_scratch(L);
		member->name = s;
		member->name_n = (uint32_t)n;
		member->value = value;
		lua_pop(L, 1);
	}
}

/* The same when the names are known, which `old` has then too. Returns whether a value differs from it. */
static bool collect_known(lua_State *L, int table, const struct leat_map *old)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	bool is_changed = false;
	size_t i;

	leat_lua_charge(L, FIELD_COST * vm->n_names);
	for (i = 0; i < vm->n_names; i++) {
		struct leat_value value;
		struct leat_member *member;

		lua_pushvalue(L, lua_upvalueindex(LEAT_LUA_STATE_NAME + (int)i));
		if (lua_rawget(L, table) == LUA_TNIL) {
			vm->is_state_known = false;
			is_changed = true;
		} else {
			value = leat_lua_pull(L, -1, LEAT_LUA_OF_STATE, vm->names[i].s);
			is_changed = is_changed || !leat_lua_is_same(&value, &old->member[i].value);
			member = leat_lua_scratch(L);
			member->name = vm->names[i].s;
			member->name_n = (uint32_t)vm->names[i].n;
			member->value = value;
		}
		lua_pop(L, 1);
	}
	return is_changed;
}

/* Remembers the names that are in the table, for has_names(). */
static void remember(lua_State *L, const struct leat_member *member, size_t n)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	size_t i;

	if (n > LEAT_LUA_NAMES)
		return;
	for (i = 0; i < n; i++) {
		lua_pushlstring(L, member[i].name, member[i].name_n);
		vm->names[i] = (struct leat_lua_name){lua_tostring(L, -1), member[i].name_n};
		lua_replace(L, lua_upvalueindex(LEAT_LUA_STATE_NAME + (int)i));
	}
	vm->n_names = n;
	vm->is_state_known = true;
}

static void store(struct leat_lua_vm *vm, const struct leat_value *key, const struct leat_value *old, bool is_changed)
{
	struct leat_map map = {.member = vm->scratch, .n = (uint32_t)vm->n_scratch};
	struct leat_value value = leat_null();

	value.type = LEAT_MAP;
	value.n = map.n;
	value.as.map = &map;
	if (map.n == 0 && old != NULL)
		leat_table_erase(vm->ctx, 0, key);
	else if (map.n > 0 && (is_changed || old == NULL || !leat_lua_is_same(old, &value)))
		leat_table_put(vm->ctx, 0, key, &value);
}

void leat_lua_state_flush(lua_State *L, int index, const struct leat_value *key, const struct leat_value *old)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);

	vm->n_scratch = 0;
	if (vm->is_state_known) { /* it was overwritten, so `old` is the map that has these names */
		if (collect_known(L, index, old->as.map))
			store(vm, key, old, true);
		return;
	}
	collect(L, index);
	leat_lua_scratch_sort(L, 0);
	store(vm, key, old, false);
	remember(L, vm->scratch, vm->n_scratch);
	if (vm->n_scratch > MANY) { /* emptying it would take long each time */
		lua_pushnil(L);
		lua_replace(L, lua_upvalueindex(LEAT_LUA_STATE));
	}
}
