/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lua's patterns with a budget.
 *
 * The stock matcher is C code that no hook interrupts, and takes exponential time for patterns like ("a*"):rep(20) .. "b".
 * This one means the same by every pattern (a test compares the two), and counts its steps against the instructions that
 * the event has left (L2). The language: Lua 5.4 reference manual, section 6.4.1. A step is one item of a pattern tried on
 * one character; an item that is a set costs as much as it is long.
 */
#include <ctype.h>

#include "lua/pattern.h"

enum { DEPTH = 200 };

void leat_lua_match_resume(struct leat_lua_match *m)
{
	const struct leat_lua_vm *vm = leat_lua_vm_of(m->L);

	m->allowed = vm->budget - vm->spent;
	m->steps = m->allowed;
	m->depth = DEPTH;
	m->n_captures = 0;
}

void leat_lua_match_pause(struct leat_lua_match *m)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(m->L);

	vm->spent += m->allowed - m->steps;
	m->allowed = m->steps;
}

static void step(struct leat_lua_match *m, size_t n)
{
	if (m->steps < (int64_t)n)
		leat_lua_budget_spent(m->L);
	m->steps -= (int64_t)n;
}

/* ---- single characters ------------------------------------------------------------------------------------------- */

/* Behind the class at `p`: x, %x, ., [set]. */
static const char *class_end(const struct leat_lua_match *m, const char *p)
{
	if (*p == '%') {
		if (p + 1 == m->p_end)
			luaL_error(m->L, "malformed pattern (ends with '%%')");
		return p + 2;
	}
	if (*p != '[')
		return p + 1;
	p++;
	if (*p == '^')
		p++;
	do { /* the first one may be a ']' */
		if (p == m->p_end)
			luaL_error(m->L, "malformed pattern (missing ']')");
		if (*p++ == '%' && p < m->p_end)
			p++;
	} while (*p != ']');
	return p + 1;
}

static bool is_in_class(unsigned char c, unsigned char class)
{
	int is_in;

	switch (tolower(class)) {
	case 'a': is_in = isalpha(c); break;
	case 'c': is_in = iscntrl(c); break;
	case 'd': is_in = isdigit(c); break;
	case 'g': is_in = isgraph(c); break;
	case 'l': is_in = islower(c); break;
	case 'p': is_in = ispunct(c); break;
	case 's': is_in = isspace(c); break;
	case 'u': is_in = isupper(c); break;
	case 'w': is_in = isalnum(c); break;
	case 'x': is_in = isxdigit(c); break;
	case 'z': is_in = c == '\0'; break; /* from Lua 5.1, still there */
	default: return class == c;
	}
	return isupper(class) ? is_in == 0 : is_in != 0;
}

/* `p` at the '[', `last` at the ']'. */
static bool is_in_set(unsigned char c, const char *p, const char *last)
{
	bool is_in = true;

	if (p[1] == '^') {
		is_in = false;
		p++;
	}
	while (++p < last) {
		if (*p == '%') {
			p++;
			if (is_in_class(c, (unsigned char)*p))
				return is_in;
		} else if (p[1] == '-' && p + 2 < last) {
			p += 2;
			if ((unsigned char)p[-2] <= c && c <= (unsigned char)*p)
				return is_in;
		} else if ((unsigned char)*p == c) {
			return is_in;
		}
	}
	return !is_in;
}

/* Does the class p..end match the character at `s`? */
static bool is_match(struct leat_lua_match *m, const char *s, const char *p, const char *end)
{
	step(m, (size_t)(end - p));
	if (s >= m->s_end)
		return false;
	switch (*p) {
	case '.': return true;
	case '%': return is_in_class((unsigned char)*s, (unsigned char)p[1]);
	case '[': return is_in_set((unsigned char)*s, p, end - 1);
	default: return *p == *s;
	}
}

/* ---- items ------------------------------------------------------------------------------------------------------- */

static const char *match(struct leat_lua_match *m, const char *s, const char *p);

/* x* and x+, the longest first */
static const char *match_longest(struct leat_lua_match *m, const char *s, const char *p, const char *end)
{
	const char *found;
	ptrdiff_t n = 0;

	while (is_match(m, s + n, p, end))
		n++;
	for (; n >= 0; n--) {
		found = match(m, s + n, end + 1);
		if (found != NULL)
			return found;
	}
	return NULL;
}

/* x-, the shortest first */
static const char *match_shortest(struct leat_lua_match *m, const char *s, const char *p, const char *end)
{
	const char *found;

	for (;; s++) {
		found = match(m, s, end + 1);
		if (found != NULL || !is_match(m, s, p, end))
			return found;
	}
}

static const char *open_capture(struct leat_lua_match *m, const char *s, const char *p, ptrdiff_t n)
{
	const char *found;

	if (m->n_captures >= LEAT_LUA_CAPTURES)
		luaL_error(m->L, "too many captures");
	m->capture[m->n_captures].from = s;
	m->capture[m->n_captures].n = n;
	m->n_captures++;
	found = match(m, s, p);
	if (found == NULL)
		m->n_captures--;
	return found;
}

static const char *close_capture(struct leat_lua_match *m, const char *s, const char *p)
{
	const char *found;
	int i = m->n_captures - 1;

	while (i >= 0 && m->capture[i].n != LEAT_LUA_CAPTURE_OPEN)
		i--;
	if (i < 0)
		luaL_error(m->L, "invalid pattern capture");
	m->capture[i].n = s - m->capture[i].from;
	found = match(m, s, p);
	if (found == NULL)
		m->capture[i].n = LEAT_LUA_CAPTURE_OPEN;
	return found;
}

/* %1 to %9 */
static const char *match_back(struct leat_lua_match *m, const char *s, char digit)
{
	int i = digit - '1';
	size_t n;

	if (i < 0 || i >= m->n_captures || m->capture[i].n == LEAT_LUA_CAPTURE_OPEN)
		luaL_error(m->L, "invalid capture index %%%d", i + 1);
	n = (size_t)m->capture[i].n; /* of a position capture: more than any subject */
	step(m, n < (size_t)(m->s_end - s) ? n / 8 : 0);
	return (size_t)(m->s_end - s) >= n && memcmp(m->capture[i].from, s, n) == 0 ? s + n : NULL;
}

/* %bxy, `p` at the x */
static const char *match_balanced(struct leat_lua_match *m, const char *s, const char *p)
{
	ptrdiff_t n_open = 1;

	if (p + 1 >= m->p_end)
		luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
	if (s >= m->s_end || *s != *p)
		return NULL;
	while (++s < m->s_end) {
		step(m, 1);
		if (*s == p[1]) {
			if (--n_open == 0)
				return s + 1;
		} else if (*s == *p) {
			n_open++;
		}
	}
	return NULL;
}

/* %f[set], `p` at the '[' */
static bool is_frontier(struct leat_lua_match *m, const char *s, const char *p, const char **end)
{
	char before = s == m->s ? '\0' : s[-1];
	char here = s < m->s_end ? *s : '\0';

	if (*p != '[')
		luaL_error(m->L, "missing '[' after '%%f' in pattern");
	*end = class_end(m, p);
	step(m, 2 * (size_t)(*end - p));
	return !is_in_set((unsigned char)before, p, *end - 1) && is_in_set((unsigned char)here, p, *end - 1);
}

/* A class, perhaps with one of * + ? - behind it. Goes on with *p and *s, or has the answer in *found and returns false. */
static bool match_class(struct leat_lua_match *m, const char **s, const char **p, const char **found)
{
	const char *end = class_end(m, *p);

	switch (*end) {
	case '?':
		if (is_match(m, *s, *p, end) && (*found = match(m, *s + 1, end + 1)) != NULL)
			return false;
		*p = end + 1;
		return true;
	case '+':
		*found = is_match(m, *s, *p, end) ? match_longest(m, *s + 1, *p, end) : NULL;
		return false;
	case '*':
	case '-':
		if (is_match(m, *s, *p, end)) {
			*found = *end == '*' ? match_longest(m, *s, *p, end) : match_shortest(m, *s, *p, end);
			return false;
		}
		*p = end + 1;
		return true;
	default:
		*found = NULL;
		if (!is_match(m, *s, *p, end))
			return false;
		++*s;
		*p = end;
		return true;
	}
}

/* %b, %f and %1. False: the '%' begins a class. */
static bool match_special(struct leat_lua_match *m, const char **s, const char **p)
{
	char c = (*p)[1];
	const char *end;

	if (c == 'b') {
		*s = match_balanced(m, *s, *p + 2);
		*p += 4;
	} else if (c == 'f') {
		if (!is_frontier(m, *s, *p + 2, &end))
			*s = NULL;
		*p = end;
	} else if (isdigit((unsigned char)c)) {
		*s = match_back(m, *s, c);
		*p += 2;
	} else {
		return false;
	}
	return true;
}

static const char *match(struct leat_lua_match *m, const char *s, const char *p)
{
	const char *found = NULL;

	if (m->depth-- == 0)
		luaL_error(m->L, "pattern too complex");
	for (;;) {
		step(m, 1);
		if (p == m->p_end) {
			found = s;
			break;
		}
		if (*p == '(') {
			found = p[1] == ')' ? open_capture(m, s, p + 2, LEAT_LUA_CAPTURE_POSITION) : open_capture(m, s, p + 1,
				LEAT_LUA_CAPTURE_OPEN);
			break;
		}
		if (*p == ')') {
			found = close_capture(m, s, p + 1);
			break;
		}
		if (*p == '$' && p + 1 == m->p_end) {
			found = s == m->s_end ? s : NULL;
			break;
		}
		if (*p == '%' && match_special(m, &s, &p)) {
			if (s == NULL)
				break;
		} else if (!match_class(m, &s, &p, &found)) {
			break;
		}
	}
	m->depth++;
	return found;
}

const char *leat_lua_match_at(struct leat_lua_match *m, const char *s, const char *p)
{
	m->n_captures = 0;
	return match(m, s, p);
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

void leat_lua_match_push(struct leat_lua_match *m, int i, const char *from, const char *until)
{
	if (i >= m->n_captures) {
		if (i > 0)
			luaL_error(m->L, "invalid capture index %%%d", i + 1);
		lua_pushlstring(m->L, from, (size_t)(until - from));
	} else if (m->capture[i].n == LEAT_LUA_CAPTURE_POSITION) {
		lua_pushinteger(m->L, m->capture[i].from - m->s + 1);
	} else if (m->capture[i].n == LEAT_LUA_CAPTURE_OPEN) {
		luaL_error(m->L, "unfinished capture");
	} else {
		lua_pushlstring(m->L, m->capture[i].from, (size_t)m->capture[i].n);
	}
}

int leat_lua_match_push_all(struct leat_lua_match *m, const char *from, const char *until)
{
	int n = m->n_captures == 0 && from != NULL ? 1 : m->n_captures;
	int i;

	luaL_checkstack(m->L, n, "too many captures");
	for (i = 0; i < n; i++)
		leat_lua_match_push(m, i, from, until);
	return n;
}

const char *leat_lua_match_plain(struct leat_lua_match *m, const char *s, const char *what, size_t n)
{
	const char *hit;

	if (n == 0)
		return s;
	while ((size_t)(m->s_end - s) >= n) {
		hit = memchr(s, *what, (size_t)(m->s_end - s) - n + 1);
		step(m, (size_t)((hit == NULL ? m->s_end : hit) - s) / 16 + n / 16 + 1);
		if (hit == NULL || memcmp(hit, what, n) == 0)
			return hit;
		s = hit + 1;
	}
	return NULL;
}
