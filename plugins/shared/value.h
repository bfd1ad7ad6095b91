/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_VALUE_H
#define LEAT_PLUGINS_VALUE_H

#include <leat/plugin.h>

/* The same for equal values, on every machine and in every run: 1 and 1.0 are equal, and so are maps in any order. Every bit
 * depends on all of the value. */
uint64_t value_hash(const struct leat_value *value);

#endif
