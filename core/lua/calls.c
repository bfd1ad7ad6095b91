/* SPDX-License-Identifier: Apache-2.0 */
/* What scripts ask of the host: emit(), key(), event_time(), now(), offset(), log(), reject(), set_timer(),
 * set_event_timer(), watermark(). */
#include <math.h>

#include "lua/vm.h"

enum { EMIT_COST = 100, EMIT_BYTES = 256, LOG_COST = 1000, LOG_BYTES = 400, LOGS_PER_SECOND = 20 };

#define MAX_DELAY_S (100.0 * 366 * 86400)

struct leat_context *leat_lua_context(lua_State *L, const char *function)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);

	if (vm->ctx == NULL)
		luaL_error(L, "\"%s\" can be called while an event is processed, not while the script is loaded", function);
	return vm->ctx;
}

/* Raises. */
static uint32_t port_number(lua_State *L, const struct leat_lua_vm *vm, const char *name)
{
	uint32_t i;

	for (i = 0; i < vm->n_ports; i++)
		if (strcmp(vm->ports[i], name) == 0)
			return i;
	(void)luaL_error(L, "script has no port \"%s\": add it to \"ports\"", name);
	return LEAT_NO_PORT;
}

/* emit(event), emit(table), emit(port, event), emit(port, table) */
static int emit(lua_State *L)
{
	struct leat_context *ctx = leat_lua_context(L, "emit");
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	struct leat_lua_node *node;
	struct leat_value value;
	uint32_t port = 0;
	int what = 1;

	if (lua_gettop(L) > 1) {
		port = port_number(L, vm, luaL_checkstring(L, 1));
		what = 2;
	} else if (lua_type(L, 1) == LUA_TSTRING) {
		return luaL_error(L, "cannot emit a text alone: write emit(\"out\", text), or emit(port, event)");
	}
	luaL_argcheck(L, !lua_isnoneornil(L, what), what, "nothing to emit: an event or a table is needed");
	leat_lua_charge(L, EMIT_COST);
	leat_lua_budget_take(L, EMIT_BYTES);
	node = leat_lua_event_node(L, what);
	value = node != NULL ? leat_lua_event_build(L, node) : leat_lua_pull(L, what, LEAT_LUA_OF_EVENT, NULL);
	leat_emit_value(ctx, port, vm->record, value);
	return 0;
}

static int key(lua_State *L)
{
	(void)leat_lua_context(L, "key");
	leat_lua_push_table(L, &leat_lua_vm_of(L)->record->key);
	return 1;
}

static int event_time(lua_State *L)
{
	int64_t time_us;

	(void)leat_lua_context(L, "event_time");
	time_us = leat_lua_vm_of(L)->record->time_us;
	if (time_us == LEAT_NO_TIME)
		lua_pushnil(L);
	else
		lua_pushinteger(L, time_us);
	return 1;
}

static int now(lua_State *L)
{
	lua_pushinteger(L, leat_now(leat_lua_context(L, "now")));
	return 1;
}

static int watermark(lua_State *L)
{
	int64_t us = leat_watermark(leat_lua_context(L, "watermark"));

	if (us == LEAT_NO_TIME)
		lua_pushnil(L);
	else
		lua_pushinteger(L, us);
	return 1;
}

static int offset(lua_State *L)
{
	const struct leat_record *record;

	(void)leat_lua_context(L, "offset");
	record = leat_lua_vm_of(L)->record;
	lua_pushinteger(L, record->origin.offset);
	lua_pushinteger(L, record->origin.partition);
	return 2;
}

/* L3: reject() cannot be caught, as the event is already on its way to the dead letters. */
static int reject(lua_State *L)
{
	(void)leat_lua_context(L, "reject");
	if (lua_isnoneornil(L, 1))
		lua_pushliteral(L, "rejected");
	else
		leat_lua_sandbox_text(L, 1);
	leat_lua_fault_doom(L, LEAT_LUA_REJECTED, lua_tostring(L, -1));
}

/* Raises. What log() says about one of its arguments, pushed: tables and nodes as JSON. */
static void push_said(lua_State *L, int index)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	struct leat_value value;

	if (!lua_istable(L, index) || luaL_getmetafield(L, index, "__tostring") != LUA_TNIL) {
		leat_lua_sandbox_text(L, index);
		return;
	}
	value = leat_lua_pull(L, index, LEAT_LUA_OF_EVENT, NULL);
	vm->text.n = 0;
	if (leat_encode(vm->ctx, &value, &vm->text, NULL) == LEAT_OK)
		lua_pushlstring(L, vm->text.data != NULL ? vm->text.data : "", vm->text.n);
	else
		lua_pushliteral(L, "table");
}

/* At most so many lines in a second, that a rule which logs every event does not fill a disk. */
static bool may_log(struct leat_lua_vm *vm)
{
	int64_t second = leat_now(vm->ctx) / 1000000;

	if (second != vm->log_second) {
		if (vm->n_logged > LOGS_PER_SECOND)
			leat_log(vm->ctx, LEAT_WARNING, "%s: %u more lines were not logged", vm->script,
				vm->n_logged - LOGS_PER_SECOND);
		vm->log_second = second;
		vm->n_logged = 0;
	}
	return ++vm->n_logged <= LOGS_PER_SECOND;
}

static int write_log(lua_State *L)
{
	struct leat_context *ctx = leat_lua_context(L, "log");
	int n = lua_gettop(L);
	luaL_Buffer line;
	int i;

	leat_lua_charge(L, LOG_COST);
	for (i = 1; i <= n; i++) {
		luaL_checkstack(L, 2, "too much to log");
		push_said(L, i);
		lua_replace(L, i);
	}
	luaL_buffinit(L, &line);
	for (i = 1; i <= n; i++) {
		if (i > 1)
			luaL_addchar(&line, '\t');
		lua_pushvalue(L, i);
		luaL_addvalue(&line);
	}
	luaL_pushresult(&line);
	if (may_log(leat_lua_vm_of(L)))
		leat_log(ctx, LEAT_INFO, "%.*s", (int)LOG_BYTES, lua_tostring(L, -1));
	return 0;
}

/* Raises. With the tag at index 2. */
static int set(lua_State *L, struct leat_context *ctx, enum leat_clock clock, int64_t due_us)
{
	const struct leat_lua_vm *vm = leat_lua_vm_of(L);
	struct leat_timer timer;
	struct leat_error err;

	if (!vm->has_timer)
		return luaL_error(L, "script has no function \"timer\"");
	leat_lua_charge(L, EMIT_COST);
	memset(&timer, 0, sizeof timer);
	timer.clock = clock;
	timer.due_us = due_us;
	timer.tag = luaL_optinteger(L, 2, 0);
	timer.key = vm->record->key;
	memset(&err, 0, sizeof err);
	if (leat_timer_set(ctx, &timer, &err) != LEAT_OK)
		return luaL_error(L, "%s", err.text);
	return 0;
}

/* set_timer(delay in seconds, tag) */
static int set_timer(lua_State *L)
{
	struct leat_context *ctx = leat_lua_context(L, "set_timer");
	lua_Number delay_s = luaL_checknumber(L, 1);

	luaL_argcheck(L, delay_s >= 0 && delay_s <= MAX_DELAY_S, 1, "not a number of seconds from 0 to a hundred years");
	return set(L, ctx, LEAT_PROCESSING_TIME, leat_now(ctx) + (int64_t)llround(delay_s * 1e6));
}

/* set_event_timer(time in microseconds, tag) */
static int set_event_timer(lua_State *L)
{
	struct leat_context *ctx = leat_lua_context(L, "set_event_timer");

	return set(L, ctx, LEAT_EVENT_TIME, luaL_checkinteger(L, 1));
}

/* set_endless_timer(time in microseconds, tag) */
static int set_endless_timer(lua_State *L)
{
	struct leat_context *ctx = leat_lua_context(L, "set_endless_timer");

	return set(L, ctx, LEAT_ENDLESS_TIME, luaL_checkinteger(L, 1));
}

void leat_lua_calls_open(lua_State *L)
{
	static const luaL_Reg calls[] = {{"emit", emit},
	                                 {"event_time", event_time},
	                                 {"key", key},
	                                 {"log", write_log},
	                                 {"now", now},
	                                 {"offset", offset},
	                                 {"print", write_log},
	                                 {"reject", reject},
	                                 {"set_endless_timer", set_endless_timer},
	                                 {"set_event_timer", set_event_timer},
	                                 {"set_timer", set_timer},
	                                 {"watermark", watermark},
	                                 {NULL, NULL}};

	luaL_setfuncs(L, calls, 0);
}
