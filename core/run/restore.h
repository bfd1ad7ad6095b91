/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_RESTORE_H
#define LEAT_RUN_RESTORE_H

#include "run/epoch.h"

/*
 * The state of a shard, from the store. A shard begins at once: its timers are there, and entries of tables that are not are
 * fetched when an event asks for them. The rest is loaded between events until everything is in memory, or memory is full.
 */
struct leat_restore;

/* Before the shard's first event. */
enum leat_status leat_restore_begin(struct leat_epochs *epochs, struct leat_shard *shard, struct leat_restore **out,
                                    struct leat_error *err);
/* Between events: loads some. False: there is no more to load. */
bool leat_restore_step(struct leat_restore *restore);
void leat_restore_destroy(struct leat_restore *restore); /* after the shard's instances; accepts NULL */

#endif
