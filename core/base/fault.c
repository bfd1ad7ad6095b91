/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"

#include <stddef.h>

const char *const leat_fault_names[] = {
#ifdef LEAT_DEVELOPER
	"claim-after",
	"claim-before",
	"deliver-after",
	"deliver-before",
	"epoch-close-after",
	"epoch-close-before",
	"incarnation-after",
	"incarnation-before",
	"recover-after",
	"recover-before",
	"release-before",
	"store-close-before",
	"store-open-after",
	"store-write-after",
	"store-write-before",
#endif
	NULL,
};

#ifdef LEAT_DEVELOPER

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

enum { STALL_S = 5 };

static struct {
	char name[64];
	bool is_stall;
	_Atomic unsigned long left; /* times to pass before it acts */
} wanted;

static bool is_known(const char *name)
{
	for (const char *const *known = leat_fault_names; *known != NULL; known++)
		if (strcmp(*known, name) == 0)
			return true;
	return false;
}

static void read_wanted(void)
{
	const char *set = getenv("LEAT_FAULT");
	char action[16] = "";
	unsigned long n = 1;

	if (set == NULL)
		return;
	if (sscanf(set, "%63[^:]:%15[^:]:%lu", wanted.name, action, &n) < 2 || !is_known(wanted.name) ||
	    (strcmp(action, "kill") != 0 && strcmp(action, "stall") != 0)) {
		fprintf(stderr, "LEAT_FAULT=%s is no fault point and action\n", set);
		exit(2);
	}
	wanted.is_stall = strcmp(action, "stall") == 0;
	atomic_store(&wanted.left, n);
}

void leat_fault(const char *name)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, read_wanted);
	if (wanted.name[0] == '\0' || strcmp(wanted.name, name) != 0 || atomic_load(&wanted.left) == 0 ||
	    atomic_fetch_sub(&wanted.left, 1) != 1)
		return;
	if (wanted.is_stall)
		(void)sleep(STALL_S);
	else
		(void)raise(SIGKILL);
}

#endif
