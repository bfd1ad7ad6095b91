/* SPDX-License-Identifier: Apache-2.0 */
/* Writing to an event, and building the value that has what was written. */
#include "lua/event.h"

static struct leat_lua_edit *add_edit(lua_State *L, struct leat_lua_node *node)
{
	struct leat_lua_edit *more;

	if (node->n == node->capacity) {
		more = leat_lua_budget_arena(L, 2 * node->capacity * sizeof *more);
		memcpy(more, node->edit, node->n * sizeof *more);
		node->edit = more;
		node->capacity *= 2;
	}
	memset(&node->edit[node->n], 0, sizeof *node->edit);
	return &node->edit[node->n++];
}

/* From now on all items of the list are in `edit`. */
static void edit_list(lua_State *L, struct leat_lua_node *node)
{
	const struct leat_list *list = node->base.as.list;
	uint32_t i;

	if (node->is_edited)
		return;
	leat_lua_charge(L, list->n);
	for (i = 0; i < list->n; i++) {
		struct leat_value item = list->item[i];
		struct leat_lua_node *child = NULL;
		struct leat_lua_edit *edit;

		if (item.type == LEAT_LIST || item.type == LEAT_MAP)
			child = leat_lua_node_child(leat_lua_vm_of(L), node, &item, &(struct leat_lua_place){.at = i + 1});
		edit = add_edit(L, node);
		edit->value = item;
		edit->node = child;
		edit->kind = child != NULL ? LEAT_LUA_EDIT_NODE : LEAT_LUA_EDIT_VALUE;
	}
	node->is_edited = true;
}

/* Enters the node into the edits of its parent. False: it does not stand there any more, so nobody will see the change. */
static bool attach(lua_State *L, struct leat_lua_node *node)
{
	struct leat_lua_node *parent = node->parent;
	struct leat_lua_edit *edit;

	if (parent->base.type == LEAT_LIST) {
		edit_list(L, parent);
		edit = node->at <= parent->n ? &parent->edit[node->at - 1] : NULL;
	} else {
		edit = leat_lua_node_edit(parent, node->name, node->name_n);
		if (edit == NULL) {
			edit = add_edit(L, parent);
			edit->name = node->name;
			edit->name_n = node->name_n;
			edit->value = node->base;
		}
	}
	if (edit == NULL || edit->kind == LEAT_LUA_EDIT_REMOVED)
		return false;
	if (edit->kind == LEAT_LUA_EDIT_NODE)
		return edit->node == node;
	if (edit->value.type != node->base.type || edit->value.as.map != node->base.as.map)
		return false;
	edit->kind = LEAT_LUA_EDIT_NODE;
	edit->node = node;
	return true;
}

/* The node is about to change. */
static void touch(lua_State *L, struct leat_lua_node *node)
{
	node->is_built = false;
	while (node->parent != NULL && attach(L, node)) {
		node = node->parent;
		node->is_built = false;
	}
}

/* Is the Lua value at the index what is there already? Then a number keeps its source text. */
static bool is_same_scalar(lua_State *L, int index, const struct leat_value *value)
{
	double real;

	if (lua_type(L, index) == LUA_TNUMBER && !lua_isinteger(L, index))
		return value->type == LEAT_REAL && leat_as_real(value, &real) && real == lua_tonumber(L, index);
	return lua_isinteger(L, index) && value->type == LEAT_TIME && value->as.time_us == lua_tointeger(L, index);
}

/* The node that stands there already: `event.user = event.user` changes nothing. */
static bool is_own_node(lua_State *L, int index, const struct leat_lua_edit *edit, const struct leat_member *member)
{
	const struct leat_lua_node *node = leat_lua_event_node(L, index);

	if (edit != NULL)
		return edit->kind == LEAT_LUA_EDIT_NODE && edit->node == node;
	return member != NULL && node->name == member->name && node->base.as.map == member->value.as.map;
}

static const char *keep_name(lua_State *L, const char *name, size_t n)
{
	char *copy = leat_lua_budget_arena(L, n);

	memcpy(copy, name, n);
	return copy;
}

static void write_member(lua_State *L, struct leat_lua_node *node)
{
	size_t n;
	const char *name = lua_tolstring(L, 2, &n);
	struct leat_lua_edit *edit = leat_lua_node_edit(node, name, n);
	const struct leat_member *member = edit == NULL ? leat_lua_node_member(node, name, n) : NULL;
	struct leat_value value;

	if (member == NULL && edit == NULL && lua_isnil(L, 3))
		return;
	if ((member != NULL && is_same_scalar(L, 3, &member->value)) || (lua_isuserdata(L, 3) && is_own_node(L, 3, edit,
		member)))
		return;
	value = leat_lua_pull(L, 3, LEAT_LUA_OF_EVENT, name);
	touch(L, node);
	if (edit == NULL) {
		leat_lua_charge(L, node->n); /* looking for it takes as long */
		name = member != NULL ? member->name : keep_name(L, name, n);
		edit = add_edit(L, node);
		edit->name = name;
		edit->name_n = (uint32_t)n;
		edit->is_new = member == NULL;
	}
	edit->kind = lua_isnil(L, 3) ? LEAT_LUA_EDIT_REMOVED : LEAT_LUA_EDIT_VALUE;
	edit->value = value;
	edit->node = NULL;
}

static int write_item(lua_State *L, struct leat_lua_node *node)
{
	lua_Integer at = lua_tointeger(L, 2);
	lua_Integer n = leat_lua_node_length(node);
	struct leat_value value;
	struct leat_lua_edit *edit;

	if (at < 1 || at > n + 1)
		return luaL_error(L, "cannot write item %I of a list of %I", at, n);
	if (at <= n && !node->is_edited && is_same_scalar(L, 3, &node->base.as.list->item[at - 1]))
		return 0;
	value = leat_lua_pull(L, 3, LEAT_LUA_OF_EVENT, "item");
	if (lua_isnil(L, 3) && at < n)
		return luaL_error(L, "cannot remove item %I of %I: only the last one of a list", at, n);
	if (lua_isnil(L, 3) && at > n)
		return 0;
	touch(L, node);
	edit_list(L, node);
	if (lua_isnil(L, 3)) {
		node->n--;
		return 0;
	}
	edit = at > n ? add_edit(L, node) : &node->edit[at - 1];
	edit->kind = LEAT_LUA_EDIT_VALUE;
	edit->value = value;
	edit->node = NULL;
	return 0;
}

int leat_lua_node_write(lua_State *L)
{
	struct leat_lua_node *node = leat_lua_node_self(L);

	if (node->base.type == LEAT_LIST) {
		if (!lua_isinteger(L, 2))
			return luaL_error(L, "cannot write to a list under a %s: items are numbered from 1", luaL_typename(L,
				2));
		return write_item(L, node);
	}
	if (lua_type(L, 2) != LUA_TSTRING)
		return luaL_error(L, "cannot write a field whose name is a %s, not a text", luaL_typename(L, 2));
	write_member(L, node);
	return 0;
}

/* ---- building ---------------------------------------------------------------------------------------------------- */

static struct leat_value value_of(lua_State *L, const struct leat_lua_edit *edit)
{
	return edit->kind == LEAT_LUA_EDIT_NODE ? leat_lua_event_build(L, edit->node) : edit->value;
}

static struct leat_value build_list(lua_State *L, const struct leat_lua_node *node)
{
	struct leat_list *list = leat_lua_budget_arena(L, sizeof *list + node->n * sizeof *list->item);
	struct leat_value *item = (struct leat_value *)(list + 1);
	struct leat_value value = leat_null();
	uint32_t i;

	for (i = 0; i < node->n; i++)
		item[i] = value_of(L, &node->edit[i]);
	*list = (struct leat_list){.item = item, .n = node->n};
	value.type = LEAT_LIST;
	value.n = node->n;
	value.as.list = list;
	return value;
}

static void add_scratch(lua_State *L, struct leat_member member)
{
	*leat_lua_scratch(L) = member;
}

/* Scratch memory gets what comes on top of the base; or, when something was removed, what is left of the base and that. */
static struct leat_value build_map(lua_State *L, const struct leat_lua_node *node)
{
	struct leat_lua_vm *vm = leat_lua_vm_of(L);
	const struct leat_map *map = node->base.as.map;
	size_t from = vm->n_scratch;
	bool has_removed = false;
	struct leat_value value;
	uint32_t i;

	for (i = 0; i < node->n; i++)
		has_removed |= node->edit[i].kind == LEAT_LUA_EDIT_REMOVED;
	leat_lua_charge(L, (uint64_t)(map->n + node->n) * (node->n + 1) / 8);
	for (i = 0; has_removed && i < map->n; i++)
		if (leat_lua_node_edit(node, map->member[i].name, map->member[i].name_n) == NULL)
			add_scratch(L, map->member[i]);
	for (i = 0; i < node->n; i++) {
		const struct leat_lua_edit *edit = &node->edit[i];
		struct leat_member member = {.name = edit->name, .name_n = edit->name_n, .symbol = LEAT_NO_SYMBOL};

		if (edit->kind == LEAT_LUA_EDIT_REMOVED)
			continue;
		member.value = value_of(L, edit);
		add_scratch(L, member);
	}
	leat_lua_budget_take(L, sizeof *map + (map->n + node->n) * sizeof *map->member);
	leat_lua_charge(L, has_removed ? (uint64_t)map->n * map->n / 8 : 0);
	value = leat_map_with(vm->ctx, has_removed ? NULL : &node->base, vm->scratch + from, vm->n_scratch - from);
	vm->n_scratch = from;
	return value;
}

struct leat_value leat_lua_event_build(lua_State *L, struct leat_lua_node *node)
{
	if (node->n == 0 && !node->is_edited)
		return node->base;
	if (!node->is_built) {
		luaL_checkstack(L, 4, "too deep");
		node->built = node->base.type == LEAT_LIST ? build_list(L, node) : build_map(L, node);
		node->is_built = true;
	}
	return node->built;
}
