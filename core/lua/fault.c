/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lua's errors as leat's: the place in `where`, the reason in `text`, the traceback in `detail`.
 *
 * The message handler runs where the error was raised, while the stack is still there, so it is the one that looks; the
 * report is made when lua_pcall() has returned. A doomed event keeps the first reason: what unwinding adds is noise.
 */
#include <ctype.h>

#include "lua/vm.h"

/* "score.lua:12: ..." -> the length of "score.lua:12", 0 when the message does not begin so. */
static size_t place_length(const struct leat_lua_vm *vm, const char *message)
{
	size_t n = strlen(vm->script);
	size_t i;

	if (strncmp(message, vm->script, n) != 0 || message[n] != ':')
		return 0;
	for (i = n + 1; isdigit((unsigned char)message[i]); i++)
		;
	return i > n + 1 && message[i] == ':' && message[i + 1] == ' ' ? i : 0;
}

/* Reasons become fields of dead letters, so they have to be UTF-8, whatever a script raises. */
static void copy_text(char *to, size_t size, const char *from, size_t n)
{
	size_t i;

	if (n >= size)
		n = leat_lua_utf8_length(from, size - 1);
	for (i = 0; i < n;) {
		size_t step = leat_lua_utf8_length(from + i, n - i);

		memcpy(to + i, from + i, step);
		i += step;
		if (i < n)
			to[i++] = '?';
	}
	to[n] = '\0';
}

static void make_one_line(char *s)
{
	for (; *s != '\0'; s++)
		if (iscntrl((unsigned char)*s))
			*s = ' ';
}

bool leat_lua_fault_split(const struct leat_lua_vm *vm, const char *message, struct leat_error *err)
{
	size_t n = place_length(vm, message);

	copy_text(err->where, sizeof err->where, message, n);
	if (n > 0)
		message += n + 2;
	copy_text(err->text, sizeof err->text, message, strlen(message));
	make_one_line(err->text);
	return n > 0;
}

/* The line of the script that runs, or that called what runs; else where the function begins that was called. */
static void look_up_place(lua_State *L, const struct leat_lua_vm *vm, struct leat_error *err)
{
	lua_Debug ar;
	int level;

	if (vm->ctx != NULL)
		(void)snprintf(err->where, sizeof err->where, "%s:%d", vm->script, vm->line);
	else
		(void)snprintf(err->where, sizeof err->where, "%s", vm->script);
	for (level = 0; lua_getstack(L, level, &ar); level++) {
		if (lua_getinfo(L, "l", &ar) && ar.currentline > 0) {
			(void)snprintf(err->where, sizeof err->where, "%s:%d", vm->script, ar.currentline);
			return;
		}
	}
}

/* Raises (out of memory). */
static void take_traceback(lua_State *L, const struct leat_lua_vm *vm, struct leat_error *err)
{
	const char *text;

	luaL_traceback(L, L, NULL, 1);
	text = lua_tostring(L, -1);
	err->detail[0] = '\0';
	if (strstr(text, vm->script) != NULL) /* a mistake in the syntax has none that says anything */
		copy_text(err->detail, sizeof err->detail, text, strlen(text));
	lua_pop(L, 1);
}

int leat_lua_fault_handle(lua_State *L)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	struct leat_error *err = &vm->reason;

	if (vm->doom != LEAT_LUA_SOUND)
		return 1;
	memset(err, 0, sizeof *err);
	if (lua_type(L, 1) == LUA_TSTRING || lua_type(L, 1) == LUA_TNUMBER) {
		if (!leat_lua_fault_split(vm, lua_tostring(L, 1), err))
			look_up_place(L, vm, err);
	} else {
		(void)snprintf(err->text, sizeof err->text, "raised an error that is no text but a %s", luaL_typename(L, 1));
		look_up_place(L, vm, err);
	}
	take_traceback(L, vm, err);
	return 1;
}

_Noreturn void leat_lua_fault_doom(lua_State *L, enum leat_lua_doom doom, const char *text)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);

	if (vm->doom == LEAT_LUA_SOUND) {
		vm->doom = doom;
		memset(&vm->reason, 0, sizeof vm->reason);
		copy_text(vm->reason.text, sizeof vm->reason.text, text, strlen(text));
		make_one_line(vm->reason.text);
		look_up_place(L, vm, &vm->reason);
		lua_sethook(L, lua_gethook(L), LUA_MASKCOUNT, 1);
		take_traceback(L, vm, &vm->reason);
	}
	lua_pushliteral(L, "the event is lost");
	(void)lua_error(L);
	abort(); /* lua_error() does not return, but does not say so */
}

static enum leat_status report_shortage(const struct leat_lua_vm *vm, enum leat_status as, struct leat_error *err)
{
	(void)leat_error_set(err, as, 0, "needs more than %zu bytes of memory", vm->bytes_limit);
	if (err != NULL && vm->short_line > 0)
		(void)snprintf(err->where, sizeof err->where, "%s:%d", vm->script, vm->short_line);
	else
		(void)leat_error_at(err, vm->script);
	return as;
}

enum leat_status leat_lua_fault_report(struct leat_lua_vm *vm, int status, enum leat_status as, struct leat_error *err)
{
	const char *message = lua_type(vm->L, -1) == LUA_TSTRING ? lua_tostring(vm->L, -1) : "raised an error while "
		"handling one";

	if (status == LUA_ERRMEM && vm->doom == LEAT_LUA_SOUND)
		vm->doom = LEAT_LUA_OVER_MEMORY;
	if (status == LUA_ERRERR && vm->doom == LEAT_LUA_SOUND) {
		memset(&vm->reason, 0, sizeof vm->reason);
		if (!leat_lua_fault_split(vm, message, &vm->reason))
			(void)snprintf(vm->reason.where, sizeof vm->reason.where, "%s", vm->script);
	}
	lua_pop(vm->L, 1);
	if (vm->doom == LEAT_LUA_OVER_MEMORY && vm->arena_bytes <= vm->bytes_limit)
		return report_shortage(vm, as, err);
	if (err != NULL) {
		*err = vm->reason;
		err->status = as;
	}
	return as;
}
