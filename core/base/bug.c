/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bug.h"

#include <stddef.h>

const char *const leat_bug_names[] = {
#ifdef LEAT_SEEDED_BUGS
	"acknowledged-early",
	"barrier-in-a-batch",
	"barrier-overtaken",
	"budget-ignored",
	"change-not-stored",
	"changelog-first-wins",
	"changes-deleted-early",
	"digest-not-chained",
	"digest-not-compared",
	"drained-before-durable",
	"effect-in-wrong-round",
	"effects-before-durable",
	"empty-epoch-numbered",
	"eviction-not-noted",
	"expired-though-changed",
	"file-fence-before-lines",
	"file-fence-not-compared",
	"file-fence-not-synced",
	"file-folder-not-synced",
	"file-not-locked",
	"file-not-synced",
	"file-rest-not-cut",
	"file-rotation-not-marked",
	"incarnation-not-raised",
	"incarnation-shared",
	"kafka-doubt-ignored",
	"kafka-fence-before-messages",
	"kafka-fence-believed-early",
	"kafka-fence-not-compared",
	"kafka-id-not-stable",
	"kafka-owner-disturbed",
	"kafka-producer-reused",
	"kafka-uncommitted-read",
	"late-seen-by-batch",
	"mark-before-timers",
	"outbox-deleted-early",
	"outbox-for-fences-only",
	"outbox-skipped",
	"parked-overtaken",
	"position-before-state",
	"position-over-undone",
	"postgres-commit-error-believed",
	"postgres-fence-before-rows",
	"postgres-refusals-forgotten",
	"postgres-unknown-taken-as-failed",
	"recovered-behind-new",
	"redis-fence-not-compared",
	"redis-unknown-taken-as-failed",
	"refusals-noted-early",
	"repetition-repacked",
	"rows-not-numbered",
	"shard-not-stable",
	"silence-ignored",
	"sink-dropped-silently",
	"sources-before-claims",
	"store-not-locked",
	"store-not-synced",
	"timer-fired-twice",
	"timer-lost-on-retry",
	"timer-not-undone",
	"timers-not-sliced",
	"unclaimed-after-unknown",
	"undo-not-applied",
	"unknown-taken-as-delivered",
	"watermark-not-stored",
	"write-error-ignored",
#endif
	NULL,
};

#ifdef LEAT_SEEDED_BUGS

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *seeded;

static void read_seeded(void)
{
	const char *set = getenv("LEAT_BUG");

	for (const char *const *known = leat_bug_names; set != NULL && *known != NULL; known++)
		if (strcmp(*known, set) == 0)
			seeded = *known;
	if (set != NULL && seeded == NULL) {
		fprintf(stderr, "LEAT_BUG=%s is no seeded bug\n", set);
		exit(2);
	}
}

bool leat_bug(const char *name)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, read_seeded);
	return seeded != NULL && strcmp(seeded, name) == 0;
}

#endif
