/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_BASE_MEMORY_H
#define LEAT_BASE_MEMORY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Heap memory that is never NULL: running out ends the process with a line that says so. Freed with free(). */
void *leat_allocate_bytes(size_t n);
void *leat_allocate_zeroed(size_t n_items, size_t size);
void *leat_reallocate(void *p, size_t n_items, size_t size);
char *leat_copy_text(const char *s); /* NULL gives NULL */
char *leat_copy_bytes_as_text(const char *s, size_t n);
char *leat_format_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Has all threads share a few of the C library's heaps: for a process that is to run pipelines, before it has threads. An
 * environment with MALLOC_ARENA_MAX has it its own way. */
void leat_memory_share(void);

/* Makes room for one more in a growing array: item = leat_grow(item, n, &capacity, sizeof *item). */
void *leat_grow(void *items, size_t n, size_t *capacity, size_t size);

#ifdef __cplusplus
}
#endif

#endif
