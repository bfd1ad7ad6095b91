/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_KIT_STARVE_H
#define LEAT_KIT_STARVE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Lets the allocations of one shared object fail: those that it asks for itself, by malloc, calloc, realloc, strdup and strndup;
 * not those of libraries that it calls, nor the host's. For a process that is to end soon: nothing is put back.
 */

/* Of the object that has this address. False: it asks for none, it is the one that this is linked into, or that cannot be told on
 * this machine. */
bool leat_starve_begin(const void *address);
/* How many it has asked for since. */
size_t leat_starve_count(void);
/* From now on the n-th fails, from 1. */
void leat_starve_fail(size_t n);

#endif
