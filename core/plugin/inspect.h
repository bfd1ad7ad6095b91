/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGIN_INSPECT_H
#define LEAT_PLUGIN_INSPECT_H

#include <stdio.h>

#include "plugin/registry.h"

/* What `leat inspect` prints. */
void leat_inspect_list(const struct leat_registry *registry, FILE *out); /* a line per plugin, then what was refused and why */
void leat_inspect_list_json(const struct leat_registry *registry, FILE *out);
void leat_inspect_plugin(const struct leat_loaded *loaded, FILE *out);        /* roles, ports, options, tables */
void leat_inspect_plugin_json(const struct leat_loaded *loaded, FILE *out);
void leat_inspect_plugin_markdown(const struct leat_loaded *loaded, FILE *out); /* the option table of its README */
/* JSON Schema (draft 2020-12) of a pipeline file with the plugins of this registry. */
void leat_inspect_schema(const struct leat_registry *registry, FILE *out);

#endif
