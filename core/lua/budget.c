/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an event may use up, so that a script never holds up a worker or eats its memory.
 *
 * The measure is VM instructions, since it is the same on every machine and run: a script that goes over its budget does
 * so again on a replay. The hook counts them in steps; bytes that Lua asks for and the loops of C functions are charged in
 * the same currency (L2). What remains, single instructions that work on megabytes (comparing two huge texts, a call with
 * a hundred thousand arguments), is caught by a bound on CPU time, far above what any budget allows.
 *
 * A plain hook that raises an error does not end `while true do pcall(f) end`. So the first time over is for good: the
 * event is doomed, pcall() passes the error on (L3), and the hook fires at every instruction that still comes by.
 */
#include <time.h>

#include "base/check.h"
#include "lua/vm.h"

enum {
	HOOK_STEP = 1000,            /* instructions between two looks */
	BYTES_PER_INSTRUCTION = 64,  /* allocated */
	SHORTAGES = 64,              /* times that an event may run into the memory limit and be saved by a collection */
	CPU_FROM_HOOK = 16,          /* looks before the clock is read, which is a system call */
#ifdef __SANITIZE_THREAD__ /* which makes everything many times slower, but not the budget smaller */
	CPU_LIMIT_US = 60 * 1000000,
#else
	CPU_LIMIT_US = 2 * 1000000,
#endif
	LEVELS = 16
};

static int64_t cpu_us(void)
{
	struct timespec now;

	leat_check(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void on_count(lua_State *L, lua_Debug *ar)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);

	(void)ar;
	vm->spent += HOOK_STEP;
	vm->n_hooks++;
	if (vm->doom != LEAT_LUA_SOUND || vm->spent > vm->budget)
		leat_lua_budget_spent(L);
	if (vm->n_hooks == CPU_FROM_HOOK)
		vm->cpu_us = cpu_us();
	else if (vm->n_hooks > CPU_FROM_HOOK && cpu_us() - vm->cpu_us > CPU_LIMIT_US)
		leat_lua_fault_doom(L, LEAT_LUA_OVER_TIME, "used more than 2 s of CPU time");
}

void leat_lua_budget_begin(struct leat_lua_vm *vm, int64_t budget)
{
	vm->budget = budget;
	vm->spent = 0;
	vm->n_hooks = 0;
	vm->arena_bytes = 0;
	vm->doom = LEAT_LUA_SOUND;
	vm->short_line = 0;
	vm->n_scratch = 0;
	lua_sethook(vm->L, on_count, LUA_MASKCOUNT, HOOK_STEP);
}

_Noreturn void leat_lua_budget_spent(lua_State *L)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	char text[96];

	(void)snprintf(text, sizeof text, "used more than %lld instructions", (long long)vm->budget);
	vm->spent = vm->budget + 1;
	leat_lua_fault_doom(L, LEAT_LUA_OVER_BUDGET, text);
}

/* Where the script is. Safe inside the allocator: reads the chain of calls and nothing else. */
static int line_now(lua_State *L)
{
	lua_Debug ar;
	int level;

	for (level = 0; level < LEVELS && lua_getstack(L, level, &ar); level++)
		if (lua_getinfo(L, "l", &ar) && ar.currentline > 0)
			return ar.currentline;
	return 0;
}

/* Lua answers NULL with a full collection and asks once more; each such rescue is dear, so it is charged for. */
static void *refuse(struct leat_lua_vm *vm)
{
	vm->spent += vm->budget / SHORTAGES;
	if (vm->L != NULL)
		vm->short_line = line_now(vm->L);
	return NULL;
}

void *leat_lua_budget_allocate(void *opaque, void *block, size_t old_n, size_t n)
{
	struct leat_lua_vm *vm = opaque;
	void *made;

	if (block == NULL)
		old_n = 0; /* then it is the kind of object */
	if (n == 0) {
		free(block);
		vm->bytes -= old_n;
		return NULL;
	}
	if (n > old_n) {
		if (n - old_n > vm->bytes_limit - vm->bytes)
			return refuse(vm);
		vm->spent += (int64_t)((n - old_n) / BYTES_PER_INSTRUCTION);
		if (vm->spent > vm->budget && vm->L != NULL && lua_gethookcount(vm->L) != 1)
			lua_sethook(vm->L, on_count, LUA_MASKCOUNT, 1); /* look at the next instruction */
	}
	made = realloc(block, n);
	if (made == NULL && n <= old_n)
		return block; /* Lua relies on shrinking */
	if (made != NULL)
		vm->bytes += n - old_n;
	return made;
}

void leat_lua_budget_take(lua_State *L, size_t n)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);

	vm->arena_bytes += n;
	if (vm->arena_bytes > vm->bytes_limit)
		leat_lua_fault_doom(L, LEAT_LUA_OVER_MEMORY, "wrote more bytes than the script may have memory");
	leat_lua_charge(L, n / BYTES_PER_INSTRUCTION);
}

void *leat_lua_budget_arena(lua_State *L, size_t n)
{
	leat_lua_budget_take(L, n);
	return leat_allocate(leat_lua_vm_of(L)->ctx, n);
}
