/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void leat_check_broken(const char *what, const char *file, int line, const char *function)
{
	(void)fprintf(stderr, "leat: this is a bug in leat: \"%s\" does not hold in %s() at %s:%d\n", what, function, file, line);
	abort();
}
