/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_TIMERS_H
#define LEAT_STATE_TIMERS_H

#include <leat/host.h>

#include "data/symbol.h"
#include "state/delta.h"

/*
 * The timers of one instance: sorted by (due, sequence of setting); the same (clock, due, key, tag) twice is one. Keys are
 * deep copies. Under the same undo as the tables: what was set or cancelled since begin is taken back by abort.
 * Asked for timers of LEAT_EVENT_TIME, those of LEAT_ENDLESS_TIME are among them, unless it has come to its end, INT64_MAX.
 */

struct leat_timers;

struct leat_timers *leat_timers_create(void);
void leat_timers_destroy(struct leat_timers *timers);
void leat_timers_begin(struct leat_timers *timers);
void leat_timers_commit(struct leat_timers *timers);
void leat_timers_abort(struct leat_timers *timers);
void leat_timers_set(struct leat_timers *timers, const struct leat_timer *timer);
void leat_timers_cancel(struct leat_timers *timers, const struct leat_timer *timer);
/* The due time of the earliest timer of that clock alone, INT64_MAX when there is none. */
int64_t leat_timers_next(const struct leat_timers *timers, enum leat_clock clock);
/* Whether there is one to take out. */
bool leat_timers_is_due(const struct leat_timers *timers, enum leat_clock clock, int64_t now_us);
/* Takes out the earliest one that is due at `now_us`. False: none. The key in *out is good until the next call here. */
bool leat_timers_pop(struct leat_timers *timers, enum leat_clock clock, int64_t now_us, struct leat_timer *out);
size_t leat_timers_count(const struct leat_timers *timers);

/* For checkpoints, as in tables.h. A timer that was popped is gone, whatever becomes of its event: who wants it again sets it
 * again. */
void leat_timers_track(struct leat_timers *timers);
void leat_timers_take(struct leat_timers *timers, struct leat_delta *out);
bool leat_timers_restore(struct leat_timers *timers, const struct leat_symbols *symbols, const struct leat_delta_op *put);

#endif
