/* SPDX-License-Identifier: Apache-2.0 */
/* table, with its loops charged before they begin (L2); and list{}, which marks a table as a list even when it is empty. */
#include <lualib.h>

#include "lua/vm.h"

/* Raises. For the items from..until. */
static void charge_items(lua_State *L, lua_Integer from, lua_Integer until)
{
	if (until >= from)
		leat_lua_charge(L, (uint64_t)until - (uint64_t)from + 1);
}

static int concat(lua_State *L)
{
	lua_Integer from = luaL_optinteger(L, 3, 1);

	charge_items(L, from, lua_isnoneornil(L, 4) ? luaL_len(L, 1) : luaL_checkinteger(L, 4));
	return leat_lua_stock(L);
}

static int insert(lua_State *L)
{
	if (lua_gettop(L) == 3)
		charge_items(L, luaL_checkinteger(L, 2), luaL_len(L, 1));
	return leat_lua_stock(L);
}

static int drop(lua_State *L)
{
	if (lua_gettop(L) == 2)
		charge_items(L, luaL_checkinteger(L, 2), luaL_len(L, 1));
	return leat_lua_stock(L);
}

static int move(lua_State *L)
{
	charge_items(L, luaL_checkinteger(L, 2), luaL_checkinteger(L, 3));
	return leat_lua_stock(L);
}

static int unpack(lua_State *L)
{
	lua_Integer from = luaL_optinteger(L, 2, 1);

	charge_items(L, from, lua_isnoneornil(L, 3) ? luaL_len(L, 1) : luaL_checkinteger(L, 3));
	return leat_lua_stock(L);
}

static int sort(lua_State *L)
{
	lua_Integer n = luaL_len(L, 1);
	uint64_t comparisons = 0;
	lua_Integer rest;

	for (rest = n; rest > 1; rest /= 2)
		comparisons += (uint64_t)n;
	leat_lua_charge(L, comparisons);
	return leat_lua_stock(L);
}

static int list(lua_State *L)
{
	if (lua_isnoneornil(L, 1)) {
		lua_settop(L, 0);
		lua_newtable(L);
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	if (lua_getmetatable(L, 1))
		return luaL_error(L, "cannot make a list of a table that has a metatable");
	lua_rawgeti(L, LUA_REGISTRYINDEX, LEAT_LUA_LIST_MARK);
	lua_setmetatable(L, 1);
	lua_settop(L, 1);
	return 1;
}

void leat_lua_tables_open(lua_State *L)
{
	static const char *const names[] = {"concat", "insert", "move", "pack", "remove", "sort", "unpack", NULL};

	lua_newtable(L);
	leat_lua_sandbox_pick(L, luaopen_table, names);
	leat_lua_sandbox_guard(L, "concat", concat);
	leat_lua_sandbox_guard(L, "insert", insert);
	leat_lua_sandbox_guard(L, "move", move);
	leat_lua_sandbox_guard(L, "remove", drop);
	leat_lua_sandbox_guard(L, "sort", sort);
	leat_lua_sandbox_guard(L, "unpack", unpack);
	lua_setfield(L, -2, "table");
	lua_pushcfunction(L, list);
	lua_setfield(L, -2, "list");
}
