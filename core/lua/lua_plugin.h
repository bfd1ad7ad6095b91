/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_LUA_PLUGIN_H
#define LEAT_LUA_PLUGIN_H

#include <leat/plugin.h>

/* `type: lua`: an operator written as a Lua script. Built in; the host adds it with leat_registry_add(). */
extern const struct leat_plugin leat_lua_plugin;

#endif
