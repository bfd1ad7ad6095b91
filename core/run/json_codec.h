/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_JSON_CODEC_H
#define LEAT_RUN_JSON_CODEC_H

#include <leat/plugin.h>

/* The codec behind `format: json`: data/json.h in the dress of a plugin. */
extern const struct leat_plugin leat_json_plugin;

#endif
