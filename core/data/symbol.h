/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_DATA_SYMBOL_H
#define LEAT_DATA_SYMBOL_H

#include <leat/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The names that a pipeline mentions, numbered from 1. Filled by one thread while the pipeline is being set up, then
 * frozen; from then on any thread may read.
 */

struct leat_symbols;

struct leat_symbols *leat_symbols_create(void);
void leat_symbols_destroy(struct leat_symbols *symbols);
/* Our bug when frozen and the name is new. */
leat_symbol leat_symbols_intern(struct leat_symbols *symbols, const char *name, size_t n);
void leat_symbols_freeze(struct leat_symbols *symbols);
/* LEAT_NO_SYMBOL when it is not there. Fast: called for every member of every decoded map. */
leat_symbol leat_symbols_find(const struct leat_symbols *symbols, const char *name, size_t n);
/* The one that was interned last; LEAT_NO_SYMBOL: none. */
leat_symbol leat_symbols_last(const struct leat_symbols *symbols);
/* Terminated, as long as the table lives. */
const char *leat_symbols_name(const struct leat_symbols *symbols, leat_symbol symbol, size_t *n);

#ifdef __cplusplus
}
#endif

#endif
