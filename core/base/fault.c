/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"

#include <stddef.h>

const struct leat_fault_point leat_fault_points[] = {
#ifdef LEAT_DEVELOPER
	{ "acknowledge-after", LEAT_OK },
	{ "acknowledge-before", LEAT_OK },
	{ "backup-copy-after", LEAT_FATAL },
	{ "backup-copy-before", LEAT_FATAL },
	{ "backup-rename-after", LEAT_FATAL },
	{ "bury-after", LEAT_OK },
	{ "bury-before", LEAT_OK },
	{ "claim-after", LEAT_RETRY },
	{ "claim-before", LEAT_RETRY },
	{ "deliver-after", LEAT_UNKNOWN },
	{ "deliver-before", LEAT_RETRY },
	{ "drain-after", LEAT_OK },
	{ "drain-before", LEAT_OK },
	{ "drain-empty-after", LEAT_OK },
	{ "epoch-close-after", LEAT_OK },
	{ "epoch-close-before", LEAT_OK },
	{ "file-cut-after", LEAT_RETRY },
	{ "file-cut-before", LEAT_RETRY },
	{ "file-effect-after", LEAT_RETRY },
	{ "file-effect-before", LEAT_RETRY },
	{ "file-fence-after", LEAT_FATAL },
	{ "file-fence-before", LEAT_RETRY },
	{ "file-rename-after", LEAT_FATAL },
	{ "file-rename-before", LEAT_RETRY },
	{ "file-rotate-after", LEAT_RETRY },
	{ "file-rotate-before", LEAT_RETRY },
	{ "file-rotate-marked", LEAT_RETRY },
	{ "file-rotate-moved", LEAT_RETRY },
	{ "file-sync-after", LEAT_FATAL },
	{ "file-sync-before", LEAT_FATAL },
	{ "finish-write-after", LEAT_FATAL },
	{ "finish-write-before", LEAT_FATAL },
	{ "incarnation-after", LEAT_FATAL },
	{ "incarnation-before", LEAT_FATAL },
	{ "kafka-begin-after", LEAT_UNKNOWN },
	{ "kafka-begin-before", LEAT_UNKNOWN },
	{ "kafka-commit-after", LEAT_UNKNOWN },
	{ "kafka-commit-before", LEAT_UNKNOWN },
	{ "kafka-effect-after", LEAT_UNKNOWN },
	{ "kafka-effect-before", LEAT_UNKNOWN },
	{ "kafka-fence-after", LEAT_UNKNOWN },
	{ "kafka-fence-before", LEAT_UNKNOWN },
	{ "kafka-own-before", LEAT_RETRY },
	{ "kafka-takeover-after", LEAT_RETRY },
	{ "kafka-takeover-before", LEAT_RETRY },
	{ "postgres-apart-after", LEAT_UNKNOWN },
	{ "postgres-apart-before", LEAT_UNKNOWN },
	{ "postgres-begin-after", LEAT_UNKNOWN },
	{ "postgres-begin-before", LEAT_UNKNOWN },
	{ "postgres-claim-after", LEAT_RETRY },
	{ "postgres-claim-before", LEAT_RETRY },
	{ "postgres-claim-locked", LEAT_RETRY },
	{ "postgres-claim-taken", LEAT_RETRY },
	{ "postgres-commit-after", LEAT_UNKNOWN },
	{ "postgres-commit-before", LEAT_UNKNOWN },
	{ "postgres-commit-sent", LEAT_UNKNOWN },
	{ "postgres-fence-after", LEAT_UNKNOWN },
	{ "postgres-keep-after", LEAT_UNKNOWN },
	{ "postgres-keep-before", LEAT_UNKNOWN },
	{ "recover-after", LEAT_FATAL },
	{ "recover-before", LEAT_FATAL },
	{ "redis-claim-after", LEAT_RETRY },
	{ "redis-claim-before", LEAT_RETRY },
	{ "redis-script-after", LEAT_UNKNOWN },
	{ "redis-script-before", LEAT_UNKNOWN },
	{ "redis-script-half", LEAT_UNKNOWN },
	{ "redis-script-sent", LEAT_UNKNOWN },
	{ "release-after", LEAT_OK },
	{ "release-before", LEAT_OK },
	{ "restore-after", LEAT_FATAL },
	{ "restore-before", LEAT_FATAL },
	{ "restore-timers-after", LEAT_FATAL },
	{ "restore-timers-before", LEAT_FATAL },
	{ "rows-before", LEAT_FATAL },
	{ "rows-take-after", LEAT_FATAL },
	{ "rows-take-before", LEAT_FATAL },
	{ "shard-pass-after", LEAT_OK },
	{ "shard-pass-before", LEAT_OK },
	{ "source-commit-after", LEAT_RETRY },
	{ "source-commit-before", LEAT_RETRY },
	{ "source-open-after", LEAT_RETRY },
	{ "source-open-before", LEAT_RETRY },
	{ "store-close-after", LEAT_OK },
	{ "store-close-before", LEAT_OK },
	{ "store-match-after", LEAT_FATAL },
	{ "store-open-after", LEAT_FATAL },
	{ "store-write-after", LEAT_FATAL },
	{ "store-write-before", LEAT_FATAL },
#endif
	{ NULL, LEAT_OK },
};

#ifdef LEAT_DEVELOPER

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

enum { STALL_S = 5, MOST = 8 };
enum action { KILL, STALL, ERROR, N_ACTIONS };

static const char *const actions[N_ACTIONS] = { [KILL] = "kill", [STALL] = "stall", [ERROR] = "error" };

struct wanted {
	const struct leat_fault_point *point;
	enum action action;
	_Atomic unsigned long left; /* times to pass before it acts */
};

static struct wanted wanted[MOST];
static size_t n_wanted;

static const struct leat_fault_point *find_point(const char *name)
{
	const struct leat_fault_point *point = leat_fault_points;

	while (point->name != NULL && strcmp(point->name, name) != 0)
		point++;
	return point->name != NULL ? point : NULL;
}

static bool read_one(const char *text, struct wanted *out)
{
	char name[64], action[16];
	unsigned long n = 1;
	int i = 0;

	if (sscanf(text, "%63[^:,]:%15[^:,]:%lu", name, action, &n) < 2)
		return false;
	while (i < N_ACTIONS && strcmp(actions[i], action) != 0)
		i++;
	out->point = find_point(name);
	out->action = (enum action)i;
	atomic_store(&out->left, n);
	return out->point != NULL && i < N_ACTIONS && (i != ERROR || out->point->error != LEAT_OK);
}

static void read_wanted(void)
{
	const char *at = getenv("LEAT_FAULT");

	for (; at != NULL && *at != '\0'; at += strcspn(at, ","), at += *at == ',') {
		if (n_wanted == MOST || !read_one(at, &wanted[n_wanted])) {
			fprintf(stderr, "LEAT_FAULT: \"%s\" is no fault point with an action that it has, or there are more than %d\n", at, MOST);
			exit(2);
		}
		n_wanted++;
	}
}

static bool act(const struct wanted *w)
{
	fprintf(stderr, "fault point %s: %s\n", w->point->name, actions[w->action]);
	if (w->action == KILL)
		(void)raise(SIGKILL);
	if (w->action == STALL)
		(void)sleep(STALL_S);
	errno = EIO;
	return w->action == ERROR;
}

bool leat_fault_fails(const char *name)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	bool fails = false;

	(void)pthread_once(&once, read_wanted);
	for (size_t i = 0; i < n_wanted; i++) {
		struct wanted *w = &wanted[i];

		if (strcmp(w->point->name, name) == 0 && atomic_load(&w->left) > 0 && atomic_fetch_sub(&w->left, 1) == 1)
			fails = act(w) || fails;
	}
	return fails;
}

void leat_fault(const char *name)
{
	leat_check(!leat_fault_fails(name));
}

enum leat_status leat_fault_error(const char *name, struct leat_error *err)
{
	const struct leat_fault_point *point;

	if (!leat_fault_fails(name))
		return LEAT_OK;
	point = find_point(name);
	leat_check(point != NULL);
	return leat_error_set(err, point->error, 0, "could not get past fault point \"%s\"", name);
}

#endif
