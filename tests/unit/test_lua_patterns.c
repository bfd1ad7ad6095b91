/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <lualib.h>

#include "lua/vm.h"
#include "unit/unit.h"

/* The matcher with a budget beside the stock one: the same results, positions and captures for the same arguments. */

static struct leat_lua_vm vm;

static lua_State *open_both(void)
{
	static const luaL_Reg own[] = {{"find", leat_lua_pattern_find},
	                               {"match", leat_lua_pattern_match},
	                               {"gmatch", leat_lua_pattern_gmatch},
	                               {"gsub", leat_lua_pattern_gsub},
	                               {NULL, NULL}};
	struct leat_lua_vm *address = &vm;
	lua_State *L = luaL_newstate();

	luaL_openlibs(L);
	luaL_newlib(L, own);
	lua_setglobal(L, "own");
	memset(&vm, 0, sizeof vm);
	vm.L = L;
	vm.budget = INT64_C(1) << 60;
	memcpy(lua_getextraspace(L), &address, sizeof address);
	return L;
}

/* Runs a chunk that calls compare(function, arguments ...). */
static void check_chunk(const char *chunk)
{
	static const char prologue[] =
		"local function all(name, lib, s, p, ...)\n"
		"  if name ~= 'gmatch' then return lib[name](s, p, ...) end\n"
		"  local out = {}\n"
		"  for a, b, c in lib.gmatch(s, p, ...) do out[#out + 1] = tostring(a) .. ',' .. tostring(b) .. ',' "
			".. tostring(c) end\n"
		"  return table.concat(out, ';')\n"
		"end\n"
		"n_compared, n_matched, n_refused = 0, 0, 0\n"
		"function compare(name, ...)\n"
		"  local want, got = table.pack(pcall(all, name, string, ...)), table.pack(pcall(all, name, own, ...))\n"
		"  n_compared = n_compared + 1\n"
		"  if want[1] and want[2] then n_matched = n_matched + 1 end\n"
		"  if not want[1] then n_refused = n_refused + 1 end\n"
		"  local same = want[1] == got[1] and (not want[1] or want.n == got.n)\n"
		"  for i = 2, want[1] and want.n or 1 do same = same and want[i] == got[i] and math.type(want[i]) == "
			"math.type(got[i]) end\n"
		"  if not same then\n"
		"    local args = table.pack(...)\n"
		"    for i = 1, args.n do args[i] = string.format('%q', tostring(args[i])) end\n"
		"    error(name .. '(' .. table.concat(args, ', ') .. '): ' .. tostring(want[2]) .. ' / ' .. "
			"tostring(got[2]))\n"
		"  end\n"
		"end\n";
	lua_State *L = open_both();

	ck_assert_int_eq(luaL_dostring(L, prologue), LUA_OK);
	if (luaL_dostring(L, chunk) != LUA_OK)
		ck_abort_msg("%s", lua_tostring(L, -1));
	lua_close(L);
}

START_TEST(every_item_means_the_same)
{
	check_chunk("local subjects = {'', 'a', 'aaa', 'abc', 'hello world', 'key = value', '(a(b)c)d', 'THE (quick) "
		"fox', '\\0a\\0', '  x  ', '2024-01-31', 'a.b.c', '\\xff\\xe4z', '[]]', 'a-b', '%'}\n"
	            "local patterns = {'', '.', 'a*', 'a+', 'a-', 'a?', '^a', 'a$', '^a*$', '%a+', '%A', '%d+', "
	            	"'%s*', '%w', '%W+', '%p', '%c', '%g', '%u', '%l', '%x', '[abc]', '[^abc]', '[a-z]+', "
	            		"'[%a_][%w_]*', '[]]', '[^]]', '[a-]', '[%-a]', '[]a-', '[', '[^', '%', '(', ')', "
	            			"'()', '(a)(b)', '((a)b)', '(.-)=(.*)', '%b()', '%b', '%bx', '%f[%a]', "
	            				"'%f[%A]', '%f', '(a)%1', '%1', '(%1)', '(.)%1', '(()a)', '^', '$', "
	            					"'^^', '$$', 'a$b', '\\0', '[\\0]', '%z', '.-b', "
	            						"'(.+)%s*=%s*(.+)', '[a-c-e]', '[%w%-]+', '%.', '%%', "
	            							"'a**', '-', '*', '+', '?a', '[z-a]', "
	            								"'(a*(.)%w(%s*))', ')a', 'a)', "
	            									"'((a)', '%2', '(a)%2'}\n"
	            "for _, s in ipairs(subjects) do for _, p in ipairs(patterns) do\n"
	            "  for init = -4, 6 do compare('find', s, p, init) compare('match', s, p, init) compare('gmatch', "
	            	"s, p, init) end\n"
	            "  compare('find', s, p) compare('find', s, p, 1, true) compare('gmatch', s, p)\n"
	            "  for _, r in ipairs{'', 'x', '%0', '%1', '<%1%2>', '%%', '%', '%q', 5} do compare('gsub', s, p, "
	            	"r) compare('gsub', s, p, r, 1) compare('gsub', s, p, r, -1) end\n"
	            "  compare('gsub', s, p, {a = 'A', [1] = 'one', b = false}) compare('gsub', s, p, function(a, b) "
	            	"return a and b end)\n"
	            "  compare('gsub', s, p, function() return {} end) compare('gsub', s, p, true) compare('gsub', s, p, nil)\n"
	            "end end\nassert(n_compared > 40000 and n_matched > 20000 and n_refused > 5000, n_compared .. ' ' "
	            	".. n_matched .. ' ' .. n_refused)");
}
END_TEST

START_TEST(random_patterns_mean_the_same)
{
	check_chunk("math.randomseed(7)\n"
	            "local r = math.random\n"
	            "local items = {'a', 'b', 'c', '.', '%a', '%d', '%s', '%W', '[ab]', '[^a]', '[a-c]', '[%d_]', "
	            	"'(', ')', '()', '%1', '%b()', '%bab', '%f[a]', '$', '^', '-', ' ', '1', '[b', '%'}\n"
	            "local tails = {'', '', '', '*', '+', '-', '?'}\n"
	            "local letters = {'a', 'b', 'c', '1', ' ', '(', ')', '_', '\\0'}\n"
	            "local function pick(n, list, tail) local t = {} for i = 1, n do t[i] = list[r(#list)] .. (tail "
	            	"and tail[r(#tail)] or '') end return table.concat(t) end\n"
	            "for i = 1, 30000 do\n"
	            "  local s, p = pick(r(0, 14), letters), pick(r(1, 7), items, tails)\n"
	            "  if r(4) == 1 then p = '^' .. p end\n"
	            "  compare('find', s, p, r(-5, 12)) compare('match', s, p) compare('gmatch', s, p) "
	            	"compare('gsub', s, p, '<%0>') compare('gsub', s, p, '%1', r(0, 3))\n"
	            "end\nassert(n_compared == 150000 and n_matched > 50000 and n_refused > 10000, n_compared .. ' ' "
	            	".. n_matched .. ' ' .. n_refused)");
}
END_TEST

START_TEST(random_searches_for_plain_text_mean_the_same)
{
	check_chunk("math.randomseed(9)\n"
	            "for i = 1, 20000 do\n"
	            "  local s, p = {}, {}\n"
	            "  for j = 1, math.random(0, 30) do s[j] = math.random() < 0.7 and 'a' or 'b' end\n"
	            "  for j = 1, math.random(0, 5) do p[j] = math.random() < 0.7 and 'a' or 'b' end\n"
	            "  compare('find', table.concat(s), table.concat(p), math.random(-5, 35)) compare('find', "
	            	"table.concat(s), table.concat(p), 1, true)\n"
	            "end\nassert(n_matched > 10000)");
}
END_TEST

START_TEST(deep_patterns_are_refused_at_the_same_depth)
{
	check_chunk("for n = 30, 34 do compare('find', ('a'):rep(40), ('(a)'):rep(n)) end\n"
	            "for n = 190, 210 do compare('find', ('a'):rep(300), ('a?'):rep(n)) compare('match', "
	            	"('a'):rep(300), ('a*'):rep(n)) end\n"
	            "compare('gsub', ('x'):rep(1000), 'x', '%0%0') compare('match', ('ab'):rep(500), ('(ab)'):rep(16))");
}
END_TEST

START_TEST(steps_are_charged)
{
	lua_State *L = open_both();
	int64_t before = vm.spent;

	ck_assert_int_eq(luaL_dostring(L, "return own.find(('a'):rep(1000), 'a*b')"), LUA_OK);
	ck_assert_int_gt(vm.spent - before, 1000 * 1000 / 2);
	before = vm.spent;
	ck_assert_int_eq(luaL_dostring(L, "return own.find('abc', 'b')"), LUA_OK);
	ck_assert_int_lt(vm.spent - before, 20);
	before = vm.spent;
	ck_assert_int_eq(luaL_dostring(L, "return own.gsub('abcabc', '%w', function(c) return own.rep end)"), LUA_OK);
	ck_assert_int_gt(vm.spent - before, 10);
	lua_close(L);
}
END_TEST

int main(void)
{
#ifdef __SANITIZE_THREAD__
	/* One thread from end to end, and slowed down so far that clocks decide; test_lua_share has the threads. */
	puts("skipped: nothing here for the thread sanitizer to see");
	return 77;
#endif
	return leat_test_main("lua_patterns", (const TTest *[]){every_item_means_the_same, random_patterns_mean_the_same,
	                                                        random_searches_for_plain_text_mean_the_same,
	                                                        deep_patterns_are_refused_at_the_same_depth,
	                                                        	steps_are_charged, NULL});
}
