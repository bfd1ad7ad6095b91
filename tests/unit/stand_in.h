/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_TESTS_STAND_IN_H
#define LEAT_TESTS_STAND_IN_H

#include "plugin/registry.h"

/*
 * Plugins that have the names, roles, ports and main options of the real ones and do nothing, for tests of what the host
 * makes of a pipeline file. `picky` is not like any real one: it refuses in create() and check() what its options ask for.
 */
struct leat_registry *stand_in_registry(void);
/* The same without `file`. */
struct leat_registry *stand_in_registry_without_file(void);

/* Instances of `picky` that were created and not destroyed. */
extern int stand_in_alive;

#endif
