/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an event: fields, items, pairs(), and what pushes the event itself. */
#include "lua/event.h"

enum { POOL = 64 };

static void push_edit(lua_State *L, struct leat_lua_node *node, const struct leat_lua_edit *edit, uint32_t at)
{
	struct leat_lua_place place = {.name = edit->name, .name_n = edit->name_n, .at = at};

	if (edit->kind == LEAT_LUA_EDIT_REMOVED)
		lua_pushnil(L);
	else if (edit->kind == LEAT_LUA_EDIT_NODE)
		leat_lua_node_push(L, edit->node);
	else
		leat_lua_node_push_value(L, node, &edit->value, &place);
}

static void push_field(lua_State *L, struct leat_lua_node *node, const char *name, size_t n)
{
	const struct leat_lua_edit *edit = leat_lua_node_edit(node, name, n);
	const struct leat_member *member;

	if (edit != NULL) {
		push_edit(L, node, edit, 0);
		return;
	}
	member = leat_lua_node_member(node, name, n);
	if (member == NULL)
		lua_pushnil(L);
	else
		leat_lua_node_push_value(L, node, &member->value, &(struct leat_lua_place){.name = member->name,
			.name_n = member->name_n});
}

static void push_item(lua_State *L, struct leat_lua_node *node, lua_Integer at)
{
	if (at < 1 || at > (lua_Integer)leat_lua_node_length(node))
		lua_pushnil(L);
	else if (node->is_edited)
		push_edit(L, node, &node->edit[at - 1], (uint32_t)at);
	else
		leat_lua_node_push_value(L, node, &node->base.as.list->item[at - 1],
			&(struct leat_lua_place){.at = (uint32_t)at});
}

static int read_field(lua_State *L)
{
	struct leat_lua_node *node = leat_lua_node_self(L);
	const char *name;
	size_t n;

	if (node->base.type == LEAT_MAP && lua_type(L, 2) == LUA_TSTRING) {
		leat_lua_charge(L, (node->base.n + node->n) / 16);
		name = lua_tolstring(L, 2, &n);
		push_field(L, node, name, n);
	} else if (node->base.type == LEAT_LIST && lua_isinteger(L, 2)) {
		push_item(L, node, lua_tointeger(L, 2));
	} else {
		lua_pushnil(L);
	}
	return 1;
}

static int length(lua_State *L)
{
	lua_pushinteger(L, leat_lua_node_length(leat_lua_node_self(L)));
	return 1;
}

/* The step of pairs(): upvalues are the node and how many places were visited. */
static int next_place(lua_State *L)
{
	struct leat_lua_node *node = leat_lua_event_node(L, lua_upvalueindex(1));
	lua_Integer at = lua_tointeger(L, lua_upvalueindex(2));
	const struct leat_map *map = node->base.as.map;
	const char *name = NULL;
	uint32_t n = 0;

	leat_lua_charge(L, (node->base.n + node->n) / 16);
	if (node->base.type == LEAT_LIST) {
		if (at >= (lua_Integer)leat_lua_node_length(node))
			return 0;
		lua_pushinteger(L, at + 1);
	} else {
		for (; name == NULL && at < (lua_Integer)map->n + node->n; at++) {
			const struct leat_lua_edit *edit = at < (lua_Integer)map->n ? leat_lua_node_edit(node,
				map->member[at].name, map->member[at].name_n)
			                                                   : &node->edit[at - map->n];

			if (edit != NULL && (edit->kind == LEAT_LUA_EDIT_REMOVED || (edit->is_new != (at >= (lua_Integer)map->n))))
				continue;
			name = edit != NULL ? edit->name : map->member[at].name;
			n = edit != NULL ? edit->name_n : map->member[at].name_n;
		}
		if (name == NULL)
			return 0;
		at--;
		lua_pushlstring(L, name, n);
	}
	lua_pushinteger(L, at + 1);
	lua_replace(L, lua_upvalueindex(2));
	if (node->base.type == LEAT_LIST)
		push_item(L, node, at + 1);
	else
		push_field(L, node, name, n);
	return 2;
}

static int pairs(lua_State *L)
{
	(void)leat_lua_node_self(L);
	lua_settop(L, 1);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, next_place, 2);
	return 1;
}

static int as_json(lua_State *L)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	struct leat_value value = leat_lua_event_build(L, leat_lua_node_self(L));

	vm->text.n = 0; /* belongs to the VM, so nothing is lost when this raises */
	if (leat_encode(vm->ctx, &value, &vm->text, NULL) != LEAT_OK)
		vm->text.n = 0;
	leat_lua_charge(L, vm->text.n / 4);
	lua_pushlstring(L, vm->text.n > 0 ? vm->text.data : "", vm->text.n);
	return 1;
}

/* ---- the event --------------------------------------------------------------------------------------------------- */

void leat_lua_event_push(lua_State *L, const struct leat_value *value)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);

	if (vm->n_nodes_made > POOL) { /* an event that was opened everywhere: its nodes go */
		vm->n_nodes_made = 0;
		lua_newtable(L);
		lua_rawseti(L, LUA_REGISTRYINDEX, LEAT_LUA_NODES);
	}
	if (value->type == LEAT_LIST || value->type == LEAT_MAP)
		leat_lua_node_push(L, leat_lua_node_take(L, value));
	else
		leat_lua_push_scalar(L, value);
}

void leat_lua_event_open(lua_State *L)
{
	static const luaL_Reg methods[] = {{"__index", read_field}, {"__newindex", leat_lua_node_write}, {"__len", length},
	                                   {"__pairs", pairs},      {"__tostring", as_json},     {NULL, NULL}};

	lua_newtable(L);
	luaL_setfuncs(L, methods, 0);
	lua_pushliteral(L, "event");
	lua_setfield(L, -2, "__name");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_rawseti(L, LUA_REGISTRYINDEX, LEAT_LUA_NODE_MARK);
	lua_newtable(L);
	lua_rawseti(L, LUA_REGISTRYINDEX, LEAT_LUA_NODES);
}
