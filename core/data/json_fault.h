/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_DATA_JSON_FAULT_H
#define LEAT_DATA_JSON_FAULT_H

#include <leat/error.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A second, plain reading of JSON that makes no values: it finds where and why a text is none. The decoder calls it for what it
 * has refused, and the tests compare the two. `skipped`: bytes before `bytes`, added to the positions.
 *
 * LEAT_OK when there is nothing wrong, else LEAT_REJECT with position and reason.
 */
enum leat_status leat_json_fault(const char *bytes, size_t n, size_t skipped, struct leat_error *err);

/* The text between the quotes with its escapes undone, into `out` (n bytes of room); -1 at an escape that is none, with its
 * offset in *at. */
long leat_json_unescape(char *out, const char *s, size_t n, size_t *at);

#ifdef __cplusplus
}
#endif

#endif
