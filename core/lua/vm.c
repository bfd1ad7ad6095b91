/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building a VM around a script, and calling what the script defined.
 *
 * Everything that touches Lua happens below one of the two lua_pcall()s here. The VM stays usable after any error; when it
 * ran out of memory and a collection does not bring it well below its limit, it is built again from the source text, which
 * loses nothing, since nothing of an event lives in it (L1).
 */
#include "base/check.h"
#include "base/memory.h"
#include "lua/vm.h"

enum { LOAD_BUDGET = 10 * 1000 * 1000, MAX_PORTS = 32, TIMER_PARAMETERS = 3 };

/* What stays on the stack of the VM. */
enum { HANDLER = 1, RUN = 2 };

static int run(lua_State *L);

static int on_panic(lua_State *L)
{
	leat_check(lua_gettop(L) < 0 && "a Lua error outside lua_pcall()");
	return 0;
}

/* ---- loading ----------------------------------------------------------------------------------------------------- */

/* The file's name as Lua will say it in messages, which is cut when it is long. */
static void name_script(lua_State *L, struct leat_lua_vm *vm)
{
	const char *slash = strrchr(vm->config.path, '/');
	lua_Debug ar;

	lua_pushfstring(L, "@%s", slash != NULL ? slash + 1 : vm->config.path);
	if (luaL_loadbufferx(L, "", 0, lua_tostring(L, -1), "t") != LUA_OK)
		(void)lua_error(L);
	lua_getinfo(L, ">S", &ar);
	(void)snprintf(vm->script, sizeof vm->script, "%s", ar.short_src);
}

static void push_setting(lua_State *L, const char *text)
{
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		lua_pushboolean(L, text[0] == 't');
	else if (lua_stringtonumber(L, text) == 0)
		lua_pushstring(L, text);
}

static void push_environment(lua_State *L, const struct leat_lua_vm *vm)
{
	size_t i;

	lua_newtable(L);
	leat_lua_sandbox_open(L);
	leat_lua_strings_open(L);
	leat_lua_tables_open(L);
	leat_lua_calls_open(L);
	lua_newtable(L);
	for (i = 0; i < vm->config.settings.n; i++) {
		push_setting(L, vm->config.settings.item[i].text);
		lua_setfield(L, -2, vm->config.settings.item[i].name);
	}
	lua_setfield(L, -2, "settings");
	lua_newtable(L); /* so that the script does not give it another metatable */
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
}

static bool is_port_name(const char *s)
{
	return s[0] >= 'a' && s[0] <= 'z' && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s) && strcmp(s,
		"dead") != 0;
}

static bool has_port(const struct leat_lua_vm *vm, const char *name)
{
	size_t i;

	for (i = 0; i < vm->n_ports; i++)
		if (strcmp(vm->ports[i], name) == 0)
			return true;
	return false;
}

static void add_port(struct leat_lua_vm *vm, const char *name)
{
	vm->ports[vm->n_ports++] = leat_copy_text(name);
}

/* `ports = {"alerts"}`, in the environment on top of the stack. */
static void read_ports(lua_State *L, struct leat_lua_vm *vm)
{
	lua_Integer i, n;

	if (vm->n_ports == 0)
		add_port(vm, "out");
	lua_getfield(L, -1, "ports");
	if (!lua_isnil(L, -1) && !lua_istable(L, -1))
		luaL_error(L, "\"ports\" is a %s, not a list of names", luaL_typename(L, -1));
	n = lua_isnil(L, -1) ? 0 : (lua_Integer)lua_rawlen(L, -1);
	if (n > MAX_PORTS)
		luaL_error(L, "\"ports\" has %I names, more than %d", n, (int)MAX_PORTS);
	for (i = 1; i <= n; i++) {
		lua_rawgeti(L, -1, i);
		if (lua_type(L, -1) != LUA_TSTRING || !is_port_name(lua_tostring(L, -1)))
			luaL_error(L, "name %I in \"ports\" is not of the form [a-z][a-z0-9_]*, or is \"dead\"", i);
		if (!has_port(vm, lua_tostring(L, -1)))
			add_port(vm, lua_tostring(L, -1));
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/* Pushes a function of the environment at `env`, or nil. Returns the number of its parameters, -1: there is none. */
static int push_function(lua_State *L, int env, const char *name, int *line)
{
	lua_Debug ar;

	lua_getfield(L, env, name);
	if (lua_isnil(L, -1))
		return -1;
	if (!lua_isfunction(L, -1) || lua_iscfunction(L, -1))
		luaL_error(L, "\"%s\" is a %s, not a function of the script", name, luaL_typename(L, -1));
	lua_pushvalue(L, -1);
	lua_getinfo(L, ">uS", &ar);
	*line = ar.linedefined;
	return ar.isvararg ? TIMER_PARAMETERS : ar.nparams;
}

static int load_script(lua_State *L)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	int n_parameters, env;

	name_script(L, vm);
	leat_lua_convert_open(L);
	leat_lua_event_open(L);
	leat_lua_state_open(L);
	push_environment(L, vm);
	lua_pushvalue(L, -1);
	lua_rawseti(L, LUA_REGISTRYINDEX, LEAT_LUA_ENV);

	if (luaL_loadbufferx(L, vm->config.source, vm->config.source_n, lua_pushfstring(L, "@%s", vm->script), "t") != LUA_OK)
		return lua_error(L);
	lua_pushvalue(L, -3);
	lua_setupvalue(L, -2, 1);
	leat_lua_locals_check(L, true);
	lua_call(L, 0, 0);
	lua_pop(L, 1);

	read_ports(L, vm);
	env = lua_gettop(L);
	n_parameters = push_function(L, env, "process", &vm->process_line);
	if (n_parameters < 0)
		return luaL_error(L, "script has no function \"process\"");
	vm->has_state = n_parameters > 1;
	vm->has_timer = push_function(L, env, "timer", &vm->timer_line) >= 0;
	leat_lua_freeze(L, env);
	luaL_checkstack(L, LEAT_LUA_UPVALUES, NULL);
	lua_settop(L, env + LEAT_LUA_UPVALUES);
	lua_pushcclosure(L, run, LEAT_LUA_UPVALUES);
	return 1;
}

static enum leat_status build(struct leat_lua_vm *vm, struct leat_error *err)
{
	int status;

	vm->bytes_limit = (size_t)vm->config.memory;
	vm->L = lua_newstate(leat_lua_budget_allocate, vm);
	if (vm->L == NULL) {
		(void)leat_error_set(err, LEAT_FATAL, 0, "a Lua VM cannot be made in %lld bytes", (long long)vm->config.memory);
		return leat_error_at(err, "memory");
	}
	memcpy(lua_getextraspace(vm->L), &vm, sizeof vm);
	vm->n_built++;
	(void)lua_atpanic(vm->L, on_panic);
	lua_gc(vm->L, LUA_GCGEN, 0, 0);
	leat_lua_budget_begin(vm, vm->config.instructions > LOAD_BUDGET ? vm->config.instructions : LOAD_BUDGET);
	lua_pushcfunction(vm->L, leat_lua_fault_handle);
	lua_pushcfunction(vm->L, load_script);
	status = lua_pcall(vm->L, 0, 1, HANDLER); /* leaves RUN */
	return status == LUA_OK ? LEAT_OK : leat_lua_fault_report(vm, status, LEAT_FATAL, err);
}

static void tear_down(struct leat_lua_vm *vm)
{
	if (vm->L != NULL)
		lua_close(vm->L);
	vm->L = NULL;
	vm->n_nodes = 0;
	vm->n_nodes_made = 0;
	vm->is_state_known = false;
	vm->n_names = 0;
}

static void copy_config(struct leat_lua_config *to, const struct leat_lua_config *from)
{
	struct leat_pair *pair = leat_allocate_zeroed(from->settings.n + 1, sizeof *pair);
	size_t i;

	*to = *from;
	to->path = leat_copy_text(from->path);
	to->source = leat_copy_bytes_as_text(from->source, from->source_n);
	for (i = 0; i < from->settings.n; i++)
		pair[i] = (struct leat_pair){leat_copy_text(from->settings.item[i].name),
			leat_copy_text(from->settings.item[i].text)};
	to->settings.item = pair;
}

/* free() takes no const; these were made above and are ours. */
static void release(const void *p)
{
	union {
		const void *in;
		void *out;
	} ours = {.in = p};

	free(ours.out);
}

struct leat_lua_vm *leat_lua_vm_create(const struct leat_lua_config *config, struct leat_error *err)
{
	struct leat_lua_vm *vm = leat_allocate_zeroed(1, sizeof *vm);

	copy_config(&vm->config, config);
	vm->ports = leat_allocate_zeroed(MAX_PORTS + 2, sizeof *vm->ports);
	(void)snprintf(vm->script, sizeof vm->script, "script");
	if (build(vm, err) == LEAT_OK)
		return vm;
	leat_lua_vm_destroy(vm);
	return NULL;
}

void leat_lua_vm_destroy(struct leat_lua_vm *vm)
{
	size_t i;

	if (vm == NULL)
		return;
	tear_down(vm);
	for (i = 0; i < vm->n_ports; i++)
		release(vm->ports[i]);
	for (i = 0; i < vm->config.settings.n; i++) {
		release(vm->config.settings.item[i].name);
		release(vm->config.settings.item[i].text);
	}
	release(vm->config.settings.item);
	release(vm->config.path);
	release(vm->config.source);
	free(vm->ports);
	free(vm->scratch);
	free(vm->node);
	free(vm->opened);
	leat_buffer_finish(&vm->text);
	free(vm);
}

/* ---- calling ----------------------------------------------------------------------------------------------------- */

static int run_timer(lua_State *L, struct leat_lua_vm *vm)
{
	const struct leat_value *old = leat_lua_state_fill(L, &vm->timer->key);

	lua_pushvalue(L, lua_upvalueindex(LEAT_LUA_TIMER));
	leat_lua_push_table(L, &vm->timer->key);
	lua_pushvalue(L, 1);
	lua_pushinteger(L, vm->timer->tag);
	lua_call(L, TIMER_PARAMETERS, 0);
	leat_lua_state_flush(L, 1, &vm->timer->key, old);
	return 0;
}

static int run(lua_State *L)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	const struct leat_value *old;

	if (vm->timer != NULL)
		return run_timer(L, vm);
	if (!vm->has_state) {
		lua_pushvalue(L, lua_upvalueindex(LEAT_LUA_PROCESS));
		leat_lua_event_push(L, &vm->record->value);
		lua_call(L, 1, 0);
		return 0;
	}
	old = leat_lua_state_fill(L, &vm->record->key);
	lua_pushvalue(L, lua_upvalueindex(LEAT_LUA_PROCESS));
	leat_lua_event_push(L, &vm->record->value);
	lua_pushvalue(L, 1);
	lua_call(L, 2, 0);
	leat_lua_state_flush(L, 1, &vm->record->key, old);
	return 0;
}

/* After a shortage the VM may be full of things that the frozen tables do not need, or of an uncollectable rest. */
static enum leat_status recover(struct leat_lua_vm *vm, enum leat_status status, struct leat_error *err)
{
	struct leat_error lost;

	lua_gc(vm->L, LUA_GCCOLLECT);
	if (vm->bytes <= vm->bytes_limit / 2)
		return status;
	tear_down(vm);
	if (build(vm, &lost) == LEAT_OK)
		return status;
	tear_down(vm);
	if (err != NULL)
		*err = lost;
	return LEAT_FATAL;
}

static enum leat_status call(struct leat_lua_vm *vm, const struct leat_timer *timer, const struct leat_record *record,
                             struct leat_context *ctx, struct leat_error *err)
{
	int status;

	vm->ctx = ctx;
	vm->record = record;
	vm->timer = timer;
	vm->line = timer != NULL ? vm->timer_line : vm->process_line;
	leat_lua_budget_begin(vm, vm->config.instructions);
	leat_lua_event_begin(vm);
	lua_pushvalue(vm->L, RUN);
	status = lua_pcall(vm->L, 0, 0, HANDLER);
	vm->ctx = NULL;
	if (status == LUA_OK)
		return LEAT_OK;
	vm->is_state_known = false;
	status = (int)leat_lua_fault_report(vm, status, LEAT_REJECT, err);
	return vm->doom == LEAT_LUA_OVER_MEMORY ? recover(vm, (enum leat_status)status, err) : (enum leat_status)status;
}

enum leat_status leat_lua_vm_process(struct leat_lua_vm *vm, const struct leat_record *record, struct leat_context *ctx,
                                     struct leat_error *err)
{
	return call(vm, NULL, record, ctx, err);
}

enum leat_status leat_lua_vm_timer(struct leat_lua_vm *vm, const struct leat_timer *timer, struct leat_context *ctx,
                                   struct leat_error *err)
{
	struct leat_record record;

	memset(&record, 0, sizeof record);
	record.key = timer->key;
	record.time_us = timer->due_us;
	record.arrival_us = leat_now(ctx);
	record.origin = (struct leat_origin){.source = LEAT_NO_SOURCE, .partition = -1, .offset = -1};
	return vm->has_timer ? call(vm, timer, &record, ctx, err) : LEAT_OK;
}
