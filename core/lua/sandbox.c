/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allow-list: what of the stock libraries a script gets to see, and the guards in front of some of it.
 *
 * Not there: everything that reaches files, the clock, other chunks or the VM itself (io, os, package, require, load,
 * dofile, debug, string.dump, collectgarbage), what a budget cannot hold (xpcall, coroutine), and rawset, which would see
 * through frozen tables. Stock functions are called in the frame of their guard, so messages name the right argument.
 */
#include <lualib.h>

#include "lua/vm.h"

void leat_lua_sandbox_pick(lua_State *L, lua_CFunction library, const char *const *names)
{
	lua_pushcfunction(L, library);
	lua_pushliteral(L, "");
	lua_call(L, 1, 1); /* the basic library hands out the table of globals, which scripts never see */
	for (; *names != NULL; names++) {
		lua_getfield(L, -1, *names);
		lua_setfield(L, -3, *names);
	}
	lua_pop(L, 1);
}

void leat_lua_sandbox_guard(lua_State *L, const char *name, lua_CFunction guard)
{
	lua_getfield(L, -1, name);
	lua_pushcclosure(L, guard, 1);
	lua_setfield(L, -2, name);
}

void leat_lua_sandbox_text(lua_State *L, int index)
{
	int type = lua_type(L, index);

	if (luaL_getmetafield(L, index, "__tostring") != LUA_TNIL) {
		lua_pop(L, 1);
		(void)luaL_tolstring(L, index, NULL);
	} else if (type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TLIGHTUSERDATA) {
		lua_pushstring(L, lua_typename(L, type));
	} else {
		(void)luaL_tolstring(L, index, NULL);
	}
}

/* ---- basic functions --------------------------------------------------------------------------------------------- */

static int text_of(lua_State *L)
{
	luaL_checkany(L, 1);
	leat_lua_sandbox_text(L, 1);
	return 1;
}

static int number_of(lua_State *L)
{
	if (lua_type(L, 1) == LUA_TSTRING)
		leat_lua_charge(L, lua_rawlen(L, 1) / 16);
	return leat_lua_stock(L);
}

/* L3 */
static int protected_call(lua_State *L)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	int status;

	luaL_checkany(L, 1);
	status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
	if (status == LUA_ERRMEM)
		leat_lua_fault_doom(L, LEAT_LUA_OVER_MEMORY, "needs more memory than the script may have");
	if (vm->doom != LEAT_LUA_SOUND)
		return lua_error(L);
	lua_pushboolean(L, status == LUA_OK);
	lua_insert(L, status == LUA_OK ? 1 : -2);
	return status == LUA_OK ? lua_gettop(L) : 2;
}

static int raw_next(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	leat_lua_freeze_thaw(L, 1);
	return leat_lua_stock(L);
}

static int raw_get(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	leat_lua_freeze_thaw(L, 1);
	return leat_lua_stock(L);
}

static int raw_length(lua_State *L)
{
	leat_lua_freeze_thaw(L, 1);
	return leat_lua_stock(L);
}

/* __gc runs outside of every hook; weak tables would let a script see when Lua collects. */
static int set_metatable(lua_State *L)
{
	static const char *const refused[] = {"__gc", "__mode", NULL};
	const char *const *name;

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table");
	leat_lua_freeze_thaw(L, 2);
	for (name = refused; lua_istable(L, 2) && *name != NULL; name++) {
		lua_pushstring(L, *name);
		if (lua_rawget(L, 2) != LUA_TNIL)
			return luaL_error(L, "a metatable cannot have a field \"%s\" here", *name);
		lua_pop(L, 1);
	}
	return leat_lua_stock(L);
}

static int get_metatable(lua_State *L)
{
	luaL_checkany(L, 1);
	if (!lua_istable(L, 1) || !lua_getmetatable(L, 1))
		return 0;
	if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return 1;
	lua_rawgeti(L, LUA_REGISTRYINDEX, LEAT_LUA_SHADOWS);
	lua_pushvalue(L, -2);
	if (lua_rawget(L, -2) == LUA_TNIL)
		lua_pop(L, 2);
	return 1;
}

/* ---- math -------------------------------------------------------------------------------------------------------- */

/* As in stock Lua, but a replay sees the same numbers again. */
static int random_number(lua_State *L)
{
	struct leat_context *ctx = leat_lua_context(L, "math.random");
	lua_Integer low = 1, high;
	uint64_t span, limit, r;

	if (lua_gettop(L) == 0) {
		lua_pushnumber(L, (lua_Number)(leat_random(ctx) >> 11) * (1.0 / 9007199254740992.0));
		return 1;
	}
	if (lua_gettop(L) > 1)
		low = luaL_checkinteger(L, 1);
	high = luaL_checkinteger(L, lua_gettop(L) > 1 ? 2 : 1);
	luaL_argcheck(L, low <= high, lua_gettop(L) > 1 ? 2 : 1, "interval is empty");
	span = (uint64_t)high - (uint64_t)low;
	if (span == UINT64_MAX) {
		lua_pushinteger(L, (lua_Integer)leat_random(ctx));
		return 1;
	}
	limit = UINT64_MAX - (UINT64_MAX % (span + 1) + 1) % (span + 1); /* the last of a whole number of spans */
	do
		r = leat_random(ctx);
	while (r > limit);
	lua_pushinteger(L, (lua_Integer)((uint64_t)low + r % (span + 1)));
	return 1;
}

static void open_math(lua_State *L)
{
	static const char *const names[] = {"abs", "acos", "asin", "atan", "ceil", "cos", "deg", "exp", "floor", "fmod",
		"huge", "log",
	                                    "max", "maxinteger", "min", "mininteger", "modf", "pi", "rad", "sin", "sqrt", "tan",
	                                    "tointeger", "type", "ult", NULL};

	lua_newtable(L);
	leat_lua_sandbox_pick(L, luaopen_math, names);
	lua_pushcfunction(L, random_number);
	lua_setfield(L, -2, "random");
	lua_setfield(L, -2, "math");
}

void leat_lua_sandbox_open(lua_State *L)
{
	static const char *const names[] = {"assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal",
		"rawget",
	                                    "rawlen", "select", "setmetatable", "tonumber", "tostring", "type", NULL};
	static const luaL_Reg own[] = {{"tostring", text_of}, {"pcall", protected_call}, {"getmetatable", get_metatable},
		{NULL, NULL}};

	leat_lua_sandbox_pick(L, luaopen_base, names);
	luaL_setfuncs(L, own, 0);
	leat_lua_sandbox_guard(L, "tonumber", number_of);
	leat_lua_sandbox_guard(L, "next", raw_next);
	leat_lua_sandbox_guard(L, "rawget", raw_get);
	leat_lua_sandbox_guard(L, "rawlen", raw_length);
	leat_lua_sandbox_guard(L, "setmetatable", set_metatable);
	open_math(L);
}
