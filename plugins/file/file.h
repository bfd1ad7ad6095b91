/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FILE_PLUGIN_H
#define FILE_PLUGIN_H

#include <leat/plugin.h>

/* FNV-1a; begin with FILE_HASH_BASIS. */
#define FILE_HASH_BASIS UINT64_C(14695981039346656037)
uint64_t file_hash(uint64_t h, const char *bytes, size_t n);

extern const struct leat_source_ops file_source_ops;
extern const struct leat_sink_ops file_sink_ops;

#endif
