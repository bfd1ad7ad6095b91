/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_ORDER_H
#define LEAT_PLUGINS_ORDER_H

#include <leat/plugin.h>

/* Numbers and times in order: which of two is larger. */

/* -1, 0, 1. Numbers exactly, also an integer with a real; numbers come before times. */
int order_compare(const struct leat_value *a, const struct leat_value *b);
/* Without the source text of a real: 0.10 is 0.1 wherever it was kept. */
struct leat_value order_plain(const struct leat_value *v);

#endif
