/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_SHARED_BUG_H
#define LEAT_PLUGINS_SHARED_BUG_H

/*
 * Seeded bugs of plugins. LEAT_BUG("name") is true where the environment has LEAT_BUG=name, in builds with
 * --enable-seeded-bugs; elsewhere nothing is left of it. tests/bugs names the test that catches each.
 */
#include <stdbool.h>

#ifdef LEAT_SEEDED_BUGS
#include <stdlib.h>
#include <string.h>

static inline bool leat_bug(const char *name)
{
	const char *seeded = getenv("LEAT_BUG");

	return seeded != NULL && strcmp(seeded, name) == 0;
}
#define LEAT_BUG(name) leat_bug(name)
#else
#define LEAT_BUG(name) false
#endif

#endif
