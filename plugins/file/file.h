/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FILE_PLUGIN_H
#define FILE_PLUGIN_H

#include <leat/plugin.h>

/* FNV-1a; begin with FILE_HASH_BASIS. */
#define FILE_HASH_BASIS UINT64_C(14695981039346656037)
uint64_t file_hash(uint64_t h, const char *bytes, size_t n);

/* Appends the path in quotes, from the root on where its folder is there, so that it does not matter from where it was named.
 * `n`: bytes of the path that are the folder's; 0: it has none. */
void file_put_path(struct leat_buffer *text, const char *path, size_t n);

extern const struct leat_source_ops file_source_ops;
extern const struct leat_sink_ops file_sink_ops;

#endif
