/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding assignments to what all events share, when the script is loaded rather than when an event meets them:
 *
 *     local n = 0  function process(event) n = n + 1 end         a local of the file
 *     function process(event) total = event.amount end           a global
 *
 * Such a variable would be state that no table shows: shared by the keys of a worker, and gone with a restart (L1). Lua has
 * no means to forbid the first, but its compiler knows: OP_SETUPVAL assigns to a variable from outside a function, and
 * OP_SETTABUP to a field of one, such as the environment's. The function is dumped with lua_dump() and its instructions
 * are read. A variable that reaches the function itself from outside is shared; one of a function around is born anew with
 * every call, and is fine. As long as no code uses _ENV as a value, that is all there is to the globals, and their table
 * need not be frozen, which makes reading them faster.
 *
 * The format is Lua 5.4's, the same in all its releases so far; a dump with another header is our bug, seen by the tests.
 */
#include "base/check.h"
#include "base/memory.h"
#include "lua/vm.h"

enum {
	HEADER = 4 + 1 + 1 + 6 + 3 + 8 + 8, /* mark, version, format, data, sizes, an integer, a float */
	OP_GETUPVAL = 9,
	OP_SETUPVAL = 10,
	OP_SETTABUP = 15,
	OPCODE_MASK = 0x7f,
	SHIFT_A = 7,
	SHIFT_B = 16,
	ABSOLUTE = -128, /* in the line table: the line stands in a table of its own */
	TYPE_FLOAT = 0x13,
	TYPE_INTEGER = 0x03,
	TYPE_SHORT_TEXT = 0x04,
	TYPE_LONG_TEXT = 0x14
};

struct dump {
	const unsigned char *at;
	const unsigned char *end;
};

/* What a function does with a variable from outside. Instructions are numbered from 1; 0: it does not. */
struct variable {
	bool is_local_around; /* of the function around; else it comes from outside of that as well */
	unsigned char number; /* there */
	bool is_value;        /* read as a whole */
	size_t assigned_pc, field_pc;
	int assigned_line, field_line;
	const char *field; /* name of the field that is assigned to first */
	size_t field_n;
};

struct function {
	int line_defined;
	const unsigned char *code;
	size_t n_code;
	struct dump constants;
	struct variable *variable; /* freed by the caller */
	size_t n;
};

static const unsigned char *skip(struct dump *d, size_t n)
{
	const unsigned char *from = d->at;

	leat_check((size_t)(d->end - d->at) >= n);
	d->at += n;
	return from;
}

static size_t read_number(struct dump *d)
{
	size_t n = 0;
	unsigned char byte;

	do {
		byte = *skip(d, 1);
		n = n << 7 | (byte & 0x7fu);
	} while ((byte & 0x80u) == 0);
	return n;
}

static void skip_text(struct dump *d)
{
	size_t n = read_number(d);

	if (n > 0)
		(void)skip(d, n - 1);
}

static void skip_constants(struct dump *d)
{
	size_t n;

	for (n = read_number(d); n > 0; n--) {
		int type = *skip(d, 1);

		if (type == TYPE_FLOAT || type == TYPE_INTEGER)
			(void)skip(d, 8);
		else if (type == TYPE_SHORT_TEXT || type == TYPE_LONG_TEXT)
			skip_text(d);
	}
}

static uint32_t instruction(const unsigned char *code, size_t i)
{
	uint32_t word;

	memcpy(&word, code + 4 * i, sizeof word);
	return word;
}

/* The text constant with that number. */
static const char *constant_text(struct dump d, size_t number, size_t *n)
{
	size_t i;

	(void)read_number(&d);
	for (i = 0;; i++) {
		int type = *skip(&d, 1);

		if (type == TYPE_FLOAT || type == TYPE_INTEGER) {
			(void)skip(&d, 8);
		} else if (type == TYPE_SHORT_TEXT || type == TYPE_LONG_TEXT) {
			*n = read_number(&d) - 1;
			if (i == number)
				return (const char *)d.at;
			(void)skip(&d, *n);
		}
	}
}

static void read_code(struct function *f)
{
	size_t i;

	for (i = 0; i < f->n_code; i++) {
		uint32_t word = instruction(f->code, i);
		uint32_t opcode = word & OPCODE_MASK;
		struct variable *v = &f->variable[(opcode == OP_SETTABUP ? word >> SHIFT_A : word >> SHIFT_B) & 0xffu];

		if (opcode == OP_GETUPVAL) {
			v->is_value = true;
		} else if (opcode == OP_SETUPVAL && v->assigned_pc == 0) {
			v->assigned_pc = i + 1;
		} else if (opcode == OP_SETTABUP && v->field_pc == 0) {
			v->field_pc = i + 1;
			v->field = constant_text(f->constants, word >> SHIFT_B & 0xffu, &v->field_n);
		}
	}
}

static void read_lines(struct dump *d, struct function *f)
{
	size_t n_lines = read_number(d);
	const unsigned char *delta = skip(d, n_lines);
	size_t n_absolute = read_number(d);
	int line = f->line_defined;
	size_t i, j;

	for (i = 0; i < n_lines; i++) {
		if ((signed char)delta[i] == ABSOLUTE) {
			leat_check(n_absolute-- > 0);
			leat_check(read_number(d) == i);
			line = (int)read_number(d);
		} else {
			line += (signed char)delta[i];
		}
		for (j = 0; j < f->n; j++) {
			if (f->variable[j].assigned_pc == i + 1)
				f->variable[j].assigned_line = line;
			if (f->variable[j].field_pc == i + 1)
				f->variable[j].field_line = line;
		}
	}
	leat_check(n_absolute == 0);
}

static void skip_names(struct dump *d)
{
	size_t n;

	for (n = read_number(d); n > 0; n--) {
		skip_text(d);
		(void)read_number(d);
		(void)read_number(d);
	}
	for (n = read_number(d); n > 0; n--)
		skip_text(d);
}

/* What `inner` does with a variable that comes from outside `f` too, `f` does. */
static void pass_on(struct function *f, const struct function *inner)
{
	size_t i;

	for (i = 0; i < inner->n; i++) {
		const struct variable *from = &inner->variable[i];
		struct variable *to = &f->variable[from->number]; /* which is there: see read_function() */

		if (from->is_local_around)
			continue;
		to->is_value |= from->is_value;
		if (from->assigned_line != 0 && to->assigned_line == 0)
			to->assigned_line = from->assigned_line;
		if (from->field_line != 0 && to->field_line == 0) {
			to->field_line = from->field_line;
			to->field = from->field;
			to->field_n = from->field_n;
		}
	}
}

/* Recursive as the functions are, which Lua's compiler bounds at 200. */
static void read_function(struct dump *d, struct function *f)
{
	struct function inner;
	size_t n, i;

	memset(f, 0, sizeof *f);
	skip_text(d);
	f->line_defined = (int)read_number(d);
	(void)read_number(d);
	(void)skip(d, 3);
	f->n_code = read_number(d);
	f->code = skip(d, 4 * f->n_code);
	f->constants = *d;
	skip_constants(d);
	f->n = read_number(d);
	f->variable = leat_allocate_zeroed(f->n + 256, sizeof *f->variable); /* any number that an instruction can hold */
	for (i = 0; i < f->n; i++) {
		const unsigned char *about = skip(d, 3);

		f->variable[i].is_local_around = about[0] != 0;
		f->variable[i].number = about[1];
	}
	read_code(f);
	for (n = read_number(d); n > 0; n--) {
		read_function(d, &inner);
		pass_on(f, &inner);
		free(inner.variable);
	}
	read_lines(d, f);
	skip_names(d);
}

static int append(lua_State *L, const void *bytes, size_t n, void *opaque)
{
	(void)L;
	leat_buffer_append(opaque, bytes, n);
	return 0;
}

/* Into vm->reason: where and what, when the function does what it must not. Raises nothing, so `f` is not lost. */
static bool find_fault(lua_State *L, const struct function *f, bool is_main, struct leat_error *err)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	size_t i;

	lua_rawgeti(L, LUA_REGISTRYINDEX, LEAT_LUA_ENV);
	for (i = 0; i < f->n; i++) {
		const struct variable *v = &f->variable[i];
		const char *name = lua_getupvalue(L, -2, (int)i + 1);
		bool is_env = lua_rawequal(L, -1, -2);

		lua_pop(L, 1);
		vm->uses_env |= is_env && v->is_value;
		if (v->assigned_line != 0) {
			(void)leat_error_set(err, LEAT_FATAL, 0, "cannot assign to \"%s\" here, a local of the file "
				"that all keys share: "
			                     "keep it in state", name);
			(void)snprintf(err->where, sizeof err->where, "%s:%d", vm->script, v->assigned_line);
			break;
		}
		if (is_env && v->field_line != 0 && !is_main) {
			(void)leat_error_set(err, LEAT_FATAL, 0, "cannot assign to global \"%.*s\" in a function: "
				"keep it in state, or make it "
			                     "a local", (int)v->field_n, v->field);
			(void)snprintf(err->where, sizeof err->where, "%s:%d", vm->script, v->field_line);
			break;
		}
	}
	lua_pop(L, 1);
	return i < f->n;
}

void leat_lua_locals_check(lua_State *L, bool is_main)
{
	static const char mark[] = LUA_SIGNATURE "\x54"; /* Lua 5.4 */
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	struct leat_error err;
	struct function f;
	struct dump d;
	bool is_faulty;

	luaL_checkstack(L, 4, NULL);
	vm->text.n = 0; /* belongs to the VM, so nothing is lost when this raises */
	(void)lua_dump(L, append, &vm->text, 0);
	d.at = (const unsigned char *)vm->text.data;
	d.end = d.at + vm->text.n;
	leat_check(memcmp(skip(&d, HEADER), mark, sizeof mark - 1) == 0);
	(void)skip(&d, 1);
	read_function(&d, &f);
	is_faulty = find_fault(L, &f, is_main, &err);
	free(f.variable);
	if (is_faulty) {
		lua_pushfstring(L, "%s: %s", err.where, err.text);
		(void)lua_error(L);
	}
}
