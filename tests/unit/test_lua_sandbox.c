/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <time.h>

#include "unit/lua_kit.h"
#include "unit/unit.h"

/* What a script must not be able to do. Bodies are those of process(event, state). */

#define OVER_BUDGET "used more than 1000000 instructions"

static double cpu_s(void)
{
	struct timespec now;

	ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct kit *open_body(const char *body)
{
	char script[4096];

	(void)snprintf(script, sizeof script, "local shared = {list={1,2,3}, f=function() return 1 end}\nlocal class "
		"= {} class.__index = class\n"
	                                      "function helper(x) return x end\nfunction process(event, state)\nif "
	                                      	"event.fine then emit(event) return end\n"
	                                      "%s\nend\n", body);
	return kit_open(script);
}

/* The event is rejected with a reason that contains `text`, in bounded time; state and emissions are as before, and the next
 * event is processed as if nothing had happened. */
static void check_rejected_n(const char *const *bodies, size_t n, const char *text)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct kit *kit = open_body(bodies[i]);
		double before = cpu_s();
		enum leat_status status = kit_push(kit, "{\"a\":1,\"user\":{\"n\":1}}");

		ck_assert_msg(status == LEAT_REJECT, "%s: not rejected", bodies[i]);
		ck_assert_msg(strstr(kit->err.text, text) != NULL, "%s: %s", bodies[i], kit->err.text);
		ck_assert_msg(strncmp(kit->err.where, "score.lua:", 10) == 0, "%s: %s", bodies[i], kit->err.where);
		ck_assert_msg(cpu_s() - before < 6, "%s: took %.1f s", bodies[i], cpu_s() - before);
		ck_assert_uint_eq(kit->n_emissions, 0);
		ck_assert_str_eq(kit_state(kit), "null");
		ck_assert_int_eq(kit_push(kit, "{\"fine\":true}"), LEAT_OK);
		ck_assert_pstr_eq(kit_pull(kit, 0), "{\"fine\":true}");
		kit_close(kit);
	}
}

#define check_rejected(bodies, text) check_rejected_n((bodies), sizeof(bodies) / sizeof(bodies)[0], (text))

/* The body emits {ok=true}. */
static void check_holds_n(const char *const *bodies, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct kit *kit = open_body(bodies[i]);
		enum leat_status status = kit_push(kit, "{\"a\":1,\"user\":{\"n\":1}}");
		const char *out;

		ck_assert_msg(status == LEAT_OK, "%s: %s: %s", bodies[i], kit->err.where, kit->err.text);
		out = kit_pull(kit, 0);
		ck_assert_msg(out != NULL && strcmp(out, "{\"ok\":true}") == 0, "%s: %s", bodies[i],
			out == NULL ? "nothing" : out);
		kit_close(kit);
	}
}

#define check_holds(bodies) check_holds_n((bodies), sizeof(bodies) / sizeof(bodies)[0])

START_TEST(what_reaches_out_is_not_there)
{
	static const char *const bodies[] = {
		"emit{ok = io == nil and os == nil and package == nil and debug == nil and require == nil and "
			"coroutine == nil}",
		"emit{ok = load == nil and loadstring == nil and dofile == nil and loadfile == nil and collectgarbage "
			"== nil and xpcall == nil}",
		"emit{ok = rawset == nil and warn == nil and _G == nil and string.dump == nil and string.pack == nil "
			"and math.randomseed == nil}",
		"emit{ok = ('x').dump == nil and next(getmetatable('') or {}) == nil}",
	};

	check_holds(bodies);
}
END_TEST

START_TEST(only_the_listed_globals_are_there)
{
	static const char *const bodies[] = {
		"local n = {} for k in pairs(_ENV) do n[#n + 1] = k end table.sort(n) emit{ok = table.concat(n, ' ') == "
		"'assert emit error event_time getmetatable helper ipairs key list log math next now offset pairs "
			"pcall print process rawequal "
		"rawget rawlen reject select set_endless_timer set_event_timer set_timer setmetatable settings string table tonumber tostring type "
		"utf8 watermark'}",
	};

	check_holds(bodies);
}
END_TEST

START_TEST(bytecode_is_not_loaded)
{
	struct kit *kit = kit_refused("\x1bLuaT and so on");

	ck_assert_ptr_nonnull(strstr(kit->err.text, "attempt to load a binary chunk"));
	kit_close(kit);
}
END_TEST

START_TEST(endless_loops_end)
{
	static const char *const bodies[] = {
		"while true do end",
		"repeat until false",
		"for i = 1, math.huge do end",
		"::top:: goto top",
		"local function f() return f() end f()",
		"for i = 1, 1e18 do state.n = i end",
		"state.x = 1 emit(event) while true do end",
		"setmetatable({}, {__index = function(t, k) return t[k .. 'x'] end}) local t = setmetatable({}, "
			"{__index = function() while true do end end}) return t.x",
		"local t <close> = setmetatable({}, {__close = function() while true do end end})",
		"for k in pairs(setmetatable({}, {__pairs = function() return function() return 1 end end})) do end",
		"for k in function() return 1 end do end",
		"table.sort({3, 2, 1, 5, 4, 7}, function(a, b) while true do end end)",
		"(('x'):rep(100)):gsub('x', function() while true do end end)",
		"local t = setmetatable({}, {__lt = function() while true do end end}) return t < t",
		"local t = setmetatable({}, {__concat = function(a) return a .. a end}) return t .. t",
		"tostring(setmetatable({}, {__tostring = function() while true do end end}))",
		"while true do emit(event) end",
		"while true do log('x') end",
		"for x in ('a'):rep(10000):gmatch('') do for y in ('a'):rep(10000):gmatch('') do end end",
	};

	check_rejected(bodies, "");
}
END_TEST

START_TEST(pcall_does_not_swallow_the_end_of_the_budget)
{
	static const char *const bodies[] = {
		"while true do pcall(function() while true do end end) end",
		"pcall(function() while true do end end)",
		"local ok = pcall(pcall, pcall, function() while true do end end) emit{ok=ok}",
		"while true do pcall(error) end",
		"while true do pcall(error, {}) end",
		"while true do pcall(string.rep) end",
		"while true do local ok, e = pcall(error, setmetatable({}, {__tostring = function() while true do end "
			"end})) end",
		"local t <close> = setmetatable({}, {__close = function() pcall(function() while true do end end) "
			"end}) while true do end",
		"pcall(function() local t <close> = setmetatable({}, {__close = function() while true do end end}) "
			"while true do end end)",
	};

	check_rejected(bodies, OVER_BUDGET);
}
END_TEST

START_TEST(pcall_catches_ordinary_errors)
{
	static const char *const bodies[] = {
		"local ok, why = pcall(error, 'x') emit{ok = not ok and why == 'x'}",
		"local ok, a, b = pcall(function(...) return ... end, 1, 2) emit{ok = ok and a == 1 and b == 2}",
		"local ok, why = pcall(function() local x = nil; x.y = 1 end) emit{ok = not ok and "
			"why:find('score.lua:6:', 1, true) == 1}",
		"local ok, why = pcall(emit, 'nowhere', {}) emit{ok = not ok}",
		"local ok = pcall(function() event.x = 0/0 end) emit{ok = not ok and event.x == nil}",
	};

	check_holds(bodies);
}
END_TEST

START_TEST(deep_recursion_is_an_error_and_no_crash)
{
	static const char *const bodies[] = {
		"local function f(n) return f(n + 1) + 1 end f(1)",
		"local function f() return pcall(f) + 1 end f()",
		"local function f() pcall(f) f() end f()",
		"local t = {} for i = 1, 300 do t = setmetatable({}, {__index = t}) end return t.x + 1",
		"local function f(s) return (s:gsub('.', f)) end f('x')",
		"local t = setmetatable({}, {}) getmetatable(t).__index = function(_, k) return t[k] end return t.x",
		"local function f(a, b) table.sort({1, 2, 3}, f) end f()",
		"local t = {} for i = 1, 100000 do t = {t} end emit(t)",
		"local t = {} for i = 1, 100000 do t = {t} end state.t = t",
		"return ('('):rep(100000):find(('('):rep(100000))",
		"return ('x'):rep(1000):find(('x?'):rep(1000) .. 'y')",
		"local t = setmetatable({}, {__tostring = function(t) return tostring(t) end}) tostring(t)",
	};

	check_rejected(bodies, "");
}
END_TEST

START_TEST(patterns_that_explode_end)
{
	static const char *const bodies[] = {
		"return ('a'):rep(4000):find(('a*'):rep(3) .. 'b')",
		"return ('a'):rep(30000):gsub('.-b', '')",
		"return ('a'):rep(30000):match(('.-'):rep(20) .. 'b')",
		"for x in ('a'):rep(30000):gmatch('.-b') do end",
		"return ('('):rep(100000):gsub('%b()', '')",
		"return ('a'):rep(1000000):find(('a'):rep(500000) .. 'b', 1, true)",
		"while true do pcall(string.find, ('a'):rep(4000), ('a*'):rep(3) .. 'b') end",
		"local set = '[' .. ('b'):rep(100000) .. ']' for i = 1, 1000 do (('a'):rep(1000)):find(set) end",
		"return (('a'):rep(20000)):gsub('(a*)b', '%1')",
		"local s = ('a'):rep(50000) return (s .. s):find('^(a-)%1b')",
	};

	check_rejected(bodies, OVER_BUDGET);
}
END_TEST

START_TEST(work_in_library_functions_is_charged)
{
	static const char *const bodies[] = {
		"table.move({}, 1, 1 << 33, 2)",
		"table.concat(setmetatable({}, {__index = function() return '' end}), '', 1, 1 << 60)",
		"table.concat({}, '', 1, 1 << 40)",
		"table.unpack({}, 1, 1e7)",
		"table.sort(setmetatable({}, {__len = function() return 1 << 30 end, __index = function() return 1 end}))",
		"table.insert(setmetatable({}, {__len = function() return 1 << 40 end}), 1, 1)",
		"table.remove(setmetatable({}, {__len = function() return 1 << 40 end}), 1)",
		"local t = {} while true do table.insert(t, 1, 1) end",
		"local s = ('x'):rep(1000000) for i = 1, 1e6 do utf8.len(s) end",
		"local s = ('x'):rep(1000000) for i = 1, 1e6 do s:upper() end",
		"local s = ('x'):rep(1000000) for i = 1, 1e6 do local t = s .. i end",
		"local s = ('1'):rep(1000000) for i = 1, 1e6 do tonumber(s, 10) end",
		"local t = {x = 1} for i = 1, 60 do t = {a = t, b = t} end emit(t)",
		"local t = {x = 1} for i = 1, 60 do t = {t, t} end state.t = t",
		"pcall(string.rep, 'x', 1 << 62)",
		"string.rep('x', 5e6) string.rep('', 1e7, 'x') string.rep('y', 5e6)",
	};

	check_rejected(bodies, OVER_BUDGET);
}
END_TEST

START_TEST(library_functions_with_nothing_to_do_return_at_once)
{
	static const char *const bodies[] = {
		"emit{ok = (''):rep(1 << 62) == ''}",
		"emit{ok = (''):rep(1e15, '') == '' and ('x'):rep(-5) == '' and ('ab'):rep(3, '-') == 'ab-ab-ab'}",
		"emit{ok = not pcall(string.rep, 'xx', 1 << 62, 'yy')}",
		"emit{ok = not pcall(string.format, '%p', {})}",
		"emit{ok = not pcall(string.format, '%5p', 'x') and string.format('%%p %d', 1) == '%p 1' and "
			"string.format('%s', {}) == 'table'}",
		"emit{ok = tostring({}) == 'table' and tostring(print) == 'function' and tostring(nil) == 'nil' and "
			"tostring(1.5) == '1.5'}",
		"local l = {3, 1, 2} table.sort(l) table.insert(l, 4) table.insert(l, 1, 0) emit{ok = table.concat(l, "
			"',') == '0,1,2,3,4' and table.remove(l, 1) == 0}",
		"emit{ok = select('#', table.unpack({1, 2, 3})) == 3 and utf8.len('\\u{e4}b') == 2 and tonumber('ff', "
			"16) == 255}",
	};

	check_holds(bodies);
}
END_TEST

START_TEST(single_instructions_that_take_long_end_too)
{
	static const char *const bodies[] = {
		"local a, b = ('x'):rep(3000000), ('x'):rep(2999999) .. 'x' local n = 0 for i = 1, 1e9 do if a == b "
			"then n = n + 1 end end",
	};

	check_rejected(bodies, "");
}
END_TEST

START_TEST(memory_is_bounded)
{
	static const char *const bodies[] = {
		"local t = {} while true do t[#t + 1] = {} end",
		"local s = 'x' while true do s = s .. s end",
		"string.rep('x', 1 << 30)",
		"local t = {} for i = 1, 1e9 do t[i] = i end",
		"local t = {} for i = 1, 1e9 do t['k' .. i] = i end",
		"pcall(string.rep, 'x', 1 << 28) emit{}",
		"pcall(function() local s = 'x' while true do s = s .. s end end) emit{}",
		"table.concat({('x'):rep(6e6), ('y'):rep(6e6)})",
		"local s = ('x'):rep(100000) for i = 1, 1e9 do event['f' .. i] = s .. i end",
		"for i = 1, 1e9 do state['f' .. i] = i end",
		"local s = ('x'):rep(100000) for i = 1, 1000 do emit{s = s .. i} end",
	};

	check_rejected(bodies, "");
}
END_TEST

START_TEST(running_out_of_memory_says_so_with_the_line)
{
	const char *script = "function process(event)\n  local t = {}\n  for i = 1, 1e9 do\n    t[i] = i\n  end\nend\n";
	struct kit *kit = kit_open_with(script, strlen(script), &(struct kit_options){.memory = 1 << 20,
		.instructions = 1000000000});

	ck_assert_int_eq(kit_push(kit, "{}"), LEAT_REJECT);
	ck_assert_str_eq(kit->err.where, "score.lua:4");
	ck_assert_str_eq(kit->err.text, "needs more than 1048576 bytes of memory");
	kit_close(kit);
}
END_TEST

START_TEST(shared_things_cannot_be_changed)
{
	static const char *const bodies[] = {
		"_ENV['n' .. event.a] = 1",
		"local e = _ENV e.n = 1",
		"shared.x = 1",
		"shared.list[1] = 5",
		"shared.list[#shared.list + 1] = 5",
		"table.insert(shared.list, 5)",
		"table.remove(shared.list)",
		"table.sort(shared.list, function(a, b) return a > b end)",
		"table.move({9}, 1, 1, 1, shared.list)",
		"shared.f = nil",
		"class.method = function() end",
		"string.rep = nil",
		"math.pi = 3",
		"table.insert = function() end",
		"settings.limit = 5",
		"setmetatable(shared, {})",
		"setmetatable(_ENV, {})",
		"setmetatable(string, {})",
		"setmetatable(state, {})",
		"getmetatable('').__index = {}",
		"getmetatable(event).__index = {}",
		"getmetatable(shared).__index = {}",
		"local _, t = pairs(shared) t.x = 1",
		"local t = next(shared) and select(2, next({shared})) t.x = 1",
		"local f, t, k = pairs(shared.list) t[1] = 7",
		"list(shared)",
		"local _ENV = _ENV x = 1",
		"local o = setmetatable({}, class) getmetatable(o).x = 1",
		"rawget(_ENV, 'string').x = 1",
	};

	check_rejected(bodies, "");
}
END_TEST

START_TEST(a_global_that_is_assigned_to_is_named)
{
	static const char *const bodies[] = {"_ENV['co' .. 'unt'] = (count or 0) + 1"};

	check_rejected(bodies, "cannot assign to global \"count\" once the script is loaded: keep it in state");
}
END_TEST

START_TEST(an_assignment_to_a_global_is_found_when_the_script_is_loaded)
{
	static const char *const scripts[] = {
		"\nfunction process() count = (count or 0) + 1 end",
		"\nfunction process() local function f() return function() count = 1 end end f()() end",
		"local t = {}\nfunction t.add() count = 1 end\nfunction process() t.add() end",
		"\nfunction process() function count() end end",
		"\nfunction process() _ENV.count = 1 end",
		"local env = _ENV\nfunction process() env.count = 1 end",
		"local m = setmetatable({}, {\n__index = function() count = 1 end}) function process() return m.x end",
	};
	size_t i;

	for (i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
		struct kit *kit = kit_refused(scripts[i]);

		ck_assert_str_eq(kit->err.where, "score.lua:2");
		ck_assert_str_eq(kit->err.text, "cannot assign to global \"count\" in a function: keep it in state, "
			"or make it a local");
		kit_close(kit);
	}
}
END_TEST

START_TEST(the_environment_is_frozen_however_it_is_reached)
{
	static const char *const scripts[] = {
		"local g = _ENV function process() g.x = 1 end",
		"local g = {_ENV} function process() g[1].x = 1 end",
		"local function env() return _ENV end function process() env().x = 1 end",
		"function process() local _ENV <const> = _ENV x = 1 end",
		"local function set(t) t.x = 1 end function process() set(_ENV) end",
		"self = _ENV function process() self.x = 1 end",
		"local t = setmetatable({}, {__index = _ENV, __newindex = _ENV}) function process() t.x = 1 end",
	};
	size_t i;

	for (i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
		struct kit *kit = kit_try(scripts[i]);

		ck_assert_msg(kit->err.status == LEAT_FATAL || kit_push(kit, "{}") == LEAT_REJECT, "%s", scripts[i]);
		ck_assert_int_eq(strncmp(kit->err.text, "cannot assign to ", 17), 0);
		kit_close(kit);
	}
}
END_TEST

START_TEST(a_script_with_more_names_than_an_instruction_can_hold_works)
{
	char *script = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&script, &n);
	struct kit *kit;
	int i;

	fprintf(out, "local t = {}\nfunction process(e)\nlocal s = 0\n");
	for (i = 0; i < 400; i++)
		fprintf(out, "s = s + (e.f%d or %d) + #tostring(%d.5)\n", i, i, i);
	fprintf(out, "emit{s=s}\nend\n");
	(void)fclose(out);
	kit = kit_open(script);
	ck_assert_int_eq(kit_push(kit, "{\"f7\":1007}"), LEAT_OK);
	ck_assert_pstr_eq(kit_pull(kit, 0), "{\"s\":82690}");
	kit_close(kit);
	free(script);
}
END_TEST

START_TEST(frozen_tables_are_read_like_others)
{
	static const char *const bodies[] = {
		"local n = 0 for k, v in pairs(shared) do n = n + 1 end for i, v in ipairs(shared.list) do n = n + v "
			"end emit{ok = n == 8 and #shared.list == 3}",
		"emit{ok = next(shared) ~= nil and rawget(shared.list, 2) == 2 and rawlen(shared.list) == 3 and "
			"shared.f() == 1}",
		"emit{ok = table.concat(shared.list, '') == '123' and select('#', table.unpack(shared.list)) == 3 and "
			"math.pi > 3}",
		"local o = setmetatable({x = 1}, class) emit{ok = getmetatable(o) == class and o.y == nil and o.x == 1}",
		"local _ENV = {emit = emit} x = 1 emit{ok = x == 1}",
		"local t = {} t.x = 1 t[1] = 2 emit{ok = helper(t) == t}",
	};

	check_holds(bodies);
}
END_TEST

START_TEST(classes_work)
{
	const char *script = "local Base = {} Base.__index = Base function Base.new(x) return setmetatable({x = x}, "
		"Base) end function Base:get() return self.x end\n"
	                     "local Sub = setmetatable({}, Base) Sub.__index = Sub Sub.__add = function(a, b) return "
	                     	"a.x + b.x end\n"
	                     "local preset = Base.new(5)\nlocal self = {} setmetatable(self, self) self.__index = {q = 3}\n"
	                     "function process() local s = setmetatable({x = 2}, Sub) emit{a = Base.new(1):get(), b = "
	                     	"s:get(), c = preset:get(), d = s + s, q = self.q} end";
	struct kit *kit = kit_open(script);

	ck_assert_int_eq(kit_push(kit, "{}"), LEAT_OK);
	ck_assert_pstr_eq(kit_pull(kit, 0), "{\"a\":1,\"b\":2,\"c\":5,\"d\":4,\"q\":3}");
	kit_close(kit);
}
END_TEST

START_TEST(metatables_with_finalizers_or_weak_tables_are_refused)
{
	static const char *const bodies[] = {
		"setmetatable({}, {__gc = function() while true do end end})",
		"setmetatable({}, {__mode = 'k'})",
		"local m = {} setmetatable({}, m) m.__gc = print setmetatable({}, m)",
	};

	check_rejected(bodies, "a metatable cannot have a field");
}
END_TEST

START_TEST(a_metatable_that_gets_a_finalizer_later_has_none)
{
	static const char *const bodies[] = {
		"do local m = {} local t = setmetatable({}, m) m.__gc = function() while true do end end end for i = "
			"1, 1000 do local x = {i} end emit{ok = true}",
	};

	check_holds(bodies);
}
END_TEST

START_TEST(random_numbers_come_from_the_host)
{
	const char *script = "function process() local t = {} for i = 1, 5 do t[i] = math.random(10) end t[6] = "
		"math.random(5, 5) "
	                     "local f = math.random() emit{t = t, ok = f >= 0 and f < 1 and math.type(math.random(0, "
	                     	"-1 >> 1)) == 'integer'} end";
	struct kit *a = kit_open(script), *b = kit_open(script);
	const char *first;

	ck_assert_int_eq(kit_push(a, "{}"), LEAT_OK);
	ck_assert_int_eq(kit_push(b, "{}"), LEAT_OK);
	first = kit_pull(a, 0);
	ck_assert_ptr_nonnull(strstr(first, "\"ok\":true"));
	ck_assert_ptr_nonnull(strstr(first, ",5]"));
	ck_assert_pstr_eq(first, kit_pull(b, 0));
	kit_close(a);
	kit_close(b);
}
END_TEST

START_TEST(the_same_budget_ends_at_the_same_place_each_time)
{
	const char *script = "function process(e) for i = 1, 1e9 do e.n = i if i % 5000 == 0 then log(i) end end end";
	struct kit *kit = kit_open(script);
	char *first;
	int i;

	ck_assert_int_eq(kit_push(kit, "{}"), LEAT_REJECT);
	first = strdup(kit->logged);
	ck_assert_int_gt(atoi(first), 20000);
	for (i = 1; i < 5; i++) {
		kit->now_us += 1000000;
		ck_assert_int_eq(kit_push(kit, "{}"), LEAT_REJECT);
		ck_assert_str_eq(kit->err.text, OVER_BUDGET);
		ck_assert_str_eq(kit->logged, first);
	}
	free(first);
	kit_close(kit);
}
END_TEST

int main(void)
{
#ifdef __SANITIZE_THREAD__
	/* One thread from end to end, and slowed down so far that clocks decide; test_lua_share has the threads. */
	puts("skipped: nothing here for the thread sanitizer to see");
	return 77;
#endif
	return leat_test_main("lua_sandbox", (const TTest *[]){
						     what_reaches_out_is_not_there,
						     only_the_listed_globals_are_there,
						     bytecode_is_not_loaded,
						     endless_loops_end,
						     pcall_does_not_swallow_the_end_of_the_budget,
						     pcall_catches_ordinary_errors,
						     deep_recursion_is_an_error_and_no_crash,
						     patterns_that_explode_end,
						     work_in_library_functions_is_charged,
						     library_functions_with_nothing_to_do_return_at_once,
						     single_instructions_that_take_long_end_too,
						     memory_is_bounded,
						     running_out_of_memory_says_so_with_the_line,
						     shared_things_cannot_be_changed,
						     a_global_that_is_assigned_to_is_named,
						     an_assignment_to_a_global_is_found_when_the_script_is_loaded,
						     the_environment_is_frozen_however_it_is_reached,
						     a_script_with_more_names_than_an_instruction_can_hold_works,
						     frozen_tables_are_read_like_others,
						     classes_work,
						     metatables_with_finalizers_or_weak_tables_are_refused,
						     a_metatable_that_gets_a_finalizer_later_has_none,
						     random_numbers_come_from_the_host,
						     the_same_budget_ends_at_the_same_place_each_time,
						     NULL });
}
