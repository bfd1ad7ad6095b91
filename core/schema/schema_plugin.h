/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_SCHEMA_PLUGIN_H
#define LEAT_SCHEMA_PLUGIN_H

#include <leat/plugin.h>

/* `type: schema`: an operator that lets through what a schema allows. Built in, as sources judge by schemas as well; the host adds it
 * with leat_registry_add(). */
extern const struct leat_plugin leat_schema_plugin;

#endif
