/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_BASE_UTF8_H
#define LEAT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of the character at the start of s[0..n): 1 to 4, or 0 when there is none (cut off, overlong, a surrogate, too large). */
size_t leat_utf8_step(const char *s, size_t n);
bool leat_utf8_is_valid(const char *s, size_t n);

#ifdef __cplusplus
}
#endif

#endif
