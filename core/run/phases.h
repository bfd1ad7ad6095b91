/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_PHASES_H
#define LEAT_RUN_PHASES_H

#include <leat/record.h>

#include "run/counters.h"
#include "run/pipeline.h"

/*
 * Where the time of an event goes. Nobody looks at the clock for an event: a group of effects, those of one batch for one sink, has
 * notes of when it came how far, and events of a group that have arrived together have the same way. Only their own time, which
 * the first phase begins with, is each event's.
 *
 * All are points in time by the clock of leat_clock_now_us(), but for `queued_us`.
 */
struct leat_way {
	int64_t arrival_us;    /* of the event */
	int64_t queued_us;     /* spent between shards, in all */
	int64_t left_us;       /* the operators, encoded */
	int64_t closed_us;     /* its epoch; 0: there are none */
	int64_t durable_us;    /* in the store; without epochs, the same as left_us */
	int64_t taken_us;      /* by the sink's thread */
	int64_t committing_us; /* see leat_committing(); 0: the sink does not tell */
	int64_t done_us;
};

/* The phases behind the source's one; their sum is the time from arrival to done, also when the clock was set in between. */
void leat_way_split(const struct leat_way *way, int64_t us[LEAT_PHASES]);

/* As one thread counts them. */
struct leat_phases {
	struct {
		leat_counter bucket[LEAT_LATENCY_BUCKETS], sum_us;
	} of[LEAT_PHASES];
};

/* So many events have come this way. Phases that it does not have are left out. */
void leat_phases_count(struct leat_phases *phases, const struct leat_way *way, uint64_t n);
/* From the own time of each event to its arrival. Those that have none do not count, nor those older than the buckets reach: the past
 * that is read again was not on its way all the time. */
void leat_phases_count_source(struct leat_phases *phases, const struct leat_record *const *record, size_t n);
/* Adds to LEAT_PHASES figures. */
void leat_phases_figures(const struct leat_phases *phases, struct leat_phase_figures *figures);

#endif
