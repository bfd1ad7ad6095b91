/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_LUA_EVENT_H
#define LEAT_LUA_EVENT_H

#include "lua/vm.h"

/*
 * The event as a script sees it: nodes, one for the record's value and one for each map and list in it that the script
 * opens. A node reads through to the immutable value and keeps what the script writes as edits beside it.
 *
 * A node hands out the same child for the same member, so a write through one reference is seen through the other. The
 * first write to a node enters it into its parent's edits, up to the root; building the value then copies only the maps
 * and lists on that way and takes everything else, with its source text, as it was read. Nodes belong to the VM and are
 * used again for the next event; edits live in the arena of the batch. The generation tells a node of an event that is
 * over, though a script should find no place to keep one (L1).
 */

enum { LEAT_LUA_FIRST_EDITS = 4 };

enum leat_lua_edit_kind { LEAT_LUA_EDIT_VALUE, LEAT_LUA_EDIT_NODE, LEAT_LUA_EDIT_REMOVED };

struct leat_lua_edit {
	const char *name; /* of a map's member */
	uint32_t name_n;
	enum leat_lua_edit_kind kind;
	bool is_new; /* not a member of the base */
	struct leat_value value;
	struct leat_lua_node *node;
};

struct leat_lua_node {
	uint32_t number; /* in the pool, from 0 */
	uint32_t generation;
	struct leat_value base; /* a list or a map */
	struct leat_lua_node *parent;
	const char *name; /* in the parent */
	uint32_t name_n;
	uint32_t at;          /* in a list, from 1 */
	bool is_edited;       /* of a list: all items are in `edit` */
	bool is_built;
	struct leat_value built;
	uint32_t n;
	uint32_t capacity;
	struct leat_lua_edit *edit;
	struct leat_lua_edit first[LEAT_LUA_FIRST_EDITS];
};

/* Where a node stands in its parent: under a name, or at a number from 1. */
struct leat_lua_place {
	const char *name;
	uint32_t name_n;
	uint32_t at;
};

/* ---- node.c ------------------------------------------------------------------------------------------------------ */

/* Raises. A node of this event, nothing written. */
struct leat_lua_node *leat_lua_node_take(lua_State *L, const struct leat_value *base);
/* Raises. */
void leat_lua_node_push(lua_State *L, const struct leat_lua_node *node);
/* Raises. Pushes what stands at that place of the parent: a scalar, or the node of a list or map. */
void leat_lua_node_push_value(lua_State *L, struct leat_lua_node *parent, const struct leat_value *value,
                              const struct leat_lua_place *place);
/* The node of the list or map at that place, NULL when it was not opened. */
struct leat_lua_node *leat_lua_node_child(const struct leat_lua_vm *vm, const struct leat_lua_node *parent,
	const struct leat_value *value,
                                          const struct leat_lua_place *place);
/* Raises when the event is over. For metamethods: scripts cannot call them on anything but nodes. */
struct leat_lua_node *leat_lua_node_self(lua_State *L);
const struct leat_member *leat_lua_node_member(const struct leat_lua_node *node, const char *name, size_t n);
struct leat_lua_edit *leat_lua_node_edit(const struct leat_lua_node *node, const char *name, size_t n);
uint32_t leat_lua_node_length(const struct leat_lua_node *node);

/* ---- edit.c ------------------------------------------------------------------------------------------------------ */

/* __newindex. */
int leat_lua_node_write(lua_State *L);

#endif
