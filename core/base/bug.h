/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_BASE_BUG_H
#define LEAT_BASE_BUG_H

/*
 * Seeded bugs, which test the tests: LEAT_BUG("name") is true where the environment has LEAT_BUG=name, and what stands there
 * breaks one promise. Only in builds with --enable-seeded-bugs; elsewhere it is false, and nothing is left of it. Plugins,
 * which see nothing of core/, have the same in plugins/shared/bug.h. tests/bugs has the test that catches each of them.
 */
#include <stdbool.h>

#ifdef LEAT_SEEDED_BUGS
bool leat_bug(const char *name);
#define LEAT_BUG(name) leat_bug(name)
#else
#define LEAT_BUG(name) false
#endif

/* All names, sorted, those of plugins too; ended by NULL, empty in other builds. */
extern const char *const leat_bug_names[];

#endif
