/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_LUA_VM_H
#define LEAT_LUA_VM_H

#include <lauxlib.h>
#include <lua.h>

#include <leat/host.h>

/*
 * One Lua VM with one script loaded, and the call in hand.
 *
 * Lua's errors are longjmps. A function whose comment says "Raises." may leave that way: it runs inside lua_pcall() only,
 * and holds nothing then that somebody has to give back. Whatever is needed across such a call belongs to the VM (the
 * scratch memory below), to Lua (strings, userdata, luaL_Buffer) or to the arena of the batch. Functions of the type
 * lua_CFunction all raise. A function that says nothing does not raise and may be called from plain C.
 *
 * Rules that hold across the files:
 *  L1  Nothing that a script can change outlives the call that changed it, but for what it left in `state`: everything
 *      reachable once the script is loaded is frozen (freeze.c), locals of the file are not assigned to (locals.c), and
 *      the table of `state` is filled anew for every event (state.c).
 *  L2  Whatever takes time in proportion to something that a script controls is charged to the budget of the event:
 *      instructions by the hook, bytes by the allocator, the work of C functions by leat_lua_charge().
 *  L3  An event that is doomed (over budget, out of memory, rejected) cannot be saved: pcall() raises again.
 *  L4  Userdata that scripts see are nodes of the event (event.h), and nothing else.
 */

enum leat_lua_doom {
	LEAT_LUA_SOUND = 0,
	LEAT_LUA_OVER_BUDGET,
	LEAT_LUA_OVER_TIME,
	LEAT_LUA_OVER_MEMORY,
	LEAT_LUA_REJECTED
};

/* Fixed places in the registry of the VM. */
enum leat_lua_slot {
	LEAT_LUA_ENV = LUA_RIDX_LAST + 1,
	LEAT_LUA_STATE_MARK,  /* metatable of `state` */
	LEAT_LUA_NODES,       /* userdata of nodes, by number */
	LEAT_LUA_NODE_MARK,   /* their metatable */
	LEAT_LUA_LIST_MARK,   /* metatable of list{} */
	LEAT_LUA_SHADOWS,     /* frozen table -> where its fields went, and back */
	LEAT_LUA_SLOTS
};

enum { LEAT_LUA_NAMES = 64 };

/* Upvalues of the C function that calls the script (vm.c), which are reached faster than the registry. */
enum leat_lua_upvalue {
	LEAT_LUA_PROCESS = 1,
	LEAT_LUA_TIMER,
	LEAT_LUA_STATE,      /* the table that scripts see as `state` */
	LEAT_LUA_STATE_NAME, /* the first of the names of its fields */
	LEAT_LUA_UPVALUES = LEAT_LUA_STATE_NAME + LEAT_LUA_NAMES - 1
};

struct leat_lua_config {
	const char *path;
	const char *source;
	size_t source_n;
	int64_t instructions; /* an event may take */
	int64_t memory;       /* bytes that the VM may take */
	struct leat_pairs settings;
};

struct leat_lua_node;

struct leat_lua_name {
	const char *s; /* of a Lua string */
	size_t n;
};

struct leat_lua_vm {
	lua_State *L; /* NULL when it could not be built again */
	size_t n_built;
	struct leat_lua_config config; /* owns what it points to */
	char script[64];               /* the file's name as it stands in messages */
	const char **ports;            /* NULL at the end; "out" first */
	size_t n_ports;
	int process_line; /* where the functions begin */
	int timer_line;
	bool has_state; /* process() takes a second parameter */
	bool has_timer;
	bool uses_env; /* some code uses _ENV as a value: its table is frozen like others */

	/* the call in hand */
	struct leat_context *ctx; /* NULL while the script is loaded */
	const struct leat_record *record;
	const struct leat_timer *timer; /* NULL: process() is called */
	int line; /* where the function that is called begins */
	uint32_t generation; /* of nodes */

	/* budget.c */
	int64_t budget;
	int64_t spent;
	int64_t cpu_us; /* thread time at the first look, 0 before */
	uint32_t n_hooks;
	size_t bytes;       /* held by Lua */
	size_t bytes_limit;
	size_t arena_bytes; /* taken from the batch's arena in this call */
	enum leat_lua_doom doom;
	struct leat_error reason; /* where and why it was doomed */
	int short_line;           /* where memory ran out, 0 unknown */

	/* convert.c */
	struct leat_member *scratch;
	size_t n_scratch;
	size_t scratch_capacity;
	struct leat_buffer text;

	/* state.c */
	struct leat_lua_name names[LEAT_LUA_NAMES]; /* of the fields that the state table has got, sorted; */
	size_t n_names;                             /* ... the strings are from LEAT_LUA_STATE_NAME on */
	bool is_state_known;                        /* false: the table may have any fields */

	/* node.c */
	struct leat_lua_node **node; /* the pool; their userdata is in LEAT_LUA_NODES */
	uint32_t n_nodes;            /* in use by this event */
	uint32_t n_nodes_made;
	uint32_t nodes_capacity;
	uint32_t *opened; /* hash table of the nodes in use, 0 free */
	uint32_t opened_capacity;

	/* log() */
	int64_t log_second;
	uint32_t n_logged;
};

static inline struct leat_lua_vm *leat_lua_vm_of(lua_State *L)
{
	struct leat_lua_vm *vm;

	memcpy(&vm, lua_getextraspace(L), sizeof vm);
	return vm;
}

/* ---- vm.c -------------------------------------------------------------------------------------------------------- */

/* Copies the config, builds the VM and runs the script's main part. NULL with LEAT_FATAL in `err`: a mistake in the script. */
struct leat_lua_vm *leat_lua_vm_create(const struct leat_lua_config *config, struct leat_error *err);
void leat_lua_vm_destroy(struct leat_lua_vm *vm);
enum leat_status leat_lua_vm_process(struct leat_lua_vm *vm, const struct leat_record *record, struct leat_context *ctx,
                                     struct leat_error *err);
enum leat_status leat_lua_vm_timer(struct leat_lua_vm *vm, const struct leat_timer *timer, struct leat_context *ctx,
                                   struct leat_error *err);

/* ---- fault.c: Lua's errors as leat's ----------------------------------------------------------------------------- */

/* The message handler: splits "score.lua:12: text" and takes the traceback, into vm->reason. */
int leat_lua_fault_handle(lua_State *L);
/* Fills `err` after lua_pcall() returned `status`, which is not LUA_OK, and takes the message from the stack. */
enum leat_status leat_lua_fault_report(struct leat_lua_vm *vm, int status, enum leat_status as, struct leat_error *err);
/* Raises. Dooms the event, with the place that runs now. */
_Noreturn void leat_lua_fault_doom(lua_State *L, enum leat_lua_doom doom, const char *text);
/* Splits "score.lua:12: text" in `message` into err->where and err->text; false: it does not begin like that. */
bool leat_lua_fault_split(const struct leat_lua_vm *vm, const char *message, struct leat_error *err);

/* ---- budget.c ---------------------------------------------------------------------------------------------------- */

void *leat_lua_budget_allocate(void *opaque, void *block, size_t old_n, size_t n);
void leat_lua_budget_begin(struct leat_lua_vm *vm, int64_t budget);
/* Raises. Dooms the event for having used up its budget. */
_Noreturn void leat_lua_budget_spent(lua_State *L);
/* Raises. From C functions: `n` instructions' worth of work is about to be done. */
static inline void leat_lua_charge(lua_State *L, uint64_t n)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);

	if (n > (uint64_t)(vm->budget - vm->spent) || vm->spent > vm->budget)
		leat_lua_budget_spent(L);
	vm->spent += (int64_t)n;
}
/* Raises. `n` bytes of the batch's arena are about to be taken. */
void leat_lua_budget_take(lua_State *L, size_t n);
/* Raises. leat_allocate(), within what the event may take. */
void *leat_lua_budget_arena(lua_State *L, size_t n);

/* ---- sandbox.c, strings.c, tables.c, calls.c: what scripts may call ---------------------------------------------- */

/* Raise. Fill the table on top of the stack, the environment to be. */
void leat_lua_sandbox_open(lua_State *L); /* the basic functions and math */
void leat_lua_strings_open(lua_State *L); /* string and utf8 */
void leat_lua_tables_open(lua_State *L);  /* table and list */
void leat_lua_calls_open(lua_State *L);   /* emit, key, now, log, reject, ... */
/* Raises. Copies the named functions of a stock library to the table on top of the stack. */
void leat_lua_sandbox_pick(lua_State *L, lua_CFunction library, const char *const *names);
/* Raises. Puts `guard` in front of the function `name` of the table on top of the stack; it goes on with leat_lua_stock(). */
void leat_lua_sandbox_guard(lua_State *L, const char *name, lua_CFunction guard);
static inline int leat_lua_stock(lua_State *L)
{
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}
/* Raises. The value as text, without addresses of memory, pushed. */
void leat_lua_sandbox_text(lua_State *L, int index);
/* Raises. The context of the call in hand; there is none while the script is loaded. */
struct leat_context *leat_lua_context(lua_State *L, const char *function);

/* ---- freeze.c, locals.c ------------------------------------------------------------------------------------------ */

/* Raises. Everything that is reachable from the environment at `index` cannot be changed any more. */
void leat_lua_freeze(lua_State *L, int index);
/* Raises. Replaces a frozen table at `index` by the table that has its fields; leaves everything else. */
void leat_lua_freeze_thaw(lua_State *L, int index);
/* Raises, when the function on top of the stack, or one inside it, assigns to a local of the file or to a global. The main
 * function of the script may do the latter. Sets vm->uses_env. */
void leat_lua_locals_check(lua_State *L, bool is_main);

/* ---- convert.c --------------------------------------------------------------------------------------------------- */

enum leat_lua_owner {
	LEAT_LUA_OF_EVENT, /* texts are copied into the arena; numbers have to be finite */
	LEAT_LUA_OF_STATE  /* texts are borrowed from Lua; the host is about to copy them */
};

/* Raises. Once for a VM: makes the mark of lists. */
void leat_lua_convert_open(lua_State *L);
/* Raises. Pushes a value that is neither list nor map. */
void leat_lua_push_scalar(lua_State *L, const struct leat_value *value);
/* Raises. Pushes any value, lists and maps as tables. */
void leat_lua_push_table(lua_State *L, const struct leat_value *value);
/* Raises. The Lua value at `index` as a value; `name` (may be NULL) is said in messages. */
struct leat_value leat_lua_pull(lua_State *L, int index, enum leat_lua_owner owner, const char *name);
/* Raises. One more item of scratch memory. Pop by setting vm->n_scratch back. */
struct leat_member *leat_lua_scratch(lua_State *L);
/* Raises. By name, from scratch[from..n_scratch), which is what maps that are made here are sorted by. */
void leat_lua_scratch_sort(lua_State *L, size_t from);
/* utf8.c. How many of the bytes are UTF-8, up to the first that is not. */
size_t leat_lua_utf8_length(const char *text, size_t n);
/* same.c. The same down to types of numbers and order of members. */
bool leat_lua_is_same(const struct leat_value *a, const struct leat_value *b);

/* ---- node.c, event.c, edit.c ----------------------------------------------------------------------------------------- */

/* Raises. Once for a VM: makes the metatable. */
void leat_lua_event_open(lua_State *L);
/* Forgets the nodes of the event before. */
void leat_lua_event_begin(struct leat_lua_vm *vm);
/* Raises. Pushes the record's value as a script sees it. */
void leat_lua_event_push(lua_State *L, const struct leat_value *value);
/* The node if that is one of this event; raises when it is one of an event that is over. NULL: something else. */
struct leat_lua_node *leat_lua_event_node(lua_State *L, int index);
/* Raises. The value with what the script has written. */
struct leat_value leat_lua_event_build(lua_State *L, struct leat_lua_node *node);

/* ---- state.c ----------------------------------------------------------------------------------------------------- */

void leat_lua_state_open(lua_State *L); /* raises */
/* Raises. Fills the state table with the fields of the key, pushes it, and returns what is stored, NULL for nothing. */
const struct leat_value *leat_lua_state_fill(lua_State *L, const struct leat_value *key);
/* Raises. Stores what is in the table at `index` if it differs from `old`. */
void leat_lua_state_flush(lua_State *L, int index, const struct leat_value *key, const struct leat_value *old);

/* ---- pattern.c --------------------------------------------------------------------------------------------------- */

/* string.find, match, gmatch, gsub with a budget. */
int leat_lua_pattern_find(lua_State *L);
int leat_lua_pattern_match(lua_State *L);
int leat_lua_pattern_gmatch(lua_State *L);
int leat_lua_pattern_gsub(lua_State *L);

/* ---- share.c ----------------------------------------------------------------------------------------------------- */

/* The VM of this script, options, pipeline and worker; made when there is none. NULL with a reason in `err`. */
struct leat_lua_vm *leat_lua_share_take(const struct leat_lua_config *config, struct leat_context *ctx, struct leat_error *err);
void leat_lua_share_give_back(struct leat_lua_vm *vm); /* accepts NULL */

#endif
