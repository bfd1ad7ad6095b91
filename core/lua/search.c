/* SPDX-License-Identifier: Apache-2.0 */
/* string.find, match, gmatch and gsub, as the reference manual has them, on the matcher with a budget. */
#include "lua/pattern.h"

static void begin(struct leat_lua_match *m, lua_State *L, const char *s, size_t n, const char *p, size_t p_n)
{
	m->L = L;
	m->s = s;
	m->s_end = s + n;
	m->p_end = p + p_n;
	leat_lua_match_resume(m);
}

/* A position as scripts give it, from 0; may be behind the end. */
static size_t start_at(lua_Integer at, size_t n)
{
	if (at > 0)
		return (size_t)at - 1;
	if (at == 0 || at < -(lua_Integer)n)
		return 0;
	return n - (size_t)-at;
}

static int push_nothing(lua_State *L)
{
	lua_pushnil(L);
	return 1;
}

/* Pushes first and last position, then the captures. */
static int find_pattern(struct leat_lua_match *m, const char *s, const char *p, bool is_find)
{
	bool is_anchored = *p == '^' && p < m->p_end;
	const char *until;
	int n = 0;

	p += is_anchored;
	do {
		until = leat_lua_match_at(m, s, p);
	} while (until == NULL && s++ < m->s_end && !is_anchored);
	leat_lua_match_pause(m);
	if (until == NULL)
		return push_nothing(m->L);
	if (is_find) {
		lua_pushinteger(m->L, s - m->s + 1);
		lua_pushinteger(m->L, until - m->s);
		n = 2;
	}
	return n + leat_lua_match_push_all(m, is_find ? NULL : s, until);
}

static int find_plain(struct leat_lua_match *m, const char *s, const char *what, size_t n)
{
	const char *hit = leat_lua_match_plain(m, s, what, n);

	leat_lua_match_pause(m);
	if (hit == NULL)
		return push_nothing(m->L);
	lua_pushinteger(m->L, hit - m->s + 1);
	lua_pushinteger(m->L, hit - m->s + (lua_Integer)n);
	return 2;
}

static bool has_specials(const char *p, size_t n)
{
	for (; n > 0; p++, n--)
		if (*p != '\0' && strchr("^$*+?.([%-", *p) != NULL)
			return true;
	return false;
}

static int search(lua_State *L, bool is_find)
{
	struct leat_lua_match m;
	size_t n, p_n, at;
	const char *s = luaL_checklstring(L, 1, &n);
	const char *p = luaL_checklstring(L, 2, &p_n);

	at = start_at(luaL_optinteger(L, 3, 1), n);
	if (at > n)
		return push_nothing(L);
	begin(&m, L, s, n, p, p_n);
	if (is_find && (lua_toboolean(L, 4) || !has_specials(p, p_n)))
		return find_plain(&m, s + at, p, p_n);
	return find_pattern(&m, s + at, p, is_find);
}

int leat_lua_pattern_find(lua_State *L)
{
	return search(L, true);
}

int leat_lua_pattern_match(lua_State *L)
{
	return search(L, false);
}

/* ---- gmatch ------------------------------------------------------------------------------------------------------ */

/* Upvalues: subject, pattern, where to go on (from 0), where the last match ended (from 0, -1: there was none). */
static int next_match(lua_State *L)
{
	struct leat_lua_match m;
	size_t n, p_n;
	const char *s = lua_tolstring(L, lua_upvalueindex(1), &n);
	const char *p = lua_tolstring(L, lua_upvalueindex(2), &p_n);
	lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
	size_t at = (size_t)lua_tointeger(L, lua_upvalueindex(3));
	const char *until;

	begin(&m, L, s, n, p, p_n);
	for (; at <= n; at++) {
		until = leat_lua_match_at(&m, s + at, p);
		if (until == NULL || until - s == last)
			continue;
		leat_lua_match_pause(&m);
		lua_pushinteger(L, until - s);
		lua_copy(L, -1, lua_upvalueindex(3));
		lua_replace(L, lua_upvalueindex(4));
		return leat_lua_match_push_all(&m, s + at, until);
	}
	leat_lua_match_pause(&m);
	lua_pushinteger(L, (lua_Integer)n + 1);
	lua_replace(L, lua_upvalueindex(3));
	return 0;
}

int leat_lua_pattern_gmatch(lua_State *L)
{
	size_t n, at;

	(void)luaL_checklstring(L, 1, &n);
	(void)luaL_checkstring(L, 2);
	at = start_at(luaL_optinteger(L, 3, 1), n);
	lua_settop(L, 2);
	lua_pushinteger(L, (lua_Integer)(at > n ? n + 1 : at));
	lua_pushinteger(L, -1);
	lua_pushcclosure(L, next_match, 4);
	return 1;
}

/* ---- gsub -------------------------------------------------------------------------------------------------------- */

/* Adds the replacement text with its %0..%9 filled in. */
static void add_text(struct leat_lua_match *m, luaL_Buffer *out, const char *from, const char *until)
{
	size_t n;
	const char *r = lua_tolstring(m->L, 3, &n);
	const char *end = r + n;
	const char *mark;

	while ((mark = memchr(r, '%', (size_t)(end - r))) != NULL) {
		luaL_addlstring(out, r, (size_t)(mark - r));
		r = mark + 2;
		if (mark[1] == '%') {
			luaL_addchar(out, '%');
		} else if (mark[1] == '0') {
			luaL_addlstring(out, from, (size_t)(until - from));
		} else if (mark[1] >= '1' && mark[1] <= '9') {
			leat_lua_match_push(m, mark[1] - '1', from, until);
			(void)luaL_tolstring(m->L, -1, NULL); /* a position is a number */
			lua_remove(m->L, -2);
			luaL_addvalue(out);
		} else {
			luaL_error(m->L, "invalid use of '%%' in replacement string");
		}
	}
	luaL_addlstring(out, r, (size_t)(end - r));
}

/* The same for a table or function: false and nil keep what was there. */
static void add_value(struct leat_lua_match *m, luaL_Buffer *out, const char *from, const char *until)
{
	lua_State *L = m->L;

	if (lua_type(L, 3) == LUA_TFUNCTION) {
		lua_pushvalue(L, 3);
		lua_call(L, leat_lua_match_push_all(m, from, until), 1);
	} else {
		leat_lua_match_push(m, 0, from, until);
		lua_gettable(L, 3);
	}
	if (!lua_toboolean(L, -1)) {
		lua_pop(L, 1);
		luaL_addlstring(out, from, (size_t)(until - from));
	} else if (!lua_isstring(L, -1)) {
		luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
	} else {
		luaL_addvalue(out);
	}
}

static void replace(struct leat_lua_match *m, luaL_Buffer *out, const char *from, const char *until)
{
	leat_lua_match_pause(m);
	if (lua_type(m->L, 3) == LUA_TSTRING || lua_type(m->L, 3) == LUA_TNUMBER)
		add_text(m, out, from, until);
	else
		add_value(m, out, from, until);
	leat_lua_match_resume(m);
}

int leat_lua_pattern_gsub(lua_State *L)
{
	struct leat_lua_match m;
	luaL_Buffer out;
	size_t n, p_n;
	const char *s = luaL_checklstring(L, 1, &n);
	const char *p = luaL_checklstring(L, 2, &p_n);
	int type = lua_type(L, 3);
	lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)n + 1);
	bool is_anchored = *p == '^' && p_n > 0;
	const char *last = NULL;
	const char *until;
	lua_Integer n_replaced = 0;

	luaL_argexpected(L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
	                 "string/function/table");
	if (type == LUA_TNUMBER)
		(void)lua_tostring(L, 3); /* in place, so that the buffer below has the top of the stack to itself */
	begin(&m, L, s, n, p, p_n);
	luaL_buffinit(L, &out);
	while (n_replaced < most) {
		until = leat_lua_match_at(&m, s, p + is_anchored);
		if (until != NULL && until != last) {
			n_replaced++;
			replace(&m, &out, s, until);
			s = last = until;
		} else if (s < m.s_end) {
			luaL_addchar(&out, *s);
			s++;
		} else {
			break;
		}
		if (is_anchored)
			break;
	}
	leat_lua_match_pause(&m);
	luaL_addlstring(&out, s, (size_t)(m.s_end - s));
	luaL_pushresult(&out);
	lua_pushinteger(L, n_replaced);
	return 2;
}
