/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_LUA_PATTERN_H
#define LEAT_LUA_PATTERN_H

#include "lua/vm.h"

/* Matching with Lua's patterns, one step at a time. Everything here raises. */

enum { LEAT_LUA_CAPTURES = 32 };

struct leat_lua_match {
	lua_State *L;
	const char *s; /* the subject */
	const char *s_end;
	const char *p_end; /* of the pattern, which a '\0' follows */
	int64_t allowed;   /* steps, by the last resume() */
	int64_t steps;     /* left of them */
	int depth;         /* of recursion, still allowed */
	int n_captures;
	struct {
		const char *from;
		ptrdiff_t n; /* or one of the two below */
	} capture[LEAT_LUA_CAPTURES];
};

enum { LEAT_LUA_CAPTURE_OPEN = -1, LEAT_LUA_CAPTURE_POSITION = -2 };

/* What is left of the event's budget becomes steps, and back. Around each call into Lua, and at the end. */
void leat_lua_match_resume(struct leat_lua_match *m);
void leat_lua_match_pause(struct leat_lua_match *m);
/* The end of a match that begins at `s`, NULL when there is none. */
const char *leat_lua_match_at(struct leat_lua_match *m, const char *s, const char *p);
/* Pushes capture `i` from 0; the whole match when there are no captures and `i` is 0. */
void leat_lua_match_push(struct leat_lua_match *m, int i, const char *from, const char *until);
/* Pushes all, or the whole match when there are none and `from` is not NULL. Returns how many. */
int leat_lua_match_push_all(struct leat_lua_match *m, const char *from, const char *until);
/* Where `what` stands first in the subject from `s` on. */
const char *leat_lua_match_plain(struct leat_lua_match *m, const char *s, const char *what, size_t n);

#endif
