/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_VALUE_H
#define LEAT_PLUGINS_VALUE_H

#include <leat/plugin.h>

/* Values as operators need them beyond what the host offers. */

/* The same for equal values, on every machine and in every run: 1 and 1.0 are equal, and so are maps in any order. Every bit
 * depends on all of the value. */
uint64_t value_hash(const struct leat_value *value);

/* A deep copy in the arena: what comes out of a table is good until the call returns, what is emitted has to live longer. */
struct leat_value value_copy(const struct leat_value *value, struct leat_context *ctx);

#endif
