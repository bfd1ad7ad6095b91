/* SPDX-License-Identifier: Apache-2.0 */
/*
 * string and utf8. What these make is charged by the allocator; here is charged what takes long without making anything
 * (L2). The metatable of strings, which all scripts of a VM would share, is closed and looks into our table.
 */
#include <lualib.h>

#include "lua/vm.h"

/* The stock one loops even when there is nothing to repeat. */
static int repeat(lua_State *L)
{
	size_t n, separator_n;
	lua_Integer times;

	(void)luaL_checklstring(L, 1, &n);
	times = luaL_checkinteger(L, 2);
	(void)luaL_optlstring(L, 3, "", &separator_n);
	if (n + separator_n == 0 || times <= 0) {
		lua_pushliteral(L, "");
		return 1;
	}
	if ((uint64_t)times <= SIZE_MAX / (n + separator_n)) /* if not, the stock one says so */
		leat_lua_charge(L, (uint64_t)times / 4);
	return leat_lua_stock(L);
}

/* No "%p", and no addresses through "%s". */
static int format(lua_State *L)
{
	size_t n;
	const char *s = luaL_checklstring(L, 1, &n);
	int i, type;

	for (; n > 1; s++, n--) {
		if (*s != '%')
			continue;
		s++;
		n--;
		while (n > 1 && strchr("-+ #0123456789.", *s) != NULL && *s != '\0') {
			s++;
			n--;
		}
		if (*s == 'p')
			return luaL_error(L, "the conversion \"%%p\" is not there: addresses differ from run to run");
	}
	for (i = 2; i <= lua_gettop(L); i++) {
		type = lua_type(L, i);
		if (type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA) {
			leat_lua_sandbox_text(L, i);
			lua_replace(L, i);
		}
	}
	return leat_lua_stock(L);
}

/* For functions that walk through the text in their first argument. */
static int by_length(lua_State *L)
{
	size_t n;

	(void)luaL_checklstring(L, 1, &n);
	leat_lua_charge(L, n / 16);
	return leat_lua_stock(L);
}

static void close_string_metatable(lua_State *L)
{
	lua_pushliteral(L, "");
	if (lua_getmetatable(L, -1)) {
		lua_pushvalue(L, -3);
		lua_setfield(L, -2, "__index");
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "__metatable");
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

void leat_lua_strings_open(lua_State *L)
{
	static const char *const names[] = {"byte", "char", "format", "len", "lower", "rep", "reverse", "sub", "upper", NULL};
	static const char *const utf8_names[] = {"char", "charpattern", "codepoint", "codes", "len", "offset", NULL};
	static const luaL_Reg own[] = {{"find", leat_lua_pattern_find},
	                               {"gmatch", leat_lua_pattern_gmatch},
	                               {"gsub", leat_lua_pattern_gsub},
	                               {"match", leat_lua_pattern_match},
	                               {NULL, NULL}};

	lua_newtable(L);
	leat_lua_sandbox_pick(L, luaopen_string, names);
	luaL_setfuncs(L, own, 0);
	leat_lua_sandbox_guard(L, "rep", repeat);
	leat_lua_sandbox_guard(L, "format", format);
	close_string_metatable(L);
	lua_setfield(L, -2, "string");

	lua_newtable(L);
	leat_lua_sandbox_pick(L, luaopen_utf8, utf8_names);
	leat_lua_sandbox_guard(L, "codepoint", by_length);
	leat_lua_sandbox_guard(L, "len", by_length);
	leat_lua_sandbox_guard(L, "offset", by_length);
	lua_setfield(L, -2, "utf8");
}
