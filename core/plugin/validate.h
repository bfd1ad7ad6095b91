/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGIN_VALIDATE_H
#define LEAT_PLUGIN_VALIDATE_H

#include <leat/plugin.h>

/*
 * Whether this host can work with a plugin: the interface that it was compiled for, the sizes, its names, what it has to
 * define for each role, its tables. LEAT_FATAL with the first thing that is wrong. Reads nothing beyond `abi` and `size`
 * before these two are known to be right.
 */
enum leat_status leat_plugin_validate(const struct leat_plugin *plugin, struct leat_error *err);

#endif
