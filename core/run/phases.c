/* SPDX-License-Identifier: Apache-2.0 */
#include "run/phases.h"

#include <leat/value.h>

const char *leat_phase_name(enum leat_phase phase)
{
	static const char *const names[LEAT_PHASES] = {
		[LEAT_PHASE_SOURCE] = "source",     [LEAT_PHASE_QUEUE] = "queue",   [LEAT_PHASE_OPERATORS] = "operators",
		[LEAT_PHASE_EPOCH] = "epoch",       [LEAT_PHASE_STORE] = "store",   [LEAT_PHASE_OUTBOX] = "outbox",
		[LEAT_PHASE_DELIVERY] = "delivery", [LEAT_PHASE_COMMIT] = "commit",
	};

	return names[phase];
}

uint64_t leat_phase_events(const struct leat_phase_figures *figures)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < LEAT_LATENCY_BUCKETS; i++)
		n += figures->bucket[i];
	return n;
}

static int64_t within(int64_t us, int64_t least_us, int64_t most_us)
{
	return us < least_us ? least_us : us > most_us ? most_us : us;
}

/* Each phase begins where the one before it has ended, and none ends behind the last one. */
void leat_way_split(const struct leat_way *way, int64_t us[LEAT_PHASES])
{
	const int64_t end[] = { way->left_us,  way->closed_us, way->durable_us,
		                way->taken_us, way->committing_us == 0 ? INT64_MAX : way->committing_us, INT64_MAX };
	int64_t at_us = way->arrival_us, done_us = way->done_us > at_us ? way->done_us : at_us;

	us[LEAT_PHASE_SOURCE] = 0;
	for (unsigned i = LEAT_PHASE_OPERATORS; i < LEAT_PHASES; i++) {
		int64_t end_us = within(end[i - LEAT_PHASE_OPERATORS], at_us, done_us);

		us[i] = end_us - at_us;
		at_us = end_us;
	}
	us[LEAT_PHASE_QUEUE] = within(way->queued_us, 0, us[LEAT_PHASE_OPERATORS]);
	us[LEAT_PHASE_OPERATORS] -= us[LEAT_PHASE_QUEUE];
}

static bool has_phase(const struct leat_way *way, unsigned phase)
{
	if (phase == LEAT_PHASE_EPOCH || phase == LEAT_PHASE_STORE)
		return way->closed_us != 0;
	return phase != LEAT_PHASE_COMMIT || way->committing_us != 0;
}

static void add(struct leat_phases *phases, unsigned phase, uint64_t us, uint64_t n)
{
	leat_counter_add(&phases->of[phase].bucket[leat_latency_bucket(us)], n);
	leat_counter_add(&phases->of[phase].sum_us, us * n);
}

void leat_phases_count(struct leat_phases *phases, const struct leat_way *way, uint64_t n)
{
	int64_t us[LEAT_PHASES];

	leat_way_split(way, us);
	for (unsigned i = LEAT_PHASE_QUEUE; i < LEAT_PHASES; i++)
		if (has_phase(way, i))
			add(phases, i, (uint64_t)us[i], n);
}

/* Those that are read together are mostly of much the same age: one that has the bucket of the one before it is only counted. */
void leat_phases_count_source(struct leat_phases *phases, const struct leat_record *const *record, size_t n)
{
	const uint64_t most_us = leat_latency_bound(LEAT_LATENCY_BUCKETS - 1);
	uint64_t sum_us = 0, below = 0, width = 0, n_alike = 0;
	leat_counter *bucket = phases->of[LEAT_PHASE_SOURCE].bucket;

	for (size_t i = 0; i < n; i++) {
		int64_t time_us = record[i]->time_us, arrival_us = record[i]->arrival_us;
		uint64_t us = time_us < arrival_us ? (uint64_t)arrival_us - (uint64_t)time_us : 0;

		if (time_us == LEAT_NO_TIME || us > most_us)
			continue;
		if (us - below - 1 >= width) { /* not in (below, below + width] */
			unsigned k = leat_latency_bucket(us);

			leat_counter_add(bucket, n_alike);
			n_alike = 0;
			bucket = &phases->of[LEAT_PHASE_SOURCE].bucket[k];
			below = k == 0 ? UINT64_MAX : leat_latency_bound(k - 1); /* the first one has 0 as well */
			width = leat_latency_bound(k) - below;
		}
		n_alike++;
		sum_us += us;
	}
	leat_counter_add(bucket, n_alike);
	leat_counter_add(&phases->of[LEAT_PHASE_SOURCE].sum_us, sum_us);
}

void leat_phases_figures(const struct leat_phases *phases, struct leat_phase_figures *figures)
{
	for (unsigned i = 0; i < LEAT_PHASES; i++) {
		for (unsigned k = 0; k < LEAT_LATENCY_BUCKETS; k++)
			figures[i].bucket[k] += leat_counter_get(&phases->of[i].bucket[k]);
		figures[i].sum_us += leat_counter_get(&phases->of[i].sum_us);
	}
}
