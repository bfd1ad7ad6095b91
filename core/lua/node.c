/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes: the pool, and which node stands for which part of the event. */
#include <stdint.h>

#include "base/memory.h"
#include "lua/event.h"

enum { POOL = 64, FEWEST_SLOTS = 64, MOST_NODES = 1 << 20 };

void leat_lua_node_push(lua_State *L, const struct leat_lua_node *node)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, LEAT_LUA_NODES);
	lua_rawgeti(L, -1, (lua_Integer)node->number + 1);
	lua_remove(L, -2);
}

static void make_node(lua_State *L)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	struct leat_lua_node *node;

	lua_rawgeti(L, LUA_REGISTRYINDEX, LEAT_LUA_NODES);
	node = lua_newuserdatauv(L, sizeof *node, 0);
	lua_rawgeti(L, LUA_REGISTRYINDEX, LEAT_LUA_NODE_MARK);
	lua_setmetatable(L, -2);
	lua_rawseti(L, -2, (lua_Integer)vm->n_nodes_made + 1);
	lua_pop(L, 1);
	if (vm->n_nodes_made == vm->nodes_capacity) {
		vm->nodes_capacity = vm->nodes_capacity == 0 ? POOL : 2 * vm->nodes_capacity;
		vm->node = leat_reallocate(vm->node, vm->nodes_capacity, sizeof *vm->node);
	}
	node->number = vm->n_nodes_made;
	node->generation = 0;
	vm->node[vm->n_nodes_made++] = node;
}

struct leat_lua_node *leat_lua_node_take(lua_State *L, const struct leat_value *base)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	struct leat_lua_node *node;

	if (vm->n_nodes == MOST_NODES)
		luaL_error(L, "the event was opened in more than %d places", (int)MOST_NODES);
	if (vm->n_nodes == vm->n_nodes_made)
		make_node(L);
	node = vm->node[vm->n_nodes++];
	node->generation = vm->generation;
	node->base = *base;
	node->parent = NULL;
	node->is_edited = false;
	node->is_built = false;
	node->n = 0;
	node->capacity = LEAT_LUA_FIRST_EDITS;
	node->edit = node->first;
	return node;
}

static uint32_t slot_of(const struct leat_lua_vm *vm, const struct leat_lua_node *parent, const void *container, uint32_t at)
{
	uint64_t h = ((uint64_t)(uintptr_t)container >> 4) * UINT64_C(0x9e3779b97f4a7c15);

	h ^= ((uint64_t)(uintptr_t)parent >> 4) * UINT64_C(0xc2b2ae3d27d4eb4f);
	h += at;
	return (uint32_t)(h >> 32 ^ h) & (vm->opened_capacity - 1);
}

static void enter_slot(struct leat_lua_vm *vm, const struct leat_lua_node *node)
{
	uint32_t slot = slot_of(vm, node->parent, node->base.as.map, node->at);

	while (vm->opened[slot] != 0)
		slot = (slot + 1) & (vm->opened_capacity - 1);
	vm->opened[slot] = node->number + 1;
}

static void grow_slots(struct leat_lua_vm *vm)
{
	uint32_t i;

	if (vm->opened_capacity > 2 * (vm->n_nodes + 1))
		return;
	vm->opened_capacity = vm->opened_capacity == 0 ? FEWEST_SLOTS : 2 * vm->opened_capacity;
	free(vm->opened);
	vm->opened = leat_allocate_zeroed(vm->opened_capacity, sizeof *vm->opened);
	for (i = 0; i < vm->n_nodes; i++)
		if (vm->node[i]->parent != NULL)
			enter_slot(vm, vm->node[i]);
}

struct leat_lua_node *leat_lua_node_child(const struct leat_lua_vm *vm, const struct leat_lua_node *parent, const struct leat_value *value,
                                          const struct leat_lua_place *place)
{
	uint32_t slot;

	if (vm->opened_capacity == 0)
		return NULL;
	slot = slot_of(vm, parent, value->as.map, place->at);
	for (; vm->opened[slot] != 0; slot = (slot + 1) & (vm->opened_capacity - 1)) {
		struct leat_lua_node *node = vm->node[vm->opened[slot] - 1];

		if (node->parent == parent && node->base.as.map == value->as.map && node->at == place->at &&
		    node->name_n == place->name_n && (node->name_n == 0 || memcmp(node->name, place->name, node->name_n) == 0))
			return node;
	}
	return NULL;
}

void leat_lua_node_push_value(lua_State *L, struct leat_lua_node *parent, const struct leat_value *value,
	const struct leat_lua_place *place)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	struct leat_lua_node *node;

	if (value->type != LEAT_LIST && value->type != LEAT_MAP) {
		leat_lua_push_scalar(L, value);
		return;
	}
	node = leat_lua_node_child(vm, parent, value, place);
	if (node == NULL) {
		grow_slots(vm);
		node = leat_lua_node_take(L, value);
		node->parent = parent;
		node->name = place->name;
		node->name_n = place->name_n;
		node->at = place->at;
		enter_slot(vm, node);
	}
	leat_lua_node_push(L, node);
}

static struct leat_lua_node *check_node(lua_State *L, struct leat_lua_node *node)
{
	if (node->generation != leat_lua_vm_of(L)->generation)
		luaL_error(L, "this event is over: what it holds cannot be used any more");
	return node;
}

struct leat_lua_node *leat_lua_node_self(lua_State *L)
{
	return check_node(L, lua_touserdata(L, 1));
}

struct leat_lua_node *leat_lua_event_node(lua_State *L, int index)
{
	if (lua_type(L, index) != LUA_TUSERDATA)
		return NULL;
	return check_node(L, lua_touserdata(L, index)); /* L4 */
}

const struct leat_member *leat_lua_node_member(const struct leat_lua_node *node, const char *name, size_t n)
{
	const struct leat_map *map = node->base.as.map;
	const struct leat_member *member = map->member + map->n;

	while (member > map->member)
		if ((--member)->name_n == n && (n == 0 || (member->name[0] == name[0] && memcmp(member->name, name, n) == 0)))
			return member;
	return NULL;
}

struct leat_lua_edit *leat_lua_node_edit(const struct leat_lua_node *node, const char *name, size_t n)
{
	uint32_t i;

	for (i = 0; i < node->n; i++)
		if (node->edit[i].name_n == n && memcmp(node->edit[i].name, name, n) == 0)
			return &node->edit[i];
	return NULL;
}

uint32_t leat_lua_node_length(const struct leat_lua_node *node)
{
	uint32_t n = node->base.n;
	uint32_t i;

	if (node->base.type == LEAT_LIST)
		return node->is_edited ? node->n : n;
	for (i = 0; i < node->n; i++) {
		if (node->edit[i].is_new)
			n += node->edit[i].kind != LEAT_LUA_EDIT_REMOVED;
		else
			n -= node->edit[i].kind == LEAT_LUA_EDIT_REMOVED;
	}
	return n;
}

void leat_lua_event_begin(struct leat_lua_vm *vm)
{
	vm->generation++;
	if (vm->n_nodes > 1 && vm->opened_capacity > 0)
		memset(vm->opened, 0, vm->opened_capacity * sizeof *vm->opened);
	if (vm->opened_capacity > 16 * POOL) {
		free(vm->opened);
		vm->opened = NULL;
		vm->opened_capacity = 0;
	}
	vm->n_nodes = 0;
}
