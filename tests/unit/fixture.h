/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_TESTS_FIXTURE_H
#define LEAT_TESTS_FIXTURE_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* Path of a plugin of tests/fixtures/. In a static buffer: one at a time. */
static inline const char *fixture(const char *name)
{
	static char path[PATH_MAX];
	const char *build = getenv("LEAT_BUILD");

	(void)snprintf(path, sizeof path, "%s/tests/fixtures/.libs/%s.so", build != NULL ? build : ".", name);
	return path;
}

/* Removes a scratch folder of mkdtemp() and what a test left in it. */
static inline void remove_scratch(const char *folder)
{
	char command[PATH_MAX];

	(void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
	if (system(command) != 0)
		(void)fprintf(stderr, "could not remove %s\n", folder);
}

#endif
