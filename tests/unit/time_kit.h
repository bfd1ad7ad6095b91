/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_TESTS_TIME_KIT_H
#define LEAT_TESTS_TIME_KIT_H

#include "unit/run_kit.h"

/*
 * Plugins for testing event time, beside those of run_kit.h: `clock`, a source whose record i of each partition has the time
 * time_kit_at(i), and `panes`, an operator that counts records by pane and emits the panes as they are over.
 *
 * A pane that is over with n records is n records {"i": number of the pane, "p": number of the key}, so that
 * ledger.seen[key][pane] is n, and the ledger sees whether the panes of a key come in order. What comes too late is one record
 * {"i": LATE + pane, "p": KEYS + key}.
 */

enum { TIME_KIT_KEYS = 4, TIME_KIT_LATE = 100000, TIME_KIT_STEP_US = 1000, TIME_KIT_PANE_US = 20000 };

extern const struct leat_plugin time_kit_clock, time_kit_panes;

extern _Atomic uint64_t time_kit_disordered; /* timers that did not fire in order, or before their time */
extern _Atomic uint64_t time_kit_early;      /* panes that came behind a watermark that is past them */
extern _Atomic uint64_t time_kit_longest;    /* timers fired in one batch */
extern _Atomic uint64_t time_kit_open;       /* panes that are not over when end() is called */

/* Record i: its time, and its key. `jitter_us`: they come up to so much out of order. `late_every`: every so many are later. */
int64_t time_kit_at(int64_t i, int64_t jitter_us, int64_t late_every);
int64_t time_kit_key(int64_t i);

/* Has the plugins in run_kit_extra. */
void time_kit_init(void);

/* What one partition of `count` records comes to, over all panes; *late: how many were late. */
void time_kit_expect(int64_t count, int64_t jitter_us, int64_t late_every, int64_t disorder_us, unsigned times);

#endif
