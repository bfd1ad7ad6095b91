/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FILE_PLUGIN_H
#define FILE_PLUGIN_H

#include <leat/plugin.h>

extern const struct leat_source_ops file_source_ops;
extern const struct leat_sink_ops file_sink_ops;

#endif
