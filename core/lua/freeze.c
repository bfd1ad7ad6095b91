/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Freezing: what a script has set up while it was loaded stays as it is (L1).
 *
 * Lua has no read-only tables. A table is frozen in place, so that everybody who refers to it keeps doing so: its fields
 * move to a shadow that no script can get hold of, and its new metatable reads from there and refuses writes. Iteration
 * hands out the frozen table, never the shadow. A metatable is looked at by Lua without going through its own metatable,
 * so one that a script still wants to give to new tables is replaced by its shadow (setmetatable in sandbox.c).
 */
#include "lua/vm.h"

/* ---- what frozen tables do --------------------------------------------------------------------------------------- */

static int refuse_write(lua_State *L)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, LEAT_LUA_ENV);
	if (lua_rawequal(L, 1, -1) && lua_type(L, 2) == LUA_TSTRING)
		return luaL_error(L, "cannot assign to global \"%s\" once the script is loaded: keep it in state",
			lua_tostring(L, 2));
	if (lua_type(L, 2) == LUA_TSTRING)
		return luaL_error(L, "cannot assign to \"%s\" in a table that all events share: keep it in state",
			lua_tostring(L, 2));
	return luaL_error(L, "cannot change a table that all events share: keep it in state");
}

static int next_frozen(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	leat_lua_freeze_thaw(L, 1);
	if (lua_next(L, 1))
		return 2;
	lua_pushnil(L);
	return 1;
}

static int pairs_frozen(lua_State *L)
{
	lua_pushcfunction(L, next_frozen);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

static int length_frozen(lua_State *L)
{
	leat_lua_freeze_thaw(L, 1);
	lua_pushinteger(L, (lua_Integer)lua_rawlen(L, 1));
	return 1;
}

void leat_lua_freeze_thaw(lua_State *L, int index)
{
	if (!lua_istable(L, index) || !lua_getmetatable(L, index))
		return;
	lua_pop(L, 1);
	index = lua_absindex(L, index);
	lua_rawgeti(L, LUA_REGISTRYINDEX, LEAT_LUA_SHADOWS);
	lua_pushvalue(L, index);
	if (lua_rawget(L, -2) == LUA_TTABLE)
		lua_replace(L, index);
	else
		lua_pop(L, 1);
	lua_pop(L, 1);
}

/* ---- freezing ---------------------------------------------------------------------------------------------------- */

enum { TODO = 1, SEEN = 2, SHADOWS = 3, TABLE = 4, SHADOW = 5 }; /* places on the stack of walk() */

/* Queues the value on top of the stack, and pops it. */
static void visit(lua_State *L)
{
	if (lua_istable(L, -1) || (lua_isfunction(L, -1) && !lua_iscfunction(L, -1))) {
		lua_pushvalue(L, -1);
		if (lua_rawget(L, SEEN) == LUA_TNIL) {
			lua_pushvalue(L, -2);
			lua_pushboolean(L, 1);
			lua_rawset(L, SEEN);
			lua_pushvalue(L, -2);
			lua_rawseti(L, TODO, (lua_Integer)lua_rawlen(L, TODO) + 1);
		}
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/* Copies the fields of the table at `from` to the one on top of the stack, and queues what they lead to. */
static void copy_fields(lua_State *L, int from)
{
	int to = lua_gettop(L);

	lua_pushnil(L);
	while (lua_next(L, from)) {
		lua_pushvalue(L, -2);
		visit(L);
		lua_pushvalue(L, -1);
		visit(L);
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, to);
	}
}

/* Pushes a copy of the metatable of TABLE as it was before anything was frozen; an empty table when there is none. */
static void push_metatable(lua_State *L)
{
	if (!lua_getmetatable(L, TABLE)) {
		lua_newtable(L);
		return;
	}
	lua_pushvalue(L, -1);
	visit(L);
	lua_pushvalue(L, -1);
	if (lua_rawget(L, SHADOWS) == LUA_TNIL)
		lua_pop(L, 1);
	else
		lua_remove(L, -2);
	lua_newtable(L);
	copy_fields(L, lua_gettop(L) - 1);
	lua_remove(L, -2);
}

static void set_function(lua_State *L, const char *name, lua_CFunction function)
{
	lua_pushcfunction(L, function);
	lua_setfield(L, -2, name);
}

/* The metatable for TABLE: its old one, but for how fields are read and written. */
static void close_table(lua_State *L)
{
	push_metatable(L);
	lua_pushvalue(L, SHADOW);
	lua_setfield(L, -2, "__index");
	set_function(L, "__newindex", refuse_write);
	set_function(L, "__pairs", pairs_frozen);
	if (lua_getfield(L, -1, "__len") == LUA_TNIL)
		set_function(L, (lua_pop(L, 1), "__len"), length_frozen);
	else
		lua_pop(L, 1);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, TABLE);
}

static void freeze_table(lua_State *L)
{
	lua_newtable(L); /* SHADOW */
	copy_fields(L, TABLE);
	if (lua_getmetatable(L, TABLE)) {
		lua_pop(L, 1);
		push_metatable(L);
		lua_setmetatable(L, SHADOW);
	}
	close_table(L);

	lua_pushnil(L);
	while (lua_next(L, TABLE)) {
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, TABLE);
	}
	lua_pushvalue(L, TABLE);
	lua_pushvalue(L, SHADOW);
	lua_rawset(L, SHADOWS);
	lua_pushvalue(L, SHADOW);
	lua_pushvalue(L, TABLE);
	lua_rawset(L, SHADOWS);
}

/* Freezes what is queued, and what that leads to. */
static void freeze_queued(lua_State *L)
{
	lua_Integer n;
	int i;

	while ((n = (lua_Integer)lua_rawlen(L, TODO)) > 0) {
		lua_rawgeti(L, TODO, n); /* TABLE, or a function */
		lua_pushnil(L);
		lua_rawseti(L, TODO, n);
		leat_lua_charge(L, 100);
		if (lua_istable(L, TABLE)) {
			freeze_table(L);
		} else {
			leat_lua_locals_check(L, false);
			for (i = 1; lua_getupvalue(L, TABLE, i) != NULL; i++)
				visit(L);
		}
		lua_settop(L, SHADOWS);
	}
}

/* Takes the environment, leaves nothing. It comes last, when all functions have been seen: can it be written to at all? */
static int walk(lua_State *L)
{
	lua_newtable(L);
	lua_newtable(L);
	lua_rawgeti(L, LUA_REGISTRYINDEX, LEAT_LUA_SHADOWS);
	lua_rotate(L, 1, 3);
	lua_pushvalue(L, TABLE);
	lua_pushboolean(L, 1);
	lua_rawset(L, SEEN);
	lua_newtable(L);
	copy_fields(L, TABLE); /* for what it queues */
	lua_settop(L, SHADOWS);
	freeze_queued(L);
	if (leat_lua_vm_of(L)->uses_env) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, LEAT_LUA_ENV);
		freeze_table(L);
		lua_settop(L, SHADOWS);
		freeze_queued(L);
	}
	return 0;
}

void leat_lua_freeze(lua_State *L, int index)
{
	lua_pushvalue(L, index);
	lua_newtable(L);
	lua_rawseti(L, LUA_REGISTRYINDEX, LEAT_LUA_SHADOWS);
	lua_pushcfunction(L, walk); /* with a stack of its own, counted from 1 */
	lua_insert(L, -2);
	lua_call(L, 1, 0);
}
